//! A case's events page by page, of some kinds or by somebody alone.

use docket_domain::ids::Reference;
use docket_projections::history::Found;
use docket_projections::log::case_events::{self, Wanted};
use docket_projections::log::reader;
use docket_projections::log::upcasters::upcasters;
use docket_projections::read::cases::desk;

use super::super::pages::Choice;
use super::super::place::with_query;
use super::super::told::{self, Told};
use super::super::{Failed, words};
use super::Asked;
use crate::app::App;

/// So many events on a page.
const LIMIT: i64 = 20;
/// So many beside a moment, which stands among them.
const BESIDE: i64 = 6;
/// At most so many are counted.
const MAX_COUNT: u32 = 1_000;
/// At most so many people are offered to choose from.
const MAX_PEOPLE: i64 = 100;

/// The events.
pub(super) struct List {
    pub(super) action: String,
    pub(super) kinds: Vec<Choice>,
    pub(super) actors: Vec<Choice>,
    pub(super) events: Vec<Told>,
    pub(super) shown: String,
    pub(super) earlier: Option<String>,
    pub(super) later: Option<String>,
}

/// What kinds of events there are to choose from.
const KINDS: [(&str, &[&str]); 9] = [
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
    ("media", &["MediaStored", "MediaFailed"]),
    ("status", &["StatusChanged"]),
    ("assignee", &["AssigneeChanged"]),
    ("title", &["CaseOpened", "TitleChanged"]),
    ("labels", &["LabelsChanged", "CaseSnoozed", "CaseWoken"]),
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

/// The events to be shown.
pub(super) struct Stream {
    pub(super) list: List,
    /// The event after which the case is shown.
    pub(super) event_at: Option<Told>,
}

impl Stream {
    pub(super) async fn read(
        app: &App,
        reference: Reference,
        asked: &Asked,
        last: u64,
        at: Option<Found>,
    ) -> Result<Self, Failed> {
        let kind = KINDS.iter().find(|(name, _)| *name == asked.kind);
        let wanted = Wanted {
            reference,
            types: kind.map_or(&[], |(_, types)| types),
            by: &asked.actor,
        };
        let sequence_at = at.map(|found| found.sequence().cast_signed());
        let (events, has_earlier, has_later) = page(app, wanted, asked, sequence_at).await?;
        let upcasters = upcasters();
        let mut shown: Vec<Told> = events
            .iter()
            .map(|event| Told::of(event, &upcasters))
            .collect();
        for event in &mut shown {
            event.is_current = sequence_at == Some(event.number);
        }
        told::date(&mut shown);
        let event_at = match sequence_at {
            Some(sequence) => {
                let stream = docket_domain::event::StreamId::Case(reference);
                let event = reader::stream(&app.pool, stream, sequence - 1, 1).await?;
                event.first().map(|event| Told::of(event, &upcasters))
            }
            None => None,
        };
        let count = if wanted.is_all() {
            usize::try_from(last).unwrap_or(usize::MAX)
        } else {
            case_events::count(&app.pool, wanted, i64::from(MAX_COUNT) + 1).await?
        };
        let turn = |name: &str, sequence: Option<i64>| {
            let sequence = sequence?.to_string();
            let pairs = [
                ("kind", asked.kind.as_str()),
                ("actor", &asked.actor),
                (name, &sequence),
            ];
            Some(with_query(&format!("/cases/{reference}/history"), &pairs))
        };
        let first = shown.first().map(|event| event.number);
        let last = shown.last().map(|event| event.number);
        Ok(Self {
            list: List {
                action: format!("/cases/{reference}/history"),
                kinds: kinds(asked),
                actors: actors(app, asked).await?,
                shown: words::events_up_to(count, !wanted.is_all(), MAX_COUNT as usize),
                earlier: turn("before", first.filter(|_| has_earlier)),
                later: turn("after", last.filter(|_| has_later)),
                events: shown,
            },
            event_at,
        })
    }
}

/// The events of the page, and whether there are any before and after them.
async fn page(
    app: &App,
    wanted: Wanted<'_>,
    asked: &Asked,
    sequence_at: Option<i64>,
) -> Result<(Vec<reader::LogEvent>, bool, bool), Failed> {
    let before: Option<i64> = asked.before.parse().ok();
    if let Some(before) = before {
        let mut events = case_events::before(&app.pool, wanted, before, LIMIT + 1).await?;
        let has_earlier = i64::try_from(events.len()).is_ok_and(|read| read > LIMIT);
        if has_earlier {
            events.remove(0);
        }
        return Ok((events, has_earlier, true));
    }
    let asked_after: Option<i64> = asked.after.parse().ok();
    let (after, limit) = match (asked_after, sequence_at) {
        (Some(after), _) => (after.max(0), LIMIT),
        (None, Some(at)) => ((at - BESIDE / 2).max(0), BESIDE),
        (None, None) => (0, LIMIT),
    };
    let mut events = case_events::after(&app.pool, wanted, after, limit + 1).await?;
    let has_later = i64::try_from(events.len()).is_ok_and(|read| read > limit);
    if has_later {
        events.pop();
    }
    Ok((events, after > 0, has_later))
}

fn kinds(asked: &Asked) -> Vec<Choice> {
    KINDS
        .iter()
        .map(|(name, _)| Choice {
            name: words::event_kind(name).to_owned(),
            value: (*name).to_owned(),
            is_current: asked.kind == *name,
        })
        .collect()
}

/// Who can have done something, as the filter names them.
async fn actors(app: &App, asked: &Asked) -> Result<Vec<Choice>, Failed> {
    let others = [
        ("contact", words::CONTACT_AUTHOR),
        ("automatic", words::AUTOMATIC),
        ("vonage", words::VONAGE),
        ("docket", words::SYSTEM),
    ];
    let mut actors: Vec<(String, String)> = others
        .map(|(value, name)| (value.to_owned(), name.to_owned()))
        .into();
    let people = desk::people(&app.pool, MAX_PEOPLE).await?;
    actors.extend(people);
    let is_known = actors.iter().any(|(value, _)| *value == asked.actor);
    if !is_known && !asked.actor.is_empty() {
        actors.push((asked.actor.clone(), asked.actor.clone()));
    }
    let choices = actors.into_iter().map(|(value, name)| Choice {
        is_current: asked.actor == value,
        name,
        value,
    });
    Ok(choices.collect())
}
