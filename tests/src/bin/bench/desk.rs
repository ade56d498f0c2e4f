//! A database with a survey and its two lines, and the processes of Docket on it: the real program, loaded through HTTP.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::Range;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use docket::ambient;
use docket_domain::channel::Channel;
use docket_tests::api::Api;
use docket_tests::docket::{Docket, Environment, binary, run};
use sqlx::Connection as _;

use crate::Timing;
use crate::http::Connection;
use crate::load::{KnownContact, LINE, Message, Messages, Signer, number};
use crate::measured::{Measured, micros};
use crate::send::{self, Requests};
use crate::server::Server;
use docket_tests::cpu::{Clock, Contender};

/// How long a fixed number of messages may take, such as the first ones of all people.
const FILL_TIMEOUT: Duration = Duration::from_hours(2);
/// Connections by which a fixed number of messages comes.
const FILL_CONNECTIONS: u16 = 128;
/// The owner, who makes the survey and the lines.
const OWNER: &str = "owner@example.com";

/// A database for Docket.
pub(crate) struct Desk {
    database: String,
    environment: Environment,
    secret: String,
    signer: Signer,
    /// The most webhooks in a second so far, by which requests are made in advance.
    fastest: f64,
    accepted: u64,
}

/// A process of Docket.
pub(crate) struct Service {
    docket: Docket,
    address: SocketAddr,
}

impl Service {
    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process itself.
    pub(crate) const fn process(&self) -> &Docket {
        &self.docket
    }

    /// The most memory that it had so far, in MB; `None` where the system does not say.
    pub(crate) fn peak_mb(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.docket.id())).ok()?;
        peak_mb(&status)
    }

    /// Stops the process in an orderly way; gives the most memory that it had.
    pub(crate) async fn stop(self) -> Option<f64> {
        let peak = self.peak_mb();
        let log = self.docket.stop().await;
        for line in log.lines().filter(|line| line.contains(" ERROR ")).take(5) {
            crate::progress(line);
        }
        peak
    }
}

/// The peak that `/proc/…/status` tells, in MB.
fn peak_mb(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1.024 / 1_000.0)
}

/// What was accepted, and what is in the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Correctness {
    /// Webhooks that were answered 200.
    pub(crate) accepted: u64,
    /// Webhooks without an answer, or with another one: Docket may have taken them all the same.
    pub(crate) unsure: u64,
    /// Events of messages that were received.
    pub(crate) received: u64,
    /// All events.
    pub(crate) events: u64,
    /// The first position and the last one.
    pub(crate) positions: (i64, i64),
}

impl Correctness {
    /// Whether what was accepted is there once, and the positions have no gap.
    pub(crate) fn holds(&self) -> bool {
        let (first, last) = self.positions;
        (self.accepted..=self.accepted + self.unsure).contains(&self.received)
            && first == 1
            && u64::try_from(last) == Ok(self.events)
    }
}

impl Desk {
    /// Makes the database, the survey and its lines; gives the first process on it as well.
    pub(crate) async fn create(server: &Server, database: &str) -> anyhow::Result<(Self, Service)> {
        server.create(database).await?;
        let secret = hex(&ambient::random_bytes::<32>());
        let desk = Self::on(server, database, &secret);
        let service = desk.serve().await?;
        let add = ["user", "add", "--email", OWNER, "--role", "owner"];
        run(&add, &desk.environment, "").await.success();
        let create = ["token", "create", "--email", OWNER, "--name", "bench"];
        let token = run(&create, &desk.environment, "").await.success();
        let owner = Api::new(service.docket.url(), token.trim_end());
        let survey = owner.add_survey("Help desk").await;
        for channel in ["sms", "whatsapp"] {
            owner.add_line(&survey, LINE, channel, None).await;
        }
        Ok((desk, service))
    }

    fn on(server: &Server, database: &str, secret: &str) -> Self {
        let environment = [
            ("DATABASE_URL", server.url(database)),
            (
                "DOCKET_DATA_DIR",
                server.data_dir(database).display().to_string(),
            ),
            ("DOCKET_VONAGE_SIGNATURE_SECRET", secret.to_owned()),
            ("RUST_LOG", "info,sqlx=warn".to_owned()),
        ];
        Self {
            database: database.to_owned(),
            environment: environment
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            secret: secret.to_owned(),
            signer: Signer::new(secret),
            fastest: 3_000.0,
            accepted: 0,
        }
    }

    /// A copy of the database under another name, on which nothing runs. Nothing may run on this one either.
    pub(crate) async fn copy(&self, server: &Server, database: &str) -> anyhow::Result<Self> {
        server.copy(&self.database, database).await?;
        let mut copy = Self::on(server, database, &self.secret);
        copy.accepted = self.accepted;
        Ok(copy)
    }

    /// The database.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// The settings of processes on it.
    pub(crate) const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Starts a process on it.
    pub(crate) async fn serve(&self) -> anyhow::Result<Service> {
        serve(&self.environment).await
    }

    /// Starts a process that reaches its database by another URL.
    pub(crate) async fn serve_at(&self, url: &str) -> anyhow::Result<Service> {
        let mut environment = self.environment.clone();
        environment.retain(|(name, _)| name != "DATABASE_URL");
        environment.push(("DATABASE_URL".to_owned(), url.to_owned()));
        serve(&environment).await
    }

    /// Signs messages.
    pub(crate) fn sign(&self, messages: &mut impl Messages, count: usize) -> Requests {
        (0..count)
            .map(|_| self.signer.request(&messages.next()))
            .collect()
    }

    /// Has each of these people open a case.
    pub(crate) async fn open_cases(
        &mut self,
        service: &Service,
        people: Range<u32>,
    ) -> anyhow::Result<()> {
        let requests = people
            .map(|person| {
                self.signer.request(&Message {
                    from: number(person),
                    channel: Channel::Sms,
                    text: "Hello, may I ask you something?".to_owned(),
                })
            })
            .collect();
        self.fill(service, &requests).await?;
        Ok(())
    }

    /// Sends all of these; gives how many were taken in a second.
    pub(crate) async fn fill(
        &mut self,
        service: &Service,
        requests: &Requests,
    ) -> anyhow::Result<f64> {
        let timing = Timing {
            warm_up: Duration::ZERO,
            window: FILL_TIMEOUT,
        };
        let closed = send::closed(&[service.address], FILL_CONNECTIONS, requests, timing).await?;
        self.accepted += closed.accepted;
        if closed.accepted != requests.len() as u64 {
            bail!(
                "{} of {} messages were taken",
                closed.accepted,
                requests.len()
            );
        }
        Ok(closed.measured.per_second())
    }

    /// Everybody's case, by its events.
    pub(crate) async fn known_contacts(
        &self,
        server: &Server,
    ) -> anyhow::Result<Vec<KnownContact>> {
        let mut conn = server.connect(&self.database).await?;
        let rows: Vec<(String, i32)> = sqlx::query_as(
            "SELECT payload -> 'CaseOpened' ->> 'number', (payload -> 'CaseOpened' ->> 'reference')::integer
               FROM events WHERE event_type = 'CaseOpened'",
        )
        .fetch_all(&mut conn)
        .await?;
        conn.close().await?;
        let mut references = HashMap::new();
        for (number, reference) in rows {
            if references
                .insert(number, u32::try_from(reference)?)
                .is_some()
            {
                bail!("two cases were opened for one person");
            }
        }
        Ok(references
            .into_iter()
            .map(|(number, reference)| KnownContact { number, reference })
            .collect())
    }

    /// Sends a message by itself; gives how long it took, in microseconds.
    pub(crate) async fn single(
        &mut self,
        connection: &mut Connection,
        message: &Message,
    ) -> anyhow::Result<u32> {
        let request = self.signer.request(message);
        let began = Instant::now();
        let status = connection.call(&request).await?;
        let took = began.elapsed();
        if status != 200 {
            bail!("docket answered {status} to a webhook");
        }
        self.accepted += 1;
        Ok(micros(took))
    }

    /// Loads the services for one window, with that many connections in all.
    pub(crate) async fn window(
        &mut self,
        server: &Server,
        services: &[&Service],
        connections: u16,
        timing: Timing,
        messages: &mut impl Messages,
    ) -> anyhow::Result<Measured> {
        // Signed before the clock runs, more than can be used up.
        let seconds = (timing.warm_up + timing.window).as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some ten thousands"
        )]
        let count = (self.fastest * 2.0 * seconds) as usize;
        let requests = self.sign(messages, count);
        let first = services.first().context("no service is loaded")?;
        let addresses: Vec<_> = services.iter().map(|service| service.address).collect();
        let clock = Clock::start(Contender::Running(first.docket.id()), server.postmaster());
        let closed = send::closed(&addresses, connections, &requests, timing).await?;
        let spent = clock.stop(usize::try_from(closed.accepted)?);
        self.accepted += closed.accepted;
        self.fastest = self.fastest.max(closed.measured.per_second());
        Ok(closed.measured.with(spent))
    }

    /// Webhooks that were accepted so far.
    pub(crate) const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Counts webhooks that were accepted otherwise than by this value.
    pub(crate) const fn count(&mut self, accepted: u64) {
        self.accepted += accepted;
    }

    /// Compares what was accepted with what is in the database. `unsure` webhooks were refused, or got no answer.
    pub(crate) async fn verify(&self, server: &Server, unsure: u64) -> anyhow::Result<Correctness> {
        let mut conn = server.connect(&self.database).await?;
        let (received, events, first, last): (i64, i64, i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE event_type = 'MessageReceived'), count(*), min(position), max(position) FROM events",
        )
        .fetch_one(&mut conn)
        .await?;
        conn.close().await?;
        Ok(Correctness {
            accepted: self.accepted,
            unsure,
            received: u64::try_from(received)?,
            events: u64::try_from(events)?,
            positions: (first, last),
        })
    }
}

async fn serve(environment: &Environment) -> anyhow::Result<Service> {
    let docket = Docket::serve(environment).await;
    let address = docket
        .url()
        .strip_prefix("http://")
        .context("docket listens at no address")?
        .parse()?;
    Ok(Service { docket, address })
}

/// Rebuilds all read models of a database by `docket rebuild`, however long that takes; gives what it said.
pub(crate) async fn rebuild(environment: &Environment) -> anyhow::Result<String> {
    let output = tokio::process::Command::new(binary())
        .arg("rebuild")
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("docket rebuild cannot be started")?;
    if !output.status.success() {
        bail!(
            "docket rebuild failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn hex(bytes: &[u8]) -> String {
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
            unsure: 0,
            received: 5,
            events: 9,
            positions: (1, 9),
        };
        assert!(right.holds());
        for wrong in [
            Correctness {
                accepted: 6,
                ..right
            },
            Correctness {
                received: 6,
                ..right
            },
            Correctness {
                positions: (1, 10),
                ..right
            },
            Correctness {
                positions: (2, 9),
                ..right
            },
        ] {
            assert!(!wrong.holds(), "{wrong:?}");
        }
    }

    #[test]
    fn a_webhook_without_an_answer_may_be_there_or_not() {
        let unsure = |received| Correctness {
            accepted: 5,
            unsure: 1,
            received,
            events: 9,
            positions: (1, 9),
        };

        assert!(unsure(5).holds() && unsure(6).holds());
        assert!(!unsure(4).holds() && !unsure(7).holds());
    }

    #[test]
    fn the_peak_of_memory_is_told_in_megabytes() {
        let status = "Name:\tdocket\nVmHWM:\t  97656 kB\nVmRSS:\t   80000 kB\n";

        assert!(peak_mb(status).is_some_and(|peak| (peak - 100.0).abs() < 0.001));
        assert_eq!(peak_mb("Name:\tdocket\n"), None);
    }
}
