//! `/cases/{reference}`: a case's thread and details, beside the list.

use std::convert::Infallible;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::ids::{Reference, UserId};
use docket_domain::personal::Personal;
use docket_domain::survey::StatusQuestion;
use docket_domain::text::references;
use docket_domain::user::Role;
use docket_projections::read::cases::{self, CaseLink, CaseOrigin, CaseRow, CaseState};
use docket_projections::read::surveys::SurveyRow;
use docket_projections::read::thread::{Place as ThreadPlace, ThreadItem};
use docket_projections::read::{contacts, lines, surveys, thread as threads, users};
use docket_projections::settings::{LineSnapshot, Settings};

use super::answers::{self, Answers};
use super::bulk::Outcome;
use super::counter::Counter;
use super::pages::{self, Choice, Draft, Frame, LinkedCase, When};
use super::place::Place;
use super::reading::{self, Look};
use super::session::Session;
use super::thread::{self, Shown};
use super::window::Window;
use super::{Console, Failed, failure, inbox, page, presence, words};
use crate::app::App;
use crate::http::problem::{Kind, Problem};

/// At most so many items of a thread on a page.
const MAX_ITEMS: u32 = 200;
/// At least so many, where there are so many.
const MIN_ITEMS: usize = 40;
/// So many events are looked through for them at first.
const WINDOW: u64 = 100;
/// Where the reader left off is shown on the first page, unless more events than these came since.
const MAX_UNREAD: u64 = 150;
/// So many events before it are shown too.
const BEFORE_UNREAD: u64 = 10;

/// How a case is shown after something was refused.
#[derive(Default)]
pub(super) struct Refused {
    /// What had been written.
    pub(super) text: String,
    /// What the case was to be called.
    pub(super) title: Option<String>,
    pub(super) is_note: bool,
    /// The version that the person had seen, where something new is the reason.
    pub(super) seen: Option<u64>,
    /// Whether the case was to be closed.
    pub(super) is_closing: bool,
    pub(super) sentence: String,
}

/// A case.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    Query(outcome): Query<Outcome>,
    session: Session,
    headers: HeaderMap,
    Ok(look): Result<Look, Infallible>,
) -> Result<Response, Failed> {
    let Some(reference) = reference_of(&reference) else {
        return Ok(no_such_case());
    };
    let asked = Wanted {
        session: &session,
        place: &place,
        reference,
        look,
        outcome,
    };
    let answer = with(&app, &asked, StatusCode::OK, Refused::default()).await?;
    if answer.status().is_success() {
        session.looks(&app, reference, &headers).await;
    }
    Ok(answer)
}

/// A case after something was refused, with what had been written. What is wrong on our side is logged.
pub(super) async fn refused(
    app: &App,
    session: &Session,
    place: &Place,
    reference: Reference,
    problem: Problem,
    refused: Refused,
) -> Result<Response, Failed> {
    let kind = problem.kind();
    let sentence = match kind {
        Kind::SaidSince if refused.is_closing => words::NOT_CLOSED_SAID_SINCE.to_owned(),
        _ => words::refusal(&problem),
    };
    let refused = Refused {
        seen: refused.seen.filter(|_| kind == Kind::SaidSince),
        sentence,
        ..refused
    };
    let status = problem.into_response().status();
    let asked = Wanted {
        session,
        place,
        reference,
        look: Look::Opened,
        outcome: Outcome::default(),
    };
    with(app, &asked, status, refused).await
}

pub(super) fn reference_of(text: &str) -> Option<Reference> {
    text.parse().ok()
}

pub(super) fn no_such_case() -> Response {
    failure(StatusCode::NOT_FOUND, words::NO_SUCH_CASE.to_owned())
}

/// Who wants to see which case, and how.
struct Wanted<'a> {
    session: &'a Session,
    place: &'a Place,
    reference: Reference,
    look: Look,
    /// What was just done with several cases.
    outcome: Outcome,
}

async fn with(
    app: &App,
    wanted: &Wanted<'_>,
    status: StatusCode,
    refused: Refused,
) -> Result<Response, Failed> {
    let &Wanted {
        session,
        place,
        reference,
        look,
        ref outcome,
    } = wanted;
    let mut frame = Frame::of(app, session);
    frame.notice = words::done(&place.done).into();
    let Some(row) = cases::find(&app.pool, reference).await? else {
        return Ok(no_such_case());
    };
    if place.done == "begun-understood" {
        frame.notice = words::begun_understood(&row.number).into();
    }
    let surveys = surveys::all(&app.pool).await?;
    let case = pane(app, wanted, &surveys, row, refused).await?;
    // Before the list, which shows what is still unread.
    reading::has_seen(app, session, reference, look, case.version).await;
    let list = inbox::pane(app, session, place, &surveys, Some(reference), outcome).await?;
    let template = pages::Inbox {
        frame,
        list,
        case: Some(case),
    };
    Ok(page(status, &template))
}

/// What the contact of a case calls themselves.
async fn name_of(app: &App, row: &CaseRow) -> Result<Option<Personal<String>>, Failed> {
    let contact = contacts::find(&app.pool, row.contact_id).await?;
    Ok(contact.and_then(|contact| contact.name))
}

async fn pane(
    app: &App,
    wanted: &Wanted<'_>,
    surveys: &[SurveyRow],
    row: CaseRow,
    refused: Refused,
) -> Result<pages::Case, Failed> {
    let &Wanted {
        session,
        place,
        reference,
        look,
        ..
    } = wanted;
    let now = (app.clock)();
    let left_off = reading::left_off(app, session, reference, look).await?;
    let part = load(app, &row, place, left_off).await?;
    let name = name_of(app, &row).await?;
    let of_contact = cases::of_contact(&app.pool, row.contact_id).await?;
    let links = cases::links(&app.pool, reference).await?;
    let settings = app.ledger.newest_settings(&app.pool).await?;
    let survey = surveys
        .iter()
        .find(|survey| survey.survey_id == row.survey_id);
    let question = survey.map(|survey| &survey.settings.status);
    let templates = survey.map_or(&[][..], |survey| &survey.templates);
    let shown = Shown {
        case: &row,
        name: name.as_deref().map(String::as_str),
        question: question.map(|question| question.question.as_str()),
        place,
        now,
        may_act: session.may_act(),
        seen: refused.seen.or(left_off),
        // What a person said themselves in another window is news where it is the reason for a refusal.
        reader: refused.seen.is_none().then_some(session.user_id),
    };
    let items = shown.items(&part.items);
    let answered = Answered::of(&row, survey, &of_contact, &settings);
    let draft = if refused.text.is_empty() {
        answers::draft(templates, &row, shown.name, session, place)
    } else {
        refused.text
    };
    let is_closed = row.state == CaseState::Closed;
    let action = |what: &str| place.link(&format!("/cases/{reference}/{what}"));
    Ok(pages::Case {
        reference: reference.get(),
        number: inbox::plus(&row.number),
        name: name.as_deref().cloned(),
        channel: thread::channel(row.channel),
        survey: inbox::survey_name(surveys, row.survey_id),
        line: line_of(app, &settings, &row).await?,
        opened: When::of(row.opened_at, now),
        messages: words::messages(row.message_count),
        version: part.seen,
        read_to: refused.seen.or(left_off),
        presence: presence::others(app, session.user_id, reference).await?,
        unread_action: action("unread"),
        is_closed,
        is_withdrawn: row.withdrawn,
        question: question.map_or_else(String::new, |question| question.question.clone()),
        statuses: question.map_or_else(Vec::new, |question| {
            choices(&question.choices, row.status.as_deref())
        }),
        undo_status: question.and_then(|question| undo_status(question, place)),
        status: row.status.clone().unwrap_or_default(),
        is_mine: sees_to(&row, session.user_id),
        colleagues: colleagues(app, &row).await?,
        assignee: row
            .assignee
            .as_ref()
            .map(|assignee| assignee.email.0.clone()),
        links: linked(&links, &of_contact, place),
        others: others(&of_contact, reference, place),
        items,
        earlier: part.earlier.map(|after| from(place, reference, after)),
        later: part.is_cut.then(|| place.case(reference)),
        back: place.link("/"),
        write_action: action("write"),
        status_action: action("status"),
        assignee_action: action("assignee"),
        title_action: action("title"),
        typed_title: refused.title,
        closing: question
            .filter(|_| !is_closed)
            .map(|question| question.closed_value.clone()),
        counter: answered.counter(reference, if refused.is_note { "" } else { &draft }),
        window: Window::of(answered.channel, answered.last_inbound_at, now),
        appended: (answered.appends && answered.line.is_some())
            .then(|| words::appended(reference.get())),
        goes_out_from: answered.line.map_or_else(
            || words::NO_LINE.to_owned(),
            |line| words::goes_out_from(&line_name(&line.number, line.channel)),
        ),
        once: (app.new_id)().to_string(),
        me: session.email.clone(),
        answers: Answers::of(templates, &row, place),
        draft: Draft {
            text: draft,
            is_note: refused.is_note,
        },
        said_since: refused.seen.is_some() && !refused.is_closing,
        refusal: refused.sentence,
        title: row.title.0,
    })
}

/// Whether that person sees to the case.
fn sees_to(row: &CaseRow, user_id: UserId) -> bool {
    let assignee = row.assignee.as_ref();
    assignee.is_some_and(|assignee| assignee.user_id == user_id)
}

/// The address of the thread from that sequence on.
fn from(place: &Place, reference: Reference, after: u64) -> String {
    let path = format!("/cases/{reference}");
    place.link_with(&path, &[("after", &after.to_string())])
}

/// The status to which a change that was just made can be undone.
fn undo_status(question: &StatusQuestion, place: &Place) -> Option<String> {
    let known = question.choices.contains(&place.undo);
    (known && !place.undo.is_empty()).then(|| place.undo.clone())
}

/// How an answer to the case's contact goes out.
struct Answered<'a> {
    /// The line that it goes out from; `None` where that one was removed.
    line: Option<&'a LineSnapshot>,
    channel: Channel,
    /// When they last wrote; `None` where they never did.
    last_inbound_at: Option<DateTime<Utc>>,
    /// Whether the reference is added.
    appends: bool,
}

impl<'a> Answered<'a> {
    fn of(
        row: &CaseRow,
        survey: Option<&SurveyRow>,
        of_contact: &[CaseRow],
        settings: &'a Settings,
    ) -> Self {
        let last_inbound = of_contact
            .iter()
            .filter_map(|case| case.last_inbound)
            .max_by_key(|(at, _)| *at);
        let line_id = last_inbound.map_or(row.line_id, |(_, line_id)| line_id);
        let line = settings.line_to_answer_from(row.survey_id, line_id, row.channel);
        Self {
            line,
            channel: line.map_or(row.channel, |line| line.channel),
            last_inbound_at: last_inbound.map(|(at, _)| at),
            appends: row.origin != CaseOrigin::Record
                && survey.is_some_and(|survey| {
                    survey.settings.append_reference && survey.settings.cases_enabled
                }),
        }
    }

    fn counter(&self, reference: Reference, text: &str) -> Counter {
        let appended = if self.appends {
            references::append("", reference)
        } else {
            String::new()
        };
        Counter::of(self.channel, appended, text)
    }
}

/// What the case has to do with others, all of them of the same contact.
fn linked(links: &[CaseLink], of_contact: &[CaseRow], place: &Place) -> Vec<LinkedCase> {
    let links = links.iter().map(|link| {
        let other = of_contact
            .iter()
            .find(|other| other.reference == link.other);
        LinkedCase {
            href: place.case(link.other),
            sentence: words::link(link.kind, link.other.get()),
            title: other.map_or_else(String::new, |other| other.title.0.clone()),
            is_closed: other.is_some_and(|other| other.state == CaseState::Closed),
        }
    });
    links.collect()
}

/// The contact's other cases.
fn others(of_contact: &[CaseRow], reference: Reference, place: &Place) -> Vec<LinkedCase> {
    let others = of_contact
        .iter()
        .filter(|other| other.reference != reference)
        .map(|other| LinkedCase {
            href: place.case(other.reference),
            sentence: format!("#{}", other.reference),
            title: other.title.0.clone(),
            is_closed: other.state == CaseState::Closed,
        });
    others.collect()
}

/// A part of a thread.
struct Part {
    items: Vec<ThreadItem>,
    /// The sequence after which the part before it begins; `None` where there is none before.
    earlier: Option<u64>,
    /// Whether there is more after it.
    is_cut: bool,
    /// The version that somebody has seen who read it.
    seen: u64,
}

/// The newest items, or those after the sequence that the address names.
async fn load(
    app: &App,
    row: &CaseRow,
    place: &Place,
    left_off: Option<u64>,
) -> Result<Part, Failed> {
    let asked: Option<u64> = place.after.parse().ok();
    let newest = row.version.saturating_sub(WINDOW);
    let unread = left_off
        .filter(|read_to| row.version.saturating_sub(*read_to) <= MAX_UNREAD)
        .map_or(newest, |read_to| read_to.saturating_sub(BEFORE_UNREAD));
    let mut after = asked.unwrap_or_else(|| newest.min(unread)).min(row.version);
    let mut window = WINDOW;
    loop {
        // Everything that the event of that sequence gave stands before.
        let from = ThreadPlace {
            sequence: after,
            part: u8::MAX,
        };
        let mut items = threads::page(&app.pool, row.reference, Some(from), MAX_ITEMS + 1).await?;
        let is_cut = items.len() > MAX_ITEMS as usize;
        items.truncate(MAX_ITEMS as usize);
        // Deliveries are events without an item, so that many events can give few items.
        if after == 0 || items.len() >= MIN_ITEMS || asked.is_some() {
            let seen = match items.last() {
                Some(last) if is_cut => last.place.sequence,
                _ => row.version,
            };
            let earlier = (after > 0).then(|| after.saturating_sub(WINDOW));
            return Ok(Part {
                items,
                earlier,
                is_cut,
                seen,
            });
        }
        window *= 2;
        after = after.saturating_sub(window);
    }
}

/// Who can see to the case.
async fn colleagues(app: &App, row: &CaseRow) -> Result<Vec<Choice>, Failed> {
    let users = users::all(&app.pool).await?;
    let choices = users
        .into_iter()
        .filter(|user| user.role != Role::Auditor && user.reach().reaches(row.survey_id))
        .map(|user| Choice {
            is_current: row
                .assignee
                .as_ref()
                .is_some_and(|assignee| assignee.user_id == user.user_id),
            value: user.email.0.clone(),
            name: user.email.0,
        });
    Ok(choices.collect())
}

fn choices(all: &[String], current: Option<&str>) -> Vec<Choice> {
    all.iter()
        .map(|choice| Choice {
            name: choice.clone(),
            value: choice.clone(),
            is_current: current == Some(choice),
        })
        .collect()
}

/// The line that a case began on.
async fn line_of(app: &App, settings: &Settings, row: &CaseRow) -> Result<String, Failed> {
    if let Some(line) = settings.line(row.line_id) {
        return Ok(line_name(&line.number, line.channel));
    }
    let line = lines::find(&app.pool, row.line_id).await?;
    Ok(line.map_or_else(String::new, |line| {
        let name = line_name(&line.number, line.channel);
        if line.removed {
            words::removed_line(&name)
        } else {
            name
        }
    }))
}

/// A line as people tell it from others.
pub(super) fn line_name(number: &str, channel: Channel) -> String {
    format!("{} ({})", inbox::plus(number), thread::channel(channel))
}
