//! Every kind of payload of Vonage's definition is taken, and the message stands in a case with what it carries.

use docket_tests::log;
use docket_tests::webhooks::{message_uuid, new_message_uuid, timestamp};
use serde_json::{Value, json};

use crate::help_desk::{HelpDesk, OURS, customer};

/// A kind of message: its name, its channel in the payload, the fields of its own, and in the thread its content's type and its
/// text.
struct Kind {
    name: &'static str,
    channel: &'static str,
    fields: Value,
    content: &'static str,
    text: Option<&'static str>,
}

fn kind(
    name: &'static str,
    channel: &'static str,
    content: &'static str,
    text: Option<&'static str>,
    fields: Value,
) -> Kind {
    Kind {
        name,
        channel,
        fields,
        content,
        text,
    }
}

fn sms_and_mms() -> Vec<Kind> {
    let more = json!([{"type": "image", "url": "https://media.example.com/second.jpg"}]);
    let media = |kind: &str, name: &str| json!({"url": format!("https://media.example.com/{kind}"), "name": name});
    vec![
        kind(
            "sms text",
            "sms",
            "text",
            Some("GARDEN, please"),
            json!({
                "text": "GARDEN, please",
                "sms": {"num_messages": "2", "keyword": "GARDEN"},
                "usage": {"currency": "EUR", "price": "0.0200"},
                "origin": {"network_code": "23410"},
            }),
        ),
        kind(
            "sms text with a type",
            "sms",
            "text",
            Some("Hello"),
            json!({"message_type": "text", "text": "Hello"}),
        ),
        kind(
            "sms without words",
            "sms",
            "text",
            Some(""),
            json!({"text": ""}),
        ),
        kind(
            "mms text",
            "mms",
            "text",
            Some("Hello"),
            json!({"message_type": "text", "text": "Hello"}),
        ),
        kind(
            "mms image",
            "mms",
            "image",
            Some("The broken tap"),
            json!({
                "message_type": "image",
                "image": {"url": "https://media.example.com/tap.jpg", "name": "tap.jpg", "caption": "The broken tap"},
                "content": more,
            }),
        ),
        kind(
            "mms audio",
            "mms",
            "audio",
            None,
            json!({"message_type": "audio", "audio": media("audio", "hum.mp3"), "content": more}),
        ),
        kind(
            "mms video",
            "mms",
            "video",
            None,
            json!({"message_type": "video", "video": media("video", "drip.mp4")}),
        ),
        kind(
            "mms file",
            "mms",
            "file",
            Some("The bill"),
            json!({
                "message_type": "file",
                "file": {"url": "https://media.example.com/bill.pdf", "name": "bill.pdf", "caption": "The bill"},
            }),
        ),
        kind(
            "mms vcard",
            "mms",
            "file",
            None,
            json!({"message_type": "vcard", "vcard": media("vcard", "plumber.vcf")}),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn whatsapp() -> Vec<Kind> {
    let referral = json!({"referral": {
        "body": "Ask us anything", "headline": "Help desk", "source_id": "1", "source_type": "post",
        "source_url": "https://social.example.com/1", "media_type": "image", "image_url": "https://media.example.com/ad.jpg",
    }});
    let media =
        |kind: &str| json!({"url": format!("https://media.example.com/{kind}"), "name": kind});
    vec![
        kind(
            "whatsapp text",
            "whatsapp",
            "text",
            Some("Hello"),
            json!({"message_type": "text", "text": "Hello", "whatsapp": referral}),
        ),
        kind(
            "whatsapp image",
            "whatsapp",
            "image",
            None,
            json!({"message_type": "image", "image": media("image"), "whatsapp": referral}),
        ),
        kind(
            "whatsapp audio",
            "whatsapp",
            "audio",
            None,
            json!({"message_type": "audio", "audio": media("audio")}),
        ),
        kind(
            "whatsapp video",
            "whatsapp",
            "video",
            None,
            json!({"message_type": "video", "video": media("video")}),
        ),
        kind(
            "whatsapp file",
            "whatsapp",
            "file",
            None,
            json!({"message_type": "file", "file": media("file")}),
        ),
        kind(
            "whatsapp sticker",
            "whatsapp",
            "sticker",
            None,
            json!({
                "message_type": "sticker", "sticker": {"url": "https://media.example.com/sticker"},
            }),
        ),
        kind(
            "whatsapp location",
            "whatsapp",
            "location",
            None,
            json!({
                "message_type": "location",
                "location": {"lat": 51.4779, "long": -0.0015, "name": "Royal Observatory", "address": "Greenwich, London"},
            }),
        ),
        kind(
            "whatsapp contacts",
            "whatsapp",
            "contacts",
            None,
            json!({
                "message_type": "contacts",
                "contacts": [{
                    "name": {"formatted_name": "Invented Person", "first_name": "Invented", "last_name": "Person"},
                    "phones": [{"phone": "447700900999", "type": "work"}],
                    "emails": [{"email": "invented@example.com", "type": "work"}],
                    "addresses": [{"city": "London", "country": "United Kingdom", "country_code": "GB", "type": "work"}],
                    "urls": [{"url": "https://invented.example.com", "type": "work"}],
                    "birthday": "1980-01-01",
                }],
            }),
        ),
        kind(
            "whatsapp reply",
            "whatsapp",
            "reply",
            None,
            json!({
                "message_type": "reply", "reply": {"id": "slot-1", "title": "9 o'clock", "description": "Tomorrow at nine"},
            }),
        ),
        kind(
            "whatsapp button",
            "whatsapp",
            "button",
            None,
            json!({
                "message_type": "button", "button": {"payload": {"flow_token": "t", "value": "1"}, "text": "Send", "subtype": "flow"},
            }),
        ),
        kind(
            "whatsapp order",
            "whatsapp",
            "order",
            None,
            json!({
                "message_type": "order",
                "order": {"catalog_id": "7", "product_items": [{
                    "product_retailer_id": "tap", "quantity": "1", "item_price": "9.99", "currency": "GBP",
                }]},
                "whatsapp": {"whatsapp_referred_product": {"catalog_id": "7", "product_retailer_id": "tap"}},
            }),
        ),
        kind(
            "whatsapp reaction",
            "whatsapp",
            "reaction",
            None,
            json!({
                "message_type": "reaction", "reaction": {"action": "react", "emoji": "😀"},
            }),
        ),
        kind(
            "whatsapp unsupported",
            "whatsapp",
            "unsupported",
            None,
            json!({"message_type": "unsupported"}),
        ),
    ]
}

impl Kind {
    /// The webhook, with the optional fields that Vonage's own examples carry.
    fn payload(&self, from: &str) -> Value {
        let mut payload = json!({
            "channel": self.channel,
            "message_uuid": new_message_uuid(),
            "to": OURS,
            "from": from,
            "timestamp": timestamp(),
        });
        let mut add = |fields: &Value| {
            for (name, value) in fields.as_object().unwrap() {
                payload[name] = value.clone();
            }
        };
        add(&self.fields);
        if self.channel == "whatsapp" {
            add(&json!({
                "profile": {"name": "Invented Person"},
                "context_status": "available",
                "context": {"message_uuid": new_message_uuid(), "message_from": OURS},
                "provider_message": "string",
                "_self": {"href": "https://api.example.com/v1/messages/1"},
            }));
        }
        payload
    }
}

#[tokio::test]
async fn every_kind_is_answered_200_and_stands_in_a_case() {
    let desk = HelpDesk::open().await;
    let kinds: Vec<Kind> = sms_and_mms().into_iter().chain(whatsapp()).collect();
    for (n, kind) in (1..).zip(&kinds) {
        let Kind { name, .. } = kind;
        let payload = kind.payload(&customer(n));
        desk.takes(&payload).await;
        let reference = desk.owner.only_case(&customer(n)).await;
        let case = desk.owner.get(&format!("/cases/{reference}")).await;
        assert!(
            case["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty()),
            "{name}: {case}"
        );
        if *name == "reaction" || name.ends_with("reaction") {
            // It is nothing said: it stands in the case as what it is.
            let items = desk.owner.thread(reference).await;
            assert!(
                items.iter().any(|item| item["kind"] == "reaction"),
                "{name}: {items:?}"
            );
            continue;
        }
        let messages = desk.owner.messages(reference, "inbound").await;
        let [message] = &messages[..] else {
            panic!("{name}: {messages:?}")
        };
        assert_eq!(message["provider_id"], message_uuid(&payload), "{name}");
        assert_eq!(
            message["content"]["type"], kind.content,
            "{name}: {message}"
        );
        let channel = if kind.channel == "whatsapp" {
            "whatsapp"
        } else {
            "sms"
        };
        assert_eq!(message["channel"], channel, "{name}");
        if let Some(text) = kind.text {
            assert_eq!(message["text"], text, "{name}");
        }
        if kind.channel == "whatsapp" {
            assert_eq!(case["contact"]["name"], "Invented Person", "{name}");
        }
    }
    assert!(desk.owner.all("/unrouted").await.is_empty());
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

#[tokio::test]
async fn statuses_with_every_optional_field_are_taken() {
    let desk = HelpDesk::open().await;
    let channels = [
        ("sms", json!({"sms": {"count_total": "2"}})),
        (
            "whatsapp",
            json!({"whatsapp": {
                "pricing": {"type": "regular", "pricing_model": "CBP", "category": "service"},
                "conversation": {"id": "1", "origin": {"type": "user_initiated"}},
            }}),
        ),
    ];
    for (n, (channel, own)) in (1..).zip(channels) {
        let from = customer(n);
        let reference = match channel {
            "sms" => desk.first_case(&from, "Hello?").await,
            _ => desk.first_whatsapp_case(&from, "Hello?").await,
        };
        desk.installation
            .simulator
            .script([docket::simulator::Fault::NoStatuses]);
        let message_id = desk.owner.reply(reference, "Good morning.").await;
        desk.owner.delivery(reference, &message_id, "sent").await;
        let sent = desk.installation.simulator.accepted().pop().unwrap();
        // The title of an error comes as a string and as a number; a delivered message may carry one all the same.
        for (word, title, expected) in [
            ("submitted", json!("1000"), "sent"),
            ("delivered", json!(1000), "delivered"),
            ("read", json!("1000"), "read"),
        ] {
            let mut status = json!({
                "message_uuid": sent.message_uuid,
                "client_ref": sent.client_ref,
                "channel": channel,
                "to": from,
                "from": OURS,
                "timestamp": "2025-02-03T12:14:25Z",
                "status": word,
                "error": {
                    "type": "https://developer.example.com/errors#1000", "title": title,
                    "detail": "Throttled", "instance": "1",
                },
                "workflow": {"workflow_id": "1", "items_number": "1", "items_total": "2"},
                "usage": {"currency": "EUR", "price": "0.0100"},
                "destination": {"network_code": "23410"},
            });
            for (name, value) in own.as_object().unwrap() {
                status[name] = value.clone();
            }
            assert_eq!(
                desk.installation
                    .webhooks
                    .status(desk.docket.url(), &status)
                    .await,
                200
            );
            let delivery = desk.owner.message(reference, &message_id).await["delivery"].take();
            assert_eq!(delivery["status"], expected, "{channel} {word}: {delivery}");
        }
    }
    assert!(desk.owner.all("/unrouted").await.is_empty());
    desk.close().await;
}
