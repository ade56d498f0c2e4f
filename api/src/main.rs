//! The `docket` binary.

use std::io::IsTerminal;
use std::process::ExitCode;

use docket::cli::{self, Cli, terminal};
use docket::config::logging;
use mimalloc::MiMalloc;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::read();
    let values = match cli.values() {
        Ok(values) => values,
        Err(error) => {
            terminal::complain(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    // A filter that cannot be read is told with the other mistakes.
    let filter = logging::filter(&values).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    for warning in &values.warnings {
        tracing::warn!("{warning}");
    }
    // What a panic says can hold anything, a message's text too; where it happened is enough to find it.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "a bug: the program panicked");
    }));
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::complain(&format!("the runtime cannot be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(cli::run(cli, &values))
}
