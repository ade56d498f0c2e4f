//! An operation in the queue, whatever its type.

use std::panic::{AssertUnwindSafe, catch_unwind};

use docket_domain::event::{Event, StreamId};
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tracing::error;

use super::operation::{Answer, LedgerError, Needs, Operation, SecretWrite};
use super::scope::Scope;
use crate::log::recorded::Metadata;
use crate::settings::Settings;

/// What a decision leaves for the transaction to write.
#[derive(Default)]
pub(super) struct ToWrite {
    pub(super) events: Vec<(StreamId, Event)>,
    pub(super) secrets: Vec<SecretWrite>,
    /// The outcome as JSON, where an idempotency key asks for it.
    pub(super) outcome: Option<String>,
    /// Whether nothing came of it.
    pub(super) is_refused: bool,
}

impl ToWrite {
    fn refused() -> Self {
        Self {
            is_refused: true,
            ..Self::default()
        }
    }
}

/// Why a job was given up without a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    Unavailable,
    Broken,
}

/// An operation in the queue.
pub(super) trait Job: Send {
    fn metadata(&self) -> Metadata;
    fn needs(&self, settings: &Settings) -> Needs;
    /// Decides from fresh state, forgetting what was decided before. A refusal leaves nothing to write.
    fn decide(&mut self, scope: &Scope<'_>) -> ToWrite;
    /// The webhook was taken before.
    fn set_duplicate(&mut self);
    /// The request was done before, with that outcome.
    fn set_repeated(&mut self, outcome: &RawValue);
    /// The idempotency key was used for something else.
    fn set_key_reused(&mut self);
    /// Tells the caller what was decided; the transaction has committed.
    fn answer(self: Box<Self>);
    /// Tells the caller that nothing came of it.
    fn give_up(self: Box<Self>, why: GivenUp);
}

type Result<O> =
    std::result::Result<Answer<<O as Operation>::Output>, LedgerError<<O as Operation>::Refusal>>;

/// An operation with the caller who waits for it.
pub(super) struct Ticket<O: Operation> {
    operation: O,
    caller: oneshot::Sender<Result<O>>,
    decided: Option<Result<O>>,
}

impl<O: Operation> Ticket<O> {
    pub(super) const fn new(operation: O, caller: oneshot::Sender<Result<O>>) -> Self {
        Self {
            operation,
            caller,
            decided: None,
        }
    }
}

impl<O: Operation> Job for Ticket<O> {
    fn metadata(&self) -> Metadata {
        self.operation.metadata()
    }

    fn needs(&self, settings: &Settings) -> Needs {
        self.operation.needs(settings)
    }

    fn decide(&mut self, scope: &Scope<'_>) -> ToWrite {
        // A bug in one decision must not end the writer that everybody waits for.
        let Ok(decision) = catch_unwind(AssertUnwindSafe(|| self.operation.decide(scope))) else {
            error!(
                operation = std::any::type_name::<O>(),
                "a decision panicked"
            );
            self.decided = Some(Err(LedgerError::Broken));
            return ToWrite::refused();
        };
        match decision {
            Ok(decided) => {
                let outcome = scope
                    .needs
                    .idempotency
                    .as_ref()
                    .and_then(|_| serde_json::to_string(&decided.output).ok());
                self.decided = Some(Ok(Answer::Done(decided.output)));
                ToWrite {
                    events: decided.events,
                    secrets: decided.secrets,
                    outcome,
                    is_refused: false,
                }
            }
            Err(refusal) => {
                self.decided = Some(Err(LedgerError::Refused(refusal)));
                ToWrite::refused()
            }
        }
    }

    fn set_duplicate(&mut self) {
        self.decided = Some(Ok(Answer::Duplicate));
    }

    fn set_repeated(&mut self, outcome: &RawValue) {
        self.decided = Some(match serde_json::from_str(outcome.get()) {
            Ok(output) => Ok(Answer::Repeated(output)),
            Err(error) => {
                error!(%error, "a kept outcome cannot be read");
                Err(LedgerError::Broken)
            }
        });
    }

    fn set_key_reused(&mut self) {
        self.decided = Some(Err(LedgerError::KeyReused));
    }

    fn answer(self: Box<Self>) {
        // The caller may have gone away; what was done stays done.
        let _ = self
            .caller
            .send(self.decided.unwrap_or(Err(LedgerError::Broken)));
    }

    fn give_up(self: Box<Self>, why: GivenUp) {
        let _ = self.caller.send(Err(match why {
            GivenUp::Unavailable => LedgerError::Unavailable,
            GivenUp::Broken => LedgerError::Broken,
        }));
    }
}
