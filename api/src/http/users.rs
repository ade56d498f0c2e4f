//! Users: who signs in. For owners only.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use docket_domain::ids::UserId;
use docket_domain::personal::Personal;
use docket_domain::user::{Role, UserCommand, UserError, normalise_email};
use docket_projections::ledger::operation::{LedgerError, SecretWrite};
use docket_projections::read::users::{self, UserRow};
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
use super::problem::{Kind, Problem};
use crate::app::App;
use crate::operations::user::ChangeUser;
use crate::passwords::{self, PasswordError};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(remove))
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
struct UserView {
    /// Their id.
    id: Uuid,
    /// Their id, under the name that it has elsewhere.
    user_id: Uuid,
    /// The address they sign in with, in lower case.
    email: String,
    /// `owner`, `agent` or `auditor`.
    role: &'static str,
    /// When they were added.
    created_at: DateTime<Utc>,
}

impl From<UserRow> for UserView {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.user_id.0,
            user_id: row.user_id.0,
            email: row.email.0,
            role: row.role.as_str(),
            created_at: row.created_at,
        }
    }
}

pub(super) fn no_such_user() -> Problem {
    Problem::not_found("there is no such user; GET /api/v1/users lists them")
}

fn unhashed(error: PasswordError) -> Problem {
    match error {
        PasswordError::TooShort | PasswordError::TooLong => Problem::invalid(error.to_string()),
        PasswordError::Hashing => Problem::internal().caused_by(&error),
    }
}

fn email_taken() -> Problem {
    Problem::new(Kind::EmailTaken, "another user has that address")
}

/// Every user.
#[utoipa::path(
    get,
    path = "/users",
    operation_id = "listUsers",
    tag = "users",
    responses((status = 200, description = "All users that were not removed", body = Page<UserView>))
)]
async fn list(_: Overseer, State(app): State<App>) -> Result<Json<Page<UserView>>, Problem> {
    let rows = users::all(&app.pool).await?;
    Ok(Json(Page::whole(
        rows.into_iter().map(UserView::from).collect(),
    )))
}

/// A user that is to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// The address they sign in with.
    email: String,
    /// `owner`, `agent` or `auditor`.
    role: String,
    /// 10 to 1,000 characters; without one they have only the API.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Password>,
}

/// A password on its way to its hash; `Debug` shows nothing of it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Password(Personal<String>);

/// Adds a user.
///
/// A request that repeats an idempotency key with another password changes nothing.
#[utoipa::path(
    post,
    path = "/users",
    operation_id = "addUser",
    tag = "users",
    request_body = NewUser,
    responses((status = 201, description = "The user was added", body = UserView))
)]
async fn add(State(app): State<App>, mut asks: Asks<Owner, NewUser>) -> Result<Response, Problem> {
    // A hash of the whole body would be a quick way to guess the password.
    let has_password = if asks.body.password.is_some() {
        "password"
    } else {
        ""
    };
    let what = [asks.body.email.clone(), asks.body.role.clone()];
    asks.fingerprint_of(
        &Method::POST,
        "/api/v1/users",
        &[&what[0], &what[1], has_password],
    );

    let by = asks.by();
    let user_id = UserId(asks.id(&app));
    let NewUser {
        email,
        role,
        password,
    } = asks.body;
    let role = Role::from_name(&role)
        .ok_or_else(|| Problem::invalid("role must be one of owner, agent, auditor"))?;
    let email = normalise_email(&email).ok_or(UserError::Email)?;
    // The user that an earlier try of this request has added is not somebody else.
    let is_taken = |found: Option<UserRow>| found.is_some_and(|user| user.user_id != user_id);
    if is_taken(users::find_by_email(&app.pool, &email).await?) {
        return Err(email_taken());
    }
    let secret = match password {
        None => None,
        Some(Password(Personal(password))) => {
            let hash = passwords::hash(password.into()).await.map_err(unhashed)?;
            Some(SecretWrite::Password { user_id, hash })
        }
    };
    let command = UserCommand::Add {
        user_id,
        email: Personal(email.clone()),
        role,
    };
    match super::submit(
        &app,
        ChangeUser {
            user_id,
            command,
            secret,
            by,
        },
    )
    .await
    {
        Ok(_) => {}
        // Two at once: the database took one of them.
        Err(LedgerError::Broken) if is_taken(users::find_by_email(&app.pool, &email).await?) => {
            return Err(email_taken());
        }
        Err(error) => return Err(error.into()),
    }
    let row = users::find(&app.pool, user_id).await?;
    let view = UserView::from(row.ok_or_else(no_such_user)?);
    Ok(created(&format!("/api/v1/users/{user_id}"), view))
}

/// Removes a user; their tokens end with them.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    operation_id = "removeUser",
    tag = "users",
    params(("id" = Uuid, Path, description = "The user")),
    responses((status = 204, description = "The user is removed"))
)]
async fn remove(
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Owner, NoFields>,
) -> Result<StatusCode, Problem> {
    let user_id = UserId(id);
    // Whoever removes another stays, so there is always an owner left.
    if user_id == asks.caller.user_id {
        return Err(Problem::new(
            Kind::OwnAccount,
            "nobody removes themselves; ask another owner",
        ));
    }
    let operation = ChangeUser {
        user_id,
        command: UserCommand::Remove,
        secret: None,
        by: asks.by(),
    };
    super::submit(&app, operation).await?;
    Ok(StatusCode::NO_CONTENT)
}
