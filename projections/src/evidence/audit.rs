//! Computes everything anew and compares: every leaf, every tile, every checkpoint.
//!
//! The log is read once, page by page, so memory is bounded however long it is. An event that differs from its stored hash is one
//! fault. From there on the tree goes on with the stored hash, so that checkpoints tell whether the hashes were recomputed too.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tlog_tiles::tile::Tile;
use tlog_tiles::tlog::{Hash, node_hash};
use tokio::sync::mpsc;

use super::checkpoints::{self, Checkpoint};
use super::entries::{self, Entry};
use super::tree::{self, HASH_BYTES, TILE_WIDTH};

/// How many events are read at once: eight tiles.
const PAGE: i64 = 8 * TILE_WIDTH;
/// How many checkpoints are read at once.
const CHECKPOINTS: i64 = 1_000;
/// How many faults are kept; all are counted.
pub const MAX_FAULTS: usize = 10;

/// What kind of fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// An event is not the one that was hashed.
    Changed,
    /// An event is missing.
    Missing,
    /// A place in the log or in a stream is taken twice or out of order.
    Order,
    /// A tile of the tree does not follow from the tiles below it.
    Tile,
    /// The log is not the one of which a checkpoint was signed.
    Checkpoint,
    /// A checkpoint is not signed with the log's key.
    Signature,
    /// The log is not the one of a checkpoint that was kept outside.
    Outside,
    /// The log's key is not the expected one.
    Key,
    /// A row of a read model is not what the log gives.
    ReadModel,
    /// The log cannot be read.
    Unreadable,
}

/// Something that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// Its kind.
    pub kind: FaultKind,
    /// The position of the event; of a checkpoint, how many events it covers.
    pub position: Option<i64>,
    /// What is wrong, in a sentence.
    pub sentence: String,
}

/// A checkpoint that was kept outside, whose signature is right.
#[derive(Clone, Debug, PartialEq)]
pub struct Outside {
    /// How many events it covers.
    pub size: i64,
    /// The root of their tree.
    pub root: Hash,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// How many events were read.
    pub events: i64,
    /// How many of them are hashed.
    pub hashed: i64,
    /// How many checkpoints were compared.
    pub checkpoints: i64,
    /// How many events the newest checkpoint covers that agrees with the log.
    pub verified: i64,
    /// When it was signed.
    pub signed_at: Option<DateTime<Utc>>,
    /// How many faults there are.
    pub fault_count: u64,
    /// The first of them.
    pub faults: Vec<Fault>,
}

impl Report {
    /// Notes a fault.
    pub fn add(&mut self, kind: FaultKind, position: impl Into<Option<i64>>, sentence: String) {
        self.fault_count += 1;
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault {
                kind,
                position: position.into(),
                sentence,
            });
        }
    }

    /// Whether nothing is wrong.
    pub const fn is_clean(&self) -> bool {
        self.fault_count == 0
    }
}

/// Reads the note of a checkpoint: its size and root, or why it does not count.
pub type ReadNote<'a> = &'a (dyn Fn(&str) -> Result<(i64, Hash), String> + Sync);

/// Computes the tree of the log anew and compares it with what is stored and what was signed. `outside` are checkpoints that were
/// kept outside; `progress` is told how many events of how many were read.
///
/// # Errors
///
/// The database's error.
pub async fn audit(
    pool: &PgPool,
    read_note: ReadNote<'_>,
    mut outside: Vec<Outside>,
    progress: &mut dyn FnMut(i64, i64),
) -> Result<Report, sqlx::Error> {
    let state = tree::state(pool).await?;
    outside.sort_by_key(|checkpoint| checkpoint.size);
    let mut audit = Audit {
        pool,
        read_note,
        report: Report {
            hashed: state.size,
            ..Report::default()
        },
        hashed: state.size,
        signed: state.signed_size,
        frontier: Frontier::default(),
        tiles: Tiles::default(),
        window: Window::default(),
        kept: Kept::default(),
        outside: outside.into(),
        failed: Failed::default(),
    };
    let end = state.head.max(state.size);
    let mut pages = read_ahead(pool.clone(), state.head);
    while let Some(page) = pages.recv().await {
        let page = page?;
        let last = page.last().map_or(0, |(entry, _)| entry.position);
        audit.page(page).await?;
        progress(last, end);
    }
    audit.end(state.head).await?;
    audit.streams().await?;
    Ok(audit.report)
}

/// Events with their hashes; none where an event cannot be hashed.
type Page = Vec<(Entry, Option<Hash>)>;

/// Reads and hashes the next pages while others are compared.
fn read_ahead(pool: PgPool, head: i64) -> mpsc::Receiver<Result<Page, sqlx::Error>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut after = 0;
        while after < head {
            let page = match entries::page(&pool, after, PAGE.min(head - after)).await {
                Ok(page) => page,
                Err(error) => {
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            };
            let Some(last) = page.last() else { return };
            after = last.position;
            let hashed = tokio::task::spawn_blocking(move || {
                let hash = |entry: Entry| {
                    let hash = entry.leaf().hash().ok();
                    (entry, hash)
                };
                page.into_iter().map(hash).collect()
            });
            let Ok(hashed) = hashed.await else { return };
            if sender.send(Ok(hashed)).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// The first checkpoint that contradicts the log.
#[derive(Default)]
struct Failed {
    kept: bool,
    outside: bool,
}

struct Audit<'a> {
    pool: &'a PgPool,
    read_note: ReadNote<'a>,
    report: Report,
    /// How many events are hashed.
    hashed: i64,
    /// How many events the newest checkpoint covers.
    signed: i64,
    frontier: Frontier,
    tiles: Tiles,
    window: Window,
    kept: Kept,
    outside: std::collections::VecDeque<Outside>,
    failed: Failed,
}

impl Audit<'_> {
    async fn page(&mut self, page: Page) -> Result<(), sqlx::Error> {
        for (entry, hash) in page {
            let expected = self.frontier.size + 1;
            if entry.position < expected {
                let sentence = format!("position {} is taken twice", entry.position);
                self.report.add(FaultKind::Order, entry.position, sentence);
                continue;
            }
            if entry.position > expected {
                self.missing(expected, entry.position - 1).await?;
            }
            self.report.events += 1;
            self.event(&entry, hash).await?;
        }
        Ok(())
    }

    async fn event(&mut self, entry: &Entry, hash: Option<Hash>) -> Result<(), sqlx::Error> {
        let position = entry.position;
        let what = || {
            format!(
                "{} {} of {}, sequence {}",
                entry.aggregate_type, entry.aggregate_id, entry.event_type, entry.sequence
            )
        };
        let Some(hash) = hash else {
            let sentence = format!(
                "the event at position {position} cannot be hashed: {}",
                what()
            );
            self.report.add(FaultKind::Unreadable, position, sentence);
            return self.push(Hash([0; HASH_BYTES])).await;
        };
        if position > self.hashed {
            return self.push(hash).await;
        }
        match self.window.leaf(self.pool, position - 1).await? {
            Some(stored) if stored == hash => self.push(hash).await,
            Some(stored) => {
                let sentence = format!(
                    "the event at position {position} is not the one that was hashed: {}",
                    what()
                );
                self.report.add(FaultKind::Changed, position, sentence);
                self.push(stored).await
            }
            None => {
                let sentence =
                    format!("the stored hash of the event at position {position} is missing");
                self.report.add(FaultKind::Tile, position, sentence);
                self.push(hash).await
            }
        }
    }

    /// Goes over events that are not there, with their stored hashes.
    async fn missing(&mut self, from: i64, to: i64) -> Result<(), sqlx::Error> {
        let sentence = if from == to {
            format!("the event at position {from} is missing")
        } else {
            format!("the events at positions {from} to {to} are missing")
        };
        self.report.add(FaultKind::Missing, from, sentence);
        for position in from..=to.min(self.hashed) {
            let stored = self.window.leaf(self.pool, position - 1).await?;
            self.push(stored.unwrap_or(Hash([0; HASH_BYTES]))).await?;
        }
        if to > self.hashed {
            // Nothing vouches for what comes now, and no root can be right any more.
            self.frontier = Frontier {
                size: to,
                roots: Vec::new(),
            };
        }
        Ok(())
    }

    /// Takes the next leaf, and compares what ends with it.
    async fn push(&mut self, leaf: Hash) -> Result<(), sqlx::Error> {
        self.frontier.push(leaf);
        let size = self.frontier.size;
        if size <= self.hashed {
            self.tiles.push(self.pool, leaf, &mut self.report).await?;
        }
        while let Some(checkpoint) = self.kept.due(self.pool, size, self.signed).await? {
            self.compare(&checkpoint);
        }
        while let Some(checkpoint) = self.outside.pop_front_if(|next| next.size <= size) {
            self.compare_outside(&checkpoint);
        }
        Ok(())
    }

    fn compare(&mut self, checkpoint: &Checkpoint) {
        let size = checkpoint.size;
        self.report.checkpoints += 1;
        let stated = match (self.read_note)(&checkpoint.note) {
            Ok(stated) => stated,
            Err(why) => {
                let sentence = format!("the checkpoint of {size} events does not count: {why}");
                self.report.add(FaultKind::Signature, size, sentence);
                return;
            }
        };
        if stated.0 != size || stated.1.0[..] != checkpoint.root[..] {
            let sentence = format!(
                "the checkpoint of {size} events says something else in its signed note, of {} events",
                stated.0
            );
            self.report.add(FaultKind::Signature, size, sentence);
        } else if stated.1 == self.frontier.root() {
            self.report.verified = size;
            self.report.signed_at = Some(checkpoint.signed_at);
        } else if !std::mem::replace(&mut self.failed.kept, true) {
            let sentence = format!(
                "the log is not the one of which the checkpoint of {size} events was signed: something from position {} to {size} \
                 was changed, and its hashes with it",
                self.report.verified + 1
            );
            self.report.add(FaultKind::Checkpoint, size, sentence);
        }
    }

    fn compare_outside(&mut self, checkpoint: &Outside) {
        let size = checkpoint.size;
        if size == self.frontier.size && checkpoint.root == self.frontier.root()
            || std::mem::replace(&mut self.failed.outside, true)
        {
            return;
        }
        let sentence = format!(
            "the log is not the one of which the checkpoint of {size} events that you gave was signed: something up to position \
             {size} was changed, or a backup was restored"
        );
        self.report.add(FaultKind::Outside, size, sentence);
    }

    /// Compares what lies behind the end of the log.
    async fn end(&mut self, head: i64) -> Result<(), sqlx::Error> {
        let last = self.frontier.size;
        let to = self.hashed.max(self.signed).max(head);
        if last < to {
            self.missing(last + 1, to).await?;
        }
        self.tiles.end(self.pool, &mut self.report).await?;
        if let Some(checkpoint) = self.outside.front() {
            let size = checkpoint.size;
            let sentence = format!(
                "the log ends with position {last}, and the checkpoint that you gave covers {size} events: the end of the log was \
                 deleted, or a backup was restored"
            );
            self.report.add(FaultKind::Outside, size, sentence);
        }
        Ok(())
    }

    /// Whether every stream counts its events from 1 on, in the order of the log.
    async fn streams(&mut self) -> Result<(), sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT aggregate_type, aggregate_id, sequence, position
                 FROM (SELECT aggregate_type, aggregate_id, sequence, position, lag(sequence) OVER stream AS before,
                              lag(position) OVER stream AS position_before
                         FROM events
                       WINDOW stream AS (PARTITION BY aggregate_type, aggregate_id ORDER BY sequence)) AS s
                WHERE sequence <> coalesce(before, 0) + 1 OR position <= position_before
                ORDER BY position LIMIT 10"#
        )
        .fetch_all(self.pool)
        .await?;
        for row in rows {
            let sentence = format!(
                "the event at position {} is out of order: it is number {} of {} {}",
                row.position, row.sequence, row.aggregate_type, row.aggregate_id
            );
            self.report.add(FaultKind::Order, row.position, sentence);
        }
        Ok(())
    }
}

/// The right edge of a tree: the roots of its whole subtrees, from the largest on.
#[derive(Default)]
struct Frontier {
    size: i64,
    roots: Vec<Hash>,
}

impl Frontier {
    fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                hash = node_hash(left, hash);
            }
        }
        self.roots.push(hash);
        self.size += 1;
    }

    fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let last = roots
            .next()
            .copied()
            .unwrap_or(tlog_tiles::tlog::EMPTY_HASH);
        roots.fold(last, |right, left| node_hash(*left, right))
    }
}

/// The tiles above level 0, as they follow from the leaves.
#[derive(Default)]
struct Tiles {
    /// For each level from 0 on: the place of the tile that is being filled, and its hashes.
    levels: Vec<(i64, Vec<u8>)>,
}

impl Tiles {
    async fn push(
        &mut self,
        pool: &PgPool,
        leaf: Hash,
        report: &mut Report,
    ) -> Result<(), sqlx::Error> {
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push((0, Vec::new()));
            }
            let (place, hashes) = &mut self.levels[level];
            hashes.extend(hash.0);
            if hashes.len() < usize::try_from(TILE_WIDTH).unwrap_or_default() * HASH_BYTES {
                break;
            }
            let (place, hashes) = (std::mem::replace(place, *place + 1), std::mem::take(hashes));
            hash = Tile::subtree_hash(&hashes);
            compare_tile(pool, level, place, &hashes, report).await?;
        }
        Ok(())
    }

    async fn end(&mut self, pool: &PgPool, report: &mut Report) -> Result<(), sqlx::Error> {
        for (level, (place, hashes)) in self.levels.iter().enumerate() {
            if !hashes.is_empty() {
                compare_tile(pool, level, *place, hashes, report).await?;
            }
        }
        Ok(())
    }
}

/// Tiles of level 0 were compared leaf by leaf.
async fn compare_tile(
    pool: &PgPool,
    level: usize,
    place: i64,
    hashes: &[u8],
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let Some(level) = i16::try_from(level).ok().filter(|level| *level > 0) else {
        return Ok(());
    };
    let stored = tree::read(pool, &[(level, place)]).await?;
    let is_same = stored
        .get(&(level, place))
        .is_some_and(|stored| stored.starts_with(hashes));
    if !is_same {
        let sentence = format!(
            "tile {place} of level {level} of the tree does not follow from the hashes of the events below it"
        );
        report.add(FaultKind::Tile, None, sentence);
    }
    Ok(())
}

/// Stored leaf hashes, read a page at once.
#[derive(Default)]
struct Window {
    first: i64,
    tiles: std::collections::HashMap<(i16, i64), Vec<u8>>,
    is_read: bool,
}

impl Window {
    /// The stored hash of a leaf, numbered from 0.
    async fn leaf(&mut self, pool: &PgPool, leaf: i64) -> Result<Option<Hash>, sqlx::Error> {
        let tile = leaf / TILE_WIDTH;
        let tiles_at_once = PAGE / TILE_WIDTH;
        if !self.is_read || !(self.first..self.first + tiles_at_once).contains(&tile) {
            let wanted: Vec<_> = (tile..tile + tiles_at_once).map(|tile| (0, tile)).collect();
            self.tiles = tree::read(pool, &wanted).await?;
            (self.first, self.is_read) = (tile, true);
        }
        let begin = usize::try_from(leaf % TILE_WIDTH).unwrap_or_default() * HASH_BYTES;
        let hash = self
            .tiles
            .get(&(0, tile))
            .and_then(|hashes| hashes.get(begin..begin + HASH_BYTES))
            .and_then(|hash| hash.try_into().ok());
        Ok(hash.map(Hash))
    }
}

/// The checkpoints in the database, read a page at once.
#[derive(Default)]
struct Kept {
    waiting: std::collections::VecDeque<Checkpoint>,
    after: i64,
    is_at_end: bool,
}

impl Kept {
    /// The next checkpoint of at most `size` events.
    async fn due(
        &mut self,
        pool: &PgPool,
        size: i64,
        signed: i64,
    ) -> Result<Option<Checkpoint>, sqlx::Error> {
        if self.waiting.is_empty() && !self.is_at_end {
            let page = checkpoints::page(pool, self.after, CHECKPOINTS).await?;
            self.is_at_end = page.len() < usize::try_from(CHECKPOINTS).unwrap_or_default();
            self.after = page.last().map_or(self.after, |last| last.size);
            // One that is signed meanwhile covers what was not read.
            self.waiting.extend(
                page.into_iter()
                    .filter(|checkpoint| checkpoint.size <= signed),
            );
        }
        Ok(self.waiting.pop_front_if(|next| next.size <= size))
    }
}
