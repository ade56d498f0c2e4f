//! Checkpoints as they are kept: signed statements of how large the tree is, and what its root is.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::secrets::SealedSecret;

/// A signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many events it covers: positions 1 to this.
    pub size: i64,
    /// The root of their tree.
    pub root: Vec<u8>,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub signed_at: DateTime<Utc>,
}

/// Keeps a checkpoint, unless there is one of this size or a larger one; says whether it was kept. `log_tree.signed_size` decides,
/// so that of two processes one does it.
///
/// # Errors
///
/// The database's error.
pub async fn keep(
    executor: impl PgExecutor<'_>,
    checkpoint: &Checkpoint,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"WITH grown AS (
               UPDATE log_tree SET signed_size = $1 WHERE signed_size < $1 AND size >= $1 RETURNING signed_size
           ), written AS (
               INSERT INTO checkpoints (size, root, note, signed_at) SELECT $1, $2, $3, $4 FROM grown
           )
           SELECT EXISTS (SELECT FROM grown) AS "is_done!""#,
        checkpoint.size,
        checkpoint.root,
        checkpoint.note,
        checkpoint.signed_at,
    )
    .fetch_one(executor)
    .await
}

/// The newest checkpoint.
///
/// # Errors
///
/// The database's error.
pub async fn latest(executor: impl PgExecutor<'_>) -> Result<Option<Checkpoint>, sqlx::Error> {
    sqlx::query_as!(
        Checkpoint,
        "SELECT size, root, note, signed_at FROM checkpoints ORDER BY size DESC LIMIT 1"
    )
    .fetch_optional(executor)
    .await
}

/// The checkpoints of more than `after` events, by size, at most `limit`.
///
/// # Errors
///
/// The database's error.
pub async fn page(
    executor: impl PgExecutor<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<Checkpoint>, sqlx::Error> {
    sqlx::query_as!(
        Checkpoint,
        "SELECT size, root, note, signed_at FROM checkpoints WHERE size > $1 ORDER BY size LIMIT $2",
        after,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// Keeps the key that signs checkpoints, unless there is one.
///
/// # Errors
///
/// The database's error.
pub async fn keep_key(
    executor: impl PgExecutor<'_>,
    name: &str,
    sealed: &SealedSecret,
    public_key: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH kept AS (
             INSERT INTO installation_secrets (name, nonce, ciphertext) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO NOTHING RETURNING name
         )
         UPDATE log_tree SET public_key = $4 FROM kept",
        name,
        sealed.nonce,
        sealed.ciphertext,
        public_key,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes why nothing is signed or sent, or that nothing is in the way.
///
/// # Errors
///
/// The database's error.
pub async fn note_trouble(
    executor: impl PgExecutor<'_>,
    trouble: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE log_tree SET trouble = $1 WHERE trouble IS DISTINCT FROM $1",
        trouble,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes that the checkpoint of that size was taken by who is told of checkpoints.
///
/// # Errors
///
/// The database's error.
pub async fn note_sent(executor: impl PgExecutor<'_>, size: i64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE log_tree SET sent_size = $1 WHERE sent_size < $1",
        size
    )
    .execute(executor)
    .await?;
    Ok(())
}
