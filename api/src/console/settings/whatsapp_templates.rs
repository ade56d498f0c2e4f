//! `WhatsApp` templates: one page with all of them, each in a form of its own.

use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use docket_domain::channel::Channel;
use docket_domain::ids::{LineId, WhatsappTemplateId};
use docket_domain::whatsapp_template::{TemplateSettings, WhatsappTemplateCommand};
use docket_projections::read::lines;
use docket_projections::read::whatsapp_templates::{self, WhatsappTemplateRow};
use uuid::Uuid;

use super::{Query, Refusal, Tab, ask, by, done, since};
use crate::app::App;
use crate::console::inbox;
use crate::console::pages::{Choice, Frame};
use crate::console::session::{Posted, Session};
use crate::console::{Console, Failed, page, words};
use crate::operations::whatsapp_template::{ChangeTemplateError, ChangeWhatsappTemplate};

const PATH: &str = "/whatsapp-templates";

#[derive(askama::Template)]
#[template(path = "console/whatsapp_templates.html")]
struct Templates {
    frame: Frame,
    tab: Tab,
    has_lines: bool,
    once: String,
    forms: Vec<Form>,
    new: Form,
}

/// A template in its form.
struct Form {
    /// Empty for a new one.
    id: String,
    action: String,
    version: String,
    name: String,
    locale: String,
    body: String,
    lines: Vec<Choice>,
    refusal: String,
}

impl Form {
    fn of(settings: &TemplateSettings, lines: &[Choice]) -> Self {
        let line_id = settings.line_id.to_string();
        let lines = lines.iter().map(|line| Choice {
            name: line.name.clone(),
            value: line.value.clone(),
            is_current: line.value == line_id,
        });
        Self {
            id: String::new(),
            action: PATH.to_owned(),
            version: String::new(),
            name: settings.name.clone(),
            locale: settings.locale.clone(),
            body: settings.body.clone(),
            lines: lines.collect(),
            refusal: String::new(),
        }
    }

    fn of_row(row: &WhatsappTemplateRow, lines: &[Choice]) -> Self {
        Self {
            id: row.template_id.to_string(),
            action: format!("{PATH}/{}", row.template_id),
            version: row.version.to_string(),
            ..Self::of(&row.settings, lines)
        }
    }
}

/// What a form says.
fn typed(posted: &Posted) -> TemplateSettings {
    let field = |name: &str| posted.field(name).to_owned();
    TemplateSettings {
        name: field("name"),
        locale: field("locale"),
        body: field("body"),
        // A line that nobody has is refused as such.
        line_id: posted.field("line").parse().unwrap_or(LineId(Uuid::nil())),
    }
}

/// A form that was refused: which one, as it was typed, and why.
struct Refused {
    id: String,
    settings: TemplateSettings,
    refusal: Refusal,
}

/// All templates.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    UrlQuery(query): UrlQuery<Query>,
    session: Session,
) -> Result<Response, Failed> {
    let frame = query.frame(&app, &session);
    show(&app, frame, None).await
}

async fn show(app: &App, frame: Frame, refused: Option<Refused>) -> Result<Response, Failed> {
    let lines: Vec<Choice> = lines::all(&app.pool)
        .await?
        .into_iter()
        .filter(|line| line.channel == Channel::Whatsapp)
        .map(|line| Choice {
            name: inbox::plus(&line.number),
            value: line.line_id.to_string(),
            is_current: false,
        })
        .collect();
    let rows = whatsapp_templates::all(&app.pool).await?;
    let mut forms: Vec<Form> = rows.iter().map(|row| Form::of_row(row, &lines)).collect();
    let blank = TemplateSettings {
        name: String::new(),
        locale: String::new(),
        body: String::new(),
        line_id: LineId(Uuid::nil()),
    };
    let mut new = Form::of(&blank, &lines);
    let mut status = StatusCode::OK;
    if let Some(Refused {
        id,
        settings,
        refusal,
    }) = refused
    {
        status = refusal.status;
        let form = forms.iter_mut().find(|form| form.id == id);
        let form = form.unwrap_or(&mut new);
        *form = Form {
            id: form.id.clone(),
            action: form.action.clone(),
            version: form.version.clone(),
            refusal: refusal.sentence,
            ..Form::of(&settings, &lines)
        };
    }
    let template = Templates {
        frame,
        tab: Tab::WhatsappTemplates,
        has_lines: !lines.is_empty(),
        once: (app.new_id)().to_string(),
        forms,
        new,
    };
    Ok(page(status, &template))
}

async fn does(
    app: &App,
    session: &Session,
    posted: &Posted,
    template_id: WhatsappTemplateId,
    command: WhatsappTemplateCommand,
) -> Result<Response, Failed> {
    let operation = ChangeWhatsappTemplate {
        template_id,
        command,
        by: by(posted, session),
    };
    let in_words = |error: &ChangeTemplateError| words::sentence(&error.to_string());
    match ask(app, operation, in_words).await {
        Ok(_) => Ok(done(posted, PATH, "whatsapp-template")),
        Err(refusal) => {
            let refused = Refused {
                id: template_id.to_string(),
                settings: typed(posted),
                refusal,
            };
            show(app, Frame::of(app, session), Some(refused)).await
        }
    }
}

/// Adds a template.
pub(super) async fn add(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let template_id = WhatsappTemplateId((app.new_id)());
    let command = WhatsappTemplateCommand::Add {
        template_id,
        settings: typed(&posted),
    };
    does(&app, &session, &posted, template_id, command).await
}

/// Changes or removes a template.
pub(super) async fn change(
    State(Console { app, .. }): State<Console>,
    Path(template_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let template_id = template_id
        .parse()
        .unwrap_or(WhatsappTemplateId(Uuid::nil()));
    let command = if posted.field("remove") == "yes" {
        WhatsappTemplateCommand::Remove
    } else {
        WhatsappTemplateCommand::Change {
            settings: typed(&posted),
            seen: since::seen(&posted),
        }
    };
    does(&app, &session, &posted, template_id, command).await
}
