//! What changed, without what was said: for followers that tell others where to look.

use docket_domain::ids::SurveyId;
use sqlx::PgExecutor;
use uuid::Uuid;

/// That something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The event's place in the log.
    pub position: i64,
    /// Of which aggregate.
    pub aggregate_type: String,
    /// Which one of them.
    pub aggregate_id: String,
    /// The event's place in its stream.
    pub sequence: i64,
    /// What happened.
    pub event_type: String,
    /// The survey of the case, where it is one's.
    pub survey_id: Option<SurveyId>,
}

struct Row {
    position: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    survey_id: Option<Uuid>,
}

/// What changed behind that position, in order, at most `limit` events.
///
/// # Errors
///
/// The database's error.
pub async fn page(
    executor: impl PgExecutor<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<Change>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, c.survey_id AS "survey_id?"
             FROM (SELECT * FROM events WHERE position > $1 ORDER BY position LIMIT $2) e
             LEFT JOIN cases c ON c.reference = CASE WHEN e.aggregate_type = 'Case' THEN e.aggregate_id::integer END
            ORDER BY e.position"#,
        after,
        limit,
    )
    .fetch_all(executor)
    .await?;
    let changes = rows.into_iter().map(|row| Change {
        position: row.position,
        aggregate_type: row.aggregate_type,
        aggregate_id: row.aggregate_id,
        sequence: row.sequence,
        event_type: row.event_type,
        survey_id: row.survey_id.map(SurveyId),
    });
    Ok(changes.collect())
}
