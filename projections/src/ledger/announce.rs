//! Telling other processes that the log has grown.
//!
//! A NOTIFY is no part of the transactions that append: there it would add to every commit the work of waking all who listen,
//! while a lock is held. Here one word stands for all commits since the last. It can get lost between a commit and this; whoever
//! follows the log asks by themselves now and then.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio::sync::watch;
use tracing::warn;

use crate::connect::Connector;
use crate::log::follow;

/// The pause between two announcements.
const PAUSE: Duration = Duration::from_millis(20);
/// The pause before a broken connection is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// How long an announcement may take, connecting included: the ledger's end waits for the last one.
const PATIENCE: Duration = Duration::from_secs(5);
/// How the session is set up: an announcement is nothing that a crash must not lose.
const SESSION: [(&str, &str); 2] = [("synchronous_commit", "off"), ("statement_timeout", "5s")];

/// Announces the newest position `written`, until its senders are gone and the last is announced.
pub(super) async fn run(connect: Connector, mut written: watch::Receiver<i64>) {
    let connect = connect.with(&SESSION);
    let mut conn = None;
    let mut connected_at = Instant::now();
    while written.changed().await.is_ok() {
        let position = *written.borrow_and_update();
        if conn.is_none() || connect.watch().is_outdated(connected_at.elapsed()) {
            conn = None;
            connected_at = Instant::now();
        }
        let announced = tokio::time::timeout(PATIENCE, announce(&connect, &mut conn, position))
            .await
            .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
        let pause = match announced {
            Ok(()) => PAUSE,
            Err(error) => {
                warn!(%error, "other processes could not be told that the log has grown");
                conn = None;
                RECONNECT_PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
    if let Some(conn) = conn {
        // Whether the goodbye arrives is of no matter.
        let _ = conn.close().await;
    }
}

async fn announce(
    connect: &Connector,
    conn: &mut Option<PgConnection>,
    position: i64,
) -> Result<(), sqlx::Error> {
    let conn = match conn {
        Some(conn) => conn,
        None => conn.insert(connect.connect().await?),
    };
    follow::announce(conn, position).await
}
