//! Webhooks that could not be routed: kept whole, shown to the owner, and routed again when the cause is mended.

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

use crate::ids::{HeldId, MessageId, Reference};
use crate::personal::Personal;

/// Which webhook brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookKind {
    /// A message.
    Inbound,
    /// A delivery status.
    Status,
}

impl WebhookKind {
    /// The kind's name in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Status => "status",
        }
    }
}

/// Why a webhook could not be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldReason {
    /// It is for a number and channel that is no line of ours.
    UnknownLine,
    /// It could not be read.
    Undecodable,
    /// Its kind of message, or its channel, is not known.
    UnknownType,
    /// It is a status of a message that is not known.
    UnknownMessage,
    /// Its sender has as many open cases as one contact can have.
    TooManyOpenCases,
}

impl HeldReason {
    /// The reason's name in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownLine => "unknown_line",
            Self::Undecodable => "undecodable",
            Self::UnknownType => "unknown_type",
            Self::UnknownMessage => "unknown_message",
            Self::TooManyOpenCases => "too_many_open_cases",
        }
    }
}

/// A webhook as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldWebhook {
    /// Our id of it.
    pub held_id: HeldId,
    /// Which webhook brought it.
    pub kind: WebhookKind,
    /// Why it could not be routed.
    pub reason: HeldReason,
    /// The same in words, without personal data.
    pub detail: String,
    /// Vonage's id of the message, where it could be read.
    pub provider_id: Option<String>,
    /// Our number, where it could be read.
    pub to: Option<Personal<String>>,
    /// The outside number, where it could be read.
    pub from: Option<Personal<String>>,
    /// The body.
    pub body: Personal<HeldBody>,
}

/// A body, kept to the byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldBody {
    /// It is UTF-8 without NUL.
    Text(String),
    /// It is not, and stands here in hexadecimal.
    Hex(String),
}

impl HeldBody {
    /// Keeps a body; `hex` turns bytes into hexadecimal digits.
    pub fn new(body: &[u8], hex: impl FnOnce(&[u8]) -> String) -> Self {
        match std::str::from_utf8(body) {
            Ok(text) if !text.contains('\0') => Self::Text(text.to_owned()),
            _ => Self::Hex(hex(body)),
        }
    }
}

/// What became of a held webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeldEvent {
    /// It was kept.
    WebhookHeld(HeldWebhook),
    /// It was routed at last.
    WebhookRouted {
        /// The message that it carried or spoke of.
        message_id: MessageId,
        /// The cases that got it.
        references: Vec<Reference>,
    },
}

/// A command to a [`Held`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldCommand {
    /// Keep it.
    Hold(HeldWebhook),
    /// Note that it was routed.
    MarkRouted {
        /// The message that it carried or spoke of.
        message_id: MessageId,
        /// The cases that got it.
        references: Vec<Reference>,
    },
}

/// Why a held webhook refuses a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeldError {
    /// There is no such webhook.
    #[error("there is no such unrouted webhook")]
    NotHeld,
    /// It is kept already.
    #[error("the webhook is kept already")]
    AlreadyHeld,
    /// It was routed.
    #[error("the webhook was routed already")]
    AlreadyRouted,
}

/// A held webhook as its events have made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    version: u64,
    webhook: Option<HeldWebhook>,
    routed: bool,
}

impl Held {
    /// How many events it has.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// What is kept, while it waits to be routed.
    pub fn waiting(&self) -> Option<&HeldWebhook> {
        self.webhook.as_ref().filter(|_| !self.routed)
    }

    /// Decides a command.
    ///
    /// # Errors
    ///
    /// A [`HeldError`] that says why nothing can be recorded.
    pub fn decide(&self, command: HeldCommand) -> Result<Vec<HeldEvent>, HeldError> {
        match (command, &self.webhook) {
            (HeldCommand::Hold(webhook), None) => Ok(vec![HeldEvent::WebhookHeld(webhook)]),
            (HeldCommand::Hold(_), Some(_)) => Err(HeldError::AlreadyHeld),
            (HeldCommand::MarkRouted { .. }, None) => Err(HeldError::NotHeld),
            (HeldCommand::MarkRouted { .. }, Some(_)) if self.routed => {
                Err(HeldError::AlreadyRouted)
            }
            (
                HeldCommand::MarkRouted {
                    message_id,
                    references,
                },
                Some(_),
            ) => Ok(vec![HeldEvent::WebhookRouted {
                message_id,
                references,
            }]),
        }
    }

    /// Takes one event in.
    pub fn evolve(&mut self, event: &HeldEvent) {
        self.version += 1;
        match event {
            HeldEvent::WebhookHeld(webhook) => self.webhook = Some(webhook.clone()),
            HeldEvent::WebhookRouted { .. } => self.routed = true,
        }
    }
}

impl HeldEvent {
    /// Every event type.
    pub const TYPES: [&'static str; 2] = ["WebhookHeld", "WebhookRouted"];

    /// The event's type: its variant's name.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::WebhookHeld(_) => "WebhookHeld",
            Self::WebhookRouted { .. } => "WebhookRouted",
        }
    }

    /// The version that is written today.
    pub const fn version(&self) -> &'static str {
        "1"
    }
}

impl DomainEvent for HeldEvent {
    fn event_type(&self) -> String {
        self.type_name().to_owned()
    }

    fn event_version(&self) -> String {
        self.version().to_owned()
    }
}

impl Aggregate for Held {
    const TYPE: &'static str = "HeldWebhook";
    type Command = HeldCommand;
    type Event = HeldEvent;
    type Error = HeldError;
    type Services = ();

    async fn handle(
        &mut self,
        command: HeldCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), HeldError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: HeldEvent) {
        self.evolve(&event);
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use uuid::Uuid;

    use super::*;

    fn webhook() -> HeldWebhook {
        HeldWebhook {
            held_id: HeldId(Uuid::nil()),
            kind: WebhookKind::Inbound,
            reason: HeldReason::UnknownLine,
            detail: "no line has that number".into(),
            provider_id: None,
            to: None,
            from: None,
            body: Personal(HeldBody::Text("{}".into())),
        }
    }

    #[test]
    fn it_is_kept_once_and_routed_once() {
        let held = HeldEvent::WebhookHeld(webhook());
        let routed = HeldEvent::WebhookRouted {
            message_id: MessageId(Uuid::nil()),
            references: vec![Reference::FIRST],
        };
        let mark = HeldCommand::MarkRouted {
            message_id: MessageId(Uuid::nil()),
            references: vec![Reference::FIRST],
        };
        let given = |events| TestFramework::<Held>::with(()).given(events);
        given(vec![])
            .when(HeldCommand::Hold(webhook()))
            .then_expect_events(vec![held.clone()]);
        given(vec![])
            .when(mark.clone())
            .then_expect_error(HeldError::NotHeld);
        given(vec![held.clone()])
            .when(mark.clone())
            .then_expect_events(vec![routed.clone()]);
        given(vec![held, routed])
            .when(mark)
            .then_expect_error(HeldError::AlreadyRouted);
    }

    #[test]
    fn a_body_is_kept_to_the_byte() {
        let hex = |bytes: &[u8]| format!("{bytes:02x?}");
        assert_eq!(HeldBody::new(b"{", hex), HeldBody::Text("{".into()));
        assert!(matches!(HeldBody::new(b"\xff", hex), HeldBody::Hex(_)));
        assert!(matches!(HeldBody::new(b"a\0", hex), HeldBody::Hex(_)));
    }
}
