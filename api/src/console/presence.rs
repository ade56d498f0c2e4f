//! Who else has a case open: as long as its page listens for changes, a person is there.
//!
//! Pages of this process tell each other at once; those of other processes are found when a page says again that it is there.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use docket_domain::ids::{Reference, UserId};
use docket_projections::presence::{self, OpenPage};
use docket_projections::{DatabaseError, PgPool};
use tokio::sync::watch;
use tracing::warn;
use uuid::Uuid;

use super::words;
use crate::app::App;

/// How often an open page says that it is there, and asks who else is.
pub(super) const RENEW: Duration = Duration::from_secs(5);
/// A page that has not said so for this long is gone, in seconds: long enough for two tries to be lost.
const LEASE_SECONDS: i64 = 20;

/// Tells the pages of this process that somebody came or went.
#[derive(Clone)]
pub(super) struct Presence(Arc<watch::Sender<()>>);

impl Default for Presence {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl Presence {
    /// Says that a page is open, until what is given is dropped.
    pub(super) async fn enter(&self, app: &App, user_id: UserId, reference: Reference) -> Here {
        let mut here = Here {
            page: OpenPage {
                page_id: (app.new_id)(),
                user_id,
                reference,
            },
            changes: self.0.subscribe(),
            presence: self.clone(),
            app: app.clone(),
            is_known: false,
            told: String::new(),
        };
        here.renew().await;
        here
    }

    fn say(&self) {
        self.0.send_replace(());
    }
}

/// An open page.
pub(super) struct Here {
    page: OpenPage,
    changes: watch::Receiver<()>,
    presence: Presence,
    app: App,
    /// Whether it was said already that it is open.
    is_known: bool,
    /// What the page was told last.
    told: String,
}

impl Here {
    /// Waits until somebody of this process came or went.
    pub(super) async fn changed(&mut self) {
        // It cannot be closed while the console is there.
        let _ = self.changes.changed().await;
    }

    /// Says (again) that the page is open.
    pub(super) async fn renew(&mut self) {
        let now = (self.app.clock)();
        let expires_at = now + TimeDelta::seconds(LEASE_SECONDS);
        match presence::renew(&self.app.pool, self.page, now, expires_at).await {
            Ok(()) if !self.is_known => {
                self.is_known = true;
                self.presence.say();
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
            let leaving = leave(
                self.app.pool.clone(),
                self.page.page_id,
                self.presence.clone(),
            );
            runtime.spawn(leaving);
        }
    }
}

async fn leave(pool: PgPool, page_id: Uuid, presence: Presence) {
    match docket_projections::presence::leave(&pool, page_id).await {
        Ok(()) => presence.say(),
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
