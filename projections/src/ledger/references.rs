//! References drawn in advance.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use docket_domain::ids::Reference;

/// References that are drawn from the sequence and not used yet. The writers share them, so that of two cases the later one has the
/// higher number, unless they come at the same time.
#[derive(Clone, Default)]
pub(super) struct References(Arc<Mutex<Unused>>);

#[derive(Default)]
struct Unused {
    all: BTreeSet<Reference>,
    /// The highest that a case has got; lower ones are not given any more.
    highest_used: Option<Reference>,
}

impl References {
    fn unused(&self) -> MutexGuard<'_, Unused> {
        // A panic in between leaves a set of references all the same.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The smallest, so many as there are up to `count`.
    pub(super) fn take(&self, count: usize) -> Vec<Reference> {
        let mut unused = self.unused();
        std::iter::from_fn(|| unused.all.pop_first())
            .take(count)
            .collect()
    }

    /// Takes back what was `left` of those that were `taken`.
    pub(super) fn give_back(&self, taken: &[Reference], left: Vec<Reference>) {
        let mut unused = self.unused();
        let used = taken.iter().filter(|taken| !left.contains(taken)).max();
        unused.highest_used = unused.highest_used.max(used.copied());
        unused.all.extend(left);
        let highest_used = unused.highest_used;
        unused
            .all
            .retain(|reference| Some(*reference) > highest_used);
    }

    pub(super) fn clear(&self) {
        self.unused().all.clear();
    }
}
