//! `/`: the list of cases.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use docket_domain::ids::{ContactId, Reference};
use docket_projections::read::cases::{self, CaseRow, CaseState};
use docket_projections::read::surveys::SurveyRow;
use docket_projections::read::{contacts, surveys};
use docket_projections::read_marks;

use super::bulk::{Bulk, Outcome};
use super::pages::{self, CaseEntry, Choice, Frame, List, ViewLink, When};
use super::place::{Place, View};
use super::session::Session;
use super::{Console, Failed, page, thread, words};
use crate::app::App;

/// So many cases on a page.
const LIMIT: u32 = 40;
/// At most so many unread cases are counted; how many more there are, nobody needs to know.
const MAX_COUNT: usize = 99;

/// The list alone.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    Query(place): Query<Place>,
    Query(outcome): Query<Outcome>,
    session: Session,
) -> Result<Response, Failed> {
    let mut frame = Frame::of(&app, &session);
    frame.notice = words::done(&place.done).into();
    let surveys = surveys::all(&app.pool).await?;
    let list = pane(&app, &session, &place, &surveys, None, &outcome).await?;
    let template = pages::Inbox {
        frame,
        list,
        case: None,
    };
    Ok(page(StatusCode::OK, &template))
}

/// The list pane, with the case that is open beside it.
pub(super) async fn pane(
    app: &App,
    session: &Session,
    place: &Place,
    surveys: &[SurveyRow],
    open: Option<Reference>,
    outcome: &Outcome,
) -> Result<List, Failed> {
    let cursor = place.cursor();
    let mut rows = cases::list(&app.pool, &place.filter(session), cursor, LIMIT + 1).await?;
    let has_more = rows.len() > LIMIT as usize;
    rows.truncate(LIMIT as usize);
    let last = rows.last().filter(|_| has_more).map(CaseRow::cursor);
    let unread = unread(app, session, place).await?;
    let views = View::ALL
        .into_iter()
        .filter(|view| *view != View::Unread || session.may_act())
        .map(|view| ViewLink {
            name: words::view(view),
            href: place.list(view),
            is_current: view == place.view(),
            count: if view == View::Unread {
                words::count_up_to(unread, MAX_COUNT)
            } else {
                String::new()
            },
        });
    let now = (app.clock)();
    let marks = Marks::of(app, session, &rows).await?;
    let names = names(app, &rows).await?;
    let entry = |row: CaseRow| CaseEntry {
        is_unread: marks.is_unread(&row),
        href: if marks.is_unread(&row) {
            // Where the reader left off, if they have read it at all.
            format!("{}#new", place.case(row.reference))
        } else {
            place.case(row.reference)
        },
        name: names.get(&row.contact_id).cloned(),
        reference: row.reference.get(),
        version: row.version,
        title: row.title.0,
        number: plus(&row.number),
        channel: thread::channel(row.channel),
        channel_icon: thread::channel_icon(row.channel),
        survey: survey_name(surveys, row.survey_id),
        status: row.status.unwrap_or_default(),
        is_closed: row.state == CaseState::Closed,
        assignee: row.assignee.map(|assignee| assignee.email.0),
        when: When::of(row.last_message_at, now),
        is_current: Some(row.reference) == open,
    };
    Ok(List {
        views: views.collect(),
        surveys: survey_choices(surveys, place, session),
        view: place.view().as_str(),
        q: place.q(),
        heading: words::view(place.view()),
        entries: rows.into_iter().map(entry).collect(),
        bulk: Bulk::of(app, session, place, open).await?,
        notice: outcome.sentence(),
        undo: outcome.undoable(),
        older: last.map(|last| place.list_from(Some(last))),
        newest: cursor.map(|_| place.list_from(None)),
    })
}

/// How many cases the person has yet to read, up to one more than [`MAX_COUNT`].
async fn unread(app: &App, session: &Session, place: &Place) -> Result<usize, Failed> {
    if !session.may_act() {
        return Ok(0);
    }
    let limit = u32::try_from(MAX_COUNT + 1).expect("a small constant");
    let filter = place.unread(session);
    Ok(cases::list(&app.pool, &filter, None, limit).await?.len())
}

/// How far the person has read the cases of a page.
struct Marks(Option<HashMap<Reference, u64>>);

impl Marks {
    async fn of(app: &App, session: &Session, rows: &[CaseRow]) -> Result<Self, Failed> {
        if !session.may_act() {
            return Ok(Self(None));
        }
        let references: Vec<Reference> = rows.iter().map(|row| row.reference).collect();
        let marks = read_marks::of_cases(&app.pool, session.user_id, &references).await?;
        Ok(Self(Some(marks)))
    }

    fn is_unread(&self, row: &CaseRow) -> bool {
        self.0.as_ref().is_some_and(|marks| {
            let read_to = marks.get(&row.reference).copied();
            row.is_unread(read_to.unwrap_or_default())
        })
    }
}

/// What the contacts of these cases call themselves.
async fn names(app: &App, rows: &[CaseRow]) -> Result<HashMap<ContactId, String>, Failed> {
    let contacts: Vec<ContactId> = rows.iter().map(|row| row.contact_id).collect();
    let names = contacts::names(&app.pool, &contacts).await?;
    Ok(names.into_iter().map(|(id, name)| (id, name.0)).collect())
}

fn survey_choices(surveys: &[SurveyRow], place: &Place, session: &Session) -> Vec<Choice> {
    surveys
        .iter()
        .filter(|survey| session.access.reaches(survey.survey_id))
        .map(|survey| Choice {
            name: survey.settings.name.clone(),
            value: survey.survey_id.to_string(),
            is_current: place.survey() == Some(survey.survey_id),
        })
        .collect()
}

pub(super) fn survey_name(
    surveys: &[SurveyRow],
    survey_id: docket_domain::ids::SurveyId,
) -> String {
    surveys
        .iter()
        .find(|survey| survey.survey_id == survey_id)
        .map_or_else(String::new, |survey| survey.settings.name.clone())
}

/// A number as people write it.
pub(super) fn plus(number: &str) -> String {
    format!("+{number}")
}
