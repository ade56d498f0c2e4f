//! `/cases/{reference}/history`: everything that happened in a case, in words; and the case as it was at a moment beside the case
//! as it is.
//!
//! A moment is chosen by `at` (after the case's event of that number), by `as_of` (a time) or by `with` (the case's event that was
//! recorded together with the log's event at that position, which is how a moved message is followed from one case to the other).

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, NaiveDateTime, Utc};
use docket_domain::event::StreamId;
use docket_domain::ids::Reference;
use docket_projections::history::{self, AsOfError, At, Who};
use docket_projections::log::reader::{self, LogEvent};
use docket_projections::log::upcasters::upcasters;
use docket_projections::read::cases::{self, CaseLink, CaseRow, CaseState};
use docket_projections::read::thread::{self as threads, Place as ThreadPlace, ThreadItem, What};
use docket_projections::read::{contacts, surveys};
use serde::Deserialize;

use super::case::{no_such_case, reference_of};
use super::pages::{Body, Choice, Frame, Item};
use super::place::{Place, with_query};
use super::session::Session;
use super::thread::Shown;
use super::told::{self, Link, Stamp, Told};
use super::{Console, Failed, go, page, words};
use crate::app::App;
use crate::http::problem::Problem;

/// So many events on a page.
const LIMIT: usize = 100;
/// So many events are read at once.
const PAGE: i64 = 500;
/// At most so many items of a thread are shown of a moment, and of what came since.
const MAX_ITEMS: usize = 200;

/// What the address asks for. Whatever cannot be read is as if it were not there, except for a time, which is said to be wrong.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    kind: String,
    actor: String,
    after: String,
    at: String,
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

/// The events.
struct List {
    action: String,
    kinds: Vec<Choice>,
    actors: Vec<Choice>,
    events: Vec<Told>,
    shown: String,
    earlier: Option<String>,
    later: Option<String>,
}

/// A case as it was beside the case as it is.
struct Compared {
    heading: String,
    /// When the last event up to the moment was recorded.
    recorded: Option<Stamp>,
    /// Why there is nothing to be shown of that moment.
    not_begun: Option<String>,
    /// The event after which it is.
    event: Option<Told>,
    fields: Vec<Field>,
    rows: Vec<Row>,
    /// So many items before those that are shown, and where they are.
    hidden: Option<Link>,
    added: Vec<Item>,
    added_heading: String,
    verdict: String,
}

struct Field {
    label: &'static str,
    then: String,
    now: String,
    is_changed: bool,
}

/// An item of the thread as it was, and what became of it.
struct Row {
    then: Item,
    now: Option<Item>,
    became: Became,
    /// The case that it went to.
    went: Option<Link>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Became {
    Same,
    Changed,
    Gone,
}

impl Became {
    const fn words(self) -> &'static str {
        match self {
            Self::Same => words::THE_SAME,
            Self::Changed => words::CHANGED_SINCE,
            Self::Gone => words::GONE_SINCE,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Gone => "gone",
        }
    }
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
    let mut stream = Stream::read(&app, reference, &asked, at).await?;
    let told = stream.list.events.iter_mut().chain(&mut stream.event_at);
    told::name_tokens(&app, told).await?;
    let compared = match at {
        Some(at) => Some(compare(&app, reference, at, &now, stream.event_at.take()).await?),
        None => None,
    };
    let steps = Steps::of(reference, stream.sequence_at, last, &asked);
    let template = Page {
        frame,
        reference: reference.get(),
        title: now.row.title.0.clone(),
        refusal,
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

/// A time as RFC 3339 has it, or as a browser's field gives it, which then is UTC.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    // A plus sign that stands bare in an address is read as a space.
    let zoned = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_rfc3339(&text.replace(' ', "+")));
    if let Ok(zoned) = zoned {
        return Some(zoned.to_utc());
    }
    [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
    ]
    .into_iter()
    .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    .map(|naive| naive.and_utc())
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
            as_of: time(&asked.as_of)
                .map(|time| time.format("%Y-%m-%dT%H:%M:%S").to_string())
                .unwrap_or_default(),
            first_href: to(1).filter(|_| before(1)),
            previous_href: at.filter(|at| *at > 1).and_then(|at| to(at - 1)),
            next_href: at.filter(|at| *at < last).and_then(|at| to(at + 1)),
            last_href: to(last).filter(|_| at.is_none_or(|at| at < last)),
        }
    }
}

/// What kinds of events there are to choose from.
const KINDS: [(&str, &[&str]); 7] = [
    (
        "said",
        &[
            "MessageReceived",
            "MessageQueued",
            "MessageRequeued",
            "ReactionReceived",
        ],
    ),
    (
        "delivery",
        &[
            "MessageSending",
            "MessageDeferred",
            "MessageSent",
            "MessageIdentified",
            "MessageDelivered",
            "MessageRead",
            "MessageFailed",
            "MessageUncertain",
            "MessageRequeued",
        ],
    ),
    ("status", &["StatusChanged"]),
    ("assignee", &["AssigneeChanged"]),
    ("title", &["CaseOpened", "TitleChanged"]),
    ("notes", &["NoteAdded"]),
    (
        "moves",
        &[
            "MessageMovedOut",
            "MessageMovedIn",
            "MoveUndone",
            "MessageReturned",
            "MessageRemovedElsewhere",
        ],
    ),
];

/// Who did it, as the filter names them.
fn actor(who: Who<'_>) -> (String, String) {
    match who {
        Who::User(email) => (email.to_owned(), email.to_owned()),
        Who::Contact(_) => ("contact".to_owned(), words::CONTACT_AUTHOR.to_owned()),
        Who::Automatic => ("automatic".to_owned(), words::AUTOMATIC.to_owned()),
        Who::Vonage => ("vonage".to_owned(), words::VONAGE.to_owned()),
        Who::System => ("docket".to_owned(), words::SYSTEM.to_owned()),
    }
}

/// A case's events, read from the first to the last, of which those are kept that are to be shown.
struct Stream {
    list: List,
    /// The sequence of the last event up to the moment that is shown.
    sequence_at: Option<u64>,
    /// That event.
    event_at: Option<Told>,
}

impl Stream {
    async fn read(
        app: &App,
        reference: Reference,
        asked: &Asked,
        at: Option<At>,
    ) -> Result<Self, Failed> {
        let kind = KINDS.iter().find(|(name, _)| *name == asked.kind);
        let first: i64 = asked.after.parse().unwrap_or_default();
        let upcasters = upcasters();
        let (mut events, mut actors): (Vec<Told>, Vec<(String, String)>) = (vec![], vec![]);
        let (mut before, mut has_more, mut matching, mut after) = (0, false, 0_usize, 0);
        let mut earlier_pages: Vec<i64> = vec![];
        let mut last_at: Option<LogEvent> = None;
        loop {
            let stream = StreamId::Case(reference);
            let read = reader::stream(&app.pool, stream, after, PAGE).await?;
            let is_last = i64::try_from(read.len()).is_ok_and(|read| read < PAGE);
            for event in read {
                after = event.sequence;
                let who = event
                    .decode(&upcasters)
                    .ok()
                    .map(|recorded| actor(history::who(&recorded)));
                let is_by = asked.actor.is_empty()
                    || who.as_ref().is_some_and(|(name, _)| *name == asked.actor);
                actors.extend(who.filter(|who| !actors.contains(who)));
                let is_kind =
                    kind.is_none_or(|(_, types)| types.contains(&event.event_type.as_str()));
                if is_by && is_kind {
                    matching += 1;
                    if event.sequence <= first {
                        if before % LIMIT == 0 {
                            earlier_pages.push(event.sequence - 1);
                        }
                        before += 1;
                    } else if events.len() < LIMIT {
                        events.push(Told::of(&event, &upcasters));
                    } else {
                        has_more = true;
                    }
                }
                if at.is_some_and(|at| includes(at, &event)) {
                    last_at = Some(event);
                }
            }
            if is_last {
                break;
            }
        }
        let sequence_at = last_at.as_ref().map(|event| event.sequence.cast_unsigned());
        for event in &mut events {
            event.is_current = sequence_at.is_some_and(|at| at.cast_signed() == event.number);
        }
        let page_from = |after: i64| {
            let after = after.to_string();
            let pairs = [
                ("kind", asked.kind.as_str()),
                ("actor", &asked.actor),
                ("after", &after),
            ];
            with_query(&format!("/cases/{reference}/history"), &pairs)
        };
        let later = events
            .last()
            .filter(|_| has_more)
            .map(|last| page_from(last.number));
        let earlier = earlier_pages.last().map(|after| page_from(*after));
        Ok(Self {
            list: List {
                action: format!("/cases/{reference}/history"),
                kinds: KINDS
                    .iter()
                    .map(|(name, _)| Choice {
                        name: words::event_kind(name).to_owned(),
                        value: (*name).to_owned(),
                        is_current: asked.kind == *name,
                    })
                    .collect(),
                actors: actors
                    .into_iter()
                    .map(|(value, name)| Choice {
                        is_current: asked.actor == value,
                        name,
                        value,
                    })
                    .collect(),
                events,
                shown: words::events(matching),
                earlier,
                later,
            },
            sequence_at,
            event_at: last_at.map(|event| Told::of(&event, &upcasters)),
        })
    }
}

fn includes(at: At, event: &LogEvent) -> bool {
    match at {
        At::Sequence(sequence) => event.sequence.cast_unsigned() <= sequence,
        At::Position(position) => event.position <= position,
        At::Time(time) => event.recorded_at <= time,
    }
}

/// All that is shown of a case, as it is or as it was.
struct Picture {
    row: CaseRow,
    name: Option<String>,
    links: Vec<CaseLink>,
    thread: Vec<ThreadItem>,
    survey: String,
}

impl Picture {
    async fn now(app: &App, reference: Reference) -> Result<Option<Self>, Failed> {
        let Some(row) = cases::find(&app.pool, reference).await? else {
            return Ok(None);
        };
        let contact = contacts::find(&app.pool, row.contact_id).await?;
        let survey = surveys::find(&app.pool, row.survey_id).await?;
        Ok(Some(Self {
            name: contact.and_then(|contact| contact.name).map(|name| name.0),
            links: cases::links(&app.pool, reference).await?,
            thread: threads::page(&app.pool, reference, None, u32::MAX).await?,
            survey: survey.map_or_else(String::new, |survey| survey.settings.name),
            row,
        }))
    }

    fn fields(&self) -> [(&'static str, String); 8] {
        let row = &self.row;
        let state = match (row.state, row.withdrawn) {
            (_, true) => words::WITHDRAWN,
            (CaseState::Open, false) => words::OPEN,
            (CaseState::Closed, false) => words::CLOSED,
        };
        let links: Vec<String> = self
            .links
            .iter()
            .map(|link| words::link(link.kind, link.other.get()))
            .collect();
        let or_nothing = |text: String| {
            if text.is_empty() {
                words::NOTHING.to_owned()
            } else {
                text
            }
        };
        let assignee = row
            .assignee
            .as_ref()
            .map(|assignee| assignee.email.0.clone());
        [
            (words::TITLE, row.title.0.clone()),
            (words::STATE, state.to_owned()),
            (
                words::STATUS,
                or_nothing(row.status.clone().unwrap_or_default()),
            ),
            (
                words::ASSIGNEE,
                assignee.unwrap_or_else(|| words::NOBODY.to_owned()),
            ),
            (
                words::NAME,
                or_nothing(self.name.clone().unwrap_or_default()),
            ),
            (words::SURVEY, self.survey.clone()),
            (words::MESSAGES, row.message_count.to_string()),
            (words::LINKS, or_nothing(links.join(", "))),
        ]
    }

    fn items(&self) -> Vec<Item> {
        let place = Place::default();
        let shown = Shown {
            case: &self.row,
            name: self.name.as_deref(),
            question: None,
            place: &place,
            now: self.row.last_message_at,
            may_act: false,
            seen: None,
            reader: None,
        };
        shown.items(&self.thread)
    }
}

async fn compare(
    app: &App,
    reference: Reference,
    at: At,
    now: &Picture,
    event: Option<Told>,
) -> Result<Compared, Failed> {
    let (recorded_at, then) = match history::as_of(&app.pool, reference, at).await {
        Ok(was) => (
            was.recorded_at,
            Picture {
                row: was.row,
                name: was.contact.name.map(|name| name.0),
                links: was.links,
                thread: was.thread,
                survey: now.survey.clone(),
            },
        ),
        Err(error @ AsOfError::NotBegun { .. }) => return Ok(not_begun(at, &error, now)),
        Err(error) => return Err(Problem::from(error).into()),
    };
    let fields = then.fields().into_iter().zip(now.fields());
    let fields: Vec<Field> = fields
        .map(|((label, then), (_, now))| Field {
            is_changed: then != now,
            label,
            then,
            now,
        })
        .collect();
    let mut today: BTreeMap<ThreadPlace, (&ThreadItem, Item)> = now
        .thread
        .iter()
        .zip(now.items())
        .map(|(item, shown)| (item.place, (item, shown)))
        .collect();
    let mut rows: Vec<Row> = then
        .thread
        .iter()
        .zip(then.items())
        .map(|(item, shown)| match today.remove(&item.place) {
            None => Row {
                then: shown,
                now: None,
                became: Became::Gone,
                went: went(item, now),
            },
            Some((known, _)) if known == item => Row {
                then: shown,
                now: None,
                became: Became::Same,
                went: None,
            },
            Some((_, now)) => Row {
                then: shown,
                now: Some(now),
                became: Became::Changed,
                went: None,
            },
        })
        .collect();
    let changes = fields.iter().filter(|field| field.is_changed).count()
        + rows.iter().filter(|row| row.became != Became::Same).count()
        + today.len();
    let hidden = rows.len().saturating_sub(MAX_ITEMS);
    rows.drain(..hidden);
    let hidden = (hidden > 0).then(|| Link {
        href: told::moment(
            reference,
            "at",
            &then.thread[hidden - 1].place.sequence.to_string(),
        ),
        text: words::items_hidden(hidden),
    });
    let added_heading = words::items_added(today.len());
    let added = today.into_values().map(|(_, shown)| shown).take(MAX_ITEMS);
    Ok(Compared {
        heading: words::as_it_was_after(then.row.version, now.row.version),
        recorded: Some(Stamp::of(recorded_at)),
        not_begun: None,
        event,
        fields,
        rows,
        hidden,
        added_heading,
        added: added.collect(),
        verdict: words::changes(changes),
    })
}

/// Where a message went that stands in the case no more.
fn went(item: &ThreadItem, now: &Picture) -> Option<Link> {
    let What::Inbound(message) = &item.what else {
        return None;
    };
    now.thread.iter().rev().find_map(|item| match &item.what {
        What::MovedOut { message_id, to, .. } if *message_id == message.message_id => Some(Link {
            href: format!("/cases/{to}/history"),
            text: words::it_went(to.get()),
        }),
        _ => None,
    })
}

/// What is shown of a moment before the case began.
fn not_begun(at: At, error: &AsOfError, now: &Picture) -> Compared {
    let sentence = match error {
        AsOfError::NotBegun { began_at, .. } => words::not_begun(&Stamp::of(*began_at).text),
        _ => String::new(),
    };
    let heading = match at {
        At::Time(time) => words::as_it_was_at(&Stamp::of(time).text),
        _ => String::new(),
    };
    let fields = now.fields().into_iter().map(|(label, now)| Field {
        label,
        then: words::NOTHING.to_owned(),
        is_changed: true,
        now,
    });
    Compared {
        heading,
        recorded: None,
        not_begun: Some(sentence),
        event: None,
        fields: fields.collect(),
        rows: vec![],
        hidden: None,
        added_heading: words::items_added(now.thread.len()),
        added: now.items().into_iter().take(MAX_ITEMS).collect(),
        verdict: words::ALL_IS_NEW.to_owned(),
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
