//! Read models that are out of date, because another version of Docket built them or a restored backup lacks them: noticed at the
//! start and while the service runs, and rebuilt beside it.

use std::time::Duration;

use docket_projections::Connector;
use docket_projections::rebuild::{self, RebuildError};
use tracing::{error, info, warn};

use crate::ambient;
use crate::app::App;

/// The pause before it is looked again, where all is up to date, another process is at it, or something failed.
const PAUSE: Duration = Duration::from_secs(5);

/// Rebuilds what is out of date, until the service stops. Until the new tables take the place of the old ones, the ledger decides
/// nothing that rests on them.
pub async fn run(app: App, connect: Connector) {
    let stopping = app.stopping.clone();
    tokio::select! {
        () = stopping.cancelled() => {}
        () = keep_up_to_date(&app, &connect) => {}
    }
}

async fn keep_up_to_date(app: &App, connect: &Connector) {
    let watch = connect.watch();
    let mut told = None;
    let mut was_refusing = watch.standing().refuses_work();
    loop {
        match attempt(app, connect).await {
            Ok(()) => {
                watch.set_obstacle(None);
                told = None;
                let is_refusing = watch.standing().refuses_work();
                if was_refusing && !is_refusing {
                    // This process or another has filled the tables of surveys and lines.
                    if let Err(error) = app.ledger.reload_settings(&app.pool).await {
                        warn!(%error, "the settings could not be read again; the next change does it");
                    }
                }
                was_refusing = is_refusing;
            }
            Err(RebuildError::UnderWay) => {
                info!("another process rebuilds read models; waiting for it");
            }
            Err(error) => {
                let sentence = error.to_string();
                let is_for_people = matches!(error, RebuildError::InUse { .. });
                // The same trouble is told once: it goes on until somebody mends it.
                if told.as_ref() != Some(&sentence) {
                    let source = std::error::Error::source(&error)
                        .map(ToString::to_string)
                        .unwrap_or_default();
                    error!(%error, source, "read models are out of date and could not be rebuilt; trying again");
                    told = Some(sentence.clone());
                }
                watch.set_obstacle(is_for_people.then_some(sentence.as_str()));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn attempt(app: &App, connect: &Connector) -> Result<(), RebuildError> {
    let outdated = {
        let mut conn = app.pool.acquire().await?;
        rebuild::outdated(&mut conn).await?
    };
    // A newer Docket's read models are not ours to replace.
    if outdated.is_empty() || connect.watch().standing().newer.is_some() {
        return Ok(());
    }
    let names: Vec<&str> = outdated.iter().map(|model| model.name).collect();
    let names = names.join(", ");
    info!(
        models = names,
        "read models are out of date and are rebuilt in the background"
    );
    let rebuilt = rebuild::rebuild(connect, &outdated, ambient::now(), |_| {}).await?;
    // Before the watch has found out by itself, and everybody may work again.
    connect
        .watch()
        .set_models(&rebuild::verdict(connect).await?);
    let pause_ms = u64::try_from(rebuilt.pause.as_millis()).unwrap_or(u64::MAX);
    info!(
        models = names,
        events = rebuilt.events,
        pause_ms,
        "read models were rebuilt"
    );
    Ok(())
}
