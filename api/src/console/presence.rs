//! Who else has a case open: as long as its page listens for changes, a person is there. Auditors are told of others, and nobody of them.
//!
//! Pages of this process tell each other at once; those of other processes are found when a page says again that it is there.

use std::time::Duration;

use chrono::TimeDelta;
use docket_domain::ids::{Reference, UserId};
use docket_projections::presence::{self, OpenPage};
use docket_projections::{DatabaseError, PgPool};
use tokio::sync::broadcast::{self, error::RecvError};
use tracing::warn;

use super::words;
use crate::app::App;

/// How often an open page says that it is there, and asks who else is.
pub(super) const RENEW: Duration = Duration::from_secs(5);
/// A page that has not said so for this long is gone, in seconds: long enough for two tries to be lost.
const LEASE_SECONDS: i64 = 20;

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
    /// Says that a page is open, until what is given is dropped; nothing is said of one that is not `shown` to others.
    pub(super) async fn enter(
        &self,
        app: &App,
        user_id: UserId,
        reference: Reference,
        is_shown: bool,
    ) -> Here {
        let mut here = Here {
            page: OpenPage {
                page_id: (app.new_id)(),
                user_id,
                reference,
            },
            changes: self.0.subscribe(),
            presence: self.clone(),
            app: app.clone(),
            is_shown,
            is_known: false,
            told: String::new(),
        };
        here.renew().await;
        here
    }

    fn say(&self, reference: Reference) {
        // Nobody has to listen.
        let _ = self.0.send(reference);
    }
}

/// Waits until somebody came to that case or left it. Pages of other cases are left alone: each would ask the database.
async fn changed(changes: &mut broadcast::Receiver<Reference>, reference: Reference) {
    loop {
        match changes.recv().await {
            Ok(other) if other != reference => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            // An open page has a sender itself, so that this cannot be.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// An open page.
pub(super) struct Here {
    page: OpenPage,
    changes: broadcast::Receiver<Reference>,
    presence: Presence,
    app: App,
    /// Whether others are told of it.
    is_shown: bool,
    /// Whether it was said already that it is open.
    is_known: bool,
    /// What the page was told last.
    told: String,
}

impl Here {
    /// Waits until somebody of this process came or went.
    pub(super) async fn changed(&mut self) {
        changed(&mut self.changes, self.page.reference).await;
    }

    /// Says (again) that the page is open.
    pub(super) async fn renew(&mut self) {
        if !self.is_shown {
            return;
        }
        let now = (self.app.clock)();
        let expires_at = now + TimeDelta::seconds(LEASE_SECONDS);
        match presence::renew(&self.app.pool, self.page, now, expires_at).await {
            Ok(()) if !self.is_known => {
                self.is_known = true;
                self.presence.say(self.page.reference);
            }
            Ok(()) => {}
            Err(error) => warn!(%error, "others are not told who has a case open"),
        }
    }

    /// Who else is there, as a sentence, where that is another than the one before.
    pub(super) async fn news(&mut self) -> Option<String> {
        let OpenPage {
            user_id, reference, ..
        } = self.page;
        match others(&self.app, user_id, reference).await {
            Ok(sentence) if sentence != self.told => {
                self.told.clone_from(&sentence);
                Some(sentence)
            }
            Ok(_) => None,
            Err(error) => {
                warn!(%error, "it is not known who else has a case open");
                None
            }
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        if !self.is_known {
            return;
        }
        // Where there is no runtime any more, its time runs out by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let leaving = leave(self.app.pool.clone(), self.page, self.presence.clone());
            runtime.spawn(leaving);
        }
    }
}

async fn leave(pool: PgPool, page: OpenPage, presence: Presence) {
    match docket_projections::presence::leave(&pool, page.page_id).await {
        Ok(()) => presence.say(page.reference),
        Err(error) => warn!(%error, "others are not told who has left a case"),
    }
}

/// Who has the case open beside that person, as a sentence; empty where nobody has.
pub(super) async fn others(
    app: &App,
    user_id: UserId,
    reference: Reference,
) -> Result<String, DatabaseError> {
    let others = presence::others(&app.pool, user_id, reference, (app.clock)()).await?;
    let others: Vec<String> = others.into_iter().map(|email| email.0).collect();
    Ok(words::presence(&others))
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
        presence.say(other);
        assert_eq!(changed(&mut changes, ours).now_or_never(), None);
        presence.say(other);
        presence.say(ours);
        assert_eq!(changed(&mut changes, ours).now_or_never(), Some(()));
        assert_eq!(changed(&mut changes, ours).now_or_never(), None);
        // What it missed may have been its own.
        for _ in 0..=KEPT {
            presence.say(other);
        }
        assert_eq!(changed(&mut changes, ours).now_or_never(), Some(()));
    }
}
