//! Hashing and checking passwords, with argon2id.
//!
//! Both take a good part of a second of one core on purpose, so they run beside the threads that serve requests.

mod lane;

use std::borrow::Cow;
use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use docket_domain::text::normalise;
use secrecy::{ExposeSecret, SecretString};

pub use self::lane::{Lane, Turn};
use crate::ambient;

/// The fewest characters of a password.
pub const MIN_CHARS: usize = 10;
/// The most bytes of a password; more would only cost time.
pub const MAX_CHARS: usize = 1_000;

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is too short.
    #[error("the password must have {MIN_CHARS} characters or more")]
    TooShort,
    /// It is too long.
    #[error("the password must have {MAX_CHARS} characters or less")]
    TooLong,
    /// Too many wait to have theirs hashed.
    #[error("too many passwords are checked at once; try again in a few seconds")]
    Busy,
    /// The hash could not be made.
    #[error("the password could not be hashed")]
    Hashing,
}

/// So many wait in a lane.
pub const WAITING: usize = 16;

/// The lane of people who are signed in, or have a token.
static INSIDE: LazyLock<Lane> = LazyLock::new(|| Lane::new(1, WAITING));

/// Whether a password may be chosen.
///
/// # Errors
///
/// [`PasswordError`].
pub fn check(password: &str) -> Result<(), PasswordError> {
    let password = normalise::composed(password);
    if password.chars().count() < MIN_CHARS {
        Err(PasswordError::TooShort)
    } else if password.chars().count() > MAX_CHARS {
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
    normalise::composed(password).chars().count() > MAX_CHARS
}

/// Hashes a password that is to be kept, in PHC form. It is composed (NFC) first, since keyboards write one letter in
/// several ways.
///
/// # Errors
///
/// [`PasswordError`].
pub async fn hash(password: SecretString) -> Result<String, PasswordError> {
    check(password.expose_secret())?;
    // Nobody hashes many: those who set passwords share one origin.
    let _turn = INSIDE.turn("").await?;
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

/// Whether a password is the one that was hashed, for who has a turn. Earlier versions hashed passwords as they were typed,
/// so the other spellings of the same letters are compared too, where there are any.
pub async fn verify(password: SecretString, hash: String, turn: Turn) -> bool {
    let is_right = tokio::task::spawn_blocking(move || {
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
    });
    let is_right = is_right.await.unwrap_or(false);
    drop(turn);
    is_right
}

/// The same for somebody who is signed in, or has a token; `who` names them.
///
/// # Errors
///
/// [`PasswordError::Busy`] where too many wait already.
pub async fn verify_inside(
    password: SecretString,
    hash: String,
    who: &str,
) -> Result<bool, PasswordError> {
    let turn = INSIDE.turn(who).await?;
    Ok(verify(password, hash, turn).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_it(password: &str, hash: &str) -> bool {
        let is_right = verify_inside(password.into(), hash.to_owned(), "").await;
        is_right.expect("few wait")
    }

    #[tokio::test]
    async fn a_password_is_verified_and_another_is_not() {
        let hash = hash("correct horse battery".into()).await.expect("hashes");
        assert!(hash.starts_with("$argon2id$"));
        assert!(is_it("correct horse battery", &hash).await);
        assert!(!is_it("correct horse batterx", &hash).await);
        assert!(!is_it("anything at all", "no hash").await);
    }

    #[tokio::test]
    async fn a_password_is_the_same_however_its_letters_are_composed() {
        let (composed, decomposed) = (
            "schl\u{fc}ssel-\u{ac00}",
            "schlu\u{308}ssel-\u{1100}\u{1161}",
        );
        for (set, typed) in [(composed, decomposed), (decomposed, composed)] {
            let kept = hash(set.into()).await.expect("hashes");
            assert!(is_it(typed, &kept).await);
            assert!(is_it(set, &kept).await);
            assert!(!is_it("schlussel-\u{ac00}", &kept).await);
            assert!(!is_it(&format!("{set} "), &kept).await, "ends count");
        }
        assert!(are_same(composed, decomposed));
        // As earlier versions have kept them: hashed as they were typed.
        let salt = SaltString::encode_b64(&[7; 16]).expect("a salt");
        let old = Argon2::default()
            .hash_password(decomposed.as_bytes(), &salt)
            .expect("hashes")
            .to_string();
        assert!(is_it(decomposed, &old).await);
        assert!(is_it(composed, &old).await);
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert_eq!(check("123456789"), Err(PasswordError::TooShort));
        assert_eq!(check("1234567890"), Ok(()));
        assert_eq!(check(&"u\u{308}".repeat(9)), Err(PasswordError::TooShort));
        assert_eq!(
            check(&"u\u{308}".repeat(500)),
            Ok(()),
            "composed, it has 500 characters"
        );
        assert_eq!(check(&"x".repeat(1_001)), Err(PasswordError::TooLong));
    }
}
