//! A single webhook on an idle server, in bare commits: both take turns, one by one.

use std::time::Instant;

use sqlx::Connection as _;

use crate::Bench;
use crate::bare;
use crate::desk::Desk;
use crate::http::Connection;
use crate::load::{Conversations, Messages as _, sample_body};
use crate::measured::{micros, percentile_ms, ratio};
use crate::table::{Aim, Cell, Figures, Row};

/// The most bare commits that a webhook may take.
const AIM: f64 = 3.0;
/// People who write, each of whom has a case.
const PEOPLE: u32 = 500;
/// Pairs before those that count.
const WARM_UP: usize = 20;

/// Measures it.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let singles = bench.plan.singles;
    let server = &bench.server;
    let (mut desk, service) = Desk::create(server, "idle").await?;
    desk.open_cases(&service, 0..PEOPLE).await?;
    bare::prepare(server).await?;
    let payload = sample_body();
    let mut messages = Conversations::new(0..PEOPLE, vec![]);
    let mut conn = server.connect(bare::DATABASE).await?;
    let mut connection = Connection::open(service.address()).await?;
    let (mut webhooks, mut inserts) = (vec![], vec![]);
    for index in 0..WARM_UP + singles {
        let webhook = desk.single(&mut connection, &messages.next()).await?;
        let began = Instant::now();
        bare::insert_one(&mut conn, &payload).await?;
        let insert = micros(began.elapsed());
        if index >= WARM_UP {
            webhooks.push(webhook);
            inserts.push(insert);
        }
    }
    conn.close().await?;
    let peak = service.stop().await;
    let correctness = desk.verify(server, 0).await?;
    server.drop(desk.database()).await?;
    server.drop(bare::DATABASE).await?;

    let report = &mut bench.report;
    report.memory(peak);
    report.correctness("single webhooks", correctness);
    let (webhook, insert) = (percentile_ms(&webhooks, 50), percentile_ms(&inserts, 50));
    report.row(Row::ratio(
        "a single webhook on an idle server, in bare commits",
        Aim::AtMost(AIM),
        webhook
            .zip(insert)
            .and_then(|(webhook, insert)| ratio(webhook, insert)),
    ));
    let mut figures = Figures::default();
    figures.heading(
        &format!("{singles} of each, by turns"),
        &["p50 ms", "p99 ms"],
    );
    for (name, latencies) in [("webhook", &webhooks), ("bare INSERT", &inserts)] {
        let cells = [50, 99].map(|of_hundred| Cell(percentile_ms(latencies, of_hundred), 2));
        figures.row(name, &cells);
    }
    report.details("Single requests on an idle server", figures);
    Ok(())
}
