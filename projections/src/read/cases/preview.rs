//! What a row of the list says of a case at a glance: its last message, whether the contact waits, what is new to the reader, and
//! whether the last reply failed. It is read from the threads of the rows that are shown, so that it costs a message nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use docket_domain::content::Content;
use docket_domain::ids::{Reference, UserId};
use docket_domain::json::read_stored;
use docket_domain::personal::Personal;
use docket_domain::text::title;
use sqlx::PgExecutor;

use crate::read::rows::{Row, column};

/// At most so many new messages are counted in a case.
pub const MAX_UNREAD: u32 = 100;
/// So many characters of the last message are shown at most.
pub const MAX_CHARS: usize = 120;
/// So many characters of it are read: what is folded away is not much more.
const MAX_READ_CHARS: i32 = 1_000;

/// What a row says of its case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// The last message that stands in it.
    pub last_message: Option<LastMessage>,
    /// Since when the contact waits for an answer; `None` where they do not.
    pub waiting_since: Option<DateTime<Utc>>,
    /// How many messages are new to the reader, at most [`MAX_UNREAD`].
    pub unread: u32,
    /// Whether the last reply failed, and nobody closed the case since.
    pub last_reply_failed: bool,
}

/// The last message of a case, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastMessage {
    /// Its first [`MAX_CHARS`] characters on one line; without a text, what it carries.
    pub text: Personal<String>,
    /// Whether we said it.
    pub is_ours: bool,
    /// Vonage's time of a message that came in, the time of recording of all else.
    pub at: DateTime<Utc>,
}

/// What the rows of these cases say, to that person.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn of_cases(
    executor: impl PgExecutor<'_>,
    references: &[Reference],
    reader: Option<UserId>,
) -> Result<HashMap<Reference, Preview>, sqlx::Error> {
    if references.is_empty() {
        return Ok(HashMap::new());
    }
    let found = sqlx::query!(
        r#"SELECT c.reference, last.said AS "said?", last.content AS "content?",
                  last.direction AS "direction?", last.at AS "at?",
                  CASE WHEN c.waiting_since IS NOT NULL THEN waits_since(c.reference, c.answered) END AS waiting_since,
                  c.failed AND is_last_reply_failed(c.reference) AS "is_failed!",
                  $2::uuid IS NOT NULL AND c.state = 'open' AND c.last_message > COALESCE(m.read_to, 0) AS "is_unread!",
                  unread.count AS "unread!"
             FROM cases c
             LEFT JOIN read_marks m ON m.user_id = $2 AND m.reference = c.reference
             LEFT JOIN LATERAL (
                 SELECT left(t.said, $3) AS said, CASE WHEN t.said IS NULL THEN t.content::text END AS content, t.direction, t.at
                   FROM thread_items t
                  WHERE t.reference = c.reference AND t.kind = 'message' AND NOT t.hidden
                  ORDER BY t.sequence DESC, t.part DESC
                  LIMIT 1
             ) last ON true
             CROSS JOIN LATERAL (
                 SELECT count(*) AS count FROM (
                     SELECT FROM thread_items t
                      WHERE $2::uuid IS NOT NULL AND c.state = 'open' AND c.last_message > COALESCE(m.read_to, 0)
                          AND t.reference = c.reference AND t.sequence > COALESCE(m.read_to, 0)
                          AND t.kind = 'message' AND NOT t.hidden AND t.author_id IS DISTINCT FROM $2
                      LIMIT $4
                 ) new
             ) unread
            WHERE c.reference = ANY ($1)"#,
        &column(references, |reference| reference.as_i32()),
        reader.map(|user_id| user_id.0),
        MAX_READ_CHARS,
        i64::from(MAX_UNREAD),
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|found| {
            let row = Row {
                table: "cases",
                key: found.reference,
            };
            let last_message = match (found.direction, found.at) {
                (Some(direction), Some(at)) => {
                    let content = found.content.as_deref().map(read_stored).transpose();
                    let content: Option<Content> = row.read("content", content)?;
                    Some(LastMessage {
                        text: Personal(shown(found.said.as_deref(), content.as_ref())),
                        is_ours: direction == "outbound",
                        at,
                    })
                }
                _ => None,
            };
            let unread: u32 = row.read("unread", found.unread.try_into())?;
            let preview = Preview {
                last_message,
                waiting_since: found.waiting_since,
                // A message that came back by an undone move is new, though its item is not.
                unread: unread.max(u32::from(found.is_unread)),
                last_reply_failed: found.is_failed,
            };
            Ok((row.reference("reference", found.reference)?, preview))
        })
        .collect()
}

/// A message on one line.
fn shown(said: Option<&str>, content: Option<&Content>) -> String {
    let line = said.map(|said| title::line(said, MAX_CHARS));
    match line.filter(|line| !line.is_empty()) {
        Some(line) => line,
        None => content.map_or("Text message", Content::label).to_owned(),
    }
}
