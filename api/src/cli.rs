//! The command line.

mod database;
mod demo;
mod export_log;
mod history;
mod rebuild;
pub mod terminal;

use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand, ValueEnum};
use docket_domain::text::normalise;
use docket_domain::user::Role;
use secrecy::{ExposeSecret, SecretString};
use tracing::info;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Given};
use crate::serve::{Service, told_to_stop};
use crate::store::Store;
use crate::{maintenance, users};

/// Conversations by SMS and WhatsApp as cases.
#[derive(Parser, Debug)]
#[command(name = "docket", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    given: Given,
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// What is logged; the usual where the setting cannot be read, which [`run`] tells.
    pub fn log_filter(&self) -> EnvFilter {
        self.given
            .log_filter()
            .unwrap_or_else(|_| EnvFilter::new("info"))
    }
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Start everything with a simulated Vonage and a few lively cases, and print where to look.
    Demo,
    /// Run the service.
    Serve,
    /// Bring the database up to date and exit; `serve` does so by itself.
    Migrate,
    /// Show what happened in a case, or the case as it was.
    History(history::History),
    /// Build read models anew from the log, while the service runs.
    Rebuild(rebuild::Rebuild),
    /// Write the log to standard output, as JSON Lines of CloudEvents.
    ExportLog(export_log::ExportLog),
    /// Manage users.
    #[command(subcommand)]
    User(UserCommand),
    /// Manage API tokens.
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Subcommand, Debug)]
enum UserCommand {
    /// Add a user.
    Add {
        /// The address they sign in with.
        #[arg(long)]
        email: String,
        /// What they may do.
        #[arg(long)]
        role: RoleName,
        /// Read their password from standard input, up to the end of the line.
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Subcommand, Debug)]
enum TokenCommand {
    /// Make a token for a user and print it, and nothing else.
    Create {
        /// The user's address.
        #[arg(long)]
        email: String,
        /// What the token is for.
        #[arg(long)]
        name: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    /// Sets the server up and manages users.
    Owner,
    /// Works on cases.
    Agent,
    /// Reads everything and changes nothing.
    Auditor,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Owner => Self::Owner,
            RoleName::Agent => Self::Agent,
            RoleName::Auditor => Self::Auditor,
        }
    }
}

/// Runs a command; what goes wrong is said on standard error.
pub async fn run(cli: Cli) -> ExitCode {
    match dispatch(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<()> {
    if matches!(cli.command, Command::Demo) {
        return demo::run(&cli.given).await;
    }
    let config = cli.given.check()?;
    match cli.command {
        Command::Demo => Ok(()),
        Command::Serve => serve(&config).await,
        Command::Migrate => {
            Store::open(&config).await?.close().await?;
            terminal::say("the database is up to date");
            Ok(())
        }
        Command::History(history) => history::run(&config, &history).await,
        Command::Rebuild(rebuild) => rebuild::run(&config, &rebuild).await,
        Command::ExportLog(export) => export_log::run(&config, &export).await,
        Command::User(UserCommand::Add {
            email,
            role,
            password_stdin,
        }) => {
            let password = if password_stdin {
                Some(password_from_stdin()?)
            } else {
                None
            };
            maintenance::with_app(&config, async |app| {
                users::add(app, &email, role.into(), password.as_ref()).await?;
                terminal::say(&format!("added {}", normalise::typed(&email)));
                Ok(())
            })
            .await
        }
        Command::Token(TokenCommand::Create { email, name }) => {
            maintenance::with_app(&config, async |app| {
                let token = users::create_token(app, &email, &name).await?;
                terminal::say(token.expose_secret());
                Ok(())
            })
            .await
        }
    }
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let told = told_to_stop()?;
    let service = Service::start(config).await?;
    info!(address = %service.address, "listening");
    if service.app.vonage.signature_secret.load().is_none() {
        tracing::warn!(
            "DOCKET_VONAGE_SIGNATURE_SECRET is not set, and none was entered at the console: every webhook is answered 503 until then"
        );
    }
    if service.app.vonage.client.load().is_none() {
        tracing::warn!(
            "DOCKET_VONAGE_APPLICATION_ID and DOCKET_VONAGE_PRIVATE_KEY_FILE are not set, and nothing was entered at the console: replies wait until then"
        );
    }
    service.run_until(told).await
}

fn password_from_stdin() -> anyhow::Result<SecretString> {
    let mut text = String::new();
    std::io::stdin()
        .take(4_096)
        .read_to_string(&mut text)
        .context("the password could not be read")?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        bail!("standard input holds no password");
    }
    Ok(password.to_owned().into())
}
