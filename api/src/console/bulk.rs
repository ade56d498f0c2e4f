//! What agents do with several cases of the list at once: one form, and a sentence that says what came of it.
//!
//! Each case is changed by an operation of its own, as if its own form had been sent: one that refuses leaves the others alone. What
//! came of it goes to the next page in its address, as references and reasons, never as text.

use std::collections::BTreeMap;
use std::fmt;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use docket_domain::access::Access;
use docket_domain::case::Assignee;
use docket_domain::ids::Reference;
use docket_domain::survey::StatusQuestion;
use docket_domain::user::{Role, normalise_email};
use docket_projections::ledger::operation::IdempotencyKey;
use docket_projections::read::cases::desk::{Colleague, MAX_COLLEAGUES};
use docket_projections::read::{cases, labels, surveys, users};
use docket_projections::read_marks;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Deserialize;

use super::act::submit;
use super::case::colleague_name;
use super::case::reference_of;
use super::inbox;
use super::pages::Choice;
use super::place::Place;
use super::session::{Posted, Session};
use super::{Console, Failed, failure, go, words};
use crate::app::App;
use crate::http::problem::{Kind, Problem};
use crate::operations::Asked;
use crate::operations::case::{Change, ChangeCase, LabelChange};
use crate::reach;

/// At most so many cases at once: far more than a page shows.
pub(super) const MAX_CASES: usize = 500;
/// At most so many changes of a case wait together for a commit.
const AT_ONCE: usize = 100;

/// The form below the list.
pub(super) struct Bulk {
    pub(super) action: String,
    pub(super) once: String,
    /// The case beside the list, which is led back to.
    pub(super) open: Option<u32>,
    /// Who cases can be assigned to.
    pub(super) colleagues: Vec<Choice>,
    /// What the choice of all cases of the list is called; empty where all are shown.
    pub(super) all: String,
}

impl Bulk {
    pub(super) fn of(
        app: &App,
        session: &Session,
        place: &Place,
        open: Option<Reference>,
        colleagues: &[Colleague],
        has_more: bool,
    ) -> Option<Self> {
        if !session.may_act() {
            return None;
        }
        let listed = colleagues
            .iter()
            .take(usize::try_from(MAX_COLLEAGUES).unwrap_or_default());
        Some(Self {
            action: place.link("/cases/several"),
            once: (app.new_id)().to_string(),
            open: open.map(Reference::get),
            all: if has_more {
                words::all_that_match(MAX_CASES)
            } else {
                String::new()
            },
            colleagues: listed
                .map(|colleague| Choice {
                    name: colleague_name(colleague, colleagues),
                    value: colleague.email.0.clone(),
                    is_current: false,
                })
                .collect(),
        })
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
    /// Whether more cases match than were changed.
    more: String,
    /// Which cases can be set back to the answer that they had, as `101.0` with commas between them: the reference, and the
    /// answer's place among the survey's choices.
    undo: String,
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
            .chain((self.more == "1").then(|| words::more_match(MAX_CASES)))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The cases that can be set back, as the form names them.
    pub(super) fn undoable(&self) -> Vec<String> {
        if self.did != ACTIONS[1] {
            return vec![];
        }
        let chosen = self.undo.split(',').take(MAX_CASES).filter_map(Chosen::of);
        chosen.map(|chosen| chosen.to_string()).collect()
    }
}

/// How the address names what was done.
const ACTIONS: [&str; 7] = [
    "assign", "close", "read", "unread", "reopen", "label", "unlabel",
];

/// A case that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Chosen {
    reference: Reference,
    /// The place of the answer that it is to have again, among its survey's choices.
    answer: Option<usize>,
}

impl Chosen {
    fn of(text: &str) -> Option<Self> {
        let (reference, answer) = match text.split_once('.') {
            Some((reference, answer)) => (reference, Some(answer.parse().ok()?)),
            None => (text, None),
        };
        Some(Self {
            reference: reference_of(reference)?,
            answer,
        })
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.answer {
            Some(answer) => write!(f, "{}.{answer}", self.reference),
            None => write!(f, "{}", self.reference),
        }
    }
}

/// What is to be done with each case.
enum Action {
    /// To whom, and what they reach.
    Assign(Option<Assignee>, Access),
    Close,
    Read,
    Unread,
    /// Each has again the answer that it had.
    Reopen,
    /// A label goes on each, or comes off.
    Label(LabelChange),
}

impl Action {
    const fn name(&self) -> &'static str {
        match self {
            Self::Assign(..) => ACTIONS[0],
            Self::Close => ACTIONS[1],
            Self::Read => ACTIONS[2],
            Self::Unread => ACTIONS[3],
            Self::Reopen => ACTIONS[4],
            Self::Label(LabelChange::Remove(_)) => ACTIONS[6],
            Self::Label(_) => ACTIONS[5],
        }
    }
}

/// Why a case was left as it was, as the address names it.
fn reason(problem: &Problem) -> &'static str {
    match problem.kind() {
        Kind::NotFound => "gone",
        Kind::CaseWithdrawn => "withdrawn",
        Kind::Busy | Kind::Unavailable => "busy",
        Kind::SaidSince => "said",
        _ => "other",
    }
}

/// The cases that a form is about.
struct Selection {
    chosen: Vec<Chosen>,
    /// The versions on which it was decided.
    seen: BTreeMap<Reference, u64>,
    /// Whether more match than are done at once.
    has_more: bool,
}

/// Those that were chosen, and all that match where that is asked for.
async fn selected(
    app: &App,
    session: &Session,
    place: &Place,
    posted: &Posted,
) -> Result<Selection, Failed> {
    let mut chosen: Vec<Chosen> = posted.all("case").filter_map(Chosen::of).collect();
    let mut seen = seen_versions(posted);
    let mut has_more = false;
    if posted.field("all") == "yes" {
        let matching = inbox::matching(app, session, place, MAX_CASES + 1).await?;
        has_more = matching.len() > MAX_CASES;
        for row in matching.into_iter().take(MAX_CASES) {
            chosen.push(Chosen {
                reference: row.reference,
                answer: None,
            });
            // What the list did not show was decided on as it is now.
            seen.entry(row.reference).or_insert(row.version);
        }
    }
    chosen.sort_unstable();
    chosen.dedup_by_key(|chosen| chosen.reference);
    chosen.truncate(MAX_CASES);
    Ok(Selection {
        chosen,
        seen,
        has_more,
    })
}

/// Does it with each of the chosen cases.
pub(super) async fn act(
    State(Console { app, .. }): State<Console>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Selection {
        mut chosen,
        seen,
        has_more,
    } = selected(&app, &session, &place, &posted).await?;
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
    let mut undo = vec![];
    // A case out of reach is as if it were not there.
    let references: Vec<Reference> = chosen.iter().map(|chosen| chosen.reference).collect();
    let reached = reach::visible(&app.pool, &session.access, references).await?;
    let theirs = match &action {
        Action::Assign(Some(_), reach) => reach::visible(&app.pool, reach, reached.clone()).await?,
        _ => reached.clone(),
    };
    chosen.retain(|chosen| {
        let reference = &chosen.reference;
        let why = if !reached.contains(reference) {
            "gone"
        } else if !theirs.contains(reference) {
            "reach"
        } else {
            return true;
        };
        refused.push(format!("{why}:{reference}"));
        false
    });
    let references: Vec<Reference> = chosen.iter().map(|chosen| chosen.reference).collect();
    match &action {
        Action::Read => {
            read_marks::set_read(&app.pool, session.user_id, &references).await?;
            count = chosen.len();
        }
        Action::Unread => {
            read_marks::set_unread(&app.pool, session.user_id, &references).await?;
            count = chosen.len();
        }
        Action::Assign(..) | Action::Close | Action::Reopen | Action::Label(_) => {
            // Many at once: those that wait together share a commit.
            let changes = chosen.into_iter().map(|chosen| {
                let asked = asked_for(&posted, &session, chosen.reference);
                let seen = seen.get(&chosen.reference).copied();
                let done = change(&app, &action, chosen, seen, asked);
                async move { (chosen.reference, done.await) }
            });
            let changes: Vec<_> = stream::iter(changes)
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            for (reference, done) in changes {
                match done {
                    Ok(before) => {
                        count += 1;
                        undo.extend(before.map(|before| before.to_string()));
                    }
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
        ("more", if has_more { "1" } else { "" }),
        ("undo", &undo.join(",")),
    ];
    let said: Vec<_> = said
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    Ok(go(&place.link_with(&path, &said)))
}

/// The versions that the list has shown, as `101:7` each.
fn seen_versions(posted: &Posted) -> BTreeMap<Reference, u64> {
    let read = |seen: &str| {
        let (reference, version) = seen.split_once(':')?;
        Some((reference_of(reference)?, version.parse().ok()?))
    };
    posted.all("seen").filter_map(read).collect()
}

/// What the form asks for, or why that is not possible.
async fn find_action(
    app: &App,
    session: &Session,
    asked: &str,
) -> Result<Result<Action, &'static str>, Failed> {
    let email = match asked {
        "close" => return Ok(Ok(Action::Close)),
        "reopen" => return Ok(Ok(Action::Reopen)),
        "read" => return Ok(Ok(Action::Read)),
        "unread" => return Ok(Ok(Action::Unread)),
        "nobody" => return Ok(Ok(Action::Assign(None, Access::All))),
        "mine" => &session.email,
        other if other.contains("label:") => return find_label(app, other).await,
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

/// Which label goes on the cases, or comes off them.
async fn find_label(app: &App, asked: &str) -> Result<Result<Action, &'static str>, Failed> {
    let (what, id) = asked.split_once(':').unwrap_or_default();
    let label_id = id.parse().ok();
    let mut rows = labels::all(&app.pool).await?.into_iter();
    let Some(row) = rows.find(|row| Some(row.label.label_id) == label_id) else {
        return Ok(Err(words::labels::BULK_NO_SUCH_LABEL));
    };
    let name = row.label.name;
    Ok(match what {
        "label" => Ok(Action::Label(LabelChange::Add(name))),
        "unlabel" => Ok(Action::Label(LabelChange::Remove(name))),
        _ => Err(words::BULK_UNKNOWN),
    })
}

/// Each case's own part of the form: sent twice, it is done once.
pub(super) fn asked_for(posted: &Posted, session: &Session, reference: Reference) -> Asked {
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

/// Changes one case. Where that closes it, gives what it takes to undo that.
async fn change(
    app: &App,
    action: &Action,
    chosen: Chosen,
    seen_version: Option<u64>,
    asked: Asked,
) -> Result<Option<Chosen>, Problem> {
    let reference = chosen.reference;
    let (change, undo) = match action {
        Action::Assign(assignee, _) => (Change::Assignee(assignee.clone()), None),
        Action::Label(label) => (Change::Labels(label.clone()), None),
        Action::Reopen => {
            let (_, question) = question_of(app, reference).await?;
            let answer = chosen
                .answer
                .and_then(|answer| question.choices.get(answer));
            let answer = answer.ok_or_else(|| Problem::invalid(words::BULK_NO_SUCH_ANSWER))?;
            (Change::status(answer.clone()), None)
        }
        _ => {
            let (before, question) = question_of(app, reference).await?;
            let answer = before
                .filter(|before| *before != question.closed_value)
                .and_then(|before| question.choices.iter().position(|choice| *choice == before));
            let undo = answer.map(|answer| Chosen {
                reference,
                answer: Some(answer),
            });
            let change = Change::Status {
                value: question.closed_value,
                seen_version,
            };
            (change, undo)
        }
    };
    let operation = ChangeCase {
        reference,
        change,
        asked,
    };
    submit(app, operation).await?;
    Ok(undo)
}

/// The answer that a case has, and the question of its survey.
async fn question_of(
    app: &App,
    reference: Reference,
) -> Result<(Option<String>, StatusQuestion), Problem> {
    let missing = || Problem::not_found("there is no such case");
    let case = cases::find(&app.pool, reference).await?;
    let case = case.ok_or_else(missing)?;
    let survey = surveys::find(&app.pool, case.survey_id).await?;
    let survey = survey.ok_or_else(missing)?;
    Ok((case.status, survey.settings.status))
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
            ..Outcome::default()
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
    fn closing_can_be_undone_as_far_as_the_address_says_how() {
        let undoable = |did: &str, undo: &str| {
            let [did, undo] = [did, undo].map(str::to_owned);
            Outcome {
                did,
                undo,
                ..Outcome::default()
            }
            .undoable()
        };
        assert_eq!(undoable("close", "101.0,103.2"), ["101.0", "103.2"]);
        assert_eq!(undoable("close", "x,101.y,\"><b>.0,104.1"), ["104.1"]);
        assert!(undoable("assign", "101.0").is_empty());
        // What undoes a single case's closing is an answer in words.
        assert!(undoable("", "New").is_empty());
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
