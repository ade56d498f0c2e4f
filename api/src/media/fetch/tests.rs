use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_DISPOSITION, LOCATION};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::TryStreamExt as _;

use super::*;

type Seen = Arc<Mutex<Vec<(String, bool)>>>;

/// A host that sends calls on; it notes each call's path, and whether it said who calls.
async fn host() -> (String, Seen) {
    async fn answer(
        State(seen): State<Seen>,
        Path(path): Path<String>,
        headers: HeaderMap,
    ) -> Response {
        let has_token = headers.contains_key(AUTHORIZATION);
        seen.lock().unwrap().push((path.clone(), has_token));
        let on = |to: &str| (StatusCode::FOUND, [(LOCATION, to.to_owned())]).into_response();
        match path.as_str() {
            "photo" => (
                [(CONTENT_DISPOSITION, "attachment; filename=\"roof.jpg\"")],
                "picture",
            )
                .into_response(),
            "on" => on("/photo"),
            "around" => on("/around"),
            "away" => on("http://169.254.169.254/latest/meta-data"),
            "mapped" => on("http://[::ffff:169.254.169.254]/"),
            "file" => on("file:///etc/passwd"),
            "empty" => StatusCode::FOUND.into_response(),
            "gone" => StatusCode::NOT_FOUND.into_response(),
            _ => StatusCode::NO_CONTENT.into_response(),
        }
    }
    let seen = Seen::default();
    let router = Router::new()
        .route("/{*path}", get(answer))
        .with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (base, seen)
}

fn fetcher(api_url: &str, rules: &str) -> Fetcher {
    let rules = rules
        .split(',')
        .filter(|rule| !rule.is_empty())
        .map(|rule| rule.parse().unwrap())
        .collect();
    Fetcher::new(AllowedHosts::new(&Url::parse(api_url).unwrap(), rules)).unwrap()
}

#[tokio::test]
async fn a_file_is_fetched_with_its_name_and_by_redirects() {
    let (base, seen) = host().await;
    let fetcher = fetcher(&base, "");
    let token = HeaderValue::from_static("Bearer invented");
    for path in ["photo", "on"] {
        let answer = fetcher
            .call(&format!("{base}/{path}"), Some(&token), 100)
            .await
            .unwrap();
        assert_eq!(answer.name().as_deref(), Some("roof.jpg"));
        let bytes: Vec<Bytes> = answer.bytes().try_collect().await.unwrap();
        assert_eq!(bytes.concat(), b"picture");
    }
    let calls = seen.lock().unwrap().clone();
    let calls: Vec<_> = calls
        .iter()
        .map(|(path, has)| (path.as_str(), *has))
        .collect();
    assert_eq!(calls, [("photo", true), ("on", true), ("photo", true)]);
}

#[tokio::test]
async fn a_listed_host_does_not_learn_who_calls() {
    let (base, seen) = host().await;
    let fetcher = fetcher("https://api.nexmo.com", "127.0.0.1");
    let token = HeaderValue::from_static("Bearer invented");
    let address = format!("{base}/photo");
    fetcher.call(&address, Some(&token), 100).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [("photo".to_owned(), false)]);
}

#[tokio::test]
async fn redirects_go_nowhere_else_and_not_around() {
    let (base, seen) = host().await;
    let fetcher = fetcher(&base, "");
    let redirected = |host: &str| MediaFailure::Redirected {
        host: host.to_owned(),
    };
    for (path, expected) in [
        ("away", redirected("169.254.169.254")),
        ("mapped", redirected("[::ffff:a9fe:a9fe]")),
        ("file", redirected("")),
        ("around", redirected("127.0.0.1")),
        ("empty", MediaFailure::Answered { status: 302 }),
        ("gone", MediaFailure::Answered { status: 404 }),
        ("nothing", MediaFailure::Answered { status: 204 }),
    ] {
        let failure = fetcher
            .call(&format!("{base}/{path}"), None, 100)
            .await
            .unwrap_err();
        assert_eq!(failure, expected, "{path}");
    }
    let around = seen
        .lock()
        .unwrap()
        .iter()
        .filter(|(path, _)| path == "around")
        .count();
    assert_eq!(around, MAX_REDIRECTS + 1);
}

#[tokio::test]
async fn a_file_that_says_it_is_too_large_is_not_read() {
    let (base, _) = host().await;
    let failure = fetcher(&base, "")
        .call(&format!("{base}/photo"), None, 6)
        .await
        .unwrap_err();
    assert_eq!(failure, MediaFailure::TooLarge { max_mb: 0 });
}

#[tokio::test]
async fn a_host_that_is_away_is_named() {
    let (base, _) = host().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let failure = fetcher(&base, "")
        .call(&format!("http://{closed}/1"), None, 6)
        .await
        .unwrap_err();
    let host = "127.0.0.1".to_owned();
    assert_eq!(failure, MediaFailure::Unreachable { host });
}

#[test]
fn names_are_read_in_both_forms() {
    for (disposition, expected) in [
        ("attachment; filename=\"roof.jpg\"", Some("roof.jpg")),
        ("attachment; filename=roof.jpg", Some("roof.jpg")),
        (
            "attachment; filename=\"x.pdf\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.pdf",
            Some("Größe 1.pdf"),
        ),
        ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
        ("attachment", None),
        ("inline; filename=\"\"", None),
    ] {
        assert_eq!(name_in(disposition).as_deref(), expected, "{disposition}");
    }
}
