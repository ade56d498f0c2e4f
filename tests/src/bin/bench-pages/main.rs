//! `make bench-pages`: how long the server takes for each page of the console with many cases, and how heavy the pages are.
//!
//! The database is a private one with the settings of the service. Its log is made by the database, its read models by a rebuild. The
//! program is the one that lies beside this one. Each page is asked for again and again over one connection, by itself. The
//! processor time of a page hardly depends on what else the machine does meanwhile, unlike the rest. Then old threads
//! are read to their ends, and forty open tabs listen while messages come.
//!
//! `bench-pages [CASES [MESSAGES [LONG [RECORDS]]]]` measures other numbers of cases and of messages in each than 100,000 and 10, and
//! another case without an end than one of 100,000 messages, and another number than one of 50,000 records.

mod tabs;

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use docket::cli::terminal::say;
use docket_projections::connect::connect_options;
use docket_projections::private_postgres::{Options, PrivatePostgres, temporary_data_dir};
use docket_projections::read::ReadModels;
use docket_projections::testing::volume;
use docket_projections::{migrate, rebuild};
use docket_tests::cpu::{self, Clock, Contender};
use docket_tests::docket::{Docket, Environment};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use sqlx::{Connection, Executor};

const CASES: i64 = 100_000;
const MESSAGES: i64 = 10;
/// Requests before those that are measured, so that what is read from the disk once does not count.
const WARM_UP: usize = 20;
const REQUESTS: usize = 300;
const EMAIL: &str = "owner@example.com";
const PASSWORD: &str = "docket-bench-pages";
/// The messages of the long case.
const LONG: i64 = 100_000;
/// The records of one number.
const RECORDS: i64 = 50_000;
/// What webhooks are signed with.
const SECRET: &str = "signature-secret-of-the-bench-0123456789";
/// The application that they name.
const APPLICATION_ID: &str = "0195aaaa-0000-4000-8000-000000000001";
/// Each page: what it is, and where. `{open}` and `{closed}` are cases in the middle of the list.
const PAGES: [(&str, &str); 20] = [
    ("inbox: open cases", "/"),
    ("inbox: unread cases", "/?view=unread"),
    ("inbox: my cases", "/?view=mine"),
    ("inbox: nobody's cases", "/?view=unassigned"),
    ("inbox: closed cases", "/?view=closed"),
    ("inbox: all cases", "/?view=all"),
    ("search: a number", "/?view=all&q=%2B447700900123"),
    ("search: a reference", "/?view=all&q=%23{closed}"),
    ("search: a word that all have said", "/?view=all&q=crew"),
    ("search: a word that few have said", "/?view=all&q=4711"),
    ("a case", "/cases/{open}"),
    ("a case's history", "/cases/{open}/history"),
    ("a case as it was", "/cases/{open}/history?at=5"),
    ("a long case", "/cases/{long}"),
    ("a long case, its middle", "/cases/{long}?before={middle}"),
    (
        "a long case, its history",
        "/cases/{long}/history?after={middle}",
    ),
    (
        "a long case as it was: a step of the slider",
        "/cases/{long}/history?at={middle}",
    ),
    ("a record of a number with many", "/cases/{record}"),
    ("the whole log", "/log"),
    (
        "a report of a month",
        "/reports?from=2026-01-01&to=2026-01-31",
    ),
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|argument| {
        argument
            .parse()
            .context("bench-pages takes numbers of cases and messages")
    });
    let cases = numbers.next().transpose()?.unwrap_or(CASES);
    let messages = numbers.next().transpose()?.unwrap_or(MESSAGES);
    let folder = temporary_data_dir().context("a temporary folder cannot be made")?;
    let postgres = PrivatePostgres::open(Options::new(folder.path())).await?;
    let long = numbers.next().transpose()?.unwrap_or(LONG);
    let records = numbers.next().transpose()?.unwrap_or(RECORDS);
    let size = Size {
        cases,
        messages,
        long,
        records,
    };
    let postmaster = cpu::postmaster(postgres.cluster()).context("no server runs")?;
    let result = measure_on(&postgres.url(), postmaster, size).await;
    postgres.discard().await?;
    result
}

/// How much there is.
#[derive(Clone, Copy)]
struct Size {
    cases: i64,
    messages: i64,
    long: i64,
    records: i64,
}

/// Where it is.
struct Places {
    open: i64,
    long: i64,
    /// In the middle of the long case.
    middle: i64,
    record: i64,
}

async fn measure_on(url: &str, postmaster: u32, size: Size) -> anyhow::Result<()> {
    let Size {
        cases,
        messages,
        long,
        records,
    } = size;
    let options = connect_options(url)?;
    migrate(&options).await?;
    let mut conn = options.connect().await?;
    let began = Instant::now();
    let events = volume::fill_with_messages(&mut conn, cases, messages).await;
    let (long_case, record) = volume::add_long(&mut conn, long, records).await;
    rebuild::rebuild(&options, ReadModels::ALL, docket::ambient::now(), |_| {}).await?;
    conn.execute("VACUUM ANALYZE").await?;
    conn.close().await?;
    say(&format!(
        "{cases} cases, {} messages, {events} events, a case of {long} messages, a number with {records} records; made in {} s. \
         {REQUESTS} requests each.",
        cases * messages,
        began.elapsed().as_secs()
    ));
    let environment: Environment = [
        ("DATABASE_URL", url),
        ("DOCKET_OWNER_EMAIL", EMAIL),
        ("DOCKET_OWNER_PASSWORD", PASSWORD),
        ("DOCKET_VONAGE_APPLICATION_ID", APPLICATION_ID),
        ("DOCKET_VONAGE_SIGNATURE_SECRET", SECRET),
        ("RUST_LOG", "warn,docket::cli=info"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let docket = Docket::serve(&environment).await;
    let places = Places {
        // Every tenth case is open, counted from 101.
        open: 101 + cases / 20 * 10,
        long: long_case,
        middle: long * 4 / 5,
        record,
    };
    let result = measure(&docket, postmaster, &places).await;
    let result = match result {
        Ok(visitor) => tabs::measure(&docket, &visitor, &places, &environment, url).await,
        Err(error) => Err(error),
    };
    docket.stop().await;
    result
}

async fn measure(docket: &Docket, postmaster: u32, places: &Places) -> anyhow::Result<Visitor> {
    let visitor = Visitor::sign_in(docket.url()).await?;
    let open = places.open;
    say(
        "| page | p50 ms | p99 ms | max ms | processor time ms | of Postgres ms | KB |\n|---|--:|--:|--:|--:|--:|--:|",
    );
    for (name, path) in PAGES {
        let path = path
            .replace("{open}", &open.to_string())
            .replace("{closed}", &(open + 1).to_string())
            .replace("{long}", &places.long.to_string())
            .replace("{middle}", &places.middle.to_string())
            .replace("{record}", &places.record.to_string());
        let mut took = vec![];
        let mut bytes = 0;
        for _ in 0..WARM_UP {
            visitor.look(&path).await?;
        }
        let clock = Clock::start(Contender::Running(docket.id()), postmaster);
        for _ in 0..REQUESTS {
            let (time, length) = visitor.look(&path).await?;
            bytes = length;
            took.push(time);
        }
        let spent = clock.stop(REQUESTS).per_operation();
        took.sort_unstable();
        let of = |share: usize| {
            took[(took.len() * share / 100).min(took.len() - 1)].as_secs_f64() * 1_000.0
        };
        say(&format!(
            "| {name} | {:.1} | {:.1} | {:.1} | {} | {} | {} |",
            of(50),
            of(99),
            of(100),
            milliseconds(spent.map(|spent| spent.contender)),
            milliseconds(spent.map(|spent| spent.postgres)),
            bytes.div_ceil(1_024)
        ));
    }
    Ok(visitor)
}

fn milliseconds(micros: Option<f64>) -> String {
    micros.map_or_else(
        || "–".to_owned(),
        |micros| format!("{:.1}", micros / 1_000.0),
    )
}

/// Somebody who is signed in.
#[derive(Clone)]
struct Visitor {
    client: Client,
    url: String,
    cookies: String,
}

impl Visitor {
    async fn sign_in(url: &str) -> anyhow::Result<Self> {
        let client = Client::builder().redirect(Policy::none()).build()?;
        let page = client.get(format!("{url}/sign-in")).send().await?;
        let mut cookies = cookies(&page);
        let html = page.text().await?;
        let csrf = html
            .split_once("name=\"csrf\" value=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .context("the page has no form")?
            .0;
        let form = [("csrf", csrf), ("email", EMAIL), ("password", PASSWORD)];
        let answer = client
            .post(format!("{url}/sign-in"))
            .header(COOKIE, &cookies)
            .form(&form)
            .send()
            .await?;
        if answer.status() != StatusCode::SEE_OTHER || answer.headers()[LOCATION] == "/sign-in" {
            bail!("signing in was answered {}", answer.status());
        }
        cookies = format!("{cookies}; {}", self::cookies(&answer));
        Ok(Self {
            client,
            url: url.to_owned(),
            cookies,
        })
    }

    /// A page, or a part of one that somebody sees.
    async fn text(&self, path: &str) -> anyhow::Result<String> {
        let answer = self
            .client
            .get(format!("{}{path}", self.url))
            .header(COOKIE, &self.cookies)
            .header("docket-live", "shown")
            .send()
            .await?;
        if answer.status() != StatusCode::OK {
            bail!("{path} was answered {}", answer.status());
        }
        Ok(answer.text().await?)
    }

    /// How long the page took, to its last byte, and its length in bytes.
    async fn look(&self, path: &str) -> anyhow::Result<(Duration, usize)> {
        let began = Instant::now();
        let answer = self
            .client
            .get(format!("{}{path}", self.url))
            .header(COOKIE, &self.cookies)
            .send()
            .await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        let took = began.elapsed();
        if status != StatusCode::OK {
            bail!("{path} was answered {status}");
        }
        Ok((took, body.len()))
    }
}

fn cookies(answer: &Response) -> String {
    let cookies: Vec<&str> = answer
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .filter(|cookie| !cookie.ends_with('='))
        .collect();
    cookies.join("; ")
}
