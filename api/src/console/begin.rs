//! `/cases/new`: an agent begins a case by writing first.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use docket_domain::ids::{ContactId, LineId, MessageId};
use docket_domain::text::phone;
use docket_projections::ledger::operation::{Answer, LedgerError};
use docket_projections::read::{lines, surveys};

use super::outgoing;
use super::pages::{self, Choice, Frame};
use super::session::{Posted, Session};
use super::{Console, Failed, case, go, inbox, page, words};
use crate::app::App;
use crate::http::problem::Problem;
use crate::operations::reply::{BeginCase, ReplyError};

/// The form.
pub(super) async fn form(
    State(Console { app, .. }): State<Console>,
    session: Session,
) -> Result<Response, Failed> {
    show(
        &app,
        &session,
        &Posted::default(),
        StatusCode::OK,
        String::new(),
    )
    .await
}

/// Begins the case.
pub(super) async fn begin(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let typed = posted.field("number");
    let number = phone::number(typed, app.default_country);
    let is_otherwise = number
        .as_ref()
        .is_ok_and(|number| phone::is_understood_otherwise(typed, number));
    let begun = match (posted.field("line").parse::<LineId>(), number) {
        (Ok(_), Err(error)) => Err(error.into()),
        (Ok(line_id), Ok(number)) => {
            let operation = BeginCase {
                line_id,
                number,
                text: posted.field("text").to_owned(),
                send_as: outgoing::begin_as(&app.ledger.settings(), &posted),
                title: Some(posted.field("title").to_owned()),
                message_id: MessageId((app.new_id)()),
                contact_id: ContactId((app.new_id)()),
                asked: posted.asked(&session),
            };
            match app.ledger.submit(operation).await {
                Ok(Answer::Done(begun) | Answer::Repeated(begun)) => Ok(begun),
                Ok(Answer::Duplicate) => Err(Problem::internal()),
                // It was removed after the form was opened.
                Err(LedgerError::Refused(ReplyError::UnknownLine)) => {
                    Err(Problem::invalid(words::NO_SUCH_LINE))
                }
                Err(error) => Err(error.into()),
            }
        }
        (Err(_), _) => Err(Problem::invalid(words::NO_SUCH_LINE)),
    };
    match begun {
        Ok(begun) => {
            let done = if is_otherwise {
                "begun-understood"
            } else {
                "begun"
            };
            Ok(go(&format!("/cases/{}?done={done}", begun.reference)))
        }
        Err(problem) => {
            let sentence = words::refusal(&problem);
            let status = problem.into_response().status();
            show(&app, &session, &posted, status, sentence).await
        }
    }
}

async fn show(
    app: &App,
    session: &Session,
    posted: &Posted,
    status: StatusCode,
    refusal: String,
) -> Result<Response, Failed> {
    let frame = Frame::of(app, session);
    let surveys = surveys::all(&app.pool).await?;
    let lines = lines::all(&app.pool).await?;
    let reached = lines
        .iter()
        .filter(|line| !line.removed && session.access.reaches(line.survey_id));
    let choices = reached.map(|line| {
        let survey = inbox::survey_name(&surveys, line.survey_id);
        let value = line.line_id.to_string();
        Choice {
            name: format!("{survey}: {}", case::line_name(&line.number, line.channel)),
            is_current: value == posted.field("line"),
            value,
        }
    });
    let settings = app.ledger.newest_settings(&app.pool).await?;
    let template = pages::Begin {
        templates: outgoing::choices(&settings, session, posted.field("template")),
        parameters: posted.field("parameters").to_owned(),
        frame,
        lines: choices.collect(),
        number: posted.field("number").to_owned(),
        text: posted.field("text").to_owned(),
        title: posted.field("title").to_owned(),
        once: (app.new_id)().to_string(),
        refusal,
    };
    Ok(page(status, &template))
}
