//! The installation's secrets, encrypted; what they are is known only to whoever has the key, which is never in the database.
//!
//! They are no events and stand beside the log, so that a changed secret leaves no trace of the old one. That they were changed is
//! an event, recorded in the same transaction.

use std::fmt;

use sqlx::PgExecutor;

/// A secret as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// What made this encryption unlike any other: 24 bytes.
    pub nonce: Vec<u8>,
    /// The secret, encrypted, with its authentication tag.
    pub ciphertext: Vec<u8>,
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSecret(…)")
    }
}

/// The secret of that name, as it is kept.
///
/// # Errors
///
/// The database's error.
pub async fn find(
    executor: impl PgExecutor<'_>,
    name: &str,
) -> Result<Option<SealedSecret>, sqlx::Error> {
    sqlx::query_as!(
        SealedSecret,
        "SELECT nonce, ciphertext FROM installation_secrets WHERE name = $1",
        name,
    )
    .fetch_optional(executor)
    .await
}
