//! Docket itself: the real program as a process of its own, loaded through HTTP.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use docket::ambient;
use docket::operations::Administrator;
use docket::operations::line::ChangeLine;
use docket::operations::survey::SetSurvey;
use docket_domain::channel::Channel;
use docket_domain::ids::{LineId, SurveyId};
use docket_domain::line::{LineCommand, LineSettings};
use docket_domain::survey::{StatusQuestion, SurveySettings};
use docket_projections::ledger::operation::{Answer, Operation};
use docket_projections::ledger::{Ledger, LedgerOptions};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::Connection as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::LocalSet;

use crate::Timing;
use crate::bare;
use crate::cpu::{Clock, Contender};
use crate::http::Connection;
use crate::load::{Conversations, KnownContact, Message, Signer, number};
use crate::measured::{Measured, micros};
use crate::server::Server;

/// The database.
const DATABASE: &str = "docket";
/// How long the program may take to start, and to stop.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long the first messages may take.
const FIRST_PATIENCE: Duration = Duration::from_mins(10);
/// Connections by which people write their first message.
const FIRST_CONNECTIONS: u16 = 128;

/// The program, and what it was sent so far.
pub(crate) struct Docket {
    child: Child,
    address: SocketAddr,
    signer: Signer,
    conversations: Conversations,
    /// The most webhooks in a second so far, by which requests are made in advance.
    fastest: f64,
    accepted: u64,
}

/// What single requests on an idle server took.
#[derive(Clone, Debug)]
pub(crate) struct Singles {
    /// Webhooks.
    pub(crate) webhook: Measured,
    /// INSERTs.
    pub(crate) insert: Measured,
}

/// What was accepted, and what is in the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Correctness {
    /// Webhooks that were answered 200.
    pub(crate) accepted: u64,
    /// Events of messages that were received.
    pub(crate) received: u64,
    /// All events.
    pub(crate) events: u64,
    /// The first position, the last one, and the one that the log says is the newest.
    pub(crate) positions: (i64, i64, i64),
}

impl Correctness {
    /// Whether what was accepted is there once, and the positions have no gap.
    pub(crate) fn holds(&self) -> bool {
        let (first, last, head) = self.positions;
        self.accepted == self.received
            && first == 1
            && u64::try_from(last) == Ok(self.events)
            && last == head
    }
}

/// Memory of the program, in MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident: f64,
    /// The most it ever had.
    pub(crate) peak: f64,
}

impl Docket {
    /// Prepares the database, starts the program, and has `known_contacts` people and those of `conversations` open a case.
    pub(crate) async fn start(
        server: &Server,
        known_contacts: usize,
        conversations: usize,
    ) -> anyhow::Result<Self> {
        server.create(DATABASE).await?;
        set_up(server).await?;
        let secret = hex(&ambient::random_bytes::<32>());
        let mut child = Command::new(program()?)
            .arg("serve")
            .env_clear()
            .env("DATABASE_URL", server.url(DATABASE))
            .env("DOCKET_LISTEN", "127.0.0.1:0")
            .env("DOCKET_METRICS_LISTEN", "off")
            .env("DOCKET_VONAGE_SIGNATURE_SECRET", &secret)
            .env("RUST_LOG", "info,sqlx=warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("docket cannot be started")?;
        let address = tokio::time::timeout(PATIENCE, address_of(&mut child))
            .await
            .context("docket does not listen")??;
        let mut this = Self {
            child,
            address,
            signer: Signer::new(address, &secret),
            conversations: Conversations::new(0..1, vec![]),
            fastest: 3_000.0,
            accepted: 0,
        };
        let people = u32::try_from(known_contacts)?..u32::try_from(known_contacts + conversations)?;
        let mut references = this.open_cases(server, people.end).await?;
        let known = (0..people.start)
            .map(number)
            .map(|number| {
                let reference = references
                    .remove(&number)
                    .context("a case was not opened")?;
                Ok(KnownContact { number, reference })
            })
            .collect::<anyhow::Result<_>>()?;
        this.conversations = Conversations::new(people, known);
        Ok(this)
    }

    async fn open_cases(
        &mut self,
        server: &Server,
        count: u32,
    ) -> anyhow::Result<HashMap<String, u32>> {
        let requests = (0..count)
            .map(|person| {
                let text = "Hello, may I ask you something?".to_owned();
                self.signer.request(&Message {
                    from: number(person),
                    channel: Channel::Sms,
                    text,
                })
            })
            .collect();
        self.send(
            requests,
            FIRST_CONNECTIONS,
            Timing {
                warm_up: Duration::ZERO,
                window: FIRST_PATIENCE,
            },
        )
        .await?;
        let mut conn = server.connect(DATABASE).await?;
        let rows: Vec<(String, i32)> = sqlx::query_as("SELECT number, reference FROM cases")
            .fetch_all(&mut conn)
            .await?;
        conn.close().await?;
        if u32::try_from(rows.len()) != Ok(count) {
            bail!("{count} people wrote, and {} cases were opened", rows.len());
        }
        rows.into_iter()
            .map(|(number, reference)| Ok((number, u32::try_from(reference)?)))
            .collect()
    }

    /// Times single webhooks on an idle server, and single INSERTs between them.
    pub(crate) async fn singles(
        &mut self,
        server: &Server,
        payload: &str,
        count: usize,
    ) -> anyhow::Result<Singles> {
        let mut conn = server.connect(bare::DATABASE).await?;
        let mut connection = Connection::open(self.address).await?;
        let mut webhooks = vec![];
        let mut inserts = vec![];
        for _ in 0..count {
            let request = self.signer.request(&self.conversations.next());
            let began = Instant::now();
            let status = connection.call(&request).await?;
            webhooks.push(micros(began.elapsed()));
            self.count(status)?;
            let began = Instant::now();
            bare::insert_one(&mut conn, payload).await?;
            inserts.push(micros(began.elapsed()));
        }
        conn.close().await?;
        // How long all took together says nothing here.
        let window = Duration::from_secs(1);
        Ok(Singles {
            webhook: Measured::new(window, webhooks),
            insert: Measured::new(window, inserts),
        })
    }

    /// Loads the program for one window.
    pub(crate) async fn window(
        &mut self,
        server: &Server,
        connections: u16,
        timing: Timing,
    ) -> anyhow::Result<Measured> {
        // Signed before the clock runs, more than can be used up.
        let seconds = (timing.warm_up + timing.window).as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some ten thousands"
        )]
        let count = (self.fastest * 2.0 * seconds) as usize;
        let requests = (0..count)
            .map(|_| self.signer.request(&self.conversations.next()))
            .collect();
        let pid = self.child.id().context("docket has ended")?;
        let accepted = self.accepted;
        let clock = Clock::start(Contender::Running(pid), server.postmaster());
        let measured = self.send(requests, connections, timing).await?;
        let spent = clock.stop(usize::try_from(self.accepted - accepted)?);
        self.fastest = self.fastest.max(measured.per_second());
        Ok(measured.with(spent))
    }

    /// Sends requests over that many connections, each with one request under way, until the window ends or all are sent.
    async fn send(
        &mut self,
        requests: Vec<Box<[u8]>>,
        connections: u16,
        timing: Timing,
    ) -> anyhow::Result<Measured> {
        let mut open = vec![];
        for _ in 0..connections {
            open.push(Connection::open(self.address).await?);
        }
        let window_begins = Instant::now() + timing.warm_up;
        let window_ends = window_begins + timing.window;
        let requests = Rc::new((Cell::new(0), requests));
        let tasks = LocalSet::new();
        let mut senders = vec![];
        for mut connection in open {
            let requests = Rc::clone(&requests);
            senders.push(tasks.spawn_local(async move {
                let mut sent = Sent::default();
                loop {
                    let began = Instant::now();
                    let index = requests.0.get();
                    let Some(request) = requests.1.get(index).filter(|_| began < window_ends)
                    else {
                        break;
                    };
                    requests.0.set(index + 1);
                    sent.statuses.push(connection.call(request).await?);
                    let ended = Instant::now();
                    if window_begins <= ended && ended < window_ends {
                        sent.latencies_us.push(micros(ended - began));
                        sent.last = Some(ended);
                    }
                }
                Ok::<_, std::io::Error>(sent)
            }));
        }
        tasks.await;
        let mut latencies = vec![];
        let mut last = window_begins;
        for sender in senders {
            let sent = sender.await?.context("a connection to docket broke")?;
            latencies.extend(sent.latencies_us);
            last = last.max(sent.last.unwrap_or(window_begins));
            for status in sent.statuses {
                self.count(status)?;
            }
        }
        // Where the requests were used up, the window was as long as they lasted.
        let used_up = requests.0.get() == requests.1.len();
        let window = if used_up {
            last - window_begins
        } else {
            timing.window
        };
        Ok(Measured::new(window, latencies))
    }

    fn count(&mut self, status: u16) -> anyhow::Result<()> {
        if status != 200 {
            bail!("docket answered {status} to a webhook");
        }
        self.accepted += 1;
        Ok(())
    }

    /// The program's memory; `None` where the system does not say.
    pub(crate) fn memory(&self) -> Option<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let mebibytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kibibytes: f64 = line
                .trim_start_matches(':')
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()?;
            Some(kibibytes / 1_024.0)
        };
        Some(Memory {
            resident: mebibytes("VmRSS")?,
            peak: mebibytes("VmHWM")?,
        })
    }

    /// Stops the program, and compares what it accepted with what is in the database.
    pub(crate) async fn stop_and_verify(mut self, server: &Server) -> anyhow::Result<Correctness> {
        let pid = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .context("docket has ended")?;
        kill_process(pid, Signal::TERM)?;
        let status = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .context("docket does not stop")??;
        if !status.success() {
            bail!("docket ended with {status}");
        }
        let mut conn = server.connect(DATABASE).await?;
        let (received, events, first, last, head): (i64, i64, i64, i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE event_type = 'MessageReceived'), count(*), min(position), max(position),
                    (SELECT position FROM log_head)
               FROM events",
        )
        .fetch_one(&mut conn)
        .await?;
        conn.close().await?;
        Ok(Correctness {
            accepted: self.accepted,
            received: u64::try_from(received)?,
            events: u64::try_from(events)?,
            positions: (first, last, head),
        })
    }
}

/// What one connection sent.
#[derive(Default)]
struct Sent {
    statuses: Vec<u16>,
    latencies_us: Vec<u32>,
    last: Option<Instant>,
}

/// The program that was built together with this one.
fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("docket");
    if !program.exists() {
        bail!(
            "{} is missing: build it with `cargo build --release --workspace --bins`",
            program.display()
        );
    }
    Ok(program)
}

/// Reads the program's log until it says where it listens; what it says later of warnings goes to our standard error.
async fn address_of(child: &mut Child) -> anyhow::Result<SocketAddr> {
    let stderr = child.stderr.take().context("docket's log is not caught")?;
    let mut lines = BufReader::new(stderr).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await? {
        if let Some((_, address)) = line.split_once("listening address=") {
            let address = address.trim().parse()?;
            tokio::spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    if line.contains(" WARN ") || line.contains(" ERROR ") {
                        crate::progress(&line);
                    }
                }
            });
            return Ok(address);
        }
        said.push_str(&line);
        said.push('\n');
    }
    bail!("docket did not start:\n{said}")
}

/// Makes the tables, a survey and its two lines.
async fn set_up(server: &Server) -> anyhow::Result<()> {
    let connect = server.connect_options(DATABASE);
    docket_projections::migrate(&connect).await?;
    let ledger = Ledger::start(connect, LedgerOptions::new(ambient::now)).await?;
    let survey_id = SurveyId(ambient::new_id());
    let settings = SurveySettings {
        name: "Help desk".to_owned(),
        cases_enabled: true,
        status: StatusQuestion {
            question: "How far is it?".to_owned(),
            choices: ["New", "In progress", "Resolved"]
                .map(str::to_owned)
                .to_vec(),
            closed_value: "Resolved".to_owned(),
        },
        append_reference: true,
    };
    submit(
        &ledger,
        SetSurvey {
            survey_id,
            settings,
            create: true,
            seen: None,
            by: Administrator::System,
        },
    )
    .await?;
    for channel in [Channel::Sms, Channel::Whatsapp] {
        let line_id = LineId(ambient::new_id());
        let settings = LineSettings {
            survey_id,
            multi_case_reply: None,
        };
        let command = LineCommand::Add {
            line_id,
            number: crate::load::LINE.to_owned(),
            channel,
            settings,
        };
        submit(
            &ledger,
            ChangeLine {
                line_id,
                command,
                by: Administrator::System,
            },
        )
        .await?;
    }
    ledger.close().await;
    Ok(())
}

async fn submit<O: Operation<Refusal: std::fmt::Debug>>(
    ledger: &Ledger,
    operation: O,
) -> anyhow::Result<()> {
    match ledger.submit(operation).await {
        Ok(Answer::Done(_)) => Ok(()),
        Ok(Answer::Repeated(_) | Answer::Duplicate) => bail!("the database is not empty"),
        Err(error) => bail!("the survey and its lines cannot be made: {error:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_missing_doubled_or_out_of_line_is_noticed() {
        let right = Correctness {
            accepted: 5,
            received: 5,
            events: 9,
            positions: (1, 9, 9),
        };
        assert!(right.holds());
        assert!(
            !Correctness {
                accepted: 6,
                ..right
            }
            .holds()
        );
        assert!(
            !Correctness {
                received: 6,
                ..right
            }
            .holds()
        );
        assert!(
            !Correctness {
                positions: (1, 10, 10),
                ..right
            }
            .holds()
        );
        assert!(
            !Correctness {
                positions: (1, 9, 10),
                ..right
            }
            .holds()
        );
    }
}
