//! The append log: one table of events, read by stream and by position.
//!
//! Positions are 1, 2, 3 … without a gap, in the order of commits: whoever appends holds one lock from the look at the last position
//! to the commit, so nothing ever appears behind a position that a reader has seen. Only [`crate::append`] appends.

pub mod alerts;
pub mod case_events;
pub mod changes;
pub mod circumstances;
pub mod follow;
pub mod reader;
pub mod recorded;
pub mod search;
pub mod upcasters;
