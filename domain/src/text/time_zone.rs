//! Time zones by their IANA names, as people choose them.

use chrono_tz::{TZ_VARIANTS, Tz};

/// A time zone of the IANA database.
pub type TimeZone = Tz;

/// The zone of that name, in any case; `None` where there is none.
pub fn find(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    name.parse().ok().or_else(|| {
        let mut zones = TZ_VARIANTS.iter().copied();
        zones.find(|zone| zone.name().eq_ignore_ascii_case(name))
    })
}

/// The names of every zone, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    TZ_VARIANTS.iter().map(|zone| zone.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_found_by_their_names_alone() {
        for (typed, name) in [
            ("Europe/Berlin", "Europe/Berlin"),
            (" europe/berlin", "Europe/Berlin"),
            ("UTC", "UTC"),
            ("America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        ] {
            assert_eq!(find(typed).map(TimeZone::name), Some(name));
        }
        for wrong in ["", "Berlin", "+01:00", "Europe", "Mars/Olympus"] {
            assert_eq!(find(wrong), None, "{wrong}");
        }
        assert!(names().all(|name| find(name).is_some()));
    }
}
