//! The one write path.
//!
//! An operation is put in a bounded queue and its caller waits; a few writers each take whatever waits and do it together
//! (group commit), so that the cost of a durable commit is shared. A writer
//!
//! 1. reads what the operations need, without a lock: contacts from the cache, and what is not there from the read models (`fill`);
//! 2. decides each operation in memory; it sees what those before it did (`batch`);
//! 3. appends all of it in one call, which is a transaction of its own (`crate::append`). The call compares what the decisions
//!    rest on with what is so now. The part of the batch that concerns one contact is accepted or refused as a whole; what was
//!    refused is read and decided again, and its neighbours are not touched.
//!
//! What always holds: no lock is held while anything travels between Docket and its database; a caller that goes away cancels
//! nothing; a call that fails is split, so that one poisoned operation cannot take others with it; a call that got no answer is
//! sent again under its id, and is done once.

mod announce;
mod batch;
mod cache;
mod failure;
mod fill;
mod job;
pub mod needs;
pub mod operation;
mod queue;
mod references;
pub mod scope;
mod secret;
mod writer;

use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::cache::ContactCache;
#[cfg(feature = "testing")]
pub use self::fill::{CachedContacts, brief_case};
use self::job::{Job, Ticket};
use self::operation::{Answer, LedgerError, Operation};
use self::queue::{Entrance, Rejected, queue};
use self::references::References;
use self::writer::{Shared, Writer};
use crate::connect::Connector;
use crate::rebuild;
use crate::settings::{self, Settings};
use crate::watch::Watch;

/// How the ledger is set up.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    /// How many writers there are, at least one; each has a connection of its own.
    pub writers: usize,
    /// How many operations can wait before callers are told to come back.
    pub queue: usize,
    /// How many operations a transaction takes at most.
    pub max_batch: usize,
    /// How much memory cached aggregates may take, in bytes, roughly.
    pub cache_bytes: u64,
    /// What time it is.
    pub clock: fn() -> DateTime<Utc>,
}

impl LedgerOptions {
    /// The usual set-up.
    pub fn new(clock: fn() -> DateTime<Utc>) -> Self {
        Self {
            writers: 2,
            queue: 4_096,
            max_batch: 256,
            cache_bytes: 40 << 20,
            clock,
        }
    }
}

/// The write path; cloning it is cheap.
#[derive(Clone)]
pub struct Ledger {
    queue: Entrance<Box<dyn Job>>,
    settings: Arc<ArcSwap<Settings>>,
    head: watch::Sender<i64>,
    outbox: watch::Sender<u64>,
    stop: CancellationToken,
    watch: Watch,
    writers: Arc<Mutex<JoinSet<()>>>,
}

impl Ledger {
    /// Starts the writers, once the database answers.
    ///
    /// # Errors
    ///
    /// The database's error.
    pub async fn start(
        connect: impl Into<Connector>,
        options: LedgerOptions,
    ) -> Result<Self, sqlx::Error> {
        use sqlx::Connection;
        let connect = connect.into();
        let watch = connect.watch().clone();
        let mut conn = connect.connect().await?;
        // What an empty log gives is there already.
        rebuild::note_versions_of_empty_log(&mut conn, (options.clock)()).await?;
        let settings = Arc::new(ArcSwap::from_pointee(Settings::load(&mut conn).await?));
        let head = watch::Sender::new(crate::log::reader::head(&mut conn).await?);
        conn.close().await?;

        let stop = CancellationToken::new();
        let (queue, waiting) = queue(options.queue, options.max_batch, stop.clone());
        let written = watch::Sender::new(*head.borrow());
        let mut writers = JoinSet::new();
        writers.spawn(announce::run(connect.clone(), written.subscribe()));
        let shared = Shared {
            connect,
            waiting: Arc::new(waiting),
            cache: Arc::new(ContactCache::new(options.cache_bytes)),
            settings,
            head,
            written,
            outbox: watch::Sender::new(0),
            references: References::default(),
        };
        writers.spawn(Writer::new(shared.clone(), options.clone()).run(true));
        for _ in 1..options.writers {
            writers.spawn(Writer::new(shared.clone(), options.clone()).run(false));
        }
        let Shared {
            settings,
            head,
            outbox,
            ..
        } = shared;
        Ok(Self {
            queue,
            settings,
            head,
            outbox,
            stop,
            watch,
            writers: Arc::new(Mutex::new(writers)),
        })
    }

    /// Has an operation done, and waits for the commit. Dropping the future changes nothing about that.
    ///
    /// # Errors
    ///
    /// A [`LedgerError`]; nothing was recorded then.
    pub async fn submit<O: Operation>(
        &self,
        operation: O,
    ) -> Result<Answer<O::Output>, LedgerError<O::Refusal>> {
        if self.watch.standing().refuses_work() {
            return Err(LedgerError::Unavailable);
        }
        let (answer, answered) = oneshot::channel();
        self.queue
            .put(Box::new(Ticket::new(operation, answer)))
            .map_err(|rejected| match rejected {
                Rejected::Full => LedgerError::Busy,
                Rejected::Closed => LedgerError::Unavailable,
            })?;
        answered.await.unwrap_or(Err(LedgerError::Unavailable))
    }

    /// Reads the settings again, after their tables were filled anew.
    ///
    /// # Errors
    ///
    /// The database's error.
    pub async fn reload_settings(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let settings = Settings::load(&mut *pool.acquire().await?).await?;
        self.settings.store(Arc::new(settings));
        Ok(())
    }

    /// The newest settings that this process has seen.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// The newest settings that there are: another process may have changed them.
    ///
    /// # Errors
    ///
    /// The database's error.
    pub async fn newest_settings(&self, pool: &PgPool) -> Result<Arc<Settings>, sqlx::Error> {
        let position = settings::newest_position(pool).await?;
        self.settings_since(pool, position).await
    }

    /// Settings that are at least as new as those of that position of the log.
    ///
    /// # Errors
    ///
    /// The database's error.
    pub async fn settings_since(
        &self,
        pool: &PgPool,
        position: i64,
    ) -> Result<Arc<Settings>, sqlx::Error> {
        let known = self.settings();
        if position <= known.position {
            return Ok(known);
        }
        settings::keep_newest(
            &self.settings,
            Settings::load(&mut *pool.acquire().await?).await?,
        );
        Ok(self.settings())
    }

    /// Where the position of the newest event is made known.
    pub const fn head(&self) -> &watch::Sender<i64> {
        &self.head
    }

    /// Changes whenever this process has recorded something for the delivery worker to do.
    pub fn outbox_changes(&self) -> watch::Receiver<u64> {
        self.outbox.subscribe()
    }

    /// The watch over the ledger's database.
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// How many operations wait.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Ends the ledger: nothing more is taken, and all that waits is done before this returns.
    pub async fn close(&self) {
        self.stop.cancel();
        let mut writers = self.writers.lock().await;
        while writers.join_next().await.is_some() {}
    }
}
