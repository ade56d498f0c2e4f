//! Appending events: the last statement of a transaction before its commit.

use sqlx::PgConnection;

use super::recorded::Recorded;

/// Where an append ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of the last event appended.
    pub position: i64,
    /// The transaction's id, by which a commit that broke off can be asked after.
    pub transaction_id: String,
}

/// Appends `events` in order. From here to the commit all other appends wait.
///
/// # Errors
///
/// The database's error; a violation of `events_pkey` means that somebody else wrote to one of the streams.
pub(crate) async fn append(
    conn: &mut PgConnection,
    events: &[Recorded],
) -> Result<Appended, sqlx::Error> {
    let mut aggregate_types = Vec::with_capacity(events.len());
    let mut aggregate_ids = Vec::with_capacity(events.len());
    let mut sequences = Vec::with_capacity(events.len());
    let mut event_types = Vec::with_capacity(events.len());
    let mut event_versions = Vec::with_capacity(events.len());
    let mut payloads = Vec::with_capacity(events.len());
    let mut metadata = Vec::with_capacity(events.len());
    let mut recorded_at = Vec::with_capacity(events.len());
    let mut changes_settings = false;
    for recorded in events {
        aggregate_types.push(recorded.stream.aggregate_type());
        aggregate_ids.push(recorded.stream.aggregate_id());
        sequences.push(recorded.sequence.cast_signed());
        event_types.push(recorded.event.type_name());
        event_versions.push(recorded.event.version());
        payloads.push(serde_json::to_string(&recorded.event).map_err(encode_error)?);
        metadata.push(serde_json::to_string(&recorded.metadata).map_err(encode_error)?);
        recorded_at.push(recorded.recorded_at);
        changes_settings |= is_settings(recorded);
    }
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let row = sqlx::query!(
        r#"WITH head AS (
               UPDATE log_head
                  SET position = position + $1,
                      settings_position = CASE WHEN $2 THEN position + $1 ELSE settings_position END
            RETURNING position
           ), appended AS (
               INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                                   position, recorded_at)
               SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload::jsonb,
                      e.metadata::jsonb, head.position - $1 + e.ordinality, e.recorded_at
                 FROM head,
                      unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
                             $10::timestamptz[])
                      WITH ORDINALITY AS e (aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
                                            metadata, recorded_at, ordinality)
           )
           SELECT position AS "position!", pg_current_xact_id()::text AS "transaction_id!" FROM head"#,
        count,
        changes_settings,
        &aggregate_types as &[&str],
        &aggregate_ids,
        &sequences,
        &event_types as &[&str],
        &event_versions as &[&str],
        &payloads,
        &metadata,
        &recorded_at,
    )
    .fetch_one(conn)
    .await?;
    Ok(Appended {
        position: row.position,
        transaction_id: row.transaction_id,
    })
}

fn encode_error(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}

/// Whether caches of surveys and lines are out of date after the event.
pub(crate) const fn is_settings(recorded: &Recorded) -> bool {
    use docket_domain::event::Event;
    matches!(recorded.event, Event::Survey(_) | Event::Line(_))
}
