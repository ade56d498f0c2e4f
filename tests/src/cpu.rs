//! Time of processors, by process.
//!
//! Unlike throughput it hardly depends on what else the machine does meanwhile, and it says what would be the limit on a faster
//! disk. Linux alone tells it of other processes.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A tick of `/proc/…/stat`: Linux counts a hundred a second for programs, whatever it uses itself.
const TICK: Duration = Duration::from_millis(10);

/// What was spent for a number of operations.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Spent {
    operations: u32,
    contender: Duration,
    postgres: Duration,
}

/// Time for each operation, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct PerOperation {
    /// Of the contender's own process.
    pub contender: f64,
    /// Of the server, all its processes together.
    pub postgres: f64,
}

impl Spent {
    /// `None` where it is not known.
    pub fn per_operation(&self) -> Option<PerOperation> {
        if self.operations == 0 || self.postgres.is_zero() {
            return None;
        }
        let micros = |spent: Duration| spent.as_secs_f64() * 1e6 / f64::from(self.operations);
        Some(PerOperation {
            contender: micros(self.contender),
            postgres: micros(self.postgres),
        })
    }
}

/// Whose process the contender is.
#[derive(Clone, Copy, Debug)]
pub enum Contender {
    /// One that runs all the time.
    Running(u32),
    /// One that we start and wait for.
    Child,
}

/// A clock that runs from one point to another.
pub struct Clock {
    contender: Contender,
    postmaster: u32,
    began: Option<(Duration, Duration)>,
}

impl Clock {
    /// Starts it.
    pub fn start(contender: Contender, postmaster: u32) -> Self {
        let began = read(contender, postmaster);
        Self {
            contender,
            postmaster,
            began,
        }
    }

    /// What was spent since, for that many operations.
    pub fn stop(&self, operations: usize) -> Spent {
        let (Some(began), Some(ended)) = (self.began, read(self.contender, self.postmaster)) else {
            return Spent::default();
        };
        Spent {
            operations: u32::try_from(operations).unwrap_or(u32::MAX),
            contender: ended.0.saturating_sub(began.0),
            postgres: ended.1.saturating_sub(began.1),
        }
    }
}

/// The first process of the server whose files are in the folder `cluster`; `None` where none runs.
pub fn postmaster(cluster: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// The time of the contender and of the server so far.
fn read(contender: Contender, postmaster: u32) -> Option<(Duration, Duration)> {
    let contender = match contender {
        Contender::Running(pid) => {
            let stat = Stat::of(&pid.to_string())?;
            stat.own + stat.children
        }
        Contender::Child => Stat::of("self")?.children,
    };
    // Backends that have ended are their parent's ended children; the others are looked up one by one.
    let server = Stat::of(&postmaster.to_string())?;
    let mut postgres = server.own + server.children;
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(stat) = entry.file_name().to_str().and_then(Stat::of) else {
            continue;
        };
        if stat.parent == postmaster {
            postgres += stat.own;
        }
    }
    Some((contender, postgres))
}

/// What `/proc/…/stat` says of a process.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    own: Duration,
    /// Of its children that have ended.
    children: Duration,
}

impl Stat {
    fn of(process: &str) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    fn parse(line: &str) -> Option<Self> {
        // The name may hold anything, also blanks and brackets.
        let (_, fields) = line.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks = |index: usize| fields.get(index)?.parse::<u32>().ok();
        Some(Self {
            parent: ticks(1)?,
            own: TICK * (ticks(11)? + ticks(12)?),
            children: TICK * (ticks(13)? + ticks(14)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_gives_the_parent_and_the_times() {
        let line = "4242 (odd) name) S 17 4242 4242 0 -1 4194560 1 2 3 4 150 50 7 3 20 0 9 0 1 2 3";

        let stat = Stat::parse(line).unwrap();

        assert_eq!(
            stat,
            Stat {
                parent: 17,
                own: Duration::from_secs(2),
                children: Duration::from_millis(100),
            }
        );
    }

    #[test]
    fn a_server_is_found_by_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(postmaster(folder.path()), None);

        std::fs::write(
            folder.path().join("postmaster.pid"),
            "4242\n/srv/postgres\n",
        )
        .unwrap();

        assert_eq!(postmaster(folder.path()), Some(4_242));
    }

    #[test]
    fn what_was_spent_is_shared_among_the_operations() {
        let spent = Spent {
            operations: 1_000,
            contender: Duration::from_millis(30),
            postgres: Duration::from_millis(70),
        };

        let each = spent.per_operation().unwrap();

        assert!((each.contender - 30.0).abs() < 1e-9);
        assert!((each.postgres - 70.0).abs() < 1e-9);
        assert!(Spent::default().per_operation().is_none());
    }
}
