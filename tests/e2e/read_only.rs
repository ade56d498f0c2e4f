//! A database that takes no changes for a while, or whose connections break, and then takes them again.

use std::time::Duration;

use docket_projections::connect::connect_options;
use docket_projections::private_postgres::{Options, PrivatePostgres, temporary_data_dir};
use docket_tests::installation::Installation;
use docket_tests::log;
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use docket_tests::webhooks::{INBOUND, sms};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::help_desk::{HelpDesk, OURS, customer};

/// So long after the database takes changes again everything works.
const RECOVERY: Duration = Duration::from_secs(5);

/// How the database comes to take no changes, and takes them again.
struct Outage {
    name: &'static str,
    begin: &'static [&'static str],
    end: &'static [&'static str],
}

const BREAK_CONNECTIONS: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'docket'";

const OUTAGES: [Outage; 4] = [
    Outage {
        name: "new sessions of the database are read-only",
        begin: &["ALTER DATABASE docket SET default_transaction_read_only = on"],
        end: &["ALTER DATABASE docket RESET default_transaction_read_only"],
    },
    Outage {
        name: "all sessions of the database are read-only, and old ones are broken",
        begin: &[
            "ALTER DATABASE docket SET default_transaction_read_only = on",
            BREAK_CONNECTIONS,
        ],
        end: &[
            "ALTER DATABASE docket SET default_transaction_read_only = off",
            "ALTER DATABASE docket RESET default_transaction_read_only",
        ],
    },
    Outage {
        name: "new sessions of the role are read-only",
        begin: &[
            "ALTER ROLE docket IN DATABASE docket SET default_transaction_read_only = on",
            BREAK_CONNECTIONS,
        ],
        end: &["ALTER ROLE docket IN DATABASE docket RESET default_transaction_read_only"],
    },
    Outage {
        name: "the server is read-only",
        begin: &[
            "ALTER SYSTEM SET default_transaction_read_only = on",
            "SELECT pg_reload_conf()",
        ],
        end: &[
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
        ],
    },
];

async fn execute(admin: &mut PgConnection, statements: &[&str]) {
    for statement in statements {
        admin.execute(*statement).await.unwrap();
    }
}

async fn readyz(url: &str) -> (u16, String) {
    let answer = docket_tests::api::http()
        .get(format!("{url}/readyz"))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_database_that_takes_no_changes_is_503_and_recovers_within_seconds() {
    let folder = temporary_data_dir().unwrap();
    let postgres = PrivatePostgres::open(Options {
        durable: false,
        ..Options::new(folder.path())
    })
    .await
    .unwrap();
    let desk = HelpDesk::open_in(Installation::on(&postgres.url()).await, None).await;
    let reference = desk.first_case(&customer(1), "First").await;
    let mut admin = connect_options(&format!("{}&dbname=postgres", postgres.url()))
        .unwrap()
        .with(&[("default_transaction_read_only", "off")])
        .connect()
        .await
        .unwrap();
    let url = desk.docket.url().to_owned();
    let reply = json!({"text": "Hello"});
    let replies = format!("/cases/{reference}/replies");
    for outage in &OUTAGES {
        let name = outage.name;
        execute(&mut admin, outage.begin).await;
        wait_until(
            &format!("the service is not ready: {name}"),
            BOUND,
            async || {
                let (status, said) = readyz(&url).await;
                expect_that(status == 503 && said.contains("read-only"), || said)
            },
        )
        .await;
        // A transaction that had begun before may still commit.
        wait_until(&format!("nothing is recorded: {name}"), BOUND, async || {
            let payload = sms(&customer(4), OURS, name);
            let status = desk.installation.webhooks.inbound(&url, &payload).await;
            expect_that(status == 503, || format!("webhook: {status}"))
        })
        .await;
        let body = sms(&customer(2), OURS, name).to_string().into_bytes();
        let signature = desk.installation.webhooks.signature(&body);
        let webhook = desk
            .installation
            .webhooks
            .raw(&url, INBOUND, body, Some(&signature))
            .await
            .unwrap();
        assert_eq!(webhook.status, 503, "{name}: {}", webhook.text);
        assert!(webhook.headers.contains_key("retry-after"), "{name}");
        let answer = desk
            .owner
            .ask(Method::POST, &replies, Some(&reply), None)
            .await
            .unwrap();
        assert_eq!(answer.status, 503, "{name}: {}", answer.text);
        assert!(answer.headers.contains_key("retry-after"), "{name}");
        let read = desk
            .owner
            .ask(Method::GET, &format!("/cases/{reference}"), None, None)
            .await
            .unwrap();
        assert_eq!(read.status, 200, "{name}: {}", read.text);

        execute(&mut admin, outage.end).await;
        wait_until(
            &format!("the service is ready again: {name}"),
            RECOVERY,
            async || {
                let (status, said) = readyz(&url).await;
                if status != 200 {
                    return Err(said);
                }
                let payload = sms(&customer(3), OURS, name);
                let status = desk.installation.webhooks.inbound(&url, &payload).await;
                expect_that(status == 200, || format!("webhook: {status}"))
            },
        )
        .await;
        // Every pool, and every connection of it.
        let many = (0..24).map(|n| {
            let payload = sms(&customer(10 + n), OURS, name);
            let (desk, url) = (&desk, &url);
            async move {
                let status = desk.installation.webhooks.inbound(url, &payload).await;
                assert_eq!(status, 200, "{name}");
            }
        });
        futures_util::future::join_all(many).await;
        let message_id = desk.owner.reply(reference, name).await;
        desk.owner
            .delivery(reference, &message_id, "delivered")
            .await;
    }
    admin.close().await.unwrap();
    log::assert_sound(&desk.installation.pool).await;
    let log = desk.docket.log();
    assert!(!log.contains("an operation fails by itself"), "{log}");
    desk.close().await;
    postgres.discard().await.unwrap();
}

#[tokio::test]
async fn broken_connections_are_replaced_while_nobody_notices() {
    let desk = HelpDesk::open().await;
    let url = desk.docket.url();
    for round in 0..5 {
        sqlx::raw_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&desk.installation.pool)
        .await
        .unwrap();
        let payload = sms(&customer(1 + round), OURS, "Hello");
        desk.installation
            .webhooks
            .insist(|| url.to_owned(), &payload)
            .await;
        desk.owner.only_case(&customer(1 + round)).await;
    }
    wait_until("the service is ready", RECOVERY, async || {
        let (status, said) = readyz(url).await;
        expect_that(status == 200, || said)
    })
    .await;
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}
