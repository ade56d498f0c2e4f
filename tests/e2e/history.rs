//! What auditors do at the command line: a case's history, the case as it was, the whole log, and the proof that what people see is
//! what the log gives.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use docket_projections::connect::connect_options;
use docket_projections::testing::{self, volume};
use docket_tests::docket::{Docket, Environment, binary, run};
use docket_tests::installation::Installation;
use docket_tests::log;
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use serde_json::{Value, json};
use sqlx::Connection;

use crate::help_desk::{HelpDesk, customer};

/// A desk with a case in which something happened, and that case.
async fn desk_with_history() -> (HelpDesk, u64) {
    let desk = HelpDesk::open().await;
    let reference = desk
        .first_case(&customer(1), "Hello, can I have an appointment?")
        .await;
    let path = format!("/cases/{reference}");
    let reply = json!({"text": "Would Tuesday suit you?"});
    assert_eq!(
        desk.owner
            .post(&format!("{path}/replies"), &reply)
            .await
            .status,
        202
    );
    desk.installation.accepted(1).await;
    let note = json!({"text": "An invented note"});
    assert!(
        desk.owner
            .post(&format!("{path}/notes"), &note)
            .await
            .status
            < 300
    );
    let resolved = json!({"value": "Resolved"});
    assert_eq!(
        desk.owner
            .put(&format!("{path}/status"), &resolved)
            .await
            .status,
        200
    );
    (desk, reference)
}

#[tokio::test]
async fn the_terminal_tells_a_cases_history() {
    let (desk, reference) = desk_with_history().await;
    let environment = desk.installation.environment();
    let named = format!("#{reference}");

    let table = run(&["history", &named], environment, "").await.success();
    for words in [
        "recorded (UTC)",
        "Hello, can I have an appointment?",
        "owner@example.com",
        "which closed the case",
    ] {
        // A table may break a line between any two words.
        let folded = table.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            folded.contains(words) || words.split(' ').all(|word| table.contains(word)),
            "{words}:\n{table}"
        );
    }

    let told: Value = serde_json::from_str(
        &run(&["history", &named, "--json"], environment, "")
            .await
            .success(),
    )
    .unwrap();
    let events = told["events"].as_array().unwrap();
    let of_api = desk.owner.all(&format!("/cases/{reference}/events")).await;
    assert_eq!(events.len(), of_api.len());
    for (event, of_api) in events.iter().zip(&of_api) {
        for field in [
            "position",
            "sequence",
            "type",
            "version",
            "data",
            "metadata",
            "recorded_at",
        ] {
            assert_eq!(event[field], of_api[field], "{field}");
        }
        assert!(
            event["words"]
                .as_str()
                .is_some_and(|words| words.len() > 10),
            "{event}"
        );
    }
    for spelling in [
        format!(" {reference} "),
        format!("# {reference}"),
        format!("\u{200b}＃{reference}"),
    ] {
        let same = run(&["history", &spelling], environment, "")
            .await
            .success();
        assert_eq!(same, table, "{spelling:?}");
    }
    for (arguments, sentence) in [
        (["history", "999"], "there is no case #999"),
        (["history", "12a"], "a number"),
    ] {
        let ended = run(&arguments, environment, "").await;
        assert_ne!(ended.code, Some(0));
        assert!(ended.stderr.contains(sentence), "{}", ended.stderr);
    }
    desk.close().await;
}

#[tokio::test]
async fn the_terminal_shows_no_picture_that_the_events_contradict() {
    let (desk, reference) = desk_with_history().await;
    let environment = desk.installation.environment();
    let (number, at) = (reference.to_string(), "2");
    let look = async || run(&["history", &number, "--at", at], environment, "").await;
    look().await.success();

    let pool = &desk.installation.pool;
    sqlx::query("DELETE FROM docket_read.thread_items WHERE reference = $1 AND kind = 'message'")
        .bind(i32::try_from(reference).unwrap())
        .execute(pool)
        .await
        .unwrap();
    let contradicted = look().await;
    assert_eq!(contradicted.code, Some(1));
    for words in ["contradict its read models (messages)", "docket rebuild"] {
        assert!(
            contradicted.stderr.contains(words),
            "{}",
            contradicted.stderr
        );
    }
    run(&["rebuild"], environment, "").await.success();
    look().await.success();
    desk.close().await;
}

#[tokio::test]
async fn the_terminal_shows_a_case_as_it_was_and_as_the_api_shows_it() {
    let (desk, reference) = desk_with_history().await;
    let environment = desk.installation.environment();
    let number = reference.to_string();
    let path = format!("/cases/{reference}");
    let now = desk.owner.get(&path).await;
    let last = now["version"].as_u64().unwrap();

    for sequence in 1..=last {
        let at = sequence.to_string();
        let was = run(
            &["history", &number, "--at", &at, "--json"],
            environment,
            "",
        )
        .await
        .success();
        let was: Value = serde_json::from_str(&was).unwrap();
        let of_api = desk.owner.get(&format!("{path}?at={sequence}")).await;
        for (field, value) in of_api.as_object().unwrap() {
            assert_eq!(was[field], *value, "{field} after event {sequence}");
        }
        let recorded_at = was["recorded_at"].as_str().unwrap();
        let then = run(
            &["history", &number, "--as-of", recorded_at, "--json"],
            environment,
            "",
        )
        .await
        .success();
        let then: Value = serde_json::from_str(&then).unwrap();
        assert!(
            then["version"].as_u64().unwrap() >= sequence,
            "events of one transaction have one time"
        );
    }
    let at = last.to_string();
    let was = run(
        &["history", &number, "--at", &at, "--json"],
        environment,
        "",
    )
    .await
    .success();
    let was: Value = serde_json::from_str(&was).unwrap();
    for (field, value) in now.as_object().unwrap() {
        assert_eq!(was[field], *value, "{field}");
    }
    assert_eq!(
        was["thread"],
        json!(desk.owner.all(&format!("{path}/thread")).await)
    );

    let picture = run(&["history", &number, "--at", "2"], environment, "")
        .await
        .success();
    assert!(
        picture.contains(&format!("as it was after event 2 of {last}")),
        "{picture}"
    );
    assert!(picture.contains("open   (now: closed)"), "{picture}");
    let late = run(&["history", &number, "--at", "99"], environment, "").await;
    assert_eq!(late.code, Some(1));
    assert!(
        late.stderr
            .contains(&format!("no event 99; its last is {last}")),
        "{}",
        late.stderr
    );
    let early = run(
        &["history", &number, "--as-of", "2020-01-01T00:00:00Z"],
        environment,
        "",
    )
    .await;
    assert!(
        early.stderr.contains("had not begun then"),
        "{}",
        early.stderr
    );
    desk.close().await;
}

#[tokio::test]
async fn read_models_are_checked_and_rebuilt_beside_the_service() {
    let (desk, reference) = desk_with_history().await;
    let environment = desk.installation.environment();
    let pool = &desk.installation.pool;
    let events = log::length(pool).await;
    let checked = run(&["rebuild", "--check"], environment, "")
        .await
        .success();
    // With those that tell who looked at what.
    let taken_in: i64 = checked
        .split_whitespace()
        .zip(checked.split_whitespace().skip(1))
        .find(|(_, next)| *next == "of")
        .map(|(number, _)| number.parse().unwrap())
        .unwrap();
    assert!(taken_in >= events, "{checked}");
    let all = format!("{taken_in} of {taken_in} events");
    assert!(checked.contains(&all), "{checked}");

    sqlx::query("UPDATE cases SET title = 'Altered by somebody'")
        .execute(pool)
        .await
        .unwrap();
    let checked = run(&["rebuild", "--check"], environment, "").await;
    assert_eq!(checked.code, Some(1));
    assert!(
        checked
            .stdout
            .contains(&format!("cases reference={reference}: differs in title")),
        "{}",
        checked.stdout
    );
    assert!(
        checked
            .stdout
            .trim_end()
            .lines()
            .last()
            .unwrap()
            .contains(&all),
        "{}",
        checked.stdout
    );
    assert!(!checked.stdout.contains("Altered"), "no values are shown");
    assert!(
        checked
            .stderr
            .contains("rows of cases are not what the log gives"),
        "{}",
        checked.stderr
    );
    let other = run(&["rebuild", "thread", "--check"], environment, "")
        .await
        .success();
    assert!(other.contains("checked thread:"), "{other}");

    let rebuilt = run(&["rebuild", "cases"], environment, "").await.success();
    assert!(
        rebuilt.starts_with(&format!("rebuilt cases: {all}")),
        "{rebuilt}"
    );
    let case = desk.owner.get(&format!("/cases/{reference}")).await;
    assert_eq!(case["title"], "Hello, can I have an appointment?");
    desk.text(&customer(1), "After the swap").await;
    assert_eq!(desk.sent().len(), 1, "a replay sends nothing");
    let unknown = run(&["rebuild", "threads"], environment, "").await;
    assert!(
        unknown.stderr.contains("there is no read model threads"),
        "{}",
        unknown.stderr
    );
    log::assert_sound(pool).await;
    desk.close().await;
}

#[tokio::test]
async fn what_an_older_version_built_is_rebuilt_at_the_start() {
    let (desk, reference) = desk_with_history().await;
    let HelpDesk {
        installation,
        docket,
        ..
    } = desk;
    docket.stop().await;
    let pool = &installation.pool;
    sqlx::raw_sql("UPDATE cases SET title = 'As an older version had it'; UPDATE projection_versions SET version = 0 WHERE name = 'cases'")
        .execute(pool)
        .await
        .unwrap();

    let docket = Docket::serve(installation.environment()).await;
    wait_until("the list of cases is rebuilt", BOUND, async || {
        let log = docket.log();
        expect_that(log.contains("read models were rebuilt"), || log)
    })
    .await;
    let title: String = sqlx::query_scalar("SELECT title FROM cases WHERE reference = $1")
        .bind(i32::try_from(reference).unwrap())
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(title, "Hello, can I have an appointment?");
    let log = docket.stop().await;
    assert!(
        log.contains("are out of date and are rebuilt") && log.contains("models=\"cases\""),
        "{log}"
    );

    // Once is enough.
    let docket = Docket::serve(installation.environment()).await;
    let log = docket.stop().await;
    assert!(!log.contains("are out of date and are rebuilt"), "{log}");
    log::assert_sound(pool).await;
    installation.close().await;
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect()
}

#[tokio::test]
async fn the_log_is_exported_as_cloud_events() {
    let (desk, reference) = desk_with_history().await;
    let mut environment = desk.installation.environment().clone();
    environment.push((
        "DOCKET_PUBLIC_URL".to_owned(),
        "https://docket.example.com".to_owned(),
    ));
    let before = log::events(&desk.installation.pool).await.len();
    let exported = lines(&run(&["export-log"], &environment, "").await.success());
    let recorded = log::events(&desk.installation.pool).await;
    assert!(exported.len() >= before, "all that there was is exported");
    // Its own beginning and end are in the log, and not in itself.
    let mine = recorded
        .iter()
        .filter(|event| event.stream.0 == "Export" && event.metadata["cause"] == "command line");
    let mine: Vec<&str> = mine.map(|event| event.event_type.as_str()).collect();
    assert_eq!(mine, ["ExportBegun", "ExportEnded"]);
    for (line, event) in exported.iter().zip(&recorded) {
        assert_eq!(line["specversion"], "1.0");
        assert_eq!(line["id"], event.position.to_string());
        assert_eq!(line["source"], "https://docket.example.com/api/v1/events");
        assert_eq!(
            line["type"],
            format!("docket.{}.{}", event.stream.0, event.event_type)
        );
        assert_eq!(
            line["subject"],
            format!("{}/{}", event.stream.0, event.stream.1)
        );
        assert_eq!(line["data"], event.payload);
        assert_eq!(line["actor"], event.metadata["actor"]);
    }
    assert!(
        exported
            .iter()
            .any(|line| line["subject"] == format!("Case/{reference}"))
    );

    let part = lines(
        &run(
            &["export-log", "--from", "3", "--to", "5"],
            &environment,
            "",
        )
        .await
        .success(),
    );
    assert_eq!(part, exported[2..5]);
    let middle = exported[4]["time"].as_str().unwrap();
    let last = exported.len().to_string();
    let before = lines(
        &run(
            &["export-log", "--until", middle, "--to", &last],
            &environment,
            "",
        )
        .await
        .success(),
    );
    let since = lines(
        &run(
            &["export-log", "--since", middle, "--to", &last],
            &environment,
            "",
        )
        .await
        .success(),
    );
    assert!(!before.is_empty() && !since.is_empty());
    assert_eq!(
        [before, since].concat(),
        exported,
        "a period ends where the next begins"
    );
    let beyond = run(&["export-log", "--to", "99999"], &environment, "").await;
    assert_eq!(beyond.code, Some(1));
    assert!(
        beyond.stderr.contains("the log ends with position"),
        "{}",
        beyond.stderr
    );
    desk.close().await;
}

#[tokio::test]
async fn an_export_ends_quietly_when_nobody_reads_on_and_loudly_when_an_event_is_missing() {
    let database = testing::database().await;
    let mut conn = connect_options(&database.url)
        .unwrap()
        .connect()
        .await
        .unwrap();
    volume::fill(&mut conn, 5_000).await;
    let environment: Environment = vec![("DATABASE_URL".to_owned(), database.url.clone())];

    let mut export = Command::new(binary())
        .arg("export-log")
        .envs(environment.clone())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(export.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(
        first.starts_with("{\"specversion\":\"1.0\",\"id\":\"1\""),
        "{first}"
    );
    let ended = tokio::task::spawn_blocking(move || export.wait_with_output().unwrap())
        .await
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        !String::from_utf8_lossy(&ended.stderr)
            .lines()
            .any(|line| line.starts_with("docket: ")),
        "{ended:?}"
    );

    sqlx::raw_sql("ALTER TABLE events DISABLE TRIGGER events_are_append_only; DELETE FROM events WHERE position = 2500")
        .execute(&mut conn)
        .await
        .unwrap();
    let broken = run(&["export-log"], &environment, "").await;
    assert_eq!(broken.code, Some(1));
    assert!(
        broken.stderr.contains("after position 2499 comes 2501"),
        "{}",
        broken.stderr
    );
    let broken = run(&["rebuild"], &environment, "").await;
    assert_eq!(broken.code, Some(1));
    assert!(
        broken
            .stderr
            .contains("after position 2499 comes 2501, not 2500"),
        "{}",
        broken.stderr
    );
    conn.close().await.unwrap();
    database.close().await;
}

#[tokio::test]
async fn a_new_database_is_up_to_date_whatever_is_done_first() {
    let installation = Installation::new().await;
    let added = [
        "user",
        "add",
        "--email",
        "owner@example.com",
        "--role",
        "owner",
    ];
    run(&added, installation.environment(), "").await.success();
    let docket = Docket::serve(installation.environment()).await;
    let log = docket.stop().await;
    assert!(
        !log.contains("are out of date and are rebuilt"),
        "a new database is up to date: {log}"
    );
    let checked = run(&["rebuild", "--check"], installation.environment(), "")
        .await
        .success();
    assert!(checked.contains("1 of 1 events"), "{checked}");
    installation.close().await;
}

/// A number that changes with anything in the tables that pages are made of.
async fn fingerprint(conn: &mut sqlx::PgConnection) -> (i64, i64, i64) {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM docket_read.thread_items),
                (SELECT sum(hashtext(t::text)) FROM docket_read.thread_items t),
                (SELECT sum(hashtext(c::text)) FROM docket_read.cases c)",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_rebuild_that_is_killed_half_way_leaves_everything_as_it_was() {
    let database = testing::database().await;
    let mut conn = connect_options(&database.url)
        .unwrap()
        .connect()
        .await
        .unwrap();
    volume::fill(&mut conn, 30_000).await;
    let environment: Environment = vec![("DATABASE_URL".to_owned(), database.url.clone())];
    run(&["rebuild"], &environment, "").await.success();
    let before = fingerprint(&mut conn).await;

    let mut rebuild = Command::new(binary())
        .arg("rebuild")
        .envs(environment.clone())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pool = database.pool.clone();
    wait_until("it has written something", BOUND, async || {
        let is_there: bool = sqlx::query_scalar(
            "SELECT to_regclass('docket_rebuild.thread_items') IS NOT NULL
                AND pg_relation_size(to_regclass('docket_rebuild.thread_items')) > 0",
        )
        .fetch_one(&pool)
        .await
        .unwrap_or(Some(false))
        .unwrap_or(false);
        expect_that(is_there, || "nothing yet".to_owned())
    })
    .await;
    rebuild.kill().unwrap();
    let ended = rebuild.wait().unwrap();
    assert!(!ended.success(), "it was killed before its end");
    assert_eq!(fingerprint(&mut conn).await, before);

    // The next one begins as soon as the database has noticed that the last one is gone.
    let checked = wait_until("a check is let in", BOUND, async || {
        let checked = run(&["rebuild", "--check"], &environment, "").await;
        if checked.stderr.contains("another rebuild is under way") {
            Err(checked.stderr)
        } else {
            Ok(checked.success())
        }
    })
    .await;
    assert!(checked.contains("30000 of 30000 events"), "{checked}");
    assert_eq!(fingerprint(&mut conn).await, before);
    conn.close().await.unwrap();
    drop(pool);
    database.close().await;
}
