//! Every event of every aggregate in one type, as the log and the projection handlers see them.

use std::fmt;

use chrono::NaiveDate;
use cqrs_es::Aggregate;
use serde::Serialize;

use crate::case::{Case, CaseEvent};
use crate::contact::profile::{Contact, ContactEvent};
use crate::held::{Held, HeldEvent};
use crate::ids::{
    AttemptsId, ContactId, ExportId, HeldId, LineId, Reference, SessionId, SurveyId, UserId,
    WhatsappTemplateId,
};
use crate::installation::{self, Installation, InstallationEvent};
use crate::json::read_stored;
use crate::label::{self, LabelEvent, Labels};
use crate::line::{Line, LineEvent};
use crate::people::attempts::{Attempts, AttemptsEvent};
use crate::people::export::{Export, ExportEvent};
use crate::people::session::{Session, SessionEvent};
use crate::people::views::{CaseViews, CaseViewsEvent};
use crate::survey::{Survey, SurveyEvent};
use crate::user::{User, UserEvent};
use crate::whatsapp_template::{WhatsappTemplate, WhatsappTemplateEvent};

/// An event of any aggregate; serialised as the bare event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// Of a case.
    Case(CaseEvent),
    /// Of a contact.
    Contact(ContactEvent),
    /// Of a survey.
    Survey(SurveyEvent),
    /// Of a line.
    Line(LineEvent),
    /// Of a held webhook.
    Held(HeldEvent),
    /// Of a user.
    User(UserEvent),
    /// Of a session.
    Session(SessionEvent),
    /// Of a series of attempts to sign in.
    Attempts(AttemptsEvent),
    /// Of the looks at a case.
    Views(CaseViewsEvent),
    /// Of an export.
    Export(ExportEvent),
    /// Of the installation.
    Installation(InstallationEvent),
    /// Of the labels.
    Labels(LabelEvent),
    /// Of a `WhatsApp` template.
    WhatsappTemplate(WhatsappTemplateEvent),
}

/// The stream that an event belongs to: which aggregate, and which one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// A case.
    Case(Reference),
    /// A contact.
    Contact(ContactId),
    /// A survey.
    Survey(SurveyId),
    /// A line.
    Line(LineId),
    /// A held webhook.
    Held(HeldId),
    /// A user.
    User(UserId),
    /// A session.
    Session(SessionId),
    /// A series of attempts to sign in.
    Attempts(AttemptsId),
    /// The looks at a case on one day.
    Views(Reference, NaiveDate),
    /// An export.
    Export(ExportId),
    /// The installation.
    Installation,
    /// The labels.
    Labels,
    /// A `WhatsApp` template.
    WhatsappTemplate(WhatsappTemplateId),
}

impl StreamId {
    /// The aggregate's type, as the log writes it.
    pub const fn aggregate_type(self) -> &'static str {
        match self {
            Self::Case(_) => Case::TYPE,
            Self::Contact(_) => Contact::TYPE,
            Self::Survey(_) => Survey::TYPE,
            Self::Line(_) => Line::TYPE,
            Self::Held(_) => Held::TYPE,
            Self::User(_) => User::TYPE,
            Self::Session(_) => Session::TYPE,
            Self::Attempts(_) => Attempts::TYPE,
            Self::Views(..) => CaseViews::TYPE,
            Self::Export(_) => Export::TYPE,
            Self::Installation => Installation::TYPE,
            Self::Labels => Labels::TYPE,
            Self::WhatsappTemplate(_) => WhatsappTemplate::TYPE,
        }
    }

    /// The aggregate's id, as the log writes it: a case's reference in digits, with the day behind it (`101-2026-03-01`) for the
    /// looks at it, the words `installation` and `labels` for those of which there is one, and a UUID for the rest.
    pub fn aggregate_id(self) -> String {
        match self {
            Self::Case(reference) => reference.to_string(),
            Self::Contact(id) => id.to_string(),
            Self::Survey(id) => id.to_string(),
            Self::Line(id) => id.to_string(),
            Self::Held(id) => id.to_string(),
            Self::User(id) => id.to_string(),
            Self::Session(id) => id.to_string(),
            Self::Attempts(id) => id.to_string(),
            Self::Views(reference, day) => format!("{reference}-{day}"),
            Self::Export(id) => id.to_string(),
            Self::Installation => installation::STREAM.to_owned(),
            Self::Labels => label::STREAM.to_owned(),
            Self::WhatsappTemplate(id) => id.to_string(),
        }
    }

    /// Reads a stream's name back; `None` where the log holds what this version does not know.
    pub fn parse(aggregate_type: &str, aggregate_id: &str) -> Option<Self> {
        Some(match aggregate_type {
            Case::TYPE => Self::Case(aggregate_id.parse().ok()?),
            Contact::TYPE => Self::Contact(aggregate_id.parse().ok()?),
            Survey::TYPE => Self::Survey(aggregate_id.parse().ok()?),
            Line::TYPE => Self::Line(aggregate_id.parse().ok()?),
            Held::TYPE => Self::Held(aggregate_id.parse().ok()?),
            User::TYPE => Self::User(aggregate_id.parse().ok()?),
            Session::TYPE => Self::Session(aggregate_id.parse().ok()?),
            Attempts::TYPE => Self::Attempts(aggregate_id.parse().ok()?),
            CaseViews::TYPE => {
                let (reference, day) = aggregate_id.split_once('-')?;
                Self::Views(reference.parse().ok()?, day.parse().ok()?)
            }
            Export::TYPE => Self::Export(aggregate_id.parse().ok()?),
            Installation::TYPE if aggregate_id == installation::STREAM => Self::Installation,
            Labels::TYPE if aggregate_id == label::STREAM => Self::Labels,
            WhatsappTemplate::TYPE => Self::WhatsappTemplate(aggregate_id.parse().ok()?),
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
            Self::Contact(event) => event.type_name(),
            Self::Survey(event) => event.type_name(),
            Self::Line(event) => event.type_name(),
            Self::Held(event) => event.type_name(),
            Self::User(event) => event.type_name(),
            Self::Session(event) => event.type_name(),
            Self::Attempts(event) => event.type_name(),
            Self::Views(event) => event.type_name(),
            Self::Export(event) => event.type_name(),
            Self::Installation(event) => event.type_name(),
            Self::Labels(event) => event.type_name(),
            Self::WhatsappTemplate(event) => event.type_name(),
        }
    }

    /// The event's version as it is written today.
    pub const fn version(&self) -> &'static str {
        match self {
            Self::Case(event) => event.version(),
            Self::Contact(event) => event.version(),
            Self::Survey(event) => event.version(),
            Self::Line(event) => event.version(),
            Self::Held(event) => event.version(),
            Self::User(event) => event.version(),
            Self::Session(event) => event.version(),
            Self::Attempts(event) => event.version(),
            Self::Views(event) => event.version(),
            Self::Export(event) => event.version(),
            Self::Installation(event) => event.version(),
            Self::Labels(event) => event.version(),
            Self::WhatsappTemplate(event) => event.version(),
        }
    }

    /// Reads an event from its JSON as the log keeps it.
    ///
    /// # Errors
    ///
    /// The JSON error, where the payload is not an event of that aggregate.
    pub fn from_json(aggregate_type: &str, payload: &str) -> Result<Self, serde_json::Error> {
        match aggregate_type {
            Case::TYPE => read_stored(payload).map(Self::Case),
            Contact::TYPE => read_stored(payload).map(Self::Contact),
            Survey::TYPE => read_stored(payload).map(Self::Survey),
            Line::TYPE => read_stored(payload).map(Self::Line),
            Held::TYPE => read_stored(payload).map(Self::Held),
            User::TYPE => read_stored(payload).map(Self::User),
            Session::TYPE => read_stored(payload).map(Self::Session),
            Attempts::TYPE => read_stored(payload).map(Self::Attempts),
            CaseViews::TYPE => read_stored(payload).map(Self::Views),
            Export::TYPE => read_stored(payload).map(Self::Export),
            Installation::TYPE => read_stored(payload).map(Self::Installation),
            Labels::TYPE => read_stored(payload).map(Self::Labels),
            WhatsappTemplate::TYPE => read_stored(payload).map(Self::WhatsappTemplate),
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

from_event! {
    CaseEvent => Case,
    ContactEvent => Contact,
    SurveyEvent => Survey,
    LineEvent => Line,
    HeldEvent => Held,
    UserEvent => User,
    SessionEvent => Session,
    AttemptsEvent => Attempts,
    CaseViewsEvent => Views,
    ExportEvent => Export,
    InstallationEvent => Installation,
    LabelEvent => Labels,
    WhatsappTemplateEvent => WhatsappTemplate,
}

/// Every aggregate's type with its events' types.
pub const TYPES: &[(&str, &[&str])] = &[
    (Case::TYPE, &CaseEvent::TYPES),
    (Contact::TYPE, &ContactEvent::TYPES),
    (Survey::TYPE, &SurveyEvent::TYPES),
    (Line::TYPE, &LineEvent::TYPES),
    (Held::TYPE, &HeldEvent::TYPES),
    (User::TYPE, &UserEvent::TYPES),
    (Session::TYPE, &SessionEvent::TYPES),
    (Attempts::TYPE, &AttemptsEvent::TYPES),
    (CaseViews::TYPE, &CaseViewsEvent::TYPES),
    (Export::TYPE, &ExportEvent::TYPES),
    (Installation::TYPE, &InstallationEvent::TYPES),
    (Labels::TYPE, &LabelEvent::TYPES),
    (WhatsappTemplate::TYPE, &WhatsappTemplateEvent::TYPES),
];

/// Whether streams of that type tell what people do at Docket beside their work, which is for auditors and owners.
pub fn is_about_people(aggregate_type: &str) -> bool {
    [Session::TYPE, Attempts::TYPE, CaseViews::TYPE, Export::TYPE].contains(&aggregate_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_stream_reads_back() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 1).expect("a day");
        let views = StreamId::Views(Reference::FIRST, day);
        assert_eq!(views.to_string(), "CaseViews/101-2026-03-01");
        for stream in [
            views,
            StreamId::Case(Reference::FIRST),
            StreamId::Session(SessionId(uuid::Uuid::nil())),
        ] {
            let read = StreamId::parse(stream.aggregate_type(), &stream.aggregate_id());
            assert_eq!(read, Some(stream));
        }
        for wrong in ["101", "101-", "101-2026", "-2026-03-01"] {
            assert_eq!(StreamId::parse(CaseViews::TYPE, wrong), None, "{wrong}");
        }
    }
}
