//! WhatsApp's window: free text is taken only for 24 hours after the person's last message; after that, only templates.

use chrono::{DateTime, TimeDelta, Utc};

use crate::channel::Channel;

/// How long WhatsApp takes free text after the person's last message.
pub const WINDOW: TimeDelta = TimeDelta::hours(24);

/// When the window ends that a message opened.
pub fn ends(last_inbound: DateTime<Utc>) -> DateTime<Utc> {
    last_inbound + WINDOW
}

/// Whether free text can go out by that channel to a person whose last message by it came at `last_inbound`.
pub fn takes_free_text(
    channel: Channel,
    last_inbound: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    match channel {
        Channel::Sms => true,
        Channel::Whatsapp => last_inbound.is_some_and(|at| now < ends(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_text_is_taken_for_a_day_after_the_last_message() {
        let at: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().expect("a time");
        let within =
            |channel, seconds| takes_free_text(channel, Some(at), at + TimeDelta::seconds(seconds));
        assert!(within(Channel::Whatsapp, 0));
        assert!(within(Channel::Whatsapp, 24 * 60 * 60 - 1));
        assert!(!within(Channel::Whatsapp, 24 * 60 * 60));
        assert!(within(Channel::Sms, 24 * 60 * 60));
        assert!(!takes_free_text(Channel::Whatsapp, None, at));
        assert!(takes_free_text(Channel::Sms, None, at));
    }
}
