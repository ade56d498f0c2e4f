//! How much is measured, and for how long.

use std::time::Duration;

use crate::Cli;

/// The time before and in a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

/// The sizes of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How often the sides of a comparison take turns.
    pub(crate) rounds: u16,
    /// Each window.
    pub(crate) timing: Timing,
    /// Single requests of each kind.
    pub(crate) singles: usize,
    /// People whose references are named, and people who write conversations.
    pub(crate) known_contacts: u32,
    pub(crate) conversations: u32,
    /// Messages after which throughput is compared with the beginning.
    pub(crate) growth: Vec<usize>,
    /// Messages of the long case.
    pub(crate) long_case: i64,
    /// How often a process is frozen or cut off, and for how long.
    pub(crate) disturbances: u32,
    pub(crate) disturbance: Duration,
    /// How long a snapshot is held.
    pub(crate) hold: Duration,
    /// Events of the rebuild.
    pub(crate) rebuild_events: i64,
}

impl Plan {
    /// The sizes that are asked for.
    pub(crate) fn new(cli: &Cli) -> Self {
        let mut plan = if cli.quick {
            Self::quick()
        } else {
            Self::usual()
        };
        if cli.long {
            plan.growth.push(1_000_000);
            plan.disturbances = 10;
            plan.disturbance = Duration::from_secs(30);
        }
        plan.rounds = cli.rounds.unwrap_or(plan.rounds);
        if let Some(hold) = cli.hold {
            plan.hold = Duration::from_secs(hold.into());
        }
        plan
    }

    fn usual() -> Self {
        Self {
            rounds: 5,
            timing: Timing {
                warm_up: Duration::from_secs(1),
                window: Duration::from_secs(3),
            },
            singles: 300,
            known_contacts: 2_000,
            conversations: 20_000,
            growth: vec![100_000],
            long_case: 100_000,
            disturbances: 4,
            disturbance: Duration::from_secs(12),
            hold: Duration::from_mins(1),
            rebuild_events: 1_000_000,
        }
    }

    fn quick() -> Self {
        Self {
            rounds: 1,
            timing: Timing {
                warm_up: Duration::from_millis(500),
                window: Duration::from_secs(1),
            },
            singles: 30,
            known_contacts: 50,
            conversations: 500,
            growth: vec![5_000],
            long_case: 2_000,
            disturbances: 2,
            disturbance: Duration::from_secs(3),
            hold: Duration::from_secs(6),
            rebuild_events: 20_000,
        }
    }

    /// The sizes in words, for the report.
    pub(crate) fn describe(&self) -> String {
        format!(
            "{} rounds of windows of {} s after {} s of warm-up, {} single requests of each kind",
            self.rounds,
            self.timing.window.as_secs_f64(),
            self.timing.warm_up.as_secs_f64(),
            self.singles
        )
    }
}
