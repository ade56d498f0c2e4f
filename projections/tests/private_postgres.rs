//! The private Postgres with a real server: started, joined, killed, and found in the states that crashes leave behind.
//!
//! Runs as an ordinary user and as root; what differs for root is tested only there.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use docket_projections::private_postgres::{
    Options, PrivatePostgres, PrivatePostgresError, temporary_data_dir,
};
use sqlx::{Connection, PgConnection};

/// A server whose data may be lost starts faster; only the tests of durability need the other.
fn quick(data_dir: &Path) -> Options {
    Options {
        durable: false,
        ..Options::new(data_dir)
    }
}

async fn open(data_dir: &Path) -> PrivatePostgres {
    PrivatePostgres::open(quick(data_dir)).await.unwrap()
}

async fn connect(postgres: &PrivatePostgres) -> PgConnection {
    postgres.connect_options().connect().await.unwrap()
}

async fn execute(postgres: &PrivatePostgres, statement: &str) {
    let mut connection = connect(postgres).await;
    sqlx::query(statement)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

async fn ask(postgres: &PrivatePostgres, question: &str) -> String {
    let mut connection = connect(postgres).await;
    let answer = sqlx::query_scalar(question)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    answer
}

fn server_pid(cluster: &Path) -> String {
    let text = std::fs::read_to_string(cluster.join("postmaster.pid")).unwrap();
    text.lines().next().unwrap().to_owned()
}

fn kill(pid: &str) {
    let status = Command::new("kill").args(["-9", pid]).status().unwrap();
    assert!(status.success());
}

/// Looks again and again, for at most half a minute.
async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !holds().await {
            ticks.tick().await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(30), waiting)
            .await
            .is_ok(),
        "{what}"
    );
}

/// Kills the server, and waits until nobody answers any more.
async fn kill_server(postgres: &PrivatePostgres) {
    kill(&server_pid(postgres.cluster()));
    wait_until("a killed server still answers", async || {
        postgres.connect_options().connect().await.is_err()
    })
    .await;
}

fn is_root(folder: &Path) -> bool {
    std::fs::metadata(folder).unwrap().uid() == 0
}

#[tokio::test]
async fn data_is_there_again_after_a_stop() {
    let folder = temporary_data_dir().unwrap();
    let durable = Options::new(folder.path());

    let postgres = PrivatePostgres::open(durable.clone()).await.unwrap();
    execute(
        &postgres,
        "CREATE TABLE kept AS SELECT 'still here' AS text",
    )
    .await;
    let options = postgres.connect_options();
    postgres.close().await.unwrap();
    assert!(options.connect().await.is_err(), "the server was stopped");
    assert!(!folder.path().join("postgres/postmaster.pid").exists());

    let postgres = PrivatePostgres::open(durable).await.unwrap();
    assert_eq!(ask(&postgres, "SELECT text FROM kept").await, "still here");
    postgres.close().await.unwrap();
}

#[tokio::test]
async fn the_last_of_two_users_stops_the_server() {
    let folder = temporary_data_dir().unwrap();
    let first = open(folder.path()).await;
    let second = open(folder.path()).await;
    let pid = server_pid(first.cluster());
    assert_eq!(server_pid(second.cluster()), pid, "one server for both");

    first.close().await.unwrap();
    assert_eq!(ask(&second, "SELECT 'open'").await, "open");

    let options = second.connect_options();
    second.close().await.unwrap();
    assert!(options.connect().await.is_err());
}

#[tokio::test]
async fn two_that_come_at_once_to_an_empty_folder_share_one_server() {
    let folder = temporary_data_dir().unwrap();

    let (first, second) = tokio::join!(open(folder.path()), open(folder.path()));

    execute(&first, "CREATE TABLE seen AS SELECT 'by both' AS text").await;
    assert_eq!(ask(&second, "SELECT text FROM seen").await, "by both");
    // At once again: one of them has to be the last.
    let options = first.connect_options();
    let (one, other) = tokio::join!(first.close(), second.close());
    one.unwrap();
    other.unwrap();
    assert!(options.connect().await.is_err());
}

#[tokio::test]
async fn a_server_that_lost_its_docket_is_joined_and_then_stopped() {
    let folder = temporary_data_dir().unwrap();
    let killed = open(folder.path()).await;
    let pid = server_pid(killed.cluster());
    // What remains of a process that was killed: its server, and no locks.
    drop(killed);

    let next = open(folder.path()).await;
    assert_eq!(server_pid(next.cluster()), pid);

    let options = next.connect_options();
    next.close().await.unwrap();
    assert!(options.connect().await.is_err());
}

#[tokio::test]
async fn a_killed_server_recovers_what_was_committed() {
    let folder = temporary_data_dir().unwrap();
    let durable = Options::new(folder.path());
    let before = PrivatePostgres::open(durable.clone()).await.unwrap();
    execute(&before, "CREATE TABLE kept AS SELECT 'committed' AS text").await;
    kill_server(&before).await;
    drop(before);

    let after = PrivatePostgres::open(durable).await.unwrap();

    assert_eq!(ask(&after, "SELECT text FROM kept").await, "committed");
    after.close().await.unwrap();
}

#[tokio::test]
async fn a_killed_server_can_be_started_again_by_who_uses_it() {
    let folder = temporary_data_dir().unwrap();
    let postgres = open(folder.path()).await;
    let pid = server_pid(postgres.cluster());
    kill_server(&postgres).await;

    postgres.ensure_running().await.unwrap();

    assert_ne!(server_pid(postgres.cluster()), pid);
    assert_eq!(ask(&postgres, "SELECT 'up'").await, "up");
    postgres.close().await.unwrap();
}

#[tokio::test]
async fn a_server_killed_while_in_use_can_still_be_closed() {
    let folder = temporary_data_dir().unwrap();
    let postgres = open(folder.path()).await;
    kill_server(&postgres).await;

    postgres.close().await.unwrap();
}

#[tokio::test]
async fn an_interrupted_initdb_is_swept_away() {
    let folder = temporary_data_dir().unwrap();
    let left_behind = folder.path().join("postgres.new-1");
    std::fs::create_dir_all(left_behind.join("base/1")).unwrap();
    std::fs::write(left_behind.join("PG_VERSION"), "15\n").unwrap();

    let postgres = open(folder.path()).await;

    assert!(!left_behind.exists());
    assert_eq!(ask(&postgres, "SELECT 'up'").await, "up");
    postgres.close().await.unwrap();
}

#[tokio::test]
async fn a_long_path_gets_its_socket_elsewhere() {
    let folder = temporary_data_dir().unwrap();
    let data_dir = folder
        .path()
        .join("d".repeat(120))
        .join("docket data, \"ö\"");

    let postgres = open(&data_dir).await;

    let socket_folder = postgres.socket_folder().to_owned();
    assert!(socket_folder.as_os_str().len() < 88, "{socket_folder:?}");
    assert_eq!(
        std::fs::metadata(&socket_folder).unwrap().mode() & 0o777,
        0o700
    );
    assert_eq!(ask(&postgres, "SELECT 'up'").await, "up");
    let second = open(&data_dir).await;
    assert_eq!(second.socket_folder(), socket_folder);

    second.close().await.unwrap();
    postgres.close().await.unwrap();
    assert!(!socket_folder.exists(), "nothing is left in /tmp");
}

#[tokio::test]
async fn an_unusual_path_is_as_good_as_any() {
    let folder = temporary_data_dir().unwrap();
    let data_dir = folder.path().join("docket's \"data\", ö");

    let postgres = open(&data_dir).await;

    assert_eq!(postgres.socket_folder(), postgres.cluster());
    let mut connection = docket_projections::connect::connect_options(&postgres.url())
        .unwrap()
        .connect()
        .await
        .unwrap();
    let database: String = sqlx::query_scalar("SELECT current_database()")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(database, "docket");
    connection.close().await.unwrap();
    postgres.close().await.unwrap();
}

#[tokio::test]
async fn the_server_is_set_up_as_durable_and_closed() {
    let folder = temporary_data_dir().unwrap();
    let postgres = PrivatePostgres::open(Options::new(folder.path()))
        .await
        .unwrap();

    for (setting, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("max_connections", "60"),
        ("search_path", "docket_read,public,pg_temp"),
        ("application_name", "docket"),
    ] {
        let found = ask(&postgres, &format!("SELECT current_setting('{setting}')")).await;
        assert_eq!(found, value, "{setting}");
    }
    assert_eq!(ask(&postgres, "SELECT upper('é')").await, "É");
    assert_eq!(
        std::fs::metadata(postgres.socket_folder()).unwrap().mode() & 0o777,
        0o700,
        "trust is safe only behind a closed folder"
    );
    postgres.close().await.unwrap();
}

#[tokio::test]
async fn a_server_to_throw_away_does_not_wait_for_the_disk() {
    let folder = temporary_data_dir().unwrap();
    let postgres = open(folder.path()).await;

    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let found = ask(&postgres, &format!("SELECT current_setting('{setting}')")).await;
        assert_eq!(found, "off", "{setting}");
    }
    postgres.discard().await.unwrap();
    assert!(!folder.path().join("postgres").exists());
}

#[tokio::test]
async fn a_server_that_others_use_is_not_thrown_away() {
    let folder = temporary_data_dir().unwrap();
    let first = open(folder.path()).await;
    let second = open(folder.path()).await;

    first.discard().await.unwrap();

    assert_eq!(ask(&second, "SELECT 'up'").await, "up");
    second.close().await.unwrap();
}

#[tokio::test]
async fn the_log_holds_nothing_of_statements_and_rows() {
    let folder = temporary_data_dir().unwrap();
    let postgres = open(folder.path()).await;
    execute(&postgres, "CREATE TABLE texts (text text PRIMARY KEY)").await;
    let mut connection = connect(&postgres).await;
    for _ in 0..2 {
        drop(
            sqlx::query("INSERT INTO texts VALUES ($1)")
                .bind("confidential")
                .execute(&mut connection)
                .await,
        );
    }
    // One whose message itself, not only its detail, quotes the value.
    sqlx::query("SELECT $1::text::int /* confidential */")
        .bind("confidential")
        .execute(&mut connection)
        .await
        .unwrap_err();
    // And one that ends in a crash of the process that runs it, which Postgres reports with the statement.
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let running = tokio::spawn(async move {
        sqlx::query("SELECT pg_sleep(60), 'confidential'")
            .execute(&mut connection)
            .await
    });
    wait_until("the statement never ran", async || {
        let running = format!(
            "SELECT (query LIKE '%pg_sleep%')::text FROM pg_stat_activity WHERE pid = {pid}"
        );
        ask(&postgres, &running).await == "true"
    })
    .await;
    kill(&pid.to_string());
    running.await.unwrap().unwrap_err();
    wait_until("the server never came back", async || {
        postgres.connect_options().connect().await.is_ok()
    })
    .await;

    let log_file = postgres.log();
    postgres.close().await.unwrap();

    let log = std::fs::read_to_string(&log_file).unwrap();
    assert!(log.contains("was terminated by signal 9"), "{log}");
    assert!(!log.contains("confidential"), "{log}");
    assert_eq!(std::fs::metadata(&log_file).unwrap().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_process_that_took_the_number_of_a_crashed_server_is_no_obstacle() {
    let folder = temporary_data_dir().unwrap();
    let postgres = open(folder.path()).await;
    let pid_file = postgres.cluster().join("postmaster.pid");
    let text = std::fs::read_to_string(&pid_file).unwrap();
    let owner = std::fs::metadata(&pid_file).unwrap();
    let pid = server_pid(postgres.cluster());
    postgres.close().await.unwrap();
    // Of the server's own user, for Postgres ignores those of others by itself.
    let mut bystander = Command::new("cat");
    bystander.stdin(Stdio::piped()).stdout(Stdio::null());
    if is_root(folder.path()) {
        bystander.uid(owner.uid()).gid(owner.gid());
    }
    let mut bystander = bystander.spawn().unwrap();
    std::fs::write(
        &pid_file,
        text.replacen(&pid, &bystander.id().to_string(), 1),
    )
    .unwrap();
    chown(&pid_file, Some(owner.uid()), Some(owner.gid())).unwrap();

    let postgres = open(folder.path()).await;

    assert_eq!(ask(&postgres, "SELECT 'up'").await, "up");
    postgres.close().await.unwrap();
    assert_eq!(bystander.try_wait().unwrap(), None, "it was left alone");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[tokio::test]
async fn an_empty_pid_file_from_a_crash_is_no_obstacle() {
    let folder = temporary_data_dir().unwrap();
    let postgres = open(folder.path()).await;
    let pid_file = postgres.cluster().join("postmaster.pid");
    postgres.close().await.unwrap();
    std::fs::write(&pid_file, "").unwrap();

    let postgres = open(folder.path()).await;

    assert_eq!(ask(&postgres, "SELECT 'up'").await, "up");
    postgres.close().await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why_and_holds_no_lock() {
    let folder = temporary_data_dir().unwrap();
    let postgres = open(folder.path()).await;
    let control = postgres.cluster().join("global/pg_control");
    postgres.close().await.unwrap();
    let moved = folder.path().join("pg_control");
    std::fs::rename(&control, &moved).unwrap();

    let error = PrivatePostgres::open(quick(folder.path()))
        .await
        .unwrap_err();

    assert!(
        matches!(error, PrivatePostgresError::Exited { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("could not find the database system"),
        "{error}"
    );

    std::fs::rename(&moved, &control).unwrap();
    open(folder.path()).await.close().await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_another_version_is_left_alone() {
    let folder = temporary_data_dir().unwrap();
    let postgres = open(folder.path()).await;
    let version = postgres.cluster().join("PG_VERSION");
    postgres.close().await.unwrap();
    std::fs::write(&version, "9\n").unwrap();

    let error = PrivatePostgres::open(quick(folder.path()))
        .await
        .unwrap_err();

    assert!(
        matches!(error, PrivatePostgresError::OtherVersion { major: 9, .. }),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_server_gets_nothing_of_our_environment() {
    assert!(
        std::env::var_os("CARGO_MANIFEST_DIR").is_some(),
        "the test needs a variable that the server must not get"
    );
    let folder = temporary_data_dir().unwrap();
    let postgres = open(folder.path()).await;

    let pid = server_pid(postgres.cluster());
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let variables: Vec<_> = environment
        .split(|byte| *byte == 0)
        .filter(|variable| !variable.is_empty())
        .map(String::from_utf8_lossy)
        .collect();

    // What Postgres sets itself begins with PG, and it sets the parts of the locale one by one.
    for variable in &variables {
        assert!(
            ["PATH=", "LD_LIBRARY_PATH=", "LC_", "PG"]
                .iter()
                .any(|known| variable.starts_with(known)),
            "{variable}"
        );
    }
    postgres.close().await.unwrap();
}

#[tokio::test]
async fn root_runs_the_server_as_somebody_else() {
    let folder = temporary_data_dir().unwrap();
    let us = std::fs::metadata(folder.path()).unwrap().uid();
    let postgres = open(folder.path()).await;

    let owner = std::fs::metadata(postgres.cluster()).unwrap().uid();

    // Postgres runs only as the owner of its cluster, and never as root.
    assert_eq!(owner == us, us != 0);
    postgres.close().await.unwrap();
}

/// Only root runs the server as another user, who may then not reach the data folder.
#[tokio::test]
async fn a_data_folder_closed_to_the_server_has_its_cluster_elsewhere() {
    let folder = temporary_data_dir().unwrap();
    if !is_root(folder.path()) {
        return;
    }
    let state_dir = temporary_data_dir().unwrap();
    let data_dir = folder.path().join("closed/docket-data");
    std::fs::create_dir_all(&data_dir).unwrap();
    std::fs::set_permissions(
        folder.path().join("closed"),
        std::fs::Permissions::from_mode(0o700),
    )
    .unwrap();
    let options = Options {
        state_dir: state_dir.path().to_owned(),
        ..quick(&data_dir)
    };

    let postgres = PrivatePostgres::open(options.clone()).await.unwrap();
    assert!(postgres.cluster().starts_with(state_dir.path()));
    execute(
        &postgres,
        "CREATE TABLE kept AS SELECT 'still here' AS text",
    )
    .await;
    let home = postgres.cluster().parent().unwrap().to_owned();
    let mut written = home.as_os_str().as_bytes().to_vec();
    written.push(b'\n');
    assert_eq!(
        std::fs::read(data_dir.join("postgres.location")).unwrap(),
        written
    );
    postgres.close().await.unwrap();

    let postgres = PrivatePostgres::open(options.clone()).await.unwrap();
    assert_eq!(ask(&postgres, "SELECT text FROM kept").await, "still here");
    postgres.close().await.unwrap();

    // A data folder that was deleted and made again begins anew, and the old database is left to its owner.
    std::fs::remove_dir_all(&data_dir).unwrap();
    let postgres = PrivatePostgres::open(options.clone()).await.unwrap();
    assert_ne!(postgres.cluster().parent().unwrap(), home);
    assert!(home.join("postgres/PG_VERSION").exists());
    postgres.discard().await.unwrap();
    assert!(!data_dir.join("postgres.location").exists());

    // A place that is gone is reported, not replaced by an empty database.
    std::fs::write(data_dir.join("postgres.location"), "/nonexistent/docket\n").unwrap();
    let error = PrivatePostgres::open(options).await.unwrap_err();
    assert!(
        matches!(error, PrivatePostgresError::LocationGone { .. }),
        "{error}"
    );
}

/// A cluster that was reachable once must not be replaced by an empty one elsewhere when it no longer is.
#[tokio::test]
async fn a_cluster_that_became_unreachable_is_reported() {
    let folder = temporary_data_dir().unwrap();
    if !is_root(folder.path()) {
        return;
    }
    open(folder.path()).await.close().await.unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();

    let error = PrivatePostgres::open(quick(folder.path()))
        .await
        .unwrap_err();

    assert!(
        matches!(error, PrivatePostgresError::Unreachable { .. }),
        "{error}"
    );
}

/// Kubernetes opens the folders of a volume to its `fsGroup` at every mount.
#[tokio::test]
async fn a_cluster_that_was_opened_to_others_is_closed_and_used() {
    let folder = temporary_data_dir().unwrap();
    let postgres = open(folder.path()).await;
    execute(
        &postgres,
        "CREATE TABLE kept AS SELECT 'still here' AS text",
    )
    .await;
    let cluster = postgres.cluster().to_owned();
    postgres.close().await.unwrap();
    for (opened, closed) in [
        (0o770, 0o750),
        (0o2770, 0o750),
        (0o2775, 0o750),
        (0o777, 0o750),
        (0o705, 0o700),
        (0o702, 0o700),
        (0o750, 0o750),
        (0o700, 0o700),
    ] {
        std::fs::set_permissions(&cluster, std::fs::Permissions::from_mode(opened)).unwrap();

        let postgres = open(folder.path()).await;

        let mode = std::fs::metadata(&cluster).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, closed, "{opened:o}");
        assert_eq!(ask(&postgres, "SELECT text FROM kept").await, "still here");
        postgres.close().await.unwrap();
    }
}
