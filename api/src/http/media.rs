//! The files that messages carry: to read them, and to upload one that is to be sent.
//!
//! A file is read by whoever reaches a case in which its message stands, with a token or from a page of the console. What comes from
//! a stranger is never run: see [`answer`].

pub(crate) mod answer;
mod upload;
mod view;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::Response;
use docket_domain::access::Access;
use docket_domain::ids::{MediaId, UserId};
use docket_domain::media::StoredFile;
use docket_projections::media_uploads;
use docket_projections::read::media::{self, MediaState};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(crate) use self::upload::{MULTIPART, accept};
pub use self::view::MediaView;
use super::auth::Reader;
use super::input::{Path, Query};
use super::problem::{Kind, Problem};
use crate::app::App;
use crate::media::words;
use crate::reach;

pub(super) fn routes() -> OpenApiRouter<App> {
    let upload = OpenApiRouter::new()
        .routes(routes!(upload::upload))
        // The handler counts what it reads.
        .layer(DefaultBodyLimit::disable());
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(thumbnail))
        .merge(upload)
}

/// The file of that id, for somebody who reaches a case in which its message stands, or who uploaded it.
///
/// # Errors
///
/// The file is not kept, with the reason, or there is no such file.
pub(crate) async fn find(
    app: &App,
    access: &Access,
    user_id: UserId,
    media_id: MediaId,
) -> Result<StoredFile, Problem> {
    let missing = |why: String| Err(Problem::new(Kind::NotFound, why));
    for placed in media::find(&app.pool, media_id).await? {
        let is_reached = access.is_all()
            || !reach::visible(&app.pool, access, placed.references)
                .await?
                .is_empty();
        if !is_reached {
            continue;
        }
        let row = placed.media.at((app.clock)());
        return match row.state {
            MediaState::Stored(file) => Ok(file),
            state => missing(words::missing(&state).unwrap_or_default()),
        };
    }
    match media_uploads::find(&app.pool, media_id, user_id).await? {
        Some(file) => Ok(file),
        None => missing(format!("there is no file {media_id}")),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ShowQuery {
    /// `true`: as a file to be saved, whatever its type.
    #[serde(default)]
    download: bool,
}

/// A file that a message carries.
///
/// Its `Content-Type` is what its first bytes tell, where browsers show such files safely; all others come as
/// `application/octet-stream`, to be saved. A `Range` gives a part. The file of an id never changes: its `ETag` is its SHA-256.
/// A page of the console may ask with its session in place of a token.
#[utoipa::path(
    get,
    path = "/media/{id}",
    operation_id = "getMedia",
    tag = "media",
    params(("id" = Uuid, Path, description = "The file"), ShowQuery),
    responses(
        (status = 200, description = "The file", content_type = "*/*", body = String),
        (status = 206, description = "The part that `Range` asks for", content_type = "*/*", body = String),
        (status = 304, description = "`If-None-Match` names the file"),
        (status = 416, description = "The file has no such part"),
    )
)]
async fn show(
    Reader(caller): Reader,
    Path(id): Path<Uuid>,
    Query(query): Query<ShowQuery>,
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = find(&app, &caller.access, caller.user_id, MediaId(id)).await?;
    answer::file(app.media.store(), &file, &headers, query.download).await
}

/// A small form of a picture.
///
/// At most 640 pixels wide and high, upright, and without what the camera noted: JPEG, or PNG where it is transparent.
#[utoipa::path(
    get,
    path = "/media/{id}/thumbnail",
    operation_id = "getThumbnail",
    tag = "media",
    params(("id" = Uuid, Path, description = "The file")),
    responses(
        (status = 200, description = "The small form", content_type = "*/*", body = String),
        (status = 304, description = "`If-None-Match` names it"),
    )
)]
async fn thumbnail(
    Reader(caller): Reader,
    Path(id): Path<Uuid>,
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = find(&app, &caller.access, caller.user_id, MediaId(id)).await?;
    answer::thumbnail(app.media.store(), &file, &headers).await
}
