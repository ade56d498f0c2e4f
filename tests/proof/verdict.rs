//! What must hold when the trouble is over.

use std::collections::{BTreeMap, BTreeSet};

use docket_tests::docket::run;
use docket_tests::help_desk::HelpDesk;
use docket_tests::log;
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use serde_json::{Value, json};

use crate::load::{Load, Place, Replied};

/// The most automatic replies that a contact gets in an hour.
const MOST_AUTOMATIC: usize = 5;

/// Nothing that was promised is lost, doubled, misplaced or stuck; nothing was sent twice; and the log and what is read from it are
/// sound.
pub(crate) async fn all_is_well(desk: &HelpDesk, load: &Load) {
    everything_stands_where_it_belongs(desk, load).await;
    nothing_is_stuck(desk).await;
    every_reply_stands_once(desk, load).await;
    nothing_was_sent_twice(desk, load);
    uncertain_messages_can_be_sent_again(desk).await;
    run(&["rebuild", "--check"], desk.installation.environment(), "")
        .await
        .success();
    log::assert_sound(&desk.installation.pool).await;
}

async fn everything_stands_where_it_belongs(desk: &HelpDesk, load: &Load) {
    let mut found: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut stand_in: BTreeMap<u64, usize> = BTreeMap::new();
    for ((id, reference), times) in log::received(&desk.installation.pool).await {
        assert_eq!(times, 1, "message {id} stands {times} times in {reference}");
        found.entry(id).or_default().insert(reference);
        *stand_in.entry(reference).or_default() += 1;
    }
    let mut cases_of: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for case in desk.owner.all("/cases?state=all&order=reference").await {
        let (number, reference) = (case["number"].as_str(), case["reference"].as_u64());
        cases_of
            .entry(number.unwrap().to_owned())
            .or_default()
            .insert(reference.unwrap());
        assert_eq!(case["state"], "open", "nobody closed {case}");
        let said = stand_in.get(&reference.unwrap()).copied();
        let shown = case["message_count"].as_u64();
        let said = u64::try_from(said.unwrap_or_default()).unwrap();
        assert!(
            shown >= Some(said),
            "{case} shows fewer than {said} messages"
        );
    }
    let promised = load.promised.borrow();
    for (id, place) in promised.iter() {
        let is_in = found
            .get(id)
            .unwrap_or_else(|| panic!("{id} was acknowledged and is lost"));
        match place {
            Place::OnlyCase(number) => {
                assert_eq!(Some(is_in), cases_of.get(number), "{id} of {number}");
                assert_eq!(is_in.len(), 1, "{number} has one case");
            }
            Place::Cases(cases) => assert_eq!(is_in, cases, "{id}"),
            Place::NewCase(number) => {
                let reference = is_in.first().expect("it stands somewhere");
                assert_eq!((is_in.len(), stand_in[reference]), (1, 1), "{id}");
                assert!(cases_of[number].contains(reference), "{id} of {number}");
            }
        }
    }
    let prepared = 2 * cases_of.values().filter(|cases| cases.len() == 2).count();
    assert!(
        found.len() <= promised.len() + prepared,
        "nothing else came in"
    );
}

/// The outbound messages of the log with the cases they stand in, by their ids.
async fn outbound(desk: &HelpDesk) -> BTreeMap<String, u64> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT ON (1) payload->'MessageQueued'->>'message_id', aggregate_id
           FROM events WHERE event_type = 'MessageQueued' ORDER BY 1, position",
    )
    .fetch_all(&desk.installation.pool)
    .await
    .unwrap();
    rows.into_iter()
        .map(|(id, reference)| (id, reference.parse().unwrap()))
        .collect()
}

/// The deliveries of all outbound messages, by their ids.
async fn deliveries(desk: &HelpDesk) -> BTreeMap<String, (u64, Value)> {
    let queued = outbound(desk).await;
    let cases: BTreeSet<u64> = queued.values().copied().collect();
    let mut deliveries = BTreeMap::new();
    for reference in cases {
        for message in desk.owner.messages(reference, "outbound").await {
            let id = message["message_id"].as_str().unwrap().to_owned();
            deliveries.insert(id, (reference, message["delivery"].clone()));
        }
    }
    let (known, shown): (BTreeSet<_>, BTreeSet<_>) =
        (queued.keys().collect(), deliveries.keys().collect());
    assert_eq!(known, shown, "every message is shown");
    deliveries
}

async fn every_reply_stands_once(desk: &HelpDesk, load: &Load) {
    let cases: BTreeSet<u64> = outbound(desk).await.into_values().collect();
    let mut found = BTreeMap::new();
    for reference in cases {
        for message in desk.owner.messages(reference, "outbound").await {
            if message["author_kind"] == "user" {
                let id = message["message_id"].as_str().unwrap().to_owned();
                let text = message["text"].as_str().unwrap().to_owned();
                found.insert(id, (reference, text));
            }
        }
    }
    let promised: BTreeMap<_, _> = load
        .replied
        .borrow()
        .iter()
        .map(|reply| {
            let Replied {
                reference,
                message_id,
                text,
            } = reply.clone();
            (message_id, (reference, text))
        })
        .collect();
    assert_eq!(found, promised);
}

async fn nothing_is_stuck(desk: &HelpDesk) {
    wait_until("no message waits or is on its way", BOUND * 2, async || {
        let mut waiting = deliveries(desk).await;
        waiting.retain(|_, (_, delivery)| {
            !["delivered", "read", "failed", "uncertain"]
                .contains(&delivery["status"].as_str().unwrap())
        });
        expect_that(waiting.is_empty(), || format!("{waiting:?}"))
    })
    .await;
    tokio::time::timeout(BOUND * 2, desk.installation.simulator.settled())
        .await
        .expect("all statuses are taken");
}

fn nothing_was_sent_twice(desk: &HelpDesk, load: &Load) {
    let accepted = desk.installation.simulator.accepted();
    let mut attempts = BTreeSet::new();
    let mut texts = BTreeSet::new();
    let mut automatic: BTreeMap<String, usize> = BTreeMap::new();
    for message in accepted {
        let attempt = message.client_ref.expect("a message says what it is");
        assert!(attempts.insert(attempt.clone()), "{attempt} was sent twice");
        if message.text.starts_with("Answer") {
            assert!(
                texts.insert(message.text.clone()),
                "{} was sent twice",
                message.text
            );
        } else {
            *automatic.entry(message.to).or_default() += 1;
        }
    }
    for reply in load.replied.borrow().iter() {
        texts.remove(&format!("{} #{}", reply.text, reply.reference));
    }
    assert!(texts.is_empty(), "nobody wrote {texts:?}");
    for (number, replies) in automatic {
        assert!(replies <= MOST_AUTOMATIC, "{number} got {replies}");
    }
}

async fn uncertain_messages_can_be_sent_again(desk: &HelpDesk) {
    let mut again = vec![];
    for (id, (reference, delivery)) in deliveries(desk).await {
        if delivery["status"] == "uncertain" {
            let path = format!("/cases/{reference}/messages/{id}/resend");
            desk.owner.post(&path, &json!({})).await.expect(202);
            again.push((reference, id));
        }
    }
    println!("{} uncertain messages are sent again", again.len());
    for (reference, id) in again {
        let delivery = wait_until("the message's fate is known", BOUND, async || {
            let delivery = desk.owner.message(reference, &id).await["delivery"].take();
            let is_known = ["delivered", "read", "uncertain", "failed"]
                .contains(&delivery["status"].as_str().unwrap());
            if is_known {
                Ok(delivery)
            } else {
                Err(delivery)
            }
        })
        .await;
        assert_eq!(delivery["attempt"], 2, "{delivery}");
    }
}
