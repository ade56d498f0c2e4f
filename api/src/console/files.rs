//! The files of messages, as a thread shows them.

use docket_projections::read::media::{MediaRow, MediaState};
use docket_projections::read::thread::ThreadItem;
use docket_projections::{DatabaseError, history};

use super::pages::{Body, Item};
use super::words;
use super::words::media as said;
use crate::app::App;
use crate::http::media::answer::is_safe;
use crate::media::picture::has_thumbnail;
use crate::media::shown::{self, Files, Moment};

/// The longest side at which a picture is shown in a thread, in pixels.
const SIDE: u32 = 320;

/// A file in a thread.
pub(super) struct FileView {
    pub(super) kind: FileKind,
    /// Where it is.
    pub(super) href: String,
    /// Its name, or what it is.
    pub(super) title: String,
    /// Its type and size, or why it is missing.
    pub(super) detail: String,
    pub(super) icon: &'static str,
}

/// How a file is shown.
pub(super) enum FileKind {
    Picture {
        width: u32,
        height: u32,
    },
    Sound,
    Film,
    /// To be saved.
    Document,
    Missing,
}

impl FileView {
    fn of(row: &MediaRow) -> Self {
        let (icon, what) = match row.kind.as_str() {
            "image" => ("photo", words::CARD_PHOTO),
            "sticker" => ("photo", words::CARD_STICKER),
            "audio" => ("sound", words::CARD_AUDIO),
            "video" => ("film", words::CARD_VIDEO),
            "vcard" => ("person", words::CARD_CONTACT),
            _ => ("file", words::CARD_FILE),
        };
        let name = row.name.as_ref().map(|name| name.0.clone());
        let href = format!("/api/v1/media/{}", row.media_id);
        let MediaState::Stored(file) = &row.state else {
            return Self {
                kind: FileKind::Missing,
                href,
                title: name.map_or_else(|| what.to_owned(), |name| format!("{what}: {name}")),
                detail: crate::media::words::missing(&row.state).unwrap_or_default(),
                icon,
            };
        };
        let media_type = file.media_type.as_str();
        let kind = match (file.width, file.height) {
            (Some(width), Some(height)) if has_thumbnail(media_type, file.size) => {
                let (width, height) = shown_size(width, height);
                FileKind::Picture { width, height }
            }
            _ if !is_safe(media_type) => FileKind::Document,
            _ if media_type.starts_with("audio/") => FileKind::Sound,
            _ if media_type.starts_with("video/") => FileKind::Film,
            _ => FileKind::Document,
        };
        Self {
            kind,
            href,
            title: name.unwrap_or_else(|| what.to_owned()),
            detail: format!(
                "{}, {}",
                said::type_name(media_type),
                history::file_size(file.size)
            ),
            icon,
        }
    }

    /// What a picture is called for those who do not see it.
    pub(super) fn alt(&self) -> String {
        said::picture(&self.title)
    }
}

/// The size at which a picture is shown: as it is, or smaller.
fn shown_size(width: u32, height: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= SIDE {
        return (width.max(1), height.max(1));
    }
    let scaled = |side: u32| {
        let scaled = u64::from(side) * u64::from(SIDE) / u64::from(longest);
        u32::try_from(scaled).unwrap_or(SIDE).max(1)
    };
    (scaled(width), scaled(height))
}

/// The files of these items, as they are now.
pub(super) async fn read(app: &App, thread: &[ThreadItem]) -> Result<Files, DatabaseError> {
    shown::files(&app.pool, thread, Moment::Now((app.clock)())).await
}

/// Shows the files in the items of their messages.
pub(super) fn show(items: &mut [Item], files: &Files) {
    for item in items {
        let rows = item
            .message_id
            .and_then(|message_id| files.get(&message_id));
        let (Some(rows), Body::Message(message)) = (rows, &mut item.body) else {
            continue;
        };
        // The cards stand for files of which nothing is known.
        message.cards.clear();
        message.files = rows.iter().map(FileView::of).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_form() {
        for (size, expected) in [
            ((1_600, 1_200), (320, 240)),
            ((1_200, 1_600), (240, 320)),
            ((100, 50), (100, 50)),
            ((100_000, 1), (320, 1)),
            ((u32::MAX, u32::MAX), (320, 320)),
        ] {
            assert_eq!(shown_size(size.0, size.1), expected, "{size:?}");
        }
    }
}
