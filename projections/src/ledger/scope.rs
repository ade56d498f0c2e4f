//! What an operation can see while it is decided.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use docket_domain::case::{Author, Case, CaseEvent, Origin};
use docket_domain::event::{Event, StreamId};
use docket_domain::held::Held;
use docket_domain::ids::{
    AttemptsId, ContactId, ExportId, HeldId, LineId, MessageId, Reference, SessionId, SurveyId,
    UserId,
};
use docket_domain::installation::Installation;
use docket_domain::line::Line;
use docket_domain::people::attempts::Attempts;
use docket_domain::people::export::Export;
use docket_domain::people::session::Session;
use docket_domain::people::views::CaseViews;
use docket_domain::survey::Survey;
use docket_domain::user::{Role, User, UserEvent};

use super::operation::{ContactKey, MessageKey, Needs};
use crate::settings::Settings;

/// An aggregate as it is after the events of this transaction so far.
#[derive(Clone, Debug)]
pub(crate) enum Aggregate {
    Case(Box<Case>),
    Survey(Survey),
    Line(Line),
    Held(Box<Held>),
    User(User),
    Session(Session),
    Attempts(Attempts),
    Views(CaseViews),
    Export(Export),
    Installation(Installation),
}

impl Aggregate {
    pub(crate) fn empty(stream: StreamId) -> Self {
        match stream {
            StreamId::Case(_) => Self::Case(Box::default()),
            StreamId::Survey(_) => Self::Survey(Survey::default()),
            StreamId::Line(_) => Self::Line(Line::default()),
            StreamId::Held(_) => Self::Held(Box::default()),
            StreamId::User(_) => Self::User(User::default()),
            StreamId::Session(_) => Self::Session(Session::default()),
            StreamId::Attempts(_) => Self::Attempts(Attempts::default()),
            StreamId::Views(..) => Self::Views(CaseViews::default()),
            StreamId::Export(_) => Self::Export(Export::default()),
            StreamId::Installation => Self::Installation(Installation::default()),
        }
    }

    pub(crate) const fn version(&self) -> u64 {
        match self {
            Self::Case(case) => case.version(),
            Self::Survey(survey) => survey.version(),
            Self::Line(line) => line.version(),
            Self::Held(held) => held.version(),
            Self::User(user) => user.version(),
            Self::Session(session) => session.version(),
            Self::Attempts(attempts) => attempts.version(),
            Self::Views(views) => views.version(),
            Self::Export(export) => export.version(),
            Self::Installation(installation) => installation.version(),
        }
    }

    /// Takes one event in; one of another aggregate's changes nothing.
    pub(crate) fn evolve(&mut self, event: &Event) {
        match (self, event) {
            (Self::Case(case), Event::Case(event)) => case.evolve(event),
            (Self::Survey(survey), Event::Survey(event)) => survey.evolve(event),
            (Self::Line(line), Event::Line(event)) => line.evolve(event),
            (Self::Held(held), Event::Held(event)) => held.evolve(event),
            (Self::User(user), Event::User(event)) => user.evolve(event),
            (Self::Session(session), Event::Session(event)) => session.evolve(event),
            (Self::Attempts(attempts), Event::Attempts(event)) => attempts.evolve(event),
            (Self::Views(views), Event::Views(event)) => views.evolve(event),
            (Self::Export(export), Event::Export(event)) => export.evolve(event),
            (Self::Installation(installation), Event::Installation(event)) => {
                installation.evolve(event);
            }
            _ => {}
        }
    }
}

/// A stream as this transaction knows it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) aggregate: Aggregate,
    /// When its last event was recorded; a later one is never recorded earlier.
    pub(crate) last_recorded_at: DateTime<Utc>,
}

/// A message as the read model knows it.
#[derive(Clone, Debug)]
pub(crate) struct KnownMessage {
    pub(crate) message_id: MessageId,
    /// What Vonage calls it: of what we sent, as far as this transaction asks for it or has learnt it.
    pub(crate) provider_ids: Vec<String>,
    pub(crate) contact_id: ContactId,
    pub(crate) outbound: bool,
    pub(crate) references: Vec<Reference>,
}

impl KnownMessage {
    fn is_called(&self, provider_id: &str) -> bool {
        self.provider_ids.iter().any(|known| known == provider_id)
    }

    /// Whether the key means it, unless it is for the contact to say.
    pub(super) fn is(&self, key: &MessageKey) -> bool {
        match key {
            MessageKey::Id(id) => self.message_id == *id,
            MessageKey::ProviderId(id) => self.outbound && self.is_called(id),
            MessageKey::Inbound(_) => false,
        }
    }

    fn stands_in(&mut self, reference: Reference) {
        if let Err(place) = self.references.binary_search(&reference) {
            self.references.insert(place, reference);
        }
    }
}

/// Everything that the operations of one transaction need, locked and loaded, and kept up with what they record.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) now: DateTime<Utc>,
    pub(crate) streams: HashMap<StreamId, Entry>,
    pub(crate) contacts: HashMap<(SurveyId, String), ContactId>,
    /// The open cases of the locked contacts, as far as any operation asked for them.
    pub(crate) open: HashMap<ContactId, BTreeSet<Reference>>,
    pub(crate) messages: Vec<KnownMessage>,
    /// Whether any operation asked for messages, so that those of this transaction must be known too.
    pub(crate) keeps_messages: bool,
    pub(crate) automatic_replies: HashMap<ContactId, usize>,
    /// The newest case of each contact, or the newest record where there is no case: as far as any operation asked.
    pub(crate) newest: HashMap<ContactId, Reference>,
    /// When and by which line contacts last wrote, as far as any operation asked.
    pub(crate) last_lines: HashMap<ContactId, (DateTime<Utc>, LineId)>,
    /// Whose address it is, as far as any operation asked.
    pub(crate) emails: HashMap<String, UserId>,
    /// The owners, where any operation asked.
    pub(crate) owners: BTreeSet<UserId>,
    pub(crate) references: RefCell<Vec<Reference>>,
}

impl World {
    /// Keeps the world true after an event was recorded.
    pub(crate) fn take_in(
        &mut self,
        stream: StreamId,
        event: &Event,
        recorded_at: DateTime<Utc>,
    ) -> u64 {
        let entry = self.streams.entry(stream).or_insert_with(|| Entry {
            aggregate: Aggregate::empty(stream),
            last_recorded_at: recorded_at,
        });
        entry.aggregate.evolve(event);
        entry.last_recorded_at = recorded_at;
        let version = entry.aggregate.version();
        if let Event::User(
            UserEvent::UserAdded { user_id, email, .. }
            | UserEvent::ServiceAccountAdded {
                user_id,
                name: email,
                ..
            },
        ) = event
        {
            self.emails.insert(email.to_lowercase(), *user_id);
        }
        if let (StreamId::User(user_id), Aggregate::User(user)) = (stream, &entry.aggregate) {
            let is_owner = user
                .state()
                .is_some_and(|state| state.role == Role::Owner && !state.removed);
            if is_owner {
                self.owners.insert(user_id);
            } else {
                self.owners.remove(&user_id);
            }
        }
        if let (StreamId::Case(reference), Aggregate::Case(case)) = (stream, &entry.aggregate)
            && let Some(state) = case.state()
        {
            let contact = state.origin.contact_id;
            let open = self.open.entry(contact).or_default();
            if case.is_routed_to() {
                open.insert(reference);
            } else {
                open.remove(&reference);
            }
            if let Event::Case(event) = event {
                self.keep_newest(contact, reference, event);
                if let CaseEvent::MessageReceived { message, .. } = event {
                    let last = (message.at.min(recorded_at), message.line_id);
                    let known = self.last_lines.entry(contact).or_insert(last);
                    if known.0 <= last.0 {
                        *known = last;
                    }
                }
                if self.keeps_messages {
                    self.take_in_message(contact, reference, event);
                }
            }
        }
        version
    }

    /// Keeps known which case of a contact is the newest: no record before a case, and none whose move was undone.
    fn keep_newest(&mut self, contact: ContactId, reference: Reference, event: &CaseEvent) {
        match event {
            CaseEvent::CaseOpened(opened) => {
                let has_case = self
                    .newest
                    .get(&contact)
                    .and_then(|newest| self.case(*newest))
                    .is_some_and(|case| !case.is_record());
                if !has_case || opened.origin != Origin::Record {
                    self.newest.insert(contact, reference);
                }
            }
            CaseEvent::MoveUndone { to, .. } if self.newest.get(&contact) == Some(&reference) => {
                self.newest.insert(contact, *to);
            }
            _ => {}
        }
    }

    /// Keeps what is known of messages true: an operation may quote one of this very transaction.
    fn take_in_message(&mut self, contact_id: ContactId, reference: Reference, event: &CaseEvent) {
        let known = |messages: &mut Vec<KnownMessage>, message_id| {
            messages
                .iter()
                .position(|message| message.message_id == message_id)
        };
        match event {
            CaseEvent::MessageReceived { message, .. }
            | CaseEvent::MessageMovedIn { message, .. } => {
                match known(&mut self.messages, message.message_id) {
                    Some(place) => self.messages[place].stands_in(reference),
                    None => self.messages.push(KnownMessage {
                        message_id: message.message_id,
                        provider_ids: vec![message.provider_id.clone()],
                        contact_id,
                        outbound: false,
                        references: vec![reference],
                    }),
                }
            }
            CaseEvent::MessageQueued(message) => {
                match known(&mut self.messages, message.message_id) {
                    Some(place) => self.messages[place].stands_in(reference),
                    None => self.messages.push(KnownMessage {
                        message_id: message.message_id,
                        provider_ids: vec![],
                        contact_id,
                        outbound: true,
                        references: vec![reference],
                    }),
                }
            }
            CaseEvent::MessageReturned { message_id, .. } => {
                if let Some(place) = known(&mut self.messages, *message_id) {
                    self.messages[place].stands_in(reference);
                }
            }
            CaseEvent::MessageMovedOut { message_id, .. }
            | CaseEvent::MoveUndone { message_id, .. } => {
                if let Some(place) = known(&mut self.messages, *message_id) {
                    self.messages[place]
                        .references
                        .retain(|known| *known != reference);
                }
            }
            CaseEvent::MessageSent {
                message_id,
                provider_id: Some(provider_id),
                ..
            }
            | CaseEvent::MessageIdentified {
                message_id,
                provider_id,
                ..
            } => {
                if let Some(place) = known(&mut self.messages, *message_id)
                    && !self.messages[place].is_called(provider_id)
                {
                    self.messages[place].provider_ids.push(provider_id.clone());
                }
            }
            _ => {}
        }
    }

    /// Counts automatic replies that were recorded.
    pub(crate) fn count_automatic_replies(&mut self, replies: BTreeSet<(ContactId, MessageId)>) {
        for (contact, _) in replies {
            *self.automatic_replies.entry(contact).or_default() += 1;
        }
    }

    pub(crate) fn case(&self, reference: Reference) -> Option<&Case> {
        match &self.streams.get(&StreamId::Case(reference))?.aggregate {
            Aggregate::Case(case) => Some(case),
            _ => None,
        }
    }
}

/// The automatic replies among the events of an operation: one for each message, in however many cases it stands.
pub(crate) fn automatic_replies(events: &[(StreamId, Event)]) -> BTreeSet<(ContactId, MessageId)> {
    events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Case(CaseEvent::MessageQueued(message))
                if message.author == Author::Automatic =>
            {
                Some((message.contact_id, message.message_id))
            }
            _ => None,
        })
        .collect()
}

/// What one operation can see: the aggregates it asked for, its contact's cases, and the settings.
pub struct Scope<'a> {
    pub(crate) world: &'a World,
    pub(crate) settings: &'a Settings,
    pub(crate) needs: &'a Needs,
}

impl Scope<'_> {
    /// The time of this decision.
    pub const fn now(&self) -> DateTime<Utc> {
        self.world.now
    }

    /// The surveys and lines.
    pub const fn settings(&self) -> &Settings {
        self.settings
    }

    /// The contact that [`Needs::contact`] asked for.
    pub fn contact(&self) -> Option<ContactId> {
        let ContactKey {
            survey_id, number, ..
        } = self.needs.contact.as_ref()?;
        // The tuple is built for the look-up alone; a batch has few of them.
        self.world
            .contacts
            .get(&(*survey_id, number.clone()))
            .copied()
    }

    /// The open cases of a contact, ordered; records are none.
    pub fn open_cases(&self, contact: ContactId) -> Vec<Reference> {
        self.world
            .open
            .get(&contact)
            .map(|open| open.iter().copied().collect())
            .unwrap_or_default()
    }

    /// A case that the operation asked for, or an open one of its contact.
    pub fn case(&self, reference: Reference) -> Option<&Case> {
        self.world
            .case(reference)
            .filter(|case| case.state().is_some())
    }

    /// A case, if it is this contact's; anybody else's is as if it were not there.
    pub fn case_of(&self, contact: ContactId, reference: Reference) -> Option<&Case> {
        self.case(reference).filter(|case| {
            case.state()
                .is_some_and(|state| state.origin.contact_id == contact)
        })
    }

    /// The quoted message of this contact, and the cases in which it stands. Of several messages of one name, the newest.
    pub fn quoted(&self, contact: ContactId) -> Option<(MessageId, Vec<Reference>)> {
        let quoted = self.needs.quoted.as_ref()?;
        self.world
            .messages
            .iter()
            .filter(|message| message.is_called(quoted) && message.contact_id == contact)
            .filter(|message| !message.references.is_empty())
            .max_by_key(|message| message.message_id)
            .map(|message| (message.message_id, message.references.clone()))
    }

    /// The newest case of the contact, where [`Needs::newest_case`] asked for it; its newest record where there is no case.
    pub fn newest_case(&self, contact: ContactId) -> Option<Reference> {
        self.world.newest.get(&contact).copied()
    }

    /// The cases in which the quoted message of this contact stands.
    pub fn quoted_in(&self, contact: ContactId) -> Vec<Reference> {
        let Some(quoted) = &self.needs.quoted else {
            return vec![];
        };
        self.world
            .messages
            .iter()
            .filter(|message| message.is_called(quoted) && message.contact_id == contact)
            .flat_map(|message| message.references.iter().copied())
            .collect()
    }

    /// The message that [`Needs::message`] asked for, and the cases that it stands in.
    pub fn message(&self) -> Option<(MessageId, &[Reference])> {
        let key = self.needs.message.as_ref()?;
        let message = match key {
            MessageKey::Id(_) | MessageKey::ProviderId(_) => {
                self.world.messages.iter().find(|message| message.is(key))?
            }
            MessageKey::Inbound(id) => {
                let contact = self.contact()?;
                self.world.messages.iter().find(|message| {
                    !message.outbound && message.contact_id == contact && message.is_called(id)
                })?
            }
        };
        Some((message.message_id, &message.references))
    }

    /// How many automatic replies the contact got in the last hour.
    pub fn automatic_replies(&self, contact: ContactId) -> usize {
        self.world
            .automatic_replies
            .get(&contact)
            .copied()
            .unwrap_or_default()
    }

    /// The line that the contact last wrote to.
    pub fn last_line(&self, contact: ContactId) -> Option<LineId> {
        let (_, line_id) = self.world.last_lines.get(&contact)?;
        Some(*line_id)
    }

    /// A survey.
    pub fn survey(&self, id: SurveyId) -> Option<&Survey> {
        match &self.world.streams.get(&StreamId::Survey(id))?.aggregate {
            Aggregate::Survey(survey) => Some(survey),
            _ => None,
        }
    }

    /// A line.
    pub fn line(&self, id: LineId) -> Option<&Line> {
        match &self.world.streams.get(&StreamId::Line(id))?.aggregate {
            Aggregate::Line(line) => Some(line),
            _ => None,
        }
    }

    /// A held webhook.
    pub fn held(&self, id: HeldId) -> Option<&Held> {
        match &self.world.streams.get(&StreamId::Held(id))?.aggregate {
            Aggregate::Held(held) => Some(held),
            _ => None,
        }
    }

    /// A user.
    pub fn user(&self, id: UserId) -> Option<&User> {
        match &self.world.streams.get(&StreamId::User(id))?.aggregate {
            Aggregate::User(user) => Some(user),
            _ => None,
        }
    }

    /// A session.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        match &self.world.streams.get(&StreamId::Session(id))?.aggregate {
            Aggregate::Session(session) => Some(session),
            _ => None,
        }
    }

    /// A series of attempts to sign in.
    pub fn attempts(&self, id: AttemptsId) -> Option<&Attempts> {
        match &self.world.streams.get(&StreamId::Attempts(id))?.aggregate {
            Aggregate::Attempts(attempts) => Some(attempts),
            _ => None,
        }
    }

    /// The looks at a case on a day (UTC).
    pub fn views(&self, reference: Reference, day: NaiveDate) -> Option<&CaseViews> {
        let stream = StreamId::Views(reference, day);
        match &self.world.streams.get(&stream)?.aggregate {
            Aggregate::Views(views) => Some(views),
            _ => None,
        }
    }

    /// An export.
    pub fn export(&self, id: ExportId) -> Option<&Export> {
        match &self.world.streams.get(&StreamId::Export(id))?.aggregate {
            Aggregate::Export(export) => Some(export),
            _ => None,
        }
    }

    /// The installation.
    pub fn installation(&self) -> Option<&Installation> {
        match &self.world.streams.get(&StreamId::Installation)?.aggregate {
            Aggregate::Installation(installation) => Some(installation),
            _ => None,
        }
    }

    /// Whose address [`Needs::email`] is, if it is anybody's.
    pub fn user_of_email(&self) -> Option<UserId> {
        let email = self.needs.email.as_ref()?.to_lowercase();
        self.world.emails.get(&email).copied()
    }

    /// Whether there is an owner but this user, where [`Needs::owners`] asked for them.
    pub fn has_other_owner(&self, id: UserId) -> bool {
        self.world.owners.iter().any(|owner| *owner != id)
    }

    /// A reference that no case has had.
    ///
    /// # Panics
    ///
    /// Where the operation takes more than the [`Needs::new_references`] it asked for.
    pub fn new_reference(&self) -> Reference {
        self.world
            .references
            .borrow_mut()
            .pop()
            .expect("an operation takes no more references than it asked for")
    }
}
