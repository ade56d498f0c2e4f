//! The whole log, and the log as a file.

use serde_json::Value;

use crate::support::{Browser, House, Page, wait};

/// The positions of the events on the page.
fn positions(page: &Page) -> Vec<i64> {
    page.text
        .split("<span class=\"number\">")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn auditors_and_owners_read_the_log_and_agents_do_not() {
    let house = House::start().await;
    house.receives("Hello").await;
    for role in ["auditor", "owner"] {
        let mut browser = house.signed_in(role).await;
        let page = browser.get("/").await;
        let log = browser.get(&page.link("/log")).await;
        log.is(200)
            .shows("Hello")
            .shows("History of #101")
            .shows("&#34;type&#34;: &#34;LineAdded&#34;");
    }
    let mut agent = house.signed_in("agent").await;
    agent.get("/").await.lacks("href=\"/log\"");
    agent
        .get("/log")
        .await
        .is(403)
        .shows("This is for auditors and owners.");
    house.close().await;
}

#[tokio::test]
async fn the_log_is_searched_and_paged() {
    let house = House::start().await;
    for number in 0..35 {
        house.receives(&format!("Message {number}")).await;
    }
    wait(3_600);
    house.receives_json(&serde_json::json!({
        "channel": "sms", "message_uuid": "00000000-0000-0000-0000-00000000beef", "to": "447700900000",
        "from": "447700900777", "timestamp": "2026-03-01T12:59:58Z", "message_type": "text", "text": "From another",
    }))
    .await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    let fields = [("text", "Called back"), ("as", "note")];
    agent.send(&page, "/cases/101/write", &fields).await;
    let mut auditor = house.signed_in("auditor").await;
    house.app.audit.settled().await;

    let newest = auditor.get("/log").await;
    let first = positions(&newest);
    assert_eq!(first.len(), 30);
    assert!(newest.text.contains("auditor@example.com signed in"));
    let older = auditor.get(&newest.link("/log?before=")).await;
    let rest = positions(&older);
    let all: Vec<i64> = [first, rest].concat();
    let head = all[0];
    assert_eq!(all, (1..=head).rev().collect::<Vec<_>>());
    older.shows("Newest events").lacks("rel=\"next\"");

    let count = async |auditor: &mut crate::support::Browser, query: &str| {
        let page = auditor.get(&format!("/log?{query}")).await;
        page.is(200);
        positions(&page).len()
    };
    for (query, expected) in [
        ("type=NoteAdded", 1),
        ("type=NoteAdded&actor=Agent%40example.com", 1),
        ("type=NoteAdded&actor=auditor%40example.com", 0),
        ("type=Survey", 1),
        ("type=CaseViews", 1),
        ("type=Session", 2),
        // Signing in, the list of cases that one comes to, and searching the log.
        ("actor=auditor%40example.com", 3),
        ("number=%2B44+7700+900777", 2),
        ("number=447700900778", 0),
        ("case=%23102", 2),
        ("case=999", 0),
        ("before=-9223372036854775808", 0),
        ("case=101&type=CaseViewed", 1),
        ("since=2026-03-01T12:30&type=MessageReceived", 1),
        ("until=2026-03-01T12:30&type=MessageReceived", 30),
        ("actor=Docket&type=User", 3),
    ] {
        assert_eq!(count(&mut auditor, query).await, expected, "{query}");
    }
    for (query, sentence) in [
        ("actor=somebody", "Write an email, or Vonage, or Docket"),
        ("case=abc", "Write the number of a case"),
        ("since=yesterday", "no time that Docket can read"),
    ] {
        let page = auditor.get(&format!("/log?{query}")).await;
        page.is(400).shows(sentence);
    }
    house.close().await;
}

#[tokio::test]
async fn the_log_is_taken_away_as_a_file() {
    let house = House::start().await;
    house.receives("Hello").await;
    wait(60);
    house.receives("Hello again").await;
    let mut auditor = house.signed_in("auditor").await;
    house.app.audit.settled().await;
    let page = auditor.get("/log").await;
    assert!(page.has_form("/log/export"));
    // A link on another site exports nothing in anybody's name.
    for method in ["GET", "HEAD"] {
        auditor.once(method, "/log/export", None).await.is(405);
    }
    auditor.post("/log/export", "since=&until=").await.is(403);
    let fields = [("since", "2026-03-01T12:01"), ("until", "")];
    let (to, body) = Browser::filled(&page, "/log/export", &fields);
    let file = auditor.post(&to, &body).await;
    file.is(200);
    assert_eq!(file.headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> = file
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let types: Vec<&str> = lines
        .iter()
        .map(|line| line["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "docket.Case.MessageReceived",
            "docket.Session.SignedIn",
            "docket.Export.CasesListed",
            "docket.Export.LogRead"
        ]
    );
    let (to, body) = Browser::filled(&page, "/log/export", &[("since", "soon")]);
    auditor.post(&to, &body).await.is(400);
    house.app.audit.settled().await;
    let log = auditor.get("/log?type=Export").await;
    log.shows("The log was exported by the console: positions 1 to")
        .shows("recorded from 2026-03-01 12:01:00 UTC")
        .shows("4 events were given out, which was all of it");
    house.close().await;
}

#[tokio::test]
async fn a_page_beyond_the_logs_end_says_so_and_leads_to_the_newest_events() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut auditor = house.signed_in("auditor").await;
    house.app.audit.settled().await;
    let head = docket_projections::log::reader::head(&house.app.pool);
    let head = head.await.unwrap();
    auditor
        .get(&format!("/log?before={}", head + 1))
        .await
        .is(200)
        .shows("class=\"told\"");
    // Reading the page above is recorded, which takes two events at most.
    for before in [head + 10, 999_999, i64::MAX] {
        let page = auditor.get(&format!("/log?before={before}&case=101")).await;
        page.is(409).shows("restored from an older backup");
        let newest = page.link("/log?case=101");
        auditor.get(&newest).await.is(200).lacks("older backup");
    }
    house.close().await;
}
