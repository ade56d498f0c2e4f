//! Checkpoints of the log and the tiles of its tree, as C2SP tlog-tiles has them.
//!
//! Entry bundles are not served: they hold what people wrote. Whoever may read that has `/events`.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use docket_projections::evidence::checkpoints::{self, Checkpoint};
use docket_projections::evidence::tree::{self, Place};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Overseer;
use super::input::{Path, Query, integer};
use super::paging;
use super::problem::{Kind, Problem};
use super::schemas;
use crate::app::App;

/// Text, as checkpoints are.
const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(latest))
        .routes(routes!(log_checkpoint))
        .routes(routes!(tile))
}

/// A signed checkpoint.
#[derive(Debug, Serialize, ToSchema)]
struct CheckpointView {
    /// How many events it covers: positions 1 to this.
    size: i64,
    /// The root of their Merkle tree, in base64.
    root: String,
    /// When it was signed.
    signed_at: DateTime<Utc>,
    /// The signed note: C2SP tlog-checkpoint.
    note: String,
}

impl From<Checkpoint> for CheckpointView {
    fn from(checkpoint: Checkpoint) -> Self {
        Self {
            size: checkpoint.size,
            root: BASE64_STANDARD.encode(checkpoint.root),
            signed_at: checkpoint.signed_at,
            note: checkpoint.note,
        }
    }
}

/// A page of checkpoints.
#[derive(Debug, Serialize, ToSchema)]
struct CheckpointPage {
    /// The checkpoints, from the oldest on.
    items: Vec<CheckpointView>,
    /// What to give as `after` for the next page; null where there are no more checkpoints now.
    #[schema(required = true)]
    next: Option<i64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// A size: only checkpoints of more events. 0, the default, begins at the beginning.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::position)]
    after: Option<u64>,
    /// How many checkpoints at most, 1 to 200; 50 by default.
    #[serde(default, deserialize_with = "integer")]
    #[param(schema_with = schemas::limit)]
    limit: Option<u32>,
}

/// The signed checkpoints of the log, from the oldest on.
#[utoipa::path(
    get,
    path = "/checkpoints",
    operation_id = "listCheckpoints",
    tag = "evidence",
    params(ListQuery),
    responses((status = 200, description = "A page of checkpoints", body = CheckpointPage))
)]
async fn list(
    _: Overseer,
    Query(query): Query<ListQuery>,
    State(app): State<App>,
) -> Result<Json<CheckpointPage>, Problem> {
    let limit = paging::limit(query.limit, paging::DEFAULT_LIMIT)?;
    let after = u32::try_from(query.after.unwrap_or_default())
        .map_err(|_| Problem::new(Kind::InvalidQuery, "after must be at most 4294967295"))?;
    let after = i64::from(after);
    let rows = checkpoints::page(&app.pool, after, i64::from(limit) + 1).await?;
    let (rows, next) = paging::cut(rows, limit, |checkpoint| checkpoint.size);
    Ok(Json(CheckpointPage {
        items: rows.into_iter().map(CheckpointView::from).collect(),
        next,
    }))
}

/// The newest checkpoint: as a signed note, or as JSON where `Accept` asks for that.
#[utoipa::path(
    get,
    path = "/checkpoints/latest",
    operation_id = "getLatestCheckpoint",
    tag = "evidence",
    responses(
        (status = 200, description = "The signed note", content(
            (String = "text/plain"),
            (CheckpointView = "application/json"),
        )),
        (status = 404, description = "Nothing is signed yet"),
    )
)]
async fn latest(
    _: Overseer,
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let checkpoint = newest(&app).await?;
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    // A witness asks for anything, or for text.
    let wants_json = accept.is_some_and(|accept| {
        accept.contains("application/json") && !accept.contains("text/plain")
    });
    Ok(if wants_json {
        Json(CheckpointView::from(checkpoint)).into_response()
    } else {
        ([(CONTENT_TYPE, TEXT)], checkpoint.note).into_response()
    })
}

/// The newest checkpoint, at its place in the log's tiles: C2SP tlog-tiles.
#[utoipa::path(
    get,
    path = "/log/checkpoint",
    operation_id = "getLogCheckpoint",
    tag = "evidence",
    responses(
        (status = 200, description = "The signed note", body = String, content_type = "text/plain"),
        (status = 404, description = "Nothing is signed yet"),
    )
)]
async fn log_checkpoint(_: Overseer, State(app): State<App>) -> Result<Response, Problem> {
    let checkpoint = newest(&app).await?;
    Ok(([(CONTENT_TYPE, TEXT)], checkpoint.note).into_response())
}

async fn newest(app: &App) -> Result<Checkpoint, Problem> {
    checkpoints::latest(&app.pool).await?.ok_or_else(|| {
        Problem::new(
            Kind::NotFound,
            "no checkpoint is signed yet; one follows within a minute of the first event, and Health says what stands in the way",
        )
    })
}

/// A tile of the log's Merkle tree: 256 hashes of 32 bytes, or fewer where it is named as partial (C2SP tlog-tiles).
///
/// Bundles of entries (`tile/entries/…`) are not served, since they hold what people wrote; `GET /events` has the events.
#[utoipa::path(
    get,
    path = "/log/tile/{level}/{*tile}",
    operation_id = "getLogTile",
    tag = "evidence",
    params(
        ("level" = String, Path, description = "The level, 0 for hashes of events"),
        ("tile" = String, Path, description = "The place in the level, such as `000`, `x001/067` or `x001/067.p/5`"),
    ),
    responses(
        (status = 200, description = "The hashes", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, description = "The tree has no such tile"),
    )
)]
async fn tile(
    _: Overseer,
    Path((level, tile)): Path<(String, String)>,
    State(app): State<App>,
) -> Result<Response, Problem> {
    let place = Place::read(&level, &tile);
    let hashes = match place {
        Some(place) => tree::tile(&app.pool, place).await?,
        None => None,
    };
    let hashes = hashes.ok_or_else(|| {
        Problem::new(
            Kind::NotFound,
            "the tree has no such tile; its size is in the newest checkpoint, and partial tiles are named as 000.p/5",
        )
    })?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], hashes).into_response())
}
