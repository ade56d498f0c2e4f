//! What is WhatsApp's alone: templates, the 24 hours, reactions, choices and the like.

use super::*;
use docket_domain::personal::Personal;
use docket_domain::whatsapp_template::SentTemplate;

fn template_json() -> Value {
    json!({
        "message_type": "template",
        "channel": "whatsapp",
        "to": CUSTOMER,
        "from": LINE,
        "template": {"name": "reminder", "parameters": ["Ada", "Monday"]},
        "whatsapp": {"policy": "deterministic", "locale": "en_GB"},
    })
}

fn known() -> SimulatedTemplate {
    SimulatedTemplate {
        name: "reminder".to_owned(),
        locale: "en_GB".to_owned(),
        body: "Hello {{1}}, we see you on {{2}}.".to_owned(),
    }
}

#[tokio::test]
async fn a_template_of_ours_arrives_as_what_it_says() {
    let (_docket, simulator, client) = start().await;
    simulator.add_template(known());
    let template = SentTemplate {
        name: "reminder".to_owned(),
        locale: "en_GB".to_owned(),
        parameters: Personal(vec!["Ada".to_owned(), "Monday".to_owned()]),
    };
    let message = OutboundText {
        template: Some(&template),
        ..WHATSAPP
    };
    assert!(matches!(
        client.send(&message).await,
        SendOutcome::Accepted { .. }
    ));
    let [accepted] = simulator.accepted().try_into().unwrap();
    assert_eq!(accepted.text, "Hello Ada, we see you on Monday.");
    assert_eq!(accepted.template.unwrap().parameters, ["Ada", "Monday"]);
    let [entry] = simulator
        .conversation(CUSTOMER, LINE, Channel::Whatsapp)
        .try_into()
        .unwrap();
    assert_eq!(
        entry.kind,
        EntryKind::Template {
            name: "reminder".to_owned(),
            text: "Hello Ada, we see you on Monday.".to_owned(),
        }
    );
}

#[tokio::test]
async fn the_form_of_a_template_is_checked_as_vonage_does() {
    let (_docket, simulator, _client) = start().await;
    for (pointer, value, parameter) in [
        ("/template/name", json!(null), "template.name"),
        ("/template/name", json!(""), "template.name"),
        ("/template/parameters", json!("Ada"), "template.parameters"),
        ("/template/parameters", json!([1]), "template.parameters"),
        ("/whatsapp/locale", json!(null), "whatsapp.locale"),
        ("/whatsapp/policy", json!("fallback"), "whatsapp.policy"),
    ] {
        let mut body = template_json();
        *body.pointer_mut(pointer).unwrap() = value;
        let (status, problem) = post_with_token(&simulator, &body).await;
        assert_eq!(status, 422, "{body}");
        assert_eq!(problem["invalid_parameters"][0]["name"], parameter);
    }
    let mut by_sms = template_json();
    by_sms["channel"] = json!("sms");
    let (status, problem) = post_with_token(&simulator, &by_sms).await;
    assert_eq!(status, 422);
    assert!(problem["type"].as_str().unwrap().ends_with("#1140"));
    assert_eq!(simulator.accepted(), []);
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_rejected_by_a_status() {
    let (mut docket, simulator, _client) = start().await;
    simulator.add_template(known());
    let mut body = template_json();
    body["template"]["parameters"] = json!(["Ada"]);
    let (status, _) = post_with_token(&simulator, &body).await;
    assert_eq!(status, 202);
    settled(&simulator).await;
    let Some(Received::Status(status)) = docket.all_received().pop() else {
        panic!("a status comes");
    };
    assert_eq!(status.status, StatusKind::Rejected);
    assert_eq!(status.error.unwrap().code, Some(1022));
}

#[tokio::test]
async fn while_the_window_is_closed_messages_are_dated_back_and_free_text_is_rejected() {
    let (mut docket, simulator, client) = start().await;
    simulator.set_window(CUSTOMER, LINE, false);
    simulator
        .text(CUSTOMER, LINE, Channel::Whatsapp, "Hello")
        .await
        .unwrap();
    let age = crate::ambient::now() - docket.only_message().at;
    assert!(age > chrono::TimeDelta::hours(24), "{age}");

    client.send(&WHATSAPP).await;
    settled(&simulator).await;
    let Some(Received::Status(status)) = docket.all_received().pop() else {
        panic!("a status comes");
    };
    assert_eq!(status.error.unwrap().code, Some(1340));
    let (status, _) = post_with_token(&simulator, &template_json()).await;
    assert_eq!(status, 202);
    settled(&simulator).await;
    let accepted = simulator.accepted().pop().unwrap();
    assert_eq!(
        docket.statuses_of(&accepted).last(),
        Some(&StatusKind::Read),
        "a template goes through"
    );

    simulator.set_window(CUSTOMER, LINE, true);
    client.send(&WHATSAPP).await;
    settled(&simulator).await;
    let accepted = simulator.accepted().pop().unwrap();
    assert_eq!(
        docket.statuses_of(&accepted).last(),
        Some(&StatusKind::Read)
    );
}

#[tokio::test]
async fn a_customer_sends_every_kind_of_content() {
    let (mut docket, simulator, _client) = start().await;
    let text = |text: &str| text.to_owned();
    let kinds = [
        (EntryKind::Sticker, "sticker"),
        (EntryKind::Contacts, "contacts"),
        (EntryKind::Reply { text: text("9 am") }, "reply"),
        (EntryKind::Button { text: text("Yes") }, "button"),
        (EntryKind::Order, "order"),
        (EntryKind::Unsupported, "unsupported"),
        (EntryKind::Location, "location"),
        (EntryKind::Reaction { text: text("👍") }, "reaction"),
        (EntryKind::Reaction { text: text("") }, "reaction"),
    ];
    for (kind, name) in kinds {
        let taken_off = kind == EntryKind::Reaction { text: text("") };
        let message = CustomerMessage {
            from: CUSTOMER.to_owned(),
            to: LINE.to_owned(),
            channel: Channel::Whatsapp,
            kind,
            quoted: Some(text("0195b5e0-c0d0-7cc1-8c1f-0123456789ab")),
        };
        assert_eq!(simulator.say(message).await, Ok(200));
        let inbound = docket.only_message();
        assert_eq!(inbound.content.kind(), name);
        if let Content::Reaction { emoji, removed } = inbound.content {
            assert_eq!((emoji.is_none(), removed), (taken_off, taken_off));
            assert!(inbound.quoted.is_some());
        }
    }
}

#[tokio::test]
async fn the_phone_sends_kinds_and_closes_the_window_without_a_script() {
    let (mut docket, simulator, _client) = start().await;
    let send = async |kind: &str, quoted: &str| {
        let form = [
            ("from", CUSTOMER),
            ("to", LINE),
            ("channel", "whatsapp"),
            ("text", ""),
            ("kind", kind),
            ("quoted", quoted),
        ];
        submit(&simulator, &form).await
    };
    assert!(send("reaction", "").await.contains("sent=incomplete"));
    for kind in [
        "sticker",
        "contacts",
        "order",
        "unsupported",
        "reply",
        "button",
    ] {
        assert!(send(kind, "").await.contains("sent=taken"));
        assert_eq!(docket.only_message().content.kind(), kind);
    }
    assert!(
        send("reaction", "some-message")
            .await
            .contains("sent=taken")
    );
    assert_eq!(docket.only_message().content.kind(), "reaction");

    let path = format!("/?from={CUSTOMER}&to={LINE}&channel=whatsapp");
    assert!(page(&simulator, &path).await.contains("Close the window"));
    let answer = reqwest::Client::new()
        .post(format!("{}/window", simulator.url()))
        .form(&[("from", CUSTOMER), ("to", LINE)])
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success());
    assert!(page(&simulator, &path).await.contains("Open the window"));
}
