//! Snoozes in several processes on one database.

use chrono::TimeDelta;
use docket::ambient;
use docket_tests::log;
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use docket_tests::webhooks::sms;
use serde_json::{Value, json};

use crate::help_desk::{HelpDesk, OURS, customer};

const CASES: usize = 8;

#[tokio::test]
async fn of_two_processes_one_wakes_each_case_when_its_time_has_come() {
    let desk = HelpDesk::open().await;
    let other = desk.installation.serve().await;
    let mut references = vec![];
    for n in 1..=CASES {
        references.push(desk.first_case(&customer(n), "The lift stands still").await);
    }
    let until = (ambient::now() + TimeDelta::seconds(3)).to_rfc3339();
    for reference in &references {
        let path = format!("/cases/{reference}/snooze");
        let snoozed = desk.owner.put(&path, &json!({"until": until})).await;
        let snoozed = snoozed.expect(200);
        assert_eq!(snoozed["state"], "open");
    }
    // A message wakes its case before the time has come, by whichever process it comes.
    let early = references[0];
    let payload = sms(&customer(1), OURS, "Any news?");
    let answer = desk.installation.webhooks.inbound(other.url(), &payload);
    assert_eq!(answer.await, 200);

    wait_until("every snooze has ended", BOUND, async || {
        let snoozed = desk.owner.get("/cases?snoozed=true").await;
        let items = snoozed["items"].as_array().unwrap().len();
        expect_that(items == 0, || format!("{items} cases are snoozed"))
    })
    .await;
    let open = desk.owner.get("/cases?state=open").await;
    assert_eq!(open["items"].as_array().unwrap().len(), CASES);
    for reference in &references {
        let events = desk.owner.all(&format!("/cases/{reference}/events")).await;
        let ends: Vec<&Value> = events
            .iter()
            .filter(|event| event["type"] == "CaseWoken")
            .collect();
        assert_eq!(ends.len(), 1, "{reference}: {events:?}");
        let reason = if *reference == early {
            "message"
        } else {
            "due"
        };
        let data = serde_json::to_string(&ends[0]).unwrap();
        assert!(data.contains(&format!("\"{reason}\"")), "{data}");
    }
    log::assert_sound(&desk.installation.pool).await;
    other.stop().await;
    desk.close().await;
}
