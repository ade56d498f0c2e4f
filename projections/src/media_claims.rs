//! Who fetches which file, and how the last try went.
//!
//! A claim is a lease by the database's clock, as those of the outbox are: until it ends, nobody else is given the file. What comes
//! of it is an event, which a case records once. So claims are no events, and no rebuild brings them back. A worker that dies
//! between the store and the event leaves a file that the next worker writes again under the same name.

use chrono::{DateTime, Utc};
use docket_domain::ids::{MediaId, MessageId};
use docket_domain::media::MediaFailure;
use docket_domain::personal::Personal;
use sqlx::PgExecutor;
use sqlx::types::Json;

use crate::read::media::KEPT_BY_VONAGE;

/// A file that is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The file.
    pub media_id: MediaId,
    /// The message that carries it.
    pub message_id: MessageId,
    /// Which file of the message, from 0.
    pub item: u16,
    /// Where Vonage keeps it.
    pub url: Personal<String>,
    /// Its name, where the sender gave one.
    pub name: Option<Personal<String>>,
    /// How often it was tried before.
    pub tries: u32,
    /// When the message was recorded.
    pub arrived_at: DateTime<Utc>,
}

/// Claims up to `limit` files that are due, the oldest first; no two callers get the same. `now` is the database's time, `until`
/// when the claims end by themselves.
///
/// # Errors
///
/// The database's error.
pub async fn claim(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<Claim>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"WITH due AS (
               SELECT m.media_id, m.message_id, m.item, m.url, m.name, m.arrived_at
                 FROM media m
                 LEFT JOIN media_claims c ON c.media_id = m.media_id
                WHERE m.state = 'waiting' AND m.arrived_at > $3
                  AND (c.media_id IS NULL OR c.due_at <= $1 AND c.claimed_until <= $1)
                ORDER BY m.arrived_at
                LIMIT $4
           ),
           claimed AS (
               INSERT INTO media_claims (media_id, tries, due_at, claimed_until)
               SELECT media_id, 0, $1, $2 FROM due
               ON CONFLICT (media_id) DO UPDATE SET claimed_until = excluded.claimed_until
                   WHERE media_claims.due_at <= $1 AND media_claims.claimed_until <= $1
               RETURNING media_id, tries
           )
           SELECT due.media_id, due.message_id, due.item, due.url AS "url!", due.name, due.arrived_at, claimed.tries
             FROM due
             JOIN claimed ON claimed.media_id = due.media_id
            ORDER BY due.arrived_at"#,
        now,
        until,
        now - KEPT_BY_VONAGE,
        i64::from(limit),
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Claim {
            media_id: MediaId(row.media_id),
            message_id: MessageId(row.message_id),
            item: u16::try_from(row.item).unwrap_or_default(),
            url: Personal(row.url),
            name: row.name.map(Personal),
            tries: row.tries.cast_unsigned(),
            arrived_at: row.arrived_at,
        })
        .collect())
}

/// Notes that a try failed, and gives the file back until `due_at`. `until` is what it was claimed with.
///
/// # Errors
///
/// The database's error.
pub async fn put_off(
    executor: impl PgExecutor<'_>,
    media_id: MediaId,
    until: DateTime<Utc>,
    failure: &MediaFailure,
    (failed_at, due_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE media_claims SET tries = tries + 1, due_at = $4, claimed_until = $3, failure = $5, failed_at = $3
          WHERE media_id = $1 AND claimed_until = $2",
        media_id.0,
        until,
        failed_at,
        due_at,
        Json(failure) as _,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Makes a claim end later; `false` where it is somebody else's by now.
///
/// # Errors
///
/// The database's error.
pub async fn renew(
    executor: impl PgExecutor<'_>,
    media_id: MediaId,
    until: DateTime<Utc>,
    next: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE media_claims SET claimed_until = $3 WHERE media_id = $1 AND claimed_until = $2",
        media_id.0,
        until,
        next,
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a file back at once, as when the service stops. `until` is what it was claimed with.
///
/// # Errors
///
/// The database's error.
pub async fn give_back(
    executor: impl PgExecutor<'_>,
    media_id: MediaId,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE media_claims SET claimed_until = $3 WHERE media_id = $1 AND claimed_until = $2",
        media_id.0,
        until,
        now,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Forgets the claim of a file that is settled.
///
/// # Errors
///
/// The database's error.
pub async fn release(executor: impl PgExecutor<'_>, media_id: MediaId) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM media_claims WHERE media_id = $1", media_id.0)
        .execute(executor)
        .await?;
    Ok(())
}

/// Makes all files due whose host was not allowed when they were tried: the settings may be others now.
///
/// # Errors
///
/// The database's error.
pub async fn try_refused_hosts_again(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE media_claims SET due_at = least(due_at, clock_timestamp())
          WHERE failure ?| ARRAY['host', 'private_address', 'redirected']",
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// When the next file that is not due at `now` becomes so.
///
/// # Errors
///
/// The database's error.
pub async fn next_due(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT min(greatest(due_at, claimed_until)) FROM media_claims WHERE greatest(due_at, claimed_until) > $1",
        now,
    )
    .fetch_one(executor)
    .await
}

/// Removes claims that are of no use any more: Vonage has deleted their files long ago.
///
/// # Errors
///
/// The database's error.
pub async fn forget_old(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM media_claims WHERE due_at <= $1 AND claimed_until <= $1",
        now - KEPT_BY_VONAGE - KEPT_BY_VONAGE,
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}

/// What signs the addresses at which Vonage fetches what we send.
///
/// # Errors
///
/// The database's error.
pub async fn link_key(executor: impl PgExecutor<'_>) -> Result<Vec<u8>, sqlx::Error> {
    sqlx::query_scalar!("SELECT key FROM media_link_key")
        .fetch_one(executor)
        .await
}
