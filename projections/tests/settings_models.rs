//! Surveys, lines, users, unrouted webhooks and the outbox as events make them, and what is asked of them.

#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::case::{Author, CaseEvent, OutboundMessage};
use docket_domain::channel::Channel;
use docket_domain::event::{Event, StreamId};
use docket_domain::held::{HeldBody, HeldEvent, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::{
    ContactId, HeldId, LineId, MessageId, Reference, SurveyId, TokenId, UserId,
};
use docket_domain::installation::{InstallationEvent, SecretChange};
use docket_domain::line::{AutomaticTexts, HaltReason, LineEvent, LineSettings};
use docket_domain::office_hours::TimeZone;
use docket_domain::personal::Personal;
use docket_domain::survey::{StatusQuestion, SurveyEvent, SurveySettings, Template};
use docket_domain::user::{Role, UserEvent};
use docket_projections::accounts;
use docket_projections::log::recorded::{Actor, Metadata, Recorded, UNDATED, Via};
use docket_projections::outbox_claims::{self, Wanted};
use docket_projections::read::outbox::{OutboxHandler, OutboxRow, State};
use docket_projections::read::{
    Projection, Writes, installation, installation::InstallationHandler, lines,
    lines::LinesHandler, outbox, surveys, surveys::SurveysHandler, unrouted,
    unrouted::UnroutedHandler, users, users::UsersHandler,
};
use docket_projections::testing::{TestDatabase, database};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

const TABLES: [&str; 7] = [
    "surveys",
    "lines",
    "users",
    "tokens",
    "unrouted",
    "outbox",
    "installation",
];

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// `seconds` after the time at which every test begins.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

fn reference(number: u32) -> Reference {
    Reference::new(number).unwrap()
}

/// A log that is being written: counts the events of each stream, and a second passes with each.
#[derive(Default)]
struct History {
    events: Vec<Recorded>,
    sequences: BTreeMap<StreamId, u64>,
}

impl History {
    fn record(&mut self, stream: StreamId, event: impl Into<Event>) {
        let seconds = i64::try_from(self.events.len()).unwrap();
        self.record_at(seconds, stream, event);
    }

    fn record_at(&mut self, seconds: i64, stream: StreamId, event: impl Into<Event>) {
        let sequence = self.sequences.entry(stream).or_default();
        *sequence += 1;
        self.events.push(Recorded {
            stream,
            sequence: *sequence,
            event: event.into(),
            metadata: Metadata::of(Actor::System, Via::System),
            recorded_at: at(seconds),
        });
    }

    async fn write(self, pool: &PgPool) {
        let mut conn = pool.acquire().await.unwrap();
        let flush_every = self.events.len().max(1);
        project(&mut conn, &self.events, flush_every, UNDATED).await;
    }
}

#[derive(Default)]
struct Models {
    surveys: SurveysHandler,
    lines: LinesHandler,
    users: UsersHandler,
    unrouted: UnroutedHandler,
    outbox: OutboxHandler,
    installation: InstallationHandler,
}

/// Runs the handlers, which begin anew after each flush or stay, as `flush_every` is odd or even: both are done with them. Events
/// without a time of recording get `recorded_at`.
async fn project(
    conn: &mut PgConnection,
    events: &[Recorded],
    flush_every: usize,
    recorded_at: DateTime<Utc>,
) {
    let mut models = Models::default();
    for chunk in events.chunks(flush_every) {
        if flush_every % 2 == 1 {
            models = Models::default();
        }
        for recorded in chunk {
            models.surveys.apply(recorded);
            models.lines.apply(recorded);
            models.users.apply(recorded);
            models.unrouted.apply(recorded);
            models.outbox.apply(recorded);
            models.installation.apply(recorded);
        }
        let mut writes = Writes::default();
        models.surveys.write(&mut writes);
        models.lines.write(&mut writes);
        models.users.write(&mut writes);
        models.unrouted.write(&mut writes);
        models.outbox.write(&mut writes);
        models.installation.write(&mut writes);
        writes.run(conn, recorded_at).await.unwrap();
    }
}

fn date(events: &mut [Recorded], recorded_at: DateTime<Utc>) {
    for recorded in events {
        recorded.recorded_at = recorded_at;
    }
}

async fn dump(conn: &mut PgConnection) -> Vec<(&'static str, Value)> {
    let mut rows = Vec::new();
    for table in TABLES {
        let found: Vec<Value> =
            sqlx::query_scalar(&format!("SELECT to_jsonb(t) FROM {table} t ORDER BY 1"))
                .fetch_all(&mut *conn)
                .await
                .unwrap();
        rows.extend(found.into_iter().map(|row| (table, row)));
    }
    rows
}

async fn empty(conn: &mut PgConnection) {
    sqlx::query(&format!("TRUNCATE {}", TABLES.join(", ")))
        .execute(conn)
        .await
        .unwrap();
}

fn survey_settings(variant: u8) -> SurveySettings {
    SurveySettings {
        name: format!("Survey {variant}"),
        cases_enabled: variant.is_multiple_of(2),
        status: StatusQuestion {
            question: "How far is it?".into(),
            choices: (0..=variant % 3)
                .map(|n| format!("Choice {{\"{n}\", 'NULL'}}"))
                .chain(["Done".into()])
                .collect(),
            closed_value: "Done".into(),
        },
        append_reference: variant.is_multiple_of(3),
        time_zone: TimeZone::named(if variant.is_multiple_of(2) {
            "UTC"
        } else {
            "Europe/London"
        })
        .expect("a zone"),
    }
}

fn line_added(line: u128, number: &str, channel: Channel) -> (StreamId, LineEvent) {
    let settings = LineSettings {
        survey_id: SurveyId(id(1)),
        multi_case_reply: None,
        automatic: AutomaticTexts::default(),
    };
    let line_id = LineId(id(line));
    (
        StreamId::Line(line_id),
        LineEvent::LineAdded {
            line_id,
            number: number.into(),
            channel,
            settings,
        },
    )
}

fn user_added(user: u128, email: &str) -> (StreamId, UserEvent) {
    let user_id = UserId(id(user));
    (
        StreamId::User(user_id),
        UserEvent::UserAdded {
            user_id,
            email: email.into(),
            role: Role::Agent,
        },
    )
}

fn webhook(held: u128, body: HeldBody) -> (StreamId, HeldEvent) {
    let webhook = HeldWebhook {
        held_id: HeldId(id(held)),
        kind: WebhookKind::Inbound,
        reason: HeldReason::UnknownLine,
        detail: "no line has that number".into(),
        provider_id: Some(format!("provider-{held}")),
        to: Some("447700900001".into()),
        from: None,
        body: Personal(body),
    };
    (
        StreamId::Held(webhook.held_id),
        HeldEvent::WebhookHeld(webhook),
    )
}

fn message(message: u128, contact: u128, line: u128) -> OutboundMessage {
    OutboundMessage {
        message_id: MessageId(id(message)),
        contact_id: ContactId(id(contact)),
        line_id: LineId(id(line)),
        channel: Channel::Sms,
        to: "447700900123".into(),
        text: "Good morning".into(),
        sent_text: "Good morning #101".into(),
        author: Author::SEVERAL_CASES,
        references: vec![reference(101), reference(102)],
        template: None,
        media: None,
    }
}

/// One thing that happens; what exactly depends on what happened before.
type Happening = (u8, u8, u8);

/// A history in which lines and users come, change and go, numbers and addresses are used again, and messages have any news in
/// any order from two cases.
fn history(happenings: &[Happening]) -> Vec<Recorded> {
    let mut story = Story::default();
    for &(what, slot, variant) in happenings {
        story.fresh += 1;
        let slot = slot % 3;
        match what % 7 {
            0 => story.survey(slot, variant),
            1 => story.line(slot, variant),
            2 => story.user(slot, variant),
            3 => story.webhook(slot, variant),
            6 => story.installation(slot, variant),
            case => {
                let case = StreamId::Case(reference(100 + u32::from(case)));
                story
                    .history
                    .record(case, delivery(u128::from(slot) + 1, variant));
            }
        }
    }
    story.history.events
}

#[derive(Default)]
struct Story {
    history: History,
    /// The last id given, but for 1,000.
    fresh: u128,
    surveys: BTreeMap<u8, SurveyId>,
    lines: BTreeMap<u8, LineId>,
    users: BTreeMap<u8, UserId>,
    tokens: Vec<(UserId, TokenId)>,
    held: Vec<HeldId>,
}

impl Story {
    fn survey(&mut self, slot: u8, variant: u8) {
        let settings = survey_settings(variant);
        if let Some(survey_id) = self.surveys.get(&slot) {
            let event = if variant % 4 == 3 {
                let template = |n| Template {
                    name: format!("Answer {n}"),
                    text: "Hello {name}\n\"NULL\"".into(),
                };
                SurveyEvent::TemplatesChanged {
                    templates: (0..variant % 3).map(template).collect(),
                }
            } else {
                SurveyEvent::SurveyChanged { settings }
            };
            self.history.record(StreamId::Survey(*survey_id), event);
        } else {
            let survey_id = SurveyId(id(1_000 + self.fresh));
            self.surveys.insert(slot, survey_id);
            self.history.record(
                StreamId::Survey(survey_id),
                SurveyEvent::SurveyCreated {
                    survey_id,
                    settings,
                },
            );
        }
    }

    fn line(&mut self, slot: u8, variant: u8) {
        let Some(line_id) = self.lines.get(&slot).copied() else {
            let line = 1_000 + self.fresh;
            let (stream, event) = line_added(line, &format!("44770090000{slot}"), Channel::Sms);
            self.lines.insert(slot, LineId(id(line)));
            self.history.record(stream, event);
            return;
        };
        let event = match variant % 5 {
            0 => {
                self.lines.remove(&slot);
                LineEvent::LineRemoved {}
            }
            1 => LineEvent::SendingHalted {
                reason: HaltReason::Balance,
            },
            2 => LineEvent::SendingResumed {},
            other => LineEvent::LineChanged {
                settings: LineSettings {
                    survey_id: SurveyId(id(u128::from(variant))),
                    multi_case_reply: (other == 3).then(|| format!("%s1 open: %s2 ({variant})")),
                    automatic: AutomaticTexts {
                        greeting: (variant > 100).then(|| format!("Greeting {variant}")),
                        ..AutomaticTexts::default()
                    },
                },
            },
        };
        self.history.record(StreamId::Line(line_id), event);
    }

    fn user(&mut self, slot: u8, variant: u8) {
        let Some(user_id) = self.users.get(&slot).copied() else {
            let user = 1_000 + self.fresh;
            let (stream, event) = user_added(user, &format!("agent{slot}@example.com"));
            self.users.insert(slot, UserId(id(user)));
            self.history.record(stream, event);
            return;
        };
        let token = self.tokens.iter().position(|(owner, _)| *owner == user_id);
        let event = match (variant % 8, token) {
            (0, _) => {
                self.users.remove(&slot);
                UserEvent::UserRemoved {}
            }
            (1, _) => UserEvent::RoleChanged {
                from: Role::Agent,
                to: Role::Auditor,
            },
            (2, _) => UserEvent::PasswordChanged {},
            (6, _) => UserEvent::SurveyAccessChanged { surveys: None },
            (7, _) => UserEvent::SurveyAccessChanged {
                surveys: Some((0..variant % 3).map(|n| SurveyId(id(n.into()))).collect()),
            },
            (3, Some(token)) => UserEvent::TokenRevoked {
                token_id: self.tokens.remove(token).1,
            },
            _ => {
                let token_id = TokenId(id(1_000 + self.fresh));
                self.tokens.push((user_id, token_id));
                UserEvent::TokenCreated {
                    token_id,
                    name: format!("Token {variant}"),
                }
            }
        };
        self.history.record(StreamId::User(user_id), event);
    }

    fn installation(&mut self, slot: u8, variant: u8) {
        let change = |n: u8| match n % 3 {
            0 => SecretChange::Kept,
            1 => SecretChange::Entered,
            _ => SecretChange::Removed,
        };
        let event = InstallationEvent::VonageChanged {
            application_id: (slot > 0).then(|| format!("application-{variant}")),
            signature_secret: change(variant),
            private_key: change(variant / 3),
        };
        self.history.record(StreamId::Installation, event);
    }

    fn webhook(&mut self, slot: u8, variant: u8) {
        if variant.is_multiple_of(2)
            && let Some(held_id) = self.held.pop()
        {
            let references = (0..u32::from(slot)).map(|n| reference(101 + n)).collect();
            let message_id = MessageId(id(1_000 + self.fresh));
            self.history.record(
                StreamId::Held(held_id),
                HeldEvent::WebhookRouted {
                    message_id,
                    references,
                },
            );
        } else {
            let body = if variant % 4 == 1 {
                HeldBody::Hex("ff00".into())
            } else {
                HeldBody::Text("{}".into())
            };
            let held = 1_000 + self.fresh;
            let (stream, event) = webhook(held, body);
            self.held.insert(0, HeldId(id(held)));
            self.history.record(stream, event);
        }
    }
}

fn delivery(number: u128, variant: u8) -> CaseEvent {
    let message_id = MessageId(id(number));
    let attempt = 1 + u32::from(variant / 8 % 3);
    match variant % 8 {
        0 => CaseEvent::MessageQueued(message(number, number, 1)),
        1 => CaseEvent::MessageRequeued {
            message: Box::new(message(number, number, 1)),
            attempt: attempt + 1,
        },
        2 | 3 => CaseEvent::MessageSending {
            message_id,
            attempt,
        },
        4 => CaseEvent::MessageDeferred {
            message_id,
            attempt,
            not_before: at(i64::from(variant)) + TimeDelta::nanoseconds(123_456_789),
            reason: "too many requests".into(),
        },
        5 => CaseEvent::MessageSent {
            message_id,
            attempt,
            provider_id: None,
        },
        6 => CaseEvent::MessageFailed {
            message_id,
            attempt,
            code: None,
            reason: "refused".into(),
        },
        _ => CaseEvent::MessageDelivered {
            message_id,
            attempt,
            at: at(0),
            at_is_arrival: false,
        },
    }
}

#[test]
fn rows_do_not_depend_on_when_they_are_flushed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(database());
    let happenings = proptest::collection::vec(any::<Happening>(), 1..80);
    let mut runner = TestRunner::new(Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&(happenings, 2_usize..12), |(happenings, batch)| {
            let events = history(&happenings);
            runtime.block_on(async {
                let mut conn = database.pool.acquire().await.unwrap();
                let mut dumps = Vec::new();
                for flush_every in [1, batch, events.len().max(1)] {
                    empty(&mut conn).await;
                    project(&mut conn, &events, flush_every, UNDATED).await;
                    dumps.push(dump(&mut conn).await);
                }
                prop_assert_eq!(&dumps[0], &dumps[1]);
                prop_assert_eq!(&dumps[0], &dumps[2]);
                // The events of a batch get one time: in the log, or only when they are written.
                let mut events = events;
                let batches = (0..).zip(events.chunks_mut(batch));
                batches.for_each(|(seconds, batch)| date(batch, at(seconds)));
                empty(&mut conn).await;
                project(&mut conn, &events, 1, UNDATED).await;
                let dated = dump(&mut conn).await;
                empty(&mut conn).await;
                for (seconds, batch) in (0..).zip(events.chunks_mut(batch)) {
                    date(batch, UNDATED);
                    project(&mut conn, batch, batch.len(), at(seconds)).await;
                }
                prop_assert_eq!(dump(&mut conn).await, dated);
                Ok::<_, TestCaseError>(())
            })
        })
        .unwrap();
    runtime.block_on(database.close());
}

#[tokio::test]
async fn templates_and_settings_of_a_survey_change_apart() {
    let database = database().await;
    let survey_id = SurveyId(id(1));
    let stream = StreamId::Survey(survey_id);
    let created = SurveyEvent::SurveyCreated {
        survey_id,
        settings: survey_settings(0),
    };
    let templates = vec![Template {
        name: "Hours".into(),
        text: "From 9 to 5, {name}.\n{agent}".into(),
    }];
    let changed = SurveyEvent::TemplatesChanged {
        templates: templates.clone(),
    };
    happens(&database.pool, 0, stream, created).await;
    let found = surveys::find(&database.pool, survey_id).await.unwrap();
    assert_eq!(found.unwrap().templates, []);
    happens(&database.pool, 1, stream, changed).await;
    let renamed = SurveyEvent::SurveyChanged {
        settings: survey_settings(2),
    };
    happens(&database.pool, 2, stream, renamed).await;
    let found = surveys::find(&database.pool, survey_id).await.unwrap();
    let found = found.unwrap();
    assert_eq!(found.templates, templates);
    assert_eq!(found.settings, survey_settings(2));
    database.close().await;
}

#[tokio::test]
async fn the_installation_keeps_what_a_change_does_not_name() {
    let database = database().await;
    assert_eq!(installation::find(&database.pool).await.unwrap(), None);
    let changed = |application_id: Option<&str>, signature_secret, private_key| {
        InstallationEvent::VonageChanged {
            application_id: application_id.map(str::to_owned),
            signature_secret,
            private_key,
        }
    };
    let entered = changed(Some("a"), SecretChange::Entered, SecretChange::Kept);
    happens(&database.pool, 0, StreamId::Installation, entered).await;
    let entered = changed(Some("b"), SecretChange::Kept, SecretChange::Entered);
    happens(&database.pool, 1, StreamId::Installation, entered).await;
    let found = installation::find(&database.pool).await.unwrap().unwrap();
    assert_eq!(found.application_id.as_deref(), Some("b"));
    assert!(found.has_signature_secret && found.has_private_key);
    let removed = changed(None, SecretChange::Removed, SecretChange::Kept);
    happens(&database.pool, 2, StreamId::Installation, removed).await;
    let found = installation::find(&database.pool).await.unwrap().unwrap();
    assert_eq!(found.application_id, None);
    assert!(!found.has_signature_secret && found.has_private_key);
    assert_eq!((found.changed_at, found.changed_by), (at(2), None));
    database.close().await;
}

#[tokio::test]
async fn surveys_and_lines_are_what_their_last_events_say() {
    let database = database().await;
    let mut history = History::default();
    let survey_id = SurveyId(id(1));
    history.record(
        StreamId::Survey(survey_id),
        SurveyEvent::SurveyCreated {
            survey_id,
            settings: survey_settings(0),
        },
    );
    history.record(
        StreamId::Survey(survey_id),
        SurveyEvent::SurveyChanged {
            settings: survey_settings(2),
        },
    );
    for (line, channel) in [(10, Channel::Sms), (11, Channel::Whatsapp)] {
        let (stream, event) = line_added(line, "447700900000", channel);
        history.record(stream, event);
    }
    let sms = StreamId::Line(LineId(id(10)));
    history.record(
        sms,
        LineEvent::SendingHalted {
            reason: HaltReason::Credentials,
        },
    );
    history.record(StreamId::Line(LineId(id(11))), LineEvent::LineRemoved {});
    history.write(&database.pool).await;

    let found = surveys::all(&database.pool).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].settings, survey_settings(2));
    assert_eq!((found[0].version, found[0].created_at), (2, at(0)));
    assert_eq!(
        surveys::find(&database.pool, survey_id)
            .await
            .unwrap()
            .as_ref(),
        found.first()
    );
    assert_eq!(
        surveys::find(&database.pool, SurveyId(id(9)))
            .await
            .unwrap(),
        None
    );

    let found = lines::all(&database.pool).await.unwrap();
    assert_eq!(
        found.iter().map(|line| line.line_id).collect::<Vec<_>>(),
        [LineId(id(10))]
    );
    assert_eq!(
        (found[0].halted, found[0].version),
        (Some(HaltReason::Credentials), 2)
    );
    assert_eq!(
        lines::channels_of_removed(&database.pool).await.unwrap(),
        [(LineId(id(11)), Channel::Whatsapp)]
    );
    assert!(
        lines::find(&database.pool, LineId(id(11)))
            .await
            .unwrap()
            .unwrap()
            .removed
    );
    database.close().await;
}

#[tokio::test]
async fn a_broken_row_is_named() {
    let database = database().await;
    let mut history = History::default();
    let (stream, event) = line_added(10, "447700900000", Channel::Sms);
    history.record(stream, event);
    history.write(&database.pool).await;
    sqlx::query("UPDATE lines SET halted = 'weather'")
        .execute(&database.pool)
        .await
        .unwrap();

    let error = lines::all(&database.pool).await.unwrap_err().to_string();
    assert!(
        error.contains("lines.halted") && error.contains(&id(10).to_string()),
        "{error}"
    );
    assert!(!error.contains("weather"), "{error}");
    database.close().await;
}

const AGENT: UserId = UserId(Uuid::from_u128(1));
const REPORT_TOKEN: TokenId = TokenId(Uuid::from_u128(2));
const IMPORT_TOKEN: TokenId = TokenId(Uuid::from_u128(3));

/// A database with an agent who became an owner, and has two tokens.
async fn one_user() -> TestDatabase {
    let database = database().await;
    let mut history = History::default();
    let (stream, added) = user_added(AGENT.0.as_u128(), "agent@example.com");
    history.record(stream, added);
    for (token_id, name) in [(REPORT_TOKEN, "Report"), (IMPORT_TOKEN, "Import")] {
        let name = name.into();
        history.record(stream, UserEvent::TokenCreated { token_id, name });
    }
    history.record(
        stream,
        UserEvent::RoleChanged {
            from: Role::Agent,
            to: Role::Owner,
        },
    );
    history.write(&database.pool).await;
    database
}

#[tokio::test]
async fn a_password_is_found_by_address_until_its_user_is_removed() {
    let database = one_user().await;
    let pool = &database.pool;
    let found = async || {
        accounts::password_hash(pool, "agent@example.com")
            .await
            .unwrap()
    };

    assert_eq!(found().await, None);
    for password_hash in ["$argon2id$one", "$argon2id$two"] {
        accounts::set_password_hash(pool, AGENT, password_hash)
            .await
            .unwrap();
        let found = found().await.unwrap();
        assert_eq!((found.user_id, found.role), (AGENT, Role::Owner));
        assert_eq!(found.password_hash, password_hash);
        assert!(!format!("{found:?}").contains("argon2id"), "{found:?}");
    }

    let user = users::find_by_email(pool, "agent@example.com")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (user.user_id, user.role, user.version),
        (AGENT, Role::Owner, 4)
    );
    assert_eq!(users::all(pool).await.unwrap(), [user]);
    happens(pool, 9, StreamId::User(AGENT), UserEvent::UserRemoved {}).await;
    assert_eq!(found().await, None);
    assert_eq!(
        users::find_by_email(pool, "agent@example.com")
            .await
            .unwrap(),
        None
    );
    assert_eq!(users::all(pool).await.unwrap(), []);
    assert!(users::find(pool, AGENT).await.unwrap().unwrap().removed);
    database.close().await;
}

#[tokio::test]
async fn a_token_counts_until_it_or_its_user_ends() {
    let database = one_user().await;
    let pool = &database.pool;
    let (hash, other_hash) = ([7; 32], [8; 32]);
    accounts::add_token_secret(pool, REPORT_TOKEN, AGENT, hash)
        .await
        .unwrap();
    accounts::add_token_secret(pool, IMPORT_TOKEN, AGENT, other_hash)
        .await
        .unwrap();

    let account = accounts::by_token_hash(pool, hash).await.unwrap().unwrap();
    assert_eq!(
        (account.user_id, account.role, account.token_id),
        (AGENT, Role::Owner, REPORT_TOKEN)
    );
    assert_eq!(account.email.as_str(), "agent@example.com");
    assert_eq!(accounts::by_token_hash(pool, [9; 32]).await.unwrap(), None);

    happens(
        pool,
        9,
        StreamId::User(AGENT),
        UserEvent::TokenRevoked {
            token_id: REPORT_TOKEN,
        },
    )
    .await;
    assert_eq!(accounts::by_token_hash(pool, hash).await.unwrap(), None);
    assert!(
        accounts::by_token_hash(pool, other_hash)
            .await
            .unwrap()
            .is_some()
    );
    let live = users::tokens_of(pool, AGENT).await.unwrap();
    assert_eq!(
        live.iter().map(|token| token.token_id).collect::<Vec<_>>(),
        [IMPORT_TOKEN]
    );
    assert_eq!(users::all_tokens(pool).await.unwrap(), live);
    assert!(
        users::find_token(pool, REPORT_TOKEN)
            .await
            .unwrap()
            .unwrap()
            .revoked
    );

    happens(pool, 10, StreamId::User(AGENT), UserEvent::UserRemoved {}).await;
    assert_eq!(
        accounts::by_token_hash(pool, other_hash).await.unwrap(),
        None
    );
    assert_eq!(users::all_tokens(pool).await.unwrap(), []);
    database.close().await;
}

#[tokio::test]
async fn unrouted_webhooks_are_listed_from_new_to_old_until_they_are_routed() {
    let database = database().await;
    let mut history = History::default();
    for held in 1..=5 {
        let (stream, event) = webhook(held, HeldBody::Text("x".repeat(3_000)));
        // Two at the same time are told apart by their ids.
        history.record_at(
            if held == 3 {
                2
            } else {
                i64::try_from(held).unwrap()
            },
            stream,
            event,
        );
    }
    let routed = HeldId(id(4));
    let references = vec![reference(101), reference(102)];
    let event = HeldEvent::WebhookRouted {
        message_id: MessageId(id(40)),
        references: references.clone(),
    };
    history.record(StreamId::Held(routed), event);
    history.write(&database.pool).await;

    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = unrouted::page(&database.pool, cursor, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert_eq!(last.excerpt.chars().count(), 2_000);
        cursor = Some(last.cursor());
        seen.extend(page.iter().map(|row| row.held_id));
    }
    assert_eq!(seen, [5, 3, 2, 1].map(|held| HeldId(id(held))));
    assert_eq!(unrouted::count(&database.pool).await.unwrap(), 4);

    let found = unrouted::find(&database.pool, routed)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.body.0, HeldBody::Text("x".repeat(3_000)));
    let became = found.row.routed.unwrap();
    assert_eq!(
        (became.message_id, became.references, became.at),
        (MessageId(id(40)), references, at(5))
    );
    assert_eq!(found.row.to, Some("447700900001".into()));
    assert_eq!(
        unrouted::find(&database.pool, HeldId(id(9))).await.unwrap(),
        None
    );
    database.close().await;
}

const SMS_LINE: u128 = 10;
const WHATSAPP_LINE: u128 = 11;
const CASE: StreamId = StreamId::Case(Reference::FIRST);

/// A database with two lines, and the log so far.
async fn two_lines() -> (TestDatabase, History) {
    let database = database().await;
    let mut history = History::default();
    for (line, channel) in [(SMS_LINE, Channel::Sms), (WHATSAPP_LINE, Channel::Whatsapp)] {
        let (stream, event) = line_added(line, "447700900000", channel);
        history.record_at(0, stream, event);
    }
    (database, history)
}

/// More of the log, for a stream that goes on; where in the stream does not matter to what is asked.
async fn happens(pool: &PgPool, seconds: i64, stream: StreamId, event: impl Into<Event>) {
    let mut history = History {
        sequences: [(stream, 1)].into(),
        ..History::default()
    };
    history.record_at(seconds, stream, event);
    history.write(pool).await;
}

async fn claim(pool: &PgPool, now: i64, until: i64, limit: u32, per_line: u32) -> Vec<OutboxRow> {
    let wanted = Wanted {
        now: at(now),
        until: at(until),
        limit,
        per_line,
    };
    let claims = outbox_claims::claim(pool, wanted).await.unwrap();
    assert!(
        claims
            .iter()
            .all(|claim| claim.from_number.0 == "447700900000"),
        "a claim brings its line's number"
    );
    claims.into_iter().map(|claim| claim.message).collect()
}

fn numbers(rows: &[OutboxRow]) -> Vec<u128> {
    rows.iter().map(|row| row.message_id.0.as_u128()).collect()
}

fn sending(message: u128, attempt: u32) -> CaseEvent {
    CaseEvent::MessageSending {
        message_id: MessageId(id(message)),
        attempt,
    }
}

fn sent(message: u128, attempt: u32) -> CaseEvent {
    CaseEvent::MessageSent {
        message_id: MessageId(id(message)),
        attempt,
        provider_id: None,
    }
}

fn failed(message: u128, attempt: u32) -> CaseEvent {
    CaseEvent::MessageFailed {
        message_id: MessageId(id(message)),
        attempt,
        code: None,
        reason: "refused".into(),
    }
}

fn requeued(number: u128, attempt: u32) -> CaseEvent {
    CaseEvent::MessageRequeued {
        message: Box::new(message(number, number, SMS_LINE)),
        attempt,
    }
}

#[tokio::test]
async fn a_message_of_two_cases_is_one_row_until_it_is_sent() {
    let (database, history) = two_lines().await;
    history.write(&database.pool).await;
    let pool = &database.pool;
    let cases = [CASE, StreamId::Case(reference(102))];
    let message_id = MessageId(id(1));

    for case in cases {
        happens(
            pool,
            1,
            case,
            CaseEvent::MessageQueued(message(1, 1, SMS_LINE)),
        )
        .await;
    }
    let queued = outbox::find(pool, message_id).await.unwrap().unwrap();
    assert_eq!((queued.state, queued.attempt), (State::Queued, 1));
    assert_eq!(
        (queued.queued_at, queued.due_at, queued.since),
        (at(1), at(1), at(1))
    );
    assert_eq!(queued.references, [reference(101), reference(102)]);
    assert_eq!(queued.sent_text.as_str(), "Good morning #101");

    for case in cases {
        happens(pool, 2, case, sending(1, 1)).await;
    }
    for case in cases {
        let (attempt, not_before) = (1, at(30));
        let deferred = CaseEvent::MessageDeferred {
            message_id,
            attempt,
            not_before,
            reason: "too many requests".into(),
        };
        happens(pool, 3, case, deferred).await;
    }
    let deferred = outbox::find(pool, message_id).await.unwrap().unwrap();
    assert_eq!(
        deferred,
        OutboxRow {
            due_at: at(30),
            since: at(3),
            ..queued
        }
    );
    assert_eq!(outbox::next_due(pool, at(4)).await.unwrap(), Some(at(30)));
    assert_eq!(outbox::next_due(pool, at(30)).await.unwrap(), None);
    let depth = outbox::depth(pool).await.unwrap();
    assert_eq!((depth.count, depth.oldest_queued_at), (1, Some(at(1))));

    for event in [sending(1, 1), sent(1, 1)] {
        for case in cases {
            happens(pool, 40, case, event.clone()).await;
        }
    }
    assert_eq!(outbox::find(pool, message_id).await.unwrap(), None);
    assert_eq!(outbox::depth(pool).await.unwrap().count, 0);
    database.close().await;
}

#[tokio::test]
async fn a_message_sent_again_comes_back_and_late_news_of_the_first_attempt_leaves_it() {
    let (database, mut history) = two_lines().await;
    let pool = &database.pool;
    for event in [
        CaseEvent::MessageQueued(message(1, 1, SMS_LINE)),
        sending(1, 1),
        sent(1, 1),
        failed(1, 1),
    ] {
        history.record_at(1, CASE, event);
    }
    history.write(pool).await;
    let message_id = MessageId(id(1));
    assert_eq!(outbox::find(pool, message_id).await.unwrap(), None);

    happens(pool, 5, CASE, requeued(1, 2)).await;
    // The other case of the message tells the end of the first attempt after that.
    happens(pool, 6, StreamId::Case(reference(102)), failed(1, 1)).await;
    happens(pool, 7, StreamId::Case(reference(102)), requeued(1, 2)).await;
    let again = outbox::find(pool, message_id).await.unwrap().unwrap();
    assert_eq!(
        (again.state, again.attempt, again.queued_at),
        (State::Queued, 2, at(5))
    );
    assert_eq!(again.sent_text.as_str(), "Good morning #101");

    let attempt = 1;
    happens(
        pool,
        8,
        CASE,
        CaseEvent::MessageDelivered {
            message_id,
            attempt,
            at: at(4),
            at_is_arrival: false,
        },
    )
    .await;
    assert_eq!(
        outbox::find(pool, message_id).await.unwrap(),
        None,
        "it arrived, and must not go out again"
    );
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_workers_never_get_the_same_message() {
    const MESSAGES: u128 = 120;
    let (database, mut history) = two_lines().await;
    for number in 1..=MESSAGES {
        let line = if number % 2 == 0 {
            SMS_LINE
        } else {
            WHATSAPP_LINE
        };
        history.record_at(
            1,
            CASE,
            CaseEvent::MessageQueued(message(number, number, line)),
        );
    }
    history.write(&database.pool).await;

    let workers: Vec<_> = (0..4)
        .map(|_| {
            let pool = database.pool.clone();
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                // A look can find nothing because all it chose is locked by others, so some must come back empty.
                let mut empty_looks = 0;
                while empty_looks < 20 {
                    let rows = claim(&pool, 10, 100, 3, 3).await;
                    empty_looks += u32::from(rows.is_empty());
                    claimed.extend(numbers(&rows));
                }
                claimed
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    let once: BTreeSet<_> = claimed.iter().copied().collect();
    assert_eq!(once.len(), claimed.len(), "a message was claimed twice");
    assert_eq!(once, (1..=MESSAGES).collect());
    database.close().await;
}

#[tokio::test]
async fn a_clock_that_was_ahead_holds_nothing_back() {
    let (database, mut history) = two_lines().await;
    let pool = &database.pool;
    // An hour ahead, and then set right.
    history.record_at(
        3_600,
        CASE,
        CaseEvent::MessageQueued(message(5, 1, SMS_LINE)),
    );
    history.write(pool).await;

    assert_eq!(numbers(&claim(pool, 10, 20, 10, 10).await), [5]);
    happens(pool, 3_601, CASE, sending(5, 1)).await;
    let orphans = async |now| {
        let rows = outbox_claims::orphans(pool, at(now), 10).await.unwrap();
        numbers(&rows)
    };
    assert_eq!(orphans(19).await, [0_u128; 0], "it is claimed");
    assert_eq!(orphans(21).await, [5]);
    database.close().await;
}

#[tokio::test]
async fn messages_to_a_contact_go_out_in_order() {
    let (database, mut history) = two_lines().await;
    let pool = &database.pool;
    // The third is older by its id, and the second on another line.
    history.record_at(1, CASE, CaseEvent::MessageQueued(message(5, 1, SMS_LINE)));
    history.record_at(
        2,
        CASE,
        CaseEvent::MessageQueued(message(6, 1, WHATSAPP_LINE)),
    );
    history.record_at(3, CASE, CaseEvent::MessageQueued(message(4, 1, SMS_LINE)));
    history.record_at(4, CASE, CaseEvent::MessageQueued(message(7, 2, SMS_LINE)));
    history.write(pool).await;

    assert_eq!(numbers(&claim(pool, 10, 20, 10, 10).await), [5, 7]);
    happens(pool, 11, CASE, sending(5, 1)).await;
    assert_eq!(
        numbers(&claim(pool, 11, 20, 10, 10).await),
        [0_u128; 0],
        "the first is being sent"
    );
    let (message_id, attempt, not_before) = (MessageId(id(5)), 1, at(50));
    let deferred = CaseEvent::MessageDeferred {
        message_id,
        attempt,
        not_before,
        reason: "too many requests".into(),
    };
    happens(pool, 12, CASE, deferred).await;
    outbox_claims::release(pool, &[message_id], at(20))
        .await
        .unwrap();
    assert_eq!(
        numbers(&claim(pool, 13, 20, 10, 10).await),
        [0_u128; 0],
        "the first is not due"
    );
    assert_eq!(numbers(&claim(pool, 50, 90, 10, 10).await), [7, 5]);
    for event in [sending(5, 1), sent(5, 1)] {
        happens(pool, 51, CASE, event).await;
    }
    assert_eq!(numbers(&claim(pool, 52, 90, 10, 10).await), [6]);
    database.close().await;
}

#[tokio::test]
async fn a_line_that_stands_still_sends_nothing_and_holds_up_no_other() {
    let (database, mut history) = two_lines().await;
    let pool = &database.pool;
    history.record_at(1, CASE, CaseEvent::MessageQueued(message(1, 1, SMS_LINE)));
    history.record_at(
        2,
        CASE,
        CaseEvent::MessageQueued(message(2, 1, WHATSAPP_LINE)),
    );
    let sms = StreamId::Line(LineId(id(SMS_LINE)));
    history.record_at(
        3,
        sms,
        LineEvent::SendingHalted {
            reason: HaltReason::Balance,
        },
    );
    history.write(pool).await;

    assert_eq!(numbers(&claim(pool, 10, 20, 10, 10).await), [2]);
    assert_eq!(outbox::next_due(pool, at(0)).await.unwrap(), Some(at(2)));
    happens(pool, 11, sms, LineEvent::SendingResumed {}).await;
    assert_eq!(numbers(&claim(pool, 12, 20, 10, 10).await), [1]);
    happens(pool, 13, sms, LineEvent::LineRemoved {}).await;
    assert_eq!(
        numbers(&claim(pool, 30, 40, 10, 10).await),
        [2],
        "1 has no line, and both claims have ended"
    );
    database.close().await;
}

#[tokio::test]
async fn lines_take_turns() {
    let (database, mut history) = two_lines().await;
    let pool = &database.pool;
    for number in 1..=50 {
        history.record_at(
            1,
            CASE,
            CaseEvent::MessageQueued(message(number, number, SMS_LINE)),
        );
    }
    for number in 101..=103 {
        history.record_at(
            9,
            CASE,
            CaseEvent::MessageQueued(message(number, number, WHATSAPP_LINE)),
        );
    }
    history.write(pool).await;

    assert_eq!(numbers(&claim(pool, 10, 20, 4, 4).await), [1, 2, 101, 102]);
    assert_eq!(numbers(&claim(pool, 10, 20, 10, 2).await), [3, 4, 103]);
    assert_eq!(numbers(&claim(pool, 10, 20, 3, 10).await), [5, 6, 7]);
    database.close().await;
}

#[tokio::test]
async fn a_claim_ends_with_its_time_its_release_or_its_attempt() {
    let (database, mut history) = two_lines().await;
    let pool = &database.pool;
    history.record_at(1, CASE, CaseEvent::MessageQueued(message(1, 1, SMS_LINE)));
    history.write(pool).await;
    let message_id = MessageId(id(1));

    assert_eq!(numbers(&claim(pool, 10, 20, 1, 1).await), [1]);
    assert_eq!(numbers(&claim(pool, 19, 30, 1, 1).await), [0_u128; 0]);
    assert_eq!(
        numbers(&claim(pool, 20, 30, 1, 1).await),
        [1],
        "its time is over"
    );
    outbox_claims::release(pool, &[message_id], at(20))
        .await
        .unwrap();
    assert_eq!(
        numbers(&claim(pool, 21, 30, 1, 1).await),
        [0_u128; 0],
        "the release was by whoever had it before"
    );
    outbox_claims::release(pool, &[message_id], at(30))
        .await
        .unwrap();
    assert_eq!(numbers(&claim(pool, 22, 40, 1, 1).await), [1]);

    for event in [sending(1, 1), failed(1, 1), requeued(1, 2)] {
        happens(pool, 23, CASE, event).await;
    }
    let again = claim(pool, 24, 41, 1, 1).await;
    assert_eq!(again.iter().map(|row| row.attempt).collect::<Vec<_>>(), [2]);
    assert_eq!(numbers(&claim(pool, 25, 41, 1, 1).await), [0_u128; 0]);

    assert_eq!(outbox_claims::forget_ended(pool, at(40)).await.unwrap(), 0);
    assert_eq!(outbox_claims::forget_ended(pool, at(41)).await.unwrap(), 1);
    database.close().await;
}

#[tokio::test]
async fn a_call_whose_worker_died_is_an_orphan() {
    let (database, mut history) = two_lines().await;
    let pool = &database.pool;
    for number in 1..=3 {
        history.record_at(
            1,
            CASE,
            CaseEvent::MessageQueued(message(number, number, SMS_LINE)),
        );
    }
    history.write(pool).await;
    assert_eq!(numbers(&claim(pool, 2, 60, 2, 2).await), [1, 2]);
    for number in [1, 2] {
        happens(pool, 3, CASE, sending(number, 1)).await;
    }

    let orphans = async |now| {
        let rows = outbox_claims::orphans(pool, at(now), 10).await.unwrap();
        numbers(&rows)
    };
    assert_eq!(
        orphans(59).await,
        [0_u128; 0],
        "the worker may still be calling"
    );
    assert_eq!(orphans(60).await, [1, 2]);
    outbox_claims::release(pool, &[MessageId(id(1))], at(60))
        .await
        .unwrap();
    assert_eq!(orphans(10).await, [1], "released without an outcome");
    let (message_id, attempt) = (MessageId(id(1)), 1);
    happens(
        pool,
        61,
        CASE,
        CaseEvent::MessageUncertain {
            message_id,
            attempt,
            reason: "no answer".into(),
        },
    )
    .await;
    assert_eq!(orphans(70).await, [2]);
    assert_eq!(
        numbers(&claim(pool, 70, 90, 10, 10).await),
        [3],
        "an orphan is not sent again"
    );
    database.close().await;
}

#[tokio::test]
async fn turns_to_call_are_apart_whoever_takes_them() {
    let database = database().await;
    let interval = Duration::from_millis(40);
    let began = Instant::now();
    let processes: Vec<_> = (0..4)
        .map(|_| {
            let pool = database.pool.clone();
            tokio::spawn(async move {
                let mut turns = vec![];
                for count in [1, 3, 2] {
                    let wait = outbox_claims::take_turns(&pool, count, interval)
                        .await
                        .unwrap();
                    let first = began.elapsed() + wait;
                    turns.extend((0..count).map(|turn| first + interval * turn));
                }
                turns
            })
        })
        .collect();
    let mut turns = vec![];
    for process in processes {
        turns.extend(process.await.unwrap());
    }
    turns.sort_unstable();
    assert_eq!(turns.len(), 24);
    // The answers were on their way for some time, by which a turn seems later than it is.
    let slack = Duration::from_millis(30);
    let taken = turns.last().unwrap().saturating_sub(turns[0]);
    assert!(taken + slack >= interval * 23, "{turns:?}");
    database.close().await;
}

#[tokio::test]
async fn a_database_clock_that_was_set_back_holds_up_no_message_for_long() {
    let database = database().await;
    sqlx::query("UPDATE sending_rate SET next_at = clock_timestamp() + interval '1 hour'")
        .execute(&database.pool)
        .await
        .unwrap();
    let wait = outbox_claims::take_turns(&database.pool, 1, Duration::from_millis(40))
        .await
        .unwrap();
    assert!(wait <= Duration::from_secs(20), "{wait:?}");
    database.close().await;
}
