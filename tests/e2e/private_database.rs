//! Without `DATABASE_URL`: the Postgres that comes and goes with Docket.

use std::os::unix::fs::PermissionsExt as _;

use docket_projections::private_postgres::temporary_data_dir;
use docket_tests::api::Api;
use docket_tests::docket::{Process, processes_with, run};
use docket_tests::installation::Installation;
use docket_tests::waiting::{BOUND, wait_until};
use docket_tests::webhooks::sms;
use rustix::process::Signal;

use crate::help_desk::{HelpDesk, OURS, customer};

#[tokio::test]
async fn it_outlives_a_crash_and_ends_with_an_orderly_stop() {
    let folder = temporary_data_dir().unwrap();
    let place = folder.path().display().to_string();
    let mut installation = Installation::new().await;
    installation.unset("DATABASE_URL");
    installation.set("DOCKET_DATA_DIR", &place);
    // The commands that make the owner join the database of the service that runs.
    let mut desk = HelpDesk::open_in(installation, None).await;
    desk.text(&customer(1), "Hello?").await;
    // The key of stored secrets is made with it, for its owner alone, and stays.
    let key_file = folder.path().join("secret-key");
    let mode = std::fs::metadata(&key_file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = std::fs::read(&key_file).unwrap();

    desk.docket.kill();
    desk.docket = desk.installation.serve().await;
    desk.owner = desk.owner.at(desk.docket.url());
    let reference = desk.owner.only_case(&customer(1)).await;
    desk.takes(&sms(&customer(1), OURS, "Are you there?")).await;
    desk.docket.stop().await;
    assert_eq!(processes_with(&place), Vec::<String>::new());

    // A command starts it and stops it again.
    let token = run(
        &[
            "token",
            "create",
            "--email",
            "owner@example.com",
            "--name",
            "x",
        ],
        desk.installation.environment(),
        "",
    )
    .await;
    let token = token.success();
    assert_eq!(processes_with(&place), Vec::<String>::new());

    desk.docket = desk.installation.serve().await;
    let owner = Api::new(desk.docket.url(), token.trim_end());
    assert_eq!(owner.messages(reference, "inbound").await.len(), 2);
    assert!(std::fs::read(&key_file).unwrap() == key, "another key");
    desk.close().await;
    assert_eq!(processes_with(&place), Vec::<String>::new());
}

#[tokio::test]
async fn told_to_stop_before_it_is_ready_the_service_takes_it_along() {
    for program in ["initdb", "postgres -D"] {
        let folder = temporary_data_dir().unwrap();
        let place = folder.path().display().to_string();
        let environment = [
            ("DOCKET_DATA_DIR", place.as_str()),
            ("DOCKET_LISTEN", "127.0.0.1:0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let mut service = Process::start(&["serve"], &environment);
        wait_until(&format!("{program} runs"), BOUND, async || {
            let processes = processes_with(&place);
            if processes.iter().any(|process| process.contains(program)) {
                Ok(())
            } else {
                Err(format!("{processes:?}"))
            }
        })
        .await;
        service.signal(Signal::TERM);
        let status = service.ended().await;
        assert_eq!(
            status.code(),
            Some(0),
            "during {program}: {status} {}",
            service.stderr()
        );
        assert_eq!(
            processes_with(&place),
            Vec::<String>::new(),
            "after {program}"
        );
    }
}
