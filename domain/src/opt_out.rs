//! That a contact opts out, or in again: the contact's stream and the cases of the contact record it alike.

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::ids::MessageId;
use crate::personal::Personal;

/// What made somebody opt out or in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum OptOutCause {
    /// A message of the contact's that is nothing but such a word.
    Message {
        /// The message.
        message_id: MessageId,
    },
    /// An agent or owner, who stands beside the event.
    Person,
    /// A delivery status of Vonage's.
    Vonage {
        /// Vonage's error code.
        code: u32,
    },
}

impl OptOutCause {
    /// `message`, `person` or `vonage`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message { .. } => "message",
            Self::Person => "person",
            Self::Vonage { .. } => "vonage",
        }
    }
}

/// That a contact opted out on a channel, or in again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOutChange {
    /// The channel.
    pub channel: Channel,
    /// Whether nothing is sent to the contact on it from now on.
    pub opted_out: bool,
    /// What made them.
    pub cause: OptOutCause,
    /// Why, as a person put it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal<String>>,
}
