//! Messages that come at once, and messages that come again.

use docket_tests::log;
use docket_tests::webhooks::{message_uuid, sms};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::help_desk::{HelpDesk, OURS, customer};

/// Posts all payloads at once, in turns to the processes at `urls`; all must be taken.
async fn post_at_once(desk: &HelpDesk, urls: &[&str], payloads: &[Value]) {
    let posts = payloads
        .iter()
        .zip(urls.iter().cycle())
        .map(|(payload, url)| desk.installation.webhooks.inbound(url, payload));
    let statuses = join_all(posts).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}

/// Fails unless all of these messages stand in the number's one open case, each once, and no other case was made since `before`;
/// gives its reference.
async fn assert_one_case(desk: &HelpDesk, from: &str, before: &[u64], payloads: &[Value]) -> u64 {
    let reference = desk.owner.only_case(from).await;
    let mut all = desk.owner.references(from, "all").await;
    all.retain(|reference| !before.contains(reference));
    assert_eq!(all, [reference]);
    let case = desk.owner.get(&format!("/cases/{reference}")).await;
    assert_eq!(case["message_count"], payloads.len());
    let messages = desk.owner.messages(reference, "inbound").await;
    let mut found: Vec<&str> = messages
        .iter()
        .map(|message| message["provider_id"].as_str().unwrap())
        .collect();
    found.sort_unstable();
    let mut expected: Vec<&str> = payloads.iter().map(message_uuid).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let rules: Vec<&Value> = messages
        .iter()
        .map(|message| &message["routed"]["rule"])
        .collect();
    assert_eq!(rules[0], "first");
    assert!(
        rules[1..].iter().all(|rule| **rule == "only_open"),
        "{rules:?}"
    );
    reference
}

/// Twenty first messages at once, and again when the case that they made is closed: then the contact is known already.
async fn twenty_make_one_case_each_time(desk: &HelpDesk, urls: &[&str], from: &str) {
    let mut before = vec![];
    for _ in 0..3 {
        let payloads: Vec<Value> = (1..=20)
            .map(|n| sms(from, OURS, &format!("Message {n} of twenty")))
            .collect();
        post_at_once(desk, urls, &payloads).await;
        let reference = assert_one_case(desk, from, &before, &payloads).await;
        desk.owner
            .put(
                &format!("/cases/{reference}/status"),
                &json!({"value": "Resolved"}),
            )
            .await
            .expect(200);
        before.push(reference);
    }
}

#[tokio::test]
async fn twenty_first_messages_at_once_make_one_case() {
    let desk = HelpDesk::open().await;
    twenty_make_one_case_each_time(&desk, &[desk.docket.url()], &customer(1)).await;
    log::assert_sound(&desk.installation.pool).await;
    desk.close().await;
}

#[tokio::test]
async fn twenty_first_messages_at_once_on_two_processes_make_one_case() {
    let desk = HelpDesk::open().await;
    let other = desk.installation.serve().await;
    // Several times, since a race may be won by luck.
    for n in 1..=5 {
        twenty_make_one_case_each_time(&desk, &[desk.docket.url(), other.url()], &customer(n))
            .await;
    }
    log::assert_sound(&desk.installation.pool).await;
    other.stop().await;
    desk.close().await;
}

#[tokio::test]
async fn a_webhook_repeated_ten_times_at_once_is_one_message() {
    let desk = HelpDesk::open().await;
    let other = desk.installation.serve().await;
    for (n, urls) in [
        (1, vec![desk.docket.url()]),
        (2, vec![desk.docket.url(), other.url()]),
    ] {
        let message = sms(&customer(n), OURS, "Hello?");
        post_at_once(&desk, &urls, &vec![message.clone(); 10]).await;
        assert_one_case(&desk, &customer(n), &[], std::slice::from_ref(&message)).await;
    }
    other.stop().await;
    desk.close().await;
}

#[tokio::test]
async fn a_webhook_repeated_after_a_restart_or_the_end_of_its_case_is_nothing_new() {
    let mut desk = HelpDesk::open().await;
    let message = sms(&customer(1), OURS, "Hello?");
    desk.takes(&message).await;
    let reference = desk.owner.only_case(&customer(1)).await;
    desk.owner
        .put(
            &format!("/cases/{reference}/status"),
            &json!({"value": "Resolved"}),
        )
        .await
        .expect(200);
    let length = log::length(&desk.installation.pool).await;

    let restarted = desk.installation.serve().await;
    desk.owner = desk.owner.at(restarted.url());
    std::mem::replace(&mut desk.docket, restarted).stop().await;
    desk.takes(&message).await;
    assert_eq!(log::length(&desk.installation.pool).await, length);
    assert_eq!(
        desk.owner.references(&customer(1), "all").await,
        [reference]
    );
    desk.close().await;
}

#[tokio::test]
async fn a_request_repeated_at_once_with_its_idempotency_key_is_done_once() {
    let desk = HelpDesk::open().await;
    let other = desk.installation.serve().await;
    let reference = desk.first_case(&customer(1), "Hello?").await;
    let clients = [desk.owner.clone(), desk.owner.at(other.url())];
    let status = json!({"question": "Done?", "choices": ["No", "Yes"], "closed_value": "Yes"});
    let requests = [
        (
            format!("/cases/{reference}/replies"),
            json!({"text": "Good morning."}),
            "message_id",
        ),
        (
            format!("/cases/{reference}/notes"),
            json!({"text": "Rang twice."}),
            "reference",
        ),
        (
            "/cases".to_owned(),
            json!({"line_id": desk.sms_line, "number": customer(2), "text": "We have news."}),
            "reference",
        ),
        (
            "/surveys".to_owned(),
            json!({"name": "Complaints", "status": status}),
            "id",
        ),
    ];
    for (path, body, same) in &requests {
        let key = path.replace('/', "-");
        let posts = clients
            .iter()
            .cycle()
            .take(10)
            .map(|client| client.ask(Method::POST, path, Some(body), Some(&key)));
        let answers: Vec<_> = join_all(posts)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        for answer in &answers {
            assert!(
                (200..300).contains(&answer.status),
                "{path}: {} {}",
                answer.status,
                answer.text
            );
            assert!(
                answer.body[same].is_number() || answer.body[same].is_string(),
                "{path}: {}",
                answer.text
            );
            assert_eq!(
                answer.body[same], answers[0].body[same],
                "{path}: all get the same answer"
            );
        }
        let mut changed = body.clone();
        changed[if body["text"].is_string() {
            "text"
        } else {
            "name"
        }] = json!("Something else");
        let reused = clients[0]
            .ask(Method::POST, path, Some(&changed), Some(&key))
            .await
            .unwrap();
        assert_eq!(
            reused.expect(422)["type"],
            "/problems/idempotency-key-reused",
            "{path}"
        );
    }
    assert_eq!(desk.owner.messages(reference, "outbound").await.len(), 1);
    assert_eq!(
        desk.owner.get(&format!("/cases/{reference}")).await["notes"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(desk.owner.references(&customer(2), "all").await.len(), 1);
    assert_eq!(desk.owner.all("/surveys").await.len(), 2);
    desk.installation.accepted(2).await;
    assert_eq!(
        desk.sent().len(),
        2,
        "the reply and the message that began a case"
    );
    log::assert_sound(&desk.installation.pool).await;
    other.stop().await;
    desk.close().await;
}

#[tokio::test]
async fn of_two_cases_the_later_one_has_the_higher_number() {
    let desk = HelpDesk::open().await;
    // Batches in which most messages find an open case draw more references than they use.
    for n in 1..=20 {
        let payloads: Vec<Value> = (0..3)
            .map(|_| sms(&customer(n), OURS, "Several at once"))
            .collect();
        post_at_once(&desk, &[desk.docket.url()], &payloads).await;
    }
    let mut references = vec![];
    for n in 1..=20 {
        references.push(desk.owner.only_case(&customer(n)).await);
    }
    assert!(references.is_sorted(), "{references:?}");
    desk.close().await;
}
