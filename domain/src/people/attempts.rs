//! Attempts to sign in that failed.
//!
//! What is recorded is bounded, so that nobody can fill the log by failing: the first attempt for one address from one place is an
//! event, those of the next minutes are counted together in a second one, and where too many addresses are tried they are counted
//! under no address at all. A password is never part of it.

use std::convert::Infallible;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::aggregate;
use crate::ids::{AttemptsId, UserId};
use crate::personal::Personal;
use crate::text::normalise;

/// Attempts of so long a time are counted together.
pub const WINDOW: TimeDelta = TimeDelta::minutes(10);
/// So many characters of an address are kept at most, as it was typed.
pub const MAX_EMAIL_CHARS: usize = 100;

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The address is nobody's, or the password is not theirs.
    Wrong,
    /// There had been too many, so that the password was not looked at.
    TooOften,
}

/// An event of [`Attempts`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptsEvent {
    /// Somebody tried to sign in and failed.
    SignInFailed {
        /// The id of this series of attempts.
        attempts_id: AttemptsId,
        /// The address as it was typed, cut to 100 characters; null where so many were tried that they are counted together.
        email: Option<Personal<String>>,
        /// Whose address it is, where it is known.
        user_id: Option<UserId>,
        /// The network address that the request came from, where it is known.
        from: Option<Personal<String>>,
        /// Why.
        why: Refusal,
        /// When.
        at: DateTime<Utc>,
    },
    /// It was tried again with the same address from the same place, in the minutes after.
    SignInFailedAgain {
        /// How often.
        times: u32,
        /// When it was tried last.
        until: DateTime<Utc>,
    },
}

/// A command to [`Attempts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptsCommand {
    /// Record the first attempt, by its event.
    Begin(AttemptsEvent),
    /// Record how often it was tried again.
    Again {
        /// How often.
        times: u32,
        /// When it was tried last.
        until: DateTime<Utc>,
    },
}

/// A series of attempts as its events have made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    version: u64,
}

impl Attempts {
    /// How many events it has.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Decides a command: there is one first attempt, and one event for all others.
    ///
    /// # Errors
    ///
    /// None.
    pub fn decide(&self, command: AttemptsCommand) -> Result<Vec<AttemptsEvent>, Infallible> {
        Ok(match (command, self.version) {
            (AttemptsCommand::Begin(event @ AttemptsEvent::SignInFailed { .. }), 0) => vec![event],
            (AttemptsCommand::Again { times, until }, 1) if times > 0 => {
                vec![AttemptsEvent::SignInFailedAgain { times, until }]
            }
            _ => vec![],
        })
    }

    /// Takes one event in.
    pub const fn evolve(&mut self, _: &AttemptsEvent) {
        self.version += 1;
    }
}

/// An address as it was typed, cut to what is kept: on one line, without what moves a cursor.
pub fn typed(email: &str) -> Personal<String> {
    let email = normalise::typed(email);
    let plain = email.chars().filter(|c| !c.is_control());
    Personal(plain.take(MAX_EMAIL_CHARS).collect())
}

aggregate! { Attempts = "SignInAttempts", AttemptsCommand, AttemptsEvent, Infallible; SignInFailed, SignInFailedAgain }

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_series_has_two_events_at_most() {
        let first = AttemptsEvent::SignInFailed {
            attempts_id: AttemptsId(Uuid::nil()),
            email: Some(typed("nobody@example.com")),
            user_id: None,
            from: None,
            why: Refusal::Wrong,
            at: DateTime::UNIX_EPOCH,
        };
        let again = |times| AttemptsCommand::Again {
            times,
            until: DateTime::UNIX_EPOCH,
        };
        let counted = AttemptsEvent::SignInFailedAgain {
            times: 4_000,
            until: DateTime::UNIX_EPOCH,
        };
        let given = |events| TestFramework::<Attempts>::with(()).given(events);
        given(vec![])
            .when(AttemptsCommand::Begin(first.clone()))
            .then_expect_events(vec![first.clone()]);
        given(vec![first.clone()])
            .when(AttemptsCommand::Begin(first.clone()))
            .then_expect_events(vec![]);
        given(vec![first.clone()])
            .when(again(0))
            .then_expect_events(vec![]);
        given(vec![first.clone()])
            .when(again(4_000))
            .then_expect_events(vec![counted.clone()]);
        given(vec![first, counted])
            .when(again(1))
            .then_expect_events(vec![]);
        given(vec![]).when(again(1)).then_expect_events(vec![]);
    }

    #[test]
    fn what_was_typed_is_cut_and_stays_on_one_line() {
        assert_eq!(typed(" a\r\nb\u{1b}[2J ").0, "ab[2J");
        assert_eq!(typed(&"é".repeat(5_000)).0.chars().count(), MAX_EMAIL_CHARS);
    }
}
