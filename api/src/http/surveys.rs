//! Surveys: what messages are organised under.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use docket_domain::ids::SurveyId;
use docket_domain::office_hours::TimeZone;
use docket_domain::survey::{StatusQuestion, SurveySettings, Template};
use docket_projections::read::surveys::{self, SurveyRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Asks, Owner, Reader};
use super::cases::created;
use super::input::Path;
use super::paging::Page;
use super::problem::Problem;
use super::schemas;
use crate::app::App;
use crate::operations::survey::{ChangeTemplates, SetSurvey, TemplateChange};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(find, change))
        .routes(routes!(put_templates))
}

/// A survey.
#[derive(Debug, Serialize, ToSchema)]
struct SurveyView {
    /// Its id.
    id: Uuid,
    /// Its id, under the name that it has elsewhere.
    survey_id: Uuid,
    /// Its name.
    name: String,
    /// Whether messages are gathered in cases; otherwise each is a record of its own.
    cases_enabled: bool,
    /// The question whose answer says how far a case has come.
    status: StatusQuestionForm,
    /// Whether replies carry the case's reference.
    append_reference: bool,
    /// The IANA name of the time zone of its lines' office hours.
    time_zone: String,
    /// Its templates of frequent answers, in the order in which agents see them.
    templates: Vec<TemplateForm>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// The sequence of its last event.
    version: u64,
}

/// The question whose answer says how far a case has come.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StatusQuestionForm {
    /// The question.
    #[schema(schema_with = schemas::name)]
    question: String,
    /// The possible answers, 2 to 50; a case begins with the first that does not close it.
    #[schema(schema_with = schemas::choices)]
    choices: Vec<String>,
    /// The answer that closes a case; one of `choices`.
    #[schema(schema_with = schemas::name)]
    closed_value: String,
}

/// A frequent answer, for agents to begin theirs with.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TemplateForm {
    /// What agents choose it by, up to 80 characters; no two of a survey have the same.
    #[schema(schema_with = schemas::template_name)]
    name: String,
    /// What it says, up to 1,000 characters. `{name}`, `{reference}` and `{agent}` are filled with the contact's name, the case's
    /// reference and the agent's address.
    #[schema(schema_with = schemas::template_text)]
    text: String,
}

impl From<TemplateForm> for Template {
    fn from(form: TemplateForm) -> Self {
        let TemplateForm { name, text } = form;
        // Some programs end lines as forms do; everybody else has LF.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        Self { name, text }
    }
}

impl From<Template> for TemplateForm {
    fn from(template: Template) -> Self {
        let Template { name, text } = template;
        Self { name, text }
    }
}

impl From<StatusQuestionForm> for StatusQuestion {
    fn from(form: StatusQuestionForm) -> Self {
        let StatusQuestionForm {
            question,
            choices,
            closed_value,
        } = form;
        Self {
            question,
            choices,
            closed_value,
        }
    }
}

impl From<SurveyRow> for SurveyView {
    fn from(row: SurveyRow) -> Self {
        let SurveySettings {
            name,
            cases_enabled,
            status,
            append_reference,
            time_zone,
        } = row.settings;
        let StatusQuestion {
            question,
            choices,
            closed_value,
        } = status;
        Self {
            id: row.survey_id.0,
            survey_id: row.survey_id.0,
            name,
            cases_enabled,
            status: StatusQuestionForm {
                question,
                choices,
                closed_value,
            },
            append_reference,
            time_zone: time_zone.name().to_owned(),
            templates: row.templates.into_iter().map(TemplateForm::from).collect(),
            created_at: row.created_at,
            version: row.version,
        }
    }
}

async fn row(app: &App, id: SurveyId) -> Result<SurveyRow, Problem> {
    let row = surveys::find(&app.pool, id).await?;
    row.ok_or_else(no_such_survey)
}

fn no_such_survey() -> Problem {
    Problem::not_found("there is no such survey; GET /api/v1/surveys lists them")
}

/// Every survey whose cases the caller reaches.
#[utoipa::path(
    get,
    path = "/surveys",
    operation_id = "listSurveys",
    tag = "surveys",
    responses((status = 200, description = "All surveys", body = Page<SurveyView>))
)]
async fn list(
    Reader(caller): Reader,
    State(app): State<App>,
) -> Result<Json<Page<SurveyView>>, Problem> {
    let mut rows = surveys::all(&app.pool).await?;
    rows.retain(|row| caller.access.reaches(row.survey_id));
    Ok(Json(Page::whole(
        rows.into_iter().map(SurveyView::from).collect(),
    )))
}

/// A survey.
#[utoipa::path(
    get,
    path = "/surveys/{id}",
    operation_id = "getSurvey",
    tag = "surveys",
    params(("id" = Uuid, Path, description = "The survey")),
    responses((status = 200, description = "The survey", body = SurveyView))
)]
async fn find(
    Reader(caller): Reader,
    Path(id): Path<Uuid>,
    State(app): State<App>,
) -> Result<Json<SurveyView>, Problem> {
    let survey_id = SurveyId(id);
    if !caller.access.reaches(survey_id) {
        return Err(no_such_survey());
    }
    Ok(Json(row(&app, survey_id).await?.into()))
}

/// A survey that is to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSurvey {
    /// Its name.
    #[schema(schema_with = schemas::name)]
    name: String,
    /// Whether messages are gathered in cases (the default); otherwise each is a record of its own.
    #[serde(default = "yes")]
    #[schema(default = true)]
    cases_enabled: bool,
    /// The question whose answer says how far a case has come.
    status: StatusQuestionForm,
    /// Whether replies carry the case's reference (the default).
    #[serde(default = "yes")]
    #[schema(default = true)]
    append_reference: bool,
    /// The IANA name of the time zone of its lines' office hours; UTC where it is left out.
    #[serde(default)]
    #[schema(schema_with = schemas::outgoing::time_zone_or_null)]
    time_zone: Option<String>,
}

const fn yes() -> bool {
    true
}

/// Creates a survey.
#[utoipa::path(
    post,
    path = "/surveys",
    operation_id = "createSurvey",
    tag = "surveys",
    request_body = NewSurvey,
    responses((status = 201, description = "The survey was created", body = SurveyView))
)]
async fn create(State(app): State<App>, asks: Asks<Owner, NewSurvey>) -> Result<Response, Problem> {
    let by = asks.by();
    let NewSurvey {
        name,
        cases_enabled,
        status,
        append_reference,
        time_zone,
    } = asks.body;
    let time_zone = time_zone.map(TimeZone::stored);
    let operation = SetSurvey {
        survey_id: SurveyId((app.new_id)()),
        settings: SurveySettings {
            name,
            cases_enabled,
            status: status.into(),
            append_reference,
            time_zone: time_zone.unwrap_or_default(),
        },
        create: true,
        seen: None,
        by,
    };
    let id = super::submit(&app, operation).await?.output;
    let view = SurveyView::from(row(&app, id).await?);
    Ok(created(&format!("/api/v1/surveys/{id}"), view))
}

/// What is to be changed of a survey; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SurveyChange {
    /// Its name.
    #[serde(default)]
    #[schema(schema_with = schemas::name_or_null)]
    name: Option<String>,
    /// Whether messages are gathered in cases.
    #[serde(default)]
    cases_enabled: Option<bool>,
    /// The question, whole.
    #[serde(default)]
    status: Option<StatusQuestionForm>,
    /// Whether replies carry the case's reference.
    #[serde(default)]
    append_reference: Option<bool>,
    /// The IANA name of the time zone of its lines' office hours.
    #[serde(default)]
    #[schema(schema_with = schemas::outgoing::time_zone_or_null)]
    time_zone: Option<String>,
    /// The version that you know: settings that were changed since stay, and you are told.
    #[serde(default)]
    version: Option<u64>,
}

/// Changes a survey's settings; what cases are and were does not change with them.
///
/// Where somebody else changed them since `version`, or at the same moment, nothing is done: `changed-since`.
#[utoipa::path(
    patch,
    path = "/surveys/{id}",
    operation_id = "changeSurvey",
    tag = "surveys",
    params(("id" = Uuid, Path, description = "The survey")),
    request_body = SurveyChange,
    responses((status = 200, description = "The survey as it is now", body = SurveyView))
)]
async fn change(
    _: Owner,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Owner, SurveyChange>,
) -> Result<Json<SurveyView>, Problem> {
    let survey_id = SurveyId(id);
    let SurveyRow {
        settings: now,
        version: read,
        ..
    } = row(&app, survey_id).await?;
    let by = asks.by();
    let SurveyChange {
        name,
        cases_enabled,
        status,
        append_reference,
        time_zone,
        version,
    } = asks.body;
    let time_zone = time_zone.map(TimeZone::stored);
    let settings = SurveySettings {
        name: name.unwrap_or(now.name),
        cases_enabled: cases_enabled.unwrap_or(now.cases_enabled),
        status: status.map_or(now.status, StatusQuestion::from),
        append_reference: append_reference.unwrap_or(now.append_reference),
        time_zone: time_zone.unwrap_or(now.time_zone),
    };
    super::submit(
        &app,
        SetSurvey {
            survey_id,
            settings,
            create: false,
            // What is left out stays as it was read just now, so that it must not have changed since either.
            seen: Some(version.unwrap_or(read)),
            by,
        },
    )
    .await?;
    Ok(Json(row(&app, survey_id).await?.into()))
}

/// A survey's templates.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Templates {
    /// All of them, 100 at most, in the order in which agents see them.
    #[schema(max_items = 100)]
    templates: Vec<TemplateForm>,
}

/// Gives a survey these templates of frequent answers, in place of those before.
#[utoipa::path(
    put,
    path = "/surveys/{id}/templates",
    operation_id = "putTemplates",
    tag = "surveys",
    params(("id" = Uuid, Path, description = "The survey")),
    request_body = Templates,
    responses((status = 200, description = "The survey as it is now", body = SurveyView))
)]
async fn put_templates(
    _: Owner,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Owner, Templates>,
) -> Result<Json<SurveyView>, Problem> {
    let survey_id = SurveyId(id);
    let by = asks.by();
    let templates = asks.body.templates.into_iter().map(Template::from);
    let operation = ChangeTemplates {
        survey_id,
        change: TemplateChange::All(templates.collect()),
        by,
    };
    super::submit(&app, operation).await?;
    Ok(Json(row(&app, survey_id).await?.into()))
}
