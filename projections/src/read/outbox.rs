//! What waits to be sent, and what is being sent.
//!
//! A row begins with `MessageQueued` or `MessageRequeued` and ends with the first news of how the call went, so the table
//! stays as small as the backlog. `MessageRequeued` carries the whole message, since its row may be long gone.
//!
//! An automatic reply stands in several cases: each of their streams tells its story, and one row hears it several times.
//! So every change says which attempt it is about, and is nothing where the row is further on.
//!
//! Who is to send a row is no business of the log's: see [`crate::outbox_claims`].

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::case::{CaseEvent, OutboundMessage};
use docket_domain::channel::Channel;
use docket_domain::event::Event;
use docket_domain::ids::{ContactId, LineId, MessageId, Reference};
use docket_domain::personal::Personal;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::log::recorded::{Recorded, to_database_precision};
use crate::read::Projection;
use crate::read::rows::{Row, array_text, column};

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

/// Builds table `outbox`.
#[derive(Default)]
pub struct OutboxHandler {
    /// What happened to each message, in order.
    steps: BTreeMap<MessageId, Vec<Step>>,
}

/// One thing that happened to a message.
struct Step {
    at: DateTime<Utc>,
    kind: StepKind,
}

enum StepKind {
    Queue {
        message: Box<OutboundMessage>,
        attempt: u32,
    },
    Send {
        attempt: u32,
    },
    Defer {
        attempt: u32,
        not_before: DateTime<Utc>,
    },
    /// The attempts up to this one need no more sending.
    Finish {
        last_attempt: u32,
    },
}

impl StepKind {
    /// Whether this after `earlier` changes nothing, as when several cases tell the same.
    fn repeats(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (
                Self::Queue { attempt, .. },
                Self::Queue {
                    attempt: before, ..
                },
            )
            | (Self::Send { attempt }, Self::Send { attempt: before })
            | (
                Self::Defer { attempt, .. },
                Self::Defer {
                    attempt: before, ..
                },
            ) => attempt == before,
            (
                Self::Finish { last_attempt },
                Self::Finish {
                    last_attempt: before,
                },
            ) => last_attempt <= before,
            _ => false,
        }
    }
}

impl Step {
    fn of(recorded: &Recorded) -> Option<(MessageId, Self)> {
        let Event::Case(event) = &recorded.event else {
            return None;
        };
        let (message_id, kind) = match event {
            CaseEvent::MessageQueued(message) => {
                let queue = StepKind::Queue {
                    message: Box::new(message.clone()),
                    attempt: 1,
                };
                (message.message_id, queue)
            }
            CaseEvent::MessageRequeued { message, attempt } => {
                let queue = StepKind::Queue {
                    message: message.clone(),
                    attempt: *attempt,
                };
                (message.message_id, queue)
            }
            CaseEvent::MessageSending {
                message_id,
                attempt,
            } => (*message_id, StepKind::Send { attempt: *attempt }),
            CaseEvent::MessageDeferred {
                message_id,
                attempt,
                not_before,
                ..
            } => {
                let not_before = to_database_precision(*not_before);
                (
                    *message_id,
                    StepKind::Defer {
                        attempt: *attempt,
                        not_before,
                    },
                )
            }
            CaseEvent::MessageSent {
                message_id,
                attempt,
                ..
            }
            | CaseEvent::MessageFailed {
                message_id,
                attempt,
                ..
            }
            | CaseEvent::MessageUncertain {
                message_id,
                attempt,
                ..
            } => (
                *message_id,
                StepKind::Finish {
                    last_attempt: *attempt,
                },
            ),
            // It arrived: a later attempt that still waits must not send it a second time.
            CaseEvent::MessageDelivered { message_id, .. }
            | CaseEvent::MessageRead { message_id, .. } => (
                *message_id,
                StepKind::Finish {
                    last_attempt: u32::MAX,
                },
            ),
            CaseEvent::CaseOpened(_)
            | CaseEvent::MessageReceived { .. }
            | CaseEvent::MessageIdentified { .. }
            | CaseEvent::StatusChanged { .. }
            | CaseEvent::AssigneeChanged { .. }
            | CaseEvent::TitleChanged { .. }
            | CaseEvent::NoteAdded { .. }
            | CaseEvent::MessageMovedOut { .. }
            | CaseEvent::MessageMovedIn { .. }
            | CaseEvent::MoveUndone { .. }
            | CaseEvent::MessageReturned { .. }
            | CaseEvent::MessageRemovedElsewhere { .. }
            | CaseEvent::ReactionReceived { .. } => return None,
        };
        Some((
            message_id,
            Self {
                at: recorded.recorded_at,
                kind,
            },
        ))
    }

    /// What a message's row becomes by this step. The statements for a single step say the same in SQL.
    fn take(self, row: Option<OutboxRow>) -> Option<OutboxRow> {
        let Self { at, kind } = self;
        match (kind, row) {
            (StepKind::Queue { attempt, .. }, Some(row)) if row.attempt >= attempt => Some(row),
            (StepKind::Queue { attempt, .. }, Some(row)) => Some(row.queued_again(attempt, at)),
            (StepKind::Queue { message, attempt }, None) => {
                Some(OutboxRow::queued(*message, attempt, at))
            }
            (StepKind::Send { attempt }, Some(row)) if row.is(attempt, State::Queued) => {
                Some(OutboxRow {
                    state: State::Sending,
                    since: at,
                    ..row
                })
            }
            (
                StepKind::Defer {
                    attempt,
                    not_before,
                },
                Some(row),
            ) if row.is(attempt, State::Sending) => Some(OutboxRow {
                state: State::Queued,
                due_at: not_before,
                since: at,
                ..row
            }),
            (StepKind::Finish { last_attempt }, row) => {
                row.filter(|row| row.attempt > last_attempt)
            }
            (StepKind::Send { .. } | StepKind::Defer { .. }, row) => row,
        }
    }
}

impl OutboxRow {
    fn queued(message: OutboundMessage, attempt: u32, at: DateTime<Utc>) -> Self {
        Self {
            message_id: message.message_id,
            contact_id: message.contact_id,
            line_id: message.line_id,
            channel: message.channel,
            to_number: message.to,
            sent_text: message.sent_text,
            references: message.references,
            state: State::Queued,
            attempt,
            queued_at: at,
            due_at: at,
            since: at,
        }
    }

    fn queued_again(self, attempt: u32, at: DateTime<Utc>) -> Self {
        Self {
            state: State::Queued,
            attempt,
            queued_at: at,
            due_at: at,
            since: at,
            ..self
        }
    }

    fn is(&self, attempt: u32, state: State) -> bool {
        self.attempt == attempt && self.state == state
    }
}

/// What a flush writes.
#[derive(Default)]
struct Writes {
    /// New rows; one that another case's stream put there before stays as it is.
    inserts: Vec<OutboxRow>,
    /// Messages whose call began.
    sends: Vec<(MessageId, u32, DateTime<Utc>)>,
    /// Rows that took several steps.
    changes: Vec<OutboxRow>,
    /// Messages with the last of their attempts that needs no more sending.
    deletes: Vec<(MessageId, u32)>,
}

impl Writes {
    /// Notes a message's only step, unless the row has to be looked at first; the steps of nearly every live batch are
    /// alone, and save the look. Gives the step back where it was not noted.
    fn step(&mut self, message_id: MessageId, step: Step) -> Option<Step> {
        let Step { at, kind } = step;
        match kind {
            StepKind::Queue {
                message,
                attempt: 1,
            } => self.inserts.push(OutboxRow::queued(*message, 1, at)),
            StepKind::Send { attempt } => self.sends.push((message_id, attempt, at)),
            StepKind::Finish { last_attempt } => self.deletes.push((message_id, last_attempt)),
            kind @ (StepKind::Queue { .. } | StepKind::Defer { .. }) => {
                return Some(Step { at, kind });
            }
        }
        None
    }
}

impl Projection for OutboxHandler {
    const NAME: &'static str = "outbox";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["outbox"];
    type Rows = ();

    fn apply(&mut self, recorded: &Recorded) {
        if let Some((message_id, step)) = Step::of(recorded) {
            let steps = self.steps.entry(message_id).or_default();
            if !steps
                .last()
                .is_some_and(|last| step.kind.repeats(&last.kind))
            {
                steps.push(step);
            }
        }
    }

    async fn flush(&mut self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut writes = Writes::default();
        let mut stories = Vec::new();
        for (message_id, steps) in std::mem::take(&mut self.steps) {
            let unwritten = match <[Step; 1]>::try_from(steps) {
                Ok([step]) => writes.step(message_id, step).into_iter().collect(),
                Err(steps) => steps,
            };
            if !unwritten.is_empty() {
                stories.push((message_id, unwritten));
            }
        }
        if !stories.is_empty() {
            fold(conn, stories, &mut writes).await?;
        }
        if !writes.inserts.is_empty() {
            insert(conn, &writes.inserts).await?;
        }
        if !writes.sends.is_empty() {
            begin_sending(conn, &writes.sends).await?;
        }
        if !writes.changes.is_empty() {
            update(conn, &writes.changes).await?;
        }
        if !writes.deletes.is_empty() {
            delete(conn, &writes.deletes).await?;
        }
        Ok(())
    }
}

/// Takes the steps on the rows as they stand, and notes what has to be written.
async fn fold(
    conn: &mut PgConnection,
    stories: Vec<(MessageId, Vec<Step>)>,
    writes: &mut Writes,
) -> Result<(), sqlx::Error> {
    let message_ids: Vec<_> = stories.iter().map(|(message_id, _)| message_id.0).collect();
    let mut rows: BTreeMap<_, _> = sqlx::query_as!(
        Columnwise,
        "SELECT message_id, contact_id, line_id, channel, to_number, sent_text, case_references, state, attempt,
                queued_at, due_at, since
         FROM outbox
         WHERE message_id = ANY($1)",
        &message_ids,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| OutboxRow::try_from(row).map(|row| (row.message_id, row)))
    .collect::<Result<_, _>>()?;
    for (message_id, steps) in stories {
        let before = rows.remove(&message_id);
        let after = steps
            .into_iter()
            .fold(before.clone(), |row, step| step.take(row));
        match (before, after) {
            (None, Some(row)) => writes.inserts.push(row),
            (Some(_), None) => writes.deletes.push((message_id, u32::MAX)),
            (Some(before), Some(row)) if before != row => writes.changes.push(row),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    Ok(())
}

async fn insert(conn: &mut PgConnection, rows: &[OutboxRow]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO outbox (message_id, contact_id, line_id, channel, to_number, sent_text, case_references, state,
                             attempt, queued_at, due_at, since)
         SELECT message_id, contact_id, line_id, channel, to_number, sent_text, case_references::integer[], state,
                attempt, queued_at, due_at, since
         FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::integer[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[])
              AS new (message_id, contact_id, line_id, channel, to_number, sent_text, case_references, state,
                      attempt, queued_at, due_at, since)
         ON CONFLICT (message_id) DO NOTHING",
        &column(rows, |row| row.message_id.0),
        &column(rows, |row| row.contact_id.0),
        &column(rows, |row| row.line_id.0),
        &column(rows, |row| row.channel.as_str()) as _,
        &column(rows, |row| row.to_number.as_str()) as _,
        &column(rows, |row| row.sent_text.as_str()) as _,
        &column(rows, |row| array_text(row.references.iter().map(|reference| reference.as_i32()))),
        &column(rows, |row| row.state.as_str()) as _,
        &column(rows, |row| row.attempt.cast_signed()),
        &column(rows, |row| row.queued_at),
        &column(rows, |row| row.due_at),
        &column(rows, |row| row.since),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn begin_sending(
    conn: &mut PgConnection,
    sends: &[(MessageId, u32, DateTime<Utc>)],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE outbox
         SET state = 'sending', since = new.since
         FROM UNNEST($1::uuid[], $2::integer[], $3::timestamptz[]) AS new (message_id, attempt, since)
         WHERE outbox.message_id = new.message_id AND outbox.attempt = new.attempt AND outbox.state = 'queued'",
        &column(sends, |(message_id, ..)| message_id.0),
        &column(sends, |(_, attempt, _)| attempt.cast_signed()),
        &column(sends, |(.., at)| *at),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what steps can change of a row; what the message is stays.
async fn update(conn: &mut PgConnection, rows: &[OutboxRow]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE outbox
         SET state = new.state, attempt = new.attempt, queued_at = new.queued_at, due_at = new.due_at,
             since = new.since
         FROM UNNEST($1::uuid[], $2::text[], $3::integer[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
              AS new (message_id, state, attempt, queued_at, due_at, since)
         WHERE outbox.message_id = new.message_id",
        &column(rows, |row| row.message_id.0),
        &column(rows, |row| row.state.as_str()) as _,
        &column(rows, |row| row.attempt.cast_signed()),
        &column(rows, |row| row.queued_at),
        &column(rows, |row| row.due_at),
        &column(rows, |row| row.since),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn delete(conn: &mut PgConnection, finished: &[(MessageId, u32)]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM outbox
         USING UNNEST($1::uuid[], $2::bigint[]) AS done (message_id, last_attempt)
         WHERE outbox.message_id = done.message_id AND outbox.attempt <= done.last_attempt",
        &column(finished, |(message_id, _)| message_id.0),
        &column(finished, |(_, last_attempt)| i64::from(*last_attempt)),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A row as the database gives it.
pub(crate) struct Columnwise {
    pub(crate) message_id: Uuid,
    pub(crate) contact_id: Uuid,
    pub(crate) line_id: Uuid,
    pub(crate) channel: String,
    pub(crate) to_number: String,
    pub(crate) sent_text: String,
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
        "SELECT message_id, contact_id, line_id, channel, to_number, sent_text, case_references, state, attempt,
                queued_at, due_at, since
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
