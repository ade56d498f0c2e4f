//! Putting a case off until later.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::NoFields;
use super::auth::{Asks, Worker};
use super::cases::{CaseView, changed};
use super::input::{Path, PathReference};
use super::problem::Problem;
use crate::app::App;
use crate::operations::case::{Change, ChangeCase};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(snooze, wake))
}

/// Until when a case is put off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSnooze {
    /// A time (RFC 3339) in the future, at most 366 days from now.
    until: DateTime<Utc>,
}

/// Snoozes a case: it leaves the lists of open cases until then.
///
/// It stays open, and messages reach it. It comes back when the time has come, when a message of the contact reaches it, or when
/// somebody ends the snooze; closing the case ends it too.
#[utoipa::path(
    put,
    path = "/cases/{reference}/snooze",
    operation_id = "snoozeCase",
    tag = "cases",
    params(("reference" = u32, Path, description = "The case")),
    request_body = NewSnooze,
    responses((status = 200, description = "The case as it is now", body = CaseView))
)]
async fn snooze(
    _: Worker,
    Path(PathReference(reference)): Path<PathReference>,
    State(app): State<App>,
    Asks { asked, body, .. }: Asks<Worker, NewSnooze>,
) -> Result<Json<CaseView>, Problem> {
    let change = Change::Snooze(body.until);
    let operation = ChangeCase {
        reference,
        change,
        asked,
    };
    changed(&app, operation).await
}

/// Ends the snooze of a case; nothing happens where it is not snoozed.
#[utoipa::path(
    delete,
    path = "/cases/{reference}/snooze",
    operation_id = "wakeCase",
    tag = "cases",
    params(("reference" = u32, Path, description = "The case")),
    responses((status = 200, description = "The case as it is now", body = CaseView))
)]
async fn wake(
    _: Worker,
    Path(PathReference(reference)): Path<PathReference>,
    State(app): State<App>,
    Asks {
        asked,
        body: NoFields {},
        ..
    }: Asks<Worker, NoFields>,
) -> Result<Json<CaseView>, Problem> {
    let operation = ChangeCase {
        reference,
        change: Change::Wake,
        asked,
    };
    changed(&app, operation).await
}
