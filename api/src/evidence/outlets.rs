//! Where checkpoints go outside of the database: a file, and an address.
//!
//! Who can change the database can change all that stands in it. A checkpoint elsewhere is what they cannot change.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use docket_projections::PgPool;
use docket_projections::evidence::checkpoints;
use docket_projections::evidence::tree::{self, State};
use reqwest::Url;

use super::EvidenceError;
use super::note::{LogSigner, Stated, split, stated};

/// How much of the file's end is read to find its last checkpoint, in bytes; a checkpoint has some hundred.
const TAIL_BYTES: u64 = 16 * 1024;
/// How many checkpoints are written to the file at once.
const PAGE: i64 = 1_000;
/// How long the address may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after the first attempt that failed; it doubles with each further one.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
/// The longest pause.
const MAX_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// Where checkpoints go.
#[derive(Clone, Debug, Default)]
pub struct OutletsConfig {
    /// A file that they are appended to.
    pub file: Option<PathBuf>,
    /// An address that they are posted to.
    pub url: Option<Url>,
}

/// Where checkpoints go, and how that goes.
pub(super) struct Outlets {
    config: OutletsConfig,
    client: Option<reqwest::Client>,
    failures: u32,
    /// When the address is tried again, and what it said last.
    retry: Option<(DateTime<Utc>, String)>,
}

impl Outlets {
    pub(super) const fn new(config: OutletsConfig) -> Self {
        Self {
            config,
            client: None,
            failures: 0,
            retry: None,
        }
    }

    /// Whether the file holds a checkpoint of another log: a sentence that says so. Nothing may be signed then.
    pub(super) async fn contradiction(
        &self,
        pool: &PgPool,
        state: &State,
    ) -> Result<Option<String>, EvidenceError> {
        let Some(path) = &self.config.file else {
            return Ok(None);
        };
        let last = match last_in(path).await {
            Ok(last) => last,
            Err(error) => return Ok(Some(cannot_use(path, &error))),
        };
        let Some(last) = last else {
            return Ok(None);
        };
        let is_same = last.size <= state.size && tree::root(pool, last.size).await? == last.root;
        let name = path.display();
        Ok((!is_same).then(|| {
            format!(
                "the log is not the one of which the checkpoint of {} events in {name} was signed, as after restoring a backup: no \
                 checkpoint is signed; run docket verify --checkpoint {name}, and move the file away to begin another one",
                last.size
            )
        }))
    }

    /// Gives the newest checkpoints outside. Gives a sentence where that did not succeed; the next round tries again.
    pub(super) async fn give(
        &mut self,
        pool: &PgPool,
        signer: &LogSigner,
        state: &State,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, EvidenceError> {
        let file = match &self.config.file {
            Some(path) => write(pool, path, state).await?,
            None => None,
        };
        let url = match self.config.url.clone() {
            Some(url) => self.post(pool, &url, signer, state, now).await?,
            None => None,
        };
        Ok(file.or(url))
    }

    async fn post(
        &mut self,
        pool: &PgPool,
        url: &Url,
        signer: &LogSigner,
        state: &State,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, EvidenceError> {
        if state.sent_size >= state.signed_size {
            (self.failures, self.retry) = (0, None);
            return Ok(None);
        }
        if let Some((at, said)) = &self.retry
            && now < *at
        {
            return Ok(Some(said.clone()));
        }
        let Some(latest) = checkpoints::latest(pool).await? else {
            return Ok(None);
        };
        let client = match &self.client {
            Some(client) => client.clone(),
            None => match client() {
                Ok(client) => self.client.insert(client).clone(),
                Err(error) => return Ok(Some(not_taken(&error.to_string()))),
            },
        };
        match send(&client, url, signer, latest.size, &latest.note, now).await {
            Ok(()) => {
                checkpoints::note_sent(pool, latest.size).await?;
                (self.failures, self.retry) = (0, None);
                Ok(None)
            }
            Err(why) => {
                let pause = FIRST_PAUSE * 2_i32.pow(self.failures.min(6));
                self.failures += 1;
                let said = not_taken(&why);
                self.retry = Some((now + pause.min(MAX_PAUSE), said.clone()));
                Ok(Some(said))
            }
        }
    }
}

fn not_taken(why: &str) -> String {
    format!(
        "the address in DOCKET_CHECKPOINT_URL does not take checkpoints ({why}); Docket tries again"
    )
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("docket/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .timeout(TIMEOUT)
        .build()
}

/// Posts a checkpoint, signed as Standard Webhooks ask (`v1a`: Ed25519 over id, time and body).
async fn send(
    client: &reqwest::Client,
    url: &Url,
    signer: &LogSigner,
    size: i64,
    note: &str,
    now: DateTime<Utc>,
) -> Result<(), String> {
    let (id, time) = (format!("checkpoint-{size}"), now.timestamp().to_string());
    let signature = signer.signature(format!("{id}.{time}.{note}").as_bytes());
    let request = client
        .post(url.clone())
        .header("content-type", "text/plain; charset=utf-8")
        .header("webhook-id", id)
        .header("webhook-timestamp", time)
        .header("webhook-signature", format!("v1a,{signature}"))
        .body(note.to_owned());
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("it answered {}", answer.status().as_u16())),
        Err(error) if error.is_timeout() => Err("it did not answer in time".to_owned()),
        // The error may hold the address, which may hold a secret.
        Err(error) => Err(error.without_url().to_string()),
    }
}

fn cannot_use(path: &Path, error: &io::Error) -> String {
    format!(
        "the file in DOCKET_CHECKPOINT_FILE, {}, cannot be used ({error}): see to its rights and its folder, or name another one",
        path.display()
    )
}

/// Appends the checkpoints that the file has not; a new file begins with the newest.
async fn write(pool: &PgPool, path: &Path, state: &State) -> Result<Option<String>, EvidenceError> {
    loop {
        let last = match last_in(path).await {
            Ok(last) => last.map(|last| last.size),
            Err(error) => return Ok(Some(cannot_use(path, &error))),
        };
        let after = last.unwrap_or(state.signed_size - 1);
        if after >= state.signed_size {
            return Ok(None);
        }
        let page = checkpoints::page(pool, after, PAGE).await?;
        if page.is_empty() {
            return Ok(None);
        }
        let owned = path.to_owned();
        let append = tokio::task::spawn_blocking(move || {
            let mut file = open(&owned)?;
            // Another process on this machine may write the same file.
            file.lock()?;
            let last = last_of(&mut file)?.map_or(0, |last| last.size);
            let new = page.iter().filter(|checkpoint| checkpoint.size > last);
            // An empty line behind each.
            let notes: String = new
                .flat_map(|checkpoint| [checkpoint.note.as_str(), "\n"])
                .collect();
            file.write_all(notes.as_bytes())?;
            file.sync_all()
        });
        if let Err(error) = append.await.map_err(io::Error::other).flatten() {
            return Ok(Some(cannot_use(path, &error)));
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)
}

async fn last_in(path: &Path) -> io::Result<Option<Stated>> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || match File::open(&path) {
        Ok(mut file) => last_of(&mut file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    });
    read.await.map_err(io::Error::other)?
}

/// The last checkpoint in the file.
fn last_of(file: &mut File) -> io::Result<Option<Stated>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    if tail.trim().is_empty() {
        return Ok(None);
    }
    split(&tail)
        .last()
        .filter(|note| note.contains("\n\u{2014} "))
        .and_then(|note| stated(note))
        .map(Some)
        .ok_or_else(|| io::Error::other("its last lines are no checkpoint"))
}
