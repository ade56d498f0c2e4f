//! Who has which case open.
//!
//! Open pages tell, each under an id of its own, and say again that they are there before their time is over; so several processes
//! on one database know of each other's pages, and what is left of a process that died goes by itself. None of it is in the log.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::ids::{Reference, UserId};
use docket_domain::personal::Personal;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::read::rows::{Row, column};

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

/// Says that pages are open until `expires_at`, and forgets what has not been heard of by `now`.
///
/// # Errors
///
/// The database's error.
pub async fn renew(
    executor: impl PgExecutor<'_>,
    pages: &[OpenPage],
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH gone AS (
             DELETE FROM presence WHERE page_id IN (
                 SELECT page_id FROM presence WHERE expires_at <= $4 AND page_id <> ALL ($1) FOR UPDATE SKIP LOCKED
             )
         )
         INSERT INTO presence (page_id, user_id, reference, expires_at)
         SELECT page_id, user_id, reference, $5 FROM UNNEST($1::uuid[], $2::uuid[], $3::integer[]) AS p (page_id, user_id, reference)
          ORDER BY page_id
         ON CONFLICT (page_id) DO UPDATE SET expires_at = excluded.expires_at",
        &column(pages, |page| page.page_id),
        &column(pages, |page| page.user_id.0),
        &column(pages, |page| page.reference.as_i32()),
        now,
        expires_at,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Says that pages are not open any more.
///
/// # Errors
///
/// The database's error.
pub async fn leave(executor: impl PgExecutor<'_>, pages: &[OpenPage]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM presence WHERE page_id = ANY ($1)",
        &column(pages, |page| page.page_id),
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The names, or else the addresses, of those who have one of these cases open at `now` beside that person, each once a case, in alphabetical order.
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
        r#"SELECT DISTINCT presence.reference, coalesce(users.name, users.email) AS "shown!" FROM presence
         JOIN users ON users.user_id = presence.user_id
         WHERE presence.reference = ANY ($2) AND presence.user_id <> $1 AND presence.expires_at > $3 AND NOT users.removed
         ORDER BY presence.reference, 2"#,
        user_id.0,
        &column(references, |reference| reference.as_i32()),
        now,
    )
    .fetch_all(executor)
    .await?;
    by_case(
        "presence",
        found.into_iter().map(|here| (here.reference, here.shown)),
    )
}

/// Names by their cases, each case's in the order of the rows, which come from `table`.
pub(crate) fn by_case(
    table: &'static str,
    rows: impl Iterator<Item = (i32, String)>,
) -> Result<BTreeMap<Reference, Vec<Personal<String>>>, sqlx::Error> {
    let mut by_case: BTreeMap<Reference, Vec<Personal<String>>> = BTreeMap::new();
    for (key, name) in rows {
        let reference = Row { table, key }.reference("reference", key)?;
        by_case.entry(reference).or_default().push(Personal(name));
    }
    Ok(by_case)
}
