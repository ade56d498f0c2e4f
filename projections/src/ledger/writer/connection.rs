//! A writer's connection: kept while it serves, and made anew where it broke.

use std::time::{Duration, Instant};

use metrics::counter;
use sqlx::PgConnection;
use tracing::warn;

use super::Writer;
use crate::ledger::failure::Failure;

/// How often a call is sent on new connections, before its callers are told to come back.
const MAX_CONNECTION_FAILURES: u32 = 3;
/// How long a new connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The pause before the next new connection, times the number of failures.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);

impl Writer {
    /// After an error that means an outage: waits, unless it was the last of too many.
    pub(super) async fn lost_connection(
        &mut self,
        error: sqlx::Error,
        failures: u32,
    ) -> Result<(), Failure> {
        self.conn = None;
        // References that it had drawn ahead may be drawn again after a crash.
        self.shared.references.clear();
        self.shared.connect.watch().suspect(&error);
        counter!("docket_ledger_retries_total", "cause" => "connection").increment(1);
        if failures >= MAX_CONNECTION_FAILURES {
            return Err(Failure::Connection(error));
        }
        warn!(%error, "the connection to the database broke; connecting again");
        tokio::time::sleep(RECONNECT_PAUSE * failures).await;
        Ok(())
    }

    /// The connection that there is, or a new one.
    pub(super) async fn connection(&mut self) -> Result<PgConnection, Failure> {
        let watch = self.shared.connect.watch();
        if watch.is_outdated(self.connected_at.elapsed()) && self.conn.take().is_some() {
            // It may be read-only, or to a server that is the primary no more.
            self.shared.references.clear();
        }
        if let Some(conn) = self.conn.take() {
            return Ok(conn);
        }
        let mut failures = 0;
        loop {
            self.connected_at = Instant::now();
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.connect())
                .await
                .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
            match connected {
                Ok(conn) => return Ok(conn),
                Err(error) => {
                    failures += 1;
                    self.lost_connection(error, failures).await?;
                }
            }
        }
    }

    /// A new connection, unless the log is another one than before.
    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut conn = self.shared.connect.connect().await?;
        let head = *self.shared.head.borrow();
        // A backup may have been restored while there was no connection.
        if self
            .shared
            .connect
            .watch()
            .knows_log(&mut conn, head)
            .await?
        {
            Ok(conn)
        } else {
            Err(sqlx::Error::Io(std::io::ErrorKind::NotConnected.into()))
        }
    }
}
