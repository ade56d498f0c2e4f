//! Moving messages to where they belong, and undoing that.

use axum::Json;
use axum::extract::State;
use docket_domain::case::{CaseEvent, Origin};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{MessageId, NoteId, Reference};
use docket_projections::DatabaseError;
use docket_projections::log::reader;
use docket_projections::log::upcasters::upcasters;
use docket_projections::read::thread::following;
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
use crate::operations::message_move::{MAX_MOVED_AT_ONCE, MoveMessage, Moved, UndoMove};

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
    /// Whether the contact's messages that follow this one in the thread move with it, in one transaction: 100 messages at most
    /// together. Left out, this message moves alone.
    #[serde(default)]
    and_following: Option<bool>,
}

/// Where a message went.
#[derive(Debug, Serialize, ToSchema)]
struct MovedView {
    /// The case.
    reference: u32,
    /// How many messages went there, where it is more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
}

impl From<Moved> for Json<MovedView> {
    fn from(moved: Moved) -> Self {
        Self(MovedView {
            reference: moved.reference.get(),
            count: (moved.count > 1).then_some(moved.count),
        })
    }
}

/// Moves an inbound message to a new case, or to another open case of the same contact; with `and_following` the contact's messages
/// behind it too.
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
    let message_id = MessageId(message_id);
    let following = if body.and_following == Some(true) {
        following(&app, from, message_id).await?
    } else {
        vec![]
    };
    let operation = MoveMessage {
        from,
        message_id,
        following,
        to: body.to.map(|to| input::reference("to", to)).transpose()?,
        comment: body.comment,
        note_id: NoteId((app.new_id)()),
        asked,
    };
    Ok(super::submit(&app, operation).await?.output.into())
}

/// Undoes a move, called on the case that it made.
///
/// Possible while nothing has been said in that case since. All messages that the move brought, and that still stand there, return to
/// where they stood, and the case is closed for good.
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
    let MadeByMove { source, messages } = made_by_move(&app, reference).await?;
    let operation = UndoMove {
        reference,
        source,
        message_id: MessageId(message_id),
        others: messages,
        asked,
    };
    Ok(super::submit(&app, operation).await?.output.into())
}

/// The contact's messages that follow that one, or one more than can move with it.
pub(crate) async fn following(
    app: &App,
    from: Reference,
    message_id: MessageId,
) -> Result<Vec<MessageId>, DatabaseError> {
    following::inbound(&app.pool, from, message_id, to_i64(MAX_MOVED_AT_ONCE)).await
}

fn to_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What a move has made a case of.
pub(crate) struct MadeByMove {
    /// The case that it was made from; itself, where it was not made by a move, which the operation then says.
    pub(crate) source: Reference,
    /// The messages that the move brought.
    pub(crate) messages: Vec<MessageId>,
}

/// The move that made a case.
pub(crate) async fn made_by_move(app: &App, reference: Reference) -> Result<MadeByMove, Problem> {
    // A move that makes a case brings its messages at once, behind the beginning.
    let limit = to_i64(MAX_MOVED_AT_ONCE + 1);
    let events = reader::stream(&app.pool, StreamId::Case(reference), 0, limit).await?;
    if events.is_empty() {
        return Err(no_such_case(reference));
    }
    let mut made = MadeByMove {
        source: reference,
        messages: vec![],
    };
    let upcasters = upcasters();
    for event in events {
        match event.decode(&upcasters)?.event {
            Event::Case(CaseEvent::CaseOpened(opened)) => match opened.origin {
                Origin::Move { from } => made.source = from,
                Origin::Message | Origin::Record | Origin::Agent => break,
            },
            Event::Case(CaseEvent::MessageMovedIn {
                message,
                made_case: true,
                ..
            }) => made.messages.push(message.message_id),
            _ => break,
        }
    }
    Ok(made)
}
