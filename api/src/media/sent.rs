//! `GET /media/sent/…`: Vonage fetches a file that we send.
//!
//! The address is the proof: nobody can guess it, it is for the file of one message, and it ends after 48 hours. An answer to any
//! other says nothing of what there is.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use docket_domain::ids::MessageId;
use docket_projections::read::media;
use uuid::Uuid;

use super::link::PATH;
use crate::app::App;
use crate::http::media::answer;
use crate::http::problem::{Kind, Problem};

/// The route.
pub fn router(app: App) -> Router {
    Router::new()
        .route(
            &format!("{PATH}/{{message_id}}/{{pass}}/{{name}}"),
            get(sent),
        )
        .with_state(app)
}

async fn sent(
    State(app): State<App>,
    Path((message_id, pass, _)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    answer_to(&app, &message_id, &pass, &headers)
        .await
        .unwrap_or_else(Problem::into_response)
}

async fn answer_to(
    app: &App,
    message_id: &str,
    pass: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let none = || Problem::new(Kind::NotFound, "there is no such file, or no longer");
    let message_id: Uuid = message_id.parse().map_err(|_| none())?;
    let admitted = app
        .media
        .link_key()
        .admits(MessageId(message_id), pass, (app.clock)());
    if !admitted {
        return Err(none());
    }
    let rows = media::of_messages(&app.pool, &[message_id]).await?;
    let file = rows
        .first()
        .and_then(media::MediaRow::file)
        .ok_or_else(none)?;
    let mut answer = answer::file(app.media.store(), file, headers, false).await?;
    // Vonage is no browser: it wants to know what the file is.
    if let Ok(media_type) = HeaderValue::from_str(&file.media_type) {
        answer.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    if !answer::is_safe(&file.media_type) {
        answer
            .headers_mut()
            .insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    Ok(answer)
}
