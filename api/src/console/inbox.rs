//! `/`: the list of cases.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use docket_domain::ids::Reference;
use docket_domain::text::phone;
use docket_projections::read::cases::desk::{self, Around, Asked};
use docket_projections::read::cases::{self, CaseRow, CaseState};
use docket_projections::read::surveys::SurveyRow;
use docket_projections::settings::Settings;

use super::bulk::{Bulk, Outcome};
use super::labels::{self, Marks};
use super::pages::{self, CaseEntry, Choice, Frame, List, ViewLink, When};
use super::place::{Place, View};
use super::session::Session;
use super::{Console, Failed, contact_words, page, thread, words};
use crate::app::App;

/// So many cases on a page.
pub(super) const LIMIT: u32 = 25;
/// At most so many unread cases are counted; how many more there are, nobody needs to know.
const MAX_COUNT: i64 = 99;

/// The list alone.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    Query(place): Query<Place>,
    Query(outcome): Query<Outcome>,
    session: Session,
) -> Result<Response, Failed> {
    let mut frame = Frame::of(&app, &session);
    frame.notice = words::done(&place.done).into();
    let shelf = Shelf::read(&app, &session, &place, None, Wanted::Page).await?;
    let template = pages::Inbox {
        frame,
        list: shelf.list(&app, &session, &place, &outcome),
        case: None,
    };
    Ok(page(StatusCode::OK, &template))
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
        let filter = place.filter(session);
        let cursor = place.cursor();
        let rows = match wanted {
            Wanted::Page => cases::list(&app.pool, &filter, cursor, LIMIT + 1).await?,
            Wanted::Among([]) => vec![],
            Wanted::Among(references) => {
                desk::among(&app.pool, &filter, cursor, references).await?
            }
        };
        let asked = Asked {
            user_id: session.user_id,
            unread_in: place.unread(session).surveys,
            // Nothing waits for who only looks.
            max_unread: if session.may_act() { MAX_COUNT + 1 } else { 0 },
            rows: &rows,
            survey_id: open.map(|row| row.survey_id),
        };
        let around = desk::around(&app.pool, &asked).await?;
        let settings = app
            .ledger
            .settings_since(&app.pool, around.settings_position)
            .await?;
        Ok(Self {
            rows,
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
        let limit = LIMIT as usize;
        let has_more = self.rows.len() > limit;
        let rows = &self.rows[..self.rows.len().min(limit)];
        let last = rows.last().filter(|_| has_more).map(CaseRow::cursor);
        List {
            views: self.views(session, place),
            surveys: survey_choices(self.settings.survey_rows(), place, session),
            labels: labels::choices(self.settings.labels(), place),
            view: place.view().as_str(),
            q: place.q(),
            heading: words::view(place.view()),
            entries: self.entries(app, session, place),
            bulk: Bulk::of(app, session, place, self.open, &self.around.colleagues),
            notice: outcome.sentence(),
            undo: outcome.undoable(),
            older: last.map(|last| place.list_from(Some(last))),
            newest: place.cursor().map(|_| place.list_from(None)),
        }
    }

    /// The views, with how many cases are unread.
    pub(super) fn views(&self, session: &Session, place: &Place) -> Vec<ViewLink> {
        let count = |view| match view {
            View::Unread => {
                let most = usize::try_from(MAX_COUNT).unwrap_or_default();
                words::count_up_to(self.around.unread, most)
            }
            _ => String::new(),
        };
        View::ALL
            .into_iter()
            .filter(|view| *view != View::Unread || session.may_act())
            .map(|view| ViewLink {
                name: words::view(view),
                href: place.list(view),
                is_current: view == place.view(),
                count: count(view),
            })
            .collect()
    }

    /// The rows, at most a page of them.
    pub(super) fn entries(&self, app: &App, session: &Session, place: &Place) -> Vec<CaseEntry> {
        let now = (app.clock)();
        let rows = self.rows.iter().take(LIMIT as usize);
        rows.map(|row| self.entry(row, session, place, now))
            .collect()
    }

    fn entry(
        &self,
        row: &CaseRow,
        session: &Session,
        place: &Place,
        now: DateTime<Utc>,
    ) -> CaseEntry {
        let read_to = self.around.read_to.get(&row.reference).copied();
        let is_unread = session.may_act() && row.is_unread(read_to.unwrap_or_default());
        let name = self.around.names.get(&row.contact_id);
        CaseEntry {
            is_unread,
            href: if is_unread {
                // Where the reader left off, if they have read it at all.
                format!("{}#new", place.case(row.reference))
            } else {
                place.case(row.reference)
            },
            name: name.map(|name| name.0.clone()),
            opt_out: match self.around.opt_outs.get(&row.contact_id) {
                Some(outs) if !outs.opted_out.is_empty() => contact_words::OPTED_OUT,
                Some(_) => contact_words::MAY_OPT_OUT,
                None => "",
            },
            reference: row.reference.get(),
            order: row.last_message_at.timestamp_micros(),
            version: row.version,
            title: row.title.0.clone(),
            number: plus(&row.number),
            channel: thread::channel(row.channel),
            channel_icon: thread::channel_icon(row.channel),
            survey: survey_name(self.settings.survey_rows(), row.survey_id),
            status: row.status.clone().unwrap_or_default(),
            is_closed: row.state == CaseState::Closed,
            assignee: row
                .assignee
                .as_ref()
                .map(|assignee| assignee.email.0.clone()),
            when: When::of(row.last_message_at, now),
            marks: Marks::of(row, &self.settings, now),
            is_current: Some(row.reference) == self.open,
        }
    }
}

fn survey_choices(surveys: &[SurveyRow], place: &Place, session: &Session) -> Vec<Choice> {
    surveys
        .iter()
        .filter(|survey| session.access.reaches(survey.survey_id))
        .map(|survey| Choice {
            name: survey.settings.name.clone(),
            value: survey.survey_id.to_string(),
            is_current: place.survey() == Some(survey.survey_id),
        })
        .collect()
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
