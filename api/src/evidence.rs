//! Signs checkpoints of the log, and gives them outside.
//!
//! A task hashes the log behind the appends ([`keep`]), signs a checkpoint at most every minute in which something was recorded,
//! and at every export, and gives it to a file and an address outside ([`outlets`]). The key is made with the first checkpoint
//! and kept encrypted, as other secrets are.
//!
//! Invariant: Docket never signs two trees that contradict each other. Before it signs, the tree must give the root of the newest
//! checkpoint that it knows, in the database and in the file.

pub mod bundle;
pub mod keep;
pub mod note;
pub mod outlets;

use chrono::{DateTime, Utc};
use docket_projections::evidence::checkpoints::{self, Checkpoint};
use docket_projections::evidence::tree::{self, State, TreeError};
use docket_projections::{DatabaseError, PgPool, secrets as kept};
use secrecy::{ExposeSecret as _, SecretString};
use tracing::warn;

use self::note::{LogSigner, PublicKey};
use crate::app::App;
use crate::secrets::{CHECKPOINT_KEY, SecretKey};

/// An export waits for so many events to be hashed at most.
const MAX_WAIT: i64 = 10_000;

/// Why no checkpoint can be signed: a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// There is no key to keep the key with.
    #[error(
        "checkpoints are not signed, since their key cannot be kept without DOCKET_SECRET_KEY: set it (openssl rand -base64 32 makes one) and start Docket again"
    )]
    NoSecretKey,
    /// The key cannot be read.
    #[error(
        "checkpoints are not signed, since their key cannot be read with this DOCKET_SECRET_KEY: set the one with which it was made"
    )]
    UnreadableKey,
    /// The tree could not be read or extended.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The tree contradicts a checkpoint in the database.
    #[error(
        "the log is not the one of which the checkpoint of {0} events was signed, so no further one is signed: docket verify says what was changed"
    )]
    Contradiction(i64),
}

impl From<DatabaseError> for EvidenceError {
    fn from(error: DatabaseError) -> Self {
        Self::Tree(error.into())
    }
}

/// The key that signs checkpoints; the first call makes it.
///
/// # Errors
///
/// [`EvidenceError`].
pub async fn signer(
    pool: &PgPool,
    key: Option<&SecretKey>,
    public_url: &str,
) -> Result<LogSigner, EvidenceError> {
    let key = key.ok_or(EvidenceError::NoSecretKey)?;
    let mut sealed = kept::find(pool, CHECKPOINT_KEY).await?;
    if sealed.is_none() {
        let made = LogSigner::generate(&note::origin(public_url));
        let secret = SecretString::from(made.private_key().to_owned());
        let new = key.seal(CHECKPOINT_KEY, &secret);
        checkpoints::keep_key(pool, CHECKPOINT_KEY, &new, made.public_key()).await?;
        // Another process may have been faster, and both use one key.
        sealed = kept::find(pool, CHECKPOINT_KEY).await?;
    }
    let sealed = sealed.ok_or(EvidenceError::UnreadableKey)?;
    let secret = key
        .open(CHECKPOINT_KEY, &sealed)
        .map_err(|_| EvidenceError::UnreadableKey)?;
    LogSigner::read(secret.expose_secret()).ok_or(EvidenceError::UnreadableKey)
}

/// The public key of the log: from its private half where that can be read, else what the database tells. `None` where no key was
/// made yet.
///
/// # Errors
///
/// [`EvidenceError::UnreadableKey`], and the database's error.
pub async fn public_key(
    pool: &PgPool,
    key: Option<&SecretKey>,
) -> Result<Option<PublicKey>, EvidenceError> {
    if let Some(key) = key
        && let Some(sealed) = kept::find(pool, CHECKPOINT_KEY).await?
    {
        let secret = key.open(CHECKPOINT_KEY, &sealed);
        let signer = secret
            .ok()
            .and_then(|secret| LogSigner::read(secret.expose_secret()))
            .ok_or(EvidenceError::UnreadableKey)?;
        return Ok(PublicKey::read(signer.public_key()));
    }
    let told = tree::state(pool).await?.public_key;
    Ok(told.as_deref().and_then(PublicKey::read))
}

/// Signs a checkpoint of all that is hashed, unless there is one.
///
/// # Errors
///
/// [`EvidenceError`].
pub async fn sign(
    pool: &PgPool,
    signer: &LogSigner,
    state: &State,
    now: DateTime<Utc>,
) -> Result<(), EvidenceError> {
    if state.size <= state.signed_size {
        return Ok(());
    }
    if let Some(last) = checkpoints::latest(pool).await? {
        let is_same =
            last.size <= state.size && tree::root(pool, last.size).await?.0[..] == last.root[..];
        if !is_same {
            return Err(EvidenceError::Contradiction(last.size));
        }
    }
    let root = tree::root(pool, state.size).await?;
    let checkpoint = Checkpoint {
        size: state.size,
        note: signer.checkpoint(state.size, root),
        root: root.0.to_vec(),
        signed_at: now,
    };
    // Where another process was faster, its checkpoint covers as much or is followed by ours.
    checkpoints::keep(pool, &checkpoint).await?;
    Ok(())
}

/// A checkpoint that covers at least the first `position` events: the newest one, or one that is signed now.
///
/// # Errors
///
/// [`EvidenceError`].
pub async fn covering(
    app: &App,
    key: Option<&SecretKey>,
    position: i64,
) -> Result<Checkpoint, EvidenceError> {
    let signer = signer(&app.pool, key, &app.public_url).await?;
    loop {
        if let Some(latest) = checkpoints::latest(&app.pool).await?
            && latest.size >= position
        {
            return Ok(latest);
        }
        let state = tree::extend(&app.pool).await?;
        if state.size >= position || state.size == state.head {
            sign(&app.pool, &signer, &state, (app.clock)()).await?;
        }
        if state.head < position {
            return Err(TreeError::Gap(position).into());
        }
    }
}

/// Has a checkpoint cover what is exported. The export goes on where that cannot be: Health says what stands in the way.
pub(crate) async fn at_export(app: &App, position: i64) {
    let done = async {
        let state = tree::state(&app.pool).await?;
        if state.head - state.size > MAX_WAIT {
            return Ok(());
        }
        let key = app.vonage.settings.key();
        covering(app, key, position).await.map(drop)
    };
    if let Err(error) = done.await {
        warn!(%error, "an export has no checkpoint of its own");
    }
}
