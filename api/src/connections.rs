//! The connections that are served, and their bounds.
//!
//! Whoever connects can send half a request and fall silent. So everything that is waited for has an end: the head of a request, also
//! the next one on a connection that stays open, and its body. An answer has none, since a page that is kept up to date is an
//! answer that goes on for hours. And there are only so many connections, of which one address gets a part: each takes a file
//! descriptor, and when those run out the database cannot be reached either.
//!
//! The limits cost a request no more than a timer, which is set only where something is waited for.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::counter;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use crate::http::client_address::{TrustedProxies, place_of};

/// Connections at most, however many files may be open.
const MOST_CONNECTIONS: usize = 16_384;
/// The pause after a connection could not be accepted, for want of file descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What connections are held to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long the head of a request may take: since the connection was made, or since the answer before it on the same one.
    pub head: Duration,
    /// How long the body of a request may take, since it is waited for.
    pub body: Duration,
    /// How many connections there are at once.
    pub connections: usize,
    /// How many of them one address has, where it is no proxy of ours and not this machine.
    pub of_one_address: usize,
}

impl Default for Limits {
    /// A minute for a head and half of one for a body; three quarters of the files that the process may have open, the other quarter being for
    /// the database and Vonage; half of them for one address.
    fn default() -> Self {
        let files = getrlimit(Resource::Nofile).current;
        let files = files.map_or(usize::MAX, |files| {
            usize::try_from(files).unwrap_or(usize::MAX)
        });
        let connections = (files / 4 * 3).clamp(2, MOST_CONNECTIONS);
        Self {
            // Longer than proxies usually keep an idle connection, so that it is they who close it.
            head: Duration::from_secs(75),
            body: Duration::from_secs(30),
            connections,
            of_one_address: connections / 2,
        }
    }
}

/// Serves a router until `stopping`, and then until the requests under way are answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    proxies: Arc<TrustedProxies>,
    stopping: CancellationToken,
) {
    // Puts the routes together once, and not for every request.
    let router = router.with_state::<()>(());
    let free = Arc::new(Semaphore::new(limits.connections));
    let counts = Arc::new(Counts {
        most: limits.of_one_address,
        proxies,
        of: Mutex::default(),
    });
    loop {
        // With all in use, the others wait where the system keeps them.
        let permit = tokio::select! {
            permit = Arc::clone(&free).acquire_owned() => permit,
            () = stopping.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(error.kind()) => continue,
            Err(error) => {
                warn!(%error, "no connection could be accepted; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(counted) = counts.take(peer.ip()) else {
            counter!("docket_connections_refused_total").increment(1);
            continue;
        };
        let serving = serve_one(stream, peer, router.clone(), limits, stopping.clone());
        tokio::spawn(async move {
            serving.await;
            drop((counted, permit));
        });
    }
    drop(listener);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    // It is never closed.
    let _ = free.acquire_many(all).await;
}

/// Whether only the connection that was about to be accepted is broken.
const fn is_of_one_connection(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    stopping: CancellationToken,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(|body| InTime::new(body, limits.body));
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move { Ok::<Response<Body>, Infallible>(answer(router, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}

async fn answer(router: Router, request: hyper::Request<InTime<Incoming>>) -> Response<Body> {
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// How many connections each address has.
struct Counts {
    most: usize,
    proxies: Arc<TrustedProxies>,
    of: Mutex<HashMap<String, usize>>,
}

impl Counts {
    /// Takes a connection in, unless its address has as many as it gets.
    fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Counted> {
        let peer = peer.to_canonical();
        // Everybody comes from there.
        if peer.is_loopback() || self.proxies.contains(peer) {
            return Some(Counted(None));
        }
        let place = place_of(peer);
        let mut counts = self.counts();
        let count = counts.entry(place.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Counted(Some((Arc::clone(self), place))))
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        // A panic in between leaves at worst a count that is one too high.
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that counts until this is dropped, if it counts at all.
struct Counted(Option<(Arc<Counts>, String)>);

impl Drop for Counted {
    fn drop(&mut self) {
        let Some((counts, place)) = self.0.take() else {
            return;
        };
        let mut counts = counts.counts();
        if let Some(count) = counts.get_mut(&place) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&place);
            }
        }
    }
}

/// The body of a request did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body took too long")]
pub struct TookTooLong;

/// Whether that is why a body could not be read.
pub fn took_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(<dyn std::error::Error>::is::<TookTooLong>)
}

/// A body that comes in time or not at all.
struct InTime<B> {
    body: B,
    limit: Duration,
    /// Set when it is first waited for.
    end: Option<Pin<Box<Sleep>>>,
}

impl<B> InTime<B> {
    const fn new(body: B, limit: Duration) -> Self {
        Self {
            body,
            limit,
            end: None,
        }
    }
}

impl<B> HttpBody for InTime<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = self.limit;
        let end = self
            .end
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        match end.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(TookTooLong.into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use futures_util::stream;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    /// Whatever a test waits for is there by then.
    const BOUND: Duration = Duration::from_secs(20);
    const SHORT: Limits = Limits {
        head: Duration::from_millis(150),
        body: Duration::from_millis(150),
        connections: 8,
        of_one_address: 4,
    };

    struct Served {
        address: SocketAddr,
        stopping: CancellationToken,
        serving: JoinHandle<()>,
        /// Lets answers go on.
        go_on: Arc<Notify>,
    }

    impl Served {
        async fn start(limits: Limits) -> Self {
            let go_on = Arc::new(Notify::new());
            let (first, second) = (Arc::clone(&go_on), Arc::clone(&go_on));
            let take =
                async |body: Result<Bytes, axum::extract::rejection::BytesRejection>| match body {
                    Ok(body) => (StatusCode::OK, format!("{} bytes", body.len())),
                    Err(rejection) if took_too_long(&rejection) => {
                        (StatusCode::REQUEST_TIMEOUT, "too long".to_owned())
                    }
                    Err(_) => (StatusCode::BAD_REQUEST, "broken off".to_owned()),
                };
            let router = Router::new()
                .route("/take", post(take))
                .route(
                    "/late",
                    get(async move || {
                        first.notified().await;
                        "late"
                    }),
                )
                .route(
                    "/stream",
                    get(async move || {
                        let parts = stream::unfold(0, move |part| {
                            let go_on = Arc::clone(&second);
                            async move {
                                if part == 1 {
                                    go_on.notified().await;
                                }
                                let text = format!("part {part};");
                                (part < 2).then_some((Ok::<_, Infallible>(text), part + 1))
                            }
                        });
                        Body::from_stream(parts)
                    }),
                );
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let stopping = CancellationToken::new();
            let proxies = Arc::default();
            let serving = tokio::spawn(serve(listener, router, limits, proxies, stopping.clone()));
            Self {
                address,
                stopping,
                serving,
                go_on,
            }
        }

        async fn sends(&self, text: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            stream
        }

        async fn stops(self) {
            self.stopping.cancel();
            tokio::time::timeout(BOUND, self.serving)
                .await
                .unwrap()
                .unwrap();
        }
    }

    /// What comes until the other end closes the connection.
    async fn rest(mut stream: TcpStream) -> String {
        let mut bytes = vec![];
        let read = tokio::time::timeout(BOUND, stream.read_to_end(&mut bytes)).await;
        // Closed with something unread, a connection is reset.
        let _ = read.expect("it is closed");
        String::from_utf8(bytes).unwrap()
    }

    /// Reads until that has come.
    async fn until(stream: &mut TcpStream, expected: &str) -> String {
        let mut bytes = vec![];
        tokio::time::timeout(BOUND, async {
            while !String::from_utf8_lossy(&bytes).contains(expected) {
                let read = stream.read_buf(&mut bytes).await.unwrap();
                assert!(read > 0, "closed after {}", String::from_utf8_lossy(&bytes));
            }
        })
        .await
        .unwrap();
        String::from_utf8(bytes).unwrap()
    }

    const WHOLE: &str = "POST /take HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello";

    #[tokio::test]
    async fn who_falls_silent_is_not_waited_for() {
        let served = Served::start(SHORT).await;
        for said in ["", "POST /take HT", "POST /take HTTP/1.1\r\nhost: x\r\n"] {
            let answer = rest(served.sends(said).await).await;
            assert!(!answer.contains("200 OK"), "{said:?}: {answer}");
        }
        // A connection that stays open after an answer.
        let mut idle = served.sends(WHOLE).await;
        assert!(until(&mut idle, "5 bytes").await.contains("200 OK"));
        assert_eq!(rest(idle).await, "");
        served.stops().await;
    }

    #[tokio::test]
    async fn a_body_comes_in_time_or_not_at_all() {
        let served = Served::start(SHORT).await;
        for body in ["", "h"] {
            let (head, _) = WHOLE.split_at(WHOLE.len() - 5);
            let half = served.sends(&format!("{head}{body}")).await;
            let answer = rest(half).await;
            assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        }
        let chunked =
            "POST /take HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n";
        let answer = rest(served.sends(chunked).await).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        served.stops().await;
    }

    #[tokio::test]
    async fn an_answer_takes_as_long_as_it_takes() {
        let served = Served::start(SHORT).await;
        let mut stream = served
            .sends("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
            .await;
        until(&mut stream, "part 0;").await;
        let mut late = served.sends("GET /late HTTP/1.1\r\nhost: x\r\n\r\n").await;
        // Longer than any limit: two that were silent have been closed, one after the other.
        for _ in 0..2 {
            rest(served.sends("").await).await;
        }
        served.go_on.notify_waiters();
        until(&mut stream, "part 1;").await;
        until(&mut late, "late").await;
        served.stops().await;
    }

    #[tokio::test]
    async fn what_is_under_way_is_finished_at_the_end() {
        let served = Served::start(Limits::default()).await;
        let mut late = served
            .sends("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
            .await;
        until(&mut late, "part 0;").await;
        served.stopping.cancel();
        served.go_on.notify_one();
        until(&mut late, "part 1;").await;
        rest(late).await;
        served.stops().await;
    }

    #[tokio::test]
    async fn with_all_in_use_the_next_one_waits_for_its_turn() {
        let served = Served::start(Limits {
            connections: 1,
            ..SHORT
        })
        .await;
        let mut silent = served.sends("POST /take HTTP/1.1\r\n").await;
        let mut next = served.sends(WHOLE).await;
        assert!(until(&mut next, "5 bytes").await.contains("200 OK"));
        let mut nothing = vec![];
        silent.read_to_end(&mut nothing).await.unwrap_or_default();
        served.stops().await;
    }

    #[test]
    fn one_address_leaves_room_for_others() {
        let counts = Arc::new(Counts {
            most: 2,
            proxies: Arc::new(TrustedProxies::parse("10.0.0.0/8").unwrap()),
            of: Mutex::default(),
        });
        let take = |peer: &str| counts.take(peer.parse().unwrap());
        let held: Vec<_> = [take("203.0.113.5"), take("203.0.113.5")].into();
        assert!(held.iter().all(Option::is_some));
        assert!(take("203.0.113.5").is_none());
        assert!(take("::ffff:203.0.113.5").is_none());
        assert!(take("203.0.113.6").is_some());
        for shared in ["127.0.0.1", "::1", "10.1.2.3"] {
            let many: Vec<_> = (0..5).map(|_| take(shared)).collect();
            assert!(many.iter().all(Option::is_some), "{shared}");
        }
        drop(held);
        assert!(counts.counts().is_empty(), "what has ended is forgotten");
        assert!(take("203.0.113.5").is_some());
    }
}
