//! A lane: how many passwords are hashed at once, and whose turn is next.
//!
//! A lane has few turns and a short queue. Both are shared fairly between origins, such as client
//! addresses: turns go round the origins that wait, and a full queue makes room for an origin that
//! has fewer waiting by turning away the newest of the one that has most. So one address that sends
//! thousands keeps others waiting for one round at most.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::PasswordError;

/// Hashes some at once while a few wait, and turns others away at once.
#[derive(Clone)]
pub struct Lane(Arc<Shared>);

struct Shared {
    /// Each takes some 20 MB and a core, and must leave the service some of both.
    at_once: usize,
    /// So many wait at most.
    waiting: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    /// Who waits, by origin; the first origin is next. No queue is empty.
    origins: VecDeque<(String, VecDeque<oneshot::Sender<Turn>>)>,
}

impl State {
    /// Forgets those whose request has ended.
    fn prune(&mut self) {
        for (_, queue) in &mut self.origins {
            queue.retain(|waiter| !waiter.is_closed());
        }
        self.origins.retain(|(_, queue)| !queue.is_empty());
    }

    fn waiting(&self) -> usize {
        self.origins.iter().map(|(_, queue)| queue.len()).sum()
    }

    /// Adds a waiter of that origin; `None` where `most` wait already and the origin has its share.
    fn add(&mut self, origin: &str, most: usize) -> Option<oneshot::Receiver<Turn>> {
        self.prune();
        let own = self.origins.iter().position(|(other, _)| other == origin);
        if self.waiting() >= most {
            let own_len = own.map_or(0, |at| self.origins[at].1.len());
            let (_, longest) = self
                .origins
                .iter_mut()
                .max_by_key(|(_, queue)| queue.len())?;
            if longest.len() <= own_len + 1 {
                return None;
            }
            longest.pop_back();
        }
        let (sender, receiver) = oneshot::channel();
        match own {
            Some(at) => self.origins[at].1.push_back(sender),
            None => self
                .origins
                .push_back((origin.to_owned(), VecDeque::from([sender]))),
        }
        Some(receiver)
    }

    /// The next waiter; its origin goes behind the others.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let (origin, mut queue) = self.origins.pop_front()?;
        let waiter = queue.pop_front();
        if !queue.is_empty() {
            self.origins.push_back((origin, queue));
        }
        waiter
    }
}

impl Lane {
    /// A lane in which so many are hashed at once, and so many wait.
    #[must_use]
    pub fn new(at_once: usize, waiting: usize) -> Self {
        Self(Arc::new(Shared {
            at_once,
            waiting,
            state: Mutex::default(),
        }))
    }

    /// Waits for a turn, among the others of that origin.
    ///
    /// # Errors
    ///
    /// [`PasswordError::Busy`] where too many wait.
    pub async fn turn(&self, origin: &str) -> Result<Turn, PasswordError> {
        let receiver = {
            let mut state = self.0.lock();
            if state.running < self.0.at_once {
                state.running += 1;
                return Ok(Turn(Some(Arc::clone(&self.0))));
            }
            state.add(origin, self.0.waiting)
        };
        let receiver = receiver.ok_or(PasswordError::Busy)?;
        // Who is turned away later, for another origin's sake, loses the sender.
        receiver.await.map_err(|_| PasswordError::Busy)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in between panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a turn that has ended to the next who still waits.
    fn hand_on(self: Arc<Self>) {
        let mut state = self.lock();
        while let Some(waiter) = state.next() {
            let Err(mut refused) = waiter.send(Turn(Some(Arc::clone(&self)))) else {
                return;
            };
            // Ended by nobody: this one goes to the next.
            refused.0 = None;
        }
        state.running -= 1;
    }
}

/// While it lives, a password may be hashed.
#[must_use]
pub struct Turn(Option<Arc<Shared>>);

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.hand_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::Poll;

    use futures_util::poll;

    use super::*;

    type Waiting = Pin<Box<dyn Future<Output = Result<Turn, PasswordError>>>>;

    /// Somebody of that origin, who waits.
    async fn waits(lane: &Lane, origin: &'static str) -> Waiting {
        let lane = lane.clone();
        let mut turn: Waiting = Box::pin(async move { lane.turn(origin).await });
        assert!(poll!(turn.as_mut()).is_pending(), "{origin} does not wait");
        turn
    }

    async fn is_busy(turn: &mut Waiting) -> bool {
        matches!(poll!(turn.as_mut()), Poll::Ready(Err(PasswordError::Busy)))
    }

    async fn is_next(turn: &mut Waiting) -> Option<Turn> {
        match poll!(turn.as_mut()) {
            Poll::Ready(turn) => Some(turn.unwrap()),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn a_lane_turns_away_at_once_who_would_wait_for_long() {
        let lane = Lane::new(1, 2);
        let first = lane.turn("a").await.unwrap();
        let (mut second, third) = (waits(&lane, "a").await, waits(&lane, "a").await);
        assert_eq!(lane.turn("a").await.err(), Some(PasswordError::Busy));
        drop(first);
        let second = is_next(&mut second).await.unwrap();
        drop((second, third));
        assert!(lane.turn("a").await.is_ok());
    }

    #[tokio::test]
    async fn turns_go_round_the_origins() {
        let lane = Lane::new(1, 16);
        let first = lane.turn("many").await.unwrap();
        let mut many = vec![];
        for _ in 0..10 {
            many.push(waits(&lane, "many").await);
        }
        let mut one = waits(&lane, "one").await;
        drop(first);
        let turn = is_next(&mut many[0]).await.unwrap();
        assert!(is_next(&mut one).await.is_none());
        drop(turn);
        // The nine others of the first origin came before.
        assert!(is_next(&mut many[1]).await.is_none());
        drop(is_next(&mut one).await.unwrap());
        assert!(is_next(&mut many[1]).await.is_some());
    }

    #[tokio::test]
    async fn a_full_queue_makes_room_for_who_has_fewer_in_it() {
        let lane = Lane::new(1, 4);
        let first = lane.turn("many").await.unwrap();
        let mut many = vec![];
        for _ in 0..4 {
            many.push(waits(&lane, "many").await);
        }
        assert!(lane.turn("many").await.is_err());
        let mut one = waits(&lane, "one").await;
        // The newest of the others made room.
        assert!(is_busy(&mut many[3]).await);
        let _other = waits(&lane, "other").await;
        assert!(is_busy(&mut many[2]).await);
        // Nobody has more than one more than they: they have their share.
        assert!(lane.turn("one").await.is_err());
        drop(first);
        drop(is_next(&mut many[0]).await.unwrap());
        assert!(is_next(&mut one).await.is_some());
    }

    #[tokio::test]
    async fn a_turn_of_somebody_who_has_gone_is_not_lost() {
        let lane = Lane::new(2, 4);
        let (first, second) = (lane.turn("a").await.unwrap(), lane.turn("a").await.unwrap());
        let (gone, mut stays) = (waits(&lane, "a").await, waits(&lane, "b").await);
        drop(gone);
        drop(first);
        let third = is_next(&mut stays).await.unwrap();
        // One that goes when it was handed the turn, and has not taken it.
        let gone = waits(&lane, "a").await;
        drop(second);
        drop(gone);
        let fourth = lane.turn("c").await.unwrap();
        let mut fifth = waits(&lane, "c").await;
        drop((third, fourth));
        assert!(is_next(&mut fifth).await.is_some());
    }
}
