//! Reports of histories whose numbers are known.

#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use docket_domain::case::{Author, CaseEvent, InboundMessage, Opened, Origin, OutboundMessage};
use docket_domain::channel::Channel;
use docket_domain::content::Content;
use docket_domain::event::StreamId;
use docket_domain::ids::{ContactId, LineId, MessageId, Reference, SurveyId, UserId};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use docket_projections::connect::connect_options;
use docket_projections::log::recorded::{Actor, Metadata, Recorded, Via};
use docket_projections::read::ReadModels;
use docket_projections::read::reports::{Group, KeptReports, Report, Span, Times};
use docket_projections::testing::{self, TestDatabase, database, write_models};
use docket_projections::{PgPool, rebuild};
use uuid::Uuid;

const SUPPORT: SurveyId = SurveyId(Uuid::from_u128(1));
const SALES: SurveyId = SurveyId(Uuid::from_u128(2));
const LINE: LineId = LineId(Uuid::from_u128(3));
const ANN: UserId = UserId(Uuid::from_u128(11));
const BEN: UserId = UserId(Uuid::from_u128(12));

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    format!("{text}Z").parse().unwrap()
}

fn march(survey: Option<SurveyId>) -> Span {
    Span {
        from: day("2026-03-01"),
        to: day("2026-03-03"),
        survey,
    }
}

/// A log that is being written.
#[derive(Default)]
struct Story {
    events: Vec<Recorded>,
    sequences: BTreeMap<u32, u64>,
    messages: u128,
}

impl Story {
    fn record(&mut self, case: u32, time: DateTime<Utc>, by: Option<UserId>, event: CaseEvent) {
        let sequence = self.sequences.entry(case).or_default();
        *sequence += 1;
        let actor = by.map_or(Actor::System, |user_id| Actor::User {
            user_id,
            email: "agent@example.com".into(),
        });
        self.events.push(Recorded {
            stream: StreamId::Case(Reference::new(case).unwrap()),
            sequence: *sequence,
            event: event.into(),
            metadata: Metadata::of(actor, Via::System),
            recorded_at: time,
        });
    }

    /// A contact of the survey; each case has its own.
    fn contact(case: u32) -> ContactId {
        ContactId(Uuid::from_u128(1_000 + u128::from(case)))
    }

    fn opens(&mut self, case: u32, survey_id: SurveyId, origin: Origin, time: &str) {
        let opened = Opened {
            reference: Reference::new(case).unwrap(),
            contact_id: Self::contact(case),
            number: "447700900123".into(),
            survey_id,
            line_id: LINE,
            channel: Channel::Sms,
            title: "An invented question".into(),
            status: Some("New".into()),
            origin,
            follows: None,
        };
        self.record(case, at(time), None, CaseEvent::CaseOpened(opened));
    }

    /// A contact writes, which makes a case.
    fn asks(&mut self, case: u32, survey_id: SurveyId, time: &str) {
        self.opens(case, survey_id, Origin::Message, time);
        self.hears(&[case], time);
    }

    /// A message comes in, into these cases.
    fn hears(&mut self, cases: &[u32], time: &str) {
        self.messages += 1;
        for case in cases {
            let message = InboundMessage {
                message_id: MessageId(Uuid::from_u128(10_000 + self.messages)),
                line_id: LINE,
                channel: Channel::Sms,
                from: "447700900123".into(),
                content: Personal(Content::text("Hello".to_owned())),
                provider_id: format!("provider-{}", self.messages),
                at: at(time),
                at_is_arrival: false,
                quotes: None,
                profile_name: None,
            };
            let routed = Routed::new(Rule::First, vec![]);
            let received = CaseEvent::MessageReceived { message, routed };
            self.record(*case, at(time), None, received);
        }
    }

    /// Somebody answers, or Docket does by itself.
    fn answers(&mut self, case: u32, by: Option<UserId>, time: &str) {
        self.messages += 1;
        let author = by.map_or(Author::SEVERAL_CASES, |user_id| Author::User {
            user_id,
            email: "agent@example.com".into(),
        });
        let message = OutboundMessage {
            message_id: MessageId(Uuid::from_u128(10_000 + self.messages)),
            contact_id: Self::contact(case),
            line_id: LINE,
            channel: Channel::Sms,
            to: "447700900123".into(),
            text: "Good morning".into(),
            sent_text: "Good morning".into(),
            author,
            references: vec![Reference::new(case).unwrap()],
            template: None,
            media: None,
        };
        self.record(case, at(time), by, CaseEvent::MessageQueued(message));
    }

    fn sets(&mut self, case: u32, by: Option<UserId>, closed: bool, time: &str) {
        let event = CaseEvent::StatusChanged {
            question: Some("How far is it?".into()),
            from: None,
            to: if closed { "Resolved" } else { "New" }.into(),
            closed,
        };
        self.record(case, at(time), by, event);
    }

    /// Builds the read models, flushing after so many events.
    async fn write(self, flush_every: usize) -> TestDatabase {
        let database = database().await;
        let mut conn = database.pool.acquire().await.unwrap();
        let mut models = ReadModels::default();
        for chunk in self.events.chunks(flush_every) {
            for recorded in chunk {
                models.apply(recorded);
            }
            write_models(&mut models, &mut conn).await;
        }
        drop(conn);
        database
    }
}

/// The report of a span, as the page shows it; the database by itself tells the same.
async fn report(pool: &PgPool, span: Span) -> Report {
    let told = KeptReports::default().report(pool, span).await.unwrap();
    assert_eq!(told, testing::reports::report(pool, span).await.unwrap());
    told
}

fn times(group: Group, count: u64, median_seconds: f64, p90_seconds: f64) -> Times {
    Times {
        group,
        count,
        median_seconds,
        p90_seconds,
    }
}

/// Five cases of Support answered after 1, 2, 3, 4 and 10 minutes, by Ann but for the last; two of Sales answered after 60 and 120.
fn waiting() -> Story {
    let mut story = Story::default();
    for (case, answered, by) in [
        (101, "09:01:00", ANN),
        (102, "09:02:00", ANN),
        (103, "09:03:00", ANN),
        (104, "09:04:00", ANN),
        (105, "09:10:00", BEN),
    ] {
        story.asks(case, SUPPORT, "2026-03-01T09:00:00");
        // What Docket says by itself is nobody's answer, and a second answer changes nothing.
        story.answers(case, None, "2026-03-01T09:00:01");
        story.answers(case, Some(by), &format!("2026-03-01T{answered}"));
        story.answers(case, Some(BEN), "2026-03-01T09:30:00");
    }
    for (case, answered) in [(106, "10:00:00"), (107, "11:00:00")] {
        story.asks(case, SALES, "2026-03-01T09:00:00");
        story.answers(case, Some(BEN), &format!("2026-03-01T{answered}"));
    }
    story
}

#[tokio::test]
async fn first_responses_have_their_exact_median_and_ninetieth_percentile() {
    let mut story = waiting();
    // Nobody waited for what an agent began, and what waits still has no time.
    story.opens(108, SUPPORT, Origin::Agent, "2026-03-02T09:00:00");
    story.answers(108, Some(ANN), "2026-03-02T09:00:00");
    story.asks(109, SUPPORT, "2026-03-02T09:00:00");
    // A record is no case; and a case that began elsewhere is not of these days.
    story.opens(110, SUPPORT, Origin::Record, "2026-03-02T09:00:00");
    story.hears(&[110], "2026-03-02T09:00:00");
    story.answers(110, Some(ANN), "2026-03-02T09:59:00");
    story.asks(111, SUPPORT, "2026-02-28T23:59:59");
    story.answers(111, Some(ANN), "2026-03-01T12:00:00");
    story.asks(112, SUPPORT, "2026-03-04T00:00:00");
    story.answers(112, Some(ANN), "2026-03-04T12:00:00");
    let expected = [
        // 1, 2, 3, 4, 10, 60 and 120 minutes: the fourth, and between the sixth and seventh.
        times(Group::All, 7, 240.0, 5_040.0),
        times(Group::Survey(SUPPORT), 5, 180.0, 456.0),
        times(Group::Survey(SALES), 2, 5_400.0, 6_840.0),
        times(Group::Person(Some(ANN)), 4, 150.0, 222.0),
        times(Group::Person(Some(BEN)), 3, 3_600.0, 6_480.0),
    ];
    for flush_every in [1, 2, 3, 7, 1_000] {
        let story = Story {
            events: story.events.clone(),
            ..Story::default()
        };
        let database = story.write(flush_every).await;
        let pool = &database.pool;
        let told = report(pool, march(None)).await.responses;
        assert_close(&told, &expected);
        let sales = report(pool, march(Some(SALES))).await.responses;
        let expected = [
            times(Group::All, 2, 5_400.0, 6_840.0),
            times(Group::Survey(SALES), 2, 5_400.0, 6_840.0),
            times(Group::Person(Some(BEN)), 2, 5_400.0, 6_840.0),
        ];
        assert_close(&sales, &expected);
        assert_eq!(report(pool, march(None)).await.unanswered, 1);
        let sales = march(Some(SALES));
        assert_eq!(report(pool, sales).await.unanswered, 0);
        database.close().await;
    }
}

/// Floats that were reckoned in another order differ in their last digits.
#[track_caller]
fn assert_close(told: &[Times], expected: &[Times]) {
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (told, expected) in told.iter().zip(expected) {
        assert_eq!((told.group, told.count), (expected.group, expected.count));
        let near = |a: f64, b: f64| (a - b).abs() < 0.001;
        assert!(
            near(told.median_seconds, expected.median_seconds)
                && near(told.p90_seconds, expected.p90_seconds),
            "{told:?} is not {expected:?}"
        );
    }
}

#[tokio::test]
async fn a_case_counts_as_closed_when_it_was_closed_last() {
    let mut story = Story::default();
    // Closed by Ann after an hour.
    story.asks(101, SUPPORT, "2026-03-01T09:00:00");
    story.sets(101, Some(ANN), true, "2026-03-01T10:00:00");
    // Closed by Ann, opened again, closed by Ben a day after it began.
    story.asks(102, SUPPORT, "2026-03-01T09:00:00");
    story.sets(102, Some(ANN), true, "2026-03-01T10:00:00");
    story.sets(102, Some(ANN), false, "2026-03-01T11:00:00");
    story.sets(102, Some(BEN), true, "2026-03-02T09:00:00");
    // Closed and opened again: it is open.
    story.asks(103, SUPPORT, "2026-03-01T09:00:00");
    story.sets(103, Some(ANN), true, "2026-03-01T10:00:00");
    story.sets(103, Some(ANN), false, "2026-03-01T11:00:00");
    // Another closing value while it is closed is not another closing.
    story.asks(104, SALES, "2026-03-01T09:00:00");
    story.sets(104, None, true, "2026-03-01T12:00:00");
    story.sets(104, Some(BEN), true, "2026-03-03T12:00:00");
    let expected = [
        // 1, 3 and 24 hours.
        times(Group::All, 3, 10_800.0, 71_280.0),
        times(Group::Survey(SUPPORT), 2, 45_000.0, 78_120.0),
        times(Group::Survey(SALES), 1, 10_800.0, 10_800.0),
        times(Group::Person(None), 1, 10_800.0, 10_800.0),
        times(Group::Person(Some(ANN)), 1, 3_600.0, 3_600.0),
        times(Group::Person(Some(BEN)), 1, 86_400.0, 86_400.0),
    ];
    for flush_every in [1, 2, 3, 5, 1_000] {
        let story = Story {
            events: story.events.clone(),
            ..Story::default()
        };
        let database = story.write(flush_every).await;
        let told = report(&database.pool, march(None)).await.closings;
        assert_close(&told, &expected);
        let days = report(&database.pool, march(None)).await.days;
        let closed: Vec<u64> = days.iter().map(|day| day.closed).collect();
        assert_eq!(closed, [2, 1, 0]);
        database.close().await;
    }
}

#[tokio::test]
async fn days_are_those_of_utc_and_count_each_message_once() {
    let mut story = Story::default();
    story.asks(101, SUPPORT, "2026-03-01T00:00:00");
    story.asks(102, SUPPORT, "2026-03-01T23:59:59.999");
    // One message in two cases is one message.
    story.hears(&[101, 102], "2026-03-02T00:00:00");
    story.answers(101, Some(ANN), "2026-03-03T23:59:59.999");
    story.asks(103, SALES, "2026-03-03T12:00:00");
    // Outside.
    story.asks(104, SALES, "2026-02-28T23:59:59.999");
    story.asks(105, SALES, "2026-03-04T00:00:00");
    let database = story.write(2).await;
    let told = async |survey| {
        let days = report(&database.pool, march(survey)).await.days;
        days.into_iter()
            .map(|day| (day.day.to_string(), day.inbound, day.outbound, day.opened))
            .collect::<Vec<_>>()
    };
    let day = |text: &str, inbound, outbound, opened| (text.to_owned(), inbound, outbound, opened);
    assert_eq!(
        told(None).await,
        [
            day("2026-03-01", 2, 0, 2),
            day("2026-03-02", 1, 0, 0),
            day("2026-03-03", 1, 1, 1),
        ]
    );
    assert_eq!(
        told(Some(SALES)).await,
        [
            day("2026-03-01", 0, 0, 0),
            day("2026-03-02", 0, 0, 0),
            day("2026-03-03", 1, 0, 1),
        ]
    );
    database.close().await;
}

#[tokio::test]
async fn a_move_that_was_undone_counts_nowhere() {
    let mut story = Story::default();
    story.asks(101, SUPPORT, "2026-03-01T09:00:00");
    let from = Reference::new(101).unwrap();
    story.opens(102, SUPPORT, Origin::Move { from }, "2026-03-01T09:30:00");
    story.answers(102, Some(ANN), "2026-03-01T09:31:00");
    story.sets(102, Some(ANN), true, "2026-03-01T09:32:00");
    let undone = CaseEvent::MoveUndone {
        message_id: MessageId(Uuid::from_u128(10_001)),
        to: from,
        status: None,
    };
    story.record(102, at("2026-03-01T10:00:00"), Some(ANN), undone);
    let database = story.write(3).await;
    let pool = &database.pool;
    assert_eq!(report(pool, march(None)).await.responses, []);
    assert_eq!(report(pool, march(None)).await.closings, []);
    let first = &report(pool, march(None)).await.days[0];
    assert_eq!((first.opened, first.closed), (1, 0));
    database.close().await;
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn chance(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

impl Story {
    /// One thing that can happen, at about that time.
    fn goes_on(&mut self, dice: &mut Dice, now: DateTime<Utc>) {
        let cases = u64::try_from(self.sequences.len()).unwrap();
        // Clocks are not set alike, and are set anew.
        let time = (now - TimeDelta::seconds(dice.below(3).cast_signed() * 40))
            .format("%Y-%m-%dT%H:%M:%S%.6f")
            .to_string();
        if cases < 3 || dice.chance(6) {
            let case = 101 + u32::try_from(cases).unwrap();
            let survey = if dice.chance(3) { SALES } else { SUPPORT };
            let from = Reference::new(101).unwrap();
            match dice.below(6) {
                0 => self.opens(case, survey, Origin::Agent, &time),
                1 => self.opens(case, survey, Origin::Move { from }, &time),
                2 => {
                    self.opens(case, survey, Origin::Record, &time);
                    self.hears(&[case], &time);
                }
                _ => self.asks(case, survey, &time),
            }
            return;
        }
        // Young cases get most of what happens, and old ones some of it.
        let case = |dice: &mut Dice| {
            let nth = if dice.chance(4) {
                dice.below(cases)
            } else {
                cases - 1 - dice.below(cases.min(5))
            };
            101 + u32::try_from(nth).unwrap()
        };
        let of = case(dice);
        let by = [None, Some(ANN), Some(BEN)][usize::try_from(dice.below(3)).unwrap()];
        match dice.below(8) {
            0 | 1 => self.hears(&[of], &time),
            2 => {
                let other = case(dice);
                let both = if of == other {
                    vec![of]
                } else {
                    vec![of, other]
                };
                self.hears(&both, &time);
            }
            3 | 4 => self.answers(of, by, &time),
            5 => self.sets(of, by, true, &time),
            6 => self.sets(of, by, dice.chance(2), &time),
            _ if dice.chance(4) => {
                let undone = CaseEvent::MoveUndone {
                    message_id: MessageId(Uuid::from_u128(10_001)),
                    to: Reference::new(101).unwrap(),
                    status: None,
                };
                self.record(of, at(&time), by, undone);
            }
            _ => self.sets(of, by, true, &time),
        }
    }
}

/// Writes events to the log and to the read models, as one transaction.
async fn record(pool: &PgPool, events: &[Recorded]) {
    let mut tx = pool.begin().await.unwrap();
    let mut models = ReadModels::default();
    for recorded in events {
        models.apply(recorded);
        sqlx::query(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
             VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7::jsonb, $8)",
        )
        .bind(recorded.stream.aggregate_type())
        .bind(recorded.stream.aggregate_id())
        .bind(recorded.sequence.cast_signed())
        .bind(recorded.event.type_name())
        .bind(recorded.event.version())
        .bind(serde_json::to_string(&recorded.event).unwrap())
        .bind(serde_json::to_string(&recorded.metadata).unwrap())
        .bind(recorded.recorded_at)
        .execute(&mut *tx)
        .await
        .unwrap();
    }
    write_models(&mut models, &mut tx).await;
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_is_kept_is_what_the_database_tells_whatever_happens_to_past_days() {
    for seed in 1..=6 {
        let mut dice = Dice(seed);
        let database = database().await;
        let pool = &database.pool;
        let kept = KeptReports::default();
        let mut story = Story::default();
        let mut now = at("2026-03-01T21:00:00.123457");
        let mut written = 0;
        for step in 0..60 {
            for _ in 0..=dice.below(8) {
                story.goes_on(&mut dice, now);
                let seconds = if dice.chance(20) { 90_000 } else { 2_000 };
                now += TimeDelta::microseconds(dice.below(seconds * 1_000_000).cast_signed());
            }
            record(pool, &story.events[written..]).await;
            written = story.events.len();
            if dice.chance(3) {
                kept.keep_up(pool).await.unwrap();
            }
            let last = now.date_naive();
            let from = last - chrono::Days::new(dice.below(12));
            let span = Span {
                from,
                to: from + chrono::Days::new(dice.below(8)),
                survey: [None, None, Some(SALES), Some(SUPPORT)]
                    [usize::try_from(dice.below(4)).unwrap()],
            };
            let told = kept.report(pool, span).await.unwrap();
            let expected = testing::reports::report(pool, span).await.unwrap();
            assert_eq!(told, expected, "seed {seed}, step {step}, {span:?}");
        }
        let all = Span {
            from: day("2026-02-28"),
            to: now.date_naive(),
            survey: None,
        };
        let told = kept.report(pool, all).await.unwrap();
        assert_eq!(told, report(pool, all).await, "seed {seed}");
        let closed: u64 = told.days.iter().map(|day| day.closed).sum();
        assert!(
            told.responses.len() > 3 && told.closings.len() > 4 && closed > 10,
            "something happens in a story: {told:?}"
        );
        database.close().await;
    }
}

#[tokio::test]
async fn nothing_is_kept_beyond_a_rebuild() {
    let story = waiting();
    let database = database().await;
    let pool = &database.pool;
    record(pool, &story.events).await;
    let right = report(pool, march(None)).await;
    for spoil in [
        "UPDATE report_cases SET responded_at = responded_at + interval '1 hour'",
        "UPDATE messages SET recorded_at = recorded_at + interval '1 day'",
    ] {
        sqlx::query(spoil).execute(pool).await.unwrap();
    }
    let kept = KeptReports::default();
    assert_ne!(kept.report(pool, march(None)).await.unwrap(), right);
    let connect = connect_options(&database.url).unwrap();
    rebuild::rebuild(&connect, ReadModels::ALL, at("2026-03-04T00:00:00"), |_| {})
        .await
        .unwrap();
    assert_eq!(kept.report(pool, march(None)).await.unwrap(), right);
    database.close().await;
}
