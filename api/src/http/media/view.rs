//! A file as the API shows it.

use chrono::{DateTime, Utc};
use docket_projections::read::media::{MediaRow, MediaState};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::media::{picture, words};

/// A file that a message carries.
#[derive(Debug, Serialize, ToSchema)]
pub struct MediaView {
    /// Its id, for `GET /media/{id}`.
    pub id: Uuid,
    /// Which file of the message, from 0.
    pub item: u16,
    /// `image`, `audio`, `video`, `file`, `sticker` or `vcard`.
    pub kind: String,
    /// `waiting`, `stored` or `failed`.
    pub state: &'static str,
    /// Its name, where it has one.
    #[schema(required = true)]
    pub name: Option<String>,
    /// Of a stored file: SHA-256 of its bytes, in hexadecimal digits.
    #[schema(required = true)]
    pub sha256: Option<String>,
    /// Of a stored file: its size in bytes.
    #[schema(required = true)]
    pub size: Option<u64>,
    /// Of a stored file: its media type, told by its first bytes.
    #[serde(rename = "type")]
    #[schema(required = true)]
    pub media_type: Option<String>,
    /// Of a stored picture: its width in pixels.
    #[schema(required = true)]
    pub width: Option<u32>,
    /// Of a stored picture: its height in pixels.
    #[schema(required = true)]
    pub height: Option<u32>,
    /// Of a stored picture: whether `GET /media/{id}/thumbnail` has a small form.
    pub has_thumbnail: bool,
    /// Why a file is missing.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// Of a file that waits after a try that failed: when it is tried again.
    #[schema(required = true)]
    pub tries_again_at: Option<DateTime<Utc>>,
}

impl From<MediaRow> for MediaView {
    fn from(row: MediaRow) -> Self {
        let reason = words::missing(&row.state);
        let (state, file, tries_again_at) = match row.state {
            MediaState::Waiting { last } => ("waiting", None, last.map(|last| last.next_at)),
            MediaState::Stored(file) => ("stored", Some(file), None),
            MediaState::Failed(_) => ("failed", None, None),
        };
        let has_thumbnail = file
            .as_ref()
            .is_some_and(|file| picture::has_thumbnail(&file.media_type, file.size));
        let (sha256, size, media_type, width, height) =
            file.map_or((None, None, None, None, None), |file| {
                (
                    Some(file.sha256),
                    Some(file.size),
                    Some(file.media_type),
                    file.width,
                    file.height,
                )
            });
        Self {
            id: row.media_id.0,
            item: row.item,
            kind: row.kind,
            state,
            name: row.name.map(|name| name.0),
            sha256,
            size,
            media_type,
            width,
            height,
            has_thumbnail,
            reason,
            tries_again_at,
        }
    }
}
