//! A thread as it was after an event of its case, page by page.
//!
//! Which items there are is read from `thread_items`, whose rows never go. What they were like is told by the events that gave the
//! items of the page, and by those that later spoke of their messages: both are found by indexes, and go through the handler that
//! makes the live rows. So a page takes as long in a long thread as in a short one.

use std::collections::{BTreeMap, HashSet};

use docket_domain::event::StreamId;
use docket_domain::ids::Reference;
use sqlx::PgConnection;
use uuid::Uuid;

use super::page::Part;
use super::row::NewThreadItem;
use super::{Place, RawItem, ThreadHandler, ThreadItem};
use crate::log::reader::{self, ReadError};
use crate::log::recorded::to_database_precision;
use crate::log::upcasters::upcasters;
use crate::read::Projection as _;

/// So many rows are looked at in one statement at least.
const AT_LEAST: usize = 50;

/// A thread at a moment: everything that the first `sequence` events of the case gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The case.
    pub reference: Reference,
    /// The last of its events that had happened.
    pub sequence: u64,
}

/// A row that may have been shown then.
struct Candidate {
    sequence: i64,
    part: i16,
    message_id: Option<Uuid>,
}

/// At most `limit` items in order, those after `after` or from the beginning.
///
/// # Errors
///
/// [`ReadError`].
pub async fn page(
    conn: &mut PgConnection,
    moment: Moment,
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<ThreadItem>, ReadError> {
    let mut items = vec![];
    let mut from = after.map_or((0, 0), database_place);
    while items.len() < limit {
        let rows = limit.saturating_sub(items.len()).max(AT_LEAST);
        let candidates = sqlx::query_as!(
            Candidate,
            "SELECT sequence, part, message_id FROM thread_items
              WHERE reference = $1 AND (sequence, part) > ($2, $3) AND sequence <= $4
              ORDER BY sequence, part LIMIT $5",
            moment.reference.as_i32(),
            from.0,
            from.1,
            moment.sequence.cast_signed(),
            i64::try_from(rows).unwrap_or(i64::MAX),
        )
        .fetch_all(&mut *conn)
        .await?;
        let is_last = candidates.len() < rows;
        if let Some(last) = candidates.last() {
            from = (last.sequence, last.part);
        }
        items.extend(as_they_were(conn, moment, &candidates).await?);
        if is_last {
            break;
        }
    }
    items.truncate(limit);
    Ok(items)
}

/// The last `limit` items, or the last ones before an item.
///
/// # Errors
///
/// [`ReadError`].
pub async fn before(
    conn: &mut PgConnection,
    moment: Moment,
    before: Option<Place>,
    limit: usize,
) -> Result<Part, ReadError> {
    let mut items = vec![];
    let mut to = before.map_or((i64::MAX, i16::MAX), database_place);
    // One more, to know whether there are more.
    while items.len() <= limit {
        let rows = limit
            .saturating_add(1)
            .saturating_sub(items.len())
            .max(AT_LEAST);
        let candidates = sqlx::query_as!(
            Candidate,
            "SELECT sequence, part, message_id FROM thread_items
              WHERE reference = $1 AND (sequence, part) < ($2, $3) AND sequence <= $4
              ORDER BY sequence DESC, part DESC LIMIT $5",
            moment.reference.as_i32(),
            to.0,
            to.1,
            moment.sequence.cast_signed(),
            i64::try_from(rows).unwrap_or(i64::MAX),
        )
        .fetch_all(&mut *conn)
        .await?;
        let is_last = candidates.len() < rows;
        if let Some(last) = candidates.last() {
            to = (last.sequence, last.part);
        }
        let shown = as_they_were(conn, moment, &candidates).await?;
        items.extend(shown.into_iter().rev());
        if is_last {
            break;
        }
    }
    let has_earlier = items.len() > limit;
    items.truncate(limit);
    items.reverse();
    Ok(Part { items, has_earlier })
}

/// A case's notes up to the moment, in order: they never change.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn notes(
    conn: &mut PgConnection,
    moment: Moment,
) -> Result<Vec<ThreadItem>, sqlx::Error> {
    let raw = items!(
        "reference = $1 AND kind = 'note' AND sequence <= $2 ORDER BY sequence, part",
        moment.reference.as_i32(),
        moment.sequence.cast_signed(),
    )
    .fetch_all(conn)
    .await?;
    super::read_all(raw)
}

/// How many items of today came after the moment, up to `limit`.
///
/// # Errors
///
/// The database's error.
pub async fn count_since(
    conn: &mut PgConnection,
    moment: Moment,
    limit: i64,
) -> Result<usize, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (
               SELECT FROM thread_items WHERE reference = $1 AND NOT hidden AND sequence > $2 LIMIT $3
           ) added"#,
        moment.reference.as_i32(),
        moment.sequence.cast_signed(),
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

fn database_place(place: Place) -> (i64, i16) {
    (place.sequence.cast_signed(), i16::from(place.part))
}

/// Those of the rows that were shown at the moment, in order, as they were then.
async fn as_they_were(
    conn: &mut PgConnection,
    moment: Moment,
    candidates: &[Candidate],
) -> Result<Vec<ThreadItem>, ReadError> {
    let sequences: Vec<i64> = candidates.iter().map(|row| row.sequence).collect();
    let messages: HashSet<Uuid> = candidates.iter().filter_map(|row| row.message_id).collect();
    let messages: Vec<Uuid> = messages.into_iter().collect();
    let stream = StreamId::Case(moment.reference);
    let events = reader::of_items(
        conn,
        moment.reference,
        &sequences,
        &messages,
        moment.sequence,
    )
    .await?;
    let upcasters = upcasters();
    let mut handler = ThreadHandler::default();
    for event in events.into_values() {
        let recorded = event.decode(&upcasters)?;
        debug_assert_eq!(recorded.stream, stream);
        handler.apply(&recorded);
    }
    let mut shown: BTreeMap<(i64, i16), NewThreadItem> = handler
        .into_items()
        .into_iter()
        .filter(|item| !item.hidden)
        .map(|item| ((item.sequence, item.item_part), item))
        .collect();
    let mut places: Vec<(i64, i16)> = candidates
        .iter()
        .map(|row| (row.sequence, row.part))
        .collect();
    places.sort_unstable();
    let shown = places.iter().filter_map(|place| shown.remove(place));
    let items: Result<Vec<ThreadItem>, sqlx::Error> =
        shown.map(|item| RawItem::from(item).read()).collect();
    Ok(items?)
}

/// As the database would give it back.
impl From<NewThreadItem> for RawItem {
    fn from(item: NewThreadItem) -> Self {
        Self {
            reference: item.reference,
            sequence: item.sequence,
            part: item.item_part,
            kind: item.kind.to_owned(),
            at: to_database_precision(item.at.unwrap_or(item.recorded_at)),
            recorded_at: to_database_precision(item.recorded_at),
            author_kind: item.author_kind.to_owned(),
            author_id: item.author_id,
            author_email: item.author_email,
            message_id: item.message_id,
            direction: item.direction.map(str::to_owned),
            channel: item.channel.map(str::to_owned),
            line_id: item.line_id,
            said: item.said,
            content: item.content,
            sent_text: item.sent_text,
            provider_id: item.provider_id,
            quotes: item.quotes,
            rule: item.rule.map(str::to_owned),
            rule_references: item.rule_references,
            delivery: item.delivery.map(str::to_owned),
            delivery_reason: item.delivery_reason,
            delivery_code: item.delivery_code,
            delivery_at: item.delivery_at.map(to_database_precision),
            attempt: item.attempt,
            other: item.other,
            before: item.before,
            value: item.value,
            closed: item.closed,
            comment: item.comment,
            note_id: item.note_id,
            question: item.question,
            at_is_arrival: item.at_is_arrival,
            rule_foreign: item.rule_foreign,
            reaction: item.reaction,
            reaction_at: item.reaction_at.map(to_database_precision),
            reaction_from: item.reaction_from,
            template: item.template,
        }
    }
}
