//! Contacts and their opt-outs: names, notes, search, and that nothing is sent to whoever opted out.

use docket::operations::status::RecordStatus;
use docket::vonage::payload::decode_status;
use docket_domain::case::News;
use docket_domain::held::HeldBody;
use docket_domain::ids::{HeldId, MessageId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Api, CUSTOMER, OUR_NUMBER, new_id, text};

/// The id of the contact of a case.
async fn contact_of(api: &Api, reference: u32) -> String {
    let case = api.get(&format!("/cases/{reference}")).await.expect(200);
    text(&case["contact"]["contact_id"])
}

async fn set_opt_out(api: &Api, contact: &str, body: Value) -> Value {
    let path = format!("/contacts/{contact}/opt-out");
    api.does("PUT", &path, &body).await.expect(200)
}

/// Vonage says that the message was not sent, since its number opted out.
async fn hears_of_opt_out(api: &Api, message_id: &Value) {
    let message_id = MessageId(text(message_id).parse().unwrap());
    let body = json!({
        "message_uuid": Uuid::from_u128(9), "client_ref": message_id.client_ref(1), "channel": "sms",
        "to": CUSTOMER, "from": OUR_NUMBER, "timestamp": "2026-03-01T12:00:01Z", "status": "rejected",
        "error": {"type": "https://developer.vonage.com/api-errors/messages#1240", "title": "1240", "detail": "opted out"},
    })
    .to_string();
    let operation = RecordStatus {
        status: decode_status(body.as_bytes(), docket::ambient::now()).unwrap(),
        body: HeldBody::Text(body),
        held_id: HeldId(new_id()),
        request_id: None,
    };
    api.app.ledger.submit(operation).await.unwrap();
}

async fn reply(api: &Api, said: &str) -> crate::support::Answer {
    api.does("POST", "/cases/101/replies", &json!({"text": said}))
        .await
}

#[tokio::test]
async fn a_name_that_people_gave_stands_everywhere() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let contact = contact_of(&api, 101).await;
    let path = format!("/contacts/{contact}");
    let known = api.get(&path).await.expect(200);
    assert_eq!(
        (&known["number"], &known["name"], &known["version"]),
        (&json!(CUSTOMER), &Value::Null, &json!(0))
    );
    assert_eq!(known["channels"], json!(["sms"]));

    let body = json!({"name": " Jane\nExample ", "note": "Prefers mornings."});
    let changed = api.does("PATCH", &path, &body).await.expect(200);
    assert_eq!(changed["name"], "Jane Example");
    assert_eq!(changed["note"], "Prefers mornings.");
    assert_eq!(changed["cases"][0]["name"], "Jane Example");
    assert_eq!(changed["version"], 2);
    let case = api.get("/cases/101").await.expect(200);
    assert_eq!(case["contact"]["name"], "Jane Example");
    for q in ["jane", "JANE example", "+44 7700 900123", "07700900123"] {
        let q = q.replace('+', "%2B").replace(' ', "%20");
        let found = api.get(&format!("/cases?q={q}")).await.expect(200);
        assert_eq!(found["items"][0]["name"], "Jane Example", "{q}");
        let found = api.get(&format!("/contacts?q={q}")).await.expect(200);
        assert_eq!(found["items"][0]["contact_id"], json!(contact), "{q}");
    }
    for q in ["john", "jane%20smith", "99999"] {
        let found = api.get(&format!("/contacts?q={q}")).await.expect(200);
        assert_eq!(found["items"], json!([]), "{q}");
    }

    // What is left out stays, and null takes it off.
    let changed = api.does("PATCH", &path, &json!({"name": null})).await;
    let changed = changed.expect(200);
    assert_eq!(changed["name"], Value::Null);
    assert_eq!(changed["note"], "Prefers mornings.");
    let found = api.get("/contacts?q=jane").await.expect(200);
    assert_eq!(found["items"], json!([]));
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn what_is_no_name_or_note_is_refused() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let path = format!("/contacts/{}", contact_of(&api, 101).await);
    for (body, slug) in [
        (json!({"name": "x".repeat(201)}), "invalid-value"),
        (json!({"note": "x".repeat(2001)}), "invalid-value"),
        (json!({"nickname": "J"}), "invalid-body"),
        (json!({"name": 7}), "invalid-body"),
    ] {
        api.does("PATCH", &path, &body).await.problem(422, slug);
    }
    let path = format!("/contacts/{}", new_id());
    api.get(&path).await.problem(404, "not-found");
    let body = json!({"name": "Jane"});
    api.does("PATCH", &path, &body)
        .await
        .problem(404, "not-found");
    api.get("/contacts/x").await.problem(400, "invalid-path");
    api.get("/contacts?cursor=cases:1-101")
        .await
        .problem(400, "invalid-cursor");
    api.close().await;
}

#[tokio::test]
async fn the_list_of_contacts_is_read_page_by_page() {
    let api = Api::start().await;
    api.set_up().await;
    for n in 0..5 {
        let mut body = crate::support::inbound(new_id(), OUR_NUMBER, "Hello");
        body["from"] = json!(format!("44770090020{n}"));
        api.takes(&body).await;
    }
    let mut numbers = vec![];
    let mut path = "/contacts?limit=2".to_owned();
    loop {
        let page = api.get(&path).await.expect(200);
        let items = page["items"].as_array().unwrap();
        numbers.extend(items.iter().map(|item| text(&item["number"])));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/contacts?limit=2&cursor={next}");
    }
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!((sorted.len(), numbers.len()), (5, 5));
    api.close().await;
}

#[tokio::test]
async fn after_stop_nothing_is_sent_until_start() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let waiting = reply(&api, "A reply that waits").await.expect(202);
    let thread_of = || async { api.get("/cases/101/thread").await.expect(200) };
    let stop = api.receives("Stop. #101").await;
    assert_eq!(stop.0, [101]);
    let case = api.get("/cases/101").await.expect(200);
    assert_eq!(
        (&case["opted_out"], &case["may_opt_out"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(case["contact"]["opted_out"], json!(["sms"]));

    let problem = reply(&api, "Are you sure?").await.problem(409, "opted-out");
    assert!(text(&problem["detail"]).contains("opted out of SMS"));
    let begin = json!({"line_id": case["line_id"], "number": CUSTOMER, "text": "Hi"});
    api.does("POST", "/cases", &begin)
        .await
        .problem(409, "opted-out");

    // What waited fails with the reason, and is not sent again.
    api.worker_rounds().await;
    let thread = thread_of().await;
    let items = thread["items"].as_array().unwrap();
    let failed = items
        .iter()
        .find(|item| item["message_id"] == waiting["message_id"])
        .unwrap();
    assert_eq!(failed["delivery"]["status"], "failed");
    assert!(text(&failed["delivery"]["reason"]).contains("opted out"));
    let resend = format!(
        "/cases/101/messages/{}/resend",
        text(&waiting["message_id"])
    );
    api.does("POST", &resend, &json!({}))
        .await
        .problem(409, "opted-out");
    let told = items.iter().find(|item| item["kind"] == "opt_out").unwrap();
    assert_eq!(
        (
            &told["opted_out"],
            &told["cause"],
            &told["channel"],
            &told["author_kind"]
        ),
        (
            &json!(true),
            &json!("message"),
            &json!("sms"),
            &json!("contact")
        )
    );

    api.receives("START").await;
    let case = api.get("/cases/101").await.expect(200);
    assert_eq!(case["opted_out"], false);
    reply(&api, "Welcome back").await.expect(202);
    api.does("POST", &resend, &json!({})).await.expect(202);
    api.equals_its_log().await;
    // The past stays as it was.
    let before = api.get("/cases/101?at=3").await.expect(200);
    assert_eq!(before["opted_out"], false);
    api.close().await;
}

#[tokio::test]
async fn people_opt_a_contact_out_and_in_again_by_hand() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let contact = contact_of(&api, 101).await;
    let out = json!({"channel": "sms", "opted_out": true, "reason": "Asked by phone"});
    let set = set_opt_out(&api, &contact, out.clone()).await;
    assert_eq!(set["opted_out"], json!(["sms"]));
    assert_eq!(set["cases"][0]["opted_out"], true);
    // What is so already is no event.
    let again = set_opt_out(&api, &contact, out).await;
    assert_eq!(again["version"], set["version"]);
    reply(&api, "Hi").await.problem(409, "opted-out");
    let thread = api.get("/cases/101/thread").await.expect(200);
    let told = thread["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&told["kind"], &told["comment"], &told["author"]),
        (
            &json!("opt_out"),
            &json!("Asked by phone"),
            &json!("agent@example.com")
        )
    );
    // The other channel is another matter.
    let other = json!({"channel": "whatsapp", "opted_out": true});
    let set = set_opt_out(&api, &contact, other).await;
    assert_eq!(set["opted_out"], json!(["sms", "whatsapp"]));
    let back = json!({"channel": "sms", "opted_out": false, "reason": null});
    let set = set_opt_out(&api, &contact, back).await;
    assert_eq!(set["opted_out"], json!(["whatsapp"]));
    reply(&api, "Hi").await.expect(202);

    let path = format!("/contacts/{contact}/opt-out");
    for body in [
        json!({"channel": "mms", "opted_out": true}),
        json!({"channel": "SMS", "opted_out": true}),
        json!({"channel": "sms", "opted_out": true, "reason": "x".repeat(501)}),
    ] {
        api.does("PUT", &path, &body)
            .await
            .problem(422, "invalid-value");
    }
    for body in [json!({"channel": "sms"}), json!({"opted_out": true})] {
        api.does("PUT", &path, &body)
            .await
            .problem(422, "invalid-body");
    }
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn a_message_that_only_begins_with_such_a_word_is_for_people_to_judge() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    api.receives("STOP please, this is the wrong number").await;
    let case = api.get("/cases/101").await.expect(200);
    assert_eq!(
        (&case["opted_out"], &case["may_opt_out"]),
        (&json!(false), &json!(true))
    );
    let thread = api.get("/cases/101/thread").await.expect(200);
    assert_eq!(thread["items"][1].get("may_opt_out"), None);
    assert_eq!(thread["items"][2]["may_opt_out"], true);
    reply(&api, "Sorry!").await.expect(202);

    let contact = contact_of(&api, 101).await;
    let no = json!({"channel": "sms", "opted_out": false, "reason": "They meant the calls"});
    let settled = set_opt_out(&api, &contact, no).await;
    assert_eq!(settled["may_opt_out"], json!([]));
    assert_eq!(settled["cases"][0]["may_opt_out"], false);
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn what_vonage_says_of_an_opt_out_counts_once() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let queued = reply(&api, "Hi").await.expect(202);
    let sent = News::Sent {
        provider_id: Some("a".repeat(36)),
    };
    api.sends(&queued["message_id"], sent).await;
    let status = || hears_of_opt_out(&api, &queued["message_id"]);
    status().await;
    let case = api.get("/cases/101").await.expect(200);
    assert_eq!(case["opted_out"], true);
    reply(&api, "Hi").await.problem(409, "opted-out");
    // A status that comes again after START changes nothing.
    api.receives("START").await;
    status().await;
    let case = api.get("/cases/101").await.expect(200);
    assert_eq!(case["opted_out"], false);
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn a_contact_of_another_survey_is_as_if_it_were_not_there() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let contact = contact_of(&api, 101).await;
    let agent = api
        .owner_does("GET", "/users", &json!({}))
        .await
        .expect(200);
    let agents = agent["items"].as_array().unwrap();
    let agent = agents.iter().find(|user| user["role"] == "agent").unwrap();
    let path = format!("/users/{}", text(&agent["id"]));
    api.owner_does("PATCH", &path, &json!({"surveys": []}))
        .await
        .expect(200);
    let path = format!("/contacts/{contact}");
    api.get(&path).await.problem(404, "not-found");
    assert_eq!(api.get("/contacts").await.expect(200)["items"], json!([]));
    let body = json!({"name": "Jane"});
    api.does("PATCH", &path, &body)
        .await
        .problem(404, "not-found");
    let body = json!({"channel": "sms", "opted_out": true});
    api.does("PUT", &format!("{path}/opt-out"), &body)
        .await
        .problem(404, "not-found");
    api.close().await;
}
