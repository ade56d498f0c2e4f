//! The time zone of people who chose none.

use docket_domain::text::time_zone::{self, TimeZone};

use super::{Section, Setting, Values};

/// The section.
pub(super) const SECTION: Section = Section {
    heading: "Times",
    settings: &[TIME_ZONE],
};

const TIME_ZONE: Setting = Setting {
    name: "DOCKET_TIME_ZONE",
    flag: "time-zone",
    old_flag: None,
    value: "ZONE",
    default: None,
    is_secret: false,
    is_basic: false,
    about: "The IANA time zone of people who chose none under Account, such as Europe/Berlin. Pages show times in it.",
    without: "pages show times in UTC, and by the script in the browser's own zone",
};

/// The section's setting, checked.
pub(super) fn time_zone(values: &Values) -> Result<Option<TimeZone>, String> {
    match values.text(&TIME_ZONE) {
        None => Ok(None),
        Some(name) => time_zone::find(name).map(Some).ok_or_else(|| {
            format!(
                "{} must be the name of an IANA time zone, such as Europe/Berlin",
                TIME_ZONE.name
            )
        }),
    }
}
