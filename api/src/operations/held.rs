//! Keeping webhooks that cannot be routed, and routing them when the cause is mended.

use docket_domain::case::CaseError;
use docket_domain::event::StreamId;
use docket_domain::held::{HeldCommand, HeldError, HeldWebhook};
use docket_domain::ids::{HeldId, Reference};
use docket_domain::routing::TooManyOpenCases;
use docket_projections::ledger::operation::{Decided, MessageKey, Needs, Operation, Receipt};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;
use serde::{Deserialize, Serialize};

use super::receive::{FreshIds, RECEIPT, Unroutable, route, routing_needs};
use super::{Asked, hold, of_webhook};
use crate::http::request_id::RequestIds;
use crate::vonage::payload::Inbound;

/// A webhook that is to be kept as it came.
#[derive(Clone, Debug)]
pub struct HoldWebhook {
    /// The webhook.
    pub webhook: HeldWebhook,
    /// What makes it the same one when it comes again.
    pub receipt: Receipt,
    /// The ids of the request.
    pub request_id: Option<RequestIds>,
}

impl Operation for HoldWebhook {
    type Output = HeldId;
    type Refusal = HeldError;

    fn metadata(&self) -> Metadata {
        of_webhook(self.request_id.as_ref(), self.webhook.provider_id.clone())
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            receipt: Some(self.receipt.clone()),
            streams: vec![StreamId::Held(self.webhook.held_id)],
            ..Needs::default()
        }
    }

    fn decide(&self, _: &Scope<'_>) -> Result<Decided<HeldId>, HeldError> {
        Ok(hold(self.webhook.clone(), self.webhook.held_id))
    }
}

/// A kept inbound message that is to be routed again.
#[derive(Clone, Debug)]
pub struct RouteHeld {
    /// What is kept.
    pub held_id: HeldId,
    /// What it says, as read today.
    pub inbound: Inbound,
    /// Fresh ids.
    pub ids: FreshIds,
    /// Who asks.
    pub asked: Asked,
}

/// Why a kept message was not routed.
#[derive(Debug, thiserror::Error)]
pub enum RouteHeldError {
    /// It is not there, or was routed.
    #[error(transparent)]
    Held(#[from] HeldError),
    /// A case refused it.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// Still no line has its number.
    #[error("no {channel} line has the number that the message was sent to; add the line first")]
    NoLine {
        /// The channel it came on.
        channel: docket_domain::channel::Channel,
    },
    /// Still its sender has too many open cases.
    #[error(transparent)]
    TooMany(#[from] TooManyOpenCases),
}

impl From<Unroutable> for RouteHeldError {
    fn from(unroutable: Unroutable) -> Self {
        match unroutable {
            Unroutable::Case(error) => error.into(),
            Unroutable::TooMany(error) => error.into(),
        }
    }
}

/// Where a kept message came to stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutedHeld {
    /// The cases, ordered.
    pub references: Vec<Reference>,
}

impl Operation for RouteHeld {
    type Output = RoutedHeld;
    type Refusal = RouteHeldError;

    fn metadata(&self) -> Metadata {
        Metadata {
            cause: Some(self.inbound.provider_id.clone()),
            ..self.asked.metadata()
        }
    }

    fn needs(&self, settings: &Settings) -> Needs {
        let needs = routing_needs(&self.inbound, self.ids.contact_id, settings);
        // Vonage may send it once more, as on the day when it was kept; from now on that is a repetition.
        let gives = needs.is_some().then(|| Receipt {
            kind: RECEIPT,
            key: self.inbound.provider_id.clone(),
        });
        let needs = needs.unwrap_or_default();
        Needs {
            gives,
            message: Some(MessageKey::Inbound(self.inbound.provider_id.clone())),
            streams: vec![StreamId::Held(self.held_id)],
            idempotency: self.asked.idempotency.clone(),
            ..needs
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<RoutedHeld>, RouteHeldError> {
        let held = scope.held(self.held_id).ok_or(HeldError::NotHeld)?;
        let Inbound { channel, .. } = self.inbound;
        let line = scope
            .settings()
            .line_of(&self.inbound.to, channel)
            .ok_or(RouteHeldError::NoLine { channel })?;
        // Whether it still waits is asked before a reference is taken for it.
        held.decide(HeldCommand::MarkRouted {
            message_id: self.ids.message_id,
            references: vec![],
        })?;
        if let Some((message_id, references)) = scope.message() {
            // It came once more before it was routed, and was read by then: it stands where that took it.
            let references = references.to_vec();
            let marked = held.decide(HeldCommand::MarkRouted {
                message_id,
                references: references.clone(),
            })?;
            let output = RoutedHeld { references };
            return Ok(Decided::on(StreamId::Held(self.held_id), marked, output));
        }
        let routed = route(scope, &self.inbound, line, &self.ids)?;
        let command = HeldCommand::MarkRouted {
            message_id: self.ids.message_id,
            references: routed.references.clone(),
        };
        let marked = held.decide(command)?;
        let output = RoutedHeld {
            references: routed.references,
        };
        Ok(Decided::with(routed.events, output).and_on(StreamId::Held(self.held_id), marked))
    }
}
