//! Tables as CSV (RFC 4180), of which no cell becomes a formula in a spreadsheet.

/// Writes a row.
pub(super) fn row(text: &mut String, cells: &[&str]) {
    for (n, content) in cells.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        cell(text, content);
    }
    text.push_str("\r\n");
}

/// Writes a cell. Spreadsheets take a cell that begins with one of these characters for a formula, in quotes or not; an apostrophe
/// before it makes it text.
fn cell(text: &mut String, content: &str) {
    let is_formula =
        content.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let is_quoted = content.contains(['"', ',', '\r', '\n']) || content.trim() != content;
    if is_quoted {
        text.push('"');
    }
    if is_formula {
        text.push('\'');
    }
    if is_quoted {
        text.push_str(&content.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: &str) -> String {
        let mut text = String::new();
        cell(&mut text, content);
        text
    }

    #[test]
    fn no_cell_becomes_a_formula() {
        for (content, expected) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "\"'\tx\""),
            ("\r=1", "\"'\r=1\""),
            ("\n=1", "\"'\n=1\""),
            ("＝1", "'＝1"),
            (
                "=HYPERLINK(\"https://example.com\",\"x\")",
                "\"'=HYPERLINK(\"\"https://example.com\"\",\"\"x\"\")\"",
            ),
        ] {
            assert_eq!(written(content), expected, "{content:?}");
        }
        // What only holds such a character is text as it is.
        for content in ["1-2", "a@example.com", "", "'quoted'"] {
            assert_eq!(written(content), content);
        }
    }

    #[test]
    fn quotes_commas_and_breaks_are_quoted() {
        assert_eq!(written("a,b"), "\"a,b\"");
        assert_eq!(written("a\"b"), "\"a\"\"b\"");
        assert_eq!(written("a\r\nb"), "\"a\r\nb\"");
        assert_eq!(written(" a"), "\" a\"");
        let mut text = String::new();
        row(&mut text, &["one", "two, three", "=4"]);
        assert_eq!(text, "one,\"two, three\",'=4\r\n");
    }
}
