//! Bytes into text that the reader of JSON and the database can take.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Length of `\uFFFD`, in bytes.
const ESCAPE_BYTES: usize = r"\uFFFD".len();

/// The body as text: UTF-8, or UTF-16 where its first bytes say so. A byte order mark is skipped, and bytes that are no text become
/// U+FFFD. Half of a surrogate pair, written as an escape (a long SMS cut inside an emoji), becomes U+FFFD too.
pub(super) fn text(body: &[u8]) -> Cow<'_, str> {
    let text = match body {
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes).into(),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes).into(),
        // Without a mark, the first character tells: JSON begins with an ASCII character.
        [b'{', 0, ..] => utf16(body, u16::from_le_bytes).into(),
        [0, b'{', ..] => utf16(body, u16::from_be_bytes).into(),
        _ => String::from_utf8_lossy(body),
    };
    match with_whole_surrogates(&text) {
        Some(mended) => Cow::Owned(mended),
        None => text,
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (units, rest) = bytes.as_chunks::<2>();
    let cut = (!rest.is_empty()).then_some(char::REPLACEMENT_CHARACTER);
    char::decode_utf16(units.iter().copied().map(unit))
        .map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER))
        .chain(cut)
        .collect()
}

/// Replaces each `\uD8xx` or `\uDCxx` that is not part of a pair by `\uFFFD`; none if there is nothing to replace. In JSON a
/// backslash stands nowhere but in strings.
fn with_whole_surrogates(body: &str) -> Option<String> {
    let bytes = body.as_bytes();
    let unit_at = |position: usize| -> Option<u16> {
        let digits = bytes
            .get(position..position + ESCAPE_BYTES)?
            .strip_prefix(br"\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut mended = None;
    let mut position = 0;
    while let Some(step) = bytes
        .get(position..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\\'))
    {
        position += step;
        position += match unit_at(position) {
            Some(0xD800..=0xDBFF)
                if matches!(unit_at(position + ESCAPE_BYTES), Some(0xDC00..=0xDFFF)) =>
            {
                2 * ESCAPE_BYTES
            }
            Some(0xD800..=0xDFFF) => {
                let target: &mut String = mended.get_or_insert_with(|| body.to_owned());
                target.replace_range(position..position + ESCAPE_BYTES, r"\uFFFD");
                ESCAPE_BYTES
            }
            Some(_) => ESCAPE_BYTES,
            None => 2,
        };
    }
    mended
}

/// Mends strings that JSON does not allow, for a body that could not be read as it is: a control character in a string is escaped,
/// and so is a backslash that escapes nothing. None where there is nothing to mend.
pub(super) fn with_whole_strings(body: &str) -> Option<String> {
    let mut mended = String::with_capacity(body.len() + 16);
    let mut in_string = false;
    let mut chars = body.char_indices();
    while let Some((start, c)) = chars.next() {
        match c {
            '"' => {
                in_string = !in_string;
                mended.push(c);
            }
            '\\' if in_string => {
                if let Some(length) = escape_length(&body[start..]) {
                    mended.push_str(&body[start..start + length]);
                    // Every character of an escape is one byte.
                    chars.nth(length - 2);
                } else {
                    mended.push_str(r"\\");
                }
            }
            c if in_string && u32::from(c) < 0x20 => {
                // Writing to a string cannot fail.
                let _ = write!(mended, "\\u{:04x}", u32::from(c));
            }
            c => mended.push(c),
        }
    }
    (mended != body).then_some(mended)
}

/// How long the escape is that the text begins with, in bytes; none where it is no escape of JSON's.
fn escape_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' if bytes.get(2..6)?.iter().all(u8::is_ascii_hexdigit) => Some(ESCAPE_BYTES),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text_whatever_they_are() {
        let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(bytes).collect()
        };
        let both = |first: &[u8], rest: Vec<u8>| [first, &rest].concat();
        for (body, expected) in [
            (b"{}".to_vec(), "{}"),
            (b"\xef\xbb\xbf{}".to_vec(), "{}"),
            (b"{\"a\":\"caf\xe9\"}".to_vec(), "{\"a\":\"caf\u{fffd}\"}"),
            (b"\xff".to_vec(), "\u{fffd}"),
            (both(b"\xff\xfe", utf16("{é😀}", u16::to_le_bytes)), "{é😀}"),
            (both(b"\xfe\xff", utf16("{é😀}", u16::to_be_bytes)), "{é😀}"),
            (utf16("{é}", u16::to_le_bytes), "{é}"),
            (utf16("{é}", u16::to_be_bytes), "{é}"),
            (b"\xff\xfe{\0\x00\xd8}".to_vec(), "{\u{fffd}\u{fffd}"),
            (
                br#""\ud83d\ude00 \ud83d""#.to_vec(),
                r#""\ud83d\ude00 \uFFFD""#,
            ),
            (vec![], ""),
        ] {
            assert_eq!(text(&body), expected, "{body:02x?}");
        }
    }

    #[test]
    fn strings_are_mended_and_nothing_else() {
        for (body, expected) in [
            (
                "{\"a\":\"one\ntwo\t\0\"}",
                Some(r#"{"a":"one\u000atwo\u0009\u0000"}"#),
            ),
            (
                r#"{"a":"it\'s \x41 \u00zz"}"#,
                Some(r#"{"a":"it\\'s \\x41 \\u00zz"}"#),
            ),
            (r#"{"a":"\"\\\/\b\f\n\r\t\u00e9"}"#, None),
            ("{\n\t\"a\" : 1 }", None),
            (r#""end\"#, Some(r#""end\\"#)),
            ("", None),
        ] {
            assert_eq!(with_whole_strings(body).as_deref(), expected, "{body:?}");
        }
    }
}
