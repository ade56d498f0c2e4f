//! What could not be routed, and routing it.

use docket::operations::Asked;
use docket::operations::held::RouteHeld;
use docket::vonage::payload::decode_inbound;
use docket_domain::access::Access;
use docket_domain::held::{HeldBody, HeldReason, WebhookKind};
use docket_domain::ids::{HeldId, UserId};
use docket_projections::ledger::operation::Answer;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Api, OUR_NUMBER, fresh_ids, inbound, wait};

async fn route(api: &Api, id: Uuid) -> crate::support::Answer {
    api.owner_does("POST", &format!("/unrouted/{id}/route"), &json!({}))
        .await
}

#[tokio::test]
async fn a_message_is_routed_when_its_line_is_there() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let body = inbound(Uuid::from_u128(7), "447700900001", "Hello").to_string();
    let id = api
        .holds(
            WebhookKind::Inbound,
            HeldReason::UnknownLine,
            HeldBody::Text(body.clone()),
        )
        .await;
    let listed = api.get("/unrouted").await.expect(200);
    assert_eq!(
        listed,
        json!({
            "items": [{
                "id": id,
                "held_id": id,
                "kind": "inbound",
                "reason": "unknown_line",
                "detail": "for a test",
                "provider_id": Uuid::from_u128(7),
                "to": "447700900001",
                "from": "447700900123",
                "text": "Hello",
                "at": listed["items"][0]["at"],
                "remedy": "Add a line with that number and channel, then route them again. They go where they would have gone, in the order in which they came.",
                "body": body,
                "received_at": "2026-03-01T12:00:00Z",
            }],
            "next": null,
        })
    );

    route(&api, id).await.problem(409, "not-routable");
    let line = json!({"number": "447700900001", "channel": "sms", "survey_id": ids.survey});
    api.owner_does("POST", "/lines", &line).await.expect(201);
    assert_eq!(
        route(&api, id).await.expect(200),
        json!({"references": [101]})
    );
    assert_eq!(api.get("/cases/101").await.expect(200)["title"], "Hello");
    assert_eq!(
        api.get("/unrouted").await.expect(200),
        json!({"items": [], "next": null})
    );

    route(&api, id).await.problem(409, "already-routed");
    route(&api, Uuid::from_u128(0xff))
        .await
        .problem(404, "not-found");
    api.close().await;
}

/// Kept since it could not be read, and sent again by Vonage when Docket had learnt to.
#[tokio::test]
async fn what_came_once_more_is_recorded_once() {
    let api = Api::start().await;
    api.set_up().await;
    let keeps = async |body: &Value| {
        let body = HeldBody::Text(body.to_string());
        api.holds(WebhookKind::Inbound, HeldReason::Undecodable, body)
            .await
    };
    let first = inbound(Uuid::from_u128(7), OUR_NUMBER, "Hello");
    let kept = keeps(&first).await;
    assert!(matches!(api.takes(&first).await, Answer::Done(_)));
    assert_eq!(
        route(&api, kept).await.expect(200),
        json!({"references": [101]})
    );
    assert_eq!(api.get("/cases/101").await.expect(200)["message_count"], 1);
    assert_eq!(api.get("/unrouted").await.expect(200)["items"], json!([]));

    let second = inbound(Uuid::from_u128(8), OUR_NUMBER, "Hello again");
    let kept = keeps(&second).await;
    assert_eq!(
        route(&api, kept).await.expect(200),
        json!({"references": [101]})
    );
    assert_eq!(api.takes(&second).await, Answer::Duplicate);
    assert_eq!(api.get("/cases/101").await.expect(200)["message_count"], 2);

    // The same id from somebody else is another message.
    let mut other = inbound(Uuid::from_u128(8), OUR_NUMBER, "Good morning");
    other["from"] = json!("447700900124");
    let kept = keeps(&other).await;
    assert_eq!(
        route(&api, kept).await.expect(200),
        json!({"references": [102]})
    );
    api.close().await;
}

/// Routed by an owner and sent again by Vonage at the same moment, in one transaction.
#[tokio::test]
async fn what_comes_once_more_while_it_is_routed_is_recorded_once() {
    let api = Api::start().await;
    api.set_up().await;
    let body = inbound(Uuid::from_u128(7), OUR_NUMBER, "Hello");
    let kept = HeldBody::Text(body.to_string());
    let kept = api
        .holds(WebhookKind::Inbound, HeldReason::Undecodable, kept)
        .await;
    let routing = RouteHeld {
        held_id: HeldId(kept),
        inbound: decode_inbound(body.to_string().as_bytes(), docket::ambient::now()).unwrap(),
        ids: fresh_ids(),
        asked: Asked {
            user_id: UserId(Uuid::from_u128(0xff)),
            email: "owner@example.com".to_owned(),
            access: Access::All,
            via: docket_projections::log::recorded::Via::Api,
            token_id: None,
            request_id: None,
            idempotency: None,
        },
    };
    let (routed, again) = tokio::join!(api.app.ledger.submit(routing), api.takes(&body));
    assert!(matches!(routed.unwrap(), Answer::Done(_)));
    assert_eq!(again, Answer::Duplicate);
    assert_eq!(api.get("/cases/101").await.expect(200)["message_count"], 1);
    api.close().await;
}

#[tokio::test]
async fn what_still_cannot_be_read_stays() {
    let api = Api::start().await;
    api.set_up().await;
    let broken = HeldBody::Text(r#"{"channel": "telegram"}"#.to_owned());
    let id = api
        .holds(WebhookKind::Inbound, HeldReason::UnknownType, broken)
        .await;
    let problem = route(&api, id).await.problem(409, "not-routable");
    assert_eq!(
        problem["detail"],
        "it still cannot be read: the channel “telegram” is unknown"
    );
    let binary = HeldBody::Hex("ff00".to_owned());
    let id = api
        .holds(WebhookKind::Inbound, HeldReason::Undecodable, binary)
        .await;
    route(&api, id).await.problem(409, "not-routable");
    let status = HeldBody::Text("{}".to_owned());
    let id = api
        .holds(WebhookKind::Status, HeldReason::UnknownMessage, status)
        .await;
    route(&api, id).await.problem(409, "not-routable");
    api.close().await;
}

#[tokio::test]
async fn a_status_is_recorded_when_its_message_is_there() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let reply = json!({"text": "Good morning"});
    let queued = api
        .does("POST", "/cases/101/replies", &reply)
        .await
        .expect(202);
    let status = |client_ref: &str| {
        let status = json!({
            "message_uuid": Uuid::from_u128(9),
            "client_ref": client_ref,
            "channel": "sms",
            "to": "447700900123",
            "from": "447700900000",
            "timestamp": "2026-03-01T12:00:00Z",
            "status": "delivered",
        });
        HeldBody::Text(status.to_string())
    };
    let of_nobody = api
        .holds(
            WebhookKind::Status,
            HeldReason::UnknownMessage,
            status("another-system"),
        )
        .await;
    route(&api, of_nobody).await.problem(409, "not-routable");

    let message_id: Uuid = queued["message_id"].as_str().unwrap().parse().unwrap();
    let client_ref = format!("{}-1", message_id.simple());
    let id = api
        .holds(
            WebhookKind::Status,
            HeldReason::UnknownMessage,
            status(&client_ref),
        )
        .await;
    assert_eq!(
        route(&api, id).await.expect(200),
        json!({"references": [101]})
    );
    let thread = api.get("/cases/101/thread").await.expect(200);
    let items = thread["items"].as_array().unwrap();
    assert_eq!(items.last().unwrap()["delivery"]["status"], "delivered");
    route(&api, id).await.problem(409, "already-routed");
    api.close().await;
}

#[tokio::test]
async fn the_list_comes_in_pages_newest_first() {
    let api = Api::start().await;
    let mut ids = vec![];
    for _ in 0..3 {
        let body = HeldBody::Text("x".repeat(3_000));
        ids.push(
            api.holds(WebhookKind::Inbound, HeldReason::Undecodable, body)
                .await,
        );
        wait(1);
    }
    ids.reverse();
    let first = api.get("/unrouted?limit=2").await.expect(200);
    let next = first["next"].as_str().unwrap();
    let second = api
        .get(&format!("/unrouted?limit=2&cursor={next}"))
        .await
        .expect(200);
    assert_eq!(second["next"], Value::Null);
    let mut items = first["items"].as_array().unwrap().clone();
    items.extend(second["items"].as_array().unwrap().clone());
    let seen: Vec<&Value> = items.iter().map(|item| &item["id"]).collect();
    assert_eq!(
        seen,
        ids.iter()
            .map(|id| json!(id))
            .collect::<Vec<_>>()
            .iter()
            .collect::<Vec<_>>()
    );
    assert_eq!(items[0]["body"].as_str().unwrap().len(), 2_000);
    api.close().await;
}
