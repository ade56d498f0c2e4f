//! Who is writing in which case, beside the log: said by their page every few seconds, and over by itself.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::ids::{Reference, UserId};
use docket_domain::personal::Personal;
use sqlx::PgExecutor;

use crate::presence::by_case;
use crate::read::rows::column;

/// Says that somebody writes until `expires_at`, and forgets who has not written since `now`; whether that was not known.
///
/// # Errors
///
/// The database's error.
pub async fn say(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    reference: Reference,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"WITH gone AS (
               DELETE FROM writing WHERE (user_id, reference) IN (
                   SELECT user_id, reference FROM writing
                    WHERE expires_at <= $3 AND (user_id, reference) <> ($1, $2)
                      FOR UPDATE SKIP LOCKED
               )
           ), known AS (
               SELECT FROM writing WHERE user_id = $1 AND reference = $2 AND expires_at > $3
           ), said AS (
               INSERT INTO writing (user_id, reference, expires_at) VALUES ($1, $2, $4)
               ON CONFLICT (user_id, reference) DO UPDATE SET expires_at = excluded.expires_at
               RETURNING user_id
           )
           SELECT NOT EXISTS (SELECT FROM known) AS "is_new!" FROM said"#,
        user_id.0,
        reference.as_i32(),
        now,
        expires_at,
    )
    .fetch_one(executor)
    .await
}

/// Says that somebody writes no more.
///
/// # Errors
///
/// The database's error.
pub async fn stop(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    reference: Reference,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM writing WHERE user_id = $1 AND reference = $2",
        user_id.0,
        reference.as_i32(),
    )
    .execute(executor)
    .await
    .map(drop)
}

/// The names, or else the addresses, of those who write in these cases at `now` beside that person, in alphabetical order.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn others(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    references: &[Reference],
    now: DateTime<Utc>,
) -> Result<BTreeMap<Reference, Vec<Personal<String>>>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT w.reference, coalesce(u.name, u.email) AS "shown!"
             FROM writing w JOIN users u ON u.user_id = w.user_id
            WHERE w.reference = ANY ($2) AND w.user_id <> $1 AND w.expires_at > $3 AND NOT u.removed
            ORDER BY w.reference, 2"#,
        user_id.0,
        &column(references, |reference| reference.as_i32()),
        now,
    )
    .fetch_all(executor)
    .await?;
    by_case(
        "writing",
        found
            .into_iter()
            .map(|writer| (writer.reference, writer.shown)),
    )
}
