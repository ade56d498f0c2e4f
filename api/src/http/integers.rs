//! Integers as JSON Schema has them: `1.0`, `1e0` and `-0` are integers as good as `1` and `0`, and some programs write them so.
//!
//! A number that is integral is given its plain form before a body or a parameter is read; any other stays as it is, and is
//! refused with the sentence that its field has for it.

use std::borrow::Cow;

/// The most digits of an integer that any field takes; one with more stays as it is.
const MAX_DIGITS: usize = 20;

/// A JSON text with every integral number in its plain form. Strings, and what is no JSON, stay as they are.
pub(super) fn plain(json: &[u8]) -> Cow<'_, [u8]> {
    let mut plain: Vec<u8> = vec![];
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at = end_of_string(json, at),
            b'-' | b'0'..=b'9' => {
                let is_part =
                    |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let length = json[at..].iter().take_while(|byte| is_part(byte)).count();
                let end = at + length;
                let number = str::from_utf8(&json[at..end]).ok();
                if let Some(integer) = number.and_then(integer) {
                    plain.extend_from_slice(&json[copied..at]);
                    plain.extend_from_slice(integer.as_bytes());
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    plain.extend_from_slice(&json[copied..]);
    Cow::Owned(plain)
}

/// A parameter of a query that is a number, in its plain form where it is integral.
pub(super) fn plain_parameter(text: &str) -> Cow<'_, str> {
    integer(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Behind the string that begins at `at`.
fn end_of_string(json: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(byte) = json.get(end) {
        match byte {
            b'"' => return end + 1,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    json.len()
}

/// The plain form of an integral number that has another one; `None` where it is plain already, is no number of JSON's, is not
/// integral, or is larger than any field takes.
fn integer(number: &str) -> Option<String> {
    let (sign, rest) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = are_digits(whole) && (whole == "0" || !whole.starts_with('0'));
    if !is_whole || fraction.is_some_and(|fraction| !are_digits(fraction)) {
        return None;
    }
    let power = match exponent {
        Some(exponent) => {
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if !are_digits(unsigned) {
                return None;
            }
            Some(exponent)
        }
        None => None,
    };
    if power.is_none() && fraction.is_none() && !(sign == "-" && whole == "0") {
        return None;
    }
    let digits = format!("{whole}{}", fraction.unwrap_or_default());
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    // The point stands so many digits behind the last one that counts.
    let counted = significant.trim_end_matches('0');
    let power: i64 = power.map_or(Some(0), |power| power.parse().ok())?;
    let dropped = i64::try_from(significant.len() - counted.len()).ok()?;
    let behind = i64::try_from(fraction.map_or(0, str::len)).ok()?;
    let zeros = power.checked_add(dropped)?.checked_sub(behind)?;
    let zeros = usize::try_from(zeros).ok()?;
    (counted.len().checked_add(zeros)? <= MAX_DIGITS)
        .then(|| format!("{sign}{counted}{}", "0".repeat(zeros)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integral_numbers_are_integers() {
        for (number, is) in [
            ("1.0", "1"),
            ("1e0", "1"),
            ("1E+0", "1"),
            ("10e-1", "1"),
            ("1.50e1", "15"),
            ("0.5e1", "5"),
            ("0.0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0e99999999999999999999", "0"),
            ("-3.00", "-3"),
            ("100.0", "100"),
            ("12e2", "1200"),
            ("1200e-2", "12"),
            ("4294967295.0", "4294967295"),
            ("1e19", "10000000000000000000"),
        ] {
            assert_eq!(integer(number).as_deref(), Some(is), "{number}");
        }
        for other in [
            "1",
            "0",
            "-1",
            "1.5",
            "1e-1",
            "0.1e0",
            "1e400",
            "1e999999999999999999999",
            "1e-99999999999999999999",
            "01.0",
            "1.",
            ".5",
            "1e",
            "1e+",
            "--1",
            "1.0.0",
            "+1.0",
            "e1",
            "-",
            "",
            "1.0x",
            "100000000000000000000.0",
        ] {
            assert_eq!(integer(other), None, "{other}");
        }
    }

    #[test]
    fn strings_and_what_is_no_json_stay() {
        let plain = |json: &str| String::from_utf8(plain(json.as_bytes()).into_owned()).unwrap();
        assert_eq!(
            plain(r#"{"a":1.0,"b":[2e1,"3.0","\"4.0",5.5,-6.0],"1.0":7}"#),
            r#"{"a":1,"b":[20,"3.0","\"4.0",5.5,-6],"1.0":7}"#
        );
        for same in [
            r#"{"a":1,"b":-2.5}"#,
            r#""1.0"#,
            r#""\"#,
            r#"{"a":1.0.0}"#,
            "",
            "nul",
            "{",
        ] {
            assert_eq!(plain(same), same);
        }
    }

    proptest! {
        #[test]
        fn whatever_it_is_it_keeps_its_value(whole in 0_u32.., power in 0_usize..6, point in 0_usize..6) {
            let value = u64::from(whole) * 10_u64.pow(u32::try_from(power).unwrap());
            let written = format!("{whole}.{}e{power}", "0".repeat(point + 1));
            prop_assert_eq!(integer(&written), Some(value.to_string()));
            let shifted = format!("{value}{}e-{point}", "0".repeat(point));
            prop_assert_eq!(integer(&shifted), Some(value.to_string()));
        }

        #[test]
        fn a_text_is_never_broken(json in "[-0-9.eE\"\\\\{}\\[\\],:a ]{0,40}") {
            let read = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).is_ok();
            prop_assert_eq!(read(&plain(json.as_bytes())), read(json.as_bytes()));
        }
    }
}
