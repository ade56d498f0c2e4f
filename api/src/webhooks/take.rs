//! Taking in a webhook whose signature is right: recording it where it belongs, or keeping it as unrouted.

use std::time::Duration;

use docket_domain::held::{HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::{ContactId, HeldId, MessageId};
use docket_domain::personal::Personal;
use docket_projections::ledger::operation::{Answer, LedgerError, Operation, Receipt};
use sha2::{Digest, Sha256};
use tracing::error;
use uuid::Uuid;

use super::Outcome;
use super::signed::Signed;
use crate::app::App;
use crate::operations::held::HoldWebhook;
use crate::operations::receive::{FreshIds, ReceiveMessage, Received};
use crate::operations::status::{RecordStatus, Recorded};
use crate::vonage::payload::{self, Cause, Form, Inbound, Status, Undecodable, Webhook};

/// How long a webhook waits for its commit. Vonage waits 15 s for an answer, and takes none for a 5xx; what is committed after
/// all is found by its receipt when the webhook comes again.
const PATIENCE: Duration = Duration::from_secs(12);

/// What a webhook was, and what became of it.
pub(super) struct Taken {
    pub(super) outcome: Outcome,
    /// What it is, told by its content.
    pub(super) kind: WebhookKind,
    /// Whether it could be read, so that its kind is sure.
    pub(super) is_read: bool,
    pub(super) form: Form,
}

pub(super) async fn take(app: &App, signed: &Signed, expected: Option<WebhookKind>) -> Taken {
    let reading = payload::read(&signed.body, expected, (app.clock)());
    let kind = reading.kind;
    let is_read = reading.webhook.is_ok();
    let outcome = match reading.webhook {
        Ok(Webhook::Inbound(inbound)) => take_inbound(app, signed, inbound).await,
        Ok(Webhook::Status(status)) => take_status(app, signed, status).await,
        Err(undecodable) => keep(app, Kept::undecodable(kind, *undecodable), signed).await,
    };
    Taken {
        outcome,
        kind,
        is_read,
        form: reading.form,
    }
}

async fn submit<O: Operation>(
    app: &App,
    operation: O,
) -> Result<Answer<O::Output>, LedgerError<O::Refusal>> {
    tokio::time::timeout(PATIENCE, app.ledger.submit(operation))
        .await
        .unwrap_or(Err(LedgerError::Unavailable))
}

async fn take_inbound(app: &App, signed: &Signed, inbound: Inbound) -> Outcome {
    let unrecordable = Kept {
        to: Some(inbound.to.clone()),
        from: Some(inbound.from.clone()),
        ..Kept::unrecordable(WebhookKind::Inbound, inbound.provider_id.clone())
    };
    let operation = ReceiveMessage {
        inbound,
        body: signed.held_body(),
        ids: fresh_ids(app),
        request_id: signed.request_id.clone(),
    };
    match submit(app, operation).await {
        Ok(Answer::Duplicate) => Outcome::Duplicate,
        Ok(Answer::Done(Received::Held { .. }) | Answer::Repeated(Received::Held { .. })) => {
            Outcome::Unrouted
        }
        Ok(Answer::Done(_) | Answer::Repeated(_)) => Outcome::Accepted,
        Err(LedgerError::Busy | LedgerError::Unavailable) => Outcome::Unavailable,
        Err(error) => {
            // What Docket cannot record now, it would not record in a day of repetitions either; kept, it is not lost.
            error!(%error, "a message could not be recorded and is kept as unrouted");
            keep(app, unrecordable, signed).await
        }
    }
}

/// Ids for a message that is about to be taken in or routed again.
pub fn fresh_ids(app: &App) -> FreshIds {
    FreshIds {
        message_id: MessageId((app.new_id)()),
        contact_id: ContactId((app.new_id)()),
        reply_id: MessageId((app.new_id)()),
        held_id: HeldId((app.new_id)()),
    }
}

async fn take_status(app: &App, signed: &Signed, status: Status) -> Outcome {
    // The same status of an unknown message is kept under the same id, and so only once.
    let name = format!("{} {}", status.message(), status.status.as_str());
    let held_id = HeldId(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()));
    let unrecordable = Kept::unrecordable(WebhookKind::Status, status.message().to_owned());
    let operation = RecordStatus {
        status,
        body: signed.held_body(),
        held_id,
        request_id: signed.request_id.clone(),
    };
    match submit(app, operation).await {
        Ok(Answer::Done(Recorded::News) | Answer::Repeated(Recorded::News)) => Outcome::Accepted,
        Ok(Answer::Done(Recorded::Held { .. }) | Answer::Repeated(Recorded::Held { .. })) => {
            Outcome::Unrouted
        }
        Ok(_) => Outcome::Duplicate,
        Err(LedgerError::Busy | LedgerError::Unavailable) => Outcome::Unavailable,
        Err(error) => {
            error!(%error, "a status could not be recorded and is kept as unrouted");
            keep(app, unrecordable, signed).await
        }
    }
}

/// A webhook that has no place, and is kept to be looked at: what is known of it, and why.
struct Kept {
    kind: WebhookKind,
    reason: HeldReason,
    detail: String,
    provider_id: Option<String>,
    to: Option<String>,
    from: Option<String>,
}

impl Kept {
    /// One that Docket could not read.
    fn undecodable(kind: WebhookKind, undecodable: Undecodable) -> Self {
        let reason = match undecodable.cause {
            Cause::UnknownChannel(_) | Cause::UnknownStatus(_) => HeldReason::UnknownType,
            Cause::NotJson | Cause::NotAnObject | Cause::MissingField(_) | Cause::BadValue(_) => {
                HeldReason::Undecodable
            }
        };
        Self {
            kind,
            reason,
            detail: undecodable.cause.to_string(),
            provider_id: undecodable.provider_id,
            to: undecodable.to,
            from: undecodable.from,
        }
    }

    /// One that Docket read but could not record.
    fn unrecordable(kind: WebhookKind, provider_id: String) -> Self {
        Self {
            kind,
            reason: HeldReason::Undecodable,
            detail: "it was read, but could not be recorded; the server's log has the cause"
                .to_owned(),
            provider_id: Some(provider_id),
            to: None,
            from: None,
        }
    }
}

async fn keep(app: &App, kept: Kept, signed: &Signed) -> Outcome {
    let kind = kept.kind;
    let digest = hex::encode(Sha256::digest(&signed.body));
    let operation = HoldWebhook {
        webhook: HeldWebhook {
            held_id: HeldId((app.new_id)()),
            kind,
            reason: kept.reason,
            detail: kept.detail,
            provider_id: kept.provider_id,
            to: kept.to.map(Personal),
            from: kept.from.map(Personal),
            body: Personal(signed.held_body()),
        },
        receipt: Receipt {
            kind: "held",
            key: format!("{} {digest}", kind.as_str()),
        },
        request_id: signed.request_id.clone(),
    };
    match submit(app, operation).await {
        Ok(Answer::Duplicate) => Outcome::Duplicate,
        Ok(_) => Outcome::Unrouted,
        Err(error) => {
            error!(%error, "a webhook could not be kept");
            Outcome::Unavailable
        }
    }
}
