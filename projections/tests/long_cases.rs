//! A case of thousands of messages is read as quickly as one of ten: of its thread nothing is read but what a page shows.

#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use docket_domain::ids::{Reference, UserId};
use docket_projections::connect::connect_options;
use docket_projections::history::{self, At};
use docket_projections::read::ReadModels;
use docket_projections::read::cases::desk;
use docket_projections::read::thread::page;
use docket_projections::rebuild;
use docket_projections::testing::conversation::clock;
use docket_projections::testing::{TestDatabase, database, volume};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// How many messages the case has.
const MESSAGES: i64 = 5_000;
/// At most so many rows of a table are read for a page.
const FEW: i64 = 300;

async fn long_case() -> (TestDatabase, Reference) {
    let database = database().await;
    let connect = connect_options(&database.url).unwrap();
    let mut conn = database.pool.acquire().await.unwrap();
    volume::fill_with_messages(&mut conn, 2, MESSAGES).await;
    rebuild::rebuild(&connect, ReadModels::ALL, clock(), |_| {})
        .await
        .unwrap();
    sqlx::query("VACUUM ANALYZE")
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    (database, Reference::new(101).unwrap())
}

/// How many rows of the tables that grow with a case this transaction has read.
async fn rows_read(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::bigint FROM pg_stat_xact_user_tables
          WHERE relname IN ('thread_items', 'events')",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_page_reads_what_it_shows() {
    let (database, reference) = long_case().await;
    let mut tx = database.pool.begin().await.unwrap();
    desk::about(&mut *tx, reference, UserId(Uuid::nil()), clock())
        .await
        .unwrap()
        .unwrap();
    for before in [None, Some(2_500), Some(40)] {
        let part = page::before(&mut *tx, reference, before, 50).await.unwrap();
        assert!(part.items.len() > 30);
    }
    let changes = page::changes(&mut tx, reference, 4_990, 200).await.unwrap();
    assert_eq!(changes.touched.len(), 11);
    let read = rows_read(&mut tx).await;
    assert!((1..=FEW).contains(&read), "{read} rows");
    tx.rollback().await.unwrap();
    database.close().await;
}

/// So much longer may the middle of a long thread take than the end of it, at its time and by position; and than the thread of today.
const SLOWER: u32 = 6;

async fn time_of<T>(what: impl AsyncFn() -> T) -> std::time::Duration {
    let mut times = vec![];
    for _ in 0..15 {
        let began = std::time::Instant::now();
        what().await;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times[7]
}

#[tokio::test]
async fn a_page_of_the_past_takes_no_replay() {
    let (database, reference) = long_case().await;
    let pool: &PgPool = &database.pool;
    let of_today = time_of(async || {
        page::before(pool, reference, Some(2_500), 50)
            .await
            .unwrap()
    });
    let of_today = of_today.await;
    let found = history::find(pool, reference, At::Sequence(2_500))
        .await
        .unwrap();
    let then = time_of(async || history::thread_before(pool, found, None, 50).await.unwrap()).await;
    assert!(
        then < of_today * SLOWER,
        "a page of the past takes {then:?}, one of today {of_today:?}"
    );
    let part = history::thread_before(pool, found, None, 50).await.unwrap();
    let today = page::before(pool, reference, Some(2_501), 50)
        .await
        .unwrap();
    assert_eq!(part, today, "nothing has become of messages that came in");
    let was = history::case(pool, found).await.unwrap();
    assert_eq!((was.row.message_count, was.row.version), (2_499, 2_500));
    database.close().await;
}
