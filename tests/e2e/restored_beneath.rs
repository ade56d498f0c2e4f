//! A backup that is restored beneath a running process.

use std::process::Command;
use std::time::{Duration, Instant};

use docket_tests::log;
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use docket_tests::webhooks::sms;
use reqwest::StatusCode;
use serde_json::json;

use crate::help_desk::{HelpDesk, OURS, customer};

/// How long the service may take to work on the restored log.
const RECOVERY: Duration = Duration::from_secs(5);

fn url_of(desk: &HelpDesk) -> String {
    let environment = desk.installation.environment();
    let (_, url) = environment
        .iter()
        .find(|(name, _)| name == "DATABASE_URL")
        .unwrap();
    url.clone()
}

fn dump(desk: &HelpDesk) -> Vec<u8> {
    let dump = Command::new("pg_dump").arg(url_of(desk)).output().unwrap();
    let said = String::from_utf8_lossy(&dump.stderr).into_owned();
    assert!(dump.status.success(), "{said}");
    dump.stdout
}

/// Puts a dump in the place of all that the database holds, as somebody does who stops every connection first.
fn restore(desk: &HelpDesk, dump: &[u8]) {
    let file = desk.installation.folder.path().join("dump.sql");
    let clear = "DROP SCHEMA docket_read CASCADE; DROP SCHEMA public CASCADE;\n\
                 SELECT pg_terminate_backend(pid) FROM pg_stat_activity\n\
                  WHERE datname = current_database() AND pid <> pg_backend_pid();\n\
                 CREATE SCHEMA public;\n";
    std::fs::write(&file, [clear.as_bytes(), dump].concat()).unwrap();
    let output = Command::new("psql")
        .args(["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f"])
        .arg(&file)
        .arg(url_of(desk))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

/// Waits until the process says for the `count`th time that it has begun anew, and is ready; how long that took.
async fn begins_anew(desk: &HelpDesk, count: usize) -> Duration {
    let began = Instant::now();
    wait_until("the process begins anew", BOUND, async || {
        let log = desk.docket.log();
        let times = log.matches("Docket has begun anew").count();
        expect_that(times == count, || log)
    })
    .await;
    desk.docket.is_ready().await;
    let client = docket_tests::api::http();
    let ready = client.get(format!("{}/readyz", desk.docket.url()));
    assert_eq!(ready.send().await.unwrap().status(), StatusCode::OK);
    began.elapsed()
}

async fn title(desk: &HelpDesk, reference: u64) -> String {
    let case = desk.owner.get(&format!("/cases/{reference}")).await;
    case["title"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_log_that_was_restored_beneath_a_process_is_noticed_and_worked_on() {
    let desk = HelpDesk::open().await;
    let first = desk.first_case(&customer(1), "Water on the floor").await;
    let older = dump(&desk);

    // What is lost by the restore, and what the process then has in memory: cases, references, settings.
    let second = desk.first_case(&customer(2), "This gets lost").await;
    for n in 0..5 {
        desk.owner.reply(second, &format!("Lost {n}")).await;
        desk.owner.reply(first, &format!("Lost as well {n}")).await;
    }
    desk.first_case(&customer(3), "Lost too").await;
    let surveys = desk.owner.get("/surveys").await;
    let survey = surveys["items"][0]["id"].as_str().unwrap().to_owned();
    let renamed = json!({"name": "Renamed"});
    desk.owner
        .patch(&format!("/surveys/{survey}"), &renamed)
        .await
        .expect(200);
    let newer = dump(&desk);

    restore(&desk, &older);
    let took = begins_anew(&desk, 1).await;
    assert!(took < RECOVERY, "it took {took:?}");
    assert!(
        desk.docket
            .log()
            .contains("the log in the database is another one than before"),
        "{}",
        desk.docket.log()
    );
    assert!(desk.owner.references(&customer(2), "all").await.is_empty());
    assert_eq!(desk.owner.messages(first, "outbound").await.len(), 0);
    let surveys = desk.owner.get("/surveys").await;
    assert_ne!(surveys["items"][0]["name"], "Renamed");

    // Messages find what is there now, and nothing of what was.
    let again = desk
        .first_case(&customer(2), "Said after the restore")
        .await;
    assert_eq!(title(&desk, again).await, "Said after the restore");
    assert_eq!(desk.owner.messages(again, "inbound").await.len(), 1);
    assert_eq!(desk.owner.messages(again, "outbound").await.len(), 0);
    let more = sms(&customer(1), OURS, "More water");
    let webhooks = &desk.installation.webhooks;
    assert_eq!(webhooks.inbound(desk.docket.url(), &more).await, 200);
    assert_eq!(desk.owner.messages(first, "inbound").await.len(), 2);
    let reply = desk.owner.reply(first, "We come.").await;
    desk.owner.delivery(first, &reply, "delivered").await;
    log::assert_sound(&desk.installation.pool).await;

    // And forward again: the log is longer than the one that it knows, and another one.
    restore(&desk, &newer);
    let took = begins_anew(&desk, 2).await;
    assert!(took < RECOVERY, "it took {took:?}");
    assert_eq!(title(&desk, second).await, "This gets lost");
    let surveys = desk.owner.get("/surveys").await;
    assert_eq!(surveys["items"][0]["name"], "Renamed");
    let last = sms(&customer(2), OURS, "Is it found?");
    assert_eq!(webhooks.inbound(desk.docket.url(), &last).await, 200);
    assert_eq!(desk.owner.messages(second, "inbound").await.len(), 2);
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}
