//! Files in threads and in the reply box.

use docket::media::Media;
use docket::media::fetch::Fetcher;
use docket::media::hosts::AllowedHosts;
use docket::media::link::LinkKey;
use docket::media::store::MediaStore;
use docket::operations::media::RecordMedia;
use docket_domain::case::MediaNews;
use docket_domain::ids::MessageId;
use docket_domain::media::{MediaFailure, StoredFile};
use docket_domain::personal::Personal;
use serde_json::json;
use uuid::Uuid;

use crate::support::{CUSTOMER, House, OUR_NUMBER, wait};

const HOUR: i64 = 3_600;

async fn receives(house: &House, uuid: u128, kind: &str) -> MessageId {
    let mut message = json!({
        "channel": "mms", "message_uuid": Uuid::from_u128(uuid), "to": OUR_NUMBER, "from": CUSTOMER,
        "timestamp": "2026-03-01T11:59:58Z", "message_type": kind,
    });
    message[kind] = json!({"url": "https://api.nexmo.com/v3/media/1", "name": format!("{kind} <1>"), "caption": "Here"});
    house.receives_json(&message).await.1
}

async fn records(house: &House, message_id: MessageId, news: MediaNews) {
    let record = RecordMedia {
        message_id,
        item: 0,
        news,
    };
    house.app.ledger.submit(record).await.unwrap();
}

fn file(media_type: &str, size: u64) -> StoredFile {
    let is_picture = media_type.starts_with("image/");
    StoredFile {
        sha256: "a".repeat(64),
        size,
        media_type: media_type.to_owned(),
        name: Some(Personal("roof <1>.jpg".to_owned())),
        width: is_picture.then_some(1_600),
        height: is_picture.then_some(1_200),
    }
}

#[tokio::test]
async fn a_thread_shows_files_or_says_why_not() {
    let house = House::start().await;
    let photo = receives(&house, 1, "image").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    page.shows("The file is not here yet: Docket is fetching it.")
        .shows("image &#60;1&#62;")
        .lacks("api.nexmo.com");

    records(
        &house,
        photo,
        MediaNews::Stored(file("image/jpeg", 182_044)),
    )
    .await;
    let sound = receives(&house, 2, "audio").await;
    records(&house, sound, MediaNews::Stored(file("audio/ogg", 9_000))).await;
    let film = receives(&house, 3, "video").await;
    records(
        &house,
        film,
        MediaNews::Stored(file("video/mp4", 9_000_000)),
    )
    .await;
    let document = receives(&house, 4, "file").await;
    records(&house, document, MediaNews::Stored(file("text/html", 900))).await;
    let lost = receives(&house, 5, "image").await;
    let failure = MediaFailure::TooLarge { max_mb: 100 };
    records(&house, lost, MediaNews::Failed(failure)).await;
    receives(&house, 6, "image").await;
    wait(48 * HOUR);

    let page = agent.get("/cases/101").await;
    page.shows("<audio controls preload=\"none\" src=\"/api/v1/media/")
        .shows("<video controls preload=\"metadata\" width=\"320\" height=\"180\" src=\"/api/v1/media/")
        .shows("roof &#60;1&#62;.jpg")
        .shows("HTML, 900 bytes")
        .shows("?download=true")
        .shows("The file is not kept: it is too large: DOCKET_MEDIA_MAX_MB allows 100 MB.")
        .shows("Vonage deletes files after 48 hours");
    // Nothing jumps when the picture comes.
    page.shows("/thumbnail\" alt=\"Photo: roof &#60;1&#62;.jpg\" width=\"320\" height=\"240\" loading=\"lazy\"");
    let changes = agent.refresh("/cases/101/changes?since=1&first=1").await;
    changes.is(200).shows("/thumbnail");
    house.close().await;
}

fn media() -> Media {
    let hosts = AllowedHosts::new(&"https://api.nexmo.com".parse().unwrap(), vec![]);
    Media::new(
        MediaStore::default(),
        Fetcher::new(hosts).unwrap(),
        1,
        LinkKey::new(vec![7; 32]),
        true,
    )
}

/// A case by WhatsApp.
async fn case(house: &House) {
    crate::replies::add_whatsapp(house).await;
    house
        .receives_json(&json!({
            "channel": "whatsapp", "message_uuid": Uuid::from_u128(1), "to": OUR_NUMBER, "from": CUSTOMER,
            "timestamp": "2026-03-01T11:59:58Z", "message_type": "text", "text": "Hello", "context_status": "none",
        }))
        .await;
}

#[tokio::test]
async fn a_form_carries_a_file_without_the_script() {
    let house = House::start().await.with_media(media());
    case(&house).await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    page.shows("enctype=\"multipart/form-data\"")
        .shows("type=\"file\" id=\"upload\" name=\"file\"");
    let fields = [
        ("as", "reply"),
        ("text", "As you asked"),
        ("seen_version", "2"),
    ];
    let sent = agent
        .send_file(&page, "/cases/101/write", &fields, ("file", "Hello"))
        .await;
    sent.is(200).shows("private.key").shows("Text, 5 bytes");
    let refused = agent
        .send_file(
            &page,
            "/cases/101/write",
            &[("as", "reply"), ("text", "Late"), ("seen_version", "1")],
            ("file", "Hello again"),
        )
        .await;
    // What was chosen is kept, as what was written is.
    refused.shows("Late");
    let kept = refused
        .text
        .split("name=\"media_id\" value=\"")
        .nth(1)
        .unwrap();
    assert!(
        kept.split('"').next().unwrap().parse::<Uuid>().is_ok(),
        "{kept:.60}"
    );
    let large = "x".repeat(1_000_001);
    let fields = [("as", "reply"), ("text", "Large"), ("seen_version", "9")];
    let refused = agent
        .send_file(&page, "/cases/101/write", &fields, ("file", &large))
        .await;
    refused.is(413);
    house.close().await;
}

#[tokio::test]
async fn the_script_uploads_a_file_beside_the_form() {
    let house = House::start().await.with_media(media());
    case(&house).await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    let csrf = page.text.split("name=\"csrf\" value=\"").nth(1).unwrap();
    let csrf = csrf.split('"').next().unwrap().to_owned();
    let upload = |csrf: &str| {
        format!(
            "--edge\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"letter.txt\"\r\n\r\nHello\r\n--edge--\r\n"
        )
    };
    let kept = agent.uploads("/media", &upload(&csrf)).await;
    kept.is(201);
    let kept: serde_json::Value = serde_json::from_str(&kept.text).unwrap();
    assert_eq!(kept["name"], "letter.txt");
    assert_eq!(kept["about"], "Text, 5 bytes");
    // A form that is not ours keeps nothing.
    let forged = agent.uploads("/media", &upload("forged")).await;
    assert!(forged.status.is_client_error());
    let mut auditor = house.signed_in("auditor").await;
    let page = auditor.get("/").await;
    let csrf = page.text.split("name=\"csrf\" value=\"").nth(1).unwrap();
    let csrf = csrf.split('"').next().unwrap().to_owned();
    auditor.uploads("/media", &upload(&csrf)).await.is(403);
    house.close().await;
}
