//! `GET /live`: tells the script of open pages what has changed, as server-sent events.
//!
//! An event says which cases changed and nothing of what was said in them; the script fetches the page again. Its id is a position
//! of the log, so that a connection which broke resumes without a gap. Events named `presence` say who else has the case open that
//! the page shows; they have no id, since they are not of the log. An event named `gone` says that the log does not go as far as the page
//! says, and ends the stream: the page is to be loaded anew.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use docket_domain::event::is_about_people;
use docket_domain::ids::Reference;
use docket_projections::log::reader::{self, ReadError};
use docket_projections::read::cases;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::warn;

use super::case::reference_of;
use super::presence::{Here, RENEW};
use super::session::Session;
use super::{Console, Failed};
use crate::app::App;
use crate::http::request_id::is_head;
use crate::reach;

/// How many events of the log are read at once.
const PAGE: i64 = 200;
/// How often a page without a case is looked at for whether its session still counts.
const ASK_SESSION: Duration = Duration::from_secs(30);
/// Tells nginx to pass events on as they come.
const NO_BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct From {
    /// The position that the page shows.
    after: String,
    /// The case that the page shows, if any.
    case: String,
}

/// What changes from now on.
pub(super) async fn follow(
    State(Console { app, presence, .. }): State<Console>,
    Query(from): Query<From>,
    session: Session,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let position = |text: &str| text.trim().parse().ok().filter(|position| *position >= 0);
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| position(id.to_str().ok()?));
    let after = match resumed.or_else(|| position(&from.after)) {
        Some(after) => after,
        None => reader::head(&app.pool).await?,
    };
    // The log does not go so far: it was restored from a backup that is older than the page, which then shows what is not there.
    if after > reader::head(&app.pool).await? {
        let gone = Event::default().event("gone").data(after.to_string());
        let once = stream::once(std::future::ready(Ok::<_, Infallible>(gone)));
        return Ok(([NO_BUFFERING], Sse::new(once)).into_response());
    }
    let shown = match reference_of(&from.case) {
        // Who looks at a case out of reach is nobody's business.
        Some(reference) if reach::is_visible(&app.pool, &session.access, reference).await? => {
            cases::find(&app.pool, reference).await?
        }
        _ => None,
    };
    let mut renewals = interval(if shown.is_some() { RENEW } else { ASK_SESSION });
    renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let follower = Follower {
        here: match shown {
            Some(case) => {
                // An auditor looks and cannot act, so that nobody has to know. Neither is there who only asks for the headers.
                let is_shown = session.may_act() && !is_head();
                let user_id = session.user_id;
                Some(
                    presence
                        .enter(&app, user_id, case.reference, is_shown)
                        .await,
                )
            }
            None => None,
        },
        renewals,
        head: app.ledger.head().subscribe(),
        app,
        session,
        after,
    };
    let changes = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let sse = Sse::new(changes).keep_alive(KeepAlive::default());
    Ok(([NO_BUFFERING], sse).into_response())
}

/// Waits until somebody came or went; for ever where the page shows no case.
async fn changed(here: Option<&mut Here>) {
    match here {
        Some(here) => here.changed().await,
        None => std::future::pending().await,
    }
}

struct Follower {
    app: App,
    session: Session,
    /// The position up to which everything was told.
    after: i64,
    head: watch::Receiver<i64>,
    /// The case that the page shows.
    here: Option<Here>,
    renewals: Interval,
}

/// What has happened since.
struct Changes {
    /// The cases that changed, of those that are reached.
    cases: Vec<u32>,
    /// Whether a page shows any of it: that somebody looked at a case, for one, no open page does.
    is_seen: bool,
}

/// What a follower waits for.
enum Woken {
    /// The log has grown.
    Grown,
    /// Somebody came or went.
    Presence,
    /// It is time to say again that the page is open.
    Renewal,
    /// There is nothing more to be told.
    End,
}

impl Follower {
    /// What changed, once something has; `None` at the end, after which the browser comes back or is told why not.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let woken = self.woken().await;
            if matches!(woken, Woken::Renewal) {
                // Who has signed out is not there, and their page is told so by the end of this.
                if !self.session.still_counts(&self.app).await {
                    return None;
                }
                if let Some(here) = &mut self.here {
                    here.renew().await;
                }
            }
            match woken {
                Woken::Grown => {
                    let Changes { cases, is_seen } = self.changes().await?;
                    // Whoever reaches none of the cases learns nothing, not even that something happened.
                    if !is_seen || cases.is_empty() && !self.session.access.is_all() {
                        continue;
                    }
                    let event = Event::default().id(self.after.to_string());
                    return event.json_data(cases).ok();
                }
                Woken::End => return None,
                Woken::Presence | Woken::Renewal => {
                    let news = match &mut self.here {
                        Some(here) => here.news().await,
                        None => None,
                    };
                    if let Some(sentence) = news {
                        return Event::default().event("presence").json_data(sentence).ok();
                    }
                }
            }
        }
    }

    async fn woken(&mut self) -> Woken {
        let after = self.after;
        tokio::select! {
            biased;
            () = self.app.stopping.cancelled() => Woken::End,
            grown = self.head.wait_for(|head| *head > after) => match grown {
                Ok(_) => Woken::Grown,
                Err(_) => Woken::End,
            },
            () = changed(self.here.as_mut()) => Woken::Presence,
            _ = self.renewals.tick() => Woken::Renewal,
        }
    }

    /// Which cases changed, of those that are reached.
    async fn changes(&mut self) -> Option<Changes> {
        if !self.session.still_counts(&self.app).await {
            return None;
        }
        match self.read().await {
            Ok(cases) => cases,
            Err(error) => {
                warn!(%error, "a live page is left, because the log cannot be read");
                None
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Changes>, ReadError> {
        let events = reader::page(&self.app.pool, self.after, PAGE).await?;
        let Some(last) = events.last() else {
            return Ok(None);
        };
        let is_seen = events
            .iter()
            .any(|event| !is_about_people(&event.aggregate_type));
        let mut cases: Vec<Reference> = events
            .iter()
            .filter(|event| event.aggregate_type == "Case")
            .filter_map(|event| event.aggregate_id.parse().ok())
            .collect();
        cases.sort_unstable();
        cases.dedup();
        let cases = reach::visible(&self.app.pool, &self.session.access, cases).await?;
        self.after = last.position;
        Ok(Some(Changes {
            cases: cases.into_iter().map(Reference::get).collect(),
            is_seen,
        }))
    }
}
