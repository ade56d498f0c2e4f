//! Users: who signs in, and service accounts. Owners change them, auditors read them.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use docket_domain::access::Access;
use docket_domain::ids::{SurveyId, UserId};
use docket_domain::personal::Personal;
use docket_domain::user::name::{initials, normalise_name};
use docket_domain::user::{
    Role, UserCommand, UserError, UserKind, normalise_email, normalise_service_name,
};
use docket_projections::ledger::operation::SecretWrite;
use docket_projections::read::users::{self, UserRow};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::NoFields;
use super::auth::{Asks, Overseer, Owner};
use super::cases::created;
use super::input::{Path, present};
use super::paging::Page;
use super::problem::{Kind, Problem};
use super::schemas;
use crate::app::App;
use crate::operations::user::ChangeUser;
use crate::passwords::{self, PasswordError};
use crate::users::has_password;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(change, remove))
        .routes(routes!(set_password))
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
struct UserView {
    /// Their id.
    id: Uuid,
    /// Their id, under the name that it has elsewhere.
    user_id: Uuid,
    /// `person`, or `service` for a program, which has tokens and no password.
    kind: &'static str,
    /// The address they sign in with, in lower case; a service account's name.
    email: String,
    /// What colleagues call a person, null where nobody has said; a service account's name.
    #[schema(required = true)]
    name: Option<String>,
    /// The initials of the name, or else of the address.
    initials: String,
    /// `owner`, `agent` or `auditor`.
    role: &'static str,
    /// The surveys whose cases they reach when they are an agent; null for all.
    #[schema(required = true)]
    surveys: Option<Vec<Uuid>>,
    /// When they were added.
    created_at: DateTime<Utc>,
}

impl From<UserRow> for UserView {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.user_id.0,
            user_id: row.user_id.0,
            kind: row.kind().as_str(),
            initials: initials(row.shown()),
            name: match row.kind() {
                UserKind::Service => Some(row.email.0.clone()),
                UserKind::Person => row.name.as_ref().map(|name| name.0.clone()),
            },
            email: row.email.0.clone(),
            role: row.role.as_str(),
            surveys: surveys(&row.access),
            created_at: row.created_at,
        }
    }
}

pub(super) fn surveys(access: &Access) -> Option<Vec<Uuid>> {
    let surveys = access.surveys()?;
    Some(surveys.into_iter().map(|survey_id| survey_id.0).collect())
}

fn access(surveys: Option<Vec<Uuid>>) -> Access {
    surveys
        .map(|surveys| surveys.into_iter().map(SurveyId).collect::<Vec<_>>())
        .into()
}

fn role(name: &str) -> Result<Role, Problem> {
    Role::from_name(name)
        .ok_or_else(|| Problem::invalid("role must be one of owner, agent, auditor"))
}

/// A person's name; unlike in a form, an empty one is none.
pub(super) fn name(name: &str) -> Result<Personal<String>, Problem> {
    Ok(normalise_name(name).ok_or(UserError::Name)?.into())
}

pub(super) fn no_such_user() -> Problem {
    Problem::not_found("there is no such user; GET /api/v1/users lists them")
}

pub(crate) fn unhashed(error: PasswordError) -> Problem {
    match error {
        PasswordError::TooShort | PasswordError::TooLong => Problem::invalid(error.to_string()),
        PasswordError::Busy => Problem::new(Kind::TooMany, error.to_string()),
        PasswordError::Hashing => Problem::internal().caused_by(&error),
    }
}

/// What was done before must have been done with the password that is asked for now.
async fn must_hold(
    app: &App,
    is_repeated: bool,
    email: &str,
    password: Option<SecretString>,
) -> Result<(), Problem> {
    let Some(password) = password.filter(|_| is_repeated) else {
        return Ok(());
    };
    if has_password(app, email, password).await? {
        return Ok(());
    }
    Err(Problem::new(
        Kind::IdempotencyKeyReused,
        "the idempotency key was used before, and the user has another password; send this one with a key of its own",
    ))
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
    /// `person`, the default, or `service` for a program, which has tokens and no password.
    #[serde(default)]
    #[schema(schema_with = schemas::user_kind_or_null)]
    kind: Option<String>,
    /// The address that a person signs in with.
    #[serde(default)]
    #[schema(schema_with = schemas::email_or_null)]
    email: Option<String>,
    /// What colleagues call a person, or the name of a service account: 1 to 100 characters, no `@`. A service account's stands in the
    /// history where a person's address stands.
    #[serde(default)]
    #[schema(schema_with = schemas::service_name_or_null)]
    name: Option<String>,
    /// `owner`, `agent` or `auditor`.
    #[schema(schema_with = schemas::role)]
    role: String,
    /// 10 to 1,000 characters; without one they have only the API. A service account has none.
    #[serde(default)]
    #[schema(schema_with = schemas::password_or_null)]
    password: Option<Password>,
    /// The surveys whose cases they reach when they are an agent; null or left out for all. Owners and auditors reach all.
    #[serde(default)]
    surveys: Option<Vec<Uuid>>,
}

/// A password on its way to its hash; `Debug` shows nothing of it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Password(Personal<String>);

/// Adds a person, or a service account.
///
/// A person has an `email`, and a `name` if you like; a service account has a `name`, and `POST /tokens` makes its tokens.
/// A request that repeats an idempotency key with another password changes nothing, and is refused.
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
    let NewUser {
        kind, email, name, ..
    } = &asks.body;
    let mut known_by = email.clone().unwrap_or_default();
    // Without these the fingerprint is that of earlier versions, so that a request of theirs is known when it comes again.
    for (field, value) in [("kind", kind), ("name", name)] {
        if let Some(value) = value {
            let _ = write!(known_by, "\n{field} {value}");
        }
    }
    let what = [known_by, asks.body.role.clone()];
    let mut what: Vec<&str> = what.iter().map(String::as_str).collect();
    what.push(has_password);
    let kept_to = asks.body.surveys.as_deref().map(|surveys| {
        let ids: Vec<String> = surveys.iter().map(ToString::to_string).collect();
        ids.join(" ")
    });
    what.extend(kept_to.as_deref());
    asks.fingerprint_of(&Method::POST, "/api/v1/users", &what);

    let by = asks.by();
    let user_id = UserId(asks.id(&app));
    let NewUser {
        kind,
        email,
        name,
        role,
        password,
        surveys,
    } = asks.body;
    let role = self::role(&role)?;
    let known_by = KnownBy::read(kind.as_deref(), email, name)?;
    if matches!(known_by, KnownBy::Name(_)) && password.is_some() {
        return Err(UserError::ServicePassword.into());
    }
    let password = password.map(|Password(Personal(password))| SecretString::from(password));
    let secrets = match password.clone() {
        None => vec![],
        Some(password) => {
            let hash = passwords::hash(password).await.map_err(unhashed)?;
            vec![SecretWrite::Password { user_id, hash }]
        }
    };
    let (email, access) = (known_by.as_str().to_owned(), access(surveys));
    let command = known_by.add(user_id, role, access);
    let operation = ChangeUser {
        user_id,
        command,
        secrets,
        by,
    };
    let is_repeated = super::submit(&app, operation).await?.is_repeated;
    must_hold(&app, is_repeated, &email, password).await?;
    let row = users::find(&app.pool, user_id).await?;
    let view = UserView::from(row.ok_or_else(no_such_user)?);
    Ok(created(&format!("/api/v1/users/{user_id}"), view))
}

/// What a user is known by.
enum KnownBy {
    /// A person's address, and their name where one is given.
    Email(String, Option<Personal<String>>),
    /// A service account's name.
    Name(String),
}

impl KnownBy {
    fn read(
        kind: Option<&str>,
        email: Option<String>,
        name: Option<String>,
    ) -> Result<Self, Problem> {
        match (kind, email, name) {
            (None | Some("person"), Some(email), name) => Ok(Self::Email(
                normalise_email(&email).ok_or(UserError::Email)?,
                name.map(|name| self::name(&name)).transpose()?,
            )),
            (None | Some("person"), None, _) => Err(Problem::invalid(
                "a person has an email; give kind \"service\" for a service account",
            )),
            (Some("service"), None, Some(name)) => Ok(Self::Name(
                normalise_service_name(&name).ok_or(UserError::ServiceName)?,
            )),
            (Some("service"), ..) => Err(Problem::invalid(
                "a service account has a name and no email",
            )),
            (Some(_), ..) => Err(Problem::invalid("kind must be one of person, service")),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Email(text, _) | Self::Name(text) => text,
        }
    }

    fn add(self, user_id: UserId, role: Role, access: Access) -> UserCommand {
        match self {
            Self::Email(email, name) => UserCommand::Add {
                user_id,
                email: Personal(email),
                name,
                role,
                access,
            },
            Self::Name(name) => UserCommand::AddService {
                user_id,
                name: Personal(name),
                role,
                access,
            },
        }
    }
}

/// What a user is to be from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    /// `owner`, `agent` or `auditor`.
    #[serde(default)]
    #[schema(schema_with = schemas::role_or_null)]
    role: Option<String>,
    /// The surveys whose cases they reach when they are an agent; null for all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<Uuid>>)]
    #[expect(clippy::option_option, reason = "left out and null are not the same")]
    surveys: Option<Option<Vec<Uuid>>>,
    /// What colleagues call the person: 1 to 100 characters, no `@`; null where their address is to be shown again. A service account
    /// keeps its name.
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = schemas::service_name_or_null)]
    #[expect(clippy::option_option, reason = "left out and null are not the same")]
    name: Option<Option<String>>,
}

/// Changes what a user may do and is called; what is left out stays.
///
/// The last owner stays one.
#[utoipa::path(
    patch,
    path = "/users/{id}",
    operation_id = "changeUser",
    tag = "users",
    params(("id" = Uuid, Path, description = "The user")),
    request_body = UserChange,
    responses((status = 200, description = "The user as they are now", body = UserView))
)]
async fn change(
    _: Owner,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Owner, UserChange>,
) -> Result<Json<UserView>, Problem> {
    let user_id = UserId(id);
    let by = asks.by();
    let UserChange {
        role,
        surveys,
        name,
    } = asks.body;
    let command = UserCommand::ChangeRights {
        seen: None,
        role: role.as_deref().map(self::role).transpose()?,
        access: surveys.map(access),
        name: name
            .map(|name| name.map(|name| self::name(&name)).transpose())
            .transpose()?,
    };
    let operation = ChangeUser {
        user_id,
        command,
        secrets: vec![],
        by,
    };
    super::submit(&app, operation).await?;
    let row = users::find(&app.pool, user_id).await?;
    Ok(Json(row.ok_or_else(no_such_user)?.into()))
}

/// A password that a user is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// 10 to 1,000 characters.
    #[schema(schema_with = schemas::password)]
    password: Password,
}

/// Gives a user another password, which ends all their sessions at the console; their tokens go on.
///
/// A request that repeats an idempotency key with another password changes nothing, and is refused.
#[utoipa::path(
    put,
    path = "/users/{id}/password",
    operation_id = "setUserPassword",
    tag = "users",
    params(("id" = Uuid, Path, description = "The user")),
    request_body = NewPassword,
    responses((status = 204, description = "The user has the password"))
)]
async fn set_password(
    _: Owner,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    mut asks: Asks<Owner, NewPassword>,
) -> Result<StatusCode, Problem> {
    let user_id = UserId(id);
    let path = format!("/api/v1/users/{id}/password");
    asks.fingerprint_of(&Method::PUT, &path, &[]);
    let by = asks.by();
    let Password(Personal(password)) = asks.body.password;
    let password = SecretString::from(password);
    let hash = passwords::hash(password.clone()).await.map_err(unhashed)?;
    let operation = ChangeUser::password(user_id, hash, None, by);
    let is_repeated = super::submit(&app, operation).await?.is_repeated;
    let row = users::find(&app.pool, user_id).await?;
    let email = row.ok_or_else(no_such_user)?.email;
    must_hold(&app, is_repeated, &email, Some(password)).await?;
    Ok(StatusCode::NO_CONTENT)
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
    _: Owner,
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
        secrets: vec![],
        by: asks.by(),
    };
    super::submit(&app, operation).await?;
    Ok(StatusCode::NO_CONTENT)
}
