//! Time zones by their IANA names, as people choose them.

use chrono::{
    DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Utc,
};
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

/// When clocks in a zone show that time. Of a time that they show twice the first is meant, and of one that they leave out, as when
/// summer time begins, what they show after it.
pub fn moment(zone: TimeZone, shown: NaiveDateTime) -> DateTime<Utc> {
    if !(1..=9998).contains(&shown.year()) {
        return shown.and_utc();
    }
    // Clocks leave out a day at most.
    let mut quarters = (0..=96).map(|n| shown + TimeDelta::minutes(15 * n));
    quarters
        .find_map(|shown| zone.from_local_datetime(&shown).earliest())
        .map_or_else(|| shown.and_utc(), |found| found.to_utc())
}

/// When that day begins in a zone.
pub fn midnight(zone: TimeZone, day: NaiveDate) -> DateTime<Utc> {
    moment(zone, day.and_time(NaiveTime::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_by_the_clocks_of_the_zone() {
        for (zone, day, begins) in [
            ("UTC", "2026-03-01", "2026-03-01T00:00:00Z"),
            ("Asia/Kolkata", "2026-03-01", "2026-02-28T18:30:00Z"),
            ("America/New_York", "2026-07-01", "2026-07-01T04:00:00Z"),
            // Clocks leave out the first hour of that day in Beirut, and show it twice in Havana.
            ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z"),
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"),
            // Samoa left out a day.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
        ] {
            let found = midnight(find(zone).unwrap(), day.parse().unwrap());
            assert_eq!(found, begins.parse::<DateTime<Utc>>().unwrap(), "{zone}");
        }
    }

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
