//! Kept webhooks: what they say, as Docket reads them today, and routing them again once the cause is mended: the line was added, or
//! Docket has learnt what it did not know.

use chrono::{DateTime, Utc};
use docket_domain::held::{HeldBody, HeldReason, WebhookKind};
use docket_domain::ids::{HeldId, Reference};
use docket_projections::DatabaseError;
use docket_projections::ledger::operation::{Answer, LedgerError, Operation};
use docket_projections::read::unrouted::{self, UnroutedRow};

use crate::app::App;
use crate::http::problem::{Kind, Problem};
use crate::operations::Asked;
use crate::operations::held::RouteHeld;
use crate::operations::status::RouteHeldStatus;
use crate::vonage::payload::{self, Undecodable, Webhook};
use crate::webhooks;

/// How much of what was said stands in a list, in characters.
const SAID_CHARS: usize = 2_000;

/// Routes a kept webhook; gives the cases that got what it carries, ordered.
///
/// # Errors
///
/// A problem: there is no such webhook, it was routed, or its cause is still there.
pub async fn route_again(
    app: &App,
    held_id: HeldId,
    asked: Asked,
) -> Result<Vec<Reference>, Problem> {
    let kept = unrouted::find(&app.pool, held_id).await?;
    let kept = kept.ok_or_else(|| {
        Problem::not_found("there is no such unrouted webhook; GET /api/v1/unrouted lists them")
    })?;
    let body = bytes(kept.body.0).map_err(|error| Problem::internal().caused_by(&error))?;
    let unreadable = |undecodable: Box<Undecodable>| {
        Problem::new(
            Kind::NotRoutable,
            format!("it still cannot be read: {undecodable}"),
        )
    };
    // What it is, its content tells; where it came in, or what an earlier version took it for, matters only where it does not.
    let reading = payload::read(&body, Some(kept.row.kind), kept.row.received_at);
    match reading.webhook.map_err(unreadable)? {
        Webhook::Inbound(inbound) => {
            let ids = webhooks::fresh_ids(app);
            let operation = RouteHeld {
                held_id,
                inbound,
                ids,
                asked,
            };
            Ok(submit(app, operation).await?.references)
        }
        Webhook::Status(status) => {
            let operation = RouteHeldStatus {
                held_id,
                status,
                asked,
            };
            Ok(submit(app, operation).await?.references)
        }
    }
}

fn bytes(body: HeldBody) -> Result<Vec<u8>, hex::FromHexError> {
    match body {
        HeldBody::Text(text) => Ok(text.into_bytes()),
        HeldBody::Hex(digits) => hex::decode(digits),
    }
}

/// What a kept webhook says, read today; it can be read better than on the day when it came.
pub struct Told {
    /// What it is, told by its content.
    pub kind: WebhookKind,
    /// Vonage's id of the message, where it can be read.
    pub provider_id: Option<String>,
    /// Our number, where it can be read.
    pub to: Option<String>,
    /// The outside number, where it can be read.
    pub from: Option<String>,
    /// What the person said, as much of it as an excerpt has.
    pub said: Option<String>,
    /// What came, in a word: the kind of content, or the status.
    pub what: Option<&'static str>,
    /// Vonage's time, where it can be read.
    pub at: Option<DateTime<Utc>>,
    /// What an owner can do about it.
    pub remedy: &'static str,
}

/// Reads a kept webhook for a list.
///
/// # Errors
///
/// The database's error, where a body too long for the list could not be had.
pub async fn told(app: &App, row: &UnroutedRow) -> Result<Told, DatabaseError> {
    let body = match &row.body {
        Some(body) => Some(body.0.clone()),
        None => unrouted::find(&app.pool, row.held_id)
            .await?
            .map(|kept| kept.body.0),
    };
    // Digits that are no bytes cannot be read, as anything else that is no webhook.
    let body = body.and_then(|body| bytes(body).ok()).unwrap_or_default();
    Ok(told_by(row, &body))
}

fn told_by(row: &UnroutedRow, body: &[u8]) -> Told {
    let reading = payload::read(body, Some(row.kind), row.received_at);
    let mut told = Told {
        kind: reading.kind,
        provider_id: row.provider_id.clone(),
        to: row.to.clone().map(|number| number.0),
        from: row.from.clone().map(|number| number.0),
        said: None,
        what: None,
        at: None,
        remedy: remedy(row.reason),
    };
    let is_readable = reading.webhook.is_ok();
    let (provider_id, to, from) = match reading.webhook {
        Ok(Webhook::Inbound(inbound)) => {
            told.said = inbound.content.said().map(str::to_owned);
            told.what = Some(inbound.content.label());
            told.at = (!inbound.at_is_arrival).then_some(inbound.at);
            (
                Some(inbound.provider_id),
                Some(inbound.to),
                Some(inbound.from),
            )
        }
        Ok(Webhook::Status(status)) => {
            told.what = Some(status.status.as_str());
            told.at = (!status.at_is_arrival).then_some(status.at);
            (Some(status.message().to_owned()), None, None)
        }
        Err(undecodable) => {
            told.said = undecodable.said;
            told.at = undecodable.at;
            (undecodable.provider_id, undecodable.to, undecodable.from)
        }
    };
    told.provider_id = told.provider_id.or(provider_id);
    told.to = told.to.or(to);
    told.from = told.from.or(from);
    if let Some(said) = &mut told.said
        && let Some((end, _)) = said.char_indices().nth(SAID_CHARS)
    {
        said.truncate(end);
    }
    if is_readable
        && matches!(
            row.reason,
            HeldReason::Undecodable | HeldReason::UnknownType
        )
    {
        told.remedy = "Docket can read it now. Route it again.";
    }
    told
}

/// What an owner can do about a cause.
pub const fn remedy(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::UnknownLine => {
            "Add a line with that number and channel, then route them again. They go where they would have gone, in the order in which they came."
        }
        HeldReason::Undecodable => {
            "Vonage left out what Docket needs to place a message: its channel, recipient, sender or id. Look at the webhook as it came, and answer the sender by hand. If it says that it was read but could not be recorded, look at the server's log, then route it again."
        }
        HeldReason::UnknownType => {
            "Docket has no lines of that channel, or does not know that status. Look at Vonage's settings for whether the channel's webhooks are meant for Docket."
        }
        HeldReason::UnknownMessage => {
            "Another program may send with the same Vonage application. If Docket sent them, route them again; otherwise leave them."
        }
        HeldReason::TooManyOpenCases => {
            "Look for the sender's number in the inbox and close the cases that are done with, then route them again. They go where they would have gone, in the order in which they came."
        }
    }
}

async fn submit<O: Operation>(app: &App, operation: O) -> Result<O::Output, Problem>
where
    Problem: From<LedgerError<O::Refusal>>,
{
    match app.ledger.submit(operation).await? {
        Answer::Done(output) | Answer::Repeated(output) => Ok(output),
        // Only what has a receipt is a duplicate, and routing again has none.
        Answer::Duplicate => Err(Problem::internal()),
    }
}
