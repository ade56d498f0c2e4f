//! Adding, changing and removing `WhatsApp` templates.

use docket_domain::channel::Channel;
use docket_domain::event::StreamId;
use docket_domain::ids::WhatsappTemplateId;
use docket_domain::whatsapp_template::{
    MAX_TEMPLATES, TemplateError, TemplateSettings, WhatsappTemplateCommand, WhatsappTemplateEvent,
};
use docket_projections::ledger::operation::{Decided, Needs, Operation};
use docket_projections::ledger::scope::Scope;
use docket_projections::log::recorded::Metadata;
use docket_projections::settings::Settings;

use super::Administrator;

/// A command to a template.
#[derive(Clone, Debug)]
pub struct ChangeWhatsappTemplate {
    /// The template.
    pub template_id: WhatsappTemplateId,
    /// What is asked of it.
    pub command: WhatsappTemplateCommand,
    /// Who asks.
    pub by: Administrator,
}

/// Why a template was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeTemplateError {
    /// The template refuses.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The line is not there, or is none of `WhatsApp`.
    #[error("line_id names no WhatsApp line; GET /api/v1/lines lists them")]
    NoLine,
    /// The line has another template of that name and locale.
    #[error("the line has a template of that name in that locale already; change that one")]
    NameTaken,
    /// There are too many.
    #[error("there are {MAX_TEMPLATES} templates; remove one that is not used any more")]
    TooMany,
}

impl ChangeWhatsappTemplate {
    fn check(
        &self,
        settings: &Settings,
        events: &[WhatsappTemplateEvent],
    ) -> Result<(), ChangeTemplateError> {
        let Some(new) = events.iter().find_map(settings_of) else {
            return Ok(());
        };
        let is_whatsapp = settings
            .line(new.line_id)
            .is_some_and(|line| line.channel == Channel::Whatsapp);
        if !is_whatsapp {
            return Err(ChangeTemplateError::NoLine);
        }
        let mut others = settings
            .templates()
            .iter()
            .filter(|row| row.template_id != self.template_id);
        if others.any(|row| row.settings.is_named_as(new)) {
            return Err(ChangeTemplateError::NameTaken);
        }
        let is_new = matches!(self.command, WhatsappTemplateCommand::Add { .. });
        if is_new && settings.templates().len() >= MAX_TEMPLATES {
            return Err(ChangeTemplateError::TooMany);
        }
        Ok(())
    }
}

const fn settings_of(event: &WhatsappTemplateEvent) -> Option<&TemplateSettings> {
    match event {
        WhatsappTemplateEvent::WhatsappTemplateAdded { settings, .. }
        | WhatsappTemplateEvent::WhatsappTemplateChanged { settings } => Some(settings),
        WhatsappTemplateEvent::WhatsappTemplateRemoved {} => None,
    }
}

impl Operation for ChangeWhatsappTemplate {
    type Output = WhatsappTemplateId;
    type Refusal = ChangeTemplateError;

    fn metadata(&self) -> Metadata {
        self.by.metadata()
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            streams: vec![StreamId::WhatsappTemplate(self.template_id)],
            idempotency: self.by.idempotency(),
            ..Needs::default()
        }
    }

    fn decide(
        &self,
        scope: &Scope<'_>,
    ) -> Result<Decided<WhatsappTemplateId>, ChangeTemplateError> {
        let template = scope.whatsapp_template(self.template_id).cloned();
        let events = template.unwrap_or_default().decide(self.command.clone())?;
        self.check(scope.settings(), &events)?;
        Ok(Decided::on(
            StreamId::WhatsappTemplate(self.template_id),
            events,
            self.template_id,
        ))
    }
}
