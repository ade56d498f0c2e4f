//! The files that messages carry: what Docket keeps of them, and why it could not keep one.
//!
//! A message carries up to a few files, counted from 0 as [`carried`] lists them. Each has an id of its own, [`media_id`], which
//! follows from the message's id, so that events of old versions have it too.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::content::{Content, Media};
use crate::ids::{MediaId, MessageId};
use crate::personal::Personal;

/// The type of a file that nothing is known of.
pub const UNKNOWN_TYPE: &str = "application/octet-stream";
/// The longest file name, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// The id of a file that a contact sent: `item` counts the files of the message from 0.
pub fn media_id(message_id: MessageId, item: u16) -> MediaId {
    MediaId(Uuid::new_v5(&message_id.0, &item.to_be_bytes()))
}

/// A file that a message of a contact carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried<'a> {
    /// Its number within the message, from 0.
    pub item: u16,
    /// `image`, `audio`, `video`, `file`, `sticker` or `vcard`.
    pub kind: &'a str,
    /// Where Vonage keeps it.
    pub url: &'a str,
    /// Its name, where the sender gave one.
    pub name: Option<&'a str>,
}

/// The files that a message carries, in order.
pub fn carried(content: &Content) -> impl Iterator<Item = Carried<'_>> {
    let media: Option<&Media> = match content {
        Content::Image(media)
        | Content::Audio(media)
        | Content::Video(media)
        | Content::File(media)
        | Content::Sticker(media) => Some(media),
        _ => None,
    };
    media.into_iter().flat_map(|media| {
        let first = (content.kind(), media.url.as_str(), media.name.as_deref());
        let more = media
            .more
            .iter()
            .map(|more| (more.kind.as_str(), more.url.as_str(), None));
        let all = std::iter::once(first).chain(more);
        (0..=u16::MAX)
            .zip(all)
            .map(|(item, (kind, url, name))| Carried {
                item,
                kind,
                url,
                name,
            })
    })
}

/// A file as Docket keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// SHA-256 of its bytes, in hexadecimal digits; the store knows it by that.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type, told by its first bytes.
    #[serde(rename = "type")]
    pub media_type: String,
    /// Its name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Personal<String>>,
    /// Of a picture that can be shown: its width in pixels, as people see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Of a picture that can be shown: its height in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// Why a file could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaFailure {
    /// It is larger than Docket keeps.
    TooLarge {
        /// The most that Docket kept then, in MB of 1,000,000 bytes.
        max_mb: u64,
    },
    /// Its address is none that can be called.
    Address,
    /// Its address is on a host from which Docket fetches nothing.
    Host {
        /// The host.
        host: String,
    },
    /// Its host's name leads to a private address.
    PrivateAddress {
        /// The host.
        host: String,
    },
    /// The host did not answer, or broke off.
    Unreachable {
        /// The host.
        host: String,
    },
    /// The host answered with an error.
    Answered {
        /// The HTTP status.
        status: u16,
    },
    /// The host sent the call on too often, or to where Docket does not go.
    Redirected {
        /// The host that the last redirect named.
        host: String,
    },
    /// The file could not be written to the store.
    Store,
    /// Vonage had deleted it before Docket asked for it.
    Expired,
}

/// Brings a file's name into a form that can be shown and saved: without folders, without characters that cannot be seen.
pub fn clean_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen: String = last
        .chars()
        .filter(|c| !c.is_control() && !is_direction(*c))
        .collect();
    let trimmed = seen.trim().trim_matches('.').trim();
    if trimmed.is_empty() {
        return None;
    }
    let chars = trimmed.chars().count();
    if chars <= MAX_NAME_CHARS {
        return Some(trimmed.to_owned());
    }
    // The end tells the kind of file.
    let ending: String = trimmed.chars().skip(chars - 12).collect();
    let ending = ending.rfind('.').map_or("", |at| &ending[at..]);
    let kept = MAX_NAME_CHARS - ending.chars().count();
    let beginning: String = trimmed.chars().take(kept).collect();
    Some(format!("{beginning}{ending}"))
}

/// Characters that turn the direction of writing, by which a name can hide its ending.
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::MoreMedia;

    #[test]
    fn files_are_counted_as_the_message_lists_them() {
        let content = Content::Image(Media {
            url: "https://media.example.com/1".into(),
            name: Some("roof.jpg".into()),
            more: vec![MoreMedia {
                kind: "vcard".into(),
                url: "https://media.example.com/2".into(),
            }],
            ..Media::default()
        });
        let files: Vec<_> = carried(&content).collect();
        assert_eq!(files.len(), 2);
        assert_eq!(
            (files[0].item, files[0].kind, files[0].name),
            (0, "image", Some("roof.jpg"))
        );
        assert_eq!((files[1].item, files[1].kind), (1, "vcard"));
        assert_eq!(files[1].url, "https://media.example.com/2");
        assert_eq!(carried(&Content::text("Hello")).count(), 0);
    }

    #[test]
    fn each_file_has_an_id_that_follows_from_its_message() {
        let message = MessageId(Uuid::from_u128(7));
        assert_eq!(media_id(message, 0), media_id(message, 0));
        assert_ne!(media_id(message, 0), media_id(message, 1));
        let other = MessageId(Uuid::from_u128(8));
        assert_ne!(media_id(message, 0), media_id(other, 0));
    }

    #[test]
    fn names_lose_folders_and_what_cannot_be_seen() {
        for (name, expected) in [
            ("roof.jpg", Some("roof.jpg")),
            ("/etc/passwd", Some("passwd")),
            ("C:\\Users\\me\\roof.jpg", Some("roof.jpg")),
            ("../../x", Some("x")),
            ("a\r\nb.txt", Some("ab.txt")),
            ("photo\u{202e}gpj.exe", Some("photogpj.exe")),
            ("Größe 1.pdf", Some("Größe 1.pdf")),
            ("..", None),
            ("", None),
            (" \u{7} ", None),
        ] {
            assert_eq!(clean_name(name).as_deref(), expected, "{name:?}");
        }
        let long = format!("{}.jpeg", "ü".repeat(300));
        let kept = clean_name(&long).expect("has a name");
        assert_eq!(kept.chars().count(), MAX_NAME_CHARS);
        assert!(kept.ends_with("ü.jpeg"));
    }
}
