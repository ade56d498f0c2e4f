//! What webhooks are answered that cannot simply be taken, and what becomes of them.

use docket_tests::installation::{APPLICATION_ID, Installation, SIGNATURE_SECRET};
use docket_tests::log;
use docket_tests::webhooks::{
    INBOUND, STATUS, Webhooks, message_uuid, new_message_uuid, sms, timestamp, whatsapp,
};
use serde_json::{Value, json};

use crate::help_desk::{HelpDesk, OURS, customer};

/// The largest body that is read, in bytes.
const LIMIT: usize = 4 << 20;

#[tokio::test]
async fn what_is_unsigned_or_wrongly_signed_changes_nothing() {
    let desk = HelpDesk::open().await;
    let length = log::length(&desk.installation.pool).await;
    let webhooks = &desk.installation.webhooks;
    let forged = Webhooks::new("another secret than ours", APPLICATION_ID);
    let foreign = Webhooks::new(SIGNATURE_SECRET, "00000000-0000-4000-8000-0000000f0e16");
    let body = sms(&customer(1), OURS, "Hello?").to_string().into_bytes();
    let right = webhooks.signature(&body);
    let other_body = webhooks.signature(b"{}");
    let claims = right.split('.').nth(1).unwrap();
    // {"alg":"none"}
    let unsigned_token = format!("Bearer eyJhbGciOiJub25lIn0.{claims}.");
    let cut = &right[..right.len() - 2];
    let cases = [
        ("no header", None, 503),
        ("an empty header", Some(""), 503),
        ("another scheme", Some("Basic dTpw"), 503),
        ("another secret", Some(&*forged.signature(&body)), 401),
        ("another body", Some(&*other_body), 401),
        ("another application", Some(&*foreign.signature(&body)), 401),
        ("the algorithm none", Some(&*unsigned_token), 401),
        ("a cut signature", Some(cut), 401),
        ("no token", Some("Bearer nonsense"), 401),
    ]
    .map(|(name, authorization, expected)| (name, authorization.map(str::to_owned), expected));
    for path in [INBOUND, STATUS] {
        for (name, authorization, expected) in &cases {
            let answer = webhooks
                .raw(
                    desk.docket.url(),
                    path,
                    body.clone(),
                    authorization.as_deref(),
                )
                .await
                .unwrap();
            assert_eq!(answer.status, *expected, "{path} with {name}");
            assert_eq!(
                answer.headers.contains_key("retry-after"),
                *expected == 503,
                "{path} with {name}"
            );
        }
    }
    assert_eq!(log::length(&desk.installation.pool).await, length);
    let answer = webhooks
        .raw(desk.docket.url(), INBOUND, body, Some(&right))
        .await
        .unwrap();
    assert_eq!(
        answer.status, 200,
        "the same body, rightly signed, is taken"
    );
    assert_eq!(desk.owner.references(&customer(1), "all").await.len(), 1);
    desk.close().await;
}

#[tokio::test]
async fn without_a_secret_every_webhook_is_to_come_again() {
    let mut installation = Installation::new().await;
    installation.unset("DOCKET_VONAGE_SIGNATURE_SECRET");
    let docket = installation.serve().await;
    assert_eq!(
        installation
            .webhooks
            .inbound(docket.url(), &sms(&customer(1), OURS, "Hello?"))
            .await,
        503
    );
    let log = docket.stop().await;
    assert!(
        log.contains("DOCKET_VONAGE_SIGNATURE_SECRET"),
        "the log says what is missing: {log}"
    );
    installation.close().await;
}

#[tokio::test]
async fn a_body_above_four_mebibytes_is_refused_and_one_of_four_is_read() {
    let desk = HelpDesk::open().await;
    let length = log::length(&desk.installation.pool).await;
    let webhooks = &desk.installation.webhooks;
    let of_length = |length: usize| {
        let mut message = sms(&customer(1), OURS, "Hello?");
        message["odd"] = json!("");
        let missing = length - message.to_string().len();
        message["odd"] = json!("x".repeat(missing));
        let body = message.to_string().into_bytes();
        assert_eq!(body.len(), length);
        body
    };
    for path in [INBOUND, STATUS] {
        let body = of_length(LIMIT + 1);
        let authorization = webhooks.signature(&body);
        let answer = webhooks
            .raw(desk.docket.url(), path, body, Some(&authorization))
            .await
            .unwrap();
        assert_eq!(answer.status, 413, "{path}");
    }
    assert_eq!(log::length(&desk.installation.pool).await, length);

    let body = of_length(LIMIT);
    let authorization = webhooks.signature(&body);
    let answer = webhooks
        .raw(desk.docket.url(), INBOUND, body, Some(&authorization))
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(desk.owner.references(&customer(1), "all").await.len(), 1);
    desk.close().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn what_is_signed_and_cannot_be_routed_is_kept() {
    let desk = HelpDesk::open().await;
    let webhooks = &desk.installation.webhooks;
    let from = customer(1);
    let without = |field: &str| {
        let mut message = sms(&from, OURS, "Hello?");
        message.as_object_mut().unwrap().remove(field);
        message.to_string().into_bytes()
    };
    let with = |field: &str, value: Value| {
        let mut message = whatsapp(&from, OURS, "Hello?");
        message[field] = value;
        message.to_string().into_bytes()
    };
    let bodies: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("nothing", INBOUND, vec![], "undecodable"),
        (
            "no JSON",
            INBOUND,
            b"from=447700900001&text=Hello".to_vec(),
            "undecodable",
        ),
        (
            "no text at all",
            INBOUND,
            vec![0xff, 0x00, 0xfe],
            "undecodable",
        ),
        ("a list", INBOUND, b"[1, 2]".to_vec(), "undecodable"),
        ("an empty object", INBOUND, b"{}".to_vec(), "undecodable"),
        ("no sender", INBOUND, without("from"), "undecodable"),
        ("no recipient", INBOUND, without("to"), "undecodable"),
        ("no id", INBOUND, without("message_uuid"), "undecodable"),
        (
            "an unknown channel",
            INBOUND,
            with("channel", json!("pigeon")),
            "unknown_type",
        ),
        (
            "an unknown number",
            INBOUND,
            sms(&from, "447700900099", "Hello?")
                .to_string()
                .into_bytes(),
            "unknown_line",
        ),
        (
            "our number on no channel of ours",
            INBOUND,
            sms(&from, "12025550100", "Hello?").to_string().into_bytes(),
            "unknown_line",
        ),
        (
            "a status without words",
            STATUS,
            b"{}".to_vec(),
            "undecodable",
        ),
        (
            "a status of an unknown kind",
            STATUS,
            status("evaporated").to_string().into_bytes(),
            "unknown_type",
        ),
        (
            "a status of an unknown message",
            STATUS,
            status("delivered").to_string().into_bytes(),
            "unknown_message",
        ),
    ];
    for (kept, (name, path, body, reason)) in bodies.iter().enumerate() {
        let authorization = webhooks.signature(body);
        // Twice, as Vonage may deliver anything.
        for _ in 0..2 {
            let answer = webhooks
                .raw(desk.docket.url(), path, body.clone(), Some(&authorization))
                .await
                .unwrap();
            assert_eq!(answer.status, 200, "{name}");
        }
        let unrouted = desk.owner.all("/unrouted").await;
        assert_eq!(unrouted.len(), kept + 1, "{name} is kept once");
        let newest = &unrouted[0];
        assert_eq!(newest["reason"], *reason, "{name}: {newest}");
        assert_eq!(
            newest["kind"],
            if *path == INBOUND {
                "inbound"
            } else {
                "status"
            },
            "{name}"
        );
        assert!(
            newest["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{name}: {newest}"
        );
        if let Ok(text) = std::str::from_utf8(body) {
            assert_eq!(newest["body"], text, "{name}");
        } else {
            assert_eq!(newest["body"], "ff00fe", "{name}");
        }
    }
    assert!(desk.owner.all("/cases?state=all").await.is_empty());
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

fn status(word: &str) -> Value {
    json!({
        "message_uuid": new_message_uuid(),
        "channel": "sms",
        "to": customer(1),
        "from": OURS,
        "timestamp": timestamp(),
        "status": word,
    })
}

#[tokio::test]
async fn what_was_kept_is_routed_once_the_line_is_there() {
    let desk = HelpDesk::open().await;
    let number = "447700900099";
    let messages = ["First", "Second"].map(|text| sms(&customer(1), number, text));
    for message in &messages {
        desk.takes(message).await;
    }
    let unrouted = desk.owner.all("/unrouted").await;
    let ids: Vec<&str> = unrouted
        .iter()
        .rev()
        .map(|kept| kept["id"].as_str().unwrap())
        .collect();
    let early = desk
        .owner
        .post(&format!("/unrouted/{}/route", ids[0]), &json!({}))
        .await;
    assert_eq!(early.status, 409, "{}", early.text);

    desk.owner.add_line(&desk.survey, number, "sms", None).await;
    let mut references = vec![];
    for id in &ids {
        let routed = desk
            .owner
            .post(&format!("/unrouted/{id}/route"), &json!({}))
            .await
            .expect(200);
        references.push(routed["references"].clone());
    }
    let reference = desk.owner.only_case(&customer(1)).await;
    assert_eq!(references, vec![json!([reference]); 2]);
    let said = desk.owner.messages(reference, "inbound").await;
    let texts: Vec<&Value> = said.iter().map(|message| &message["text"]).collect();
    assert_eq!(texts, ["First", "Second"]);
    assert_eq!(said[0]["provider_id"], message_uuid(&messages[0]));
    assert!(desk.owner.all("/unrouted").await.is_empty());

    // Neither a second route nor Vonage's own repetition doubles it.
    let again = desk
        .owner
        .post(&format!("/unrouted/{}/route", ids[0]), &json!({}))
        .await;
    assert_eq!(again.status, 409, "{}", again.text);
    desk.takes(&messages[0]).await;
    assert_eq!(desk.owner.messages(reference, "inbound").await.len(), 2);
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}
