//! What Rust files may not hold.

use crate::assert_none;
use crate::source_text::SourceText;
use crate::tree::{TextFile, files_with_extension};

/// The breaches in one file.
fn breaches(file: &TextFile) -> Vec<String> {
    let mut found = Vec::new();
    let path = &file.path;
    if path.ends_with("/mod.rs") {
        found.push(format!(
            "{path}: a module is `foo.rs` beside `foo/`, not `foo/mod.rs`"
        ));
    }

    let source = SourceText::of(&file.text);
    for (number, line) in (1..).zip(source.code.lines()) {
        for rule in &RULES {
            let is_free = rule.free.iter().any(|folder| path.starts_with(folder));
            if !is_free && (rule.breaks)(line) {
                found.push(format!("{path}:{number}: {}", rule.sentence));
            }
        }
    }
    for (number, line) in (1..).zip(source.comments.lines()) {
        if ["TODO", "FIXME"].iter().any(|mark| has_word(line, mark)) {
            found.push(format!(
                "{path}:{number}: unfinished work belongs in an issue, not in a comment"
            ));
        }
    }
    found
}

/// A rule about single lines of code.
struct Rule {
    sentence: &'static str,
    breaks: fn(&str) -> bool,
    /// Beginnings of the paths where the rule does not hold.
    free: &'static [&'static str],
}

const RULES: [Rule; 4] = [
    Rule {
        sentence: "a lint is set aside with `#[expect(…, reason = \"…\")]`, which complains when it is no longer needed",
        breaks: sets_a_lint_aside,
        free: &[],
    },
    Rule {
        sentence: "unfinished code does not land",
        breaks: |line| has_word(line, "todo!") || has_word(line, "unimplemented!"),
        free: &[],
    },
    Rule {
        sentence: "SQL and its types stay in projections/; call a function of docket-projections",
        breaks: |line| has_word(line, "sqlx::") || has_word(line, "use sqlx"),
        free: &["projections/", "tests/"],
    },
    Rule {
        sentence: ".sqlx is made from the statements of projections/ alone; use `sqlx::query` and the like here",
        breaks: has_checked_statement,
        free: &["projections/"],
    },
];

fn sets_a_lint_aside(line: &str) -> bool {
    let is_attribute = line.contains("#[") || line.contains("#![");
    is_attribute && (has_word(line, "allow(") || has_word(line, "allow ("))
}

fn has_checked_statement(line: &str) -> bool {
    [
        "query!",
        "query_as!",
        "query_scalar!",
        "query_file!",
        "query_file_as!",
        "query_file_scalar!",
        "query_unchecked!",
        "query_as_unchecked!",
        "query_scalar_unchecked!",
    ]
    .iter()
    .any(|name| has_word(line, name))
}

/// Whether `line` has `word` where it is not the end of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

#[test]
fn the_tree_keeps_the_rules() {
    let files = files_with_extension("rs");
    for folder in ["domain/", "projections/", "api/", "tests/"] {
        assert!(
            files.iter().any(|file| file.path.starts_with(folder)),
            "no source in {folder}"
        );
    }
    assert_none(&files.iter().flat_map(breaches).collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches_in(path: &str, text: &str) -> usize {
        let file = TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        breaches(&file).len()
    }

    #[test]
    fn each_rule_is_noticed() {
        for text in [
            "#[allow(dead_code)]",
            "#![allow(clippy::all)]",
            "#[cfg_attr(test, allow(dead_code))]",
            "fn f() { todo!() }",
            "fn f() { unimplemented!(\"later\") }",
            "// TODO: the rest",
            "/* FIXME */",
            "use sqlx::PgPool;",
            "use sqlx;",
            "let x = ::sqlx::query(s);",
            "let x = query_as!(Row, s);",
        ] {
            assert_eq!(breaches_in("api/src/x.rs", text), 1, "{text}");
        }
        assert_eq!(breaches_in("api/src/x/mod.rs", ""), 1);
        assert_eq!(breaches_in("tests/x/main.rs", "sqlx::query!(s)"), 1);
    }

    #[test]
    fn what_only_looks_alike_is_left_alone() {
        for text in [
            "#[expect(dead_code, reason = \"…\")]",
            "limiter.allow(1)",
            "// sqlx::query! is used in projections/; no `todo!()`",
            "let s = \"#[allow(dead_code)] TODO\";",
            "mysqlx::connect()",
            "// TODOS are no concern",
        ] {
            let expected = usize::from(text.contains("TODOS"));
            assert_eq!(breaches_in("api/src/x.rs", text), expected, "{text}");
        }
        assert_eq!(breaches_in("projections/src/x.rs", "sqlx::query!(s)"), 0);
        assert_eq!(breaches_in("tests/x/main.rs", "sqlx::query(s)"), 0);
    }
}
