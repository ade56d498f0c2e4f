//! Which modules of a crate use one another.
//!
//! Two modules that lie side by side and lead to one another, directly or by others, form a circle: neither can be read without the
//! other. An edge is a path in the code (`crate::a::b`, `super::c`) that leads into a module that is neither above nor below. Modules
//! of tests do not count.

use std::collections::{BTreeMap, BTreeSet};

use crate::assert_none;
use crate::source_text::SourceText;
use crate::tree::{TextFile, files_with_extension};

/// The circles that there are, to be taken apart. Nothing may be added to one, and one that is gone leaves the list.
const KNOWN: &[&str] = &[
    "projections/src/: connect log model_versions read schema watch",
    "projections/src/read: cases contact_details contact_windows contacts labels messages open_cases outbox reports snoozes thread writes",
    "api/src/: activity app audit config connections console delivery evidence export http media mentions operations people rerouting site users vonage_settings webhooks",
    "api/src/console: act answers bar bulk case counter device files first_steps inbox labels list list_words next_case outgoing owners pages place presence reading saved session settings sign_in thread throttle unsent window words writing",
    "api/src/console/owners: account preferences",
    "api/src/console/settings: lines setup surveys vonage",
    "api/src/http: auth case_list cases contacts history input",
    "api/src/simulator: account files phone templates webhooks",
];

/// A module's path below its crate, without names for the crate's root.
type Module = Vec<String>;

/// Of the folder of modules, `from` uses `to`; the file that does so.
type Edges = BTreeMap<String, BTreeMap<(String, String), String>>;

fn module_of(path: &str, source: &str) -> Option<Module> {
    let rest = path.strip_prefix(source)?.strip_suffix(".rs")?;
    let mut module: Module = rest.split('/').map(str::to_owned).collect();
    if module.len() == 1 && ["lib", "main"].contains(&module[0].as_str()) {
        module.clear();
    }
    Some(module)
}

/// The paths that begin with `crate` or `super`, one for each leaf of a tree of `use`.
fn paths(code: &str) -> Vec<Module> {
    let mut found = vec![];
    for begin in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(begin) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':' && c != '$') {
                tree(&code[at..], &mut vec![], &mut found);
            }
        }
    }
    found
}

/// Takes one path, or one tree in braces, from the beginning of `code`; gives what follows it.
fn tree<'a>(code: &'a str, above: &mut Module, found: &mut Vec<Module>) -> &'a str {
    let depth = above.len();
    let mut rest = code.trim_start();
    loop {
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner.trim_start();
            while !rest.is_empty() && !rest.starts_with('}') {
                let after = tree(rest, above, found);
                // Something that is no tree of `use`.
                if after.len() == rest.len() {
                    break;
                }
                rest = after.trim_start();
                rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            }
            above.truncate(depth);
            return rest.strip_prefix('}').unwrap_or(rest);
        }
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if end > 0 {
            above.push(rest[..end].to_owned());
        }
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(deeper) if end > 0 => rest = deeper.trim_start(),
            _ => break,
        }
    }
    found.push(above.clone());
    above.truncate(depth);
    let renamed = rest.trim_start().strip_prefix("as ").map(|name| {
        let name = name.trim_start();
        name.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
    });
    renamed.unwrap_or(rest)
}

/// The module that a path leads into.
fn resolved(path: &[String], from: &Module, modules: &BTreeSet<Module>) -> Option<Module> {
    let mut base = from.clone();
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        match first.as_str() {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            "self" => {}
            _ => break,
        }
        rest = after;
    }
    base.extend(rest.iter().cloned());
    while !base.is_empty() && !modules.contains(&base) {
        base.pop();
    }
    (!base.is_empty()).then_some(base)
}

fn edges(files: &[TextFile], source: &str) -> Edges {
    let of = |file: &TextFile| module_of(&file.path, source);
    let modules: BTreeSet<Module> = files.iter().filter_map(of).collect();
    let mut edges = Edges::new();
    for file in files {
        let Some(from) = of(file).filter(|module| module.last().is_none_or(|last| last != "tests"))
        else {
            continue;
        };
        let code = SourceText::of(&file.text).code;
        let code = code
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        for path in paths(code) {
            let Some(to) = resolved(&path, &from, &modules) else {
                continue;
            };
            let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if shared < from.len() && shared < to.len() {
                edges
                    .entry(from[..shared].join("::"))
                    .or_default()
                    .entry((from[shared].clone(), to[shared].clone()))
                    .or_insert_with(|| file.path.clone());
            }
        }
    }
    edges
}

/// The modules that `from` leads to.
fn reached<'a>(from: &'a str, uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![from];
    while let Some(module) = todo.pop() {
        for next in uses.get(module).into_iter().flatten() {
            if seen.insert(*next) {
                todo.push(next);
            }
        }
    }
    seen
}

/// The circles: the folder of modules, the modules, and who uses whom.
fn circles(files: &[TextFile], source: &str) -> Vec<(String, BTreeSet<String>, Vec<String>)> {
    let mut circles = vec![];
    for (folder, edges) in edges(files, source) {
        let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (from, to) in edges.keys() {
            uses.entry(from).or_default().insert(to);
        }
        let reached: BTreeMap<&str, BTreeSet<&str>> = (uses.keys())
            .map(|module| (*module, reached(module, &uses)))
            .collect();
        let mut told = BTreeSet::new();
        for (module, to) in &reached {
            if !to.contains(module) || told.contains(module) {
                continue;
            }
            let circle: BTreeSet<&str> = (to.iter().copied())
                .filter(|other| reached.get(other).is_some_and(|back| back.contains(module)))
                .collect();
            let lines = edges
                .iter()
                .filter(|((from, to), _)| {
                    circle.contains(from.as_str()) && circle.contains(to.as_str())
                })
                .map(|((from, to), file)| format!("{from} uses {to} in {file}"))
                .collect();
            told.extend(circle.iter().copied());
            let circle = circle.into_iter().map(str::to_owned).collect();
            circles.push((folder.clone(), circle, lines));
        }
    }
    circles
}

fn breaches(files: &[TextFile], known: &[&str]) -> Vec<String> {
    let mut found = vec![];
    let mut names = BTreeSet::new();
    for source in ["domain/src/", "projections/src/", "api/src/"] {
        for (folder, circle, lines) in circles(files, source) {
            let place = format!("{source}{}", folder.replace("::", "/"));
            let name = |modules: &BTreeSet<String>| {
                let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
                format!("{place}: {}", modules.join(" "))
            };
            let name = name(&circle);
            if !known.contains(&name.as_str()) {
                found.push(format!("a circle, {name}: {}", lines.join("; ")));
            }
            names.insert(name);
        }
    }
    for gone in known.iter().filter(|name| !names.contains(**name)) {
        found.push(format!("{gone}: no longer a circle; take it off the list"));
    }
    found
}

#[test]
fn circles_are_found() {
    let file = |path: &str, text: &str| TextFile {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let files = [
        file("domain/src/lib.rs", "mod a; mod b; mod c; mod d;"),
        file("domain/src/a.rs", "use crate::{b::X, d::Y as Z};"),
        file(
            "domain/src/b.rs",
            "// use crate::d;\nfn f() { super::c::g() }",
        ),
        file("domain/src/c.rs", "pub use super::a::{self, H};"),
        file(
            "domain/src/d.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::a::T;\n}",
        ),
        file("domain/src/d/e.rs", "use super::f::F; use crate::d::G;"),
        file("domain/src/d/f.rs", "use self::g::H;"),
        file("domain/src/d/f/g.rs", "use super::F;"),
    ];
    let found = breaches(&files, &[]);
    let [one] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        one,
        "a circle, domain/src/: a b c: a uses b in domain/src/a.rs; b uses c in domain/src/b.rs; c uses a in domain/src/c.rs"
    );
    assert!(breaches(&files, &["domain/src/: a b c"]).is_empty());
    assert_eq!(breaches(&files[..1], &["domain/src/: a b c"]).len(), 1);
}

#[test]
fn modules_use_one_another_in_one_direction() {
    assert_none(&breaches(&files_with_extension("rs"), KNOWN));
}
