//! Where messages go, as far as the survey's settings and the number of open cases bear on it.

use docket::vonage::payload::{Inbound, decode_inbound};
use docket_domain::content::Content;
use docket_domain::routing::MAX_OPEN_CASES;
use serde_json::json;

use crate::support::{Api, OUR_NUMBER, inbound, new_id};

#[tokio::test]
async fn a_record_stays_one_when_its_survey_gets_cases() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let cases = async |enabled: bool| {
        let path = format!("/surveys/{}", ids.survey);
        let change = json!({"cases_enabled": enabled});
        api.owner_does("PATCH", &path, &change).await.expect(200);
    };
    let line = json!({"multi_case_reply": "%s1: %s2"});
    let path = format!("/lines/{}", ids.line);
    api.owner_does("PATCH", &path, &line).await.expect(200);
    cases(false).await;
    for reference in 101..=103 {
        assert_eq!(api.receives("Hello").await.0, [reference]);
    }
    // One that was closed and opened again is a record all the same, and so is a closed one.
    for (reference, value) in [(101, "Resolved"), (101, "New"), (102, "Resolved")] {
        let path = format!("/cases/{reference}/status");
        let value = json!({"value": value});
        api.does("PUT", &path, &value).await.expect(200);
    }
    cases(true).await;

    assert_eq!(api.receives("Hello again").await.0, [104]);
    assert_eq!(api.receives("#101, #102 and #103").await.0, [104]);
    assert_eq!(api.receives("And once more").await.0, [104]);
    let begun = api.get("/cases/104").await.expect(200);
    assert_eq!(
        begun["message_count"], 3,
        "no automatic reply is among them"
    );
    assert_eq!(api.get("/cases/101").await.expect(200)["message_count"], 1);
    api.close().await;
}

#[tokio::test]
async fn who_has_too_many_open_cases_waits_until_some_are_closed() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let line = json!({"multi_case_reply": "%s1 are open"});
    let path = format!("/lines/{}", ids.line);
    api.owner_does("PATCH", &path, &line).await.expect(200);
    let many = u32::try_from(MAX_OPEN_CASES).unwrap();
    for reference in (101..).take(MAX_OPEN_CASES) {
        assert_eq!(api.receives("#0").await.0, [reference]);
    }
    // One more finds no place, and is not lost.
    assert_eq!(
        api.is_held("#0, and another subject").await,
        "too_many_open_cases"
    );
    let kept = api.get("/unrouted").await.expect(200);
    let kept = &kept["items"][0];
    assert_eq!(kept["from"], "447700900123");
    assert!(kept["body"].as_str().unwrap().contains("another subject"));
    let route = format!("/unrouted/{}/route", kept["id"].as_str().unwrap());
    let problem = api.owner_does("POST", &route, &json!({})).await;
    problem.problem(409, "not-routable");
    // What names one case goes there, and what names none to all of them.
    assert_eq!(api.receives("about #150").await.0, [150]);
    assert_eq!(api.receives("Hello?").await.0.len(), MAX_OPEN_CASES);

    // Agents open as many as they like, and then a message can no longer go to all of them.
    let begun = json!({"line_id": ids.line, "number": "+447700900123", "text": "Good morning"});
    api.does("POST", "/cases", &begun).await.expect(201);
    assert_eq!(api.is_held("Hello again?").await, "too_many_open_cases");

    for reference in [101, 101 + many] {
        let path = format!("/cases/{reference}/status");
        let value = json!({"value": "Resolved"});
        api.does("PUT", &path, &value).await.expect(200);
    }
    let routed = api.owner_does("POST", &route, &json!({})).await.expect(200);
    assert_eq!(routed, json!({"references": [102 + many]}));
    api.close().await;
}

/// Deeper than is taken today, and as deep as was taken once.
#[tokio::test]
async fn what_came_in_too_deep_is_still_read() {
    let api = Api::start().await;
    api.set_up().await;
    let order = (0..127).fold(json!(1), |inner, _| json!([inner]));
    let body = inbound(new_id(), OUR_NUMBER, "an order");
    let said = Inbound {
        content: Content::Order {
            order: order.clone(),
        },
        ..decode_inbound(body.to_string().as_bytes(), docket::ambient::now()).unwrap()
    };
    api.takes_decoded(said, &body).await;

    for path in [
        "/cases/101/thread",
        "/cases/101",
        "/cases/101?at=2",
        "/cases/101/events",
        "/events",
    ] {
        let answer = api.call("GET", path, Some(&api.owner)).send().await;
        assert_eq!(answer.status, 200, "{path}");
        if path.ends_with("/thread") {
            assert!(answer.text.contains(&order.to_string()));
        }
    }
    api.equals_its_log().await;
    api.close().await;
}
