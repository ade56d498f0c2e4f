//! Creating and changing surveys.

use docket_domain::event::StreamId;
use docket_domain::ids::SurveyId;
use docket_domain::survey::{SurveyCommand, SurveyError, SurveySettings};
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
            SurveyCommand::Change { settings }
        };
        let survey = scope.survey(survey_id).cloned().unwrap_or_default();
        Ok(Decided::on(
            StreamId::Survey(survey_id),
            survey.decide(command)?,
            survey_id,
        ))
    }
}
