//! The surveys, lines and labels, kept in memory.
//!
//! Every decision is made on a snapshot that the transaction has found to be the newest: `log_state.settings_position` says at
//! which position settings last changed.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use docket_domain::channel::Channel;
use docket_domain::ids::{LabelId, LineId, SurveyId};
use docket_domain::label::{self, Label};
use docket_domain::line::{AutomaticTexts, HaltReason};
use docket_domain::office_hours::TimeZone;
use docket_domain::survey::{StatusQuestion, SurveySettings};
use docket_domain::whatsapp_template::TemplateSettings;
use futures_util::FutureExt as _;
use sqlx::{PgConnection, PgExecutor};

use crate::read::labels::LabelRow;
use crate::read::surveys::SurveyRow;
use crate::read::whatsapp_templates::WhatsappTemplateRow;
use crate::read::{labels, lines, surveys, whatsapp_templates};

/// A snapshot of the surveys, lines and labels.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The position of the event that last changed any of them.
    pub position: i64,
    surveys: HashMap<SurveyId, SurveySettings>,
    lines: HashMap<LineId, LineSnapshot>,
    by_number: HashMap<Channel, HashMap<String, LineId>>,
    removed: HashMap<LineId, Channel>,
    rows: Vec<SurveyRow>,
    labels: Vec<LabelRow>,
    templates: Vec<WhatsappTemplateRow>,
}

/// At which position settings last changed.
pub(crate) async fn newest_position(executor: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("SELECT settings_position FROM log_state")
        .fetch_one(executor)
        .await
}

/// Keeps these settings, unless somebody has stored still newer ones meanwhile.
pub(crate) fn keep_newest(kept: &ArcSwap<Settings>, settings: Settings) {
    let settings = Arc::new(settings);
    kept.rcu(|now| {
        if now.position < settings.position {
            Arc::clone(&settings)
        } else {
            Arc::clone(now)
        }
    });
}

/// A line, as far as routing and sending need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineSnapshot {
    /// Its id.
    pub line_id: LineId,
    /// Our number.
    pub number: String,
    /// Its channel.
    pub channel: Channel,
    /// The survey that gets its messages.
    pub survey_id: SurveyId,
    /// The automatic reply for several open cases.
    pub multi_case_reply: Option<String>,
    /// The other automatic texts.
    pub automatic: AutomaticTexts,
    /// Why its sending stands still, if it does.
    pub halted: Option<HaltReason>,
}

impl Settings {
    /// Reads the settings as the transaction sees them.
    ///
    /// # Errors
    ///
    /// The database's error, also where a row is broken.
    pub async fn load(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let position = newest_position(&mut *conn).await?;
        let mut settings = Self {
            position,
            ..Self::default()
        };
        settings.rows = surveys::all(&mut *conn).boxed().await?;
        for row in &settings.rows {
            let known = row.settings.clone();
            settings.surveys.insert(row.survey_id, known);
        }
        let line_rows = lines::all(&mut *conn).boxed().await?;
        for row in line_rows {
            let by_number = settings.by_number.entry(row.channel).or_default();
            by_number.insert(row.number.clone(), row.line_id);
            settings.lines.insert(
                row.line_id,
                LineSnapshot {
                    line_id: row.line_id,
                    number: row.number,
                    channel: row.channel,
                    survey_id: row.survey_id,
                    multi_case_reply: row.multi_case_reply,
                    automatic: row.automatic,
                    halted: row.halted,
                },
            );
        }
        settings.templates = whatsapp_templates::all(&mut *conn).boxed().await?;
        let removed = lines::channels_of_removed(&mut *conn).boxed().await?;
        settings.removed.extend(removed);
        settings.labels = labels::all(&mut *conn).boxed().await?;
        Ok(settings)
    }

    /// A survey's settings.
    pub fn survey(&self, id: SurveyId) -> Option<&SurveySettings> {
        self.surveys.get(&id)
    }

    /// Every survey, with its templates of answers, ordered by name.
    pub fn survey_rows(&self) -> &[SurveyRow] {
        &self.rows
    }

    /// Every label, ordered by name.
    pub fn labels(&self) -> impl Iterator<Item = &Label> {
        self.labels.iter().map(|row| &row.label)
    }

    /// A label that is not deleted.
    pub fn label(&self, id: LabelId) -> Option<&Label> {
        self.labels().find(|label| label.label_id == id)
    }

    /// The label of that name, in whatever case.
    pub fn label_named(&self, name: &str) -> Option<&Label> {
        let sought = label::key(name);
        self.labels()
            .find(|label| label::key(&label.name) == sought)
    }

    /// A line that is not removed.
    pub fn line(&self, id: LineId) -> Option<&LineSnapshot> {
        self.lines.get(&id)
    }

    /// The line of that number and channel.
    pub fn line_of(&self, number: &str, channel: Channel) -> Option<&LineSnapshot> {
        self.lines.get(self.by_number.get(&channel)?.get(number)?)
    }

    /// The line from which somebody is answered who last wrote to the line `line_id`, in a case of that survey that began on
    /// `channel`. It is that very line; where it was removed, the survey's only line of its channel takes its place, as when the
    /// number was added anew. Of a line that nobody knows, `channel` is taken.
    pub fn line_to_answer_from(
        &self,
        survey_id: SurveyId,
        line_id: LineId,
        channel: Channel,
    ) -> Option<&LineSnapshot> {
        self.line(line_id).or_else(|| {
            let channel = self.removed.get(&line_id).copied().unwrap_or(channel);
            self.only_line(survey_id, channel)
        })
    }

    fn only_line(&self, survey_id: SurveyId, channel: Channel) -> Option<&LineSnapshot> {
        let mut lines = self
            .lines()
            .filter(|line| line.survey_id == survey_id && line.channel == channel);
        lines.next().filter(|_| lines.next().is_none())
    }

    /// Every `WhatsApp` template, ordered by name and locale.
    pub fn templates(&self) -> &[WhatsappTemplateRow] {
        &self.templates
    }

    /// The `WhatsApp` template of that name and locale that can be sent from a line.
    pub fn template(&self, line_id: LineId, name: &str, locale: &str) -> Option<&TemplateSettings> {
        self.templates
            .iter()
            .map(|row| &row.settings)
            .find(|template| {
                template.line_id == line_id && template.name == name && template.locale == locale
            })
    }

    /// The time zone of a survey's lines.
    pub fn time_zone(&self, id: SurveyId) -> TimeZone {
        self.surveys
            .get(&id)
            .map(|survey| survey.time_zone.clone())
            .unwrap_or_default()
    }

    /// Every line that is not removed.
    pub fn lines(&self) -> impl Iterator<Item = &LineSnapshot> {
        self.lines.values()
    }

    /// The status question of a survey.
    pub fn status_question(&self, id: SurveyId) -> Option<&StatusQuestion> {
        self.surveys.get(&id).map(|survey| &survey.status)
    }
}
