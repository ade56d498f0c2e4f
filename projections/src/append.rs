//! Appending to the log: one call of the function `append`, which is a transaction of its own.
//!
//! The function checks, under one lock, that what a batch decided still rests on the truth, and writes the events with everything
//! that follows from them. See the migration that makes it, and ADR 0018.

use chrono::{DateTime, Utc};
use docket_domain::event::{Event, StreamId};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres};
use uuid::Uuid;

use crate::log::recorded::Recorded;
use crate::read::writes::{Rows, Statement, Writes, row};

row! {
    /// What a contact's decisions rest on.
    pub(crate) struct ContactRow = "append_contact" {
        contact_id: Uuid,
        survey_id: Uuid,
        number: String,
        version: i64,
        is_new: bool,
        changes: bool,
        last_wrote_at: Option<DateTime<Utc>>,
        last_line_id: Option<Uuid>,
    }
}

row! {
    /// A stream that was read, and its version.
    pub(crate) struct StreamRow = "append_stream" {
        aggregate_type: String,
        aggregate_id: String,
        version: i64,
    }
}

row! {
    /// A webhook's receipt.
    pub(crate) struct ReceiptRow = "append_receipt" {
        kind: String,
        key: String,
        must_be_new: bool,
    }
}

row! {
    /// A request's idempotency key, and what it came to.
    pub(crate) struct KeyRow = "append_key" {
        actor: Uuid,
        key: String,
        fingerprint: Vec<u8>,
        outcome: String,
    }
}

row! {
    /// A statement that writes what seldom changes.
    pub(crate) struct StatementRow = "append_statement" {
        statement: String,
        rows: String,
    }
}

row! {
    /// An event; its position and its time are given when it is written.
    pub(crate) struct EventRow = "append_event" {
        aggregate_type: String,
        aggregate_id: String,
        sequence: i64,
        event_type: String,
        event_version: String,
        payload: String,
        metadata: String,
    }
}

/// A batch to be appended; its parts are numbered from 1, and each is accepted or refused as a whole.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) basis: Basis,
    pub(crate) contacts: Vec<ContactRow>,
    pub(crate) streams: Vec<StreamRow>,
    pub(crate) receipts: Vec<ReceiptRow>,
    pub(crate) keys: Vec<KeyRow>,
    pub(crate) statements: Vec<StatementRow>,
    pub(crate) events: Vec<EventRow>,
    pub(crate) rows: Rows,
}

/// What all parts of a batch rest on.
#[derive(Clone, Debug)]
pub(crate) struct Basis {
    /// The call's id: sent again under the same id, it is done once.
    pub(crate) call_id: Uuid,
    /// The writer's call before that wrote something, whose answer it has got.
    pub(crate) previous_call_id: Option<Uuid>,
    /// How many parts there are.
    pub(crate) parts: i32,
    /// What time it is.
    pub(crate) clock: DateTime<Utc>,
    /// The versions of the read models.
    pub(crate) models: String,
    /// The position of the event that last changed the settings.
    pub(crate) settings_position: i64,
    /// Whether settings are changed.
    pub(crate) changes_settings: bool,
    /// The position of the newest event that this process knows of.
    pub(crate) known_position: i64,
}

impl sqlx::Type<Postgres> for Basis {
    fn type_info() -> sqlx::postgres::PgTypeInfo {
        sqlx::postgres::PgTypeInfo::with_name("append_call")
    }
}

impl sqlx::Encode<'_, Postgres> for Basis {
    fn encode_by_ref(
        &self,
        buffer: &mut sqlx::postgres::PgArgumentBuffer,
    ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        let mut encoder = sqlx::postgres::types::PgRecordEncoder::new(buffer);
        encoder.encode(self.call_id)?;
        encoder.encode(self.previous_call_id)?;
        encoder.encode(self.parts)?;
        encoder.encode(self.clock)?;
        encoder.encode(&self.models)?;
        encoder.encode(self.settings_position)?;
        encoder.encode(self.changes_settings)?;
        encoder.encode(self.known_position)?;
        encoder.finish();
        Ok(sqlx::encode::IsNull::No)
    }
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It was done.
    Done {
        /// The position of the newest event in the log.
        position: i64,
        /// When that one was recorded; `None` in an empty log.
        recorded_at: Option<DateTime<Utc>>,
        /// For each part, from the first, whether it was written.
        accepted: Vec<bool>,
        /// The places of receipts, from 0, that had been given before.
        taken: Vec<usize>,
    },
    /// Nothing was written: the decisions rest on old settings.
    OldSettings,
    /// Nothing was written: the decisions rest on read models of other versions.
    OtherModels,
    /// Nothing was written: the log ends before what this process knows of it.
    AnotherLog,
}

impl Call {
    pub(crate) fn new(basis: Basis) -> Self {
        Self {
            basis,
            contacts: vec![],
            streams: vec![],
            receipts: vec![],
            keys: vec![],
            statements: vec![],
            events: vec![],
            rows: Rows::default(),
        }
    }

    /// Whether anything is to be written, if a part is accepted.
    pub(crate) const fn writes(&self) -> bool {
        !(self.receipts.is_empty()
            && self.keys.is_empty()
            && self.statements.is_empty()
            && self.events.is_empty())
    }

    pub(crate) fn add_receipt(&mut self, part: i32, kind: &str, key: &str, must_be_new: bool) {
        self.receipts.push(ReceiptRow {
            part,
            kind: kind.to_owned(),
            key: key.to_owned(),
            must_be_new,
        });
    }

    pub(crate) fn add_key(
        &mut self,
        part: i32,
        (actor, key): (Uuid, &str),
        fingerprint: &[u8],
        outcome: String,
    ) {
        self.keys.push(KeyRow {
            part,
            actor,
            key: key.to_owned(),
            fingerprint: fingerprint.to_vec(),
            outcome,
        });
    }

    pub(crate) fn add_stream(&mut self, part: i32, stream: StreamId, version: u64) {
        self.streams.push(StreamRow {
            part,
            aggregate_type: stream.aggregate_type().to_owned(),
            aggregate_id: stream.aggregate_id(),
            version: version.cast_signed(),
        });
    }

    pub(crate) fn add_statement(&mut self, part: i32, statement: Statement) {
        self.statements.push(StatementRow {
            part,
            statement: statement.sql.to_owned(),
            rows: statement.rows,
        });
    }

    /// The rows that follow from a part's events.
    pub(crate) fn add_writes(&mut self, part: i32, writes: Writes) {
        for statement in writes.statements {
            self.add_statement(part, statement);
        }
        self.rows.append(writes.rows, part);
    }

    /// # Errors
    ///
    /// An event that cannot be written as JSON, as [`sqlx::Error::Encode`].
    pub(crate) fn add_event(&mut self, part: i32, recorded: &Recorded) -> Result<(), sqlx::Error> {
        let Recorded {
            stream,
            event,
            metadata,
            ..
        } = recorded;
        self.events.push(EventRow {
            part,
            aggregate_type: stream.aggregate_type().to_owned(),
            aggregate_id: stream.aggregate_id(),
            sequence: recorded.sequence.cast_signed(),
            event_type: event.type_name().to_owned(),
            event_version: event.version().to_owned(),
            payload: serde_json::to_string(event).map_err(encode_error)?,
            metadata: serde_json::to_string(metadata).map_err(encode_error)?,
        });
        Ok(())
    }
}

fn encode_error(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}

/// Appends a batch.
///
/// # Errors
///
/// The database's error; nothing is written then, unless it is that no answer came.
pub(crate) async fn append(conn: &mut PgConnection, call: &Call) -> Result<Appended, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT outcome AS "outcome!", last_position AS "position!", last_time, coalesce(accepted, '{}') AS "accepted!",
                  coalesce(taken, '{}') AS "taken!"
             FROM append($1, $2, $3, $4, $5, $6, $7, $8)"#,
        &call.basis as _,
        &call.contacts as _,
        &call.streams as _,
        &call.receipts as _,
        &call.keys as _,
        &call.statements as _,
        &call.events as _,
        &call.rows as _,
    )
    .fetch_one(conn)
    .await?;
    Ok(match row.outcome.as_str() {
        "settings" => Appended::OldSettings,
        "models" => Appended::OtherModels,
        "log" => Appended::AnotherLog,
        _ => Appended::Done {
            position: row.position,
            recorded_at: row.last_time,
            accepted: row.accepted,
            taken: row
                .taken
                .into_iter()
                .filter_map(|place| usize::try_from(place).ok()?.checked_sub(1))
                .collect(),
        },
    })
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
    sqlx::query!("SELECT seal_log($1)", time)
        .execute(pool)
        .await?;
    Ok(None)
}

/// Forgets the last calls of writers that are gone since `before`.
///
/// # Errors
///
/// The database's error.
pub async fn forget_calls(pool: &PgPool, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    // The one with the highest position stays: it tells up to where the log goes.
    sqlx::query!(
        "DELETE FROM append_calls WHERE recorded_at < $1 AND position < (SELECT max(position) FROM append_calls)",
        before,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Up to which position the log went when it was last appended to; 0 where that is not known.
///
/// # Errors
///
/// The database's error.
pub(crate) async fn last_position(executor: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT coalesce(max(position), 0) AS "position!" FROM append_calls"#)
        .fetch_one(executor)
        .await
}

/// Whether caches of surveys, lines and labels are out of date after the event.
pub(crate) const fn is_settings(event: &Event) -> bool {
    matches!(
        event,
        Event::Survey(_) | Event::Line(_) | Event::Labels(_) | Event::WhatsappTemplate(_)
    )
}

#[cfg(all(test, feature = "testing"))]
mod tests;
