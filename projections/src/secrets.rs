//! The installation's secrets, encrypted; what they are is known only to whoever has the key, which is never in the database.
//!
//! They are no events and stand beside the log, so that a changed secret leaves no trace of the old one. That they were changed is
//! an event, recorded in the same transaction.

use std::fmt;

use sqlx::{PgConnection, PgExecutor};

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

/// Keeps a secret in place of the one before, or removes it.
pub(crate) async fn write(
    conn: &mut PgConnection,
    name: &str,
    sealed: Option<&SealedSecret>,
) -> Result<(), sqlx::Error> {
    if let Some(sealed) = sealed {
        sqlx::query!(
            "INSERT INTO installation_secrets (name, nonce, ciphertext) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET nonce = excluded.nonce, ciphertext = excluded.ciphertext",
            name,
            sealed.nonce,
            sealed.ciphertext,
        )
        .execute(conn)
        .await?;
    } else {
        sqlx::query!("DELETE FROM installation_secrets WHERE name = $1", name)
            .execute(conn)
            .await?;
    }
    Ok(())
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
