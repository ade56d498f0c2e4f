//! The files of the messages that a page or an answer shows.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use docket_domain::ids::MessageId;
use docket_domain::media;
use docket_projections::read::media::{MediaRow, of_messages};
use docket_projections::read::thread::{ThreadItem, What};
use docket_projections::{DatabaseError, PgPool};
use uuid::Uuid;

/// The files by their message, each message's in order.
pub type Files = HashMap<MessageId, Vec<MediaRow>>;

/// When a thread is shown as it was.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// As it is now.
    Now(DateTime<Utc>),
    /// As it was then.
    AsOf(DateTime<Utc>),
}

/// The files of the items' messages; the database is asked only where a message carries some.
///
/// # Errors
///
/// The database's error.
pub async fn files(
    pool: &PgPool,
    items: &[ThreadItem],
    moment: Moment,
) -> Result<Files, DatabaseError> {
    let carrying: Vec<Uuid> = items.iter().filter_map(carrier).collect();
    let mut files = Files::new();
    if carrying.is_empty() {
        return Ok(files);
    }
    for row in of_messages(pool, &carrying).await? {
        let row = match moment {
            Moment::Now(now) => row.at(now),
            Moment::AsOf(at) => row.as_of(at),
        };
        files.entry(row.message_id).or_default().push(row);
    }
    Ok(files)
}

/// The files of an item's message.
pub fn of_item<'a>(files: &'a Files, item: &ThreadItem) -> &'a [MediaRow] {
    carrier(item)
        .and_then(|message_id| files.get(&MessageId(message_id)))
        .map_or(&[], Vec::as_slice)
}

/// The item's message, where it may carry files.
fn carrier(item: &ThreadItem) -> Option<Uuid> {
    match &item.what {
        What::Inbound(message) => media::carried(&message.content)
            .next()
            .map(|_| message.message_id.0),
        What::Outbound(message) if message.has_file => Some(message.message_id.0),
        _ => None,
    }
}
