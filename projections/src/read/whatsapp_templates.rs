//! `WhatsApp` templates.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{LineId, WhatsappTemplateId};
use docket_domain::whatsapp_template::{TemplateSettings, WhatsappTemplateEvent};
use serde::Serialize;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Projection;
use super::writes::Writes;
use crate::log::recorded::Recorded;

/// A template that was not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatsappTemplateRow {
    /// Its id.
    pub template_id: WhatsappTemplateId,
    /// What it is.
    pub settings: TemplateSettings,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// The sequence of its last event.
    pub version: u64,
}

/// Builds `whatsapp_templates`.
#[derive(Default)]
pub struct WhatsappTemplatesHandler {
    changes: BTreeMap<WhatsappTemplateId, Change>,
}

/// What became of a template since the last write.
#[derive(Default)]
struct Change {
    /// `None` where it was added before.
    created_at: Option<DateTime<Utc>>,
    settings: Option<TemplateSettings>,
    removed: bool,
    version: u64,
}

#[derive(Serialize)]
struct ChangedTemplate {
    template_id: Uuid,
    name: Option<String>,
    locale: Option<String>,
    body: Option<String>,
    line_id: Option<Uuid>,
    created_at: Option<DateTime<Utc>>,
    version: u64,
}

#[derive(Serialize)]
struct RemovedTemplate {
    template_id: Uuid,
}

const REMOVE: &str = "
    DELETE FROM whatsapp_templates t
     USING jsonb_to_recordset($1) AS r (template_id uuid)
     WHERE t.template_id = r.template_id";

const CHANGE: &str = "
    UPDATE whatsapp_templates t
       SET name = r.name, locale = r.locale, body = r.body, line_id = r.line_id, version = r.version
      FROM jsonb_to_recordset($1)
           AS r (template_id uuid, name text, locale text, body text, line_id uuid, version bigint)
     WHERE t.template_id = r.template_id";

const ADD: &str = "
    INSERT INTO whatsapp_templates (template_id, name, locale, body, line_id, created_at, version)
    SELECT r.template_id, r.name, r.locale, r.body, r.line_id, dated(r.created_at, $2), r.version
      FROM jsonb_to_recordset($1)
           AS r (template_id uuid, name text, locale text, body text, line_id uuid, created_at timestamptz, version bigint)";

impl Projection for WhatsappTemplatesHandler {
    const NAME: &'static str = "whatsapp_templates";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["whatsapp_templates"];
    const STATEMENTS: &'static [&'static str] = &[REMOVE, CHANGE, ADD];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::WhatsappTemplate(template_id), Event::WhatsappTemplate(event)) =
            (recorded.stream, &recorded.event)
        else {
            return;
        };
        let change = self.changes.entry(template_id).or_default();
        change.version = recorded.sequence;
        match event {
            WhatsappTemplateEvent::WhatsappTemplateAdded { settings, .. } => {
                change.created_at = Some(recorded.recorded_at);
                change.settings = Some(settings.clone());
            }
            WhatsappTemplateEvent::WhatsappTemplateChanged { settings } => {
                change.settings = Some(settings.clone());
            }
            WhatsappTemplateEvent::WhatsappTemplateRemoved {} => change.removed = true,
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let (removed, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.changes)
            .into_iter()
            .partition(|(_, change)| change.removed);
        let (added, changed): (Vec<_>, Vec<_>) = kept
            .into_iter()
            .map(ChangedTemplate::of)
            .partition(|template| template.created_at.is_some());
        let removed = removed.into_iter().map(|(template_id, _)| RemovedTemplate {
            template_id: template_id.0,
        });
        writes.statement::<Self>(REMOVE, removed);
        writes.statement::<Self>(CHANGE, changed);
        writes.statement::<Self>(ADD, added);
    }
}

impl ChangedTemplate {
    fn of((template_id, change): (WhatsappTemplateId, Change)) -> Self {
        let settings = change.settings.as_ref();
        let text = |part: fn(&TemplateSettings) -> &String| settings.map(part).cloned();
        Self {
            template_id: template_id.0,
            name: text(|settings| &settings.name),
            locale: text(|settings| &settings.locale),
            body: text(|settings| &settings.body),
            line_id: settings.map(|settings| settings.line_id.0),
            created_at: change.created_at,
            version: change.version,
        }
    }
}

/// Every template, ordered by name, locale and age.
///
/// # Errors
///
/// The database's error.
pub async fn all(executor: impl PgExecutor<'_>) -> Result<Vec<WhatsappTemplateRow>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT template_id, name, locale, body, line_id, created_at, version
           FROM whatsapp_templates
          ORDER BY name, locale, created_at, template_id"
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| WhatsappTemplateRow {
            template_id: WhatsappTemplateId(row.template_id),
            settings: TemplateSettings {
                name: row.name,
                locale: row.locale,
                body: row.body,
                line_id: LineId(row.line_id),
            },
            created_at: row.created_at,
            version: row.version.cast_unsigned(),
        })
        .collect())
}
