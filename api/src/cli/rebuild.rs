//! `docket rebuild`: read models anew from the log, beside a service that may run.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use docket_projections::read::Description;
use docket_projections::rebuild::{self, Difference, Phase, Progress, RebuildError};

use super::database::with_database;
use super::terminal::say;
use crate::ambient;
use crate::config::Config;
use crate::store::Store;

/// How long the rebuild of a service that needs it too is waited for.
const UNDER_WAY_TIMEOUT: Duration = Duration::from_mins(10);
/// The pause between two looks whether that one has ended.
const UNDER_WAY_PAUSE: Duration = Duration::from_millis(500);
/// How often progress is told where nobody watches a bar.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// How often the bar is drawn.
const BAR_INTERVAL: Duration = Duration::from_millis(100);
/// The bar's length, in characters.
const BAR_CHARS: usize = 30;

/// What is to be rebuilt.
#[derive(Args, Debug)]
pub(super) struct Rebuild {
    /// The read models; all of them where none is named.
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// Change nothing: compare the read models in use with what the log gives, and exit 1 where a row differs.
    #[arg(long)]
    check: bool,
}

/// Rebuilds or checks.
///
/// # Errors
///
/// A sentence; in a check also that rows differ, which have been named by then.
pub(super) async fn run(config: &Config, rebuild: &Rebuild) -> anyhow::Result<()> {
    let models = rebuild::models(&rebuild.models)?;
    with_database(config, async |store| {
        if rebuild.check {
            check(store, &models).await
        } else {
            swap(store, &models).await
        }
    })
    .await
}

async fn swap(store: &Store, models: &[Description]) -> anyhow::Result<()> {
    let mut display = Display::new();
    // A service that found them missing or old may be at it, and is done in a while.
    let needs_it = store.connect.watch().standing().refuses_work();
    let rebuilt = loop {
        let rebuilt = rebuild::rebuild(&store.connect, models, ambient::now(), |progress| {
            display.show(progress);
        })
        .await;
        let is_waiting = needs_it && matches!(rebuilt, Err(RebuildError::UnderWay));
        if !is_waiting || display.began.elapsed() > UNDER_WAY_TIMEOUT {
            break rebuilt;
        }
        tokio::time::sleep(UNDER_WAY_PAUSE).await;
    };
    display.end();
    let rebuilt = rebuilt?;
    say(&format!(
        "rebuilt {}: {events} of {events} events in {:.1} s; writers waited {} ms for the swap",
        names(models),
        display.began.elapsed().as_secs_f64(),
        rebuilt.pause.as_millis(),
        events = rebuilt.events,
    ));
    Ok(())
}

async fn check(store: &Store, models: &[Description]) -> anyhow::Result<()> {
    let mut display = Display::new();
    let checked = rebuild::check(&store.connect, models, |progress| display.show(progress)).await;
    display.end();
    let (events, differences) = checked?;
    for difference in &differences {
        say(&difference.to_string());
    }
    say(&format!(
        "checked {}: {events} of {events} events in {:.1} s",
        names(models),
        display.began.elapsed().as_secs_f64(),
    ));
    if !differences.is_empty() {
        bail!(
            "rows of {} are not what the log gives; docket rebuild makes them so",
            tables(&differences)
        );
    }
    Ok(())
}

fn names(models: &[Description]) -> String {
    let names: Vec<&str> = models.iter().map(|model| model.name).collect();
    names.join(", ")
}

fn tables(differences: &[Difference]) -> String {
    let mut tables: Vec<&str> = differences
        .iter()
        .map(|difference| difference.table)
        .collect();
    tables.dedup();
    tables.join(", ")
}

/// Shows on standard error how far it is: a bar at a terminal, a line now and then elsewhere.
struct Display {
    is_terminal: bool,
    began: Instant,
    shown: Option<Instant>,
    phase: Phase,
    bar_is_there: bool,
}

impl Display {
    fn new() -> Self {
        Self {
            is_terminal: std::io::stderr().is_terminal(),
            began: Instant::now(),
            shown: None,
            phase: Phase::Events,
            bar_is_there: false,
        }
    }

    fn show(&mut self, progress: Progress) {
        let interval = if self.is_terminal {
            BAR_INTERVAL
        } else {
            LINE_INTERVAL
        };
        // What changes is said at once; so is the end of a bar.
        let is_due = self
            .shown
            .map_or(self.is_terminal, |shown| shown.elapsed() >= interval)
            || progress.phase != self.phase
            || (self.is_terminal && progress.done == progress.of);
        if self.shown.is_none() {
            self.shown = Some(self.began);
        }
        if !is_due {
            return;
        }
        self.shown = Some(Instant::now());
        self.phase = progress.phase;
        let text = text(progress, self.began.elapsed());
        let mut stderr = std::io::stderr().lock();
        // Whoever watched may have gone away, which must not end a rebuild.
        let _ = if self.is_terminal {
            self.bar_is_there = true;
            write!(stderr, "\r\u{1b}[K{} {text}", bar(progress))
        } else {
            writeln!(stderr, "docket: {text}")
        };
        let _ = stderr.flush();
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.bar_is_there) {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}

fn bar(progress: Progress) -> String {
    let done = usize::try_from(progress.done).unwrap_or_default();
    let of = usize::try_from(progress.of).unwrap_or_default().max(1);
    let full = (done * BAR_CHARS / of).min(BAR_CHARS);
    format!("[{}{}]", "#".repeat(full), "·".repeat(BAR_CHARS - full))
}

fn text(progress: Progress, elapsed: Duration) -> String {
    let Progress { done, of, phase } = progress;
    match phase {
        Phase::Events => {
            let percent = if of > 0 { done * 100 / of } else { 100 };
            let millis = i64::try_from(elapsed.as_millis())
                .unwrap_or(i64::MAX)
                .max(1);
            let a_second = done.saturating_mul(1_000) / millis;
            let left = if a_second > 0 {
                (of - done) / a_second
            } else {
                0
            };
            format!("{percent} %, {done} of {of} events, {a_second} a second, {left} s left")
        }
        Phase::Indexes => format!("{done} of {of} events, making indexes"),
        Phase::Comparing => format!("{done} of {of} events, comparing rows"),
        Phase::Swapping => format!("{done} of {of} events, swapping tables"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(done: i64, of: i64, phase: Phase) -> Progress {
        Progress { done, of, phase }
    }

    #[test]
    fn the_bar_grows_from_empty_to_full() {
        let chars = |done, of| bar(progress(done, of, Phase::Events)).matches('#').count();
        assert_eq!(
            [chars(0, 90), chars(45, 90), chars(90, 90), chars(0, 0)],
            [0, 15, 30, 0]
        );
        assert_eq!(
            bar(progress(45, 90, Phase::Events)).chars().count(),
            BAR_CHARS + 2
        );
    }

    #[test]
    fn how_far_it_is_stands_in_words() {
        let said = |done, of, phase| text(progress(done, of, phase), Duration::from_secs(2));
        assert_eq!(
            said(40_000, 100_000, Phase::Events),
            "40 %, 40000 of 100000 events, 20000 a second, 3 s left"
        );
        assert_eq!(
            said(0, 0, Phase::Events),
            "100 %, 0 of 0 events, 0 a second, 0 s left"
        );
        assert_eq!(
            said(7, 7, Phase::Swapping),
            "7 of 7 events, swapping tables"
        );
    }
}
