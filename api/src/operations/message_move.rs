//! Moving messages to where they belong, and undoing that.

use docket_domain::case::{
    Case, CaseCommand, CaseError, CaseEvent, InboundMessage, Opened, Origin, State,
};
use docket_domain::event::StreamId;
use docket_domain::ids::{MessageId, NoteId, Reference};
use docket_domain::personal::Personal;
use docket_domain::text::{normalise, title};
use docket_projections::ledger::operation::{Decided, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;
use serde::{Deserialize, Serialize};

use super::Asked;
use super::receive::{initial_status, run};

/// At most so many messages move at once.
pub const MAX_MOVED_AT_ONCE: usize = 100;

/// A message to be moved, perhaps with those that follow it.
#[derive(Clone, Debug)]
pub struct MoveMessage {
    /// The case that it is moved out of.
    pub from: Reference,
    /// The message.
    pub message_id: MessageId,
    /// The messages that follow it and move with it, in their order, as the caller found them; what stands there no more is left out.
    pub following: Vec<MessageId>,
    /// The open case of the same contact that it goes to; a new one where it is absent.
    pub to: Option<Reference>,
    /// Why.
    pub comment: Option<String>,
    /// A fresh id for the note that carries the comment.
    pub note_id: NoteId,
    /// Who asks.
    pub asked: Asked,
}

/// Where a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The case.
    pub reference: Reference,
    /// How many messages moved.
    #[serde(default = "one")]
    pub count: usize,
}

/// Answers that were kept before several messages could move at once.
const fn one() -> usize {
    1
}

/// Why a message was not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// One of the cases refuses.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The other case is not there, or not of this contact.
    #[error("a message moves only into an open case of the same contact")]
    OtherContact,
    /// It is there already.
    #[error("the message stands in that case already")]
    SameCase,
    /// Too many messages would move at once.
    #[error(
        "at most {MAX_MOVED_AT_ONCE} messages move at once, and more follow; move the last {MAX_MOVED_AT_ONCE} first, or fewer"
    )]
    TooMany,
}

impl Operation for MoveMessage {
    type Output = Moved;
    type Refusal = MoveError;

    fn metadata(&self) -> Metadata {
        self.asked.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            cases: std::iter::once(self.from).chain(self.to).collect(),
            recalled: self.messages().take(MAX_MOVED_AT_ONCE).collect(),
            new_references: usize::from(self.to.is_none()),
            idempotency: self.asked.idempotency.clone(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Moved>, MoveError> {
        let (source, state) = self.asked.case(scope, self.from)?;
        state.inbound(self.message_id)?;
        if self.messages().count() > MAX_MOVED_AT_ONCE {
            return Err(MoveError::TooMany);
        }
        let messages = self
            .messages()
            .filter_map(|message_id| state.inbound(message_id).ok().cloned())
            .collect();
        let comment = self
            .comment
            .as_deref()
            .and_then(normalise::typed_or_none)
            .map(Personal);
        match self.to {
            Some(to) => self.to_existing(scope, source, state, messages, to, comment.as_ref()),
            None => self.to_new(scope, source, state, messages, comment),
        }
    }
}

impl MoveMessage {
    /// The message and those that follow it, each once.
    fn messages(&self) -> impl Iterator<Item = MessageId> {
        let others = self.following.iter().copied();
        std::iter::once(self.message_id).chain(others.filter(|other| *other != self.message_id))
    }

    fn to_existing(
        &self,
        scope: &Scope<'_>,
        source: &Case,
        state: &State,
        messages: Vec<InboundMessage>,
        to: Reference,
        comment: Option<&Personal<String>>,
    ) -> Result<Decided<Moved>, MoveError> {
        if to == self.from {
            return Err(MoveError::SameCase);
        }
        let target = scope
            .case_of(state.origin.contact_id, to)
            .ok_or(MoveError::OtherContact)?;
        let count = messages.len();
        let (mut source, mut target) = (source.clone(), target.clone());
        let (mut moved_out, mut moved_in) = (vec![], vec![]);
        for message in messages {
            let message_id = message.message_id;
            let stands_there = target
                .state()
                .is_some_and(|target| target.messages.contains_key(&message_id));
            let arrive = if stands_there && target.is_routed_to() {
                CaseCommand::RecordRemovedElsewhere {
                    message_id,
                    from: self.from,
                    comment: comment.cloned(),
                }
            } else {
                CaseCommand::MoveIn {
                    message,
                    from: self.from,
                    made_case: false,
                    comment: comment.cloned(),
                    reaction: state.reactions.get(&message_id).cloned(),
                }
            };
            moved_in.extend(run(&mut target, arrive)?);
            let leave = CaseCommand::MoveOut {
                message_id,
                to,
                made_case: false,
                comment: comment.cloned(),
            };
            moved_out.extend(run(&mut source, leave)?);
        }
        let moved = Moved {
            reference: to,
            count,
        };
        Ok(Decided::on(StreamId::Case(self.from), moved_out, moved)
            .and_on(StreamId::Case(to), moved_in))
    }

    fn to_new(
        &self,
        scope: &Scope<'_>,
        source: &Case,
        state: &State,
        messages: Vec<InboundMessage>,
        comment: Option<Personal<String>>,
    ) -> Result<Decided<Moved>, MoveError> {
        let first = state.inbound(self.message_id)?.clone();
        let to = scope.new_reference();
        let count = messages.len();
        let (mut source, mut case) = (source.clone(), Case::default());
        let mut made = run(
            &mut case,
            CaseCommand::Open(Opened {
                reference: to,
                title: Personal(title::title(&first.content)),
                status: initial_status(scope, state.origin.survey_id),
                line_id: first.line_id,
                channel: first.channel,
                origin: Origin::Move { from: self.from },
                follows: None,
                ..state.origin.clone()
            }),
        )?;
        let mut moved_out = vec![];
        for message in messages {
            let message_id = message.message_id;
            let leave = CaseCommand::MoveOut {
                message_id,
                to,
                made_case: true,
                comment: comment.clone(),
            };
            moved_out.extend(run(&mut source, leave)?);
            let arrive = CaseCommand::MoveIn {
                message,
                from: self.from,
                made_case: true,
                comment: comment.clone(),
                reaction: state.reactions.get(&message_id).cloned(),
            };
            made.extend(run(&mut case, arrive)?);
        }
        if let Some(text) = comment {
            let note = CaseCommand::AddNote {
                note_id: self.note_id,
                author: self.asked.author(),
                text,
            };
            made.extend(run(&mut case, note)?);
        }
        let moved = Moved {
            reference: to,
            count,
        };
        Ok(Decided::on(StreamId::Case(self.from), moved_out, moved)
            .and_on(StreamId::Case(to), made))
    }
}

/// A move to be undone.
#[derive(Clone, Debug)]
pub struct UndoMove {
    /// The case that the move made.
    pub reference: Reference,
    /// The case that the message came from, as the caller found it; the decision trusts the case's own origin.
    pub source: Reference,
    /// The message.
    pub message_id: MessageId,
    /// The other messages that the same move brought.
    pub others: Vec<MessageId>,
    /// Who asks.
    pub asked: Asked,
}

impl Operation for UndoMove {
    type Output = Moved;
    type Refusal = MoveError;

    fn metadata(&self) -> Metadata {
        self.asked.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            cases: vec![self.reference, self.source],
            recalled: std::iter::once(self.message_id)
                .chain(self.others.iter().copied())
                .take(MAX_MOVED_AT_ONCE + 1)
                .collect(),
            idempotency: self.asked.idempotency.clone(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Moved>, MoveError> {
        let (made, state) = self.asked.case(scope, self.reference)?;
        let Origin::Move { from } = state.origin.origin else {
            return Err(CaseError::NotMadeByMove.into());
        };
        let source = scope
            .case_of(state.origin.contact_id, from)
            .ok_or(MoveError::OtherContact)?;
        let closed_status = scope
            .settings()
            .status_question(state.origin.survey_id)
            .map(|question| question.closed_value.clone());
        let undone = made.decide(CaseCommand::UndoMove {
            message_id: self.message_id,
            others: self.others.clone(),
            closed_status,
        })?;
        let mut source = source.clone();
        let mut returned = vec![];
        for message_id in undone.iter().filter_map(CaseEvent::message_id) {
            let stands_there = source
                .state()
                .is_some_and(|source| source.messages.contains_key(&message_id));
            let come_back = if stands_there {
                // Another move brought it back before.
                CaseCommand::RecordRemovedElsewhere {
                    message_id,
                    from: self.reference,
                    comment: None,
                }
            } else {
                CaseCommand::TakeBack {
                    message_id,
                    from: self.reference,
                    reaction: state.reactions.get(&message_id).cloned(),
                }
            };
            returned.extend(run(&mut source, come_back)?);
        }
        let moved = Moved {
            reference: from,
            count: undone.iter().filter_map(CaseEvent::message_id).count(),
        };
        Ok(Decided::on(StreamId::Case(self.reference), undone, moved)
            .and_on(StreamId::Case(from), returned))
    }
}
