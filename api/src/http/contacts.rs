//! Contacts: the list, one contact with its cases, and what people set of it.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::ids::{ContactId, SurveyId};
use docket_domain::people::export::{Listing, Via};
use docket_domain::personal::Personal;
use docket_projections::read::cases::{self, CaseFilter, NumberFilter};
use docket_projections::read::contacts::{self, ContactRow, Cursor, ListFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Asks, Caller, Reader, Worker};
use super::cases::{CaseSummary, summaries};
use super::input::{Path, Query, given, integer, present, unless_blank};
use super::paging::{self, Page};
use super::problem::Problem;
use super::schemas;
use crate::app::App;
use crate::operations::contact::{ChangeContact, SetOptOut};

/// What the cursors of the list are called.
const LIST: &str = "contacts";
/// At most so many cases are told with a contact.
const MAX_CASES: u32 = 100;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(find, change))
        .routes(routes!(set_opt_out))
}

/// A contact, as lists show it: one outside number within one survey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ContactSummary {
    /// Its id.
    pub contact_id: Uuid,
    /// The survey within which it is one.
    pub survey_id: Uuid,
    /// Its number, E.164 without `+`.
    pub number: String,
    /// What it is called: `given_name`, or else `profile_name`.
    #[schema(required = true)]
    pub name: Option<String>,
    /// The name that an agent or owner gave it.
    #[schema(required = true)]
    pub given_name: Option<String>,
    /// What the person last called themselves.
    #[schema(required = true)]
    pub profile_name: Option<String>,
    /// The note about it.
    #[schema(required = true)]
    pub note: Option<String>,
    /// The channels of its newest cases: `sms`, `whatsapp`.
    pub channels: Vec<&'static str>,
    /// The channels on which the contact opted out: nothing is sent to them there.
    pub opted_out: Vec<&'static str>,
    /// The channels on which a message begins with a word that opts out, and says more. Somebody has to decide: `PUT …/opt-out` settles
    /// it either way.
    pub may_opt_out: Vec<&'static str>,
    /// When its first case began, or when it was added.
    pub first_seen_at: DateTime<Utc>,
    /// How many events its own stream has.
    pub version: u64,
}

/// A contact with the person's cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct ContactDetailsView {
    /// The contact, as lists show it.
    #[serde(flatten)]
    summary: ContactSummary,
    /// The person's cases that the caller reaches, those of the same number in other surveys included: those with the newest messages
    /// first, at most 100.
    cases: Vec<CaseSummary>,
}

/// The names of channels.
pub(super) fn names(channels: &[Channel]) -> Vec<&'static str> {
    channels.iter().map(|channel| channel.as_str()).collect()
}

impl ContactSummary {
    fn new(row: ContactRow, channels: &[Channel]) -> Self {
        let name = |name: Option<Personal<String>>| name.map(|name| name.0);
        Self {
            contact_id: row.contact_id.0,
            survey_id: row.survey_id.0,
            number: row.number.0,
            name: name(row.name),
            given_name: name(row.details.name),
            profile_name: name(row.profile_name),
            note: name(row.details.note),
            channels: names(channels),
            opted_out: names(&row.details.opted_out),
            may_opt_out: names(&row.details.suspected),
            first_seen_at: row.first_seen_at,
            version: row.details.version,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Words of a name, or part of a number in any usual spelling.
    #[serde(default, deserialize_with = "unless_blank")]
    #[param(schema_with = schemas::query_text)]
    q: Option<String>,
    /// A survey's id.
    #[serde(default, deserialize_with = "given")]
    survey: Option<Uuid>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "unless_blank")]
    #[param(schema_with = schemas::contacts_cursor)]
    cursor: Option<String>,
    /// How many contacts at most, 1 to 200; 50 by default.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::limit)]
    limit: Option<u32>,
}

/// Contacts, those that were first seen last before the others.
#[utoipa::path(
    get,
    path = "/contacts",
    operation_id = "listContacts",
    tag = "contacts",
    params(ListQuery),
    responses((status = 200, description = "A page of contacts", body = Page<ContactSummary>))
)]
async fn list(
    Reader(caller): Reader,
    Query(query): Query<ListQuery>,
    State(app): State<App>,
) -> Result<Json<Page<ContactSummary>>, Problem> {
    let limit = paging::limit(query.limit, paging::DEFAULT_LIMIT)?;
    let cursor = paging::place(LIST, query.cursor.as_deref(), |text| text.parse().ok())?;
    let filter = ListFilter {
        surveys: caller
            .access
            .narrow(query.survey.map(|id| vec![SurveyId(id)])),
        q: query.q.map(Personal),
    };
    let how = Listing::of_contacts(filter.q.is_some());
    app.audit.listed(&caller.asked(), Via::Api, how);
    let rows = contacts::list(&app.pool, &filter, cursor, limit + 1).await?;
    let ids: Vec<ContactId> = rows.iter().map(|row| row.contact_id).collect();
    let channels = contacts::channels_of(&app.pool, &ids).await?;
    let cursor = |row: &ContactRow| paging::cursor(LIST, &Cursor::at(row).to_string());
    Ok(Json(Page::of(rows, limit, cursor, |row| {
        let channels = channels.get(&row.contact_id).map_or(&[][..], Vec::as_slice);
        ContactSummary::new(row, channels)
    })))
}

fn no_such_contact() -> Problem {
    Problem::not_found("there is no such contact; GET /api/v1/contacts lists them")
}

/// The contact with the person's cases, as far as the caller reaches them.
async fn view(
    app: &App,
    caller: &Caller,
    contact_id: ContactId,
) -> Result<ContactDetailsView, Problem> {
    let row = contacts::find(&app.pool, contact_id).await?;
    let row = row.filter(|row| caller.access.reaches(row.survey_id));
    let row = row.ok_or_else(no_such_contact)?;
    let filter = CaseFilter {
        number: Some(NumberFilter::Exact(row.number.clone())),
        surveys: caller.access.narrow(None),
        ..CaseFilter::default()
    };
    let found = cases::list(&app.pool, &filter, None, MAX_CASES).await?;
    let channels = contacts::channels_of(&app.pool, &[contact_id]).await?;
    let channels = channels.get(&contact_id).map_or(&[][..], Vec::as_slice);
    Ok(ContactDetailsView {
        summary: ContactSummary::new(row, channels),
        cases: summaries(app, found).await?,
    })
}

/// A contact with the person's cases.
#[utoipa::path(
    get,
    path = "/contacts/{id}",
    operation_id = "getContact",
    tag = "contacts",
    params(("id" = Uuid, Path, description = "The contact")),
    responses((status = 200, description = "The contact", body = ContactDetailsView))
)]
async fn find(
    Reader(caller): Reader,
    Path(contact_id): Path<Uuid>,
    State(app): State<App>,
) -> Result<Json<ContactDetailsView>, Problem> {
    view(&app, &caller, ContactId(contact_id)).await.map(Json)
}

/// What is to be changed of a contact; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::option_option,
    reason = "left out, null and a text mean three things"
)]
struct ContactPatch {
    /// What the contact is called, on one line; null or an empty text for what the person calls themselves.
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = schemas::contact_name_or_null)]
    name: Option<Option<String>>,
    /// The note about the contact; null or an empty text for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = schemas::contact_note_or_null)]
    note: Option<Option<String>>,
}

/// Names a contact, or writes the note about it.
#[utoipa::path(
    patch,
    path = "/contacts/{id}",
    operation_id = "changeContact",
    tag = "contacts",
    params(("id" = Uuid, Path, description = "The contact")),
    request_body = ContactPatch,
    responses((status = 200, description = "The contact as it is now", body = ContactDetailsView))
)]
async fn change(
    _: Worker,
    Path(contact_id): Path<Uuid>,
    State(app): State<App>,
    Asks {
        asked,
        caller,
        body,
        ..
    }: Asks<Worker, ContactPatch>,
) -> Result<Json<ContactDetailsView>, Problem> {
    let contact_id = ContactId(contact_id);
    let operation = ChangeContact {
        contact_id,
        name: body.name.map(Option::unwrap_or_default),
        note: body.note.map(Option::unwrap_or_default),
        asked,
    };
    super::submit(&app, operation).await?;
    view(&app, &caller, contact_id).await.map(Json)
}

/// Whether anything is to be sent to a contact on a channel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOptOut {
    /// The channel: `sms` or `whatsapp`.
    #[schema(schema_with = schemas::channel)]
    channel: String,
    /// True: nothing is sent to the contact on it any more. False: messages may be sent again, and a message that may have meant an
    /// opt-out did not mean one.
    opted_out: bool,
    /// Why, for colleagues; at most 500 characters.
    #[serde(default)]
    #[schema(schema_with = schemas::opt_out_reason_or_null)]
    reason: Option<String>,
}

/// Opts a contact out on a channel, or in again.
///
/// While a contact is opted out, replies to them by that channel are refused with `opted-out`, automatic replies are not sent, and
/// what waits to be sent fails.
#[utoipa::path(
    put,
    path = "/contacts/{id}/opt-out",
    operation_id = "setOptOut",
    tag = "contacts",
    params(("id" = Uuid, Path, description = "The contact")),
    request_body = NewOptOut,
    responses((status = 200, description = "The contact as it is now", body = ContactDetailsView))
)]
async fn set_opt_out(
    _: Worker,
    Path(contact_id): Path<Uuid>,
    State(app): State<App>,
    Asks {
        asked,
        caller,
        body,
        ..
    }: Asks<Worker, NewOptOut>,
) -> Result<Json<ContactDetailsView>, Problem> {
    let contact_id = ContactId(contact_id);
    let channel = [Channel::Sms, Channel::Whatsapp]
        .into_iter()
        .find(|channel| channel.as_str() == body.channel)
        .ok_or_else(|| Problem::invalid("channel must be one of sms, whatsapp"))?;
    let operation = SetOptOut {
        contact_id,
        channel,
        opted_out: body.opted_out,
        reason: body.reason,
        asked,
    };
    super::submit(&app, operation).await?;
    view(&app, &caller, contact_id).await.map(Json)
}
