//! Whether a case is what checkpoints vouch for, looked up for one page.

use chrono::{DateTime, Utc};
use docket_domain::event::StreamId;
use docket_domain::ids::Reference;
use sqlx::PgPool;

use super::checkpoints;
use super::entries;
use super::tree::{self, TreeError};

/// So many of a case's newest events are hashed for a page; the rest is for `docket verify`.
const NEWEST: i64 = 200;

/// What can be said of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// No checkpoint covers an event of it yet.
    Unsigned,
    /// Its newest covered events are those that were hashed, and the tree is the one that was signed.
    Verified {
        /// How many events of the log the checkpoint covers.
        size: i64,
        /// When it was signed.
        signed_at: DateTime<Utc>,
        /// Whether it covers the whole case.
        is_whole: bool,
    },
    /// An event is not the one that was hashed, or the tree is not the one that was signed.
    Altered {
        /// The event's position, where it is one event.
        position: Option<i64>,
    },
}

/// Compares a case's newest events with the tree, and the tree with the newest checkpoint.
///
/// # Errors
///
/// The database's error.
pub async fn of_case(pool: &PgPool, reference: Reference) -> Result<Mark, sqlx::Error> {
    let stream = StreamId::Case(reference);
    let latest = checkpoints::latest(pool).await?;
    let (Some(latest), Some(extent)) = (latest, entries::extent(pool, stream).await?) else {
        return Ok(Mark::Unsigned);
    };
    let newest = entries::newest(pool, stream, latest.size, NEWEST).await?;
    if newest.is_empty() {
        return Ok(Mark::Unsigned);
    }
    let places: Vec<i64> = newest.iter().map(|entry| entry.position - 1).collect();
    let compared = async {
        if tree::root(pool, latest.size).await?.0[..] != latest.root[..] {
            return Ok(Some(None));
        }
        let stored = tree::leaves(pool, &places).await?;
        let altered = newest
            .iter()
            .zip(stored)
            .find(|(entry, stored)| entry.leaf().hash().ok() != Some(*stored));
        Ok(altered.map(|(entry, _)| Some(entry.position)))
    };
    match compared.await {
        Ok(None) => Ok(Mark::Verified {
            size: latest.size,
            signed_at: latest.signed_at,
            is_whole: extent.last <= latest.size,
        }),
        Ok(Some(position)) => Ok(Mark::Altered { position }),
        Err(TreeError::Database(error)) => Err(error),
        Err(_) => Ok(Mark::Altered { position: None }),
    }
}
