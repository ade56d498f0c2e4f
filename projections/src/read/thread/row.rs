//! Rows of `thread_items` that are to be written.

use chrono::{DateTime, Utc};
use docket_domain::case::{Author, CaseEvent, InboundMessage, OutboundMessage, Reaction};
use docket_domain::contact::profile::{OptOutCause, OptOutChange};
use docket_domain::content::Content;
use docket_domain::delivery::Status;
use docket_domain::ids::Reference;
use docket_domain::routing::Routed;
use docket_domain::text::search;
use serde_json::json;
use uuid::Uuid;

use crate::log::recorded::Recorded;
use crate::read::writes::row;

row! {
    /// A new item. A kind leaves empty what it does not speak of.
    pub(crate) struct NewThreadItem = "new_thread_item" {
        reference: i32,
        sequence: i64,
        item_part: i16,
        kind: &'static str,
        /// When it happened; `None` for the time of recording.
        at: Option<DateTime<Utc>>,
        recorded_at: DateTime<Utc>,
        author_kind: &'static str,
        author_id: Option<Uuid>,
        author_email: Option<String>,
        message_id: Option<Uuid>,
        direction: Option<&'static str>,
        channel: Option<&'static str>,
        line_id: Option<Uuid>,
        said: Option<String>,
        /// JSON.
        content: Option<String>,
        sent_text: Option<String>,
        provider_id: Option<String>,
        quotes: Option<String>,
        rule: Option<&'static str>,
        rule_references: Option<Vec<i32>>,
        delivery: Option<&'static str>,
        delivery_reason: Option<String>,
        delivery_code: Option<i32>,
        delivery_at: Option<DateTime<Utc>>,
        attempt: Option<i32>,
        other: Option<i32>,
        before: Option<String>,
        value: Option<String>,
        closed: Option<bool>,
        comment: Option<String>,
        note_id: Option<Uuid>,
        hidden: bool,
        question: Option<String>,
        /// What a search finds of it, as [`search::index`] gives it.
        words: Option<String>,
        at_is_arrival: bool,
        rule_foreign: bool,
        /// The emoji: empty where it could not be read, `None` where it was taken off.
        reaction: Option<String>,
        reaction_at: Option<DateTime<Utc>>,
        reaction_from: Option<String>,
        /// JSON.
        template: Option<String>,
    }
}

row! {
    /// What is now known of a message's delivery. All of it replaces what was known, but for an absent attempt, line and id of Vonage's.
    pub(crate) struct DeliveryChange = "delivery_change" {
        reference: i32,
        message_id: Uuid,
        delivery: &'static str,
        delivery_reason: Option<String>,
        delivery_code: Option<i32>,
        delivery_at: Option<DateTime<Utc>>,
        /// The attempt, where the event says which one the message is at.
        attempt: Option<i32>,
        /// Vonage's id, where it became known.
        provider_id: Option<String>,
        /// The line, where a new attempt goes out from one.
        line_id: Option<Uuid>,
    }
}

/// A reaction to a message.
#[derive(Clone, Debug)]
pub(super) struct Reacted {
    /// The emoji: empty where it could not be read, `None` where it was taken off.
    pub(super) emoji: Option<String>,
    pub(super) at: DateTime<Utc>,
    pub(super) from: String,
}

impl From<&Reaction> for Reacted {
    fn from(reaction: &Reaction) -> Self {
        let emoji = reaction.emoji.as_ref().map(|emoji| emoji.0.clone());
        Self {
            emoji: (!reaction.removed).then(|| emoji.unwrap_or_default()),
            at: reaction.at,
            from: reaction.from.0.clone(),
        }
    }
}

/// Attempts and codes are small; one that is not is shown as the largest.
pub(super) fn to_i32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl DeliveryChange {
    fn to(status: Status) -> Self {
        Self {
            delivery: status.as_str(),
            ..Self::default()
        }
    }

    /// What is known when `newer` comes after `self`.
    pub(super) fn then(&mut self, newer: Self) {
        *self = Self {
            attempt: newer.attempt.or(self.attempt),
            line_id: newer.line_id.or(self.line_id),
            provider_id: newer.provider_id.or(self.provider_id.take()),
            ..newer
        };
    }

    /// What the event says of the delivery of a message in that case, where it says anything.
    pub(super) fn of(reference: Reference, event: &CaseEvent) -> Option<Self> {
        let (message_id, change) = match event {
            CaseEvent::MessageSending { message_id, .. } => (message_id, Self::to(Status::Sending)),
            CaseEvent::MessageDeferred {
                message_id, reason, ..
            } => (
                message_id,
                Self {
                    delivery_reason: Some(reason.clone()),
                    ..Self::to(Status::Queued)
                },
            ),
            CaseEvent::MessageSent {
                message_id,
                attempt,
                provider_id,
            } => (
                message_id,
                Self {
                    attempt: Some(to_i32(*attempt)),
                    provider_id: provider_id.clone(),
                    ..Self::to(Status::Sent)
                },
            ),
            CaseEvent::MessageDelivered { message_id, at, .. } => (
                message_id,
                Self {
                    delivery_at: Some(*at),
                    ..Self::to(Status::Delivered)
                },
            ),
            CaseEvent::MessageRead { message_id, at, .. } => (
                message_id,
                Self {
                    delivery_at: Some(*at),
                    ..Self::to(Status::Read)
                },
            ),
            CaseEvent::MessageFailed {
                message_id,
                code,
                reason,
                ..
            } => (
                message_id,
                Self {
                    delivery_reason: Some(reason.clone()),
                    delivery_code: code.map(to_i32),
                    ..Self::to(Status::Failed)
                },
            ),
            CaseEvent::MessageUncertain {
                message_id, reason, ..
            } => (
                message_id,
                Self {
                    delivery_reason: Some(reason.clone()),
                    ..Self::to(Status::Uncertain)
                },
            ),
            CaseEvent::MessageRequeued { message, attempt } => (
                &message.message_id,
                Self {
                    attempt: Some(to_i32(*attempt)),
                    line_id: Some(message.line_id.0),
                    ..Self::to(Status::Queued)
                },
            ),
            _ => return None,
        };
        Some(Self {
            reference: reference.as_i32(),
            message_id: message_id.0,
            ..change
        })
    }
}

impl NewThreadItem {
    pub(super) fn new(reference: Reference, recorded: &Recorded, kind: &'static str) -> Self {
        let actor = &recorded.metadata.actor;
        Self {
            reference: reference.as_i32(),
            sequence: recorded.sequence.cast_signed(),
            kind,
            recorded_at: recorded.recorded_at,
            author_kind: actor.kind(),
            author_id: actor.user_id().map(|id| id.0),
            author_email: actor.email().map(str::to_owned),
            ..Self::default()
        }
    }

    pub(super) fn by(mut self, author: &Author) -> Self {
        match author {
            Author::User { user_id, email } => {
                self.author_kind = "user";
                self.author_id = Some(user_id.0);
                self.author_email = Some(email.0.clone());
            }
            Author::Automatic { occasion } => {
                self = self.by_nobody(if occasion.is_several_cases() {
                    "automatic"
                } else {
                    occasion.as_str()
                });
                self.value = occasion.date().map(|date| date.to_string());
            }
            Author::OptOutConfirmation => self = self.by_nobody("opt_out_confirmation"),
        }
        self
    }

    pub(super) fn by_nobody(mut self, author_kind: &'static str) -> Self {
        self.author_kind = author_kind;
        self.author_id = None;
        self.author_email = None;
        self
    }

    pub(super) fn inbound(self, message: &InboundMessage, routed: &Routed) -> Self {
        let is_text = matches!(message.content.0, Content::Text { .. });
        let content = (!is_text).then(|| {
            serde_json::to_string(&message.content.0).expect("its maps have strings as keys")
        });
        Self {
            at: Some(message.at),
            at_is_arrival: message.at_is_arrival,
            message_id: Some(message.message_id.0),
            direction: Some("inbound"),
            channel: Some(message.channel.as_str()),
            line_id: Some(message.line_id.0),
            said: message.content.said().map(str::to_owned),
            words: search::index(message.content.words()),
            content,
            provider_id: Some(message.provider_id.clone()),
            quotes: message.quotes.clone(),
            ..self.routed(routed).by_nobody("contact")
        }
    }

    fn routed(self, routed: &Routed) -> Self {
        let references = routed.references.iter().map(|r| r.as_i32());
        Self {
            rule: Some(routed.rule.as_str()),
            rule_references: Some(references.collect()),
            rule_foreign: routed.foreign_reference,
            ..self
        }
    }

    /// A reaction to a message that is not known, as an item of its own.
    pub(super) fn with_reaction(self, reaction: &Reaction, routed: &Routed) -> Self {
        let mut item = Self {
            at: Some(reaction.at),
            channel: Some(reaction.channel.as_str()),
            line_id: Some(reaction.line_id.0),
            provider_id: Some(reaction.provider_id.clone()),
            quotes: reaction.target_provider_id.clone(),
            ..self.routed(routed).by_nobody("contact")
        };
        item.react(reaction.into());
        item
    }

    pub(super) fn outbound(self, message: &OutboundMessage) -> Self {
        let sent = &message.sent_text;
        let file = message.media.as_deref();
        let name = file.and_then(|file| file.file.name.as_ref());
        let words = std::iter::once(message.text.as_str()).chain(name.map(|name| name.as_str()));
        Self {
            message_id: Some(message.message_id.0),
            direction: Some("outbound"),
            channel: Some(message.channel.as_str()),
            line_id: Some(message.line_id.0),
            said: Some(message.text.0.clone()),
            words: search::index(words),
            content: file.map(|file| json!({ "type": file.kind.as_str() }).to_string()),
            sent_text: (*sent != message.text).then(|| sent.0.clone()),
            delivery: Some(Status::Queued.as_str()),
            attempt: Some(1),
            template: message
                .template
                .as_ref()
                .map(|template| serde_json::to_string(template).expect("strings serialise")),
            ..self.by(&message.author)
        }
    }

    /// That the contact opted out on a channel, or in again: `closed` says which, `value` what made them.
    pub(super) fn opt_out(self, change: &OptOutChange) -> Self {
        let reason = change.reason.as_ref().map(|reason| reason.0.clone());
        let item = match change.cause {
            OptOutCause::Message { .. } => self.by_nobody("contact"),
            OptOutCause::Vonage { .. } => self.by_nobody("vonage"),
            OptOutCause::Person => self,
        };
        Self {
            channel: Some(change.channel.as_str()),
            closed: Some(change.opted_out),
            value: Some(change.cause.as_str().to_owned()),
            words: search::index(reason.as_deref()),
            comment: reason,
            ..item
        }
    }

    /// Replaces the reaction by a newer one, as [`Case`](docket_domain::case::Case) does.
    pub(super) fn react(&mut self, newer: Reacted) {
        if self.reaction_at.is_none_or(|known| known <= newer.at) {
            self.reaction = newer.emoji;
            self.reaction_at = Some(newer.at);
            self.reaction_from = Some(newer.from);
        }
    }

    /// Takes in what became known of the delivery after the item was made.
    pub(super) fn deliver(&mut self, newer: DeliveryChange) {
        self.delivery = Some(newer.delivery);
        self.delivery_reason = newer.delivery_reason;
        self.delivery_code = newer.delivery_code;
        self.delivery_at = newer.delivery_at;
        self.attempt = newer.attempt.or(self.attempt);
        self.line_id = newer.line_id.or(self.line_id);
        if newer.provider_id.is_some() {
            self.provider_id = newer.provider_id;
        }
    }
}
