//! Automatic texts and `WhatsApp` templates in words.

use docket_domain::automatic::Occasion;
use docket_domain::line::AutomaticTexts;
use docket_domain::office_hours::{OfficeHours, OpenSpan};
use docket_domain::whatsapp_template::{SentTemplate, TemplateSettings, WhatsappTemplateEvent};

use super::quoted;

/// Who wrote an automatic text, and why.
pub(super) const fn automatic(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::SeveralCases => "The automatic reply for several open cases was written:",
        Occasion::NewRequested => "The automatic answer to #0 was written:",
        Occasion::Greeting => "The automatic greeting of a new case was written:",
        Occasion::OutOfHours { .. } => "The automatic text outside of office hours was written:",
    }
}

/// As which template a message is sent.
pub(super) fn as_template(template: &SentTemplate) -> String {
    let SentTemplate { name, locale, .. } = template;
    format!(", as the template {} ({locale})", quoted(name))
}

pub(super) fn of_template(event: &WhatsappTemplateEvent) -> String {
    let described = |settings: &TemplateSettings| {
        let TemplateSettings {
            name, locale, body, ..
        } = settings;
        format!("{} ({locale}): {}", quoted(name), quoted(body))
    };
    match event {
        WhatsappTemplateEvent::WhatsappTemplateAdded { settings, .. } => {
            format!("The WhatsApp template {} was added", described(settings))
        }
        WhatsappTemplateEvent::WhatsappTemplateChanged { settings } => {
            format!("The WhatsApp template is now {}", described(settings))
        }
        WhatsappTemplateEvent::WhatsappTemplateRemoved {} => {
            "The WhatsApp template was removed".to_owned()
        }
    }
}

/// What a line says beside the reply for several open cases; empty where that is nothing.
pub(super) fn texts(texts: &AutomaticTexts) -> String {
    let AutomaticTexts {
        greeting,
        new_requested,
        office_hours,
        opt_out_confirmation,
    } = texts;
    let text = |name: &str, text: &Option<String>| {
        text.as_deref().map_or_else(String::new, |text| {
            format!(", with {name} {}", quoted(text))
        })
    };
    let office = office_hours.as_ref().map_or_else(String::new, office);
    format!(
        "{}{}{office}{}",
        text("the greeting", greeting),
        text("the answer to #0", new_requested),
        text("the confirmation of an opt-out", opt_out_confirmation),
    )
}

fn office(hours: &OfficeHours) -> String {
    let OfficeHours {
        hours,
        holidays,
        text,
    } = hours;
    let spans: Vec<String> = hours.iter().map(span).collect();
    let holidays = match holidays.as_slice() {
        [] => String::new(),
        [only] => format!(" but for {only}"),
        [first, .., last] => format!(
            " but for {} holidays from {first} to {last}",
            holidays.len()
        ),
    };
    format!(
        ", with office hours {}{holidays} and {} outside of them",
        spans.join(", "),
        quoted(text)
    )
}

fn span(span: &OpenSpan) -> String {
    let OpenSpan { day, opens, closes } = span;
    format!("{} {opens}-{closes}", day.as_str())
}
