//! Everything that speaks Vonage: the signatures of its webhooks, what they say, and the calls of its Messages API.
//!
//! What comes from outside is read here and nowhere else, so that the rest of Docket sees only its own types. What always holds:
//! a payload is decoded only after [`signature::verify`] has accepted its bytes, and nothing in this module logs a text, a whole
//! number, a token or a secret. To take a further kind of message: its variant in the domain's `Content`, then its branch in
//! [`webhook`].

pub mod client;
pub mod private_key;
pub mod signature;
pub mod webhook;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Where the time comes from; outside tests `ambient::now`.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Where identifiers come from; outside tests `ambient::new_id`.
pub type NewId = Arc<dyn Fn() -> Uuid + Send + Sync>;

/// Runs of at least this many digits could be somebody's number.
const NUMBER_DIGITS: usize = 6;

/// Hides whatever could be a number: of each run of six digits or more only the last two stay. Vonage quotes numbers in the
/// `detail` of its errors, and these stand in logs, events and problems.
pub fn mask_numbers(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from_digit) = rest.split_at(start);
        masked.push_str(before);
        let length = from_digit
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(from_digit.len());
        let (digits, after) = from_digit.split_at(length);
        if length >= NUMBER_DIGITS {
            masked.extend(std::iter::repeat_n('•', length - 2));
            masked.push_str(&digits[length - 2..]);
        } else {
            masked.push_str(digits);
        }
        rest = after;
    }
    masked.push_str(rest);
    masked
}

/// The code at the end of a problem's `type`: `https://developer.vonage.com/api-errors/messages#1120` gives 1120.
fn code_in_type(problem_type: &str) -> Option<u32> {
    problem_type.rsplit_once('#')?.1.parse().ok()
}

/// Puts U+2400, the picture of a NUL, where a NUL stands: Postgres takes a NUL neither in text nor in jsonb, and a message must not
/// be refused for it.
fn without_nul(text: &str) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{2400}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_of_digits_are_masked_and_short_ones_kept() {
        assert_eq!(
            mask_numbers("Invalid to: 447700900123."),
            "Invalid to: ••••••••••23."
        );
        assert_eq!(
            mask_numbers("code 1120, 12345 and 123456"),
            "code 1120, 12345 and ••••56"
        );
        assert_eq!(mask_numbers("447700900123"), "••••••••••23");
        assert_eq!(
            mask_numbers("no digits, “quotes” only"),
            "no digits, “quotes” only"
        );
    }

    #[test]
    fn a_code_is_read_from_the_end_of_a_type() {
        assert_eq!(
            code_in_type("https://developer.vonage.com/api-errors/messages#1120"),
            Some(1120)
        );
        assert_eq!(
            code_in_type("https://developer.vonage.com/api-errors#not-found"),
            None
        );
        assert_eq!(
            code_in_type("https://developer.vonage.com/api-errors/1120"),
            None
        );
    }
}
