//! The files that messages carry: fetched, kept, shown to those who reach them, or missing with the reason.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use docket::media::fetch::Fetcher;
use docket::media::hosts::AllowedHosts;
use docket::media::link::LinkKey;
use docket::media::store::MediaStore;
use docket::media::{MB, Media};
use docket_domain::ids::Reference;
use docket_projections::ledger::operation::Answer as LedgerAnswer;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Answer, Api, CUSTOMER, OUR_NUMBER, new_id, survey, text, wait};

const HOUR: i64 = 3_600;
/// A PNG of one pixel, one wide and one high.
pub(crate) const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

/// A host of files that answers what it is told to, and counts its calls.
#[derive(Clone, Default)]
pub(crate) struct Host {
    files: Arc<Mutex<HashMap<String, Result<Bytes, StatusCode>>>>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Host {
    async fn start() -> (Self, String) {
        async fn answer(State(host): State<Host>, Path(name): Path<String>) -> Response {
            host.calls.lock().unwrap().push(name.clone());
            match host.files.lock().unwrap().get(&name) {
                Some(Ok(bytes)) => bytes.clone().into_response(),
                Some(Err(status)) => status.into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            }
        }
        let host = Self::default();
        let router = Router::new()
            .route("/{name}", get(answer))
            .with_state(host.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (host, base)
    }

    pub(crate) fn has(&self, name: &str, bytes: impl Into<Bytes>) {
        let mut files = self.files.lock().unwrap();
        files.insert(name.to_owned(), Ok(bytes.into()));
    }

    pub(crate) fn fails(&self, name: &str, status: StatusCode) {
        let mut files = self.files.lock().unwrap();
        files.insert(name.to_owned(), Err(status));
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

/// Media of at most `max_mb` MB, fetched from `base` alone.
pub(crate) fn media(base: &str, max_mb: u64, has_public_url: bool) -> Media {
    let hosts = AllowedHosts::new(&base.parse().unwrap(), vec![]);
    Media::new(
        MediaStore::default(),
        Fetcher::new(hosts).unwrap(),
        max_mb,
        LinkKey::new(vec![7; 32]),
        has_public_url,
    )
}

pub(crate) async fn start() -> (Api, Host, String) {
    let (host, base) = Host::start().await;
    let api = Api::start().await.with_media(media(&base, 1, true));
    api.set_up().await;
    (api, host, base)
}

/// The webhook of a message with a file.
pub(crate) fn photo(url: &str, name: &str, caption: &str) -> Value {
    json!({
        "channel": "mms", "message_uuid": new_id(), "to": OUR_NUMBER, "from": CUSTOMER,
        "timestamp": "2026-03-01T11:59:58Z", "message_type": "image",
        "image": {"url": url, "name": name, "caption": caption},
    })
}

/// The only file of the newest message of a case.
async fn file(api: &Api, case: u32) -> Value {
    let thread = api.get(&format!("/cases/{case}/thread")).await.expect(200);
    let items = thread["items"].as_array().unwrap();
    let files: Vec<_> = items
        .iter()
        .filter_map(|item| item["media"].as_array())
        .flatten()
        .collect();
    (*files.last().unwrap()).clone()
}

async fn events(api: &Api, case: u32, kind: &str) -> Vec<Value> {
    let events = api.get(&format!("/cases/{case}/events")).await.expect(200);
    let events = events["items"].as_array().unwrap().iter();
    events
        .filter(|event| event["type"] == kind)
        .map(|event| event["data"].clone())
        .collect()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().unwrap()
}

#[tokio::test]
async fn a_photo_is_fetched_once_and_shown_as_what_it_is() {
    let (api, host, base) = start().await;
    host.has("1", PIXEL);
    api.takes(&photo(&format!("{base}/1"), "roof.png", "The roof"))
        .await;
    let waiting = file(&api, 101).await;
    assert_eq!(waiting["state"], "waiting");
    assert_eq!(
        waiting["reason"],
        "The file is not here yet: Docket is fetching it."
    );
    let id = text(&waiting["id"]);
    api.get(&format!("/media/{id}"))
        .await
        .problem(404, "not-found");

    assert_eq!(api.media_rounds().await, 1);
    assert_eq!(api.media_rounds().await, 0);
    assert_eq!(host.calls(), 1);
    let stored = file(&api, 101).await;
    assert_eq!(stored["id"], id);
    assert_eq!(stored["state"], "stored");
    assert_eq!(stored["type"], "image/png");
    assert_eq!(stored["name"], "roof.png");
    assert_eq!(stored["size"], PIXEL.len());
    assert_eq!(
        (&stored["width"], &stored["height"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(stored["reason"], Value::Null);
    let recorded = events(&api, 101, "MediaStored").await;
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0]["sha256"], stored["sha256"]);
    assert_eq!(recorded[0]["type"], "image/png");

    let shown = api.get(&format!("/media/{id}")).await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.bytes, PIXEL);
    assert_eq!(header(&shown, "content-type"), "image/png");
    assert_eq!(header(&shown, "x-content-type-options"), "nosniff");
    assert_eq!(
        header(&shown, "content-security-policy"),
        "sandbox; default-src 'none'"
    );
    assert!(header(&shown, "content-disposition").starts_with("inline; filename=\"roof.png\""));
    let tag = header(&shown, "etag").to_owned();
    let call = |name: &str, value: &str| {
        let path = format!("/media/{id}");
        api.call("GET", &path, Some(&api.agent)).header(name, value)
    };
    assert_eq!(call("if-none-match", &tag).send().await.status, 304);
    let part = call("range", "bytes=1-3").send().await;
    assert_eq!((part.status.as_u16(), part.text.as_str()), (206, "PNG"));
    assert_eq!(
        header(&part, "content-range"),
        format!("bytes 1-3/{}", PIXEL.len())
    );
    assert_eq!(header(&part, "content-length"), "3");
    assert_eq!(call("range", "bytes=9000-").send().await.status, 416);
    let saved = api.get(&format!("/media/{id}?download=true")).await;
    assert!(header(&saved, "content-disposition").starts_with("attachment"));

    let small = api.get(&format!("/media/{id}/thumbnail")).await;
    assert_eq!(small.status, 200);
    assert_eq!(header(&small, "content-type"), "image/png");
    api.equals_its_log().await;
    assert_eq!(api.media_rounds().await, 0, "a rebuild fetches nothing");
    api.close().await;
}

#[tokio::test]
async fn a_file_is_shown_to_nobody_who_does_not_reach_its_cases() {
    let (api, host, base) = start().await;
    host.has("1", PIXEL);
    api.takes(&photo(&format!("{base}/1"), "roof.png", ""))
        .await;
    api.media_rounds().await;
    let id = text(&file(&api, 101).await["id"]);
    let path = format!("/media/{id}");
    let anonymous = api.call("GET", &path, None).send().await;
    anonymous.problem(401, "unauthenticated");
    for token in [&api.owner, &api.agent, &api.auditor] {
        let answer = api.call("GET", &path, Some(token)).send().await;
        assert_eq!(answer.status, 200);
    }
    let users = api
        .owner_does("GET", "/users", &json!({}))
        .await
        .expect(200);
    let agent = users["items"].as_array().unwrap().iter();
    let agent = agent.clone().find(|user| user["role"] == "agent").unwrap();
    let mut other = survey();
    other["name"] = json!("Another");
    let other = api.owner_does("POST", "/surveys", &other).await.expect(201);
    let change = json!({"surveys": [other["id"]]});
    api.owner_does("PATCH", &format!("/users/{}", text(&agent["id"])), &change)
        .await
        .expect(200);
    api.get(&path).await.problem(404, "not-found");
    api.get(&format!("{path}/thumbnail"))
        .await
        .problem(404, "not-found");
    api.close().await;
}

#[tokio::test]
async fn a_file_that_does_not_come_is_tried_again_with_growing_pauses() {
    let (api, host, base) = start().await;
    api.takes(&photo(&format!("{base}/1"), "roof.png", ""))
        .await;
    assert_eq!(api.media_rounds().await, 1);
    let waiting = file(&api, 101).await;
    assert_eq!(waiting["state"], "waiting");
    assert_eq!(
        waiting["reason"],
        "The file is not here yet: Vonage answered 404 at 12:00. Docket tries again at 12:00 UTC."
    );
    assert!(waiting["tries_again_at"].is_string());
    wait(4);
    assert_eq!(api.media_rounds().await, 0);
    wait(1);
    assert_eq!(api.media_rounds().await, 1);
    wait(9);
    assert_eq!(api.media_rounds().await, 0);
    host.fails("1", StatusCode::SERVICE_UNAVAILABLE);
    wait(1);
    assert_eq!(api.media_rounds().await, 1);
    host.has("1", PIXEL);
    wait(20);
    assert_eq!(api.media_rounds().await, 1);
    assert_eq!(host.calls(), 4);
    assert_eq!(file(&api, 101).await["state"], "stored");
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn a_file_is_given_up_when_vonage_has_deleted_it() {
    let (api, host, base) = start().await;
    api.takes(&photo(&format!("{base}/1"), "roof.png", ""))
        .await;
    let mut rounds = 0;
    while file(&api, 101).await["state"] == "waiting" {
        rounds += 1;
        assert!(rounds < 100, "it is never given up");
        assert_eq!(api.media_rounds().await, 1);
        wait(HOUR);
    }
    let failed = file(&api, 101).await;
    assert_eq!(failed["state"], "failed");
    assert_eq!(
        failed["reason"],
        "The file is not kept: Vonage answered 404."
    );
    assert_eq!(events(&api, 101, "MediaFailed").await.len(), 1);
    let calls = host.calls();
    api.equals_its_log().await;
    host.has("1", PIXEL);
    wait(HOUR);
    assert_eq!(api.media_rounds().await, 0);
    assert_eq!(host.calls(), calls);

    // Nobody asked in time, as before an upgrade.
    api.takes(&photo(&format!("{base}/2"), "wall.png", ""))
        .await;
    wait(48 * HOUR);
    assert_eq!(api.media_rounds().await, 0);
    let late = file(&api, 101).await;
    assert_eq!(late["state"], "failed");
    assert_eq!(
        late["reason"],
        "The file is not kept: Vonage deletes files after 48 hours, and Docket did not fetch it before."
    );
    api.close().await;
}

#[tokio::test]
async fn what_cannot_be_kept_says_why() {
    let (api, host, base) = start().await;
    host.has("large", vec![b'x'; 1_000_001]);
    host.has("page", "<html><script>alert(1)</script></html>");
    for (url, state, reason) in [
        (
            format!("{base}/large"),
            "failed",
            "The file is not kept: it is too large: DOCKET_MEDIA_MAX_MB allows 1 MB.",
        ),
        (
            "https://files.example.com/1".to_owned(),
            "waiting",
            "The file is not here yet: it is from a host that is not allowed, files.example.com: add it to DOCKET_MEDIA_HOSTS at 12:00. Docket tries again at 12:00 UTC.",
        ),
        (
            "http://169.254.169.254/latest".to_owned(),
            "waiting",
            "The file is not here yet: it is from a host that is not allowed, 169.254.169.254: add it to DOCKET_MEDIA_HOSTS at 12:00. Docket tries again at 12:00 UTC.",
        ),
    ] {
        api.takes(&photo(&url, "a", "")).await;
        assert_eq!(api.media_rounds().await, 1, "{url}");
        let shown = file(&api, 101).await;
        assert_eq!(shown["state"], state, "{url}");
        assert_eq!(shown["reason"], reason, "{url}");
    }
    assert_eq!(1_000_000, MB);
    // What could run is only to be saved.
    api.takes(&photo(&format!("{base}/page"), "photo.jpg", ""))
        .await;
    api.media_rounds().await;
    let page = file(&api, 101).await;
    assert_eq!(page["has_thumbnail"], false);
    let path = format!("/media/{}", text(&page["id"]));
    let shown = api.get(&path).await;
    assert_eq!(header(&shown, "content-type"), "application/octet-stream");
    assert!(header(&shown, "content-disposition").starts_with("attachment"));
    let none = api.get(&format!("{path}/thumbnail")).await;
    none.problem(404, "not-found");
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn each_case_of_a_message_shows_its_file_wherever_the_message_goes() {
    let (api, host, base) = start().await;
    host.has("1", PIXEL);
    api.receives("The roof leaks").await;
    api.receives("#0 Opening hours").await;
    let taken = api
        .takes(&photo(&format!("{base}/1"), "roof.png", ""))
        .await;
    let LedgerAnswer::Done(docket::operations::receive::Received::Routed {
        message_id,
        references,
        ..
    }) = taken
    else {
        panic!("{taken:?}");
    };
    assert_eq!(
        references
            .iter()
            .copied()
            .map(Reference::get)
            .collect::<Vec<_>>(),
        [101, 102]
    );
    let path = format!("/cases/102/messages/{message_id}/move");
    let before = api.get("/cases/102").await.expect(200);
    wait(1);
    api.media_rounds().await;
    for case in [101, 102] {
        assert_eq!(file(&api, case).await["state"], "stored");
        assert_eq!(events(&api, case, "MediaStored").await.len(), 1);
    }
    assert_eq!(host.calls(), 1);
    // A file that came is no news for a reply that was begun before.
    let reply = json!({"text": "Thank you", "seen_version": before["version"]});
    api.does("POST", "/cases/102/replies", &reply)
        .await
        .expect(202);

    let moved = api.does("POST", &path, &json!({})).await.expect(200);
    let new = u32::try_from(moved["reference"].as_u64().unwrap_or(103)).unwrap();
    assert_eq!(file(&api, new).await["state"], "stored");
    // As it was before the file came.
    let early = api
        .get(&format!(
            "/cases/102/thread?at={}",
            before["version"].as_u64().unwrap()
        ))
        .await
        .expect(200);
    let items = early["items"].as_array().unwrap();
    assert_eq!(items.last().unwrap()["media"][0]["state"], "waiting");
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn files_are_uploaded_as_they_are_or_in_a_form() {
    let (api, _, _) = start().await;
    let call = || api.call("POST", "/media?name=roof.png", Some(&api.agent));
    let one = call().raw("image/png", PIXEL).send().await.expect(201);
    assert_eq!(one["type"], "image/png");
    assert_eq!(one["name"], "roof.png");
    assert_eq!(one["size"], PIXEL.len());
    let form = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"wall.txt\"\r\n\r\nHello\r\n--b--\r\n";
    let two = api
        .call("POST", "/media", Some(&api.agent))
        .raw("multipart/form-data; boundary=b", &form[..])
        .send()
        .await
        .expect(201);
    assert_eq!(
        (&two["name"], &two["type"]),
        (&json!("wall.txt"), &json!("text/plain"))
    );

    let path = format!("/media/{}", text(&one["id"]));
    assert_eq!(api.get(&path).await.bytes, PIXEL);
    let other = api.call("GET", &path, Some(&api.owner)).send().await;
    other.problem(404, "not-found");

    let again = call()
        .key("k")
        .raw("image/png", PIXEL)
        .send()
        .await
        .expect(201);
    let same = call()
        .key("k")
        .raw("image/png", PIXEL)
        .send()
        .await
        .expect(201);
    assert_eq!(again["id"], same["id"]);
    assert_ne!(again["id"], one["id"]);
    let reused = call().key("k").raw("image/png", "other").send().await;
    reused.problem(422, "idempotency-key-reused");
    call()
        .raw("text/plain", "")
        .send()
        .await
        .problem(422, "invalid-value");
    let large = call().raw("text/plain", vec![b'x'; 1_000_001]).send().await;
    let problem = large.problem(413, "body-too-large");
    assert!(text(&problem["detail"]).contains("DOCKET_MEDIA_MAX_MB"));
    api.close().await;
}
