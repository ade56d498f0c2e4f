//! What an auditor relies on: who really did it, positions that there are, answers that stay, and requests that leave no trace.

use docket::evidence::keep::Keeper;
use docket::evidence::outlets::OutletsConfig;
use docket_domain::people::export::READING_WINDOW;
use docket_projections::testing::checksums;
use http_body_util::BodyExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::permissions::{May, ROUTES};
use crate::support::{Api, text, wait};

async fn head(api: &Api) -> i64 {
    docket_projections::log::reader::head(&api.app.pool)
        .await
        .unwrap()
}

/// The log's events of a type, as an owner's export has them, which leaves the log's own reading out of account.
async fn events(api: &Api, event_type: &str) -> Vec<Value> {
    let file = api.owner_does("GET", "/events/export", &json!({})).await;
    let lines = file.text.lines();
    let events = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let event_type = format!(".{event_type}");
    events
        .filter(|event| event["type"].as_str().unwrap().ends_with(&event_type))
        .collect()
}

#[tokio::test]
async fn nobody_makes_a_token_in_another_persons_name() {
    let api = Api::start().await;
    for email in ["agent@example.com", "Auditor@example.com"] {
        let new = json!({"name": "mask", "email": email});
        api.owner_does("POST", "/tokens", &new)
            .await
            .problem(403, "forbidden");
    }
    let users = api
        .owner_does("GET", "/users", &json!({}))
        .await
        .expect(200);
    for user in users["items"].as_array().unwrap() {
        let new = json!({"name": "x", "user_id": user["id"]});
        let answer = api.owner_does("POST", "/tokens", &new).await;
        if user["email"] == "owner@example.com" {
            answer.expect(201);
        } else {
            answer.problem(403, "forbidden");
        }
    }
    // An agent makes their own, and ends no other's.
    let own = api
        .does("POST", "/tokens", &json!({"name": "mine"}))
        .await
        .expect(201);
    assert_eq!(own["email"], "agent@example.com");
    api.does(
        "POST",
        "/tokens",
        &json!({"name": "x", "email": "owner@example.com"}),
    )
    .await
    .problem(403, "forbidden");
    let theirs = api.get("/tokens").await.expect(200);
    assert_eq!(theirs["items"].as_array().unwrap().len(), 2);
    api.does(
        "DELETE",
        &format!("/tokens/{}", text(&own["id"])),
        &json!({}),
    )
    .await
    .expect(204);
    api.close().await;
}

#[tokio::test]
async fn a_service_account_acts_in_its_own_name() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let new = json!({"kind": "service", "name": " Night import ", "role": "agent"});
    let made = api.owner_does("POST", "/users", &new).await.expect(201);
    assert_eq!(
        (&made["kind"], &made["name"]),
        (&json!("service"), &json!("Night import"))
    );
    let again = json!({"kind": "service", "name": "night IMPORT", "role": "agent"});
    api.owner_does("POST", "/users", &again)
        .await
        .problem(409, "name-taken");
    for wrong in [
        json!({"kind": "service", "role": "agent"}),
        json!({"kind": "service", "name": "a@example.com", "role": "agent"}),
        json!({"kind": "service", "name": "", "role": "agent"}),
        json!({"kind": "service", "name": "x", "email": "a@example.com", "role": "agent"}),
        json!({"kind": "service", "name": "x", "role": "agent", "password": "long enough to do"}),
        json!({"kind": "robot", "name": "x", "role": "agent"}),
        json!({"name": "x", "role": "agent"}),
    ] {
        api.owner_does("POST", "/users", &wrong)
            .await
            .problem(422, "invalid-value");
    }
    let password = json!({"password": "long enough to do"});
    let path = format!("/users/{}/password", text(&made["id"]));
    api.owner_does("PUT", &path, &password)
        .await
        .problem(422, "invalid-value");

    let new = json!({"name": "import", "user_id": made["id"]});
    let token = api.owner_does("POST", "/tokens", &new).await.expect(201);
    let secret = SecretString::from(text(&token["token"]));
    api.call("POST", "/cases/101/notes", Some(&secret))
        .json(&json!({"text": "Imported"}))
        .send()
        .await
        .expect(201);
    let noted = events(&api, "NoteAdded").await.remove(0);
    assert_eq!(noted["useremail"], "Night import");
    assert_eq!(noted["tokenid"], token["id"]);
    assert_eq!(noted["via"], "api");
    api.close().await;
}

#[tokio::test]
async fn who_asks_beyond_the_logs_end_is_told() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let last = head(&api).await;
    for beyond in [last + 1, 999_999, 1 << 40, i64::MAX] {
        for path in [
            format!("/events?after={beyond}"),
            format!("/events/stream?after={beyond}"),
            format!("/cases/101/events?after={beyond}"),
        ] {
            let problem = api.get(&path).await.problem(409, "position-beyond-log");
            assert!(problem["head"].as_i64().unwrap() <= last, "{problem}");
        }
        let call = api.call("GET", "/events/stream", Some(&api.agent));
        call.header("last-event-id", &beyond.to_string())
            .send()
            .await
            .problem(409, "position-beyond-log");
    }
    for path in ["/events/export?from=999999", "/events/export?to=999999"] {
        api.owner_does("GET", path, &json!({}))
            .await
            .problem(409, "position-beyond-log");
    }
    // Whoever has just read the last event asks for what comes after it.
    let page = api.get(&format!("/events?after={last}")).await.expect(200);
    assert_eq!(page["items"], json!([]));
    api.get("/cases/101/events?after=2").await.expect(200);
    api.close().await;
}

#[tokio::test]
async fn cases_in_the_order_of_references_come_once_while_messages_come() {
    let api = Api::start().await;
    api.set_up().await;
    for _ in 0..5 {
        api.receives("#0 Hello").await;
    }
    let (mut seen, mut cursor) = (vec![], String::new());
    loop {
        let page = api
            .get(&format!("/cases?order=reference&limit=2{cursor}"))
            .await
            .expect(200);
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|case| case["reference"].clone()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        wait(1);
        // The next page's first case jumps to the beginning of the other order.
        let next = seen.len() + 101;
        api.receives(&format!("More #{next}")).await;
        api.get(&format!("/cases?limit=2{cursor}"))
            .await
            .problem(400, "invalid-cursor");
    }
    assert_eq!(seen, [101, 102, 103, 104, 105]);
    let newest = api.get("/cases?limit=2").await.expect(200);
    api.get(&format!(
        "/cases?order=reference&cursor={}",
        text(&newest["next"])
    ))
    .await
    .problem(400, "invalid-cursor");
    for wrong in ["order=oldest", "order=reference&q=Hello"] {
        api.get(&format!("/cases?{wrong}"))
            .await
            .problem(400, "invalid-query");
    }
    api.close().await;
}

#[tokio::test]
async fn whoever_reads_the_log_is_recorded() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    for _ in 0..3 {
        api.get("/events?limit=2").await.expect(200);
    }
    let request = api.call("GET", "/events/stream?after=3", Some(&api.agent));
    drop(api.router().oneshot(request.build()).await.unwrap());
    let read = events(&api, "LogRead").await;
    let said: Vec<_> = read
        .iter()
        .map(|event| {
            let data = &event["data"];
            (
                event["useremail"].as_str().unwrap(),
                data["how"].as_str().unwrap(),
                data["from"].as_i64().unwrap(),
                data["events"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("agent@example.com", "pages", 1, 2),
            ("agent@example.com", "stream", 3, 0)
        ]
    );
    // What they read on is counted, and recorded when the hour is over.
    wait(READING_WINDOW.num_seconds());
    api.app.audit.settled().await;
    let on = events(&api, "LogReadOn").await;
    let pages = on
        .iter()
        .find(|event| event["subject"] == read[0]["subject"]);
    assert_eq!(pages.unwrap()["data"]["events"], 4);
    api.close().await;
}

#[tokio::test]
async fn a_request_for_the_headers_alone_leaves_no_trace() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let whatsapp_template = api.add_template(&ids).await;
    api.receives("Hello").await;
    let label = json!({"name": "Urgent", "colour": "red"});
    let label = api.owner_does("POST", "/labels", &label).await.expect(201);
    let label = text(&label["id"]);
    let listed = api.get("/contacts").await.expect(200);
    let contact = text(&listed["items"][0]["contact_id"]);
    let mut keeper = Keeper::new(api.app.clone(), OutletsConfig::default());
    keeper.round().await.unwrap();
    // So that the next use of the token would be noted.
    wait(120);
    api.app.audit.settled().await;
    let before = checksums(&api.app.pool).await;
    let paths: Vec<String> = ROUTES
        .iter()
        // No message has a file here.
        .filter(|(method, template, _)| *method == "GET" && !template.contains("/media/"))
        .map(|(_, template, _)| {
            let id = if template.contains("lines") {
                &ids.line
            } else if template.contains("whatsapp-templates") {
                &whatsapp_template
            } else if template.contains("contacts") {
                &contact
            } else if template.contains("labels") {
                &label
            } else {
                &ids.survey
            };
            let template = template.replace("{level}/{tile}", "0/000.p/1");
            template.replace("{reference}", "101").replace("{id}", id)
        })
        .collect();
    let head_of = async |method: &str, path: &str| {
        let call = api.call(method, path, Some(&api.owner)).build();
        let answer = api.router().oneshot(call).await.unwrap();
        let (mut parts, body) = answer.into_parts();
        for own in ["x-request-id", "date"] {
            parts.headers.remove(own);
        }
        (parts.status, parts.headers, body)
    };
    for path in &paths {
        let (status, _, body) = head_of("HEAD", path).await;
        assert_eq!(status, 200, "{path}");
        let body = body.collect().await.unwrap().to_bytes();
        assert!(body.is_empty(), "{path}: {body:?}");
    }
    api.app.audit.settled().await;
    assert_eq!(checksums(&api.app.pool).await, before);
    // GET gives the same headers, and leaves traces. The stream has no end: only its head is read.
    for path in &paths {
        api.app.audit.settled().await;
        let (_, headers, _) = head_of("HEAD", path).await;
        let (status, of_get, _) = head_of("GET", path).await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(headers, of_get, "{path}");
    }
    api.app.audit.settled().await;
    assert_ne!(checksums(&api.app.pool).await, before);
    api.close().await;
}

#[tokio::test]
async fn who_may_ask_comes_before_what_is_asked() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let new = json!({"email": "kept@example.com", "role": "agent", "surveys": [ids.survey]});
    api.owner_does("POST", "/users", &new).await.expect(201);
    let kept = docket::users::create_token(&api.app, "kept@example.com", "test")
        .await
        .unwrap();
    for path in ["/events", "/events/stream", "/unrouted"] {
        for query in ["after=x", "nonsense=%00", "limit=0", "cursor=x"] {
            let path = format!("{path}?{query}");
            let answer = api.call("GET", &path, Some(&kept)).send().await;
            answer.problem(403, "forbidden");
        }
    }
    for (method, template, may) in ROUTES {
        for malformed in ["x", "%00", "-1", "99999999999999999999", "%C3%28"] {
            let path = template
                .replace("{reference}", malformed)
                .replace("{message_id}", malformed)
                .replace("{id}", malformed);
            let path = format!("{path}?nonsense=%00&limit=x&cursor=%%");
            let forbidden: &[_] = match may {
                May::Read => &[],
                May::Oversee => &[&api.agent],
                May::Work => &[&api.auditor],
                May::Own => &[&api.agent, &api.auditor],
            };
            for (token, status) in forbidden
                .iter()
                .map(|token| (Some(*token), 403))
                .chain([(None, 401)])
            {
                let call = api
                    .call(method, &path, token)
                    .header("idempotency-key", "two words")
                    .raw("text/plain", "{");
                let answer = api.router().oneshot(call.build()).await.unwrap();
                assert_eq!(answer.status(), status, "{method} {path}");
            }
        }
    }
    api.close().await;
}

#[tokio::test]
async fn a_time_to_come_is_not_answered() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    wait(60);
    for path in ["/cases/101", "/cases/101/thread"] {
        api.get(&format!("{path}?as_of=2026-03-01T12:01:00Z"))
            .await
            .expect(200);
        for time in [
            "2026-03-01T12:01:01Z",
            "2027-01-01T00:00:00%2B02:00",
            "9999-12-31T00:00:00Z",
        ] {
            let problem = api
                .get(&format!("{path}?as_of={time}"))
                .await
                .problem(400, "invalid-query");
            assert!(text(&problem["detail"]).contains("has not come yet"));
        }
    }
    // What is recorded at the very moment that somebody asked about comes after it.
    let before = api
        .get("/cases/101?as_of=2026-03-01T12:01:00Z")
        .await
        .expect(200);
    api.receives("More").await;
    let after = api
        .get("/cases/101?as_of=2026-03-01T12:01:00Z")
        .await
        .expect(200);
    assert_eq!(before, after);
    api.close().await;
}
