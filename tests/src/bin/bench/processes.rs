//! Two and four processes on one database beside one of them, with the same connections in all.

use crate::Bench;
use crate::desk::{Desk, Service};
use crate::load::Conversations;
use crate::measured::Windows;
use crate::table::{Aim, Cell, Figures, Row};

/// Connections in all.
const CONNECTIONS: u16 = 64;
/// How many processes are loaded. Those that are not have nothing to do meanwhile.
const COUNTS: [usize; 3] = [1, 2, 4];
/// More processes make it no slower.
const AIM: f64 = 1.0;

/// Measures it.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let plan = bench.plan.clone();
    let server = &bench.server;
    let (mut desk, first) = Desk::create(server, "processes").await?;
    desk.open_cases(&first, 0..plan.conversations).await?;
    let mut messages = Conversations::new(0..plan.conversations, vec![]);
    let mut services = vec![first];
    while services.len() < COUNTS[COUNTS.len() - 1] {
        services.push(desk.serve().await?);
    }
    let mut results: [Windows; 3] = Default::default();
    for round in 0..plan.rounds {
        for (count, windows) in COUNTS.iter().zip(&mut results) {
            let loaded: Vec<&Service> = services.iter().take(*count).collect();
            let window = desk
                .window(server, &loaded, CONNECTIONS, plan.timing, &mut messages)
                .await?;
            crate::progress(&format!(
                "round {} of {}, {count} processes: {:.0}/s",
                round + 1,
                plan.rounds,
                window.per_second()
            ));
            windows.push(window);
        }
    }
    let mut peaks = vec![];
    for service in services {
        peaks.push(service.stop().await);
    }
    let correctness = desk.verify(server, 0).await?;
    server.drop(desk.database()).await?;

    let report = &mut bench.report;
    for peak in peaks {
        report.memory(peak);
    }
    report.correctness("several processes", correctness);
    let mut figures = Figures::default();
    figures.heading("processes", &["webhooks/s in all", "p50 ms", "p99 ms"]);
    let [one, ..] = &results;
    for (count, windows) in COUNTS.iter().zip(&results) {
        figures.row(
            &count.to_string(),
            &[
                Cell(windows.per_second(), 0),
                Cell(windows.percentile_ms(50), 1),
                Cell(windows.percentile_ms(99), 1),
            ],
        );
        if *count > 1 {
            report.row(Row::ratio(
                format!("{count} processes on one database, against one"),
                Aim::AtLeast(AIM),
                windows.ratio_to(one),
            ));
        }
    }
    report.details(
        &format!("Several processes, {CONNECTIONS} connections in all"),
        figures,
    );
    Ok(())
}
