//! The report: Markdown with ratios first, the aims beside what was reached, and what it ran on.

use std::fmt::{self, Display, Formatter};

use crate::docket::{Correctness, Memory, Singles};
use crate::machine::Description;
use crate::measured::Measured;
use crate::{Contender, Plan};

/// The aims: what the project promised itself.
const AIM_CONNECTIONS: u16 = 64;
const AIM_BESIDE_BARE: f64 = 1.0;
const AIM_BESIDE_STOCK: f64 = 5.0;
const AIM_BARE_COMMITS: f64 = 4.0;
const AIM_MEMORY_MB: f64 = 100.0;
const MIB_IN_MB: f64 = 1.048_576;

/// What all did at one number of connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// How many connections.
    pub(crate) connections: u16,
    docket: Measured,
    bare: Measured,
    stock: Measured,
}

impl Row {
    /// An empty row.
    pub(crate) fn new(connections: u16) -> Self {
        Self {
            connections,
            ..Self::default()
        }
    }

    /// What a contender did.
    pub(crate) const fn of(&mut self, contender: Contender) -> &mut Measured {
        match contender {
            Contender::Docket => &mut self.docket,
            Contender::Bare => &mut self.bare,
            Contender::Stock => &mut self.stock,
        }
    }

    fn ratio(&self, other: &Measured) -> Option<f64> {
        (!self.docket.is_empty() && !other.is_empty())
            .then(|| self.docket.per_second() / other.per_second())
    }
}

/// Everything that is told of a run.
pub(crate) struct Report {
    /// What it ran on.
    pub(crate) machine: Description,
    /// How it was measured.
    pub(crate) plan: Plan,
    /// The size of a webhook's body, and of the row that is inserted.
    pub(crate) payload_bytes: usize,
    /// What was measured under load.
    pub(crate) rows: Vec<Row>,
    /// What was measured on an idle server.
    pub(crate) singles: Option<Singles>,
    /// Docket's memory after the load.
    pub(crate) memory: Option<Memory>,
    /// Whether everything that was accepted is there.
    pub(crate) correctness: Option<Correctness>,
    /// The machine's load at the end.
    pub(crate) load_after: String,
}

impl Report {
    /// Whether everything that was accepted is in the database, once. A missed aim is no fault; this is.
    pub(crate) fn is_correct(&self) -> bool {
        self.correctness
            .is_none_or(|correctness| correctness.holds())
    }

    fn write_costs(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n## Time of processors for each, in µs\n")?;
        writeln!(
            f,
            "| connections | Docket | its Postgres | pgbench | its Postgres | stock | its Postgres |"
        )?;
        writeln!(f, "|--:|--:|--:|--:|--:|--:|--:|")?;
        for row in &self.rows {
            write!(f, "| {} |", row.connections)?;
            for measured in [&row.docket, &row.bare, &row.stock] {
                let cost = measured.cost();
                write!(
                    f,
                    " {} | {} |",
                    Cell(cost.map(|cost| cost.contender), 0),
                    Cell(cost.map(|cost| cost.postgres), 0)
                )?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn aims(&self) -> Vec<Aim> {
        let row = self
            .rows
            .iter()
            .find(|row| row.connections == AIM_CONNECTIONS);
        let commits = self.singles.as_ref().and_then(|singles| {
            Some(singles.webhook.percentile_ms(50)? / singles.insert.percentile_ms(50)?)
        });
        vec![
            Aim {
                what: "64 connections: accepted webhooks for each bare INSERT",
                wanted: format!("at least {AIM_BESIDE_BARE:.2}"),
                reached: row.and_then(|row| row.ratio(&row.bare)),
                is_met: |ratio| ratio >= AIM_BESIDE_BARE,
            },
            Aim {
                what: "64 connections: accepted webhooks for each command of stock postgres-es",
                wanted: format!("at least {AIM_BESIDE_STOCK:.2}"),
                reached: row.and_then(|row| row.ratio(&row.stock)),
                is_met: |ratio| ratio >= AIM_BESIDE_STOCK,
            },
            Aim {
                what: "idle server: time of a webhook in bare commits (medians)",
                wanted: format!("at most {AIM_BARE_COMMITS:.2}"),
                reached: commits,
                is_met: |commits| commits <= AIM_BARE_COMMITS,
            },
            Aim {
                what: "resident memory of Docket at its peak, MB",
                wanted: format!("under {AIM_MEMORY_MB:.2}"),
                reached: self.memory.map(|memory| memory.peak * MIB_IN_MB),
                is_met: |megabytes| megabytes < AIM_MEMORY_MB,
            },
        ]
    }
}

struct Aim {
    what: &'static str,
    wanted: String,
    reached: Option<f64>,
    is_met: fn(f64) -> bool,
}

/// A value, or a dash where it was not measured.
struct Cell(Option<f64>, usize);

impl Display for Cell {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self(Some(value), decimals) => write!(f, "{value:.decimals$}"),
            Self(None, _) => f.write_str("–"),
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "## Throughput and latency\n")?;
        writeln!(
            f,
            "| connections | Docket : bare | Docket : stock | Docket/s | p50 ms | p99 ms | bare/s | p50 ms | p99 ms | stock/s | p50 ms | p99 ms |"
        )?;
        writeln!(f, "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for row in &self.rows {
            write!(
                f,
                "| {} | **{}** | **{}** |",
                row.connections,
                Cell(row.ratio(&row.bare), 2),
                Cell(row.ratio(&row.stock), 2)
            )?;
            for measured in [&row.docket, &row.bare, &row.stock] {
                let per_second = (!measured.is_empty()).then(|| measured.per_second());
                write!(
                    f,
                    " {} | {} | {} |",
                    Cell(per_second, 0),
                    Cell(measured.percentile_ms(50), 1),
                    Cell(measured.percentile_ms(99), 1)
                )?;
            }
            writeln!(f)?;
        }

        self.write_costs(f)?;
        writeln!(
            f,
            "\n## Aims\n\n| what | aim | reached | |\n|---|--:|--:|---|"
        )?;
        for aim in self.aims() {
            let verdict = aim.reached.map_or("not measured", |value| {
                if (aim.is_met)(value) {
                    "met"
                } else {
                    "**missed**"
                }
            });
            writeln!(
                f,
                "| {} | {} | {} | {verdict} |",
                aim.what,
                aim.wanted,
                Cell(aim.reached, 2)
            )?;
        }
        if let Some(Singles { webhook, insert }) = &self.singles {
            writeln!(
                f,
                "\nIdle server, medians of {} each, taking turns: webhook {} ms, bare INSERT {} ms.",
                self.plan.singles,
                Cell(webhook.percentile_ms(50), 2),
                Cell(insert.percentile_ms(50), 2)
            )?;
        }
        if let Some(Memory { resident, peak }) = self.memory {
            writeln!(
                f,
                "Docket's memory after the load: {resident:.0} MiB resident, {peak:.0} MiB at its peak."
            )?;
        }

        writeln!(f, "\n## Nothing lost, nothing doubled\n")?;
        match &self.correctness {
            Some(correctness) => {
                let Correctness {
                    accepted,
                    received,
                    events,
                    positions: (first, last, head),
                } = correctness;
                writeln!(
                    f,
                    "{accepted} webhooks accepted, {received} messages in the log; {events} events at positions {first} to {last}, \
                     newest {head}: {}.",
                    if correctness.holds() {
                        "right"
                    } else {
                        "**WRONG**"
                    }
                )?;
            }
            None => writeln!(f, "Docket was not measured.")?,
        }

        let timing = self.plan.timing;
        writeln!(f, "\n## What it ran on\n\n| what | which |\n|---|---|")?;
        for (what, which) in &self.machine {
            writeln!(f, "| {what} | {which} |")?;
        }
        writeln!(f, "| load after | {} |", self.load_after)?;
        writeln!(
            f,
            "| windows | {} of {} s each, after {} s of warm-up; a body has {} bytes |",
            self.plan.rounds,
            timing.window.as_secs(),
            timing.warm_up.as_secs(),
            self.payload_bytes
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Timing;

    fn report(per_second: usize) -> Report {
        let second = Duration::from_secs(1);
        let mut row = Row::new(64);
        row.of(Contender::Docket)
            .merge(Measured::new(second, vec![2_000; per_second]));
        row.of(Contender::Bare)
            .merge(Measured::new(second, vec![4_000; 1_000]));
        Report {
            machine: vec![("processor", "Abacus".to_owned())],
            plan: Plan {
                connections: vec![64],
                contenders: vec![Contender::Docket, Contender::Bare],
                rounds: 1,
                timing: Timing {
                    warm_up: second,
                    window: second,
                },
                singles: 1,
                known_contacts: 0,
                conversations: 0,
            },
            payload_bytes: 300,
            rows: vec![row],
            singles: Some(Singles {
                webhook: Measured::new(second, vec![9_000]),
                insert: Measured::new(second, vec![2_000]),
            }),
            memory: Some(Memory {
                resident: 50.0,
                peak: 95.0,
            }),
            correctness: Some(Correctness {
                accepted: 7,
                received: 7,
                events: 10,
                positions: (1, 10, 10),
            }),
            load_after: "0.10 0.20 0.30".to_owned(),
        }
    }

    #[test]
    fn aims_stand_beside_what_was_reached() {
        let text = report(1_100).to_string();

        assert!(
            text.contains(
                "| 64 | **1.10** | **–** | 1100 | 2.0 | 2.0 | 1000 | 4.0 | 4.0 | – | – | – |"
            ),
            "{text}"
        );
        assert!(
            text.contains("bare INSERT | at least 1.00 | 1.10 | met |"),
            "{text}"
        );
        assert!(
            text.contains("postgres-es | at least 5.00 | – | not measured |"),
            "{text}"
        );
        assert!(
            text.contains("bare commits (medians) | at most 4.00 | 4.50 | **missed** |"),
            "{text}"
        );
        assert!(
            text.contains("peak, MB | under 100.00 | 99.61 | met |"),
            "{text}"
        );
        assert!(text.contains("| processor | Abacus |"), "{text}");
        assert!(
            report(900)
                .to_string()
                .contains("at least 1.00 | 0.90 | **missed** |")
        );
    }

    #[test]
    fn a_lost_message_is_cried_out() {
        let mut report = report(1_100);
        assert!(report.is_correct());
        report.correctness = Some(Correctness {
            accepted: 8,
            received: 7,
            events: 10,
            positions: (1, 10, 10),
        });

        assert!(!report.is_correct());
        assert!(report.to_string().contains("**WRONG**"));
    }
}
