//! Times in every form that a webhook may tell them in.

use chrono::{
    DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound as _, TimeDelta,
    Utc,
};

/// Times before this year are no times of messages.
const FIRST_YEAR: i32 = 2000;
/// How far ahead of our clock a time may be; one beyond would stand last in every list for good.
const MAX_AHEAD: Days = Days::new(366);

/// With an offset, in order of how likely they are.
const WITH_OFFSET: [&str; 12] = [
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M%#z",
    "%Y%m%dT%H%M%S%.f%#z",
    "%Y%m%dT%H%M%#z",
    "%Y/%m/%dT%H:%M:%S%.f%#z",
    "%GW%V%uT%H%M%S%.f%#z",
    "%G-W%V-%uT%H:%M:%S%.f%#z",
    "%Y-%jT%H:%M:%S%.f%#z",
    "%d %b %Y %H:%M:%S%.f%#z",
    "%a, %d %b %Y %H:%M:%S%.f%#z",
    "%A, %d-%b-%y %H:%M:%S%.f%#z",
    "%a %b %d %Y %H:%M:%S%.f%#z",
];
/// The same and a few more without one; they are in UTC.
const WITHOUT_OFFSET: [&str; 14] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y%m%dT%H%M%S%.f",
    "%Y%m%dT%H%M",
    "%Y/%m/%dT%H:%M:%S%.f",
    "%GW%V%uT%H%M%S%.f",
    "%G-W%V-%uT%H:%M:%S%.f",
    "%Y-%jT%H:%M:%S%.f",
    "%d %b %Y %H:%M:%S%.f",
    "%a, %d %b %Y %H:%M:%S%.f",
    "%A, %d-%b-%y %H:%M:%S%.f",
    "%a %b %e %H:%M:%S %Y",
    "%Y%m%d%H%M%S",
    "%Y%m%d%H%M",
];
/// Days without a time of day; they begin at midnight in UTC.
const DAYS: [&str; 6] = [
    "%Y-%m-%d",
    "%Y%m%d",
    "%Y/%m/%d",
    "%G-W%V-%u",
    "%Y-%j",
    "%d %b %Y",
];

/// Reads a time, to the microsecond. None where it is none, or lies where no message can come from.
pub(super) fn read(text: &str, arrived: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let first = NaiveDate::from_ymd_opt(FIRST_YEAR, 1, 1)?
        .and_time(NaiveTime::MIN)
        .and_utc();
    let last = arrived.checked_add_days(MAX_AHEAD)?;
    let is_plausible = |time: &DateTime<Utc>| (first..=last).contains(time);
    let text = text.trim();
    epoch(text)
        .filter(is_plausible)
        .or_else(|| calendar(text).filter(is_plausible))
        .map(|time| time.trunc_subsecs(6))
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, as its size tells; with decimals or without.
fn epoch(text: &str) -> Option<DateTime<Utc>> {
    let (whole, decimals) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(decimals) {
        return exponential(text);
    }
    let number: i64 = whole.parse().ok()?;
    let unit: i64 = match number {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    let decimals: String = decimals
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let billionths: i64 = decimals.parse().ok()?;
    let nanos = number
        .checked_mul(unit)?
        .checked_add(billionths.checked_mul(unit)? / 1_000_000_000)?;
    Some(DateTime::from_timestamp_nanos(nanos))
}

/// `1.77e9`, as some serialisers write a whole number.
fn exponential(text: &str) -> Option<DateTime<Utc>> {
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+".contains(&byte));
    if !is_number || !text.starts_with(|c: char| c.is_ascii_digit()) || !text.contains(['e', 'E']) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && (0.0..1e18).contains(&number))
        .then(|| epoch(&format!("{number:.0}")))?
}

fn calendar(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) =
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text))
    {
        return Some(time.to_utc());
    }
    let spelled = spelling(text)?;
    let with_offset =
        |format: &&str| DateTime::<FixedOffset>::parse_from_str(&spelled, format).ok();
    if let Some(time) = WITH_OFFSET.iter().find_map(with_offset) {
        return Some(time.to_utc());
    }
    let (naive, more) = match spelled.strip_suffix("T24:00:00") {
        // The end of a day is the beginning of the next.
        Some(day) => (format!("{day}T00:00:00"), TimeDelta::days(1)),
        None => (spelled, TimeDelta::zero()),
    };
    let without_offset = |format: &&str| NaiveDateTime::parse_from_str(&naive, format).ok();
    let day = |format: &&str| NaiveDate::parse_from_str(&naive, format).ok();
    WITHOUT_OFFSET
        .iter()
        .find_map(without_offset)
        .or_else(|| {
            DAYS.iter()
                .find_map(day)
                .map(|day| day.and_time(NaiveTime::MIN))
        })?
        .and_utc()
        .checked_add_signed(more)
}

/// One spelling for what is told in several: `T` before the time of day, a point before decimals, an offset without a space before
/// it and without a name behind it.
fn spelling(text: &str) -> Option<String> {
    // Longer than any time, and what is not ASCII could not be cut where a character ends.
    if text.len() > 80 || !text.is_ascii() {
        return None;
    }
    let text = text.split_once('[').map_or(text, |(time, _)| time);
    let text = text
        .split_once(" (")
        .map_or(text, |(time, _)| time)
        .trim_end();
    let zone = ["UTC", "GMT", "utc", "gmt", "Z", "z"]
        .iter()
        .find(|zone| text.ends_with(**zone));
    let (time, zone) = match zone {
        Some(zone) => (text[..text.len() - zone.len()].trim_end(), "+0000"),
        None => (text, ""),
    };
    let mut spelled: String = time.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    if spelled.starts_with(|c: char| c.is_ascii_digit()) {
        if let Some(place) = spelled.find([' ', 't']).filter(|place| {
            let is_digit = |c: &u8| c.is_ascii_digit();
            let bytes = spelled.as_bytes();
            bytes.get(place + 1).is_some_and(is_digit) && bytes[place - 1].is_ascii_digit()
        }) {
            spelled.replace_range(place..=place, "T");
        }
        spelled = spelled.replace(',', ".");
    }
    for (spelling, sign) in [
        (" GMT+", "+"),
        (" GMT-", "-"),
        (" UTC+", "+"),
        (" UTC-", "-"),
        (" +", "+"),
        (" -", "-"),
    ] {
        spelled = spelled.replace(spelling, sign);
    }
    Some(spelled + zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived() -> DateTime<Utc> {
        "2026-11-30T09:00:00Z".parse().unwrap()
    }

    #[test]
    fn one_moment_in_every_form() {
        let expected: DateTime<Utc> = "2026-11-30T08:00:00Z".parse().unwrap();
        for spelling in [
            "2026-11-30T08:00:00Z",
            "2026-11-30T08:00:00.000Z",
            "2026-11-30T08:00:00,000Z",
            "2026-11-30T08:00:00+00:00",
            "2026-11-30T09:00:00+01:00",
            "2026-11-30T09:00:00+0100",
            "2026-11-30T09:00:00 +0100",
            "2026-11-30T09:00:00+01",
            "2026-11-30T03:00:00-05:00",
            "2026-11-30T08:00:00",
            "2026-11-30T08:00:00.000",
            "2026-11-30T08:00Z",
            "2026-11-30T08:00",
            "2026-11-30 08:00:00",
            "2026-11-30 08:00:00Z",
            "2026-11-30 08:00:00 UTC",
            "2026-11-30 08:00:00 GMT",
            "2026-11-30 09:00:00 +0100",
            "2026-11-30 09:00:00 +01:00",
            "2026-11-30 09:00:00.000+01:00",
            "2026-11-30 08:00",
            "2026/11/30 08:00:00",
            "2026-11-30t08:00:00z",
            "  2026-11-30T08:00:00Z\n",
            "2026-11-30T08:00:00Z[UTC]",
            "2026-11-30T09:00:00+01:00[Europe/Berlin]",
            "20261130T080000Z",
            "20261130T090000+0100",
            "20261130T080000",
            "20261130T0800Z",
            "20261130080000",
            "202611300800",
            "2026-W49-1T08:00:00Z",
            "2026W491T080000Z",
            "2026-334T08:00:00Z",
            "1796025600",
            "1796025600.0",
            "1796025600.000000",
            "1796025600000",
            "1796025600000000",
            "1796025600000000000",
            "1.7960256e9",
            "1.7960256E+12",
            "Mon, 30 Nov 2026 08:00:00 +0000",
            "Mon, 30 Nov 2026 08:00:00 GMT",
            "Mon, 30 Nov 2026 09:00:00 +0100",
            "30 Nov 2026 08:00:00 GMT",
            "30 Nov 2026 08:00:00",
            "Monday, 30-Nov-26 08:00:00 GMT",
            "Mon Nov 30 08:00:00 2026",
            "Mon Nov 30 2026 09:00:00 GMT+0100 (Central European Standard Time)",
        ] {
            assert_eq!(read(spelling, arrived()), Some(expected), "{spelling}");
        }
    }

    #[test]
    fn parts_of_a_second_and_whole_days() {
        let at = |text: &str| read(text, arrived()).unwrap();
        for (spelling, expected) in [
            (
                "2026-11-30T08:00:00.123456789Z",
                "2026-11-30T08:00:00.123456Z",
            ),
            ("2026-11-30 08:00:00,250", "2026-11-30T08:00:00.250Z"),
            ("1796025600.25", "2026-11-30T08:00:00.250Z"),
            ("1796025600250", "2026-11-30T08:00:00.250Z"),
            ("1796025600250.75", "2026-11-30T08:00:00.250750Z"),
            ("2026-11-30", "2026-11-30T00:00:00Z"),
            ("20261130", "2026-11-30T00:00:00Z"),
            ("2026-11-29T24:00:00", "2026-11-30T00:00:00Z"),
        ] {
            assert_eq!(
                at(spelling),
                expected.parse::<DateTime<Utc>>().unwrap(),
                "{spelling}"
            );
        }
    }

    #[test]
    fn what_is_no_time_of_a_message() {
        for text in [
            "",
            " ",
            "yesterday",
            "0",
            "-1796025600",
            "1",
            "NaN",
            "1e999",
            "99999999999999999999999",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1999-12-31T23:59:59Z",
            "9999-12-31T23:59:59Z",
            "2028-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-11-30T25:00:00Z",
            "04/03/2026",
            "2026-11-30T08:00:00+99:00",
            "٢٠٢٦-١١-٣٠",
            "é",
            "null",
        ] {
            assert_eq!(read(text, arrived()), None, "{text:?}");
        }
        assert_eq!(read(&"9".repeat(10_000), arrived()), None);
        assert_eq!(read("2026-11-30T08:00:00Z", DateTime::<Utc>::MAX_UTC), None);
    }
}
