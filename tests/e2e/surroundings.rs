//! Databases and users that will not do: a sentence with a remedy, exit code 1, and nothing half-started.

use docket_tests::docket::{Environment, Process, binary, refused, run};
use docket_tests::installation::Installation;
use docket_tests::waiting::{BOUND, wait_until};
use rustix::process::geteuid;

use crate::help_desk::{HelpDesk, customer};

/// Every command that opens the database, but for the export of the log.
const COMMANDS: [&[&str]; 5] = [
    &["migrate"],
    &["rebuild"],
    &["rebuild", "--check"],
    &["history", "101"],
    &[
        "user",
        "add",
        "--email",
        "new@example.com",
        "--role",
        "agent",
    ],
];

/// `docket serve` and every command end with code 1 and a sentence that holds `parts`.
async fn assert_refused(environment: &Environment, parts: &[&str]) {
    let mut all = vec![refused(environment).await];
    for command in COMMANDS {
        all.push(run(command, environment, "").await);
    }
    for ended in all {
        assert_eq!(ended.code, Some(1), "{parts:?}: {}", ended.stderr);
        for part in parts {
            assert!(ended.stderr.contains(part), "{part:?}: {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("listening"), "{}", ended.stderr);
    }
}

async fn sql(installation: &Installation, statements: &str) {
    sqlx::raw_sql(statements)
        .execute(&installation.pool)
        .await
        .unwrap_or_else(|error| panic!("{statements}: {error}"));
}

fn url_of(installation: &Installation) -> String {
    let (_, url) = installation
        .environment()
        .iter()
        .find(|(name, _)| name == "DATABASE_URL")
        .unwrap();
    url.clone()
}

async fn name_of(installation: &Installation) -> String {
    sqlx::query_scalar("SELECT current_database()")
        .fetch_one(&installation.pool)
        .await
        .unwrap()
}

async fn events_in(installation: &Installation) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM events")
        .fetch_one(&installation.pool)
        .await
        .unwrap()
}

fn environment(url: &str) -> Environment {
    [("DATABASE_URL", url), ("DOCKET_LISTEN", "127.0.0.1:0")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[tokio::test]
async fn a_database_in_another_encoding_is_refused() {
    let installation = Installation::new().await;
    let own = name_of(&installation).await;
    for encoding in ["LATIN1", "SQL_ASCII", "WIN1252"] {
        let name = format!("{own}_{}", encoding.to_lowercase());
        sql(
            &installation,
            &format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"),
        )
        .await;
        let url = format!("{}&dbname={name}", url_of(&installation));
        assert_refused(&environment(&url), &[encoding, "ENCODING 'UTF8'"]).await;
        let tables: i64 = {
            let pool = docket_projections::connect::pool(
                docket_projections::connect::connect_options(&url).unwrap(),
                1,
            );
            let count =
                sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relname = 'events'")
                    .fetch_one(&pool)
                    .await
                    .unwrap();
            pool.close().await;
            count
        };
        assert_eq!(tables, 0, "nothing was begun");
        sql(&installation, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }
    installation.close().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_or_entered_is_told_without_its_password() {
    let installation = Installation::new().await;
    let url = url_of(&installation);
    let name = name_of(&installation).await;
    sql(
        &installation,
        &format!("CREATE ROLE {name}_barred LOGIN CONNECTION LIMIT 0"),
    )
    .await;
    let table: [(String, &[&str]); 5] = [
        (
            "postgres://docket:hunter2@127.0.0.1:9/docket".to_owned(),
            &["127.0.0.1:9", "cannot be reached", "DATABASE_URL"],
        ),
        (
            "postgres://docket:hunter2@docket.invalid/docket".to_owned(),
            &["docket.invalid", "cannot be reached"],
        ),
        (
            format!("{url}&dbname=nowhere&password=hunter2"),
            &["no database nowhere", "CREATE DATABASE nowhere"],
        ),
        (
            format!("{url}&user=nobody_known&password=hunter2"),
            &["nobody_known", "password"],
        ),
        (
            format!("{url}&user={name}_barred"),
            &["no connection left", "max_connections"],
        ),
    ];
    for (url, parts) in table {
        assert_refused(&environment(&url), parts).await;
    }
    sql(&installation, &format!("DROP ROLE {name}_barred")).await;
    installation.close().await;
}

#[tokio::test]
async fn a_role_that_may_not_do_what_docket_does_is_refused() {
    let installation = Installation::new().await;
    let name = name_of(&installation).await;
    let clerk = format!("{name}_clerk");
    let url = format!("{}&user={clerk}", url_of(&installation));
    sql(&installation, &format!("CREATE ROLE {clerk} LOGIN")).await;
    // Each is what the one before asks for.
    let steps: [(String, &[&str]); 4] = [
        (String::new(), &["GRANT CREATE ON DATABASE"]),
        (
            format!("GRANT CREATE ON DATABASE {name} TO {clerk}"),
            &["GRANT CREATE, USAGE ON SCHEMA public"],
        ),
        (
            format!("GRANT CREATE, USAGE ON SCHEMA public TO {clerk}"),
            &["ALTER SCHEMA docket_read OWNER TO"],
        ),
        (
            format!("ALTER SCHEMA docket_read OWNER TO {clerk}"),
            &["belongs to the role docket", "--no-owner"],
        ),
    ];
    for (grant, parts) in steps {
        if !grant.is_empty() {
            sql(&installation, &grant).await;
        }
        // Only the migrated database has what the later steps ask for; the template has it.
        assert_refused(&environment(&url), parts).await;
    }
    sql(
        &installation,
        &format!(
            "ALTER SCHEMA docket_read OWNER TO docket; DROP OWNED BY {clerk}; DROP ROLE {clerk}"
        ),
    )
    .await;
    installation.close().await;
}

#[tokio::test]
async fn a_read_only_database_is_refused_at_the_start() {
    let installation = Installation::new().await;
    let name = name_of(&installation).await;
    sql(
        &installation,
        &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
    )
    .await;
    assert_refused(
        &environment(&url_of(&installation)),
        &["read-only", "RESET default_transaction_read_only"],
    )
    .await;
    installation.close().await;
}

#[tokio::test]
async fn what_a_newer_docket_left_is_refused_and_its_log_can_be_exported() {
    let signs: [(&str, &[&str]); 5] = [
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'newer', true, '', 0);
             UPDATE known_log SET version = '9.8.7', format = 999999",
            &["newer Docket", "9.8.7", "migration 9999", "export-log"],
        ),
        (
            "UPDATE _sqlx_migrations SET checksum = 'another' WHERE version = 3",
            &["migration 3", "another build"],
        ),
        (
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
             VALUES ('Case', '101', 99, 'CaseAdmired', '1', '{\"CaseAdmired\": {}}', '{\"actor\": \"system\"}')",
            &["CaseAdmired", "version 1", "position", "export-log"],
        ),
        (
            "ALTER TABLE events DISABLE TRIGGER events_are_append_only;
             UPDATE events SET event_version = '77' WHERE event_type = 'SurveyCreated';
             ALTER TABLE events ENABLE ALWAYS TRIGGER events_are_append_only",
            &["SurveyCreated", "version 77", "position"],
        ),
        (
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
             VALUES ('Parcel', 'p1', 1, 'ParcelPosted', '1', '{\"ParcelPosted\": {}}', '{\"actor\": \"system\"}')",
            &["ParcelPosted", "Parcel"],
        ),
    ];
    for (sign, parts) in signs {
        let desk = HelpDesk::open().await;
        desk.first_case(&customer(1), "Hello").await;
        let HelpDesk {
            installation,
            docket,
            ..
        } = desk;
        docket.stop().await;
        sql(&installation, sign).await;
        let length = events_in(&installation).await;
        let mut environment = installation.environment().clone();
        environment.push(("DOCKET_LISTEN".to_owned(), "127.0.0.1:0".to_owned()));
        assert_refused(&environment, parts).await;
        let exported = run(&["export-log"], &environment, "").await.success();
        assert_eq!(
            exported.lines().count(),
            usize::try_from(length).unwrap(),
            "{sign}"
        );
        assert_eq!(
            events_in(&installation).await,
            length,
            "nothing is recorded in a log that a newer Docket writes"
        );
        installation.close().await;
    }
}

/// `OpenShift` runs containers as users that have no name.
#[tokio::test]
async fn a_user_without_a_name_gets_a_sentence_with_the_way_out() {
    if !geteuid().is_root() {
        return;
    }
    let folder = docket_projections::private_postgres::temporary_data_dir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(12_345), Some(0)).unwrap();
    // The folder of the tests' own may be closed to others.
    let program = folder.path().join("docket");
    std::fs::copy(binary(), &program).unwrap();
    let output = std::process::Command::new("setpriv")
        .args(["--reuid=12345", "--regid=0", "--clear-groups"])
        .arg(&program)
        .args(["serve"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("DOCKET_DATA_DIR", folder.path().join("data"))
        .env("DOCKET_LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["12345", "/etc/passwd", "DATABASE_URL"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("initdb could not"), "{said}");
}

/// A start that is refused takes the private Postgres along.
#[tokio::test]
async fn a_private_postgres_does_not_outlive_a_start_that_was_refused() {
    let folder = docket_projections::private_postgres::temporary_data_dir().unwrap();
    let place = folder.path().display().to_string();
    let environment: Environment = [
        ("DOCKET_DATA_DIR", place.as_str()),
        ("DOCKET_LISTEN", "127.0.0.1:0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    run(&["migrate"], &environment, "").await.success();
    let mut process = Process::start(&["serve"], &environment);
    process.logs("listening address=").await;
    let url =
        format!("postgres:///docket?host={place}/postgres&port=5432&user=docket&sslmode=disable");
    let pool = docket_projections::connect::pool(
        docket_projections::connect::connect_options(&url).unwrap(),
        1,
    );
    sqlx::raw_sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'newer', true, '', 0)")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    process.signal(rustix::process::Signal::TERM);
    process.ended().await;
    let ended = refused(&environment).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    wait_until("the server is gone", BOUND, async || {
        let left = docket_tests::docket::processes_with(&place);
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
}
