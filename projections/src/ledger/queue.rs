//! The queue of operations, and which writer takes from it.
//!
//! The first writer takes all that waits; what comes while it is at work becomes its next batch. Large batches are what makes
//! them cheap, so the other writers only help: where so much waits that it makes a large batch by itself, which is then decided while
//! the first one's is written; or where the first has been at one for long, since it waits for a lock or for the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// How long the first writer may be at one batch until somebody helps: at least this, at most twice.
const PATIENCE: Duration = Duration::from_millis(50);

/// Helpers are called where more operations wait than this: with fewer, two small batches would cost more than they gain.
const LARGE_BATCH: usize = 24;

/// Why an operation was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// Too much waits already.
    Full,
    /// The ledger is closed.
    Closed,
}

/// The end at which operations are put in.
pub(super) struct Entrance<J> {
    jobs: mpsc::Sender<J>,
    help: Arc<Notify>,
    /// Helpers are called where more than this many operations wait.
    help_from: usize,
}

/// The end at which writers take them out.
pub(super) struct Exit<J> {
    jobs: Mutex<mpsc::Receiver<J>>,
    /// How many batches the first writer has taken and done; odd while it is at one.
    turns: AtomicU64,
    /// Where helpers are called.
    help: Arc<Notify>,
    max_batch: usize,
    stop: CancellationToken,
}

/// A queue for so many operations, of which a writer takes at most `max_batch` at a time.
pub(super) fn queue<J>(
    capacity: usize,
    max_batch: usize,
    stop: CancellationToken,
) -> (Entrance<J>, Exit<J>) {
    let (sender, receiver) = mpsc::channel(capacity);
    let help = Arc::new(Notify::new());
    let entrance = Entrance {
        jobs: sender,
        help: Arc::clone(&help),
        help_from: max_batch.min(LARGE_BATCH),
    };
    let exit = Exit {
        jobs: Mutex::new(receiver),
        turns: AtomicU64::new(0),
        help,
        max_batch,
        stop,
    };
    (entrance, exit)
}

impl<J> Clone for Entrance<J> {
    fn clone(&self) -> Self {
        Self {
            jobs: self.jobs.clone(),
            help: Arc::clone(&self.help),
            help_from: self.help_from,
        }
    }
}

impl<J> Entrance<J> {
    pub(super) fn put(&self, job: J) -> Result<(), Rejected> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Rejected::Full,
            TrySendError::Closed(_) => Rejected::Closed,
        })?;
        if self.waiting() > self.help_from {
            self.help.notify_one();
        }
        Ok(())
    }

    /// How many operations wait.
    pub(super) fn waiting(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }
}

impl<J> Exit<J> {
    /// Waits until there is something for the first writer, and takes all of it up to the limit; `None` once the queue is closed
    /// and empty. Whatever it took before is done.
    pub(super) async fn take_first(&self) -> Option<Vec<J>> {
        if self.is_first_at_work() {
            self.turns.fetch_add(1, Ordering::Relaxed);
        }
        let mut jobs = self.jobs.lock().await;
        let mut batch = Vec::new();
        tokio::select! {
            biased;
            _ = jobs.recv_many(&mut batch, self.max_batch) => {}
            () = self.stop.cancelled() => {
                jobs.close();
                jobs.recv_many(&mut batch, self.max_batch).await;
            }
        }
        self.turns.fetch_add(1, Ordering::Relaxed);
        (!batch.is_empty()).then_some(batch)
    }

    /// Waits until help is wanted, and takes what the first writer has left; `None` once the queue is closed.
    pub(super) async fn take_as_helper(&self) -> Option<Vec<J>> {
        let mut seen = self.turns.load(Ordering::Relaxed);
        loop {
            let is_called = tokio::select! {
                () = self.help.notified() => true,
                () = tokio::time::sleep(PATIENCE) => false,
                () = self.stop.cancelled() => return None,
            };
            let now = self.turns.load(Ordering::Relaxed);
            let is_stuck = self.is_first_at_work() && now == seen;
            seen = now;
            if !is_called && !is_stuck {
                continue;
            }
            // Whoever holds it takes what is there.
            let Ok(mut jobs) = self.jobs.try_lock() else {
                continue;
            };
            let mut batch = Vec::new();
            while batch.len() < self.max_batch
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
            if !batch.is_empty() {
                return Some(batch);
            }
        }
    }

    fn is_first_at_work(&self) -> bool {
        self.turns.load(Ordering::Relaxed) % 2 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far longer than anything here takes.
    const BOUND: Duration = Duration::from_secs(10);

    async fn in_time<T>(what: impl Future<Output = T>) -> T {
        tokio::time::timeout(BOUND, what)
            .await
            .expect("it happens in time")
    }

    #[tokio::test]
    async fn the_first_writer_takes_all_that_waits_up_to_the_limit() {
        let (entrance, exit) = queue(10, 3, CancellationToken::new());
        for job in 1..=4 {
            entrance.put(job).unwrap();
        }
        assert_eq!(in_time(exit.take_first()).await, Some(vec![1, 2, 3]));
        assert_eq!(in_time(exit.take_first()).await, Some(vec![4]));
    }

    #[tokio::test]
    async fn a_helper_takes_what_waits_while_the_first_writer_is_stuck() {
        let (entrance, exit) = queue(10, 3, CancellationToken::new());
        entrance.put(1).unwrap();
        assert_eq!(in_time(exit.take_first()).await, Some(vec![1]));
        entrance.put(2).unwrap();
        assert_eq!(in_time(exit.take_as_helper()).await, Some(vec![2]));
    }

    #[tokio::test]
    async fn a_helper_is_called_when_more_waits_than_a_batch_takes() {
        let (entrance, exit) = queue(10, 1, CancellationToken::new());
        entrance.put(1).unwrap();
        entrance.put(2).unwrap();
        // The first writer is at nothing, and so not stuck: only a call brings the helper.
        assert_eq!(in_time(exit.take_as_helper()).await, Some(vec![1]));
    }

    #[tokio::test]
    async fn a_helper_leaves_to_an_idle_first_writer_what_comes() {
        let (entrance, exit) = queue(10, 3, CancellationToken::new());
        let first = exit.take_first();
        let helper = exit.take_as_helper();
        tokio::pin!(first, helper);
        // Both wait before anything comes.
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut helper).is_pending());
        entrance.put(1).unwrap();
        tokio::select! {
            biased;
            _ = &mut helper => panic!("the helper took it"),
            batch = &mut first => assert_eq!(batch, Some(vec![1])),
        }
    }

    #[tokio::test]
    async fn what_waits_is_taken_before_the_queue_ends() {
        let stop = CancellationToken::new();
        let (entrance, exit) = queue(10, 3, stop.clone());
        entrance.put(1).unwrap();
        stop.cancel();
        assert_eq!(in_time(exit.take_first()).await, Some(vec![1]));
        assert_eq!(in_time(exit.take_first()).await, None);
        assert_eq!(in_time(exit.take_as_helper()).await, None);
        assert_eq!(entrance.put(2), Err(Rejected::Closed));
    }

    #[test]
    fn a_full_queue_takes_no_more() {
        let (entrance, _exit) = queue(1, 1, CancellationToken::new());
        entrance.put(1).unwrap();
        assert_eq!(entrance.put(2), Err(Rejected::Full));
        assert_eq!(entrance.waiting(), 1);
    }
}
