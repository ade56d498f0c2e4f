//! A writer: takes what waits, decides it, and appends it in one call.

mod connection;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use cqrs_es::persist::EventUpcaster;
use docket_domain::ids::Reference;
use futures_util::FutureExt as _;
use metrics::{counter, histogram};
use sqlx::{Connection, PgConnection};
use tokio::sync::watch;
use tracing::{error, warn};
use uuid::Uuid;

use super::LedgerOptions;
use super::batch::{self, Circumstances, Planned, Stage};
use super::cache::ContactCache;
use super::failure::Failure;
use super::fill;
use super::job::{GivenUp, Job};
use super::operation::{IdempotencyKey, Needs};
use super::queue::Exit;
use super::references::References;
use super::scope::Loaded;
use crate::append::{self, Appended, Basis};
use crate::connect::Connector;
use crate::log::follow::advance;
use crate::log::recorded::to_database_precision;
use crate::log::upcasters::upcasters;
use crate::model_versions::{self, Verdict};
use crate::outage::{Severity, severity};
use crate::settings::{Settings, keep_newest};

/// How often operations are decided anew when others were faster.
const MAX_CONFLICTS: u32 = 20;
/// For how long after somebody else was faster contacts in the cache are compared with the database before anything is decided.
const OTHERS_WRITE: Duration = Duration::from_secs(2);
/// How a writer's session is set up. Its few statements look up rows by key, so one plan serves for good: planning each anew
/// costs more than running it, and a plan made while a table was small must not read all of it when it has grown. That leaves
/// one way: from the rows given, through an index, to the rows wanted.
const SESSION: [(&str, &str); 7] = [
    ("statement_timeout", "8s"),
    ("idle_in_transaction_session_timeout", "2s"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];
/// References are fetched in advance, so that most batches need not ask.
const REFERENCES_AHEAD: usize = 8;

/// What the writers of a ledger share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) connect: Connector,
    pub(super) waiting: Arc<Exit<Box<dyn Job>>>,
    pub(super) cache: Arc<ContactCache>,
    pub(super) settings: Arc<ArcSwap<Settings>>,
    /// The newest position that this process knows of.
    pub(super) head: watch::Sender<i64>,
    /// The newest position that this process wrote; its senders are the writers alone.
    pub(super) written: watch::Sender<i64>,
    pub(super) outbox: watch::Sender<u64>,
    pub(super) references: References,
}

pub(super) struct Writer {
    shared: Shared,
    options: LedgerOptions,
    conn: Option<PgConnection>,
    /// When the connection was made.
    connected_at: Instant,
    /// What was last found to be current: the read models' versions as the database tells them.
    known_models: String,
    call_ids: CallIds,
    /// The last call that wrote something.
    last_call: Option<Uuid>,
    /// When somebody else was last faster.
    others_wrote_at: Option<Instant>,
    upcasters: Vec<Box<dyn EventUpcaster>>,
}

/// The ids of a writer's calls: numbers one behind the other, from one that the database made for it.
#[derive(Default)]
struct CallIds(Uuid);

impl CallIds {
    fn begin(&mut self, id: Uuid) {
        if self.0.is_nil() {
            self.0 = id;
        }
    }

    fn next(&mut self) -> Uuid {
        self.0 = Uuid::from_u128(self.0.as_u128().wrapping_add(1));
        self.0
    }
}

/// Operations on their way through attempts.
type Batch = Vec<Box<dyn Job>>;

impl Writer {
    pub(super) fn new(shared: Shared, options: LedgerOptions) -> Self {
        let connect = shared.connect.with(&SESSION);
        Self {
            shared: Shared { connect, ..shared },
            options,
            conn: None,
            connected_at: Instant::now(),
            known_models: String::new(),
            call_ids: CallIds::default(),
            last_call: None,
            others_wrote_at: None,
            upcasters: upcasters(),
        }
    }

    /// Does what there is to do, as the `first` writer or as a helper, until the ledger is closed.
    pub(super) async fn run(mut self, first: bool) {
        let waiting = Arc::clone(&self.shared.waiting);
        loop {
            let batch = if first {
                waiting.take_first().await
            } else {
                waiting.take_as_helper().await
            };
            let Some(batch) = batch else {
                break;
            };
            histogram!("docket_ledger_batch_operations")
                .record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
            for batch in self.apart(batch) {
                self.work(batch).await;
            }
        }
        if let Some(conn) = self.conn.take() {
            // All is committed; whether the goodbye arrives is of no matter.
            let _ = conn.close().await;
        }
    }

    /// What is done together, and what by itself.
    fn apart(&self, batch: Batch) -> Vec<Batch> {
        let settings = self.shared.settings.load();
        // One that panics does so again where it is by itself.
        let is_alone = |job: &dyn Job| {
            catch_unwind(AssertUnwindSafe(|| job.needs(&settings).is_alone())).unwrap_or(true)
        };
        let (alone, together): (Batch, Batch) =
            batch.into_iter().partition(|job| is_alone(job.as_ref()));
        std::iter::once(together)
            .filter(|batch| !batch.is_empty())
            .chain(alone.into_iter().map(|job| vec![job]))
            .collect()
    }

    /// Does a batch, trying again and splitting it as its failures ask for.
    async fn work(&mut self, batch: Batch) {
        let mut left = vec![batch];
        let mut conflicts = 0;
        while let Some(mut batch) = left.pop() {
            if self.shared.connect.watch().standing().is_another_log {
                // What it would be decided on is of the log that is gone.
                give_up(batch, GivenUp::Unavailable);
                continue;
            }
            // A bug must not end the writer that everybody waits for.
            let attempted = AssertUnwindSafe(self.attempt(&mut batch))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(Failure::Poison("a bug: it panicked".into())));
            match attempted {
                Ok(Outcome {
                    again,
                    has_conflict,
                }) => {
                    conflicts = if has_conflict { conflicts + 1 } else { 0 };
                    if again.is_empty() {
                        conflicts = 0;
                    } else if conflicts < MAX_CONFLICTS {
                        left.push(again);
                    } else {
                        error!(
                            operations = again.len(),
                            "others were faster again and again; callers are told to come back"
                        );
                        give_up(again, GivenUp::Unavailable);
                        conflicts = 0;
                    }
                }
                Err(Failure::NewSettings) => left.push(batch),
                Err(Failure::Conflict(error)) if conflicts < MAX_CONFLICTS => {
                    conflicts += 1;
                    counter!("docket_ledger_retries_total", "cause" => "conflict").increment(1);
                    warn!(%error, operations = batch.len(), "a batch is tried again from fresh state");
                    left.push(batch);
                }
                Err(Failure::Connection(error)) => {
                    error!(%error, operations = batch.len(), "the database cannot be reached; callers are told to come back");
                    give_up(batch, GivenUp::Unavailable);
                }
                Err(Failure::ReadModels(verdict)) => {
                    self.shared.connect.watch().look();
                    warn!(%verdict, operations = batch.len(), "nothing is decided on these read models; callers are told to come back");
                    give_up(batch, GivenUp::Unavailable);
                }
                Err(Failure::Missing(error)) => {
                    self.shared.connect.watch().suspect(&error);
                    error!(%error, operations = batch.len(), "a table is missing; callers are told to come back");
                    give_up(batch, GivenUp::Unavailable);
                }
                Err(Failure::Newer(error)) if batch.len() == 1 => {
                    self.shared.connect.watch().look();
                    error!(%error, "a newer Docket wrote what this one cannot read; the caller is told to come back");
                    give_up(batch, GivenUp::Unavailable);
                }
                Err(error) if batch.len() > 1 => {
                    counter!("docket_ledger_retries_total", "cause" => "split").increment(1);
                    warn!(error = %Chain(&error), operations = batch.len(), "a batch failed and is split");
                    let second = batch.split_off(batch.len() / 2);
                    left.push(second);
                    left.push(batch);
                    conflicts = 0;
                }
                Err(error) => {
                    error!(error = %Chain(&error), "an operation fails by itself");
                    give_up(batch, GivenUp::Broken);
                }
            }
        }
    }

    /// Decides a batch and appends it; what was done is answered and taken out of `batch`.
    async fn attempt(&mut self, batch: &mut Batch) -> Result<Outcome, Failure> {
        let began = Instant::now();
        if self.known_models.is_empty() {
            return self.judge_models().await;
        }
        let settings = self.shared.settings.load_full();
        let needs: Vec<Needs> = batch.iter().map(|job| job.needs(&settings)).collect();
        let mut loaded = Loaded::at(to_database_precision((self.options.clock)()));
        let (kept, drawn) = self.read(&needs, &mut loaded).await?;
        loaded.references = drawn.clone().into();
        let circumstances = Circumstances {
            needs: &needs,
            kept: &kept,
            settings: &settings,
        };
        let decisions = batch::decide(batch, &circumstances, &mut loaded);
        let stages: Vec<Stage> = (0..batch.len()).map(|job| decisions.stage(job)).collect();
        let left = loaded.references.take();
        let planned = decisions.into_call(self.basis(&settings), &loaded)?;
        let appended = if planned.is_empty() {
            Appended::Done {
                position: 0,
                recorded_at: None,
                accepted: vec![],
                taken: vec![],
            }
        } else {
            self.append(&planned).await?
        };
        match appended {
            Appended::OldSettings => {
                self.shared.references.give_back(&[], drawn);
                let settings = self.load_settings().await?;
                self.shared.settings.store(Arc::new(settings));
                Err(Failure::NewSettings)
            }
            Appended::OtherModels => {
                self.shared.references.give_back(&[], drawn);
                self.judge_models().await
            }
            Appended::AnotherLog => {
                // The next connection finds out, and the watch with it.
                self.conn = None;
                self.shared.connect.watch().look();
                Err(Failure::Connection(sqlx::Error::Io(
                    std::io::ErrorKind::NotConnected.into(),
                )))
            }
            Appended::Done {
                position,
                recorded_at,
                accepted,
                taken,
            } => {
                histogram!("docket_ledger_commit_seconds").record(began.elapsed().as_secs_f64());
                let done = Done {
                    position,
                    recorded_at,
                    accepted,
                    taken,
                };
                let unused = planned
                    .opened
                    .iter()
                    .filter(|(part, _)| !done.is_accepted(*part))
                    .map(|(_, reference)| *reference);
                let unused = left.into_iter().chain(unused).collect();
                self.shared.references.give_back(&drawn, unused);
                self.after(&planned, &done, loaded).await;
                Ok(self.answer(batch, &stages, &planned, &done))
            }
        }
    }

    fn basis(&mut self, settings: &Settings) -> Basis {
        Basis {
            call_id: self.call_ids.next(),
            previous_call_id: self.last_call,
            parts: 0,
            clock: to_database_precision((self.options.clock)()),
            models: self.known_models.clone(),
            settings_position: settings.position,
            changes_settings: false,
            known_position: *self.shared.head.borrow(),
        }
    }

    /// Reads what the operations need; a connection that breaks meanwhile is replaced.
    async fn read(
        &mut self,
        needs: &[Needs],
        loaded: &mut Loaded,
    ) -> Result<(HashMap<(Uuid, String), fill::Kept>, Vec<Reference>), Failure> {
        let mut failures = 0;
        loop {
            let mut conn = self.connection().await?;
            match self.read_on(&mut conn, needs, loaded).await {
                Ok(read) => {
                    self.conn = Some(conn);
                    return Ok(read);
                }
                Err(Failure::Connection(error)) => {
                    failures += 1;
                    self.lost_connection(error, failures).await?;
                    *loaded = Loaded::at(loaded.now);
                }
                Err(failure) => {
                    self.conn = Some(conn);
                    return Err(failure);
                }
            }
        }
    }

    async fn read_on(
        &self,
        conn: &mut PgConnection,
        needs: &[Needs],
        loaded: &mut Loaded,
    ) -> Result<(HashMap<(Uuid, String), fill::Kept>, Vec<Reference>), Failure> {
        let verify = self
            .others_wrote_at
            .is_some_and(|at| at.elapsed() < OTHERS_WRITE);
        let cache = &self.shared.cache;
        fill::fill(conn, needs, cache, &self.upcasters, verify, loaded).await?;
        let keys: Vec<&IdempotencyKey> = needs
            .iter()
            .filter_map(|needs| needs.idempotency.as_ref())
            .collect();
        let kept = if keys.is_empty() {
            HashMap::new()
        } else {
            fill::kept_outcomes(conn, &keys).await?
        };
        Ok((kept, self.draw_references(conn, needs).await?))
    }

    /// Sends the call, and sends it again where no answer came: under its id it is done once.
    async fn append(&mut self, planned: &Planned) -> Result<Appended, Failure> {
        let mut failures = 0;
        loop {
            let mut conn = self.connection().await?;
            match append::append(&mut conn, &planned.call).await {
                Ok(appended) => {
                    self.conn = Some(conn);
                    return Ok(appended);
                }
                Err(error) if severity(&error) == Severity::Outage => {
                    failures += 1;
                    self.lost_connection(error, failures).await?;
                }
                Err(error) => {
                    self.conn = Some(conn);
                    return Err(error.into());
                }
            }
        }
    }

    async fn load_settings(&mut self) -> Result<Settings, Failure> {
        let mut conn = self.connection().await?;
        let settings = Settings::load(&mut conn).await?;
        self.conn = Some(conn);
        Ok(settings)
    }

    /// Sees whether the read models are those that decisions rest on.
    async fn judge_models(&mut self) -> Result<Outcome, Failure> {
        let mut conn = self.connection().await?;
        let (models, id) = fill::models(&mut conn).await?;
        self.call_ids.begin(id);
        self.conn = Some(conn);
        let verdict = model_versions::judge(&model_versions::parse(&models));
        if verdict != Verdict::Current {
            return Err(Failure::ReadModels(verdict));
        }
        self.known_models = models;
        // The settings in memory may be from tables that were empty, and the log does not tell when they were filled.
        let settings = self.load_settings().await?;
        self.shared.settings.store(Arc::new(settings));
        Err(Failure::NewSettings)
    }

    /// At least as many as the operations can use, if the sequence has them.
    async fn draw_references(
        &self,
        conn: &mut PgConnection,
        needs: &[Needs],
    ) -> Result<Vec<Reference>, sqlx::Error> {
        let most: usize = needs.iter().map(|needs| needs.new_references).sum();
        let mut references = self.shared.references.take(most);
        if references.len() < most {
            let missing = most - references.len();
            let count = i64::try_from(if most > 1 {
                missing + REFERENCES_AHEAD
            } else {
                missing
            })
            .unwrap_or(i64::MAX);
            references.extend(fill::new_references(conn, count).await?);
            references.sort_unstable();
            let ahead = references.split_off(most.min(references.len()));
            self.shared.references.give_back(&[], ahead);
        }
        // Taken from the end, so the smallest stands last.
        references.reverse();
        Ok(references)
    }

    /// Keeps in memory what was written.
    async fn after(&mut self, planned: &Planned, done: &Done, mut loaded: Loaded) {
        for (part, id, changes) in &planned.contacts {
            if !done.is_accepted(*part) {
                loaded.take_contact(*id);
            } else if *changes && let Some(mut contact) = loaded.take_contact(*id) {
                contact.version += 1;
                loaded.put_contact(contact);
            }
        }
        for mut contact in loaded.into_contacts() {
            if contact.version > 0 && !contact.is_outdated() {
                contact.forget();
                self.shared.cache.put(contact);
            }
        }
        let has_written = done.accepted.contains(&true) && !planned.call.events.is_empty();
        if done.accepted.contains(&true) && planned.call.writes() {
            self.last_call = Some(planned.call.basis.call_id);
        }
        if has_written {
            let watch = self.shared.connect.watch();
            watch.saw_end(done.position, done.recorded_at);
            advance(&self.shared.head, done.position);
            advance(&self.shared.written, done.position);
        }
        if planned.to_send.iter().any(|part| done.is_accepted(*part)) {
            self.shared.outbox.send_modify(|changes| *changes += 1);
        }
        if planned.call.basis.changes_settings && has_written {
            match self.load_settings().await {
                Ok(settings) => keep_newest(&self.shared.settings, settings),
                Err(error) => {
                    // The next call finds that they are old.
                    warn!(error = %Chain(&error), "the new settings could not be read yet");
                }
            }
        }
    }

    /// Answers what was done, and gives what is to be decided again.
    fn answer(
        &mut self,
        batch: &mut Batch,
        stages: &[Stage],
        planned: &Planned,
        done: &Done,
    ) -> Outcome {
        let mut outcome = Outcome {
            again: vec![],
            has_conflict: false,
        };
        let duplicates: Vec<usize> = done
            .taken
            .iter()
            .filter_map(|receipt| planned.receipts_of_jobs.get(*receipt).copied())
            .collect();
        for (place, mut job) in std::mem::take(batch).into_iter().enumerate() {
            let part = planned.parts_of_jobs[place];
            match stages[place] {
                Stage::Settled => job.answer(),
                Stage::Postponed => outcome.again.push(job),
                Stage::Decided if duplicates.contains(&place) => {
                    job.set_duplicate();
                    job.answer();
                }
                Stage::Decided if part.is_some_and(|part| done.is_accepted(part)) => job.answer(),
                Stage::Decided => {
                    outcome.has_conflict |= duplicates.is_empty();
                    outcome.again.push(job);
                }
            }
        }
        if outcome.has_conflict {
            self.others_wrote_at = Some(Instant::now());
            counter!("docket_ledger_retries_total", "cause" => "conflict").increment(1);
        }
        outcome
    }
}

/// What an attempt came to.
struct Outcome {
    /// What is to be decided again.
    again: Batch,
    /// Whether that is because somebody else was faster.
    has_conflict: bool,
}

/// What was written.
struct Done {
    position: i64,
    recorded_at: Option<DateTime<Utc>>,
    accepted: Vec<bool>,
    taken: Vec<usize>,
}

impl Done {
    fn is_accepted(&self, part: i32) -> bool {
        let place = usize::try_from(part)
            .ok()
            .and_then(|part| part.checked_sub(1));
        place.is_some_and(|place| self.accepted.get(place) == Some(&true))
    }
}

fn give_up(batch: Vec<Box<dyn Job>>, why: GivenUp) {
    for job in batch {
        job.give_up(why);
    }
}

/// An error with its causes, for the log.
struct Chain<'a>(&'a Failure);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = std::error::Error::source(self.0);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
