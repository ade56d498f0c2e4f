//! What Vonage's webhooks say: inbound messages and statuses of outbound ones.
//!
//! Read liberally, since Vonage's own definition contradicts its payloads: a number may stand where a string is meant and the other
//! way round, unknown fields are ignored, optional ones may be missing or null. What is needed and cannot be had makes the payload
//! [`Undecodable`]; it is then kept for the owner. Three things are mended on the way, because the database or Rust could not hold
//! them: a NUL becomes U+2400, half of a surrogate pair (a long SMS cut inside an emoji) becomes U+FFFD, and times are kept to the
//! microsecond.
//!
//! To take a further kind of message, add its field to `Fields` and its branch to `content`.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, NaiveDateTime, SubsecRound as _, Utc};
use docket_domain::channel::{Channel, normalise_number};
use docket_domain::content::{Content, Media, MoreMedia};
use docket_domain::json::{MAX_FOREIGN_DEPTH, depth};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{code_in_type, mask_numbers, without_nul};

/// Longest identifier or number that is taken, in bytes; an index of the database could not hold one much longer.
const MAX_ID_BYTES: usize = 200;
/// How much of an unknown word is kept to show, in characters.
const MAX_SHOWN_CHARS: usize = 60;

/// A message that came in.
#[derive(Clone, PartialEq)]
pub struct Inbound {
    /// The channel; MMS belongs to the SMS line of its number.
    pub channel: Channel,
    /// Our number, normalised.
    pub to: String,
    /// The sender, normalised if it is a number.
    pub from: String,
    /// Vonage's `message_uuid`.
    pub provider_id: String,
    /// Vonage's time of it, to the microsecond.
    pub at: DateTime<Utc>,
    /// What it carries.
    pub content: Content,
    /// The `message_uuid` of the message that it quotes.
    pub quoted: Option<String>,
    /// What the sender calls themselves on WhatsApp.
    pub profile_name: Option<String>,
}

impl fmt::Debug for Inbound {
    /// Without numbers, names and what was said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("channel", &self.channel)
            .field("provider_id", &self.provider_id)
            .field("at", &self.at)
            .field("content", &self.content.kind())
            .field("quoted", &self.quoted)
            .finish_non_exhaustive()
    }
}

/// What became of a message that went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Vonage's `message_uuid` of the message.
    pub provider_id: String,
    /// What we gave with the call that sent it.
    pub client_ref: Option<String>,
    /// The channel that it went by.
    pub channel: Channel,
    /// What became of it.
    pub status: StatusKind,
    /// Vonage's time of it, to the microsecond.
    pub at: DateTime<Utc>,
    /// Why it failed.
    pub error: Option<StatusError>,
}

/// Vonage's word for the state of an outbound message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusKind {
    /// Handed to the network.
    Submitted,
    /// Arrived on the phone.
    Delivered,
    /// Refused by Vonage or the network.
    Rejected,
    /// Could not be delivered.
    Undeliverable,
    /// Seen by the person.
    Read,
}

impl StatusKind {
    /// The word as Vonage writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Undeliverable => "undeliverable",
            Self::Read => "read",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [
            Self::Submitted,
            Self::Delivered,
            Self::Rejected,
            Self::Undeliverable,
            Self::Read,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == name)
    }
}

/// Why a message failed, in Vonage's words; numbers in them are masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusError {
    /// Vonage's code, from the title or from the end of the type; [`reason`] has a sentence for the frequent ones.
    pub code: Option<u32>,
    /// Vonage's title; often the code alone.
    pub title: Option<String>,
    /// Vonage's explanation.
    pub detail: Option<String>,
}

/// A payload that could not be read, and what could be read of it all the same.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Undecodable {
    /// Why.
    pub cause: Cause,
    /// Vonage's `message_uuid`, if it could be read.
    pub provider_id: Option<String>,
    /// Whom it is to, normalised, if it could be read.
    pub to: Option<String>,
    /// Whom it is from, normalised, if it could be read.
    pub from: Option<String>,
}

impl fmt::Debug for Undecodable {
    /// Without the numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undecodable")
            .field("cause", &self.cause)
            .field("provider_id", &self.provider_id)
            .finish_non_exhaustive()
    }
}

/// Why a payload could not be read, in a sentence for the owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The body is not JSON.
    #[error("the payload is not JSON")]
    NotJson,
    /// The body is JSON, but no object.
    #[error("the payload is not a JSON object")]
    NotAnObject,
    /// A part that would be kept as it came is nested too deep to be read again from within an event.
    #[error("the payload is nested more than {MAX_FOREIGN_DEPTH} levels deep")]
    TooDeep,
    /// A needed field is missing, null or empty.
    #[error("the field “{0}” is missing")]
    MissingField(&'static str),
    /// A field holds something that it cannot mean.
    #[error("the field “{0}” cannot be read")]
    BadValue(&'static str),
    /// A channel that Docket has no lines for.
    #[error("the channel “{0}” is unknown")]
    UnknownChannel(String),
    /// A kind of message that Docket does not know yet.
    #[error("the message type “{0}” is unknown")]
    UnknownMessageType(String),
    /// A status that Docket does not know yet.
    #[error("the status “{0}” is unknown")]
    UnknownStatus(String),
}

/// Reads the body of an inbound webhook.
///
/// # Errors
///
/// [`Undecodable`] for everything that is no message Docket can place in a case.
pub fn decode_inbound(body: &[u8]) -> Result<Inbound, Undecodable> {
    mending(body, |body| {
        let fields = Fields::read(body)?;
        inbound(&fields, body).map_err(|cause| fields.undecodable(cause))
    })
}

/// Reads the body of a status webhook.
///
/// # Errors
///
/// [`Undecodable`] for everything that is no status of a message.
pub fn decode_status(body: &[u8]) -> Result<Status, Undecodable> {
    mending(body, |body| {
        let fields = Fields::read(body)?;
        status(&fields).map_err(|cause| fields.undecodable(cause))
    })
}

/// What Vonage's error code means, in a sentence for an agent; none for a code without one of its own.
pub const fn reason(code: u32) -> Option<&'static str> {
    Some(match code {
        1000 => "Too many messages were sent at once; Vonage is holding the account back.",
        1022 => "The WhatsApp template does not exist, is not approved, or was filled in wrongly.",
        1050 => "This number is barred from receiving messages.",
        1070 => "The account's quota or balance is used up.",
        1120 => "The network does not accept our number as a sender to this person.",
        1170 => "This number is not valid.",
        1180 => "The phone cannot be reached for now; it may be off or without signal.",
        1190 => {
            "The phone cannot be reached and is not expected back; the number may no longer be in use."
        }
        1210 => "The network took the message for spam.",
        1240 => "This person has opted out with STOP and receives nothing from this number.",
        1300 => "This number is not on WhatsApp.",
        1330 => "The network gave no reason.",
        1340 => {
            "More than 24 hours have passed since this person last wrote on WhatsApp; only an approved template can be sent now."
        }
        1360 => "The message could not be delivered in time and has expired.",
        _ => return None,
    })
}

fn inbound(fields: &Fields<'_>, body: &[u8]) -> Result<Inbound, Cause> {
    let channel = channel(&fields.channel)?;
    let from = match (&fields.from, sender_id(fields)) {
        // Somebody with a user name in place of a number may come with the identifier alone.
        (Loose::Absent, Some(sender)) => sender,
        (from, _) => normalise_number(&identifier(from, "from")?),
    };
    Ok(Inbound {
        channel,
        to: normalise_number(&identifier(&fields.to, "to")?),
        from,
        provider_id: identifier(&fields.message_uuid, "message_uuid")?,
        at: time(&fields.timestamp)?,
        content: content(channel, fields, body)?,
        // A reaction may name its message itself.
        quoted: fields
            .context
            .and_then(quoted)
            .or_else(|| fields.reaction.and_then(quoted)),
        profile_name: fields.profile.and_then(profile_name),
    })
}

fn status(fields: &Fields<'_>) -> Result<Status, Cause> {
    let word = required(&fields.status, "status")?;
    Ok(Status {
        provider_id: identifier(&fields.message_uuid, "message_uuid")?,
        // A longer one cannot be ours.
        client_ref: fields
            .client_ref
            .shown()
            .filter(|client_ref| client_ref.len() <= MAX_ID_BYTES),
        channel: channel(&fields.channel)?,
        status: StatusKind::from_name(word).ok_or_else(|| Cause::UnknownStatus(shortened(word)))?,
        at: time(&fields.timestamp)?,
        error: fields.error.and_then(status_error),
    })
}

/// Decodes, and where that fails decodes once more with lone surrogates mended, if there are any. Only a failure pays for it.
fn mending<T>(
    body: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, Undecodable>,
) -> Result<T, Undecodable> {
    decode(body).or_else(|undecodable| match with_whole_surrogates(body) {
        Some(mended) => decode(&mended),
        None => Err(undecodable),
    })
}

/// Replaces each `\uD8xx` or `\uDCxx` that is not part of a pair by `\uFFFD`; none if there is nothing to replace. In JSON a
/// backslash stands nowhere but in strings.
fn with_whole_surrogates(body: &[u8]) -> Option<Vec<u8>> {
    const ESCAPE_BYTES: usize = r"\uFFFD".len();

    let unit_at = |position: usize| -> Option<u16> {
        let digits = body
            .get(position..position + ESCAPE_BYTES)?
            .strip_prefix(br"\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut mended = None;
    let mut position = 0;
    while let Some(step) = body
        .get(position..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\\'))
    {
        position += step;
        position += match unit_at(position) {
            Some(0xD800..=0xDBFF)
                if matches!(unit_at(position + ESCAPE_BYTES), Some(0xDC00..=0xDFFF)) =>
            {
                2 * ESCAPE_BYTES
            }
            Some(0xD800..=0xDFFF) => {
                let target: &mut Vec<u8> = mended.get_or_insert_with(|| body.to_vec());
                target[position..position + ESCAPE_BYTES].copy_from_slice(br"\uFFFD");
                ESCAPE_BYTES
            }
            Some(_) => ESCAPE_BYTES,
            None => 2,
        };
    }
    mended
}

/// A field that should hold a string: numbers are taken for their digits.
#[derive(Default)]
enum Loose<'a> {
    /// Not there, or null.
    #[default]
    Absent,
    Text(Cow<'a, str>),
    /// There, but a list, an object or a truth value.
    Other,
}

impl Loose<'_> {
    /// The text, without NUL; none if it is blank.
    fn shown(&self) -> Option<String> {
        match self {
            Self::Text(text) if !text.trim().is_empty() => Some(without_nul(text)),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LooseVisitor;

        impl<'de> Visitor<'de> for LooseVisitor {
            type Value = Loose<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON")
            }

            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(Loose::Text(Cow::Borrowed(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(Loose::Text(Cow::Owned(value.to_owned())))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Loose::Text(Cow::Owned(value.to_string())))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Loose::Text(Cow::Owned(value.to_string())))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Loose::Text(Cow::Owned(value.to_string())))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Loose::Other)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Loose::Absent)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Loose::Other)
            }
        }

        deserializer.deserialize_any(LooseVisitor)
    }
}

/// The fields that any webhook may have. What only some kinds need is left unparsed until its kind is known.
#[derive(Default)]
struct Fields<'a> {
    channel: Loose<'a>,
    message_uuid: Loose<'a>,
    to: Loose<'a>,
    from: Loose<'a>,
    timestamp: Loose<'a>,
    message_type: Loose<'a>,
    text: Loose<'a>,
    status: Loose<'a>,
    client_ref: Loose<'a>,
    context: Option<&'a RawValue>,
    profile: Option<&'a RawValue>,
    whatsapp: Option<&'a RawValue>,
    image: Option<&'a RawValue>,
    audio: Option<&'a RawValue>,
    video: Option<&'a RawValue>,
    file: Option<&'a RawValue>,
    vcard: Option<&'a RawValue>,
    sticker: Option<&'a RawValue>,
    content: Option<&'a RawValue>,
    location: Option<&'a RawValue>,
    contacts: Option<&'a RawValue>,
    reply: Option<&'a RawValue>,
    button: Option<&'a RawValue>,
    order: Option<&'a RawValue>,
    reaction: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn read(body: &'a [u8]) -> Result<Self, Undecodable> {
        serde_json::from_slice(body).map_err(|error| Undecodable {
            cause: if error.is_data() {
                Cause::NotAnObject
            } else {
                Cause::NotJson
            },
            provider_id: None,
            to: None,
            from: None,
        })
    }

    fn undecodable(&self, cause: Cause) -> Undecodable {
        let number = |field| {
            identifier(field, "")
                .ok()
                .map(|number| normalise_number(&number))
        };
        Undecodable {
            cause,
            provider_id: identifier(&self.message_uuid, "").ok(),
            to: number(&self.to),
            from: number(&self.from),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            // By hand, because a derived implementation refuses a repeated key and could not be as loose.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                fn raw<'de, A: MapAccess<'de>>(
                    map: &mut A,
                ) -> Result<Option<&'de RawValue>, A::Error> {
                    let value = map.next_value::<&RawValue>()?;
                    Ok((value.get() != "null").then_some(value))
                }

                let mut fields = Fields::default();
                while let Some(Key(key)) = map.next_key()? {
                    match key.as_ref() {
                        "channel" => fields.channel = map.next_value()?,
                        "message_uuid" => fields.message_uuid = map.next_value()?,
                        "to" => fields.to = map.next_value()?,
                        "from" => fields.from = map.next_value()?,
                        "timestamp" => fields.timestamp = map.next_value()?,
                        "message_type" => fields.message_type = map.next_value()?,
                        "text" => fields.text = map.next_value()?,
                        "status" => fields.status = map.next_value()?,
                        "client_ref" => fields.client_ref = map.next_value()?,
                        "context" => fields.context = raw(&mut map)?,
                        "profile" => fields.profile = raw(&mut map)?,
                        "whatsapp" => fields.whatsapp = raw(&mut map)?,
                        "image" => fields.image = raw(&mut map)?,
                        "audio" => fields.audio = raw(&mut map)?,
                        "video" => fields.video = raw(&mut map)?,
                        "file" => fields.file = raw(&mut map)?,
                        "vcard" => fields.vcard = raw(&mut map)?,
                        "sticker" => fields.sticker = raw(&mut map)?,
                        "content" => fields.content = raw(&mut map)?,
                        "location" => fields.location = raw(&mut map)?,
                        "contacts" => fields.contacts = raw(&mut map)?,
                        "reply" => fields.reply = raw(&mut map)?,
                        "button" => fields.button = raw(&mut map)?,
                        "order" => fields.order = raw(&mut map)?,
                        "reaction" => fields.reaction = raw(&mut map)?,
                        "error" => fields.error = raw(&mut map)?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A key, borrowed unless it holds escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

fn required<'f>(field: &'f Loose<'_>, name: &'static str) -> Result<&'f str, Cause> {
    match field {
        Loose::Text(text) if !text.trim().is_empty() => Ok(text.trim()),
        Loose::Text(_) | Loose::Absent => Err(Cause::MissingField(name)),
        Loose::Other => Err(Cause::BadValue(name)),
    }
}

fn identifier(field: &Loose<'_>, name: &'static str) -> Result<String, Cause> {
    let text = required(field, name)?;
    if text.len() > MAX_ID_BYTES {
        return Err(Cause::BadValue(name));
    }
    Ok(without_nul(text))
}

fn channel(field: &Loose<'_>) -> Result<Channel, Cause> {
    let name = required(field, "channel")?;
    Channel::from_name(name).ok_or_else(|| Cause::UnknownChannel(shortened(name)))
}

/// ISO 8601 with any number of decimals; without an offset it is UTC.
fn time(field: &Loose<'_>) -> Result<DateTime<Utc>, Cause> {
    const OFFSET_WITHOUT_COLON: &str = "%Y-%m-%dT%H:%M:%S%.f%z";
    const NO_OFFSET: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];

    let text = required(field, "timestamp")?;
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, OFFSET_WITHOUT_COLON))
        .map(|time| time.to_utc())
        .or_else(|error| {
            NO_OFFSET
                .iter()
                .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
                .map(|time| time.and_utc())
                .ok_or(error)
        })
        .map(|time| time.trunc_subsecs(6))
        .map_err(|_| Cause::BadValue("timestamp"))
}

/// The first characters of a word that is shown to the owner.
fn shortened(text: &str) -> String {
    without_nul(text).chars().take(MAX_SHOWN_CHARS).collect()
}

/// Reads an object into a struct that borrows from it; none where it is no object or has another shape.
fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    // A derived implementation would take a list for the struct's fields in order.
    if raw.get().starts_with('{') {
        serde_json::from_str(raw.get()).ok()
    } else {
        None
    }
}

/// The items of a list; none where it is no list.
fn items(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

fn quoted(raw: &RawValue) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Context<'a> {
        #[serde(borrow, default)]
        message_uuid: Loose<'a>,
    }

    identifier(&object::<Context<'_>>(raw)?.message_uuid, "").ok()
}

fn profile_name(raw: &RawValue) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Profile<'a> {
        #[serde(borrow, default)]
        name: Loose<'a>,
    }

    object::<Profile<'_>>(raw)?.name.shown()
}

/// Who wrote, by WhatsApp's own identifiers.
fn sender_id(fields: &Fields<'_>) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Whatsapp<'a> {
        #[serde(borrow, default)]
        sender: Option<Sender<'a>>,
    }

    #[derive(serde::Deserialize)]
    struct Sender<'a> {
        #[serde(borrow, default)]
        wa_id: Loose<'a>,
        #[serde(borrow, default)]
        user_id: Loose<'a>,
    }

    if !matches!(fields.from, Loose::Absent) {
        return None;
    }
    let sender = object::<Whatsapp<'_>>(fields.whatsapp?)?.sender?;
    identifier(&sender.wa_id, "")
        .or_else(|_| identifier(&sender.user_id, ""))
        .ok()
        .map(|id| normalise_number(&id))
}

fn status_error(raw: &RawValue) -> Option<StatusError> {
    #[derive(serde::Deserialize)]
    struct Problem<'a> {
        #[serde(borrow, default, rename = "type")]
        kind: Loose<'a>,
        #[serde(borrow, default)]
        title: Loose<'a>,
        #[serde(borrow, default)]
        detail: Loose<'a>,
    }

    let problem: Problem<'_> = object(raw)?;
    let title = problem.title.shown();
    let error = StatusError {
        code: title
            .as_deref()
            .and_then(|title| title.trim().parse().ok())
            .or_else(|| problem.kind.shown().as_deref().and_then(code_in_type)),
        title: title.as_deref().map(mask_numbers),
        detail: problem.detail.shown().as_deref().map(mask_numbers),
    };
    (error != StatusError::default()).then_some(error)
}

/// The content by its kind, or, where no kind is given, by what is there.
fn content(channel: Channel, fields: &Fields<'_>, body: &[u8]) -> Result<Content, Cause> {
    let kind = match required(&fields.message_type, "message_type") {
        Ok(kind) => kind,
        Err(Cause::MissingField(missing)) => kind_by_fields(fields).ok_or(match channel {
            // A message type is no part of an SMS, so its absence explains nothing.
            Channel::Sms => Cause::MissingField("text"),
            Channel::Whatsapp => Cause::MissingField(missing),
        })?,
        Err(cause) => return Err(cause),
    };
    match kind {
        "text" => match &fields.text {
            Loose::Text(text) => Ok(Content::Text {
                text: without_nul(text),
            }),
            Loose::Absent => Err(Cause::MissingField("text")),
            Loose::Other => Err(Cause::BadValue("text")),
        },
        "image" => media(fields, fields.image, "image", "image.url").map(Content::Image),
        "audio" => media(fields, fields.audio, "audio", "audio.url").map(Content::Audio),
        "video" => media(fields, fields.video, "video", "video.url").map(Content::Video),
        "file" => media(fields, fields.file, "file", "file.url").map(Content::File),
        "vcard" => media(fields, fields.vcard, "vcard", "vcard.url").map(Content::File),
        "sticker" => media(fields, fields.sticker, "sticker", "sticker.url").map(Content::Sticker),
        "content" => several_media(fields),
        "location" => location(given(fields.location, "location")?),
        "contacts" => contacts(given(fields.contacts, "contacts")?),
        "reply" => reply(given(fields.reply, "reply")?),
        "button" => button(given(fields.button, "button")?),
        "order" => Ok(Content::Order {
            order: value(given(fields.order, "order")?, "order")?,
        }),
        "reaction" => reaction(given(fields.reaction, "reaction")?),
        "unsupported" => {
            let body = std::str::from_utf8(body).map_err(|_| Cause::NotJson)?;
            let raw = tree(body, Cause::NotJson)?;
            Ok(Content::Unsupported { raw })
        }
        unknown => Err(Cause::UnknownMessageType(shortened(unknown))),
    }
}

fn kind_by_fields(fields: &Fields<'_>) -> Option<&'static str> {
    [
        // A text beside a file is what was written beneath it.
        ("image", fields.image.is_some()),
        ("audio", fields.audio.is_some()),
        ("video", fields.video.is_some()),
        ("file", fields.file.is_some()),
        ("vcard", fields.vcard.is_some()),
        ("sticker", fields.sticker.is_some()),
        ("location", fields.location.is_some()),
        ("contacts", fields.contacts.is_some()),
        ("reply", fields.reply.is_some()),
        ("button", fields.button.is_some()),
        ("order", fields.order.is_some()),
        ("reaction", fields.reaction.is_some()),
        ("content", fields.content.is_some()),
        ("text", !matches!(fields.text, Loose::Absent)),
    ]
    .into_iter()
    .find_map(|(kind, is_there)| is_there.then_some(kind))
}

fn given<'a>(raw: Option<&'a RawValue>, name: &'static str) -> Result<&'a RawValue, Cause> {
    raw.ok_or(Cause::MissingField(name))
}

/// A part as a tree, for the kinds that are kept as Vonage gave them.
fn value(raw: &RawValue, name: &'static str) -> Result<Value, Cause> {
    tree(raw.get(), Cause::BadValue(name))
}

fn tree(json: &str, unreadable: Cause) -> Result<Value, Cause> {
    if depth(json) > MAX_FOREIGN_DEPTH {
        return Err(Cause::TooDeep);
    }
    let mut value = serde_json::from_str(json).map_err(|_| unreadable)?;
    remove_nul(&mut value);
    Ok(value)
}

fn remove_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = without_nul(text),
        Value::Array(items) => items.iter_mut().for_each(remove_nul),
        Value::Object(map) => {
            if map.keys().any(|key| key.contains('\0')) {
                *map = std::mem::take(map)
                    .into_iter()
                    .map(|(key, value)| (without_nul(&key), value))
                    .collect();
            }
            map.values_mut().for_each(remove_nul);
        }
        _ => {}
    }
}

#[derive(serde::Deserialize)]
struct RawMedia<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Loose<'a>,
    #[serde(borrow, default)]
    url: Loose<'a>,
    #[serde(borrow, default)]
    name: Loose<'a>,
    #[serde(borrow, default)]
    caption: Loose<'a>,
}

/// An address that can be fetched. Others (`javascript:`, `file:`) are no media of Vonage's and must not become links.
fn media_url(field: &Loose<'_>, name: &'static str) -> Result<String, Cause> {
    let url = required(field, name)?;
    let is_http = ["https://", "http://"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    if is_http {
        Ok(without_nul(url))
    } else {
        Err(Cause::BadValue(name))
    }
}

fn media(
    fields: &Fields<'_>,
    raw: Option<&RawValue>,
    name: &'static str,
    url_name: &'static str,
) -> Result<Media, Cause> {
    let media: RawMedia<'_> = object(given(raw, name)?).ok_or(Cause::BadValue(name))?;
    let url = media_url(&media.url, url_name)?;
    let mut more = more_media(fields);
    // An MMS with several files may list the first one again.
    more.retain(|other| other.url != url);
    Ok(Media {
        url,
        name: media.name.shown(),
        caption: media.caption.shown().or_else(|| fields.text.shown()),
        more,
    })
}

/// The files of `content`; entries that are none are passed over.
fn more_media(fields: &Fields<'_>) -> Vec<MoreMedia> {
    fields
        .content
        .and_then(items)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|item| {
            let item: RawMedia<'_> = object(item)?;
            Some(MoreMedia {
                kind: item.kind.shown().unwrap_or_else(|| "file".to_owned()),
                url: media_url(&item.url, "content").ok()?,
            })
        })
        .collect()
}

/// A message that is nothing but a list of files: the first stands for it.
fn several_media(fields: &Fields<'_>) -> Result<Content, Cause> {
    given(fields.content, "content")?;
    let mut files = more_media(fields).into_iter();
    let first = files.next().ok_or(Cause::BadValue("content"))?;
    let caption = fields
        .content
        .and_then(items)
        .and_then(|items| object::<RawMedia<'_>>(items.first()?)?.caption.shown());
    let media = Media {
        url: first.url,
        name: None,
        caption: caption.or_else(|| fields.text.shown()),
        more: files.collect(),
    };
    Ok(match first.kind.as_str() {
        "image" => Content::Image(media),
        "audio" => Content::Audio(media),
        "video" => Content::Video(media),
        _ => Content::File(media),
    })
}

fn location(raw: &RawValue) -> Result<Content, Cause> {
    #[derive(serde::Deserialize)]
    struct Location<'a> {
        #[serde(borrow, default, alias = "latitude")]
        lat: Loose<'a>,
        #[serde(borrow, default, alias = "longitude")]
        long: Loose<'a>,
        #[serde(borrow, default)]
        name: Loose<'a>,
        #[serde(borrow, default)]
        address: Loose<'a>,
    }

    fn degrees(field: &Loose<'_>, name: &'static str, limit: f64) -> Result<f64, Cause> {
        let degrees: f64 = required(field, name)?
            .parse()
            .map_err(|_| Cause::BadValue(name))?;
        // False for NaN and infinity too, which JSON could not hold.
        if degrees.abs() <= limit {
            Ok(degrees)
        } else {
            Err(Cause::BadValue(name))
        }
    }

    let location: Location<'_> = object(raw).ok_or(Cause::BadValue("location"))?;
    Ok(Content::Location {
        latitude: degrees(&location.lat, "location.lat", 90.0)?,
        longitude: degrees(&location.long, "location.long", 180.0)?,
        name: location.name.shown(),
        address: location.address.shown(),
    })
}

fn contacts(raw: &RawValue) -> Result<Content, Cause> {
    Ok(Content::Contacts {
        contacts: match value(raw, "contacts")? {
            Value::Array(contacts) => contacts,
            contact @ Value::Object(_) => vec![contact],
            _ => return Err(Cause::BadValue("contacts")),
        },
    })
}

fn reply(raw: &RawValue) -> Result<Content, Cause> {
    #[derive(serde::Deserialize)]
    struct Reply<'a> {
        #[serde(borrow, default)]
        id: Loose<'a>,
        #[serde(borrow, default)]
        title: Loose<'a>,
        #[serde(borrow, default)]
        description: Loose<'a>,
    }

    let reply: Reply<'_> = object(raw).ok_or(Cause::BadValue("reply"))?;
    let id = reply.id.shown();
    Ok(Content::Reply {
        title: reply
            .title
            .shown()
            .or_else(|| id.clone())
            .ok_or(Cause::MissingField("reply.title"))?,
        id,
        description: reply.description.shown(),
    })
}

fn button(raw: &RawValue) -> Result<Content, Cause> {
    #[derive(serde::Deserialize)]
    struct Button<'a> {
        #[serde(borrow, default)]
        text: Loose<'a>,
        #[serde(borrow, default)]
        payload: Option<&'a RawValue>,
        #[serde(borrow, default)]
        subtype: Loose<'a>,
    }

    let button: Button<'_> = object(raw).ok_or(Cause::BadValue("button"))?;
    let payload = button
        .payload
        .map(|payload| value(payload, "button.payload"))
        .transpose()?
        .unwrap_or_default();
    let text = button
        .text
        .shown()
        .or_else(|| payload.as_str().map(str::to_owned));
    Ok(Content::Button {
        text: text.unwrap_or_default(),
        payload,
        subtype: button.subtype.shown(),
    })
}

fn reaction(raw: &RawValue) -> Result<Content, Cause> {
    #[derive(serde::Deserialize)]
    struct Reaction<'a> {
        #[serde(borrow, default)]
        action: Loose<'a>,
        #[serde(borrow, default)]
        emoji: Loose<'a>,
    }

    let reaction: Reaction<'_> = object(raw).ok_or(Cause::BadValue("reaction"))?;
    let emoji = reaction.emoji.shown();
    let removed = match &reaction.action {
        Loose::Text(action) => action == "unreact",
        // WhatsApp itself takes a reaction off by setting an empty one.
        Loose::Absent | Loose::Other => emoji.is_none(),
    };
    Ok(Content::Reaction {
        emoji: emoji.filter(|_| !removed),
        removed,
    })
}

#[cfg(test)]
mod tests;
