//! The WhatsApp template of the demonstration, which Docket and the simulated Vonage know.

use docket_domain::ids::{LineId, WhatsappTemplateId};
use docket_domain::whatsapp_template::{TemplateSettings, WhatsappTemplateCommand};

use super::submit;
use crate::app::App;
use crate::operations::Administrator;
use crate::operations::whatsapp_template::ChangeWhatsappTemplate;
use crate::simulator::SimulatedTemplate;

const NAME: &str = "appointment_reminder";
const LOCALE: &str = "en";
const BODY: &str = "Hello {{1}}, we see you on {{2}}. Please write to us here if you cannot come.";

/// Adds it to Docket.
pub(super) async fn add(app: &App, line_id: LineId) -> anyhow::Result<()> {
    let template_id = WhatsappTemplateId((app.new_id)());
    let settings = TemplateSettings {
        name: NAME.to_owned(),
        locale: LOCALE.to_owned(),
        body: BODY.to_owned(),
        line_id,
    };
    let operation = ChangeWhatsappTemplate {
        template_id,
        command: WhatsappTemplateCommand::Add {
            template_id,
            settings,
        },
        by: Administrator::System,
    };
    submit(app, operation).await.map(drop)
}

/// The same as `WhatsApp` approved it.
pub(super) fn approved() -> SimulatedTemplate {
    SimulatedTemplate {
        name: NAME.to_owned(),
        locale: LOCALE.to_owned(),
        body: BODY.to_owned(),
    }
}
