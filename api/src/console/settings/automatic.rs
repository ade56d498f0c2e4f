//! A line's automatic texts: greeting, answer to `#0`, office hours.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;
use docket_domain::line::{AutomaticTexts, LineCommand, LineSettings};
use docket_domain::office_hours::{MAX_SPANS, OfficeHours, OpenSpan, TimeOfDay, Weekday};
use docket_domain::text::normalise;
use docket_projections::read::lines::LineRow;
use docket_projections::read::surveys;

use super::lines::{no_such_line, path, row};
use super::{Refusal, Tab, ask, by, done, since};
use crate::app::App;
use crate::console::inbox;
use crate::console::pages::{Choice, Frame};
use crate::console::session::{Posted, Session};
use crate::console::{Console, Failed, page, words};
use crate::operations::line::ChangeLine;

/// So many rows for times of the week the form has at least.
const MIN_ROWS: usize = 7;

#[derive(askama::Template)]
#[template(path = "console/line_automatic.html")]
struct Automatic {
    frame: Frame,
    tab: Tab,
    number: String,
    back: String,
    zone: String,
    action: String,
    once: String,
    version: String,
    refusal: String,
    form: Form,
}

/// What the form says, as it was typed.
#[derive(Default)]
struct Form {
    greeting: String,
    new_requested: String,
    rows: Vec<HoursRow>,
    holidays: String,
    closed: String,
    opt_out: String,
}

/// A time of the week.
struct HoursRow {
    index: usize,
    label: String,
    days: Vec<Choice>,
    opens: String,
    closes: String,
}

impl HoursRow {
    fn of(index: usize, day: &str, opens: String, closes: String) -> Self {
        let days = Weekday::ALL.into_iter().map(|known| Choice {
            name: words::outgoing::day(known).to_owned(),
            value: known.as_str().to_owned(),
            is_current: known.as_str() == day,
        });
        Self {
            index,
            label: words::outgoing::hours_number(index),
            days: days.collect(),
            opens,
            closes,
        }
    }
}

impl Form {
    fn of(texts: &AutomaticTexts) -> Self {
        let office = texts.office_hours.clone().unwrap_or(OfficeHours {
            hours: vec![],
            holidays: vec![],
            text: String::new(),
        });
        let spans = office.hours.iter().map(|span| {
            let (opens, closes) = (span.opens.to_string(), span.closes.to_string());
            (span.day.as_str(), opens, closes)
        });
        let holidays: Vec<String> = office.holidays.iter().map(ToString::to_string).collect();
        Self {
            greeting: texts.greeting.clone().unwrap_or_default(),
            new_requested: texts.new_requested.clone().unwrap_or_default(),
            rows: rows(spans.collect()),
            holidays: holidays.join("\n"),
            closed: office.text,
            opt_out: texts.opt_out_confirmation.clone().unwrap_or_default(),
        }
    }

    fn typed(posted: &Posted) -> Self {
        let field = |name: &str| posted.field(name).to_owned();
        let spans = (0..=MAX_SPANS + MIN_ROWS).filter_map(|index| {
            let (opens, closes) = (
                field(&format!("opens-{index}")),
                field(&format!("closes-{index}")),
            );
            let is_blank = opens.is_empty() && closes.is_empty();
            (!is_blank).then(|| (posted.field(&format!("day-{index}")), opens, closes))
        });
        Self {
            greeting: field("greeting"),
            new_requested: field("new_requested"),
            rows: rows(spans.collect()),
            holidays: field("holidays"),
            closed: field("closed"),
            opt_out: field("opt_out_confirmation"),
        }
    }

    /// The texts that the form says; a sentence where it cannot be read.
    fn texts(&self) -> Result<AutomaticTexts, &'static str> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !normalise::is_empty(text));
        Ok(AutomaticTexts {
            greeting: given(&self.greeting),
            new_requested: given(&self.new_requested),
            office_hours: self.office_hours()?,
            opt_out_confirmation: given(&self.opt_out),
        })
    }

    /// None where neither hours nor a text are given.
    fn office_hours(&self) -> Result<Option<OfficeHours>, &'static str> {
        let filled = |row: &&HoursRow| !(row.opens.is_empty() && row.closes.is_empty());
        let hours: Vec<OpenSpan> = self
            .rows
            .iter()
            .filter(filled)
            .map(span)
            .collect::<Option<_>>()
            .ok_or(words::outgoing::WRONG_HOURS)?;
        let holidays: Vec<NaiveDate> = self
            .holidays
            .split([',', ';', '\n', '\r', ' '])
            .filter(|date| !normalise::is_empty(date))
            .map(|date| date.parse().ok())
            .collect::<Option<_>>()
            .ok_or(words::outgoing::WRONG_HOLIDAYS)?;
        if hours.is_empty() && normalise::is_empty(&self.closed) {
            return Ok(None);
        }
        Ok(Some(OfficeHours {
            hours,
            holidays,
            text: self.closed.clone(),
        }))
    }
}

fn span(row: &HoursRow) -> Option<OpenSpan> {
    let day = row.days.iter().find(|day| day.is_current)?;
    let time = |text: &str| text.parse::<TimeOfDay>().ok();
    Some(OpenSpan {
        day: Weekday::from_name(&day.value)?,
        opens: time(&row.opens)?,
        closes: time(&row.closes)?,
    })
}

/// The rows with these times, and blank ones for every day that has none and for more.
fn rows(spans: Vec<(&str, String, String)>) -> Vec<HoursRow> {
    let mut named: Vec<(String, String, String)> = spans
        .into_iter()
        .map(|(day, opens, closes)| (day.to_owned(), opens, closes))
        .collect();
    for day in Weekday::ALL.map(Weekday::as_str) {
        if named.iter().all(|(known, ..)| known != day) {
            named.push((day.to_owned(), String::new(), String::new()));
        }
    }
    if named.len() > MIN_ROWS || named.iter().all(|(_, opens, _)| !opens.is_empty()) {
        named.push(("monday".to_owned(), String::new(), String::new()));
    }
    named
        .into_iter()
        .enumerate()
        .map(|(index, (day, opens, closes))| HoursRow::of(index, &day, opens, closes))
        .collect()
}

/// The form.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    Path(line_id): Path<String>,
    session: Session,
) -> Result<Response, Failed> {
    let Some(row) = row(&app, &line_id).await? else {
        return Ok(no_such_line());
    };
    let form = Form::of(&row.automatic);
    let version = Some(row.version);
    with(&app, &session, row, version, form, None).await
}

async fn with(
    app: &App,
    session: &Session,
    row: LineRow,
    version: Option<u64>,
    form: Form,
    refusal: Option<Refusal>,
) -> Result<Response, Failed> {
    let survey = surveys::find(&app.pool, row.survey_id).await?;
    let (status, sentence) = match refusal {
        Some(Refusal { status, sentence }) => (status, sentence),
        None => (StatusCode::OK, String::new()),
    };
    let template = Automatic {
        frame: Frame::of(app, session),
        tab: Tab::Lines,
        number: inbox::plus(&row.number),
        back: path(row.line_id),
        zone: survey.map_or_else(String::new, |survey| survey.settings.time_zone.to_string()),
        action: format!("{}/automatic", path(row.line_id)),
        once: (app.new_id)().to_string(),
        version: version.map(|known| known.to_string()).unwrap_or_default(),
        refusal: sentence,
        form,
    };
    Ok(page(status, &template))
}

/// Changes the texts.
pub(super) async fn change(
    State(Console { app, .. }): State<Console>,
    Path(line_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Some(row) = row(&app, &line_id).await? else {
        return Ok(no_such_line());
    };
    let form = Form::typed(&posted);
    let seen = since::seen(&posted);
    let automatic = match form.texts() {
        Ok(texts) => texts,
        Err(sentence) => {
            let refusal = Some(Refusal::of_value(sentence));
            return with(&app, &session, row, seen, form, refusal).await;
        }
    };
    let operation = ChangeLine {
        line_id: row.line_id,
        command: LineCommand::Change {
            settings: LineSettings {
                survey_id: row.survey_id,
                multi_case_reply: row.multi_case_reply.clone(),
                automatic,
            },
            seen,
        },
        by: by(&posted, &session),
    };
    match ask(&app, operation, words::line_refusal).await {
        Ok(line_id) => Ok(done(&posted, &path(line_id), "line")),
        Err(refusal) => {
            // What was typed stays, and can be saved over what others have saved since.
            let version = Some(row.version);
            with(&app, &session, row, version, form, Some(refusal)).await
        }
    }
}
