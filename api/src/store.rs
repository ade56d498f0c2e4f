//! Opening the database: the one that `DATABASE_URL` names, or a private Postgres.

use anyhow::Context;
use docket_projections::private_postgres::{Options, PrivatePostgres};
use docket_projections::surroundings::{self, Route};
use docket_projections::{Connector, PgPool, connect, rebuild};
use secrecy::ExposeSecret;

use crate::ambient;
use crate::config::Config;
use crate::secrets::SecretKey;

/// Connections for reading, at the most; the ledger has its own.
const READ_CONNECTIONS: u32 = 12;

/// An open database, with all migrations applied.
pub struct Store {
    /// How to connect to it.
    pub connect: Connector,
    private: Option<PrivatePostgres>,
}

impl Store {
    /// Opens the database, sees that it will do, and applies the migrations that it has not seen.
    ///
    /// # Errors
    ///
    /// A sentence that says what to do.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let store = Self::reach(config).await?;
        match store.prepare().await {
            Ok(()) => Ok(store),
            Err(error) => Err(store.close_after(error).await),
        }
    }

    /// Opens the database to export the log and nothing else. Gives why the rest will not do, where a newer Docket has changed it or
    /// recorded what this one does not know: the log can be read as it is all the same.
    ///
    /// # Errors
    ///
    /// A sentence that says what to do.
    pub async fn open_for_export(config: &Config) -> anyhow::Result<(Self, Option<String>)> {
        let store = Self::reach(config).await?;
        let prepared = store.prepare().await;
        let newer = |error: &anyhow::Error| {
            error
                .downcast_ref::<surroundings::Unsuitable>()
                .is_some_and(surroundings::Unsuitable::is_newer)
        };
        match prepared {
            Ok(()) => Ok((store, None)),
            Err(error) if newer(&error) => Ok((store, Some(error.to_string()))),
            Err(error) => Err(store.close_after(error).await),
        }
    }

    async fn reach(config: &Config) -> anyhow::Result<Self> {
        let (connect, private) = if let Some(url) = &config.database_url {
            (connect::connect_options(url.expose_secret())?, None)
        } else {
            let private = PrivatePostgres::open(Options::new(&config.data_dir)).await?;
            (private.connect_options(), Some(private))
        };
        Ok(Self { connect, private })
    }

    async fn prepare(&self) -> anyhow::Result<()> {
        let route = if self.is_private() {
            Route::Private
        } else {
            Route::Elsewhere
        };
        let known = surroundings::check(&self.connect, route).await?;
        docket_projections::migrate(&self.connect)
            .await
            .context("the database could not be brought up to date")?;
        surroundings::note_known(&self.connect, known)
            .await
            .context("that the log was found readable could not be noted")?;
        // Before anything is recorded, by whichever command: what an empty log gives is there already.
        rebuild::note_beginning(&self.connect, ambient::now())
            .await
            .context("the read models' versions could not be noted")?;
        let models = rebuild::verdict(&self.connect)
            .await
            .context("the read models' versions could not be read")?;
        self.connect.watch().set_models(&models);
        Ok(())
    }

    /// The error, after the database was let go of: a private Postgres must not outlive a start that failed.
    async fn close_after(self, error: anyhow::Error) -> anyhow::Error {
        // That it did not stop is of less use to know than why it should.
        let _ = self.close().await;
        error
    }

    /// The key of stored secrets: the configured one, or the one beside a private Postgres.
    ///
    /// # Errors
    ///
    /// A sentence that says what to do.
    pub fn secret_key(&self, config: &Config) -> anyhow::Result<Option<SecretKey>> {
        match &config.secret_key {
            Some(key) => Ok(Some(key.clone())),
            // Its data folder is as safe as the database itself, which lies there.
            None if self.is_private() => SecretKey::kept_in(&config.data_dir).map(Some),
            None => Ok(None),
        }
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
