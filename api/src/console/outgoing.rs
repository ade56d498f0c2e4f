//! What goes out by `WhatsApp`: free text outside of the window, and templates.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use docket_domain::channel::Channel;
use docket_domain::ids::{LineId, MessageId};
use docket_domain::whatsapp_template::{MAX_PARAMETERS, parameter_count};
use docket_projections::settings::{LineSnapshot, Settings};

use super::act::submit;
use super::case::{self, Refused};
use super::case::{no_such_case, reference_of};
use super::pages::Choice;
use super::place::Place;
use super::session::{Posted, Session};
use super::{Console, Failed, go, inbox, words};
use crate::operations::reply::{Reply, SendAs, TemplateChoice};

/// So many templates a reply box or a form offers.
const MAX_OFFERED: usize = 100;

/// A template that a reply can be.
pub(super) struct Offer {
    pub(super) name: String,
    pub(super) locale: String,
    pub(super) body: String,
    pub(super) parameters: Vec<Parameter>,
    /// Whether it was chosen, and not sent.
    pub(super) is_typed: bool,
}

/// A parameter of a template: what its field is called, and what was typed into it.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) field: String,
    pub(super) value: String,
}

/// The templates of the line that a case is answered from; none where it is no line of `WhatsApp`.
pub(super) fn offers(settings: &Settings, line: Option<&LineSnapshot>) -> Vec<Offer> {
    let Some(line) = line.filter(|line| line.channel == Channel::Whatsapp) else {
        return vec![];
    };
    let rows = settings.templates().iter();
    rows.filter(|row| row.settings.line_id == line.line_id)
        .take(MAX_OFFERED)
        .map(|row| Offer {
            name: row.settings.name.clone(),
            locale: row.settings.locale.clone(),
            body: row.settings.body.clone(),
            parameters: (1..=parameter_count(&row.settings.body).unwrap_or_default())
                .map(|number| Parameter {
                    name: words::outgoing::parameter(number),
                    field: format!("parameter-{number}"),
                    value: String::new(),
                })
                .collect(),
            is_typed: false,
        })
        .collect()
}

/// The same with what was typed for one of them, which was refused.
pub(super) fn with_typed(offers: Vec<Offer>, typed: Option<&TemplateChoice>) -> Vec<Offer> {
    let with = |offer: Offer| match typed {
        Some(typed) if typed.name == offer.name && typed.locale == offer.locale => {
            let mut values = typed.parameters.iter().cloned();
            let parameters = offer.parameters.into_iter().map(|parameter| Parameter {
                value: values.next().unwrap_or_default(),
                ..parameter
            });
            Offer {
                parameters: parameters.collect(),
                is_typed: true,
                ..offer
            }
        }
        _ => offer,
    };
    offers.into_iter().map(with).collect()
}

/// The templates that a new case can begin with, of the lines that the person reaches.
pub(super) fn choices(settings: &Settings, session: &Session, chosen: &str) -> Vec<Choice> {
    let reached = |line_id: LineId| {
        let line = settings.line(line_id)?;
        session.access.reaches(line.survey_id).then_some(line)
    };
    let rows = settings.templates().iter();
    rows.filter_map(|row| Some((row, reached(row.settings.line_id)?)))
        .take(MAX_OFFERED)
        .map(|(row, line)| {
            let value = row.template_id.to_string();
            let number = inbox::plus(&line.number);
            let template = &row.settings;
            Choice {
                name: format!(
                    "{} ({}), {number}: {}",
                    template.name, template.locale, template.body
                ),
                is_current: value == chosen,
                value,
            }
        })
        .collect()
}

/// As what the text of a form is to be sent.
pub(super) fn send_as(posted: &Posted) -> SendAs {
    if posted.field("outside_window") == "yes" {
        SendAs::TextOutsideWindow
    } else {
        SendAs::Text
    }
}

/// The same of the form of a new case, which may name a template and have its parameters on a line each.
pub(super) fn begin_as(settings: &Settings, posted: &Posted) -> SendAs {
    let chosen = posted.field("template");
    let row = settings
        .templates()
        .iter()
        .find(|row| row.template_id.to_string() == chosen);
    match row {
        Some(row) => SendAs::Template(TemplateChoice {
            name: row.settings.name.clone(),
            locale: row.settings.locale.clone(),
            parameters: posted
                .field("parameters")
                .lines()
                .map(str::to_owned)
                .collect(),
        }),
        None => send_as(posted),
    }
}

fn parameter(posted: &Posted, number: usize) -> Option<String> {
    let field = format!("parameter-{number}");
    posted.all(&field).next().map(str::to_owned)
}

/// Sends a template as a reply.
pub(super) async fn send_template(
    State(Console { app, .. }): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let Some(reference) = reference_of(&reference) else {
        return Ok(no_such_case());
    };
    let parameters = (1..)
        .map_while(|number| parameter(&posted, number))
        .take(MAX_PARAMETERS);
    let choice = TemplateChoice {
        name: posted.field("name").to_owned(),
        locale: posted.field("locale").to_owned(),
        parameters: parameters.collect(),
    };
    let seen: Option<u64> = posted.field("seen_version").parse().ok();
    let reply = Reply {
        reference,
        text: String::new(),
        media: None,
        send_as: SendAs::Template(choice.clone()),
        // A form without a version has been tampered with; whoever sends it has seen nothing.
        seen_version: Some(seen.unwrap_or_default()),
        message_id: MessageId((app.new_id)()),
        asked: posted.asked(&session),
    };
    match submit(&app, reply).await {
        Ok(_) => {
            let path = format!("/cases/{reference}");
            Ok(go(&place.link_with(&path, &[("done", "replied")])))
        }
        Err(problem) => {
            let refused = Refused {
                seen,
                template: Some(choice),
                ..Refused::default()
            };
            case::refused(&app, &session, &place, reference, problem, refused).await
        }
    }
}
