//! Where the caller is mentioned.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use docket_projections::read::mentions::{self, Mention};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Reader;
use super::paging::Page;
use super::problem::Problem;
use crate::app::App;

/// So many cases are told.
const LIMIT: i64 = 100;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A case in which a note mentions the caller.
#[derive(Debug, Serialize, ToSchema)]
struct MentionView {
    /// The case.
    reference: u32,
    /// The sequence of the newest event that mentions them.
    sequence: u64,
    /// When that was.
    mentioned_at: DateTime<Utc>,
    /// Whether they have not opened the case at the console since.
    is_unread: bool,
}

impl From<Mention> for MentionView {
    fn from(mention: Mention) -> Self {
        Self {
            reference: mention.reference.get(),
            sequence: mention.sequence,
            mentioned_at: mention.mentioned_at,
            is_unread: mention.is_unread,
        }
    }
}

/// The newest 100 cases in which a note mentions the caller, the newest mention first.
#[utoipa::path(
    get,
    path = "/mentions",
    operation_id = "listMentions",
    tag = "cases",
    responses((status = 200, description = "The cases", body = Page<MentionView>))
)]
async fn list(
    Reader(caller): Reader,
    State(app): State<App>,
) -> Result<Json<Page<MentionView>>, Problem> {
    let surveys = caller.access.narrow(None);
    let mentions = mentions::of(&app.pool, caller.user_id, surveys.as_deref(), LIMIT).await?;
    let views = mentions.into_iter().map(MentionView::from).collect();
    Ok(Json(Page::whole(views)))
}
