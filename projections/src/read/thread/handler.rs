//! What events make of threads.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, SecondsFormat, Utc};
use docket_domain::case::{CaseEvent, CaseLabel, Reaction};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{MessageId, Reference};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use docket_domain::text::search;
use serde::Serialize;
use uuid::Uuid;

use super::row::{DeliveryChange, NewThreadItem, Reacted, to_i32};
use crate::log::recorded::{Actor, Recorded};
use crate::read::Projection;
use crate::read::writes::Writes;

/// Builds `thread_items`.
#[derive(Debug, Default)]
pub struct ThreadHandler {
    /// Items since the last write.
    items: Vec<NewThreadItem>,
    /// Where the newest item of a message stands among them, by case and message.
    newest: HashMap<(i32, Uuid), usize>,
    /// What is now known of messages whose items were written before.
    deliveries: BTreeMap<(i32, Uuid), DeliveryChange>,
    /// What Vonage calls attempts of messages whose items were written before, by case, message and attempt. It is shown of the
    /// attempt that the row is at, before what `deliveries` say.
    identified: BTreeMap<(i32, Uuid, i32), String>,
    /// Whether messages whose items were written before are hidden now.
    hidden: BTreeMap<(i32, Uuid), bool>,
    /// The newest reactions to messages whose items were written before.
    reacted: BTreeMap<(i32, Uuid), Reacted>,
}

/// The `value` of a move that undoes another.
pub(super) const UNDONE: &str = "undone";

/// Hides messages that were moved out, or shows them again. A message that came and went more than once has several items; only the
/// newest can be seen, or be seen again.
const HIDE: &str = "
    UPDATE thread_items t SET hidden = r.hidden
      FROM jsonb_to_recordset($1) AS r (reference integer, message_id uuid, hidden boolean)
     WHERE t.reference = r.reference AND t.message_id = r.message_id AND t.kind = 'message'
       AND t.sequence = (
           SELECT max(i.sequence) FROM thread_items i
            WHERE i.reference = r.reference AND i.message_id = r.message_id AND i.kind = 'message'
       )";

#[derive(Serialize)]
struct Visibility {
    reference: i32,
    message_id: Uuid,
    hidden: bool,
}

const REACT: &str = "
    UPDATE thread_items t SET reaction = r.reaction, reaction_at = r.at, reaction_from = r.sender
      FROM jsonb_to_recordset($1)
           AS r (reference integer, message_id uuid, reaction text, at timestamptz, sender text)
     WHERE t.reference = r.reference AND t.message_id = r.message_id AND t.kind = 'message'
       AND (t.reaction_at IS NULL OR t.reaction_at <= r.at)
       AND t.sequence = (
           SELECT max(i.sequence) FROM thread_items i
            WHERE i.reference = r.reference AND i.message_id = r.message_id AND i.kind = 'message'
       )";

#[derive(Serialize)]
struct MessageReaction {
    reference: i32,
    message_id: Uuid,
    reaction: Option<String>,
    at: DateTime<Utc>,
    sender: String,
}

const IDENTIFY: &str = "
    UPDATE thread_items t SET provider_id = r.provider_id
      FROM jsonb_to_recordset($1) AS r (reference integer, message_id uuid, attempt integer, provider_id text)
     WHERE t.message_id = r.message_id AND t.direction = 'outbound' AND t.reference = r.reference
       AND t.attempt = r.attempt";

#[derive(Serialize)]
struct Identified {
    reference: i32,
    message_id: Uuid,
    attempt: i32,
    provider_id: String,
}

impl Projection for ThreadHandler {
    const NAME: &'static str = "thread";
    const VERSION: i32 = 4;
    const TABLES: &'static [&'static str] = &["thread_items"];
    const STATEMENTS: &'static [&'static str] = &[HIDE, REACT, IDENTIFY];

    fn apply(&mut self, recorded: &Recorded) {
        if let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, &recorded.event)
        {
            self.apply_to_case(reference, recorded, event);
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let Self {
            items,
            newest: _,
            deliveries,
            identified,
            hidden,
            reacted,
        } = std::mem::take(self);
        // Before new items are written: one of them may be the same message, moved in again.
        let hidden = hidden
            .into_iter()
            .map(|((reference, message_id), hidden)| Visibility {
                reference,
                message_id,
                hidden,
            });
        writes.statement::<Self>(HIDE, hidden);
        let reacted = reacted
            .into_iter()
            .map(|((reference, message_id), newest)| MessageReaction {
                reference,
                message_id,
                reaction: newest.emoji,
                at: newest.at,
                sender: newest.from,
            });
        writes.statement::<Self>(REACT, reacted);
        let identified =
            identified
                .into_iter()
                .map(
                    |((reference, message_id, attempt), provider_id)| Identified {
                        reference,
                        message_id,
                        attempt,
                        provider_id,
                    },
                );
        writes.statement::<Self>(IDENTIFY, identified);
        writes.rows.deliveries.extend(deliveries.into_values());
        writes.rows.thread_items.extend(items);
    }
}

/// What a search finds of a comment.
fn words_of(comment: Option<&Personal<String>>) -> Option<String> {
    search::index(comment.map(|comment| comment.as_str()))
}

/// Names as a JSON array.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    serde_json::to_string(&names).expect("texts are JSON")
}

impl ThreadHandler {
    /// The new items, in order.
    pub(super) fn into_items(self) -> Vec<NewThreadItem> {
        self.items
    }

    fn add_message(&mut self, item: NewThreadItem) {
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
            self.items[*index].react(reaction.into());
        } else if self
            .reacted
            .get(&key)
            .is_none_or(|known| known.at <= reaction.at)
        {
            self.reacted.insert(key, reaction.into());
        }
    }

    fn set_delivery(&mut self, change: DeliveryChange) {
        let key = (change.reference, change.message_id);
        if let Some(index) = self.newest.get(&key) {
            self.items[*index].deliver(change);
        } else if let Some(known) = self.deliveries.get_mut(&key) {
            known.then(change);
        } else {
            self.deliveries.insert(key, change);
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
            if item.attempt == Some(attempt) {
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
        let new = |kind| NewThreadItem::new(reference, recorded, kind);
        match event {
            CaseEvent::CaseOpened(opened) => {
                let item = match recorded.metadata.actor {
                    Actor::Vonage => new("opened").by_nobody("contact"),
                    Actor::User { .. } | Actor::System => new("opened"),
                };
                self.items.push(NewThreadItem {
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
                None => self
                    .items
                    .push(new("reaction").with_reaction(reaction, routed)),
            },
            CaseEvent::MessageQueued(message) => self.add_message(new("message").outbound(message)),
            CaseEvent::NoteAdded {
                note_id,
                author,
                text,
            } => self.items.push(NewThreadItem {
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
            } => self.items.push(NewThreadItem {
                question: question.clone(),
                before: from.clone(),
                value: Some(to.clone()),
                closed: Some(*closed),
                ..new("status")
            }),
            CaseEvent::AssigneeChanged { from, to } => self.items.push(NewThreadItem {
                before: from.as_ref().map(|assignee| assignee.email.0.clone()),
                value: to.as_ref().map(|assignee| assignee.email.0.clone()),
                ..new("assigned")
            }),
            CaseEvent::TitleChanged { from, to } => self.items.push(NewThreadItem {
                before: Some(from.0.clone()),
                said: Some(to.0.clone()),
                words: search::index([to.as_str()]),
                ..new("renamed")
            }),
            CaseEvent::LabelsChanged { from, to } => self.items.push(NewThreadItem {
                before: Some(names(CaseLabel::names_beside(from, to))),
                value: Some(names(CaseLabel::names_beside(to, from))),
                ..new("labels")
            }),
            CaseEvent::CaseSnoozed { until, .. } => self.items.push(NewThreadItem {
                value: Some(until.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
                ..new("snoozed")
            }),
            CaseEvent::CaseWoken { reason, .. } => self.items.push(NewThreadItem {
                value: Some(reason.as_str().to_owned()),
                ..new("woken")
            }),
            CaseEvent::MessageMovedOut {
                message_id,
                to,
                comment,
                ..
            } => {
                self.set_hidden(reference, *message_id, true);
                self.items.push(NewThreadItem {
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
                self.items.push(NewThreadItem {
                    other: Some(from.as_i32()),
                    message_id: Some(message.message_id.0),
                    comment: comment.as_ref().map(|comment| comment.0.clone()),
                    words: words_of(comment.as_ref()),
                    ..new("moved_in")
                });
                let routed = Routed::new(Rule::Moved, vec![*from]);
                let mut item = NewThreadItem {
                    item_part: 1,
                    ..new("message").inbound(message, &routed)
                };
                if let Some(reaction) = reaction {
                    item.react(reaction.as_ref().into());
                }
                self.add_message(item);
            }
            CaseEvent::MessageRemovedElsewhere {
                message_id,
                from,
                comment,
            } => self.items.push(NewThreadItem {
                other: Some(from.as_i32()),
                message_id: Some(message_id.0),
                comment: comment.as_ref().map(|comment| comment.0.clone()),
                words: words_of(comment.as_ref()),
                ..new("removed_elsewhere")
            }),
            CaseEvent::MoveUndone { message_id, to, .. } => {
                self.set_hidden(reference, *message_id, true);
                self.items.push(NewThreadItem {
                    other: Some(to.as_i32()),
                    message_id: Some(message_id.0),
                    value: Some(UNDONE.to_owned()),
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
                self.items.push(NewThreadItem {
                    other: Some(from.as_i32()),
                    message_id: Some(message_id.0),
                    value: Some(UNDONE.to_owned()),
                    ..new("moved_in")
                });
            }
            CaseEvent::OptOutChanged(change) => self.items.push(new("opt_out").opt_out(change)),
            CaseEvent::MessageIdentified {
                message_id,
                attempt,
                provider_id,
            } => self.set_provider_id(reference, *message_id, to_i32(*attempt), provider_id),
            // The note says so itself, and files stand in a table of their own.
            CaseEvent::PeopleMentioned { .. }
            | CaseEvent::MediaStored(_)
            | CaseEvent::MediaFailed { .. } => {}
            CaseEvent::MessageSending { .. }
            | CaseEvent::MessageDeferred { .. }
            | CaseEvent::MessageSent { .. }
            | CaseEvent::MessageDelivered { .. }
            | CaseEvent::MessageRead { .. }
            | CaseEvent::MessageFailed { .. }
            | CaseEvent::MessageUncertain { .. }
            | CaseEvent::MessageRequeued { .. } => {
                if let Some(change) = DeliveryChange::of(reference, event) {
                    self.set_delivery(change);
                }
            }
        }
    }
}
