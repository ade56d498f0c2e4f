//! Opening the database: the one that `DATABASE_URL` names, or a private Postgres.

use anyhow::Context;
use docket_projections::private_postgres::{Options, PrivatePostgres};
use docket_projections::{PgConnectOptions, PgPool, connect, rebuild};
use secrecy::ExposeSecret;

use crate::ambient;
use crate::config::Config;

/// Connections for reading, at the most; the ledger has its own.
const READ_CONNECTIONS: u32 = 12;

/// An open database, with all migrations applied.
pub struct Store {
    /// How to connect to it.
    pub connect: PgConnectOptions,
    private: Option<PrivatePostgres>,
}

impl Store {
    /// Opens the database and applies the migrations that it has not seen.
    ///
    /// # Errors
    ///
    /// A sentence that says what to do.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let (connect, private) = if let Some(url) = &config.database_url {
            (connect::connect_options(url.expose_secret())?, None)
        } else {
            let private = PrivatePostgres::open(Options::new(&config.data_dir)).await?;
            (private.connect_options(), Some(private))
        };
        docket_projections::migrate(&connect)
            .await
            .context("the database could not be opened and brought up to date")?;
        // Before anything is recorded, by whichever command: what an empty log gives is there already.
        rebuild::note_beginning(&connect, ambient::now())
            .await
            .context("the read models' versions could not be noted")?;
        Ok(Self { connect, private })
    }

    /// Whether Docket runs the database itself.
    pub const fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// Connections for reading.
    pub fn pool(&self) -> PgPool {
        connect::pool(self.connect.clone(), READ_CONNECTIONS)
    }

    /// Lets go of the database; a private one stops with its last user.
    ///
    /// # Errors
    ///
    /// The private Postgres did not stop.
    pub async fn close(self) -> anyhow::Result<()> {
        if let Some(private) = self.private {
            private.close().await?;
        }
        Ok(())
    }
}
