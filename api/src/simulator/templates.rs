//! WhatsApp templates in the simulated account: their form in a call, and what arrives on the phone.

use docket_domain::whatsapp_template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AcceptedTemplate;
use super::account::Account;

/// A template as WhatsApp approved it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SimulatedTemplate {
    /// Its name.
    pub name: String,
    /// Its locale.
    pub locale: String,
    /// What it says, with `{{1}}`, `{{2}}` and so on.
    pub body: String,
}

/// The template of a call whose form was checked.
pub(super) fn read(body: &Value) -> AcceptedTemplate {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parameters = body["template"]["parameters"].as_array();
    AcceptedTemplate {
        name: text(&body["template"]["name"]),
        locale: text(&body["whatsapp"]["locale"]),
        parameters: parameters.into_iter().flatten().map(text).collect(),
    }
}

/// What arrives; an error with Vonage's code where the parameters do not fit a template that the account knows.
pub(super) fn arriving(account: &Account, template: &AcceptedTemplate) -> Result<String, u32> {
    let AcceptedTemplate {
        name,
        locale,
        parameters,
    } = template;
    let state = account.state();
    let mut known = state.templates.iter();
    match known.find(|known| known.name == *name && known.locale == *locale) {
        Some(known) => {
            whatsapp_template::render(&known.body, parameters).map_err(|_| WRONG_PARAMETERS)
        }
        None if parameters.is_empty() => Ok(format!("{name} ({locale})")),
        None => Ok(format!("{name} ({locale}): {}", parameters.join(", "))),
    }
}

/// Vonage's code for a template that is sent with other parameters than it has.
const WRONG_PARAMETERS: u32 = 1022;

/// What is wrong with the form of a template, in Vonage's form.
pub(super) fn invalid_parameters(body: &Value) -> Vec<Value> {
    let mut invalid_parameters = vec![];
    let mut invalid = |name: &str, reason: &str| {
        invalid_parameters.push(json!({"name": name, "reason": reason}));
    };
    let is_given = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    if !is_given(&body["template"]["name"]) {
        invalid("template.name", "is required.");
    }
    let parameters = &body["template"]["parameters"];
    let are_strings = |items: &Vec<Value>| items.iter().all(Value::is_string);
    if !parameters.is_null() && !parameters.as_array().is_some_and(are_strings) {
        invalid("template.parameters", "must be a list of strings.");
    }
    if !is_given(&body["whatsapp"]["locale"]) {
        invalid("whatsapp.locale", "is required.");
    }
    let policy = &body["whatsapp"]["policy"];
    if !policy.is_null() && policy != "deterministic" {
        invalid("whatsapp.policy", "must be deterministic.");
    }
    if !body["text"].is_null() {
        invalid("text", "is not possible with a template.");
    }
    invalid_parameters
}
