//! Replies: what is recorded, two agents at once, and sending again.

use docket_domain::case::News;
use docket_projections::testing::forget_last_lines;
use serde_json::{Value, json};

use crate::support::{Api, OUR_NUMBER, inbound, new_id, text};

#[tokio::test]
async fn a_reply_is_recorded_and_waits_to_be_sent() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let answer = api
        .does(
            "POST",
            "/cases/101/replies",
            &json!({"text": "Hi", "seen_version": 2}),
        )
        .await;
    let queued = answer.expect(202);
    assert_eq!(queued["version"], 3);
    let thread = api.get("/cases/101/thread").await.expect(200);
    let item = &thread["items"][2];
    assert_eq!(item["message_id"], queued["message_id"]);
    assert_eq!(
        (&item["text"], &item["sent_text"]),
        (&json!("Hi"), &json!("Hi #101"))
    );
    assert_eq!(
        item["delivery"],
        json!({"status": "queued", "reason": null, "code": null, "at": null, "attempt": 1})
    );
    assert_eq!(api.get("/cases/101").await.expect(200)["message_count"], 2);
    api.close().await;
}

#[tokio::test]
async fn what_was_said_since_is_shown_and_can_be_answered_all_the_same() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    api.receives("Are you there?").await;

    let reply = json!({"text": "Hi", "seen_version": 2});
    let problem = api
        .does("POST", "/cases/101/replies", &reply)
        .await
        .problem(409, "said-since");
    assert_eq!(problem["version"], 3);
    assert_eq!(problem["new"].as_array().unwrap().len(), 1);
    assert_eq!(problem["new"][0]["text"], "Are you there?");
    assert_eq!(problem["new"][0]["routed"]["rule"], "only_open");
    assert_eq!(api.get("/cases/101").await.expect(200)["version"], 3);

    let reply = json!({"text": "Hi", "seen_version": problem["version"]});
    api.does("POST", "/cases/101/replies", &reply)
        .await
        .expect(202);
    // Without a version nothing is compared.
    api.does("POST", "/cases/101/replies", &json!({"text": "And again"}))
        .await
        .expect(202);
    api.close().await;
}

#[tokio::test]
async fn of_two_agents_at_once_one_is_told_of_the_other() {
    let api = Api::with_writers(4).await;
    api.set_up().await;
    api.receives("Hello").await;
    let reply = |text: &str| json!({"text": text, "seen_version": 2});
    let (from_agent, from_owner) = (reply("from the agent"), reply("from the owner"));
    let (agent, owner) = tokio::join!(
        api.does("POST", "/cases/101/replies", &from_agent),
        api.owner_does("POST", "/cases/101/replies", &from_owner),
    );
    let (first, second, said) = if agent.status.is_success() {
        (agent, owner, "from the agent")
    } else {
        (owner, agent, "from the owner")
    };
    first.expect(202);
    let problem = second.problem(409, "said-since");
    assert_eq!(problem["new"].as_array().unwrap().len(), 1);
    assert_eq!(problem["new"][0]["text"], said);

    // Whoever wrote last may go on without being told of their own message.
    let again = reply("and one thing more");
    let path = "/cases/101/replies";
    let agent_was_first = said == "from the agent";
    let own = if agent_was_first {
        api.does("POST", path, &again).await
    } else {
        api.owner_does("POST", path, &again).await
    };
    own.expect(202);
    api.close().await;
}

#[tokio::test]
async fn replies_that_cannot_be() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    api.receives("Hello").await;
    let reply = async |text: &str| {
        api.does("POST", "/cases/101/replies", &json!({"text": text}))
            .await
    };
    reply(" ").await.problem(422, "invalid-value");
    let problem = reply(&"x".repeat(1_000))
        .await
        .problem(422, "invalid-value");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("1005 characters"),
        "{problem}"
    );

    api.owner_does("DELETE", &format!("/lines/{}", ids.line), &json!({}))
        .await
        .expect(204);
    reply("Hi").await.problem(409, "line-removed");
    api.close().await;
}

#[tokio::test]
async fn a_reply_goes_out_by_the_line_of_the_message_that_was_written_last() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let line = json!({
        "number": OUR_NUMBER, "channel": "whatsapp", "survey_id": ids.survey, "multi_case_reply": null,
    });
    api.owner_does("POST", "/lines", &line).await.expect(201);
    // The SMS was written before the other, and comes after it.
    let writes = async |channel: &str, time: &str| {
        let mut body = inbound(new_id(), OUR_NUMBER, "Hello");
        body["channel"] = json!(channel);
        body["message_type"] = json!("text");
        body["timestamp"] = json!(format!("2026-03-01T{time}Z"));
        api.takes(&body).await;
    };
    let reply_goes_by = async || {
        let reply = json!({"text": "Hi"});
        api.does("POST", "/cases/101/replies", &reply)
            .await
            .expect(202);
        let thread = api.get("/cases/101/thread").await.expect(200);
        text(&thread["items"].as_array().unwrap().last().unwrap()["channel"])
    };
    writes("whatsapp", "11:50:00").await;
    writes("sms", "11:40:00").await;
    assert_eq!(reply_goes_by().await, "whatsapp");
    writes("sms", "11:51:00").await;
    assert_eq!(reply_goes_by().await, "sms");
    // The case began by WhatsApp, and still the answer goes where the person wrote last.
    forget_last_lines(&api.app.pool).await;
    assert_eq!(reply_goes_by().await, "sms");
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn a_failed_message_is_sent_again() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let queued = api
        .does("POST", "/cases/101/replies", &json!({"text": "Hi"}))
        .await
        .expect(202);
    let path = format!(
        "/cases/101/messages/{}/resend",
        queued["message_id"].as_str().unwrap()
    );
    let resend = async || api.call("POST", &path, Some(&api.agent)).send().await;

    let problem = resend().await.problem(409, "not-resendable");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("the message is queued"),
        "{problem}"
    );
    api.sends(
        &queued["message_id"],
        News::Uncertain {
            reason: "no answer".to_owned(),
        },
    )
    .await;
    let again = resend().await.expect(202);
    assert_eq!(again["message_id"], queued["message_id"]);
    let item = api.get("/cases/101/thread").await.expect(200)["items"][2].clone();
    assert_eq!(
        item["delivery"],
        json!({"status": "queued", "reason": null, "code": null, "at": null, "attempt": 2})
    );

    let inbound = api.get("/cases/101/thread").await.expect(200)["items"][1]["message_id"].clone();
    let path = |id: &Value| format!("/cases/101/messages/{}/resend", id.as_str().unwrap());
    api.does("POST", &path(&inbound), &json!({}))
        .await
        .problem(409, "not-resendable");
    let nothing = json!("00000000-0000-0000-0000-0000000000ff");
    api.does("POST", &path(&nothing), &json!({}))
        .await
        .problem(404, "not-found");
    api.close().await;
}
