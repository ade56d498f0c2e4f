//! What becomes of replies between the case and Vonage.

use std::future::IntoFuture as _;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use docket::simulator::keys;
use docket::vonage::client::{Client, ClientOptions, Credentials};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Api, OUR_NUMBER, wait};

const HOUR: i64 = 3_600;

/// What the thread of case 101 says of the delivery of its newest message.
async fn delivery(api: &Api) -> Value {
    let thread = api.get("/cases/101/thread").await.expect(200);
    let items = thread["items"].as_array().unwrap();
    items.last().unwrap()["delivery"].clone()
}

async fn replies(api: &Api) -> Value {
    let reply = json!({"text": "Good morning"});
    let queued = api.does("POST", "/cases/101/replies", &reply).await;
    queued.expect(202)["message_id"].clone()
}

#[tokio::test]
async fn what_waits_on_a_line_that_is_removed_fails_and_can_go_out_from_another() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    api.receives("Hello").await;
    let message_id = replies(&api).await;
    let path = format!("/lines/{}", ids.line);
    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    assert_eq!(delivery(&api).await["status"], "queued");

    api.worker_rounds().await;
    let failed = delivery(&api).await;
    assert_eq!(failed["status"], "failed");
    assert_eq!(
        failed["reason"],
        "the line was removed before the message was sent"
    );

    let resend = format!(
        "/cases/101/messages/{}/resend",
        message_id.as_str().unwrap()
    );
    let refused = api.does("POST", &resend, &json!({})).await;
    refused.problem(409, "line-removed");
    let reply = json!({"text": "Are you there?"});
    let refused = api.does("POST", "/cases/101/replies", &reply).await;
    refused.problem(409, "line-removed");

    // The number is added anew, which makes another line.
    let line = json!({"number": OUR_NUMBER, "channel": "sms", "survey_id": ids.survey});
    let line = api.owner_does("POST", "/lines", &line).await.expect(201);
    api.does("POST", &resend, &json!({})).await.expect(202);
    let thread = api.get("/cases/101/thread").await.expect(200);
    let item = thread["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(item["line_id"], line["id"]);
    assert_eq!(item["delivery"]["status"], "queued");
    assert_eq!(item["delivery"]["attempt"], 2);
    api.worker_rounds().await;
    assert_eq!(
        delivery(&api).await["status"],
        "queued",
        "its line is there"
    );
    replies(&api).await;
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn a_reply_carries_the_reference_as_its_case_asks_for() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    api.receives("Hello").await;
    let other = json!({
        "name": "Without references",
        "status": {"question": "Status", "choices": ["New", "Done"], "closed_value": "Done"},
        "append_reference": false,
    });
    let other = api.owner_does("POST", "/surveys", &other).await.expect(201);
    let path = format!("/lines/{}", ids.line);
    let change = json!({"survey_id": other["id"]});
    api.owner_does("PATCH", &path, &change).await.expect(200);

    replies(&api).await;
    let thread = api.get("/cases/101/thread").await.expect(200);
    let item = thread["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(item["sent_text"], "Good morning #101");
    api.close().await;
}

/// A Vonage that takes nothing now.
async fn busy_vonage(api: &Api) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(async || StatusCode::TOO_MANY_REQUESTS);
    tokio::spawn(axum::serve(listener, router).into_future());
    let credentials = Credentials {
        application_id: "00000000-0000-4000-8000-000000000001".to_owned(),
        private_key_pem: keys().private_key_pem,
    };
    let client = Client::new(&url, &credentials, ClientOptions::default()).unwrap();
    api.app.vonage.client.store(Some(Arc::new(client)));
}

#[tokio::test]
async fn a_message_that_waited_for_long_is_offered_as_often_as_any_other() {
    let api = Api::start().await;
    api.set_up().await;
    busy_vonage(&api).await;
    api.receives("Hello").await;
    replies(&api).await;
    // Docket was down, or the line stood still.
    wait(30 * HOUR);
    api.worker_rounds().await;
    let deferred = delivery(&api).await;
    assert_eq!(deferred["status"], "queued");
    assert!(deferred["reason"].is_string(), "{deferred}");

    // Tried for the first time just now, it is tried again soon, and given up when it was offered for a day.
    let mut offered = 0;
    while delivery(&api).await["status"] == "queued" {
        wait(1_000);
        api.worker_rounds().await;
        offered += 1;
        assert!(offered < 200);
    }
    assert_eq!(offered, 104);
    let failed = delivery(&api).await;
    assert_eq!(failed["status"], "failed");
    assert!(
        failed["reason"]
            .as_str()
            .unwrap()
            .starts_with("given up after a day")
    );
    api.close().await;
}
