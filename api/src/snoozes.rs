//! Wakes cases whose snooze is over.
//!
//! Every process does this. The time is judged by the database's clock, and the log decides who was first: the second process finds
//! the case awake and records nothing.

use std::time::Duration;

use docket_projections::DatabaseError;
use docket_projections::ledger::operation::{Answer, LedgerError};
use docket_projections::read::snoozes;
use futures_util::future::join_all;
use tracing::warn;

use crate::app::App;
use crate::operations::snooze::WakeWhenDue;

/// At most so many cases are woken in one round.
const BATCH_SIZE: i64 = 100;
/// The longest pause between two rounds, so that a snooze that another process recorded is not overslept for longer.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The pause after a round, which may have failed or left due cases asleep.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Wakes what is due; gives how many cases this process woke.
///
/// # Errors
///
/// The database's error.
pub async fn round(app: &App) -> Result<usize, DatabaseError> {
    let mut woken = 0;
    loop {
        let due = snoozes::due(&app.pool, BATCH_SIZE).await?;
        let wakings = due.iter().map(|(reference, until)| {
            app.ledger.submit(WakeWhenDue {
                reference: *reference,
                until: *until,
            })
        });
        let mut is_stuck = due.is_empty();
        for answer in join_all(wakings).await {
            match answer {
                Ok(answer) => woken += usize::from(matches!(answer, Answer::Done(true))),
                Err(LedgerError::Refused(error)) => {
                    warn!(%error, "a snoozed case could not be woken");
                    is_stuck = true;
                }
                // The ledger has logged why; the next round tries again.
                Err(_) => is_stuck = true,
            }
        }
        if is_stuck {
            return Ok(woken);
        }
    }
}

/// Wakes what is due, if anything is; gives how long to wait for the next time.
async fn step(app: &App) -> Result<Duration, DatabaseError> {
    match snoozes::next_due_in(&app.pool).await? {
        Some(next) if !next.is_zero() => Ok(next.min(POLL_INTERVAL)),
        Some(_) => round(app).await.map(|_| RETRY_DELAY),
        None => Ok(POLL_INTERVAL),
    }
}

/// Does rounds until the service stops.
pub async fn run(app: App) {
    loop {
        let pause = step(&app).await.unwrap_or_else(|error| {
            warn!(%error, "snoozed cases could not be looked up; trying again in a moment");
            POLL_INTERVAL
        });
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
