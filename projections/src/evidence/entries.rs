//! The log's events as what is hashed.

use chrono::{DateTime, Utc};
use docket_domain::event::StreamId;
use sqlx::PgExecutor;

use super::leaf::Leaf;

/// An event as the log keeps it, with its JSON as text.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the log, from 1.
    pub position: i64,
    /// The type of its stream.
    pub aggregate_type: String,
    /// Which stream of that type.
    pub aggregate_id: String,
    /// Its place in its stream, from 1.
    pub sequence: i64,
    /// What happened.
    pub event_type: String,
    /// In which version it was written.
    pub event_version: String,
    /// The payload.
    pub payload: String,
    /// The metadata.
    pub metadata: String,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

impl Entry {
    /// What is hashed of it.
    pub fn leaf(&self) -> Leaf<'_> {
        Leaf {
            position: self.position,
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            sequence: self.sequence,
            event_type: &self.event_type,
            event_version: &self.event_version,
            payload: &self.payload,
            metadata: &self.metadata,
            recorded_at: self.recorded_at,
        }
    }
}

/// The events behind position `after`, in order, at most `limit`.
///
/// # Errors
///
/// The database's error.
pub async fn page(
    executor: impl PgExecutor<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as!(
        Entry,
        r#"SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
                  metadata::text AS "metadata!", recorded_at
             FROM events WHERE position > $1 ORDER BY position LIMIT $2"#,
        after,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// The events of a stream behind sequence `after`, up to position `last`, in order, at most `limit`.
///
/// # Errors
///
/// The database's error.
pub async fn stream(
    executor: impl PgExecutor<'_>,
    stream: StreamId,
    after: i64,
    last: i64,
    limit: i64,
) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as!(
        Entry,
        r#"SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
                  metadata::text AS "metadata!", recorded_at
             FROM events
            WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 AND position <= $4
            ORDER BY sequence LIMIT $5"#,
        stream.aggregate_type(),
        stream.aggregate_id(),
        after,
        last,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// Where a stream's events stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// How many events it has.
    pub events: i64,
    /// The position of its first event.
    pub first: i64,
    /// The position of its last event.
    pub last: i64,
}

/// Where a stream's events stand; `None` where it has none.
///
/// # Errors
///
/// The database's error.
pub async fn extent(
    executor: impl PgExecutor<'_>,
    stream: StreamId,
) -> Result<Option<Extent>, sqlx::Error> {
    sqlx::query_as!(
        Extent,
        r#"SELECT last.sequence AS "events!", first.position AS "first!", last.position AS "last!"
             FROM (SELECT position FROM events WHERE aggregate_type = $1 AND aggregate_id = $2
                    ORDER BY sequence LIMIT 1) AS first
            CROSS JOIN (SELECT sequence, position FROM events WHERE aggregate_type = $1 AND aggregate_id = $2
                         ORDER BY sequence DESC LIMIT 1) AS last"#,
        stream.aggregate_type(),
        stream.aggregate_id(),
    )
    .fetch_optional(executor)
    .await
}

/// The newest events of a stream up to position `last`, the newest first, at most `limit`.
///
/// # Errors
///
/// The database's error.
pub async fn newest(
    executor: impl PgExecutor<'_>,
    stream: StreamId,
    last: i64,
    limit: i64,
) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as!(
        Entry,
        r#"SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
                  metadata::text AS "metadata!", recorded_at
             FROM events
            WHERE aggregate_type = $1 AND aggregate_id = $2 AND position <= $3
            ORDER BY sequence DESC LIMIT $4"#,
        stream.aggregate_type(),
        stream.aggregate_id(),
        last,
        limit,
    )
    .fetch_all(executor)
    .await
}
