//! `/setup`: leads an owner through the first survey, the first line and Vonage, in that order: what needs nothing else comes first.
//!
//! Nothing is remembered of it: what is there is done, and the first step that is not done is shown, unless the address names another.
//! A form leads on behind its own step, so that what was skipped before it stays skipped.

use axum::extract::{Query as UrlQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use docket_domain::user::Role;
use docket_projections::read::lines;
use docket_projections::read::surveys::{self, SurveyRow};

use super::lines::LineForm;
use super::surveys::SurveyForm;
use super::vonage::VonageForm;
use super::{Query, Tab};
use crate::app::App;
use crate::console::owners::health::webhooks::{self, Remark};
use crate::console::owners::health::{Tone, known_webhooks};
use crate::console::pages::Frame;
use crate::console::place::with_query;
use crate::console::session::Session;
use crate::console::{Console, Failed, page, words};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Vonage,
    Survey,
    Line,
}

impl Step {
    const ALL: [Self; 3] = [Self::Survey, Self::Line, Self::Vonage];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Vonage => "vonage",
            Self::Survey => "survey",
            Self::Line => "line",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Vonage => words::SETUP_VONAGE,
            Self::Survey => words::SETUP_SURVEY,
            Self::Line => words::SETUP_LINE,
        }
    }

    fn href(self) -> String {
        format!("/setup?step={}", self.as_str())
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }
}

/// Where the set-up goes on behind the step whose form was done.
pub(super) fn after(done: &str) -> String {
    let step = Step::ALL
        .into_iter()
        .find(|step| done.starts_with(step.as_str()));
    let step = step.map_or("", Step::as_str);
    with_query("/setup", &[("after", step), ("done", done)])
}

struct StepView {
    name: &'static str,
    href: String,
    is_done: bool,
    is_current: bool,
}

/// What stands below the steps.
pub(super) enum Body {
    Vonage(Box<VonageForm>),
    Survey(Box<SurveyForm>),
    Line(Box<LineForm>),
    /// A line needs a survey first.
    NoSurvey,
    /// All is done.
    Done,
    /// These were skipped: where they are, and what they are called.
    Skipped(Vec<(String, &'static str)>),
    /// The person only looks.
    Nothing,
}

impl Body {
    /// The step that it belongs to.
    const fn step(&self) -> Option<Step> {
        match self {
            Self::Vonage(_) => Some(Step::Vonage),
            Self::Survey(_) => Some(Step::Survey),
            Self::Line(_) | Self::NoSurvey => Some(Step::Line),
            Self::Done | Self::Skipped(_) | Self::Nothing => None,
        }
    }
}

#[derive(askama::Template)]
#[template(path = "console/setup.html")]
struct Setup {
    frame: Frame,
    tab: Tab,
    steps: Vec<StepView>,
    /// The heading above the form.
    heading: &'static str,
    body: Body,
    /// What is wrong with the webhooks that came.
    remarks: Vec<Remark>,
    /// The step after this one, and how it is called to go there.
    next: Option<(String, &'static str)>,
}

/// How far the set-up is.
struct Progress {
    /// Whether Vonage's settings are entered.
    vonage: bool,
    /// What is known of the webhooks that came.
    webhooks: webhooks::Known,
    surveys: Vec<SurveyRow>,
    line: bool,
}

impl Progress {
    async fn of(app: &App) -> Result<Self, Failed> {
        Ok(Self {
            vonage: super::vonage::is_set_up(app),
            webhooks: known_webhooks(app).await?,
            surveys: surveys::all(&app.pool).await?,
            line: !lines::all(&app.pool).await?.is_empty(),
        })
    }

    /// Whether all is entered that a step asks for.
    const fn is_entered(&self, step: Step) -> bool {
        match step {
            Step::Vonage => self.vonage,
            Step::Survey => !self.surveys.is_empty(),
            Step::Line => self.line,
        }
    }

    /// Whether a step is done: Vonage's, when webhooks come that are signed rightly.
    const fn is_done(&self, step: Step) -> bool {
        let comes = !matches!(step, Step::Vonage) || self.webhooks.last_genuine.is_some();
        self.is_entered(step) && comes
    }

    /// What an owner has to know of the webhooks.
    fn remarks(&self) -> Vec<Remark> {
        if !self.vonage {
            return vec![];
        }
        let is_trouble = |remark: &Remark| remark.tone != Tone::Good;
        // That none has come yet is no trouble before there is a line to write to.
        let none_yet = self.webhooks.recent.is_empty() && !self.line;
        let remarks = webhooks::judge(&self.webhooks);
        remarks
            .into_iter()
            .filter(is_trouble)
            .filter(|_| !none_yet)
            .collect()
    }
}

/// Where somebody begins who has signed in: with the set-up, where an owner finds no line and signs in with this browser for the
/// first time. The inbox says later that there is no line.
pub(in crate::console) async fn beginning(
    app: &App,
    role: Role,
    is_known: bool,
) -> Result<&'static str, Failed> {
    let begins_with_setup =
        role == Role::Owner && !is_known && lines::all(&app.pool).await?.is_empty();
    Ok(if begins_with_setup { "/setup" } else { "/" })
}

/// The page.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    UrlQuery(query): UrlQuery<Query>,
    session: Session,
) -> Result<Response, Failed> {
    let frame = query.frame(&app, &session);
    // Before the progress is looked at, which depends on it.
    let vonage = super::vonage::form_for_setup(&app, &query.tested).await?;
    let progress = Progress::of(&app).await?;
    let missing: Vec<Step> = Step::ALL
        .into_iter()
        .filter(|step| !progress.is_entered(*step))
        .collect();
    let behind = |step: Step| {
        let place = |of: Step| Step::ALL.iter().position(|step| *step == of);
        let mut later = missing.iter().copied();
        later.find(|other| place(*other) > place(step))
    };
    let next = match Step::named(&query.after) {
        Some(step) => behind(step),
        None => missing.first().copied(),
    };
    let step = Step::named(&query.step).or(next);
    let body = match step {
        _ if !session.may_set_up() => Body::Nothing,
        None if missing.is_empty() => Body::Done,
        None => Body::Skipped(
            missing
                .iter()
                .map(|step| (step.href(), step.name()))
                .collect(),
        ),
        Some(Step::Vonage) => Body::Vonage(Box::new(vonage)),
        Some(Step::Survey) => Body::Survey(Box::new(super::surveys::blank_for_setup(&app))),
        Some(Step::Line) if progress.surveys.is_empty() => Body::NoSurvey,
        Some(Step::Line) => {
            let form = super::lines::blank_for_setup(&app, &progress.surveys);
            Body::Line(Box::new(form))
        }
    };
    let step = step.filter(|_| session.may_set_up());
    Ok(with(frame, StatusCode::OK, &progress, step, body))
}

fn with(
    frame: Frame,
    status: StatusCode,
    progress: &Progress,
    current: Option<Step>,
    body: Body,
) -> Response {
    let steps = Step::ALL.into_iter().map(|step| StepView {
        name: step.name(),
        href: step.href(),
        is_done: progress.is_done(step),
        is_current: Some(step) == current,
    });
    let next = current.map(|step| {
        let after = Step::ALL.into_iter().skip_while(|other| *other != step);
        let to_do = after.skip(1).find(|other| !progress.is_entered(*other));
        match (progress.is_entered(step), to_do) {
            (true, to_do) => {
                let end = || with_query("/setup", &[("after", step.as_str())]);
                (to_do.map_or_else(end, Step::href), words::SETUP_NEXT)
            }
            (false, Some(to_do)) => (to_do.href(), words::SETUP_LATER),
            // What was skipped before stays skipped.
            (false, None) => ("/".to_owned(), words::SETUP_TO_INBOX),
        }
    });
    let template = Setup {
        frame,
        tab: Tab::Setup,
        steps: steps.collect(),
        heading: current.map_or("", Step::name),
        body,
        remarks: progress.remarks(),
        next,
    };
    page(status, &template)
}

/// The page after the form of a step was refused, or previewed.
pub(super) async fn refused(
    app: &App,
    session: &Session,
    status: StatusCode,
    body: Body,
) -> Result<Response, Failed> {
    let frame = Frame::of(app, session);
    let progress = Progress::of(app).await?;
    Ok(with(frame, status, &progress, body.step(), body))
}
