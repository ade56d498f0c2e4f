//! Opting out: what a message says of it, and the events that follow.
//!
//! The contact's own stream decides. The contact's open cases, and those in which the message stands, record the change for their
//! history.

use docket_domain::case::{CaseCommand, CaseError};
use docket_domain::channel::Channel;
use docket_domain::contact::profile::{Contact, ContactEvent, OptOutCause, OptOutChange};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, MessageId, Reference};
use docket_domain::text::{opt_out, references};
use docket_projections::ledger::scope::Scope;

use super::in_each;

/// What a message says of opting out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing.
    Nothing,
    /// It is a word that opts out.
    Out,
    /// It is a word that opts in again.
    In,
    /// It begins with a word that opts out.
    Perhaps,
}

/// What a text says of opting out. References in it are as if they were not there.
pub(super) fn heard(said: Option<&str>) -> Heard {
    let Some(said) = said else {
        return Heard::Nothing;
    };
    let said = references::strip_spaced_too(said);
    if opt_out::is_opt_out(&said) {
        Heard::Out
    } else if opt_out::is_opt_in(&said) {
        Heard::In
    } else if opt_out::begins_with_opt_out(&said) {
        Heard::Perhaps
    } else {
        Heard::Nothing
    }
}

/// Whether a text begins with a word that opts out, and says more: the contact may want to opt out.
pub fn may_be_meant(said: Option<&str>) -> bool {
    heard(said) == Heard::Perhaps
}

/// What a message changes of its sender.
pub(super) fn of_message(
    scope: &Scope<'_>,
    contact: ContactId,
    heard: Heard,
    channel: Channel,
    message_id: MessageId,
) -> Vec<ContactEvent> {
    let unknown = Contact::default();
    let profile = scope.profile(contact).unwrap_or(&unknown);
    let change = |opted_out| OptOutChange {
        channel,
        opted_out,
        cause: OptOutCause::Message { message_id },
        reason: None,
    };
    match heard {
        Heard::Nothing => vec![],
        Heard::Out => profile.opt_out(change(true)),
        Heard::In => profile.opt_out(change(false)),
        Heard::Perhaps => profile.suspect(channel, message_id),
    }
}

/// Puts what happened to the contact before what happened to its cases. So a case as it was after one of these events shows the
/// contact as it was after all of them.
pub(super) fn contact_first(events: &mut [(StreamId, Event)]) {
    events.sort_by_key(|(stream, _)| !matches!(stream, StreamId::Contact(_)));
}

/// The events of the contact's stream, and those of its open cases and of `references` that tell of them there. A case that begins
/// with the message is not known here, and records it by itself.
pub(super) fn recorded(
    scope: &Scope<'_>,
    contact: ContactId,
    changes: Vec<ContactEvent>,
    references: &[Reference],
) -> Result<Vec<(StreamId, Event)>, CaseError> {
    let mut events = vec![];
    for change in changes {
        if let Some(change) = change.opt_out_change() {
            let mut told = scope.open_cases(contact);
            told.extend(references);
            told.sort_unstable();
            told.dedup();
            events.extend(in_each(scope, &told, |case| {
                case.decide(CaseCommand::RecordOptOut(change.clone()))
            })?);
        }
        events.push((StreamId::Contact(contact), change.into()));
    }
    contact_first(&mut events);
    Ok(events)
}
