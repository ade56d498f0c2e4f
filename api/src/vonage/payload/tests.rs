//! Payloads of the shapes that Vonage documents, with every optional field, and what real ones leave out or turn around.

mod table;

use docket_domain::content::{Media, MoreMedia};
use docket_domain::json::MAX_FOREIGN_DEPTH;
use serde_json::{Number, Value, json};

use super::*;

/// When the webhooks of these tests arrive.
fn arrived() -> DateTime<Utc> {
    "2026-03-04T05:06:30Z".parse().unwrap()
}

fn decode_inbound(body: &[u8]) -> Result<Inbound, Box<Undecodable>> {
    super::decode_inbound(body, arrived())
}

fn decode_status(body: &[u8]) -> Result<Status, Box<Undecodable>> {
    super::decode_status(body, arrived())
}

/// An inbound payload with the fields that every message of the channel has, and `more`.
fn payload(channel: &str, more: Value) -> Vec<u8> {
    let mut payload = json!({
        "channel": channel,
        "message_uuid": "0d3a1f0e-7f66-4c1c-9d55-0a4d3c5b7e11",
        "to": "447700900200",
        "from": "447700900123",
        "timestamp": "2026-03-04T05:06:07Z",
    });
    if channel == "whatsapp" {
        merge(
            &mut payload,
            json!({
                "profile": {"name": "Robin Example"},
                "context_status": "available",
                "context": {"message_uuid": "5f0c2a77-53aa-4b0e-8f1f-3c1d9e0b2a44", "message_from": "447700900200"},
                "provider_message": "none",
                "_self": {"href": "https://api.example.com/v1/messages/0d3a1f0e-7f66-4c1c-9d55-0a4d3c5b7e11"},
            }),
        );
    }
    merge(&mut payload, more);
    serde_json::to_vec(&payload).unwrap()
}

fn merge(target: &mut Value, more: Value) {
    let Value::Object(more) = more else {
        panic!("an object is merged")
    };
    target.as_object_mut().unwrap().extend(more);
}

fn without(body: &[u8], field: &str) -> Vec<u8> {
    let mut payload: Value = serde_json::from_slice(body).unwrap();
    payload
        .as_object_mut()
        .unwrap()
        .remove(field)
        .expect("the field is there to be taken out");
    serde_json::to_vec(&payload).unwrap()
}

fn content_of(channel: &str, more: Value) -> Content {
    decode_inbound(&payload(channel, more)).unwrap().content
}

fn cause_of(channel: &str, more: Value) -> Cause {
    decode_inbound(&payload(channel, more)).unwrap_err().cause
}

fn degrees(digits: &str) -> Number {
    digits.parse().unwrap()
}

fn unreadable(kind: &str, text: Option<&str>, raw: &Value) -> Content {
    Content::Unreadable {
        kind: Some(kind.to_owned()),
        text: text.map(str::to_owned),
        raw: raw.to_string(),
    }
}

fn media_at(url: &str) -> Media {
    Media {
        url: url.to_owned(),
        ..Media::default()
    }
}

fn referral() -> Value {
    json!({"referral": {"body": "See our roofs", "headline": "Roofs", "source_id": "1", "source_type": "ad", "source_url": "https://ads.example.com/1", "ctwa_clid": "9"}})
}

#[test]
fn an_sms_without_a_message_type() {
    let inbound = decode_inbound(&payload(
        "sms",
        json!({
            "text": "The boiler leaks again #123",
            "sms": {"num_messages": "1", "keyword": "THE"},
            "usage": {"currency": "EUR", "price": "0.0050"},
            "origin": {"network_code": "23410"},
        }),
    ))
    .unwrap();
    assert_eq!(
        inbound,
        Inbound {
            channel: Channel::Sms,
            to: "447700900200".into(),
            from: "447700900123".into(),
            provider_id: "0d3a1f0e-7f66-4c1c-9d55-0a4d3c5b7e11".into(),
            at: "2026-03-04T05:06:07Z".parse().unwrap(),
            at_is_arrival: false,
            content: Content::text("The boiler leaks again #123"),
            quoted: None,
            profile_name: None,
        }
    );
}

#[test]
fn a_whatsapp_text_quotes_and_names_its_sender() {
    let inbound = decode_inbound(&payload(
        "whatsapp",
        json!({"message_type": "text", "text": "Yes please", "whatsapp": referral()}),
    ))
    .unwrap();
    assert_eq!(inbound.channel, Channel::Whatsapp);
    assert_eq!(inbound.content, Content::text("Yes please"));
    assert_eq!(
        inbound.quoted.as_deref(),
        Some("5f0c2a77-53aa-4b0e-8f1f-3c1d9e0b2a44")
    );
    assert_eq!(inbound.profile_name.as_deref(), Some("Robin Example"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table with a row for each kind")]
fn every_kind_of_whatsapp_message() {
    let url = "https://media.example.com/v3/1b45";
    let file = json!({"url": url, "name": "kitchen.bin"});
    let named = Media {
        name: Some("kitchen.bin".into()),
        ..media_at(url)
    };
    let kinds = [
        (
            json!({"message_type": "image", "image": file}),
            Content::Image(named.clone()),
        ),
        (
            json!({"message_type": "audio", "audio": file}),
            Content::Audio(named.clone()),
        ),
        (
            json!({"message_type": "video", "video": file}),
            Content::Video(named.clone()),
        ),
        (
            json!({"message_type": "file", "file": file}),
            Content::File(named),
        ),
        (
            json!({"message_type": "sticker", "sticker": {"url": url}}),
            Content::Sticker(media_at(url)),
        ),
        (
            json!({"message_type": "image", "image": {"url": url, "caption": "The stain #7"}}),
            Content::Image(Media {
                caption: Some("The stain #7".into()),
                ..media_at(url)
            }),
        ),
        (
            json!({"message_type": "location", "location": {"lat": 51.501_009, "long": -0.141_588, "name": "Home", "address": "1 Example Road"}}),
            Content::Location {
                latitude: degrees("51.501009"),
                longitude: degrees("-0.141588"),
                name: Some("Home".into()),
                address: Some("1 Example Road".into()),
            },
        ),
        (
            json!({"message_type": "contacts", "contacts": [{"name": {"formatted_name": "Sam Example"}, "phones": [{"phone": "12025550143", "type": "home"}]}]}),
            Content::Contacts {
                contacts: vec![
                    json!({"name": {"formatted_name": "Sam Example"}, "phones": [{"phone": "12025550143", "type": "home"}]}),
                ],
            },
        ),
        (
            json!({"message_type": "reply", "reply": {"id": "slot_2", "title": "10 am", "description": "Tuesday at ten"}}),
            Content::Reply {
                id: Some("slot_2".into()),
                title: "10 am".into(),
                description: Some("Tuesday at ten".into()),
            },
        ),
        (
            json!({"message_type": "button", "button": {"payload": {"flow_token": "t", "answer": "yes"}, "text": "sent", "subtype": "flow"}}),
            Content::Button {
                text: "sent".into(),
                payload: json!({"flow_token": "t", "answer": "yes"}),
                subtype: Some("flow".into()),
            },
        ),
        (
            json!({"message_type": "button", "button": {"payload": "Call me back"}}),
            Content::Button {
                text: "Call me back".into(),
                payload: json!("Call me back"),
                subtype: None,
            },
        ),
        (
            json!({"message_type": "order", "order": {"catalog_id": "28", "product_items": [{"product_retailer_id": "p1", "quantity": "2", "item_price": "9.99", "currency": "GBP"}]}}),
            Content::Order {
                order: json!({"catalog_id": "28", "product_items": [{"product_retailer_id": "p1", "quantity": "2", "item_price": "9.99", "currency": "GBP"}]}),
            },
        ),
        (
            json!({"message_type": "reaction", "reaction": {"action": "react", "emoji": "👍"}}),
            Content::Reaction {
                emoji: Some("👍".into()),
                removed: false,
            },
        ),
        (
            json!({"message_type": "reaction", "reaction": {"action": "unreact"}}),
            Content::Reaction {
                emoji: None,
                removed: true,
            },
        ),
        (
            json!({"message_type": "reaction", "reaction": {"emoji": ""}}),
            Content::Reaction {
                emoji: None,
                removed: true,
            },
        ),
    ];
    for (more, expected) in kinds {
        let mut without_type = more.clone();
        let kind = without_type
            .as_object_mut()
            .unwrap()
            .remove("message_type")
            .unwrap();
        assert_eq!(content_of("whatsapp", more), expected);
        assert_eq!(
            content_of("whatsapp", without_type),
            expected,
            "{kind} is known by its field too"
        );
    }
}

#[test]
fn what_whatsapp_could_not_pass_on_is_kept_whole() {
    let body = payload(
        "whatsapp",
        json!({"message_type": "unsupported", "provider_message": "poll"}),
    );
    let Content::Unsupported { raw } = decode_inbound(&body).unwrap().content else {
        panic!("unsupported")
    };
    assert_eq!(raw, serde_json::from_slice::<Value>(&body).unwrap());
}

#[test]
fn what_is_nested_too_deep_to_be_kept_as_json_is_kept_as_text() {
    type Part = fn(Value) -> Value;

    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let parts: [(Part, usize); 4] = [
        (|tree| json!({"message_type": "order", "order": tree}), 0),
        (
            |tree| json!({"message_type": "button", "button": {"text": "Yes", "payload": tree}}),
            0,
        ),
        (
            |tree| json!({"message_type": "contacts", "contacts": tree}),
            0,
        ),
        // All of the payload is kept.
        (
            |tree| json!({"message_type": "unsupported", "odd": tree}),
            1,
        ),
    ];
    for (part, around) in parts {
        let kept = payload("whatsapp", part(nested(MAX_FOREIGN_DEPTH - around)));
        let content = decode_inbound(&kept).unwrap().content;
        assert!(
            !matches!(content, Content::Unreadable { .. }),
            "{content:?}"
        );
        for levels in [MAX_FOREIGN_DEPTH - around + 1, 126 - around, 127, 500] {
            let deep = nested(levels).to_string();
            let body = payload("whatsapp", part(json!("deep")));
            let body = String::from_utf8(body)
                .unwrap()
                .replacen("\"deep\"", &deep, 1);
            let content = decode_inbound(body.as_bytes()).unwrap().content;
            let Content::Unreadable { raw, .. } = content else {
                panic!("{levels} levels: {content:?}")
            };
            assert!(raw.contains(&deep), "{levels} levels are kept as text");
        }
    }
    // What is not kept may be as deep as it likes.
    let deep = "[".repeat(1_000) + &"]".repeat(1_000);
    let body = payload("sms", json!({"text": "Hi", "odd": "deep"}));
    let body = String::from_utf8(body).unwrap().replace("\"deep\"", &deep);
    assert!(decode_inbound(body.as_bytes()).is_ok());
}

#[test]
fn mms_stands_on_the_sms_line_with_all_its_files() {
    let text = decode_inbound(&payload(
        "mms",
        json!({"message_type": "text", "text": "Hi", "origin": {"network_code": "1"}}),
    ))
    .unwrap();
    assert_eq!(
        (text.channel, text.content),
        (Channel::Sms, Content::text("Hi"))
    );

    let first = "https://media.example.com/1";
    let second = "https://media.example.com/2";
    for (kind, make) in [
        ("image", Content::Image as fn(Media) -> Content),
        ("audio", Content::Audio),
        ("video", Content::Video),
        ("file", Content::File),
        ("vcard", Content::File),
    ] {
        let alone = json!({"message_type": kind, kind: {"url": first, "name": "a.bin"}});
        let expected = Media {
            name: Some("a.bin".into()),
            ..media_at(first)
        };
        assert_eq!(
            content_of("mms", alone.clone()),
            make(expected.clone()),
            "{kind}"
        );

        let mut several = alone;
        merge(
            &mut several,
            json!({"content": [{"type": kind, "url": first}, {"type": "video", "url": second}, {"type": "image"}, 7]}),
        );
        let more = vec![MoreMedia {
            kind: "video".into(),
            url: second.into(),
        }];
        assert_eq!(
            content_of("mms", several),
            make(Media { more, ..expected }),
            "{kind} with more"
        );
    }

    let only_content = json!({"message_type": "content", "content": [{"type": "image", "url": first, "caption": "Both"}, {"type": "vcard", "url": second}]});
    let more = vec![MoreMedia {
        kind: "vcard".into(),
        url: second.into(),
    }];
    assert_eq!(
        content_of("mms", only_content),
        Content::Image(Media {
            caption: Some("Both".into()),
            more,
            ..media_at(first)
        })
    );

    let with_text = json!({"image": {"url": first}, "text": "See #101"});
    assert_eq!(
        content_of("mms", with_text),
        Content::Image(Media {
            caption: Some("See #101".into()),
            ..media_at(first)
        }),
        "words beside a file are not lost"
    );
}

#[test]
fn strings_and_numbers_stand_for_one_another() {
    let inbound = decode_inbound(&payload(
        "whatsapp",
        json!({
            "to": 447_700_900_200_u64,
            "from": "+44 7700 900123",
            "message_type": "location",
            "location": {"lat": "51.5", "long": "-0.125"},
            "profile": {"name": 42},
            "context": {"message_uuid": 7},
        }),
    ))
    .unwrap();
    assert_eq!(
        (inbound.to.as_str(), inbound.from.as_str()),
        ("447700900200", "447700900123")
    );
    assert_eq!(
        inbound.content,
        Content::Location {
            latitude: degrees("51.5"),
            longitude: degrees("-0.125"),
            name: None,
            address: None
        }
    );
    assert_eq!(inbound.profile_name.as_deref(), Some("42"));
    assert_eq!(inbound.quoted.as_deref(), Some("7"));
    assert_eq!(
        content_of("sms", json!({"text": 12345})),
        Content::text("12345")
    );
    let reply = content_of(
        "whatsapp",
        json!({"message_type": "reply", "reply": {"id": 3, "title": 9}}),
    );
    assert_eq!(
        reply,
        Content::Reply {
            id: Some("3".into()),
            title: "9".into(),
            description: None
        }
    );
}

#[test]
fn optional_fields_may_be_null_missing_or_odd() {
    for odd in [
        json!(null),
        json!("text"),
        json!(1),
        json!([1]),
        json!({}),
        json!({"name": null, "message_uuid": null}),
        json!({"name": [], "message_uuid": ""}),
    ] {
        let inbound = decode_inbound(&payload(
            "whatsapp",
            json!({"message_type": "text", "text": "Hi", "profile": odd, "context": odd, "whatsapp": odd, "content": odd, "image": odd}),
        ))
        .unwrap();
        assert_eq!(inbound.content, Content::text("Hi"), "{odd}");
        assert_eq!(
            (inbound.profile_name, inbound.quoted),
            (None, None),
            "{odd}"
        );
    }
    let bare = decode_inbound(&without(
        &without(&payload("whatsapp", json!({"text": "Hi"})), "context"),
        "profile",
    ))
    .unwrap();
    assert_eq!((bare.profile_name, bare.quoted), (None, None));
}

#[test]
fn a_sender_without_a_number_keeps_its_identifier() {
    let named = decode_inbound(&payload(
        "whatsapp",
        json!({"from": "GB.1029384756", "text": "Hi"}),
    ))
    .unwrap();
    assert_eq!(named.from, "GB.1029384756");
    let only_id = without(
        &payload(
            "whatsapp",
            json!({"text": "Hi", "whatsapp": {"sender": {"user_id": "GB.1029384756", "wa_id": null}}}),
        ),
        "from",
    );
    assert_eq!(decode_inbound(&only_id).unwrap().from, "GB.1029384756");
    let alphanumeric = decode_inbound(&payload(
        "sms",
        json!({"from": "Example Ltd", "text": "Hi"}),
    ))
    .unwrap();
    assert_eq!(alphanumeric.from, "Example Ltd");
}

#[test]
fn the_text_is_kept_as_it_was_sent() {
    for text in [
        "",
        " ",
        "  two  spaces\n\nand lines \t",
        "„#101“ é 👩‍👩‍👧 \u{202e}rtl",
        "\\u0000 is no NUL",
        "\"quoted\"",
    ] {
        assert_eq!(
            content_of("sms", json!({"text": text})),
            Content::text(text),
            "{text:?}"
        );
        assert_eq!(
            content_of("whatsapp", json!({"message_type": "text", "text": text})),
            Content::text(text),
            "{text:?}"
        );
    }
}

#[test]
fn what_the_database_could_not_hold_is_mended() {
    assert_eq!(
        content_of("sms", json!({"text": "a\u{0}b"})),
        Content::text("a\u{2400}b")
    );
    assert_eq!(
        content_of(
            "whatsapp",
            json!({"message_type": "order", "order": {"k\u{0}": ["v\u{0}"]}})
        ),
        Content::Order {
            order: json!({"k\u{2400}": ["v\u{2400}"]})
        }
    );
    let raw = content_of(
        "whatsapp",
        json!({"message_type": "unsupported", "odd": "\u{0}"}),
    );
    assert!(
        !serde_json::to_string(&raw).unwrap().contains("\\u0000"),
        "{raw:?}"
    );
    let inbound = decode_inbound(&payload(
        "sms",
        json!({"from": "A\u{0}B", "message_uuid": "m\u{0}", "text": "Hi"}),
    ))
    .unwrap();
    assert_eq!(
        (inbound.from.as_str(), inbound.provider_id.as_str()),
        ("A\u{2400}B", "m\u{2400}")
    );
}

#[test]
fn half_an_emoji_costs_only_itself() {
    let cut = |escapes: &str| {
        let body = String::from_utf8(payload("sms", json!({"text": "CUT"})))
            .unwrap()
            .replace("CUT", escapes);
        decode_inbound(body.as_bytes()).map(|inbound| inbound.content)
    };
    assert_eq!(cut(r"whole \ud83d\ude00"), Ok(Content::text("whole 😀")));
    assert_eq!(cut(r"cut \ud83d"), Ok(Content::text("cut \u{fffd}")));
    assert_eq!(cut(r"\ude00 rest"), Ok(Content::text("\u{fffd} rest")));
    assert_eq!(
        cut(r"\ud83d\ud83d\ude00\\ud83d"),
        Ok(Content::text("\u{fffd}😀\\ud83d"))
    );
    assert_eq!(cut(r"\ud83d\u0041"), Ok(Content::text("\u{fffd}A")));

    let caption = String::from_utf8(payload(
        "whatsapp",
        json!({"image": {"url": "https://media.example.com/1", "caption": "CUT"}}),
    ))
    .unwrap();
    let inbound = decode_inbound(caption.replace("CUT", r"\ud83d").as_bytes()).unwrap();
    assert_eq!(
        inbound.content.said(),
        Some("\u{fffd}"),
        "deep inside as well"
    );
}

#[test]
fn times_in_every_iso_form() {
    let expected: DateTime<Utc> = "2026-03-04T05:06:07Z".parse().unwrap();
    for spelling in [
        "2026-03-04T05:06:07Z",
        "2026-03-04T05:06:07.000Z",
        "2026-03-04T05:06:07+00:00",
        "2026-03-04T06:06:07+01:00",
        "2026-03-04T06:06:07+0100",
        "2026-03-04T05:06:07",
        "2026-03-04T05:06:07.000",
        "2026-03-04 05:06:07",
        "2026-03-04 05:06:07Z",
        " 2026-03-04t05:06:07z ",
    ] {
        let inbound = decode_inbound(&payload(
            "sms",
            json!({"text": "Hi", "timestamp": spelling}),
        ))
        .unwrap();
        assert_eq!(inbound.at, expected, "{spelling}");
    }
    let fine = decode_inbound(&payload(
        "sms",
        json!({"text": "Hi", "timestamp": "2026-03-04T05:06:07.123456789Z"}),
    ))
    .unwrap();
    assert_eq!(
        fine.at.timestamp_subsec_nanos(),
        123_456_000,
        "as fine as the database keeps it"
    );
    for unreadable in [
        json!(null),
        json!(""),
        json!("yesterday"),
        json!("2026-13-01T00:00:00Z"),
        json!("9999-12-31T23:59:59Z"),
        json!({"seconds": 1_772_600_767}),
        json!([]),
        json!(true),
    ] {
        let inbound = decode_inbound(&payload(
            "sms",
            json!({"text": "Hi", "timestamp": unreadable}),
        ))
        .unwrap();
        assert_eq!(
            (inbound.at, inbound.at_is_arrival),
            (arrived(), true),
            "{unreadable}"
        );
    }
    for (seconds, expected) in [
        (json!(1_772_600_767), "2026-03-04T05:06:07Z"),
        (json!("1772600767250"), "2026-03-04T05:06:07.250Z"),
        (json!(1_772_600_767.5), "2026-03-04T05:06:07.500Z"),
    ] {
        let inbound =
            decode_inbound(&payload("sms", json!({"text": "Hi", "timestamp": seconds}))).unwrap();
        let expected = expected.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(
            (inbound.at, inbound.at_is_arrival),
            (expected, false),
            "{seconds}"
        );
    }
}

#[test]
fn why_it_could_not_be_read() {
    for body in [
        "",
        "not json",
        "{",
        r#"{"channel":"sms""#,
        "{} {}",
        "a=b",
        "channel=sms&text=Hi",
    ] {
        let cause = decode_inbound(body.as_bytes()).unwrap_err().cause;
        assert_eq!(cause, Cause::NotJson, "{body}");
    }
    for body in ["[]", "1", "null", "\"text\"", r#"[{"channel":"sms"}]"#] {
        let cause = decode_inbound(body.as_bytes()).unwrap_err().cause;
        assert_eq!(cause, Cause::NotAnObject, "{body}");
    }
    let sms = payload("sms", json!({"text": "Hi"}));
    for field in ["channel", "message_uuid", "to", "from"] {
        assert_eq!(
            decode_inbound(&without(&sms, field)).unwrap_err().cause,
            Cause::MissingField(field)
        );
    }
    for (more, cause) in [
        (json!({"to": {"of": "447700900200"}}), Cause::BadValue("to")),
        (json!({"from": "  "}), Cause::MissingField("from")),
        (json!({"from": ["447700900123"]}), Cause::BadValue("from")),
        (
            json!({"message_uuid": "x".repeat(201)}),
            Cause::BadValue("message_uuid"),
        ),
        (
            json!({"channel": "messenger"}),
            Cause::UnknownChannel("messenger".into()),
        ),
        (json!({"channel": ["sms"]}), Cause::BadValue("channel")),
    ] {
        let mut all = json!({"text": "Hi"});
        merge(&mut all, more.clone());
        assert_eq!(cause_of("sms", all), cause, "{more}");
    }
    assert_eq!(
        Cause::UnknownChannel("messenger".into()).to_string(),
        "the channel “messenger” is unknown"
    );
}

/// Content that cannot be read: the message is placed with its words, and the part is kept as it came.
#[test]
#[expect(clippy::too_many_lines, reason = "a table with a row for each shape")]
fn content_that_cannot_be_read_is_kept_as_it_came() {
    let url = "https://media.example.com/1";
    let rows = [
        ("text", json!(["Hi"]), json!({}), None),
        (
            "text",
            json!({"body": "Hi #101"}),
            json!({}),
            Some("Hi #101"),
        ),
        ("text", json!(true), json!({}), None),
        ("image", json!({}), json!({}), None),
        (
            "image",
            json!({"url": null, "caption": "#101 water"}),
            json!({}),
            Some("#101 water"),
        ),
        (
            "image",
            json!({"url": "", "caption": "#101 water"}),
            json!({}),
            Some("#101 water"),
        ),
        (
            "image",
            json!({"url": ["x"], "caption": 7}),
            json!({}),
            Some("7"),
        ),
        (
            "image",
            json!({"url": "javascript:alert(1)", "caption": "Look"}),
            json!({}),
            Some("Look"),
        ),
        (
            "image",
            json!({"url": "file:///etc/passwd"}),
            json!({"text": "See #101"}),
            Some("See #101"),
        ),
        (
            "image",
            json!({"url": format!("https://{}", "x".repeat(9_000))}),
            json!({}),
            None,
        ),
        (
            "image",
            json!([{"url": url, "caption": "In a list"}]),
            json!({}),
            Some("In a list"),
        ),
        ("audio", json!({"url": 7}), json!({}), None),
        (
            "video",
            json!({"caption": "A film"}),
            json!({}),
            Some("A film"),
        ),
        (
            "file",
            json!("no address"),
            json!({"text": "A file"}),
            Some("A file"),
        ),
        ("sticker", json!(1), json!({}), None),
        ("vcard", json!({"url": {}}), json!({}), None),
        ("location", json!({"name": "Home"}), json!({}), None),
        ("location", json!({"lat": 91, "long": 0}), json!({}), None),
        (
            "location",
            json!({"lat": null, "long": null}),
            json!({"text": "Here"}),
            Some("Here"),
        ),
        (
            "location",
            json!({"lat": 0, "long": "NaN"}),
            json!({}),
            None,
        ),
        (
            "location",
            json!({"lat": "1e999", "long": 0}),
            json!({}),
            None,
        ),
        ("location", json!("51.5,0"), json!({}), None),
        ("contacts", json!("Sam"), json!({}), None),
        ("contacts", json!(7), json!({}), None),
        ("reply", json!({}), json!({}), None),
        ("reply", json!("10 am"), json!({}), None),
        (
            "reply",
            json!({"title": ["x"], "description": "Tuesday"}),
            json!({}),
            Some("Tuesday"),
        ),
        ("button", json!({}), json!({}), None),
        ("button", json!([]), json!({}), None),
        ("reaction", json!("👍"), json!({}), None),
        ("content", json!([]), json!({}), None),
        (
            "content",
            json!([{"url": null, "caption": "Two files"}]),
            json!({}),
            Some("Two files"),
        ),
        (
            "hologram",
            json!({"body": "New #101"}),
            json!({}),
            Some("New #101"),
        ),
        (
            "hologram",
            json!({"depth": 3}),
            json!({"text": "Old words"}),
            Some("Old words"),
        ),
        (
            "poll",
            json!({"title": "Tuesday?"}),
            json!({}),
            Some("Tuesday?"),
        ),
    ];
    for (kind, part, more, said) in rows {
        let mut all = json!({"message_type": kind, kind: part});
        merge(&mut all, more);
        let inbound = decode_inbound(&payload("whatsapp", all)).unwrap();
        assert_eq!(
            inbound.content,
            unreadable(kind, said, &part),
            "{kind} {part}"
        );
        assert_eq!(inbound.content.said(), said, "{kind} {part}");
        assert_eq!(inbound.from, "447700900123");
    }
    let long = content_of("whatsapp", json!({"message_type": "x".repeat(5_000)}));
    let Content::Unreadable { kind, .. } = long else {
        panic!("{long:?}")
    };
    assert_eq!(kind, Some("x".repeat(MAX_SHOWN_CHARS)));
}

/// Where there is nothing to read, the whole body is kept.
#[test]
fn a_message_without_content_is_placed() {
    for (channel, more) in [
        ("sms", json!({})),
        ("sms", json!({"text": null})),
        ("sms", json!({"message_type": "text"})),
        ("mms", json!({"message_type": "image"})),
        ("whatsapp", json!({})),
        ("whatsapp", json!({"message_type": null})),
        ("whatsapp", json!({"message_type": ["text"]})),
        ("whatsapp", json!({"message_type": "image", "image": null})),
        ("whatsapp", json!({"message_type": "order"})),
        ("whatsapp", json!({"message_type": "hologram"})),
    ] {
        let body = payload(channel, more.clone());
        let Content::Unreadable { text, raw, .. } = decode_inbound(&body).unwrap().content else {
            panic!("{more}")
        };
        assert_eq!((text, raw.as_bytes()), (None, body.as_slice()), "{more}");
    }
}

#[test]
fn what_could_be_read_of_an_undecodable_one_is_kept() {
    let undecodable =
        decode_inbound(&payload("messenger", json!({"to": "+447700900200"}))).unwrap_err();
    assert_eq!(
        undecodable.provider_id.as_deref(),
        Some("0d3a1f0e-7f66-4c1c-9d55-0a4d3c5b7e11")
    );
    assert_eq!(undecodable.to.as_deref(), Some("447700900200"));
    assert_eq!(undecodable.from.as_deref(), Some("447700900123"));
    let without_sender = decode_inbound(&payload("sms", json!({"from": []}))).unwrap_err();
    assert_eq!(without_sender.from, None);
}

#[test]
fn a_repeated_key_counts_as_its_last() {
    let body = br#"{"channel":"messenger","channel":"sms","message_uuid":"m","to":"1","from":"2","timestamp":"2026-03-04T05:06:07Z","text":"a","te\u0078t":"b"}"#;
    assert_eq!(decode_inbound(body).unwrap().content, Content::text("b"));
}

#[test]
fn deep_nesting_is_no_way_to_fell_the_server() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let aside = format!(
        r#"{{"x":{deep},"channel":"sms","message_uuid":"m","to":"1","from":"2","timestamp":"2026-03-04T05:06:07Z","text":"a"}}"#
    );
    assert_eq!(
        decode_inbound(aside.as_bytes()).unwrap().content,
        Content::text("a"),
        "what is not read may be as deep as it likes"
    );
    for field in [
        "text", "order", "contacts", "image", "location", "reaction", "button", "reply", "content",
    ] {
        let body = format!(
            r#"{{"message_type":"{field}","{field}":{deep},"channel":"sms","message_uuid":"m","to":"1","from":"2"}}"#
        );
        assert_eq!(
            decode_inbound(body.as_bytes()).unwrap().content,
            Content::Unreadable {
                kind: Some(field.to_owned()),
                text: None,
                raw: deep.clone(),
            }
        );
    }
    for field in ["channel", "to", "from", "message_uuid"] {
        let body = format!(r#"{{"text":"Hi","{field}":{deep}}}"#);
        assert!(decode_inbound(body.as_bytes()).is_err(), "{field}");
    }
}

#[test]
fn nothing_personal_reaches_a_debug_output() {
    let body = payload(
        "whatsapp",
        json!({"message_type": "text", "text": "My secret"}),
    );
    let shown = format!("{:?}", decode_inbound(&body).unwrap());
    let undecodable = decode_inbound(&payload(
        "whatsapp",
        json!({"message_uuid": [], "text": "My secret"}),
    ))
    .unwrap_err();
    assert_eq!(undecodable.said.as_deref(), Some("My secret"));
    for shown in [shown, format!("{undecodable:?} {undecodable}")] {
        for personal in ["447700900123", "447700900200", "My secret", "Robin Example"] {
            assert!(!shown.contains(personal), "{shown}");
        }
    }
}

/// A status payload with every optional field.
fn status_payload(channel: &str, status: &str, more: Value) -> Vec<u8> {
    let mut payload = json!({
        "message_uuid": "7d0c7a4e-31a3-43cf-a9a8-7c5c9c1c0f12",
        "to": "447700900123",
        "from": "447700900200",
        "timestamp": "2026-03-04T05:06:08.250Z",
        "status": status,
        "client_ref": "0195b5e0c0d07cc18c1f0123456789ab-1",
        "channel": channel,
        "workflow": {"workflow_id": "w", "items_number": "1", "items_total": "2"},
        "usage": {"currency": "EUR", "price": "0.0333"},
        "destination": {"network_code": "23410"},
        "sms": {"count_total": "1"},
        "whatsapp": {"pricing": {"type": "regular", "pricing_model": "PMP", "category": "service"}, "conversation": {"id": "c", "origin": {"type": "user_initiated"}}},
    });
    merge(&mut payload, more);
    serde_json::to_vec(&payload).unwrap()
}

#[test]
fn every_status_on_every_channel() {
    for (name, channel) in [
        ("sms", Channel::Sms),
        ("mms", Channel::Sms),
        ("whatsapp", Channel::Whatsapp),
    ] {
        for kind in [
            StatusKind::Submitted,
            StatusKind::Delivered,
            StatusKind::Rejected,
            StatusKind::Undeliverable,
            StatusKind::Read,
        ] {
            assert_eq!(
                decode_status(&status_payload(name, kind.as_str(), json!({}))),
                Ok(Status {
                    provider_id: Some("7d0c7a4e-31a3-43cf-a9a8-7c5c9c1c0f12".into()),
                    client_ref: Some("0195b5e0c0d07cc18c1f0123456789ab-1".into()),
                    channel: Some(channel),
                    status: kind,
                    at: "2026-03-04T05:06:08.250Z".parse().unwrap(),
                    at_is_arrival: false,
                    error: None,
                })
            );
        }
    }
}

#[test]
fn the_code_stands_in_the_title_or_at_the_end_of_the_type() {
    let error = |error: Value| {
        decode_status(&status_payload("sms", "rejected", json!({"error": error})))
            .unwrap()
            .error
    };
    let of_type = "https://developer.vonage.com/api-errors/messages#1340";
    for (title, code) in [
        (json!("1340"), 1340),
        (json!(1340), 1340),
        (json!(" 1070 "), 1070),
        (json!("Outside the window"), 1340),
        (json!(null), 1340),
    ] {
        assert_eq!(
            error(json!({"type": of_type, "title": title, "detail": "Why", "instance": "i"}))
                .unwrap()
                .code,
            Some(code),
            "{title}"
        );
    }
    assert_eq!(
        error(json!({"title": "Absent", "detail": "No route to 447700900123"})),
        Some(StatusError {
            code: None,
            title: Some("Absent".into()),
            detail: Some("No route to ••••••••••23".into())
        })
    );
    for nothing in [
        json!(null),
        json!({}),
        json!("text"),
        json!([]),
        json!({"title": null, "detail": ""}),
    ] {
        assert_eq!(error(nothing.clone()), None, "{nothing}");
    }
}

#[test]
fn a_client_ref_is_optional_and_a_long_one_is_not_ours() {
    assert_eq!(
        decode_status(&without(
            &status_payload("sms", "delivered", json!({})),
            "client_ref"
        ))
        .unwrap()
        .client_ref,
        None
    );
    let long = status_payload("sms", "delivered", json!({"client_ref": "x".repeat(201)}));
    assert_eq!(decode_status(&long).unwrap().client_ref, None);
}

#[test]
fn why_a_status_could_not_be_read() {
    let good = status_payload("sms", "delivered", json!({}));
    assert_eq!(
        decode_status(&without(&good, "status")).unwrap_err().cause,
        Cause::MissingField("status")
    );
    assert_eq!(
        decode_status(&without(&without(&good, "client_ref"), "message_uuid"))
            .unwrap_err()
            .cause,
        Cause::MissingField("message_uuid"),
        "it names no message"
    );
    let nothing_else = without(
        &without(&without(&good, "message_uuid"), "channel"),
        "timestamp",
    );
    let status = decode_status(&nothing_else).unwrap();
    assert_eq!(status.status, StatusKind::Delivered);
    assert_eq!((status.provider_id, status.channel), (None, None));
    assert_eq!((status.at, status.at_is_arrival), (arrived(), true));
    let unknown = decode_status(&status_payload("sms", "teleported", json!({}))).unwrap_err();
    assert_eq!(unknown.cause, Cause::UnknownStatus("teleported".into()));
    assert_eq!(unknown.to.as_deref(), Some("447700900123"));
    assert_eq!(
        decode_status(&status_payload("viber_service", "read", json!({})))
            .unwrap()
            .channel,
        None,
        "the message that it names says how it went"
    );
}

#[test]
fn each_code_that_agents_meet_has_a_sentence() {
    for code in [
        1000, 1022, 1050, 1070, 1120, 1170, 1180, 1190, 1210, 1240, 1300, 1330, 1340, 1360,
    ] {
        let sentence = reason(code).unwrap();
        assert!(
            sentence.ends_with('.') && sentence.len() > 20,
            "{code}: {sentence}"
        );
    }
    assert_eq!(reason(0), None);
    assert_eq!(reason(9999), None);
}
