//! The API in process, on a database of its own, with a user of each role.
//!
//! Time and ids are the test's: it is noon on 1 March 2026 until a test says otherwise, and ids are counted from 1. Each test has
//! a thread of its own, and everything that it starts runs there.

use std::cell::Cell;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use docket::app::{App, Parts, Vonage};
use docket::audit::Audit;
use docket::delivery::{Delivery, DeliveryClock, DeliveryOptions};
use docket::http;
use docket::media::Media;
use docket::media::worker::MediaWorker;
use docket::operations::delivery::{BeginSending, RecordOutcome};
use docket::operations::held::HoldWebhook;
use docket::operations::receive::{FreshIds, ReceiveMessage, Received};
use docket::secrets::SecretKey;
use docket::users;
use docket::vonage::payload::{Inbound, decode_inbound};
use docket::vonage_settings::{Configured, VonageSettings};
use docket_domain::case::News;
use docket_domain::held::{HeldBody, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::{ContactId, HeldId, MessageId};
use docket_domain::personal::Personal;
use docket_domain::user::Role;
use docket_projections::connect::connect_options;
use docket_projections::ledger::operation::{Answer as LedgerAnswer, Receipt};
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::rebuild;
use docket_projections::testing::{TestDatabase, database};
use http_body_util::BodyExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

pub(crate) const OUR_NUMBER: &str = "447700900000";
pub(crate) const CUSTOMER: &str = "447700900123";

thread_local! {
    static SECONDS: Cell<i64> = const { Cell::new(0) };
    static IDS: Cell<u128> = const { Cell::new(0) };
}

fn clock() -> DateTime<Utc> {
    let noon = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
    noon + TimeDelta::seconds(SECONDS.get())
}

pub(crate) fn new_id() -> Uuid {
    IDS.set(IDS.get() + 1);
    Uuid::from_u128(IDS.get())
}

/// The API with what a test needs around it.
pub(crate) struct Api {
    pub(crate) app: App,
    router: Router,
    pub(crate) owner: SecretString,
    pub(crate) agent: SecretString,
    pub(crate) auditor: SecretString,
    database: TestDatabase,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {} {}", self.status, self.text))
    }

    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// The problem, which has its form.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, slug: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(problem["type"], format!("/problems/{slug}"), "{problem}");
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string());
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.len() > 10, "{detail:?} says too little");
        assert_eq!(
            problem["instance"],
            self.headers["x-request-id"].to_str().unwrap()
        );
        problem
    }
}

/// A request that is being put together.
pub(crate) struct Call<'a> {
    api: &'a Api,
    request: axum::http::request::Builder,
    body: Body,
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    pub(crate) fn raw(self, content_type: &str, body: impl Into<Body>) -> Self {
        Self {
            body: body.into(),
            ..self.header("content-type", content_type)
        }
    }

    pub(crate) fn build(self) -> Request<Body> {
        self.request.body(self.body).unwrap()
    }

    pub(crate) async fn send(self) -> Answer {
        let router = self.api.router.clone();
        let response = router.oneshot(self.build()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let bytes = bytes.to_vec();
        // Files need not be text.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text,
            bytes,
        }
    }
}

impl Api {
    /// With one writer, so that references are counted 101, 102, 103 …
    pub(crate) async fn start() -> Self {
        Self::with_writers(1).await
    }

    /// With several writers, for what happens at once.
    pub(crate) async fn with_writers(writers: usize) -> Self {
        SECONDS.set(0);
        IDS.set(0);
        let database = database().await;
        let connect = connect_options(&database.url).unwrap();
        let options = LedgerOptions {
            writers,
            ..LedgerOptions::new(clock)
        };
        let ledger = Ledger::start(connect, options).await.unwrap();
        let app = App::new(Parts {
            audit: Audit::start(ledger.clone(), clock, new_id),
            ledger,
            pool: database.pool.clone(),
            reports: Arc::default(),
            vonage: Arc::new(Vonage {
                settings: VonageSettings::new(Configured::default(), Some(SecretKey::generate())),
                ..Vonage::default()
            }),
            media: Media::default(),
            clock,
            new_id,
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            public_url: "http://127.0.0.1".into(),
            default_country: None,
            people: Arc::default(),
            proxies: Arc::default(),
            stopping: CancellationToken::new(),
        });
        let [owner, agent, auditor] = tokens(&app).await;
        let router = http::observed(http::router(app.clone()), app.new_id);
        Self {
            app,
            router,
            owner,
            agent,
            auditor,
            database,
        }
    }

    /// The same where national numbers of a country are understood.
    pub(crate) fn in_country(mut self, country: &str) -> Self {
        self.app = App::new(Parts {
            default_country: Some(country.parse().unwrap()),
            ..Parts::clone(&self.app)
        });
        self.router = http::observed(http::router(self.app.clone()), self.app.new_id);
        self
    }

    /// The same with a store of media of its own, which fetches from these hosts.
    pub(crate) fn with_media(mut self, media: Media) -> Self {
        self.app = App::new(Parts {
            media,
            ..Parts::clone(&self.app)
        });
        self.router = http::observed(http::router(self.app.clone()), self.app.new_id);
        self
    }

    /// The worker of media does one round; gives how many files it tried.
    pub(crate) async fn media_rounds(&self) -> usize {
        let worker = MediaWorker::new(self.app.clone(), DeliveryClock::Service);
        worker.round().await.unwrap()
    }

    /// Ends everything and drops the database.
    pub(crate) async fn close(self) {
        self.app.stopping.cancel();
        self.app.audit.close().await;
        self.app.ledger.close().await;
        drop((self.router, self.app));
        self.database.close().await;
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) fn call(&self, method: &str, path: &str, token: Option<&SecretString>) -> Call<'_> {
        let method: Method = method.parse().unwrap();
        let uri = if path.starts_with("/api") {
            path.to_owned()
        } else {
            format!("/api/v1{path}")
        };
        let call = Call {
            api: self,
            request: Request::builder().method(method).uri(uri),
            body: Body::empty(),
        };
        match token {
            Some(token) => call.header(
                "authorization",
                &format!("Bearer {}", token.expose_secret()),
            ),
            None => call,
        }
    }

    /// An agent reads.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Some(&self.agent)).send().await
    }

    /// An agent works.
    pub(crate) async fn does(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.call(method, path, Some(&self.agent))
            .json(body)
            .send()
            .await
    }

    /// An owner sets up.
    pub(crate) async fn owner_does(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.call(method, path, Some(&self.owner))
            .json(body)
            .send()
            .await
    }

    /// A survey with an SMS line of [`OUR_NUMBER`].
    pub(crate) async fn set_up(&self) -> Ids {
        let survey = self
            .owner_does("POST", "/surveys", &survey())
            .await
            .expect(201);
        let line = json!({
            "number": OUR_NUMBER, "channel": "sms", "survey_id": survey["id"], "multi_case_reply": null,
        });
        let line = self.owner_does("POST", "/lines", &line).await.expect(201);
        Ids {
            survey: text(&survey["id"]),
            line: text(&line["id"]),
        }
    }

    /// A WhatsApp line with a template; gives the template's id.
    pub(crate) async fn add_template(&self, ids: &Ids) -> String {
        let line = json!({"number": OUR_NUMBER, "channel": "whatsapp", "survey_id": ids.survey});
        let line = self.owner_does("POST", "/lines", &line).await.expect(201);
        let template = json!({"name": "reminder", "locale": "en", "body": "Hello {{1}}.", "line_id": line["id"]});
        let added = self
            .owner_does("POST", "/whatsapp-templates", &template)
            .await;
        text(&added.expect(201)["id"])
    }

    /// A customer writes; gives the references of the cases that got it, and the message's id.
    pub(crate) async fn receives(&self, said: &str) -> (Vec<u32>, Uuid) {
        self.receives_at(OUR_NUMBER, said).await
    }

    /// The same, to that number of ours.
    pub(crate) async fn receives_at(&self, number: &str, said: &str) -> (Vec<u32>, Uuid) {
        match self.takes(&inbound(new_id(), number, said)).await {
            LedgerAnswer::Done(Received::Routed {
                message_id,
                references,
                ..
            }) => (
                references.iter().map(|reference| reference.get()).collect(),
                message_id.0,
            ),
            other => panic!("not routed: {other:?}"),
        }
    }

    /// A customer writes what finds no place; gives the reason.
    pub(crate) async fn is_held(&self, said: &str) -> String {
        match self.takes(&inbound(new_id(), OUR_NUMBER, said)).await {
            LedgerAnswer::Done(Received::Held { held_id }) => {
                let kept = self.get("/unrouted").await.expect(200);
                let items = kept["items"].as_array().unwrap();
                let kept = items.iter().find(|kept| kept["id"] == held_id.to_string());
                text(&kept.unwrap()["reason"])
            }
            other => panic!("not kept: {other:?}"),
        }
    }

    /// The webhook of an inbound message comes.
    pub(crate) async fn takes(&self, body: &Value) -> LedgerAnswer<Received> {
        let inbound = decode_inbound(body.to_string().as_bytes(), docket::ambient::now()).unwrap();
        self.takes_decoded(inbound, body).await
    }

    /// The same, of what it said.
    pub(crate) async fn takes_decoded(
        &self,
        inbound: Inbound,
        body: &Value,
    ) -> LedgerAnswer<Received> {
        let operation = ReceiveMessage {
            inbound,
            body: HeldBody::Text(body.to_string()),
            ids: fresh_ids(),
            request_id: None,
        };
        self.app.ledger.submit(operation).await.unwrap()
    }

    /// The read models are what the log gives when it is replayed.
    pub(crate) async fn equals_its_log(&self) {
        let connect = connect_options(&self.database.url).unwrap();
        let all = rebuild::models(&[]).unwrap();
        let (_, differences) = rebuild::check(&connect, &all, |_| {}).await.unwrap();
        assert!(differences.is_empty(), "{differences:?}");
    }

    /// The delivery worker does one round.
    pub(crate) async fn worker_rounds(&self) {
        let worker = Delivery::new(
            self.app.clone(),
            DeliveryOptions {
                clock: DeliveryClock::Service,
                ..DeliveryOptions::default()
            },
        );
        worker.round().await.unwrap();
    }

    /// A webhook is kept as unrouted.
    pub(crate) async fn holds(
        &self,
        kind: WebhookKind,
        reason: HeldReason,
        body: HeldBody,
    ) -> Uuid {
        let held_id = HeldId(new_id());
        let operation = HoldWebhook {
            webhook: HeldWebhook {
                held_id,
                kind,
                reason,
                detail: "for a test".to_owned(),
                provider_id: None,
                to: None,
                from: None,
                body: Personal(body),
            },
            receipt: Receipt {
                kind: "test",
                key: held_id.to_string(),
            },
            request_id: None,
        };
        self.app.ledger.submit(operation).await.unwrap();
        held_id.0
    }

    /// The delivery worker sends a message for the first time, and this comes of it.
    pub(crate) async fn sends(&self, message_id: &Value, news: News) {
        let message_id = MessageId(message_id.as_str().unwrap().parse().unwrap());
        self.app
            .ledger
            .submit(BeginSending {
                message_id,
                attempt: 1,
            })
            .await
            .unwrap();
        self.app
            .ledger
            .submit(RecordOutcome {
                message_id,
                attempt: 1,
                news,
            })
            .await
            .unwrap();
    }
}

/// Time passes.
pub(crate) fn wait(seconds: i64) {
    SECONDS.set(SECONDS.get() + seconds);
}

/// What [`Api::set_up`] made.
pub(crate) struct Ids {
    pub(crate) survey: String,
    pub(crate) line: String,
}

pub(crate) fn survey() -> Value {
    json!({
        "name": "Support",
        "cases_enabled": true,
        "status": {"question": "Status", "choices": ["New", "In progress", "Resolved"], "closed_value": "Resolved"},
        "append_reference": true,
    })
}

pub(crate) fn inbound(provider_id: Uuid, to: &str, said: &str) -> Value {
    json!({
        "channel": "sms", "message_uuid": provider_id, "to": to, "from": CUSTOMER,
        "timestamp": "2026-03-01T11:59:58Z", "text": said,
    })
}

pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

pub(crate) fn fresh_ids() -> FreshIds {
    FreshIds {
        message_id: MessageId(new_id()),
        contact_id: ContactId(new_id()),
        reply_id: MessageId(new_id()),
        held_id: HeldId(new_id()),
    }
}

async fn tokens(app: &App) -> [SecretString; 3] {
    let mut tokens = vec![];
    for role in [Role::Owner, Role::Agent, Role::Auditor] {
        let email = format!("{}@example.com", role.as_str());
        users::add(app, &email, None, role, None).await.unwrap();
        tokens.push(users::create_token(app, &email, "test").await.unwrap());
    }
    tokens.try_into().unwrap()
}
