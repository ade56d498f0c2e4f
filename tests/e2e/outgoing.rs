//! `WhatsApp` templates and automatic texts with real processes: what the phone shows.

use docket::simulator::{EntryKind, SimulatedTemplate};
use docket_domain::channel::Channel;
use serde_json::json;

use crate::help_desk::{HelpDesk, OURS, customer};

const BODY: &str = "Hello {{1}}, we see you on {{2}}.";

async fn with_template() -> HelpDesk {
    let desk = HelpDesk::open().await;
    let template = json!({
        "name": "reminder", "locale": "en_GB", "body": BODY, "line_id": desk.whatsapp_line,
    });
    desk.owner
        .post("/whatsapp-templates", &template)
        .await
        .expect(201);
    desk.installation.simulator.add_template(SimulatedTemplate {
        name: "reminder".to_owned(),
        locale: "en_GB".to_owned(),
        body: BODY.to_owned(),
    });
    desk
}

fn reminder() -> serde_json::Value {
    json!({"template": {"name": "reminder", "locale": "en_GB", "parameters": ["Ada", "Monday"]}})
}

#[tokio::test]
async fn after_a_day_a_template_reaches_the_phone_and_free_text_does_not() {
    let desk = with_template().await;
    let from = customer(1);
    let simulator = &desk.installation.simulator;
    simulator.set_window(&from, OURS, false);
    simulator
        .text(&from, OURS, Channel::Whatsapp, "Hello")
        .await
        .unwrap();
    let reference = desk.owner.only_case(&from).await;
    let path = format!("/cases/{reference}/replies");
    let refused = desk.owner.post(&path, &json!({"text": "Hi"})).await;
    assert_eq!(refused.expect(409)["type"], "/problems/window-closed");
    assert_eq!(simulator.accepted(), []);

    let queued = desk.owner.post(&path, &reminder()).await.expect(202);
    let message_id = queued["message_id"].as_str().unwrap().to_owned();
    desk.owner.delivery(reference, &message_id, "read").await;
    let shown = simulator.conversation(&from, OURS, Channel::Whatsapp);
    assert_eq!(
        shown.last().unwrap().kind,
        EntryKind::Template {
            name: "reminder".to_owned(),
            text: "Hello Ada, we see you on Monday.".to_owned(),
        }
    );

    let anyway = json!({"text": "Hi", "outside_window": true});
    let queued = desk.owner.post(&path, &anyway).await.expect(202);
    let message_id = queued["message_id"].as_str().unwrap().to_owned();
    let failed = desk.owner.delivery(reference, &message_id, "failed").await;
    assert_eq!(failed["code"], 1340);

    // As soon as they write again, free text is taken.
    simulator.set_window(&from, OURS, true);
    simulator
        .text(&from, OURS, Channel::Whatsapp, "I am here")
        .await
        .unwrap();
    let queued = desk.owner.post(&path, &json!({"text": "Good"})).await;
    let queued = queued.expect(202);
    let message_id = queued["message_id"].as_str().unwrap();
    desk.owner.delivery(reference, message_id, "read").await;
    desk.close().await;
}

#[tokio::test]
async fn an_opt_out_is_confirmed_and_what_waited_is_not_sent() {
    let desk = HelpDesk::open().await;
    let from = customer(1);
    let texts = json!({"greeting": "Your case is %ref.", "opt_out_confirmation": "Bye."});
    let path = format!("/lines/{}", desk.sms_line);
    desk.owner.patch(&path, &texts).await.expect(200);
    let reference = desk.first_case(&from, "Hello").await;
    desk.installation.accepted(1).await;
    desk.text(&from, "STOP").await;
    desk.text(&from, "STOP").await;
    desk.installation.accepted(2).await;
    assert_eq!(
        desk.sent(),
        [format!("Your case is #{reference}."), "Bye.".to_owned()]
    );
    let replies = desk.owner.messages(reference, "outbound").await;
    let last = replies.last().unwrap();
    assert_eq!(last["author_kind"], "opt_out_confirmation");
    let message_id = last["message_id"].as_str().unwrap();
    desk.owner
        .delivery(reference, message_id, "delivered")
        .await;
    let path = format!("/cases/{reference}/replies");
    let refused = desk.owner.post(&path, &json!({"text": "Hi"})).await;
    assert_eq!(refused.expect(409)["type"], "/problems/opted-out");
    desk.close().await;
}
