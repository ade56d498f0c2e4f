//! Reports of histories whose numbers are known.

#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too, which clippy does not see"
)]

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use docket_domain::case::{Author, CaseEvent, InboundMessage, Opened, Origin, OutboundMessage};
use docket_domain::channel::Channel;
use docket_domain::content::Content;
use docket_domain::event::StreamId;
use docket_domain::ids::{ContactId, LineId, MessageId, Reference, SurveyId, UserId};
use docket_domain::personal::Personal;
use docket_domain::routing::{Routed, Rule};
use docket_projections::log::recorded::{Actor, Metadata, Recorded};
use docket_projections::read::ReadModels;
use docket_projections::read::reports::{self, Group, Span, Times};
use docket_projections::testing::{TestDatabase, database};
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
            metadata: Metadata::of(actor),
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
                quotes: None,
                profile_name: None,
            };
            let routed = Routed {
                rule: Rule::First,
                references: vec![],
            };
            let received = CaseEvent::MessageReceived { message, routed };
            self.record(*case, at(time), None, received);
        }
    }

    /// Somebody answers, or Docket does by itself.
    fn answers(&mut self, case: u32, by: Option<UserId>, time: &str) {
        self.messages += 1;
        let author = by.map_or(Author::Automatic, |user_id| Author::User {
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
            models.flush(&mut conn).await.unwrap();
        }
        drop(conn);
        database
    }
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
        let told = reports::responses(pool, march(None)).await.unwrap();
        assert_close(&told, &expected);
        let sales = reports::responses(pool, march(Some(SALES))).await.unwrap();
        let expected = [
            times(Group::All, 2, 5_400.0, 6_840.0),
            times(Group::Survey(SALES), 2, 5_400.0, 6_840.0),
            times(Group::Person(Some(BEN)), 2, 5_400.0, 6_840.0),
        ];
        assert_close(&sales, &expected);
        assert_eq!(reports::unanswered(pool, march(None)).await.unwrap(), 1);
        let sales = march(Some(SALES));
        assert_eq!(reports::unanswered(pool, sales).await.unwrap(), 0);
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
        let told = reports::closings(&database.pool, march(None))
            .await
            .unwrap();
        assert_close(&told, &expected);
        let days = reports::days(&database.pool, march(None)).await.unwrap();
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
        let days = reports::days(&database.pool, march(survey)).await.unwrap();
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
    assert_eq!(reports::responses(pool, march(None)).await.unwrap(), []);
    assert_eq!(reports::closings(pool, march(None)).await.unwrap(), []);
    let first = &reports::days(pool, march(None)).await.unwrap()[0];
    assert_eq!((first.opened, first.closed), (1, 0));
    database.close().await;
}
