//! Answers that are pages and headers that programs rely on, also where nothing is found.

use axum::http::Method;

use crate::support::{Browser, House, PASSWORD, Page};

#[track_caller]
fn is_page(page: &Page) {
    let media_type = page.headers["content-type"].to_str().unwrap();
    assert!(
        media_type.starts_with("text/html"),
        "{}: {media_type}",
        page.at
    );
    page.shows("<h1>").shows("To the inbox");
    assert!(
        page.headers.contains_key("content-security-policy"),
        "{}",
        page.at
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_page() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("owner").await;
    for (method, path, status) in [
        (Method::GET, "/nowhere", 404),
        (Method::GET, "/cases/101/nowhere", 404),
        (Method::GET, "/favicon.ico", 404),
        (Method::POST, "/nowhere", 404),
        (Method::POST, "/log", 405),
        (Method::GET, "/sign-out", 405),
        (Method::GET, "/cases/101/write", 405),
        (Method::DELETE, "/cases/101", 405),
        (Method::PUT, "/sign-in", 405),
        (Method::GET, "/?view=a&view=b", 400),
        (Method::GET, "/cases/101?view=a&view=b", 400),
        (Method::GET, "/sign-in?next=a&next=b", 400),
        (Method::GET, "/cases/%FF", 400),
        (Method::GET, "/unrouted?before=1&before=2", 400),
    ] {
        let page = browser.once(method.as_str(), path, None).await;
        assert_eq!(page.status, status, "{method} {path}: {}", page.text);
        is_page(&page);
        if status == 405 {
            assert!(page.headers.contains_key("allow"), "{method} {path}");
        }
    }
    house.close().await;
}

#[tokio::test]
async fn a_form_that_is_too_large_is_413() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    let text = "x".repeat(300_000);
    let fields = [("text", text.as_str()), ("as", "reply")];
    let (to, body) = Browser::filled(&page, "/cases/101/write", &fields);
    let refused = browser.once("POST", &to, Some(&body)).await;
    refused.is(413);
    is_page(&refused);
    house.close().await;
}

#[tokio::test]
async fn assets_are_sent_once() {
    let house = House::start().await;
    let mut browser = house.browser();
    for path in [
        "/assets/console.css",
        "/assets/console.js",
        "/assets/history.js",
        "/assets/console.svg",
    ] {
        let first = browser.get(path).await;
        first.is(200);
        assert_eq!(first.headers["cache-control"], "no-cache", "{path}");
        let tag = first.headers["etag"].to_str().unwrap().to_owned();
        for known in [
            tag.clone(),
            tag.replace("W/", ""),
            format!("\"other\", {tag}"),
            "*".to_owned(),
        ] {
            let headers = [("if-none-match", known.as_str())];
            let again = browser.with_headers("GET", path, &headers, None).await;
            again.is(304);
            assert_eq!(again.text, "", "{path}");
            assert_eq!(again.headers["etag"], tag.as_str(), "{path}");
        }
        let headers = [("if-none-match", "\"other\"")];
        let again = browser.with_headers("GET", path, &headers, None).await;
        again.is(200);
    }
    house.close().await;
}

#[tokio::test]
async fn whoever_comes_too_often_is_told_when_to_come_again() {
    let house = House::start().await;
    let mut browser = house.browser();
    for _ in 0..9 {
        let page = browser.get("/sign-in").await;
        let fields = [
            ("email", "agent@example.com"),
            ("password", "not the password"),
        ];
        let answer = browser.send(&page, "/sign-in", &fields).await;
        assert_eq!(
            answer.status == 429,
            answer.headers.contains_key("retry-after")
        );
    }
    let page = browser.get("/sign-in").await;
    let fields = [("email", "agent@example.com"), ("password", PASSWORD)];
    let answer = browser.send(&page, "/sign-in", &fields).await;
    answer.is(429);
    assert_eq!(answer.headers["retry-after"], "60");
    house.close().await;
}

#[tokio::test]
async fn a_flood_of_attempts_is_answered_at_once_and_keeps_no_known_browser_out() {
    let house = House::start().await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/").await;
    agent.send(&page, "/sign-out", &[]).await;
    let mut form = house.browser();
    let page = form.get("/sign-in").await;
    let flood = (0..300).map(|n| {
        let email = format!("nobody{n}@example.com");
        let mut browser = house.browser();
        browser.cookies = form.cookies.clone();
        let page = &page;
        async move {
            let fields = [("email", email.as_str()), ("password", "not the password")];
            let (to, body) = Browser::filled(page, "/sign-in", &fields);
            browser.once("POST", &to, Some(&body)).await
        }
    });
    let known = async {
        let page = agent.get("/sign-in").await;
        let fields = [("email", "agent@example.com"), ("password", PASSWORD)];
        agent.send(&page, "/sign-in", &fields).await
    };
    let (answers, known) = tokio::join!(futures_util::future::join_all(flood), known);
    known.is(200).shows("agent@example.com");
    let turned_away = answers.iter().filter(|answer| answer.status == 429);
    let mut count = 0;
    for answer in turned_away {
        count += 1;
        assert_eq!(answer.headers["retry-after"], "2");
    }
    // Those who are looked at wait for no more than the few before them.
    assert!(
        count > 0 && answers.iter().any(|answer| answer.status == 401),
        "{count} of 300"
    );
    house.close().await;
}
