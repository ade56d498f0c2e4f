//! That nothing is forgotten on the way from a row in Rust to a column, and that a row gets its time and its part of a batch.

#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::case::{Author, CaseEvent, InboundMessage, Opened, Origin, OutboundMessage};
use docket_domain::channel::Channel;
use docket_domain::content::Content;
use docket_domain::event::StreamId;
use docket_domain::ids::{ContactId, LineId, MessageId, Reference, SurveyId, UserId};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use docket_projections::log::recorded::{Actor, Metadata, Recorded, UNDATED, Via};
use docket_projections::read::{ReadModels, Writes, cases};
use docket_projections::testing::{database, write_models};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// The tables that `write_read_models` fills.
const TABLES: [&str; 10] = [
    "contacts",
    "cases",
    "contact_cases",
    "open_cases",
    "thread_items",
    "messages",
    "sent_ids",
    "report_cases",
    "outbox",
    "contact_windows",
];

/// The body of `write_read_models`, with one space between any two words.
async fn body(conn: &mut PgConnection) -> String {
    let body: String =
        sqlx::query_scalar("SELECT prosrc FROM pg_proc WHERE proname = 'write_read_models'")
            .fetch_one(conn)
            .await
            .unwrap();
    spaced(&body)
}

fn spaced(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The function's statements by their targets.
fn by_target(body: &str) -> BTreeMap<&str, &str> {
    body.split("IF cardinality(rows.")
        .skip(1)
        .map(|block| {
            let (target, rest) = block.split_once(')').unwrap();
            let (statement, _) = rest.split_once("END IF;").unwrap();
            (target, statement)
        })
        .collect()
}

/// Whether `text` has the word, with nothing before and after it that could belong to a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

async fn strings(conn: &mut PgConnection, sql: &str, name: &str) -> Vec<String> {
    sqlx::query_scalar(sql)
        .bind(name)
        .fetch_all(conn)
        .await
        .unwrap()
}

/// Columns of read models that no statement fills, as `table.column`.
async fn forgotten(conn: &mut PgConnection) -> Vec<String> {
    let body = body(conn).await;
    let mut statements: Vec<String> = body.split(';').map(str::to_owned).collect();
    statements.extend(
        ReadModels::ALL
            .iter()
            .flat_map(|model| model.statements)
            .map(|sql| spaced(sql)),
    );
    let mut forgotten = vec![];
    for table in ReadModels::ALL.iter().flat_map(|model| model.tables) {
        let written: BTreeSet<&str> = statements
            .iter()
            .flat_map(|statement| written(statement, table))
            .collect();
        let columns = strings(
            conn,
            "SELECT column_name::text FROM information_schema.columns
              WHERE table_schema = 'docket_read' AND table_name = $1",
            table,
        )
        .await;
        assert!(!columns.is_empty(), "{table}");
        for column in columns {
            if !written.contains(&*column) {
                forgotten.push(format!("{table}.{column}"));
            }
        }
    }
    forgotten
}

/// The columns that a statement inserts into a table or sets in it.
fn written<'a>(statement: &'a str, table: &str) -> Vec<&'a str> {
    if let Some((_, aliased)) = statement.split_once(&format!("INSERT INTO {table} AS ")) {
        let (_, columns) = aliased.split_once(" (").unwrap();
        let (columns, _) = columns.split_once(')').unwrap();
        return columns.split(',').map(str::trim).collect();
    }
    if let Some((_, columns)) = statement.split_once(&format!("INSERT INTO {table} (")) {
        let (columns, _) = columns.split_once(')').unwrap();
        return columns.split(',').map(str::trim).collect();
    }
    let Some((_, changes)) = statement.split_once(&format!("UPDATE {table} ")) else {
        return vec![];
    };
    let (_, changes) = changes.split_once(" SET ").unwrap();
    let (changes, _) = changes.split_once(" FROM ").unwrap();
    changes
        .split(" = ")
        .filter_map(|before| before.rsplit([' ', ',']).next())
        .collect()
}

#[tokio::test]
async fn every_column_is_written() {
    let database = database().await;
    let mut conn = database.pool.acquire().await.unwrap();

    // Its value is always the same.
    assert_eq!(forgotten(&mut conn).await, ["installation.only_row"]);

    sqlx::query("ALTER TABLE thread_items ADD COLUMN mood text")
        .execute(&mut *conn)
        .await
        .unwrap();
    sqlx::query("ALTER TABLE users ADD COLUMN mood text")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(
        forgotten(&mut conn).await,
        ["installation.only_row", "users.mood", "thread_items.mood"]
    );
    drop(conn);
    database.close().await;
}

#[tokio::test]
async fn every_row_has_the_fields_of_its_type_and_every_field_is_written() {
    const FIELDS: &str =
        "SELECT a.attname::text FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid
         WHERE t.oid = $1::regtype AND NOT a.attisdropped ORDER BY a.attnum";
    let database = database().await;
    let mut conn = database.pool.acquire().await.unwrap();
    let body = body(&mut conn).await;
    let by_target = by_target(&body);

    let names: Vec<_> = Writes::TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(strings(&mut conn, FIELDS, "read_model_rows").await, names);
    assert_eq!(
        by_target.keys().copied().collect::<BTreeSet<_>>(),
        names.into_iter().collect()
    );
    for target in Writes::TARGETS {
        let fields = strings(&mut conn, FIELDS, target.type_name).await;
        assert_eq!(fields, target.fields, "{}", target.type_name);
        let statement = by_target[target.name];
        for field in target.fields {
            assert!(
                has_word(statement, &format!("r.{field}"))
                    || statement.contains(&format!("USING ({field})")),
                "the statement of {} does not use {field}",
                target.name
            );
        }
    }
    drop(conn);
    database.close().await;
}

#[tokio::test]
async fn every_seldom_statement_can_be_prepared() {
    let database = database().await;
    let mut conn = database.pool.acquire().await.unwrap();
    let statements: Vec<_> = ReadModels::ALL
        .iter()
        .flat_map(|model| model.statements)
        .collect();
    assert!(!statements.is_empty());
    for sql in statements {
        for statement in [
            &*format!("PREPARE seldom (jsonb, timestamptz) AS {sql}"),
            "EXECUTE seldom ('[]', now())",
            "DEALLOCATE seldom",
        ] {
            let done = sqlx::raw_sql(statement).execute(&mut *conn).await;
            assert!(done.is_ok(), "{sql}: {done:?}");
        }
    }
    drop(conn);
    database.close().await;
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

fn reference(number: u32) -> Reference {
    Reference::new(number).unwrap()
}

/// Events of a contact's, who has the same number as their cases.
struct Contact {
    number: u32,
    events: Vec<Recorded>,
    sequence: u64,
}

impl Contact {
    fn new(number: u32) -> Self {
        Self {
            number,
            events: vec![],
            sequence: 0,
        }
    }

    fn happens(&mut self, event: CaseEvent) {
        self.sequence += 1;
        self.events.push(Recorded {
            stream: StreamId::Case(reference(self.number)),
            sequence: self.sequence,
            event: event.into(),
            metadata: Metadata::of(Actor::System, Via::System),
            recorded_at: UNDATED,
        });
    }

    fn opens(&mut self) {
        self.happens(CaseEvent::CaseOpened(Opened {
            reference: reference(self.number),
            contact_id: ContactId(id(u128::from(self.number))),
            number: Personal(format!("447700900{:03}", self.number % 1_000)),
            survey_id: SurveyId(id(1)),
            line_id: LineId(id(1)),
            channel: Channel::Sms,
            title: "Appointment".into(),
            status: None,
            origin: Origin::Message,
            follows: None,
        }));
    }

    fn message_id(&self, nth: u128) -> MessageId {
        MessageId(id(u128::from(self.number) << 32 | nth))
    }

    fn says(&mut self, nth: u128, line: u128, time: DateTime<Utc>) {
        let message = InboundMessage {
            message_id: self.message_id(nth),
            line_id: LineId(id(line)),
            channel: Channel::Whatsapp,
            from: Personal(format!("447700900{:03}", self.number % 1_000)),
            content: Personal(Content::text("Good morning")),
            provider_id: format!("in-{}-{nth}", self.number),
            at: time,
            at_is_arrival: false,
            quotes: None,
            profile_name: Some(Personal(format!("Cleo {nth}"))),
        };
        let routed = Routed::new(Rule::First, vec![]);
        self.happens(CaseEvent::MessageReceived { message, routed });
    }

    fn is_answered(&mut self, nth: u128) {
        self.happens(CaseEvent::MessageQueued(OutboundMessage {
            message_id: self.message_id(nth),
            contact_id: ContactId(id(u128::from(self.number))),
            line_id: LineId(id(1)),
            channel: Channel::Sms,
            to: Personal(format!("447700900{:03}", self.number % 1_000)),
            text: "Hello".into(),
            sent_text: "Hello #101".into(),
            author: Author::User {
                user_id: UserId(id(7)),
                email: "agent@example.com".into(),
            },
            references: vec![reference(self.number)],
            template: None,
            media: None,
        }));
    }

    /// The call for that message begins.
    fn is_called(&mut self, nth: u128) {
        let message_id = self.message_id(nth);
        self.happens(CaseEvent::MessageSending {
            message_id,
            attempt: 1,
        });
    }

    /// Writes what happened as a rebuild does.
    async fn record(&mut self, conn: &mut PgConnection, recorded_at: DateTime<Utc>) {
        let mut models = ReadModels::default();
        for recorded in self.events.drain(..) {
            models.apply(&Recorded {
                recorded_at,
                ..recorded
            });
        }
        write_models(&mut models, conn).await;
    }

    fn writes(&mut self) -> Writes {
        let mut models = ReadModels::default();
        for recorded in self.events.drain(..) {
            models.apply(&recorded);
        }
        let mut writes = Writes::default();
        models.write(&mut writes);
        writes
    }
}

/// All rows of every table.
async fn rows(conn: &mut PgConnection) -> BTreeMap<&'static str, Vec<Value>> {
    let mut all = BTreeMap::new();
    for table in TABLES {
        let sql = format!("SELECT to_jsonb(t) FROM {table} t ORDER BY to_jsonb(t)::text");
        let rows = sqlx::query_scalar(&sql)
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        all.insert(table, rows);
    }
    all
}

/// A contact with a message in each state that the delivery has, and what changes every table after that.
fn begun(number: u32) -> Contact {
    let mut contact = Contact::new(number);
    contact.opens();
    contact.says(1, 1, at(-60));
    for nth in [2, 3, 4, 5] {
        contact.is_answered(nth);
    }
    contact
}

fn goes_on(contact: &mut Contact) {
    contact.says(10, 1, at(30));
    contact.says(11, 2, at(20));
    contact.is_answered(12);
    contact.is_called(2);
    let deferred = contact.message_id(4);
    contact.happens(CaseEvent::MessageDeferred {
        message_id: deferred,
        attempt: 1,
        not_before: at(600),
        reason: "too many requests".into(),
    });
    let sent = contact.message_id(5);
    contact.happens(CaseEvent::MessageSent {
        message_id: sent,
        attempt: 1,
        provider_id: Some(format!("out-{}", contact.number)),
    });
}

#[tokio::test]
async fn parts_that_were_not_accepted_leave_no_row() {
    let database = database().await;
    let mut conn = database.pool.acquire().await.unwrap();
    let mut contacts = [begun(101), begun(102)];
    for contact in &mut contacts {
        contact.writes().run(&mut conn, at(0)).await.unwrap();
        for nth in [4, 5] {
            contact.is_called(nth);
        }
        contact.writes().run(&mut conn, at(1)).await.unwrap();
    }
    // A contact of its own besides, since contacts and open cases only begin.
    let mut parts = vec![];
    for (contact, new) in contacts.iter_mut().zip([103, 104]) {
        goes_on(contact);
        let mut writes = contact.writes();
        let mut begins = begun(new);
        writes.append(begins.writes(), 0);
        parts.push(writes);
    }
    let mut batch = Writes::default();
    for (part, writes) in (1..).zip(&parts) {
        batch.append(writes.clone(), part);
    }

    let before = rows(&mut conn).await;
    let mut after = vec![];
    for accepted in [[false, false], [true, false], [false, true], [true, true]] {
        sqlx::raw_sql("BEGIN").execute(&mut *conn).await.unwrap();
        let batch = batch.clone();
        batch
            .run_parts(&mut conn, Some(&accepted), at(9))
            .await
            .unwrap();
        after.push(rows(&mut conn).await);
        sqlx::raw_sql("ROLLBACK").execute(&mut *conn).await.unwrap();
    }
    let mut alone = vec![];
    for part in parts {
        sqlx::raw_sql("BEGIN").execute(&mut *conn).await.unwrap();
        part.run(&mut conn, at(9)).await.unwrap();
        alone.push(rows(&mut conn).await);
        sqlx::raw_sql("ROLLBACK").execute(&mut *conn).await.unwrap();
    }

    assert_eq!(after[0], before, "none was accepted");
    assert_eq!(after[1], alone[0]);
    assert_eq!(after[2], alone[1]);
    for table in TABLES {
        let states = [&before, &after[1], &after[2], &after[3]];
        let different: BTreeSet<String> = states
            .iter()
            .map(|rows| serde_json::to_string(&rows[table]).unwrap())
            .collect();
        assert_eq!(different.len(), 4, "each part writes to {table}");
    }
    drop(conn);
    database.close().await;
}

#[tokio::test]
async fn the_last_inbound_message_is_the_same_whenever_its_time_of_recording_is_known() {
    let database = database().await;
    let mut conn = database.pool.acquire().await.unwrap();
    // Vonage's clock is ahead, so the time of recording decides which message was the last one.
    for (case, seconds, last_at, last_line) in [
        (101, 0, 0, 3),
        (102, 10, 10, 3),
        (103, 15, 15, 2),
        (104, 25, 25, 1),
        (105, 40, 30, 1),
    ] {
        for begins_before in [false, true] {
            let mut lines = vec![];
            for is_live in [true, false] {
                let mut contact = Contact::new(case);
                sqlx::raw_sql("BEGIN").execute(&mut *conn).await.unwrap();
                contact.opens();
                if begins_before {
                    contact.record(&mut conn, at(-9)).await;
                }
                contact.says(1, 1, at(30));
                contact.says(2, 2, at(20));
                contact.says(3, 3, at(10));
                if is_live {
                    let writes = contact.writes();
                    writes.run(&mut conn, at(seconds)).await.unwrap();
                } else {
                    contact.record(&mut conn, at(seconds)).await;
                }
                let row = cases::find(&mut *conn, reference(case)).await.unwrap();
                lines.push(row.unwrap().last_inbound);
                sqlx::raw_sql("ROLLBACK").execute(&mut *conn).await.unwrap();
            }
            let expected = Some((at(last_at), LineId(id(last_line))));
            assert_eq!(lines, [expected, expected], "recorded after {seconds} s");
        }
    }
    drop(conn);
    database.close().await;
}
