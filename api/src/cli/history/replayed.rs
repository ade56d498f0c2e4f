//! Holds the picture of an old case beside its replay.

use anyhow::{Context, bail};
use docket_domain::case::{Case, Stage};
use docket_projections::history::CaseAsOf;
use docket_projections::read::cases::CaseState;
use docket_projections::{PgPool, replay};

/// Replays the case up to the moment of the picture, from its events alone.
///
/// # Errors
///
/// A sentence: the events cannot be replayed, or they contradict the picture.
pub(super) async fn compare(pool: &PgPool, was: &CaseAsOf) -> anyhow::Result<()> {
    let row = &was.row;
    let case = replay::case(pool, row.reference, row.version).await?;
    let contradicted = contradictions(&case, was).context("the case has no first event")?;
    if !contradicted.is_empty() {
        bail!(
            "the events of case #{} contradict its read models ({}); run `docket rebuild`, and if this comes again report it",
            row.reference,
            contradicted.join(", ")
        );
    }
    Ok(())
}

/// What the picture shows otherwise than the replay does; `None` where the replay shows no case.
fn contradictions(case: &Case, was: &CaseAsOf) -> Option<Vec<&'static str>> {
    let (state, row) = (case.state()?, &was.row);
    let shown = match (row.state, row.withdrawn) {
        (_, true) => Stage::Withdrawn,
        (CaseState::Open, false) => Stage::Open,
        (CaseState::Closed, false) => Stage::Closed,
    };
    let assignees = (
        state.assignee.as_ref().map(|assignee| assignee.user_id),
        row.assignee.as_ref().map(|assignee| assignee.user_id),
    );
    let fields = [
        ("number", state.origin.number == row.number),
        ("title", state.title == row.title),
        ("status", state.status == row.status),
        ("state", state.stage == shown),
        ("assignee", assignees.0 == assignees.1),
        ("messages", state.standing == row.message_count),
    ];
    let differing = fields.into_iter().filter(|(_, is_same)| !is_same);
    Some(differing.map(|(name, _)| name).collect())
}
