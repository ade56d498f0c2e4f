//! The settings: pages that owners change, auditors read, and agents do not see.
//!
//! Every page of them extends `console/settings.html`, fills its block `settings`, and says in a field `tab` which of the entries of
//! the navigation it belongs to. To add a group of pages: a [`Tab`], and its routes behind [`oversees`] for what is read
//! and [`may_set_up`] for what is changed.
//!
//! [`oversees`]: super::session::oversees
//! [`may_set_up`]: super::session::may_set_up

mod automatic;
mod labels;
mod lines;
mod setup;
pub(super) mod since;
mod surveys;
mod vonage;
mod whatsapp_templates;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use docket_projections::ledger::operation::{Answer, LedgerError, Operation};
use serde::Deserialize;

use super::pages::{Choice, Frame};
use super::session::{self, Posted, Session};
use super::{Console, go, place, words};
use crate::app::App;
use crate::http::problem::Problem;
use crate::operations::Administrator;

pub(super) use self::setup::beginning;

/// The pages of set-up, surveys, lines, labels and Vonage.
pub(super) fn routes() -> Router<Console> {
    let read = Router::new()
        .route("/setup", get(setup::show))
        .route("/surveys", get(surveys::list))
        .route("/surveys/{survey_id}", get(surveys::show))
        .route("/lines", get(lines::list))
        .route("/lines/{line_id}", get(lines::show))
        .route("/labels", get(labels::list))
        .route("/lines/{line_id}/automatic", get(automatic::show))
        .route("/whatsapp-templates", get(whatsapp_templates::list))
        .route("/vonage", get(vonage::show))
        .route_layer(middleware::from_fn(session::oversees));
    let changed = Router::new()
        .route("/surveys", post(surveys::create))
        .route("/surveys/new", get(surveys::new))
        .route("/surveys/{survey_id}", post(surveys::change))
        .route(
            "/surveys/{survey_id}/templates",
            post(surveys::change_template),
        )
        .route("/lines", post(lines::add))
        .route("/lines/new", get(lines::new))
        .route("/lines/{line_id}", post(lines::change))
        .route("/lines/{line_id}/remove", post(lines::remove))
        .route("/lines/{line_id}/resume", post(lines::resume))
        .route("/labels", post(labels::create))
        .route("/labels/{label_id}", post(labels::change))
        .route("/labels/{label_id}/delete", post(labels::delete))
        .route("/lines/{line_id}/automatic", post(automatic::change))
        .route("/whatsapp-templates", post(whatsapp_templates::add))
        .route(
            "/whatsapp-templates/{template_id}",
            post(whatsapp_templates::change),
        )
        .route("/vonage", post(vonage::change))
        .route("/vonage/test", post(vonage::test))
        .route_layer(middleware::from_fn(session::may_set_up));
    read.merge(changed)
}

/// What the address of a page says beside its path. Whatever cannot be read is as if it were not there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    /// What was just done.
    done: String,
    /// What came of a test of the credentials.
    tested: String,
    /// Which step of the set-up is shown.
    step: String,
    /// Behind which step of the set-up to go on.
    after: String,
}

impl Query {
    fn frame(&self, app: &App, session: &Session) -> Frame {
        let mut frame = Frame::of(app, session);
        frame.notice = words::settings_done(&self.done).into();
        frame
    }
}

/// The field of forms on the page of set-up, by which they lead back there.
const FROM: &str = "from";
const FROM_SETUP: &str = "setup";

fn is_from_setup(posted: &Posted) -> bool {
    posted.field(FROM) == FROM_SETUP
}

/// The same as a form that is shown again says it.
fn from(posted: &Posted) -> &'static str {
    if is_from_setup(posted) {
        FROM_SETUP
    } else {
        ""
    }
}

/// Where a form leads that was done: back to the set-up if it came from there.
fn done(posted: &Posted, path: &str, what: &str) -> Response {
    if is_from_setup(posted) {
        return go(&setup::after(what));
    }
    go(&place::with_query(path, &[("done", what)]))
}

fn by(posted: &Posted, session: &Session) -> Administrator {
    Administrator::User(posted.asked(session))
}

/// Why a form was not done.
struct Refusal {
    status: StatusCode,
    sentence: String,
}

impl Refusal {
    /// What was entered is not possible.
    fn of_value(sentence: impl Into<String>) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            sentence: sentence.into(),
        }
    }
}

/// Has an operation done; a form sent twice is done once. `in_words` says a refusal as people read it.
async fn ask<O: Operation>(
    app: &App,
    operation: O,
    in_words: impl FnOnce(&O::Refusal) -> String,
) -> Result<O::Output, Refusal>
where
    Problem: From<O::Refusal>,
{
    let problem = match app.ledger.submit(operation).await {
        Ok(Answer::Done(output) | Answer::Repeated(output)) => return Ok(output),
        Ok(Answer::Duplicate) => Problem::internal(),
        Err(LedgerError::Refused(refusal)) => {
            let sentence = in_words(&refusal);
            let status = Problem::from(refusal).kind().status();
            return Err(Refusal { status, sentence });
        }
        Err(error) => error.into(),
    };
    let sentence = words::refusal(&problem);
    // The problem's own answer logs its cause.
    let status = problem.into_response().status();
    Err(Refusal { status, sentence })
}

/// A group of pages among the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Setup,
    Surveys,
    Lines,
    Labels,
    WhatsappTemplates,
    Vonage,
    Users,
    Tokens,
    Unrouted,
    Health,
    Reports,
}

impl Tab {
    const ALL: [Self; 11] = [
        Self::Setup,
        Self::Surveys,
        Self::Lines,
        Self::Labels,
        Self::WhatsappTemplates,
        Self::Vonage,
        Self::Users,
        Self::Tokens,
        Self::Unrouted,
        Self::Health,
        Self::Reports,
    ];

    const fn path(self) -> &'static str {
        match self {
            Self::Setup => "/setup",
            Self::Surveys => "/surveys",
            Self::Lines => "/lines",
            Self::Labels => "/labels",
            Self::WhatsappTemplates => "/whatsapp-templates",
            Self::Vonage => "/vonage",
            Self::Users => "/users",
            Self::Tokens => "/tokens",
            Self::Unrouted => "/unrouted",
            Self::Health => "/health",
            Self::Reports => "/reports",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Setup => words::TAB_SETUP,
            Self::Surveys => words::TAB_SURVEYS,
            Self::Lines => words::TAB_LINES,
            Self::Labels => words::labels::LABELS,
            Self::WhatsappTemplates => words::outgoing::TEMPLATES,
            Self::Vonage => words::TAB_VONAGE,
            Self::Users => words::TAB_USERS,
            Self::Tokens => words::TAB_TOKENS,
            Self::Unrouted => words::TAB_UNROUTED,
            Self::Health => words::TAB_HEALTH,
            Self::Reports => words::TAB_REPORTS,
        }
    }

    /// The navigation, as a page of this group shows it.
    pub(super) fn entries(self) -> Vec<Choice> {
        let entries = Self::ALL.into_iter().map(|tab| Choice {
            name: tab.name().to_owned(),
            value: tab.path().to_owned(),
            is_current: tab == self,
        });
        entries.collect()
    }
}
