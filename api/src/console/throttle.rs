//! Slows down whoever tries passwords.
//!
//! Attempts are counted for an account and for the place they come from, each with a few at once and then one every so often. An account is
//! counted for each place and, more generously, for all of them together: one place alone keeps its owner out nowhere else. A browser
//! that the account was used in before is counted by itself, so that others who try wrong passwords keep nobody out of theirs. It is kept in
//! memory: a second process gives as many attempts again, and a restart forgets, which argon2 makes up for.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::device::Device;
use crate::passwords::{Lane, WAITING};

/// So many attempts at one account at once, from one place.
const ACCOUNT_BURST: i32 = 8;
/// After that, one in so many seconds.
const ACCOUNT_SECONDS: i64 = 60;
/// So many attempts at one account at once, from all places together.
const EVERYWHERE_BURST: i32 = 40;
/// After that, one in so many seconds: more than one place has by itself.
const EVERYWHERE_SECONDS: i64 = 15;
/// So many attempts from one place at once; a whole office can share one.
const PLACE_BURST: i32 = 40;
/// After that, one in so many seconds.
const PLACE_SECONDS: i64 = 15;
/// So many wait for their browser to be looked up, which takes milliseconds.
const CLAIMS_WAITING: usize = 64;
/// So many keys are remembered before those that have recovered are forgotten.
const MAX_KEYS: usize = 20_000;

/// Whose attempts are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// An account, there or not, by its address in lower case, where places cannot be told apart.
    Account(String),
    /// The same from one place.
    AccountAt(String, String),
    /// The same from all places.
    AccountEverywhere(String),
    /// An account, in a browser that it was used in before.
    Device(Device),
    /// An account, in an open session of it.
    Session(Uuid),
    /// Where a request came from.
    Place(String),
}

impl Key {
    const fn limits(&self) -> (i32, i64) {
        match self {
            Self::Account(_) | Self::AccountAt(..) | Self::Device(_) | Self::Session(_) => {
                (ACCOUNT_BURST, ACCOUNT_SECONDS)
            }
            Self::AccountEverywhere(_) => (EVERYWHERE_BURST, EVERYWHERE_SECONDS),
            Self::Place(_) => (PLACE_BURST, PLACE_SECONDS),
        }
    }
}

/// Counts attempts.
pub(super) struct Throttle {
    /// When each key will have recovered wholly.
    recovered_at: Mutex<HashMap<Key, DateTime<Utc>>>,
    /// Where people who sign in wait for their password to be checked. It is shared between the
    /// places that they come from.
    pub(super) strangers: Lane,
    /// The same for those with a browser that the account was used in before: strangers who try
    /// passwords keep none of them waiting.
    pub(super) known: Lane,
    /// Where those wait who say that their browser is known, until it is looked up.
    pub(super) claims: Lane,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            recovered_at: Mutex::default(),
            strangers: Lane::new(2, WAITING),
            known: Lane::new(1, WAITING),
            claims: Lane::new(2, CLAIMS_WAITING),
        }
    }
}

impl Throttle {
    /// Takes an attempt, unless there were too many.
    pub(super) fn takes(&self, key: Key, now: DateTime<Utc>) -> bool {
        let (burst, seconds) = key.limits();
        let each = TimeDelta::seconds(seconds);
        let mut recovered_at = self.keys();
        if recovered_at.len() >= MAX_KEYS {
            recovered_at.retain(|_, at| *at > now);
        }
        let at = recovered_at.get(&key).copied().unwrap_or(now).max(now);
        if at - now > each * (burst - 1) {
            return false;
        }
        recovered_at.insert(key, at + each);
        true
    }

    /// Forgets the attempts: the last one was good.
    pub(super) fn forgive(&self, key: &Key) {
        self.keys().remove(key);
    }

    /// Takes an attempt back that came to nothing, because too many were made at once.
    pub(super) fn give_back(&self, key: &Key) {
        let (_, seconds) = key.limits();
        if let Some(at) = self.keys().get_mut(key) {
            *at -= TimeDelta::seconds(seconds);
        }
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, HashMap<Key, DateTime<Utc>>> {
        // A panic in between leaves at worst a count that is one too low.
        self.recovered_at
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_at_once_and_then_one_every_so_often() {
        let throttle = Throttle::default();
        let account = || Key::Account("agent@example.com".to_owned());
        let now = DateTime::from_timestamp(1_770_000_000, 0).unwrap();
        for _ in 0..ACCOUNT_BURST {
            assert!(throttle.takes(account(), now));
        }
        assert!(!throttle.takes(account(), now));
        assert!(throttle.takes(Key::Account("other@example.com".to_owned()), now));
        let later = now + TimeDelta::seconds(ACCOUNT_SECONDS);
        assert!(throttle.takes(account(), later));
        assert!(!throttle.takes(account(), later));
        throttle.forgive(&account());
        assert!(throttle.takes(account(), later));
    }
}
