//! The automatic text that a message gets, if any.

use docket_domain::automatic::{self, Place};
use docket_domain::case::{Author, OutboundMessage};
use docket_domain::ids::{ContactId, MessageId, Reference};
use docket_domain::personal::Personal;
use docket_domain::routing::Rule;
use docket_domain::text::auto_reply::{self, OpenCase};
use docket_domain::text::{opt_out, references};
use docket_domain::window::takes_free_text;
use docket_projections::ledger::scope::Scope;
use docket_projections::settings::LineSnapshot;

use crate::vonage::payload::Inbound;

/// A message that may get an automatic text.
pub(super) struct Answered<'a> {
    scope: &'a Scope<'a>,
    contact: ContactId,
    inbound: &'a Inbound,
    line: &'a LineSnapshot,
}

impl<'a> Answered<'a> {
    pub(super) const fn of(
        scope: &'a Scope<'a>,
        contact: ContactId,
        inbound: &'a Inbound,
        line: &'a LineSnapshot,
    ) -> Self {
        Self {
            scope,
            contact,
            inbound,
            line,
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
        let Self {
            scope,
            inbound,
            line,
            ..
        } = self;
        let now = scope.now();
        // A webhook can come a day late.
        let wrote_at = inbound.at.min(now);
        if !self.may_be_answered() || !takes_free_text(line.channel, Some(wrote_at), now) {
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

    /// Whether the message is one that may be answered, and the contact has not got too many answers.
    fn may_be_answered(&self) -> bool {
        // A reference that names nothing is as if it were not there.
        let opts_out =
            |said: &str| opt_out::begins_with_opt_out(&references::strip_spaced_too(said));
        !self.inbound.content.said().is_some_and(opts_out)
            && self.scope.automatic_replies(self.contact) < auto_reply::MAX_PER_HOUR
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
            template: None,
        }
    }
}
