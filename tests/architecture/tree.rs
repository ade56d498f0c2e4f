//! The files of the workspace.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours: what is built, fetched or kept by git.
const NOT_OURS: [&str; 4] = ["target", "node_modules", ".git", "docket-data"];

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the crate of the tests lies in the workspace")
        .to_owned()
}

/// A file of ours.
pub(crate) struct TextFile {
    /// From the root of the workspace, with `/` between folders.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every file below the root whose name ends in `.` and `extension`, in order of path.
pub(crate) fn files_with_extension(extension: &str) -> Vec<TextFile> {
    let root = root();
    let mut paths = Vec::new();
    collect(&root, OsStr::new(extension), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| TextFile {
            text: read(&path),
            path: relative(&root, &path),
        })
        .collect()
}

/// The text of the file at `path`, which is given from the root of the workspace.
pub(crate) fn text_of(path: &str) -> String {
    read(&root().join(path))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .expect("the walk began at the root")
        .to_string_lossy()
        .replace('\\', "/")
}

fn collect(folder: &Path, extension: &OsStr, into: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let entry = entry.unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let path = entry.path();
        let kind = entry
            .file_type()
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        if kind.is_dir() {
            let is_ours = NOT_OURS.iter().all(|name| entry.file_name() != *name);
            if is_ours {
                collect(&path, extension, into);
            }
        } else if kind.is_file() && path.extension() == Some(extension) {
            into.push(path);
        }
    }
}

#[test]
fn the_walk_finds_this_file() {
    let files = files_with_extension("rs");
    let this = files
        .iter()
        .find(|file| file.path == "tests/architecture/tree.rs")
        .expect("the walk reaches every crate");
    assert!(this.text.contains("the_walk_finds_this_file"));
}
