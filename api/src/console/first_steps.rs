//! The card of first steps that a demonstration shows beside the list, until somebody closes it in their browser.

use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::Response;

use super::session::{self, Posted, Session};
use super::{go, place};
use crate::app::App;

/// What a browser keeps in which the card was closed.
const COOKIE: &str = "docket_first_steps";
/// For how long it keeps that.
const MAX_AGE_SECONDS: i64 = 365 * 24 * 60 * 60;

/// Where the simulated phone is, where the card is to be shown.
pub(super) fn card(app: &App, headers: &HeaderMap) -> Option<String> {
    let phone = app.vonage.phone.get()?;
    session::cookie(headers, COOKIE)
        .is_none()
        .then(|| phone.clone())
}

/// Closes the card in this browser.
pub(super) async fn close(_: Session, _: Posted) -> Response {
    let mut answer = go(&place::Place::default().first_page());
    let cookie = session::set_cookie(COOKIE, "closed", MAX_AGE_SECONDS);
    answer.headers_mut().append(SET_COOKIE, cookie);
    answer
}
