//! Sends requests that were made beforehand: in a closed loop, where each connection waits for its answer, or at a fixed rate,
//! whatever the answers do.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures_util::future::{join_all, try_join_all};

use crate::Timing;
use crate::http::Connection;
use crate::measured::{Measured, micros};

/// Requests as they go over the wire.
pub(crate) type Requests = Vec<Box<[u8]>>;

/// Connections that share a paced load: more than can wait for an answer at once while the service answers at all.
const PACED_CONNECTIONS: usize = 256;
/// When a request without an answer counts as refused. Vonage gives up much earlier.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// What a closed loop came to.
pub(crate) struct Closed {
    /// The window.
    pub(crate) measured: Measured,
    /// Requests that were answered 200, the warm-up's included.
    pub(crate) accepted: u64,
}

/// Sends requests over that many connections, shared evenly among the services, until the window ends or all are sent. Every
/// answer has to be 200.
pub(crate) async fn closed(
    services: &[SocketAddr],
    connections: u16,
    requests: &Requests,
    timing: Timing,
) -> anyhow::Result<Closed> {
    let mut open = vec![];
    for address in services.iter().cycle().take(connections.into()) {
        open.push(Connection::open(*address).await?);
    }
    let window_begins = Instant::now() + timing.warm_up;
    let window_ends = window_begins + timing.window;
    let next = Cell::new(0);
    let senders = open.into_iter().map(async |mut connection| {
        let mut sent = Sent::default();
        loop {
            let began = Instant::now();
            let Some(request) = requests.get(next.get()).filter(|_| began < window_ends) else {
                return anyhow::Ok(sent);
            };
            next.set(next.get() + 1);
            let status = connection
                .call(request)
                .await
                .context("a connection to docket broke")?;
            if status != 200 {
                bail!("docket answered {status} to a webhook");
            }
            sent.accepted += 1;
            let ended = Instant::now();
            if window_begins <= ended && ended < window_ends {
                sent.latencies_us.push(micros(ended - began));
                sent.last = Some(ended);
            }
        }
    });
    let mut latencies = vec![];
    let mut accepted = 0;
    let mut last = window_begins;
    for sent in try_join_all(senders).await? {
        latencies.extend(sent.latencies_us);
        accepted += sent.accepted;
        last = last.max(sent.last.unwrap_or(window_begins));
    }
    // Where the requests were used up, the window was as long as they lasted.
    let used_up = next.get() == requests.len();
    let window = if used_up {
        last - window_begins
    } else {
        timing.window
    };
    Ok(Closed {
        measured: Measured::new(window, latencies),
        accepted,
    })
}

/// What one connection sent.
#[derive(Default)]
struct Sent {
    accepted: u64,
    latencies_us: Vec<u32>,
    last: Option<Instant>,
}

/// A request of a paced load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paced {
    /// When it was due.
    pub(crate) due: Instant,
    /// From then to its answer, so that a request which could not even be sent counts with the time that it waited.
    pub(crate) latency_us: u32,
    /// Whether it was answered 200.
    pub(crate) is_accepted: bool,
}

/// Sends all requests, that many a second.
pub(crate) async fn paced(
    service: SocketAddr,
    requests: &Requests,
    per_second: u32,
) -> anyhow::Result<Vec<Paced>> {
    let mut open = vec![];
    for _ in 0..PACED_CONNECTIONS {
        open.push(Connection::open(service).await?);
    }
    let begins = Instant::now();
    let next = Cell::new(0);
    let senders = open.into_iter().map(async |connection| {
        let mut connection = Some(connection);
        let mut sent = vec![];
        loop {
            let index = next.get();
            let Some(request) = requests.get(index) else {
                return sent;
            };
            next.set(index + 1);
            let due = begins
                + Duration::from_secs(1) * u32::try_from(index).unwrap_or(u32::MAX) / per_second;
            tokio::time::sleep_until(due.into()).await;
            let status =
                tokio::time::timeout(ANSWER_TIMEOUT, call(&mut connection, service, request)).await;
            sent.push(Paced {
                due,
                latency_us: micros(due.elapsed()),
                is_accepted: matches!(status, Ok(Ok(200))),
            });
            if !matches!(status, Ok(Ok(_))) {
                connection = None;
            }
        }
    });
    Ok(join_all(senders).await.into_iter().flatten().collect())
}

/// Sends a request over the connection, or over a new one where there is none.
pub(crate) async fn call(
    connection: &mut Option<Connection>,
    service: SocketAddr,
    request: &[u8],
) -> std::io::Result<u16> {
    if connection.is_none() {
        *connection = Some(Connection::open(service).await?);
    }
    match connection {
        Some(connection) => connection.call(request).await,
        None => Err(std::io::ErrorKind::NotConnected.into()),
    }
}
