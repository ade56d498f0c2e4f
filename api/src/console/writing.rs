//! `/cases/{reference}/writing`: an open page says that somebody writes in its box.
//!
//! The script says so every few seconds while keys are pressed; it is over a few seconds after the last word. Nothing of it is in
//! the log, and what is written is not said.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use docket_domain::ids::Reference;
use docket_projections::writing;
use tracing::{debug, warn};

use super::Console;
use super::case::{no_such_case, reference_of};
use super::session::Session;
use crate::app::App;

/// Somebody who has not said so for this long writes no more, in seconds: twice as long as the script waits.
const LEASE_SECONDS: i64 = 8;

/// Notes that somebody writes.
pub(super) async fn say(
    State(Console { app, presence, .. }): State<Console>,
    Path(reference): Path<String>,
    session: Session,
) -> Response {
    let Some(reference) = reference_of(&reference) else {
        return no_such_case();
    };
    let now = (app.clock)();
    let until = now + TimeDelta::seconds(LEASE_SECONDS);
    match writing::say(&app.pool, session.user_id, reference, now, until).await {
        Ok(true) => presence.tell(reference),
        // Whoever is there knows it.
        Ok(false) => {}
        Err(error) => warn!(%error, "others are not told who writes"),
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Notes that somebody has sent what they wrote.
pub(super) async fn stop(app: &App, session: &Session, reference: Reference) {
    if let Err(error) = writing::stop(&app.pool, session.user_id, reference).await {
        // It is over by itself soon.
        debug!(%error, "others are not told that somebody has written");
    }
}
