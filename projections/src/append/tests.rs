//! Each branch of the function `append`, called as the ledger calls it.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use std::sync::atomic::{AtomicU64, Ordering};

use docket_domain::case::{CaseEvent, Opened, Origin};
use docket_domain::channel::Channel;
use docket_domain::ids::{ContactId, LineId, Reference, SurveyId};
use sqlx::PgConnection;

use super::*;
use crate::log::reader;
use crate::log::recorded::{Actor, Metadata, UNDATED, Via};
use crate::read::ReadModels;
use crate::testing::{TestDatabase, database};

const SURVEY: Uuid = Uuid::from_u128(0x50);

/// An id for each call of a test.
fn call_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(NEXT.fetch_add(1, Ordering::Relaxed).into())
}

fn time(second: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + i64::from(second), 0).unwrap()
}

/// A database in which calls are made, one after the other.
struct Place {
    database: TestDatabase,
    conn: PgConnection,
    models: String,
}

impl Place {
    async fn open() -> Self {
        use sqlx::Connection as _;
        let database = database().await;
        let mut conn = PgConnection::connect(&database.url).await.unwrap();
        sqlx::query("SET search_path = docket_read, public")
            .execute(&mut conn)
            .await
            .unwrap();
        crate::rebuild::note_versions_of_empty_log(&mut conn, time(0))
            .await
            .unwrap();
        let models = sqlx::query_scalar(
            "SELECT string_agg(name || '=' || version, ' ' ORDER BY name) FROM projection_versions",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        Self {
            database,
            conn,
            models,
        }
    }

    fn call(&self, parts: i32) -> Call {
        Call::new(Basis {
            call_id: call_id(),
            previous_call_id: None,
            parts,
            clock: time(1),
            models: self.models.clone(),
            settings_position: 0,
            changes_settings: false,
            known_position: 0,
        })
    }

    /// Appends, and sees that the time told is that of the newest event; what became of the call without it.
    async fn append(&mut self, call: &Call) -> Appended {
        let mut appended = append(&mut self.conn, call).await.unwrap();
        if let Appended::Done {
            position,
            recorded_at,
            ..
        } = &mut appended
        {
            let last = reader::page(&mut self.conn, *position - 1, 1)
                .await
                .unwrap();
            assert_eq!(*recorded_at, last.first().map(|event| event.recorded_at));
            *recorded_at = None;
        }
        appended
    }

    /// What the log holds: sequences by case, with the times.
    async fn log(&mut self) -> Vec<(i64, String, i64, DateTime<Utc>)> {
        let events = reader::page(&mut self.conn, 0, 100).await.unwrap();
        events
            .into_iter()
            .map(|event| {
                (
                    event.position,
                    event.aggregate_id,
                    event.sequence,
                    event.recorded_at,
                )
            })
            .collect()
    }

    async fn count(&mut self, table: &str) -> i64 {
        sqlx::query_scalar(&format!("SELECT count(*) FROM {table}"))
            .fetch_one(&mut self.conn)
            .await
            .unwrap()
    }

    async fn close(self) {
        drop(self.conn);
        self.database.close().await;
    }
}

/// A new contact of that number writes for the first time: a case of that reference begins.
fn begin_case(call: &mut Call, part: i32, number: u32, reference: u32) {
    let contact_id = ContactId(Uuid::from_u128(number.into()));
    let reference = Reference::new(reference).unwrap();
    let number = format!("4477009{number:05}");
    call.contacts.push(ContactRow {
        part,
        contact_id: contact_id.0,
        survey_id: SURVEY,
        number: number.clone(),
        version: 0,
        is_new: true,
        changes: true,
        last_wrote_at: Some(time(0)),
        last_line_id: Some(Uuid::nil()),
    });
    let recorded = Recorded {
        stream: StreamId::Case(reference),
        sequence: 1,
        event: CaseEvent::CaseOpened(Opened {
            reference,
            contact_id,
            number: number.into(),
            survey_id: SurveyId(SURVEY),
            line_id: LineId(Uuid::nil()),
            channel: Channel::Sms,
            title: "An invented case".into(),
            status: None,
            origin: Origin::Message,
            follows: None,
        })
        .into(),
        metadata: Metadata::of(Actor::Vonage, Via::Webhook),
        recorded_at: UNDATED,
    };
    let mut models = ReadModels::default();
    models.apply(&recorded);
    let mut writes = Writes::default();
    models.write(&mut writes);
    call.add_event(part, &recorded).unwrap();
    call.add_writes(part, writes);
}

fn done(position: i64, accepted: &[bool], taken: &[usize]) -> Appended {
    Appended::Done {
        position,
        recorded_at: None,
        accepted: accepted.to_vec(),
        taken: taken.to_vec(),
    }
}

#[tokio::test]
async fn events_stand_one_behind_the_other_and_times_never_run_backwards() {
    let mut place = Place::open().await;
    let mut call = place.call(2);
    begin_case(&mut call, 1, 1, 101);
    begin_case(&mut call, 2, 2, 102);
    call.basis.clock = time(9);
    assert_eq!(place.append(&call).await, done(2, &[true, true], &[]));
    // Another process's clock is behind, and somebody was told how things were at a time ahead of it.
    assert_eq!(
        seal(&place.database.pool, time(9), time(9)).await.unwrap(),
        None
    );
    let mut call = place.call(1);
    begin_case(&mut call, 1, 3, 103);
    assert_eq!(place.append(&call).await, done(3, &[true], &[]));
    let after_the_seal = time(9) + chrono::TimeDelta::microseconds(1);
    assert_eq!(
        place.log().await,
        [
            (1, "101".to_owned(), 1, time(9)),
            (2, "102".to_owned(), 1, time(9)),
            (3, "103".to_owned(), 1, after_the_seal),
        ]
    );
    let opened: DateTime<Utc> =
        sqlx::query_scalar("SELECT opened_at FROM cases WHERE reference = 103")
            .fetch_one(&mut place.conn)
            .await
            .unwrap();
    assert_eq!(opened, after_the_seal, "rows get the time of their events");
    place.close().await;
}

#[tokio::test]
async fn a_part_that_rests_on_what_is_no_longer_so_is_left_out_and_its_neighbours_are_not() {
    let mut place = Place::open().await;
    let mut call = place.call(1);
    begin_case(&mut call, 1, 1, 101);
    assert_eq!(place.append(&call).await, done(1, &[true], &[]));
    // Part 1: a contact that was known by then. Part 3: a version that was passed. Part 4: a stream that went on.
    let mut call = place.call(4);
    begin_case(&mut call, 1, 1, 104);
    begin_case(&mut call, 2, 2, 102);
    begin_case(&mut call, 3, 3, 103);
    let passed = call.contacts.last_mut().unwrap();
    (passed.contact_id, passed.version, passed.is_new) = (Uuid::from_u128(1), 7, false);
    begin_case(&mut call, 4, 4, 105);
    call.add_stream(4, StreamId::Case(Reference::new(101).unwrap()), 0);
    let accepted = [false, true, false, false];
    assert_eq!(place.append(&call).await, done(2, &accepted, &[]));
    assert_eq!(place.log().await[1].1, "102");
    for table in [
        "cases",
        "contacts",
        "open_cases",
        "thread_items",
        "contact_ids",
    ] {
        assert_eq!(place.count(table).await, 2, "{table}");
    }
    place.close().await;
}

#[tokio::test]
async fn receipts_and_keys_are_taken_once() {
    let mut place = Place::open().await;
    let key = (Uuid::nil(), "a key");
    let mut call = place.call(1);
    begin_case(&mut call, 1, 1, 101);
    call.add_receipt(1, "inbound", "one", true);
    call.add_key(1, key, b"asked", "{}".to_owned());
    assert_eq!(place.append(&call).await, done(1, &[true], &[]));
    let mut call = place.call(4);
    for (part, reference) in [(1, 102), (2, 103), (3, 104), (4, 105)] {
        begin_case(&mut call, part, reference, reference);
    }
    call.add_receipt(1, "inbound", "two", true);
    call.add_receipt(2, "inbound", "one", true);
    // This one is given whether it was given before or not.
    call.add_receipt(3, "inbound", "one", false);
    call.add_key(4, key, b"asked", "{}".to_owned());
    let accepted = [true, false, true, false];
    assert_eq!(place.append(&call).await, done(3, &accepted, &[1]));
    assert_eq!(place.count("webhook_receipts").await, 2);
    assert_eq!(place.count("idempotency_keys").await, 1);
    place.close().await;
}

#[tokio::test]
async fn nothing_is_written_on_old_settings_other_read_models_or_another_log() {
    let mut place = Place::open().await;
    let mut call = place.call(1);
    begin_case(&mut call, 1, 1, 101);
    call.basis.settings_position = 5;
    assert_eq!(place.append(&call).await, Appended::OldSettings);
    call.basis.settings_position = 0;
    call.basis.models = "cases=0".to_owned();
    assert_eq!(place.append(&call).await, Appended::OtherModels);
    call.basis.known_position = 1;
    assert_eq!(place.append(&call).await, Appended::AnotherLog);
    call.basis.known_position = 0;
    assert_eq!(place.log().await, []);
    call.basis.models.clone_from(&place.models);
    call.basis.changes_settings = true;
    assert_eq!(place.append(&call).await, done(1, &[true], &[]));
    let position: i64 = sqlx::query_scalar("SELECT settings_position FROM log_state")
        .fetch_one(&mut place.conn)
        .await
        .unwrap();
    assert_eq!(position, 1);
    place.close().await;
}

#[tokio::test]
async fn a_call_that_is_sent_again_is_done_once() {
    let mut place = Place::open().await;
    let mut call = place.call(2);
    begin_case(&mut call, 1, 1, 101);
    begin_case(&mut call, 2, 2, 102);
    call.contacts[1].is_new = false;
    let first = place.append(&call).await;
    assert_eq!(first, done(1, &[true, false], &[]));
    assert_eq!(place.append(&call).await, first);
    assert_eq!(place.log().await.len(), 1);
    // The writer has got its answer: its next call takes the place of this one.
    let mut next = place.call(1);
    begin_case(&mut next, 1, 3, 103);
    next.basis.previous_call_id = Some(call.basis.call_id);
    assert_eq!(place.append(&next).await, done(2, &[true], &[]));
    assert_eq!(place.count("append_calls").await, 1);
    assert_eq!(last_position(&mut place.conn).await.unwrap(), 2);
    place.close().await;
}
