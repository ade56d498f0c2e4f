//! What is logged.

use tracing_subscriber::EnvFilter;

use super::{Section, Setting, Values};

/// The section.
pub const SECTION: Section = Section {
    heading: "Logging",
    settings: &[RUST_LOG],
};

const RUST_LOG: Setting = Setting {
    name: "RUST_LOG",
    flag: "log",
    old_flag: Some("rust-log"),
    value: "FILTER",
    default: Some("info,sqlx=warn"),
    is_secret: false,
    is_basic: false,
    about: "What is logged: a level (error, warn, info, debug, trace), or levels of single parts such as info,docket=debug.",
    without: "",
};

/// What is logged.
///
/// # Errors
///
/// A sentence, where it cannot be read.
pub fn filter(values: &Values) -> Result<EnvFilter, String> {
    EnvFilter::try_new(values.text(&RUST_LOG).unwrap_or_default()).map_err(|_| {
        "RUST_LOG must be a level such as info, or levels of single parts such as info,docket=debug"
            .to_owned()
    })
}
