//! Reading the log: by stream, and by position.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use cqrs_es::persist::EventUpcaster;
use docket_domain::event::StreamId;
use docket_domain::ids::Reference;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::recorded::Recorded;
use super::upcasters::{Stored, UnreadableEvent};

/// So many positions apart at most are the events of one operation in two cases.
const RECORDED_TOGETHER: i64 = 16;

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database failed.
    #[error("the log could not be read")]
    Database(#[from] sqlx::Error),
    /// An event is not of a form that this version knows.
    #[error(transparent)]
    Unreadable(#[from] UnreadableEvent),
    /// An event's metadata is not of the form that this version knows.
    #[error("the metadata of the event at position {position} cannot be read")]
    Metadata {
        /// The event's position.
        position: i64,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// An event as the log keeps it, for history, feeds and exports.
#[derive(Clone, Debug, Serialize)]
pub struct LogEvent {
    /// Its place in the log, from 1, without a gap.
    pub position: i64,
    /// Of which aggregate: `Case`, `Survey`, `Line`, `HeldWebhook`, `User`, or what people do beside their work.
    pub aggregate_type: String,
    /// Which one of them: a case's reference, a UUID for the rest.
    pub aggregate_id: String,
    /// Its place in its stream, from 1.
    pub sequence: i64,
    /// What happened.
    pub event_type: String,
    /// In which version it was written.
    pub event_version: String,
    /// The event, as it was written.
    pub payload: Box<RawValue>,
    /// Who, by which way and why: `actor`, `user_id`, `email`, `via`, `token_id`, `request_id`, `client_request_id`, `cause`.
    pub metadata: Box<RawValue>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// An event as the log keeps it, read to be decoded and nothing else: its JSON is looked at once.
pub(crate) struct Decodable(Row);

impl Decodable {
    /// Its place in the log.
    pub(crate) const fn position(&self) -> i64 {
        self.0.position
    }

    /// The event in today's form, with its circumstances.
    ///
    /// # Errors
    ///
    /// [`ReadError::Unreadable`] or [`ReadError::Metadata`].
    pub(crate) fn decode(
        &self,
        upcasters: &[Box<dyn EventUpcaster>],
    ) -> Result<Recorded, ReadError> {
        self.0.decode(upcasters)
    }
}

pub(super) struct Row {
    pub(super) position: i64,
    pub(super) aggregate_type: String,
    pub(super) aggregate_id: String,
    pub(super) sequence: i64,
    pub(super) event_type: String,
    pub(super) event_version: String,
    pub(super) payload: String,
    pub(super) metadata: String,
    pub(super) recorded_at: DateTime<Utc>,
}

impl LogEvent {
    /// What the event says: what stands in the payload under the event's type, which the log writes around it.
    pub fn data(&self) -> &RawValue {
        let inner = serde_json::from_str::<HashMap<&str, &RawValue>>(self.payload.get())
            .ok()
            .filter(|members| members.len() == 1)
            .and_then(|members| members.get(self.event_type.as_str()).copied());
        inner.unwrap_or(&self.payload)
    }

    /// The event in today's form, with its circumstances.
    ///
    /// # Errors
    ///
    /// [`ReadError::Unreadable`] or [`ReadError::Metadata`].
    pub fn decode(&self, upcasters: &[Box<dyn EventUpcaster>]) -> Result<Recorded, ReadError> {
        let stored = Stored {
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            sequence: self.sequence,
            event_type: &self.event_type,
            event_version: &self.event_version,
            payload: self.payload.get(),
        };
        let circumstances = Circumstances {
            position: self.position,
            metadata: self.metadata.get(),
            recorded_at: self.recorded_at,
        };
        circumstances.decode(&stored, upcasters)
    }
}

/// What the log keeps beside an event.
struct Circumstances<'a> {
    position: i64,
    metadata: &'a str,
    recorded_at: DateTime<Utc>,
}

impl Circumstances<'_> {
    fn decode(
        self,
        stored: &Stored<'_>,
        upcasters: &[Box<dyn EventUpcaster>],
    ) -> Result<Recorded, ReadError> {
        let (stream, event) = stored.decode(upcasters)?;
        let metadata =
            serde_json::from_str(self.metadata).map_err(|source| ReadError::Metadata {
                position: self.position,
                source,
            })?;
        Ok(Recorded {
            stream,
            sequence: stored.sequence.cast_unsigned(),
            event,
            metadata,
            recorded_at: self.recorded_at,
        })
    }
}

impl Row {
    fn decode(&self, upcasters: &[Box<dyn EventUpcaster>]) -> Result<Recorded, ReadError> {
        let stored = Stored {
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            sequence: self.sequence,
            event_type: &self.event_type,
            event_version: &self.event_version,
            payload: &self.payload,
        };
        let circumstances = Circumstances {
            position: self.position,
            metadata: &self.metadata,
            recorded_at: self.recorded_at,
        };
        circumstances.decode(&stored, upcasters)
    }
}

impl TryFrom<Row> for LogEvent {
    type Error = ReadError;

    fn try_from(row: Row) -> Result<Self, ReadError> {
        let raw = |text| {
            RawValue::from_string(text).map_err(|source| ReadError::Metadata {
                position: row.position,
                source,
            })
        };
        Ok(Self {
            position: row.position,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            event_type: row.event_type,
            event_version: row.event_version,
            payload: raw(row.payload)?,
            metadata: raw(row.metadata)?,
            recorded_at: row.recorded_at,
        })
    }
}

pub(super) fn collect(rows: Vec<Row>) -> Result<Vec<LogEvent>, ReadError> {
    rows.into_iter().map(LogEvent::try_from).collect()
}

/// The events behind position `after`, in order, at most `limit`.
///
/// # Errors
///
/// [`ReadError`].
pub async fn page(
    executor: impl PgExecutor<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<LogEvent>, ReadError> {
    collect(rows(executor, after, limit).await?)
}

/// The same, for whoever decodes them and needs no JSON.
///
/// # Errors
///
/// The database's error.
pub(crate) async fn decodable_page(
    executor: impl PgExecutor<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<Decodable>, ReadError> {
    Ok(rows(executor, after, limit)
        .await?
        .into_iter()
        .map(Decodable)
        .collect())
}

async fn rows(
    executor: impl PgExecutor<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
                  metadata::text AS "metadata!", recorded_at
             FROM events WHERE position > $1 ORDER BY position LIMIT $2"#,
        after,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// The events of one stream behind `after` (0 for all), in order, at most `limit`.
///
/// # Errors
///
/// [`ReadError`].
pub async fn stream(
    executor: impl PgExecutor<'_>,
    stream: StreamId,
    after: i64,
    limit: i64,
) -> Result<Vec<LogEvent>, ReadError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
                  metadata::text AS "metadata!", recorded_at
             FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 ORDER BY sequence LIMIT $4"#,
        stream.aggregate_type(),
        stream.aggregate_id(),
        after,
        limit,
    )
    .fetch_all(executor)
    .await?;
    collect(rows)
}

/// The events of several streams, each behind a sequence of its own, ordered by stream and sequence.
///
/// # Errors
///
/// [`ReadError`].
pub(crate) async fn streams(
    conn: &mut PgConnection,
    wanted: &[(StreamId, u64)],
) -> Result<Vec<LogEvent>, ReadError> {
    let types: Vec<_> = wanted
        .iter()
        .map(|(stream, _)| stream.aggregate_type())
        .collect();
    let ids: Vec<_> = wanted
        .iter()
        .map(|(stream, _)| stream.aggregate_id())
        .collect();
    let after: Vec<_> = wanted
        .iter()
        .map(|(_, after)| after.cast_signed())
        .collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version,
                  e.payload::text AS "payload!", e.metadata::text AS "metadata!", e.recorded_at
             FROM unnest($1::text[], $2::text[], $3::bigint[]) AS w (aggregate_type, aggregate_id, sequence)
             JOIN events e ON e.aggregate_type = w.aggregate_type AND e.aggregate_id = w.aggregate_id
                          AND e.sequence > w.sequence
            ORDER BY e.aggregate_type, e.aggregate_id, e.sequence"#,
        &types as &[&str],
        &ids,
        &after,
    )
    .fetch_all(conn)
    .await?;
    collect(rows)
}

/// The events of cases that are about these messages, in the order of the log.
///
/// # Errors
///
/// [`ReadError`].
pub(crate) async fn of_messages(
    executor: impl PgExecutor<'_>,
    message_ids: &[Uuid],
) -> Result<Vec<LogEvent>, ReadError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
                  metadata::text AS "metadata!", recorded_at
             FROM events
            WHERE aggregate_type = 'Case' AND message_of_event(event_type, payload) IS NOT NULL
              AND message_of_event(event_type, payload) = ANY ($1)
            ORDER BY position"#,
        message_ids,
    )
    .fetch_all(executor)
    .await?;
    collect(rows)
}

/// The position of the newest event; 0 in an empty log.
///
/// # Errors
///
/// The database's error.
pub async fn head(executor: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT position AS "position!" FROM log_head"#)
        .fetch_one(executor)
        .await
}

/// Whether changes are taken: no read-only session, and no standby.
///
/// # Errors
///
/// The database's error.
pub async fn takes_changes(executor: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT current_setting('transaction_read_only') = 'off' AS "takes_changes!" FROM log_head"#
    )
    .fetch_one(executor)
    .await
}

/// The sequence of a stream's last event; 0 where it has none.
///
/// # Errors
///
/// The database's error.
pub(crate) async fn last_sequence(
    executor: impl PgExecutor<'_>,
    stream: StreamId,
) -> Result<u64, sqlx::Error> {
    let last = sqlx::query_scalar!(
        r#"SELECT coalesce(max(sequence), 0) AS "last!" FROM events WHERE aggregate_type = $1 AND aggregate_id = $2"#,
        stream.aggregate_type(),
        stream.aggregate_id(),
    )
    .fetch_one(executor)
    .await?;
    Ok(last.cast_unsigned())
}

/// The sequence of the stream's event that belongs to the log's event at `position`: of one that was recorded with it, a move
/// before all else, or of the last one before; `None` where the stream begins later.
///
/// # Errors
///
/// The database's error.
pub async fn recorded_with(
    pool: &PgPool,
    stream: StreamId,
    position: i64,
) -> Result<Option<u64>, sqlx::Error> {
    // What one operation records stands together in the log.
    let found = sqlx::query_scalar!(
        "SELECT sequence
           FROM events
          WHERE position BETWEEN $3::bigint - $4::bigint AND $3::bigint + $4::bigint AND aggregate_type = $1 AND aggregate_id = $2
          ORDER BY event_type = ANY ('{MessageMovedOut,MessageMovedIn,MoveUndone,MessageReturned,MessageRemovedElsewhere}') DESC, abs(position - $3::bigint)
          LIMIT 1",
        stream.aggregate_type(),
        stream.aggregate_id(),
        position.clamp(0, i64::MAX - RECORDED_TOGETHER),
        RECORDED_TOGETHER,
    )
    .fetch_optional(pool)
    .await?;
    if let Some(sequence) = found {
        return Ok(Some(sequence.cast_unsigned()));
    }
    let before = sqlx::query_scalar!(
        "SELECT max(sequence) FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND position <= $3",
        stream.aggregate_type(),
        stream.aggregate_id(),
        position,
    )
    .fetch_one(pool)
    .await?;
    Ok(before.map(i64::cast_unsigned))
}

/// These events, by stream and sequence, as far as they exist, in the order of the log.
///
/// # Errors
///
/// [`ReadError`].
pub(crate) async fn exactly(
    executor: impl PgExecutor<'_>,
    wanted: &[(StreamId, i64)],
) -> Result<Vec<LogEvent>, ReadError> {
    let types: Vec<_> = wanted
        .iter()
        .map(|(stream, _)| stream.aggregate_type())
        .collect();
    let ids: Vec<_> = wanted
        .iter()
        .map(|(stream, _)| stream.aggregate_id())
        .collect();
    let sequences: Vec<_> = wanted.iter().map(|(_, sequence)| *sequence).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version,
                  e.payload::text AS "payload!", e.metadata::text AS "metadata!", e.recorded_at
             FROM unnest($1::text[], $2::text[], $3::bigint[]) AS w (aggregate_type, aggregate_id, sequence)
             JOIN events e USING (aggregate_type, aggregate_id, sequence)
            ORDER BY e.position"#,
        &types as &[&str],
        &ids,
        &sequences,
    )
    .fetch_all(executor)
    .await?;
    collect(rows)
}

/// The events of a case that gave the items of its thread at `sequences`, and those up to `to` that later spoke of `messages`, by
/// sequence.
///
/// # Errors
///
/// [`ReadError`].
pub(crate) async fn of_items(
    conn: &mut PgConnection,
    reference: Reference,
    sequences: &[i64],
    messages: &[Uuid],
    to: u64,
) -> Result<BTreeMap<i64, LogEvent>, ReadError> {
    // OFFSET keeps the case apart from the look-up of a message: a message has few events, and a case may have very many.
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT position AS "position!", aggregate_type AS "aggregate_type!", aggregate_id AS "aggregate_id!",
                  sequence AS "sequence!", event_type AS "event_type!", event_version AS "event_version!",
                  payload::text AS "payload!", metadata::text AS "metadata!", recorded_at AS "recorded_at!"
             FROM (
                 SELECT * FROM events WHERE aggregate_type = 'Case' AND aggregate_id = $1 AND sequence = ANY ($2)
                 UNION ALL
                 SELECT e.*
                   FROM unnest($3::uuid[]) AS m (message_id)
                  CROSS JOIN LATERAL (
                            SELECT * FROM events
                             WHERE aggregate_type = 'Case' AND message_of_event(event_type, payload) IS NOT NULL
                               AND message_of_event(event_type, payload) = m.message_id
                            OFFSET 0
                        ) e
                  WHERE e.aggregate_id = $1 AND e.sequence <= $4
             ) found"#,
        reference.to_string(),
        sequences,
        messages,
        to.cast_signed(),
    )
    .fetch_all(conn)
    .await?;
    let events = collect(rows)?.into_iter();
    Ok(events.map(|event| (event.sequence, event)).collect())
}

/// A case's event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    /// Its sequence; 0 for what came before the first.
    pub(crate) sequence: u64,
    /// When the case's first event was recorded.
    pub(crate) began_at: DateTime<Utc>,
    /// When it was recorded; the first one's time for a sequence of 0.
    pub(crate) recorded_at: DateTime<Utc>,
}

/// The last event of a stream at that position of the log or before, and recorded at that time or before; `None` where the stream has
/// none at all. Along a stream both only grow, so that it is found by halves.
///
/// # Errors
///
/// The database's error.
pub(crate) async fn last_until(
    conn: &mut PgConnection,
    stream: StreamId,
    position: i64,
    time: DateTime<Utc>,
) -> Result<Option<Located>, sqlx::Error> {
    let found = sqlx::query!(
        r#"WITH RECURSIVE search (low, high) AS (
               SELECT 0::bigint, max(sequence) FROM events WHERE aggregate_type = $1 AND aggregate_id = $2
               UNION ALL
               SELECT CASE WHEN e.is_until THEN e.sequence ELSE s.low END,
                      CASE WHEN e.is_until THEN s.high ELSE e.sequence - 1 END
                 FROM search s CROSS JOIN LATERAL (
                     SELECT sequence, position <= $3 AND recorded_at <= $4 AS is_until FROM events
                      WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = (s.low + s.high + 1) / 2
                 ) e
                WHERE s.low < s.high
           )
           SELECT s.low AS "sequence!", began.recorded_at AS began_at, e.recorded_at
             FROM search s
             JOIN events began ON began.aggregate_type = $1 AND began.aggregate_id = $2 AND began.sequence = 1
             JOIN events e ON e.aggregate_type = $1 AND e.aggregate_id = $2 AND e.sequence = greatest(s.low, 1)
            WHERE s.low = s.high"#,
        stream.aggregate_type(),
        stream.aggregate_id(),
        position,
        time,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|found| Located {
        sequence: found.sequence.cast_unsigned(),
        began_at: found.began_at,
        recorded_at: found.recorded_at,
    }))
}
