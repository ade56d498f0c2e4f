//! `GET /cases/{reference}/bundle`: a case with its proof, as a zip file.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use docket_domain::ids::Reference;
use docket_domain::people::export::Via;
use docket_projections::log::recorded::Metadata;
use futures_util::stream;
use tracing::warn;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Overseer;
use super::cases::no_such_case;
use super::input::{Path, PathReference};
use super::problem::{Kind, Problem};
use super::request_id::is_head;
use crate::app::App;
use crate::evidence::EvidenceError;
use crate::evidence::bundle::{self, BundleError, Export};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(bundle))
}

impl From<BundleError> for Problem {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::NoSuchCase(reference) => no_such_case(reference),
            BundleError::Evidence(
                error @ (EvidenceError::NoSecretKey
                | EvidenceError::UnreadableKey
                | EvidenceError::Contradiction(_)),
            ) => Self::new(Kind::NotSigned, error.to_string()),
            BundleError::Altered(_) => Self::new(Kind::NotSigned, error.to_string()),
            BundleError::NotRecorded(_) => Self::new(Kind::Unavailable, error.to_string()),
            error => Self::internal().caused_by(&error),
        }
    }
}

/// A case with its proof: its events, a transcript to read, and the signed checkpoint that covers them, as a zip file.
///
/// `docket verify --bundle` checks it without a database, and so does anybody by `docs/evidence.md`. Who exports what is recorded.
#[utoipa::path(
    get,
    path = "/cases/{reference}/bundle",
    operation_id = "exportCase",
    tag = "evidence",
    params(("reference" = u32, Path, description = "The case")),
    responses((status = 200, description = "The bundle", body = Vec<u8>, content_type = "application/zip"))
)]
async fn bundle(
    Overseer(caller): Overseer,
    Path(PathReference(reference)): Path<PathReference>,
    State(app): State<App>,
) -> Result<Response, Problem> {
    Ok(file(&app, reference, Via::Api, caller.asked().metadata()).await?)
}

/// The bundle of a case as an answer.
///
/// # Errors
///
/// [`BundleError`].
pub async fn file(
    app: &App,
    reference: Reference,
    via: Via,
    metadata: Metadata,
) -> Result<Response, BundleError> {
    let body = if is_head() {
        bundle::extent(&app.pool, reference).await?;
        // Of no known length, as the stream of GET is.
        Body::from_stream(stream::empty::<Result<Bytes, BundleError>>())
    } else {
        let key = app.vonage.settings.key();
        let export = Export::begin(app, key, reference, via, metadata).await?;
        Body::from_stream(stream::try_unfold(export, |mut export| async move {
            match export.read() {
                Ok(Some(bytes)) => Ok(Some((bytes, export))),
                Ok(None) => Ok(None),
                Err(error) => {
                    warn!(%error, "a bundle breaks off");
                    Err(error)
                }
            }
        }))
    };
    let name = bundle::file_name(reference);
    let headers = [
        (CONTENT_TYPE, "application/zip".to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    Ok((headers, body).into_response())
}
