//! Databases without the read models, or without some of their tables.

use std::process::Command;

use docket_tests::api::Api;
use docket_tests::docket::{Docket, run};
use docket_tests::installation::Installation;
use docket_tests::log;
use docket_tests::waiting::{BOUND, wait_until};
use docket_tests::webhooks::sms;
use reqwest::Method;

use crate::help_desk::{HelpDesk, OURS, customer};

/// What can be missing of the read models.
const LOSSES: [&str; 6] = [
    "DROP SCHEMA docket_read CASCADE",
    "DROP TABLE docket_read.cases",
    "DROP TABLE docket_read.sent_ids, docket_read.users",
    "DROP TABLE docket_read.contacts",
    "DROP TABLE docket_read.lines, docket_read.surveys",
    "DROP SCHEMA docket_read CASCADE; CREATE SCHEMA docket_rebuild; CREATE TABLE docket_rebuild.cases ()",
];

fn url_of(installation: &Installation) -> String {
    let (_, url) = installation
        .environment()
        .iter()
        .find(|(name, _)| name == "DATABASE_URL")
        .unwrap();
    url.clone()
}

async fn desk_with_cases() -> (HelpDesk, u64) {
    let desk = HelpDesk::open().await;
    let reference = desk.first_case(&customer(1), "Water on the floor").await;
    desk.first_case(&customer(2), "When do you open?").await;
    let message_id = desk.owner.reply(reference, "We are on our way.").await;
    desk.owner
        .delivery(reference, &message_id, "delivered")
        .await;
    (desk, reference)
}

/// A process on the database works, knows its cases, and takes messages.
async fn is_whole(installation: &Installation, owner: &Api, reference: u64) -> Docket {
    let docket = installation.serve().await;
    let owner = owner.at(docket.url());
    assert_eq!(owner.only_case(&customer(1)).await, reference);
    assert_eq!(owner.messages(reference, "inbound").await.len(), 1);
    let next = sms(&customer(3), OURS, "Is anybody there?");
    let status = installation.webhooks.inbound(docket.url(), &next).await;
    assert_eq!(status, 200);
    owner.only_case(&customer(3)).await;
    log::assert_sound(&installation.pool).await;
    docket
}

#[tokio::test]
async fn a_dump_without_the_read_models_is_restored_and_rebuilt() {
    for left_out in ["--exclude-schema=docket_read", "--schema=public"] {
        for rebuild_first in [true, false] {
            let (desk, reference) = desk_with_cases().await;
            let HelpDesk {
                mut installation,
                docket,
                owner,
                ..
            } = desk;
            docket.stop().await;
            let url = url_of(&installation);
            let dump = Command::new("pg_dump")
                .args([left_out, &url])
                .output()
                .unwrap();
            assert!(
                dump.status.success(),
                "{}",
                String::from_utf8_lossy(&dump.stderr)
            );
            let own: String = sqlx::query_scalar("SELECT current_database()")
                .fetch_one(&installation.pool)
                .await
                .unwrap();
            let name = format!("{own}_restored");
            sqlx::raw_sql(&format!("CREATE DATABASE {name} TEMPLATE template0"))
                .execute(&installation.pool)
                .await
                .unwrap();
            let file = installation.folder.path().join("dump.sql");
            std::fs::write(&file, dump.stdout).unwrap();
            let restored = format!("{url}&dbname={name}");
            let output = Command::new("psql")
                .args(["-X", "-q", "-f"])
                .arg(&file)
                .arg(&restored)
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            installation.set("DATABASE_URL", &restored);
            let original = std::mem::replace(
                &mut installation.pool,
                docket_projections::connect::pool(
                    docket_projections::connect::connect_options(&restored).unwrap(),
                    2,
                ),
            );
            if rebuild_first {
                run(&["rebuild"], installation.environment(), "")
                    .await
                    .success();
                run(&["rebuild", "--check"], installation.environment(), "")
                    .await
                    .success();
            }
            is_whole(&installation, &owner, reference)
                .await
                .stop()
                .await;
            installation.pool.close().await;
            sqlx::raw_sql(&format!("DROP DATABASE {name} WITH (FORCE)"))
                .execute(&original)
                .await
                .unwrap();
            installation.pool = original;
            installation.close().await;
        }
    }
}

#[tokio::test]
async fn missing_tables_are_made_and_filled_at_the_start() {
    for loss in LOSSES {
        for rebuild_first in [true, false] {
            let (desk, reference) = desk_with_cases().await;
            let HelpDesk {
                installation,
                docket,
                owner,
                ..
            } = desk;
            docket.stop().await;
            sqlx::raw_sql(loss)
                .execute(&installation.pool)
                .await
                .unwrap();
            if rebuild_first {
                run(&["rebuild"], installation.environment(), "")
                    .await
                    .success();
            }
            is_whole(&installation, &owner, reference)
                .await
                .stop()
                .await;
            installation.close().await;
        }
    }
}

#[tokio::test]
async fn tables_that_go_while_the_service_runs_come_back_and_nothing_wrong_is_said_meanwhile() {
    let (desk, reference) = desk_with_cases().await;
    for loss in LOSSES {
        sqlx::raw_sql(loss)
            .execute(&desk.installation.pool)
            .await
            .unwrap();
        wait_until(&format!("all is back after {loss}"), BOUND, async || {
            let answer = desk
                .owner
                .ask(Method::GET, &format!("/cases/{reference}"), None, None)
                .await
                .unwrap();
            assert!(
                matches!(answer.status, 200 | 503),
                "{loss}: {}",
                answer.text
            );
            let payload = sms(&customer(4), OURS, loss);
            let status = desk
                .installation
                .webhooks
                .inbound(desk.docket.url(), &payload)
                .await;
            assert!(matches!(status, 200 | 503), "{loss}: {status}");
            if answer.status == 200 && status == 200 {
                Ok(())
            } else {
                Err(format!("{} {status}", answer.status))
            }
        })
        .await;
    }
    desk.docket.is_ready().await;
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}
