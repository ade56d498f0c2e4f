//! The files of messages, with real processes: from a customer's phone to the agent, and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use docket::simulator::{CustomerMessage, EntryKind};
use docket_domain::channel::Channel;
use docket_tests::api::http;
use docket_tests::installation::Installation;
use docket_tests::waiting::{BOUND, expect_that, wait_until};
use docket_tests::webhooks::message_uuid;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::help_desk::{HelpDesk, OURS, customer};

/// A claim outlasts its process by half a minute.
const AFTER_A_CRASH: Duration = Duration::from_mins(2);

/// A host of files that lets a call wait until it is told to answer.
struct Host {
    calls: AtomicUsize,
    may_answer: Semaphore,
}

async fn host() -> (Arc<Host>, String) {
    let host = Arc::new(Host {
        calls: AtomicUsize::new(0),
        may_answer: Semaphore::new(0),
    });
    let router = Router::new()
        .route(
            "/file",
            get(async |State(host): State<Arc<Host>>| {
                host.calls.fetch_add(1, Ordering::SeqCst);
                host.may_answer.acquire().await.unwrap().forget();
                "Hello"
            }),
        )
        .with_state(Arc::clone(&host));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (host, url)
}

fn document(from: &str, url: &str) -> Value {
    let mut payload = docket_tests::webhooks::sms(from, OURS, "");
    let message = payload.as_object_mut().unwrap();
    message.remove("text");
    message.insert("channel".into(), json!("mms"));
    message.insert("message_type".into(), json!("file"));
    message.insert("file".into(), json!({"url": url, "name": "letter.txt"}));
    payload
}

/// The first file in a case's thread, once it is kept.
async fn kept(desk: &HelpDesk, reference: u64, bound: Duration) -> Value {
    wait_until("the file is kept", bound, async || {
        let thread = desk.owner.thread(reference).await;
        let file = thread.iter().find_map(|item| item["media"].get(0).cloned());
        let file = file.unwrap_or_default();
        if file["state"] == "stored" {
            Ok(file)
        } else {
            Err(file.to_string())
        }
    })
    .await
}

async fn bytes(desk: &HelpDesk, file: &Value) -> Vec<u8> {
    let url = format!(
        "{}/api/v1/media/{}",
        desk.docket.url(),
        file["id"].as_str().unwrap()
    );
    let answer = http()
        .get(url)
        .bearer_auth(desk.owner.token())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn a_process_that_dies_while_it_fetches_loses_no_file() {
    let (host, url) = host().await;
    let mut desk = HelpDesk::open().await;
    let payload = document(&customer(1), &url);
    desk.takes(&payload).await;
    assert!(!message_uuid(&payload).is_empty());
    let reference = desk.owner.only_case(&customer(1)).await;
    wait_until("the file is asked for", BOUND, async || {
        let calls = host.calls.load(Ordering::SeqCst);
        expect_that(calls == 1, || format!("{calls} calls"))
    })
    .await;
    desk.docket.kill();
    host.may_answer.add_permits(2);
    desk.docket = desk.installation.serve().await;
    desk.owner = desk.owner.at(desk.docket.url());
    let file = kept(&desk, reference, AFTER_A_CRASH).await;
    assert_eq!(file["name"], "letter.txt");
    assert_eq!(bytes(&desk, &file).await, b"Hello");
    assert_eq!(host.calls.load(Ordering::SeqCst), 2);
    desk.close().await;
}

#[tokio::test]
async fn two_processes_fetch_a_file_once() {
    let (host, url) = host().await;
    let desk = HelpDesk::open().await;
    let other = desk.installation.serve().await;
    host.may_answer.add_permits(8);
    for number in 1..=4 {
        desk.takes(&document(&customer(number), &url)).await;
    }
    for number in 1..=4 {
        let reference = desk.owner.only_case(&customer(number)).await;
        kept(&desk, reference, BOUND).await;
    }
    assert_eq!(host.calls.load(Ordering::SeqCst), 4);
    drop(other);
    desk.close().await;
}

#[tokio::test]
async fn a_photo_goes_from_the_phone_to_the_agent_and_another_one_back() {
    let mut installation = Installation::new().await;
    // The simulated account fetches from where the process listens, which is known only when it runs.
    installation.set("DOCKET_PUBLIC_URL", "http://127.0.0.1:1");
    let mut desk = HelpDesk::open_in(installation, None).await;
    let address = desk.docket.url().to_owned();
    desk.installation.set("DOCKET_PUBLIC_URL", &address);
    let port = address.rsplit(':').next().unwrap().to_owned();
    desk.docket.kill();
    desk.installation
        .set("DOCKET_LISTEN", &format!("127.0.0.1:{port}"));
    desk.docket = desk.installation.serve().await;
    desk.owner = desk.owner.at(desk.docket.url());

    let photo = CustomerMessage {
        from: customer(1),
        to: OURS.to_owned(),
        channel: Channel::Whatsapp,
        kind: EntryKind::Photo {
            text: "The boiler".to_owned(),
        },
        quoted: None,
    };
    desk.installation.simulator.say(photo).await.unwrap();
    let reference = desk.owner.only_case(&customer(1)).await;
    let file = kept(&desk, reference, BOUND).await;
    assert_eq!(file["type"], "image/png");
    assert_eq!(
        (&file["width"], &file["height"]),
        (&json!(480), &json!(360))
    );
    let photo = bytes(&desk, &file).await;

    let upload = http()
        .post(format!(
            "{}/api/v1/media?name=answer.png",
            desk.docket.url()
        ))
        .bearer_auth(desk.owner.token())
        .body(photo.clone())
        .send()
        .await
        .unwrap();
    let upload: Value = upload.json().await.unwrap();
    let reply = json!({"text": "Turn this", "media_id": upload["id"]});
    let path = format!("/cases/{reference}/replies");
    let queued = desk.owner.post(&path, &reply).await.expect(202);
    let message_id = queued["message_id"].as_str().unwrap();
    desk.owner.delivery(reference, message_id, "read").await;
    let accepted = desk.installation.simulator.accepted().pop().unwrap();
    assert_eq!(accepted.text, format!("Turn this #{reference}"));
    let shown = desk
        .installation
        .simulator
        .conversation(&customer(1), OURS, Channel::Whatsapp)
        .pop()
        .unwrap();
    let EntryKind::File { media, url, .. } = shown.kind else {
        panic!("{shown:?}");
    };
    assert_eq!(media, "image");
    let arrived = http()
        .get(format!("{}{url}", desk.installation.simulator.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(arrived.bytes().await.unwrap(), photo);
    desk.close().await;
}
