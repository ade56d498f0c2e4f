//! What the ledger is asked to do.

use docket_domain::event::{Event, StreamId};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use super::needs::{ContactKey, IdempotencyKey, MessageKey, Needs, Receipt};
use super::scope::Scope;
pub use super::secret::SecretWrite;
use crate::log::recorded::Metadata;
use crate::settings::Settings;

/// A change that is asked for: what must be known to decide it, and the decision.
///
/// Both are pure. The ledger may ask several times, each time from fresh state, and records the events of the last time
/// only. To add an operation: implement this, and submit it.
pub trait Operation: Send + 'static {
    /// What the caller learns. It is kept as JSON where the request has an idempotency key.
    type Output: Serialize + DeserializeOwned + Send + 'static;
    /// Why nothing was done. What it says of itself may stand in logs, so it holds no text, number or secret.
    type Refusal: Send + 'static;

    /// Who asks, and why; written beside every event.
    fn metadata(&self) -> Metadata;

    /// What must be read before the decision.
    fn needs(&self, settings: &Settings) -> Needs;

    /// Decides.
    ///
    /// # Errors
    ///
    /// A refusal; nothing is recorded then.
    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Self::Output>, Self::Refusal>;
}

/// What an operation came to.
#[derive(Debug)]
pub struct Decided<T> {
    /// What the caller learns.
    pub output: T,
    /// What is recorded, in order.
    pub events: Vec<(StreamId, Event)>,
    /// Secrets that are kept beside the log, in the same transaction.
    pub secrets: Vec<SecretWrite>,
}

impl<T> Decided<T> {
    /// An outcome without events.
    pub const fn nothing(output: T) -> Self {
        Self::with(vec![], output)
    }

    /// An outcome with events of any streams.
    pub const fn with(events: Vec<(StreamId, Event)>, output: T) -> Self {
        Self {
            output,
            events,
            secrets: vec![],
        }
    }

    /// An outcome with events of one stream.
    pub fn on<E: Into<Event>>(
        stream: StreamId,
        events: impl IntoIterator<Item = E>,
        output: T,
    ) -> Self {
        let events = events.into_iter().map(|event| (stream, event.into()));
        Self::with(events.collect(), output)
    }

    /// The same with events of one more stream.
    #[must_use]
    pub fn and_on<E: Into<Event>>(
        mut self,
        stream: StreamId,
        events: impl IntoIterator<Item = E>,
    ) -> Self {
        self.events
            .extend(events.into_iter().map(|event| (stream, event.into())));
        self
    }

    /// The same with a secret to be kept.
    #[must_use]
    pub fn and_secret(mut self, secret: SecretWrite) -> Self {
        self.secrets.push(secret);
        self
    }
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// It was done now.
    Done(T),
    /// It was done before, with this outcome.
    Repeated(T),
    /// Its webhook was taken before.
    Duplicate,
}

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError<R> {
    /// It was decided against.
    #[error("refused: {0}")]
    Refused(R),
    /// Its idempotency key was used for something else.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Too much waits already; ask again soon.
    #[error("too much waits to be written")]
    Busy,
    /// The database is away, or Docket is shutting down; ask again later.
    #[error("the database cannot be reached")]
    Unavailable,
    /// It fails by itself, however often it is tried; the cause is in the log.
    #[error("the operation failed")]
    Broken,
}

#[cfg(test)]
mod tests {
    use docket_domain::case::CaseError;

    use super::*;

    #[test]
    fn a_refusal_says_why() {
        let refused = LedgerError::Refused(CaseError::NotOpened);
        assert_eq!(refused.to_string(), "refused: there is no such case");
    }
}
