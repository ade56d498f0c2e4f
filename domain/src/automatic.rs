//! Automatic texts: which one a message gets, if any, and what it says.
//!
//! A message gets one at most: the reply for several open cases, else the answer to `#0`, else the greeting of a new case, else the
//! text outside of office hours. ADR 0024 gives the reasons. Like all of them, an automatic text says nothing for an agent: a case
//! that has one is as unread and as unanswered as before.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::Reference;
use crate::line::AutomaticTexts;
use crate::office_hours::TimeZone;
use crate::routing::Rule;
use crate::text::auto_reply;

/// Why an automatic text was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The message went to several open cases.
    #[default]
    SeveralCases,
    /// The message asked for a new case with `#0`.
    NewRequested,
    /// The message made a case.
    Greeting,
    /// The message came outside of office hours.
    OutOfHours {
        /// The local date for which it was written: a case gets one a day.
        on: NaiveDate,
    },
}

impl Occasion {
    /// Whether it is the reply for several open cases, the only one that there was at first.
    pub const fn is_several_cases(&self) -> bool {
        matches!(self, Self::SeveralCases)
    }

    /// `several_cases`, `new_requested`, `greeting` or `out_of_hours`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SeveralCases => "several_cases",
            Self::NewRequested => "new_requested",
            Self::Greeting => "greeting",
            Self::OutOfHours { .. } => "out_of_hours",
        }
    }

    /// The date of an [`Occasion::OutOfHours`].
    pub const fn date(self) -> Option<NaiveDate> {
        match self {
            Self::OutOfHours { on } => Some(on),
            _ => None,
        }
    }

    /// Reads back what [`Occasion::as_str`] and [`Occasion::date`] say.
    pub fn from_parts(name: &str, date: Option<NaiveDate>) -> Option<Self> {
        match (name, date) {
            ("several_cases", _) => Some(Self::SeveralCases),
            ("new_requested", _) => Some(Self::NewRequested),
            ("greeting", _) => Some(Self::Greeting),
            ("out_of_hours", Some(on)) => Some(Self::OutOfHours { on }),
            _ => None,
        }
    }
}

/// A case in which a message came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The case.
    pub reference: Reference,
    /// The last local date on which the case got the text outside of office hours.
    pub told_closed_on: Option<NaiveDate>,
}

/// An automatic text that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due<'a> {
    /// Why.
    pub occasion: Occasion,
    /// The line's text.
    pub template: &'a str,
    /// The cases that it stands in, ordered.
    pub references: Vec<Reference>,
}

/// Which of a line's texts a message gets that came to these cases at `now`; the reply for several open cases is not among them.
pub fn due<'a>(
    texts: &'a AutomaticTexts,
    rule: Rule,
    makes_case: bool,
    places: &[Place],
    zone: &TimeZone,
    now: DateTime<Utc>,
) -> Option<Due<'a>> {
    if rule == Rule::CasesDisabled {
        return None;
    }
    let all = || places.iter().map(|place| place.reference).collect();
    if rule == Rule::NewRequested
        && let Some(template) = texts.new_requested.as_deref()
    {
        return Some(Due {
            occasion: Occasion::NewRequested,
            template,
            references: all(),
        });
    }
    if makes_case && let Some(template) = texts.greeting.as_deref() {
        return Some(Due {
            occasion: Occasion::Greeting,
            template,
            references: all(),
        });
    }
    let office = texts.office_hours.as_ref()?;
    if office.is_open(now, zone) {
        return None;
    }
    let on = zone.local(now).date();
    let untold: Vec<Reference> = places
        .iter()
        .filter(|place| place.told_closed_on != Some(on))
        .map(|place| place.reference)
        .collect();
    (!untold.is_empty()).then_some(Due {
        occasion: Occasion::OutOfHours { on },
        template: &office.text,
        references: untold,
    })
}

impl Due<'_> {
    /// What is sent: `%ref` becomes the references, in one pass, and the whole has at most `max_chars` characters.
    pub fn text(&self, max_chars: usize) -> String {
        let references: Vec<String> = self
            .references
            .iter()
            .map(|reference| format!("#{reference}"))
            .collect();
        auto_reply::fit(
            self.template.replace("%ref", &references.join(", ")),
            max_chars,
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::office_hours::{OfficeHours, OpenSpan, Weekday};

    fn texts() -> AutomaticTexts {
        AutomaticTexts {
            greeting: Some("Your case is %ref.".into()),
            new_requested: Some("New: %ref".into()),
            office_hours: Some(OfficeHours {
                hours: vec![OpenSpan {
                    day: Weekday::Monday,
                    opens: "09:00".parse().expect("a time"),
                    closes: "17:00".parse().expect("a time"),
                }],
                holidays: vec![],
                text: "Closed (%ref).".into(),
            }),
            opt_out_confirmation: None,
        }
    }

    fn place(reference: u32, told: Option<&str>) -> Place {
        Place {
            reference: Reference::new(reference).expect("a reference"),
            told_closed_on: told.map(|date| date.parse().expect("a date")),
        }
    }

    /// Monday, 2 March 2026.
    const OPEN: &str = "2026-03-02T10:00:00Z";
    const CLOSED: &str = "2026-03-02T20:00:00Z";

    fn said(
        texts: &AutomaticTexts,
        (rule, makes_case): (Rule, bool),
        places: &[Place],
        now: &str,
    ) -> Option<(&'static str, String)> {
        let now = now.parse().expect("a time");
        due(texts, rule, makes_case, places, &TimeZone::default(), now)
            .map(|due| (due.occasion.as_str(), due.text(100)))
    }

    #[test]
    fn a_message_gets_one_text_at_most_and_the_most_telling_one() {
        let new = [place(101, None)];
        let texts = texts();
        let due = |way, now| said(&texts, way, &new, now);
        let text = |occasion, text: &str| Some((occasion, text.to_owned()));
        assert_eq!(
            due((Rule::NewRequested, true), CLOSED),
            text("new_requested", "New: #101")
        );
        assert_eq!(
            due((Rule::First, true), CLOSED),
            text("greeting", "Your case is #101.")
        );
        assert_eq!(
            due((Rule::Follows, true), OPEN),
            text("greeting", "Your case is #101.")
        );
        assert_eq!(
            due((Rule::OnlyOpen, false), CLOSED),
            text("out_of_hours", "Closed (#101).")
        );
        assert_eq!(due((Rule::OnlyOpen, false), OPEN), None);
        assert_eq!(due((Rule::CasesDisabled, true), CLOSED), None);
    }

    #[test]
    fn a_text_that_is_not_set_leaves_room_for_the_next() {
        let new = [place(101, None)];
        let mut texts = texts();
        texts.new_requested = None;
        let due = |texts: &AutomaticTexts, now| {
            said(texts, (Rule::NewRequested, true), &new, now).map(|(occasion, _)| occasion)
        };
        assert_eq!(due(&texts, OPEN), Some("greeting"));
        texts.greeting = None;
        assert_eq!(due(&texts, OPEN), None);
        assert_eq!(due(&texts, CLOSED), Some("out_of_hours"));
        assert_eq!(due(&AutomaticTexts::default(), CLOSED), None);
    }

    #[test]
    fn a_case_is_told_once_a_local_day_that_the_office_is_closed() {
        let texts = texts();
        let places = [
            place(101, Some("2026-03-02")),
            place(102, Some("2026-03-01")),
            place(103, None),
        ];
        let way = (Rule::Reference, false);
        assert_eq!(
            said(&texts, way, &places, CLOSED),
            Some(("out_of_hours", "Closed (#102, #103).".to_owned()))
        );
        assert_eq!(said(&texts, way, &places[..1], CLOSED), None);
    }

    #[test]
    fn the_day_is_that_of_the_zone() {
        let texts = texts();
        let now = "2026-03-02T23:30:00Z".parse().expect("a time");
        let zone = TimeZone::named("Pacific/Auckland").expect("a zone");
        let due = due(
            &texts,
            Rule::OnlyOpen,
            false,
            &[place(101, None)],
            &zone,
            now,
        );
        // Tuesday, 12:30 in Auckland.
        assert_eq!(
            due.map(|due| due.occasion.date()),
            Some("2026-03-03".parse().ok())
        );
    }

    #[test]
    fn an_occasion_reads_back() {
        let on = NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date");
        for occasion in [
            Occasion::SeveralCases,
            Occasion::NewRequested,
            Occasion::Greeting,
            Occasion::OutOfHours { on },
        ] {
            let read = Occasion::from_parts(occasion.as_str(), occasion.date());
            assert_eq!(read, Some(occasion));
        }
        assert_eq!(Occasion::from_parts("out_of_hours", None), None);
        assert_eq!(Occasion::from_parts("automatic", None), None);
    }

    proptest! {
        #[test]
        fn a_text_fits_whatever_the_template(template in "([a-z%é]|%ref){0,60}", max_chars in 0_usize..80) {
            let due = Due {
                occasion: Occasion::Greeting,
                template: &template,
                references: vec![place(101, None).reference],
            };
            prop_assert!(due.text(max_chars).chars().count() <= max_chars);
            prop_assert_eq!(due.text(usize::MAX), template.replace("%ref", "#101"));
        }

        #[test]
        fn at_most_one_text_a_case_and_day(
            seconds in proptest::collection::vec(0_i64..400_000, 1..20),
        ) {
            let texts = AutomaticTexts { greeting: None, new_requested: None, ..texts() };
            let zone = TimeZone::named("Europe/London").expect("a zone");
            let mut seconds = seconds;
            seconds.sort_unstable();
            let mut told = None;
            let mut days = std::collections::BTreeSet::new();
            for second in seconds {
                let now = DateTime::from_timestamp(1_772_000_000 + second, 0).expect("a time");
                let places = [Place { told_closed_on: told, ..place(101, None) }];
                if let Some(due) = due(&texts, Rule::OnlyOpen, false, &places, &zone, now) {
                    told = due.occasion.date();
                    prop_assert!(days.insert(told));
                }
            }
        }
    }
}
