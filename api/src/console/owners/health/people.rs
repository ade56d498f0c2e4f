//! What people did lately that an owner or auditor should know of.

use docket_projections::log::alerts::{Alerts, Often};

use super::{Check, Tone};
use crate::console::words;

/// Names of those who did something often.
fn those(often: &[Often]) -> Vec<(String, i64)> {
    let name = |often: &Often| {
        let who = often.who.as_ref().map(|who| who.0.clone());
        who.unwrap_or_else(|| words::SYSTEM.to_owned())
    };
    often
        .iter()
        .map(|often| (name(often), often.count))
        .collect()
}

/// The check of what people did.
pub(super) fn check(alerts: &Alerts) -> Check {
    let mut sentences = vec![];
    for (who, count) in those(&alerts.views) {
        sentences.push(words::many_views(&who, count));
    }
    for (who, count) in those(&alerts.exports) {
        sentences.push(words::exports(&who, count));
    }
    if alerts.has_many_failures() {
        sentences.push(words::many_failures(alerts.failures));
    }
    if sentences.is_empty() {
        return Check::good(words::HEALTH_PEOPLE, words::HEALTH_PEOPLE_QUIET);
    }
    Check::of(
        Tone::Look,
        words::HEALTH_PEOPLE,
        sentences.join(" "),
        words::HEALTH_PEOPLE_ADVICE,
    )
    .at("/log")
}
