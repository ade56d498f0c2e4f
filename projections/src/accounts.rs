//! Secrets of people: hashes of passwords and tokens.
//!
//! They are no events and stand beside the log, so that a changed password leaves no trace of the old one. Whether a person or
//! a token still counts is what the read models say.

use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, Utc};
use docket_domain::access::Access;
use docket_domain::ids::{TokenId, UserId};
use docket_domain::personal::Personal;
use docket_domain::user::Role;
use sqlx::PgExecutor;

use crate::read::rows::Row;
use crate::read::users::reach;

/// What a password is checked against.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whose password it is.
    pub user_id: UserId,
    /// What they may do.
    pub role: Role,
    /// The password's hash in PHC form.
    pub password_hash: String,
}

/// Says whose it is and keeps the hash to itself.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user_id", &self.user_id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Who a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user_id: UserId,
    /// Their address.
    pub email: Personal<String>,
    /// How many events all users have: another number than before says that some user has changed.
    pub users_state: i64,
    /// What they may do.
    pub role: Role,
    /// Which surveys' cases they reach.
    pub access: Access,
    /// The token.
    pub token_id: TokenId,
    /// When the token was last used, to about a minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Sets a user's password, in place of the one before. `hash` is in PHC form.
///
/// # Errors
///
/// The database's error.
pub async fn set_password_hash(
    executor: impl PgExecutor<'_>,
    user_id: UserId,
    hash: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO credentials (user_id, password_hash) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash",
        user_id.0,
        hash,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// What to check the password of the person with that address against; `None` where there is no such person, they were
/// removed, or they have no password. The address is spelt as [`docket_domain::user::normalise_email`] gives it.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn password_hash(
    executor: impl PgExecutor<'_>,
    email: &str,
) -> Result<Option<Credentials>, sqlx::Error> {
    let found = sqlx::query!(
        "SELECT users.user_id, users.role, credentials.password_hash
         FROM users
         JOIN credentials ON credentials.user_id = users.user_id
         WHERE users.email = $1 AND NOT users.removed",
        email,
    )
    .fetch_optional(executor)
    .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    let known = Row {
        table: "users",
        key: found.user_id,
    };
    Ok(Some(Credentials {
        user_id: UserId(found.user_id),
        role: known.some("role", Role::from_name(&found.role))?,
        password_hash: found.password_hash,
    }))
}

/// Keeps the SHA-256 of a new token.
///
/// # Errors
///
/// The database's error, a unique violation where the token or its hash is kept already.
pub async fn add_token_secret(
    executor: impl PgExecutor<'_>,
    token_id: TokenId,
    user_id: UserId,
    hash: [u8; 32],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO token_secrets (token_id, user_id, hash) VALUES ($1, $2, $3)",
        token_id.0,
        user_id.0,
        &hash[..],
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Who the token with that SHA-256 speaks for; `None` where there is none, it was ended, or its user was removed.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn by_token_hash(
    executor: impl PgExecutor<'_>,
    hash: [u8; 32],
) -> Result<Option<Account>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT users.user_id, users.email, users.role, users.surveys, tokens.token_id,
             token_secrets.last_used_at,
             (SELECT coalesce(sum(version), 0)::bigint FROM users) AS "users_state!"
         FROM token_secrets
         JOIN tokens ON tokens.token_id = token_secrets.token_id AND tokens.user_id = token_secrets.user_id
         JOIN users ON users.user_id = tokens.user_id
         WHERE token_secrets.hash = $1 AND NOT tokens.revoked AND NOT users.removed"#,
        &hash[..],
    )
    .fetch_optional(executor)
    .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    let known = Row {
        table: "users",
        key: found.user_id,
    };
    let role = known.some("role", Role::from_name(&found.role))?;
    Ok(Some(Account {
        user_id: UserId(found.user_id),
        email: Personal(found.email),
        users_state: found.users_state,
        role,
        access: reach(role, found.surveys),
        token_id: TokenId(found.token_id),
        last_used_at: found.last_used_at,
    }))
}

/// Notes that a token was used.
///
/// # Errors
///
/// The database's error.
pub async fn touch_token(
    executor: impl PgExecutor<'_>,
    token_id: TokenId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE token_secrets SET last_used_at = $2 WHERE token_id = $1",
        token_id.0,
        now,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// When each token was last used, of those that ever were.
///
/// # Errors
///
/// The database's error.
pub async fn tokens_last_used(
    executor: impl PgExecutor<'_>,
) -> Result<HashMap<TokenId, DateTime<Utc>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT token_id, last_used_at AS "last_used_at!" FROM token_secrets WHERE last_used_at IS NOT NULL"#
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (TokenId(row.token_id), row.last_used_at))
        .collect())
}
