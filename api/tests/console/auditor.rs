//! The auditor's role at the console: every page is shown, and no form does anything.
//!
//! The routes are read from the sources that make the routers, so that one that is added is tried here too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use docket_domain::event::is_about_people;
use docket_projections::log::reader;
use docket_projections::read::users;

use crate::support::{Browser, House};

/// Pages that are nothing but a form which an auditor could not send.
const FORMS: [(&str, &str); 8] = [
    ("GET", "/cases/new"),
    ("GET", "/cases/new/saved-replies"),
    ("GET", "/cases/{reference}/saved-replies"),
    ("GET", "/surveys/new"),
    ("GET", "/lines/new"),
    ("GET", "/users/new"),
    ("GET", "/users/services/new"),
    ("GET", "/cases/{reference}/messages/{message_id}/move"),
];
/// What an auditor may, and what is everybody's own: signing out, ending a session, a password, a name, preferences.
const OWN: [&str; 11] = [
    "/log/export",
    "/cases/{reference}/bundle",
    "/first-steps/close",
    "/sign-out",
    "/sign-out-everywhere",
    "/sessions/{session_id}/end",
    "/password",
    "/account/name",
    "/account/notifications",
    "/account/password",
    "/account/preferences",
];

/// Every route of the console behind the sign-in page: method and path.
pub(crate) fn routes() -> BTreeSet<(String, String)> {
    fn walk(path: &Path, sources: &mut Vec<String>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                walk(&entry.unwrap().path(), sources);
            }
        } else {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = vec![];
    for path in ["console.rs", "console"] {
        walk(&source.join(path), &mut sources);
    }
    let mut routes = BTreeSet::new();
    for source in &sources {
        for route in source.split(".route(").skip(1) {
            let path = route.split('"').nth(1).unwrap();
            // Up to the bracket that ends the call.
            let mut depth = 1;
            let end = route.find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            let handlers = &route[..end.unwrap()];
            for method in ["get", "post", "put", "patch", "delete"] {
                if handlers.contains(&format!("{method}(")) {
                    routes.insert((method.to_uppercase(), path.to_owned()));
                }
            }
        }
    }
    routes.retain(|(_, path)| path != "/sign-in");
    routes
}

/// The ids of something that there is.
async fn filled(house: &House, auditor: &mut Browser, path: &str, message_id: &str) -> String {
    let sessions = auditor.get("/sessions").await;
    let other = sessions
        .text
        .split("<li>")
        .skip(1)
        .find(|row| !row.contains("This browser"))
        .and_then(|row| row.split("/sessions/").nth(1)?.split('/').next());
    let survey = house.app.ledger.settings();
    let line = survey.line(house.line).unwrap();
    let agent = users::find_by_email(&house.app.pool, "agent@example.com").await;
    let agent = agent.unwrap().unwrap().user_id;
    // Nothing of these is needed: whoever may not is refused before it is looked for.
    let nothing = "00000000-0000-0000-0000-000000000001";
    path.replace("{reference}", "101")
        .replace("{user_id}", &agent.to_string())
        .replace("{token_id}", nothing)
        .replace("{held_id}", nothing)
        .replace("{label_id}", nothing)
        .replace("{template_id}", nothing)
        .replace("{view_id}", nothing)
        .replace("{contact_id}", &house.contact_id().await.to_string())
        .replace("{message_id}", message_id)
        .replace("{session_id}", other.unwrap_or_default())
        .replace("{table}", "days.csv")
        .replace("{line_id}", &house.line.to_string())
        .replace("{survey_id}", &line.survey_id.to_string())
}

#[tokio::test]
async fn an_auditor_is_shown_every_page_and_changes_nothing() {
    let house = House::start().await;
    let (_, message_id) = house.receives("Hello").await;
    let message_id = message_id.to_string();
    let mut auditor = house.signed_in("auditor").await;
    house.signed_in("auditor").await;
    house.app.audit.settled().await;
    let before = reader::head(&house.app.pool).await.unwrap();

    let routes = routes();
    assert!(routes.len() >= 20, "{routes:#?}");
    for (method, path) in &routes {
        let to = filled(&house, &mut auditor, path, &message_id).await;
        assert!(
            !to.contains('{'),
            "{path}: say above what stands for its parameter"
        );
        if method == "GET" && to == "/live" {
            // Its answer has no end.
            drop(auditor.live(&to, None).await);
        } else if method == "GET" {
            let status = auditor.once("GET", &to, None).await.status.as_u16();
            let is_form = FORMS.contains(&("GET", path));
            assert_eq!(status, if is_form { 403 } else { 200 }, "{method} {path}");
        } else if !OWN.contains(&path.as_str()) {
            let page = auditor.get("/").await;
            let fields = [
                ("text", "x"),
                ("as", "note"),
                ("value", "Resolved"),
                ("title", "x"),
                ("email", "agent@example.com"),
                ("comment", "x"),
            ];
            // A form of theirs, sent to where it does not belong.
            let (_, body) = Browser::filled(&page, "/sign-out", &fields);
            let answer = auditor.once(method, &to, Some(&body)).await;
            answer.is(403);
        }
    }
    house.app.audit.settled().await;
    let events = reader::page(&house.app.pool, before, 1_000).await.unwrap();
    for event in &events {
        assert!(is_about_people(&event.aggregate_type), "{event:?}");
    }

    // What is their own, they may.
    let page = auditor.get("/sessions").await;
    let end = filled(
        &house,
        &mut auditor,
        "/sessions/{session_id}/end",
        &message_id,
    )
    .await;
    auditor.send(&page, &end, &[]).await.is(200);
    let page = auditor.get("/sessions").await;
    let page = auditor.send(&page, "/sign-out", &[]).await;
    assert_eq!(page.at, "/sign-in");
    house.close().await;
}
