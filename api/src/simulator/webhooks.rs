//! The webhooks that the account posts to Docket, as persistently as Vonage does.

use std::sync::Arc;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use docket_domain::channel::{Channel, normalise_number};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::account::{Account, EntryKind, EntryState, Parties, UnderWay};
use super::{AcceptedMessage, CustomerMessage};
use crate::vonage::signature::{SignParams, sign};

/// Vonage's own limits: 3 s to connect, 15 s for the answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_mins(15);

/// Docket did not answer a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Docket did not answer the webhook")]
pub struct NoAnswer;

/// Which webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Inbound,
    Status,
}

impl Kind {
    const fn path(self) -> &'static str {
        match self {
            Self::Inbound => "/webhooks/vonage/inbound",
            Self::Status => "/webhooks/vonage/status",
        }
    }
}

pub(super) fn http_client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .build()
}

/// Posts a webhook once and gives Docket's status.
pub(super) async fn post_once(
    account: &Account,
    kind: Kind,
    body: Vec<u8>,
) -> Result<u16, NoAnswer> {
    let docket_url = account.state().docket_url.clone().ok_or(NoAnswer)?;
    let jti = account.new_id();
    let params = SignParams {
        iat: account.now().timestamp(),
        jti: &jti,
        api_key: Some("simulated"),
        application_id: Some(&account.options.application_id),
    };
    let authorization = sign(
        &body,
        account.options.signature_secret.expose_secret().as_bytes(),
        &params,
    );
    let answer = account
        .http
        .post(format!(
            "{}{}",
            docket_url.trim_end_matches('/'),
            kind.path()
        ))
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/json")
        .body(body)
        .send()
        .await
        .map_err(|_| NoAnswer)?;
    let status = answer.status().as_u16();
    // Read to its end, so that the connection can serve the next webhook.
    let _ = answer.bytes().await;
    Ok(status)
}

/// Whether Vonage would come again after this.
const fn is_worth_repeating(answer: Result<u16, NoAnswer>) -> bool {
    matches!(answer, Err(NoAnswer) | Ok(429 | 500..=599))
}

/// A webhook that was posted once, and where needed goes on being posted.
struct Delivery {
    kind: Kind,
    body: Vec<u8>,
    /// The entry on the phone that waits for the end of it.
    entry: Option<String>,
}

impl Delivery {
    /// The first try; where it fails the repetitions go on in the background.
    async fn start(self, account: &Arc<Account>, under_way: UnderWay) -> Result<u16, NoAnswer> {
        let answer = post_once(account, self.kind, self.body.clone()).await;
        if is_worth_repeating(answer) && account.options.max_tries > 1 {
            let repeating = Arc::clone(account);
            account
                .tasks
                .spawn(async move { self.repeat(&repeating, under_way).await });
        } else {
            self.end(account, answer);
        }
        answer
    }

    async fn repeat(self, account: &Arc<Account>, _under_way: UnderWay) {
        let mut pause = account.options.retry_base;
        let mut answer = Err(NoAnswer);
        for _ in 1..account.options.max_tries {
            tokio::select! {
                () = account.stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            answer = post_once(account, self.kind, self.body.clone()).await;
            if !is_worth_repeating(answer) {
                break;
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
        self.end(account, answer);
    }

    fn end(&self, account: &Account, answer: Result<u16, NoAnswer>) {
        if let Some(entry) = &self.entry {
            let state = if matches!(answer, Ok(200..=299)) {
                EntryState::Delivered
            } else {
                EntryState::Failed
            };
            account.set_entry_state(entry, state);
        }
    }
}

/// Sends a customer's message; gives its `message_uuid` and what Docket answered at first.
pub(super) async fn say(
    account: &Arc<Account>,
    message: CustomerMessage,
) -> (String, Result<u16, NoAnswer>) {
    let id = account.new_id();
    let body = inbound_payload(account, &id, &message)
        .to_string()
        .into_bytes();
    let parties = Parties::new(&message.from, &message.to, message.channel);
    account.show_mine(
        parties,
        id.clone(),
        message.kind,
        account.now(),
        message.quoted,
    );
    let delivery = Delivery {
        kind: Kind::Inbound,
        body,
        entry: Some(id.clone()),
    };
    let answer = delivery.start(account, account.under_way()).await;
    (id, answer)
}

fn inbound_payload(account: &Account, id: &str, message: &CustomerMessage) -> Value {
    let from = normalise_number(&message.from);
    let to = normalise_number(&message.to);
    let mut payload = json!({
        "channel": message.channel,
        "message_uuid": id,
        "to": to,
        "from": from,
        "timestamp": account.now().to_rfc3339_opts(SecondsFormat::Millis, true),
    });
    match &message.kind {
        EntryKind::Text { text } => {
            payload["text"] = json!(text);
            if message.channel == Channel::Sms {
                // As for a real SMS, which carries no message type.
                payload["sms"] = json!({"num_messages": "1"});
            } else {
                payload["message_type"] = json!("text");
            }
        }
        EntryKind::Photo { text } => {
            payload["message_type"] = json!("image");
            let mut image = json!({"url": format!("http://{}/phone.photo.png", account.address), "name": "photo.png"});
            if !text.is_empty() {
                image["caption"] = json!(text);
            }
            payload["image"] = image;
            if message.channel == Channel::Sms {
                payload["channel"] = json!("mms");
            }
        }
        EntryKind::File {
            media,
            url,
            name,
            text,
        } => {
            payload["message_type"] = json!(media);
            let mut file = json!({"url": format!("http://{}{url}", account.address), "name": name});
            if !text.is_empty() && media != "audio" {
                file["caption"] = json!(text);
            }
            payload[media.as_str()] = file;
            if message.channel == Channel::Sms {
                payload["channel"] = json!("mms");
            }
        }
        EntryKind::Location => {
            payload["message_type"] = json!("location");
            payload["location"] = json!({"lat": 51.4779, "long": -0.0015, "name": "Royal Observatory", "address": "Greenwich, London"});
        }
    }
    if message.channel == Channel::Whatsapp {
        if let Some(customer) = account
            .options
            .customers
            .iter()
            .find(|customer| customer.number == from)
        {
            payload["profile"] = json!({"name": customer.name});
        }
        match &message.quoted {
            Some(quoted) => {
                payload["context_status"] = json!("available");
                payload["context"] = json!({"message_uuid": quoted, "message_from": to});
            }
            None => payload["context_status"] = json!("none"),
        }
    }
    payload
}

/// The statuses that a message gets, in the order they are to be posted.
pub(super) fn statuses(message: &AcceptedMessage, rejected_with: Option<u32>) -> Vec<Value> {
    let words: &[&str] = match (rejected_with, message.channel) {
        (Some(_), _) => &["rejected"],
        (None, Channel::Sms) => &["submitted", "delivered"],
        (None, Channel::Whatsapp) => &["submitted", "delivered", "read"],
    };
    let mut at = message.at;
    words
        .iter()
        .map(|word| {
            at += TimeDelta::milliseconds(1);
            let mut status = json!({
                "message_uuid": message.message_uuid,
                "to": message.to,
                "from": message.from,
                "timestamp": at.to_rfc3339_opts(SecondsFormat::Millis, true),
                "status": word,
                "channel": message.channel,
                "usage": {"currency": "EUR", "price": "0.0000"},
            });
            if let Some(client_ref) = &message.client_ref {
                status["client_ref"] = json!(client_ref);
            }
            if let Some(code) = rejected_with {
                status["error"] = json!({
                    "type": format!("https://developer.vonage.com/api-errors/messages#{code}"),
                    "title": code.to_string(),
                    "detail": "The simulated account was told to reject this message.",
                    "instance": message.message_uuid,
                });
            }
            status
        })
        .collect()
}

/// Posts statuses one after the other, each after the account's usual pause. One that must be repeated does not hold up the next.
pub(super) async fn post_statuses(
    account: Arc<Account>,
    statuses: Vec<Value>,
    under_way: UnderWay,
) {
    for status in statuses {
        tokio::select! {
            () = account.stopping.cancelled() => return,
            () = tokio::time::sleep(account.options.status_delay) => {}
        }
        let delivery = Delivery {
            kind: Kind::Status,
            body: status.to_string().into_bytes(),
            entry: None,
        };
        // What Docket answers is seen to by the delivery itself.
        let _ = delivery.start(&account, account.under_way()).await;
    }
    drop(under_way);
}
