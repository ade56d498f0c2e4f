//! Who has which case open.
//!
//! Open pages tell, each under an id of its own, and say again that they are there before their time is over; so several processes
//! on one database know of each other's pages, and what is left of a process that died goes by itself. None of it is in the log.

use chrono::{DateTime, Utc};
use docket_domain::ids::{Reference, UserId};
use docket_domain::personal::Personal;
use sqlx::PgExecutor;
use uuid::Uuid;

/// A page on which somebody has a case open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenPage {
    /// Its id.
    pub page_id: Uuid,
    /// Who looks at it.
    pub user_id: UserId,
    /// The case.
    pub reference: Reference,
}

/// Says that a page is open until `expires_at`, and forgets what has not been heard of by `now`.
///
/// # Errors
///
/// The database's error.
pub async fn renew(
    executor: impl PgExecutor<'_>,
    page: OpenPage,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH gone AS (
             DELETE FROM presence WHERE page_id IN (
                 SELECT page_id FROM presence WHERE expires_at <= $4 AND page_id <> $1 FOR UPDATE SKIP LOCKED
             )
         )
         INSERT INTO presence (page_id, user_id, reference, expires_at) VALUES ($1, $2, $3, $5)
         ON CONFLICT (page_id) DO UPDATE SET expires_at = excluded.expires_at",
        page.page_id,
        page.user_id.0,
        page.reference.as_i32(),
        now,
        expires_at,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Says that a page is not open any more.
///
/// # Errors
///
/// The database's error.
pub async fn leave(executor: impl PgExecutor<'_>, page_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM presence WHERE page_id = $1", page_id)
        .execute(executor)
        .await?;
    Ok(())
}

/// The addresses of those who have a case open at `now` beside that person, each once, in alphabetical order.
///
/// # Errors
///
/// The database's error.
pub async fn others(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    reference: Reference,
    now: DateTime<Utc>,
) -> Result<Vec<Personal<String>>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        "SELECT DISTINCT users.email FROM presence
         JOIN users ON users.user_id = presence.user_id
         WHERE presence.reference = $2 AND presence.user_id <> $1 AND presence.expires_at > $3 AND NOT users.removed
         ORDER BY users.email",
        user_id.0,
        reference.as_i32(),
        now,
    )
    .fetch_all(executor)
    .await?;
    Ok(found.into_iter().map(Personal).collect())
}
