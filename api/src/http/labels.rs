//! Labels, and which cases have them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use docket_domain::ids::LabelId;
use docket_domain::label::{Label, LabelColour, LabelCommand, LabelError, MAX_LABEL_CHARS};
use docket_projections::read::labels::{self, LabelRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::NoFields;
use super::auth::{Asks, Owner, Reader, Worker};
use super::cases::{CaseView, changed, created};
use super::input::{Path, PathReference};
use super::paging::Page;
use super::problem::Problem;
use super::schemas;
use crate::app::App;
use crate::operations::case::{Change, ChangeCase, LabelChange};
use crate::operations::label::ChangeLabel;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(find, change, remove))
        .routes(routes!(put))
}

/// A label.
#[derive(Debug, Serialize, ToSchema)]
struct LabelView {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// Its colour.
    #[schema(schema_with = schemas::colour)]
    colour: &'static str,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// The sequence of the event that last changed it.
    version: u64,
}

impl From<LabelRow> for LabelView {
    fn from(row: LabelRow) -> Self {
        let Label {
            label_id,
            name,
            colour,
        } = row.label;
        Self {
            id: label_id.0,
            name,
            colour: colour.as_str(),
            created_at: row.created_at,
            version: row.version,
        }
    }
}

async fn view(app: &App, label_id: LabelId) -> Result<LabelView, Problem> {
    let mut rows = labels::all(&app.pool).await?.into_iter();
    let row = rows.find(|row| row.label.label_id == label_id);
    Ok(row.ok_or(LabelError::NotFound)?.into())
}

/// White space around a name is taken off later, and counts here as the document says.
fn must_fit(name: &str) -> Result<(), Problem> {
    if name.chars().count() > MAX_LABEL_CHARS {
        let detail = format!("a label's name must have at most {MAX_LABEL_CHARS} characters");
        return Err(Problem::invalid(detail));
    }
    Ok(())
}

fn colour_of(name: &str) -> Result<LabelColour, Problem> {
    LabelColour::from_name(name).ok_or_else(|| {
        let names = LabelColour::ALL.map(LabelColour::as_str).join(", ");
        Problem::invalid(format!("colour must be one of {names}"))
    })
}

/// Every label, ordered by name.
#[utoipa::path(
    get,
    path = "/labels",
    operation_id = "listLabels",
    tag = "labels",
    responses((status = 200, description = "All labels", body = Page<LabelView>))
)]
async fn list(_: Reader, State(app): State<App>) -> Result<Json<Page<LabelView>>, Problem> {
    let rows = labels::all(&app.pool).await?;
    Ok(Json(Page::whole(
        rows.into_iter().map(LabelView::from).collect(),
    )))
}

/// A label.
#[utoipa::path(
    get,
    path = "/labels/{id}",
    operation_id = "getLabel",
    tag = "labels",
    params(("id" = Uuid, Path, description = "The label")),
    responses((status = 200, description = "The label", body = LabelView))
)]
async fn find(
    _: Reader,
    Path(id): Path<Uuid>,
    State(app): State<App>,
) -> Result<Json<LabelView>, Problem> {
    view(&app, LabelId(id)).await.map(Json)
}

/// A label that is to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLabel {
    /// Its name, up to 50 characters. No two labels have the same, in whatever case.
    #[schema(schema_with = schemas::label_name)]
    name: String,
    /// Its colour; `grey` where it is left out.
    #[serde(default)]
    #[schema(schema_with = schemas::colour_or_null)]
    colour: Option<String>,
}

/// Creates a label.
#[utoipa::path(
    post,
    path = "/labels",
    operation_id = "createLabel",
    tag = "labels",
    request_body = NewLabel,
    responses((status = 201, description = "The label was created", body = LabelView))
)]
async fn create(State(app): State<App>, asks: Asks<Owner, NewLabel>) -> Result<Response, Problem> {
    let by = asks.by();
    let NewLabel { name, colour } = asks.body;
    must_fit(&name)?;
    let colour = colour.as_deref().map(colour_of).transpose()?;
    let label_id = LabelId((app.new_id)());
    let command = LabelCommand::Create(Label {
        label_id,
        name,
        colour: colour.unwrap_or_default(),
    });
    let operation = ChangeLabel {
        label_id,
        command,
        by,
    };
    let label_id = super::submit(&app, operation).await?.output;
    let view = view(&app, label_id).await?;
    Ok(created(&format!("/api/v1/labels/{label_id}"), view))
}

/// What is to be changed of a label; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LabelChangeForm {
    /// Its name.
    #[serde(default)]
    #[schema(schema_with = schemas::label_name_or_null)]
    name: Option<String>,
    /// Its colour.
    #[serde(default)]
    #[schema(schema_with = schemas::colour_or_null)]
    colour: Option<String>,
}

/// Gives a label another name or colour, on every case that has it.
#[utoipa::path(
    patch,
    path = "/labels/{id}",
    operation_id = "changeLabel",
    tag = "labels",
    params(("id" = Uuid, Path, description = "The label")),
    request_body = LabelChangeForm,
    responses((status = 200, description = "The label as it is now", body = LabelView))
)]
async fn change(
    _: Owner,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Owner, LabelChangeForm>,
) -> Result<Json<LabelView>, Problem> {
    let by = asks.by();
    let LabelChangeForm { name, colour } = asks.body;
    name.as_deref().map(must_fit).transpose()?;
    let colour = colour.as_deref().map(colour_of).transpose()?;
    let label_id = LabelId(id);
    let command = LabelCommand::Change {
        label_id,
        name,
        colour,
    };
    let operation = ChangeLabel {
        label_id,
        command,
        by,
    };
    super::submit(&app, operation).await?;
    view(&app, label_id).await.map(Json)
}

/// Deletes a label. It leaves every case and every list; the histories of cases still tell of it.
#[utoipa::path(
    delete,
    path = "/labels/{id}",
    operation_id = "deleteLabel",
    tag = "labels",
    params(("id" = Uuid, Path, description = "The label")),
    responses((status = 204, description = "The label is deleted"))
)]
async fn remove(
    _: Owner,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Owner, NoFields>,
) -> Result<StatusCode, Problem> {
    let label_id = LabelId(id);
    let operation = ChangeLabel {
        label_id,
        command: LabelCommand::Delete { label_id },
        by: asks.by(),
    };
    super::submit(&app, operation).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The labels that a case is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LabelsOfCase {
    /// The names of all of them, in whatever case; at most 20. Others come off.
    #[schema(schema_with = schemas::labels)]
    labels: Vec<String>,
}

/// Gives the case these labels, in place of those that it has.
#[utoipa::path(
    put,
    path = "/cases/{reference}/labels",
    operation_id = "setCaseLabels",
    tag = "labels",
    params(("reference" = u32, Path, description = "The case")),
    request_body = LabelsOfCase,
    responses((status = 200, description = "The case as it is now", body = CaseView))
)]
async fn put(
    _: Worker,
    Path(PathReference(reference)): Path<PathReference>,
    State(app): State<App>,
    Asks { asked, body, .. }: Asks<Worker, LabelsOfCase>,
) -> Result<Json<CaseView>, Problem> {
    let change = Change::Labels(LabelChange::All(body.labels));
    let operation = ChangeCase {
        reference,
        change,
        asked,
    };
    changed(&app, operation).await
}
