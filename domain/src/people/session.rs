//! Somebody who is signed in with a browser, from the sign-in to the sign-out.

use std::convert::Infallible;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::aggregate;
use crate::ids::{SessionId, UserId};
use crate::personal::Personal;

/// How a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignOut {
    /// In the browser itself.
    Here,
    /// From another browser of the person's, by its line in the list of sessions.
    Elsewhere,
    /// With all other sessions of the person's.
    Everywhere,
}

/// An event of a [`Session`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionEvent {
    /// Somebody signed in.
    SignedIn {
        /// The session's id.
        session_id: SessionId,
        /// Who.
        user_id: UserId,
        /// Their address at that time.
        email: Personal<String>,
        /// The browser in a few words.
        browser: String,
        /// The network address that the request came from, where it is known.
        from: Option<Personal<String>>,
        /// When the session ends by itself, used or not.
        until: DateTime<Utc>,
    },
    /// The session was ended.
    SignedOut {
        /// How.
        how: SignOut,
    },
}

/// A command to a [`Session`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// Begin it, with the event that says so.
    Begin {
        /// The session's id.
        session_id: SessionId,
        /// Who.
        user_id: UserId,
        /// Their address.
        email: Personal<String>,
        /// The browser in a few words.
        browser: String,
        /// Where the request came from.
        from: Option<Personal<String>>,
        /// When it ends by itself.
        until: DateTime<Utc>,
    },
    /// End it. One that began before sessions were recorded can be ended too.
    End {
        /// How.
        how: SignOut,
    },
}

/// A session as its events have made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    version: u64,
    is_ended: bool,
}

impl Session {
    /// How many events it has.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Decides a command. What was done already gives no event.
    ///
    /// # Errors
    ///
    /// None.
    pub fn decide(&self, command: SessionCommand) -> Result<Vec<SessionEvent>, Infallible> {
        Ok(match command {
            SessionCommand::Begin { .. } if self.version > 0 => vec![],
            SessionCommand::Begin {
                session_id,
                user_id,
                email,
                browser,
                from,
                until,
            } => vec![SessionEvent::SignedIn {
                session_id,
                user_id,
                email,
                browser,
                from,
                until,
            }],
            SessionCommand::End { .. } if self.is_ended => vec![],
            SessionCommand::End { how } => vec![SessionEvent::SignedOut { how }],
        })
    }

    /// Takes one event in.
    pub const fn evolve(&mut self, event: &SessionEvent) {
        self.version += 1;
        if matches!(event, SessionEvent::SignedOut { .. }) {
            self.is_ended = true;
        }
    }
}

aggregate! { Session = "Session", SessionCommand, SessionEvent, Infallible; SignedIn, SignedOut }

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use uuid::Uuid;

    use super::*;

    fn begin() -> SessionCommand {
        SessionCommand::Begin {
            session_id: SessionId(Uuid::nil()),
            user_id: UserId(Uuid::nil()),
            email: "agent@example.com".into(),
            browser: "Firefox on Linux".into(),
            from: Some("127.0.0.1".into()),
            until: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_session_begins_and_ends_once() {
        let begun = Session::default().decide(begin()).unwrap();
        assert_eq!(begun.len(), 1);
        let end = SessionCommand::End { how: SignOut::Here };
        let ended = SessionEvent::SignedOut { how: SignOut::Here };
        let given = |events| TestFramework::<Session>::with(()).given(events);
        given(begun.clone())
            .when(begin())
            .then_expect_events(vec![]);
        given(begun.clone())
            .when(end.clone())
            .then_expect_events(vec![ended.clone()]);
        // Begun before sessions were recorded.
        given(vec![])
            .when(end.clone())
            .then_expect_events(vec![ended.clone()]);
        given([begun, vec![ended]].concat())
            .when(end)
            .then_expect_events(vec![]);
    }
}
