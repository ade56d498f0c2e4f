//! What reports ask: messages and cases a day, and how long people waited.
//!
//! Messages are counted in `messages`, where each stands once however many cases it is in. Times come from a row a case: when it
//! began, when a person first answered in it, and when it was closed. Records of surveys without cases are messages, and no cases.
//! A case that a move made begins with the move; one whose move was undone counts nowhere.
//!
//! To count and to order all of that for a month takes the database long, so what was read once is kept in memory: [`KeptReports`].

mod kept;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use docket_domain::case::{Author, CaseEvent, Opened, Origin};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{SurveyId, UserId};
use uuid::Uuid;

pub use self::kept::KeptReports;
use super::Projection;
use super::cases::CaseOrigin;
use super::writes::{Writes, row};
use crate::log::recorded::Recorded;

/// Builds `report_cases`.
#[derive(Debug, Default)]
pub struct ReportsHandler {
    changes: BTreeMap<i32, Change>,
}

/// What became of a case since the last write.
#[derive(Debug, Default)]
struct Change {
    /// How it began, where that was since the last write, and when.
    opened: Option<(Begun, DateTime<Utc>)>,
    /// The first answer of a person since the last write; an earlier one stays.
    responded: Option<(DateTime<Utc>, Uuid)>,
    closing: Closing,
    withdrawn: bool,
}

/// How a case began, as far as reports ask.
#[derive(Debug)]
struct Begun {
    survey_id: Uuid,
    origin: CaseOrigin,
}

/// Whether a case was closed or opened again.
#[derive(Clone, Copy, Debug, Default)]
enum Closing {
    #[default]
    Unchanged,
    /// It was closed, unless it was closed before: then it stays so.
    Closed(DateTime<Utc>, Option<Uuid>),
    /// It was opened again.
    Open,
    /// It was opened again, and closed after that.
    ClosedAnew(DateTime<Utc>, Option<Uuid>),
}

impl Closing {
    fn close(self, at: DateTime<Utc>, by: Option<Uuid>) -> Self {
        match self {
            Self::Unchanged => Self::Closed(at, by),
            Self::Open => Self::ClosedAnew(at, by),
            closed @ (Self::Closed(..) | Self::ClosedAnew(..)) => closed,
        }
    }

    const fn is_anew(self) -> bool {
        matches!(self, Self::Open | Self::ClosedAnew(..))
    }

    const fn closed(self) -> Option<(DateTime<Utc>, Option<Uuid>)> {
        match self {
            Self::Closed(at, by) | Self::ClosedAnew(at, by) => Some((at, by)),
            Self::Unchanged | Self::Open => None,
        }
    }
}

impl Change {
    fn is_nothing(&self) -> bool {
        self.opened.is_none()
            && self.responded.is_none()
            && matches!(self.closing, Closing::Unchanged)
            && !self.withdrawn
    }
}

impl Begun {
    fn of(opened: &Opened) -> Option<Self> {
        let origin = match opened.origin {
            Origin::Record => return None,
            Origin::Message => CaseOrigin::Message,
            Origin::Agent => CaseOrigin::Agent,
            Origin::Move { .. } => CaseOrigin::Move,
        };
        Some(Self {
            survey_id: opened.survey_id.0,
            origin,
        })
    }
}

impl Projection for ReportsHandler {
    const NAME: &'static str = "reports";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["report_cases"];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, &recorded.event)
        else {
            return;
        };
        let at = recorded.recorded_at;
        let by = recorded.metadata.actor.user_id().map(|user_id| user_id.0);
        let change = self.changes.entry(reference.as_i32()).or_default();
        match event {
            CaseEvent::CaseOpened(opened) => {
                change.opened = Begun::of(opened).map(|begun| (begun, at));
            }
            CaseEvent::MessageQueued(message) => {
                if let Author::User { user_id, .. } = &message.author {
                    change.responded.get_or_insert((at, user_id.0));
                }
            }
            CaseEvent::StatusChanged { closed: true, .. } => {
                change.closing = change.closing.close(at, by);
            }
            CaseEvent::StatusChanged { closed: false, .. } => change.closing = Closing::Open,
            CaseEvent::MoveUndone { .. } => change.withdrawn = true,
            _ => {}
        }
        if change.is_nothing() {
            self.changes.remove(&reference.as_i32());
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let rows = &mut writes.rows;
        for (reference, change) in std::mem::take(&mut self.changes) {
            let (responded_at, responder_id) = change.responded.unzip();
            let closed = change.closing.closed();
            let (closed_at, closer_id) = (
                closed.map(|(at, _)| at),
                closed.and_then(|(_, closer_id)| closer_id),
            );
            match change.opened {
                Some((begun, opened_at)) => rows.report_cases.push(NewReportCase {
                    part: 0,
                    reference,
                    survey_id: begun.survey_id,
                    origin: begun.origin.as_str(),
                    withdrawn: change.withdrawn,
                    opened_at,
                    responded_at,
                    responder_id,
                    closed_at,
                    closer_id,
                }),
                None => rows.report_changes.push(ReportCaseChange {
                    part: 0,
                    reference,
                    withdrawn: change.withdrawn,
                    responded_at,
                    responder_id,
                    anew: change.closing.is_anew(),
                    closed_at,
                    closer_id,
                }),
            }
        }
    }
}

row! {
    /// A case that began since the last write.
    pub(crate) struct NewReportCase = "new_report_case" {
        reference: i32,
        survey_id: Uuid,
        origin: &'static str,
        withdrawn: bool,
        opened_at: DateTime<Utc>,
        responded_at: Option<DateTime<Utc>>,
        responder_id: Option<Uuid>,
        closed_at: Option<DateTime<Utc>>,
        closer_id: Option<Uuid>,
    }
}

row! {
    /// What became of a case that began before. Its first answer stays, and so does its first closing, unless it was opened again.
    pub(crate) struct ReportCaseChange = "report_case_change" {
        reference: i32,
        withdrawn: bool,
        responded_at: Option<DateTime<Utc>>,
        responder_id: Option<Uuid>,
        /// Whether the case was opened again: then an earlier closing does not count.
        anew: bool,
        closed_at: Option<DateTime<Utc>>,
        closer_id: Option<Uuid>,
    }
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first day, in UTC.
    pub from: NaiveDate,
    /// The last day, in UTC; not before the first.
    pub to: NaiveDate,
    /// The survey; all of them where it is absent.
    pub survey: Option<SurveyId>,
}

impl Span {
    /// When it begins.
    pub(crate) fn begins(self) -> DateTime<Utc> {
        self.from.and_time(NaiveTime::MIN).and_utc()
    }

    /// When it has ended.
    pub(crate) fn ends(self) -> DateTime<Utc> {
        let next = self.to.succ_opt().unwrap_or(self.to);
        next.and_time(NaiveTime::MIN).and_utc()
    }

    /// Its days.
    pub(crate) fn all(self) -> impl Iterator<Item = NaiveDate> {
        self.from.iter_days().take_while(move |day| *day <= self.to)
    }
}

/// What there was on a day, in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The day.
    pub day: NaiveDate,
    /// Messages that came in, each once.
    pub inbound: u64,
    /// Messages that were recorded to be sent, automatic ones included.
    pub outbound: u64,
    /// Cases that began.
    pub opened: u64,
    /// Cases that were closed and stayed so.
    pub closed: u64,
}

/// What times are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Of all cases.
    All,
    /// Of those of a survey.
    Survey(SurveyId),
    /// Of those that a person answered first, or closed; of nobody's where it was no person.
    Person(Option<UserId>),
}

/// How long it took, for a group of cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// Which cases.
    pub group: Group,
    /// Of how many.
    pub count: u64,
    /// Half of them took no longer, in seconds.
    pub median_seconds: f64,
    /// Nine of ten took no longer, in seconds.
    pub p90_seconds: f64,
}

/// What there was in a span, and how long people waited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Every day of the span, those on which nothing was included.
    pub days: Vec<Day>,
    /// From the beginning of a case to a person's first answer, of the contacts' cases that began in the span: of all, by survey, and by who
    /// answered. Cases that an agent began are left out: nobody waited.
    pub responses: Vec<Times>,
    /// From the beginning of a case to its last closing, of the cases that were closed in the span and are closed still: of all, by
    /// survey, and by who closed them.
    pub closings: Vec<Times>,
    /// How many of the contacts' cases that began in the span are open and without a person's answer.
    pub unanswered: u64,
}
