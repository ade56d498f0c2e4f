//! Labels and snoozes of cases: the marks in lists and over a thread, the forms beside it, and where these lead.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, Datelike as _, Days, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use docket_domain::label::Label;
use docket_projections::read::cases::CaseRow;
use docket_projections::settings::Settings;

use super::act::submit;
use super::case::{self, Refused, no_such_case, reference_of};
use super::pages::{Choice, When};
use super::place::Place;
use super::session::{Posted, Session};
use super::{Console, Failed, go, words};
use crate::app::App;
use crate::http::problem::Problem;
use crate::operations::case::{Change, ChangeCase, LabelChange};

/// When a working day begins.
const MORNING: NaiveTime = NaiveTime::from_hms_opt(9, 0, 0).expect("a time of day");

/// A label as it is shown on a case.
pub(super) struct Chip {
    pub(super) name: String,
    /// The colour, which is a class of the style sheet.
    pub(super) colour: &'static str,
    /// Whether the case has it.
    pub(super) is_current: bool,
}

/// What marks a case in a list and over its thread.
pub(super) struct Marks {
    pub(super) labels: Vec<Chip>,
    /// Until when it is snoozed.
    pub(super) snoozed: Option<When>,
}

impl Marks {
    pub(super) fn of(row: &CaseRow, settings: &Settings, now: DateTime<Utc>) -> Self {
        let labels = row.labels.iter().map(|label| Chip {
            name: label.name.clone(),
            colour: settings
                .label(label.label_id)
                .map_or_else(Default::default, |label| label.colour)
                .as_str(),
            is_current: true,
        });
        Self {
            labels: labels.collect(),
            snoozed: row.snoozed_until.map(|until| When::of(until, now)),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.snoozed.is_none()
    }
}

/// The form with the labels of a case.
pub(super) struct LabelsForm {
    pub(super) action: String,
    pub(super) choices: Vec<Chip>,
    pub(super) is_open: bool,
}

impl LabelsForm {
    pub(super) fn of(row: &CaseRow, settings: &Settings, place: &Place) -> Self {
        let choices = settings.labels().map(|label| Chip {
            name: label.name.clone(),
            colour: label.colour.as_str(),
            is_current: row
                .labels
                .iter()
                .any(|known| known.label_id == label.label_id),
        });
        Self {
            action: place.link(&format!("/cases/{}/labels", row.reference)),
            choices: choices.collect(),
            is_open: false,
        }
    }
}

/// The form that snoozes a case.
pub(super) struct SnoozeForm {
    pub(super) action: String,
    pub(super) wake_action: String,
    pub(super) choices: Vec<Choice>,
    /// A date and time that was entered.
    pub(super) at: String,
    pub(super) is_open: bool,
}

/// What was entered to snooze a case, and refused.
#[derive(Clone, Debug, Default)]
pub(super) struct TypedSnooze {
    until: String,
    at: String,
}

const HOUR: &str = "hour";
const TOMORROW: &str = "tomorrow";
const NEXT_WEEK: &str = "week";

impl SnoozeForm {
    pub(super) fn of(row: &CaseRow, place: &Place, typed: Option<&TypedSnooze>) -> Self {
        let choice = |value: &str, name: &str| Choice {
            name: name.to_owned(),
            value: value.to_owned(),
            is_current: typed.is_some_and(|typed| typed.until == value),
        };
        let base = format!("/cases/{}", row.reference);
        Self {
            action: place.link(&format!("{base}/snooze")),
            wake_action: place.link(&format!("{base}/wake")),
            choices: vec![
                choice(HOUR, words::labels::HOUR),
                choice(TOMORROW, words::labels::TOMORROW),
                choice(NEXT_WEEK, words::labels::NEXT_WEEK),
            ],
            at: typed.map(|typed| typed.at.clone()).unwrap_or_default(),
            is_open: typed.is_some(),
        }
    }
}

/// Until when the form snoozes a case; `None` where it does not say. The script says the exact time, by the browser's time zone.
/// Without it, times are in UTC.
fn until(posted: &Posted, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if let Ok(exact) = posted.field("exact").parse() {
        return Some(exact);
    }
    let at = posted.field("at");
    if !at.is_empty() {
        let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
        let mut read = formats
            .iter()
            .filter_map(|format| NaiveDateTime::parse_from_str(at, format).ok());
        return read.next().map(|at| at.and_utc());
    }
    chosen(posted.field("until"), now)
}

fn chosen(choice: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let today = now.date_naive();
    let day = match choice {
        HOUR => return Some(now + TimeDelta::hours(1)),
        TOMORROW => today.checked_add_days(Days::new(1))?,
        NEXT_WEEK => {
            let to_monday = 7 - u64::from(today.weekday().num_days_from_monday());
            today.checked_add_days(Days::new(to_monday))?
        }
        _ => return None,
    };
    Some(day.and_time(MORNING).and_utc())
}

/// The labels of the installation, as a list can be filtered by them.
pub(super) fn choices<'a>(labels: impl Iterator<Item = &'a Label>, place: &Place) -> Vec<Choice> {
    labels
        .map(|label| Choice {
            name: label.name.clone(),
            value: label.label_id.to_string(),
            is_current: place.label() == Some(label.label_id),
        })
        .collect()
}

/// A form of a case that somebody sent, and what is done with the case.
struct Asked<'a> {
    app: &'a App,
    place: &'a Place,
    session: &'a Session,
    posted: &'a Posted,
    reference: &'a str,
    done: &'static str,
}

impl Asked<'_> {
    async fn change(
        self,
        change: Result<Change, Problem>,
        refused: Refused,
    ) -> Result<Response, Failed> {
        let Some(reference) = reference_of(self.reference) else {
            return Ok(no_such_case());
        };
        let changed = match change {
            Ok(change) => {
                let operation = ChangeCase {
                    reference,
                    change,
                    asked: self.posted.asked(self.session),
                };
                submit(self.app, operation).await.map(drop)
            }
            Err(problem) => Err(problem),
        };
        match changed {
            Ok(()) => {
                let path = format!("/cases/{reference}");
                Ok(go(&self.place.link_with(&path, &[("done", self.done)])))
            }
            Err(problem) => {
                case::refused(
                    self.app,
                    self.session,
                    self.place,
                    reference,
                    problem,
                    refused,
                )
                .await
            }
        }
    }
}

/// Gives a case the chosen labels.
pub(super) async fn set(
    State(Console { app, .. }): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let names = posted.all("label").map(str::to_owned).collect();
    let asked = Asked {
        app: &app,
        place: &place,
        session: &session,
        posted: &posted,
        reference: &reference,
        done: "labelled",
    };
    let change = Change::Labels(LabelChange::All(names));
    asked.change(Ok(change), Refused::default()).await
}

/// Snoozes a case.
pub(super) async fn snooze(
    State(Console { app, .. }): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let asked = Asked {
        app: &app,
        place: &place,
        session: &session,
        posted: &posted,
        reference: &reference,
        done: "snoozed",
    };
    let change = until(&posted, (app.clock)())
        .map(Change::Snooze)
        .ok_or_else(|| Problem::invalid(words::labels::SNOOZE_NO_TIME));
    let typed = TypedSnooze {
        until: posted.field("until").to_owned(),
        at: posted.field("at").to_owned(),
    };
    let refused = Refused {
        snooze: Some(typed),
        ..Refused::default()
    };
    asked.change(change, refused).await
}

/// Ends the snooze of a case.
pub(super) async fn wake(
    State(Console { app, .. }): State<Console>,
    Path(reference): Path<String>,
    Query(place): Query<Place>,
    session: Session,
    posted: Posted,
) -> Result<Response, Failed> {
    let asked = Asked {
        app: &app,
        place: &place,
        session: &session,
        posted: &posted,
        reference: &reference,
        done: "woken",
    };
    asked.change(Ok(Change::Wake), Refused::default()).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_choice_is_a_time_in_the_future() {
        for (now, choice, then) in [
            ("2026-03-01T12:00:00Z", HOUR, "2026-03-01T13:00:00Z"),
            ("2026-03-01T12:00:00Z", TOMORROW, "2026-03-02T09:00:00Z"),
            ("2026-12-31T23:59:59Z", TOMORROW, "2027-01-01T09:00:00Z"),
            // A Sunday, a Monday and a Tuesday.
            ("2026-03-01T12:00:00Z", NEXT_WEEK, "2026-03-02T09:00:00Z"),
            ("2026-03-02T07:00:00Z", NEXT_WEEK, "2026-03-09T09:00:00Z"),
            ("2026-03-03T12:00:00Z", NEXT_WEEK, "2026-03-09T09:00:00Z"),
        ] {
            let now = now.parse().expect("a time");
            let expected: DateTime<Utc> = then.parse().expect("a time");
            assert_eq!(chosen(choice, now), Some(expected), "{choice}");
        }
        assert_eq!(chosen("never", DateTime::UNIX_EPOCH), None);
    }

    /// The relative luminance of a colour, as WCAG defines it.
    fn luminance(hex: &str) -> f64 {
        let channel = |at: usize| {
            let value = u8::from_str_radix(&hex[at..at + 2], 16).expect("a colour");
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    #[test]
    fn every_colour_can_be_read_in_both_schemes() {
        let styles = include_str!("../../assets/labels.css");
        let (light, dark) = styles.split_once("@media").expect("two schemes");
        for scheme in [light, dark] {
            let colours: BTreeMap<&str, &str> = scheme
                .split(['{', '}', ';'])
                .filter_map(|part| part.trim().strip_prefix("--label-")?.split_once(": "))
                .collect();
            for colour in docket_domain::label::LabelColour::ALL {
                let name = colour.as_str();
                let ground = luminance(colours[name]);
                let ink = luminance(colours[format!("{name}-ink").as_str()]);
                let contrast = (ground.max(ink) + 0.05) / (ground.min(ink) + 0.05);
                assert!(contrast >= 4.5, "{name}: {contrast}");
                let class = format!(".label.{name} {{");
                assert!(styles.contains(&class), "{class}");
            }
        }
    }
}
