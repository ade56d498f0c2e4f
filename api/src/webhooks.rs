//! Vonage's webhooks: `POST /webhooks/vonage/inbound` and `/webhooks/vonage/status`.
//!
//! A webhook is answered 200 when, and only when, what it carried is committed; Vonage repeats on 429 and 5xx for a day, and takes any
//! other 4xx for the last word. So whatever is rightly signed is either recorded where it belongs or kept as unrouted, and what
//! cannot be judged now is answered 503.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use docket_domain::held::{HeldBody, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::{ContactId, HeldId, MessageId};
use docket_domain::personal::Personal;
use docket_projections::ledger::operation::{Answer, LedgerError, Operation, Receipt};
use metrics::counter;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tracing::{error, warn};
use uuid::Uuid;

use crate::app::App;
use crate::connections::took_too_long;
use crate::http::request_id;
use crate::operations::held::HoldWebhook;
use crate::operations::receive::{FreshIds, ReceiveMessage, Received};
use crate::operations::status::{RecordStatus, Recorded};
use crate::vonage::signature::{self, SignatureError};
use crate::vonage::webhook::{self, Cause, Undecodable};
use crate::vonage_settings;

/// The largest body that is read, in bytes.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// When Vonage may come again after a 503, in seconds; it keeps to a rhythm of its own, other senders may not.
const RETRY_AFTER_SECONDS: &str = "5";

/// How long a webhook waits for its commit. Vonage waits 15 s for an answer, and takes none for a 5xx; what is committed after
/// all is found by its receipt when the webhook comes again.
const PATIENCE: Duration = Duration::from_secs(12);

async fn submit<O: Operation>(
    app: &App,
    operation: O,
) -> Result<Answer<O::Output>, LedgerError<O::Refusal>> {
    tokio::time::timeout(PATIENCE, app.ledger.submit(operation))
        .await
        .unwrap_or(Err(LedgerError::Unavailable))
}

/// The routes, below `/webhooks/vonage`.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/inbound", post(inbound))
        .route("/status", post(status))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(app)
}

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Duplicate,
    Unrouted,
    Unsigned,
    WronglySigned,
    TooLarge,
    Incomplete,
    Unavailable,
}

impl Outcome {
    const fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Unrouted => "unrouted",
            Self::Unsigned | Self::WronglySigned | Self::TooLarge | Self::Incomplete => "refused",
            Self::Unavailable => "unavailable",
        }
    }

    /// The same, told apart as far as an owner can do something about it.
    const fn told_apart(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::WronglySigned => "wrongly_signed",
            Self::TooLarge => "too_large",
            Self::Incomplete => "incomplete",
            Self::Accepted | Self::Duplicate | Self::Unrouted | Self::Unavailable => self.label(),
        }
    }

    fn respond(self, app: &App, kind: WebhookKind) -> Response {
        counter!("docket_webhooks_total", "kind" => kind.as_str(), "result" => self.label())
            .increment(1);
        let now = (app.clock)();
        app.vonage
            .activity
            .note(kind.as_str(), self.told_apart(), now);
        match self {
            Self::Accepted | Self::Duplicate | Self::Unrouted => StatusCode::OK.into_response(),
            Self::WronglySigned => {
                (StatusCode::UNAUTHORIZED, "the signature is wrong\n").into_response()
            }
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is larger than 1 MiB\n",
            )
                .into_response(),
            Self::Incomplete => (StatusCode::BAD_REQUEST, "the body broke off\n").into_response(),
            Self::Unsigned => (
                StatusCode::SERVICE_UNAVAILABLE,
                [(RETRY_AFTER, RETRY_AFTER_SECONDS)],
                "the webhook must be signed\n",
            )
                .into_response(),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                [(RETRY_AFTER, RETRY_AFTER_SECONDS)],
                "come again\n",
            )
                .into_response(),
        }
    }
}

/// A webhook's body, once its signature was found right.
struct Signed {
    body: Bytes,
    request_id: Option<String>,
}

impl Signed {
    /// The body as it is kept.
    fn held_body(&self) -> HeldBody {
        HeldBody::new(&self.body, |bytes| hex::encode(bytes))
    }
}

async fn check(
    app: &App,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Signed, Outcome> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Outcome::TooLarge,
        // Whoever is slow today may be quicker next time, and a 4xx would be the last word.
        _ if took_too_long(&rejection) => Outcome::Unavailable,
        _ => Outcome::Incomplete,
    })?;
    let authorization = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let mut verified = verify(app, authorization, &body);
    if !matches!(verified, Ok(()) | Err(Unverified::Missing)) {
        // Perhaps an owner has just entered another secret, and this process has not heard of it yet. A refusal would be final.
        if let Err(error) = vonage_settings::refresh(app).await {
            warn!(%error, "a webhook could not be judged by the newest settings");
            return Err(Outcome::Unavailable);
        }
        verified = verify(app, authorization, &body);
    }
    match verified {
        Ok(()) => {}
        Err(Unverified::NoSecret) => {
            warn!("a webhook came, but no signature secret is set: enter it at the console");
            return Err(Outcome::Unsigned);
        }
        Err(Unverified::Missing) => return Err(Outcome::Unsigned),
        Err(Unverified::Wrong(error)) => {
            warn!(%error, "a webhook was refused");
            return Err(Outcome::WronglySigned);
        }
    }
    let request_id = headers
        .get(request_id::HEADER)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    Ok(Signed { body, request_id })
}

/// Why a webhook does not count.
enum Unverified {
    /// There is no secret to judge it by.
    NoSecret,
    /// It is not signed.
    Missing,
    /// It is signed wrongly.
    Wrong(SignatureError),
}

/// Judges a signature by the settings in use.
fn verify(app: &App, authorization: Option<&str>, body: &[u8]) -> Result<(), Unverified> {
    let secret = app.vonage.signature_secret.load();
    let Some(secret) = secret.as_ref() else {
        return Err(Unverified::NoSecret);
    };
    let application_id = app.vonage.application_id.load();
    let application_id = application_id.as_ref().map(|id| id.as_str());
    let secret = secret.expose_secret().as_bytes();
    match signature::verify(authorization, body, secret, application_id) {
        Ok(_) => Ok(()),
        Err(SignatureError::Missing) => Err(Unverified::Missing),
        Err(error @ SignatureError::Wrong(_)) => Err(Unverified::Wrong(error)),
    }
}

async fn inbound(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let kind = WebhookKind::Inbound;
    let outcome = match check(&app, &headers, body).await {
        Ok(signed) => take_inbound(&app, &signed).await,
        Err(outcome) => outcome,
    };
    outcome.respond(&app, kind)
}

async fn take_inbound(app: &App, signed: &Signed) -> Outcome {
    let kind = WebhookKind::Inbound;
    let inbound = match webhook::decode_inbound(&signed.body) {
        Ok(inbound) => inbound,
        Err(undecodable) => {
            return keep(app, Kept::undecodable(kind, undecodable), signed).await;
        }
    };
    let unrecordable = Kept {
        to: Some(inbound.to.clone()),
        from: Some(inbound.from.clone()),
        ..Kept::unrecordable(kind, inbound.provider_id.clone())
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

async fn status(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let outcome = match check(&app, &headers, body).await {
        Ok(signed) => take_status(&app, &signed).await,
        Err(outcome) => outcome,
    };
    outcome.respond(&app, WebhookKind::Status)
}

async fn take_status(app: &App, signed: &Signed) -> Outcome {
    let kind = WebhookKind::Status;
    let status = match webhook::decode_status(&signed.body) {
        Ok(status) => status,
        Err(undecodable) => {
            return keep(app, Kept::undecodable(kind, undecodable), signed).await;
        }
    };
    // The same status of an unknown message is kept under the same id, and so only once.
    let name = format!("{} {}", status.provider_id, status.status.as_str());
    let held_id = HeldId(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()));
    let unrecordable = Kept::unrecordable(kind, status.provider_id.clone());
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
        let Undecodable {
            cause,
            provider_id,
            to,
            from,
        } = undecodable;
        let reason = match cause {
            Cause::UnknownChannel(_) | Cause::UnknownMessageType(_) | Cause::UnknownStatus(_) => {
                HeldReason::UnknownType
            }
            Cause::NotJson
            | Cause::NotAnObject
            | Cause::TooDeep
            | Cause::MissingField(_)
            | Cause::BadValue(_) => HeldReason::Undecodable,
        };
        Self {
            kind,
            reason,
            detail: cause.to_string(),
            provider_id,
            to,
            from,
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
