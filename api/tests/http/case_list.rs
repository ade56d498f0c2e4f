//! What the list of cases says of each, its filters and its orders.

use docket_domain::case::News;
use serde_json::{Value, json};

use crate::support::{Api, new_id, survey, text, wait};

async fn listed(api: &Api, query: &str) -> Vec<Value> {
    let page = api.get(&format!("/cases?{query}")).await.expect(200);
    assert_eq!(page["next"], Value::Null, "{query}");
    page["items"].as_array().unwrap().clone()
}

async fn references(api: &Api, query: &str) -> Vec<u64> {
    let listed = listed(api, query).await;
    let reference = |case: &Value| case["reference"].as_u64().unwrap();
    listed.iter().map(reference).collect()
}

/// The only case, as the list shows it.
async fn only(api: &Api) -> Value {
    let mut listed = listed(api, "state=all").await;
    assert_eq!(listed.len(), 1);
    listed.remove(0)
}

async fn replies(api: &Api, reference: u32, said: &str) -> Value {
    let path = format!("/cases/{reference}/replies");
    let queued = api.does("POST", &path, &json!({"text": said})).await;
    queued.expect(202)["message_id"].clone()
}

fn failure() -> News {
    News::Failed {
        code: Some(1150),
        reason: "invented".to_owned(),
    }
}

/// A message at that second after noon, from that number.
fn message(from: &str, channel: &str, second: u32, said: &str) -> Value {
    json!({
        "channel": channel, "message_uuid": new_id(), "to": "447700900000", "from": from, "message_type": "text",
        "timestamp": format!("2026-03-01T12:{:02}:{:02}Z", second / 60, second % 60), "text": said,
    })
}

#[tokio::test]
async fn a_row_shows_the_last_message_and_who_waits() {
    let api = Api::start().await;
    api.set_up().await;
    api.takes(&message("447700900101", "sms", 0, "Is  the\nroof mended?"))
        .await;
    let row = only(&api).await;
    assert_eq!(row["last_message"]["text"], "Is the roof mended?");
    assert_eq!(row["last_message"]["direction"], "inbound");
    assert_eq!(row["waiting_since"], "2026-03-01T12:00:00Z");
    assert_eq!(row["unread"], 1);
    wait(60);
    api.takes(&message("447700900101", "sms", 60, &"word ".repeat(60)))
        .await;
    let row = only(&api).await;
    assert_eq!(row["unread"], 2);
    assert_eq!(
        row["waiting_since"], "2026-03-01T12:00:00Z",
        "the first of them"
    );
    let shown = text(&row["last_message"]["text"]);
    assert!(
        shown.chars().count() <= 120 && shown.ends_with('…'),
        "{shown}"
    );

    // A note answers nothing, a reply does.
    api.does("POST", "/cases/101/notes", &json!({"text": "Ask Ben"}))
        .await
        .expect(201);
    assert!(only(&api).await["waiting_since"].is_string());
    wait(60);
    replies(&api, 101, "It is mended").await;
    let row = only(&api).await;
    assert_eq!(
        row["last_message"],
        json!({"text": "It is mended", "direction": "outbound", "at": "2026-03-01T12:02:00Z"})
    );
    assert_eq!(row["waiting_since"], Value::Null);
    assert_eq!(row["last_reply_failed"], false);

    wait(60);
    api.takes(&message("447700900101", "sms", 180, "And the gutter?"))
        .await;
    assert_eq!(only(&api).await["waiting_since"], "2026-03-01T12:03:00Z");
    api.does("PUT", "/cases/101/status", &json!({"value": "Resolved"}))
        .await
        .expect(200);
    let row = only(&api).await;
    assert_eq!(
        (&row["waiting_since"], &row["unread"]),
        (&Value::Null, &json!(0))
    );
    // A case that is opened again waits for the next message.
    api.does("PUT", "/cases/101/status", &json!({"value": "New"}))
        .await
        .expect(200);
    assert_eq!(only(&api).await["waiting_since"], Value::Null);
    let auditors = api
        .call("GET", "/cases", Some(&api.auditor))
        .send()
        .await
        .expect(200);
    assert_eq!(auditors["items"][0]["unread"], 0);
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn without_a_text_the_row_says_what_came() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let line = json!({
        "number": "447700900000", "channel": "whatsapp", "survey_id": ids.survey, "multi_case_reply": null,
    });
    api.owner_does("POST", "/lines", &line).await.expect(201);
    let photo = json!({
        "channel": "whatsapp", "message_uuid": new_id(), "to": "447700900000", "from": "447700900101",
        "timestamp": "2026-03-01T12:00:00Z", "message_type": "image",
        "image": {"url": "https://media.example.com/roof.jpg"},
    });
    api.takes(&photo).await;
    assert_eq!(only(&api).await["last_message"]["text"], "Photo");
    let blank = message("447700900101", "whatsapp", 1, "\u{200b}");
    api.takes(&blank).await;
    assert_eq!(only(&api).await["last_message"]["text"], "Text message");
    api.close().await;
}

#[tokio::test]
async fn the_last_reply_that_failed_is_marked_until_somebody_deals_with_it() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let first = replies(&api, 101, "Good morning").await;
    api.sends(&first, failure()).await;
    assert_eq!(only(&api).await["last_reply_failed"], true);
    assert_eq!(references(&api, "view=failed").await, [101]);

    // Another reply takes its place, and fails after the case was closed with it.
    let second = replies(&api, 101, "Good morning again").await;
    assert_eq!(only(&api).await["last_reply_failed"], false);
    assert!(references(&api, "view=failed").await.is_empty());
    api.does("PUT", "/cases/101/status", &json!({"value": "Resolved"}))
        .await
        .expect(200);
    api.sends(&second, failure()).await;
    assert_eq!(only(&api).await["last_reply_failed"], true);
    assert!(
        references(&api, "view=failed").await.is_empty(),
        "an open one"
    );
    assert_eq!(references(&api, "view=failed&state=all").await, [101]);
    for order in ["newest", "reference"] {
        let query = format!("view=failed&state=closed&order={order}");
        assert_eq!(references(&api, &query).await, [101]);
    }

    // Sent again it is on its way.
    let resend = format!("/cases/101/messages/{}/resend", text(&second));
    api.does("POST", &resend, &json!({})).await.expect(202);
    assert_eq!(only(&api).await["last_reply_failed"], false);
    assert!(references(&api, "view=failed&state=all").await.is_empty());
    // An older reply that fails late is not the last one.
    let third = replies(&api, 101, "One").await;
    replies(&api, 101, "Two").await;
    api.sends(&third, failure()).await;
    assert_eq!(only(&api).await["last_reply_failed"], false);
    assert!(references(&api, "view=failed&state=all").await.is_empty());
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn a_message_that_moves_waits_where_it_goes_and_no_more_where_it_stood() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("The roof leaks").await;
    replies(&api, 101, "We are coming").await;
    let (_, message_id) = api.receives("When do you open?").await;
    assert_eq!(references(&api, "order=waiting").await, [101]);
    let path = format!("/cases/101/messages/{message_id}/move");
    api.does("POST", &path, &json!({})).await.expect(200);
    for query in [
        "order=waiting",
        "view=waiting",
        "view=waiting&order=reference",
    ] {
        assert_eq!(references(&api, query).await, [102], "{query}");
    }
    let rows = listed(&api, "order=reference").await;
    assert_eq!(rows[0]["waiting_since"], Value::Null);
    assert_eq!(rows[0]["last_message"]["text"], "We are coming");
    assert_eq!(rows[1]["last_message"]["text"], "When do you open?");

    let undo = format!("/cases/102/messages/{message_id}/undo-move");
    api.does("POST", &undo, &json!({})).await.expect(200);
    assert_eq!(references(&api, "order=waiting").await, [101]);
    assert_eq!(references(&api, "view=waiting").await, [101]);
    let row = &listed(&api, "").await[0];
    assert_eq!(row["last_message"]["text"], "When do you open?");
    assert!(row["unread"].as_u64() >= Some(1), "what came back is news");
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn filters_combine_and_the_longest_wait_comes_first() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let whatsapp = json!({
        "number": "447700900000", "channel": "whatsapp", "survey_id": ids.survey, "multi_case_reply": null,
    });
    let whatsapp = api
        .owner_does("POST", "/lines", &whatsapp)
        .await
        .expect(201);
    for (n, channel) in ["sms", "whatsapp", "sms", "whatsapp"]
        .into_iter()
        .enumerate()
    {
        let second = 60 * u32::try_from(n).unwrap();
        let from = format!("44770090010{n}");
        api.takes(&message(&from, channel, second, "Hello")).await;
        wait(60);
    }
    // 101 is answered and writes again: now 102 waits longest.
    replies(&api, 101, "Hello to you").await;
    api.takes(&message(
        "447700900100",
        "sms",
        300,
        "Thanks, and the bill?",
    ))
    .await;
    api.does("PUT", "/cases/103/status", &json!({"value": "In progress"}))
        .await
        .expect(200);
    api.does(
        "PUT",
        "/cases/104/assignee",
        &json!({"email": "agent@example.com"}),
    )
    .await
    .expect(200);

    let line = format!("line={}", ids.line);
    let other = format!("line={}", text(&whatsapp["id"]));
    for (query, expected) in [
        ("order=waiting", &[102_u64, 103, 104, 101][..]),
        ("order=waiting&channel=sms", &[103, 101]),
        ("order=waiting&status=New", &[102, 104, 101]),
        ("order=waiting&assignee=none", &[102, 103, 101]),
        ("order=waiting&number=44770090010*&assignee=me", &[104]),
        ("order=newest", &[101, 104, 103, 102]),
        ("channel=whatsapp", &[104, 102]),
        ("channel=", &[101, 104, 103, 102]),
        ("status=In%20progress", &[103]),
        ("status=In%20progress&channel=whatsapp", &[]),
        ("status=Nowhere", &[]),
        (&*line, &[101, 103]),
        (&*other, &[104, 102]),
        (&*format!("{other}&assignee=me"), &[104]),
        ("since=2026-03-01T12:03:00Z", &[101, 104]),
        ("until=2026-03-01T12:03:00Z", &[103, 102]),
        (
            "since=2026-03-01T12:02:00Z&until=2026-03-01T12:03:00Z",
            &[103],
        ),
        (
            "order=reference&since=2026-03-01T12:02:00Z&channel=whatsapp",
            &[104],
        ),
        ("order=waiting&until=2026-03-01T12:02:00Z", &[102]),
        ("view=waiting&q=hello", &[101, 104, 103, 102]),
        ("view=waiting&q=bill", &[101]),
        ("view=unread&channel=sms", &[101, 103]),
    ] {
        assert_eq!(references(&api, query).await, expected, "{query}");
    }

    // The order goes on from page to page.
    let mut query = "/cases?order=waiting&limit=3".to_owned();
    let mut found = vec![];
    loop {
        let page = api.get(&query).await.expect(200);
        for case in page["items"].as_array().unwrap() {
            found.push(case["reference"].as_u64().unwrap());
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        query = format!("/cases?order=waiting&limit=3&cursor={next}");
    }
    assert_eq!(found, [102, 103, 104, 101]);
    api.close().await;
}

#[tokio::test]
async fn what_cannot_be_listed_is_refused() {
    let api = Api::start().await;
    api.set_up().await;
    for (query, said) in [
        ("view=mine", "view must be one of unread, waiting, failed"),
        ("channel=fax", "channel must be one of sms, whatsapp"),
        ("channel=mms", "channel must be one of sms, whatsapp"),
        (
            "order=oldest",
            "order must be one of newest, waiting, reference",
        ),
        ("order=waiting&q=roof", "order=waiting does not go with q"),
        (
            "order=reference&view=unread",
            "order=reference does not go with view=unread",
        ),
        (
            "order=waiting&view=unread",
            "order=waiting does not go with view=unread",
        ),
    ] {
        let problem = api
            .get(&format!("/cases?{query}"))
            .await
            .problem(400, "invalid-query");
        assert!(
            text(&problem["detail"]).contains(said),
            "{query}: {problem}"
        );
    }
    let cursor = "/cases?order=waiting&cursor=cases:1-101";
    api.get(cursor).await.problem(400, "invalid-cursor");
    for query in ["line=x", "since=yesterday", "until=2026-03-01"] {
        assert_eq!(
            api.get(&format!("/cases?{query}")).await.status,
            400,
            "{query}"
        );
    }
    api.close().await;
}

#[tokio::test]
async fn nothing_is_told_of_surveys_that_somebody_does_not_reach() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let mut other = survey();
    other["name"] = json!("Clinic");
    let other = api.owner_does("POST", "/surveys", &other).await.expect(201);
    let line = json!({
        "number": "447700900001", "channel": "sms", "survey_id": other["id"], "multi_case_reply": null,
    });
    api.owner_does("POST", "/lines", &line).await.expect(201);
    api.receives("Hello").await;
    api.receives_at("447700900001", "Hello").await;
    assert_eq!(references(&api, "order=waiting").await, [101, 102]);
    let query = format!("order=waiting&survey={}", ids.survey);
    assert_eq!(references(&api, &query).await, [101]);
    let users = api
        .call("GET", "/users", Some(&api.owner))
        .send()
        .await
        .expect(200);
    let users = users["items"].as_array().unwrap();
    let agent = users
        .iter()
        .find(|user| user["email"] == "agent@example.com")
        .unwrap();
    let path = format!("/users/{}", text(&agent["id"]));
    api.owner_does("PATCH", &path, &json!({"surveys": [other["id"]]}))
        .await
        .expect(200);
    for query in [
        "order=waiting",
        "view=waiting",
        "view=unread",
        "since=2026-01-01T00:00:00Z",
    ] {
        assert_eq!(references(&api, query).await, [102], "{query}");
    }
    api.close().await;
}
