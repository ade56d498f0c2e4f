//! Everything that Docket can be asked to do, as operations for the ledger.
//!
//! Each is a plain value with all it needs, ids and hashes included, so that the ledger can decide it again and again. Here the
//! matching rules of the domain meet what the ledger has loaded. What a person asks of a case takes the case from [`Asked::case`], so
//! that nobody changes one that they do not reach.

mod automatic_text;
pub mod case;
pub mod contact;
pub mod delivery;
pub mod held;
pub mod installation;
pub mod label;
pub mod line;
pub mod media;
pub mod message_move;
pub mod opt_out;
pub mod people;
pub mod probe;
pub mod receive;
pub mod reply;
pub mod snooze;
pub mod status;
pub mod survey;
pub mod user;
pub mod whatsapp_template;

use docket_domain::access::Access;
use docket_domain::case::{Author, Case, CaseError, CaseEvent, State};
use docket_domain::event::{Event, StreamId};
use docket_domain::held::{HeldEvent, HeldWebhook};
use docket_domain::ids::{Reference, TokenId, UserId};
use docket_domain::personal::Personal;
use docket_projections::ledger::operation::{Decided, IdempotencyKey};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::{Actor, Metadata, Via};

use crate::http::request_id::RequestIds;

/// The events that keep a webhook.
fn hold<T>(webhook: HeldWebhook, output: T) -> Decided<T> {
    Decided::on(
        StreamId::Held(webhook.held_id),
        [HeldEvent::WebhookHeld(webhook)],
        output,
    )
}

/// The events that the same decision gives in each of a message's cases.
fn in_each(
    scope: &Scope<'_>,
    references: &[Reference],
    mut decide: impl FnMut(&Case) -> Result<Vec<CaseEvent>, CaseError>,
) -> Result<Vec<(StreamId, Event)>, CaseError> {
    let mut events = vec![];
    for reference in references {
        let case = scope.case(*reference).ok_or(CaseError::NotOpened)?;
        events.extend(of_case(*reference, decide(case)?));
    }
    Ok(events)
}

/// A case's events as events of its stream.
fn of_case(
    reference: Reference,
    events: Vec<CaseEvent>,
) -> impl Iterator<Item = (StreamId, Event)> {
    events
        .into_iter()
        .map(move |event| (StreamId::Case(reference), event.into()))
}

/// The same with the ids of a request.
pub(crate) fn in_request(metadata: Metadata, request: Option<&RequestIds>) -> Metadata {
    Metadata {
        request_id: request.map(|request| request.id.clone()),
        client_request_id: request.and_then(|request| request.client_id.clone()),
        client_address: request.and_then(|request| request.client_address.clone()),
        ..metadata
    }
}

/// Metadata of something that a webhook says.
fn of_webhook(request: Option<&RequestIds>, cause: Option<String>) -> Metadata {
    Metadata {
        cause,
        ..in_request(Metadata::of(Actor::Vonage, Via::Webhook), request)
    }
}

/// Who asks for something at the console or the API, and in which request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The person.
    pub user_id: UserId,
    /// Their address.
    pub email: String,
    /// Which surveys' cases they reach: any other case is as if it were not there.
    pub access: Access,
    /// By which way they ask.
    pub via: Via,
    /// The token that asks in their name, where one does.
    pub token_id: Option<TokenId>,
    /// The ids of the request.
    pub request_id: Option<Box<RequestIds>>,
    /// The request's idempotency key, if it has one.
    pub idempotency: Option<IdempotencyKey>,
}

impl Asked {
    /// Who and in which request, as it stands beside events.
    pub fn metadata(&self) -> Metadata {
        let actor = Actor::User {
            user_id: self.user_id,
            email: self.email.clone(),
        };
        Metadata {
            token_id: self.token_id,
            ..in_request(Metadata::of(actor, self.via), self.request_id.as_deref())
        }
    }

    /// A case that the operation asked for, if whoever asks reaches it. The doors have looked already; this holds for operations on
    /// many cases too, and however access changes in between.
    fn case<'a>(
        &self,
        scope: &'a Scope<'_>,
        reference: Reference,
    ) -> Result<(&'a Case, &'a State), CaseError> {
        let case = scope.case(reference).ok_or(CaseError::NotOpened)?;
        let state = case.state().ok_or(CaseError::NotOpened)?;
        if self.access.reaches(state.origin.survey_id) {
            Ok((case, state))
        } else {
            Err(CaseError::NotOpened)
        }
    }

    fn author(&self) -> Author {
        Author::User {
            user_id: self.user_id,
            email: Personal(self.email.clone()),
        }
    }
}

/// Who asks for a change of settings or accounts: a person, or somebody at the command line.
#[derive(Clone, Debug)]
pub enum Administrator {
    /// A person who signed in.
    User(Asked),
    /// Somebody at the command line.
    CommandLine,
    /// Docket itself: at its first start, or where a call to Vonage shows that a line cannot go on.
    System,
}

impl Administrator {
    fn metadata(&self) -> Metadata {
        match self {
            Self::User(asked) => asked.metadata(),
            Self::CommandLine => Metadata::of(Actor::System, Via::Cli),
            Self::System => Metadata::of(Actor::System, Via::System),
        }
    }

    fn idempotency(&self) -> Option<IdempotencyKey> {
        match self {
            Self::User(asked) => asked.idempotency.clone(),
            Self::CommandLine | Self::System => None,
        }
    }
}
