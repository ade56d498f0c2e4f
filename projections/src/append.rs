//! What an append writes, and where it ended.

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::event::Event;
use sqlx::{PgConnection, PgPool};

use super::recorded::{Recorded, to_database_precision};

/// Where an append ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of the last event appended.
    pub position: i64,
    /// The transaction's id, by which a commit that broke off can be asked after.
    pub transaction_id: String,
}

/// Locks the log's head until the transaction ends, and gives the time that what is appended is recorded at: that of the clock, but
/// never before what was appended last, and behind every time that somebody was told how things were at.
///
/// # Errors
///
/// The database's error.
pub(crate) async fn lock_head(
    conn: &mut PgConnection,
    clock: impl FnOnce() -> DateTime<Utc>,
) -> Result<DateTime<Utc>, sqlx::Error> {
    let head = sqlx::query!("SELECT recorded_at, sealed_at FROM log_head FOR UPDATE")
        .fetch_one(conn)
        .await?;
    let behind = head
        .sealed_at
        .map(|sealed| sealed + TimeDelta::microseconds(1));
    let floor = head.recorded_at.max(behind);
    // The clock is asked once nobody else appends.
    let now = to_database_precision(clock());
    Ok(floor.map_or(now, |floor| now.max(floor)))
}

/// Sees to it that nothing is recorded any more at `time` or before; `None` once that holds, else the time up to which it can be asked
/// for: `now`, or the time of the newest event, where that is later because another process's clock is ahead.
///
/// # Errors
///
/// The database's error.
pub(crate) async fn seal(
    pool: &PgPool,
    time: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let head = sqlx::query!("SELECT recorded_at, sealed_at FROM log_head")
        .fetch_one(pool)
        .await?;
    // Whatever is recorded from now on is not before the newest event, and behind what is sealed.
    let is_past = head.recorded_at.is_some_and(|last| time < last);
    if is_past || head.sealed_at.is_some_and(|sealed| time <= sealed) {
        return Ok(None);
    }
    let latest = head.recorded_at.map_or(now, |last| last.max(now));
    if time > latest {
        return Ok(Some(latest));
    }
    // Waits for those who append: what they record at that time or before is then there to be read.
    sqlx::query!(
        "UPDATE log_head SET sealed_at = greatest(sealed_at, $1::timestamptz)",
        time,
    )
    .execute(pool)
    .await?;
    Ok(None)
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

/// Appends `events` to the log, in order; `None` where there is none. From here to the commit all other appends wait, so it is the last
/// thing that a transaction does.
///
/// # Errors
///
/// The database's error; a violation of `events_pkey` means that somebody else wrote to one of the streams.
pub(crate) async fn append(
    conn: &mut PgConnection,
    events: &[Recorded],
) -> Result<Option<Appended>, sqlx::Error> {
    if events.is_empty() {
        return Ok(None);
    }
    let columns = EventColumns::of(events)?;
    let row = sqlx::query!(
        r#"WITH head AS (
               UPDATE log_head
                  SET position = position + $1::bigint,
                      recorded_at = greatest(recorded_at, (SELECT max(u.at) FROM unnest($10::timestamptz[]) AS u (at))),
                      settings_position = CASE WHEN $2 THEN position + $1::bigint ELSE settings_position END
               RETURNING position
           ), appended AS (
               INSERT INTO events (
                   aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position,
                   recorded_at
               )
               SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload::jsonb,
                      e.metadata::jsonb, head.position - $1::bigint + e.ordinality, e.recorded_at
                 FROM head,
                      unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
                             $10::timestamptz[])
                      WITH ORDINALITY AS e (aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
                                            metadata, recorded_at, ordinality)
           )
           SELECT position AS "position!", pg_current_xact_id()::text AS "transaction_id!" FROM head"#,
        i64::try_from(events.len()).unwrap_or(i64::MAX),
        columns.change_settings,
        &columns.aggregate_types as &[&str],
        &columns.aggregate_ids,
        &columns.sequences,
        &columns.event_types as &[&str],
        &columns.event_versions as &[&str],
        &columns.payloads,
        &columns.metadata,
        &columns.recorded_at,
    )
    .fetch_one(conn)
    .await?;
    Ok(Some(Appended {
        position: row.position,
        transaction_id: row.transaction_id,
    }))
}

fn encode_error(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}

/// Whether caches of surveys and lines are out of date after the event.
pub(crate) const fn is_settings(recorded: &Recorded) -> bool {
    matches!(recorded.event, Event::Survey(_) | Event::Line(_))
}
