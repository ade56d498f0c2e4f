//! Webhooks in process: what they are answered, at whatever address and in whatever form they come, and what is counted.

use axum::body::Body;
use axum::http::Request;
use docket::vonage::signature::{SignParams, sign};
use docket::vonage_settings::Configured;
use docket::{activity, webhooks};
use docket_domain::held::{HeldBody, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::HeldId;
use docket_domain::personal::Personal;
use docket_projections::ledger::operation::Receipt;
use docket_projections::read::unrouted;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tower::ServiceExt as _;

use crate::support::{CUSTOMER, House, OUR_NUMBER, new_id};
use crate::vonage::settings;

const SECRET: &str = "a secret of thirty-two characters";
const INBOUND: &str = "/webhooks/vonage/inbound";
const STATUS: &str = "/webhooks/vonage/status";

async fn house() -> House {
    let configured = Configured {
        signature_secret: Some(SECRET.into()),
        ..Configured::default()
    };
    House::with("http://127.0.0.1", settings(configured, None), true).await
}

fn message(text: &str) -> Value {
    json!({
        "channel": "sms", "message_uuid": new_id(), "to": OUR_NUMBER, "from": CUSTOMER,
        "timestamp": "2026-03-01T11:59:58Z", "text": text,
    })
}

fn signature(body: &[u8]) -> String {
    let params = SignParams {
        iat: 1_772_366_400,
        jti: "invented",
        api_key: None,
        application_id: None,
    };
    sign(body, SECRET.as_bytes(), &params)
}

/// The parameters of a webhook of the SMS API, signed.
fn sms_api(params: &[(&str, &str)]) -> String {
    let mut sorted = params.to_vec();
    sorted.sort_unstable();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    for (name, value) in sorted {
        mac.update(format!("&{name}={}", value.replace(['&', '='], "_")).as_bytes());
    }
    let sig = hex::encode(mac.finalize().into_bytes());
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(params).append_pair("sig", &sig).finish()
}

impl House {
    async fn answers(
        &self,
        method: &str,
        address: &str,
        body: Vec<u8>,
        authorization: Option<&str>,
    ) -> u16 {
        let router = webhooks::normalised(webhooks::router(self.app.clone()));
        let request = Request::builder().method(method).uri(address);
        let request = match authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        };
        let request = request.body(Body::from(body)).unwrap();
        router.oneshot(request).await.unwrap().status().as_u16()
    }

    async fn posts(&self, address: &str, body: &Value) -> u16 {
        let body = body.to_string().into_bytes();
        let signature = signature(&body);
        self.answers("POST", address, body, Some(&signature)).await
    }

    /// How often each result was counted, of messages and statuses together.
    async fn counted(&self, result: &str) -> u64 {
        activity::flush(&self.app).await;
        let day = (self.app.clock)().date_naive();
        let totals = docket_projections::activity::totals(&self.app.pool, day, day)
            .await
            .unwrap();
        totals
            .iter()
            .filter(|total| total.result == result)
            .map(|total| total.count)
            .sum()
    }

    async fn keeps_of_earlier(&self, kind: WebhookKind, body: &Value) -> HeldId {
        let held_id = HeldId(new_id());
        let operation = docket::operations::held::HoldWebhook {
            webhook: HeldWebhook {
                held_id,
                kind,
                reason: HeldReason::Undecodable,
                detail: "the field “timestamp” is missing".to_owned(),
                provider_id: None,
                to: None,
                from: None,
                body: Personal(HeldBody::Text(body.to_string())),
            },
            receipt: Receipt {
                kind: "test",
                key: held_id.to_string(),
            },
            request_id: None,
        };
        self.app.ledger.submit(operation).await.unwrap();
        held_id
    }
}

#[tokio::test]
async fn every_address_takes_messages_and_statuses() {
    let house = house().await;
    for (number, (address, is_swapped, is_wrong)) in (0_u64..).zip([
        (INBOUND, false, false),
        ("/webhooks/vonage/inbound/", false, false),
        ("//webhooks//vonage//inbound", false, false),
        ("/Webhooks/Vonage/Inbound", false, false),
        ("/webhooks/vonage", false, false),
        ("/webhooks/vonage/", false, false),
        (STATUS, true, false),
        ("/webhooks/vonage/STATUS/", true, false),
        ("/webhooks/inbound", false, true),
        ("/webhooks", false, true),
        ("/webhooks/vonage/somewhere/else?a=b", false, true),
    ]) {
        let before = (
            house.counted("swapped").await,
            house.counted("wrong_address").await,
        );
        assert_eq!(
            house
                .posts(address, &message(&format!("Message {number}")))
                .await,
            200,
            "{address}"
        );
        assert_eq!(house.counted("accepted").await, number + 1, "{address}");
        let after = (
            house.counted("swapped").await,
            house.counted("wrong_address").await,
        );
        assert_eq!(
            (after.0 > before.0, after.1 > before.1),
            (is_swapped, is_wrong),
            "{address}"
        );
    }
    let mut owner = house.signed_in("owner").await;
    owner
        .get("/cases/101")
        .await
        .is(200)
        .shows("Message 0")
        .shows("Message 10");
    owner.get("/cases/102").await.is(404);
    house.close().await;
}

#[tokio::test]
async fn only_a_wrong_signature_and_a_body_too_large_get_a_final_answer() {
    let house = house().await;
    let body = message("Hello").to_string().into_bytes();
    let right = signature(&body);
    for (method, address, body, authorization, status, result) in [
        ("POST", INBOUND, body.clone(), None, 503, "unsigned"),
        ("POST", "/webhooks/x", body.clone(), None, 503, "unsigned"),
        (
            "POST",
            INBOUND,
            body.clone(),
            Some("Bearer not.a.token"),
            401,
            "wrongly_signed",
        ),
        (
            "POST",
            INBOUND,
            b"msisdn=1&sig=00".to_vec(),
            None,
            401,
            "wrongly_signed",
        ),
        (
            "POST",
            INBOUND,
            vec![b' '; webhooks::MAX_BODY_BYTES + 1],
            Some(&*right),
            413,
            "too_large",
        ),
        ("GET", INBOUND, vec![], None, 503, "wrong_method"),
        (
            "PUT",
            INBOUND,
            body.clone(),
            Some(&*right),
            503,
            "wrong_method",
        ),
        ("DELETE", STATUS, vec![], None, 503, "wrong_method"),
        ("PATCH", "/webhooks", vec![], None, 503, "wrong_method"),
    ] {
        let before = house.counted(result).await;
        assert_eq!(
            house.answers(method, address, body, authorization).await,
            status,
            "{method} {address}"
        );
        assert_eq!(
            house.counted(result).await,
            before + 1,
            "{method} {address}: {result}"
        );
    }
    for method in ["HEAD", "OPTIONS"] {
        assert_eq!(house.answers(method, INBOUND, vec![], None).await, 204);
    }
    assert_eq!(house.counted("accepted").await, 0);
    house.close().await;
}

#[tokio::test]
async fn a_body_of_four_mebibytes_is_read() {
    let house = house().await;
    let mut long = message("Hello #0");
    let missing = webhooks::MAX_BODY_BYTES - long.to_string().len() - r#","odd":"""#.len();
    long["odd"] = json!("x".repeat(missing));
    assert_eq!(long.to_string().len(), webhooks::MAX_BODY_BYTES);
    assert_eq!(house.posts(INBOUND, &long).await, 200);
    assert_eq!(house.counted("accepted").await, 1);
    house.close().await;
}

#[tokio::test]
async fn the_sms_api_comes_as_json_as_a_form_and_in_the_address() {
    let house = house().await;
    let params = |id: &'static str, text: &'static str| {
        sms_api(&[
            ("msisdn", CUSTOMER),
            ("to", OUR_NUMBER),
            ("messageId", id),
            ("text", text),
            ("type", "text"),
            ("message-timestamp", "2026-03-01 11:59:58"),
            ("timestamp", "1772366398"),
            ("nonce", "invented"),
        ])
    };
    let query = params("one", "In the address & signed");
    assert_eq!(
        house
            .answers("GET", &format!("{INBOUND}?{query}"), vec![], None)
            .await,
        200
    );
    assert_eq!(
        house
            .answers("GET", &format!("{INBOUND}?{query}"), vec![], None)
            .await,
        200
    );
    let form = params("two", "As a form");
    assert_eq!(
        house
            .answers("POST", INBOUND, form.into_bytes(), None)
            .await,
        200
    );
    let form = params("three", "As JSON");
    let members = form_urlencoded::parse(form.as_bytes());
    let members: serde_json::Map<String, Value> = members
        .map(|(name, value)| (name.into_owned(), value.into()))
        .collect();
    let body = Value::Object(members).to_string().into_bytes();
    assert_eq!(house.answers("POST", INBOUND, body, None).await, 200);
    let altered = params("four", "Altered").replace("Altered", "Forged");
    assert_eq!(
        house
            .answers("GET", &format!("{INBOUND}?{altered}"), vec![], None)
            .await,
        401
    );
    assert_eq!(
        (
            house.counted("accepted").await,
            house.counted("duplicate").await
        ),
        (3, 1)
    );
    assert_eq!(house.counted("older_api").await, 4);
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/cases/101").await;
    page.is(200)
        .shows("In the address")
        .shows("As a form")
        .shows("As JSON")
        .lacks("Forged");
    house.close().await;
}

#[tokio::test]
async fn what_earlier_versions_kept_is_shown_and_routed() {
    let house = house().await;
    let mut without_time = message("The boiler leaks");
    without_time["timestamp"] = Value::Null;
    let older = json!({
        "message_uuid": new_id(), "to": {"type": "sms", "number": OUR_NUMBER}, "from": {"type": "sms", "number": CUSTOMER},
        "timestamp": "2026-03-01T11:58:00Z", "message": {"content": {"type": "text", "text": "In the older form"}},
    });
    let mut ids = vec![];
    for (kind, body) in [
        (WebhookKind::Inbound, &without_time),
        (WebhookKind::Status, &message("At the other address")),
        (WebhookKind::Inbound, &older),
    ] {
        ids.push(house.keeps_of_earlier(kind, body).await);
    }
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/unrouted").await;
    page.is(200)
        .shows("The boiler leaks")
        .shows("At the other address")
        .shows("In the older form")
        .shows("+44 7700 900123")
        .shows("Docket can read it now. Route it again.");
    for held_id in ids {
        let page = owner.get("/unrouted").await;
        let action = format!("/unrouted/{held_id}/route");
        owner
            .send(&page, &action, &[])
            .await
            .is(200)
            .shows("1 was routed.");
    }
    assert_eq!(unrouted::count(&house.app.pool).await.unwrap(), 0);
    let case = owner.get("/cases/101").await;
    case.is(200)
        .shows("The boiler leaks")
        .shows("At the other address")
        .shows("In the older form")
        .shows("time of arrival");
    owner.get("/cases/102").await.is(404);
    house.close().await;
}

#[tokio::test]
async fn what_cannot_be_shown_stands_in_its_case() {
    let house = house().await;
    let mut photo = message("x");
    photo["channel"] = json!("mms");
    photo["text"] = Value::Null;
    photo["image"] = json!({"url": null, "caption": "#101 water on the floor"});
    assert_eq!(house.posts(INBOUND, &message("Hello")).await, 200);
    assert_eq!(house.posts(INBOUND, &photo).await, 200);
    let mut owner = house.signed_in("owner").await;
    owner
        .get("/cases/101")
        .await
        .is(200)
        .shows("water on the floor")
        .shows("could not be shown");
    house.close().await;
}
