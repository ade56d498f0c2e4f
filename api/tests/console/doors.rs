//! Who comes in, and what they may.

use std::time::Duration;

use axum::http::StatusCode;
use docket_projections::sessions;

use crate::support::{Browser, House, PASSWORD, wait};

/// Every route behind the sign-in page: method, path, and whether it changes cases or leads to it.
pub(crate) const INSIDE: [(&str, &str, bool); 36] = [
    ("GET", "/", false),
    ("GET", "/cases/101", false),
    ("GET", "/cases/101/changes", false),
    ("GET", "/cases/101/earlier", false),
    ("GET", "/cases/101/history", false),
    ("POST", "/cases/101/bundle", false),
    ("GET", "/rows", false),
    ("GET", "/log", false),
    ("POST", "/log/export", false),
    ("GET", "/live", false),
    ("GET", "/sessions", false),
    (
        "POST",
        "/sessions/00000000-0000-0000-0000-000000000001/end",
        false,
    ),
    ("POST", "/first-steps/close", false),
    ("POST", "/sign-out", false),
    ("POST", "/sign-out-everywhere", false),
    ("GET", "/cases/new", true),
    ("GET", "/cases/new/saved-replies", true),
    ("GET", "/cases/101/saved-replies", true),
    ("POST", "/cases", true),
    ("POST", "/cases/several", true),
    ("POST", "/media", true),
    ("POST", "/views", true),
    (
        "POST",
        "/views/00000000-0000-0000-0000-000000000001/remove",
        true,
    ),
    ("POST", "/cases/101/write", true),
    ("POST", "/cases/101/writing", true),
    ("POST", "/cases/101/status", true),
    ("POST", "/cases/101/assignee", true),
    ("POST", "/cases/101/title", true),
    ("POST", "/cases/101/unread", true),
    ("POST", "/cases/101/labels", true),
    ("POST", "/cases/101/snooze", true),
    ("POST", "/cases/101/wake", true),
    (
        "GET",
        "/cases/101/messages/00000000-0000-0000-0000-000000000001/move",
        true,
    ),
    (
        "POST",
        "/cases/101/messages/00000000-0000-0000-0000-000000000001/move",
        true,
    ),
    ("POST", "/cases/101/template", true),
    (
        "POST",
        "/cases/101/messages/00000000-0000-0000-0000-000000000001/undo-move",
        true,
    ),
];
const RESEND: &str = "/cases/101/messages/00000000-0000-0000-0000-000000000001/resend";

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_to_the_sign_in_page() {
    let house = House::start().await;
    let mut browser = house.browser();
    for (method, path, _) in INSIDE.into_iter().chain([("POST", RESEND, true)]) {
        let body = (method == "POST").then_some("csrf=x");
        let answer = browser.once(method, path, body).await;
        answer.is(303);
        let to = answer.headers["location"].to_str().unwrap();
        assert!(to.starts_with("/sign-in"), "{method} {path} leads to {to}");
    }
    browser
        .cookies
        .insert("docket_session".to_owned(), "invented".to_owned());
    browser.once("GET", "/", None).await.is(303);
    house.close().await;
}

#[tokio::test]
async fn the_table_of_routes_is_whole() {
    let source = include_str!("../../src/console.rs");
    let listed = |path: &str| {
        let shape = |path: &str| -> Vec<String> {
            path.split('/')
                .map(|part| match part {
                    "101" => "{reference}".to_owned(),
                    "new" | "history" | "bundle" | "move" | "undo-move" | "resend" | "write" => {
                        part.to_owned()
                    }
                    part if part.starts_with("0000") => "{id}".to_owned(),
                    "{message_id}" | "{session_id}" | "{view_id}" => "{id}".to_owned(),
                    part => part.to_owned(),
                })
                .collect()
        };
        let all = INSIDE.iter().map(|(_, path, _)| *path).chain([RESEND]);
        all.into_iter().any(|known| shape(known) == shape(path))
    };
    let mut routes = 0;
    for rest in source.split(".route(").skip(1) {
        let path = rest.split('"').nth(1).unwrap();
        if !path.starts_with("/assets/") && path != "/sign-in" {
            routes += 1;
            assert!(listed(path), "{path} is missing from the table");
        }
    }
    assert!(routes >= 15, "only {routes} routes were found");
}

#[tokio::test]
async fn signing_in_leads_to_where_one_wanted_to_go_and_out_again() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.browser();
    let page = browser.get("/cases/101?view=all").await;
    page.is(200).shows("name=\"password\"");
    assert_eq!(page.at, "/sign-in?next=%2Fcases%2F101%3Fview%3Dall");
    let fields = [("email", " Agent@Example.com "), ("password", PASSWORD)];
    let page = browser.send(&page, "/sign-in", &fields).await;
    page.is(200);
    assert_eq!(page.at, "/cases/101?view=all");
    assert!(!browser.cookies.contains_key("docket_form"));
    let old = browser.cookies.clone();
    let page = browser.send(&page, "/sign-out", &[]).await;
    assert!(page.at.starts_with("/sign-in"));
    // The cookie is of no use to whoever kept it.
    browser.cookies = old;
    browser.once("GET", "/", None).await.is(303);
    house.close().await;
}

#[tokio::test]
async fn nobody_is_led_to_another_site() {
    let house = House::start().await;
    for next in ["//example.com/", "https://example.com/", "/\\example.com"] {
        let mut browser = house.browser();
        let page = browser.get("/sign-in").await;
        let fields = [
            ("email", "agent@example.com"),
            ("password", PASSWORD),
            ("next", next),
        ];
        let (to, body) = Browser::filled(&page, "/sign-in", &fields);
        let answer = browser.once("POST", &to, Some(&body)).await;
        answer.is(303);
        assert_eq!(answer.headers["location"], "/");
    }
    house.close().await;
}

#[tokio::test]
async fn the_cookie_is_for_the_browser_alone() {
    for (public_url, is_secure) in [
        ("http://127.0.0.1", false),
        ("https://docket.example.com", true),
    ] {
        let house = House::at(public_url).await;
        let mut browser = house.browser();
        let page = browser.get("/sign-in").await;
        let fields = [("email", "agent@example.com"), ("password", PASSWORD)];
        let (to, body) = Browser::filled(&page, "/sign-in", &fields);
        let answer = browser.once("POST", &to, Some(&body)).await;
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        let name = if is_secure {
            "__Host-docket_session="
        } else {
            "docket_session="
        };
        assert!(cookie.starts_with(name), "{cookie}");
        assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), is_secure, "{cookie}");
        house.close().await;
    }
}

#[tokio::test]
async fn wrong_passwords_and_unknown_people_are_answered_alike_and_slowed_down() {
    let house = House::start().await;
    let mut browser = house.browser();
    let mut answers = vec![];
    for email in ["agent@example.com", "nobody@example.com"] {
        let page = browser.get("/sign-in").await;
        let fields = [("email", email), ("password", "not the password")];
        let page = browser.send(&page, "/sign-in", &fields).await;
        page.is(401);
        // The secret of a form is masked anew in each page.
        let (before, rest) = page.text.split_once("name=\"csrf\" value=\"").unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        answers.push(format!("{before}{after}").replace(email, "…"));
    }
    assert_eq!(answers[0], answers[1]);
    let attempt = async |browser: &mut Browser, password: &str| {
        let page = browser.get("/sign-in").await;
        let fields = [("email", "agent@example.com"), ("password", password)];
        browser.send(&page, "/sign-in", &fields).await
    };
    for _ in 0..7 {
        attempt(&mut browser, "not the password").await.is(401);
    }
    // Even the right one is not looked at.
    attempt(&mut browser, PASSWORD).await.is(429);
    wait(61);
    attempt(&mut browser, PASSWORD)
        .await
        .is(200)
        .shows("agent@example.com");
    house.close().await;
}

#[tokio::test]
async fn a_form_that_is_not_ours_changes_nothing() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("agent").await;
    let mut colleague = house.signed_in("owner").await;
    let page = colleague.get("/cases/101").await;
    // A form of somebody else's, one without a token, and one with an empty token.
    let (to, theirs) = Browser::filled(
        &page,
        "/cases/101/write",
        &[("text", "Hi"), ("as", "reply")],
    );
    for body in [
        theirs.as_str(),
        "text=Hi&as=reply&seen_version=9",
        "csrf=&text=Hi&as=reply",
    ] {
        browser.once("POST", &to, Some(body)).await.is(403);
    }
    browser
        .get("/cases/101")
        .await
        .lacks("class=\"message ours");
    // The sign-in form, too, is for the browser that asked for it.
    let mut other = house.browser();
    let page = other.get("/sign-in").await;
    other.cookies.clear();
    let fields = [("email", "agent@example.com"), ("password", PASSWORD)];
    other.send(&page, "/sign-in", &fields).await.is(403);
    house.close().await;
}

#[tokio::test]
async fn auditors_look_and_do_not_act() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("auditor").await;
    let page = browser.get("/cases/101").await;
    page.is(200)
        .shows("Hello")
        .lacks("/cases/101/write")
        .lacks("/cases/101/status")
        .lacks("/move\"");
    let (_, body) = Browser::filled(
        &page,
        "/sign-out",
        &[("text", "x"), ("value", "Resolved"), ("title", "x")],
    );
    for (method, path, acts) in INSIDE.into_iter().chain([("POST", RESEND, true)]) {
        if acts {
            let body = (method == "POST").then_some(body.as_str());
            browser.once(method, path, body).await.is(403);
        }
    }
    browser
        .get("/cases/101")
        .await
        .shows("<bdi>New</bdi>")
        .lacks("<bdi>Resolved</bdi>");
    house.close().await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let house = House::start().await;
    let mut here = house.signed_in("agent").await;
    let mut there = house.signed_in("agent").await;
    let mut colleague = house.signed_in("owner").await;
    let page = here.get("/sessions").await;
    page.is(200).shows("Firefox on Linux").shows("This browser");
    assert_eq!(page.text.matches("Firefox on Linux</strong>").count(), 2);
    // The one that is not this browser.
    let other = page
        .text
        .split("<li>")
        .skip(1)
        .find(|row| !row.contains("This browser"))
        .unwrap();
    let action = other
        .split("action=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    // Nobody ends somebody else's.
    let theirs = colleague.get("/sessions").await;
    let (_, body) = Browser::filled(&theirs, "/sign-out", &[]);
    colleague.once("POST", &action, Some(&body)).await.is(404);
    there.once("GET", "/", None).await.is(200);
    here.send(&page, &action, &[]).await.is(200);
    there.once("GET", "/", None).await.is(303);
    here.once("GET", "/", None).await.is(200);

    let mut there = house.signed_in("agent").await;
    let page = here.get("/sessions").await;
    here.send(&page, "/sign-out-everywhere", &[])
        .await
        .shows("name=\"password\"");
    there.once("GET", "/", None).await.is(303);
    colleague.once("GET", "/", None).await.is(200);
    house.close().await;
}

/// Waits until it is noted that the agent's session was used just now: nobody waits for that but this test.
async fn use_is_noted(house: &House) {
    let pool = &house.app.pool;
    let agent = house.user("agent@example.com").await;
    let noted = async {
        let now = (house.app.clock)();
        loop {
            let sessions = sessions::of_user(pool, agent.user_id, now).await.unwrap();
            if sessions.iter().any(|session| session.last_seen_at == now) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noted)
        .await
        .expect("the use is noted in time");
}

#[tokio::test]
async fn sessions_end_by_themselves() {
    const DAY: i64 = 86_400;
    let house = House::start().await;
    let mut browser = house.signed_in("agent").await;
    for _ in 0..5 {
        wait(6 * DAY - 60);
        browser.once("GET", "/", None).await.is(200);
        use_is_noted(&house).await;
    }
    // Thirty days are over, though it was in use.
    wait(DAY);
    browser.once("GET", "/", None).await.is(303);
    let mut browser = house.signed_in("agent").await;
    wait(7 * DAY + 1);
    browser.once("GET", "/", None).await.is(303);
    house.close().await;
}

#[tokio::test]
async fn every_page_forbids_what_is_not_ours() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("agent").await;
    for path in [
        "/",
        "/cases/101",
        "/cases/999",
        "/sessions",
        "/cases/new",
        "/sign-in",
        "/assets/console.js",
    ] {
        let page = browser.get(path).await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers["x-frame-options"], "DENY");
        if !path.starts_with("/assets") {
            assert_eq!(page.headers["cache-control"], "no-store", "{path}");
            page.lacks(" style=").lacks(" onclick=").lacks("<style");
        }
    }
    assert_eq!(
        browser.get("/cases/999").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(browser.get("/cases/x").await.status, StatusCode::NOT_FOUND);
    house.close().await;
}

#[test]
fn the_style_sheet_is_whole() {
    let style = include_str!("../../assets/console.css");
    let mut depth = 0_i32;
    for (line, text) in style.lines().enumerate() {
        // What stands at the beginning of a line is inside of nothing: a block above it that is not closed would swallow it.
        let is_outermost = !text.is_empty() && !text.starts_with([' ', '}']);
        assert!(
            !is_outermost || depth == 0,
            "a block above line {} is not closed",
            line + 1
        );
        for c in text.chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
        }
    }
    assert_eq!(depth, 0);
}
