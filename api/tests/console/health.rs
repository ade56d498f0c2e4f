//! How Docket is doing, as owners and auditors read it.

use docket::operations::Administrator;
use docket::operations::line::ChangeLine;
use docket::vonage_settings::Configured;
use docket::{activity, webhooks};
use docket_domain::line::{HaltReason, LineCommand};
use docket_projections::read::lines;
use tower::ServiceExt as _;

use crate::support::{Browser, House, Page, wait};
use crate::vonage::settings;

/// The part of the page about one thing.
fn check<'a>(page: &'a Page, title: &str) -> &'a str {
    let checks = page.text.split("<ul class=\"checks\">").nth(1).unwrap();
    let checks = checks.split("</ul>").next().unwrap();
    checks
        .split("<li class=")
        .find(|check| check.contains(&format!("</svg>{title}<")))
        .unwrap_or_else(|| panic!("no check {title} in {checks}"))
}

#[tokio::test]
async fn a_new_server_says_what_it_lacks() {
    let house = House::start().await;
    let mut auditor = house.signed_in("auditor").await;
    let page = auditor.get("/health").await;
    page.is(200).shows("2 things need a look.");
    let webhooks = check(&page, "Messages from Vonage");
    assert!(webhooks.contains("Needs you"), "{webhooks}");
    assert!(
        webhooks.contains("No signature secret is set"),
        "{webhooks}"
    );
    assert!(webhooks.contains("href=\"/vonage\""), "{webhooks}");
    let calls = check(&page, "Messages to Vonage");
    assert!(calls.contains("replies wait"), "{calls}");
    for (title, sentence) in [
        ("Waiting to be sent", "Nothing waits."),
        ("Lines", "The line sends."),
        ("Unrouted", "Everything that came was routed."),
        ("Recording", "to record something, and nothing waits."),
        ("Read models", "built by this version"),
        ("Database", "events, the last from"),
    ] {
        let check = check(&page, title);
        assert!(check.starts_with("\"good\""), "{title}: {check}");
        assert!(check.contains(sentence), "{title}: {check}");
    }
    page.shows("Nothing in the last 7 days.");
    house.close().await;
}

#[tokio::test]
async fn what_waits_long_and_what_stands_still_is_said() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/cases/101").await;
    let fields = [("text", "Good morning"), ("as", "reply")];
    owner.send(&page, "/cases/101/write", &fields).await.is(200);
    wait(240);
    let page = owner.get("/health").await;
    let waiting = check(&page, "Waiting to be sent");
    assert!(waiting.starts_with("\"good\""), "{waiting}");
    assert!(
        waiting.contains("1 message waits, for 4 minutes."),
        "{waiting}"
    );
    wait(120);
    let page = owner.get("/health").await;
    let waiting = check(&page, "Waiting to be sent");
    assert!(waiting.starts_with("\"act\""), "{waiting}");
    page.lacks("/resume\"");

    let halt = ChangeLine {
        line_id: house.line,
        command: LineCommand::Halt {
            reason: HaltReason::Balance,
        },
        by: Administrator::System,
    };
    house.app.ledger.submit(halt).await.unwrap();
    let mut auditor = house.signed_in("auditor").await;
    let seen = auditor.get("/health").await;
    seen.shows("too little balance").lacks("/resume\"");
    let page = owner.get("/health").await;
    let lines = check(&page, "Lines");
    assert!(lines.contains("One line stands still"), "{lines}");
    let action = format!("/health/lines/{}/resume", house.line);
    let page = owner.send(&page, &action, &[]).await;
    page.is(200)
        .shows("The line sends again.")
        .lacks("too little balance");
    let line = lines::find(&house.app.pool, house.line).await.unwrap();
    assert_eq!(line.unwrap().halted, None);
    let (_, csrf) = Browser::filled(&page, "/sign-out", &[]);
    for nowhere in ["x", "00000000-0000-0000-0000-0000000000ff"] {
        let action = format!("/health/lines/{nowhere}/resume");
        owner.post(&action, &csrf).await.is(404);
    }
    house.close().await;
}

#[tokio::test]
async fn webhooks_are_counted_by_what_became_of_them() {
    let configured = Configured {
        signature_secret: Some("a secret of thirty-two characters".into()),
        ..Configured::default()
    };
    let house = House::with("http://127.0.0.1", settings(configured, None), true).await;
    let router = webhooks::router(house.app.clone());
    let send = async |token: Option<&str>| {
        let request = axum::http::Request::builder()
            .method("POST")
            .uri("/webhooks/vonage/inbound");
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let request = request.body(axum::body::Body::from("{}")).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(send(None).await, 503);
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/health").await;
    let webhooks = check(&page, "Messages from Vonage");
    assert!(webhooks.contains("Needs you"), "{webhooks}");
    assert!(webhooks.contains("without a signature"), "{webhooks}");
    assert!(
        webhooks.contains("drops the header Authorization"),
        "{webhooks}"
    );
    assert!(!webhooks.contains("No webhook has come"), "{webhooks}");
    page.shows("Without a signature, not taken");
    for _ in 0..3 {
        assert_eq!(send(Some("not.a.token")).await, 401);
    }
    let page = owner.get("/health").await;
    let webhooks = check(&page, "Messages from Vonage");
    assert!(
        webhooks.contains("3 webhooks came in the last hour with a wrong signature"),
        "{webhooks}"
    );
    let row =
        "<td>Wrong signature, refused</td><td class=\"number\">3</td><td class=\"number\">3</td>";
    page.shows(row);
    // The next day they are not of today any more, and the counts go on.
    wait(86_400);
    house
        .app
        .vonage
        .activity
        .note("inbound", "accepted", (house.app.clock)());
    house
        .app
        .vonage
        .activity
        .note("inbound", "wrongly_signed", (house.app.clock)());
    activity::flush(&house.app).await;
    wait(86_400);
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/health").await;
    page.shows(
        "<td>Wrong signature, refused</td><td class=\"number\">0</td><td class=\"number\">4</td>",
    );
    let webhooks = check(&page, "Messages from Vonage");
    assert!(
        webhooks.contains("The last one came 24 hours ago."),
        "{webhooks}"
    );
    // After a week they are forgotten, but not when the last one came.
    wait(6 * 86_400);
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/health").await;
    page.shows("Nothing in the last 7 days.");
    assert!(check(&page, "Messages from Vonage").contains("7 days ago"));
    house.close().await;
}

#[tokio::test]
async fn one_strangers_post_alarms_nobody_and_the_set_up_waits_for_a_signed_webhook() {
    let configured = Configured {
        application_id: Some("00000000-0000-4000-8000-000000000001".to_owned()),
        signature_secret: Some("a secret of thirty-two characters".into()),
        ..Configured::default()
    };
    let house = House::with("http://127.0.0.1", settings(configured, None), true).await;
    let note = |result| {
        let now = (house.app.clock)();
        house.app.vonage.activity.note("inbound", result, now);
    };
    let mut owner = house.signed_in("owner").await;
    // Takes the settings over.
    owner.get("/vonage").await.is(200);
    note("wrongly_signed");
    let page = owner.get("/health").await;
    assert!(!check(&page, "Messages from Vonage").contains("Needs you"));
    note("accepted");
    let page = owner.get("/health").await;
    let webhooks = check(&page, "Messages from Vonage");
    assert!(webhooks.starts_with("\"good\""), "{webhooks}");
    // Twenty minutes later the secret is another one at Vonage.
    wait(1_200);
    for _ in 0..5 {
        note("wrongly_signed");
    }
    let page = owner.get("/health").await;
    assert!(check(&page, "Messages from Vonage").contains("Needs you"));
    // It was mended, and is judged by what comes of late.
    wait(7_200);
    note("accepted");
    let page = owner.get("/health").await;
    let webhooks = check(&page, "Messages from Vonage");
    assert!(webhooks.starts_with("\"good\""), "{webhooks}");
    note("swapped");
    let page = owner.get("/health").await;
    let webhooks = check(&page, "Messages from Vonage");
    assert!(webhooks.contains("swap the application"), "{webhooks}");
    house.close().await;
}

#[tokio::test]
async fn read_models_of_another_version_are_named() {
    let house = House::start().await;
    docket_projections::testing::set_model_version(&house.app.pool, "thread", 0).await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/health").await;
    let models = check(&page, "Read models");
    assert!(models.contains("builds yet: thread."), "{models}");
    page.shows("To be rebuilt");
    house.close().await;
}
