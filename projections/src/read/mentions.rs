//! Where people are mentioned.

use chrono::{DateTime, Utc};
use docket_domain::case::CaseEvent;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{Reference, SurveyId, UserId};
use serde::Serialize;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Projection;
use super::rows::{Row, column};
use super::writes::Writes;
use crate::log::recorded::Recorded;

/// Builds `mentions`.
#[derive(Debug, Default)]
pub struct MentionsHandler {
    added: Vec<Added>,
}

#[derive(Debug, Serialize)]
struct Added {
    user_id: Uuid,
    reference: i32,
    sequence: u64,
    mentioned_at: DateTime<Utc>,
}

const ADD: &str = "
    INSERT INTO mentions (user_id, reference, sequence, mentioned_at)
    SELECT r.user_id, r.reference, r.sequence, dated(r.mentioned_at, $2)
      FROM jsonb_to_recordset($1)
           AS r (user_id uuid, reference integer, sequence bigint, mentioned_at timestamptz)";

impl Projection for MentionsHandler {
    const NAME: &'static str = "mentions";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["mentions"];
    const STATEMENTS: &'static [&'static str] = &[ADD];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Case(reference), Event::Case(CaseEvent::PeopleMentioned { users, .. })) =
            (recorded.stream, &recorded.event)
        else {
            return;
        };
        self.added.extend(users.iter().map(|user_id| Added {
            user_id: user_id.0,
            reference: reference.as_i32(),
            sequence: recorded.sequence,
            mentioned_at: recorded.recorded_at,
        }));
    }

    fn write(&mut self, writes: &mut Writes) {
        writes.statement::<Self>(ADD, std::mem::take(&mut self.added));
    }
}

/// A case in which somebody is mentioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The case.
    pub reference: Reference,
    /// The sequence of the newest event that mentions them.
    pub sequence: u64,
    /// When that was.
    pub mentioned_at: DateTime<Utc>,
    /// Whether they have not looked at the case since.
    pub is_unread: bool,
}

/// The cases in which somebody is mentioned, of these surveys or of all, the newest mention first, at most `limit`.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn of(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    surveys: Option<&[SurveyId]>,
    limit: i64,
) -> Result<Vec<Mention>, sqlx::Error> {
    let surveys = surveys.map(|surveys| column(surveys, |survey_id| survey_id.0));
    let found = sqlx::query!(
        r#"SELECT m.reference, max(m.sequence) AS "sequence!", max(m.mentioned_at) AS "mentioned_at!",
                  bool_or(m.sequence > coalesce(r.read_to, 0)) AS "is_unread!"
             FROM mentions m
             JOIN cases c ON c.reference = m.reference
             LEFT JOIN read_marks r ON r.user_id = m.user_id AND r.reference = m.reference
            WHERE m.user_id = $1 AND ($2::uuid[] IS NULL OR c.survey_id = ANY ($2))
            GROUP BY m.reference
            ORDER BY max(m.mentioned_at) DESC, m.reference DESC
            LIMIT $3"#,
        user_id.0,
        surveys.as_deref() as _,
        limit,
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|mention| {
            let row = Row {
                table: "mentions",
                key: mention.reference,
            };
            Ok(Mention {
                reference: row.reference("reference", mention.reference)?,
                sequence: row.read("sequence", mention.sequence.try_into())?,
                mentioned_at: mention.mentioned_at,
                is_unread: mention.is_unread,
            })
        })
        .collect()
}

/// Whether an event of a case mentions somebody, or gives the case to them, or a message came in a case of theirs; not by
/// themselves. Of events up to `until`, behind `after`.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn news(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    after: i64,
    until: i64,
) -> Result<Vec<(Reference, SurveyId, String)>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT c.reference, c.survey_id, e.event_type
             FROM events e
             JOIN cases c ON c.reference = CASE WHEN e.aggregate_type = 'Case' THEN e.aggregate_id::integer END
            WHERE e.position > $2 AND e.position <= $3
              AND e.event_type = ANY ('{PeopleMentioned,AssigneeChanged,MessageReceived}')
              AND e.metadata ->> 'user_id' IS DISTINCT FROM $1::uuid::text
              AND CASE e.event_type
                      WHEN 'PeopleMentioned' THEN e.payload #> '{PeopleMentioned,users}' @> to_jsonb($1::uuid::text)
                      WHEN 'AssigneeChanged' THEN e.payload #>> '{AssigneeChanged,to,user_id}' = $1::uuid::text
                      ELSE c.assignee_id = $1
                  END
            ORDER BY e.position
            LIMIT 20"#,
        user_id.0,
        after,
        until,
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|news| {
            let row = Row {
                table: "cases",
                key: news.reference,
            };
            let reference = row.reference("reference", news.reference)?;
            Ok((reference, SurveyId(news.survey_id), news.event_type))
        })
        .collect()
}
