//! A real `PgBouncer` between Docket and its database.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use docket_tests::docket::refused;
use docket_tests::installation::Installation;
use docket_tests::log;
use docket_tests::waiting::{BOUND, wait_until};
use tempfile::TempDir;

use crate::help_desk::{HelpDesk, customer};

/// A pooler on a port of its own; it ends when the value goes.
struct Pooler {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It fails only where the process has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Pooler {
    async fn start(installation: &Installation, settings: &str) -> Self {
        let socket: String =
            sqlx::query_scalar("SELECT current_setting('unix_socket_directories')")
                .fetch_one(&installation.pool)
                .await
                .unwrap();
        let socket = socket.trim_matches('"').to_owned();
        // Whoever owns the socket's folder may enter it.
        let owner = std::fs::metadata(&socket).unwrap();
        let folder = docket_projections::private_postgres::temporary_data_dir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(
            &file,
            format!(
                "[databases]\n* = host={socket} port=5432 user=docket\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = any\nmax_client_conn = 200\ndefault_pool_size = 50\n{settings}\n"
            ),
        )
        .unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
        let mut command = Command::new(program());
        command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if owner.uid() != std::fs::metadata(folder.path()).unwrap().uid() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let process = command
            .spawn()
            .expect("pgbouncer is installed by .ci/setup tests");
        let pooler = Self {
            process,
            port,
            _folder: folder,
        };
        wait_until("the pooler listens", BOUND, async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .map(drop)
        })
        .await;
        pooler
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://anybody@127.0.0.1:{}/{database}", self.port)
    }
}

/// Debian puts it where the paths of ordinary users do not lead.
fn program() -> &'static str {
    let debian = "/usr/sbin/pgbouncer";
    if std::path::Path::new(debian).exists() {
        debian
    } else {
        "pgbouncer"
    }
}

async fn database_of(installation: &Installation) -> String {
    sqlx::query_scalar("SELECT current_database()")
        .fetch_one(&installation.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_pooler_that_pools_sessions_is_no_hindrance() {
    for settings in [
        "pool_mode = session",
        "pool_mode = session\nignore_startup_parameters = options",
        "pool_mode = session\nignore_startup_parameters = extra_float_digits,options",
    ] {
        let mut installation = Installation::new().await;
        let pooler = Pooler::start(&installation, settings).await;
        let database = database_of(&installation).await;
        installation.set("DATABASE_URL", &pooler.url(&database));
        let desk = HelpDesk::open_in(installation, None).await;
        let reference = desk.first_case(&customer(1), "Hello").await;
        let message_id = desk.owner.reply(reference, "Good morning.").await;
        desk.owner
            .delivery(reference, &message_id, "delivered")
            .await;
        log::assert_sound(&desk.installation.pool).await;
        desk.close().await;
    }
}

#[tokio::test]
async fn a_pooler_that_pools_transactions_or_statements_is_refused_with_a_sentence() {
    for mode in ["transaction", "statement"] {
        for others in [
            "",
            "\nserver_round_robin = 1",
            "\nserver_reset_query_always = 1",
        ] {
            let mut installation = Installation::new().await;
            let pooler = Pooler::start(&installation, &format!("pool_mode = {mode}{others}")).await;
            let database = database_of(&installation).await;
            installation.set("DATABASE_URL", &pooler.url(&database));
            installation.set("DOCKET_LISTEN", "127.0.0.1:0");
            let ended = refused(installation.environment()).await;
            assert_eq!(ended.code, Some(1), "{mode}{others}: {}", ended.stderr);
            assert!(
                ended.stderr.contains("pool_mode = session"),
                "{mode}{others}: {}",
                ended.stderr
            );
            installation.close().await;
        }
    }
}
