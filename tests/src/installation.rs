//! A place for Docket processes: a database, a simulated Vonage, and the settings that join them.

use std::time::Duration;

use docket::simulator::{Keys, Simulator, SimulatorOptions, keys};
use docket_projections::testing::{self, TestDatabase};
use docket_projections::{PgPool, connect};
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::api::Api;
use crate::docket::{Docket, Environment, run};
use crate::waiting::{BOUND, wait_until};
use crate::webhooks::Webhooks;

/// The invented application.
pub const APPLICATION_ID: &str = "00000000-0000-4000-8000-00000000d0c7";
/// The account's signature secret.
pub const SIGNATURE_SECRET: &str = "signature-secret-of-the-tests-0123456789";
/// Connections of a test's own.
const POOL_SIZE: u32 = 4;

/// A database, a simulated Vonage, and the settings of the processes on them.
pub struct Installation {
    /// Connections to the database.
    pub pool: PgPool,
    /// The simulated Vonage.
    pub simulator: Simulator,
    /// Posts webhooks in the simulated Vonage's name to any process.
    pub webhooks: Webhooks,
    /// A folder of its own.
    pub folder: TempDir,
    environment: Environment,
    database: Option<TestDatabase>,
}

impl Installation {
    /// An installation on a new database of the test server.
    pub async fn new() -> Self {
        let database = testing::database().await;
        let (pool, url) = (database.pool.clone(), database.url.clone());
        Self {
            database: Some(database),
            ..Self::on_pool(pool, &url).await
        }
    }

    /// An installation on the database at `url`, which is left alone at the end.
    pub async fn on(url: &str) -> Self {
        let connector = connect::connect_options(url).expect("a Postgres URL");
        // Lazy, and idle connections tried before they are used: the server may be away and come back.
        let pool = connect::pool(connector, POOL_SIZE);
        Self::on_pool(pool, url).await
    }

    async fn on_pool(pool: PgPool, url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let Keys {
            private_key_pem,
            public_key_pem,
        } = keys();
        let key_file = folder.path().join("private.key");
        std::fs::write(&key_file, private_key_pem.expose_secret())
            .expect("the folder can be written to");
        let simulator = Simulator::start(SimulatorOptions {
            status_delay: Duration::from_millis(5),
            retry_base: Duration::from_millis(100),
            ..SimulatorOptions::new(SIGNATURE_SECRET.to_owned(), APPLICATION_ID, public_key_pem)
        })
        .await
        .expect("the simulated account finds a port");
        let environment = [
            ("DATABASE_URL", url),
            (
                "DOCKET_DATA_DIR",
                &folder.path().join("data").display().to_string(),
            ),
            ("DOCKET_VONAGE_API_URL", &simulator.url()),
            ("DOCKET_VONAGE_APPLICATION_ID", APPLICATION_ID),
            ("DOCKET_VONAGE_SIGNATURE_SECRET", SIGNATURE_SECRET),
            (
                "DOCKET_VONAGE_PRIVATE_KEY_FILE",
                &key_file.display().to_string(),
            ),
            ("RUST_LOG", "info,sqlx=warn"),
        ];
        let environment = environment
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let webhooks = Webhooks::new(SIGNATURE_SECRET, APPLICATION_ID);
        Self {
            pool,
            simulator,
            webhooks,
            folder,
            environment,
            database: None,
        }
    }

    /// The settings of processes that are started from now on.
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Sets a setting for processes that are started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a setting away.
    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(set, _)| set != name);
    }

    /// Starts a process, and tells the simulated Vonage to post its webhooks there.
    pub async fn serve(&self) -> Docket {
        let docket = Docket::serve(&self.environment).await;
        self.simulator.set_docket_url(docket.url());
        docket
    }

    /// A new user by `docket user add`, and the API with a token for them by `docket token create`; `role` is `owner`, `agent` or
    /// `auditor`.
    pub async fn user(&self, docket: &Docket, email: &str, role: &str) -> Api {
        run(
            &["user", "add", "--email", email, "--role", role],
            &self.environment,
            "",
        )
        .await
        .success();
        let token = run(
            &["token", "create", "--email", email, "--name", "tests"],
            &self.environment,
            "",
        )
        .await
        .success();
        Api::new(docket.url(), token.trim_end())
    }

    /// The owner; to be called once.
    pub async fn owner(&self, docket: &Docket) -> Api {
        self.user(docket, "owner@example.com", "owner").await
    }

    /// Waits until the simulated Vonage has taken `count` messages from Docket, and has posted all that it has to post.
    pub async fn accepted(&self, count: usize) {
        wait_until(
            &format!("Vonage has taken {count} messages"),
            BOUND,
            async || {
                let taken = self.simulator.accepted().len();
                if taken >= count {
                    Ok(())
                } else {
                    Err(format!("{taken} messages"))
                }
            },
        )
        .await;
        tokio::time::timeout(BOUND, self.simulator.settled())
            .await
            .expect("webhooks are taken in time");
    }

    /// Drops the database. A test that fails leaves it to be looked at.
    pub async fn close(self) {
        self.simulator.stop().await;
        self.pool.close().await;
        if let Some(database) = self.database {
            database.close().await;
        }
    }
}
