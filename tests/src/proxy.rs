//! A bad network between a process and its Postgres: a port of this machine that leads to the server's socket, and can be made to
//! delay what goes through it, to cut connections, to let them hang, and to take no new ones.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How much is passed on at once.
const BUFFER: usize = 16 * 1024;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// It passes everything on at once.
    Good,
    /// Each piece waits that long.
    Slow(Duration),
    /// Nothing comes through, in neither direction, and no connection ends; what was said meanwhile comes through afterwards.
    Stalled,
    /// New connections end at once. Those that stand go on.
    Closed,
}

#[derive(Clone)]
struct Switches {
    network: watch::Sender<Network>,
    /// Counts the cuts; each ends the connections that stand.
    cuts: watch::Sender<u64>,
}

/// The way through. It closes when the value goes.
pub struct Proxy {
    port: u16,
    switches: Arc<Switches>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Opens a way to the server behind `socket`.
    pub async fn open(socket: PathBuf) -> Self {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .expect("this machine has a free port");
        let port = listener
            .local_addr()
            .expect("a listener has an address")
            .port();
        let switches = Arc::new(Switches {
            network: watch::Sender::new(Network::Good),
            cuts: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, socket, Arc::clone(&switches)));
        Self {
            port,
            switches,
            accepting,
        }
    }

    /// The port that leads to the server.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Changes what the network does, for connections that stand as well.
    pub fn set(&self, network: Network) {
        self.switches.network.send_replace(network);
    }

    /// Ends every connection that stands, wherever it is.
    pub fn cut(&self) {
        self.switches.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, switches: Arc<Switches>) {
    while let Ok((client, _)) = listener.accept().await {
        if *switches.network.borrow() == Network::Closed {
            continue;
        }
        let (socket, switches) = (socket.clone(), Arc::clone(&switches));
        tokio::spawn(async move {
            let mut cuts = switches.cuts.subscribe();
            tokio::select! {
                // The end is the news; there is none to tell it to.
                _ = cuts.changed() => {}
                () = connect(client, socket, &switches) => {}
            }
        });
    }
}

async fn connect(client: TcpStream, socket: PathBuf, switches: &Switches) {
    let _ = client.set_nodelay(true);
    // A server that is away is known to the client by the end of its connection.
    let Ok(server) = UnixStream::connect(socket).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whichever direction ends first ends both.
    tokio::select! {
        () = pass_on(from_client, to_server, switches.network.subscribe()) => {}
        () = pass_on(from_server, to_client, switches.network.subscribe()) => {}
    }
}

async fn pass_on(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    mut network: watch::Receiver<Network>,
) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let now = *network.borrow_and_update();
        if let Network::Slow(pause) = now {
            // A stall that begins meanwhile begins at once.
            let stalled = network.wait_for(|network| *network == Network::Stalled);
            let _ = tokio::time::timeout(pause, stalled).await;
        }
        let moves = network
            .wait_for(|network| *network != Network::Stalled)
            .await
            .is_ok();
        if !moves || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A server that says everything again, and a way to it.
    async fn echo(folder: &tempfile::TempDir) -> Proxy {
        let socket = folder.path().join("echo");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut from, mut to) = stream.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from, &mut to).await });
            }
        });
        Proxy::open(socket).await
    }

    async fn client(proxy: &Proxy) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()))
            .await
            .unwrap()
    }

    async fn says(client: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
        client.write_all(text).await?;
        let mut heard = vec![0; text.len()];
        client.read_exact(&mut heard).await?;
        Ok(heard)
    }

    #[tokio::test]
    async fn it_delays_stalls_cuts_and_closes() {
        let folder = tempfile::tempdir().unwrap();
        let proxy = echo(&folder).await;
        let mut one = client(&proxy).await;
        assert_eq!(says(&mut one, b"good").await.unwrap(), b"good");

        let pause = Duration::from_millis(20);
        proxy.set(Network::Slow(pause));
        let began = Instant::now();
        assert_eq!(says(&mut one, b"slow").await.unwrap(), b"slow");
        assert!(began.elapsed() >= 2 * pause, "once in each direction");

        proxy.set(Network::Stalled);
        let silent = tokio::time::timeout(pause, says(&mut one, b"later")).await;
        assert!(silent.is_err(), "nothing comes through");
        proxy.set(Network::Good);
        let mut heard = [0; 5];
        one.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"later");

        proxy.set(Network::Closed);
        let mut other = client(&proxy).await;
        assert!(says(&mut other, b"hello").await.is_err());
        assert_eq!(says(&mut one, b"still").await.unwrap(), b"still");
        proxy.cut();
        assert!(says(&mut one, b"gone").await.is_err());
        proxy.set(Network::Good);
        assert_eq!(
            says(&mut client(&proxy).await, b"back").await.unwrap(),
            b"back"
        );
    }
}
