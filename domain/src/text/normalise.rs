//! The one normal form of what people type or paste: at the console, in the API, at the command line and in the
//! configuration.
//!
//! White space and invisible characters at the ends go, and Unicode is composed (NFC). Inside a text nothing is
//! removed: emoji need their joiners and several scripts theirs. What a contact sent is not typed here and stays as it
//! came; passwords are composed and keep their ends.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfd};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// What somebody typed, in its normal form. Empty where nothing visible was typed.
pub fn typed(text: &str) -> Cow<'_, str> {
    let mut bare = text.trim_matches(is_end);
    // A variation selector or a tag at the end belongs to the emoji before it. Anywhere else it has no effect.
    while let Some(last) = bare.chars().next_back()
        && belongs_to_an_emoji(last)
    {
        let shown = bare.trim_end_matches(belongs_to_an_emoji);
        if shown.ends_with(|c: char| !c.is_ascii() && !is_end(c)) {
            break;
        }
        bare = shown.trim_end_matches(is_end);
    }
    let bare = bare.trim_start_matches(|c: char| is_end(c) || belongs_to_an_emoji(c));
    if bare.chars().all(is_blank) {
        Cow::Borrowed("")
    } else if is_nfc(bare) {
        Cow::Borrowed(bare)
    } else {
        Cow::Owned(bare.nfc().collect())
    }
}

/// A text without white space, control characters and invisible ones at its ends, and otherwise as it is. For secrets and
/// settings, each byte of which counts.
pub fn without_ends(text: &str) -> &str {
    text.trim_matches(|c: char| is_end(c) || c.is_control() || belongs_to_an_emoji(c))
}

/// The same as [`typed`] for a text that can be left out: nothing visible is as if it were not there.
pub fn typed_or_none(text: &str) -> Option<String> {
    let text = typed(text);
    (!text.is_empty()).then(|| text.into_owned())
}

/// Whether nothing visible stands in a text.
pub fn is_empty(text: &str) -> bool {
    typed(text).is_empty()
}

/// A text in NFC, its ends as they are. For passwords.
pub fn composed(text: &str) -> Cow<'_, str> {
    if is_nfc(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// A text in NFD, its ends as they are: the other form in which keyboards write the same letters.
pub fn decomposed(text: &str) -> Cow<'_, str> {
    if is_nfd(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfd().collect())
    }
}

/// Whether a character has no shape of its own: a format character (a joiner, a direction mark, a byte order mark, a soft
/// hyphen) or a variation selector.
pub fn is_invisible(c: char) -> bool {
    !c.is_ascii() && (is_variation_selector(c) || c.general_category() == GeneralCategory::Format)
}

/// The value of a decimal digit of any script.
pub fn digit(c: char) -> Option<u32> {
    if c.is_ascii() {
        return c.to_digit(10);
    }
    let is_digit = |c: char| c.general_category() == GeneralCategory::DecimalNumber;
    if !is_digit(c) {
        return None;
    }
    // The digits of a script stand side by side from 0 to 9; those of mathematics are five such rows without a gap.
    let before = (0..u32::from(c))
        .rev()
        .map_while(char::from_u32)
        .take_while(|c| is_digit(*c));
    u32::try_from(before.count() % 10).ok()
}

/// Whether a character is a mark on the one before it.
pub(super) fn is_mark(c: char) -> bool {
    !c.is_ascii() && c.general_category_group() == GeneralCategoryGroup::Mark
}

/// Whether a character is a dash of any kind.
pub(super) fn is_dash(c: char) -> bool {
    // The sign for minus is a symbol of mathematics.
    c == '\u{2212}' || c.general_category() == GeneralCategory::DashPunctuation
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Tags spell the region of a flag.
fn belongs_to_an_emoji(c: char) -> bool {
    is_variation_selector(c) || matches!(c, '\u{e0020}'..='\u{e007f}')
}

/// Whether [`typed`] takes a character off the ends of a text. One that belongs to an emoji stays behind what it belongs to.
pub fn is_trimmed(c: char) -> bool {
    is_end(c) || belongs_to_an_emoji(c)
}

fn is_end(c: char) -> bool {
    c.is_whitespace() || (is_invisible(c) && !belongs_to_an_emoji(c))
}

/// Characters that leave a text looking empty when there are no others.
pub fn is_blank(c: char) -> bool {
    is_end(c)
        || belongs_to_an_emoji(c)
        || matches!(
            c,
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_pasted_along_goes_and_the_inside_stays() {
        for pasted in [
            "secret",
            "secret\n",
            " \tsecret\r\n",
            "\u{feff}secret\u{200b}",
            "\u{202a}secret\u{202c}\u{a0}",
            "\u{2060}\u{200e} secret\0",
            "secret\u{fe0f}",
        ] {
            assert_eq!(without_ends(pasted), "secret", "{pasted:?}");
        }
        assert_eq!(without_ends("a b\u{200b}c"), "a b\u{200b}c");
        assert_eq!(without_ends("u\u{308}"), "u\u{308}", "nothing is composed");
        assert_eq!(without_ends(" \u{feff}\n"), "");
    }

    #[test]
    fn ends_go_and_letters_are_composed() {
        for (text, expected) in [
            ("", ""),
            ("a", "a"),
            (" a b ", "a b"),
            ("\t\r\n a\u{a0}", "a"),
            ("\u{3000}a\u{2003}\u{202f}\u{85}\u{2028}", "a"),
            ("\u{feff}a", "a"),
            ("\u{202a}+44 7700 900123\u{202c}", "+44 7700 900123"),
            ("\u{2066}a\u{2069}", "a"),
            ("a\u{200b}", "a"),
            ("a\u{200d}", "a"),
            ("\u{ad}a\u{ad}", "a"),
            ("\u{2060} \u{200e}a \u{200f} \u{61c}", "a"),
            ("\u{fe0f}a\u{fe0f}", "a"),
            ("agent@example.com\u{fe0f}\u{200b} ", "agent@example.com"),
            ("u\u{308}ber", "über"),
            ("e\u{301} e\u{301}", "é é"),
            ("\u{1100}\u{1161}", "가"),
            ("\u{212b}", "å".to_uppercase().as_str()),
            ("\u{200b}", ""),
            ("\u{200b} \u{2060}\u{feff}\n", ""),
            ("\u{fe0f}", ""),
            ("\u{2800}\u{3164}", ""),
        ] {
            assert_eq!(typed(text), expected, "{text:?}");
            assert_eq!(is_empty(text), expected.is_empty(), "{text:?}");
            assert_eq!(typed_or_none(text).unwrap_or_default(), expected);
        }
    }

    #[test]
    fn what_holds_a_text_together_stays() {
        for text in [
            "می\u{200c}خواهم",
            "👨\u{200d}👩\u{200d}👧",
            "thank you ❤\u{fe0f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "#\u{fe0f}\u{20e3}",
            "a\u{ad}b",
            "שלום \u{200f}(עולם)",
        ] {
            assert_eq!(typed(text), text, "{text:?}");
        }
    }

    #[test]
    fn passwords_keep_their_ends() {
        assert_eq!(composed(" u\u{308} \u{200b}"), " ü \u{200b}");
        assert_eq!(decomposed(" ü "), " u\u{308} ");
        assert!(matches!(composed("correct horse"), Cow::Borrowed(_)));
        assert!(matches!(decomposed("correct horse"), Cow::Borrowed(_)));
    }

    #[test]
    fn digits_of_every_script_have_their_value() {
        for digits in [
            "0123456789",
            "٠١٢٣٤٥٦٧٨٩",
            "۰۱۲۳۴۵۶۷۸۹",
            "०१२३४५६७८९",
            "๐๑๒๓๔๕๖๗๘๙",
            "０１２３４５６７８９",
            "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗",
            "𝟶𝟷𝟸𝟹𝟺𝟻𝟼𝟽𝟾𝟿",
            "🯰🯱🯲🯳🯴🯵🯶🯷🯸🯹",
        ] {
            let values: Vec<_> = digits.chars().map(digit).collect();
            assert_eq!(values, (0..10).map(Some).collect::<Vec<_>>(), "{digits}");
        }
        for other in ['a', '½', '²', '①', '一', 'Ⅷ', '#'] {
            assert_eq!(digit(other), None, "{other}");
        }
    }

    #[test]
    fn invisible_characters_are_known() {
        for c in "\u{ad}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202e}\u{2060}\u{2064}\u{2066}\u{2069}\u{feff}\u{fe00}\u{fe0f}\u{e0001}\u{e0100}\u{180b}".chars() {
            assert!(is_invisible(c), "{c:?}");
        }
        for c in " a#\u{a0}\u{301}\u{20e3}\n\u{2800}".chars() {
            assert!(!is_invisible(c), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn twice_is_once(text in prop_oneof![any::<String>(), "[a ü\u{308}\u{200b}\u{200d}\u{fe0f}\u{e0067}❤#1\n\u{a0}]{0,20}"]) {
            let once = typed(&text).into_owned();
            prop_assert_eq!(typed(&once), once.as_str());
            prop_assert!(is_nfc(&once));
            prop_assert_eq!(once.trim(), once.as_str());
        }
    }
}
