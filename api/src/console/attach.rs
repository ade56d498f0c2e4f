//! The file of a reply: the script of a page uploads it beside the form, and without the script the form carries it.

use axum::Json;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use docket_domain::ids::MediaId;
use docket_projections::{history, media_uploads};
use serde::Serialize;

use super::session::{MEDIA_ID, Posted, Session};
use super::words::media as said;
use super::{Console, Failed, MAX_FORM_BYTES, failure};
use crate::http::media::MULTIPART;
use crate::media::picture::has_thumbnail;
use crate::site;

/// What the script shows of a file that was uploaded.
#[derive(Serialize)]
struct Uploaded {
    id: String,
    name: Option<String>,
    /// Its type and size.
    about: String,
    thumbnail: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
}

/// Keeps a file for a reply that is being written.
pub(super) async fn upload(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let media_id = posted.field(MEDIA_ID).parse().ok().map(MediaId);
    let file = match media_id {
        Some(media_id) => media_uploads::find(&app.pool, media_id, session.user_id).await?,
        None => None,
    };
    let (Some(media_id), Some(file)) = (media_id, file) else {
        let sentence = said::NO_FILE.to_owned();
        return Ok(failure(StatusCode::UNPROCESSABLE_ENTITY, sentence));
    };
    let address = format!("{}/api/v1/media/{media_id}/thumbnail", site::base());
    let uploaded = Uploaded {
        id: media_id.to_string(),
        about: format!(
            "{}, {}",
            said::type_name(&file.media_type),
            history::file_size(file.size)
        ),
        thumbnail: has_thumbnail(&file.media_type, file.size).then_some(address),
        name: file.name.map(|name| name.0),
        width: file.width,
        height: file.height,
    };
    Ok((StatusCode::CREATED, Json(uploaded)).into_response())
}

/// Bounds forms that carry no file. One with a file is bounded where its parts are read.
pub(super) async fn bounded(mut request: Request, next: Next) -> Response {
    let has_file = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|media_type| media_type.to_str().ok())
        .is_some_and(|media_type| media_type.starts_with(MULTIPART));
    if !has_file {
        DefaultBodyLimit::max(MAX_FORM_BYTES).apply(&mut request);
    }
    next.run(request).await
}
