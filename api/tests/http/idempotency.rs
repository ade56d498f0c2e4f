//! Repeating a request with the same idempotency key does nothing twice.

use docket::housekeeping;
use docket_domain::case::News;
use docket_domain::held::{HeldBody, HeldReason, WebhookKind};
use docket_projections::ledger::operation::Answer;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Api, OUR_NUMBER, inbound, survey, text, wait};

async fn post(
    api: &Api,
    path: &str,
    token: &SecretString,
    key: &str,
    body: &Value,
) -> (u16, Value) {
    let answer = api
        .call("POST", path, Some(token))
        .key(key)
        .json(body)
        .send()
        .await;
    (answer.status.as_u16(), answer.json())
}

async fn events(api: &Api) -> usize {
    let page = api.get("/events?limit=200").await.expect(200);
    page["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn every_post_is_done_once() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let (_, message_id) = api.receives("Hello").await;
    let (_, other) = api.receives("Hello again").await;
    let move_path = format!("/cases/101/messages/{message_id}/move");
    let undo_path = format!("/cases/102/messages/{message_id}/undo-move");
    let line = json!({"number": "447700900001", "channel": "sms", "survey_id": ids.survey});
    let begin = json!({"line_id": ids.line, "number": "447700900124", "text": "Hello"});
    let user = json!({"email": "new@example.com", "role": "agent", "password": "correct horse"});
    for (path, body, status) in [
        ("/surveys", survey(), 201),
        ("/lines", line, 201),
        ("/users", user, 201),
        ("/cases/101/replies", json!({"text": "Hi"}), 202),
        ("/cases/101/notes", json!({"text": "Friendly"}), 201),
        (&*move_path, json!({"comment": "Elsewhere"}), 200),
        (&*undo_path, json!({}), 200),
        ("/cases", begin, 201),
    ] {
        let key = path.replace('/', "-");
        let before = events(&api).await;
        let first = post(&api, path, &api.owner, &key, &body).await;
        assert_eq!(first.0, status, "{path}: {}", first.1);
        let done = events(&api).await;
        assert!(done > before, "{path}");
        let second = post(&api, path, &api.owner, &key, &body).await;
        assert_eq!(second, first, "{path}");
        assert_eq!(events(&api).await, done, "{path}");
    }
    assert_ne!(message_id, other);
    api.close().await;
}

#[tokio::test]
async fn sending_and_routing_again_are_done_once() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let reply = api
        .does("POST", "/cases/101/replies", &json!({"text": "Hi"}))
        .await
        .expect(202);
    api.sends(
        &reply["message_id"],
        News::Uncertain {
            reason: "no answer".to_owned(),
        },
    )
    .await;
    let body = inbound(Uuid::from_u128(7), OUR_NUMBER, "Once #0 more").to_string();
    let held = api
        .holds(
            WebhookKind::Inbound,
            HeldReason::UnknownLine,
            HeldBody::Text(body),
        )
        .await;
    for path in [
        format!("/cases/101/messages/{}/resend", text(&reply["message_id"])),
        format!("/unrouted/{held}/route"),
    ] {
        let first = post(&api, &path, &api.owner, &path, &json!({})).await;
        assert!(first.0 < 300, "{path}: {}", first.1);
        let done = events(&api).await;
        assert_eq!(
            post(&api, &path, &api.owner, &path, &json!({})).await,
            first,
            "{path}"
        );
        assert_eq!(events(&api).await, done, "{path}");
    }
    api.close().await;
}

#[tokio::test]
async fn a_key_stands_for_one_request_of_one_person() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let path = "/cases/101/replies";
    let hi = json!({"text": "Hi"});
    let (_, first) = post(&api, path, &api.agent, "k1", &hi).await;

    let call = api
        .call("POST", path, Some(&api.agent))
        .key("k1")
        .json(&json!({"text": "Ho"}));
    call.send().await.problem(422, "idempotency-key-reused");
    let call = api
        .call("POST", "/cases/101/notes", Some(&api.agent))
        .key("k1")
        .json(&hi);
    call.send().await.problem(422, "idempotency-key-reused");

    let (status, others) = post(&api, path, &api.owner, "k1", &hi).await;
    assert_eq!(status, 202);
    assert_ne!(others["message_id"], first["message_id"]);
    for wrong in ["two words", ""] {
        let call = api
            .call("POST", path, Some(&api.agent))
            .key(wrong)
            .json(&hi);
        call.send().await.problem(400, "invalid-header");
    }
    api.close().await;
}

#[tokio::test]
async fn two_requests_with_one_key_at_once_are_one() {
    let api = Api::with_writers(4).await;
    api.set_up().await;
    api.receives("Hello").await;
    for round in 0..10 {
        let key = format!("round-{round}");
        let body = json!({"text": "Hi"});
        let (one, other) = tokio::join!(
            post(&api, "/cases/101/replies", &api.agent, &key, &body),
            post(&api, "/cases/101/replies", &api.agent, &key, &body),
        );
        assert_eq!(one, other);
        assert_eq!(one.0, 202);
    }
    assert_eq!(api.get("/cases/101").await.expect(200)["message_count"], 11);
    api.close().await;
}

#[tokio::test]
async fn a_refused_request_may_be_mended_under_its_key() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    api.receives("Are you there?").await;
    let reply = |version: u64| json!({"text": "Hi", "seen_version": version});
    let path = "/cases/101/replies";
    let (status, problem) = post(&api, path, &api.agent, "k", &reply(2)).await;
    assert_eq!(status, 409);
    let version = problem["version"].as_u64().unwrap();
    assert_eq!(
        post(&api, path, &api.agent, "k", &reply(version)).await.0,
        202
    );
    api.close().await;
}

#[tokio::test]
async fn a_repeated_answer_holds_no_secret() {
    let api = Api::start().await;
    let body = json!({"name": "integration"});
    let (status, mut first) = post(&api, "/tokens", &api.owner, "k", &body).await;
    assert_eq!(status, 201);
    assert!(text(&first["token"]).starts_with("docket_"));
    let (status, second) = post(&api, "/tokens", &api.owner, "k", &body).await;
    assert_eq!(status, 201);
    first["token"] = Value::Null;
    assert_eq!(second, first);
    let tokens = api
        .owner_does("GET", "/tokens", &json!({}))
        .await
        .expect(200);
    assert_eq!(tokens["items"].as_array().unwrap().len(), 4);
    api.close().await;
}

#[tokio::test]
async fn a_password_is_no_part_of_what_a_key_stands_for() {
    let api = Api::start().await;
    let user =
        |password: &str| json!({"email": "new@example.com", "role": "agent", "password": password});
    let first = post(&api, "/users", &api.owner, "k", &user("correct horse")).await;
    assert_eq!(first.0, 201);
    assert_eq!(
        post(&api, "/users", &api.owner, "k", &user("correct horse")).await,
        first
    );
    let refused = post(&api, "/users", &api.owner, "k", &user("battery staple")).await;
    assert_eq!(
        (refused.0, &refused.1["type"]),
        (422, &json!("/problems/idempotency-key-reused"))
    );
    let path = format!("/users/{}/password", text(&first.1["id"]));
    let put = async |password: &str| {
        let call = api.call("PUT", &path, Some(&api.owner)).key("k3");
        call.json(&json!({"password": password})).send().await
    };
    put("battery staple").await.expect(204);
    put("battery staple").await.expect(204);
    put("correct horse")
        .await
        .problem(422, "idempotency-key-reused");
    let other = json!({"email": "other@example.com", "role": "agent", "password": "correct horse"});
    let call = api
        .call("POST", "/users", Some(&api.owner))
        .key("k")
        .json(&other);
    call.send().await.problem(422, "idempotency-key-reused");
    let call = api
        .call("POST", "/users", Some(&api.owner))
        .key("k2")
        .json(&user("correct horse"));
    call.send().await.problem(409, "email-taken");
    api.close().await;
}

#[tokio::test]
async fn changes_by_other_methods_honour_keys_too() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let title = json!({"title": "Greeting"});
    let put = async |body: &Value| {
        api.call("PUT", "/cases/101/title", Some(&api.agent))
            .key("k")
            .json(body)
            .send()
            .await
    };
    put(&title).await.expect(200);
    api.does("PUT", "/cases/101/title", &json!({"title": "Other"}))
        .await
        .expect(200);
    // What was asked for was done; the answer is the case as it is now.
    assert_eq!(put(&title).await.expect(200)["title"], "Other");
    put(&json!({"title": "Third"}))
        .await
        .problem(422, "idempotency-key-reused");
    api.close().await;
}

#[tokio::test]
async fn keys_are_forgotten_after_thirty_days_and_receipts_never() {
    let api = Api::start().await;
    api.set_up().await;
    let provider_id = Uuid::from_u128(9);
    api.takes(&inbound(provider_id, OUR_NUMBER, "Hello")).await;
    let path = "/cases/101/notes";
    let note = json!({"text": "Friendly"});
    let first = post(&api, path, &api.agent, "old", &note).await;
    wait(86_400);
    let second = post(&api, path, &api.agent, "new", &note).await;
    assert_eq!((first.0, second.0), (201, 201));
    let events_before = events(&api).await;
    assert_eq!(housekeeping::round(&api.app).await.unwrap(), 0);

    wait(29 * 86_400 + 1);
    assert_eq!(housekeeping::round(&api.app).await.unwrap(), 1);
    assert_eq!(
        post(&api, path, &api.agent, "new", &note).await,
        second,
        "one of 29 days is kept"
    );
    assert_eq!(events(&api).await, events_before);
    post(&api, path, &api.agent, "old", &note).await;
    assert_eq!(events(&api).await, events_before + 1, "it is a new request");

    wait(400 * 86_400);
    assert_eq!(housekeeping::round(&api.app).await.unwrap(), 2);
    let again = api.takes(&inbound(provider_id, OUR_NUMBER, "Hello")).await;
    assert!(matches!(again, Answer::Duplicate));
    api.close().await;
}
