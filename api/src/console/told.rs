//! Events as the history of a case and the log show them: in words, with who, when and why, what they lead to, and the raw event.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use docket_domain::case::{CaseEvent, Origin};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{Reference, TokenId};
use docket_projections::DatabaseError;
use docket_projections::history::{self, Who};
use docket_projections::log::reader::LogEvent;
use docket_projections::log::recorded::{Metadata, Recorded};
use docket_projections::log::upcasters::AnyUpcaster;
use docket_projections::read::users;

use super::place::with_query;
use super::words;
use crate::app::App;
use crate::people;

/// How much earlier a moved message is looked at from both cases: before all that was recorded with the move, and a minute before.
const BEFORE: [TimeDelta; 2] = [TimeDelta::microseconds(1), TimeDelta::minutes(1)];

/// A time as an auditor reads it: to the second and in the time zone that they chose, never by itself in the browser's.
pub(super) struct Stamp {
    /// To the microsecond, as RFC 3339.
    pub(super) iso: String,
    /// Date and time.
    pub(super) text: String,
    /// The time of day, below a date.
    pub(super) clock: String,
    pub(super) day: String,
}

impl Stamp {
    pub(super) fn of(at: DateTime<Utc>) -> Self {
        let local = people::local(at);
        Self {
            iso: exactly(at),
            text: local.format("%Y-%m-%d %H:%M:%S %Z").to_string(),
            clock: local.format("%H:%M:%S").to_string(),
            day: local.format("%A %-d %B %Y, %Z").to_string(),
        }
    }
}

/// To the microsecond, as the log keeps it.
pub(super) fn exactly(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A link with its words.
pub(super) struct Link {
    pub(super) href: String,
    pub(super) text: String,
}

/// An event.
pub(super) struct Told {
    /// Its number in the list that it stands in: the case's, or the log's.
    pub(super) number: i64,
    /// Whose it is, where the words do not say: a user's address, a line's number.
    pub(super) whose: Option<String>,
    /// The case that it is about, in a list of all cases' events.
    pub(super) subject: Option<Link>,
    pub(super) words: String,
    pub(super) who: String,
    /// The token that acted in their name, in words; empty where none did.
    pub(super) by_token: String,
    pub(super) token_id: Option<TokenId>,
    pub(super) recorded: Stamp,
    /// Vonage's time, where Vonage says one.
    pub(super) happened: Option<Stamp>,
    /// The case as it was after it, where it is a case's.
    pub(super) moment: Option<String>,
    /// What it has to do with other cases.
    pub(super) links: Vec<Link>,
    /// Ids and the like: what it is called, and its value.
    pub(super) facts: Vec<(&'static str, String)>,
    /// The event as the log has it, as JSON on several lines.
    pub(super) raw: String,
    pub(super) is_current: bool,
    /// The date, where the event is the first of its day in a list.
    pub(super) day: Option<String>,
}

/// Puts its date before the first event of each day.
pub(super) fn date(events: &mut [Told]) {
    let mut last = None;
    for event in events {
        let day = Some(event.recorded.day.clone());
        if day != last {
            event.day.clone_from(&day);
        }
        last = day;
    }
}

impl Told {
    /// Shows an event. One that this version of Docket cannot read is shown too, with what stands in the log.
    pub(super) fn of(event: &LogEvent, upcasters: &[AnyUpcaster]) -> Self {
        let recorded = event.decode(upcasters).ok().map(people::with_names);
        let metadata: Option<Metadata> = serde_json::from_str(event.metadata.get()).ok();
        let stream = StreamId::parse(&event.aggregate_type, &event.aggregate_id);
        let case = match stream {
            Some(StreamId::Case(reference)) => Some(reference),
            _ => None,
        };
        Self {
            number: event.sequence,
            whose: None,
            subject: None,
            words: recorded.as_ref().map_or_else(
                || words::event_unreadable(&event.event_type, &event.event_version),
                history::describe,
            ),
            who: recorded.as_ref().map_or_else(
                || words::WHO_UNKNOWN.to_owned(),
                |recorded| who(history::who(recorded)),
            ),
            by_token: String::new(),
            token_id: metadata.as_ref().and_then(|metadata| metadata.token_id),
            recorded: Stamp::of(event.recorded_at),
            happened: recorded
                .as_ref()
                .and_then(history::happened_at)
                .map(Stamp::of),
            moment: case.map(|case| moment(case, "at", &event.sequence.to_string())),
            links: case
                .zip(recorded.as_ref())
                .map(|(case, recorded)| links(case, event.position, recorded))
                .unwrap_or_default(),
            facts: facts(event, metadata.as_ref(), recorded.as_ref()),
            raw: raw(event),
            is_current: false,
            day: None,
        }
    }

    /// Shows an event among those of the whole log.
    pub(super) fn in_log(event: &LogEvent, upcasters: &[AnyUpcaster]) -> Self {
        let subject = match StreamId::parse(&event.aggregate_type, &event.aggregate_id) {
            Some(StreamId::Case(case)) => {
                let href = moment(case, "at", &event.sequence.to_string());
                Some((case, href))
            }
            Some(StreamId::Views(case, _)) => Some((case, format!("/cases/{case}/history"))),
            _ => None,
        };
        let metadata: Option<Metadata> = serde_json::from_str(event.metadata.get()).ok();
        let address = metadata.and_then(|metadata| metadata.client_address);
        let told = Self::of(event, upcasters);
        let address = address.map(|address| (words::FACT_ADDRESS, address.0));
        Self {
            facts: told.facts.into_iter().chain(address).collect(),
            number: event.position,
            subject: subject.map(|(case, href)| Link {
                href,
                text: words::history_of(case.get()),
            }),
            moment: None,
            ..told
        }
    }
}

/// Says of events by which token they were done, by the tokens' names as far as they are known.
pub(super) async fn name_tokens(
    app: &App,
    events: impl IntoIterator<Item = &mut Told>,
) -> Result<(), DatabaseError> {
    let mut events: Vec<&mut Told> = events
        .into_iter()
        .filter(|event| event.token_id.is_some())
        .collect();
    let mut tokens: Vec<TokenId> = events.iter().filter_map(|event| event.token_id).collect();
    if tokens.is_empty() {
        return Ok(());
    }
    tokens.sort_unstable();
    tokens.dedup();
    let names = users::token_names(&app.pool, &tokens).await?;
    for event in &mut events {
        let name = event.token_id.and_then(|token_id| names.get(&token_id));
        event.by_token = name.map_or_else(
            || words::BY_SOME_TOKEN.to_owned(),
            |name| words::by_token(name),
        );
    }
    Ok(())
}

/// The address of a case's history at a moment.
pub(super) fn moment(case: Reference, name: &str, value: &str) -> String {
    with_query(&format!("/cases/{case}/history"), &[(name, value)])
}

/// Who did it, as people read it.
pub(super) fn who(who: Who<'_>) -> String {
    match who {
        Who::Contact(number) => words::the_contact(number),
        other => other.to_string(),
    }
}

/// Where an event leads: to the other cases that it speaks of, at the same moment and just before it.
fn links(case: Reference, position: i64, recorded: &Recorded) -> Vec<Link> {
    let Event::Case(event) = &recorded.event else {
        return vec![];
    };
    let (is_move, others): (bool, Vec<Reference>) = match event {
        CaseEvent::MessageMovedOut { to, .. } | CaseEvent::MoveUndone { to, .. } => {
            (true, vec![*to])
        }
        CaseEvent::MessageMovedIn { from, .. }
        | CaseEvent::MessageReturned { from, .. }
        | CaseEvent::MessageRemovedElsewhere { from, .. } => (true, vec![*from]),
        CaseEvent::CaseOpened(opened) => match opened.origin {
            Origin::Move { from } => (true, vec![from]),
            _ => (false, opened.follows.into_iter().collect()),
        },
        CaseEvent::MessageReceived { routed, .. } | CaseEvent::ReactionReceived { routed, .. } => {
            (false, routed.references.clone())
        }
        _ => (false, vec![]),
    };
    let mut links = vec![];
    for other in others.into_iter().filter(|other| *other != case) {
        links.push(Link {
            href: moment(other, "with", &position.to_string()),
            text: words::same_moment(other.get()),
        });
        if is_move {
            for (before, words) in BEFORE.into_iter().zip(words::BEFORE) {
                let before = exactly(recorded.recorded_at - before);
                for (reference, is_this) in [(case, true), (other, false)] {
                    links.push(Link {
                        href: moment(reference, "as_of", &before),
                        text: words::before(reference.get(), is_this, words),
                    });
                }
            }
        }
    }
    links
}

fn facts(
    event: &LogEvent,
    metadata: Option<&Metadata>,
    recorded: Option<&Recorded>,
) -> Vec<(&'static str, String)> {
    let kind = format!(
        "{} {}",
        event.event_type,
        words::version(&event.event_version)
    );
    let stream = format!("{}/{}", event.aggregate_type, event.aggregate_id);
    let mut facts = vec![
        (words::FACT_TYPE, kind),
        (words::FACT_STREAM, stream),
        (words::FACT_SEQUENCE, event.sequence.to_string()),
        (words::FACT_POSITION, event.position.to_string()),
        (words::FACT_RECORDED, exactly(event.recorded_at)),
    ];
    let provider_id = recorded.and_then(history::provider_id);
    facts.extend(provider_id.map(|id| (words::FACT_PROVIDER, id.to_owned())));
    if let Some(metadata) = metadata {
        let user = metadata.actor.user_id();
        facts.extend(user.map(|id| (words::FACT_USER, id.to_string())));
        let email = metadata.actor.email().map(str::to_owned);
        facts.extend(email.map(|email| (words::FACT_EMAIL, email)));
        let via = metadata.via.map(|via| via.as_str().to_owned());
        facts.extend(via.map(|via| (words::FACT_VIA, via)));
        let token = metadata.token_id.map(|id| id.to_string());
        facts.extend(token.map(|id| (words::FACT_TOKEN, id)));
        let request = metadata.request_id.clone();
        facts.extend(request.map(|id| (words::FACT_REQUEST, id)));
        let client_request = metadata.client_request_id.clone();
        facts.extend(client_request.map(|id| (words::FACT_CLIENT_REQUEST, id)));
        let cause = metadata.cause.clone();
        facts.extend(cause.map(|cause| (words::FACT_CAUSE, cause)));
    }
    facts
}

fn raw(event: &LogEvent) -> String {
    let value = serde_json::json!({
        "position": event.position,
        "aggregate_type": event.aggregate_type,
        "aggregate_id": event.aggregate_id,
        "sequence": event.sequence,
        "type": event.event_type,
        "version": event.event_version,
        "recorded_at": exactly(event.recorded_at),
        "metadata": event.metadata,
        "data": event.data(),
    });
    serde_json::to_string_pretty(&value).unwrap_or_default()
}
