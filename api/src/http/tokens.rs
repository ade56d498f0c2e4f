//! API tokens. Agents and owners make and end their own; owners make those of service accounts, and end everybody's; auditors read them.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use docket_domain::ids::{TokenId, UserId};
use docket_domain::user::{Role, UserCommand};
use docket_projections::ledger::operation::SecretWrite;
use docket_projections::read::users::{self, TokenRow};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::NoFields;
use super::auth::{Asks, Caller, Reader, Worker};
use super::cases::created;
use super::input::Path;
use super::paging::Page;
use super::problem::{Kind, Problem};
use super::schemas;
use crate::app::App;
use crate::operations::user::ChangeUser;
use crate::users::NewToken;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
}

/// A token, without its text.
#[derive(Debug, Serialize, ToSchema)]
struct TokenView {
    /// Its id.
    id: Uuid,
    /// Its id, under the name that it has in the log.
    token_id: Uuid,
    /// What it is for.
    name: String,
    /// The user for whom it speaks.
    user_id: Uuid,
    /// That user's address; a service account's name.
    email: String,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl TokenView {
    fn new(row: TokenRow, email: String) -> Self {
        Self {
            id: row.token_id.0,
            token_id: row.token_id.0,
            name: row.name,
            user_id: row.user_id.0,
            email,
            created_at: row.created_at,
        }
    }
}

/// Every token; an agent sees their own.
#[utoipa::path(
    get,
    path = "/tokens",
    operation_id = "listTokens",
    tag = "tokens",
    responses((status = 200, description = "All tokens that were not ended", body = Page<TokenView>))
)]
async fn list(
    Reader(caller): Reader,
    State(app): State<App>,
) -> Result<Json<Page<TokenView>>, Problem> {
    let (mut tokens, users) =
        tokio::try_join!(users::all_tokens(&app.pool), users::all(&app.pool))?;
    tokens.retain(|token| caller.oversees() || token.user_id == caller.user_id);
    let emails: HashMap<UserId, String> = users
        .into_iter()
        .map(|user| (user.user_id, user.email.0))
        .collect();
    let views = tokens.into_iter().filter_map(|token| {
        // A removed user's tokens have ended with them.
        let email = emails.get(&token.user_id)?.clone();
        Some(TokenView::new(token, email))
    });
    Ok(Json(Page::whole(views.collect())))
}

/// A token that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    /// What it is for; 1 to 100 characters.
    #[schema(schema_with = schemas::token_name)]
    name: String,
    /// For whom it is to speak: the name of a service account, or the caller's own address; left out, the caller.
    #[serde(default)]
    #[schema(schema_with = schemas::email_or_service_name_or_null)]
    email: Option<String>,
    /// The same by the user's id.
    #[serde(default)]
    user_id: Option<Uuid>,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedToken {
    /// The token's text. It is shown once, in this answer, and kept nowhere: a request that repeats an idempotency key gets null.
    #[schema(required = true)]
    token: Option<String>,
    #[serde(flatten)]
    view: TokenView,
}

/// Makes a token for the caller or, if they are an owner, for a service account.
///
/// A token speaks in its user's name, so nobody makes one for another person.
/// Its text is in this answer and nowhere else. A request that repeats an idempotency key is answered without it: end such a
/// token and make another.
#[utoipa::path(
    post,
    path = "/tokens",
    operation_id = "createToken",
    tag = "tokens",
    request_body = TokenRequest,
    responses((status = 201, description = "The token was made", body = CreatedToken))
)]
async fn create(
    State(app): State<App>,
    asks: Asks<Worker, TokenRequest>,
) -> Result<Response, Problem> {
    let by = asks.by();
    let token_id = TokenId(asks.id(&app));
    let TokenRequest {
        name,
        email,
        user_id,
    } = asks.body;
    let user_id = speaker(&app, &asks.caller, email.as_deref(), user_id).await?;
    let NewToken { token, hash } = NewToken::generate();
    let secrets = vec![SecretWrite::Token {
        token_id,
        user_id,
        hash,
    }];
    let command = UserCommand::CreateToken { token_id, name };
    let outcome = super::submit(
        &app,
        ChangeUser {
            user_id,
            command,
            secrets,
            by,
        },
    )
    .await?;
    let found = users::find_token(&app.pool, token_id).await?;
    let row = found.ok_or_else(Problem::internal)?;
    let owner = users::find(&app.pool, row.user_id)
        .await?
        .ok_or_else(Problem::internal)?;
    let created_token = CreatedToken {
        token: (!outcome.is_repeated).then(|| token.expose_secret().to_owned()),
        view: TokenView::new(row, owner.email.0),
    };
    Ok(created(
        &format!("/api/v1/tokens/{token_id}"),
        created_token,
    ))
}

/// For whom a token is to speak.
async fn speaker(
    app: &App,
    caller: &Caller,
    email: Option<&str>,
    user_id: Option<Uuid>,
) -> Result<UserId, Problem> {
    let user = match (email, user_id) {
        (None, None) => return Ok(caller.user_id),
        (Some(_), Some(_)) => return Err(Problem::invalid("give email or user_id, not both")),
        (Some(email), None) => users::find_by_email_or_name(&app.pool, email).await?,
        (None, Some(user_id)) => users::find(&app.pool, UserId(user_id))
            .await?
            .filter(|user| !user.removed),
    };
    if caller.role != Role::Owner && user.as_ref().map(|user| user.user_id) != Some(caller.user_id)
    {
        return Err(Problem::new(
            Kind::Forbidden,
            "you make tokens for yourself; an owner makes those of service accounts",
        ));
    }
    let user = user.ok_or_else(|| {
        Problem::invalid(
            "email must be the address of a user, or the name of a service account; GET /api/v1/users lists them",
        )
    })?;
    Ok(user.user_id)
}

/// Ends a token; the next request with it is refused.
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    operation_id = "endToken",
    tag = "tokens",
    params(("id" = Uuid, Path, description = "The token")),
    responses((status = 204, description = "The token is ended"))
)]
async fn revoke(
    _: Worker,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Worker, NoFields>,
) -> Result<StatusCode, Problem> {
    let token_id = TokenId(id);
    let token = users::find_token(&app.pool, token_id).await?;
    // Somebody else's is as if it were not there, but for owners.
    let is_reached =
        |token: &TokenRow| asks.caller.role == Role::Owner || token.user_id == asks.caller.user_id;
    let token = token.filter(is_reached).ok_or_else(|| {
        Problem::not_found("there is no such token; GET /api/v1/tokens lists them")
    })?;
    if !token.revoked {
        let command = UserCommand::RevokeToken { token_id };
        let operation = ChangeUser {
            user_id: token.user_id,
            command,
            secrets: vec![],
            by: asks.by(),
        };
        super::submit(&app, operation).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
