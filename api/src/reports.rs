//! Keeping what reports ask up to date, so that who asks need not wait for what happened since somebody asked last.

use std::time::Duration;

use tracing::warn;

use crate::app::App;

/// How often.
const EVERY: Duration = Duration::from_secs(10);

/// Does so every few seconds, until the service stops. Costs nothing while nobody looks at reports.
pub async fn run(app: App) {
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {
                if let Err(error) = app.reports.keep_up(&app.pool).await {
                    warn!(%error, "reports could not be kept up to date; the next one will take longer");
                }
            }
        }
    }
}
