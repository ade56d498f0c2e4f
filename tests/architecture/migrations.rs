//! How migrations are named: `0001_what_it_does.sql`, `0002_…`, one after the other.

use std::fs;

use crate::assert_none;
use crate::tree::root;

/// The breaches in `names`, the file names of the folder in any order.
fn breaches(names: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut names = names.to_vec();
    names.sort();
    for (number, name) in (1..).zip(&names) {
        let beginning = format!("{number:04}_");
        match name.strip_prefix(&beginning) {
            None => found.push(format!(
                "migrations/{name}: {beginning}… comes here: numbers have four digits, and none is missing or there twice"
            )),
            Some(rest) if !is_described(rest) => found.push(format!(
                "migrations/{name}: after the number come words in lower case with `_` between them, and `.sql`"
            )),
            Some(_) => {}
        }
    }
    found
}

fn is_described(rest: &str) -> bool {
    rest.strip_suffix(".sql").is_some_and(|words| {
        words.split('_').all(|word| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        })
    })
}

#[test]
fn the_trees_migrations_are_in_order() {
    let names: Vec<String> = fs::read_dir(root().join("migrations"))
        .expect("the folder is part of the tree")
        .map(|entry| {
            let entry = entry.expect("a folder of the tree can be read");
            entry.file_name().to_string_lossy().into_owned()
        })
        .collect();
    assert!(!names.is_empty(), "there are no migrations");
    assert_none(&breaches(&names));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(names: &[&str]) -> usize {
        breaches(
            &names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>(),
        )
        .len()
    }

    #[test]
    fn names_in_order_are_good() {
        assert_eq!(count(&["0002_read_models.sql", "0001_log.sql"]), 0);
    }

    #[test]
    fn what_is_out_of_order_or_badly_named_is_noticed() {
        assert_eq!(count(&["0001_log.sql", "0001_other.sql"]), 1, "twice");
        assert_eq!(count(&["0001_log.sql", "0003_other.sql"]), 1, "missing");
        assert_eq!(count(&["1_log.sql"]), 1, "digits");
        assert_eq!(count(&["0001_Log.sql"]), 1, "capital");
        assert_eq!(count(&["0001_log.down.sql"]), 1, "forward only");
        assert_eq!(count(&["0001_.sql"]), 1, "no words");
        assert_eq!(count(&["README.md"]), 1, "no migration");
    }
}
