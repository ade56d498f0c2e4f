//! `/cases/{reference}/history`: everything that happened in a case, in words; and the case as it was at a moment beside the case
//! as it is.
//!
//! A moment is chosen by `at` (after the case's event of that number), by `as_of` (a time) or by `with` (the case's event that was
//! recorded together with the log's event at that position, which is how a moved message is followed from one case to the other).

mod compared;
mod stream;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, NaiveDateTime, Utc};
use docket_domain::event::StreamId;
use docket_domain::ids::Reference;
use docket_domain::text::time_zone;
use docket_projections::history::{self, AsOfError, At};
use docket_projections::log::reader;
use docket_projections::read::thread::Place as ThreadPlace;
use serde::Deserialize;

use self::compared::{Became, Compared, Picture, compare, not_begun};
use self::stream::{List, Stream};
use super::case::{no_such_case, reference_of};
use super::evidence::Proof;
use super::pages::{Body, Frame};
use super::session::Session;
use super::told;
use super::{Console, Failed, go, page, words};
use crate::app::App;
use crate::http::problem::Problem;
use crate::people;

/// What the address asks for. Whatever cannot be read is as if it were not there, except for a time, which is said to be wrong.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    kind: String,
    actor: String,
    after: String,
    before: String,
    at: String,
    /// The place of the item before which the thread is shown.
    items: String,
    as_of: String,
    with: String,
}

#[derive(Template)]
#[template(path = "console/history.html")]
struct Page {
    frame: Frame,
    reference: u32,
    title: String,
    refusal: &'static str,
    proof: Proof,
    steps: Steps,
    compared: Option<Compared>,
    list: List,
}

/// How one gets from moment to moment.
struct Steps {
    action: String,
    /// The moment's sequence; the last one's where no moment is shown.
    at: u64,
    last: u64,
    /// What the field of the time holds.
    as_of: String,
    first_href: Option<String>,
    previous_href: Option<String>,
    next_href: Option<String>,
    last_href: Option<String>,
}

/// The history of a case, or the case at a moment.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    Path(reference): Path<String>,
    Query(asked): Query<Asked>,
    session: Session,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let Some(reference) = reference_of(&reference) else {
        return Ok(no_such_case());
    };
    let frame = Frame::of(&app, &session);
    let Some(now) = Picture::now(&app, reference).await? else {
        return Ok(no_such_case());
    };
    if let Ok(position) = asked.with.parse() {
        if position > reader::head(&app.pool).await? {
            let refusal = words::POSITION_BEYOND_LOG.to_owned();
            return Ok(super::failure(StatusCode::CONFLICT, refusal));
        }
        let at = recorded_with(&app, reference, position).await?;
        return Ok(go(&told::moment(reference, "at", &at.to_string())));
    }
    if let (None, Some(moment)) = (exact_time(&asked.as_of), time(&asked.as_of)) {
        // An address that is passed on means the same time in every zone.
        return Ok(go(&told::moment(
            reference,
            "as_of",
            &told::exactly(moment),
        )));
    }
    let last = now.row.version;
    let (at, mut refusal) = moment(&asked, last);
    let at = match at {
        Some(at) => match history::settle(&app.pool, at, (app.clock)()).await {
            Ok(()) => Some(at),
            Err(AsOfError::NotYet { .. }) => {
                refusal = words::TIME_TO_COME;
                None
            }
            Err(error) => return Err(Problem::from(error).into()),
        },
        None => None,
    };
    let found = match at {
        Some(at) => Some((at, history::find(&app.pool, reference, at).await)),
        None => None,
    };
    let (found, early) = match found {
        Some((_, Ok(found))) => (Some(found), None),
        Some((at, Err(error @ AsOfError::NotBegun { .. }))) => (None, Some((at, error))),
        Some((_, Err(error))) => return Err(Problem::from(error).into()),
        None => (None, None),
    };
    let mut stream = Stream::read(&app, reference, &asked, last, found).await?;
    let told = stream.list.events.iter_mut().chain(&mut stream.event_at);
    told::name_tokens(&app, told).await?;
    let event = stream.event_at.take();
    let compared = match (found, early) {
        (Some(found), _) => Some(compare(&app, found, items_before(&asked), &now, event).await?),
        (None, Some((at, error))) => Some(not_begun(&app, at, &error, &now).await?),
        (None, None) => None,
    };
    let sequence_at = found.map(|found| found.sequence());
    let steps = Steps::of(reference, sequence_at, last, &asked);
    let template = Page {
        frame,
        reference: reference.get(),
        title: now.row.title.0.clone(),
        refusal,
        proof: Proof::of(&app, &session, reference).await?,
        steps,
        compared,
        list: stream.list,
    };
    session.looks(&app, reference, &headers).await;
    let status = match refusal {
        words::TIME_TO_COME => StatusCode::BAD_REQUEST,
        words::EVENT_TO_COME => StatusCode::CONFLICT,
        _ => StatusCode::OK,
    };
    Ok(page(status, &template))
}

/// The item before which the thread is to be shown.
fn items_before(asked: &Asked) -> Option<ThreadPlace> {
    let (sequence, part) = asked.items.split_once('.')?;
    let sequence: i64 = sequence.parse().ok()?;
    Some(ThreadPlace {
        sequence: sequence.try_into().ok()?,
        part: part.parse().ok()?,
    })
}

/// The moment that is asked for, and what is wrong with it.
fn moment(asked: &Asked, last: u64) -> (Option<At>, &'static str) {
    if !asked.as_of.trim().is_empty() {
        return match time(&asked.as_of) {
            Some(time) => (Some(At::Time(time)), ""),
            None => (None, words::NO_TIME),
        };
    }
    let sequence = asked.at.trim().parse::<u64>().ok();
    if sequence.is_some_and(|sequence| sequence > last) {
        return (None, words::EVENT_TO_COME);
    }
    let at = sequence.map(|sequence| At::Sequence(sequence.max(1)));
    (at, "")
}

/// A time as RFC 3339 has it, or as a browser's field gives it, which then is in the reader's time zone. Of a time that a clock
/// shows twice the first is meant, and of one that it leaves out the first after it.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    exact_time(text).or_else(|| {
        let shown = local_time(text)?;
        Some(time_zone::moment(people::zone(), shown))
    })
}

/// A time as a browser's field shows it, in the reader's time zone.
pub(super) fn field(text: &str) -> String {
    time(text)
        .map(|time| people::local(time).format("%Y-%m-%dT%H:%M:%S").to_string())
        .unwrap_or_default()
}

fn exact_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    // A plus sign that stands bare in an address is read as a space.
    let zoned = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_rfc3339(&text.replace(' ', "+")));
    Some(zoned.ok()?.to_utc())
}

fn local_time(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
    ]
    .into_iter()
    .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
}

/// The sequence of the case's event that was recorded together with the log's event at `position`; else of its last one before.
async fn recorded_with(app: &App, reference: Reference, position: i64) -> Result<u64, Failed> {
    let found = reader::recorded_with(&app.pool, StreamId::Case(reference), position).await?;
    Ok(found.unwrap_or(1))
}

impl Steps {
    fn of(reference: Reference, at: Option<u64>, last: u64, asked: &Asked) -> Self {
        let to = |sequence: u64| Some(told::moment(reference, "at", &sequence.to_string()));
        let before = |sequence: u64| at.is_none_or(|at| sequence < at);
        Self {
            action: format!("/cases/{reference}/history"),
            at: at.unwrap_or(last).clamp(1, last.max(1)),
            last,
            as_of: field(&asked.as_of),
            first_href: to(1).filter(|_| before(1)),
            previous_href: at.filter(|at| *at > 1).and_then(|at| to(at - 1)),
            next_href: at.filter(|at| *at < last).and_then(|at| to(at + 1)),
            last_href: to(last).filter(|_| at.is_none_or(|at| at < last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_programs_and_browsers_write_them() {
        for (text, is) in [
            ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
            ("2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00Z"),
            ("2026-03-01T13:00:00 01:00", "2026-03-01T12:00:00Z"),
            ("2026-03-01T12:00:00.000125Z", "2026-03-01T12:00:00.000125Z"),
            ("2026-03-01T12:00", "2026-03-01T12:00:00Z"),
            (" 2026-03-01 12:00:30 ", "2026-03-01T12:00:30Z"),
        ] {
            assert_eq!(time(text), is.parse().ok(), "{text}");
        }
        for text in ["", "yesterday", "2026-03-01", "12:00"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
