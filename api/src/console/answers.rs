//! Saved replies beside the box in which one writes.
//!
//! Without the script the page is loaded again with the chosen reply as the draft. The script puts it where one writes, and offers
//! all of them, filled, to those who type a slash: it fetches them then, so that pages do not carry them.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use docket_domain::ids::LineId;
use docket_domain::survey::Template;
use docket_domain::text::template::{Places, fill};
use docket_projections::read::cases::CaseRow;
use docket_projections::read::cases::desk;
use docket_projections::read::{lines, surveys};
use serde::Deserialize;

use super::case::{no_such_case, reference_of};
use super::pages::Choice;
use super::place::Place;
use super::session::Session;
use super::{Console, Failed, page};

/// The list of answers to choose from.
pub(super) struct Answers {
    /// The case's address.
    pub(super) action: String,
    /// The rest of it: which list is shown beside the case.
    pub(super) place: Vec<(String, String)>,
    pub(super) choices: Vec<Choice>,
}

impl Answers {
    pub(super) fn of(templates: &[Template], row: &CaseRow, place: &Place) -> Self {
        let choices = templates.iter().map(|template| Choice {
            name: template.name.clone(),
            value: template.name.clone(),
            is_current: template.name == place.template,
        });
        Self {
            action: format!("/cases/{}", row.reference),
            place: place.pairs(),
            choices: choices.collect(),
        }
    }
}

/// The answer that the address names, filled; empty where it names none.
pub(super) fn draft(
    templates: &[Template],
    row: &CaseRow,
    name: Option<&str>,
    session: &Session,
    place: &Place,
) -> String {
    let chosen = templates
        .iter()
        .find(|template| template.name == place.template);
    let places = Places {
        name: name.unwrap_or_default(),
        reference: &format!("#{}", row.reference),
        agent: session.shown(),
    };
    chosen.map_or_else(String::new, |template| fill(&template.text, places))
}

/// Saved replies as the script reads them.
#[derive(askama::Template)]
#[template(path = "console/case/saved_replies.html")]
struct Saved {
    /// What each is called, and what it says.
    replies: Vec<(String, String)>,
}

impl Saved {
    fn of(templates: &[Template], places: Places<'_>) -> Self {
        let replies = templates
            .iter()
            .map(|template| (template.name.clone(), fill(&template.text, places)));
        Self {
            replies: replies.collect(),
        }
    }
}

/// The saved replies of a case's survey, filled for that case.
pub(super) async fn of_case(
    State(Console { app, .. }): State<Console>,
    Path(reference): Path<String>,
    session: Session,
) -> Result<Response, Failed> {
    let Some(reference) = reference_of(&reference) else {
        return Ok(no_such_case());
    };
    let Some(about) = desk::about(&app.pool, reference, session.user_id, (app.clock)()).await?
    else {
        return Ok(no_such_case());
    };
    let survey = surveys::find(&app.pool, about.row.survey_id).await?;
    let templates = survey.map_or_else(Vec::new, |survey| survey.templates);
    let places = Places {
        name: about.name.as_deref().map_or("", String::as_str),
        reference: &format!("#{reference}"),
        agent: &session.email,
    };
    Ok(page(StatusCode::OK, &Saved::of(&templates, places)))
}

/// The line that a new case is to be written from.
#[derive(Deserialize)]
pub(super) struct From {
    #[serde(default)]
    line: String,
}

/// The saved replies for a case that is not there yet: without its reference, which the sent message has at its end.
pub(super) async fn of_new_case(
    State(Console { app, .. }): State<Console>,
    Query(from): Query<From>,
    session: Session,
) -> Result<Response, Failed> {
    let line_id: Option<LineId> = from.line.parse().ok();
    let lines = lines::all(&app.pool).await?;
    let line = lines.iter().find(|line| {
        Some(line.line_id) == line_id && !line.removed && session.access.reaches(line.survey_id)
    });
    let templates = match line {
        Some(line) => surveys::find(&app.pool, line.survey_id)
            .await?
            .map_or_else(Vec::new, |survey| survey.templates),
        None => vec![],
    };
    let places = Places {
        name: "",
        reference: "",
        agent: &session.email,
    };
    Ok(page(StatusCode::OK, &Saved::of(&templates, places)))
}
