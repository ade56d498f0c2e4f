//! Reports as the database alone reckons them from the read models, each time anew: what the kept ones are compared with.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use docket_domain::ids::{SurveyId, UserId};
use sqlx::PgPool;
use uuid::Uuid;

use crate::read::reports::{Day, Group, Report, Span, Times};

/// The report of a span.
///
/// # Errors
///
/// The database's error.
pub async fn report(pool: &PgPool, span: Span) -> Result<Report, sqlx::Error> {
    Ok(Report {
        days: days(pool, span).await?,
        responses: responses(pool, span).await?,
        closings: closings(pool, span).await?,
        unanswered: unanswered(pool, span).await?,
    })
}

/// The group of a row that was grouped by survey and by person.
fn group(grouping: i32, survey: Option<Uuid>, person: Option<Uuid>) -> Group {
    // As GROUPING (survey_id, person) counts: a bit is set for what was not grouped by.
    match (grouping, survey) {
        (1, Some(survey)) => Group::Survey(SurveyId(survey)),
        (2, _) => Group::Person(person.map(UserId)),
        _ => Group::All,
    }
}

async fn days(pool: &PgPool, span: Span) -> Result<Vec<Day>, sqlx::Error> {
    let messages = if span.survey.is_some() {
        sqlx::query!(
            r#"SELECT (m.recorded_at AT TIME ZONE 'UTC')::date AS "day!",
                      count(*) FILTER (WHERE m.direction = 'inbound') AS "inbound!",
                      count(*) FILTER (WHERE m.direction = 'outbound') AS "outbound!"
               FROM messages m JOIN contacts k USING (contact_id)
               WHERE m.recorded_at >= $1 AND m.recorded_at < $2 AND k.survey_id = $3
               GROUP BY 1"#,
            span.begins(),
            span.ends(),
            span.survey.map(|survey| survey.0),
        )
        .fetch_all(pool)
        .await?
        .into_iter()
        .map(|row| (row.day, (row.inbound, row.outbound)))
        .collect::<BTreeMap<_, _>>()
    } else {
        sqlx::query!(
            r#"SELECT (recorded_at AT TIME ZONE 'UTC')::date AS "day!",
                      count(*) FILTER (WHERE direction = 'inbound') AS "inbound!",
                      count(*) FILTER (WHERE direction = 'outbound') AS "outbound!"
               FROM messages
               WHERE recorded_at >= $1 AND recorded_at < $2
               GROUP BY 1"#,
            span.begins(),
            span.ends(),
        )
        .fetch_all(pool)
        .await?
        .into_iter()
        .map(|row| (row.day, (row.inbound, row.outbound)))
        .collect()
    };
    let opened: BTreeMap<NaiveDate, i64> = sqlx::query!(
        r#"SELECT (opened_at AT TIME ZONE 'UTC')::date AS "day!", count(*) AS "count!"
           FROM report_cases
           WHERE opened_at >= $1 AND opened_at < $2 AND NOT withdrawn AND ($3::uuid IS NULL OR survey_id = $3)
           GROUP BY 1"#,
        span.begins(),
        span.ends(),
        span.survey.map(|survey| survey.0),
    )
    .fetch_all(pool)
    .await?
    .into_iter()
    .map(|row| (row.day, row.count))
    .collect();
    let closed: BTreeMap<NaiveDate, i64> = sqlx::query!(
        r#"SELECT (closed_at AT TIME ZONE 'UTC')::date AS "day!", count(*) AS "count!"
           FROM report_cases
           WHERE closed_at >= $1 AND closed_at < $2 AND NOT withdrawn AND ($3::uuid IS NULL OR survey_id = $3)
           GROUP BY 1"#,
        span.begins(),
        span.ends(),
        span.survey.map(|survey| survey.0),
    )
    .fetch_all(pool)
    .await?
    .into_iter()
    .map(|row| (row.day, row.count))
    .collect();
    let of = |counts: &BTreeMap<NaiveDate, i64>, day| {
        counts
            .get(&day)
            .copied()
            .unwrap_or_default()
            .cast_unsigned()
    };
    Ok(span
        .all()
        .map(|day| {
            let (inbound, outbound) = messages.get(&day).copied().unwrap_or_default();
            Day {
                day,
                inbound: inbound.cast_unsigned(),
                outbound: outbound.cast_unsigned(),
                opened: of(&opened, day),
                closed: of(&closed, day),
            }
        })
        .collect())
}

async fn responses(pool: &PgPool, span: Span) -> Result<Vec<Times>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT GROUPING (survey_id, responder_id) AS "grouping!", survey_id AS "survey_id?", responder_id, count(*) AS "count!",
                  percentile_cont(0.5) WITHIN GROUP (ORDER BY EXTRACT(EPOCH FROM responded_at - opened_at)::float8) AS "median!",
                  percentile_cont(0.9) WITHIN GROUP (ORDER BY EXTRACT(EPOCH FROM responded_at - opened_at)::float8) AS "p90!"
           FROM report_cases
           WHERE opened_at >= $1 AND opened_at < $2 AND NOT withdrawn AND origin <> 'agent'
               AND responded_at IS NOT NULL AND ($3::uuid IS NULL OR survey_id = $3)
           GROUP BY GROUPING SETS ((), (survey_id), (responder_id))
           HAVING count(*) > 0"#,
        span.begins(),
        span.ends(),
        span.survey.map(|survey| survey.0),
    )
    .fetch_all(pool)
    .await?;
    let times = rows.into_iter().map(|row| Times {
        group: group(row.grouping, row.survey_id, row.responder_id),
        count: row.count.cast_unsigned(),
        median_seconds: row.median,
        p90_seconds: row.p90,
    });
    Ok(sorted(times.collect()))
}

async fn closings(pool: &PgPool, span: Span) -> Result<Vec<Times>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT GROUPING (survey_id, closer_id) AS "grouping!", survey_id AS "survey_id?", closer_id, count(*) AS "count!",
                  percentile_cont(0.5) WITHIN GROUP (ORDER BY EXTRACT(EPOCH FROM closed_at - opened_at)::float8) AS "median!",
                  percentile_cont(0.9) WITHIN GROUP (ORDER BY EXTRACT(EPOCH FROM closed_at - opened_at)::float8) AS "p90!"
           FROM report_cases
           WHERE closed_at >= $1 AND closed_at < $2 AND NOT withdrawn AND ($3::uuid IS NULL OR survey_id = $3)
           GROUP BY GROUPING SETS ((), (survey_id), (closer_id))
           HAVING count(*) > 0"#,
        span.begins(),
        span.ends(),
        span.survey.map(|survey| survey.0),
    )
    .fetch_all(pool)
    .await?;
    let times = rows.into_iter().map(|row| Times {
        group: group(row.grouping, row.survey_id, row.closer_id),
        count: row.count.cast_unsigned(),
        median_seconds: row.median,
        p90_seconds: row.p90,
    });
    Ok(sorted(times.collect()))
}

fn sorted(mut times: Vec<Times>) -> Vec<Times> {
    times.sort_by_key(|times| times.group);
    times
}

async fn unanswered(pool: &PgPool, span: Span) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM report_cases
           WHERE opened_at >= $1 AND opened_at < $2 AND NOT withdrawn AND origin <> 'agent'
               AND responded_at IS NULL AND closed_at IS NULL AND ($3::uuid IS NULL OR survey_id = $3)"#,
        span.begins(),
        span.ends(),
        span.survey.map(|survey| survey.0),
    )
    .fetch_one(pool)
    .await?;
    Ok(count.cast_unsigned())
}
