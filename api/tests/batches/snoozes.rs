//! A snooze that is due while a message comes: it ends once, whoever was first.

use chrono::{DateTime, TimeDelta, Utc};
use docket::ambient;
use docket::operations::case::{Change, ChangeCase};
use docket::operations::snooze::WakeWhenDue;
use docket_domain::case::{CaseEvent, WakeReason};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::Reference;
use docket_projections::ledger::operation::Answer;
use docket_projections::log::reader;
use docket_projections::log::upcasters::upcasters;
use futures_util::future::join;
use futures_util::poll;

use crate::{Office, routed, set_status, text};

impl Office {
    /// A case that is snoozed, and until when.
    async fn snoozed(&self) -> (Reference, DateTime<Utc>) {
        let (cases, _) = self.receive(text("The lift stands still", None)).await;
        let snooze = ChangeCase {
            change: Change::Snooze(ambient::now() + TimeDelta::hours(1)),
            ..set_status(cases[0], "New")
        };
        self.ledger.submit(snooze).await.unwrap();
        let events = self.events(cases[0]).await;
        let Some(CaseEvent::CaseSnoozed { until, .. }) = events.last() else {
            panic!("it was not snoozed: {events:?}");
        };
        (cases[0], *until)
    }

    async fn events(&self, reference: Reference) -> Vec<CaseEvent> {
        let stream = StreamId::Case(reference);
        let events = reader::stream(&self.database.pool, stream, 0, 1_000)
            .await
            .unwrap();
        events
            .iter()
            .map(|event| match event.decode(&upcasters()).unwrap().event {
                Event::Case(event) => event,
                other => panic!("no event of a case: {other:?}"),
            })
            .collect()
    }

    async fn endings(&self, reference: Reference) -> Vec<WakeReason> {
        let events = self.events(reference).await;
        events
            .iter()
            .filter_map(|event| match event {
                CaseEvent::CaseWoken { reason, .. } => Some(*reason),
                _ => None,
            })
            .collect()
    }
}

#[tokio::test]
async fn a_snooze_that_is_due_when_a_message_comes_ends_once() {
    for message_first in [true, false] {
        let office = Office::open().await;
        let (reference, until) = office.snoozed().await;
        let halted = office.halt().await;
        let due = WakeWhenDue { reference, until };
        let message = office.ledger.submit(text("Any news?", None));
        let waking = office.ledger.submit(due);
        let (received, woke) = if message_first {
            let mut both = Box::pin(join(message, waking));
            assert!(poll!(&mut both).is_pending());
            halted.let_go().await;
            both.await
        } else {
            let mut both = Box::pin(join(waking, message));
            assert!(poll!(&mut both).is_pending());
            halted.let_go().await;
            let (woke, received) = both.await;
            (received, woke)
        };
        assert_eq!(routed(received).0, [reference]);
        assert_eq!(woke.unwrap(), Answer::Done(!message_first));
        let expected = if message_first {
            WakeReason::Message
        } else {
            WakeReason::Due
        };
        assert_eq!(office.endings(reference).await, [expected]);
    }
}

#[tokio::test]
async fn two_processes_wake_a_case_once() {
    let office = Office::open().await;
    let other = office.other_process().await;
    let (reference, until) = office.snoozed().await;
    let due = WakeWhenDue { reference, until };
    let (one, two) = join(office.ledger.submit(due), other.submit(due)).await;
    let woke = [one.unwrap(), two.unwrap()];
    let times = woke.iter().filter(|answer| **answer == Answer::Done(true));
    assert_eq!(times.count(), 1, "{woke:?}");
    assert_eq!(office.endings(reference).await, [WakeReason::Due]);
}
