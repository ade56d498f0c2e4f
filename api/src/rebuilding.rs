//! Read models that were built by an earlier version of Docket: noticed at the start, and rebuilt beside the running service.

use std::time::Duration;

use docket_projections::PgConnectOptions;
use docket_projections::rebuild::{self, RebuildError};
use tracing::{error, info};

use crate::ambient;
use crate::app::App;

/// The pause before it is tried again, where another process is at it or something failed.
const PAUSE: Duration = Duration::from_secs(10);

/// Rebuilds what is out of date, and ends when nothing is, or when the service stops. The service works with the old tables until
/// the new ones take their place.
pub async fn run(app: App, connect: PgConnectOptions) {
    let stopping = app.stopping.clone();
    tokio::select! {
        () = stopping.cancelled() => {}
        () = bring_up_to_date(&app, &connect) => {}
    }
}

async fn bring_up_to_date(app: &App, connect: &PgConnectOptions) {
    loop {
        match attempt(app, connect).await {
            Ok(()) => return,
            Err(RebuildError::UnderWay) => {
                info!("another process rebuilds read models; waiting for it");
            }
            Err(error) => {
                let source = std::error::Error::source(&error)
                    .map(ToString::to_string)
                    .unwrap_or_default();
                error!(%error, source, "read models are out of date and could not be rebuilt; trying again");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn attempt(app: &App, connect: &PgConnectOptions) -> Result<(), RebuildError> {
    let outdated = {
        let mut conn = app.pool.acquire().await?;
        rebuild::outdated(&mut conn).await?
    };
    if outdated.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = outdated.iter().map(|model| model.name).collect();
    let names = names.join(", ");
    info!(
        models = names,
        "read models were built by another version and are rebuilt in the background"
    );
    let rebuilt = rebuild::rebuild(connect, &outdated, ambient::now(), |_| {}).await?;
    let pause_ms = u64::try_from(rebuilt.pause.as_millis()).unwrap_or(u64::MAX);
    info!(
        models = names,
        events = rebuilt.events,
        pause_ms,
        "read models were rebuilt"
    );
    Ok(())
}
