//! Taking in what became of an outbound message.

use docket_domain::case::{CaseCommand, CaseError, News, SentId};
use docket_domain::contact::profile::{OptOutCause, OptOutChange};
use docket_domain::event::{Event, StreamId};
use docket_domain::held::{HeldBody, HeldCommand, HeldError, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::{HeldId, MessageId, Reference};
use docket_domain::personal::Personal;
use docket_projections::ledger::operation::{Decided, MessageKey, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;
use serde::{Deserialize, Serialize};

use super::held::RoutedHeld;
use super::{Asked, hold, in_each, of_webhook, opt_out};
use crate::http::request_id::RequestIds;
use crate::vonage::payload::{Status, StatusKind};

/// Vonage's error code for a number that opted out of messages.
const OPTED_OUT_CODE: u32 = 1240;

/// A status that came in.
#[derive(Clone, Debug)]
pub struct RecordStatus {
    /// What the webhook said.
    pub status: Status,
    /// The webhook's body, kept if the message is not known.
    pub body: HeldBody,
    /// A fresh id, for the same case.
    pub held_id: HeldId,
    /// The ids of the request.
    pub request_id: Option<RequestIds>,
}

/// What a status came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// It told something new.
    News,
    /// All of it was known.
    NothingNew,
    /// It is about no message of ours, and is kept.
    Held {
        /// Our id of what is kept.
        held_id: HeldId,
    },
}

/// The message that a status is about: by what we called it, or else by what Vonage calls it.
fn message(status: &Status) -> MessageKey {
    match sent(status) {
        Some((message_id, _)) => MessageKey::Id(message_id),
        None => MessageKey::ProviderId(status.message().to_owned()),
    }
}

fn sent(status: &Status) -> Option<(MessageId, u32)> {
    MessageId::from_client_ref(status.client_ref.as_deref()?)
}

fn news(status: &Status) -> News {
    match status.status {
        StatusKind::Submitted => News::Sent {
            provider_id: status.provider_id.clone(),
        },
        StatusKind::Delivered => News::Delivered {
            at: status.at,
            at_is_arrival: status.at_is_arrival,
        },
        StatusKind::Read => News::Read {
            at: status.at,
            at_is_arrival: status.at_is_arrival,
        },
        StatusKind::Rejected | StatusKind::Undeliverable => News::Failed {
            code: status.error.as_ref().and_then(|error| error.code),
            reason: failure_reason(status),
        },
    }
}

fn failure_reason(status: &Status) -> String {
    let error = status.error.as_ref();
    error
        .and_then(|error| error.code)
        .and_then(crate::vonage::payload::reason)
        .map(str::to_owned)
        .or_else(|| error.and_then(|error| error.detail.clone().or_else(|| error.title.clone())))
        .unwrap_or_else(|| match status.status {
            StatusKind::Rejected => "Vonage rejected the message without a reason".to_owned(),
            _ => "the message could not be delivered, and no reason was given".to_owned(),
        })
}

impl Operation for RecordStatus {
    type Output = Recorded;
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        of_webhook(
            self.request_id.as_ref(),
            Some(self.status.message().to_owned()),
        )
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            message: Some(message(&self.status)),
            streams: vec![StreamId::Held(self.held_id)],
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Recorded>, CaseError> {
        let Some((message_id, references)) = scope.message() else {
            // The same status again finds the webhook held under the same id, and is not kept twice.
            if scope
                .held(self.held_id)
                .is_some_and(|held| held.version() > 0)
            {
                return Ok(Decided::nothing(Recorded::NothingNew));
            }
            let webhook = HeldWebhook {
                held_id: self.held_id,
                kind: WebhookKind::Status,
                reason: HeldReason::UnknownMessage,
                detail: "a status of a message that Docket did not send".to_owned(),
                provider_id: Some(self.status.message().to_owned()),
                to: None,
                from: None,
                body: Personal(self.body.clone()),
            };
            return Ok(hold(
                webhook,
                Recorded::Held {
                    held_id: self.held_id,
                },
            ));
        };
        let events = record_status(scope, message_id, references, &self.status)?;
        let output = if events.is_empty() {
            Recorded::NothingNew
        } else {
            Recorded::News
        };
        Ok(Decided::with(events, output))
    }
}

/// A kept status that is to be recorded, now that its message is known.
#[derive(Clone, Debug)]
pub struct RouteHeldStatus {
    /// What is kept.
    pub held_id: HeldId,
    /// What it says, as read today.
    pub status: Status,
    /// Who asks.
    pub asked: Asked,
}

/// Why a kept status was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RouteHeldStatusError {
    /// It is not there, or was routed.
    #[error(transparent)]
    Held(#[from] HeldError),
    /// A case refused it.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// Still no message of ours is meant.
    #[error("it is the status of a message that Docket did not send")]
    NoMessage,
}

impl Operation for RouteHeldStatus {
    type Output = RoutedHeld;
    type Refusal = RouteHeldStatusError;

    fn metadata(&self) -> Metadata {
        Metadata {
            cause: Some(self.status.message().to_owned()),
            ..self.asked.metadata()
        }
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            message: Some(message(&self.status)),
            streams: vec![StreamId::Held(self.held_id)],
            idempotency: self.asked.idempotency.clone(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<RoutedHeld>, RouteHeldStatusError> {
        let held = scope.held(self.held_id).ok_or(HeldError::NotHeld)?;
        let (message_id, references) = scope.message().ok_or(RouteHeldStatusError::NoMessage)?;
        let references = references.to_vec();
        let marked = held.decide(HeldCommand::MarkRouted {
            message_id,
            references: references.clone(),
        })?;
        let events = record_status(scope, message_id, &references, &self.status)?;
        let decided = Decided::with(events, RoutedHeld { references });
        Ok(decided.and_on(StreamId::Held(self.held_id), marked))
    }
}

/// The events that tell of a status in every case that its message stands in: what Vonage calls the attempt, where that is new and
/// the rest does not say it, and then how far the message has come.
fn record_status(
    scope: &Scope<'_>,
    message_id: MessageId,
    references: &[Reference],
    status: &Status,
) -> Result<Vec<(StreamId, Event)>, CaseError> {
    let news = news(status);
    let mut sent_to = None;
    let mut events = in_each(scope, references, |case| {
        let state = case.state().ok_or(CaseError::NotOpened)?;
        let (message, progress) = state.outbound(message_id)?;
        sent_to = Some((message.contact_id, message.channel));
        let of_that_id = |known: &&SentId| Some(&known.provider_id) == status.provider_id.as_ref();
        let attempt = if let Some((_, attempt)) = sent(status) {
            attempt
        } else {
            let known = state.sent_ids(message_id).iter().find(of_that_id);
            known.map_or(progress.attempt, |known| known.attempt)
        };
        let mut events = match (&news, &status.provider_id) {
            (News::Sent { .. }, _) | (_, None) => vec![],
            (_, Some(provider_id)) => case.decide(CaseCommand::Identify {
                message_id,
                attempt,
                provider_id: provider_id.clone(),
            })?,
        };
        events.extend(case.decide(CaseCommand::RecordDelivery {
            message_id,
            attempt,
            news: news.clone(),
        })?);
        Ok(events)
    })?;
    // A status that comes again says nothing of how things are now.
    if !events.is_empty()
        && let (Some((contact, channel)), Some(code)) = (sent_to, opt_out_code(&news))
        && let Some(profile) = scope.profile(contact)
    {
        let changes = profile.opt_out(OptOutChange {
            channel,
            opted_out: true,
            cause: OptOutCause::Vonage { code },
            reason: None,
        });
        events.extend(opt_out::recorded(scope, contact, changes, references)?);
        opt_out::contact_first(&mut events);
    }
    Ok(events)
}

/// Vonage's code, where it says that the contact opted out.
const fn opt_out_code(news: &News) -> Option<u32> {
    match news {
        News::Failed { code, .. } => match code {
            Some(OPTED_OUT_CODE) => *code,
            _ => None,
        },
        _ => None,
    }
}
