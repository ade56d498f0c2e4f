//! `/account`: what one is called, and how one wants the console to be.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use docket_domain::personal::Personal;
use docket_domain::text::time_zone;
use docket_domain::user::UserCommand;
use docket_domain::user::preferences::{Notify, PreferencesChange, Theme};

use super::account;
use crate::app::App;
use crate::console::act::submit;
use crate::console::pages::Choice;
use crate::console::session::{Posted, Session};
use crate::console::{Console, Failed, go, words};
use crate::http::problem::Problem;
use crate::operations::Administrator;
use crate::operations::user::ChangeUser;

/// The form of one's preferences.
pub(super) struct Form {
    pub(super) themes: Vec<Choice>,
    pub(super) zones: Vec<Choice>,
    /// What "no zone of one's own" means here.
    pub(super) no_zone: String,
    pub(super) next_case: bool,
    pub(super) notify: Notify,
}

impl Form {
    pub(super) fn of(app: &App, session: &Session) -> Self {
        let preferences = &session.preferences;
        let chosen = preferences.time_zone.as_deref().unwrap_or_default();
        Self {
            themes: Theme::ALL
                .into_iter()
                .map(|theme| Choice {
                    name: words::theme(theme).to_owned(),
                    value: theme.as_str().to_owned(),
                    is_current: theme == preferences.theme,
                })
                .collect(),
            zones: time_zone::names()
                .map(|name| Choice {
                    name: name.replace('_', " "),
                    value: name.to_owned(),
                    is_current: name == chosen,
                })
                .collect(),
            no_zone: words::zone_of_installation(app.people.installation_zone()),
            next_case: preferences.next_case,
            notify: preferences.notify,
        }
    }
}

/// Calls oneself something else.
pub(super) async fn name(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let name = Personal(posted.field("name").to_owned());
    let command = UserCommand::SetName(Some(name));
    Ok(match change(&app, &session, &posted, command).await {
        Ok(()) => go("/account?done=own-name"),
        Err(problem) => refused(&app, &session, &posted, problem),
    })
}

/// Changes the preferences.
pub(super) async fn change_preferences(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let zone = posted.field("time_zone");
    let command = UserCommand::ChangePreferences(PreferencesChange {
        theme: Theme::from_name(posted.field("theme")),
        time_zone: Some((!zone.is_empty()).then(|| zone.to_owned())),
        next_case: Some(!posted.field("next_case").is_empty()),
        ..PreferencesChange::default()
    });
    Ok(match change(&app, &session, &posted, command).await {
        Ok(()) => go("/account?done=preferences"),
        Err(problem) => refused(&app, &session, &posted, problem),
    })
}

/// Changes what a browser tells of.
pub(super) async fn change_notifications(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let is_on = |name: &str| Some(!posted.field(name).is_empty());
    let command = UserCommand::ChangePreferences(PreferencesChange {
        assignment: is_on("assignment"),
        mention: is_on("mention"),
        message: is_on("message"),
        sound: is_on("sound"),
        ..PreferencesChange::default()
    });
    Ok(match change(&app, &session, &posted, command).await {
        Ok(()) => go("/account?done=preferences"),
        Err(problem) => refused(&app, &session, &posted, problem),
    })
}

async fn change(
    app: &App,
    session: &Session,
    posted: &Posted,
    command: UserCommand,
) -> Result<(), Problem> {
    let operation = ChangeUser {
        user_id: session.user_id,
        command,
        secrets: vec![],
        by: Administrator::User(posted.asked(session)),
    };
    submit(app, operation).await.map(drop)
}

fn refused(app: &App, session: &Session, posted: &Posted, problem: Problem) -> Response {
    let refusal = words::refusal(&problem);
    let status = problem.into_response().status();
    account::with_typed_name(app, session, posted.field("name"), status, refusal)
}
