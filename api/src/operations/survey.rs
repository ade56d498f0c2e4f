//! Creating and changing surveys, and their templates of frequent answers.

use docket_domain::event::StreamId;
use docket_domain::ids::SurveyId;
use docket_domain::survey::{SurveyCommand, SurveyError, SurveySettings, Template};
use docket_projections::ledger::operation::{Decided, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;

use super::Administrator;

/// A survey to be created, or to get other settings.
#[derive(Clone, Debug)]
pub struct SetSurvey {
    /// Its id.
    pub survey_id: SurveyId,
    /// All of its settings.
    pub settings: SurveySettings,
    /// Whether it is a new one.
    pub create: bool,
    /// The version of one that is there, as far as whoever asks knows: what others have changed since stays.
    pub seen: Option<u64>,
    /// Who asks.
    pub by: Administrator,
}

impl Operation for SetSurvey {
    type Output = SurveyId;
    type Refusal = SurveyError;

    fn metadata(&self) -> Metadata {
        self.by.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            streams: vec![StreamId::Survey(self.survey_id)],
            idempotency: self.by.idempotency(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<SurveyId>, SurveyError> {
        let Self { survey_id, .. } = *self;
        let settings = self.settings.clone();
        let command = if self.create {
            SurveyCommand::Create {
                survey_id,
                settings,
            }
        } else {
            let seen = self.seen;
            SurveyCommand::Change { settings, seen }
        };
        let survey = scope.survey(survey_id).cloned().unwrap_or_default();
        Ok(Decided::on(
            StreamId::Survey(survey_id),
            survey.decide(command)?,
            survey_id,
        ))
    }
}

/// What is done with a survey's templates of frequent answers.
#[derive(Clone, Debug)]
pub enum TemplateChange {
    /// These are all of them.
    All(Vec<Template>),
    /// One is added at the end.
    Add(Template),
    /// The one of that name becomes another.
    Replace {
        /// Its name until now.
        name: String,
        /// What it said as far as whoever asks knows: one that others have changed since stays. `None` to replace it whatever it says.
        was: Option<String>,
        /// What it is from now on.
        template: Template,
    },
    /// The one of that name goes; nothing where there is none.
    Remove {
        /// Its name.
        name: String,
    },
}

impl TemplateChange {
    /// Whether somebody else has made something else of the template that is to be replaced.
    fn is_outrun(&self, now: &[Template]) -> bool {
        let Self::Replace {
            name,
            was: Some(was),
            template,
        } = self
        else {
            return false;
        };
        let known = now.iter().find(|known| known.name == *name);
        known.is_some_and(|known| known.text != *was && known.text != template.text)
    }

    /// The templates afterwards. One that somebody else has renamed or removed meanwhile is added anew rather than lost.
    fn of(&self, now: &[Template]) -> Vec<Template> {
        let mut templates = now.to_vec();
        match self {
            Self::All(all) => templates.clone_from(all),
            Self::Add(template) => templates.push(template.clone()),
            Self::Replace { name, template, .. } => {
                match templates.iter_mut().find(|known| known.name == *name) {
                    Some(known) => known.clone_from(template),
                    None => templates.push(template.clone()),
                }
            }
            Self::Remove { name } => templates.retain(|known| known.name != *name),
        }
        templates
    }
}

/// A survey's templates of frequent answers are to be others.
#[derive(Clone, Debug)]
pub struct ChangeTemplates {
    /// The survey.
    pub survey_id: SurveyId,
    /// What is done.
    pub change: TemplateChange,
    /// Who asks.
    pub by: Administrator,
}

impl Operation for ChangeTemplates {
    type Output = ();
    type Refusal = SurveyError;

    fn metadata(&self) -> Metadata {
        self.by.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            streams: vec![StreamId::Survey(self.survey_id)],
            idempotency: self.by.idempotency(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<()>, SurveyError> {
        let survey = scope
            .survey(self.survey_id)
            .ok_or(SurveyError::NotCreated)?;
        if self.change.is_outrun(survey.templates()) {
            return Err(SurveyError::TemplateChangedSince);
        }
        let command = SurveyCommand::ChangeTemplates {
            templates: self.change.of(survey.templates()),
        };
        let stream = StreamId::Survey(self.survey_id);
        Ok(Decided::on(stream, survey.decide(command)?, ()))
    }
}
