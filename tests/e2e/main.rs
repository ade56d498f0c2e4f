//! Black-box tests: the real binary, real sockets, a real Postgres, and a simulated Vonage.
//!
//! Each test has a database of its own and says in its name what must hold. How to run and debug them stands in
//! `docs/testing.md`.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

mod automatic_reply;
mod behind_nginx;
mod command_line;
mod crashes;
mod database;
mod deliveries;
mod demo;
mod evidence;
mod growth;
mod history;
mod media;
mod neighbours;
mod outgoing;
mod personal_data;
mod poolers;
mod privacy;
mod private_database;
mod read_only;
mod repetitions;
mod restored_beneath;
mod restores;
mod settings;
mod sign_in_flood;
mod snoozes;
mod stopping;
mod surroundings;
mod two_processes;
mod upgrades;
mod webhook_answers;
mod webhook_payloads;

use docket_tests::help_desk;
