//! Taking in what a contact said.

use docket_domain::automatic;
use docket_domain::case::{
    Case, CaseCommand, CaseError, CaseEvent, InboundMessage, Opened, Origin, Reaction,
};
use docket_domain::contact::profile::ContactEvent;
use docket_domain::content::Content;
use docket_domain::event::{Event, StreamId};
use docket_domain::held::{HeldBody, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::{ContactId, HeldId, MessageId, Reference, SurveyId};
use docket_domain::personal::Personal;
use docket_domain::routing::{
    self, ContactCases, Decision, MAX_NAMED, ReactionCases, Routed, Rule, Target, TooManyOpenCases,
};
use docket_domain::text::references::mentions;
use docket_domain::text::title;
use docket_projections::ledger::operation::{ContactKey, Decided, Needs, Operation, Receipt};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::{LineSnapshot, Settings};
use serde::{Deserialize, Serialize};

use super::automatic_text::Answered;
use super::opt_out;
use super::{hold, in_each, of_case, of_webhook};
use crate::http::request_id::RequestIds;
use crate::vonage::payload::Inbound;

/// The receipts of inbound messages.
pub const RECEIPT: &str = "inbound";

/// A message that came in, with the ids that it may need.
#[derive(Clone, Debug)]
pub struct ReceiveMessage {
    /// What the webhook said.
    pub inbound: Inbound,
    /// The webhook's body, kept if no line is there for it.
    pub body: HeldBody,
    /// Fresh ids.
    pub ids: FreshIds,
    /// The ids of the request.
    pub request_id: Option<RequestIds>,
}

/// Ids made for a message before it is known which of them it needs.
#[derive(Clone, Copy, Debug)]
pub struct FreshIds {
    /// The message's.
    pub message_id: MessageId,
    /// The contact's, where it is a new one.
    pub contact_id: ContactId,
    /// The automatic reply's.
    pub reply_id: MessageId,
    /// The held webhook's.
    pub held_id: HeldId,
}

/// Where a message came to stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Received {
    /// In these cases.
    Routed {
        /// Our id of the message.
        message_id: MessageId,
        /// The cases, ordered.
        references: Vec<Reference>,
        /// The rule that took it there.
        rule: Rule,
    },
    /// Nowhere: it is kept, and shown as unrouted.
    Held {
        /// Our id of what is kept.
        held_id: HeldId,
    },
}

impl ReceiveMessage {
    /// Keeps it, since it has no place.
    fn hold(&self, reason: HeldReason, detail: String) -> Decided<Received> {
        let held_id = self.ids.held_id;
        let webhook = HeldWebhook {
            held_id,
            kind: WebhookKind::Inbound,
            reason,
            detail,
            provider_id: Some(self.inbound.provider_id.clone()),
            to: Some(Personal(self.inbound.to.clone())),
            from: Some(Personal(self.inbound.from.clone())),
            body: Personal(self.body.clone()),
        };
        hold(webhook, Received::Held { held_id })
    }
}

impl Operation for ReceiveMessage {
    type Output = Received;
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        of_webhook(
            self.request_id.as_ref(),
            Some(self.inbound.provider_id.clone()),
        )
    }

    fn needs(&self, settings: &Settings) -> Needs {
        let receipt = Receipt {
            kind: RECEIPT,
            key: self.inbound.provider_id.clone(),
        };
        let needs =
            routing_needs(&self.inbound, self.ids.contact_id, settings).unwrap_or_else(|| Needs {
                streams: vec![StreamId::Held(self.ids.held_id)],
                ..Needs::default()
            });
        Needs {
            receipt: Some(receipt),
            ..needs
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Received>, CaseError> {
        let Some(line) = scope
            .settings()
            .line_of(&self.inbound.to, self.inbound.channel)
        else {
            let detail = format!("no {} line has that number", self.inbound.channel);
            return Ok(self.hold(HeldReason::UnknownLine, detail));
        };
        let routed = match route(scope, &self.inbound, line, &self.ids) {
            Ok(routed) => routed,
            Err(Unroutable::TooMany(error)) => {
                return Ok(self.hold(HeldReason::TooManyOpenCases, error.to_string()));
            }
            Err(Unroutable::Case(error)) => return Err(error),
        };
        Ok(Decided::with(
            routed.events,
            Received::Routed {
                message_id: self.ids.message_id,
                references: routed.references,
                rule: routed.rule,
            },
        ))
    }
}

/// What routing a message needs; `None` where no line of ours has its number.
pub(super) fn routing_needs(
    inbound: &Inbound,
    new_contact: ContactId,
    settings: &Settings,
) -> Option<Needs> {
    let line = settings.line_of(&inbound.to, inbound.channel)?;
    let mut mentioned = candidates(inbound.content.said());
    // The open cases are loaded as the contact's, whether they are mentioned or not.
    mentioned.truncate(MAX_NAMED);
    Some(Needs {
        contact: Some(ContactKey {
            survey_id: line.survey_id,
            number: inbound.from.clone(),
            new_id: new_contact,
        }),
        mentioned,
        quoted: inbound.quoted.clone(),
        newest_case: matches!(inbound.content, Content::Reaction { .. }),
        new_references: 1,
        ..Needs::default()
    })
}

/// The references in a text that may name cases of its sender.
fn candidates(said: Option<&str>) -> Vec<Reference> {
    said.map(|said| mentions(said).candidates().collect())
        .unwrap_or_default()
}

/// A message that found its cases.
pub(super) struct RoutedMessage {
    pub(super) references: Vec<Reference>,
    pub(super) rule: Rule,
    pub(super) events: Vec<(StreamId, Event)>,
}

/// Why a message was not routed.
#[derive(Debug)]
pub(super) enum Unroutable {
    /// A case refused it.
    Case(CaseError),
    /// Its sender has too many open cases.
    TooMany(TooManyOpenCases),
}

impl From<CaseError> for Unroutable {
    fn from(error: CaseError) -> Self {
        Self::Case(error)
    }
}

/// Applies the matching rules to what the ledger has loaded, and gives the events that follow.
pub(super) fn route(
    scope: &Scope<'_>,
    inbound: &Inbound,
    line: &LineSnapshot,
    ids: &FreshIds,
) -> Result<RoutedMessage, Unroutable> {
    let contact = scope.contact().unwrap_or(ids.contact_id);
    if let Content::Reaction { emoji, removed } = &inbound.content {
        let set = emoji.clone().filter(|_| !removed);
        return route_reaction(scope, inbound, line, ids, (set, *removed));
    }
    let message = InboundMessage {
        message_id: ids.message_id,
        line_id: line.line_id,
        channel: line.channel,
        from: Personal(inbound.from.clone()),
        content: Personal(inbound.content.clone()),
        provider_id: inbound.provider_id.clone(),
        at: inbound.at,
        at_is_arrival: inbound.at_is_arrival,
        quotes: inbound.quoted.clone(),
        profile_name: inbound.profile_name.clone().map(Personal),
    };
    let Decision { target, routed } =
        decide(scope, contact, inbound, line).map_err(Unroutable::TooMany)?;
    let rule = routed.rule;
    let heard = opt_out::heard(message.content.said());
    let changes = opt_out::of_message(scope, contact, heard, line.channel, message.message_id);
    let (references, mut events) = match target {
        Target::New { follows } => {
            let title = title::title(&message.content);
            let opened = opened(scope, contact, inbound, title, &routed, line, follows);
            let reference = opened.reference;
            let places = [automatic::Place {
                reference,
                told_closed_on: None,
            }];
            let answered = Answered::of(scope, contact, inbound, line, heard);
            let text = answered
                .confirmation(rule, &changes, &[reference], ids.reply_id)
                .or_else(|| answered.text(rule, true, &places, ids.reply_id));
            let mut commands = vec![CaseCommand::Receive { message, routed }];
            let opt_outs = changes.iter().filter_map(ContactEvent::opt_out_change);
            commands.extend(opt_outs.map(CaseCommand::RecordOptOut));
            commands.extend(text.map(CaseCommand::ReplyAutomatically));
            let mut events = into_new(opened, commands)?;
            events.extend(opt_out::recorded(scope, contact, changes, &[])?);
            (vec![reference], events)
        }
        Target::Existing(references) => {
            let mut events = in_each(scope, &references, |case| {
                case.decide(CaseCommand::Receive {
                    message: message.clone(),
                    routed: routed.clone(),
                })
            })?;
            let answered = Answered::of(scope, contact, inbound, line, heard);
            let text = answered
                .confirmation(rule, &changes, &references, ids.reply_id)
                .or_else(|| answered.in_cases(rule, &references, ids.reply_id));
            events.extend(opt_out::recorded(scope, contact, changes, &references)?);
            if let Some(text) = text {
                events.extend(in_each(scope, &text.references, |case| {
                    case.decide(CaseCommand::ReplyAutomatically(text.clone()))
                })?);
            }
            (references, events)
        }
    };
    opt_out::contact_first(&mut events);
    Ok(RoutedMessage {
        references,
        rule,
        events,
    })
}

/// A reaction to where the message reacted to stands. It says nothing, and so it is answered by nothing.
fn route_reaction(
    scope: &Scope<'_>,
    inbound: &Inbound,
    line: &LineSnapshot,
    ids: &FreshIds,
    (emoji, removed): (Option<String>, bool),
) -> Result<RoutedMessage, Unroutable> {
    let contact = scope.contact().unwrap_or(ids.contact_id);
    let (message_id, standing_in) = scope.quoted(contact).unzip();
    let cases = ReactionCases {
        standing_in: standing_in.unwrap_or_default(),
        open: scope.open_cases(contact),
        newest: scope.newest_case(contact),
    };
    let Decision { target, routed } =
        routing::decide_reaction(cases, cases_enabled(scope, line)).map_err(Unroutable::TooMany)?;
    let reaction = Reaction {
        reaction_id: ids.message_id,
        message_id,
        target_provider_id: inbound.quoted.clone(),
        emoji: emoji.map(Personal),
        removed,
        line_id: line.line_id,
        channel: line.channel,
        from: Personal(inbound.from.clone()),
        provider_id: inbound.provider_id.clone(),
        at: inbound.at,
        profile_name: inbound.profile_name.clone().map(Personal),
    };
    let rule = routed.rule;
    let command = CaseCommand::React {
        reaction,
        routed: routed.clone(),
    };
    let (references, events) = match target {
        Target::New { follows } => {
            let title = title::title(&inbound.content);
            let opened = opened(scope, contact, inbound, title, &routed, line, follows);
            (vec![opened.reference], into_new(opened, vec![command])?)
        }
        Target::Existing(references) => {
            let events = in_each(scope, &references, |case| case.decide(command.clone()))?;
            (references, events)
        }
    };
    Ok(RoutedMessage {
        references,
        rule,
        events,
    })
}

/// How a case begins that a message makes.
fn opened(
    scope: &Scope<'_>,
    contact_id: ContactId,
    inbound: &Inbound,
    title: String,
    routed: &Routed,
    line: &LineSnapshot,
    follows: Option<Reference>,
) -> Opened {
    Opened {
        reference: scope.new_reference(),
        contact_id,
        number: Personal(inbound.from.clone()),
        survey_id: line.survey_id,
        line_id: line.line_id,
        channel: line.channel,
        title: Personal(title),
        status: initial_status(scope, line.survey_id),
        origin: if routed.rule == Rule::CasesDisabled {
            Origin::Record
        } else {
            Origin::Message
        },
        follows,
    }
}

/// A message or reaction into a case that begins with it.
fn into_new(
    opened: Opened,
    commands: Vec<CaseCommand>,
) -> Result<Vec<(StreamId, Event)>, CaseError> {
    let reference = opened.reference;
    let mut case = Case::default();
    let mut events = run(&mut case, CaseCommand::Open(opened))?;
    for command in commands {
        events.extend(run(&mut case, command)?);
    }
    Ok(of_case(reference, events).collect())
}

fn cases_enabled(scope: &Scope<'_>, line: &LineSnapshot) -> bool {
    scope
        .settings()
        .survey(line.survey_id)
        .is_some_and(|survey| survey.cases_enabled)
}

fn decide(
    scope: &Scope<'_>,
    contact: ContactId,
    inbound: &Inbound,
    line: &LineSnapshot,
) -> Result<Decision, TooManyOpenCases> {
    let said = inbound.content.said();
    let quoted_in = scope.quoted_in(contact);
    let closed = candidates(said)
        .iter()
        .take(MAX_NAMED)
        .chain(&quoted_in)
        .copied()
        .filter(|reference| {
            scope
                .case_of(contact, *reference)
                .is_some_and(|case| !case.is_open() && !case.is_record())
        })
        .collect();
    let cases = ContactCases {
        open: scope.open_cases(contact),
        closed,
        quoted_in,
    };
    routing::decide(
        routing::Message {
            said,
            quotes: inbound.quoted.is_some(),
        },
        &cases,
        cases_enabled(scope, line),
    )
}

/// The status that a new case of a survey has.
pub(super) fn initial_status(scope: &Scope<'_>, survey_id: SurveyId) -> Option<String> {
    scope
        .settings()
        .status_question(survey_id)?
        .initial()
        .map(str::to_owned)
}

/// Decides a command and lets the case take its events in.
pub(super) fn run(case: &mut Case, command: CaseCommand) -> Result<Vec<CaseEvent>, CaseError> {
    let events = case.decide(command)?;
    for event in &events {
        case.evolve(event);
    }
    Ok(events)
}
