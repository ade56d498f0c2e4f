//! References in what people write: `#123` names a case, `#0` asks for a new one.
//!
//! A reference is a number sign followed by digits. Before the sign stands no letter, digit, `_`, `/`, `&` or number
//! sign; after the digits stands no letter, digit, `_`, `-` or `/`. Digits of every script count, and so do the number
//! signs `＃`, `﹟` and the keycap `#️⃣`. Invisible characters do not exist, wherever they stand. `#0` is exactly one
//! zero: `#00` and the colour `#000000` are nothing.
//!
//! One space between sign and digits makes a *spaced* reference, which counts only where it names a case of the sender:
//! `# 123`. What is found here is only what was written: whether the case exists, is open and belongs to the sender is
//! for routing to say. Every function is one pass over the text, so a hostile message costs no more than its length.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use super::normalise::{self, digit, is_invisible, is_mark};
use crate::ids::Reference;

/// What a text mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Whether `#0` stands in the text.
    pub new_case: bool,
    /// The references in order of first mention, each once; `#0` is not among them.
    pub references: Vec<Reference>,
    /// Those that are written with a space only, `# 123`. They count where they name a case of the sender, and are
    /// nothing otherwise.
    pub spaced: Vec<Reference>,
}

impl Mentions {
    /// All that may name a case of the sender: the references, then the spaced ones.
    pub fn candidates(&self) -> impl Iterator<Item = Reference> {
        self.references.iter().chain(&self.spaced).copied()
    }
}

/// How a number was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    NewCase,
    Case(Reference),
    Spaced(Reference),
}

/// Finds the references in a text. Allocates nothing where there is none.
pub fn mentions(text: &str) -> Mentions {
    let mut found = Mentions::default();
    // Sets, because looking through the list again for each of a thousand references would make the cost quadratic.
    let mut seen = BTreeSet::new();
    let mut seen_spaced = BTreeSet::new();
    for (_, named) in find(text) {
        match named {
            Named::NewCase => found.new_case = true,
            Named::Case(reference) => {
                if seen.insert(reference) {
                    found.references.push(reference);
                }
            }
            Named::Spaced(reference) => {
                if seen_spaced.insert(reference) {
                    found.spaced.push(reference);
                }
            }
        }
    }
    found.spaced.retain(|reference| !seen.contains(reference));
    found
}

/// The text without its references and `#0`; everything else stays, white space and spaced references too. The result
/// mentions nothing but those: in `#12#13` the second is no reference where it stands but would become one, so it goes
/// with the first.
pub fn strip(text: &str) -> Cow<'_, str> {
    strip_those(text, |named| !matches!(named, Named::Spaced(_)))
}

/// The text without its references, spaced ones too.
pub fn strip_spaced_too(text: &str) -> Cow<'_, str> {
    strip_those(text, |_| true)
}

fn strip_those(text: &str, goes: impl Fn(Named) -> bool) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut rest_from = 0;
    for (range, named) in find(text) {
        if !goes(named) || range.start < rest_from {
            continue;
        }
        kept.push_str(&text[rest_from..range.start]);
        rest_from = range.end;
        while let Some((end, named)) = glued(text, rest_from)
            && goes(named)
        {
            rest_from = end;
        }
    }
    if rest_from == 0 {
        return Cow::Borrowed(text);
    }
    kept.push_str(&text[rest_from..]);
    Cow::Owned(kept)
}

/// The reference at byte `start` that has nothing but marks and invisible characters before it, with the byte after it.
fn glued(text: &str, start: usize) -> Option<(usize, Named)> {
    let rest = &text[start..];
    let sign = rest.trim_start_matches(|c| is_invisible(c) || is_mark(c));
    let mut chars = Visible::new(text, start + rest.len() - sign.len());
    chars.next_if(is_sign)?;
    read(&mut chars)
}

/// The text as it is sent: with ` #123` at its end. The space makes it a reference whatever the text ends with.
pub fn append(text: &str, reference: Reference) -> String {
    format!("{text} #{reference}")
}

/// The reference that somebody typed where nothing but a reference is expected: `123`, `#123`, ` ＃１２３ `.
pub fn typed(text: &str) -> Option<Reference> {
    let text = normalise::typed(text);
    let mut chars = Visible::new(&text, 0);
    if chars.next_if(is_sign).is_some() {
        chars.next_if(|c| c == KEYCAP);
        chars.next_if(is_space);
    }
    let number = number(&mut chars)?;
    if chars.peek().is_some() {
        return None;
    }
    Reference::new(number.value)
}

fn find(text: &str) -> impl Iterator<Item = (Range<usize>, Named)> {
    let mut chars = Visible::new(text, 0);
    // The last character that is not a mark on another one: a letter with its accent is a letter.
    let mut before: Option<char> = None;
    std::iter::from_fn(move || {
        while let Some((start, c)) = chars.next() {
            let is_apart = before.is_none_or(|c| {
                !(is_letter_or_digit(c) || is_sign(c) || matches!(c, '_' | '/' | '&'))
            });
            if !is_mark(c) {
                before = Some(c);
            }
            if !is_sign(c) || !is_apart {
                continue;
            }
            let mut ahead = chars.clone();
            if let Some((end, named)) = read(&mut ahead) {
                // The digits are read once; what follows them has a digit before it.
                before = Some('0');
                chars = ahead;
                return Some((start..end, named));
            }
        }
        None
    })
}

/// Reads what follows a number sign; gives the byte after the digits and what they name.
fn read(chars: &mut Visible<'_>) -> Option<(usize, Named)> {
    chars.next_if(|c| c == KEYCAP);
    let is_spaced = chars.next_if(is_space).is_some();
    let number = number(chars)?;
    let is_apart = chars
        .peek()
        .is_none_or(|c| !(is_letter_or_digit(c) || matches!(c, '_' | '-' | '/')));
    if !is_apart {
        return None;
    }
    let named = match (number.value, number.digits, is_spaced) {
        (0, 1, false) => Named::NewCase,
        (value, _, false) => Named::Case(Reference::new(value)?),
        (value, _, true) => Named::Spaced(Reference::new(value)?),
    };
    Some((number.end, named))
}

struct Number {
    value: u32,
    digits: u64,
    /// The byte after the last digit.
    end: usize,
}

fn number(chars: &mut Visible<'_>) -> Option<Number> {
    let mut number: Option<Number> = None;
    while let Some((at, c)) = chars.next_if(|c| digit(c).is_some()) {
        let (value, digits) = number
            .as_ref()
            .map_or((0, 0), |number| (number.value, number.digits));
        let mut end = at + c.len_utf8();
        // A digit can be a keycap as the sign can.
        if let Some((at, keycap)) = chars.next_if(|c| c == KEYCAP) {
            end = at + keycap.len_utf8();
        }
        number = Some(Number {
            // Saturation keeps a number that is too large above the largest reference.
            value: value
                .saturating_mul(10)
                .saturating_add(digit(c).unwrap_or_default()),
            digits: digits + 1,
            end,
        });
    }
    number
}

/// What encloses the character before it in a key: `#️⃣` is the sign, a variation selector and this.
const KEYCAP: char = '\u{20e3}';

fn is_sign(c: char) -> bool {
    matches!(c, '#' | '＃' | '﹟')
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{202f}')
}

fn is_letter_or_digit(c: char) -> bool {
    c.is_alphabetic() || c.is_numeric()
}

/// The characters of a text that can be seen, each with its byte.
#[derive(Clone)]
struct Visible<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Visible<'a> {
    const fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        let visible = rest.trim_start_matches(is_invisible);
        self.at += rest.len() - visible.len();
        visible.chars().next()
    }

    fn next_if(&mut self, is_wanted: impl FnOnce(char) -> bool) -> Option<(usize, char)> {
        let c = self.peek().filter(|c| is_wanted(*c))?;
        let at = self.at;
        self.at += c.len_utf8();
        Some((at, c))
    }

    fn next(&mut self) -> Option<(usize, char)> {
        self.next_if(|_| true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(text: &str) -> Vec<u32> {
        mentions(text)
            .references
            .into_iter()
            .map(Reference::get)
            .collect()
    }

    fn reference_of(number: u32) -> Reference {
        Reference::new(number).expect("in bounds")
    }

    #[test]
    fn these_are_references() {
        for text in [
            "#123",
            "#123.",
            "(#123)",
            "#123,",
            "#00123",
            "Re:#123",
            "#123\nthank you",
            "#123\r\n",
            "＃１２３",
            "#１２３",
            "＃123",
            "#1２3",
            "hello #123",
            "\"#123\"",
            "[#123]",
            "#123!",
            "#123?",
            "#123:",
            "#123;",
            "#123'",
            "-#123",
            "#123…",
            "、#123。",
            "👍#123👍",
            "\u{feff}#123",
            "#12#123x #123",
            "#99999999999 #123",
            "# #123",
            "#x #123",
            "#123 &#39;",
            "@#123",
            "\t#123\t",
            "#00000000000000000000000000000000000000123",
            "#١٢٣",
            "#۱۲۳",
            "#१२३",
            "#๑๒๓",
            "#1٢३",
            "﹟123",
            "#\u{fe0f}\u{20e3}123",
            "#\u{20e3}123",
            "#\u{fe0f}\u{20e3}1\u{fe0f}\u{20e3}2\u{fe0f}\u{20e3}3\u{fe0f}\u{20e3}",
            "#\u{200d}123",
            "#1\u{200b}2\u{2060}3",
            "\u{200b}#\u{feff}1\u{ad}23\u{200e}",
            "#\u{202e}123\u{202c}",
            "\u{2066}#123\u{2069}",
            "a \u{200b}#123",
            "#123\u{200b} a",
            "#123\u{e0101}",
        ] {
            assert!(numbers(text).contains(&123), "{text:?}");
            assert!(!mentions(text).new_case, "{text:?}");
            assert!(
                !mentions(&strip(text))
                    .references
                    .contains(&reference_of(123))
            );
        }
    }

    #[test]
    fn these_are_not() {
        for text in [
            "",
            "#",
            "123",
            "abc#123",
            "é#123",
            "1#123",
            "٣#123",
            "e\u{301}#123",
            "é\u{200b}#123",
            "abc\u{200b}#123",
            "abc\u{200d}\u{fe0f}#123",
            "1\u{fe0f}\u{20e3}#123",
            "&\u{200b}#39;",
            "#\u{200b}#12",
            "#\u{fe0f}\u{20e3}#12",
            "#12\u{200b}a",
            "#12\u{200b}-34",
            "#00",
            "#000000",
            "#٠٠",
            "＃００",
            "#0\u{200b}0",
            "#000000000000000000000000",
            "#  123",
            "#\n123",
            "#\t123",
            "# 0",
            "# 00",
            "# 123a",
            "a# 123",
            "# 12-34",
            "½#123",
            "#12a",
            "#12é",
            "#12-34",
            "#12/34",
            "#12_",
            "##12",
            "#＃12",
            "＃#12",
            "&#39;",
            "_#12",
            "https://example.com/page/#12",
            "https://example.com/page#12",
            "#2147483648",
            "#4294967296",
            "#5000000000",
            "#18446744073709551617",
            "#99999999999999999999999999999999999999999",
            "#-1",
            "#+1",
            "#1²",
            "#0x1",
            "#0-",
            "/#0",
            "nothing here",
            "日本#123",
        ] {
            assert_eq!(mentions(text), Mentions::default(), "{text:?}");
            assert_eq!(strip(text), text);
        }
    }

    #[test]
    fn zero_asks_for_a_new_case() {
        for text in [
            "#0",
            "＃０",
            "#٠",
            "#०",
            "#\u{fe0f}\u{20e3}0",
            "#\u{200d}0",
            "Hello #0.",
            "(#0)",
        ] {
            assert_eq!(
                mentions(text),
                Mentions {
                    new_case: true,
                    ..Mentions::default()
                },
                "{text:?}"
            );
        }
        let both = mentions("#101 and #0");
        assert!(both.new_case);
        assert_eq!(both.references.len(), 1);
    }

    #[test]
    fn a_space_makes_a_reference_that_counts_only_for_its_contact() {
        for text in [
            "# 123",
            "#\u{a0}123",
            "#\u{202f}123",
            "＃ １２３",
            "#\u{fe0f}\u{20e3} 123",
            "see # 123.",
            "#\u{200b} \u{200b}123",
            "# ١٢٣",
            "(# 00123)",
        ] {
            let found = mentions(text);
            assert_eq!(found.spaced, [reference_of(123)], "{text:?}");
            assert!(found.references.is_empty() && !found.new_case, "{text:?}");
            assert_eq!(strip(text), text);
            assert_eq!(mentions(&strip_spaced_too(text)), Mentions::default());
        }
        let both = mentions("# 123 #101 # 124 #123");
        assert_eq!(both.references, [101, 123].map(reference_of));
        assert_eq!(both.spaced, [reference_of(124)], "#123 stands there too");
        assert_eq!(
            both.candidates().collect::<Vec<_>>(),
            [101, 123, 124].map(reference_of)
        );
        assert_eq!(strip_spaced_too("STOP # 123"), "STOP ");
    }

    #[test]
    fn a_typed_reference_is_read_in_every_spelling() {
        for text in [
            "123",
            "#123",
            " #123 ",
            "# 123",
            "＃１２３",
            "\u{202a}#123\u{202c}",
            "١٢٣",
            "#\u{fe0f}\u{20e3}123",
            "00123",
            "1\u{200b}23",
        ] {
            assert_eq!(typed(text), Some(reference_of(123)), "{text:?}");
        }
        for text in [
            "",
            "#",
            "0",
            "#0",
            "##123",
            "#123a",
            "12 3",
            "-123",
            "123.",
            "2147483648",
            "#123 #124",
        ] {
            assert_eq!(typed(text), None, "{text:?}");
        }
    }

    #[test]
    fn first_mention_orders_and_repeats_are_dropped() {
        assert_eq!(
            numbers("#300, #101 and ＃３００, #0101 #205"),
            [300, 101, 205]
        );
        assert_eq!(
            numbers("#12#13"),
            [12],
            "a digit stands before the second sign"
        );
        assert_eq!(numbers("#2147483647"), [Reference::MAX]);
    }

    #[test]
    fn stripping_leaves_the_rest() {
        for (text, stripped) in [
            ("#123 hello", " hello"),
            ("Hello #0", "Hello "),
            ("a (#123), b", "a (), b"),
            ("＃１２３です", "＃１２３です"),
            ("＃１２３ です", " です"),
            ("#12 #13 #12-3", "  #12-3"),
            ("#12#13#0 x", " x"),
            ("#12#13x", "#13x"),
            ("#12##13", "##13"),
            ("a #\u{200d}101\u{200b} b", "a \u{200b} b"),
            ("#12\u{200b}#13 x", " x"),
            ("#١٢ x", " x"),
            ("#\u{fe0f}\u{20e3}101 roof", " roof"),
            ("# 123 roof", "# 123 roof"),
            ("#000000 is black", "#000000 is black"),
        ] {
            assert_eq!(strip(text), stripped, "{text:?}");
        }
        assert!(matches!(strip("C# and 12"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_cost_grows_with_the_length_only() {
        let many = "#1 ".repeat(100_000) + &"#".repeat(100_000) + &"#2".repeat(100_000);
        assert_eq!(numbers(&many), [1]);
        let hidden = "#\u{200b}".repeat(100_000) + &"\u{200d}#1".repeat(100_000);
        assert_eq!(numbers(&hidden), Vec::<u32>::new());
        assert_eq!(numbers(&"# 1\u{301}".repeat(100_000)), Vec::<u32>::new());
        let mut different = String::new();
        for number in 1..=60_000 {
            different = append(&different, Reference::new(number).expect("in bounds"));
        }
        assert_eq!(numbers(&different).len(), 60_000);
    }

    /// Texts thick with what the rules look at.
    fn awkward() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[#＃﹟0-3０-３a_/&\\-. é٣\n]{0,40}",
            "[#0-2a\u{200b}\u{fe0f}\u{20e3}\u{301} \u{a0}١-]{0,30}",
        ]
    }

    fn reference() -> impl Strategy<Value = Reference> {
        (1..=Reference::MAX).prop_map(|number| Reference::new(number).expect("in bounds"))
    }

    /// The rule word for word, one character after another, to hold the quick way against.
    fn by_the_book(text: &str) -> Mentions {
        let chars: Vec<char> = text
            .chars()
            .filter(|c| !is_invisible(*c))
            .map(|c| match c {
                '＃' | '﹟' => '#',
                _ => digit(c).map_or(c, |value| char::from_digit(value, 10).expect("a digit")),
            })
            .collect();
        let mut found = Mentions::default();
        for (at, _) in chars.iter().enumerate().filter(|(_, c)| **c == '#') {
            let before = chars[..at].iter().rev().find(|c| !is_mark(**c));
            let before_ok = before.is_none_or(|c| !(c.is_alphanumeric() || "_/&#".contains(*c)));
            let is = |at: usize, wanted: &[char]| chars.get(at).is_some_and(|c| wanted.contains(c));
            let mut at = at + 1 + usize::from(is(at + 1, &['\u{20e3}']));
            let spaced = is(at, &[' ', '\u{a0}', '\u{202f}']);
            at += usize::from(spaced);
            let mut digits = String::new();
            while let Some(digit) = chars.get(at).filter(|c| c.is_ascii_digit()) {
                digits.push(*digit);
                at += 1 + usize::from(is(at + 1, &['\u{20e3}']));
            }
            let after_ok = chars
                .get(at)
                .is_none_or(|c| !(c.is_alphanumeric() || "_-/".contains(*c)));
            if digits.is_empty() || !before_ok || !after_ok {
                continue;
            }
            if digits == "0" && !spaced {
                found.new_case = true;
            } else if let Ok(reference) = digits.parse::<Reference>() {
                let named = if spaced {
                    &mut found.spaced
                } else {
                    &mut found.references
                };
                if !named.contains(&reference) {
                    named.push(reference);
                }
            }
        }
        let Mentions {
            references, spaced, ..
        } = &mut found;
        spaced.retain(|reference| !references.contains(reference));
        found
    }

    proptest! {
        #[test]
        fn what_is_appended_is_found(text in awkward(), reference in reference()) {
            let sent = append(&text, reference);
            let (before, after) = (mentions(&text), mentions(&sent));
            prop_assert!(sent.starts_with(&text));
            prop_assert!(after.references.contains(&reference));
            // Appending changes nothing about what the text said before.
            prop_assert_eq!(before.new_case, after.new_case);
            prop_assert!(after.references.starts_with(&before.references));
        }

        #[test]
        fn every_reference_round_trips(reference in reference()) {
            let wide: String = format!("＃{reference}")
                .chars()
                .map(|c| c.to_digit(10).map_or(c, |value| char::from_u32(0xff10 + value).expect("a full-width digit")))
                .collect();
            for text in [append("", reference), format!("#{reference}"), format!("#000{reference}."), wide] {
                prop_assert_eq!(
                    mentions(&text),
                    Mentions { references: vec![reference], ..Mentions::default() }
                );
            }
        }

        #[test]
        fn the_rule_is_kept_to_the_letter(text in awkward()) {
            prop_assert_eq!(mentions(&text), by_the_book(&text));
        }

        #[test]
        fn a_stripped_text_mentions_nothing(text in awkward()) {
            let stripped = strip(&text);
            let left = mentions(&stripped);
            prop_assert!(!left.new_case && left.references.is_empty(), "{stripped:?}");
            prop_assert_eq!(strip(&stripped), stripped.as_ref());
            prop_assert_eq!(mentions(&strip_spaced_too(&text)), Mentions::default());
        }
    }
}
