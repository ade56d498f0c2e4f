//! The automatic reply for several open cases.

use docket_tests::log;

use crate::help_desk::{HelpDesk, customer};

const TEMPLATE: &str = "Hello, thank you for your message. You currently have %s1 open cases (%s2).\n\
    Please include a # and the reference number to identify which case you're commenting on, or add #0 to create a new case.";

const REPLY: &str = "Hello, thank you for your message. You currently have 2 open cases \
    (#123: Appointment request, #124: Question about hours).\n\
    Please include a # and the reference number to identify which case you're commenting on, or add #0 to create a new case.";

/// A contact with the two open cases of the documentation.
async fn two_cases(desk: &HelpDesk, from: &str) {
    sqlx::query("ALTER SEQUENCE case_references RESTART WITH 123")
        .execute(&desk.installation.pool)
        .await
        .unwrap();
    desk.text(from, "Appointment request").await;
    desk.text(from, "#0 Question about hours").await;
    assert_eq!(desk.owner.references(from, "open").await, [123, 124]);
}

#[tokio::test]
async fn the_reply_is_the_documentations_byte_for_byte_and_stands_in_both_cases() {
    let desk = HelpDesk::open_with_reply(TEMPLATE).await;
    let from = customer(1);
    two_cases(&desk, &from).await;
    assert!(
        desk.sent().is_empty(),
        "nothing is sent while it is clear where a message belongs"
    );

    desk.text(&from, "Is anybody there?").await;
    desk.installation.accepted(1).await;

    let sent = desk.installation.simulator.accepted();
    assert_eq!(sent.len(), 1, "it is sent once, not once for each case");
    assert_eq!(sent[0].text, REPLY);
    assert_eq!(sent[0].to, from);
    let mut ids = vec![];
    for reference in [123, 124] {
        let said = desk.owner.messages(reference, "inbound").await;
        assert_eq!(
            said.last().unwrap()["text"],
            "Is anybody there?",
            "the message stands in case {reference}"
        );
        assert_eq!(said.last().unwrap()["routed"]["rule"], "all_open");
        let replies = desk.owner.messages(reference, "outbound").await;
        assert_eq!(replies.len(), 1, "case {reference}");
        assert_eq!(replies[0]["text"], REPLY);
        assert_eq!(replies[0]["author_kind"], "automatic");
        let id = replies[0]["message_id"].as_str().unwrap().to_owned();
        assert_eq!(
            desk.owner.delivery(reference, &id, "delivered").await["attempt"],
            1
        );
        ids.push(id);
    }
    assert_eq!(ids[0], ids[1], "it is the same message in both cases");
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

#[tokio::test]
async fn opt_out_words_get_no_reply_and_nobody_gets_more_than_five_in_an_hour() {
    let desk = HelpDesk::open_with_reply(TEMPLATE).await;
    let from = customer(1);
    two_cases(&desk, &from).await;

    for word in [
        "STOP",
        "stop.",
        "StopAll",
        "UNSUBSCRIBE",
        "cancel",
        "End",
        "QUIT",
    ] {
        desk.text(&from, word).await;
    }
    assert_eq!(
        desk.owner.messages(123, "inbound").await.len(),
        8,
        "they are kept all the same"
    );
    assert!(desk.owner.messages(123, "outbound").await.is_empty());
    // While they are opted out nothing is sent to them, whatever they write.
    desk.text(&from, "Hello?").await;
    assert!(desk.owner.messages(123, "outbound").await.is_empty());
    desk.text(&from, "START").await;

    for n in 1..=8 {
        desk.text(&from, &format!("Hello number {n}")).await;
    }
    assert_eq!(desk.owner.messages(123, "inbound").await.len(), 18);
    for reference in [123, 124] {
        assert_eq!(desk.owner.messages(reference, "outbound").await.len(), 5);
    }
    // Somebody else has an hour of their own. Their reply comes after all others, so nothing more is on its way.
    let other = customer(2);
    desk.text(&other, "First").await;
    desk.text(&other, "#0 Second").await;
    desk.text(&other, "Third").await;
    desk.installation.accepted(6).await;
    let recipients: Vec<String> = desk
        .installation
        .simulator
        .accepted()
        .into_iter()
        .map(|message| message.to)
        .collect();
    assert_eq!(recipients.iter().filter(|to| **to == from).count(), 5);
    assert_eq!(recipients.iter().filter(|to| **to == other).count(), 1);
    desk.close().await;
}
