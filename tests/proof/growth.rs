//! What a message costs when cases have grown. The short form is small and its bounds are loose; `make prove-growth` takes 1,000,000
//! messages in 900 open cases and one case of 100,000 messages, and asks for what is promised.

use std::cell::Cell;
use std::time::{Duration, Instant};

use docket_tests::help_desk::{HelpDesk, OURS, customer};
use docket_tests::installation::Installation;
use docket_tests::server::Server;
use docket_tests::webhooks::sms;
use futures_util::StreamExt as _;
use futures_util::stream;

use crate::report;

/// The variables that make it the full form: messages in all, and messages in the long case.
const MESSAGES_VARIABLE: &str = "MESSAGES";
const LONG_VARIABLE: &str = "LONG";
/// Messages on their way at once.
const AT_ONCE: usize = 64;
/// Whose case is the long one; all others have numbers below.
const LONG: usize = 999;
/// How often the next message of the long case and that of a new one are measured, in turns.
const PAIRS: usize = 60;

/// How large a run is, and what it asks for.
struct Size {
    cases: usize,
    messages: usize,
    /// Messages of the first and of the last part, whose throughputs are compared.
    window: usize,
    long: usize,
    least_throughput: f64,
    longest_next: f64,
}

fn size() -> Size {
    let messages = report::size(MESSAGES_VARIABLE, 0);
    if messages == 0 {
        return Size {
            cases: 30,
            messages: 2_400,
            window: 600,
            long: 600,
            least_throughput: 0.4,
            longest_next: 4.0,
        };
    }
    Size {
        cases: 900,
        messages,
        window: (messages / 20).max(1_000),
        long: report::size(LONG_VARIABLE, messages / 10),
        least_throughput: 0.9,
        longest_next: 1.2,
    }
}

/// Posts that many messages, of the customers in turns; gives how many were taken in a second.
async fn throughput(desk: &HelpDesk, cases: usize, messages: usize) -> f64 {
    let began = Instant::now();
    stream::iter(0..messages)
        .for_each_concurrent(AT_ONCE, async |n| {
            desk.text(&customer(1 + n % cases), "Is anybody there today?")
                .await;
        })
        .await;
    let messages = u32::try_from(messages).expect("a run is shorter than that");
    f64::from(messages) / began.elapsed().as_secs_f64()
}

async fn time_of(desk: &HelpDesk, from: &str) -> Duration {
    let payload = sms(from, OURS, "When are you open on Saturdays?");
    let began = Instant::now();
    desk.takes(&payload).await;
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The median times of the next message of the long case and of the second message of a new case, measured in turns.
async fn next_messages(desk: &HelpDesk) -> (Duration, Duration) {
    let (mut long, mut new) = (vec![], vec![]);
    for n in 0..PAIRS {
        let from = customer(LONG - 1 - n);
        desk.text(&from, "Hello").await;
        new.push(time_of(desk, &from).await);
        long.push(time_of(desk, &customer(LONG)).await);
    }
    (median(long), median(new))
}

#[tokio::test]
async fn a_message_costs_the_same_however_long_its_case() {
    let size = size();
    let server = Server::start().await;
    let desk = HelpDesk::open_in(Installation::on(&server.url()).await, None).await;
    let said = Cell::new(0);
    let part = async |messages: usize| {
        said.set(said.get() + messages);
        throughput(&desk, size.cases, messages).await
    };
    // The first message of each opens the case, which is more work.
    part(size.cases).await;
    let first = part(size.window).await;
    let between = size.messages.saturating_sub(2 * size.window);
    let steps = 10;
    for step in 1..=steps {
        let rate = part(between / steps).await;
        println!("{:>3} %: {rate:.0} messages/s", 100 * step / steps);
    }
    let last = part(size.window).await;

    stream::iter(0..size.long)
        .for_each_concurrent(AT_ONCE, async |_| {
            desk.text(&customer(LONG), "Is anybody there today?").await;
        })
        .await;
    let (long, new) = next_messages(&desk).await;

    let expected = said.get() + size.long + 3 * PAIRS;
    let (received, events, positions): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE event_type = 'MessageReceived'), count(*), max(position) FROM events",
    )
    .fetch_one(&desk.installation.pool)
    .await
    .unwrap();
    assert_eq!(usize::try_from(received), Ok(expected), "each stands once");
    assert_eq!(events, positions, "positions have no gap");
    let (throughput, next) = (last / first, long.as_secs_f64() / new.as_secs_f64());
    let milliseconds = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1_000.0);
    report::publish(
        "growth",
        ["growth", "last full run"],
        &[
            ("machine", &report::machine()),
            ("open cases", &size.cases),
            ("messages in them", &said.get()),
            ("messages/s at the beginning", &format!("{first:.0}")),
            ("messages/s at the end", &format!("{last:.0}")),
            ("the end, of the beginning", &format!("{throughput:.2}")),
            ("messages in the long case", &size.long),
            ("its next message, median ms", &milliseconds(long)),
            (
                "second message of a new case, median ms",
                &milliseconds(new),
            ),
            ("the long case, of a new one", &format!("{next:.2}")),
        ],
    );
    desk.close().await;
    server.discard().await;
    assert!(
        throughput >= size.least_throughput,
        "throughput fell to {throughput:.2} of the beginning; at least {} is promised",
        size.least_throughput
    );
    assert!(
        next <= size.longest_next,
        "the next message of a long case took {next:.2} times as long as that of a new one; at most {} is promised",
        size.longest_next
    );
}
