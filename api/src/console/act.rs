//! What agents do with a case: each form, and where it leads.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use docket_domain::case::Assignee;
use docket_domain::ids::{MessageId, NoteId, Reference};
use docket_domain::text::{normalise, references, title};
use docket_domain::user::{Role, normalise_email};
use docket_projections::ledger::operation::{Answer, LedgerError, Operation};
use docket_projections::read::cases::desk::{self, Other};
use docket_projections::read::cases::{self, CaseRow};
use docket_projections::read::thread::{ThreadItem, What};
use docket_projections::read::{surveys, thread as threads, users};

use super::bulk::asked_for;
use super::case::{self, Refused, no_such_case, reference_of};
use super::next_case;
use super::outgoing;
use super::pages::{self, Choice, Frame};
use super::place::Place;
use super::session::{Posted, Session};
use super::thread::{Beside, Shown};
use super::{Console, Failed, failure, go, page, words, writing};
use crate::app::App;
use crate::http::moves::{MadeByMove, following, made_by_move};
use crate::http::problem::{Kind, Problem};
use crate::http::replies::attached;
use crate::mentions;
use crate::operations::case::{Change, ChangeCase};
use crate::operations::message_move::{MoveMessage, UndoMove};
use crate::operations::reply::{Reply, Resend};

/// At most so many open cases are offered to move a message into; any other is typed.
const MAX_TARGETS: i64 = 50;

/// Has an operation done; a form sent twice is done once.
pub(super) async fn submit<O: Operation>(app: &App, operation: O) -> Result<O::Output, Problem>
where
    Problem: From<LedgerError<O::Refusal>>,
{
    match app.ledger.submit(operation).await? {
        Answer::Done(output) | Answer::Repeated(output) => Ok(output),
        Answer::Duplicate => Err(Problem::internal()),
    }
}

/// A form of a case that somebody sent.
struct Sent {
    app: App,
    reference: Reference,
    place: Place,
    session: Session,
    posted: Posted,
}

impl Sent {
    /// Back to the case with what was done, or with why it was not.
    async fn end<T>(self, result: Result<T, Problem>, done: &str) -> Result<Response, Failed> {
        match result {
            Ok(_) => Ok(go(&self.done(self.reference, done))),
            Err(problem) => self.refused(problem, Refused::default()).await,
        }
    }

    fn done(&self, reference: Reference, done: &str) -> String {
        let path = format!("/cases/{reference}");
        self.place.link_with(&path, &[("done", done)])
    }

    async fn refused(&self, problem: Problem, refused: Refused) -> Result<Response, Failed> {
        case::refused(
            &self.app,
            &self.session,
            &self.place,
            self.reference,
            problem,
            refused,
        )
        .await
    }

    /// Closes the case to which a reply was just sent. Where that is refused the reply is out all the same, and the case, open as
    /// it is, says so: as where something was said since the person looked.
    async fn close_after_reply(self, seen: Option<u64>) -> Result<Response, Failed> {
        let Some(case) = cases::find(&self.app.pool, self.reference).await? else {
            return Ok(no_such_case());
        };
        let survey = surveys::find(&self.app.pool, case.survey_id).await?;
        let Some(question) = survey.map(|survey| survey.settings.status) else {
            return Ok(no_such_case());
        };
        let operation = ChangeCase {
            reference: self.reference,
            change: Change::Status {
                value: question.closed_value.clone(),
                seen_version: seen,
            },
            // The reply has the form's own key already.
            asked: asked_for(&self.posted, &self.session, self.reference),
        };
        if submit(&self.app, operation).await.is_err() {
            return Ok(go(&self.done(self.reference, "replied")));
        }
        let mut said = vec![("done", "replied-closed")];
        let before = case
            .status
            .filter(|before| *before != question.closed_value);
        said.extend(before.as_deref().map(|before| ("undo", before)));
        self.after_closing(&said).await
    }

    /// To the case that was just closed, or to the next one of the list where the person wants that; both offer to undo it.
    async fn after_closing(&self, said: &[(&str, &str)]) -> Result<Response, Failed> {
        let next = next_case::after(&self.app, &self.session, &self.place, self.reference).await?;
        let closed = self.reference.to_string();
        let mut said = said.to_vec();
        said.extend(next.map(|_| ("closed", closed.as_str())));
        let shown = next.unwrap_or(self.reference);
        Ok(go(&self.place.link_with(&format!("/cases/{shown}"), &said)))
    }

    async fn change(&self, change: Change) -> Result<(), Problem> {
        let operation = ChangeCase {
            reference: self.reference,
            change,
            asked: self.posted.asked(&self.session),
        };
        submit(&self.app, operation).await.map(drop)
    }
}

macro_rules! sent {
    ($console:ident, $reference:ident, $place:ident, $session:ident, $posted:ident) => {
        match reference_of(&$reference) {
            Some(reference) => Sent {
                app: $console.app,
                reference,
                place: $place,
                session: $session,
                posted: $posted,
            },
            None => return Ok(no_such_case()),
        }
    };
}

/// A reply or a note.
pub(super) async fn write(
    State(console): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let sent = sent!(console, reference, place, session, posted);
    let text = sent.posted.field("text").to_owned();
    let media_id = sent.posted.field("media_id").to_owned();
    let is_note = sent.posted.field("as") == "note";
    let seen: Option<u64> = sent.posted.field("seen_version").parse().ok();
    let result = if is_note {
        let change = Change::Note {
            note_id: NoteId((sent.app.new_id)()),
            mentions: mentions::of(&sent.app, &text).await?,
            text: text.clone(),
        };
        sent.change(change).await
    } else {
        let asked = sent.posted.asked(&sent.session);
        let reply = Reply {
            reference: sent.reference,
            text: text.clone(),
            send_as: outgoing::send_as(&sent.posted),
            media: attached(&sent.app, &asked, media_id.parse().ok()).await?,
            // A form without a version has been tampered with; whoever sends it has seen nothing.
            seen_version: Some(seen.unwrap_or_default()),
            message_id: MessageId((sent.app.new_id)()),
            asked,
        };
        submit(&sent.app, reply).await.map(drop)
    };
    if result.is_ok() {
        writing::stop(&sent.app, &sent.session, sent.reference).await;
    }
    match result {
        Ok(()) if is_note => Ok(go(&sent.done(sent.reference, "noted"))),
        Ok(()) if sent.posted.field("then") == "close" => sent.close_after_reply(seen).await,
        Ok(()) => Ok(go(&sent.done(sent.reference, "replied"))),
        Err(problem) => {
            let refused = Refused {
                text,
                is_note,
                media_id,
                seen,
                ..Refused::default()
            };
            sent.refused(problem, refused).await
        }
    }
}

/// The answer to the status question.
pub(super) async fn status(
    State(console): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let sent = sent!(console, reference, place, session, posted);
    let Some(before) = cases::find(&sent.app.pool, sent.reference).await? else {
        return Ok(no_such_case());
    };
    let value = sent.posted.field("value").to_owned();
    let seen_version = sent.posted.field("seen").parse().ok();
    let change = Change::Status {
        value: value.clone(),
        seen_version,
    };
    if let Err(problem) = sent.change(change).await {
        let refused = Refused {
            seen: seen_version,
            is_closing: true,
            ..Refused::default()
        };
        return sent.refused(problem, refused).await;
    }
    let survey = surveys::find(&sent.app.pool, before.survey_id).await?;
    let closes = survey.is_some_and(|survey| survey.settings.status.closed_value == value);
    let mut said = vec![("done", if closes { "closed" } else { "status" })];
    let before = before.status.filter(|before| *before != value);
    said.extend(before.as_deref().map(|before| ("undo", before)));
    if closes {
        return sent.after_closing(&said).await;
    }
    let path = format!("/cases/{}", sent.reference);
    Ok(go(&sent.place.link_with(&path, &said)))
}

/// Who sees to the case.
pub(super) async fn assignee(
    State(console): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let sent = sent!(console, reference, place, session, posted);
    let result = match find_assignee(&sent).await {
        Ok(assignee) => sent.change(Change::Assignee(assignee)).await,
        Err(problem) => Err(problem),
    };
    sent.end(result, "assigned").await
}

async fn find_assignee(sent: &Sent) -> Result<Option<Assignee>, Problem> {
    let email = sent.posted.field("email");
    if normalise::is_empty(email) {
        return Ok(None);
    }
    let user = match normalise_email(email) {
        Some(email) => users::find_by_email(&sent.app.pool, &email).await?,
        None => None,
    };
    match user.filter(|user| user.role != Role::Auditor) {
        Some(user) => Ok(Some(Assignee {
            user_id: user.user_id,
            email: user.email,
        })),
        None => Err(Problem::invalid(words::NO_SUCH_COLLEAGUE)),
    }
}

/// What the case is called.
pub(super) async fn title(
    State(console): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let sent = sent!(console, reference, place, session, posted);
    let title = title::clean(sent.posted.field("title"));
    match sent.change(Change::Title(title.clone())).await {
        Ok(()) => Ok(go(&sent.done(sent.reference, "renamed"))),
        Err(problem) => {
            let refused = Refused {
                title: Some(title),
                ..Refused::default()
            };
            sent.refused(problem, refused).await
        }
    }
}

/// Sends a failed or uncertain message again.
pub(super) async fn resend(
    State(console): State<Console>,
    Path((reference, message_id)): Path<(String, String)>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let sent = sent!(console, reference, place, session, posted);
    let Ok(message_id) = message_id.parse() else {
        return Ok(no_such_message());
    };
    let operation = Resend {
        reference: sent.reference,
        message_id,
        asked: sent.posted.asked(&sent.session),
    };
    let result = submit(&sent.app, operation).await;
    sent.end(result, "resent").await
}

/// Undoes the move that made the case.
pub(super) async fn undo_move(
    State(console): State<Console>,
    Path((reference, message_id)): Path<(String, String)>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let sent = sent!(console, reference, place, session, posted);
    let Ok(message_id) = message_id.parse() else {
        return Ok(no_such_message());
    };
    let MadeByMove { source, messages } = match made_by_move(&sent.app, sent.reference).await {
        Ok(made) => made,
        Err(problem) => return sent.refused(problem, Refused::default()).await,
    };
    let operation = UndoMove {
        reference: sent.reference,
        source,
        message_id,
        others: messages,
        asked: sent.posted.asked(&sent.session),
    };
    match submit(&sent.app, operation).await {
        Ok(moved) => Ok(go(&sent.done(moved.reference, "unmoved"))),
        Err(problem) => sent.refused(problem, Refused::default()).await,
    }
}

/// The page on which a move is confirmed.
pub(super) async fn move_form(
    State(Console { app, .. }): State<Console>,
    Path((reference, message_id)): Path<(String, String)>,
    Query(place): Query<Place>,
    session: Session,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let (Some(reference), Ok(message_id)) = (reference_of(&reference), message_id.parse()) else {
        return Ok(no_such_message());
    };
    let asked = MoveAsked {
        reference,
        message_id,
        to: "",
        typed: "",
        comment: "",
        and_following: false,
    };
    let answer = show_move(
        &app,
        &session,
        &place,
        &asked,
        StatusCode::OK,
        String::new(),
    )
    .await?;
    if answer.status().is_success() {
        session.looks(&app, reference, &headers).await;
    }
    Ok(answer)
}

/// Moves a message.
pub(super) async fn move_message(
    State(Console { app, .. }): State<Console>,
    Path((reference, message_id)): Path<(String, String)>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let (Some(from), Ok(message_id)) = (reference_of(&reference), message_id.parse()) else {
        return Ok(no_such_message());
    };
    let asked = MoveAsked {
        reference: from,
        message_id,
        to: posted.field("to"),
        typed: posted.field("reference"),
        comment: posted.field("comment"),
        and_following: posted.field("and_following") == "yes",
    };
    let refuse = |status, sentence: &str| {
        show_move(&app, &session, &place, &asked, status, sentence.to_owned())
    };
    let to = match asked.target() {
        Ok(to) => to,
        Err(sentence) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, sentence).await,
    };
    let following = if asked.and_following {
        following(&app, from, message_id).await?
    } else {
        vec![]
    };
    let operation = MoveMessage {
        from,
        message_id,
        following,
        to,
        comment: Some(asked.comment.to_owned()),
        note_id: NoteId((app.new_id)()),
        asked: posted.asked(&session),
    };
    match submit(&app, operation).await {
        // It stood in both, and the person goes on where they are.
        Ok(_) if posted.field("stay") == "1" => {
            let path = format!("/cases/{from}");
            Ok(go(&place.link_with(&path, &[("done", "only-in")])))
        }
        Ok(moved) => {
            let path = format!("/cases/{}", moved.reference);
            Ok(go(&place.link_with(&path, &[("done", "moved")])))
        }
        Err(problem) if problem.kind() == Kind::NotFound => Ok(no_such_message()),
        Err(problem) => {
            let sentence = words::refusal(&problem);
            let status = problem.into_response().status();
            refuse(status, &sentence).await
        }
    }
}

/// Where a message is to go.
struct MoveAsked<'a> {
    reference: Reference,
    message_id: MessageId,
    /// The case that was chosen.
    to: &'a str,
    /// The case that was typed, which counts before.
    typed: &'a str,
    comment: &'a str,
    /// Whether the messages that follow move with it.
    and_following: bool,
}

impl MoveAsked<'_> {
    /// The case that the message is to go to, or none for a new one; a sentence where what was typed is no reference.
    fn target(&self) -> Result<Option<Reference>, &'static str> {
        if normalise::is_empty(self.typed) {
            return Ok(reference_of(self.to));
        }
        let typed = references::typed(self.typed);
        typed.map(Some).ok_or(words::NO_SUCH_TARGET)
    }
}

async fn show_move(
    app: &App,
    session: &Session,
    place: &Place,
    asked: &MoveAsked<'_>,
    status: StatusCode,
    refusal: String,
) -> Result<Response, Failed> {
    let reference = asked.reference;
    let frame = Frame::of(app, session);
    let row = cases::find(&app.pool, reference).await?;
    let item = threads::message(&app.pool, reference, asked.message_id).await?;
    let (Some(row), Some(item)) = (row, item) else {
        return Ok(no_such_message());
    };
    if !matches!(item.what, What::Inbound(_)) {
        return Ok(no_such_message());
    }
    let open = desk::open_of_contact(&app.pool, row.contact_id, MAX_TARGETS).await?;
    let following = following(app, reference, asked.message_id).await?.len();
    let template = pages::MoveForm {
        frame,
        reference: reference.get(),
        back: place.case(reference),
        action: place.link(&format!(
            "/cases/{reference}/messages/{}/move",
            asked.message_id
        )),
        item: alone(app, &row, place, &item),
        targets: targets(&open, reference, asked.to),
        typed: asked.typed.to_owned(),
        comment: asked.comment.to_owned(),
        following: words::and_following(following),
        and_following: asked.and_following,
        once: (app.new_id)().to_string(),
        refusal,
    };
    Ok(page(status, &template))
}

/// The message without anything that can be done with it.
fn alone(app: &App, row: &CaseRow, place: &Place, item: &ThreadItem) -> pages::Item {
    let shown = Shown {
        case: row,
        name: None,
        question: None,
        place,
        now: (app.clock)(),
        may_act: false,
        seen: None,
        reader: None,
        beside: Beside::default(),
    };
    shown.item(item, &[])
}

fn targets(open: &[Other], reference: Reference, to: &str) -> Vec<Choice> {
    open.iter()
        .filter(|other| other.reference != reference)
        .map(|other| Choice {
            name: format!("#{}: {}", other.reference, words::isolated(&other.title)),
            value: other.reference.to_string(),
            is_current: other.reference.to_string() == to,
        })
        .collect()
}

fn no_such_message() -> Response {
    failure(StatusCode::NOT_FOUND, words::NO_SUCH_MESSAGE.to_owned())
}
