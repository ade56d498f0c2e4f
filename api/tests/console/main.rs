//! The console in process: pages and forms, on a real database and a real ledger, without the script.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers too")]

mod cases;
mod doors;
mod health;
mod live;
mod moves;
mod owners;
mod reach;
mod reports;
mod support;
mod unrouted;
