//! `/labels`: the labels that agents put on cases.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use docket_domain::ids::LabelId;
use docket_domain::label::{Label, LabelColour, LabelCommand};
use docket_projections::read::labels::{self, LabelCount, LabelRow};

use super::{Query, Refusal, Tab, ask, by};
use crate::app::App;
use crate::console::pages::{Choice, Frame};
use crate::console::place::with_query;
use crate::console::session::{Posted, Session};
use crate::console::{Console, Failed, failure, go, page, words};
use crate::operations::label::ChangeLabel;

struct Entry {
    name: String,
    colour: &'static str,
    /// How many cases have it, and the list of them.
    cases: String,
    list: String,
    action: String,
    /// The form: its name, which may have been refused, and the colours.
    typed: String,
    colours: Vec<Choice>,
    is_open: bool,
}

/// The form of a new label.
#[derive(Default)]
struct New {
    name: String,
    colours: Vec<Choice>,
    refusal: String,
}

#[derive(Template)]
#[template(path = "console/labels/settings.html")]
struct Labels {
    frame: Frame,
    tab: Tab,
    entries: Vec<Entry>,
    new: New,
    once: String,
    /// Why a label was not changed.
    refusal: String,
}

/// A form that was refused: of which label, or of a new one, and what was typed.
struct Typed {
    label_id: Option<LabelId>,
    name: String,
    colour: LabelColour,
    refusal: Refusal,
}

fn colours(current: LabelColour) -> Vec<Choice> {
    LabelColour::ALL
        .into_iter()
        .map(|colour| Choice {
            name: words::labels::colour(colour).to_owned(),
            value: colour.as_str().to_owned(),
            is_current: colour == current,
        })
        .collect()
}

fn entry(row: LabelRow, counts: &HashMap<LabelId, LabelCount>, typed: Option<&Typed>) -> Entry {
    let Label {
        label_id,
        name,
        colour,
    } = row.label;
    let typed = typed.filter(|typed| typed.label_id == Some(label_id));
    let count = counts.get(&label_id);
    Entry {
        cases: words::labels::cases(
            count.map_or(0, |count| count.open),
            count.map_or(0, |count| count.closed),
        ),
        list: with_query("/", &[("view", "all"), ("label", &label_id.to_string())]),
        action: format!("/labels/{label_id}"),
        typed: typed.map_or_else(|| name.clone(), |typed| typed.name.clone()),
        colours: colours(typed.map_or(colour, |typed| typed.colour)),
        is_open: typed.is_some(),
        colour: colour.as_str(),
        name,
    }
}

/// Every label.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    UrlQuery(query): UrlQuery<Query>,
    session: Session,
) -> Result<Response, Failed> {
    let frame = query.frame(&app, &session);
    with(&app, frame, None).await
}

async fn with(app: &App, frame: Frame, typed: Option<Typed>) -> Result<Response, Failed> {
    let rows = labels::all(&app.pool).await?;
    let counts = labels::counts(&app.pool, None).await?;
    let counts = counts
        .into_iter()
        .map(|count| (count.label_id, count))
        .collect();
    let entries = rows
        .into_iter()
        .map(|row| entry(row, &counts, typed.as_ref()));
    let mut template = Labels {
        frame,
        tab: Tab::Labels,
        entries: entries.collect(),
        new: New {
            colours: colours(LabelColour::default()),
            ..New::default()
        },
        once: (app.new_id)().to_string(),
        refusal: String::new(),
    };
    let mut status = StatusCode::OK;
    if let Some(typed) = typed {
        status = typed.refusal.status;
        if typed.label_id.is_some() {
            template.refusal = typed.refusal.sentence;
        } else {
            template.new = New {
                name: typed.name,
                colours: colours(typed.colour),
                refusal: typed.refusal.sentence,
            };
        }
    }
    Ok(page(status, &template))
}

async fn end(
    app: &App,
    session: &Session,
    posted: &Posted,
    label_id: Option<LabelId>,
    operation: ChangeLabel,
    done: &str,
) -> Result<Response, Failed> {
    match ask(app, operation, words::labels::refusal).await {
        Ok(_) => Ok(go(&with_query("/labels", &[("done", done)]))),
        Err(refusal) if refusal.status == StatusCode::NOT_FOUND => Ok(no_such_label()),
        Err(refusal) => {
            let typed = Typed {
                label_id,
                name: posted.field("name").to_owned(),
                colour: LabelColour::from_name(posted.field("colour")).unwrap_or_default(),
                refusal,
            };
            with(app, Frame::of(app, session), Some(typed)).await
        }
    }
}

fn no_such_label() -> Response {
    let sentence = words::labels::BULK_NO_SUCH_LABEL.to_owned();
    failure(StatusCode::NOT_FOUND, sentence)
}

/// Creates a label.
pub(super) async fn create(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let label_id = LabelId((app.new_id)());
    let command = LabelCommand::Create(Label {
        label_id,
        name: posted.field("name").to_owned(),
        colour: LabelColour::from_name(posted.field("colour")).unwrap_or_default(),
    });
    let operation = ChangeLabel {
        label_id,
        command,
        by: by(&posted, &session),
    };
    end(&app, &session, &posted, None, operation, "label-created").await
}

/// Changes a label.
pub(super) async fn change(
    State(Console { app, .. }): State<Console>,
    Path(label_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Ok(label_id) = label_id.parse() else {
        return Ok(no_such_label());
    };
    let command = LabelCommand::Change {
        label_id,
        name: Some(posted.field("name").to_owned()),
        colour: LabelColour::from_name(posted.field("colour")),
    };
    let operation = ChangeLabel {
        label_id,
        command,
        by: by(&posted, &session),
    };
    let asked = Some(label_id);
    end(&app, &session, &posted, asked, operation, "label-changed").await
}

/// Deletes a label.
pub(super) async fn delete(
    State(Console { app, .. }): State<Console>,
    Path(label_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Ok(label_id) = label_id.parse() else {
        return Ok(no_such_label());
    };
    let operation = ChangeLabel {
        label_id,
        command: LabelCommand::Delete { label_id },
        by: by(&posted, &session),
    };
    let asked = Some(label_id);
    end(&app, &session, &posted, asked, operation, "label-deleted").await
}
