//! An evidence bundle: a case with all that somebody needs to check it, in one zip file.
//!
//! | file | what |
//! |---|---|
//! | `events.jsonl` | the case's events, a leaf a line |
//! | `proofs.jsonl` | for each of them the proof that the tree of the checkpoint holds it |
//! | `checkpoint.txt` | the signed checkpoint |
//! | `public-key.txt` | the key that signed it |
//! | `media/…` | the kept files of its messages, named by their SHA-256 |
//! | `transcript.html` | the case for people to read |
//! | `manifest.json` | the SHA-256 of each of these files |
//! | `manifest.txt` | the signed SHA-256 of the manifest |
//!
//! `docs/evidence.md` describes the format. The file is made whole before the first byte is given out, page by page, so memory is
//! bounded however long the case is.

pub mod check;
mod transcript;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write};

use askama::Template as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use docket_domain::event::StreamId;
use docket_domain::ids::{ExportId, Reference};
use docket_domain::media::StoredFile;
use docket_domain::people::export::{ExportCommand, ExportEvent, Exported, Via};
use docket_projections::evidence::checkpoints::Checkpoint;
use docket_projections::evidence::entries::{self, Extent};
use docket_projections::evidence::tree;
use docket_projections::evidence::{Hash, check_record};
use docket_projections::history::{self, AsOfError, At};
use docket_projections::log::recorded::Metadata;
use docket_projections::read::media::MediaState;
use docket_projections::{DatabaseError, PgPool};
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use self::transcript::{Carried, Foot, Head};
use super::note::LogSigner;
use super::{EvidenceError, covering, signer};
use crate::app::App;
use crate::media::shown::{self, Moment};
use crate::operations::people::RecordExport;
use crate::secrets::SecretKey;

/// The form of bundles that this version makes.
const FORMAT: &str = "docket-bundle/1";
/// The second line of what is signed over a manifest, which keeps it from being read as a checkpoint.
const SIGNED: &str = "Docket bundle";
/// How many events are in memory at once.
const PAGE: usize = 250;
/// How many items of the thread are in memory at once.
const ITEMS: usize = 250;

const EVENTS: &str = "events.jsonl";
const PROOFS: &str = "proofs.jsonl";
const CHECKPOINT: &str = "checkpoint.txt";
const PUBLIC_KEY: &str = "public-key.txt";
const TRANSCRIPT: &str = "transcript.html";
const MANIFEST: &str = "manifest.json";
const MANIFEST_NOTE: &str = "manifest.txt";

/// Why a bundle cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is no such case.
    #[error("there is no case #{0}")]
    NoSuchCase(Reference),
    /// No checkpoint can be signed.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// An event is not the one that was hashed.
    #[error(
        "the event at position {0} is not the one that was hashed, so it cannot be proved: docket verify says what was changed"
    )]
    Altered(i64),
    /// The case could not be read.
    #[error("the case could not be read")]
    Case(#[from] AsOfError),
    /// The file could not be written.
    #[error("the bundle could not be written: {0}")]
    File(#[from] io::Error),
    /// The store of files could not be read.
    #[error("a file that a message carries could not be read from the store of media")]
    Media(#[from] object_store::Error),
    /// That somebody exports the case could not be recorded.
    #[error("that the case is exported could not be recorded: {0}")]
    NotRecorded(String),
}

impl From<DatabaseError> for BundleError {
    fn from(error: DatabaseError) -> Self {
        Self::Evidence(error.into())
    }
}

impl From<tree::TreeError> for BundleError {
    fn from(error: tree::TreeError) -> Self {
        Self::Evidence(error.into())
    }
}

impl From<zip::result::ZipError> for BundleError {
    fn from(error: zip::result::ZipError) -> Self {
        Self::File(io::Error::other(error))
    }
}

impl From<askama::Error> for BundleError {
    fn from(error: askama::Error) -> Self {
        Self::File(io::Error::other(error))
    }
}

/// What a bundle is, beside its files.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: String,
    /// The log's name.
    origin: String,
    /// The stream: `Case/101`.
    stream: String,
    /// How many events it had, all of which are here.
    events: u64,
    /// How many events the checkpoint covers.
    size: i64,
    files: Vec<ManifestFile>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ManifestFile {
    name: String,
    size: u64,
    /// In hexadecimal digits.
    sha256: String,
}

/// What is signed over a manifest.
fn signed_text(origin: &str, manifest: &[u8]) -> String {
    let digest = hex::encode(Sha256::digest(manifest));
    format!("{origin}\n{SIGNED}\n{digest}\n")
}

/// What a bundle's file is called.
pub fn file_name(reference: Reference) -> String {
    format!("docket-case-{reference}.zip")
}

/// Whether there is such a case, and where its events stand.
///
/// # Errors
///
/// [`BundleError::NoSuchCase`], and the database's error.
pub async fn extent(pool: &PgPool, reference: Reference) -> Result<Extent, BundleError> {
    entries::extent(pool, StreamId::Case(reference))
        .await?
        .ok_or(BundleError::NoSuchCase(reference))
}

/// A bundle that was made. When it is dropped, how its export ended is recorded.
pub struct Export {
    app: App,
    id: ExportId,
    metadata: Metadata,
    events: i64,
    file: File,
    is_whole: bool,
}

impl Export {
    /// Records that the case is exported, and makes the bundle.
    ///
    /// # Errors
    ///
    /// [`BundleError`]; nothing is given out then.
    pub async fn begin(
        app: &App,
        key: Option<&SecretKey>,
        reference: Reference,
        via: Via,
        metadata: Metadata,
    ) -> Result<Self, BundleError> {
        let extent = extent(&app.pool, reference).await?;
        let signer = signer(&app.pool, key, &app.public_url).await?;
        let export_id = ExportId((app.new_id)());
        let begun = ExportEvent::ExportBegun {
            export_id,
            what: Exported::Case,
            via,
            from: extent.first,
            to: extent.last,
            since: None,
            until: None,
            reference: Some(reference),
        };
        let operation = RecordExport {
            export_id,
            command: ExportCommand::Begin(begun),
            metadata: metadata.clone(),
        };
        let recorded = app.ledger.submit(operation).await;
        recorded.map_err(|error| BundleError::NotRecorded(error.to_string()))?;
        let mut export = Self {
            app: app.clone(),
            id: export_id,
            metadata,
            events: 0,
            file: tempfile::tempfile()?,
            is_whole: false,
        };
        let checkpoint = covering(app, key, extent.last).await?;
        let maker = Maker::new(app, &signer, &checkpoint, export.file.try_clone()?);
        export.events = Box::pin(maker.make(reference, extent)).await?;
        export.file.seek(SeekFrom::Start(0))?;
        Ok(export)
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    ///
    /// The file could not be read.
    pub fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; 64 * 1024];
        let length = self.file.read(&mut bytes)?;
        bytes.truncate(length);
        self.is_whole = length == 0;
        Ok((length > 0).then_some(bytes))
    }

    /// How many events it holds.
    pub const fn events(&self) -> i64 {
        self.events
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        let metadata = self.metadata.clone();
        (self.app.audit).export_ended(self.id, metadata, self.events, self.is_whole);
    }
}

/// Writes a bundle.
struct Maker<'a> {
    app: &'a App,
    pool: &'a PgPool,
    signer: &'a LogSigner,
    checkpoint: &'a Checkpoint,
    zip: ZipWriter<BufWriter<File>>,
    files: Vec<ManifestFile>,
    hash: Sha256,
}

impl<'a> Maker<'a> {
    fn new(app: &'a App, signer: &'a LogSigner, checkpoint: &'a Checkpoint, file: File) -> Self {
        Self {
            app,
            pool: &app.pool,
            signer,
            checkpoint,
            zip: ZipWriter::new(BufWriter::new(file)),
            files: Vec::new(),
            hash: Sha256::new(),
        }
    }

    /// Writes everything; gives how many events there are.
    async fn make(mut self, reference: Reference, extent: Extent) -> Result<i64, BundleError> {
        let leaves = self.events(reference, extent).await?;
        self.proofs(&leaves).await?;
        self.file(CHECKPOINT, self.checkpoint.note.as_bytes())?;
        self.file(
            PUBLIC_KEY,
            format!("{}\n", self.signer.public_key()).as_bytes(),
        )?;
        self.transcript(reference, extent).await?;
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            origin: self.signer.origin().to_owned(),
            stream: format!("Case/{reference}"),
            events: extent.events.unsigned_abs(),
            size: self.checkpoint.size,
            files: std::mem::take(&mut self.files),
        };
        let manifest = serde_json::to_vec_pretty(&manifest).map_err(io::Error::other)?;
        self.file(MANIFEST, &manifest)?;
        let note = self
            .signer
            .note(&signed_text(self.signer.origin(), &manifest));
        self.file(MANIFEST_NOTE, note.as_bytes())?;
        let mut file = self.zip.finish()?;
        file.flush()?;
        Ok(extent.events)
    }

    /// Writes the events; gives their places in the tree and their hashes.
    async fn events(
        &mut self,
        reference: Reference,
        extent: Extent,
    ) -> Result<Vec<(i64, Hash)>, BundleError> {
        let mut leaves = Vec::new();
        self.begin(EVENTS)?;
        let mut after = 0;
        loop {
            let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let stream = StreamId::Case(reference);
            let page = entries::stream(self.pool, stream, after, extent.last, limit).await?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            for entry in &page {
                let mut line =
                    (entry.leaf().json()).map_err(|_| BundleError::Altered(entry.position))?;
                leaves.push((
                    entry.position - 1,
                    docket_projections::evidence::leaf_hash(&line),
                ));
                line.push('\n');
                self.write(line.as_bytes())?;
            }
        }
        self.end();
        Ok(leaves)
    }

    async fn proofs(&mut self, leaves: &[(i64, Hash)]) -> Result<(), BundleError> {
        let size = self.checkpoint.size;
        let root: [u8; 32] = (self.checkpoint.root.as_slice())
            .try_into()
            .map_err(|_| EvidenceError::Contradiction(size))?;
        self.begin(PROOFS)?;
        for part in leaves.chunks(PAGE) {
            let places: Vec<i64> = part.iter().map(|(place, _)| *place).collect();
            let proofs = tree::proofs(self.pool, size, &places).await?;
            for ((place, hash), proof) in part.iter().zip(&proofs) {
                let (of, place) = (size.unsigned_abs(), place.unsigned_abs());
                check_record(proof, of, Hash(root), place, *hash)
                    .map_err(|_| BundleError::Altered(place.cast_signed() + 1))?;
                let hashes: Vec<String> = (proof.iter())
                    .map(|hash| BASE64_STANDARD.encode(hash.0))
                    .collect();
                let line = serde_json::json!({"position": place + 1, "hashes": hashes});
                self.write(format!("{line}\n").as_bytes())?;
            }
        }
        self.end();
        Ok(())
    }

    async fn transcript(
        &mut self,
        reference: Reference,
        extent: Extent,
    ) -> Result<(), BundleError> {
        let at = At::Sequence(extent.events.unsigned_abs());
        let found = history::find(self.pool, reference, at).await?;
        let case = history::case(self.pool, found).await?;
        // It waits in a file of its own while the files that it shows go into the bundle.
        let mut html = BufWriter::new(tempfile::tempfile()?);
        let (origin, size) = (self.signer.origin(), self.checkpoint.size);
        let head = Head::new(&case, origin, size, self.checkpoint.signed_at).render()?;
        html.write_all(head.as_bytes())?;
        let mut kept = BTreeSet::new();
        let mut after = None;
        loop {
            let page = history::thread(self.pool, found, after, ITEMS).await?;
            let now = Moment::Now((self.app.clock)());
            let files = shown::files(self.pool, &page, now).await?;
            for item in &page {
                let mut carried = vec![];
                for row in shown::of_item(&files, item) {
                    let is_here = match &row.state {
                        MediaState::Stored(file) => self.media(file, &mut kept).await?,
                        _ => false,
                    };
                    carried.push(Carried::new(row, is_here));
                }
                html.write_all(transcript::item(item, carried)?.as_bytes())?;
            }
            if page.len() < ITEMS {
                break;
            }
            after = page.last().map(|item| item.place);
        }
        html.write_all(Foot.render()?.as_bytes())?;
        let mut html = html.into_inner().map_err(io::IntoInnerError::into_error)?;
        html.seek(SeekFrom::Start(0))?;
        self.begin(TRANSCRIPT)?;
        let mut bytes = vec![0; 64 * 1024];
        loop {
            let length = html.read(&mut bytes)?;
            if length == 0 {
                break;
            }
            self.write(&bytes[..length])?;
        }
        self.end();
        Ok(())
    }

    /// Writes a file that a message carries, once; whether the bundle has it.
    async fn media(
        &mut self,
        file: &StoredFile,
        kept: &mut BTreeSet<String>,
    ) -> Result<bool, BundleError> {
        if kept.contains(&file.sha256) {
            return Ok(true);
        }
        let Some(mut bytes) = self.app.media.store().read(&file.sha256, None).await? else {
            return Ok(false);
        };
        self.begin(&transcript::media_path(file))?;
        while let Some(part) = bytes.try_next().await? {
            self.write(&part)?;
        }
        self.end();
        kept.insert(file.sha256.clone());
        Ok(true)
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        self.begin(name)?;
        self.write(bytes)?;
        self.end();
        Ok(())
    }

    fn begin(&mut self, name: &str) -> Result<(), BundleError> {
        self.zip.start_file(name, SimpleFileOptions::default())?;
        self.files.push(ManifestFile {
            name: name.to_owned(),
            size: 0,
            sha256: String::new(),
        });
        self.hash = Sha256::new();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BundleError> {
        self.zip.write_all(bytes)?;
        self.hash.update(bytes);
        if let Some(file) = self.files.last_mut() {
            file.size += u64::try_from(bytes.len()).unwrap_or_default();
        }
        Ok(())
    }

    fn end(&mut self) {
        let digest = std::mem::take(&mut self.hash).finalize();
        if let Some(file) = self.files.last_mut() {
            file.sha256 = hex::encode(digest);
        }
    }
}
