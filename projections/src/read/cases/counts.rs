//! How many cases each view of the list has, counted up to a bound.

use docket_domain::ids::{SurveyId, UserId};
use sqlx::PgExecutor;
use uuid::Uuid;

/// How many cases the views have for somebody, each up to the bound that was given. Snoozed cases are in none of them, but where a
/// reply failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Open cases.
    pub open: usize,
    /// Open cases with something that the person has yet to read.
    pub unread: usize,
    /// Open cases that are assigned to the person.
    pub mine: usize,
    /// Open cases that are assigned to nobody.
    pub unassigned: usize,
    /// Cases in which a note mentions the person that they have yet to look at, open or closed.
    pub mentions: usize,
    /// Cases in which the contact waits for an answer.
    pub waiting: usize,
    /// Cases whose last reply failed.
    pub failed: usize,
    /// Cases that are snoozed.
    pub snoozed: usize,
    /// Closed cases.
    pub closed: usize,
    /// Cases, open or closed.
    pub all: usize,
    /// Webhooks that wait to be routed; they belong to no survey.
    pub unrouted: usize,
}

/// Counts for that person the cases of these surveys, or of all; `limit` bounds each number.
///
/// # Errors
///
/// The database's error.
pub async fn counts(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    surveys: Option<&[SurveyId]>,
    limit: u32,
) -> Result<Counts, sqlx::Error> {
    // Each survey's cases are found by its index, and all cases by theirs: a condition that says both hides the one from the planner.
    match surveys {
        None => of_all(executor, user_id, limit).await,
        Some(surveys) => {
            let surveys: Vec<Uuid> = surveys.iter().map(|survey_id| survey_id.0).collect();
            of_surveys(executor, user_id, &surveys, limit).await
        }
    }
}

/// How many cases have a last reply that failed, counted to `limit`.
///
/// # Errors
///
/// The database's error.
pub async fn failed(executor: impl PgExecutor<'_>, limit: i64) -> Result<usize, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (
               SELECT FROM cases c WHERE c.failed AND is_last_reply_failed(c.reference) LIMIT $1
           ) c"#,
        limit,
    )
    .fetch_one(executor)
    .await?;
    Ok(usize::try_from(found).unwrap_or_default())
}

macro_rules! counted {
    ($found:expr) => {{
        let found = $found;
        let count = |count: i64| usize::try_from(count).unwrap_or_default();
        Ok(Counts {
            open: count(found.open),
            unread: count(found.unread),
            mine: count(found.mine),
            unassigned: count(found.unassigned),
            mentions: count(found.mentions),
            waiting: count(found.waiting),
            failed: count(found.failed),
            snoozed: count(found.snoozed),
            closed: count(found.closed),
            all: count(found.all),
            unrouted: count(found.unrouted),
        })
    }};
}

async fn of_all(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    limit: u32,
) -> Result<Counts, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM (SELECT FROM cases c WHERE state = 'open' AND NOT EXISTS (SELECT FROM snoozes z WHERE z.reference = c.reference) LIMIT $2) c) AS "open!",
                  (SELECT count(*) FROM (
                       SELECT FROM cases c LEFT JOIN read_marks m ON m.user_id = $1 AND m.reference = c.reference
                        WHERE c.state = 'open' AND c.last_message > COALESCE(m.read_to, 0)
                            AND NOT EXISTS (SELECT FROM snoozes z WHERE z.reference = c.reference)
                        ORDER BY c.last_message_at DESC, c.reference DESC
                        LIMIT $2
                   ) c) AS "unread!",
                  (SELECT count(*) FROM (
                       SELECT FROM cases c WHERE assignee_id = $1 AND state = 'open' AND NOT EXISTS (SELECT FROM snoozes z WHERE z.reference = c.reference) LIMIT $2
                   ) c) AS "mine!",
                  (SELECT count(*) FROM (
                       SELECT FROM cases c WHERE assignee_id IS NULL AND state = 'open' AND NOT EXISTS (SELECT FROM snoozes z WHERE z.reference = c.reference) LIMIT $2
                   ) c) AS "unassigned!",
                  (SELECT count(*) FROM (
                       SELECT DISTINCT t.reference FROM mentions t
                         JOIN cases c ON c.reference = t.reference
                         LEFT JOIN read_marks m ON m.user_id = t.user_id AND m.reference = t.reference
                        WHERE t.user_id = $1 AND t.sequence > COALESCE(m.read_to, 0)
                        LIMIT $2
                   ) t) AS "mentions!",
                  (SELECT count(*) FROM (
                       SELECT FROM cases c WHERE c.waiting_since IS NOT NULL AND waits_since(c.reference, c.answered) IS NOT NULL
                            AND NOT EXISTS (SELECT FROM snoozes z WHERE z.reference = c.reference) LIMIT $2
                   ) c) AS "waiting!",
                  (SELECT count(*) FROM (
                       SELECT FROM cases c WHERE c.failed AND is_last_reply_failed(c.reference) LIMIT $2
                   ) c) AS "failed!",
                  (SELECT count(*) FROM (SELECT FROM snoozes LIMIT $2) z) AS "snoozed!",
                  (SELECT count(*) FROM (SELECT FROM cases WHERE state = 'closed' LIMIT $2) c) AS "closed!",
                  (SELECT count(*) FROM (SELECT FROM cases LIMIT $2) c) AS "all!",
                  (SELECT count(*) FROM (SELECT FROM unrouted WHERE routed_at IS NULL LIMIT $2) u) AS "unrouted!""#,
        user_id.0,
        i64::from(limit),
    )
    .fetch_one(executor)
    .await?;
    counted!(found)
}

async fn of_surveys(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    surveys: &[Uuid],
    limit: u32,
) -> Result<Counts, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM (
                       SELECT FROM cases c WHERE survey_id = ANY ($3) AND state = 'open' AND NOT EXISTS (SELECT FROM snoozes z WHERE z.reference = c.reference) LIMIT $2
                   ) c) AS "open!",
                  (SELECT count(*) FROM (
                       SELECT FROM cases c LEFT JOIN read_marks m ON m.user_id = $1 AND m.reference = c.reference
                        WHERE c.survey_id = ANY ($3) AND c.state = 'open' AND c.last_message > COALESCE(m.read_to, 0)
                            AND NOT EXISTS (SELECT FROM snoozes z WHERE z.reference = c.reference)
                        LIMIT $2
                   ) c) AS "unread!",
                  (SELECT count(*) FROM (
                       SELECT FROM cases c WHERE survey_id = ANY ($3) AND assignee_id = $1 AND state = 'open'
                            AND NOT EXISTS (SELECT FROM snoozes z WHERE z.reference = c.reference) LIMIT $2
                   ) c) AS "mine!",
                  (SELECT count(*) FROM (
                       SELECT FROM cases c WHERE survey_id = ANY ($3) AND assignee_id IS NULL AND state = 'open'
                            AND NOT EXISTS (SELECT FROM snoozes z WHERE z.reference = c.reference) LIMIT $2
                   ) c) AS "unassigned!",
                  (SELECT count(*) FROM (
                       SELECT DISTINCT t.reference FROM mentions t
                         JOIN cases c ON c.reference = t.reference
                         LEFT JOIN read_marks m ON m.user_id = t.user_id AND m.reference = t.reference
                        WHERE t.user_id = $1 AND t.sequence > COALESCE(m.read_to, 0)
                            AND c.survey_id = ANY ($3)
                        LIMIT $2
                   ) t) AS "mentions!",
                  (SELECT count(*) FROM (
                       SELECT FROM cases c
                        WHERE c.survey_id = ANY ($3) AND c.waiting_since IS NOT NULL
                            AND waits_since(c.reference, c.answered) IS NOT NULL
                            AND NOT EXISTS (SELECT FROM snoozes z WHERE z.reference = c.reference)
                        LIMIT $2
                   ) c) AS "waiting!",
                  (SELECT count(*) FROM (
                       SELECT FROM cases c
                        WHERE c.survey_id = ANY ($3) AND c.failed AND is_last_reply_failed(c.reference)
                        LIMIT $2
                   ) c) AS "failed!",
                  (SELECT count(*) FROM (
                       SELECT FROM snoozes z JOIN cases c USING (reference) WHERE c.survey_id = ANY ($3) LIMIT $2
                   ) z) AS "snoozed!",
                  (SELECT count(*) FROM (
                       SELECT FROM cases WHERE survey_id = ANY ($3) AND state = 'closed' LIMIT $2
                   ) c) AS "closed!",
                  (SELECT count(*) FROM (SELECT FROM cases WHERE survey_id = ANY ($3) LIMIT $2) c) AS "all!",
                  (SELECT count(*) FROM (SELECT FROM unrouted WHERE routed_at IS NULL LIMIT $2) u) AS "unrouted!""#,
        user_id.0,
        i64::from(limit),
        surveys,
    )
    .fetch_one(executor)
    .await?;
    counted!(found)
}
