//! Hashing and checking passwords, with argon2id.
//!
//! Both take a good part of a second of one core on purpose, so they run beside the threads that serve requests.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use secrecy::{ExposeSecret, SecretString};

use tokio::sync::Semaphore;

use crate::ambient;

/// The fewest characters of a password.
pub const MIN_CHARS: usize = 10;
/// The most bytes of a password; more would only cost time.
pub const MAX_BYTES: usize = 1_000;

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is too short.
    #[error("the password must have {MIN_CHARS} characters or more")]
    TooShort,
    /// It is too long.
    #[error("the password must have {MAX_BYTES} bytes or less")]
    TooLong,
    /// The hash could not be made.
    #[error("the password could not be hashed")]
    Hashing,
}

/// How many are hashed at once: each takes some 20 MB and a core, and must leave the service some of both.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// Whether a password may be chosen.
///
/// # Errors
///
/// [`PasswordError`].
pub fn check(password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < MIN_CHARS {
        Err(PasswordError::TooShort)
    } else if password.len() > MAX_BYTES {
        Err(PasswordError::TooLong)
    } else {
        Ok(())
    }
}

/// Hashes a password that is to be kept, in PHC form.
///
/// # Errors
///
/// [`PasswordError`].
pub async fn hash(password: SecretString) -> Result<String, PasswordError> {
    check(password.expose_secret())?;
    let _turn = AT_ONCE
        .acquire()
        .await
        .map_err(|_| PasswordError::Hashing)?;
    let salt = SaltString::encode_b64(&ambient::random_bytes::<16>())
        .map_err(|_| PasswordError::Hashing)?;
    tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(password.expose_secret().as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|_| PasswordError::Hashing)
    })
    .await
    .unwrap_or(Err(PasswordError::Hashing))
}

/// Whether a password is the one that was hashed.
pub async fn verify(password: SecretString, hash: String) -> bool {
    let Ok(_turn) = AT_ONCE.acquire().await else {
        return false;
    };
    tokio::task::spawn_blocking(move || {
        PasswordHash::new(&hash).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.expose_secret().as_bytes(), &hash)
                .is_ok()
        })
    })
    .await
    .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_verified_and_another_is_not() {
        let hash = hash("correct horse battery".into()).await.expect("hashes");
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify("correct horse battery".into(), hash.clone()).await);
        assert!(!verify("correct horse batterx".into(), hash).await);
        assert!(!verify("anything at all".into(), "no hash".into()).await);
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert_eq!(check("123456789"), Err(PasswordError::TooShort));
        assert_eq!(check("1234567890"), Ok(()));
        assert_eq!(check(&"x".repeat(1_001)), Err(PasswordError::TooLong));
    }
}
