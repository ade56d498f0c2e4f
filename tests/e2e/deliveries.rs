//! What becomes of replies when Vonage is out of sorts.

use docket::simulator::Fault;
use docket_tests::log;
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use serde_json::{Value, json};

use crate::help_desk::{HelpDesk, NOBODY, customer};

/// A case's events about the delivery of what was said in it.
async fn delivery_events(desk: &HelpDesk, reference: u64) -> Vec<String> {
    log::types_of_case(
        &desk.installation.pool,
        reference,
        &["CaseOpened", "MessageReceived"],
    )
    .await
}

/// Has a further reply delivered. Messages to a contact go out one after the other, so all that came before is done with.
async fn one_more(desk: &HelpDesk, reference: u64) {
    let message_id = desk.owner.reply(reference, "And one more thing.").await;
    desk.owner.arrival(reference, &message_id).await;
}

#[tokio::test]
async fn a_reply_carries_the_reference_and_the_thread_shows_what_was_written() {
    let desk = HelpDesk::open().await;
    let reference = desk.first_case(&customer(1), "Hello?").await;
    let message_id = desk.owner.reply(reference, "Good morning.").await;
    desk.owner
        .delivery(reference, &message_id, "delivered")
        .await;
    let message = desk.owner.message(reference, &message_id).await;
    assert_eq!(message["text"], "Good morning.");
    assert_eq!(message["sent_text"], format!("Good morning. #{reference}"));
    assert_eq!(message["author"], "owner@example.com");
    let accepted = desk.installation.simulator.accepted();
    assert_eq!(accepted[0].text, format!("Good morning. #{reference}"));
    assert_eq!(
        (accepted[0].to.as_str(), accepted[0].from.as_str()),
        (customer(1).as_str(), crate::help_desk::OURS)
    );
    assert_eq!(message["provider_id"], accepted[0].message_uuid);
    desk.close().await;
}

#[tokio::test]
async fn a_call_cut_off_after_vonage_took_it_is_not_repeated() {
    let desk = HelpDesk::open().await;
    let reference = desk.first_case(&customer(1), "Hello?").await;
    // Its statuses find nobody at first, so that nothing but the call itself tells of the message.
    desk.installation.simulator.set_docket_url(NOBODY);
    desk.installation.simulator.script([Fault::CutAfterAccept]);
    let message_id = desk.owner.reply(reference, "Good morning.").await;
    let uncertain = desk
        .owner
        .delivery(reference, &message_id, "uncertain")
        .await;
    assert!(
        uncertain["reason"]
            .as_str()
            .is_some_and(|reason| !reason.is_empty()),
        "{uncertain}"
    );
    // What comes after it goes out, and it does not.
    let next = desk.owner.reply(reference, "Are you still there?").await;
    desk.owner.delivery(reference, &next, "sent").await;
    assert_eq!(
        desk.owner.message(reference, &message_id).await["delivery"],
        uncertain
    );
    assert_eq!(desk.sent().len(), 2);

    desk.installation
        .simulator
        .set_docket_url(desk.docket.url());
    for id in [&message_id, &next] {
        desk.owner.delivery(reference, id, "delivered").await;
    }
    one_more(&desk, reference).await;
    assert_eq!(desk.sent().len(), 3);
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

#[tokio::test]
async fn an_uncertain_message_is_sent_again_when_an_agent_says_so() {
    let desk = HelpDesk::open().await;
    let reference = desk.first_case(&customer(1), "Hello?").await;
    desk.installation.simulator.script([Fault::CutBeforeAccept]);
    let message_id = desk.owner.reply(reference, "Good morning.").await;
    let uncertain = desk
        .owner
        .delivery(reference, &message_id, "uncertain")
        .await;
    assert!(uncertain["reason"].is_string(), "{uncertain}");
    one_more(&desk, reference).await;
    assert_eq!(desk.sent().len(), 1, "only what came after it");

    let path = format!("/cases/{reference}/messages/{message_id}/resend");
    desk.owner.post(&path, &json!({})).await.expect(202);
    let delivered = desk
        .owner
        .delivery(reference, &message_id, "delivered")
        .await;
    assert_eq!(delivered["attempt"], 2);
    assert_eq!(desk.sent().len(), 2);
    let again = desk.owner.post(&path, &json!({})).await;
    assert_eq!(
        again.status, 409,
        "what has arrived is not sent again: {}",
        again.text
    );
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

#[tokio::test]
async fn refusals_for_the_moment_are_retried_until_the_message_is_sent_once() {
    let desk = HelpDesk::open().await;
    let reference = desk.first_case(&customer(1), "Hello?").await;
    desk.installation
        .simulator
        .script([Fault::status(503), Fault::status(429)]);
    let message_id = desk.owner.reply(reference, "Good morning.").await;
    desk.owner
        .delivery(reference, &message_id, "delivered")
        .await;
    assert_eq!(desk.sent().len(), 1);
    let events = delivery_events(&desk, reference).await;
    let expected = [
        "MessageQueued",
        "MessageSending",
        "MessageDeferred",
        "MessageSending",
        "MessageDeferred",
        "MessageSending",
        "MessageSent",
        "MessageDelivered",
    ];
    assert_eq!(events, expected);
    desk.close().await;
}

#[tokio::test]
async fn a_refusal_for_good_fails_at_once_with_its_reason() {
    let desk = HelpDesk::open().await;
    let reference = desk.first_case(&customer(1), "Hello?").await;
    desk.installation.simulator.script([Fault::status(422)]);
    let message_id = desk.owner.reply(reference, "Good morning.").await;
    let failed = desk.owner.delivery(reference, &message_id, "failed").await;
    assert!(
        failed["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("told to answer so")),
        "{failed}"
    );
    assert_eq!(
        delivery_events(&desk, reference).await,
        ["MessageQueued", "MessageSending", "MessageFailed"]
    );

    // Vonage tells most refusals after it has taken the call.
    desk.installation
        .simulator
        .script([Fault::Reject { code: 1240 }]);
    let message_id = desk.owner.reply(reference, "Good evening.").await;
    let failed = desk.owner.delivery(reference, &message_id, "failed").await;
    assert_eq!(failed["code"], 1240);
    assert!(
        failed["reason"]
            .as_str()
            .is_some_and(|reason| !reason.is_empty()),
        "{failed}"
    );
    desk.close().await;
}

#[tokio::test]
async fn refused_credentials_and_an_empty_account_stop_the_line_until_the_owner_resumes() {
    let desk = HelpDesk::open().await;
    let reference = desk.first_case(&customer(1), "Hello?").await;
    let other_line = desk.first_whatsapp_case(&customer(2), "Hello?").await;
    for (round, status) in [(1, 401), (2, 402)] {
        desk.installation.simulator.script([Fault::status(status)]);
        let first = desk
            .owner
            .reply(reference, &format!("Good morning, {round}."))
            .await;
        let line = wait_until(
            "the owner sees that the line stands still",
            BOUND,
            async || {
                let line = line(&desk).await;
                if line["sending"]["state"] == "halted" {
                    Ok(line)
                } else {
                    Err(line)
                }
            },
        )
        .await;
        assert!(
            line["sending"]["reason"]
                .as_str()
                .is_some_and(|reason| !reason.is_empty()),
            "{line}"
        );
        let second = desk
            .owner
            .reply(reference, &format!("Good evening, {round}."))
            .await;

        // The other line goes on, so the worker has looked, and called nobody for the halted one.
        one_more(&desk, other_line).await;
        assert_eq!(
            desk.owner.message(reference, &first).await["delivery"]["status"],
            "queued"
        );
        assert_eq!(
            desk.owner.message(reference, &second).await["delivery"]["status"],
            "queued"
        );

        let path = format!("/lines/{}", desk.sms_line);
        let resumed = desk
            .owner
            .patch(&path, &json!({"sending": "resume"}))
            .await
            .expect(200);
        assert_eq!(resumed["sending"]["state"], "ok");
        for message_id in [&first, &second] {
            desk.owner
                .delivery(reference, message_id, "delivered")
                .await;
        }
        let texts = desk.sent();
        let sent: Vec<&String> = texts
            .iter()
            .filter(|text| text.contains(&format!(", {round}.")))
            .collect();
        assert_eq!(sent.len(), 2, "{texts:?}");
        assert!(sent[0].starts_with("Good morning"), "in order: {texts:?}");
    }
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

async fn line(desk: &HelpDesk) -> Value {
    let lines = desk.owner.all("/lines").await;
    lines
        .into_iter()
        .find(|line| line["id"] == desk.sms_line.as_str())
        .unwrap()
}

#[tokio::test]
async fn statuses_in_any_order_never_move_a_message_backwards() {
    let desk = HelpDesk::open().await;
    let cases = [
        (Fault::ReversedStatuses, "read"),
        (Fault::DuplicateStatuses, "read"),
        (Fault::StatusesBeforeAnswer, "read"),
        (Fault::Pass, "read"),
    ];
    for (n, (fault, end)) in (1..).zip(cases) {
        let reference = desk.first_whatsapp_case(&customer(n), "Hello?").await;
        desk.installation.simulator.script([fault.clone()]);
        let message_id = desk.owner.reply(reference, "Good morning.").await;
        desk.installation.accepted(n).await;
        desk.owner.delivery(reference, &message_id, end).await;
        // With the next one sent, the answer to the first call has been recorded, if it changes anything.
        wait_until("the call's outcome is recorded", BOUND, async || {
            let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
                .fetch_one(&desk.installation.pool)
                .await
                .unwrap();
            expect_that(waiting == 0, || format!("{waiting} messages wait"))
        })
        .await;
        one_more_read(&desk, reference).await;
        assert_eq!(
            desk.owner.message(reference, &message_id).await["delivery"]["status"],
            end,
            "{fault:?}"
        );

        let ranks: Vec<usize> = log::events(&desk.installation.pool)
            .await
            .iter()
            .filter(|event| {
                event.stream.1 == reference.to_string() && event.payload["message_id"] == message_id
            })
            .filter(|event| {
                !["MessageQueued", "MessageIdentified"].contains(&event.event_type.as_str())
            })
            .map(|event| {
                [
                    "MessageSending",
                    "MessageSent",
                    "MessageDelivered",
                    "MessageRead",
                ]
                .iter()
                .position(|name| *name == event.event_type)
                .unwrap_or_else(|| panic!("{fault:?}: {} was recorded", event.event_type))
            })
            .collect();
        assert!(
            ranks.is_sorted_by(|before, after| before < after),
            "{fault:?}: {ranks:?}"
        );
        assert_eq!(ranks.last(), Some(&3));
    }
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

async fn one_more_read(desk: &HelpDesk, reference: u64) {
    let taken = desk.sent().len();
    let message_id = desk.owner.reply(reference, "And one more thing.").await;
    desk.owner.delivery(reference, &message_id, "read").await;
    assert_eq!(desk.sent().len(), taken + 1);
}

#[tokio::test]
async fn a_failure_is_not_undone_by_a_status_that_comes_late() {
    let desk = HelpDesk::open().await;
    let reference = desk.first_case(&customer(1), "Hello?").await;
    desk.installation.simulator.script([Fault::NoStatuses]);
    let message_id = desk.owner.reply(reference, "Good morning.").await;
    desk.owner.delivery(reference, &message_id, "sent").await;
    let accepted = desk.installation.simulator.accepted();
    let status = |word: &str| {
        json!({
            "message_uuid": accepted[0].message_uuid,
            "client_ref": accepted[0].client_ref,
            "channel": "sms",
            "to": accepted[0].to,
            "from": accepted[0].from,
            "timestamp": docket_tests::webhooks::timestamp(),
            "status": word,
        })
    };
    for (word, expected) in [
        ("undeliverable", "failed"),
        ("submitted", "failed"),
        ("undeliverable", "failed"),
    ] {
        assert_eq!(
            desk.installation
                .webhooks
                .status(desk.docket.url(), &status(word))
                .await,
            200
        );
        let delivery = desk.owner.message(reference, &message_id).await["delivery"].take();
        assert_eq!(delivery["status"], expected, "after {word}: {delivery}");
    }
    let events = delivery_events(&desk, reference).await;
    assert_eq!(
        events,
        [
            "MessageQueued",
            "MessageSending",
            "MessageSent",
            "MessageFailed"
        ]
    );
    desk.close().await;
}
