//! Searching the log: newest first, a page at a time, whatever its length.
//!
//! There is no index for each thing that can be asked for, since the log is where everything is written. What belongs to a case or a
//! number is found through the read models and the log's own key. All else is found by looking through the log backwards from a
//! position, at most so far at once; whoever wants to goes on from there. So is what belongs to a number with very many cases.
//!
//! A time is turned into positions first. Times rise with positions, except that the clocks of two processes differ and that a
//! transaction which waited carries an older time than those committed before it; hence [`DISORDER`].

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use docket_domain::case::Case;
use docket_domain::event::StreamId;
use docket_domain::ids::{HeldId, Reference};
use serde_json::Value;
use sqlx::PgPool;

use super::circumstances::Circumstances;
use super::reader::{self, LogEvent, ReadError, Row, collect};
use cqrs_es::Aggregate as _;

/// So many events are looked through at once.
const CHUNK: i64 = 25_000;
/// So many events are looked through for one page at most.
const MAX_LOOKED: i64 = 200_000;
/// So much older than an event before it can an event's time be, at most.
const DISORDER: TimeDelta = TimeDelta::hours(1);
/// So many cases of one number are looked up by the log's key; of more, the log is looked through.
const MAX_CASES: usize = 500;
/// So many days of these cases, on which somebody can have looked at them, are looked up; of more, the log is looked through.
const MAX_VIEW_DAYS: usize = 20_000;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// A person, by their address at that time.
    Email(String),
    /// `vonage` or `system`.
    Kind(&'static str),
}

/// What it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A case: what happened in it, and who looked at it.
    Case(Reference),
    /// An outside number, digits alone: what happened in its cases and who looked at them, and what came from it and could not be
    /// routed.
    Number(String),
}

/// Which events are looked for; all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Only events before that position.
    pub before: Option<i64>,
    /// Only events of these aggregates, unless the list is empty.
    pub aggregates: Vec<&'static str>,
    /// Only events of these types, unless the list is empty.
    pub types: Vec<&'static str>,
    /// Only what they did.
    pub by: Option<By>,
    /// Only what was done so; who did it says `by`.
    pub how: Circumstances,
    /// Only what is about it.
    pub about: Option<About>,
    /// Only what was recorded then or later.
    pub since: Option<DateTime<Utc>>,
    /// Only what was recorded before.
    pub until: Option<DateTime<Utc>>,
}

/// A page of what was found.
#[derive(Debug)]
pub struct Found {
    /// The events, newest first.
    pub events: Vec<LogEvent>,
    /// Where it goes on.
    pub next: Next,
}

/// Where a search goes on: what to give as [`Search::before`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is no more.
    End,
    /// There is more.
    More(i64),
    /// It was looked through back to this position, and there may be more beyond.
    Further(i64),
}

/// The positions that are looked through: behind `low`, up to `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    low: i64,
    high: i64,
}

/// The same as parameters of a statement.
struct Filter<'a> {
    types: Vec<&'a str>,
    aggregates: Vec<&'a str>,
    email: Option<&'a str>,
    kind: Option<&'static str>,
    how: Option<Value>,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Search {
    fn filter(&self) -> Filter<'_> {
        let (email, kind) = match &self.by {
            None => (None, None),
            Some(By::Email(email)) => (Some(email.as_str()), None),
            Some(By::Kind(kind)) => (None, Some(*kind)),
        };
        let far = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        let (first, last) = (far(0), far(253_402_300_799));
        Filter {
            types: self.types.clone(),
            aggregates: self.aggregates.clone(),
            email,
            kind,
            how: self.how.members(),
            since: self.since.unwrap_or(first).clamp(first, last),
            until: self.until.unwrap_or(last).clamp(first, last),
        }
    }

    /// Whether no event of a case is looked for, so that the index of all others serves.
    fn is_beside_cases(&self) -> bool {
        !self.aggregates.is_empty() && !self.aggregates.contains(&Case::TYPE)
    }
}

/// A page of at most `limit` events.
///
/// # Errors
///
/// [`ReadError`].
pub async fn page(pool: &PgPool, search: &Search, limit: i64) -> Result<Found, ReadError> {
    let head = reader::head(pool).await?;
    let mut span = Span {
        low: 0,
        // Whoever writes an address writes any number into it.
        high: search
            .before
            .map_or(head, |before| before.saturating_sub(1).clamp(0, head)),
    };
    if let Some(since) = search.since {
        let before_all = since.checked_sub_signed(DISORDER).unwrap_or(since);
        span.low = position_at(pool, before_all, head).await?;
    }
    if let Some(until) = search.until {
        let after_all = until.checked_add_signed(DISORDER).unwrap_or(until);
        let last = position_at(pool, after_all, head).await?;
        span.high = span.high.min(last);
    }
    let streams = match &search.about {
        None if search.is_beside_cases() => return beside_cases(pool, search, span, limit).await,
        None => None,
        Some(About::Case(reference)) => Some(streams_of_case(pool, *reference, search).await?),
        Some(About::Number(number)) => streams_of_number(pool, number, search).await?,
    };
    match streams {
        Some(streams) => {
            let events = of_streams(pool, search, &streams, span, limit + 1).await?;
            Ok(Found::of(events, limit, Next::End))
        }
        None => everywhere(pool, search, span, limit).await,
    }
}

impl Found {
    fn of(mut events: Vec<LogEvent>, limit: i64, next: Next) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = events.len() > limit;
        events.truncate(limit);
        let next = match events.last() {
            Some(last) if more => Next::More(last.position),
            _ => next,
        };
        Self { events, next }
    }
}

/// The position of about the last event that was recorded before `time`, 0 where there is none.
async fn position_at(pool: &PgPool, time: DateTime<Utc>, head: i64) -> Result<i64, sqlx::Error> {
    // Of the positions up to `before` all are earlier, of those from `after` on none.
    let (mut before, mut after) = (0, head + 1);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        let recorded_at =
            sqlx::query_scalar!("SELECT recorded_at FROM events WHERE position = $1", middle)
                .fetch_optional(pool)
                .await?;
        if recorded_at.is_some_and(|recorded_at| recorded_at < time) {
            before = middle;
        } else {
            after = middle;
        }
    }
    Ok(before)
}

/// The streams that are about a case.
async fn streams_of_case(
    pool: &PgPool,
    reference: Reference,
    search: &Search,
) -> Result<Vec<StreamId>, sqlx::Error> {
    let opened_at = sqlx::query_scalar!(
        "SELECT opened_at FROM cases WHERE reference = $1",
        reference.as_i32()
    )
    .fetch_optional(pool)
    .await?;
    let Some(opened_at) = opened_at else {
        return Ok(vec![]);
    };
    let last = last_recorded_at(pool).await?;
    let mut streams = vec![StreamId::Case(reference)];
    streams.extend(views(reference, opened_at, last, search));
    Ok(streams)
}

/// The streams that are about a number; `None` where there are too many.
async fn streams_of_number(
    pool: &PgPool,
    number: &str,
    search: &Search,
) -> Result<Option<Vec<StreamId>>, sqlx::Error> {
    let one_too_many = i64::try_from(MAX_CASES).expect("a small constant") + 1;
    let cases = sqlx::query!(
        "SELECT c.reference, c.opened_at
           FROM contacts k JOIN contact_cases o USING (contact_id) JOIN cases c USING (reference)
          WHERE k.number = $1
          LIMIT $2",
        number,
        one_too_many,
    )
    .fetch_all(pool)
    .await?;
    let held = sqlx::query_scalar!(
        "SELECT held_id FROM unrouted WHERE from_number = $1 LIMIT $2",
        number,
        one_too_many,
    )
    .fetch_all(pool)
    .await?;
    let last = last_recorded_at(pool).await?;
    let looks: Vec<StreamId> = cases
        .iter()
        .filter_map(|row| Some((Reference::from_i32(row.reference)?, row.opened_at)))
        .flat_map(|(reference, opened_at)| views(reference, opened_at, last, search))
        .take(MAX_VIEW_DAYS + 1)
        .collect();
    if cases.len() > MAX_CASES || held.len() > MAX_CASES || looks.len() > MAX_VIEW_DAYS {
        return Ok(None);
    }
    let cases = cases
        .iter()
        .filter_map(|row| Reference::from_i32(row.reference))
        .map(StreamId::Case);
    let held = held.into_iter().map(|id| StreamId::Held(HeldId(id)));
    Ok(Some(cases.chain(held).chain(looks).collect()))
}

/// When the newest event was recorded; `None` in an empty log.
async fn last_recorded_at(pool: &PgPool) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("SELECT recorded_at FROM log_head")
        .fetch_one(pool)
        .await
}

/// The looks at a case in the time that is searched, a stream for each day.
fn views(
    reference: Reference,
    opened_at: DateTime<Utc>,
    last: Option<DateTime<Utc>>,
    search: &Search,
) -> impl Iterator<Item = StreamId> {
    let first = opened_at.max(search.since.unwrap_or(opened_at));
    let last = last.unwrap_or(opened_at);
    let last = last.min(search.until.unwrap_or(last));
    days(first.date_naive(), last.date_naive()).map(move |day| StreamId::Views(reference, day))
}

/// The days around which somebody can have looked: a day more on either side, since a look is recorded a little later.
fn days(first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    let first = first.checked_sub_days(Days::new(1)).unwrap_or(first);
    let last = last.checked_add_days(Days::new(1)).unwrap_or(last);
    first.iter_days().take_while(move |day| *day <= last)
}

async fn of_streams(
    pool: &PgPool,
    search: &Search,
    streams: &[StreamId],
    span: Span,
    limit: i64,
) -> Result<Vec<LogEvent>, ReadError> {
    let filter = search.filter();
    let wanted = |stream: &&StreamId| {
        filter.aggregates.is_empty() || filter.aggregates.contains(&stream.aggregate_type())
    };
    let types: Vec<&str> = streams
        .iter()
        .filter(wanted)
        .map(|stream| stream.aggregate_type())
        .collect();
    let ids: Vec<String> = streams
        .iter()
        .filter(wanted)
        .map(|stream| stream.aggregate_id())
        .collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version,
                  e.payload::text AS "payload!", e.metadata::text AS "metadata!", e.recorded_at
             FROM unnest($1::text[], $2::text[]) AS w (aggregate_type, aggregate_id)
            CROSS JOIN LATERAL (
                  SELECT * FROM events e
                   WHERE e.aggregate_type = w.aggregate_type AND e.aggregate_id = w.aggregate_id
                     AND e.position > $3 AND e.position <= $4
                     AND (cardinality($5::text[]) = 0 OR e.event_type = ANY ($5))
                     AND ($6::text IS NULL OR e.metadata ->> 'email' = $6)
                     AND ($7::text IS NULL OR e.metadata ->> 'actor' = $7)
                     AND ($11::jsonb IS NULL OR e.metadata::jsonb @> $11)
                     AND e.recorded_at >= $8 AND e.recorded_at < $9
                   ORDER BY e.sequence DESC
                   LIMIT $10
                  ) e
            ORDER BY e.position DESC
            LIMIT $10"#,
        &types as &[&str],
        &ids,
        span.low,
        span.high,
        &filter.types as &[&str],
        filter.email,
        filter.kind,
        filter.since,
        filter.until,
        limit,
        filter.how,
    )
    .fetch_all(pool)
    .await?;
    collect(rows)
}

/// Looks through all events but those of cases.
async fn beside_cases(
    pool: &PgPool,
    search: &Search,
    span: Span,
    limit: i64,
) -> Result<Found, ReadError> {
    let filter = search.filter();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version,
                  e.payload::text AS "payload!", e.metadata::text AS "metadata!", e.recorded_at
             FROM (SELECT * FROM events
                    WHERE aggregate_type <> 'Case' AND position > $1 AND position <= $2
                    ORDER BY position DESC
                    LIMIT $3) e
            WHERE e.aggregate_type = ANY ($4::text[])
              AND (cardinality($5::text[]) = 0 OR e.event_type = ANY ($5))
              AND ($6::text IS NULL OR e.metadata ->> 'email' = $6)
              AND ($7::text IS NULL OR e.metadata ->> 'actor' = $7)
              AND ($11::jsonb IS NULL OR e.metadata::jsonb @> $11)
              AND e.recorded_at >= $8 AND e.recorded_at < $9
            ORDER BY e.position DESC
            LIMIT $10"#,
        span.low,
        span.high,
        MAX_LOOKED,
        &filter.aggregates as &[&str],
        &filter.types as &[&str],
        filter.email,
        filter.kind,
        filter.since,
        filter.until,
        limit + 1,
        filter.how,
    )
    .fetch_all(pool)
    .await?;
    let further = sqlx::query_scalar!(
        "SELECT position FROM events
          WHERE aggregate_type <> 'Case' AND position > $1 AND position <= $2
          ORDER BY position DESC OFFSET $3 LIMIT 1",
        span.low,
        span.high,
        MAX_LOOKED,
    )
    .fetch_optional(pool)
    .await?;
    let next = further.map_or(Next::End, |position| Next::Further(position + 1));
    Ok(Found::of(collect(rows)?, limit, next))
}

/// Looks through the log backwards, some way; only at what is about a number where one is asked for.
async fn everywhere(
    pool: &PgPool,
    search: &Search,
    span: Span,
    limit: i64,
) -> Result<Found, ReadError> {
    let filter = search.filter();
    let number = match &search.about {
        Some(About::Number(number)) => Some(number.as_str()),
        Some(About::Case(_)) | None => None,
    };
    let mut found: Vec<LogEvent> = vec![];
    let mut high = span.high;
    let end = span.low.max(span.high - MAX_LOOKED);
    while high > end {
        let low = end.max(high - CHUNK);
        let missing = limit + 1 - i64::try_from(found.len()).unwrap_or_default();
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                      payload::text AS "payload!", metadata::text AS "metadata!", recorded_at
                 FROM events
                WHERE position > $1 AND position <= $2
                  AND (cardinality($3::text[]) = 0 OR event_type = ANY ($3))
                  AND (cardinality($4::text[]) = 0 OR aggregate_type = ANY ($4))
                  AND ($5::text IS NULL OR metadata ->> 'email' = $5)
                  AND ($6::text IS NULL OR metadata ->> 'actor' = $6)
                  AND ($11::jsonb IS NULL OR metadata::jsonb @> $11)
                  AND recorded_at >= $7 AND recorded_at < $8
                  AND ($10::text IS NULL
                       OR aggregate_type IN ('Case', 'CaseViews') AND split_part(aggregate_id, '-', 1) IN (
                              SELECT o.reference::text FROM contacts k JOIN contact_cases o USING (contact_id) WHERE k.number = $10
                          )
                       OR aggregate_type = 'HeldWebhook' AND aggregate_id IN (
                              SELECT held_id::text FROM unrouted WHERE from_number = $10
                          ))
                ORDER BY position DESC
                LIMIT $9"#,
            low,
            high,
            &filter.types as &[&str],
            &filter.aggregates as &[&str],
            filter.email,
            filter.kind,
            filter.since,
            filter.until,
            missing,
            number,
            filter.how.clone(),
        )
        .fetch_all(pool)
        .await?;
        found.extend(collect(rows)?);
        if i64::try_from(found.len()).is_ok_and(|found| found > limit) {
            break;
        }
        high = low;
    }
    let next = if high > span.low {
        Next::Further(high + 1)
    } else {
        Next::End
    };
    Ok(Found::of(found, limit, next))
}
