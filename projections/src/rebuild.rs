//! Building read models anew from the log, beside the ones in use.
//!
//! The same handlers that keep the live tables fill a second schema, from position 1 on, while the service runs. When they have
//! caught up, one short transaction shuts out writers, takes in the last events and swaps the tables; or, for a check, one
//! snapshot compares the two and nobody waits. Nothing is ever sent by this: handlers see events and tables alone, and the
//! delivery worker reads the live outbox only.
//!
//! What always holds: the live tables change in one transaction or not at all, so a rebuild that is killed leaves nothing but a
//! schema that the next one drops; every position from 1 to the head of the log is taken in, or it is an error; memory is bounded
//! by a few pages of events, however long the log.
//!
//! # Why the swap comes to nobody's deadlock
//!
//! Every call that appends takes the log's lock before it touches anything else, so whoever holds that lock has waited for calls
//! under way and keeps out the next ones, which hold nothing yet. Readers may hold one read model and wait for another;
//! the locks that shut them out are therefore given up long before the database would look for a deadlock, and tried again.
//! Before all that, a lock that hinders neither has the database call off its automatic vacuum, which could hold a table for
//! minutes.
//!
//! The tables' names come from [`ReadModels::ALL`] and their structure from the live schema, so the statements that copy it
//! are made here at run time; they are the only ones in this crate that the compiler does not check.

use std::fmt;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::mpsc;

use crate::append;
use crate::connect::Connector;
use crate::log::reader::{self, ReadError};
use crate::log::recorded::{Recorded, UNDATED};
use crate::log::upcasters::upcasters;
use crate::model_versions::{self, Verdict};
use crate::read::{Description, ReadModels, Writes};

/// Where the tables are built.
const SHADOW: &str = "docket_rebuild";
/// The live tables' schema.
const LIVE: &str = "docket_read";
/// How many events are taken in at once. At most four such pages are in memory: one being read, one being decoded, one that
/// waits and one being written.
const PAGE: i64 = 2_500;
/// How many events are decoded before others in this process get their turn.
const DECODED_AT_ONCE: usize = 250;
/// How often the log is caught up with before the swap takes the rest, which under load is never nothing.
const CATCH_UPS: u32 = 10;
/// Held by whoever rebuilds, so that there is only one.
const ADVISORY_LOCK: i64 = 0x0064_6f63_6b65_7401;
/// Indexes, unique ones apart, that handlers need to find what they change. All others are made when the tables are full.
const NEEDED_INDEXES: [&str; 1] = ["thread_items_outbound"];
/// How long the swap waits for an automatic vacuum to be called off; nobody waits meanwhile.
const VACUUM_TIMEOUT: &str = "10s";
/// How long the swap waits for writers; they take milliseconds, and new ones wait meanwhile.
const WRITERS_TIMEOUT: &str = "2s";
/// How long the swap waits for readers of a table. Shorter than the second after which the database looks for deadlocks and ends
/// a transaction that may be somebody else's.
const READERS_TIMEOUT: &str = "500ms";
/// How often the swap is tried.
const SWAP_TRIES: u32 = 30;
/// The pause between two tries, for readers and writers to get on.
const SWAP_PAUSE: Duration = Duration::from_millis(100);
/// The most differences that are told of one table.
const MAX_DIFFERENCES: i64 = 5;

/// Why a rebuild came to nothing. The live tables are as they were.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database failed.
    #[error("the database failed during the rebuild")]
    Database(#[from] sqlx::Error),
    /// Another rebuild is under way.
    #[error("another rebuild is under way; wait until it has ended")]
    UnderWay,
    /// An event is missing from the log.
    #[error("the log breaks off: after position {after} comes {}, not {}", found.map_or_else(|| "nothing".to_owned(), |found| found.to_string()), after + 1)]
    Gap {
        /// The last position that was read.
        after: i64,
        /// The position that came instead of the next, if any came.
        found: Option<i64>,
    },
    /// There is no such read model.
    #[error("there is no read model {name}; there are: {all}")]
    UnknownModel {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        all: String,
    },
    /// Something that is not Docket's depends on a table that is to be replaced.
    #[error(
        "{things} depends on a table of the read models, which a rebuild replaces and must not drop unasked: drop it (DROP VIEW …; put views on a copy of the tables), then the read models are rebuilt"
    )]
    InUse {
        /// What depends on it, as the database describes it.
        things: String,
    },
    /// Readers or writers held the tables for too long.
    #[error("the tables could not be swapped, since long queries hold them; try again")]
    Held,
}

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Events taken in.
    pub done: i64,
    /// Events in the log when this was said.
    pub of: i64,
    /// What is being done.
    pub phase: Phase,
}

/// What a rebuild is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It takes in events.
    Events,
    /// It makes indexes.
    Indexes,
    /// It compares the tables.
    Comparing,
    /// It swaps the tables.
    Swapping,
}

/// A rebuild that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// How many events were taken in: all that there were when the tables were swapped.
    pub events: i64,
    /// How long writers were shut out.
    pub pause: Duration,
}

/// A row that is not what the log gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The row's key, as `column=value`.
    pub key: String,
    /// What is wrong.
    pub kind: DifferenceKind,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// It is in the live table and should not be.
    Superfluous,
    /// It should be in the live table and is not.
    Missing,
    /// These columns hold something else.
    Columns(Vec<String>),
}

impl fmt::Display for Difference {
    /// Names table, key and columns, and shows no value but the key's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.table, self.key)?;
        match &self.kind {
            DifferenceKind::Superfluous => f.write_str("is not in the log"),
            DifferenceKind::Missing => f.write_str("is missing"),
            DifferenceKind::Columns(columns) => write!(f, "differs in {}", columns.join(", ")),
        }
    }
}

/// The read models of these names; all of them for none. One that they look something up in is built beside them, and is neither
/// swapped nor compared unless it is named too.
///
/// # Errors
///
/// [`RebuildError::UnknownModel`].
pub fn models(names: &[String]) -> Result<Vec<Description>, RebuildError> {
    let all = || {
        ReadModels::ALL
            .iter()
            .map(|model| model.name)
            .collect::<Vec<_>>()
    };
    if let Some(name) = names.iter().find(|name| !all().contains(&name.as_str())) {
        return Err(RebuildError::UnknownModel {
            name: name.clone(),
            all: all().join(", "),
        });
    }
    let is_asked =
        |model: &&Description| names.is_empty() || names.iter().any(|name| name == model.name);
    Ok(ReadModels::ALL.iter().filter(is_asked).copied().collect())
}

/// The read models that were built by an earlier version of their handler, or never, or are empty.
///
/// # Errors
///
/// The database's error.
pub async fn outdated(conn: &mut PgConnection) -> Result<Vec<Description>, sqlx::Error> {
    let built = model_versions::built(conn).await?;
    let is_current = |model: &&Description| {
        built
            .iter()
            .any(|(name, version)| name == model.name && *version >= model.version)
    };
    Ok(ReadModels::ALL
        .iter()
        .filter(|model| !is_current(model))
        .copied()
        .collect())
}

/// As [`outdated`], on a connection of its own.
///
/// # Errors
///
/// The database's error.
pub async fn outdated_at(connect: &Connector) -> Result<Vec<Description>, sqlx::Error> {
    let mut conn = connect.connect().await?;
    let outdated = outdated(&mut conn).await?;
    conn.close().await?;
    Ok(outdated)
}

/// How the read models stand, on a connection of its own.
///
/// # Errors
///
/// The database's error.
pub async fn verdict(connect: &Connector) -> Result<Verdict, sqlx::Error> {
    let mut conn = connect.connect().await?;
    let verdict = model_versions::judge(&model_versions::built(&mut conn).await?);
    conn.close().await?;
    Ok(verdict)
}

/// Notes that the read models of an empty log are what today's handlers would build.
///
/// # Errors
///
/// The database's error.
pub async fn note_versions_of_empty_log(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if reader::head(&mut *conn).boxed().await? == 0 {
        note_versions(conn, ReadModels::ALL, now).await?;
    }
    Ok(())
}

/// The same, on a connection of its own.
///
/// # Errors
///
/// The database's error.
pub async fn note_beginning(connect: &Connector, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let mut conn = connect.connect().await?;
    note_versions_of_empty_log(&mut conn, now).await?;
    conn.close().await
}

async fn note_versions(
    conn: &mut PgConnection,
    models: &[Description],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let names: Vec<&str> = models.iter().map(|model| model.name).collect();
    let versions: Vec<i32> = models.iter().map(|model| model.version).collect();
    sqlx::query!(
        "INSERT INTO projection_versions (name, version, built_at)
         SELECT v.name, v.version, $3 FROM unnest($1::text[], $2::integer[]) AS v (name, version)
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, built_at = excluded.built_at",
        &names as &[&str],
        &versions,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Builds read models from the log and puts them in the place of the live ones.
///
/// # Errors
///
/// [`RebuildError`]; the live tables are then as they were.
pub async fn rebuild(
    connect: &Connector,
    models: &[Description],
    now: DateTime<Utc>,
    progress: impl FnMut(Progress),
) -> Result<Rebuilt, RebuildError> {
    let mut builder = Builder::begin(connect, models, progress).await?;
    // Asked before, since the work of minutes would come to nothing.
    if let Err(error) = builder.check_dependents().await {
        builder.end(false).await;
        return Err(error);
    }
    let result = builder.build_and_swap(now).await;
    builder.end(result.is_err()).await;
    result
}

/// Builds read models from the log and compares them with the live ones; nothing is changed and nobody waits. Gives the
/// number of events taken in and what differs.
///
/// # Errors
///
/// [`RebuildError`].
pub async fn check(
    connect: &Connector,
    models: &[Description],
    progress: impl FnMut(Progress),
) -> Result<(i64, Vec<Difference>), RebuildError> {
    let mut builder = Builder::begin(connect, models, progress).await?;
    let result = builder.build_and_compare().await;
    builder.end(result.is_err()).await;
    result
}

/// What the handlers make of a page of events.
struct Batch {
    models: ReadModels,
    /// The position of its last event.
    last: i64,
}

/// Positions to be read: those behind `after`, up to `until`.
#[derive(Clone, Copy)]
struct Span {
    after: i64,
    until: i64,
}

impl Span {
    fn page(self) -> i64 {
        PAGE.min(self.until - self.after)
    }
}

/// Reads and decodes on a connection and a task of its own, one page ahead of the writer. It ends when its builder goes.
struct ReadAhead {
    spans: mpsc::Sender<Span>,
    batches: mpsc::Receiver<Result<Batch, RebuildError>>,
}

impl ReadAhead {
    fn start(source: PgConnection, models: Vec<Description>) -> Self {
        let (spans, asked) = mpsc::channel(1);
        let (send, batches) = mpsc::channel(1);
        tokio::spawn(read_ahead(source, models, asked, send));
        Self { spans, batches }
    }
}

async fn read_ahead(
    mut source: PgConnection,
    models: Vec<Description>,
    mut asked: mpsc::Receiver<Span>,
    send: mpsc::Sender<Result<Batch, RebuildError>>,
) {
    while let Some(span) = asked.recv().await {
        if let Err(error) = read_span(&mut source, &models, span, &send).await {
            // Whoever waits for batches has gone if this does not arrive.
            let _ = send.send(Err(error)).await;
            return;
        }
    }
    let _ = source.close().await;
}

async fn read_span(
    source: &mut PgConnection,
    models: &[Description],
    mut span: Span,
    send: &mpsc::Sender<Result<Batch, RebuildError>>,
) -> Result<(), RebuildError> {
    let mut page = reader::decodable_page(&mut *source, span.after, span.page())
        .boxed()
        .await?;
    while span.after < span.until {
        let last = check_positions(&page, span.after)?;
        let rest = Span {
            after: last,
            until: span.until,
        };
        let (batch, next) = tokio::join!(take_in(models, &page), async {
            if rest.page() > 0 {
                reader::decodable_page(&mut *source, rest.after, rest.page())
                    .boxed()
                    .await
            } else {
                Ok(vec![])
            }
        });
        if send
            .send(Ok(Batch {
                models: batch?,
                last,
            }))
            .await
            .is_err()
        {
            return Ok(());
        }
        page = next?;
        span = rest;
    }
    Ok(())
}

/// The last position of a page, which must hold every position behind `after` up to there, and at least one.
fn check_positions(page: &[reader::Decodable], after: i64) -> Result<i64, RebuildError> {
    let mut last = after;
    for event in page {
        if event.position() != last + 1 {
            return Err(RebuildError::Gap {
                after: last,
                found: Some(event.position()),
            });
        }
        last = event.position();
    }
    if last == after {
        return Err(RebuildError::Gap { after, found: None });
    }
    Ok(last)
}

/// Fresh handlers that have taken in a page.
async fn take_in(
    models: &[Description],
    page: &[reader::Decodable],
) -> Result<ReadModels, ReadError> {
    let upcasters = upcasters();
    let mut models = ReadModels::only(models);
    for chunk in page.chunks(DECODED_AT_ONCE) {
        for event in chunk {
            let recorded: Recorded = event.decode(&upcasters)?;
            models.apply(&recorded);
        }
        tokio::task::yield_now().await;
    }
    Ok(models)
}

struct Builder<P> {
    /// The read models that were asked for.
    models: Vec<Description>,
    /// Those and the ones that they look something up in.
    built: Vec<Description>,
    /// Reads the log.
    ahead: ReadAhead,
    /// Writes the shadow tables, and holds the lock that keeps a second rebuild out: without this connection nothing can be
    /// swapped, and with it nobody else can.
    target: PgConnection,
    /// Indexes that are made once the tables are full.
    late_indexes: Vec<String>,
    done: i64,
    progress: P,
}

impl<P: FnMut(Progress)> Builder<P> {
    async fn begin(
        connect: &Connector,
        models: &[Description],
        progress: P,
    ) -> Result<Self, RebuildError> {
        let shadow_first = format!("{SHADOW},public");
        let connector = connect.with(&[
            ("search_path", shadow_first.as_str()),
            // What is built can be built again, so its commits need not wait for the disk.
            ("synchronous_commit", "off"),
            // An index of a large table takes as long as it takes, whatever the service's statements may.
            ("statement_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            // Statements are many and short.
            ("jit", "off"),
            // For comparing whole tables, and for indexes; kB and MB of the database's memory.
            ("work_mem", "65536"),
        ]);
        let mut target = connector.connect().await?;
        let free = sqlx::query_scalar!(
            r#"SELECT pg_try_advisory_lock($1) AS "free!""#,
            ADVISORY_LOCK
        )
        .fetch_one(&mut target)
        .await?;
        if !free {
            return Err(RebuildError::UnderWay);
        }
        let built = with_what_they_read(models);
        let ahead = ReadAhead::start(connect.connect().await?, built.clone());
        let mut builder = Self {
            models: models.to_vec(),
            built,
            ahead,
            target,
            late_indexes: vec![],
            done: 0,
            progress,
        };
        builder.make_tables().await?;
        Ok(builder)
    }

    fn tables(&self) -> Vec<&'static str> {
        tables_of(&self.models)
    }

    fn say(&mut self, of: i64, phase: Phase) {
        (self.progress)(Progress {
            done: self.done,
            of: of.max(self.done),
            phase,
        });
    }

    /// Empty tables like the live ones, with constraints and indexes of the same names. They are not written to the database's
    /// own log until they are full.
    async fn make_tables(&mut self) -> Result<(), RebuildError> {
        let anew = format!("DROP SCHEMA IF EXISTS {SHADOW} CASCADE; CREATE SCHEMA {SHADOW}");
        execute(&mut self.target, &anew).await?;
        for table in tables_of(&self.built) {
            self.make_table(table).await?;
        }
        Ok(())
    }

    async fn make_table(&mut self, table: &str) -> Result<(), RebuildError> {
        let live = format!("{LIVE}.{table}");
        let options: Option<String> = sqlx::query_scalar(
            "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = $1::regclass",
        )
        .bind(&live)
        .fetch_one(&mut self.target)
        .await?;
        let with = options.map_or_else(String::new, |options| format!(" WITH ({options})"));
        let create = format!(
            "CREATE UNLOGGED TABLE {SHADOW}.{table} (LIKE {live} INCLUDING ALL EXCLUDING CONSTRAINTS EXCLUDING INDEXES){with}"
        );
        execute(&mut self.target, &create).await?;
        let constraints: Vec<(String, String)> = sqlx::query_as(
            "SELECT quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
              WHERE conrelid = $1::regclass AND contype IN ('p', 'u', 'c', 'x') ORDER BY conname",
        )
        .bind(&live)
        .fetch_all(&mut self.target)
        .await?;
        for (name, definition) in constraints {
            let add = format!("ALTER TABLE {SHADOW}.{table} ADD CONSTRAINT {name} {definition}");
            execute(&mut self.target, &add).await?;
        }
        let indexes: Vec<(String, String, bool)> = sqlx::query_as(
            "SELECT c.relname::text, pg_get_indexdef(i.indexrelid), i.indisunique
               FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
              WHERE i.indrelid = $1::regclass
                AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
              ORDER BY c.relname",
        )
        .bind(&live)
        .fetch_all(&mut self.target)
        .await?;
        for (name, definition, is_unique) in indexes {
            let create = definition.replacen(&format!(" ON {LIVE}."), &format!(" ON {SHADOW}."), 1);
            if is_unique || NEEDED_INDEXES.contains(&name.as_str()) {
                execute(&mut self.target, &create).await?;
            } else {
                self.late_indexes.push(create);
            }
        }
        // Whoever may read the live table, such as a role for reports, may read the one that takes its place.
        let grants: Vec<String> = sqlx::query_scalar(
            "SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, $2,
                           CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                           CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
               FROM pg_class c, aclexplode(c.relacl) a
              WHERE c.oid = $1::regclass AND a.grantee <> c.relowner",
        )
        .bind(&live)
        .bind(format!("{SHADOW}.{table}"))
        .fetch_all(&mut self.target)
        .await?;
        for grant in grants {
            execute(&mut self.target, &grant).await?;
        }
        Ok(())
    }

    /// Whether something that is not Docket's depends on a live table, such as a view.
    async fn check_dependents(&mut self) -> Result<(), RebuildError> {
        let tables = self.tables();
        let things = dependents(&mut self.target, &tables).await?;
        if things.is_empty() {
            Ok(())
        } else {
            Err(RebuildError::InUse {
                things: things.join(", "),
            })
        }
    }

    async fn build_and_swap(&mut self, now: DateTime<Utc>) -> Result<Rebuilt, RebuildError> {
        self.catch_up().await?;
        self.finish_tables(true).await?;
        for attempt in 1..=SWAP_TRIES {
            self.catch_up().await?;
            self.say(self.done, Phase::Swapping);
            let before = self.done;
            match self.swap(now).await {
                Ok(pause) => {
                    return Ok(Rebuilt {
                        events: self.done,
                        pause,
                    });
                }
                Err(error) if is_lock_failure(&error) => {
                    // What the transaction had taken in goes with it.
                    execute(&mut self.target, "ROLLBACK").await?;
                    self.done = before;
                    tokio::time::sleep(SWAP_PAUSE * attempt.min(10)).await;
                }
                Err(error) if is_in_use(&error) => {
                    execute(&mut self.target, "ROLLBACK").await?;
                    self.check_dependents().await?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(RebuildError::Held)
    }

    /// Makes what was left for later. Tables that are to be kept are written to the database's own log, each in one go.
    async fn finish_tables(&mut self, are_kept: bool) -> Result<(), RebuildError> {
        self.say(self.done, Phase::Indexes);
        if are_kept {
            for table in self.tables() {
                execute(
                    &mut self.target,
                    &format!("ALTER TABLE {SHADOW}.{table} SET LOGGED"),
                )
                .await?;
            }
            for index in std::mem::take(&mut self.late_indexes) {
                execute(&mut self.target, &index).await?;
            }
        }
        for table in self.tables() {
            execute(&mut self.target, &format!("ANALYZE {SHADOW}.{table}")).await?;
        }
        Ok(())
    }

    /// Takes in the log up to where it is now.
    async fn catch_up(&mut self) -> Result<(), RebuildError> {
        for _ in 0..CATCH_UPS {
            let until = reader::head(&mut self.target).boxed().await?;
            if self.done >= until {
                break;
            }
            // Once its task has ended, the batches say why.
            let _ = self
                .ahead
                .spans
                .send(Span {
                    after: self.done,
                    until,
                })
                .await;
            while self.done < until {
                let Some(batch) = self.ahead.batches.recv().await else {
                    return Err(RebuildError::Database(sqlx::Error::WorkerCrashed));
                };
                let Batch { models, last } = batch?;
                write_batch(&mut self.target, models).await?;
                self.done = last;
                self.say(until, Phase::Events);
            }
        }
        Ok(())
    }

    /// Takes in the last events while no writer can add one, and swaps the tables. Gives how long writers were shut out.
    async fn swap(&mut self, now: DateTime<Utc>) -> Result<Duration, RebuildError> {
        let tables = self.tables();
        let in_schema = |schema: &str| {
            tables
                .iter()
                .map(|table| format!("{schema}.{table}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (live, shadow) = (in_schema(LIVE), in_schema(SHADOW));
        let begin = format!(
            "BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '{VACUUM_TIMEOUT}';
             LOCK TABLE {live}, {shadow} IN SHARE UPDATE EXCLUSIVE MODE"
        );
        execute(&mut self.target, &begin).await?;
        let shut_out_since = Instant::now();
        let shut_out = format!(
            "SET LOCAL lock_timeout = '{WRITERS_TIMEOUT}';
             SELECT public.lock_log()"
        );
        execute(&mut self.target, &shut_out).await?;
        self.take_in_rest().await?;
        let take_over = format!(
            "SET LOCAL lock_timeout = '{READERS_TIMEOUT}';
             LOCK TABLE {live} IN ACCESS EXCLUSIVE MODE"
        );
        execute(&mut self.target, &take_over).await?;
        // Without CASCADE: a view of somebody's that looks at a table refuses the swap, and is not dropped unasked.
        let swaps = tables.iter().map(|table| {
            format!("DROP TABLE {LIVE}.{table}; ALTER TABLE {SHADOW}.{table} SET SCHEMA {LIVE}")
        });
        let swaps = swaps.collect::<Vec<_>>().join("; ");
        execute(&mut self.target, &swaps).await?;
        note_versions(&mut self.target, &self.models, now).await?;
        execute(&mut self.target, "COMMIT").await?;
        Ok(shut_out_since.elapsed())
    }

    /// Takes in, inside the open transaction of the target, what the log has beyond `done` as that transaction sees it.
    async fn take_in_rest(&mut self) -> Result<(), RebuildError> {
        let head = reader::head(&mut self.target).boxed().await?;
        while self.done < head {
            let span = Span {
                after: self.done,
                until: head,
            };
            let page = reader::decodable_page(&mut self.target, span.after, span.page())
                .boxed()
                .await?;
            let last = check_positions(&page, self.done)?;
            let models = take_in(&self.built, &page).await?;
            write(&mut self.target, models).await?;
            self.done = last;
        }
        let promised = append::last_position(&mut self.target).boxed().await?;
        if promised > head {
            return Err(RebuildError::Gap {
                after: head,
                found: None,
            });
        }
        Ok(())
    }

    async fn build_and_compare(&mut self) -> Result<(i64, Vec<Difference>), RebuildError> {
        self.catch_up().await?;
        self.finish_tables(false).await?;
        self.catch_up().await?;
        // One snapshot shows the live tables at one position; the shadow is brought to the same position inside it.
        execute(&mut self.target, "BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        self.take_in_rest().await?;
        self.say(self.done, Phase::Comparing);
        let mut differences = vec![];
        for table in self.tables() {
            differences.extend(self.compare(table).await?);
        }
        execute(&mut self.target, "ROLLBACK").await?;
        Ok((self.done, differences))
    }

    async fn compare(&mut self, table: &'static str) -> Result<Vec<Difference>, RebuildError> {
        let key: Vec<String> = sqlx::query_scalar(
            "SELECT a.attname::text FROM pg_index i
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
              WHERE i.indrelid = $1::regclass AND i.indisprimary ORDER BY a.attnum",
        )
        .bind(format!("{LIVE}.{table}"))
        .fetch_all(&mut self.target)
        .await?;
        let shown: Vec<String> = key
            .iter()
            .map(|column| format!("'{column}=' || k.{column}::text"))
            .collect();
        let key_of = |side: &str| {
            key.iter()
                .map(|column| format!("{side}.{column}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let first = &key[0];
        // Whole rows are compared as values; only for rows that differ are the columns looked at one by one.
        let statement = format!(
            "SELECT concat_ws(' ', {shown}), k.superfluous, k.missing,
                    coalesce((SELECT array_agg(l.key ORDER BY l.key)
                                FROM jsonb_each(k.live) l JOIN jsonb_each(k.built) b USING (key)
                               WHERE l.value IS DISTINCT FROM b.value), '{{}}') AS columns
               FROM (SELECT {coalesced}, b.{first} IS NULL AS superfluous, l.{first} IS NULL AS missing,
                            to_jsonb(l) AS live, to_jsonb(b) AS built
                       FROM {LIVE}.{table} l FULL JOIN {SHADOW}.{table} b ON ({live_key}) = ({built_key})
                      WHERE l IS DISTINCT FROM b
                      ORDER BY {positions}
                      LIMIT {MAX_DIFFERENCES}) k",
            shown = shown.join(", "),
            coalesced =
                key.iter().map(|column| format!("coalesce(l.{column}, b.{column}) AS {column}")).collect::<Vec<_>>().join(", "),
            live_key = key_of("l"),
            built_key = key_of("b"),
            positions = (1..=key.len()).map(|position| position.to_string()).collect::<Vec<_>>().join(", "),
        );
        let rows: Vec<(String, bool, bool, Vec<String>)> = sqlx::query_as(&statement)
            .fetch_all(&mut self.target)
            .await?;
        let differences = rows
            .into_iter()
            .map(|(key, superfluous, missing, columns)| {
                let kind = if superfluous {
                    DifferenceKind::Superfluous
                } else if missing {
                    DifferenceKind::Missing
                } else {
                    DifferenceKind::Columns(columns)
                };
                Difference { table, key, kind }
            });
        Ok(differences.collect())
    }

    /// Clears up, whatever happened before; what cannot be cleared now is by the next rebuild.
    async fn end(mut self, has_failed: bool) {
        if has_failed {
            // Some transaction is open, unless it failed between two of them.
            let _ = execute(&mut self.target, "ROLLBACK").await;
        }
        let _ = execute(
            &mut self.target,
            &format!("DROP SCHEMA IF EXISTS {SHADOW} CASCADE"),
        )
        .await;
        // Said, because the database notices only some time later that a connection is closed, and the next rebuild may be waiting.
        let _ = sqlx::query("SELECT pg_advisory_unlock($1)")
            .bind(ADVISORY_LOCK)
            .execute(&mut self.target)
            .await;
        let _ = self.target.close().await;
    }
}

fn tables_of(models: &[Description]) -> Vec<&'static str> {
    models
        .iter()
        .flat_map(|model| model.tables)
        .copied()
        .collect()
}

/// The models and those that their handlers look something up in, in the order of [`ReadModels::ALL`].
fn with_what_they_read(models: &[Description]) -> Vec<Description> {
    let is_asked = |name: &str| models.iter().any(|model| model.name == name);
    let is_read = |name: &str| models.iter().any(|model| model.reads.contains(&name));
    ReadModels::ALL
        .iter()
        .filter(|model| is_asked(model.name) || is_read(model.name))
        .copied()
        .collect()
}

async fn write_batch(target: &mut PgConnection, models: ReadModels) -> Result<(), RebuildError> {
    execute(target, "BEGIN").await?;
    write(target, models).await?;
    execute(target, "COMMIT").await
}

async fn write(target: &mut PgConnection, mut models: ReadModels) -> Result<(), RebuildError> {
    let mut writes = Writes::default();
    models.write(&mut writes);
    // Events in the log know when they were recorded.
    writes.run(target, UNDATED).boxed().await?;
    Ok(())
}

async fn execute(conn: &mut PgConnection, statement: &str) -> Result<(), RebuildError> {
    conn.execute(statement).await?;
    Ok(())
}

/// What depends on live tables and would have to go with them: views above all, and keys of other tables.
async fn dependents(conn: &mut PgConnection, tables: &[&str]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT DISTINCT CASE WHEN d.classid = 'pg_rewrite'::regclass
                                THEN (SELECT 'view ' || r.ev_class::regclass::text FROM pg_rewrite r WHERE r.oid = d.objid)
                                ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END AS "thing!"
             FROM pg_depend d
            WHERE d.refclassid = 'pg_class'::regclass AND d.deptype = 'n'
              AND NOT (d.classid = 'pg_constraint'::regclass
                       AND EXISTS (SELECT FROM pg_constraint c WHERE c.oid = d.objid AND c.conrelid = d.refobjid))
              AND d.refobjid IN (SELECT to_regclass('docket_read.' || t.name) FROM unnest($1::text[]) AS t (name))
            ORDER BY 1"#,
        tables as &[&str],
    )
    .fetch_all(conn)
    .await
}

/// Whether the database refused to drop a table because something depends on it.
fn is_in_use(error: &RebuildError) -> bool {
    matches!(error, RebuildError::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some("2BP01"))
}

/// Whether somebody else's locks were in the way: the time for them was over, or the database ended a deadlock.
fn is_lock_failure(error: &RebuildError) -> bool {
    matches!(error, RebuildError::Database(sqlx::Error::Database(error))
        if matches!(error.code().as_deref(), Some("55P03" | "40P01")))
}
