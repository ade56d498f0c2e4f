//! Processes that share a database must not hold each other up, nor exceed together what is allowed to all of them.

use std::time::{Duration, Instant};

use docket_tests::installation::Installation;
use docket_tests::log;
use docket_tests::webhooks::sms;
use futures_util::StreamExt as _;
use futures_util::stream;

use crate::help_desk::{HelpDesk, NOBODY, OURS, customer};

/// The longest that a webhook may take beside a frozen process. The server ends the frozen transaction after two seconds; the rest
/// is for a machine that has other things to do.
const LONGEST: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_frozen_process_holds_up_no_other_one() {
    const AT_ONCE: usize = 32;
    const FREEZES: usize = 3;
    const POSTS: usize = 40;

    let desk = HelpDesk::open().await;
    let other = desk.installation.serve().await;
    let webhooks = &desk.installation.webhooks;
    for freeze in 0..FREEZES {
        // A load on the process that freezes, so that it is in a transaction with some likelihood. What it does not answer comes
        // again, as Vonage does it.
        let payloads: Vec<_> = (0..AT_ONCE * 20)
            .map(|n| sms(&customer(1 + n % 50), OURS, &format!("Load {freeze}.{n}")))
            .collect();
        let load = stream::iter(&payloads).for_each_concurrent(AT_ONCE, async |payload| {
            assert_eq!(webhooks.inbound(other.url(), payload).await, 200);
        });
        let freeze_and_measure = async {
            docket_tests::waiting::wait_until(
                "the load is under way",
                docket_tests::waiting::BOUND,
                async || {
                    let received: i64 = sqlx::query_scalar(
                        "SELECT count(*) FROM events WHERE event_type = 'MessageReceived'",
                    )
                    .fetch_one(&desk.installation.pool)
                    .await
                    .unwrap();
                    let enough = i64::try_from(freeze * (payloads.len() + POSTS) + 60).unwrap();
                    docket_tests::waiting::expect_that(received >= enough, || received)
                },
            )
            .await;
            other.freeze();
            for n in 0..POSTS {
                let began = Instant::now();
                let payload = sms(&customer(1 + n % 50), OURS, &format!("Beside {freeze}.{n}"));
                let status = webhooks.inbound(desk.docket.url(), &payload).await;
                assert_eq!(status, 200, "a neighbour is frozen");
                assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
            }
            other.thaw();
        };
        tokio::join!(load, freeze_and_measure);
    }
    let received = log::received(&desk.installation.pool).await;
    assert_eq!(received.len(), FREEZES * (AT_ONCE * 20 + POSTS));
    assert!(received.values().all(|times| *times == 1));
    log::assert_sound(&desk.installation.pool).await;
    other.stop().await;
    desk.close().await;
}

#[tokio::test]
async fn two_processes_together_keep_to_the_rate() {
    const RATE: usize = 20;
    const REPLIES: usize = 70;

    let mut installation = Installation::new().await;
    installation.set("DOCKET_VONAGE_RATE", &RATE.to_string());
    let desk = HelpDesk::open_in(installation, None).await;
    let other = desk.installation.serve().await;
    desk.installation.simulator.set_docket_url(NOBODY);
    let mut references = vec![];
    for n in 1..=REPLIES {
        references.push(desk.first_case(&customer(n), "Hello?").await);
    }
    stream::iter(references.iter().enumerate())
        .for_each_concurrent(16, async |(n, reference)| {
            let url = [desk.docket.url(), other.url()][n % 2];
            desk.owner.at(url).reply(*reference, "Good morning.").await;
        })
        .await;
    docket_tests::waiting::wait_until(
        "all replies are sent",
        docket_tests::waiting::BOUND,
        async || {
            let sent = desk.sent().len();
            docket_tests::waiting::expect_that(sent == REPLIES, || sent)
        },
    )
    .await;
    let mut times: Vec<_> = desk
        .installation
        .simulator
        .accepted()
        .into_iter()
        .map(|message| message.at)
        .collect();
    times.sort_unstable();
    let most = times
        .iter()
        .map(|first| {
            let end = *first + chrono::TimeDelta::seconds(1);
            times
                .iter()
                .filter(|time| (*first..end).contains(*time))
                .count()
        })
        .max()
        .unwrap();
    // A call leaves a little earlier or later than its turn, by what its commit takes; a burst would be twice the rate.
    assert!(most <= RATE + RATE / 2, "{most} calls within a second");
    other.stop().await;
    desk.close().await;
}

#[tokio::test]
async fn a_process_sends_on_a_line_that_another_one_added() {
    let desk = HelpDesk::open().await;
    let other = desk.installation.serve().await;
    desk.docket.freeze();
    let owner = desk.owner.at(other.url());
    let number = "447700900001";
    owner.add_line(&desk.survey, number, "sms", None).await;
    let payload = sms(&customer(1), number, "Hello?");
    assert_eq!(
        desk.installation
            .webhooks
            .inbound(other.url(), &payload)
            .await,
        200
    );
    let reference = owner.only_case(&customer(1)).await;
    // The process that knows nothing of the line is the only one that is left to send.
    desk.docket.thaw();
    other.kill();
    let message_id = desk.owner.reply(reference, "Good morning.").await;
    desk.installation
        .simulator
        .set_docket_url(desk.docket.url());
    desk.owner
        .delivery(reference, &message_id, "delivered")
        .await;
    desk.close().await;
}
