//! The messages of a contact that follow one of theirs in a thread.

use docket_domain::ids::{MessageId, Reference};
use sqlx::PgExecutor;

/// The inbound messages that stand in a case behind that one, in the order of its thread, at most `limit`; none where that one does not
/// stand there.
///
/// # Errors
///
/// The database's error.
pub async fn inbound(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    message_id: MessageId,
    limit: i64,
) -> Result<Vec<MessageId>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT i.message_id AS "message_id!" FROM thread_items i
            WHERE i.reference = $1 AND i.kind = 'message' AND i.direction = 'inbound' AND NOT i.hidden
                AND (i.sequence, i.part) > (
                    SELECT o.sequence, o.part FROM thread_items o
                     WHERE o.reference = $1 AND o.message_id = $2 AND o.kind = 'message' AND NOT o.hidden
                     ORDER BY o.sequence DESC LIMIT 1
                )
            ORDER BY i.sequence, i.part
            LIMIT $3"#,
        reference.as_i32(),
        message_id.0,
        limit,
    )
    .fetch_all(executor)
    .await?;
    Ok(found.into_iter().map(MessageId).collect())
}
