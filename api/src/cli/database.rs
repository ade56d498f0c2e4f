//! Commands that need the database and nothing else of the service.

use anyhow::anyhow;

use crate::config::Config;
use crate::serve::told_to_stop;
use crate::store::Store;

/// Opens the database, does something until that is done or we are told to stop, and lets go of the database again: a private
/// Postgres that was started for this stops with it.
///
/// # Errors
///
/// What the database or `work` said, or that it was stopped.
pub(super) async fn with_database<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let told = told_to_stop()?;
    let store = Store::open(config).await?;
    let done = tokio::select! {
        done = work(&store) => done,
        () = told.cancelled() => Err(anyhow!("stopped before it was done")),
    };
    let closed = store.close().await;
    let done = done?;
    closed?;
    Ok(done)
}
