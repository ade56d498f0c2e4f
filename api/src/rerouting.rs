//! Routing kept webhooks again, once the cause is mended: the line was added, or Docket has learnt what it did not know.

use docket_domain::held::HeldBody;
use docket_domain::ids::{HeldId, Reference};
use docket_projections::ledger::operation::{Answer, LedgerError, Operation};
use docket_projections::read::unrouted;

use crate::app::App;
use crate::http::problem::{Kind, Problem};
use crate::operations::Asked;
use crate::operations::held::RouteHeld;
use crate::operations::status::RouteHeldStatus;
use crate::vonage::payload::{self, Undecodable, Webhook};
use crate::webhooks;

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
    let body = match kept.body.0 {
        HeldBody::Text(text) => text.into_bytes(),
        HeldBody::Hex(digits) => {
            hex::decode(digits).map_err(|error| Problem::internal().caused_by(&error))?
        }
    };
    let unreadable = |undecodable: Undecodable| {
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
