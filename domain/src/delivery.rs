//! The fate of an outbound message, which only ever moves forward.
//!
//! Vonage promises no order: statuses come twice, late, and before the answer to the call that caused them. [`Status`] is
//! ordered by how much is known, and a message only ever rises, except that an agent may begin a new attempt.

use serde::{Deserialize, Serialize};

/// What is known of an outbound message, ordered from least to most.
///
/// `failed` stands below `delivered`: networks report a failure and then deliver, but never the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Recorded, not yet handed over.
    Queued,
    /// A call to Vonage is under way, or was when we were cut off.
    Sending,
    /// A call's outcome is unknown; it is not repeated blindly.
    Uncertain,
    /// Vonage took it.
    Sent,
    /// It did not, and will not, arrive.
    Failed,
    /// It reached the person's device.
    Delivered,
    /// The person opened it.
    Read,
}

impl Status {
    /// The status's name in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Uncertain => "uncertain",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Queued,
            Self::Sending,
            Self::Uncertain,
            Self::Sent,
            Self::Failed,
            Self::Delivered,
            Self::Read,
        ]
        .into_iter()
        .find(|status| status.as_str() == name)
    }
}

/// How far the current attempt to send a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The attempt, counted from 1; each is an agent's own decision to send.
    pub attempt: u32,
    /// What is known of the message.
    pub status: Status,
}

impl Progress {
    /// A message just recorded.
    pub const QUEUED: Self = Self {
        attempt: 1,
        status: Status::Queued,
    };

    /// Whether news about `attempt` tells something new. News of an earlier attempt counts only where it shows that the
    /// message arrived after all.
    pub fn is_advanced_by(self, attempt: u32, status: Status) -> bool {
        attempt <= self.attempt
            && status > self.status
            && (attempt == self.attempt || status >= Status::Delivered)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_status() -> impl Strategy<Value = Status> {
        prop_oneof![
            Just(Status::Sending),
            Just(Status::Uncertain),
            Just(Status::Sent),
            Just(Status::Failed),
            Just(Status::Delivered),
            Just(Status::Read),
        ]
    }

    fn fold(news: &[Status]) -> Status {
        let mut progress = Progress::QUEUED;
        for status in news {
            if progress.is_advanced_by(1, *status) {
                progress.status = *status;
            }
        }
        progress.status
    }

    proptest! {
        #[test]
        fn news_in_any_order_and_twice_end_the_same(mut news in proptest::collection::vec(any_status(), 1..8), seed: u64) {
            let straight = fold(&news);
            let len = news.len();
            let twice = [news.clone(), news.clone()].concat();
            prop_assert_eq!(fold(&twice), straight);
            news.rotate_left(usize::try_from(seed % 8).expect("small") % len);
            news.reverse();
            prop_assert_eq!(fold(&news), straight);
        }
    }

    #[test]
    fn an_earlier_attempt_only_counts_where_it_arrived() {
        let second = Progress {
            attempt: 2,
            status: Status::Sending,
        };
        assert!(!second.is_advanced_by(1, Status::Failed));
        assert!(!second.is_advanced_by(1, Status::Sent));
        assert!(second.is_advanced_by(1, Status::Delivered));
        assert!(second.is_advanced_by(2, Status::Sent));
        assert!(
            !second.is_advanced_by(3, Status::Read),
            "an attempt that was never made"
        );
    }

    #[test]
    fn names_read_back() {
        for status in [
            Status::Queued,
            Status::Read,
            Status::Uncertain,
            Status::Failed,
        ] {
            assert_eq!(Status::from_name(status.as_str()), Some(status));
        }
        assert_eq!(Status::from_name("lost"), None);
    }
}
