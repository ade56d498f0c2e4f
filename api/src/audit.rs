//! The audit of people: who looked at which case, who failed to sign in, and how exports ended.
//!
//! It is recorded behind the answer, so that nobody waits for it, by one task that hands it to the ledger, where it shares the
//! commits of all else. What always holds: a look is noted before its page is given out and recorded a moment later; on a graceful
//! stop all that was noted is recorded before the ledger ends; somebody who looks at the same case again within ten minutes, or whose
//! open page refreshes itself, is not recorded again; and however often somebody fails to sign in, the log grows by a bounded
//! number of events. Signing in and out, and the beginning of an export, are not here: those are recorded before they happen.

mod listings;

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::ids::{AttemptsId, ExportId, Reference, TokenId, UserId};
use docket_domain::people::attempts::{self, AttemptsCommand, AttemptsEvent, Refusal, typed};
use docket_domain::people::export::{
    ExportCommand, ExportEvent, Listing, READING_WINDOW, Reading, Via,
};
use docket_domain::people::views;
use docket_domain::personal::Personal;
use docket_projections::ledger::Ledger;
use docket_projections::ledger::operation::{LedgerError, Operation};
use docket_projections::log::recorded::{self, Actor, Metadata};
use futures_util::future::join_all;
use metrics::counter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tracing::error;
use uuid::Uuid;

use self::listings::Listings;
use crate::http::request_id::{RequestIds, is_head};
use crate::operations::people::{RecordAttempts, RecordExport, ViewCase};
use crate::operations::{Asked, in_request};

/// So much waits to be recorded at most.
const QUEUE: usize = 4_096;
/// How long a page waits for a place in the queue, before its look goes unrecorded.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(2);
/// So many looks are recorded at once.
const AT_ONCE: usize = 64;
/// How often something is tried that the ledger cannot take just now; the pauses grow to nine seconds in all.
const TRIES: u32 = 9;
/// The first of those pauses.
const PAUSE: Duration = Duration::from_millis(200);
/// So many looks are remembered.
const MAX_LOOKS: usize = 50_000;
/// A page that is open for so long refreshes itself as a look of its own.
const OPEN_PAGE: TimeDelta = TimeDelta::hours(12);
/// So many series of failed attempts are told apart at once; all others are counted together.
const MAX_SERIES: usize = 50;
/// How often it is looked for series that are over.
const TICK: Duration = Duration::from_secs(10);

/// A look at a case: of a person with a browser, or of a program with their token.
#[derive(Clone, Debug)]
pub struct Look {
    /// What is recorded.
    pub view: ViewCase,
    /// Whether an open page refreshes itself, as the request says.
    pub is_refresh: bool,
}

/// That somebody reads the log, other than as a file.
#[derive(Clone, Debug)]
pub struct LogReading {
    /// Who.
    pub asked: Asked,
    /// By which way.
    pub via: Via,
    /// How.
    pub how: Reading,
    /// The first position that they are given, or that a stream goes on behind.
    pub from: i64,
    /// The last position that they are given.
    pub to: i64,
    /// How many events they are given.
    pub events: i64,
    /// When.
    pub at: DateTime<Utc>,
}

/// That somebody reads the log could not be recorded, so they must not.
#[derive(Debug, thiserror::Error)]
#[error("that the log is read could not be recorded: {0}")]
pub struct NotRecorded(String);

/// What is read within an hour is counted together: by one person, with one token, in one way.
type ReadingKey = (UserId, Option<TokenId>, Via, Reading);

/// An hour of reading.
struct Hour {
    export_id: ExportId,
    metadata: Metadata,
    began_at: DateTime<Utc>,
    /// How many events were given out beside those that are recorded.
    more: i64,
    to: i64,
    until: DateTime<Utc>,
}

type Hours = Arc<Mutex<HashMap<ReadingKey, Hour>>>;

impl Hour {
    /// What is recorded when it is over.
    fn end(self) -> Option<RecordExport> {
        (self.more > 0).then_some(RecordExport {
            export_id: self.export_id,
            command: ExportCommand::ReadOn {
                events: self.more,
                to: self.to,
                until: self.until,
            },
            metadata: self.metadata,
        })
    }
}

/// An attempt to sign in that failed.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The address as it was typed.
    pub email: String,
    /// Whose it is, where it is known.
    pub user_id: Option<UserId>,
    /// The network address that it came from, where it is known.
    pub from: Option<String>,
    /// Why it failed.
    pub why: Refusal,
    /// When.
    pub at: DateTime<Utc>,
    /// The request.
    pub request_id: Option<RequestIds>,
}

enum Note {
    Viewed(ViewCase),
    Failed(Attempt),
    Export(RecordExport),
    Settle(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

type LookKey = (UserId, Option<TokenId>, Reference);

struct Inner {
    notes: mpsc::Sender<Note>,
    ledger: Ledger,
    clock: fn() -> DateTime<Utc>,
    new_id: fn() -> Uuid,
    /// Who reads the log.
    hours: Hours,
    /// Who lists and searches cases.
    listings: Arc<Listings>,
    /// When each look was last handed on.
    looks: Mutex<HashMap<LookKey, DateTime<Utc>>>,
    /// Failed attempts for which there was no place in the queue.
    uncounted: Arc<AtomicU32>,
}

/// Where it is noted; cloning it is cheap.
#[derive(Clone)]
pub struct Audit(Arc<Inner>);

impl Audit {
    /// Starts the task that records. It ends with [`Audit::close`], or when nobody can note anything any more.
    pub fn start(ledger: Ledger, clock: fn() -> DateTime<Utc>, new_id: fn() -> Uuid) -> Self {
        let (notes, taken) = mpsc::channel(QUEUE);
        let uncounted = Arc::new(AtomicU32::new(0));
        let hours = Hours::default();
        let listings = Arc::<Listings>::default();
        let recorder = Recorder {
            ledger: ledger.clone(),
            clock,
            new_id,
            notes: taken,
            hours: Arc::clone(&hours),
            listings: Arc::clone(&listings),
            series: HashMap::new(),
            uncounted: Arc::clone(&uncounted),
        };
        tokio::spawn(recorder.run());
        Self(Arc::new(Inner {
            notes,
            ledger,
            clock,
            new_id,
            hours,
            listings,
            looks: Mutex::default(),
            uncounted,
        }))
    }

    /// Notes that somebody is shown a case. Comes back at once, unless thousands wait.
    pub async fn viewed(&self, look: Look) {
        if self.is_recorded(&look) {
            return;
        }
        let note = Note::Viewed(look.view);
        if self
            .0
            .notes
            .send_timeout(note, QUEUE_TIMEOUT)
            .await
            .is_err()
        {
            lost("a look at a case");
        }
    }

    /// Records that somebody reads the log, before they are given anything of it. What they read on within the hour is counted, and
    /// recorded when the hour is over.
    ///
    /// # Errors
    ///
    /// [`NotRecorded`]; they must be given nothing then.
    pub async fn reads_log(&self, reading: LogReading) -> Result<(), NotRecorded> {
        if is_head() {
            return Ok(());
        }
        let LogReading {
            asked,
            via,
            how,
            from,
            to,
            events,
            at,
        } = reading;
        let key = (asked.user_id, asked.token_id, via, how);
        let export_id = ExportId((self.0.new_id)());
        let metadata = asked.metadata();
        let over = {
            let mut hours = self.0.hours.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(hour) = hours.get_mut(&key)
                && at - hour.began_at < READING_WINDOW
            {
                hour.more = hour.more.saturating_add(events);
                (hour.to, hour.until) = (to, at);
                return Ok(());
            }
            let hour = Hour {
                export_id,
                metadata: metadata.clone(),
                began_at: at,
                more: 0,
                to,
                until: at,
            };
            hours.insert(key, hour)
        };
        if let Some(over) = over.and_then(Hour::end) {
            record(&self.0.ledger, over).await;
        }
        let begun = ExportEvent::LogRead {
            export_id,
            via,
            how,
            from,
            events,
            at,
        };
        let operation = RecordExport {
            export_id,
            command: ExportCommand::Begin(begun),
            metadata,
        };
        if let Err(error) = self.0.ledger.submit(operation).await {
            let mut hours = self.0.hours.lock().unwrap_or_else(PoisonError::into_inner);
            if hours
                .get(&key)
                .is_some_and(|hour| hour.export_id == export_id)
            {
                hours.remove(&key);
            }
            return Err(NotRecorded(error.to_string()));
        }
        Ok(())
    }

    /// Notes that somebody is shown a list. Comes back at once.
    pub fn listed(&self, asked: &Asked, via: Via, how: Listing) {
        if is_head() {
            return;
        }
        let (at, export_id) = ((self.0.clock)(), ExportId((self.0.new_id)()));
        for export in self.0.listings.count(asked, via, how, at, export_id) {
            if self.0.notes.try_send(Note::Export(export)).is_err() {
                lost("a list");
            }
        }
    }

    /// Whether the look is part of one that is recorded; if not, it is from now on.
    fn is_recorded(&self, look: &Look) -> bool {
        let now = (self.0.clock)();
        let key = (look.view.user_id(), look.view.token_id, look.view.reference);
        // A panic in between leaves at worst a look that is recorded twice.
        let mut looks = self.0.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recorded = looks.get(&key).is_some_and(|at| {
            let age = now - *at;
            age < views::WINDOW || (look.is_refresh && age < OPEN_PAGE)
        });
        if is_recorded {
            return true;
        }
        if looks.len() >= MAX_LOOKS {
            looks.retain(|_, at| now - *at < views::WINDOW);
        }
        if looks.len() < MAX_LOOKS {
            looks.insert(key, now);
        }
        false
    }

    /// Notes that an attempt to sign in failed. Where thousands wait, it is only counted.
    pub fn failed(&self, attempt: Attempt) {
        if self.0.notes.try_send(Note::Failed(attempt)).is_err() {
            self.0.uncounted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes how an export ended.
    pub fn export_ended(
        &self,
        export_id: ExportId,
        metadata: Metadata,
        events: i64,
        is_whole: bool,
    ) {
        let note = Note::Export(RecordExport {
            export_id,
            command: ExportCommand::End { events, is_whole },
            metadata,
        });
        if self.0.notes.try_send(note).is_err() {
            lost("the end of an export");
        }
    }

    /// Waits until all that was noted before is recorded, but for failed attempts that are still being counted.
    pub async fn settled(&self) {
        let (done, wait) = oneshot::channel();
        if self.0.notes.send(Note::Settle(done)).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// Records all that was noted and ends. To be called before the ledger is closed, when nobody is answered any more.
    pub async fn close(&self) {
        let (done, wait) = oneshot::channel();
        if self.0.notes.send(Note::Close(done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

/// Says in the log and the metrics that something was not recorded; not what, which is personal.
fn lost(what: &'static str) {
    counter!("docket_audit_lost_total").increment(1);
    error!(what, "something that people did could not be recorded");
}

/// Attempts that are counted together: the address as typed, where they came from, and why they failed.
type SeriesKey = (Option<Personal<String>>, Option<String>, Refusal);

struct Series {
    attempts_id: AttemptsId,
    began_at: DateTime<Utc>,
    more: u32,
    until: DateTime<Utc>,
}

struct Recorder {
    ledger: Ledger,
    clock: fn() -> DateTime<Utc>,
    new_id: fn() -> Uuid,
    notes: mpsc::Receiver<Note>,
    hours: Hours,
    listings: Arc<Listings>,
    series: HashMap<SeriesKey, Series>,
    uncounted: Arc<AtomicU32>,
}

impl Recorder {
    async fn run(mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut taken = vec![];
        let told = loop {
            tokio::select! {
                count = self.notes.recv_many(&mut taken, AT_ONCE) => if count == 0 {
                    break None;
                },
                _ = tick.tick() => self.end_series(false).await,
            }
            if let Some(told) = self.take(std::mem::take(&mut taken)).await {
                break Some(told);
            }
        };
        self.end_series(true).await;
        if let Some(told) = told {
            let _ = told.send(());
        }
    }

    /// Records what was noted; gives who is to be told when it was the last.
    async fn take(&mut self, notes: Vec<Note>) -> Option<oneshot::Sender<()>> {
        let mut looks = vec![];
        let mut last = None;
        for note in notes {
            match note {
                Note::Viewed(view) => looks.push(view),
                Note::Failed(attempt) => self.failed(attempt).await,
                Note::Export(export) => record(&self.ledger, export).await,
                Note::Settle(done) => {
                    self.look(std::mem::take(&mut looks)).await;
                    self.end_series(false).await;
                    let _ = done.send(());
                }
                Note::Close(done) => last = Some(done),
            }
        }
        self.look(looks).await;
        last
    }

    /// Records looks, those at different cases at once. Those at one case follow each other, so that no two transactions meet at one
    /// stream and have to be repeated with all that shares them.
    async fn look(&self, mut looks: Vec<ViewCase>) {
        while !looks.is_empty() {
            let mut streams = HashSet::new();
            let (now, later) = looks
                .into_iter()
                .partition(|look: &ViewCase| streams.insert(look.stream()));
            looks = later;
            let now: Vec<ViewCase> = now;
            join_all(now.into_iter().map(|look| record(&self.ledger, look))).await;
        }
    }

    async fn failed(&mut self, attempt: Attempt) {
        let key = (
            Some(typed(&attempt.email)),
            attempt.from.clone(),
            attempt.why,
        );
        let is_over = |series: &Series| attempt.at - series.began_at >= attempts::WINDOW;
        if self.series.get(&key).is_some_and(is_over) || self.series.len() >= MAX_SERIES {
            self.end_series(false).await;
        }
        // With all places taken, what is new is told apart from nothing but its reason.
        let is_new = !self.series.contains_key(&key);
        let (key, attempt) = if is_new && self.series.len() >= MAX_SERIES {
            let together = Attempt {
                user_id: None,
                from: None,
                ..attempt
            };
            ((None, None, together.why), together)
        } else {
            (key, attempt)
        };
        self.count(key, attempt, 1).await;
    }

    /// Counts attempts in their series, or begins one.
    async fn count(&mut self, key: SeriesKey, attempt: Attempt, times: u32) {
        if let Some(series) = self.series.get_mut(&key) {
            series.more = series.more.saturating_add(times);
            series.until = attempt.at;
            return;
        }
        let attempts_id = AttemptsId((self.new_id)());
        let begun = AttemptsEvent::SignInFailed {
            attempts_id,
            email: key.0.clone(),
            user_id: attempt.user_id,
            from: attempt.from.map(Personal),
            why: attempt.why,
            at: attempt.at,
        };
        self.series.insert(
            key,
            Series {
                attempts_id,
                began_at: attempt.at,
                more: times - 1,
                until: attempt.at,
            },
        );
        let operation = RecordAttempts {
            attempts_id,
            command: AttemptsCommand::Begin(begun),
            metadata: because(attempt.request_id.as_ref()),
        };
        record(&self.ledger, operation).await;
    }

    /// Records what was read of the log in hours that are over, or in all.
    async fn end_hours(&self, all: bool) {
        let now = (self.clock)();
        let over: Vec<Hour> = {
            let mut hours = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
            let over = hours.extract_if(|_, hour| all || now - hour.began_at >= READING_WINDOW);
            over.map(|(_, hour)| hour).collect()
        };
        let over = over.into_iter().filter_map(Hour::end);
        for reading in over.chain(self.listings.over(now, all)) {
            record(&self.ledger, reading).await;
        }
    }

    /// Records the counts of series that are over, or of all.
    async fn end_series(&mut self, all: bool) {
        self.end_hours(all).await;
        let now = (self.clock)();
        let uncounted = self.uncounted.swap(0, Ordering::Relaxed);
        if uncounted > 0 {
            let attempt = Attempt {
                email: String::new(),
                user_id: None,
                from: None,
                why: Refusal::TooOften,
                at: now,
                request_id: None,
            };
            self.count((None, None, Refusal::TooOften), attempt, uncounted)
                .await;
        }
        let over: Vec<Series> = self
            .series
            .extract_if(|_, series| all || now - series.began_at >= attempts::WINDOW)
            .map(|(_, series)| series)
            .collect();
        for series in over.into_iter().filter(|series| series.more > 0) {
            let operation = RecordAttempts {
                attempts_id: series.attempts_id,
                command: AttemptsCommand::Again {
                    times: series.more,
                    until: series.until,
                },
                metadata: because(None),
            };
            record(&self.ledger, operation).await;
        }
    }
}

/// Nobody who is known did it.
fn because(request: Option<&RequestIds>) -> Metadata {
    Metadata {
        cause: Some("sign-in".to_owned()),
        ..in_request(Metadata::of(Actor::System, recorded::Via::Console), request)
    }
}

/// Has it recorded; what the ledger cannot take now is tried again for some seconds.
async fn record<O: Operation<Output = (), Refusal = Infallible> + Clone>(
    ledger: &Ledger,
    operation: O,
) {
    for attempt in 1..=TRIES {
        match ledger.submit(operation.clone()).await {
            Ok(_) => return,
            // The log that it belongs to is gone, and the service begins anew as soon as this ends.
            Err(_) if ledger.watch().standing().is_another_log => break,
            Err(LedgerError::Busy | LedgerError::Unavailable) => {
                tokio::time::sleep(PAUSE * attempt).await;
            }
            Err(_) => break,
        }
    }
    lost(std::any::type_name::<O>());
}
