//! Handing over the open cases of somebody who does not reach them any more.
//!
//! The form that takes away somebody's rights, or removes them, asks what becomes of their open cases; whatever is left with them stands
//! on their page and on that of all users until it is handed over. Each case is given by an operation of its own, in the name of the
//! owner who asks, so its history says who did it.

use docket_domain::case::Assignee;
use docket_domain::ids::{Reference, UserId};
use docket_domain::user::{Role, normalise_email};
use docket_projections::read::cases::stranded;
use docket_projections::read::users;
use futures_util::future::join_all;

use crate::app::App;
use crate::console::act::submit;
use crate::console::bulk::asked_for;
use crate::console::pages::Choice;
use crate::console::session::{Posted, Session};
use crate::console::{Failed, words};
use crate::operations::case::{Change, ChangeCase};

/// The field of a form that says to whom.
const FIELD: &str = "hand";
const NOBODY: &str = "nobody";
const LEAVE: &str = "leave";
/// So many cases are given at once; they share commits.
const STEP: i64 = 100;

/// To whom the cases of somebody can be given, as a form offers it.
pub(super) async fn takers(app: &App, from: UserId) -> Result<Vec<Choice>, Failed> {
    let choice = |name: String, value: String| Choice {
        is_current: value == NOBODY,
        name,
        value,
    };
    let mut choices = vec![choice(words::HAND_TO_NOBODY.to_owned(), NOBODY.to_owned())];
    let users = users::all(&app.pool).await?.into_iter();
    let colleagues = users.filter(|user| user.user_id != from && user.role != Role::Auditor);
    choices.extend(colleagues.map(|user| {
        let value = format!("to:{}", user.email.0);
        choice(user.shown().to_owned(), value)
    }));
    choices.push(choice(words::HAND_LEAVE.to_owned(), LEAVE.to_owned()));
    Ok(choices)
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Handed {
    /// How many cases were handed over.
    pub(super) count: usize,
    /// How many refused, and are theirs still.
    pub(super) kept: usize,
}

impl Handed {
    /// The same as the address of the next page says it.
    pub(super) fn query(self) -> Vec<(&'static str, String)> {
        [("handed", self.count), ("kept", self.kept)]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (name, count.to_string()))
            .collect()
    }
}

/// To whom a form gives the cases; `None` where it leaves them, or names nobody who could take them.
async fn taker(app: &App, posted: &Posted) -> Result<Option<Option<Assignee>>, Failed> {
    let email = match posted.field(FIELD) {
        NOBODY => return Ok(Some(None)),
        chosen => chosen.strip_prefix("to:").and_then(normalise_email),
    };
    let Some(email) = email else {
        return Ok(None);
    };
    let user = users::find_by_email(&app.pool, &email).await?;
    Ok(user.filter(|user| user.role != Role::Auditor).map(|user| {
        Some(Assignee {
            user_id: user.user_id,
            email: user.email,
        })
    }))
}

/// Hands over the open cases that somebody sees to and does not reach, as the form says.
pub(super) async fn hand_over(
    app: &App,
    session: &Session,
    posted: &Posted,
    from: UserId,
) -> Result<Handed, Failed> {
    let mut handed = Handed::default();
    let Some(to) = taker(app, posted).await? else {
        return Ok(handed);
    };
    let mut after = 0;
    loop {
        let cases = stranded::of(&app.pool, from, after, STEP).await?;
        let Some(last) = cases.last() else { break };
        after = last.get();
        let given = cases
            .into_iter()
            .map(|reference| give(app, session, posted, reference, to.as_ref()));
        for is_given in join_all(given).await {
            if is_given {
                handed.count += 1;
            } else {
                handed.kept += 1;
            }
        }
    }
    Ok(handed)
}

async fn give(
    app: &App,
    session: &Session,
    posted: &Posted,
    reference: Reference,
    to: Option<&Assignee>,
) -> bool {
    let operation = ChangeCase {
        reference,
        change: Change::Assignee(to.cloned()),
        asked: asked_for(posted, session, reference),
    };
    submit(app, operation).await.is_ok()
}
