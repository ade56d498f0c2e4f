//! The task that keeps the proof: hashes behind the appends, a checkpoint at most a minute after, and what goes outside.

use std::time::Duration;

use chrono::TimeDelta;
use docket_projections::evidence::checkpoints;
use docket_projections::evidence::tree::{self, State};
use tracing::{debug, info, warn};

use super::outlets::{Outlets, OutletsConfig};
use super::{EvidenceError, sign, signer};
use crate::app::App;

/// How often a checkpoint is signed at most, but for exports.
const SIGN_INTERVAL: TimeDelta = TimeDelta::seconds(60);
/// The pause between two rounds. Under load it makes batches of what is hashed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a round waits at most for something to do.
const IDLE: Duration = Duration::from_secs(10);
/// A log that is so far ahead of its hashes was written by a version without them: worth a line.
const BACKLOG: i64 = 5_000;

/// Keeps the proof, round by round.
pub struct Keeper {
    app: App,
    outlets: Outlets,
    /// What was noted last.
    trouble: Option<String>,
    /// Whether anything was noted since the start: what stood there before it is not known.
    is_noted: bool,
    is_behind: bool,
}

impl Keeper {
    /// With what goes outside.
    pub fn new(app: App, outlets: OutletsConfig) -> Self {
        Self {
            app,
            outlets: Outlets::new(outlets),
            trouble: None,
            is_noted: false,
            is_behind: false,
        }
    }

    /// Works until the service stops.
    pub async fn run(mut self) {
        let mut head = self.app.ledger.head().subscribe();
        let stopping = self.app.stopping.clone();
        while !stopping.is_cancelled() {
            let seen = *head.borrow_and_update();
            if let Err(error) = self.round().await {
                warn!(%error, "the proof of the log could not be kept; trying again");
            }
            let pause = async {
                tokio::time::sleep(PAUSE).await;
                let grown = head.wait_for(|now| *now > seen);
                let _ = tokio::time::timeout(IDLE, grown).await;
            };
            let _ = stopping.run_until_cancelled(pause).await;
        }
    }

    /// Hashes what is new, signs a checkpoint where one is due, and gives it outside.
    ///
    /// # Errors
    ///
    /// The database's error. What stands in the way otherwise is noted, for the page of health.
    pub async fn round(&mut self) -> Result<(), docket_projections::DatabaseError> {
        let trouble = match self.work().await {
            Ok(trouble) => trouble,
            Err(EvidenceError::Tree(tree::TreeError::Database(error))) => return Err(error),
            Err(error) => Some(error.to_string()),
        };
        if !self.is_noted || self.trouble != trouble {
            if let Some(trouble) = &trouble {
                warn!(trouble, "checkpoints of the log need attention");
            }
            checkpoints::note_trouble(&self.app.pool, trouble.as_deref()).await?;
            self.trouble = trouble;
            self.is_noted = true;
        }
        Ok(())
    }

    async fn work(&mut self) -> Result<Option<String>, EvidenceError> {
        let mut state = self.hash().await?;
        let pool = &self.app.pool;
        if let Some(trouble) = self.outlets.contradiction(pool, &state).await? {
            return Ok(Some(trouble));
        }
        let now = (self.app.clock)();
        let is_due = state
            .signed_at
            .is_none_or(|at| (now - at).abs() >= SIGN_INTERVAL);
        let key = self.app.vonage.settings.key();
        let signer = signer(pool, key, &self.app.public_url).await?;
        if is_due && state.size > state.signed_size && state.size == state.head {
            sign(pool, &signer, &state, now).await?;
            state = tree::state(pool).await?;
            debug!(size = state.signed_size, "a checkpoint was signed");
        }
        self.outlets.give(pool, &signer, &state, now).await
    }

    /// Hashes until the tree has come to the log's end.
    async fn hash(&mut self) -> Result<State, EvidenceError> {
        loop {
            let state = tree::extend(&self.app.pool).await?;
            let behind = state.head - state.size;
            if behind > BACKLOG && !self.is_behind {
                info!(
                    events = behind,
                    "the log is being hashed in the background; checkpoints follow when that is done"
                );
                self.is_behind = true;
            }
            if behind <= 0 || self.app.stopping.is_cancelled() {
                if std::mem::take(&mut self.is_behind) && behind <= 0 {
                    info!(events = state.size, "the whole log is hashed");
                }
                return Ok(state);
            }
            // A log that was never hashed takes a while, and others want the connection and the processor too.
            tokio::task::yield_now().await;
        }
    }
}
