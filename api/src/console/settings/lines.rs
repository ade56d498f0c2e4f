//! `/lines`: our own numbers.

use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use docket_domain::channel::Channel;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{LineId, Reference, SurveyId};
use docket_domain::line::{AutomaticTexts, HaltReason, LineCommand, LineEvent, LineSettings};
use docket_domain::text::auto_reply::{OpenCase, render_within};
use docket_domain::text::{normalise, phone};
use docket_projections::read::lines::{self, LineRow};
use docket_projections::read::surveys::{self, SurveyRow};
use serde::Deserialize;
use uuid::Uuid;

use super::setup::{self, Body};
use super::since::{self, Comparison, Past, Since};
use super::{FROM_SETUP, Query, Refusal, Tab, ask, by, done, from, is_from_setup};
use crate::app::App;
use crate::console::pages::{Choice, Frame};
use crate::console::session::{Posted, Session};
use crate::console::unsent::AsShown;
use crate::console::{Console, Failed, failure, inbox, page, thread, words};
use crate::http::problem::Kind;
use crate::operations::line::ChangeLine;

struct LineEntry {
    href: String,
    number: String,
    channel: &'static str,
    channel_icon: &'static str,
    survey: String,
    reply: &'static str,
    is_halted: bool,
}

#[derive(askama::Template)]
#[template(path = "console/lines.html")]
struct Lines {
    frame: Frame,
    tab: Tab,
    entries: Vec<LineEntry>,
}

/// The form of a line.
pub(super) struct LineForm {
    pub(super) action: String,
    pub(super) from: &'static str,
    pub(super) once: String,
    /// The version that it was made from; empty for a new one.
    pub(super) version: String,
    pub(super) refusal: String,
    pub(super) since: Option<Since>,
    /// Whether it is a new one, whose number and channel can be chosen.
    pub(super) is_new: bool,
    pub(super) number: String,
    pub(super) channels: Vec<Choice>,
    pub(super) surveys: Vec<Choice>,
    pub(super) reply: String,
    pub(super) preview: String,
    /// For the script, which shows the preview as one types: what the two places become.
    pub(super) example_count: usize,
    pub(super) example_list: String,
    pub(super) submit: &'static str,
}

#[derive(askama::Template)]
#[template(path = "console/line_new.html")]
struct NewLine {
    frame: Frame,
    tab: Tab,
    form: LineForm,
}

#[derive(askama::Template)]
#[template(path = "console/line.html")]
struct Line {
    frame: Frame,
    tab: Tab,
    number: String,
    channel: &'static str,
    survey: String,
    reply: Option<String>,
    /// Why its sending stands still, if it does.
    halted: Option<String>,
    form: LineForm,
    automatic_href: String,
    resume_action: String,
    remove_action: String,
    once: String,
    /// Why a form other than that of its settings was refused.
    refusal: String,
}

/// What a form says of a line.
struct Filled {
    number: String,
    channel: Channel,
    survey_id: Option<SurveyId>,
    reply: String,
}

impl Filled {
    fn of(posted: &Posted) -> Self {
        Self {
            number: posted.field("number").to_owned(),
            channel: match posted.field("channel") {
                "whatsapp" => Channel::Whatsapp,
                _ => Channel::Sms,
            },
            survey_id: posted.field("survey").parse().ok(),
            reply: posted.field("reply").to_owned(),
        }
    }

    /// The settings that the form says; the other automatic texts have a form of their own.
    fn settings(&self, automatic: AutomaticTexts) -> LineSettings {
        LineSettings {
            // A survey that nobody has is refused as such.
            survey_id: self.survey_id.unwrap_or(SurveyId(Uuid::nil())),
            multi_case_reply: Some(self.reply.clone()).filter(|reply| !normalise::is_empty(reply)),
            automatic,
        }
    }
}

pub(super) fn path(line_id: LineId) -> String {
    format!("/lines/{line_id}")
}

/// The example's cases: what the placeholders are shown with.
fn examples() -> [OpenCase<'static>; 2] {
    let reference =
        |number| Reference::new(number).expect("the numbers are none of 0 and too large");
    [
        OpenCase {
            reference: reference(123),
            title: words::LINE_EXAMPLE_ONE,
        },
        OpenCase {
            reference: reference(124),
            title: words::LINE_EXAMPLE_TWO,
        },
    ]
}

fn preview(reply: &str, channel: Channel) -> String {
    if normalise::is_empty(reply) {
        words::LINE_PREVIEW_NONE.to_owned()
    } else {
        render_within(reply, &examples(), channel.max_text_chars())
    }
}

fn form_of(app: &App, line_id: Option<LineId>, surveys: &[SurveyRow], filled: &Filled) -> LineForm {
    let channels = [Channel::Sms, Channel::Whatsapp];
    LineForm {
        action: line_id.map_or_else(|| "/lines".to_owned(), path),
        from: "",
        once: (app.new_id)().to_string(),
        version: String::new(),
        refusal: String::new(),
        since: None,
        is_new: line_id.is_none(),
        number: filled.number.clone(),
        channels: channels
            .into_iter()
            .map(|channel| Choice {
                name: thread::channel(channel).to_owned(),
                value: channel.as_str().to_owned(),
                is_current: channel == filled.channel,
            })
            .collect(),
        surveys: surveys
            .iter()
            .map(|survey| Choice {
                name: survey.settings.name.clone(),
                value: survey.survey_id.to_string(),
                is_current: Some(survey.survey_id) == filled.survey_id,
            })
            .collect(),
        preview: preview(&filled.reply, filled.channel),
        reply: filled.reply.clone(),
        example_count: examples().len(),
        example_list: render_within("%s2", &examples(), Channel::Whatsapp.max_text_chars()),
        submit: if line_id.is_some() {
            words::SAVE
        } else {
            words::LINE_CREATE
        },
    }
}

/// What the form of a new line begins with.
fn blank(app: &App, surveys: &[SurveyRow]) -> LineForm {
    let filled = Filled {
        number: String::new(),
        channel: Channel::Sms,
        survey_id: None,
        reply: words::LINE_REPLY_SUGGESTED.to_owned(),
    };
    form_of(app, None, surveys, &filled)
}

/// The same on the page of set-up, which it leads back to.
pub(super) fn blank_for_setup(app: &App, surveys: &[SurveyRow]) -> LineForm {
    LineForm {
        from: FROM_SETUP,
        ..blank(app, surveys)
    }
}

pub(super) async fn row(app: &App, line_id: &str) -> Result<Option<LineRow>, Failed> {
    let Ok(line_id) = line_id.parse() else {
        return Ok(None);
    };
    let row = lines::find(&app.pool, line_id).await?;
    Ok(row.filter(|row| !row.removed))
}

pub(super) fn no_such_line() -> Response {
    failure(StatusCode::NOT_FOUND, words::NO_SUCH_LINE_THERE.to_owned())
}

/// All lines.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    UrlQuery(query): UrlQuery<Query>,
    session: Session,
) -> Result<Response, Failed> {
    let frame = query.frame(&app, &session);
    let surveys = surveys::all(&app.pool).await?;
    let rows = lines::all(&app.pool).await?;
    let entries = rows.into_iter().map(|row| LineEntry {
        href: path(row.line_id),
        number: inbox::plus(&row.number),
        channel: thread::channel(row.channel),
        channel_icon: thread::channel_icon(row.channel),
        survey: inbox::survey_name(&surveys, row.survey_id),
        reply: if row.multi_case_reply.is_some() {
            words::LINE_WITH_REPLY
        } else {
            words::LINE_WITHOUT_REPLY
        },
        is_halted: row.halted.is_some(),
    });
    let template = Lines {
        frame,
        tab: Tab::Lines,
        entries: entries.collect(),
    };
    Ok(page(StatusCode::OK, &template))
}

/// What the form of a new line begins with, where a page leads to it that knows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Suggested {
    number: String,
    channel: String,
}

/// The form of a new line.
pub(super) async fn new(
    State(Console { app, .. }): State<Console>,
    UrlQuery(suggested): UrlQuery<Suggested>,
    session: Session,
) -> Result<Response, Failed> {
    let surveys = surveys::all(&app.pool).await?;
    let number = phone::number(&suggested.number, None).unwrap_or_default();
    let filled = Filled {
        number: if number.is_empty() {
            String::new()
        } else {
            inbox::plus(&number)
        },
        channel: Channel::from_name(&suggested.channel).unwrap_or(Channel::Sms),
        survey_id: None,
        reply: words::LINE_REPLY_SUGGESTED.to_owned(),
    };
    let form = form_of(&app, None, &surveys, &filled);
    Ok(show_new(&app, &session, StatusCode::OK, form))
}

fn show_new(app: &App, session: &Session, status: StatusCode, form: LineForm) -> Response {
    let template = NewLine {
        frame: Frame::of(app, session),
        tab: Tab::Lines,
        form,
    };
    page(status, &template)
}

/// Adds a line, or shows what its reply would be.
pub(super) async fn add(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let filled = Filled::of(&posted);
    let number = phone::number(&filled.number, app.default_country);
    let (status, refusal) = if posted.field("preview") == "yes" {
        (StatusCode::OK, String::new())
    } else if let Err(error) = &number {
        (
            Kind::InvalidValue.status(),
            words::sentence(&error.to_string()),
        )
    } else {
        let number = number.unwrap_or_default();
        let is_otherwise = phone::is_understood_otherwise(&filled.number, &number);
        let line_id = LineId((app.new_id)());
        let command = LineCommand::Add {
            line_id,
            number,
            channel: filled.channel,
            settings: filled.settings(AutomaticTexts::default()),
        };
        let operation = ChangeLine {
            line_id,
            command,
            by: by(&posted, &session),
        };
        match ask(&app, operation, words::line_refusal).await {
            Ok(line_id) => {
                let what = if is_otherwise {
                    "line-added-understood"
                } else {
                    "line-added"
                };
                return Ok(done(&posted, &path(line_id), what));
            }
            Err(Refusal { status, sentence }) => (status, sentence),
        }
    };
    let surveys = surveys::all(&app.pool).await?;
    let form = LineForm {
        from: from(&posted),
        refusal,
        ..form_of(&app, None, &surveys, &filled)
    };
    if is_from_setup(&posted) {
        return setup::refused(&app, &session, status, Body::Line(Box::new(form))).await;
    }
    Ok(show_new(&app, &session, status, form))
}

/// How a line is shown after a form was sent.
#[derive(Default)]
struct Sent {
    /// What the form shows where the settings were sent and not saved, and the version that it was made from.
    filled: Option<(Filled, Option<u64>)>,
    /// What somebody else has changed.
    since: Option<Since>,
    /// Why they were not.
    settings_refusal: String,
    /// Why another form was refused.
    refusal: String,
}

/// A line.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    Path(line_id): Path<String>,
    UrlQuery(query): UrlQuery<Query>,
    session: Session,
) -> Result<Response, Failed> {
    let mut frame = query.frame(&app, &session);
    match row(&app, &line_id).await? {
        Some(row) => {
            if query.done == "line-added-understood" {
                frame.notice = words::line_understood(&row.number).into();
            }
            with(&app, frame, StatusCode::OK, row, Sent::default()).await
        }
        None => Ok(no_such_line()),
    }
}

async fn with(
    app: &App,
    frame: Frame,
    status: StatusCode,
    row: LineRow,
    sent: Sent,
) -> Result<Response, Failed> {
    let surveys = surveys::all(&app.pool).await?;
    let filled = Filled {
        number: row.number.clone(),
        channel: row.channel,
        survey_id: Some(row.survey_id),
        reply: row.multi_case_reply.clone().unwrap_or_default(),
    };
    let is_compared = sent.since.is_some();
    let (filled, version) = match sent.filled {
        // Number and channel are not in the form of a line that is there.
        Some((sent, version)) => {
            let filled = Filled {
                number: filled.number,
                channel: filled.channel,
                ..sent
            };
            (filled, version)
        }
        None => (filled, Some(row.version)),
    };
    let template = Line {
        frame,
        tab: Tab::Lines,
        number: inbox::plus(&row.number),
        channel: thread::channel(row.channel),
        survey: inbox::survey_name(&surveys, row.survey_id),
        reply: row.multi_case_reply,
        halted: row.halted.map(HaltReason::sentence).map(words::sentence),
        form: LineForm {
            version: version
                .map(|version| version.to_string())
                .unwrap_or_default(),
            refusal: sent.settings_refusal,
            since: sent.since,
            ..form_of(app, Some(row.line_id), &surveys, &filled)
        },
        automatic_href: format!("{}/automatic", path(row.line_id)),
        resume_action: format!("{}/resume", path(row.line_id)),
        remove_action: format!("{}/remove", path(row.line_id)),
        once: (app.new_id)().to_string(),
        refusal: sent.refusal,
    };
    let mut answer = page(status, &template);
    if is_compared {
        answer.extensions_mut().insert(AsShown);
    }
    Ok(answer)
}

/// Changes a line's settings, or shows what its reply would be.
pub(super) async fn change(
    State(Console { app, .. }): State<Console>,
    Path(line_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Some(row) = row(&app, &line_id).await? else {
        return Ok(no_such_line());
    };
    let filled = Filled::of(&posted);
    let seen = since::seen(&posted);
    let frame = Frame::of(&app, &session);
    if posted.field("preview") == "yes" {
        let sent = Sent {
            filled: Some((filled, seen)),
            ..Sent::default()
        };
        return with(&app, frame, StatusCode::OK, row, sent).await;
    }
    let settings = filled.settings(row.automatic.clone());
    let operation = ChangeLine {
        line_id: row.line_id,
        command: LineCommand::Change {
            settings: settings.clone(),
            seen,
        },
        by: by(&posted, &session),
    };
    let Refusal { status, sentence } = match ask(&app, operation, words::line_refusal).await {
        Ok(line_id) => return Ok(done(&posted, &path(line_id), "line")),
        Err(refusal) => refusal,
    };
    // As it is now: somebody else may have changed it since it was read.
    let Some(row) = self::row(&app, &line_id).await? else {
        return Ok(no_such_line());
    };
    let stream = StreamId::Line(row.line_id);
    let past = since::past(&app, stream, seen.unwrap_or(row.version), settings_of).await?;
    let mut sent = Sent {
        settings_refusal: sentence,
        ..Sent::default()
    };
    match past {
        Some(past) if status == StatusCode::CONFLICT => {
            let surveys = surveys::all(&app.pool).await?;
            let (settings, since) = compare(past, &row, &settings, &surveys);
            let filled = Filled {
                survey_id: Some(settings.survey_id),
                reply: settings.multi_case_reply.unwrap_or_default(),
                ..filled
            };
            sent.filled = Some((filled, Some(row.version)));
            sent.since = Some(since);
        }
        _ => sent.filled = Some((filled, seen)),
    }
    with(&app, frame, status, row, sent).await
}

fn settings_of(event: &Event) -> Option<LineSettings> {
    match event {
        Event::Line(
            LineEvent::LineAdded { settings, .. } | LineEvent::LineChanged { settings },
        ) => Some(settings.clone()),
        _ => None,
    }
}

/// The settings that the form shows after somebody else has changed some, and what the page tells of that.
fn compare(
    past: Past<LineSettings>,
    row: &LineRow,
    typed: &LineSettings,
    surveys: &[SurveyRow],
) -> (LineSettings, Since) {
    let now = LineSettings {
        survey_id: row.survey_id,
        multi_case_reply: row.multi_case_reply.clone(),
        automatic: row.automatic.clone(),
    };
    let mut with = Comparison::with(past);
    let survey_id = with.field(
        words::LINE_SURVEY,
        |settings: &LineSettings| settings.survey_id,
        &now,
        typed,
        |survey_id| inbox::survey_name(surveys, *survey_id),
    );
    let reply = with.field(
        words::LINE_REPLY,
        |settings| settings.multi_case_reply.clone().unwrap_or_default(),
        &now,
        typed,
        |text| since::text(text),
    );
    let settings = LineSettings {
        survey_id,
        multi_case_reply: Some(reply),
        automatic: now.automatic,
    };
    (settings, with.end())
}

/// Removes a line.
pub(super) async fn remove(
    console: State<Console>,
    line_id: Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    command(console, line_id, session, posted, LineCommand::Remove).await
}

/// Lets a line send again.
pub(super) async fn resume(
    console: State<Console>,
    line_id: Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    command(console, line_id, session, posted, LineCommand::Resume).await
}

async fn command(
    State(Console { app, .. }): State<Console>,
    Path(line_id): Path<String>,
    session: Session,
    posted: Posted,
    command: LineCommand,
) -> Result<Response, Failed> {
    let Some(row) = row(&app, &line_id).await? else {
        return Ok(no_such_line());
    };
    let removes = command == LineCommand::Remove;
    let operation = ChangeLine {
        line_id: row.line_id,
        command,
        by: by(&posted, &session),
    };
    match ask(&app, operation, words::line_refusal).await {
        Ok(_) if removes => Ok(done(&posted, "/lines", "line-removed")),
        Ok(line_id) => Ok(done(&posted, &path(line_id), "resumed")),
        Err(Refusal { status, sentence }) => {
            let sent = Sent {
                refusal: sentence,
                ..Sent::default()
            };
            with(&app, Frame::of(&app, &session), status, row, sent).await
        }
    }
}
