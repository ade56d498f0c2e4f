//! The delivery worker's steps: claiming a message for a call, and recording what came of it.

use docket_domain::case::{Author, CaseCommand, CaseError, News, OutboundMessage};
use docket_domain::delivery::{Progress, Status};
use docket_domain::ids::MessageId;
use docket_projections::ledger::operation::{Decided, MessageKey, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::{Actor, Metadata, Via};
use docket_projections::settings::Settings;
use serde::{Deserialize, Serialize};

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

/// What became of claiming a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claimed {
    /// Whoever claimed it makes the call.
    ToSend {
        /// How often Vonage could not take the message before, in this attempt.
        deferrals: u32,
    },
    /// The contact opted out after it was queued: it failed, and no call is made.
    OptedOut,
}

/// Whether a message that waits may still be sent: its contact has not opted out, or it is what confirms that they did.
fn may_be_sent(scope: &Scope<'_>, message: &OutboundMessage) -> bool {
    message.author == Author::OptOutConfirmation
        || scope.may_be_sent_to(message.contact_id, message.channel)
}

fn failed(message_id: MessageId, attempt: u32, reason: &str) -> CaseCommand {
    CaseCommand::RecordDelivery {
        message_id,
        attempt,
        news: News::Failed {
            code: None,
            reason: reason.to_owned(),
        },
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
    type Output = Claimed;
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        of_the_worker()
    }

    fn needs(&self, _: &Settings) -> Needs {
        about(self.message_id)
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Claimed>, CaseError> {
        let Self {
            message_id,
            attempt,
        } = *self;
        let (_, references) = scope
            .message()
            .ok_or(CaseError::NoSuchMessage(message_id))?;
        let mut deferrals = 0;
        let mut is_opted_out = false;
        let events = in_each(scope, references, |case| {
            let state = case.state().ok_or(CaseError::NotOpened)?;
            deferrals = state.deferrals(message_id);
            let (message, Progress { status, .. }) = state.outbound(message_id)?;
            if scope.settings().line(message.line_id).is_none() {
                // The claim is older than the removal. `FailUnsendable` tells the agent.
                return Err(CaseError::NotQueued { status });
            }
            let begun = case.decide(CaseCommand::BeginSending {
                message_id,
                attempt,
            })?;
            is_opted_out = !may_be_sent(scope, message);
            if is_opted_out {
                return case.decide(failed(message_id, attempt, OPTED_OUT));
            }
            Ok(begun)
        })?;
        let claimed = if is_opted_out {
            Claimed::OptedOut
        } else {
            Claimed::ToSend { deferrals }
        };
        Ok(Decided::with(events, claimed))
    }
}

/// Why a message failed that waited on a line when the line was removed.
const LINE_REMOVED: &str = "the line was removed before the message was sent";

/// Why a message failed whose contact opted out while it waited.
const OPTED_OUT: &str = "the contact opted out before the message was sent";

/// Records that a message fails which waits on a line that was removed, or for a contact that opted out; nothing where that is not so.
#[derive(Clone, Copy, Debug)]
pub struct FailUnsendable {
    /// The message.
    pub message_id: MessageId,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl Operation for FailUnsendable {
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
            if progress != waiting {
                return Ok(vec![]);
            }
            if scope.settings().line(message.line_id).is_none() {
                case.decide(failed(message_id, attempt, LINE_REMOVED))
            } else if may_be_sent(scope, message) {
                Ok(vec![])
            } else {
                case.decide(failed(message_id, attempt, OPTED_OUT))
            }
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
