//! `POST /v1/messages` as Vonage answers it, and the faults that tests order.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::TimeDelta;
use docket_domain::channel::Channel;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::Parties;
use super::account::{Account, EntryKind};
use super::files;
use super::link::Link;
use super::templates::{self, SimulatedTemplate};
use super::{AcceptedFile, AcceptedMessage, Fault, webhooks};

/// How long Vonage lets a token live at most.
const MAX_TOKEN_LIFE: TimeDelta = TimeDelta::hours(24);
/// How much Docket's clock may be ahead of ours.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(30);
/// The longest `client_ref`, in characters.
const MAX_CLIENT_REF_CHARS: usize = 40;
/// Vonage's code for free text after WhatsApp's 24 hours.
const WINDOW_CLOSED: u32 = 1340;

pub(super) fn router() -> Router<Arc<Account>> {
    Router::new()
        .route("/v1/messages", post(send))
        .route("/simulator/script", post(script))
        .route("/simulator/accepted", get(accepted))
        .route("/simulator/templates", post(add_template))
}

/// Takes a list of faults, such as `[{"fault": "status", "status": 503}, {"fault": "cut_after_accept"}]`.
async fn script(State(account): State<Arc<Account>>, Json(faults): Json<Vec<Fault>>) -> StatusCode {
    account.state().faults.extend(faults);
    StatusCode::NO_CONTENT
}

/// Takes a template as WhatsApp approved it: `{"name", "locale", "body"}`.
async fn add_template(
    State(account): State<Arc<Account>>,
    Json(template): Json<SimulatedTemplate>,
) -> StatusCode {
    account.state().templates.push(template);
    StatusCode::NO_CONTENT
}

/// Gives all that was taken, in order.
async fn accepted(State(account): State<Arc<Account>>) -> Json<Vec<AcceptedMessage>> {
    Json(account.state().accepted.clone())
}

async fn send(
    State(account): State<Arc<Account>>,
    ConnectInfo(link): ConnectInfo<Link>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    check_token(&account, &headers)?;
    let fault = account.state().faults.pop_front().unwrap_or(Fault::Pass);
    match fault {
        Fault::Status {
            status,
            retry_after_s,
        } => return Ok(ordered_answer(status, retry_after_s)),
        Fault::CutBeforeAccept => {
            link.cut();
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        _ => {}
    }

    let mut message = read_message(&account, &body)?;
    let message_uuid = message.message_uuid.clone();
    let rejected_with = match fault {
        Fault::Reject { code } => Some(code),
        _ => refused_by_whatsapp(&account, &mut message),
    };
    let mut statuses = webhooks::statuses(&message, rejected_with);
    match fault {
        Fault::NoStatuses => statuses.clear(),
        Fault::DuplicateStatuses => {
            statuses = statuses
                .into_iter()
                .flat_map(|status| [status.clone(), status])
                .collect();
        }
        Fault::ReversedStatuses => statuses.reverse(),
        _ => {}
    }
    let kind = if rejected_with.is_some() {
        None
    } else {
        Some(arriving(&account, &message).await)
    };
    account.accept(message, kind);

    let under_way = account.under_way();
    let posting = webhooks::post_statuses(Arc::clone(&account), statuses, under_way);
    match fault {
        // Spawned all the same, so that they go on if the caller hangs up.
        Fault::StatusesBeforeAnswer => {
            let _ = account.tasks.spawn(posting).await;
        }
        Fault::Delay { delay_ms } => {
            let delay = Duration::from_millis(delay_ms);
            let stopping = account.stopping.clone();
            let delayed = async move {
                if stopping
                    .run_until_cancelled(tokio::time::sleep(delay))
                    .await
                    .is_some()
                {
                    posting.await;
                }
            };
            account.tasks.spawn(delayed);
            account
                .stopping
                .run_until_cancelled(tokio::time::sleep(delay))
                .await;
        }
        Fault::CutAfterAccept => {
            account.tasks.spawn(posting);
            link.cut();
        }
        _ => {
            account.tasks.spawn(posting);
        }
    }
    Ok((
        StatusCode::ACCEPTED,
        Json(json!({"message_uuid": message_uuid})),
    )
        .into_response())
}

/// The code with which WhatsApp refuses what Vonage took. Of a template, what it says is put into the message.
fn refused_by_whatsapp(account: &Account, message: &mut AcceptedMessage) -> Option<u32> {
    if let Some(template) = &message.template {
        let arriving = templates::arriving(account, template);
        return match arriving {
            Ok(text) => {
                message.text = text;
                None
            }
            Err(code) => Some(code),
        };
    }
    let parties = Parties::new(&message.to, &message.from, message.channel);
    (!account.is_window_open(&parties)).then_some(WINDOW_CLOSED)
}

/// What arrives on the phone: a file is fetched from Docket, as Vonage does.
async fn arriving(account: &Account, message: &AcceptedMessage) -> EntryKind {
    let text = message.text.clone();
    if let Some(template) = &message.template {
        let name = template.name.clone();
        return EntryKind::Template { name, text };
    }
    let Some(file) = &message.media else {
        return EntryKind::Text { text };
    };
    match files::fetch(account, &file.url).await {
        Ok((media_type, bytes)) => EntryKind::File {
            media: file.kind.clone(),
            url: files::keep(account, &media_type, bytes),
            name: file.name.clone().unwrap_or_else(|| file.kind.clone()),
            text,
        },
        Err(why) => EntryKind::Text {
            text: format!("(The file did not arrive: {why}.) {text}"),
        },
    }
}

fn ordered_answer(status: u16, retry_after_s: Option<u64>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = Problem::new(
        status,
        "messages#1000",
        "Simulated fault",
        "The simulated account was told to answer so.",
    )
    .into_response();
    if let Some(seconds) = retry_after_s {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

fn check_token(account: &Account, headers: &HeaderMap) -> Result<(), Problem> {
    #[derive(Deserialize)]
    struct Claims {
        application_id: String,
        iat: i64,
        exp: i64,
        jti: String,
    }

    let unauthorised = |detail: &'static str| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "#unauthorized",
            "You did not provide correct credentials.",
            detail,
        )
    };
    let token = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .ok_or_else(|| unauthorised("There is no Bearer token."))?;
    let mut validation = Validation::new(Algorithm::RS256);
    // Judged below by the account's own clock.
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Claims>(token, &account.verifier, &validation)
        .map_err(|_| {
            unauthorised("The token is not signed with the application's key, or lacks a claim.")
        })?
        .claims;
    if claims.application_id != account.options.application_id {
        return Err(unauthorised("The token names another application."));
    }
    let now = account.now();
    if claims.exp <= now.timestamp() {
        return Err(unauthorised("The token has expired."));
    }
    if claims.iat > (now + CLOCK_TOLERANCE).timestamp() {
        return Err(unauthorised("The token was made in the future."));
    }
    if claims.exp.saturating_sub(claims.iat) > MAX_TOKEN_LIFE.num_seconds() {
        return Err(unauthorised("The token lives for more than 24 hours."));
    }
    if claims.jti.is_empty() {
        return Err(unauthorised("The token has no identifier."));
    }
    Ok(())
}

/// Checks the body as Vonage does and gives the message in it.
fn read_message(account: &Account, body: &[u8]) -> Result<AcceptedMessage, Problem> {
    let body: Value = serde_json::from_slice(body).map_err(|_| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "#invalid-json",
            "The request body did not contain valid JSON",
            "The body could not be read.",
        )
    })?;
    let text_of = |name: &str| body[name].as_str().unwrap_or_default();
    let unprocessable = |code: u32, title, detail| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("messages#{code}"),
            title,
            detail,
        )
    };

    let channel = match text_of("channel") {
        "sms" | "mms" => Channel::Sms,
        "whatsapp" => Channel::Whatsapp,
        _ => {
            return Err(unprocessable(
                1100,
                "Unsupported channel",
                "The specified channel is not supported.",
            ));
        }
    };
    let kind = text_of("message_type");
    let takes: &[&str] = match text_of("channel") {
        "whatsapp" => &["text", "image", "audio", "video", "file", "template"],
        "mms" => &["image"],
        _ => &["text"],
    };
    if !takes.contains(&kind) {
        return Err(unprocessable(
            1140,
            "Invalid message type",
            "The channel takes no messages of that type.",
        ));
    }
    let file = &body[kind];
    let template = (kind == "template").then(|| templates::read(&body));
    let media = (!["text", "template"].contains(&kind)).then(|| AcceptedFile {
        kind: kind.to_owned(),
        url: file["url"].as_str().unwrap_or_default().to_owned(),
        name: file["name"].as_str().map(str::to_owned),
    });
    if text_of("from").trim().is_empty() {
        return Err(unprocessable(
            1120,
            "Invalid sender",
            "The `from` parameter is invalid for the given channel.",
        ));
    }
    if !body["client_ref"].is_null()
        && body["client_ref"]
            .as_str()
            .is_none_or(|client_ref| client_ref.chars().count() > MAX_CLIENT_REF_CHARS)
    {
        return Err(unprocessable(
            1060,
            "Invalid client reference",
            "The client reference can be a string of up to 40 characters.",
        ));
    }

    let invalid_parameters = invalid_parameters(&body, channel);
    if !invalid_parameters.is_empty() {
        let mut problem = unprocessable(
            1150,
            "Invalid params",
            "The value of one or more parameters is invalid.",
        );
        problem.invalid_parameters = invalid_parameters;
        return Err(problem);
    }
    Ok(AcceptedMessage {
        message_uuid: account.new_id(),
        client_ref: body["client_ref"].as_str().map(str::to_owned),
        to: text_of("to").to_owned(),
        from: text_of("from").to_owned(),
        channel,
        text: match &media {
            Some(_) => file["caption"].as_str().unwrap_or_default().to_owned(),
            None => text_of("text").to_owned(),
        },
        media,
        template,
        quoted: body["context"]["message_uuid"].as_str().map(str::to_owned),
        at: account.now(),
    })
}

/// What is wrong with single parameters, in Vonage's form.
fn invalid_parameters(body: &Value, channel: Channel) -> Vec<Value> {
    let text_of = |name: &str| body[name].as_str().unwrap_or_default();
    let mut invalid_parameters = Vec::new();
    let mut invalid = |name: &str, reason: String| {
        invalid_parameters.push(json!({"name": name, "reason": reason}));
    };
    let to = text_of("to");
    if to.is_empty() {
        invalid("to", "is required.".to_owned());
    } else if !is_e164(to) {
        invalid(
            "to",
            "must be a number of 7 to 15 digits without + or 00.".to_owned(),
        );
    }
    let kind = text_of("message_type");
    let text = text_of("text");
    if kind == "template" {
        // Its own form is checked below.
    } else if kind != "text" {
        let url = body[kind]["url"].as_str().unwrap_or_default();
        if !url.starts_with("https://") && !url.starts_with("http://127.0.0.1") {
            invalid(
                &format!("{kind}.url"),
                "must be a public https address.".to_owned(),
            );
        }
        let caption = &body[kind]["caption"];
        if !caption.is_null() && (kind == "audio" || caption.as_str().is_none_or(str::is_empty)) {
            invalid(&format!("{kind}.caption"), "is not possible.".to_owned());
        }
    } else if text.is_empty() {
        invalid("text", "is required.".to_owned());
    } else if text.chars().count() > channel.max_text_chars() {
        invalid(
            "text",
            format!(
                "must be no longer than {} characters.",
                channel.max_text_chars()
            ),
        );
    }
    let quoted = &body["context"]["message_uuid"];
    if !body["context"].is_null() && quoted.as_str().is_none_or(str::is_empty) {
        invalid("context.message_uuid", "is required.".to_owned());
    }
    if kind == "template" {
        invalid_parameters.extend(templates::invalid_parameters(body));
    }
    invalid_parameters
}

fn is_e164(number: &str) -> bool {
    (7..=15).contains(&number.len())
        && !number.starts_with('0')
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// An error in Vonage's form.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// The end of its `type`.
    kind: String,
    title: &'static str,
    detail: &'static str,
    invalid_parameters: Vec<Value>,
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: impl Into<String>,
        title: &'static str,
        detail: &'static str,
    ) -> Self {
        Self {
            status,
            kind: kind.into(),
            title,
            detail,
            invalid_parameters: Vec::new(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("https://developer.vonage.com/api-errors/{}", self.kind),
            "title": self.title,
            "detail": self.detail,
            "instance": "simulated",
        });
        if !self.invalid_parameters.is_empty() {
            body["invalid_parameters"] = Value::Array(self.invalid_parameters);
        }
        (self.status, Json(body)).into_response()
    }
}
