//! How messages are delivered.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{Section, Setting, Values};
use crate::delivery::DeliveryOptions;

/// The section.
pub const SECTION: Section = Section {
    heading: "Delivery",
    settings: &[RATE, LEASE],
};

const RATE: Setting = Setting {
    name: "DOCKET_VONAGE_RATE",
    flag: "vonage-rate",
    old_flag: Some("docket-vonage-rate"),
    value: "NUMBER",
    default: Some("25"),
    is_secret: false,
    is_basic: false,
    about: "Calls to Vonage a second on one line.",
    without: "",
};

const LEASE: Setting = Setting {
    name: "DOCKET_SENDING_LEASE",
    flag: "sending-lease",
    old_flag: Some("docket-sending-lease"),
    value: "SECONDS",
    default: Some("60"),
    is_secret: false,
    is_basic: false,
    about: "Seconds for which a message belongs to the worker that took it. If the worker is gone by then, one that waits is taken by another, and one whose call had begun becomes uncertain. Keep it above 20, the longest that a call takes.",
    without: "",
};

/// The section's settings, checked.
pub(super) fn options(values: &Values) -> Result<DeliveryOptions, String> {
    let number = |setting: &Setting, what: &str| {
        let text = values.text(setting).unwrap_or_default();
        text.parse::<NonZeroU32>()
            .map_err(|_| format!("{} must be a whole number{what} from 1", setting.name))
    };
    let rate = number(&RATE, "")?;
    let lease = number(&LEASE, " of seconds")?;
    Ok(DeliveryOptions {
        per_line_rate: rate,
        lease: Duration::from_secs(lease.get().into()),
        ..DeliveryOptions::default()
    })
}
