//! Webhooks that could not be routed: what is kept, and routing it when the cause is mended.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeZone as _, Utc};
use docket_domain::ids::{HeldId, Reference};
use docket_projections::read::unrouted::{self, Cursor, UnroutedRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::NoFields;
use super::auth::{Asks, Owner, WholeReader};
use super::input::{Path, Query, integer, unless_blank};
use super::paging::{self, Page};
use super::problem::Problem;
use super::schemas;
use crate::app::App;
use crate::rerouting::{Told, route_again, told};

/// What the cursors of the list are called.
const LIST: &str = "unrouted";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(route))
}

/// A webhook that could not be routed.
#[derive(Debug, Serialize, ToSchema)]
struct UnroutedView {
    /// Its id.
    id: Uuid,
    /// Its id, under the name that it has in the log.
    held_id: Uuid,
    /// What it was taken for when it came: `inbound` or `status`.
    kind: &'static str,
    /// Why it could not be routed: `unknown_line`, `undecodable`, `unknown_type`, `unknown_message` or `too_many_open_cases`.
    reason: &'static str,
    /// The same in words.
    detail: String,
    /// Vonage's id of the message, where it could be read.
    #[schema(required = true)]
    provider_id: Option<String>,
    /// Our number, where it could be read.
    #[schema(required = true)]
    to: Option<String>,
    /// The outside number, where it could be read.
    #[schema(required = true)]
    from: Option<String>,
    /// What the person said, where it can be read: at most 2,000 characters.
    #[schema(required = true)]
    text: Option<String>,
    /// When Vonage says that it happened, where that can be read.
    #[schema(required = true)]
    at: Option<DateTime<Utc>>,
    /// What can be done about it, in a sentence.
    remedy: &'static str,
    /// The beginning of its body, in hexadecimal where it is no text: at most 2,000 characters.
    body: String,
    /// When it came.
    received_at: DateTime<Utc>,
}

impl From<(UnroutedRow, Told)> for UnroutedView {
    fn from((row, told): (UnroutedRow, Told)) -> Self {
        Self {
            id: row.held_id.0,
            held_id: row.held_id.0,
            kind: row.kind.as_str(),
            reason: row.reason.as_str(),
            detail: row.detail,
            provider_id: told.provider_id,
            to: told.to,
            from: told.from,
            text: told.said,
            at: told.at,
            remedy: told.remedy,
            body: row.excerpt.0,
            received_at: row.received_at,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `next` of the page before.
    #[serde(default, deserialize_with = "unless_blank")]
    #[param(schema_with = schemas::unrouted_cursor)]
    cursor: Option<String>,
    /// How many webhooks at most, 1 to 200; 50 by default.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::limit)]
    limit: Option<u32>,
}

fn cursor(row: &UnroutedRow) -> String {
    paging::cursor(
        LIST,
        &format!("{}.{}", row.received_at.timestamp_micros(), row.held_id),
    )
}

fn place(text: &str) -> Option<Cursor> {
    let (micros, held_id) = text.split_once('.')?;
    // Postgres knows no time before 4713 BC; a cursor is never from before 1970.
    let micros = micros.parse().ok().filter(|micros| *micros >= 0)?;
    let received_at = Utc.timestamp_micros(micros).single()?;
    Some(Cursor {
        received_at,
        held_id: held_id.parse().ok()?,
    })
}

/// Webhooks that wait to be routed, newest first.
///
/// Not for agents who are kept to the cases of some surveys: what belongs nowhere may be of any.
#[utoipa::path(
    get,
    path = "/unrouted",
    operation_id = "listUnrouted",
    tag = "unrouted",
    params(ListQuery),
    responses((status = 200, description = "A page of webhooks", body = Page<UnroutedView>))
)]
async fn list(
    _: WholeReader,
    Query(query): Query<ListQuery>,
    State(app): State<App>,
) -> Result<Json<Page<UnroutedView>>, Problem> {
    let limit = paging::limit(query.limit, paging::DEFAULT_LIMIT)?;
    let after = paging::place(LIST, query.cursor.as_deref(), place)?;
    let rows = unrouted::page(&app.pool, after, limit + 1).await?;
    let mut read = Vec::with_capacity(rows.len());
    for row in rows {
        let told = told(&app, &row).await?;
        read.push((row, told));
    }
    let cursor = |(row, _): &(UnroutedRow, Told)| cursor(row);
    Ok(Json(Page::of(read, limit, cursor, UnroutedView::from)))
}

/// Where a webhook's message came to stand.
#[derive(Debug, Serialize, ToSchema)]
struct RoutedHeldView {
    /// The cases, ordered.
    references: Vec<u32>,
}

/// Routes a kept message, once the cause is mended: the line was added, or Docket has learnt its type.
#[utoipa::path(
    post,
    path = "/unrouted/{id}/route",
    operation_id = "routeUnrouted",
    tag = "unrouted",
    params(("id" = Uuid, Path, description = "The kept webhook")),
    responses((status = 200, description = "The cases that got the message", body = RoutedHeldView))
)]
async fn route(
    _: Owner,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    Asks {
        asked,
        body: NoFields {},
        ..
    }: Asks<Owner, NoFields>,
) -> Result<Json<RoutedHeldView>, Problem> {
    let routed = route_again(&app, HeldId(id), asked).await?;
    let references = routed.into_iter().map(Reference::get).collect();
    Ok(Json(RoutedHeldView { references }))
}
