//! The auditor's role at the API: everything is read, and nothing changed.

use docket::evidence::keep::Keeper;
use docket::evidence::outlets::OutletsConfig;
use docket::http;
use docket_domain::event::is_about_people;
use docket_domain::held::{HeldBody, HeldReason, WebhookKind};
use docket_projections::log::reader;
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::{Api, text};

#[tokio::test]
async fn an_auditor_reads_everything_and_changes_nothing() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let whatsapp_template = api.add_template(&ids).await;
    let (_, message_id) = api.receives("Hello").await;
    let body = HeldBody::Text("{}".to_owned());
    let held = api
        .holds(WebhookKind::Inbound, HeldReason::Undecodable, body)
        .await;
    let label = json!({"name": "Urgent", "colour": "red"});
    let label = api.owner_does("POST", "/labels", &label).await.expect(201);
    let listed = api.get("/contacts").await.expect(200);
    let mut keeper = Keeper::new(api.app.clone(), OutletsConfig::default());
    keeper.round().await.unwrap();
    api.app.audit.settled().await;
    let before = reader::head(&api.app.pool).await.unwrap();

    // Every route of the document, which is made from the router's own.
    let document = serde_json::to_value(http::document()).unwrap();
    let mut tried = 0;
    for (template, item) in document["paths"].as_object().unwrap() {
        let id = match template.split('/').nth(3).unwrap() {
            "surveys" => ids.survey.clone(),
            "lines" => ids.line.clone(),
            "whatsapp-templates" => whatsapp_template.clone(),
            "unrouted" => held.to_string(),
            "labels" => text(&label["id"]),
            "contacts" => text(&listed["items"][0]["contact_id"]),
            _ => "00000000-0000-0000-0000-000000000001".to_owned(),
        };
        let path = template
            .replace("{reference}", "101")
            .replace("{message_id}", &message_id.to_string())
            .replace("{level}/{tile}", "0/000.p/1")
            .replace("{id}", &id);
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let call = api.call(&method, &path, Some(&api.auditor));
            let request = if method == "GET" {
                call.build()
            } else {
                call.json(&json!({})).build()
            };
            // Only the head: the stream of events has no end.
            let status = api.router().oneshot(request).await.unwrap().status();
            let expected = match method.as_str() {
                // No message has a file.
                "GET" if template.contains("/media/") => 404,
                "GET" => 200,
                _ => 403,
            };
            assert_eq!(status.as_u16(), expected, "{method} {template}");
            tried += 1;
        }
    }
    assert!(tried >= 33, "only {tried} routes were found");
    api.app.audit.settled().await;
    let events = reader::page(&api.app.pool, before, 1_000).await.unwrap();
    for event in &events {
        assert!(is_about_people(&event.aggregate_type), "{event:?}");
    }
    api.close().await;
}
