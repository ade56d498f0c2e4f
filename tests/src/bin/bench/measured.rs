//! Measured windows of time, and the arithmetic on them: percentiles, medians and ratios.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use docket_tests::cpu::{PerOperation, Spent};

/// What one contender did in one window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// The length of the window, in seconds.
    seconds: f64,
    /// The latency of each operation that ended in the window, in microseconds.
    latencies_us: Vec<u32>,
    /// Processor time, in the window and in the warm-up before it.
    spent: Spent,
}

impl Measured {
    /// The operations that ended in a window of that length, by their latencies.
    pub(crate) fn new(window: Duration, latencies_us: Vec<u32>) -> Self {
        Self {
            seconds: window.as_secs_f64(),
            latencies_us,
            spent: Spent::default(),
        }
    }

    /// The same, with its processor time.
    pub(crate) const fn with(mut self, spent: Spent) -> Self {
        self.spent = spent;
        self
    }

    /// How many operations ended in a second.
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

    /// A percentile of the latencies, in milliseconds.
    pub(crate) fn percentile_ms(&self, of_hundred: usize) -> Option<f64> {
        percentile_ms(&self.latencies_us, of_hundred)
    }
}

/// The windows of one contender, in the order of their rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Windows(Vec<Measured>);

impl Windows {
    /// Adds the window of the next round.
    pub(crate) fn push(&mut self, window: Measured) {
        self.0.push(window);
    }

    /// The median of the windows' operations a second.
    pub(crate) fn per_second(&self) -> Option<f64> {
        median(self.0.iter().map(Measured::per_second))
    }

    /// The median of the windows' percentiles, in milliseconds.
    pub(crate) fn percentile_ms(&self, of_hundred: usize) -> Option<f64> {
        median(
            self.0
                .iter()
                .filter_map(|window| window.percentile_ms(of_hundred)),
        )
    }

    /// The medians of the processor time of each operation; `None` where the system does not tell.
    pub(crate) fn cost(&self) -> Option<PerOperation> {
        let costs: Vec<_> = self
            .0
            .iter()
            .filter_map(|window| window.spent.per_operation())
            .collect();
        Some(PerOperation {
            contender: median(costs.iter().map(|cost| cost.contender))?,
            postgres: median(costs.iter().map(|cost| cost.postgres))?,
        })
    }

    /// Operations of these windows for each one of `other`: the median of the ratios of the rounds, so that a machine that slows
    /// down or speeds up from round to round changes nothing.
    pub(crate) fn ratio_to(&self, other: &Self) -> Option<f64> {
        median(
            self.0
                .iter()
                .zip(&other.0)
                .filter_map(|(ours, theirs)| ratio(ours.per_second(), theirs.per_second())),
        )
    }

    /// As [`Self::ratio_to`], of the median latencies.
    pub(crate) fn latency_ratio_to(&self, other: &Self) -> Option<f64> {
        median(
            self.0.iter().zip(&other.0).filter_map(|(ours, theirs)| {
                ratio(ours.percentile_ms(50)?, theirs.percentile_ms(50)?)
            }),
        )
    }

    /// The newest windows, at most that many.
    pub(crate) fn last(&self, count: usize) -> Self {
        Self(self.0[self.0.len().saturating_sub(count)..].to_vec())
    }

    /// How many windows there are.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }
}

/// The percentile by nearest rank of latencies in microseconds, in milliseconds; `None` of none.
pub(crate) fn percentile_ms(latencies_us: &[u32], of_hundred: usize) -> Option<f64> {
    let mut sorted = latencies_us.to_vec();
    let rank = (sorted.len() * of_hundred).div_ceil(100).checked_sub(1)?;
    let (_, value, _) = sorted.select_nth_unstable(rank);
    Some(f64::from(*value) / 1_000.0)
}

/// The median; of an even number of values the mean of the two in the middle. `None` of none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

/// A ratio of two measurements; `None` where the divisor is nothing.
pub(crate) fn ratio(value: f64, to: f64) -> Option<f64> {
    (to > 0.0).then(|| value / to)
}

/// A duration in whole microseconds.
pub(crate) fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn windows(counts: &[usize]) -> Windows {
        Windows(
            counts
                .iter()
                .map(|count| Measured::new(SECOND, vec![1_000; *count]))
                .collect(),
        )
    }

    fn is(reached: Option<f64>, value: f64) -> bool {
        reached.is_some_and(|reached| (reached - value).abs() < 1e-9)
    }

    #[test]
    fn percentiles_are_measured_values() {
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
    fn one_slow_request_in_a_hundred_is_outside_the_99th_percentile_and_two_are_not() {
        let mut latencies = vec![1_000; 99];
        latencies.push(9_000);
        assert_eq!(percentile_ms(&latencies, 99), Some(1.0));

        latencies[0] = 9_000;
        assert_eq!(percentile_ms(&latencies, 99), Some(9.0));
    }

    #[test]
    fn a_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert!(is(median([9.0, 1.0, 2.0].into_iter()), 2.0));
        assert!(is(median([9.0, 1.0, 2.0, 4.0].into_iter()), 3.0));
        assert_eq!(median(std::iter::empty()), None);
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // The machine is three times as fast in the second round, and one window of the third round is disturbed.
        let ours = windows(&[200, 600, 200]);
        let theirs = windows(&[100, 300, 400]);

        assert!(is(ours.ratio_to(&theirs), 2.0));
        assert!(is(ours.per_second(), 200.0));
        assert_eq!(ours.ratio_to(&windows(&[])), None);
        assert_eq!(ours.ratio_to(&windows(&[0])), None);
        assert!(is(ours.last(1).ratio_to(&theirs.last(1)), 0.5));
    }

    #[test]
    fn latencies_are_compared_by_their_medians() {
        let ours = Windows(vec![Measured::new(SECOND, vec![3_000, 3_000, 90_000])]);

        assert!(is(ours.latency_ratio_to(&windows(&[10])), 3.0));
    }
}
