//! Labels, and the cases that have them.

use serde_json::{Value, json};

use crate::support::{Api, text, wait};

impl Api {
    /// An owner creates a label; gives its id.
    async fn has_label(&self, name: &str, colour: &str) -> String {
        let label = json!({"name": name, "colour": colour});
        let created = self.owner_does("POST", "/labels", &label).await.expect(201);
        text(&created["id"])
    }

    /// An agent gives the case these labels; gives those that it has then.
    async fn labels(&self, reference: u32, labels: &[&str]) -> Value {
        let path = format!("/cases/{reference}/labels");
        let body = json!({"labels": labels});
        self.does("PUT", &path, &body).await.expect(200)["labels"].clone()
    }

    /// The references that a list shows.
    async fn listed(&self, query: &str) -> Vec<u64> {
        let page = self.get(&format!("/cases?{query}")).await.expect(200);
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|case| case["reference"].as_u64().unwrap())
            .collect()
    }

    async fn types(&self, reference: u32) -> Vec<String> {
        let path = format!("/cases/{reference}/events");
        let page = self.get(&path).await.expect(200);
        let items = page["items"].as_array().unwrap().iter();
        items.map(|event| text(&event["type"])).collect()
    }
}

#[tokio::test]
async fn a_label_is_created_changed_and_deleted() {
    let api = Api::start().await;
    let body = json!({"name": "  Urgent\u{200b} ", "colour": "red"});
    let answer = api.owner_does("POST", "/labels", &body).await;
    let created = answer.expect(201);
    assert_eq!(
        (&created["name"], &created["colour"]),
        (&json!("Urgent"), &json!("red"))
    );
    let path = format!("/labels/{}", text(&created["id"]));
    assert_eq!(answer.headers["location"], format!("/api/v1{path}"));
    assert_eq!(api.get(&path).await.expect(200), created);

    let grey = json!({"name": "Archive"});
    let grey = api.owner_does("POST", "/labels", &grey).await.expect(201);
    assert_eq!(grey["colour"], "grey");
    let listed = api.get("/labels").await.expect(200);
    assert_eq!(listed, json!({"items": [grey, created], "next": null}));

    let orange = json!({"colour": "orange"});
    let changed = api.owner_does("PATCH", &path, &orange).await.expect(200);
    assert_eq!(
        (&changed["name"], &changed["colour"], &changed["version"]),
        (&json!("Urgent"), &json!("orange"), &json!(3))
    );
    let same = api.owner_does("PATCH", &path, &json!({})).await.expect(200);
    assert_eq!(same, changed);

    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    for gone in [
        api.get(&path).await,
        api.owner_does("PATCH", &path, &json!({"name": "Back"}))
            .await,
        api.owner_does("DELETE", &path, &json!({})).await,
    ] {
        gone.problem(404, "not-found");
    }
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn no_two_labels_have_one_name() {
    let api = Api::start().await;
    api.has_label("Urgent", "red").await;
    let other = api.has_label("Later", "blue").await;
    for same in ["Urgent", "URGENT", " urgent"] {
        let body = json!({"name": same, "colour": "blue"});
        let refused = api.owner_does("POST", "/labels", &body).await;
        refused.problem(409, "name-taken");
        let path = format!("/labels/{other}");
        let refused = api.owner_does("PATCH", &path, &json!({"name": same})).await;
        refused.problem(409, "name-taken");
    }
    api.close().await;
}

#[tokio::test]
async fn a_label_has_a_name_of_one_line_and_a_colour_of_the_palette() {
    let api = Api::start().await;
    for wrong in [
        json!({"name": "", "colour": "red"}),
        json!({"name": "\u{200b}", "colour": "red"}),
        json!({"name": "two\nlines", "colour": "red"}),
        json!({"name": "x".repeat(51), "colour": "red"}),
        json!({"name": "Urgent", "colour": "#ff0000"}),
        json!({"name": "Urgent", "colour": "Red"}),
    ] {
        let refused = api.owner_does("POST", "/labels", &wrong).await;
        refused.problem(422, "invalid-value");
    }
    api.close().await;
}

#[tokio::test]
async fn a_repeated_request_creates_one_label() {
    let api = Api::start().await;
    let body = json!({"name": "Urgent", "colour": "red"});
    let mut created = vec![];
    for _ in 0..2 {
        let call = api.call("POST", "/labels", Some(&api.owner)).key("once");
        created.push(call.json(&body).send().await.expect(201));
    }
    assert_eq!(created[0], created[1]);
    let labels = api.get("/labels").await.expect(200);
    assert_eq!(labels["items"].as_array().unwrap().len(), 1);
    api.close().await;
}

#[tokio::test]
async fn a_case_has_the_labels_that_it_was_given_last() {
    let api = Api::start().await;
    api.set_up().await;
    api.has_label("Urgent", "red").await;
    api.has_label("Billing", "blue").await;
    api.receives("My parcel is late").await;
    assert_eq!(
        api.labels(101, &["urgent", "BILLING", "Urgent"]).await,
        json!(["Billing", "Urgent"])
    );
    let before = api.get("/cases/101").await.expect(200)["version"].clone();
    assert_eq!(
        api.labels(101, &["Billing", "Urgent"]).await,
        json!(["Billing", "Urgent"])
    );
    let after = api.get("/cases/101").await.expect(200);
    assert_eq!(after["version"], before);
    assert_eq!(api.labels(101, &["Urgent"]).await, json!(["Urgent"]));
    assert_eq!(api.labels(101, &[]).await, json!([]));
    let thread = api.get("/cases/101/thread").await.expect(200);
    let told: Vec<_> = thread["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["kind"] == "labels")
        .map(|item| (item["labels_added"].clone(), item["labels_removed"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!(["Urgent", "Billing"]), json!([])),
            (json!([]), json!(["Billing"])),
            (json!([]), json!(["Urgent"])),
        ]
    );
    api.equals_its_log().await;
    api.close().await;
}

#[tokio::test]
async fn an_unknown_label_is_named_and_changes_nothing() {
    let api = Api::start().await;
    api.set_up().await;
    api.has_label("Urgent", "red").await;
    api.receives("My parcel is late").await;
    let body = json!({"labels": ["Urgent", "Nope"]});
    let refused = api.does("PUT", "/cases/101/labels", &body).await;
    let problem = refused.problem(422, "unknown-label");
    assert_eq!(problem["label"], "Nope");
    assert_eq!(api.get("/cases/101").await.expect(200)["labels"], json!([]));
    let many: Vec<_> = (0..21).map(|number| format!("Label {number}")).collect();
    for name in &many {
        api.has_label(name, "grey").await;
    }
    let refused = api
        .does("PUT", "/cases/101/labels", &json!({"labels": many}))
        .await;
    refused.problem(422, "invalid-value");
    api.does("PUT", "/cases/999/labels", &json!({"labels": []}))
        .await
        .problem(404, "not-found");
    api.close().await;
}

#[tokio::test]
async fn a_list_shows_the_cases_of_a_label() {
    let api = Api::start().await;
    api.set_up().await;
    let urgent = api.has_label("Urgent", "red").await;
    api.has_label("Billing", "blue").await;
    for said in ["One", "#0 Two", "#0 Three"] {
        api.receives(said).await;
    }
    api.labels(101, &["Urgent"]).await;
    api.labels(103, &["Urgent", "Billing"]).await;
    for order in ["newest", "reference"] {
        let mut listed = api.listed(&format!("label=URGENT&order={order}")).await;
        listed.sort_unstable();
        assert_eq!(listed, [101, 103], "{order}");
        let billing = format!("label=Billing&order={order}");
        assert_eq!(api.listed(&billing).await, [103]);
    }
    assert_eq!(api.listed("label=Urgent&q=three").await, [103]);
    assert_eq!(api.listed("label=Nope").await, [0; 0]);
    assert_eq!(api.listed("label=").await.len(), 3);

    // A new name finds the same cases, and the old one none.
    let path = format!("/labels/{urgent}");
    api.owner_does("PATCH", &path, &json!({"name": "Today"}))
        .await
        .expect(200);
    assert_eq!(api.listed("label=Today").await.len(), 2);
    assert_eq!(api.listed("label=Urgent").await.len(), 0);
    assert_eq!(
        api.get("/cases/103").await.expect(200)["labels"],
        json!(["Billing", "Today"])
    );
    api.close().await;
}

#[tokio::test]
async fn a_deleted_label_leaves_every_case_and_its_history_stays() {
    let api = Api::start().await;
    api.set_up().await;
    let urgent = api.has_label("Urgent", "red").await;
    api.has_label("Billing", "blue").await;
    api.receives("My parcel is late").await;
    api.labels(101, &["Urgent", "Billing"]).await;
    let labelled = api.get("/cases/101").await.expect(200)["version"].clone();
    wait(60);
    let path = format!("/labels/{urgent}");
    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    let now = api.get("/cases/101").await.expect(200);
    assert_eq!(now["labels"], json!(["Billing"]));
    assert_eq!(api.listed("label=Urgent").await, [0; 0]);
    let then = api
        .get(&format!("/cases/101?at={labelled}"))
        .await
        .expect(200);
    assert_eq!(then["labels"], json!(["Billing", "Urgent"]));
    assert_eq!(
        api.get("/cases/101?at=2").await.expect(200)["labels"],
        json!([])
    );

    // Another label of the same name is another label.
    api.has_label("Urgent", "teal").await;
    assert_eq!(api.listed("label=Urgent").await, [0; 0]);
    assert_eq!(api.labels(101, &["Billing"]).await, json!(["Billing"]));
    assert_eq!(api.labels(101, &["Urgent"]).await, json!(["Urgent"]));
    let events = api.types(101).await;
    let changes = events.iter().filter(|name| *name == "LabelsChanged");
    assert_eq!(changes.count(), 2);
    api.equals_its_log().await;
    api.close().await;
}
