//! `/surveys`: surveys, and their templates of answers.

use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::SurveyId;
use docket_domain::office_hours::TimeZone;
use docket_domain::survey::{MAX_CHOICES, StatusQuestion, SurveyEvent, SurveySettings, Template};
use docket_domain::text::normalise;
use docket_projections::read::surveys::{self, SurveyRow};

use super::setup::{self, Body};
use super::since::{self, Comparison, Past, Since};
use super::{FROM_SETUP, Query, Refusal, Tab, ask, by, done, from, is_from_setup};
use crate::app::App;
use crate::console::pages::{Choice, Frame};
use crate::console::session::{Posted, Session};
use crate::console::unsent::AsShown;
use crate::console::{Console, Failed, failure, page, words};
use crate::operations::survey::{ChangeTemplates, SetSurvey, TemplateChange};

/// At least so many rows for answers are offered, and one more than there are.
const MIN_ROWS: usize = 5;

struct SurveyEntry {
    href: String,
    name: String,
    cases: &'static str,
    question: String,
    answers: String,
}

#[derive(askama::Template)]
#[template(path = "console/surveys.html")]
struct Surveys {
    frame: Frame,
    tab: Tab,
    entries: Vec<SurveyEntry>,
}

/// A row of the form for an answer to the status question.
pub(super) struct AnswerRow {
    pub(super) index: usize,
    /// Which one it is, in words.
    pub(super) label: String,
    pub(super) text: String,
    pub(super) closes: bool,
}

/// The form of a survey's settings.
pub(super) struct SurveyForm {
    pub(super) action: String,
    pub(super) from: &'static str,
    pub(super) once: String,
    /// The version that it was made from; empty for a new one.
    pub(super) version: String,
    pub(super) refusal: String,
    pub(super) since: Option<Since>,
    pub(super) name: String,
    pub(super) cases_enabled: bool,
    pub(super) append_reference: bool,
    pub(super) time_zone: String,
    pub(super) question: String,
    pub(super) rows: Vec<AnswerRow>,
    pub(super) submit: &'static str,
}

/// The form of one template of answers.
struct TemplateForm {
    /// Its name until now; empty for a new one.
    was: String,
    /// What it said when the form was made.
    was_text: String,
    name: String,
    text: String,
    refusal: String,
    /// What somebody else has made of it since.
    theirs: Option<String>,
}

impl TemplateForm {
    fn empty() -> Self {
        Self {
            was: String::new(),
            was_text: String::new(),
            name: String::new(),
            text: String::new(),
            refusal: String::new(),
            theirs: None,
        }
    }

    /// Whether it is shown at once rather than behind its name.
    const fn is_open(&self) -> bool {
        !self.refusal.is_empty()
    }
}

#[derive(askama::Template)]
#[template(path = "console/survey_new.html")]
struct NewSurvey {
    frame: Frame,
    tab: Tab,
    form: SurveyForm,
}

#[derive(askama::Template)]
#[template(path = "console/survey.html")]
struct Survey {
    frame: Frame,
    tab: Tab,
    name: String,
    form: SurveyForm,
    /// The settings in words, for whoever only reads them.
    facts: Vec<Choice>,
    templates: Vec<TemplateForm>,
    new_template: TemplateForm,
    templates_action: String,
    once: String,
}

/// What the form of a new survey begins with.
pub(super) fn blank(app: &App) -> SurveyForm {
    let settings = SurveySettings {
        name: String::new(),
        cases_enabled: true,
        status: StatusQuestion {
            question: words::SURVEY_QUESTION_FIRST.to_owned(),
            choices: words::SURVEY_ANSWERS_FIRST.map(str::to_owned).into(),
            closed_value: words::SURVEY_ANSWERS_FIRST[2].to_owned(),
        },
        append_reference: true,
        time_zone: TimeZone::default(),
    };
    form_of(app, None, &settings)
}

/// The same on the page of set-up, which it leads back to.
pub(super) fn blank_for_setup(app: &App) -> SurveyForm {
    SurveyForm {
        from: FROM_SETUP,
        ..blank(app)
    }
}

/// The form as these settings fill it.
fn form_of(app: &App, survey_id: Option<SurveyId>, settings: &SurveySettings) -> SurveyForm {
    let status = &settings.status;
    let answers = status.choices.iter().map(|choice| {
        let closes = *choice == status.closed_value;
        (choice.clone(), closes)
    });
    SurveyForm {
        action: survey_id.map_or_else(|| "/surveys".to_owned(), path),
        from: "",
        once: (app.new_id)().to_string(),
        version: String::new(),
        refusal: String::new(),
        since: None,
        name: settings.name.clone(),
        cases_enabled: settings.cases_enabled,
        append_reference: settings.append_reference,
        time_zone: settings.time_zone.name().to_owned(),
        question: status.question.clone(),
        rows: rows(answers.collect()),
        submit: if survey_id.is_some() {
            words::SAVE
        } else {
            words::SURVEY_CREATE
        },
    }
}

fn rows(mut answers: Vec<(String, bool)>) -> Vec<AnswerRow> {
    let count = (answers.len() + 1).clamp(MIN_ROWS, MAX_CHOICES);
    answers.resize(count.max(answers.len()), (String::new(), false));
    answers
        .into_iter()
        .enumerate()
        .map(|(index, (text, closes))| AnswerRow {
            index,
            label: words::answer_number(index),
            text,
            closes,
        })
        .collect()
}

/// The settings that a form says.
fn settings_in(posted: &Posted) -> SurveySettings {
    let closes = posted.field("closes");
    let mut choices = vec![];
    let mut closed_value = String::new();
    for index in 0..MAX_CHOICES {
        let text = normalise::typed(posted.field(&format!("answer-{index}")));
        if text.is_empty() {
            continue;
        }
        if closes == index.to_string() {
            closed_value = text.clone().into_owned();
        }
        choices.push(text.into_owned());
    }
    SurveySettings {
        name: normalise::typed(posted.field("name")).into_owned(),
        cases_enabled: posted.field("cases") == "yes",
        status: StatusQuestion {
            question: normalise::typed(posted.field("question")).into_owned(),
            choices,
            closed_value,
        },
        append_reference: posted.field("reference") == "yes",
        time_zone: time_zone_in(posted),
    }
}

/// UTC where the form does not say.
fn time_zone_in(posted: &Posted) -> TimeZone {
    let name = normalise::typed(posted.field("time_zone"));
    if name.is_empty() {
        TimeZone::default()
    } else {
        TimeZone::stored(name.into_owned())
    }
}

fn path(survey_id: SurveyId) -> String {
    format!("/surveys/{survey_id}")
}

async fn row(app: &App, survey_id: &str) -> Result<Option<SurveyRow>, Failed> {
    let Ok(survey_id) = survey_id.parse() else {
        return Ok(None);
    };
    Ok(surveys::find(&app.pool, survey_id).await?)
}

fn no_such_survey() -> Response {
    failure(StatusCode::NOT_FOUND, words::NO_SUCH_SURVEY.to_owned())
}

const fn cases(settings: &SurveySettings) -> &'static str {
    if settings.cases_enabled {
        words::CASES_ON
    } else {
        words::CASES_OFF
    }
}

/// All surveys.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    UrlQuery(query): UrlQuery<Query>,
    session: Session,
) -> Result<Response, Failed> {
    let frame = query.frame(&app, &session);
    let rows = surveys::all(&app.pool).await?;
    let entries = rows.into_iter().map(|row| SurveyEntry {
        href: path(row.survey_id),
        cases: cases(&row.settings),
        answers: row.settings.status.choices.join(" · "),
        question: row.settings.status.question,
        name: row.settings.name,
    });
    let template = Surveys {
        frame,
        tab: Tab::Surveys,
        entries: entries.collect(),
    };
    Ok(page(StatusCode::OK, &template))
}

/// The form of a new survey.
pub(super) async fn new(State(Console { app, .. }): State<Console>, session: Session) -> Response {
    show_new(&app, &session, StatusCode::OK, blank(&app))
}

fn show_new(app: &App, session: &Session, status: StatusCode, form: SurveyForm) -> Response {
    let template = NewSurvey {
        frame: Frame::of(app, session),
        tab: Tab::Surveys,
        form,
    };
    page(status, &template)
}

/// Creates a survey.
pub(super) async fn create(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let settings = settings_in(&posted);
    let operation = SetSurvey {
        survey_id: SurveyId((app.new_id)()),
        settings: settings.clone(),
        create: true,
        seen: None,
        by: by(&posted, &session),
    };
    match ask(&app, operation, words::survey_refusal).await {
        Ok(survey_id) => Ok(done(&posted, &path(survey_id), "survey-created")),
        Err(Refusal { status, sentence }) => {
            let form = SurveyForm {
                from: from(&posted),
                refusal: sentence,
                ..form_of(&app, None, &settings)
            };
            if is_from_setup(&posted) {
                return setup::refused(&app, &session, status, Body::Survey(Box::new(form))).await;
            }
            Ok(show_new(&app, &session, status, form))
        }
    }
}

/// How a survey is shown after something was refused.
#[derive(Default)]
struct Refused {
    /// The settings that the form shows, the version that it was made from, and why not.
    settings: Option<(SurveySettings, Option<u64>, String)>,
    /// What somebody else has changed.
    since: Option<Since>,
    /// The template that was sent, and why not.
    template: Option<TemplateForm>,
}

/// A survey.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    Path(survey_id): Path<String>,
    UrlQuery(query): UrlQuery<Query>,
    session: Session,
) -> Result<Response, Failed> {
    let frame = query.frame(&app, &session);
    match row(&app, &survey_id).await? {
        Some(row) => Ok(with(&app, frame, StatusCode::OK, row, Refused::default())),
        None => Ok(no_such_survey()),
    }
}

fn with(app: &App, frame: Frame, status: StatusCode, row: SurveyRow, refused: Refused) -> Response {
    let survey_id = row.survey_id;
    let is_compared = refused.since.is_some();
    let (settings, version, refusal) = match refused.settings {
        Some(sent) => sent,
        None => (row.settings.clone(), Some(row.version), String::new()),
    };
    let form = SurveyForm {
        version: version
            .map(|version| version.to_string())
            .unwrap_or_default(),
        refusal,
        since: refused.since,
        ..form_of(app, Some(survey_id), &settings)
    };
    let mut templates: Vec<_> = row
        .templates
        .into_iter()
        .map(|Template { name, text }| TemplateForm {
            was: name.clone(),
            was_text: text.clone(),
            name,
            text,
            refusal: String::new(),
            theirs: None,
        })
        .collect();
    let mut new_template = TemplateForm::empty();
    if let Some(sent) = refused.template {
        // One that is gone meanwhile is shown as a new one, so that what was written is not lost.
        let known = templates.iter_mut().find(|form| form.was == sent.was);
        match known {
            Some(form) => {
                let is_theirs = sent.was_text != form.text;
                *form = TemplateForm {
                    was_text: form.text.clone(),
                    theirs: is_theirs.then(|| form.text.clone()),
                    ..sent
                };
            }
            None => {
                new_template = TemplateForm {
                    was: String::new(),
                    ..sent
                }
            }
        }
    }
    let template = Survey {
        frame,
        tab: Tab::Surveys,
        name: row.settings.name.clone(),
        form,
        facts: facts(&row.settings),
        templates,
        new_template,
        templates_action: format!("{}/templates", path(survey_id)),
        once: (app.new_id)().to_string(),
    };
    let mut answer = page(status, &template);
    if is_compared {
        answer.extensions_mut().insert(AsShown);
    }
    answer
}

/// The settings in words.
fn facts(settings: &SurveySettings) -> Vec<Choice> {
    let reference = if settings.append_reference {
        words::REFERENCE_ON
    } else {
        words::REFERENCE_OFF
    };
    let mut facts = vec![
        Choice {
            name: words::SURVEY_CASES.to_owned(),
            value: format!("{} · {reference}", cases(settings)),
            is_current: false,
        },
        Choice {
            name: words::SURVEY_QUESTION.to_owned(),
            value: settings.status.question.clone(),
            is_current: false,
        },
    ];
    facts.push(Choice {
        name: words::SURVEY_ANSWERS.to_owned(),
        value: answers(&settings.status.choices, &settings.status.closed_value),
        is_current: false,
    });
    facts
}

/// The answers in words, with the one that closes a case.
fn answers(choices: &[String], closed_value: &str) -> String {
    let told = choices.iter().map(|choice| {
        if choice == closed_value {
            words::closing_answer(choice)
        } else {
            choice.clone()
        }
    });
    told.collect::<Vec<_>>().join(" · ")
}

/// Changes a survey's settings.
pub(super) async fn change(
    State(Console { app, .. }): State<Console>,
    Path(survey_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Some(row) = row(&app, &survey_id).await? else {
        return Ok(no_such_survey());
    };
    let settings = settings_in(&posted);
    let seen = since::seen(&posted);
    let operation = SetSurvey {
        survey_id: row.survey_id,
        settings: settings.clone(),
        create: false,
        seen,
        by: by(&posted, &session),
    };
    match ask(&app, operation, words::survey_refusal).await {
        Ok(survey_id) => Ok(done(&posted, &path(survey_id), "survey")),
        Err(Refusal { status, sentence }) => {
            // As it is now: somebody else may have changed it since it was read.
            let Some(row) = self::row(&app, &survey_id).await? else {
                return Ok(no_such_survey());
            };
            let stream = StreamId::Survey(row.survey_id);
            let past = since::past(&app, stream, seen.unwrap_or(row.version), settings_of).await?;
            let refused = match past {
                Some(past) if status == StatusCode::CONFLICT => {
                    let (settings, since) = compare(past, &row.settings, &settings);
                    Refused {
                        settings: Some((settings, Some(row.version), sentence)),
                        since: Some(since),
                        ..Refused::default()
                    }
                }
                _ => Refused {
                    settings: Some((settings, seen, sentence)),
                    ..Refused::default()
                },
            };
            let frame = Frame::of(&app, &session);
            Ok(with(&app, frame, status, row, refused))
        }
    }
}

fn settings_of(event: &Event) -> Option<SurveySettings> {
    match event {
        Event::Survey(
            SurveyEvent::SurveyCreated { settings, .. } | SurveyEvent::SurveyChanged { settings },
        ) => Some(settings.clone()),
        _ => None,
    }
}

/// The settings that the form shows after somebody else has changed some, and what the page tells of that.
fn compare(
    past: Past<SurveySettings>,
    now: &SurveySettings,
    typed: &SurveySettings,
) -> (SurveySettings, Since) {
    let mut with = Comparison::with(past);
    let name = with.field(
        words::SURVEY_NAME,
        |settings: &SurveySettings| settings.name.clone(),
        now,
        typed,
        |text| since::text(text),
    );
    let cases_enabled = with.field(
        words::SURVEY_CASES_ON,
        |settings| settings.cases_enabled,
        now,
        typed,
        |is_on| since::switch(*is_on),
    );
    let append_reference = with.field(
        words::SURVEY_REFERENCE_ON,
        |settings| settings.append_reference,
        now,
        typed,
        |is_on| since::switch(*is_on),
    );
    let question = with.field(
        words::SURVEY_QUESTION,
        |settings| settings.status.question.clone(),
        now,
        typed,
        |text| since::text(text),
    );
    // The answers and which of them closes belong together.
    let (choices, closed_value) = with.field(
        words::SURVEY_ANSWERS,
        |settings| {
            let status = settings.status.clone();
            (status.choices, status.closed_value)
        },
        now,
        typed,
        |(choices, closed_value)| answers(choices, closed_value),
    );
    let time_zone = with.field(
        words::outgoing::TIME_ZONE,
        |settings| settings.time_zone.clone(),
        now,
        typed,
        |zone| since::text(zone.name()),
    );
    let settings = SurveySettings {
        name,
        cases_enabled,
        status: StatusQuestion {
            question,
            choices,
            closed_value,
        },
        append_reference,
        time_zone,
    };
    (settings, with.end())
}

/// Adds, changes or removes one template of answers.
pub(super) async fn change_template(
    State(Console { app, .. }): State<Console>,
    Path(survey_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Some(row) = row(&app, &survey_id).await? else {
        return Ok(no_such_survey());
    };
    let name = posted.field("was").to_owned();
    let template = Template {
        name: normalise::typed(posted.field("name")).into_owned(),
        text: normalise::typed(posted.field("text")).into_owned(),
    };
    let change = if posted.field("remove") == "yes" {
        TemplateChange::Remove { name }
    } else if name.is_empty() {
        TemplateChange::Add(template)
    } else {
        let was = posted.field("was_text").to_owned();
        TemplateChange::Replace {
            name,
            was: Some(was).filter(|was| !was.is_empty()),
            template,
        }
    };
    let operation = ChangeTemplates {
        survey_id: row.survey_id,
        change,
        by: by(&posted, &session),
    };
    match ask(&app, operation, words::survey_refusal).await {
        Ok(()) => Ok(done(&posted, &path(row.survey_id), "template")),
        Err(Refusal { status, sentence }) => {
            // As it is now: somebody else may have changed it since it was read.
            let Some(row) = self::row(&app, &survey_id).await? else {
                return Ok(no_such_survey());
            };
            let refused = Refused {
                template: Some(TemplateForm {
                    was: posted.field("was").to_owned(),
                    was_text: posted.field("was_text").to_owned(),
                    theirs: None,
                    name: posted.field("name").to_owned(),
                    text: posted.field("text").to_owned(),
                    refusal: sentence,
                }),
                ..Refused::default()
            };
            let frame = Frame::of(&app, &session);
            Ok(with(&app, frame, status, row, refused))
        }
    }
}
