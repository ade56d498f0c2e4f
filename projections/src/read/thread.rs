//! Threads: what happened in each case, in order, in the words that people see.
//!
//! An item is known by the case, the sequence of the event that gave it, and a part, because one event can give two items. A
//! message that is moved out stays as a hidden row, so that undoing the move shows it where it stood.
//!
//! To add a kind of item: its columns in [`ThreadHandler`], a variant of [`What`], and its reading back in [`RawItem`].

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use chrono::{DateTime, Utc};
use docket_domain::case::{Author, CaseEvent, InboundMessage, OutboundMessage, Reaction};
use docket_domain::channel::Channel;
use docket_domain::content::Content;
use docket_domain::delivery::Status;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{LineId, MessageId, NoteId, Reference, UserId};
use docket_domain::json::read_stored;
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use docket_domain::text::search;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Projection;
use super::rows::{Row, array_text, column};
use crate::log::recorded::{Actor, Recorded};

/// Builds `thread_items`.
#[derive(Debug, Default)]
pub struct ThreadHandler {
    /// Items since the last flush.
    items: Vec<NewItem>,
    /// Where the newest item of a message stands among them, by case and message.
    newest: HashMap<(i32, Uuid), usize>,
    /// What is now known of messages whose items were written before.
    deliveries: BTreeMap<(i32, Uuid), Delivered>,
    /// What Vonage calls attempts of messages whose items were written before, by case, message and attempt. It is shown of the
    /// attempt that the row is at, before what `deliveries` say.
    identified: BTreeMap<(i32, Uuid, i32), String>,
    /// Whether messages whose items were written before are hidden now.
    hidden: BTreeMap<(i32, Uuid), bool>,
    /// The newest reactions to messages whose items were written before.
    reacted: BTreeMap<(i32, Uuid), Reacted>,
}

/// A row of `thread_items` that is to be written; what a kind does not speak of is empty.
#[derive(Debug, Default)]
pub struct NewItem {
    pub(super) reference: i32,
    pub(super) sequence: i64,
    pub(super) part: i16,
    pub(super) kind: &'static str,
    pub(super) at: DateTime<Utc>,
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) author_kind: &'static str,
    pub(super) author_id: Option<Uuid>,
    pub(super) author_email: Option<String>,
    pub(super) message_id: Option<Uuid>,
    pub(super) direction: Option<&'static str>,
    pub(super) channel: Option<&'static str>,
    pub(super) line_id: Option<Uuid>,
    pub(super) said: Option<String>,
    /// What a search finds of it, as [`search::index`] gives it.
    pub(super) words: Option<String>,
    pub(super) content: Option<String>,
    pub(super) sent_text: Option<String>,
    pub(super) provider_id: Option<String>,
    pub(super) quotes: Option<String>,
    pub(super) rule: Option<&'static str>,
    pub(super) rule_references: Option<String>,
    pub(super) delivery: Option<Delivered>,
    pub(super) other: Option<i32>,
    pub(super) before: Option<String>,
    pub(super) value: Option<String>,
    pub(super) closed: Option<bool>,
    pub(super) comment: Option<String>,
    pub(super) note_id: Option<Uuid>,
    pub(super) hidden: bool,
    pub(super) question: Option<String>,
    pub(super) at_is_arrival: bool,
    pub(super) rule_foreign: bool,
    pub(super) reacted: Option<Reacted>,
}

/// A reaction as a row has it.
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

/// Replaces a reaction by a newer one, as [`Case`](docket_domain::case::Case) does.
fn react(known: &mut Option<Reacted>, newer: Reacted) {
    if known.as_ref().is_none_or(|known| known.at <= newer.at) {
        *known = Some(newer);
    }
}

/// What an event says of a message's delivery; all of it replaces what was known, except where it is optional on purpose.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) code: Option<i32>,
    pub(super) at: Option<DateTime<Utc>>,
    /// The attempt, where the event says which one the message is at.
    pub(super) attempt: Option<i32>,
    /// The line, where a new attempt goes out from one.
    pub(super) line_id: Option<Uuid>,
    /// Vonage's id, where it became known.
    pub(super) provider_id: Option<String>,
}

impl Delivered {
    const fn status(status: Status) -> Self {
        Self {
            status,
            reason: None,
            code: None,
            at: None,
            attempt: None,
            line_id: None,
            provider_id: None,
        }
    }

    /// What is known when `newer` comes after `self`.
    fn then(&mut self, newer: Self) {
        let attempt = newer.attempt.or(self.attempt);
        let line_id = newer.line_id.or(self.line_id);
        let provider_id = newer.provider_id.clone().or(self.provider_id.take());
        *self = Self {
            attempt,
            line_id,
            provider_id,
            ..newer
        };
    }

    /// The message and what the event says of its delivery, where it says anything.
    fn of(event: &CaseEvent) -> Option<(MessageId, Self)> {
        let (message_id, delivered) = match event {
            CaseEvent::MessageSending { message_id, .. } => {
                (message_id, Self::status(Status::Sending))
            }
            CaseEvent::MessageDeferred {
                message_id, reason, ..
            } => (
                message_id,
                Self {
                    reason: Some(reason.clone()),
                    ..Self::status(Status::Queued)
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
                    ..Self::status(Status::Sent)
                },
            ),
            CaseEvent::MessageDelivered { message_id, at, .. } => (
                message_id,
                Self {
                    at: Some(*at),
                    ..Self::status(Status::Delivered)
                },
            ),
            CaseEvent::MessageRead { message_id, at, .. } => (
                message_id,
                Self {
                    at: Some(*at),
                    ..Self::status(Status::Read)
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
                    reason: Some(reason.clone()),
                    code: code.map(to_i32),
                    ..Self::status(Status::Failed)
                },
            ),
            CaseEvent::MessageUncertain {
                message_id, reason, ..
            } => (
                message_id,
                Self {
                    reason: Some(reason.clone()),
                    ..Self::status(Status::Uncertain)
                },
            ),
            CaseEvent::MessageRequeued { message, attempt } => (
                &message.message_id,
                Self {
                    attempt: Some(to_i32(*attempt)),
                    line_id: Some(message.line_id.0),
                    ..Self::status(Status::Queued)
                },
            ),
            _ => return None,
        };
        Some((*message_id, delivered))
    }
}

/// What a search finds of a comment.
fn words_of(comment: Option<&Personal<String>>) -> Option<String> {
    search::index(comment.map(|comment| comment.as_str()))
}

/// Attempts and codes are small; one that is not is shown as the largest.
fn to_i32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl NewItem {
    fn new(reference: Reference, recorded: &Recorded, kind: &'static str) -> Self {
        let actor = &recorded.metadata.actor;
        Self {
            reference: reference.as_i32(),
            sequence: recorded.sequence.cast_signed(),
            kind,
            at: recorded.recorded_at,
            recorded_at: recorded.recorded_at,
            author_kind: actor.kind(),
            author_id: actor.user_id().map(|id| id.0),
            author_email: actor.email().map(str::to_owned),
            ..Self::default()
        }
    }

    fn by(mut self, author: &Author) -> Self {
        match author {
            Author::User { user_id, email } => {
                self.author_kind = "user";
                self.author_id = Some(user_id.0);
                self.author_email = Some(email.0.clone());
            }
            Author::Automatic => self = self.by_nobody("automatic"),
        }
        self
    }

    fn by_nobody(mut self, author_kind: &'static str) -> Self {
        self.author_kind = author_kind;
        self.author_id = None;
        self.author_email = None;
        self
    }

    fn inbound(self, message: &InboundMessage, routed: &Routed) -> Self {
        let is_text = matches!(message.content.0, Content::Text { .. });
        let content = (!is_text).then(|| {
            serde_json::to_string(&message.content.0).expect("its maps have strings as keys")
        });
        Self {
            at: message.at,
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
            rule_references: Some(array_text(references)),
            rule_foreign: routed.foreign_reference,
            ..self
        }
    }

    /// A reaction to a message that is not known, as an item of its own.
    fn reaction(self, reaction: &Reaction, routed: &Routed) -> Self {
        Self {
            at: reaction.at,
            channel: Some(reaction.channel.as_str()),
            line_id: Some(reaction.line_id.0),
            provider_id: Some(reaction.provider_id.clone()),
            quotes: reaction.target_provider_id.clone(),
            reacted: Some(reaction.into()),
            ..self.routed(routed).by_nobody("contact")
        }
    }

    fn outbound(self, message: &OutboundMessage) -> Self {
        let sent = &message.sent_text;
        Self {
            message_id: Some(message.message_id.0),
            direction: Some("outbound"),
            channel: Some(message.channel.as_str()),
            line_id: Some(message.line_id.0),
            said: Some(message.text.0.clone()),
            words: search::index([message.text.as_str()]),
            sent_text: (*sent != message.text).then(|| sent.0.clone()),
            delivery: Some(Delivered {
                attempt: Some(1),
                ..Delivered::status(Status::Queued)
            }),
            ..self.by(&message.author)
        }
    }
}

impl ThreadHandler {
    fn add_message(&mut self, item: NewItem) {
        if let Some(message_id) = item.message_id {
            self.newest
                .insert((item.reference, message_id), self.items.len());
        }
        self.items.push(item);
    }

    fn set_hidden(&mut self, reference: Reference, message_id: MessageId, hidden: bool) {
        let key = (reference.as_i32(), message_id.0);
        match self.newest.get(&key) {
            Some(index) => self.items[*index].hidden = hidden,
            None => {
                self.hidden.insert(key, hidden);
            }
        }
    }

    fn set_reaction(&mut self, reference: Reference, message_id: MessageId, reaction: &Reaction) {
        let key = (reference.as_i32(), message_id.0);
        if let Some(index) = self.newest.get(&key) {
            react(&mut self.items[*index].reacted, reaction.into());
            return;
        }
        let mut known = self.reacted.remove(&key);
        react(&mut known, reaction.into());
        self.reacted.extend(known.map(|known| (key, known)));
    }

    fn set_delivery(
        &mut self,
        reference: Reference,
        message_id: MessageId,
        mut delivered: Delivered,
    ) {
        let key = (reference.as_i32(), message_id.0);
        let Some(index) = self.newest.get(&key) else {
            self.deliveries
                .entry(key)
                .and_modify(|known| known.then(delivered.clone()))
                .or_insert(delivered);
            return;
        };
        let item = &mut self.items[*index];
        if let Some(provider_id) = delivered.provider_id.take() {
            item.provider_id = Some(provider_id);
        }
        if let Some(line_id) = delivered.line_id.take() {
            item.line_id = Some(line_id);
        }
        match &mut item.delivery {
            Some(known) => known.then(delivered),
            None => item.delivery = Some(delivered),
        }
    }

    /// The item shows what Vonage calls the newest attempt; what it calls an earlier one is found in `messages`.
    fn set_provider_id(
        &mut self,
        reference: Reference,
        message_id: MessageId,
        attempt: i32,
        provider_id: &str,
    ) {
        let key = (reference.as_i32(), message_id.0);
        if let Some(index) = self.newest.get(&key) {
            let item = &mut self.items[*index];
            let newest = item.delivery.as_ref().and_then(|known| known.attempt);
            if newest == Some(attempt) {
                item.provider_id = Some(provider_id.to_owned());
            }
            return;
        }
        match self.deliveries.get_mut(&key) {
            Some(known) if known.attempt.is_some() => {
                if known.attempt == Some(attempt) {
                    known.provider_id = Some(provider_id.to_owned());
                }
            }
            _ => {
                self.identified
                    .insert((key.0, key.1, attempt), provider_id.to_owned());
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    fn apply_to_case(&mut self, reference: Reference, recorded: &Recorded, event: &CaseEvent) {
        let new = |kind| NewItem::new(reference, recorded, kind);
        match event {
            CaseEvent::CaseOpened(opened) => {
                let item = match recorded.metadata.actor {
                    Actor::Vonage => new("opened").by_nobody("contact"),
                    Actor::User { .. } | Actor::System => new("opened"),
                };
                self.items.push(NewItem {
                    said: Some(opened.title.0.clone()),
                    words: search::index([opened.title.as_str()]),
                    other: opened.follows.map(Reference::as_i32),
                    ..item
                });
            }
            CaseEvent::MessageReceived { message, routed } => {
                self.add_message(new("message").inbound(message, routed));
            }
            CaseEvent::ReactionReceived { reaction, routed } => match reaction.message_id {
                Some(message_id) => self.set_reaction(reference, message_id, reaction),
                None => self.items.push(new("reaction").reaction(reaction, routed)),
            },
            CaseEvent::MessageQueued(message) => self.add_message(new("message").outbound(message)),
            CaseEvent::NoteAdded {
                note_id,
                author,
                text,
            } => self.items.push(NewItem {
                said: Some(text.0.clone()),
                words: search::index([text.as_str()]),
                note_id: Some(note_id.0),
                ..new("note").by(author)
            }),
            CaseEvent::StatusChanged {
                question,
                from,
                to,
                closed,
            } => self.items.push(NewItem {
                question: question.clone(),
                before: from.clone(),
                value: Some(to.clone()),
                closed: Some(*closed),
                ..new("status")
            }),
            CaseEvent::AssigneeChanged { from, to } => self.items.push(NewItem {
                before: from.as_ref().map(|assignee| assignee.email.0.clone()),
                value: to.as_ref().map(|assignee| assignee.email.0.clone()),
                ..new("assigned")
            }),
            CaseEvent::TitleChanged { from, to } => self.items.push(NewItem {
                before: Some(from.0.clone()),
                said: Some(to.0.clone()),
                words: search::index([to.as_str()]),
                ..new("renamed")
            }),
            CaseEvent::MessageMovedOut {
                message_id,
                to,
                comment,
                ..
            } => {
                self.set_hidden(reference, *message_id, true);
                self.items.push(NewItem {
                    other: Some(to.as_i32()),
                    message_id: Some(message_id.0),
                    comment: comment.as_ref().map(|comment| comment.0.clone()),
                    words: words_of(comment.as_ref()),
                    ..new("moved_out")
                });
            }
            CaseEvent::MessageMovedIn {
                message,
                from,
                comment,
                reaction,
                ..
            } => {
                self.items.push(NewItem {
                    other: Some(from.as_i32()),
                    message_id: Some(message.message_id.0),
                    comment: comment.as_ref().map(|comment| comment.0.clone()),
                    words: words_of(comment.as_ref()),
                    ..new("moved_in")
                });
                let routed = Routed::new(Rule::Moved, vec![*from]);
                let item = new("message").inbound(message, &routed);
                self.add_message(NewItem {
                    part: 1,
                    reacted: reaction.as_deref().map(Reacted::from),
                    ..item
                });
            }
            CaseEvent::MessageRemovedElsewhere {
                message_id,
                from,
                comment,
            } => self.items.push(NewItem {
                other: Some(from.as_i32()),
                message_id: Some(message_id.0),
                comment: comment.as_ref().map(|comment| comment.0.clone()),
                words: words_of(comment.as_ref()),
                ..new("removed_elsewhere")
            }),
            CaseEvent::MoveUndone { message_id, to, .. } => {
                self.set_hidden(reference, *message_id, true);
                self.items.push(NewItem {
                    other: Some(to.as_i32()),
                    message_id: Some(message_id.0),
                    ..new("moved_out")
                });
            }
            CaseEvent::MessageReturned {
                message_id,
                from,
                reaction,
            } => {
                self.set_hidden(reference, *message_id, false);
                if let Some(reaction) = reaction {
                    self.set_reaction(reference, *message_id, reaction);
                }
                self.items.push(NewItem {
                    other: Some(from.as_i32()),
                    message_id: Some(message_id.0),
                    ..new("moved_in")
                });
            }
            CaseEvent::MessageIdentified {
                message_id,
                attempt,
                provider_id,
            } => self.set_provider_id(reference, *message_id, to_i32(*attempt), provider_id),
            CaseEvent::MessageSending { .. }
            | CaseEvent::MessageDeferred { .. }
            | CaseEvent::MessageSent { .. }
            | CaseEvent::MessageDelivered { .. }
            | CaseEvent::MessageRead { .. }
            | CaseEvent::MessageFailed { .. }
            | CaseEvent::MessageUncertain { .. }
            | CaseEvent::MessageRequeued { .. } => {
                if let Some((message_id, delivered)) = Delivered::of(event) {
                    self.set_delivery(reference, message_id, delivered);
                }
            }
        }
    }
}

impl Projection for ThreadHandler {
    const NAME: &'static str = "thread";
    const VERSION: i32 = 3;
    const TABLES: &'static [&'static str] = &["thread_items"];
    type Rows = Vec<NewItem>;

    fn apply(&mut self, recorded: &Recorded) {
        if let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, &recorded.event)
        {
            self.apply_to_case(reference, recorded, event);
        }
    }

    async fn flush(&mut self, conn: &mut PgConnection) -> Result<Self::Rows, sqlx::Error> {
        let Self {
            items,
            deliveries,
            identified,
            hidden,
            reacted,
            ..
        } = std::mem::take(self);
        // Before new items are written: one of them may be the same message, moved in again.
        if !hidden.is_empty() {
            write_hidden(conn, &hidden.into_iter().collect::<Vec<_>>()).await?;
        }
        if !reacted.is_empty() {
            write_reactions(conn, &reacted.into_iter().collect::<Vec<_>>()).await?;
        }
        if !identified.is_empty() {
            write_provider_ids(conn, &identified.into_iter().collect::<Vec<_>>()).await?;
        }
        if !deliveries.is_empty() {
            write_deliveries(conn, &deliveries.into_iter().collect::<Vec<_>>()).await?;
        }
        Ok(items)
    }
}

async fn write_hidden(
    conn: &mut PgConnection,
    rows: &[((i32, Uuid), bool)],
) -> Result<(), sqlx::Error> {
    // A message that came and went more than once has several items; only the newest can be seen, or be seen again.
    sqlx::query!(
        "UPDATE thread_items t SET hidden = u.hidden
         FROM UNNEST($1::integer[], $2::uuid[], $3::boolean[]) AS u (reference, message_id, hidden)
         WHERE t.reference = u.reference AND t.message_id = u.message_id AND t.kind = 'message'
             AND t.sequence = (
                 SELECT max(i.sequence) FROM thread_items i
                 WHERE i.reference = u.reference AND i.message_id = u.message_id AND i.kind = 'message'
             )",
        &column(rows, |((reference, _), _)| *reference),
        &column(rows, |((_, message_id), _)| *message_id),
        &column(rows, |(_, hidden)| *hidden),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_reactions(
    conn: &mut PgConnection,
    rows: &[((i32, Uuid), Reacted)],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE thread_items t SET reaction = u.reaction, reaction_at = u.at, reaction_from = u.sender
         FROM UNNEST($1::integer[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[])
             AS u (reference, message_id, reaction, at, sender)
         WHERE t.reference = u.reference AND t.message_id = u.message_id AND t.kind = 'message'
             AND (t.reaction_at IS NULL OR t.reaction_at <= u.at)
             AND t.sequence = (
                 SELECT max(i.sequence) FROM thread_items i
                 WHERE i.reference = u.reference AND i.message_id = u.message_id AND i.kind = 'message'
             )",
        &column(rows, |((reference, _), _)| *reference),
        &column(rows, |((_, message_id), _)| *message_id),
        &column(rows, |(_, known)| known.emoji.as_deref()) as _,
        &column(rows, |(_, known)| known.at),
        &column(rows, |(_, known)| known.from.as_str()) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_provider_ids(
    conn: &mut PgConnection,
    rows: &[((i32, Uuid, i32), String)],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE thread_items t SET provider_id = u.provider_id
         FROM UNNEST($1::integer[], $2::uuid[], $3::integer[], $4::text[])
             AS u (reference, message_id, attempt, provider_id)
         WHERE t.message_id = u.message_id AND t.direction = 'outbound' AND t.reference = u.reference
             AND t.attempt = u.attempt",
        &column(rows, |((reference, ..), _)| *reference),
        &column(rows, |((_, message_id, _), _)| *message_id),
        &column(rows, |((.., attempt), _)| *attempt),
        &column(rows, |(_, provider_id)| provider_id.as_str()) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_deliveries(
    conn: &mut PgConnection,
    rows: &[((i32, Uuid), Delivered)],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE thread_items t SET
             delivery = u.delivery, delivery_reason = u.reason, delivery_code = u.code, delivery_at = u.at,
             attempt = COALESCE(u.attempt, t.attempt), provider_id = COALESCE(u.provider_id, t.provider_id),
             line_id = COALESCE(u.line_id, t.line_id)
         FROM UNNEST($1::integer[], $2::uuid[], $3::text[], $4::text[], $5::integer[], $6::timestamptz[],
             $7::integer[], $8::text[], $9::uuid[])
             AS u (reference, message_id, delivery, reason, code, at, attempt, provider_id, line_id)
         WHERE t.message_id = u.message_id AND t.direction = 'outbound' AND t.reference = u.reference",
        &column(rows, |((reference, _), _)| *reference),
        &column(rows, |((_, message_id), _)| *message_id),
        &column(rows, |(_, known)| known.status.as_str()) as _,
        &column(rows, |(_, known)| known.reason.as_deref()) as _,
        &column(rows, |(_, known)| known.code) as _,
        &column(rows, |(_, known)| known.at) as _,
        &column(rows, |(_, known)| known.attempt) as _,
        &column(rows, |(_, known)| known.provider_id.as_deref()) as _,
        &column(rows, |(_, known)| known.line_id) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Where an item stands in its thread; items are ordered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The sequence of the event that gave it.
    pub sequence: u64,
    /// Which of that event's items it is, from 0.
    pub part: u8,
}

/// One thing that happened in a case.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadItem {
    /// Where it stands in the thread.
    pub place: Place,
    /// When it happened: Vonage's time of a message that came in, the time of recording of all else.
    pub at: DateTime<Utc>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Who did or said it.
    pub author: ItemAuthor,
    /// What it is.
    pub what: What,
    /// Of a message: the contact's reaction to it, unless it was taken off. Of a reaction that is an item of its own: what it is,
    /// where it was not taken off.
    pub reaction: Option<ItemReaction>,
}

/// A reaction of the contact's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemReaction {
    /// The emoji; `None` where it could not be read.
    pub emoji: Option<Personal<String>>,
    /// Vonage's time.
    pub at: DateTime<Utc>,
    /// The number it came from.
    pub from: Personal<String>,
}

/// Who did or said something in a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemAuthor {
    /// A person who signed in.
    User {
        /// Their id.
        user_id: UserId,
        /// Their address at that time.
        email: Personal<String>,
    },
    /// The automatic reply.
    Automatic,
    /// The contact.
    Contact,
    /// Vonage.
    Vonage,
    /// Docket itself, or somebody at its command line.
    System,
}

impl ItemAuthor {
    /// `user`, `automatic`, `contact`, `vonage` or `system`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Automatic => "automatic",
            Self::Contact => "contact",
            Self::Vonage => "vonage",
            Self::System => "system",
        }
    }

    /// A person's address, and what kind of author any other is.
    pub fn name(&self) -> &str {
        match self {
            Self::User { email, .. } => email,
            other => other.kind(),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The case began.
    Opened {
        /// Its title then.
        title: Personal<String>,
        /// The closed case that it follows.
        follows: Option<Reference>,
    },
    /// The contact said something.
    Inbound(Box<Inbound>),
    /// We said something.
    Outbound(Box<Outbound>),
    /// Somebody wrote a note.
    Note {
        /// The note.
        note_id: NoteId,
        /// What it says.
        text: Personal<String>,
    },
    /// The answer to the status question changed.
    Status {
        /// The question as it was asked then; `None` where the event does not say.
        question: Option<String>,
        /// The answer before.
        before: Option<String>,
        /// The answer from then on.
        value: String,
        /// Whether it closed the case.
        closed: bool,
    },
    /// Somebody else, or nobody, was to see to the case.
    Assigned {
        /// The address of who it was.
        before: Option<Personal<String>>,
        /// The address of who it was from then on.
        to: Option<Personal<String>>,
    },
    /// The case got another title.
    Renamed {
        /// The title before.
        before: Personal<String>,
        /// The title from then on.
        title: Personal<String>,
    },
    /// A message left for another case, or went back there.
    MovedOut {
        /// The message.
        message_id: MessageId,
        /// Where it went.
        to: Reference,
        /// What the agent said of it.
        comment: Option<Personal<String>>,
    },
    /// The contact reacted to a message that is not known, or took such a reaction off.
    Reaction {
        /// Vonage's id of that message, where Vonage said it.
        target_provider_id: Option<String>,
        /// Why it stands here.
        routed: Routed,
    },
    /// A message that stands here left another case, in which it stood too.
    RemovedElsewhere {
        /// The message.
        message_id: MessageId,
        /// The case that it left.
        from: Reference,
        /// What the agent said of it.
        comment: Option<Personal<String>>,
    },
    /// A message came from another case, or came back from there.
    MovedIn {
        /// The message.
        message_id: MessageId,
        /// Where it came from.
        from: Reference,
        /// What the agent said of it.
        comment: Option<Personal<String>>,
    },
}

impl What {
    /// The kind's name in the API: `opened`, `message`, `reaction`, `note`, `status`, `assigned`, `renamed`, `moved_out`, `moved_in`
    /// or `removed_elsewhere`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Inbound(_) | Self::Outbound(_) => "message",
            Self::Note { .. } => "note",
            Self::Status { .. } => "status",
            Self::Assigned { .. } => "assigned",
            Self::Renamed { .. } => "renamed",
            Self::MovedOut { .. } => "moved_out",
            Self::MovedIn { .. } => "moved_in",
            Self::RemovedElsewhere { .. } => "removed_elsewhere",
            Self::Reaction { .. } => "reaction",
        }
    }
}

/// A message of the contact's.
#[derive(Clone, Debug, PartialEq)]
pub struct Inbound {
    /// Our id of it.
    pub message_id: MessageId,
    /// How it came.
    pub channel: Channel,
    /// The line it came in on.
    pub line_id: LineId,
    /// What it carries.
    pub content: Personal<Content>,
    /// Vonage's id of it.
    pub provider_id: String,
    /// Whether its time is that of its arrival, since Vonage's could not be read.
    pub at_is_arrival: bool,
    /// Vonage's id of the message that it quotes.
    pub quotes: Option<String>,
    /// Why it stands here.
    pub routed: Routed,
}

/// A message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// Our id of it.
    pub message_id: MessageId,
    /// How it goes.
    pub channel: Channel,
    /// The line it goes out from.
    pub line_id: LineId,
    /// What was written.
    pub text: Personal<String>,
    /// What is sent: the text with the reference appended.
    pub sent_text: Personal<String>,
    /// What is known of its delivery.
    pub delivery: Delivery,
}

/// What is known of a message's delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How far it has come.
    pub status: Status,
    /// Why it failed, is uncertain, or has to wait.
    pub reason: Option<String>,
    /// Vonage's error code, where it failed with one.
    pub code: Option<u32>,
    /// Vonage's time of its arrival or of its being read.
    pub at: Option<DateTime<Utc>>,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Vonage's id of it, once it is known; of several attempts, a later one's.
    pub provider_id: Option<String>,
}

/// An item's key, as an error names it.
#[derive(Clone, Copy)]
struct ItemKey {
    reference: i32,
    sequence: i64,
    part: i16,
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.reference, self.sequence, self.part)
    }
}

/// A row of `thread_items`, as the queries give it.
struct RawItem {
    reference: i32,
    sequence: i64,
    part: i16,
    kind: String,
    at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    author_kind: String,
    author_id: Option<Uuid>,
    author_email: Option<String>,
    message_id: Option<Uuid>,
    direction: Option<String>,
    channel: Option<String>,
    line_id: Option<Uuid>,
    said: Option<String>,
    content: Option<String>,
    sent_text: Option<String>,
    provider_id: Option<String>,
    quotes: Option<String>,
    rule: Option<String>,
    rule_references: Option<Vec<i32>>,
    delivery: Option<String>,
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
    question: Option<String>,
    at_is_arrival: bool,
    rule_foreign: bool,
    reaction: Option<String>,
    reaction_at: Option<DateTime<Utc>>,
    reaction_from: Option<String>,
}

impl RawItem {
    fn row(&self) -> Row<ItemKey> {
        let key = ItemKey {
            reference: self.reference,
            sequence: self.sequence,
            part: self.part,
        };
        Row {
            table: "thread_items",
            key,
        }
    }

    fn read(self) -> Result<ThreadItem, sqlx::Error> {
        let row = self.row();
        Ok(ThreadItem {
            place: Place {
                sequence: row.read("sequence", self.sequence.try_into())?,
                part: row.read("part", self.part.try_into())?,
            },
            at: self.at,
            recorded_at: self.recorded_at,
            author: self.author()?,
            reaction: self.reaction()?,
            what: self.what()?,
        })
    }

    fn author(&self) -> Result<ItemAuthor, sqlx::Error> {
        let row = self.row();
        Ok(match self.author_kind.as_str() {
            "user" => ItemAuthor::User {
                user_id: UserId(row.some("author_id", self.author_id)?),
                email: Personal(row.some("author_email", self.author_email.clone())?),
            },
            "automatic" => ItemAuthor::Automatic,
            "contact" => ItemAuthor::Contact,
            "vonage" => ItemAuthor::Vonage,
            "system" => ItemAuthor::System,
            _ => return Err(row.broken("author_kind")),
        })
    }

    fn reaction(&self) -> Result<Option<ItemReaction>, sqlx::Error> {
        let Some(emoji) = &self.reaction else {
            return Ok(None);
        };
        let row = self.row();
        Ok(Some(ItemReaction {
            emoji: Some(emoji.clone())
                .filter(|emoji| !emoji.is_empty())
                .map(Personal),
            at: row.some("reaction_at", self.reaction_at)?,
            from: Personal(row.some("reaction_from", self.reaction_from.clone())?),
        }))
    }

    fn routed(&self) -> Result<Routed, sqlx::Error> {
        let row = self.row();
        let rule = row.some("rule", self.rule.as_deref())?;
        Ok(Routed {
            rule: row.some("rule", rule_named(rule))?,
            references: row.references(
                "rule_references",
                row.some("rule_references", self.rule_references.as_deref())?,
            )?,
            foreign_reference: self.rule_foreign,
        })
    }

    fn what(self) -> Result<What, sqlx::Error> {
        let row = self.row();
        let said = |said| row.some("said", said).map(Personal);
        let other = |other| {
            row.some("other", other)
                .and_then(|number| row.reference("other", number))
        };
        let message_id = |id| row.some("message_id", id).map(MessageId);
        Ok(match self.kind.as_str() {
            "opened" => What::Opened {
                title: said(self.said)?,
                follows: match self.other {
                    Some(number) => Some(row.reference("other", number)?),
                    None => None,
                },
            },
            "message" => match self.direction.as_deref() {
                Some("inbound") => What::Inbound(Box::new(self.inbound()?)),
                Some("outbound") => What::Outbound(Box::new(self.outbound()?)),
                _ => return Err(row.broken("direction")),
            },
            "note" => What::Note {
                note_id: NoteId(row.some("note_id", self.note_id)?),
                text: said(self.said)?,
            },
            "status" => What::Status {
                question: self.question,
                before: self.before,
                value: row.some("value", self.value)?,
                closed: row.some("closed", self.closed)?,
            },
            "assigned" => What::Assigned {
                before: self.before.map(Personal),
                to: self.value.map(Personal),
            },
            "renamed" => What::Renamed {
                before: Personal(row.some("before", self.before)?),
                title: said(self.said)?,
            },
            "moved_out" => What::MovedOut {
                message_id: message_id(self.message_id)?,
                to: other(self.other)?,
                comment: self.comment.map(Personal),
            },
            "reaction" => What::Reaction {
                routed: self.routed()?,
                target_provider_id: self.quotes,
            },
            "removed_elsewhere" => What::RemovedElsewhere {
                message_id: message_id(self.message_id)?,
                from: other(self.other)?,
                comment: self.comment.map(Personal),
            },
            "moved_in" => What::MovedIn {
                message_id: message_id(self.message_id)?,
                from: other(self.other)?,
                comment: self.comment.map(Personal),
            },
            _ => return Err(row.broken("kind")),
        })
    }

    fn inbound(self) -> Result<Inbound, sqlx::Error> {
        let row = self.row();
        let routed = self.routed()?;
        let content = match self.content {
            Some(json) => row.read("content", read_stored(&json))?,
            None => Content::text(row.some("said", self.said)?),
        };
        Ok(Inbound {
            message_id: MessageId(row.some("message_id", self.message_id)?),
            channel: row.channel("channel", &row.some("channel", self.channel)?)?,
            line_id: LineId(row.some("line_id", self.line_id)?),
            content: Personal(content),
            provider_id: row.some("provider_id", self.provider_id)?,
            at_is_arrival: self.at_is_arrival,
            quotes: self.quotes,
            routed,
        })
    }

    fn outbound(self) -> Result<Outbound, sqlx::Error> {
        let row = self.row();
        let text = row.some("said", self.said)?;
        let status = row.some("delivery", self.delivery)?;
        Ok(Outbound {
            message_id: MessageId(row.some("message_id", self.message_id)?),
            channel: row.channel("channel", &row.some("channel", self.channel)?)?,
            line_id: LineId(row.some("line_id", self.line_id)?),
            sent_text: Personal(self.sent_text.unwrap_or_else(|| text.clone())),
            text: Personal(text),
            delivery: Delivery {
                status: row.some("delivery", Status::from_name(&status))?,
                reason: self.delivery_reason,
                code: self
                    .delivery_code
                    .map(|code| row.read("delivery_code", code.try_into()))
                    .transpose()?,
                at: self.delivery_at,
                attempt: row.read("attempt", row.some("attempt", self.attempt)?.try_into())?,
                provider_id: self.provider_id,
            },
        })
    }
}

fn rule_named(name: &str) -> Option<Rule> {
    [
        Rule::First,
        Rule::OnlyOpen,
        Rule::AllOpen,
        Rule::Reference,
        Rule::Quote,
        Rule::NewRequested,
        Rule::Follows,
        Rule::CasesDisabled,
        Rule::Moved,
        Rule::Reaction,
        Rule::Newest,
    ]
    .into_iter()
    .find(|rule| rule.as_str() == name)
}

/// Items that are not hidden, with what follows `WHERE NOT hidden AND`.
macro_rules! items {
    ($condition:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            RawItem,
            "SELECT reference, sequence, part, kind, at, recorded_at, author_kind, author_id, author_email, message_id,
                 direction, channel, line_id, said, content::text AS content, sent_text, provider_id, quotes, rule,
                 rule_references, delivery, delivery_reason, delivery_code, delivery_at, attempt, other, before, value,
                 closed, comment, note_id, question, at_is_arrival, rule_foreign, reaction, reaction_at, reaction_from
             FROM thread_items WHERE NOT hidden AND " + $condition,
            $($argument),+
        )
    };
}

// Behind the macro, which they use.
pub mod as_of;
pub mod page;

fn read_all(raw: Vec<RawItem>) -> Result<Vec<ThreadItem>, sqlx::Error> {
    raw.into_iter().map(RawItem::read).collect()
}

/// At most `limit` items of a case in order, those after `after` or from the beginning.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn page(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    after: Option<Place>,
    limit: u32,
) -> Result<Vec<ThreadItem>, sqlx::Error> {
    let (sequence, part) = after.map_or((0, 0), |place| {
        (place.sequence.cast_signed(), i16::from(place.part))
    });
    // Sequences begin at 1, so nothing stands at (0, 0) or before.
    let raw = items!(
        "reference = $1 AND (sequence, part) > ($2, $3) ORDER BY sequence, part LIMIT $4",
        reference.as_i32(),
        sequence,
        part,
        i64::from(limit),
    )
    .fetch_all(executor)
    .await?;
    read_all(raw)
}

/// The first `limit` messages of a case that came, were queued or came back after the event of that sequence.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn since(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    sequence: u64,
    limit: u32,
) -> Result<Vec<ThreadItem>, sqlx::Error> {
    let raw = items!(
        "reference = $1 AND kind = 'message' AND (sequence > $2 OR message_id = ANY (ARRAY(
             SELECT i.message_id FROM thread_items i WHERE i.reference = $1 AND i.sequence > $2 AND i.kind = 'moved_in'
         ))) ORDER BY sequence, part LIMIT $3",
        reference.as_i32(),
        i64::try_from(sequence).unwrap_or(i64::MAX),
        i64::from(limit),
    )
    .fetch_all(executor)
    .await?;
    read_all(raw)
}

/// A case's notes, in order.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn notes(
    executor: impl PgExecutor<'_>,
    reference: Reference,
) -> Result<Vec<ThreadItem>, sqlx::Error> {
    let raw = items!(
        "reference = $1 AND kind = 'note' ORDER BY sequence, part",
        reference.as_i32(),
    )
    .fetch_all(executor)
    .await?;
    read_all(raw)
}

/// A message as it stands in a case; `None` where it does not, or was moved out.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn message(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    message_id: MessageId,
) -> Result<Option<ThreadItem>, sqlx::Error> {
    items!(
        "reference = $1 AND message_id = $2 AND kind = 'message' ORDER BY sequence DESC LIMIT 1",
        reference.as_i32(),
        message_id.0,
    )
    .fetch_optional(executor)
    .await?
    .map(RawItem::read)
    .transpose()
}
