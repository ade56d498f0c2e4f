//! Webhooks at a fixed rate while another process on the same database is frozen, or is cut off from the database. Both are
//! loaded, by messages of the same people.

use std::cell::Cell as Flag;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::Bench;
use crate::desk::{Desk, Service};
use crate::load::Regulars;
use crate::measured::percentile_ms;
use crate::proxy::{Flow, Proxy};
use crate::send::{Paced, Requests, call, paced};
use crate::table::{Aim, Cell, Figures, Row};

/// People who write, each of whom has a case.
const PEOPLE: u32 = 500;
/// Webhooks a second for the process that is measured.
const RATE: u32 = 200;
/// Connections that load the other one.
const LOAD_CONNECTIONS: usize = 16;
/// Most webhooks a second that the other one can be loaded with.
const LOAD_MAX: usize = 8_000;
/// How long both run before each disturbance; a little more from one to the next, so that none hits the same instant.
const UNDISTURBED: Duration = Duration::from_secs(1);
const JITTER: Duration = Duration::from_millis(37);
/// The longest that one webhook in a hundred may take at least, in seconds.
const P99_AIM_S: f64 = 1.0;

/// What happens to the other process.
#[derive(Clone, Copy)]
enum Disturbance {
    Freeze,
    Stall,
}

/// What became of webhooks that were due meanwhile.
struct Outcome {
    refused: usize,
    latencies_us: Vec<u32>,
    /// Of those that were due before and after.
    undisturbed_us: Vec<u32>,
}

/// Measures it.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut figures = Figures::default();
    figures.heading(
        "meanwhile",
        &[
            "webhooks",
            "refused",
            "p50 ms",
            "p99 ms",
            "longest ms",
            "p99 ms otherwise",
        ],
    );
    for (disturbance, database, what) in [
        (Disturbance::Freeze, "frozen", "one process is frozen"),
        (
            Disturbance::Stall,
            "stalled",
            "the Postgres connections of one process stall",
        ),
    ] {
        let outcome = disturb(bench, disturbance, database, what).await?;
        let p99 = percentile_ms(&outcome.latencies_us, 99);
        let refused = count(outcome.refused);
        bench.report.row(Row::number(
            format!("webhooks of others while {what}: refused"),
            Aim::AtMost(0.0),
            Some(refused),
            0,
            "",
        ));
        bench.report.row(Row::number(
            format!("webhooks of others while {what}: p99"),
            Aim::Below(P99_AIM_S),
            p99.map(|p99| p99 / 1_000.0),
            2,
            "s",
        ));
        figures.row(
            what,
            &[
                Cell(Some(count(outcome.latencies_us.len())), 0),
                Cell(Some(refused), 0),
                Cell(percentile_ms(&outcome.latencies_us, 50), 1),
                Cell(p99, 1),
                Cell(percentile_ms(&outcome.latencies_us, 100), 0),
                Cell(percentile_ms(&outcome.undisturbed_us, 99), 1),
            ],
        );
    }
    let plan = &bench.plan;
    figures.note(&format!(
        "{} times {} s each; {RATE} webhooks a second, whose latency counts from the moment at which they were due. Every second \
         stall cuts a request in two.",
        plan.disturbances,
        plan.disturbance.as_secs(),
    ));
    bench.report.details("A process in trouble", figures);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
const fn count(requests: usize) -> f64 {
    requests as f64
}

async fn disturb(
    bench: &mut Bench,
    disturbance: Disturbance,
    database: &str,
    what: &str,
) -> anyhow::Result<Outcome> {
    let plan = bench.plan.clone();
    let server = &bench.server;
    let (mut desk, service) = Desk::create(server, database).await?;
    desk.open_cases(&service, 0..PEOPLE).await?;
    let proxy = Proxy::start(&server.socket()).await?;
    let other = match disturbance {
        Disturbance::Freeze => desk.serve().await?,
        Disturbance::Stall => desk.serve_at(&proxy.url(database)).await?,
    };
    let lasts =
        (UNDISTURBED + JITTER * plan.disturbances + plan.disturbance) * (plan.disturbances + 1);
    let mut messages = Regulars::new(0..PEOPLE);
    let requests = desk.sign(
        &mut messages,
        usize::try_from(lasts.as_secs())? * RATE as usize,
    );
    let busy = UNDISTURBED * (plan.disturbances + 2);
    let load = desk.sign(&mut messages, usize::try_from(busy.as_secs())? * LOAD_MAX);
    let ends = Flag::new(false);
    let disturbing = async {
        let periods = hold_up(
            &other,
            &proxy,
            disturbance,
            plan.disturbances,
            plan.disturbance,
        )
        .await;
        ends.set(true);
        periods
    };
    let (periods, background, answers) = tokio::join!(
        disturbing,
        load_until(&other, &load, &ends),
        paced(service.address(), &requests, RATE)
    );
    let answers = answers?;
    let outcome = sort_out(&answers, &periods);
    let accepted = answers.iter().filter(|answer| answer.is_accepted).count();
    desk.count(u64::try_from(accepted)? + background.accepted);
    let unsure = u64::try_from(answers.len() - accepted)? + background.unsure;
    let peaks = [service.stop().await, other.stop().await];
    let correctness = desk.verify(server, unsure).await?;
    server.drop(database).await?;
    for peak in peaks {
        bench.report.memory(peak);
    }
    bench
        .report
        .correctness(&format!("while {what}"), correctness);
    Ok(outcome)
}

/// Holds the other process up again and again; gives when.
async fn hold_up(
    other: &Service,
    proxy: &Proxy,
    disturbance: Disturbance,
    times: u32,
    lasts: Duration,
) -> Vec<(Instant, Instant)> {
    let mut periods = vec![];
    for time in 0..times {
        tokio::time::sleep(UNDISTURBED + JITTER * time).await;
        let began = Instant::now();
        match disturbance {
            Disturbance::Freeze => other.process().freeze(),
            Disturbance::Stall if time % 2 == 0 => proxy.set(Flow::Stalls),
            Disturbance::Stall => proxy.set(Flow::StallsWithinARequest),
        }
        tokio::time::sleep(lasts).await;
        periods.push((began, Instant::now()));
        match disturbance {
            Disturbance::Freeze => other.process().thaw(),
            Disturbance::Stall => proxy.set(Flow::Runs),
        }
    }
    periods
}

/// What the load on the disturbed process came to.
struct Background {
    accepted: u64,
    unsure: u64,
}

/// Loads a process that may refuse, until it is told to end.
async fn load_until(service: &Service, requests: &Requests, ends: &Flag<bool>) -> Background {
    let next = Flag::new(0);
    let senders = (0..LOAD_CONNECTIONS).map(async |_| {
        let mut connection = None;
        let (mut accepted, mut unsure) = (0, 0);
        while !ends.get()
            && let Some(request) = requests.get(next.get())
        {
            next.set(next.get() + 1);
            if matches!(
                call(&mut connection, service.address(), request).await,
                Ok(200)
            ) {
                accepted += 1;
            } else {
                unsure += 1;
                connection = None;
            }
        }
        (accepted, unsure)
    });
    let mut all = Background {
        accepted: 0,
        unsure: 0,
    };
    for (accepted, unsure) in join_all(senders).await {
        all.accepted += accepted;
        all.unsure += unsure;
    }
    all
}

/// Tells those that were due in one of the periods from the others.
fn sort_out(answers: &[Paced], periods: &[(Instant, Instant)]) -> Outcome {
    let mut outcome = Outcome {
        refused: 0,
        latencies_us: vec![],
        undisturbed_us: vec![],
    };
    for answer in answers {
        let is_disturbed = periods
            .iter()
            .any(|(begin, end)| (*begin..*end).contains(&answer.due));
        if is_disturbed {
            outcome.refused += usize::from(!answer.is_accepted);
            outcome.latencies_us.push(answer.latency_us);
        } else {
            outcome.undisturbed_us.push(answer.latency_us);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_that_were_due_meanwhile_count() {
        let begins = Instant::now();
        let at = |second| begins + Duration::from_secs(second);
        let answer = |second, latency_us, is_accepted| Paced {
            due: at(second),
            latency_us,
            is_accepted,
        };
        let answers = [
            answer(0, 1, false),
            answer(1, 2, true),
            answer(2, 3, false),
            answer(3, 4, true),
            answer(5, 5, true),
        ];

        let outcome = sort_out(&answers, &[(at(1), at(3)), (at(5), at(6))]);

        assert_eq!(outcome.refused, 1);
        assert_eq!(outcome.latencies_us, [2, 3, 5]);
        assert_eq!(outcome.undisturbed_us, [1, 4]);
    }
}
