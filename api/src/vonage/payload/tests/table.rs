//! Every kind of webhook that Vonage documents, and each again with every field missing, null or of another type, deep inside as
//! well: whatever is changed, a webhook that has its channel, recipient, sender and id is placed.

use proptest::prelude::*;

use super::*;

/// Inbound messages of every kind, with every optional field.
fn messages() -> Vec<Value> {
    let sms = json!({
        "channel": "sms", "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "to": "447700900200", "from": "447700900123",
        "timestamp": "2026-03-04T05:06:07Z", "text": "Water on the floor #101",
        "sms": {"num_messages": "2", "keyword": "WATER"}, "usage": {"currency": "EUR", "price": "0.0333"},
        "origin": {"network_code": "12345"},
    });
    let whatsapp = |more: Value| {
        let mut message = json!({
            "channel": "whatsapp", "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "to": "447700900200",
            "from": "447700900123", "timestamp": "2026-03-04T05:06:07Z", "profile": {"name": "Robin Example"},
            "context_status": "available",
            "context": {"message_uuid": "bbbbbbbb-bbbb-4ccc-8ddd-0123456789ab", "message_from": "447700900200"},
            "provider_message": "string",
            "whatsapp": {"referral": {"body": "See", "source_id": "1"}},
        });
        merge(&mut message, more);
        message
    };
    let mms = |more: Value| {
        let mut message = json!({
            "channel": "mms", "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "to": "447700900200",
            "from": "447700900123", "timestamp": "2026-03-04T05:06:07Z", "origin": {"network_code": "12345"},
        });
        merge(&mut message, more);
        message
    };
    let url = "https://media.example.com/1";
    let mut messages = vec![sms];
    for kind in ["image", "audio", "video", "file", "vcard"] {
        let file = json!({"url": url, "name": "a.bin", "caption": "Look #101"});
        messages.push(mms(
            json!({"message_type": kind, kind: file, "content": [{"type": kind, "url": url}]}),
        ));
        if kind != "vcard" {
            messages.push(whatsapp(json!({"message_type": kind, kind: file})));
        }
    }
    messages.push(mms(json!({"message_type": "text", "text": "Hello"})));
    for more in [
        json!({"message_type": "text", "text": "Hello"}),
        json!({"message_type": "sticker", "sticker": {"url": url}}),
        json!({"message_type": "location", "location": {"lat": 51.5, "long": -0.125, "name": "Home", "address": "1 Example Road"}}),
        json!({"message_type": "contacts", "contacts": [{"name": {"formatted_name": "Sam"}, "phones": [{"phone": "12025550143"}]}]}),
        json!({"message_type": "reply", "reply": {"id": "row1", "title": "9 am", "description": "Tuesday"}}),
        json!({"message_type": "button", "button": {"payload": "p", "text": "Yes", "subtype": "b"}}),
        json!({"message_type": "order", "order": {"catalog_id": "1", "product_items": [{"product_retailer_id": "2", "item_price": 9.5}]}}),
        json!({"message_type": "reaction", "reaction": {"action": "react", "emoji": "👍"}}),
        json!({"message_type": "unsupported"}),
    ] {
        messages.push(whatsapp(more));
    }
    // The older Messages API.
    for content in [
        json!({"type": "text", "text": "Hello #101"}),
        json!({"type": "image", "image": {"url": url, "caption": "Look #101"}}),
        json!({"type": "location", "location": {"lat": 51.5, "long": -0.125}}),
    ] {
        messages.push(json!({
            "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "to": {"type": "whatsapp", "number": "447700900200"},
            "from": {"type": "whatsapp", "number": "447700900123"}, "timestamp": "2026-03-04T05:06:07.000Z",
            "direction": "inbound", "message": {"content": content},
        }));
    }
    // The SMS API.
    messages.push(json!({
        "msisdn": "447700900123", "to": "447700900200", "messageId": "0A0000000123ABCD1", "text": "Hello #101", "type": "text",
        "keyword": "HELLO", "api-key": "abcd1234", "message-timestamp": "2026-03-04 05:06:07", "timestamp": "1772600767",
        "nonce": "n", "concat": "true", "concat-ref": "1", "concat-total": "2", "concat-part": "1",
    }));
    messages
}

fn statuses() -> Vec<Value> {
    let mut statuses: Vec<Value> = ["submitted", "delivered", "rejected", "undeliverable", "read"]
        .into_iter()
        .map(|status| serde_json::from_slice(&status_payload("whatsapp", status, json!({"error": {
            "type": "https://developer.vonage.com/api-errors/messages#1000", "title": 1000, "detail": "Throttled",
        }}))).unwrap())
        .collect();
    statuses.push(json!({
        "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "to": {"type": "sms", "number": "447700900123"},
        "from": {"type": "sms", "number": "447700900200"}, "timestamp": "2026-03-04T05:06:07.000Z", "status": "delivered",
        "client_ref": "c",
    }));
    statuses.push(json!({
        "msisdn": "447700900123", "to": "447700900200", "messageId": "0A0000000123ABCD1", "status": "failed", "err-code": "9",
        "network-code": "12345", "price": "0.0333", "scts": "2603040506", "message-timestamp": "2026-03-04 05:06:07",
    }));
    statuses
}

/// Every way to the members of a tree.
fn paths(value: &Value, to: &[String], paths_of: &mut Vec<Vec<String>>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, value)| (at.to_string(), value))
            .collect(),
        _ => vec![],
    };
    for (name, value) in members {
        let path = [to, &[name]].concat();
        paths_of.push(path.clone());
        paths(value, &path, paths_of);
    }
}

/// The tree with something else at the end of a path; nothing at all where `other` is none.
fn changed(value: &Value, path: &[String], other: Option<&Value>) -> Value {
    let mut value = value.clone();
    let (last, inside) = path.split_last().unwrap();
    let place = inside.iter().fold(&mut value, |place, name| match place {
        Value::Array(items) => &mut items[name.parse::<usize>().unwrap()],
        place => &mut place[name.as_str()],
    });
    match (place, other) {
        (Value::Object(members), Some(other)) => {
            members.insert(last.clone(), other.clone());
        }
        (Value::Object(members), None) => {
            members.remove(last);
        }
        (Value::Array(items), Some(other)) => items[last.parse::<usize>().unwrap()] = other.clone(),
        (Value::Array(items), None) => {
            items.remove(last.parse().unwrap());
        }
        (other, _) => panic!("{other} has no members"),
    }
    value
}

/// What stands in the place of a field.
fn others() -> Vec<Option<Value>> {
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let others = [
        json!(null),
        json!(""),
        json!("  "),
        json!("odd \u{0} text"),
        json!(0),
        json!(-1.5),
        "12345678901234567890123.50"
            .parse::<Number>()
            .unwrap()
            .into(),
        json!(true),
        json!([]),
        json!([null]),
        json!({}),
        json!({"type": null, "url": 7}),
        deep,
    ];
    std::iter::once(None)
        .chain(others.into_iter().map(Some))
        .collect()
}

/// Whether there is a NUL, which the database could not hold.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Whether placing needs the field.
fn is_needed(path: &[String]) -> bool {
    let of_party = ["to", "from"].contains(&path[0].as_str());
    of_party || ["channel", "message_uuid", "msisdn", "messageId"].contains(&path[0].as_str())
}

#[test]
fn every_webhook_with_every_field_changed() {
    let mut tried = 0;
    for (kind, bodies) in [
        (WebhookKind::Inbound, messages()),
        (WebhookKind::Status, statuses()),
    ] {
        for body in bodies {
            let mut all = vec![];
            paths(&body, &[], &mut all);
            for path in all {
                for other in others() {
                    let body = changed(&body, &path, other.as_ref()).to_string();
                    let reading = read(body.as_bytes(), Some(kind), arrived());
                    tried += 1;
                    let is_placed = match &reading.webhook {
                        Ok(Webhook::Inbound(inbound)) => {
                            assert_eq!(kind, WebhookKind::Inbound, "{body}");
                            let text = serde_json::to_string(&inbound.content).unwrap();
                            assert!(!has_nul(&serde_json::from_str(&text).unwrap()), "{body}");
                            assert_eq!(
                                serde_json::from_str::<Content>(&text).unwrap(),
                                inbound.content,
                                "{body}"
                            );
                            true
                        }
                        Ok(Webhook::Status(_)) => {
                            assert_eq!(kind, WebhookKind::Status, "{body}");
                            true
                        }
                        Err(_) => false,
                    };
                    let may_be_listed = is_needed(&path) || path[0] == "status";
                    assert!(
                        is_placed || may_be_listed,
                        "{path:?}: {:?}: {body}",
                        reading.webhook
                    );
                }
            }
        }
    }
    assert!(tried > 3_000, "{tried}");
}

#[test]
fn every_webhook_in_every_encoding() {
    for (kind, bodies) in [
        (WebhookKind::Inbound, messages()),
        (WebhookKind::Status, statuses()),
    ] {
        for body in bodies {
            let text = body.to_string();
            let expected = read(text.as_bytes(), None, arrived());
            assert!(expected.webhook.is_ok(), "{text}");
            assert_eq!(expected.kind, kind, "{text}");
            let utf16: Vec<u8> = format!("\u{feff}{text}")
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect();
            let pretty = serde_json::to_string_pretty(&body).unwrap();
            let padded = format!(" \r\n{text}\n ");
            for same in [
                [b"\xef\xbb\xbf", text.as_bytes()].concat(),
                utf16,
                text.replacen('{', r#"{"odd": [1, {"a": null}],"#, 1)
                    .into_bytes(),
                text.replacen(
                    '{',
                    r#"{"message_uuid": null, "to": null, "msisdn": null,"#,
                    1,
                )
                .into_bytes(),
            ] {
                let reading = read(&same, None, arrived());
                if let (Ok(Webhook::Inbound(one)), Ok(Webhook::Inbound(other))) =
                    (&reading.webhook, &expected.webhook)
                    && matches!(one.content, Content::Unsupported { .. })
                {
                    // It holds the whole body.
                    assert_eq!(one.from, other.from);
                } else {
                    assert_eq!(reading, expected, "{}", String::from_utf8_lossy(&same));
                }
            }
            for layout in [pretty, padded] {
                assert!(
                    read(layout.as_bytes(), None, arrived()).webhook.is_ok(),
                    "{layout}"
                );
            }
            // A byte that is no UTF-8, in each string.
            for (place, _) in text.match_indices(":\"") {
                let mut bytes = text.clone().into_bytes();
                bytes.insert(place + 2, 0xff);
                let reading = read(&bytes, Some(kind), arrived());
                assert!(
                    reading.webhook.is_ok()
                        || kind == WebhookKind::Status
                        || reading.webhook.is_err_and(|error| {
                            matches!(error.cause, Cause::UnknownChannel(_))
                        }),
                    "{}",
                    String::from_utf8_lossy(&bytes)
                );
            }
        }
    }
}

#[test]
fn a_status_is_told_from_a_message_by_its_content() {
    for expected in [None, Some(WebhookKind::Inbound), Some(WebhookKind::Status)] {
        for body in messages() {
            assert_eq!(
                read(body.to_string().as_bytes(), expected, arrived()).kind,
                WebhookKind::Inbound,
                "{body}"
            );
        }
        for body in statuses() {
            assert_eq!(
                read(body.to_string().as_bytes(), expected, arrived()).kind,
                WebhookKind::Status,
                "{body}"
            );
        }
    }
}

#[test]
fn older_forms_say_what_the_newer_say() {
    let v0 = json!({
        "message_uuid": "m", "to": {"type": "sms", "number": 447_700_900_200_u64}, "from": {"type": "sms", "number": "447700900123"},
        "timestamp": "2026-03-04T05:06:07Z", "message": {"content": {"type": "text", "text": "Hello #101"}},
    });
    let sms = [
        ("msisdn", "447700900123"),
        ("to", "447700900200"),
        ("messageId", "m"),
        ("text", "Hello #101"),
        ("type", "text"),
        ("message-timestamp", "2026-03-04 05:06:07"),
    ];
    let sms_json = Value::Object(
        sms.iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect(),
    );
    let mut sms_form = form_urlencoded::Serializer::new(String::new());
    sms_form.extend_pairs(sms);
    let expected = Inbound {
        channel: Channel::Sms,
        to: "447700900200".into(),
        from: "447700900123".into(),
        provider_id: "m".into(),
        at: "2026-03-04T05:06:07Z".parse().unwrap(),
        at_is_arrival: false,
        content: Content::text("Hello #101"),
        quoted: None,
        profile_name: None,
    };
    for (form, body) in [
        (Form::MessagesV0, v0.to_string()),
        (Form::Sms, sms_json.to_string()),
        (Form::Sms, sms_form.finish()),
    ] {
        let reading = read(body.as_bytes(), None, arrived());
        assert_eq!(reading.form, form, "{body}");
        assert_eq!(
            reading.webhook,
            Ok(Webhook::Inbound(expected.clone())),
            "{body}"
        );
    }
}

#[test]
fn what_only_the_sms_api_has() {
    let message = |more: &str| {
        let form = format!("msisdn=447700900123&to=447700900200&messageId=m&{more}");
        decode_inbound(form.as_bytes()).unwrap()
    };
    let part = |part: &str| {
        message(&format!(
            "text=A&concat=true&concat-ref=7&concat-total=2&concat-part={part}"
        ))
    };
    assert_eq!(part("1").provider_id, "m");
    assert_ne!(
        part("2").provider_id,
        "m",
        "the second part is no repetition of the first"
    );
    assert_eq!(
        message("text=caf%E9&type=unicode").content,
        Content::text("caf\u{fffd}")
    );
    let Content::Unreadable { kind, raw, .. } = message("type=binary&data=0011&udh=05").content
    else {
        panic!("a binary message cannot be shown")
    };
    assert_eq!(kind.as_deref(), Some("binary"));
    assert!(raw.contains("data=0011"), "{raw}");
    for (status, err_code, expected, code) in [
        ("delivered", "0", StatusKind::Delivered, None),
        ("accepted", "0", StatusKind::Submitted, None),
        ("buffered", "0", StatusKind::Submitted, None),
        ("failed", "9", StatusKind::Undeliverable, Some(1170)),
        ("expired", "2", StatusKind::Undeliverable, Some(1180)),
        ("rejected", "6", StatusKind::Rejected, Some(1210)),
        ("failed", "99", StatusKind::Undeliverable, Some(1330)),
    ] {
        let receipt = format!(
            "msisdn=447700900123&to=447700900200&messageId=m&status={status}&err-code={err_code}"
        );
        let receipt = decode_status(receipt.as_bytes()).unwrap();
        assert_eq!(
            (receipt.status, receipt.error.and_then(|error| error.code)),
            (expected, code),
            "{status}"
        );
    }
}

#[test]
fn numbers_keep_their_digits() {
    let order = r#"{"catalog_id":12345678901234567890123,"item_price":10.50,"small":0.1000,"zero":0,"negative":-7.00}"#;
    let location = r#"{"lat":51.50100900000000001,"long":-0.10}"#;
    let body = |kind: &str, part: &str| {
        format!(
            r#"{{"channel":"whatsapp","message_uuid":"m","to":"1","from":"2","message_type":"{kind}","{kind}":{part}}}"#
        )
    };
    for (kind, part) in [
        ("order", order.to_owned()),
        ("button", format!(r#"{{"payload":{order},"text":"Buy"}}"#)),
        ("contacts", format!("[{order}]")),
        ("location", location.to_owned()),
        ("unsupported", order.to_owned()),
        ("hologram", order.to_owned()),
    ] {
        let content = decode_inbound(body(kind, &part).as_bytes())
            .unwrap()
            .content;
        let event = serde_json::to_string(&content).unwrap();
        let again: Content = docket_domain::json::read_stored(&event).unwrap();
        assert_eq!(again, content, "{event}");
        let shown = serde_json::to_value(&again).unwrap().to_string();
        let digits: &[&str] = if kind == "location" {
            &["51.50100900000000001", "-0.10"]
        } else {
            &["12345678901234567890123", "10.50", "0.1000", "-7.00"]
        };
        for digits in digits {
            assert!(
                event.contains(digits) && shown.contains(digits),
                "{digits}: {event} {shown}"
            );
        }
    }
    // The database would write these otherwise, or not at all.
    let odd = r#"{"a":1e400,"b":1E5,"c":-0,"d":-0.00,"e":1e-9999999}"#;
    let Content::Order { order } = decode_inbound(body("order", odd).as_bytes())
        .unwrap()
        .content
    else {
        panic!("an order")
    };
    let lower = order.to_string().to_ascii_lowercase();
    for digits in [
        r#""a":"1e"#,
        r#""b":"1e"#,
        r#""c":"-0""#,
        r#""d":"-0.00""#,
        r#""e":"1e"#,
    ] {
        assert!(lower.contains(digits), "{digits}: {lower}");
    }
}

#[test]
fn a_sender_without_from_is_known_by_whatsapp() {
    let sender = json!({"user_id": "GB.1029384756", "wa_id": "447700900123"});
    for from in [
        None,
        Some(json!(null)),
        Some(json!("")),
        Some(json!([])),
        Some(json!({})),
    ] {
        let mut message = json!({"channel": "whatsapp", "message_uuid": "m", "to": "1", "text": "Hi", "whatsapp": {"sender": sender}});
        if let Some(from) = from {
            message["from"] = from;
        }
        let inbound = decode_inbound(message.to_string().as_bytes()).unwrap();
        assert_eq!(inbound.from, "GB.1029384756", "{message}");
    }
}

#[test]
fn a_reaction_names_the_message_that_it_is_on() {
    let reaction = |more: Value| {
        let mut all = json!({"channel": "whatsapp", "message_uuid": "m", "to": "1", "from": "2", "message_type": "reaction"});
        merge(&mut all, more);
        decode_inbound(all.to_string().as_bytes()).unwrap().quoted
    };
    let emoji = json!({"action": "react", "emoji": "👍"});
    assert_eq!(
        reaction(json!({"reaction": emoji, "context": {"message_uuid": "of"}})).as_deref(),
        Some("of")
    );
    assert_eq!(
        reaction(json!({"reaction": {"emoji": "👍", "message_uuid": "of"}})).as_deref(),
        Some("of")
    );
    assert_eq!(reaction(json!({"reaction": emoji})), None);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((name(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    const NAMES: [&str; 25] = [
        "timestamp",
        "message_type",
        "text",
        "status",
        "client_ref",
        "context",
        "profile",
        "whatsapp",
        "image",
        "audio",
        "video",
        "file",
        "vcard",
        "sticker",
        "content",
        "location",
        "contacts",
        "reply",
        "button",
        "order",
        "reaction",
        "error",
        "message",
        "url",
        "caption",
    ];
    prop_oneof![3 => proptest::sample::select(NAMES.as_slice()).prop_map(str::to_owned), 1 => ".{0,6}"]
}

proptest! {
    /// A body with a channel, a recipient, a sender and an id is placed, whatever else it holds; any other bytes are told why not.
    #[test]
    fn a_message_is_placed_whatever_else_it_holds(
        more in proptest::collection::vec((name(), any_json()), 0..12),
        expected in proptest::sample::select(vec![None, Some(WebhookKind::Inbound), Some(WebhookKind::Status)]),
    ) {
        let mut body: serde_json::Map<String, Value> = more.into_iter().collect();
        for (name, value) in [("channel", "sms"), ("message_uuid", "m"), ("to", "447700900200"), ("from", "447700900123")] {
            body.insert(name.to_owned(), value.into());
        }
        let body = Value::Object(body).to_string();
        match read(body.as_bytes(), expected, arrived()).webhook {
            Ok(Webhook::Inbound(inbound)) => {
                prop_assert_eq!(&inbound.from, "447700900123");
                let event = serde_json::to_string(&inbound.content).unwrap();
                prop_assert_eq!(docket_domain::json::read_stored::<Content>(&event).unwrap(), inbound.content);
            }
            Ok(Webhook::Status(_)) => {}
            Err(undecodable) => prop_assert!(
                matches!(undecodable.cause, Cause::UnknownStatus(_) | Cause::MissingField("status") | Cause::BadValue("status")),
                "{:?}: {}", undecodable.cause, body
            ),
        }
    }

    /// No bytes fell the reader.
    #[test]
    fn any_bytes_are_read_or_listed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, None, arrived());
    }
}
