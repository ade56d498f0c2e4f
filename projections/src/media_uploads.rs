//! Files that people uploaded to send them, beside the log: `MessageQueued` carries all that is needed of one.

use chrono::{DateTime, Utc};
use docket_domain::ids::{MediaId, UserId};
use docket_domain::media::StoredFile;
use docket_domain::personal::Personal;
use sqlx::PgExecutor;

/// Keeps what is known of an upload; an id that is there stays as it is.
///
/// # Errors
///
/// The database's error.
pub async fn add(
    executor: impl PgExecutor<'_>,
    media_id: MediaId,
    user_id: UserId,
    file: &StoredFile,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let pixels = |pixels: Option<u32>| pixels.and_then(|pixels| i32::try_from(pixels).ok());
    sqlx::query!(
        "INSERT INTO media_uploads (media_id, user_id, sha256, size, media_type, name, width, height, uploaded_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (media_id) DO NOTHING",
        media_id.0,
        user_id.0,
        file.sha256,
        file.size.cast_signed(),
        file.media_type,
        file.name.as_ref().map(|name| name.0.as_str()),
        pixels(file.width),
        pixels(file.height),
        at,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The upload of that id, if that person made it.
///
/// # Errors
///
/// The database's error.
pub async fn find(
    executor: impl PgExecutor<'_>,
    media_id: MediaId,
    user_id: UserId,
) -> Result<Option<StoredFile>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT sha256, size, media_type, name, width, height FROM media_uploads WHERE media_id = $1 AND user_id = $2",
        media_id.0,
        user_id.0,
    )
    .fetch_optional(executor)
    .await?;
    let pixels = |pixels: Option<i32>| pixels.and_then(|pixels| u32::try_from(pixels).ok());
    Ok(row.map(|row| StoredFile {
        sha256: row.sha256,
        size: row.size.cast_unsigned(),
        media_type: row.media_type,
        name: row.name.map(Personal),
        width: pixels(row.width),
        height: pixels(row.height),
    }))
}

/// Forgets uploads of before `before`.
///
/// # Errors
///
/// The database's error.
pub async fn forget_old(
    executor: impl PgExecutor<'_>,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!("DELETE FROM media_uploads WHERE uploaded_at < $1", before)
        .execute(executor)
        .await?;
    Ok(done.rows_affected())
}
