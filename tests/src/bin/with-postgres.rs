//! Runs a command beside a throw-away Postgres: `with-postgres -- cargo test`.
//!
//! The command finds the server's URL in `DOCKET_TEST_DATABASE_URL`. Its exit code becomes ours (128 and the signal's
//! number if a signal ended it), and the server is gone when we are, whether the command fails or we are told to end.

use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, bail};
use docket_projections::private_postgres::{Options, PrivatePostgres, temporary_data_dir};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// The variable that hands the command the server's URL, as `docket_projections::testing` reads it.
const URL_VARIABLE: &str = "DOCKET_TEST_DATABASE_URL";

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--") {
        arguments.remove(0);
    }
    let Some((program, arguments)) = arguments.split_first() else {
        bail!("Usage: with-postgres [--] COMMAND [ARGUMENT]…");
    };

    // Listened to from here on, so that no signal ends us while a server runs.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let data_dir = temporary_data_dir().context("Cannot make a temporary folder.")?;
    let postgres = PrivatePostgres::open(Options {
        durable: false,
        database: "postgres".to_owned(),
        // Test programs run beside one another, each test with a pool of its own.
        max_connections: 300,
        ..Options::new(data_dir.path())
    })
    .await?;

    let mut command = Command::new(program);
    command
        .args(arguments)
        .env(URL_VARIABLE, postgres.url())
        .kill_on_drop(true);
    // At a terminal the command stays in our group, so that it may read from there and Ctrl-C reaches it without us.
    // Otherwise it gets its own, so that a signal to us can be passed on to all that it started.
    let own_group = !std::io::stdin().is_terminal();
    if own_group {
        command.process_group(0);
    }

    let ended = match command.spawn() {
        Ok(mut child) => loop {
            tokio::select! {
                ended = child.wait() => break ended.context("Cannot wait for the command."),
                _ = interrupt.recv() => if own_group { pass_on(&child, Signal::INT, own_group) },
                _ = terminate.recv() => pass_on(&child, Signal::TERM, own_group),
            }
        },
        Err(error) => Err(error).with_context(|| format!("Cannot run {}.", program.display())),
    };
    postgres.discard().await?;
    Ok(exit_code(ended?))
}

fn pass_on(child: &Child, signal: Signal, own_group: bool) {
    let Some(pid) = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
    else {
        return;
    };
    // It fails only if the command has just ended, which is what the signal is for.
    let _ = if own_group {
        kill_process_group(pid, signal)
    } else {
        kill_process(pid, signal)
    };
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
