//! What happens to a case.
//!
//! Names and meaning never change once an event has been stored; a field may be added where old events have a sound default.
//! Anything more is a new version with an upcaster, and a golden file for each version under `domain/tests/golden`.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Deserializer, Serialize};

use super::{CaseLabel, WakeReason};
use crate::automatic::Occasion;
use crate::channel::Channel;
use crate::content::Content;
use crate::ids::{ContactId, LineId, MediaId, MessageId, NoteId, Reference, SurveyId, UserId};
use crate::media::{MediaFailure, StoredFile};
use crate::opt_out::OptOutChange;
use crate::personal::Personal;
use crate::routing::Routed;
use crate::whatsapp_template::SentTemplate;

/// An event of a [`Case`](super::Case).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CaseEvent {
    /// The case began.
    CaseOpened(Opened),
    /// The contact said something.
    MessageReceived {
        /// What was said.
        message: InboundMessage,
        /// Why it came here.
        routed: Routed,
    },
    /// The contact reacted to a message, or took a reaction off. Nothing was said.
    ReactionReceived {
        /// The reaction.
        reaction: Reaction,
        /// Why it came here.
        routed: Routed,
    },
    /// An answer was recorded and waits to be sent.
    MessageQueued(OutboundMessage),
    /// A call to Vonage is about to be made.
    MessageSending {
        /// The message.
        message_id: MessageId,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// Vonage could not take the message now; it will be offered again.
    MessageDeferred {
        /// The message.
        message_id: MessageId,
        /// The attempt, from 1.
        attempt: u32,
        /// Not to be offered before.
        not_before: DateTime<Utc>,
        /// Why, in words without personal data.
        reason: String,
    },
    /// Vonage took the message.
    MessageSent {
        /// The message.
        message_id: MessageId,
        /// The attempt, from 1.
        attempt: u32,
        /// Vonage's id of it, where it could be read.
        provider_id: Option<String>,
    },
    /// Vonage's id of an attempt became known by something else than that Vonage took it. How far the message has come is the same.
    MessageIdentified {
        /// The message.
        message_id: MessageId,
        /// The attempt, from 1.
        attempt: u32,
        /// Vonage's id of that attempt.
        provider_id: String,
    },
    /// The message reached the person's device.
    MessageDelivered {
        /// The message.
        message_id: MessageId,
        /// The attempt, from 1.
        attempt: u32,
        /// Vonage's time.
        at: DateTime<Utc>,
        /// Whether `at` is the time at which the status came, since Vonage's could not be read.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        at_is_arrival: bool,
    },
    /// The person opened the message.
    MessageRead {
        /// The message.
        message_id: MessageId,
        /// The attempt, from 1.
        attempt: u32,
        /// Vonage's time.
        at: DateTime<Utc>,
        /// Whether `at` is the time at which the status came, since Vonage's could not be read.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        at_is_arrival: bool,
    },
    /// The message did not, and will not, arrive.
    MessageFailed {
        /// The message.
        message_id: MessageId,
        /// The attempt, from 1.
        attempt: u32,
        /// Vonage's error code.
        code: Option<u32>,
        /// Vonage's reason.
        reason: String,
    },
    /// It is unknown whether Vonage took the message.
    MessageUncertain {
        /// The message.
        message_id: MessageId,
        /// The attempt, from 1.
        attempt: u32,
        /// What was seen of the call.
        reason: String,
    },
    /// An agent chose to send a failed or uncertain message again.
    MessageRequeued {
        /// The message, whole: whoever keeps only what is to be sent has long forgotten it.
        message: Box<OutboundMessage>,
        /// The new attempt, from 2.
        attempt: u32,
    },
    /// The answer to the status question changed.
    StatusChanged {
        /// The question as the survey asked it then; none where version 1 wrote the event, which did not say.
        #[serde(deserialize_with = "must_be_there")]
        question: Option<String>,
        /// The answer before.
        from: Option<String>,
        /// The answer now.
        to: String,
        /// Whether the case is closed by it; settings changed later rewrite nothing.
        closed: bool,
    },
    /// Somebody else, or nobody, is to see to the case.
    AssigneeChanged {
        /// Who it was.
        from: Option<Assignee>,
        /// Who it is now.
        to: Option<Assignee>,
    },
    /// The case got another title.
    TitleChanged {
        /// The title before.
        from: Personal<String>,
        /// The title now.
        to: Personal<String>,
    },
    /// Somebody wrote a note, which is never sent.
    NoteAdded {
        /// The note.
        note_id: NoteId,
        /// Who wrote it.
        author: Author,
        /// What it says.
        text: Personal<String>,
    },
    /// The note that was just added mentions people.
    PeopleMentioned {
        /// The note.
        note_id: NoteId,
        /// Who, each once, ordered.
        users: Vec<UserId>,
    },
    /// A message was taken out of this case.
    MessageMovedOut {
        /// The message.
        message_id: MessageId,
        /// The case it went to.
        to: Reference,
        /// Whether that case was made by the move.
        made_case: bool,
        /// The agent's comment.
        comment: Option<Personal<String>>,
    },
    /// A message was brought into this case.
    MessageMovedIn {
        /// The message with all that stays with it.
        message: InboundMessage,
        /// The case it came from.
        from: Reference,
        /// Whether this case was made by the move.
        made_case: bool,
        /// The agent's comment.
        comment: Option<Personal<String>>,
        /// The contact's newest reaction to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reaction: Option<Box<Reaction>>,
    },
    /// The move that made this case was undone; the case is closed for good.
    MoveUndone {
        /// The message that left again.
        message_id: MessageId,
        /// The case it returned to.
        to: Reference,
        /// The answer to the status question from now on.
        status: Option<String>,
    },
    /// A message that had been moved out came back, to where it stood.
    MessageReturned {
        /// The message.
        message_id: MessageId,
        /// The case that the move had made.
        from: Reference,
        /// The contact's newest reaction to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reaction: Option<Box<Reaction>>,
    },
    /// A message that stands here left another case, in which it stood too.
    MessageRemovedElsewhere {
        /// The message.
        message_id: MessageId,
        /// The case that it left.
        from: Reference,
        /// The agent's comment.
        comment: Option<Personal<String>>,
    },
    /// The contact opted out on a channel, or in again. The contact's own stream says the same; here it stands for the case's history.
    OptOutChanged(OptOutChange),
    /// The case got other labels.
    LabelsChanged {
        /// The labels before, but for those that were deleted since.
        from: Vec<CaseLabel>,
        /// The labels now.
        to: Vec<CaseLabel>,
    },
    /// The case was put off until later. It stays open, and messages reach it.
    CaseSnoozed {
        /// Until when it had been put off before, where it was.
        from: Option<DateTime<Utc>>,
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The case is not put off any more.
    CaseWoken {
        /// Until when it had been put off.
        until: DateTime<Utc>,
        /// Why it ended.
        reason: WakeReason,
    },
    /// A file that a message carries is kept.
    MediaStored(StoredMedia),
    /// A file that a message carries could not be fetched, and is not tried again.
    MediaFailed {
        /// The message.
        message_id: MessageId,
        /// Which file of the message, from 0.
        item: u16,
        /// Why.
        reason: MediaFailure,
    },
}

/// A file of a message that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMedia {
    /// The message.
    pub message_id: MessageId,
    /// Which file of the message, from 0.
    pub item: u16,
    /// SHA-256 of its bytes, in hexadecimal digits; the store knows it by that.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type, told by its first bytes.
    #[serde(rename = "type")]
    pub media_type: String,
    /// Its name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Personal<String>>,
    /// Of a picture that can be shown: its width in pixels, as people see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Of a picture that can be shown: its height in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

impl StoredMedia {
    /// That this file of a message is kept.
    pub fn new(message_id: MessageId, item: u16, file: StoredFile) -> Self {
        let StoredFile {
            sha256,
            size,
            media_type,
            name,
            width,
            height,
        } = file;
        Self {
            message_id,
            item,
            sha256,
            size,
            media_type,
            name,
            width,
            height,
        }
    }

    /// What is kept.
    pub fn file(&self) -> StoredFile {
        StoredFile {
            sha256: self.sha256.clone(),
            size: self.size,
            media_type: self.media_type.clone(),
            name: self.name.clone(),
            width: self.width,
            height: self.height,
        }
    }
}

/// How a case began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// Its number, for good.
    pub reference: Reference,
    /// Whose case it is.
    pub contact_id: ContactId,
    /// The contact's number.
    pub number: Personal<String>,
    /// The survey it belongs to.
    pub survey_id: SurveyId,
    /// The line that it began on.
    pub line_id: LineId,
    /// That line's channel.
    pub channel: Channel,
    /// What it is called.
    pub title: Personal<String>,
    /// The answer to the status question that cases begin with.
    pub status: Option<String>,
    /// What made it.
    pub origin: Origin,
    /// The closed case that it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Reference>,
}

/// What made a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Origin {
    /// A message of the contact's.
    Message,
    /// A message in a survey that keeps each as a record of its own.
    Record,
    /// An agent who wrote first.
    Agent,
    /// A message moved out of another case.
    Move {
        /// That other case.
        from: Reference,
    },
}

/// Something that a contact said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboundMessage {
    /// Our id of it, the same in every case that it stands in.
    pub message_id: MessageId,
    /// The line it came in on.
    pub line_id: LineId,
    /// That line's channel.
    pub channel: Channel,
    /// The number it came from.
    pub from: Personal<String>,
    /// What it carries.
    pub content: Personal<Content>,
    /// Vonage's id of it.
    pub provider_id: String,
    /// Vonage's time.
    pub at: DateTime<Utc>,
    /// Whether `at` is the time at which it came, since Vonage's could not be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_is_arrival: bool,
    /// Vonage's id of the message that it quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotes: Option<String>,
    /// What the person calls themselves on the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_name: Option<Personal<String>>,
}

/// An emoji that a contact set on a message, or took off it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reaction {
    /// Our id of it, the same in every case that it stands in.
    pub reaction_id: MessageId,
    /// The message that it is on; absent where that message is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// Vonage's id of the message that it is on; absent where Vonage did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_provider_id: Option<String>,
    /// The emoji; absent where it was taken off, or could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<Personal<String>>,
    /// Whether the reaction was taken off.
    #[serde(default)]
    pub removed: bool,
    /// The line it came in on.
    pub line_id: LineId,
    /// That line's channel.
    pub channel: Channel,
    /// The number it came from.
    pub from: Personal<String>,
    /// Vonage's id of the reaction itself.
    pub provider_id: String,
    /// Vonage's time.
    pub at: DateTime<Utc>,
    /// What the person calls themselves on the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_name: Option<Personal<String>>,
}

/// Something that we say to a contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboundMessage {
    /// Our id of it, the same in every case that it stands in.
    pub message_id: MessageId,
    /// Who it is for; messages to one contact go out in order.
    pub contact_id: ContactId,
    /// The line it goes out from.
    pub line_id: LineId,
    /// That line's channel.
    pub channel: Channel,
    /// The number it goes to.
    pub to: Personal<String>,
    /// What was written.
    pub text: Personal<String>,
    /// What is sent: the text with the reference appended.
    pub sent_text: Personal<String>,
    /// Who wrote it.
    pub author: Author,
    /// The cases that it is recorded in, ordered.
    pub references: Vec<Reference>,
    /// The `WhatsApp` template that it is sent as; `text` is what the template says with its parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<SentTemplate>>,
    /// The file that goes out with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Box<OutboundMedia>>,
}

/// A file that goes out with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundMedia {
    /// Its id.
    pub media_id: MediaId,
    /// As what it is sent.
    pub kind: MediaKind,
    /// What is kept of it.
    pub file: StoredFile,
}

/// As what a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// A picture, shown at once.
    Image,
    /// A sound.
    Audio,
    /// A film.
    Video,
    /// A document.
    File,
}

impl MediaKind {
    /// As what a file of that type is sent on a channel: as a document where the channel does not show its type.
    pub fn of(channel: Channel, media_type: &str) -> Self {
        match (channel, media_type) {
            (_, "image/jpeg" | "image/png") | (Channel::Sms, "image/gif" | "image/bmp") => {
                Self::Image
            }
            (
                Channel::Whatsapp,
                "audio/aac" | "audio/mp4" | "audio/amr" | "audio/mpeg" | "audio/ogg" | "audio/opus",
            ) => Self::Audio,
            (Channel::Whatsapp, "video/mp4" | "video/3gpp") => Self::Video,
            _ => Self::File,
        }
    }

    /// Its name, as it stands in events and in calls to Vonage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::File => "file",
        }
    }
}

/// Who said or wrote something on our side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Author {
    /// A person who signed in.
    User {
        /// Their id.
        user_id: UserId,
        /// Their address at that time.
        email: Personal<String>,
    },
    /// Docket itself, as a line's settings say.
    Automatic {
        /// Why; the reply for several open cases where the event does not say.
        #[serde(default, skip_serializing_if = "Occasion::is_several_cases")]
        occasion: Occasion,
    },
    /// The confirmation that the contact opted out: the one message that is sent to them after it.
    OptOutConfirmation,
}

impl Author {
    /// The automatic reply for several open cases.
    pub const SEVERAL_CASES: Self = Self::Automatic {
        occasion: Occasion::SeveralCases,
    };

    /// Whether no person wrote it.
    pub const fn is_automatic(&self) -> bool {
        !matches!(self, Self::User { .. })
    }

    /// Why it was written automatically, where a line's settings say so of a message that came in.
    pub const fn occasion(&self) -> Option<Occasion> {
        match self {
            Self::Automatic { occasion } => Some(*occasion),
            Self::User { .. } | Self::OptOutConfirmation => None,
        }
    }
}

/// Who sees to a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignee {
    /// Their id.
    pub user_id: UserId,
    /// Their address at that time.
    pub email: Personal<String>,
}

impl CaseEvent {
    /// Every event type, for the catalogue and the golden files.
    pub const TYPES: [&'static str; 29] = [
        "CaseOpened",
        "MessageReceived",
        "ReactionReceived",
        "MessageQueued",
        "MessageSending",
        "MessageDeferred",
        "MessageSent",
        "MessageIdentified",
        "MessageDelivered",
        "MessageRead",
        "MessageFailed",
        "MessageUncertain",
        "MessageRequeued",
        "StatusChanged",
        "AssigneeChanged",
        "TitleChanged",
        "NoteAdded",
        "PeopleMentioned",
        "MessageMovedOut",
        "MessageMovedIn",
        "MoveUndone",
        "MessageReturned",
        "MessageRemovedElsewhere",
        "OptOutChanged",
        "LabelsChanged",
        "CaseSnoozed",
        "CaseWoken",
        "MediaStored",
        "MediaFailed",
    ];

    /// The event's type: its variant's name.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::CaseOpened(_) => "CaseOpened",
            Self::MessageReceived { .. } => "MessageReceived",
            Self::ReactionReceived { .. } => "ReactionReceived",
            Self::MessageQueued(_) => "MessageQueued",
            Self::MessageSending { .. } => "MessageSending",
            Self::MessageDeferred { .. } => "MessageDeferred",
            Self::MessageSent { .. } => "MessageSent",
            Self::MessageIdentified { .. } => "MessageIdentified",
            Self::MessageDelivered { .. } => "MessageDelivered",
            Self::MessageRead { .. } => "MessageRead",
            Self::MessageFailed { .. } => "MessageFailed",
            Self::MessageUncertain { .. } => "MessageUncertain",
            Self::MessageRequeued { .. } => "MessageRequeued",
            Self::StatusChanged { .. } => "StatusChanged",
            Self::AssigneeChanged { .. } => "AssigneeChanged",
            Self::TitleChanged { .. } => "TitleChanged",
            Self::NoteAdded { .. } => "NoteAdded",
            Self::PeopleMentioned { .. } => "PeopleMentioned",
            Self::MessageMovedOut { .. } => "MessageMovedOut",
            Self::MessageMovedIn { .. } => "MessageMovedIn",
            Self::MoveUndone { .. } => "MoveUndone",
            Self::MessageReturned { .. } => "MessageReturned",
            Self::MessageRemovedElsewhere { .. } => "MessageRemovedElsewhere",
            Self::OptOutChanged(_) => "OptOutChanged",
            Self::MediaStored(_) => "MediaStored",
            Self::MediaFailed { .. } => "MediaFailed",
            Self::LabelsChanged { .. } => "LabelsChanged",
            Self::CaseSnoozed { .. } => "CaseSnoozed",
            Self::CaseWoken { .. } => "CaseWoken",
        }
    }

    /// The message that it is about; `None` where it is about none.
    pub const fn message_id(&self) -> Option<MessageId> {
        match self {
            Self::MessageReceived { message, .. } | Self::MessageMovedIn { message, .. } => {
                Some(message.message_id)
            }
            Self::ReactionReceived { reaction, .. } => reaction.message_id,
            Self::MessageQueued(message) => Some(message.message_id),
            Self::MediaStored(media) => Some(media.message_id),
            Self::MessageRequeued { message, .. } => Some(message.message_id),
            Self::MessageSending { message_id, .. }
            | Self::MessageDeferred { message_id, .. }
            | Self::MessageSent { message_id, .. }
            | Self::MessageIdentified { message_id, .. }
            | Self::MessageDelivered { message_id, .. }
            | Self::MessageRead { message_id, .. }
            | Self::MessageFailed { message_id, .. }
            | Self::MessageUncertain { message_id, .. }
            | Self::MessageMovedOut { message_id, .. }
            | Self::MoveUndone { message_id, .. }
            | Self::MessageReturned { message_id, .. }
            | Self::MessageRemovedElsewhere { message_id, .. }
            | Self::MediaFailed { message_id, .. } => Some(*message_id),
            Self::CaseOpened(_)
            | Self::StatusChanged { .. }
            | Self::AssigneeChanged { .. }
            | Self::TitleChanged { .. }
            | Self::NoteAdded { .. }
            | Self::PeopleMentioned { .. }
            | Self::OptOutChanged(_)
            | Self::LabelsChanged { .. }
            | Self::CaseSnoozed { .. }
            | Self::CaseWoken { .. } => None,
        }
    }

    /// The version that is written today.
    pub const fn version(&self) -> &'static str {
        match self {
            // 2: says which question was answered, since the survey may ask another one later.
            Self::StatusChanged { .. } => "2",
            _ => "1",
        }
    }
}

/// Reads a member that can be null and cannot be left out: an event of an older version that has not gone through its upcaster
/// is then an error, and not a newer event that says less.
fn must_be_there<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

impl DomainEvent for CaseEvent {
    fn event_type(&self) -> String {
        self.type_name().to_owned()
    }

    fn event_version(&self) -> String {
        self.version().to_owned()
    }
}
