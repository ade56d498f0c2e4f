//! A request for the headers alone, which changes nothing anywhere.

use docket_projections::testing::checksums;

use crate::auditor::routes;
use crate::support::{House, wait};

#[tokio::test]
async fn a_request_for_the_headers_alone_changes_nothing_and_gives_those_of_the_page() {
    let house = House::start().await;
    let (_, message_id) = house.receives("Hello").await;
    let agent = house.user("agent@example.com").await;
    let contact_id = house.contact_id().await.to_string();
    let survey_id = house.app.ledger.settings();
    let survey_id = survey_id.line(house.line).unwrap().survey_id;
    let paths: Vec<String> = routes()
        .into_iter()
        .filter(|(method, _)| method == "GET")
        .map(|(_, path)| {
            let path = path
                .replace("{reference}", "101")
                .replace("{message_id}", &message_id.to_string())
                .replace("{user_id}", &agent.user_id.to_string())
                .replace("{contact_id}", &contact_id)
                .replace("{table}", "days.csv")
                .replace("{line_id}", &house.line.to_string())
                .replace("{survey_id}", &survey_id.to_string());
            assert!(!path.contains('{'), "{path}: say above what stands there");
            path
        })
        .chain(
            [
                "/live?page=00000000-0000-0000-0000-000000000077&case=101&after=1",
                "/cases/101/history?at=2",
                "/log?type=CaseOpened&before=9",
                "/sign-in",
                "/assets/console.js",
                "/assets/console.css",
                "/nowhere",
                "/cases/999",
            ]
            .map(str::to_owned),
        )
        .collect();
    for role in ["owner", "agent", "auditor"] {
        let mut browser = house.signed_in(role).await;
        // So that the next use of the session would be noted.
        wait(120);
        house.app.audit.settled().await;
        let before = checksums(&house.app.pool).await;
        for path in &paths {
            let answer = browser.once("HEAD", path, None).await;
            assert!(answer.text.is_empty(), "{path}: {}", answer.text);
        }
        // What the script of an open page fetches moves the read mark too.
        let shown = [("docket-live", "shown")];
        browser
            .with_headers("HEAD", "/cases/101", &shown, None)
            .await;
        house.app.audit.settled().await;
        assert_eq!(checksums(&house.app.pool).await, before, "{role}");
        for path in &paths {
            // What the first look marks as read, the next one shows as read.
            if !path.starts_with("/live") {
                browser.once("GET", path, None).await;
            }
            house.app.audit.settled().await;
            let head = browser.once("HEAD", path, None).await;
            if path.starts_with("/live") && head.status == 200 {
                assert_eq!(head.headers["content-type"], "text/event-stream", "{path}");
                continue;
            }
            let page = browser.once("GET", path, None).await;
            assert_eq!(page.status, head.status, "{role} {path}");
            let names = |page: &crate::support::Page| {
                let own = ["x-request-id", "set-cookie", "content-length"];
                let headers = page.headers.clone();
                let mut headers: Vec<(String, String)> = headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                    .filter(|(name, _)| !own.contains(&name.as_str()))
                    .collect();
                headers.sort();
                headers
            };
            assert_eq!(names(&page), names(&head), "{role} {path}");
            let length = |page: &crate::support::Page| {
                let length = page.headers.get("content-length");
                length.map(|length| length.to_str().unwrap().to_owned())
            };
            // A form has a number of its own, which is as long as any other.
            assert_eq!(length(&page), length(&head), "{role} {path}");
        }
        house.app.audit.settled().await;
        if role != "auditor" {
            assert_ne!(checksums(&house.app.pool).await, before, "{role}");
        }
    }
    house.close().await;
}
