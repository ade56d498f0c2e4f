//! The automatic text that a message gets, if any.

use docket_domain::automatic::{self, Place};
use docket_domain::case::{Author, OutboundMessage};
use docket_domain::contact::profile::ContactEvent;
use docket_domain::ids::{ContactId, MessageId, Reference};
use docket_domain::personal::Personal;
use docket_domain::routing::Rule;
use docket_domain::text::auto_reply::{self, OpenCase};
use docket_domain::window::takes_free_text;
use docket_projections::ledger::scope::Scope;
use docket_projections::settings::LineSnapshot;

use super::opt_out::Heard;
use crate::vonage::payload::Inbound;

/// A message that may get an automatic text.
pub(super) struct Answered<'a> {
    scope: &'a Scope<'a>,
    contact: ContactId,
    inbound: &'a Inbound,
    line: &'a LineSnapshot,
    heard: Heard,
}

impl<'a> Answered<'a> {
    pub(super) const fn of(
        scope: &'a Scope<'a>,
        contact: ContactId,
        inbound: &'a Inbound,
        line: &'a LineSnapshot,
        heard: Heard,
    ) -> Self {
        Self {
            scope,
            contact,
            inbound,
            line,
            heard,
        }
    }

    /// The text for a message that came into cases that were there.
    pub(super) fn in_cases(
        &self,
        rule: Rule,
        cases: &[Reference],
        message_id: MessageId,
    ) -> Option<OutboundMessage> {
        if rule == Rule::AllOpen && cases.len() > 1 && self.line.multi_case_reply.is_some() {
            return self.for_several(cases, message_id);
        }
        let places: Vec<Place> = cases
            .iter()
            .filter_map(|reference| {
                let state = self.scope.case(*reference)?.state()?;
                Some(Place {
                    reference: *reference,
                    told_closed_on: state.told_closed_on,
                })
            })
            .collect();
        self.text(rule, false, &places, message_id)
    }

    /// The greeting, the answer to `#0`, or the text outside of office hours.
    pub(super) fn text(
        &self,
        rule: Rule,
        makes_case: bool,
        places: &[Place],
        message_id: MessageId,
    ) -> Option<OutboundMessage> {
        let Self { scope, line, .. } = self;
        let now = scope.now();
        if !self.may_be_answered() || !self.is_in_window() {
            return None;
        }
        let zone = scope.settings().time_zone(line.survey_id);
        let due = automatic::due(&line.automatic, rule, makes_case, places, &zone, now)?;
        let text = due.text(line.channel.max_text_chars());
        let author = Author::Automatic {
            occasion: due.occasion,
        };
        Some(self.message(message_id, text, author, due.references))
    }

    /// The reply for several open cases.
    fn for_several(&self, cases: &[Reference], message_id: MessageId) -> Option<OutboundMessage> {
        let template = self.line.multi_case_reply.as_deref()?;
        if !self.may_be_answered() {
            return None;
        }
        let open: Vec<OpenCase<'_>> = cases
            .iter()
            .filter_map(|reference| {
                Some(OpenCase {
                    reference: *reference,
                    title: &self.scope.case(*reference)?.state()?.title,
                })
            })
            .collect();
        let max_chars = self.line.channel.max_text_chars();
        let text = auto_reply::render_within(template, &open, max_chars);
        Some(self.message(message_id, text, Author::SEVERAL_CASES, cases.to_vec()))
    }

    /// The confirmation that the message opted its sender out, where that is what it just did.
    pub(super) fn confirmation(
        &self,
        rule: Rule,
        changes: &[ContactEvent],
        references: &[Reference],
        message_id: MessageId,
    ) -> Option<OutboundMessage> {
        let opts_out =
            |change: &ContactEvent| matches!(change, ContactEvent::ContactOptedOut { .. });
        if rule == Rule::CasesDisabled || !changes.iter().any(opts_out) {
            return None;
        }
        if !self.is_in_bounds() || !self.is_in_window() {
            return None;
        }
        let text = self.line.automatic.opt_out_confirmation.clone()?;
        let text = auto_reply::fit(text, self.line.channel.max_text_chars());
        Some(self.message(
            message_id,
            text,
            Author::OptOutConfirmation,
            references.to_vec(),
        ))
    }

    /// Whether the message is one that may be answered, and the contact has not got too many answers.
    fn may_be_answered(&self) -> bool {
        let may_be_sent = match self.heard {
            Heard::Nothing => self.scope.may_be_sent_to(self.contact, self.line.channel),
            Heard::In => true,
            Heard::Out | Heard::Perhaps => false,
        };
        may_be_sent && self.is_in_bounds()
    }

    /// Whether the contact may get one more automatic text in this hour.
    fn is_in_bounds(&self) -> bool {
        self.scope.automatic_replies(self.contact) < auto_reply::MAX_PER_HOUR
    }

    /// Whether `WhatsApp` takes free text in answer to the message: a webhook can come a day late.
    fn is_in_window(&self) -> bool {
        let now = self.scope.now();
        takes_free_text(self.line.channel, Some(self.inbound.at.min(now)), now)
    }

    fn message(
        &self,
        message_id: MessageId,
        text: String,
        author: Author,
        references: Vec<Reference>,
    ) -> OutboundMessage {
        OutboundMessage {
            message_id,
            contact_id: self.contact,
            line_id: self.line.line_id,
            channel: self.line.channel,
            to: Personal(self.inbound.from.clone()),
            text: Personal(text.clone()),
            sent_text: Personal(text),
            author,
            references,
            media: None,
            template: None,
        }
    }
}
