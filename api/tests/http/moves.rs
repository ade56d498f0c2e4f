//! Moving messages, and undoing it.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::Api;

fn path(reference: u32, message_id: Uuid, what: &str) -> String {
    format!("/cases/{reference}/messages/{message_id}/{what}")
}

async fn kinds(api: &Api, reference: u32) -> Vec<String> {
    let thread = api
        .get(&format!("/cases/{reference}/thread"))
        .await
        .expect(200);
    let kind = |item: &Value| item["kind"].as_str().unwrap().to_owned();
    thread["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(kind)
        .collect()
}

#[tokio::test]
async fn a_message_moves_to_a_case_of_its_own_and_back() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("An appointment, please").await;
    let (_, message_id) = api.receives("When do you open?").await;

    let body = json!({"comment": "Another subject"});
    let moved = api
        .does("POST", &path(101, message_id, "move"), &body)
        .await
        .expect(200);
    assert_eq!(moved, json!({"reference": 102}));
    let made = api.get("/cases/102").await.expect(200);
    assert_eq!(
        (&made["title"], &made["origin"]),
        (&json!("When do you open?"), &json!("move"))
    );
    assert_eq!(made["notes"][0]["text"], "Another subject");
    assert_eq!(
        made["links"],
        json!([{"reference": 101, "kind": "moved_from"}])
    );
    let source = api.get("/cases/101").await.expect(200);
    assert_eq!(
        source["links"],
        json!([{"reference": 102, "kind": "moved_to"}])
    );
    assert_eq!(source["message_count"], 1);
    assert_eq!(kinds(&api, 101).await, ["opened", "message", "moved_out"]);
    assert_eq!(
        kinds(&api, 102).await,
        ["opened", "moved_in", "message", "note"]
    );
    let thread = api.get("/cases/101/thread").await.expect(200);
    let out = &thread["items"][2];
    assert_eq!(
        (&out["to"], &out["comment"]),
        (&json!(102), &json!("Another subject"))
    );

    let undone = api
        .does("POST", &path(102, message_id, "undo-move"), &json!({}))
        .await
        .expect(200);
    assert_eq!(undone, json!({"reference": 101}));
    let made = api.get("/cases/102").await.expect(200);
    assert_eq!(
        (&made["state"], &made["withdrawn"]),
        (&json!("closed"), &json!(true))
    );
    assert_eq!(api.get("/cases/101").await.expect(200)["message_count"], 2);
    api.does("POST", "/cases/102/replies", &json!({"text": "Hi"}))
        .await
        .problem(409, "case-withdrawn");
    api.close().await;
}

#[tokio::test]
async fn a_message_moves_to_another_open_case() {
    let api = Api::start().await;
    api.set_up().await;
    let (_, message_id) = api.receives("Hello").await;
    api.receives("#0 Another thing").await;
    let moved = api
        .does("POST", &path(101, message_id, "move"), &json!({"to": 102}))
        .await
        .expect(200);
    assert_eq!(moved, json!({"reference": 102}));
    assert_eq!(api.get("/cases/102").await.expect(200)["message_count"], 2);
    // Such a move is undone by moving the message back.
    let undo = api
        .does("POST", &path(102, message_id, "undo-move"), &json!({}))
        .await;
    undo.problem(409, "not-undoable");
    api.does("POST", &path(102, message_id, "move"), &json!({"to": 101}))
        .await
        .expect(200);
    assert_eq!(api.get("/cases/101").await.expect(200)["message_count"], 1);
    api.close().await;
}

#[tokio::test]
async fn moves_that_cannot_be() {
    let api = Api::start().await;
    api.set_up().await;
    let (_, message_id) = api.receives("Hello").await;
    let reply = api
        .does("POST", "/cases/101/replies", &json!({"text": "Hi"}))
        .await
        .expect(202);
    let reply: Uuid = reply["message_id"].as_str().unwrap().parse().unwrap();
    let post = async |path: String, body: Value| api.does("POST", &path, &body).await;

    post(path(101, reply, "move"), json!({}))
        .await
        .problem(409, "not-movable");
    post(path(101, message_id, "move"), json!({"to": 101}))
        .await
        .problem(409, "already-there");
    post(path(101, message_id, "move"), json!({"to": 999}))
        .await
        .problem(409, "other-contact");
    post(path(101, message_id, "move"), json!({"to": 0}))
        .await
        .problem(422, "invalid-value");
    post(path(101, Uuid::from_u128(255), "move"), json!({}))
        .await
        .problem(404, "not-found");
    post(path(999, message_id, "move"), json!({}))
        .await
        .problem(404, "not-found");
    post(path(999, message_id, "undo-move"), json!({}))
        .await
        .problem(404, "not-found");
    post(path(101, message_id, "undo-move"), json!({}))
        .await
        .problem(409, "not-undoable");

    // What was said since keeps a move from being undone.
    post(path(101, message_id, "move"), json!({}))
        .await
        .expect(200);
    api.receives("And #102").await;
    post(path(102, message_id, "undo-move"), json!({}))
        .await
        .problem(409, "not-undoable");

    // A closed case takes no message in.
    api.does("PUT", "/cases/101/status", &json!({"value": "Resolved"}))
        .await
        .expect(200);
    post(path(102, message_id, "move"), json!({"to": 101}))
        .await
        .problem(409, "case-closed");
    api.close().await;
}

#[tokio::test]
async fn a_message_that_stands_in_the_other_case_already_only_leaves_this_one() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("An appointment, please").await;
    api.receives("#0 The lift").await;
    let (both, message_id) = api.receives("Thank you").await;
    assert_eq!(both, [101, 102]);
    let body = json!({"to": 102, "comment": "Only there"});
    let moved = api
        .does("POST", &path(101, message_id, "move"), &body)
        .await
        .expect(200);
    assert_eq!(moved, json!({"reference": 102}));
    assert_eq!(kinds(&api, 101).await, ["opened", "message", "moved_out"]);
    assert_eq!(
        kinds(&api, 102).await,
        ["opened", "message", "message", "removed_elsewhere"]
    );
    let thread = api.get("/cases/102/thread").await.expect(200);
    let trace = &thread["items"][3];
    assert_eq!(
        (&trace["from"], &trace["comment"]),
        (&json!(101), &json!("Only there"))
    );
    for (case, count, link) in [
        (101, 1, json!({"reference": 102, "kind": "moved_to"})),
        (102, 2, json!({"reference": 101, "kind": "moved_from"})),
    ] {
        let case = api.get(&format!("/cases/{case}")).await.expect(200);
        assert_eq!(case["message_count"], count);
        assert_eq!(case["links"], json!([link]));
    }
    api.equals_its_log().await;
}

#[tokio::test]
async fn a_record_is_no_target_of_a_move() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let survey_path = format!("/surveys/{}", ids.survey);
    let enable = async |enabled: bool| {
        let body = json!({"cases_enabled": enabled});
        api.owner_does("PATCH", &survey_path, &body)
            .await
            .expect(200);
    };
    enable(false).await;
    api.receives("A record").await;
    enable(true).await;
    let (case, message_id) = api.receives("A case").await;
    assert_eq!(case, [102]);
    let refused = api
        .does("POST", &path(102, message_id, "move"), &json!({"to": 101}))
        .await;
    refused.problem(409, "not-movable");
    assert_eq!(kinds(&api, 102).await, ["opened", "message"]);
}

#[tokio::test]
async fn a_message_that_came_back_is_news() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("An appointment, please").await;
    let (_, message_id) = api.receives("When do you open?").await;
    api.does("POST", &path(101, message_id, "move"), &json!({}))
        .await
        .expect(200);
    let seen = api.get("/cases/101").await.expect(200)["version"].clone();
    api.does("POST", &path(102, message_id, "undo-move"), &json!({}))
        .await
        .expect(200);
    let reply = json!({"text": "We call you", "seen_version": seen});
    let refused = api.does("POST", "/cases/101/replies", &reply).await;
    let problem = refused.problem(409, "said-since");
    let new = serde_json::to_string(&problem).unwrap();
    assert!(new.contains("When do you open?"), "{new}");
    api.equals_its_log().await;
}

#[tokio::test]
async fn a_move_is_undone_after_another_message_came_by_a_move_and_went_on() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("An appointment, please").await;
    let (_, first) = api.receives("When do you open?").await;
    let (_, second) = api.receives("And on Sundays?").await;
    api.does("POST", &path(101, first, "move"), &json!({}))
        .await
        .expect(200);
    api.does("POST", &path(101, second, "move"), &json!({"to": 102}))
        .await
        .expect(200);
    let undo = path(102, first, "undo-move");
    api.does("POST", &undo, &json!({}))
        .await
        .problem(409, "not-undoable");
    api.does("POST", &path(102, second, "move"), &json!({"to": 101}))
        .await
        .expect(200);
    api.does("POST", &undo, &json!({})).await.expect(200);
    assert_eq!(api.get("/cases/101").await.expect(200)["message_count"], 3);
    api.equals_its_log().await;
}
