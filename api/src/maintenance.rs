//! Commands that need the write path for a moment, beside a service that may run.

use std::sync::Arc;

use anyhow::bail;
use docket_projections::ledger::{Ledger, LedgerOptions};
use tokio_util::sync::CancellationToken;

use crate::ambient;
use crate::app::{App, Parts, Vonage};
use crate::audit::Audit;
use crate::config::Config;
use crate::serve::metrics;
use crate::store::Store;

/// Opens the database, does something, and lets go of it again.
///
/// # Errors
///
/// What the database or `work` said.
pub async fn with_app<T>(
    config: &Config,
    work: impl AsyncFnOnce(&App) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let store = Store::open(config).await?;
    let done = on_store(&store, "", work).await;
    let closed = store.close().await;
    let done = done?;
    closed?;
    Ok(done)
}

/// Does something with the write path of a database that is open; what is to be recorded is, before this returns.
///
/// # Errors
///
/// What the database or `work` said.
pub async fn on_store<T>(
    store: &Store,
    public_url: &str,
    work: impl AsyncFnOnce(&App) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    // Only a service that runs rebuilds by itself.
    if let Some(trouble) = store.connect.watch().standing().trouble() {
        bail!("{trouble}: run docket rebuild, or start docket serve, and try again");
    }
    let options = LedgerOptions {
        writers: 1,
        ..LedgerOptions::new(ambient::now)
    };
    let ledger = Ledger::start(store.connect.clone(), options).await?;
    let app = App::new(Parts {
        audit: Audit::start(ledger.clone(), ambient::now, ambient::new_id),
        ledger,
        pool: store.pool(),
        reports: Arc::default(),
        vonage: Arc::new(Vonage::default()),
        clock: ambient::now,
        new_id: ambient::new_id,
        metrics: metrics::handle(),
        public_url: public_url.into(),
        default_country: None,
        proxies: Arc::default(),
        stopping: CancellationToken::new(),
    });
    let done = work(&app).await;
    app.audit.close().await;
    app.ledger.close().await;
    app.pool.close().await;
    done
}
