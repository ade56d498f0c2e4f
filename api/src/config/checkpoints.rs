//! Where checkpoints of the log go outside.

use std::path::PathBuf;

use reqwest::Url;

use super::{Section, Setting, Values};
use crate::evidence::outlets::OutletsConfig;

/// The section.
pub const SECTION: Section = Section {
    heading: "Proof of the log",
    settings: &[FILE, URL],
};

const FILE: Setting = Setting {
    name: "DOCKET_CHECKPOINT_FILE",
    flag: "checkpoint-file",
    old_flag: None,
    value: "FILE",
    default: None,
    is_secret: false,
    is_basic: false,
    about: "A file to which signed checkpoints of the log are appended. Keep it, or a copy, where those who can change the database cannot write.",
    without: "checkpoints are kept in the database only",
};

const URL: Setting = Setting {
    name: "DOCKET_CHECKPOINT_URL",
    flag: "checkpoint-url",
    old_flag: None,
    value: "URL",
    default: None,
    is_secret: false,
    is_basic: false,
    about: "An address to which each signed checkpoint is posted, again and again until it is taken.",
    without: "checkpoints are posted nowhere",
};

/// The section's settings, checked.
pub(super) fn outlets(values: &Values) -> Result<OutletsConfig, String> {
    let given = |setting| values.text(setting).filter(|text| !text.is_empty());
    let url = given(&URL)
        .map(|text| {
            Url::parse(text.trim())
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
                .ok_or_else(|| {
                    "DOCKET_CHECKPOINT_URL must be an address that begins with https:// or http://"
                        .to_owned()
                })
        })
        .transpose()?;
    Ok(OutletsConfig {
        file: given(&FILE).map(PathBuf::from),
        url,
    })
}
