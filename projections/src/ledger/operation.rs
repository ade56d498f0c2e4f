//! What the ledger is asked to do.

use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, MessageId, Reference, SurveyId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

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

/// What an operation needs to be read. What it decides is written only if all of that is still so.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// The webhook's receipt: if it was given before, the operation is a duplicate and is not decided at all.
    pub receipt: Option<Receipt>,
    /// A webhook's receipt that is given by this too, whether it was given before or not.
    pub gives: Option<Receipt>,
    /// The request's idempotency key: if it was used before, the earlier answer is given again.
    pub idempotency: Option<IdempotencyKey>,
    /// A contact by number, made where it is not known, with its open cases.
    pub contact: Option<ContactKey>,
    /// Contacts that the operation is about, by their ids; one that is not known is not made.
    pub contacts: Vec<ContactId>,
    /// Cases that the operation is about.
    pub cases: Vec<Reference>,
    /// References that a message mentions: read where they are the contact's.
    pub mentioned: Vec<Reference>,
    /// Vonage's id of a message that is quoted.
    pub quoted: Option<String>,
    /// Whether the newest case of the contact is asked for.
    pub newest_case: bool,
    /// A message that the operation is about, with the cases that it stands in.
    pub message: Option<MessageKey>,
    /// Streams beside cases: of surveys, lines, held webhooks, users, sessions, attempts, looks and exports, and those of the
    /// installation and the labels.
    pub streams: Vec<StreamId>,
    /// An address, or a service account's name, of which must be known whose it is, in whatever case.
    pub email: Option<String>,
    /// Whether it is asked who the owners are; that none of them is made something else meanwhile is seen to.
    pub owners: bool,
    /// Messages that the decision reads in the cases that [`Needs::cases`] names.
    pub recalled: Vec<MessageId>,
    /// How many new references may be used.
    pub new_references: usize,
}

impl Needs {
    /// Whether the operation is none about cases or webhooks: it is done by itself, so that what goes wrong with it holds up nobody.
    pub(super) fn is_alone(&self) -> bool {
        let is_about_cases =
            self.contact.is_some() || !self.contacts.is_empty() || !self.cases.is_empty();
        !is_about_cases
            && self.streams.iter().any(|stream| {
                matches!(
                    stream,
                    StreamId::Survey(_)
                        | StreamId::Line(_)
                        | StreamId::User(_)
                        | StreamId::Session(_)
                        | StreamId::Installation
                        | StreamId::Labels
                        | StreamId::WhatsappTemplate(_)
                )
            })
    }
}

/// A webhook, by what makes it the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// What kind of thing it is.
    pub kind: &'static str,
    /// The key within the kind.
    pub key: String,
}

/// A request, by the key that its sender gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Whose key it is.
    pub actor: Uuid,
    /// The key.
    pub key: String,
    /// SHA-256 of what is asked.
    pub fingerprint: [u8; 32],
}

/// A contact, by what people know them by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactKey {
    /// The survey.
    pub survey_id: SurveyId,
    /// The number, in its one spelling.
    pub number: String,
    /// The id that the contact gets where it is not known yet.
    pub new_id: ContactId,
}

/// A message, by our id or Vonage's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageKey {
    /// By our id.
    Id(MessageId),
    /// By Vonage's id; an outbound message is meant.
    ProviderId(String),
    /// By Vonage's id; an inbound message of [`Needs::contact`] is meant.
    Inbound(String),
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
