//! Moving a message with those that follow it, and undoing that.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::Api;

fn path(reference: u32, message_id: Uuid, what: &str) -> String {
    format!("/cases/{reference}/messages/{message_id}/{what}")
}

impl Api {
    /// Moves a message and those that follow it.
    async fn moves_on(&self, reference: u32, message_id: Uuid, more: &Value) -> Value {
        let mut body = json!({"and_following": true});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.does("POST", &path(reference, message_id, "move"), &body)
            .await
            .expect(200)
    }

    /// What was said in a case, in order.
    async fn said(&self, reference: u32) -> Vec<String> {
        let path = format!("/cases/{reference}/thread");
        let thread = self.get(&path).await.expect(200);
        let items = thread["items"].as_array().unwrap().iter();
        items
            .filter(|item| item["kind"] == "message")
            .map(|item| item["text"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn versions(&self) -> [Value; 2] {
        let version = async |case: &str| self.get(case).await.expect(200)["version"].clone();
        [version("/cases/101").await, version("/cases/102").await]
    }
}

#[tokio::test]
async fn a_message_takes_those_that_follow_it_to_a_new_case_and_all_come_back() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("An appointment, please").await;
    let (_, second) = api.receives("When do you open?").await;
    let reply = json!({"text": "At nine"});
    api.does("POST", "/cases/101/replies", &reply)
        .await
        .expect(202);
    api.receives("And on Sundays?").await;
    let (_, fourth) = api.receives("And at Easter?").await;

    let moved = api
        .moves_on(101, second, &json!({"comment": "Opening hours"}))
        .await;
    assert_eq!(moved, json!({"reference": 102, "count": 3}));
    assert_eq!(api.said(101).await, ["An appointment, please", "At nine"]);
    let theirs = ["When do you open?", "And on Sundays?", "And at Easter?"];
    assert_eq!(api.said(102).await, theirs);
    let made = api.get("/cases/102").await.expect(200);
    assert_eq!(
        (&made["title"], &made["message_count"]),
        (&json!("When do you open?"), &json!(3))
    );
    let notes = made["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 1);
    api.equals_its_log().await;

    // Any of them undoes the move as a whole.
    let undone = api
        .does("POST", &path(102, fourth, "undo-move"), &json!({}))
        .await
        .expect(200);
    assert_eq!(undone, json!({"reference": 101, "count": 3}));
    assert_eq!(api.said(101).await.len(), 5);
    assert_eq!(api.said(102).await, [""; 0]);
    let made = api.get("/cases/102").await.expect(200);
    assert_eq!(
        (&made["withdrawn"], &made["message_count"]),
        (&json!(true), &json!(0))
    );
    assert_eq!(api.get("/cases/101").await.expect(200)["message_count"], 5);
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn messages_move_together_into_another_open_case() {
    let api = Api::start().await;
    api.set_up().await;
    let (_, first) = api.receives("One").await;
    api.receives("#0 The lift").await;
    let (both, _) = api.receives("Two").await;
    assert_eq!(both, [101, 102]);
    api.receives("#101 Three").await;
    let moved = api.moves_on(101, first, &json!({"to": 102})).await;
    assert_eq!(moved, json!({"reference": 102, "count": 3}));
    assert_eq!(api.said(101).await, [""; 0]);
    // The one that stood there already stands there once.
    let there = api.get("/cases/102").await.expect(200);
    assert_eq!(there["message_count"], 4);
    api.does("POST", &path(102, first, "undo-move"), &json!({}))
        .await
        .problem(409, "not-undoable");
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn a_refused_move_moves_nothing() {
    let api = Api::start().await;
    api.set_up().await;
    let (_, first) = api.receives("One").await;
    api.receives("#0 The lift").await;
    api.receives("#101 Two").await;
    api.does("PUT", "/cases/102/status", &json!({"value": "Resolved"}))
        .await
        .expect(200);
    let before = api.versions().await;
    let body = json!({"and_following": true, "to": 102});
    api.does("POST", &path(101, first, "move"), &body)
        .await
        .problem(409, "case-closed");
    assert_eq!(api.versions().await, before);
    api.close().await;
}

#[tokio::test]
async fn so_many_messages_move_at_once_and_no_more() {
    let api = Api::start().await;
    api.set_up().await;
    let (_, first) = api.receives("0").await;
    let (_, second) = api.receives("1").await;
    for number in 2..=100 {
        api.receives(&number.to_string()).await;
    }
    let body = json!({"and_following": true});
    let refused = api.does("POST", &path(101, first, "move"), &body).await;
    refused.problem(409, "too-many-messages");
    let moved = api.moves_on(101, second, &json!({})).await;
    assert_eq!(moved, json!({"reference": 102, "count": 100}));
    let undone = api
        .does("POST", &path(102, second, "undo-move"), &json!({}))
        .await
        .expect(200);
    assert_eq!(undone["count"], 100);
    assert_eq!(
        api.get("/cases/101").await.expect(200)["message_count"],
        101
    );
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn without_the_wish_a_message_moves_alone() {
    let api = Api::start().await;
    api.set_up().await;
    let (_, first) = api.receives("One").await;
    api.receives("Two").await;
    for alone in [
        json!({"and_following": false}),
        json!({"and_following": null}),
    ] {
        let moved = api.does("POST", &path(101, first, "move"), &alone).await;
        let made = moved.expect(200);
        let made = u32::try_from(made["reference"].as_u64().unwrap()).unwrap();
        assert_eq!(api.said(made).await, ["One"]);
        api.does("POST", &path(made, first, "undo-move"), &json!({}))
            .await
            .expect(200);
    }
    api.close().await;
}
