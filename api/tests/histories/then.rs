//! What the API says of an earlier moment is what it said at that moment: its whole answers are kept while random commands run, and
//! asked for again at the end, by sequence and by time.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use chrono::{DateTime, SecondsFormat, Utc};
use docket::app::{App, Parts, Vonage};
use docket::audit::Audit;
use docket::media::Media;
use docket::{ambient, http, users};
use docket_domain::user::Role;
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::log::recorded::to_database_precision;
use docket_projections::testing::{self, TestDatabase};
use http_body_util::BodyExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{History, Step, step};

/// How many histories are tried; each moment is replayed four times.
const HISTORIES: u32 = 3;
/// More items than a thread of these histories has on one page make a second page necessary.
const PAGE: usize = 7;

/// What the API said of a case.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    case: Value,
    thread: Vec<Value>,
}

struct Moment {
    reference: u64,
    version: u64,
    time: DateTime<Utc>,
    said: Said,
}

struct Api {
    app: App,
    router: Router,
    token: SecretString,
    database: TestDatabase,
}

impl Api {
    async fn start() -> Result<Self, String> {
        let database = testing::database().await;
        let connect = docket_projections::connect::connect_options(&database.url)
            .map_err(|error| error.to_string())?;
        let ledger = Ledger::start(connect, LedgerOptions::new(ambient::now))
            .await
            .map_err(|error| error.to_string())?;
        let app = App::new(Parts {
            audit: Audit::start(ledger.clone(), ambient::now, ambient::new_id),
            ledger,
            pool: database.pool.clone(),
            reports: Arc::default(),
            vonage: Arc::new(Vonage::default()),
            media: Media::default(),
            clock: ambient::now,
            new_id: ambient::new_id,
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            public_url: "http://127.0.0.1".into(),
            default_country: None,
            people: Arc::default(),
            proxies: Arc::default(),
            stopping: CancellationToken::new(),
        });
        let email = "auditor@example.com";
        users::add(&app, email, None, Role::Auditor, None)
            .await
            .map_err(|error| error.to_string())?;
        let token = users::create_token(&app, email, "test")
            .await
            .map_err(|error| error.to_string())?;
        Ok(Self {
            router: http::router(app.clone()),
            app,
            token,
            database,
        })
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let request = Request::builder()
            .uri(format!("/api/v1{path}"))
            .header(
                "authorization",
                format!("Bearer {}", self.token.expose_secret()),
            )
            .body(Body::empty())
            .expect("a request");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer");
        let status = response.status();
        let bytes = response
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        if status == StatusCode::OK {
            serde_json::from_slice(&bytes).map_err(|error| error.to_string())
        } else {
            Err(format!(
                "{path}: {status} {}",
                String::from_utf8_lossy(&bytes)
            ))
        }
    }

    /// A case and its whole thread, page by page; `when` is `at=…`, `as_of=…` or nothing.
    async fn says(&self, reference: u64, when: &str) -> Result<Said, String> {
        let case = self.get(&format!("/cases/{reference}?{when}")).await?;
        let mut thread = vec![];
        let mut cursor = String::new();
        loop {
            let path = format!("/cases/{reference}/thread?limit={PAGE}&cursor={cursor}&{when}");
            let page = self.get(&path).await?;
            thread.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return Ok(Said { case, thread }),
            }
        }
    }

    /// What is said of each case whose version is another than before.
    async fn changed(&self, known: &mut HashMap<u64, u64>) -> Result<Vec<Moment>, String> {
        let list = self.get("/cases?state=all&limit=200").await?;
        let mut moments = vec![];
        for case in list["items"].as_array().into_iter().flatten() {
            let number = |field: &str| case[field].as_u64().unwrap_or_default();
            let (reference, version) = (number("reference"), number("version"));
            if known.insert(reference, version) != Some(version) {
                moments.push(Moment {
                    reference,
                    version,
                    time: to_database_precision(ambient::now()),
                    said: self.says(reference, "").await?,
                });
            }
        }
        Ok(moments)
    }

    async fn close(self) {
        self.app.audit.close().await;
        self.app.ledger.close().await;
        drop((self.router, self.app));
        self.database.close().await;
    }
}

async fn play(steps: Vec<Step>) -> Result<(), String> {
    let api = Api::start().await?;
    let mut history = History::begin(api.app.ledger.clone()).await;
    let mut known = HashMap::new();
    let mut moments = vec![];
    for step in steps {
        history.step(step).await;
        moments.extend(api.changed(&mut known).await?);
    }
    for moment in &moments {
        let Moment {
            reference,
            version,
            time,
            said,
        } = moment;
        let time = time.to_rfc3339_opts(SecondsFormat::Micros, true);
        for when in [format!("at={version}"), format!("as_of={time}")] {
            let was = api.says(*reference, &when).await?;
            if was != *said {
                return Err(format!(
                    "case {reference} with {when}: {was:#?}, and then it was {said:#?}"
                ));
            }
        }
    }
    api.close().await;
    Ok(())
}

#[test]
fn what_the_api_says_of_a_moment_is_what_it_said_then() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(Config {
        cases: HISTORIES,
        max_shrink_iters: 20,
        ..Config::default()
    });
    runner
        .run(&proptest::collection::vec(step(), 40..90), |steps| {
            runtime.block_on(play(steps)).map_err(TestCaseError::fail)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}
