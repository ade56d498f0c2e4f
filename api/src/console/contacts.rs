//! `/contacts`: people, what they are called, and whether anything may be sent to them.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use docket_domain::channel::Channel;
use docket_domain::ids::ContactId;
use docket_domain::people::export::{Listing, Via};
use docket_domain::personal::Personal;
use docket_domain::text::phone;
use docket_projections::read::cases::{self, CaseFilter, NumberFilter};
use docket_projections::read::contacts::{self, ContactRow, Cursor, ListFilter};
use serde::Deserialize;

use super::act::submit;
use super::pages::{Frame, When};
use super::place::with_query;
use super::session::{Posted, Session};
use super::{Console, Failed, contact_words, failure, go, inbox, page, thread, words};
use crate::app::App;
use crate::http::problem::Problem;
use crate::operations::contact::{ChangeContact, SetOptOut};

/// So many contacts on a page.
const LIMIT: u32 = 50;
/// So many cases on a contact's page; the others are found by the number.
const MAX_CASES: u32 = 50;

/// What everybody who is signed in may see.
pub(super) fn own() -> Router<Console> {
    Router::new()
        .route("/contacts", get(list))
        .route("/contacts/{contact_id}", get(show))
}

/// What agents and owners do.
pub(super) fn acting() -> Router<Console> {
    Router::new()
        .route("/contacts/{contact_id}", post(change))
        .route("/contacts/{contact_id}/opt-out", post(set_opt_out))
}

/// What the address of the list says beside its path.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asking {
    q: String,
    after: String,
}

/// A contact in the list.
struct Entry {
    href: String,
    name: Option<String>,
    number: String,
    survey: String,
    channels: String,
    opted_out: Vec<String>,
    suspected: bool,
}

#[derive(Template)]
#[template(path = "console/contacts/list.html")]
struct List {
    frame: Frame,
    q: String,
    entries: Vec<Entry>,
    next: Option<String>,
    is_later: bool,
}

fn channels(channels: &[Channel]) -> Vec<String> {
    let names = channels.iter().map(|channel| thread::channel(*channel));
    names.map(str::to_owned).collect()
}

async fn list(
    State(Console { app, .. }): State<Console>,
    Query(asking): Query<Asking>,
    session: Session,
) -> Result<Response, Failed> {
    let frame = Frame::of(&app, &session);
    let filter = ListFilter {
        surveys: session.access.narrow(None),
        q: (!asking.q.is_empty()).then(|| Personal(asking.q.clone())),
    };
    let how = Listing::of_contacts(filter.q.is_some());
    app.audit.listed(&session.asked(), Via::Console, how);
    let cursor: Option<Cursor> = asking.after.parse().ok();
    let mut rows = contacts::list(&app.pool, &filter, cursor, LIMIT + 1).await?;
    let has_more = rows.len() > LIMIT as usize;
    rows.truncate(LIMIT as usize);
    let next = rows.last().filter(|_| has_more).map(|last| {
        let after = Cursor::at(last).to_string();
        with_query("/contacts", &[("q", &asking.q), ("after", &after)])
    });
    let ids: Vec<ContactId> = rows.iter().map(|row| row.contact_id).collect();
    let known = contacts::channels_of(&app.pool, &ids).await?;
    let settings = app.ledger.settings();
    let entries = rows.into_iter().map(|row| Entry {
        href: format!("/contacts/{}", row.contact_id),
        name: row.name.map(|name| name.0),
        number: inbox::plus(&row.number),
        survey: inbox::survey_name(settings.survey_rows(), row.survey_id),
        channels: channels(known.get(&row.contact_id).map_or(&[][..], Vec::as_slice)).join(", "),
        opted_out: channels(&row.details.opted_out),
        suspected: !row.details.suspected.is_empty(),
    });
    let template = List {
        frame,
        entries: entries.collect(),
        q: asking.q,
        next,
        is_later: cursor.is_some(),
    };
    Ok(page(StatusCode::OK, &template))
}

/// A case of the person.
struct CaseEntry {
    reference: u32,
    title: String,
    status: String,
    survey: String,
    is_closed: bool,
    when: When,
}

/// How a channel stands.
struct ChannelEntry {
    value: &'static str,
    name: &'static str,
    is_out: bool,
    is_suspected: bool,
    /// What had been typed as the reason, where the form was refused.
    reason: String,
}

/// What had been typed in a form that was refused.
#[derive(Default)]
struct Typed {
    name: Option<String>,
    note: Option<String>,
    channel: String,
    reason: String,
    refusal: String,
}

#[derive(Template)]
#[template(path = "console/contacts/contact.html")]
struct Page {
    frame: Frame,
    action: String,
    /// What it is called, or its number.
    heading: String,
    number: String,
    survey: String,
    /// What the person calls themselves, where that is not what people call them.
    profile_name: Option<String>,
    name: String,
    note: String,
    channels: Vec<ChannelEntry>,
    cases: Vec<CaseEntry>,
    more_cases: Option<String>,
    new_case: String,
    once: String,
    refusal: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Done {
    done: String,
}

async fn show(
    State(Console { app, .. }): State<Console>,
    Path(contact_id): Path<String>,
    Query(done): Query<Done>,
    session: Session,
) -> Result<Response, Failed> {
    let Ok(contact_id) = contact_id.parse() else {
        return Ok(no_such_contact());
    };
    let notice = contact_words::done(&done.done);
    with(
        &app,
        &session,
        contact_id,
        StatusCode::OK,
        notice,
        Typed::default(),
    )
    .await
}

fn no_such_contact() -> Response {
    failure(
        StatusCode::NOT_FOUND,
        contact_words::NO_SUCH_CONTACT.to_owned(),
    )
}

async fn with(
    app: &App,
    session: &Session,
    contact_id: ContactId,
    status: StatusCode,
    notice: &'static str,
    typed: Typed,
) -> Result<Response, Failed> {
    let mut frame = Frame::of(app, session);
    frame.notice = notice.into();
    let row = contacts::find(&app.pool, contact_id).await?;
    let Some(row) = row.filter(|row| session.access.reaches(row.survey_id)) else {
        return Ok(no_such_contact());
    };
    let filter = CaseFilter {
        number: Some(NumberFilter::Exact(row.number.clone())),
        surveys: session.access.narrow(None),
        ..CaseFilter::default()
    };
    let mut found = cases::list(&app.pool, &filter, None, MAX_CASES + 1).await?;
    let has_more = found.len() > MAX_CASES as usize;
    found.truncate(MAX_CASES as usize);
    let known = contacts::channels_of(&app.pool, &[contact_id]).await?;
    let known = known.get(&contact_id).map_or(&[][..], Vec::as_slice);
    let settings = app.ledger.settings();
    let survey = |id| inbox::survey_name(settings.survey_rows(), id);
    let now = (app.clock)();
    let cases = found.into_iter().map(|case| CaseEntry {
        reference: case.reference.get(),
        title: case.title.0,
        status: case.status.unwrap_or_default(),
        survey: survey(case.survey_id),
        is_closed: case.state == cases::CaseState::Closed,
        when: When::of(case.last_message_at, now),
    });
    let number = inbox::plus(&row.number);
    let template = Page {
        frame,
        action: format!("/contacts/{contact_id}"),
        heading: heading(&row),
        survey: survey(row.survey_id),
        channels: channel_entries(&row, known, &typed),
        profile_name: row
            .profile_name
            .filter(|profile| Some(profile) != row.name.as_ref())
            .map(|profile| profile.0),
        name: typed
            .name
            .unwrap_or_else(|| row.details.name.map_or_else(String::new, |name| name.0)),
        note: typed
            .note
            .unwrap_or_else(|| row.details.note.map_or_else(String::new, |note| note.0)),
        cases: cases.collect(),
        more_cases: has_more.then(|| with_query("/", &[("view", "all"), ("q", &number)])),
        new_case: with_query("/cases/new", &[("number", &number)]),
        number,
        once: (app.new_id)().to_string(),
        refusal: typed.refusal,
    };
    Ok(page(status, &template))
}

fn heading(row: &ContactRow) -> String {
    match &row.name {
        Some(name) => name.0.clone(),
        None => phone::shown(&row.number),
    }
}

/// The channels on which the contact is known, or opted out.
fn channel_entries(row: &ContactRow, known: &[Channel], typed: &Typed) -> Vec<ChannelEntry> {
    let details = &row.details;
    let entries = [Channel::Sms, Channel::Whatsapp].into_iter();
    entries
        .filter(|channel| {
            known.contains(channel)
                || details.opted_out.contains(channel)
                || details.suspected.contains(channel)
        })
        .map(|channel| ChannelEntry {
            value: channel.as_str(),
            name: thread::channel(channel),
            is_out: details.opted_out.contains(&channel),
            is_suspected: details.suspected.contains(&channel),
            reason: if typed.channel == channel.as_str() {
                typed.reason.clone()
            } else {
                String::new()
            },
        })
        .collect()
}

async fn change(
    State(Console { app, .. }): State<Console>,
    Path(contact_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Ok(contact_id) = contact_id.parse() else {
        return Ok(no_such_contact());
    };
    let (name, note) = (posted.field("name"), posted.field("note"));
    let operation = ChangeContact {
        contact_id,
        name: Some(name.to_owned()),
        note: Some(note.to_owned()),
        asked: posted.asked(&session),
    };
    match submit(&app, operation).await {
        Ok(_) => Ok(go(&format!("/contacts/{contact_id}?done=changed"))),
        Err(problem) => {
            let typed = Typed {
                name: Some(name.to_owned()),
                note: Some(note.to_owned()),
                ..Typed::default()
            };
            refused(&app, &session, contact_id, problem, typed).await
        }
    }
}

async fn set_opt_out(
    State(Console { app, .. }): State<Console>,
    Path(contact_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Ok(contact_id) = contact_id.parse::<ContactId>() else {
        return Ok(no_such_contact());
    };
    let typed = Typed {
        channel: posted.field("channel").to_owned(),
        reason: posted.field("reason").to_owned(),
        ..Typed::default()
    };
    let opted_out = posted.field("opted_out") == "yes";
    let done = if opted_out { "opted-out" } else { "opted-in" };
    let channel = [Channel::Sms, Channel::Whatsapp]
        .into_iter()
        .find(|channel| channel.as_str() == typed.channel);
    let result = match channel {
        Some(channel) => {
            let operation = SetOptOut {
                contact_id,
                channel,
                opted_out,
                reason: Some(typed.reason.clone()),
                asked: posted.asked(&session),
            };
            submit(&app, operation).await
        }
        None => Err(Problem::invalid(contact_words::NO_SUCH_CHANNEL)),
    };
    match result {
        // Back to the case where the form stood.
        Ok(_) => Ok(match posted.field("case").parse::<u32>() {
            Ok(case) => go(&format!("/cases/{case}?done={done}")),
            Err(_) => go(&format!("/contacts/{contact_id}?done={done}")),
        }),
        Err(problem) => refused(&app, &session, contact_id, problem, typed).await,
    }
}

async fn refused(
    app: &App,
    session: &Session,
    contact_id: ContactId,
    problem: Problem,
    typed: Typed,
) -> Result<Response, Failed> {
    let typed = Typed {
        refusal: words::refusal(&problem),
        ..typed
    };
    let status = problem.into_response().status();
    with(app, session, contact_id, status, "", typed).await
}
