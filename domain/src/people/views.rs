//! Who looked at a case, on one day.

use std::convert::Infallible;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::aggregate;
use crate::ids::{Reference, TokenId, UserId};

/// Somebody who looks at a case again within so long a time is not recorded again.
pub const WINDOW: TimeDelta = TimeDelta::minutes(10);

/// An event of [`CaseViews`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaseViewsEvent {
    /// Somebody looked at the case.
    CaseViewed {
        /// The case.
        reference: Reference,
        /// Who.
        user_id: UserId,
        /// Their token, where a program did it in their name.
        token_id: Option<TokenId>,
        /// When they were shown it.
        at: DateTime<Utc>,
    },
}

/// A command to [`CaseViews`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseViewsCommand {
    /// Record that somebody looked at the case.
    View {
        /// The case.
        reference: Reference,
        /// Who.
        user_id: UserId,
        /// Their token, where a program did it in their name.
        token_id: Option<TokenId>,
        /// When.
        at: DateTime<Utc>,
    },
}

/// When somebody looked last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Looked {
    user_id: UserId,
    token_id: Option<TokenId>,
    at: DateTime<Utc>,
}

/// The looks at a case on one day (UTC), as the events have made them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseViews {
    version: u64,
    last: Vec<Looked>,
}

impl CaseViews {
    /// How many events there are.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Decides a command: the same person, with the same token or without one, is recorded every ten minutes at most.
    ///
    /// # Errors
    ///
    /// None.
    pub fn decide(&self, command: CaseViewsCommand) -> Result<Vec<CaseViewsEvent>, Infallible> {
        let CaseViewsCommand::View {
            reference,
            user_id,
            token_id,
            at,
        } = command;
        let is_again = self.last.iter().any(|last| {
            (last.user_id, last.token_id) == (user_id, token_id) && at - last.at < WINDOW
        });
        if is_again {
            return Ok(vec![]);
        }
        Ok(vec![CaseViewsEvent::CaseViewed {
            reference,
            user_id,
            token_id,
            at,
        }])
    }

    /// Takes one event in.
    pub fn evolve(&mut self, event: &CaseViewsEvent) {
        self.version += 1;
        let CaseViewsEvent::CaseViewed {
            user_id,
            token_id,
            at,
            ..
        } = event;
        self.last
            .retain(|last| (last.user_id, last.token_id) != (*user_id, *token_id));
        self.last.push(Looked {
            user_id: *user_id,
            token_id: *token_id,
            at: *at,
        });
    }
}

aggregate! { CaseViews = "CaseViews", CaseViewsCommand, CaseViewsEvent, Infallible; CaseViewed }

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use uuid::Uuid;

    use super::*;

    fn view(user: u128, token: Option<u128>, minutes: i64) -> CaseViewsCommand {
        CaseViewsCommand::View {
            reference: Reference::FIRST,
            user_id: UserId(Uuid::from_u128(user)),
            token_id: token.map(|token| TokenId(Uuid::from_u128(token))),
            at: DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes),
        }
    }

    fn viewed(user: u128, token: Option<u128>, minutes: i64) -> CaseViewsEvent {
        CaseViews::default()
            .decide(view(user, token, minutes))
            .unwrap()
            .remove(0)
    }

    #[test]
    fn the_same_person_is_recorded_every_ten_minutes_at_most() {
        let given = |events| TestFramework::<CaseViews>::with(()).given(events);
        given(vec![viewed(1, None, 0)])
            .when(view(1, None, 9))
            .then_expect_events(vec![]);
        given(vec![viewed(1, None, 0)])
            .when(view(1, None, 10))
            .then_expect_events(vec![viewed(1, None, 10)]);
        // Another person, and the same one's program, are looks of their own.
        given(vec![viewed(1, None, 0)])
            .when(view(2, None, 1))
            .then_expect_events(vec![viewed(2, None, 1)]);
        given(vec![viewed(1, None, 0), viewed(1, Some(7), 5)])
            .when(view(1, Some(7), 14))
            .then_expect_events(vec![]);
        given(vec![viewed(1, None, 0), viewed(1, None, 10)])
            .when(view(1, None, 19))
            .then_expect_events(vec![]);
    }
}
