//! What open pages are told.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;

use crate::support::House;

/// The next piece of a stream; `None` at its end.
async fn next(stream: &mut Body) -> Option<String> {
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
    assert!(event.contains("data: [101]"), "{event}");
    assert!(!event.contains("secret"), "{event}");
    drop(stream);

    // Whoever comes back is told what they missed, and nothing twice.
    house.receives("#0 Another").await;
    let mut stream = browser.live("/live?after=0", Some(id(&event))).await;
    let missed = next(&mut stream).await.unwrap();
    assert!(missed.contains("data: [102]"), "{missed}");
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
    assert!(event.contains("data: [101]"), "{event}");
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
