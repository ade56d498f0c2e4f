//! A writer: takes what waits, and does it in one transaction.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use cqrs_es::persist::EventUpcaster;
use docket_domain::case::CaseEvent;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::Reference;
use futures_util::FutureExt as _;
use metrics::{counter, histogram};
use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::watch;
use tracing::{error, warn};
use uuid::Uuid;

use super::LedgerOptions;
use super::cache::CaseCache;
use super::failure::Failure;
use super::job::{GivenUp, Job};
use super::load;
use super::operation::{IdempotencyKey, Needs, SecretWrite};
use super::queue::Exit;
use super::references::References;
use super::scope::{Entry, Scope, World, automatic_replies};
use crate::accounts;
use crate::connect::Connector;
use crate::log::append::{self, Appended};
use crate::log::follow::advance;
use crate::log::reader::{self, ReadError};
use crate::log::recorded::{Metadata, Recorded, to_database_precision};
use crate::log::upcasters::upcasters;
use crate::model_versions::{self, Verdict};
use crate::read::ReadModels;
use crate::secrets;
use crate::sessions::{self, NewSession};
use crate::settings::{Settings, keep_newest};

/// How often a batch is tried from fresh state when others were faster.
const MAX_CONFLICTS: u32 = 10;
/// How often a batch is tried on new connections, before its callers are told to come back.
const MAX_CONNECTION_FAILURES: u32 = 3;
/// How long a new connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The pause before the next new connection, times the number of failures.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);
/// How long a commit that broke off may stay undecided in the database.
const MAX_TRANSACTION_CHECKS: u32 = 50;
/// The pause between two questions after it.
const TRANSACTION_CHECK_PAUSE: Duration = Duration::from_millis(100);
/// How a writer's session is set up. Its few statements look up rows by key, so one plan serves for good: planning each anew
/// costs more than running it, and a plan made while a table was small must not read all of it when it has grown. That leaves
/// one way: from the rows given, through an index, to the rows wanted.
///
/// A process that is frozen or cut off in a transaction holds locks that all others wait for. The server ends such a
/// transaction after `idle_in_transaction_session_timeout`, which is longer than a writer stays in a transaction without work
/// ([`BEGUN_AHEAD`]) and much shorter than a webhook waits for its commit.
const SESSION: [(&str, &str); 7] = [
    ("statement_timeout", "8s"),
    ("idle_in_transaction_session_timeout", "2s"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];
/// For how long a writer is in transactions without a break. COMMIT begins the next one, which saves a way to the server and back, and
/// which sees and holds nothing until its first statement. But the server counts what a session has written only when it is in none,
/// and by that it knows what to vacuum.
const BEGUN_AHEAD: Duration = Duration::from_millis(500);
/// How long its end may take while nobody waits for it.
const ROLLBACK_TIMEOUT: Duration = Duration::from_millis(200);
/// References are fetched in advance, so that most batches need not ask.
const REFERENCES_AHEAD: usize = 8;

/// What the writers of a ledger share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) connect: Connector,
    pub(super) waiting: Arc<Exit<Box<dyn Job>>>,
    pub(super) cache: Arc<CaseCache>,
    pub(super) settings: Arc<ArcSwap<Settings>>,
    /// The newest position that this process knows of.
    pub(super) head: watch::Sender<i64>,
    /// The newest position that this process wrote; its senders are the writers alone.
    pub(super) written: watch::Sender<i64>,
    pub(super) outbox: watch::Sender<u64>,
    pub(super) references: References,
}

pub(super) struct Writer {
    connect: Connector,
    options: LedgerOptions,
    waiting: Arc<Exit<Box<dyn Job>>>,
    cache: Arc<CaseCache>,
    settings: Arc<ArcSwap<Settings>>,
    head: watch::Sender<i64>,
    written: watch::Sender<i64>,
    outbox: watch::Sender<u64>,
    conn: Option<PgConnection>,
    /// Whether the connection is in a transaction that has done nothing yet.
    has_begun: bool,
    /// When the connection was made.
    connected_at: Instant,
    /// What was last found to be current: the read models' versions as the database tells them.
    known_models: String,
    /// When the connection last was in none.
    outside_at: Instant,
    references: References,
    upcasters: Vec<Box<dyn EventUpcaster>>,
}

impl Writer {
    pub(super) fn new(ledger: Shared, options: LedgerOptions) -> Self {
        let Shared {
            connect,
            waiting,
            cache,
            settings,
            head,
            written,
            outbox,
            references,
        } = ledger;
        let connect = connect.with(&SESSION);
        Self {
            connect,
            options,
            waiting,
            cache,
            settings,
            head,
            written,
            outbox,
            conn: None,
            has_begun: false,
            connected_at: Instant::now(),
            known_models: String::new(),
            outside_at: Instant::now(),
            references,
            upcasters: upcasters(),
        }
    }

    /// Does what there is to do, as the `first` writer or as a helper, until the ledger is closed.
    pub(super) async fn run(mut self, first: bool) {
        while let Some(batch) = self.next_batch(first).await {
            histogram!("docket_ledger_batch_operations")
                .record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
            self.work(batch).await;
        }
        if let Some(conn) = self.conn.take() {
            // The transactions are committed; whether the goodbye arrives is of no matter.
            let _ = conn.close().await;
        }
    }

    async fn next_batch(&mut self, first: bool) -> Option<Vec<Box<dyn Job>>> {
        loop {
            let batch = async {
                if first {
                    self.waiting.take_first().await
                } else {
                    self.waiting.take_as_helper().await
                }
            };
            if !self.has_begun {
                return batch.await;
            }
            if let Ok(batch) = tokio::time::timeout(BEGUN_AHEAD, batch).await {
                return batch;
            }
            self.roll_back().await;
        }
    }

    /// Ends the transaction that was begun ahead, or the connection if that fails: the next attempt gets another.
    async fn roll_back(&mut self) {
        self.has_begun = false;
        if let Some(mut conn) = self.conn.take() {
            let rolled_back =
                tokio::time::timeout(ROLLBACK_TIMEOUT, conn.execute("ROLLBACK")).await;
            if let Ok(Ok(_)) = rolled_back {
                self.conn = Some(conn);
            } else {
                // References that it had drawn ahead may be drawn again after a crash.
                self.references.clear();
            }
        }
    }

    /// Does a batch, trying again and splitting it as its failures ask for.
    async fn work(&mut self, batch: Vec<Box<dyn Job>>) {
        let mut left = vec![batch];
        let mut conflicts = 0;
        let mut connection_failures = 0;
        while let Some(mut batch) = left.pop() {
            if self.connect.watch().standing().is_another_log {
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
                Ok(()) => {
                    for job in batch {
                        job.answer();
                    }
                    conflicts = 0;
                }
                Err(Failure::NewSettings) => left.push(batch),
                Err(Failure::Conflict(error)) if conflicts < MAX_CONFLICTS => {
                    conflicts += 1;
                    counter!("docket_ledger_retries_total", "cause" => "conflict").increment(1);
                    warn!(%error, operations = batch.len(), "a batch is tried again from fresh state");
                    left.push(batch);
                }
                Err(Failure::Connection(error)) => {
                    self.conn = None;
                    self.connect.watch().suspect(&error);
                    connection_failures += 1;
                    counter!("docket_ledger_retries_total", "cause" => "connection").increment(1);
                    if connection_failures >= MAX_CONNECTION_FAILURES {
                        error!(%error, operations = batch.len(), "the database cannot be reached; callers are told to come back");
                        give_up(batch, GivenUp::Unavailable);
                    } else {
                        warn!(%error, "the connection to the database broke; connecting again");
                        tokio::time::sleep(RECONNECT_PAUSE * connection_failures).await;
                        left.push(batch);
                    }
                }
                Err(Failure::ReadModels(verdict)) => {
                    self.connect.watch().look();
                    warn!(%verdict, operations = batch.len(), "nothing is decided on these read models; callers are told to come back");
                    give_up(batch, GivenUp::Unavailable);
                }
                Err(Failure::Missing(error)) => {
                    self.connect.watch().suspect(&error);
                    error!(%error, operations = batch.len(), "a table is missing; callers are told to come back");
                    give_up(batch, GivenUp::Unavailable);
                }
                Err(Failure::Newer(error)) if batch.len() == 1 => {
                    self.connect.watch().look();
                    error!(%error, "a newer Docket wrote what this one cannot read; the caller is told to come back");
                    give_up(batch, GivenUp::Unavailable);
                }
                Err(Failure::Unknown(error)) => {
                    // Done again it might be done twice. Receipts and keys keep a repetition by the caller from that.
                    self.conn = None;
                    error!(%error, operations = batch.len(), "whether a batch has committed cannot be found out; callers are told to come back");
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

    async fn attempt(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        let began = Instant::now();
        let has_begun = std::mem::take(&mut self.has_begun);
        if !has_begun {
            self.outside_at = began;
        }
        if self
            .connect
            .watch()
            .is_outdated(self.connected_at.elapsed())
        {
            // It may be read-only, or to a server that is the primary no more.
            self.conn = None;
            self.references.clear();
        }
        let has_begun = has_begun && self.conn.is_some();
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.connect().await.map_err(Failure::Connection)?,
        };
        let result = self.transact(&mut conn, has_begun, batch).await;
        match result {
            Ok(committed) => {
                self.conn = Some(conn);
                self.has_begun = committed.has_begun_next;
                histogram!("docket_ledger_commit_seconds").record(began.elapsed().as_secs_f64());
                self.after_commit(committed);
                Ok(())
            }
            Err(Transaction::Failed(failure)) => {
                // A rollback that fails means that the connection is lost, and so the next attempt gets another.
                if !matches!(failure, Failure::Connection(_))
                    && conn.execute("ROLLBACK").await.is_ok()
                {
                    self.conn = Some(conn);
                }
                if self.conn.is_none() {
                    // References that it had drawn ahead may be drawn again after a crash.
                    self.references.clear();
                }
                Err(failure)
            }
            Err(Transaction::CommitBroke { committed, error }) => {
                // References that it had drawn ahead may be drawn again after a crash.
                self.references.clear();
                if self.has_committed(&committed).await? {
                    self.after_commit(*committed);
                    Ok(())
                } else {
                    Err(Failure::Connection(error))
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<PgConnection, sqlx::Error> {
        self.connected_at = Instant::now();
        let connecting = async {
            let mut conn = self.connect.connect().await?;
            let head = *self.head.borrow();
            // A backup may have been restored while there was no connection.
            if self.connect.watch().knows_log(&mut conn, head).await? {
                Ok(conn)
            } else {
                Err(sqlx::Error::Io(std::io::ErrorKind::NotConnected.into()))
            }
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
    }

    /// One transaction, from BEGIN, unless the connection has begun, to COMMIT, which begins the next.
    async fn transact(
        &mut self,
        conn: &mut PgConnection,
        has_begun: bool,
        batch: &mut [Box<dyn Job>],
    ) -> Result<Committed, Transaction> {
        let settings = self.settings.load_full();
        let needs: Vec<Needs> = batch.iter().map(|job| job.needs(&settings)).collect();
        let now = to_database_precision((self.options.clock)());
        let mut world = World {
            now,
            ..World::default()
        };

        if !has_begun {
            conn.execute("BEGIN").await?;
        }
        let locked = load::lock(conn, &needs, now, &mut world).await?;
        self.check_models(conn, &locked.models).await?;
        if locked.settings_position != settings.position {
            self.settings.store(Arc::new(Settings::load(conn).await?));
            return Err(Transaction::Failed(Failure::NewSettings));
        }
        load::load(
            conn,
            &needs,
            &locked,
            &self.cache,
            &self.upcasters,
            &mut world,
        )
        .await?;
        let keys: Vec<&IdempotencyKey> = needs
            .iter()
            .filter_map(|needs| needs.idempotency.as_ref())
            .collect();
        let kept = if keys.is_empty() {
            HashMap::new()
        } else {
            load::kept_outcomes(conn, &keys).await?
        };
        let drawn = self.draw_references(conn, &needs).await?;
        world.references = drawn.clone().into();

        let mut written = Written::default();
        written.decide(
            batch,
            &needs,
            locked.fresh_receipts,
            kept,
            &settings,
            &mut world,
        );
        self.references.give_back(&drawn, world.references.take());
        written.write_beside(conn, now).await?;
        if !written.events.is_empty() {
            let recorded_at = append::lock_head(conn, self.options.clock).await?;
            written.date(recorded_at.max(now), &mut world);
        }
        let appended = written.write_models(conn).await?;
        let mut committed = Committed {
            transaction_id: appended
                .as_ref()
                .map(|appended| appended.transaction_id.clone())
                .unwrap_or_default(),
            position: appended.as_ref().map(|Appended { position, .. }| *position),
            last_event: written
                .events
                .last()
                .map(|last| (last.stream, last.sequence, last.recorded_at)),
            cases: vec![],
            settings: None,
            is_to_send: written
                .events
                .iter()
                .any(|recorded| is_to_send(&recorded.event)),
            has_begun_next: self.outside_at.elapsed() < BEGUN_AHEAD,
        };
        if written.events.iter().any(append::is_settings) {
            committed.settings = Some(Settings::load(conn).await?);
        }
        committed.cases = world
            .streams
            .into_iter()
            .filter_map(|(stream, entry)| match stream {
                StreamId::Case(reference) => Some((reference, entry)),
                _ => None,
            })
            .collect();
        let commit = if committed.has_begun_next {
            "COMMIT AND CHAIN"
        } else {
            "COMMIT"
        };
        match conn.execute(commit).await {
            Ok(_) => Ok(committed),
            Err(error) if committed.transaction_id.is_empty() => {
                Err(Transaction::Failed(error.into()))
            }
            Err(error) => Err(Transaction::CommitBroke {
                committed: Box::new(committed),
                error,
            }),
        }
    }

    /// Sees that the read models are those that decisions rest on.
    async fn check_models(
        &mut self,
        conn: &mut PgConnection,
        models: &str,
    ) -> Result<(), Transaction> {
        if models == self.known_models {
            return Ok(());
        }
        let verdict = model_versions::judge(&model_versions::parse(models));
        if verdict != Verdict::Current {
            return Err(Transaction::Failed(Failure::ReadModels(verdict)));
        }
        models.clone_into(&mut self.known_models);
        // The settings in memory may be from tables that were empty, and the log does not tell when they were filled.
        self.settings.store(Arc::new(Settings::load(conn).await?));
        Err(Transaction::Failed(Failure::NewSettings))
    }

    /// At least as many as the operations can use, if the sequence has them.
    async fn draw_references(
        &self,
        conn: &mut PgConnection,
        needs: &[Needs],
    ) -> Result<Vec<Reference>, sqlx::Error> {
        let most: usize = needs.iter().map(|needs| needs.new_references).sum();
        let mut references = self.references.take(most);
        if references.len() < most {
            let missing = most - references.len();
            let count = i64::try_from(if most > 1 {
                missing + REFERENCES_AHEAD
            } else {
                missing
            })
            .unwrap_or(i64::MAX);
            references.extend(load::new_references(conn, count).await?);
            references.sort_unstable();
            let ahead = references.split_off(most.min(references.len()));
            self.references.give_back(&[], ahead);
        }
        // Taken from the end, so the smallest stands last.
        references.reverse();
        Ok(references)
    }

    /// Whether a transaction whose COMMIT got no answer has committed; asked on a new connection.
    async fn has_committed(&mut self, committed: &Committed) -> Result<bool, Failure> {
        let mut last_error = ReadError::Database(sqlx::Error::WorkerCrashed);
        for _ in 0..MAX_TRANSACTION_CHECKS {
            match self.is_in_the_log(committed).await {
                Ok(Some(is_there)) => return Ok(is_there),
                Ok(None) => {}
                Err(error) => last_error = error,
            }
            tokio::time::sleep(TRANSACTION_CHECK_PAUSE).await;
        }
        Err(Failure::Unknown(last_error))
    }

    /// Whether the events of a transaction are in the log; `None` while the server still works on it.
    ///
    /// That its id has committed would not do: a server that crashed gives the ids of transactions that it has lost to others.
    async fn is_in_the_log(&mut self, committed: &Committed) -> Result<Option<bool>, ReadError> {
        let mut conn = self.connect().await?;
        let asked = sqlx::query_scalar!(
            "SELECT pg_xact_status($1::text::xid8)",
            committed.transaction_id
        )
        .fetch_one(&mut conn)
        .await;
        let status = match asked {
            Ok(status) => status,
            // The id lies in the future: after a crash the server has not come to it again.
            Err(sqlx::Error::Database(refusal)) if refusal.code().as_deref() == Some("22023") => {
                None
            }
            Err(error) => return Err(error.into()),
        };
        let is_there = if status.as_deref() == Some("in progress") {
            None
        } else {
            let position = committed.position.unwrap_or_default();
            let found = reader::page(&mut conn, position - 1, 1).await?;
            Some(found.first().is_some_and(|found| {
                let stream = StreamId::parse(&found.aggregate_type, &found.aggregate_id);
                let sequence = found.sequence.cast_unsigned();
                let place = stream.map(|stream| (stream, sequence, found.recorded_at));
                found.position == position && place == committed.last_event
            }))
        };
        self.conn = Some(conn);
        Ok(is_there)
    }

    fn after_commit(&self, committed: Committed) {
        for (reference, entry) in committed.cases {
            self.cache.put(reference, entry);
        }
        if let Some(settings) = committed.settings {
            keep_newest(&self.settings, settings);
        }
        if let Some(position) = committed.position {
            advance(&self.head, position);
            advance(&self.written, position);
        }
        if committed.is_to_send {
            self.outbox.send_modify(|changes| *changes += 1);
        }
    }
}

/// Whether the delivery worker has something to do after the event, sooner than it would look by itself.
const fn is_to_send(event: &Event) -> bool {
    matches!(
        event,
        Event::Case(CaseEvent::MessageQueued(_) | CaseEvent::MessageRequeued { .. })
            | Event::Line(_)
    )
}

/// What a commit leaves to be done in memory.
struct Committed {
    transaction_id: String,
    /// The position of the last event.
    position: Option<i64>,
    /// The last event's place in its stream, and when it was recorded.
    last_event: Option<(StreamId, u64, DateTime<Utc>)>,
    cases: Vec<(Reference, Entry)>,
    settings: Option<Settings>,
    /// Whether the outbox may have got something to do.
    is_to_send: bool,
    /// Whether COMMIT begins the next transaction.
    has_begun_next: bool,
}

/// How a transaction failed.
enum Transaction {
    /// It did not commit.
    Failed(Failure),
    /// The answer to COMMIT is missing.
    CommitBroke {
        committed: Box<Committed>,
        error: sqlx::Error,
    },
}

impl<E: Into<Failure>> From<E> for Transaction {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What the decisions of a batch have to write.
#[derive(Default)]
struct Written<'a> {
    events: Vec<Recorded>,
    models: ReadModels,
    secrets: Vec<SecretWrite>,
    keys: Vec<&'a IdempotencyKey>,
    outcomes: Vec<String>,
    /// Receipts that this transaction has given for nothing: of webhooks that were refused, for what is not recorded was not taken.
    unused_receipts: HashSet<(String, String)>,
}

impl<'a> Written<'a> {
    /// Decides a batch, job by job; each sees what those before it did.
    fn decide(
        &mut self,
        batch: &mut [Box<dyn Job>],
        needs: &'a [Needs],
        mut receipts: HashSet<(String, String)>,
        mut kept: HashMap<(Uuid, String), load::Kept>,
        settings: &Settings,
        world: &mut World,
    ) {
        for (job, needs) in batch.iter_mut().zip(needs) {
            if let Some(receipt) = &needs.receipt
                && !receipts.remove(&(receipt.kind.to_owned(), receipt.key.clone()))
            {
                job.set_duplicate();
                continue;
            }
            if let Some(key) = &needs.idempotency
                && let Some(kept) = kept.get(&(key.actor, key.key.clone()))
            {
                if kept.fingerprint == key.fingerprint {
                    job.set_repeated(&kept.outcome);
                } else {
                    job.set_key_reused();
                }
                continue;
            }
            let to_write = job.decide(&Scope {
                world,
                settings,
                needs,
            });
            let given = if to_write.events.is_empty() {
                None
            } else {
                needs.gives.as_ref()
            };
            if let Some(receipt) = given {
                receipts.remove(&(receipt.kind.to_owned(), receipt.key.clone()));
            }
            if to_write.is_refused
                && let Some(receipt) = &needs.receipt
            {
                receipts.insert((receipt.kind.to_owned(), receipt.key.clone()));
            }
            if let (Some(key), Some(outcome)) = (&needs.idempotency, &to_write.outcome)
                && let Ok(outcome) = serde_json::value::RawValue::from_string(outcome.clone())
                && let MapEntry::Vacant(vacant) = kept.entry((key.actor, key.key.clone()))
            {
                vacant.insert(load::Kept {
                    fingerprint: key.fingerprint.to_vec(),
                    outcome,
                });
                self.keys.push(key);
                self.outcomes
                    .push(to_write.outcome.clone().unwrap_or_default());
            }
            if !to_write.events.is_empty() {
                self.take_in(&job.metadata(), to_write.events, world);
            }
            self.secrets.extend(to_write.secrets);
        }
        self.unused_receipts = receipts;
    }

    fn take_in(&mut self, metadata: &Metadata, events: Vec<(StreamId, Event)>, world: &mut World) {
        let replies = automatic_replies(&events);
        for (stream, event) in events {
            let earliest = world
                .streams
                .get(&stream)
                .map_or(world.now, |entry| entry.last_recorded_at);
            let recorded_at = world.now.max(earliest);
            let sequence = world.take_in(stream, &event, recorded_at);
            self.events.push(Recorded {
                stream,
                sequence,
                event,
                metadata: metadata.clone(),
                recorded_at,
            });
        }
        world.count_automatic_replies(replies);
    }

    /// Gives the events the time that they are recorded at. It is known only when the log's head is locked, so that it never runs
    /// backwards along the log, however long this transaction waited for its locks.
    fn date(&mut self, recorded_at: DateTime<Utc>, world: &mut World) {
        for recorded in &mut self.events {
            recorded.recorded_at = recorded_at;
            if let Some(entry) = world.streams.get_mut(&recorded.stream) {
                entry.last_recorded_at = recorded_at;
            }
        }
    }

    /// What stands beside the log. Two transactions can meet here at one key, so the log's head is not locked yet.
    async fn write_beside(
        &mut self,
        conn: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        if !self.unused_receipts.is_empty() {
            load::take_back(conn, &self.unused_receipts).boxed().await?;
        }
        for secret in &self.secrets {
            match secret {
                SecretWrite::Password { user_id, hash } => {
                    accounts::set_password_hash(&mut *conn, *user_id, hash)
                        .boxed()
                        .await?;
                }
                SecretWrite::Token {
                    token_id,
                    user_id,
                    hash,
                } => {
                    accounts::add_token_secret(&mut *conn, *token_id, *user_id, *hash)
                        .boxed()
                        .await?;
                }
                SecretWrite::Session {
                    session_id,
                    token_hash,
                    user_id,
                    password_hash,
                    label,
                    created_at,
                    expires_at,
                } => {
                    let session = NewSession {
                        session_id: session_id.0,
                        token_hash: *token_hash,
                        user_id: *user_id,
                        password_hash,
                        label,
                        created_at: *created_at,
                        expires_at: *expires_at,
                    };
                    sessions::add(&mut *conn, &session).boxed().await?;
                }
                SecretWrite::SessionEnd {
                    session_id,
                    user_id,
                } => {
                    sessions::end(&mut *conn, *user_id, session_id.0)
                        .boxed()
                        .await?;
                }
                SecretWrite::EndSessions { user_id, but } => {
                    sessions::end_others(&mut *conn, *user_id, *but)
                        .boxed()
                        .await?;
                }
                SecretWrite::Installation { name, sealed } => {
                    secrets::write(&mut *conn, name, sealed.as_ref())
                        .boxed()
                        .await?;
                }
            }
        }
        if !self.keys.is_empty() {
            let actors: Vec<_> = self.keys.iter().map(|key| key.actor).collect();
            let names: Vec<_> = self.keys.iter().map(|key| key.key.as_str()).collect();
            let fingerprints: Vec<Vec<u8>> = self
                .keys
                .iter()
                .map(|key| key.fingerprint.to_vec())
                .collect();
            sqlx::query!(
                "INSERT INTO idempotency_keys (actor, key, fingerprint, outcome, recorded_at)
                 SELECT k.actor, k.key, k.fingerprint, k.outcome::jsonb, $5
                   FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[]) AS k (actor, key, fingerprint, outcome)",
                &actors,
                &names as &[&str],
                &fingerprints,
                &self.outcomes,
                now,
            )
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }

    /// The read models and, last, the events.
    async fn write_models(
        &mut self,
        conn: &mut PgConnection,
    ) -> Result<Option<Appended>, sqlx::Error> {
        for recorded in &self.events {
            self.models.apply(recorded);
        }
        self.models.flush_with(conn, &self.events).await
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
