//! The delivery worker's steps: claiming a message for a call, and recording what came of it.

use docket_domain::case::{CaseCommand, CaseError, News};
use docket_domain::event::StreamId;
use docket_domain::ids::MessageId;
use docket_projections::ledger::operation::{Decided, MessageKey, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::{Actor, Metadata};
use docket_projections::settings::Settings;

use super::status::record_news;

/// Commits that a call to Vonage is about to be made; whoever succeeds, and nobody else, makes it.
#[derive(Clone, Copy, Debug)]
pub struct BeginSending {
    /// The message.
    pub message_id: MessageId,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl Operation for BeginSending {
    type Output = ();
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        Metadata {
            actor: Actor::System,
            request_id: None,
            cause: Some("delivery".to_owned()),
        }
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            message: Some(MessageKey::Id(self.message_id)),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, CaseError> {
        let Self {
            message_id,
            attempt,
        } = *self;
        let (_, references) = scope
            .message()
            .ok_or(CaseError::NoSuchMessage(message_id))?;
        let mut events = vec![];
        for reference in references {
            let case = scope.case(*reference).ok_or(CaseError::NotOpened)?;
            let begun = case.decide(CaseCommand::BeginSending {
                message_id,
                attempt,
            })?;
            events.extend(
                begun
                    .into_iter()
                    .map(|event| (StreamId::Case(*reference), event.into())),
            );
        }
        Ok(Decided {
            output: (),
            events,
            secrets: vec![],
        })
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
        Metadata {
            actor: Actor::System,
            request_id: None,
            cause: Some("delivery".to_owned()),
        }
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            message: Some(MessageKey::Id(self.message_id)),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, CaseError> {
        let (message_id, references) = scope
            .message()
            .ok_or(CaseError::NoSuchMessage(self.message_id))?;
        let events = record_news(
            scope,
            message_id,
            references,
            Some(self.attempt),
            &self.news,
        )?;
        Ok(Decided {
            output: (),
            events,
            secrets: vec![],
        })
    }
}
