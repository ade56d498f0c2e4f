//! Processes of several versions on one database, and read models that another version built.

use docket_tests::docket::Process;
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use docket_tests::webhooks::sms;
use reqwest::Method;
use serde_json::json;

use crate::help_desk::{HelpDesk, OURS, customer};

async fn readyz(url: &str) -> (u16, String) {
    let answer = docket_tests::api::http()
        .get(format!("{url}/readyz"))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn is_ready_again(url: &str) {
    wait_until("the service is ready again", BOUND, async || {
        let (status, said) = readyz(url).await;
        expect_that(status == 200, || said)
    })
    .await;
}

#[tokio::test]
async fn an_older_process_takes_no_more_work_beside_a_newer_one() {
    let desk = HelpDesk::open().await;
    let reference = desk.first_case(&customer(1), "Hello").await;
    let signs = [
        (
            "INSERT INTO processes VALUES ('00000000-0000-4000-8000-000000000001', '9.8.7', 999999, now() + interval '1 hour')",
            "DELETE FROM processes WHERE version = '9.8.7'",
            "9.8.7",
        ),
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'newer', true, '', 0)",
            "DELETE FROM _sqlx_migrations WHERE version = 9999",
            "newer version",
        ),
        (
            "UPDATE projection_versions SET version = version + 1000 WHERE name = 'open_cases'",
            "UPDATE projection_versions SET version = version - 1000 WHERE name = 'open_cases'",
            "open_cases",
        ),
    ];
    let url = desk.docket.url();
    for (begin, end, sign) in signs {
        sqlx::raw_sql(begin)
            .execute(&desk.installation.pool)
            .await
            .unwrap();
        wait_until(
            &format!("the process takes no more work: {sign}"),
            BOUND,
            async || {
                let (status, said) = readyz(url).await;
                expect_that(status == 503 && said.contains(sign), || said)
            },
        )
        .await;
        let status = desk
            .installation
            .webhooks
            .inbound(url, &sms(&customer(2), OURS, sign))
            .await;
        assert_eq!(status, 503, "{sign}");
        let reply = json!({"text": "Hello"});
        let answer = desk
            .owner
            .ask(
                Method::POST,
                &format!("/cases/{reference}/replies"),
                Some(&reply),
                None,
            )
            .await
            .unwrap();
        assert_eq!(answer.status, 503, "{sign}: {}", answer.text);
        let log = desk.docket.log();
        assert!(log.contains(sign), "{log}");

        sqlx::raw_sql(end)
            .execute(&desk.installation.pool)
            .await
            .unwrap();
        is_ready_again(url).await;
        let status = desk
            .installation
            .webhooks
            .inbound(url, &sms(&customer(2), OURS, sign))
            .await;
        assert_eq!(status, 200, "{sign}");
    }
    desk.close().await;
}

/// The watch looks every second; the transaction itself must not wait for it.
#[tokio::test]
async fn no_transaction_decides_on_read_models_of_another_version() {
    let desk = HelpDesk::open().await;
    desk.first_case(&customer(1), "Hello").await;
    let before: i64 = sqlx::query_scalar("SELECT position FROM log_head")
        .fetch_one(&desk.installation.pool)
        .await
        .unwrap();
    for version in [1_000, -1, 0] {
        sqlx::query("UPDATE projection_versions SET version = $1 WHERE name = 'open_cases'")
            .bind(version)
            .execute(&desk.installation.pool)
            .await
            .unwrap();
        let status = desk
            .installation
            .webhooks
            .inbound(desk.docket.url(), &sms(&customer(1), OURS, "Again"))
            .await;
        let now: i64 = sqlx::query_scalar("SELECT position FROM log_head")
            .fetch_one(&desk.installation.pool)
            .await
            .unwrap();
        // What was out of date may have been rebuilt in between, which is as good.
        assert!(
            status == 503 && now == before || version < 1_000,
            "{version}: {status}"
        );
    }
    is_ready_again(desk.docket.url()).await;
    desk.close().await;
}

#[tokio::test]
async fn a_view_on_a_read_model_is_named_once_and_the_rebuild_waits_for_its_end() {
    let desk = HelpDesk::open().await;
    desk.first_case(&customer(1), "Hello").await;
    let HelpDesk {
        installation,
        docket,
        ..
    } = desk;
    docket.stop().await;
    sqlx::raw_sql(
        "CREATE VIEW public.of_the_day AS SELECT reference FROM docket_read.cases;
         UPDATE projection_versions SET version = 0 WHERE name = 'cases'",
    )
    .execute(&installation.pool)
    .await
    .unwrap();
    let mut environment = installation.environment().clone();
    environment.push(("DOCKET_LISTEN".to_owned(), "127.0.0.1:0".to_owned()));
    let mut process = Process::start(&["serve"], &environment);
    let url = format!("http://{}", process.logs("listening address=").await);
    let told = |log: &str| log.matches("could not be rebuilt").count();
    wait_until("the view is named", BOUND, async || {
        let (status, said) = readyz(&url).await;
        expect_that(status == 503 && said.contains("view of_the_day"), || said)
    })
    .await;
    let status = installation
        .webhooks
        .inbound(&url, &sms(&customer(1), OURS, "Again"))
        .await;
    assert_eq!(status, 503);
    assert_eq!(told(&process.stderr()), 1, "{}", process.stderr());

    sqlx::raw_sql("DROP VIEW public.of_the_day")
        .execute(&installation.pool)
        .await
        .unwrap();
    is_ready_again(&url).await;
    let status = installation
        .webhooks
        .inbound(&url, &sms(&customer(1), OURS, "Again"))
        .await;
    assert_eq!(status, 200);
    assert_eq!(told(&process.stderr()), 1, "{}", process.stderr());
    process.kill();
    installation.close().await;
}
