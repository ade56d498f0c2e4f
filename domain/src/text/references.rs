//! References in what people write: `#123` names a case, `#0` asks for a new one.
//!
//! A reference is a number sign followed by digits. Before the sign stands no letter, digit, `_`, `/`, `&` or number
//! sign; after the digits stands no letter, digit, `_`, `-` or `/`. Full-width number signs and digits (`＃１２３`) count
//! as their ASCII twins. What is found here is only what was written: whether the case exists, is open and belongs to
//! the sender is for routing to say. Every function is one pass over the text, so a hostile message costs no more
//! than its length.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::ids::Reference;

/// What a text mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Whether `#0` stands in the text.
    pub new_case: bool,
    /// The references in order of first mention, each once; `#0` is not among them.
    pub references: Vec<Reference>,
}

enum Named {
    NewCase,
    Case(Reference),
}

/// Finds the references in a text. Allocates nothing where there is none.
pub fn mentions(text: &str) -> Mentions {
    let mut found = Mentions::default();
    // A set, because looking through the list again for each of a thousand references would make the cost quadratic.
    let mut seen = BTreeSet::new();
    for (_, named) in find(text) {
        match named {
            Named::NewCase => found.new_case = true,
            Named::Case(reference) => {
                if seen.insert(reference) {
                    found.references.push(reference);
                }
            }
        }
    }
    found
}

/// The text without its references and `#0`; everything else stays, white space too. The result mentions nothing: in
/// `#12#13` the second is no reference where it stands but would become one, so it goes with the first.
pub fn strip(text: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut rest_from = 0;
    for (range, _) in find(text) {
        kept.push_str(&text[rest_from..range.start]);
        rest_from = range.end;
        while let Some((end, _)) = read(text, rest_from) {
            rest_from = end;
        }
    }
    if rest_from == 0 {
        return Cow::Borrowed(text);
    }
    kept.push_str(&text[rest_from..]);
    Cow::Owned(kept)
}

/// The text as it is sent: with ` #123` at its end. The space makes it a reference whatever the text ends with.
pub fn append(text: &str, reference: Reference) -> String {
    format!("{text} #{reference}")
}

fn find(text: &str) -> impl Iterator<Item = (Range<usize>, Named)> {
    text.match_indices(is_sign).filter_map(move |(start, _)| {
        let before = text[..start].chars().next_back();
        if before
            .is_some_and(|c| is_letter_or_digit(c) || is_sign(c) || matches!(c, '_' | '/' | '&'))
        {
            return None;
        }
        read(text, start).map(|(end, named)| (start..end, named))
    })
}

/// Reads a number sign and its digits at byte `start`, whatever stands before; gives the byte after them and what
/// they name.
fn read(text: &str, start: usize) -> Option<(usize, Named)> {
    let rest = text[start..].strip_prefix(is_sign)?;
    let after = rest.trim_start_matches(|c| digit(c).is_some());
    let digits = &rest[..rest.len() - after.len()];
    if digits.is_empty()
        || after.starts_with(|c| is_letter_or_digit(c) || matches!(c, '_' | '-' | '/'))
    {
        return None;
    }
    // Saturation keeps a number that is too large above the largest reference.
    let number = digits
        .chars()
        .filter_map(digit)
        .fold(0_u32, |number, digit| {
            number.saturating_mul(10).saturating_add(digit)
        });
    let named = if number == 0 {
        Named::NewCase
    } else {
        Named::Case(Reference::new(number)?)
    };
    Some((text.len() - after.len(), named))
}

fn is_sign(c: char) -> bool {
    matches!(c, '#' | '＃')
}

fn digit(c: char) -> Option<u32> {
    match c {
        '０'..='９' => Some(u32::from(c) - u32::from('０')),
        _ => c.to_digit(10),
    }
}

fn is_letter_or_digit(c: char) -> bool {
    c.is_alphabetic() || c.is_numeric()
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
        ] {
            assert!(numbers(text).contains(&123), "{text:?}");
            assert!(!mentions(text).new_case, "{text:?}");
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
            "½#123",
            "#12a",
            "#12é",
            "#12-34",
            "#12/34",
            "#12_",
            "# 123",
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
            "#١٢٣",
            "#12٣",
            "#1²",
            "#0x1",
            "#0-",
            "/#0",
            "#\u{202e}123",
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
            "#00",
            "＃０",
            "Hello #0.",
            "(#0)",
            "#000000000000000000000000",
        ] {
            assert_eq!(
                mentions(text),
                Mentions {
                    new_case: true,
                    references: Vec::new()
                },
                "{text:?}"
            );
        }
        let both = mentions("#101 and #0");
        assert!(both.new_case);
        assert_eq!(both.references.len(), 1);
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
        ] {
            assert_eq!(strip(text), stripped, "{text:?}");
        }
        assert!(matches!(strip("C# and 12"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_cost_grows_with_the_length_only() {
        let many = "#1 ".repeat(100_000) + &"#".repeat(100_000) + &"#2".repeat(100_000);
        assert_eq!(numbers(&many), [1]);
        let mut different = String::new();
        for number in 1..=60_000 {
            different = append(&different, Reference::new(number).expect("in bounds"));
        }
        assert_eq!(numbers(&different).len(), 60_000);
    }

    /// Texts thick with what the rules look at.
    fn awkward() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[#＃0-3０-３a_/&\\-. é٣\n]{0,40}"]
    }

    fn reference() -> impl Strategy<Value = Reference> {
        (1..=Reference::MAX).prop_map(|number| Reference::new(number).expect("in bounds"))
    }

    /// The rule word for word, one character after another, to hold the quick way against.
    fn by_the_book(text: &str) -> Mentions {
        let chars: Vec<char> = text
            .chars()
            .map(|c| match c {
                '＃' => '#',
                '０'..='９' => char::from_digit(u32::from(c) - 0xff10, 10).expect("a digit"),
                _ => c,
            })
            .collect();
        let mut found = Mentions::default();
        for (at, _) in chars.iter().enumerate().filter(|(_, c)| **c == '#') {
            let digits: String = chars[at + 1..]
                .iter()
                .take_while(|c| c.is_ascii_digit())
                .collect();
            let before_ok =
                at == 0 || !(chars[at - 1].is_alphanumeric() || "_/&#".contains(chars[at - 1]));
            let after_ok = chars
                .get(at + 1 + digits.len())
                .is_none_or(|c| !(c.is_alphanumeric() || "_-/".contains(*c)));
            if digits.is_empty() || !before_ok || !after_ok {
                continue;
            }
            if digits.chars().all(|c| c == '0') {
                found.new_case = true;
            } else if let Ok(reference) = digits.parse::<Reference>()
                && !found.references.contains(&reference)
            {
                found.references.push(reference);
            }
        }
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
                .map(|c| c.to_digit(10).map_or(c, |digit| char::from_u32(0xff10 + digit).expect("a full-width digit")))
                .collect();
            for text in [append("", reference), format!("#{reference}"), format!("#000{reference}."), wide] {
                prop_assert_eq!(mentions(&text), Mentions { new_case: false, references: vec![reference] });
            }
        }

        #[test]
        fn the_rule_is_kept_to_the_letter(text in awkward()) {
            prop_assert_eq!(mentions(&text), by_the_book(&text));
        }

        #[test]
        fn a_stripped_text_mentions_nothing(text in awkward()) {
            let stripped = strip(&text);
            prop_assert_eq!(mentions(&stripped), Mentions::default());
            prop_assert_eq!(strip(&stripped), stripped.as_ref());
        }
    }
}
