//! Telling a pooler that gives each transaction another connection, which Docket does not work behind: it listens for
//! notifications, holds advisory locks, sets its sessions up and prepares statements, all of which belong to a session.
//!
//! Two connections that are open at once have two server processes, unless a pooler shares them out; and a connection keeps its
//! process from one transaction to the next. Each round gives a pooler that pools transactions the occasion to break one of these: while the second
//! connection is in no transaction, the first asks, and the other way round.

use std::io::ErrorKind;

use sqlx::{Connection, Executor, PgConnection, Row};

use super::{Unsuitable, failed, unreachable};
use crate::connect::Connector;

/// How often the occasion is given. Once is enough where nobody else uses the pooler; several times, where others take the
/// connections in between.
const ROUNDS: u32 = 5;

/// Names the server process, also where several servers stand behind one pooler.
const PROCESS: &str =
    "SELECT pg_backend_pid()::text || ' ' || pg_postmaster_start_time()::text AS process";

pub(super) async fn check(
    connector: &Connector,
    first: &mut PgConnection,
) -> Result<(), Unsuitable> {
    let mut second = connector.connect().await.map_err(|error| match error {
        sqlx::Error::Io(cause) if cause.kind() == ErrorKind::TimedOut => Unsuitable::new(
            "the database gives no second connection: give Docket about 20 for each docket serve (max_connections of Postgres, \
             default_pool_size of PgBouncer)",
        ),
        error => unreachable(connector, &error),
    })?;
    let pools = pools_transactions(first, &mut second).await;
    let _ = second.close().await;
    match pools {
        Ok(false) => Ok(()),
        Ok(true) => Err(Unsuitable::new(SENTENCE)),
        Err(error) if refuses_transactions(&error) => Err(Unsuitable::new(SENTENCE)),
        Err(error) => Err(failed(&error)),
    }
}

const SENTENCE: &str = "a pooler stands before the database and gives each transaction another connection (PgBouncer's pool_mode = \
                        transaction or statement), and Docket needs its connections for itself: set pool_mode = session for this \
                        database, or set DATABASE_URL to the Postgres itself";

fn refuses_transactions(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(refusal) if refusal.message().contains("statement pooling"))
}

async fn pools_transactions(
    first: &mut PgConnection,
    second: &mut PgConnection,
) -> Result<bool, sqlx::Error> {
    let own = process(first).await?;
    for _ in 0..ROUNDS {
        second.execute("BEGIN").await?;
        let others = process(second).await?;
        // The second holds its process now, so a pooler has to give the first another one if it had the same.
        let own_now = process(first).await?;
        second.execute("ROLLBACK").await?;
        if others == own || own_now != own || own_now == others {
            return Ok(true);
        }
        first.execute("BEGIN").await?;
        let own_now = process(first).await?;
        let others_now = process(second).await?;
        first.execute("ROLLBACK").await?;
        if own_now != own || others_now != others {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn process(conn: &mut PgConnection) -> Result<String, sqlx::Error> {
    conn.fetch_one(PROCESS).await?.try_get("process")
}
