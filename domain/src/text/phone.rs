//! Telephone numbers that people type or paste.
//!
//! The normal form is the country code and the national number, 7 to 15 digits, without a sign. Only the structure is
//! judged: whether anybody has the number is not known here, and numbers that are set aside for examples are good.
//! The sender of a message is not typed: see [`crate::channel::normalise_number`].

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, Region};

use super::normalise::{self, digit, is_dash, is_invisible};

/// The fewest and the most digits of a number with its country code.
pub const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A country whose national numbers are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country(Region);

impl FromStr for Country {
    type Err = UnknownCountry;

    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        let name = normalise::typed(text).to_ascii_uppercase();
        let region = name.parse::<Region>().map_err(|_| UnknownCountry)?;
        let is_known = name.len() == 2
            && PHONE_NUMBER_UTIL
                .get_country_code_for_region(region)
                .is_some();
        is_known.then_some(Self(region)).ok_or(UnknownCountry)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Country {
    /// Whether national numbers are written with a 0 at their beginning.
    fn has_trunk_zero(self) -> bool {
        let Ok(example) = PHONE_NUMBER_UTIL.get_example_number(self.0) else {
            return false;
        };
        let national = example.format_as(PhoneNumberFormat::National);
        let digits: String = national.chars().filter(char::is_ascii_digit).collect();
        // Italy's numbers begin with a 0 that is a part of them.
        digits.starts_with('0') && !e164(&example).ends_with(&digits)
    }
}

/// Not the code of a country that has telephone numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a country is two letters, such as GB or US")]
pub struct UnknownCountry;

/// Why what was typed is no number that can be called. The sentences name the right form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Nothing, or nothing visible, was typed.
    #[error("the number is missing; write it with its country code, such as +44 7700 900123")]
    Missing,
    /// There is something else than digits and what parts them.
    #[error(
        "the number can hold digits, spaces, dashes, dots and brackets only; write it as +44 7700 900123"
    )]
    Characters,
    /// It is a national number, and no default country is set.
    #[error(
        "the number begins with 0 and so has no country code; write it with the country code, such as +44 7700 900123"
    )]
    National,
    /// It has a 0 between country code and national number.
    #[error("the number has a 0 after the country code; write it as {}", shown(.digits))]
    TrunkZero {
        /// The number without that 0.
        digits: String,
    },
    /// It is no national number of the default country.
    #[error(
        "the number has no country code and is too short or too long for one of {country}; write it with the country code, such as +44 7700 900123"
    )]
    NotOfCountry {
        /// The default country.
        country: Country,
    },
    /// It has too few or too many digits.
    #[error(
        "the number has {digits} digits; with its country code it has {} to {}, such as +44 7700 900123",
        DIGITS.start(),
        DIGITS.end()
    )]
    Length {
        /// How many it has.
        digits: usize,
    },
}

/// The normal form of a number that somebody typed. National numbers are taken where a default country is given.
///
/// # Errors
///
/// [`NumberError`].
pub fn number(text: &str, default: Option<Country>) -> Result<String, NumberError> {
    let typed = Typed::read(text)?;
    let number = match (typed.is_international, default) {
        (false, Some(country)) => national_or_international(&typed, country)?,
        _ if typed.digits.starts_with('0') => return Err(NumberError::National),
        _ => international(&typed.digits)?,
    };
    if typed.has_trunk_in_brackets {
        return Err(NumberError::TrunkZero { digits: number });
    }
    if DIGITS.contains(&number.len()) {
        Ok(number)
    } else {
        Err(NumberError::Length {
            digits: number.len(),
        })
    }
}

/// The number that somebody looks for. A spelling that [`number`] refuses is read as well as it can be: a 0 after the
/// country code goes, and what is no telephone number stays as it was typed.
pub fn sought(text: &str, default: Option<Country>) -> String {
    match number(text, default) {
        Ok(number) | Err(NumberError::TrunkZero { digits: number }) => number,
        Err(_) => match Typed::read(text) {
            Ok(typed) => typed.digits,
            Err(_) => normalise::typed(text).into_owned(),
        },
    }
}

/// Whether `number` is not what the digits of a typed text say, since a default country was taken for granted.
pub fn is_understood_otherwise(text: &str, number: &str) -> bool {
    Typed::read(text).is_ok_and(|typed| typed.digits != number)
}

/// A number as people read it: `+44 7700 900123`. What is no telephone number is given back.
pub fn shown(number: &str) -> String {
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    let plain = format!("+{number}");
    let Some(parsed) = parse(&plain, None) else {
        return plain;
    };
    let formatted = parsed.format_as(PhoneNumberFormat::International);
    let is_same = formatted
        .chars()
        .filter(char::is_ascii_digit)
        .eq(number.chars());
    if is_same {
        formatted.into_owned()
    } else {
        plain
    }
}

/// What stands in a text that may be a number.
struct Typed {
    digits: String,
    /// Whether `+` or `00` says that the digits begin with a country code.
    is_international: bool,
    /// Whether `(0)` stands behind other digits.
    has_trunk_in_brackets: bool,
}

impl Typed {
    fn read(text: &str) -> Result<Self, NumberError> {
        let text: String = text.chars().filter(|c| !is_invisible(*c)).collect();
        let text = normalise::typed(&text);
        let bare = without_scheme(&text).trim_start();
        if bare.is_empty() {
            return Err(NumberError::Missing);
        }
        let mut typed = Self {
            digits: String::new(),
            is_international: false,
            has_trunk_in_brackets: false,
        };
        let mut in_brackets: Option<String> = None;
        for c in bare.chars() {
            if let Some(value) = digit(c).and_then(|value| char::from_digit(value, 10)) {
                typed.digits.push(value);
                if let Some(inside) = &mut in_brackets {
                    inside.push(value);
                }
            } else if matches!(c, '+' | '＋' | '﹢') {
                if typed.is_international || !typed.digits.is_empty() {
                    return Err(NumberError::Characters);
                }
                typed.is_international = true;
            } else if matches!(c, '(' | '（' | '[') {
                in_brackets = Some(String::new());
            } else if matches!(c, ')' | '）' | ']') {
                if in_brackets.take().as_deref() == Some("0") && typed.digits.len() > 1 {
                    typed.digits.pop();
                    typed.has_trunk_in_brackets = true;
                }
            } else if !is_separator(c) {
                return Err(NumberError::Characters);
            }
        }
        if typed.digits.is_empty() {
            return Err(NumberError::Missing);
        }
        if !typed.is_international && typed.digits.starts_with("00") {
            typed.digits.drain(..2);
            typed.is_international = true;
        }
        Ok(typed)
    }
}

fn without_scheme(text: &str) -> &str {
    match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => &text[4..],
        _ => text,
    }
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || is_dash(c) || matches!(c, '.' | '．' | '/' | '／' | '·')
}

fn parse(number: &str, region: Option<Region>) -> Option<PhoneNumber> {
    PHONE_NUMBER_UTIL.parse(number, region).ok()
}

fn e164(number: &PhoneNumber) -> String {
    let text = number.format_as(PhoneNumberFormat::E164);
    text.trim_start_matches('+').to_owned()
}

/// Digits that begin with a country code. A 0 behind the code is good only where the country has such numbers, as Italy.
fn international(digits: &str) -> Result<String, NumberError> {
    if digits.starts_with('0') {
        return Err(NumberError::National);
    }
    let Some(parsed) = parse(&format!("+{digits}"), None) else {
        return Ok(digits.to_owned());
    };
    let code = parsed.country_code.to_string();
    let national = digits.strip_prefix(&code).unwrap_or_default();
    let is_trunk_zero = national.starts_with('0')
        && !(e164(&parsed) == digits && PHONE_NUMBER_UTIL.is_valid_number(&parsed));
    if is_trunk_zero {
        return Err(NumberError::TrunkZero {
            digits: format!("{code}{}", national.trim_start_matches('0')),
        });
    }
    Ok(digits.to_owned())
}

/// Digits without a sign, where national numbers of a country are taken. Those that could be either are read as the
/// country writes its own: with its 0, or, where it writes none, as a national number that exists.
fn national_or_international(typed: &Typed, country: Country) -> Result<String, NumberError> {
    let digits = typed.digits.as_str();
    let util = &*PHONE_NUMBER_UTIL;
    let national = parse(digits, Some(country.0))
        .filter(|number| Some(number.country_code) == util.get_country_code_for_region(country.0));
    let is_possible =
        |number: &Option<PhoneNumber>| number.as_ref().is_some_and(|n| util.is_possible_number(n));
    if digits.starts_with('0') {
        // Some are possible without an area code, and cannot be called from elsewhere.
        return national
            .filter(|number| util.is_possible_number(number))
            .map(|number| e164(&number))
            .filter(|number| DIGITS.contains(&number.len()))
            .ok_or(NumberError::NotOfCountry { country });
    }
    let is_ours = national.as_ref().is_some_and(|number| {
        if country.has_trunk_zero() {
            // Written without its 0, and impossible with a country code.
            !is_possible(&parse(&format!("+{digits}"), None)) && util.is_possible_number(number)
        } else {
            util.is_valid_number_for_region(number, country.0)
        }
    });
    match national {
        Some(number) if is_ours => Ok(e164(&number)),
        _ => international(digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(name: &str) -> Country {
        name.parse().expect("a country")
    }

    #[test]
    fn one_number_has_one_form() {
        for text in [
            "447700900123",
            "+447700900123",
            "00447700900123",
            " +44 7700 900-123 ",
            "+44 (7700) 900.123",
            "tel:+447700900123",
            "TEL:+44-7700-900123",
            "tel: +44 7700 900123",
            "\u{202a}+44 7700 900123\u{202c}",
            "\u{feff}+44\u{a0}7700\u{202f}900123\u{200b}",
            "+44\u{2011}7700\u{2013}900123",
            "+44\u{ad}7700 900\u{200d}123",
            "＋４４ ７７００ ９００１２３",
            "+٤٤ ٧٧٠٠ ٩٠٠١٢٣",
            "00 44 7700 900123",
            "(+44) 7700 900123",
            "+44/7700/900123",
            "+44 [7700] 900123",
            "44 7700 900123",
        ] {
            assert_eq!(
                number(text, None).as_deref(),
                Ok("447700900123"),
                "{text:?}"
            );
            assert_eq!(
                number(text, Some(country("GB"))).as_deref(),
                Ok("447700900123"),
                "{text:?}"
            );
            assert_eq!(sought(text, None), "447700900123", "{text:?}");
        }
    }

    #[test]
    fn structure_alone_is_judged() {
        for good in [
            "447700900000",
            "447700900999",
            "12025550100",
            "12025550199",
            "5215512345678",
            "999123456789",
            "1234567",
            "123456789012345",
            "390612345678",
            "2250712345678",
            "242061234567",
        ] {
            assert_eq!(number(good, None).as_deref(), Ok(good));
            assert_eq!(number(&format!("+{good}"), None).as_deref(), Ok(good));
        }
    }

    #[test]
    fn a_zero_after_the_country_code_is_refused() {
        for text in [
            "+44 (0)7700 900123",
            "+44(0)7700900123",
            "+44 ( 0 ) 7700 900123",
            "+44 [0] 7700 900123",
            "0044 (0) 7700 900123",
            "44 (0) 7700 900123",
            "+4407700900123",
            "+44 07700 900123",
            "+44 07 700 900123",
            "+44 00 7700 900123",
            "004407700900123",
            "4407700900123",
            "tel:+4407700900123",
            "\u{202a}+44 (0)7700 900123\u{202c}",
        ] {
            let error = number(text, None).expect_err(text);
            assert_eq!(
                error.to_string(),
                "the number has a 0 after the country code; write it as +44 7700 900123",
                "{text:?}"
            );
            assert!(number(text, Some(country("GB"))).is_err(), "{text:?}");
            assert_eq!(sought(text, None), "447700900123", "{text:?}");
        }
        for text in [
            "+33 06 12 34 56 78",
            "+49 0151 12345678",
            "+1 02025550100",
            "+34 0612345678",
        ] {
            let error = number(text, None).expect_err(text);
            assert!(
                matches!(error, NumberError::TrunkZero { .. }),
                "{text:?}: {error}"
            );
        }
    }

    #[test]
    fn a_national_number_needs_a_default_country() {
        for text in [
            "07700 900123",
            "(07700) 900123",
            "0 7700 900123",
            "tel:07700900123",
            "+07700900123",
        ] {
            assert_eq!(number(text, None), Err(NumberError::National), "{text:?}");
        }
        for (name, text, expected) in [
            ("GB", "07700 900123", "447700900123"),
            ("gb", "(07700) 900-123", "447700900123"),
            ("GB", "7700 900123", "447700900123"),
            ("GB", "tel:07700900123", "447700900123"),
            ("GB", "447700900123", "447700900123"),
            ("GB", "12025550100", "12025550100"),
            ("US", "(202) 555-0100", "12025550100"),
            ("US", "202.555.0100", "12025550100"),
            ("US", "1 202 555 0100", "12025550100"),
            ("US", "12025550100", "12025550100"),
            ("US", "447700900123", "447700900123"),
            ("US", "+44 7700 900123", "447700900123"),
            ("DE", "447700900123", "447700900123"),
            ("DE", "0151 12345678", "4915112345678"),
            ("IT", "06 1234 5678", "390612345678"),
            ("ES", "612 34 56 78", "34612345678"),
            ("ES", "447700900123", "447700900123"),
        ] {
            assert_eq!(
                number(text, Some(country(name))).as_deref(),
                Ok(expected),
                "{name} {text:?}"
            );
        }
        let short = number("0770", Some(country("GB"))).expect_err("too short");
        assert!(
            short
                .to_string()
                .contains("too short or too long for one of GB"),
            "{short}"
        );
        assert!(number("+07700900123", Some(country("GB"))).is_err());
        assert!(is_understood_otherwise("07700 900123", "447700900123"));
        assert!(!is_understood_otherwise(
            "tel:+44 7700 900123",
            "447700900123"
        ));
    }

    #[test]
    fn all_else_is_refused_with_the_right_form() {
        for text in [
            "",
            " ",
            "\u{200b}",
            "+",
            "tel:",
            "()",
            "abc",
            "+44 7700 CALLME",
            "US.1234567890abcdef",
            "+44 7700 900123 ext. 5",
            "+44 7700 900123, +44 7700 900124",
            "++447700900123",
            "44+7700900123",
            "447700900123;x",
            "#447700900123",
            "+44 7700 900½23",
            "123",
            "123456",
            "+44",
            "1234567890123456",
            "+44 7700 900123 44 7700 900124",
            "000447700900123",
        ] {
            let error = number(text, None).expect_err(text);
            assert!(
                error.to_string().contains("+44 7700 900123"),
                "{text:?}: {error}"
            );
        }
    }

    #[test]
    fn what_is_no_number_is_sought_as_it_was_typed() {
        assert_eq!(sought(" US.1234567890abcdef ", None), "US.1234567890abcdef");
        assert_eq!(sought("DocketTest", None), "DocketTest");
        assert_eq!(sought("123", None), "123");
        assert_eq!(sought("07700 900123", None), "07700900123");
        assert_eq!(sought("07700 900123", Some(country("GB"))), "447700900123");
    }

    #[test]
    fn a_number_is_shown_in_groups() {
        assert_eq!(shown("447700900123"), "+44 7700 900123");
        assert_eq!(shown("12025550100"), "+1 202-555-0100");
        assert_eq!(shown("390612345678"), "+39 06 1234 5678");
        assert_eq!(shown("4407700900123"), "+4407700900123", "as it is stored");
        assert_eq!(shown("999123456789"), "+999123456789");
        assert_eq!(shown("DocketTest"), "DocketTest");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn a_country_is_two_letters() {
        for good in ["GB", "us", " de ", "KZ"] {
            assert!(good.parse::<Country>().is_ok(), "{good}");
        }
        for bad in ["", "UK", "ZZ", "001", "44", "GBR", "Great Britain"] {
            assert_eq!(bad.parse::<Country>(), Err(UnknownCountry), "{bad}");
        }
        assert_eq!(
            "gb".parse::<Country>().map(|c| c.to_string()).as_deref(),
            Ok("GB")
        );
    }
}
