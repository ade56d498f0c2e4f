//! A Postgres of a test's own, which can be made to crash.

use std::process::Command;

use docket_projections::private_postgres::{Options, PrivatePostgres, temporary_data_dir};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// All its processes are killed at once, as when the machine loses power.
    Whole,
    /// Its first process is killed alone; those that serve connections end where they are.
    Head,
    /// It is told to shut down at once, and tells nobody why.
    Immediate,
}

/// A Postgres in a temporary folder.
pub struct Server {
    postgres: PrivatePostgres,
    // Dropped, and so deleted, after the server.
    _folder: TempDir,
}

impl Server {
    /// Starts a server that keeps what is committed, whatever happens to it.
    pub async fn start() -> Self {
        let folder = temporary_data_dir().expect("a temporary folder can be made");
        let options = Options {
            max_connections: 120,
            ..Options::new(folder.path())
        };
        let postgres = PrivatePostgres::open(options)
            .await
            .expect("a Postgres can be started");
        Self {
            postgres,
            _folder: folder,
        }
    }

    /// The URL of its database, by its socket.
    pub fn url(&self) -> String {
        self.postgres.url()
    }

    /// The URL of its database for who connects to a port of this machine.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://docket@127.0.0.1:{port}/docket?sslmode=disable")
    }

    /// Its socket.
    pub fn socket(&self) -> std::path::PathBuf {
        self.postgres.socket_folder().join(".s.PGSQL.5432")
    }

    /// Ends it without warning.
    pub fn crash(&self, how: Crash) {
        crash(&self.postgres, how);
    }

    /// Starts it again after a crash, and waits until it takes connections.
    pub async fn ensure_running(&self) {
        self.postgres
            .ensure_running()
            .await
            .expect("the server starts again");
    }

    /// Stops it and deletes everything.
    pub async fn discard(self) {
        self.postgres
            .discard()
            .await
            .expect("the server can be thrown away");
    }
}

/// Ends a server without warning.
pub fn crash(postgres: &PrivatePostgres, how: Crash) {
    let file = std::fs::read_to_string(postgres.cluster().join("postmaster.pid"))
        .expect("a running server has a file of its process");
    let server = file.lines().next().unwrap_or_default().trim();
    let listed = Command::new("ps")
        .args(["-A", "-o", "pid=,ppid="])
        .output()
        .expect("every system has ps");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let backends = listed.lines().filter_map(|line| {
        let (pid, parent) = line.trim().split_once(' ')?;
        (how == Crash::Whole && parent.trim() == server).then_some(pid)
    });
    let signal = match how {
        Crash::Immediate => Signal::QUIT,
        Crash::Whole | Crash::Head => Signal::KILL,
    };
    for pid in std::iter::once(server).chain(backends) {
        let pid = pid.parse().ok().and_then(Pid::from_raw);
        // A backend may have ended by itself by now.
        let _ = kill_process(pid.expect("a process has a number"), signal);
    }
}
