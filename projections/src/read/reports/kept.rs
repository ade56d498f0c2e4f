//! What reports ask, kept in memory and brought up to date by what the log has grown by.
//!
//! A month can hold a million messages and a hundred thousand cases, which take the database most of a second to count and to order.
//! So what was read of a day once is kept, in some 40 bytes a case. What always holds:
//!
//! - Everything kept is as the read models were when the log ended at `position`, or as they were later; never as they were earlier. Before
//!   anything is told, the events since then say which cases changed and in which hours messages came, and these are read anew, all in
//!   one snapshot of the database. Whatever changes a past day, a case that is opened again or a move that is undone, is an event now.
//! - It is known by the tables that it was read from. A rebuild puts others in their place, and then nothing of it is used.
//! - To forget any of it is always safe, and so is to break off anywhere: the position moves on last.
//!
//! To keep more: read it in [`Kept::load`], and name the events that change it in [`CHANGE_CASES`] or [`BRING_MESSAGES`].

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use docket_domain::ids::{SurveyId, UserId};
use futures_util::FutureExt as _;
use sqlx::{Executor, PgConnection, PgPool};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{CaseOrigin, Day, Group, Report, Span, Times};

/// The events after which a row of `report_cases` may be another.
const CHANGE_CASES: [&str; 4] = ["CaseOpened", "MessageQueued", "StatusChanged", "MoveUndone"];
/// The events after which there may be another row of `messages`.
const BRING_MESSAGES: [&str; 2] = ["MessageReceived", "MessageQueued"];
/// After so many events it takes less to begin anew than to read them.
const MAX_BEHIND: i64 = 500_000;
/// So many cases are kept at most, some 40 MB of them; what is asked for at once is kept in any case.
const MAX_CASES: usize = 1_000_000;
/// After so long a time in which nobody asked, all is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

/// What reports ask, kept for one database.
#[derive(Debug, Default)]
pub struct KeptReports(Mutex<Kept>);

impl KeptReports {
    /// The report of a span. The first that asks for a day after a start, or after nobody has asked for an hour, waits until the
    /// database has read it.
    ///
    /// # Errors
    ///
    /// The database's error.
    pub async fn report(&self, pool: &PgPool, span: Span) -> Result<Report, sqlx::Error> {
        let mut kept = self.0.lock().await;
        let mut snapshot = pool.begin().await?;
        snapshot.execute(SNAPSHOT).await?;
        kept.catch_up(&mut snapshot).boxed().await?;
        kept.load(&mut snapshot, span).boxed().await?;
        snapshot.rollback().await?;
        kept.asked_at = Some(Instant::now());
        let report = kept.report(span);
        if kept.cases() > MAX_CASES {
            kept.forget_beside(span);
        }
        Ok(report)
    }

    /// Takes in what the log has grown by, so that who asks next need not wait for it; or forgets all if nobody asks.
    ///
    /// # Errors
    ///
    /// The database's error.
    pub async fn keep_up(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut kept = self.0.lock().await;
        match kept.asked_at {
            None => return Ok(()),
            Some(asked_at) if asked_at.elapsed() > FORGOTTEN_AFTER => {
                *kept = Kept::default();
                return Ok(());
            }
            Some(_) => {}
        }
        let mut snapshot = pool.begin().await?;
        snapshot.execute(SNAPSHOT).await?;
        kept.catch_up(&mut snapshot).boxed().await?;
        snapshot.rollback().await
    }
}

/// All that is read before the transaction's end is of one moment.
const SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

#[derive(Debug, Default)]
struct Kept {
    /// When somebody last asked.
    asked_at: Option<Instant>,
    /// How the database knows the tables that all this was read from.
    tables: Vec<i64>,
    /// All that happened up to there is in it.
    position: i64,
    cases: BTreeMap<NaiveDate, Cases>,
    /// Messages that came in and went out, by the survey that was asked for and by the hour in UTC in which they were recorded.
    messages: BTreeMap<Option<SurveyId>, BTreeMap<NaiveDateTime, [i64; 2]>>,
    surveys: Numbered,
    people: Numbered,
}

/// The cases that began on a day, and those that were closed on it; without those whose move was undone.
#[derive(Debug, Default)]
struct Cases {
    opened: Vec<OpenedCase>,
    closed: Vec<ClosedCase>,
}

#[derive(Clone, Copy, Debug)]
struct OpenedCase {
    reference: i32,
    survey: u32,
    /// Who answered first.
    responder: Option<u32>,
    /// After how many microseconds a person first answered.
    response: Option<i64>,
    /// Whether an agent began it.
    is_by_agent: bool,
    is_closed: bool,
}

#[derive(Clone, Copy, Debug)]
struct ClosedCase {
    reference: i32,
    survey: u32,
    /// Who closed it; nobody's where that was no person.
    closer: Option<u32>,
    /// After how many microseconds.
    took: i64,
}

/// Ids, each of which stands in many cases, and a small number for each.
#[derive(Debug, Default)]
struct Numbered(Vec<Uuid>);

impl Numbered {
    fn number(&mut self, id: Uuid) -> u32 {
        let place = self.find(id).unwrap_or_else(|| {
            self.0.push(id);
            self.0.len() - 1
        });
        u32::try_from(place).expect("there are not as many surveys or people")
    }

    fn find(&self, id: Uuid) -> Option<usize> {
        self.0.iter().position(|known| *known == id)
    }

    fn id(&self, number: u32) -> Uuid {
        self.0[number as usize]
    }
}

/// A row of `report_cases`.
struct RawCase {
    reference: i32,
    survey_id: Uuid,
    origin: String,
    opened_at: DateTime<Utc>,
    responded_at: Option<DateTime<Utc>>,
    responder_id: Option<Uuid>,
    closed_at: Option<DateTime<Utc>>,
    closer_id: Option<Uuid>,
}

/// Which part of a case is to be kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Opened,
    Closed,
}

impl Kept {
    fn cases(&self) -> usize {
        let cases = self.cases.values();
        cases
            .map(|cases| cases.opened.len() + cases.closed.len())
            .sum()
    }

    /// Reads anew what events since `position` have changed of what is kept.
    async fn catch_up(&mut self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let now = sqlx::query!(
            r#"SELECT position AS "position!", ARRAY[
                   'report_cases'::regclass::oid::bigint, 'messages'::regclass::oid::bigint, 'contacts'::regclass::oid::bigint
               ] AS "tables!"
               FROM log_head"#,
        )
        .fetch_one(&mut *conn)
        .await?;
        if self.tables != now.tables || now.position - self.position > MAX_BEHIND {
            *self = Self {
                asked_at: self.asked_at,
                tables: now.tables,
                ..Self::default()
            };
        } else if now.position > self.position {
            self.take_messages_in(conn, now.position).await?;
            self.take_cases_in(conn, now.position).await?;
        }
        self.position = now.position;
        Ok(())
    }

    async fn take_messages_in(
        &mut self,
        conn: &mut PgConnection,
        until: i64,
    ) -> Result<(), sqlx::Error> {
        let hours = sqlx::query_scalar!(
            r#"SELECT DISTINCT date_trunc('hour', recorded_at AT TIME ZONE 'UTC') AS "hour!"
               FROM events
               WHERE position > $1 AND position <= $2 AND aggregate_type = 'Case' AND event_type = ANY ($3::text[])"#,
            self.position,
            until,
            &BRING_MESSAGES as &[&str],
        )
        .fetch_all(conn)
        .await?;
        for counts in self.messages.values_mut() {
            for hour in &hours {
                counts.remove(hour);
            }
        }
        Ok(())
    }

    async fn take_cases_in(
        &mut self,
        conn: &mut PgConnection,
        until: i64,
    ) -> Result<(), sqlx::Error> {
        if self.cases.is_empty() {
            return Ok(());
        }
        let changed = sqlx::query_scalar!(
            r#"SELECT DISTINCT aggregate_id::integer AS "reference!"
               FROM events
               WHERE position > $1 AND position <= $2 AND aggregate_type = 'Case' AND event_type = ANY ($3::text[])"#,
            self.position,
            until,
            &CHANGE_CASES as &[&str],
        )
        .fetch_all(&mut *conn)
        .await?;
        if changed.is_empty() {
            return Ok(());
        }
        let today = sqlx::query_as!(
            RawCase,
            "SELECT reference, survey_id, origin, opened_at, responded_at, responder_id, closed_at, closer_id
             FROM report_cases
             WHERE reference = ANY ($1) AND NOT withdrawn",
            &changed,
        )
        .fetch_all(conn)
        .await?;
        let changed: HashSet<i32> = changed.into_iter().collect();
        for cases in self.cases.values_mut() {
            cases
                .opened
                .retain(|case| !changed.contains(&case.reference));
            cases
                .closed
                .retain(|case| !changed.contains(&case.reference));
        }
        for case in &today {
            self.keep(case, Part::Opened);
            self.keep(case, Part::Closed);
        }
        Ok(())
    }

    /// Keeps a part of a case if its day is kept.
    fn keep(&mut self, case: &RawCase, part: Part) {
        let survey = self.surveys.number(case.survey_id);
        let took = |until: DateTime<Utc>| {
            let took = until - case.opened_at;
            took.num_microseconds()
                .expect("the database knows no times that lie farther apart")
        };
        match (part, case.closed_at) {
            (Part::Opened, closed_at) => {
                let responder = case.responder_id.map(|person| self.people.number(person));
                if let Some(cases) = self.cases.get_mut(&case.opened_at.date_naive()) {
                    cases.opened.push(OpenedCase {
                        reference: case.reference,
                        survey,
                        responder,
                        response: case.responded_at.map(took),
                        is_by_agent: case.origin == CaseOrigin::Agent.as_str(),
                        is_closed: closed_at.is_some(),
                    });
                }
            }
            (Part::Closed, Some(closed_at)) => {
                let closer = case.closer_id.map(|person| self.people.number(person));
                if let Some(cases) = self.cases.get_mut(&closed_at.date_naive()) {
                    cases.closed.push(ClosedCase {
                        reference: case.reference,
                        survey,
                        closer,
                        took: took(closed_at),
                    });
                }
            }
            (Part::Closed, None) => {}
        }
    }

    /// Reads those days of the span that are not kept.
    async fn load(&mut self, conn: &mut PgConnection, span: Span) -> Result<(), sqlx::Error> {
        let missing: BTreeSet<NaiveDate> = span
            .all()
            .filter(|day| !self.cases.contains_key(day))
            .collect();
        for (from, to) in runs(&missing, |day| day.succ_opt()) {
            let days = Span {
                from,
                to,
                survey: None,
            };
            self.load_cases(&mut *conn, days).await?;
        }
        let known = self.messages.entry(span.survey).or_default();
        let missing: BTreeSet<NaiveDateTime> = span
            .all()
            .flat_map(|day| (0..24).filter_map(move |hour| day.and_hms_opt(hour, 0, 0)))
            .filter(|hour| !known.contains_key(hour))
            .collect();
        for (from, to) in runs(&missing, |hour| {
            hour.checked_add_signed(TimeDelta::hours(1))
        }) {
            self.load_messages(&mut *conn, from, to, span.survey)
                .await?;
        }
        Ok(())
    }

    async fn load_cases(&mut self, conn: &mut PgConnection, days: Span) -> Result<(), sqlx::Error> {
        let opened = sqlx::query_as!(
            RawCase,
            "SELECT reference, survey_id, origin, opened_at, responded_at, responder_id, closed_at, closer_id
             FROM report_cases
             WHERE opened_at >= $1 AND opened_at < $2 AND NOT withdrawn",
            days.begins(),
            days.ends(),
        )
        .fetch_all(&mut *conn)
        .await?;
        let closed = sqlx::query_as!(
            RawCase,
            "SELECT reference, survey_id, origin, opened_at, responded_at, responder_id, closed_at, closer_id
             FROM report_cases
             WHERE closed_at >= $1 AND closed_at < $2 AND NOT withdrawn",
            days.begins(),
            days.ends(),
        )
        .fetch_all(conn)
        .await?;
        // Nothing is waited for from here on: a day is kept whole or not at all.
        for day in days.all() {
            self.cases.insert(day, Cases::default());
        }
        for case in &opened {
            self.keep(case, Part::Opened);
        }
        for case in &closed {
            self.keep(case, Part::Closed);
        }
        Ok(())
    }

    /// Counts the messages from one hour up to another, including that.
    async fn load_messages(
        &mut self,
        conn: &mut PgConnection,
        from: NaiveDateTime,
        to: NaiveDateTime,
        survey: Option<SurveyId>,
    ) -> Result<(), sqlx::Error> {
        let begins = from.and_utc();
        let ends = to.and_utc() + TimeDelta::hours(1);
        // Without a survey nothing has to be known of contacts, and the index alone tells.
        let counted: Vec<(NaiveDateTime, [i64; 2])> = if let Some(survey) = survey {
            sqlx::query!(
                r#"SELECT date_trunc('hour', m.recorded_at AT TIME ZONE 'UTC') AS "hour!",
                          count(*) FILTER (WHERE m.direction = 'inbound') AS "inbound!",
                          count(*) FILTER (WHERE m.direction = 'outbound') AS "outbound!"
                   FROM messages m JOIN contacts k USING (contact_id)
                   WHERE m.recorded_at >= $1 AND m.recorded_at < $2 AND k.survey_id = $3
                   GROUP BY 1"#,
                begins,
                ends,
                survey.0,
            )
            .fetch_all(conn)
            .await?
            .into_iter()
            .map(|row| (row.hour, [row.inbound, row.outbound]))
            .collect()
        } else {
            sqlx::query!(
                r#"SELECT date_trunc('hour', recorded_at AT TIME ZONE 'UTC') AS "hour!",
                          count(*) FILTER (WHERE direction = 'inbound') AS "inbound!",
                          count(*) FILTER (WHERE direction = 'outbound') AS "outbound!"
                   FROM messages
                   WHERE recorded_at >= $1 AND recorded_at < $2
                   GROUP BY 1"#,
                begins,
                ends,
            )
            .fetch_all(conn)
            .await?
            .into_iter()
            .map(|row| (row.hour, [row.inbound, row.outbound]))
            .collect()
        };
        let counts = self.messages.entry(survey).or_default();
        let hours = std::iter::successors(Some(from), |hour| {
            hour.checked_add_signed(TimeDelta::hours(1))
        });
        counts.extend(
            hours
                .take_while(|hour| *hour <= to)
                .map(|hour| (hour, [0, 0])),
        );
        counts.extend(counted);
        Ok(())
    }

    /// Forgets all that the span does not ask for.
    fn forget_beside(&mut self, span: Span) {
        self.cases
            .retain(|day, _| (span.from..=span.to).contains(day));
        self.messages.retain(|survey, _| *survey == span.survey);
    }

    /// Reckons the report from what is kept, which is all of the span.
    fn report(&self, span: Span) -> Report {
        // A survey that no case is of has no number, and none of these is it.
        let survey = span.survey.map(|survey| self.surveys.find(survey.0));
        let is_asked = |number: u32| survey.is_none_or(|asked| asked == Some(number as usize));
        let mut report = Report::default();
        let mut responses = Waits::default();
        let mut closings = Waits::default();
        for day in span.all() {
            let [inbound, outbound] = self.messages_of(span.survey, day);
            let mut counted = Day {
                day,
                inbound,
                outbound,
                opened: 0,
                closed: 0,
            };
            if let Some(cases) = self.cases.get(&day) {
                for case in cases.opened.iter().filter(|case| is_asked(case.survey)) {
                    counted.opened += 1;
                    match case.response {
                        // Nobody waited.
                        _ if case.is_by_agent => {}
                        Some(response) => responses.add(case.survey, case.responder, response),
                        None if !case.is_closed => report.unanswered += 1,
                        None => {}
                    }
                }
                for case in cases.closed.iter().filter(|case| is_asked(case.survey)) {
                    counted.closed += 1;
                    closings.add(case.survey, case.closer, case.took);
                }
            }
            report.days.push(counted);
        }
        report.responses = responses.times(self);
        report.closings = closings.times(self);
        report
    }

    fn messages_of(&self, survey: Option<SurveyId>, day: NaiveDate) -> [u64; 2] {
        let begins = day.and_time(NaiveTime::MIN);
        let ends = begins + Days::new(1);
        let hours = self.messages.get(&survey).into_iter();
        hours.flat_map(|hours| hours.range(begins..ends)).fold(
            [0, 0],
            |[inbound, outbound], (_, [more, also])| {
                [
                    inbound + more.cast_unsigned(),
                    outbound + also.cast_unsigned(),
                ]
            },
        )
    }
}

/// Microseconds that people waited, each in all of its groups.
#[derive(Default)]
struct Waits {
    all: Vec<i64>,
    by_survey: BTreeMap<u32, Vec<i64>>,
    by_person: BTreeMap<Option<u32>, Vec<i64>>,
}

impl Waits {
    fn add(&mut self, survey: u32, person: Option<u32>, micros: i64) {
        self.all.push(micros);
        self.by_survey.entry(survey).or_default().push(micros);
        self.by_person.entry(person).or_default().push(micros);
    }

    fn times(self, kept: &Kept) -> Vec<Times> {
        let surveys = self.by_survey.into_iter().map(|(survey, waits)| {
            let survey = Group::Survey(SurveyId(kept.surveys.id(survey)));
            (survey, waits)
        });
        let people = self.by_person.into_iter().map(|(person, waits)| {
            let person = person.map(|person| UserId(kept.people.id(person)));
            (Group::Person(person), waits)
        });
        let mut times: Vec<Times> = std::iter::once((Group::All, self.all))
            .chain(surveys)
            .chain(people)
            .filter(|(_, waits)| !waits.is_empty())
            .map(|(group, mut waits)| Times {
                group,
                count: waits.len() as u64,
                median_seconds: percentile(&mut waits, 0.5),
                p90_seconds: percentile(&mut waits, 0.9),
            })
            .collect();
        times.sort_by_key(|times| times.group);
        times
    }
}

/// What the share `of` of the waits does not exceed, in seconds: between two of them in proportion, as Postgres's `percentile_cont`
/// reckons it. There is at least one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "there are fewer waits, and microseconds in each, than a double tells apart; a place is not negative"
)]
fn percentile(waits: &mut [i64], of: f64) -> f64 {
    let seconds = |micros: i64| micros as f64 / 1e6;
    let place = of * (waits.len() - 1) as f64;
    let (_, low, higher) = waits.select_nth_unstable(place.floor() as usize);
    let low = seconds(*low);
    let part = place - place.floor();
    if part == 0.0 {
        return low;
    }
    let high = higher.iter().min().copied().map_or(low, seconds);
    low + part * (high - low)
}

/// The runs without a gap in these: the first and the last of each.
fn runs<T: Copy + Ord>(of: &BTreeSet<T>, next: impl Fn(T) -> Option<T>) -> Vec<(T, T)> {
    let mut runs: Vec<(T, T)> = vec![];
    for one in of {
        match runs.last_mut() {
            Some((_, last)) if next(*last) == Some(*one) => *last = *one,
            _ => runs.push((*one, *one)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_at_gaps() {
        let runs = |of: &[i32]| runs(&of.iter().copied().collect(), |n| n.checked_add(1));
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[1, 2, 3, 5, 7, 8]), [(1, 3), (5, 5), (7, 8)]);
    }

    #[test]
    fn percentiles_lie_between_two_waits_in_proportion() {
        let percentile = |waits: &[i64], of| super::percentile(&mut waits.to_vec(), of);
        assert!((percentile(&[7_000_000], 0.9) - 7.0).abs() < f64::EPSILON);
        assert!((percentile(&[3_000_000, 1_000_000], 0.5) - 2.0).abs() < f64::EPSILON);
        let ten: Vec<i64> = (1..=10).rev().map(|n| n * 1_000_000).collect();
        assert!((percentile(&ten, 0.5) - 5.5).abs() < 1e-12);
        assert!((percentile(&ten, 0.9) - 9.1).abs() < 1e-12);
    }
}
