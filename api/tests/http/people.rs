//! What people are called.

use docket_projections::log::reader;
use serde_json::{Value, json};

use crate::support::{Api, text, wait};

#[tokio::test]
async fn a_person_has_a_name_that_an_owner_gives_and_takes() {
    let api = Api::start().await;
    let new = json!({"email": "ada@example.com", "name": " Ada Lovelace ", "role": "agent"});
    let added = api.owner_does("POST", "/users", &new).await.expect(201);
    assert_eq!(added["name"], "Ada Lovelace");
    assert_eq!(added["initials"], "AL");
    let path = format!("/users/{}", text(&added["id"]));
    let named = api
        .owner_does("PATCH", &path, &json!({"name": "Ada King"}))
        .await
        .expect(200);
    assert_eq!(named["name"], "Ada King");
    assert_eq!(named["role"], "agent");
    // A name comes with rights in one request, and stays where it is left out.
    let auditor = json!({"role": "auditor", "name": "Ada"});
    let both = api.owner_does("PATCH", &path, &auditor).await.expect(200);
    assert_eq!(
        (&both["role"], &both["name"]),
        (&json!("auditor"), &json!("Ada"))
    );
    let agent = api
        .owner_does("PATCH", &path, &json!({"role": "agent"}))
        .await
        .expect(200);
    assert_eq!(agent["name"], "Ada");
    for wrong in ["", " ", "two\nlines", "ada@example.com", &"x".repeat(101)] {
        let problem = api
            .owner_does("PATCH", &path, &json!({"name": wrong}))
            .await
            .problem(422, "invalid-value");
        assert!(text(&problem["detail"]).contains("name"), "{problem}");
    }
    let nameless = api
        .owner_does("PATCH", &path, &json!({"name": null}))
        .await
        .expect(200);
    assert_eq!(nameless["name"], Value::Null);
    assert_eq!(nameless["initials"], "AD");
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn a_service_account_keeps_its_name() {
    let api = Api::start().await;
    let new = json!({"kind": "service", "name": "Night import", "role": "agent"});
    let added = api.owner_does("POST", "/users", &new).await.expect(201);
    assert_eq!(added["initials"], "NI");
    let path = format!("/users/{}", text(&added["id"]));
    api.owner_does("PATCH", &path, &json!({"name": "Day import"}))
        .await
        .problem(422, "invalid-value");
    api.close().await;
}

#[tokio::test]
async fn cases_and_threads_say_what_people_are_called_today() {
    let api = Api::start().await;
    api.set_up().await;
    let (references, _) = api.receives("Hello").await;
    let case = format!("/cases/{}", references[0]);
    let users = api
        .owner_does("GET", "/users", &json!({}))
        .await
        .expect(200);
    let agent = users["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|user| user["role"] == "agent")
        .unwrap()
        .clone();
    let note = json!({"text": "A note"});
    api.does("POST", &format!("{case}/notes"), &note)
        .await
        .expect(201);
    api.does(
        "PUT",
        &format!("{case}/assignee"),
        &json!({"email": agent["email"]}),
    )
    .await;
    let before = api.get(&format!("{case}?at=3")).await.expect(200);
    for name in ["Ada Lovelace", "Ada King"] {
        let path = format!("/users/{}", text(&agent["id"]));
        api.owner_does("PATCH", &path, &json!({"name": name}))
            .await
            .expect(200);
        let shown = api.get(&case).await.expect(200);
        assert_eq!(shown["assignee"], agent["email"]);
        assert_eq!(shown["assignee_name"], name);
        let thread = api.get(&format!("{case}/thread")).await.expect(200);
        let items = thread["items"].as_array().unwrap();
        let noted = items.iter().find(|item| item["kind"] == "note").unwrap();
        assert_eq!(noted["author"], agent["email"]);
        assert_eq!(noted["author_name"], name);
        // What was answered about the past stays as it was answered.
        let then = api.get(&format!("{case}?at=3")).await.expect(200);
        assert_eq!(then, before);
        let then = api.get(&format!("{case}/thread?at=3")).await.expect(200);
        assert!(!then.to_string().contains("Ada"), "{then}");
    }
    api.close().await;
}

#[tokio::test]
async fn an_account_keeps_what_its_person_prefers() {
    let api = Api::start().await;
    let account = api.get("/account").await.expect(200);
    assert_eq!(
        (
            &account["theme"],
            &account["time_zone"],
            &account["next_case"]
        ),
        (&json!("system"), &Value::Null, &json!(false))
    );
    let change = json!({
        "name": "Ada Lovelace", "theme": "dark", "time_zone": "Europe/Berlin", "next_case": true,
        "notify": {"mention": true, "sound": true},
    });
    let changed = api.does("PATCH", "/account", &change).await.expect(200);
    assert_eq!(changed["initials"], "AL");
    assert_eq!(changed["theme"], "dark");
    assert_eq!(
        changed["notify"],
        json!({"assignment": false, "mention": true, "message": false, "sound": true})
    );
    // What is left out stays.
    let zone = json!({"time_zone": null});
    let changed = api.does("PATCH", "/account", &zone).await.expect(200);
    assert_eq!(changed["time_zone"], Value::Null);
    assert_eq!(changed["name"], "Ada Lovelace");
    assert_eq!(changed["theme"], "dark");
    assert_eq!(api.get("/account").await.expect(200), changed);
    for wrong in [
        json!({"theme": "pink"}),
        json!({"time_zone": "Mars/Olympus"}),
        json!({"name": ""}),
    ] {
        api.does("PATCH", "/account", &wrong)
            .await
            .problem(422, "invalid-value");
    }
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn a_note_mentions_those_whom_it_names() {
    let api = Api::start().await;
    api.set_up().await;
    let (references, _) = api.receives("Hello").await;
    let case = format!("/cases/{}", references[0]);
    let named = json!({"name": "Ada Lovelace"});
    let account = api.does("PATCH", "/account", &named).await.expect(200);
    let nothing = api.get("/mentions").await.expect(200);
    assert_eq!(nothing["items"], json!([]));
    let note = json!({"text": "@ada lovelace and @nobody: please look"});
    api.owner_does("POST", &format!("{case}/notes"), &note)
        .await
        .expect(201);
    let events = api.get(&format!("{case}/events")).await.expect(200);
    let last = events["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["type"], "PeopleMentioned");
    assert_eq!(last["data"]["users"], json!([account["user_id"]]));
    let mentions = api.get("/mentions").await.expect(200);
    assert_eq!(mentions["items"][0]["reference"], references[0]);
    assert_eq!(mentions["items"][0]["is_unread"], true);
    let others = api
        .owner_does("GET", "/mentions", &json!({}))
        .await
        .expect(200);
    assert_eq!(others["items"], json!([]));
    api.equals_its_log().await;
    api.close().await;
}

/// The types of what people did, in order.
async fn recorded(api: &Api) -> Vec<String> {
    api.app.audit.settled().await;
    let events = reader::page(&api.app.pool, 0, 1_000).await.unwrap();
    events
        .into_iter()
        .filter(|event| event.aggregate_type == "Export")
        .map(|event| event.event_type)
        .collect()
}

#[tokio::test]
async fn lists_and_searches_are_counted_by_the_hour() {
    let api = Api::start().await;
    api.set_up().await;
    for _ in 0..3 {
        api.get("/cases").await.expect(200);
    }
    assert_eq!(recorded(&api).await, ["CasesListed"]);
    api.get("/cases?q=secret").await.expect(200);
    assert_eq!(recorded(&api).await, ["CasesListed", "CasesListed"]);
    for _ in 0..2 {
        api.get("/contacts").await.expect(200);
    }
    api.get("/contacts?q=secret").await.expect(200);
    assert_eq!(recorded(&api).await, ["CasesListed"; 4]);
    wait(3_600);
    for path in ["/cases", "/contacts"] {
        api.get(path).await.expect(200);
    }
    let types = recorded(&api).await;
    assert_eq!(types[..4], ["CasesListed"; 4]);
    let count = |name: &str| types.iter().filter(|known| *known == name).count();
    // Of the cases and of the contacts there were more, and an hour of each is begun anew.
    assert_eq!(
        (count("CasesListed"), count("CasesListedOn")),
        (6, 2),
        "{types:?}"
    );
    let events = reader::page(&api.app.pool, 0, 1_000).await.unwrap();
    let more = events
        .iter()
        .filter(|event| event.event_type == "CasesListedOn");
    let mut times: Vec<i64> = more
        .map(|event| {
            let payload: Value = serde_json::from_str(event.payload.get()).unwrap();
            payload["CasesListedOn"]["times"].as_i64().unwrap()
        })
        .collect();
    times.sort_unstable();
    assert_eq!(times, [1, 2]);
    assert!(
        events
            .iter()
            .all(|event| !event.payload.get().contains("secret"))
    );
    api.close().await;
}

#[tokio::test]
async fn the_log_is_narrowed_by_who_and_how() {
    let api = Api::start().await;
    api.set_up().await;
    api.receives("Hello").await;
    let types = async |query: &str| -> Vec<String> {
        let page = api.owner_does("GET", query, &json!({})).await.expect(200);
        let items = page["items"].as_array().unwrap();
        items.iter().map(|event| text(&event["type"])).collect()
    };
    let webhook = types("/events?via=webhook").await;
    assert!(
        webhook.contains(&"MessageReceived".to_owned()),
        "{webhook:?}"
    );
    assert!(!webhook.contains(&"LineAdded".to_owned()), "{webhook:?}");
    // A page is filled from what stands behind the events that were not asked for.
    let (mut paged, mut after) = (vec![], Some(0));
    while let Some(place) = after {
        let path = format!("/events?via=webhook&limit=1&after={place}");
        let page = api.owner_does("GET", &path, &json!({})).await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() == 1 || page["next"].is_null(), "{page}");
        paged.extend(items.iter().map(|event| text(&event["type"])));
        after = page["next"].as_i64();
    }
    assert_eq!(paged, webhook);
    let owners = types("/events?via=api&actor=Owner@example.com").await;
    assert!(owners.contains(&"LineAdded".to_owned()), "{owners:?}");
    assert!(
        !owners.contains(&"MessageReceived".to_owned()),
        "{owners:?}"
    );
    let none = types("/events?token_id=00000000-0000-0000-0000-000000000001").await;
    assert!(none.is_empty(), "{none:?}");
    assert!(types("/events?client_address=192.0.2.7").await.is_empty());
    api.owner_does("GET", "/events?via=pigeon", &json!({}))
        .await
        .problem(400, "invalid-query");
    let export = api
        .owner_does("GET", "/events/export?via=webhook", &json!({}))
        .await;
    assert_eq!(export.status.as_u16(), 200);
    let lines = &export.text;
    assert!(
        lines.contains("MessageReceived") && !lines.contains("LineAdded"),
        "{lines}"
    );
    api.close().await;
}
