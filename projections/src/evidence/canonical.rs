//! Canonical JSON: one spelling for one value.
//!
//! The form is RFC 8785 (JCS): no white space, members by the UTF-16 code units of their names, strings with the fewest escapes,
//! numbers as ECMAScript writes them. One thing is added. RFC 8785 takes every number for a double. The log keeps numbers of any
//! length as they were sent, and two of them can be one double. A number that is not exactly what its double is written as keeps
//! its own digits, so that a changed digit changes the hash.
//!
//! Why no crate does it: `serde_jcs` rounds numbers to doubles, and refuses those beyond their range.

use std::borrow::Cow;

/// The text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON at byte {0}")]
pub struct NotJson(usize);

/// A value that is not at its end yet. Its members stand in the output from `start` on.
enum Open {
    Array {
        is_empty: bool,
    },
    Object {
        start: usize,
        /// Names, and where each member begins in the output.
        members: Vec<(String, usize)>,
    },
}

/// Writes `json` in its canonical form.
///
/// # Errors
///
/// [`NotJson`]. Text that the database gives as `jsonb` is never refused.
pub fn canonical(json: &str) -> Result<String, NotJson> {
    let mut out = String::with_capacity(json.len());
    write(json, &mut out)?;
    Ok(out)
}

/// Appends `json` in its canonical form to `out`.
///
/// # Errors
///
/// [`NotJson`].
pub fn write(json: &str, out: &mut String) -> Result<(), NotJson> {
    let mut reader = Reader { json, at: 0 };
    // A stack of its own: JSON in the log can be nested deeper than a thread's stack.
    let mut open: Vec<Open> = Vec::new();
    loop {
        let mut is_complete = reader.value(&mut open, out)?;
        // What follows a value: the ends of what it stands in, or its next sibling.
        loop {
            let Some(inner) = open.last_mut() else {
                return if reader.peek().is_none() {
                    Ok(())
                } else {
                    Err(reader.wrong())
                };
            };
            match inner {
                Open::Array { is_empty } => match reader.next()? {
                    b']' if is_complete || *is_empty => {
                        out.push(']');
                        open.pop();
                    }
                    b',' if is_complete => {
                        out.push(',');
                        break;
                    }
                    _ if *is_empty && !is_complete => {
                        reader.at -= 1;
                        *is_empty = false;
                        break;
                    }
                    _ => return Err(reader.wrong()),
                },
                Open::Object { start, members } => match reader.next()? {
                    b'}' if is_complete || members.is_empty() => {
                        let (start, members) = (*start, std::mem::take(members));
                        sort(out, start, members);
                        open.pop();
                    }
                    b',' if is_complete => {
                        reader.expect(b'"')?;
                        reader.name(members, out)?;
                        break;
                    }
                    b'"' if members.is_empty() => {
                        reader.name(members, out)?;
                        break;
                    }
                    _ => return Err(reader.wrong()),
                },
            }
            is_complete = true;
        }
    }
}

/// Puts the members of an object, which stand behind each other from `start` on, in order and between braces.
fn sort(out: &mut String, start: usize, mut members: Vec<(String, usize)>) {
    let ends: Vec<usize> = members
        .iter()
        .skip(1)
        .map(|(_, begin)| *begin)
        .chain([out.len()])
        .collect();
    let mut spans: Vec<(String, usize, usize)> = members
        .drain(..)
        .zip(ends)
        .map(|((name, begin), end)| (name, begin, end))
        .collect();
    spans.sort_by(|(a, ..), (b, ..)| a.encode_utf16().cmp(b.encode_utf16()));
    let mut sorted = String::with_capacity(out.len() - start + spans.len() + 2);
    sorted.push('{');
    for (place, (_, begin, end)) in spans.iter().enumerate() {
        if place > 0 {
            sorted.push(',');
        }
        sorted.push_str(&out[*begin..*end]);
    }
    sorted.push('}');
    out.truncate(start);
    out.push_str(&sorted);
}

struct Reader<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    const fn wrong(&self) -> NotJson {
        NotJson(self.at)
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.json.as_bytes()[self.at..];
        let blanks = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
        self.at += blanks;
        rest.get(blanks).copied()
    }

    fn next(&mut self) -> Result<u8, NotJson> {
        let byte = self.peek().ok_or_else(|| self.wrong())?;
        self.at += 1;
        Ok(byte)
    }

    fn expect(&mut self, wanted: u8) -> Result<(), NotJson> {
        if self.next()? == wanted {
            Ok(())
        } else {
            Err(self.wrong())
        }
    }

    /// Reads a value, or the beginning of one that holds others; says whether it was read whole.
    fn value(&mut self, open: &mut Vec<Open>, out: &mut String) -> Result<bool, NotJson> {
        match self.next()? {
            b'{' => {
                open.push(Open::Object {
                    start: out.len(),
                    members: Vec::new(),
                });
                return Ok(false);
            }
            b'[' => {
                out.push('[');
                open.push(Open::Array { is_empty: true });
                return Ok(false);
            }
            b'"' => {
                let (spelling, _) = self.string()?;
                out.push_str(&spelling);
            }
            b't' => self.word("true", out)?,
            b'f' => self.word("false", out)?,
            b'n' => self.word("null", out)?,
            b'-' | b'0'..=b'9' => {
                self.at -= 1;
                let rest = &self.json[self.at..];
                let length = rest
                    .bytes()
                    .take_while(|byte| {
                        matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
                    })
                    .count();
                let digits = &rest[..length];
                out.push_str(&number(digits).ok_or_else(|| self.wrong())?);
                self.at += length;
            }
            _ => return Err(self.wrong()),
        }
        Ok(true)
    }

    fn word(&mut self, word: &str, out: &mut String) -> Result<(), NotJson> {
        self.at -= 1;
        if !self.json[self.at..].starts_with(word) {
            return Err(self.wrong());
        }
        self.at += word.len();
        out.push_str(word);
        Ok(())
    }

    /// Reads a member's name, behind its quotation mark, and the colon.
    fn name(
        &mut self,
        members: &mut Vec<(String, usize)>,
        out: &mut String,
    ) -> Result<(), NotJson> {
        let begin = out.len();
        let (spelling, name) = self.string()?;
        out.push_str(&spelling);
        out.push(':');
        members.push((name.into_owned(), begin));
        self.expect(b':')
    }

    /// Reads a string behind its quotation mark: its canonical spelling, and what it says.
    fn string(&mut self) -> Result<(Cow<'a, str>, Cow<'a, str>), NotJson> {
        let begin = self.at;
        let bytes = self.json.as_bytes();
        let mut has_escapes = false;
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += 2;
                }
                Some(0..=0x1f) | None => return Err(self.wrong()),
                Some(_) => self.at += 1,
            }
        }
        let quoted = self.json.get(begin - 1..=self.at).ok_or(NotJson(begin))?;
        self.at += 1;
        if !has_escapes {
            return Ok((quoted.into(), quoted[1..quoted.len() - 1].into()));
        }
        let said: String = serde_json::from_str(quoted).map_err(|_| NotJson(begin))?;
        // serde_json escapes what RFC 8785 escapes, in the same way.
        let spelling = serde_json::to_string(&said).map_err(|_| NotJson(begin))?;
        Ok((spelling.into(), said.into()))
    }
}

/// A number's canonical spelling; `None` where it is none.
fn number(digits: &str) -> Option<Cow<'_, str>> {
    // So many digits are exact in a double, and no exponent is written.
    let is_short = digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_short && (digits.len() == 1 || !digits.starts_with('0')) {
        return Some(digits.into());
    }
    let given = Decimal::read(digits)?;
    let double: f64 = digits.parse().ok()?;
    if double.is_finite() {
        let mut buffer = ryu_js::Buffer::new();
        let spelling = buffer.format_finite(double);
        if Decimal::read(spelling)? == given {
            return Some(spelling.to_owned().into());
        }
    }
    Some(given.plain().into())
}

/// A number by its digits: `digits` without zeros at the ends, times ten to the power of `exponent`.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn read(text: &str) -> Option<Self> {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || !is_digits(whole)
            || !is_digits(part)
            || (part.is_empty() && mantissa.contains('.'))
            || (whole.len() > 1 && whole.starts_with('0'))
        {
            return None;
        }
        let all = format!("{whole}{part}");
        let digits = all.trim_start_matches('0').trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self {
                is_negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        let zeros = all.len() - all.trim_end_matches('0').len();
        let shift = i64::try_from(zeros).ok()? - i64::try_from(part.len()).ok()?;
        Some(Self {
            is_negative,
            digits: digits.to_owned(),
            exponent: exponent.checked_add(shift)?,
        })
    }

    /// The digits and an exponent; a few zeros are written out instead.
    fn plain(&self) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        match self.exponent {
            0..=20 => {
                let zeros = "0".repeat(usize::try_from(self.exponent).unwrap_or_default());
                format!("{sign}{}{zeros}", self.digits)
            }
            exponent => format!("{sign}{}e{exponent}", self.digits),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is(json: &str, expected: &str) {
        assert_eq!(canonical(json).as_deref(), Ok(expected), "{json}");
    }

    #[test]
    fn the_examples_of_the_rfc() {
        is(
            r#"{
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }"#,
            // The first of its numbers is no double, and keeps its digits.
            "{\"literals\":[null,true,false],\"numbers\":[33333333333333329e-8,1e+30,4.5,0.002,1e-27],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
        );
        is(
            "{\"\\u20ac\": \"Euro Sign\", \"\\r\": \"Carriage Return\", \"\\ufb33\": \"Hebrew Letter Dalet With Dagesh\",
              \"1\": \"One\", \"\\ud83d\\ude00\": \"Emoji: Grinning Face\", \"\\u0080\": \"Control\",
              \"\\u00f6\": \"Latin Small Letter O With Diaeresis\"}",
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\
             \"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
        );
    }

    #[test]
    fn numbers_have_one_spelling_and_keep_every_digit() {
        for (given, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("1.0", "1"),
            ("100", "100"),
            ("1e21", "1e+21"),
            ("1000000000000000000000", "1e+21"),
            ("9007199254740992", "9007199254740992"),
            ("9007199254740993", "9007199254740993"),
            ("12345678901234567890", "12345678901234567890"),
            ("0.1", "0.1"),
            ("0.10000000000000000001", "10000000000000000001e-20"),
            ("5e-324", "5e-324"),
            ("1e400", "1e400"),
            ("-1.5e400", "-15e399"),
            ("1e-400", "1e-400"),
        ] {
            is(given, expected);
        }
    }

    #[test]
    fn nested_and_empty_values() {
        is(r" [ ] ", "[]");
        is(
            r#"{"b": {}, "a": [{}, [], {"d": 1, "c": [2, 3]}]}"#,
            r#"{"a":[{},[],{"c":[2,3],"d":1}],"b":{}}"#,
        );
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        is(&deep, &deep);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for wrong in [
            "",
            "{",
            "[1",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "tru",
            "1 2",
            "01",
            "1.",
            "-",
            "\"",
            "\"\\x\"",
            "\"\u{1}\"",
            "[1}",
            "{\"a\":1]",
            "[1 2]",
            "\"\\\"",
        ] {
            assert!(canonical(wrong).is_err(), "{wrong:?}");
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            ".*".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::btree_map(".*", inner, 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_canonical_form_says_the_same_and_is_its_own(value in value()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let once = canonical(&pretty).unwrap();
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&once).unwrap(), &value);
            prop_assert_eq!(canonical(&once).unwrap(), once);
        }

        #[test]
        fn doubles_are_written_as_ecmascript_does(double in any::<f64>().prop_filter("finite", |double| double.is_finite())) {
            let expected = ryu_js::Buffer::new().format_finite(double).to_owned();
            prop_assert_eq!(canonical(&expected).unwrap(), expected);
        }
    }
}
