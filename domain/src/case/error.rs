//! Why a case refuses a command.

use super::MediaKind;
use super::labels::MAX_CASE_LABELS;
use super::snooze::MAX_SNOOZE_DAYS;
use crate::delivery::Status;
use crate::ids::{MessageId, Reference};

/// A refusal; nothing was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// The case has not begun.
    #[error("there is no such case")]
    NotOpened,
    /// The case has begun already.
    #[error("the case exists already")]
    AlreadyOpened,
    /// A closed case receives no messages.
    #[error("the case is closed; set another status to reopen it")]
    Closed,
    /// The move that made the case was undone.
    #[error("the move that made this case was undone; nothing can be done with it any more")]
    Withdrawn,
    /// Something was said since the agent last looked.
    #[error(
        "something was said since you looked; read it, then ask again with seen_version {version}"
    )]
    SaidSince {
        /// The sequence that the agent had seen.
        seen: u64,
        /// The version of the case now.
        version: u64,
    },
    /// No such message stands in the case.
    #[error("message {0} does not stand in this case")]
    NoSuchMessage(MessageId),
    /// Only inbound messages move.
    #[error("only messages that came in can be moved")]
    NotInbound(MessageId),
    /// The message is not one that we send.
    #[error("message {0} is not an answer of ours")]
    NotOutbound(MessageId),
    /// The message stands in the other case already.
    #[error("the message stands in case #{0} already")]
    AlreadyThere(Reference),
    /// Records are not cases.
    #[error(
        "#{0} is the record of one message, not a case; move the message to an open case of the contact, or to a new one"
    )]
    Record(Reference),
    /// Another worker has the message, or it is done with.
    #[error("the message is {}, not waiting to be sent", status.as_str())]
    NotQueued {
        /// What is known of it.
        status: Status,
    },
    /// Only failed and uncertain messages are sent again.
    #[error("the message is {}; only a failed or uncertain one can be sent again", status.as_str())]
    NotResendable {
        /// What is known of it.
        status: Status,
    },
    /// The message did not come here by a move that made the case.
    #[error(
        "this case was not made by moving that message; move the message to where it belongs instead"
    )]
    NotMadeByMove,
    /// Another message came into the case by a move.
    #[error(
        "another message stands in this case; move that one to where it belongs first, then undo this move"
    )]
    OtherMessageHere,
    /// Something was said in the case since the move.
    #[error(
        "something was said in this case since the message was moved; move the message back instead"
    )]
    SaidSinceMove,
    /// The channel does not carry such a file.
    #[error("a message by SMS carries no {}; only WhatsApp does", kind.as_str())]
    MediaNotTaken {
        /// As what it was to be sent.
        kind: MediaKind,
    },
    /// The file is larger than the channel takes.
    #[error("the file has {size} bytes; the channel takes at most {max} of this kind")]
    MediaTooLarge {
        /// Its size in bytes.
        size: u64,
        /// The most that is possible.
        max: u64,
    },
    /// A sound goes out without a text.
    #[error("WhatsApp shows no text with a sound; send the text as a message of its own")]
    MediaWithoutCaption,
    /// The case would have too many labels.
    #[error("labels must be at most {MAX_CASE_LABELS}; leave some out")]
    TooManyLabels,
    /// A case cannot be snoozed until then.
    #[error(
        "until must lie in the future, at most {MAX_SNOOZE_DAYS} days from now; choose another time"
    )]
    SnoozeTime,
    /// The text has nothing in it.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// The text is too long for its place.
    #[error("{what} has {chars} characters; at most {max} are possible")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length in characters.
        chars: usize,
        /// The most that is possible.
        max: usize,
    },
}
