//! Vonage's webhooks: everything beneath `/webhooks`.
//!
//! A webhook is answered 200 when, and only when, what it carried is committed; Vonage repeats on 429 and 5xx for a day, and takes any
//! other 4xx for the last word. So whatever is rightly signed is either recorded where it belongs or kept as unrouted, and what
//! cannot be judged now is answered 503. Only two answers are final: 401 to a wrong signature, and 413 to a body that is too large.
//!
//! Whether a webhook is a message or a status is told by its content, and every address beneath `/webhooks` takes both. What an owner
//! should mend in Vonage's settings, though the webhook was taken, is counted beside what became of it.

mod address;
mod signed;
mod take;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use docket_domain::held::WebhookKind;
use metrics::counter;

use self::address::Address;
pub use self::address::normalised;
pub use self::take::fresh_ids;
use crate::app::App;
use crate::connections::took_too_long;
use crate::vonage::payload::Form;
use crate::vonage::sms_signature::Params;

/// The largest body that is read, in bytes.
pub const MAX_BODY_BYTES: usize = 4 << 20;
/// When Vonage may come again after a 503, in seconds; it keeps to a rhythm of its own, other senders may not.
const RETRY_AFTER_SECONDS: &str = "5";

/// Beside what became of a webhook: it came to the address of the other kind.
const SWAPPED: &str = "swapped";
/// It came to an address that Docket does not tell its owner.
const WRONG_ADDRESS: &str = "wrong_address";
/// It is of the SMS API or of Messages v0.1.
const OLDER_API: &str = "older_api";

/// The routes, from the root.
pub fn router(app: App) -> Router {
    Router::new()
        .route(address::PREFIX, any(receive))
        .route("/webhooks/{*rest}", any(receive))
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
    WrongMethod,
    TooLarge,
    Incomplete,
    Unavailable,
}

impl Outcome {
    /// As the metrics call it.
    const fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Unrouted => "unrouted",
            Self::Unsigned
            | Self::WronglySigned
            | Self::WrongMethod
            | Self::TooLarge
            | Self::Incomplete => "refused",
            Self::Unavailable => "unavailable",
        }
    }

    /// The same, told apart as far as an owner can do something about it.
    const fn told_apart(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::WronglySigned => "wrongly_signed",
            Self::WrongMethod => "wrong_method",
            Self::TooLarge => "too_large",
            Self::Incomplete => "incomplete",
            Self::Accepted | Self::Duplicate | Self::Unrouted | Self::Unavailable => self.label(),
        }
    }

    fn respond(self, app: &App, kind: WebhookKind) -> Response {
        counter!("docket_webhooks_total", "kind" => kind.as_str(), "result" => self.label())
            .increment(1);
        note(app, kind, self.told_apart());
        let come_again = |sentence: &'static str| {
            let headers = [(RETRY_AFTER, RETRY_AFTER_SECONDS)];
            (StatusCode::SERVICE_UNAVAILABLE, headers, sentence).into_response()
        };
        match self {
            Self::Accepted | Self::Duplicate | Self::Unrouted => StatusCode::OK.into_response(),
            Self::WronglySigned => {
                (StatusCode::UNAUTHORIZED, "the signature is wrong\n").into_response()
            }
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is larger than 4 MiB\n",
            )
                .into_response(),
            Self::Incomplete => come_again("the body broke off\n"),
            Self::Unsigned => come_again("the webhook must be signed\n"),
            Self::WrongMethod => come_again(
                "webhooks come here by POST; set the method to POST in Vonage's settings\n",
            ),
            Self::Unavailable => come_again("come again\n"),
        }
    }
}

fn note(app: &App, kind: WebhookKind, result: &'static str) {
    app.vonage
        .activity
        .note(kind.as_str(), result, (app.clock)());
}

/// Takes a webhook of any kind at any address.
async fn receive(
    State(app): State<App>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if method == Method::HEAD || method == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, [(ALLOW, "GET, POST")]).into_response();
    }
    let address = Address::of(uri.path());
    let kind = address.kind.unwrap_or(WebhookKind::Inbound);
    let body = match sent(&method, &uri, body) {
        Ok(body) => body,
        Err(outcome) => return outcome.respond(&app, kind),
    };
    let signed = match signed::check(&app, &headers, body).await {
        Ok(signed) => signed,
        Err(outcome) => return outcome.respond(&app, kind),
    };
    let taken = take::take(&app, &signed, address.kind).await;
    if !address.is_known {
        note(&app, taken.kind, WRONG_ADDRESS);
    }
    if taken.is_read && address.kind.is_some_and(|kind| kind != taken.kind) {
        note(&app, taken.kind, SWAPPED);
    }
    if taken.form != Form::Messages {
        note(&app, taken.kind, OLDER_API);
    }
    taken.outcome.respond(&app, taken.kind)
}

/// What was sent: the body, or the query where the SMS API sends it all in the address.
fn sent(method: &Method, uri: &Uri, body: Result<Bytes, BytesRejection>) -> Result<Bytes, Outcome> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Outcome::TooLarge,
        // Whoever is slow today may be quicker next time, and a 4xx would be the last word.
        _ if took_too_long(&rejection) => Outcome::Unavailable,
        _ => Outcome::Incomplete,
    })?;
    let query = || {
        let query = uri.query().unwrap_or_default().as_bytes();
        let is_webhook = Params::of(query).are_of_sms_api();
        is_webhook.then(|| Bytes::copy_from_slice(query))
    };
    match *method {
        Method::POST if body.is_empty() => Ok(query().unwrap_or(body)),
        Method::POST => Ok(body),
        Method::GET => query().ok_or(Outcome::WrongMethod),
        _ => Err(Outcome::WrongMethod),
    }
}
