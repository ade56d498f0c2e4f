//! `/`: the list of cases.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::ids::Reference;
use docket_domain::people::export::{Listing, Via};
use docket_domain::text::phone;
use docket_domain::text::references;
use docket_domain::user::name;
use docket_projections::read::cases::counts::{Counts, counts};
use docket_projections::read::cases::desk::{self, Around, Asked};
use docket_projections::read::cases::hits::{self, Found};
use docket_projections::read::cases::preview::{self, MAX_CHARS, MAX_UNREAD, Preview};
use docket_projections::read::cases::{self, CaseFilter, CaseRow, CaseState, Cursor, waiting};
use docket_projections::read::mentions::{self, Mention};
use docket_projections::read::surveys::SurveyRow;
use docket_projections::saved_views;
use docket_projections::settings::Settings;

use super::bulk::{Bulk, Outcome};
use super::labels::{self, Marks};
use super::list::{CaseEntry, Filters, List, Nothing, Unkept, ViewLink, colour, initials, waited};
use super::marking::{Hit, Sought};
use super::pages::{self, Choice, Frame, When};
use super::place::{Place, View};
use super::saved::SavedEntry;
use super::session::Session;
use super::{Console, Failed, contact_words, first_steps, go, list_words, page, thread, words};
use crate::app::App;
use crate::people;
use crate::reach;

/// So many cases on a page.
pub(super) const LIMIT: u32 = 25;
/// At most so many cases of a view are counted, and one more.
const MAX_COUNT: u32 = 99;
/// At most so many answers to status questions are offered as a filter.
const MAX_STATUSES: usize = 50;

/// So many cases in which notes mention the person are listed.
const MAX_MENTIONS: i64 = 100;

/// The list alone. A reference that was searched for leads to its case, whatever the view.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    Query(place): Query<Place>,
    Query(outcome): Query<Outcome>,
    session: Session,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    if let Some(reference) = reference_in(&place.q())
        && reach::is_visible(&app.pool, &session.access, reference).await?
        && cases::find(&app.pool, reference).await?.is_some()
    {
        return Ok(go(&place.unfiltered().case(reference)));
    }
    let first_steps = first_steps::card(&app, &headers);
    let template = alone(&app, &session, &place, &outcome).await?;
    let list = List {
        first_steps,
        ..template.list
    };
    Ok(page(StatusCode::OK, &pages::Inbox { list, ..template }))
}

/// The list alone, after a view was not kept.
pub(super) async fn refused(
    app: &App,
    session: &Session,
    place: &Place,
    unkept: Unkept,
) -> Result<Response, Failed> {
    let template = alone(app, session, place, &Outcome::default()).await?;
    let list = List {
        unkept: Some(unkept),
        ..template.list
    };
    let template = pages::Inbox { list, ..template };
    Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &template))
}

async fn alone(
    app: &App,
    session: &Session,
    place: &Place,
    outcome: &Outcome,
) -> Result<pages::Inbox, Failed> {
    let mut frame = Frame::of(app, session);
    frame.notice = words::done(&place.done).into();
    let shelf = Shelf::read(app, session, place, None, Wanted::Page).await?;
    let how = Listing::of(!place.q().is_empty());
    app.audit.listed(&session.asked(), Via::Console, how);
    Ok(pages::Inbox {
        frame,
        list: List {
            nothing: shelf.nothing(app, session, place).await?,
            ..shelf.list(app, session, place, outcome)
        },
        case: None,
    })
}

/// The reference that a search consists of, with its sign; digits alone can be part of a number too.
fn reference_in(q: &str) -> Option<Reference> {
    let is_number = q.trim_start().starts_with(|c: char| c.is_numeric());
    references::typed(q).filter(|_| !is_number)
}

/// Which rows of a list are wanted.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// A page of it.
    Page,
    /// Those of these cases that stand on it, however many.
    Among(&'a [Reference]),
}

/// What is read for a list of cases and for what stands around it.
pub(super) struct Shelf {
    rows: Vec<CaseRow>,
    /// Where notes mention the person, where the list is of these cases.
    mentions: Vec<Mention>,
    previews: HashMap<Reference, Preview>,
    /// What a search found in the threads of the rows.
    hits: HashMap<Reference, Found>,
    counts: Counts,
    saved: Vec<saved_views::SavedView>,
    /// Where the next page begins.
    next: Option<Cursor>,
    pub(super) around: Around,
    pub(super) settings: Arc<Settings>,
    open: Option<Reference>,
}

impl Shelf {
    /// Reads it, with the case that is open beside it.
    pub(super) async fn read(
        app: &App,
        session: &Session,
        place: &Place,
        open: Option<&CaseRow>,
        wanted: Wanted<'_>,
    ) -> Result<Self, Failed> {
        let mentions = mentions_of(app, session, place).await?;
        let (rows, next) = rows(app, session, place, &mentions, wanted).await?;
        let asked = Asked {
            user_id: session.user_id,
            rows: &rows,
            survey_id: open.map(|row| row.survey_id),
        };
        let around = desk::around(&app.pool, &asked).await?;
        let reader = session.may_act().then_some(session.user_id);
        let references: Vec<Reference> = rows.iter().map(|row| row.reference).collect();
        let previews = preview::of_cases(&app.pool, &references, reader).await?;
        let hits = hits::of_cases(&app.pool, &rows, &place.q()).await?;
        let surveys = session.access.surveys();
        let counts = counts(
            &app.pool,
            session.user_id,
            surveys.as_deref(),
            MAX_COUNT + 1,
        )
        .await?;
        let saved = if session.may_act() && matches!(wanted, Wanted::Page) {
            saved_views::of_user(&app.pool, session.user_id).await?
        } else {
            vec![]
        };
        let settings = app
            .ledger
            .settings_since(&app.pool, around.settings_position)
            .await?;
        Ok(Self {
            rows,
            mentions,
            previews,
            hits,
            counts,
            saved,
            next,
            around,
            settings,
            open: open.map(|row| row.reference),
        })
    }

    /// The list pane.
    pub(super) fn list(
        &self,
        app: &App,
        session: &Session,
        place: &Place,
        outcome: &Outcome,
    ) -> List {
        List {
            views: self.views(session, place),
            filters: self.filters(session, place),
            view: place.view().as_str(),
            q: place.q(),
            heading: words::view(place.view()),
            entries: self.entries(app, session, place),
            nothing: None,
            saved: self.saved(session, place),
            unkept: None,
            first_steps: None,
            query: if session.may_act() && place.is_filtered() {
                place.query()
            } else {
                String::new()
            },
            bulk: Bulk::of(
                app,
                session,
                place,
                self.open,
                &self.around.colleagues,
                self.next.is_some() || place.cursor().is_some(),
            ),
            notice: outcome.sentence(),
            undo: outcome.undoable(),
            older: self.next.map(|last| place.list_from(Some(last))),
            newest: place.cursor().map(|_| place.list_from(None)),
        }
    }

    /// What is said where the list is empty, and where there would be something.
    pub(super) async fn nothing(
        &self,
        app: &App,
        session: &Session,
        place: &Place,
    ) -> Result<Option<Nothing>, Failed> {
        if !self.rows.is_empty() {
            return Ok(None);
        }
        let view = place.view();
        if session.may_set_up() && self.settings.lines().next().is_none() {
            return Ok(Some(Nothing {
                sentence: list_words::NO_LINE.to_owned(),
                joint: " ",
                links: vec![("/setup".to_owned(), list_words::SETUP_LINK.to_owned())],
            }));
        }
        if place.q().is_empty() && !place.is_filtered() {
            let link = match view {
                View::Mine | View::Unread => list_words::see_unassigned(&self.counts)
                    .map(|words| (place.list(View::Unassigned), words)),
                _ => None,
            };
            return Ok(Some(Nothing {
                sentence: list_words::nothing_in(view).to_owned(),
                joint: " ",
                links: link.into_iter().collect(),
            }));
        }
        let links = elsewhere(app, session, place).await?;
        Ok(Some(Nothing {
            sentence: if links.is_empty() {
                list_words::nothing_found(&place.q(), words::view(view))
            } else {
                list_words::nothing_here(words::view(view))
            },
            joint: ", ",
            links,
        }))
    }

    fn saved(&self, session: &Session, place: &Place) -> Vec<SavedEntry> {
        let views = self.saved.iter();
        views
            .map(|view| SavedEntry::of(view, session, place))
            .collect()
    }

    /// The views, with how many cases each has.
    pub(super) fn views(&self, session: &Session, place: &Place) -> Vec<ViewLink> {
        let counts = &self.counts;
        let may_act = session.may_act();
        let shown = View::ALL.into_iter().filter(|view| {
            // Nothing waits for who only looks.
            may_act || !matches!(view, View::Unread | View::Mine | View::Mentions)
        });
        let mut views: Vec<ViewLink> = shown
            .map(|view| ViewLink {
                name: words::view(view).to_owned(),
                href: place.list(view),
                is_current: view == place.view(),
                count: list_words::up_to_99(match view {
                    View::Open => counts.open,
                    View::Unread => counts.unread,
                    View::Mine => counts.mine,
                    View::Unassigned => counts.unassigned,
                    View::Waiting => counts.waiting,
                    View::Mentions => counts.mentions,
                    View::Failed => counts.failed,
                    View::Snoozed => counts.snoozed,
                    View::Closed => counts.closed,
                    View::All => counts.all,
                }),
                is_alarming: view == View::Failed && counts.failed > 0,
            })
            .collect();
        if session.oversees() {
            // After the failed ones, before the three views of what waits for nobody.
            views.insert(
                views.len().saturating_sub(3),
                ViewLink {
                    name: words::UNROUTED.to_owned(),
                    href: "/unrouted".to_owned(),
                    is_current: false,
                    count: list_words::up_to_99(counts.unrouted),
                    is_alarming: counts.unrouted > 0,
                },
            );
        }
        views
    }

    fn filters(&self, session: &Session, place: &Place) -> Filters {
        let surveys = self.settings.survey_rows().iter();
        let reached: Vec<&SurveyRow> = surveys
            .filter(|survey| session.access.reaches(survey.survey_id))
            .collect();
        let [since, until] = place.days();
        let day =
            |day: Option<chrono::NaiveDate>| day.map_or_else(String::new, |day| day.to_string());
        let assignee = place.assignee();
        let line = place.line().map_or_else(String::new, |id| id.to_string());
        let choice = |name: String, value: String, current: &str| Choice {
            is_current: value == current,
            name,
            value,
        };
        let fixed = [
            (list_words::FILTER_ME, "me"),
            (list_words::FILTER_UNASSIGNED, "none"),
        ];
        let people = fixed
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .chain(
                self.around
                    .colleagues
                    .iter()
                    .map(|colleague| (colleague.email.0.clone(), colleague.user_id.to_string())),
            );
        let lines = self
            .settings
            .lines()
            .filter(|line| session.access.reaches(line.survey_id));
        let channel = place.channel().map_or("", Channel::as_str);
        let channels = [Channel::Sms, Channel::Whatsapp].into_iter();
        Filters {
            surveys: reached
                .iter()
                .map(|survey| Choice {
                    name: survey.settings.name.clone(),
                    value: survey.survey_id.to_string(),
                    is_current: place.survey() == Some(survey.survey_id),
                })
                .collect(),
            statuses: statuses(&reached, place),
            people: people
                .map(|(name, value)| choice(name, value, &assignee))
                .collect(),
            lines: lines
                .map(|of| {
                    let name = format!("{} ({})", plus(&of.number), thread::channel(of.channel));
                    choice(name, of.line_id.to_string(), &line)
                })
                .collect(),
            channels: channels
                .map(|of| {
                    choice(
                        thread::channel(of).to_owned(),
                        of.as_str().to_owned(),
                        channel,
                    )
                })
                .collect(),
            labels: labels::choices(self.settings.labels(), place),
            since: day(since),
            until: day(until),
            by_waiting: place.sorts_by_waiting() || place.view() == View::Waiting,
            is_of_one: matches!(place.view(), View::Mine | View::Unassigned),
            set: place.set_filters(),
            none: place.unfiltered().list(place.view()),
        }
    }

    /// The rows, at most a page of them.
    pub(super) fn entries(&self, app: &App, session: &Session, place: &Place) -> Vec<CaseEntry> {
        let now = (app.clock)();
        let sought = Sought::of(&place.q());
        let rows = self.rows.iter().take(LIMIT as usize);
        rows.map(|row| self.entry(row, session, place, &sought, now))
            .collect()
    }

    fn entry(
        &self,
        row: &CaseRow,
        session: &Session,
        place: &Place,
        sought: &Sought,
        now: DateTime<Utc>,
    ) -> CaseEntry {
        let preview = self
            .previews
            .get(&row.reference)
            .cloned()
            .unwrap_or_default();
        let is_mentioned =
            |mention: &Mention| mention.is_unread && mention.reference == row.reference;
        let is_mentioned = self.mentions.iter().any(is_mentioned);
        let is_unread = session.may_act() && (preview.unread > 0 || is_mentioned);
        let name = self
            .around
            .names
            .get(&row.contact_id)
            .map(|name| name.0.clone());
        let is_by_waiting = place.is_by_waiting();
        let waits = preview.waiting_since;
        let order = match waits {
            Some(since) if is_by_waiting => -since.timestamp_micros(),
            _ => row.last_message_at.timestamp_micros(),
        };
        let surveys = self.settings.survey_rows();
        let last = preview.last_message.as_ref();
        let (lead, line) = self.line(row, &preview, sought);
        CaseEntry {
            href: if is_unread {
                // Where the reader left off, if they have read it at all.
                format!("{}#new", place.case(row.reference))
            } else {
                place.case(row.reference)
            },
            initials: name.as_deref().map_or_else(String::new, initials),
            colour: colour(&row.number),
            name: name.map(|name| sought.mark(&name)),
            opt_out: match self.around.opt_outs.get(&row.contact_id) {
                Some(outs) if !outs.opted_out.is_empty() => contact_words::OPTED_OUT,
                Some(_) => contact_words::MAY_OPT_OUT,
                None => "",
            },
            reference: row.reference.get(),
            order,
            version: row.version,
            title: sought.mark(&row.title),
            number: sought.mark_number(&plus(&row.number)),
            channel: thread::channel(row.channel),
            channel_icon: thread::channel_icon(row.channel),
            survey: if surveys.len() > 1 {
                survey_name(surveys, row.survey_id)
            } else {
                String::new()
            },
            status: row.status.clone().unwrap_or_default(),
            tone: self.tone(row),
            last: line,
            lead,
            unread: if !is_unread {
                String::new()
            } else if preview.unread == 0 {
                words::MENTIONED.to_owned()
            } else if preview.unread >= MAX_UNREAD {
                format!("{}+", MAX_UNREAD - 1)
            } else {
                preview.unread.to_string()
            },
            waits: waits.map_or_else(String::new, |since| waited((now - since).num_seconds())),
            has_failed: preview.last_reply_failed,
            assignee_initials: row.assignee.as_ref().map_or_else(String::new, |assignee| {
                name::initials(&people::shown(&assignee.email))
            }),
            assignee: row
                .assignee
                .as_ref()
                .map(|assignee| people::shown(&assignee.email)),
            when: When::of(last.map_or(row.last_message_at, |last| last.at), now),
            marks: Marks::of(row, &self.settings, now),
            is_current: Some(row.reference) == self.open,
        }
    }

    /// What the row shows of the thread, and what stands before that: the last message, or the item in which the words stand that
    /// were searched for.
    fn line(&self, row: &CaseRow, preview: &Preview, sought: &Sought) -> (&'static str, Vec<Hit>) {
        let lead = |is_ours| if is_ours { list_words::YOU } else { "" };
        let last = preview.last_message.as_ref();
        let last = last.map(|last| {
            let excerpt = sought.excerpt(&last.text, MAX_CHARS);
            let line = excerpt.as_deref().unwrap_or(&last.text);
            (lead(last.is_ours), sought.mark(line))
        });
        let shows_hit = |hits: &[Hit]| hits.iter().any(|hit| hit.is_hit);
        if let Some(found) = self.hits.get(&row.reference)
            && !last.as_ref().is_some_and(|(_, hits)| shows_hit(hits))
        {
            let mut texts = found.texts.iter();
            if let Some(excerpt) = texts.find_map(|text| sought.excerpt(text, MAX_CHARS)) {
                let lead = if found.is_note {
                    list_words::NOTE_LEAD
                } else {
                    lead(found.is_ours)
                };
                return (lead, sought.mark(&excerpt));
            }
        }
        last.unwrap_or_default()
    }

    /// How the case's status is coloured.
    fn tone(&self, row: &CaseRow) -> &'static str {
        if row.state == CaseState::Closed {
            return "closed";
        }
        let question = self.settings.status_question(row.survey_id);
        let first = question.and_then(|question| question.choices.first());
        if first == row.status.as_ref() {
            "new"
        } else {
            "going"
        }
    }
}

/// Where notes mention the person, where the list is of these cases.
async fn mentions_of(app: &App, session: &Session, place: &Place) -> Result<Vec<Mention>, Failed> {
    if place.view() != View::Mentions {
        return Ok(vec![]);
    }
    let surveys = session.access.narrow(None);
    let found = mentions::of(&app.pool, session.user_id, surveys.as_deref(), MAX_MENTIONS);
    Ok(found.await?)
}

/// The cases of the list that notes mention the person in, from that place on.
async fn mentioned(
    app: &App,
    filter: &CaseFilter,
    cursor: Option<Cursor>,
    mentions: &[Mention],
) -> Result<Vec<CaseRow>, Failed> {
    let references: Vec<_> = mentions.iter().map(|mention| mention.reference).collect();
    Ok(desk::among(&app.pool, filter, cursor, &references).await?)
}

/// The rows of a list, and where its next page begins.
async fn rows(
    app: &App,
    session: &Session,
    place: &Place,
    mentions: &[Mention],
    wanted: Wanted<'_>,
) -> Result<(Vec<CaseRow>, Option<Cursor>), Failed> {
    let filter = place.filter(session);
    let cursor = place.cursor();
    let limit = LIMIT as usize;
    let is_of_mentions = place.view() == View::Mentions;
    Ok(match wanted {
        Wanted::Page if place.is_by_waiting() && !is_of_mentions => {
            let found = waiting::list(&app.pool, &filter, cursor, LIMIT + 1).await?;
            let last = found.get(limit - 1).filter(|_| found.len() > limit);
            let next = last.map(|(row, since)| waiting::cursor(row, *since));
            (
                found.into_iter().map(|(row, _)| row).take(limit).collect(),
                next,
            )
        }
        Wanted::Page => {
            let mut found = if is_of_mentions {
                mentioned(app, &filter, cursor, mentions).await?
            } else {
                cases::list(&app.pool, &filter, cursor, LIMIT + 1).await?
            };
            let has_more = found.len() > limit;
            found.truncate(limit);
            let next = found.last().filter(|_| has_more).map(CaseRow::cursor);
            (found, next)
        }
        Wanted::Among([]) => (vec![], None),
        Wanted::Among(references) => {
            let is_here = |reference: &&Reference| {
                let mut mentions = mentions.iter();
                !is_of_mentions || mentions.any(|mention| mention.reference == **reference)
            };
            let references: Vec<_> = references.iter().filter(is_here).copied().collect();
            // Where a page begins says nothing of rows that are asked for in another order.
            let cursor = cursor.filter(|_| !place.is_by_waiting());
            (
                desk::among(&app.pool, &filter, cursor, &references).await?,
                None,
            )
        }
    })
}

/// Where the words and filters of an empty list find something, and how much.
async fn elsewhere(
    app: &App,
    session: &Session,
    place: &Place,
) -> Result<Vec<(String, String)>, Failed> {
    let everywhere = place.everywhere();
    let filter = everywhere.filter(session);
    let found = cases::list(&app.pool, &filter, None, LIMIT + 1).await?;
    let most = LIMIT as usize;
    if found.len() > most {
        let words = list_words::more_in(most, words::view(View::All));
        return Ok(vec![(everywhere.list_from(None), words)]);
    }
    let view_of = |row: &CaseRow| match row.state {
        CaseState::Closed => View::Closed,
        CaseState::Open if row.snoozed_until.is_some() => View::Snoozed,
        CaseState::Open => View::Open,
    };
    let views = [View::Open, View::Snoozed, View::Closed].into_iter();
    Ok(views
        .filter(|view| *view != place.view())
        .filter_map(|view| {
            let count = found.iter().filter(|row| view_of(row) == view).count();
            let words = list_words::count_in(count, words::view(view));
            (count > 0).then(|| (everywhere.list(view), words))
        })
        .collect())
}

/// The cases of the whole list, at most `limit`.
pub(super) async fn matching(
    app: &App,
    session: &Session,
    place: &Place,
    limit: usize,
) -> Result<Vec<CaseRow>, Failed> {
    let filter = place.filter(session);
    if place.view() == View::Mentions {
        let mentions = mentions_of(app, session, place).await?;
        let mut found = mentioned(app, &filter, None, &mentions).await?;
        found.truncate(limit);
        return Ok(found);
    }
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    Ok(cases::list(&app.pool, &filter, None, limit).await?)
}

/// The answers to the surveys' questions, each once.
fn statuses(surveys: &[&SurveyRow], place: &Place) -> Vec<Choice> {
    let chosen = place.survey();
    let current = place.status();
    let mut names: Vec<&str> = vec![];
    let of_list = surveys.iter().filter(|survey| {
        survey.settings.cases_enabled && chosen.is_none_or(|chosen| chosen == survey.survey_id)
    });
    for name in of_list.flat_map(|survey| &survey.settings.status.choices) {
        if !names.contains(&name.as_str()) && names.len() < MAX_STATUSES {
            names.push(name);
        }
    }
    if !current.is_empty() && !names.contains(&current.as_str()) {
        names.push(&current);
    }
    let choice = |name: &&str| Choice {
        name: (*name).to_owned(),
        value: (*name).to_owned(),
        is_current: *name == current,
    };
    names.iter().map(choice).collect()
}

/// What a survey is called.
pub(super) fn survey_name(
    surveys: &[SurveyRow],
    survey_id: docket_domain::ids::SurveyId,
) -> String {
    surveys
        .iter()
        .find(|survey| survey.survey_id == survey_id)
        .map_or_else(String::new, |survey| survey.settings.name.clone())
}

/// A number as people write it.
pub(super) fn plus(number: &str) -> String {
    phone::shown(number)
}
