//! Keys of requests: whether one was used, and forgetting those that were used too long ago to come again.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// Forgets at most `limit` idempotency keys that were used before `before`, the oldest first; gives how many it were. Several processes
/// may do so at once: each takes others.
///
/// # Errors
///
/// The database's error.
pub async fn forget(
    executor: impl PgExecutor<'_>,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "WITH old AS MATERIALIZED (
             SELECT actor, key FROM idempotency_keys
             WHERE recorded_at < $1
             ORDER BY recorded_at
             LIMIT $2
             FOR UPDATE SKIP LOCKED
         )
         DELETE FROM idempotency_keys USING old
         WHERE idempotency_keys.actor = old.actor AND idempotency_keys.key = old.key",
        before,
        limit,
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}

/// Whether something was done under that key.
///
/// # Errors
///
/// The database's error.
pub async fn is_used(
    executor: impl PgExecutor<'_>,
    actor: Uuid,
    key: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM idempotency_keys WHERE actor = $1 AND key = $2) AS "is_used!""#,
        actor,
        key,
    )
    .fetch_one(executor)
    .await
}
