//! Waiting for a condition: the only place in the tests where time passes.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Far above what anything takes that is not broken, on a machine that has other things to do.
pub const BOUND: Duration = Duration::from_mins(1);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `condition` gives a value, and gives it; until then it says what it saw instead.
///
/// # Panics
///
/// When `bound` is over, with `what` was waited for and what was seen last.
pub async fn wait_until<T, S: Display>(
    what: &str,
    bound: Duration,
    mut condition: impl AsyncFnMut() -> Result<T, S>,
) -> T {
    let began = Instant::now();
    loop {
        let seen = match condition().await {
            Ok(value) => return value,
            Err(seen) => seen,
        };
        assert!(
            began.elapsed() < bound,
            "waited {} s in vain until {what}; seen last: {seen}",
            bound.as_secs()
        );
        tokio::time::sleep(INTERVAL).await;
    }
}

/// `Ok` where `holds`, else what was seen; for the conditions of [`wait_until`].
///
/// # Errors
///
/// What was seen.
pub fn expect_that<S>(holds: bool, seen: impl FnOnce() -> S) -> Result<(), S> {
    if holds { Ok(()) } else { Err(seen()) }
}
