//! The cases that are put off, and until when.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use docket_domain::case::CaseEvent;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::Reference;
use serde::Serialize;
use sqlx::PgExecutor;

use crate::log::recorded::Recorded;
use crate::read::Projection;
use crate::read::rows::Row;
use crate::read::writes::Writes;

/// Builds `snoozes`.
#[derive(Default)]
pub struct SnoozesHandler {
    /// Until when a case is put off since the last write; `None` where it is not any more.
    changes: BTreeMap<i32, Option<DateTime<Utc>>>,
}

#[derive(Serialize)]
struct Snooze {
    reference: i32,
    until: DateTime<Utc>,
}

#[derive(Serialize)]
struct Woken {
    reference: i32,
}

const WAKE: &str = "
    DELETE FROM snoozes s USING jsonb_to_recordset($1) AS r (reference integer) WHERE s.reference = r.reference";

const SNOOZE: &str = "
    INSERT INTO snoozes (reference, until)
    SELECT r.reference, r.until FROM jsonb_to_recordset($1) AS r (reference integer, until timestamptz)
    ON CONFLICT (reference) DO UPDATE SET until = excluded.until";

impl Projection for SnoozesHandler {
    const NAME: &'static str = "snoozes";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["snoozes"];
    const STATEMENTS: &'static [&'static str] = &[WAKE, SNOOZE];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, &recorded.event)
        else {
            return;
        };
        let until = match event {
            CaseEvent::CaseSnoozed { until, .. } => Some(*until),
            CaseEvent::CaseWoken { .. } => None,
            _ => return,
        };
        self.changes.insert(reference.as_i32(), until);
    }

    fn write(&mut self, writes: &mut Writes) {
        let mut woken = vec![];
        let mut snoozed = vec![];
        for (reference, until) in std::mem::take(&mut self.changes) {
            match until {
                Some(until) => snoozed.push(Snooze { reference, until }),
                None => woken.push(Woken { reference }),
            }
        }
        writes.statement::<Self>(WAKE, woken);
        writes.statement::<Self>(SNOOZE, snoozed);
    }
}

/// Snoozes whose time has come by the database's clock, the longest due first, at most `limit`.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn due(
    executor: impl PgExecutor<'_>,
    limit: i64,
) -> Result<Vec<(Reference, DateTime<Utc>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT reference, until FROM snoozes WHERE until <= clock_timestamp() ORDER BY until LIMIT $1",
        limit,
    )
    .fetch_all(executor)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let known = Row {
            table: "snoozes",
            key: row.reference,
        };
        Ok((known.reference("reference", row.reference)?, row.until))
    });
    rows.collect()
}

/// How long it takes until the next snooze is due, by the database's clock; `None` where there is none.
///
/// # Errors
///
/// The database's error.
pub async fn next_due_in(executor: impl PgExecutor<'_>) -> Result<Option<Duration>, sqlx::Error> {
    let seconds = sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM min(until) - clock_timestamp())::double precision AS seconds FROM snoozes"#,
    )
    .fetch_one(executor)
    .await?;
    Ok(seconds
        .map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)))
}

/// The cases that are put off; at most `limit`, in no order.
///
/// # Errors
///
/// The database's error.
pub(crate) async fn references(
    executor: impl PgExecutor<'_>,
    limit: i64,
) -> Result<Vec<i32>, sqlx::Error> {
    sqlx::query_scalar!("SELECT reference FROM snoozes LIMIT $1", limit)
        .fetch_all(executor)
        .await
}
