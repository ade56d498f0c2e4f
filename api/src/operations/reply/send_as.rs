//! As what a message goes out: free text, or a `WhatsApp` template.

use std::fmt;

use docket_domain::channel::Channel;
use docket_domain::ids::ContactId;
use docket_domain::personal::Personal;
use docket_domain::text::normalise;
use docket_domain::whatsapp_template::{self, SentTemplate};
use docket_domain::window::takes_free_text;
use docket_projections::ledger::scope::Scope;
use docket_projections::settings::LineSnapshot;

use super::ReplyError;

/// As what a message goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SendAs {
    /// As free text, where the channel takes it.
    #[default]
    Text,
    /// As free text, though `WhatsApp`'s window is closed.
    TextOutsideWindow,
    /// As a `WhatsApp` template, which is all that is said.
    Template(TemplateChoice),
}

/// A template that is to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct TemplateChoice {
    /// Its name.
    pub name: String,
    /// Its locale.
    pub locale: String,
    /// What stands in the places of its body, in order.
    pub parameters: Vec<String>,
}

impl fmt::Debug for TemplateChoice {
    /// Without the parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateChoice")
            .field("name", &self.name)
            .field("locale", &self.locale)
            .finish_non_exhaustive()
    }
}

/// What a message says, as written and as it is sent.
pub(super) struct Wording {
    pub(super) text: String,
    /// `None` where the reference may be appended.
    pub(super) template: Option<Box<SentTemplate>>,
}

impl SendAs {
    /// What is said: the text that was typed, or what the template says.
    pub(super) fn wording(
        &self,
        scope: &Scope<'_>,
        line: &LineSnapshot,
        typed: &str,
    ) -> Result<Wording, ReplyError> {
        let Self::Template(choice) = self else {
            return Ok(Wording {
                text: normalise::typed(typed).into_owned(),
                template: None,
            });
        };
        if line.channel != Channel::Whatsapp {
            return Err(ReplyError::NotWhatsapp);
        }
        let normal = |text: &str| normalise::typed(text).into_owned();
        let (name, locale) = (normal(&choice.name), normal(&choice.locale));
        let template = scope
            .settings()
            .template(line.line_id, &name, &locale)
            .ok_or(ReplyError::NoTemplate)?;
        let parameters: Vec<String> = choice.parameters.iter().map(|text| normal(text)).collect();
        Ok(Wording {
            text: whatsapp_template::render(&template.body, &parameters)?,
            template: Some(Box::new(SentTemplate {
                name,
                locale,
                parameters: Personal(parameters),
            })),
        })
    }

    /// Refuses free text that `WhatsApp` would not take, unless it is to be sent anyway.
    pub(super) fn check_window(
        &self,
        scope: &Scope<'_>,
        contact_id: ContactId,
        line: &LineSnapshot,
    ) -> Result<(), ReplyError> {
        let last_inbound = scope.window(contact_id, line.line_id);
        if *self == Self::Text && !takes_free_text(line.channel, last_inbound, scope.now()) {
            return Err(ReplyError::WindowClosed);
        }
        Ok(())
    }
}
