//! A TCP proxy before the server's socket: it can stall all connections, and counts round trips.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What is read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// What becomes of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// They are passed on.
    Runs,
    /// They are kept, in both directions, until the flow runs again.
    Stalls,
    /// On each connection the next request is passed on by half. From then on they are kept.
    StallsWithinARequest,
}

/// The proxy; it ends when the value goes.
pub(crate) struct Proxy {
    address: SocketAddr,
    flow: watch::Sender<Flow>,
    round_trips: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// A proxy before a Unix socket.
    pub(crate) async fn start(socket: &Path) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (flow, watched) = watch::channel(Flow::Runs);
        let round_trips = Arc::new(AtomicU64::new(0));
        let accepting = tokio::spawn(accept(
            listener,
            socket.to_owned(),
            watched,
            Arc::clone(&round_trips),
        ));
        Ok(Self {
            address,
            flow,
            round_trips,
            accepting,
        })
    }

    /// The URL of a database behind it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://docket@{}/{database}?sslmode=disable",
            self.address
        )
    }

    /// Sets what becomes of bytes.
    pub(crate) fn set(&self, flow: Flow) {
        self.flow.send_replace(flow);
    }

    /// How often so far a request was answered: bytes of a client, and then bytes of the server. Statements that were sent
    /// together count once.
    pub(crate) fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    socket: PathBuf,
    flow: watch::Receiver<Flow>,
    round_trips: Arc<AtomicU64>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let link = Link {
            flow: flow.clone(),
            round_trips: Arc::clone(&round_trips),
            is_cut: Arc::default(),
            is_asked: Arc::default(),
        };
        let socket = socket.clone();
        connections.spawn(async move {
            // A connection that breaks is its client's to notice.
            let _ = pass(client, &socket, link).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn pass(client: TcpStream, socket: &Path, link: Link) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let server = UnixStream::connect(socket).await?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // The end of either direction is the end of the connection.
    tokio::select! {
        result = link.requests(from_client, to_server) => result,
        result = link.answers(from_server, to_client) => result,
    }
}

/// One connection.
struct Link {
    flow: watch::Receiver<Flow>,
    round_trips: Arc<AtomicU64>,
    /// Whether a request was passed on by half since the flow ran last.
    is_cut: Arc<AtomicBool>,
    /// Whether the client spoke last.
    is_asked: Arc<AtomicBool>,
}

impl Link {
    async fn requests(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> std::io::Result<()> {
        let mut flow = self.flow.clone();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = from.read(&mut chunk).await?;
            if read == 0 {
                return Ok(());
            }
            let mut rest = &chunk[..read];
            let now = *flow.borrow_and_update();
            if now == Flow::StallsWithinARequest && !self.is_cut.load(Ordering::Relaxed) {
                let (half, other) = rest.split_at(read / 2);
                to.write_all(half).await?;
                self.is_cut.store(true, Ordering::Relaxed);
                rest = other;
            }
            runs(&mut flow).await?;
            self.is_cut.store(false, Ordering::Relaxed);
            self.is_asked.store(true, Ordering::Relaxed);
            to.write_all(rest).await?;
        }
    }

    async fn answers(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> std::io::Result<()> {
        let mut flow = self.flow.clone();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = from.read(&mut chunk).await?;
            if read == 0 {
                return Ok(());
            }
            if self.is_asked.swap(false, Ordering::Relaxed) {
                self.round_trips.fetch_add(1, Ordering::Relaxed);
            }
            let now = *flow.borrow_and_update();
            // The client makes its next request when it has this answer.
            if now != Flow::StallsWithinARequest || self.is_cut.load(Ordering::Relaxed) {
                runs(&mut flow).await?;
            }
            to.write_all(&chunk[..read]).await?;
        }
    }
}

/// Waits until the flow runs.
async fn runs(flow: &mut watch::Receiver<Flow>) -> std::io::Result<()> {
    flow.wait_for(|flow| *flow == Flow::Runs)
        .await
        .map(drop)
        .map_err(|_| std::io::ErrorKind::BrokenPipe.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::UnixListener;

    use super::*;

    /// A server that gives back what it gets, a client of it, and the proxy between them.
    async fn echo() -> (tempfile::TempDir, Proxy, TcpStream) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            let (mut server, _) = listener.accept().await.unwrap();
            let mut chunk = [0; 100];
            while let Ok(read @ 1..) = server.read(&mut chunk).await {
                server.write_all(&chunk[..read]).await.unwrap();
            }
        });
        let proxy = Proxy::start(&socket).await.unwrap();
        let client = TcpStream::connect(proxy.address).await.unwrap();
        (folder, proxy, client)
    }

    async fn expect(client: &mut TcpStream, text: &str) {
        let mut bytes = vec![0; text.len()];
        client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes, text.as_bytes());
    }

    async fn is_silent(client: &mut TcpStream) -> bool {
        let quiet = Duration::from_millis(50);
        tokio::time::timeout(quiet, client.read_u8()).await.is_err()
    }

    #[tokio::test]
    async fn a_request_and_its_answer_are_one_round_trip() {
        let (_folder, proxy, mut client) = echo().await;
        for count in 1..=3 {
            client.write_all(b"ping").await.unwrap();
            expect(&mut client, "ping").await;
            assert_eq!(proxy.round_trips(), count);
        }
    }

    #[tokio::test]
    async fn a_stalled_connection_goes_on_where_it_was() {
        let (_folder, proxy, mut client) = echo().await;
        proxy.set(Flow::Stalls);
        client.write_all(b"ping").await.unwrap();
        assert!(is_silent(&mut client).await);

        proxy.set(Flow::Runs);

        expect(&mut client, "ping").await;
    }

    #[tokio::test]
    async fn a_request_can_be_cut_in_two() {
        let (_folder, proxy, mut client) = echo().await;
        proxy.set(Flow::StallsWithinARequest);
        client.write_all(b"ping").await.unwrap();
        // The server has answered the first half, which is kept as well.
        assert!(is_silent(&mut client).await);

        proxy.set(Flow::Runs);

        expect(&mut client, "ping").await;
    }
}
