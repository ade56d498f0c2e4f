//! Passwords: Argon2id hashes in PHC form, made and checked away from the runtime's threads.
//!
//! Shared by the API, the console and the command line. A hash takes 19 MiB while it is computed, so only a few are at once.

use std::sync::LazyLock;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::Argon2;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

/// The shortest password, in characters.
pub const MIN_CHARS: usize = 10;
/// The longest password, in characters.
pub const MAX_CHARS: usize = 1_000;
/// How many hashes are computed at once; each takes 19 MiB.
const AT_ONCE: usize = 2;

static SLOTS: Semaphore = Semaphore::const_new(AT_ONCE);

/// What a password is compared with where nobody has one, so that the answer takes as long as for somebody.
static NOBODYS: LazyLock<String> = LazyLock::new(|| hash_now("nobody's password", [0; 16]));

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is too short.
    #[error("password must have at least {MIN_CHARS} characters")]
    TooShort,
    /// It is too long.
    #[error("password must have at most {MAX_CHARS} characters")]
    TooLong,
}

/// Hashes a new password; `salt` is random. The hash is in PHC form.
///
/// # Errors
///
/// A [`PasswordError`] where the password is too short or too long.
pub async fn hash(password: SecretString, salt: [u8; 16]) -> Result<String, PasswordError> {
    match password.expose_secret().chars().count() {
        ..MIN_CHARS => return Err(PasswordError::TooShort),
        MIN_CHARS..=MAX_CHARS => {}
        _ => return Err(PasswordError::TooLong),
    }
    Ok(computed(move || hash_now(password.expose_secret(), salt)).await)
}

/// Whether the password is the one that `hash` (in PHC form) was made of. Without a hash it takes as long and is false, so that
/// nobody learns from the time whether there is such a user.
pub async fn verify(password: SecretString, hash: Option<String>) -> bool {
    if password.expose_secret().chars().count() > MAX_CHARS {
        return false;
    }
    computed(move || {
        let known = hash.is_some();
        let hash = hash.as_ref().unwrap_or(&NOBODYS);
        let matches = PasswordHash::new(hash).is_ok_and(|hash| {
            Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
        });
        known && matches
    })
    .await
}

async fn computed<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let _slot = SLOTS.acquire().await.expect("the semaphore is never closed");
    tokio::task::spawn_blocking(work).await.expect("hashing does not panic")
}

fn hash_now(password: &str, salt: [u8; 16]) -> String {
    let salt = SaltString::encode_b64(&salt).expect("16 bytes are a good salt");
    Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .expect("the default parameters are valid")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_alone() {
        let hashed = hash("correct horse".into(), [7; 16]).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$"), "{hashed}");
        assert!(verify("correct horse".into(), Some(hashed.clone())).await);
        assert!(!verify("correct horsf".into(), Some(hashed.clone())).await);
        assert!(!verify("nobody's password".into(), None).await);
        assert!(!verify("correct horse".into(), Some("no hash".to_owned())).await);
        let other_salt = hash("correct horse".into(), [8; 16]).await.unwrap();
        assert_ne!(hashed, other_salt);
    }

    #[tokio::test]
    async fn length_is_counted_in_characters() {
        assert_eq!(hash("123456789".into(), [0; 16]).await, Err(PasswordError::TooShort));
        assert!(hash("äöüäöüäöüä".into(), [0; 16]).await.is_ok());
        assert_eq!(hash("x".repeat(1_001).into(), [0; 16]).await, Err(PasswordError::TooLong));
    }
}
