//! What Vonage's webhooks say: inbound messages and statuses of outbound ones.
//!
//! Reading has two tiers. The first takes what placing a message needs, its channel, recipient, sender and Vonage's id, from any form
//! of webhook that Vonage has: the Messages API's, the older Messages v0.1's, and the SMS API's as JSON, as a form or as the query of an
//! address. Where one of these cannot be had, the payload is [`Undecodable`], and is kept for the owner. The second tier reads the
//! time, the content and all else, and cannot fail: a time that cannot be read is the time of arrival, and content that cannot be
//! read is kept as it came.
//!
//! A number may stand where a string is meant and the other way round, unknown fields are ignored, optional ones may be missing or
//! null. The database could not hold a NUL, so it becomes U+2400, nor a time finer than a microsecond.
//!
//! To take a further kind of message, add its branch to [`content`].

mod content;
mod members;
mod status;
mod text;
mod time;

use std::fmt;

use chrono::{DateTime, Utc};
use docket_domain::channel::{Channel, normalise_number};
use docket_domain::content::Content;
use docket_domain::held::WebhookKind;
use serde_json::value::RawValue;

use self::members::{Loose, Members};
pub use self::status::{Status, StatusError, StatusKind, reason};
use super::without_nul;

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
    /// Whether `at` is the time of arrival, since Vonage's could not be read.
    pub at_is_arrival: bool,
    /// What it carries.
    pub content: Content,
    /// The `message_uuid` of the message that it quotes, or reacts to.
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
    /// What was said, if it could be read.
    pub said: Option<String>,
    /// Vonage's time, if it could be read.
    pub at: Option<DateTime<Utc>>,
}

impl Undecodable {
    fn because(cause: Cause) -> Self {
        Self {
            cause,
            provider_id: None,
            to: None,
            from: None,
            said: None,
            at: None,
        }
    }
}

impl fmt::Debug for Undecodable {
    /// Without the numbers and what was said.
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
    /// A needed field is missing, null or empty.
    #[error("the field “{0}” is missing")]
    MissingField(&'static str),
    /// A field holds something that it cannot mean.
    #[error("the field “{0}” cannot be read")]
    BadValue(&'static str),
    /// A channel that Docket has no lines for.
    #[error("the channel “{0}” is unknown")]
    UnknownChannel(String),
    /// A status that Docket does not know yet.
    #[error("the status “{0}” is unknown")]
    UnknownStatus(String),
}

/// Which of Vonage's ways to tell of a message a webhook has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The Messages API's, version 1.
    Messages,
    /// The Messages API's, version 0.1.
    MessagesV0,
    /// The SMS API's.
    Sms,
}

/// What a webhook brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Webhook {
    /// A message that came in.
    Inbound(Inbound),
    /// What became of a message that went out.
    Status(Status),
}

/// A webhook as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Which of Vonage's forms it has.
    pub form: Form,
    /// What it is, told by its content.
    pub kind: WebhookKind,
    /// What it says.
    pub webhook: Result<Webhook, Box<Undecodable>>,
}

/// Reads the body of a webhook, or its query where it has no body.
///
/// `expected` is what the address says that it is; it counts only where the content does not tell. `arrived` stands in for a time that
/// cannot be read.
pub fn read(body: &[u8], expected: Option<WebhookKind>, arrived: DateTime<Utc>) -> Reading {
    let text = text::text(body);
    let mut mended = String::new();
    let (envelope, text) = match Envelope::read(&text, &mut mended) {
        Ok(read) => read,
        Err(cause) => {
            return Reading {
                form: Form::Messages,
                kind: expected.unwrap_or(WebhookKind::Inbound),
                webhook: Err(Box::new(Undecodable::because(cause))),
            };
        }
    };
    let kind = envelope.kind(expected);
    let webhook = match kind {
        WebhookKind::Inbound => envelope.inbound(text, arrived).map(Webhook::Inbound),
        WebhookKind::Status => status::status(&envelope, arrived).map(Webhook::Status),
    };
    Reading {
        form: envelope.form,
        kind,
        webhook: webhook.map_err(|cause| Box::new(envelope.undecodable(cause, text, arrived))),
    }
}

/// Reads the body of an inbound message.
///
/// # Errors
///
/// [`Undecodable`] for everything that is no message Docket can place in a case.
pub fn decode_inbound(body: &[u8], arrived: DateTime<Utc>) -> Result<Inbound, Box<Undecodable>> {
    match read(body, Some(WebhookKind::Inbound), arrived).webhook? {
        Webhook::Inbound(inbound) => Ok(inbound),
        Webhook::Status(_) => Err(Box::new(Undecodable::because(Cause::MissingField("text")))),
    }
}

/// Reads the body of a status.
///
/// # Errors
///
/// [`Undecodable`] for everything that is no status of a message.
pub fn decode_status(body: &[u8], arrived: DateTime<Utc>) -> Result<Status, Box<Undecodable>> {
    match read(body, Some(WebhookKind::Status), arrived).webhook? {
        Webhook::Status(status) => Ok(status),
        Webhook::Inbound(_) => Err(Box::new(Undecodable::because(Cause::MissingField(
            "status",
        )))),
    }
}

/// A webhook of any form, with its fields under the names that the Messages API has for them.
struct Envelope<'a> {
    form: Form,
    outer: Members<'a>,
    /// What Messages v0.1 puts into `message.content`; of other forms nothing.
    inner: Members<'a>,
}

impl<'a> Envelope<'a> {
    /// Reads the outermost level of a body, and gives the text that it was read from.
    fn read(body: &'a str, mended: &'a mut String) -> Result<(Self, &'a str), Cause> {
        let trimmed = body.trim_start();
        let is_form = !trimmed.starts_with(['{', '[', '"']) && trimmed.contains('=');
        let (outer, body) = if is_form {
            (Members::of_form(trimmed), body)
        } else {
            members::of_mended(body, mended)?
        };
        let inner = outer
            .object("message")
            .and_then(|message| message.object("content"))
            .unwrap_or_default();
        let is_of_sms_api = !outer.has("message_uuid")
            && ["msisdn", "messageId"].iter().any(|name| outer.has(name));
        let has_parties = ["to", "from"]
            .iter()
            .any(|name| outer.object(name).is_some());
        let form = if is_of_sms_api {
            Form::Sms
        } else if is_form {
            // No other form comes like that.
            return Err(Cause::NotJson);
        } else if has_parties && !outer.has("channel") {
            Form::MessagesV0
        } else {
            Form::Messages
        };
        Ok((Self { form, outer, inner }, body))
    }

    fn loose(&self, name: &str) -> Loose<'a> {
        match self.inner.loose(name) {
            Loose::Absent => self.outer.loose(name),
            found => found,
        }
    }

    fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.inner.raw(name).or_else(|| self.outer.raw(name))
    }

    fn has(&self, name: &str) -> bool {
        self.inner.has(name) || self.outer.has(name)
    }

    fn message_type(&self) -> Loose<'a> {
        match self.form {
            Form::Sms => self.outer.loose("type"),
            Form::Messages | Form::MessagesV0 => match self.outer.loose("message_type") {
                Loose::Absent => self.inner.loose("type"),
                given => given,
            },
        }
    }

    /// Whether it is a message or a status. Only a status has a status, and only a message has content; where both or neither is
    /// there, what else only one of them has decides, and then the address.
    fn kind(&self, expected: Option<WebhookKind>) -> WebhookKind {
        const OF_STATUS: [&str; 6] = [
            "client_ref",
            "client-ref",
            "error",
            "err-code",
            "destination",
            "status",
        ];
        const OF_MESSAGE: [&str; 7] = [
            "message_type",
            "message",
            "profile",
            "context_status",
            "provider_message",
            "origin",
            "keyword",
        ];

        let status = self.outer.loose("status");
        let status = status.word();
        let has_content = content::has_content(self);
        match (status, has_content) {
            (Some(_), false) => WebhookKind::Status,
            (Some(word), true) if status::is_known(word) => {
                expected.unwrap_or(WebhookKind::Inbound)
            }
            (_, true) => WebhookKind::Inbound,
            (None, false) if OF_MESSAGE.iter().any(|name| self.has(name)) => WebhookKind::Inbound,
            (None, false) if OF_STATUS.iter().any(|name| self.has(name)) => WebhookKind::Status,
            (None, false) => expected.unwrap_or(WebhookKind::Inbound),
        }
    }

    fn channel(&self) -> Result<Channel, Cause> {
        if self.form == Form::Sms {
            return Ok(Channel::Sms);
        }
        let of_party = |name| self.outer.object(name).map(|party| party.loose("type"));
        let name = [
            Some(self.outer.loose("channel")),
            of_party("from"),
            of_party("to"),
        ]
        .into_iter()
        .flatten()
        .find(|name| *name != Loose::Absent)
        .unwrap_or_default();
        let name = name.required("channel")?;
        Channel::from_name(&name.to_ascii_lowercase())
            .ok_or_else(|| Cause::UnknownChannel(shortened(name)))
    }

    fn provider_id(&self) -> Result<String, Cause> {
        if self.form != Form::Sms {
            return self.outer.loose("message_uuid").identifier("message_uuid");
        }
        let id = self.outer.loose("messageId").identifier("messageId")?;
        // Each part of a long message is a webhook of its own.
        let part = self.outer.loose("concat-part");
        match part.word().filter(|part| part.len() <= 8 && *part != "1") {
            Some(part) => Ok(format!("{id}-{part}")),
            None => Ok(id),
        }
    }

    fn to(&self) -> Result<String, Cause> {
        self.outer.address("to")
    }

    fn from(&self) -> Result<String, Cause> {
        match self.form {
            Form::Sms => self.outer.address("msisdn"),
            // Somebody with a user name in place of a number may come with the identifier alone.
            Form::Messages | Form::MessagesV0 => self
                .outer
                .address("from")
                .or_else(|cause| self.whatsapp_sender().ok_or(cause)),
        }
    }

    /// Who wrote, by WhatsApp's own identifiers.
    fn whatsapp_sender(&self) -> Option<String> {
        let sender = self.outer.object("whatsapp")?.object("sender")?;
        ["user_id", "wa_id"]
            .into_iter()
            .find_map(|name| sender.loose(name).identifier("").ok())
            .map(|id| normalise_number(&id))
    }

    /// The time, and whether it is that of arrival.
    fn at(&self, arrived: DateTime<Utc>) -> (DateTime<Utc>, bool) {
        match self.time(arrived) {
            Some(at) => (at, false),
            None => (arrived, true),
        }
    }

    fn time(&self, arrived: DateTime<Utc>) -> Option<DateTime<Utc>> {
        ["message-timestamp", "timestamp"]
            .into_iter()
            .find_map(|name| time::read(self.outer.loose(name).word()?, arrived))
    }

    /// Vonage's id of the message that it quotes or reacts to.
    fn quoted(&self) -> Option<String> {
        [("context", "message_uuid"), ("reaction", "message_uuid")]
            .into_iter()
            .find_map(|(part, name)| {
                Members::of(self.raw(part)?)?
                    .loose(name)
                    .identifier("")
                    .ok()
            })
    }

    fn profile_name(&self) -> Option<String> {
        Members::of(self.raw("profile")?)?.loose("name").shown()
    }

    fn inbound(&self, body: &str, arrived: DateTime<Utc>) -> Result<Inbound, Cause> {
        let (at, at_is_arrival) = self.at(arrived);
        Ok(Inbound {
            channel: self.channel()?,
            to: self.to()?,
            from: self.from()?,
            provider_id: self.provider_id()?,
            at,
            at_is_arrival,
            content: content::content(self, body),
            quoted: self.quoted(),
            profile_name: self.profile_name(),
        })
    }

    fn undecodable(&self, cause: Cause, body: &str, arrived: DateTime<Utc>) -> Undecodable {
        Undecodable {
            cause,
            provider_id: self.provider_id().ok(),
            to: self.to().ok(),
            from: self.from().ok(),
            said: content::has_content(self)
                .then(|| content::content(self, body).said().map(str::to_owned))
                .flatten(),
            at: self.time(arrived),
        }
    }
}

/// The first characters of a word that is shown to the owner.
fn shortened(text: &str) -> String {
    without_nul(text).chars().take(MAX_SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests;
