//! The Merkle tree over the log, as tiles.
//!
//! A tile of level 0 holds 256 leaf hashes; one of level 1 the roots of 256 such tiles, and so on: C2SP tlog-tiles. The last
//! tile of a level may have fewer hashes, and grows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};
use tlog_tiles::tile::Tile;
use tlog_tiles::tlog::{self, Hash, HashReader, split_stored_hash_index};

use super::canonical::NotJson;
use super::entries;

/// So many hashes make a whole tile.
pub const TILE_WIDTH: i64 = 256;
/// Bytes in a hash.
pub const HASH_BYTES: usize = tlog::HASH_SIZE;
/// The logarithm of [`TILE_WIDTH`].
const TILE_HEIGHT: u8 = 8;
/// How many events are hashed at once.
const BATCH: i64 = 512;

/// Why the tree could not be read or extended.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The database failed.
    #[error("the tree of the log could not be read or written")]
    Database(#[from] sqlx::Error),
    /// The log ends before the tree.
    #[error(
        "the log ends with position {head}, and {size} events were hashed: events were deleted, or a part of a backup was restored"
    )]
    Truncated {
        /// The last position of the log.
        head: i64,
        /// How many events were hashed.
        size: i64,
    },
    /// An event is missing from the log.
    #[error("the event at position {0} is missing from the log")]
    Gap(i64),
    /// An event is no JSON.
    #[error("the event at position {position} cannot be hashed")]
    Leaf {
        /// Its position.
        position: i64,
        /// What is wrong.
        source: NotJson,
    },
    /// Hashes that the tree must have are not there.
    #[error("a tile of the tree is missing or damaged: level {level}, tile {tile}")]
    Tile {
        /// Its level.
        level: i16,
        /// Its place in the level.
        tile: i64,
    },
    /// A hash that is no part of a tree of that size was asked for.
    #[error("the tree has no such hash")]
    Range,
}

/// How far the log is hashed and signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// How many events are hashed.
    pub size: i64,
    /// The size of the newest checkpoint, 0 without one.
    pub signed_size: i64,
    /// When the newest checkpoint was signed.
    pub signed_at: Option<DateTime<Utc>>,
    /// The size of the newest checkpoint that was sent outside.
    pub sent_size: i64,
    /// The last position of the log.
    pub head: i64,
    /// The public half of the key.
    pub public_key: Option<String>,
    /// Why nothing is signed or sent.
    pub trouble: Option<String>,
}

/// How far the log is hashed and signed.
///
/// # Errors
///
/// The database's error.
pub async fn state(executor: impl PgExecutor<'_>) -> Result<State, sqlx::Error> {
    sqlx::query_as!(
        State,
        r#"SELECT t.size, t.signed_size, c.signed_at AS "signed_at?", t.sent_size, h.position AS "head!", t.public_key, t.trouble
             FROM log_tree t CROSS JOIN log_head h LEFT JOIN checkpoints c ON c.size = t.signed_size"#
    )
    .fetch_one(executor)
    .await
}

/// Hashes the next events behind the tree, at most [`BATCH`] of them. Gives the size after it; another process may have done the
/// work meanwhile.
///
/// # Errors
///
/// [`TreeError`]; the tree is as it was.
pub async fn extend(pool: &PgPool) -> Result<State, TreeError> {
    let mut state = state(pool).await?;
    if state.head < state.size {
        return Err(TreeError::Truncated {
            head: state.head,
            size: state.size,
        });
    }
    if state.head == state.size {
        return Ok(state);
    }
    let events = entries::page(pool, state.size, BATCH).await?;
    let mut leaves = Vec::with_capacity(events.len());
    for (place, event) in (state.size + 1..).zip(&events) {
        if event.position != place {
            return Err(TreeError::Gap(place));
        }
        let hash = event.leaf().hash().map_err(|source| TreeError::Leaf {
            position: place,
            source,
        })?;
        leaves.push(hash);
    }
    let grown = state.size + i64::try_from(leaves.len()).unwrap_or_default();
    let edge = edge(pool, state.size).await?;
    let tiles = grow(state.size, edge, leaves);
    if write(pool, state.size, grown, &tiles).await? {
        state.size = grown;
        Ok(state)
    } else {
        Ok(self::state(pool).await?)
    }
}

/// A tile's level and its place in the level.
type TileId = (i16, i64);

/// The tiles at the right edge of a tree of `size` leaves that are not whole, by level.
async fn edge(pool: &PgPool, size: i64) -> Result<BTreeMap<i16, Vec<u8>>, TreeError> {
    let mut wanted = Vec::new();
    let (mut level, mut count) = (0, size);
    while count > 0 {
        if count % TILE_WIDTH != 0 {
            wanted.push((level, count / TILE_WIDTH));
        }
        (level, count) = (level + 1, count / TILE_WIDTH);
    }
    let found = read(pool, &wanted).await?;
    wanted
        .into_iter()
        .map(|(level, tile)| {
            let width =
                (size >> (u32::from(level.unsigned_abs()) * u32::from(TILE_HEIGHT))) % TILE_WIDTH;
            let hashes = found
                .get(&(level, tile))
                .and_then(|hashes| hashes.get(..bytes(width)))
                .ok_or(TreeError::Tile { level, tile })?;
            Ok((level, hashes.to_vec()))
        })
        .collect()
}

/// The tiles that change where `leaves` come behind `size` leaves.
fn grow(
    size: i64,
    mut edge: BTreeMap<i16, Vec<u8>>,
    leaves: Vec<Hash>,
) -> BTreeMap<TileId, Vec<u8>> {
    let mut tiles = BTreeMap::new();
    let (mut level, mut count, mut hashes) = (0, size, leaves);
    while !hashes.is_empty() {
        let mut above = Vec::new();
        let mut tile = edge.remove(&level).unwrap_or_default();
        let mut place = count / TILE_WIDTH;
        for hash in hashes {
            tile.extend(hash.0);
            if tile.len() == bytes(TILE_WIDTH) {
                above.push(Tile::subtree_hash(&tile));
                tiles.insert((level, place), std::mem::take(&mut tile));
                place += 1;
            }
        }
        if !tile.is_empty() {
            tiles.insert((level, place), tile);
        }
        (level, count, hashes) = (level + 1, count / TILE_WIDTH, above);
    }
    tiles
}

/// Writes tiles, where the tree has still `size` leaves; says whether it had.
async fn write(
    pool: &PgPool,
    size: i64,
    grown: i64,
    tiles: &BTreeMap<TileId, Vec<u8>>,
) -> Result<bool, sqlx::Error> {
    let levels: Vec<i16> = tiles.keys().map(|(level, _)| *level).collect();
    let places: Vec<i64> = tiles.keys().map(|(_, tile)| *tile).collect();
    let hashes: Vec<Vec<u8>> = tiles.values().cloned().collect();
    let done = sqlx::query_scalar!(
        r#"WITH grown AS (
               UPDATE log_tree SET size = $2 WHERE size = $1 RETURNING size
           ), written AS (
               INSERT INTO log_tiles (level, tile, hashes)
               SELECT t.level, t.tile, t.hashes
                 FROM unnest($3::smallint[], $4::bigint[], $5::bytea[]) AS t (level, tile, hashes), grown
               ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes
           )
           SELECT EXISTS (SELECT FROM grown) AS "is_done!""#,
        size,
        grown,
        &levels,
        &places,
        &hashes,
    )
    .fetch_one(pool)
    .await?;
    Ok(done)
}

/// Tiles by level and place; those that are not there are left out.
pub(super) async fn read(
    executor: impl PgExecutor<'_>,
    wanted: &[TileId],
) -> Result<HashMap<TileId, Vec<u8>>, sqlx::Error> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let levels: Vec<i16> = wanted.iter().map(|(level, _)| *level).collect();
    let places: Vec<i64> = wanted.iter().map(|(_, tile)| *tile).collect();
    let rows = sqlx::query!(
        "SELECT level, tile, hashes FROM log_tiles JOIN unnest($1::smallint[], $2::bigint[]) AS w (level, tile) USING (level, tile)",
        &levels,
        &places,
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ((row.level, row.tile), row.hashes))
        .collect())
}

/// A tree of 2⁶⁴ leaves has fewer levels of tiles than this.
const MAX_LEVELS: u8 = 64;

/// Which hashes of which tile are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    level: i16,
    tile: i64,
    width: i64,
}

impl Place {
    /// Reads the path of a tile as C2SP tlog-tiles writes it: a level, and `x001/067` or `x001/067.p/5`. Bundles of entries are no
    /// tiles of hashes.
    pub fn read(level: &str, tile: &str) -> Option<Self> {
        // The library panics on levels and widths that no tile has.
        let has_level = level.parse::<u8>().is_ok_and(|level| level < MAX_LEVELS);
        if !has_level || tile.ends_with(".p/0") {
            return None;
        }
        let tile = Tile::from_path(&format!("tile/{TILE_HEIGHT}/{level}/{tile}")).ok()?;
        (!tile.is_data()).then_some(())?;
        Some(Self {
            level: tile.level().into(),
            tile: tile.level_index().try_into().ok()?,
            width: tile.width().into(),
        })
    }
}

/// The hashes at a place; `None` where the tree has not so many.
///
/// # Errors
///
/// The database's error.
pub async fn tile(
    executor: impl PgExecutor<'_>,
    place: Place,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let id = (place.level, place.tile);
    let hashes = read(executor, &[id]).await?.remove(&id);
    Ok(hashes.and_then(|mut hashes| {
        let wanted = bytes(place.width);
        (hashes.len() >= wanted).then(|| {
            hashes.truncate(wanted);
            hashes
        })
    }))
}

/// The root of the tree of the first `size` leaves.
///
/// # Errors
///
/// [`TreeError`].
pub async fn root(pool: &PgPool, size: i64) -> Result<Hash, TreeError> {
    let size = size.unsigned_abs();
    let collect = Collect::default();
    // Which hashes are asked for does not depend on what they are.
    tlog::tree_hash(size, &collect).map_err(|_| TreeError::Range)?;
    let stored = collect.fetch(pool).await?;
    tlog::tree_hash(size, &stored).map_err(|_| TreeError::Range)
}

/// For each of the leaves, numbered from 0, the proof that the tree of the first `size` leaves holds it (RFC 6962, 2.1.1).
///
/// # Errors
///
/// [`TreeError`].
pub async fn proofs(pool: &PgPool, size: i64, leaves: &[i64]) -> Result<Vec<Vec<Hash>>, TreeError> {
    let size = size.unsigned_abs();
    let collect = Collect::default();
    for leaf in leaves {
        tlog::prove_record(size, leaf.unsigned_abs(), &collect).map_err(|_| TreeError::Range)?;
    }
    let stored = collect.fetch(pool).await?;
    leaves
        .iter()
        .map(|leaf| {
            tlog::prove_record(size, leaf.unsigned_abs(), &stored).map_err(|_| TreeError::Range)
        })
        .collect()
}

/// The leaf hashes as they are stored, of leaves numbered from 0.
///
/// # Errors
///
/// [`TreeError`].
pub async fn leaves(pool: &PgPool, leaves: &[i64]) -> Result<Vec<Hash>, TreeError> {
    let tiles: BTreeSet<TileId> = leaves.iter().map(|leaf| (0, leaf / TILE_WIDTH)).collect();
    let tiles: Vec<TileId> = tiles.into_iter().collect();
    let stored = Stored(read(pool, &tiles).await?);
    leaves
        .iter()
        .map(|leaf| {
            let tile = leaf / TILE_WIDTH;
            stored
                .hash(0, leaf.unsigned_abs())
                .ok_or(TreeError::Tile { level: 0, tile })
        })
        .collect()
}

/// Bytes in so many hashes.
fn bytes(hashes: i64) -> usize {
    usize::try_from(hashes).unwrap_or_default() * HASH_BYTES
}

/// Collects which tiles are needed, and gives empty hashes meanwhile.
#[derive(Default)]
struct Collect(std::cell::RefCell<BTreeSet<TileId>>);

impl Collect {
    async fn fetch(self, pool: &PgPool) -> Result<Stored, TreeError> {
        let wanted: Vec<TileId> = self.0.into_inner().into_iter().collect();
        let found = read(pool, &wanted).await?;
        for (level, tile) in wanted {
            if !found.contains_key(&(level, tile)) {
                return Err(TreeError::Tile { level, tile });
            }
        }
        Ok(Stored(found))
    }
}

impl HashReader for Collect {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        let mut wanted = self.0.borrow_mut();
        for index in indexes {
            let (level, place) = split_stored_hash_index(*index);
            wanted.insert(place_in_tiles(level, place).0);
        }
        Ok(vec![Hash([0; HASH_BYTES]); indexes.len()])
    }
}

/// Tiles that were read.
struct Stored(HashMap<TileId, Vec<u8>>);

impl Stored {
    fn hash(&self, level: u8, place: u64) -> Option<Hash> {
        let (id, range) = place_in_tiles(level, place);
        let hashes = self.0.get(&id)?;
        hashes.get(range).map(Tile::subtree_hash)
    }
}

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        indexes
            .iter()
            .map(|index| {
                let (level, place) = split_stored_hash_index(*index);
                self.hash(level, place).ok_or(tlog::Error::IndexesNotInTree)
            })
            .collect()
    }
}

/// Where a hash of the tree is found: the tile, and the bytes there of which it is the root.
fn place_in_tiles(level: u8, place: u64) -> (TileId, std::ops::Range<usize>) {
    let within = level % TILE_HEIGHT;
    let first = place << within;
    let (tile, from) = (first >> TILE_HEIGHT, first % TILE_WIDTH.unsigned_abs());
    let begin = usize::try_from(from).unwrap_or_default() * HASH_BYTES;
    let id = (i16::from(level / TILE_HEIGHT), tile.cast_signed());
    (id, begin..begin + (HASH_BYTES << within))
}

#[cfg(test)]
mod tests {
    use tlog_tiles::tlog::{check_record, record_hash, tree_hash};

    use super::*;

    fn leaf(place: i64) -> Hash {
        record_hash(place.to_string().as_bytes())
    }

    /// The root by the definition of RFC 6962.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => tlog::EMPTY_HASH,
            [only] => *only,
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                tlog::node_hash(defined(&leaves[..half]), defined(&leaves[half..]))
            }
        }
    }

    /// A tree of `size` leaves, grown in steps.
    fn tree(size: i64, step: i64) -> Stored {
        let mut tiles: HashMap<TileId, Vec<u8>> = HashMap::new();
        let mut now = 0;
        while now < size {
            let next = (now + step).min(size);
            let mut edge = BTreeMap::new();
            let (mut level, mut count) = (0, now);
            while count > 0 {
                if count % TILE_WIDTH != 0 {
                    edge.insert(level, tiles[&(level, count / TILE_WIDTH)].clone());
                }
                (level, count) = (level + 1, count / TILE_WIDTH);
            }
            tiles.extend(grow(now, edge, (now..next).map(leaf).collect()));
            now = next;
        }
        Stored(tiles)
    }

    #[test]
    fn tiles_give_the_roots_and_proofs_of_rfc_6962() {
        for (size, step) in [
            (1, 1),
            (2, 1),
            (255, 7),
            (256, 256),
            (257, 100),
            (1_000, 33),
            (66_000, 1_024),
        ] {
            let stored = tree(size, step);
            let leaves: Vec<Hash> = (0..size).map(leaf).collect();
            for part in [1, size / 2, size - 1, size] {
                let part = part.max(1);
                let root = tree_hash(part.unsigned_abs(), &stored).unwrap();
                let expected = defined(&leaves[..usize::try_from(part).unwrap()]);
                assert_eq!(root, expected, "{part} of {size}");
                for place in [0, part / 3, part - 1] {
                    let place = place.unsigned_abs();
                    let proof = tlog::prove_record(part.unsigned_abs(), place, &stored).unwrap();
                    let hash = leaf(place.cast_signed());
                    check_record(&proof, part.unsigned_abs(), root, place, hash).unwrap();
                    let other = leaf(-1);
                    check_record(&proof, part.unsigned_abs(), root, place, other).unwrap_err();
                }
            }
        }
    }

    #[test]
    fn paths_of_tiles_are_read_as_they_are_written() {
        let place = |level, tile, width| Some(Place { level, tile, width });
        assert_eq!(Place::read("0", "000"), place(0, 0, 256));
        assert_eq!(Place::read("1", "x001/x234/067"), place(1, 1_234_067, 256));
        assert_eq!(Place::read("0", "x001/067.p/5"), place(0, 1_067, 5));
        for (level, tile) in [
            ("entries", "000"),
            ("0", "0"),
            ("0", "0000"),
            ("00", "000"),
            ("-1", "000"),
            ("0", "000.p/0"),
            ("0", "000.p/256"),
            ("0", "000.p/05"),
            ("0", "001/067"),
            ("0", "x000/067"),
            ("0", ""),
            ("", "000"),
            ("0", "../000"),
            ("64", "000"),
            ("0", "x999/x999/x999/x999/x999/x999/x999/999"),
        ] {
            assert_eq!(Place::read(level, tile), None, "{level} {tile}");
        }
    }

    #[test]
    fn the_steps_in_which_a_tree_grows_do_not_matter() {
        assert_eq!(tree(70_000, 1_024).0, tree(70_000, 999).0);
    }
}
