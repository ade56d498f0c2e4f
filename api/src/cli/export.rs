//! `docket export`: a case with its proof, as a zip file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use docket_domain::ids::Reference;
use docket_domain::people::export::Via as Way;
use docket_domain::text::references;
use docket_projections::log::recorded::{Actor, Metadata, Via};

use super::terminal::say;
use crate::config::Config;
use crate::evidence::bundle;
use crate::maintenance;
use crate::serve::told_to_stop;
use crate::store::Store;

/// Which case, and where to.
#[derive(Args, Debug)]
pub(super) struct Export {
    /// The case: 123 or #123.
    #[arg(value_parser = reference)]
    reference: Reference,
    /// The file to write; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn reference(text: &str) -> Result<Reference, String> {
    references::typed(text).ok_or_else(|| "a reference is a number such as 123".to_owned())
}

/// Writes the bundle.
///
/// # Errors
///
/// A sentence; no file is left then.
pub(super) async fn run(config: &Config, export: &Export) -> anyhow::Result<()> {
    let public_url = config.public_url.clone().unwrap_or_default();
    let told = told_to_stop()?;
    let store = Store::open(config).await?;
    let work = async {
        let key = store.secret_key(config)?;
        maintenance::on_store(&store, &public_url, async |app| {
            let metadata = Metadata {
                cause: Some("command line".to_owned()),
                ..Metadata::of(Actor::System, Via::Cli)
            };
            let (reference, way) = (export.reference, Way::CommandLine);
            let bundle = bundle::Export::begin(app, key.as_ref(), reference, way, metadata).await?;
            let events = bundle.events();
            write(bundle, &export.out)?;
            say(&format!(
                "wrote {}: case #{reference} with {events} events",
                export.out.display()
            ));
            Ok(())
        })
        .await
    };
    let done = tokio::select! {
        done = work => done,
        () = told.cancelled() => Err(anyhow!("stopped before it was done")),
    };
    let closed = store.close().await;
    done?;
    closed
}

/// Writes the file whole or not at all.
fn write(mut bundle: bundle::Export, path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(anyhow!(
                "{} is there already; name another file, or take that one away",
                path.display()
            ));
        }
        opened => opened.with_context(cannot)?,
    };
    let mut copy = || {
        while let Some(bytes) = bundle.read()? {
            file.write_all(&bytes)?;
        }
        file.sync_all()
    };
    let done = copy().with_context(cannot);
    if done.is_err() {
        // Half a bundle is of no use.
        let _ = std::fs::remove_file(path);
    }
    done
}
