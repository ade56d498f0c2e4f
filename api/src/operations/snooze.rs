//! Waking cases whose snooze is over.

use chrono::{DateTime, Utc};
use docket_domain::case::{CaseCommand, CaseError};
use docket_domain::event::StreamId;
use docket_domain::ids::Reference;
use docket_projections::ledger::operation::{Decided, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::{Actor, Metadata, Via};
use docket_projections::settings::Settings;

/// A case whose snooze is due by the database's clock.
#[derive(Clone, Copy, Debug)]
pub struct WakeWhenDue {
    /// The case.
    pub reference: Reference,
    /// The time that has come. Where another process woke the case before, or somebody chose another time, nothing is recorded.
    pub until: DateTime<Utc>,
}

impl Operation for WakeWhenDue {
    /// Whether this woke the case.
    type Output = bool;
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        Metadata::of(Actor::System, Via::System)
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            cases: vec![self.reference],
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<bool>, CaseError> {
        let case = scope.case(self.reference).ok_or(CaseError::NotOpened)?;
        let events = case.decide(CaseCommand::WakeWhenDue { until: self.until })?;
        let woke = !events.is_empty();
        Ok(Decided::on(StreamId::Case(self.reference), events, woke))
    }
}
