//! `make bench-replay`: how fast the log is replayed and read models are rebuilt from it, beside the least that any reader of the
//! same rows can do, `COPY events TO STDOUT`, in the same run; and how much memory it takes, for a short log and a long one.
//!
//! Each measurement is a process of its own, so that its peak memory is its own too. The database is a private one with the
//! settings of the service, and what is durable there is durable here.
//!
//! `bench-replay [EVENTS…]` measures logs of other lengths than 10,000 and 1,000,000.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use docket::cli::terminal::say;
use docket_projections::connect::connect_options;
use docket_projections::log::reader;
use docket_projections::log::upcasters::upcasters;
use docket_projections::private_postgres::{Options, PrivatePostgres, temporary_data_dir};
use docket_projections::read::ReadModels;
use docket_projections::testing::volume;
use docket_projections::{Connector, connect, migrate, rebuild};
use futures_util::TryStreamExt as _;
use sqlx::Connection;
use sqlx::postgres::PgPoolCopyExt as _;

/// The lengths of the logs that are measured, in events.
const LENGTHS: [i64; 2] = [10_000, 1_000_000];
/// How many events a replay holds at once.
const PAGE: i64 = 5_000;
/// What is measured, in this order: the rows alone, reading and decoding them into handlers, all read models, a check, and a check
/// that has to find the one row that was altered.
const MEASURES: [&str; 5] = ["copy", "replay", "rebuild", "check", "find"];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [measure, url] = arguments.as_slice()
        && MEASURES.contains(&measure.as_str())
    {
        return run(measure, url).await;
    }
    let mut lengths = vec![];
    for argument in &arguments {
        lengths.push(
            argument
                .parse()
                .context("bench-replay takes numbers of events")?,
        );
    }
    if lengths.is_empty() {
        lengths.extend(LENGTHS);
    }
    say("events     what          seconds   events/s   of COPY   peak memory");
    for length in lengths {
        measure_all(length).await?;
    }
    Ok(())
}

/// Measures everything on a log of that length.
async fn measure_all(length: i64) -> anyhow::Result<()> {
    let folder = temporary_data_dir().context("a temporary folder cannot be made")?;
    let postgres = PrivatePostgres::open(Options::new(folder.path())).await?;
    let result = measure_on(&postgres.url(), length).await;
    postgres.discard().await?;
    result
}

async fn measure_on(url: &str, length: i64) -> anyhow::Result<()> {
    let options = connect_options(url)?;
    migrate(&options).await?;
    let mut conn = options.connect().await?;
    volume::fill(&mut conn, length).await;
    conn.close().await?;
    let mut copy = None;
    for measure in MEASURES {
        if measure == "find" {
            alter_one_row(&options).await?;
        }
        let measured = in_process_of_its_own(measure, url)?;
        if measured.events != length {
            bail!("{measure} saw {} of {length} events", measured.events);
        }
        let rate = measured.rate();
        let of_copy = 100.0 * rate / *copy.get_or_insert(rate);
        let seconds = measured.took.as_secs_f64();
        let peak = measured
            .peak_kb
            .map_or_else(|| "not known".to_owned(), |kb| format!("{} MB", kb / 1_024));
        say(&format!(
            "{length:<10} {measure:<10} {seconds:>10.2} {rate:>10.0} {of_copy:>7.1} %   {peak:>11}"
        ));
    }
    Ok(())
}

/// Spoils the title of the case in the middle, as somebody with access to the database could.
async fn alter_one_row(options: &Connector) -> anyhow::Result<()> {
    let mut conn = options.connect().await?;
    let altered = sqlx::query(
        "UPDATE docket_read.cases SET title = title || '.'
          WHERE reference = (SELECT (min(reference) + max(reference)) / 2 FROM docket_read.cases)",
    )
    .execute(&mut conn)
    .await?;
    conn.close().await?;
    if altered.rows_affected() != 1 {
        bail!("{} rows were altered", altered.rows_affected());
    }
    Ok(())
}

/// What a measurement came to.
struct Measured {
    events: i64,
    took: Duration,
    /// The most memory that the process had, in kB; where the system tells.
    peak_kb: Option<u64>,
}

impl Measured {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate is shown without decimals"
    )]
    fn rate(&self) -> f64 {
        self.events as f64 / self.took.as_secs_f64()
    }
}

fn in_process_of_its_own(measure: &str, url: &str) -> anyhow::Result<Measured> {
    let program = std::env::current_exe()?;
    let ended = Command::new(program).args([measure, url]).output()?;
    let said = String::from_utf8_lossy(&ended.stdout);
    if !ended.status.success() {
        bail!(
            "{measure} failed: {}",
            String::from_utf8_lossy(&ended.stderr)
        );
    }
    let mut words = said.split_whitespace();
    let mut number =
        || -> anyhow::Result<u64> { Ok(words.next().context("three numbers")?.parse()?) };
    let (events, micros, peak_kb) = (number()?, number()?, number()?);
    Ok(Measured {
        events: events.cast_signed(),
        took: Duration::from_micros(micros),
        peak_kb: (peak_kb > 0).then_some(peak_kb),
    })
}

async fn run(measure: &str, url: &str) -> anyhow::Result<()> {
    let options = connect_options(url)?;
    let began = Instant::now();
    let events = match measure {
        "copy" => copy(&options).await?,
        "replay" => replay(&options).await?,
        "rebuild" => {
            rebuild::rebuild(&options, ReadModels::ALL, docket::ambient::now(), |_| {})
                .await?
                .events
        }
        "check" => {
            let (events, differences) = rebuild::check(&options, ReadModels::ALL, |_| {}).await?;
            if let Some(difference) = differences.first() {
                bail!("{difference}");
            }
            events
        }
        _ => {
            let (events, differences) = rebuild::check(&options, ReadModels::ALL, |_| {}).await?;
            if differences.is_empty() {
                bail!("the altered row was not found");
            }
            events
        }
    };
    let took = began.elapsed();
    say(&format!("{events} {} {}", took.as_micros(), peak_kb()));
    Ok(())
}

/// All rows of the log, as Postgres writes them, and nothing done with them but counting.
async fn copy(options: &Connector) -> anyhow::Result<i64> {
    let pool = connect::pool(options.clone(), 1);
    let mut rows = pool.copy_out_raw("COPY events TO STDOUT").await?;
    let mut events = 0;
    while let Some(bytes) = rows.try_next().await? {
        events += i64::try_from(bytes.split(|byte| *byte == b'\n').count() - 1)?;
    }
    Ok(events)
}

/// All events, decoded and taken in by the handlers of all read models, which write nothing.
async fn replay(options: &Connector) -> anyhow::Result<i64> {
    let pool = connect::pool(options.clone(), 1);
    let upcasters = upcasters();
    let mut position = 0;
    loop {
        let page = reader::page(&pool, position, PAGE).await?;
        let mut models = ReadModels::default();
        for event in &page {
            models.apply(&event.decode(&upcasters)?);
            position = event.position;
        }
        if page.is_empty() {
            return Ok(position);
        }
    }
}

/// The most memory that this process has had, in kB; 0 where the system does not tell.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches("kB").trim().parse().ok())
        .unwrap_or_default()
}
