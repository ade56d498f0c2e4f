//! Checkpoints of the log, the tiles of its tree, and what goes outside.

use std::path::Path;

use axum::body::Bytes;
use docket::app::App;
use docket::evidence;
use docket::evidence::keep::Keeper;
use docket::evidence::note::{PublicKey, split};
use docket::evidence::outlets::OutletsConfig;
use docket_projections::evidence::{checkpoints, tree};
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::{Api, wait};

fn to_file(path: &Path) -> OutletsConfig {
    OutletsConfig {
        file: Some(path.to_owned()),
        url: None,
    }
}

async fn public_key(app: &App) -> PublicKey {
    let state = tree::state(&app.pool).await.unwrap();
    PublicKey::read(&state.public_key.unwrap()).unwrap()
}

async fn trouble(app: &App) -> Option<String> {
    tree::state(&app.pool).await.unwrap().trouble
}

async fn bytes(api: &Api, path: &str) -> (u16, Bytes) {
    let request = api.call("GET", path, Some(&api.auditor)).build();
    let response = api.router().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

async fn read(api: &Api, path: &str) -> crate::support::Answer {
    api.call("GET", path, Some(&api.auditor)).send().await
}

#[tokio::test]
async fn a_checkpoint_is_signed_in_every_minute_in_which_something_happened() {
    let api = Api::start().await;
    read(&api, "/checkpoints/latest")
        .await
        .problem(404, "not-found");
    let mut keeper = Keeper::new(api.app.clone(), OutletsConfig::default());

    api.set_up().await;
    keeper.round().await.unwrap();
    let first = read(&api, "/checkpoints/latest").await;
    assert_eq!(first.headers["content-type"], "text/plain; charset=utf-8");
    let key = public_key(&api.app).await;
    let stated = key.checkpoint(&first.text).unwrap();
    let head = tree::state(&api.app.pool).await.unwrap().head;
    assert_eq!(stated.size, head);
    assert_eq!(stated.root, tree::root(&api.app.pool, head).await.unwrap());
    assert_eq!(read(&api, "/log/checkpoint").await.text, first.text);

    api.receives("A first message").await;
    wait(30);
    keeper.round().await.unwrap();
    assert_eq!(read(&api, "/checkpoints/latest").await.text, first.text);
    wait(30);
    keeper.round().await.unwrap();
    let second = read(&api, "/checkpoints/latest").await.text;
    assert!(key.checkpoint(&second).unwrap().size > head);
    wait(600);
    keeper.round().await.unwrap();
    let page = read(&api, "/checkpoints").await.expect(200);
    let notes: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["note"])
        .collect();
    assert_eq!(notes, [&json!(first.text), &json!(second)]);
    assert_eq!(page["next"], json!(null));
    let page = read(&api, "/checkpoints?limit=1").await.expect(200);
    assert_eq!(page["next"], json!(head));
    let page = read(&api, &format!("/checkpoints?after={head}"))
        .await
        .expect(200);
    assert_eq!(page["items"][0]["note"], json!(second));

    let answer = api
        .call("GET", "/checkpoints/latest", Some(&api.owner))
        .header("accept", "application/json")
        .send()
        .await
        .expect(200);
    assert_eq!(answer["note"], json!(second));
    api.close().await;
}

#[tokio::test]
async fn tiles_are_served_whole_and_in_part() {
    let api = Api::start().await;
    api.set_up().await;
    while tree::state(&api.app.pool).await.unwrap().head < 260 {
        api.receives("One of many").await;
    }
    Keeper::new(api.app.clone(), OutletsConfig::default())
        .round()
        .await
        .unwrap();
    let size = tree::state(&api.app.pool).await.unwrap().size;
    let (status, whole) = bytes(&api, "/log/tile/0/000").await;
    assert_eq!((status, whole.len()), (200, 256 * 32));
    let (status, part) = bytes(&api, "/log/tile/0/000.p/5").await;
    assert_eq!((status, &part[..]), (200, &whole[..5 * 32]));
    let rest = size - 256;
    let (status, part) = bytes(&api, &format!("/log/tile/0/001.p/{rest}")).await;
    assert_eq!(
        (status, part.len()),
        (200, usize::try_from(rest).unwrap() * 32)
    );
    let (status, above) = bytes(&api, "/log/tile/1/000.p/1").await;
    assert_eq!((status, above.len()), (200, 32));
    // A client may write the slash in another way.
    assert_eq!(bytes(&api, "/log/tile/0/000.p%2F5").await.0, 200);
    let beyond = format!("/log/tile/0/001.p/{}", rest + 1);
    for path in [
        "/log/tile/0/001",
        &beyond,
        "/log/tile/1/000",
        "/log/tile/entries/000",
        "/log/tile/0/0",
        "/log/tile/9/000",
        "/log/tile/x/000",
    ] {
        read(&api, path).await.problem(404, "not-found");
    }
    api.close().await;
}

#[tokio::test]
async fn checkpoints_go_to_a_file_of_which_every_line_counts() {
    let api = Api::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints");
    let mut keeper = Keeper::new(api.app.clone(), to_file(&path));
    for _ in 0..3 {
        api.is_held("To nobody").await;
        keeper.round().await.unwrap();
        wait(61);
    }
    keeper.round().await.unwrap();
    let notes = split(&std::fs::read_to_string(&path).unwrap());
    let kept = checkpoints::page(&api.app.pool, 0, 10).await.unwrap();
    let kept: Vec<_> = kept.into_iter().map(|checkpoint| checkpoint.note).collect();
    assert_eq!(notes, kept);
    assert_eq!(notes.len(), 3);
    let key = public_key(&api.app).await;
    for note in notes {
        key.checkpoint(&note).unwrap();
    }
    assert_eq!(trouble(&api.app).await, None);

    // A folder stands where the file should be.
    let mut keeper = Keeper::new(api.app.clone(), to_file(folder.path()));
    keeper.round().await.unwrap();
    let said = trouble(&api.app).await.unwrap();
    assert!(said.contains("DOCKET_CHECKPOINT_FILE"), "{said}");
    api.close().await;
}

#[tokio::test]
async fn a_file_from_before_a_restore_stops_further_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints");
    let before = Api::start().await;
    before.set_up().await;
    before.receives("What the backup lacks").await;
    Keeper::new(before.app.clone(), to_file(&path))
        .round()
        .await
        .unwrap();
    before.close().await;

    // The log of the backup, which went on in another way.
    let api = Api::start().await;
    api.set_up().await;
    for _ in 0..5 {
        api.receives("Something else").await;
    }
    let mut keeper = Keeper::new(api.app.clone(), to_file(&path));
    keeper.round().await.unwrap();
    let said = trouble(&api.app).await.unwrap();
    assert!(said.contains("restoring a backup"), "{said}");
    assert_eq!(checkpoints::latest(&api.app.pool).await.unwrap(), None);

    std::fs::rename(&path, folder.path().join("before")).unwrap();
    keeper.round().await.unwrap();
    assert_eq!(trouble(&api.app).await, None);
    assert!(checkpoints::latest(&api.app.pool).await.unwrap().is_some());
    api.close().await;
}

#[tokio::test]
async fn two_processes_make_one_tree_and_no_fork() {
    let api = Api::start().await;
    api.set_up().await;
    let mut keepers: Vec<_> = (0..4)
        .map(|_| Keeper::new(api.app.clone(), OutletsConfig::default()))
        .collect();
    for _ in 0..5 {
        for _ in 0..7 {
            api.receives("Something").await;
        }
        wait(61);
        let rounds = keepers.iter_mut().map(Keeper::round);
        for done in futures_util::future::join_all(rounds).await {
            done.unwrap();
        }
        assert_eq!(trouble(&api.app).await, None);
    }
    let key = public_key(&api.app).await;
    let kept = checkpoints::page(&api.app.pool, 0, 100).await.unwrap();
    assert!(kept.len() >= 5, "{}", kept.len());
    for checkpoint in &kept {
        let stated = key.checkpoint(&checkpoint.note).unwrap();
        assert_eq!(stated.size, checkpoint.size);
        let root = tree::root(&api.app.pool, checkpoint.size).await.unwrap();
        assert_eq!(stated.root, root, "{}", checkpoint.size);
    }
    // The tree is the one that a single process makes of the same events.
    let state = tree::state(&api.app.pool).await.unwrap();
    let events = docket_projections::evidence::entries::page(&api.app.pool, 0, 1_000)
        .await
        .unwrap();
    let hashes: Vec<_> = events
        .iter()
        .map(|event| event.leaf().hash().unwrap())
        .collect();
    let places: Vec<i64> = (0..state.size).collect();
    assert_eq!(tree::leaves(&api.app.pool, &places).await.unwrap(), hashes);
    api.close().await;
}

#[tokio::test]
async fn an_export_has_a_checkpoint_that_covers_it() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("A message").await;
    let head = tree::state(&api.app.pool).await.unwrap().head;
    api.owner_does("GET", "/events/export", &json!({})).await;
    let latest = checkpoints::latest(&api.app.pool).await.unwrap().unwrap();
    assert!(latest.size >= head, "{} {head}", latest.size);
    let key = api.app.vonage.settings.key();
    let covering = evidence::covering(&api.app, key, latest.size)
        .await
        .unwrap();
    assert_eq!(covering, latest);
    api.close().await;
}

#[tokio::test]
async fn proofs_lead_from_every_event_to_the_checkpoint() {
    let api = Api::start().await;
    api.set_up().await;
    for _ in 0..40 {
        api.receives("One of some").await;
    }
    let key = api.app.vonage.settings.key();
    let head = tree::state(&api.app.pool).await.unwrap().head;
    let checkpoint = evidence::covering(&api.app, key, head).await.unwrap();
    let stated = public_key(&api.app)
        .await
        .checkpoint(&checkpoint.note)
        .unwrap();
    let events = docket_projections::evidence::entries::page(&api.app.pool, 0, 1_000)
        .await
        .unwrap();
    let places: Vec<i64> = events.iter().map(|event| event.position - 1).collect();
    let proofs = tree::proofs(&api.app.pool, stated.size, &places)
        .await
        .unwrap();
    for (event, proof) in events.iter().zip(&proofs) {
        let hash = event.leaf().hash().unwrap();
        let (size, place) = (
            stated.size.unsigned_abs(),
            event.position.unsigned_abs() - 1,
        );
        docket_projections::evidence::check_record(proof, size, stated.root, place, hash).unwrap();
    }
    api.close().await;
}
