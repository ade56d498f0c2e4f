//! The key of secrets that are entered at the console.

use secrecy::ExposeSecret as _;

use super::{Mistakes, Section, Setting, Values};
use crate::secrets::SecretKey;

/// The section.
pub const SECTION: Section = Section {
    heading: "Stored secrets",
    settings: &[SECRET_KEY],
};

const SECRET_KEY: Setting = Setting {
    name: "DOCKET_SECRET_KEY",
    flag: "secret-key",
    old_flag: Some("docket-secret-key"),
    value: "KEY",
    default: None,
    is_secret: true,
    is_basic: true,
    about: "The key that encrypts secrets entered at the console: 32 random bytes in base64 or hexadecimal.",
    without: "with the private Postgres one is made in the data folder; otherwise no secrets can be entered",
};

/// The key, where one is given.
pub(super) fn key(values: &Values, mistakes: &mut Mistakes) -> Option<SecretKey> {
    let text = mistakes.note(values.secret(&SECRET_KEY)).flatten()?;
    mistakes.note(SecretKey::parse(text.expose_secret()).ok_or_else(|| {
        "DOCKET_SECRET_KEY must be 32 random bytes in base64 or hexadecimal; openssl rand -base64 32 makes them".to_owned()
    }))
}
