//! Changes history, as somebody who is superuser of the database could.

use sqlx::{Executor, PgPool};

/// Runs statements with the guards of the log and of checkpoints switched off.
///
/// # Panics
///
/// Where a statement fails.
pub async fn tamper(pool: &PgPool, statements: &str) {
    let guard = |verb: &str| {
        format!(
            "ALTER TABLE events {verb} TRIGGER events_are_append_only;
             ALTER TABLE checkpoints {verb} TRIGGER checkpoints_are_append_only;"
        )
    };
    let all = format!(
        "BEGIN; {} {statements}; {} COMMIT",
        guard("DISABLE"),
        guard("ENABLE ALWAYS")
    );
    let mut conn = pool.acquire().await.expect("a connection");
    conn.execute(&*all).await.expect("the statements are right");
}
