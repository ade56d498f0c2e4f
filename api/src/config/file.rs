//! The settings file: lines `NAME=value`.
//!
//! A value is literal to the end of its line: `$`, `#`, quotes and backslashes stand for
//! themselves. Lines that are empty or begin with `#` say nothing. A line that cannot be read is
//! told by its number and never shown, since it may hold a secret.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use docket_domain::text::normalise::without_ends;
use secrecy::SecretString;

/// A line of the file.
#[derive(Debug)]
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// What stands behind the `=`.
    pub value: SecretString,
}

/// The lines of the file at `path`, by name.
///
/// # Errors
///
/// A sentence for each line that cannot be read, or one for the file.
pub fn read(path: &Path) -> Result<BTreeMap<String, Line>, Vec<String>> {
    let about = format!("DOCKET_CONFIG: the file {}", path.display());
    let bytes =
        std::fs::read(path).map_err(|error| vec![format!("{about} {}", cannot_read(&error))])?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| vec![format!("{about} is no text in UTF-8; save it as UTF-8")])?;
    parse(text).map_err(|mistakes| {
        let sentences = mistakes.into_iter();
        sentences
            .map(|sentence| format!("{about}, {sentence}"))
            .collect()
    })
}

/// Why a file cannot be read, behind its name, with the remedy.
pub fn cannot_read(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "does not exist; correct its path".to_owned(),
        ErrorKind::PermissionDenied => {
            "may not be read by the user that Docket runs as; give that user the right to read it"
                .to_owned()
        }
        ErrorKind::IsADirectory => "is a folder; name the file inside it".to_owned(),
        _ => format!("cannot be read ({error})"),
    }
}

/// The lines of a file, by name; or sentences that name lines by their number.
fn parse(text: &str) -> Result<BTreeMap<String, Line>, Vec<String>> {
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    let mut mistakes = vec![];
    let text = text.trim_start_matches('\u{feff}');
    for (number, line) in (1..).zip(text.lines()) {
        if without_ends(line).is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            mistakes.push(format!("line {number}: it has no =; a line is NAME=value"));
            continue;
        };
        let name = without_ends(name);
        let name = name.strip_prefix("export ").map_or(name, str::trim_start);
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            mistakes.push(format!(
                "line {number}: before the = stands no name of letters, digits and _; a line is NAME=value"
            ));
            continue;
        }
        if let Some(earlier) = lines.get(name) {
            mistakes.push(format!(
                "line {number}: {name} stands in line {} already; keep one of them",
                earlier.number
            ));
            continue;
        }
        let line = Line {
            number,
            value: value.to_owned().into(),
        };
        lines.insert(name.to_owned(), line);
    }
    if mistakes.is_empty() {
        Ok(lines)
    } else {
        Err(mistakes)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_value_is_literal_to_the_end_of_its_line() {
        for (line, name, value) in [
            ("SECRET=ab$cd", "SECRET", "ab$cd"),
            ("SECRET=${HOME}", "SECRET", "${HOME}"),
            ("SECRET=a#b # no comment", "SECRET", "a#b # no comment"),
            ("SECRET=\"a b\"", "SECRET", "\"a b\""),
            ("SECRET='a'", "SECRET", "'a'"),
            ("SECRET=a\\nb", "SECRET", "a\\nb"),
            ("SECRET=a=b==", "SECRET", "a=b=="),
            ("SECRET=`id`", "SECRET", "`id`"),
            ("SECRET=", "SECRET", ""),
            ("  SECRET =x", "SECRET", "x"),
            ("export SECRET=x", "SECRET", "x"),
            ("\u{feff}SECRET=x\r\n", "SECRET", "x"),
            ("# a comment\n\n \t\nSECRET=x\n#SECRET=y", "SECRET", "x"),
        ] {
            let lines = parse(line).unwrap_or_else(|error| panic!("{line}: {error:?}"));
            assert_eq!(lines.len(), 1, "{line}");
            assert_eq!(lines[name].value.expose_secret(), value, "{line}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_told_by_its_number_alone() {
        for (text, number) in [
            ("hunter2hunter2", 1),
            ("A=1\nthis is hunter2hunter2", 2),
            ("A=1\r\n\r\nB C=hunter2hunter2", 3),
            ("=hunter2hunter2", 1),
            ("A-B=hunter2hunter2", 1),
            ("A=1\nA=hunter2hunter2", 2),
        ] {
            let mistakes = parse(text).unwrap_err();
            assert_eq!(mistakes.len(), 1, "{text}");
            assert!(
                mistakes[0].starts_with(&format!("line {number}: ")),
                "{mistakes:?}"
            );
            assert!(!mistakes[0].contains("hunter2"), "{mistakes:?}");
        }
        assert_eq!(parse("x\nA=1\ny").unwrap_err().len(), 2);
    }
}
