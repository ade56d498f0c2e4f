//! Building read models anew from the log, beside the ones in use.
//!
//! The same handlers that keep the live tables fill a second schema, from position 1 on, while the service runs. When they have
//! caught up, one short transaction shuts out writers, takes in the last events and swaps the tables; or, for a check, one
//! snapshot compares the two and nobody waits. Nothing is ever sent by this: handlers see events and tables alone, and the
//! delivery worker reads the live outbox only.
//!
//! The tables' names come from [`ReadModels::ALL`] and their structure from the live schema, so the statements that copy it
//! are made here at run time; they are the only ones in this crate that the compiler does not check.

use std::fmt;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Row};

use crate::log::reader::{self, LogEvent, ReadError};
use crate::log::upcasters::upcasters;
use crate::read::{Description, ReadModels};

/// Where the tables are built.
const SHADOW: &str = "docket_rebuild";
/// The live tables' schema.
const LIVE: &str = "docket_read";
/// How many events are taken in at once: bounds the memory.
const PAGE: i64 = 5_000;
/// Held by whoever rebuilds, so that there is only one.
const ADVISORY_LOCK: i64 = 0x0064_6f63_6b65_7401;
/// How long the swap waits for readers before it lets the writers go on and tries again.
const SWAP_LOCK_TIMEOUT: &str = "2s";
/// How often the swap is tried.
const SWAP_TRIES: u32 = 30;
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
    /// The log ended before its end: an event is missing.
    #[error("the log breaks off: after position {after} comes {found}, not {expected}")]
    Gap {
        /// The last position that was read.
        after: i64,
        /// The position that should have come.
        expected: i64,
        /// What came.
        found: i64,
    },
    /// There is no such read model.
    #[error("there is no read model {name}; there are: {all}")]
    UnknownModel {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        all: String,
    },
    /// Readers held the tables for too long.
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

/// The read models of these names; all of them for none.
///
/// # Errors
///
/// [`RebuildError::UnknownModel`].
pub fn models(names: &[String]) -> Result<Vec<Description>, RebuildError> {
    if names.is_empty() {
        return Ok(ReadModels::ALL.to_vec());
    }
    names
        .iter()
        .map(|name| {
            ReadModels::ALL.iter().find(|model| model.name == name).copied().ok_or_else(|| RebuildError::UnknownModel {
                name: name.clone(),
                all: ReadModels::ALL.iter().map(|model| model.name).collect::<Vec<_>>().join(", "),
            })
        })
        .collect()
}

/// The read models that were built by another version of their handler, or never.
///
/// # Errors
///
/// The database's error.
pub async fn outdated(conn: &mut PgConnection) -> Result<Vec<Description>, sqlx::Error> {
    let rows = sqlx::query!("SELECT name, version FROM projection_versions").fetch_all(&mut *conn).await?;
    let is_current = |model: &&Description| rows.iter().any(|row| row.name == model.name && row.version == model.version);
    Ok(ReadModels::ALL.iter().filter(|model| !is_current(model)).copied().collect())
}

/// Notes that the read models of an empty log are what today's handlers would build.
///
/// # Errors
///
/// The database's error.
pub async fn note_versions_of_empty_log(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    if reader::head(&mut *conn).boxed().await? == 0 {
        note_versions(conn, ReadModels::ALL, now).await?;
    }
    Ok(())
}

async fn note_versions(conn: &mut PgConnection, models: &[Description], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
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

/// Builds read models from the log and puts them in the place of the live ones. Gives the number of events taken in.
///
/// # Errors
///
/// [`RebuildError`]; the live tables are then as they were.
pub async fn rebuild(
    connect: &PgConnectOptions,
    models: &[Description],
    now: DateTime<Utc>,
    progress: impl FnMut(Progress),
) -> Result<i64, RebuildError> {
    let mut builder = Builder::begin(connect, models, progress).await?;
    let result = builder.build_and_swap(now).await;
    builder.end().await;
    result
}

/// Builds read models from the log and compares them with the live ones; nothing is changed and no writer waits. Gives the
/// number of events taken in and what differs.
///
/// # Errors
///
/// [`RebuildError`].
pub async fn check(
    connect: &PgConnectOptions,
    models: &[Description],
    progress: impl FnMut(Progress),
) -> Result<(i64, Vec<Difference>), RebuildError> {
    let mut builder = Builder::begin(connect, models, progress).await?;
    let result = builder.build_and_compare().await;
    builder.end().await;
    result
}

struct Builder<P> {
    models: Vec<Description>,
    /// Reads the log, and holds the lock that keeps a second rebuild out.
    source: PgConnection,
    /// Writes the shadow tables.
    target: PgConnection,
    /// Indexes that are made once the tables are full.
    late_indexes: Vec<String>,
    done: i64,
    progress: P,
}

impl<P: FnMut(Progress)> Builder<P> {
    async fn begin(connect: &PgConnectOptions, models: &[Description], progress: P) -> Result<Self, RebuildError> {
        let mut source = connect.connect().await?;
        let free = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "free!""#, ADVISORY_LOCK).fetch_one(&mut source).await?;
        if !free {
            return Err(RebuildError::UnderWay);
        }
        let shadow_first = format!("{SHADOW},public");
        // What is built can be built again, so its commits need not wait for the disk.
        let options = connect.clone().options([("search_path", shadow_first.as_str()), ("synchronous_commit", "off")]);
        let target = options.connect().await?;
        let mut builder = Self { models: models.to_vec(), source, target, late_indexes: vec![], done: 0, progress };
        builder.make_tables().await?;
        Ok(builder)
    }

    fn tables(&self) -> Vec<&'static str> {
        self.models.iter().flat_map(|model| model.tables).copied().collect()
    }

    /// Empty tables like the live ones, with constraints and indexes of the same names.
    async fn make_tables(&mut self) -> Result<(), RebuildError> {
        execute(&mut self.target, &format!("DROP SCHEMA IF EXISTS {SHADOW} CASCADE; CREATE SCHEMA {SHADOW}")).await?;
        for table in self.tables() {
            let create = format!("CREATE TABLE {SHADOW}.{table} (LIKE {LIVE}.{table} INCLUDING DEFAULTS INCLUDING GENERATED)");
            execute(&mut self.target, &create).await?;
            let constraints = sqlx::query(
                "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
                  WHERE conrelid = $1::regclass AND contype IN ('p', 'u', 'c') ORDER BY conname",
            )
            .bind(format!("{LIVE}.{table}"))
            .fetch_all(&mut self.target)
            .await?;
            for row in constraints {
                let (name, definition): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                let add = format!("ALTER TABLE {SHADOW}.{table} ADD CONSTRAINT {name} {definition}");
                execute(&mut self.target, &add).await?;
            }
            let indexes = sqlx::query(
                "SELECT pg_get_indexdef(i.indexrelid), am.amname::text
                   FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
                  WHERE i.indrelid = $1::regclass
                    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
                  ORDER BY c.relname",
            )
            .bind(format!("{LIVE}.{table}"))
            .fetch_all(&mut self.target)
            .await?;
            for row in indexes {
                let (definition, method): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                let create = definition.replace(&format!(" ON {LIVE}."), &format!(" ON {SHADOW}."));
                if method == "gin" {
                    self.late_indexes.push(create);
                } else {
                    execute(&mut self.target, &create).await?;
                }
            }
        }
        Ok(())
    }

    async fn build_and_swap(&mut self, now: DateTime<Utc>) -> Result<i64, RebuildError> {
        self.catch_up().await?;
        self.finish_tables().await?;
        for _ in 0..SWAP_TRIES {
            self.catch_up().await?;
            match self.swap(now).await {
                Ok(()) => return Ok(self.done),
                Err(error) if is_lock_timeout(&error) => {
                    execute(&mut self.target, "ROLLBACK").await?;
                    // What the transaction had taken in went with it.
                }
                Err(error) => return Err(error),
            }
        }
        Err(RebuildError::Held)
    }

    async fn finish_tables(&mut self) -> Result<(), RebuildError> {
        for index in std::mem::take(&mut self.late_indexes) {
            execute(&mut self.target, &index).await?;
        }
        for table in self.tables() {
            execute(&mut self.target, &format!("ANALYZE {SHADOW}.{table}")).await?;
        }
        Ok(())
    }

    /// Takes in the log up to where it is now, page by page; while one page is written the next is read.
    async fn catch_up(&mut self) -> Result<(), RebuildError> {
        let mut end = reader::head(&mut self.source).boxed().await?;
        let mut page = reader::page(&mut self.source, self.done, PAGE).boxed().await?;
        while self.done < end {
            let after = self.done + page.len() as i64;
            let models = self.decode(&page)?;
            let write = write_page(&mut self.target, models);
            let read = async {
                let next = reader::page(&mut self.source, after, PAGE).boxed().await?;
                let end = reader::head(&mut self.source).boxed().await?;
                Ok::<_, RebuildError>((next, end))
            };
            let (written, read) = tokio::join!(write, read);
            written?;
            (page, end) = read?;
            self.done = after;
            (self.progress)(Progress { done: self.done, of: end });
        }
        Ok(())
    }

    /// Feeds a page to fresh handlers. A page that does not continue where the last one ended is an error, never the end.
    fn decode(&self, page: &[LogEvent]) -> Result<ReadModels, RebuildError> {
        let upcasters = upcasters();
        let mut models = ReadModels::only(&self.models);
        let mut after = self.done;
        for event in page {
            if event.position != after + 1 {
                return Err(RebuildError::Gap { after, expected: after + 1, found: event.position });
            }
            models.apply(&event.decode(&upcasters)?);
            after = event.position;
        }
        if page.is_empty() {
            return Err(RebuildError::Gap { after, expected: after + 1, found: 0 });
        }
        Ok(models)
    }

    /// Takes in the last events while no writer can add one, and swaps the tables.
    async fn swap(&mut self, now: DateTime<Utc>) -> Result<(), RebuildError> {
        let before = self.done;
        let result = self.swap_in_tx(now).await;
        if result.is_err() {
            self.done = before;
        }
        result
    }

    async fn swap_in_tx(&mut self, now: DateTime<Utc>) -> Result<(), RebuildError> {
        execute(&mut self.target, &format!("BEGIN; SET LOCAL lock_timeout = '{SWAP_LOCK_TIMEOUT}'; SET LOCAL synchronous_commit = on"))
            .await?;
        // Every writer reads log_head first, so from here none is under way and none begins.
        execute(&mut self.target, "LOCK TABLE log_head IN ACCESS EXCLUSIVE MODE").await?;
        self.take_in_rest().await?;
        execute(&mut self.target, "DROP SCHEMA IF EXISTS docket_replaced CASCADE; CREATE SCHEMA docket_replaced").await?;
        for table in self.tables() {
            let swap = format!(
                "ALTER TABLE {LIVE}.{table} SET SCHEMA docket_replaced; ALTER TABLE {SHADOW}.{table} SET SCHEMA {LIVE}"
            );
            execute(&mut self.target, &swap).await?;
        }
        execute(&mut self.target, "DROP SCHEMA docket_replaced CASCADE").await?;
        note_versions(&mut self.target, &self.models, now).await?;
        execute(&mut self.target, "COMMIT").await
    }

    /// Takes in, inside the open transaction of the target, what the log has beyond `done` as that transaction sees it.
    async fn take_in_rest(&mut self) -> Result<(), RebuildError> {
        let end = reader::head(&mut self.target).boxed().await?;
        while self.done < end {
            let page = reader::page(&mut self.target, self.done, PAGE).boxed().await?;
            let mut models = self.decode(&page)?;
            models.flush(&mut self.target).boxed().await?;
            self.done += page.len() as i64;
        }
        Ok(())
    }

    async fn build_and_compare(&mut self) -> Result<(i64, Vec<Difference>), RebuildError> {
        self.catch_up().await?;
        self.finish_tables().await?;
        self.catch_up().await?;
        // One snapshot shows the live tables at one position; the shadow is brought to the same position inside it.
        execute(&mut self.target, "BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        self.take_in_rest().await?;
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
        let shown: Vec<String> = key.iter().map(|column| format!("'{column}=' || k.{column}::text")).collect();
        let key_of = |side: &str| key.iter().map(|column| format!("{side}.{column}")).collect::<Vec<_>>().join(", ");
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
        let rows = sqlx::query(&statement).fetch_all(&mut self.target).await?;
        rows.iter()
            .map(|row| {
                let (superfluous, missing): (bool, bool) = (row.try_get(1)?, row.try_get(2)?);
                let kind = if superfluous {
                    DifferenceKind::Superfluous
                } else if missing {
                    DifferenceKind::Missing
                } else {
                    DifferenceKind::Columns(row.try_get(3)?)
                };
                Ok(Difference { table, key: row.try_get(0)?, kind })
            })
            .collect()
    }

    /// Clears up, whatever happened before; what cannot be cleared now is by the next rebuild.
    async fn end(mut self) {
        let _ = execute(&mut self.target, "ROLLBACK").await;
        let _ = execute(&mut self.target, &format!("DROP SCHEMA IF EXISTS {SHADOW} CASCADE")).await;
        let _ = self.target.close().await;
        let _ = self.source.close().await;
    }
}

async fn write_page(target: &mut PgConnection, mut models: ReadModels) -> Result<(), RebuildError> {
    execute(target, "BEGIN").await?;
    models.flush(target).boxed().await?;
    execute(target, "COMMIT").await
}

async fn execute(conn: &mut PgConnection, statement: &str) -> Result<(), RebuildError> {
    conn.execute(statement).await?;
    Ok(())
}

fn is_lock_timeout(error: &RebuildError) -> bool {
    matches!(error, RebuildError::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55P03"))
}
