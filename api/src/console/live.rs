//! `GET /live`: tells the script of open pages what has changed, as server-sent events.
//!
//! An event says which cases changed and nothing of what was said in them; the script fetches the page again. Its id is a position
//! of the log, so that a connection which broke resumes without a gap.

use std::convert::Infallible;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use docket_domain::event::is_about_people;
use docket_projections::log::reader;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::watch;
use tracing::warn;

use super::session::Session;
use super::{Console, Failed};
use crate::app::App;

/// How many events of the log are read at once.
const PAGE: i64 = 200;
/// Tells nginx to pass events on as they come.
const NO_BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct From {
    /// The position that the page shows.
    after: String,
}

/// What changes from now on.
pub(super) async fn follow(
    State(Console { app, .. }): State<Console>,
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
    let follower = Follower {
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

struct Follower {
    app: App,
    session: Session,
    /// The position up to which everything was told.
    after: i64,
    head: watch::Receiver<i64>,
}

impl Follower {
    /// What changed, once something has; `None` at the end, after which the browser comes back or is told why not.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let stopping = self.app.stopping.clone();
            let after = self.after;
            tokio::select! {
                biased;
                () = stopping.cancelled() => return None,
                grown = self.head.wait_for(|head| *head > after) => {
                    grown.ok()?;
                }
            }
            if !self.session.still_counts(&self.app).await {
                return None;
            }
            let events = match reader::page(&self.app.pool, self.after, PAGE).await {
                Ok(events) => events,
                Err(error) => {
                    warn!(%error, "a live page is left, because the log cannot be read");
                    return None;
                }
            };
            self.after = events.last()?.position;
            // That a colleague looks at a case changes no page.
            if events
                .iter()
                .all(|event| is_about_people(&event.aggregate_type))
            {
                continue;
            }
            let mut cases: Vec<u32> = events
                .iter()
                .filter(|event| event.aggregate_type == "Case")
                .filter_map(|event| event.aggregate_id.parse().ok())
                .collect();
            cases.sort_unstable();
            cases.dedup();
            let event = Event::default().id(self.after.to_string());
            return event.json_data(cases).ok();
        }
    }
}
