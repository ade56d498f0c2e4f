//! What the script of an open page fetches when something has changed: the rows of the list, and what became of the case.
//!
//! These are parts of pages, made by the same templates. `/live` says what changed; the page asks for the part that it shows, from the
//! version that it has, so that what it missed comes along.

use std::collections::HashSet;
use std::convert::Infallible;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use docket_domain::ids::{MessageId, Reference, UserId};
use docket_projections::read::cases::CaseOrigin;
use docket_projections::read::cases::desk::{self, About};
use docket_projections::read::thread::page::{self as parts, before};
use docket_projections::read::thread::{ItemAuthor, ThreadItem, What};
use serde::Deserialize;

use super::bulk::Outcome;
use super::case::{self, MAX_ITEMS, no_such_case, reference_of};
use super::files;
use super::inbox::{LIMIT, Shelf, Wanted};
use super::pages::{self, Body, CaseEntry, Frame, Item, List, ViewLink};
use super::place::Place;
use super::reading::{self, Look};
use super::session::Session;
use super::thread::arrange::arrange;
use super::thread::{Beside, Shown};
use super::{Console, Failed, contact_words, page, words};
use crate::app::App;
use crate::http::problem::Problem;

/// At most so many events of a case are looked through for what they touch.
const MAX_EVENTS: i64 = 200;
/// At most so many items of a thread are changed one by one.
const MAX_CHANGED: usize = 100;
/// A case that a move made is shown anew as long as it is so short: what can be done with its message follows from all that is in it.
const SHORT: u32 = 5;

/// What the page has.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Has {
    /// The version of the case that it shows.
    since: String,
    /// The sequence of the first item that it shows.
    first: String,
    /// The cases whose rows changed, with commas between them; empty where it wants the whole list.
    rows: String,
}

impl Has {
    /// The cases whose rows changed; `None` for the whole list.
    fn rows(&self) -> Option<Vec<Reference>> {
        let rows: Vec<Reference> = self.rows.split(',').filter_map(reference_of).collect();
        (!rows.is_empty() && rows.len() <= LIMIT as usize).then_some(rows)
    }
}

/// Rows of the list.
struct Rows {
    views: Vec<ViewLink>,
    entries: Vec<CaseEntry>,
    /// The cases that were asked for; one that is no row stands on the page no more.
    asked: String,
}

impl Rows {
    fn of(app: &App, session: &Session, place: &Place, shelf: &Shelf, asked: &[Reference]) -> Self {
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        Self {
            views: shelf.views(session, place),
            entries: shelf.entries(app, session, place),
            asked: asked.join(" "),
        }
    }
}

#[derive(Template)]
#[template(path = "console/list_changes.html")]
struct ListChanges {
    frame: Frame,
    list: Rows,
}

#[derive(Template)]
#[template(path = "console/list_whole.html")]
struct ListWhole {
    frame: Frame,
    list: List,
}

/// What became of a thread.
struct Items {
    /// The ids of items that stand in it no more.
    gone: String,
    /// Whether the items are its end, and not what changed.
    is_whole: bool,
    /// Whether others said something since.
    has_news: bool,
}

#[derive(Template)]
#[template(path = "console/case_changes.html")]
struct CaseChanges {
    frame: Frame,
    list: Rows,
    items: Items,
    case: pages::Case,
}

#[derive(Template)]
#[template(path = "console/earlier.html")]
struct Earlier {
    frame: Frame,
    case: pages::Case,
}

/// The rows of a list that changed, or the whole list.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    Query(place): Query<Place>,
    Query(has): Query<Has>,
    session: Session,
) -> Result<Response, Failed> {
    let frame = Frame::of(&app, &session);
    let Some(rows) = has.rows() else {
        let shelf = Shelf::read(&app, &session, &place, None, Wanted::Page).await?;
        let list = shelf.list(&app, &session, &place, &Outcome::default());
        return Ok(page(StatusCode::OK, &ListWhole { frame, list }));
    };
    let shelf = Shelf::read(&app, &session, &place, None, Wanted::Among(&rows)).await?;
    let list = Rows::of(&app, &session, &place, &shelf, &rows);
    Ok(page(StatusCode::OK, &ListChanges { frame, list }))
}

/// What became of a case, and of the rows that changed.
pub(super) async fn case(
    State(Console { app, .. }): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    Query(has): Query<Has>,
    session: Session,
    headers: HeaderMap,
    Ok(look): Result<Look, Infallible>,
) -> Result<Response, Failed> {
    let Some(reference) = reference_of(&reference) else {
        return Ok(no_such_case());
    };
    let frame = Frame::of(&app, &session);
    let Some(about) = desk::about(&app.pool, reference, session.user_id, (app.clock)()).await?
    else {
        return Ok(no_such_case());
    };
    let since = has.since.parse().unwrap_or_default();
    let first = has.first.parse().unwrap_or_default();
    let changed = Changed::read(&app, &about, since, first).await?;
    let look = look.by_script();
    let version = about.row.version;
    reading::has_seen(&app, &session, reference, look, about.read_to, version).await;
    let rows = has.rows().unwrap_or_default();
    let shelf = Shelf::read(
        &app,
        &session,
        &place,
        Some(&about.row),
        Wanted::Among(&rows),
    )
    .await?;
    let left_off = reading::left_off(&session, look, about.read_to);
    let shown = Shown {
        beside: Beside::read(&app, &about.others, &changed.items).await?,
        ..shown(&app, &session, &place, &shelf, &about, left_off)
    };
    let mut items = changed.shown(&shown);
    let known = files::read(&app, &changed.items).await?;
    files::show(&mut items, &known);
    let earlier = changed.earlier;
    let template = CaseChanges {
        list: Rows::of(&app, &session, &place, &shelf, &rows),
        items: Items {
            has_news: changed.has_news(since, session.user_id),
            is_whole: changed.is_whole,
            gone: changed.gone,
        },
        case: pages::Case {
            items,
            earlier: earlier.map(|first| case::from(&place, reference, first)),
            ..case::around_thread(&app, &session, &place, &shelf, &about)
        },
        frame,
    };
    session.looks(&app, reference, &headers).await;
    Ok(page(StatusCode::OK, &template))
}

/// The part of a thread before the sequence that the address names.
pub(super) async fn earlier(
    State(Console { app, .. }): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    session: Session,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let Some(reference) = reference_of(&reference) else {
        return Ok(no_such_case());
    };
    let frame = Frame::of(&app, &session);
    let Some(about) = desk::about(&app.pool, reference, session.user_id, (app.clock)()).await?
    else {
        return Ok(no_such_case());
    };
    let part = before(&app.pool, reference, place.before.parse().ok(), MAX_ITEMS).await?;
    let shelf = Shelf::read(&app, &session, &place, Some(&about.row), Wanted::Among(&[])).await?;
    let shown = Shown {
        beside: Beside::read(&app, &about.others, &part.items).await?,
        ..shown(&app, &session, &place, &shelf, &about, None)
    };
    let first = part.items.first().map(|item| item.place.sequence);
    let mut items = shown.conversation(&part.items);
    arrange(&mut items, shown.now);
    let known = files::read(&app, &part.items).await?;
    files::show(&mut items, &known);
    let template = Earlier {
        case: pages::Case {
            items,
            earlier: first
                .filter(|_| part.has_earlier)
                .map(|first| case::from(&place, reference, first)),
            ..case::around_thread(&app, &session, &place, &shelf, &about)
        },
        frame,
    };
    session.looks(&app, reference, &headers).await;
    Ok(page(StatusCode::OK, &template))
}

fn shown<'a>(
    app: &App,
    session: &Session,
    place: &'a Place,
    shelf: &'a Shelf,
    about: &'a About,
    seen: Option<u64>,
) -> Shown<'a> {
    let survey = case::survey_of(shelf, &about.row);
    Shown {
        case: &about.row,
        name: about.name.as_deref().map(String::as_str),
        question: survey.map(|survey| survey.settings.status.question.as_str()),
        place,
        now: (app.clock)(),
        may_act: session.may_act(),
        seen,
        reader: Some(session.user_id),
        beside: Beside::default(),
    }
}

/// What became of a thread.
struct Changed {
    items: Vec<ThreadItem>,
    touched: HashSet<MessageId>,
    /// What came after it is new to the page.
    since: u64,
    gone: String,
    is_whole: bool,
    /// The first of the items, where there are more before them and the items are the thread's end.
    earlier: Option<u64>,
}

impl Changed {
    async fn read(app: &App, about: &About, since: u64, first: u64) -> Result<Self, Failed> {
        let row = &about.row;
        let reference = row.reference;
        let mut conn = app.pool.acquire().await?;
        let changes = parts::changes(&mut conn, reference, since, MAX_EVENTS)
            .await
            .map_err(Problem::from)?;
        let touched: Vec<MessageId> = changes.touched.iter().copied().collect();
        let is_short = row.origin == CaseOrigin::Move && row.message_count <= SHORT;
        if !changes.is_cut && !is_short {
            let items = parts::changed(
                &mut *conn,
                reference,
                first,
                since,
                &touched,
                MAX_CHANGED + 1,
            )
            .await?;
            // What an undone move said before is told by the undoing.
            let is_undone = |item: &ThreadItem| {
                item.place.sequence > since
                    && matches!(item.what, What::MovedIn { undone: true, .. })
            };
            if items.len() <= MAX_CHANGED && !items.iter().any(is_undone) {
                let gone = if touched.is_empty() {
                    vec![]
                } else {
                    parts::gone(&mut *conn, reference, first, &touched).await?
                };
                let gone: Vec<String> = gone
                    .iter()
                    .map(|place| format!("i{}-{}", place.sequence, place.part))
                    .collect();
                return Ok(Self {
                    items,
                    touched: changes.touched,
                    since,
                    gone: gone.join(" "),
                    is_whole: false,
                    earlier: None,
                });
            }
        }
        let part = before(&mut *conn, reference, None, MAX_ITEMS).await?;
        let first = part.items.first().map(|item| item.place.sequence);
        Ok(Self {
            earlier: first.filter(|_| part.has_earlier),
            items: part.items,
            touched: HashSet::new(),
            since,
            gone: String::new(),
            is_whole: true,
        })
    }

    /// The items that the page has to show anew.
    fn shown(&self, shown: &Shown<'_>) -> Vec<Item> {
        let mut items = shown.conversation(&self.items);
        if self.is_whole {
            arrange(&mut items, shown.now);
            return items;
        }
        // The script arranges them among those that it has.
        let is_touched = |message_id: &MessageId| self.touched.contains(message_id);
        items.retain(|item| {
            item.sequence > self.since || item.message_id.as_ref().is_some_and(is_touched)
        });
        items
    }

    /// Whether others said something behind that version, or something came back.
    fn has_news(&self, since: u64, reader: UserId) -> bool {
        self.items
            .iter()
            .filter(|item| item.place.sequence > since)
            .any(|item| match (&item.what, &item.author) {
                (What::Inbound(_) | What::MovedIn { .. }, _) => true,
                (What::Outbound(_), ItemAuthor::User { user_id, .. }) => *user_id != reader,
                _ => false,
            })
    }
}
