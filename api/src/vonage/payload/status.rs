//! What became of an outbound message.

use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use serde_json::value::RawValue;

use super::members::{MAX_ID_BYTES, Members};
use super::{Cause, Envelope, shortened};
use crate::vonage::{code_in_type, mask_numbers};

/// What became of a message that went out. It names the message by Vonage's id, by ours, or by both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Vonage's `message_uuid` of the message.
    pub provider_id: Option<String>,
    /// What we gave with the call that sent it.
    pub client_ref: Option<String>,
    /// The channel that it went by, where it is one of ours.
    pub channel: Option<Channel>,
    /// What became of it.
    pub status: StatusKind,
    /// Vonage's time of it, to the microsecond.
    pub at: DateTime<Utc>,
    /// Whether `at` is the time of arrival, since Vonage's could not be read.
    pub at_is_arrival: bool,
    /// Why it failed.
    pub error: Option<StatusError>,
}

impl Status {
    /// What it calls the message: by Vonage's id, or else by ours.
    pub fn message(&self) -> &str {
        let id = self.provider_id.as_deref().or(self.client_ref.as_deref());
        id.unwrap_or_default()
    }
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
    /// The word as the Messages API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Undeliverable => "undeliverable",
            Self::Read => "read",
        }
    }

    /// The status that a word of the Messages API or of the SMS API means.
    fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "submitted" | "accepted" | "buffered" | "sent" | "unknown" => Self::Submitted,
            "delivered" => Self::Delivered,
            "rejected" => Self::Rejected,
            "undeliverable" | "failed" | "expired" | "deleted" => Self::Undeliverable,
            "read" | "seen" => Self::Read,
            _ => return None,
        })
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

/// The code of the Messages API that means what a receipt of the SMS API says in `err-code`; none where it says nothing.
fn code_of_receipt(err_code: u32) -> Option<u32> {
    Some(match err_code {
        0 => return None,
        2 | 7 => 1180,
        3 => 1190,
        4 => 1050,
        6 | 50 | 51 => 1210,
        9 | 12 => 1170,
        15 => 1070,
        _ => 1330,
    })
}

/// Whether a word is one that Vonage has for a status.
pub(super) fn is_known(word: &str) -> bool {
    StatusKind::from_name(word).is_some()
}

pub(super) fn status(envelope: &Envelope<'_>, arrived: DateTime<Utc>) -> Result<Status, Cause> {
    let word = envelope.loose("status");
    let word = word.required("status")?;
    let provider_id = envelope.provider_id();
    // A longer one cannot be ours.
    let client_ref = ["client_ref", "client-ref"]
        .into_iter()
        .find_map(|name| envelope.loose(name).shown())
        .filter(|client_ref| client_ref.len() <= MAX_ID_BYTES);
    if let (Err(cause), None) = (&provider_id, &client_ref) {
        return Err(cause.clone());
    }
    let (at, at_is_arrival) = envelope.at(arrived);
    Ok(Status {
        provider_id: provider_id.ok(),
        client_ref,
        channel: envelope.channel().ok(),
        status: StatusKind::from_name(word).ok_or_else(|| Cause::UnknownStatus(shortened(word)))?,
        at,
        at_is_arrival,
        error: envelope
            .raw("error")
            .and_then(error)
            .or_else(|| error_of_receipt(envelope)),
    })
}

fn error(raw: &RawValue) -> Option<StatusError> {
    let problem = Members::of(raw)?;
    let title = problem.loose("title").shown();
    let error = StatusError {
        code: title
            .as_deref()
            .and_then(|title| title.trim().parse().ok())
            .or_else(|| {
                problem
                    .loose("type")
                    .shown()
                    .as_deref()
                    .and_then(code_in_type)
            }),
        title: title.as_deref().map(mask_numbers),
        detail: problem.loose("detail").shown().as_deref().map(mask_numbers),
    };
    (error != StatusError::default()).then_some(error)
}

fn error_of_receipt(envelope: &Envelope<'_>) -> Option<StatusError> {
    let err_code = envelope.loose("err-code");
    let code = code_of_receipt(err_code.word()?.parse().ok()?)?;
    Some(StatusError {
        code: Some(code),
        title: None,
        detail: None,
    })
}
