//! What is recorded about a contact itself: its name, a note, and the channels on which nothing is sent to it.
//!
//! The events stand in a stream of the contact's own. A contact that nobody named and that never opted out has none.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::ids::{ContactId, MessageId, SurveyId};
pub use crate::opt_out::{OptOutCause, OptOutChange};
use crate::people::aggregate;
use crate::personal::Personal;
use crate::text::{normalise, title};

/// The longest name, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// The longest note, in characters. It is kept in memory with the contact.
pub const MAX_NOTE_CHARS: usize = 2_000;
/// The longest reason for an opt-out, in characters.
pub const MAX_REASON_CHARS: usize = 500;

/// An event of a [`Contact`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContactEvent {
    /// Somebody added a contact that has no case yet.
    ContactAdded {
        /// Its id.
        contact_id: ContactId,
        /// The survey within which it is one.
        survey_id: SurveyId,
        /// Its number.
        number: Personal<String>,
    },
    /// Somebody gave the contact a name, or took theirs off. The name counts before what the person calls themselves.
    ContactRenamed {
        /// The name before; null for none.
        from: Option<Personal<String>>,
        /// The name now; null for none.
        to: Option<Personal<String>>,
    },
    /// Somebody wrote the note about the contact anew.
    ContactNoted {
        /// What it says; null for nothing.
        note: Option<Personal<String>>,
    },
    /// The contact opted out: nothing is sent to them on the channel any more.
    ContactOptedOut {
        /// The channel.
        channel: Channel,
        /// What made them.
        cause: OptOutCause,
        /// Why, as a person put it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Personal<String>>,
    },
    /// The contact opted in again, or somebody decided that a message was not meant as an opt-out.
    ContactOptedIn {
        /// The channel.
        channel: Channel,
        /// What made them.
        cause: OptOutCause,
        /// Why, as a person put it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Personal<String>>,
    },
    /// A message begins with a word that opts out, and says more: somebody has to decide whether the contact opted out.
    OptOutSuspected {
        /// The channel.
        channel: Channel,
        /// The message.
        message_id: MessageId,
    },
}

/// A command to a [`Contact`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactCommand {
    /// Make a contact known that has no case yet.
    Add {
        /// Its id.
        contact_id: ContactId,
        /// The survey within which it is one.
        survey_id: SurveyId,
        /// Its number.
        number: Personal<String>,
    },
    /// Call it something else; an empty name takes the name off.
    Rename {
        /// The name.
        name: Personal<String>,
    },
    /// Write the note about it; an empty one takes the note off.
    Note {
        /// What it says.
        note: Personal<String>,
    },
    /// Opt it out on a channel, or in again.
    SetOptOut(OptOutChange),
    /// Mark that it may want to opt out.
    Suspect {
        /// The channel.
        channel: Channel,
        /// The message that says so.
        message_id: MessageId,
    },
}

/// Why a contact refuses a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    /// There is no such contact.
    #[error("there is no such contact")]
    NotKnown,
    /// A text is too long for its place.
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

/// A contact as its own events have made it. It is bounded, and so decisions read it whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// How many events it has.
    pub version: u64,
    /// The name that people gave it.
    pub name: Option<Personal<String>>,
    /// The note about it.
    pub note: Option<Personal<String>>,
    /// The channels on which it opted out.
    pub opted_out: BTreeSet<Channel>,
    /// The channels on which it may want to opt out.
    pub suspected: BTreeSet<Channel>,
}

impl Contact {
    /// How many events it has.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Whether anything may be sent to it on that channel.
    pub fn may_be_sent_to(&self, channel: Channel) -> bool {
        !self.opted_out.contains(&channel)
    }

    /// Decides a command. One that asks for what is so already gives no events.
    ///
    /// # Errors
    ///
    /// A [`ContactError`] that says why nothing can be recorded.
    pub fn decide(&self, command: ContactCommand) -> Result<Vec<ContactEvent>, ContactError> {
        Ok(match command {
            ContactCommand::Add {
                contact_id,
                survey_id,
                number,
            } => {
                let added = ContactEvent::ContactAdded {
                    contact_id,
                    survey_id,
                    number,
                };
                (self.version == 0).then_some(added).into_iter().collect()
            }
            ContactCommand::Rename { name } => {
                let to = check("name", title::clean(&name), MAX_NAME_CHARS)?;
                let from = self.name.clone();
                (from != to)
                    .then_some(ContactEvent::ContactRenamed { from, to })
                    .into_iter()
                    .collect()
            }
            ContactCommand::Note { note } => {
                let note = normalise::typed(&note).into_owned();
                let note = check("note", note, MAX_NOTE_CHARS)?;
                (note != self.note)
                    .then_some(ContactEvent::ContactNoted { note })
                    .into_iter()
                    .collect()
            }
            ContactCommand::SetOptOut(change) => self.set_opt_out(change)?,
            ContactCommand::Suspect {
                channel,
                message_id,
            } => self.suspect(channel, message_id),
        })
    }

    fn set_opt_out(&self, change: OptOutChange) -> Result<Vec<ContactEvent>, ContactError> {
        let reason = match change.reason {
            Some(reason) => {
                let reason = normalise::typed(&reason).into_owned();
                check("reason", reason, MAX_REASON_CHARS)?
            }
            None => None,
        };
        Ok(self.opt_out(OptOutChange { reason, ..change }))
    }

    /// The events of a change of an opt-out whose reason, if any, fits.
    pub fn opt_out(&self, change: OptOutChange) -> Vec<ContactEvent> {
        let OptOutChange {
            channel,
            opted_out,
            cause,
            reason,
        } = change;
        let is_out = self.opted_out.contains(&channel);
        match (opted_out, is_out) {
            (true, false) => vec![ContactEvent::ContactOptedOut {
                channel,
                cause,
                reason,
            }],
            (false, _) if is_out || self.suspected.contains(&channel) => {
                vec![ContactEvent::ContactOptedIn {
                    channel,
                    cause,
                    reason,
                }]
            }
            _ => vec![],
        }
    }

    /// The events where a message may mean an opt-out.
    pub fn suspect(&self, channel: Channel, message_id: MessageId) -> Vec<ContactEvent> {
        if self.opted_out.contains(&channel) || self.suspected.contains(&channel) {
            return vec![];
        }
        vec![ContactEvent::OptOutSuspected {
            channel,
            message_id,
        }]
    }

    /// Takes one event in.
    pub fn evolve(&mut self, event: &ContactEvent) {
        self.version += 1;
        match event {
            ContactEvent::ContactAdded { .. } => {}
            ContactEvent::ContactRenamed { to, .. } => self.name.clone_from(to),
            ContactEvent::ContactNoted { note } => self.note.clone_from(note),
            ContactEvent::ContactOptedOut { channel, .. } => {
                self.opted_out.insert(*channel);
                self.suspected.remove(channel);
            }
            ContactEvent::ContactOptedIn { channel, .. } => {
                self.opted_out.remove(channel);
                self.suspected.remove(channel);
            }
            ContactEvent::OptOutSuspected { channel, .. } => {
                self.suspected.insert(*channel);
            }
        }
    }

    /// About how many bytes its texts take.
    pub(super) fn kept_bytes(&self) -> usize {
        let bytes = |text: &Option<Personal<String>>| text.as_ref().map_or(0, |text| text.len());
        bytes(&self.name) + bytes(&self.note)
    }
}

impl ContactEvent {
    /// The change of an opt-out that it is, for the cases that it concerns.
    pub fn opt_out_change(&self) -> Option<OptOutChange> {
        let (opted_out, channel, cause, reason) = match self {
            Self::ContactOptedOut {
                channel,
                cause,
                reason,
            } => (true, channel, cause, reason),
            Self::ContactOptedIn {
                channel,
                cause,
                reason,
            } => (false, channel, cause, reason),
            _ => return None,
        };
        Some(OptOutChange {
            channel: *channel,
            opted_out,
            cause: *cause,
            reason: reason.clone(),
        })
    }
}

/// A text that fits; `None` where nothing can be seen in it.
fn check(
    what: &'static str,
    text: String,
    max: usize,
) -> Result<Option<Personal<String>>, ContactError> {
    let chars = text.chars().count();
    if chars > max {
        return Err(ContactError::TooLong { what, chars, max });
    }
    Ok((!normalise::is_empty(&text)).then_some(Personal(text)))
}

aggregate! {
    Contact = "Contact", ContactCommand, ContactEvent, ContactError;
    ContactAdded, ContactRenamed, ContactNoted, ContactOptedOut, ContactOptedIn, OptOutSuspected
}
