//! Links between documents: every relative link leads to a file or folder, and its `#part` to a heading.

use std::path::Path;

use crate::assert_none;
use crate::tree::{files_with_extension, root, text_of};

/// The places outside ours that a link may begin with.
const ELSEWHERE: [&str; 4] = ["https://", "http://", "mailto:", "tel:"];

/// The targets of the links in `markdown` that lead to places of ours, without those in code.
fn our_targets(markdown: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in prose_lines(markdown) {
        let line = without_code(line);
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            // A title may follow the target: `](file.md "title")`.
            let end = rest.find([')', ' ']).unwrap_or(rest.len());
            targets.push(rest[..end].to_owned());
        }
        // `[name]: target`, at the beginning of a line.
        if line.starts_with('[')
            && !line.starts_with("[^")
            && let Some((_, rest)) = line.split_once("]: ")
        {
            let target = rest.split_whitespace().next().unwrap_or_default();
            targets.push(target.to_owned());
        }
    }
    targets.retain(|target| !ELSEWHERE.iter().any(|scheme| target.starts_with(scheme)));
    for target in &mut targets {
        *target = target.trim_matches(['<', '>']).to_owned();
    }
    targets
}

/// The anchors of the headings of `markdown`, as forges make them.
fn anchors(markdown: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for line in prose_lines(markdown) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let slug: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let again = anchors
            .iter()
            .filter(|known| **known == slug || is_numbered(known, &slug))
            .count();
        anchors.push(if again == 0 {
            slug
        } else {
            format!("{slug}-{again}")
        });
    }
    anchors
}

fn is_numbered(known: &str, slug: &str) -> bool {
    known
        .strip_prefix(slug)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The lines outside fenced code.
fn prose_lines(markdown: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    markdown.lines().filter(move |line| {
        let trimmed = line.trim_start();
        let is_fence = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// `line` without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// What is wrong with the link to `target` in the document at `path`, if anything.
fn breach(path: &str, markdown: &str, target: &str) -> Option<String> {
    let (file, anchor) = match target.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (target, None),
    };
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let destination = match file.strip_prefix('/') {
        Some(from_root) => root().join(from_root),
        None => root().join(folder).join(file),
    };
    let other;
    let anchored = if file.is_empty() {
        markdown
    } else {
        // A document outside the tree is not there for a reader of the tree.
        let is_ours = destination.canonicalize().is_ok_and(|found| {
            root()
                .canonicalize()
                .is_ok_and(|root| found.starts_with(root))
        });
        if !is_ours {
            return Some(format!("{path}: {target} leads nowhere"));
        }
        if anchor.is_none() || destination.extension().is_none_or(|e| e != "md") {
            return None;
        }
        other =
            std::fs::read_to_string(&destination).expect("a document that was found can be read");
        &other
    };
    let anchor = anchor?;
    let is_there = anchors(anchored).iter().any(|known| known == anchor);
    (!is_there).then(|| format!("{path}: {target}: there is no such heading"))
}

#[test]
fn links_lead_somewhere() {
    let documents = files_with_extension("md");
    assert!(
        documents.iter().any(|file| file.path == "docs/testing.md"),
        "the walk reaches docs/"
    );
    let mut found = Vec::new();
    for file in &documents {
        for target in our_targets(&file.text) {
            found.extend(breach(&file.path, &file.text, &target));
        }
    }
    assert_none(&found);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_and_code_is_not() {
        let markdown = "[a](b.md), ![c](d.png \"title\") and [e](https://example.com/)\n\
                        `[f](g.md)`\n\
                        ```\n[h](i.md)\n```\n\
                        [j]: <k.md>\n\
                        [^1]: a note\n";
        assert_eq!(our_targets(markdown), ["b.md", "d.png", "k.md"]);
    }

    #[test]
    fn anchors_are_made_as_forges_make_them() {
        let markdown =
            "# The log\n## What's `in` it?\n### It\n### It\n```\n# no heading\n```\n#none\n";
        assert_eq!(anchors(markdown), ["the-log", "whats-in-it", "it", "it-1"]);
    }

    #[test]
    fn links_that_lead_nowhere_are_noticed() {
        let path = "docs/testing.md";
        let markdown = text_of(path);
        for good in [
            "testing.md",
            "../Makefile",
            "/Cargo.toml",
            "../tests",
            "#snapshots",
        ] {
            assert_eq!(breach(path, &markdown, good), None);
        }
        for bad in [
            "no-such-file.md",
            "../../Cargo.toml",
            "#no-such-heading",
            "testing.md#no-such-heading",
        ] {
            assert!(breach(path, &markdown, bad).is_some(), "{bad}");
        }
    }
}
