//! `docket export-log`: the log as JSON Lines of CloudEvents 1.0, on standard output.

use std::io::{ErrorKind, Write};

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use clap::Args;
use docket_domain::ids::TokenId;
use docket_domain::people::export::Via as Way;
use docket_domain::personal::Personal;
use docket_projections::log::circumstances::Circumstances;
use docket_projections::log::recorded::{Actor, Metadata, Via};
use uuid::Uuid;

use super::terminal::complain;
use crate::app::App;
use crate::config::Config;
use crate::export::{Export, Lines, Period};
use crate::maintenance;
use crate::serve::told_to_stop;
use crate::store::Store;

/// Which events are exported; all of them where nothing is said.
#[derive(Args, Debug)]
pub(super) struct ExportLog {
    /// The position to begin with.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<i64>,
    /// The position to end with; the end of the log where it is left out.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    to: Option<i64>,
    /// Only events that were recorded at that time (RFC 3339) or later.
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only events that were recorded before that time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// Only what the person of that address did.
    #[arg(long, value_name = "EMAIL")]
    actor: Option<String>,
    /// Only what was done that way: console, api, cli, webhook, delivery or system.
    #[arg(long, value_name = "WAY", value_parser = via)]
    via: Option<Via>,
    /// Only what was done with that API token.
    #[arg(long, value_name = "ID")]
    token_id: Option<Uuid>,
    /// Only what was done from that network address.
    #[arg(long, value_name = "ADDRESS")]
    client_address: Option<String>,
}

fn via(name: &str) -> Result<Via, String> {
    let names = Via::ALL.map(Via::as_str).join(", ");
    Via::from_name(name).ok_or_else(|| format!("must be one of {names}"))
}

/// Writes the log to standard output. Ends with success where the reader wants no more of it.
///
/// # Errors
///
/// A sentence; what was written up to there is right, and not all.
pub(super) async fn run(config: &Config, export: &ExportLog) -> anyhow::Result<()> {
    let period = Period {
        from: export.from,
        to: export.to,
        since: export.since,
        until: export.until,
        how: Circumstances {
            email: export.actor.clone().map(Personal),
            via: export.via,
            token_id: export.token_id.map(TokenId),
            client_address: export.client_address.clone().map(Personal),
        },
    };
    let public_url = config.public_url.clone().unwrap_or_default();
    let told = told_to_stop()?;
    let (store, newer) = Store::open_for_export(config).await?;
    let work = async {
        match newer {
            None => {
                maintenance::on_store(&store, &public_url, async |app| write(app, period).await)
                    .await
            }
            Some(why) => {
                complain(&format!(
                    "{why}. That the log is exported is not recorded in it, since this Docket must not write there"
                ));
                write_unrecorded(Lines::of(store.pool(), period, &public_url).await?).await
            }
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = told.cancelled() => Err(anyhow!("stopped before it was done")),
    };
    let closed = store.close().await;
    done?;
    closed
}

async fn write_unrecorded(mut lines: Lines) -> anyhow::Result<()> {
    while let Some(bytes) = lines.next().await? {
        if !print(bytes).await? {
            return Ok(());
        }
    }
    let (given, looked_at) = lines.counts();
    complain(&format!("wrote {given} of {looked_at} events"));
    Ok(())
}

async fn write(app: &App, period: Period) -> anyhow::Result<()> {
    let metadata = Metadata {
        cause: Some("command line".to_owned()),
        ..Metadata::of(Actor::System, Via::Cli)
    };
    let mut export = Export::begin(app, period, Way::CommandLine, metadata).await?;
    while let Some(lines) = export.next().await? {
        if !print(lines).await? {
            return Ok(());
        }
    }
    let (given, looked_at) = export.counts();
    complain(&format!("wrote {given} of {looked_at} events"));
    Ok(())
}

/// Writes to standard output; false where nobody reads it any more, as behind `head`.
async fn print(bytes: Vec<u8>) -> anyhow::Result<bool> {
    let written = tokio::task::spawn_blocking(move || {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&bytes)?;
        stdout.flush()
    })
    .await?;
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("standard output cannot be written"),
    }
}
