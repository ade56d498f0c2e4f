//! The Postgres server of a run, with a database for each contender.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use docket_projections::Connector;
use docket_projections::private_postgres::{Options, PrivatePostgres};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

/// The database that the server is opened with; its name is known to stand in no other place of the URL.
const MAINTENANCE: &str = "bench-maintenance";
/// All of a contender's connections, and some for us and for the server itself.
const MAX_CONNECTIONS: u16 = 320;

/// A durable server in a temporary folder on a disk.
pub(crate) struct Server {
    postgres: PrivatePostgres,
    postmaster: u32,
    // Dropped, and so deleted, after the server.
    folder: TempDir,
}

impl Server {
    /// Starts the server in a new folder within `parent`.
    pub(crate) async fn start(parent: &Path) -> anyhow::Result<Self> {
        Self::start_with(parent, &[]).await
    }

    /// Starts the server with settings beside those that Docket gives its own server.
    pub(crate) async fn start_with(
        parent: &Path,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("docket-bench-")
            // As root the server runs as somebody else, who has to pass through.
            .permissions(std::fs::Permissions::from_mode(0o711))
            .tempdir_in(parent)
            .with_context(|| format!("a folder cannot be made in {}", parent.display()))?;
        let options = Options {
            durable: true,
            database: MAINTENANCE.to_owned(),
            max_connections: MAX_CONNECTIONS,
            ..Options::new(folder.path())
        };
        let mut postgres = PrivatePostgres::open(options.clone()).await?;
        if !settings.is_empty() {
            let file = postgres.cluster().join("postgresql.conf");
            postgres.close().await?;
            let mut text = std::fs::read_to_string(&file)?;
            for (name, value) in settings {
                writeln!(text, "\n{name} = '{value}'")?;
            }
            std::fs::write(&file, text)
                .with_context(|| format!("{} cannot be written", file.display()))?;
            postgres = PrivatePostgres::open(options).await?;
        }
        let postmaster = docket_tests::cpu::postmaster(postgres.cluster())
            .with_context(|| format!("no server runs in {}", postgres.cluster().display()))?;
        Ok(Self {
            postgres,
            postmaster,
            folder,
        })
    }

    /// The server's first process.
    pub(crate) const fn postmaster(&self) -> u32 {
        self.postmaster
    }

    /// The folder of the database's files.
    pub(crate) fn cluster(&self) -> PathBuf {
        self.postgres.cluster().to_owned()
    }

    /// The server's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.postgres.socket_folder().join(".s.PGSQL.5432")
    }

    /// A folder for a database's files that stand outside of Postgres.
    pub(crate) fn data_dir(&self, database: &str) -> PathBuf {
        self.folder.path().join(format!("data-{database}"))
    }

    /// Makes an empty database.
    pub(crate) async fn create(&self, database: &str) -> anyhow::Result<()> {
        self.run(&format!("CREATE DATABASE {database}")).await
    }

    /// Makes a copy of a database that nobody is connected to.
    pub(crate) async fn copy(&self, from: &str, to: &str) -> anyhow::Result<()> {
        self.run(&format!("CREATE DATABASE {to} TEMPLATE {from}"))
            .await
    }

    /// Drops a database, so that its files and its vacuuming weigh on no later measurement.
    pub(crate) async fn drop(&self, database: &str) -> anyhow::Result<()> {
        self.run(&format!("DROP DATABASE {database} WITH (FORCE)"))
            .await
    }

    /// Runs a statement in the maintenance database.
    async fn run(&self, statement: &str) -> anyhow::Result<()> {
        let mut conn = self.connect_any().await?;
        conn.execute(statement).await?;
        conn.close().await?;
        Ok(())
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        self.postgres
            .url()
            .replacen(&format!("///{MAINTENANCE}?"), &format!("///{database}?"), 1)
    }

    /// How to connect to a database.
    pub(crate) fn connect_options(&self, database: &str) -> Connector {
        self.postgres
            .connect_options()
            .options()
            .clone()
            .database(database)
            .into()
    }

    /// A connection to a database.
    pub(crate) async fn connect(&self, database: &str) -> anyhow::Result<PgConnection> {
        Ok(self.connect_options(database).connect().await?)
    }

    /// A connection to the server, whatever database.
    pub(crate) async fn connect_any(&self) -> anyhow::Result<PgConnection> {
        self.connect(MAINTENANCE).await
    }

    /// Stops the server and deletes everything.
    pub(crate) async fn discard(self) -> anyhow::Result<()> {
        self.postgres.discard().await?;
        self.folder
            .close()
            .context("the folder of the database cannot be deleted")
    }
}
