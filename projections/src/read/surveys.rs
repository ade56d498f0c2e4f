//! Surveys, their settings and their templates of frequent answers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::SurveyId;
use docket_domain::survey::{StatusQuestion, SurveyEvent, SurveySettings, Template};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::log::recorded::Recorded;
use crate::read::Projection;
use crate::read::rows::{Row, column};

/// A survey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyRow {
    /// Its id.
    pub survey_id: SurveyId,
    /// Its settings.
    pub settings: SurveySettings,
    /// Its templates of frequent answers, in order.
    pub templates: Vec<Template>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// The sequence of its last event.
    pub version: u64,
}

/// Builds table `surveys`.
#[derive(Default)]
pub struct SurveysHandler {
    changes: BTreeMap<SurveyId, Change>,
}

/// What the events since the last flush made of a survey.
#[derive(Default)]
struct Change {
    /// `None` where the row stands in the database already.
    created_at: Option<DateTime<Utc>>,
    settings: Option<SurveySettings>,
    templates: Option<Vec<Template>>,
    version: u64,
}

impl Projection for SurveysHandler {
    const NAME: &'static str = "surveys";
    const VERSION: i32 = 2;
    const TABLES: &'static [&'static str] = &["surveys"];
    type Rows = ();

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Survey(survey_id), Event::Survey(event)) =
            (recorded.stream, &recorded.event)
        else {
            return;
        };
        let change = self.changes.entry(survey_id).or_default();
        change.version = recorded.sequence;
        match event {
            SurveyEvent::SurveyCreated { settings, .. } => {
                change.created_at = Some(recorded.recorded_at);
                change.settings = Some(settings.clone());
            }
            SurveyEvent::SurveyChanged { settings } => change.settings = Some(settings.clone()),
            SurveyEvent::TemplatesChanged { templates } => {
                change.templates = Some(templates.clone());
            }
        }
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

/// One column of the settings; null where only the templates changed.
fn setting<'a, T>(
    rows: &'a [(SurveyId, Change)],
    value: impl Fn(&'a SurveySettings) -> T,
) -> Vec<Option<T>> {
    column(rows, |(_, row)| row.settings.as_ref().map(&value))
}

/// The choices as JSON, since UNNEST would flatten an array of arrays.
fn choices(settings: &SurveySettings) -> Value {
    Value::from(settings.status.choices.as_slice())
}

fn templates(rows: &[(SurveyId, Change)]) -> Vec<Option<Value>> {
    column(rows, |(_, row)| {
        let templates = row.templates.as_ref()?;
        Some(serde_json::to_value(templates).expect("names and texts serialise"))
    })
}

async fn insert(conn: &mut PgConnection, rows: &[(SurveyId, Change)]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO surveys (survey_id, name, cases_enabled, question, choices, closed_value,
                              append_reference, templates, created_at, version)
         SELECT survey_id, name, cases_enabled, question,
                ARRAY(SELECT choice FROM jsonb_array_elements_text(choices) WITH ORDINALITY AS c (choice, place)
                      ORDER BY place),
                closed_value, append_reference, coalesce(templates, '[]'), created_at, version
         FROM UNNEST($1::uuid[], $2::text[], $3::bool[], $4::text[], $5::jsonb[], $6::text[], $7::bool[],
                     $8::jsonb[], $9::timestamptz[], $10::bigint[])
              AS new (survey_id, name, cases_enabled, question, choices, closed_value, append_reference,
                      templates, created_at, version)",
        &column(rows, |(survey_id, _)| survey_id.0),
        &setting(rows, |settings| settings.name.as_str()) as _,
        &setting(rows, |settings| settings.cases_enabled) as _,
        &setting(rows, |settings| settings.status.question.as_str()) as _,
        &setting(rows, choices) as _,
        &setting(rows, |settings| settings.status.closed_value.as_str()) as _,
        &setting(rows, |settings| settings.append_reference) as _,
        &templates(rows) as _,
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
         SET name = coalesce(new.name, surveys.name),
             cases_enabled = coalesce(new.cases_enabled, surveys.cases_enabled),
             question = coalesce(new.question, surveys.question),
             choices = CASE WHEN new.choices IS NULL THEN surveys.choices
                            ELSE ARRAY(SELECT choice
                                       FROM jsonb_array_elements_text(new.choices) WITH ORDINALITY AS c (choice, place)
                                       ORDER BY place) END,
             closed_value = coalesce(new.closed_value, surveys.closed_value),
             append_reference = coalesce(new.append_reference, surveys.append_reference),
             templates = coalesce(new.templates, surveys.templates), version = new.version
         FROM UNNEST($1::uuid[], $2::text[], $3::bool[], $4::text[], $5::jsonb[], $6::text[], $7::bool[],
                     $8::jsonb[], $9::bigint[])
              AS new (survey_id, name, cases_enabled, question, choices, closed_value, append_reference, templates,
                      version)
         WHERE surveys.survey_id = new.survey_id",
        &column(rows, |(survey_id, _)| survey_id.0),
        &setting(rows, |settings| settings.name.as_str()) as _,
        &setting(rows, |settings| settings.cases_enabled) as _,
        &setting(rows, |settings| settings.status.question.as_str()) as _,
        &setting(rows, choices) as _,
        &setting(rows, |settings| settings.status.closed_value.as_str()) as _,
        &setting(rows, |settings| settings.append_reference) as _,
        &templates(rows) as _,
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
    templates: Value,
    created_at: DateTime<Utc>,
    version: i64,
}

impl TryFrom<Columnwise> for SurveyRow {
    type Error = sqlx::Error;

    fn try_from(row: Columnwise) -> Result<Self, sqlx::Error> {
        let known = Row {
            table: "surveys",
            key: row.survey_id,
        };
        Ok(Self {
            templates: known.read("templates", serde_json::from_value(row.templates))?,
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
        })
    }
}

/// Every survey, ordered by name.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn all(executor: impl PgExecutor<'_>) -> Result<Vec<SurveyRow>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Columnwise,
        "SELECT survey_id, name, cases_enabled, question, choices, closed_value, append_reference, templates, created_at, version
         FROM surveys
         ORDER BY name, survey_id",
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(SurveyRow::try_from).collect()
}

/// The survey of that id.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn find(
    executor: impl PgExecutor<'_>,
    survey_id: SurveyId,
) -> Result<Option<SurveyRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        Columnwise,
        "SELECT survey_id, name, cases_enabled, question, choices, closed_value, append_reference, templates, created_at, version
         FROM surveys
         WHERE survey_id = $1",
        survey_id.0,
    )
    .fetch_optional(executor)
    .await?;
    row.map(SurveyRow::try_from).transpose()
}
