//! The log of events: of one case, of everything, and as it grows.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use docket_domain::event::{StreamId, is_about_people};
use docket_domain::ids::TokenId;
use docket_domain::people::export::{Reading, Via};
use docket_domain::personal::Personal;
use docket_domain::user::normalise_email;
use docket_projections::log::circumstances::Circumstances;
use docket_projections::log::reader::{self, LogEvent};
use docket_projections::log::recorded;
use docket_projections::read::cases;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tracing::warn;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Caller, Overseer, Reader, WholeReader};
use super::cases::no_such_case;
use super::input::{Path, PathReference, Query, given, integer};
use super::paging;
use super::problem::{Kind, Problem};
use super::schemas;
use crate::app::App;
use crate::export::{Export, MEDIA_TYPE, Period};

/// How many events a stream reads at once, and so holds at most.
const STREAM_PAGE: i64 = 500;
/// So many events are looked through for a page of those that a caller asks for.
const MAX_LOOKED_THROUGH: i64 = 10_000;
/// How often a comment is sent where nothing happens, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How an `EventSource` says what it saw last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The member of the metadata that says from where a person's request came.
const CLIENT_ADDRESS: &str = "client_address";
/// Tells nginx to pass events on as they come.
const NO_BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(export))
        .routes(routes!(follow))
        .routes(routes!(list_of_case))
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
struct EventView {
    /// Its place in the log: 1, 2, 3 … without a gap.
    position: i64,
    /// `Case`, `Survey`, `Line`, `HeldWebhook`, `User`, `Session`, `SignInAttempts`, `CaseViews`,
    /// `Export`, `Installation` or `Labels`.
    aggregate_type: String,
    /// Which one of them: a case's reference, or an id.
    aggregate_id: String,
    /// Its place among the events of that one, from 1.
    sequence: i64,
    /// What happened; `docs/events.md` lists all types.
    #[serde(rename = "type")]
    event_type: String,
    /// In which version of its type it was written.
    version: String,
    /// What is known of it, as it was written.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    /// Who did it (`actor`: `user`, `vonage` or `system`; `user_id`, `email`), by which way (`via`) and with which token
    /// (`token_id`), from where (`client_address`, for auditors and owners), in which request (`request_id`, and what the caller called it, `client_request_id`), and why (`cause`).
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    /// When it was recorded.
    recorded_at: DateTime<Utc>,
}

impl EventView {
    fn is_done(&self, how: &Circumstances) -> bool {
        how.is_all()
            || serde_json::from_str(self.metadata.get())
                .is_ok_and(|metadata| how.include(&metadata))
    }

    /// An event as somebody is told it: from where colleagues work is for those who oversee them.
    fn told(event: LogEvent, oversees: bool) -> Self {
        let mut view = Self::from(event);
        if !oversees && view.metadata.get().contains(CLIENT_ADDRESS) {
            let members = serde_json::from_str::<BTreeMap<String, String>>(view.metadata.get());
            let members = members.map(|mut members| {
                members.remove(CLIENT_ADDRESS);
                members
            });
            let stripped = members.and_then(|members| serde_json::value::to_raw_value(&members));
            view.metadata = stripped.unwrap_or_default();
        }
        view
    }
}

impl From<LogEvent> for EventView {
    fn from(event: LogEvent) -> Self {
        Self {
            position: event.position,
            data: data(&event.event_type, event.payload),
            aggregate_type: event.aggregate_type,
            aggregate_id: event.aggregate_id,
            sequence: event.sequence,
            event_type: event.event_type,
            version: event.event_version,
            metadata: event.metadata,
            recorded_at: event.recorded_at,
        }
    }
}

/// What stands in the payload under the event's type, which the log writes around it.
fn data(event_type: &str, payload: Box<RawValue>) -> Box<RawValue> {
    let inner = serde_json::from_str::<HashMap<&str, Box<RawValue>>>(payload.get())
        .ok()
        .filter(|members| members.len() == 1)
        .and_then(|mut members| members.remove(event_type));
    inner.unwrap_or(payload)
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
struct EventPage {
    /// The events, in order.
    items: Vec<EventView>,
    /// What to give as `after` for the next page; null where there are no more events now.
    #[schema(required = true)]
    next: Option<i64>,
}

impl EventPage {
    fn of(
        events: Vec<LogEvent>,
        limit: u32,
        caller: &Caller,
        place: impl FnOnce(&LogEvent) -> i64,
    ) -> Self {
        let (events, next) = paging::cut(events, limit, place);
        let told = |event| EventView::told(event, caller.oversees());
        Self {
            items: events.into_iter().map(told).collect(),
            next,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// A position: only events after it. 0, the default, begins at the beginning.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::position)]
    after: Option<u64>,
    /// How many events at most, 1 to 200; 50 by default.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::limit)]
    limit: Option<u32>,
    /// Only what the person of that address did. For this and the filters below at most 10,000 events are looked through at once: a
    /// page can have fewer events than asked for, or none, and still a `next` that leads on.
    #[serde(default)]
    actor: Option<String>,
    /// Only what was done that way.
    #[serde(default)]
    #[param(schema_with = schemas::via)]
    via: Option<String>,
    /// Only what was done with that token.
    #[serde(default, deserialize_with = "given")]
    token_id: Option<Uuid>,
    /// Only what was done from that network address; for auditors and owners, who alone are told addresses.
    #[serde(default)]
    client_address: Option<String>,
}

impl ListQuery {
    fn how(&self) -> Result<Circumstances, Problem> {
        circumstances(
            self.actor.clone(),
            self.via.as_deref(),
            self.token_id,
            self.client_address.clone(),
        )
    }
}

/// How something was done, as a query says it.
fn circumstances(
    actor: Option<String>,
    via: Option<&str>,
    token_id: Option<Uuid>,
    client_address: Option<String>,
) -> Result<Circumstances, Problem> {
    let known = |name: &str| {
        recorded::Via::from_name(name).ok_or_else(|| {
            let names = recorded::Via::ALL.map(recorded::Via::as_str).join(", ");
            Problem::new(Kind::InvalidQuery, format!("via must be one of {names}"))
        })
    };
    Ok(Circumstances {
        email: actor.map(|email| Personal(normalise_email(&email).unwrap_or(email))),
        via: via.map(known).transpose()?,
        token_id: token_id.map(TokenId),
        client_address: client_address.map(Personal),
    })
}

/// The whole log, from the oldest event on.
///
/// What people do at Docket beside their work (signing in, looking at cases, exporting the log) is for auditors and owners; an
/// agent's page leaves it out.
/// Agents who are kept to the cases of some surveys may not read it. Who reads the log is recorded.
///
/// Where `after` lies beyond the log's end, the answer is 409 `position-beyond-log`: the log was restored from an older backup, and
/// whoever follows it has to begin again.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "listEvents",
    tag = "events",
    params(ListQuery),
    responses((status = 200, description = "A page of events", body = EventPage))
)]
async fn list(
    WholeReader(caller): WholeReader,
    Query(query): Query<ListQuery>,
    State(app): State<App>,
) -> Result<Json<EventPage>, Problem> {
    let limit = paging::limit(query.limit, paging::DEFAULT_LIMIT)?;
    let after = as_position(query.after.unwrap_or_default());
    let page = look_through(&app, &caller, &query.how()?, after, limit).await?;
    let span = page.items.first().zip(page.items.last());
    if let Some((first, last)) = span.map(|(first, last)| (first.position, last.position)) {
        let events = i64::try_from(page.items.len()).unwrap_or(i64::MAX);
        let reading = caller.reading(&app, Reading::Pages, first, last, events);
        app.audit.reads_log(reading).await?;
    }
    Ok(Json(page))
}

/// The next events that the caller is told and that were done so.
async fn look_through(
    app: &App,
    caller: &Caller,
    how: &Circumstances,
    after: i64,
    limit: u32,
) -> Result<EventPage, Problem> {
    let batch = if how.is_all() && caller.oversees() {
        i64::from(limit) + 1
    } else {
        STREAM_PAGE
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut items = vec![];
    let mut place = after;
    while place - after < MAX_LOOKED_THROUGH {
        let events = reader::page(&app.pool, place, batch).await?;
        if events.is_empty() && place == after {
            must_be_in_log(app, after).await?;
        }
        let is_last = i64::try_from(events.len()).is_ok_and(|events| events < batch);
        for event in events {
            if items.len() == most {
                return Ok(EventPage {
                    items,
                    next: Some(place),
                });
            }
            place = event.position;
            if caller.oversees() || !is_about_people(&event.aggregate_type) {
                let view = EventView::told(event, caller.oversees());
                items.extend(view.is_done(how).then_some(view));
            }
        }
        if is_last {
            return Ok(EventPage { items, next: None });
        }
    }
    Ok(EventPage {
        items,
        next: Some(place),
    })
}

/// A position as the database counts; what is larger than any lies beyond every log.
fn as_position(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// Refuses whoever asks for what comes after a position that the log has not come to.
async fn must_be_in_log(app: &App, after: i64) -> Result<(), Problem> {
    // The database is asked: another process may have appended what this one has not heard of.
    let head = reader::head(&app.pool).await?;
    if after <= head {
        Ok(())
    } else {
        Err(Problem::beyond_log(after, head))
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// The position to begin with; the first by default.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::position)]
    from: Option<u64>,
    /// The position to end with; the last by default.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::position)]
    to: Option<u64>,
    /// A time (RFC 3339): only events that were recorded then or later.
    #[serde(default, deserialize_with = "given")]
    since: Option<DateTime<Utc>>,
    /// A time (RFC 3339): only events that were recorded before.
    #[serde(default, deserialize_with = "given")]
    until: Option<DateTime<Utc>>,
    /// Only what the person of that address did.
    #[serde(default)]
    actor: Option<String>,
    /// Only what was done that way.
    #[serde(default)]
    #[param(schema_with = schemas::via)]
    via: Option<String>,
    /// Only what was done with that token.
    #[serde(default, deserialize_with = "given")]
    token_id: Option<Uuid>,
    /// Only what was done from that network address.
    #[serde(default)]
    client_address: Option<String>,
}

/// The log, or a part of it, as a file: JSON Lines of CloudEvents 1.0.
///
/// It is given out as it is read, whatever its length; an answer that breaks off is not whole. Who exports what is recorded.
#[utoipa::path(
    get,
    path = "/events/export",
    operation_id = "exportEvents",
    tag = "events",
    params(ExportQuery),
    responses((status = 200, description = "One event a line", body = String, content_type = "application/x-ndjson"))
)]
async fn export(
    Overseer(caller): Overseer,
    Query(query): Query<ExportQuery>,
    State(app): State<App>,
) -> Result<Response, Problem> {
    let period = Period {
        from: query.from.map(as_position),
        to: query.to.map(as_position),
        since: query.since,
        until: query.until,
        how: circumstances(
            query.actor,
            query.via.as_deref(),
            query.token_id,
            query.client_address,
        )?,
    };
    let export = Export::begin(&app, period, Via::Api, caller.asked().metadata()).await?;
    Ok(file(export))
}

/// An export as an answer that is read from the log as it is taken.
pub fn file(export: Export) -> Response {
    let disposition = format!("attachment; filename=\"{}\"", export.file_name());
    let lines = stream::try_unfold(export, |mut export| async move {
        match export.next().await {
            Ok(Some(lines)) => Ok(Some((lines, export))),
            Ok(None) => Ok(None),
            Err(error) => {
                warn!(%error, "an export breaks off");
                Err(error)
            }
        }
    });
    let headers = [
        (CONTENT_TYPE, MEDIA_TYPE.to_owned()),
        (CONTENT_DISPOSITION, disposition),
    ];
    (headers, Body::from_stream(lines)).into_response()
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CaseQuery {
    /// A sequence: only events after it. 0, the default, begins at the beginning.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::position)]
    after: Option<u64>,
    /// How many events at most, 1 to 200; 200 by default.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::limit)]
    limit: Option<u32>,
}

/// A case's events, from the oldest on.
#[utoipa::path(
    get,
    path = "/cases/{reference}/events",
    operation_id = "listCaseEvents",
    tag = "events",
    params(("reference" = u32, Path, description = "The case"), CaseQuery),
    responses((status = 200, description = "A page of events; `next` is a sequence", body = EventPage))
)]
async fn list_of_case(
    Reader(caller): Reader,
    Path(PathReference(reference)): Path<PathReference>,
    Query(query): Query<CaseQuery>,
    State(app): State<App>,
) -> Result<Json<EventPage>, Problem> {
    let limit = paging::limit(query.limit, paging::MAX_LIMIT)?;
    let after = as_position(query.after.unwrap_or_default());
    let stream = StreamId::Case(reference);
    let events = reader::stream(&app.pool, stream, after, i64::from(limit) + 1).await?;
    if events.is_empty() {
        let case = cases::find(&app.pool, reference).await?;
        let last = case.ok_or_else(|| no_such_case(reference))?.version;
        if after.cast_unsigned() > last {
            return Err(Problem::beyond_case(reference, after, last));
        }
    }
    caller.looks(&app, reference).await;
    Ok(Json(EventPage::of(events, limit, &caller, |event| {
        event.sequence
    })))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FollowQuery {
    /// A position: begins with the event after it. Left out, it begins with what happens from now on. The header
    /// `Last-Event-ID` wins over it.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::position)]
    after: Option<u64>,
}

/// The log as it grows: server-sent events.
///
/// Not for agents who are kept to the cases of some surveys. An agent's stream leaves out what people do beside their work, as
/// their page does.
///
/// Each has the position as `id`, the type as `event`, and as `data` the event as `GET /events` gives it. A client that comes
/// back with `Last-Event-ID` misses nothing. Where nothing happens, a comment comes every 15 seconds.
#[utoipa::path(
    get,
    path = "/events/stream",
    operation_id = "followEvents",
    tag = "events",
    params(
        FollowQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "The position of the last event that was seen"),
    ),
    responses((status = 200, description = "Events, as long as the connection lasts", body = EventView, content_type = "text/event-stream"))
)]
async fn follow(
    WholeReader(caller): WholeReader,
    Query(query): Query<FollowQuery>,
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = last_event_id(&headers)?.or(query.after).map(as_position);
    if let Some(after) = asked {
        must_be_in_log(&app, after).await?;
    }
    let from = match asked {
        Some(after) => after,
        None => reader::head(&app.pool).await?,
    };
    let reading = caller.reading(&app, Reading::Stream, from, from, 0);
    app.audit.reads_log(reading).await?;
    // What happens from now on begins behind the record of it.
    let after = match asked {
        Some(after) => after,
        None => reader::head(&app.pool).await?,
    };
    let head = app.ledger.head().subscribe();
    let follower = Follower {
        app,
        caller,
        after,
        head,
        read: VecDeque::new(),
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let sse = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(([NO_BUFFERING], sse).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let position = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok());
    position.map(Some).ok_or_else(|| {
        Problem::new(
            Kind::InvalidHeader,
            "Last-Event-ID must be the position of an event, as `id` gave it",
        )
    })
}

/// Somebody who follows the log.
struct Follower {
    app: App,
    caller: Caller,
    /// The position of the last event that was read.
    after: i64,
    head: watch::Receiver<i64>,
    /// What was read and not passed on yet, at most a page.
    read: VecDeque<LogEvent>,
}

impl Follower {
    /// The next event, once it is there; `None` at the end: Docket shuts down, the token does not count any more, or the log
    /// cannot be read. The client comes back, or is told then.
    async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.read.pop_front() {
                if !self.caller.oversees() && is_about_people(&event.aggregate_type) {
                    continue;
                }
                let (id, event_type) = (event.position.to_string(), event.event_type.clone());
                let data =
                    serde_json::to_string(&EventView::told(event, self.caller.oversees())).ok()?;
                return Some(SseEvent::default().id(id).event(event_type).data(data));
            }
            let stopping = self.app.stopping.clone();
            let (after, head) = (self.after, &mut self.head);
            tokio::select! {
                biased;
                () = stopping.cancelled() => return None,
                grown = head.wait_for(|head| *head > after) => {
                    grown.ok()?;
                }
            }
            self.read_on().await?;
        }
    }

    async fn read_on(&mut self) -> Option<()> {
        if !self.caller.still_counts(&self.app).await.ok()? {
            return None;
        }
        match reader::page(&self.app.pool, self.after, STREAM_PAGE).await {
            Ok(events) => {
                let (first, last) = (events.first()?.position, events.last()?.position);
                let given = events.iter().filter(|event| {
                    self.caller.oversees() || !is_about_people(&event.aggregate_type)
                });
                let given = i64::try_from(given.count()).unwrap_or(i64::MAX);
                let reading = (self.caller).reading(&self.app, Reading::Stream, first, last, given);
                if let Err(error) = self.app.audit.reads_log(reading).await {
                    warn!(%error, "a stream of events ends, because it cannot be recorded who reads it");
                    return None;
                }
                self.after = last;
                self.read = events.into();
                Some(())
            }
            Err(error) => {
                warn!(%error, "a stream of events ends, because the log cannot be read");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_what_the_log_writes_under_the_type() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let inner = |text: &str| data("NoteAdded", raw(text)).get().to_owned();
        assert_eq!(inner(r#"{"NoteAdded": {"text": "x"}}"#), r#"{"text": "x"}"#);
        assert_eq!(inner(r#"{"Other": {}}"#), r#"{"Other": {}}"#);
        assert_eq!(
            inner(r#"{"NoteAdded": {}, "b": 1}"#),
            r#"{"NoteAdded": {}, "b": 1}"#
        );
    }
}
