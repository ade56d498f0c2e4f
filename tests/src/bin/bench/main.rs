//! `bench`: Docket beside a bare INSERT and beside the stock way of postgres-es, in one run on one machine.
//!
//! One durable Postgres server, on a disk, serves all three, one after the other in short windows that take turns, so that a
//! machine that slows down or speeds up does so for all. What is told are ratios first: absolute numbers are those of the disk.
//! `docs/performance.md` says what each number means.

mod bare;
mod cpu;
mod docket;
mod http;
mod load;
mod machine;
mod measured;
mod report;
mod server;
mod stock;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use self::docket::Docket;
use self::report::{Report, Row};
use self::server::Server;

/// How many single webhooks and single INSERTs are timed on the idle server.
const SINGLES: usize = 300;

/// Measures Docket beside bare Postgres and stock postgres-es, and prints a Markdown table.
#[derive(Parser, Debug)]
#[command(name = "bench")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Windows of one second and few messages: shows that everything works, and measures nothing worth telling.
    #[arg(long)]
    quick: bool,
    /// Measure only these.
    #[arg(long, value_delimiter = ',', value_name = "CONTENDER")]
    only: Vec<Contender>,
    /// How many connections there are at once.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256", value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: Vec<u16>,
    /// How often the contenders take turns.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Seconds that a contender is measured for, in one round at one number of connections.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    seconds: u16,
    /// Seconds that it runs before that.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    warm_up: u16,
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
enum Contender {
    /// `docket serve`, through HTTP.
    Docket,
    /// pgbench's INSERT of one row.
    Bare,
    /// cqrs-es and postgres-es as they come.
    Stock,
}

impl Contender {
    const ALL: [Self; 3] = [Self::Docket, Self::Bare, Self::Stock];

    const fn name(self) -> &'static str {
        match self {
            Self::Docket => "Docket",
            Self::Bare => "bare INSERT",
            Self::Stock => "stock postgres-es",
        }
    }
}

/// How long everything takes.
#[derive(Clone, Debug)]
struct Plan {
    connections: Vec<u16>,
    contenders: Vec<Contender>,
    rounds: u8,
    timing: Timing,
    singles: usize,
    known_contacts: usize,
    conversations: usize,
}

/// The time before and in a window.
#[derive(Clone, Copy, Debug)]
struct Timing {
    warm_up: Duration,
    window: Duration,
}

impl Cli {
    fn plan(&self) -> Plan {
        let contenders = if self.only.is_empty() {
            Contender::ALL.to_vec()
        } else {
            self.only.clone()
        };
        let connections = self.connections.clone();
        if self.quick {
            let timing = Timing {
                warm_up: Duration::from_secs(1),
                window: Duration::from_secs(1),
            };
            return Plan {
                connections,
                contenders,
                rounds: 1,
                timing,
                singles: 20,
                known_contacts: 50,
                conversations: 200,
            };
        }
        let timing = Timing {
            warm_up: Duration::from_secs(self.warm_up.into()),
            window: Duration::from_secs(self.seconds.into()),
        };
        Plan {
            connections,
            contenders,
            rounds: self.rounds,
            timing,
            singles: SINGLES,
            known_contacts: 2_000,
            conversations: 20_000,
        }
    }
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
    runtime.block_on(bench(&cli))
}

async fn bench(cli: &Cli) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = Server::start(&cli.folder).await?;
    let plan = cli.plan();
    let result = tokio::select! {
        result = measure(&plan, &server) => result,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("told to end")),
    };
    server.discard().await?;
    let report = result?;
    write!(std::io::stdout().lock(), "{report}")?;
    Ok(if report.is_correct() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Says on standard error how far we are; standard output is the report's alone.
fn progress(line: &str) {
    // Nobody to tell is no reason to end.
    let _ = writeln!(std::io::stderr(), "bench: {line}");
}

async fn measure(plan: &Plan, server: &Server) -> anyhow::Result<Report> {
    let machine = machine::describe(server).await?;
    let mut docket = if plan.contenders.contains(&Contender::Docket) {
        progress("starting docket serve");
        Some(Docket::start(server, plan.known_contacts, plan.conversations).await?)
    } else {
        None
    };
    let payload = load::sample_body();
    if plan.contenders.contains(&Contender::Bare) {
        bare::prepare(server).await?;
    }
    if plan.contenders.contains(&Contender::Stock) {
        stock::prepare(server).await?;
    }

    let singles = match &mut docket {
        Some(docket) if plan.contenders.contains(&Contender::Bare) => {
            progress("single webhooks and single INSERTs on an idle server");
            Some(docket.singles(server, &payload, plan.singles).await?)
        }
        _ => None,
    };

    let mut rows: Vec<Row> = plan
        .connections
        .iter()
        .map(|connections| Row::new(*connections))
        .collect();
    for round in 0..plan.rounds {
        for row in &mut rows {
            // The order changes from round to round, since each leaves work behind for the server: pages to write, rows to vacuum.
            let mut order = plan.contenders.clone();
            let count = order.len();
            order.rotate_left(usize::from(round) % count);
            for contender in order {
                let connections = row.connections;
                let measured = match (contender, &mut docket) {
                    (Contender::Docket, Some(docket)) => {
                        docket.window(server, connections, plan.timing).await?
                    }
                    (Contender::Docket, None) => bail!("docket is not running"),
                    (Contender::Bare, _) => {
                        bare::window(server, &payload, connections, plan.timing).await?
                    }
                    (Contender::Stock, _) => {
                        stock::window(server, connections, plan.timing).await?
                    }
                };
                progress(&format!(
                    "round {} of {}: {connections} connections, {}: {:.0}/s",
                    round + 1,
                    plan.rounds,
                    contender.name(),
                    measured.per_second()
                ));
                row.of(contender).merge(measured);
            }
        }
    }

    let (memory, correctness) = match docket {
        Some(docket) => {
            let memory = docket.memory();
            (
                memory,
                Some(
                    docket
                        .stop_and_verify(server)
                        .await
                        .context("what was accepted could not be verified")?,
                ),
            )
        }
        None => (None, None),
    };
    Ok(Report {
        machine,
        plan: plan.clone(),
        payload_bytes: payload.len(),
        rows,
        singles,
        memory,
        correctness,
        load_after: machine::load_average(),
    })
}
