//! Service accounts: programs as users, with names and tokens of their own and no passwords.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use docket_domain::access::Access;
use docket_domain::ids::UserId;
use docket_domain::personal::Personal;
use docket_domain::user::{Role, UserCommand, UserKind};
use docket_projections::read::surveys;

use super::tokens;
use super::users::{Rights, find, no_such_user, posted_access, posted_role, refused};
use crate::app::App;
use crate::console::act::submit;
use crate::console::pages::Frame;
use crate::console::session::{Posted, Session};
use crate::console::settings::Tab;
use crate::console::{Console, Failed, go, page, words};
use crate::http::problem::Problem;
use crate::operations::Administrator;
use crate::operations::user::ChangeUser;

#[derive(Template)]
#[template(path = "console/owners/new_service.html")]
struct NewService {
    frame: Frame,
    tab: Tab,
    name: String,
    rights: Rights,
    once: String,
    refusal: String,
}

/// The form for a new service account.
pub(super) async fn new(
    State(Console { app, .. }): State<Console>,
    session: Session,
) -> Result<Response, Failed> {
    let surveys = surveys::all(&app.pool).await?;
    let template = NewService {
        frame: Frame::of(&app, &session),
        tab: Tab::Users,
        name: String::new(),
        rights: Rights::of(Role::Agent, &Access::All, &surveys),
        once: (app.new_id)().to_string(),
        refusal: String::new(),
    };
    Ok(page(StatusCode::OK, &template))
}

/// Adds a service account, and leads to its page, where its tokens are made.
pub(super) async fn add(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let surveys = surveys::all(&app.pool).await?;
    let access = posted_access(&posted, &surveys);
    match add_service(&app, &session, &posted, access.clone()).await {
        Ok(user_id) => Ok(go(&format!("/users/{user_id}?done=added"))),
        Err(problem) => {
            let role = posted_role(&posted).unwrap_or(Role::Agent);
            let template = NewService {
                frame: Frame::of(&app, &session),
                tab: Tab::Users,
                name: posted.field("name").to_owned(),
                rights: Rights::of(role, &access, &surveys),
                once: (app.new_id)().to_string(),
                refusal: words::refusal(&problem),
            };
            Ok(page(problem.into_response().status(), &template))
        }
    }
}

async fn add_service(
    app: &App,
    session: &Session,
    posted: &Posted,
    access: Access,
) -> Result<UserId, Problem> {
    let user_id = UserId((app.new_id)());
    let operation = ChangeUser {
        user_id,
        command: UserCommand::AddService {
            user_id,
            name: Personal(posted.field("name").to_owned()),
            role: posted_role(posted)?,
            access,
        },
        secrets: vec![],
        by: Administrator::User(posted.asked(session)),
    };
    submit(app, operation).await
}

/// Makes a token for a service account, and shows it this once.
pub(super) async fn create_token(
    State(Console { app, .. }): State<Console>,
    Path(user_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let user = find(&app, &user_id).await?;
    let Some(user) = user.filter(|user| user.kind() == UserKind::Service) else {
        return Ok(no_such_user());
    };
    match tokens::make(&app, &session, &posted, user.user_id).await {
        Ok(answer) => Ok(answer),
        Err(problem) => refused(&app, &session, user, problem).await,
    }
}
