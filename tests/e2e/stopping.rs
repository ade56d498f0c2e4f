//! Orderly ends.

use std::cell::RefCell;
use std::collections::BTreeSet;

use docket::simulator::Fault;
use docket_tests::log;
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use docket_tests::webhooks::{message_uuid, sms};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;

use crate::help_desk::{HelpDesk, OURS, customer};

#[tokio::test]
async fn told_to_stop_under_load_it_finishes_what_it_began() {
    const CUSTOMERS: usize = 20;
    const MESSAGES: usize = 400;

    let mut desk = HelpDesk::open().await;
    let payloads: Vec<Value> = (0..MESSAGES)
        .map(|n| sms(&customer(1 + n % CUSTOMERS), OURS, &format!("Message {n}")))
        .collect();
    let url = RefCell::new(desk.docket.url().to_owned());
    let acknowledged = RefCell::new(BTreeSet::new());
    let running = RefCell::new(Some(desk.docket));
    let sending = stream::iter(&payloads).for_each_concurrent(24, async |payload| {
        desk.installation
            .webhooks
            .insist(|| url.borrow().clone(), payload)
            .await;
        acknowledged
            .borrow_mut()
            .insert(message_uuid(payload).to_owned());
    });
    let stopping = async {
        wait_until("some are acknowledged", BOUND, async || {
            let so_far = acknowledged.borrow().len();
            expect_that(so_far >= MESSAGES / 4, || format!("{so_far} messages"))
        })
        .await;
        let docket = running.take().unwrap();
        let log_of_the_first = docket.stop().await;
        assert!(!log_of_the_first.contains("ERROR"), "{log_of_the_first}");
        let promised = acknowledged.borrow().clone();
        assert!(
            promised.len() < MESSAGES,
            "it was stopped too late to show anything"
        );
        log::assert_not_lost(&desk.installation.pool, &promised).await;
        let docket = desk.installation.serve().await;
        docket.url().clone_into(&mut url.borrow_mut());
        running.replace(Some(docket));
    };
    futures_util::join!(sending, stopping);
    desk.docket = running.take().unwrap();

    let received = log::received(&desk.installation.pool).await;
    assert_eq!(received.len(), MESSAGES);
    assert!(received.values().all(|times| *times == 1));
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

#[tokio::test]
async fn told_to_stop_during_a_call_it_waits_for_the_outcome() {
    let mut desk = HelpDesk::open().await;
    desk.installation
        .simulator
        .script([Fault::Delay { delay_ms: 1_500 }]);
    let reference = desk.first_case(&customer(1), "Hello?").await;
    let message_id = desk.owner.reply(reference, "Good morning.").await;
    let simulator = &desk.installation.simulator;
    wait_until("the call is under way", BOUND, async || {
        expect_that(simulator.accepted().len() == 1, || {
            simulator.accepted().len()
        })
    })
    .await;
    desk.docket.stop().await;
    let events = log::types_of_case(
        &desk.installation.pool,
        reference,
        &["CaseOpened", "MessageReceived"],
    )
    .await;
    assert_eq!(events, ["MessageQueued", "MessageSending", "MessageSent"]);

    // The statuses came while nobody listened, and come again.
    desk.docket = desk.installation.serve().await;
    desk.owner = desk.owner.at(desk.docket.url());
    desk.owner
        .delivery(reference, &message_id, "delivered")
        .await;
    assert_eq!(desk.sent().len(), 1);
    desk.close().await;
}
