//! The caller's own account: what they are called, and how they want the console to be.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use docket_domain::ids::UserId;
use docket_domain::user::UserCommand;
use docket_domain::user::name::initials;
use docket_domain::user::preferences::{Notify, PreferencesChange, Theme};
use docket_projections::read::users::{self, UserRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Asks, Reader, Worker};
use super::input::present;
use super::problem::Problem;
use super::schemas;
use super::users::{name, no_such_user, surveys};
use crate::app::App;
use crate::operations::user::ChangeUser;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show, change))
}

/// The caller's own account.
#[derive(Debug, Serialize, ToSchema)]
struct AccountView {
    /// Their id.
    user_id: Uuid,
    /// `person` or `service`.
    kind: &'static str,
    /// Their address; a service account's name.
    email: String,
    /// What colleagues call them; null where nobody has said.
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
    /// `system`, `light` or `dark`.
    theme: &'static str,
    /// The IANA name of the zone that the console shows times in; null for that of the installation.
    #[schema(required = true)]
    time_zone: Option<String>,
    /// Whether the console opens the next case when one was closed.
    next_case: bool,
    /// What a browser tells of on the desktop, where it is allowed to.
    notify: NotifyView,
}

/// What a browser tells of.
#[derive(Debug, Serialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a box that the person ticks on its own"
)]
struct NotifyView {
    /// A case was assigned to them.
    assignment: bool,
    /// A note mentions them.
    mention: bool,
    /// A message came in a case of theirs.
    message: bool,
    /// Whether a sound is played with it.
    sound: bool,
}

impl From<UserRow> for AccountView {
    fn from(row: UserRow) -> Self {
        let Notify {
            assignment,
            mention,
            message,
            sound,
        } = row.preferences.notify;
        Self {
            user_id: row.user_id.0,
            kind: row.kind().as_str(),
            initials: initials(row.shown()),
            name: row.name.as_ref().map(|name| name.0.clone()),
            role: row.role.as_str(),
            surveys: surveys(&row.access),
            created_at: row.created_at,
            theme: row.preferences.theme.as_str(),
            time_zone: row.preferences.time_zone.clone(),
            next_case: row.preferences.next_case,
            notify: NotifyView {
                assignment,
                mention,
                message,
                sound,
            },
            email: row.email.0,
        }
    }
}

/// What is to be otherwise; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountChange {
    /// What colleagues call the person: 1 to 100 characters, no `@`; null where their address is to be shown again.
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = schemas::service_name_or_null)]
    #[expect(clippy::option_option, reason = "left out and null are not the same")]
    name: Option<Option<String>>,
    /// `system`, `light` or `dark`.
    #[serde(default)]
    #[schema(schema_with = schemas::theme_or_null)]
    theme: Option<String>,
    /// The IANA name of a time zone, such as `Europe/Berlin`; null for that of the installation.
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = schemas::time_zone_or_null)]
    #[expect(clippy::option_option, reason = "left out and null are not the same")]
    time_zone: Option<Option<String>>,
    /// Whether the console opens the next case when one was closed.
    #[serde(default)]
    next_case: Option<bool>,
    /// What a browser tells of.
    #[serde(default)]
    #[schema(value_type = Option<NotifyChange>)]
    notify: Option<NotifyChange>,
}

/// What a browser is to tell of; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NotifyChange {
    /// A case was assigned to them.
    #[serde(default)]
    assignment: Option<bool>,
    /// A note mentions them.
    #[serde(default)]
    mention: Option<bool>,
    /// A message came in a case of theirs.
    #[serde(default)]
    message: Option<bool>,
    /// Whether a sound is played with it.
    #[serde(default)]
    sound: Option<bool>,
}

/// The caller's own account, with what the console keeps for them.
#[utoipa::path(
    get,
    path = "/account",
    operation_id = "getAccount",
    tag = "users",
    responses((status = 200, description = "The account", body = AccountView))
)]
async fn show(
    Reader(caller): Reader,
    State(app): State<App>,
) -> Result<Json<AccountView>, Problem> {
    read(&app, caller.user_id).await
}

async fn read(app: &App, user_id: UserId) -> Result<Json<AccountView>, Problem> {
    let row = users::find(&app.pool, user_id).await?;
    Ok(Json(row.ok_or_else(no_such_user)?.into()))
}

/// Changes what the caller is called and how they want the console to be; what is left out stays.
///
/// Auditors change theirs at the console.
#[utoipa::path(
    patch,
    path = "/account",
    operation_id = "changeAccount",
    tag = "users",
    request_body = AccountChange,
    responses((status = 200, description = "The account as it is now", body = AccountView))
)]
async fn change(
    State(app): State<App>,
    asks: Asks<Worker, AccountChange>,
) -> Result<Json<AccountView>, Problem> {
    let user_id = asks.caller.user_id;
    let by = asks.by();
    let AccountChange {
        name: called,
        theme,
        time_zone,
        next_case,
        notify,
    } = asks.body;
    let notify = notify.unwrap_or_default();
    let theme = theme.map(|theme| {
        let known = Theme::from_name(&theme);
        known.ok_or_else(|| Problem::invalid("theme must be one of system, light, dark"))
    });
    let preferences = PreferencesChange {
        theme: theme.transpose()?,
        time_zone,
        next_case,
        assignment: notify.assignment,
        mention: notify.mention,
        message: notify.message,
        sound: notify.sound,
    };
    let called = called.map(|called| called.map(|called| name(&called)).transpose());
    let operation = ChangeUser {
        user_id,
        command: UserCommand::ChangeAccount {
            name: called.transpose()?,
            preferences,
        },
        secrets: vec![],
        by,
    };
    super::submit(&app, operation).await?;
    read(&app, user_id).await
}
