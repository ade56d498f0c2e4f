//! `/cases/new`: an agent begins a case by writing first.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use docket_domain::ids::{ContactId, LineId, MessageId};
use docket_domain::text::phone;
use docket_projections::idempotency;
use docket_projections::ledger::operation::{Answer, LedgerError};
use docket_projections::read::cases::desk::{self, Other};
use docket_projections::read::{lines, surveys};
use serde::Deserialize;

use super::outgoing;
use super::pages::{self, Choice, Frame, LinkedCase};
use super::session::{Posted, Session};
use super::{Console, Failed, case, go, inbox, page, words};
use crate::app::App;
use crate::http::problem::Problem;
use crate::operations::reply::{BeginCase, ReplyError};

/// What the address of the form fills it with.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Prefilled {
    number: String,
    /// The id of a line.
    line: String,
    text: String,
}

impl Prefilled {
    fn fields(self) -> Vec<(String, String)> {
        let fields = [
            ("number", self.number),
            ("line", self.line),
            ("text", self.text),
        ];
        fields.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

/// The form.
pub(super) async fn form(
    State(Console { app, .. }): State<Console>,
    Query(prefilled): Query<Prefilled>,
    session: Session,
) -> Result<Response, Failed> {
    let filled = Posted::of("/cases/new", &prefilled.fields());
    show(&app, &session, &filled, Said::default()).await
}

/// At most so many open cases of a number are named.
const MAX_OPEN: i64 = 5;

/// What the form says beside its fields.
#[derive(Default)]
struct Said {
    status: StatusCode,
    /// Why the case was not begun, and the field that it is about.
    refusal: Option<(String, &'static str)>,
    /// The number as it was understood.
    understood: String,
    /// Open cases of that number, in which one could write instead.
    open: Vec<Other>,
}

impl Said {
    fn refused(problem: Problem, field: &'static str) -> Self {
        let sentence = words::refusal(&problem);
        Self {
            status: problem.into_response().status(),
            refusal: Some((sentence, field)),
            ..Self::default()
        }
    }
}

/// The open cases that the number has on that line's survey, unless the person has seen them, or the form was done before.
async fn open_cases(
    app: &App,
    session: &Session,
    posted: &Posted,
    line_id: LineId,
    number: &str,
) -> Result<Vec<Other>, Failed> {
    if posted.field("anyway") == number {
        return Ok(vec![]);
    }
    let lines = lines::all(&app.pool).await?;
    let line = lines.iter().find(|line| {
        line.line_id == line_id && !line.removed && session.access.reaches(line.survey_id)
    });
    let Some(line) = line else {
        return Ok(vec![]);
    };
    let open = desk::open_of_number(&app.pool, line.survey_id, number, MAX_OPEN).await?;
    if let Some(key) = posted.asked(session).idempotency
        && !open.is_empty()
        && idempotency::is_used(&app.pool, key.actor, &key.key).await?
    {
        return Ok(vec![]);
    }
    Ok(open)
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
    let (line_id, number) = match (posted.field("line").parse::<LineId>(), number) {
        (Err(_), _) => {
            let refused = Said::refused(Problem::invalid(words::NO_SUCH_LINE), "line");
            return show(&app, &session, &posted, refused).await;
        }
        (_, Err(error)) => {
            let refused = Said::refused(error.into(), "number");
            return show(&app, &session, &posted, refused).await;
        }
        (Ok(line_id), Ok(number)) => (line_id, number),
    };
    let open = open_cases(&app, &session, &posted, line_id, &number).await?;
    if !open.is_empty() {
        let said = Said {
            status: StatusCode::CONFLICT,
            understood: number,
            open,
            ..Said::default()
        };
        return show(&app, &session, &posted, said).await;
    }
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
    let begun = match app.ledger.submit(operation).await {
        Ok(Answer::Done(begun) | Answer::Repeated(begun)) => Ok(begun),
        Ok(Answer::Duplicate) => Err((Problem::internal(), "")),
        // It was removed after the form was opened.
        Err(LedgerError::Refused(ReplyError::UnknownLine)) => {
            Err((Problem::invalid(words::NO_SUCH_LINE), "line"))
        }
        Err(error) => Err((error.into(), "text")),
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
        Err((problem, field)) => show(&app, &session, &posted, Said::refused(problem, field)).await,
    }
}

async fn show(
    app: &App,
    session: &Session,
    posted: &Posted,
    said: Said,
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
        understood: phone::shown(&said.understood),
        anyway: said.understood,
        open: said.open.iter().map(open_case).collect(),
        refusal: said.refusal,
    };
    Ok(page(said.status, &template))
}

/// A case in which one could write instead.
fn open_case(other: &Other) -> LinkedCase {
    LinkedCase {
        href: format!("/cases/{}", other.reference),
        sentence: format!("#{}", other.reference),
        title: other.title.0.clone(),
        is_closed: false,
    }
}
