//! Webhooks beside commands of stock postgres-es and beside pgbench's INSERTs, at several numbers of connections.

use std::fmt::Write as _;

use crate::Bench;
use crate::desk::Desk;
use crate::load::{Conversations, sample_body};
use crate::measured::Windows;
use crate::report::Report;
use crate::table::{Aim, Cell, Figures, Row};
use crate::{bare, stock};

/// Numbers of connections, and which others are measured there.
const STEPS: [Step; 3] = [
    Step {
        connections: 16,
        bare: None,
        stock: Some(2.5),
    },
    Step {
        connections: 64,
        bare: Some(0.5),
        stock: Some(5.0),
    },
    Step {
        connections: 256,
        bare: Some(0.7),
        stock: None,
    },
];
/// Where processor time is compared with its aims, in microseconds a message.
const COST_CONNECTIONS: u16 = 64;
const DOCKET_AIM_US: f64 = 55.0;
const POSTGRES_AIM_US: f64 = 85.0;

/// What is compared at one number of connections, with the aims.
struct Step {
    connections: u16,
    bare: Option<f64>,
    stock: Option<f64>,
}

/// What was measured there.
#[derive(Default)]
struct Sides {
    docket: Windows,
    bare: Windows,
    stock: Windows,
}

/// Measures it.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let plan = bench.plan.clone();
    let server = &bench.server;
    let (mut desk, service) = Desk::create(server, "throughput").await?;
    let people = plan.known_contacts..plan.known_contacts + plan.conversations;
    desk.open_cases(&service, 0..people.start).await?;
    let known = desk.known_contacts(server).await?;
    desk.open_cases(&service, people.clone()).await?;
    let mut messages = Conversations::new(people, known);
    let payload = sample_body();
    bare::prepare(server).await?;
    stock::prepare(server).await?;

    let mut results: [Sides; 3] = Default::default();
    for round in 0..plan.rounds {
        for (step, sides) in STEPS.iter().zip(&mut results) {
            let connections = step.connections;
            let docket = desk
                .window(server, &[&service], connections, plan.timing, &mut messages)
                .await?;
            let mut line = format!(
                "round {} of {}, {connections} connections: Docket {:.0}/s",
                round + 1,
                plan.rounds,
                docket.per_second()
            );
            sides.docket.push(docket);
            if step.bare.is_some() {
                let window = bare::window(server, &payload, connections, plan.timing).await?;
                write!(line, ", bare {:.0}/s", window.per_second())?;
                sides.bare.push(window);
            }
            if step.stock.is_some() {
                let window = stock::window(server, connections, plan.timing).await?;
                write!(line, ", stock {:.0}/s", window.per_second())?;
                sides.stock.push(window);
            }
            crate::progress(&line);
        }
    }
    let peak = service.stop().await;
    let correctness = desk.verify(server, 0).await?;
    for database in [desk.database(), bare::DATABASE, stock::DATABASE] {
        server.drop(database).await?;
    }
    bench.report.memory(peak);
    bench.report.correctness("conversations", correctness);
    let description = format!(
        "Medians of the rounds. {}; a body has {} bytes.",
        plan.describe(),
        payload.len()
    );
    tell(&mut bench.report, &results, &description);
    Ok(())
}

fn tell(report: &mut Report, results: &[Sides; 3], description: &str) {
    for (step, sides) in STEPS.iter().zip(results).rev() {
        if let Some(aim) = step.stock {
            report.row(Row::ratio(
                format!(
                    "{} connections: webhooks for each command of stock postgres-es",
                    step.connections
                ),
                Aim::AtLeast(aim),
                sides.docket.ratio_to(&sides.stock),
            ));
        }
    }
    for (step, sides) in STEPS.iter().zip(results) {
        if let Some(aim) = step.bare {
            report.row(Row::ratio(
                format!(
                    "{} connections: webhooks for each bare INSERT of pgbench",
                    step.connections
                ),
                Aim::AtLeast(aim),
                sides.docket.ratio_to(&sides.bare),
            ));
        }
        if step.connections == COST_CONNECTIONS {
            let cost = sides.docket.cost();
            for (whose, aim, value) in [
                ("Docket", DOCKET_AIM_US, cost.map(|cost| cost.contender)),
                (
                    "its Postgres",
                    POSTGRES_AIM_US,
                    cost.map(|cost| cost.postgres),
                ),
            ] {
                report.row(Row::number(
                    format!(
                        "{} connections: processor time a message, {whose}",
                        step.connections
                    ),
                    Aim::AtMost(aim),
                    value,
                    0,
                    "µs",
                ));
            }
        }
    }
    report.details("Throughput", figures(description, results));
}

fn figures(description: &str, results: &[Sides; 3]) -> Figures {
    let mut figures = Figures::default();
    figures.heading(
        "connections",
        &[
            "each second",
            "p50 ms",
            "p99 ms",
            "processor time µs",
            "of its Postgres µs",
        ],
    );
    for (step, sides) in STEPS.iter().zip(results) {
        for (name, windows) in [
            ("Docket: webhooks", &sides.docket),
            ("pgbench: bare INSERTs", &sides.bare),
            ("stock postgres-es: commands", &sides.stock),
        ] {
            if windows.len() == 0 {
                continue;
            }
            let cost = windows.cost();
            figures.row(
                &format!("{}, {name}", step.connections),
                &[
                    Cell(windows.per_second(), 0),
                    Cell(windows.percentile_ms(50), 1),
                    Cell(windows.percentile_ms(99), 1),
                    Cell(cost.map(|cost| cost.contender), 0),
                    Cell(cost.map(|cost| cost.postgres), 0),
                ],
            );
        }
    }
    figures.note(description);
    figures
}
