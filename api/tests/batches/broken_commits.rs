//! Calls whose answer never comes: the connection breaks while the call that appends is on its way, or while its answer is.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use docket::ambient;
use docket::operations::probe::Probe;
use docket::operations::receive::Received;
use docket_domain::case::CaseEvent;
use docket_domain::event::Event;
use docket_projections::connect::connect_options;
use docket_projections::ledger::operation::{Answer, LedgerError};
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::log::reader;
use docket_projections::log::upcasters::upcasters;
use docket_projections::private_postgres::temporary_data_dir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::{Office, text};

/// What a message of Postgres's protocol begins with that asks for TLS, and so comes before the one that begins the session.
const SSL_REQUEST: u32 = 80_877_103;

/// Where the next call that appends breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// It does not reach the server.
    Before,
    /// The server does it, and its answer gets lost.
    After,
}

/// What stands between the ledger and the server.
struct Link {
    folder: tempfile::TempDir,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// Where the next call is cut off, and whether nobody gets through after that.
    next: Mutex<Option<(Cut, bool)>>,
    is_down: AtomicBool,
}

impl State {
    /// Where this call is to be cut off, if it is.
    fn cut(&self) -> Option<Cut> {
        let (cut, stays_down) = self.next.lock().unwrap().take()?;
        self.is_down.store(stays_down, Ordering::SeqCst);
        Some(cut)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How to reach the server.
#[derive(Clone)]
enum Server {
    Socket(PathBuf),
    Port(String, u16),
}

impl Server {
    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Socket(path) => Box::new(UnixStream::connect(path).await?),
            Self::Port(host, port) => Box::new(TcpStream::connect((host.as_str(), *port)).await?),
        })
    }
}

impl Link {
    fn to(server: Server, port: u16) -> Self {
        let folder = temporary_data_dir().unwrap();
        let listener = UnixListener::bind(folder.path().join(format!(".s.PGSQL.{port}"))).unwrap();
        let state = Arc::new(State::default());
        let accepting = tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    if state.is_down.load(Ordering::SeqCst) {
                        continue;
                    }
                    let (server, state) = (server.clone(), Arc::clone(&state));
                    tokio::spawn(async move {
                        // However it ends, both sides see that the connection is gone.
                        if let Ok(server) = server.connect().await {
                            let _ = carry(client, server, &state).await;
                        }
                    });
                }
            }
        });
        Self {
            folder,
            state,
            accepting,
        }
    }

    fn cut_next(&self, cut: Cut, stays_down: bool) {
        *self.state.next.lock().unwrap() = Some((cut, stays_down));
    }

    fn has_cut(&self) -> bool {
        self.state.next.lock().unwrap().is_none()
    }

    fn comes_up(&self) {
        self.state.is_down.store(false, Ordering::SeqCst);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The name of the statement that a message of the protocol prepares, where that is the call that appends.
fn prepared_call(kind: Option<u8>, body: &[u8]) -> Option<Vec<u8>> {
    let (name, statement) = body.split_at(body.iter().position(|byte| *byte == 0)?);
    let call = b"FROM append(";
    let is_call = statement.windows(call.len()).any(|part| part == call);
    (kind == Some(b'P') && is_call).then(|| name.to_vec())
}

/// The name of the statement that a message of the protocol runs.
fn run_statement(kind: Option<u8>, body: &[u8]) -> Option<&[u8]> {
    let mut names = body.split(|byte| *byte == 0);
    (kind == Some(b'B')).then(|| names.nth(1)).flatten()
}

/// Carries a session until one side ends it, or a call is to be cut off.
async fn carry(client: UnixStream, server: Box<dyn Stream>, state: &State) -> std::io::Result<()> {
    let (mut asked, mut answers) = client.into_split();
    let (mut answered, mut asks) = tokio::io::split(server);
    let questions = async {
        let mut has_begun = false;
        let mut call = None;
        let mut cut = None;
        loop {
            let kind = if has_begun {
                Some(asked.read_u8().await?)
            } else {
                None
            };
            let length = asked.read_u32().await?;
            let mut body = vec![0; usize::try_from(length - 4).unwrap()];
            asked.read_exact(&mut body).await?;
            call = prepared_call(kind, &body).or(call);
            if call.is_some() && run_statement(kind, &body) == call.as_deref() {
                cut = state.cut();
            }
            if cut == Some(Cut::Before) {
                return Ok(Cut::Before);
            }
            if let Some(kind) = kind {
                asks.write_u8(kind).await?;
            } else {
                has_begun = !body.starts_with(&SSL_REQUEST.to_be_bytes());
            }
            asks.write_u32(length).await?;
            asks.write_all(&body).await?;
            asks.flush().await?;
            if cut == Some(Cut::After) && kind == Some(b'S') {
                return Ok::<_, std::io::Error>(Cut::After);
            }
        }
    };
    let cut = tokio::select! {
        cut = questions => cut?,
        ended = tokio::io::copy(&mut answered, &mut answers) => return ended.map(drop),
    };
    if cut == Cut::After {
        // It is committed when its answer comes; nobody gets it.
        answered.read_u8().await?;
    }
    Ok(())
}

/// An office, and a ledger of another process that reaches its database through a link.
async fn linked() -> (Office, Link, Ledger) {
    let office = Office::open().await;
    let connect = connect_options(&office.database.url)
        .unwrap()
        .options()
        .clone();
    let port = connect.get_port();
    let server = match connect.get_socket() {
        Some(folder) => Server::Socket(folder.join(format!(".s.PGSQL.{port}"))),
        None => Server::Port(connect.get_host().to_owned(), port),
    };
    let link = Link::to(server, port);
    let options = LedgerOptions {
        writers: 1,
        ..LedgerOptions::new(ambient::now)
    };
    let connect = connect.socket(link.folder.path());
    let ledger = Ledger::start(connect, options).await.unwrap();
    // The first call learns which read models there are, and writes nothing.
    ledger.submit(Probe).await.unwrap();
    (office, link, ledger)
}

/// How many messages were recorded.
async fn received(office: &Office) -> usize {
    let events = reader::page(&office.database.pool, 0, 1_000).await.unwrap();
    events
        .iter()
        .filter(|event| {
            let event = event.decode(&upcasters()).unwrap().event;
            matches!(event, Event::Case(CaseEvent::MessageReceived { .. }))
        })
        .count()
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_sent_again_and_done_once() {
    for cut in [Cut::Before, Cut::After] {
        let (office, link, ledger) = linked().await;
        link.cut_next(cut, false);
        let message = text("Hello", None);
        let answer = ledger.submit(message.clone()).await;
        assert!(link.has_cut());
        assert!(
            matches!(answer, Ok(Answer::Done(Received::Routed { .. }))),
            "{cut:?}: {answer:?}"
        );
        assert_eq!(received(&office).await, 1, "{cut:?}");
        let again = ledger.submit(message).await;
        assert!(matches!(again, Ok(Answer::Duplicate)), "{cut:?}: {again:?}");
    }
}

#[tokio::test]
async fn where_nobody_tells_whether_it_was_done_the_caller_is_to_come_again() {
    for (cut, recorded) in [(Cut::Before, 0), (Cut::After, 1)] {
        let (office, link, ledger) = linked().await;
        link.cut_next(cut, true);
        let message = text("Hello", None);
        let answer = ledger.submit(message.clone()).await;
        assert!(link.has_cut());
        assert!(
            matches!(answer, Err(LedgerError::Unavailable)),
            "{cut:?}: {answer:?}"
        );
        assert_eq!(received(&office).await, recorded, "{cut:?}");
        link.comes_up();
        let again = ledger.submit(message).await;
        match cut {
            Cut::Before => assert!(matches!(again, Ok(Answer::Done(_))), "{again:?}"),
            Cut::After => assert!(matches!(again, Ok(Answer::Duplicate)), "{again:?}"),
        }
        assert_eq!(received(&office).await, 1, "{cut:?}");
    }
}
