//! Parts of a thread: its end, and what stands before an item. None reads more than it gives, however long the thread is.

use std::collections::{HashMap, HashSet};

use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{MessageId, Reference};
use sqlx::{PgConnection, PgExecutor};

use super::{Place, RawItem, ThreadItem, read_all};
use crate::log::reader::{self, ReadError};
use crate::log::upcasters::upcasters;
use crate::read::rows::{Row, column};

/// One event gives so many items at most.
const MOST_OF_AN_EVENT: usize = 2;

/// A part of a thread.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The items, oldest first.
    pub items: Vec<ThreadItem>,
    /// Whether there are more before them.
    pub has_earlier: bool,
}

/// The last `limit` items before the event of that sequence, or of the whole thread; one more where an event gave two that would be
/// torn apart.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn before(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    before: Option<u64>,
    limit: usize,
) -> Result<Part, sqlx::Error> {
    let before = before.and_then(|before| i64::try_from(before).ok());
    let raw = items!(
        "reference = $1 AND sequence < $2 ORDER BY sequence DESC, part DESC LIMIT $3",
        reference.as_i32(),
        before.unwrap_or(i64::MAX),
        i64::try_from(limit + MOST_OF_AN_EVENT).unwrap_or(i64::MAX),
    )
    .fetch_all(executor)
    .await?;
    let is_torn = |raw: &[RawItem]| match (raw.get(limit.wrapping_sub(1)), raw.get(limit)) {
        (Some(last), Some(next)) => last.sequence == next.sequence,
        _ => false,
    };
    let limit = limit + usize::from(is_torn(&raw));
    let has_earlier = raw.len() > limit;
    let mut items = read_all(raw.into_iter().take(limit).collect())?;
    items.reverse();
    Ok(Part { items, has_earlier })
}

/// What became of a thread since an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The messages of earlier events of which the later ones say something; of each it has to be seen whether it still stands here.
    pub touched: HashSet<MessageId>,
    /// Whether more happened than was looked at.
    pub is_cut: bool,
}

/// Which messages the events behind `since` touch, of which at most `limit` are looked at.
///
/// # Errors
///
/// [`ReadError`].
pub async fn changes(
    conn: &mut PgConnection,
    reference: Reference,
    since: u64,
    limit: i64,
) -> Result<Changes, ReadError> {
    let stream = StreamId::Case(reference);
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let events = reader::stream(&mut *conn, stream, since, limit + 1).await?;
    let is_cut = i64::try_from(events.len()).is_ok_and(|read| read > limit);
    let upcasters = upcasters();
    let mut touched = HashSet::new();
    for event in &events {
        if let Event::Case(event) = event.decode(&upcasters)?.event {
            touched.extend(event.message_id());
        }
    }
    Ok(Changes { touched, is_cut })
}

/// Today's items from one place to another, both with it, at most `limit`.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn between(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    first: Place,
    last: Place,
    limit: usize,
) -> Result<Vec<ThreadItem>, sqlx::Error> {
    let raw = items!(
        "reference = $1 AND (sequence, part) >= ($2, $3) AND (sequence, part) <= ($4, $5) ORDER BY sequence, part LIMIT $6",
        reference.as_i32(),
        first.sequence.cast_signed(),
        i16::from(first.part),
        last.sequence.cast_signed(),
        i16::from(last.part),
        i64::try_from(limit).unwrap_or(i64::MAX),
    )
    .fetch_all(executor)
    .await?;
    read_all(raw)
}

/// To which cases these messages last went that left this one.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn went_to(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    messages: &[MessageId],
) -> Result<HashMap<MessageId, Reference>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT message_id AS "message_id!", other AS "other!" FROM thread_items
            WHERE reference = $1 AND kind = 'moved_out' AND message_id = ANY ($2)
            ORDER BY sequence"#,
        reference.as_i32(),
        &column(messages, |message| message.0),
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|item| {
            let row = Row {
                table: "thread_items",
                key: reference,
            };
            let other = row.reference("other", item.other)?;
            Ok((MessageId(item.message_id), other))
        })
        .collect()
}

/// At most `limit` items of a case from the event `first` on: those that came after the event `since`, those of the messages that were
/// `touched`, and those that the new ones quote.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn changed(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    first: u64,
    since: u64,
    touched: &[MessageId],
    limit: usize,
) -> Result<Vec<ThreadItem>, sqlx::Error> {
    let raw = items!(
        "reference = $1 AND sequence >= $2 AND (
             sequence > $3 OR message_id = ANY ($4) OR provider_id = ANY (ARRAY(
                 SELECT n.quotes FROM thread_items n WHERE n.reference = $1 AND n.sequence > $3 AND n.quotes IS NOT NULL
             ))
         ) ORDER BY sequence, part LIMIT $5",
        reference.as_i32(),
        i64::try_from(first).unwrap_or(i64::MAX),
        i64::try_from(since).unwrap_or(i64::MAX),
        &column(touched, |message| message.0),
        i64::try_from(limit).unwrap_or(i64::MAX),
    )
    .fetch_all(executor)
    .await?;
    read_all(raw)
}

/// Where those of these messages stood, from the event `first` on, that stand in the case no more.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn gone(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    first: u64,
    touched: &[MessageId],
) -> Result<Vec<Place>, sqlx::Error> {
    let found = sqlx::query!(
        "SELECT sequence, part FROM thread_items
          WHERE reference = $1 AND sequence >= $2 AND hidden AND kind = 'message' AND message_id = ANY ($3)",
        reference.as_i32(),
        i64::try_from(first).unwrap_or(i64::MAX),
        &column(touched, |message| message.0),
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|item| {
            let row = Row {
                table: "thread_items",
                key: reference,
            };
            Ok(Place {
                sequence: row.read("sequence", item.sequence.try_into())?,
                part: row.read("part", item.part.try_into())?,
            })
        })
        .collect()
}
