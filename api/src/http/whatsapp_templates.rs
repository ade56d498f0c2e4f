//! `WhatsApp` templates: what may be sent outside of `WhatsApp`'s window.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use docket_domain::access::Access;
use docket_domain::ids::{LineId, WhatsappTemplateId};
use docket_domain::whatsapp_template::{
    TemplateError, TemplateSettings, WhatsappTemplateCommand, parameter_count,
};
use docket_projections::read::whatsapp_templates::{self, WhatsappTemplateRow};
use docket_projections::settings::Settings;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::NoFields;
use super::auth::{Asks, Owner, Reader};
use super::cases::created;
use super::input::Path;
use super::paging::Page;
use super::problem::{Kind, Problem};
use super::schemas::outgoing as schemas;
use crate::app::App;
use crate::operations::whatsapp_template::{ChangeTemplateError, ChangeWhatsappTemplate};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(find, change, remove))
}

/// A `WhatsApp` template.
#[derive(Debug, Serialize, ToSchema)]
struct WhatsappTemplateView {
    /// Its id.
    id: Uuid,
    /// Its name, as Vonage takes it.
    name: String,
    /// Its locale, as Vonage takes it.
    locale: String,
    /// What it says, with `{{1}}`, `{{2}}` … for its parameters.
    body: String,
    /// How many parameters it takes.
    parameters: usize,
    /// The `WhatsApp` line from which it can be sent.
    line_id: Uuid,
    /// When it was added.
    created_at: DateTime<Utc>,
    /// The sequence of its last event.
    version: u64,
}

impl From<WhatsappTemplateRow> for WhatsappTemplateView {
    fn from(row: WhatsappTemplateRow) -> Self {
        let TemplateSettings {
            name,
            locale,
            body,
            line_id,
        } = row.settings;
        Self {
            id: row.template_id.0,
            name,
            locale,
            parameters: parameter_count(&body).unwrap_or_default(),
            body,
            line_id: line_id.0,
            created_at: row.created_at,
            version: row.version,
        }
    }
}

fn no_such_template() -> Problem {
    Problem::not_found(TemplateError::NotAdded.to_string())
}

/// Whether the caller reaches the template's line; nobody but who reaches everything reaches one of a line that was removed.
fn reaches(settings: &Settings, access: &Access, line_id: LineId) -> bool {
    match settings.line(line_id) {
        Some(line) => access.reaches(line.survey_id),
        None => *access == Access::All,
    }
}

async fn row(app: &App, id: WhatsappTemplateId) -> Result<WhatsappTemplateRow, Problem> {
    let rows = whatsapp_templates::all(&app.pool).await?;
    rows.into_iter()
        .find(|row| row.template_id == id)
        .ok_or_else(no_such_template)
}

/// Every template of a line that the caller reaches.
#[utoipa::path(
    get,
    path = "/whatsapp-templates",
    operation_id = "listWhatsappTemplates",
    tag = "whatsapp templates",
    responses((status = 200, description = "All templates, by name and locale", body = Page<WhatsappTemplateView>))
)]
async fn list(
    Reader(caller): Reader,
    State(app): State<App>,
) -> Result<Json<Page<WhatsappTemplateView>>, Problem> {
    let mut rows = whatsapp_templates::all(&app.pool).await?;
    let settings = app.ledger.newest_settings(&app.pool).await?;
    rows.retain(|row| reaches(&settings, &caller.access, row.settings.line_id));
    Ok(Json(Page::whole(
        rows.into_iter().map(WhatsappTemplateView::from).collect(),
    )))
}

/// A template.
#[utoipa::path(
    get,
    path = "/whatsapp-templates/{id}",
    operation_id = "getWhatsappTemplate",
    tag = "whatsapp templates",
    params(("id" = Uuid, Path, description = "The template")),
    responses((status = 200, description = "The template", body = WhatsappTemplateView))
)]
async fn find(
    Reader(caller): Reader,
    Path(id): Path<Uuid>,
    State(app): State<App>,
) -> Result<Json<WhatsappTemplateView>, Problem> {
    let row = row(&app, WhatsappTemplateId(id)).await?;
    let settings = app.ledger.newest_settings(&app.pool).await?;
    if !reaches(&settings, &caller.access, row.settings.line_id) {
        return Err(no_such_template());
    }
    Ok(Json(row.into()))
}

/// A template that is to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewWhatsappTemplate {
    /// Its name, as Vonage takes it; a namespace and a colon may stand before it.
    #[schema(schema_with = schemas::template_name)]
    name: String,
    /// Its locale, as Vonage takes it: `en`, `en_US`.
    #[schema(schema_with = schemas::locale)]
    locale: String,
    /// The text that `WhatsApp` has approved, with `{{1}}`, `{{2}}` … for its parameters.
    #[schema(schema_with = schemas::template_body)]
    body: String,
    /// The `WhatsApp` line from which it can be sent.
    line_id: Uuid,
}

/// Adds a template that `WhatsApp` has approved.
#[utoipa::path(
    post,
    path = "/whatsapp-templates",
    operation_id = "addWhatsappTemplate",
    tag = "whatsapp templates",
    request_body = NewWhatsappTemplate,
    responses((status = 201, description = "The template was added", body = WhatsappTemplateView))
)]
async fn add(
    State(app): State<App>,
    asks: Asks<Owner, NewWhatsappTemplate>,
) -> Result<Response, Problem> {
    let by = asks.by();
    let NewWhatsappTemplate {
        name,
        locale,
        body,
        line_id,
    } = asks.body;
    let template_id = WhatsappTemplateId((app.new_id)());
    let command = WhatsappTemplateCommand::Add {
        template_id,
        settings: TemplateSettings {
            name,
            locale,
            body,
            line_id: LineId(line_id),
        },
    };
    let operation = ChangeWhatsappTemplate {
        template_id,
        command,
        by,
    };
    let id = super::submit(&app, operation).await?.output;
    let view = WhatsappTemplateView::from(row(&app, id).await?);
    Ok(created(&format!("/api/v1/whatsapp-templates/{id}"), view))
}

/// What is to be changed of a template; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WhatsappTemplateChange {
    /// Its name.
    #[serde(default)]
    #[schema(schema_with = schemas::template_name_or_null)]
    name: Option<String>,
    /// Its locale.
    #[serde(default)]
    #[schema(schema_with = schemas::locale_or_null)]
    locale: Option<String>,
    /// What it says.
    #[serde(default)]
    #[schema(schema_with = schemas::template_body_or_null)]
    body: Option<String>,
    /// The `WhatsApp` line from which it can be sent.
    #[serde(default)]
    line_id: Option<Uuid>,
    /// The version that you know: a template that was changed since stays, and you are told.
    #[serde(default)]
    version: Option<u64>,
}

/// Changes a template; what was sent with it stays.
///
/// Where somebody else changed it since `version`, or at the same moment, nothing is done: `changed-since`.
#[utoipa::path(
    patch,
    path = "/whatsapp-templates/{id}",
    operation_id = "changeWhatsappTemplate",
    tag = "whatsapp templates",
    params(("id" = Uuid, Path, description = "The template")),
    request_body = WhatsappTemplateChange,
    responses((status = 200, description = "The template as it is now", body = WhatsappTemplateView))
)]
async fn change(
    _: Owner,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Owner, WhatsappTemplateChange>,
) -> Result<Json<WhatsappTemplateView>, Problem> {
    let template_id = WhatsappTemplateId(id);
    let now = row(&app, template_id).await?;
    let by = asks.by();
    let WhatsappTemplateChange {
        name,
        locale,
        body,
        line_id,
        version,
    } = asks.body;
    let command = WhatsappTemplateCommand::Change {
        settings: TemplateSettings {
            name: name.unwrap_or(now.settings.name),
            locale: locale.unwrap_or(now.settings.locale),
            body: body.unwrap_or(now.settings.body),
            line_id: line_id.map_or(now.settings.line_id, LineId),
        },
        // What is left out stays as it was read just now, so that it must not have changed since either.
        seen: Some(version.unwrap_or(now.version)),
    };
    let operation = ChangeWhatsappTemplate {
        template_id,
        command,
        by,
    };
    super::submit(&app, operation).await?;
    Ok(Json(row(&app, template_id).await?.into()))
}

/// Removes a template; what was sent with it stays.
#[utoipa::path(
    delete,
    path = "/whatsapp-templates/{id}",
    operation_id = "removeWhatsappTemplate",
    tag = "whatsapp templates",
    params(("id" = Uuid, Path, description = "The template")),
    responses((status = 204, description = "The template is removed"))
)]
async fn remove(
    _: Owner,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Owner, NoFields>,
) -> Result<StatusCode, Problem> {
    let operation = ChangeWhatsappTemplate {
        template_id: WhatsappTemplateId(id),
        command: WhatsappTemplateCommand::Remove,
        by: asks.by(),
    };
    super::submit(&app, operation).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<ChangeTemplateError> for Problem {
    fn from(error: ChangeTemplateError) -> Self {
        let kind = match &error {
            ChangeTemplateError::Template(TemplateError::NotAdded) => Kind::NotFound,
            ChangeTemplateError::Template(TemplateError::AlreadyAdded) => Kind::Exists,
            ChangeTemplateError::Template(TemplateError::ChangedSince { version }) => {
                let version = *version;
                return Self::new(Kind::ChangedSince, error.to_string()).with("version", version);
            }
            ChangeTemplateError::Template(
                TemplateError::Name
                | TemplateError::Locale
                | TemplateError::Body
                | TemplateError::Places,
            )
            | ChangeTemplateError::NoLine => Kind::InvalidValue,
            ChangeTemplateError::NameTaken => Kind::NameTaken,
            ChangeTemplateError::TooMany => Kind::TooManyTemplates,
        };
        Self::new(kind, error.to_string())
    }
}
