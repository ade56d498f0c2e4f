//! `docket verify`: whether the log is the one of which checkpoints were signed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use docket_projections::evidence::audit::{self, FaultKind, Outside, Report};
use docket_projections::evidence::tree;
use docket_projections::read::ReadModels;
use docket_projections::rebuild;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::terminal::say;
use crate::config::Config;
use crate::evidence;
use crate::evidence::bundle::check::check;
use crate::evidence::note::{PublicKey, split};
use crate::serve::told_to_stop;
use crate::store::Store;

/// What is to be verified; the whole log where nothing is said.
#[derive(Args, Debug)]
pub(super) struct Verify {
    /// Print the public key of the log, and verify nothing.
    #[arg(long, conflicts_with_all = ["checkpoint", "public_key_file", "log_only"])]
    public_key: bool,
    /// Also compare the log with the checkpoints in this file, which was kept outside.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The public key that the log must have, in a file: kept from an earlier --public-key.
    #[arg(long, value_name = "FILE")]
    public_key_file: Option<PathBuf>,
    /// Check an evidence bundle instead, for which no database is needed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["public_key", "checkpoint", "log_only"])]
    bundle: Option<PathBuf>,
    /// Leave out the read models, which are compared with the log otherwise.
    #[arg(long)]
    log_only: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Verifies.
///
/// # Errors
///
/// A sentence; also that something is wrong, which has been told by then.
pub(super) async fn run(config: &Config, verify: &Verify) -> anyhow::Result<()> {
    let expected = verify
        .public_key_file
        .as_deref()
        .map(read_key)
        .transpose()?;
    if let Some(path) = &verify.bundle {
        return verify_bundle(path, expected, verify.json);
    }
    let told = told_to_stop()?;
    // A log that cannot be read any more is a finding and no obstacle.
    let (store, unreadable) = Store::open_for_export(config).await?;
    let work = async {
        if verify.public_key {
            let key = key_of(config, &store).await?;
            say(key.context(NO_KEY)?.as_str());
            return Ok(());
        }
        verify_log(config, &store, verify, expected, unreadable).await
    };
    let done = tokio::select! {
        done = work => done,
        () = told.cancelled() => Err(anyhow!("stopped before it was done")),
    };
    let closed = store.close().await;
    done?;
    closed
}

const NO_KEY: &str = "the log has no key yet: docket serve makes it with the first checkpoint, soon after the first event";

/// Checks a bundle.
fn verify_bundle(path: &Path, expected: Option<PublicKey>, as_json: bool) -> anyhow::Result<()> {
    let checked = check(path, expected)?;
    let report = &checked.report;
    if as_json {
        say(&serde_json::to_string_pretty(&json!({
            "is_clean": report.is_clean(),
            "stream": checked.stream,
            "events": report.events,
            "size": report.verified,
            "public_key": checked.key.as_str(),
            "key_is_known": checked.key_is_known,
            "fault_count": report.fault_count,
            "faults": report.faults,
        }))?);
    } else {
        for fault in &report.faults {
            say(&fault.sentence);
        }
        if report.is_clean() {
            say(&format!(
                "{}: {} events, covered by the signed checkpoint of {} events",
                checked.stream, report.events, report.verified
            ));
        }
        if !checked.key_is_known {
            say(&format!(
                "compare the key with the one that you know, or give that with --public-key-file: {}",
                checked.key.as_str()
            ));
        }
    }
    match report.fault_count {
        0 => Ok(()),
        1 => bail!("the bundle is not as it was made: there is 1 fault"),
        count => bail!("the bundle is not as it was made: there are {count} faults"),
    }
}

/// A public key in a file.
pub(super) fn read_key(path: &Path) -> anyhow::Result<PublicKey> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("the public key in {} cannot be read", path.display()))?;
    PublicKey::read(&text).with_context(|| {
        format!(
            "{} holds no public key: it is one line such as docket verify --public-key prints",
            path.display()
        )
    })
}

/// The log's public key: from its private half where that can be read, else what the database tells.
async fn key_of(config: &Config, store: &Store) -> anyhow::Result<Option<PublicKey>> {
    let key = store.secret_key(config)?;
    let pool = store.pool();
    let found = evidence::public_key(&pool, key.as_ref()).await?;
    pool.close().await;
    Ok(found)
}

async fn verify_log(
    config: &Config,
    store: &Store,
    verify: &Verify,
    expected: Option<PublicKey>,
    unreadable: Option<String>,
) -> anyhow::Result<()> {
    let pool = store.pool();
    let kept = tree::state(&pool).await?.public_key;
    let key = match expected {
        Some(key) => Some(key),
        None => key_of(config, store).await?,
    };
    let outside = match &verify.checkpoint {
        Some(path) => read_outside(path, key.as_ref())?,
        None => vec![],
    };
    let bar = bar();
    let read_note = |note: &str| {
        let key = key.as_ref().ok_or("the log has no key")?;
        let stated = key.checkpoint(note).map_err(|error| error.to_string())?;
        Ok((stated.size, stated.root))
    };
    let mut report = audit::audit(&pool, &read_note, outside, &mut |done, of| {
        bar.set_length(of.unsigned_abs());
        bar.set_position(done.unsigned_abs());
    })
    .await?;
    bar.finish_and_clear();
    if let Some(why) = unreadable {
        report.add(FaultKind::Unreadable, None, why);
    }
    if let (Some(key), Some(kept)) = (&key, &kept)
        && key.as_str() != kept
    {
        let sentence = "the public key in the database is not the expected one".to_owned();
        report.add(FaultKind::Key, None, sentence);
    }
    if !verify.log_only {
        read_models(store, &mut report).await;
    }
    pool.close().await;
    tell(&report, verify.json)
}

/// The checkpoints in a file that was kept outside.
fn read_outside(path: &Path, key: Option<&PublicKey>) -> anyhow::Result<Vec<Outside>> {
    let key = key.context(
        "the log in the database has no key, so the checkpoint cannot be of it: give the key with --public-key-file",
    )?;
    let text = fs::read_to_string(path)
        .with_context(|| format!("the checkpoint in {} cannot be read", path.display()))?;
    let notes = split(&text);
    if notes.is_empty() {
        bail!("{} holds no checkpoint", path.display());
    }
    let mut outside = Vec::with_capacity(notes.len());
    for (place, note) in (1..).zip(&notes) {
        let stated = key.checkpoint(note).map_err(|error| {
            anyhow!(
                "checkpoint {place} in {} does not count: {error}",
                path.display()
            )
        })?;
        outside.push(Outside {
            size: stated.size,
            root: stated.root,
        });
    }
    Ok(outside)
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:30} {human_pos} of {human_len} events, {per_sec}, {eta} left",
    );
    // Drawn on standard error, where that is a terminal.
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Compares the read models with what the log gives.
async fn read_models(store: &Store, report: &mut Report) {
    match rebuild::check(&store.connect, ReadModels::ALL, |_| {}).await {
        Ok((_, differences)) => {
            for difference in differences {
                report.add(FaultKind::ReadModel, None, difference.to_string());
            }
        }
        Err(error) => {
            let sentence = format!("the read models cannot be compared with the log: {error}");
            report.add(FaultKind::ReadModel, None, sentence);
        }
    }
}

/// Prints what was found.
fn tell(report: &Report, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        #[derive(serde::Serialize)]
        struct Told<'a> {
            is_clean: bool,
            #[serde(flatten)]
            report: &'a Report,
        }
        let is_clean = report.is_clean();
        say(&serde_json::to_string_pretty(&Told { is_clean, report })?);
    } else {
        for fault in &report.faults {
            say(&fault.sentence);
        }
        let signed = report.signed_at.map_or_else(
            || "no checkpoint covers it yet".to_owned(),
            |at| {
                format!(
                    "verified up to position {} by the checkpoint of {}",
                    report.verified,
                    at.format("%Y-%m-%d %H:%M:%S UTC")
                )
            },
        );
        say(&format!(
            "{} events, {} of them hashed, {} checkpoints; {signed}",
            report.events, report.hashed, report.checkpoints
        ));
    }
    match report.fault_count {
        0 => Ok(()),
        1 => bail!("the log is not as it was: there is 1 fault"),
        count => bail!("the log is not as it was: there are {count} faults"),
    }
}
