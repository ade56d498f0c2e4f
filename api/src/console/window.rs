//! WhatsApp's window: free text is taken only for 24 hours after the person's last message.

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::channel::Channel;

use super::pages::When;
use super::words;

/// How long WhatsApp takes free text after the person's last message, in hours.
const HOURS: i64 = 24;

/// WhatsApp's window of a contact.
pub(super) struct Window {
    /// When it ends; `None` where the person never wrote.
    pub(super) ends: Option<When>,
    pub(super) is_open: bool,
    /// How long it is open yet; empty where it is not.
    pub(super) left: String,
    /// What it means for a reply that it is not open.
    pub(super) closed: &'static str,
}

impl Window {
    /// The window for a reply by `channel` to somebody who last wrote by that line at `last_inbound`; `None` where there is no such
    /// thing.
    pub(super) fn of(
        channel: Channel,
        last_inbound: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        if channel != Channel::Whatsapp {
            return None;
        }
        let Some(at) = last_inbound else {
            return Some(Self {
                ends: None,
                is_open: false,
                left: String::new(),
                closed: words::WINDOW_NEVER,
            });
        };
        let ends = at + TimeDelta::hours(HOURS);
        let left = (ends - now).num_minutes();
        let is_open = ends > now;
        Some(Self {
            ends: Some(When::of(ends, now)),
            is_open,
            left: if is_open {
                words::time_left(left)
            } else {
                String::new()
            },
            closed: words::WINDOW_OVER,
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn the_window_is_counted_down_and_ends() {
        let at = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
        let window = |minutes| {
            let now = at + TimeDelta::minutes(minutes);
            Window::of(Channel::Whatsapp, Some(at), now).unwrap()
        };
        let open = window(65);
        assert!(open.is_open && open.left == "22 h 55 min");
        assert_eq!(open.ends.unwrap().iso, "2026-03-02T12:00:00+00:00");
        assert_eq!(window(24 * 60 - 1).left, "1 min");
        let over = window(24 * 60);
        assert!(!over.is_open && over.left.is_empty());
        assert!(!Window::of(Channel::Whatsapp, None, at).unwrap().is_open);
        assert!(Window::of(Channel::Sms, Some(at), at).is_none());
    }
}
