//! The delivery worker's steps: claiming a message for a call, and recording what came of it.

use docket_domain::case::{CaseCommand, CaseError, News};
use docket_domain::delivery::{Progress, Status};
use docket_domain::ids::MessageId;
use docket_projections::ledger::operation::{Decided, MessageKey, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::{Actor, Metadata, Via};
use docket_projections::settings::Settings;

use super::in_each;

fn of_the_worker() -> Metadata {
    Metadata {
        cause: Some("delivery".to_owned()),
        ..Metadata::of(Actor::System, Via::Delivery)
    }
}

fn about(message_id: MessageId) -> Needs {
    Needs {
        message: Some(MessageKey::Id(message_id)),
        ..Needs::default()
    }
}

/// Commits that a call to Vonage is about to be made; whoever succeeds, and nobody else, makes it.
#[derive(Clone, Copy, Debug)]
pub struct BeginSending {
    /// The message.
    pub message_id: MessageId,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl Operation for BeginSending {
    /// How often Vonage could not take the message before, in this attempt.
    type Output = u32;
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        of_the_worker()
    }

    fn needs(&self, _: &Settings) -> Needs {
        about(self.message_id)
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<u32>, CaseError> {
        let Self {
            message_id,
            attempt,
        } = *self;
        let (_, references) = scope
            .message()
            .ok_or(CaseError::NoSuchMessage(message_id))?;
        let mut deferrals = 0;
        let events = in_each(scope, references, |case| {
            let state = case.state().ok_or(CaseError::NotOpened)?;
            deferrals = state.deferrals(message_id);
            let (message, Progress { status, .. }) = state.outbound(message_id)?;
            if scope.settings().line(message.line_id).is_none() {
                // The claim is older than the removal. `FailWithoutLine` tells the agent.
                return Err(CaseError::NotQueued { status });
            }
            case.decide(CaseCommand::BeginSending {
                message_id,
                attempt,
            })
        })?;
        Ok(Decided::with(events, deferrals))
    }
}

/// Why a message failed that waited on a line when the line was removed.
const LINE_REMOVED: &str = "the line was removed before the message was sent";

/// Records that a message fails which waits on a line that was removed; nothing where that is not so.
#[derive(Clone, Copy, Debug)]
pub struct FailWithoutLine {
    /// The message.
    pub message_id: MessageId,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl Operation for FailWithoutLine {
    type Output = ();
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        of_the_worker()
    }

    fn needs(&self, _: &Settings) -> Needs {
        about(self.message_id)
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, CaseError> {
        let Self {
            message_id,
            attempt,
        } = *self;
        let waiting = Progress {
            attempt,
            status: Status::Queued,
        };
        let (_, references) = scope
            .message()
            .ok_or(CaseError::NoSuchMessage(message_id))?;
        let events = in_each(scope, references, |case| {
            let state = case.state().ok_or(CaseError::NotOpened)?;
            let (message, progress) = state.outbound(message_id)?;
            if progress != waiting || scope.settings().line(message.line_id).is_some() {
                return Ok(vec![]);
            }
            case.decide(CaseCommand::RecordDelivery {
                message_id,
                attempt,
                news: News::Failed {
                    code: None,
                    reason: LINE_REMOVED.to_owned(),
                },
            })
        })?;
        Ok(Decided::with(events, ()))
    }
}

/// Records what came of a call.
#[derive(Clone, Debug)]
pub struct RecordOutcome {
    /// The message.
    pub message_id: MessageId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// What came of it.
    pub news: News,
}

impl Operation for RecordOutcome {
    type Output = ();
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        of_the_worker()
    }

    fn needs(&self, _: &Settings) -> Needs {
        about(self.message_id)
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, CaseError> {
        let (message_id, references) = scope
            .message()
            .ok_or(CaseError::NoSuchMessage(self.message_id))?;
        let events = in_each(scope, references, |case| {
            case.decide(CaseCommand::RecordDelivery {
                message_id,
                attempt: self.attempt,
                news: self.news.clone(),
            })
        })?;
        Ok(Decided::with(events, ()))
    }
}
