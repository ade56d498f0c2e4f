//! `/account`: one's own name, preferences and password.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use docket_projections::accounts;
use secrecy::SecretString;

use super::preferences::Form;
use super::users::{Chosen, Done, submit_with};
use crate::app::App;
use crate::console::pages::Frame;
use crate::console::session::{Posted, Session};
use crate::console::throttle::Key;
use crate::console::{Console, Failed, device, go, page, words};
use crate::http::problem::Problem;
use crate::http::users::unhashed;
use crate::operations::Administrator;
use crate::operations::user::ChangeUser;
use crate::passwords;

#[derive(Template)]
#[template(path = "console/owners/account.html")]
struct Account {
    frame: Frame,
    once: String,
    refusal: String,
    /// What one is called, or what was typed as one's name.
    name: String,
    preferences: Form,
    /// What is wrong with a name or preferences.
    refusal_of_form: String,
}

/// One's own account after a name or preferences were refused.
pub(super) fn with_typed_name(
    app: &App,
    session: &Session,
    typed: &str,
    status: StatusCode,
    refusal: String,
) -> Response {
    let mut account = Account::of(app, session);
    if !typed.is_empty() {
        typed.clone_into(&mut account.name);
    }
    account.refusal_of_form = refusal;
    page(status, &account)
}

impl Account {
    fn of(app: &App, session: &Session) -> Self {
        Self {
            frame: Frame::of(app, session),
            once: (app.new_id)().to_string(),
            refusal: String::new(),
            name: session.name.clone().unwrap_or_default(),
            preferences: Form::of(app, session),
            refusal_of_form: String::new(),
        }
    }
}

/// One's own account.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    Query(done): Query<Done>,
    session: Session,
) -> Response {
    with(&app, &session, done.notice(), StatusCode::OK, String::new())
}

fn with(
    app: &App,
    session: &Session,
    notice: &'static str,
    status: StatusCode,
    refusal: String,
) -> Response {
    let mut account = Account::of(app, session);
    account.frame.notice = notice.into();
    account.refusal = refusal;
    page(status, &account)
}

/// Changes one's own password; all other sessions end.
pub(super) async fn change_password(
    State(console): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    match changed(&console, &session, &posted).await {
        Ok(new_hash) => {
            // The browser is known by the password, which is another one now.
            let device = device::set_cookie(session.user_id, &new_hash);
            Ok(([(SET_COOKIE, device)], go("/account?done=own-password")).into_response())
        }
        Err(Refused::TooOften) => {
            let sentence = words::SIGN_IN_TOO_OFTEN.to_owned();
            let status = StatusCode::TOO_MANY_REQUESTS;
            let mut answer = with(&console.app, &session, "", status, sentence);
            let headers = answer.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from_static("60"));
            Ok(answer)
        }
        Err(Refused::Problem(problem)) => {
            let sentence = words::refusal(&problem);
            let status = problem.into_response().status();
            Ok(with(&console.app, &session, "", status, sentence))
        }
    }
}

/// Why a password was not changed.
enum Refused {
    TooOften,
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

/// Changes the password; gives the new one's hash.
async fn changed(console: &Console, session: &Session, posted: &Posted) -> Result<String, Refused> {
    let app = &console.app;
    let (new, again) = (posted.field("new-password"), posted.field("again-password"));
    if !passwords::are_same(new, again) {
        return Err(Problem::invalid(words::PASSWORDS_DIFFER).into());
    }
    passwords::check(new).map_err(unhashed)?;
    // Whoever finds a browser open must not try passwords without an end.
    let here = Key::Session(session.id);
    if !console.throttle.takes(here.clone(), (app.clock)()) {
        return Err(Refused::TooOften);
    }
    let old = posted.field("old-password");
    if passwords::is_too_long(old) {
        return Err(Problem::invalid(words::OLD_PASSWORD_WRONG).into());
    }
    let known = accounts::password_hash(&app.pool, &session.email).await?;
    let known = known.ok_or_else(|| Problem::invalid(words::OLD_PASSWORD_WRONG))?;
    let old = SecretString::from(old);
    let is_right = passwords::verify_inside(old, known.password_hash, &session.email).await;
    if !is_right.map_err(unhashed)? {
        return Err(Problem::invalid(words::OLD_PASSWORD_WRONG).into());
    }
    console.throttle.forgive(&here);
    let hash = passwords::hash(new.into()).await.map_err(unhashed)?;
    let by = Administrator::User(posted.asked(session));
    let operation = ChangeUser::password(session.user_id, hash.clone(), Some(session.id), by);
    let chosen = Chosen {
        password: new.into(),
        is_ours: false,
    };
    submit_with(app, operation, &session.email, &chosen).await?;
    Ok(hash)
}
