//! The `docket` binary.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use docket::cli::{self, Cli, terminal};
use docket::config;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Err(error) = config::load_file(&arguments) {
        terminal::complain(&error.to_string());
        return ExitCode::FAILURE;
    }
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::complain(&format!("the runtime cannot be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(cli::run(cli))
}
