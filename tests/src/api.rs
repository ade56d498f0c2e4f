//! A client of the JSON API.

use std::time::Duration;

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::waiting::{BOUND, wait_until};

/// An HTTP client that goes straight to this machine, and gives up only after a time that nothing sound takes.
pub fn http() -> reqwest::Client {
    http_within(Duration::from_mins(1))
}

/// The same, which gives up after `timeout`.
pub fn http_within(timeout: Duration) -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        .build()
        .expect("a client without certificates can be set up")
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: header::HeaderMap,
    /// The body; null where it is empty or not JSON.
    pub body: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Reads an answer to its end.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub async fn read(answer: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Self {
            status,
            headers,
            body,
            text,
        })
    }

    /// The body of an answer that must have that status.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }
}

/// The API as one user sees it.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    /// The API of the service at `url`, with a token.
    pub fn new(url: &str, token: &str) -> Self {
        Self {
            http: http(),
            url: root(url),
            token: token.to_owned(),
        }
    }

    /// The same, which waits for an answer no longer than that.
    #[must_use]
    pub fn waiting(self, timeout: Duration) -> Self {
        Self {
            http: http_within(timeout),
            ..self
        }
    }

    /// The same user at another process.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self {
            http: self.http.clone(),
            url: root(url),
            token: self.token.clone(),
        }
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Asks for something; `path` begins behind `/api/v1`.
    ///
    /// # Errors
    ///
    /// No whole answer came.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        idempotency_key: Option<&str>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        Answer::read(request.send().await?).await
    }

    async fn answered(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let what = format!("{method} {path}");
        self.ask(method, path, body, None)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Reads something that must be there.
    pub async fn get(&self, path: &str) -> Value {
        self.answered(Method::GET, path, None).await.expect(200)
    }

    /// The status of the answer to a GET.
    pub async fn get_status(&self, path: &str) -> u16 {
        self.answered(Method::GET, path, None).await.status
    }

    /// Posts.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.answered(Method::POST, path, Some(body)).await
    }

    /// Puts.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.answered(Method::PUT, path, Some(body)).await
    }

    /// Patches.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.answered(Method::PATCH, path, Some(body)).await
    }

    /// All items of a list, page after page.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut items = vec![];
        let mut cursor = String::new();
        loop {
            let page = self
                .get(&format!("{path}{separator}limit=200{cursor}"))
                .await;
            items.extend(
                page["items"]
                    .as_array()
                    .expect("a list has items")
                    .iter()
                    .cloned(),
            );
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Creates a survey with the choices "New", "In progress" and "Resolved", which closes; gives its id.
    pub async fn add_survey(&self, name: &str) -> String {
        let status = json!({"question": "How far is it?", "choices": ["New", "In progress", "Resolved"], "closed_value": "Resolved"});
        let survey = json!({"name": name, "cases_enabled": true, "status": status, "append_reference": true});
        id(&self.post("/surveys", &survey).await.expect(201))
    }

    /// Adds a line; gives its id.
    pub async fn add_line(
        &self,
        survey_id: &str,
        number: &str,
        channel: &str,
        reply: Option<&str>,
    ) -> String {
        let line = json!({"number": number, "channel": channel, "survey_id": survey_id, "multi_case_reply": reply});
        id(&self.post("/lines", &line).await.expect(201))
    }

    /// The references of the cases of a number, in order; `state` is `open`, `closed` or `all`.
    pub async fn references(&self, number: &str, state: &str) -> Vec<u64> {
        let cases = self
            .all(&format!("/cases?state={state}&number={number}"))
            .await;
        let mut references: Vec<u64> = cases
            .iter()
            .map(|case| case["reference"].as_u64().expect("a number"))
            .collect();
        references.sort_unstable();
        references
    }

    /// The one open case of a number.
    pub async fn only_case(&self, number: &str) -> u64 {
        let references = self.references(number, "open").await;
        let [reference] = references[..] else {
            panic!("one open case was expected, not {references:?}")
        };
        reference
    }

    /// All that happened in a case.
    pub async fn thread(&self, reference: u64) -> Vec<Value> {
        self.all(&format!("/cases/{reference}/thread")).await
    }

    /// The messages of a case, of one direction.
    pub async fn messages(&self, reference: u64, direction: &str) -> Vec<Value> {
        let mut items = self.thread(reference).await;
        items.retain(|item| item["kind"] == "message" && item["direction"] == direction);
        items
    }

    /// Replies; gives the message's id.
    pub async fn reply(&self, reference: u64, text: &str) -> String {
        let queued = self
            .post(
                &format!("/cases/{reference}/replies"),
                &json!({"text": text}),
            )
            .await
            .expect(202);
        queued["message_id"]
            .as_str()
            .expect("a queued message has an id")
            .to_owned()
    }

    /// A message of a case.
    pub async fn message(&self, reference: u64, message_id: &str) -> Value {
        let found = self
            .thread(reference)
            .await
            .into_iter()
            .find(|item| item["kind"] == "message" && item["message_id"] == message_id);
        found.expect("the message stands in the case")
    }

    /// Waits until the delivery of a message has that status; gives it.
    pub async fn delivery(&self, reference: u64, message_id: &str, status: &str) -> Value {
        self.delivery_in(reference, message_id, &[status]).await
    }

    /// Waits until a message has reached its recipient, who may have read it already; gives its delivery.
    pub async fn arrival(&self, reference: u64, message_id: &str) -> Value {
        self.delivery_in(reference, message_id, &["delivered", "read"])
            .await
    }

    async fn delivery_in(&self, reference: u64, message_id: &str, statuses: &[&str]) -> Value {
        wait_until(
            &format!("the message is {}", statuses.join(" or ")),
            BOUND,
            async || {
                let delivery = self.message(reference, message_id).await["delivery"].take();
                let is_there = delivery["status"]
                    .as_str()
                    .is_some_and(|status| statuses.contains(&status));
                if is_there {
                    Ok(delivery)
                } else {
                    Err(delivery)
                }
            },
        )
        .await
    }
}

fn root(url: &str) -> String {
    format!("{}/api/v1", url.trim_end_matches('/'))
}

fn id(created: &Value) -> String {
    created["id"]
        .as_str()
        .expect("what was created has an id")
        .to_owned()
}
