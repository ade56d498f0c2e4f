//! What events make of cases.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::case::{Assignee, Author, CaseEvent, Opened};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::Reference;
use serde::Serialize;
use uuid::Uuid;

use super::{CaseOrigin, CaseState, LinkKind};
use crate::log::recorded::{Recorded, UNDATED};
use crate::read::Projection;
use crate::read::writes::{Writes, row};

/// Builds `cases`, `contact_cases` and `case_links`.
#[derive(Debug, Default)]
pub struct CasesHandler {
    changes: BTreeMap<i32, Change>,
    links: Vec<Link>,
}

row! {
    /// A case that began since the last write, and whose it is.
    pub(crate) struct NewCase = "new_case" {
        reference: i32,
        contact_id: Uuid,
        number: String,
        survey_id: Uuid,
        line_id: Uuid,
        channel: &'static str,
        title: String,
        status: Option<String>,
        state: &'static str,
        origin: &'static str,
        withdrawn: bool,
        assignee_id: Option<Uuid>,
        assignee_email: Option<String>,
        version: i64,
        message_count: i32,
        opened_at: DateTime<Utc>,
        last_message_at: DateTime<Utc>,
        last_inbound_at: Option<DateTime<Utc>>,
        last_inbound_line_id: Option<Uuid>,
        last_message: i64,
        waiting_since: Option<DateTime<Utc>>,
        answered: i64,
        failed: bool,
    }
}

row! {
    /// What became of a case that began before. What is `None` stays, but for the assignee.
    pub(crate) struct CaseChange = "case_change" {
        reference: i32,
        version: i64,
        title: Option<String>,
        status: Option<String>,
        state: Option<&'static str>,
        withdrawn: bool,
        /// Whether the assignee changes, perhaps to nobody.
        assigned: bool,
        assignee_id: Option<Uuid>,
        assignee_email: Option<String>,
        /// By how many messages more, or less, stand in it.
        message_count: i32,
        last_message_at: Option<DateTime<Utc>>,
        last_inbound_at: Option<DateTime<Utc>>,
        last_inbound_line_id: Option<Uuid>,
        last_message: Option<i64>,
        /// Since when the contact waits; without an answer an earlier time stays.
        waiting_since: Option<DateTime<Utc>>,
        /// The sequence of the last reply or closing.
        answered: Option<i64>,
        failed: Option<bool>,
    }
}

row! {
    /// One of several inbound messages that may be a case's last.
    pub(crate) struct CaseInbound = "case_inbound" {
        reference: i32,
        /// Grows in the order of the log.
        number: i64,
        last_inbound_at: DateTime<Utc>,
        last_inbound_line_id: Uuid,
    }
}

/// What became of a case since the last write; what is `None` stays.
#[derive(Debug, Default)]
struct Change {
    /// How it began, where that was since the last write, and when.
    opened: Option<Box<(Opened, DateTime<Utc>)>>,
    version: i64,
    title: Option<String>,
    status: Option<String>,
    closed: Option<bool>,
    withdrawn: bool,
    assigned: Option<Assigned>,
    /// By how many messages more, or less, stand in it.
    messages: i32,
    last_message_at: Option<DateTime<Utc>>,
    /// The sequence of the event that brought the last message.
    last_message: Option<i64>,
    /// The inbound messages that may be the contact's last.
    inbound: Vec<Inbound>,
    /// When the contact wrote first after the last answer since the last write.
    waiting_since: Option<DateTime<Utc>>,
    /// The sequence of the last reply or closing.
    answered: Option<i64>,
    /// Whether a message failed after the last reply or closing.
    failed: Option<bool>,
}

/// Who sees to a case from now on; perhaps nobody.
#[derive(Debug)]
struct Assigned(Option<Assignee>);

/// When and by which line the contact wrote.
#[derive(Debug)]
struct Inbound {
    at: DateTime<Utc>,
    line_id: Uuid,
}

#[derive(Debug, Serialize)]
struct Link {
    reference: i32,
    sequence: i64,
    kind: &'static str,
    other: i32,
}

const LINK: &str = "
    INSERT INTO case_links (reference, sequence, kind, other)
    SELECT r.reference, r.sequence, r.kind, r.other
      FROM jsonb_to_recordset($1) AS r (reference integer, sequence bigint, kind text, other integer)";

impl Change {
    fn message_came(&mut self, at: DateTime<Utc>) {
        self.messages += 1;
        self.last_message_at = Some(at);
        self.last_message = Some(self.version);
    }

    /// A message waits for an answer; an earlier one waits longer.
    fn waits(&mut self, at: DateTime<Utc>, recorded_at: DateTime<Utc>) {
        self.waiting_since.get_or_insert(at.min(recorded_at));
    }

    /// Somebody answered, or closed the case: nothing waits, and an earlier failure is dealt with.
    const fn answered(&mut self) {
        self.waiting_since = None;
        self.answered = Some(self.version);
        self.failed = Some(false);
    }

    /// Messages can come late, in another order than they were written in. The last one is that with the greatest time, where the time
    /// of recording counts if it is earlier; of several, the one that came last. While the time of recording is not known, a message
    /// with a smaller time than one before it may still be the last one.
    fn contact_wrote(&mut self, at: DateTime<Utc>, line_id: Uuid, recorded_at: DateTime<Utc>) {
        let at = at.min(recorded_at);
        self.inbound.retain(|earlier| earlier.at > at);
        if self.inbound.is_empty() || recorded_at == UNDATED {
            self.inbound.push(Inbound { at, line_id });
        }
    }

    /// The last inbound message, where there was one and it is certain which.
    fn last_inbound(&self) -> Option<&Inbound> {
        match self.inbound.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    fn state(&self) -> Option<&'static str> {
        self.closed.map(|closed| CaseState::of(closed).as_str())
    }

    fn into_new(self, opened: Opened, opened_at: DateTime<Utc>) -> NewCase {
        let last_inbound = self.last_inbound();
        let (last_inbound_at, last_inbound_line_id) = (
            last_inbound.map(|inbound| inbound.at),
            last_inbound.map(|inbound| inbound.line_id),
        );
        let state = self.state().unwrap_or(CaseState::Open.as_str());
        let assignee = self.assigned.and_then(|assigned| assigned.0);
        NewCase {
            part: 0,
            reference: opened.reference.as_i32(),
            contact_id: opened.contact_id.0,
            number: opened.number.0,
            survey_id: opened.survey_id.0,
            line_id: opened.line_id.0,
            channel: opened.channel.as_str(),
            title: self.title.unwrap_or(opened.title.0),
            status: self.status.or(opened.status),
            state,
            origin: CaseOrigin::of(opened.origin).as_str(),
            withdrawn: self.withdrawn,
            assignee_id: assignee.as_ref().map(|assignee| assignee.user_id.0),
            assignee_email: assignee.map(|assignee| assignee.email.0),
            version: self.version,
            message_count: self.messages,
            opened_at,
            last_message_at: self.last_message_at.unwrap_or(opened_at),
            last_inbound_at,
            last_inbound_line_id,
            last_message: self.last_message.unwrap_or_default(),
            waiting_since: self.waiting_since,
            answered: self.answered.unwrap_or_default(),
            failed: self.failed.unwrap_or_default(),
        }
    }

    fn into_change(self, reference: i32) -> CaseChange {
        let last_inbound = self.last_inbound();
        let (last_inbound_at, last_inbound_line_id) = (
            last_inbound.map(|inbound| inbound.at),
            last_inbound.map(|inbound| inbound.line_id),
        );
        let state = self.state();
        let is_assigned = self.assigned.is_some();
        let assignee = self.assigned.and_then(|assigned| assigned.0);
        CaseChange {
            part: 0,
            reference,
            version: self.version,
            title: self.title,
            status: self.status,
            state,
            withdrawn: self.withdrawn,
            assigned: is_assigned,
            assignee_id: assignee.as_ref().map(|assignee| assignee.user_id.0),
            assignee_email: assignee.map(|assignee| assignee.email.0),
            message_count: self.messages,
            last_message_at: self.last_message_at,
            last_inbound_at,
            last_inbound_line_id,
            last_message: self.last_message,
            waiting_since: self.waiting_since,
            answered: self.answered,
            failed: self.failed,
        }
    }
}

impl CasesHandler {
    fn link(&mut self, reference: Reference, sequence: i64, kind: LinkKind, other: Reference) {
        self.links.push(Link {
            reference: reference.as_i32(),
            sequence,
            kind: kind.as_str(),
            other: other.as_i32(),
        });
    }
}

impl Projection for CasesHandler {
    const NAME: &'static str = "cases";
    const VERSION: i32 = 5;
    const TABLES: &'static [&'static str] = &["cases", "contact_cases", "case_links"];
    const STATEMENTS: &'static [&'static str] = &[LINK];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, &recorded.event)
        else {
            return;
        };
        let at = recorded.recorded_at;
        let sequence = recorded.sequence.cast_signed();
        let change = self.changes.entry(reference.as_i32()).or_default();
        change.version = sequence;
        match event {
            CaseEvent::CaseOpened(opened) => {
                change.opened = Some(Box::new((opened.clone(), at)));
                if let Some(old) = opened.follows {
                    self.link(reference, sequence, LinkKind::Follows, old);
                    self.link(old, sequence, LinkKind::FollowedBy, reference);
                }
            }
            CaseEvent::MessageReceived { message, .. } => {
                change.message_came(at);
                change.contact_wrote(message.at, message.line_id.0, at);
                change.waits(message.at, at);
            }
            CaseEvent::MessageQueued(message) => {
                change.message_came(at);
                if matches!(message.author, Author::User { .. }) {
                    change.answered();
                }
            }
            CaseEvent::MessageReturned { .. } => change.message_came(at),
            CaseEvent::MessageMovedIn { message, from, .. } => {
                change.message_came(at);
                change.waits(message.at, at);
                self.link(reference, sequence, LinkKind::MovedFrom, *from);
            }
            CaseEvent::MessageMovedOut { to, .. } => {
                change.messages -= 1;
                self.link(reference, sequence, LinkKind::MovedTo, *to);
            }
            CaseEvent::MessageRemovedElsewhere { from, .. } => {
                self.link(reference, sequence, LinkKind::MovedFrom, *from);
            }
            CaseEvent::MoveUndone { status, .. } => {
                change.messages -= 1;
                change.closed = Some(true);
                change.withdrawn = true;
                change.answered();
                if status.is_some() {
                    change.status.clone_from(status);
                }
            }
            CaseEvent::StatusChanged { to, closed, .. } => {
                change.status = Some(to.clone());
                change.closed = Some(*closed);
                if *closed {
                    change.answered();
                }
            }
            CaseEvent::MessageFailed { .. } => change.failed = Some(true),
            CaseEvent::AssigneeChanged { to, .. } => change.assigned = Some(Assigned(to.clone())),
            CaseEvent::TitleChanged { to, .. } => change.title = Some(to.0.clone()),
            CaseEvent::MessageSending { .. }
            | CaseEvent::MessageDeferred { .. }
            | CaseEvent::MessageSent { .. }
            | CaseEvent::MessageIdentified { .. }
            | CaseEvent::MessageDelivered { .. }
            | CaseEvent::MessageRead { .. }
            | CaseEvent::MessageUncertain { .. }
            | CaseEvent::MessageRequeued { .. }
            | CaseEvent::NoteAdded { .. }
            | CaseEvent::PeopleMentioned { .. }
            | CaseEvent::ReactionReceived { .. }
            | CaseEvent::OptOutChanged(_)
            | CaseEvent::MediaStored(_)
            | CaseEvent::MediaFailed { .. }
            | CaseEvent::LabelsChanged { .. }
            | CaseEvent::CaseSnoozed { .. }
            | CaseEvent::CaseWoken { .. } => {}
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let Self { changes, links } = std::mem::take(self);
        writes.statement::<Self>(LINK, links);
        let rows = &mut writes.rows;
        for (reference, mut change) in changes {
            if change.inbound.len() > 1 {
                let inbounds = (1..).zip(&change.inbound);
                rows.case_inbounds
                    .extend(inbounds.map(|(number, inbound)| CaseInbound {
                        part: 0,
                        reference,
                        number,
                        last_inbound_at: inbound.at,
                        last_inbound_line_id: inbound.line_id,
                    }));
            }
            match change.opened.take() {
                Some(opened) => rows.cases.push(change.into_new(opened.0, opened.1)),
                None => rows.case_changes.push(change.into_change(reference)),
            }
        }
    }
}
