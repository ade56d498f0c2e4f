//! Encrypts the secrets that are kept in the database.
//!
//! XChaCha20-Poly1305 under the installation's key, with a random nonce each time, and bound to the secret's name: a row that was
//! changed, or put in another's place, cannot be read. The key is never in the database. It comes from the configuration, or, beside
//! a private Postgres, from a file in the data folder that is made at the first start.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use docket_projections::secrets::SealedSecret;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use tracing::{info, warn};

use crate::ambient;

/// The secret that signs Vonage's webhooks.
pub const SIGNATURE_SECRET: &str = "vonage_signature_secret";
/// The Vonage application's private key.
pub const PRIVATE_KEY: &str = "vonage_private_key";
/// The key that signs checkpoints of the log.
pub const CHECKPOINT_KEY: &str = "checkpoint_key";

/// The file in the data folder that holds the key made at the first start.
const KEY_FILE: &str = "secret-key";
/// The length of a key, in bytes.
const KEY_BYTES: usize = 32;
/// The length of a nonce, in bytes.
const NONCE_BYTES: usize = 24;

/// Reads base64 with or without padding.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// The installation's key.
#[derive(Clone)]
pub struct SecretKey(Arc<SecretBox<[u8; KEY_BYTES]>>);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// A secret cannot be read: it was encrypted with another key, or its row was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored secret cannot be read with this key")]
pub struct Unreadable;

impl SecretKey {
    /// A new key.
    pub fn generate() -> Self {
        Self::from_bytes(ambient::random_bytes())
    }

    fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Arc::new(SecretBox::new(Box::new(bytes))))
    }

    /// Reads a key of 32 bytes, written in hexadecimal digits or in base64 of either alphabet.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = if text.len() == 2 * KEY_BYTES {
            hex::decode(text).ok()?
        } else {
            let alphabet = if text.contains(['-', '_']) {
                &alphabet::URL_SAFE
            } else {
                &alphabet::STANDARD
            };
            GeneralPurpose::new(alphabet, LENIENT).decode(text).ok()?
        };
        bytes.try_into().ok().map(Self::from_bytes)
    }

    /// The key in the data folder, made where there is none.
    ///
    /// # Errors
    ///
    /// A sentence that says what to do: the file cannot be read or made, or holds no key.
    pub fn kept_in(data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join(KEY_FILE);
        let cannot = || {
            format!(
                "the key of stored secrets, {}, cannot be used",
                path.display()
            )
        };
        match read_file(&path) {
            Ok(Some(key)) => return Ok(key),
            Ok(None) => {}
            Err(error) => return Err(error).with_context(cannot),
        }
        let key = Self::generate();
        match key.write_file(data_dir, &path) {
            Ok(()) => {
                info!(file = %path.display(), "a key for stored secrets was made; keep it with your backups");
                Ok(key)
            }
            // Another process was faster, and both must use one key.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => read_file(&path)
                .with_context(cannot)?
                .context("the key of stored secrets went away as it was read"),
            Err(error) => Err(error).with_context(cannot),
        }
    }

    /// Writes the key whole or not at all, for its owner alone to read, and never over another.
    fn write_file(&self, data_dir: &Path, path: &Path) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o600))?;
        writeln!(file, "{}", hex::encode(self.0.expose_secret()))?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        fs::File::open(data_dir)?.sync_all()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.expose_secret().into())
    }

    /// Encrypts the secret of that name.
    ///
    /// # Panics
    ///
    /// Never: the cipher takes up to 256 GiB.
    pub fn seal(&self, name: &str, secret: &SecretString) -> SealedSecret {
        let nonce = ambient::random_bytes::<NONCE_BYTES>();
        let payload = Payload {
            msg: secret.expose_secret().as_bytes(),
            aad: &bound_to(name),
        };
        let ciphertext = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a secret is shorter than the cipher's limit");
        SealedSecret {
            nonce: nonce.to_vec(),
            ciphertext,
        }
    }

    /// Reads the secret of that name.
    ///
    /// # Errors
    ///
    /// [`Unreadable`].
    pub fn open(&self, name: &str, sealed: &SealedSecret) -> Result<SecretString, Unreadable> {
        let nonce: [u8; NONCE_BYTES] =
            sealed.nonce.as_slice().try_into().map_err(|_| Unreadable)?;
        let payload = Payload {
            msg: &sealed.ciphertext,
            aad: &bound_to(name),
        };
        let bytes = self
            .cipher()
            .decrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Unreadable)?;
        let text = String::from_utf8(bytes).map_err(|_| Unreadable)?;
        Ok(text.into())
    }
}

/// What a secret's encryption is bound to.
fn bound_to(name: &str) -> Vec<u8> {
    format!("docket installation secret {name}").into_bytes()
}

/// The key in a file; `None` where there is no file.
fn read_file(path: &Path) -> anyhow::Result<Option<SecretKey>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => SecretString::from(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let key = SecretKey::parse(text.expose_secret()).context(
        "it holds no key; put the right file back, or remove this one and enter the secrets again at the console",
    )?;
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        warn!(file = %path.display(), "others could read the key of stored secrets; now they cannot");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn secret() -> SecretString {
        "an invented signature secret".into()
    }

    #[test]
    fn keys_are_read_from_hex_and_base64() {
        let hex = SecretKey::parse(HEX).unwrap();
        for spelling in [
            BASE64,
            BASE64.trim_end_matches('='),
            &format!(" {BASE64}\n"),
        ] {
            let key = SecretKey::parse(spelling).unwrap();
            assert_eq!(key.0.expose_secret(), hex.0.expose_secret());
        }
        let url_safe = "-_".to_owned() + &"A".repeat(41);
        assert!(SecretKey::parse(&url_safe).is_some());
        for wrong in ["", "password", &HEX[2..], &BASE64[4..], &"g".repeat(64)] {
            assert!(SecretKey::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_was_sealed_is_read_again_and_shows_nothing() {
        let key = SecretKey::generate();
        let sealed = key.seal(SIGNATURE_SECRET, &secret());
        let opened = key.open(SIGNATURE_SECRET, &sealed).unwrap();
        assert_eq!(opened.expose_secret(), secret().expose_secret());
        assert_ne!(sealed, key.seal(SIGNATURE_SECRET, &secret()));
        assert_eq!(
            format!("{key:?} {sealed:?}"),
            "SecretKey(…) SealedSecret(…)"
        );
    }

    #[test]
    fn another_key_another_name_and_a_changed_row_read_nothing() {
        type Spoil = fn(&mut SealedSecret);
        let key = SecretKey::generate();
        let sealed = key.seal(SIGNATURE_SECRET, &secret());
        let other = SecretKey::generate();
        assert_eq!(
            other.open(SIGNATURE_SECRET, &sealed).unwrap_err(),
            Unreadable
        );
        assert_eq!(key.open(PRIVATE_KEY, &sealed).unwrap_err(), Unreadable);
        let spoils: [Spoil; 5] = [
            |sealed| sealed.nonce[0] ^= 1,
            |sealed| sealed.nonce.truncate(12),
            |sealed| sealed.ciphertext[0] ^= 1,
            |sealed| sealed.ciphertext.truncate(4),
            |sealed| *sealed.ciphertext.last_mut().unwrap() ^= 1,
        ];
        for spoil in spoils {
            let mut changed = sealed.clone();
            spoil(&mut changed);
            assert_eq!(
                key.open(SIGNATURE_SECRET, &changed).unwrap_err(),
                Unreadable
            );
        }
    }

    #[test]
    fn the_key_in_the_data_folder_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let made = SecretKey::kept_in(folder.path()).unwrap();
        let path = folder.path().join(KEY_FILE);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let again = SecretKey::kept_in(folder.path()).unwrap();
        assert_eq!(made.0.expose_secret(), again.0.expose_secret());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            made.write_file(folder.path(), &path).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        fs::write(&path, "not a key").unwrap();
        let error = format!("{:#}", SecretKey::kept_in(folder.path()).unwrap_err());
        assert!(error.contains("it holds no key"), "{error}");
        assert!(!error.contains("not a key"), "{error}");
    }
}
