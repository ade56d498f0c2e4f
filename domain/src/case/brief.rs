//! A case without its conversation: as much of it as decisions read, however long it is.
//!
//! [`Case::brief`] makes one from what the read models say. What is decided about a message reads that message too, and so its
//! events are recalled first ([`Case::recall`]). [`Case::forget`] takes the messages out again. A brief case decides as the whole
//! one does; a property of the tests holds them side by side.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::{Assignee, Body, Case, CaseEvent, Opened, Said, Stage, State};
use crate::delivery::Status;
use crate::ids::{LabelId, MessageId};
use crate::personal::Personal;

/// So many of the newest answers that are on their way stay known: what becomes of them is told soon.
const KEPT_ANSWERS: usize = 4;

/// What is known of a case without its conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How many events it has.
    pub version: u64,
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
    /// The sequence of the last event by which something was said.
    pub last_said: u64,
    /// Who said the newest things that stand in it.
    pub said: Said,
    /// How many messages stand in it.
    pub standing: u32,
    /// Its labels, ordered by their ids.
    pub labels: Vec<LabelId>,
    /// Until when it is put off, where it is.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// The last local date for which the text outside of office hours was written in it.
    pub told_closed_on: Option<NaiveDate>,
}

impl Case {
    /// A case of which no message is known yet.
    pub fn brief(summary: Summary) -> Self {
        let Summary {
            version,
            origin,
            title,
            status,
            stage,
            assignee,
            last_said,
            said,
            standing,
            labels,
            snoozed_until,
            told_closed_on,
        } = summary;
        Self {
            version,
            opened: Some(State {
                title,
                status,
                stage,
                assignee,
                messages: BTreeMap::new(),
                moved_out: BTreeMap::new(),
                notes: 0,
                reactions: BTreeMap::new(),
                settled_media: BTreeSet::new(),
                last_said,
                said,
                standing,
                labels,
                snoozed_until,
                told_closed_on,
                is_brief: true,
                is_outdated: false,
                origin,
            }),
        }
    }

    /// What is known of the case without its conversation; `None` before it has begun.
    pub fn summary(&self) -> Option<Summary> {
        let state = self.opened.as_ref()?;
        Some(Summary {
            version: self.version,
            origin: state.origin.clone(),
            title: state.title.clone(),
            status: state.status.clone(),
            stage: state.stage,
            assignee: state.assignee.clone(),
            last_said: state.last_said,
            said: state.said.clone(),
            standing: state.standing,
            labels: state.labels.clone(),
            snoozed_until: state.snoozed_until,
            told_closed_on: state.told_closed_on,
        })
    }

    /// Whether everything about that message is known that its events say.
    pub fn knows(&self, message_id: MessageId) -> bool {
        self.opened.as_ref().is_none_or(|state| {
            !state.is_brief
                || state.messages.contains_key(&message_id)
                || state.moved_out.contains_key(&message_id)
        })
    }

    /// Takes in what happened to one message: all of its events in this case, with their sequences, in order.
    pub fn recall<'a>(
        &mut self,
        message_id: MessageId,
        events: impl IntoIterator<Item = (u64, &'a CaseEvent)>,
    ) {
        let Some(state) = &mut self.opened else {
            return;
        };
        state.messages.remove(&message_id);
        state.moved_out.remove(&message_id);
        state.reactions.remove(&message_id);
        state
            .settled_media
            .retain(|(known, _)| *known != message_id);
        for (sequence, event) in events {
            state.evolve_messages(event, sequence);
        }
    }

    /// Forgets the messages, so that a brief case stays small; answers that are on their way stay known, the newest few.
    pub fn forget(&mut self) {
        let Some(state) = &mut self.opened else {
            return;
        };
        state.is_brief = true;
        state.moved_out.clear();
        let mut on_their_way: Vec<(u64, MessageId)> = state
            .messages
            .iter()
            .filter_map(|(message_id, message)| match &message.body {
                Body::Outbound { progress, .. } => (!matches!(
                    progress.status,
                    Status::Delivered | Status::Read | Status::Failed
                ))
                .then_some((message.sequence, *message_id)),
                Body::Inbound(_) => None,
            })
            .collect();
        on_their_way.sort_unstable_by_key(|(sequence, _)| std::cmp::Reverse(*sequence));
        on_their_way.truncate(KEPT_ANSWERS);
        let is_kept = |message_id: &MessageId| {
            on_their_way
                .iter()
                .any(|(_, on_its_way)| on_its_way == message_id)
        };
        state.messages.retain(|message_id, _| is_kept(message_id));
        state.reactions.retain(|message_id, _| is_kept(message_id));
        state
            .settled_media
            .retain(|(message_id, _)| is_kept(message_id));
    }

    /// About how many bytes the texts of the answers take that are known here.
    pub fn kept_bytes(&self) -> usize {
        let text = |message: &super::Message| match &message.body {
            Body::Outbound { message, .. } => {
                size_of_val(&**message) + message.text.len() + message.sent_text.len()
            }
            Body::Inbound(_) => 0,
        };
        self.opened
            .as_ref()
            .map_or(0, |state| state.messages.values().map(text).sum())
    }

    /// Whether it has to be made anew before the next decision: a move changed which message is the contact's newest.
    pub fn is_outdated(&self) -> bool {
        self.opened.as_ref().is_some_and(|state| state.is_outdated)
    }
}
