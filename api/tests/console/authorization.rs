//! Who may comes before what is asked: every route, every role, and whatever can be malformed.

use std::collections::BTreeSet;

use crate::auditor::routes;
use crate::support::{Browser, House};

/// Who gets past the door of a route.
#[derive(Clone, Copy, Debug, PartialEq)]
enum May {
    /// Everybody who is signed in.
    All,
    /// Owners and agents.
    Act,
    /// Owners and auditors.
    See,
    /// Owners.
    SetUp,
}

impl May {
    fn allows(self, role: &str) -> bool {
        match self {
            Self::All => true,
            Self::Act => role != "auditor",
            Self::See => role != "agent",
            Self::SetUp => role == "owner",
        }
    }
}

/// Every route behind the sign-in page; a new one needs a row here.
const ROUTES: [(&str, &str, May); 86] = [
    ("GET", "/", May::All),
    ("GET", "/account", May::All),
    ("POST", "/account/name", May::All),
    ("POST", "/account/notifications", May::All),
    ("POST", "/account/password", May::All),
    ("POST", "/account/preferences", May::All),
    ("POST", "/cases", May::Act),
    ("GET", "/cases/new", May::Act),
    ("GET", "/cases/new/saved-replies", May::Act),
    ("GET", "/cases/{reference}/saved-replies", May::Act),
    ("POST", "/cases/several", May::Act),
    ("POST", "/first-steps/close", May::All),
    ("GET", "/cases/{reference}", May::All),
    ("POST", "/cases/{reference}/assignee", May::Act),
    ("GET", "/cases/{reference}/changes", May::All),
    ("POST", "/cases/{reference}/writing", May::Act),
    ("GET", "/cases/{reference}/earlier", May::All),
    ("GET", "/cases/{reference}/history", May::All),
    (
        "GET",
        "/cases/{reference}/messages/{message_id}/move",
        May::Act,
    ),
    (
        "POST",
        "/cases/{reference}/messages/{message_id}/move",
        May::Act,
    ),
    (
        "POST",
        "/cases/{reference}/messages/{message_id}/resend",
        May::Act,
    ),
    (
        "POST",
        "/cases/{reference}/messages/{message_id}/undo-move",
        May::Act,
    ),
    ("POST", "/cases/{reference}/labels", May::Act),
    ("POST", "/cases/{reference}/snooze", May::Act),
    ("POST", "/cases/{reference}/status", May::Act),
    ("POST", "/cases/{reference}/template", May::Act),
    ("POST", "/cases/{reference}/title", May::Act),
    ("POST", "/cases/{reference}/unread", May::Act),
    ("POST", "/cases/{reference}/wake", May::Act),
    ("POST", "/cases/{reference}/write", May::Act),
    ("GET", "/contacts", May::All),
    ("GET", "/contacts/{contact_id}", May::All),
    ("POST", "/contacts/{contact_id}", May::Act),
    ("POST", "/contacts/{contact_id}/opt-out", May::Act),
    ("POST", "/media", May::Act),
    ("GET", "/health", May::See),
    ("POST", "/health/lines/{line_id}/resume", May::SetUp),
    ("GET", "/labels", May::See),
    ("POST", "/labels", May::SetUp),
    ("POST", "/labels/{label_id}", May::SetUp),
    ("POST", "/labels/{label_id}/delete", May::SetUp),
    ("GET", "/lines", May::See),
    ("POST", "/lines", May::SetUp),
    ("GET", "/lines/new", May::SetUp),
    ("GET", "/lines/{line_id}", May::See),
    ("POST", "/lines/{line_id}", May::SetUp),
    ("GET", "/lines/{line_id}/automatic", May::See),
    ("POST", "/lines/{line_id}/automatic", May::SetUp),
    ("POST", "/lines/{line_id}/remove", May::SetUp),
    ("POST", "/lines/{line_id}/resume", May::SetUp),
    ("GET", "/live", May::All),
    ("GET", "/log", May::See),
    ("POST", "/log/export", May::See),
    ("POST", "/cases/{reference}/bundle", May::See),
    ("GET", "/reports", May::See),
    ("GET", "/reports/{table}", May::See),
    ("GET", "/rows", May::All),
    ("GET", "/sessions", May::All),
    ("POST", "/sessions/{session_id}/end", May::All),
    ("GET", "/setup", May::See),
    ("POST", "/sign-out", May::All),
    ("POST", "/sign-out-everywhere", May::All),
    ("GET", "/surveys", May::See),
    ("POST", "/surveys", May::SetUp),
    ("GET", "/surveys/new", May::SetUp),
    ("GET", "/surveys/{survey_id}", May::See),
    ("POST", "/surveys/{survey_id}", May::SetUp),
    ("POST", "/surveys/{survey_id}/templates", May::SetUp),
    ("GET", "/tokens", May::All),
    ("POST", "/tokens", May::Act),
    ("POST", "/tokens/{token_id}/revoke", May::Act),
    ("GET", "/unrouted", May::See),
    ("POST", "/unrouted/route", May::SetUp),
    ("POST", "/unrouted/{held_id}/route", May::SetUp),
    ("GET", "/users", May::See),
    ("POST", "/users", May::SetUp),
    ("GET", "/users/new", May::SetUp),
    ("POST", "/users/services", May::SetUp),
    ("GET", "/users/services/new", May::SetUp),
    ("GET", "/users/{user_id}", May::See),
    ("POST", "/views", May::Act),
    ("POST", "/views/{view_id}/remove", May::Act),
    ("GET", "/vonage", May::See),
    ("GET", "/whatsapp-templates", May::See),
    ("POST", "/whatsapp-templates", May::SetUp),
    ("POST", "/whatsapp-templates/{template_id}", May::SetUp),
];

/// The rest of them, where there are several forms about one thing.
const MORE: [(&str, &str, May); 8] = [
    ("POST", "/users/{user_id}/cases", May::SetUp),
    ("POST", "/users/{user_id}/password", May::SetUp),
    ("POST", "/users/{user_id}/remove", May::SetUp),
    ("POST", "/users/{user_id}/name", May::SetUp),
    ("POST", "/users/{user_id}/rights", May::SetUp),
    ("POST", "/users/{user_id}/tokens", May::SetUp),
    ("POST", "/vonage", May::SetUp),
    ("POST", "/vonage/test", May::SetUp),
];

fn all() -> impl Iterator<Item = (&'static str, &'static str, May)> {
    ROUTES.into_iter().chain(MORE)
}

/// The path with that in place of each of its parameters.
fn with_ids(path: &str, id: &str) -> String {
    let parts = path.split('/');
    let parts: Vec<&str> = parts
        .map(|part| if part.starts_with('{') { id } else { part })
        .collect();
    parts.join("/")
}

const MALFORMED_IDS: [&str; 6] = ["x", "%00", "%FF", "-1", "99999999999999999999", "%C3%28"];
const MALFORMED_QUERIES: [&str; 4] = [
    "",
    "?view=a&view=b&before=1&before=2&done=a&done=b",
    "?at=x&after=-1&from=x&survey=x&before=x",
    "?%FF=%00&%zz",
];

/// Type and bytes of forms that cannot be read, or are none of ours.
fn malformed_forms() -> Vec<(Option<&'static str>, Vec<u8>)> {
    let form = Some("application/x-www-form-urlencoded");
    vec![
        (form, vec![]),
        (None, vec![]),
        (None, b"csrf=x&text=a".to_vec()),
        (Some("application/json"), b"{\"text\":\"a\"}".to_vec()),
        (Some("text/plain"), b"a".to_vec()),
        (Some("not a type"), b"a".to_vec()),
        (form, b"text=%FF&csrf=%00".to_vec()),
        (form, vec![0xff, 0xfe, b'=', 0]),
        (form, vec![b'x'; 300_000]),
        (Some("multipart/form-data"), b"--x".to_vec()),
        (
            Some("multipart/form-data; boundary=x"),
            b"--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na".to_vec(),
        ),
    ]
}

#[test]
fn every_route_has_a_row() {
    let rows: BTreeSet<(String, String)> = all()
        .map(|(method, path, _)| (method.to_owned(), path.to_owned()))
        .collect();
    assert_eq!(routes(), rows);
}

/// The statuses of a route's answers to everything malformed.
async fn tries(browser: &mut Browser, method: &str, path: &str, mut look: impl FnMut(u16, &str)) {
    let forms = malformed_forms();
    let ids = if path.contains('{') {
        &MALFORMED_IDS[..]
    } else {
        &[""][..]
    };
    for id in ids {
        for query in MALFORMED_QUERIES {
            let to = format!("{}{query}", with_ids(path, id));
            if method == "GET" {
                let answer = browser.once(method, &to, None).await;
                look(answer.status.as_u16(), &to);
            } else if query.is_empty() || *id == ids[0] {
                for (media_type, body) in &forms {
                    let answer = browser.sends_bytes(method, &to, *media_type, body).await;
                    look(answer.status.as_u16(), &to);
                }
            }
        }
    }
}

#[tokio::test]
async fn who_may_not_is_refused_whatever_is_wrong_with_the_request() {
    let house = House::start().await;
    house.receives("Hello").await;
    for role in ["", "agent", "auditor"] {
        let mut browser = if role.is_empty() {
            house.browser()
        } else {
            house.signed_in(role).await
        };
        for (method, path, may) in all() {
            let expected = match role {
                "" => 303,
                role if may.allows(role) => continue,
                _ => 403,
            };
            tries(&mut browser, method, path, |status, to| {
                assert_eq!(status, expected, "{role} {method} {to}");
            })
            .await;
        }
    }
    house.close().await;
}

#[tokio::test]
async fn who_may_is_told_what_is_wrong_and_a_form_that_is_not_ours_does_nothing() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut owner = house.signed_in("owner").await;
    let before = docket_projections::log::reader::head(&house.app.pool)
        .await
        .unwrap();
    for (method, path, _) in all() {
        if method == "POST" {
            tries(&mut owner, method, path, |status, to| {
                assert!([400, 403, 413].contains(&status), "{method} {to}: {status}");
            })
            .await;
        } else if path != "/live" {
            tries(&mut owner, method, path, |status, to| {
                assert!([200, 400, 404].contains(&status), "{method} {to}: {status}");
            })
            .await;
        }
    }
    owner.once("GET", "/sessions", None).await.is(200);
    let events = docket_projections::log::reader::page(&house.app.pool, before, 1_000)
        .await
        .unwrap();
    for event in events {
        let is_about_people = docket_domain::event::is_about_people(&event.aggregate_type);
        assert!(is_about_people, "{event:?}");
    }
    house.close().await;
}
