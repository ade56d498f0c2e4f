//! What an operation can see while it is decided.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use docket_domain::case::{Case, CaseEvent};
use docket_domain::channel::Channel;
use docket_domain::contact::profile::Contact;
use docket_domain::contact::{ContactState, KnownMessage};
use docket_domain::event::{Event, StreamId};
use docket_domain::held::Held;
use docket_domain::ids::{
    AttemptsId, ContactId, ExportId, HeldId, LineId, MessageId, Reference, SessionId, SurveyId,
    UserId, WhatsappTemplateId,
};
use docket_domain::installation::Installation;
use docket_domain::label::Labels;
use docket_domain::line::Line;
use docket_domain::people::attempts::Attempts;
use docket_domain::people::export::Export;
use docket_domain::people::session::Session;
use docket_domain::people::views::CaseViews;
use docket_domain::survey::Survey;
use docket_domain::user::{Role, User, UserEvent};
use docket_domain::whatsapp_template::WhatsappTemplate;

use super::needs::{ContactKey, MessageKey, Needs};
use crate::settings::Settings;

/// An aggregate beside cases, as it is after the events of this batch so far.
#[derive(Clone, Debug)]
pub(crate) enum Aggregate {
    Survey(Survey),
    Line(Line),
    Held(Box<Held>),
    User(User),
    Session(Session),
    Attempts(Attempts),
    Views(CaseViews),
    Export(Export),
    Installation(Installation),
    Labels(Labels),
    WhatsappTemplate(WhatsappTemplate),
}

impl Aggregate {
    /// # Panics
    ///
    /// For a case, which is its contact's, and for a contact.
    pub(crate) fn empty(stream: StreamId) -> Self {
        match stream {
            StreamId::Case(_) | StreamId::Contact(_) => {
                unreachable!("contacts are read as they are decided on, with their cases")
            }
            StreamId::Survey(_) => Self::Survey(Survey::default()),
            StreamId::Line(_) => Self::Line(Line::default()),
            StreamId::Held(_) => Self::Held(Box::default()),
            StreamId::User(_) => Self::User(User::default()),
            StreamId::Session(_) => Self::Session(Session::default()),
            StreamId::Attempts(_) => Self::Attempts(Attempts::default()),
            StreamId::Views(..) => Self::Views(CaseViews::default()),
            StreamId::Export(_) => Self::Export(Export::default()),
            StreamId::Installation => Self::Installation(Installation::default()),
            StreamId::Labels => Self::Labels(Labels::default()),
            StreamId::WhatsappTemplate(_) => Self::WhatsappTemplate(WhatsappTemplate::default()),
        }
    }

    pub(crate) const fn version(&self) -> u64 {
        match self {
            Self::Survey(survey) => survey.version(),
            Self::Line(line) => line.version(),
            Self::Held(held) => held.version(),
            Self::User(user) => user.version(),
            Self::Session(session) => session.version(),
            Self::Attempts(attempts) => attempts.version(),
            Self::Views(views) => views.version(),
            Self::Export(export) => export.version(),
            Self::Installation(installation) => installation.version(),
            Self::Labels(labels) => labels.version(),
            Self::WhatsappTemplate(template) => template.version(),
        }
    }

    /// Takes one event in; one of another aggregate's changes nothing.
    pub(crate) fn evolve(&mut self, event: &Event) {
        match (self, event) {
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
            (Self::Labels(labels), Event::Labels(event)) => labels.evolve(event),
            (Self::WhatsappTemplate(template), Event::WhatsappTemplate(event)) => {
                template.evolve(event);
            }
            _ => {}
        }
    }
}

/// What the operations of a batch need, as it was read, and kept up with what they decide.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) now: DateTime<Utc>,
    contacts: HashMap<ContactId, ContactState>,
    by_number: HashMap<(SurveyId, String), ContactId>,
    owners_of_cases: HashMap<Reference, ContactId>,
    /// Streams beside cases.
    pub(crate) streams: HashMap<StreamId, Aggregate>,
    /// Whose address it is, as far as any operation asked.
    pub(crate) emails: HashMap<String, UserId>,
    /// The owners and the versions of their streams, where any operation asked.
    pub(crate) owners: BTreeMap<UserId, u64>,
    pub(crate) references: RefCell<Vec<Reference>>,
}

impl Loaded {
    pub(crate) fn at(now: DateTime<Utc>) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    pub(crate) fn contacts(&self) -> impl Iterator<Item = &ContactState> {
        self.contacts.values()
    }

    pub(crate) fn into_contacts(self) -> impl Iterator<Item = ContactState> {
        self.contacts.into_values()
    }

    pub(crate) fn contact(&self, id: ContactId) -> Option<&ContactState> {
        self.contacts.get(&id)
    }

    pub(crate) fn contact_by_number(
        &self,
        survey_id: SurveyId,
        number: &str,
    ) -> Option<&ContactState> {
        // The tuple is built for the look-up alone; a batch has few of them.
        let id = self.by_number.get(&(survey_id, number.to_owned()))?;
        self.contacts.get(id)
    }

    pub(crate) fn put_contact(&mut self, contact: ContactState) {
        let id = contact.contact_id;
        self.by_number
            .insert((contact.survey_id, contact.number.clone()), id);
        self.owners_of_cases
            .extend(contact.references().map(|reference| (reference, id)));
        self.contacts.insert(id, contact);
    }

    pub(crate) fn take_contact(&mut self, id: ContactId) -> Option<ContactState> {
        self.contacts.remove(&id)
    }

    /// Makes a contact known that writes for the first time.
    pub(crate) fn meet(&mut self, key: &ContactKey) {
        if self.contact_by_number(key.survey_id, &key.number).is_none() {
            let contact = ContactState::new(key.new_id, key.survey_id, key.number.clone());
            self.put_contact(contact);
        }
    }

    pub(crate) fn put_case(&mut self, id: ContactId, reference: Reference, case: Case) {
        if let Some(contact) = self.contacts.get_mut(&id) {
            contact.put_case(reference, case);
            self.owners_of_cases.insert(reference, id);
        }
    }

    pub(crate) fn put_message(&mut self, id: ContactId, message: KnownMessage) {
        if let Some(contact) = self.contacts.get_mut(&id) {
            contact.put_message(message);
        }
    }

    pub(crate) fn put_last_line(&mut self, id: ContactId, at: DateTime<Utc>, line_id: LineId) {
        if let Some(contact) = self.contacts.get_mut(&id) {
            contact.put_last_line(at, line_id);
        }
    }

    pub(crate) fn put_newest(&mut self, id: ContactId, reference: Reference) {
        if let Some(contact) = self.contacts.get_mut(&id) {
            contact.put_newest(reference);
        }
    }

    /// Whose case it is, as far as that is known here.
    pub(crate) fn owner(&self, reference: Reference) -> Option<ContactId> {
        self.owners_of_cases.get(&reference).copied()
    }

    pub(crate) fn case(&self, reference: Reference) -> Option<&Case> {
        self.contact(self.owner(reference)?)?.case(reference)
    }

    pub(crate) fn case_mut(&mut self, reference: Reference) -> Option<&mut Case> {
        let id = self.owner(reference)?;
        self.contacts.get_mut(&id)?.case_mut(reference)
    }

    /// The message that the key means, with its contact: at most one, but for ids that Vonage gave twice.
    pub(crate) fn messages<'a>(
        &'a self,
        key: &'a MessageKey,
        contact: Option<&ContactKey>,
    ) -> impl Iterator<Item = &'a KnownMessage> {
        self.messages_with_contact(key, contact)
            .map(|(_, message)| message)
    }

    pub(crate) fn messages_with_contact<'a>(
        &'a self,
        key: &'a MessageKey,
        contact: Option<&ContactKey>,
    ) -> impl Iterator<Item = (ContactId, &'a KnownMessage)> {
        let only = match key {
            MessageKey::Id(_) | MessageKey::ProviderId(_) => None,
            MessageKey::Inbound(_) => Some(contact.and_then(|contact| {
                let contact = self.contact_by_number(contact.survey_id, &contact.number)?;
                Some(contact.contact_id)
            })),
        };
        self.contacts
            .values()
            .filter(move |contact| only.is_none_or(|only| only == Some(contact.contact_id)))
            .flat_map(move |contact| {
                let is_it = |message: &&KnownMessage| match key {
                    MessageKey::Id(id) => message.message_id == *id,
                    MessageKey::ProviderId(id) => message.outbound && message.is_called(id),
                    MessageKey::Inbound(id) => !message.outbound && message.is_called(id),
                };
                contact
                    .messages()
                    .iter()
                    .filter(is_it)
                    .map(|message| (contact.contact_id, message))
            })
    }

    /// The messages of a contact that Vonage calls so.
    pub(crate) fn called<'a>(
        &'a self,
        provider_id: &'a str,
        contact: Option<&ContactKey>,
    ) -> impl Iterator<Item = &'a KnownMessage> {
        contact
            .and_then(|key| self.contact_by_number(key.survey_id, &key.number))
            .into_iter()
            .flat_map(ContactState::messages)
            .filter(move |message| message.is_called(provider_id))
    }

    /// Takes in an event that was decided; gives its sequence.
    pub(crate) fn take_in(&mut self, stream: StreamId, event: &Event) -> u64 {
        if let (StreamId::Contact(id), Event::Contact(event)) = (stream, event) {
            let contact = self.contacts.get_mut(&id);
            return contact.map_or(0, |contact| contact.evolve_profile(event));
        }
        if let (StreamId::Case(reference), Event::Case(event)) = (stream, event) {
            if let CaseEvent::CaseOpened(opened) = event {
                self.owners_of_cases.insert(reference, opened.contact_id);
            }
            let now = self.now;
            let owner = self.owner(reference);
            return owner
                .and_then(|id| self.contacts.get_mut(&id))
                .map(|contact| contact.evolve(reference, event, now))
                .unwrap_or_default();
        }
        let aggregate = self
            .streams
            .entry(stream)
            .or_insert_with(|| Aggregate::empty(stream));
        aggregate.evolve(event);
        let version = aggregate.version();
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
        if let (StreamId::User(user_id), Aggregate::User(user)) = (stream, aggregate) {
            let is_owner = user
                .state()
                .is_some_and(|state| state.role == Role::Owner && !state.removed);
            if is_owner {
                self.owners.insert(user_id, version);
            } else {
                self.owners.remove(&user_id);
            }
        }
        version
    }
}

/// What one operation can see: the aggregates it asked for, its contact's cases, and the settings.
pub struct Scope<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) settings: &'a Settings,
    pub(crate) needs: &'a Needs,
}

impl Scope<'_> {
    /// The time of this decision.
    pub const fn now(&self) -> DateTime<Utc> {
        self.loaded.now
    }

    /// The surveys and lines.
    pub const fn settings(&self) -> &Settings {
        self.settings
    }

    /// The contact that [`Needs::contact`] asked for.
    pub fn contact(&self) -> Option<ContactId> {
        let key = self.needs.contact.as_ref()?;
        let contact = self.loaded.contact_by_number(key.survey_id, &key.number)?;
        Some(contact.contact_id)
    }

    /// What is recorded about a contact itself; `None` where the contact is not known.
    pub fn profile(&self, contact: ContactId) -> Option<&Contact> {
        self.loaded.contact(contact).map(ContactState::profile)
    }

    /// The number and the survey of a contact that the operation asked for.
    pub fn number_of(&self, contact: ContactId) -> Option<(&str, SurveyId)> {
        let contact = self.loaded.contact(contact)?;
        Some((&contact.number, contact.survey_id))
    }

    /// Whether anything may be sent to a contact on a channel: whether they have not opted out of it. Every operation that queues or
    /// sends a message asks this, under the contact's version.
    pub fn may_be_sent_to(&self, contact: ContactId, channel: Channel) -> bool {
        let contact = self.loaded.contact(contact);
        contact.is_none_or(|contact| contact.may_be_sent_to(channel))
    }

    /// The open cases of a contact, ordered; records are none.
    pub fn open_cases(&self, contact: ContactId) -> Vec<Reference> {
        self.loaded
            .contact(contact)
            .map(ContactState::open_cases)
            .unwrap_or_default()
    }

    /// A case that the operation asked for, or an open one of its contact. It is brief: of its messages it knows those alone that the
    /// operation asked for.
    pub fn case(&self, reference: Reference) -> Option<&Case> {
        self.loaded
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

    fn messages_quoted(&self, contact: ContactId) -> impl Iterator<Item = &KnownMessage> {
        self.needs.quoted.iter().flat_map(move |quoted| {
            let contact = self.loaded.contact(contact);
            contact
                .into_iter()
                .flat_map(ContactState::messages)
                .filter(move |message| message.is_called(quoted))
        })
    }

    /// The quoted message of this contact, and the cases in which it stands. Of several messages of one name, the newest.
    pub fn quoted(&self, contact: ContactId) -> Option<(MessageId, Vec<Reference>)> {
        self.messages_quoted(contact)
            .filter(|message| !message.references.is_empty())
            .max_by_key(|message| message.message_id)
            .map(|message| (message.message_id, message.references.clone()))
    }

    /// The newest case of the contact, where [`Needs::newest_case`] asked for it; its newest record where there is no case.
    pub fn newest_case(&self, contact: ContactId) -> Option<Reference> {
        self.loaded.contact(contact)?.newest_case()
    }

    /// The cases in which the quoted message of this contact stands.
    pub fn quoted_in(&self, contact: ContactId) -> Vec<Reference> {
        self.messages_quoted(contact)
            .flat_map(|message| message.references.iter().copied())
            .collect()
    }

    /// The message that [`Needs::message`] asked for, and the cases that it stands in.
    pub fn message(&self) -> Option<(MessageId, &[Reference])> {
        let key = self.needs.message.as_ref()?;
        let contact = self.needs.contact.as_ref();
        let message = self.loaded.messages(key, contact).next()?;
        Some((message.message_id, &message.references))
    }

    /// How many automatic replies the contact got in the last hour; more than are allowed are not counted.
    pub fn automatic_replies(&self, contact: ContactId) -> usize {
        self.loaded
            .contact(contact)
            .map(|contact| contact.automatic_replies(self.loaded.now))
            .unwrap_or_default()
    }

    /// When the contact last wrote to that line, or to one that is no longer there and may have been it; `None` where that is longer
    /// ago than `WhatsApp`'s window lasts.
    pub fn window(&self, contact: ContactId, line_id: LineId) -> Option<DateTime<Utc>> {
        let contact = self.loaded.contact(contact)?;
        contact
            .windows()
            .filter(|(known, _)| *known == line_id || self.settings.line(*known).is_none())
            .map(|(_, at)| at)
            .max()
    }

    /// The line that the contact last wrote to.
    pub fn last_line(&self, contact: ContactId) -> Option<LineId> {
        self.loaded.contact(contact)?.last_line()
    }

    /// A survey.
    pub fn survey(&self, id: SurveyId) -> Option<&Survey> {
        match self.loaded.streams.get(&StreamId::Survey(id))? {
            Aggregate::Survey(survey) => Some(survey),
            _ => None,
        }
    }

    /// A line.
    pub fn line(&self, id: LineId) -> Option<&Line> {
        match self.loaded.streams.get(&StreamId::Line(id))? {
            Aggregate::Line(line) => Some(line),
            _ => None,
        }
    }

    /// A `WhatsApp` template.
    pub fn whatsapp_template(&self, id: WhatsappTemplateId) -> Option<&WhatsappTemplate> {
        match self.loaded.streams.get(&StreamId::WhatsappTemplate(id))? {
            Aggregate::WhatsappTemplate(template) => Some(template),
            _ => None,
        }
    }

    /// A held webhook.
    pub fn held(&self, id: HeldId) -> Option<&Held> {
        match self.loaded.streams.get(&StreamId::Held(id))? {
            Aggregate::Held(held) => Some(held),
            _ => None,
        }
    }

    /// A user.
    pub fn user(&self, id: UserId) -> Option<&User> {
        match self.loaded.streams.get(&StreamId::User(id))? {
            Aggregate::User(user) => Some(user),
            _ => None,
        }
    }

    /// A session.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        match self.loaded.streams.get(&StreamId::Session(id))? {
            Aggregate::Session(session) => Some(session),
            _ => None,
        }
    }

    /// A series of attempts to sign in.
    pub fn attempts(&self, id: AttemptsId) -> Option<&Attempts> {
        match self.loaded.streams.get(&StreamId::Attempts(id))? {
            Aggregate::Attempts(attempts) => Some(attempts),
            _ => None,
        }
    }

    /// The looks at a case on a day (UTC).
    pub fn views(&self, reference: Reference, day: NaiveDate) -> Option<&CaseViews> {
        let stream = StreamId::Views(reference, day);
        match self.loaded.streams.get(&stream)? {
            Aggregate::Views(views) => Some(views),
            _ => None,
        }
    }

    /// An export.
    pub fn export(&self, id: ExportId) -> Option<&Export> {
        match self.loaded.streams.get(&StreamId::Export(id))? {
            Aggregate::Export(export) => Some(export),
            _ => None,
        }
    }

    /// The installation.
    pub fn installation(&self) -> Option<&Installation> {
        match self.loaded.streams.get(&StreamId::Installation)? {
            Aggregate::Installation(installation) => Some(installation),
            _ => None,
        }
    }

    /// The labels.
    pub fn labels(&self) -> Option<&Labels> {
        match self.loaded.streams.get(&StreamId::Labels)? {
            Aggregate::Labels(labels) => Some(labels),
            _ => None,
        }
    }

    /// Whose address [`Needs::email`] is, if it is anybody's.
    pub fn user_of_email(&self) -> Option<UserId> {
        let email = self.needs.email.as_ref()?.to_lowercase();
        self.loaded.emails.get(&email).copied()
    }

    /// Whether there is an owner but this user, where [`Needs::owners`] asked for them.
    pub fn has_other_owner(&self, id: UserId) -> bool {
        self.loaded.owners.keys().any(|owner| *owner != id)
    }

    /// A reference that no case has had.
    ///
    /// # Panics
    ///
    /// Where the operation takes more than the [`Needs::new_references`] it asked for.
    pub fn new_reference(&self) -> Reference {
        self.loaded
            .references
            .borrow_mut()
            .pop()
            .expect("an operation takes no more references than it asked for")
    }
}
