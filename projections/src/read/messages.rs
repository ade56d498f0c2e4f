//! Messages by our id and by Vonage's: whose each is, and in which cases it stands.
//!
//! What a contact said has one id of Vonage's, which came with it. What we said has one for each call that Vonage took, and they
//! become known later, or never; they stand in a table of their own, so that a message is found by any of them.
//!
//! What a contact said does not say whose it is, its case does: the contact is looked up in `cases`, where it never changes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use docket_domain::case::{Author, CaseEvent};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, MessageId, Reference};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Projection;
use super::rows::{Row, array_text, column};
use crate::log::recorded::Recorded;

/// Builds `messages` and `sent_ids`.
#[derive(Debug, Default)]
pub struct MessagesHandler {
    changes: BTreeMap<Uuid, Change>,
    /// What Vonage calls messages that we sent, by its id and ours.
    sent_ids: BTreeSet<(String, Uuid)>,
}

/// What became of a message since the last flush.
#[derive(Debug, Default)]
struct Change {
    /// What it is, where it was received or queued since the last flush.
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
    is_inbound: bool,
    is_automatic: bool,
    recorded_at: DateTime<Utc>,
}

impl Change {
    fn references(&self, standing: bool) -> String {
        array_text(
            self.stands_in
                .iter()
                .filter(|(_, stands)| **stands == standing)
                .map(|(r, _)| *r),
        )
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
    type Rows = Vec<NewMessage>;

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
                    is_inbound: true,
                    is_automatic: false,
                    recorded_at: recorded.recorded_at,
                },
            ),
            CaseEvent::MessageQueued(message) => self.begin(
                message.message_id,
                Begun {
                    reference,
                    provider_id: None,
                    is_inbound: false,
                    is_automatic: message.author == Author::Automatic,
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

    async fn flush(&mut self, conn: &mut PgConnection) -> Result<Self::Rows, sqlx::Error> {
        let Self {
            changes, sent_ids, ..
        } = std::mem::take(self);
        if !sent_ids.is_empty() {
            write_sent_ids(conn, &sent_ids.into_iter().collect::<Vec<_>>()).await?;
        }
        let changed: Vec<_> = changes
            .iter()
            .filter(|(_, change)| change.is_for_a_row())
            .collect();
        if !changed.is_empty() {
            sqlx::query!(
                "UPDATE messages m SET
                     case_references = ARRAY(
                         SELECT DISTINCT r FROM UNNEST(m.case_references || u.came::integer[]) r
                         WHERE r <> ALL (u.went::integer[]) ORDER BY r
                     )
                 FROM UNNEST($1::uuid[], $2::text[], $3::text[]) AS u (message_id, came, went)
                 WHERE m.message_id = u.message_id",
                &column(&changed, |(id, _)| **id),
                &column(&changed, |(_, change)| change.references(true)),
                &column(&changed, |(_, change)| change.references(false)),
            )
            .execute(&mut *conn)
            .await?;
        }
        Ok(changes.into_iter().filter_map(NewMessage::of).collect())
    }
}

async fn write_sent_ids(
    conn: &mut PgConnection,
    rows: &[(String, Uuid)],
) -> Result<(), sqlx::Error> {
    // A message that stands in several cases is told of in each.
    sqlx::query!(
        "INSERT INTO sent_ids (provider_id, message_id) SELECT * FROM UNNEST($1::text[], $2::uuid[])
         ON CONFLICT DO NOTHING",
        &column(rows, |(provider_id, _)| provider_id.as_str()) as _,
        &column(rows, |(_, message_id)| *message_id),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A row of `messages` that is to be written. Where the message is known from another case, it has a row that has taken in all
/// other changes, and gets these cases besides.
#[derive(Debug)]
pub struct NewMessage {
    pub(super) message_id: Uuid,
    pub(super) provider_id: Option<String>,
    /// The case whose event came first.
    pub(super) reference: i32,
    pub(super) is_inbound: bool,
    pub(super) is_automatic: bool,
    /// The cases that it stands in, as Postgres writes an array.
    pub(super) references: String,
    pub(super) recorded_at: DateTime<Utc>,
}

impl NewMessage {
    fn of((message_id, mut change): (Uuid, Change)) -> Option<Self> {
        let begun = change.begun.take()?;
        Some(Self {
            message_id,
            references: change.references(true),
            provider_id: begun.provider_id,
            reference: begun.reference,
            is_inbound: begun.is_inbound,
            is_automatic: begun.is_automatic,
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
