//! Cases, contacts, threads and messages as events make them, and what is asked of them.

#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::case::{
    Assignee, Author, Body, Case, CaseCommand, CaseEvent, CaseLabel, InboundMessage, MediaNews,
    News, Opened, Origin, OutboundMessage, Reaction, SentId,
};
use docket_domain::channel::Channel;
use docket_domain::contact::profile::{OptOutCause, OptOutChange};
use docket_domain::content::{Content, Media};
use docket_domain::delivery::Status;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{
    ContactId, LabelId, LineId, MessageId, NoteId, Reference, SurveyId, UserId,
};
use docket_domain::media::{MediaFailure, StoredFile};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use docket_domain::text::search::Query;
use docket_projections::log::recorded::{Actor, Metadata, Recorded, UNDATED, Via};
use docket_projections::presence::{self, OpenPage};
use docket_projections::read::cases::{
    AssigneeFilter, CaseFilter, CaseLink, CaseOrigin, CaseRow, CaseState, Cursor, LinkKind,
    NumberFilter,
};
use docket_projections::read::rows::RowError;
use docket_projections::read::thread::{Delivery, ItemAuthor, Place, ThreadItem, What};
use docket_projections::read::{
    Description, ReadModels, Writes, cases, contacts, messages, open_cases, thread,
};
use docket_projections::read_marks;
use docket_projections::testing::{database, write_models};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

const TABLES: [&str; 8] = [
    "contacts",
    "open_cases",
    "cases",
    "contact_cases",
    "case_links",
    "thread_items",
    "messages",
    "sent_ids",
];

/// Handlers of the models that have these tables.
fn models() -> ReadModels {
    let has_one = |model: &&Description| model.tables.iter().any(|table| TABLES.contains(table));
    ReadModels::only(
        &ReadModels::ALL
            .iter()
            .filter(has_one)
            .copied()
            .collect::<Vec<_>>(),
    )
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn reference(number: u32) -> Reference {
    Reference::new(number).unwrap()
}

/// `seconds` after the time at which every test begins.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

fn message_id(number: u128) -> MessageId {
    MessageId(id(0x3e55 << 64 | number))
}

fn contact(number: u32) -> ContactId {
    ContactId(id(0xc0 << 64 | u128::from(number)))
}

/// Contact 0 has the number 447700900100 and belongs to survey 0, contact 1 has the next one and survey 1, and so on in turn.
fn number(contact: u32) -> Personal<String> {
    Personal(format!("4477009001{contact:02}"))
}

fn survey(contact: u32) -> SurveyId {
    SurveyId(id(0x50 << 64 | u128::from(contact % 2)))
}

const LINE: LineId = LineId(Uuid::from_u128(0x11));

fn agent(number: u8) -> Assignee {
    Assignee {
        user_id: UserId(id(0xa0 << 64 | u128::from(number))),
        email: Personal(format!("agent{number}@example.com")),
    }
}

fn actor(number: u8) -> Actor {
    let agent = agent(number);
    Actor::User {
        user_id: agent.user_id,
        email: agent.email.0,
    }
}

fn author(number: u8) -> Author {
    let agent = agent(number);
    Author::User {
        user_id: agent.user_id,
        email: agent.email,
    }
}

/// A log that is being written by commands on cases. A second passes with each event.
#[derive(Default)]
struct World {
    cases: BTreeMap<Reference, Case>,
    log: Vec<Recorded>,
    ids: u128,
}

impl World {
    /// Where a message stands in its thread. One that came back stands where it stood, though that it did is news.
    fn place_of(&self, case: Reference, message_id: MessageId, sequence: u64) -> u64 {
        let of_case = self
            .log
            .iter()
            .filter(|recorded| recorded.stream == StreamId::Case(case));
        let placed = of_case.filter_map(|recorded| match &recorded.event {
            Event::Case(
                CaseEvent::MessageReceived { message, .. }
                | CaseEvent::MessageMovedIn { message, .. },
            ) => (message.message_id == message_id).then_some(recorded.sequence),
            Event::Case(CaseEvent::MessageQueued(message)) => {
                (message.message_id == message_id).then_some(recorded.sequence)
            }
            _ => None,
        });
        placed
            .filter(|placed| *placed <= sequence)
            .max()
            .expect("it was brought here")
    }

    fn next_id(&mut self) -> u128 {
        self.ids += 1;
        self.ids
    }

    /// Does what is asked and records it; a refusal records nothing.
    fn attempt(&mut self, who: &Actor, case: Reference, command: CaseCommand) -> bool {
        let aggregate = self.cases.entry(case).or_default();
        let Ok(events) = aggregate.decide(command) else {
            return false;
        };
        for event in events {
            aggregate.evolve(&event);
            self.log.push(Recorded {
                stream: StreamId::Case(case),
                sequence: aggregate.version(),
                event: event.into(),
                metadata: Metadata::of(who.clone(), Via::System),
                recorded_at: at(i64::try_from(self.log.len()).unwrap()),
            });
        }
        true
    }

    #[track_caller]
    fn perform(&mut self, who: &Actor, case: Reference, command: CaseCommand) {
        assert!(self.attempt(who, case, command), "the command was refused");
    }

    /// Begins the next case.
    fn open(
        &mut self,
        who: &Actor,
        contact_number: u32,
        title: &str,
        origin: Origin,
        follows: Option<Reference>,
    ) -> Reference {
        let case = reference(101 + u32::try_from(self.cases.len()).unwrap());
        let opened = Opened {
            reference: case,
            contact_id: contact(contact_number),
            number: number(contact_number),
            survey_id: survey(contact_number),
            line_id: LINE,
            channel: Channel::Whatsapp,
            title: title.into(),
            status: Some("New".into()),
            origin,
            follows,
        };
        self.perform(who, case, CaseCommand::Open(opened));
        case
    }

    fn inbound(
        &mut self,
        contact_number: u32,
        content: Content,
        name: Option<&str>,
    ) -> InboundMessage {
        let number_of_it = self.next_id();
        InboundMessage {
            message_id: message_id(number_of_it),
            line_id: LINE,
            channel: Channel::Whatsapp,
            from: number(contact_number),
            content: Personal(content),
            provider_id: format!("in-{number_of_it}"),
            at: at(i64::try_from(self.log.len()).unwrap()) - TimeDelta::seconds(90),
            at_is_arrival: false,
            quotes: None,
            profile_name: name.map(Personal::from),
        }
    }

    fn outbound(
        &mut self,
        contact_number: u32,
        text: &str,
        author: Author,
        references: Vec<Reference>,
    ) -> OutboundMessage {
        OutboundMessage {
            message_id: message_id(self.next_id()),
            line_id: LINE,
            channel: Channel::Whatsapp,
            contact_id: contact(contact_number),
            to: number(contact_number),
            text: text.into(),
            sent_text: match &author {
                Author::User { .. } => Personal(format!("{text} #{}", references[0])),
                Author::Automatic { .. } | Author::OptOutConfirmation => text.into(),
            },
            author,
            references,
            media: None,
            template: None,
        }
    }

    #[track_caller]
    fn receive(
        &mut self,
        case: Reference,
        message: InboundMessage,
        rule: Rule,
        references: Vec<Reference>,
    ) {
        let routed = Routed::new(rule, references);
        self.perform(
            &Actor::Vonage,
            case,
            CaseCommand::Receive { message, routed },
        );
    }

    /// Begins a case with a text of the contact's.
    fn said(&mut self, contact_number: u32, text: &str) -> (Reference, MessageId) {
        let case = self.open(&Actor::Vonage, contact_number, text, Origin::Message, None);
        let message = self.inbound(contact_number, Content::text(text), None);
        let message_id = message.message_id;
        self.receive(case, message, Rule::First, vec![]);
        (case, message_id)
    }

    #[track_caller]
    fn deliver(&mut self, case: Reference, message_id: MessageId, attempt: u32, news: News) {
        let command = CaseCommand::RecordDelivery {
            message_id,
            attempt,
            news,
        };
        self.perform(&Actor::Vonage, case, command);
    }

    fn open_of(&self, contact_number: u32) -> Vec<Reference> {
        self.cases
            .iter()
            .filter(|(_, case)| case.is_routed_to())
            .filter(|(_, case)| case.state().unwrap().origin.contact_id == contact(contact_number))
            .map(|(reference, _)| *reference)
            .collect()
    }
}

/// Builds the models anew, writing after every `batch` events.
async fn build(pool: &PgPool, log: &[Recorded], batch: usize) {
    let mut conn = pool.acquire().await.unwrap();
    for table in TABLES {
        sqlx::query(&format!("TRUNCATE {table}"))
            .execute(&mut *conn)
            .await
            .unwrap();
    }
    let mut models = models();
    for events in log.chunks(batch) {
        for recorded in events {
            models.apply(recorded);
        }
        write_models(&mut models, &mut conn).await;
    }
}

/// All rows of all tables.
async fn rows(pool: &PgPool) -> BTreeMap<&'static str, Vec<Value>> {
    let mut all = BTreeMap::new();
    for table in TABLES {
        let rows = sqlx::query_scalar(&format!(
            "SELECT to_jsonb(t) FROM {table} t ORDER BY to_jsonb(t)::text"
        ))
        .fetch_all(pool)
        .await
        .unwrap();
        all.insert(table, rows);
    }
    all
}

/// Numbers that look drawn, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn of<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() {
            None
        } else {
            Some(from[self.below(from.len())].clone())
        }
    }
}

/// Lets something happen at random that can happen to cases.
#[expect(
    clippy::too_many_lines,
    reason = "one arm for each thing that can happen"
)]
fn happen(world: &mut World, dice: &mut Dice) {
    let contact_number = u32::try_from(dice.below(3)).unwrap();
    let all: Vec<Reference> = world.cases.keys().copied().collect();
    let open = world.open_of(contact_number);
    let agent_number = u8::try_from(dice.below(2)).unwrap();
    let who = actor(agent_number);
    let Some(case) = dice.of(&all) else {
        world.said(contact_number, "First");
        return;
    };
    let of_case: Vec<(MessageId, Body)> = world.cases[&case]
        .state()
        .unwrap()
        .messages
        .iter()
        .map(|(message_id, message)| (*message_id, message.body.clone()))
        .collect();
    match dice.below(20) {
        0 => {
            let follows = all
                .iter()
                .find(|case| !world.cases[*case].is_open())
                .copied();
            let origin = dice
                .of(&[Origin::Agent, Origin::Agent, Origin::Record])
                .unwrap();
            world.open(&who, contact_number, "Begun", origin, follows);
        }
        1..=3 => {
            let name = dice.of(&["Ann", "Bea"]);
            let message = world.inbound(contact_number, Content::text("Hello"), name);
            for case in &open {
                world.receive(*case, message.clone(), Rule::AllOpen, open.clone());
            }
        }
        4 => {
            let photo = Content::Image(Media {
                url: "https://media.example.com/1".into(),
                ..Media::default()
            });
            let message = world.inbound(contact_number, photo, None);
            if let Some(case) = open.first() {
                world.receive(*case, message, Rule::Reference, vec![*case]);
            }
        }
        5 => {
            let message =
                world.outbound(contact_number, "Answer", author(agent_number), vec![case]);
            world.attempt(
                &who,
                case,
                CaseCommand::Reply {
                    message,
                    seen_version: None,
                },
            );
        }
        6 if !open.is_empty() => {
            let message = world.outbound(
                contact_number,
                "Which case?",
                Author::SEVERAL_CASES,
                open.clone(),
            );
            for case in &open {
                world.perform(
                    &Actor::System,
                    *case,
                    CaseCommand::ReplyAutomatically(message.clone()),
                );
            }
        }
        7 | 8 => happen_to_delivery(world, dice, case, &of_case),
        9 => {
            let value = dice.of(&["New", "Working", "Closed"]).unwrap();
            let command = CaseCommand::SetStatus {
                question: "Status".into(),
                value: value.into(),
                closes: value == "Closed",
            };
            world.attempt(&who, case, command);
        }
        10 => {
            let to = dice.of(&[None, Some(agent(0)), Some(agent(1))]).unwrap();
            world.attempt(&who, case, CaseCommand::Assign { to });
            let title = dice.of(&["One", "Two"]).unwrap();
            world.attempt(
                &who,
                case,
                CaseCommand::Rename {
                    title: title.into(),
                },
            );
        }
        11 => {
            let note_id = NoteId(id(world.next_id()));
            world.attempt(
                &who,
                case,
                CaseCommand::AddNote {
                    note_id,
                    author: author(agent_number),
                    text: "Note".into(),
                },
            );
            let users = vec![agent(0).user_id];
            world.attempt(&who, case, CaseCommand::Mention { note_id, users });
        }
        12 => happen_to_move(world, dice, &who, case, &of_case),
        13 | 14 => happen_to_react(world, dice, case, &of_case),
        15..=18 => happen_at_the_desk(world, dice, &who, case, &of_case),
        _ => {
            let Some((message_id, _)) = dice.of(&of_case) else {
                return;
            };
            let Origin::Move { from } = world.cases[&case].state().unwrap().origin.origin else {
                return;
            };
            let closed_status = dice.of(&[None, Some("Closed".to_owned())]).unwrap();
            let reaction = world.cases[&case]
                .state()
                .unwrap()
                .reactions
                .get(&message_id)
                .cloned();
            let back = CaseCommand::TakeBack {
                message_id,
                from: case,
                reaction,
            };
            // It may have gone back already, and come here from a third case.
            if world.cases[&from].decide(back.clone()).is_ok()
                && world.attempt(
                    &who,
                    case,
                    CaseCommand::UndoMove {
                        message_id,
                        others: vec![],
                        closed_status,
                    },
                )
            {
                world.perform(&who, from, back);
            }
        }
    }
}

fn happen_to_delivery(
    world: &mut World,
    dice: &mut Dice,
    case: Reference,
    of_case: &[(MessageId, Body)],
) {
    let ours: Vec<_> = of_case
        .iter()
        .filter_map(|(message_id, body)| match body {
            Body::Outbound {
                message, progress, ..
            } => Some((*message_id, message.references.clone(), progress.attempt)),
            Body::Inbound(_) => None,
        })
        .collect();
    let Some((message_id, references, attempt)) = dice.of(&ours) else {
        return;
    };
    let news = [
        News::Deferred {
            not_before: at(9),
            reason: "busy".into(),
        },
        News::Sent {
            provider_id: Some(format!("out-{attempt}-{message_id}")),
        },
        News::Delivered {
            at: at(5),
            at_is_arrival: false,
        },
        News::Read {
            at: at(6),
            at_is_arrival: false,
        },
        News::Failed {
            code: Some(1370),
            reason: "refused".into(),
        },
        News::Uncertain {
            reason: "no answer".into(),
        },
    ];
    let command = match dice.below(6) {
        0 | 1 => CaseCommand::BeginSending {
            message_id,
            attempt,
        },
        2 => CaseCommand::Resend {
            message_id,
            line_id: None,
        },
        // Of any attempt, and now and then another one than the answer said.
        3 => {
            let attempt = u32::try_from(dice.below(3)).unwrap() + 1;
            let other = dice.of(&["", "-again"]).unwrap();
            CaseCommand::Identify {
                message_id,
                attempt,
                provider_id: format!("out-{attempt}-{message_id}{other}"),
            }
        }
        _ => CaseCommand::RecordDelivery {
            message_id,
            attempt,
            news: dice.of(&news).unwrap(),
        },
    };
    assert!(references.contains(&case));
    for case in references {
        world.attempt(&Actor::Vonage, case, command.clone());
    }
}

fn happen_to_move(
    world: &mut World,
    dice: &mut Dice,
    who: &Actor,
    case: Reference,
    of_case: &[(MessageId, Body)],
) {
    let theirs: Vec<_> = of_case
        .iter()
        .filter_map(|(_, body)| match body {
            Body::Inbound(message) => Some((**message).clone()),
            Body::Outbound { .. } => None,
        })
        .collect();
    let Some(message) = dice.of(&theirs) else {
        return;
    };
    let message_id = message.message_id;
    let contact_id = world.cases[&case].state().unwrap().origin.contact_id;
    let contact_number = (0..3)
        .find(|number| contact(*number) == contact_id)
        .unwrap();
    let others: Vec<_> = world
        .open_of(contact_number)
        .into_iter()
        .filter(|other| *other != case)
        .collect();
    let comment: Option<Personal<String>> = dice.of(&[None, Some("Elsewhere".into())]).unwrap();
    let (to, made_case) = match dice.of(&others) {
        Some(to) if dice.below(2) == 0 => (to, false),
        _ => (
            world.open(
                who,
                contact_number,
                "Moved",
                Origin::Move { from: case },
                None,
            ),
            true,
        ),
    };
    let reaction = world.cases[&case]
        .state()
        .unwrap()
        .reactions
        .get(&message_id)
        .cloned();
    world.perform(
        who,
        case,
        CaseCommand::MoveOut {
            message_id,
            to,
            made_case,
            comment: comment.clone(),
        },
    );
    let stands_there = world.cases[&to]
        .state()
        .unwrap()
        .messages
        .contains_key(&message_id);
    let from = case;
    let arrival = if stands_there {
        CaseCommand::RecordRemovedElsewhere {
            message_id,
            from,
            comment,
        }
    } else {
        CaseCommand::MoveIn {
            message,
            from,
            made_case,
            comment,
            reaction,
        }
    };
    world.perform(who, to, arrival);
}

/// What a desk does beside answering: labels, snoozes, opting out, and files that are kept or given up.
fn happen_at_the_desk(
    world: &mut World,
    dice: &mut Dice,
    who: &Actor,
    case: Reference,
    of_case: &[(MessageId, Body)],
) {
    let noon: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().unwrap();
    let until = noon + TimeDelta::days(1);
    let label = |number: u128| CaseLabel {
        label_id: LabelId(id(number)),
        name: format!("Label {number}"),
    };
    let to: Vec<CaseLabel> = (1..=dice.below(3) as u128).map(label).collect();
    let file = StoredFile {
        sha256: "a".repeat(64),
        size: 1_024,
        media_type: "image/jpeg".into(),
        name: None,
        width: None,
        height: None,
    };
    let news = dice.of(&[
        MediaNews::Stored(file),
        MediaNews::Failed(MediaFailure::Answered { status: 404 }),
    ]);
    let command = match dice.below(6) {
        0 => CaseCommand::SetLabels {
            names: (1..4)
                .map(label)
                .map(|label| (label.label_id, label.name))
                .collect(),
            to,
        },
        1 => CaseCommand::Snooze { until, now: noon },
        2 => CaseCommand::Wake,
        3 => CaseCommand::WakeWhenDue { until },
        4 => CaseCommand::RecordOptOut(OptOutChange {
            channel: Channel::Sms,
            opted_out: dice.below(2) == 0,
            cause: OptOutCause::Person,
            reason: None,
        }),
        _ => {
            let Some((message_id, _)) = dice.of(of_case) else {
                return;
            };
            CaseCommand::RecordMedia {
                message_id,
                item: 0,
                news: news.unwrap(),
            }
        }
    };
    world.attempt(who, case, command);
}

/// The contact reacts to a message of the case, or to one that is not known, sooner or later than before.
fn happen_to_react(
    world: &mut World,
    dice: &mut Dice,
    case: Reference,
    of_case: &[(MessageId, Body)],
) {
    let emoji = dice.of(&[None, Some("👍"), Some("❤️")]).unwrap();
    let reaction = Reaction {
        reaction_id: MessageId(id(world.next_id())),
        message_id: dice
            .of(&[true, true, false])
            .filter(|known| *known)
            .and_then(|_| dice.of(of_case))
            .map(|(id, _)| id),
        target_provider_id: Some("target".into()),
        emoji: emoji.map(Personal::from),
        removed: emoji.is_none(),
        line_id: LineId(id(1)),
        channel: Channel::Whatsapp,
        from: "447700900123".into(),
        provider_id: format!("reaction-{}", world.next_id()),
        at: "2026-03-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap()
            + TimeDelta::seconds(dice.of(&[0, 1, 2, 3]).unwrap()),
        profile_name: None,
    };
    let routed = Routed::new(Rule::Reaction, vec![case]);
    world.attempt(
        &Actor::Vonage,
        case,
        CaseCommand::React { reaction, routed },
    );
}

#[tokio::test]
async fn rows_are_the_same_however_often_they_are_written() {
    let database = database().await;
    let mut types = BTreeSet::new();
    for seed in 1..=400 {
        let mut world = World::default();
        let mut dice = Dice(seed);
        for _ in 0..400 {
            happen(&mut world, &mut dice);
        }
        let happened = world.log.iter().map(|recorded| recorded.event.type_name());
        let known = types.len();
        types.extend(happened);
        // After the first, a history is worth its time where something happens that did not before.
        if seed > 4 && types.len() == known {
            continue;
        }

        build(&database.pool, &world.log, 1).await;
        let one_by_one = rows(&database.pool).await;
        assert!(one_by_one.values().all(|rows| !rows.is_empty()));
        for batch in [2, 7, 60, world.log.len()] {
            build(&database.pool, &world.log, batch).await;
            let at_once = rows(&database.pool).await;
            for table in TABLES {
                assert_eq!(
                    at_once[table], one_by_one[table],
                    "{table}, seed {seed}, batches of {batch}"
                );
            }
        }
        agrees_with_the_cases(&database.pool, &world).await;
    }
    assert_eq!(
        types,
        BTreeSet::from(CaseEvent::TYPES),
        "every event happened"
    );
    database.close().await;
}

#[tokio::test]
async fn rows_are_the_same_with_and_without_their_time_of_recording() {
    let database = database().await;
    let all: Vec<_> = ReadModels::ALL
        .iter()
        .flat_map(|model| model.tables)
        .collect();
    let rows = async || {
        let mut rows = BTreeMap::new();
        for table in &all {
            let sql = format!("SELECT to_jsonb(t) FROM {table} t ORDER BY to_jsonb(t)::text");
            let found: Vec<Value> = sqlx::query_scalar(&sql)
                .fetch_all(&database.pool)
                .await
                .unwrap();
            rows.insert(**table, found);
        }
        sqlx::query(&format!(
            "TRUNCATE {}",
            all.iter()
                .map(|table| **table)
                .collect::<Vec<_>>()
                .join(", ")
        ))
        .execute(&database.pool)
        .await
        .unwrap();
        rows
    };
    let mut conn = database.pool.acquire().await.unwrap();
    for seed in 1..=12 {
        let mut world = World::default();
        let mut dice = Dice(seed);
        for _ in 0..250 {
            happen(&mut world, &mut dice);
        }
        // The events of a batch are recorded at once, and Vonage's clock can be ahead.
        let batch = 2 + dice.below(30);
        for (index, recorded) in world.log.iter_mut().enumerate() {
            recorded.recorded_at = at(i64::try_from(index / batch).unwrap());
            if let Event::Case(CaseEvent::MessageReceived { message, .. }) = &mut recorded.event {
                let ahead = i64::try_from(dice.below(5)).unwrap() - 3;
                message.at = recorded.recorded_at + TimeDelta::seconds(ahead);
                message.line_id = LineId(id(0x11 + u128::try_from(dice.below(2)).unwrap()));
            }
        }

        let mut models = ReadModels::default();
        for recorded in &world.log {
            models.apply(recorded);
            write_models(&mut models, &mut conn).await;
        }
        let dated = rows().await;
        for events in world.log.chunks(batch) {
            let mut models = ReadModels::default();
            for recorded in events {
                models.apply(&Recorded {
                    recorded_at: UNDATED,
                    ..recorded.clone()
                });
            }
            let mut writes = Writes::default();
            models.write(&mut writes);
            writes.run(&mut conn, events[0].recorded_at).await.unwrap();
        }
        let undated = rows().await;
        for table in &all {
            assert_eq!(
                undated[*table], dated[*table],
                "{table}, seed {seed}, batches of {batch}"
            );
        }
    }
    drop(conn);
    database.close().await;
}

/// What is shown is what Vonage calls the newest attempt, where that is known.
fn shows_a_sent_id(delivery: &Delivery, sent_ids: &[SentId]) {
    let of_newest = |known: &&SentId| known.attempt == delivery.attempt;
    let is_known = sent_ids.iter().any(|known| of_newest(&known));
    let shown = delivery.provider_id.as_ref().map(|shown| {
        sent_ids
            .iter()
            .find(|known| known.provider_id == *shown)
            .expect("nothing else is shown")
    });
    assert!(
        !is_known || shown.is_some_and(|shown| of_newest(&shown)),
        "{delivery:?} {sent_ids:?}"
    );
}

#[track_caller]
fn shows_its_reaction(item: &ThreadItem, newest: Option<&Reaction>) {
    let newest = newest.filter(|newest| !newest.removed);
    assert_eq!(
        item.reaction.as_ref().map(|shown| (&shown.emoji, shown.at)),
        newest.map(|newest| (&newest.emoji, newest.at))
    );
}

/// What the models say of each case is what the aggregate says.
async fn agrees_with_the_cases(pool: &PgPool, world: &World) {
    let mut standing: BTreeMap<MessageId, Vec<Reference>> = BTreeMap::new();
    let mut expected_ids = BTreeSet::new();
    for (reference, case) in &world.cases {
        let state = case.state().unwrap();
        let row = cases::find(pool, *reference).await.unwrap().unwrap();
        assert_eq!(row.version, case.version());
        assert_eq!(
            usize::try_from(row.message_count).unwrap(),
            state.messages.len()
        );
        assert_eq!(
            (&row.title, &row.status, &row.assignee),
            (&state.title, &state.status, &state.assignee)
        );
        assert_eq!(row.state == CaseState::Open, case.is_open());

        let items = thread::page(pool, *reference, None, 10_000).await.unwrap();
        let mut seen = BTreeMap::new();
        for item in &items {
            match &item.what {
                What::Inbound(message) => {
                    shows_its_reaction(
                        item,
                        state.reactions.get(&message.message_id).map(Box::as_ref),
                    );
                    seen.insert(message.message_id, item.place.sequence);
                    let Body::Inbound(said) = &state.messages[&message.message_id].body else {
                        panic!("not inbound")
                    };
                    assert_eq!((&message.content, item.at), (&said.content, said.at));
                }
                What::Outbound(message) => {
                    shows_its_reaction(
                        item,
                        state.reactions.get(&message.message_id).map(Box::as_ref),
                    );
                    seen.insert(message.message_id, item.place.sequence);
                    let Body::Outbound {
                        message: ours,
                        progress,
                        ..
                    } = &state.messages[&message.message_id].body
                    else {
                        panic!("not outbound")
                    };
                    assert_eq!(
                        (&message.text, &message.sent_text),
                        (&ours.text, &ours.sent_text)
                    );
                    assert_eq!(
                        (message.delivery.status, message.delivery.attempt),
                        (progress.status, progress.attempt)
                    );
                    shows_a_sent_id(&message.delivery, state.sent_ids(message.message_id));
                    for known in state.sent_ids(message.message_id) {
                        expected_ids.insert((known.provider_id.clone(), message.message_id.0));
                    }
                }
                _ => {}
            }
        }
        let expected: BTreeMap<_, _> = state
            .messages
            .iter()
            .map(|(id, message)| (*id, world.place_of(*reference, *id, message.sequence)))
            .collect();
        assert_eq!(seen, expected, "the messages of #{reference}");
        for message_id in state.messages.keys() {
            standing.entry(*message_id).or_default().push(*reference);
        }
    }
    let sent_ids: Vec<(String, Uuid)> =
        sqlx::query_as("SELECT provider_id, message_id FROM sent_ids")
            .fetch_all(pool)
            .await
            .unwrap();
    assert_eq!(BTreeSet::from_iter(sent_ids), expected_ids);
    for (message_id, references) in standing {
        assert_eq!(
            messages::find(pool, message_id)
                .await
                .unwrap()
                .unwrap()
                .references,
            references
        );
    }
    for contact_number in 0..3 {
        let open: Vec<_> = open_cases::of_contact(pool, contact(contact_number))
            .await
            .unwrap()
            .into_iter()
            .map(|case| case.reference)
            .collect();
        assert_eq!(open, world.open_of(contact_number));
    }
}

#[tokio::test]
async fn nothing_is_written_without_events() {
    let database = database().await;
    let mut conn = database.pool.acquire().await.unwrap();
    // In an aborted transaction every statement fails.
    sqlx::query("BEGIN").execute(&mut *conn).await.unwrap();
    sqlx::query("SELECT 1 / 0")
        .execute(&mut *conn)
        .await
        .unwrap_err();
    write_models(&mut models(), &mut conn).await;
    sqlx::query("ROLLBACK").execute(&mut *conn).await.unwrap();
    drop(conn);
    database.close().await;
}

#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
#[tokio::test]
async fn a_thread_tells_what_happened() {
    let database = database().await;
    let pool = &database.pool;
    let mut world = World::default();
    let (case, first) = world.said(0, "The roof leaks");
    let photo = Content::Image(Media {
        url: "https://media.example.com/1".into(),
        caption: Some("Here".into()),
        ..Media::default()
    });
    let photo_message = InboundMessage {
        quotes: Some("in-1".into()),
        ..world.inbound(0, photo.clone(), Some("Ann"))
    };
    let photo_id = photo_message.message_id;
    world.receive(case, photo_message.clone(), Rule::Quote, vec![case]);
    let answer = world.outbound(0, "We come", author(1), vec![case]);
    world.perform(
        &actor(1),
        case,
        CaseCommand::Reply {
            message: answer.clone(),
            seen_version: None,
        },
    );
    world.perform(
        &actor(1),
        case,
        CaseCommand::BeginSending {
            message_id: answer.message_id,
            attempt: 1,
        },
    );
    world.deliver(
        case,
        answer.message_id,
        1,
        News::Failed {
            code: Some(1370),
            reason: "refused".into(),
        },
    );
    world.perform(
        &actor(1),
        case,
        CaseCommand::AddNote {
            note_id: NoteId(id(7)),
            author: author(1),
            text: "Call him".into(),
        },
    );
    world.perform(&actor(1), case, CaseCommand::Assign { to: Some(agent(0)) });
    world.perform(
        &actor(1),
        case,
        CaseCommand::Rename {
            title: "Roof".into(),
        },
    );
    let other = world.open(&actor(1), 0, "Photo", Origin::Move { from: case }, None);
    let comment: Option<Personal<String>> = Some("Another house".into());
    world.perform(
        &actor(1),
        case,
        CaseCommand::MoveOut {
            message_id: photo_id,
            to: other,
            made_case: true,
            comment: comment.clone(),
        },
    );
    world.perform(
        &actor(1),
        other,
        CaseCommand::MoveIn {
            message: photo_message,
            from: case,
            made_case: true,
            comment: comment.clone(),
            reaction: None,
        },
    );
    world.perform(
        &actor(0),
        case,
        CaseCommand::SetStatus {
            question: "Status".into(),
            value: "Done".into(),
            closes: true,
        },
    );
    build(pool, &world.log, 3).await;

    let items = thread::page(pool, case, None, 100).await.unwrap();
    let kinds: Vec<_> = items
        .iter()
        .map(|item| (item.place.sequence, item.what.kind(), item.author.kind()))
        .collect();
    assert_eq!(
        kinds,
        [
            (1, "opened", "contact"),
            (2, "message", "contact"),
            (4, "message", "user"),
            (7, "note", "user"),
            (8, "assigned", "user"),
            (9, "renamed", "user"),
            (10, "moved_out", "user"),
            (11, "status", "user"),
        ]
    );
    assert_eq!(
        items[0].what,
        What::Opened {
            title: "The roof leaks".into(),
            follows: None
        }
    );
    let What::Inbound(said) = &items[1].what else {
        panic!("inbound")
    };
    assert_eq!(
        (said.message_id, &said.content.0),
        (first, &Content::text("The roof leaks"))
    );
    assert_eq!(said.routed, Routed::new(Rule::First, vec![]));
    assert_eq!(items[1].at, items[1].recorded_at - TimeDelta::seconds(90));
    let What::Outbound(said) = &items[2].what else {
        panic!("outbound")
    };
    assert_eq!(
        (said.text.as_str(), said.sent_text.as_str()),
        ("We come", "We come #101")
    );
    assert_eq!(
        said.delivery,
        Delivery {
            status: Status::Failed,
            reason: Some("refused".into()),
            code: Some(1370),
            at: None,
            attempt: 1,
            provider_id: None
        }
    );
    let by = ItemAuthor::User {
        user_id: agent(1).user_id,
        email: agent(1).email,
    };
    assert_eq!(items[2].author, by);
    assert_eq!(
        items[3].what,
        What::Note {
            note_id: NoteId(id(7)),
            text: "Call him".into()
        }
    );
    assert_eq!(
        items[4].what,
        What::Assigned {
            before: None,
            to: Some(agent(0).email)
        }
    );
    assert_eq!(
        items[5].what,
        What::Renamed {
            before: "The roof leaks".into(),
            title: "Roof".into()
        }
    );
    assert_eq!(
        items[6].what,
        What::MovedOut {
            message_id: photo_id,
            to: other,
            comment: comment.clone(),
            undone: false,
        }
    );
    assert_eq!(
        items[7].what,
        What::Status {
            question: Some("Status".into()),
            before: Some("New".into()),
            value: "Done".into(),
            closed: true
        }
    );
    assert_eq!(thread::notes(pool, case).await.unwrap(), items[3..4]);
    assert_eq!(
        thread::message(pool, case, answer.message_id)
            .await
            .unwrap()
            .as_ref(),
        Some(&items[2])
    );
    assert_eq!(
        thread::message(pool, case, photo_id).await.unwrap(),
        None,
        "it was moved out"
    );
    assert_eq!(thread::since(pool, case, 2, 10).await.unwrap(), items[2..3]);
    assert_eq!(thread::since(pool, case, 4, 10).await.unwrap(), []);

    let there = thread::page(pool, other, None, 100).await.unwrap();
    assert_eq!(
        there[1].place,
        Place {
            sequence: 2,
            part: 0
        }
    );
    assert_eq!(
        there[1].what,
        What::MovedIn {
            message_id: photo_id,
            from: case,
            comment,
            undone: false,
        }
    );
    assert_eq!(
        there[2].place,
        Place {
            sequence: 2,
            part: 1
        }
    );
    let What::Inbound(said) = &there[2].what else {
        panic!("inbound")
    };
    assert_eq!(
        (&said.content.0, said.quotes.as_deref()),
        (&photo, Some("in-1"))
    );
    assert_eq!(said.routed, Routed::new(Rule::Moved, vec![case]));

    let link = |kind, other| CaseLink { other, kind };
    assert_eq!(
        cases::links(pool, case).await.unwrap(),
        [link(LinkKind::MovedTo, other)]
    );
    assert_eq!(
        cases::links(pool, other).await.unwrap(),
        [link(LinkKind::MovedFrom, case)]
    );
    let found = messages::find(pool, photo_id).await.unwrap().unwrap();
    assert_eq!(
        (found.provider_id.as_deref(), found.references),
        (Some("in-2"), vec![other])
    );

    // The undo brings it back to where it stood.
    world.perform(
        &actor(0),
        other,
        CaseCommand::UndoMove {
            message_id: photo_id,
            others: vec![],
            closed_status: Some("Done".into()),
        },
    );
    world.perform(
        &actor(0),
        case,
        CaseCommand::TakeBack {
            message_id: photo_id,
            from: other,
            reaction: None,
        },
    );
    build(pool, &world.log, 4).await;
    let back = thread::message(pool, case, photo_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        back.place,
        Place {
            sequence: 3,
            part: 0
        }
    );
    assert_eq!(thread::message(pool, other, photo_id).await.unwrap(), None);
    let row = cases::find(pool, other).await.unwrap().unwrap();
    assert_eq!(
        (row.withdrawn, row.state, row.message_count, row.origin),
        (true, CaseState::Closed, 0, CaseOrigin::Move)
    );
    let found = messages::find(pool, photo_id).await.unwrap().unwrap();
    assert_eq!(found.references, [case]);
    database.close().await;
}

#[tokio::test]
async fn a_thread_shows_what_vonage_calls_the_newest_attempt() {
    let database = database().await;
    let mut world = World::default();
    let (case, _) = world.said(0, "Hello");
    let reply = world.outbound(0, "We come", author(1), vec![case]);
    let message_id = reply.message_id;
    let reply = CaseCommand::Reply {
        message: reply,
        seen_version: None,
    };
    let identify = |attempt, provider_id: &str| CaseCommand::Identify {
        message_id,
        attempt,
        provider_id: provider_id.to_owned(),
    };
    let tell = |attempt, news| CaseCommand::RecordDelivery {
        message_id,
        attempt,
        news,
    };
    let resend = CaseCommand::Resend {
        message_id,
        line_id: None,
    };
    let failed = News::Failed {
        code: None,
        reason: "refused".into(),
    };
    let took = News::Sent {
        provider_id: Some("second".into()),
    };
    let steps = [
        (reply, None),
        (tell(1, failed), None),
        (identify(1, "first"), Some("first")),
        (resend, Some("first")),
        (identify(1, "first-again"), Some("first")),
        (tell(2, took), Some("second")),
        (identify(1, "first-once-more"), Some("second")),
        (identify(2, "second-again"), Some("second-again")),
    ];
    for (command, shown) in steps {
        world.perform(&Actor::Vonage, case, command);
        for batch in [1, 2, 3, world.log.len()] {
            build(&database.pool, &world.log, batch).await;
            let item = thread::message(&database.pool, case, message_id).await;
            let What::Outbound(message) = item.unwrap().unwrap().what else {
                panic!("outbound")
            };
            assert_eq!(
                message.delivery.provider_id.as_deref(),
                shown,
                "after {} events in batches of {batch}",
                world.log.len()
            );
        }
    }
    let of_ours = "SELECT provider_id FROM sent_ids WHERE message_id = $1 ORDER BY provider_id";
    let sent_ids: Vec<String> = sqlx::query_scalar(of_ours)
        .bind(message_id.0)
        .fetch_all(&database.pool)
        .await
        .unwrap();
    let all = [
        "first",
        "first-again",
        "first-once-more",
        "second",
        "second-again",
    ];
    assert_eq!(sent_ids, all);
    database.close().await;
}

#[tokio::test]
async fn a_thread_reads_in_pages_without_gaps() {
    let database = database().await;
    let mut world = World::default();
    let (case, _) = world.said(0, "Hello");
    let (from, moved) = world.said(0, "Moved");
    for _ in 0..9 {
        let message = world.inbound(0, Content::text("More"), None);
        world.receive(case, message, Rule::Reference, vec![case]);
    }
    let Body::Inbound(message) = world.cases[&from].state().unwrap().messages[&moved]
        .body
        .clone()
    else {
        panic!("inbound")
    };
    world.perform(
        &actor(0),
        from,
        CaseCommand::MoveOut {
            message_id: moved,
            to: case,
            made_case: false,
            comment: None,
        },
    );
    world.perform(
        &actor(0),
        case,
        CaseCommand::MoveIn {
            message: *message,
            from,
            made_case: false,
            comment: None,
            reaction: None,
        },
    );
    build(&database.pool, &world.log, 5).await;

    let all = thread::page(&database.pool, case, None, 100).await.unwrap();
    assert_eq!(all.len(), 13);
    for limit in [1, 4, 12] {
        let mut read = Vec::new();
        let mut after = None;
        loop {
            let page = thread::page(&database.pool, case, after, limit)
                .await
                .unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.place);
            read.extend(page);
        }
        assert_eq!(read, all, "pages of {limit}");
    }
    database.close().await;
}

#[tokio::test]
async fn a_contact_is_called_what_it_last_called_itself() {
    let database = database().await;
    let pool = &database.pool;
    let mut world = World::default();
    let (old, _) = world.said(0, "Hello");
    let begun = world.log.len();
    let name = |world: &mut World, case, name| {
        let message = world.inbound(0, Content::text("Hi"), Some(name));
        world.receive(case, message, Rule::Reference, vec![case]);
    };
    name(&mut world, old, "Ann");
    let (new, _) = world.said(0, "Again");
    name(&mut world, new, "Bea");
    name(&mut world, old, "Cleo");

    // One case begins with the names, the other has begun before.
    build(pool, &world.log[..begun], begun).await;
    let mut conn = pool.acquire().await.unwrap();
    let mut models = models();
    world.log[begun..]
        .iter()
        .for_each(|recorded| models.apply(recorded));
    write_models(&mut models, &mut conn).await;

    let row = contacts::find(&mut *conn, contact(0))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.name, Some("Cleo".into()));
    assert_eq!(
        (row.number, row.survey_id, row.first_seen_at),
        (number(0), survey(0), at(0))
    );
    assert_eq!(contacts::find(&mut *conn, contact(9)).await.unwrap(), None);
    drop(conn);
    database.close().await;
}

/// 60 cases of 20 contacts; every fifth is closed, every third belongs to agent 0, and each says something of its own.
fn many() -> World {
    let mut world = World::default();
    for n in 0..60_u32 {
        let (case, _) = world.said(n % 20, &format!("Please see word{n} at the house"));
        if n % 3 == 0 {
            world.perform(&actor(1), case, CaseCommand::Assign { to: Some(agent(0)) });
        }
        if n % 5 == 0 {
            world.perform(
                &actor(1),
                case,
                CaseCommand::SetStatus {
                    question: "Status".into(),
                    value: "Closed".into(),
                    closes: true,
                },
            );
        }
    }
    // An old case comes to the front, and another leaves it as it was.
    let message = world.inbound(7, Content::text("And the cellar"), None);
    world.receive(
        reference(108),
        message,
        Rule::Reference,
        vec![reference(108)],
    );
    world.perform(
        &actor(1),
        reference(104),
        CaseCommand::Rename {
            title: "Gutter".into(),
        },
    );
    world
}

/// Reads a whole list in pages, and checks that it is in order and that no page is longer than it may be.
async fn read(pool: &PgPool, filter: &CaseFilter, limit: u32) -> Vec<CaseRow> {
    let mut all: Vec<CaseRow> = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = cases::list(pool, filter, cursor, limit).await.unwrap();
        let is_last = page.len() < usize::try_from(limit).unwrap();
        assert!(page.len() <= usize::try_from(limit).unwrap());
        cursor = page
            .last()
            .map(|case| case.cursor().to_string().parse().unwrap());
        all.extend(page);
        if is_last {
            break;
        }
    }
    let order: Vec<_> = all
        .iter()
        .map(|case| (case.last_message_at, case.reference))
        .collect();
    assert!(
        order.is_sorted_by(|one, next| one > next),
        "in order, and each once"
    );
    all
}

#[tokio::test]
async fn the_list_has_what_the_filter_wants_on_pages_without_gaps() {
    let database = database().await;
    let pool = &database.pool;
    let world = many();
    build(pool, &world.log, 50).await;
    let all = read(pool, &CaseFilter::default(), 1000).await;
    assert_eq!(all.len(), 60);
    assert_eq!(all[0].reference, reference(108));
    // Some were read to the end, some up to the last message, most were never opened.
    for case in &all {
        let read_to = match case.reference.get() % 4 {
            0 => case.version,
            1 => case.last_message - 1,
            _ => continue,
        };
        let user_id = agent(0).user_id;
        read_marks::advance(pool, user_id, case.reference, read_to)
            .await
            .unwrap();
    }

    let states = [None, Some(CaseState::Open), Some(CaseState::Closed)];
    let numbers = [
        None,
        Some(NumberFilter::Exact("447700900103".into())),
        Some(NumberFilter::Exact("44770090010".into())),
        Some(NumberFilter::Prefix("44770090010".into())),
        Some(NumberFilter::Prefix("1".into())),
        Some(NumberFilter::Prefix("44770090010%".into())),
    ];
    let surveys = [
        None,
        Some(vec![]),
        Some(vec![survey(0)]),
        Some(vec![survey(0), survey(1)]),
    ];
    let assignees = [
        None,
        Some(AssigneeFilter::Nobody),
        Some(AssigneeFilter::User(agent(0).user_id)),
    ];
    let searches = [
        None,
        Some("house"),
        Some("PLEASE word1"),
        Some("word12"),
        Some("nowhere"),
        Some("!!"),
        Some("#104"),
        Some(" "),
    ];
    let mut sizes = BTreeSet::new();
    for (state, number) in states
        .iter()
        .flat_map(|state| numbers.iter().map(move |number| (state, number)))
    {
        for (surveys, assignee) in surveys
            .iter()
            .flat_map(|surveys| assignees.iter().map(move |a| (surveys, a)))
        {
            for (q, unread_by) in searches
                .map(|q| (q, None))
                .into_iter()
                .chain([None, Some("PLEASE word1")].map(|q| (q, Some(agent(0).user_id))))
            {
                let filter = CaseFilter {
                    state: *state,
                    number: number.clone(),
                    surveys: surveys.clone(),
                    assignee: *assignee,
                    unread_by,
                    label: None,
                    snoozed: None,
                    q: q.map(Personal::from),
                    ..CaseFilter::default()
                };
                let expected: Vec<_> = all
                    .iter()
                    .filter(|case| wanted(&filter, case))
                    .cloned()
                    .collect();
                sizes.insert(expected.len());
                assert_eq!(
                    read(pool, &filter, 100).await,
                    expected,
                    "{filter:?}, q {q:?}"
                );
                if expected.len() > 2 {
                    assert_eq!(
                        read(pool, &filter, 2).await,
                        expected,
                        "{filter:?}, q {q:?}, in pages"
                    );
                }
            }
        }
    }
    assert!(
        sizes.contains(&0) && sizes.contains(&60) && sizes.len() > 10,
        "{sizes:?}"
    );
    database.close().await;
}

/// Whether the filter wants a case, said another way than the statements do.
fn wanted(filter: &CaseFilter, case: &CaseRow) -> bool {
    let n = case.reference.get() - 101;
    filter.state.is_none_or(|state| {
        state
            == if n.is_multiple_of(5) {
                CaseState::Closed
            } else {
                CaseState::Open
            }
    }) && match &filter.number {
        None => true,
        Some(NumberFilter::Exact(number)) => case.number == *number,
        Some(NumberFilter::Prefix(beginning)) => case.number.starts_with(beginning.as_str()),
    } && filter
        .surveys
        .as_ref()
        .is_none_or(|surveys| surveys.contains(&survey(n % 20)))
        && match filter.assignee {
            None => true,
            Some(AssigneeFilter::Nobody) => !n.is_multiple_of(3),
            Some(AssigneeFilter::User(_)) => n.is_multiple_of(3),
        }
        && match filter.q.as_ref().map(|q| q.as_str()) {
            None | Some("house" | " ") => true,
            Some("PLEASE word1") => n.to_string().starts_with('1'),
            Some("word12") => n == 12,
            Some("#104") => case.reference == reference(104),
            Some(_) => false,
        }
        && (filter.unread_by.is_none()
            || !n.is_multiple_of(5) && !case.reference.get().is_multiple_of(4))
}

/// A whole list of those that wait, in pages.
async fn waiting(pool: &PgPool, filter: &CaseFilter, limit: u32) -> Vec<CaseRow> {
    let mut all: Vec<(CaseRow, DateTime<Utc>)> = Vec::new();
    loop {
        let cursor = all.last().map(|(case, since)| {
            let cursor = cases::waiting::cursor(case, *since).to_string();
            cursor.parse().unwrap()
        });
        let page = cases::waiting::list(pool, filter, cursor, limit)
            .await
            .unwrap();
        let is_last = page.len() < usize::try_from(limit).unwrap();
        all.extend(page);
        if is_last {
            break;
        }
    }
    let order = |(case, since): &(CaseRow, DateTime<Utc>)| (*since, case.reference);
    assert!(all.is_sorted_by(|one, next| order(one) < order(next)));
    all.into_iter().map(|(case, _)| case).collect()
}

#[tokio::test]
async fn every_way_to_read_the_list_finds_those_that_wait_and_those_that_failed() {
    let database = database().await;
    let pool = &database.pool;
    let mut world = many();
    // Of the open cases every second is answered, every fourth fails with it, and in every eighth the contact writes again.
    for n in (1..60).filter(|n: &u32| !n.is_multiple_of(5) && n.is_multiple_of(2)) {
        let case = reference(101 + n);
        let message = world.outbound(n % 20, "An answer", author(1), vec![case]);
        let message_id = message.message_id;
        let reply = CaseCommand::Reply {
            message,
            seen_version: None,
        };
        world.perform(&actor(1), case, reply);
        if n.is_multiple_of(4) {
            let attempt = 1;
            let begin = CaseCommand::BeginSending {
                message_id,
                attempt,
            };
            world.perform(&Actor::System, case, begin);
            let failed = News::Failed {
                code: None,
                reason: "invented".into(),
            };
            world.deliver(case, message_id, attempt, failed);
        }
        if n.is_multiple_of(8) {
            let message = world.inbound(n % 20, Content::text("And please"), None);
            world.receive(case, message, Rule::Reference, vec![case]);
        }
    }
    build(pool, &world.log, 7).await;
    let all = read(pool, &CaseFilter::default(), 1000).await;
    let n = |case: &CaseRow| case.reference.get() - 101;
    let is_open = |case: &CaseRow| !n(case).is_multiple_of(5);
    let users = [None, Some(agent(0).user_id)];
    for (is_waiting, is_failed) in [(true, false), (false, true), (true, true)] {
        for (unread_by, q) in users
            .into_iter()
            .flat_map(|user| [None, Some("please")].map(|q| (user, q)))
        {
            for surveys in [
                None,
                Some(vec![survey(0)]),
                Some(vec![survey(0), survey(1)]),
            ] {
                let filter = CaseFilter {
                    waiting: is_waiting,
                    failed: is_failed,
                    unread_by,
                    q: q.map(Personal::from),
                    surveys: surveys.clone(),
                    ..CaseFilter::default()
                };
                let wanted = |case: &&CaseRow| {
                    is_open(case)
                        && (!is_waiting || !n(case).is_multiple_of(2) || n(case).is_multiple_of(8))
                        && (!is_failed || n(case).is_multiple_of(4))
                        && surveys
                            .as_ref()
                            .is_none_or(|surveys| surveys.contains(&survey(n(case) % 20)))
                };
                let expected: Vec<_> = all.iter().filter(wanted).cloned().collect();
                assert!(!expected.is_empty());
                for limit in [100, 3] {
                    let found = read(pool, &filter, limit).await;
                    assert_eq!(found, expected, "{filter:?}, {limit} at once");
                }
                if unread_by.is_none() && q.is_none() && is_waiting {
                    let mut found = waiting(pool, &filter, 4).await;
                    found.sort_unstable_by_key(|case| std::cmp::Reverse(case.cursor().at));
                    assert_eq!(found, expected);
                }
            }
        }
    }
    let counts = |surveys: Option<Vec<SurveyId>>, limit| async move {
        let user_id = agent(0).user_id;
        cases::counts::counts(pool, user_id, surveys.as_deref(), limit)
            .await
            .unwrap()
    };
    let open = all.iter().filter(|case| is_open(case)).count();
    let is_waiting = |case: &&CaseRow| {
        is_open(case) && (!n(case).is_multiple_of(2) || n(case).is_multiple_of(8))
    };
    let is_failed = |case: &&CaseRow| is_open(case) && n(case).is_multiple_of(4);
    let found = counts(None, 99).await;
    assert_eq!((found.open, found.unread), (open, open));
    assert_eq!(found.waiting, all.iter().filter(is_waiting).count());
    assert_eq!(found.failed, all.iter().filter(is_failed).count());
    assert_eq!(found.mine + found.unassigned, open);
    let both = counts(Some(vec![survey(0), survey(1)]), 99).await;
    assert_eq!(both, found);
    let one = counts(Some(vec![survey(0)]), 99).await;
    let other = counts(Some(vec![survey(1)]), 99).await;
    assert_eq!(one.waiting + other.waiting, found.waiting);
    assert_eq!(one.open + other.open, found.open);
    assert_eq!(counts(None, 3).await.open, 3);
    assert_eq!(counts(Some(vec![]), 99).await.open, 0);
    database.close().await;
}

#[tokio::test]
async fn marks_go_forward_and_are_set_back_on_purpose_only() {
    let database = database().await;
    let pool = &database.pool;
    let mut world = many();
    world.perform(
        &actor(1),
        reference(102),
        CaseCommand::Rename {
            title: "Roof".into(),
        },
    );
    build(pool, &world.log, 50).await;
    let case = cases::find(pool, reference(102)).await.unwrap().unwrap();
    assert!(0 < case.last_message && case.last_message < case.version);
    let (one, other) = (agent(0).user_id, agent(1).user_id);
    let mark = async |user_id| {
        read_marks::find(pool, user_id, reference(102))
            .await
            .unwrap()
    };
    assert_eq!(mark(one).await, None);
    // What was never read is as unread as can be.
    read_marks::set_unread(pool, one, &[reference(102)])
        .await
        .unwrap();
    assert_eq!(mark(one).await, None);
    for (read_to, then) in [(5, 5), (3, 5), (5, 5), (6, 6)] {
        read_marks::advance(pool, one, reference(102), read_to)
            .await
            .unwrap();
        assert_eq!(mark(one).await, Some(then));
    }
    read_marks::set_read(pool, one, &[reference(102), reference(999)])
        .await
        .unwrap();
    assert_eq!(mark(one).await, Some(case.version.max(6)));
    read_marks::set_unread(pool, one, &[reference(102), reference(103)])
        .await
        .unwrap();
    assert_eq!(mark(one).await, Some(case.last_message - 1));
    assert_eq!(mark(other).await, None);
    let all = [reference(101), reference(102)];
    let marks = read_marks::of_cases(pool, one, &all).await.unwrap();
    assert_eq!(
        marks.into_iter().collect::<Vec<_>>(),
        [(reference(102), case.last_message - 1)]
    );
    database.close().await;
}

#[tokio::test]
async fn open_pages_are_known_until_they_leave_or_are_not_heard_of() {
    let database = database().await;
    let pool = &database.pool;
    for user in [agent(0), agent(1)] {
        sqlx::query("INSERT INTO users VALUES ($1, $2, 'agent', false, now(), 1)")
            .bind(user.user_id.0)
            .bind(user.email.as_str())
            .execute(pool)
            .await
            .unwrap();
    }
    let page = |n: u128, user: u8, case: u32| OpenPage {
        page_id: Uuid::from_u128(n),
        user_id: agent(user).user_id,
        reference: reference(case),
    };
    let minute = |minute: i64| at(minute * 60);
    for page in [page(1, 0, 101), page(2, 1, 101), page(3, 1, 101)] {
        presence::renew(pool, &[page], minute(0), minute(1))
            .await
            .unwrap();
    }
    let others = async |user: u8, case: u32, now: DateTime<Utc>| {
        let user_id = agent(user).user_id;
        let mut others = presence::others(pool, user_id, &[reference(case)], now)
            .await
            .unwrap();
        others.remove(&reference(case)).unwrap_or_default()
    };
    // Somebody with two pages is one person, and nobody is their own company.
    assert_eq!(others(0, 101, minute(0)).await, [agent(1).email]);
    assert_eq!(others(1, 101, minute(0)).await, [agent(0).email]);
    assert!(others(0, 102, minute(0)).await.is_empty());
    presence::leave(pool, &[page(2, 1, 101)]).await.unwrap();
    assert_eq!(others(0, 101, minute(0)).await, [agent(1).email]);
    presence::leave(pool, &[page(3, 1, 101)]).await.unwrap();
    assert!(others(0, 101, minute(0)).await.is_empty());
    // What is said again stays, what is not goes.
    presence::renew(pool, &[page(4, 1, 101)], minute(0), minute(1))
        .await
        .unwrap();
    presence::renew(pool, &[page(1, 0, 101)], minute(1), minute(2))
        .await
        .unwrap();
    assert!(others(0, 101, minute(1)).await.is_empty());
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM presence")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(left, 1);
    database.close().await;
}

#[tokio::test]
async fn a_search_finds_words_titles_references_and_numbers() {
    let database = database().await;
    let pool = &database.pool;
    let mut world = many();
    let (case, moved) = world.said(3, "Unique banana");
    let Body::Inbound(message) = world.cases[&case].state().unwrap().messages[&moved]
        .body
        .clone()
    else {
        panic!("inbound")
    };
    let to = world.open(&actor(0), 3, "Fruit", Origin::Move { from: case }, None);
    world.perform(
        &actor(0),
        case,
        CaseCommand::Rename {
            title: "Empty".into(),
        },
    );
    world.perform(
        &actor(0),
        case,
        CaseCommand::MoveOut {
            message_id: moved,
            to,
            made_case: true,
            comment: None,
        },
    );
    world.perform(
        &actor(0),
        to,
        CaseCommand::MoveIn {
            message: *message,
            from: case,
            made_case: true,
            comment: None,
            reaction: None,
        },
    );
    build(pool, &world.log, 1000).await;

    let search = async |q: &str| -> Vec<u32> {
        let filter = CaseFilter {
            q: Some(q.into()),
            ..CaseFilter::default()
        };
        let mut found: Vec<_> = read(pool, &filter, 3)
            .await
            .into_iter()
            .map(|case| case.reference.get())
            .collect();
        found.sort_unstable();
        found
    };
    assert_eq!(search("gutt").await, [104], "the beginning of a title");
    assert_eq!(search("and CELLAR").await, [108], "words in any case");
    assert_eq!(search("cellar banana").await, [0_u32; 0], "all words");
    assert_eq!(
        search("unique banana").await,
        [case.get(), to.get()],
        "its first title has the words still"
    );
    assert_eq!(search("#131").await, [131]);
    assert_eq!(search("131").await, [131]);
    assert_eq!(search("#9999").await, [0_u32; 0]);
    assert_eq!(
        search("07700 900105").await,
        [106, 126, 146],
        "a number as people write it"
    );
    assert_eq!(
        search("900105").await,
        [106, 126, 146],
        "a part of a number"
    );
    assert_eq!(
        search("it's \" ' & | ! ( ) : * <-> \\").await,
        [0_u32; 0],
        "signs are no operators"
    );
    database.close().await;
}

/// What a search finds, in order; a page of one looks nearly everything up by indexes, a large page compares case by case.
async fn searched(pool: &PgPool, q: &str, limit: u32) -> Vec<i32> {
    let filter = CaseFilter {
        q: Some(q.into()),
        ..CaseFilter::default()
    };
    let mut found: Vec<i32> = read(pool, &filter, limit)
        .await
        .into_iter()
        .map(|case| case.reference.as_i32())
        .collect();
    found.sort_unstable();
    found
}

const QUERIES: [&str; 50] = [
    "kitchen",
    "KITCH",
    "\u{212A}itchen",
    "k",
    "istanbul",
    "İstanbul",
    "İSTAN",
    "σπίτι",
    "ΣΠΙΤΙ",
    "σπίτι kai",
    "habitaci",
    "habitacion",
    "AÑO habitación",
    "crew 2",
    "crew",
    "example.com",
    "/Roof",
    "well-known",
    "known-well",
    "known",
    "1234",
    "ab-1234",
    "1234-ab",
    "👍",
    "预约",
    "约",
    "预约明天",
    "明天 预约",
    "约预",
    "นัดหมาย",
    "!?",
    "none",
    "carter",
    "jose",
    "JOSÉ istanbul",
    "istanbul carter",
    "carter habitación",
    "muller kitchen",
    "李雷",
    "李",
    "李 istan",
    "o'neill",
    "🌻 roof",
    "カタカナ",
    "カタ 预约",
    "สมชาย",
    "jo",
    "jos",
    "crew jones",
    "thanks anna",
];

#[tokio::test]
async fn a_search_one_by_one_finds_what_the_indexes_find() {
    let database = database().await;
    let pool = &database.pool;
    let mut world = World::default();
    for (text, name) in [
        ("The KITCHEN of İSTANBUL", "José Carter"),
        ("20 \u{212A} and \u{212A}itchen", "Anna Müller"),
        ("istanbul 👍🏽", "李雷"),
        ("ΣΠΊΤΙ και σπίτι", "Crew Jones"),
        ("habitación, año", "jose"),
        (
            "https://example.com/Roof?a=b well-known AB-1234",
            "O’Neill 🌻",
        ),
        ("我想预约明天上午的时间", "ｶﾀｶﾅ"),
        ("ฉันต้องการนัดหมายพรุ่งนี้", "สมชาย"),
    ] {
        let (case, _) = world.said(0, text);
        for contact in 1..4 {
            world.said(contact, &format!("Crew {contact}: {text}"));
        }
        let (case_of_name, _) = world.said(4 + case.get() % 8, &format!("Crew of {text}"));
        let number = world.cases[&case_of_name].state().unwrap().origin.number.0[10..].parse();
        let message = world.inbound(number.unwrap(), Content::text("thanks"), Some(name));
        world.receive(case_of_name, message, Rule::OnlyOpen, vec![]);
    }
    build(pool, &world.log, 1000).await;
    let items: Vec<(i32, Option<String>, Option<String>)> = sqlx::query_as(
        "SELECT t.reference, t.words, k.name_words
           FROM thread_items t JOIN cases c USING (reference) JOIN contacts k USING (contact_id)
          WHERE NOT t.hidden",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut finds = BTreeMap::new();
    for q in QUERIES {
        let query = Query::parse(q);
        let mut expected: Vec<i32> = items
            .iter()
            .filter(|(_, words, name)| {
                let has = |words: &Option<String>, like: &str| {
                    let needle = like.trim_matches('%');
                    words.as_ref().is_some_and(|words| words.contains(needle))
                };
                !query.is_empty()
                    && query.patterns().iter().all(|pattern| {
                        has(words, &pattern.like)
                            || pattern.is_for_names && has(name, &pattern.like)
                    })
            })
            .map(|(reference, ..)| *reference)
            .collect();
        expected.sort_unstable();
        expected.dedup();
        for limit in [1, 100] {
            assert_eq!(
                searched(pool, q, limit).await,
                expected,
                "{q}, {limit} a page"
            );
        }
        finds.insert(q, expected.len());
    }
    for (q, number) in [
        ("carter", 1),
        ("jose", 2),
        ("JOSÉ istanbul", 1),
        ("istanbul carter", 1),
        ("carter habitación", 0),
        ("李 istan", 1),
        ("预约", 5),
        ("约预", 0),
        ("1234-ab", 0),
        ("นัดหมาย", 5),
        ("👍", 5),
        ("カタ 预约", 1),
        ("jo", 0),
    ] {
        assert_eq!(finds[q], number, "{q}: {finds:?}");
    }
    database.close().await;
}

#[tokio::test]
async fn a_search_finds_ids_of_messages() {
    let database = database().await;
    let pool = &database.pool;
    let mut world = World::default();
    let (case, received) = world.said(0, "Hello");
    let mut message = world.inbound(0, Content::text("and another"), None);
    message.provider_id = "AAAAbbbb-0000-4000-8000-000000000001".to_owned();
    world.receive(case, message, Rule::OnlyOpen, vec![]);
    world.said(1, "Another case");
    let reply = world.outbound(0, "An answer", author(0), vec![case]);
    let reply_id = reply.message_id;
    world.perform(
        &actor(0),
        case,
        CaseCommand::Reply {
            message: reply,
            seen_version: None,
        },
    );
    world.perform(
        &actor(0),
        case,
        CaseCommand::BeginSending {
            message_id: reply_id,
            attempt: 1,
        },
    );
    let provider_id = Some("cccc0000-0000-4000-8000-000000000002".to_owned());
    world.deliver(case, reply_id, 1, News::Sent { provider_id });
    build(pool, &world.log, 1000).await;
    for q in [
        "AAAAbbbb-0000-4000-8000-000000000001",
        " AAAAbbbb-0000-4000-8000-000000000001\n",
        "cccc0000-0000-4000-8000-000000000002",
        "CCCC0000-0000-4000-8000-000000000002",
        &received.0.to_string(),
        &received.0.simple().to_string().to_uppercase(),
        &reply_id.client_ref(1),
    ] {
        assert_eq!(searched(pool, q, 10).await, [case.as_i32()], "{q}");
    }
    for q in [
        "cccc0000-0000-4000-8000",
        "dddd0000-0000-4000-8000-000000000002",
    ] {
        assert!(searched(pool, q, 10).await.is_empty(), "{q}");
    }
    database.close().await;
}

#[tokio::test]
async fn cases_follow_one_another() {
    let database = database().await;
    let pool = &database.pool;
    let mut world = World::default();
    let (old, _) = world.said(0, "Hello");
    world.perform(
        &actor(0),
        old,
        CaseCommand::SetStatus {
            question: "Status".into(),
            value: "Closed".into(),
            closes: true,
        },
    );
    let new = world.open(&Actor::Vonage, 0, "Again", Origin::Message, Some(old));
    build(pool, &world.log, 1).await;

    assert_eq!(
        cases::links(pool, new).await.unwrap(),
        [CaseLink {
            other: old,
            kind: LinkKind::Follows
        }]
    );
    assert_eq!(
        cases::links(pool, old).await.unwrap(),
        [CaseLink {
            other: new,
            kind: LinkKind::FollowedBy
        }]
    );
    let of_contact: Vec<_> = cases::of_contact(pool, contact(0))
        .await
        .unwrap()
        .into_iter()
        .map(|case| case.reference)
        .collect();
    assert_eq!(of_contact, [old, new]);
    let open = open_cases::of_contact(pool, contact(0)).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(
        (
            open[0].reference,
            open[0].title.as_str(),
            open[0].status.as_deref()
        ),
        (new, "Again", Some("New"))
    );
    database.close().await;
}

#[tokio::test]
async fn a_broken_row_is_named() {
    let database = database().await;
    let pool = &database.pool;
    let mut world = World::default();
    let (case, _) = world.said(0, "Hello");
    build(pool, &world.log, 10).await;
    sqlx::query("UPDATE cases SET state = 'ajar'")
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("UPDATE thread_items SET rule = 'chance' WHERE kind = 'message'")
        .execute(pool)
        .await
        .unwrap();

    let broken = |error: sqlx::Error| -> RowError {
        let sqlx::Error::Decode(error) = error else {
            panic!("{error}")
        };
        *error.downcast().unwrap()
    };
    let error = broken(cases::find(pool, case).await.unwrap_err());
    assert_eq!(
        (error.table, error.column, error.key.as_str()),
        ("cases", "state", "101")
    );
    let error = broken(thread::page(pool, case, None, 10).await.unwrap_err());
    assert_eq!(
        (error.table, error.column, error.key.as_str()),
        ("thread_items", "rule", "101, 2, 0")
    );
    database.close().await;
}

#[test]
fn a_cursor_reads_back_and_nothing_else_does() {
    let cursor = Cursor {
        at: at(0) + TimeDelta::microseconds(1),
        reference: reference(101),
    };
    assert_eq!(cursor.to_string(), "1900000000000001-101");
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    for text in [
        "",
        "-",
        "1-0",
        "1",
        "-5-101",
        "x-101",
        "1-101x",
        "99999999999999999999-101",
        "9223372036854775807-101",
    ] {
        assert!(text.parse::<Cursor>().is_err(), "{text}");
    }
}
