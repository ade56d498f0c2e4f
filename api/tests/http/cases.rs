//! Cases: the list, one case, the thread, and the changes that say nothing to the contact.

use docket_domain::case::News;
use docket_domain::ids::MessageId;
use serde_json::{Value, json};

use crate::support::{Api, CUSTOMER, OUR_NUMBER, text, wait};

fn references(page: &Value) -> Vec<u64> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["reference"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_case_is_closed_over_what_was_said_since_only_on_purpose() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    api.receives("Wait").await;
    let set = async |body: Value| api.does("PUT", "/cases/101/status", &body).await;
    let problem = set(json!({"value": "Resolved", "seen_version": 2}))
        .await
        .problem(409, "said-since");
    assert_eq!(problem["version"], 3);
    assert_eq!(api.get("/cases/101").await.expect(200)["state"], "open");
    set(json!({"value": "In progress", "seen_version": 2}))
        .await
        .expect(200);
    set(json!({"value": "Resolved", "seen_version": 3}))
        .await
        .expect(200);
    set(json!({"value": "New"})).await.expect(200);
    set(json!({"value": "Resolved"})).await.expect(200);
    api.close().await;
}

#[tokio::test]
async fn a_message_makes_a_case_with_a_thread() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let (references, message_id) = api.receives("I need an appointment").await;
    assert_eq!(references, [101]);

    let case = api.get("/cases/101").await.expect(200);
    let contact_id = text(&case["contact_id"]);
    assert_eq!(
        case,
        json!({
            "reference": 101,
            "title": "I need an appointment",
            "state": "open",
            "status": "New",
            "number": CUSTOMER,
            "channel": "sms",
            "survey_id": ids.survey,
            "line_id": ids.line,
            "contact_id": contact_id,
            "name": null,
            "opted_out": false,
            "may_opt_out": false,
            "origin": "message",
            "withdrawn": false,
            "assignee": null,
            "assignee_name": null,
            "version": 2,
            "message_count": 1,
            "opened_at": "2026-03-01T12:00:00Z",
            "last_message_at": "2026-03-01T12:00:00Z",
            "labels": [],
            "snoozed_until": null,
            "contact": {
                "contact_id": contact_id, "number": CUSTOMER, "name": null, "opted_out": [], "may_opt_out": [],
            },
            "notes": [],
            "links": [],
        })
    );

    let thread = api.get("/cases/101/thread").await.expect(200);
    assert_eq!(thread["next"], Value::Null);
    assert_eq!(thread["items"][0]["kind"], "opened");
    assert_eq!(thread["items"][0]["title"], "I need an appointment");
    let provider_id = text(&thread["items"][1]["provider_id"]);
    assert_eq!(
        thread["items"][1],
        json!({
            "sequence": 2,
            "kind": "message",
            "at": "2026-03-01T11:59:58Z",
            "recorded_at": "2026-03-01T12:00:00Z",
            "author": "contact",
            "author_name": null,
            "author_kind": "contact",
            "message_id": message_id,
            "direction": "inbound",
            "channel": "sms",
            "text": "I need an appointment",
            "content": {"type": "text", "text": "I need an appointment"},
            "routed": {"rule": "first", "references": []},
            "delivery": null,
            "line_id": ids.line,
            "provider_id": provider_id,
        })
    );

    // The list has the same, without contact, notes and links.
    let listed = api.get("/cases").await.expect(200);
    let mut summary = case;
    let members = summary.as_object_mut().unwrap();
    for member in ["contact", "notes", "links"] {
        members.remove(member);
    }
    let said = json!({
        "text": "I need an appointment", "direction": "inbound", "at": "2026-03-01T11:59:58Z",
    });
    members.insert("last_message".to_owned(), said);
    members.insert("waiting_since".to_owned(), json!("2026-03-01T11:59:58Z"));
    members.insert("unread".to_owned(), json!(1));
    members.insert("last_reply_failed".to_owned(), json!(false));
    assert_eq!(listed, json!({"items": [summary], "next": null}));
    api.close().await;
}

#[tokio::test]
async fn the_list_is_filtered() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    for said in [
        "A question about #0 hours",
        "#0 Delivery is late",
        "#0 Thanks",
    ] {
        api.receives(said).await;
        wait(60);
    }
    api.does("PUT", "/cases/101/status", &json!({"value": "Resolved"}))
        .await
        .expect(200);
    api.does(
        "PUT",
        "/cases/102/assignee",
        &json!({"email": "agent@example.com"}),
    )
    .await
    .expect(200);

    let list =
        async |query: &str| references(&api.get(&format!("/cases?{query}")).await.expect(200));
    assert_eq!(list("").await, [103, 102]);
    assert_eq!(list("state=open").await, [103, 102]);
    assert_eq!(list("state=closed").await, [101]);
    assert_eq!(list("state=all").await, [103, 102, 101]);
    assert_eq!(list(&format!("number={CUSTOMER}")).await, [103, 102]);
    assert_eq!(list("number=%2B44+7700+900123").await, [103, 102]);
    assert_eq!(list("number=4477*").await, [103, 102]);
    assert!(list("number=447700900124").await.is_empty());
    assert_eq!(list(&format!("survey={}", ids.survey)).await, [103, 102]);
    assert!(
        list("survey=00000000-0000-0000-0000-0000000000ff")
            .await
            .is_empty()
    );
    assert_eq!(list("assignee=Agent@example.com").await, [102]);
    assert_eq!(list("assignee=me").await, [102]);
    assert_eq!(list("assignee=none").await, [103]);
    assert!(list("assignee=nobody@example.com").await.is_empty());
    assert_eq!(list("q=delivery").await, [102]);
    assert_eq!(list("q=%23101&state=all").await, [101]);
    api.close().await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    let api = Api::start().await;
    api.set_up().await;
    for _ in 0..5 {
        api.receives("#0 Hello").await;
        wait(60);
    }
    let mut seen = vec![];
    let mut path = "/cases?limit=2".to_owned();
    loop {
        let page = api.get(&path).await.expect(200);
        seen.push(references(&page));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/cases?limit=2&cursor={next}");
    }
    assert_eq!(seen, [vec![105, 104], vec![103, 102], vec![101]]);

    for said in ["one #101", "two #101", "three #101"] {
        api.receives(said).await;
    }
    let mut said = vec![];
    let mut path = "/cases/101/thread?limit=2".to_owned();
    loop {
        let page = api.get(&path).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        said.extend(items.iter().map(|item| item["text"].clone()));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/cases/101/thread?limit=2&cursor={next}");
    }
    let expected = json!([null, "#0 Hello", "one #101", "two #101", "three #101"]);
    assert_eq!(Value::from(said), expected);
    api.close().await;
}

#[tokio::test]
async fn changes_answer_with_the_case() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;

    let change = async |what: &str, body: Value| {
        api.does("PUT", &format!("/cases/101/{what}"), &body)
            .await
            .expect(200)
    };
    let case = change("status", json!({"value": "Resolved"})).await;
    assert_eq!(
        (&case["status"], &case["state"]),
        (&json!("Resolved"), &json!("closed"))
    );
    let case = change("status", json!({"value": "In progress"})).await;
    assert_eq!(
        (&case["status"], &case["state"]),
        (&json!("In progress"), &json!("open"))
    );
    assert_eq!(case["version"], 4);
    // What is so already is no event.
    assert_eq!(
        change("status", json!({"value": "In progress"})).await["version"],
        4
    );

    let case = change("title", json!({"title": "  Opening \n hours "})).await;
    assert_eq!(case["title"], "Opening hours");
    let case = change("assignee", json!({"email": "agent@example.com"})).await;
    assert_eq!(case["assignee"], "agent@example.com");
    let case = change("assignee", json!({"email": null})).await;
    assert_eq!(case["assignee"], Value::Null);

    let note = api
        .does("POST", "/cases/101/notes", &json!({"text": "Called back"}))
        .await
        .expect(201);
    let note_id = text(&note["notes"][0]["note_id"]);
    assert_eq!(
        note["notes"],
        json!([{
            "note_id": note_id,
            "text": "Called back",
            "author": "agent@example.com",
            "at": "2026-03-01T12:00:00Z",
        }])
    );

    let thread = api.get("/cases/101/thread").await.expect(200);
    let more: Vec<Value> = thread["items"].as_array().unwrap()[2..]
        .iter()
        .map(|item| {
            let mut item = item.clone();
            assert_eq!(item["author"], "agent@example.com");
            let members = item.as_object_mut().unwrap();
            members.retain(|name, value| {
                ![
                    "at",
                    "recorded_at",
                    "author",
                    "author_kind",
                    "sequence",
                    "note_id",
                ]
                .contains(&name.as_str())
                    && (!value.is_null() || ["assignee", "before"].contains(&name.as_str()))
            });
            item
        })
        .collect();
    assert_eq!(
        Value::from(more),
        json!([
            {"kind": "status", "before": "New", "value": "Resolved", "closed": true},
            {"kind": "status", "before": "Resolved", "value": "In progress", "closed": false},
            {"kind": "renamed", "before": "Hello", "title": "Opening hours"},
            {"kind": "assigned", "before": null, "assignee": "agent@example.com"},
            {"kind": "assigned", "before": "agent@example.com", "assignee": null},
            {"kind": "note", "text": "Called back"},
        ])
    );
    api.close().await;
}

#[tokio::test]
async fn changes_that_cannot_be() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let put =
        async |what: &str, body: Value| api.does("PUT", &format!("/cases/101/{what}"), &body).await;

    let problem = put("status", json!({"value": "Done"}))
        .await
        .problem(422, "unknown-status");
    assert_eq!(
        problem["choices"],
        json!(["New", "In progress", "Resolved"])
    );
    put("title", json!({"title": " \n "}))
        .await
        .problem(422, "invalid-value");
    put("assignee", json!({"email": "nobody@example.com"}))
        .await
        .problem(422, "invalid-value");
    put("assignee", json!({"email": "auditor@example.com"}))
        .await
        .problem(422, "invalid-value");
    put("assignee", json!({}))
        .await
        .problem(422, "invalid-body");
    let note = json!({"text": "x".repeat(10_001)});
    api.does("POST", "/cases/101/notes", &note)
        .await
        .problem(422, "invalid-value");
    for (method, path, body) in [
        ("PUT", "/cases/999/status", json!({"value": "New"})),
        ("PUT", "/cases/999/title", json!({"title": "x"})),
        ("PUT", "/cases/999/assignee", json!({"email": null})),
        ("POST", "/cases/999/notes", json!({"text": "x"})),
        ("POST", "/cases/999/replies", json!({"text": "x"})),
    ] {
        api.does(method, path, &body)
            .await
            .problem(404, "not-found");
    }
    for path in [
        "/cases/999",
        "/cases/999/thread",
        "/cases/999/events",
        "/cases/999?at=1",
    ] {
        api.get(path).await.problem(404, "not-found");
    }
    assert_eq!(api.get("/cases/101").await.expect(200)["version"], 2);
    api.close().await;
}

#[tokio::test]
async fn an_agent_begins_a_case() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let new =
        json!({"line_id": ids.line, "number": "+44 7700 900123", "text": "Your parcel is here"});
    let answer = api.does("POST", "/cases", &new).await;
    let case = answer.expect(201);
    assert_eq!(answer.headers["location"], "/api/v1/cases/101");
    assert_eq!(case["reference"], 101);
    assert_eq!(case["title"], "Your parcel is here");
    assert_eq!(
        (&case["number"], &case["origin"]),
        (&json!(CUSTOMER), &json!("agent"))
    );
    let thread = api.get("/cases/101/thread").await.expect(200);
    let message = &thread["items"][1];
    assert_eq!(message["message_id"], case["message_id"]);
    assert_eq!(message["text"], "Your parcel is here");
    assert_eq!(message["sent_text"], "Your parcel is here #101");
    assert_eq!(message["delivery"]["status"], "queued");

    let refuse = async |change: Value| {
        let mut body = new.clone();
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        api.does("POST", "/cases", &body)
            .await
            .problem(422, "invalid-value")
    };
    refuse(json!({"number": "Example"})).await;
    refuse(json!({"text": " "})).await;
    let unknown = refuse(json!({"line_id": "00000000-0000-0000-0000-0000000000ff"})).await;
    assert!(unknown["detail"].as_str().unwrap().starts_with("line_id "));
    api.close().await;
}

#[tokio::test]
async fn a_case_is_shown_as_it_was() {
    let api = Api::start().await;
    api.set_up().await;
    let (_, message_id) = api.receives("Hello").await;
    let mut now = vec![api.get("/cases/101").await.expect(200)];
    for (method, path, body) in [
        ("POST", "/cases/101/replies", json!({"text": "Hi"})),
        ("PUT", "/cases/101/title", json!({"title": "Greeting"})),
        ("POST", "/cases/101/notes", json!({"text": "Friendly"})),
        (
            "PUT",
            "/cases/101/assignee",
            json!({"email": "agent@example.com"}),
        ),
        (
            "POST",
            &format!("/cases/101/messages/{message_id}/move"),
            json!({}),
        ),
        ("PUT", "/cases/101/status", json!({"value": "Resolved"})),
    ] {
        wait(60);
        api.does(method, path, &body).await;
        now.push(api.get("/cases/101").await.expect(200));
    }
    wait(60);
    // What replay gives is what the read models gave at the time.
    for (minutes, case) in now.iter().enumerate() {
        let version = &case["version"];
        assert_eq!(
            api.get(&format!("/cases/101?at={version}"))
                .await
                .expect(200),
            *case
        );
        let time = format!("2026-03-01T12:{minutes:02}:30Z");
        assert_eq!(
            api.get(&format!("/cases/101?as_of={time}"))
                .await
                .expect(200),
            *case
        );
    }
    assert_eq!(
        api.get("/cases/101?at=1").await.expect(200)["message_count"],
        0
    );
    for (query, said) in [
        ("at=0", "had not begun"),
        ("at=99", "has no event 99"),
        ("as_of=2026-03-01T11:59:59Z", "had not begun"),
    ] {
        let problem = api
            .get(&format!("/cases/101?{query}"))
            .await
            .problem(404, "not-found");
        assert!(
            problem["detail"].as_str().unwrap().contains(said),
            "{problem}"
        );
    }
    api.close().await;
}

#[tokio::test]
async fn the_fate_of_a_message_is_shown() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let reply = api
        .does("POST", "/cases/101/replies", &json!({"text": "Hi"}))
        .await
        .expect(202);
    let failed = News::Failed {
        code: Some(1120),
        reason: "The network does not accept our number".to_owned(),
    };
    api.sends(&reply["message_id"], failed).await;

    let item = api.get("/cases/101/thread").await.expect(200)["items"][2].clone();
    assert_eq!(
        item["delivery"],
        json!({
            "status": "failed", "reason": "The network does not accept our number", "code": 1120, "at": null, "attempt": 1,
        })
    );
    assert_eq!(
        (&item["author"], &item["author_kind"]),
        (&json!("agent@example.com"), &json!("user"))
    );
    assert_eq!(item["channel"], "sms");
    let _: MessageId = text(&item["message_id"]).parse().unwrap();
    assert_ne!(item["line_id"], Value::Null, "{OUR_NUMBER}");
    api.close().await;
}
