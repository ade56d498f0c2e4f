//! Moving a message to where it belongs, and undoing that.

use axum::Json;
use axum::extract::State;
use docket_domain::case::{CaseEvent, Origin};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{MessageId, NoteId, Reference};
use docket_projections::log::reader;
use docket_projections::log::upcasters::upcasters;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::NoFields;
use super::auth::{Asks, Worker};
use super::cases::no_such_case;
use super::input::{self, Path, PathReference};
use super::problem::Problem;
use super::schemas;
use crate::app::App;
use crate::operations::message_move::{MoveMessage, Moved, UndoMove};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(move_message))
        .routes(routes!(undo_move))
}

/// Where a message is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMove {
    /// Why; a new case gets it as a note.
    #[serde(default)]
    #[schema(schema_with = schemas::comment_or_null)]
    comment: Option<String>,
    /// An open case of the same contact; left out or null, a new case is made.
    #[serde(default)]
    #[schema(schema_with = schemas::reference_or_null)]
    to: Option<u32>,
}

/// Where a message went.
#[derive(Debug, Serialize, ToSchema)]
struct MovedView {
    /// The case.
    reference: u32,
}

impl From<Moved> for Json<MovedView> {
    fn from(moved: Moved) -> Self {
        Self(MovedView {
            reference: moved.reference.get(),
        })
    }
}

/// Moves an inbound message to a new case, or to another open case of the same contact.
#[utoipa::path(
    post,
    path = "/cases/{reference}/messages/{message_id}/move",
    operation_id = "moveMessage",
    tag = "moves",
    params(
        ("reference" = u32, Path, description = "The case that it is moved out of"),
        ("message_id" = Uuid, Path, description = "The message"),
    ),
    request_body(content = Option<NewMove>),
    responses((status = 200, description = "The case that it went to", body = MovedView))
)]
async fn move_message(
    _: Worker,
    Path((PathReference(from), message_id)): Path<(PathReference, Uuid)>,
    State(app): State<App>,
    Asks { asked, body, .. }: Asks<Worker, NewMove>,
) -> Result<Json<MovedView>, Problem> {
    let operation = MoveMessage {
        from,
        message_id: MessageId(message_id),
        to: body.to.map(|to| input::reference("to", to)).transpose()?,
        comment: body.comment,
        note_id: NoteId((app.new_id)()),
        asked,
    };
    Ok(super::submit(&app, operation).await?.output.into())
}

/// Undoes a move, called on the case that it made.
///
/// Possible while nothing has been said in that case since. The message returns to where it stood, and the case is closed for
/// good.
#[utoipa::path(
    post,
    path = "/cases/{reference}/messages/{message_id}/undo-move",
    operation_id = "undoMove",
    tag = "moves",
    params(
        ("reference" = u32, Path, description = "The case that the move made"),
        ("message_id" = Uuid, Path, description = "The message"),
    ),
    responses((status = 200, description = "The case that it returned to", body = MovedView))
)]
async fn undo_move(
    _: Worker,
    Path((PathReference(reference), message_id)): Path<(PathReference, Uuid)>,
    State(app): State<App>,
    Asks {
        asked,
        body: NoFields {},
        ..
    }: Asks<Worker, NoFields>,
) -> Result<Json<MovedView>, Problem> {
    let source = source(&app, reference).await?;
    let operation = UndoMove {
        reference,
        source,
        message_id: MessageId(message_id),
        asked,
    };
    Ok(super::submit(&app, operation).await?.output.into())
}

/// The case that a case was made from; itself, where it was not made by a move, which the operation then says.
pub(crate) async fn source(app: &App, reference: Reference) -> Result<Reference, Problem> {
    let first = reader::stream(&app.pool, StreamId::Case(reference), 0, 1).await?;
    let first = first.first().ok_or_else(|| no_such_case(reference))?;
    match first.decode(&upcasters())?.event {
        Event::Case(CaseEvent::CaseOpened(opened)) => match opened.origin {
            Origin::Move { from } => Ok(from),
            Origin::Message | Origin::Record | Origin::Agent => Ok(reference),
        },
        _ => Ok(reference),
    }
}
