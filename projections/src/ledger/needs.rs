//! What an operation needs to be read before it is decided.

use docket_domain::event::StreamId;
use docket_domain::ids::{ContactId, MessageId, Reference, SurveyId};
use uuid::Uuid;

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
