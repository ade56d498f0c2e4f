//! The JSON API in process: requests into the router, on a real database and a real ledger.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers too")]

mod accounts;
mod auditor;
mod case_list;
mod cases;
mod deliveries;
mod events;
mod evidence;
mod idempotency;
mod moves;
mod openapi;
mod outgoing;
mod permissions;
mod problems;
mod quotes;
mod reach;
mod reactions;
mod replies;
mod routing;
mod search;
mod settings;
mod support;
mod typed;
mod unrouted;
