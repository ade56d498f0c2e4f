//! Moving a message to where it belongs, and undoing that.

use docket_domain::case::{Case, CaseCommand, CaseError, Opened, Origin, State};
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

/// A message to be moved.
#[derive(Clone, Debug)]
pub struct MoveMessage {
    /// The case that it is moved out of.
    pub from: Reference,
    /// The message.
    pub message_id: MessageId,
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
            recalled: vec![self.message_id],
            new_references: usize::from(self.to.is_none()),
            idempotency: self.asked.idempotency.clone(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Moved>, MoveError> {
        let (source, state) = self.asked.case(scope, self.from)?;
        state.inbound(self.message_id)?;
        let comment = self
            .comment
            .as_deref()
            .and_then(normalise::typed_or_none)
            .map(Personal);
        match self.to {
            Some(to) => self.to_existing(scope, source, state, to, comment),
            None => self.to_new(scope, source, state, comment),
        }
    }
}

impl MoveMessage {
    fn to_existing(
        &self,
        scope: &Scope<'_>,
        source: &Case,
        state: &State,
        to: Reference,
        comment: Option<Personal<String>>,
    ) -> Result<Decided<Moved>, MoveError> {
        if to == self.from {
            return Err(MoveError::SameCase);
        }
        let target = scope
            .case_of(state.origin.contact_id, to)
            .ok_or(MoveError::OtherContact)?;
        let message = state.inbound(self.message_id)?.clone();
        let stands_there = target
            .state()
            .is_some_and(|target| target.messages.contains_key(&self.message_id));
        let moved_in = target.decide(if stands_there && target.is_routed_to() {
            CaseCommand::RecordRemovedElsewhere {
                message_id: self.message_id,
                from: self.from,
                comment: comment.clone(),
            }
        } else {
            CaseCommand::MoveIn {
                message,
                from: self.from,
                made_case: false,
                comment: comment.clone(),
                reaction: state.reactions.get(&self.message_id).cloned(),
            }
        })?;
        let moved_out = source.decide(CaseCommand::MoveOut {
            message_id: self.message_id,
            to,
            made_case: false,
            comment,
        })?;
        Ok(Decided::on(
            StreamId::Case(self.from),
            moved_out,
            Moved { reference: to },
        )
        .and_on(StreamId::Case(to), moved_in))
    }

    fn to_new(
        &self,
        scope: &Scope<'_>,
        source: &Case,
        state: &State,
        comment: Option<Personal<String>>,
    ) -> Result<Decided<Moved>, MoveError> {
        let message = state.inbound(self.message_id)?.clone();
        let to = scope.new_reference();
        let moved_out = source.decide(CaseCommand::MoveOut {
            message_id: self.message_id,
            to,
            made_case: true,
            comment: comment.clone(),
        })?;
        let mut case = Case::default();
        let mut made = run(
            &mut case,
            CaseCommand::Open(Opened {
                reference: to,
                title: Personal(title::title(&message.content)),
                status: initial_status(scope, state.origin.survey_id),
                line_id: message.line_id,
                channel: message.channel,
                origin: Origin::Move { from: self.from },
                follows: None,
                ..state.origin.clone()
            }),
        )?;
        let move_in = CaseCommand::MoveIn {
            message,
            from: self.from,
            made_case: true,
            comment: comment.clone(),
            reaction: state.reactions.get(&self.message_id).cloned(),
        };
        made.extend(run(&mut case, move_in)?);
        if let Some(text) = comment {
            let note = CaseCommand::AddNote {
                note_id: self.note_id,
                author: self.asked.author(),
                text,
            };
            made.extend(run(&mut case, note)?);
        }
        Ok(Decided::on(
            StreamId::Case(self.from),
            moved_out,
            Moved { reference: to },
        )
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
            recalled: vec![self.message_id],
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
            closed_status,
        })?;
        let stands_there = source
            .state()
            .is_some_and(|source| source.messages.contains_key(&self.message_id));
        let returned = source.decide(if stands_there {
            // Another move brought it back before.
            CaseCommand::RecordRemovedElsewhere {
                message_id: self.message_id,
                from: self.reference,
                comment: None,
            }
        } else {
            CaseCommand::TakeBack {
                message_id: self.message_id,
                from: self.reference,
                reaction: state.reactions.get(&self.message_id).cloned(),
            }
        })?;
        Ok(Decided::on(
            StreamId::Case(self.reference),
            undone,
            Moved { reference: from },
        )
        .and_on(StreamId::Case(from), returned))
    }
}
