//! What a message carries. Reading it cannot fail: content that cannot be read is kept as it came, with its words.

use docket_domain::content::{Content, Media, MoreMedia};
use docket_domain::json::{MAX_FOREIGN_DEPTH, depth};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use super::members::{Loose, Members};
use super::{Envelope, shortened};
use crate::vonage::without_nul;

/// The longest number that is kept as one, in characters; the database keeps no number of any length.
const MAX_NUMBER_CHARS: usize = 100;
/// How much of a location's coordinates is kept, in characters.
const MAX_DEGREES_CHARS: usize = 40;

/// The kinds that have a part of their own, in the order in which they are looked for where no kind is given: a text beside a file is
/// what was written beneath it.
const KINDS: [&str; 13] = [
    "image", "audio", "video", "file", "vcard", "sticker", "location", "contacts", "reply",
    "button", "order", "reaction", "content",
];
/// Where words may stand in a part that cannot be read.
const WORDS: [&str; 5] = ["caption", "text", "body", "title", "description"];

/// A part could not be read.
struct Unreadable;

/// Whether there is something that only a message has.
pub(super) fn has_content(envelope: &Envelope<'_>) -> bool {
    envelope.loose("text").word().is_some() || KINDS.iter().any(|kind| envelope.has(kind))
}

/// What the message carries, by its kind, or, where no kind is given, by what is there.
pub(super) fn content(envelope: &Envelope<'_>, body: &str) -> Content {
    let given = envelope.message_type();
    let kind = given.word().map(str::to_ascii_lowercase).or_else(|| {
        let mut kinds = KINDS.into_iter().filter(|kind| envelope.has(kind));
        kinds.next().map(str::to_owned)
    });
    let kind = kind.as_deref().unwrap_or("text");
    of_kind(envelope, kind, body).unwrap_or_else(|Unreadable| Content::Unreadable {
        kind: match given.word() {
            Some(word) => Some(shortened(word)),
            None => KINDS.contains(&kind).then(|| kind.to_owned()),
        },
        text: words(envelope, kind),
        raw: without_nul(envelope.raw(kind).map_or(body, RawValue::get)),
    })
}

/// What was said in a message that cannot be read: its text, or the words of the part that its kind names.
fn words(envelope: &Envelope<'_>, kind: &str) -> Option<String> {
    let part = envelope.raw(kind);
    // A list of files has its words in the first.
    let first = part
        .and_then(items)
        .and_then(|items| items.first().copied());
    let of_part = || {
        let members = Members::of(first.or(part)?)?;
        WORDS
            .into_iter()
            .find_map(|name| members.loose(name).shown())
    };
    envelope.loose("text").shown().or_else(of_part)
}

fn of_kind(envelope: &Envelope<'_>, kind: &str, body: &str) -> Result<Content, Unreadable> {
    let part = || envelope.raw(kind).ok_or(Unreadable);
    match kind {
        "text" | "unicode" => match envelope.loose("text") {
            Loose::Text(text) => Ok(Content::Text {
                text: without_nul(&text),
            }),
            Loose::Absent | Loose::Other => Err(Unreadable),
        },
        "image" => media(envelope, part()?).map(Content::Image),
        "audio" => media(envelope, part()?).map(Content::Audio),
        "video" => media(envelope, part()?).map(Content::Video),
        "file" | "vcard" => media(envelope, part()?).map(Content::File),
        "sticker" => media(envelope, part()?).map(Content::Sticker),
        "content" => several_media(envelope),
        "location" => location(part()?),
        "contacts" => contacts(part()?),
        "reply" => reply(part()?),
        "button" => button(part()?),
        "order" => Ok(Content::Order {
            order: tree(part()?.get())?,
        }),
        "reaction" => reaction(part()?),
        "unsupported" => Ok(Content::Unsupported { raw: tree(body)? }),
        _ => Err(Unreadable),
    }
}

/// The items of a list; none where it is no list.
fn items(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// A part as a tree, for the kinds that are kept as Vonage gave them.
fn tree(json: &str) -> Result<Value, Unreadable> {
    if depth(json) > MAX_FOREIGN_DEPTH {
        return Err(Unreadable);
    }
    let mut value = serde_json::from_str(json).map_err(|_| Unreadable)?;
    mend(&mut value);
    Ok(value)
}

/// Replaces what the database could not hold as it is: a NUL, and a number that it would write with other digits, or not at all.
fn mend(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = without_nul(text),
        Value::Number(number) => {
            let digits = number.to_string();
            if !is_kept(&digits) {
                *value = Value::String(digits);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mend),
        Value::Object(map) => {
            if map.keys().any(|key| key.contains('\0')) {
                *map = std::mem::take(map)
                    .into_iter()
                    .map(|(key, value)| (without_nul(&key), value))
                    .collect();
            }
            map.values_mut().for_each(mend);
        }
        _ => {}
    }
}

/// Whether the database gives a number back with the digits that it was sent with: one of usual length without an exponent that
/// is no negative zero.
fn is_kept(digits: &str) -> bool {
    let is_zero = || {
        digits
            .bytes()
            .all(|byte| matches!(byte, b'-' | b'0' | b'.'))
    };
    digits.len() <= MAX_NUMBER_CHARS
        && !digits.contains(['e', 'E'])
        && !(digits.starts_with('-') && is_zero())
}

/// An address that can be fetched. Others (`javascript:`, `file:`) are no media of Vonage's and must not become links.
fn media_url(field: &Loose<'_>) -> Result<String, Unreadable> {
    let url = field.word().ok_or(Unreadable)?;
    let is_http = ["https://", "http://"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    // Longer than any address that a server takes, and a row of the thread would carry it.
    if is_http && url.len() <= 8_192 {
        Ok(without_nul(url))
    } else {
        Err(Unreadable)
    }
}

fn media(envelope: &Envelope<'_>, raw: &RawValue) -> Result<Media, Unreadable> {
    // An address alone, without an object around it, is as good.
    let media = Members::of(raw).unwrap_or_default();
    let url = match Loose::of(raw) {
        address @ Loose::Text(_) => media_url(&address)?,
        _ => media_url(&media.loose("url"))?,
    };
    let mut more = more_media(envelope);
    // An MMS with several files may list the first one again.
    more.retain(|other| other.url != url);
    Ok(Media {
        url,
        name: media.loose("name").shown(),
        caption: media
            .loose("caption")
            .shown()
            .or_else(|| envelope.loose("text").shown()),
        more,
    })
}

/// The files of `content`; entries that are none are passed over.
fn more_media(envelope: &Envelope<'_>) -> Vec<MoreMedia> {
    envelope
        .raw("content")
        .and_then(items)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|item| {
            let item = Members::of(item)?;
            Some(MoreMedia {
                kind: item
                    .loose("type")
                    .shown()
                    .unwrap_or_else(|| "file".to_owned()),
                url: media_url(&item.loose("url")).ok()?,
            })
        })
        .collect()
}

/// A message that is nothing but a list of files: the first stands for it.
fn several_media(envelope: &Envelope<'_>) -> Result<Content, Unreadable> {
    let mut files = more_media(envelope).into_iter();
    let first = files.next().ok_or(Unreadable)?;
    let caption = envelope
        .raw("content")
        .and_then(items)
        .and_then(|items| Members::of(items.first()?)?.loose("caption").shown());
    let media = Media {
        url: first.url,
        name: None,
        caption: caption.or_else(|| envelope.loose("text").shown()),
        more: files.collect(),
    };
    Ok(match first.kind.as_str() {
        "image" => Content::Image(media),
        "audio" => Content::Audio(media),
        "video" => Content::Video(media),
        _ => Content::File(media),
    })
}

fn location(raw: &RawValue) -> Result<Content, Unreadable> {
    let location = Members::of(raw).ok_or(Unreadable)?;
    let degrees = |names: [&str; 2], limit: f64| {
        let [short, long] = names.map(|name| location.loose(name));
        let text = short.word().or(long.word()).ok_or(Unreadable)?;
        let degrees: f64 = text.parse().map_err(|_| Unreadable)?;
        // False for NaN and infinity too, which JSON could not hold.
        if degrees.abs() > limit || !degrees.is_finite() {
            return Err(Unreadable);
        }
        let as_sent = (text.len() <= MAX_DEGREES_CHARS && is_kept(text))
            .then(|| text.parse::<Number>().ok())
            .flatten();
        as_sent
            .or_else(|| Number::from_f64(degrees))
            .ok_or(Unreadable)
    };
    Ok(Content::Location {
        latitude: degrees(["lat", "latitude"], 90.0)?,
        longitude: degrees(["long", "longitude"], 180.0)?,
        name: location.loose("name").shown(),
        address: location.loose("address").shown(),
    })
}

fn contacts(raw: &RawValue) -> Result<Content, Unreadable> {
    Ok(Content::Contacts {
        contacts: match tree(raw.get())? {
            Value::Array(contacts) => contacts,
            contact @ Value::Object(_) => vec![contact],
            _ => return Err(Unreadable),
        },
    })
}

fn reply(raw: &RawValue) -> Result<Content, Unreadable> {
    let reply = Members::of(raw).ok_or(Unreadable)?;
    let id = reply.loose("id").shown();
    Ok(Content::Reply {
        title: reply
            .loose("title")
            .shown()
            .or_else(|| id.clone())
            .ok_or(Unreadable)?,
        id,
        description: reply.loose("description").shown(),
    })
}

fn button(raw: &RawValue) -> Result<Content, Unreadable> {
    let button = Members::of(raw).ok_or(Unreadable)?;
    let payload = button.raw("payload").map(|payload| tree(payload.get()));
    let payload = payload.transpose()?.unwrap_or_default();
    let text = button
        .loose("text")
        .shown()
        .or_else(|| payload.as_str().map(str::to_owned));
    let has_nothing = text.is_none() && payload.is_null();
    if has_nothing {
        return Err(Unreadable);
    }
    Ok(Content::Button {
        text: text.unwrap_or_default(),
        payload,
        subtype: button.loose("subtype").shown(),
    })
}

fn reaction(raw: &RawValue) -> Result<Content, Unreadable> {
    let reaction = Members::of(raw).ok_or(Unreadable)?;
    let emoji = reaction.loose("emoji").shown();
    let removed = match reaction.loose("action") {
        Loose::Text(action) => action == "unreact",
        // WhatsApp itself takes a reaction off by setting an empty one.
        Loose::Absent | Loose::Other => emoji.is_none(),
    };
    Ok(Content::Reaction {
        emoji: emoji.filter(|_| !removed),
        removed,
    })
}
