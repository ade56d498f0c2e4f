//! Crashes, freezes and a bad network, under a load that repeats as Vonage does. The short form lets each kind of trouble happen once;
//! `make prove-crash` lets them happen for as long as one likes.

use std::time::Duration;

use docket_tests::server::Crash;

use crate::report;
use crate::trouble::{Length, Trouble, run};

/// The seed of the short form, so that each run of it draws the same.
const SEED: u64 = 20_260_301;
/// The variable that gives another one.
const SEED_VARIABLE: &str = "PROOF_SEED";
/// The variable that gives the minutes of the full form.
const MINUTES_VARIABLE: &str = "PROOF_MINUTES";

const TROUBLES: [Trouble; 11] = [
    Trouble::KillService,
    Trouble::KillBoth,
    Trouble::CrashPostgres(Crash::Whole),
    Trouble::CrashPostgres(Crash::Head),
    Trouble::CrashPostgres(Crash::Immediate),
    Trouble::Freeze,
    Trouble::Cut,
    Trouble::Stall,
    Trouble::StallAndCut,
    Trouble::Slow,
    Trouble::Unreachable,
];

#[tokio::test]
async fn what_was_promised_outlives_kills_freezes_and_a_bad_network() {
    let seed = report::size(SEED_VARIABLE, SEED);
    let length = match report::size(MINUTES_VARIABLE, 0) {
        0 => Length::Rounds(1),
        minutes => Length::Time(Duration::from_mins(minutes)),
    };
    let outcome = run(seed, &TROUBLES, length).await;
    report::publish(
        "crash",
        ["crashes, freezes and a bad network", "last full run"],
        &[
            ("machine", &report::machine()),
            ("seed", &outcome.seed),
            ("seconds", &outcome.seconds),
            ("times of trouble", &outcome.troubles),
            ("acknowledged webhooks", &outcome.messages),
            ("posts that were repeated", &outcome.repeated),
            ("replies", &outcome.replies),
            (
                "longest time to an acknowledgement, s",
                &format!("{:.1}", outcome.longest.as_secs_f64()),
            ),
            ("lost, doubled, misplaced, sent twice or stuck", &0),
        ],
    );
}
