//! Random histories: whatever people and Vonage do, in whatever order, the read models are what the log gives when it is
//! replayed from its first event, and positions have no gap.

mod labels;
mod then;

use std::collections::BTreeMap;
use std::fmt::Display;

use chrono::TimeDelta;
use docket::operations::case::{Change, ChangeCase};
use docket::operations::delivery::{BeginSending, RecordOutcome};
use docket::operations::held::{HoldWebhook, RouteHeld};
use docket::operations::installation::{ChangeVonage, Entry};
use docket::operations::line::ChangeLine;
use docket::operations::message_move::{MoveMessage, UndoMove};
use docket::operations::receive::{FreshIds, ReceiveMessage, Received};
use docket::operations::reply::{BeginCase, Reply, Resend, SendAs};
use docket::operations::status::RecordStatus;
use docket::operations::survey::{ChangeTemplates, SetSurvey, TemplateChange};
use docket::operations::user::ChangeUser;
use docket::operations::{Administrator, Asked};
use docket::vonage::payload::{Inbound, Status, StatusKind};
use docket_domain::access::Access;
use docket_domain::case::{Assignee, Case, News};
use docket_domain::channel::Channel;
use docket_domain::content::{Content, Media};
use docket_domain::event::{Event, StreamId};
use docket_domain::held::{HeldBody, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::{HeldId, LabelId, LineId, MessageId, Reference, SurveyId, UserId};
use docket_domain::line::{HaltReason, LineCommand, LineSettings};
use docket_domain::personal::Personal;
use docket_domain::survey::{StatusQuestion, SurveySettings, Template};
use docket_domain::user::preferences::PreferencesChange;
use docket_domain::user::{Role, UserCommand};
use docket_projections::ledger::operation::{Answer, LedgerError, Operation, Receipt};
use docket_projections::ledger::{CachedContacts, Ledger, LedgerOptions, brief_case};
use docket_projections::log::reader;
use docket_projections::log::upcasters::upcasters;
use docket_projections::secrets::SealedSecret;
use docket_projections::testing;
use docket_projections::{PgPool, rebuild};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use self::labels::LabelStep;

/// How many histories are tried; each has a database of its own.
const HISTORIES: u32 = 12;

/// After so many steps another process reads what it has in its cache, twice running.
const BYSTANDER_LOOKS: usize = 7;

#[derive(Clone, Debug)]
enum Step {
    Text {
        from: u8,
        channel: Channel,
        text: Text,
        quote: bool,
        named: bool,
        unknown_line: bool,
        again: bool,
    },
    Photo {
        from: u8,
    },
    /// A reaction to one of their messages, to one of ours, or to one that nobody knows; it may be older than the one before.
    React {
        from: u8,
        to: u8,
        message: usize,
        removed: bool,
        age: u8,
    },
    Status {
        message: usize,
        attempt: u32,
        kind: StatusKind,
        by_client_ref: bool,
    },
    Reply {
        case: usize,
        text: u8,
    },
    Begin {
        to: u8,
    },
    SetStatus {
        case: usize,
        value: usize,
    },
    Assign {
        case: usize,
        somebody: bool,
    },
    Rename {
        case: usize,
        title: u8,
    },
    Note {
        case: usize,
    },
    Move {
        case: usize,
        message: usize,
        to: Option<usize>,
    },
    UndoMove {
        case: usize,
        message: usize,
    },
    BeginSending {
        message: usize,
    },
    Outcome {
        message: usize,
        attempt: u32,
        news: u8,
    },
    Resend {
        message: usize,
    },
    Hold,
    RouteHeld {
        held: usize,
    },
    ToggleCases,
    Templates {
        n: u8,
    },
    Vonage {
        n: u8,
    },
    Halt {
        resume: bool,
    },
    User {
        n: u8,
        remove: bool,
    },
    Person {
        n: u8,
        name: Option<u8>,
        zone: bool,
    },
    Labels(LabelStep),
}

#[derive(Clone, Debug)]
enum Text {
    Plain,
    NewCase,
    Mention(usize),
    Stop,
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        4 => Just(Text::Plain),
        2 => Just(Text::NewCase),
        2 => (0usize..8).prop_map(Text::Mention),
        1 => Just(Text::Stop),
    ]
}

fn channel() -> impl Strategy<Value = Channel> {
    prop_oneof![Just(Channel::Sms), Just(Channel::Whatsapp)]
}

fn status_kind() -> impl Strategy<Value = StatusKind> {
    prop_oneof![
        Just(StatusKind::Submitted),
        Just(StatusKind::Delivered),
        Just(StatusKind::Rejected),
        Just(StatusKind::Undeliverable),
        Just(StatusKind::Read),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0usize..12;
    prop_oneof![
        12 => (0u8..3, channel(), text(), any::<bool>(), any::<bool>(), 0u8..12, any::<bool>()).prop_map(
            |(from, channel, text, quote, named, line, again)| Step::Text {
                from, channel, text, quote, named, unknown_line: line == 0, again,
            }
        ),
        2 => (0u8..3).prop_map(|from| Step::Photo { from }),
        6 => (0u8..3, 0u8..3, n.clone(), any::<bool>(), 0u8..4)
            .prop_map(|(from, to, message, removed, age)| Step::React { from, to, message, removed, age }),
        5 => (n.clone(), 1u32..=2, status_kind(), any::<bool>())
            .prop_map(|(message, attempt, kind, by_client_ref)| Step::Status { message, attempt, kind, by_client_ref }),
        5 => (n.clone(), any::<u8>()).prop_map(|(case, text)| Step::Reply { case, text }),
        1 => (0u8..4).prop_map(|to| Step::Begin { to }),
        4 => (n.clone(), 0usize..3).prop_map(|(case, value)| Step::SetStatus { case, value }),
        1 => (n.clone(), any::<bool>()).prop_map(|(case, somebody)| Step::Assign { case, somebody }),
        1 => (n.clone(), any::<u8>()).prop_map(|(case, title)| Step::Rename { case, title }),
        1 => n.clone().prop_map(|case| Step::Note { case }),
        4 => (n.clone(), 0usize..4, proptest::option::of(n.clone()))
            .prop_map(|(case, message, to)| Step::Move { case, message, to }),
        3 => (n.clone(), 0usize..2).prop_map(|(case, message)| Step::UndoMove { case, message }),
        4 => n.clone().prop_map(|message| Step::BeginSending { message }),
        4 => (n.clone(), 1u32..=2, 0u8..6)
            .prop_map(|(message, attempt, news)| Step::Outcome { message, attempt, news }),
        2 => n.clone().prop_map(|message| Step::Resend { message }),
        1 => Just(Step::Hold),
        1 => n.prop_map(|held| Step::RouteHeld { held }),
        1 => Just(Step::ToggleCases),
        1 => any::<u8>().prop_map(|n| Step::Templates { n }),
        1 => any::<u8>().prop_map(|n| Step::Vonage { n }),
        1 => any::<bool>().prop_map(|resume| Step::Halt { resume }),
        1 => (0u8..2, any::<bool>()).prop_map(|(n, remove)| Step::User { n, remove }),
        1 => (0u8..2, proptest::option::of(0u8..3), any::<bool>()).prop_map(|(n, name, zone)| Step::Person { n, name, zone }),
        10 => labels::step().prop_map(Step::Labels),
    ]
}

/// What a history needs to remember of itself.
struct History {
    ledger: Ledger,
    asked: Asked,
    survey_id: SurveyId,
    lines: Vec<LineId>,
    cases_enabled: bool,
    ids: u128,
    cases: Vec<Reference>,
    inbound: Vec<(Reference, MessageId, String)>,
    outbound: Vec<(Reference, MessageId)>,
    held: Vec<(HeldId, Inbound)>,
    label_ids: Vec<LabelId>,
    last: Option<ReceiveMessage>,
}

/// What Vonage calls an attempt.
fn sent_as(message_id: MessageId, attempt: u32) -> String {
    format!("sent-{message_id}-{attempt}")
}

impl History {
    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128((7 << 76) | (2 << 62) | self.ids)
    }

    fn fresh_ids(&mut self) -> FreshIds {
        FreshIds {
            message_id: self.id().into(),
            contact_id: self.id().into(),
            reply_id: self.id().into(),
            held_id: self.id().into(),
        }
    }

    /// Does an operation; a refusal is as good a step as any, a broken operation is not.
    async fn does<O: Operation<Refusal: Display>>(&self, operation: O) -> Option<O::Output> {
        match self.ledger.submit(operation).await {
            Ok(Answer::Done(output) | Answer::Repeated(output)) => Some(output),
            Ok(Answer::Duplicate) | Err(LedgerError::Refused(_)) => None,
            Err(error) => panic!("an operation failed: {error}"),
        }
    }

    fn settings(&self) -> SurveySettings {
        SurveySettings {
            name: "Help desk".into(),
            cases_enabled: self.cases_enabled,
            status: StatusQuestion {
                question: "How far is it?".into(),
                choices: vec!["New".into(), "In progress".into(), "Resolved".into()],
                closed_value: "Resolved".into(),
            },
            append_reference: true,
            time_zone: docket_domain::office_hours::TimeZone::default(),
        }
    }

    async fn begin(ledger: Ledger) -> Self {
        let user_id = UserId(Uuid::from_u128(1));
        let asked = Asked {
            user_id,
            email: "agent@example.com".into(),
            access: Access::All,
            via: docket_projections::log::recorded::Via::Api,
            token_id: None,
            request_id: None,
            idempotency: None,
        };
        let mut history = Self {
            ledger,
            asked,
            survey_id: SurveyId(Uuid::from_u128(2)),
            lines: vec![],
            cases_enabled: true,
            ids: 1_000,
            cases: vec![],
            inbound: vec![],
            outbound: vec![],
            held: vec![],
            label_ids: vec![],
            last: None,
        };
        let (survey_id, settings) = (history.survey_id, history.settings());
        history
            .does(SetSurvey {
                survey_id,
                settings,
                create: true,
                seen: None,
                by: Administrator::System,
            })
            .await;
        for channel in [Channel::Sms, Channel::Whatsapp] {
            let line_id = history.id().into();
            let settings = LineSettings {
                survey_id,
                multi_case_reply: Some("You have %s1 cases: %s2".into()),
                automatic: docket_domain::line::AutomaticTexts::default(),
            };
            let command = LineCommand::Add {
                line_id,
                number: "447700900000".into(),
                channel,
                settings,
            };
            history
                .does(ChangeLine {
                    line_id,
                    command,
                    by: Administrator::System,
                })
                .await;
            history.lines.push(line_id);
        }
        history
    }

    fn case(&self, n: usize) -> Option<Reference> {
        self.cases.get(n % self.cases.len().max(1)).copied()
    }

    fn sent(&self, n: usize) -> Option<(Reference, MessageId)> {
        self.outbound.get(n % self.outbound.len().max(1)).copied()
    }

    async fn receive(&mut self, inbound: Inbound) {
        let operation = ReceiveMessage {
            inbound,
            body: HeldBody::Text("{}".into()),
            ids: self.fresh_ids(),
            request_id: None,
        };
        self.last = Some(operation.clone());
        self.take_in(operation).await;
    }

    async fn take_in(&mut self, operation: ReceiveMessage) {
        let (provider_id, reply_id) = (
            operation.inbound.provider_id.clone(),
            operation.ids.reply_id,
        );
        let inbound = operation.inbound.clone();
        match self.does(operation).await {
            Some(Received::Routed {
                message_id,
                references,
                rule,
            }) => {
                let is_said = !matches!(inbound.content, Content::Reaction { .. });
                for reference in &references {
                    if !self.cases.contains(reference) {
                        self.cases.push(*reference);
                    }
                    if is_said {
                        self.inbound
                            .push((*reference, message_id, provider_id.clone()));
                    }
                }
                if is_said && rule == docket_domain::routing::Rule::AllOpen {
                    self.outbound.push((references[0], reply_id));
                }
            }
            Some(Received::Held { held_id }) => self.held.push((held_id, inbound)),
            None => {}
        }
    }

    fn inbound_message(&mut self, from: u8, channel: Channel, content: Content) -> Inbound {
        let n = self.id();
        Inbound {
            channel,
            to: "447700900000".into(),
            from: format!("44770090012{from}"),
            provider_id: format!("provider-{n}"),
            at: docket_projections::log::recorded::to_database_precision(
                docket::ambient::now() - TimeDelta::seconds(3),
            ),
            at_is_arrival: false,
            content,
            quoted: None,
            profile_name: None,
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of step")]
    async fn step(&mut self, step: Step) {
        match step {
            Step::Text {
                again: true,
                from: 0,
                ..
            } if self.last.is_some() => {
                // Vonage delivers the same message once more.
                let again = self.last.clone().expect("just seen");
                let ids = self.fresh_ids();
                self.take_in(ReceiveMessage { ids, ..again }).await;
            }
            Step::Text {
                from,
                channel,
                text,
                quote,
                named,
                unknown_line,
                ..
            } => {
                let said = match text {
                    Text::Plain => format!("Hello from {from}"),
                    Text::NewCase => "#0 something else".into(),
                    Text::Mention(n) => format!("about #{} please", 101 + n),
                    Text::Stop => "STOP".into(),
                };
                let mut inbound = self.inbound_message(from, channel, Content::text(said));
                if quote && channel == Channel::Whatsapp {
                    let theirs = self.inbound.last().map(|(_, _, id)| id.clone());
                    let ours = self.outbound.last().map(|(_, id)| sent_as(*id, 1));
                    inbound.quoted = if from == 1 { ours } else { theirs };
                }
                if named && channel == Channel::Whatsapp {
                    inbound.profile_name = Some(format!("Invented {from}"));
                }
                if unknown_line {
                    inbound.to = "447700900009".into();
                }
                self.receive(inbound).await;
            }
            Step::Photo { from } => {
                let media = Media {
                    url: "https://media.example.com/1".into(),
                    ..Media::default()
                };
                let inbound = self.inbound_message(from, Channel::Whatsapp, Content::Image(media));
                self.receive(inbound).await;
            }
            Step::React {
                from,
                to,
                message,
                removed,
                age,
            } => {
                let content = Content::Reaction {
                    emoji: (!removed).then(|| format!("👍{age}")),
                    removed,
                };
                let mut inbound = self.inbound_message(from, Channel::Whatsapp, content);
                inbound.at -= TimeDelta::seconds(age.into());
                inbound.quoted = match to {
                    0 => self
                        .inbound
                        .get(message % self.inbound.len().max(1))
                        .map(|(_, _, id)| id.clone()),
                    1 => self.sent(message).map(|(_, id)| sent_as(id, 1)),
                    _ => None,
                };
                self.receive(inbound).await;
            }
            Step::Status {
                message,
                attempt,
                kind,
                by_client_ref,
            } => {
                let sent = self.sent(message);
                let status = Status {
                    provider_id: Some(
                        sent.map_or_else(|| "nobody".into(), |(_, id)| sent_as(id, attempt)),
                    ),
                    client_ref: sent
                        .filter(|_| by_client_ref)
                        .map(|(_, id)| id.client_ref(attempt)),
                    channel: Some(Channel::Sms),
                    status: kind,
                    at_is_arrival: false,
                    at: docket_projections::log::recorded::to_database_precision(
                        docket::ambient::now(),
                    ),
                    error: None,
                };
                let held_id = HeldId(Uuid::new_v5(
                    &Uuid::NAMESPACE_OID,
                    format!("{status:?}").as_bytes(),
                ));
                self.does(RecordStatus {
                    status,
                    body: HeldBody::Text("{}".into()),
                    held_id,
                    request_id: None,
                })
                .await;
            }
            Step::Reply { case, text } => {
                let Some(reference) = self.case(case) else {
                    return;
                };
                let message_id = self.id().into();
                let reply = Reply {
                    send_as: SendAs::default(),
                    reference,
                    text: format!("Answer {text}"),
                    media: None,
                    seen_version: (text % 3 == 0).then_some(u64::from(text)),
                    message_id,
                    asked: self.asked.clone(),
                };
                if self.does(reply).await.is_some() {
                    self.outbound.push((reference, message_id));
                }
            }
            Step::Begin { to } => {
                let begin = BeginCase {
                    send_as: SendAs::default(),
                    line_id: self.lines[0],
                    number: format!("+44 7700 90012{to}"),
                    text: "We write first".into(),
                    title: None,
                    message_id: self.id().into(),
                    contact_id: self.id().into(),
                    asked: self.asked.clone(),
                };
                if let Some(begun) = self.does(begin).await {
                    self.cases.push(begun.reference);
                    self.outbound.push((begun.reference, begun.message_id));
                }
            }
            Step::SetStatus { case, value } => {
                let value = self.settings().status.choices[value].clone();
                self.change(case, Change::status(value)).await;
            }
            Step::Assign { case, somebody } => {
                let assignee = Assignee {
                    user_id: self.asked.user_id,
                    email: Personal(self.asked.email.clone()),
                };
                self.change(case, Change::Assignee(somebody.then_some(assignee)))
                    .await;
            }
            Step::Rename { case, title } => {
                self.change(case, Change::Title(format!("Title {}", title % 4)))
                    .await;
            }
            Step::Labels(step) => self.labels(step).await,
            Step::Note { case } => {
                let note_id = self.id().into();
                self.change(
                    case,
                    Change::Note {
                        note_id,
                        text: "A note".into(),
                        mentions: vec![UserId(Uuid::from_u128(100))],
                    },
                )
                .await;
            }
            Step::Move { case, message, to } => {
                let Some(from) = self.case(case) else { return };
                let there: Vec<_> = self
                    .inbound
                    .iter()
                    .filter(|(reference, ..)| *reference == from)
                    .collect();
                let Some((_, message_id, provider_id)) = there
                    .get(message % there.len().max(1))
                    .map(|m| (*m).clone())
                else {
                    return;
                };
                let moved = MoveMessage {
                    from,
                    message_id,
                    // Often those that follow go with it.
                    following: there
                        .iter()
                        .skip(message % there.len().max(1) + 1)
                        .map(|(_, following, _)| *following)
                        .filter(|_| message < 2)
                        .collect(),
                    to: to.and_then(|to| self.case(to)),
                    comment: (message % 2 == 0).then(|| "Another matter".into()),
                    note_id: self.id().into(),
                    asked: self.asked.clone(),
                };
                if let Some(moved) = self.does(moved).await {
                    if !self.cases.contains(&moved.reference) {
                        self.cases.push(moved.reference);
                    }
                    self.inbound
                        .push((moved.reference, message_id, provider_id));
                }
            }
            Step::UndoMove { case, message } => {
                let Some(reference) = self.case(case) else {
                    return;
                };
                for source in self.cases.clone() {
                    let there: Vec<_> = self
                        .inbound
                        .iter()
                        .filter(|(r, ..)| *r == reference)
                        .collect();
                    let Some((_, message_id, _)) = there
                        .get(message % there.len().max(1))
                        .map(|m| (*m).clone())
                    else {
                        return;
                    };
                    let undo = UndoMove {
                        reference,
                        source,
                        message_id,
                        others: there.iter().map(|(_, other, _)| *other).collect(),
                        asked: self.asked.clone(),
                    };
                    if self.does(undo).await.is_some() {
                        return;
                    }
                }
            }
            Step::BeginSending { message } => {
                let Some((_, message_id)) = self.sent(message) else {
                    return;
                };
                for attempt in 1..=2 {
                    self.does(BeginSending {
                        message_id,
                        attempt,
                    })
                    .await;
                }
            }
            Step::Outcome {
                message,
                attempt,
                news,
            } => {
                let Some((_, message_id)) = self.sent(message) else {
                    return;
                };
                let at = docket_projections::log::recorded::to_database_precision(
                    docket::ambient::now(),
                );
                let news = match news {
                    0 => News::Deferred {
                        not_before: at,
                        reason: "later".into(),
                    },
                    1 => News::Sent {
                        provider_id: Some(sent_as(message_id, attempt)),
                    },
                    2 => News::Failed {
                        code: Some(1340),
                        reason: "outside the window".into(),
                    },
                    3 => News::Uncertain {
                        reason: "no answer".into(),
                    },
                    4 => News::Delivered {
                        at,
                        at_is_arrival: false,
                    },
                    _ => News::Sent { provider_id: None },
                };
                self.does(RecordOutcome {
                    message_id,
                    attempt,
                    news,
                })
                .await;
            }
            Step::Resend { message } => {
                let Some((reference, message_id)) = self.sent(message) else {
                    return;
                };
                self.does(Resend {
                    reference,
                    message_id,
                    asked: self.asked.clone(),
                })
                .await;
            }
            Step::Hold => {
                let held_id: HeldId = self.id().into();
                let webhook = HeldWebhook {
                    held_id,
                    kind: WebhookKind::Inbound,
                    reason: HeldReason::Undecodable,
                    detail: "the payload is not JSON".into(),
                    provider_id: None,
                    to: None,
                    from: Some("447700900120".into()),
                    body: Personal(HeldBody::Hex("ff".into())),
                };
                let receipt = Receipt {
                    kind: "held",
                    key: held_id.to_string(),
                };
                self.does(HoldWebhook {
                    webhook,
                    receipt,
                    request_id: None,
                })
                .await;
            }
            Step::RouteHeld { held } => {
                let Some((held_id, inbound)) =
                    self.held.get(held % self.held.len().max(1)).cloned()
                else {
                    return;
                };
                let inbound = Inbound {
                    to: "447700900000".into(),
                    ..inbound
                };
                let route = RouteHeld {
                    held_id,
                    inbound,
                    ids: self.fresh_ids(),
                    asked: self.asked.clone(),
                };
                if let Some(routed) = self.does(route).await {
                    self.cases.extend(routed.references);
                }
            }
            Step::ToggleCases => {
                self.cases_enabled = !self.cases_enabled;
                let (survey_id, settings) = (self.survey_id, self.settings());
                self.does(SetSurvey {
                    survey_id,
                    settings,
                    create: false,
                    seen: None,
                    by: Administrator::System,
                })
                .await;
            }
            Step::Templates { n } => {
                let name = format!("Answer {}", n % 3);
                let template = Template {
                    name: name.clone(),
                    text: format!("Hello {{name}} {n}"),
                };
                let change = match n % 4 {
                    0 => TemplateChange::Remove { name },
                    1 => TemplateChange::Replace {
                        name,
                        was: None,
                        template,
                    },
                    _ => TemplateChange::Add(template),
                };
                self.does(ChangeTemplates {
                    survey_id: self.survey_id,
                    change,
                    by: Administrator::System,
                })
                .await;
            }
            Step::Vonage { n } => {
                let secret = |n: u8| match n % 3 {
                    0 => Entry::Keep,
                    1 => Entry::Remove,
                    _ => Entry::Set(SealedSecret {
                        nonce: vec![n; 24],
                        ciphertext: vec![n; 40],
                    }),
                };
                self.does(ChangeVonage {
                    seen: None,
                    application_id: match n % 4 {
                        0 => Entry::Keep,
                        1 => Entry::Remove,
                        _ => Entry::Set(format!("application-{n}")),
                    },
                    signature_secret: secret(n),
                    private_key: secret(n / 3),
                    by: Administrator::User(self.asked.clone()),
                })
                .await;
            }
            Step::Halt { resume } => {
                let command = if resume {
                    LineCommand::Resume
                } else {
                    LineCommand::Halt {
                        reason: HaltReason::Balance,
                    }
                };
                self.does(ChangeLine {
                    line_id: self.lines[0],
                    command,
                    by: Administrator::System,
                })
                .await;
            }
            Step::Person { n, name, zone } => {
                let name = name.map(|name| Personal(format!("Invented {name}")));
                let time_zone = zone.then(|| "Europe/Berlin".to_owned());
                let preferences = PreferencesChange {
                    time_zone: Some(time_zone),
                    next_case: Some(zone),
                    ..PreferencesChange::default()
                };
                for command in [
                    UserCommand::SetName(name),
                    UserCommand::ChangePreferences(preferences),
                ] {
                    self.does(ChangeUser {
                        user_id: UserId(Uuid::from_u128(100 + u128::from(n))),
                        command,
                        secrets: vec![],
                        by: Administrator::System,
                    })
                    .await;
                }
            }
            Step::User { n, remove } => {
                let user_id = UserId(Uuid::from_u128(100 + u128::from(n)));
                let command = if remove {
                    UserCommand::Remove
                } else {
                    UserCommand::Add {
                        user_id,
                        email: format!("u{n}@example.com").into(),
                        name: Some(format!("Invented {n}").into()),
                        role: Role::Agent,
                        access: Access::All,
                    }
                };
                self.does(ChangeUser {
                    user_id,
                    command,
                    secrets: vec![],
                    by: Administrator::System,
                })
                .await;
            }
        }
    }

    /// What another process brings up to date in its cache is what it reads without one.
    async fn compare_contacts(
        &self,
        pool: &PgPool,
        bystander: &CachedContacts,
    ) -> Result<(), String> {
        let mut conn = pool.acquire().await.map_err(|error| error.to_string())?;
        for from in 0..4 {
            let number = format!("44770090012{from}");
            let said = self.inbound.iter().rev().nth(from);
            bystander
                .compare(
                    &mut conn,
                    (self.survey_id, &number),
                    said.map(|said| said.1),
                )
                .await
                .map_err(|error| format!("{number}: {error}"))?;
        }
        Ok(())
    }

    async fn change(&self, case: usize, change: Change) {
        let Some(reference) = self.case(case) else {
            return;
        };
        self.does(ChangeCase {
            reference,
            change,
            asked: self.asked.clone(),
        })
        .await;
    }
}

#[test]
fn what_is_rebuilt_from_any_history_equals_what_was_kept_up() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(Config {
        cases: HISTORIES,
        max_shrink_iters: 40,
        ..Config::default()
    });
    runner
        .run(&proptest::collection::vec(step(), 20..120), |steps| {
            runtime.block_on(play(steps)).map_err(TestCaseError::fail)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

/// What the write path reads of every case is what its whole stream says.
async fn brief_cases_are_the_whole_ones(pool: &PgPool) -> Result<(), String> {
    let mut conn = pool.acquire().await.map_err(|error| error.to_string())?;
    let mut whole: BTreeMap<Reference, Case> = BTreeMap::new();
    let upcasters = upcasters();
    for event in reader::page(&mut *conn, 0, i64::MAX)
        .await
        .map_err(|error| error.to_string())?
    {
        let recorded = event
            .decode(&upcasters)
            .map_err(|error| error.to_string())?;
        if let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, recorded.event) {
            whole.entry(reference).or_default().evolve(&event);
        }
    }
    for (reference, whole) in whole {
        let state = whole.state().ok_or("a case begins")?;
        let known: Vec<MessageId> = state
            .messages
            .keys()
            .chain(state.moved_out.keys())
            .copied()
            .collect();
        let brief = brief_case(&mut conn, reference, known).await;
        if brief.summary() != whole.summary() {
            return Err(format!(
                "#{reference}: {:?} is read, {:?} is so",
                brief.summary(),
                whole.summary()
            ));
        }
        let read = brief.state().ok_or("a brief case has begun")?;
        if (&read.messages, &read.moved_out) != (&state.messages, &state.moved_out) {
            return Err(format!("#{reference}: other messages are recalled"));
        }
    }
    Ok(())
}

async fn play(steps: Vec<Step>) -> Result<(), String> {
    let database = testing::database().await;
    let connect = docket_projections::connect::connect_options(&database.url)
        .map_err(|error| error.to_string())?;
    let ledger = Ledger::start(connect.clone(), LedgerOptions::new(docket::ambient::now))
        .await
        .map_err(|error| error.to_string())?;
    let mut history = History::begin(ledger.clone()).await;
    let bystander = CachedContacts::new();
    for (n, step) in steps.into_iter().enumerate() {
        history.step(step).await;
        // A process that does nothing meanwhile lacks one event, or several.
        if n % BYSTANDER_LOOKS < 2 {
            history.compare_contacts(&database.pool, &bystander).await?;
        }
    }
    brief_cases_are_the_whole_ones(&database.pool).await?;
    let all = rebuild::models(&[]).map_err(|error| error.to_string())?;
    let head = reader::head(&database.pool)
        .await
        .map_err(|error| error.to_string())?;
    let (events, differences) = rebuild::check(&connect, &all, |_| {})
        .await
        .map_err(|error| format!("{error:?}"))?;
    if events != head || !differences.is_empty() {
        let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
        return Err(format!("{events} of {head} events; {}", told.join("; ")));
    }
    // Swapped in, the rebuilt tables take the next events as the old ones did.
    rebuild::rebuild(&connect, &all, docket::ambient::now(), |_| {})
        .await
        .map_err(|error| format!("{error:?}"))?;
    let said = history.inbound_message(1, Channel::Sms, Content::text("After the swap"));
    history.receive(said).await;
    let (_, differences) = rebuild::check(&connect, &all, |_| {})
        .await
        .map_err(|error| format!("{error:?}"))?;
    if !differences.is_empty() {
        return Err(format!("after the swap: {differences:?}"));
    }
    ledger.close().await;
    database.close().await;
    Ok(())
}
