//! Templates of frequent answers beside the reply box.
//!
//! Without the script the page is loaded again with the chosen answer as the draft; the script puts that answer where one writes.

use docket_domain::survey::Template;
use docket_domain::text::template::{Places, fill};
use docket_projections::read::cases::CaseRow;

use super::pages::Choice;
use super::place::Place;
use super::session::Session;

/// The list of answers to choose from.
pub(super) struct Answers {
    /// The case's address.
    pub(super) action: String,
    /// The rest of it: which list is shown beside the case.
    pub(super) place: Vec<(String, String)>,
    pub(super) choices: Vec<Choice>,
}

impl Answers {
    pub(super) fn of(templates: &[Template], row: &CaseRow, place: &Place) -> Self {
        let choices = templates.iter().map(|template| Choice {
            name: template.name.clone(),
            value: template.name.clone(),
            is_current: template.name == place.template,
        });
        Self {
            action: format!("/cases/{}", row.reference),
            place: place.pairs(),
            choices: choices.collect(),
        }
    }
}

/// The answer that the address names, filled; empty where it names none.
pub(super) fn draft(
    templates: &[Template],
    row: &CaseRow,
    name: Option<&str>,
    session: &Session,
    place: &Place,
) -> String {
    let chosen = templates
        .iter()
        .find(|template| template.name == place.template);
    let places = Places {
        name: name.unwrap_or_default(),
        reference: &format!("#{}", row.reference),
        agent: session.shown(),
    };
    chosen.map_or_else(String::new, |template| fill(&template.text, places))
}
