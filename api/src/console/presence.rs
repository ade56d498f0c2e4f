//! Who else has a case open: as long as its page listens for changes, a person is there. Auditors are told of others, and nobody of them.
//!
//! Pages of this process tell each other at once; those of other processes are found when a page says again that it is there.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use docket_domain::ids::{Reference, UserId};
use docket_domain::personal::Personal;
use docket_projections::presence::{self, OpenPage};
use docket_projections::writing;
use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tracing::warn;

use super::words;
use crate::app::App;

/// How often an open page says that it is there, and asks who else is.
pub(super) const RENEW: Duration = Duration::from_secs(5);
/// A page that has not said so for this long is gone, in seconds: long enough for two tries to be lost.
const LEASE_SECONDS: i64 = 20;
/// A page that went is there for so long still.
const LINGER: Duration = Duration::from_secs(2);

/// So many comings and goings are kept for a page that is busy; one that missed some asks in any case.
const KEPT: usize = 64;

/// Tells the pages of this process at which case somebody came or went.
#[derive(Clone)]
pub(super) struct Presence(broadcast::Sender<Reference>);

impl Default for Presence {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }
}

impl Presence {
    /// Says that pages are open, until what is given is dropped; nothing is said of them where they are not `shown` to others.
    pub(super) async fn enter(
        &self,
        app: &App,
        user_id: UserId,
        cases: Vec<Reference>,
        is_shown: bool,
    ) -> Here {
        let pages = cases.into_iter().map(|reference| OpenPage {
            page_id: (app.new_id)(),
            user_id,
            reference,
        });
        let mut here = Here {
            user_id,
            pages: pages.collect(),
            changes: self.0.subscribe(),
            presence: self.clone(),
            app: app.clone(),
            is_shown,
            is_known: false,
            told: BTreeMap::new(),
        };
        here.renew().await;
        here
    }

    /// Tells the pages of this process that there is news of who is at that case.
    pub(super) fn tell(&self, reference: Reference) {
        // Nobody has to listen.
        let _ = self.0.send(reference);
    }

    fn say(&self, pages: &[OpenPage]) {
        for page in pages {
            self.tell(page.reference);
        }
    }
}

/// Waits until somebody came to one of those cases or left it. Pages of other cases are left alone: each would ask the database.
async fn changed(changes: &mut broadcast::Receiver<Reference>, cases: &[Reference]) {
    loop {
        match changes.recv().await {
            Ok(other) if !cases.contains(&other) => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            // An open page has a sender itself, so that this cannot be.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// The open pages of a browser.
pub(super) struct Here {
    user_id: UserId,
    pages: Vec<OpenPage>,
    changes: broadcast::Receiver<Reference>,
    presence: Presence,
    app: App,
    /// Whether others are told of them.
    is_shown: bool,
    /// Whether it was said already that they are open.
    is_known: bool,
    /// What each page was told last.
    told: BTreeMap<Reference, String>,
}

/// Who is there beside a person.
#[derive(Serialize)]
pub(super) struct Others {
    case: u32,
    sentence: String,
}

impl Here {
    fn cases(&self) -> Vec<Reference> {
        self.pages.iter().map(|page| page.reference).collect()
    }

    /// Waits until somebody of this process came or went.
    pub(super) async fn changed(&mut self) {
        let cases = self.cases();
        changed(&mut self.changes, &cases).await;
    }

    /// Says (again) that the pages are open.
    pub(super) async fn renew(&mut self) {
        if !self.is_shown || self.pages.is_empty() {
            return;
        }
        let now = (self.app.clock)();
        let expires_at = now + TimeDelta::seconds(LEASE_SECONDS);
        match presence::renew(&self.app.pool, &self.pages, now, expires_at).await {
            Ok(()) if !self.is_known => {
                self.is_known = true;
                self.presence.say(&self.pages);
            }
            Ok(()) => {}
            Err(error) => warn!(%error, "others are not told who has a case open"),
        }
    }

    /// Who else is there, where that is another than the one before.
    pub(super) async fn news(&mut self) -> Vec<Others> {
        let cases = self.cases();
        if cases.is_empty() {
            return vec![];
        }
        let now = (self.app.clock)();
        let pool = &self.app.pool;
        let found = tokio::try_join!(
            presence::others(pool, self.user_id, &cases, now),
            writing::others(pool, self.user_id, &cases, now),
        );
        let (mut others, mut writers) = match found {
            Ok(found) => found,
            Err(error) => {
                warn!(%error, "it is not known who else has a case open");
                return vec![];
            }
        };
        let mut news = vec![];
        for case in cases {
            let writers = writers.remove(&case).unwrap_or_default();
            let sentence = sentence(&others.remove(&case).unwrap_or_default(), &writers);
            let told = self.told.entry(case).or_default();
            if *told != sentence {
                told.clone_from(&sentence);
                news.push(Others {
                    case: case.get(),
                    sentence,
                });
            }
        }
        news
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        if !self.is_known {
            return;
        }
        // Where there is no runtime any more, its time runs out by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let pages = std::mem::take(&mut self.pages);
            runtime.spawn(leave(self.app.clone(), pages, self.presence.clone()));
        }
    }
}

/// A browser that opens another page connects anew: it was not away.
async fn leave(app: App, pages: Vec<OpenPage>, presence: Presence) {
    let pause = tokio::time::sleep(LINGER);
    app.stopping.run_until_cancelled(pause).await;
    match docket_projections::presence::leave(&app.pool, &pages).await {
        Ok(()) => presence.say(&pages),
        Err(error) => warn!(%error, "others are not told who has left a case"),
    }
}

/// Who is there and who writes, as a sentence; empty where nobody is.
pub(super) fn sentence(others: &[Personal<String>], writers: &[Personal<String>]) -> String {
    let is_writing = |name: &&Personal<String>| writers.contains(*name);
    let here: Vec<String> = others
        .iter()
        .filter(|name| !is_writing(name))
        .map(|name| name.0.clone())
        .collect();
    let writers: Vec<String> = writers.iter().map(|name| name.0.clone()).collect();
    [words::writing(&writers), words::presence(&here)]
        .into_iter()
        .filter(|sentence| !sentence.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_page_is_woken_for_its_own_case_alone() {
        let [ours, other] = [101, 102].map(|number| Reference::new(number).unwrap());
        let presence = Presence::default();
        let mut changes = presence.0.subscribe();
        presence.0.send(other).unwrap();
        assert_eq!(changed(&mut changes, &[ours]).now_or_never(), None);
        presence.0.send(other).unwrap();
        presence.0.send(ours).unwrap();
        assert_eq!(changed(&mut changes, &[ours]).now_or_never(), Some(()));
        assert_eq!(changed(&mut changes, &[ours]).now_or_never(), None);
        // What it missed may have been its own.
        for _ in 0..=KEPT {
            presence.0.send(other).unwrap();
        }
        assert_eq!(changed(&mut changes, &[ours]).now_or_never(), Some(()));
    }
}
