//! Views of the list that people keep: a name for a view with its filters, for oneself or for everybody.

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use docket_domain::personal::Personal;
use docket_domain::text::normalise;
use docket_projections::saved_views::{self, MAX_VIEWS, SavedView};

use super::list::Unkept;
use super::place::Place;
use super::session::{Posted, Session};
use super::{Console, Failed, failure, go, inbox, words};

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 40;

/// A kept view, as the list offers it.
pub(super) struct SavedEntry {
    pub(super) name: String,
    pub(super) href: String,
    pub(super) is_current: bool,
    pub(super) shared: bool,
    /// Where it is forgotten; nothing for who may not.
    pub(super) remove: Option<String>,
}

impl SavedEntry {
    /// A view as the list of somebody offers it.
    pub(super) fn of(view: &SavedView, session: &Session, place: &Place) -> Self {
        let href = format!("/?{}", view.query.0);
        let may_remove = view.user_id == session.user_id || view.shared && session.may_set_up();
        Self {
            is_current: href == place.first_page(),
            href,
            shared: view.shared,
            remove: may_remove.then(|| format!("/views/{}/remove", view.view_id)),
            name: view.name.clone(),
        }
    }
}

/// Keeps the view that the form names.
pub(super) async fn keep(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    // The address is read and written again, so that nothing but a list is kept.
    let address: Option<Uri> = format!("/?{}", posted.field("query")).parse().ok();
    let place = address.and_then(|address| Query::<Place>::try_from_uri(&address).ok());
    let Some(Query(place)) = place else {
        let sentence = words::ADDRESS_UNREADABLE.to_owned();
        return Ok(failure(StatusCode::UNPROCESSABLE_ENTITY, sentence));
    };
    let name = normalise::typed(&posted.field("name").replace('\0', "")).into_owned();
    let shared = posted.field("shared") == "yes";
    let refuse = async |name: String, refusal: String| {
        let unkept = Unkept {
            name,
            shared,
            refusal,
        };
        inbox::refused(&app, &session, &place, unkept).await
    };
    let length = name.chars().count();
    if name.is_empty() || length > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return refuse(name, words::saved_name(MAX_NAME_CHARS)).await;
    }
    let href = place.first_page();
    let view = SavedView {
        view_id: (app.new_id)(),
        user_id: session.user_id,
        name,
        query: Personal(place.query()),
        shared,
    };
    if !saved_views::keep(&app.pool, &view, (app.clock)()).await? {
        return refuse(view.name, words::saved_too_many(MAX_VIEWS)).await;
    }
    Ok(go(&href))
}

/// Forgets a view.
pub(super) async fn remove(
    State(Console { app, .. }): State<Console>,
    Path(view_id): Path<String>,
    session: Session,
    _: Posted,
) -> Result<Response, Failed> {
    let forgotten = match view_id.parse() {
        Ok(view_id) => {
            let any_shared = session.may_set_up();
            saved_views::forget(&app.pool, view_id, session.user_id, any_shared).await?
        }
        Err(_) => false,
    };
    Ok(if forgotten {
        go("/")
    } else {
        failure(StatusCode::NOT_FOUND, words::NO_SUCH_VIEW.to_owned())
    })
}
