//! `/tokens`: what programs sign in with.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use docket_domain::ids::{TokenId, UserId};
use docket_domain::text::normalise;
use docket_domain::user::{Role, UserCommand};
use docket_projections::accounts;
use docket_projections::ledger::operation::{Answer, SecretWrite};
use docket_projections::read::users::{self, TokenRow};
use secrecy::ExposeSecret;

use super::users::Done;
use crate::app::App;
use crate::console::act::submit;
use crate::console::pages::{Frame, When};
use crate::console::session::{Posted, Session};
use crate::console::settings::Tab;
use crate::console::{Console, Failed, failure, go, page, words};
use crate::http::problem::Problem;
use crate::operations::Administrator;
use crate::operations::user::ChangeUser;
use crate::users::NewToken;

struct TokenEntry {
    name: String,
    /// Whose it is, where others' are shown too.
    email: String,
    made: When,
    used: Option<When>,
    /// Where it is ended, by those who may.
    revoke: Option<String>,
}

#[derive(Template)]
#[template(path = "console/owners/tokens.html")]
struct Tokens {
    frame: Frame,
    tab: Tab,
    about: &'static str,
    entries: Vec<TokenEntry>,
    name: String,
    once: String,
    refusal: String,
}

/// One's own tokens; everybody's for owners and auditors.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    Query(done): Query<Done>,
    session: Session,
) -> Result<Response, Failed> {
    let notice = done.notice();
    with(&app, &session, notice, StatusCode::OK, "", String::new()).await
}

async fn with(
    app: &App,
    session: &Session,
    notice: &'static str,
    status: StatusCode,
    name: &str,
    refusal: String,
) -> Result<Response, Failed> {
    let mut frame = Frame::of(app, session);
    frame.notice = notice.into();
    let now = (app.clock)();
    let tokens = if session.oversees() {
        users::all_tokens(&app.pool).await?
    } else {
        users::tokens_of(&app.pool, session.user_id).await?
    };
    let emails: HashMap<UserId, String> = users::all(&app.pool)
        .await?
        .into_iter()
        .map(|user| (user.user_id, user.email.0))
        .collect();
    let used = accounts::tokens_last_used(&app.pool).await?;
    let entries = tokens.into_iter().filter_map(|token| {
        // A removed user's tokens have ended with them.
        let email = emails.get(&token.user_id)?.clone();
        Some(TokenEntry {
            revoke: may_revoke(session, &token)
                .then(|| format!("/tokens/{}/revoke", token.token_id)),
            made: When::of(token.created_at, now),
            used: used.get(&token.token_id).map(|at| When::of(*at, now)),
            name: token.name,
            email,
        })
    });
    let template = Tokens {
        frame,
        tab: Tab::Tokens,
        about: if session.oversees() {
            words::TOKENS_ABOUT_ALL
        } else {
            words::TOKENS_ABOUT_OWN
        },
        entries: entries.collect(),
        name: name.to_owned(),
        once: (app.new_id)().to_string(),
        refusal,
    };
    Ok(page(status, &template))
}

fn may_revoke(session: &Session, token: &TokenRow) -> bool {
    match session.role {
        Role::Owner => true,
        Role::Agent => token.user_id == session.user_id,
        Role::Auditor => false,
    }
}

/// A token that was made.
#[derive(Template)]
#[template(path = "console/owners/token.html")]
struct Made {
    frame: Frame,
    tab: Tab,
    name: String,
    /// `None` where the form was sent a second time: the text is kept nowhere.
    token: Option<String>,
}

/// Makes a token for oneself, and shows it this once.
pub(super) async fn create(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    match make(&app, &session, &posted, session.user_id).await {
        Ok(answer) => Ok(answer),
        Err(problem) => {
            let sentence = words::refusal(&problem);
            let status = problem.into_response().status();
            let name = posted.field("name").trim();
            with(&app, &session, "", status, name, sentence).await
        }
    }
}

/// Makes a token that a form asks for, and shows it this once.
pub(super) async fn make(
    app: &App,
    session: &Session,
    posted: &Posted,
    user_id: UserId,
) -> Result<Response, Problem> {
    let token_id = TokenId((app.new_id)());
    let name = normalise::typed(posted.field("name")).into_owned();
    let NewToken { token, hash } = NewToken::generate();
    let operation = ChangeUser {
        user_id,
        command: UserCommand::CreateToken {
            token_id,
            name: name.clone(),
        },
        secrets: vec![SecretWrite::Token {
            token_id,
            user_id,
            hash,
        }],
        by: Administrator::User(posted.asked(session)),
    };
    let answer = app.ledger.submit(operation).await?;
    let is_new = !matches!(answer, Answer::Repeated(_));
    let template = Made {
        frame: Frame::of(app, session),
        tab: Tab::Tokens,
        name,
        token: is_new.then(|| token.expose_secret().to_owned()),
    };
    Ok(page(StatusCode::OK, &template))
}

/// Ends a token. Somebody else's is as if it were not there, but for owners.
pub(super) async fn revoke(
    State(Console { app, .. }): State<Console>,
    Path(token_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let token = match token_id.parse::<TokenId>() {
        Ok(token_id) => users::find_token(&app.pool, token_id).await?,
        Err(_) => None,
    };
    let Some(token) = token.filter(|token| may_revoke(&session, token)) else {
        return Ok(failure(
            StatusCode::NOT_FOUND,
            words::NO_SUCH_TOKEN.to_owned(),
        ));
    };
    if !token.revoked {
        let operation = ChangeUser {
            user_id: token.user_id,
            command: UserCommand::RevokeToken {
                token_id: token.token_id,
            },
            secrets: vec![],
            by: Administrator::User(posted.asked(&session)),
        };
        submit(&app, operation).await.map_err(Failed)?;
    }
    Ok(go("/tokens?done=revoked"))
}
