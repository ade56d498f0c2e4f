//! Open cases that somebody sees to who does not reach them: who was removed, only looks, or is kept to other surveys by now.
//!
//! Nobody else is told of such a case by the list, so it waits unseen until an owner gives it to somebody.

use docket_domain::ids::{Reference, UserId};
use docket_domain::personal::Personal;
use sqlx::PgExecutor;

use crate::read::rows::Row;

/// Somebody who sees to open cases that they do not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranded {
    /// Who.
    pub user_id: UserId,
    /// Their address.
    pub email: Personal<String>,
    /// Whether they were removed.
    pub removed: bool,
    /// How many cases there are.
    pub count: u64,
}

/// Everybody who sees to open cases that they do not reach, by their address.
///
/// # Errors
///
/// The database's error.
pub async fn all(executor: impl PgExecutor<'_>) -> Result<Vec<Stranded>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT u.user_id, u.email, u.removed, c.count AS "count!"
             FROM users u
            CROSS JOIN LATERAL (
                  SELECT count(*) FROM cases c
                   WHERE c.assignee_id = u.user_id AND c.state = 'open'
                     AND (u.removed OR u.role = 'auditor' OR c.survey_id <> ALL (u.surveys))
                  ) c
            WHERE (u.removed OR u.role = 'auditor' OR u.role = 'agent' AND u.surveys IS NOT NULL) AND c.count > 0
            ORDER BY u.email, u.user_id"#,
    )
    .fetch_all(executor)
    .await?;
    let stranded = rows.into_iter().map(|row| Stranded {
        user_id: UserId(row.user_id),
        email: Personal(row.email),
        removed: row.removed,
        count: row.count.cast_unsigned(),
    });
    Ok(stranded.collect())
}

/// The open cases behind `after` (0 for all) that somebody sees to and does not reach, ordered, at most `limit`.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn of(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    after: u32,
    limit: i64,
) -> Result<Vec<Reference>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        "SELECT c.reference
           FROM cases c JOIN users u ON u.user_id = c.assignee_id
          WHERE c.assignee_id = $1 AND c.state = 'open' AND c.reference > $2
            AND (u.removed OR u.role = 'auditor' OR u.role = 'agent' AND c.survey_id <> ALL (u.surveys))
          ORDER BY c.reference LIMIT $3",
        user_id.0,
        i32::try_from(after).unwrap_or(i32::MAX),
        limit,
    )
    .fetch_all(executor)
    .await?;
    let read = |reference| {
        let row = Row {
            table: "cases",
            key: reference,
        };
        row.reference("reference", reference)
    };
    found.into_iter().map(read).collect()
}

/// How many open cases somebody sees to.
///
/// # Errors
///
/// The database's error.
pub async fn open_of(executor: impl PgExecutor<'_>, user_id: UserId) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM cases WHERE assignee_id = $1 AND state = 'open'"#,
        user_id.0,
    )
    .fetch_one(executor)
    .await?;
    Ok(count.cast_unsigned())
}
