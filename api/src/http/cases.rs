//! Cases: the list, one case (as it is or as it was), and the changes that say nothing to the contact.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use docket_domain::case::Assignee;
use docket_domain::ids::{ContactId, LineId, MessageId, NoteId, Reference, SurveyId};
use docket_domain::people::export::{self, Listing};
use docket_domain::personal::Personal;
use docket_domain::text::{phone, title};
use docket_domain::user::{Role, normalise_email};
use docket_projections::DatabaseError;
use docket_projections::read::cases::{
    AssigneeFilter, CaseFilter, CaseLink, CaseRow, CaseState, Cursor, NumberFilter, by_reference,
    waiting,
};
use docket_projections::read::contacts::Person;
use docket_projections::read::thread::{self, ThreadItem, What};
use docket_projections::read::{cases, contacts, labels, users};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Asks, Reader, Worker};
use super::case_list::{self as listed, ListedCase};
use super::contacts::names as channel_names;
use super::history;
use super::input::{Path, PathReference, Query, given, integer, unless_blank};
use super::outgoing::{Said, TemplateToSend};
use super::paging::{self, Page};
use super::problem::{Kind, Problem};
use super::schemas;
use crate::app::App;
use crate::mentions;
use crate::operations::case::{Change, ChangeCase};
use crate::operations::reply::BeginCase;
use crate::people;
use crate::reach;
use crate::site;

/// What the cursors of the list are called.
const LIST: &str = "cases";
/// The same, those first whose contacts wait longest.
const LIST_BY_WAITING: &str = "cases-by-waiting";
/// The same in the order of their references.
const LIST_BY_REFERENCE: &str = "cases-by-reference";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, begin))
        .routes(routes!(find))
        .routes(routes!(set_status))
        .routes(routes!(set_assignee))
        .routes(routes!(set_title))
        .routes(routes!(add_note))
}

pub(super) fn no_such_case(reference: Reference) -> Problem {
    Problem::not_found(format!("there is no case #{reference}"))
}

/// A case, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CaseSummary {
    /// The number that people write as `#123`.
    pub reference: u32,
    /// What it is called.
    pub title: String,
    /// Whether messages can reach it: `open` or `closed`.
    pub state: &'static str,
    /// The answer to the survey's status question; null where the survey has none.
    #[schema(required = true)]
    pub status: Option<String>,
    /// The contact's number, E.164 without `+`.
    pub number: String,
    /// The channel of the line that it began on: `sms` or `whatsapp`.
    pub channel: &'static str,
    /// The survey that it belongs to.
    pub survey_id: Uuid,
    /// The line that it began on.
    pub line_id: Uuid,
    /// Whose it is.
    pub contact_id: Uuid,
    /// What the contact is called: the name that people gave them, or else what they last called themselves.
    #[schema(required = true)]
    pub name: Option<String>,
    /// Whether the contact opted out on the channel that a reply would go by: then it is refused.
    pub opted_out: bool,
    /// Whether the contact may want to opt out there: somebody has to decide.
    pub may_opt_out: bool,
    /// What made it: `message`, `record` (in a survey without cases), `agent` or `move`.
    pub origin: &'static str,
    /// Whether the move that made it was undone; such a case is closed for good.
    pub withdrawn: bool,
    /// The address of who sees to it; null for nobody.
    #[schema(required = true)]
    pub assignee: Option<String>,
    /// What they are called today; null where they have no name, and in a case as it was.
    #[schema(required = true)]
    pub assignee_name: Option<String>,
    /// The sequence of its last event; give it as `seen_version` with a reply.
    pub version: u64,
    /// How many messages stand in it.
    pub message_count: u32,
    /// When it began.
    pub opened_at: DateTime<Utc>,
    /// When a message was last recorded in it; when it began, where none was.
    pub last_message_at: DateTime<Utc>,
    /// The names of its labels, in order.
    pub labels: Vec<String>,
    /// Until when it is snoozed; null where it is not.
    #[schema(required = true)]
    pub snoozed_until: Option<DateTime<Utc>>,
}

impl CaseSummary {
    /// A case, with what its contact is called and what may be sent to them.
    pub(super) fn new(row: CaseRow, person: Person) -> Self {
        let channel = person.last_channel.unwrap_or(row.channel);
        Self {
            name: person.name.map(|name| name.0),
            opted_out: person.opted_out.contains(&channel),
            may_opt_out: person.suspected.contains(&channel),
            reference: row.reference.get(),
            title: row.title.0,
            state: row.state.as_str(),
            status: row.status,
            number: row.number.0,
            channel: row.channel.as_str(),
            survey_id: row.survey_id.0,
            line_id: row.line_id.0,
            contact_id: row.contact_id.0,
            origin: row.origin.as_str(),
            withdrawn: row.withdrawn,
            assignee_name: row
                .assignee
                .as_ref()
                .and_then(|assignee| people::name(&assignee.email)),
            assignee: row.assignee.map(|assignee| assignee.email.0),
            version: row.version,
            message_count: row.message_count,
            opened_at: row.opened_at,
            last_message_at: row.last_message_at,
            labels: row.labels.into_iter().map(|label| label.name).collect(),
            snoozed_until: row.snoozed_until,
        }
    }
}

/// Cases as lists show them.
pub(super) async fn summaries(
    app: &App,
    rows: Vec<CaseRow>,
) -> Result<Vec<CaseSummary>, DatabaseError> {
    let ids: Vec<ContactId> = rows.iter().map(|row| row.contact_id).collect();
    let people = contacts::people(&app.pool, &ids).await?;
    let person = |row: &CaseRow| people.get(&row.contact_id).cloned().unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|row| {
            let person = person(&row);
            CaseSummary::new(row, person)
        })
        .collect())
}

/// A case with all but its thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CaseView {
    /// The case, as lists show it.
    #[serde(flatten)]
    pub summary: CaseSummary,
    /// Whose it is.
    pub contact: ContactView,
    /// Its notes, oldest first.
    pub notes: Vec<NoteView>,
    /// Other cases that it has to do with, ordered by their references.
    pub links: Vec<LinkView>,
}

impl CaseView {
    /// A case with its contact, the notes among those items, and its links.
    pub(super) fn new(
        row: CaseRow,
        person: Person,
        items: &[ThreadItem],
        links: &[CaseLink],
    ) -> Self {
        let notes = items.iter().filter_map(|item| match &item.what {
            What::Note { note_id, text } => Some(NoteView {
                note_id: note_id.0,
                text: text.0.clone(),
                author: item.author.name().to_owned(),
                at: item.at,
            }),
            _ => None,
        });
        let links = links.iter().map(|link| LinkView {
            reference: link.other.get(),
            kind: link.kind.as_str(),
        });
        Self {
            contact: ContactView {
                contact_id: row.contact_id.0,
                number: row.number.0.clone(),
                name: person.name.as_ref().map(|name| name.0.clone()),
                opted_out: channel_names(&person.opted_out),
                may_opt_out: channel_names(&person.suspected),
            },
            notes: notes.collect(),
            links: links.collect(),
            summary: CaseSummary::new(row, person),
        }
    }
}

/// A contact: one outside number within one survey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ContactView {
    /// Its id.
    pub contact_id: Uuid,
    /// Its number, E.164 without `+`.
    pub number: String,
    /// What it is called: the name that people gave it, or else what the person last called themselves.
    #[schema(required = true)]
    pub name: Option<String>,
    /// The channels on which the contact opted out.
    pub opted_out: Vec<&'static str>,
    /// The channels on which they may want to opt out.
    pub may_opt_out: Vec<&'static str>,
}

/// An internal note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NoteView {
    /// Its id.
    pub note_id: Uuid,
    /// What it says.
    pub text: String,
    /// The address of who wrote it.
    pub author: String,
    /// When it was written.
    pub at: DateTime<Utc>,
}

/// What a case has to do with another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct LinkView {
    /// The other case.
    pub reference: u32,
    /// `follows`, `followed_by`, `moved_to` or `moved_from`.
    pub kind: &'static str,
}

/// A case as it is now.
pub(super) async fn view(app: &App, reference: Reference) -> Result<CaseView, Problem> {
    let row = cases::find(&app.pool, reference).await?;
    let row = row.ok_or_else(|| no_such_case(reference))?;
    let (mut people, notes, links) = tokio::try_join!(
        contacts::people(&app.pool, std::slice::from_ref(&row.contact_id)),
        thread::notes(&app.pool, reference),
        cases::links(&app.pool, reference),
    )?;
    let person = people.remove(&row.contact_id).unwrap_or_default();
    Ok(CaseView::new(row, person, &notes, &links))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `open` (the default), `closed` or `all`. Open cases that are snoozed are left out, unless `snoozed` asks for them.
    #[serde(default, deserialize_with = "unless_blank")]
    #[param(schema_with = schemas::state)]
    state: Option<String>,
    /// A contact's number, in any usual spelling; with a `*` at the end, the beginning of one.
    #[serde(default, deserialize_with = "unless_blank")]
    number: Option<String>,
    /// A survey's id.
    #[serde(default, deserialize_with = "given")]
    survey: Option<Uuid>,
    /// The address of who sees to the case; `me` for the caller, `none` for nobody.
    #[serde(default, deserialize_with = "unless_blank")]
    assignee: Option<String>,
    /// Of those, `unread`: cases with something that the caller has yet to read in the console; `waiting`: cases in which the contact
    /// waits for an answer; `failed`: cases whose last reply failed, and that were not closed since.
    #[serde(default, deserialize_with = "unless_blank")]
    #[param(schema_with = schemas::view)]
    view: Option<String>,
    /// An answer to the status question.
    #[serde(default, deserialize_with = "unless_blank")]
    status: Option<String>,
    /// The id of the line that cases began on.
    #[serde(default, deserialize_with = "given")]
    line: Option<Uuid>,
    /// The channel of that line: `sms` or `whatsapp`.
    #[serde(default, deserialize_with = "unless_blank")]
    #[param(schema_with = schemas::channel_or_all)]
    channel: Option<String>,
    /// A time (RFC 3339): only cases whose last message was recorded then or later.
    #[serde(default, deserialize_with = "given")]
    since: Option<DateTime<Utc>>,
    /// A time (RFC 3339): only cases whose last message was recorded before.
    #[serde(default, deserialize_with = "given")]
    until: Option<DateTime<Utc>>,
    /// The name of a label, in whatever case.
    #[serde(default, deserialize_with = "unless_blank")]
    label: Option<String>,
    /// `true`: only snoozed cases; `false`: only others; `all`: both. Left out, it is `false` for `state=open` and `all` otherwise.
    #[serde(default, deserialize_with = "unless_blank")]
    #[param(schema_with = schemas::snoozed)]
    snoozed: Option<String>,
    /// Words that were said, written or named; a reference (`#123`); part of a number; an id of a message.
    #[serde(default, deserialize_with = "unless_blank")]
    q: Option<String>,
    /// `newest` (the default): those with the newest messages first. `waiting`: only those in which the contact waits for an answer,
    /// the longest wait first. `reference`: by their references, an order that stands still.
    #[serde(default, deserialize_with = "unless_blank")]
    #[param(schema_with = schemas::order)]
    order: Option<String>,
    /// `next` of the page before; it belongs to one order.
    #[serde(default, deserialize_with = "unless_blank")]
    #[param(schema_with = schemas::cases_cursor)]
    cursor: Option<String>,
    /// How many cases at most, 1 to 200; 50 by default.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::limit)]
    limit: Option<u32>,
}

/// Cases, those with the newest messages first.
///
/// That order moves: a case that gets a message while you turn pages goes to the beginning of the list, and you do not come to it. With
/// `order=reference` every case that was there when you began comes exactly once. `order=waiting` and `order=reference` do not go with
/// `q`, and not with `view=unread`.
#[utoipa::path(
    get,
    path = "/cases",
    operation_id = "listCases",
    tag = "cases",
    params(ListQuery),
    responses((status = 200, description = "A page of cases", body = Page<ListedCase>))
)]
async fn list(
    Reader(caller): Reader,
    Query(query): Query<ListQuery>,
    State(app): State<App>,
) -> Result<Json<Page<ListedCase>>, Problem> {
    let limit = paging::limit(query.limit, paging::DEFAULT_LIMIT)?;
    let order = Order::read(query.order.as_deref())?;
    let place = order.place(query.cursor.as_deref())?;
    order.check(&query)?;
    let state = match query.state.as_deref() {
        None => Some(CaseState::Open),
        Some("all") => None,
        Some(name) => Some(CaseState::from_name(name).ok_or_else(|| {
            Problem::new(Kind::InvalidQuery, "state must be one of open, closed, all")
        })?),
    };
    let view = listed::view(query.view.as_deref())?;
    let assignee = match query.assignee.as_deref() {
        None => None,
        Some("none") => Some(AssigneeFilter::Nobody),
        Some("me") => Some(AssigneeFilter::User(caller.user_id)),
        Some(email) => match user_of(&app, email).await? {
            Some(user) => Some(AssigneeFilter::User(user.user_id)),
            // Nobody has that address, so nobody with it sees to anything.
            None => return Ok(Json(Page::whole(vec![]))),
        },
    };
    let label = match &query.label {
        None => None,
        Some(name) => match labels::find_named(&app.pool, name).await? {
            Some(label) => Some(label.label_id),
            // No case has a label that is not there.
            None => return Ok(Json(Page::whole(vec![]))),
        },
    };
    let filter = CaseFilter {
        state,
        number: query
            .number
            .as_deref()
            .map(|number| match number.strip_suffix('*') {
                Some(beginning) => NumberFilter::Prefix(Personal(phone::sought(beginning, None))),
                None => NumberFilter::Exact(Personal(phone::sought(number, app.default_country))),
            }),
        surveys: caller
            .access
            .narrow(query.survey.map(|id| vec![SurveyId(id)])),
        assignee,
        q: query.q.map(Personal),
        unread_by: (view == Some("unread")).then_some(caller.user_id),
        waiting: view == Some("waiting"),
        failed: view == Some("failed"),
        status: query.status,
        line: query.line.map(LineId),
        channel: listed::channel(query.channel.as_deref())?,
        since: query.since,
        until: query.until,
        label,
        snoozed: listed::snoozed(query.snoozed.as_deref(), state)?,
    };
    let how = Listing::of(filter.q.is_some());
    app.audit.listed(&caller.asked(), export::Via::Api, how);
    let (rows, next) = match place {
        Place::Newest(cursor) => {
            let rows = cases::list(&app.pool, &filter, cursor, limit + 1).await?;
            paging::cut(rows, limit, |row| order.cursor(row.cursor()))
        }
        Place::ByWaiting(cursor) => {
            let rows = waiting::list(&app.pool, &filter, cursor, limit + 1).await?;
            let cursor = |(row, since): &(CaseRow, _)| order.cursor(waiting::cursor(row, *since));
            let (rows, next) = paging::cut(rows, limit, cursor);
            (rows.into_iter().map(|(row, _)| row).collect(), next)
        }
        Place::ByReference(after) => {
            let rows = by_reference::list(&app.pool, &filter, after, limit + 1).await?;
            paging::cut(rows, limit, |row| order.cursor(row.cursor()))
        }
    };
    let items = listed::with_previews(&app, &caller, rows).await?;
    Ok(Json(Page { items, next }))
}

/// In which order the list of cases is.
#[derive(Clone, Copy)]
enum Order {
    Newest,
    Waiting,
    Reference,
}

/// Where a page of the list begins.
enum Place {
    Newest(Option<Cursor>),
    ByWaiting(Option<Cursor>),
    ByReference(Option<Reference>),
}

impl Order {
    fn read(name: Option<&str>) -> Result<Self, Problem> {
        match name {
            None | Some("newest") => Ok(Self::Newest),
            Some("waiting") => Ok(Self::Waiting),
            Some("reference") => Ok(Self::Reference),
            Some(_) => Err(Problem::new(
                Kind::InvalidQuery,
                "order must be one of newest, waiting, reference",
            )),
        }
    }

    /// Refuses what cannot be listed in this order.
    fn check(self, query: &ListQuery) -> Result<(), Problem> {
        let order = match self {
            Self::Newest => return Ok(()),
            Self::Waiting => "waiting",
            Self::Reference => "reference",
        };
        let other = if query.q.is_some() {
            "q"
        } else if query.view.as_deref() == Some("unread") {
            "view=unread"
        } else {
            return Ok(());
        };
        Err(Problem::new(
            Kind::InvalidQuery,
            format!("order={order} does not go with {other}; leave one of them out"),
        ))
    }

    /// Reads a cursor of this order; one of another is refused, since its place means nothing here.
    fn place(self, cursor: Option<&str>) -> Result<Place, Problem> {
        Ok(match self {
            Self::Newest => Place::Newest(paging::place(LIST, cursor, |text| text.parse().ok())?),
            Self::Waiting => Place::ByWaiting(paging::place(LIST_BY_WAITING, cursor, |text| {
                text.parse().ok()
            })?),
            Self::Reference => {
                Place::ByReference(paging::place(LIST_BY_REFERENCE, cursor, |text| {
                    text.parse().ok()
                })?)
            }
        })
    }

    fn cursor(self, last: Cursor) -> String {
        match self {
            Self::Newest => paging::cursor(LIST, &last.to_string()),
            Self::Waiting => paging::cursor(LIST_BY_WAITING, &last.to_string()),
            Self::Reference => paging::cursor(LIST_BY_REFERENCE, &last.reference.to_string()),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FindQuery {
    /// The sequence of an event: the case as it was after it.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::position)]
    at: Option<u64>,
    /// A time (RFC 3339): the case as it was then.
    #[serde(default, deserialize_with = "given")]
    as_of: Option<DateTime<Utc>>,
}

/// A case, as it is or as it was.
///
/// With `at` or `as_of` it is made again from the events up to there, and the answer is the one that was given then: with the
/// links to other cases and the contact's name as they were known at that moment.
#[utoipa::path(
    get,
    path = "/cases/{reference}",
    operation_id = "getCase",
    tag = "cases",
    params(("reference" = u32, Path, description = "The case"), FindQuery),
    responses((status = 200, description = "The case", body = CaseView))
)]
async fn find(
    Reader(caller): Reader,
    Path(PathReference(reference)): Path<PathReference>,
    Query(query): Query<FindQuery>,
    State(app): State<App>,
) -> Result<Json<CaseView>, Problem> {
    let Some(at) = history::moment(query.at, query.as_of)? else {
        let case = view(&app, reference).await?;
        caller.looks(&app, reference).await;
        return Ok(Json(case));
    };
    let found = history::find(&app, reference, at).await?;
    let case = history::case(&app.pool, found).await?;
    caller.looks(&app, reference).await;
    Ok(Json(case))
}

/// A case that is to be begun.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCase {
    /// The line to write from.
    line_id: Uuid,
    /// Whom to write to: a number with its country code, in any usual spelling; a national number where the installation has a
    /// default country.
    #[schema(schema_with = schemas::number)]
    number: String,
    /// What to say. A body has a text or a template.
    #[serde(default)]
    #[schema(schema_with = schemas::outgoing::reply_or_null)]
    text: Option<String>,
    /// The `WhatsApp` template to send in place of a text.
    #[serde(default)]
    template: Option<TemplateToSend>,
    /// Whether the text is to be sent by `WhatsApp` though the contact has not written for 24 hours. Vonage will probably refuse it.
    /// Left out or false, such a text is refused: `window-closed`.
    #[serde(default)]
    outside_window: bool,
    /// What the case is called; made from the text where it is left out.
    #[serde(default)]
    #[schema(schema_with = schemas::title_or_null)]
    title: Option<String>,
}

/// A case that was begun.
#[derive(Debug, Serialize, ToSchema)]
struct BegunView {
    /// The message that waits to be sent.
    message_id: Uuid,
    /// The case.
    #[serde(flatten)]
    case: CaseView,
}

/// Begins a case by writing to somebody.
#[utoipa::path(
    post,
    path = "/cases",
    operation_id = "beginCase",
    tag = "cases",
    request_body = NewCase,
    responses((status = 201, description = "The case was begun, and its message waits to be sent", body = BegunView))
)]
async fn begin(
    State(app): State<App>,
    Asks {
        asked,
        caller,
        body,
        ..
    }: Asks<Worker, NewCase>,
) -> Result<Response, Problem> {
    let said = Said {
        text: body.text,
        has_media: false,
        template: body.template,
        outside_window: body.outside_window,
    };
    let (text, send_as) = said.read()?;
    let operation = BeginCase {
        line_id: LineId(body.line_id),
        number: phone::number(&body.number, app.default_country)?,
        text,
        send_as,
        title: body.title,
        message_id: MessageId((app.new_id)()),
        contact_id: ContactId((app.new_id)()),
        asked,
    };
    let begun = super::submit(&app, operation).await?.output;
    // A repeated request may be for a case that is out of reach by now.
    if !reach::is_visible(&app.pool, &caller.access, begun.reference).await? {
        return Err(no_such_case(begun.reference));
    }
    let case = view(&app, begun.reference).await?;
    let location = format!("/api/v1/cases/{}", begun.reference);
    Ok(created(
        &location,
        BegunView {
            message_id: begun.message_id.0,
            case,
        },
    ))
}

/// 201 with where it is.
pub(super) fn created<T: Serialize>(location: &str, body: T) -> Response {
    let location = format!("{}{location}", site::base());
    let location = HeaderValue::from_str(&location).expect("our paths are plain ASCII");
    (
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(body),
    )
        .into_response()
}

pub(super) async fn changed(app: &App, operation: ChangeCase) -> Result<Json<CaseView>, Problem> {
    let reference = operation.reference;
    super::submit(app, operation).await?;
    view(app, reference).await.map(Json)
}

/// Another answer to the status question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    /// One of the survey's choices; its `closed_value` closes the case, another one reopens it.
    #[schema(schema_with = schemas::name)]
    value: String,
    /// The case's version that closing it was decided on: if something was said since, the answer is `said-since`, and the case stays
    /// open. Left out, it is closed all the same.
    #[serde(default)]
    seen_version: Option<u64>,
}

/// Answers the status question, which closes or reopens the case.
#[utoipa::path(
    put,
    path = "/cases/{reference}/status",
    operation_id = "setCaseStatus",
    tag = "cases",
    params(("reference" = u32, Path, description = "The case")),
    request_body = NewStatus,
    responses((status = 200, description = "The case as it is now", body = CaseView))
)]
async fn set_status(
    _: Worker,
    Path(PathReference(reference)): Path<PathReference>,
    State(app): State<App>,
    Asks { asked, body, .. }: Asks<Worker, NewStatus>,
) -> Result<Json<CaseView>, Problem> {
    changed(
        &app,
        ChangeCase {
            reference,
            change: Change::Status {
                value: body.value,
                seen_version: body.seen_version,
            },
            asked,
        },
    )
    .await
}

/// Who is to see to a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAssignee {
    /// The address of an agent or owner; null for nobody.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(schema_with = schemas::email_or_null, required = true)]
    email: Option<String>,
}

/// Gives the case to somebody, or to nobody.
#[utoipa::path(
    put,
    path = "/cases/{reference}/assignee",
    operation_id = "setCaseAssignee",
    tag = "cases",
    params(("reference" = u32, Path, description = "The case")),
    request_body = NewAssignee,
    responses((status = 200, description = "The case as it is now", body = CaseView))
)]
async fn set_assignee(
    _: Worker,
    Path(PathReference(reference)): Path<PathReference>,
    State(app): State<App>,
    Asks { asked, body, .. }: Asks<Worker, NewAssignee>,
) -> Result<Json<CaseView>, Problem> {
    let assignee = match body.email {
        None => None,
        Some(email) => {
            let user = user_of(&app, &email).await?.ok_or_else(|| {
                Problem::invalid("email must be the address of an agent or owner, or null")
            })?;
            if user.role == Role::Auditor {
                return Err(Problem::invalid(
                    "email is an auditor's; only agents and owners see to cases",
                ));
            }
            Some(Assignee {
                user_id: user.user_id,
                email: user.email,
            })
        }
    };
    changed(
        &app,
        ChangeCase {
            reference,
            change: Change::Assignee(assignee),
            asked,
        },
    )
    .await
}

async fn user_of(app: &App, email: &str) -> Result<Option<users::UserRow>, Problem> {
    match normalise_email(email) {
        Some(email) => Ok(users::find_by_email(&app.pool, &email).await?),
        None => Ok(None),
    }
}

/// Another title.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTitle {
    /// The title; folded to one line, which has at most 200 characters.
    #[schema(schema_with = schemas::title)]
    title: String,
}

/// Calls the case something else.
#[utoipa::path(
    put,
    path = "/cases/{reference}/title",
    operation_id = "setCaseTitle",
    tag = "cases",
    params(("reference" = u32, Path, description = "The case")),
    request_body = NewTitle,
    responses((status = 200, description = "The case as it is now", body = CaseView))
)]
async fn set_title(
    _: Worker,
    Path(PathReference(reference)): Path<PathReference>,
    State(app): State<App>,
    Asks { asked, body, .. }: Asks<Worker, NewTitle>,
) -> Result<Json<CaseView>, Problem> {
    let change = Change::Title(title::clean(&body.title));
    changed(
        &app,
        ChangeCase {
            reference,
            change,
            asked,
        },
    )
    .await
}

/// A note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewNote {
    /// What it says; at most 10,000 characters.
    #[schema(schema_with = schemas::note)]
    text: String,
}

/// Writes a note, which is internal and never sent.
///
/// `@` and the name or address of a colleague mentions them: `GET /mentions` tells them.
#[utoipa::path(
    post,
    path = "/cases/{reference}/notes",
    operation_id = "addNote",
    tag = "cases",
    params(("reference" = u32, Path, description = "The case")),
    request_body = NewNote,
    responses((status = 201, description = "The case with the note", body = CaseView))
)]
async fn add_note(
    _: Worker,
    Path(PathReference(reference)): Path<PathReference>,
    State(app): State<App>,
    Asks { asked, body, .. }: Asks<Worker, NewNote>,
) -> Result<(StatusCode, Json<CaseView>), Problem> {
    let change = Change::Note {
        note_id: NoteId((app.new_id)()),
        mentions: mentions::of(&app, &body.text).await?,
        text: body.text,
    };
    let case = changed(
        &app,
        ChangeCase {
            reference,
            change,
            asked,
        },
    )
    .await?;
    Ok((StatusCode::CREATED, case))
}
