//! Cases as they were, told from the log: the same as the read models said at the time. And logs that were written by an earlier
//! version.

#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate as _, AggregateContext, EventStore};
use docket_domain::case::{Assignee, Author, Case, CaseCommand, CaseEvent, News, OutboundMessage};
use docket_domain::channel::Channel;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, MessageId, NoteId, Reference, UserId};
use docket_projections::PgPool;
use docket_projections::connect::connect_options;
use docket_projections::history::{self, AsOfError, At, CaseAsOf, Who};
use docket_projections::ledger::operation::{Answer, LedgerError, Operation};
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::log::reader::{self, LogEvent};
use docket_projections::log::recorded::{Actor, Recorded, Via};
use docket_projections::log::upcasters::{Stored, upcasters};
use docket_projections::read::cases::{CaseLink, CaseRow, CaseState, LinkKind};
use docket_projections::read::contacts::ContactRow;
use docket_projections::read::thread::{ThreadItem, What};
use docket_projections::read::{ReadModels, cases, contacts, thread};
use docket_projections::rebuild;
use docket_projections::testing::conversation::{LINE, MoveAway, Order, Say, clock};
use docket_projections::testing::{TestDatabase, database};
use postgres_es::PostgresEventRepository;
use uuid::Uuid;

/// How many steps a history has.
const STEPS: u64 = 45;

/// What the read models say of a case.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    row: CaseRow,
    contact: ContactRow,
    links: Vec<CaseLink>,
    thread: Vec<ThreadItem>,
}

/// What is said of a case as it was; its thread in pages of three, from the beginning and from the end.
async fn said_then(pool: &PgPool, reference: Reference, at: At) -> Result<Said, AsOfError> {
    let found = history::find(pool, reference, at).await?;
    let was = history::case(pool, found).await?;
    assert_eq!(found.sequence(), was.row.version);
    let mut thread: Vec<ThreadItem> = vec![];
    loop {
        let after = thread.last().map(|item| item.place);
        let page = history::thread(pool, found, after, 3).await?;
        if page.is_empty() {
            break;
        }
        thread.extend(page);
    }
    let mut backwards: Vec<ThreadItem> = vec![];
    loop {
        let before = backwards.last().map(|item| item.place);
        let part = history::thread_before(pool, found, before, 3).await?;
        backwards.extend(part.items.into_iter().rev());
        if !part.has_earlier {
            break;
        }
    }
    backwards.reverse();
    assert_eq!(thread, backwards, "case {reference} at {at:?}");
    let notes: Vec<ThreadItem> = thread
        .iter()
        .filter(|item| matches!(item.what, What::Note { .. }))
        .cloned()
        .collect();
    assert_eq!(history::notes(pool, found).await?, notes);
    Ok(Said {
        row: was.row,
        contact: was.contact,
        links: was.links,
        thread,
    })
}

/// A case as it was, without its thread.
async fn as_of(pool: &PgPool, reference: Reference, at: At) -> Result<CaseAsOf, AsOfError> {
    let found = history::find(pool, reference, at).await?;
    history::case(pool, found).await
}

async fn said_now(pool: &PgPool, reference: Reference) -> Said {
    let row = cases::find(pool, reference).await.unwrap().unwrap();
    Said {
        contact: contacts::find(pool, row.contact_id).await.unwrap().unwrap(),
        links: cases::links(pool, reference).await.unwrap(),
        thread: thread::page(pool, reference, None, 10_000).await.unwrap(),
        row,
    }
}

fn user_id() -> UserId {
    UserId(Uuid::from_u128(1))
}

fn agent() -> Actor {
    Actor::User {
        user_id: user_id(),
        email: "agent@example.com".into(),
    }
}

fn author() -> Author {
    Author::User {
        user_id: user_id(),
        email: "agent@example.com".into(),
    }
}

fn set_status(value: &str, closes: bool) -> CaseCommand {
    CaseCommand::SetStatus {
        question: "How far is it?".into(),
        value: value.into(),
        closes,
    }
}

fn order(reference: Reference, command: CaseCommand) -> Order {
    Order {
        actor: agent(),
        commands: vec![(reference, command)],
    }
}

/// A history by chance, the same for the same seed.
struct Story {
    ledger: Ledger,
    chance: u64,
    nth: u128,
    cases: Vec<(Reference, &'static str)>,
    inbound: Vec<(Reference, MessageId)>,
    outbound: Vec<(Reference, MessageId)>,
}

impl Story {
    fn draw(&mut self, below: usize) -> usize {
        // A linear congruential generator: its upper bits are random enough to choose by.
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.chance >> 33).unwrap() % below
    }

    fn id(&mut self) -> Uuid {
        self.nth += 1;
        Uuid::from_u128((0x0195_7a04_0000_7000_8000 << 48) | self.nth)
    }

    /// Does an operation; a refusal is as good a step as any.
    async fn does<O: Operation<Refusal: std::fmt::Debug>>(
        &self,
        operation: O,
    ) -> Option<O::Output> {
        match self.ledger.submit(operation).await {
            Ok(Answer::Done(output) | Answer::Repeated(output)) => Some(output),
            Ok(Answer::Duplicate) | Err(LedgerError::Refused(_)) => None,
            Err(error) => panic!("an operation failed: {error:?}"),
        }
    }

    async fn step(&mut self) {
        let step = if self.cases.is_empty() {
            0
        } else {
            self.draw(14)
        };
        if step < 5 {
            return self.say().await;
        }
        let n = self.draw(self.cases.len());
        let (reference, number) = self.cases[n];
        match step {
            5 | 6 => {
                let message_id = MessageId(self.id());
                let message = OutboundMessage {
                    message_id,
                    contact_id: ContactId(Uuid::from_u128(3)),
                    line_id: LINE,
                    channel: Channel::Sms,
                    to: number.into(),
                    text: "An invented answer".into(),
                    sent_text: format!("An invented answer #{reference}").into(),
                    author: author(),
                    references: vec![reference],
                    template: None,
                    media: None,
                };
                let reply = CaseCommand::Reply {
                    message,
                    seen_version: None,
                };
                if self.does(order(reference, reply)).await.is_some() {
                    self.outbound.push((reference, message_id));
                }
            }
            7 | 8 if !self.outbound.is_empty() => {
                let (reference, message_id) = self.outbound[n % self.outbound.len()];
                let command = match self.draw(4) {
                    0 | 1 => CaseCommand::BeginSending {
                        message_id,
                        attempt: 1,
                    },
                    2 => {
                        let news = News::Sent {
                            provider_id: Some(format!("sent-{message_id}")),
                        };
                        CaseCommand::RecordDelivery {
                            message_id,
                            attempt: 1,
                            news,
                        }
                    }
                    _ => {
                        let news = News::Failed {
                            code: Some(1340),
                            reason: "outside the window".into(),
                        };
                        CaseCommand::RecordDelivery {
                            message_id,
                            attempt: 1,
                            news,
                        }
                    }
                };
                self.does(order(reference, command)).await;
            }
            9 => {
                let (value, closes) =
                    [("New", false), ("In progress", false), ("Resolved", true)][self.draw(3)];
                self.does(order(reference, set_status(value, closes))).await;
            }
            10 => {
                let to = Assignee {
                    user_id: user_id(),
                    email: "agent@example.com".into(),
                };
                let to = (self.draw(3) > 0).then_some(to);
                self.does(order(reference, CaseCommand::Assign { to }))
                    .await;
            }
            11 => {
                let note_id = NoteId(self.id());
                let note = CaseCommand::AddNote {
                    note_id,
                    author: author(),
                    text: "An invented note".into(),
                };
                let title = CaseCommand::Rename {
                    title: format!("Title {}", self.nth).into(),
                };
                let commands = vec![(reference, note), (reference, title)];
                self.does(Order {
                    actor: agent(),
                    commands,
                })
                .await;
            }
            _ => self.move_away(number).await,
        }
    }

    async fn say(&mut self) {
        self.nth += 1;
        let number = ["447700900123", "447700900124"][self.draw(2)];
        let mut say = Say::new(number, &format!("Message {}", self.nth), self.nth);
        match self.draw(6) {
            0 => say.anew = true,
            1 | 2 => say.name = Some(format!("Invented {}", self.nth % 3)),
            3 => {
                let own: Vec<_> = self.cases.iter().filter(|(_, of)| *of == number).collect();
                say.follows = own.last().map(|(reference, _)| *reference);
            }
            _ => {}
        }
        let message_id = say.message_id();
        for reference in self.does(say).await.unwrap() {
            if !self.cases.contains(&(reference, number)) {
                self.cases.push((reference, number));
            }
            self.inbound.push((reference, message_id));
        }
    }

    async fn move_away(&mut self, number: &'static str) {
        let n = self.draw(self.inbound.len());
        let (from, message_id) = self.inbound[n];
        if !self.cases.contains(&(from, number)) {
            return;
        }
        if let Some(to) = self.does(MoveAway { from, message_id }).await {
            self.cases.push((to, number));
            self.inbound.push((to, message_id));
            if self.draw(2) == 0 {
                let undo = CaseCommand::UndoMove {
                    message_id,
                    others: vec![],
                    closed_status: Some("Resolved".into()),
                };
                let take_back = CaseCommand::TakeBack {
                    message_id,
                    from: to,
                    reaction: None,
                };
                self.does(Order {
                    actor: agent(),
                    commands: vec![(to, undo), (from, take_back)],
                })
                .await;
            }
        }
    }
}

/// What was said of a case when the log ended at a position.
struct Moment {
    reference: Reference,
    position: i64,
    time: DateTime<Utc>,
    said: Said,
}

async fn play(seed: u64) {
    let database = database().await;
    let pool = &database.pool;
    let connect = connect_options(&database.url).unwrap();
    let ledger = Ledger::start(connect, LedgerOptions::new(clock))
        .await
        .unwrap();
    let mut story = Story {
        ledger,
        chance: seed,
        nth: 0,
        cases: vec![],
        inbound: vec![],
        outbound: vec![],
    };
    let mut moments: Vec<Moment> = vec![];
    for _ in 0..STEPS {
        story.step().await;
        let position = reader::head(pool).await.unwrap();
        let last = reader::page(pool, position - 1, 1).await.unwrap();
        for (reference, _) in &story.cases {
            let said = said_now(pool, *reference).await;
            let changed = moments
                .iter()
                .rfind(|moment| moment.reference == *reference)
                .is_none_or(|last| last.said != said);
            if changed {
                moments.push(Moment {
                    reference: *reference,
                    position,
                    time: last[0].recorded_at,
                    said,
                });
            }
        }
    }

    for moment in &moments {
        let Moment {
            reference,
            position,
            time,
            said,
        } = moment;
        let about = format!("case {reference} at position {position}, seed {seed}");
        for at in [At::Position(*position), At::Time(*time)] {
            let was = said_then(pool, *reference, at).await.unwrap();
            assert_agree(pool, &was, &about).await;
            assert_eq!(was, *said, "{about}, {at:?}");
        }
    }
    for (reference, _) in &story.cases {
        every_sequence(pool, *reference, &moments).await;
        // Beside all that, the live tables were not touched.
        let last = moments
            .iter()
            .rfind(|moment| moment.reference == *reference)
            .unwrap();
        assert_eq!(said_now(pool, *reference).await, last.said);
    }
    assert!(
        story.cases.len() > 3 && moments.len() > 40,
        "something happens in a story"
    );
    story.ledger.close().await;
    database.close().await;
}

/// The aggregate of a case's first events.
async fn aggregate(pool: &PgPool, reference: Reference, sequence: u64) -> Case {
    let mut case = Case::default();
    let limit = i64::try_from(sequence).unwrap();
    let stream = StreamId::Case(reference);
    for event in reader::stream(pool, stream, 0, limit).await.unwrap() {
        if let Event::Case(event) = event.decode(&upcasters()).unwrap().event {
            case.apply(event);
        }
    }
    case
}

/// The aggregate and the handlers tell the same of a case.
async fn assert_agree(pool: &PgPool, was: &Said, about: &str) {
    let case = aggregate(pool, was.row.reference, was.row.version).await;
    assert_eq!(case.version(), was.row.version, "{about}");
    let state = case.state().unwrap();
    assert_eq!(case.is_open(), was.row.state == CaseState::Open, "{about}");
    assert_eq!(
        (&state.title, &state.status),
        (&was.row.title, &was.row.status),
        "{about}"
    );
    assert_eq!(state.assignee, was.row.assignee, "{about}");
    assert_eq!(
        state.messages.len(),
        was.row.message_count as usize,
        "{about}"
    );
    let notes = was
        .thread
        .iter()
        .filter(|item| matches!(item.what, What::Note { .. }))
        .count() as u64;
    assert_eq!(state.notes, notes, "{about}");
}

/// After each event the case is as it was when the log ended there; and after the last of a transaction's, as the pages said then.
async fn every_sequence(pool: &PgPool, reference: Reference, moments: &[Moment]) {
    let events = reader::stream(pool, StreamId::Case(reference), 0, 10_000)
        .await
        .unwrap();
    for event in &events {
        let sequence = event.sequence.cast_unsigned();
        let at = At::Sequence(sequence);
        let recorded = as_of(pool, reference, at).await.unwrap().recorded_at;
        assert_eq!(recorded, event.recorded_at);
        let was = said_then(pool, reference, at).await.unwrap();
        assert_eq!(was.row.version, sequence);
        assert_agree(pool, &was, &format!("case {reference} after {sequence}")).await;
        let said = moments
            .iter()
            .find(|moment| moment.reference == reference && moment.said.row.version == sequence);
        if let Some(Moment { said, .. }) = said {
            assert_eq!(was, *said, "case {reference} after {sequence}");
        } else {
            let same = said_then(pool, reference, At::Position(event.position))
                .await
                .unwrap();
            assert_eq!(was, same, "case {reference} after {sequence}");
        }
    }
}

#[tokio::test]
async fn cases_as_they_were_are_what_the_read_models_said_then() {
    for seed in [1, 2026] {
        play(seed).await;
    }
}

async fn ledger(database: &TestDatabase) -> Ledger {
    let connect = connect_options(&database.url).unwrap();
    Ledger::start(connect, LedgerOptions::new(clock))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_moment_that_there_was_not_is_told_from_a_case_that_there_is_not() {
    let database = database().await;
    let ledger = ledger(&database).await;
    let Ok(Answer::Done(said)) = ledger.submit(Say::new("447700900123", "Hello", 1)).await else {
        panic!("it is taken in")
    };
    let (pool, reference) = (&database.pool, said[0]);
    let other = Reference::new(999).unwrap();
    let error = async |reference, at| as_of(pool, reference, at).await.unwrap_err();

    assert!(matches!(error(other, At::Sequence(1)).await, AsOfError::NoSuchCase(r) if r == other));
    for sequence in [0, 3, u64::MAX] {
        let error = error(reference, At::Sequence(sequence)).await;
        assert!(
            matches!(error, AsOfError::NoSuchEvent { last: 2, .. }),
            "{error:?}"
        );
    }
    let began = as_of(pool, reference, At::Sequence(1))
        .await
        .unwrap()
        .recorded_at;
    for at in [
        At::Position(0),
        At::Time(began - TimeDelta::microseconds(1)),
        At::Time(DateTime::<Utc>::MIN_UTC),
    ] {
        let error = error(reference, at).await;
        assert!(
            matches!(error, AsOfError::NotBegun { began_at, .. } if began_at == began),
            "{error:?}"
        );
    }
    for at in [
        At::Time(began),
        At::Time(DateTime::<Utc>::MAX_UTC),
        At::Position(i64::MAX),
    ] {
        assert_eq!(
            as_of(pool, reference, at).await.unwrap().row.version,
            2,
            "{at:?}"
        );
    }
    ledger.close().await;
    database.close().await;
}

/// A transaction that waits for a contact does not enter the past when it goes on, though it began before that time.
#[tokio::test]
async fn what_was_answered_about_a_time_stays_true() {
    let database = database().await;
    let ledger = ledger(&database).await;
    let pool = &database.pool;
    let Ok(Answer::Done(said)) = ledger.submit(Say::new("447700900123", "Hello", 1)).await else {
        panic!("it is taken in")
    };
    let reference = said[0];
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM contact_ids FOR UPDATE")
        .execute(&mut *holder)
        .await
        .unwrap();
    let late = Say::new("447700900123", "Late", 2);
    let waiting = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.submit(late).await }
    });
    let waits = async || {
        let found: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                             WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        found
    };
    tokio::time::timeout(Duration::from_secs(30), async { while !waits().await {} })
        .await
        .expect("the writer comes to wait for the contact");
    let at = At::Time(clock());
    history::settle(pool, at, clock()).await.unwrap();
    let before = said_then(pool, reference, at).await.unwrap();
    holder.rollback().await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Ok(Answer::Done(_))));
    let after = said_then(pool, reference, at).await.unwrap();
    assert_eq!(before, after);
    let now = said_now(pool, reference).await;
    assert_eq!(now.row.message_count, 2);
    // Nor does anything run backwards along the log, whatever a clock says.
    let times: Vec<DateTime<Utc>> = reader::page(pool, 0, 100)
        .await
        .unwrap()
        .iter()
        .map(|event| event.recorded_at)
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    ledger.close().await;
    database.close().await;
}

/// The golden files: `(aggregate's type, event's type, version, JSON)`.
fn golden_files() -> Vec<(String, String, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/tests/golden");
    let mut files = vec![];
    for aggregate in std::fs::read_dir(folder).unwrap() {
        let aggregate = aggregate.unwrap();
        for file in std::fs::read_dir(aggregate.path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let (shape, version) = name
                .strip_suffix(".json")
                .unwrap()
                .rsplit_once(".v")
                .unwrap();
            let event_type = shape.split('.').next().unwrap().to_owned();
            let aggregate_type = aggregate.file_name().into_string().unwrap();
            files.push((
                aggregate_type,
                event_type,
                version.to_owned(),
                std::fs::read_to_string(&path).unwrap(),
            ));
        }
    }
    files
}

#[test]
fn every_version_of_every_event_is_read_and_described() {
    let files = golden_files();
    assert!(
        files.iter().any(|(_, _, version, _)| version != "1"),
        "there are several versions"
    );
    for (aggregate_type, event_type, version, payload) in &files {
        let aggregate_id = match aggregate_type.as_str() {
            "Case" => "124",
            "CaseViews" => "124-2026-03-02",
            "Installation" => "installation",
            "Labels" => "labels",
            _ => "01957a00-0000-7000-8000-000000000001",
        };
        let stored = Stored {
            aggregate_type,
            aggregate_id,
            sequence: 1,
            event_type,
            event_version: version,
            payload,
        };
        let (stream, event) = stored
            .decode(&upcasters())
            .unwrap_or_else(|error| panic!("{error}: {error:?}"));
        let recorded = Recorded {
            stream,
            sequence: 1,
            event,
            metadata: docket_projections::log::recorded::Metadata::of(Actor::System, Via::System),
            recorded_at: DateTime::UNIX_EPOCH,
        };
        let words = history::describe(&recorded);
        assert!(
            words.len() > 12 && !words.contains('\n') && !words.contains(event_type),
            "{event_type}: {words}"
        );
    }
}

/// A log as version 1 wrote it, from the golden files of that version and one event of today.
async fn old_log(pool: &PgPool) -> Reference {
    let events = [
        ("CaseOpened", "1", "CaseOpened.v1.json"),
        ("MessageReceived", "1", "MessageReceived.v1.json"),
        ("StatusChanged", "1", "StatusChanged.v1.json"),
        ("StatusChanged", "1", "StatusChanged.minimal.v1.json"),
        ("StatusChanged", "2", "StatusChanged.v2.json"),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/tests/golden/Case");
    for (position, (event_type, version, file)) in (1_i64..).zip(events) {
        let payload = std::fs::read_to_string(folder.join(file)).unwrap();
        sqlx::query(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position,
                                 recorded_at)
             VALUES ('Case', '124', $1, $2, $3, $4::jsonb, '{\"actor\": \"system\"}', $1, to_timestamp(1800000000 + $1))",
        )
        .bind(position)
        .bind(event_type)
        .bind(version)
        .bind(payload)
        .execute(pool)
        .await
        .unwrap();
    }
    Reference::new(124).unwrap()
}

#[tokio::test]
async fn an_old_log_is_rebuilt_and_shows_its_history() {
    let database = database().await;
    let pool = &database.pool;
    let connect = connect_options(&database.url).unwrap();
    let reference = old_log(pool).await;

    let rebuilt = rebuild::rebuild(&connect, ReadModels::ALL, clock(), |_| {})
        .await
        .unwrap();
    assert_eq!(rebuilt.events, 5);
    assert_eq!(
        rebuild::check(&connect, ReadModels::ALL, |_| {})
            .await
            .unwrap(),
        (5, vec![])
    );
    let row = cases::find(pool, reference).await.unwrap().unwrap();
    assert_eq!(
        (row.status.as_deref(), row.state, row.version),
        (Some("Resolved"), CaseState::Closed, 5)
    );

    let told: Vec<String> = reader::stream(pool, StreamId::Case(reference), 2, 10)
        .await
        .unwrap()
        .iter()
        .map(|event| history::describe(&event.decode(&upcasters()).unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            "The status changed from “New” to “Resolved”, which closed the case",
            "The status changed to “New”, with which the case is open",
            "“How far is it?” changed from “New” to “Resolved”, which closed the case",
        ]
    );
    let states = [
        CaseState::Open,
        CaseState::Open,
        CaseState::Closed,
        CaseState::Open,
        CaseState::Closed,
    ];
    for (sequence, state) in (1..).zip(states) {
        let was = as_of(pool, reference, At::Sequence(sequence))
            .await
            .unwrap();
        assert_eq!((was.row.state, was.row.version), (state, sequence));
    }
    // The events themselves stay as they were written.
    let raw: Vec<LogEvent> = reader::stream(pool, StreamId::Case(reference), 2, 1)
        .await
        .unwrap();
    assert_eq!(raw[0].event_version, "1");
    assert!(!raw[0].payload.get().contains("question"));
    database.close().await;
}

#[tokio::test]
async fn stock_postgres_es_reads_an_old_log_with_our_upcasters() {
    let database = database().await;
    let reference = old_log(&database.pool).await;
    let repository = || PostgresEventRepository::new(database.pool.clone());
    let stock: PersistedEventStore<PostgresEventRepository, Case> =
        PersistedEventStore::new_event_store(repository()).with_upcasters(upcasters());

    let events = stock.load_events(&reference.to_string()).await.unwrap();
    let questions: Vec<Option<&str>> = events
        .iter()
        .filter_map(|event| match &event.payload {
            CaseEvent::StatusChanged { question, .. } => Some(question.as_deref()),
            _ => None,
        })
        .collect();
    assert_eq!(questions, [None, None, Some("How far is it?")]);
    let mut loaded = stock.load_aggregate(&reference.to_string()).await.unwrap();
    let ours = aggregate(&database.pool, reference, 5).await;
    assert_eq!(*loaded.aggregate(), ours);

    let without: PersistedEventStore<PostgresEventRepository, Case> =
        PersistedEventStore::new_event_store(repository());
    assert!(
        without.load_events(&reference.to_string()).await.is_err(),
        "the upcaster is needed"
    );
    database.close().await;
}

#[tokio::test]
async fn a_follower_and_a_name_are_told_from_the_moment_they_were_known() {
    let database = database().await;
    let ledger = ledger(&database).await;
    let pool = &database.pool;
    let does = async |say: Say| match ledger.submit(say).await {
        Ok(Answer::Done(references)) => references[0],
        other => panic!("{other:?}"),
    };
    let first = does(Say::new("447700900123", "Hello", 1)).await;
    let before = reader::head(pool).await.unwrap();
    let follower = Say {
        follows: Some(first),
        name: Some("Invented Person".into()),
        ..Say::new("447700900123", "Again", 2)
    };
    let second = does(follower).await;
    let after = reader::head(pool).await.unwrap();

    let was = as_of(pool, first, At::Position(before)).await.unwrap();
    assert_eq!((was.links, was.contact.name), (vec![], None));
    let was = as_of(pool, first, At::Position(after)).await.unwrap();
    assert_eq!(
        was.links,
        [CaseLink {
            other: second,
            kind: LinkKind::FollowedBy
        }]
    );
    assert_eq!(was.contact.name, Some("Invented Person".into()));
    assert_eq!(was.contact.first_seen_at, was.row.opened_at);
    let other = as_of(pool, second, At::Position(after)).await.unwrap();
    assert_eq!(other.contact, was.contact, "they are one contact");
    ledger.close().await;
    database.close().await;
}

#[tokio::test]
async fn who_did_it_and_when_is_told() {
    let database = database().await;
    let ledger = ledger(&database).await;
    let say = Say {
        name: Some("Invented Person".into()),
        ..Say::new("447700900123", "Hello\n\u{1b}[2Jthere", 1)
    };
    assert!(matches!(ledger.submit(say).await, Ok(Answer::Done(_))));
    let reference = Reference::new(101).unwrap();
    ledger
        .submit(order(reference, set_status("Resolved", true)))
        .await
        .unwrap();
    let events = reader::stream(&database.pool, StreamId::Case(reference), 0, 10)
        .await
        .unwrap();
    let recorded: Vec<Recorded> = events
        .iter()
        .map(|event| event.decode(&upcasters()).unwrap())
        .collect();

    let told: Vec<(String, Who<'_>)> = recorded
        .iter()
        .map(|recorded| (history::describe(recorded), history::who(recorded)))
        .collect();
    let contact = Who::Contact("447700900123");
    assert_eq!(
        told,
        [
            (
                "Case #101 “An invented question” began on SMS by a message of 447700900123, with the status “New”".to_owned(),
                contact
            ),
            (
                // What somebody writes moves nobody's cursor.
                "447700900123 (Invented Person) wrote by SMS “Hello [2Jthere”, message …000001; it made this case, since none was \
                 open"
                    .to_owned(),
                contact
            ),
            (
                "“How far is it?” changed from “New” to “Resolved”, which closed the case".to_owned(),
                Who::User("agent@example.com")
            ),
        ]
    );
    assert_eq!(history::happened_at(&recorded[0]), None);
    // Vonage's time is the operation's less two seconds; it is recorded at a later tick of this clock.
    let happened = history::happened_at(&recorded[1]).unwrap();
    assert!(happened < recorded[1].recorded_at - TimeDelta::seconds(2));
    assert_eq!(history::provider_id(&recorded[1]), Some("provider-1"));
    assert!(matches!(recorded[2].event, Event::Case(_)));
    ledger.close().await;
    database.close().await;
}
