//! Commands that need the write path for a moment, beside a service that may run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use docket_projections::Verdict;
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::rebuild::{self, RebuildError};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::ambient;
use crate::app::{App, Parts, Vonage};
use crate::audit::Audit;
use crate::config::Config;
use crate::media::Media;
use crate::serve::metrics;
use crate::store::Store;

/// How long the rebuild of a service is waited for.
const UNDER_WAY_TIMEOUT: Duration = Duration::from_mins(10);
/// The pause between two looks whether it has ended.
const UNDER_WAY_PAUSE: Duration = Duration::from_millis(500);

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

/// Rebuilds read models that are out of date, on which nothing may be decided, or waits for the service that does.
async fn bring_up_to_date(store: &Store) -> anyhow::Result<()> {
    let watch = store.connect.watch();
    let began = Instant::now();
    while matches!(watch.standing().models, Verdict::Outdated { .. }) {
        let outdated = rebuild::outdated_at(&store.connect).await?;
        info!("read models are out of date and are rebuilt first");
        match rebuild::rebuild(&store.connect, &outdated, ambient::now(), |_| {}).await {
            Ok(_) => {}
            Err(RebuildError::UnderWay) if began.elapsed() < UNDER_WAY_TIMEOUT => {
                tokio::time::sleep(UNDER_WAY_PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
        watch.set_models(&rebuild::verdict(&store.connect).await?);
    }
    match watch.standing().trouble() {
        Some(trouble) => bail!(trouble),
        None => Ok(()),
    }
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
    bring_up_to_date(store).await?;
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
        media: Media::default(),
        clock: ambient::now,
        new_id: ambient::new_id,
        metrics: metrics::handle(),
        public_url: public_url.into(),
        default_country: None,
        people: Arc::default(),
        proxies: Arc::default(),
        stopping: CancellationToken::new(),
    });
    let done = work(&app).await;
    app.audit.close().await;
    app.ledger.close().await;
    app.pool.close().await;
    done
}
