//! `docket history`: what happened in a case, or the case as it was, in the terminal.

mod replayed;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::IsTerminal;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use docket_domain::event::StreamId;
use docket_domain::ids::{Reference, TokenId};
use docket_domain::personal::Personal;
use docket_domain::text::references;
use docket_projections::history::{self, At, CaseAsOf, Found};
use docket_projections::log::reader::{self, LogEvent};
use docket_projections::log::recorded::{Recorded, Via};
use docket_projections::log::upcasters::upcasters;
use docket_projections::read::cases::{self, CaseLink, CaseRow, LinkKind};
use docket_projections::read::thread::{self as threads, Inbound, Outbound, What};
use docket_projections::read::users;
use docket_projections::{DatabaseError, PgPool};
use serde::Serialize;
use serde_json::value::RawValue;

use super::database::with_database;
use super::terminal::say;
use crate::ambient;
use crate::config::Config;
use crate::http::cases::CaseView;
use crate::http::history::case as case_view;
use crate::http::thread::ThreadItem;
use crate::people::{self, Names};

/// How many events are read at once.
const PAGE: i64 = 500;
/// How many items of a thread are read at once.
const THREAD_PAGE: usize = 200;
/// The width of what is not shown on a terminal, in characters.
const USUAL_WIDTH: usize = 140;
/// The least width of the widest column.
const LEAST_WIDTH: usize = 30;

/// Which case, and when.
#[derive(Args, Debug)]
pub(super) struct History {
    /// The case: 123 or #123.
    #[arg(value_parser = reference)]
    reference: Reference,
    /// Show the case as it was after this event of it instead.
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "as_of")]
    at: Option<u64>,
    /// Show the case as it was at this time (RFC 3339, such as 2026-03-02T09:15:00Z) instead.
    #[arg(long, value_name = "TIME")]
    as_of: Option<DateTime<Utc>>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn reference(text: &str) -> Result<Reference, String> {
    references::typed(text).ok_or_else(|| "a reference is a number such as 123".to_owned())
}

impl History {
    fn moment(&self) -> Option<At> {
        self.at.map(At::Sequence).or(self.as_of.map(At::Time))
    }
}

/// Shows it.
///
/// # Errors
///
/// A sentence: there is no such case, or it was not there at that time.
pub(super) async fn run(config: &Config, history: &History) -> anyhow::Result<()> {
    with_database(config, async |store| {
        let pool = store.pool();
        let names = Names::read(&pool, 0).await?;
        let result = people::told(names, show(&pool, history)).await;
        pool.close().await;
        result
    })
    .await
}

async fn show(pool: &PgPool, asked: &History) -> anyhow::Result<()> {
    let reference = asked.reference;
    let Some(moment) = asked.moment() else {
        let events = events(pool, reference).await?;
        let tokens = token_names(pool, &events).await?;
        let text = if asked.json {
            json_of_events(reference, &events, &tokens)?
        } else {
            table(&events, &tokens, width())
        };
        say(text.trim_end());
        return Ok(());
    };
    history::settle(pool, moment, ambient::now()).await?;
    let found = history::find(pool, reference, moment).await?;
    let was = history::case(pool, found).await?;
    replayed::compare(pool, &was).await?;
    let thread = whole_thread(pool, found).await?;
    let text = if asked.json {
        let case = case_view(pool, found).await?;
        serde_json::to_string_pretty(&CaseThen::of(case, was.recorded_at, thread))?
    } else {
        let now = Now::read(pool, reference)
            .await
            .context("the case as it is could not be read")?;
        picture(&was, &thread, now.as_ref(), width())
    };
    say(text.trim_end());
    Ok(())
}

/// The thread as it was, which is read a page at a time.
async fn whole_thread(
    pool: &PgPool,
    found: Found,
) -> Result<Vec<threads::ThreadItem>, history::AsOfError> {
    let mut thread: Vec<threads::ThreadItem> = vec![];
    loop {
        let after = thread.last().map(|item| item.place);
        let page = history::thread(pool, found, after, THREAD_PAGE).await?;
        let is_last = page.len() < THREAD_PAGE;
        thread.extend(page);
        if is_last {
            return Ok(thread);
        }
    }
}

/// An event as the log has it, and in today's form.
struct Told {
    event: LogEvent,
    recorded: Recorded,
}

async fn events(pool: &PgPool, reference: Reference) -> anyhow::Result<Vec<Told>> {
    let upcasters = upcasters();
    let mut told: Vec<Told> = vec![];
    loop {
        let after = told.last().map_or(0, |last| last.event.sequence);
        let page = reader::stream(pool, StreamId::Case(reference), after, PAGE).await?;
        let is_last = i64::try_from(page.len()).is_ok_and(|events| events < PAGE);
        for event in page {
            let recorded = people::with_names(event.decode(&upcasters)?);
            told.push(Told { event, recorded });
        }
        if is_last {
            break;
        }
    }
    if told.is_empty() {
        bail!("there is no case #{reference}");
    }
    Ok(told)
}

/// An event of `--json`: as the API gives it, and in words.
#[derive(Serialize)]
struct EventThen<'a> {
    sequence: i64,
    position: i64,
    #[serde(rename = "type")]
    event_type: &'a str,
    version: &'a str,
    words: String,
    who: String,
    recorded_at: DateTime<Utc>,
    /// Vonage's time, where Vonage says one.
    at: Option<DateTime<Utc>>,
    via: Option<&'a str>,
    token_id: Option<TokenId>,
    /// What the token is for.
    token: Option<&'a str>,
    request_id: Option<&'a str>,
    client_request_id: Option<&'a str>,
    cause: Option<&'a str>,
    provider_id: Option<&'a str>,
    data: &'a RawValue,
    metadata: &'a RawValue,
}

#[derive(Serialize)]
struct EventsThen<'a> {
    reference: u32,
    events: Vec<EventThen<'a>>,
}

/// What tokens are for.
type TokenNames = BTreeMap<TokenId, String>;

async fn token_names(pool: &PgPool, told: &[Told]) -> Result<TokenNames, DatabaseError> {
    let mut tokens: Vec<TokenId> = told
        .iter()
        .filter_map(|told| told.recorded.metadata.token_id)
        .collect();
    tokens.sort_unstable();
    tokens.dedup();
    users::token_names(pool, &tokens).await
}

fn json_of_events(
    reference: Reference,
    told: &[Told],
    tokens: &TokenNames,
) -> serde_json::Result<String> {
    let events = told.iter().map(|Told { event, recorded }| EventThen {
        sequence: event.sequence,
        position: event.position,
        event_type: &event.event_type,
        version: &event.event_version,
        words: history::describe(recorded),
        who: history::who(recorded).to_string(),
        recorded_at: event.recorded_at,
        at: history::happened_at(recorded),
        via: recorded.metadata.via.map(Via::as_str),
        token_id: recorded.metadata.token_id,
        token: recorded
            .metadata
            .token_id
            .and_then(|token_id| tokens.get(&token_id))
            .map(String::as_str),
        request_id: recorded.metadata.request_id.as_deref(),
        client_request_id: recorded.metadata.client_request_id.as_deref(),
        cause: recorded.metadata.cause.as_deref(),
        provider_id: history::provider_id(recorded),
        data: event.data(),
        metadata: &event.metadata,
    });
    serde_json::to_string_pretty(&EventsThen {
        reference: reference.get(),
        events: events.collect(),
    })
}

/// A case as it was, as `GET /api/v1/cases/{reference}?at=` gives it, with its thread.
#[derive(Serialize)]
struct CaseThen {
    #[serde(flatten)]
    case: CaseView,
    /// When the last event up to then was recorded; its sequence is the version.
    recorded_at: DateTime<Utc>,
    thread: Vec<ThreadItem>,
}

impl CaseThen {
    fn of(case: CaseView, recorded_at: DateTime<Utc>, thread: Vec<threads::ThreadItem>) -> Self {
        Self {
            case,
            recorded_at,
            thread: thread.into_iter().map(ThreadItem::as_it_was).collect(),
        }
    }
}

fn width() -> usize {
    let size = std::io::stdout()
        .is_terminal()
        .then(terminal_size::terminal_size)
        .flatten();
    size.map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0))
}

fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The events as a table: number, when, who, what, why.
fn table(told: &[Told], tokens: &TokenNames, width: usize) -> String {
    let rows = told.iter().map(|Told { event, recorded }| {
        let mut when = vec![time(event.recorded_at)];
        when.extend(
            history::happened_at(recorded).map(|at| format!("Vonage {}", at.format("%H:%M:%S"))),
        );
        let metadata = &recorded.metadata;
        let provider_id = history::provider_id(recorded);
        // What Vonage caused often has Vonage's own id as its cause.
        let cause = metadata
            .cause
            .as_deref()
            .filter(|cause| provider_id != Some(cause));
        let via = metadata.via.map(|via| format!("via {}", via.as_str()));
        let token = metadata
            .token_id
            .map(|token_id| match tokens.get(&token_id) {
                Some(name) => format!("by token “{}”", folded(name)),
                None => format!("by token {token_id}"),
            });
        let client_request_id = metadata.client_request_id.as_deref();
        let why = [
            via,
            metadata
                .request_id
                .as_ref()
                .map(|id| format!("request {id}")),
            client_request_id.map(|id| format!("the client's request {}", folded(id))),
            cause.map(|cause| format!("cause {cause}")),
            provider_id.map(|id| format!("Vonage's id {id}")),
        ];
        [
            vec![event.sequence.to_string()],
            when,
            std::iter::once(history::who(recorded).to_string())
                .chain(token)
                .collect(),
            vec![history::describe(recorded)],
            why.into_iter().flatten().collect(),
        ]
    });
    let heads = ["#", "recorded (UTC)", "who", "what", "why"].map(|head| vec![head.to_owned()]);
    let rows: Vec<_> = std::iter::once(heads).chain(rows).collect();
    let widest = |column: usize, most: usize| {
        let cells = rows.iter().flat_map(|row| &row[column]);
        cells
            .map(|line| line.chars().count())
            .max()
            .unwrap_or_default()
            .min(most)
    };
    let mut widths = [widest(0, 6), widest(1, 19), widest(2, 28), 0, widest(4, 48)];
    let gaps = 2 * (widths.len() - 1);
    let taken: usize = widths.iter().sum::<usize>() + gaps;
    widths[3] = widest(3, width.saturating_sub(taken).max(LEAST_WIDTH));
    let mut text = String::new();
    for (n, row) in rows.iter().enumerate() {
        write_row(&mut text, row, widths);
        if n == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text += &rule.join("  ");
            text.push('\n');
        }
    }
    text
}

fn write_row(text: &mut String, row: &[Vec<String>; 5], widths: [usize; 5]) {
    let mut cells: Vec<Vec<String>> = vec![];
    for (lines, width) in row.iter().zip(widths) {
        cells.push(lines.iter().flat_map(|line| wrapped(line, width)).collect());
    }
    let height = cells.iter().map(Vec::len).max().unwrap_or_default();
    for n in 0..height {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let part = cell.get(n).map_or("", String::as_str);
            let _ = write!(line, "{part:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Lines of at most `width` characters, broken between words where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + word.len() > width {
            lines.push(String::new());
            used = 0;
        }
        while word.len() > width {
            let rest = word.split_off(width);
            lines.extend([word.iter().collect(), String::new()]);
            word = rest;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.extend(&word);
            used += word.len();
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// A case as it is.
struct Now {
    row: CaseRow,
    links: Vec<CaseLink>,
    thread: Vec<threads::ThreadItem>,
}

impl Now {
    async fn read(pool: &PgPool, reference: Reference) -> Result<Option<Self>, DatabaseError> {
        let Some(row) = cases::find(pool, reference).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            links: cases::links(pool, reference).await?,
            thread: threads::page(pool, reference, None, u32::MAX).await?,
            row,
        }))
    }

    /// What has become of an item of the thread, where that is anything else.
    fn became(&self, item: &threads::ThreadItem) -> Option<String> {
        // It is in the order of its places.
        let found = self
            .thread
            .binary_search_by_key(&item.place, |now| now.place);
        let Some(now) = found.ok().map(|index| &self.thread[index]) else {
            return Some("not here any more".to_owned());
        };
        (now != item).then(|| format!("now: {}", said(now)))
    }
}

/// A case as it was; what is another now is marked.
fn picture(
    was: &CaseAsOf,
    thread: &[threads::ThreadItem],
    now: Option<&Now>,
    width: usize,
) -> String {
    let row = &was.row;
    let mut text = format!("#{} {}\n", row.reference, folded(&row.title));
    let last = now.map_or(row.version, |now| now.row.version);
    let _ = writeln!(
        text,
        "as it was after event {} of {last}, recorded {} UTC\n",
        row.version,
        time(was.recorded_at)
    );
    let name = was
        .contact
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" ({})", folded(name)));
    let _ = writeln!(
        text,
        "contact    {}{name} by {}",
        row.number.0,
        row.channel.as_str()
    );
    let fields = fields(row, &was.links);
    let today = now.map(|now| self::fields(&now.row, &now.links));
    for (n, (label, value)) in fields.iter().enumerate() {
        let _ = write!(text, "{label:<10} {value}");
        match &today {
            Some(today) if today[n].1 != *value => {
                let _ = writeln!(text, "   (now: {})", today[n].1);
            }
            _ => text.push('\n'),
        }
    }
    text.push('\n');
    for item in thread {
        let became = now.and_then(|now| now.became(item));
        let line = format!(
            "{}  {}: {}{}",
            time(item.at),
            item.author.name(),
            said(item),
            became.map_or_else(String::new, |became| format!("   ({became})"))
        );
        for (n, part) in wrapped(&line, width.saturating_sub(4).max(LEAST_WIDTH))
            .iter()
            .enumerate()
        {
            let _ = writeln!(text, "{}{part}", if n == 0 { "" } else { "    " });
        }
    }
    let known: BTreeSet<threads::Place> = thread.iter().map(|item| item.place).collect();
    let is_new = |item: &&threads::ThreadItem| !known.contains(&item.place);
    match now.map_or(0, |now| now.thread.iter().filter(is_new).count()) {
        0 => {}
        count => {
            let _ = writeln!(text, "\n(since then: {count} more)");
        }
    }
    text
}

fn fields(row: &CaseRow, links: &[CaseLink]) -> [(&'static str, String); 6] {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let withdrawn = if row.withdrawn { ", withdrawn" } else { "" };
    let links: Vec<String> = links.iter().copied().map(link).collect();
    [
        ("title", folded(&row.title)),
        ("state", format!("{}{withdrawn}", row.state.as_str())),
        ("status", or_nothing(row.status.clone())),
        (
            "assignee",
            or_nothing(
                row.assignee
                    .as_ref()
                    .map(|assignee| people::shown(&assignee.email)),
            ),
        ),
        ("messages", row.message_count.to_string()),
        (
            "links",
            or_nothing((!links.is_empty()).then(|| links.join(", "))),
        ),
    ]
}

fn link(link: CaseLink) -> String {
    let other = link.other;
    match link.kind {
        LinkKind::Follows => format!("follows #{other}"),
        LinkKind::FollowedBy => format!("is followed by #{other}"),
        LinkKind::MovedTo => format!("a message went to #{other}"),
        LinkKind::MovedFrom => format!("a message came from #{other}"),
    }
}

/// A thread's item in words, on one line.
fn said(item: &threads::ThreadItem) -> String {
    let reaction = item.reaction.as_ref().map(|reaction| {
        let emoji = reaction.emoji.as_ref();
        emoji.map_or_else(|| "an emoji".to_owned(), |emoji| folded(emoji))
    });
    let on_it = reaction
        .as_ref()
        .map_or_else(String::new, |emoji| format!(" [reaction: {emoji}]"));
    let or_nobody = |email: Option<&str>| email.map_or_else(|| "nobody".to_owned(), people::shown);
    match &item.what {
        What::Opened { title, .. } => format!("began the case “{}”", folded(title)),
        What::Inbound(message) => format!("{}{on_it}", inbound(message)),
        What::Outbound(message) => format!("{}{on_it}", outbound(message)),
        What::Reaction { .. } => reaction.map_or_else(
            || "took a reaction off an unknown message".to_owned(),
            |emoji| format!("reacted with {emoji} to an unknown message"),
        ),
        What::RemovedElsewhere { from, comment, .. } => format!(
            "moved a message of this case out of #{from}, where it stood too{}",
            comment_of(comment.as_ref())
        ),
        What::Note { text, .. } => format!("noted “{}”", folded(text)),
        What::Status { value, closed, .. } => {
            format!(
                "set the status to “{}”{}",
                folded(value),
                if *closed {
                    " and so closed the case"
                } else {
                    ""
                }
            )
        }
        What::Assigned { to, .. } => {
            format!(
                "gave the case to {}",
                or_nobody(to.as_ref().map(|email| email.0.as_str()))
            )
        }
        What::Renamed { title, .. } => format!("called the case “{}”", folded(title)),
        What::OptOut {
            channel,
            opted_out,
            reason,
            ..
        } => {
            let what = if *opted_out {
                "opted out of"
            } else {
                "opted in to"
            };
            format!("{what} {channel}{}", comment_of(reason.as_ref()))
        }
        What::Labels { added, removed } => {
            let of = |sign, names: &[String]| -> Vec<String> {
                names
                    .iter()
                    .map(|name| format!("{sign}“{}”", folded(name)))
                    .collect()
            };
            let labels = [of('+', added), of('-', removed)].concat();
            format!("changed the labels: {}", labels.join(" "))
        }
        What::Snoozed { until } => format!(
            "snoozed the case until {}",
            until.format("%Y-%m-%d %H:%M UTC")
        ),
        What::Woken { reason } => {
            format!("ended the snooze ({})", reason.as_str().replace('_', " "))
        }
        What::MovedOut { to, comment, .. } => {
            format!("moved a message to #{to}{}", comment_of(comment.as_ref()))
        }
        What::MovedIn { from, comment, .. } => format!(
            "brought a message from #{from}{}",
            comment_of(comment.as_ref())
        ),
    }
}

fn comment_of(comment: Option<&Personal<String>>) -> String {
    comment.map_or_else(String::new, |comment| format!(": “{}”", folded(comment)))
}

fn inbound(message: &Inbound) -> String {
    match message.content.said() {
        Some(words) => format!("“{}”", folded(words)),
        None => message.content.label().to_lowercase(),
    }
}

fn outbound(message: &Outbound) -> String {
    let threads::Delivery { status, reason, .. } = &message.delivery;
    let reason = reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(": {}", folded(reason)));
    format!(
        "answered “{}” [{}{reason}]",
        folded(&message.text),
        status.as_str()
    )
}

/// The text on one line, without anything that moves a terminal's cursor.
fn folded(text: &str) -> String {
    let words = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use docket_projections::log::recorded::{Actor, Metadata};

    use super::*;

    fn told(sequence: i64, event_type: &str, data: &str, metadata: &Metadata) -> Told {
        let raw = |json: String| RawValue::from_string(json).unwrap();
        let event = LogEvent {
            position: 40 + sequence,
            aggregate_type: "Case".into(),
            aggregate_id: "123".into(),
            sequence,
            event_type: event_type.into(),
            event_version: "1".into(),
            payload: raw(format!("{{\"{event_type}\": {data}}}")),
            metadata: raw(serde_json::to_string(metadata).unwrap()),
            recorded_at: "2026-03-02T09:15:30.125Z".parse().unwrap(),
        };
        let recorded = event.decode(&upcasters()).unwrap();
        Told { event, recorded }
    }

    fn events() -> Vec<Told> {
        let note = r#"{"note_id": "01957a00-0000-7000-8000-000000000001", "text": "Third time this month: ask the fitters",
                       "author": {"by": "automatic"}}"#;
        let delivered = r#"{"message_id": "01957a00-0000-7000-8000-000000000001", "attempt": 1, "at": "2026-03-02T09:15:29Z"}"#;
        let by_vonage = Metadata {
            actor: Actor::Vonage,
            request_id: Some("request-1".into()),
            cause: Some("status-1".into()),
            ..Metadata::of(Actor::Vonage, Via::Webhook)
        };
        vec![
            told(
                1,
                "NoteAdded",
                note,
                &Metadata::of(Actor::System, Via::System),
            ),
            told(2, "MessageDelivered", delivered, &by_vonage),
        ]
    }

    #[test]
    fn the_table_fits_and_breaks_between_words() {
        assert_eq!(
            table(&events(), &TokenNames::new(), 81),
            "\
#  recorded (UTC)       who     what                            why
-  -------------------  ------  ------------------------------  -----------------
1  2026-03-02 09:15:30  Docket  Noted: “Third time this month:  via system
                                ask the fitters”
2  2026-03-02 09:15:30  Vonage  Message …000001 was delivered   via webhook
   Vonage 09:15:29                                              request request-1
                                                                cause status-1
"
        );
    }

    #[test]
    fn json_has_the_raw_event_and_its_words() {
        let json =
            json_of_events(Reference::new(123).unwrap(), &events(), &TokenNames::new()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["reference"], 123);
        let event = &json["events"][1];
        assert_eq!(
            (&event["sequence"], &event["position"]),
            (&2.into(), &42.into())
        );
        assert_eq!(event["words"], "Message …000001 was delivered");
        assert_eq!(event["data"]["attempt"], 1);
        assert_eq!(event["metadata"]["actor"], "vonage");
        assert_eq!(event["at"], "2026-03-02T09:15:29Z");
        assert_eq!(event["cause"], "status-1");
    }

    #[test]
    fn a_reference_may_have_its_sign() {
        for text in ["123", "#123"] {
            assert_eq!(reference(text).map(Reference::get), Ok(123));
        }
        assert!(reference("12a").is_err());
    }

    #[test]
    fn long_words_are_broken_too() {
        assert_eq!(wrapped("a bcdefghij kl", 4), ["a", "bcde", "fghi", "j kl"]);
        assert_eq!(wrapped("", 4), Vec::<String>::new());
    }
}
