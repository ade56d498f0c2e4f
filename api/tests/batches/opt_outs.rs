//! An opt-out and what would be sent to the contact, at once.

use docket::operations::contact::{ChangeContact, SetOptOut};
use docket::operations::delivery::{BeginSending, Claimed};
use docket::operations::reply::{Reply, ReplyError, SendAs};

use super::*;

fn asked() -> Asked {
    Asked {
        user_id: UserId(ambient::new_id()),
        email: "agent@example.com".to_owned(),
        access: Access::All,
        via: Via::Api,
        token_id: None,
        request_id: None,
        idempotency: None,
    }
}

fn reply(reference: Reference) -> Reply {
    Reply {
        reference,
        text: "Hi".to_owned(),
        // The first message is from a time of long ago.
        send_as: SendAs::TextOutsideWindow,
        media: None,
        seen_version: None,
        message_id: MessageId(ambient::new_id()),
        asked: asked(),
    }
}

#[tokio::test]
async fn a_reply_behind_stop_in_the_same_batch_is_refused() {
    let office = Office::open().await;
    let (cases, _) = office.receive(text("Hello", None)).await;

    let halted = office.halt().await;
    let stop = Box::pin(office.ledger.submit(text("STOP", None)));
    let replied = Box::pin(office.ledger.submit(reply(cases[0])));
    let mut batch = Box::pin(async { tokio::join!(stop, replied) });
    assert!(poll!(&mut batch).is_pending());
    halted.let_go().await;

    let (stop, replied) = batch.await;
    assert_eq!(routed(stop).0, cases);
    let refused = replied.unwrap_err();
    assert!(matches!(
        refused,
        LedgerError::Refused(ReplyError::OptedOut(Channel::Whatsapp))
    ));
}

#[tokio::test]
async fn a_reply_before_stop_in_the_same_batch_is_queued_and_never_sent() {
    let office = Office::open().await;
    let (cases, _) = office.receive(text("Hello", None)).await;

    let halted = office.halt().await;
    let replied = Box::pin(office.ledger.submit(reply(cases[0])));
    let stop = Box::pin(office.ledger.submit(text("STOP", None)));
    let mut batch = Box::pin(async { tokio::join!(replied, stop) });
    assert!(poll!(&mut batch).is_pending());
    halted.let_go().await;

    let (replied, _) = batch.await;
    let Answer::Done(queued) = replied.unwrap() else {
        panic!("it was queued");
    };
    let begin = BeginSending {
        message_id: queued.message_id,
        attempt: 1,
    };
    let claimed = office.ledger.submit(begin).await.unwrap();
    assert_eq!(claimed, Answer::Done(Claimed::OptedOut));
    // It failed, and is nobody's to send any more.
    let again = office.ledger.submit(begin).await.unwrap_err();
    assert!(matches!(again, LedgerError::Refused(_)));
}

#[tokio::test]
async fn of_an_opt_out_and_a_reply_by_two_processes_one_rests_on_the_other() {
    let office = Office::open().await;
    let other = office.other_process().await;
    let (cases, _) = office.receive(text("Hello", None)).await;
    let contact = {
        let events = reader::page(&office.database.pool, 0, 100).await.unwrap();
        let opened =
            events
                .iter()
                .find_map(|event| match event.decode(&upcasters()).unwrap().event {
                    Event::Case(CaseEvent::CaseOpened(opened)) => Some(opened.contact_id),
                    _ => None,
                });
        opened.unwrap()
    };
    // The other process has the contact in its cache, from before the opt-out.
    other.submit(reply(cases[0])).await.unwrap();
    let out = SetOptOut {
        contact_id: contact,
        channel: Channel::Whatsapp,
        opted_out: true,
        reason: None,
        asked: asked(),
    };
    office.ledger.submit(out.clone()).await.unwrap();
    let refused = other.submit(reply(cases[0])).await.unwrap_err();
    assert!(matches!(
        refused,
        LedgerError::Refused(ReplyError::OptedOut(Channel::Whatsapp))
    ));

    // A name does not open the way again; opting in does.
    let named = ChangeContact {
        contact_id: contact,
        name: Some("Jane Example".to_owned()),
        note: None,
        asked: asked(),
    };
    other.submit(named).await.unwrap();
    office.ledger.submit(reply(cases[0])).await.unwrap_err();
    let back = SetOptOut {
        opted_out: false,
        ..out
    };
    other.submit(back).await.unwrap();
    office.ledger.submit(reply(cases[0])).await.unwrap();
}
