//! The console may lie below a path, so its pages write no address of their own without the base.

use std::ffi::OsStr;
use std::path::Path;

use crate::assert_none;
use crate::tree::{TextFile, files_with_extension};

/// Stands before every path of ours in a template.
const BASE: &str = "{{ crate::site::base() }}";
/// Addresses that are whole already: of media, of the public URL itself, and of the simulated phone.
const WHOLE: [&str; 4] = [
    "{{ href }}\" rel=\"noreferrer",
    "{{ href }}\" target=\"_blank\"",
    "{{ elsewhere.url }}\"",
    "{{ phone }}\"",
];

/// The breaches in one template or script.
fn breaches(file: &TextFile) -> Vec<String> {
    let is_script = Path::new(&file.path).extension() == Some(OsStr::new("js"));
    let lines = (1..).zip(file.text.lines());
    let found = lines.filter(|(_, line)| {
        if is_script {
            has_bare_path_in_script(line)
        } else {
            has_bare_path(line)
        }
    });
    found
        .map(|(number, _)| {
            let way = if is_script { "`${base}/…`" } else { BASE };
            format!("{}:{number}: a path of ours begins with {way}", file.path)
        })
        .collect()
}

fn has_bare_path(line: &str) -> bool {
    ["href=\"", "action=\"", "src=\""].iter().any(|name| {
        line.split(name).skip(1).any(|value| {
            let is_good = value.starts_with(BASE)
                || value.starts_with('#')
                || WHOLE.iter().any(|whole| value.starts_with(whole));
            !is_good
        })
    })
}

fn has_bare_path_in_script(line: &str) -> bool {
    let calls = ["fetch(", "EventSource(", "assign(", "replace(", "open("];
    let calls_one = calls.iter().any(|call| {
        line.split(call).skip(1).any(|value| {
            ["\"/", "'/", "`/"]
                .iter()
                .any(|path| value.starts_with(path))
        })
    });
    calls_one
        || ["=== \"/", "href = `/", "href = \"/"]
            .iter()
            .any(|path| line.contains(path))
}

#[test]
fn bare_paths_are_found() {
    let file = |path: &str, text: &str| TextFile {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    for bad in [
        "<a href=\"/cases\">",
        "<form action=\"{{ action }}\">",
        "<button formaction=\"/x\">",
        "<use href=\"#dot\"/></svg><img src=\"/assets/a.svg\">",
    ] {
        assert_eq!(breaches(&file("a.html", bad)).len(), 1, "{bad}");
    }
    let good = format!(
        "<a href=\"{BASE}/cases\"><use href=\"#dot\"/><form action=\"{BASE}{{{{ action }}}}\">"
    );
    assert_none(&breaches(&file("a.html", &good)));
    for bad in [
        "fetch(\"/live\")",
        "new EventSource(`/live?after=${p}`)",
        "x === \"/sign-in\"",
    ] {
        assert_eq!(breaches(&file("a.js", bad)).len(), 1, "{bad}");
    }
    assert_none(&breaches(&file(
        "a.js",
        "fetch(`${base}/live`); text.replace(/x/, y)",
    )));
}

#[test]
fn pages_and_scripts_of_the_console_keep_to_the_base() {
    let templates = files_with_extension("html");
    let scripts = files_with_extension("js");
    let files: Vec<&TextFile> = templates
        .iter()
        .filter(|file| file.path.starts_with("api/templates/console/"))
        .chain(scripts.iter().filter(|file| {
            // The phone is a page of the simulated Vonage, which has a host of its own.
            file.path.starts_with("api/assets/") && !file.path.ends_with("/phone.js")
        }))
        .collect();
    assert!(files.len() > 30, "{} files", files.len());
    let found: Vec<String> = files.into_iter().flat_map(breaches).collect();
    assert_none(&found);
}
