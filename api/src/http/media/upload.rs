//! `POST /media`: a file that is to be sent with a reply.
//!
//! Its bytes go to the store as they come. What is known of it stands beside the log until a reply carries it.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use docket_domain::ids::{MediaId, UserId};
use docket_domain::media::{StoredFile, clean_name};
use docket_domain::personal::Personal;
use docket_projections::media_uploads;
use futures_util::{Stream, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::App;
use crate::http::auth::{self, Worker};
use crate::http::input::{Query, unless_blank};
use crate::http::problem::{Kind, Problem};
use crate::http::schemas;
use crate::media::store::KeepError;

/// A longer name of a file is refused.
const MAX_NAME_CHARS: usize = 255;
/// The media type of a form with a file.
pub(crate) const MULTIPART: &str = "multipart/form-data";
/// The field of a form that holds the file.
const FIELD: &str = "file";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadQuery {
    /// The file's name. Of a form, the name in the form counts where this is absent.
    #[serde(default, deserialize_with = "unless_blank")]
    #[param(schema_with = schemas::file_name)]
    name: Option<String>,
}

/// A form with a file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only documents the form")]
struct UploadForm {
    /// The file.
    #[schema(schema_with = schemas::file_bytes)]
    file: String,
}

/// A file that was uploaded.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UploadView {
    /// Its id, for `media_id` of a reply.
    id: Uuid,
    /// SHA-256 of its bytes, in hexadecimal digits.
    sha256: String,
    /// Its size in bytes.
    size: u64,
    /// Its media type, told by its first bytes.
    #[serde(rename = "type")]
    media_type: String,
    /// Its name, where it has one.
    #[schema(required = true)]
    name: Option<String>,
    /// Of a picture: its width in pixels.
    #[schema(required = true)]
    width: Option<u32>,
    /// Of a picture: its height in pixels.
    #[schema(required = true)]
    height: Option<u32>,
}

impl UploadView {
    fn of(media_id: MediaId, file: StoredFile) -> Self {
        Self {
            id: media_id.0,
            sha256: file.sha256,
            size: file.size,
            media_type: file.media_type,
            name: file.name.map(|name| name.0),
            width: file.width,
            height: file.height,
        }
    }
}

/// Uploads a file that is to be sent.
///
/// The body is the file itself, or a form with it in the field `file`. Send it with `POST /cases/{reference}/replies` and its id as
/// `media_id` within 7 days; after that an upload that was not sent is forgotten. `DOCKET_MEDIA_MAX_MB` bounds its size.
#[utoipa::path(
    post,
    path = "/media",
    operation_id = "uploadMedia",
    tag = "media",
    params(UploadQuery),
    request_body(
        description = "The file",
        content(
            (UploadForm = "multipart/form-data"),
            (UploadBytes = "application/octet-stream"),
        )
    ),
    responses((status = 201, description = "The file is kept", body = UploadView))
)]
pub(super) async fn upload(
    Worker(caller): Worker,
    Query(query): Query<UploadQuery>,
    State(app): State<App>,
    request: Request,
) -> Result<Response, Problem> {
    let key = auth::idempotency_key(request.headers())?;
    let (file, told_name) = if is_multipart(request.headers()) {
        from_form(&app, request).await?
    } else {
        let bytes = request.into_body().into_data_stream();
        (keep(&app, bytes.map_err(drop)).await?, None)
    };
    if let Some(name) = &query.name
        && name.chars().count() > MAX_NAME_CHARS
    {
        let detail = format!("name must have at most {MAX_NAME_CHARS} characters");
        return Err(Problem::new(Kind::InvalidQuery, detail));
    }
    let name = query.name.or(told_name);
    let file = StoredFile {
        name: name.as_deref().and_then(clean_name).map(Personal),
        ..file
    };
    let media_id = MediaId(match &key {
        Some(key) => Uuid::new_v5(&caller.user_id.0, format!("media {key}").as_bytes()),
        None => (app.new_id)(),
    });
    let known = note(&app, caller.user_id, media_id, &file).await?;
    if known.sha256 != file.sha256 || known.name != file.name {
        return Err(Problem::new(
            Kind::IdempotencyKeyReused,
            "that Idempotency-Key was used for another file; take a new one for each",
        ));
    }
    let location = format!("{}/api/v1/media/{media_id}", crate::site::base());
    let view = UploadView::of(media_id, known);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(view)).into_response())
}

/// The file itself.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary, min_length = 1)]
struct UploadBytes(#[expect(dead_code, reason = "it only documents the body")] String);

/// Keeps a file that somebody chose to send; `name` is what they call it. Gives its id: the same where a form that carries `once`
/// is sent again with the same file.
///
/// # Errors
///
/// It is empty or too large, or broke off.
pub(crate) async fn accept(
    app: &App,
    user_id: UserId,
    (name, once): (Option<&str>, Option<&str>),
    bytes: impl Stream<Item = Result<Bytes, ()>>,
) -> Result<(MediaId, StoredFile), Problem> {
    let file = StoredFile {
        name: name.and_then(clean_name).map(Personal),
        ..keep(app, bytes).await?
    };
    let media_id = MediaId(once.map_or_else(app.new_id, |once| {
        let of_form = format!("form {once} {}", file.sha256);
        Uuid::new_v5(&user_id.0, of_form.as_bytes())
    }));
    let known = note(app, user_id, media_id, &file).await?;
    Ok((media_id, known))
}

/// Notes an upload; gives what is known of it, which is an earlier one where the id is known.
async fn note(
    app: &App,
    user_id: UserId,
    media_id: MediaId,
    file: &StoredFile,
) -> Result<StoredFile, Problem> {
    media_uploads::add(&app.pool, media_id, user_id, file, (app.clock)()).await?;
    media_uploads::find(&app.pool, media_id, user_id)
        .await?
        .ok_or_else(Problem::internal)
}

fn is_multipart(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|media_type| media_type.to_str().ok())
        .is_some_and(|media_type| {
            media_type
                .get(..MULTIPART.len())
                .is_some_and(|kind| kind.eq_ignore_ascii_case(MULTIPART))
        })
}

async fn from_form(
    app: &App,
    request: Request<Body>,
) -> Result<(StoredFile, Option<String>), Problem> {
    let malformed = || Problem::invalid("the form must hold the file in its field file");
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| malformed())?;
    while let Some(field) = form.next_field().await.map_err(|_| malformed())? {
        if field.name() == Some(FIELD) {
            let name = field.file_name().map(str::to_owned);
            let file = keep(app, field.map_err(drop)).await?;
            return Ok((file, name));
        }
    }
    Err(malformed())
}

async fn keep(
    app: &App,
    bytes: impl Stream<Item = Result<Bytes, ()>>,
) -> Result<StoredFile, Problem> {
    let media = &app.media;
    let kept = media
        .store()
        .keep((app.new_id)(), bytes, media.max_bytes())
        .await;
    let file = kept.map_err(|error| match error {
        KeepError::TooLarge => Problem::new(
            Kind::BodyTooLarge,
            format!(
                "send at most {} MB; an operator can raise DOCKET_MEDIA_MAX_MB",
                media.max_mb()
            ),
        ),
        KeepError::Source(()) => Problem::new(
            Kind::IncompleteBody,
            "the file broke off; send the request again",
        ),
        KeepError::Store(error) => Problem::unavailable().caused_by(&error),
    })?;
    if file.size == 0 {
        return Err(Problem::invalid("the file must not be empty"));
    }
    Ok(file)
}
