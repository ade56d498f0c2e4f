//! Who said the newest things in a case.

use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// The newest things that were said in a case, as far as [`Case::must_have_been_heard`](super::Case::must_have_been_heard) asks.
///
/// An automatic reply surprises nobody, and so it is not among them. Of people the newest two are enough: whoever asks is at most
/// one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The sequence of the event that brought the contact's newest message; 0 where no message of theirs stands in the case.
    pub contact: u64,
    /// The two people who answered last, the newest first, each with the sequence of their newest answer.
    pub people: Vec<(UserId, u64)>,
}

impl Said {
    /// How many people are kept.
    pub const PEOPLE: usize = 2;

    /// Whether somebody other than `user` said something after the sequence `seen`.
    pub(super) fn is_news(&self, seen: u64, user: Option<UserId>) -> bool {
        self.contact > seen
            || self
                .people
                .iter()
                .any(|(who, sequence)| *sequence > seen && Some(*who) != user)
    }

    pub(super) const fn by_contact(&mut self, sequence: u64) {
        self.contact = sequence;
    }

    pub(super) fn by_user(&mut self, user: UserId, sequence: u64) {
        self.people.retain(|(who, _)| *who != user);
        self.people.insert(0, (user, sequence));
        self.people.truncate(Self::PEOPLE);
    }
}
