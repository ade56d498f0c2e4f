//! Evidence bundles: made, checked, and checked again by somebody who has nothing of Docket.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use docket::evidence::bundle::check::check;
use docket::evidence::note::{LogSigner, PublicKey};
use docket_projections::evidence::audit::{FaultKind, Report};
use docket_projections::testing::tamper::tamper;
use http_body_util::BodyExt as _;
use serde_json::json;
use sha2::Digest as _;
use tower::ServiceExt as _;
use zip::write::SimpleFileOptions;

use crate::media;
use crate::support::{Api, wait};

/// A case with messages, a note, a reply, and others beside it; gives its reference.
async fn case(api: &Api, messages: usize) -> u32 {
    api.set_up().await;
    let (cases, _) = api
        .receives("An appointment, please: \u{1f600} \"soon\" <b>\n\u{7f}")
        .await;
    let reference = cases[0];
    for place in 1..messages {
        api.receives(&format!("Message {place}")).await;
    }
    let note = json!({"text": "A note for colleagues"});
    api.does("POST", &format!("/cases/{reference}/notes"), &note)
        .await
        .expect(201);
    let reply = json!({"text": "Tomorrow at ten"});
    api.does("POST", &format!("/cases/{reference}/replies"), &reply)
        .await
        .expect(202);
    reference
}

async fn bundle(api: &Api, reference: u32) -> Vec<u8> {
    let path = format!("/cases/{reference}/bundle");
    let request = api.call("GET", &path, Some(&api.auditor)).build();
    let answer = api.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/zip");
    let name = format!("attachment; filename=\"docket-case-{reference}.zip\"");
    assert_eq!(answer.headers()["content-disposition"], name.as_str());
    answer
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes()
        .to_vec()
}

type Files = Vec<(String, Vec<u8>)>;

fn unpack(bundle: &[u8]) -> Files {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bundle)).unwrap();
    (0..zip.len())
        .map(|place| {
            let mut file = zip.by_index(place).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

fn pack(files: &Files, path: &Path) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in files {
        zip.start_file(name.as_str(), SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

fn file<'a>(files: &'a mut Files, name: &str) -> &'a mut Vec<u8> {
    let found = files.iter_mut().find(|(file, _)| file == name);
    &mut found.unwrap().1
}

/// What the script of the documentation says.
fn script(bundle: &Path, key: Option<&Path>) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/samples/check_bundle.py");
    let done = Command::new("python3")
        .arg(script)
        .arg(bundle)
        .args(key)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if done.status.success() {
        Ok(text(&done.stdout))
    } else {
        Err(text(&done.stderr))
    }
}

#[tokio::test]
async fn a_bundle_proves_a_case_to_somebody_who_has_nothing_else() {
    let api = Api::start().await;
    let reference = case(&api, 5).await;
    let folder = tempfile::tempdir().unwrap();
    let (path, key_path) = (
        folder.path().join("case.zip"),
        folder.path().join("key.txt"),
    );
    let made = bundle(&api, reference).await;
    std::fs::write(&path, &made).unwrap();
    let secret = api.app.vonage.settings.key();
    let key = docket::evidence::public_key(&api.app.pool, secret)
        .await
        .unwrap()
        .unwrap();
    std::fs::write(&key_path, key.as_str()).unwrap();

    let checked = check(&path, Some(key)).unwrap();
    assert!(checked.report.is_clean(), "{:#?}", checked.report);
    assert_eq!(checked.stream, format!("Case/{reference}"));
    assert!(checked.report.events >= 8);
    let said = script(&path, Some(&key_path)).unwrap();
    assert!(
        said.contains(&format!(
            "Case/{reference}: {} events",
            checked.report.events
        )),
        "{said}"
    );
    assert!(script(&path, None).unwrap().contains("compare this key"));

    let mut files = unpack(&made);
    let transcript = String::from_utf8(file(&mut files, "transcript.html").clone()).unwrap();
    for part in [
        "&#60;b&#62;",
        "Message 4",
        "A note for colleagues",
        "Tomorrow at ten",
        "outbound, SMS, queued",
        "inbound, SMS",
        "@page",
    ] {
        assert!(transcript.contains(part), "{part}: {transcript}");
    }
    assert!(
        !transcript.contains("<b>") && !transcript.contains("http"),
        "{transcript}"
    );
    api.close().await;
}

#[tokio::test]
async fn whatever_is_changed_in_a_bundle_is_found() {
    type Spoil = fn(&mut Files);
    let api = Api::start().await;
    let reference = case(&api, 4).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.zip");
    let files = unpack(&bundle(&api, reference).await);
    let secret = api.app.vonage.settings.key();
    let key = docket::evidence::public_key(&api.app.pool, secret)
        .await
        .unwrap()
        .unwrap();
    let kinds = |report: &Report| -> Vec<FaultKind> {
        report.faults.iter().map(|fault| fault.kind).collect()
    };

    let spoils: [(Spoil, FaultKind); 9] = [
        (
            |files| replace(files, "events.jsonl", "Message 1", "Message 9"),
            FaultKind::Changed,
        ),
        (|files| drop_line(files, "events.jsonl"), FaultKind::Changed),
        (|files| drop_line(files, "proofs.jsonl"), FaultKind::Changed),
        (
            |files| replace(files, "transcript.html", "Message 1", "Message 9"),
            FaultKind::Changed,
        ),
        (
            |files| {
                replace(
                    files,
                    "manifest.json",
                    "docket-bundle/1",
                    "docket-bundle/1 ",
                );
            },
            FaultKind::Signature,
        ),
        (
            |files| replace(files, "manifest.txt", "Docket bundle", "Docket Bundle"),
            FaultKind::Signature,
        ),
        (
            |files| drop_line(files, "checkpoint.txt"),
            FaultKind::Signature,
        ),
        (
            |files| files.retain(|(name, _)| name != "proofs.jsonl"),
            FaultKind::Missing,
        ),
        (
            |files| files.push(("more.txt".to_owned(), b"more".to_vec())),
            FaultKind::Order,
        ),
    ];
    for (place, (spoil, kind)) in spoils.into_iter().enumerate() {
        let mut other = files.clone();
        spoil(&mut other);
        pack(&other, &path);
        let checked = check(&path, Some(key.clone())).unwrap();
        assert!(
            kinds(&checked.report).contains(&kind),
            "{place}: {:#?}",
            checked.report
        );
        assert!(script(&path, None).is_err(), "{place}");
    }

    // Signed anew with a key of one's own.
    let forger = LogSigner::generate(key.as_str().split('+').next().unwrap());
    let mut other = files.clone();
    *file(&mut other, "public-key.txt") = forger.public_key().into();
    pack(&other, &path);
    let checked = check(&path, Some(key.clone())).unwrap();
    assert!(
        kinds(&checked.report).contains(&FaultKind::Key),
        "{:#?}",
        checked.report
    );
    let checked = check(&path, PublicKey::read(forger.public_key())).unwrap();
    assert!(
        kinds(&checked.report).contains(&FaultKind::Signature),
        "{:#?}",
        checked.report
    );

    std::fs::write(&path, "no zip").unwrap();
    check(&path, Some(key)).unwrap_err();
    api.close().await;
}

fn replace(files: &mut Files, name: &str, from: &str, to: &str) {
    let bytes = file(files, name);
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains(from), "{name}: {text}");
    *bytes = text.replace(from, to).into_bytes();
}

/// Takes the second line away.
fn drop_line(files: &mut Files, name: &str) {
    let bytes = file(files, name);
    let text = String::from_utf8(bytes.clone()).unwrap();
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines.remove(1);
    *bytes = lines.concat().into_bytes();
}

#[tokio::test]
async fn that_a_case_is_exported_is_recorded() {
    let api = Api::start().await;
    let reference = case(&api, 2).await;
    bundle(&api, reference).await;
    api.app.audit.settled().await;
    let log = api.owner_does("GET", "/events/export", &json!({})).await;
    let events: Vec<serde_json::Value> = (log.text.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let begun = events
        .iter()
        .find(|event| event["type"] == "docket.Export.ExportBegun")
        .unwrap();
    assert_eq!(begun["data"]["what"], "case");
    assert_eq!(begun["data"]["reference"], reference);
    assert_eq!(begun["useremail"], "auditor@example.com");
    let ended = events
        .iter()
        .find(|event| event["type"] == "docket.Export.ExportEnded")
        .unwrap();
    assert_eq!(ended["data"]["is_whole"], true);

    api.call("GET", "/cases/999/bundle", Some(&api.auditor))
        .send()
        .await
        .problem(404, "not-found");
    api.get(&format!("/cases/{reference}/bundle"))
        .await
        .problem(403, "forbidden");
    api.close().await;
}

#[tokio::test]
async fn a_case_that_was_changed_beneath_docket_gets_no_bundle() {
    let api = Api::start().await;
    let reference = case(&api, 2).await;
    bundle(&api, reference).await;
    wait(61);
    let sql = format!(
        "UPDATE events SET recorded_at = recorded_at + interval '1 second' WHERE aggregate_type = 'Case' AND aggregate_id = '{reference}' AND sequence = 2"
    );
    tamper(&api.app.pool, &sql).await;
    let path = format!("/cases/{reference}/bundle");
    let answer = api.call("GET", &path, Some(&api.owner)).send().await;
    let problem = answer.problem(409, "not-signed");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("docket verify"),
        "{problem}"
    );
    api.close().await;
}

#[tokio::test]
async fn a_bundle_holds_the_files_that_messages_carry() {
    let (api, host, base) = media::start().await;
    host.has("1", media::PIXEL);
    for (name, there) in [("roof.png", "1"), ("roof.png", "1"), ("gone.png", "2")] {
        let photo = media::photo(&format!("{base}/{there}"), name, "The <roof>");
        api.takes(&photo).await;
    }
    host.fails("2", axum::http::StatusCode::GONE);
    wait(1);
    api.media_rounds().await;
    let mut files = unpack(&bundle(&api, 101).await);
    let digest = hex::encode(sha2::Sha256::digest(media::PIXEL));
    let name = format!("media/{digest}.png");
    let kept: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        kept.iter().filter(|file| **file == name).count(),
        1,
        "{kept:?}"
    );
    assert_eq!(file(&mut files, &name), media::PIXEL);
    let page = String::from_utf8(file(&mut files, "transcript.html").clone()).unwrap();
    assert_eq!(page.matches(&format!("<img src=\"{name}\"")).count(), 2);
    assert!(page.contains("The file is not here yet: "), "{page}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.zip");
    pack(&files, &path);
    let secret = api.app.vonage.settings.key();
    let key = docket::evidence::public_key(&api.app.pool, secret)
        .await
        .unwrap();
    let checked = check(&path, key.clone()).unwrap();
    assert!(
        checked.report.faults.is_empty(),
        "{:?}",
        checked.report.faults
    );
    script(&path, None).unwrap();
    file(&mut files, &name).push(0);
    pack(&files, &path);
    let checked = check(&path, key).unwrap();
    assert_eq!(checked.report.faults[0].kind, FaultKind::Changed);
    script(&path, None).unwrap_err();
    api.close().await;
}
