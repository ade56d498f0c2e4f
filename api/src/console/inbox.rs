//! `/`: the list of cases.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use docket_domain::ids::Reference;
use docket_projections::read::cases::{self, CaseRow, CaseState};
use docket_projections::read::surveys;
use docket_projections::read::surveys::SurveyRow;

use super::pages::{self, CaseEntry, Choice, Frame, List, When};
use super::place::{Place, View};
use super::session::Session;
use super::{Console, Failed, page, thread, words};
use crate::app::App;

/// So many cases on a page.
const LIMIT: u32 = 40;

/// The list alone.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    Query(place): Query<Place>,
    session: Session,
) -> Result<Response, Failed> {
    let frame = Frame::of(&app, &session);
    let surveys = surveys::all(&app.pool).await?;
    let list = pane(&app, &session, &place, &surveys, None).await?;
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
) -> Result<List, Failed> {
    let cursor = place.cursor();
    let mut rows = cases::list(&app.pool, &place.filter(session), cursor, LIMIT + 1).await?;
    let has_more = rows.len() > LIMIT as usize;
    rows.truncate(LIMIT as usize);
    let last = rows.last().filter(|_| has_more).map(CaseRow::cursor);
    let views = View::ALL.into_iter().map(|view| Choice {
        name: words::view(view).to_owned(),
        value: place.list(view),
        is_current: view == place.view(),
    });
    let now = (app.clock)();
    let entry = |row: CaseRow| CaseEntry {
        href: place.case(row.reference),
        reference: row.reference.get(),
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
        older: last.map(|last| place.list_from(Some(last))),
        newest: cursor.map(|_| place.list_from(None)),
    })
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
