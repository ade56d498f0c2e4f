//! Cases that are put off until later.

use docket::snoozes;
use serde_json::{Value, json};

use crate::support::{Api, text, wait};

impl Api {
    async fn snoozes(&self, reference: u32, until: &str) -> Value {
        let path = format!("/cases/{reference}/snooze");
        let body = json!({"until": until});
        self.does("PUT", &path, &body).await.expect(200)
    }

    async fn case(&self, reference: u32) -> Value {
        self.get(&format!("/cases/{reference}")).await.expect(200)
    }

    async fn shown(&self, query: &str) -> Vec<u64> {
        let page = self.get(&format!("/cases?{query}")).await.expect(200);
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|case| case["reference"].as_u64().unwrap())
            .collect()
    }

    /// The kinds of the thread's last items, and why a snooze ended.
    async fn ends_with(&self, reference: u32, count: usize) -> Vec<(String, Value)> {
        let path = format!("/cases/{reference}/thread");
        let thread = self.get(&path).await.expect(200);
        let items = thread["items"].as_array().unwrap();
        items[items.len() - count..]
            .iter()
            .map(|item| (text(&item["kind"]), item["reason"].clone()))
            .collect()
    }
}

fn kind(kind: &str) -> (String, Value) {
    (kind.to_owned(), Value::Null)
}

fn woken(reason: &str) -> (String, Value) {
    ("woken".to_owned(), json!(reason))
}

#[tokio::test]
async fn a_snoozed_case_is_open_and_not_among_the_open_ones() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("One").await;
    api.receives("#0 Two").await;
    let snoozed = api.snoozes(101, "2026-03-02T10:00:00+01:00").await;
    assert_eq!(
        (&snoozed["state"], &snoozed["snoozed_until"]),
        (&json!("open"), &json!("2026-03-02T09:00:00Z"))
    );
    for order in ["newest", "reference"] {
        let shown = async |query: &str| api.shown(&format!("order={order}&{query}")).await;
        assert_eq!(shown("").await, [102]);
        assert_eq!(shown("state=open").await, [102]);
        assert_eq!(shown("state=open&snoozed=false").await, [102]);
        assert_eq!(shown("snoozed=true").await, [101]);
        assert_eq!(shown("state=all").await.len(), 2);
        assert_eq!(shown("state=all&snoozed=false").await, [102]);
        assert_eq!(shown("snoozed=all").await.len(), 2);
    }
    api.get("/cases?snoozed=maybe")
        .await
        .problem(400, "invalid-query");

    api.does("DELETE", "/cases/101/snooze", &json!({}))
        .await
        .expect(200);
    assert_eq!(api.case(101).await["snoozed_until"], Value::Null);
    assert_eq!(api.shown("").await.len(), 2);
    assert_eq!(
        api.ends_with(101, 2).await,
        [kind("snoozed"), woken("by_hand")]
    );
    // Nothing is left to be ended.
    let version = api.case(101).await["version"].clone();
    api.does("DELETE", "/cases/101/snooze", &json!({}))
        .await
        .expect(200);
    assert_eq!(api.case(101).await["version"], version);
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn a_snooze_ends_in_the_future_and_not_too_far_away() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("One").await;
    // It is noon on 1 March 2026.
    for wrong in [
        "2026-03-01T12:00:00Z",
        "2025-03-01T12:00:00Z",
        "2027-03-02T12:00:01Z",
        "9999-12-31T23:59:59Z",
    ] {
        let refused = api
            .does("PUT", "/cases/101/snooze", &json!({"until": wrong}))
            .await;
        refused.problem(422, "invalid-value");
    }
    for wrong in [
        json!({"until": "tomorrow"}),
        json!({}),
        json!({"until": null}),
    ] {
        let refused = api.does("PUT", "/cases/101/snooze", &wrong).await;
        refused.problem(422, "invalid-body");
    }
    assert_eq!(api.case(101).await["snoozed_until"], Value::Null);
    api.snoozes(101, "2027-03-02T12:00:00Z").await;
    api.close().await;
}

#[tokio::test]
async fn a_message_reaches_a_snoozed_case_and_wakes_it() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("One").await;
    api.snoozes(101, "2026-03-02T09:00:00Z").await;
    assert_eq!(api.receives("And another thing").await.0, [101]);
    assert_eq!(api.case(101).await["snoozed_until"], Value::Null);
    assert_eq!(
        api.ends_with(101, 2).await,
        [kind("message"), woken("message")]
    );
    // What we say does not wake it.
    api.snoozes(101, "2026-03-02T09:00:00Z").await;
    let reply = json!({"text": "We look into it"});
    api.does("POST", "/cases/101/replies", &reply)
        .await
        .expect(202);
    assert_eq!(api.case(101).await["snoozed_until"], "2026-03-02T09:00:00Z");
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn closing_ends_a_snooze_and_a_closed_case_cannot_be_snoozed() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("One").await;
    api.snoozes(101, "2026-03-02T09:00:00Z").await;
    let set = async |value: &str| {
        let body = json!({"value": value});
        api.does("PUT", "/cases/101/status", &body)
            .await
            .expect(200)
    };
    let waiting = set("In progress").await;
    assert_eq!(waiting["snoozed_until"], "2026-03-02T09:00:00Z");
    let closed = set("Resolved").await;
    assert_eq!(closed["snoozed_until"], Value::Null);
    assert_eq!(
        api.ends_with(101, 2).await,
        [kind("status"), woken("closed")]
    );
    let body = json!({"until": "2026-03-02T09:00:00Z"});
    let refused = api.does("PUT", "/cases/101/snooze", &body).await;
    refused.problem(409, "case-closed");
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn what_is_due_is_woken_once() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("One").await;
    api.receives("#0 Two").await;
    // By the test's clock this lies ahead. The database's clock, which decides, is past it.
    api.snoozes(101, "2026-03-01T12:00:30Z").await;
    api.snoozes(102, "2027-03-01T12:00:00Z").await;
    assert_eq!(snoozes::round(&api.app).await.unwrap(), 1);
    assert_eq!(snoozes::round(&api.app).await.unwrap(), 0);
    assert_eq!(api.case(101).await["snoozed_until"], Value::Null);
    assert_eq!(api.ends_with(101, 2).await, [kind("snoozed"), woken("due")]);
    assert_ne!(api.case(102).await["snoozed_until"], Value::Null);
    let events = api.get("/cases/101/events").await.expect(200);
    let last = events["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["type"], &last["metadata"]["actor"]),
        (&json!("CaseWoken"), &json!("system"))
    );
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn a_case_is_seen_as_it_was_while_it_was_snoozed() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("One").await;
    wait(60);
    let snoozed = api.snoozes(101, "2026-03-02T09:00:00Z").await;
    wait(60);
    api.receives("Two").await;
    let at = async |version: &Value| {
        let path = format!("/cases/101?at={version}");
        api.get(&path).await.expect(200)["snoozed_until"].clone()
    };
    assert_eq!(at(&snoozed["version"]).await, "2026-03-02T09:00:00Z");
    assert_eq!(at(&json!(2)).await, Value::Null);
    assert_eq!(at(&api.case(101).await["version"]).await, Value::Null);
    api.close().await;
}
