//! Views of the list that people keep, for themselves or for everybody. They stand beside the log, which holds nothing of them.

use chrono::{DateTime, Utc};
use docket_domain::ids::UserId;
use docket_domain::personal::Personal;
use sqlx::PgExecutor;
use uuid::Uuid;

/// At most so many views somebody keeps, and so many shared ones are offered.
pub const MAX_VIEWS: i64 = 30;

/// A view that somebody keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedView {
    /// Its id.
    pub view_id: Uuid,
    /// Who keeps it.
    pub user_id: UserId,
    /// What it is called.
    pub name: String,
    /// What the address of the list says beside its path; words that are searched for can be among it.
    pub query: Personal<String>,
    /// Whether everybody is offered it.
    pub shared: bool,
}

/// The views that somebody keeps, and those that are shared, by their names.
///
/// # Errors
///
/// The database's error.
pub async fn of_user(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
) -> Result<Vec<SavedView>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT v.view_id AS "view_id!", v.user_id AS "user_id!", v.name AS "name!", v.query AS "query!", v.shared AS "shared!"
             FROM (
                 (SELECT * FROM saved_views WHERE user_id = $1 ORDER BY created_at LIMIT $2)
                 UNION
                 (SELECT * FROM saved_views WHERE shared ORDER BY created_at LIMIT $2)
             ) v
            ORDER BY lower(v.name), v.view_id"#,
        user_id.0,
        MAX_VIEWS,
    )
    .fetch_all(executor)
    .await?;
    let views = found.into_iter().map(|row| SavedView {
        view_id: row.view_id,
        user_id: UserId(row.user_id),
        name: row.name,
        query: Personal(row.query),
        shared: row.shared,
    });
    Ok(views.collect())
}

/// Keeps a view; `false` where the person keeps [`MAX_VIEWS`] already. One of theirs with that name is replaced.
///
/// # Errors
///
/// The database's error.
pub async fn keep(
    executor: impl PgExecutor<'_>,
    view: &SavedView,
    created_at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let kept = sqlx::query!(
        "WITH replaced AS (
             DELETE FROM saved_views WHERE user_id = $2 AND lower(name) = lower($3) RETURNING view_id
         )
         INSERT INTO saved_views (view_id, user_id, name, query, shared, created_at)
         SELECT $1, $2, $3, $4, $5, $6
          WHERE (SELECT count(*) FROM saved_views WHERE user_id = $2) - (SELECT count(*) FROM replaced) < $7",
        view.view_id,
        view.user_id.0,
        view.name,
        view.query.0,
        view.shared,
        created_at,
        MAX_VIEWS,
    )
    .execute(executor)
    .await?;
    Ok(kept.rows_affected() > 0)
}

/// Forgets a view of that person's; of anybody's, where it is shared and `any_shared` says so. `false` where there is none.
///
/// # Errors
///
/// The database's error.
pub async fn forget(
    executor: impl PgExecutor<'_>,
    view_id: Uuid,
    user_id: UserId,
    any_shared: bool,
) -> Result<bool, sqlx::Error> {
    let forgotten = sqlx::query!(
        "DELETE FROM saved_views WHERE view_id = $1 AND (user_id = $2 OR shared AND $3)",
        view_id,
        user_id.0,
        any_shared,
    )
    .execute(executor)
    .await?;
    Ok(forgotten.rows_affected() > 0)
}
