//! Channels, and the addresses that people have on them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::phone;

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Short messages; pictures that come as MMS to the same number belong here too.
    Sms,
    /// `WhatsApp`.
    Whatsapp,
}

impl Channel {
    /// The name as Vonage, the API and the database write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
        }
    }

    /// The channel of that name; `mms` arrives on the SMS line of its number.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "sms" | "mms" => Some(Self::Sms),
            "whatsapp" => Some(Self::Whatsapp),
            _ => None,
        }
    }

    /// The longest text that Vonage takes, in characters.
    pub const fn max_text_chars(self) -> usize {
        match self {
            Self::Sms => 1_000,
            Self::Whatsapp => 4_096,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The one spelling of a number that Vonage names: digits of E.164 without `+`, `00`, spaces or punctuation. A sender that is no
/// number (an alphanumeric sender, an opaque `WhatsApp` id) is kept as it came, trimmed. For numbers that people type there is
/// [`crate::text::phone`], which refuses what cannot be called.
pub fn normalise_number(text: &str) -> String {
    let trimmed = text.trim();
    let is_separator = |c: char| matches!(c, ' ' | '-' | '.' | '(' | ')' | '\u{a0}' | '/');
    let bare = trimmed.strip_prefix('+').unwrap_or(trimmed);
    if !bare.is_empty()
        && bare.chars().any(|c| c.is_ascii_digit())
        && bare.chars().all(|c| c.is_ascii_digit() || is_separator(c))
    {
        let digits: String = bare.chars().filter(char::is_ascii_digit).collect();
        match digits.strip_prefix("00") {
            Some(rest) if !rest.is_empty() && !trimmed.starts_with('+') => rest.to_owned(),
            _ => digits,
        }
    } else {
        trimmed.to_owned()
    }
}

/// Whether it is an international number in its one spelling: 7 to 15 digits, the first of them no 0.
pub fn is_international_number(number: &str) -> bool {
    phone::DIGITS.contains(&number.len())
        && !number.starts_with('0')
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn international_numbers_have_seven_to_fifteen_digits() {
        for number in ["1234567", "447700900123", "123456789012345"] {
            assert!(is_international_number(number), "{number}");
        }
        for other in [
            "",
            "123456",
            "1234567890123456",
            "07700900123",
            "+447700900123",
            "44 770",
            "４４７７",
        ] {
            assert!(!is_international_number(other), "{other}");
        }
    }

    #[test]
    fn one_number_has_one_spelling() {
        for spelling in [
            "447700900123",
            "+447700900123",
            "00447700900123",
            " +44 7700 900-123 ",
            "+44 (7700) 900.123",
        ] {
            assert_eq!(normalise_number(spelling), "447700900123", "{spelling}");
        }
    }

    #[test]
    fn what_is_no_number_is_kept() {
        for sender in ["DocketTest", "US.1234567890abcdef", "+", "", "user_01"] {
            assert_eq!(normalise_number(sender), sender);
        }
    }
}
