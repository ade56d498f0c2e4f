//! Proof that the log was not altered: a Merkle tree over its events, and checkpoints of that tree.
//!
//! Each event has a leaf hash, SHA-256 of its canonical JSON ([`leaf`]). The hashes are the leaves of an RFC 6962 tree, whose
//! leaf `n` is the event at position `n + 1`. The tree is kept as tiles of C2SP tlog-tiles ([`tree`]). A task of the service
//! follows the log and adds leaves behind it, so that an append does not wait for it. A checkpoint names a size and the root of
//! the tree of that size, and is signed outside of this crate ([`checkpoints`]).
//!
//! Invariants: tiles and checkpoints follow from the events; `log_tree.size` is compared and raised in the statement that writes
//! the tiles, so two processes never write different trees; the sizes of checkpoints only grow.

pub mod audit;
pub mod canonical;
pub mod checkpoints;
pub mod entries;
pub mod leaf;
pub mod mark;
pub mod tree;

pub use tlog_tiles::tlog::{Hash, check_record};

/// The hash of a leaf, from its canonical JSON.
pub fn leaf_hash(json: &str) -> Hash {
    tlog_tiles::tlog::record_hash(json.as_bytes())
}
