//! What is forgotten in time: keys of requests and the finer counts of webhooks, which would
//! otherwise gather for ever.
//!
//! The receipts of webhooks stay: however late Vonage delivers one again, no message is doubled.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use docket_projections::{activity, append, idempotency, media_claims, media_uploads};
use tracing::{info, warn};

use crate::app::App;

/// How often it is looked for what is to be forgotten.
const EVERY: Duration = Duration::from_hours(1);
/// How long the key of a request stands for it, in days. `docs/api.md` and `docs/operations.md` say so too.
const KEY_DAYS: i64 = 30;
/// How long counts by ten minutes are kept, in days; health looks a day back.
const SLOT_DAYS: i64 = 2;
/// How long the last call of a writer is known, in days; one that got no answer is sent again within a minute.
const CALL_DAYS: i64 = 1;
/// How long an upload that no message carries is known, in days. `docs/api.md` says so too.
const UPLOAD_DAYS: i64 = 7;
/// How long a file may take to become whole in the store of media, in days.
const INCOMING_DAYS: i64 = 1;
/// So many keys are forgotten in one statement, which locks them for that moment only.
const STEP: i64 = 1_000;

/// Forgets whatever is old enough, step by step; gives how many keys there were.
///
/// # Errors
///
/// The database's error; what was forgotten until then is.
pub async fn round(app: &App) -> Result<u64, docket_projections::DatabaseError> {
    let now = (app.clock)();
    activity::forget_slots(&app.pool, now - TimeDelta::days(SLOT_DAYS)).await?;
    let calls_before = now - TimeDelta::days(CALL_DAYS);
    append::forget_calls(&app.pool, calls_before).await?;
    media_claims::forget_old(&app.pool, now).await?;
    media_uploads::forget_old(&app.pool, now - TimeDelta::days(UPLOAD_DAYS)).await?;
    forget_incoming(app, now - TimeDelta::days(INCOMING_DAYS)).await;
    let before = now - TimeDelta::days(KEY_DAYS);
    let mut all = 0;
    while !app.stopping.is_cancelled() {
        let count = idempotency::forget(&app.pool, before, STEP).await?;
        all += count;
        if count < STEP.cast_unsigned() {
            break;
        }
    }
    Ok(all)
}

/// Removes what never became whole in the store of media, where the store can be reached.
async fn forget_incoming(app: &App, before: DateTime<Utc>) {
    match app.media.store().forget_incoming(before).await {
        Ok(0) => {}
        Ok(count) => info!(count, "files that never became whole were removed"),
        Err(error) => {
            warn!(%error, "the store of media could not be tidied up; trying again in an hour");
        }
    }
}

/// Does a round every hour, until the service stops.
pub async fn run(app: App) {
    loop {
        match round(&app).await {
            Ok(0) => {}
            Ok(count) => info!(count, "old idempotency keys were forgotten"),
            Err(error) => {
                warn!(%error, "old idempotency keys could not be forgotten; trying again in an hour");
            }
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
