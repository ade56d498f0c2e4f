//! What holds within one batch of the ledger: each operation sees what those before it did, and what becomes of one is its own
//! affair.

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers too")]

mod broken_commits;
mod opt_outs;
mod snoozes;

use std::time::Duration;

use docket::ambient;
use docket::operations::case::{Change, ChangeCase};
use docket::operations::line::ChangeLine;
use docket::operations::receive::{FreshIds, ReceiveMessage, Received};
use docket::operations::status::{RecordStatus, Recorded};
use docket::operations::survey::SetSurvey;
use docket::operations::{Administrator, Asked};
use docket::vonage::payload::{decode_inbound, decode_status};
use docket_domain::access::Access;
use docket_domain::case::CaseEvent;
use docket_domain::channel::Channel;
use docket_domain::event::Event;
use docket_domain::held::HeldBody;
use docket_domain::ids::{ContactId, HeldId, LineId, MessageId, Reference, SurveyId, UserId};
use docket_domain::line::{LineCommand, LineSettings};
use docket_domain::routing::Rule;
use docket_domain::survey::{StatusQuestion, SurveySettings};
use docket_domain::text::auto_reply;
use docket_projections::connect::connect_options;
use docket_projections::ledger::operation::{
    Answer, Decided, LedgerError, Needs, Operation, Receipt,
};
use docket_projections::ledger::scope::Scope;
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::log::reader;
use docket_projections::log::recorded::{Actor, Metadata, Via};
use docket_projections::log::upcasters::upcasters;
use docket_projections::settings::Settings;
use docket_projections::testing::{Halted, TestDatabase, database, halt_writers};
use futures_util::future::{join, join_all};
use futures_util::poll;
use serde_json::json;

const OURS: &str = "447700900000";
const THEIRS: &str = "447700900123";
/// Far longer than a writer needs to take what waits.
const BOUND: Duration = Duration::from_secs(20);

struct Office {
    database: TestDatabase,
    ledger: Ledger,
}

impl Office {
    /// Another process on the same database.
    async fn other_process(&self) -> Ledger {
        let connect = connect_options(&self.database.url).unwrap();
        let options = LedgerOptions::new(ambient::now);
        Ledger::start(connect, options).await.unwrap()
    }

    /// With a survey and a WhatsApp line that answers those who have several open cases.
    async fn open() -> Self {
        let database = database().await;
        let options = LedgerOptions {
            writers: 1,
            ..LedgerOptions::new(ambient::now)
        };
        let connect = connect_options(&database.url).unwrap();
        let ledger = Ledger::start(connect, options).await.unwrap();
        let survey_id = SurveyId(ambient::new_id());
        let survey = SetSurvey {
            survey_id,
            settings: SurveySettings {
                name: "Support".to_owned(),
                cases_enabled: true,
                status: StatusQuestion {
                    question: "How far is it?".to_owned(),
                    choices: ["New", "Resolved"].map(str::to_owned).into(),
                    closed_value: "Resolved".to_owned(),
                },
                append_reference: true,
                time_zone: docket_domain::office_hours::TimeZone::default(),
            },
            create: true,
            seen: None,
            by: Administrator::System,
        };
        ledger.submit(survey).await.unwrap();
        let line_id = LineId(ambient::new_id());
        let line = ChangeLine {
            line_id,
            command: LineCommand::Add {
                line_id,
                number: OURS.to_owned(),
                channel: Channel::Whatsapp,
                settings: LineSettings {
                    survey_id,
                    multi_case_reply: Some("You have %s1 open cases: %s2".to_owned()),
                    automatic: docket_domain::line::AutomaticTexts::default(),
                },
            },
            by: Administrator::System,
        };
        ledger.submit(line).await.unwrap();
        Self { database, ledger }
    }

    async fn receive(&self, message: ReceiveMessage) -> (Vec<Reference>, Rule) {
        routed(self.ledger.submit(message).await)
    }

    /// Has these done in one batch.
    async fn in_one_batch<O: Operation>(
        &self,
        operations: Vec<O>,
    ) -> Vec<Result<Answer<O::Output>, LedgerError<O::Refusal>>> {
        let halted = self.halt().await;
        let mut batch = join_all(
            operations
                .into_iter()
                .map(|operation| Box::pin(self.ledger.submit(operation))),
        );
        assert!(poll!(&mut batch).is_pending());
        halted.let_go().await;
        batch.await
    }

    /// Has the writer at work on something until it is let go; what is submitted meanwhile is one batch.
    async fn halt(&self) -> Halted {
        let halted = halt_writers(&self.database.pool).await;
        let mut first = Box::pin(self.ledger.submit(from("447700900999", "Hello", None)));
        assert!(poll!(&mut first).is_pending());
        tokio::time::timeout(BOUND, async {
            while self.ledger.waiting() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the writer takes what waits");
        halted
    }

    async fn automatic_replies(&self) -> usize {
        let events = reader::page(&self.database.pool, 0, 1_000).await.unwrap();
        let mut replies: Vec<MessageId> = events
            .iter()
            .filter_map(|event| match event.decode(&upcasters()).unwrap().event {
                Event::Case(CaseEvent::MessageQueued(message)) if message.author.is_automatic() => {
                    Some(message.message_id)
                }
                _ => None,
            })
            .collect();
        replies.sort();
        replies.dedup();
        replies.len()
    }
}

fn set_status(reference: Reference, status: &str) -> ChangeCase {
    ChangeCase {
        reference,
        change: Change::status(status.to_owned()),
        asked: Asked {
            user_id: UserId(ambient::new_id()),
            email: "agent@example.com".to_owned(),
            access: Access::All,
            via: docket_projections::log::recorded::Via::Api,
            token_id: None,
            request_id: None,
            idempotency: None,
        },
    }
}

fn text(text: &str, quoted: Option<&str>) -> ReceiveMessage {
    from(THEIRS, text, quoted)
}

fn from(number: &str, text: &str, quoted: Option<&str>) -> ReceiveMessage {
    let mut body = json!({
        "channel": "whatsapp",
        "message_uuid": ambient::new_id(),
        "to": OURS,
        "from": number,
        "timestamp": "2026-11-22T12:00:00Z",
        "message_type": "text",
        "text": text,
    });
    if let Some(quoted) = quoted {
        body["context"] = json!({"message_uuid": quoted, "message_from": number});
    }
    let body = body.to_string();
    ReceiveMessage {
        inbound: decode_inbound(body.as_bytes(), ambient::now()).unwrap(),
        body: HeldBody::new(body.as_bytes(), |_| String::new()),
        ids: FreshIds {
            message_id: MessageId(ambient::new_id()),
            contact_id: ContactId(ambient::new_id()),
            reply_id: MessageId(ambient::new_id()),
            held_id: HeldId(ambient::new_id()),
        },
        request_id: None,
    }
}

fn routed<E: std::fmt::Debug>(answer: Result<Answer<Received>, E>) -> (Vec<Reference>, Rule) {
    match answer.unwrap() {
        Answer::Done(Received::Routed {
            references, rule, ..
        }) => (references, rule),
        other => panic!("it was not routed: {other:?}"),
    }
}

#[tokio::test]
async fn a_message_that_quotes_one_of_the_same_batch_follows_it() {
    let office = Office::open().await;
    let (first, _) = office.receive(text("The lift stands still", None)).await;
    office.receive(text("#0 Another thing", None)).await;
    let about = text(&format!("About #{}", first[0]), None);
    let quoting = text("Any news?", Some(&about.inbound.provider_id));

    let mut answers = office.in_one_batch(vec![about, quoting]).await;

    assert_eq!(routed(answers.remove(0)), (first.clone(), Rule::Reference));
    assert_eq!(routed(answers.remove(0)), (first, Rule::Quote));
}

#[tokio::test]
async fn automatic_replies_of_the_last_hour_count_for_whoever_gets_a_second_case_in_the_batch() {
    let office = Office::open().await;
    office.receive(text("The lift stands still", None)).await;
    let (second, _) = office.receive(text("#0 Another thing", None)).await;
    for _ in 0..auto_reply::MAX_PER_HOUR {
        office.receive(text("Hello?", None)).await;
    }
    assert_eq!(office.automatic_replies().await, auto_reply::MAX_PER_HOUR);
    office
        .ledger
        .submit(set_status(second[0], "Resolved"))
        .await
        .unwrap();

    let third = text("#0 A third thing", None);
    let mut answers = office.in_one_batch(vec![third, text("Hello?", None)]).await;

    assert_eq!(routed(answers.remove(0)).1, Rule::NewRequested);
    assert_eq!(routed(answers.remove(0)).1, Rule::AllOpen);
    assert_eq!(office.automatic_replies().await, auto_reply::MAX_PER_HOUR);
}

#[tokio::test]
async fn automatic_replies_of_the_last_hour_count_for_whoever_is_given_a_case_again_in_the_batch() {
    let office = Office::open().await;
    office.receive(text("The lift stands still", None)).await;
    let (second, _) = office.receive(text("#0 Another thing", None)).await;
    for _ in 0..auto_reply::MAX_PER_HOUR {
        office.receive(text("Hello?", None)).await;
    }
    let close = set_status(second[0], "Resolved");
    office.ledger.submit(close).await.unwrap();

    let halted = office.halt().await;
    let reopened = Box::pin(office.ledger.submit(set_status(second[0], "New")));
    let received = Box::pin(office.ledger.submit(text("Hello?", None)));
    let mut batch = Box::pin(async { tokio::join!(reopened, received) });
    assert!(poll!(&mut batch).is_pending());
    halted.let_go().await;

    let (reopened, received) = batch.await;
    assert!(matches!(reopened, Ok(Answer::Done(_))));
    assert_eq!(routed(received).1, Rule::AllOpen);
    assert_eq!(office.automatic_replies().await, auto_reply::MAX_PER_HOUR);
}

#[tokio::test]
async fn an_opt_out_word_gets_no_automatic_reply_whatever_it_refers_to() {
    let office = Office::open().await;
    office.receive(text("The lift stands still", None)).await;
    office.receive(text("#0 Another thing", None)).await;

    let (_, rule) = office.receive(text("STOP #999", None)).await;
    assert_eq!(rule, Rule::AllOpen);
    assert_eq!(office.automatic_replies().await, 0);
    office.receive(text("Do not stop #999", None)).await;
    assert_eq!(office.automatic_replies().await, 0);
    office.receive(text("START", None)).await;
    office.receive(text("Do not stop #999", None)).await;
    assert_eq!(office.automatic_replies().await, 2);
}

/// How an operation goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Refuses,
    PanicsDeciding,
    PanicsBefore,
}

/// An operation of a webhook that goes wrong as long as it is told to.
struct Fragile {
    key: &'static str,
    wrong: Option<Wrong>,
}

impl Fragile {
    fn new(key: &'static str, wrong: Option<Wrong>) -> Self {
        Self { key, wrong }
    }
}

impl Operation for Fragile {
    type Output = ();
    type Refusal = &'static str;

    fn metadata(&self) -> Metadata {
        Metadata::of(Actor::Vonage, Via::System)
    }

    fn needs(&self, _: &Settings) -> Needs {
        assert_ne!(self.wrong, Some(Wrong::PanicsBefore), "as it was told");
        Needs {
            receipt: Some(Receipt {
                kind: "inbound",
                key: self.key.to_owned(),
            }),
            ..Needs::default()
        }
    }

    fn decide(&self, _: &Scope<'_>) -> Result<Decided<()>, &'static str> {
        match self.wrong {
            Some(Wrong::Refuses) => Err("as it was told"),
            Some(Wrong::PanicsDeciding | Wrong::PanicsBefore) => panic!("as it was told"),
            None => Ok(Decided::nothing(())),
        }
    }
}

/// A status of a message that nobody sent.
fn status() -> RecordStatus {
    let body = json!({
        "channel": "whatsapp",
        "message_uuid": ambient::new_id(),
        "to": THEIRS,
        "from": OURS,
        "timestamp": "2026-11-22T12:00:00Z",
        "status": "delivered",
    });
    let body = body.to_string();
    RecordStatus {
        status: decode_status(body.as_bytes(), ambient::now()).unwrap(),
        body: HeldBody::new(body.as_bytes(), |_| String::new()),
        held_id: HeldId(ambient::new_id()),
        request_id: None,
    }
}

#[tokio::test]
async fn what_two_processes_hold_at_once_is_held_once() {
    let office = Office::open().await;
    let other = office.other_process().await;
    // Whether they meet is chance.
    for _ in 0..20 {
        let status = status();
        let halted = halt_writers(&office.database.pool).await;
        let mut both = Box::pin(join(
            office.ledger.submit(status.clone()),
            other.submit(status.clone()),
        ));
        assert!(poll!(&mut both).is_pending());
        halted.let_go().await;

        let answers = <[_; 2]>::from(both.await).map(|answer| match answer.unwrap() {
            Answer::Done(recorded) => recorded,
            other => panic!("it has neither key nor receipt: {other:?}"),
        });
        let held = Recorded::Held {
            held_id: status.held_id,
        };
        assert!(answers.contains(&held), "{answers:?}");
        assert!(answers.contains(&Recorded::NothingNew), "{answers:?}");
    }
}

#[tokio::test]
async fn what_was_refused_was_not_taken_and_can_come_again() {
    let office = Office::open().await;
    for (key, wrong) in [
        ("refused", Wrong::Refuses),
        ("panicked", Wrong::PanicsDeciding),
    ] {
        let submit = |wrong| office.ledger.submit(Fragile::new(key, wrong));
        assert!(submit(Some(wrong)).await.is_err());
        assert!(
            matches!(submit(None).await, Ok(Answer::Done(()))),
            "after it {key}, its receipt stayed"
        );
        assert!(matches!(submit(None).await, Ok(Answer::Duplicate)));
    }
}

/// An operation that would give a receipt, and comes to nothing.
struct Fruitless(&'static str);

impl Operation for Fruitless {
    type Output = ();
    type Refusal = ();

    fn metadata(&self) -> Metadata {
        Metadata::of(Actor::System, Via::System)
    }

    fn needs(&self, _: &Settings) -> Needs {
        Needs {
            gives: Some(Receipt {
                kind: "inbound",
                key: self.0.to_owned(),
            }),
            ..Needs::default()
        }
    }

    fn decide(&self, _: &Scope<'_>) -> Result<Decided<()>, ()> {
        Ok(Decided::nothing(()))
    }
}

#[tokio::test]
async fn a_receipt_that_was_given_for_nothing_is_taken_back() {
    let office = Office::open().await;
    let given = office.ledger.submit(Fruitless("one")).await;
    assert!(matches!(given, Ok(Answer::Done(()))));
    let submit = || office.ledger.submit(Fragile::new("one", None));
    assert!(matches!(submit().await, Ok(Answer::Done(()))));
    let given = office.ledger.submit(Fruitless("one")).await;
    assert!(matches!(given, Ok(Answer::Done(()))));
    assert!(
        matches!(submit().await, Ok(Answer::Duplicate)),
        "a receipt that was there before is gone"
    );
}

#[tokio::test]
async fn a_repetition_is_no_duplicate_of_what_was_refused_in_the_same_batch() {
    let office = Office::open().await;
    let answers = office
        .in_one_batch(vec![
            Fragile::new("one", Some(Wrong::Refuses)),
            Fragile::new("one", None),
            Fragile::new("one", None),
            Fragile::new("two", Some(Wrong::Refuses)),
            Fragile::new("two", Some(Wrong::Refuses)),
        ])
        .await;
    assert!(matches!(
        answers[..],
        [
            Err(LedgerError::Refused(_)),
            Ok(Answer::Done(())),
            Ok(Answer::Duplicate),
            Err(LedgerError::Refused(_)),
            Err(LedgerError::Refused(_)),
        ]
    ));
    let again = |key| office.ledger.submit(Fragile::new(key, None));
    assert!(matches!(again("one").await, Ok(Answer::Duplicate)));
    assert!(matches!(again("two").await, Ok(Answer::Done(()))));
}

#[tokio::test]
async fn a_bug_in_one_operation_ends_neither_the_writer_nor_the_others_of_its_batch() {
    let office = Office::open().await;
    let answers = office
        .in_one_batch(vec![
            Fragile::new("before", None),
            Fragile::new("bug", Some(Wrong::PanicsBefore)),
            Fragile::new("after", None),
        ])
        .await;
    assert!(matches!(
        answers[..],
        [
            Ok(Answer::Done(())),
            Err(LedgerError::Broken),
            Ok(Answer::Done(())),
        ]
    ));
    let (_, rule) = office
        .receive(from("447700900456", "Are you still there?", None))
        .await;
    assert_eq!(rule, Rule::First);
}
