//! A case as it was: made again from its events up to a moment.

use chrono::{DateTime, Utc};
use docket_domain::case::{Author, Case, CaseEvent, Origin, Stage, State};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::Reference;
use docket_projections::log::reader;
use docket_projections::log::recorded::Recorded;
use docket_projections::log::upcasters::upcasters;
use docket_projections::read::cases::{CaseOrigin, CaseState, LinkKind};

use super::cases::{CaseSummary, CaseView, ContactView, LinkView, NoteView, no_such_case};
use super::problem::Problem;
use crate::app::App;

/// How many events are read at once.
const PAGE: u16 = 500;

/// A moment in a case's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// After the event of that sequence.
    After(u64),
    /// After the last event that was recorded at that time or before.
    AsOf(DateTime<Utc>),
}

impl Moment {
    fn includes(self, recorded: &Recorded) -> bool {
        match self {
            Self::After(sequence) => recorded.sequence <= sequence,
            Self::AsOf(time) => recorded.recorded_at <= time,
        }
    }
}

/// A case as it was.
///
/// # Errors
///
/// A problem: there is no such case, or it had not begun, or has not come to that event yet.
pub async fn case_at(app: &App, reference: Reference, moment: Moment) -> Result<CaseView, Problem> {
    let mut replay = Replay::default();
    let upcasters = upcasters();
    let mut exists = false;
    'log: loop {
        let after = replay.case.version().cast_signed();
        let events =
            reader::stream(&app.pool, StreamId::Case(reference), after, i64::from(PAGE)).await?;
        exists |= !events.is_empty();
        let is_last = events.len() < usize::from(PAGE);
        for event in &events {
            let recorded = event.decode(&upcasters)?;
            if !moment.includes(&recorded) {
                break 'log;
            }
            replay.take_in(&recorded);
        }
        if is_last {
            break;
        }
    }
    let version = replay.case.version();
    match (moment, replay.into_view()) {
        _ if !exists => Err(no_such_case(reference)),
        (Moment::After(sequence), _) if sequence != version => Err(Problem::not_found(format!(
            "case #{reference} has no event {sequence}; GET /api/v1/cases/{reference}/events lists them"
        ))),
        (_, Some(view)) => Ok(view),
        (_, None) => Err(Problem::not_found(format!(
            "case #{reference} had not begun then"
        ))),
    }
}

/// What a case's events tell, taken in one after the other.
#[derive(Debug, Default)]
struct Replay {
    case: Case,
    opened_at: DateTime<Utc>,
    last_message_at: DateTime<Utc>,
    name: Option<String>,
    notes: Vec<NoteView>,
    links: Vec<LinkView>,
}

impl Replay {
    fn take_in(&mut self, recorded: &Recorded) {
        let Event::Case(event) = &recorded.event else {
            return;
        };
        let at = recorded.recorded_at;
        match event {
            CaseEvent::CaseOpened(opened) => {
                self.opened_at = at;
                self.last_message_at = at;
                if let Some(follows) = opened.follows {
                    self.link(LinkKind::Follows, follows);
                }
            }
            CaseEvent::MessageReceived { message, .. } => {
                self.last_message_at = at;
                if let Some(name) = &message.profile_name {
                    self.name = Some(name.0.clone());
                }
            }
            CaseEvent::MessageQueued(_) => self.last_message_at = at,
            CaseEvent::MessageMovedIn { from, .. } => {
                self.last_message_at = at;
                self.link(LinkKind::MovedFrom, *from);
            }
            CaseEvent::MessageMovedOut { to, .. } => self.link(LinkKind::MovedTo, *to),
            CaseEvent::NoteAdded {
                note_id,
                author,
                text,
            } => self.notes.push(NoteView {
                note_id: note_id.0,
                text: text.0.clone(),
                author: match author {
                    Author::User { email, .. } => email.0.clone(),
                    Author::Automatic => "automatic".to_owned(),
                },
                at,
            }),
            _ => {}
        }
        self.case.evolve(event);
    }

    fn link(&mut self, kind: LinkKind, other: Reference) {
        let link = LinkView {
            reference: other.get(),
            kind: kind.as_str(),
        };
        if !self.links.contains(&link) {
            self.links.push(link);
        }
    }

    /// The case; `None` before it had begun.
    fn into_view(mut self) -> Option<CaseView> {
        let State {
            origin,
            title,
            status,
            stage,
            assignee,
            messages,
            ..
        } = self.case.state()?;
        let made_by = match origin.origin {
            Origin::Message => CaseOrigin::Message,
            Origin::Record => CaseOrigin::Record,
            Origin::Agent => CaseOrigin::Agent,
            Origin::Move { .. } => CaseOrigin::Move,
        };
        let state = match stage {
            Stage::Open => CaseState::Open,
            Stage::Closed | Stage::Withdrawn => CaseState::Closed,
        };
        self.links.sort();
        Some(CaseView {
            summary: CaseSummary {
                reference: origin.reference.get(),
                title: title.0.clone(),
                state: state.as_str(),
                status: status.clone(),
                number: origin.number.0.clone(),
                channel: origin.channel.as_str(),
                survey_id: origin.survey_id.0,
                line_id: origin.line_id.0,
                contact_id: origin.contact_id.0,
                origin: made_by.as_str(),
                withdrawn: *stage == Stage::Withdrawn,
                assignee: assignee.as_ref().map(|assignee| assignee.email.0.clone()),
                version: self.case.version(),
                message_count: u32::try_from(messages.len()).unwrap_or(u32::MAX),
                opened_at: self.opened_at,
                last_message_at: self.last_message_at,
            },
            contact: ContactView {
                contact_id: origin.contact_id.0,
                number: origin.number.0.clone(),
                name: self.name,
            },
            notes: self.notes,
            links: self.links,
        })
    }
}
