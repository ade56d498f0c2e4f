//! Rebuilding and checking read models on a real database: beside a running ledger, killed half-way, and from logs that are broken
//! or old.

#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use docket_domain::case::{Author, CaseCommand, News, OutboundMessage};
use docket_domain::channel::Channel;
use docket_domain::ids::{ContactId, MessageId, NoteId, Reference, UserId};
use docket_projections::connect::{self, connect_options};
use docket_projections::ledger::operation::{Answer, LedgerError, Operation};
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::log::reader::{self, ReadError};
use docket_projections::log::recorded::Actor;
use docket_projections::read::cases::{self, CaseFilter};
use docket_projections::read::{ReadModels, contacts, outbox, thread};
use docket_projections::rebuild::{self, Phase, RebuildError, Rebuilt};
use docket_projections::testing::conversation::{LINE, MoveAway, Order, Say, clock};
use docket_projections::testing::{TestDatabase, database, volume};
use docket_projections::{Connector, PgPool};
use sqlx::{Connection, PgConnection};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Longer than anything here takes that is not broken.
const BOUND: Duration = Duration::from_mins(1);
/// Several pages of events.
const LONG: i64 = 12_000;

struct Place {
    database: TestDatabase,
    connect: Connector,
}

impl Place {
    async fn new() -> Self {
        let database = database().await;
        let connect = connect_options(&database.url).unwrap();
        Self { database, connect }
    }

    /// A place with a log of that length, made by the database alone, and read models built from it.
    async fn with_log(length: i64) -> Self {
        let place = Self::new().await;
        let mut conn = place.connection().await;
        volume::fill(&mut conn, length).await;
        conn.close().await.unwrap();
        place.rebuild().await.unwrap();
        place
    }

    fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    async fn connection(&self) -> PgConnection {
        self.connect.connect().await.unwrap()
    }

    async fn ledger(&self) -> Ledger {
        Ledger::start(self.connect.clone(), LedgerOptions::new(clock))
            .await
            .unwrap()
    }

    async fn execute(&self, statement: &str) -> u64 {
        sqlx::raw_sql(statement)
            .execute(self.pool())
            .await
            .unwrap()
            .rows_affected()
    }

    async fn rebuild(&self) -> Result<Rebuilt, RebuildError> {
        rebuild::rebuild(&self.connect, ReadModels::ALL, clock(), |_| {}).await
    }

    /// What a check finds, in the words in which people get it.
    async fn check(&self) -> Vec<String> {
        let (events, differences) = rebuild::check(&self.connect, ReadModels::ALL, |_| {})
            .await
            .unwrap();
        assert_eq!(events, reader::head(self.pool()).await.unwrap());
        differences.iter().map(ToString::to_string).collect()
    }

    /// Changes the log, which the database refuses unless it is made to forget that.
    async fn tamper(&self, statement: &str) {
        self.execute("ALTER TABLE events DISABLE TRIGGER events_are_append_only")
            .await;
        assert_eq!(self.execute(statement).await, 1, "{statement}");
    }

    async fn close(self) {
        self.database.close().await;
    }
}

async fn does<O: Operation<Refusal: std::fmt::Debug>>(ledger: &Ledger, operation: O) -> O::Output {
    match ledger.submit(operation).await {
        Ok(Answer::Done(output) | Answer::Repeated(output)) => output,
        Ok(Answer::Duplicate) => panic!("a message was taken twice"),
        Err(error) => panic!("an operation failed: {error:?}"),
    }
}

fn agent() -> Actor {
    Actor::User {
        user_id: UserId(Uuid::from_u128(1)),
        email: "agent@example.com".into(),
    }
}

fn order(reference: Reference, commands: impl IntoIterator<Item = CaseCommand>) -> Order {
    Order {
        actor: agent(),
        commands: commands
            .into_iter()
            .map(|command| (reference, command))
            .collect(),
    }
}

fn answer(reference: Reference, nth: u128) -> (MessageId, CaseCommand) {
    let message_id = MessageId(Uuid::from_u128((0x0195_7a03_0000_7000_8000 << 48) | nth));
    let message = OutboundMessage {
        message_id,
        contact_id: ContactId(Uuid::from_u128(3)),
        line_id: LINE,
        channel: Channel::Sms,
        to: "447700900123".into(),
        text: "An invented answer".into(),
        sent_text: format!("An invented answer #{reference}").into(),
        author: Author::User {
            user_id: UserId(Uuid::from_u128(1)),
            email: "agent@example.com".into(),
        },
        references: vec![reference],
        template: None,
        media: None,
    };
    (
        message_id,
        CaseCommand::Reply {
            message,
            seen_version: None,
        },
    )
}

fn set_status(value: &str, closes: bool) -> CaseCommand {
    CaseCommand::SetStatus {
        question: "How far is it?".into(),
        value: value.into(),
        closes,
    }
}

/// A few cases in which something of everything happens.
async fn talk(ledger: &Ledger) -> Reference {
    let first = Say {
        name: Some("Invented Person".into()),
        ..Say::new("447700900123", "Hello", 1)
    };
    let message_id = first.message_id();
    let reference = does(ledger, first).await[0];
    does(
        ledger,
        Say {
            anew: true,
            ..Say::new("447700900123", "Something else", 2)
        },
    )
    .await;
    does(ledger, Say::new("447700900124", "Good morning", 3)).await;
    let (answered, reply) = answer(reference, 4);
    let note = CaseCommand::AddNote {
        note_id: NoteId(Uuid::from_u128(5)),
        author: Author::User {
            user_id: UserId(Uuid::from_u128(1)),
            email: "agent@example.com".into(),
        },
        text: "An invented note".into(),
    };
    does(ledger, order(reference, [reply, note])).await;
    let sending = CaseCommand::BeginSending {
        message_id: answered,
        attempt: 1,
    };
    does(ledger, order(reference, [sending])).await;
    does(
        ledger,
        MoveAway {
            from: reference,
            message_id,
        },
    )
    .await;
    does(ledger, order(reference, [set_status("Resolved", true)])).await;
    does(
        ledger,
        Say {
            follows: Some(reference),
            ..Say::new("447700900123", "Once more", 6)
        },
    )
    .await;
    reference
}

#[tokio::test]
async fn a_check_names_what_was_altered_what_is_missing_and_what_is_too_much() {
    let place = Place::new().await;
    let ledger = place.ledger().await;
    let reference = talk(&ledger).await;
    assert_eq!(place.check().await, Vec::<String>::new());

    place
        .execute(&format!(
            "UPDATE cases SET title = 'Altered', status = NULL WHERE reference = {reference}"
        ))
        .await;
    place
        .execute(&format!(
            "DELETE FROM thread_items WHERE reference = {reference} AND sequence = 2"
        ))
        .await;
    place.execute("INSERT INTO case_links (reference, sequence, kind, other) VALUES (998, 7, 'follows', 999)").await;
    assert_eq!(
        place.check().await,
        [
            format!("cases reference={reference}: differs in status, title"),
            "case_links reference=998 sequence=7 kind=follows other=999: is not in the log"
                .to_owned(),
            format!("thread_items reference={reference} sequence=2 part=0: is missing"),
        ]
    );

    let rebuilt = place.rebuild().await.unwrap();
    assert_eq!(rebuilt.events, reader::head(place.pool()).await.unwrap());
    assert_eq!(place.check().await, Vec::<String>::new());
    ledger.close().await;
    place.close().await;
}

#[tokio::test]
async fn one_altered_row_among_many_is_found() {
    let place = Place::with_log(LONG).await;
    assert_eq!(place.check().await, Vec::<String>::new());
    place
        .execute(
            "UPDATE thread_items SET said = said || '.' WHERE reference = 700 AND sequence = 7",
        )
        .await;
    assert_eq!(
        place.check().await,
        ["thread_items reference=700 sequence=7 part=0: differs in said"]
    );
    place.close().await;
}

#[tokio::test]
async fn at_most_five_differences_of_a_table_are_told() {
    let place = Place::with_log(500).await;
    place
        .execute("UPDATE cases SET version = version + 1")
        .await;
    let told = place.check().await;
    let expected: Vec<String> = (101..106)
        .map(|reference| format!("cases reference={reference}: differs in version"))
        .collect();
    assert_eq!(told, expected);
    place.close().await;
}

#[tokio::test]
async fn each_read_model_can_be_rebuilt_alone() {
    let place = Place::new().await;
    let ledger = place.ledger().await;
    talk(&ledger).await;
    for model in ReadModels::ALL {
        let tables = model.tables.join(", ");
        place.execute(&format!("TRUNCATE {tables}")).await;
        let alone = rebuild::models(&[model.name.to_owned()]).unwrap();
        assert_eq!(alone, [*model]);
        rebuild::rebuild(&place.connect, &alone, clock(), |_| {})
            .await
            .unwrap();
        let (_, differences) = rebuild::check(&place.connect, &alone, |_| {})
            .await
            .unwrap();
        assert_eq!(differences, [], "{}", model.name);
        assert_eq!(place.check().await, Vec::<String>::new(), "{}", model.name);
    }
    ledger.close().await;
    place.close().await;
}

#[test]
fn a_read_model_that_there_is_not_is_named_with_those_that_there_are() {
    let error = rebuild::models(&["cases".into(), "threads".into()])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("there is no read model threads; there are: surveys, lines, "),
        "{error}"
    );
    assert_eq!(rebuild::models(&[]).unwrap(), ReadModels::ALL);
}

/// What people and requests do meanwhile; every failure is the test's.
fn live(
    place: &Place,
    ledger: &Ledger,
    stop: &Arc<AtomicBool>,
    done: &Arc<AtomicU64>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for writer in 0..4_u128 {
        let (ledger, stop, done) = (ledger.clone(), Arc::clone(stop), Arc::clone(done));
        tasks.spawn(async move {
            let mut nth = (writer + 1) << 32;
            while !stop.load(Ordering::Relaxed) {
                nth += 1;
                let number = format!("4477009001{:02}", (nth + writer * 7) % 20);
                let cases = does(&ledger, Say::new(&number, &format!("Message {nth}"), nth)).await;
                let (message_id, reply) = answer(cases[0], nth);
                does(&ledger, order(cases[0], [reply])).await;
                let sending = CaseCommand::BeginSending {
                    message_id,
                    attempt: 1,
                };
                let sent = CaseCommand::RecordDelivery {
                    message_id,
                    attempt: 1,
                    news: News::Sent {
                        provider_id: Some(format!("sent-{nth}")),
                    },
                };
                does(&ledger, order(cases[0], [sending, sent])).await;
                if nth.is_multiple_of(3) {
                    let closing = ledger
                        .submit(order(cases[0], [set_status("Resolved", true)]))
                        .await;
                    assert!(
                        matches!(closing, Ok(_) | Err(LedgerError::Refused(_))),
                        "{closing:?}"
                    );
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    for _ in 0..2 {
        let (pool, stop) = (place.pool().clone(), Arc::clone(stop));
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                for case in cases::list(&pool, &CaseFilter::default(), None, 10)
                    .await
                    .unwrap()
                {
                    let items = thread::page(&pool, case.reference, None, 50).await.unwrap();
                    assert!(!items.is_empty(), "a case has a beginning at every moment");
                    assert!(
                        contacts::find(&pool, case.contact_id)
                            .await
                            .unwrap()
                            .is_some()
                    );
                }
                outbox::depth(&pool).await.unwrap();
                let q = CaseFilter {
                    q: Some("900".to_owned().into()),
                    ..CaseFilter::default()
                };
                cases::list(&pool, &q, None, 10).await.unwrap();
            }
        });
    }
    tasks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_swapped_under_load_without_a_lost_update() {
    let place = Place::new().await;
    let ledger = place.ledger().await;
    talk(&ledger).await;
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let mut load = live(&place, &ledger, &stop, &done);

    for _ in 0..4 {
        let before = reader::head(place.pool()).await.unwrap();
        let rebuilt = tokio::time::timeout(BOUND, place.rebuild())
            .await
            .unwrap()
            .unwrap();
        assert!(rebuilt.events >= before);
        // The ledger and the readers go on with the new tables, on the connections and prepared statements that they had.
        let enough = done.load(Ordering::Relaxed) + 8;
        tokio::time::timeout(BOUND, async {
            while done.load(Ordering::Relaxed) < enough && !load.is_empty() {
                tokio::task::yield_now().await;
                if let Some(ended) = load.try_join_next() {
                    ended.unwrap();
                }
            }
        })
        .await
        .unwrap();
        // A check beside the same load compares both at one moment.
        assert_eq!(
            rebuild::check(&place.connect, ReadModels::ALL, |_| {})
                .await
                .unwrap()
                .1,
            []
        );
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    assert_eq!(place.check().await, Vec::<String>::new());
    ledger.close().await;
    place.close().await;
}

#[tokio::test]
async fn prepared_statements_go_on_with_the_swapped_tables() {
    let place = Place::new().await;
    let options = LedgerOptions {
        writers: 1,
        ..LedgerOptions::new(clock)
    };
    let ledger = Ledger::start(place.connect.clone(), options).await.unwrap();
    let reference = talk(&ledger).await;
    let pool = connect::pool(place.connect.clone(), 1);
    let before = cases::find(&pool, reference).await.unwrap().unwrap();
    let thread_before = thread::page(&pool, reference, None, 100).await.unwrap();
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&pool)
        .await
        .unwrap();

    // A row that only the old table has, to tell the two apart.
    place.execute("INSERT INTO case_links (reference, sequence, kind, other) VALUES (101, 99, 'follows', 999)").await;
    assert!(
        cases::links(&pool, reference)
            .await
            .unwrap()
            .iter()
            .any(|link| link.other.get() == 999)
    );
    place.rebuild().await.unwrap();

    assert!(
        !cases::links(&pool, reference)
            .await
            .unwrap()
            .iter()
            .any(|link| link.other.get() == 999)
    );
    assert_eq!(
        cases::find(&pool, reference).await.unwrap().unwrap(),
        before
    );
    assert_eq!(
        thread::page(&pool, reference, None, 100).await.unwrap(),
        thread_before
    );
    let said = does(&ledger, Say::new("447700900124", "After the swap", 50)).await;
    assert_eq!(said.len(), 1);
    let version = cases::find(&pool, said[0]).await.unwrap().unwrap().version;
    assert_eq!(version, 3, "the message reached the new table");
    let same: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(same, backend, "on the same connection");
    assert_eq!(place.check().await, Vec::<String>::new());
    pool.close().await;
    ledger.close().await;
    place.close().await;
}

/// Names, columns, constraints, indexes, settings and grants of the live tables.
async fn structure(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT concat_ws(' ', 'column', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull)
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
          WHERE c.relnamespace = 'docket_read'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
         UNION ALL
         SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
          WHERE connamespace = 'docket_read'::regnamespace
         UNION ALL
         SELECT concat_ws(' ', 'index', indexname, indexdef) FROM pg_indexes WHERE schemaname = 'docket_read'
         UNION ALL
         SELECT concat_ws(' ', 'table', relname, relpersistence, reloptions::text,
                          (SELECT string_agg(grantee::text || privilege_type, ',' ORDER BY grantee, privilege_type)
                             FROM aclexplode(relacl) WHERE grantee <> relowner))
           FROM pg_class WHERE relnamespace = 'docket_read'::regnamespace AND relkind = 'r'
         ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn names_settings_and_grants_are_the_same_after_a_swap() {
    let place = Place::with_log(500).await;
    place
        .execute("GRANT SELECT ON cases TO PUBLIC; ALTER TABLE outbox SET (fillfactor = 70)")
        .await;
    let before = structure(place.pool()).await;
    for name in [
        "lines_number_channel",
        "users_email",
        "thread_items_words",
        "fillfactor=70",
        "0SELECT",
    ] {
        assert!(before.iter().any(|line| line.contains(name)), "{name}");
    }
    place.rebuild().await.unwrap();
    assert_eq!(structure(place.pool()).await, before);
    let left: Vec<String> =
        sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'docket%'")
            .fetch_all(place.pool())
            .await
            .unwrap();
    assert_eq!(
        left,
        ["docket_read"],
        "nothing is left beside the live tables"
    );
    place.close().await;
}

/// Everything that the live tables hold.
async fn contents(pool: &PgPool) -> BTreeMap<&'static str, Vec<String>> {
    let mut contents = BTreeMap::new();
    for table in ReadModels::ALL.iter().flat_map(|model| model.tables) {
        let statement = format!("SELECT t::text FROM docket_read.{table} t ORDER BY 1");
        let rows = sqlx::query_scalar(&statement);
        contents.insert(*table, rows.fetch_all(pool).await.unwrap());
    }
    contents
}

#[tokio::test]
async fn a_rebuild_that_is_given_up_half_way_changes_nothing_and_the_next_one_works() {
    let place = Place::with_log(LONG).await;
    let before = contents(place.pool()).await;
    let half_way = Notify::new();
    let rebuild = rebuild::rebuild(&place.connect, ReadModels::ALL, clock(), |progress| {
        if progress.phase == Phase::Events {
            half_way.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = half_way.notified() => {}
        result = rebuild => panic!("it ended before it was half-way: {result:?}"),
    }

    assert_eq!(contents(place.pool()).await, before);
    let ledger = place.ledger().await;
    place
        .execute("SELECT setval('case_references', 100000)")
        .await;
    does(&ledger, Say::new("447700900123", "Hello", 1)).await;
    next_works(&place).await;
    ledger.close().await;
    place.close().await;
}

/// The next rebuild works as soon as the database has noticed that the last one is gone.
async fn next_works(place: &Place) {
    let rebuilt = tokio::time::timeout(BOUND, async {
        loop {
            match place.rebuild().await {
                Err(RebuildError::UnderWay) => tokio::task::yield_now().await,
                result => return result.unwrap(),
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(rebuilt.events, reader::head(place.pool()).await.unwrap());
    assert_eq!(place.check().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_rebuild_whose_connection_breaks_is_an_error_and_the_next_one_works() {
    // Each connection in turn: the one that writes holds the advisory lock, the one that reads does not. The log is long enough
    // for the reader to be still at it, though it is ahead of the writer.
    for breaks_writer in [true, false] {
        let place = Place::new().await;
        let mut conn = place.connection().await;
        volume::fill(&mut conn, 4 * LONG).await;
        conn.close().await.unwrap();
        let before = contents(place.pool()).await;
        let half_way = Arc::new(Notify::new());
        let (told, pool) = (Arc::clone(&half_way), place.pool().clone());
        let breaker = tokio::spawn(async move {
            told.notified().await;
            // The rebuild's connections are younger than the pool's.
            let broken: i64 = sqlx::query_scalar(
                "SELECT count(pg_terminate_backend(a.pid))
                   FROM pg_stat_activity a, (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()) own
                  WHERE a.datname = current_database() AND a.application_name = 'docket'
                    AND a.backend_start > own.backend_start
                    AND $1 = EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory')",
            )
            .bind(breaks_writer)
            .fetch_one(&pool)
            .await
            .unwrap();
            assert!(broken > 0, "there was a connection to break");
        });
        let result = rebuild::rebuild(&place.connect, ReadModels::ALL, clock(), |progress| {
            if progress.phase == Phase::Events && progress.done < LONG {
                half_way.notify_one();
            }
        })
        .await;
        breaker.await.unwrap();
        assert!(result.is_err(), "{breaks_writer} {result:?}");
        assert_eq!(contents(place.pool()).await, before);
        next_works(&place).await;
        place.close().await;
    }
}

#[tokio::test]
async fn a_gap_in_the_log_is_an_error() {
    let place = Place::with_log(LONG).await;
    let before = contents(place.pool()).await;
    place
        .tamper("DELETE FROM events WHERE position = 7000")
        .await;
    let error = place.rebuild().await.unwrap_err();
    assert!(
        matches!(
            error,
            RebuildError::Gap {
                after: 6_999,
                found: Some(7_001)
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "the log breaks off: after position 6999 comes 7001, not 7000"
    );
    assert_eq!(contents(place.pool()).await, before);
    place.close().await;
}

#[tokio::test]
async fn a_log_that_ends_before_its_end_is_an_error() {
    for (last, after) in [(LONG, LONG - 1), (5_000, 4_999)] {
        let place = Place::with_log(last).await;
        place
            .tamper(&format!("DELETE FROM events WHERE position = {last}"))
            .await;
        let error = place.rebuild().await.unwrap_err();
        assert!(
            matches!(error, RebuildError::Gap { after: a, found: None } if a == after),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            format!("the log breaks off: after position {after} comes nothing, not {last}")
        );
        let error = rebuild::check(&place.connect, ReadModels::ALL, |_| {})
            .await
            .unwrap_err();
        assert!(matches!(error, RebuildError::Gap { .. }), "{error:?}");
        place.close().await;
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_an_error_that_names_it_and_not_what_it_holds() {
    let place = Place::with_log(LONG).await;
    let before = contents(place.pool()).await;
    place
        .tamper(
            "UPDATE events SET payload = jsonb_set(payload, '{NoteAdded,note_id}', '\"secret\"')
              WHERE aggregate_type = 'Case' AND aggregate_id = '700' AND sequence = 8",
        )
        .await;
    let error = place.rebuild().await.unwrap_err();
    assert!(
        matches!(error, RebuildError::Read(ReadError::Unreadable(_))),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "event NoteAdded version 1, number 8 of Case/700, cannot be read"
    );
    assert_eq!(contents(place.pool()).await, before);
    place.close().await;
}

#[tokio::test]
async fn there_is_one_rebuild_at_a_time_and_it_waits_for_long_queries() {
    let place = Place::with_log(500).await;
    let mut long = place.connection().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE cases IN ACCESS SHARE MODE")
        .execute(&mut long)
        .await
        .unwrap();
    let (connect, swapping) = (place.connect.clone(), Arc::new(Notify::new()));
    let told = Arc::clone(&swapping);
    let first = tokio::spawn(async move {
        rebuild::rebuild(&connect, ReadModels::ALL, clock(), |progress| {
            if progress.phase == Phase::Swapping {
                told.notify_one();
            }
        })
        .await
    });
    tokio::time::timeout(BOUND, swapping.notified())
        .await
        .unwrap();

    let second = place.rebuild().await.unwrap_err();
    assert!(matches!(second, RebuildError::UnderWay), "{second:?}");
    let check = rebuild::check(&place.connect, ReadModels::ALL, |_| {})
        .await
        .unwrap_err();
    assert!(matches!(check, RebuildError::UnderWay), "{check:?}");
    // It gives way to writers again and again while it cannot have the table.
    let ledger = place.ledger().await;
    place
        .execute("SELECT setval('case_references', 100000)")
        .await;
    tokio::time::timeout(BOUND, does(&ledger, Say::new("447700900123", "Hello", 1)))
        .await
        .unwrap();

    sqlx::raw_sql("ROLLBACK").execute(&mut long).await.unwrap();
    let rebuilt = tokio::time::timeout(BOUND, first)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(rebuilt.events, 502);
    assert_eq!(place.check().await, Vec::<String>::new());
    ledger.close().await;
    place.close().await;
}

#[tokio::test]
async fn a_view_of_somebody_refuses_the_swap_and_is_not_dropped() {
    let place = Place::with_log(100).await;
    place
        .execute("CREATE VIEW public.report AS SELECT count(*) FROM docket_read.cases")
        .await;
    let before = contents(place.pool()).await;
    let error = place.rebuild().await.unwrap_err();
    assert!(
        matches!(&error, RebuildError::InUse { things } if things == "view report"),
        "{error:?}"
    );
    assert_eq!(contents(place.pool()).await, before);
    let cases: i64 = sqlx::query_scalar("SELECT * FROM public.report")
        .fetch_one(place.pool())
        .await
        .unwrap();
    assert_eq!(cases, 10);
    assert_eq!(place.check().await, Vec::<String>::new());
    place.close().await;
}

#[tokio::test]
async fn progress_is_told_page_by_page_up_to_the_end() {
    let place = Place::with_log(LONG).await;
    let mut told = vec![];
    let rebuilt = rebuild::rebuild(&place.connect, ReadModels::ALL, clock(), |progress| {
        told.push(progress);
    })
    .await
    .unwrap();
    assert_eq!(rebuilt.events, LONG);
    let events: Vec<i64> = told
        .iter()
        .filter(|p| p.phase == Phase::Events)
        .map(|p| p.done)
        .collect();
    assert_eq!(events, [2_500, 5_000, 7_500, 10_000, LONG]);
    assert!(
        told.iter()
            .all(|progress| progress.of == LONG || progress.done == LONG),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|progress| progress.phase == Phase::Swapping)
    );
    place.close().await;
}

#[tokio::test]
async fn what_is_out_of_date_is_known_and_is_brought_up_to_date() {
    let place = Place::new().await;
    let mut conn = place.connection().await;
    assert_eq!(
        rebuild::outdated(&mut conn).await.unwrap(),
        ReadModels::ALL,
        "nothing was ever built"
    );
    rebuild::note_versions_of_empty_log(&mut conn, clock())
        .await
        .unwrap();
    assert_eq!(rebuild::outdated(&mut conn).await.unwrap(), []);

    let ledger = place.ledger().await;
    talk(&ledger).await;
    place
        .execute("UPDATE projection_versions SET version = 0 WHERE name = 'thread'")
        .await;
    rebuild::note_versions_of_empty_log(&mut conn, clock())
        .await
        .unwrap();
    let outdated = rebuild::outdated(&mut conn).await.unwrap();
    assert_eq!(
        outdated.iter().map(|model| model.name).collect::<Vec<_>>(),
        ["thread"]
    );

    rebuild::rebuild(&place.connect, &outdated, clock(), |_| {})
        .await
        .unwrap();
    assert_eq!(rebuild::outdated(&mut conn).await.unwrap(), []);
    conn.close().await.unwrap();
    ledger.close().await;
    place.close().await;
}

#[tokio::test]
async fn an_empty_log_is_rebuilt_and_checked() {
    let place = Place::new().await;
    assert_eq!(place.rebuild().await.unwrap().events, 0);
    assert_eq!(place.check().await, Vec::<String>::new());
    place.close().await;
}
