//! Hashing and checking passwords, with argon2id.
//!
//! Both take a good part of a second of one core on purpose, so they run beside the threads that serve requests.

use std::borrow::Cow;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use docket_domain::text::normalise;
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
    let password = normalise::composed(password);
    if password.chars().count() < MIN_CHARS {
        Err(PasswordError::TooShort)
    } else if password.len() > MAX_BYTES {
        Err(PasswordError::TooLong)
    } else {
        Ok(())
    }
}

/// Whether two passwords that were typed are the same.
pub fn are_same(one: &str, other: &str) -> bool {
    normalise::composed(one) == normalise::composed(other)
}

/// Whether nobody can have that password, since it is too long. Comparing it would cost time for nothing.
pub fn is_too_long(password: &str) -> bool {
    normalise::composed(password).len() > MAX_BYTES
}

/// Hashes a password that is to be kept, in PHC form. It is composed (NFC) first, since keyboards write one letter in
/// several ways.
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
        let password = normalise::composed(password.expose_secret());
        Argon2::default()
            .hash_password(password.as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|_| PasswordError::Hashing)
    })
    .await
    .unwrap_or(Err(PasswordError::Hashing))
}

/// Whether a password is the one that was hashed. Earlier versions hashed passwords as they were typed, so the other
/// spellings of the same letters are compared too, where there are any.
pub async fn verify(password: SecretString, hash: String) -> bool {
    let Ok(_turn) = AT_ONCE.acquire().await else {
        return false;
    };
    tokio::task::spawn_blocking(move || {
        let typed = password.expose_secret();
        let mut spellings = vec![normalise::composed(typed)];
        for other in [typed.into(), normalise::decomposed(typed)] {
            if !spellings.contains(&other) {
                spellings.push(other);
            }
        }
        PasswordHash::new(&hash).is_ok_and(|hash| {
            let is_it = |spelling: &Cow<'_, str>| {
                Argon2::default()
                    .verify_password(spelling.as_bytes(), &hash)
                    .is_ok()
            };
            spellings.iter().any(is_it)
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

    #[tokio::test]
    async fn a_password_is_the_same_however_its_letters_are_composed() {
        let (composed, decomposed) = (
            "schl\u{fc}ssel-\u{ac00}",
            "schlu\u{308}ssel-\u{1100}\u{1161}",
        );
        for (set, typed) in [(composed, decomposed), (decomposed, composed)] {
            let kept = hash(set.into()).await.expect("hashes");
            assert!(verify(typed.into(), kept.clone()).await);
            assert!(verify(set.into(), kept.clone()).await);
            assert!(!verify("schlussel-\u{ac00}".into(), kept.clone()).await);
            assert!(!verify(format!("{set} ").into(), kept).await, "ends count");
        }
        assert!(are_same(composed, decomposed));
        // As earlier versions have kept them: hashed as they were typed.
        let salt = SaltString::encode_b64(&[7; 16]).expect("a salt");
        let old = Argon2::default()
            .hash_password(decomposed.as_bytes(), &salt)
            .expect("hashes")
            .to_string();
        assert!(verify(decomposed.into(), old.clone()).await);
        assert!(verify(composed.into(), old).await);
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert_eq!(check("123456789"), Err(PasswordError::TooShort));
        assert_eq!(check("1234567890"), Ok(()));
        assert_eq!(check(&"u\u{308}".repeat(9)), Err(PasswordError::TooShort));
        assert_eq!(
            check(&"u\u{308}".repeat(500)),
            Ok(()),
            "1,000 bytes when composed"
        );
        assert_eq!(check(&"x".repeat(1_001)), Err(PasswordError::TooLong));
    }
}
