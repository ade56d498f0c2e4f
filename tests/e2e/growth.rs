//! What a message costs when the tables have grown.

use docket_projections::PgPool;
use docket_tests::waiting::{BOUND, expect_that, wait_until};

use crate::help_desk::{HelpDesk, customer};

/// Rows that other people's messages leave in each table.
const OTHERS: i32 = 5_000;
/// Rows that may be read for one message, through indexes and otherwise: some of each table, and far from all of any.
const MAX_ROWS_READ: i64 = 200;

/// The tables that a message is looked up in or written to, and what tells the rows of other people apart.
const TABLES: [(&str, &str); 8] = [
    (
        "contact_ids",
        "'contact_id', gen_random_uuid(), 'number', '1202555' || n",
    ),
    (
        "contacts",
        "'contact_id', gen_random_uuid(), 'number', '1202555' || n",
    ),
    (
        "open_cases",
        "'contact_id', gen_random_uuid(), 'reference', 100000 + n",
    ),
    (
        "cases",
        "'contact_id', gen_random_uuid(), 'reference', 100000 + n",
    ),
    (
        "thread_items",
        "'message_id', gen_random_uuid(), 'reference', 100000 + n",
    ),
    (
        "messages",
        "'message_id', gen_random_uuid(), 'provider_id', 'other-' || n",
    ),
    (
        "sent_ids",
        "'message_id', gen_random_uuid(), 'provider_id', 'sent-' || n",
    ),
    ("webhook_receipts", "'key', 'other-' || n"),
];

/// Rows read so far, and events appended so far, as the server has counted them.
async fn counted(pool: &PgPool) -> (i64, i64) {
    sqlx::query_as(
        "SELECT sum(seq_tup_read + COALESCE(idx_tup_fetch, 0))::bigint, sum(n_tup_ins) FILTER (WHERE relname = 'events')::bigint
           FROM pg_stat_user_tables",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_message_reads_few_rows_although_the_service_began_on_empty_tables() {
    let desk = HelpDesk::open().await;
    let pool = &desk.installation.pool;
    let reference = desk.first_case(&customer(1), "Hello").await;
    desk.text(&customer(1), "Is anybody there?").await;
    let reply = desk.owner.reply(reference, "We are.").await;
    desk.owner.arrival(reference, &reply).await;
    for (table, others) in TABLES {
        let statement = format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(t) || jsonb_build_object({others}))).*
               FROM (SELECT * FROM {table} LIMIT 1) t, generate_series(1, {OTHERS}) n"
        );
        sqlx::query(&statement).execute(pool).await.unwrap();
    }
    // A server counts when a transaction ends, and not more often than once in a second: so messages come until it has.
    let counted_after = async |appended: i64| {
        wait_until("the server counts", BOUND, async || {
            desk.text(&customer(1), "One more").await;
            let now = counted(pool).await;
            expect_that(now.1 > appended, || "nothing".to_owned()).map(|()| now)
        })
        .await
    };
    let (_, appended) = counted(pool).await;
    let (read_before, appended) = counted_after(appended).await;

    let (read, now_appended) = counted_after(appended).await;

    let (read, messages) = (read - read_before, now_appended - appended);
    assert!(
        read <= messages * MAX_ROWS_READ,
        "{read} rows were read for {messages} messages"
    );
    assert_eq!(desk.owner.only_case(&customer(1)).await, reference);
    desk.close().await;
}
