//! Lines: our own numbers, each on one channel.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::ids::{LineId, SurveyId};
use docket_domain::line::{AutomaticTexts, HaltReason, LineCommand, LineSettings};
use docket_domain::office_hours::OfficeHours;
use docket_domain::text::phone;
use docket_projections::read::lines::{self, LineRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::NoFields;
use super::auth::{Asks, Owner, Reader};
use super::cases::created;
use super::input::{Path, present};
use super::outgoing::OfficeHoursForm;
use super::paging::Page;
use super::problem::Problem;
use super::schemas;
use crate::app::App;
use crate::operations::line::ChangeLine;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(find, change, remove))
}

/// A line.
#[derive(Debug, Serialize, ToSchema)]
struct LineView {
    /// Its id.
    id: Uuid,
    /// Its id, under the name that it has elsewhere.
    line_id: Uuid,
    /// Our number, E.164 without `+`.
    number: String,
    /// `sms` or `whatsapp`.
    channel: &'static str,
    /// The survey that gets its messages.
    survey_id: Uuid,
    /// The automatic reply for several open cases, with `%s1` for their number and `%s2` for their list; null for none.
    #[schema(required = true)]
    multi_case_reply: Option<String>,
    /// The first answer to a message that makes a case, with `%ref` for the case's reference; null for none.
    #[schema(required = true)]
    greeting: Option<String>,
    /// The answer to a message that asks for a new case with `#0`, with `%ref`; null for none.
    #[schema(required = true)]
    new_case_reply: Option<String>,
    /// When its office is open, in the survey's time zone, and what is said outside of these hours; null for always open.
    #[schema(required = true)]
    office_hours: Option<OfficeHoursForm>,
    /// The answer to a word such as STOP that opts the contact out: the last message that they get; null for none.
    #[schema(required = true)]
    opt_out_confirmation: Option<String>,
    /// Whether it sends.
    sending: SendingView,
    /// When it was added.
    created_at: DateTime<Utc>,
    /// The sequence of its last event.
    version: u64,
}

/// Whether a line sends.
#[derive(Debug, Serialize, ToSchema)]
struct SendingView {
    /// `ok` or `halted`.
    state: &'static str,
    /// Why it stands still, and what to do; null where it does not.
    #[schema(required = true)]
    reason: Option<&'static str>,
}

impl From<LineRow> for LineView {
    fn from(row: LineRow) -> Self {
        Self {
            id: row.line_id.0,
            line_id: row.line_id.0,
            number: row.number,
            channel: row.channel.as_str(),
            survey_id: row.survey_id.0,
            multi_case_reply: row.multi_case_reply,
            greeting: row.automatic.greeting,
            new_case_reply: row.automatic.new_requested,
            office_hours: row.automatic.office_hours.map(OfficeHoursForm::from),
            opt_out_confirmation: row.automatic.opt_out_confirmation,
            sending: SendingView {
                state: if row.halted.is_some() { "halted" } else { "ok" },
                reason: row.halted.map(HaltReason::sentence),
            },
            created_at: row.created_at,
            version: row.version,
        }
    }
}

async fn row(app: &App, id: LineId) -> Result<LineRow, Problem> {
    let row = lines::find(&app.pool, id).await?;
    row.filter(|row| !row.removed).ok_or_else(no_such_line)
}

fn no_such_line() -> Problem {
    Problem::not_found("there is no such line; GET /api/v1/lines lists them")
}

/// Every line of a survey whose cases the caller reaches.
#[utoipa::path(
    get,
    path = "/lines",
    operation_id = "listLines",
    tag = "lines",
    responses((status = 200, description = "All lines that were not removed", body = Page<LineView>))
)]
async fn list(
    Reader(caller): Reader,
    State(app): State<App>,
) -> Result<Json<Page<LineView>>, Problem> {
    let mut rows = lines::all(&app.pool).await?;
    rows.retain(|row| caller.access.reaches(row.survey_id));
    Ok(Json(Page::whole(
        rows.into_iter().map(LineView::from).collect(),
    )))
}

/// A line.
#[utoipa::path(
    get,
    path = "/lines/{id}",
    operation_id = "getLine",
    tag = "lines",
    params(("id" = Uuid, Path, description = "The line")),
    responses((status = 200, description = "The line", body = LineView))
)]
async fn find(
    Reader(caller): Reader,
    Path(id): Path<Uuid>,
    State(app): State<App>,
) -> Result<Json<LineView>, Problem> {
    let row = row(&app, LineId(id)).await?;
    if !caller.access.reaches(row.survey_id) {
        return Err(no_such_line());
    }
    Ok(Json(row.into()))
}

/// A line that is to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLine {
    /// Our number with its country code, in any usual spelling; a national number where the installation has a default country.
    #[schema(schema_with = schemas::number)]
    number: String,
    /// `sms` or `whatsapp`.
    #[schema(schema_with = schemas::channel)]
    channel: String,
    /// The survey that gets its messages.
    survey_id: Uuid,
    /// The automatic reply for several open cases, with `%s1` for their number and `%s2` for their list.
    #[serde(default)]
    #[schema(schema_with = schemas::automatic_reply_or_null)]
    multi_case_reply: Option<String>,
    /// The first answer to a message that makes a case, with `%ref` for the case's reference.
    #[serde(default)]
    #[schema(schema_with = schemas::automatic_reply_or_null)]
    greeting: Option<String>,
    /// The answer to a message that asks for a new case with `#0`, with `%ref`.
    #[serde(default)]
    #[schema(schema_with = schemas::automatic_reply_or_null)]
    new_case_reply: Option<String>,
    /// When its office is open, in the survey's time zone, and what is said outside of these hours.
    #[serde(default)]
    #[schema(schema_with = schemas::outgoing::office_hours_or_null)]
    office_hours: Option<OfficeHoursForm>,
    /// The answer to a word such as STOP that opts the contact out: the last message that they get.
    #[serde(default)]
    #[schema(schema_with = schemas::automatic_reply_or_null)]
    opt_out_confirmation: Option<String>,
}

/// Adds a line.
#[utoipa::path(
    post,
    path = "/lines",
    operation_id = "addLine",
    tag = "lines",
    request_body = NewLine,
    responses((status = 201, description = "The line was added", body = LineView))
)]
async fn add(State(app): State<App>, asks: Asks<Owner, NewLine>) -> Result<Response, Problem> {
    let by = asks.by();
    let NewLine {
        number,
        channel,
        survey_id,
        multi_case_reply,
        greeting,
        new_case_reply,
        office_hours,
        opt_out_confirmation,
    } = asks.body;
    let automatic = AutomaticTexts {
        greeting,
        new_requested: new_case_reply,
        office_hours: office_hours.map(OfficeHours::try_from).transpose()?,
        opt_out_confirmation,
    };
    let channel = [Channel::Sms, Channel::Whatsapp]
        .into_iter()
        .find(|known| known.as_str() == channel)
        .ok_or_else(|| Problem::invalid("channel must be sms or whatsapp"))?;
    let line_id = LineId((app.new_id)());
    let command = LineCommand::Add {
        line_id,
        number: phone::number(&number, app.default_country)?,
        channel,
        settings: LineSettings {
            survey_id: SurveyId(survey_id),
            multi_case_reply,
            automatic,
        },
    };
    let id = super::submit(
        &app,
        ChangeLine {
            line_id,
            command,
            by,
        },
    )
    .await?
    .output;
    let view = LineView::from(row(&app, id).await?);
    Ok(created(&format!("/api/v1/lines/{id}"), view))
}

/// What is to be changed of a line; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LineChange {
    /// The survey that gets its messages.
    #[serde(default)]
    survey_id: Option<Uuid>,
    /// The automatic reply; null for none.
    #[serde(default, deserialize_with = "present")]
    #[expect(clippy::option_option, reason = "left out and null are not the same")]
    #[schema(schema_with = schemas::automatic_reply_or_null)]
    multi_case_reply: Option<Option<String>>,
    /// The first answer to a message that makes a case; null for none.
    #[serde(default, deserialize_with = "present")]
    #[expect(clippy::option_option, reason = "left out and null are not the same")]
    #[schema(schema_with = schemas::automatic_reply_or_null)]
    greeting: Option<Option<String>>,
    /// The answer to a message that asks for a new case with `#0`; null for none.
    #[serde(default, deserialize_with = "present")]
    #[expect(clippy::option_option, reason = "left out and null are not the same")]
    #[schema(schema_with = schemas::automatic_reply_or_null)]
    new_case_reply: Option<Option<String>>,
    /// When its office is open, whole, and what is said outside of these hours; null for always open.
    #[serde(default, deserialize_with = "present")]
    #[expect(clippy::option_option, reason = "left out and null are not the same")]
    #[schema(schema_with = schemas::outgoing::office_hours_or_null)]
    office_hours: Option<Option<OfficeHoursForm>>,
    /// The answer to a word that opts the contact out; null for none.
    #[serde(default, deserialize_with = "present")]
    #[expect(clippy::option_option, reason = "left out and null are not the same")]
    #[schema(schema_with = schemas::automatic_reply_or_null)]
    opt_out_confirmation: Option<Option<String>>,
    /// `resume`, in a request of its own: send again, once the cause is mended for which sending was halted.
    #[serde(default)]
    #[schema(schema_with = schemas::sending_or_null)]
    sending: Option<String>,
    /// The version that you know: settings that were changed since stay, and you are told.
    #[serde(default)]
    version: Option<u64>,
}

/// Changes a line's settings, or resumes its sending.
///
/// Where somebody else changed the settings since `version`, or at the same moment, nothing is done: `changed-since`.
#[utoipa::path(
    patch,
    path = "/lines/{id}",
    operation_id = "changeLine",
    tag = "lines",
    params(("id" = Uuid, Path, description = "The line")),
    request_body = LineChange,
    responses((status = 200, description = "The line as it is now", body = LineView))
)]
async fn change(
    _: Owner,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Owner, LineChange>,
) -> Result<Json<LineView>, Problem> {
    let line_id = LineId(id);
    let now = row(&app, line_id).await?;
    let by = asks.by();
    let LineChange {
        survey_id,
        multi_case_reply,
        greeting,
        new_case_reply,
        office_hours,
        opt_out_confirmation,
        sending,
        version,
    } = asks.body;
    let changes_settings = survey_id.is_some()
        || multi_case_reply.is_some()
        || greeting.is_some()
        || new_case_reply.is_some()
        || office_hours.is_some()
        || opt_out_confirmation.is_some();
    let automatic = AutomaticTexts {
        greeting: greeting.unwrap_or(now.automatic.greeting),
        new_requested: new_case_reply.unwrap_or(now.automatic.new_requested),
        office_hours: match office_hours {
            Some(office_hours) => office_hours.map(OfficeHours::try_from).transpose()?,
            None => now.automatic.office_hours,
        },
        opt_out_confirmation: opt_out_confirmation.unwrap_or(now.automatic.opt_out_confirmation),
    };
    let command = match sending.as_deref() {
        None => LineCommand::Change {
            settings: LineSettings {
                survey_id: survey_id.map_or(now.survey_id, SurveyId),
                multi_case_reply: multi_case_reply.unwrap_or(now.multi_case_reply),
                automatic,
            },
            // What is left out stays as it was read just now, so that it must not have changed since either.
            seen: Some(version.unwrap_or(now.version)),
        },
        // Each request is one event at most, or an idempotency key could not stand for it.
        Some("resume") if changes_settings => {
            return Err(Problem::invalid(
                "sending must be resumed in a request of its own",
            ));
        }
        Some("resume") => LineCommand::Resume,
        Some(_) => return Err(Problem::invalid("sending must be resume, or left out")),
    };
    super::submit(
        &app,
        ChangeLine {
            line_id,
            command,
            by,
        },
    )
    .await?;
    Ok(Json(row(&app, line_id).await?.into()))
}

/// Removes a line; what came in on it stays.
#[utoipa::path(
    delete,
    path = "/lines/{id}",
    operation_id = "removeLine",
    tag = "lines",
    params(("id" = Uuid, Path, description = "The line")),
    responses((status = 204, description = "The line is removed"))
)]
async fn remove(
    _: Owner,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    asks: Asks<Owner, NoFields>,
) -> Result<StatusCode, Problem> {
    let operation = ChangeLine {
        line_id: LineId(id),
        command: LineCommand::Remove,
        by: asks.by(),
    };
    super::submit(&app, operation).await?;
    Ok(StatusCode::NO_CONTENT)
}
