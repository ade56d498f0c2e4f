//! What a message carries.
//!
//! Every kind of content that Vonage's Messages API delivers has a variant; [`Content::Unsupported`] keeps whole what `WhatsApp`
//! itself could not deliver, and [`Content::Unreadable`] what Docket could not read. Numbers keep the digits that were sent. To add a
//! kind: a variant here, its word in [`Content::label`], and its decoding beside the webhook.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// The content of one message. As JSON it is an object with the kind in `type`: `{"type": "text", "text": "Hello"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Plain text, exactly as it was sent.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image(Media),
    /// A sound or voice message.
    Audio(Media),
    /// A film.
    Video(Media),
    /// A document, or a contact card sent by MMS.
    File(Media),
    /// A sticker.
    Sticker(Media),
    /// A place.
    Location {
        /// Degrees north.
        latitude: Number,
        /// Degrees east.
        longitude: Number,
        /// What the place is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Its postal address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// Contact cards, as Vonage gave them.
    Contacts {
        /// One object for each person.
        contacts: Vec<Value>,
    },
    /// A choice from a list or from reply buttons.
    Reply {
        /// The choice's identifier.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// What the person saw and chose.
        title: String,
        /// The line below the title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
    /// A button of a template, or a finished flow.
    Button {
        /// What stands on the button.
        text: String,
        /// What the button carries: a text, or an object for a flow.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        payload: Value,
        /// Vonage's word for the button's kind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subtype: Option<String>,
    },
    /// An order from a catalogue, as Vonage gave it.
    Order {
        /// The whole `order` object.
        order: Value,
    },
    /// An emoji set on, or taken off, an earlier message.
    Reaction {
        /// The emoji; absent where it was taken off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emoji: Option<String>,
        /// Whether the reaction was taken off.
        #[serde(default)]
        removed: bool,
    },
    /// Something that `WhatsApp` could not pass on; the payload is kept whole.
    Unsupported {
        /// The webhook's body.
        raw: Value,
    },
    /// Something that Docket could not read: a kind that it does not know, or a part that is missing or of another shape. It is
    /// placed as any message is, and kept as it came.
    Unreadable {
        /// Vonage's word for its kind, where it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// What the person wrote with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The part that could not be read, as text. Mostly it is JSON.
        raw: String,
    },
}

/// A file that Vonage keeps for 48 hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where Vonage keeps it.
    pub url: String,
    /// Its file name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the person wrote beneath it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// Further files of the same message: `(kind, url)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<MoreMedia>,
}

/// A further file of a message that carries several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoreMedia {
    /// `image`, `audio`, `video`, `file` or `vcard`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where Vonage keeps it.
    pub url: String,
}

impl Content {
    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// What the person said in words: the text, a caption, or the words on a chosen button. References are looked for here.
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Text { text } | Self::Button { text, .. } => Some(text),
            Self::Reply { title, .. } => Some(title),
            Self::Unreadable { text, .. } => text.as_deref(),
            Self::Image(media)
            | Self::Audio(media)
            | Self::Video(media)
            | Self::File(media)
            | Self::Sticker(media) => media.caption.as_deref(),
            Self::Location { .. }
            | Self::Contacts { .. }
            | Self::Order { .. }
            | Self::Reaction { .. }
            | Self::Unsupported { .. } => None,
        }
    }

    /// What a search finds: what was said, the name of a file, and the name and address of a place.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::Image(media)
            | Self::Audio(media)
            | Self::Video(media)
            | Self::File(media)
            | Self::Sticker(media) => (media.name.as_deref(), None),
            Self::Location { name, address, .. } => (name.as_deref(), address.as_deref()),
            Self::Reply { description, .. } => (description.as_deref(), None),
            Self::Text { .. }
            | Self::Button { .. }
            | Self::Contacts { .. }
            | Self::Order { .. }
            | Self::Reaction { .. }
            | Self::Unsupported { .. }
            | Self::Unreadable { .. } => (None, None),
        };
        self.said().into_iter().chain(first).chain(second)
    }

    /// The kind's name, as it stands in `type`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Image(_) => "image",
            Self::Audio(_) => "audio",
            Self::Video(_) => "video",
            Self::File(_) => "file",
            Self::Sticker(_) => "sticker",
            Self::Location { .. } => "location",
            Self::Contacts { .. } => "contacts",
            Self::Reply { .. } => "reply",
            Self::Button { .. } => "button",
            Self::Order { .. } => "order",
            Self::Reaction { .. } => "reaction",
            Self::Unsupported { .. } => "unsupported",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// The kind in a word for people, used as a title where nothing was said.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Text { .. } => "Text",
            Self::Image(_) => "Photo",
            Self::Audio(_) => "Audio",
            Self::Video(_) => "Video",
            Self::File(_) => "File",
            Self::Sticker(_) => "Sticker",
            Self::Location { .. } => "Location",
            Self::Contacts { .. } => "Contact",
            Self::Reply { .. } => "Reply",
            Self::Button { .. } => "Button",
            Self::Order { .. } => "Order",
            Self::Reaction { .. } => "Reaction",
            Self::Unsupported { .. } => "Unsupported message",
            Self::Unreadable { .. } => "Message that could not be shown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_the_kind() {
        let photo = Content::Image(Media {
            url: "https://media.example.com/1".into(),
            caption: Some("Roof".into()),
            ..Media::default()
        });
        let json = serde_json::to_value(&photo).expect("serialises");
        assert_eq!(
            json,
            serde_json::json!({"type": "image", "url": "https://media.example.com/1", "caption": "Roof"})
        );
        assert_eq!(json["type"], photo.kind());
        assert_eq!(
            serde_json::from_value::<Content>(json).expect("reads back"),
            photo
        );
        assert_eq!(photo.said(), Some("Roof"));
    }
}
