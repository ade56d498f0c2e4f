//! Statements and round trips of a webhook, by itself and at 64 connections. They explain the other numbers.
//!
//! Counting costs time, so it happens on a server of its own. Round trips are counted by a proxy.

use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::Bench;
use crate::desk::Desk;
use crate::http::Connection;
use crate::load::{Messages as _, Regulars};
use crate::measured::ratio;
use crate::proxy::Proxy;
use crate::server::Server;
use crate::table::{Aim, Cell, Figures, Row};

/// The extension that counts.
const EXTENSION: &str = "pg_stat_statements";
/// The database.
const DATABASE: &str = "statements";
/// People who write, each of whom has a case.
const PEOPLE: u32 = 900;
/// Connections of the load.
const CONNECTIONS: u16 = 64;
/// Statements that are told one by one.
const SHOWN: i64 = 15;
/// How much of a statement is told, in characters.
const SHOWN_CHARS: usize = 100;

/// What a load brought, in all.
#[derive(Clone, Copy)]
struct Counted {
    messages: f64,
    statements: Option<f64>,
    round_trips: f64,
    /// Only where statements cannot be counted: the server counts a session's transactions some time after its last one.
    transactions: Option<f64>,
}

/// Measures it.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let mut conn = bench.server.connect_any().await?;
    let has_extension: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = $1)")
            .bind(EXTENSION)
            .fetch_one(&mut conn)
            .await?;
    conn.close().await?;
    let settings: &[(&str, &str)] = if has_extension {
        &[
            ("shared_preload_libraries", "pg_stat_statements"),
            // Also those inside of functions; told apart below.
            ("pg_stat_statements.track", "all"),
        ]
    } else {
        bench.report.remarks.push(format!(
            "{EXTENSION} is not installed, so statements were not counted."
        ));
        &[]
    };
    let server = Server::start_with(&bench.folder, settings).await?;
    let result = on(bench, &server, has_extension).await;
    server.discard().await?;
    result
}

async fn on(bench: &mut Bench, server: &Server, has_extension: bool) -> anyhow::Result<()> {
    let plan = bench.plan.clone();
    let (mut desk, service) = Desk::create(server, DATABASE).await?;
    service.stop().await;
    let mut conn = server.connect(DATABASE).await?;
    if has_extension {
        conn.execute("CREATE EXTENSION pg_stat_statements SCHEMA public")
            .await?;
    }
    let proxy = Proxy::start(&server.socket()).await?;
    let service = desk.serve_at(&proxy.url(DATABASE)).await?;
    desk.open_cases(&service, 0..PEOPLE).await?;
    let mut messages = Regulars::new(0..PEOPLE);
    let mut connection = Connection::open(service.address()).await?;

    let mut counter = Counter::new(conn, has_extension);
    counter.begin(&proxy).await?;
    for _ in 0..plan.singles {
        desk.single(&mut connection, &messages.next()).await?;
    }
    let idle = counter.end(&proxy, plan.singles).await?;
    let idle_statements = counter.statements(idle.messages).await?;

    counter.begin(&proxy).await?;
    let before = desk.accepted();
    desk.window(server, &[&service], CONNECTIONS, plan.timing, &mut messages)
        .await?;
    let count = usize::try_from(desk.accepted() - before)?;
    let loaded = counter.end(&proxy, count).await?;
    let loaded_statements = counter.statements(loaded.messages).await?;
    counter.conn.close().await?;
    service.stop().await;
    let correctness = desk.verify(server, 0).await?;

    let report = &mut bench.report;
    report.correctness("counted statements", correctness);
    for (what, counted) in [("by itself", idle), ("at 64 connections", loaded)] {
        let each = |value: f64| ratio(value, counted.messages);
        report.row(Row::ratio(
            format!("statements a webhook, {what}"),
            Aim::None,
            counted.statements.and_then(each),
        ));
        report.row(Row::ratio(
            format!("round trips to Postgres a webhook, {what}"),
            Aim::None,
            each(counted.round_trips),
        ));
        if let Some(transactions) = counted.transactions {
            report.row(Row::ratio(
                format!("transactions a webhook, {what}"),
                Aim::None,
                each(transactions),
            ));
        }
    }
    report.details(
        "Statements of webhooks that come one by one",
        idle_statements,
    );
    report.details(
        "Statements of webhooks at 64 connections",
        loaded_statements,
    );
    Ok(())
}

/// Counts from one point to another.
struct Counter {
    conn: PgConnection,
    has_extension: bool,
    round_trips: u64,
    transactions: i64,
}

impl Counter {
    const fn new(conn: PgConnection, has_extension: bool) -> Self {
        Self {
            conn,
            has_extension,
            round_trips: 0,
            transactions: 0,
        }
    }

    async fn begin(&mut self, proxy: &Proxy) -> anyhow::Result<()> {
        if self.has_extension {
            self.conn
                .execute("SELECT pg_stat_statements_reset()")
                .await?;
        }
        self.transactions = self.transactions().await?;
        self.round_trips = proxy.round_trips();
        Ok(())
    }

    async fn end(&mut self, proxy: &Proxy, messages: usize) -> anyhow::Result<Counted> {
        let round_trips = proxy.round_trips() - self.round_trips;
        let transactions = self.transactions().await? - self.transactions;
        let statements: Option<i64> = if self.has_extension {
            sqlx::query_scalar(
                "SELECT sum(calls)::bigint FROM pg_stat_statements
                  WHERE toplevel AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND query NOT LIKE '%pg_stat_%'",
            )
            .fetch_one(&mut self.conn)
            .await?
        } else {
            None
        };
        #[expect(clippy::cast_precision_loss, reason = "some hundred thousands")]
        let counted = Counted {
            messages: messages as f64,
            statements: statements.map(|count| count as f64),
            round_trips: round_trips as f64,
            transactions: (!self.has_extension).then_some(transactions as f64),
        };
        Ok(counted)
    }

    /// The server's transactions so far.
    async fn transactions(&mut self) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()",
        )
        .fetch_one(&mut self.conn)
        .await?)
    }

    /// The statements that took the most time, as a table; their times are those for each message.
    async fn statements(&mut self, messages: f64) -> anyhow::Result<Figures> {
        let mut figures = Figures::default();
        if !self.has_extension {
            figures.note("Not counted.");
            return Ok(figures);
        }
        let rows: Vec<(bool, String, i64, f64, i64)> = sqlx::query_as(
            "SELECT toplevel, query, calls, total_exec_time, rows FROM pg_stat_statements
              WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query NOT LIKE '%pg_stat_%'
              ORDER BY total_exec_time DESC LIMIT $1",
        )
        .bind(SHOWN)
        .fetch_all(&mut self.conn)
        .await?;
        figures.heading(
            "statement",
            &[
                "calls a webhook",
                "µs a webhook",
                "µs a call",
                "rows a call",
            ],
        );
        for (is_top, query, calls, milliseconds, rows) in rows {
            #[expect(clippy::cast_precision_loss, reason = "some hundred thousands")]
            let (calls, rows) = (calls as f64, rows as f64);
            let within = if is_top { "" } else { "within: " };
            figures.row(
                &format!("{within}`{}`", shortened(&query)),
                &[
                    Cell(ratio(calls, messages), 3),
                    Cell(ratio(milliseconds * 1_000.0, messages), 1),
                    Cell(ratio(milliseconds * 1_000.0, calls), 0),
                    Cell(ratio(rows, calls), 1),
                ],
            );
        }
        Ok(figures)
    }
}

/// The beginning of a statement, on one line and without what ends a cell of a table.
fn shortened(query: &str) -> String {
    let words: Vec<&str> = query.split_whitespace().collect();
    let text = words.join(" ").replace('|', "¦").replace('`', "'");
    if text.chars().count() <= SHOWN_CHARS {
        return text;
    }
    text.chars().take(SHOWN_CHARS).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_fits_into_a_cell() {
        assert_eq!(shortened("SELECT a\n   || b"), "SELECT a ¦¦ b");
        let long = shortened(&"é".repeat(200));
        assert_eq!(long.chars().count(), SHOWN_CHARS + 1);
        assert!(long.ends_with('…'));
    }
}
