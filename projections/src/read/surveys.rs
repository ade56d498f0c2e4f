//! Surveys and their settings.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::SurveyId;
use docket_domain::survey::{StatusQuestion, SurveyEvent, SurveySettings};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::log::recorded::Recorded;
use crate::read::Projection;
use crate::read::rows::column;

/// A survey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyRow {
    /// Its id.
    pub survey_id: SurveyId,
    /// Its settings.
    pub settings: SurveySettings,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// The sequence of its last event.
    pub version: u64,
}

impl SurveyRow {
    /// Its settings.
    pub fn into_settings(self) -> SurveySettings {
        self.settings
    }
}

/// Builds table `surveys`.
#[derive(Default)]
pub struct SurveysHandler {
    changes: BTreeMap<SurveyId, Change>,
}

/// What the events since the last flush made of a survey; every event of a survey says all of its settings.
struct Change {
    /// `None` where the row stands in the database already.
    created_at: Option<DateTime<Utc>>,
    settings: SurveySettings,
    version: u64,
}

impl Projection for SurveysHandler {
    const NAME: &'static str = "surveys";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["surveys"];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Survey(survey_id), Event::Survey(event)) =
            (recorded.stream, &recorded.event)
        else {
            return;
        };
        let (settings, created_at) = match event {
            SurveyEvent::SurveyCreated { settings, .. } => (settings, Some(recorded.recorded_at)),
            SurveyEvent::SurveyChanged { settings } => {
                let pending = self.changes.get(&survey_id);
                (settings, pending.and_then(|change| change.created_at))
            }
        };
        let change = Change {
            created_at,
            settings: settings.clone(),
            version: recorded.sequence,
        };
        self.changes.insert(survey_id, change);
    }

    async fn flush(&mut self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (created, changed): (Vec<_>, Vec<_>) = std::mem::take(&mut self.changes)
            .into_iter()
            .partition(|(_, change)| change.created_at.is_some());
        if !created.is_empty() {
            insert(conn, &created).await?;
        }
        if !changed.is_empty() {
            update(conn, &changed).await?;
        }
        Ok(())
    }
}

impl Change {
    /// The choices as JSON, since UNNEST would flatten an array of arrays.
    fn choices(&self) -> Value {
        Value::from(self.settings.status.choices.as_slice())
    }
}

async fn insert(conn: &mut PgConnection, rows: &[(SurveyId, Change)]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO surveys (survey_id, name, cases_enabled, question, choices, closed_value,
                              append_reference, created_at, version)
         SELECT survey_id, name, cases_enabled, question,
                ARRAY(SELECT choice FROM jsonb_array_elements_text(choices) WITH ORDINALITY AS c (choice, place)
                      ORDER BY place),
                closed_value, append_reference, created_at, version
         FROM UNNEST($1::uuid[], $2::text[], $3::bool[], $4::text[], $5::jsonb[], $6::text[], $7::bool[],
                     $8::timestamptz[], $9::bigint[])
              AS new (survey_id, name, cases_enabled, question, choices, closed_value, append_reference,
                      created_at, version)",
        &column(rows, |(survey_id, _)| survey_id.0),
        &column(rows, |(_, row)| row.settings.name.as_str()) as _,
        &column(rows, |(_, row)| row.settings.cases_enabled),
        &column(rows, |(_, row)| row.settings.status.question.as_str()) as _,
        &column(rows, |(_, row)| row.choices()),
        &column(rows, |(_, row)| row.settings.status.closed_value.as_str()) as _,
        &column(rows, |(_, row)| row.settings.append_reference),
        &column(rows, |(_, row)| row.created_at) as _,
        &column(rows, |(_, row)| row.version.cast_signed()),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn update(conn: &mut PgConnection, rows: &[(SurveyId, Change)]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE surveys
         SET name = new.name, cases_enabled = new.cases_enabled, question = new.question,
             choices = ARRAY(SELECT choice
                             FROM jsonb_array_elements_text(new.choices) WITH ORDINALITY AS c (choice, place)
                             ORDER BY place),
             closed_value = new.closed_value, append_reference = new.append_reference, version = new.version
         FROM UNNEST($1::uuid[], $2::text[], $3::bool[], $4::text[], $5::jsonb[], $6::text[], $7::bool[],
                     $8::bigint[])
              AS new (survey_id, name, cases_enabled, question, choices, closed_value, append_reference, version)
         WHERE surveys.survey_id = new.survey_id",
        &column(rows, |(survey_id, _)| survey_id.0),
        &column(rows, |(_, row)| row.settings.name.as_str()) as _,
        &column(rows, |(_, row)| row.settings.cases_enabled),
        &column(rows, |(_, row)| row.settings.status.question.as_str()) as _,
        &column(rows, |(_, row)| row.choices()),
        &column(rows, |(_, row)| row.settings.status.closed_value.as_str()) as _,
        &column(rows, |(_, row)| row.settings.append_reference),
        &column(rows, |(_, row)| row.version.cast_signed()),
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct Columnwise {
    survey_id: Uuid,
    name: String,
    cases_enabled: bool,
    question: String,
    choices: Vec<String>,
    closed_value: String,
    append_reference: bool,
    created_at: DateTime<Utc>,
    version: i64,
}

impl From<Columnwise> for SurveyRow {
    fn from(row: Columnwise) -> Self {
        Self {
            survey_id: SurveyId(row.survey_id),
            settings: SurveySettings {
                name: row.name,
                cases_enabled: row.cases_enabled,
                status: StatusQuestion {
                    question: row.question,
                    choices: row.choices,
                    closed_value: row.closed_value,
                },
                append_reference: row.append_reference,
            },
            created_at: row.created_at,
            version: row.version.cast_unsigned(),
        }
    }
}

/// Every survey, ordered by name.
///
/// # Errors
///
/// The database's error.
pub async fn all(executor: impl PgExecutor<'_>) -> Result<Vec<SurveyRow>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Columnwise,
        "SELECT survey_id, name, cases_enabled, question, choices, closed_value, append_reference, created_at, version
         FROM surveys
         ORDER BY name, survey_id",
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(SurveyRow::from).collect())
}

/// The survey of that id.
///
/// # Errors
///
/// The database's error.
pub async fn find(
    executor: impl PgExecutor<'_>,
    survey_id: SurveyId,
) -> Result<Option<SurveyRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        Columnwise,
        "SELECT survey_id, name, cases_enabled, question, choices, closed_value, append_reference, created_at, version
         FROM surveys
         WHERE survey_id = $1",
        survey_id.0,
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(SurveyRow::from))
}
