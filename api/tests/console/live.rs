//! What open pages are told.

use std::time::Duration;

use axum::body::Body;
use chrono::TimeDelta;
use docket_domain::ids::Reference;
use docket_projections::presence::{self, OpenPage};
use docket_projections::read::users;
use http_body_util::BodyExt as _;
use serde_json::Value;
use uuid::Uuid;

use crate::support::{House, wait};

/// The next piece of a stream; `None` at its end.
pub(crate) async fn next(stream: &mut Body) -> Option<String> {
    let frame = tokio::time::timeout(Duration::from_secs(10), stream.frame())
        .await
        .expect("something comes within ten seconds")?;
    let bytes = frame.unwrap().into_data().unwrap();
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

fn id(event: &str) -> &str {
    let id = event.lines().find_map(|line| line.strip_prefix("id:"));
    id.expect("an event has an id").trim()
}

#[tokio::test]
async fn pages_are_told_which_cases_changed_and_nothing_of_what_was_said() {
    let house = House::start().await;
    let browser = house.signed_in("auditor").await;
    let position = *house.app.ledger.head().borrow();
    let mut stream = browser.live(&format!("/live?after={position}"), None).await;
    house.receives("A secret").await;
    let event = next(&mut stream).await.unwrap();
    assert!(
        event.contains(r#"{"cases":[{"case":101,"at":2,"row":true}],"settings":false}"#),
        "{event}"
    );
    assert!(!event.contains("secret"), "{event}");
    drop(stream);

    // Whoever comes back is told what they missed, and nothing twice.
    house.receives("#0 Another").await;
    let mut stream = browser.live("/live?after=0", Some(id(&event))).await;
    let missed = next(&mut stream).await.unwrap();
    assert!(
        missed.contains(r#"{"cases":[{"case":102,"at":2,"row":true}],"settings":false}"#),
        "{missed}"
    );
    house.close().await;
}

#[tokio::test]
async fn a_colleagues_look_at_a_case_changes_no_page() {
    let house = House::start().await;
    house.receives("Hello").await;
    let browser = house.signed_in("agent").await;
    house.app.audit.settled().await;
    let position = *house.app.ledger.head().borrow();
    let mut stream = browser.live(&format!("/live?after={position}"), None).await;
    // It reads all along, so that it would tell of the look before the message comes.
    let told = tokio::spawn(async move { next(&mut stream).await });
    let mut colleague = house.signed_in("owner").await;
    colleague.get("/cases/101").await.is(200);
    house.app.audit.settled().await;
    colleague.get("/").await.is(200);
    house.receives("Hello again").await;
    let event = told.await.unwrap().unwrap();
    assert!(
        event.contains(r#"[{"case":101,"at":3,"row":true}]"#),
        "{event}"
    );
    assert_eq!(id(&event), house.app.ledger.head().borrow().to_string());
    house.close().await;
}

#[tokio::test]
async fn a_live_page_ends_with_its_session() {
    let house = House::start().await;
    let mut browser = house.signed_in("agent").await;
    let mut stream = browser.live("/live?after=0", None).await;
    next(&mut stream).await.unwrap();
    let page = browser.get("/").await;
    browser.send(&page, "/sign-out", &[]).await;
    house.receives("Hello").await;
    assert_eq!(next(&mut stream).await, None);
    house.close().await;
}

/// What the next event about who is there says.
async fn next_presence(stream: &mut Body) -> String {
    loop {
        let event = next(stream).await.expect("the stream goes on");
        if event.contains("event: presence") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            let others: Value = serde_json::from_str(data.unwrap()).unwrap();
            return others["sentence"].as_str().unwrap().to_owned();
        }
    }
}

#[tokio::test]
async fn people_are_told_who_else_has_the_case_open() {
    let house = House::start().await;
    house.receives("Hello").await;
    house.receives("#0 Another").await;
    let position = *house.app.ledger.head().borrow();
    let live = |case: u32| format!("/live?after={position}&case={case}");
    let mut agent = house.signed_in("agent").await;
    let owner = house.signed_in("owner").await;
    let mut mine = agent.live(&live(101), None).await;
    let elsewhere = owner.live(&live(102), None).await;
    let mut theirs = owner.live(&live(101), None).await;
    let (of_agent, of_owner) = tokio::join!(next_presence(&mut mine), next_presence(&mut theirs));
    assert_eq!(of_agent, "owner@example.com has this case open too.");
    assert_eq!(of_owner, "agent@example.com has this case open too.");
    // Whoever comes now reads it in the page.
    agent
        .get("/cases/101")
        .await
        .shows(">owner@example.com has this case open too.</p>");
    agent
        .get("/cases/102")
        .await
        .shows(">owner@example.com has this case open too.</p>");
    // A second page of the same person is no other person.
    let second = agent.live(&live(101), None).await;
    drop(second);
    drop(theirs);
    assert_eq!(next_presence(&mut mine).await, "");
    agent
        .get("/cases/101")
        .await
        .shows("role=\"status\"></p>")
        .lacks("has this case open too");
    // What nobody said again is over, as after a crash.
    wait(21);
    agent
        .get("/cases/102")
        .await
        .lacks("has this case open too");
    drop(elsewhere);
    house.close().await;
}

#[tokio::test]
async fn nobody_is_told_that_an_auditor_looks() {
    let house = House::start().await;
    house.receives("Hello").await;
    let position = *house.app.ledger.head().borrow();
    let live = format!("/live?after={position}&case=101");
    let mut agent = house.signed_in("agent").await;
    let auditor = house.signed_in("auditor").await;
    let mut theirs = auditor.live(&live, None).await;
    let owner = house.signed_in("owner").await;
    let mine = owner.live(&live, None).await;
    // The auditor is told of others; by then their own page is open.
    assert_eq!(
        next_presence(&mut theirs).await,
        "owner@example.com has this case open too."
    );
    agent
        .get("/cases/101")
        .await
        .shows(">owner@example.com has this case open too.</p>")
        .lacks("auditor@example.com");
    drop(mine);
    drop(theirs);
    house.close().await;
}

#[tokio::test]
async fn a_page_of_a_log_that_was_longer_is_loaded_anew() {
    let house = House::start().await;
    house.receives("Hello").await;
    let agent = house.signed_in("agent").await;
    for (after, last_event_id) in [("999999", None), ("1", Some("999999"))] {
        let path = format!("/live?after={after}&case=101");
        let mut stream = agent.live(&path, last_event_id).await;
        let mut told = String::new();
        while let Some(frame) = stream.frame().await {
            told += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        }
        assert_eq!(told, "event: gone\ndata: 999999\n\n");
    }
    house.close().await;
}

#[tokio::test]
async fn a_page_of_another_process_is_seen_too() {
    let house = House::start().await;
    house.receives("Hello").await;
    let owner = users::find_by_email(&house.app.pool, "owner@example.com")
        .await
        .unwrap()
        .unwrap();
    let page = OpenPage {
        page_id: Uuid::from_u128(0xfee),
        user_id: owner.user_id,
        reference: Reference::new(101).unwrap(),
    };
    let position = *house.app.ledger.head().borrow();
    let agent = house.signed_in("agent").await;
    let mut mine = agent
        .live(&format!("/live?after={position}&case=101"), None)
        .await;
    let now = (house.app.clock)();
    let later = now + TimeDelta::seconds(20);
    presence::renew(&house.app.pool, &[page], now, later)
        .await
        .unwrap();
    assert_eq!(
        next_presence(&mut mine).await,
        "owner@example.com has this case open too."
    );
    house.close().await;
}
