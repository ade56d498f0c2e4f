//! What every call has in common: problems, request ids, headers, and how strictly requests are read.

use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use docket::http;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::support::Api;

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let api = Api::start().await;
    for path in [
        "/api/v1/nothing",
        "/api/nothing",
        "/api/v1/cases/101/",
        "/api",
    ] {
        api.get(path).await.problem(404, "unknown-path");
    }
    // Nobody is told apart from anybody where nothing is.
    api.call("GET", "/nothing", None)
        .send()
        .await
        .problem(404, "unknown-path");

    let answer = api.call("DELETE", "/cases", Some(&api.agent)).send().await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
    api.close().await;
}

#[tokio::test]
async fn paths_and_queries_that_cannot_be_read() {
    let api = Api::start().await;
    for path in [
        "/cases/abc",
        "/cases/0",
        "/cases/99999999999",
        "/cases/-1/thread",
        "/surveys/7",
    ] {
        let problem = api.get(path).await.problem(400, "invalid-path");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .starts_with("the path cannot be read: ")
        );
    }
    for (path, said) in [
        ("/cases?stat=open", "unknown field `stat`"),
        (
            "/cases?state=opened",
            "state must be one of open, closed, all",
        ),
        ("/cases?survey=7", "survey"),
        (
            "/cases?limit=0",
            "limit must be a whole number from 1 to 200",
        ),
        (
            "/cases?limit=201",
            "limit must be a whole number from 1 to 200",
        ),
        ("/cases?limit=ten", "limit"),
        ("/cases?q=a%00b", "NUL"),
        ("/cases?state=open&state=closed", "duplicate field `state`"),
        ("/cases/101?at=first", "at"),
        ("/cases/101?as_of=yesterday", "as_of"),
        ("/cases/101?at=1&as_of=2026-03-01T00:00:00Z", "not both"),
        ("/events?after=-1", "after"),
        ("/cases?survey=", "survey"),
        ("/cases?limit=", "limit"),
        ("/events?after=", "after"),
    ] {
        let problem = api.get(path).await.problem(400, "invalid-query");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{path}: {detail}");
    }
    for path in [
        "/cases?cursor=x",
        "/cases/101/thread?cursor=Y2FzZXM6MS0x",
        "/unrouted?cursor=%F0",
    ] {
        api.get(path).await.problem(400, "invalid-cursor");
    }
    // A text without a value is as if it were not there.
    let all = "/cases?state=&number=&assignee=&q=&cursor=";
    assert_eq!(
        api.get(all).await.expect(200),
        json!({"items": [], "next": null})
    );
    api.close().await;
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let api = Api::start().await;
    let post = |content_type, body: &'static str| {
        api.call("POST", "/cases/101/replies", Some(&api.agent))
            .raw(content_type, body)
            .send()
    };
    post("application/json", r#"{"text":"#)
        .await
        .problem(400, "malformed-json");
    post("text/plain", r#"{"text":"a"}"#)
        .await
        .problem(415, "unsupported-media-type");
    let unknown = post("application/json", r#"{"text":"a","seen":1}"#).await;
    let problem = unknown.problem(422, "invalid-body");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("unknown field `seen`"),
        "{problem}"
    );
    let wrong = post("application/json", r#"{"text":"a","seen_version":"1"}"#).await;
    let problem = wrong.problem(422, "invalid-body");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("seen_version: "),
        "{problem}"
    );
    post("application/json", "7")
        .await
        .problem(422, "invalid-body");
    post("application/json", r#"{"text":"a\u0000"}"#)
        .await
        .problem(422, "invalid-value");

    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(1 << 20));
    let call = api.call("POST", "/cases/101/replies", Some(&api.agent));
    call.raw("application/json", large)
        .send()
        .await
        .problem(413, "body-too-large");
    api.close().await;
}

#[tokio::test]
async fn request_ids_come_back() {
    let api = Api::start().await;
    let call = |id| {
        api.call("GET", "/cases/101", Some(&api.agent))
            .header("x-request-id", id)
            .send()
    };
    // The caller's own is never ours.
    for theirs in ["trace-17", "two words", "", "a;b"] {
        let answer = call(theirs).await;
        let own = answer.headers["x-request-id"].to_str().unwrap().to_owned();
        assert!(own.starts_with("00000000-0000-"), "{own:?}");
        assert_eq!(answer.problem(404, "not-found")["instance"], own.as_str());
    }
    api.close().await;
}

#[tokio::test]
async fn every_answer_is_closed_to_browsers_and_caches() {
    let api = Api::start().await;
    for answer in [
        api.get("/cases").await,
        api.get("/nothing").await,
        api.call("GET", "/cases", None).send().await,
    ] {
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        assert_eq!(
            answer.headers["content-security-policy"],
            "default-src 'none'; frame-ancestors 'none'"
        );
    }
    api.close().await;
}

#[tokio::test]
async fn a_database_that_is_away_is_503() {
    let api = Api::start().await;
    api.app.pool.close().await;
    let answer = api.get("/cases").await;
    answer.problem(503, "unavailable");
    assert_eq!(answer.headers["retry-after"], "5");
}

#[tokio::test]
async fn a_ledger_that_is_closed_is_503() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    api.app.ledger.close().await;
    let answer = api
        .does("POST", "/cases/101/replies", &json!({"text": "Hi"}))
        .await;
    answer.problem(503, "unavailable");
    api.close().await;
}

#[tokio::test]
async fn a_panic_is_a_problem_that_says_nothing_of_the_inside() {
    let api = Api::start().await;
    let router = Router::new().route("/boom", get(async || -> String { panic!("447700900123") }));
    let router = http::observed(router, api.app.new_id);
    let request = Request::get("/boom").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 500);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["type"], "/problems/internal");
    assert!(problem["instance"].is_string());
    assert!(!problem.to_string().contains("447700900123"));
    api.close().await;
}

/// What is logged in this thread.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_tells_route_and_status_and_nothing_personal() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("a whisper").await;
    let logged = Logged::default();
    let writer = logged.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let call = api.call("GET", "/cases/101/thread?limit=7", Some(&api.agent));
    call.header("x-request-id", "r-9").send().await.expect(200);
    api.get("/cases?number=447700900123&q=whisper")
        .await
        .expect(200);
    api.does(
        "POST",
        "/cases/101/replies",
        &json!({"text": "a whisper back"}),
    )
    .await
    .expect(202);
    api.does("POST", "/lines", &json!({"number": "447700900123"}))
        .await
        .problem(403, "forbidden");
    drop(guard);
    let text = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
    for told in [
        "method=GET",
        r#"route="/api/v1/cases/{reference}/thread""#,
        "client_request_id=\"r-9\"",
        "status=200",
        "latency_ms=",
    ] {
        assert!(text.contains(told), "{told} is not in {text}");
    }
    for kept in [
        "447700900123",
        "whisper",
        "docket_",
        "limit=7",
        "cases/101",
        "agent@example.com",
    ] {
        assert!(!text.contains(kept), "{kept} is in {text}");
    }
    api.close().await;
}
