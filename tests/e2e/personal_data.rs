//! Logs and metrics tell what happens, and nothing of anybody.

use docket::simulator::Fault;
use docket_tests::api::{Api, http};
use docket_tests::installation::{APPLICATION_ID, Installation, SIGNATURE_SECRET};
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use docket_tests::webhooks::{INBOUND, Webhooks, quoting, sms, whatsapp};
use serde_json::json;

use crate::help_desk::{HelpDesk, OURS, customer};

/// In every text that anybody writes here, and nowhere else.
const WORD: &str = "pelican";
const STRANGERS_TOKEN: &str = "docket_the-token-of-a-stranger";

#[tokio::test]
async fn a_busy_run_leaves_no_text_number_token_or_secret_in_logs_and_metrics() {
    let mut installation = Installation::new().await;
    installation.set("RUST_LOG", "debug");
    let desk = HelpDesk::open_in(installation, Some("Automatic pelican: %s1, %s2")).await;
    let reference = what_goes_well(&desk).await;
    let signatures = what_goes_wrong(&desk, reference).await;

    let there = format!("{}/metrics", desk.docket.url());
    let there = http().get(there).send().await.unwrap();
    assert_eq!(there.status(), 404, "people's address serves no metrics");
    let metrics = http().get(desk.docket.metrics_url()).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("docket_webhooks_total"), "{metrics}");
    let key = std::fs::read_to_string(desk.installation.folder.path().join("private.key")).unwrap();
    let token = desk.owner.token().to_owned();
    let (docket, installation) = (desk.docket, desk.installation);
    let log = docket.stop().await;
    installation.close().await;
    assert!(log.contains("DEBUG"), "the log is as talkative as it gets");
    assert!(log.contains("a webhook was refused"), "{log}");

    // All numbers here begin alike. Of tokens and signatures the parts, since a log may cut them; every token in JSON
    // begins with the last one.
    let mut forbidden = vec![WORD, "447700900", "-----BEGIN", "eyJ", SIGNATURE_SECRET];
    forbidden.extend(["owner@example.com", "correct horse battery"]);
    forbidden.extend([&token[7..], &STRANGERS_TOKEN[7..]]);
    forbidden.push(key.lines().nth(1).unwrap());
    for signature in &signatures {
        forbidden.extend(signature.trim_start_matches("Bearer ").split('.'));
    }
    for (name, text) in [("the log", &log), ("/metrics", &metrics)] {
        for secret in &forbidden {
            let found = text
                .lines()
                .find(|line| line.to_lowercase().contains(&secret.to_lowercase()));
            assert!(found.is_none(), "{name} holds {secret:?}: {found:?}");
        }
    }
}

/// Messages, replies and all that an agent does; gives a case's reference.
async fn what_goes_well(desk: &HelpDesk) -> u64 {
    let (anna, ben) = (customer(101), customer(102));
    let reference = desk.first_case(&anna, "My pelican is ill").await;
    let reply = desk.owner.reply(reference, "Bring the pelican").await;
    desk.owner.delivery(reference, &reply, "delivered").await;
    desk.takes(&whatsapp(&anna, OURS, "#0 Another pelican"))
        .await;
    desk.text(&anna, "Which pelican do you mean").await;
    desk.installation.accepted(2).await;
    let quoted = &desk.installation.simulator.accepted()[0].message_uuid;
    desk.takes(&quoting(whatsapp(&anna, OURS, "That pelican"), quoted))
        .await;

    let case = format!("/cases/{reference}");
    let note = json!({"text": "A noisy pelican"});
    let notes = format!("{case}/notes");
    desk.owner.post(&notes, &note).await.expect(201);
    let title = json!({"title": "Pelican, ill"});
    let rename = format!("{case}/title");
    desk.owner.put(&rename, &title).await.expect(200);
    let search = format!("/cases?number={anna}&q=pelican");
    desk.owner.get(&search).await;
    let begun = json!({
        "line_id": desk.whatsapp_line, "number": ben, "text": "Your pelican is well", "outside_window": true,
    });
    desk.owner.post("/cases", &begun).await.expect(201);
    let user =
        json!({"email": "agent@example.com", "role": "agent", "password": "correct horse battery"});
    desk.owner.post("/users", &user).await.expect(201);
    desk.installation.accepted(3).await;
    reference
}

/// Refusals and failures of every sort; gives the signatures of webhooks.
async fn what_goes_wrong(desk: &HelpDesk, reference: u64) -> [String; 2] {
    let (url, webhooks) = (desk.docket.url(), &desk.installation.webhooks);
    let anna = customer(101);
    let faults = [
        Fault::status(422),
        Fault::CutBeforeAccept,
        Fault::Reject { code: 1300 },
        Fault::status(401),
    ];
    for (n, fault) in (200..).zip(faults) {
        desk.installation.simulator.script([fault]);
        let case = desk.first_case(&customer(n), "A lost pelican").await;
        desk.owner.reply(case, "No pelican was found").await;
    }
    wait_until("sending is halted", BOUND, async || {
        let lines = desk.owner.all("/lines").await;
        let is_halted = lines
            .iter()
            .any(|line| line["sending"]["state"] == "halted");
        expect_that(is_halted, || format!("{lines:?}"))
    })
    .await;

    desk.takes(&sms(&anna, "447700900099", "A pelican for nobody"))
        .await;
    let body = sms(&anna, OURS, "A forged pelican").to_string();
    let forged = Webhooks::new("the secret of a forger", APPLICATION_ID);
    let forged = forged.signature(body.as_bytes());
    let answer = webhooks.raw(url, INBOUND, body.into(), Some(&forged));
    assert_eq!(answer.await.unwrap().status, 401);
    let broken = format!("{{\"from\": \"{anna}\", \"text\": \"A broken pelican\"");
    let signature = webhooks.signature(broken.as_bytes());
    let answer = webhooks.raw(url, INBOUND, broken.into(), Some(&signature));
    assert_eq!(answer.await.unwrap().status, 200);

    let replies = format!("/cases/{reference}/replies");
    let answer = desk.owner.post(&replies, &json!({"pelican": 1})).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let search = format!("/cases?number={anna}&limit=pelican");
    assert_eq!(desk.owner.get_status(&search).await, 400);
    let stranger = Api::new(url, STRANGERS_TOKEN);
    assert_eq!(stranger.get_status("/cases").await, 401);
    [signature, forged]
}
