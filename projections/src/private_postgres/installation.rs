//! Finds the Postgres server programs on this machine.
//!
//! To teach Docket another place where a system keeps them, add it to [`VERSIONED_FOLDERS`].

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::place::ServerUser;
use super::{PrivatePostgresError, command};

/// The oldest major version that Docket's tests run against.
const OLDEST_MAJOR: u32 = 15;

/// Where systems keep one folder for each version: the parent, and how the version's folder is named before its number.
/// `bin` stands below that.
const VERSIONED_FOLDERS: [(&str, &str); 5] = [
    // Debian, Ubuntu.
    ("/usr/lib/postgresql", ""),
    // RHEL and its kin, from Postgres's own packages.
    ("/usr", "pgsql-"),
    // Homebrew on Apple silicon, on Intel, on Linux.
    ("/opt/homebrew/opt", "postgresql"),
    ("/usr/local/opt", "postgresql"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql"),
];

/// A folder with `postgres`, `initdb` and `pg_ctl` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installation {
    folder: PathBuf,
    major: u32,
}

impl Installation {
    /// The full path of one of its programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The installation to make a new cluster with: the first found that is new enough.
    pub(super) fn for_new_cluster(user: Option<ServerUser>) -> Result<Self, PrivatePostgresError> {
        let found = installations(std::env::var_os("PATH").as_deref(), user);
        choose_for_new(&found).cloned()
    }

    /// The installation that can run the cluster in `cluster`: a cluster runs only under the major version that made it.
    pub(super) fn for_cluster(
        cluster: &Path,
        user: Option<ServerUser>,
    ) -> Result<Self, PrivatePostgresError> {
        let found = installations(std::env::var_os("PATH").as_deref(), user);
        let version_file = cluster.join("PG_VERSION");
        let major = std::fs::read_to_string(&version_file)
            .map_err(|source| PrivatePostgresError::Folder {
                path: version_file.clone(),
                source,
            })?
            .trim()
            .parse()
            .map_err(|_| PrivatePostgresError::NotACluster {
                path: cluster.to_owned(),
            })?;
        choose_for_existing(&found, cluster, major).cloned()
    }
}

fn choose_for_new(found: &[Installation]) -> Result<&Installation, PrivatePostgresError> {
    let Some(first) = found.first() else {
        return Err(PrivatePostgresError::NotInstalled);
    };
    found
        .iter()
        .find(|installation| installation.major >= OLDEST_MAJOR)
        .ok_or_else(|| PrivatePostgresError::TooOld {
            folder: first.folder.clone(),
            major: first.major,
            oldest: OLDEST_MAJOR,
        })
}

fn choose_for_existing<'a>(
    found: &'a [Installation],
    cluster: &Path,
    major: u32,
) -> Result<&'a Installation, PrivatePostgresError> {
    if found.is_empty() {
        return Err(PrivatePostgresError::NotInstalled);
    }
    found
        .iter()
        .find(|installation| installation.major == major)
        .ok_or_else(|| PrivatePostgresError::OtherVersion {
            cluster: cluster.to_owned(),
            major,
            installed: found
                .iter()
                .map(|installation| installation.major.to_string())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// What is installed, in the order in which it is to be tried.
fn installations(path: Option<&OsStr>, user: Option<ServerUser>) -> Vec<Installation> {
    let mut found: Vec<Installation> = Vec::new();
    for folder in from_path(path).into_iter().chain(from_known_places()) {
        if found.iter().any(|known| known.folder == folder) {
            continue;
        }
        if let Some(major) = major_version(&folder, user) {
            found.push(Installation { folder, major });
        }
    }
    found
}

/// The folders that `PATH` leads to. An entry may hold links to the programs only, and they work only where the links
/// end; links that end in different folders are two halves of two installations.
fn from_path(path: Option<&OsStr>) -> Vec<PathBuf> {
    let Some(path) = path else {
        return Vec::new();
    };
    std::env::split_paths(path)
        // A relative entry would run whatever lies in the working folder.
        .filter(|entry| entry.is_absolute())
        .filter_map(|entry| {
            let folder = resolved_folder(&entry.join("postgres"))?;
            (resolved_folder(&entry.join("initdb"))? == folder && is_complete(&folder))
                .then_some(folder)
        })
        .collect()
}

fn resolved_folder(program: &Path) -> Option<PathBuf> {
    Some(program.canonicalize().ok()?.parent()?.to_owned())
}

/// The folders where packages put the programs, within a place the newest version first.
fn from_known_places() -> Vec<PathBuf> {
    VERSIONED_FOLDERS
        .iter()
        .flat_map(|(parent, prefix)| newest_first(Path::new(parent), prefix))
        .collect()
}

fn newest_first(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut folders: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            let folder = parent.join(&name).join("bin").canonicalize().ok()?;
            is_complete(&folder).then(|| (leading_number(version.trim_start_matches('@')), folder))
        })
        .collect();
    folders.sort_by(|(a, _), (b, _)| b.cmp(a));
    folders.into_iter().map(|(_, folder)| folder).collect()
}

/// The number that `text` begins with; 0 when it begins with none.
fn leading_number(text: &str) -> u32 {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    text[..digits].parse().unwrap_or(0)
}

fn is_complete(folder: &Path) -> bool {
    ["postgres", "initdb", "pg_ctl"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

/// Asks the server program itself, because a folder's name may say nothing about the version.
fn major_version(folder: &Path, user: Option<ServerUser>) -> Option<u32> {
    let output = command(&folder.join("postgres"), user)
        .arg("--version")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let number = text.split_whitespace().nth(2)?;
    match leading_number(number) {
        0 => None,
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn installation(folder: &Path, version: &str) -> PathBuf {
        std::fs::create_dir_all(folder).unwrap();
        for program in ["postgres", "initdb", "pg_ctl"] {
            let path = folder.join(program);
            std::fs::write(
                &path,
                format!("#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n"),
            )
            .unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder.canonicalize().unwrap()
    }

    #[test]
    fn newest_version_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9.6", "17", "15"] {
            installation(&root.path().join(version).join("bin"), version);
        }

        let names: Vec<_> = newest_first(root.path(), "")
            .iter()
            .map(|bin| bin.parent().unwrap().file_name().unwrap().to_owned())
            .collect();

        assert_eq!(names, ["17", "15", "9.6"]);
    }

    #[test]
    fn homebrew_names_its_versions_after_an_at_sign() {
        let root = tempfile::tempdir().unwrap();
        for name in ["postgresql@16", "postgresql@17", "redis"] {
            installation(&root.path().join(name).join("bin"), "17.1");
        }

        let names: Vec<_> = newest_first(root.path(), "postgresql")
            .iter()
            .map(|bin| bin.parent().unwrap().file_name().unwrap().to_owned())
            .collect();

        assert_eq!(names, ["postgresql@17", "postgresql@16"]);
    }

    #[test]
    fn links_in_path_are_followed_to_where_the_programs_are() {
        let root = tempfile::tempdir().unwrap();
        let bin = installation(&root.path().join("lib/16/bin"), "16.2 (Debian 16.2-1)");
        let links = root.path().join("links");
        std::fs::create_dir(&links).unwrap();
        for program in ["postgres", "initdb"] {
            symlink(bin.join(program), links.join(program)).unwrap();
        }

        assert_eq!(
            from_path(Some(links.as_os_str())),
            std::slice::from_ref(&bin)
        );
        assert_eq!(major_version(&bin, None), Some(16));
    }

    #[test]
    fn links_into_two_installations_are_none() {
        let root = tempfile::tempdir().unwrap();
        let old = installation(&root.path().join("lib/15/bin"), "15.1");
        let new = installation(&root.path().join("lib/16/bin"), "16.1");
        let links = root.path().join("links");
        std::fs::create_dir(&links).unwrap();
        symlink(old.join("postgres"), links.join("postgres")).unwrap();
        symlink(new.join("initdb"), links.join("initdb")).unwrap();

        assert_eq!(from_path(Some(links.as_os_str())), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_cluster_gets_the_version_that_made_it() {
        let found: Vec<_> = [17, 15]
            .map(|major| Installation {
                folder: PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")),
                major,
            })
            .into();
        let cluster = Path::new("/srv/docket/postgres");

        assert_eq!(choose_for_new(&found).unwrap().major, 17);
        assert_eq!(choose_for_existing(&found, cluster, 15).unwrap().major, 15);
        let error = choose_for_existing(&found, cluster, 16).unwrap_err();
        assert_contains(&error.to_string(), &["16", "17, 15", "DATABASE_URL"]);
    }

    #[test]
    fn without_an_installation_the_error_says_how_to_get_one() {
        let error = choose_for_new(&[]).unwrap_err().to_string();

        assert_contains(
            &error,
            &["apt-get install postgresql", "brew install", "DATABASE_URL"],
        );
    }

    #[test]
    fn an_old_version_alone_is_refused() {
        let found = [Installation {
            folder: PathBuf::from("/usr/lib/postgresql/13/bin"),
            major: 13,
        }];

        let error = choose_for_new(&found).unwrap_err().to_string();
        assert_contains(&error, &["13", "15"]);
    }

    #[track_caller]
    fn assert_contains(text: &str, parts: &[&str]) {
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
    }
}
