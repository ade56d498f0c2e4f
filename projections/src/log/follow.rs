//! Following the log: everybody who works behind it is woken when it grows.
//!
//! A follower asks `position > cursor` again whenever it wakes, so a lost wake-up costs at most one polling interval and never an
//! event.

use std::time::{Duration, Instant};

use sqlx::postgres::PgListener;
use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::reader;
use crate::watch::Watch;

/// The channel on which the log's newest position is made known.
pub const CHANNEL: &str = "docket_log";
/// How long a wake-up that got lost can go unnoticed.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The pause before a broken connection is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Keeps `head` at the position of the newest event, whichever process wrote it, until `stop`.
pub async fn run(pool: PgPool, database: Watch, head: watch::Sender<i64>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => return,
            result = listen(&pool, &database, &head) => if let Err(error) = result {
                warn!(error = %error, "following the log broke off; trying again");
            },
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RECONNECT_PAUSE) => {}
        }
    }
}

async fn listen(
    pool: &PgPool,
    database: &Watch,
    head: &watch::Sender<i64>,
) -> Result<(), sqlx::Error> {
    let connected_at = Instant::now();
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    advance(head, reader::head(pool).await?);
    debug!("following the log");
    // A server that was left for another one announces nothing any more.
    while !database.is_outdated(connected_at.elapsed()) {
        match tokio::time::timeout(POLL_INTERVAL, listener.recv()).await {
            Ok(notification) => {
                let position = notification?.payload().parse().unwrap_or_default();
                advance(head, position);
            }
            Err(_) => advance(head, reader::head(pool).await?),
        }
    }
    Ok(())
}

/// Makes the position of the newest event known to every process that follows the log.
pub(crate) async fn announce(conn: &mut PgConnection, position: i64) -> Result<(), sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT pg_notify($1, $2)::text",
        CHANNEL,
        position.to_string()
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Moves `head` forward, never back.
pub(crate) fn advance(head: &watch::Sender<i64>, position: i64) {
    head.send_if_modified(|now| {
        let grows = position > *now;
        if grows {
            *now = position;
        }
        grows
    });
}
