//! Bringing events of old versions into the form that today's code reads.
//!
//! To give an event a new version: raise it in the event's `version`, add an [`Upcaster`] to the end of [`UPCASTERS`] that
//! turns the old payload into the new one, and keep the golden files of both under `domain/tests/golden`. What an old event did
//! not say stays unsaid: an upcaster sees one event and nothing else, so it can neither look anything up nor guess.

use std::borrow::Cow;

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use docket_domain::event::{Event, StreamId};
use docket_domain::json::read_stored;
use serde_json::{Map, Value};

/// Every change of an event's form, oldest first, so that an event of version 1 goes through all that its type has.
const UPCASTERS: &[Upcaster] = &[Upcaster {
    event_type: "StatusChanged",
    from: "1",
    to: "2",
    change: |status_changed| {
        status_changed.insert("question".to_owned(), Value::Null);
    },
}];

/// An upcaster of any event.
pub type AnyUpcaster = Box<dyn EventUpcaster>;

/// How many forms of events this version knows: each type, and each version of one that is brought up to date.
pub(crate) fn known_forms() -> usize {
    let types: usize = docket_domain::event::TYPES
        .iter()
        .map(|(_, types)| types.len())
        .sum();
    types + UPCASTERS.len()
}

/// Every upcaster, in the order in which they apply; stock `postgres-es` takes them as they are.
pub fn upcasters() -> Vec<AnyUpcaster> {
    UPCASTERS
        .iter()
        .map(|upcaster| Box::new(*upcaster) as Box<dyn EventUpcaster>)
        .collect()
}

/// Turns one version of an event into the next. The upcasters of cqrs-es count versions as semantic ones and would write `2.0.0`
/// where the log says `2`.
#[derive(Clone, Copy)]
struct Upcaster {
    event_type: &'static str,
    from: &'static str,
    to: &'static str,
    /// Changes what stands in the payload under the event's type.
    change: fn(&mut Map<String, Value>),
}

impl EventUpcaster for Upcaster {
    fn can_upcast(&self, event_type: &str, event_version: &str) -> bool {
        event_type == self.event_type && event_version == self.from
    }

    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        // A payload of another form stays as it is, and is then found to be unreadable.
        if let Some(Value::Object(fields)) = event.payload.get_mut(self.event_type) {
            (self.change)(fields);
        }
        self.to.clone_into(&mut event.event_version);
        event
    }
}

/// An event that this version of Docket cannot read.
#[derive(Debug, thiserror::Error)]
#[error(
    "event {event_type} version {event_version}, number {sequence} of {aggregate_type}/{aggregate_id}, cannot be read"
)]
pub struct UnreadableEvent {
    /// The aggregate's type.
    pub aggregate_type: String,
    /// The aggregate's id.
    pub aggregate_id: String,
    /// The event's place in its stream.
    pub sequence: i64,
    /// The event's type.
    pub event_type: String,
    /// The event's version.
    pub event_version: String,
    /// What is wrong, where the payload was the trouble.
    pub source: Option<serde_json::Error>,
}

/// An event as the log keeps it.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// The aggregate's type.
    pub aggregate_type: &'a str,
    /// The aggregate's id.
    pub aggregate_id: &'a str,
    /// The event's place in its stream.
    pub sequence: i64,
    /// The event's type.
    pub event_type: &'a str,
    /// The event's version.
    pub event_version: &'a str,
    /// The event as JSON.
    pub payload: &'a str,
}

impl Stored<'_> {
    fn unreadable(&self, source: Option<serde_json::Error>) -> UnreadableEvent {
        UnreadableEvent {
            aggregate_type: self.aggregate_type.to_owned(),
            aggregate_id: self.aggregate_id.to_owned(),
            sequence: self.sequence,
            event_type: self.event_type.to_owned(),
            event_version: self.event_version.to_owned(),
            source,
        }
    }

    /// The event in today's form. Only an event that some upcaster wants is turned into a JSON tree on the way.
    ///
    /// # Errors
    ///
    /// [`UnreadableEvent`], where the aggregate is unknown, the payload is none of its events, or the version is not one that
    /// this Docket has written or brings up to date: a newer one may mean what this one does not know.
    pub fn decode(
        &self,
        upcasters: &[Box<dyn EventUpcaster>],
    ) -> Result<(StreamId, Event), UnreadableEvent> {
        let stream = StreamId::parse(self.aggregate_type, self.aggregate_id)
            .ok_or_else(|| self.unreadable(None))?;
        let is_old = upcasters
            .iter()
            .any(|upcaster| upcaster.can_upcast(self.event_type, self.event_version));
        let read = if is_old {
            self.upcast(upcasters)
        } else {
            Event::from_json(self.aggregate_type, self.payload)
                .map(|event| (event, Cow::Borrowed(self.event_version)))
        };
        let (event, version) = read.map_err(|error| self.unreadable(Some(error)))?;
        if event.version() != version || event.type_name() != self.event_type {
            return Err(self.unreadable(None));
        }
        Ok((stream, event))
    }

    fn upcast(
        &self,
        upcasters: &[Box<dyn EventUpcaster>],
    ) -> Result<(Event, Cow<'_, str>), serde_json::Error> {
        let mut event = SerializedEvent::new(
            self.aggregate_id.to_owned(),
            usize::try_from(self.sequence).unwrap_or_default(),
            self.aggregate_type.to_owned(),
            self.event_type.to_owned(),
            self.event_version.to_owned(),
            read_stored(self.payload)?,
            Value::Null,
        );
        for upcaster in upcasters {
            if upcaster.can_upcast(&event.event_type, &event.event_version) {
                event = upcaster.upcast(event);
            }
        }
        let today = Event::from_json(self.aggregate_type, &event.payload.to_string())?;
        Ok((today, Cow::Owned(event.event_version)))
    }
}

#[cfg(test)]
mod tests {
    use docket_domain::case::CaseEvent;

    use super::*;

    fn stored<'a>(event_type: &'a str, event_version: &'a str, payload: &'a str) -> Stored<'a> {
        Stored {
            aggregate_type: "Case",
            aggregate_id: "101",
            sequence: 2,
            event_type,
            event_version,
            payload,
        }
    }

    const VERSION_1: &str =
        r#"{"StatusChanged": {"from": "New", "to": "Resolved", "closed": true}}"#;

    #[test]
    fn the_first_version_of_a_changed_status_names_no_question() {
        let (_, event) = stored("StatusChanged", "1", VERSION_1)
            .decode(&upcasters())
            .unwrap();
        let expected = CaseEvent::StatusChanged {
            question: None,
            from: Some("New".into()),
            to: "Resolved".into(),
            closed: true,
        };
        assert_eq!(event, expected.into());
    }

    #[test]
    fn an_old_form_under_a_new_version_is_unreadable() {
        let error = stored("StatusChanged", "2", VERSION_1)
            .decode(&upcasters())
            .unwrap_err();
        assert!(error.source.is_some());
    }

    #[test]
    fn a_version_of_tomorrow_is_unreadable() {
        let payload = r#"{"MessageSending": {"message_id": "01957a00-0000-7000-8000-000000000001", "attempt": 1}}"#;
        assert!(
            stored("MessageSending", "1", payload)
                .decode(&upcasters())
                .is_ok()
        );
        let error = stored("MessageSending", "2", payload)
            .decode(&upcasters())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "event MessageSending version 2, number 2 of Case/101, cannot be read"
        );
    }

    #[test]
    fn a_payload_that_is_another_event_is_unreadable() {
        assert!(
            stored("NoteAdded", "1", VERSION_1)
                .decode(&upcasters())
                .is_err()
        );
    }

    #[test]
    fn every_upcaster_leads_to_the_next_version() {
        for upcaster in UPCASTERS {
            let number = |version: &str| version.parse::<u32>().unwrap();
            assert_eq!(
                number(upcaster.to),
                number(upcaster.from) + 1,
                "{}",
                upcaster.event_type
            );
        }
    }
}
