//! Checks a bundle without a database.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use docket_projections::evidence::audit::{FaultKind, Report};
use docket_projections::evidence::canonical::canonical;
use docket_projections::evidence::{Hash, check_record, leaf_hash};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

use super::{
    CHECKPOINT, EVENTS, FORMAT, MANIFEST, MANIFEST_NOTE, Manifest, PROOFS, PUBLIC_KEY, signed_text,
};
use crate::evidence::note::{PublicKey, Stated};

/// The longest of the small files that is read, in bytes.
const MAX_SMALL: u64 = 16 * 1024 * 1024;

/// What a bundle is.
#[derive(Debug)]
pub struct Checked {
    /// What is wrong.
    pub report: Report,
    /// The stream: `Case/101`.
    pub stream: String,
    /// The key that it was checked with.
    pub key: PublicKey,
    /// Whether the key was the expected one, and not only the one in the bundle.
    pub key_is_known: bool,
}

/// Checks the bundle in a file. `expected` is the log's public key, where it is known from elsewhere.
///
/// # Errors
///
/// A sentence, where the file is no bundle at all.
pub fn check(path: &Path, expected: Option<PublicKey>) -> anyhow::Result<Checked> {
    let no_bundle = || format!("{} is no bundle of Docket", path.display());
    let mut zip = open(path).with_context(no_bundle)?;
    let told = small(&mut zip, PUBLIC_KEY).with_context(no_bundle)?;
    let told = PublicKey::read(&String::from_utf8_lossy(&told)).with_context(no_bundle)?;
    let manifest = small(&mut zip, MANIFEST).with_context(no_bundle)?;
    let known: Manifest = serde_json::from_slice(&manifest).with_context(no_bundle)?;
    let key_is_known = expected.is_some();
    let mut report = Report::default();
    if expected
        .as_ref()
        .is_some_and(|expected| expected.as_str() != told.as_str())
    {
        let sentence = "the bundle is of another log: its public key is not the expected one";
        report.add(FaultKind::Key, None, sentence.to_owned());
    }
    let key = expected.unwrap_or(told);
    if known.format != FORMAT {
        let sentence = format!(
            "the bundle has the form {}, and this Docket knows {FORMAT}",
            known.format
        );
        report.add(FaultKind::Unreadable, None, sentence);
    }
    let note = small(&mut zip, MANIFEST_NOTE).unwrap_or_default();
    let signed = key.open(&String::from_utf8_lossy(&note));
    if signed.as_deref() != Ok(signed_text(&known.origin, &manifest).as_str()) {
        let sentence = "manifest.json is not signed with the log's key";
        report.add(FaultKind::Signature, None, sentence.to_owned());
    }
    files(&mut zip, &known, &mut report)?;
    let checkpoint = small(&mut zip, CHECKPOINT).unwrap_or_default();
    match key.checkpoint(&String::from_utf8_lossy(&checkpoint)) {
        Ok(stated) => events(path, &known, &stated, &mut report).with_context(no_bundle)?,
        Err(error) => {
            let sentence = format!("the checkpoint does not count: {error}");
            report.add(FaultKind::Signature, None, sentence);
        }
    }
    Ok(Checked {
        report,
        stream: known.stream,
        key,
        key_is_known,
    })
}

fn open(path: &Path) -> anyhow::Result<ZipArchive<BufReader<File>>> {
    Ok(ZipArchive::new(BufReader::new(File::open(path)?))?)
}

fn small(zip: &mut ZipArchive<BufReader<File>>, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    zip.by_name(name)?.take(MAX_SMALL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Compares the files with the manifest.
fn files(
    zip: &mut ZipArchive<BufReader<File>>,
    manifest: &Manifest,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut listed: BTreeSet<&str> = [MANIFEST, MANIFEST_NOTE].into();
    for file in &manifest.files {
        listed.insert(&file.name);
        let Ok(mut found) = zip.by_name(&file.name) else {
            let sentence = format!("{} is missing", file.name);
            report.add(FaultKind::Missing, None, sentence);
            continue;
        };
        let mut hash = Sha256::new();
        // Not more than it should have, whatever the file claims.
        let read = io::copy(&mut (&mut found).take(file.size + 1), &mut hash);
        if read.is_err() || hex::encode(hash.finalize()) != file.sha256 {
            let sentence = format!("{} is not the file that was signed", file.name);
            report.add(FaultKind::Changed, None, sentence);
        }
        let named = file.name.strip_prefix("media/");
        if named.is_some_and(|name| !name.starts_with(&file.sha256)) {
            let sentence = format!("{} is not the file that its name says", file.name);
            report.add(FaultKind::Changed, None, sentence);
        }
    }
    for name in [EVENTS, PROOFS, CHECKPOINT, PUBLIC_KEY] {
        if !listed.contains(name) {
            let sentence = format!("{name} is not listed in the manifest");
            report.add(FaultKind::Missing, None, sentence);
        }
    }
    let names = zip
        .file_names()
        .map(|name| name.map(std::borrow::Cow::into_owned))
        .collect::<Result<Vec<String>, _>>()?;
    for name in names.iter().filter(|name| !listed.contains(name.as_str())) {
        let sentence = format!("{name} is in the file, and was not signed");
        report.add(FaultKind::Order, None, sentence);
    }
    Ok(())
}

/// What is needed of an event.
#[derive(Deserialize)]
struct Event {
    position: i64,
    sequence: i64,
    stream: String,
}

#[derive(Deserialize)]
struct Proof {
    position: i64,
    hashes: Vec<String>,
}

/// Checks every event against the checkpoint.
fn events(
    path: &Path,
    manifest: &Manifest,
    stated: &Stated,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (mut of_events, mut of_proofs) = (open(path)?, open(path)?);
    let (Ok(events), Ok(proofs)) = (of_events.by_name(EVENTS), of_proofs.by_name(PROOFS)) else {
        // Told already as missing.
        return Ok(());
    };
    let mut proofs = BufReader::new(proofs).lines();
    let mut position = 0;
    for line in BufReader::new(events).lines() {
        let line = line?;
        report.events += 1;
        let number = report.events;
        let proof = proofs.next().transpose()?;
        if let Err(fault) = event(&line, proof.as_deref(), manifest, stated, number, position) {
            report.add(FaultKind::Changed, number, fault);
        }
        position = serde_json::from_str::<Event>(&line).map_or(position, |event| event.position);
    }
    if report.events.unsigned_abs() != manifest.events {
        let sentence = format!(
            "the bundle has {} events of {}",
            report.events, manifest.events
        );
        report.add(FaultKind::Missing, None, sentence);
    }
    report.hashed = report.events;
    report.checkpoints = 1;
    report.verified = stated.size;
    Ok(())
}

/// Checks one event; gives what is wrong.
fn event(
    line: &str,
    proof: Option<&str>,
    manifest: &Manifest,
    stated: &Stated,
    number: i64,
    before: i64,
) -> Result<(), String> {
    let wrong = |what: &str| format!("event {number} {what}");
    let event: Event = serde_json::from_str(line).map_err(|_| wrong("cannot be read"))?;
    if canonical(line).as_deref() != Ok(line) {
        return Err(wrong("is not in canonical form"));
    }
    if event.stream != manifest.stream {
        return Err(wrong("is of another case"));
    }
    if event.sequence != number || event.position <= before {
        return Err(wrong("is out of order, or one before it is missing"));
    }
    let proof: Proof = proof
        .and_then(|proof| serde_json::from_str(proof).ok())
        .filter(|proof: &Proof| proof.position == event.position)
        .ok_or_else(|| wrong("has no proof"))?;
    let hashes: Option<Vec<Hash>> = (proof.hashes.iter())
        .map(|hash| {
            let bytes = BASE64_STANDARD.decode(hash).ok()?;
            Some(Hash(bytes.try_into().ok()?))
        })
        .collect();
    let hashes = hashes.ok_or_else(|| wrong("has a proof that cannot be read"))?;
    let place = (event.position - 1).unsigned_abs();
    let is_in_tree = event.position <= stated.size
        && check_record(
            &hashes,
            stated.size.unsigned_abs(),
            stated.root,
            place,
            leaf_hash(line),
        )
        .is_ok();
    if is_in_tree {
        Ok(())
    } else {
        Err(wrong(
            "is not the one in the log of which the checkpoint was signed",
        ))
    }
}
