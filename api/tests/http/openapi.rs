//! The document: a snapshot of it, and what every operation must say.

use std::collections::BTreeSet;

use docket::http;
use serde_json::Value;

use crate::support::Api;

#[test]
fn the_document_is_as_it_was() {
    insta::assert_json_snapshot!("openapi", http::document());
}

#[test]
fn every_operation_says_what_it_is() {
    let document = serde_json::to_value(http::document()).unwrap();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                names.insert(operation["operationId"].to_string()),
                "{method} {path} has a taken name"
            );
            let said = |field: &str| operation[field].as_str().unwrap_or_default().to_owned();
            assert!(said("summary").len() > 5, "{method} {path} has no summary");
            assert!(
                !operation["tags"].as_array().unwrap().is_empty(),
                "{method} {path} has no tag"
            );
            assert_eq!(
                operation["security"],
                serde_json::json!([{"token": []}]),
                "{method} {path}"
            );
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{method} {path}"
            );
            assert!(responses.contains_key("401"), "{method} {path}");
            let parameters: Vec<&str> = operation["parameters"]
                .as_array()
                .map(|list| list.iter().filter_map(|p| p["name"].as_str()).collect())
                .unwrap_or_default();
            assert_eq!(
                method != "get",
                parameters.contains(&"Idempotency-Key"),
                "{method} {path}"
            );
        }
    }
    let mut references = vec![];
    collect_references(&document, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(
                members
                    .get("$ref")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
            members
                .values()
                .for_each(|value| collect_references(value, found));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_served_to_everybody() {
    let api = Api::start().await;
    let answer = api.call("GET", "/api/openapi.json", None).send().await;
    assert_eq!(
        answer.expect(200),
        serde_json::to_value(http::document()).unwrap()
    );
    api.close().await;
}
