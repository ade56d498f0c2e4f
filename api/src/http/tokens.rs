//! API tokens. Owners change them, auditors read them.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use docket_domain::ids::{TokenId, UserId};
use docket_domain::user::{UserCommand, normalise_email};
use docket_projections::ledger::operation::SecretWrite;
use docket_projections::read::users::{self, TokenRow};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::NoFields;
use super::auth::{Asks, Overseer, Owner};
use super::cases::created;
use super::input::Path;
use super::paging::Page;
use super::problem::Problem;
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
    /// That user's address.
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

/// Every token.
#[utoipa::path(
    get,
    path = "/tokens",
    operation_id = "listTokens",
    tag = "tokens",
    responses((status = 200, description = "All tokens that were not ended", body = Page<TokenView>))
)]
async fn list(_: Overseer, State(app): State<App>) -> Result<Json<Page<TokenView>>, Problem> {
    let (tokens, users) = tokio::try_join!(users::all_tokens(&app.pool), users::all(&app.pool))?;
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
    name: String,
    /// The address of the user for whom it is to speak; left out, the caller.
    #[serde(default)]
    email: Option<String>,
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

/// Makes a token.
///
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
    asks: Asks<Owner, TokenRequest>,
) -> Result<Response, Problem> {
    let by = asks.by();
    let token_id = TokenId(asks.id(&app));
    let TokenRequest { name, email } = asks.body;
    let user_id = match email {
        None => asks.caller.user_id,
        Some(email) => {
            let email = normalise_email(&email).unwrap_or_default();
            let user = users::find_by_email(&app.pool, &email).await?;
            user.ok_or_else(|| Problem::invalid("email must be the address of a user"))?
                .user_id
        }
    };
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
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Owner, NoFields>,
) -> Result<StatusCode, Problem> {
    let token_id = TokenId(id);
    let token = users::find_token(&app.pool, token_id).await?;
    let token = token.ok_or_else(|| {
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
