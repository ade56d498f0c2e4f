//! The webhooks that the account posts to Docket, as persistently as Vonage does.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
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

/// Puts what a message carries into its webhook, in Vonage's form.
fn put_content(account: &Account, message: &CustomerMessage, payload: &mut Value) {
    let is_sms = message.channel == Channel::Sms;
    match &message.kind {
        // As for a real SMS, which carries no message type.
        EntryKind::Text { text } if is_sms => {
            payload["text"] = json!(text);
            payload["sms"] = json!({"num_messages": "1"});
        }
        // A template is Docket's to send; as a customer's it is the text that it says.
        EntryKind::Text { text } | EntryKind::Template { text, .. } => {
            payload["text"] = json!(text);
            payload["message_type"] = json!("text");
        }
        EntryKind::Photo { text } => {
            let mut image = photo(account);
            if !text.is_empty() {
                image["caption"] = json!(text);
            }
            put_file(message, payload, "image", image);
        }
        EntryKind::File {
            media,
            url,
            name,
            text,
        } => {
            let mut file = json!({"url": format!("http://{}{url}", account.address), "name": name});
            if !text.is_empty() && media != "audio" {
                file["caption"] = json!(text);
            }
            put_file(message, payload, media, file);
        }
        EntryKind::Sticker => put(payload, "sticker", json!({"url": photo(account)["url"]})),
        EntryKind::Location => {
            let place = json!({"lat": 51.4779, "long": -0.0015, "name": "Royal Observatory", "address": "Greenwich, London"});
            put(payload, "location", place);
        }
        EntryKind::Contacts => {
            let card = json!([{
                "name": {"formatted_name": "Robin Example", "first_name": "Robin", "last_name": "Example"},
                "phones": [{"phone": "+447700900199", "type": "home"}],
            }]);
            put(payload, "contacts", card);
        }
        EntryKind::Reply { text } => {
            put(payload, "reply", json!({"id": "choice-1", "title": text}));
        }
        EntryKind::Button { text } => {
            put(payload, "button", json!({"payload": text, "text": text}));
        }
        EntryKind::Order => {
            let item = json!({"product_retailer_id": "boiler-part-7", "quantity": "1", "item_price": "9.99", "currency": "GBP"});
            let order = json!({"catalog_id": "2806150799683508", "product_items": [item]});
            put(payload, "order", order);
        }
        EntryKind::Unsupported => payload["message_type"] = json!("unsupported"),
        EntryKind::Reaction { text } if text.is_empty() => {
            put(payload, "reaction", json!({"action": "unreact"}));
        }
        EntryKind::Reaction { text } => {
            put(
                payload,
                "reaction",
                json!({"action": "react", "emoji": text}),
            );
        }
    }
}

fn photo(account: &Account) -> Value {
    json!({"url": format!("http://{}/phone.photo.png", account.address), "name": "photo.png"})
}

fn put(payload: &mut Value, kind: &str, part: Value) {
    payload["message_type"] = json!(kind);
    payload[kind] = part;
}

/// A file by an SMS line goes as MMS.
fn put_file(message: &CustomerMessage, payload: &mut Value, kind: &str, file: Value) {
    put(payload, kind, file);
    if message.channel == Channel::Sms {
        payload["channel"] = json!("mms");
    }
}

/// Sends a customer's message; gives its `message_uuid` and what Docket answered at first.
pub(super) async fn say(
    account: &Arc<Account>,
    message: CustomerMessage,
) -> (String, Result<u16, NoAnswer>) {
    let id = account.new_id();
    let parties = Parties::new(&message.from, &message.to, message.channel);
    let at = account.time_of_writing(&parties);
    let body = inbound_payload(account, &id, &message, at)
        .to_string()
        .into_bytes();
    account.show_mine(parties, id.clone(), message.kind, at, message.quoted);
    let delivery = Delivery {
        kind: Kind::Inbound,
        body,
        entry: Some(id.clone()),
    };
    let answer = delivery.start(account, account.under_way()).await;
    (id, answer)
}

fn inbound_payload(
    account: &Account,
    id: &str,
    message: &CustomerMessage,
    at: DateTime<Utc>,
) -> Value {
    let from = normalise_number(&message.from);
    let to = normalise_number(&message.to);
    let mut payload = json!({
        "channel": message.channel,
        "message_uuid": id,
        "to": to,
        "from": from,
        "timestamp": at.to_rfc3339_opts(SecondsFormat::Millis, true),
    });
    put_content(account, message, &mut payload);
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
