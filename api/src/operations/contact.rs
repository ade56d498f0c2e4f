//! Changes of a contact: its name, the note about it, and whether anything may be sent to it.

use docket_domain::case::CaseError;
use docket_domain::channel::Channel;
use docket_domain::contact::profile::{
    Contact, ContactCommand, ContactError, OptOutCause, OptOutChange,
};
use docket_domain::event::StreamId;
use docket_domain::ids::ContactId;
use docket_domain::personal::Personal;
use docket_projections::ledger::operation::{Decided, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;
use serde::{Deserialize, Serialize};

use super::{Asked, opt_out};

/// What a contact has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactChanged {
    /// How many events its stream has.
    pub version: u64,
}

/// Why a contact was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeContactError {
    /// The contact refuses.
    #[error(transparent)]
    Contact(#[from] ContactError),
    /// A case of the contact's refuses.
    #[error(transparent)]
    Case(#[from] CaseError),
}

/// The contact, if whoever asks reaches its survey; any other is as if it were not there.
fn reached<'a>(
    scope: &'a Scope<'_>,
    contact_id: ContactId,
    asked: &Asked,
) -> Result<&'a Contact, ContactError> {
    let (_, survey_id) = scope.number_of(contact_id).ok_or(ContactError::NotKnown)?;
    if !asked.access.reaches(survey_id) {
        return Err(ContactError::NotKnown);
    }
    scope.profile(contact_id).ok_or(ContactError::NotKnown)
}

fn about(contact_id: ContactId, asked: &Asked) -> Needs {
    Needs {
        contacts: vec![contact_id],
        idempotency: asked.idempotency.clone(),
        ..Needs::default()
    }
}

/// Another name or note of a contact.
#[derive(Clone, Debug)]
pub struct ChangeContact {
    /// The contact.
    pub contact_id: ContactId,
    /// The name; an empty one takes it off, `None` leaves it.
    pub name: Option<String>,
    /// The note; an empty one takes it off, `None` leaves it.
    pub note: Option<String>,
    /// Who asks.
    pub asked: Asked,
}

impl Operation for ChangeContact {
    type Output = ContactChanged;
    type Refusal = ChangeContactError;

    fn metadata(&self) -> Metadata {
        self.asked.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        about(self.contact_id, &self.asked)
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<ContactChanged>, ChangeContactError> {
        let contact = reached(scope, self.contact_id, &self.asked)?;
        let mut events = vec![];
        if let Some(name) = &self.name {
            let name = Personal(name.clone());
            events.extend(contact.decide(ContactCommand::Rename { name })?);
        }
        if let Some(note) = &self.note {
            let note = Personal(note.clone());
            events.extend(contact.decide(ContactCommand::Note { note })?);
        }
        let version = contact.version() + events.len() as u64;
        let stream = StreamId::Contact(self.contact_id);
        Ok(Decided::on(stream, events, ContactChanged { version }))
    }
}

/// A contact that a person opts out on a channel, or in again.
#[derive(Clone, Debug)]
pub struct SetOptOut {
    /// The contact.
    pub contact_id: ContactId,
    /// The channel.
    pub channel: Channel,
    /// Whether nothing is to be sent to the contact on it.
    pub opted_out: bool,
    /// Why.
    pub reason: Option<String>,
    /// Who asks.
    pub asked: Asked,
}

impl Operation for SetOptOut {
    type Output = ContactChanged;
    type Refusal = ChangeContactError;

    fn metadata(&self) -> Metadata {
        self.asked.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        about(self.contact_id, &self.asked)
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<ContactChanged>, ChangeContactError> {
        let contact = reached(scope, self.contact_id, &self.asked)?;
        let changes = contact.decide(ContactCommand::SetOptOut(OptOutChange {
            channel: self.channel,
            opted_out: self.opted_out,
            cause: OptOutCause::Person,
            reason: self.reason.clone().map(Personal),
        }))?;
        let version = contact.version() + changes.len() as u64;
        let events = opt_out::recorded(scope, self.contact_id, changes, &[])?;
        Ok(Decided::with(events, ContactChanged { version }))
    }
}
