//! What an append writes, and where it ended. The statement itself writes read models besides: `read::combined`.

use chrono::{DateTime, Utc};
use docket_domain::event::Event;

use super::recorded::Recorded;

/// Where an append ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of the last event appended.
    pub position: i64,
    /// The transaction's id, by which a commit that broke off can be asked after.
    pub transaction_id: String,
}

/// Events as columns of `events`, in order; their positions are given when they are written.
#[derive(Debug, Default)]
pub(crate) struct EventColumns {
    pub(crate) aggregate_types: Vec<&'static str>,
    pub(crate) aggregate_ids: Vec<String>,
    pub(crate) sequences: Vec<i64>,
    pub(crate) event_types: Vec<&'static str>,
    pub(crate) event_versions: Vec<&'static str>,
    pub(crate) payloads: Vec<String>,
    pub(crate) metadata: Vec<String>,
    pub(crate) recorded_at: Vec<DateTime<Utc>>,
    /// Whether the settings in memory are out of date after them.
    pub(crate) change_settings: bool,
}

impl EventColumns {
    /// # Errors
    ///
    /// An event that cannot be written as JSON, as [`sqlx::Error::Encode`].
    pub(crate) fn of(events: &[Recorded]) -> Result<Self, sqlx::Error> {
        let mut columns = Self::default();
        for recorded in events {
            let Recorded {
                stream,
                event,
                metadata,
                ..
            } = recorded;
            columns.aggregate_types.push(stream.aggregate_type());
            columns.aggregate_ids.push(stream.aggregate_id());
            columns.sequences.push(recorded.sequence.cast_signed());
            columns.event_types.push(event.type_name());
            columns.event_versions.push(event.version());
            columns
                .payloads
                .push(serde_json::to_string(event).map_err(encode_error)?);
            columns
                .metadata
                .push(serde_json::to_string(metadata).map_err(encode_error)?);
            columns.recorded_at.push(recorded.recorded_at);
            columns.change_settings |= is_settings(recorded);
        }
        Ok(columns)
    }
}

fn encode_error(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}

/// Whether caches of surveys and lines are out of date after the event.
pub(crate) const fn is_settings(recorded: &Recorded) -> bool {
    matches!(recorded.event, Event::Survey(_) | Event::Line(_))
}
