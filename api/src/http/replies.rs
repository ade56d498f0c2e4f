//! What an agent says: replies, and sending again what did not arrive.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use docket_domain::case::CaseError;
use docket_domain::ids::{MediaId, MessageId, Reference};
use docket_projections::ledger::operation::LedgerError;
use docket_projections::media_uploads;
use docket_projections::read::thread;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::NoFields;
use super::auth::{Asks, Worker};
use super::input::{Path, PathReference};
use super::openapi::ProblemView;
use super::outgoing::{Said, TemplateToSend};
use super::paging::MAX_LIMIT;
use super::problem::{Kind, Problem};
use super::schemas;
use super::thread::ThreadItem;
use crate::app::App;
use crate::media::shown::{self, Moment};
use crate::operations::Asked;
use crate::operations::reply::{Attached, Queued, Reply, ReplyError, Resend};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(reply))
        .routes(routes!(resend))
}

/// A reply that is to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewReply {
    /// What to say; the reference is appended to what is sent. A body has a text, a file or both, or else a template. A file can go
    /// without a text, and a sound has none.
    #[serde(default)]
    #[schema(schema_with = schemas::outgoing::reply_or_null)]
    text: Option<String>,
    /// The id of a file that you uploaded with `POST /media`, to go out with the text.
    #[serde(default)]
    media_id: Option<Uuid>,
    /// The `WhatsApp` template to send in place of a text or a file.
    #[serde(default)]
    template: Option<TemplateToSend>,
    /// Whether the text or file is to be sent though `WhatsApp`'s 24 hours since the contact's last message are over. Vonage will
    /// probably refuse it. Left out or false, such a reply is refused: `window-closed`.
    #[serde(default)]
    outside_window: bool,
    /// The `version` of the case that you have read. If something was said since, the reply is refused with what is new. Left
    /// out, the reply is taken in any case.
    #[serde(default)]
    seen_version: Option<u64>,
}

/// A message that waits to be sent.
#[derive(Debug, Serialize, ToSchema)]
struct QueuedView {
    /// Its id, the same in the thread.
    message_id: Uuid,
    /// The case's version with it.
    version: u64,
}

impl From<Queued> for QueuedView {
    fn from(queued: Queued) -> Self {
        Self {
            message_id: queued.message_id.0,
            version: queued.version,
        }
    }
}

/// What was said since the caller looked.
#[derive(Debug, Serialize, ToSchema)]
struct SaidSinceView {
    #[serde(flatten)]
    problem: ProblemView,
    /// The version with all of that; repeat the request with it as `seen_version` to send in spite of it.
    version: u64,
    /// The messages since.
    new: Vec<ThreadItem>,
}

/// Replies to the contact.
///
/// The reply is recorded, and sent by and by: the thread shows what becomes of it. It goes to the case's contact from the line
/// that the contact last wrote to.
#[utoipa::path(
    post,
    path = "/cases/{reference}/replies",
    operation_id = "reply",
    tag = "replies",
    params(("reference" = u32, Path, description = "The case")),
    request_body = NewReply,
    responses(
        (status = 202, description = "The reply is recorded and waits to be sent", body = QueuedView),
        (status = 409, description = "Something was said since `seen_version` (`/problems/said-since`), `WhatsApp` takes no free text now (`/problems/window-closed`), or the case takes no reply", body = SaidSinceView, content_type = "application/problem+json"),
    )
)]
async fn reply(
    _: Worker,
    Path(PathReference(reference)): Path<PathReference>,
    State(app): State<App>,
    Asks { asked, body, .. }: Asks<Worker, NewReply>,
) -> Result<(StatusCode, Json<QueuedView>), Problem> {
    let wording = Said {
        text: body.text,
        has_media: body.media_id.is_some(),
        template: body.template,
        outside_window: body.outside_window,
    };
    let (text, send_as) = wording.read()?;
    let media = attached(&app, &asked, body.media_id).await?;
    let operation = Reply {
        reference,
        text,
        media,
        send_as,
        seen_version: body.seen_version,
        message_id: MessageId((app.new_id)()),
        asked,
    };
    match super::submit(&app, operation).await {
        Ok(outcome) => Ok((StatusCode::ACCEPTED, Json(outcome.output.into()))),
        Err(LedgerError::Refused(ReplyError::Case(CaseError::SaidSince { seen, version }))) => {
            Err(said_since(&app, reference, seen, version).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// The upload of that id, if whoever asks made it.
///
/// # Errors
///
/// They made none.
pub(crate) async fn attached(
    app: &App,
    asked: &Asked,
    media_id: Option<Uuid>,
) -> Result<Option<Attached>, Problem> {
    let Some(media_id) = media_id.map(MediaId) else {
        return Ok(None);
    };
    let file = media_uploads::find(&app.pool, media_id, asked.user_id).await?;
    let file = file.ok_or_else(|| {
        Problem::invalid("media_id names no file that you uploaded; POST /api/v1/media gives one")
    })?;
    Ok(Some(Attached {
        media_id,
        file,
        media: app.media.clone(),
    }))
}

async fn said_since(
    app: &App,
    reference: Reference,
    seen: u64,
    version: u64,
) -> Result<Problem, Problem> {
    let items = thread::since(&app.pool, reference, seen, MAX_LIMIT).await?;
    // Whoever repeats with this version has been shown all that it covers: more may have come since the refusal, and a very
    // long list is cut.
    let last = items.last().map_or(version, |item| item.place.sequence);
    let version = if items.len() == MAX_LIMIT as usize {
        last
    } else {
        version.max(last)
    };
    let mut files = shown::files(&app.pool, &items, Moment::Now((app.clock)())).await?;
    let new: Vec<ThreadItem> = items
        .into_iter()
        .map(|item| ThreadItem::with_files(item, &mut files))
        .collect();
    let detail = CaseError::SaidSince { seen, version }.to_string();
    Ok(Problem::new(Kind::SaidSince, detail)
        .with("version", version)
        .with("new", new))
}

/// Sends a failed or uncertain message again.
#[utoipa::path(
    post,
    path = "/cases/{reference}/messages/{message_id}/resend",
    operation_id = "resendMessage",
    tag = "replies",
    params(
        ("reference" = u32, Path, description = "The case"),
        ("message_id" = Uuid, Path, description = "The message"),
    ),
    responses((status = 202, description = "The message waits to be sent", body = QueuedView))
)]
async fn resend(
    _: Worker,
    Path((PathReference(reference), message_id)): Path<(PathReference, Uuid)>,
    State(app): State<App>,
    Asks {
        asked,
        body: NoFields {},
        ..
    }: Asks<Worker, NoFields>,
) -> Result<(StatusCode, Json<QueuedView>), Problem> {
    let operation = Resend {
        reference,
        message_id: MessageId(message_id),
        asked,
    };
    let queued = super::submit(&app, operation).await?.output;
    Ok((StatusCode::ACCEPTED, Json(queued.into())))
}
