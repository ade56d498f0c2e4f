//! Adding, changing and removing lines, and stopping and resuming their sending.

use docket_domain::channel::Channel;
use docket_domain::event::StreamId;
use docket_domain::ids::LineId;
use docket_domain::line::{LineCommand, LineError};
use docket_projections::ledger::operation::{Decided, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;

use super::Administrator;

/// A command to a line.
#[derive(Clone, Debug)]
pub struct ChangeLine {
    /// The line.
    pub line_id: LineId,
    /// What is asked of it.
    pub command: LineCommand,
    /// Who asks.
    pub by: Administrator,
}

/// Why a line was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeLineError {
    /// The line refuses.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Another line has the number on that channel.
    #[error("another {0} line has that number")]
    NumberTaken(Channel),
    /// The survey is not there.
    #[error("survey_id names no survey")]
    NoSurvey,
}

impl Operation for ChangeLine {
    type Output = LineId;
    type Refusal = ChangeLineError;

    fn metadata(&self) -> Metadata {
        self.by.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            streams: vec![StreamId::Line(self.line_id)],
            idempotency: self.by.idempotency(),
            ..Needs::default()
        }
    }

    fn decide(&self, scope: &Scope<'_>) -> Result<Decided<LineId>, ChangeLineError> {
        if let LineCommand::Add {
            number, channel, ..
        } = &self.command
            && scope.settings().line_of(number, *channel).is_some()
        {
            return Err(ChangeLineError::NumberTaken(*channel));
        }
        if let LineCommand::Add { settings, .. } | LineCommand::Change { settings, .. } =
            &self.command
            && scope.settings().survey(settings.survey_id).is_none()
        {
            return Err(ChangeLineError::NoSurvey);
        }
        let line = scope.line(self.line_id).cloned().unwrap_or_default();
        Ok(Decided::on(
            StreamId::Line(self.line_id),
            line.decide(self.command.clone())?,
            self.line_id,
        ))
    }
}
