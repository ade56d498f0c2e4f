//! Recording what became of a file that a message carries.

use docket_domain::case::{CaseCommand, CaseError, MediaNews};
use docket_domain::ids::MessageId;
use docket_projections::ledger::operation::{Decided, MessageKey, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::{Actor, Metadata, Via};
use docket_projections::settings::Settings;

use super::in_each;

/// Records that a file is kept, or given up, in every case where its message stands.
#[derive(Clone, Debug)]
pub struct RecordMedia {
    /// The message.
    pub message_id: MessageId,
    /// Which file of it, from 0.
    pub item: u16,
    /// What became of it.
    pub news: MediaNews,
}

impl Operation for RecordMedia {
    type Output = ();
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        Metadata {
            cause: Some("media".to_owned()),
            ..Metadata::of(Actor::System, Via::System)
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
        let events = in_each(scope, references, |case| {
            case.decide(CaseCommand::RecordMedia {
                message_id,
                item: self.item,
                news: self.news.clone(),
            })
        })?;
        Ok(Decided::with(events, ()))
    }
}
