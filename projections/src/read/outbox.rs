//! What waits to be sent, and what is being sent.
//!
//! A row begins with `MessageQueued` or `MessageRequeued` and ends with the first news of how the call went, so the table
//! stays as small as the backlog. `MessageRequeued` carries the whole message, since its row may be long gone.
//!
//! An automatic reply stands in several cases: each of their streams tells its story, and one row hears it several times.
//! So every change says which attempt it is about, and is nothing where the row is further on.
//!
//! Who is to send a row is no business of the log's: see [`crate::outbox_claims`].

pub(crate) mod handler;

use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::ids::{ContactId, LineId, MessageId, Reference};
use docket_domain::json::read_stored;
use docket_domain::personal::Personal;
use docket_domain::whatsapp_template::SentTemplate;
use sqlx::PgExecutor;
use uuid::Uuid;

pub use self::handler::OutboxHandler;
use crate::read::rows::Row;

/// A message that is to be sent, or being sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its id.
    pub message_id: MessageId,
    /// Who it is for.
    pub contact_id: ContactId,
    /// The line it goes out from.
    pub line_id: LineId,
    /// That line's channel.
    pub channel: Channel,
    /// The number it goes to.
    pub to_number: Personal<String>,
    /// What is sent.
    pub sent_text: Personal<String>,
    /// The `WhatsApp` template that it is sent as.
    pub template: Option<SentTemplate>,
    /// The cases that it stands in, ordered; all of them are told how it goes.
    pub references: Vec<Reference>,
    /// How far it is.
    pub state: State,
    /// The attempt, from 1.
    pub attempt: u32,
    /// When it was recorded to be sent in this attempt; messages to a contact go out in this order.
    pub queued_at: DateTime<Utc>,
    /// Not to be offered before, where it was put off; otherwise when it was recorded to be sent, and due at once.
    pub due_at: DateTime<Utc>,
    /// When the state was entered.
    pub since: DateTime<Utc>,
}

/// How far a message in the outbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits.
    Queued,
    /// A call to Vonage is under way, or was when we were cut off.
    Sending,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Queued, Self::Sending]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// How much waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The number of messages, those being sent included.
    pub count: u64,
    /// When the oldest of them was queued.
    pub oldest_queued_at: Option<DateTime<Utc>>,
}

/// A row as the database gives it.
pub(crate) struct Columnwise {
    pub(crate) message_id: Uuid,
    pub(crate) contact_id: Uuid,
    pub(crate) line_id: Uuid,
    pub(crate) channel: String,
    pub(crate) to_number: String,
    pub(crate) sent_text: String,
    pub(crate) template: Option<String>,
    pub(crate) case_references: Vec<i32>,
    pub(crate) state: String,
    pub(crate) attempt: i32,
    pub(crate) queued_at: DateTime<Utc>,
    pub(crate) due_at: DateTime<Utc>,
    pub(crate) since: DateTime<Utc>,
}

impl TryFrom<Columnwise> for OutboxRow {
    type Error = sqlx::Error;

    fn try_from(row: Columnwise) -> Result<Self, sqlx::Error> {
        let known = Row {
            table: "outbox",
            key: row.message_id,
        };
        Ok(Self {
            message_id: MessageId(row.message_id),
            contact_id: ContactId(row.contact_id),
            line_id: LineId(row.line_id),
            channel: known.channel("channel", &row.channel)?,
            to_number: Personal(row.to_number),
            sent_text: Personal(row.sent_text),
            template: known.read(
                "template",
                row.template.as_deref().map(read_stored).transpose(),
            )?,
            references: known.references("case_references", &row.case_references)?,
            state: known.some("state", State::from_name(&row.state))?,
            attempt: known.read("attempt", u32::try_from(row.attempt))?,
            queued_at: row.queued_at,
            due_at: row.due_at,
            since: row.since,
        })
    }
}

/// The message of that id, while it waits or is being sent.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find(
    executor: impl PgExecutor<'_>,
    message_id: MessageId,
) -> Result<Option<OutboxRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        Columnwise,
        "SELECT message_id, contact_id, line_id, channel, to_number, sent_text, template::text AS template,
                case_references, state, attempt, queued_at, due_at, since
         FROM outbox
         WHERE message_id = $1",
        message_id.0,
    )
    .fetch_optional(executor)
    .await?;
    row.map(OutboxRow::try_from).transpose()
}

/// How much waits to be sent, lines that stand still included.
///
/// # Errors
///
/// The database's error.
pub async fn depth(executor: impl PgExecutor<'_>) -> Result<Depth, sqlx::Error> {
    let depth = sqlx::query!(
        r#"SELECT count(*) AS "count!", min(queued_at) AS oldest_queued_at FROM outbox"#
    )
    .fetch_one(executor)
    .await?;
    Ok(Depth {
        count: depth.count.cast_unsigned(),
        oldest_queued_at: depth.oldest_queued_at,
    })
}

/// When the next message that is not due at `now` becomes so, on a line that sends: a worker without work sleeps until then.
///
/// # Errors
///
/// The database's error.
pub async fn next_due(
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT min(first.due_at)
         FROM lines
         CROSS JOIN LATERAL (
             SELECT due_at FROM outbox
             WHERE outbox.line_id = lines.line_id AND state = 'queued' AND due_at > $1
             ORDER BY due_at
             LIMIT 1
         ) AS first
         WHERE lines.halted IS NULL AND NOT lines.removed",
        now,
    )
    .fetch_one(executor)
    .await
}
