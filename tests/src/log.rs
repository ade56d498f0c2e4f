//! What the processes have written, as it stands in the database.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use docket_projections::read::ReadModels;
use docket_projections::rebuild;
use docket_projections::{Connector, PgPool};
use serde_json::Value;

/// An event of the log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the log.
    pub position: i64,
    /// Its stream: the aggregate's type and id.
    pub stream: (String, String),
    /// Its place in the stream.
    pub sequence: i64,
    /// What happened.
    pub event_type: String,
    /// The event's own fields.
    pub payload: Value,
    /// Who and why.
    pub metadata: Value,
}

/// The whole log, in order.
pub async fn events(pool: &PgPool) -> Vec<Event> {
    let rows: Vec<(i64, String, String, i64, String, Value, Value)> = sqlx::query_as(
        "SELECT position, aggregate_type, aggregate_id, sequence, event_type, payload, metadata FROM events ORDER BY position",
    )
    .fetch_all(pool)
    .await
    .expect("the log can be read");
    rows.into_iter()
        .map(
            |(
                position,
                aggregate_type,
                aggregate_id,
                sequence,
                event_type,
                mut payload,
                metadata,
            )| {
                let payload = payload[&event_type].take();
                Event {
                    position,
                    stream: (aggregate_type, aggregate_id),
                    sequence,
                    event_type,
                    payload,
                    metadata,
                }
            },
        )
        .collect()
}

/// How many events the log has, but for those that tell what people looked at, which come a moment later than the answer.
pub async fn length(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_type <> 'CaseViews'")
        .fetch_one(pool)
        .await
        .expect("the log can be read")
}

/// The types of a case's events, in order, without those that `leave_out` names.
pub async fn types_of_case(pool: &PgPool, reference: u64, leave_out: &[&str]) -> Vec<String> {
    let stream = ("Case".to_owned(), reference.to_string());
    let events = events(pool)
        .await
        .into_iter()
        .filter(|event| event.stream == stream);
    events
        .map(|event| event.event_type)
        .filter(|name| !leave_out.contains(&name.as_str()))
        .collect()
}

/// Fails unless every message that was acknowledged, by Vonage's id, is in the log.
///
/// # Panics
///
/// With those that are missing.
pub async fn assert_not_lost(pool: &PgPool, acknowledged: &BTreeSet<String>) {
    let there = received(pool).await.into_keys().map(|(id, _)| id).collect();
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

/// Fails unless each of these messages, by Vonage's id, is among those that came in last.
///
/// # Panics
///
/// With those that are missing.
pub async fn assert_there(pool: &PgPool, acknowledged: &[String]) {
    let lost: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM unnest($1::text[]) id
          WHERE id NOT IN (SELECT payload->'MessageReceived'->'message'->>'provider_id' FROM events
                            WHERE event_type = 'MessageReceived'
                              AND position > (SELECT max(position) - 20000 FROM events))",
    )
    .bind(acknowledged)
    .fetch_all(pool)
    .await
    .expect("the log can be read");
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

/// How often each inbound message stands in each case: `(Vonage's id, reference)`.
pub async fn received(pool: &PgPool) -> BTreeMap<(String, u64), usize> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT payload->'MessageReceived'->'message'->>'provider_id', aggregate_id, count(*)
           FROM events WHERE event_type = 'MessageReceived' GROUP BY 1, 2",
    )
    .fetch_all(pool)
    .await
    .expect("the log can be read");
    rows.into_iter()
        .map(|(provider_id, case, times)| {
            let reference = case.parse().expect("a case's id is its reference");
            let times = usize::try_from(times).expect("a count");
            ((provider_id, reference), times)
        })
        .collect()
}

/// Fails unless the log is whole: positions 1, 2, 3 … up to its head, and so the sequences of every stream; and unless every row of
/// every read model is what the log gives. No process may write meanwhile, but for what people looked at.
pub async fn assert_sound(pool: &PgPool) {
    let head: i64 = sqlx::query_scalar("SELECT position FROM log_head")
        .fetch_one(pool)
        .await
        .expect("the log has a head");
    let events: Vec<(i64, String, String, i64)> = sqlx::query_as(
        "SELECT position, aggregate_type, aggregate_id, sequence FROM events ORDER BY position",
    )
    .fetch_all(pool)
    .await
    .expect("the log can be read");
    let positions: Vec<i64> = events.iter().map(|(position, ..)| *position).collect();
    assert_eq!(
        positions,
        (1..).take(positions.len()).collect::<Vec<_>>(),
        "positions have no gap"
    );
    assert!(positions.last().copied().unwrap_or_default() >= head);
    let mut last: HashMap<(&str, &str), i64> = HashMap::new();
    for (_, kind, id, sequence) in &events {
        let before = last.insert((kind, id), *sequence).unwrap_or_default();
        assert_eq!(
            *sequence,
            before + 1,
            "sequences of {kind} {id} have no gap"
        );
    }
    let (taken_in, differences) = rebuild::check(
        &Connector::from((*pool.connect_options()).clone()),
        ReadModels::ALL,
        |_| {},
    )
    .await
    .expect("the read models can be built anew");
    assert!(taken_in >= head);
    assert!(
        differences.is_empty(),
        "the read models are not what the log gives: {differences:?}"
    );
}
