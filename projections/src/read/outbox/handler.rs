//! What events make of the outbox.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::case::{CaseEvent, OutboundMessage};
use docket_domain::event::Event;
use docket_domain::ids::MessageId;
use serde::Serialize;
use uuid::Uuid;

use super::State;
use crate::log::recorded::{Recorded, to_database_precision};
use crate::read::Projection;
use crate::read::writes::{Writes, row};

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

row! {
    /// A message that is to be sent. Where it has a row, an earlier attempt in it gives way, and any other row stays.
    #[derive(Serialize)]
    pub(crate) struct OutboxQueuing = "outbox_queuing" {
        message_id: Uuid,
        contact_id: Uuid,
        line_id: Uuid,
        channel: &'static str,
        to_number: String,
        sent_text: String,
        case_references: Vec<i32>,
        state: &'static str,
        attempt: i32,
        queued_at: DateTime<Utc>,
        due_at: DateTime<Utc>,
        since: DateTime<Utc>,
        /// JSON.
        template: Option<String>,
    }
}

row! {
    /// A message whose call begins, where it waits in that attempt.
    #[derive(Serialize)]
    pub(crate) struct OutboxSending = "outbox_sending" {
        message_id: Uuid,
        attempt: i32,
        since: DateTime<Utc>,
    }
}

row! {
    /// A message that is put off, where it is being sent in that attempt.
    #[derive(Serialize)]
    pub(crate) struct OutboxDeferral = "outbox_deferral" {
        message_id: Uuid,
        attempt: i32,
        due_at: DateTime<Utc>,
        since: DateTime<Utc>,
    }
}

row! {
    /// A message that needs no more sending, unless its row is at a later attempt.
    #[derive(Serialize)]
    pub(crate) struct OutboxEnd = "outbox_end" {
        message_id: Uuid,
        last_attempt: i64,
    }
}

const QUEUE: &str = "
    INSERT INTO outbox (message_id, contact_id, line_id, channel, to_number, sent_text, case_references, state, attempt,
                        queued_at, due_at, since, template)
    SELECT r.message_id, r.contact_id, r.line_id, r.channel, r.to_number, r.sent_text, r.case_references, r.state,
           r.attempt, dated(r.queued_at, $2), dated(r.due_at, $2), dated(r.since, $2), r.template::jsonb
      FROM jsonb_to_recordset($1)
           AS r (message_id uuid, contact_id uuid, line_id uuid, channel text, to_number text, sent_text text,
                 case_references integer[], state text, attempt integer, queued_at timestamptz, due_at timestamptz,
                 since timestamptz, template text)
    ON CONFLICT (message_id) DO UPDATE
       SET state = excluded.state, attempt = excluded.attempt, queued_at = excluded.queued_at,
           due_at = excluded.due_at, since = excluded.since
     WHERE outbox.attempt < excluded.attempt";

const SEND: &str = "
    UPDATE outbox o
       SET state = 'sending', since = dated(r.since, $2)
      FROM jsonb_to_recordset($1) AS r (message_id uuid, attempt integer, since timestamptz)
     WHERE o.message_id = r.message_id AND o.attempt = r.attempt AND o.state = 'queued'";

const DEFER: &str = "
    UPDATE outbox o
       SET state = 'queued', due_at = r.due_at, since = dated(r.since, $2)
      FROM jsonb_to_recordset($1) AS r (message_id uuid, attempt integer, due_at timestamptz, since timestamptz)
     WHERE o.message_id = r.message_id AND o.attempt = r.attempt AND o.state = 'sending'";

const END: &str = "
    DELETE FROM outbox o
     USING jsonb_to_recordset($1) AS r (message_id uuid, last_attempt bigint)
     WHERE o.message_id = r.message_id AND o.attempt <= r.last_attempt";

impl StepKind {
    /// The attempt that it is about; of an end, the last one.
    const fn attempt(&self) -> u32 {
        match self {
            Self::Queue { attempt, .. } | Self::Send { attempt } | Self::Defer { attempt, .. } => {
                *attempt
            }
            Self::Finish { last_attempt } => *last_attempt,
        }
    }

    const fn is_end(&self) -> bool {
        matches!(self, Self::Finish { .. })
    }

    /// Whether this after `earlier` changes nothing, as when several cases tell the same.
    fn repeats(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Finish { last_attempt }, Self::Finish { .. }) => {
                *last_attempt <= earlier.attempt()
            }
            // The row is at that later attempt, or at one after it.
            (Self::Finish { last_attempt }, Self::Queue { attempt, .. }) => last_attempt < attempt,
            (Self::Queue { .. }, Self::Queue { .. })
            | (Self::Send { .. }, Self::Send { .. })
            | (Self::Defer { .. }, Self::Defer { .. }) => self.attempt() == earlier.attempt(),
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
            | CaseEvent::LabelsChanged { .. }
            | CaseEvent::CaseSnoozed { .. }
            | CaseEvent::CaseWoken { .. }
            | CaseEvent::NoteAdded { .. }
            | CaseEvent::PeopleMentioned { .. }
            | CaseEvent::MessageMovedOut { .. }
            | CaseEvent::MessageMovedIn { .. }
            | CaseEvent::MoveUndone { .. }
            | CaseEvent::MessageReturned { .. }
            | CaseEvent::MessageRemovedElsewhere { .. }
            | CaseEvent::ReactionReceived { .. }
            | CaseEvent::OptOutChanged(_)
            | CaseEvent::MediaStored(_)
            | CaseEvent::MediaFailed { .. } => return None,
        };
        Some((
            message_id,
            Self {
                at: recorded.recorded_at,
                kind,
            },
        ))
    }
}

/// Adds a step to those of the same message. An end removes the row of every attempt up to its own, so what earlier steps did with
/// these attempts does not matter.
fn add(steps: &mut Vec<Step>, step: Step) {
    if step.kind.is_end() {
        let last_attempt = step.kind.attempt();
        while steps
            .last()
            .is_some_and(|last| last.kind.attempt() <= last_attempt)
        {
            steps.pop();
        }
    }
    if !steps
        .last()
        .is_some_and(|last| step.kind.repeats(&last.kind))
    {
        steps.push(step);
    }
}

fn queuing(message: OutboundMessage, attempt: u32, at: DateTime<Utc>) -> OutboxQueuing {
    OutboxQueuing {
        part: 0,
        message_id: message.message_id.0,
        contact_id: message.contact_id.0,
        line_id: message.line_id.0,
        channel: message.channel.as_str(),
        to_number: message.to.0,
        sent_text: message.sent_text.0,
        case_references: message
            .references
            .iter()
            .map(|reference| reference.as_i32())
            .collect(),
        state: State::Queued.as_str(),
        attempt: attempt.cast_signed(),
        queued_at: at,
        due_at: at,
        since: at,
        template: message
            .template
            .map(|template| serde_json::to_string(&template).expect("strings serialise")),
    }
}

/// Steps of different messages, which can be taken in any order.
#[derive(Default)]
struct Round {
    queuings: Vec<OutboxQueuing>,
    sendings: Vec<OutboxSending>,
    deferrals: Vec<OutboxDeferral>,
    ends: Vec<OutboxEnd>,
}

impl Round {
    fn add(&mut self, message_id: MessageId, step: Step) {
        let Step { at, kind } = step;
        let message_id = message_id.0;
        match kind {
            StepKind::Queue { message, attempt } => {
                self.queuings.push(queuing(*message, attempt, at));
            }
            StepKind::Send { attempt } => self.sendings.push(OutboxSending {
                part: 0,
                message_id,
                attempt: attempt.cast_signed(),
                since: at,
            }),
            StepKind::Defer {
                attempt,
                not_before,
            } => self.deferrals.push(OutboxDeferral {
                part: 0,
                message_id,
                attempt: attempt.cast_signed(),
                due_at: not_before,
                since: at,
            }),
            StepKind::Finish { last_attempt } => self.ends.push(OutboxEnd {
                part: 0,
                message_id,
                last_attempt: last_attempt.into(),
            }),
        }
    }
}

impl Projection for OutboxHandler {
    const NAME: &'static str = "outbox";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["outbox"];
    const STATEMENTS: &'static [&'static str] = &[QUEUE, SEND, DEFER, END];

    fn apply(&mut self, recorded: &Recorded) {
        if let Some((message_id, step)) = Step::of(recorded) {
            add(self.steps.entry(message_id).or_default(), step);
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        // All but the last steps of the messages: the first ones, then the second ones, and so on.
        let mut rounds: Vec<Round> = vec![];
        let mut last = Round::default();
        for (message_id, mut steps) in std::mem::take(&mut self.steps) {
            // The frequent rows insert; where a row may be there, it has to give way.
            let last_step =
                steps.pop_if(|step| !matches!(step.kind, StepKind::Queue { attempt: 2.., .. }));
            for (round, step) in steps.into_iter().enumerate() {
                if rounds.len() == round {
                    rounds.push(Round::default());
                }
                rounds[round].add(message_id, step);
            }
            if let Some(step) = last_step {
                last.add(message_id, step);
            }
        }
        for round in rounds {
            writes.statement::<Self>(QUEUE, round.queuings);
            writes.statement::<Self>(SEND, round.sendings);
            writes.statement::<Self>(DEFER, round.deferrals);
            writes.statement::<Self>(END, round.ends);
        }
        writes.rows.outbox_queuings.extend(last.queuings);
        writes.rows.outbox_sendings.extend(last.sendings);
        writes.rows.outbox_deferrals.extend(last.deferrals);
        writes.rows.outbox_ends.extend(last.ends);
    }
}
