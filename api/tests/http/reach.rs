//! Agents who are kept to the cases of some surveys.

use std::time::Duration;

use axum::http::StatusCode;
use docket::operations::Asked;
use docket::operations::case::{Change, ChangeCase};
use docket::operations::message_move::{MoveError, MoveMessage, UndoMove};
use docket::operations::reply::{Reply, ReplyError, Resend, SendAs};
use docket_domain::access::Access;
use docket_domain::case::CaseError;
use docket_domain::ids::{MessageId, NoteId, Reference, SurveyId, UserId};
use docket_projections::ledger::operation::LedgerError;
use docket_projections::read::users;
use http_body_util::BodyExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::permissions::ROUTES;
use crate::support::{Answer, Api, CUSTOMER, Ids, new_id, survey, text};

const OTHER_NUMBER: &str = "447700900001";

/// Two surveys with a case each, #101 in the first and #102 in the second, and an agent who is kept to the second.
struct Two {
    api: Api,
    first: Ids,
    second: Ids,
    /// The agent's token.
    kept: SecretString,
    kept_id: String,
    /// The message in #101.
    message: String,
}

impl Two {
    async fn start() -> Self {
        let api = Api::start().await;
        let first = api.set_up().await;
        let (references, message) = api.receives("Out of reach").await;
        assert_eq!(references, [101]);
        let mut settings = survey();
        settings["name"] = "Sales".into();
        let made = api.owner_does("POST", "/surveys", &settings).await;
        let survey = text(&made.expect(201)["id"]);
        let line = json!({
            "number": OTHER_NUMBER, "channel": "sms", "survey_id": survey, "multi_case_reply": null,
        });
        let line = api.owner_does("POST", "/lines", &line).await.expect(201);
        let second = Ids {
            survey,
            line: text(&line["id"]),
        };
        assert_eq!(api.receives_at(OTHER_NUMBER, "Within reach").await.0, [102]);
        let new = json!({"email": "kept@example.com", "role": "agent", "surveys": [second.survey]});
        let added = api.owner_does("POST", "/users", &new).await.expect(201);
        assert_eq!(added["surveys"], json!([second.survey]));
        let kept = docket::users::create_token(&api.app, "kept@example.com", "test").await;
        Self {
            first,
            second,
            kept: kept.unwrap(),
            kept_id: text(&added["id"]),
            message: message.to_string(),
            api,
        }
    }

    async fn asks(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let call = self.api.call(method, path, Some(&self.kept));
        match body {
            Some(body) => call.json(body).send().await,
            None => call.send().await,
        }
    }

    /// The references of the cases in a list.
    async fn listed(&self, query: &str) -> Vec<u64> {
        let list = self.asks("GET", &format!("/cases?{query}"), None).await;
        let list = list.expect(200);
        let items = list["items"].as_array().unwrap().iter();
        items
            .map(|item| item["reference"].as_u64().unwrap())
            .collect()
    }
}

/// An answer without what differs from request to request and from case to case.
fn shape(answer: &Answer, reference: u32) -> (StatusCode, String) {
    let id = answer.headers["x-request-id"].to_str().unwrap();
    let text = answer.text.replace(id, "…");
    (answer.status, text.replace(&format!("#{reference}"), "#…"))
}

#[tokio::test]
async fn a_case_out_of_reach_is_answered_like_one_that_does_not_exist() {
    let two = Two::start().await;
    let before = two
        .api
        .owner_does("GET", "/cases/101", &json!(null))
        .await
        .expect(200);
    let bodies = [
        None,
        Some(json!({})),
        Some(json!({"no_such_field": 1})),
        // What each of them would take.
        Some(json!({"text": "Hello", "seen_version": 1})),
        Some(json!({"text": "Hello"})),
        Some(json!({"value": "Resolved"})),
        Some(json!({"value": "No such status"})),
        Some(json!({"email": "kept@example.com"})),
        Some(json!({"title": "Another"})),
        Some(json!({"comment": "Why"})),
        Some(json!({"labels": []})),
        Some(json!({"until": "2999-01-01T00:00:00Z"})),
    ];
    let mut tried = 0;
    for (method, template, _) in ROUTES {
        if !template.contains("{reference}") {
            continue;
        }
        tried += 1;
        for body in &bodies {
            for query in ["", "?at=1", "?limit=0"] {
                let path = |reference: &str| {
                    let path = template.replace("{reference}", reference);
                    path.replace("{message_id}", &two.message) + query
                };
                let there = two.asks(method, &path("101"), body.as_ref()).await;
                let nowhere = two.asks(method, &path("999"), body.as_ref()).await;
                assert_eq!(
                    shape(&there, 101),
                    shape(&nowhere, 999),
                    "{method} {template}{query} {body:?}"
                );
                there.problem(404, "not-found");
            }
        }
    }
    assert_eq!(tried, 15, "a route of cases is new; this test tries it");
    let after = two
        .api
        .owner_does("GET", "/cases/101", &json!(null))
        .await
        .expect(200);
    assert_eq!(before, after);
    two.api.close().await;
}

#[tokio::test]
async fn lists_hold_what_is_within_reach() {
    let two = Two::start().await;
    assert_eq!(two.listed("state=all").await, [102]);
    assert_eq!(
        two.listed(&format!("survey={}", two.second.survey)).await,
        [102]
    );
    assert_eq!(two.listed(&format!("number={CUSTOMER}")).await, [102]);
    assert_eq!(two.listed("q=reach").await, [102]);
    for nothing in [
        &format!("survey={}", two.first.survey),
        "q=%23101",
        "q=101",
        "q=out",
    ] {
        assert_eq!(two.listed(nothing).await, [0_u64; 0], "{nothing}");
    }
    for (path, own, other) in [
        ("/surveys", &two.second.survey, &two.first.survey),
        ("/lines", &two.second.line, &two.first.line),
    ] {
        let list = two.asks("GET", path, None).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{path}");
        assert_eq!(text(&list["items"][0]["id"]), *own);
        let own = two.asks("GET", &format!("{path}/{own}"), None).await;
        own.expect(200);
        let there = two.asks("GET", &format!("{path}/{other}"), None).await;
        let nowhere = two.asks("GET", &format!("{path}/{}", new_id()), None).await;
        assert_eq!(shape(&there, 0), shape(&nowhere, 0));
        there.problem(404, "not-found");
    }
    two.api.close().await;
}

#[tokio::test]
async fn what_holds_something_of_every_case_is_not_for_them() {
    let two = Two::start().await;
    for path in ["/events", "/events/stream", "/unrouted"] {
        two.asks("GET", path, None).await.problem(403, "forbidden");
        let as_before = two.api.call("GET", path, Some(&two.api.agent)).build();
        let answer = two.api.router().oneshot(as_before).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    two.api.close().await;
}

#[tokio::test]
async fn they_work_on_the_cases_that_they_reach() {
    let two = Two::start().await;
    two.asks("GET", "/cases/102", None).await.expect(200);
    two.asks("GET", "/cases/102/thread", None).await.expect(200);
    two.asks("GET", "/cases/102/events", None).await.expect(200);
    let reply = json!({"text": "Good morning"});
    let reply = two.asks("POST", "/cases/102/replies", Some(&reply)).await;
    reply.expect(202);

    // A line out of reach is one that does not exist, and makes nothing.
    let new = |line: &str| json!({"line_id": line, "number": "447700900999", "text": "Hello"});
    let there = new(&two.first.line);
    let there = two.asks("POST", "/cases", Some(&there)).await;
    let nowhere = new(&new_id().to_string());
    let nowhere = two.asks("POST", "/cases", Some(&nowhere)).await;
    assert_eq!(shape(&there, 0), shape(&nowhere, 0));
    assert!(there.status.is_client_error());
    let own = new(&two.second.line);
    let begun = two.asks("POST", "/cases", Some(&own)).await.expect(201);
    assert_eq!(begun["reference"], 103);

    // Nobody gives them what they do not reach.
    let to_them = json!({"email": "kept@example.com"});
    let refused = two.api.does("PUT", "/cases/101/assignee", &to_them).await;
    refused.problem(422, "invalid-value");
    let given = two.api.does("PUT", "/cases/102/assignee", &to_them).await;
    given.expect(200);
    two.api.close().await;
}

#[tokio::test]
async fn access_changes_at_once_and_holds_for_agents_alone() {
    let two = Two::start().await;
    let path = format!("/users/{}", two.kept_id);
    let change = async |body: Value| two.api.owner_does("PATCH", &path, &body).await;
    let both = json!([two.first.survey, two.second.survey]);
    change(json!({"surveys": []})).await.expect(200);
    assert_eq!(two.listed("state=all").await, [0_u64; 0]);
    change(json!({"surveys": both})).await.expect(200);
    assert_eq!(two.listed("state=all").await, [102, 101]);
    two.asks("GET", "/cases/101", None).await.expect(200);
    // Those of all surveys are not the same as all of those that there are.
    two.asks("GET", "/events", None)
        .await
        .problem(403, "forbidden");
    change(json!({"surveys": null})).await.expect(200);
    two.asks("GET", "/events", None).await.expect(200);

    change(json!({"surveys": [two.second.survey]}))
        .await
        .expect(200);
    let auditor = change(json!({"role": "auditor"})).await.expect(200);
    assert_eq!(auditor["role"], "auditor");
    assert_eq!(auditor["surveys"], json!([two.second.survey]));
    two.asks("GET", "/cases/101", None).await.expect(200);
    two.asks("GET", "/events", None).await.expect(200);
    change(json!({"role": "agent"})).await.expect(200);
    two.asks("GET", "/cases/101", None)
        .await
        .problem(404, "not-found");

    change(json!({"surveys": [new_id()]}))
        .await
        .problem(422, "invalid-value");
    change(json!({"role": "king"}))
        .await
        .problem(422, "invalid-value");
    let nobody = format!("/users/{}", new_id());
    two.api
        .owner_does("PATCH", &nobody, &json!({"role": "agent"}))
        .await
        .problem(404, "not-found");
    two.api.close().await;
}

#[tokio::test]
async fn there_is_always_an_owner() {
    let api = Api::with_writers(4).await;
    let owners = async || {
        let all = users::all(&api.app.pool).await.unwrap();
        let owners = all.into_iter().filter(|user| user.role.as_str() == "owner");
        owners.map(|user| user.user_id).collect::<Vec<UserId>>()
    };
    let [first] = owners().await.try_into().unwrap();
    let demote = json!({"role": "agent"});
    api.owner_does("PATCH", &format!("/users/{first}"), &demote)
        .await
        .problem(409, "last-owner");
    let new = json!({"email": "second@example.com", "role": "owner"});
    let second = api.owner_does("POST", "/users", &new).await.expect(201);
    let second_token = docket::users::create_token(&api.app, "second@example.com", "test").await;
    let second_token = second_token.unwrap();
    // Each makes the other an agent, at once and again and again: one of them stays.
    let second_path = format!("/users/{}", text(&second["id"]));
    let first_path = format!("/users/{first}");
    let one = api.call("PATCH", &second_path, Some(&api.owner));
    let other = api.call("PATCH", &first_path, Some(&second_token));
    let (one, other) = tokio::join!(one.json(&demote).send(), other.json(&demote).send());
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    // The slower one is refused as the one who would leave nobody, or as an owner no more.
    assert_eq!(statuses[0], 200, "{} {}", one.text, other.text);
    assert!(
        [403, 409].contains(&statuses[1]),
        "{} {}",
        one.text,
        other.text
    );
    assert_eq!(owners().await.len(), 1);
    api.close().await;
}

/// Whatever comes to an operation without having passed a door.
#[tokio::test]
async fn no_operation_changes_a_case_out_of_reach() {
    let two = Two::start().await;
    let survey = SurveyId(two.second.survey.parse().unwrap());
    let asked = Asked {
        user_id: UserId(two.kept_id.parse().unwrap()),
        email: "kept@example.com".to_owned(),
        access: Access::from(Some(vec![survey])),
        via: docket_projections::log::recorded::Via::Api,
        token_id: None,
        request_id: None,
        idempotency: None,
    };
    let message_id = MessageId(two.message.parse().unwrap());
    let [out, within] = [101, 102].map(|reference| Reference::new(reference).unwrap());
    let ledger = &two.api.app.ledger;
    for (reference, is_reached) in [(out, false), (within, true)] {
        let title = ChangeCase {
            reference,
            change: Change::Title("Another".to_owned()),
            asked: asked.clone(),
        };
        assert_eq!(ledger.submit(title).await.is_ok(), is_reached);
        let reply = Reply {
            send_as: SendAs::default(),
            reference,
            text: "Hello".to_owned(),
            media: None,
            seen_version: None,
            message_id: MessageId(new_id()),
            asked: asked.clone(),
        };
        assert_eq!(ledger.submit(reply).await.is_ok(), is_reached);
    }
    let not_there = |refused: CaseError| assert_eq!(refused, CaseError::NotOpened);
    let moved = MoveMessage {
        from: out,
        message_id,
        following: vec![],
        to: None,
        comment: None,
        note_id: NoteId(new_id()),
        asked: asked.clone(),
    };
    match ledger.submit(moved).await {
        Err(LedgerError::Refused(MoveError::Case(refused))) => not_there(refused),
        other => panic!("{other:?}"),
    }
    let undone = UndoMove {
        reference: out,
        source: out,
        message_id,
        others: vec![],
        asked: asked.clone(),
    };
    match ledger.submit(undone).await {
        Err(LedgerError::Refused(MoveError::Case(refused))) => not_there(refused),
        other => panic!("{other:?}"),
    }
    let again = Resend {
        reference: out,
        message_id,
        asked,
    };
    match ledger.submit(again).await {
        Err(LedgerError::Refused(ReplyError::Case(refused))) => not_there(refused),
        other => panic!("{other:?}"),
    }
    two.api.close().await;
}

#[tokio::test]
async fn a_stream_of_the_whole_log_ends_when_its_reader_may_read_less() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let agent = users::find_by_email(&api.app.pool, "agent@example.com").await;
    let path = format!("/users/{}", agent.unwrap().unwrap().user_id);
    let request = api.call("GET", "/events/stream", Some(&api.agent)).build();
    let response = api.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let kept = json!({"surveys": [ids.survey]});
    api.owner_does("PATCH", &path, &kept).await.expect(200);
    let rest = tokio::time::timeout(Duration::from_secs(10), response.into_body().collect());
    let rest = rest.await.expect("the stream ends").unwrap().to_bytes();
    assert!(rest.is_empty(), "{rest:?}");
    api.close().await;
}
