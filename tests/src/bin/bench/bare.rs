//! The bare INSERT: what the server and the disk can do with one durable row a transaction. Measured by pgbench.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::process::Command;

use crate::Timing;
use crate::measured::Measured;
use crate::server::Server;
use docket_tests::cpu::{Clock, Contender};

/// The database.
pub(crate) const DATABASE: &str = "bare";
/// pgbench's threads.
const THREADS: &str = "2";
/// The script; the payload travels with every execution.
const SCRIPT: &str = "INSERT INTO messages (payload) VALUES (:payload::jsonb);\n";
/// The same statement for single executions.
pub(crate) const STATEMENT: &str = "INSERT INTO messages (payload) VALUES ($1::text::jsonb)";

/// Makes the table.
pub(crate) async fn prepare(server: &Server) -> anyhow::Result<()> {
    server.create(DATABASE).await?;
    let mut conn = server.connect(DATABASE).await?;
    sqlx::query(
        "CREATE TABLE messages (position bigserial PRIMARY KEY, payload jsonb NOT NULL, recorded_at timestamptz DEFAULT now())",
    )
    .execute(&mut conn)
    .await?;
    conn.close().await?;
    Ok(())
}

/// Runs pgbench, and looks at the last part of its run, as long as a window.
pub(crate) async fn window(
    server: &Server,
    payload: &str,
    connections: u16,
    timing: Timing,
) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    // pgbench's clock runs while it connects.
    let connecting = Duration::from_secs(1 + u64::from(connections) / 64);
    let time = connecting + timing.warm_up + timing.window;
    let clock = Clock::start(Contender::Child, server.postmaster());
    run_pgbench(server, payload, connections, time, &folder).await?;
    let mut ended = vec![];
    for entry in std::fs::read_dir(folder.path())? {
        let path = entry?.path();
        if path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"log"))
        {
            read_log(&std::fs::read_to_string(path)?, &mut ended)?;
        }
    }
    let spent = clock.stop(ended.len());
    let last = ended
        .iter()
        .map(|ended| ended.at)
        .max()
        .context("pgbench wrote no log")?;
    let begins = last.saturating_sub(timing.window);
    let latencies = ended
        .iter()
        .filter(|ended| ended.at > begins)
        .map(|ended| ended.latency_us)
        .collect();
    Ok(Measured::new(timing.window, latencies).with(spent))
}

async fn run_pgbench(
    server: &Server,
    payload: &str,
    connections: u16,
    time: Duration,
    folder: &TempDir,
) -> anyhow::Result<()> {
    let program = find(server).await?;
    let script = folder.path().join("script.sql");
    std::fs::write(&script, SCRIPT)?;
    let output = Command::new(&program)
        .args(["--no-vacuum", "--protocol=prepared", "--jobs", THREADS])
        .args(["--client", &connections.to_string()])
        .args(["--time", &time.as_secs().to_string()])
        .args(["--define", &format!("payload={payload}")])
        .arg("--file")
        .arg(&script)
        .arg("--log")
        .arg("--log-prefix")
        .arg(folder.path().join("log"))
        .arg(server.url(DATABASE))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{} cannot be run", program.display()))?;
    if !output.status.success() {
        bail!(
            "pgbench failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// A transaction that ended.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    /// When, since 1970.
    at: Duration,
    latency_us: u32,
}

/// Reads pgbench's log, a line a transaction: client, count, latency in µs, script, and the end in seconds and µs.
fn read_log(log: &str, ended: &mut Vec<Ended>) -> anyhow::Result<()> {
    for line in log.lines() {
        ended
            .push(read_line(line).with_context(|| format!("pgbench's log has the line {line:?}"))?);
    }
    Ok(())
}

fn read_line(line: &str) -> Option<Ended> {
    let mut fields = line.split(' ').skip(2);
    let latency_us = fields.next()?.parse().ok()?;
    let seconds = fields.nth(1)?.parse().ok()?;
    let micros = fields.next()?.parse().ok()?;
    Some(Ended {
        at: Duration::from_secs(seconds) + Duration::from_micros(micros),
        latency_us,
    })
}

/// The pgbench of the server's own version, or else the one on the PATH.
async fn find(server: &Server) -> anyhow::Result<PathBuf> {
    let mut conn = server.connect(DATABASE).await?;
    let folder: Option<String> =
        sqlx::query_scalar("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
            .fetch_optional(&mut conn)
            .await?;
    conn.close().await?;
    let beside = folder
        .map(|folder| Path::new(&folder).join("pgbench"))
        .filter(|program| program.exists());
    Ok(beside.unwrap_or_else(|| "pgbench".into()))
}

/// Commits one row.
pub(crate) async fn insert_one(conn: &mut PgConnection, payload: &str) -> anyhow::Result<()> {
    sqlx::query(STATEMENT).bind(payload).execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_gives_latencies_and_ends() {
        let mut ended = vec![];

        read_log(
            "0 1 1423 0 1700000000 123456\n1 1 998 0 1700000001 7\n",
            &mut ended,
        )
        .unwrap();

        let at = |seconds, micros| Duration::from_secs(seconds) + Duration::from_micros(micros);
        assert_eq!(
            ended,
            [
                Ended {
                    at: at(1_700_000_000, 123_456),
                    latency_us: 1_423
                },
                Ended {
                    at: at(1_700_000_001, 7),
                    latency_us: 998
                },
            ]
        );
        assert!(read_log("progress: 1.0 s", &mut ended).is_err());
    }
}
