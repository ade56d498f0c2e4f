//! The command line.

mod arguments;
mod database;
mod demo;
mod export;
mod export_log;
mod history;
mod rebuild;
pub mod terminal;
mod verify;

use std::ffi::OsString;
use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand, ValueEnum};
use docket_domain::text::normalise;
use docket_domain::user::Role;
use secrecy::{ExposeSecret, SecretString};
use tracing::info;

use crate::config::{Config, ConfigError, Given, Values};
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
    /// Reads the command line. Where it is wrong, this says so and ends the program.
    pub fn read() -> Self {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        arguments::read(&arguments).unwrap_or_else(|error| error.exit())
    }

    /// The settings, from flags, environment and file.
    ///
    /// # Errors
    ///
    /// A sentence for each mistake.
    pub fn values(&self) -> Result<Values, ConfigError> {
        self.given.values()
    }
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Start everything with a simulated Vonage and a few lively cases, and print where to look.
    Demo(demo::Demo),
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
    /// Write a case with its proof to a zip file.
    Export(export::Export),
    /// Verify that the log is the one of which checkpoints were signed; exit 1 where it is not.
    Verify(verify::Verify),
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
        #[arg(long, required_unless_present = "service", conflicts_with = "service")]
        email: Option<String>,
        /// Add a service account instead: a program, which has tokens and no password.
        #[arg(long, requires = "name")]
        service: bool,
        /// What colleagues call them; a service account's name.
        #[arg(long)]
        name: Option<String>,
        /// What they may do.
        #[arg(long)]
        role: RoleName,
        /// Read their password from standard input, up to the end of the line.
        #[arg(long, conflicts_with = "service")]
        password_stdin: bool,
    },
}

#[derive(Subcommand, Debug)]
enum TokenCommand {
    /// Make a token for a user and print it, and nothing else.
    Create {
        /// The user's address, or the name of a service account.
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
pub async fn run(cli: Cli, values: &Values) -> ExitCode {
    match dispatch(cli, values).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli, values: &Values) -> anyhow::Result<()> {
    let config = values.check()?;
    match cli.command {
        Command::Demo(demo) => demo::run(config, &demo).await,
        Command::Serve => serve(&config).await,
        Command::Migrate => {
            Store::open(&config).await?.close().await?;
            terminal::say("the database is up to date");
            Ok(())
        }
        Command::History(history) => history::run(&config, &history).await,
        Command::Rebuild(rebuild) => rebuild::run(&config, &rebuild).await,
        Command::ExportLog(export) => export_log::run(&config, &export).await,
        Command::Export(export) => export::run(&config, &export).await,
        Command::Verify(verify) => verify::run(&config, &verify).await,
        Command::User(UserCommand::Add {
            email,
            name,
            role,
            password_stdin,
            service: _,
        }) => {
            let password = if password_stdin {
                Some(password_from_stdin()?)
            } else {
                None
            };
            let role = role.into();
            maintenance::with_app(&config, async |app| {
                let who = match (&email, &name) {
                    (Some(email), _) => {
                        let name = name.as_deref();
                        users::add(app, email, name, role, password.as_ref()).await?;
                        email
                    }
                    (None, Some(name)) => {
                        users::add_service(app, name, role).await?;
                        name
                    }
                    (None, None) => bail!("give --email, or --service with --name"),
                };
                terminal::say(&format!("added {}", normalise::typed(who)));
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
    if let Some(address) = service.metrics_address {
        info!(%address, "metrics are served");
    }
    if let Some(warning) = unencrypted(config) {
        tracing::warn!("{warning}");
    }
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

/// A warning where people may sign in from other machines without encryption.
fn unencrypted(config: &Config) -> Option<String> {
    let url = config.public_url.as_deref();
    if config.listen.ip().is_loopback() || url.is_some_and(|url| url.starts_with("https:")) {
        return None;
    }
    let what = match url {
        None => "DOCKET_PUBLIC_URL is not set".to_owned(),
        Some(url) => format!("DOCKET_PUBLIC_URL is {url}, without encryption"),
    };
    Some(format!(
        "{what}, and Docket listens on {}, where other machines can reach it: passwords and messages may be read on their way. \
         Put a proxy with TLS in front of Docket, set DOCKET_PUBLIC_URL to its https address, and DOCKET_TRUSTED_PROXIES to the proxy's own",
        config.listen
    ))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn passwords_that_may_travel_without_encryption_are_warned_of() {
        for (listen, url, is_warned) in [
            ("127.0.0.1:8080", "", false),
            ("[::1]:8080", "", false),
            ("0.0.0.0:8080", "", true),
            ("192.0.2.1:8080", "http://docket.example.com", true),
            ("0.0.0.0:8080", "https://docket.example.com", false),
            ("127.0.0.1:8080", "http://docket.example.com", false),
        ] {
            let settings = [("DOCKET_LISTEN", listen), ("DOCKET_PUBLIC_URL", url)];
            let outside: BTreeMap<OsString, OsString> = settings
                .map(|(name, value)| (name.into(), value.into()))
                .into();
            let config = Given::default()
                .values_beside(&outside)
                .unwrap()
                .check()
                .unwrap();
            assert_eq!(unencrypted(&config).is_some(), is_warned, "{listen} {url}");
        }
    }
}
