//! A case as it was, as the API tells it.
//!
//! It is made by [`docket_projections::history`] from the log, through the same aggregate and handlers that make today's answers,
//! and then takes the same forms; nothing here knows an event.

use chrono::{DateTime, Utc};
use docket_domain::ids::Reference;
use docket_projections::PgPool;
use docket_projections::history::{self, AsOfError, At, Found};
use docket_projections::read::contacts::Person;

use super::cases::{CaseView, no_such_case};
use super::problem::{Kind, Problem};
use crate::app::App;

/// The moment that `at` and `as_of` ask for; `None` for now.
///
/// # Errors
///
/// A problem where both are given.
pub(super) fn moment(at: Option<u64>, as_of: Option<DateTime<Utc>>) -> Result<Option<At>, Problem> {
    match (at, as_of) {
        (None, None) => Ok(None),
        (Some(sequence), None) => Ok(Some(At::Sequence(sequence))),
        (None, Some(time)) => Ok(Some(At::Time(time))),
        (Some(_), Some(_)) => Err(Problem::new(
            Kind::InvalidQuery,
            "give at or as_of, not both",
        )),
    }
}

/// A moment of a case.
///
/// # Errors
///
/// A problem: there is no such case, or it had not begun, or has not come to that event yet.
pub(super) async fn find(app: &App, reference: Reference, at: At) -> Result<Found, Problem> {
    history::settle(&app.pool, at, (app.clock)()).await?;
    Ok(history::find(&app.pool, reference, at).await?)
}

/// A case as it was.
///
/// # Errors
///
/// [`AsOfError`].
pub(crate) async fn case(pool: &PgPool, found: Found) -> Result<CaseView, AsOfError> {
    let was = history::case(pool, found).await?;
    let notes = history::notes(pool, found).await?;
    let person = Person {
        name: was.contact.name,
        opted_out: was.contact.details.opted_out,
        suspected: was.contact.details.suspected,
        last_channel: was.last_channel,
    };
    let mut case = CaseView::new(was.row, person, &notes, &was.links);
    // Names are today's, and a case as it was stays the same.
    case.summary.assignee_name = None;
    Ok(case)
}

impl From<AsOfError> for Problem {
    fn from(error: AsOfError) -> Self {
        match error {
            AsOfError::NoSuchCase(reference) => no_such_case(reference),
            AsOfError::NoSuchEvent {
                reference,
                sequence: 0,
                ..
            } => Self::not_found(format!(
                "case #{reference} had not begun then; its events are counted from 1"
            )),
            AsOfError::NoSuchEvent {
                reference,
                sequence,
                ..
            } => Self::not_found(format!(
                "case #{reference} has no event {sequence}; GET /api/v1/cases/{reference}/events lists them"
            )),
            error @ AsOfError::NotYet { .. } => Self::new(
                Kind::InvalidQuery,
                format!("as_of lies in the future: {error}"),
            ),
            error @ AsOfError::NotBegun { .. } => Self::not_found(error.to_string()),
            AsOfError::Read(error) => error.into(),
            AsOfError::Database(error) => error.into(),
        }
    }
}
