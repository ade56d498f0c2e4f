//! Messages by our id and by Vonage's: whose each is, and in which cases it stands.
//!
//! What a contact said has one id of Vonage's, which came with it. What we said has one for each call that Vonage took, and they
//! become known later, or never; they stand in a table of their own, so that a message is found by any of them.
//!
//! What a contact said does not say whose it is, its case does: the contact is looked up in `cases`, where it never changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use docket_domain::case::CaseEvent;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, MessageId, Reference};
use serde::Serialize;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Projection;
use super::rows::{Row, column};
use super::writes::{Writes, row};
use crate::log::recorded::Recorded;

/// Builds `messages` and `sent_ids`.
#[derive(Debug, Default)]
pub struct MessagesHandler {
    changes: BTreeMap<Uuid, Change>,
    /// What Vonage calls messages that we sent, by its id and ours.
    sent_ids: BTreeSet<(String, Uuid)>,
}

/// What became of a message since the last write.
#[derive(Debug, Default)]
struct Change {
    /// What it is, where it was received or queued since the last write.
    begun: Option<Begun>,
    /// Whether it now stands in a case, for each case that it came to or left.
    stands_in: BTreeMap<i32, bool>,
}

#[derive(Debug)]
struct Begun {
    /// The case whose event came first.
    reference: i32,
    /// What Vonage calls it, where it is inbound.
    provider_id: Option<String>,
    direction: &'static str,
    is_automatic: bool,
    recorded_at: DateTime<Utc>,
}

impl Change {
    fn references(&self, standing: bool) -> Vec<i32> {
        let chosen = self
            .stands_in
            .iter()
            .filter(|(_, stands)| **stands == standing);
        chosen.map(|(reference, _)| *reference).collect()
    }

    /// Whether a row that is there has to change.
    fn is_for_a_row(&self) -> bool {
        self.begun.is_none() || self.stands_in.values().any(|stands| !stands)
    }
}

impl MessagesHandler {
    fn begin(&mut self, message_id: MessageId, begun: Begun) {
        let change = self.changes.entry(message_id.0).or_default();
        change.stands_in.insert(begun.reference, true);
        change.begun.get_or_insert(begun);
    }

    fn stands(&mut self, message_id: MessageId, reference: i32, stands: bool) {
        self.changes
            .entry(message_id.0)
            .or_default()
            .stands_in
            .insert(reference, stands);
    }
}

impl Projection for MessagesHandler {
    const NAME: &'static str = "messages";
    const VERSION: i32 = 2;
    const TABLES: &'static [&'static str] = &["messages", "sent_ids"];
    const READS: &'static [&'static str] = &["cases"];
    const STATEMENTS: &'static [&'static str] = &[MOVE];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, &recorded.event)
        else {
            return;
        };
        let reference = reference.as_i32();
        match event {
            CaseEvent::MessageReceived { message, .. } => self.begin(
                message.message_id,
                Begun {
                    reference,
                    provider_id: Some(message.provider_id.clone()),
                    direction: "inbound",
                    is_automatic: false,
                    recorded_at: recorded.recorded_at,
                },
            ),
            CaseEvent::MessageQueued(message) => self.begin(
                message.message_id,
                Begun {
                    reference,
                    provider_id: None,
                    direction: "outbound",
                    is_automatic: message.author.is_automatic(),
                    recorded_at: recorded.recorded_at,
                },
            ),
            CaseEvent::MessageSent {
                message_id,
                provider_id: Some(provider_id),
                ..
            }
            | CaseEvent::MessageIdentified {
                message_id,
                provider_id,
                ..
            } => {
                self.sent_ids.insert((provider_id.clone(), message_id.0));
            }
            CaseEvent::MessageMovedIn { message, .. } => {
                self.stands(message.message_id, reference, true);
            }
            CaseEvent::MessageReturned { message_id, .. } => {
                self.stands(*message_id, reference, true);
            }
            CaseEvent::MessageMovedOut { message_id, .. }
            | CaseEvent::MoveUndone { message_id, .. } => {
                self.stands(*message_id, reference, false);
            }
            _ => {}
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let Self { changes, sent_ids } = std::mem::take(self);
        let moved = changes
            .iter()
            .filter(|(_, change)| change.is_for_a_row())
            .map(|(message_id, change)| Moved {
                message_id: *message_id,
                came: change.references(true),
                went: change.references(false),
            });
        writes.statement::<Self>(MOVE, moved);
        let begun = changes.into_iter().filter_map(NewMessage::of);
        writes.rows.messages.extend(begun);
        let sent_ids = sent_ids
            .into_iter()
            .map(|(provider_id, message_id)| NewSentId {
                part: 0,
                provider_id,
                message_id,
            });
        writes.rows.sent_ids.extend(sent_ids);
    }
}

row! {
    /// A message that was received or queued. Where it is known from another case, it has a row that has taken in all other changes,
    /// and gets these cases besides.
    pub(crate) struct NewMessage = "new_message" {
        message_id: Uuid,
        /// What Vonage calls it, where it is inbound.
        provider_id: Option<String>,
        /// The case whose event came first.
        reference: i32,
        direction: &'static str,
        automatic: bool,
        /// The cases that it stands in, ordered.
        case_references: Vec<i32>,
        recorded_at: DateTime<Utc>,
    }
}

row! {
    /// What Vonage calls a message that we sent.
    pub(crate) struct NewSentId = "new_sent_id" {
        provider_id: String,
        message_id: Uuid,
    }
}

/// A message that is there, with the cases that it came to and left.
#[derive(Serialize)]
struct Moved {
    message_id: Uuid,
    came: Vec<i32>,
    went: Vec<i32>,
}

const MOVE: &str = "
    UPDATE messages m
       SET case_references = ARRAY(
               SELECT DISTINCT reference FROM unnest(m.case_references || r.came) AS reference
                WHERE reference <> ALL (r.went)
                ORDER BY reference
           )
      FROM jsonb_to_recordset($1) AS r (message_id uuid, came integer[], went integer[])
     WHERE m.message_id = r.message_id";

impl NewMessage {
    fn of((message_id, mut change): (Uuid, Change)) -> Option<Self> {
        let begun = change.begun.take()?;
        Some(Self {
            part: 0,
            message_id,
            case_references: change.references(true),
            provider_id: begun.provider_id,
            reference: begun.reference,
            direction: begun.direction,
            automatic: begun.is_automatic,
            recorded_at: begun.recorded_at,
        })
    }
}

/// A message: whose it is and where it stands. What it says stands in the threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// Our id of it.
    pub message_id: MessageId,
    /// Vonage's id of it, where the contact said it; of what we said there may be several, which stand elsewhere.
    pub provider_id: Option<String>,
    /// Whose it is.
    pub contact_id: ContactId,
    /// Whether the contact said it; otherwise we did.
    pub is_inbound: bool,
    /// Whether it is the automatic reply for several open cases.
    pub is_automatic: bool,
    /// The cases that it stands in, ordered.
    pub references: Vec<Reference>,
    /// When it was recorded first.
    pub recorded_at: DateTime<Utc>,
}

struct RawMessage {
    message_id: Uuid,
    provider_id: Option<String>,
    contact_id: Uuid,
    direction: String,
    automatic: bool,
    case_references: Vec<i32>,
    recorded_at: DateTime<Utc>,
}

impl RawMessage {
    fn read(self) -> Result<MessageRow, sqlx::Error> {
        let row = Row {
            table: "messages",
            key: self.message_id,
        };
        Ok(MessageRow {
            message_id: MessageId(self.message_id),
            provider_id: self.provider_id,
            contact_id: ContactId(self.contact_id),
            is_inbound: match self.direction.as_str() {
                "inbound" => true,
                "outbound" => false,
                _ => return Err(row.broken("direction")),
            },
            is_automatic: self.automatic,
            references: row.references("case_references", &self.case_references)?,
            recorded_at: self.recorded_at,
        })
    }
}

/// In which cases the messages stand, of those that stand in several.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn in_several(
    executor: impl PgExecutor<'_>,
    messages: &[MessageId],
) -> Result<HashMap<MessageId, Vec<Reference>>, sqlx::Error> {
    let found = sqlx::query!(
        "SELECT message_id, case_references FROM messages
          WHERE message_id = ANY ($1) AND cardinality(case_references) > 1",
        &column(messages, |message| message.0),
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|message| {
            let row = Row {
                table: "messages",
                key: message.message_id,
            };
            let references = row.references("case_references", &message.case_references)?;
            Ok((MessageId(message.message_id), references))
        })
        .collect()
}

/// The message of that id.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find(
    executor: impl PgExecutor<'_>,
    message_id: MessageId,
) -> Result<Option<MessageRow>, sqlx::Error> {
    sqlx::query_as!(
        RawMessage,
        "SELECT message_id, provider_id, contact_id, direction, automatic, case_references, recorded_at
         FROM messages WHERE message_id = $1",
        message_id.0,
    )
    .fetch_optional(executor)
    .await?
    .map(RawMessage::read)
    .transpose()
}
