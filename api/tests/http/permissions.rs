//! Who may call what: every route of the document, anonymously and in every role.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use docket::http;
use tower::ServiceExt as _;

use crate::support::Api;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum May {
    /// Everybody with a token.
    Read,
    /// Auditors and owners.
    Oversee,
    /// Agents and owners.
    Work,
    /// Owners.
    Own,
}

/// A new route needs a row here.
pub(crate) const ROUTES: [(&str, &str, May); 64] = [
    ("GET", "/api/v1/mentions", May::Read),
    ("GET", "/api/v1/account", May::Read),
    ("PATCH", "/api/v1/account", May::Work),
    ("GET", "/api/v1/cases", May::Read),
    ("POST", "/api/v1/cases", May::Work),
    ("GET", "/api/v1/cases/{reference}", May::Read),
    ("GET", "/api/v1/cases/{reference}/thread", May::Read),
    ("GET", "/api/v1/cases/{reference}/events", May::Read),
    ("POST", "/api/v1/cases/{reference}/replies", May::Work),
    ("PUT", "/api/v1/cases/{reference}/status", May::Work),
    ("PUT", "/api/v1/cases/{reference}/assignee", May::Work),
    ("PUT", "/api/v1/cases/{reference}/title", May::Work),
    ("POST", "/api/v1/cases/{reference}/notes", May::Work),
    ("PUT", "/api/v1/cases/{reference}/labels", May::Work),
    ("PUT", "/api/v1/cases/{reference}/snooze", May::Work),
    ("DELETE", "/api/v1/cases/{reference}/snooze", May::Work),
    ("GET", "/api/v1/labels", May::Read),
    ("POST", "/api/v1/labels", May::Own),
    ("GET", "/api/v1/labels/{id}", May::Read),
    ("PATCH", "/api/v1/labels/{id}", May::Own),
    ("DELETE", "/api/v1/labels/{id}", May::Own),
    (
        "POST",
        "/api/v1/cases/{reference}/messages/{message_id}/move",
        May::Work,
    ),
    (
        "POST",
        "/api/v1/cases/{reference}/messages/{message_id}/undo-move",
        May::Work,
    ),
    (
        "POST",
        "/api/v1/cases/{reference}/messages/{message_id}/resend",
        May::Work,
    ),
    ("GET", "/api/v1/contacts", May::Read),
    ("GET", "/api/v1/contacts/{id}", May::Read),
    ("PATCH", "/api/v1/contacts/{id}", May::Work),
    ("PUT", "/api/v1/contacts/{id}/opt-out", May::Work),
    ("GET", "/api/v1/media/{id}", May::Read),
    ("GET", "/api/v1/media/{id}/thumbnail", May::Read),
    ("POST", "/api/v1/media", May::Work),
    ("GET", "/api/v1/surveys", May::Read),
    ("POST", "/api/v1/surveys", May::Own),
    ("GET", "/api/v1/surveys/{id}", May::Read),
    ("PATCH", "/api/v1/surveys/{id}", May::Own),
    ("PUT", "/api/v1/surveys/{id}/templates", May::Own),
    ("GET", "/api/v1/lines", May::Read),
    ("POST", "/api/v1/lines", May::Own),
    ("GET", "/api/v1/lines/{id}", May::Read),
    ("PATCH", "/api/v1/lines/{id}", May::Own),
    ("DELETE", "/api/v1/lines/{id}", May::Own),
    ("GET", "/api/v1/unrouted", May::Read),
    ("POST", "/api/v1/unrouted/{id}/route", May::Own),
    ("GET", "/api/v1/events", May::Read),
    ("GET", "/api/v1/events/export", May::Oversee),
    ("GET", "/api/v1/events/stream", May::Read),
    ("GET", "/api/v1/cases/{reference}/bundle", May::Oversee),
    ("GET", "/api/v1/checkpoints", May::Oversee),
    ("GET", "/api/v1/checkpoints/latest", May::Oversee),
    ("GET", "/api/v1/log/checkpoint", May::Oversee),
    ("GET", "/api/v1/log/tile/{level}/{tile}", May::Oversee),
    ("GET", "/api/v1/users", May::Oversee),
    ("POST", "/api/v1/users", May::Own),
    ("PATCH", "/api/v1/users/{id}", May::Own),
    ("DELETE", "/api/v1/users/{id}", May::Own),
    ("PUT", "/api/v1/users/{id}/password", May::Own),
    ("GET", "/api/v1/tokens", May::Read),
    ("POST", "/api/v1/tokens", May::Work),
    ("DELETE", "/api/v1/tokens/{id}", May::Work),
    ("GET", "/api/v1/whatsapp-templates", May::Read),
    ("POST", "/api/v1/whatsapp-templates", May::Own),
    ("GET", "/api/v1/whatsapp-templates/{id}", May::Read),
    ("PATCH", "/api/v1/whatsapp-templates/{id}", May::Own),
    ("DELETE", "/api/v1/whatsapp-templates/{id}", May::Own),
];

#[test]
fn every_route_has_a_row() {
    let document = serde_json::to_value(http::document()).unwrap();
    let mut served = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            served.insert((method.to_uppercase(), path.clone()));
        }
    }
    let rows: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(served, rows);
}

#[tokio::test]
async fn every_route_is_open_to_those_who_may_and_to_nobody_else() {
    let api = Api::start().await;
    let callers = [
        (None, None),
        (Some(&api.auditor), Some(May::Oversee)),
        (Some(&api.agent), Some(May::Work)),
        (Some(&api.owner), Some(May::Own)),
    ];
    for (method, template, may) in ROUTES {
        let path = template
            .replace("{reference}", "101")
            .replace("{message_id}", "00000000-0000-0000-0000-0000000000ff")
            .replace("{id}", "00000000-0000-0000-0000-0000000000ff");
        for (token, role) in callers {
            // The body has no fields, so that whoever may changes nothing.
            let request = api.call(method, &path, token).build();
            // Only the head: the stream of events has no end.
            let status = api.router().oneshot(request).await.unwrap().status();
            let allowed = match role {
                None => false,
                // An auditor reads everything.
                Some(May::Read | May::Oversee) => matches!(may, May::Read | May::Oversee),
                Some(May::Work) => matches!(may, May::Read | May::Work),
                Some(May::Own) => true,
            };
            let refusal = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
            let expected = if role.is_none() {
                refusal[0]
            } else {
                refusal[1]
            };
            if allowed {
                assert!(!refusal.contains(&status), "{method} {template}: {status}");
                assert!(!status.is_server_error(), "{method} {template}: {status}");
            } else {
                assert_eq!(status, expected, "{method} {template}");
            }
        }
    }
    api.close().await;
}

#[tokio::test]
async fn a_token_that_is_wrong_says_so() {
    let api = Api::start().await;
    let answer = api.call("GET", "/cases", None).send().await;
    answer.problem(401, "unauthenticated");
    assert_eq!(
        answer.headers["www-authenticate"],
        r#"Bearer realm="docket""#
    );

    for wrong in [
        "docket_x",
        "",
        "docket_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let call = api.call("GET", "/cases", Some(&wrong.into()));
        let answer = call.send().await;
        answer.problem(401, "unauthenticated");
        assert_eq!(
            answer.headers["www-authenticate"],
            r#"Bearer realm="docket", error="invalid_token""#
        );
    }

    let answer = api.call("POST", "/users", Some(&api.auditor)).send().await;
    let problem = answer.problem(403, "forbidden");
    assert_eq!(problem["detail"], "this is for owners; you are an auditor");
    let answer = api.call("GET", "/users", Some(&api.agent)).send().await;
    let problem = answer.problem(403, "forbidden");
    assert_eq!(
        problem["detail"],
        "this is for auditors and owners; you are an agent"
    );
    api.close().await;
}
