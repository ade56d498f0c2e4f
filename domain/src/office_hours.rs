//! Office hours of a line, and whether an office is open at a moment.
//!
//! Hours are wall-clock times of the survey's time zone, so daylight saving time moves them with the clocks. A span belongs to the
//! day on which it opens: one that closes at or before its opening time closes on the next day, and a holiday drops the spans that
//! open on it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use chrono::{
    DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _, Utc,
};
use jiff::Timestamp;
use jiff::tz::{self, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::auto_reply::MAX_REPLY_CHARS;
use crate::text::normalise;

/// The most spans of a week.
pub const MAX_SPANS: usize = 50;
/// The most holidays.
pub const MAX_HOLIDAYS: usize = 200;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// An IANA time zone, such as `Europe/London`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimeZone(String);

impl TimeZone {
    /// The zone of that name, in whatever case it is written.
    pub fn named(name: &str) -> Option<Self> {
        let zone = DATABASE.get(name.trim()).ok()?;
        Some(Self(zone.iana_name()?.to_owned()))
    }

    /// The zone of a name that somebody typed or that was kept; whether there is such a zone, [`TimeZone::named`] says.
    pub const fn stored(name: String) -> Self {
        Self(name)
    }

    /// Every zone's name, ordered.
    pub fn names() -> Vec<String> {
        let mut names: Vec<String> = DATABASE
            .available()
            .map(|name| name.as_str().to_owned())
            .collect();
        names.sort();
        names
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether it is UTC, the zone of a survey whose owner set none.
    pub fn is_utc(&self) -> bool {
        self.0 == "UTC"
    }

    /// The wall-clock time at a moment. A zone that the database has dropped since counts as UTC.
    pub fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let zone = DATABASE.get(&self.0).unwrap_or(tz::TimeZone::UTC);
        let offset = Timestamp::from_second(at.timestamp())
            .map_or(0, |timestamp| zone.to_offset(timestamp).seconds());
        at.naive_utc() + chrono::TimeDelta::seconds(i64::from(offset))
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self("UTC".to_owned())
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl Weekday {
    /// The days, from Monday.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// Its name in small letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }

    /// The day of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|day| day.as_str() == name)
    }

    fn of(date: NaiveDate) -> Self {
        Self::ALL[date.weekday().num_days_from_monday() as usize]
    }
}

/// A wall-clock time to the minute: `09:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(NaiveTime);

impl TimeOfDay {
    /// That hour and minute; `None` where a day has no such time.
    pub fn new(hour: u32, minute: u32) -> Option<Self> {
        NaiveTime::from_hms_opt(hour, minute, 0).map(Self)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

/// Not a time such as `09:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time must be written as 09:00, from 00:00 to 23:59")]
pub struct ParseTimeError;

impl FromStr for TimeOfDay {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        let (hour, minute) = text.split_once(':').ok_or(ParseTimeError)?;
        let number = |digits: &str| {
            let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().ok()).flatten()
        };
        number(hour)
            .zip(number(minute))
            .and_then(|(hour, minute)| Self::new(hour, minute))
            .ok_or(ParseTimeError)
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// A time of the week during which the office is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OpenSpan {
    /// The day on which it opens.
    pub day: Weekday,
    /// When it opens.
    pub opens: TimeOfDay,
    /// When it closes; on the next day where that is not after the opening time.
    pub closes: TimeOfDay,
}

impl OpenSpan {
    fn spans_midnight(self) -> bool {
        self.closes <= self.opens
    }

    fn from(self, date: NaiveDate) -> bool {
        self.day == Weekday::of(date)
    }
}

/// When the office of a line is open, and what it says to a person who writes while it is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfficeHours {
    /// The spans of a week, ordered.
    pub hours: Vec<OpenSpan>,
    /// Local dates on which the office does not open, ordered.
    pub holidays: Vec<NaiveDate>,
    /// The text for a message that comes outside of the hours, with `%ref` for the case's reference.
    pub text: String,
}

/// Why office hours cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfficeHoursError {
    /// Too few or too many spans.
    #[error("office_hours.hours must have 1 to {MAX_SPANS} entries")]
    Hours,
    /// Two spans of a day overlap.
    #[error("office_hours.hours must not repeat an entry")]
    Repeated,
    /// Too many holidays.
    #[error("office_hours.holidays must have at most {MAX_HOLIDAYS} dates")]
    Holidays,
    /// The text is empty or too long.
    #[error("office_hours.text must have 1 to {MAX_REPLY_CHARS} characters")]
    Text,
}

impl OfficeHours {
    /// The hours as they are kept: ordered, without repeated holidays, the text in the normal form of what people type.
    pub(crate) fn normalised(self) -> Self {
        let mut hours = self.hours;
        hours.sort_unstable();
        let holidays: BTreeSet<NaiveDate> = self.holidays.into_iter().collect();
        Self {
            hours,
            holidays: holidays.into_iter().collect(),
            text: normalise::typed(&self.text).into_owned(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), OfficeHoursError> {
        if self.hours.is_empty() || self.hours.len() > MAX_SPANS {
            return Err(OfficeHoursError::Hours);
        }
        if self.hours.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(OfficeHoursError::Repeated);
        }
        if self.holidays.len() > MAX_HOLIDAYS {
            return Err(OfficeHoursError::Holidays);
        }
        if normalise::is_empty(&self.text) || self.text.chars().count() > MAX_REPLY_CHARS {
            return Err(OfficeHoursError::Text);
        }
        Ok(())
    }

    /// Whether the office is open at that moment in that zone.
    pub fn is_open(&self, at: DateTime<Utc>, zone: &TimeZone) -> bool {
        let local = zone.local(at);
        let (today, time) = (local.date(), TimeOfDay(local.time()));
        let yesterday = today.checked_sub_days(Days::new(1));
        self.hours.iter().any(|span| {
            let opened_today = span.from(today) && self.opens_on(today) && span.opens <= time;
            let is_within_today = span.spans_midnight() || time < span.closes;
            let opened_yesterday = span.spans_midnight()
                && yesterday.is_some_and(|date| span.from(date) && self.opens_on(date));
            opened_today && is_within_today || opened_yesterday && time < span.closes
        })
    }

    fn opens_on(&self, date: NaiveDate) -> bool {
        !self.holidays.contains(&date)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> TimeOfDay {
        text.parse().expect("a time")
    }

    fn span(day: Weekday, opens: &str, closes: &str) -> OpenSpan {
        OpenSpan {
            day,
            opens: time(opens),
            closes: time(closes),
        }
    }

    fn hours(hours: Vec<OpenSpan>) -> OfficeHours {
        OfficeHours {
            hours,
            holidays: vec![],
            text: "We are closed.".into(),
        }
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::named(name).expect("a zone")
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn zones_are_known_by_name_in_any_case() {
        assert_eq!(zone("europe/london").name(), "Europe/London");
        assert_eq!(zone(" UTC ").name(), "UTC");
        assert!(zone("UTC").is_utc());
        for unknown in ["", "London", "Europe/Nowhere", "+01:00", "../etc/passwd"] {
            assert_eq!(TimeZone::named(unknown), None, "{unknown}");
        }
        assert!(
            TimeZone::names()
                .iter()
                .any(|name| name == "Asia/Kathmandu")
        );
    }

    #[test]
    fn times_are_written_with_two_digits_each() {
        assert_eq!(time("09:05").to_string(), "09:05");
        for wrong in [
            "",
            "9:00",
            "24:00",
            "12:60",
            "12",
            "12:0",
            "+1:00",
            "１２:00",
            "12:00:00",
        ] {
            assert_eq!(wrong.parse::<TimeOfDay>(), Err(ParseTimeError), "{wrong}");
        }
    }

    #[test]
    fn an_office_is_open_from_its_opening_until_before_its_closing() {
        let office = hours(vec![span(Weekday::Monday, "09:00", "17:30")]);
        // 2 March 2026 is a Monday.
        for (moment, open) in [
            ("2026-03-02T08:59:59.999Z", false),
            ("2026-03-02T09:00:00Z", true),
            ("2026-03-02T17:29:59.999Z", true),
            ("2026-03-02T17:30:00Z", false),
            ("2026-03-03T10:00:00Z", false),
            ("2026-03-01T10:00:00Z", false),
        ] {
            assert_eq!(office.is_open(at(moment), &zone("UTC")), open, "{moment}");
        }
    }

    #[test]
    fn a_span_over_midnight_belongs_to_the_day_on_which_it_opens() {
        let mut office = hours(vec![span(Weekday::Friday, "22:00", "06:00")]);
        let check = |office: &OfficeHours, moment, open| {
            assert_eq!(office.is_open(at(moment), &zone("UTC")), open, "{moment}");
        };
        // 6 March 2026 is a Friday.
        check(&office, "2026-03-06T05:00:00Z", false);
        check(&office, "2026-03-06T22:00:00Z", true);
        check(&office, "2026-03-07T05:59:00Z", true);
        check(&office, "2026-03-07T06:00:00Z", false);
        check(&office, "2026-03-07T22:30:00Z", false);
        office.holidays = vec![NaiveDate::from_ymd_opt(2026, 3, 7).expect("a date")];
        check(&office, "2026-03-07T05:59:00Z", true);
        office.holidays = vec![NaiveDate::from_ymd_opt(2026, 3, 6).expect("a date")];
        check(&office, "2026-03-06T22:00:00Z", false);
        check(&office, "2026-03-07T05:59:00Z", false);
    }

    #[test]
    fn a_span_that_closes_when_it_opens_takes_a_whole_day() {
        let office = hours(vec![span(Weekday::Monday, "00:00", "00:00")]);
        assert!(office.is_open(at("2026-03-02T00:00:00Z"), &zone("UTC")));
        assert!(office.is_open(at("2026-03-02T23:59:59Z"), &zone("UTC")));
        assert!(!office.is_open(at("2026-03-03T00:00:00Z"), &zone("UTC")));
        let late = hours(vec![span(Weekday::Monday, "12:00", "12:00")]);
        assert!(late.is_open(at("2026-03-03T11:59:00Z"), &zone("UTC")));
        assert!(!late.is_open(at("2026-03-03T12:00:00Z"), &zone("UTC")));
    }

    #[test]
    fn hours_move_with_daylight_saving_time() {
        let office = hours(vec![
            span(Weekday::Friday, "09:00", "17:00"),
            span(Weekday::Sunday, "00:30", "02:30"),
            span(Weekday::Monday, "09:00", "17:00"),
        ]);
        let london = zone("Europe/London");
        for (moment, open) in [
            // Winter time until 29 March 2026, 01:00 UTC; summer time after it.
            ("2026-03-27T08:30:00Z", false),
            ("2026-03-27T09:00:00Z", true),
            ("2026-03-30T07:59:00Z", false),
            ("2026-03-30T08:00:00Z", true),
            ("2026-03-30T16:00:00Z", false),
            // The clock goes from 01:00 to 02:00, and so the span is an hour shorter.
            ("2026-03-29T00:29:00Z", false),
            ("2026-03-29T00:30:00Z", true),
            ("2026-03-29T01:29:00Z", true),
            ("2026-03-29T01:30:00Z", false),
            // On 25 October 2026 the clock goes from 02:00 back to 01:00: the hour counts twice.
            ("2026-10-24T23:30:00Z", true),
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T01:30:00Z", true),
            ("2026-10-25T02:29:00Z", true),
            ("2026-10-25T02:30:00Z", false),
        ] {
            assert_eq!(office.is_open(at(moment), &london), open, "{moment}");
        }
        let kathmandu = zone("Asia/Kathmandu");
        assert!(office.is_open(at("2026-03-27T03:15:00Z"), &kathmandu));
        assert!(!office.is_open(at("2026-03-27T03:14:00Z"), &kathmandu));
    }

    #[test]
    fn hours_that_mean_nothing_are_refused() {
        type Spoil = fn(&mut OfficeHours, NaiveDate);
        let good = || hours(vec![span(Weekday::Monday, "09:00", "17:00")]);
        assert_eq!(good().check(), Ok(()));
        let day = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a date");
        let refused: [(Spoil, OfficeHoursError); 5] = [
            (|office, _| office.hours.clear(), OfficeHoursError::Hours),
            (
                |office, _| office.hours = vec![office.hours[0]; MAX_SPANS + 1],
                OfficeHoursError::Hours,
            ),
            (
                |office, _| office.hours.push(office.hours[0]),
                OfficeHoursError::Repeated,
            ),
            (
                |office, day| {
                    office.holidays = day.iter_days().take(MAX_HOLIDAYS + 1).collect();
                },
                OfficeHoursError::Holidays,
            ),
            (
                |office, _| office.text = " \u{200b}".into(),
                OfficeHoursError::Text,
            ),
        ];
        for (spoil, error) in refused {
            let mut office = good();
            spoil(&mut office, day);
            assert_eq!(office.check(), Err(error));
        }
    }

    fn any_span() -> impl Strategy<Value = OpenSpan> {
        (0_usize..7, 0_u32..1_440, 0_u32..1_440).prop_map(|(day, opens, closes)| {
            let time = |minutes| TimeOfDay::new(minutes / 60, minutes % 60).expect("a time");
            OpenSpan {
                day: Weekday::ALL[day],
                opens: time(opens),
                closes: time(closes),
            }
        })
    }

    /// The same asked in another way: the spans are laid out as local times of the days around the moment.
    fn is_open_by_intervals(office: &OfficeHours, local: NaiveDateTime) -> bool {
        let days =
            (-2..=1).filter_map(|days| local.date().checked_add_signed(TimeDelta::days(days)));
        days.filter(|date| !office.holidays.contains(date))
            .flat_map(|date| office.hours.iter().map(move |span| (date, *span)))
            .filter(|(date, span)| span.day == Weekday::of(*date))
            .any(|(date, span)| {
                let opens = date.and_time(span.opens.0);
                let mut closes = date.and_time(span.closes.0);
                if closes <= opens {
                    closes += TimeDelta::days(1);
                }
                (opens..closes).contains(&local)
            })
    }

    proptest! {
        #[test]
        fn a_moment_is_open_when_a_span_holds_it(
            spans in proptest::collection::vec(any_span(), 1..6),
            second in 1_700_000_000_i64..1_900_000_000,
            holidays in proptest::collection::vec(-2_i64..3, 0..3),
            place in 0_usize..4,
        ) {
            let zone = zone(["UTC", "Europe/London", "America/St_Johns", "Pacific/Apia"][place]);
            let at = DateTime::from_timestamp(second, 0).expect("a time");
            let local = zone.local(at);
            let office = OfficeHours {
                holidays: holidays.into_iter().map(|days| local.date() + TimeDelta::days(days)).collect(),
                ..hours(spans)
            };
            prop_assert_eq!(office.is_open(at, &zone), is_open_by_intervals(&office, local));
        }

        #[test]
        fn local_time_is_never_more_than_fifteen_hours_away(
            second in -2_000_000_000_i64..4_000_000_000,
            place in any::<prop::sample::Index>(),
        ) {
            let names = TimeZone::names();
            let zone = zone(place.get::<String>(&names));
            let at = DateTime::from_timestamp(second, 0).expect("a time");
            let away = zone.local(at) - at.naive_utc();
            prop_assert!(away.abs() <= TimeDelta::hours(16));
        }

        #[test]
        fn hours_read_back(spans in proptest::collection::vec(any_span(), 1..6)) {
            let office = hours(spans);
            let json = serde_json::to_string(&office).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<OfficeHours>(&json).expect("hours"), office);
        }
    }
}
