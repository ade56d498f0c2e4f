//! The case: one subject with one contact.
//!
//! [`Case::decide`] turns a command into events or a refusal, [`Case::evolve`] turns an event into the next state, and neither
//! does anything else. A command that asks for what is so already succeeds without events, so that repeating it is harmless.

mod brief;
mod command;
mod delivery;
mod error;
mod event;
mod labels;
mod media;
mod moves;
mod said;
mod snooze;

pub use brief::Summary;
pub use command::{CaseCommand, News};
pub use error::CaseError;
pub use event::{
    Assignee, Author, CaseEvent, InboundMessage, MediaKind, Opened, Origin, OutboundMedia,
    OutboundMessage, Reaction, StoredMedia,
};
pub use labels::{CaseLabel, MAX_CASE_LABELS};
pub use media::MediaNews;
pub use said::Said;
pub use snooze::{MAX_SNOOZE_DAYS, WakeReason};

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

use crate::delivery::Progress;
use crate::ids::{LabelId, MessageId, NoteId, Reference, UserId};
use crate::opt_out::OptOutChange;
use crate::personal::Personal;
use crate::text::{normalise, title};

/// The longest title, in characters.
pub const MAX_TITLE_CHARS: usize = title::MAX_TYPED_CHARS;
/// The longest note or comment, in characters.
pub const MAX_NOTE_CHARS: usize = 10_000;

/// A case as its events have made it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// How many events it has; the sequence of the last one.
    version: u64,
    /// What it is, once it has begun.
    opened: Option<State>,
}

/// A case that has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// How it began.
    pub origin: Opened,
    /// What it is called.
    pub title: Personal<String>,
    /// The answer to the status question.
    pub status: Option<String>,
    /// Whether it is open, closed, or was withdrawn.
    pub stage: Stage,
    /// Who sees to it.
    pub assignee: Option<Assignee>,
    /// The messages that stand in it, by id: all of them in a case that was replayed from its whole stream, and in a brief one
    /// (see [`Case::brief`]) those that were recalled or have come since.
    pub messages: BTreeMap<MessageId, Message>,
    /// The messages that were moved out, with the case each went to.
    pub moved_out: BTreeMap<MessageId, MovedOut>,
    /// How many notes it has.
    pub notes: u64,
    /// The contact's newest reaction to each message, taken off or not. A case has one contact, and so a message has one reaction.
    #[serde(default)]
    pub reactions: BTreeMap<MessageId, Box<Reaction>>,
    /// Which files of messages are kept or given up, each by its message and its number in it.
    #[serde(default)]
    pub settled_media: BTreeSet<(MessageId, u16)>,
    /// The sequence of the last event by which something was said here; 0 where nothing was. Moves say nothing.
    #[serde(default)]
    pub last_said: u64,
    /// Who said the newest things that stand here.
    #[serde(default)]
    pub said: Said,
    /// How many messages stand here.
    #[serde(default)]
    pub standing: u32,
    /// Its labels, ordered by their ids. One that was deleted since may be among them.
    #[serde(default)]
    pub labels: Vec<LabelId>,
    /// Until when it is put off, where it is.
    #[serde(default)]
    pub snoozed_until: Option<DateTime<Utc>>,
    /// The last local date for which the text outside of office hours was written here.
    #[serde(default)]
    pub told_closed_on: Option<NaiveDate>,
    /// Whether `messages`, `moved_out`, `reactions` and `settled_media` hold only what was asked for.
    #[serde(default)]
    is_brief: bool,
    /// Whether a brief case no longer knows who said the newest things, because a message came or went by a move.
    #[serde(default)]
    is_outdated: bool,
}

/// Whether messages can reach a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It receives messages.
    Open,
    /// It receives none until it is reopened.
    Closed,
    /// It was made by a move that was undone.
    Withdrawn,
}

/// A message that stands in a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The sequence of the event that brought it.
    pub sequence: u64,
    /// What it is.
    pub body: Body,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The contact said it.
    Inbound(Box<InboundMessage>),
    /// We said it.
    Outbound {
        /// What we said.
        message: Box<OutboundMessage>,
        /// How far it has come.
        progress: Progress,
        /// How often Vonage could not take it in this attempt.
        deferrals: u32,
        /// What Vonage calls it, as far as that is known; mostly one, since an attempt mostly has one.
        sent_ids: Vec<SentId>,
    },
}

/// Vonage's id of an attempt to send a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentId {
    /// The attempt, from 1.
    pub attempt: u32,
    /// Vonage's id of it.
    pub provider_id: String,
}

/// A message that was moved out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MovedOut {
    /// Where it went.
    pub to: Reference,
    /// What it was.
    pub message: Message,
}

impl Case {
    /// How many events the case has, which is the sequence of the last one.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// What the case is; `None` before it has begun.
    pub const fn state(&self) -> Option<&State> {
        self.opened.as_ref()
    }

    /// Whether it receives messages.
    pub fn is_open(&self) -> bool {
        self.opened
            .as_ref()
            .is_some_and(|state| state.stage == Stage::Open)
    }

    /// Whether the matching rules may bring it messages: it is open, and no record of its own, which nobody can refer to.
    pub fn is_routed_to(&self) -> bool {
        self.is_open() && !self.is_record()
    }

    /// Whether it is a record of a message in a survey without cases; it stays one when the survey gets cases.
    pub fn is_record(&self) -> bool {
        self.opened
            .as_ref()
            .is_some_and(|state| state.origin.origin == Origin::Record)
    }

    /// Decides a command.
    ///
    /// # Errors
    ///
    /// A [`CaseError`] that says why nothing can be recorded.
    pub fn decide(&self, command: CaseCommand) -> Result<Vec<CaseEvent>, CaseError> {
        let Some(state) = &self.opened else {
            return match command {
                CaseCommand::Open(opened) => Ok(vec![CaseEvent::CaseOpened(opened)]),
                _ => Err(CaseError::NotOpened),
            };
        };
        match command {
            CaseCommand::Open(_) => Err(CaseError::AlreadyOpened),
            CaseCommand::Receive { message, routed } => state.receive(message, routed),
            CaseCommand::React { reaction, routed } => state.react(reaction, routed),
            CaseCommand::Reply {
                message,
                seen_version,
            } => self.reply(state, message, seen_version),
            CaseCommand::ReplyAutomatically(message) => state.reply_automatically(message),
            CaseCommand::BeginSending {
                message_id,
                attempt,
            } => state.begin_sending(message_id, attempt),
            CaseCommand::RecordDelivery {
                message_id,
                attempt,
                news,
            } => state.record_delivery(message_id, attempt, news),
            CaseCommand::Identify {
                message_id,
                attempt,
                provider_id,
            } => state.identify(message_id, attempt, provider_id),
            CaseCommand::Resend {
                message_id,
                line_id,
            } => state.resend(message_id, line_id),
            CaseCommand::RecordMedia {
                message_id,
                item,
                news,
            } => state.record_media(message_id, item, news),
            CaseCommand::SetStatus {
                question,
                value,
                closes,
            } => state.set_status(question, value, closes),
            CaseCommand::Assign { to } => state.assign(to),
            CaseCommand::Rename { title } => state.rename(title),
            CaseCommand::AddNote {
                note_id,
                author,
                text,
            } => {
                state.must_not_be_withdrawn()?;
                noted(note_id, author, &text)
            }
            CaseCommand::Mention { note_id, users } => state.mention(note_id, users),
            CaseCommand::RecordOptOut(change) => Ok(state.record_opt_out(change)),
            CaseCommand::MoveOut {
                message_id,
                to,
                made_case,
                comment,
            } => state.move_out(message_id, to, made_case, comment),
            CaseCommand::MoveIn {
                message,
                from,
                made_case,
                comment,
                reaction,
            } => state.move_in(message, from, made_case, comment, reaction),
            CaseCommand::RecordRemovedElsewhere {
                message_id,
                from,
                comment,
            } => {
                state.inbound(message_id)?;
                Ok(vec![CaseEvent::MessageRemovedElsewhere {
                    message_id,
                    from,
                    comment,
                }])
            }
            CaseCommand::UndoMove {
                message_id,
                others,
                closed_status,
            } => state.undo_move(message_id, &others, closed_status),
            CaseCommand::TakeBack {
                message_id,
                from,
                reaction,
            } => state.take_back(message_id, from, reaction),
            CaseCommand::SetLabels { to, names } => state.set_labels(to, &names),
            CaseCommand::Snooze { until, now } => state.snooze(until, now),
            CaseCommand::Wake => Ok(state.wake(WakeReason::ByHand)),
            CaseCommand::WakeWhenDue { until } => Ok(state.wake_when_due(until)),
        }
    }

    fn reply(
        &self,
        state: &State,
        message: OutboundMessage,
        seen_version: Option<u64>,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        if state.has_seen(message.message_id) {
            return Ok(vec![]);
        }
        state.must_not_be_withdrawn()?;
        media::check_outbound(&message)?;
        let user = match &message.author {
            Author::User { user_id, .. } => Some(*user_id),
            Author::Automatic { .. } | Author::OptOutConfirmation => None,
        };
        self.must_have_been_heard(seen_version, user)?;
        Ok(vec![CaseEvent::MessageQueued(message)])
    }

    /// That nobody but `user` has said anything since the version `seen`; a person who does not say what they have seen has seen all.
    ///
    /// # Errors
    ///
    /// [`CaseError::SaidSince`].
    pub fn must_have_been_heard(
        &self,
        seen: Option<u64>,
        user: Option<UserId>,
    ) -> Result<(), CaseError> {
        let (Some(seen), Some(state)) = (seen, &self.opened) else {
            return Ok(());
        };
        if state.said.is_news(seen, user) {
            return Err(CaseError::SaidSince {
                seen,
                version: self.version,
            });
        }
        Ok(())
    }

    /// Takes one event in; the next state follows from it alone.
    pub fn evolve(&mut self, event: &CaseEvent) {
        self.version += 1;
        if let CaseEvent::CaseOpened(opened) = event {
            self.opened = Some(State::begun(opened.clone()));
        } else if let Some(state) = &mut self.opened {
            state.evolve(event, self.version);
        }
    }
}

impl State {
    fn begun(origin: Opened) -> Self {
        Self {
            title: origin.title.clone(),
            status: origin.status.clone(),
            stage: Stage::Open,
            assignee: None,
            messages: BTreeMap::new(),
            moved_out: BTreeMap::new(),
            notes: 0,
            reactions: BTreeMap::new(),
            settled_media: BTreeSet::new(),
            last_said: 0,
            said: Said::default(),
            standing: 0,
            labels: vec![],
            snoozed_until: None,
            told_closed_on: None,
            is_brief: false,
            is_outdated: false,
            origin,
        }
    }

    fn must_be_open(&self) -> Result<(), CaseError> {
        match self.stage {
            Stage::Open => Ok(()),
            Stage::Closed => Err(CaseError::Closed),
            Stage::Withdrawn => Err(CaseError::Withdrawn),
        }
    }

    /// A case whose move was undone is told nothing more.
    fn record_opt_out(&self, change: OptOutChange) -> Vec<CaseEvent> {
        if self.stage == Stage::Withdrawn {
            vec![]
        } else {
            vec![CaseEvent::OptOutChanged(change)]
        }
    }

    /// That a note mentions people; nothing where it mentions nobody.
    fn mention(&self, note_id: NoteId, users: Vec<UserId>) -> Result<Vec<CaseEvent>, CaseError> {
        self.must_not_be_withdrawn()?;
        let is_anybody = !users.is_empty();
        let mentioned = CaseEvent::PeopleMentioned { note_id, users };
        Ok(is_anybody.then_some(mentioned).into_iter().collect())
    }

    fn must_not_be_withdrawn(&self) -> Result<(), CaseError> {
        if self.stage == Stage::Withdrawn {
            Err(CaseError::Withdrawn)
        } else {
            Ok(())
        }
    }

    /// Whether the message was recorded here before. One that was moved out counts: recorded again it would stand in two cases,
    /// and an answer recorded again would begin its delivery anew.
    fn has_seen(&self, message_id: MessageId) -> bool {
        self.messages.contains_key(&message_id) || self.moved_out.contains_key(&message_id)
    }

    /// The inbound message of that id.
    ///
    /// # Errors
    ///
    /// [`CaseError::NoSuchMessage`] or [`CaseError::NotInbound`].
    pub fn inbound(&self, message_id: MessageId) -> Result<&InboundMessage, CaseError> {
        match self.messages.get(&message_id).map(|message| &message.body) {
            Some(Body::Inbound(message)) => Ok(message),
            Some(Body::Outbound { .. }) => Err(CaseError::NotInbound(message_id)),
            None => Err(CaseError::NoSuchMessage(message_id)),
        }
    }

    /// The outbound message of that id, and how far it has come.
    ///
    /// # Errors
    ///
    /// [`CaseError::NoSuchMessage`] or [`CaseError::NotOutbound`].
    pub fn outbound(
        &self,
        message_id: MessageId,
    ) -> Result<(&OutboundMessage, Progress), CaseError> {
        match self.messages.get(&message_id).map(|message| &message.body) {
            Some(Body::Outbound {
                message, progress, ..
            }) => Ok((message, *progress)),
            Some(Body::Inbound(_)) => Err(CaseError::NotOutbound(message_id)),
            None => Err(CaseError::NoSuchMessage(message_id)),
        }
    }

    /// How often Vonage could not take the outbound message of that id in its current attempt; 0 where there is none.
    pub fn deferrals(&self, message_id: MessageId) -> u32 {
        match self.messages.get(&message_id).map(|message| &message.body) {
            Some(Body::Outbound { deferrals, .. }) => *deferrals,
            Some(Body::Inbound(_)) | None => 0,
        }
    }

    /// What Vonage calls the outbound message of that id; nothing where there is none.
    pub fn sent_ids(&self, message_id: MessageId) -> &[SentId] {
        match self.messages.get(&message_id).map(|message| &message.body) {
            Some(Body::Outbound { sent_ids, .. }) => sent_ids,
            Some(Body::Inbound(_)) | None => &[],
        }
    }

    fn receive(
        &self,
        message: InboundMessage,
        routed: crate::routing::Routed,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        if self.has_seen(message.message_id) {
            return Ok(vec![]);
        }
        self.must_be_open()?;
        let received = CaseEvent::MessageReceived { message, routed };
        Ok(self.waking(received, WakeReason::Message))
    }

    /// A reaction says nothing, and so a closed case records it too.
    fn react(
        &self,
        reaction: Reaction,
        routed: crate::routing::Routed,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        self.must_not_be_withdrawn()?;
        let is_known = reaction
            .message_id
            .and_then(|message_id| self.reactions.get(&message_id))
            .is_some_and(|known| known.provider_id == reaction.provider_id);
        if is_known {
            return Ok(vec![]);
        }
        Ok(vec![CaseEvent::ReactionReceived { reaction, routed }])
    }

    fn reply_automatically(&self, message: OutboundMessage) -> Result<Vec<CaseEvent>, CaseError> {
        if self.has_seen(message.message_id) {
            return Ok(vec![]);
        }
        self.must_be_open()?;
        Ok(vec![CaseEvent::MessageQueued(message)])
    }

    fn set_status(
        &self,
        question: String,
        value: String,
        closes: bool,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        self.must_not_be_withdrawn()?;
        let same = self.status.as_ref() == Some(&value) && closes == (self.stage == Stage::Closed);
        if same {
            return Ok(vec![]);
        }
        let changed = CaseEvent::StatusChanged {
            question: Some(question),
            from: self.status.clone(),
            to: value,
            closed: closes,
        };
        if closes {
            Ok(self.waking(changed, WakeReason::Closed))
        } else {
            Ok(vec![changed])
        }
    }

    fn assign(&self, to: Option<Assignee>) -> Result<Vec<CaseEvent>, CaseError> {
        self.must_not_be_withdrawn()?;
        let same = self.assignee.as_ref().map(|a| a.user_id) == to.as_ref().map(|a| a.user_id);
        if same {
            return Ok(vec![]);
        }
        let from = self.assignee.clone();
        Ok(vec![CaseEvent::AssigneeChanged { from, to }])
    }

    fn rename(&self, title: Personal<String>) -> Result<Vec<CaseEvent>, CaseError> {
        self.must_not_be_withdrawn()?;
        check_title(&title)?;
        if title == self.title {
            return Ok(vec![]);
        }
        let from = self.title.clone();
        Ok(vec![CaseEvent::TitleChanged { from, to: title }])
    }

    fn evolve(&mut self, event: &CaseEvent, sequence: u64) {
        self.evolve_messages(event, sequence);
        self.evolve_rest(event, sequence);
    }

    /// What an event makes of the one message that it is about.
    fn evolve_messages(&mut self, event: &CaseEvent, sequence: u64) {
        match event {
            CaseEvent::MessageReceived { message, .. } => self.take_in(message, sequence),
            CaseEvent::MessageMovedIn {
                message, reaction, ..
            } => {
                self.take_in(message, sequence);
                self.set_reaction(message.message_id, reaction.as_deref());
            }
            CaseEvent::ReactionReceived { reaction, .. } => {
                if let Some(message_id) = reaction.message_id {
                    self.set_reaction(message_id, Some(reaction));
                }
            }
            CaseEvent::MessageQueued(message) => {
                let body = Body::Outbound {
                    message: Box::new(message.clone()),
                    progress: Progress::QUEUED,
                    deferrals: 0,
                    sent_ids: vec![],
                };
                self.messages
                    .insert(message.message_id, Message { sequence, body });
            }
            CaseEvent::MessageMovedOut { message_id, to, .. } => {
                if let Some(message) = self.messages.remove(message_id) {
                    self.moved_out
                        .insert(*message_id, MovedOut { to: *to, message });
                }
            }
            CaseEvent::MoveUndone { message_id, .. } => {
                self.messages.remove(message_id);
            }
            CaseEvent::MessageReturned {
                message_id,
                reaction,
                ..
            } => {
                if let Some(MovedOut { message, .. }) = self.moved_out.remove(message_id) {
                    // It is news: nobody expects it here any more.
                    self.messages.insert(
                        *message_id,
                        Message {
                            sequence,
                            ..message
                        },
                    );
                }
                self.set_reaction(*message_id, reaction.as_deref());
            }
            CaseEvent::MediaStored(media) => {
                self.settled_media.insert((media.message_id, media.item));
            }
            CaseEvent::MediaFailed {
                message_id, item, ..
            } => {
                self.settled_media.insert((*message_id, *item));
            }
            delivery => self.evolve_delivery(delivery),
        }
    }

    /// What an event makes of the case beside the message that it is about.
    fn evolve_rest(&mut self, event: &CaseEvent, sequence: u64) {
        match event {
            CaseEvent::MessageReceived { .. } => {
                self.last_said = sequence;
                self.standing += 1;
                self.said.by_contact(sequence);
            }
            CaseEvent::MessageQueued(message) => {
                self.last_said = sequence;
                self.standing += 1;
                match &message.author {
                    Author::User { user_id, .. } => self.said.by_user(*user_id, sequence),
                    Author::Automatic { occasion } => {
                        self.told_closed_on = occasion.date().or(self.told_closed_on);
                    }
                    Author::OptOutConfirmation => {}
                }
            }
            CaseEvent::MessageMovedIn { .. } | CaseEvent::MessageReturned { .. } => {
                self.standing += 1;
                self.move_was_recorded();
            }
            CaseEvent::MessageMovedOut { .. } => {
                self.standing = self.standing.saturating_sub(1);
                self.move_was_recorded();
            }
            CaseEvent::MoveUndone { status, .. } => {
                self.standing = self.standing.saturating_sub(1);
                self.stage = Stage::Withdrawn;
                if status.is_some() {
                    self.status.clone_from(status);
                }
                self.move_was_recorded();
            }
            CaseEvent::StatusChanged { to, closed, .. } => {
                self.status = Some(to.clone());
                self.stage = if *closed { Stage::Closed } else { Stage::Open };
            }
            CaseEvent::AssigneeChanged { to, .. } => self.assignee.clone_from(to),
            CaseEvent::TitleChanged { to, .. } => self.title.clone_from(to),
            CaseEvent::NoteAdded { .. } => self.notes += 1,
            CaseEvent::LabelsChanged { to, .. } => self.labels_were_set(to),
            CaseEvent::CaseSnoozed { until, .. } => self.snoozed_until = Some(*until),
            CaseEvent::CaseWoken { .. } => self.snoozed_until = None,
            _ => {}
        }
    }

    fn take_in(&mut self, message: &InboundMessage, sequence: u64) {
        self.moved_out.remove(&message.message_id);
        let body = Body::Inbound(Box::new(message.clone()));
        self.messages
            .insert(message.message_id, Message { sequence, body });
    }

    /// Webhooks come in any order: the newest reaction by Vonage's time counts, and of the same time the one that came last.
    fn set_reaction(&mut self, message_id: MessageId, reaction: Option<&Reaction>) {
        let Some(reaction) = reaction else {
            return;
        };
        let known = self.reactions.get(&message_id);
        if known.is_none_or(|known| known.at <= reaction.at) {
            self.reactions
                .insert(message_id, Box::new(reaction.clone()));
        }
    }
}

/// That a note was added.
///
/// # Errors
///
/// [`CaseError::Empty`] or [`CaseError::TooLong`].
fn noted(note_id: NoteId, author: Author, text: &str) -> Result<Vec<CaseEvent>, CaseError> {
    let text = Personal(normalise::typed(text).into_owned());
    must_fit("the note", &text, MAX_NOTE_CHARS)?;
    Ok(vec![CaseEvent::NoteAdded {
        note_id,
        author,
        text,
    }])
}

/// Whether a title that somebody typed can be kept.
///
/// # Errors
///
/// [`CaseError::Empty`] or [`CaseError::TooLong`].
pub fn check_title(title: &str) -> Result<(), CaseError> {
    must_fit("the title", title, MAX_TITLE_CHARS)
}

fn must_fit(what: &'static str, text: &str, max: usize) -> Result<(), CaseError> {
    if normalise::is_empty(text) {
        return Err(CaseError::Empty(what));
    }
    let chars = text.chars().count();
    if chars > max {
        Err(CaseError::TooLong { what, chars, max })
    } else {
        Ok(())
    }
}

impl Aggregate for Case {
    const TYPE: &'static str = "Case";
    type Command = CaseCommand;
    type Event = CaseEvent;
    type Error = CaseError;
    type Services = ();

    async fn handle(
        &mut self,
        command: CaseCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), CaseError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: CaseEvent) {
        self.evolve(&event);
    }
}
