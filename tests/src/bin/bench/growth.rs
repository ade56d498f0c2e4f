//! Throughput when 900 open cases have grown, beside a copy of the database as it was at the beginning.

use crate::Bench;
use crate::desk::{Desk, Service};
use crate::load::Regulars;
use crate::measured::Windows;
use crate::table::{Aim, Cell, Figures, Row};

/// Open cases.
const CASES: u32 = 900;
/// Connections of the windows.
const CONNECTIONS: u16 = 64;
/// Messages that are sent and signed at once while the cases grow.
const STEP: usize = 10_000;
/// The least part of the throughput at the beginning.
const AIM: f64 = 0.9;

/// Measures it.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let plan = bench.plan.clone();
    let server = &bench.server;
    let (mut seed, service) = Desk::create(server, "growth_seed").await?;
    seed.open_cases(&service, 0..CASES).await?;
    service.stop().await;

    let mut grown = seed.copy(server, "growth").await?;
    let service = grown.serve().await?;
    let mut curve = Figures::default();
    curve.heading("messages", &["webhooks/s while they came"]);
    let mut messages = Regulars::new(0..CASES);
    let mut written = 0;
    let mut rows = vec![];
    let mut turns = Figures::default();
    turns.heading(
        "messages",
        &[
            "at the beginning: webhooks/s",
            "p50 ms",
            "grown: webhooks/s",
            "p50 ms",
        ],
    );
    for goal in plan.growth {
        let every = goal.div_ceil(10 * STEP).max(1) * STEP;
        while written < goal {
            let count = every.min(goal - written);
            let per_second = grow(&mut grown, &service, &mut messages, count).await?;
            written += count;
            crate::progress(&format!("{written} messages: {per_second:.0}/s"));
            curve.row(&written.to_string(), &[Cell(Some(per_second), 0)]);
        }
        let (mut fresh, mut old) = (Windows::default(), Windows::default());
        for round in 0..bench.plan.rounds {
            let name = format!("growth_fresh_{goal}_{round}");
            let mut young = seed.copy(server, &name).await?;
            let beside = young.serve().await?;
            let timing = bench.plan.timing;
            let mut same = Regulars::new(0..CASES);
            fresh.push(
                young
                    .window(server, &[&beside], CONNECTIONS, timing, &mut same)
                    .await?,
            );
            old.push(
                grown
                    .window(server, &[&service], CONNECTIONS, timing, &mut messages)
                    .await?,
            );
            beside.stop().await;
            server.drop(&name).await?;
        }
        turns.row(
            &goal.to_string(),
            &[
                Cell(fresh.per_second(), 0),
                Cell(fresh.percentile_ms(50), 1),
                Cell(old.per_second(), 0),
                Cell(old.percentile_ms(50), 1),
            ],
        );
        rows.push((goal, old.ratio_to(&fresh)));
    }
    let peak = service.stop().await;
    let correctness = grown.verify(server, 0).await?;
    server.drop(grown.database()).await?;
    server.drop(seed.database()).await?;

    let report = &mut bench.report;
    report.memory(peak);
    report.correctness("900 open cases", correctness);
    for (goal, reached) in rows {
        report.row(Row::ratio(
            format!(
                "throughput after {goal} messages in {CASES} open cases, against the beginning"
            ),
            Aim::AtLeast(AIM),
            reached,
        ));
    }
    report.details("Growth", turns);
    report.details("Throughput while the cases grew", curve);
    Ok(())
}

/// Sends that many messages; gives how many were taken in a second.
async fn grow(
    desk: &mut Desk,
    service: &Service,
    messages: &mut Regulars,
    count: usize,
) -> anyhow::Result<f64> {
    let mut seconds = 0.0;
    let mut left = count;
    while left > 0 {
        let now = left.min(STEP);
        let requests = desk.sign(messages, now);
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let messages = now as f64;
        seconds += messages / desk.fill(service, &requests).await?;
        left -= now;
    }
    #[expect(clippy::cast_precision_loss, reason = "some hundred thousands")]
    let count = count as f64;
    Ok(count / seconds)
}
