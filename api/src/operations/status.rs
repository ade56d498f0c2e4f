//! Taking in what became of an outbound message.

use docket_domain::case::{CaseCommand, CaseError, News};
use docket_domain::event::{Event, StreamId};
use docket_domain::held::{HeldBody, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::{HeldId, MessageId, Reference};
use docket_domain::personal::Personal;
use docket_projections::ledger::operation::{Decided, MessageKey, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::{Actor, Metadata};
use docket_projections::settings::Settings;
use serde::{Deserialize, Serialize};

use super::held::hold;
use crate::vonage::webhook::{Status, StatusKind};

/// A status that came in.
#[derive(Clone, Debug)]
pub struct RecordStatus {
    /// What the webhook said.
    pub status: Status,
    /// The webhook's body, kept if the message is not known.
    pub body: HeldBody,
    /// A fresh id, for the same case.
    pub held_id: HeldId,
    /// Our id of the request.
    pub request_id: Option<String>,
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

impl RecordStatus {
    fn message(&self) -> MessageKey {
        match self.sent() {
            Some((message_id, _)) => MessageKey::Id(message_id),
            None => MessageKey::ProviderId(self.status.provider_id.clone()),
        }
    }

    fn sent(&self) -> Option<(MessageId, u32)> {
        MessageId::from_client_ref(self.status.client_ref.as_deref()?)
    }

    fn news(&self) -> News {
        let Status { status, at, error, .. } = &self.status;
        match status {
            StatusKind::Submitted => News::Sent { provider_id: Some(self.status.provider_id.clone()) },
            StatusKind::Delivered => News::Delivered { at: *at },
            StatusKind::Read => News::Read { at: *at },
            StatusKind::Rejected | StatusKind::Undeliverable => News::Failed {
                code: error.as_ref().and_then(|error| error.code),
                reason: failure_reason(&self.status),
            },
        }
    }
}

fn failure_reason(status: &Status) -> String {
    let error = status.error.as_ref();
    error
        .and_then(|error| error.code)
        .and_then(crate::vonage::webhook::reason)
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
        Metadata {
            actor: Actor::Vonage,
            request_id: self.request_id.clone(),
            cause: Some(self.status.provider_id.clone()),
        }
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs { message: Some(self.message()), streams: vec![StreamId::Held(self.held_id)], ..Needs::default() }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Recorded>, CaseError> {
        let Some((message_id, references)) = scope.message() else {
            // The same status again finds the webhook held under the same id, and is not kept twice.
            if scope.held(self.held_id).is_some_and(|held| held.version() > 0) {
                return Ok(Decided::nothing(Recorded::NothingNew));
            }
            let webhook = HeldWebhook {
                held_id: self.held_id,
                kind: WebhookKind::Status,
                reason: HeldReason::UnknownMessage,
                detail: "a status of a message that Docket did not send".to_owned(),
                provider_id: Some(self.status.provider_id.clone()),
                to: None,
                from: None,
                body: Personal(self.body.clone()),
            };
            return Ok(hold(webhook, Recorded::Held { held_id: self.held_id }));
        };
        let events = record_news(scope, message_id, references, self.sent().map(|(_, attempt)| attempt), &self.news())?;
        let output = if events.is_empty() { Recorded::NothingNew } else { Recorded::News };
        Ok(Decided { output, events, secrets: vec![] })
    }
}

/// The events that tell news of a message in every case that it stands in. Without an `attempt`, the current one is meant.
pub(super) fn record_news(
    scope: &Scope<'_>,
    message_id: MessageId,
    references: &[Reference],
    attempt: Option<u32>,
    news: &News,
) -> Result<Vec<(StreamId, Event)>, CaseError> {
    let mut events = vec![];
    for reference in references {
        let case = scope.case(*reference).ok_or(CaseError::NotOpened)?;
        let (_, progress) = case.state().ok_or(CaseError::NotOpened)?.outbound(message_id)?;
        let attempt = attempt.unwrap_or(progress.attempt);
        let told = case.decide(CaseCommand::RecordDelivery { message_id, attempt, news: news.clone() })?;
        events.extend(told.into_iter().map(|event| (StreamId::Case(*reference), event.into())));
    }
    Ok(events)
}
