//! How far each person has read each case.
//!
//! Marks are no events and stand beside the log: that somebody has read a case says nothing of the case. A mark is the sequence of
//! the last event that the person was shown; what is missing counts as 0, so nothing was read. What is unread is asked of
//! [`cases`](crate::read::cases), which knows the last message.

use std::collections::HashMap;

use docket_domain::ids::{Reference, UserId};
use sqlx::PgExecutor;

use crate::read::rows::{Row, column};

/// How far that person has read a case; `None` where they never opened it.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    reference: Reference,
) -> Result<Option<u64>, sqlx::Error> {
    let found = of_cases(executor, user_id, &[reference]).await?;
    Ok(found.get(&reference).copied())
}

/// How far that person has read each of these cases; those that they never opened are missing.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn of_cases(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    references: &[Reference],
) -> Result<HashMap<Reference, u64>, sqlx::Error> {
    let found = sqlx::query!(
        "SELECT reference, read_to FROM read_marks WHERE user_id = $1 AND reference = ANY ($2)",
        user_id.0,
        &column(references, |reference| reference.as_i32()),
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|mark| {
            let row = Row {
                table: "read_marks",
                key: mark.reference,
            };
            let reference = row.reference("reference", mark.reference)?;
            Ok((reference, row.read("read_to", mark.read_to.try_into())?))
        })
        .collect()
}

/// Notes that somebody was shown a case as far as that sequence. A mark never goes back by it, whatever page comes late.
///
/// # Errors
///
/// The database's error.
pub async fn advance(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    reference: Reference,
    read_to: u64,
) -> Result<(), sqlx::Error> {
    // What is there already is not written again: a page is looked at more often than something comes.
    sqlx::query!(
        "INSERT INTO read_marks AS m (user_id, reference, read_to) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, reference) DO UPDATE SET read_to = excluded.read_to
         WHERE m.read_to < excluded.read_to",
        user_id.0,
        reference.as_i32(),
        i64::try_from(read_to).unwrap_or(i64::MAX),
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes that somebody has read these cases to their ends.
///
/// # Errors
///
/// The database's error.
pub async fn set_read(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    references: &[Reference],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO read_marks AS m (user_id, reference, read_to)
         SELECT $1, c.reference, c.version FROM cases c WHERE c.reference = ANY ($2) ORDER BY c.reference
         ON CONFLICT (user_id, reference) DO UPDATE SET read_to = excluded.read_to
         WHERE m.read_to < excluded.read_to",
        user_id.0,
        &column(references, |reference| reference.as_i32()),
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes that somebody has read these cases up to their last messages, which are to be read (again).
///
/// # Errors
///
/// The database's error.
pub async fn set_unread(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    references: &[Reference],
) -> Result<(), sqlx::Error> {
    // What was read to before that is kept, so that the divider stands where the person really left off.
    sqlx::query!(
        "UPDATE read_marks m SET read_to = c.last_message - 1
         FROM (SELECT reference, last_message FROM cases WHERE reference = ANY ($2) ORDER BY reference) c
         WHERE m.user_id = $1 AND m.reference = c.reference AND m.read_to >= c.last_message AND c.last_message > 0",
        user_id.0,
        &column(references, |reference| reference.as_i32()),
    )
    .execute(executor)
    .await?;
    Ok(())
}
