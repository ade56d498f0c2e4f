//! Webhooks as Vonage posts them, to any process and with any fault.

use docket::ambient;
use docket::vonage::signature::{SignParams, sign};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::api::{self, Answer};
use crate::waiting::{BOUND, wait_until};

/// Where inbound messages are posted.
pub const INBOUND: &str = "/webhooks/vonage/inbound";
/// Where statuses are posted.
pub const STATUS: &str = "/webhooks/vonage/status";

/// The sender of webhooks of one account.
#[derive(Clone)]
pub struct Webhooks {
    http: reqwest::Client,
    secret: String,
    application_id: String,
}

impl Webhooks {
    /// Webhooks signed with `secret` for an application.
    pub fn new(secret: &str, application_id: &str) -> Self {
        Self {
            http: api::http(),
            secret: secret.to_owned(),
            application_id: application_id.to_owned(),
        }
    }

    /// The same, which waits for an answer no longer than that.
    #[must_use]
    pub fn waiting(self, timeout: std::time::Duration) -> Self {
        Self {
            http: api::http_within(timeout),
            ..self
        }
    }

    /// The `Authorization` header for a body.
    pub fn signature(&self, body: &[u8]) -> String {
        let jti = ambient::new_id().to_string();
        let params = SignParams {
            iat: ambient::now().timestamp(),
            jti: &jti,
            api_key: Some("simulated"),
            application_id: Some(&self.application_id),
        };
        sign(body, self.secret.as_bytes(), &params)
    }

    /// Posts any body with any `Authorization` header to `path` of the service at `url`.
    ///
    /// # Errors
    ///
    /// No whole answer came.
    pub async fn raw(
        &self,
        url: &str,
        path: &str,
        body: Vec<u8>,
        authorization: Option<&str>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self
            .http
            .post(format!("{url}{path}"))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        Answer::read(request.send().await?).await
    }

    /// Posts a signed inbound message once; gives the status of the answer.
    ///
    /// # Errors
    ///
    /// No whole answer came.
    pub async fn try_inbound(&self, url: &str, payload: &Value) -> Result<u16, reqwest::Error> {
        let body = payload.to_string().into_bytes();
        let authorization = self.signature(&body);
        Ok(self
            .raw(url, INBOUND, body, Some(&authorization))
            .await?
            .status)
    }

    /// Posts a signed inbound message once, which must be answered; gives the status.
    pub async fn inbound(&self, url: &str, payload: &Value) -> u16 {
        self.try_inbound(url, payload)
            .await
            .expect("the service answers")
    }

    /// Posts a signed status once, which must be answered; gives the status of the answer.
    pub async fn status(&self, url: &str, payload: &Value) -> u16 {
        let body = payload.to_string().into_bytes();
        let authorization = self.signature(&body);
        self.raw(url, STATUS, body, Some(&authorization))
            .await
            .expect("the service answers")
            .status
    }

    /// Posts a signed inbound message to wherever `url` says, again and again until it is taken, as Vonage does.
    pub async fn insist(&self, url: impl Fn() -> String, payload: &Value) {
        wait_until("the webhook is taken", BOUND, async || {
            match self.try_inbound(&url(), payload).await {
                Ok(200) => Ok(()),
                Ok(status @ (429 | 500..=599)) => Err(format!("status {status}")),
                Ok(status) => {
                    panic!("the webhook was answered {status}, which is Vonage's last try")
                }
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
    }
}

/// A new id as Vonage gives them to messages.
pub fn new_message_uuid() -> String {
    ambient::new_id().to_string()
}

/// Now, as Vonage writes it.
pub fn timestamp() -> String {
    ambient::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// An SMS from a customer to a line of ours.
pub fn sms(from: &str, to: &str, text: &str) -> Value {
    json!({
        "channel": "sms",
        "message_uuid": new_message_uuid(),
        "to": to,
        "from": from,
        "timestamp": timestamp(),
        "text": text,
        "sms": {"num_messages": "1"},
        "usage": {"currency": "EUR", "price": "0.0100"},
    })
}

/// A text by WhatsApp from a customer to a line of ours.
pub fn whatsapp(from: &str, to: &str, text: &str) -> Value {
    json!({
        "channel": "whatsapp",
        "message_uuid": new_message_uuid(),
        "to": to,
        "from": from,
        "timestamp": timestamp(),
        "profile": {"name": "Invented Person"},
        "context_status": "none",
        "message_type": "text",
        "text": text,
    })
}

/// The same message, which quotes the message that Vonage calls `message_uuid`.
#[must_use]
pub fn quoting(mut message: Value, message_uuid: &str) -> Value {
    message["context_status"] = json!("available");
    message["context"] = json!({"message_uuid": message_uuid, "message_from": message["to"]});
    message
}

/// The id that Vonage gave a message.
pub fn message_uuid(payload: &Value) -> &str {
    payload["message_uuid"]
        .as_str()
        .expect("a message has an id")
}
