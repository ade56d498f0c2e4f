//! Operations of a few lines each, for tests of the log and the read models that need somebody to write to them. They route
//! nothing and know no rules: the real operations are the service's.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::case::{CaseCommand, CaseError, CaseEvent, InboundMessage, Opened, Origin};
use docket_domain::channel::Channel;
use docket_domain::content::Content;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, LineId, MessageId, Reference, SurveyId};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use uuid::Uuid;

use crate::ledger::operation::{ContactKey, Decided, Needs, Operation, Receipt};
use crate::ledger::scope::Scope;
use crate::log::recorded::{Actor, Metadata, Via};
use crate::settings::Settings;

/// The survey that everything here belongs to.
pub const SURVEY: SurveyId = SurveyId(Uuid::from_u128(0x0195_7a00_0000_7000_8000_0000_0000_0001));
/// The line that everything here goes by.
pub const LINE: LineId = LineId(Uuid::from_u128(0x0195_7a00_0000_7000_8000_0000_0000_0002));

/// A clock for a ledger: a second passes each time somebody looks.
pub fn clock() -> DateTime<Utc> {
    static SECONDS: AtomicI64 = AtomicI64::new(1_800_000_000);
    DateTime::from_timestamp(SECONDS.fetch_add(1, Ordering::Relaxed), 0).unwrap_or_default()
}

/// Somebody says something: it goes to all their open cases, or makes one.
#[derive(Clone, Debug)]
pub struct Say {
    /// Their number.
    pub number: String,
    /// What they say.
    pub text: String,
    /// What they call themselves.
    pub name: Option<String>,
    /// Makes ids; no two messages have the same.
    pub nth: u128,
    /// Whether it makes a case whatever is open.
    pub anew: bool,
    /// The closed case that a new one follows.
    pub follows: Option<Reference>,
}

impl Say {
    /// Somebody says something.
    pub fn new(number: &str, text: &str, nth: u128) -> Self {
        Self {
            number: number.to_owned(),
            text: text.to_owned(),
            name: None,
            nth,
            anew: false,
            follows: None,
        }
    }

    /// The id that the message gets.
    pub const fn message_id(&self) -> MessageId {
        MessageId(Uuid::from_u128(
            (0x0195_7a01_0000_7000_8000 << 48) | self.nth,
        ))
    }

    fn message(&self, now: DateTime<Utc>) -> InboundMessage {
        InboundMessage {
            message_id: self.message_id(),
            line_id: LINE,
            channel: Channel::Sms,
            from: Personal(self.number.clone()),
            content: Personal(Content::text(self.text.clone())),
            provider_id: format!("provider-{}", self.nth),
            at: now - TimeDelta::seconds(2),
            at_is_arrival: false,
            quotes: None,
            profile_name: self.name.clone().map(Personal),
        }
    }
}

fn opened(reference: Reference, contact_id: ContactId, number: &str, origin: Origin) -> Opened {
    Opened {
        reference,
        contact_id,
        number: number.into(),
        survey_id: SURVEY,
        line_id: LINE,
        channel: Channel::Sms,
        title: "An invented question".into(),
        status: Some("New".into()),
        origin,
        follows: None,
    }
}

impl Operation for Say {
    /// The references of the cases that got it.
    type Output = Vec<Reference>;
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        Metadata {
            actor: Actor::Vonage,
            request_id: Some(format!("request-{}", self.nth)),
            cause: Some(format!("provider-{}", self.nth)),
            ..Metadata::of(Actor::Vonage, Via::Webhook)
        }
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            receipt: Some(Receipt {
                kind: "inbound",
                key: format!("provider-{}", self.nth),
            }),
            contact: Some(ContactKey {
                survey_id: SURVEY,
                number: self.number.clone(),
                new_id: ContactId(Uuid::from_u128(
                    (0x0195_7a02_0000_7000_8000 << 48) | self.nth,
                )),
            }),
            new_references: 1,
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Vec<Reference>>, CaseError> {
        let contact = scope.contact().ok_or(CaseError::NotOpened)?;
        let message = self.message(scope.now());
        let mut open = scope.open_cases(contact);
        let mut events: Vec<(StreamId, Event)> = vec![];
        let rule = if open.is_empty() || self.anew || self.follows.is_some() {
            let reference = scope.new_reference();
            let opened = Opened {
                follows: self.follows,
                ..opened(reference, contact, &self.number, Origin::Message)
            };
            events.push((
                StreamId::Case(reference),
                CaseEvent::CaseOpened(opened).into(),
            ));
            open = vec![reference];
            Rule::First
        } else {
            Rule::AllOpen
        };
        for reference in &open {
            let routed = Routed::new(rule, vec![]);
            let received = CaseEvent::MessageReceived {
                message: message.clone(),
                routed,
            };
            events.push((StreamId::Case(*reference), received.into()));
        }
        Ok(Decided {
            output: open,
            events,
            secrets: vec![],
        })
    }
}

/// Commands to cases that there are, all of them or none.
#[derive(Clone, Debug)]
pub struct Order {
    /// Who gives them.
    pub actor: Actor,
    /// The cases and their commands, in order.
    pub commands: Vec<(Reference, CaseCommand)>,
}

impl Operation for Order {
    type Output = ();
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        Metadata::of(self.actor.clone(), Via::System)
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            cases: self
                .commands
                .iter()
                .map(|(reference, _)| *reference)
                .collect(),
            recalled: self
                .commands
                .iter()
                .filter_map(|(_, command)| command.message_id())
                .collect(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, CaseError> {
        let mut events: Vec<(StreamId, Event)> = vec![];
        for (reference, command) in &self.commands {
            let mut case = scope.case(*reference).ok_or(CaseError::NotOpened)?.clone();
            for (stream, event) in &events {
                if let (true, Event::Case(event)) = (*stream == StreamId::Case(*reference), event) {
                    case.evolve(event);
                }
            }
            let decided = case.decide(command.clone())?;
            events.extend(
                decided
                    .into_iter()
                    .map(|event| (StreamId::Case(*reference), event.into())),
            );
        }
        Ok(Decided {
            output: (),
            events,
            secrets: vec![],
        })
    }
}

/// A message is moved into a case of its own.
#[derive(Clone, Debug)]
pub struct MoveAway {
    /// Where it stands.
    pub from: Reference,
    /// The message.
    pub message_id: MessageId,
}

impl Operation for MoveAway {
    /// The reference of the new case.
    type Output = Reference;
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        Metadata::of(Actor::System, Via::System)
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            cases: vec![self.from],
            recalled: vec![self.message_id],
            new_references: 1,
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Reference>, CaseError> {
        let case = scope.case(self.from).ok_or(CaseError::NotOpened)?;
        let state = case.state().ok_or(CaseError::NotOpened)?;
        let message = state.inbound(self.message_id)?.clone();
        let (from, contact) = (self.from, state.origin.contact_id);
        let to = scope.new_reference();
        let out = case.decide(CaseCommand::MoveOut {
            message_id: self.message_id,
            to,
            made_case: true,
            comment: None,
        })?;
        let opened = opened(to, contact, &state.origin.number, Origin::Move { from });
        let moved_in = CaseEvent::MessageMovedIn {
            message,
            from,
            made_case: true,
            comment: None,
            reaction: None,
        };
        let made = [CaseEvent::CaseOpened(opened), moved_in];
        Ok(Decided::on(StreamId::Case(from), out, to).and_on(StreamId::Case(to), made))
    }
}
