//! A case's events page by page, of some kinds or by somebody alone.

use docket_domain::ids::Reference;
use sqlx::PgExecutor;

use super::reader::{LogEvent, ReadError, Row, collect};

/// Which of a case's events are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The case.
    pub reference: Reference,
    /// Of these types; of all where there are none.
    pub types: &'a [&'a str],
    /// By whom: `contact`, `automatic`, `vonage`, `docket` or the address of a person; by all where it is empty.
    pub by: &'a str,
}

impl Wanted<'_> {
    /// Whether every event is wanted.
    pub const fn is_all(&self) -> bool {
        self.types.is_empty() && self.by.is_empty()
    }
}

/// The events, with what follows the conditions. Who did it is told as [`who`](crate::history::who) does.
macro_rules! events {
    ($rest:literal, $wanted:expr, $from:expr, $limit:expr) => {
        sqlx::query_as!(
            Row,
            r#"SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
                      metadata::text AS "metadata!", recorded_at
                 FROM events
                WHERE aggregate_type = 'Case' AND aggregate_id = $1
                    AND (cardinality($2::text[]) = 0 OR event_type = ANY ($2))
                    AND ($3 = '' OR $3 = CASE
                        WHEN event_type IN ('MessageReceived', 'ReactionReceived') THEN 'contact'
                        WHEN event_type = 'CaseOpened' AND metadata ->> 'actor' = 'vonage' THEN 'contact'
                        WHEN event_type = 'MessageQueued' AND payload #>> '{MessageQueued,author,by}' IN ('automatic', 'opt_out_confirmation') THEN 'automatic'
                        WHEN metadata ->> 'actor' = 'system' THEN 'docket'
                        ELSE coalesce(metadata ->> 'email', metadata ->> 'actor')
                    END)
                    AND "# + $rest,
            $wanted.reference.to_string(),
            $wanted.types as &[&str],
            $wanted.by,
            $from,
            $limit,
        )
    };
}

/// At most `limit` events behind that sequence, in order.
///
/// # Errors
///
/// [`ReadError`].
pub async fn after(
    executor: impl PgExecutor<'_>,
    wanted: Wanted<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<LogEvent>, ReadError> {
    let rows = events!(
        "sequence > $4 ORDER BY sequence LIMIT $5",
        wanted,
        after,
        limit
    );
    collect(rows.fetch_all(executor).await?)
}

/// The last `limit` events before that sequence, in order.
///
/// # Errors
///
/// [`ReadError`].
pub async fn before(
    executor: impl PgExecutor<'_>,
    wanted: Wanted<'_>,
    before: i64,
    limit: i64,
) -> Result<Vec<LogEvent>, ReadError> {
    let rows = events!(
        "sequence < $4 ORDER BY sequence DESC LIMIT $5",
        wanted,
        before,
        limit
    );
    let mut rows = rows.fetch_all(executor).await?;
    rows.reverse();
    collect(rows)
}

/// How many events are like that, up to `limit`.
///
/// # Errors
///
/// [`ReadError`].
pub async fn count(
    executor: impl PgExecutor<'_>,
    wanted: Wanted<'_>,
    limit: i64,
) -> Result<usize, ReadError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (
               SELECT FROM events
                WHERE aggregate_type = 'Case' AND aggregate_id = $1
                    AND (cardinality($2::text[]) = 0 OR event_type = ANY ($2))
                    AND ($3 = '' OR $3 = CASE
                        WHEN event_type IN ('MessageReceived', 'ReactionReceived') THEN 'contact'
                        WHEN event_type = 'CaseOpened' AND metadata ->> 'actor' = 'vonage' THEN 'contact'
                        WHEN event_type = 'MessageQueued' AND payload #>> '{MessageQueued,author,by}' IN ('automatic', 'opt_out_confirmation') THEN 'automatic'
                        WHEN metadata ->> 'actor' = 'system' THEN 'docket'
                        ELSE coalesce(metadata ->> 'email', metadata ->> 'actor')
                    END)
                LIMIT $4
           ) wanted"#,
        wanted.reference.to_string(),
        wanted.types as &[&str],
        wanted.by,
        limit,
    )
    .fetch_one(executor)
    .await?;
    Ok(usize::try_from(count).unwrap_or_default())
}
