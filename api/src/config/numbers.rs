//! Telephone numbers that people type.

use docket_domain::text::phone::Country;

use super::{Section, Setting, Values};

/// The section.
pub const SECTION: Section = Section {
    heading: "Numbers",
    settings: &[DEFAULT_COUNTRY],
};

const DEFAULT_COUNTRY: Setting = Setting {
    name: "DOCKET_DEFAULT_COUNTRY",
    flag: "default-country",
    old_flag: None,
    value: "COUNTRY",
    default: None,
    is_secret: false,
    is_basic: false,
    about: "The country whose national numbers people may type, in two letters such as GB: 07700 900123 is then taken for +44 7700 900123. Numbers that Vonage names are taken as they are.",
    without: "every typed number needs its country code",
};

/// The section's setting, checked.
pub(super) fn default_country(values: &Values) -> Result<Option<Country>, String> {
    match values.text(&DEFAULT_COUNTRY) {
        None => Ok(None),
        Some(name) => name.parse().map(Some).map_err(|_| {
            format!(
                "{} must be the two letters of a country, such as GB or DE",
                DEFAULT_COUNTRY.name
            )
        }),
    }
}
