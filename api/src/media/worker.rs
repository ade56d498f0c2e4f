//! Fetches the files that messages carry, before Vonage deletes them.
//!
//! A file is claimed by a lease that is renewed while its bytes come, fetched into the store, and recorded. A crash between any two
//! of these steps leaves a file that waits: the lease ends, and the next worker does all of it again, which changes nothing that
//! was done. What failed is tried again with growing pauses, for as long as Vonage keeps the file.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::case::MediaNews;
use docket_domain::media::{MediaFailure, StoredFile, clean_name};
use docket_domain::personal::Personal;
use docket_projections::DatabaseError;
use docket_projections::ledger::operation::LedgerError;
use docket_projections::media_claims::{self, Claim};
use docket_projections::outbox_claims::database_time;
use docket_projections::read::media::KEPT_BY_VONAGE;
use metrics::counter;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::fetch::too_large;
use super::store::KeepError;
use crate::app::App;
use crate::delivery::DeliveryClock;
use crate::operations::media::RecordMedia;

/// How long a file belongs to the worker that claimed it; renewed while its bytes come.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// How often the lease is renewed.
const RENEWAL: Duration = Duration::from_secs(8);
/// So many files are fetched at once.
const AT_ONCE: usize = 4;
/// The first pause after a try that failed; each is twice the one before.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
/// The longest pause.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// How often it is looked for files when nothing wakes the worker.
const IDLE_INTERVAL: Duration = Duration::from_secs(5);
/// At most so often it is looked for files, however fast the log grows.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
/// The pause between two tries to record what became of a file.
const RECORD_PAUSE: Duration = Duration::from_millis(500);
/// How often that is tried before the file is left to the next claim.
const RECORD_TRIES: u32 = 20;

/// The worker; cloning it is cheap.
#[derive(Clone)]
pub struct MediaWorker {
    app: App,
    clock: DeliveryClock,
}

/// What became of a claim.
enum Done {
    Recorded,
    Failed(MediaFailure),
    Stopped,
}

impl MediaWorker {
    /// A worker that judges claims by that clock.
    pub const fn new(app: App, clock: DeliveryClock) -> Self {
        Self { app, clock }
    }

    /// Works until the service stops; what is being fetched then is left to the next start.
    pub async fn run(self) {
        if let Err(error) = media_claims::try_refused_hosts_again(&self.app.pool).await {
            warn!(%error, "files from hosts that were not allowed wait for their next try");
        }
        let mut head = self.app.ledger.head().subscribe();
        let mut fetches = JoinSet::new();
        while !self.app.stopping.is_cancelled() {
            head.mark_unchanged();
            let looked_at = Instant::now();
            let free = AT_ONCE.saturating_sub(fetches.len());
            let begun = match self.begin(&mut fetches, free).await {
                Ok(begun) => begun,
                Err(error) => {
                    self.app.ledger.watch().suspect(&error);
                    debug!(%error, "it could not be read which files wait; trying again");
                    0
                }
            };
            if free == 0 || begun == free {
                // The first that ends makes room for what may wait besides.
                tokio::select! {
                    () = self.app.stopping.cancelled() => {}
                    _ = fetches.join_next() => {}
                }
                continue;
            }
            let pause = self.pause().await;
            tokio::select! {
                () = self.app.stopping.cancelled() => {}
                _ = head.changed() => {
                    let rest = SHORTEST_PAUSE.saturating_sub(looked_at.elapsed());
                    let stopping = self.app.stopping.cancelled();
                    let _ = tokio::time::timeout(rest, stopping).await;
                }
                Some(_) = fetches.join_next() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while fetches.join_next().await.is_some() {}
    }

    /// One round: fetches all that is due, and waits for it. Gives the number of files that were tried.
    ///
    /// # Errors
    ///
    /// The database's error.
    pub async fn round(&self) -> Result<usize, DatabaseError> {
        let mut fetches = JoinSet::new();
        let begun = self.begin(&mut fetches, AT_ONCE).await?;
        fetches.join_all().await;
        Ok(begun)
    }

    async fn begin(&self, fetches: &mut JoinSet<()>, free: usize) -> Result<usize, DatabaseError> {
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        if limit == 0 || self.app.ledger.watch().standing().refuses_work() {
            return Ok(0);
        }
        let now = self.time().await?;
        let until = now + LEASE;
        let claims = media_claims::claim(&self.app.pool, now, until, limit).await?;
        let begun = claims.len();
        for claim in claims {
            let worker = self.clone();
            fetches.spawn(async move { worker.see_to(claim, until).await });
        }
        Ok(begun)
    }

    async fn time(&self) -> Result<DateTime<Utc>, DatabaseError> {
        match self.clock {
            DeliveryClock::Database => database_time(&self.app.pool).await,
            DeliveryClock::Service => Ok((self.app.clock)()),
        }
    }

    /// How long to wait for something to do, where nothing happens meanwhile.
    async fn pause(&self) -> Duration {
        let due = async {
            let now = self.time().await?;
            let due = media_claims::next_due(&self.app.pool, now).await?;
            Ok::<_, DatabaseError>(due.map(|due| (due - now).to_std().unwrap_or_default()))
        };
        match due.await {
            Ok(Some(wait)) => wait.clamp(SHORTEST_PAUSE, IDLE_INTERVAL),
            Ok(None) | Err(_) => IDLE_INTERVAL,
        }
    }

    async fn see_to(&self, claim: Claim, until: DateTime<Utc>) {
        // Whoever gives the claim back names the end that it has by then.
        let until = Mutex::new(until);
        let done = tokio::select! {
            done = self.fetch(&claim) => done,
            () = self.renew(&claim, &until) => Done::Stopped,
            () = self.app.stopping.cancelled() => Done::Stopped,
        };
        let until = *until
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let ended = match done {
            Done::Recorded => media_claims::release(&self.app.pool, claim.media_id).await,
            Done::Failed(failure) => self.put_off(&claim, until, failure).await,
            Done::Stopped => match self.time().await {
                Ok(now) => {
                    media_claims::give_back(&self.app.pool, claim.media_id, until, now).await
                }
                Err(error) => Err(error),
            },
        };
        if let Err(error) = ended {
            warn!(%error, media_id = %claim.media_id, "a claim could not be given back; it ends by itself");
        }
    }

    /// Keeps the claim for as long as the file comes; ends where it was lost to another worker.
    async fn renew(&self, claim: &Claim, until: &Mutex<DateTime<Utc>>) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            let Ok(now) = self.time().await else {
                continue;
            };
            let known = *until
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let next = now + LEASE;
            match media_claims::renew(&self.app.pool, claim.media_id, known, next).await {
                Ok(true) => {
                    *until
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner) = next;
                }
                Ok(false) => return,
                Err(error) => debug!(%error, "a claim could not be renewed; trying again"),
            }
        }
    }

    async fn fetch(&self, claim: &Claim) -> Done {
        let kept = self.keep(claim).await;
        let news = match kept {
            Ok(file) => MediaNews::Stored(file),
            Err(failure) if is_final(&failure) => MediaNews::Failed(failure),
            Err(failure) => return Done::Failed(failure),
        };
        self.record(claim, news).await
    }

    async fn keep(&self, claim: &Claim) -> Result<StoredFile, MediaFailure> {
        let media = &self.app.media;
        let client = self.app.vonage.client.load_full();
        let token = client.and_then(|client| client.authorization_header());
        let max_bytes = media.max_bytes();
        let fetched = media
            .fetcher()
            .call(&claim.url.0, token.as_ref(), max_bytes)
            .await?;
        let told_name = fetched.name();
        let kept = media
            .store()
            .keep((self.app.new_id)(), fetched.bytes(), max_bytes)
            .await;
        let file = kept.map_err(|error| match error {
            KeepError::TooLarge => too_large(max_bytes),
            KeepError::Source(failure) => failure,
            KeepError::Store(error) => {
                warn!(%error, "a file could not be written to the store of media");
                MediaFailure::Store
            }
        })?;
        let name = claim.name.as_ref().and_then(|name| clean_name(&name.0));
        Ok(StoredFile {
            name: name.or(told_name).map(Personal),
            ..file
        })
    }

    /// Notes that a try failed; where Vonage will have deleted the file before the next one, it is given up.
    async fn put_off(
        &self,
        claim: &Claim,
        until: DateTime<Utc>,
        failure: MediaFailure,
    ) -> Result<(), DatabaseError> {
        counter!("docket_media_fetches_total", "result" => "failed").increment(1);
        let now = self.time().await?;
        let due_at = now + pause_after(claim.tries);
        if due_at < claim.arrived_at + KEPT_BY_VONAGE {
            info!(media_id = %claim.media_id, tries = claim.tries + 1, reason = code(&failure), "a file could not be fetched; trying again");
            let times = (now, due_at);
            return media_claims::put_off(&self.app.pool, claim.media_id, until, &failure, times)
                .await;
        }
        match self.record(claim, MediaNews::Failed(failure)).await {
            Done::Recorded => media_claims::release(&self.app.pool, claim.media_id).await,
            Done::Failed(_) | Done::Stopped => Ok(()),
        }
    }

    async fn record(&self, claim: &Claim, news: MediaNews) -> Done {
        let result = match &news {
            MediaNews::Stored(_) => "stored",
            MediaNews::Failed(failure) => {
                warn!(media_id = %claim.media_id, reason = code(failure), "a file is given up");
                "given_up"
            }
        };
        for _ in 0..RECORD_TRIES {
            let record = RecordMedia {
                message_id: claim.message_id,
                item: claim.item,
                news: news.clone(),
            };
            match self.app.ledger.submit(record).await {
                Ok(_) => {
                    counter!("docket_media_fetches_total", "result" => result).increment(1);
                    return Done::Recorded;
                }
                Err(LedgerError::Busy | LedgerError::Unavailable) => {
                    tokio::time::sleep(RECORD_PAUSE).await;
                }
                Err(error) => {
                    warn!(%error, media_id = %claim.media_id, "what became of a file could not be recorded");
                    return Done::Failed(MediaFailure::Store);
                }
            }
        }
        Done::Stopped
    }
}

/// Whether another try would end the same.
const fn is_final(failure: &MediaFailure) -> bool {
    matches!(
        failure,
        MediaFailure::TooLarge { .. } | MediaFailure::Address | MediaFailure::Expired
    )
}

fn pause_after(tries: u32) -> TimeDelta {
    let times = 2_i32.checked_pow(tries).unwrap_or(i32::MAX);
    FIRST_PAUSE
        .checked_mul(times)
        .map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
}

/// A failure in a word, without the host.
const fn code(failure: &MediaFailure) -> &'static str {
    match failure {
        MediaFailure::TooLarge { .. } => "too_large",
        MediaFailure::Address => "address",
        MediaFailure::Host { .. } => "host",
        MediaFailure::PrivateAddress { .. } => "private_address",
        MediaFailure::Unreachable { .. } => "unreachable",
        MediaFailure::Answered { .. } => "answered",
        MediaFailure::Redirected { .. } => "redirected",
        MediaFailure::Store => "store",
        MediaFailure::Expired => "expired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_fill_two_days() {
        let pauses: Vec<_> = (0..12)
            .map(|tries| pause_after(tries).num_seconds())
            .collect();
        assert_eq!(
            pauses,
            [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]
        );
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
        let tries = (1..1_000)
            .find(|tries| (0..*tries).map(pause_after).sum::<TimeDelta>() >= KEPT_BY_VONAGE);
        assert_eq!(tries, Some(57));
    }
}
