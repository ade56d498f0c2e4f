//! The append log: one table of events, read by stream and by position.
//!
//! Positions are 1, 2, 3 … without a gap, in the order of commits: `log_head` is one row that every append updates in its
//! transaction, so nothing ever appears behind a position that a reader has seen. Only [`crate::ledger`] appends.

pub mod append;
pub mod case_events;
pub mod changes;
pub mod follow;
pub mod reader;
pub mod recorded;
pub mod search;
pub mod upcasters;
