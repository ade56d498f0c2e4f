//! Every event of every aggregate in one type, as the log and the projection handlers see them.

use std::fmt;

use cqrs_es::Aggregate;
use serde::Serialize;

use crate::case::{Case, CaseEvent};
use crate::held::{Held, HeldEvent};
use crate::ids::{HeldId, LineId, Reference, SurveyId, UserId};
use crate::installation::{self, Installation, InstallationEvent};
use crate::line::{Line, LineEvent};
use crate::survey::{Survey, SurveyEvent};
use crate::user::{User, UserEvent};

/// An event of any aggregate; serialised as the bare event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// Of a case.
    Case(CaseEvent),
    /// Of a survey.
    Survey(SurveyEvent),
    /// Of a line.
    Line(LineEvent),
    /// Of a held webhook.
    Held(HeldEvent),
    /// Of a user.
    User(UserEvent),
    /// Of the installation.
    Installation(InstallationEvent),
}

/// The stream that an event belongs to: which aggregate, and which one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// A case.
    Case(Reference),
    /// A survey.
    Survey(SurveyId),
    /// A line.
    Line(LineId),
    /// A held webhook.
    Held(HeldId),
    /// A user.
    User(UserId),
    /// The installation.
    Installation,
}

impl StreamId {
    /// The aggregate's type, as the log writes it.
    pub const fn aggregate_type(self) -> &'static str {
        match self {
            Self::Case(_) => Case::TYPE,
            Self::Survey(_) => Survey::TYPE,
            Self::Line(_) => Line::TYPE,
            Self::Held(_) => Held::TYPE,
            Self::User(_) => User::TYPE,
            Self::Installation => Installation::TYPE,
        }
    }

    /// The aggregate's id, as the log writes it: a case's reference in digits, the word `installation` for the one that there
    /// is, a UUID for the rest.
    pub fn aggregate_id(self) -> String {
        match self {
            Self::Case(reference) => reference.to_string(),
            Self::Survey(id) => id.to_string(),
            Self::Line(id) => id.to_string(),
            Self::Held(id) => id.to_string(),
            Self::User(id) => id.to_string(),
            Self::Installation => installation::STREAM.to_owned(),
        }
    }

    /// Reads a stream's name back; `None` where the log holds what this version does not know.
    pub fn parse(aggregate_type: &str, aggregate_id: &str) -> Option<Self> {
        Some(match aggregate_type {
            Case::TYPE => Self::Case(aggregate_id.parse().ok()?),
            Survey::TYPE => Self::Survey(aggregate_id.parse().ok()?),
            Line::TYPE => Self::Line(aggregate_id.parse().ok()?),
            Held::TYPE => Self::Held(aggregate_id.parse().ok()?),
            User::TYPE => Self::User(aggregate_id.parse().ok()?),
            Installation::TYPE if aggregate_id == installation::STREAM => Self::Installation,
            _ => return None,
        })
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.aggregate_type(), self.aggregate_id())
    }
}

impl Event {
    /// The event's type.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Case(event) => event.type_name(),
            Self::Survey(event) => event.type_name(),
            Self::Line(event) => event.type_name(),
            Self::Held(event) => event.type_name(),
            Self::User(event) => event.type_name(),
            Self::Installation(event) => event.type_name(),
        }
    }

    /// The event's version as it is written today.
    pub const fn version(&self) -> &'static str {
        match self {
            Self::Case(event) => event.version(),
            Self::Survey(event) => event.version(),
            Self::Line(event) => event.version(),
            Self::Held(event) => event.version(),
            Self::User(event) => event.version(),
            Self::Installation(event) => event.version(),
        }
    }

    /// Reads an event from its JSON.
    ///
    /// # Errors
    ///
    /// The JSON error, where the payload is not an event of that aggregate.
    pub fn from_json(aggregate_type: &str, payload: &str) -> Result<Self, serde_json::Error> {
        match aggregate_type {
            Case::TYPE => serde_json::from_str(payload).map(Self::Case),
            Survey::TYPE => serde_json::from_str(payload).map(Self::Survey),
            Line::TYPE => serde_json::from_str(payload).map(Self::Line),
            Held::TYPE => serde_json::from_str(payload).map(Self::Held),
            User::TYPE => serde_json::from_str(payload).map(Self::User),
            Installation::TYPE => serde_json::from_str(payload).map(Self::Installation),
            _ => Err(serde::de::Error::custom(
                "an aggregate type that this version does not know",
            )),
        }
    }
}

macro_rules! from_event {
    ($($event:ident => $variant:ident),+ $(,)?) => {$(
        impl From<$event> for Event {
            fn from(event: $event) -> Self {
                Self::$variant(event)
            }
        }
    )+};
}

from_event! { CaseEvent => Case, SurveyEvent => Survey, LineEvent => Line, HeldEvent => Held, UserEvent => User, InstallationEvent => Installation }
