//! Webhooks while somebody holds a snapshot of the database, as `pg_dump` does: what was replaced since cannot be cleaned up.
//!
//! A snapshot concerns its own database alone. So a second database of the same server, whose windows stand between, says what
//! the machine can do meanwhile, and the comparison with the time before is made against it.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _};

use crate::desk::{Desk, Service};
use crate::load::Regulars;
use crate::measured::{Windows, ratio};
use crate::table::{Aim, Cell, Figures, Row};
use crate::{Bench, Timing};

/// The most that an append may take of its time before.
const AIM: f64 = 1.2;
/// Connections of the load.
const CONNECTIONS: u16 = 16;
/// People who write, each of whom has a case.
const PEOPLE: u32 = 900;
/// The database with the snapshot has most of the time, since what it writes is what adds up: so many turns, if they are neither
/// too short nor too long.
const TURNS: u32 = 20;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(4);
/// A turn of the other one.
const BESIDE: Timing = Timing {
    warm_up: Duration::from_millis(200),
    window: Duration::from_secs(1),
};
/// Turns at the end of the time that are compared.
const LAST: usize = 3;

/// One of the two databases.
struct Side {
    desk: Desk,
    service: Service,
    messages: Regulars,
    timing: Timing,
    windows: Windows,
}

impl Side {
    async fn start(bench: &Bench, database: &str, timing: Timing) -> anyhow::Result<Self> {
        let (mut desk, service) = Desk::create(&bench.server, database).await?;
        desk.open_cases(&service, 0..PEOPLE).await?;
        Ok(Self {
            desk,
            service,
            messages: Regulars::new(0..PEOPLE),
            timing,
            windows: Windows::default(),
        })
    }

    async fn turn(&mut self, bench: &Bench) -> anyhow::Result<()> {
        let window = self
            .desk
            .window(
                &bench.server,
                &[&self.service],
                CONNECTIONS,
                self.timing,
                &mut self.messages,
            )
            .await?;
        self.windows.push(window);
        Ok(())
    }
}

/// Measures it.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let turn = Timing {
        warm_up: Duration::ZERO,
        window: (bench.plan.hold / TURNS).clamp(SHORTEST, LONGEST),
    };
    let mut held = Side::start(bench, "held", turn).await?;
    let mut beside = Side::start(bench, "beside", BESIDE).await?;
    for _ in 0..LAST {
        held.turn(bench).await?;
        beside.turn(bench).await?;
    }
    let before = (
        std::mem::take(&mut held.windows),
        std::mem::take(&mut beside.windows),
    );

    let mut holder = bench.server.connect("held").await?;
    holder
        .execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()")
        .await?;
    let began = Instant::now();
    while began.elapsed() < bench.plan.hold || held.windows.len() < LAST {
        held.turn(bench).await?;
        beside.turn(bench).await?;
    }
    let lasted = began.elapsed();
    holder.execute("ROLLBACK").await?;
    holder.close().await?;
    let during = (held.windows.last(LAST), beside.windows.last(LAST));

    for (side, name) in [
        (held, "while a snapshot is held"),
        (beside, "beside a held snapshot"),
    ] {
        let peak = side.service.stop().await;
        let correctness = side.desk.verify(&bench.server, 0).await?;
        bench.server.drop(side.desk.database()).await?;
        bench.report.memory(peak);
        bench.report.correctness(name, correctness);
    }
    let report = &mut bench.report;
    let change = during
        .0
        .latency_ratio_to(&during.1)
        .zip(before.0.latency_ratio_to(&before.1))
        .and_then(|(during, before)| ratio(during, before));
    report.row(Row::ratio(
        format!(
            "append during a snapshot that is held for {} s, p50, against before",
            lasted.as_secs()
        ),
        Aim::AtMost(AIM),
        change,
    ));
    let mut figures = Figures::default();
    figures.heading(
        &format!("p50 ms at {CONNECTIONS} connections"),
        &["before", &format!("at the end of {} s", lasted.as_secs())],
    );
    for (name, before, during) in [
        ("the database with the snapshot", &before.0, &during.0),
        ("another one on the same server", &before.1, &during.1),
    ] {
        let cells = [before, during].map(|windows| Cell(windows.percentile_ms(50), 2));
        figures.row(name, &cells);
    }
    report.details("A held snapshot", figures);
    Ok(())
}
