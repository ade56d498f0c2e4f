//! What people did lately that an owner or auditor should know of.

use chrono::{DateTime, TimeDelta, Utc};
use docket_domain::personal::Personal;
use sqlx::PgExecutor;

/// Somebody who looks at so many cases within an hour is told of.
pub const MANY_VIEWS: i64 = 100;
/// So many failed attempts to sign in within an hour are told of.
pub const MANY_FAILURES: i64 = 20;
/// So many of the newest events that did not happen to a case are looked through.
const MAX_LOOKED: i64 = 50_000;

/// What somebody did, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Often {
    /// The name of the person, or else their address; `None` for somebody at the command line.
    pub who: Option<Personal<String>>,
    /// How often.
    pub count: i64,
}

/// What is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    /// Who looked at many cases in the last hour.
    pub views: Vec<Often>,
    /// Who exported in the last day.
    pub exports: Vec<Often>,
    /// How many attempts to sign in failed in the last hour.
    pub failures: i64,
}

impl Alerts {
    /// Whether so many attempts failed that somebody should know.
    pub const fn has_many_failures(&self) -> bool {
        self.failures >= MANY_FAILURES
    }
}

/// What is to be told at `now`.
///
/// # Errors
///
/// The database's error.
pub async fn at(executor: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<Alerts, sqlx::Error> {
    let found = sqlx::query!(
        r#"WITH lately AS (
               SELECT event_type, metadata ->> 'email' AS email,
                      coalesce((payload #>> '{SignInFailedAgain,times}')::bigint, 1) AS times, recorded_at
                 FROM (SELECT * FROM events WHERE aggregate_type <> 'Case' ORDER BY position DESC LIMIT $3) e
                WHERE event_type = ANY ('{CaseViewed,ExportBegun,SignInFailed,SignInFailedAgain}')
                  AND recorded_at > $1
           )
           SELECT CASE WHEN event_type LIKE 'SignInFailed%' THEN 'failures' ELSE event_type END AS "kind!",
                  CASE WHEN event_type LIKE 'SignInFailed%' THEN NULL ELSE l.email END AS "email?",
                  max(u.name) AS "name?", sum(times)::bigint AS "count!"
             FROM lately l
             LEFT JOIN users u ON u.email = l.email AND NOT u.removed
            WHERE event_type = 'ExportBegun' OR l.recorded_at > $2
            GROUP BY 1, 2
            ORDER BY 4 DESC, 2
            LIMIT 100"#,
        now - TimeDelta::days(1),
        now - TimeDelta::hours(1),
        MAX_LOOKED,
    )
    .fetch_all(executor)
    .await?;
    let mut alerts = Alerts::default();
    for row in found {
        let often = Often {
            who: row.name.or(row.email).map(Personal),
            count: row.count,
        };
        match row.kind.as_str() {
            "CaseViewed" if often.count >= MANY_VIEWS => alerts.views.push(often),
            "CaseViewed" => {}
            "ExportBegun" => alerts.exports.push(often),
            _ => alerts.failures += often.count,
        }
    }
    Ok(alerts)
}
