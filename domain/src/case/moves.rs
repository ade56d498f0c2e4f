//! Messages that are moved to where they belong, and moves that are undone.

use super::{
    Body, CaseError, CaseEvent, InboundMessage, MAX_NOTE_CHARS, Message, Origin, Reaction, State,
    WakeReason, must_fit,
};
use crate::ids::{MessageId, Reference};
use crate::personal::Personal;

impl State {
    pub(super) fn move_out(
        &self,
        message_id: MessageId,
        to: Reference,
        made_case: bool,
        comment: Option<Personal<String>>,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        self.inbound(message_id)?;
        if to == self.origin.reference {
            return Err(CaseError::AlreadyThere(to));
        }
        if let Some(comment) = &comment {
            must_fit("the comment", comment, MAX_NOTE_CHARS)?;
        }
        Ok(vec![CaseEvent::MessageMovedOut {
            message_id,
            to,
            made_case,
            comment,
        }])
    }

    pub(super) fn move_in(
        &self,
        message: InboundMessage,
        from: Reference,
        made_case: bool,
        comment: Option<Personal<String>>,
        reaction: Option<Box<Reaction>>,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        if self.origin.origin == Origin::Record {
            return Err(CaseError::Record(self.origin.reference));
        }
        self.must_be_open()?;
        if self.messages.contains_key(&message.message_id) {
            return Err(CaseError::AlreadyThere(self.origin.reference));
        }
        let moved_in = CaseEvent::MessageMovedIn {
            message,
            from,
            made_case,
            comment,
            reaction,
        };
        Ok(self.waking(moved_in, WakeReason::Message))
    }

    pub(super) fn undo_move(
        &self,
        message_id: MessageId,
        others: &[MessageId],
        closed_status: Option<String>,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        self.must_not_be_withdrawn()?;
        let Origin::Move { from } = self.origin.origin else {
            return Err(CaseError::NotMadeByMove);
        };
        self.inbound(message_id)?;
        // The case began by the move, so all that was said here was said since.
        if self.last_said > 0 {
            return Err(CaseError::SaidSinceMove);
        }
        // What was moved on from here since stays where it is.
        let others: Vec<MessageId> = others
            .iter()
            .copied()
            .filter(|other| *other != message_id && self.inbound(*other).is_ok())
            .collect();
        if usize::try_from(self.standing).is_ok_and(|standing| standing > others.len() + 1) {
            return Err(CaseError::OtherMessageHere);
        }
        let mut events: Vec<_> = others
            .into_iter()
            .map(|message_id| CaseEvent::MessageMovedOut {
                message_id,
                to: from,
                made_case: false,
                comment: None,
            })
            .collect();
        let undone = CaseEvent::MoveUndone {
            message_id,
            to: from,
            status: closed_status,
        };
        events.extend(self.waking(undone, WakeReason::Closed));
        Ok(events)
    }

    pub(super) fn take_back(
        &self,
        message_id: MessageId,
        from: Reference,
        reaction: Option<Box<Reaction>>,
    ) -> Result<Vec<CaseEvent>, CaseError> {
        self.must_not_be_withdrawn()?;
        match self.moved_out.get(&message_id) {
            Some(moved) if moved.to == from => {
                let returned = CaseEvent::MessageReturned {
                    message_id,
                    from,
                    reaction,
                };
                Ok(self.waking(returned, WakeReason::Message))
            }
            _ => Err(CaseError::NoSuchMessage(message_id)),
        }
    }

    /// Moves bring and take messages of the contact alone, in another order than they were said in.
    pub(super) fn move_was_recorded(&mut self) {
        if self.is_brief {
            self.is_outdated = true;
            return;
        }
        let inbound = |message: &&Message| matches!(message.body, Body::Inbound(_));
        let newest = self.messages.values().filter(inbound);
        self.said.contact = newest
            .map(|message| message.sequence)
            .max()
            .unwrap_or_default();
    }
}
