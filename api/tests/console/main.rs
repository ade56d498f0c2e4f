//! The console in process: pages and forms, on a real database and a real ledger, without the script.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers too")]

mod audit;
mod auditor;
mod authorization;
mod bulk;
mod cases;
mod changes;
mod contacts;
mod doors;
mod files;
mod head;
mod health;
mod history;
mod inbox;
mod labels;
mod live;
mod log;
mod manners;
mod moves;
mod outgoing;
mod owners;
mod people;
mod reach;
mod reactions;
mod reading;
mod replies;
mod reports;
mod settings;
mod site;
mod support;
mod thread;
mod throttle;
mod typed;
mod unrouted;
mod unsent;
mod vonage;
mod webhooks;
