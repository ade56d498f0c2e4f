//! The files that messages carry: what is kept of each, or why it is not.
//!
//! A row begins with the message, as `waiting` where the contact sent the file and as `stored` where we did, and is settled by
//! `MediaStored` or `MediaFailed`. A message that stands in several cases has one row for a file, whichever case tells of it.
//!
//! Who fetches a file, and how the last try went, is no business of the log's: see [`crate::media_claims`].

mod handler;

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::ids::{MediaId, MessageId, Reference};
use docket_domain::media::{MediaFailure, StoredFile};
use docket_domain::personal::Personal;
use sqlx::PgExecutor;
use sqlx::types::Json;
use uuid::Uuid;

pub use self::handler::MediaHandler;
use super::rows::Row;

/// So long Vonage keeps a file; after that Docket asks for it no more.
pub const KEPT_BY_VONAGE: TimeDelta = TimeDelta::hours(48);

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaRow {
    /// Its id.
    pub media_id: MediaId,
    /// The message that carries it.
    pub message_id: MessageId,
    /// Which file of the message, from 0.
    pub item: u16,
    /// `image`, `audio`, `video`, `file`, `sticker` or `vcard`.
    pub kind: String,
    /// Its name, as the sender gave it.
    pub name: Option<Personal<String>>,
    /// What is kept of it.
    pub state: MediaState,
    /// When the message was recorded.
    pub arrived_at: DateTime<Utc>,
    /// When it was recorded that the file is kept, or given up.
    pub settled_at: Option<DateTime<Utc>>,
}

/// What is kept of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaState {
    /// It is to be fetched.
    Waiting {
        /// How the last try went, once there was one.
        last: Option<LastTry>,
    },
    /// It is kept.
    Stored(StoredFile),
    /// It is given up.
    Failed(MediaFailure),
}

/// A try to fetch a file that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastTry {
    /// Why.
    pub failure: MediaFailure,
    /// When.
    pub at: DateTime<Utc>,
    /// When it is tried again.
    pub next_at: DateTime<Utc>,
}

impl MediaRow {
    /// The row as it is at `now`: Vonage has deleted by then what was not fetched in time.
    #[must_use]
    pub fn at(mut self, now: DateTime<Utc>) -> Self {
        if matches!(self.state, MediaState::Waiting { .. })
            && now - self.arrived_at >= KEPT_BY_VONAGE
        {
            self.state = MediaState::Failed(MediaFailure::Expired);
        }
        self
    }

    /// The row as it was recorded at that time, whatever was tried since.
    #[must_use]
    pub fn as_of(mut self, at: DateTime<Utc>) -> Self {
        if self.settled_at.is_none_or(|settled_at| settled_at > at) {
            self.state = MediaState::Waiting { last: None };
        }
        self
    }

    /// What is kept of it.
    pub const fn file(&self) -> Option<&StoredFile> {
        match &self.state {
            MediaState::Stored(file) => Some(file),
            MediaState::Waiting { .. } | MediaState::Failed(_) => None,
        }
    }
}

/// A row as the database gives it.
struct Columnwise {
    media_id: Uuid,
    message_id: Uuid,
    item: i32,
    kind: String,
    name: Option<String>,
    state: String,
    sha256: Option<String>,
    size: Option<i64>,
    media_type: Option<String>,
    width: Option<i32>,
    height: Option<i32>,
    failure: Option<Json<MediaFailure>>,
    arrived_at: DateTime<Utc>,
    settled_at: Option<DateTime<Utc>>,
    last_failure: Option<Json<MediaFailure>>,
    failed_at: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
}

impl TryFrom<Columnwise> for MediaRow {
    type Error = sqlx::Error;

    fn try_from(row: Columnwise) -> Result<Self, sqlx::Error> {
        let known = Row {
            table: "media",
            key: row.message_id,
        };
        let pixels = |pixels: Option<i32>| pixels.and_then(|pixels| u32::try_from(pixels).ok());
        let state = match row.state.as_str() {
            "waiting" => {
                let last = row.last_failure.zip(row.failed_at).zip(row.due_at);
                MediaState::Waiting {
                    last: last.map(|((failure, at), next_at)| LastTry {
                        failure: failure.0,
                        at,
                        next_at,
                    }),
                }
            }
            "stored" => MediaState::Stored(StoredFile {
                sha256: known.some("sha256", row.sha256)?,
                size: known.some("size", row.size)?.cast_unsigned(),
                media_type: known.some("media_type", row.media_type)?,
                name: row.name.clone().map(Personal),
                width: pixels(row.width),
                height: pixels(row.height),
            }),
            "failed" => MediaState::Failed(known.some("failure", row.failure)?.0),
            _ => return Err(known.broken("state")),
        };
        Ok(Self {
            media_id: MediaId(row.media_id),
            message_id: MessageId(row.message_id),
            item: known.read("item", u16::try_from(row.item))?,
            kind: row.kind,
            name: row.name.map(Personal),
            state,
            arrived_at: row.arrived_at,
            settled_at: row.settled_at,
        })
    }
}

/// The files of these messages, by message and in order.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn of_messages(
    executor: impl PgExecutor<'_>,
    message_ids: &[Uuid],
) -> Result<Vec<MediaRow>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Columnwise,
        r#"SELECT m.media_id, m.message_id, m.item, m.kind, m.name, m.state, m.sha256, m.size, m.media_type, m.width,
                  m.height, m.failure AS "failure: Json<MediaFailure>", m.arrived_at, m.settled_at,
                  c.failure AS "last_failure?: Json<MediaFailure>", c.failed_at AS "failed_at?", c.due_at AS "due_at?"
             FROM media m
             LEFT JOIN media_claims c ON c.media_id = m.media_id
            WHERE m.message_id = ANY ($1)
            ORDER BY m.message_id, m.item"#,
        message_ids,
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(MediaRow::try_from).collect()
}

/// A file, with the cases in which a message that carries it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The file.
    pub media: MediaRow,
    /// The cases, ordered.
    pub references: Vec<Reference>,
}

/// The file of that id, once for each message that carries it.
///
/// # Errors
///
/// As [`of_messages`].
pub async fn find(
    executor: impl PgExecutor<'_>,
    media_id: MediaId,
) -> Result<Vec<Placed>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT m.media_id, m.message_id, m.item, m.kind, m.name, m.state, m.sha256, m.size, m.media_type, m.width,
                  m.height, m.failure AS "failure: Json<MediaFailure>", m.arrived_at, m.settled_at,
                  c.failure AS "last_failure?: Json<MediaFailure>", c.failed_at AS "failed_at?", c.due_at AS "due_at?",
                  s.case_references
             FROM media m
             JOIN messages s ON s.message_id = m.message_id
             LEFT JOIN media_claims c ON c.media_id = m.media_id
            WHERE m.media_id = $1
            ORDER BY m.message_id, m.item"#,
        media_id.0,
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let known = Row {
                table: "messages",
                key: row.message_id,
            };
            let references = known.references("case_references", &row.case_references)?;
            let media = MediaRow::try_from(Columnwise {
                media_id: row.media_id,
                message_id: row.message_id,
                item: row.item,
                kind: row.kind,
                name: row.name,
                state: row.state,
                sha256: row.sha256,
                size: row.size,
                media_type: row.media_type,
                width: row.width,
                height: row.height,
                failure: row.failure,
                arrived_at: row.arrived_at,
                settled_at: row.settled_at,
                last_failure: row.last_failure,
                failed_at: row.failed_at,
                due_at: row.due_at,
            })?;
            Ok(Placed { media, references })
        })
        .collect()
}

/// How the fetching of files stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// So many files are to be fetched.
    pub waiting: u64,
    /// So many of them were tried in vain.
    pub retrying: u64,
    /// When the message of the oldest that is to be fetched came in.
    pub oldest: Option<DateTime<Utc>>,
    /// So many files were given up in the last 48 hours.
    pub failed: u64,
}

/// How the fetching of files stands; `now` is the database's time.
///
/// # Errors
///
/// The database's error.
pub async fn standing(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
) -> Result<Standing, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE m.state = 'waiting') AS "waiting!",
                  count(*) FILTER (WHERE m.state = 'waiting' AND c.failure IS NOT NULL) AS "retrying!",
                  min(m.arrived_at) FILTER (WHERE m.state = 'waiting') AS oldest,
                  (SELECT count(*) FROM media f WHERE f.state = 'failed' AND f.settled_at > $1) AS "failed!"
             FROM media m
             LEFT JOIN media_claims c ON c.media_id = m.media_id
            WHERE m.state = 'waiting' AND m.arrived_at > $1"#,
        now - KEPT_BY_VONAGE,
    )
    .fetch_one(executor)
    .await?;
    Ok(Standing {
        waiting: row.waiting.cast_unsigned(),
        retrying: row.retrying.cast_unsigned(),
        oldest: row.oldest,
        failed: row.failed.cast_unsigned(),
    })
}
