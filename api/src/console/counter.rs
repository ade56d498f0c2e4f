//! What a reply takes: the parts of an SMS, or the channel's limit.
//!
//! The script counts again while somebody writes, by the same rules: the alphabet and the sentences come to it with the page, and
//! `count` in `console.js` is this file said once more. A change of one is a change of the other.

use docket_domain::channel::Channel;
use docket_domain::text::segments::{
    Encoding, GSM7_BEYOND_ASCII, GSM7_EXTENSION, is_gsm7, segments,
};

use super::words;

/// What the reply box is counted with.
pub(super) struct Counter {
    pub(super) channel: Channel,
    /// What is sent behind the text.
    pub(super) appended: String,
    /// What the text in the box takes; empty where there is none.
    pub(super) sentence: String,
    /// Why it cannot be sent; empty where it can.
    pub(super) too_long: String,
    /// What an SMS can write beyond ASCII, for the script.
    pub(super) alphabet: &'static str,
    /// What of it takes two units.
    pub(super) extension: &'static str,
}

impl Counter {
    pub(super) fn of(channel: Channel, appended: String, text: &str) -> Self {
        let (sentence, too_long) = count(channel, &appended, text);
        Self {
            channel,
            appended,
            sentence,
            too_long,
            alphabet: GSM7_BEYOND_ASCII,
            extension: GSM7_EXTENSION,
        }
    }

    /// The same with another text in the box.
    pub(super) fn counting(&self, text: &str) -> Self {
        Self::of(self.channel, self.appended.clone(), text)
    }

    pub(super) const fn limit(&self) -> usize {
        self.channel.max_text_chars()
    }
}

/// What a text takes, and why it cannot be sent.
fn count(channel: Channel, appended: &str, text: &str) -> (String, String) {
    if text.is_empty() {
        return (String::new(), String::new());
    }
    let sent = format!("{text}{appended}");
    let limit = channel.max_text_chars();
    let chars = sent.chars().count();
    let sentence = match channel {
        Channel::Whatsapp => words::filled(
            words::COUNT_CHARACTERS,
            &[
                ("left", &limit.saturating_sub(chars).to_string()),
                ("limit", &limit.to_string()),
            ],
        ),
        Channel::Sms => {
            let counted = segments(&sent);
            let outside = sent.chars().find(|c| !is_gsm7(*c));
            let sentence = if counted.parts == 1 {
                words::COUNT_ONE_SMS
            } else {
                words::COUNT_SMS
            };
            let sentence = words::filled(
                sentence,
                &[
                    ("parts", &counted.parts.to_string()),
                    ("left", &counted.units_left.to_string()),
                ],
            );
            match (counted.encoding, outside) {
                (Encoding::Ucs2, Some(outside)) => {
                    let outside = [("outside", &*outside.to_string())];
                    sentence + &words::filled(words::COUNT_OUTSIDE, &outside)
                }
                _ => sentence,
            }
        }
    };
    let too_long = match chars.checked_sub(limit) {
        None | Some(0) => String::new(),
        Some(over) => words::filled(
            words::TOO_LONG,
            &[("over", &over.to_string()), ("limit", &limit.to_string())],
        ),
    };
    (sentence, too_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_counted_too() {
        let counted = Counter::of(Channel::Sms, " #101".to_owned(), &"a".repeat(155));
        assert_eq!(counted.sentence, "1 SMS · 0 characters left");
        assert_eq!(counted.too_long, "");
        let counted = Counter::of(Channel::Sms, " #101".to_owned(), &"a".repeat(156));
        assert_eq!(counted.sentence, "2 SMS · 145 characters left in the last");
        let counted = Counter::of(Channel::Sms, " #101".to_owned(), "");
        assert_eq!(counted.sentence, "");
    }

    #[test]
    fn a_character_outside_the_alphabet_is_named() {
        let counted = Counter::of(Channel::Sms, String::new(), "Well… “yes”");
        assert_eq!(
            counted.sentence,
            "1 SMS · 59 characters left. … limits each SMS to 70"
        );
    }

    #[test]
    fn what_is_too_long_is_said_before_it_is_sent() {
        let counted = Counter::of(Channel::Sms, " #101".to_owned(), &"a".repeat(995));
        assert_eq!(counted.too_long, "");
        let counted = Counter::of(Channel::Sms, " #101".to_owned(), &"é".repeat(998));
        assert_eq!(
            counted.too_long,
            "It is 3 characters too long: at most 1000 can be sent at once, the reference included."
        );
        let counted = Counter::of(Channel::Whatsapp, String::new(), &"😀".repeat(4_000));
        assert_eq!(counted.sentence, "96 of 4096 characters left");
        assert_eq!(counted.too_long, "");
        let counted = Counter::of(Channel::Whatsapp, String::new(), &"😀".repeat(4_097));
        assert_eq!(counted.sentence, "0 of 4096 characters left");
        assert!(counted.too_long.contains("1 characters too long"));
    }
}
