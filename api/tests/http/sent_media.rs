//! Files that go out with replies.

use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse as _;
use docket::media::sent;
use docket::simulator::keys;
use docket::vonage::client::{Client, ClientOptions, Credentials};
use docket_domain::ids::MessageId;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::media::media;
use crate::support::{Api, CUSTOMER, new_id, text, wait};

const HOUR: i64 = 3_600;
const WHATSAPP: &str = "447700900001";
const MMS: &str = "12025550100";
/// The beginning of a JPEG, by which it is known.
const PICTURE: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";

type Calls = Arc<Mutex<Vec<Value>>>;

/// A Vonage that takes everything, and notes it.
async fn vonage(api: &Api) -> Calls {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let calls = Calls::default();
    let router = Router::new()
        .fallback(async |State(calls): State<Calls>, body: Bytes| {
            calls
                .lock()
                .unwrap()
                .push(serde_json::from_slice(&body).unwrap());
            (StatusCode::ACCEPTED, r#"{"message_uuid": "v"}"#).into_response()
        })
        .with_state(Arc::clone(&calls));
    tokio::spawn(axum::serve(listener, router).into_future());
    let credentials = Credentials {
        application_id: "00000000-0000-4000-8000-000000000001".to_owned(),
        private_key_pem: keys().private_key_pem,
    };
    let client = Client::new(&url, &credentials, ClientOptions::default()).unwrap();
    api.app.vonage.client.store(Some(Arc::new(client)));
    calls
}

/// An API with a line of each channel, and case 101 by WhatsApp, 102 by SMS.
async fn start(has_public_url: bool) -> Api {
    let media = media("https://vonage.example.com", 30, has_public_url);
    let api = Api::start()
        .await
        .with_media(media.with_mms(vec![MMS.to_owned()]));
    let ids = api.set_up().await;
    for (number, channel) in [(WHATSAPP, "whatsapp"), (MMS, "sms")] {
        let line = json!({"number": number, "channel": channel, "survey_id": ids.survey});
        api.owner_does("POST", "/lines", &line).await.expect(201);
    }
    let message = json!({
        "channel": "whatsapp", "message_uuid": new_id(), "to": WHATSAPP, "from": CUSTOMER,
        "timestamp": "2026-03-01T11:59:58Z", "message_type": "text", "text": "Hello", "context_status": "none",
    });
    api.takes(&message).await;
    api
}

async fn uploads(api: &Api, name: &str, bytes: impl Into<axum::body::Body>) -> String {
    let call = api.call("POST", &format!("/media?name={name}"), Some(&api.agent));
    let kept = call
        .raw("application/octet-stream", bytes)
        .send()
        .await
        .expect(201);
    text(&kept["id"])
}

/// What Vonage gets at an address of ours.
async fn fetched(api: &Api, url: &str) -> (StatusCode, String, Vec<u8>) {
    let path = url.strip_prefix("http://127.0.0.1").unwrap();
    let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
    let answer = sent::router(api.app.clone())
        .oneshot(request)
        .await
        .unwrap();
    let status = answer.status();
    let media_type = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, media_type, bytes.to_vec())
}

#[tokio::test]
async fn a_picture_goes_out_at_an_address_for_that_message_alone() {
    let api = start(true).await;
    let calls = vonage(&api).await;
    let media_id = uploads(&api, "roof.jpg", PICTURE).await;
    let reply = json!({"text": "As you asked", "media_id": media_id});
    let call = || api.call("POST", "/cases/101/replies", Some(&api.agent));
    let queued = call().key("k").json(&reply).send().await.expect(202);
    let again = call().key("k").json(&reply).send().await.expect(202);
    assert_eq!(queued, again);
    api.worker_rounds().await;
    let sent = calls.lock().unwrap().clone();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["message_type"], "image");
    assert_eq!(sent[0]["channel"], "whatsapp");
    assert_eq!(sent[0]["image"]["caption"], "As you asked #101");
    assert_eq!(sent[0].get("text"), None);
    let url = text(&sent[0]["image"]["url"]);
    assert!(url.ends_with("/file.jpg"), "{url}");
    let (status, media_type, bytes) = fetched(&api, &url).await;
    assert_eq!((status.as_u16(), media_type.as_str()), (200, "image/jpeg"));
    assert_eq!(bytes, PICTURE);

    // Another message's address is another.
    let id = text(&queued["message_id"]);
    let other = url.replace(&id, &new_id().to_string());
    assert_eq!(fetched(&api, &other).await.0, 404);
    let pass = api
        .app
        .media
        .link_key()
        .pass(MessageId(new_id()), (api.app.clock)());
    let forged = format!("http://127.0.0.1/media/sent/{id}/{pass}/file.jpg");
    assert_eq!(fetched(&api, &forged).await.0, 404);
    wait(48 * HOUR);
    assert_eq!(fetched(&api, &url).await.0, 404);

    let thread = api.get("/cases/101/thread").await.expect(200);
    let item = thread["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(item["text"], "As you asked");
    assert_eq!(item["media"][0]["id"], media_id);
    assert_eq!(item["media"][0]["state"], "stored");
    assert_eq!(item["media"][0]["name"], "roof.jpg");
    let seen = api.call("GET", &format!("/media/{media_id}"), Some(&api.auditor));
    assert_eq!(seen.send().await.bytes, PICTURE);
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn each_kind_goes_out_as_whatsapp_takes_it() {
    let api = start(true).await;
    let calls = vonage(&api).await;
    for (name, bytes, kind, told_name) in [
        ("a.mp3", &b"ID3\x04\0\0"[..], "audio", None),
        (
            "a.mp4",
            b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
            "video",
            None,
        ),
        ("a.pdf", b"%PDF-1.7", "file", Some("a.pdf")),
        ("a.gif", b"GIF89a\x01\0\x01\0", "file", Some("a.gif")),
    ] {
        let media_id = uploads(&api, name, bytes).await;
        let reply = json!({"media_id": media_id});
        api.does("POST", "/cases/101/replies", &reply)
            .await
            .expect(202);
        api.worker_rounds().await;
        let sent = calls.lock().unwrap().pop().unwrap();
        assert_eq!(sent["message_type"], kind, "{name}");
        assert_eq!(sent[kind]["name"].as_str(), told_name, "{name}");
        let caption = sent[kind]["caption"].as_str();
        assert_eq!(caption, (kind != "audio").then_some("#101"), "{name}");
    }
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn what_a_channel_does_not_carry_is_refused_with_the_reason() {
    let api = start(true).await;
    let calls = vonage(&api).await;
    let reply = |media_id: &str, text: &str| json!({"text": text, "media_id": media_id});
    let sound = uploads(&api, "a.mp3", &b"ID3\x04\0\0"[..]).await;
    let refused = api
        .does("POST", "/cases/101/replies", &reply(&sound, "Listen"))
        .await;
    refused.problem(409, "media-not-sendable");
    let mut large = PICTURE.to_vec();
    large.resize(5_000_001, 0);
    let large = uploads(&api, "large.jpg", large).await;
    let refused = api
        .does("POST", "/cases/101/replies", &reply(&large, ""))
        .await;
    refused.problem(409, "media-not-sendable");
    let unknown = reply(&new_id().to_string(), "");
    let refused = api.does("POST", "/cases/101/replies", &unknown).await;
    refused.problem(422, "invalid-value");
    let nothing = api.does("POST", "/cases/101/replies", &json!({})).await;
    nothing.problem(422, "invalid-body");

    // By SMS, and by MMS where the line can.
    let picture = uploads(&api, "roof.jpg", PICTURE).await;
    let by_sms = json!({"number": "447700900200", "text": "Good morning"});
    let lines = api.get("/lines").await.expect(200);
    let line_of = |number: &str| {
        let lines = lines["items"].as_array().unwrap().iter();
        let line = lines.clone().find(|line| line["number"] == number).unwrap();
        line["id"].clone()
    };
    for (number, case) in [(crate::support::OUR_NUMBER, 102), (MMS, 103)] {
        let mut begun = by_sms.clone();
        begun["line_id"] = line_of(number);
        begun["number"] = json!(format!("4477009002{case}"));
        api.does("POST", "/cases", &begun).await.expect(201);
    }
    let refused = api
        .does("POST", "/cases/102/replies", &reply(&picture, "Here"))
        .await;
    let problem = refused.problem(409, "media-not-sendable");
    assert!(text(&problem["detail"]).contains("DOCKET_MMS_LINES"));
    let refused = api
        .does("POST", "/cases/103/replies", &reply(&sound, ""))
        .await;
    refused.problem(409, "media-not-sendable");
    api.does("POST", "/cases/103/replies", &reply(&picture, "Here"))
        .await
        .expect(202);
    for _ in 0..3 {
        api.worker_rounds().await;
    }
    let sent = calls.lock().unwrap().clone();
    let mms = sent
        .iter()
        .find(|call| call["channel"] == "mms")
        .unwrap_or_else(|| panic!("{sent:?}"));
    assert_eq!(mms["image"]["caption"], "Here #103");
    api.close().await;
}

#[tokio::test]
async fn without_a_public_address_no_file_is_taken() {
    let api = start(false).await;
    let media_id = uploads(&api, "roof.jpg", PICTURE).await;
    let reply = json!({"text": "Here", "media_id": media_id});
    let refused = api.does("POST", "/cases/101/replies", &reply).await;
    let problem = refused.problem(409, "public-url-missing");
    assert!(text(&problem["detail"]).contains("DOCKET_PUBLIC_URL"));
    // A text goes all the same.
    let reply = json!({"text": "Here"});
    api.does("POST", "/cases/101/replies", &reply)
        .await
        .expect(202);
    api.close().await;
}
