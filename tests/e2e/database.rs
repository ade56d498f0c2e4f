//! A database that goes away and comes back.

use std::cell::RefCell;
use std::collections::BTreeSet;

use docket_projections::private_postgres::{Options, PrivatePostgres, temporary_data_dir};
use docket_tests::installation::Installation;
use docket_tests::log;
use docket_tests::server::{self, Crash};
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use docket_tests::webhooks::{message_uuid, sms};
use futures_util::StreamExt as _;
use futures_util::stream;
use reqwest::Method;
use serde_json::{Value, json};

use crate::help_desk::{HelpDesk, OURS, customer};

fn options(folder: &tempfile::TempDir, durable: bool) -> Options {
    Options {
        durable,
        ..Options::new(folder.path())
    }
}

#[tokio::test]
async fn while_the_database_is_away_webhooks_are_to_come_again_and_then_all_goes_on() {
    let folder = temporary_data_dir().unwrap();
    let postgres = PrivatePostgres::open(options(&folder, false))
        .await
        .unwrap();
    let desk = HelpDesk::open_in(Installation::on(&postgres.url()).await, None).await;
    let reference = desk.first_case(&customer(1), "First").await;
    let (url, webhooks) = (desk.docket.url(), &desk.installation.webhooks);

    postgres.close().await.unwrap();
    let second = sms(&customer(1), OURS, "Second");
    let body = second.to_string().into_bytes();
    let answer = webhooks
        .raw(
            url,
            docket_tests::webhooks::INBOUND,
            body.clone(),
            Some(&webhooks.signature(&body)),
        )
        .await
        .unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains_key("retry-after"));
    let http = docket_tests::api::http();
    assert_eq!(
        http.get(format!("{url}/readyz"))
            .send()
            .await
            .unwrap()
            .status(),
        503
    );
    assert_eq!(
        http.get(format!("{url}/healthz"))
            .send()
            .await
            .unwrap()
            .status(),
        200,
        "the process itself is well"
    );
    let reply = json!({"text": "Hello"});
    let asked = [
        (Method::GET, format!("/cases/{reference}"), None),
        (
            Method::POST,
            format!("/cases/{reference}/replies"),
            Some(&reply),
        ),
    ];
    for (method, path, body) in asked {
        let answer = desk.owner.ask(method, &path, body, None).await.unwrap();
        assert_eq!(answer.status, 503, "{path}: {}", answer.text);
        assert!(
            answer.headers["content-type"]
                .to_str()
                .unwrap()
                .starts_with("application/problem+json"),
            "{path}"
        );
    }

    let postgres = PrivatePostgres::open(options(&folder, false))
        .await
        .unwrap();
    webhooks.insist(|| url.to_owned(), &second).await;
    desk.docket.is_ready().await;
    let texts: Vec<Value> = desk
        .owner
        .messages(reference, "inbound")
        .await
        .into_iter()
        .map(|mut message| message["text"].take())
        .collect();
    assert_eq!(texts, ["First", "Second"]);
    let message_id = desk.owner.reply(reference, "Good morning.").await;
    desk.owner
        .delivery(reference, &message_id, "delivered")
        .await;
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
    postgres.discard().await.unwrap();
}

#[tokio::test]
async fn a_database_that_crashes_under_load_keeps_what_was_acknowledged() {
    const CUSTOMERS: usize = 20;
    const MESSAGES: usize = 400;
    const CRASHES: usize = 4;

    let folder = temporary_data_dir().unwrap();
    let postgres = PrivatePostgres::open(options(&folder, true)).await.unwrap();
    let desk = HelpDesk::open_in(Installation::on(&postgres.url()).await, None).await;
    let payloads: Vec<Value> = (0..MESSAGES)
        .map(|n| sms(&customer(1 + n % CUSTOMERS), OURS, &format!("Message {n}")))
        .collect();
    let acknowledged = RefCell::new(BTreeSet::new());
    let sending = stream::iter(&payloads).for_each_concurrent(16, async |payload| {
        desk.installation
            .webhooks
            .insist(|| desk.docket.url().to_owned(), payload)
            .await;
        acknowledged
            .borrow_mut()
            .insert(message_uuid(payload).to_owned());
    });
    let crashing = async {
        for crash in 1..=CRASHES {
            wait_until("more is acknowledged", BOUND, async || {
                let so_far = acknowledged.borrow().len();
                expect_that(so_far >= crash * MESSAGES / (CRASHES + 1), || {
                    format!("{so_far} messages")
                })
            })
            .await;
            // In turn all of it at once, and its head alone, whose hands then end where they are.
            let how = [Crash::Whole, Crash::Head][crash % 2];
            server::crash(&postgres, how);
            let promised = acknowledged.borrow().clone();
            assert!(
                promised.len() < MESSAGES,
                "it crashed too late to show anything"
            );
            postgres.ensure_running().await.unwrap();
            let there: BTreeSet<String> = log::received(&desk.installation.pool)
                .await
                .into_keys()
                .map(|(id, _)| id)
                .collect();
            assert!(
                promised.is_subset(&there),
                "acknowledged and lost: {:?}",
                promised.difference(&there)
            );
        }
    };
    futures_util::join!(sending, crashing);

    let received = log::received(&desk.installation.pool).await;
    assert_eq!(received.len(), MESSAGES);
    assert!(received.values().all(|times| *times == 1));
    for n in 1..=CUSTOMERS {
        desk.owner.only_case(&customer(n)).await;
    }
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
    postgres.discard().await.unwrap();
}

/// Whoever looks after the database sees no transaction that stays open, and vacuum waits for none.
#[tokio::test]
async fn an_idle_service_is_in_no_transaction() {
    let desk = HelpDesk::open().await;
    for text in ["Hello", "Is anybody there?"] {
        desk.text(&customer(1), text).await;
        wait_until("all transactions have ended", BOUND, async || {
            let open: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL",
            )
            .fetch_one(&desk.installation.pool)
            .await
            .unwrap();
            expect_that(open == 0, || format!("{open} are open"))
        })
        .await;
    }
    desk.close().await;
}
