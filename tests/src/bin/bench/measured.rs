//! What was measured in windows of time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cpu::{PerOperation, Spent};

/// What one contender did in its windows at one number of connections.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// How long the windows were together, in seconds.
    seconds: f64,
    /// How long each that ended in a window took, in microseconds.
    latencies_us: Vec<u32>,
    /// What was spent, in the windows and before them.
    spent: Spent,
}

impl Measured {
    /// What ended in a window of that length, with the time that each took.
    pub(crate) fn new(window: Duration, latencies_us: Vec<u32>) -> Self {
        Self {
            seconds: window.as_secs_f64(),
            latencies_us,
            spent: Spent::default(),
        }
    }

    /// The same, with what was spent for it.
    pub(crate) const fn with(mut self, spent: Spent) -> Self {
        self.spent = spent;
        self
    }

    /// What each cost in time of processors; `None` where it is not known.
    pub(crate) fn cost(&self) -> Option<PerOperation> {
        self.spent.per_operation()
    }

    /// Adds another window.
    pub(crate) fn merge(&mut self, other: Self) {
        self.seconds += other.seconds;
        self.latencies_us.extend(other.latencies_us);
        self.spent.add(other.spent);
    }

    /// Whether there is anything to tell.
    pub(crate) const fn is_empty(&self) -> bool {
        self.latencies_us.is_empty()
    }

    /// How many ended in a second.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody counts beyond 2^52 in a few seconds"
    )]
    pub(crate) fn per_second(&self) -> f64 {
        if self.seconds > 0.0 {
            self.latencies_us.len() as f64 / self.seconds
        } else {
            0.0
        }
    }

    /// The time within which that many of a hundred ended, in milliseconds.
    pub(crate) fn percentile_ms(&self, of_hundred: usize) -> Option<f64> {
        let mut sorted = self.latencies_us.clone();
        let rank = (sorted.len() * of_hundred).div_ceil(100).checked_sub(1)?;
        let (_, value, _) = sorted.select_nth_unstable(rank);
        Some(f64::from(*value) / 1_000.0)
    }
}

/// A duration as it is kept, in microseconds.
pub(crate) fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let measured = Measured::new(
            Duration::from_secs(2),
            (1..=200).rev().map(|n| n * 1_000).collect(),
        );

        assert_eq!(measured.percentile_ms(50), Some(100.0));
        assert_eq!(measured.percentile_ms(99), Some(198.0));
        assert_eq!(measured.percentile_ms(100), Some(200.0));
        assert!((measured.per_second() - 100.0).abs() < f64::EPSILON);
        assert_eq!(Measured::default().percentile_ms(50), None);
    }

    #[test]
    fn windows_add_up() {
        let mut measured = Measured::default();
        measured.merge(Measured::new(Duration::from_secs(1), vec![1_000; 30]));
        measured.merge(Measured::new(Duration::from_secs(1), vec![3_000; 10]));

        assert!((measured.per_second() - 20.0).abs() < f64::EPSILON);
        assert_eq!(measured.percentile_ms(75), Some(1.0));
        assert_eq!(measured.percentile_ms(76), Some(3.0));
    }
}
