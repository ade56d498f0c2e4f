//! The database, and the folder of a private one.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::{Mistakes, Section, Setting, Values};

/// The section.
pub const SECTION: Section = Section {
    heading: "Database",
    settings: &[DATABASE_URL, DATA_DIR],
};

const DATABASE_URL: Setting = Setting {
    name: "DATABASE_URL",
    flag: "database-url",
    old_flag: None,
    value: "URL",
    default: None,
    is_secret: true,
    is_basic: true,
    about: "The Postgres to use, version 15 or newer, such as postgres://user:password@host/database.",
    without: "a private one in the data folder",
};

const DATA_DIR: Setting = Setting {
    name: "DOCKET_DATA_DIR",
    flag: "data-dir",
    old_flag: Some("docket-data-dir"),
    value: "FOLDER",
    default: Some("./docket-data"),
    is_secret: false,
    is_basic: true,
    about: "The folder of the private Postgres and of the key of stored secrets.",
    without: "",
};

/// The database's address, where one is given.
pub(super) fn url(values: &Values, mistakes: &mut Mistakes) -> Option<SecretString> {
    let url = mistakes.note(values.secret(&DATABASE_URL)).flatten()?;
    if docket_projections::connect::connect_options(url.expose_secret()).is_err() {
        mistakes.0.push("DATABASE_URL must be a Postgres address such as postgres://user:password@host/database".to_owned());
    }
    Some(url)
}

/// The data folder, as a whole path: what is started there may work elsewhere.
pub(super) fn data_dir(values: &Values) -> Result<PathBuf, String> {
    let text = values.text(&DATA_DIR).unwrap_or_default();
    if text == "~" || text.starts_with("~/") {
        return Err(
            "DOCKET_DATA_DIR begins with ~, which only a shell understands; write the whole path"
                .to_owned(),
        );
    }
    std::path::absolute(text).map_err(|_| {
        "DOCKET_DATA_DIR must be the path of a folder, such as /var/lib/docket".to_owned()
    })
}
