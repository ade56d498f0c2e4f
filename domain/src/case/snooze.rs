//! A case that is put off until later.
//!
//! A snoozed case is open: messages reach it as before. It only leaves the views of open cases, until its time has come, until a
//! message of the contact reaches it, or until somebody wakes it or closes it. Each of these is an event of its own.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{CaseError, CaseEvent, State};

/// How far ahead a case can be snoozed, in days.
pub const MAX_SNOOZE_DAYS: i64 = 366;

/// The log and its tables keep microseconds.
const SUBSECOND_DIGITS: u16 = 6;

/// Why a snooze ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WakeReason {
    /// Its time had come.
    Due,
    /// A message of the contact reached the case.
    Message,
    /// Somebody ended it.
    ByHand,
    /// The case was closed.
    Closed,
}

impl WakeReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Due, Self::Message, Self::ByHand, Self::Closed];

    /// The name in the log, the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Message => "message",
            Self::ByHand => "by_hand",
            Self::Closed => "closed",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

impl State {
    pub(super) fn snooze(
        &self,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        self.must_be_open()?;
        let until = until.trunc_subsecs(SUBSECOND_DIGITS);
        if until <= now || until > now + TimeDelta::days(MAX_SNOOZE_DAYS) {
            return Err(CaseError::SnoozeTime);
        }
        if self.snoozed_until == Some(until) {
            return Ok(vec![]);
        }
        Ok(vec![CaseEvent::CaseSnoozed {
            from: self.snoozed_until,
            until,
        }])
    }

    /// Ends the snooze at its time: only the one that ends at `until`, since somebody may have chosen another time meanwhile.
    pub(super) fn wake_when_due(&self, until: DateTime<Utc>) -> Vec<CaseEvent> {
        if self.snoozed_until == Some(until) {
            self.wake(WakeReason::Due)
        } else {
            vec![]
        }
    }

    /// Ends the snooze, where there is one.
    pub(super) fn wake(&self, reason: WakeReason) -> Vec<CaseEvent> {
        match self.snoozed_until {
            Some(until) => vec![CaseEvent::CaseWoken { until, reason }],
            None => vec![],
        }
    }

    /// An event after which the case is not snoozed any more.
    pub(super) fn waking(&self, event: CaseEvent, reason: WakeReason) -> Vec<CaseEvent> {
        let mut events = vec![event];
        events.extend(self.wake(reason));
        events
    }
}
