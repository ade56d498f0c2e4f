//! The only door to the ambient clock and to randomness for identifiers.
//!
//! Everything else takes times and identifiers as parameters, or one of these functions as a value, so that a test decides what
//! time it is.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The present time.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A new identifier (version 7: identifiers made later sort later).
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that makes identifiers"
)]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Random bytes fit for keys, tokens and salts.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that draws random bytes"
)]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    rand::random()
}
