//! The watch over the database while the service runs: whether it takes changes, whether the read models are ours, and whether a
//! newer Docket works beside us.
//!
//! A round every second opens a fresh connection, for sessions that are open say nothing about new ones: a database that was set
//! read-only lets old sessions write, and after a switch-over old sessions stay with the old server. The round writes our row in
//! `processes`, which proves that changes are taken, and reads what the others wrote. When the answer changes, every connection
//! that was made before is given up, in every pool, so that none stays read-only or on a server that was left.
//!
//! A backup can be restored beneath the service. Then the log is another one than this process knows: shorter, or with other
//! events. A round compares the log with what the round before saw, and a writer does so on every new connection. Nothing is
//! recorded any more then, for all that this process has in memory is of the log that is gone; the service begins anew.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::connect::Connector;
use crate::log::upcasters;
use crate::model_versions::{self, Verdict};
use crate::outage::{is_missing_table, is_outage, is_read_only};
use crate::read::ReadModels;
use crate::schema;

/// How often the database is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// The pause between two rounds that an error asked for.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// How long a round may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// A process that was not heard of for so long, in seconds by the database's clock, is gone.
const HEARD_OF_SECONDS: f64 = 10.0;

/// Whether the database takes changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Database {
    /// It does.
    #[default]
    Writable,
    /// It was set read-only, or it is a standby.
    ReadOnly,
    /// It cannot be reached, or not be used.
    Away,
}

/// What the watch saw last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether the database takes changes.
    pub database: Database,
    /// Whether the read models are ours.
    pub models: Verdict,
    /// The version of a newer Docket that works on the same database, or has changed it.
    pub newer: Option<String>,
    /// Why read models that are out of date cannot be rebuilt, where somebody has to see to it.
    pub obstacle: Option<String>,
    /// Whether the log is another one than this process knows.
    pub is_another_log: bool,
}

impl Standing {
    /// Why nothing can be recorded, in a sentence; `None` where all is well.
    pub fn trouble(&self) -> Option<String> {
        match self.database {
            Database::Away => return Some("the database cannot be reached".to_owned()),
            Database::ReadOnly => {
                return Some("the database takes no changes: it is read-only".to_owned());
            }
            Database::Writable => {}
        }
        if self.is_another_log {
            return Some(
                "the log in the database is another one than before, as after restoring a backup; Docket begins anew on it"
                    .to_owned(),
            );
        }
        if let Some(newer) = &self.newer {
            return Some(format!(
                "Docket {newer} works on this database, and this is the older Docket {}: it takes no more work; stop it",
                env!("CARGO_PKG_VERSION"),
            ));
        }
        (self.models != Verdict::Current).then(|| match &self.obstacle {
            Some(obstacle) => format!("{}; {obstacle}", self.models),
            None => self.models.to_string(),
        })
    }

    /// Whether nothing may be decided here. A database that is away or read-only is no reason: the attempt tells, and finds out first
    /// that it is back.
    pub fn refuses_work(&self) -> bool {
        self.is_another_log || self.newer.is_some() || self.models != Verdict::Current
    }

    /// Whether read models are empty, so that what would be read from them is wrong.
    pub const fn is_unreadable(&self) -> bool {
        matches!(
            self.models,
            Verdict::Outdated {
                are_empty: true,
                ..
            }
        )
    }
}

/// What is known of a database; clones share it. Without [`run`] it stays at "all is well", as for commands that end soon.
#[derive(Clone, Default)]
pub struct Watch(Arc<Inner>);

struct Inner {
    began: Instant,
    /// Connections made before are given up; in milliseconds since `began`, 0 for never.
    renewed_ms: AtomicU64,
    standing: ArcSwap<Standing>,
    suspected: Notify,
    /// The end of the log as it was seen last.
    end: Mutex<Option<End>>,
    /// Whether the log was found to be another one.
    is_another_log: watch::Sender<bool>,
}

/// The event at the end of the log: its position, and when it was recorded. Two logs that went apart have other times there, since
/// times are told to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    position: i64,
    recorded_at: Option<DateTime<Utc>>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            renewed_ms: AtomicU64::new(0),
            standing: ArcSwap::default(),
            suspected: Notify::new(),
            end: Mutex::default(),
            is_another_log: watch::Sender::default(),
        }
    }
}

impl Watch {
    /// What the watch saw last.
    pub fn standing(&self) -> Arc<Standing> {
        self.0.standing.load_full()
    }

    /// Has the watch look at once, where an error says that the database takes no changes or lacks a table.
    pub fn suspect(&self, error: &sqlx::Error) {
        if is_read_only(error) || is_missing_table(error) {
            self.0.suspected.notify_one();
        }
    }

    /// Has the watch look at once.
    pub fn look(&self) {
        self.0.suspected.notify_one();
    }

    /// Notes how the read models stand, before the first round.
    pub fn set_models(&self, models: &Verdict) {
        self.update(|standing| standing.models.clone_from(models));
    }

    /// Notes why read models cannot be rebuilt, or that nothing is in the way any more.
    pub fn set_obstacle(&self, obstacle: Option<&str>) {
        self.update(|standing| standing.obstacle = obstacle.map(str::to_owned));
    }

    /// Whether a connection of that age was made before the last change, and is to be given up.
    pub(crate) fn is_outdated(&self, age: Duration) -> bool {
        let renewed_ms = self.0.renewed_ms.load(Ordering::Relaxed);
        renewed_ms > 0
            && self.0.began.elapsed().saturating_sub(age) < Duration::from_millis(renewed_ms)
    }

    /// Waits until the log is found to be another one than this process knows.
    pub async fn another_log(&self) {
        // The sender lives as long as we do.
        let _ = self
            .0
            .is_another_log
            .subscribe()
            .wait_for(|is_another| *is_another)
            .await;
    }

    /// Whether the database still holds the log that this process knows, up to `head` at least. Where it does not, nothing is
    /// decided any more.
    pub(crate) async fn knows_log(
        &self,
        conn: &mut PgConnection,
        head: i64,
    ) -> Result<bool, sqlx::Error> {
        let known = *self.end();
        let row = sqlx::query!(
            r#"SELECT head.position AS "position!", head.recorded_at,
                      (SELECT recorded_at FROM events WHERE events.position = $1) AS known_at
                 FROM log_head AS head"#,
            known.map(|end| end.position),
        )
        .fetch_one(conn)
        .await?;
        let is_same =
            row.position >= head && known.is_none_or(|end| end.recorded_at == row.known_at);
        if is_same {
            self.saw_end(row.position, row.recorded_at);
        } else {
            self.update(|standing| standing.is_another_log = true);
            self.renew();
            if !self.0.is_another_log.send_replace(true) {
                let trouble = self.standing().trouble();
                error!(
                    trouble,
                    position = row.position,
                    known = head,
                    "Docket takes no work; callers are told to come back"
                );
            }
        }
        Ok(is_same)
    }

    /// Remembers the end of the log, unless a later one is known.
    pub(crate) fn saw_end(&self, position: i64, recorded_at: Option<DateTime<Utc>>) {
        let mut end = self.end();
        if end.is_none_or(|end| end.position < position) {
            *end = Some(End {
                position,
                recorded_at,
            });
        }
    }

    fn end(&self) -> std::sync::MutexGuard<'_, Option<End>> {
        // Nothing in between panics.
        self.0.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew(&self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.renewed_ms.store(now.max(1), Ordering::Relaxed);
    }

    fn update(&self, change: impl Fn(&mut Standing)) {
        self.0.standing.rcu(|standing| {
            let mut standing = Standing::clone(standing);
            change(&mut standing);
            standing
        });
    }

    /// Takes over what a round saw. Says changes in the log, once.
    fn note(&self, seen: &Seen) {
        let before = self.standing();
        self.update(|standing| {
            standing.database = seen.database;
            // A round that could not ask knows nothing new of these.
            if seen.database == Database::Writable {
                standing.models.clone_from(&seen.models);
                standing.newer.clone_from(&seen.newer);
                if seen.models == Verdict::Current {
                    standing.obstacle = None;
                }
            }
        });
        let now = self.standing();
        if before.database != now.database {
            self.renew();
        }
        match (before.trouble(), now.trouble()) {
            (before, Some(trouble)) if before.as_ref() != Some(&trouble) => {
                error!(
                    trouble,
                    "Docket takes no work; callers are told to come back"
                );
            }
            (Some(_), None) => info!("Docket takes work again"),
            _ => {}
        }
    }
}

/// What a round saw.
struct Seen {
    database: Database,
    models: Verdict,
    newer: Option<String>,
}

impl From<Database> for Seen {
    fn from(database: Database) -> Self {
        Self {
            database,
            models: Verdict::default(),
            newer: None,
        }
    }
}

/// Watches the database until `stop`. `process_id` is this process's name in the table `processes`, and `head` the newest
/// position that it knows of.
pub async fn run(
    connector: Connector,
    process_id: Uuid,
    head: watch::Receiver<i64>,
    stop: CancellationToken,
) {
    let watch = connector.watch().clone();
    // A heartbeat is nothing that a crash must not lose.
    let connector = connector.with(&[("synchronous_commit", "off"), ("statement_timeout", "3s")]);
    while !stop.is_cancelled() {
        let known = *head.borrow();
        watch.note(&round(&connector, process_id, known).await);
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(INTERVAL) => {}
            () = async {
                watch.0.suspected.notified().await;
                tokio::time::sleep(MIN_INTERVAL).await;
            } => {}
        }
    }
    // Its row would otherwise count for some seconds more, which does no harm.
    let _ = tokio::time::timeout(TIMEOUT, leave(&connector, process_id)).await;
}

async fn round(connector: &Connector, process_id: Uuid, head: i64) -> Seen {
    let asked = tokio::time::timeout(TIMEOUT, ask(connector, process_id, head)).await;
    match asked {
        Ok(Ok(seen)) => seen,
        Ok(Err(error)) if is_read_only(&error) => Database::ReadOnly.into(),
        Ok(Err(error)) => {
            if !is_outage(&error) {
                warn!(%error, "the watch over the database failed");
            }
            Database::Away.into()
        }
        Err(_) => Database::Away.into(),
    }
}

async fn ask(connector: &Connector, process_id: Uuid, head: i64) -> Result<Seen, sqlx::Error> {
    let mut conn = connector.connect().await?;
    connector.watch().knows_log(&mut conn, head).await?;
    let tables: Vec<&str> = ReadModels::ALL
        .iter()
        .flat_map(|model| model.tables)
        .copied()
        .collect();
    let row = sqlx::query!(
        r#"WITH beat AS (
               INSERT INTO processes (process_id, version, format, seen_at) VALUES ($1, $2, $3, clock_timestamp())
               ON CONFLICT (process_id) DO UPDATE SET seen_at = excluded.seen_at
           ), gone AS (
               DELETE FROM processes WHERE seen_at < clock_timestamp() - interval '1 hour' AND process_id <> $1
           )
           SELECT (SELECT version FROM processes
                    WHERE format > $3 AND seen_at > clock_timestamp() - make_interval(secs => $4)
                    ORDER BY format DESC LIMIT 1) AS newer,
                  (SELECT version FROM known_log WHERE format > $3) AS opened_by,
                  EXISTS (SELECT FROM unnest($5::text[]) AS t (name)
                           WHERE to_regclass('docket_read.' || t.name) IS NULL) AS "lacks_tables!""#,
        process_id,
        env!("CARGO_PKG_VERSION"),
        format(),
        HEARD_OF_SECONDS,
        &tables as &[&str],
    )
    .fetch_one(&mut conn)
    .await?;
    if row.lacks_tables {
        warn!("tables of the read models are missing; they are made anew and rebuilt");
        // Before there is an empty table that somebody could take for the truth.
        connector.watch().set_models(&Verdict::Outdated {
            models: ReadModels::ALL.iter().map(|model| model.name).collect(),
            are_empty: true,
        });
        schema::repair(connector).await?;
    }
    // Not checked at compile time: sqlx makes its list itself, and the database that statements are checked against has none.
    let migration: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM public._sqlx_migrations")
            .fetch_one(&mut conn)
            .await?;
    let is_ours = crate::MIGRATOR
        .iter()
        .any(|known| Some(known.version) == migration);
    let models = model_versions::judge(&model_versions::built(&mut conn).await?);
    // Whether the goodbye arrives is of no matter.
    let _ = conn.close().await;
    Ok(Seen {
        database: Database::Writable,
        newer: row.newer.or_else(|| {
            (!is_ours).then(|| {
                row.opened_by
                    .unwrap_or_else(|| "of a newer version".to_owned())
            })
        }),
        models,
    })
}

async fn leave(connector: &Connector, process_id: Uuid) -> Result<(), sqlx::Error> {
    let mut conn = connector.connect().await?;
    sqlx::query!("DELETE FROM processes WHERE process_id = $1", process_id)
        .execute(&mut conn)
        .await?;
    conn.close().await
}

/// A number that grows with everything that one version of Docket writes and an older one does not know: migrations, read models,
/// events and their versions.
pub(crate) fn format() -> i32 {
    let models: i32 = ReadModels::ALL.iter().map(|model| model.version).sum();
    let counted = crate::MIGRATOR.iter().count() + upcasters::known_forms();
    models.saturating_add(i32::try_from(counted).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_made_before_a_change_are_given_up() {
        let watch = Watch::default();
        assert!(
            !watch.is_outdated(Duration::from_hours(1)),
            "nothing changed"
        );
        watch.renew();
        assert!(watch.is_outdated(Duration::from_hours(1)));
        assert!(watch.is_outdated(watch.0.began.elapsed()));
    }

    #[test]
    fn trouble_is_told_in_a_sentence_with_the_worst_first() {
        let mut standing = Standing::default();
        assert_eq!(standing.trouble(), None);
        standing.models = Verdict::Outdated {
            models: vec!["cases"],
            are_empty: false,
        };
        standing.obstacle = Some("drop the view reports.open".to_owned());
        let told = standing.trouble().unwrap();
        assert!(
            told.contains("cases") && told.ends_with("drop the view reports.open"),
            "{told}"
        );
        standing.newer = Some("9.0.0".to_owned());
        assert!(standing.trouble().unwrap().contains("9.0.0"));
        standing.is_another_log = true;
        assert!(standing.trouble().unwrap().contains("another one"));
        standing.is_another_log = false;
        assert!(standing.trouble().unwrap().contains("9.0.0"));
        standing.database = Database::ReadOnly;
        assert!(standing.trouble().unwrap().contains("read-only"));
        standing.database = Database::Away;
        assert!(standing.trouble().unwrap().contains("reached"));
    }
}
