//! Counting what goes to and fro between Vonage and us, for the page of health.
//!
//! The metrics tell the same to machines and begin anew with the process. These counts are gathered in memory and added to a table
//! every few seconds, so that a webhook costs no statement of its own; what a crash loses is a few seconds of counting.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use docket_projections::activity::{self, Noted};
use tracing::warn;

use crate::app::App;

/// How often what was counted is added to the table.
const EVERY: Duration = Duration::from_secs(10);

/// A day, what happened, and what it came to.
type Key = (NaiveDate, &'static str, &'static str);

/// What was counted and is not in the table yet.
#[derive(Debug, Default)]
pub struct Activity(Mutex<BTreeMap<Key, (u64, DateTime<Utc>)>>);

impl Activity {
    /// Counts that something came to a result.
    pub fn note(&self, what: &'static str, result: &'static str, at: DateTime<Utc>) {
        self.add((at.date_naive(), what, result), 1, at);
    }

    fn add(&self, key: Key, count: u64, at: DateTime<Utc>) {
        let mut counted = self.counted();
        let (sum, last_at) = counted.entry(key).or_insert((0, at));
        *sum += count;
        *last_at = at.max(*last_at);
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, (u64, DateTime<Utc>)>> {
        // A panic in between leaves at worst a count that is one too low.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<Noted> {
        std::mem::take(&mut *self.counted())
            .into_iter()
            .map(|((day, what, result), (count, last_at))| Noted {
                day,
                what,
                result,
                count,
                last_at,
            })
            .collect()
    }
}

/// Adds what was counted to the table. Where the database is away, it is kept for the next time.
pub async fn flush(app: &App) {
    let counted = &app.vonage.activity;
    let noted = counted.take();
    if noted.is_empty() {
        return;
    }
    if let Err(error) = activity::add(&app.pool, &noted).await {
        warn!(%error, "what was counted for the page of health could not be kept; trying again");
        for noted in noted {
            let key = (noted.day, noted.what, noted.result);
            counted.add(key, noted.count, noted.last_at);
        }
    }
}

/// Adds what was counted to the table every few seconds, until the service stops.
pub async fn run(app: App) {
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => flush(&app).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn counts_are_taken_once_by_day_and_result() {
        let activity = Activity::default();
        let noon: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        for hours in [0, 1, 11, 12] {
            activity.note("inbound", "accepted", noon + TimeDelta::hours(hours));
        }
        activity.note("inbound", "duplicate", noon);
        let taken = activity.take();
        let counts: Vec<_> = taken
            .iter()
            .map(|noted| (noted.day.to_string(), noted.result, noted.count))
            .collect();
        assert_eq!(
            counts,
            [
                ("2026-03-01".to_owned(), "accepted", 3),
                ("2026-03-01".to_owned(), "duplicate", 1),
                ("2026-03-02".to_owned(), "accepted", 1),
            ]
        );
        assert_eq!(taken[0].last_at, noon + TimeDelta::hours(11));
        assert!(activity.take().is_empty());
    }
}
