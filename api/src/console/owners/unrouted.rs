//! `/unrouted`: what could not be routed, and routing it again.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::held::HeldReason;
use docket_domain::ids::HeldId;
use docket_projections::ledger::operation::IdempotencyKey;
use docket_projections::read::unrouted::{self, Cause, Cursor, UnroutedRow};
use serde::Deserialize;

use crate::app::App;
use crate::console::pages::{Frame, When};
use crate::console::place::with_query;
use crate::console::session::{Posted, Session};
use crate::console::settings::Tab;
use crate::console::{Console, Failed, go, inbox, page, words};
use crate::http::problem::{Kind, Problem};
use crate::operations::Asked;
use crate::rerouting::{Told, remedy, route_again, told};

/// So many webhooks on a page.
const LIMIT: u32 = 30;
/// So many causes at most; a server with more has one that it should see to first.
const MAX_CAUSES: u32 = 50;
/// So many webhooks are routed by one form; a browser waits for it.
const MAX_AT_ONCE: u32 = 200;

/// What the address says beside its path.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct Asking {
    /// Where the page before ended.
    before: String,
    /// How many were just routed, where some were.
    routed: String,
    /// How many could not be.
    left: String,
    /// The case that got what was routed.
    to: String,
}

impl Asking {
    fn cursor(&self) -> Option<Cursor> {
        let (micros, held_id) = self.before.split_once('.')?;
        // Postgres knows no time before 4713 BC; a cursor is never from before 1970.
        let micros = micros.parse().ok().filter(|micros| *micros >= 0)?;
        Some(Cursor {
            received_at: DateTime::from_timestamp_micros(micros)?,
            held_id: held_id.parse().ok()?,
        })
    }

    /// What was just done; the case that it went to.
    fn outcome(&self) -> (String, Option<u32>) {
        let count = |text: &str| text.parse::<u32>().ok();
        match (count(&self.routed), count(&self.left)) {
            (Some(routed), left) => (
                words::routed(routed, left.unwrap_or_default()),
                count(&self.to),
            ),
            (None, _) => (String::new(), None),
        }
    }
}

struct CauseEntry {
    heading: String,
    advice: &'static str,
    count: u64,
    oldest: When,
    newest: When,
    kind: &'static str,
    reason: &'static str,
    detail: String,
    to: String,
}

struct WebhookEntry {
    action: String,
    what: &'static str,
    why: String,
    from: Option<String>,
    to: Option<String>,
    said: Option<String>,
    carried: &'static str,
    at: Option<When>,
    remedy: &'static str,
    came: When,
    /// How long ago it came.
    age: String,
    /// Where a line with that number can be added, where that is what is missing.
    add_line: Option<(String, String)>,
    excerpt: String,
}

impl WebhookEntry {
    fn of(row: UnroutedRow, told: Told, now: DateTime<Utc>) -> Self {
        let add_line = line_to_add(&row, told.to.as_deref());
        Self {
            action: format!("/unrouted/{}/route", row.held_id),
            what: words::webhook_kind(told.kind),
            why: words::sentence(&row.detail),
            from: told.from.map(|number| inbox::plus(&number)),
            to: told.to.map(|number| inbox::plus(&number)),
            said: told.said,
            carried: told.what.unwrap_or_default(),
            at: told.at.map(|at| When::of(at, now)),
            remedy: told.remedy,
            came: When::of(row.received_at, now),
            age: words::ago(now - row.received_at),
            add_line,
            excerpt: row.excerpt.0,
        }
    }
}

/// The form for the line that is missing, with its number in it, and what its link says.
fn line_to_add(row: &UnroutedRow, to: Option<&str>) -> Option<(String, String)> {
    let to = to.filter(|_| row.reason == HeldReason::UnknownLine)?;
    // The reason names the channel: `no sms line has that number`.
    let channel = row.detail.split_whitespace().find_map(Channel::from_name);
    let mut pairs = vec![("number", to)];
    pairs.extend(channel.map(|channel| ("channel", channel.as_str())));
    let words = format!("{} {}", words::ADD_LINE, inbox::plus(to));
    Some((with_query("/lines/new", &pairs), words))
}

#[derive(Template)]
#[template(path = "console/owners/unrouted.html")]
struct Unrouted {
    frame: Frame,
    tab: Tab,
    outcome: String,
    outcome_case: Option<u32>,
    refusal: String,
    causes: Vec<CauseEntry>,
    webhooks: Vec<WebhookEntry>,
    older: Option<String>,
    newest: bool,
    once: String,
}

/// What waits to be routed.
pub(super) async fn list(
    State(Console { app, .. }): State<Console>,
    Query(asking): Query<Asking>,
    session: Session,
) -> Result<Response, Failed> {
    with(&app, &session, &asking, StatusCode::OK, String::new()).await
}

async fn with(
    app: &App,
    session: &Session,
    asking: &Asking,
    status: StatusCode,
    refusal: String,
) -> Result<Response, Failed> {
    let frame = Frame::of(app, session);
    let now = (app.clock)();
    let causes = unrouted::causes(&app.pool, MAX_CAUSES).await?;
    let causes = causes.into_iter().map(|waiting| CauseEntry {
        heading: words::cause(&waiting.cause),
        advice: remedy(waiting.cause.reason),
        count: waiting.count,
        oldest: When::of(waiting.oldest_at, now),
        newest: When::of(waiting.newest_at, now),
        kind: waiting.cause.kind.as_str(),
        reason: waiting.cause.reason.as_str(),
        detail: waiting.cause.detail,
        to: waiting.cause.to.map_or_else(String::new, |to| to.0),
    });
    let cursor = asking.cursor();
    let mut rows = unrouted::page(&app.pool, cursor, LIMIT + 1).await?;
    let has_more = rows.len() > LIMIT as usize;
    rows.truncate(LIMIT as usize);
    let older = rows.last().filter(|_| has_more).map(|last| {
        let place = format!("{}.{}", last.received_at.timestamp_micros(), last.held_id);
        with_query("/unrouted", &[("before", &place)])
    });
    let mut webhooks = Vec::with_capacity(rows.len());
    for row in rows {
        let told = told(app, &row).await?;
        webhooks.push(WebhookEntry::of(row, told, now));
    }
    let (outcome, outcome_case) = asking.outcome();
    let template = Unrouted {
        frame,
        tab: Tab::Unrouted,
        outcome,
        outcome_case,
        refusal,
        causes: causes.collect(),
        webhooks,
        older,
        newest: cursor.is_some(),
        once: (app.new_id)().to_string(),
    };
    Ok(page(status, &template))
}

/// Routes one again.
pub(super) async fn route(
    State(Console { app, .. }): State<Console>,
    Path(held_id): Path<String>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let routed = match held_id.parse::<HeldId>() {
        Ok(held_id) => route_again(&app, held_id, posted.asked(&session)).await,
        Err(_) => Err(Problem::not_found(words::NO_SUCH_WEBHOOK)),
    };
    match routed {
        Ok(references) => {
            let to = references.first().map(ToString::to_string);
            let mut pairs = vec![("routed", "1")];
            pairs.extend(to.as_deref().map(|to| ("to", to)));
            Ok(go(&with_query("/unrouted", &pairs)))
        }
        Err(problem) => refused(&app, &session, problem).await,
    }
}

async fn refused(app: &App, session: &Session, problem: Problem) -> Result<Response, Failed> {
    let sentence = words::refusal(&problem);
    let status = problem.into_response().status();
    with(app, session, &Asking::default(), status, sentence).await
}

/// Routes all of one cause again, in the order in which they came.
pub(super) async fn route_all(
    State(Console { app, .. }): State<Console>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let field = |name| posted.field(name);
    let cause = Cause::from_names(field("kind"), field("reason"), field("detail"), field("to"));
    let Some(cause) = cause else {
        return refused(&app, &session, Problem::not_found(words::NO_SUCH_WEBHOOK)).await;
    };
    let waiting = unrouted::of_cause(&app.pool, &cause, MAX_AT_ONCE).await?;
    let asked = posted.asked(&session);
    let (mut routed, mut left) = (0_u32, 0_u32);
    for held_id in waiting {
        match route_again(&app, held_id, one_of(&asked, held_id)).await {
            Ok(_) => routed += 1,
            // Somebody else was faster, which is as good.
            Err(problem) if problem.kind() == Kind::AlreadyRouted => routed += 1,
            Err(problem) if problem.kind() == Kind::NotRoutable => left += 1,
            Err(problem) => return refused(&app, &session, problem).await,
        }
    }
    let (routed, left) = (routed.to_string(), left.to_string());
    Ok(go(&with_query(
        "/unrouted",
        &[("routed", &routed), ("left", &left)],
    )))
}

/// The same request for one of many, so that the form's number stands for each of them apart.
fn one_of(asked: &Asked, held_id: HeldId) -> Asked {
    let idempotency = asked.idempotency.as_ref().map(|key| IdempotencyKey {
        key: format!("{}-{}", key.key, held_id.0.simple()),
        ..key.clone()
    });
    Asked {
        idempotency,
        ..asked.clone()
    }
}
