//! `GET /live`: tells the script of open pages what has changed, as server-sent events.
//!
//! One page of a browser listens for all of them. An event says of each case that changed how far it has come and whether its row in
//! lists is another, and nothing of what was said; a page then fetches the part that it shows ([`super::changes`]). Its id is a
//! position of the log, so that a connection which broke resumes without a gap. Events named `presence` say who else has a case open
//! that the browser shows; they have no id, since they are not of the log. An event named `gone` says that the log does not go as far
//! as the page says, and ends the stream: the page is to be loaded anew.

mod feed;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use docket_domain::ids::Reference;
use docket_projections::log::reader;
use docket_projections::read::mentions;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use tracing::warn;

pub(super) use self::feed::Feed;
use self::feed::{Batch, What};
use super::case::reference_of;
use super::presence::{Here, RENEW};
use super::session::Session;
use super::{Console, Failed, words};
use crate::app::App;
use crate::http::request_id::is_head;
use crate::reach;

/// Changes that come closer to one another than this are told at once.
const TOGETHER: Duration = Duration::from_millis(200);
/// A browser says of so many cases at most that it has them open.
const MAX_OPEN: usize = 20;
/// Tells nginx to pass events on as they come.
const NO_BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct From {
    /// The position that the page shows.
    after: String,
    /// The cases that the browser's pages show, with commas between them.
    case: String,
}

/// What changes from now on.
pub(super) async fn follow(
    State(Console {
        app,
        presence,
        feed,
        ..
    }): State<Console>,
    Query(from): Query<From>,
    session: Session,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let position = |text: &str| text.trim().parse().ok().filter(|position| *position >= 0);
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| position(id.to_str().ok()?));
    let head = reader::head(&app.pool).await?;
    let after = resumed.or_else(|| position(&from.after)).unwrap_or(head);
    // The log does not go so far: it was restored from a backup that is older than the page, which then shows what is not there.
    if after > head {
        let gone = Event::default().event("gone").data(after.to_string());
        let once = stream::once(std::future::ready(Ok::<_, Infallible>(gone)));
        return Ok(([NO_BUFFERING], Sse::new(once)).into_response());
    }
    let open: Vec<Reference> = from.case.split(',').filter_map(reference_of).collect();
    let open = open.into_iter().take(MAX_OPEN).collect();
    // Who looks at a case out of reach is nobody's business.
    let open = reach::visible(&app.pool, &session.access, open).await?;
    // An auditor looks and cannot act, so that nobody has to know. Neither is there who only asks for the headers.
    let is_shown = session.may_act() && !is_head();
    let here = presence.enter(&app, session.user_id, open, is_shown).await;
    let mut renewals = interval(RENEW);
    renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let follower = Follower {
        here,
        renewals,
        head: app.ledger.head().subscribe(),
        app,
        session,
        feed,
        after,
        told_at: None,
        waiting: vec![],
    };
    let changes = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let sse = Sse::new(changes).keep_alive(KeepAlive::default());
    Ok(([NO_BUFFERING], sse).into_response())
}

struct Follower {
    app: App,
    session: Session,
    feed: Feed,
    /// The position up to which everything was told.
    after: i64,
    head: watch::Receiver<i64>,
    /// The cases that the browser shows.
    here: Here,
    renewals: Interval,
    told_at: Option<Instant>,
    /// What is to be told next.
    waiting: Vec<Event>,
}

/// What has happened since, as the script reads it.
#[derive(Serialize)]
struct Changes {
    /// The cases that changed, of those that are reached.
    cases: Vec<CaseChange>,
    /// Whether surveys, lines or people are others than before.
    settings: bool,
}

/// What a browser tells on the desktop.
#[derive(Serialize)]
struct Notice {
    case: u32,
    sentence: String,
    sound: bool,
}

#[derive(Serialize)]
struct CaseChange {
    case: u32,
    /// The sequence of its last event.
    at: i64,
    /// Whether lists show something else of it.
    row: bool,
}

/// What a follower waits for.
enum Woken {
    /// The log has grown.
    Grown,
    /// Somebody came or went.
    Presence,
    /// It is time to say again that the pages are open.
    Renewal,
    /// There is nothing more to be told.
    End,
}

impl Follower {
    /// What changed, once something has; `None` at the end, after which the browser comes back or is told why not.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop() {
                return Some(event);
            }
            match self.woken().await {
                Woken::End => return None,
                Woken::Grown => {
                    let changes = self.changes().await?;
                    // Whoever reaches none of the cases learns nothing, not even that something happened.
                    if changes.cases.is_empty() && !changes.settings {
                        continue;
                    }
                    self.told_at = Some(Instant::now());
                    let event = Event::default().id(self.after.to_string());
                    return event.json_data(changes).ok();
                }
                Woken::Renewal => {
                    // Who has signed out is not there, and their pages are told so by the end of this.
                    if !self.session.still_counts(&self.app).await {
                        return None;
                    }
                    self.here.renew().await;
                    self.who_is_there().await;
                }
                Woken::Presence => self.who_is_there().await,
            }
        }
    }

    /// What the person wants to be told of on their desktop, of what happened behind `after` up to `to`.
    async fn notify(&mut self, after: i64, to: i64) {
        let notify = self.session.preferences.notify;
        if !(notify.assignment || notify.mention || notify.message) {
            return;
        }
        let user_id = self.session.user_id;
        let news = match mentions::news(&self.app.pool, user_id, after, to).await {
            Ok(news) => news,
            Err(error) => {
                warn!(%error, "somebody is not notified, because the log cannot be read");
                return;
            }
        };
        for (case, survey_id, event_type) in news {
            let is_wanted = match event_type.as_str() {
                "AssigneeChanged" => notify.assignment,
                "PeopleMentioned" => notify.mention,
                _ => notify.message,
            };
            if !is_wanted || !self.session.access.reaches(survey_id) {
                continue;
            }
            let notice = Notice {
                case: case.get(),
                sentence: words::notification(&event_type, case.get()),
                sound: notify.sound,
            };
            let event = Event::default().event("notice").json_data(notice);
            self.waiting.extend(event.ok());
        }
    }

    async fn who_is_there(&mut self) {
        for others in self.here.news().await {
            let event = Event::default().event("presence").json_data(others);
            self.waiting.extend(event.ok());
        }
    }

    async fn woken(&mut self) -> Woken {
        let after = self.after;
        let pause = self.told_at.map(|told_at| told_at + TOGETHER);
        let head = &mut self.head;
        let grown = async move {
            let grown = head.wait_for(|head| *head > after).await.is_ok();
            if let Some(pause) = pause {
                sleep_until(pause).await;
            }
            grown
        };
        tokio::select! {
            biased;
            () = self.app.stopping.cancelled() => Woken::End,
            () = self.here.changed() => Woken::Presence,
            _ = self.renewals.tick() => Woken::Renewal,
            is_open = grown => if is_open { Woken::Grown } else { Woken::End },
        }
    }

    /// What changed, of that which is reached; `None` where the session has ended, or the log cannot be read.
    async fn changes(&mut self) -> Option<Changes> {
        let Batch { changes, to } = match self.feed.since(&self.app, self.after).await {
            Ok(batch) => batch,
            Err(error) => {
                warn!(%error, "a live page is left, because the log cannot be read");
                return None;
            }
        };
        if to == self.after {
            // The log does not go as far as this process was told.
            return None;
        }
        self.notify(self.after, to).await;
        self.after = to;
        let mut cases: BTreeMap<u32, CaseChange> = BTreeMap::new();
        let (mut settings, mut is_asked) = (false, false);
        for change in changes {
            match change.what {
                What::Case {
                    reference,
                    survey_id,
                    sequence,
                    row,
                } => {
                    let access = &self.session.access;
                    if access.is_all() || survey_id.is_some_and(|id| access.reaches(id)) {
                        let known = cases.entry(reference.get()).or_insert(CaseChange {
                            case: reference.get(),
                            at: sequence,
                            row,
                        });
                        known.at = sequence;
                        known.row |= row;
                    }
                }
                What::Settings => settings |= self.session.access.is_all(),
                What::SignedOut(session_id) if session_id == self.session.id => return None,
                What::User(user_id) => is_asked |= user_id == self.session.user_id.0,
                What::SignedOut(_) | What::Nothing => {}
            }
        }
        if is_asked && !self.session.still_counts(&self.app).await {
            return None;
        }
        Some(Changes {
            cases: cases.into_values().collect(),
            settings,
        })
    }
}
