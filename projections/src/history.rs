//! A case's history: what happened in words, and the case as it was at a moment.
//!
//! A case as it was is never worked out by code of its own. Its events up to the moment go through the aggregate that decides
//! today's commands and through the handlers that write today's pages, into temporary tables that stand before the live ones for
//! the length of one transaction, and today's queries read them. The transaction is then rolled back.
//!
//! To make those tables takes the database longer than all the rest, so a connection that has made them keeps them, empty. They come
//! last in its search path ([`connect`](crate::connect)), behind the live ones, except in these transactions.
//!
//! Some of what is shown of a case is told by events of the same contact's other cases: that another case follows this one, and
//! what the person calls themselves. Which cases those are, the live read models say; what they say of the case, the log.

mod words;

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use docket_domain::case::Case;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::Reference;
use futures_util::FutureExt as _;
use sqlx::{Connection, Executor, PgConnection, PgPool};

pub use self::words::{Who, describe, happened_at, provider_id, who};
use crate::append;
use crate::log::reader::{self, LogEvent, ReadError};
use crate::log::recorded::{UNDATED, to_database_precision};
use crate::log::upcasters::upcasters;
use crate::read::cases::{self, CaseLink, CaseRow};
use crate::read::contacts::{self, ContactRow};
use crate::read::thread::{self, ThreadItem};
use crate::read::{Description, ReadModels, Writes};

/// How many events are read at once, which bounds the memory that a long case takes.
const PAGE: i64 = 500;
/// The end of the year 9999: no event was recorded later, and unlike chrono's own last time Postgres knows it.
const LAST_TIME: DateTime<Utc> =
    DateTime::from_timestamp(253_402_300_799, 0).expect("a year of four digits");
/// How large a connection's temporary tables may grow with rows that were rolled back, in bytes, before they are cleared of them.
const MAX_LEFT: i64 = 256 * 1024;
/// The read models that show a case.
const MODELS: [&str; 3] = ["contacts", "cases", "thread"];

/// A moment in a case's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Right after the case's event of that sequence.
    Sequence(u64),
    /// Right after the log's event at that position, whosever it was.
    Position(i64),
    /// When all was recorded that was recorded at that time or before.
    Time(DateTime<Utc>),
}

/// A case as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseAsOf {
    /// The aggregate.
    pub case: Case,
    /// The row of the list of cases; its `version` is the sequence of the last event that had happened.
    pub row: CaseRow,
    /// When that event was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Whose case it is, as they were known then.
    pub contact: ContactRow,
    /// What it had to do with other cases, ordered by their references.
    pub links: Vec<CaseLink>,
    /// Its thread, whole.
    pub thread: Vec<ThreadItem>,
}

/// Why a case as it was cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum AsOfError {
    /// There is no such case.
    #[error("there is no case #{0}")]
    NoSuchCase(Reference),
    /// The case has no event of that sequence.
    #[error("case #{reference} has no event {sequence}; its last is {last}")]
    NoSuchEvent {
        /// The case.
        reference: Reference,
        /// The sequence that was asked for.
        sequence: u64,
        /// The sequence of its last event.
        last: u64,
    },
    /// The case began later.
    #[error("case #{reference} had not begun then; it began at {}", began_at.format("%Y-%m-%dT%H:%M:%S%.6fZ"))]
    NotBegun {
        /// The case.
        reference: Reference,
        /// When it began.
        began_at: DateTime<Utc>,
    },
    /// That time has not come, and what will have happened by then is not known.
    #[error(
        "{} has not come yet; ask for a time up to {}",
        time.format("%Y-%m-%dT%H:%M:%S%.6fZ"),
        latest.format("%Y-%m-%dT%H:%M:%S%.6fZ")
    )]
    NotYet {
        /// The time that was asked for.
        time: DateTime<Utc>,
        /// The latest time that can be asked for.
        latest: DateTime<Utc>,
    },
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database failed.
    #[error("the case as it was could not be built")]
    Database(#[from] sqlx::Error),
}

/// Where the log is cut off: what stands behind it had not happened yet.
#[derive(Clone, Copy, Debug)]
struct Cut {
    position: i64,
    time: DateTime<Utc>,
}

impl Cut {
    fn includes(self, event: &LogEvent) -> bool {
        event.position <= self.position && event.recorded_at <= self.time
    }
}

/// Sees to it that what is answered about `at` stays true for good: that nothing is recorded any more at that time or before.
///
/// # Errors
///
/// [`AsOfError::NotYet`] where the time lies ahead of `now`, or the database's error.
pub async fn settle(pool: &PgPool, at: At, now: DateTime<Utc>) -> Result<(), AsOfError> {
    let At::Time(time) = at else {
        return Ok(());
    };
    let [time, now] = [time, now].map(to_database_precision);
    // Nothing was recorded before 1970 or after 9999, and unlike chrono's own times Postgres knows those in between.
    match append::seal(pool, time.clamp(DateTime::UNIX_EPOCH, LAST_TIME), now).await? {
        None => Ok(()),
        Some(latest) => Err(AsOfError::NotYet { time, latest }),
    }
}

/// A case as it was, with its thread. Whoever asks for a time calls [`settle`] first.
///
/// # Errors
///
/// [`AsOfError`].
pub async fn as_of(pool: &PgPool, reference: Reference, at: At) -> Result<CaseAsOf, AsOfError> {
    let mut conn = pool.acquire().await?;
    shadow_tables(&mut conn).boxed().await?;
    // Dropped without a commit, it leaves nothing, whatever happens below.
    let mut tx = conn.begin().await?;
    let case = as_of_in_tx(&mut tx, reference, at).boxed().await?;
    tx.rollback().await?;
    Ok(case)
}

async fn as_of_in_tx(
    conn: &mut PgConnection,
    reference: Reference,
    at: At,
) -> Result<CaseAsOf, AsOfError> {
    let (first, cut) = cut(conn, reference, at).await?;
    let told_elsewhere = told_elsewhere(conn, reference, cut).await?;
    conn.execute("SET LOCAL search_path = pg_temp, docket_read, public")
        .await?;
    let (case, recorded_at) = replay(conn, reference, cut, told_elsewhere).await?;
    let not_begun = || AsOfError::NotBegun {
        reference,
        began_at: first.recorded_at,
    };
    let recorded_at = recorded_at.ok_or_else(not_begun)?;
    let row = cases::find(&mut *conn, reference)
        .boxed()
        .await?
        .ok_or_else(not_begun)?;
    let contact = contacts::find(&mut *conn, row.contact_id)
        .boxed()
        .await?
        .ok_or_else(not_begun)?;
    Ok(CaseAsOf {
        case,
        contact,
        recorded_at,
        links: cases::links(&mut *conn, reference).boxed().await?,
        thread: thread::page(&mut *conn, reference, None, u32::MAX)
            .boxed()
            .await?,
        row,
    })
}

/// The case's first event, and where the log is cut off.
async fn cut(
    conn: &mut PgConnection,
    reference: Reference,
    at: At,
) -> Result<(LogEvent, Cut), AsOfError> {
    let stream = StreamId::Case(reference);
    let first = reader::stream(&mut *conn, stream, 0, 1).boxed().await?;
    let Some(first) = first.into_iter().next() else {
        return Err(AsOfError::NoSuchCase(reference));
    };
    let cut = match at {
        At::Position(position) => Cut {
            position,
            time: LAST_TIME,
        },
        At::Time(time) => Cut {
            position: i64::MAX,
            time: to_database_precision(time.clamp(DateTime::UNIX_EPOCH, LAST_TIME)),
        },
        At::Sequence(sequence) => {
            let before = i64::try_from(sequence)
                .unwrap_or(i64::MAX)
                .saturating_sub(1);
            // Nothing comes before the first event, so a sequence of 0 is no event.
            let event = if sequence == 0 {
                vec![]
            } else {
                reader::stream(&mut *conn, stream, before, 1)
                    .boxed()
                    .await?
            };
            let Some(event) = event.first() else {
                let last = reader::last_sequence(&mut *conn, stream).boxed().await?;
                return Err(AsOfError::NoSuchEvent {
                    reference,
                    sequence,
                    last,
                });
            };
            Cut {
                position: event.position,
                time: LAST_TIME,
            }
        }
    };
    Ok((first, cut))
}

/// What events of the contact's other cases say of this one, in order: that they follow it, what the person last called
/// themselves, and when they were first seen.
async fn told_elsewhere(
    conn: &mut PgConnection,
    reference: Reference,
    cut: Cut,
) -> Result<VecDeque<LogEvent>, AsOfError> {
    let rows = sqlx::query!(
        r#"WITH contact AS (
               SELECT contact_id FROM cases WHERE reference = $1
           ), other AS (
               SELECT c.reference, c.opened_at
                 FROM contact JOIN contact_cases k USING (contact_id) JOIN cases c ON c.reference = k.reference
                WHERE k.reference <> $1
           ), named AS (
               SELECT o.reference, e.sequence
                 FROM other o
                 JOIN events e ON e.aggregate_type = 'Case' AND e.aggregate_id = o.reference::text
                WHERE e.event_type = 'MessageReceived' AND e.position <= $2 AND e.recorded_at <= $3
                  AND e.payload -> 'MessageReceived' -> 'message' ? 'profile_name'
                ORDER BY e.position DESC
                LIMIT 1
           ), first AS (
               SELECT reference FROM other ORDER BY opened_at, reference LIMIT 1
           ), follower AS (
               SELECT other AS reference FROM case_links WHERE reference = $1 AND kind = 'followed_by'
           )
           SELECT reference AS "reference!", sequence AS "sequence!" FROM named
            UNION SELECT reference, 1 FROM named
            UNION SELECT reference, 1 FROM first
            UNION SELECT reference, 1 FROM follower"#,
        reference.as_i32(),
        cut.position,
        cut.time,
    )
    .fetch_all(&mut *conn)
    .await?;
    let wanted: Vec<(StreamId, i64)> = rows
        .into_iter()
        .filter_map(|row| {
            Some((
                StreamId::Case(Reference::from_i32(row.reference)?),
                row.sequence,
            ))
        })
        .collect();
    let mut events = reader::exactly(&mut *conn, &wanted).boxed().await?;
    events.retain(|event| cut.includes(event));
    Ok(events.into())
}

/// Makes temporary tables like the live ones, unless the connection has them.
async fn shadow_tables(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let tables: Vec<&str> = models()
        .iter()
        .flat_map(|model| model.tables)
        .copied()
        .collect();
    let kept = sqlx::query!(
        r#"SELECT current_setting('search_path') AS "search_path!",
                  sum(pg_relation_size(to_regclass('pg_temp.' || name)))::bigint AS bytes
           FROM unnest($1::text[]) name"#,
        &tables as &[&str],
    )
    .fetch_one(&mut *conn)
    .await?;
    match kept.bytes {
        None => {
            let last = kept.search_path.rsplit(',').next().map(str::trim);
            if last != Some("pg_temp") {
                // Everybody who is given this connection later would read these tables and find nothing.
                let reason = "the connection's search path does not end with pg_temp";
                return Err(sqlx::Error::Configuration(reason.into()));
            }
            make_shadow_tables(conn, &tables).await
        }
        Some(bytes) if bytes > MAX_LEFT => {
            let tables: Vec<String> = tables
                .iter()
                .map(|name| format!("pg_temp.{name}"))
                .collect();
            conn.execute(&*format!("VACUUM {}", tables.join(", ")))
                .await?;
            Ok(())
        }
        Some(_) => Ok(()),
    }
}

/// They have the live ones' keys, and none of the indexes that find one case among all.
async fn make_shadow_tables(conn: &mut PgConnection, tables: &[&str]) -> Result<(), sqlx::Error> {
    let mut tx = conn.begin().await?;
    for table in tables {
        let statement =
            format!("CREATE TEMPORARY TABLE {table} (LIKE docket_read.{table} INCLUDING ALL)");
        tx.execute(&*statement).await?;
    }
    let indexes = sqlx::query_scalar!(
        r#"SELECT indexrelid::regclass::text AS "name!"
           FROM pg_index
           WHERE indrelid = ANY (SELECT to_regclass('pg_temp.' || name) FROM unnest($1::text[]) name) AND NOT indisunique"#,
        tables as &[&str],
    )
    .fetch_all(&mut *tx)
    .await?;
    if !indexes.is_empty() {
        tx.execute(&*format!("DROP INDEX {}", indexes.join(", ")))
            .await?;
    }
    tx.commit().await
}

fn models() -> Vec<Description> {
    ReadModels::ALL
        .iter()
        .filter(|model| MODELS.contains(&model.name))
        .copied()
        .collect()
}

/// Runs the case's events up to the cut through the aggregate and the handlers, those told elsewhere between them in the order of
/// the log. Gives the aggregate, and when its last event was recorded.
async fn replay(
    conn: &mut PgConnection,
    reference: Reference,
    cut: Cut,
    mut told_elsewhere: VecDeque<LogEvent>,
) -> Result<(Case, Option<DateTime<Utc>>), AsOfError> {
    let upcasters = upcasters();
    let mut models = ReadModels::only(&models());
    let mut case = Case::default();
    let mut recorded_at = None;
    loop {
        let after = case.version().cast_signed();
        let stream = StreamId::Case(reference);
        let mut page = reader::stream(&mut *conn, stream, after, PAGE)
            .boxed()
            .await?;
        page.retain(|event| cut.includes(event));
        let is_last = i64::try_from(page.len()).is_ok_and(|events| events < PAGE);
        for event in page {
            while let Some(other) =
                told_elsewhere.pop_front_if(|other| other.position < event.position)
            {
                models.apply(&other.decode(&upcasters)?);
            }
            let recorded = event.decode(&upcasters)?;
            models.apply(&recorded);
            recorded_at = Some(recorded.recorded_at);
            if let Event::Case(event) = recorded.event {
                case.apply(event);
            }
        }
        if is_last {
            for other in told_elsewhere.drain(..) {
                models.apply(&other.decode(&upcasters)?);
            }
        }
        let mut writes = Writes::default();
        models.write(&mut writes);
        // Events in the log know when they were recorded.
        writes.run(conn, UNDATED).boxed().await?;
        if is_last {
            return Ok((case, recorded_at));
        }
    }
}
