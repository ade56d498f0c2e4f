//! Surveys, their settings and their templates of frequent answers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::SurveyId;
use docket_domain::office_hours::TimeZone;
use docket_domain::survey::{StatusQuestion, SurveyEvent, SurveySettings, Template};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::log::recorded::Recorded;
use crate::read::Projection;
use crate::read::rows::Row;
use crate::read::writes::Writes;

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

/// What the events since the last write made of a survey.
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
    const VERSION: i32 = 3;
    const TABLES: &'static [&'static str] = &["surveys"];
    const STATEMENTS: &'static [&'static str] = &[CREATE, CHANGE];

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

    fn write(&mut self, writes: &mut Writes) {
        let (created, changed): (Vec<_>, Vec<_>) = std::mem::take(&mut self.changes)
            .into_iter()
            .map(ChangedSurvey::of)
            .partition(|survey| survey.created_at.is_some());
        writes.statement::<Self>(CREATE, created);
        writes.statement::<Self>(CHANGE, changed);
    }
}

/// A row of `surveys` that is to be written. Settings are absent where only the templates changed.
#[derive(Serialize)]
struct ChangedSurvey {
    survey_id: Uuid,
    name: Option<String>,
    cases_enabled: Option<bool>,
    question: Option<String>,
    choices: Option<Vec<String>>,
    closed_value: Option<String>,
    append_reference: Option<bool>,
    time_zone: Option<String>,
    templates: Option<Vec<Template>>,
    created_at: Option<DateTime<Utc>>,
    version: u64,
}

impl ChangedSurvey {
    fn of((survey_id, change): (SurveyId, Change)) -> Self {
        let (settings, status) = change
            .settings
            .map(|settings| {
                let status = settings.status.clone();
                (settings, status)
            })
            .unzip();
        Self {
            survey_id: survey_id.0,
            cases_enabled: settings.as_ref().map(|settings| settings.cases_enabled),
            append_reference: settings.as_ref().map(|settings| settings.append_reference),
            time_zone: settings
                .as_ref()
                .map(|settings| settings.time_zone.name().to_owned()),
            name: settings.map(|settings| settings.name),
            question: status.as_ref().map(|status| status.question.clone()),
            closed_value: status.as_ref().map(|status| status.closed_value.clone()),
            choices: status.map(|status| status.choices),
            templates: change.templates,
            created_at: change.created_at,
            version: change.version,
        }
    }
}

const CREATE: &str = "
    INSERT INTO surveys (survey_id, name, cases_enabled, question, choices, closed_value, append_reference, time_zone,
                         templates, created_at, version)
    SELECT r.survey_id, r.name, r.cases_enabled, r.question, r.choices, r.closed_value, r.append_reference,
           r.time_zone, coalesce(r.templates, '[]'), dated(r.created_at, $2), r.version
      FROM jsonb_to_recordset($1)
           AS r (survey_id uuid, name text, cases_enabled boolean, question text, choices text[], closed_value text,
                 append_reference boolean, time_zone text, templates jsonb, created_at timestamptz, version bigint)";

const CHANGE: &str = "
    UPDATE surveys s
       SET name = coalesce(r.name, s.name),
           cases_enabled = coalesce(r.cases_enabled, s.cases_enabled),
           question = coalesce(r.question, s.question),
           choices = coalesce(r.choices, s.choices),
           closed_value = coalesce(r.closed_value, s.closed_value),
           append_reference = coalesce(r.append_reference, s.append_reference),
           time_zone = coalesce(r.time_zone, s.time_zone),
           templates = coalesce(r.templates, s.templates),
           version = r.version
      FROM jsonb_to_recordset($1)
           AS r (survey_id uuid, name text, cases_enabled boolean, question text, choices text[], closed_value text,
                 append_reference boolean, time_zone text, templates jsonb, version bigint)
     WHERE s.survey_id = r.survey_id";

struct Columnwise {
    survey_id: Uuid,
    name: String,
    cases_enabled: bool,
    question: String,
    choices: Vec<String>,
    closed_value: String,
    append_reference: bool,
    time_zone: String,
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
                time_zone: TimeZone::stored(row.time_zone),
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
        "SELECT survey_id, name, cases_enabled, question, choices, closed_value, append_reference, time_zone, templates,
                created_at, version
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
        "SELECT survey_id, name, cases_enabled, question, choices, closed_value, append_reference, time_zone, templates,
                created_at, version
         FROM surveys
         WHERE survey_id = $1",
        survey_id.0,
    )
    .fetch_optional(executor)
    .await?;
    row.map(SurveyRow::try_from).transpose()
}
