//! The next message of a very long case, beside the next message of a young one. Both take turns, one by one.

use std::time::{Duration, Instant};

use docket_domain::channel::Channel;
use docket_projections::testing::volume;
use sqlx::{Connection as _, Executor as _};

use crate::Bench;
use crate::desk::{Desk, rebuild};
use crate::http::Connection;
use crate::load::{Message, number};
use crate::measured::{percentile_ms, ratio};
use crate::table::{Aim, Cell, Figures, Row};

/// How many times the message of a young case.
const AIM: f64 = 1.2;
/// Whose case is the long one; all others have young ones.
const LONG: u32 = 0;
/// People with a young case.
const YOUNG: u32 = 200;
/// When no more pairs begin: where the long case is slow, few are enough to say so.
const TIME_MAX: Duration = Duration::from_mins(1);
const PAIRS_MIN: usize = 10;
/// Pairs before those that count. What the first message of the long case took is told apart.
const WARM_UP: usize = 10;

/// Measures it.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let plan = bench.plan.clone();
    let server = &bench.server;
    let (mut desk, service) = Desk::create(server, "long_case").await?;
    desk.open_cases(&service, LONG..LONG + 1 + YOUNG).await?;
    service.stop().await;
    let mut conn = server.connect(desk.database()).await?;
    let copies = volume::lengthen_case(&mut conn, &number(LONG), plan.long_case).await;
    desk.count(copies);
    rebuild(desk.environment()).await?;
    conn.execute("VACUUM ANALYZE").await?;
    conn.close().await?;

    let service = desk.serve().await?;
    let mut connection = Connection::open(service.address()).await?;
    let next = |person| Message {
        from: number(person),
        channel: Channel::Sms,
        text: "Is anybody there today?".to_owned(),
    };
    // The process has done nothing yet: the first message of anybody pays for more than itself.
    desk.single(&mut connection, &next(LONG + 1)).await?;
    let (mut long, mut young) = (vec![], vec![]);
    let began = Instant::now();
    for person in (LONG + 1..=YOUNG).cycle().take(WARM_UP + plan.singles) {
        if began.elapsed() > TIME_MAX && long.len() >= WARM_UP + PAIRS_MIN {
            break;
        }
        long.push(desk.single(&mut connection, &next(LONG)).await?);
        young.push(desk.single(&mut connection, &next(person)).await?);
    }
    let peak = service.stop().await;
    let correctness = desk.verify(server, 0).await?;
    server.drop(desk.database()).await?;

    let report = &mut bench.report;
    report.memory(peak);
    report.correctness("a long case", correctness);
    let first = long.first().map(|micros| f64::from(*micros) / 1_000.0);
    let (long, young) = (&long[WARM_UP..], &young[WARM_UP..]);
    let medians = percentile_ms(long, 50).zip(percentile_ms(young, 50));
    report.row(Row::ratio(
        format!(
            "the next message of a case of {} messages, against a new case",
            plan.long_case
        ),
        Aim::AtMost(AIM),
        medians.and_then(|(long, young)| ratio(long, young)),
    ));
    let mut figures = Figures::default();
    figures.heading(
        &format!("{} of each, by turns", long.len()),
        &["p50 ms", "p99 ms"],
    );
    let of_long = format!("next message of a case of {} messages", plan.long_case);
    for (name, latencies) in [(&*of_long, long), ("next message of a new case", young)] {
        let cells = [50, 99].map(|of_hundred| Cell(percentile_ms(latencies, of_hundred), 2));
        figures.row(name, &cells);
    }
    figures.note(&format!(
        "The first message of the long case after the start took {} ms.",
        Cell(first, 1)
    ));
    report.details("A long case", figures);
    Ok(())
}
