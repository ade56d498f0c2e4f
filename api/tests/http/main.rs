//! The JSON API in process: requests into the router, on a real database and a real ledger.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers too")]

mod accounts;
mod auditor;
mod bundle;
mod case_list;
mod cases;
mod checkpoints;
mod contacts;
mod deliveries;
mod events;
mod evidence;
mod idempotency;
mod labels;
mod media;
mod moves;
mod moves_together;
mod openapi;
mod outgoing;
mod people;
mod permissions;
mod problems;
mod quotes;
mod reach;
mod reactions;
mod replies;
mod routing;
mod search;
mod sent_media;
mod settings;
mod snoozes;
mod support;
mod tampering;
mod typed;
mod unrouted;
