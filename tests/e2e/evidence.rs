//! Proof at the command line: keys, verification, checkpoints outside, and bundles.

use docket_projections::testing::tamper::tamper;
use docket_tests::docket::{Docket, Environment, run};
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::help_desk::{HelpDesk, customer};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Waits for a checkpoint of so many events.
async fn signed(pool: &PgPool, events: i64) {
    wait_until("a checkpoint", BOUND, async || {
        let size: i64 = sqlx::query_scalar("SELECT signed_size FROM log_tree")
            .fetch_one(pool)
            .await
            .unwrap();
        expect_that(size >= events, || format!("{size} events are covered"))
    })
    .await;
}

#[tokio::test]
async fn the_log_is_signed_verified_and_exported_with_its_proof() {
    let desk = HelpDesk::open().await;
    let reference = desk
        .first_case(&customer(1), "Hello, can I have an appointment?")
        .await;
    let note = json!({"text": "An invented note"});
    desk.owner
        .post(&format!("/cases/{reference}/notes"), &note)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (checkpoints, bundle, key_file) = (file("checkpoints"), file("case.zip"), file("key"));
    let mut environment: Environment = desk.installation.environment().clone();
    environment.push(("DOCKET_SECRET_KEY".to_owned(), KEY.to_owned()));
    environment.push(("DOCKET_CHECKPOINT_FILE".to_owned(), checkpoints.clone()));
    let pool = &desk.installation.pool;
    let named = format!("#{reference}");

    // Beside the desk's own service, another process with a key signs.
    let signing = Docket::serve(&environment).await;
    signed(pool, 5).await;
    wait_until("the file", BOUND, async || {
        let length = std::fs::metadata(&checkpoints).map_or(0, |file| file.len());
        expect_that(length > 0, || "it is empty or not there")
    })
    .await;
    let key = run(&["verify", "--public-key"], &environment, "")
        .await
        .success();
    std::fs::write(&key_file, &key).unwrap();
    let export = ["export", &named, "--out", &bundle];
    let said = run(&export, &environment, "").await.success();
    assert!(said.contains(&format!("case #{reference}")), "{said}");
    let again = run(&export, &environment, "").await;
    assert_eq!(again.code, Some(1));
    signing.stop().await;

    let verify = [
        "verify",
        "--bundle",
        &bundle,
        "--public-key-file",
        &key_file,
        "--json",
    ];
    let told: Value =
        serde_json::from_str(&run(&verify, &Environment::new(), "").await.success()).unwrap();
    assert_eq!(told["is_clean"], true, "{told}");
    assert_eq!(told["stream"], format!("Case/{reference}"));

    let whole = [
        "verify",
        "--checkpoint",
        &checkpoints,
        "--public-key-file",
        &key_file,
        "--json",
    ];
    let told: Value = serde_json::from_str(&run(&whole, &environment, "").await.success()).unwrap();
    assert_eq!(told["is_clean"], true, "{told}");
    assert!(told["verified"].as_i64() >= Some(5), "{told}");

    tamper(
        pool,
        "UPDATE events SET metadata = metadata || '{\"cause\": \"none\"}' WHERE position = 4",
    )
    .await;
    let ended = run(&whole, &environment, "").await;
    assert_eq!(ended.code, Some(1));
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["faults"][0]["kind"], "changed", "{told}");
    assert_eq!(told["faults"][0]["position"], 4, "{told}");
    desk.close().await;
}

#[tokio::test]
async fn a_read_model_that_differs_is_a_fault() {
    let desk = HelpDesk::open().await;
    desk.first_case(&customer(1), "Hello").await;
    let environment = desk.installation.environment();
    let pool = &desk.installation.pool;
    let clean = run(&["verify"], environment, "").await.success();
    assert!(clean.contains("events"), "{clean}");
    tamper(pool, "UPDATE docket_read.cases SET title = 'Another title'").await;
    let ended = run(&["verify"], environment, "").await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("cases"), "{}", ended.stdout);
    run(&["verify", "--log-only"], environment, "")
        .await
        .success();
    desk.close().await;
}
