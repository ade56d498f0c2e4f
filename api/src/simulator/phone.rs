//! The phone: a page on which one is a customer, writes to a line and sees the answers come.
//!
//! It works by plain forms and links; its script adds that answers appear by themselves and that sending does not reload the page.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use docket_domain::channel::{Channel, normalise_number};
use futures_util::{Stream, StreamExt as _, stream};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::{Account, Entry, EntryKind, EntryState, Parties};
use super::{CustomerMessage, SimulatedLine, webhooks};

/// Everything that the page loads is served here, and nothing is inline.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; \
                              form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router<Arc<Account>> {
    let asset = |content_type: &'static str, body: &'static str| {
        get(move || async move {
            (
                [
                    (CONTENT_TYPE, content_type),
                    (CACHE_CONTROL, "max-age=3600"),
                ],
                body,
            )
        })
    };
    Router::new()
        .route("/", get(page))
        .route("/send", post(send_form))
        .route("/window", post(window_form))
        .route("/simulator/inbound", post(inbound))
        .route("/simulator/messages", get(messages))
        .route("/simulator/window", post(window))
        .route("/simulator/events", get(events))
        .route(
            "/phone.css",
            asset(
                "text/css; charset=utf-8",
                concat!(
                    include_str!("../../assets/phone.css"),
                    include_str!("../../assets/phone-files.css")
                ),
            ),
        )
        .route(
            "/phone.js",
            asset(
                "text/javascript; charset=utf-8",
                include_str!("../../assets/phone.js"),
            ),
        )
        .route(
            "/phone.photo.svg",
            asset(
                "image/svg+xml",
                include_str!("../../assets/phone.photo.svg"),
            ),
        )
        .route(
            "/phone.photo.png",
            get(async || {
                (
                    [(CONTENT_TYPE, "image/png"), (CACHE_CONTROL, "max-age=3600")],
                    &include_bytes!("../../assets/phone.photo.png")[..],
                )
            }),
        )
        .layer(middleware::from_fn(guard))
}

/// Refuses what another site's page sends in the person's name, and sets the headers that every answer has.
async fn guard(request: Request, next: Next) -> Response {
    let comes_from_elsewhere = request
        .headers()
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none");
    let mut answer = if comes_from_elsewhere && request.method() != Method::GET {
        StatusCode::FORBIDDEN.into_response()
    } else {
        next.run(request).await
    };
    let headers = answer.headers_mut();
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_POLICY),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    answer
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageQuery {
    /// The customer's number.
    from: String,
    /// The line's number.
    to: String,
    channel: Option<Channel>,
    /// The id of the message to quote.
    quote: String,
    /// What came of the message that was just sent.
    sent: String,
}

/// A customer or a line that can be chosen.
struct Choice {
    title: String,
    detail: String,
    from: String,
    to: String,
    channel: Channel,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "phone.html")]
struct Page {
    customers: Vec<Choice>,
    lines: Vec<Choice>,
    from: String,
    to: String,
    channel: Channel,
    /// What the customer has the line saved as.
    title: String,
    entries: Vec<Entry>,
    version: u64,
    quote: Option<Entry>,
    /// Where Docket's console is.
    console: Option<String>,
    notice: &'static str,
    /// Whether WhatsApp's 24 hours are to be over.
    is_window_closed: bool,
    /// Whether the page comes back from sending or choosing a quote, and the person goes on writing.
    goes_on: bool,
}

impl Page {
    /// The first letters of the title's first two words.
    fn initials(&self) -> String {
        self.title
            .split_whitespace()
            .take(2)
            .filter_map(|word| word.chars().next())
            .collect()
    }

    const fn is_whatsapp(&self) -> bool {
        matches!(self.channel, Channel::Whatsapp)
    }
}

const fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "SMS",
        Channel::Whatsapp => "WhatsApp",
    }
}

/// What the state means to the customer; nothing where all is well.
const fn state_in_words(state: EntryState) -> &'static str {
    match state {
        EntryState::Sending => "Sending…",
        EntryState::Delivered => "",
        EntryState::Failed => "Not delivered",
    }
}

async fn page(State(account): State<Arc<Account>>, Query(query): Query<PageQuery>) -> Response {
    let lines = account.state().lines.clone();
    let customers = &account.options.customers;
    let from = match normalise_number(&query.from) {
        given if !given.is_empty() => given,
        _ => customers
            .first()
            .map(|customer| customer.number.clone())
            .unwrap_or_default(),
    };
    let (to, channel) = chosen_line(&query, &lines);
    let parties = Parties {
        customer: from,
        line: to,
        channel,
    };
    let quote = account.find_entry(&parties, &query.quote);
    let entries = account.entries_after(&parties, 0);
    let is_window_closed = !account.is_window_open(&parties);
    let Parties {
        customer: from,
        line: to,
        ..
    } = parties;

    let title = lines
        .iter()
        .find(|line| line.number == to && line.channel == channel)
        .map_or_else(
            || {
                if to.is_empty() {
                    "Nobody yet".to_owned()
                } else {
                    to.clone()
                }
            },
            |line| line.label.clone(),
        );
    let customers = customers
        .iter()
        .map(|customer| Choice {
            title: customer.name.clone(),
            detail: customer.number.clone(),
            from: customer.number.clone(),
            to: to.clone(),
            channel,
            is_current: customer.number == from,
        })
        .collect();
    let lines = lines
        .into_iter()
        .map(|line| Choice {
            title: line.label,
            detail: format!("{} {}", channel_name(line.channel), line.number),
            from: from.clone(),
            is_current: line.number == to && line.channel == channel,
            to: line.number,
            channel: line.channel,
        })
        .collect();
    let page = Page {
        customers,
        lines,
        version: entries.iter().map(|entry| entry.version).max().unwrap_or(0),
        entries,
        channel,
        title,
        notice: notice(&query.sent),
        is_window_closed,
        goes_on: quote.is_some() || !query.sent.is_empty(),
        quote,
        console: account.state().docket_url.clone(),
        from,
        to,
    };
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "the phone page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The line in the address if it names one, else the first that is offered.
fn chosen_line(query: &PageQuery, lines: &[SimulatedLine]) -> (String, Channel) {
    let given = normalise_number(&query.to);
    if let (true, Some(first)) = (given.is_empty(), lines.first()) {
        return (first.number.clone(), first.channel);
    }
    let known = lines
        .iter()
        .find(|line| line.number == given)
        .map(|line| line.channel);
    (given, query.channel.or(known).unwrap_or(Channel::Sms))
}

pub(super) const fn outcome(answer: Result<u16, webhooks::NoAnswer>) -> &'static str {
    match answer {
        Ok(200..=299) => "taken",
        Ok(429 | 500..=599) | Err(webhooks::NoAnswer) => "again",
        Ok(_) => "refused",
    }
}

fn notice(outcome: &str) -> &'static str {
    match outcome {
        "again" => "Docket cannot take it just now. It is tried again by itself.",
        "refused" => "Docket has refused the message.",
        "incomplete" => {
            "Write something first, and choose whom to write to; a reaction is one to a message that you answer."
        }
        _ => "",
    }
}

#[derive(Deserialize)]
struct SendForm {
    from: String,
    to: String,
    channel: Channel,
    #[serde(default)]
    text: String,
    #[serde(default)]
    quoted: Option<String>,
    /// The button: `text`, `photo`, `location` or one of the others of WhatsApp.
    #[serde(default)]
    kind: String,
}

impl SendForm {
    /// The message, unless a number or the text is missing.
    fn message(self) -> Option<CustomerMessage> {
        // Browsers send a line break as CR LF, phones as LF.
        let text = self.text.replace("\r\n", "\n");
        let kind = match self.kind.as_str() {
            "photo" => EntryKind::Photo { text },
            "location" => EntryKind::Location,
            "sticker" => EntryKind::Sticker,
            "contacts" => EntryKind::Contacts,
            "order" => EntryKind::Order,
            "unsupported" => EntryKind::Unsupported,
            // A reaction is one to something.
            "reaction" | "unreact" if self.quoted.as_deref().unwrap_or_default().is_empty() => {
                return None;
            }
            "unreact" => EntryKind::Reaction {
                text: String::new(),
            },
            "reaction" => EntryKind::Reaction {
                text: some_or(text, "👍"),
            },
            "reply" => EntryKind::Reply {
                text: some_or(text, "The first choice"),
            },
            "button" => EntryKind::Button {
                text: some_or(text, "Yes"),
            },
            _ if text.trim().is_empty() => return None,
            _ => EntryKind::Text { text },
        };
        let is_complete =
            !normalise_number(&self.from).is_empty() && !normalise_number(&self.to).is_empty();
        is_complete.then(|| CustomerMessage {
            from: self.from,
            to: self.to,
            channel: self.channel,
            kind,
            quoted: self.quoted.filter(|quoted| !quoted.is_empty()),
        })
    }
}

/// The text, or another one where it is empty.
fn some_or(text: String, other: &str) -> String {
    if text.trim().is_empty() {
        other.to_owned()
    } else {
        text
    }
}

#[derive(Deserialize)]
struct WindowForm {
    from: String,
    to: String,
    /// `yes` begins WhatsApp's 24 hours anew; anything else ends them.
    #[serde(default)]
    open: String,
}

impl WindowForm {
    fn set(&self, account: &Account) {
        let parties = Parties::new(&self.from, &self.to, Channel::Whatsapp);
        account.set_window(parties, self.open == "yes");
    }
}

/// Ends WhatsApp's 24 hours for a customer and a line, or begins them anew: `{"from", "to", "open": "yes"}`.
async fn window(State(account): State<Arc<Account>>, Json(form): Json<WindowForm>) -> StatusCode {
    form.set(&account);
    StatusCode::NO_CONTENT
}

/// The same from the page, which is then shown again.
async fn window_form(
    State(account): State<Arc<Account>>,
    Form(form): Form<WindowForm>,
) -> Redirect {
    form.set(&account);
    let (from, to) = (normalise_number(&form.from), normalise_number(&form.to));
    back_to_page(&from, &to, Channel::Whatsapp, "")
}

/// The page of a customer and a line, with what came of what was sent.
fn back_to_page(from: &str, to: &str, channel: Channel, sent: &str) -> Redirect {
    let parameters = [
        ("from", from),
        ("to", to),
        ("channel", channel.as_str()),
        ("sent", sent),
    ];
    let target = Url::parse_with_params("http://phone.example.com/", parameters)
        .expect("a fixed address is one");
    Redirect::to(&format!("/?{}#write", target.query().unwrap_or_default()))
}

/// Sends what was written without the script, and shows the page again.
async fn send_form(State(account): State<Arc<Account>>, Form(form): Form<SendForm>) -> Response {
    let (from, to, channel) = (
        normalise_number(&form.from),
        normalise_number(&form.to),
        form.channel,
    );
    let sent = match form.message() {
        Some(message) => outcome(webhooks::say(&account, message).await.1),
        None => "incomplete",
    };
    back_to_page(&from, &to, channel, sent).into_response()
}

/// Sends as a customer: `{"from", "to", "channel", "text", "kind", "quoted"}`, the last two optional. Answers with the message's id
/// and Docket's status: `{"message_uuid", "status", "outcome"}`.
async fn inbound(State(account): State<Arc<Account>>, Json(form): Json<SendForm>) -> Response {
    let Some(message) = form.message() else {
        let problem = json!({"title": notice("incomplete"), "status": 422});
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(problem)).into_response();
    };
    let (message_uuid, answer) = webhooks::say(&account, message).await;
    let outcome = outcome(answer);
    Json(json!({"message_uuid": message_uuid, "status": answer.ok(), "outcome": outcome, "notice": notice(outcome)})).into_response()
}

#[derive(Deserialize)]
struct MessagesQuery {
    /// The customer's number.
    number: String,
    /// The line's number; all lines without it.
    line: Option<String>,
    channel: Option<Channel>,
    /// The version that is known already.
    #[serde(default)]
    after: u64,
}

/// What a customer's phone shows: `{"version", "messages": [{"id", "kind", "text", "is_mine", "line", "channel", …}]}`.
async fn messages(
    State(account): State<Arc<Account>>,
    Query(query): Query<MessagesQuery>,
) -> Json<Value> {
    let number = normalise_number(&query.number);
    let line = query.line.as_deref().map(normalise_number);
    let (version, messages) = account.all_entries_after(query.after, |parties| {
        parties.customer == number
            && line.as_ref().is_none_or(|line| *line == parties.line)
            && query
                .channel
                .is_none_or(|channel| channel == parties.channel)
    });
    Json(json!({"version": version, "messages": messages}))
}

#[derive(Deserialize)]
struct EventsQuery {
    number: String,
    line: String,
    channel: Channel,
    #[serde(default)]
    after: u64,
}

/// New and changed messages of one conversation as they come, each as an event with its version as id.
async fn events(
    State(account): State<Arc<Account>>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    struct Reader {
        account: Arc<Account>,
        parties: Parties,
        changes: tokio::sync::watch::Receiver<u64>,
        seen: u64,
        ready: VecDeque<Entry>,
    }

    let resumed = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let stopping = account.stopping.clone();
    let reader = Reader {
        parties: Parties::new(&query.number, &query.line, query.channel),
        changes: account.changes(),
        seen: resumed.unwrap_or(query.after),
        ready: VecDeque::new(),
        account,
    };
    let entries = stream::unfold(reader, async |mut reader| {
        loop {
            if let Some(entry) = reader.ready.pop_front() {
                return Some((entry, reader));
            }
            // Marked as seen before reading, so that a change in between wakes us again.
            reader.changes.mark_unchanged();
            let mut entries = reader.account.entries_after(&reader.parties, reader.seen);
            // In order of change, so that the last id sent is the highest.
            entries.sort_by_key(|entry| entry.version);
            if let Some(last) = entries.last() {
                reader.seen = last.version;
                reader.ready = entries.into();
            } else {
                reader.changes.changed().await.ok()?;
            }
        }
    });
    let events = entries.map(|entry| {
        let event = Event::default().id(entry.version.to_string());
        Ok(event.json_data(&entry).unwrap_or_default())
    });
    Sse::new(events.take_until(stopping.cancelled_owned())).keep_alive(KeepAlive::default())
}
