//! Processes that are killed in the middle of their work.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use docket::simulator::Fault;
use docket_tests::docket::Docket;
use docket_tests::log;
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use docket_tests::webhooks::{message_uuid, sms};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;

use crate::help_desk::{HelpDesk, NOBODY, OURS, customer};

const CUSTOMERS: usize = 20;
const MESSAGES: usize = 400;
const AT_ONCE: usize = 24;
const KILLS: usize = 4;

/// The ids of the messages that the log has, each of which must be there once.
async fn received_once(desk: &HelpDesk) -> BTreeSet<String> {
    let received = log::received(&desk.installation.pool).await;
    assert!(
        received.values().all(|times| *times == 1),
        "a message stands twice in a case"
    );
    let ids: BTreeSet<String> = received.keys().map(|(id, _)| id.clone()).collect();
    assert_eq!(ids.len(), received.len(), "a message stands in two cases");
    ids
}

#[tokio::test]
async fn a_killed_process_loses_and_doubles_nothing_that_it_acknowledged() {
    let mut desk = HelpDesk::open().await;
    let first = desk.docket.url().to_owned();
    let payloads: Vec<Value> = (0..MESSAGES)
        .map(|n| sms(&customer(1 + n % CUSTOMERS), OURS, &format!("Message {n}")))
        .collect();
    let url = RefCell::new(first);
    let acknowledged = RefCell::new(BTreeSet::new());

    let sending = stream::iter(&payloads).for_each_concurrent(AT_ONCE, async |payload| {
        desk.installation
            .webhooks
            .insist(|| url.borrow().clone(), payload)
            .await;
        acknowledged
            .borrow_mut()
            .insert(message_uuid(payload).to_owned());
    });
    let running = RefCell::new(Some(desk.docket));
    let killing = async {
        for kill in 1..=KILLS {
            wait_until("more is acknowledged", BOUND, async || {
                let so_far = acknowledged.borrow().len();
                expect_that(so_far >= kill * MESSAGES / (KILLS + 1), || {
                    format!("{so_far} messages")
                })
            })
            .await;
            let docket: Docket = running.take().unwrap();
            docket.kill();
            let promised = acknowledged.borrow().clone();
            assert!(
                promised.len() < MESSAGES,
                "it was killed too late to show anything"
            );
            log::assert_not_lost(&desk.installation.pool, &promised).await;
            let docket = desk.installation.serve().await;
            docket.url().clone_into(&mut url.borrow_mut());
            running.replace(Some(docket));
        }
    };
    futures_util::join!(sending, killing);
    desk.docket = running.take().unwrap();
    desk.owner = desk.owner.at(desk.docket.url());

    let expected: BTreeSet<String> = payloads
        .iter()
        .map(|payload| message_uuid(payload).to_owned())
        .collect();
    assert_eq!(received_once(&desk).await, expected);
    for n in 1..=CUSTOMERS {
        let reference = desk.owner.only_case(&customer(n)).await;
        assert_eq!(
            desk.owner.get(&format!("/cases/{reference}")).await["message_count"],
            MESSAGES / CUSTOMERS
        );
    }
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

#[tokio::test]
async fn a_killed_process_never_makes_a_call_twice() {
    const REPLIES: usize = 30;

    let mut installation = docket_tests::installation::Installation::new().await;
    installation.set("DOCKET_SENDING_LEASE", "2");
    // Slow enough that some calls are under way and others wait whenever it is killed.
    installation.set("DOCKET_VONAGE_RATE", "10");
    let mut desk = HelpDesk::open_in(installation, None).await;
    desk.installation
        .simulator
        .script(vec![Fault::Delay { delay_ms: 100 }; REPLIES]);
    desk.installation.simulator.set_docket_url(NOBODY);
    let mut sent = vec![];
    for n in 1..=REPLIES {
        let reference = desk.first_case(&customer(n), "Hello?").await;
        sent.push((
            reference,
            desk.owner.reply(reference, &format!("Answer {n}.")).await,
        ));
    }

    for kill in 1..=3 {
        wait_until("Vonage takes more", BOUND, async || {
            let taken = desk.installation.simulator.accepted().len();
            expect_that(taken >= kill * REPLIES / 5, || format!("{taken} messages"))
        })
        .await;
        desk.docket.kill();
        desk.docket = desk.installation.serve().await;
        desk.owner = desk.owner.at(desk.docket.url());
        // No status finds us yet, so that nothing but the log tells what was called.
        desk.installation.simulator.set_docket_url(NOBODY);
    }
    wait_until("no message waits or is on its way", BOUND, async || {
        let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
            .fetch_one(&desk.installation.pool)
            .await
            .unwrap();
        expect_that(waiting == 0, || format!("{waiting} messages"))
    })
    .await;
    // Now what Vonage took is settled by its statuses. A call that was never made after all stays uncertain.
    desk.installation
        .simulator
        .set_docket_url(desk.docket.url());
    let mut uncertain = 0;
    for (reference, message_id) in &sent {
        let status = wait_until("the message's fate is known", BOUND, async || {
            let delivery = desk.owner.message(*reference, message_id).await["delivery"].take();
            let status = delivery["status"].as_str().unwrap().to_owned();
            let taken = desk
                .installation
                .simulator
                .accepted()
                .iter()
                .any(|message| message.text.ends_with(&format!("#{reference}")));
            let settled = status == "delivered" || (status == "uncertain" && !taken);
            if settled { Ok(status) } else { Err(delivery) }
        })
        .await;
        uncertain += usize::from(status == "uncertain");
    }
    let texts = desk.sent();
    assert_eq!(
        texts.iter().collect::<BTreeSet<_>>().len(),
        texts.len(),
        "a reply was sent twice: {texts:?}"
    );
    assert_eq!(texts.len() + uncertain, REPLIES);
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

#[tokio::test]
async fn a_call_cut_short_by_a_kill_is_uncertain_until_a_status_settles_it() {
    let mut installation = docket_tests::installation::Installation::new().await;
    installation.set("DOCKET_SENDING_LEASE", "2");
    let mut desk = HelpDesk::open_in(installation, None).await;
    let simulator = &desk.installation.simulator;
    let forever = Duration::from_hours(1).as_millis().try_into().unwrap();
    simulator.script([Fault::Delay { delay_ms: forever }]);
    let reference = desk.first_case(&customer(1), "Hello?").await;
    let message_id = desk.owner.reply(reference, "Good morning.").await;
    wait_until("Vonage has taken it", BOUND, async || {
        expect_that(simulator.accepted().len() == 1, || {
            simulator.accepted().len()
        })
    })
    .await;

    desk.docket.kill();
    desk.docket = desk.installation.serve().await;
    desk.owner = desk.owner.at(desk.docket.url());
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

    // The next message to the same contact goes out, so the worker has been there, and left the uncertain one alone.
    let next = desk.owner.reply(reference, "Are you still there?").await;
    desk.owner.delivery(reference, &next, "delivered").await;
    let accepted = desk.installation.simulator.accepted();
    assert_eq!(accepted.len(), 2);

    let status = serde_json::json!({
        "message_uuid": accepted[0].message_uuid,
        "client_ref": accepted[0].client_ref,
        "channel": "sms",
        "to": accepted[0].to,
        "from": accepted[0].from,
        "timestamp": docket_tests::webhooks::timestamp(),
        "status": "delivered",
    });
    assert_eq!(
        desk.installation
            .webhooks
            .status(desk.docket.url(), &status)
            .await,
        200
    );
    desk.owner
        .delivery(reference, &message_id, "delivered")
        .await;
    assert_eq!(desk.sent().len(), 2);
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}
