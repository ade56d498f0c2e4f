//! Searching the log: what is found is what a look at every event finds, page by page, without a gap and nothing twice.

#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use chrono::{DateTime, NaiveDate, Utc};
use docket_domain::event::StreamId;
use docket_domain::ids::{Reference, UserId};
use docket_domain::people::views::CaseViewsEvent;
use docket_projections::PgPool;
use docket_projections::connect::connect_options;
use docket_projections::log::reader;
use docket_projections::log::search::{About, By, Next, Search, page};
use docket_projections::rebuild;
use docket_projections::testing::{TestDatabase, database, volume};
use uuid::Uuid;

async fn with_log(length: i64) -> TestDatabase {
    let database = database().await;
    let connect = connect_options(&database.url).unwrap();
    let mut conn = connect.connect().await.unwrap();
    volume::fill(&mut conn, length).await;
    database
}

/// Positions in the order of all pages, and how often it was to be searched on.
async fn all(pool: &PgPool, search: &Search, limit: i64) -> (Vec<i64>, usize) {
    let mut search = search.clone();
    let (mut positions, mut further) = (vec![], 0);
    loop {
        let found = page(pool, &search, limit).await.unwrap();
        positions.extend(found.events.iter().map(|event| event.position));
        match found.next {
            Next::End => return (positions, further),
            Next::More(before) => {
                assert_eq!(i64::try_from(found.events.len()), Ok(limit));
                search.before = Some(before);
            }
            Next::Further(before) => {
                further += 1;
                search.before = Some(before);
            }
        }
    }
}

/// What a look at every event finds.
async fn brute(pool: &PgPool, condition: &str) -> Vec<i64> {
    let statement = format!("SELECT position FROM events WHERE {condition} ORDER BY position DESC");
    sqlx::query_scalar(&statement)
        .fetch_all(pool)
        .await
        .unwrap()
}

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

#[tokio::test]
async fn pages_have_no_gap_and_nothing_twice() {
    let database = with_log(60_000).await;
    let pool = &database.pool;
    let (found, _) = all(pool, &Search::default(), 9_000).await;
    assert_eq!(found, (1..=60_000).rev().collect::<Vec<_>>());

    let notes = Search {
        aggregates: vec!["Case"],
        types: vec!["NoteAdded"],
        by: Some(By::Email("agent@example.com".to_owned())),
        since: Some(at("2026-01-01T06:00:00Z")),
        until: Some(at("2026-01-01T12:30:00Z")),
        ..Search::default()
    };
    let (found, _) = all(pool, &notes, 70).await;
    let expected = brute(
        pool,
        "event_type = 'NoteAdded' AND recorded_at >= '2026-01-01 06:00Z' AND recorded_at < '2026-01-01 12:30Z'",
    )
    .await;
    assert!(expected.len() > 500);
    assert_eq!(found, expected);

    let of_vonage = Search {
        by: Some(By::Kind("vonage")),
        before: Some(30_000),
        ..Search::default()
    };
    let (found, _) = all(pool, &of_vonage, 1_000).await;
    let expected = brute(pool, "metadata ->> 'actor' = 'vonage' AND position < 30000").await;
    assert_eq!(found, expected);
    for nothing in [
        Search {
            by: Some(By::Email("nobody@example.com".to_owned())),
            ..Search::default()
        },
        Search {
            since: Some(at("2030-01-01T00:00:00Z")),
            ..Search::default()
        },
        Search {
            until: Some(at("2020-01-01T00:00:00Z")),
            ..Search::default()
        },
        Search {
            before: Some(1),
            ..Search::default()
        },
    ] {
        assert_eq!(all(pool, &nothing, 50).await.0, Vec::<i64>::new());
    }
    database.close().await;
}

#[tokio::test]
async fn it_is_looked_through_so_far_at_once_and_what_is_beside_cases_is_found_at_once() {
    let database = with_log(410_000).await;
    let pool = &database.pool;
    let nobody = Search {
        by: Some(By::Email("nobody@example.com".to_owned())),
        ..Search::default()
    };
    let first = page(pool, &nobody, 50).await.unwrap();
    assert_eq!(first.next, Next::Further(210_001));
    assert_eq!(all(pool, &nobody, 50).await, (vec![], 2));

    // The first two events of all, found without looking at any of a case.
    let settings = Search {
        aggregates: vec!["Survey", "Line"],
        ..Search::default()
    };
    assert_eq!(all(pool, &settings, 50).await, (vec![2, 1], 0));
    let plan: Vec<String> = sqlx::query_scalar(
        "EXPLAIN SELECT * FROM events WHERE aggregate_type <> 'Case' AND position > 0 AND position <= 410000
          ORDER BY position DESC LIMIT 200000",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(plan.join("\n").contains("events_beside_cases"), "{plan:#?}");
    database.close().await;
}

#[tokio::test]
async fn what_is_about_a_case_or_a_number_is_found() {
    let database = with_log(2_000).await;
    let pool = &database.pool;
    let connect = connect_options(&database.url).unwrap();
    let models = rebuild::models(&[]).unwrap();
    rebuild::rebuild(&connect, &models, DateTime::UNIX_EPOCH, |_| {})
        .await
        .unwrap();
    // Somebody looked at the case on the day it began and a day later.
    let reference = Reference::new(150).unwrap();
    let mut conn = connect.connect().await.unwrap();
    for (nth, day) in [(1, "2026-01-01"), (2, "2026-01-02")] {
        let day: NaiveDate = day.parse().unwrap();
        let event = CaseViewsEvent::CaseViewed {
            reference,
            user_id: UserId(Uuid::nil()),
            token_id: None,
            at: day.and_hms_opt(12, 0, 0).unwrap().and_utc(),
        };
        let stream = StreamId::Views(reference, day);
        sqlx::query(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
             SELECT $1, $2, 1, 'CaseViewed', '1', $3, '{\"actor\": \"user\", \"email\": \"auditor@example.com\"}',
                    '2026-01-01 13:00Z'::timestamptz + $4 * interval '1 day'",
        )
        .bind(stream.aggregate_type())
        .bind(stream.aggregate_id())
        .bind(serde_json::to_value(&event).unwrap())
        .bind(f64::from(nth - 1))
        .execute(&mut conn)
        .await
        .unwrap();
    }
    let about = |about| Search {
        about: Some(about),
        ..Search::default()
    };
    let case = about(About::Case(reference));
    let expected = brute(
        pool,
        "(aggregate_type = 'Case' AND aggregate_id = '150') OR aggregate_id LIKE '150-%'",
    )
    .await;
    assert_eq!(expected.len(), 12);
    assert_eq!(all(pool, &case, 5).await, (expected.clone(), 0));
    let looks = Search {
        aggregates: vec!["CaseViews"],
        ..case.clone()
    };
    assert_eq!(all(pool, &looks, 5).await.0, expected[..2]);
    let none = about(About::Case(Reference::new(9_999).unwrap()));
    assert_eq!(all(pool, &none, 5).await.0, Vec::<i64>::new());

    let row = reader::stream(pool, StreamId::Case(reference), 0, 1)
        .await
        .unwrap();
    let opened: serde_json::Value = serde_json::from_str(row[0].data().get()).unwrap();
    let number = opened["number"].as_str().unwrap();
    let expected = brute(
        pool,
        &format!(
            "aggregate_type IN ('Case', 'CaseViews')
             AND split_part(aggregate_id, '-', 1) IN (SELECT reference::text FROM docket_read.cases WHERE number = '{number}')"
        ),
    )
    .await;
    assert!(expected.len() >= 22, "two cases, and two looks at one");
    let of_number = about(About::Number(number.to_owned()));
    assert_eq!(all(pool, &of_number, 7).await.0, expected);
    let looks = Search {
        aggregates: vec!["CaseViews"],
        ..of_number
    };
    assert_eq!(all(pool, &looks, 1).await.0, expected[..2]);
    database.close().await;
}

#[tokio::test]
async fn times_that_run_backwards_along_the_log_hide_nothing() {
    let database = with_log(20_000).await;
    let pool = &database.pool;
    let connect = connect_options(&database.url).unwrap();
    let mut conn = connect.connect().await.unwrap();
    // Transactions that waited, or processes whose clocks are behind: the last event of all before them is of 05:33:19.
    for (nth, time) in [
        "2026-01-01 04:45:00Z",
        "2026-01-01 05:34:00Z",
        "2026-01-01 04:40:00Z",
        "2026-01-01 05:35:00Z",
    ]
    .into_iter()
    .enumerate()
    {
        sqlx::query(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
             SELECT 'Case', '101', 1000 + $1, 'NoteAdded', '1', '{}', '{\"actor\": \"system\"}', $2::timestamptz",
        )
        .bind(i64::try_from(nth).unwrap())
        .bind(at(&time.replace(' ', "T")))
        .execute(&mut conn)
        .await
        .unwrap();
    }
    let mut found_late = 0;
    for (since, until) in [
        ("2026-01-01T04:44:00Z", "2026-01-01T04:46:00Z"),
        ("2026-01-01T04:40:00Z", "2026-01-01T04:40:01Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T04:50:00Z"),
        ("2026-01-01T05:33:00Z", "2026-01-01T05:34:30Z"),
        ("2026-01-01T05:34:00Z", "2026-01-01T06:00:00Z"),
        ("2026-01-01T04:41:00Z", "2026-01-01T06:00:00Z"),
    ] {
        for by in [None, Some(By::Kind("system"))] {
            let search = Search {
                since: Some(at(since)),
                until: Some(at(until)),
                by: by.clone(),
                ..Search::default()
            };
            let by = by.map_or("true", |_| "metadata ->> 'actor' = 'system'");
            let expected = brute(
                pool,
                &format!("recorded_at >= '{since}' AND recorded_at < '{until}' AND {by}"),
            )
            .await;
            found_late += expected
                .iter()
                .filter(|position| **position > 20_000)
                .count();
            assert_eq!(
                all(pool, &search, 1_000).await.0,
                expected,
                "{since} {until}"
            );
        }
    }
    assert!(found_late > 10, "{found_late}");
    database.close().await;
}

#[tokio::test]
async fn a_number_with_very_many_cases_is_found_in_all_of_them() {
    let database = with_log(3_000).await;
    let pool = &database.pool;
    let connect = connect_options(&database.url).unwrap();
    let models = rebuild::models(&[]).unwrap();
    rebuild::rebuild(&connect, &models, DateTime::UNIX_EPOCH, |_| {})
        .await
        .unwrap();
    // Every second case is one person's, and so are 600 newer ones.
    for statement in [
        "INSERT INTO contacts SELECT (jsonb_populate_record(k, jsonb_build_object(
             'contact_id', '01957a00-0000-7000-8000-0000000000ff', 'number', '12025550100'))).* FROM contacts k LIMIT 1",
        "UPDATE contact_cases SET contact_id = '01957a00-0000-7000-8000-0000000000ff' WHERE reference % 2 = 0",
        "INSERT INTO cases SELECT (jsonb_populate_record(c, jsonb_build_object('reference', 10000 + n))).*
           FROM cases c, generate_series(1, 600) n WHERE c.reference = 150",
        "INSERT INTO contact_cases SELECT '01957a00-0000-7000-8000-0000000000ff', 10000 + n FROM generate_series(1, 600) n",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    let of_number = Search {
        about: Some(About::Number("12025550100".to_owned())),
        ..Search::default()
    };
    let mine = "aggregate_type = 'Case' AND aggregate_id::integer % 2 = 0";
    let expected = brute(pool, mine).await;
    assert!(expected.len() > 1_000);
    assert_eq!(all(pool, &of_number, 70).await.0, expected);
    let notes = Search {
        types: vec!["NoteAdded"],
        until: Some(at("2026-01-01T00:38:00Z")),
        ..of_number
    };
    let expected = brute(
        pool,
        &format!("{mine} AND event_type = 'NoteAdded' AND recorded_at < '2026-01-01 00:38Z'"),
    )
    .await;
    assert!(!expected.is_empty());
    assert_eq!(all(pool, &notes, 70).await.0, expected);
    database.close().await;
}
