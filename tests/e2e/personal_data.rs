//! Logs and metrics tell what happens, and nothing of anybody.

use docket::simulator::Fault;
use docket_tests::installation::{APPLICATION_ID, Installation, SIGNATURE_SECRET};
use docket_tests::webhooks::{INBOUND, Webhooks, quoting, sms, whatsapp};
use serde_json::json;

use crate::help_desk::{HelpDesk, OURS, customer};

#[tokio::test]
async fn a_busy_run_leaves_no_text_number_token_or_secret_in_logs_and_metrics() {
    let mut installation = Installation::new().await;
    installation.set("RUST_LOG", "debug");
    let desk = HelpDesk::open_in(installation, Some("Automatically %s1: %s2 marmalade")).await;
    let (url, webhooks) = (desk.docket.url(), &desk.installation.webhooks);
    let (anna, ben) = (customer(101), customer(102));

    // What goes well.
    let reference = desk.first_case(&anna, "My pelican is ill").await;
    let reply = desk.owner.reply(reference, "Bring the pelican at once").await;
    desk.owner.delivery(reference, &reply, "delivered").await;
    desk.takes(&whatsapp(&anna, OURS, "#0 Another pelican")).await;
    desk.text(&anna, "Which pelican do you mean").await;
    desk.installation.accepted(2).await;
    let quoted = desk.installation.simulator.accepted()[0].message_uuid.clone();
    desk.takes(&quoting(whatsapp(&anna, OURS, "That pelican"), &quoted)).await;
    desk.owner.post(&format!("/cases/{reference}/notes"), &json!({"text": "A noisy pelican"})).await.expect(201);
    desk.owner.put(&format!("/cases/{reference}/title"), &json!({"title": "Pelican, ill"})).await.expect(200);
    desk.owner.get(&format!("/cases?number={anna}&q=pelican")).await;
    desk.owner.post("/cases", &json!({"line_id": desk.whatsapp_line, "number": ben, "text": "Your pelican is well"})).await.expect(201);

    // What goes wrong.
    for fault in [Fault::status(422), Fault::CutBeforeAccept, Fault::Reject { code: 1300 }, Fault::status(401)] {
        desk.installation.simulator.script([fault]);
        let case = desk.first_case(&customer(200 + desk.sent().len()), "A lost pelican").await;
        desk.owner.reply(case, "No pelican was found").await;
    }
    docket_tests::waiting::wait_until("sending is halted", docket_tests::waiting::BOUND, async || {
        let lines = desk.owner.all("/lines").await;
        let halted = lines.iter().any(|line| line["sending"]["state"] == "halted");
        docket_tests::waiting::expect_that(halted, || format!("{lines:?}"))
    })
    .await;
    desk.takes(&sms(&anna, "447700900099", "A pelican for nobody")).await;
    let forged = Webhooks::new("the secret of a forger", APPLICATION_ID);
    let body = sms(&anna, OURS, "A forged pelican").to_string().into_bytes();
    let forged_signature = forged.signature(&body);
    assert_eq!(webhooks.raw(url, INBOUND, body.clone(), Some(&forged_signature)).await.unwrap().status, 401);
    let broken = format!("{{\"from\": \"{anna}\", \"text\": \"A broken pelican\"").into_bytes();
    let signature = webhooks.signature(&broken);
    assert_eq!(webhooks.raw(url, INBOUND, broken, Some(&signature)).await.unwrap().status, 200);
    assert_eq!(desk.owner.post(&format!("/cases/{reference}/replies"), &json!({"pelican": 1})).await.status, 422);
    assert_eq!(desk.owner.get_status(&format!("/cases?number={anna}&limit=pelican")).await, 400);
    let stranger = docket_tests::api::Api::new(url, "docket_the-token-of-a-stranger");
    assert_eq!(stranger.get_status("/cases").await, 401);

    let metrics = docket_tests::api::http().get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("docket_webhooks_total"), "{metrics}");
    let token = desk.owner.token().to_owned();
    let key = std::fs::read_to_string(desk.installation.folder.path().join("private.key")).unwrap();
    let key_line = key.lines().nth(1).unwrap().to_owned();
    let log = {
        let HelpDesk { docket, installation, .. } = desk;
        let log = docket.stop().await;
        installation.close().await;
        log
    };
    assert!(log.contains("DEBUG"), "the log is as talkative as it gets");
    assert!(log.contains("a webhook was refused"), "{log}");

    // Of tokens and signatures their parts, since a log may cut them.
    let bearer = signature.trim_start_matches("Bearer ");
    let mut forbidden = vec![anna, ben, OURS.to_owned(), "447700900".to_owned(), SIGNATURE_SECRET.to_owned()];
    forbidden.extend(["pelican", "Pelican", "marmalade", "owner@example.com", "-----BEGIN"].map(str::to_owned));
    forbidden.extend([token[7..].to_owned(), "the-token-of-a-stranger".to_owned(), key_line]);
    forbidden.extend(bearer.split('.').chain(forged_signature.trim_start_matches("Bearer ").split('.')).map(str::to_owned));
    forbidden.push("eyJ".to_owned());
    for (name, text) in [("the log", &log), ("/metrics", &metrics)] {
        for secret in &forbidden {
            let found = text.lines().find(|line| line.contains(secret.as_str()));
            assert!(found.is_none(), "{name} holds {secret:?}: {}", found.unwrap_or_default());
        }
    }
}
