//! What `GET /cases?q=` finds: what was said in any script, names, numbers and identifiers.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::support::{Api, OUR_NUMBER, new_id, text};

/// A message by WhatsApp of somebody who calls themselves so.
fn whatsapp(from: &str, name: &str, said: &str) -> Value {
    json!({
        "channel": "whatsapp", "message_uuid": new_id(), "to": OUR_NUMBER, "from": from,
        "timestamp": "2026-03-01T11:59:58Z", "message_type": "text", "text": said, "profile": {"name": name},
    })
}

async fn found(api: &Api, q: &str) -> Vec<u64> {
    let mut path = "/cases?state=all&q=".to_owned();
    for byte in q.bytes() {
        write!(path, "%{byte:02X}").unwrap();
    }
    let page = api.get(&path).await.expect(200);
    let items = page["items"].as_array().unwrap();
    let mut found: Vec<u64> = items
        .iter()
        .map(|case| case["reference"].as_u64().unwrap())
        .collect();
    found.sort_unstable();
    found
}

#[tokio::test]
async fn a_search_finds_every_script_names_numbers_and_identifiers() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let line = json!({
        "number": OUR_NUMBER, "channel": "whatsapp", "survey_id": ids.survey, "multi_case_reply": null,
    });
    api.owner_does("POST", "/lines", &line).await.expect(201);

    let mut first = whatsapp("447700900101", "Rosa Carter", "我想预约明天上午的时间");
    first["message_uuid"] = json!("AAAAbbbb-0000-4000-8000-000000000001");
    let mut opaque = whatsapp("", "Somchai", "ฉันต้องการนัดหมาย 👍🏽");
    opaque.as_object_mut().unwrap().remove("from");
    opaque["whatsapp"] = json!({"sender": {"user_id": "GB.1234567890AbCd"}});
    for body in [
        first,
        whatsapp("447700900102", "José", "The Straße floods, order ＡＢ-1234"),
        opaque,
        whatsapp("12025550104", "ﾀﾅｶ", "よろしくお願いします"),
    ] {
        api.takes(&body).await;
    }
    api.does(
        "POST",
        "/cases/104/notes",
        &json!({"text": "Called HERR MÜLLER"}),
    )
    .await
    .expect(201);
    api.does("PUT", "/cases/104/title", &json!({"title": "Überweisung"}))
        .await
        .expect(200);

    for (q, expected) in [
        ("预约", &[101_u64][..]),
        ("明天 时间", &[101]),
        ("约预", &[]),
        ("carter", &[101]),
        ("Carter 预约", &[101]),
        ("Carter 願い", &[]),
        ("AAAAbbbb-0000-4000-8000-000000000001", &[101]),
        ("jose", &[102]),
        ("JOSÉ strasse", &[102]),
        ("ab-12", &[102]),
        ("ＡＢ-１２３４", &[102]),
        ("นัดหมาย", &[103]),
        ("👍", &[103]),
        ("👍🏻", &[103]),
        ("GB.1234567890AbCd", &[103]),
        ("gb.1234567890abcd", &[103]),
        ("1234567890", &[103]),
        ("お願い", &[104]),
        ("タナカ", &[104]),
        ("muller", &[104]),
        ("uberweisung", &[104]),
        ("ÜBERWEISUNG", &[104]),
        ("(202) 555-0104", &[104]),
        ("+44 7700 900", &[101, 102]),
        ("07700 900102", &[102]),
        ("tel:+44 (0)7700-900102", &[102]),
        ("\u{202a}+44 7700 900102\u{202c}", &[102]),
        ("#102", &[102]),
        ("＃１０２", &[102]),
        ("#\u{200d}102", &[102]),
        ("#١٠٢", &[102]),
        ("102", &[102]),
        ("!?", &[]),
    ] {
        assert_eq!(found(&api, q).await, expected, "{q}");
    }
    let thread = api.get("/cases/102/thread").await.expect(200);
    let items = thread["items"].as_array().unwrap();
    let message = items.iter().find(|item| item["kind"] == "message").unwrap();
    let message_id = text(&message["message_id"]);
    assert_eq!(found(&api, &message_id).await, [102]);
    api.equals_its_log().await;
    api.close().await;
}
