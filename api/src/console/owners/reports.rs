//! `/reports`: messages and cases a day, and how long people waited, as charts with their tables and as CSV.

mod chart;
mod csv;
mod labels;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Days as DaysBefore, NaiveDate};
use docket_domain::ids::{SurveyId, UserId};
use docket_projections::read::cases::{self, CaseFilter};
use docket_projections::read::reports::{Day, Group, Report, Span, Times};
use docket_projections::read::surveys::{self, SurveyRow};
use docket_projections::read::users;
use serde::Deserialize;

use self::chart::{Bars, Days};
use crate::app::App;
use crate::console::pages::{Choice, Frame};
use crate::console::place::with_query;
use crate::console::session::Session;
use crate::console::settings::Tab;
use crate::console::{Console, Failed, failure, page, words};

/// So many days are shown where nobody says how many.
const USUAL_DAYS: u64 = 30;
/// So many at most: a year, as long as it gets.
const MAX_DAYS: u64 = 366;
/// At most so many cases are counted whose last reply failed.
const MAX_FAILED: u32 = 100;

/// What the address says beside its path. Whatever cannot be read is as if it were not there.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct Asking {
    from: String,
    to: String,
    survey: String,
}

impl Asking {
    /// What is asked for: whole days that end no later than today, a year of them at most.
    fn span(&self, today: NaiveDate) -> Span {
        // Nothing was recorded before 1970, and the database knows no time before 4713 BC.
        let first = DateTime::UNIX_EPOCH.date_naive();
        let day = |text: &str| {
            let day = text.parse::<NaiveDate>().ok();
            day.filter(|day| *day <= today).map(|day| day.max(first))
        };
        let to = day(&self.to).unwrap_or(today);
        let before = |days: u64| to.checked_sub_days(DaysBefore::new(days - 1)).unwrap_or(to);
        let from = day(&self.from).unwrap_or_else(|| before(USUAL_DAYS));
        let (from, to) = if from <= to { (from, to) } else { (to, from) };
        let earliest = to
            .checked_sub_days(DaysBefore::new(MAX_DAYS - 1))
            .unwrap_or(to);
        Span {
            from: from.max(earliest),
            to,
            survey: self.survey.parse().ok(),
        }
    }
}

/// Whose times they are, as people know them.
struct Names {
    surveys: Vec<SurveyRow>,
    people: BTreeMap<UserId, String>,
}

impl Names {
    async fn of(app: &App, times: &[&[Times]]) -> Result<Self, Failed> {
        let people: Vec<UserId> = times
            .iter()
            .flat_map(|times| times.iter())
            .filter_map(|times| match times.group {
                Group::Person(person) => person,
                Group::All | Group::Survey(_) => None,
            })
            .collect();
        Ok(Self {
            surveys: surveys::all(&app.pool).await?,
            people: users::shown(&app.pool, &people).await?,
        })
    }

    fn survey(&self, survey_id: SurveyId) -> &str {
        self.surveys
            .iter()
            .find(|survey| survey.survey_id == survey_id)
            .map_or(words::REPORT_REMOVED, |survey| &survey.settings.name)
    }

    fn name(&self, group: Group) -> &str {
        match group {
            Group::All => words::REPORT_ALL,
            Group::Survey(survey_id) => self.survey(survey_id),
            Group::Person(None) => words::REPORT_NOBODY,
            Group::Person(Some(user_id)) => self
                .people
                .get(&user_id)
                .map_or(words::REPORT_REMOVED, String::as_str),
        }
    }
}

struct TimesRow {
    name: String,
    count: u64,
    median: String,
    p90: String,
}

/// Times as a chart and a table.
struct TimesShown {
    heading: &'static str,
    about: &'static str,
    chart: Bars,
    rows: Vec<TimesRow>,
    csv: String,
}

impl TimesShown {
    fn new(
        id: &'static str,
        heading: &'static str,
        about: &'static str,
        times: &[Times],
        names: &Names,
        csv: String,
    ) -> Self {
        let bars: Vec<_> = times
            .iter()
            .map(|times| {
                let name = names.name(times.group).to_owned();
                (name, times.median_seconds, times.p90_seconds)
            })
            .collect();
        let rows = times.iter().map(|times| TimesRow {
            name: names.name(times.group).to_owned(),
            count: times.count,
            median: words::duration(times.median_seconds),
            p90: words::duration(times.p90_seconds),
        });
        Self {
            heading,
            about,
            chart: Bars::new(id, heading, &bars),
            rows: rows.collect(),
            csv,
        }
    }
}

/// Two numbers a day as a chart.
struct DaysShown {
    heading: &'static str,
    chart: Days,
}

#[derive(Template)]
#[template(path = "console/owners/reports.html")]
struct Reports {
    frame: Frame,
    tab: Tab,
    from: String,
    to: String,
    today: String,
    surveys: Vec<Choice>,
    charts: [DaysShown; 2],
    days: Vec<Day>,
    total: Day,
    days_csv: String,
    unanswered: String,
    /// How many cases have a last reply that failed.
    failed: String,
    /// Where they are listed, where there are any.
    failed_href: Option<String>,
    times: [TimesShown; 2],
    labels: Vec<labels::Row>,
}

/// The page.
pub(super) async fn show(
    State(Console { app, .. }): State<Console>,
    Query(asking): Query<Asking>,
    session: Session,
) -> Result<Response, Failed> {
    let frame = Frame::of(&app, &session);
    let today = (app.clock)().date_naive();
    let span = asking.span(today);
    let Report {
        days,
        responses,
        closings,
        unanswered,
    } = app.reports.report(&app.pool, span).await?;
    let names = Names::of(&app, &[&responses, &closings]).await?;
    let csv = |table: Table| {
        let (from, to) = (span.from.to_string(), span.to.to_string());
        let survey = span.survey.map(|survey| survey.to_string());
        let mut pairs = vec![("from", from.as_str()), ("to", to.as_str())];
        pairs.extend(survey.as_deref().map(|survey| ("survey", survey)));
        with_query(&format!("/reports/{}.csv", table.name()), &pairs)
    };
    let series = |counts: fn(&Day) -> [u64; 2]| -> Vec<(String, [u64; 2])> {
        days.iter()
            .map(|day| (day.day.to_string(), counts(day)))
            .collect()
    };
    let charts = [
        DaysShown {
            heading: words::REPORT_MESSAGES,
            chart: Days::new(
                "messages",
                words::REPORT_MESSAGES,
                [words::REPORT_IN, words::REPORT_OUT],
                &series(|day| [day.inbound, day.outbound]),
            ),
        },
        DaysShown {
            heading: words::REPORT_CASES,
            chart: Days::new(
                "cases",
                words::REPORT_CASES,
                [words::REPORT_OPENED, words::REPORT_CLOSED],
                &series(|day| [day.opened, day.closed]),
            ),
        },
    ];
    let times = [
        TimesShown::new(
            "responses",
            words::REPORT_RESPONSES,
            words::REPORT_RESPONSES_ABOUT,
            &responses,
            &names,
            csv(Table::Responses),
        ),
        TimesShown::new(
            "closings",
            words::REPORT_CLOSINGS,
            words::REPORT_CLOSINGS_ABOUT,
            &closings,
            &names,
            csv(Table::Closings),
        ),
    ];
    let failed = failed(&app, span).await?;
    let template = Reports {
        frame,
        failed: words::reported_failures(failed),
        failed_href: (failed > 0).then(|| {
            let survey = span.survey.map(|survey| survey.to_string());
            let pairs = survey.as_deref().map(|survey| ("survey", survey));
            let pairs: Vec<_> = [("view", "failed")].into_iter().chain(pairs).collect();
            with_query("/", &pairs)
        }),
        tab: Tab::Reports,
        labels: labels::rows(&app, span.survey).await?,
        from: span.from.to_string(),
        to: span.to.to_string(),
        today: today.to_string(),
        surveys: names
            .surveys
            .iter()
            .map(|survey| Choice {
                name: survey.settings.name.clone(),
                value: survey.survey_id.to_string(),
                is_current: span.survey == Some(survey.survey_id),
            })
            .collect(),
        charts,
        total: total(&days, span),
        days,
        days_csv: csv(Table::Days),
        unanswered: words::unanswered(unanswered),
        times,
    };
    Ok(page(StatusCode::OK, &template))
}

/// How many cases have a last reply that failed now, counted to [`MAX_FAILED`].
async fn failed(app: &App, span: Span) -> Result<usize, Failed> {
    let filter = CaseFilter {
        failed: true,
        surveys: span.survey.map(|survey| vec![survey]),
        ..CaseFilter::default()
    };
    let found = cases::list(&app.pool, &filter, None, MAX_FAILED).await?;
    Ok(found.len())
}

fn total(days: &[Day], span: Span) -> Day {
    let sum = |count: fn(&Day) -> u64| days.iter().map(count).sum();
    Day {
        day: span.to,
        inbound: sum(|day| day.inbound),
        outbound: sum(|day| day.outbound),
        opened: sum(|day| day.opened),
        closed: sum(|day| day.closed),
    }
}

/// A table that can be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Days,
    Responses,
    Closings,
}

impl Table {
    const ALL: [Self; 3] = [Self::Days, Self::Responses, Self::Closings];

    const fn name(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Responses => "responses",
            Self::Closings => "closings",
        }
    }
}

/// A table as CSV.
pub(super) async fn download(
    State(Console { app, .. }): State<Console>,
    Path(table): Path<String>,
    Query(asking): Query<Asking>,
) -> Result<Response, Failed> {
    let named = |known: &Table| table.strip_suffix(".csv") == Some(known.name());
    let Some(table) = Table::ALL.into_iter().find(named) else {
        let sentence = words::NO_SUCH_TABLE.to_owned();
        return Ok(failure(StatusCode::NOT_FOUND, sentence));
    };
    let span = asking.span((app.clock)().date_naive());
    let report = app.reports.report(&app.pool, span).await?;
    let mut text = match table {
        Table::Days => csv_of_days(&report.days),
        Table::Responses => csv_of_times(&app, &report.responses).await?,
        Table::Closings => csv_of_times(&app, &report.closings).await?,
    };
    let file = format!(
        "attachment; filename=\"docket-{}-{}-{}.csv\"",
        table.name(),
        span.from,
        span.to
    );
    let file = HeaderValue::from_str(&file).expect("names and dates are plain ASCII");
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/csv; charset=utf-8"),
        ),
        (CONTENT_DISPOSITION, file),
    ];
    // Without the byte order mark spreadsheets take the text for one of another encoding.
    text.insert(0, '\u{feff}');
    Ok((headers, text).into_response())
}

fn csv_of_days(days: &[Day]) -> String {
    let mut text = String::new();
    csv::row(
        &mut text,
        &[
            words::CSV_DAY,
            words::REPORT_IN,
            words::REPORT_OUT,
            words::REPORT_OPENED,
            words::REPORT_CLOSED,
        ],
    );
    for day in days {
        let counts = [day.inbound, day.outbound, day.opened, day.closed];
        let [inbound, outbound, opened, closed] = counts.map(|count| count.to_string());
        csv::row(
            &mut text,
            &[&day.day.to_string(), &inbound, &outbound, &opened, &closed],
        );
    }
    text
}

async fn csv_of_times(app: &App, times: &[Times]) -> Result<String, Failed> {
    let names = Names::of(app, &[times]).await?;
    let mut text = String::new();
    csv::row(
        &mut text,
        &[
            words::CSV_KIND,
            words::CSV_NAME,
            words::REPORT_COUNT,
            words::CSV_MEDIAN,
            words::CSV_P90,
        ],
    );
    for times in times {
        let kind = match times.group {
            Group::All => words::CSV_ALL,
            Group::Survey(_) => words::CSV_SURVEY,
            Group::Person(_) => words::CSV_PERSON,
        };
        csv::row(
            &mut text,
            &[
                kind,
                names.name(times.group),
                &times.count.to_string(),
                &format!("{:.0}", times.median_seconds),
                &format!("{:.0}", times.p90_seconds),
            ],
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: &str, to: &str) -> (String, String) {
        let asking = Asking {
            from: from.to_owned(),
            to: to.to_owned(),
            survey: "none such".to_owned(),
        };
        let span = asking.span("2026-03-31".parse().unwrap());
        assert_eq!(span.survey, None);
        (span.from.to_string(), span.to.to_string())
    }

    #[test]
    fn a_report_is_of_whole_days_up_to_today_and_a_year_at_most() {
        let of = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(span("", ""), of("2026-03-02", "2026-03-31"));
        assert_eq!(span("", "2026-01-30"), of("2026-01-01", "2026-01-30"));
        assert_eq!(span("2026-03-31", ""), of("2026-03-31", "2026-03-31"));
        let turned = span("2026-02-02", "2026-02-01");
        assert_eq!(turned, of("2026-02-01", "2026-02-02"));
        assert_eq!(span("2026-04-01", "x"), of("2026-03-02", "2026-03-31"));
        let long = span("2000-01-01", "2026-03-31");
        assert_eq!(long, of("2025-03-31", "2026-03-31"));
    }
}
