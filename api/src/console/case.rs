//! `/cases/{reference}`: a case's thread and details, beside the list.

use std::convert::Infallible;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::ids::{Reference, UserId};
use docket_domain::survey::StatusQuestion;
use docket_domain::text::{phone, references};
use docket_projections::read::cases::desk::{
    self, About, Colleague, MAX_COLLEAGUES, MAX_LINKS, MAX_OTHERS, Other,
};
use docket_projections::read::cases::{CaseOrigin, CaseRow, CaseState};
use docket_projections::read::surveys::SurveyRow;
use docket_projections::read::thread::ThreadItem;
use docket_projections::read::thread::page::before;
use docket_projections::settings::{LineSnapshot, Settings};

use super::answers::{self, Answers};
use super::bulk::Outcome;
use super::counter::Counter;
use super::files;
use super::inbox::{self, Shelf, Wanted as Rows};
use super::labels::{LabelsForm, Marks, SnoozeForm, TypedSnooze};
use super::outgoing;
use super::pages::{self, Choice, Draft, Frame, LinkedCase, When};
use super::place::{Place, with_query};
use super::reading::{self, Look};
use super::session::Session;
use super::thread::arrange::arrange;
use super::thread::{self, Beside, Shown};
use super::window::Window;
use super::{Console, Failed, contact_words, failure, page, presence, words};
use crate::app::App;
use crate::http::problem::{Kind, Problem};
use crate::operations::reply::TemplateChoice;
use crate::people;

/// So many items of a thread on a page.
pub(super) const MAX_ITEMS: usize = 50;

/// How a case is shown after something was refused.
#[derive(Default)]
pub(super) struct Refused {
    /// What had been written.
    pub(super) text: String,
    /// What the case was to be called.
    pub(super) title: Option<String>,
    pub(super) is_note: bool,
    /// The file that was to go with it.
    pub(super) media_id: String,
    /// The template that was to be sent.
    pub(super) template: Option<TemplateChoice>,
    /// Until when the case was to be snoozed.
    pub(super) snooze: Option<TypedSnooze>,
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
    frame.notice = match place.closed() {
        Some(closed) => words::next_after(&place.done, closed.get()).into(),
        None => words::done(&place.done).into(),
    };
    let Some(about) = desk::about(&app.pool, reference, session.user_id, (app.clock)()).await?
    else {
        return Ok(no_such_case());
    };
    if place.done == "begun-understood" {
        frame.notice = words::begun_understood(&about.row.number).into();
    }
    let part = Part::read(app, &about.row, place).await?;
    // Before the list, which shows what is still unread.
    reading::has_seen(app, session, reference, look, about.read_to, part.seen).await;
    let shelf = Shelf::read(app, session, place, Some(&about.row), Rows::Page).await?;
    let list = shelf.list(app, session, place, outcome);
    let beside = Beside::read(app, &about.others, &part.items).await?;
    let mut case = pane(app, wanted, &shelf, &about, &part, beside, refused);
    let known = files::read(app, &part.items).await?;
    files::show(&mut case.items, &known);
    let template = pages::Inbox {
        frame,
        list,
        case: Some(case),
    };
    Ok(page(status, &template))
}

/// The thread and the details.
fn pane(
    app: &App,
    wanted: &Wanted<'_>,
    shelf: &Shelf,
    about: &About,
    part: &Part,
    beside: Beside,
    refused: Refused,
) -> pages::Case {
    let &Wanted {
        session,
        place,
        look,
        ..
    } = wanted;
    let row = &about.row;
    let left_off = reading::left_off(session, look, about.read_to);
    let survey = survey_of(shelf, row);
    let shown = Shown {
        case: row,
        name: about.name.as_deref().map(String::as_str),
        question: survey.map(|survey| survey.settings.status.question.as_str()),
        place,
        now: (app.clock)(),
        may_act: session.may_act(),
        seen: refused.seen.or(left_off),
        // What a person said themselves in another window is news where it is the reason for a refusal.
        reader: refused.seen.is_none().then_some(session.user_id),
        beside,
    };
    let templates = survey.map_or(&[][..], |survey| &survey.templates);
    let draft = if refused.text.is_empty() {
        answers::draft(templates, row, shown.name, session, place)
    } else {
        refused.text
    };
    let is_refused = refused.seen.is_some();
    let case = around_thread(app, session, place, shelf, about);
    let mut items = shown.conversation(&part.items);
    arrange(&mut items, shown.now);
    pages::Case {
        items,
        version: part.seen,
        read_to: refused.seen.or(left_off),
        earlier: part
            .earlier
            .map(|before| from(place, row.reference, before)),
        later: part.is_cut.then(|| place.case(row.reference)),
        undo_status: match place.closed() {
            // The form of another case, which knows its own survey.
            Some(_) => Some(place.undo.clone()).filter(|undo| !undo.is_empty()),
            None => survey.and_then(|survey| undo_status(&survey.settings.status, place)),
        },
        undo_action: place.link(&format!(
            "/cases/{}/status",
            place.closed().unwrap_or(row.reference)
        )),
        typed_title: refused.title,
        snooze: SnoozeForm::of(row, place, refused.snooze.as_ref()),
        answers: Answers::of(templates, row, place),
        counter: case
            .counter
            .counting(if refused.is_note { "" } else { &draft }),
        draft: Draft {
            text: draft,
            is_note: refused.is_note,
            media_id: refused.media_id,
        },
        said_since: is_refused && !refused.is_closing,
        focuses_box: (is_refused && !refused.is_closing)
            || matches!(place.done.as_str(), "replied" | "noted"),
        closes_anyway: is_refused && refused.is_closing,
        refusal: refused.sentence,
        templates: outgoing::with_typed(case.templates, refused.template.as_ref()),
        ..case
    }
}

/// The case's survey.
pub(super) fn survey_of<'a>(shelf: &'a Shelf, row: &CaseRow) -> Option<&'a SurveyRow> {
    let mut surveys = shelf.settings.survey_rows().iter();
    surveys.find(|survey| survey.survey_id == row.survey_id)
}

/// The case as it is shown around its thread, with nothing in it and nothing written yet.
pub(super) fn around_thread(
    app: &App,
    session: &Session,
    place: &Place,
    shelf: &Shelf,
    about: &About,
) -> pages::Case {
    let row = &about.row;
    let reference = row.reference;
    let now = (app.clock)();
    let survey = survey_of(shelf, row);
    let question = survey.map(|survey| &survey.settings.status);
    let answered = Answered::of(about, survey, &shelf.settings);
    let is_closed = row.state == CaseState::Closed;
    let action = |what: &str| place.link(&format!("/cases/{reference}/{what}"));
    let most = |limit: i64| usize::try_from(limit).unwrap_or_default();
    let others = |others: &[Other]| -> Vec<LinkedCase> {
        let others = others.iter().take(most(MAX_OTHERS));
        others.map(|other| other_case(other, place)).collect()
    };
    pages::Case {
        reference: reference.get(),
        number: phone::shown(&row.number),
        name: about.name.as_deref().cloned(),
        channel: thread::channel(row.channel),
        survey: inbox::survey_name(shelf.settings.survey_rows(), row.survey_id),
        line: line_of(about),
        opened: When::of(row.opened_at, now),
        messages: words::messages(row.message_count),
        version: row.version,
        read_to: None,
        presence: presence::sentence(&about.present, &[]),
        unread_action: action("unread"),
        is_closed,
        is_withdrawn: row.withdrawn,
        question: question.map_or_else(String::new, |question| question.question.clone()),
        statuses: question.map_or_else(Vec::new, |question| {
            choices(&question.choices, row.status.as_deref())
        }),
        undo_status: None,
        undo_action: String::new(),
        status: row.status.clone().unwrap_or_default(),
        tone: tone(question, row),
        is_mine: sees_to(row, session.user_id),
        colleagues: colleagues(&shelf.around.colleagues, row),
        has_more_colleagues: shelf.around.colleagues.len() > most(MAX_COLLEAGUES),
        assignee: row
            .assignee
            .as_ref()
            .map(|assignee| people::shown(&assignee.email)),
        assignee_email: row
            .assignee
            .as_ref()
            .map(|assignee| assignee.email.0.clone()),
        links: linked(about, place),
        more_links: (about.links.len() > most(MAX_LINKS))
            .then(|| with_query(&format!("/cases/{reference}/history"), &[("kind", "moves")])),
        others: others(&about.others),
        more_others: (about.others.len() > most(MAX_OTHERS)).then(|| {
            let number = format!("+{}", row.number.0);
            with_query("/", &[("view", "all"), ("q", &number)])
        }),
        items: vec![],
        earlier: None,
        later: None,
        back: place.link("/"),
        write_action: action("write"),
        status_action: action("status"),
        assignee_action: action("assignee"),
        title_action: action("title"),
        typed_title: None,
        closing: question
            .filter(|_| !is_closed)
            .map(|question| question.closed_value.clone()),
        counter: answered.counter(reference),
        window: Window::of(answered.channel, answered.last_inbound_at, now),
        templates: outgoing::offers(&shelf.settings, answered.line),
        template_action: action("template"),
        appended: (answered.appends && answered.line.is_some())
            .then(|| words::appended(reference.get())),
        goes_out_from: answered.line.map_or_else(String::new, |line| {
            words::goes_out_from(&phone::shown(&line.number), thread::channel(line.channel))
        }),
        has_line: answered.line.is_some(),
        is_connected: app.vonage.client.load().is_some(),
        focuses_box: false,
        once: (app.new_id)().to_string(),
        me: session.email.clone(),
        answers: Answers::of(&[], row, place),
        draft: Draft {
            text: String::new(),
            is_note: false,
            media_id: String::new(),
        },
        marks: Marks::of(row, &shelf.settings, now),
        labels: LabelsForm::of(row, &shelf.settings, place),
        snooze: SnoozeForm::of(row, place, None),
        said_since: false,
        closes_anyway: false,
        refusal: String::new(),
        title: row.title.0.clone(),
        opt_out: opt_out(about, answered.channel),
        contact: format!("/contacts/{}", row.contact_id),
    }
}

/// That nothing can be sent, or that somebody has to decide whether it can.
fn opt_out(about: &About, channel: Channel) -> Option<pages::OptOut> {
    let is_out = about.opt_outs.opted_out.contains(&channel);
    let name = thread::channel(channel);
    let sentence = if is_out {
        contact_words::nothing_is_sent(name)
    } else if about.opt_outs.suspected.contains(&channel) {
        contact_words::may_want_to_opt_out(name)
    } else {
        return None;
    };
    Some(pages::OptOut {
        sentence,
        is_out,
        action: format!("/contacts/{}/opt-out", about.row.contact_id),
        channel: channel.as_str(),
    })
}

/// How a case's status is coloured: a case is new as long as it has the first status of its survey.
fn tone(question: Option<&StatusQuestion>, row: &CaseRow) -> &'static str {
    let first = question.and_then(|question| question.choices.first());
    match row.state {
        CaseState::Closed => "closed",
        CaseState::Open if row.status.is_none() || row.status.as_ref() == first => "new",
        CaseState::Open => "waiting",
    }
}

/// Whether that person sees to the case.
fn sees_to(row: &CaseRow, user_id: UserId) -> bool {
    let assignee = row.assignee.as_ref();
    assignee.is_some_and(|assignee| assignee.user_id == user_id)
}

/// The address of the thread before that sequence.
pub(super) fn from(place: &Place, reference: Reference, before: u64) -> String {
    let path = format!("/cases/{reference}");
    place.link_with(&path, &[("before", &before.to_string())])
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
    fn of(about: &About, survey: Option<&SurveyRow>, settings: &'a Settings) -> Self {
        let row = &about.row;
        let last_inbound = about.last_inbound;
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

    fn counter(&self, reference: Reference) -> Counter {
        let appended = if self.appends {
            references::append("", reference)
        } else {
            String::new()
        };
        Counter::of(self.channel, appended, "")
    }
}

/// What the case has to do with others, all of them of the same contact.
fn linked(about: &About, place: &Place) -> Vec<LinkedCase> {
    let limit = usize::try_from(MAX_LINKS).unwrap_or_default();
    let links = about.links.iter().take(limit).map(|link| LinkedCase {
        sentence: words::link(link.kind, link.case.reference.get()),
        ..other_case(&link.case, place)
    });
    links.collect()
}

/// Another case of the contact's.
fn other_case(other: &Other, place: &Place) -> LinkedCase {
    LinkedCase {
        href: place.case(other.reference),
        sentence: format!("#{}", other.reference),
        title: other.title.0.clone(),
        is_closed: !other.is_open,
    }
}

/// A part of a thread.
struct Part {
    items: Vec<ThreadItem>,
    /// The sequence before which the part before it ends; `None` where there is none before.
    earlier: Option<u64>,
    /// Whether there is more after it.
    is_cut: bool,
    /// The version that somebody has seen who read it.
    seen: u64,
}

impl Part {
    /// The newest items, or those before the sequence that the address names.
    async fn read(app: &App, row: &CaseRow, place: &Place) -> Result<Self, Failed> {
        let asked: Option<u64> = place.before.parse().ok();
        let asked = asked.filter(|before| *before <= row.version);
        let part = before(&app.pool, row.reference, asked, MAX_ITEMS).await?;
        let first = part.items.first().map(|item| item.place.sequence);
        Ok(Self {
            earlier: first.filter(|_| part.has_earlier),
            is_cut: asked.is_some(),
            seen: match asked {
                Some(before) => before.saturating_sub(1),
                None => row.version,
            },
            items: part.items,
        })
    }
}

/// Who can see to the case, as far as they are listed.
fn colleagues(known: &[Colleague], row: &CaseRow) -> Vec<Choice> {
    let assignee = row.assignee.as_ref().map(|assignee| &assignee.email);
    known
        .iter()
        .take(usize::try_from(MAX_COLLEAGUES).unwrap_or_default())
        .filter(|colleague| colleague.reaches)
        .map(|colleague| Choice {
            is_current: assignee == Some(&colleague.email),
            value: colleague.email.0.clone(),
            name: colleague_name(colleague, known),
        })
        .collect()
}

/// What a colleague is called in a list, with their address where another has the same name.
pub(super) fn colleague_name(colleague: &Colleague, known: &[Colleague]) -> String {
    let Some(name) = &colleague.name else {
        return colleague.email.0.clone();
    };
    let namesakes = known
        .iter()
        .filter(|other| other.name.as_ref() == Some(name));
    if namesakes.count() > 1 {
        words::name_and_address(name, &colleague.email)
    } else {
        name.0.clone()
    }
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
fn line_of(about: &About) -> String {
    about
        .line
        .as_ref()
        .map_or_else(String::new, |(number, channel, is_removed)| {
            let name = line_name(number, *channel);
            if *is_removed {
                words::removed_line(&name)
            } else {
                name
            }
        })
}

/// A line as people tell it from others.
pub(super) fn line_name(number: &str, channel: Channel) -> String {
    format!("{} ({})", phone::shown(number), thread::channel(channel))
}
