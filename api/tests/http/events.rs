//! The log: of one case, of everything, and as it grows.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{Api, CUSTOMER, text};

/// More than any event needs to arrive.
const BOUND: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_cases_events_are_listed() {
    let api = Api::start().await;
    api.set_up().await;
    let (_, message_id) = api.receives("Hello").await;
    let call = api
        .call("POST", "/cases/101/notes", Some(&api.agent))
        .header("x-request-id", "r-1");
    call.json(&json!({"text": "Friendly"}))
        .send()
        .await
        .expect(201);

    let page = api.get("/cases/101/events").await.expect(200);
    assert_eq!(page["next"], Value::Null);
    let items = page["items"].as_array().unwrap();
    let types: Vec<&Value> = items.iter().map(|event| &event["type"]).collect();
    assert_eq!(types, ["CaseOpened", "MessageReceived", "NoteAdded"]);
    assert_eq!(items[0]["data"]["number"], CUSTOMER);
    assert_eq!(items[1]["data"]["message"]["message_id"], json!(message_id));
    let note = &items[2];
    let metadata = note["metadata"].clone();
    assert_eq!(
        (&metadata["actor"], &metadata["email"]),
        (&json!("user"), &json!("agent@example.com"))
    );
    assert_eq!(metadata["client_request_id"], "r-1");
    assert_ne!(metadata["request_id"], "r-1");
    assert_eq!(metadata["via"], "api");
    assert!(metadata["token_id"].is_string());
    let data = json!({
        "note_id": note["data"]["note_id"],
        "author": {"by": "user", "user_id": metadata["user_id"], "email": "agent@example.com"},
        "text": "Friendly",
    });
    assert_eq!(
        *note,
        json!({
            "position": note["position"],
            "aggregate_type": "Case",
            "aggregate_id": "101",
            "sequence": 3,
            "type": "NoteAdded",
            "version": "1",
            "data": data,
            "metadata": metadata,
            "recorded_at": "2026-03-01T12:00:00Z",
        })
    );

    let first = api.get("/cases/101/events?limit=2").await.expect(200);
    assert_eq!(first["next"], 2);
    let rest = api
        .get("/cases/101/events?limit=2&after=2")
        .await
        .expect(200);
    assert_eq!((&rest["items"][0], &rest["next"]), (note, &Value::Null));
    let end = api.get("/cases/101/events?after=3").await.expect(200);
    assert_eq!(end, json!({"items": [], "next": null}));
    api.close().await;
}

#[tokio::test]
async fn the_whole_log_is_read_in_pages_without_a_gap() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let mut positions = vec![];
    let mut after = json!(0);
    loop {
        let page = api
            .get(&format!("/events?limit=3&after={after}"))
            .await
            .expect(200);
        positions.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|e| e["position"].as_u64().unwrap()),
        );
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    // Three users and tokens, a survey, a line, a case and a message.
    assert_eq!(positions, (1..=10).collect::<Vec<u64>>());
    api.close().await;
}

/// A stream of events that is being read.
struct Stream {
    body: Body,
    read: String,
}

impl Stream {
    async fn open(
        api: &Api,
        token: &SecretString,
        query: &str,
        last_event_id: Option<&str>,
    ) -> Self {
        let path = format!("/events/stream{query}");
        let mut call = api.call("GET", &path, Some(token));
        if let Some(id) = last_event_id {
            call = call.header("last-event-id", id);
        }
        let response = api.router().oneshot(call.build()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            read: String::new(),
        }
    }

    /// The next event's id, type and data; `None` at the end.
    async fn next(&mut self) -> Option<(u64, String, Value)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_else(|| panic!("no {name} in {event}"))
                        .trim()
                        .to_owned()
                };
                let data = serde_json::from_str(&field("data:")).unwrap();
                let found = (field("id:").parse().unwrap(), field("event:"), data);
                let used = self.read.len() - rest.len();
                self.read.drain(..used);
                return Some(found);
            }
            let frame = tokio::time::timeout(BOUND, self.body.frame())
                .await
                .expect("an event in time");
            let bytes = frame?.unwrap().into_data().unwrap();
            self.read.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

#[tokio::test]
async fn the_log_is_followed_as_it_grows() {
    let api = Api::start().await;
    api.set_up().await;
    let mut now = Stream::open(&api, &api.auditor, "", None).await;
    let mut all = Stream::open(&api, &api.auditor, "?after=0", None).await;
    let mut again = Stream::open(&api, &api.auditor, "?after=0", Some("7")).await;
    api.receives("Hello").await;

    // That the auditor follows the log is the ninth event.
    for position in 1..=11 {
        let (id, _, data) = all.next().await.unwrap();
        assert_eq!((id, &data["position"]), (position, &json!(position)));
    }
    assert_eq!(again.next().await.unwrap().0, 8);
    let (id, event_type, data) = now.next().await.unwrap();
    assert_eq!((id, event_type.as_str()), (10, "CaseOpened"));
    let listed = api.get("/events?after=9&limit=1").await.expect(200);
    assert_eq!(data, listed["items"][0]);
    assert_eq!(now.next().await.unwrap().1, "MessageReceived");

    // Caught up, it goes on with what comes.
    api.does("PUT", "/cases/101/title", &json!({"title": "Greeting"}))
        .await
        .expect(200);
    for stream in [&mut now, &mut all] {
        // The agent's reading comes before it.
        assert_eq!(stream.next().await.unwrap().1, "LogRead");
        assert_eq!(stream.next().await.unwrap().1, "TitleChanged");
    }

    api.app.stopping.cancel();
    assert_eq!(now.next().await, None);
    assert_eq!(all.next().await, None);
    api.close().await;
}

#[tokio::test]
async fn a_long_log_is_caught_up_with() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    for number in 0..600 {
        let body = json!({"text": format!("note {number}")});
        api.does("POST", "/cases/101/notes", &body)
            .await
            .expect(201);
    }
    let mut stream = Stream::open(&api, &api.agent, "?after=0", None).await;
    for position in 1..=610 {
        assert_eq!(stream.next().await.unwrap().0, position);
    }
    api.close().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let api = Api::start().await;
    api.set_up().await;
    let created = api
        .owner_does("POST", "/tokens", &json!({"name": "feed"}))
        .await
        .expect(201);
    let token = SecretString::from(text(&created["token"]));
    let mut stream = Stream::open(&api, &token, "", None).await;
    api.receives("Hello").await;
    assert_eq!(stream.next().await.unwrap().1, "CaseOpened");
    assert_eq!(stream.next().await.unwrap().1, "MessageReceived");
    let path = format!("/tokens/{}", text(&created["id"]));
    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    assert_eq!(stream.next().await, None);
    api.close().await;
}

#[tokio::test]
async fn a_stream_begins_at_a_position_or_not_at_all() {
    let api = Api::start().await;
    for wrong in ["x", "-1", "", "1.5"] {
        let call = api
            .call("GET", "/events/stream", Some(&api.agent))
            .header("last-event-id", wrong);
        call.send().await.problem(400, "invalid-header");
    }
    api.get("/events/stream?after=x")
        .await
        .problem(400, "invalid-query");
    api.close().await;
}

/// The types of the events behind `after` that whoever has the token is shown.
async fn shown(api: &Api, token: &SecretString, after: u64) -> Vec<String> {
    let path = format!("/events?after={after}&limit=200");
    let page = api.call("GET", &path, Some(token)).send().await.expect(200);
    let items = page["items"].as_array().unwrap();
    let types = items.iter().map(|event| text(&event["type"]));
    // That the log is read here is recorded too, and is no matter of these tests.
    types.filter(|event_type| event_type != "LogRead").collect()
}

#[tokio::test]
async fn a_programs_looks_at_cases_are_recorded_for_auditors_and_owners() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let head = docket_projections::log::reader::head(&api.app.pool)
        .await
        .unwrap()
        .cast_unsigned();
    for path in [
        "/cases/101",
        "/cases/101/thread",
        "/cases/101/events",
        "/cases/101?at=1",
        "/cases/101/thread?at=1",
        "/cases",
        "/events",
    ] {
        api.get(path).await.expect(200);
    }
    api.get("/cases/999").await.expect(404);
    // Another token of another person's.
    let call = api.call("GET", "/cases/101/thread", Some(&api.auditor));
    call.send().await.expect(200);
    api.app.audit.settled().await;
    for token in [&api.auditor, &api.owner] {
        let types = shown(&api, token, head).await;
        assert_eq!(types, ["CaseViewed", "CasesListed", "CaseViewed"]);
    }
    assert_eq!(shown(&api, &api.agent, head).await, Vec::<String>::new());

    let after = format!("?after={head}");
    let mut stream = Stream::open(&api, &api.auditor, &after, None).await;
    let (_, mut event_type, mut event) = stream.next().await.unwrap();
    if event_type == "LogRead" {
        (_, event_type, event) = stream.next().await.unwrap();
    }
    assert_eq!(event_type, "CaseViewed");
    assert_eq!(event["aggregate_id"], "101-2026-03-01");
    assert_eq!(event["metadata"]["email"], "agent@example.com");
    assert!(event["data"]["token_id"].is_string());
    // An agent's stream goes on with what is theirs to see.
    let mut stream = Stream::open(&api, &api.agent, &after, None).await;
    api.receives("Hello again").await;
    let (_, event_type, _) = stream.next().await.unwrap();
    assert_eq!(event_type, "MessageReceived");
    api.close().await;
}

#[tokio::test]
async fn the_log_is_exported_as_a_file_and_that_is_recorded() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let head = 10;
    let export = async |query: &str| {
        let path = format!("/events/export{query}");
        let answer = api.call("GET", &path, Some(&api.auditor)).send().await;
        // How it ended is recorded behind the answer.
        api.app.audit.settled().await;
        answer
    };
    let answer = export("").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    assert_eq!(
        answer.headers["content-disposition"],
        "attachment; filename=\"docket-log-1-10.jsonl\""
    );
    let lines: Vec<Value> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), head);
    assert_eq!(lines[9]["id"], "10");
    assert_eq!(lines[9]["type"], "docket.Case.MessageReceived");
    assert_eq!(lines[9]["source"], "http://127.0.0.1/api/v1/events");
    let part = export("?from=3&to=5").await;
    assert_eq!(part.text.lines().count(), 3);
    let none = export("?until=2026-03-01T12:00:00Z").await;
    assert_eq!((none.status.as_u16(), none.text.as_str()), (200, ""));
    export("?to=99").await.problem(409, "position-beyond-log");

    let path = format!("/events?after={head}&limit=200");
    let page = api
        .call("GET", &path, Some(&api.auditor))
        .send()
        .await
        .expect(200);
    let told: Vec<String> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            assert_eq!(event["metadata"]["email"], "auditor@example.com");
            let data = &event["data"];
            match event["type"].as_str().unwrap() {
                "ExportBegun" => format!("{} {} {}", data["via"], data["from"], data["to"]),
                "ExportEnded" => format!("{} {}", data["events"], data["is_whole"]),
                other => other.to_owned(),
            }
        })
        .collect();
    assert_eq!(
        told,
        [
            "\"api\" 1 10",
            "10 true",
            "\"api\" 3 5",
            "3 true",
            "\"api\" 1 14",
            "0 true"
        ]
    );

    // Whoever goes away half-way has not got all of it.
    let call = api.call("GET", "/events/export", Some(&api.auditor));
    let response = api.router().oneshot(call.build()).await.unwrap();
    drop(response);
    api.app.audit.settled().await;
    assert_eq!(
        shown(&api, &api.auditor, 16).await,
        ["ExportBegun", "ExportEnded"]
    );
    api.close().await;
}
