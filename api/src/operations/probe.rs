//! Asking the write path whether it works, without changing anything.

use docket_projections::ledger::operation::{Decided, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::{Actor, Metadata, Via};
use docket_projections::settings::Settings;

/// Nothing, done as everything else is: it waits its turn, and is a transaction without events.
#[derive(Clone, Copy, Debug)]
pub struct Probe;

impl Operation for Probe {
    type Output = ();
    type Refusal = std::convert::Infallible;

    fn metadata(&self) -> Metadata {
        Metadata::of(Actor::System, Via::System)
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs::default()
    }

    fn decide(&self, _: &Scope<'_>) -> Result<Decided<()>, Self::Refusal> {
        Ok(Decided::nothing(()))
    }
}
