//! A contact: one outside number within one survey, with what decisions about its cases read.
//!
//! A contact's cases are decided about together: where a message goes depends on all that are open. [`ContactState`] is what such a
//! decision reads. It is bounded by the number of open cases, of which there is a limit, and not by what was said in them: its cases
//! are brief ([`Case::brief`]), and what a decision needs of one message is recalled for it.

pub mod profile;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use self::profile::{Contact, ContactEvent};
use crate::case::{Case, CaseEvent, Origin};
use crate::channel::Channel;
use crate::ids::{ContactId, LineId, MessageId, Reference, SurveyId};
use crate::text::auto_reply;
use crate::window::WINDOW;

/// How far back automatic replies count.
pub const AUTOMATIC_REPLY_WINDOW: TimeDelta = TimeDelta::hours(1);

/// A contact as decisions see it.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactState {
    /// Its id.
    pub contact_id: ContactId,
    /// The survey.
    pub survey_id: SurveyId,
    /// The outside number, in its one spelling.
    pub number: String,
    /// How often something about it or its cases was recorded; 0 where nothing was yet.
    pub version: u64,
    /// What is recorded about the contact itself.
    profile: Contact,
    /// The open cases, and those that a decision has asked for.
    cases: BTreeMap<Reference, Case>,
    /// When the contact last wrote, and to which line.
    last_line: Option<(DateTime<Utc>, LineId)>,
    /// When the contact last wrote to each `WhatsApp` line, as far as that is within [`WINDOW`].
    windows: BTreeMap<LineId, DateTime<Utc>>,
    /// The newest automatic replies, oldest first: no more than are allowed in [`AUTOMATIC_REPLY_WINDOW`].
    automatic_replies: Vec<(DateTime<Utc>, MessageId)>,
    /// The newest case, where a decision has asked for it: no record before a case.
    newest: Option<Reference>,
    /// Messages that a decision has asked for, or that came since.
    messages: Vec<KnownMessage>,
}

/// A message of a contact: what Vonage calls it, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownMessage {
    /// Our id of it.
    pub message_id: MessageId,
    /// What Vonage calls it, as far as a decision asks.
    pub provider_ids: Vec<String>,
    /// Whether we said it.
    pub outbound: bool,
    /// The cases that it stands in, ordered.
    pub references: Vec<Reference>,
}

impl KnownMessage {
    /// Whether Vonage calls it so.
    pub fn is_called(&self, provider_id: &str) -> bool {
        self.provider_ids.iter().any(|known| known == provider_id)
    }

    fn stands_in(&mut self, reference: Reference) {
        if let Err(place) = self.references.binary_search(&reference) {
            self.references.insert(place, reference);
        }
    }
}

impl ContactState {
    /// A contact of whom nothing is known.
    pub fn new(contact_id: ContactId, survey_id: SurveyId, number: String) -> Self {
        Self {
            contact_id,
            survey_id,
            number,
            version: 0,
            profile: Contact::default(),
            cases: BTreeMap::new(),
            last_line: None,
            windows: BTreeMap::new(),
            automatic_replies: vec![],
            newest: None,
            messages: vec![],
        }
    }

    /// Puts in what is recorded about the contact itself.
    pub fn put_profile(&mut self, profile: Contact) {
        self.profile = profile;
    }

    /// What is recorded about the contact itself.
    pub const fn profile(&self) -> &Contact {
        &self.profile
    }

    /// Whether anything may be sent to the contact on that channel. Whatever queues or sends a message asks this.
    pub fn may_be_sent_to(&self, channel: Channel) -> bool {
        self.profile.may_be_sent_to(channel)
    }

    /// Takes in an event of the contact's own stream; gives its sequence.
    pub fn evolve_profile(&mut self, event: &ContactEvent) -> u64 {
        self.profile.evolve(event);
        self.profile.version()
    }

    /// Puts in a case as the read models show it.
    pub fn put_case(&mut self, reference: Reference, case: Case) {
        self.cases.insert(reference, case);
    }

    /// Puts in when and to which line the contact last wrote.
    pub const fn put_last_line(&mut self, at: DateTime<Utc>, line_id: LineId) {
        self.last_line = Some((at, line_id));
    }

    /// Puts in when the contact last wrote to a `WhatsApp` line.
    pub fn put_window(&mut self, line_id: LineId, at: DateTime<Utc>) {
        let known = self.windows.entry(line_id).or_insert(at);
        *known = at.max(*known);
    }

    /// When the contact last wrote to each `WhatsApp` line, as far as that is within [`WINDOW`]: one entry a line at most.
    pub fn windows(&self) -> impl Iterator<Item = (LineId, DateTime<Utc>)> {
        self.windows.iter().map(|(line_id, at)| (*line_id, *at))
    }

    /// Puts in an automatic reply; they come oldest first.
    pub fn put_automatic_reply(&mut self, at: DateTime<Utc>, message_id: MessageId) {
        self.automatic_replies.push((at, message_id));
        let surplus = self
            .automatic_replies
            .len()
            .saturating_sub(auto_reply::MAX_PER_HOUR);
        self.automatic_replies.drain(..surplus);
    }

    /// Puts in which case is the newest.
    pub const fn put_newest(&mut self, reference: Reference) {
        self.newest = Some(reference);
    }

    /// Puts in a message; what is known of it already is newer.
    pub fn put_message(&mut self, message: KnownMessage) {
        match self.place_of(message.message_id) {
            Some(place) => {
                let known = &mut self.messages[place];
                for provider_id in message.provider_ids {
                    if !known.is_called(&provider_id) {
                        known.provider_ids.push(provider_id);
                    }
                }
            }
            None => self.messages.push(message),
        }
    }

    /// A case that is known here.
    pub fn case(&self, reference: Reference) -> Option<&Case> {
        self.cases.get(&reference)
    }

    /// The same, to recall a message in.
    pub fn case_mut(&mut self, reference: Reference) -> Option<&mut Case> {
        self.cases.get_mut(&reference)
    }

    /// The cases that are known here.
    pub fn references(&self) -> impl Iterator<Item = Reference> {
        self.cases.keys().copied()
    }

    /// When the contact last wrote, and to which line.
    pub const fn last_wrote(&self) -> Option<(DateTime<Utc>, LineId)> {
        self.last_line
    }

    /// The open cases, ordered; records are none.
    pub fn open_cases(&self) -> Vec<Reference> {
        self.cases
            .iter()
            .filter(|(_, case)| case.is_routed_to())
            .map(|(reference, _)| *reference)
            .collect()
    }

    /// The newest case, or the newest record where there is no case; as far as a decision has asked.
    pub const fn newest_case(&self) -> Option<Reference> {
        self.newest
    }

    /// The line that the contact last wrote to.
    pub fn last_line(&self) -> Option<LineId> {
        self.last_line.map(|(_, line_id)| line_id)
    }

    /// How many automatic replies the contact got within [`AUTOMATIC_REPLY_WINDOW`] before `now`; more than are allowed are not counted.
    pub fn automatic_replies(&self, now: DateTime<Utc>) -> usize {
        self.automatic_replies
            .iter()
            .filter(|(at, _)| *at > now - AUTOMATIC_REPLY_WINDOW)
            .count()
    }

    /// The messages that a decision has asked for, or that came since.
    pub fn messages(&self) -> &[KnownMessage] {
        &self.messages
    }

    /// Whether it has to be made anew before the next decision.
    pub fn is_outdated(&self) -> bool {
        self.cases.values().any(Case::is_outdated)
    }

    /// Takes in an event of one of the cases, decided at `now`; gives the event's sequence.
    pub fn evolve(&mut self, reference: Reference, event: &CaseEvent, now: DateTime<Utc>) -> u64 {
        self.keep_newest(reference, event);
        let case = self.cases.entry(reference).or_default();
        case.evolve(event);
        let sequence = case.version();
        match event {
            CaseEvent::MessageReceived { message, .. } => {
                let last = (message.at.min(now), message.line_id);
                if message.channel == Channel::Whatsapp {
                    self.windows.retain(|_, at| *at > now - WINDOW);
                    self.put_window(last.1, last.0);
                }
                if self.last_line.is_none_or(|known| known.0 <= last.0) {
                    self.last_line = Some(last);
                }
            }
            CaseEvent::MessageQueued(message) if message.author.is_automatic() => {
                let is_new = self
                    .automatic_replies
                    .iter()
                    .all(|(_, known)| *known != message.message_id);
                if is_new {
                    self.put_automatic_reply(now, message.message_id);
                }
            }
            _ => {}
        }
        self.take_in_message(reference, event);
        sequence
    }

    /// About how many bytes the texts take that are known here.
    pub fn kept_bytes(&self) -> usize {
        let cases: usize = self.cases.values().map(Case::kept_bytes).sum();
        cases + self.profile.kept_bytes()
    }

    /// Forgets what only the decisions of one batch have asked for, so that it stays bounded.
    pub fn forget(&mut self) {
        self.messages.clear();
        self.newest = None;
        self.cases.retain(|_, case| case.is_routed_to());
        for case in self.cases.values_mut() {
            case.forget();
        }
    }

    /// No record before a case, and none whose move was undone.
    fn keep_newest(&mut self, reference: Reference, event: &CaseEvent) {
        match event {
            CaseEvent::CaseOpened(opened) => {
                let has_case = self
                    .newest
                    .and_then(|newest| self.cases.get(&newest))
                    .is_some_and(|case| !case.is_record());
                if !has_case || opened.origin != Origin::Record {
                    self.newest = Some(reference);
                }
            }
            CaseEvent::MoveUndone { to, .. } if self.newest == Some(reference) => {
                self.newest = Some(*to);
            }
            _ => {}
        }
    }

    fn place_of(&self, message_id: MessageId) -> Option<usize> {
        self.messages
            .iter()
            .position(|message| message.message_id == message_id)
    }

    fn begin_message(
        &mut self,
        reference: Reference,
        message_id: MessageId,
        provider_id: Option<&String>,
    ) {
        match self.place_of(message_id) {
            Some(place) => self.messages[place].stands_in(reference),
            None => self.messages.push(KnownMessage {
                message_id,
                provider_ids: provider_id.into_iter().cloned().collect(),
                outbound: provider_id.is_none(),
                references: vec![reference],
            }),
        }
    }

    /// A later operation of the same batch may quote a message of it, or be about one.
    fn take_in_message(&mut self, reference: Reference, event: &CaseEvent) {
        match event {
            CaseEvent::MessageReceived { message, .. }
            | CaseEvent::MessageMovedIn { message, .. } => {
                self.begin_message(reference, message.message_id, Some(&message.provider_id));
            }
            CaseEvent::MessageQueued(message) => {
                self.begin_message(reference, message.message_id, None);
            }
            CaseEvent::MessageReturned { message_id, .. } => {
                if let Some(place) = self.place_of(*message_id) {
                    self.messages[place].stands_in(reference);
                }
            }
            CaseEvent::MessageMovedOut { message_id, .. }
            | CaseEvent::MoveUndone { message_id, .. } => {
                if let Some(place) = self.place_of(*message_id) {
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
                if let Some(place) = self.place_of(*message_id)
                    && !self.messages[place].is_called(provider_id)
                {
                    self.messages[place].provider_ids.push(provider_id.clone());
                }
            }
            _ => {}
        }
    }
}
