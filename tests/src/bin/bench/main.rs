//! `bench`: every number by which Docket's write path is judged, in one run on one machine.
//!
//! Docket is the real program, loaded through HTTP. One durable Postgres server, on a disk, serves it and what it is compared
//! with. Sides of a comparison take turns in short windows, so that a machine that slows down or speeds up does so for both; a
//! result is the median over the rounds. `docs/performance.md` says what each number means.

mod bare;
mod desk;
mod growth;
mod http;
mod idle;
mod load;
mod long_case;
mod machine;
mod measured;
mod neighbours;
mod plan;
mod processes;
mod proxy;
mod rebuild;
mod report;
mod send;
mod server;
mod snapshot;
mod statements;
mod stock;
mod table;
mod throughput;

use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand, ValueEnum};
use futures_util::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};

use self::plan::{Plan, Timing};
use self::report::Report;
use self::server::Server;
use self::table::{Aim, Row};

/// The most memory that a process of Docket may take, in MB.
const MEMORY_AIM_MB: f64 = 100.0;

/// Measures Docket's write path, and prints each number beside its aim as a Markdown table.
#[derive(Parser, Debug)]
#[command(name = "bench")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Short windows and few messages: shows that everything works, and measures nothing worth telling.
    #[arg(long, conflicts_with_all = ["long", "write_docs"])]
    quick: bool,
    /// 1,000,000 messages in 900 open cases as well, and longer freezes. Takes an hour or more.
    #[arg(long)]
    long: bool,
    /// Measure only these.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAME",
        conflicts_with = "write_docs"
    )]
    only: Vec<Measure>,
    /// How often the sides of a comparison take turns.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Seconds for which a snapshot is held.
    #[arg(long, value_parser = clap::value_parser!(u16).range(5..))]
    hold: Option<u16>,
    /// Write the report into docs/performance.md too.
    #[arg(long)]
    write_docs: bool,
    /// Where the database is made, and deleted again; to be on a real disk.
    #[arg(long, default_value = "/var/tmp", value_name = "FOLDER")]
    folder: PathBuf,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// The stock way in a process of its own; the measurement starts it by itself.
    #[command(hide = true)]
    Stock(stock::Arguments),
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// Webhooks beside stock postgres-es and bare INSERTs, with their processor time.
    Throughput,
    /// A single webhook on an idle server.
    Idle,
    /// Throughput when 900 open cases have grown.
    Growth,
    /// The next message of a very long case.
    LongCase,
    /// Two and four processes on one database.
    Processes,
    /// Webhooks while another process is frozen, or cut off from the database.
    Neighbours,
    /// Webhooks while somebody holds a snapshot.
    Snapshot,
    /// A rebuild of all read models.
    Rebuild,
    /// Statements and round trips.
    Statements,
}

/// What a run works with.
struct Bench {
    plan: Plan,
    folder: PathBuf,
    server: Server,
    report: Report,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    if let Some(Command::Stock(arguments)) = &cli.command {
        // A program that uses the stock crates would run on all cores.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let measured = runtime.block_on(stock::run(arguments))?;
        serde_json::to_writer(std::io::stdout().lock(), &measured)?;
        return Ok(ExitCode::SUCCESS);
    }
    // One thread is enough to send and receive, and leaves the other cores to what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&cli))
}

async fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = Server::start(&cli.folder).await?;
    let mut bench = Bench {
        plan: Plan::new(cli),
        folder: cli.folder.clone(),
        server,
        report: Report::default(),
    };
    // Helpers of the tests panic, and the server has to end even so.
    let measuring = AssertUnwindSafe(measure(&mut bench, cli)).catch_unwind();
    let result = tokio::select! {
        result = measuring => match result {
            Ok(result) => result,
            Err(_) => Err(anyhow::anyhow!("the measurement broke off")),
        },
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("told to end")),
    };
    let Bench { server, report, .. } = bench;
    server.discard().await?;
    // A run takes long: what was measured is told even where the rest failed.
    write!(std::io::stdout().lock(), "{report}")?;
    result?;
    if !report.is_correct() {
        return Ok(ExitCode::FAILURE);
    }
    if cli.write_docs {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        report.write_into(&project)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says on standard error how far we are; standard output is the report's alone.
fn progress(line: &str) {
    // Nobody to tell is no reason to end.
    let _ = writeln!(std::io::stderr(), "bench: {line}");
}

async fn measure(bench: &mut Bench, cli: &Cli) -> anyhow::Result<()> {
    if cli.write_docs && cfg!(debug_assertions) {
        bail!("the numbers of a debug build are not for the documentation: run `make bench`");
    }
    bench.report.machine = machine::describe(&bench.server).await?;
    let chosen = if cli.only.is_empty() {
        Measure::value_variants()
    } else {
        &cli.only
    };
    for one in Measure::value_variants() {
        if chosen.contains(one) {
            let name = one.to_possible_value().context("each measure has a name")?;
            progress(&format!("measuring {}", name.get_name()));
            match one {
                Measure::Throughput => throughput::measure(bench).await,
                Measure::Idle => idle::measure(bench).await,
                Measure::Growth => growth::measure(bench).await,
                Measure::LongCase => long_case::measure(bench).await,
                Measure::Processes => processes::measure(bench).await,
                Measure::Neighbours => neighbours::measure(bench).await,
                Measure::Snapshot => snapshot::measure(bench).await,
                Measure::Rebuild => rebuild::measure(bench).await,
                Measure::Statements => statements::measure(bench).await,
            }
            .with_context(|| format!("{} could not be measured", name.get_name()))?;
        }
    }
    let peak = bench.report.peak_mb();
    bench.report.row(Row::number(
        "resident memory of a process of Docket at its peak",
        Aim::Below(MEMORY_AIM_MB),
        peak,
        0,
        "MB",
    ));
    bench.report.load_after = machine::load_average();
    Ok(())
}
