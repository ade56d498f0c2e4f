//! Bringing events of old versions into the form that today's code reads.
//!
//! To give an event a new version: raise it in the event's `version`, add an upcaster here that turns the old payload into the
//! new one, and keep the golden files of both under `domain/tests/golden`.

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use docket_domain::event::{Event, StreamId};
use serde_json::Value;

/// Every upcaster, in the order in which they apply.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    vec![]
}

/// An event that this version of Docket cannot read.
#[derive(Debug, thiserror::Error)]
#[error("event {event_type} version {event_version}, number {sequence} of {aggregate_type}/{aggregate_id}, cannot be read")]
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
    /// [`UnreadableEvent`], where the aggregate is unknown or the payload is none of its events.
    pub fn decode(&self, upcasters: &[Box<dyn EventUpcaster>]) -> Result<(StreamId, Event), UnreadableEvent> {
        let stream = StreamId::parse(self.aggregate_type, self.aggregate_id).ok_or_else(|| self.unreadable(None))?;
        let is_old = upcasters.iter().any(|upcaster| upcaster.can_upcast(self.event_type, self.event_version));
        let event = if is_old { self.upcast(upcasters) } else { Event::from_json(self.aggregate_type, self.payload) };
        event.map(|event| (stream, event)).map_err(|error| self.unreadable(Some(error)))
    }

    fn upcast(&self, upcasters: &[Box<dyn EventUpcaster>]) -> Result<Event, serde_json::Error> {
        let mut event = SerializedEvent::new(
            self.aggregate_id.to_owned(),
            usize::try_from(self.sequence).unwrap_or_default(),
            self.aggregate_type.to_owned(),
            self.event_type.to_owned(),
            self.event_version.to_owned(),
            serde_json::from_str(self.payload)?,
            Value::Null,
        );
        for upcaster in upcasters {
            if upcaster.can_upcast(&event.event_type, &event.event_version) {
                event = upcaster.upcast(event);
            }
        }
        Event::from_json(self.aggregate_type, &event.payload.to_string())
    }
}
