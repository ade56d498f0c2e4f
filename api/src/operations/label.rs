//! Creating, changing and deleting labels.

use docket_domain::event::StreamId;
use docket_domain::ids::LabelId;
use docket_domain::label::{LabelCommand, LabelError, Labels};
use docket_projections::ledger::operation::{Decided, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;

use super::Administrator;

/// A label that is to be created, changed or deleted.
#[derive(Clone, Debug)]
pub struct ChangeLabel {
    /// The label.
    pub label_id: LabelId,
    /// What is to be done.
    pub command: LabelCommand,
    /// Who asks.
    pub by: Administrator,
}

impl Operation for ChangeLabel {
    type Output = LabelId;
    type Refusal = LabelError;

    fn metadata(&self) -> Metadata {
        self.by.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            streams: vec![StreamId::Labels],
            idempotency: self.by.idempotency(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<LabelId>, LabelError> {
        let none = Labels::default();
        let labels = scope.labels().unwrap_or(&none);
        let events = labels.decide(self.command.clone())?;
        Ok(Decided::on(StreamId::Labels, events, self.label_id))
    }
}
