//! What went to and fro between Vonage and us, counted by day.
//!
//! The log tells only of what was recorded. These counts tell of refusals too, and outlive the process that counted; they stand
//! beside the log and are not rebuilt.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgExecutor;

/// So often did something come to that on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// `inbound` and `status` for webhooks, `send` for calls.
    pub what: &'static str,
    /// What it came to.
    pub result: &'static str,
    /// How often.
    pub count: u64,
    /// When last.
    pub last_at: DateTime<Utc>,
}

/// So often did something come to that over some days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// `inbound` and `status` for webhooks, `send` for calls.
    pub what: String,
    /// What it came to.
    pub result: String,
    /// How often on the last of the days.
    pub today: u64,
    /// How often on all of them.
    pub count: u64,
    /// When last.
    pub last_at: DateTime<Utc>,
}

/// So often did a webhook come to that, of late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    /// What it came to.
    pub result: String,
    /// How often since the later of two moments.
    pub lately: u64,
    /// How often since the earlier one.
    pub count: u64,
}

/// Adds to what was counted.
///
/// # Errors
///
/// The database's error; nothing was added then.
pub async fn add(executor: impl PgExecutor<'_>, noted: &[Noted]) -> Result<(), sqlx::Error> {
    let days: Vec<NaiveDate> = noted.iter().map(|noted| noted.day).collect();
    let whats: Vec<&str> = noted.iter().map(|noted| noted.what).collect();
    let results: Vec<&str> = noted.iter().map(|noted| noted.result).collect();
    let counts: Vec<i64> = noted
        .iter()
        .map(|noted| noted.count.cast_signed())
        .collect();
    let last: Vec<DateTime<Utc>> = noted.iter().map(|noted| noted.last_at).collect();
    // In one order, so that two processes that add at once do not wait for each other in a circle.
    sqlx::query!(
        "WITH n AS (
             SELECT * FROM UNNEST($1::date[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[])
                 AS n (day, what, result, count, last_at)
         ), slots AS (
             INSERT INTO activity_slots AS s (slot, what, result, count)
             SELECT date_bin('10 minutes', n.last_at, timestamptz '2000-01-01 00:00:00Z') AS slot,
                    n.what, n.result, sum(n.count)::bigint
             FROM n
             GROUP BY 1, 2, 3
             ORDER BY 1, 2, 3
             ON CONFLICT (slot, what, result) DO UPDATE SET count = s.count + excluded.count
         )
         INSERT INTO activity AS a (day, what, result, count, last_at)
         SELECT n.day, n.what, n.result, n.count, n.last_at
         FROM n
         ORDER BY n.day, n.what, n.result
         ON CONFLICT (day, what, result) DO UPDATE
         SET count = a.count + excluded.count, last_at = GREATEST(a.last_at, excluded.last_at)",
        &days,
        &whats as &[&str],
        &results as &[&str],
        &counts,
        &last,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// What was counted from `since` to `today`, both included, by what and result.
///
/// # Errors
///
/// The database's error.
pub async fn totals(
    executor: impl PgExecutor<'_>,
    since: NaiveDate,
    today: NaiveDate,
) -> Result<Vec<Total>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT what, result, sum(count)::bigint AS "count!",
                  coalesce(sum(count) FILTER (WHERE day = $2), 0)::bigint AS "today!", max(last_at) AS "last_at!"
           FROM activity
           WHERE day BETWEEN $1 AND $2
           GROUP BY what, result
           ORDER BY what, result"#,
        since,
        today,
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Total {
            what: row.what,
            result: row.result,
            today: row.today.cast_unsigned(),
            count: row.count.cast_unsigned(),
            last_at: row.last_at,
        })
        .collect())
}

/// When something last came to one of these results, however long ago.
///
/// # Errors
///
/// The database's error.
pub async fn last(
    executor: impl PgExecutor<'_>,
    whats: &[&str],
    results: &[&str],
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT max(last_at) FROM activity WHERE what = ANY ($1) AND result = ANY ($2)",
        whats as &[&str],
        results as &[&str],
    )
    .fetch_one(executor)
    .await
}

/// What became of these since `since`, and of that since `lately`; both to ten minutes.
///
/// # Errors
///
/// The database's error.
pub async fn recent(
    executor: impl PgExecutor<'_>,
    whats: &[&str],
    since: DateTime<Utc>,
    lately: DateTime<Utc>,
) -> Result<Vec<Recent>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT result, sum(count)::bigint AS "count!",
                  coalesce(sum(count) FILTER (WHERE slot > $3), 0)::bigint AS "lately!"
           FROM activity_slots
           WHERE what = ANY ($1) AND slot > $2
           GROUP BY result
           ORDER BY result"#,
        whats as &[&str],
        since,
        lately,
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Recent {
            result: row.result,
            lately: row.lately.cast_unsigned(),
            count: row.count.cast_unsigned(),
        })
        .collect())
}

/// Forgets the slots before a moment; the counts by day stay.
///
/// # Errors
///
/// The database's error.
pub async fn forget_slots(
    executor: impl PgExecutor<'_>,
    before: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM activity_slots WHERE slot < $1", before)
        .execute(executor)
        .await?;
    Ok(())
}
