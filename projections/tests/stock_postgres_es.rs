//! The table of events is one that stock postgres-es reads, and could write; and nobody can change what stands in it.

#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{AggregateContext as _, EventStore as _};
use docket_domain::case::{
    Assignee, Author, Case, CaseCommand, CaseError, CaseEvent, InboundMessage, News, Opened,
    Origin, OutboundMessage,
};
use docket_domain::channel::Channel;
use docket_domain::content::{Content, Media};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, LineId, MessageId, NoteId, Reference, SurveyId, UserId};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use docket_projections::ledger::operation::{Answer, ContactKey, Decided, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::log::reader;
use docket_projections::log::recorded::{Actor, Metadata, Via};
use docket_projections::log::upcasters::upcasters;
use docket_projections::settings::Settings;
use docket_projections::testing::database;
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use uuid::Uuid;

const LINE: LineId = LineId(Uuid::from_u128(0x11));
const SURVEY: SurveyId = SurveyId(Uuid::from_u128(0x50));
const AGENT: UserId = UserId(Uuid::from_u128(0xa6));
const SAID: MessageId = MessageId(Uuid::from_u128(1));
const PHOTO: MessageId = MessageId(Uuid::from_u128(2));
const REPLY: MessageId = MessageId(Uuid::from_u128(3));

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 123_456_000).unwrap()
}

/// A case with all that can happen to one, recorded by the write path of the service.
struct EventfulCase;

impl EventfulCase {
    #[expect(clippy::too_many_lines, reason = "a case's whole story")]
    fn commands(reference: Reference, contact_id: ContactId) -> Vec<CaseCommand> {
        let number: Personal<String> = "447700900101".into();
        let opened = Opened {
            reference,
            contact_id,
            number: number.clone(),
            survey_id: SURVEY,
            line_id: LINE,
            channel: Channel::Whatsapp,
            title: "Boiler".into(),
            status: Some("New".to_owned()),
            origin: Origin::Message,
            follows: Reference::new(90),
        };
        let said = |message_id: MessageId, content: Content| CaseCommand::Receive {
            message: InboundMessage {
                message_id,
                line_id: LINE,
                channel: Channel::Whatsapp,
                from: number.clone(),
                content: Personal(content),
                provider_id: format!("vonage-{message_id}"),
                at: now() - TimeDelta::milliseconds(1_500),
                at_is_arrival: false,
                quotes: Some("vonage-0".to_owned()),
                profile_name: Some("Invented Person".into()),
            },
            routed: Routed::new(Rule::Follows, Reference::new(90).into_iter().collect()),
        };
        let photo = Media {
            url: "https://media.example.com/boiler".to_owned(),
            caption: Some("Drips".to_owned()),
            ..Media::default()
        };
        let agent = Author::User {
            user_id: AGENT,
            email: "agent@example.com".into(),
        };
        let reply = OutboundMessage {
            message_id: REPLY,
            contact_id,
            line_id: LINE,
            channel: Channel::Whatsapp,
            to: number.clone(),
            text: "Off and on again \u{1f600} \"quoted\" \\ back".into(),
            sent_text: "Off and on again #101".into(),
            author: agent.clone(),
            references: vec![reference],
            template: None,
            media: None,
        };
        let news = |attempt, news| CaseCommand::RecordDelivery {
            message_id: REPLY,
            attempt,
            news,
        };
        let status = |value: &str, closes| CaseCommand::SetStatus {
            question: "How far?".to_owned(),
            value: value.to_owned(),
            closes,
        };
        vec![
            CaseCommand::Open(opened),
            said(SAID, Content::text("It drips")),
            said(PHOTO, Content::Image(photo)),
            CaseCommand::Reply {
                message: reply,
                seen_version: None,
            },
            CaseCommand::BeginSending {
                message_id: REPLY,
                attempt: 1,
            },
            news(
                1,
                News::Deferred {
                    not_before: now() + TimeDelta::seconds(2),
                    reason: "busy".to_owned(),
                },
            ),
            CaseCommand::BeginSending {
                message_id: REPLY,
                attempt: 1,
            },
            news(
                1,
                News::Uncertain {
                    reason: "no answer".to_owned(),
                },
            ),
            CaseCommand::Resend {
                message_id: REPLY,
                line_id: None,
            },
            CaseCommand::BeginSending {
                message_id: REPLY,
                attempt: 2,
            },
            news(
                2,
                News::Sent {
                    provider_id: Some("vonage-9".to_owned()),
                },
            ),
            news(
                2,
                News::Delivered {
                    at: now(),
                    at_is_arrival: false,
                },
            ),
            news(
                2,
                News::Read {
                    at: now() + TimeDelta::microseconds(1),
                    at_is_arrival: false,
                },
            ),
            CaseCommand::Assign {
                to: Some(Assignee {
                    user_id: AGENT,
                    email: "agent@example.com".into(),
                }),
            },
            CaseCommand::Rename {
                title: "The boiler drips".into(),
            },
            CaseCommand::AddNote {
                note_id: NoteId(Uuid::from_u128(4)),
                author: agent,
                text: "Rang".into(),
            },
            CaseCommand::MoveOut {
                message_id: PHOTO,
                to: Reference::new(900).unwrap(),
                made_case: true,
                comment: None,
            },
            CaseCommand::TakeBack {
                message_id: PHOTO,
                from: Reference::new(900).unwrap(),
                reaction: None,
            },
            status("Resolved", true),
            status("New", false),
        ]
    }
}

impl Operation for EventfulCase {
    type Output = Reference;
    type Refusal = CaseError;

    fn metadata(&self) -> Metadata {
        let actor = Actor::User {
            user_id: AGENT,
            email: "agent@example.com".to_owned(),
        };
        Metadata {
            actor,
            request_id: Some("request-1".to_owned()),
            cause: Some("test".to_owned()),
            ..Metadata::of(Actor::System, Via::System)
        }
    }

    fn needs(&self, _: &Settings) -> Needs {
        let contact = ContactKey {
            survey_id: SURVEY,
            number: "447700900101".to_owned(),
            new_id: ContactId(Uuid::from_u128(5)),
        };
        Needs {
            contact: Some(contact),
            new_references: 1,
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<Reference>, CaseError> {
        let reference = scope.new_reference();
        let mut case = Case::default();
        let mut events = vec![];
        for command in Self::commands(reference, scope.contact().ok_or(CaseError::NotOpened)?) {
            let decided = case.decide(command)?;
            assert!(!decided.is_empty(), "each command is worth an event");
            for event in decided {
                case.evolve(&event);
                events.push(event);
            }
        }
        Ok(Decided::on(StreamId::Case(reference), events, reference))
    }
}

async fn record(pool: &PgPool) -> Reference {
    let ledger = Ledger::start((*pool.connect_options()).clone(), LedgerOptions::new(now))
        .await
        .unwrap();
    let Ok(Answer::Done(reference)) = ledger.submit(EventfulCase).await else {
        panic!("the case is recorded")
    };
    ledger.close().await;
    reference
}

/// The case as our own reader of the log gives it.
async fn replayed(pool: &PgPool, reference: Reference) -> Case {
    let mut case = Case::default();
    for event in reader::stream(pool, StreamId::Case(reference), 0, 1_000)
        .await
        .unwrap()
    {
        let Event::Case(event) = event.decode(&upcasters()).unwrap().event else {
            panic!("only cases stand there")
        };
        case.evolve(&event);
    }
    case
}

fn stock(pool: &PgPool) -> PersistedEventStore<PostgresEventRepository, Case> {
    PersistedEventStore::new_event_store(PostgresEventRepository::new(pool.clone()))
        .with_upcasters(upcasters())
}

#[tokio::test]
async fn stock_postgres_es_loads_a_case_to_the_same_state() {
    let database = database().await;
    let reference = record(&database.pool).await;
    // An event of an older version, as it was written then.
    sqlx::query(
        r#"INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
           SELECT aggregate_type, aggregate_id, max(sequence) + 1, 'StatusChanged', '1',
                  '{"StatusChanged": {"from": "New", "to": "In progress", "closed": false}}', '{"actor": "system"}'
             FROM events GROUP BY aggregate_type, aggregate_id"#,
    )
    .execute(&database.pool)
    .await
    .unwrap();

    let ours = replayed(&database.pool, reference).await;
    let mut loaded = stock(&database.pool)
        .load_aggregate(&reference.to_string())
        .await
        .unwrap();

    assert_eq!(loaded.aggregate(), &ours);
    assert_eq!(loaded.current_sequence as u64, ours.version());
    let state = ours.state().unwrap();
    assert_eq!(
        (state.status.as_deref(), state.messages.len()),
        (Some("In progress"), 3)
    );
    assert_eq!(
        ours.version(),
        EventfulCase::commands(reference, ContactId(Uuid::nil())).len() as u64 + 1
    );
    let envelopes = stock(&database.pool)
        .load_events(&reference.to_string())
        .await
        .unwrap();
    assert_eq!(envelopes[0].metadata["request_id"], "request-1");
    assert_eq!(envelopes[0].metadata["email"], "agent@example.com");
    database.close().await;
}

#[tokio::test]
async fn what_stock_postgres_es_writes_gets_its_place_in_the_log() {
    let database = database().await;
    let reference = record(&database.pool).await;
    let head = reader::head(&database.pool).await.unwrap();
    let store = stock(&database.pool);
    let context = store.load_aggregate(&reference.to_string()).await.unwrap();
    let renamed = CaseEvent::TitleChanged {
        from: "The boiler drips".into(),
        to: "Boiler, again".into(),
    };
    let metadata = HashMap::from([("actor".to_owned(), "system".to_owned())]);
    store
        .commit(vec![renamed.clone()], context, metadata)
        .await
        .unwrap();

    let events = reader::page(&database.pool, head, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    let recorded = events[0].decode(&upcasters()).unwrap();
    assert_eq!(
        (events[0].position, recorded.event),
        (head + 1, Event::Case(renamed))
    );
    let stock = Metadata {
        via: None,
        ..Metadata::of(Actor::System, Via::System)
    };
    assert_eq!(recorded.metadata, stock);
    assert_eq!(reader::head(&database.pool).await.unwrap(), head + 1);
    database.close().await;
}

#[tokio::test]
async fn nobody_changes_or_removes_an_event() {
    let database = database().await;
    let reference = record(&database.pool).await;
    let before = replayed(&database.pool, reference).await;
    let mut connection = database.pool.acquire().await.unwrap();
    let is_superuser: String = sqlx::query_scalar("SHOW is_superuser")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    assert_eq!(
        is_superuser, "on",
        "it is refused even to those who may do everything"
    );

    // The role by which replication, and whoever would like to, gets around ordinary triggers.
    for role in ["origin", "replica"] {
        sqlx::query(&format!("SET session_replication_role = {role}"))
            .execute(&mut *connection)
            .await
            .unwrap();
        for statement in [
            "UPDATE events SET payload = '{}'",
            "UPDATE events SET recorded_at = now() WHERE position = 1",
            "DELETE FROM events WHERE position = 1",
            "DELETE FROM events WHERE false",
            "TRUNCATE events",
            "TRUNCATE events CASCADE",
        ] {
            let refused = sqlx::query(statement)
                .execute(&mut *connection)
                .await
                .unwrap_err();
            let refusal = refused.as_database_error().unwrap();
            assert!(
                refusal.message().contains("events are history"),
                "{statement} as {role}: {refusal}"
            );
        }
    }
    // An event of a stream that goes on has one place.
    let twice = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
                 SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata FROM events";
    assert!(
        sqlx::query(twice)
            .execute(&mut *connection)
            .await
            .unwrap_err()
            .as_database_error()
            .unwrap()
            .is_unique_violation()
    );
    drop(connection);
    assert_eq!(replayed(&database.pool, reference).await, before);
    database.close().await;
}
