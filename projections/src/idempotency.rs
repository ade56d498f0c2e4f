//! Forgetting the keys of requests that were repeated long enough ago to come again.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

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
