//! What agents do with several cases of the list at once: one form, and a sentence that says what came of it.
//!
//! Each case is changed by an operation of its own, as if its own form had been sent: one that refuses leaves the others alone. What
//! came of it goes to the next page in its address, as references and reasons, never as text.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use docket_domain::access::Access;
use docket_domain::case::Assignee;
use docket_domain::ids::Reference;
use docket_domain::user::{Role, normalise_email};
use docket_projections::ledger::operation::IdempotencyKey;
use docket_projections::read::{cases, surveys, users};
use docket_projections::read_marks;
use serde::Deserialize;

use super::act::submit;
use super::case::reference_of;
use super::place::Place;
use super::session::{Posted, Session};
use super::{Console, Failed, failure, go, words};
use crate::app::App;
use crate::http::problem::{Kind, Problem};
use crate::operations::Asked;
use crate::operations::case::{Change, ChangeCase};
use crate::reach;

/// At most so many cases at once: far more than a page shows.
const MAX_CASES: usize = 200;

/// The form below the list.
pub(super) struct Bulk {
    pub(super) action: String,
    pub(super) once: String,
    /// The case beside the list, which is led back to.
    pub(super) open: Option<u32>,
    /// Who cases can be assigned to.
    pub(super) colleagues: Vec<String>,
}

impl Bulk {
    pub(super) async fn of(
        app: &App,
        session: &Session,
        place: &Place,
        open: Option<Reference>,
    ) -> Result<Option<Self>, Failed> {
        if !session.may_act() {
            return Ok(None);
        }
        let colleagues = users::all(&app.pool)
            .await?
            .into_iter()
            .filter(|user| user.role != Role::Auditor)
            .map(|user| user.email.0);
        Ok(Some(Self {
            action: place.link("/cases/several"),
            once: (app.new_id)().to_string(),
            open: open.map(Reference::get),
            colleagues: colleagues.collect(),
        }))
    }
}

/// What came of it, as the address of the next page says it. Whatever cannot be read is as if it were not there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Outcome {
    /// What was done.
    did: String,
    /// With how many cases.
    count: String,
    /// Which cases refused, as `reason:101` with commas between them.
    refused: String,
}

impl Outcome {
    /// What came of it in words; nothing where nothing was asked for.
    pub(super) fn sentence(&self) -> String {
        if !ACTIONS.contains(&self.did.as_str()) {
            return String::new();
        }
        let count: usize = self.count.parse().unwrap_or_default();
        let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for part in self.refused.split(',').take(MAX_CASES) {
            if let Some((reason, reference)) = part.split_once(':')
                && let Some(reference) = reference_of(reference)
            {
                let references = by_reason.entry(reason).or_default();
                references.push(format!("#{reference}"));
            }
        }
        let refused = by_reason
            .iter()
            .map(|(reason, cases)| words::bulk_refused(reason, cases));
        std::iter::once(words::bulk_done(&self.did, count))
            .filter(|_| count > 0 || by_reason.is_empty())
            .chain(refused)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// How the address names what was done.
const ACTIONS: [&str; 4] = ["assign", "close", "read", "unread"];

/// What is to be done with each case.
enum Action {
    /// To whom, and what they reach.
    Assign(Option<Assignee>, Access),
    Close,
    Read,
    Unread,
}

impl Action {
    const fn name(&self) -> &'static str {
        match self {
            Self::Assign(..) => ACTIONS[0],
            Self::Close => ACTIONS[1],
            Self::Read => ACTIONS[2],
            Self::Unread => ACTIONS[3],
        }
    }
}

/// Why a case was left as it was, as the address names it.
fn reason(problem: &Problem) -> &'static str {
    match problem.kind() {
        Kind::NotFound => "gone",
        Kind::CaseWithdrawn => "withdrawn",
        Kind::Busy | Kind::Unavailable => "busy",
        _ => "other",
    }
}

/// Does it with each of the chosen cases.
pub(super) async fn act(
    State(Console { app, .. }): State<Console>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let mut chosen: Vec<Reference> = posted.all("case").filter_map(reference_of).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen.truncate(MAX_CASES);
    let refuse = |sentence: &str| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Ok(failure(status, sentence.to_owned()))
    };
    if chosen.is_empty() {
        return refuse(words::BULK_NOTHING_CHOSEN);
    }
    let action = match find_action(&app, &session, posted.field("do")).await? {
        Ok(action) => action,
        Err(sentence) => return refuse(sentence),
    };
    let mut count = 0_usize;
    let mut refused = vec![];
    // A case out of reach is as if it were not there.
    let reached = reach::visible(&app.pool, &session.access, chosen.clone()).await?;
    chosen.retain(|reference| {
        let is_reached = reached.contains(reference);
        if !is_reached {
            refused.push(format!("gone:{reference}"));
        }
        is_reached
    });
    if let Action::Assign(Some(_), reach) = &action {
        let theirs = reach::visible(&app.pool, reach, chosen.clone()).await?;
        chosen.retain(|reference| {
            let is_theirs = theirs.contains(reference);
            if !is_theirs {
                refused.push(format!("reach:{reference}"));
            }
            is_theirs
        });
    }
    match &action {
        Action::Read => {
            read_marks::set_read(&app.pool, session.user_id, &chosen).await?;
            count = chosen.len();
        }
        Action::Unread => {
            read_marks::set_unread(&app.pool, session.user_id, &chosen).await?;
            count = chosen.len();
        }
        Action::Assign(..) | Action::Close => {
            for reference in chosen {
                let asked = asked_for(&posted, &session, reference);
                match change(&app, &action, reference, asked).await {
                    Ok(()) => count += 1,
                    Err(problem) => {
                        refused.push(format!("{}:{reference}", reason(&problem)));
                        // The problem's own answer logs its cause, where the fault is ours.
                        drop(problem.into_response());
                    }
                }
            }
        }
    }
    let path = match reference_of(posted.field("open")) {
        // What is marked as unread would be read at once if it were shown again.
        Some(open) if !matches!(action, Action::Unread) => format!("/cases/{open}"),
        _ => "/".to_owned(),
    };
    let said = [
        ("did", action.name()),
        ("count", &count.to_string()),
        ("refused", &refused.join(",")),
    ];
    Ok(go(&place.link_with(&path, &said)))
}

/// What the form asks for, or why that is not possible.
async fn find_action(
    app: &App,
    session: &Session,
    asked: &str,
) -> Result<Result<Action, &'static str>, Failed> {
    let email = match asked {
        "close" => return Ok(Ok(Action::Close)),
        "read" => return Ok(Ok(Action::Read)),
        "unread" => return Ok(Ok(Action::Unread)),
        "nobody" => return Ok(Ok(Action::Assign(None, Access::All))),
        "mine" => &session.email,
        other => match other.strip_prefix("to:") {
            Some(email) => email,
            None => return Ok(Err(words::BULK_UNKNOWN)),
        },
    };
    let user = match normalise_email(email) {
        Some(email) => users::find_by_email(&app.pool, &email).await?,
        None => None,
    };
    Ok(match user.filter(|user| user.role != Role::Auditor) {
        Some(user) => {
            let reach = user.reach();
            let assignee = Assignee {
                user_id: user.user_id,
                email: user.email,
            };
            Ok(Action::Assign(Some(assignee), reach))
        }
        None => Err(words::BULK_NO_SUCH_COLLEAGUE),
    })
}

/// Each case's own part of the form: sent twice, it is done once.
fn asked_for(posted: &Posted, session: &Session, reference: Reference) -> Asked {
    let asked = posted.asked(session);
    let idempotency = asked.idempotency.map(|once| IdempotencyKey {
        key: format!("{}-{reference}", once.key),
        ..once
    });
    Asked {
        idempotency,
        ..asked
    }
}

async fn change(
    app: &App,
    action: &Action,
    reference: Reference,
    asked: Asked,
) -> Result<(), Problem> {
    let change = match action {
        Action::Assign(assignee, _) => Change::Assignee(assignee.clone()),
        _ => Change::Status(closing(app, reference).await?),
    };
    let operation = ChangeCase {
        reference,
        change,
        asked,
    };
    submit(app, operation).await.map(drop)
}

/// The answer that closes a case of its survey.
async fn closing(app: &App, reference: Reference) -> Result<String, Problem> {
    let missing = || Problem::not_found("there is no such case");
    let case = cases::find(&app.pool, reference).await?;
    let case = case.ok_or_else(missing)?;
    let survey = surveys::find(&app.pool, case.survey_id).await?;
    let survey = survey.ok_or_else(missing)?;
    Ok(survey.settings.status.closed_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(did: &str, count: &str, refused: &str) -> String {
        let [did, count, refused] = [did, count, refused].map(str::to_owned);
        Outcome {
            did,
            count,
            refused,
        }
        .sentence()
    }

    #[test]
    fn what_came_of_it_is_said() {
        assert_eq!(sentence("close", "2", ""), "2 cases were closed.");
        assert_eq!(
            sentence("assign", "1", "gone:103,busy:104,gone:105"),
            "1 case was assigned. Not done for #104: Docket cannot do it just now; try again in a few seconds. \
             Not done for #103, #105: there is no such case."
        );
        assert_eq!(
            sentence("close", "0", "withdrawn:103"),
            "Not done for #103: the move that made it was undone, so it stays as it is."
        );
    }

    #[test]
    fn an_address_puts_no_words_into_our_mouth() {
        assert_eq!(sentence("<b>", "2", ""), "");
        assert_eq!(sentence("close", "x", "hello"), "0 cases were closed.");
        assert_eq!(
            sentence("close", "1", "You won a prize:101,gone:example.com"),
            "1 case was closed. Not done for #101: the case refused; open it and try there."
        );
    }
}
