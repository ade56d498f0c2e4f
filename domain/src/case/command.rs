//! What can be asked of a case.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::CaseLabel;
use super::MediaNews;
use super::event::{Assignee, Author, InboundMessage, Opened, OutboundMessage, Reaction};
use crate::delivery::Status;
use crate::ids::{LabelId, LineId, MessageId, NoteId, Reference, UserId};
use crate::opt_out::OptOutChange;
use crate::personal::Personal;
use crate::routing::Routed;

/// A command to a [`Case`](super::Case).
#[derive(Clone, Debug, PartialEq)]
pub enum CaseCommand {
    /// Begin the case.
    Open(Opened),
    /// Take in what the contact said.
    Receive {
        /// What was said.
        message: InboundMessage,
        /// Why it comes here.
        routed: Routed,
    },
    /// Take in a reaction of the contact's.
    React {
        /// The reaction.
        reaction: Reaction,
        /// Why it comes here.
        routed: Routed,
    },
    /// Record an answer to be sent.
    Reply {
        /// The answer.
        message: OutboundMessage,
        /// The case version that the agent had seen; where it is given, the reply is refused if something was said since.
        seen_version: Option<u64>,
    },
    /// Record an automatic reply to be sent.
    ReplyAutomatically(OutboundMessage),
    /// Claim the message for a call to Vonage.
    BeginSending {
        /// The message.
        message_id: MessageId,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// Record what is known of a message.
    RecordDelivery {
        /// The message.
        message_id: MessageId,
        /// The attempt it is about, from 1.
        attempt: u32,
        /// What is known.
        news: News,
    },
    /// Record what Vonage calls an attempt to send a message.
    Identify {
        /// The message.
        message_id: MessageId,
        /// The attempt, from 1.
        attempt: u32,
        /// Vonage's id of that attempt.
        provider_id: String,
    },
    /// Send a failed or uncertain message again.
    Resend {
        /// The message.
        message_id: MessageId,
        /// The line of the same channel that it goes out from now, where its own is gone.
        line_id: Option<LineId>,
    },
    /// Record what became of fetching a file that a message of the contact carries.
    RecordMedia {
        /// The message.
        message_id: MessageId,
        /// Which file of it, from 0.
        item: u16,
        /// What became of it.
        news: MediaNews,
    },
    /// Answer the status question.
    SetStatus {
        /// The question, as the survey asks it now.
        question: String,
        /// The answer.
        value: String,
        /// Whether that answer closes a case, by the survey's settings of now.
        closes: bool,
    },
    /// Give the case to somebody, or to nobody.
    Assign {
        /// Who is to see to it.
        to: Option<Assignee>,
    },
    /// Call the case something else.
    Rename {
        /// The title.
        title: Personal<String>,
    },
    /// Write a note.
    AddNote {
        /// The note's id.
        note_id: NoteId,
        /// Who writes it.
        author: Author,
        /// What it says.
        text: Personal<String>,
    },
    /// Note whom a note mentions.
    Mention {
        /// The note, which is added in the same decision.
        note_id: NoteId,
        /// Who.
        users: Vec<UserId>,
    },
    /// Record that the contact opted out, or in again.
    RecordOptOut(OptOutChange),
    /// Take a message out.
    MoveOut {
        /// The message.
        message_id: MessageId,
        /// The case it goes to.
        to: Reference,
        /// Whether that case is made by the move.
        made_case: bool,
        /// Why.
        comment: Option<Personal<String>>,
    },
    /// Bring a message in.
    MoveIn {
        /// The message.
        message: InboundMessage,
        /// The case it comes from.
        from: Reference,
        /// Whether this case is made by the move.
        made_case: bool,
        /// Why.
        comment: Option<Personal<String>>,
        /// The contact's newest reaction to it.
        reaction: Option<Box<Reaction>>,
    },
    /// Record that a message which stands here left another case by a move to here.
    RecordRemovedElsewhere {
        /// The message.
        message_id: MessageId,
        /// The case that it left.
        from: Reference,
        /// Why.
        comment: Option<Personal<String>>,
    },
    /// Undo the move that made this case.
    UndoMove {
        /// The message that was moved.
        message_id: MessageId,
        /// The other messages that came by the same move; those that still stand here go back with it.
        others: Vec<MessageId>,
        /// The closing answer to the status question, where the survey has one.
        closed_status: Option<String>,
    },
    /// Take back a message that had been moved out.
    TakeBack {
        /// The message.
        message_id: MessageId,
        /// The case that the move had made.
        from: Reference,
        /// The contact's newest reaction to it.
        reaction: Option<Box<Reaction>>,
    },
    /// Give the case these labels, in place of those that it has.
    SetLabels {
        /// All of them.
        to: Vec<CaseLabel>,
        /// Today's names of the labels that the case has, but for those that were deleted.
        names: BTreeMap<LabelId, String>,
    },
    /// Put the case off until later.
    Snooze {
        /// Until when.
        until: DateTime<Utc>,
        /// The time of this decision.
        now: DateTime<Utc>,
    },
    /// Put the case off no longer.
    Wake,
    /// End the snooze whose time has come.
    WakeWhenDue {
        /// The time that has come; a snooze until another time stays.
        until: DateTime<Utc>,
    },
}

impl CaseCommand {
    /// The message that it is about, which the decision reads; `None` where it is about none.
    pub const fn message_id(&self) -> Option<MessageId> {
        match self {
            Self::Receive { message, .. } | Self::MoveIn { message, .. } => {
                Some(message.message_id)
            }
            Self::React { reaction, .. } => reaction.message_id,
            Self::Reply { message, .. } | Self::ReplyAutomatically(message) => {
                Some(message.message_id)
            }
            Self::BeginSending { message_id, .. }
            | Self::RecordDelivery { message_id, .. }
            | Self::Identify { message_id, .. }
            | Self::Resend { message_id, .. }
            | Self::MoveOut { message_id, .. }
            | Self::RecordRemovedElsewhere { message_id, .. }
            | Self::UndoMove { message_id, .. }
            | Self::TakeBack { message_id, .. }
            | Self::RecordMedia { message_id, .. } => Some(*message_id),
            Self::Open(_)
            | Self::SetStatus { .. }
            | Self::Assign { .. }
            | Self::Rename { .. }
            | Self::AddNote { .. }
            | Self::Mention { .. }
            | Self::RecordOptOut(_)
            | Self::SetLabels { .. }
            | Self::Snooze { .. }
            | Self::Wake
            | Self::WakeWhenDue { .. } => None,
        }
    }
}

/// Something learnt of an outbound message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Vonage could not take it now.
    Deferred {
        /// Not to be offered before.
        not_before: DateTime<Utc>,
        /// Why.
        reason: String,
    },
    /// Vonage took it.
    Sent {
        /// Vonage's id of it.
        provider_id: Option<String>,
    },
    /// It arrived.
    Delivered {
        /// Vonage's time.
        at: DateTime<Utc>,
        /// Whether `at` is the time at which the status came, since Vonage's could not be read.
        at_is_arrival: bool,
    },
    /// It was opened.
    Read {
        /// Vonage's time.
        at: DateTime<Utc>,
        /// Whether `at` is the time at which the status came, since Vonage's could not be read.
        at_is_arrival: bool,
    },
    /// It will not arrive.
    Failed {
        /// Vonage's error code.
        code: Option<u32>,
        /// Vonage's reason.
        reason: String,
    },
    /// A call ended without an answer.
    Uncertain {
        /// What was seen.
        reason: String,
    },
}

impl News {
    /// The status that the news amounts to; `None` for a deferral, which is a step back on purpose.
    pub const fn status(&self) -> Option<Status> {
        match self {
            Self::Deferred { .. } => None,
            Self::Sent { .. } => Some(Status::Sent),
            Self::Delivered { .. } => Some(Status::Delivered),
            Self::Read { .. } => Some(Status::Read),
            Self::Failed { .. } => Some(Status::Failed),
            Self::Uncertain { .. } => Some(Status::Uncertain),
        }
    }
}
