//! A case as it was.
//!
//! A moment is found as a place in the case's own stream. What the case was like then is told by few events, however long it went on:
//! those that last set its title, status and assignee, and those of the messages on the page that is asked for. They go through the
//! handlers of today's read models in memory ([`cases::as_of`], [`thread::as_of`](crate::read::thread::as_of)); which events those
//! are, the live read models and the log's indexes say. A rebuild changes nothing of it, since rebuilt rows are the same.
//!
//! Some of what is shown of a case is told by events of the same contact's other cases: that another case follows this one, and
//! what the person calls themselves.

mod names;
mod words;

use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::event::StreamId;
use docket_domain::ids::Reference;
use docket_domain::personal::Personal;
use sqlx::PgPool;

pub use self::names::with_names;
pub use self::words::media::{failure as media_failure, size as file_size};
pub use self::words::{Who, describe, happened_at, provider_id, who};
use crate::append;
use crate::log::reader::{self, Located, ReadError};
use crate::log::recorded::to_database_precision;
use crate::read::cases::{self, CaseLink, CaseRow};
use crate::read::contact_details;
use crate::read::contacts::{self, ContactRow};
use crate::read::thread::as_of::{self, Moment};
use crate::read::thread::page::Part;
use crate::read::thread::{Place, ThreadItem};

/// The end of the year 9999: no event was recorded later, and unlike chrono's own last time Postgres knows it.
const LAST_TIME: DateTime<Utc> =
    DateTime::from_timestamp(253_402_300_799, 0).expect("a year of four digits");
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
    /// The row of the list of cases; its `version` is the sequence of the last event that had happened.
    pub row: CaseRow,
    /// When that event was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Whose case it is, as they were known then.
    pub contact: ContactRow,
    /// The channel on which the contact had last written, in whichever case.
    pub last_channel: Option<Channel>,
    /// What it had to do with other cases, ordered by their references.
    pub links: Vec<CaseLink>,
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

/// A moment that there was, as a place in the case's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    moment: Moment,
    /// When the last event up to the moment was recorded.
    recorded_at: DateTime<Utc>,
    /// Where the log is cut off: what stands behind had not happened yet.
    position: i64,
    time: DateTime<Utc>,
}

impl Found {
    /// The sequence of the case's last event up to the moment.
    pub const fn sequence(&self) -> u64 {
        self.moment.sequence
    }

    /// The time up to which things are shown: what was recorded later, in another case too, had not happened yet.
    pub fn shown_until(&self) -> DateTime<Utc> {
        if self.time == LAST_TIME {
            self.recorded_at
        } else {
            self.time
        }
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

/// Finds a moment of a case. Whoever asks for a time calls [`settle`] first.
///
/// # Errors
///
/// [`AsOfError`].
pub async fn find(pool: &PgPool, reference: Reference, at: At) -> Result<Found, AsOfError> {
    let stream = StreamId::Case(reference);
    let (position, time) = match at {
        At::Sequence(sequence) => return find_event(pool, reference, sequence).await,
        At::Position(position) => (position, LAST_TIME),
        At::Time(time) => (
            i64::MAX,
            to_database_precision(time.clamp(DateTime::UNIX_EPOCH, LAST_TIME)),
        ),
    };
    let mut conn = pool.acquire().await?;
    let found = reader::last_until(&mut conn, stream, position, time).await?;
    match found {
        None => Err(AsOfError::NoSuchCase(reference)),
        Some(Located {
            sequence: 0,
            began_at,
            ..
        }) => Err(AsOfError::NotBegun {
            reference,
            began_at,
        }),
        Some(Located {
            sequence,
            recorded_at,
            ..
        }) => Ok(Found {
            moment: Moment {
                reference,
                sequence,
            },
            recorded_at,
            position,
            time,
        }),
    }
}

async fn find_event(
    pool: &PgPool,
    reference: Reference,
    sequence: u64,
) -> Result<Found, AsOfError> {
    let stream = StreamId::Case(reference);
    let wanted = (stream, i64::try_from(sequence).unwrap_or(i64::MAX));
    let events = reader::exactly(pool, &[wanted]).await?;
    if let Some(event) = events.first() {
        return Ok(Found {
            moment: Moment {
                reference,
                sequence,
            },
            recorded_at: event.recorded_at,
            position: event.position,
            time: LAST_TIME,
        });
    }
    match reader::last_sequence(pool, stream).await? {
        0 => Err(AsOfError::NoSuchCase(reference)),
        last => Err(AsOfError::NoSuchEvent {
            reference,
            sequence,
            last,
        }),
    }
}

/// A case as it was at a moment.
///
/// # Errors
///
/// [`AsOfError`].
pub async fn case(pool: &PgPool, found: Found) -> Result<CaseAsOf, AsOfError> {
    let Found {
        moment,
        recorded_at,
        position,
        time,
    } = found;
    let no_such_case = || AsOfError::NoSuchCase(moment.reference);
    let mut conn = pool.acquire().await?;
    let now = cases::find(&mut *conn, moment.reference).await?;
    let now = now.ok_or_else(no_such_case)?;
    let contact = contacts::find(&mut *conn, now.contact_id).await?;
    let mut contact = contact.ok_or_else(no_such_case)?;
    if contact.profile_name.is_some() {
        let name = cases::as_of::name(&mut conn, moment, position, time).await?;
        contact.profile_name = name.map(Personal);
    }
    contact.details = contact_details::as_of(&mut conn, now.contact_id, position, time).await?;
    let given = contact.details.name.clone();
    contact.name = given.or_else(|| contact.profile_name.clone());
    let last_channel =
        cases::as_of::last_channel(&mut conn, now.contact_id, position, time).await?;
    Ok(CaseAsOf {
        last_channel,
        row: cases::as_of::row(&mut conn, moment, now).await?,
        recorded_at,
        contact,
        links: cases::as_of::links(&mut conn, moment, position, time).await?,
    })
}

/// At most `limit` items of the thread as it was, in order, those after `after` or from the beginning.
///
/// # Errors
///
/// [`AsOfError`].
pub async fn thread(
    pool: &PgPool,
    found: Found,
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<ThreadItem>, AsOfError> {
    let mut conn = pool.acquire().await?;
    Ok(as_of::page(&mut conn, found.moment, after, limit).await?)
}

/// The last `limit` items of the thread as it was, or the last ones before an item.
///
/// # Errors
///
/// [`AsOfError`].
pub async fn thread_before(
    pool: &PgPool,
    found: Found,
    before: Option<Place>,
    limit: usize,
) -> Result<Part, AsOfError> {
    let mut conn = pool.acquire().await?;
    Ok(as_of::before(&mut conn, found.moment, before, limit).await?)
}

/// The notes that the case had, in order.
///
/// # Errors
///
/// [`AsOfError`].
pub async fn notes(pool: &PgPool, found: Found) -> Result<Vec<ThreadItem>, AsOfError> {
    let mut conn = pool.acquire().await?;
    Ok(as_of::notes(&mut conn, found.moment).await?)
}

/// How many items of today's thread came after the moment, up to `limit`.
///
/// # Errors
///
/// [`AsOfError`].
pub async fn count_since(pool: &PgPool, found: Found, limit: i64) -> Result<usize, AsOfError> {
    let mut conn = pool.acquire().await?;
    Ok(as_of::count_since(&mut conn, found.moment, limit).await?)
}
