//! Who offers which message of the outbox to Vonage.
//!
//! A claim is a lease: until it ends, nobody else is given the message. It saves work and keeps order, and nothing more
//! hangs on it. That a message is offered once is the log's doing: a worker records `MessageSending` before it calls, and
//! the case refuses that to the second one. So claims are no events, and no rebuild brings them back.
//!
//! When a message was queued is told by the clock of then, which may have been ahead of today's. So only one that was put off has to
//! wait for its time; all others are due.
//!
//! A claim belongs to one attempt; when an agent sends a message again, the claim of the attempt before counts no more.
//!
//! Claims are judged by the database's clock ([`database_time`]), since the clocks of two processes can differ by more than a
//! lease. The rate limit is one row for all processes ([`take_turns`]), since Vonage counts the calls of an API key.

use std::time::Duration;

use chrono::{DateTime, Utc};
use docket_domain::ids::MessageId;
use docket_domain::personal::Personal;
use sqlx::PgExecutor;

use crate::read::outbox::{Columnwise, OutboxRow};

/// The database's clock.
///
/// # Errors
///
/// The database's error.
pub async fn database_time(executor: impl PgExecutor<'_>) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#)
        .fetch_one(executor)
        .await
}

/// Reserves `count` turns to call Vonage, `interval` apart, behind those that any process has reserved. Returns the time until
/// the first of them; the others follow, each `interval` later.
///
/// # Errors
///
/// The database's error.
pub async fn take_turns(
    executor: impl PgExecutor<'_>,
    count: u32,
    interval: Duration,
) -> Result<Duration, sqlx::Error> {
    // The bound keeps a database clock that was set back from holding up all messages until it has caught up.
    let wait_ms = sqlx::query_scalar!(
        r#"UPDATE sending_rate
           SET next_at = least(
                   greatest(next_at, clock_timestamp()),
                   clock_timestamp() + make_interval(secs => $2)
               ) + make_interval(secs => $1)
           RETURNING extract(epoch FROM next_at - make_interval(secs => $1) - clock_timestamp())::float8 * 1000 AS "wait_ms!""#,
        (interval * count).as_secs_f64(),
        LONGEST_QUEUE.as_secs_f64(),
    )
    .fetch_one(executor)
    .await?;
    Ok(Duration::try_from_secs_f64(wait_ms / 1_000.0).unwrap_or_default())
}

/// How far ahead turns are reserved at most. Leases are longer, so that a message is called for before its lease ends.
const LONGEST_QUEUE: Duration = Duration::from_secs(20);

/// A message that was claimed, with what its call needs beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The message.
    pub message: OutboxRow,
    /// The number of its line.
    pub from_number: Personal<String>,
    /// The file that goes out with it.
    pub media: Option<ClaimedMedia>,
}

/// A file that goes out with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedMedia {
    /// `image`, `audio`, `video` or `file`.
    pub kind: String,
    /// Its media type.
    pub media_type: String,
    /// Its name, where it has one.
    pub name: Option<Personal<String>>,
}

/// What a worker asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The database's time.
    pub now: DateTime<Utc>,
    /// When the claims end by themselves; later than any call to Vonage takes.
    pub until: DateTime<Utc>,
    /// The most messages.
    pub limit: u32,
    /// The most messages of one line.
    pub per_line: u32,
}

/// Claims messages that are due, for whoever calls; no two callers get the same. Lines take turns, so that a line with a long
/// queue holds nobody up. Not given are messages of a line that is halted or removed, those that somebody has claimed,
/// and those before which another one to the same contact is to go out.
///
/// A message on a line that stands still does not hold up those to the same contact on other lines.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn claim(
    executor: impl PgExecutor<'_>,
    wanted: Wanted,
) -> Result<Vec<Claim>, sqlx::Error> {
    let rows = sqlx::query!(
        // Looking for messages, locking them and claiming them see three different moments. What happened in between shows
        // at the lock, which reads a changed row again, and at the claim, which reads the claim as it is by then; a
        // message that somebody else locks is about to be claimed or changed, and is left to them.
        // Only where a clock was ahead is more looked at than what is due by now.
        r#"WITH ahead AS (
               SELECT greatest($1, max(due_at)) AS until FROM outbox WHERE state = 'queued' AND due_at = queued_at
           ),
           turns AS (
               SELECT due.message_id, due.due_at,
                      row_number() OVER (PARTITION BY lines.line_id ORDER BY due.due_at, due.message_id) AS turn
               FROM lines
               CROSS JOIN LATERAL (
                   SELECT waiting.message_id, waiting.due_at
                   FROM outbox AS waiting
                   WHERE waiting.line_id = lines.line_id AND waiting.state = 'queued'
                     AND waiting.due_at <= (SELECT until FROM ahead)
                     AND (waiting.due_at <= $1 OR waiting.due_at = waiting.queued_at)
                     AND NOT EXISTS (
                         SELECT FROM outbox_claims AS claim
                         WHERE claim.message_id = waiting.message_id AND claim.attempt = waiting.attempt
                           AND claim.claimed_until > $1
                     )
                     AND NOT EXISTS (
                         SELECT FROM outbox AS earlier
                         JOIN lines AS earlier_line ON earlier_line.line_id = earlier.line_id
                         WHERE earlier.contact_id = waiting.contact_id
                           AND (earlier.queued_at, earlier.message_id) < (waiting.queued_at, waiting.message_id)
                           AND earlier_line.halted IS NULL AND NOT earlier_line.removed
                     )
                   ORDER BY waiting.due_at, waiting.message_id
                   LIMIT $4
               ) AS due
               WHERE lines.halted IS NULL AND NOT lines.removed
           ),
           chosen AS (
               SELECT message_id FROM turns ORDER BY turn, due_at, message_id LIMIT $3
           ),
           locked AS (
               SELECT outbox.*
               FROM outbox
               JOIN chosen ON chosen.message_id = outbox.message_id
               WHERE outbox.state = 'queued' AND (outbox.due_at <= $1 OR outbox.due_at = outbox.queued_at)
               FOR UPDATE OF outbox SKIP LOCKED
           ),
           claimed AS (
               INSERT INTO outbox_claims (message_id, attempt, claimed_until)
               SELECT message_id, attempt, $2 FROM locked
               ON CONFLICT (message_id) DO UPDATE
                   SET attempt = excluded.attempt, claimed_until = excluded.claimed_until
                   WHERE outbox_claims.attempt <> excluded.attempt OR outbox_claims.claimed_until <= $1
               RETURNING message_id
           )
           SELECT locked.message_id AS "message_id!", contact_id AS "contact_id!", line_id AS "line_id!",
                  locked.channel AS "channel!", to_number AS "to_number!", sent_text AS "sent_text!",
                  template::text AS template,
                  case_references AS "case_references!", locked.state AS "state!", attempt AS "attempt!",
                  queued_at AS "queued_at!", due_at AS "due_at!", since AS "since!", lines.number AS "from_number!",
                  media.kind AS "media_kind?", media.media_type AS "media_type?", media.name AS "media_name?"
           FROM locked
           JOIN claimed ON claimed.message_id = locked.message_id
           JOIN lines USING (line_id)
           LEFT JOIN media ON media.message_id = locked.message_id AND media.item = 0
           ORDER BY due_at, locked.message_id"#,
        wanted.now,
        wanted.until,
        i64::from(wanted.limit),
        i64::from(wanted.per_line),
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let from_number = Personal(row.from_number);
            let media = row.media_kind.zip(row.media_type);
            let media = media.map(|(kind, media_type)| ClaimedMedia {
                kind,
                media_type,
                name: row.media_name.map(Personal),
            });
            let message = OutboxRow::try_from(Columnwise {
                message_id: row.message_id,
                contact_id: row.contact_id,
                line_id: row.line_id,
                channel: row.channel,
                to_number: row.to_number,
                sent_text: row.sent_text,
                template: row.template,
                case_references: row.case_references,
                state: row.state,
                attempt: row.attempt,
                queued_at: row.queued_at,
                due_at: row.due_at,
                since: row.since,
            })?;
            Ok(Claim {
                message,
                from_number,
                media,
            })
        })
        .collect()
}

/// Makes claims end at `until`, which is earlier than they were claimed for: nobody is given the messages before. `claimed_until` is
/// what they were claimed with.
///
/// # Errors
///
/// The database's error.
pub async fn put_off(
    executor: impl PgExecutor<'_>,
    message_id: MessageId,
    claimed_until: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE outbox_claims SET claimed_until = $3 WHERE message_id = $1 AND claimed_until = $2",
        message_id.0,
        claimed_until,
        until,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Gives claims back, when the messages are done with or put off. `until` is what they were claimed with: a claim that ended
/// and is somebody else's by now stays.
///
/// # Errors
///
/// The database's error.
pub async fn release(
    executor: impl PgExecutor<'_>,
    message_ids: &[MessageId],
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let message_ids: Vec<_> = message_ids.iter().map(|id| id.0).collect();
    sqlx::query!(
        "DELETE FROM outbox_claims WHERE message_id = ANY($1) AND claimed_until = $2",
        &message_ids,
        until,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Up to `limit` messages that are `sending` and that nobody claims any more, oldest first: the worker that called Vonage died
/// on the way, and the outcome is uncertain. A worker calls only while its claim is sure to last, so the claim alone tells.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn orphans(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<OutboxRow>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Columnwise,
        "SELECT message_id, contact_id, line_id, channel, to_number, sent_text, template::text AS template, case_references, state, attempt,
                queued_at, due_at, since
         FROM outbox
         WHERE state = 'sending'
           AND NOT EXISTS (
               SELECT FROM outbox_claims AS claim
               WHERE claim.message_id = outbox.message_id AND claim.attempt = outbox.attempt
                 AND claim.claimed_until > $1
           )
         ORDER BY since, message_id
         LIMIT $2",
        now,
        i64::from(limit),
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(OutboxRow::try_from).collect()
}

/// Up to `limit` messages, oldest first, that wait on a line which was removed, or for a contact that opted out: nobody sends them any
/// more. What confirms an opt-out is sent all the same.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn unsendable(
    executor: impl PgExecutor<'_>,
    limit: u32,
) -> Result<Vec<OutboxRow>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Columnwise,
        r#"SELECT message_id, contact_id, waiting.line_id, waiting.channel, to_number, sent_text, template::text AS template, case_references, state,
                  attempt, queued_at, due_at, since
           FROM lines
           JOIN outbox AS waiting ON waiting.line_id = lines.line_id AND waiting.state = 'queued'
           LEFT JOIN contact_details AS d USING (contact_id)
           WHERE lines.removed
              OR waiting.channel = ANY (d.opted_out) AND NOT EXISTS (
                     SELECT FROM thread_items AS t
                      WHERE t.message_id = waiting.message_id AND t.direction = 'outbound'
                          AND t.author_kind = 'opt_out_confirmation')
           ORDER BY queued_at, message_id
           LIMIT $1"#,
        i64::from(limit),
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(OutboxRow::try_from).collect()
}

/// Removes the claims that have ended, which workers that died left behind; gives their number.
///
/// # Errors
///
/// The database's error.
pub async fn forget_ended(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!("DELETE FROM outbox_claims WHERE claimed_until <= $1", now)
        .execute(executor)
        .await?;
    Ok(done.rows_affected())
}
