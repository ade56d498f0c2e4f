//! Whatever is changed in the log beneath Docket is found.

use docket::evidence::note::{LogSigner, PublicKey};
use docket_projections::PgPool;
use docket_projections::evidence::audit::{FaultKind, Outside, Report, audit};
use docket_projections::evidence::{checkpoints, entries, tree};
use docket_projections::testing::tamper::tamper;
use serde_json::json;

use crate::support::{Api, wait};

/// Where the first note stands in [`signed`].
const NOTE: i64 = 11;

/// A log with a few cases and three checkpoints.
async fn signed() -> Api {
    let api = Api::start().await;
    api.set_up().await;
    let mut keeper = docket::evidence::keep::Keeper::new(
        api.app.clone(),
        docket::evidence::outlets::OutletsConfig::default(),
    );
    for said in ["A first message", "A second message", "A third message"] {
        let (cases, _) = api.receives(said).await;
        let note = json!({"text": format!("A note on: {said}")});
        api.does("POST", &format!("/cases/{}/notes", cases[0]), &note)
            .await
            .expect(201);
        keeper.round().await.unwrap();
        wait(61);
    }
    assert_eq!(
        checkpoints::page(&api.app.pool, 0, 10).await.unwrap().len(),
        3
    );
    let page = entries::page(&api.app.pool, NOTE - 1, 1).await.unwrap();
    assert_eq!(page[0].event_type, "NoteAdded");
    api
}

async fn verify(pool: &PgPool, key: &PublicKey, outside: Vec<Outside>) -> Report {
    let read = |note: &str| {
        let stated = key.checkpoint(note).map_err(|error| error.to_string())?;
        Ok((stated.size, stated.root))
    };
    audit(pool, &read, outside, &mut |_, _| {}).await.unwrap()
}

async fn key(pool: &PgPool) -> PublicKey {
    let state = tree::state(pool).await.unwrap();
    PublicKey::read(&state.public_key.unwrap()).unwrap()
}

/// The newest checkpoint, as it was kept outside.
async fn outside(pool: &PgPool) -> Outside {
    let latest = checkpoints::latest(pool).await.unwrap().unwrap();
    let stated = key(pool).await.checkpoint(&latest.note).unwrap();
    Outside {
        size: stated.size,
        root: stated.root,
    }
}

fn kinds(report: &Report) -> Vec<(FaultKind, Option<i64>)> {
    report
        .faults
        .iter()
        .map(|fault| (fault.kind, fault.position))
        .collect()
}

#[tokio::test]
async fn a_log_that_nobody_touched_is_clean() {
    let api = signed().await;
    let pool = &api.app.pool;
    let kept = outside(pool).await;
    let size = kept.size;
    let report = verify(pool, &key(pool).await, vec![kept]).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(
        (report.verified, report.hashed, report.checkpoints),
        (size, size, 3)
    );
    // What comes after the last checkpoint is read too.
    api.receives("A fourth message").await;
    let report = verify(pool, &key(pool).await, vec![]).await;
    assert!(report.is_clean(), "{report:?}");
    assert!(
        report.events > size && report.verified == size,
        "{report:?}"
    );
    api.close().await;
}

#[tokio::test]
async fn every_way_to_change_events_is_found_where_it_was_done() {
    use FaultKind::{Changed, Missing, Order};
    type Change = (&'static str, &'static str, &'static [(FaultKind, i64)]);
    let cases: [Change; 9] = [
        (
            "an edited payload",
            "UPDATE events SET payload = jsonb_set(payload, '{NoteAdded,text}', '\"Nothing\"') WHERE position = $NOTE",
            &[(Changed, NOTE)],
        ),
        (
            "an edited metadata",
            "UPDATE events SET metadata = metadata || '{\"email\": \"other@example.com\"}' WHERE position = $NOTE",
            &[(Changed, NOTE)],
        ),
        (
            "another time",
            "UPDATE events SET recorded_at = recorded_at + interval '1 microsecond' WHERE position = 5",
            &[(Changed, 5)],
        ),
        (
            "another type and version",
            "UPDATE events SET event_version = '9.9' WHERE position = 3",
            &[(Changed, 3)],
        ),
        (
            "another stream",
            "UPDATE events SET aggregate_id = '999', sequence = 1 WHERE position = $NOTE",
            &[(Changed, NOTE)],
        ),
        (
            "exchanged rows",
            "UPDATE events SET position = -1 WHERE position = $BEFORE; UPDATE events SET position = $BEFORE WHERE position = $NOTE;
             UPDATE events SET position = $NOTE WHERE position = -1",
            &[(Changed, NOTE - 1), (Changed, NOTE)],
        ),
        ("a deleted event", "DELETE FROM events WHERE position = 4", &[(Missing, 4)]),
        (
            "several deleted events",
            "DELETE FROM events WHERE position BETWEEN 2 AND 4",
            &[(Missing, 2)],
        ),
        (
            "an inserted event",
            "INSERT INTO events SELECT aggregate_type, 'x', 2, event_type, event_version, payload, metadata, position + 1000, recorded_at
               FROM events WHERE position = 1",
            &[(Missing, -1), (Order, 1_001)],
        ),
    ];
    for (name, sql, expected) in cases {
        let api = signed().await;
        let pool = &api.app.pool;
        let (key, kept) = (key(pool).await, outside(pool).await);
        let end = tree::state(pool).await.unwrap().head;
        let sql = sql
            .replace("$NOTE", &NOTE.to_string())
            .replace("$BEFORE", &(NOTE - 1).to_string());
        tamper(pool, &sql).await;
        let report = verify(pool, &key, vec![kept]).await;
        let found = kinds(&report);
        for (kind, position) in expected {
            // Behind the end of the log.
            let position = if *position < 0 { end + 1 } else { *position };
            assert!(
                found.contains(&(*kind, Some(position))),
                "{name}: {report:#?}"
            );
        }
        api.close().await;
    }
}

#[tokio::test]
async fn the_end_of_the_log_cannot_be_cut_off() {
    let api = signed().await;
    let pool = &api.app.pool;
    let (key, kept) = (key(pool).await, outside(pool).await);
    tamper(pool, "DELETE FROM events WHERE position > 11").await;
    let report = verify(pool, &key, vec![]).await;
    assert_eq!(report.faults[0].kind, FaultKind::Missing);
    assert_eq!(report.faults[0].position, Some(12));

    // Also where everything that knows of it is cut off too, and hashes are made anew.
    tamper(
        pool,
        "DELETE FROM checkpoints WHERE size > 11; DELETE FROM log_tiles;
         ALTER TABLE log_tree DROP CONSTRAINT log_tree_check;
         UPDATE log_tree SET size = 0, signed_size = coalesce((SELECT max(size) FROM checkpoints), 0)",
    )
    .await;
    tree::extend(pool).await.unwrap();
    let report = verify(pool, &key, vec![]).await;
    assert!(report.is_clean(), "nothing inside can tell: {report:?}");
    let size = kept.size;
    let report = verify(pool, &key, vec![kept]).await;
    assert_eq!(kinds(&report), [(FaultKind::Outside, Some(size))]);
    api.close().await;
}

#[tokio::test]
async fn a_case_that_is_rewritten_with_its_hashes_contradicts_the_checkpoint() {
    let api = signed().await;
    let pool = &api.app.pool;
    let (key, kept) = (key(pool).await, outside(pool).await);
    let sql = format!(
        "UPDATE events SET payload = jsonb_set(payload, '{{NoteAdded,text}}', '\"Nothing\"') WHERE position = {NOTE};
         DELETE FROM log_tiles; ALTER TABLE log_tree DROP CONSTRAINT log_tree_check; UPDATE log_tree SET size = 0"
    );
    tamper(pool, &sql).await;
    tree::extend(pool).await.unwrap();
    let report = verify(pool, &key, vec![kept]).await;
    let found: Vec<_> = report.faults.iter().map(|fault| fault.kind).collect();
    assert_eq!(
        found,
        [FaultKind::Checkpoint, FaultKind::Outside],
        "{report:#?}"
    );
    let first = report.faults[0].position.unwrap();
    assert!(report.verified < NOTE && first >= NOTE, "{report:#?}");
    // The service signs nothing more, since the tree is not the one that it signed.
    api.receives("A message").await;
    let mut keeper = docket::evidence::keep::Keeper::new(
        api.app.clone(),
        docket::evidence::outlets::OutletsConfig::default(),
    );
    wait(61);
    keeper.round().await.unwrap();
    let said = tree::state(pool).await.unwrap().trouble.unwrap();
    assert!(said.contains("docket verify"), "{said}");
    assert_eq!(checkpoints::page(pool, 0, 10).await.unwrap().len(), 3);
    api.close().await;
}

#[tokio::test]
async fn a_forged_checkpoint_and_a_forged_key_are_found() {
    let api = signed().await;
    let pool = &api.app.pool;
    let (right, kept) = (key(pool).await, outside(pool).await);
    let forger = LogSigner::generate("127.0.0.1/00000000");
    let note = forger.checkpoint(kept.size, kept.root);
    let sql = format!(
        "UPDATE checkpoints SET note = '{note}' WHERE size = {}",
        kept.size
    );
    tamper(pool, &sql).await;
    let report = verify(pool, &right, vec![]).await;
    assert_eq!(kinds(&report), [(FaultKind::Signature, Some(kept.size))]);

    let sql = format!("UPDATE log_tree SET public_key = '{}'", forger.public_key());
    tamper(pool, &sql).await;
    let secret = api.app.vonage.settings.key();
    let found = docket::evidence::public_key(pool, secret)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.as_str(), right.as_str());
    api.close().await;
}

#[tokio::test]
async fn an_edited_tree_is_found() {
    let api = signed().await;
    let pool = &api.app.pool;
    while tree::state(pool).await.unwrap().head < 300 {
        api.receives("One of many").await;
    }
    let (key, position) = (key(pool).await, 9);
    wait(61);
    let mut keeper = docket::evidence::keep::Keeper::new(
        api.app.clone(),
        docket::evidence::outlets::OutletsConfig::default(),
    );
    keeper.round().await.unwrap();
    assert!(verify(pool, &key, vec![]).await.is_clean());
    for (level, expected) in [
        (0, (FaultKind::Changed, Some(position))),
        (1, (FaultKind::Tile, None)),
    ] {
        let byte = if level == 0 { (position - 1) * 32 } else { 0 };
        let flip = format!(
            "UPDATE log_tiles SET hashes = set_byte(hashes, {byte}, get_byte(hashes, {byte}) # 1) WHERE level = {level} AND tile = 0"
        );
        tamper(pool, &flip).await;
        let report = verify(pool, &key, vec![]).await;
        assert_eq!(
            report
                .faults
                .first()
                .map(|fault| (fault.kind, fault.position)),
            Some(expected)
        );
        tamper(pool, &flip).await;
        assert!(verify(pool, &key, vec![]).await.is_clean());
    }
    api.close().await;
}
