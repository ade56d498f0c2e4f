//! Two processes on one database, with all hands full.

use std::collections::{BTreeMap, BTreeSet};

use docket_tests::log;
use docket_tests::webhooks::{message_uuid, sms, whatsapp};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;

use crate::help_desk::{HelpDesk, OURS, customer};

const CUSTOMERS: usize = 30;
const MESSAGES_EACH: usize = 15;
const AT_ONCE: usize = 48;

#[tokio::test]
async fn nothing_is_doubled_and_nothing_is_lost() {
    let desk = HelpDesk::open().await;
    let other = desk.installation.serve().await;
    let urls = [desk.docket.url(), other.url()];

    // In turns of customers, so that messages of one customer meet. Every third goes to both processes at once, and every
    // fourth twice to the same one.
    let payloads: Vec<Value> = (0..CUSTOMERS * MESSAGES_EACH)
        .map(|n| {
            let from = customer(1 + n % CUSTOMERS);
            let text = format!("Message {n}");
            if n % 2 == 0 {
                sms(&from, OURS, &text)
            } else {
                whatsapp(&from, OURS, &text)
            }
        })
        .collect();
    let mut posts = vec![];
    for (n, payload) in payloads.iter().enumerate() {
        posts.push((urls[n % 2], payload));
        if n % 3 == 0 {
            posts.push((urls[(n + 1) % 2], payload));
        }
        if n % 4 == 0 {
            posts.push((urls[n % 2], payload));
        }
    }
    stream::iter(posts)
        .for_each_concurrent(AT_ONCE, async |(url, payload)| {
            assert_eq!(desk.installation.webhooks.inbound(url, payload).await, 200);
        })
        .await;

    let mut references = BTreeSet::new();
    for n in 1..=CUSTOMERS {
        references.insert(desk.owner.only_case(&customer(n)).await);
    }
    assert_eq!(references.len(), CUSTOMERS);
    let received = log::received(&desk.installation.pool).await;
    let expected: BTreeSet<&str> = payloads.iter().map(message_uuid).collect();
    let found: BTreeMap<&str, u64> = received
        .keys()
        .map(|(id, reference)| (id.as_str(), *reference))
        .collect();
    assert_eq!(
        found.keys().copied().collect::<BTreeSet<_>>(),
        expected,
        "every message is there"
    );
    assert_eq!(
        received.len(),
        payloads.len(),
        "no message stands in two cases"
    );
    assert!(
        received.values().all(|times| *times == 1),
        "no message stands twice in a case"
    );

    // Both processes deliver as well.
    stream::iter(references.iter().zip(urls.iter().cycle()))
        .for_each_concurrent(AT_ONCE, async |(reference, url)| {
            desk.owner
                .at(url)
                .reply(*reference, "We have got your messages.")
                .await;
        })
        .await;
    desk.installation.accepted(CUSTOMERS).await;
    for reference in &references {
        let replies = desk.owner.messages(*reference, "outbound").await;
        assert_eq!(replies.len(), 1);
        desk.owner
            .arrival(*reference, replies[0]["message_id"].as_str().unwrap())
            .await;
    }
    let recipients: BTreeSet<String> = desk
        .installation
        .simulator
        .accepted()
        .into_iter()
        .map(|message| message.to)
        .collect();
    assert_eq!(
        (recipients.len(), desk.sent().len()),
        (CUSTOMERS, CUSTOMERS),
        "each reply was sent once"
    );

    log::assert_sound(&desk.installation.pool).await;
    other.stop().await;
    desk.close().await;
}
