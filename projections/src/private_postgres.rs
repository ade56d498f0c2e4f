//! The Postgres that Docket runs by itself when it is given no `DATABASE_URL`.
//!
//! It runs from the server programs that are installed on the machine, keeps its cluster in the data folder, and listens
//! on a Unix socket only. What always holds:
//!
//! - One server a data folder, shared by all processes that open it: `docket user add` beside `docket serve` joins the
//!   server that runs. Each holds a shared lock on `postgres.users` while it uses the server; starting and stopping happen
//!   under an exclusive lock on `postgres.lock`. The locks die with their process, so none is ever stale.
//! - The last that closes stops the server. After a kill the server keeps running, and the next that opens it joins it.
//! - A cluster exists whole or not at all: it is made beside its place and renamed.
//! - Nobody but the server's user and root reaches the socket (see `place`).
//! - The server's log holds no statement, parameter or value of a row.
//! - The server gets none of our environment, which holds secrets.

mod installation;
mod place;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use self::installation::Installation;
pub use self::place::temporary_data_dir;
use self::place::{Place, ServerUser, folder_error};
use crate::connect::Connector;

/// The superuser of the cluster, which Docket connects as.
const USER: &str = "docket";

/// Part of the socket's name. Said everywhere, since both sides would otherwise take it from `PGPORT`.
const PORT: u16 = 5432;

/// How often a condition is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(25);

/// How long a server may stay silent after it was started.
const SILENT_MAX: Duration = Duration::from_mins(1);

/// How long a server may answer that it is still starting up, which it does while it recovers from a crash.
const RECOVERY_MAX: Duration = Duration::from_mins(10);

/// How long one attempt to connect may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long to wait for another process that is starting or stopping the server: longer than either takes.
const LOCK_MAX: Duration = Duration::from_mins(12);

/// How long making a cluster may take; on a slow disk it has been seen to take half a minute.
const INITDB_MAX: Duration = Duration::from_mins(5);

/// How long the server may take to stop, in seconds: it writes out what is in memory first.
const STOP_MAX_SECONDS: &str = "120";

/// How long `postmaster.pid` may be empty. A server that starts fills it at once; a crash of the machine can leave it so,
/// and then no server would ever start again.
const EMPTY_PID_FILE_MAX: Duration = Duration::from_secs(2);

/// The size in bytes from which the server's log is set aside when the server starts.
const LOG_MAX: u64 = 10 * 1024 * 1024;

/// How much of the log's end an error shows, in lines.
const TAIL_LINES: usize = 15;

/// How to run the private server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Docket's data folder, made if it is missing. The cluster lies in `postgres` in it, its log in `postgres.log`.
    pub data_dir: PathBuf,
    /// Where the cluster's folder is made instead if we are root and the server's user cannot reach the data folder, as
    /// below `/root`; the file `postgres.location` in the data folder then says where.
    pub state_dir: PathBuf,
    /// Whether what is committed survives a crash. False only for servers that are thrown away, such as those of tests.
    pub durable: bool,
    /// The database to connect to, made if it is missing.
    pub database: String,
    /// How many connections the server takes.
    pub max_connections: u16,
}

impl Options {
    /// A durable server for the data folder `data_dir` with the database `docket` and 60 connections.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let state_dir = if cfg!(target_os = "macos") {
            "/var/db"
        } else {
            "/var/lib"
        };
        Self {
            data_dir: data_dir.into(),
            state_dir: state_dir.into(),
            durable: true,
            database: "docket".to_owned(),
            max_connections: 60,
        }
    }
}

/// Why the private server cannot be had. Each says what can be done.
#[derive(Debug, thiserror::Error)]
pub enum PrivatePostgresError {
    /// No server programs were found.
    #[error(
        "No Postgres server programs are installed. Install them (Debian and Ubuntu: `sudo apt-get install postgresql`; \
         macOS: `brew install postgresql@17`), or set DATABASE_URL to a Postgres that runs elsewhere."
    )]
    NotInstalled,
    /// Only versions were found that Docket does not run on.
    #[error(
        "Postgres {major} in {folder} is too old. Install Postgres {oldest} or newer, or set DATABASE_URL to one that \
         runs elsewhere.",
        folder = folder.display()
    )]
    TooOld {
        /// Where the first of them is.
        folder: PathBuf,
        /// Its major version.
        major: u32,
        /// The oldest major version that will do.
        oldest: u32,
    },
    /// The cluster was made by a major version that is not installed.
    #[error(
        "The database in {cluster} was made by Postgres {major}, and only {installed} is installed. Install Postgres \
         {major} again, or bring the database over with pg_upgrade, or dump it and set DATABASE_URL to where it went.",
        cluster = cluster.display()
    )]
    OtherVersion {
        /// The cluster's folder.
        cluster: PathBuf,
        /// The major version that made it.
        major: u32,
        /// The major versions that are installed, separated by commas.
        installed: String,
    },
    /// Where the cluster should be is something else.
    #[error("{path} is not a Postgres cluster. Move it away, or set another data folder.", path = path.display())]
    NotACluster {
        /// The folder in question.
        path: PathBuf,
    },
    /// We are root, which Postgres refuses to run as, and there is nobody else.
    #[error(
        "Postgres does not run as root, and neither a user `postgres` nor `nobody` exists. Make one, or run docket as an \
         ordinary user, or set DATABASE_URL."
    )]
    NoUnprivilegedUser,
    /// The cluster belongs to a user that we cannot run the server as.
    #[error(
        "The database in {cluster} belongs to the user with id {uid}. Run docket as that user, or as root if that user is \
         not root, or give the folder to the right user with chown.",
        cluster = cluster.display()
    )]
    OtherOwner {
        /// The cluster's folder.
        cluster: PathBuf,
        /// Whom it belongs to.
        uid: u32,
    },
    /// A folder on the way to the cluster is closed to the server's user.
    #[error(
        "The database server runs as the user with id {uid}, who may not pass through {folder}. Let that user pass \
         (`chmod o+x`), or set another data folder.",
        folder = folder.display()
    )]
    Unreachable {
        /// The outermost closed folder.
        folder: PathBuf,
        /// The server's user.
        uid: u32,
    },
    /// The folder that the data folder names as the place of the cluster is not there.
    #[error(
        "{file} says that the database lies in {location}, which is no folder. Bring it back, or delete the file to begin \
         with an empty database.",
        file = file.display(),
        location = location.display()
    )]
    LocationGone {
        /// The file that names the place.
        file: PathBuf,
        /// The place that it names.
        location: PathBuf,
    },
    /// Somebody else may have made, or may reach into, the folder that the socket was to be in.
    #[error(
        "{path} is open to other users or belongs to one. Delete it, or set a data folder with a shorter path.",
        path = path.display()
    )]
    PlantedFolder {
        /// The folder in question.
        path: PathBuf,
    },
    /// A file or folder cannot be used.
    #[error("Cannot use {path} for the private Postgres.", path = path.display())]
    Folder {
        /// The file or folder in question.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has been starting or stopping the server for minutes.
    #[error(
        "Another docket process has held {path} for too long. Look for one that hangs, and end it.",
        path = path.display()
    )]
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// A server program cannot be run.
    #[error("Cannot run {program}. See that it is installed whole, or set DATABASE_URL.", program = program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The cluster's folder is open to others, and we may not change that.
    #[error(
        "The database in {cluster} is open to other users (mode {mode:04o}), which Postgres refuses, and that cannot be changed \
         ({source}). Close the folder with `chmod 0700 {cluster}`.",
        cluster = cluster.display()
    )]
    OpenToOthers {
        /// The cluster's folder.
        cluster: PathBuf,
        /// Its mode.
        mode: u32,
        /// What the system said.
        source: io::Error,
    },
    /// The system knows no name of the user that we run as, and initdb asks for one.
    #[error(
        "Docket runs as the user with id {uid}, who has no name on this system, and Postgres makes no database without one. Add \
         the line `docket:x:{uid}:{gid}:Docket:/:/sbin/nologin` to /etc/passwd of the container, or run docket as a user who has a \
         name, or set DATABASE_URL to a Postgres that runs elsewhere."
    )]
    Nameless {
        /// The user's id.
        uid: u32,
        /// The id of the user's group.
        gid: u32,
    },
    /// The cluster could not be made.
    #[error("initdb could not make a database in {cluster}. It said:\n{output}", cluster = cluster.display())]
    Initdb {
        /// The folder of the cluster.
        cluster: PathBuf,
        /// The end of what it wrote.
        output: String,
    },
    /// The server ended instead of starting.
    #[error("The database server did not start ({status}). The end of its log {log}:\n{tail}", log = log.display())]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
    },
    /// The server takes no connections in time.
    #[error(
        "The database server takes no connections, though it was given {seconds} seconds. The end of its log {log}:\n{tail}",
        seconds = waited.as_secs(),
        log = log.display()
    )]
    NotReady {
        /// How long we waited.
        waited: Duration,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
        /// What the last attempt to connect met with.
        source: Option<sqlx::Error>,
    },
    /// The server does not stop.
    #[error("The database server in {cluster} did not stop. pg_ctl said:\n{output}", cluster = cluster.display())]
    NotStopped {
        /// The cluster's folder.
        cluster: PathBuf,
        /// What `pg_ctl` wrote.
        output: String,
    },
    /// The server runs, but a statement failed.
    #[error("The private Postgres refused to be set up.")]
    Database(#[from] sqlx::Error),
}

type Result<T, E = PrivatePostgresError> = std::result::Result<T, E>;

/// A running private server, and our share in it.
///
/// To be given back with [`PrivatePostgres::close`]. A value that is merely dropped leaves the server running, to be
/// joined by the next process that opens the same data folder.
#[derive(Debug)]
pub struct PrivatePostgres {
    options: Options,
    place: Place,
    socket_folder: PathBuf,
    installation: Installation,
    /// Locked shared for as long as we use the server.
    users: File,
    /// The server, if it was we who started it. Kept so that its end is noticed, or it would stay as a zombie.
    child: Mutex<Option<Child>>,
}

impl PrivatePostgres {
    /// Joins the server of the data folder, or starts it, making the cluster and the database at first use.
    ///
    /// Waits up to 60 seconds for a server that says nothing, and up to 10 minutes for one that recovers from a crash.
    ///
    /// # Errors
    ///
    /// Any [`PrivatePostgresError`]. A server that was started and did not become ready is stopped again.
    pub async fn open(options: Options) -> Result<Self> {
        let data_dir = place::make_data_dir(&options.data_dir)?;
        let place = {
            let _deciding = lock(&data_dir.join("postgres.lock")).await?;
            Place::find(&data_dir, &options.state_dir)?
        };

        // The locks lie with the cluster, so that two data folders that name the same place share them as well.
        let lock = lock(&place.home.join("postgres.lock")).await?;
        let installation = match std::fs::metadata(&place.cluster) {
            Ok(_) => Installation::for_cluster(&place.cluster, place.user)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let installation = Installation::for_new_cluster(place.user)?;
                make_cluster(&place, &installation, options.durable).await?;
                installation
            }
            Err(error) => return Err(folder_error(&place.cluster)(error)),
        };
        let users_file = place.home.join("postgres.users");
        let users = open_lock_file(&users_file)?;
        // Nobody holds it exclusively but under the lock that we have.
        users.lock_shared().map_err(folder_error(&users_file))?;

        let this = Self {
            socket_folder: place.socket_folder()?,
            options,
            place,
            installation,
            users,
            child: Mutex::new(None),
        };
        if let Err(error) = this.start_and_prepare().await {
            if let Err(error) = this.stop_if_last().await {
                tracing::warn!(%error, "the database server that did not become ready did not stop either");
            }
            return Err(error);
        }
        drop(lock);
        Ok(this)
    }

    /// Starts the server again if it has ended, as after it was killed; does nothing if it runs.
    ///
    /// # Errors
    ///
    /// As [`PrivatePostgres::open`], but a server that does not become ready is left alone.
    pub async fn ensure_running(&self) -> Result<()> {
        let _lock = self.lock().await?;
        self.start_and_prepare().await
    }

    /// How to connect to the database (see [`crate::connect`]).
    pub fn connect_options(&self) -> Connector {
        self.plain_connect_options(&self.options.database).into()
    }

    /// A URL of the database that both sqlx and Postgres's own programs understand. It holds no secret: who may enter
    /// the socket's folder is let in.
    pub fn url(&self) -> String {
        format!(
            "postgres:///{}?host={}&port={PORT}&user={USER}&sslmode=disable",
            percent_encode(self.options.database.as_bytes()),
            percent_encode(self.socket_folder.as_os_str().as_bytes())
        )
    }

    /// The cluster's folder.
    pub fn cluster(&self) -> &Path {
        &self.place.cluster
    }

    /// The folder of the server's socket, as for `psql -h`.
    pub fn socket_folder(&self) -> &Path {
        &self.socket_folder
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.place.data_dir.join("postgres.log")
    }

    /// Gives our share in the server back, and stops the server if nobody else uses it. Connections are to be closed
    /// before; the server breaks those that are left.
    ///
    /// # Errors
    ///
    /// [`PrivatePostgresError::NotStopped`], or what the system said when it could not be tried.
    pub async fn close(self) -> Result<()> {
        let _lock = self.lock().await?;
        self.stop_if_last().await?;
        Ok(())
    }

    /// As [`PrivatePostgres::close`], and deletes the database for good if nobody else uses it. For servers that are thrown
    /// away.
    ///
    /// # Errors
    ///
    /// As [`PrivatePostgres::close`], and [`PrivatePostgresError::Folder`] when something cannot be deleted.
    pub async fn discard(self) -> Result<()> {
        let _lock = self.lock().await?;
        if self.stop_if_last().await? {
            std::fs::remove_dir_all(&self.place.cluster)
                .map_err(folder_error(&self.place.cluster))?;
            self.place.remove_home_elsewhere()?;
        }
        Ok(())
    }

    async fn lock(&self) -> Result<File> {
        lock(&self.place.home.join("postgres.lock")).await
    }

    fn plain_connect_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_folder)
            .port(PORT)
            .username(USER)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// Makes sure, under the lock, that the server runs and has our database.
    async fn start_and_prepare(&self) -> Result<()> {
        let mut connection = self.start().await?;
        let exists: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
                .bind(&self.options.database)
                .fetch_one(&mut connection)
                .await?;
        if !exists {
            let name = self.options.database.replace('"', "\"\"");
            sqlx::query(&format!("CREATE DATABASE \"{name}\""))
                .execute(&mut connection)
                .await?;
        }
        connection.close().await?;
        Ok(())
    }

    /// Connects to the server, starting it if it does not run.
    async fn start(&self) -> Result<PgConnection> {
        let mut child = self.child.lock().await;
        let mut log_start = self.log_length();
        let mut silent = Duration::ZERO;
        let mut recovering = Duration::ZERO;
        let mut pid_file_empty = Duration::ZERO;
        let mut spawned = false;
        loop {
            let (refusal, waited) = match self.try_connect().await {
                Attempt::Ready(connection) => return Ok(connection),
                Attempt::StartingUp(error) => {
                    recovering += POLL;
                    (Some(error), recovering)
                }
                Attempt::Silent(error) => {
                    silent += POLL;
                    (Some(error), silent)
                }
                Attempt::Hung => {
                    silent += CONNECT_MAX;
                    (None, silent)
                }
                Attempt::Refused(error) => return Err(error.into()),
            };
            if silent >= SILENT_MAX || recovering >= RECOVERY_MAX {
                return Err(PrivatePostgresError::NotReady {
                    waited,
                    log: self.log(),
                    tail: self.log_tail(log_start),
                    source: refusal,
                });
            }

            let ended = match child.as_mut() {
                Some(running) => running.try_wait().map_err(self.run_error("postgres"))?,
                None => None,
            };
            if ended.is_some() {
                *child = None;
            }
            let server = server_process(&self.place.cluster)?;
            // The end of a server that was started before is why we are here.
            if let Some(status) = ended
                && spawned
                && matches!(server, ServerProcess::None | ServerProcess::Other(_))
            {
                let said = self.log_tail(log_start);
                // The processes of a server that was killed take a moment to notice, and none may start before they are
                // gone.
                if !said.contains("pre-existing shared memory block") {
                    return Err(PrivatePostgresError::Exited {
                        status,
                        log: self.log(),
                        tail: said,
                    });
                }
            }
            if child.is_none() {
                match server {
                    ServerProcess::Running => {}
                    ServerProcess::Unknown if pid_file_empty < EMPTY_PID_FILE_MAX => {
                        pid_file_empty += POLL;
                    }
                    ServerProcess::Unknown => {
                        let pid_file = pid_file(&self.place.cluster);
                        std::fs::remove_file(&pid_file).map_err(folder_error(&pid_file))?;
                    }
                    ServerProcess::None | ServerProcess::Other(_) => {
                        self.set_log_aside()?;
                        log_start = self.log_length();
                        *child = Some(self.spawn(&server)?);
                        spawned = true;
                    }
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn try_connect(&self) -> Attempt {
        let options = self
            .plain_connect_options("postgres")
            .disable_statement_logging();
        match tokio::time::timeout(CONNECT_MAX, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => Attempt::Ready(connection),
            Ok(Err(error)) => match error {
                // cannot_connect_now: it is starting up, or shutting down.
                sqlx::Error::Database(refusal) if refusal.code().as_deref() == Some("57P03") => {
                    Attempt::StartingUp(sqlx::Error::Database(refusal))
                }
                sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Attempt::Silent(error),
                other => Attempt::Refused(other),
            },
            Err(_) => Attempt::Hung,
        }
    }

    /// Starts the server, given what `postmaster.pid` says of one.
    fn spawn(&self, found: &ServerProcess) -> Result<Child> {
        let log_file = self.log();
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&log_file)
            .map_err(folder_error(&log_file))?;
        let errors = log.try_clone().map_err(folder_error(&log_file))?;

        let mut command = Command::from(command(
            &self.installation.program("postgres"),
            self.place.user,
        ));
        if let ServerProcess::Other(pid) = found {
            // Postgres refuses to start while the process in `postmaster.pid` lives, whatever process it is: after a
            // restart of a container another one may well have the number. It makes an exception for its grandparent,
            // named here, and still looks for processes of a server that was killed, which it would not without the file.
            command.env("PG_GRANDPARENT_PID", pid.to_string());
        }
        command
            .arg("-D")
            .arg(&self.place.cluster)
            .args(settings(&self.options, &self.socket_folder))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // Ctrl-C in a terminal goes to our process group; the server must outlive our drain.
            .process_group(0)
            .spawn()
            .map_err(self.run_error("postgres"))
    }

    /// Gives our share back, under the lock, and stops the server if nobody else has one. Whether nobody had.
    async fn stop_if_last(&self) -> Result<bool> {
        let users_file = self.place.home.join("postgres.users");
        self.users.unlock().map_err(folder_error(&users_file))?;
        match self.users.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(folder_error(&users_file)(error)),
        }
        let stopped = self.stop().await;
        self.users.unlock().map_err(folder_error(&users_file))?;
        stopped?;
        if self.socket_folder != self.place.cluster {
            // Left behind, it does no harm.
            drop(std::fs::remove_dir(&self.socket_folder));
        }
        Ok(true)
    }

    async fn stop(&self) -> Result<()> {
        let mut child = self.child.lock().await;
        let runs = matches!(server_process(&self.place.cluster)?, ServerProcess::Running);
        if runs {
            // As the server's user rather than with a signal of our own: as root we would signal any process whose number
            // that user wrote into the file.
            let program = self.installation.program("pg_ctl");
            let mut pg_ctl = Command::from(command(&program, self.place.user));
            let output = pg_ctl
                .args([
                    "stop",
                    "--mode=fast",
                    "--wait",
                    "--timeout",
                    STOP_MAX_SECONDS,
                ])
                .arg("--pgdata")
                .arg(&self.place.cluster)
                .stdin(Stdio::null())
                .process_group(0)
                .output()
                .await
                .map_err(self.run_error("pg_ctl"))?;
            if !output.status.success()
                && matches!(server_process(&self.place.cluster)?, ServerProcess::Running)
            {
                return Err(PrivatePostgresError::NotStopped {
                    cluster: self.place.cluster.clone(),
                    output: output_tail(&output),
                });
            }
        }
        if let Some(mut child) = child.take() {
            if !runs {
                // It got no further than being started, so killing it loses nothing.
                child.start_kill().map_err(self.run_error("postgres"))?;
            }
            child.wait().await.map_err(self.run_error("postgres"))?;
        }
        Ok(())
    }

    fn run_error(&self, program: &str) -> impl FnOnce(io::Error) -> PrivatePostgresError {
        let program = self.installation.program(program);
        move |source| PrivatePostgresError::Run { program, source }
    }

    fn set_log_aside(&self) -> Result<()> {
        let log = self.log();
        if self.log_length() < LOG_MAX {
            return Ok(());
        }
        std::fs::rename(&log, log.with_extension("log.old")).map_err(folder_error(&log))
    }

    fn log_length(&self) -> u64 {
        std::fs::metadata(self.log()).map_or(0, |metadata| metadata.len())
    }

    /// The last lines that were written to the log after its first `start` bytes.
    fn log_tail(&self, start: u64) -> String {
        let read = || {
            let mut file = File::open(self.log())?;
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::new();
            file.take(LOG_MAX).read_to_end(&mut bytes)?;
            Ok::<_, io::Error>(tail(&bytes))
        };
        read().unwrap_or_else(|error| format!("(the log cannot be read: {error})"))
    }
}

/// What came of an attempt to connect.
enum Attempt {
    Ready(PgConnection),
    /// The server answers, and takes no connections yet or no more.
    StartingUp(sqlx::Error),
    /// There is nobody at the socket.
    Silent(sqlx::Error),
    /// Somebody is at the socket and does not answer.
    Hung,
    /// The server answers, and waiting will not help.
    Refused(sqlx::Error),
}

/// What `postmaster.pid` and the list of processes say about the server of a cluster.
#[derive(Debug)]
enum ServerProcess {
    None,
    Running,
    /// The file is empty: a server is about to fill it, or the machine crashed when one was.
    Unknown,
    /// The process that the file names lives and is another program.
    Other(u32),
}

fn pid_file(cluster: &Path) -> PathBuf {
    cluster.join("postmaster.pid")
}

fn server_process(cluster: &Path) -> Result<ServerProcess> {
    let pid_file = pid_file(cluster);
    let text = match std::fs::read_to_string(&pid_file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ServerProcess::None),
        Err(error) => return Err(folder_error(&pid_file)(error)),
    };
    let Some(Ok(pid)) = text.lines().next().map(|line| line.trim().parse::<u32>()) else {
        return Ok(ServerProcess::Unknown);
    };
    Ok(match arguments_of(pid) {
        None => ServerProcess::None,
        // Compared as bytes, for `ps` joins the arguments with spaces.
        Some(arguments) if contains(&arguments, cluster.as_os_str().as_bytes()) => {
            ServerProcess::Running
        }
        Some(_) => ServerProcess::Other(pid),
    })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The command line of a process, or `None` if there is no such process. Every user may see it.
fn arguments_of(pid: u32) -> Option<Vec<u8>> {
    if Path::new("/proc/self/cmdline").exists() {
        return std::fs::read(format!("/proc/{pid}/cmdline")).ok();
    }
    let output = std::process::Command::new("/bin/ps")
        .args(["-ww", "-o", "command=", "-p", &pid.to_string()])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}

/// A server program, to be run as `user` with nothing of our environment but where programs and libraries are: the rest
/// holds secrets, and settings such as `PGOPTIONS` or `PGDATA` that are not meant for this server.
fn command(program: &Path, user: Option<ServerUser>) -> std::process::Command {
    use std::os::unix::process::CommandExt;

    let mut command = std::process::Command::new(program);
    command
        .env_clear()
        .envs(
            ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"]
                .into_iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        // Messages are read for their words above; and without a locale, Postgres does not start on macOS.
        .env("LC_ALL", "C")
        // The server's user may not be allowed into the folder that we are in.
        .current_dir("/");
    if let Some(user) = user {
        // The standard library drops our supplementary groups along with root.
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// The server's settings, as arguments. They win over those in the cluster's files, so that neither a distribution's
/// template nor `ALTER SYSTEM` can open a port, weaken what is durable or log what must not be logged.
fn settings(options: &Options, socket_folder: &Path) -> Vec<std::ffi::OsString> {
    let durable = if options.durable { "on" } else { "off" };
    let fixed = [
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("ssl", "off"),
        ("cluster_name", "docket"),
        // Kept small: the machine is shared with docket and whatever else runs there.
        ("shared_buffers", "64MB"),
        ("fsync", durable),
        ("synchronous_commit", durable),
        ("full_page_writes", durable),
        // Our statements are short; compiling one takes longer than running it.
        ("jit", "off"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("log_destination", "stderr"),
        ("logging_collector", "off"),
        ("log_line_prefix", "%m [%p] "),
        // Messages of errors quote values ("invalid input syntax for type integer: …"), so none is logged: an error goes
        // to the client that made it, which is us. Postgres ranks LOG, where it speaks of itself, above ERROR here.
        ("log_min_messages", "log"),
        // Leaves out DETAIL, which quotes rows, and the statement that a crashed process was running.
        ("log_error_verbosity", "terse"),
        ("log_min_error_statement", "panic"),
        ("log_statement", "none"),
        ("log_duration", "off"),
        ("log_min_duration_statement", "-1"),
        ("log_min_duration_sample", "-1"),
        ("log_transaction_sample_rate", "0"),
        ("log_lock_waits", "off"),
        ("log_temp_files", "-1"),
        ("log_parameter_max_length", "0"),
        ("log_parameter_max_length_on_error", "0"),
        ("debug_print_parse", "off"),
        ("debug_print_rewritten", "off"),
        ("debug_print_plan", "off"),
    ];
    let mut arguments: Vec<std::ffi::OsString> = fixed
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .chain([
            ("port", PORT.to_string()),
            ("max_connections", options.max_connections.to_string()),
        ])
        .flat_map(|(name, value)| ["-c".into(), format!("{name}={value}").into()])
        .collect();

    // A list of names, where quotation marks keep commas and spaces together.
    let mut folder = b"unix_socket_directories=\"".to_vec();
    for byte in socket_folder.as_os_str().as_bytes() {
        folder.push(*byte);
        if *byte == b'"' {
            folder.push(*byte);
        }
    }
    folder.push(b'"');
    arguments.push("-c".into());
    arguments.push(std::ffi::OsStr::from_bytes(&folder).to_owned());
    arguments
}

/// Makes the cluster beside its place and moves it there once it is whole, under the lock.
async fn make_cluster(place: &Place, installation: &Installation, durable: bool) -> Result<()> {
    remove_unfinished_clusters(&place.home)?;
    let unfinished = place
        .home
        .join(format!("postgres.new-{}", std::process::id()));
    {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&unfinished)
            .map_err(folder_error(&unfinished))?;
    }
    if let Some(user) = place.user {
        lchown(&unfinished, Some(user.uid), Some(user.gid)).map_err(folder_error(&unfinished))?;
    }

    let program = installation.program("initdb");
    let mut initdb = Command::from(command(&program, place.user));
    initdb
        .arg("--pgdata")
        .arg(&unfinished)
        .args(["--username", USER])
        // Who gets to the socket is let in (see `place`); over the network nobody is, even if it listened.
        .args(["--auth-local=trust", "--auth-host=reject"])
        .args(["--encoding=UTF8", "--data-checksums"])
        // Order by code point, the same on every machine and stable when its C library is updated, which silently breaks
        // indexes in other locales; upper and lower case beyond ASCII still work.
        .args(["--locale=C", lc_ctype(), "--text-search-config=simple"])
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    if !durable {
        initdb.arg("--no-sync");
    }
    let output = match tokio::time::timeout(INITDB_MAX, initdb.output()).await {
        Ok(output) => output.map_err(|source| PrivatePostgresError::Run {
            program: program.clone(),
            source,
        })?,
        Err(_) => {
            return Err(PrivatePostgresError::Initdb {
                cluster: place.cluster.clone(),
                output: format!("(nothing within {} seconds)", INITDB_MAX.as_secs()),
            });
        }
    };
    if !output.status.success() {
        drop(std::fs::remove_dir_all(&unfinished));
        // In the words of LC_ALL=C, which its environment says.
        if output_tail(&output).contains("could not look up effective user ID") {
            return Err(PrivatePostgresError::Nameless {
                uid: rustix::process::geteuid().as_raw(),
                gid: rustix::process::getegid().as_raw(),
            });
        }
        return Err(PrivatePostgresError::Initdb {
            cluster: place.cluster.clone(),
            output: output_tail(&output),
        });
    }

    std::fs::rename(&unfinished, &place.cluster).map_err(folder_error(&place.cluster))?;
    File::open(&place.home)
        .and_then(|home| home.sync_all())
        .map_err(folder_error(&place.home))
}

fn lc_ctype() -> &'static str {
    if cfg!(target_os = "macos") {
        // macOS has no C.UTF-8 in all its versions.
        "--lc-ctype=en_US.UTF-8"
    } else {
        "--lc-ctype=C.UTF-8"
    }
}

/// Deletes what crashes left behind. Nobody else is making a cluster, since we hold the lock.
fn remove_unfinished_clusters(home: &Path) -> Result<()> {
    for entry in std::fs::read_dir(home).map_err(folder_error(home))? {
        let entry = entry.map_err(folder_error(home))?;
        if entry.file_name().as_bytes().starts_with(b"postgres.new-") {
            std::fs::remove_dir_all(entry.path()).map_err(folder_error(&entry.path()))?;
        }
    }
    Ok(())
}

fn open_lock_file(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(folder_error(path))
}

/// Takes an exclusive lock, held until the file is dropped.
async fn lock(path: &Path) -> Result<File> {
    let file = open_lock_file(path)?;
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(folder_error(path)(error)),
            Err(TryLockError::WouldBlock) if waited >= LOCK_MAX => {
                return Err(PrivatePostgresError::Locked {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::WouldBlock) => {
                if waited.is_zero() {
                    tracing::debug!(file = %path.display(), "another process starts or stops the database");
                }
                tokio::time::sleep(POLL).await;
                waited += POLL;
            }
        }
    }
}

fn output_tail(output: &Output) -> String {
    tail(&[output.stdout.as_slice(), &output.stderr].concat())
}

fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn percent_encode(bytes: &[u8]) -> String {
    use std::fmt::Write;

    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_unusual_folders_whole() {
        assert_eq!(
            percent_encode("/srv/my docket&co/ö".as_bytes()),
            "/srv/my%20docket%26co/%C3%B6"
        );
    }

    #[test]
    fn a_socket_folder_is_one_name_in_the_list() {
        let options = Options::new("/srv/docket");
        let arguments = settings(&options, Path::new("/srv/a, \"b\""));

        assert_eq!(
            arguments.last().unwrap(),
            "unix_socket_directories=\"/srv/a, \"\"b\"\"\""
        );
    }

    #[test]
    fn durable_is_the_default() {
        let arguments = settings(&Options::new("/srv/docket"), Path::new("/srv/docket"));

        for setting in ["fsync=on", "synchronous_commit=on", "full_page_writes=on"] {
            assert!(
                arguments.iter().any(|argument| argument == setting),
                "{setting}"
            );
        }
    }

    #[test]
    fn only_the_end_of_a_log_is_shown() {
        let log: Vec<String> = (1..=40).map(|number| format!("line {number}")).collect();

        let shown = tail(log.join("\n").as_bytes());

        assert_eq!(shown.lines().count(), TAIL_LINES);
        assert!(shown.starts_with("line 26") && shown.ends_with("line 40"));
    }
}
