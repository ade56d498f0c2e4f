//! Where messages go, as far as the survey's settings and the number of open cases bear on it.

use serde_json::json;

use crate::support::Api;

#[tokio::test]
async fn a_record_stays_one_when_its_survey_gets_cases() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let cases = async |enabled: bool| {
        let path = format!("/surveys/{}", ids.survey);
        let change = json!({"cases_enabled": enabled});
        api.owner_does("PATCH", &path, &change).await.expect(200);
    };
    let line = json!({"multi_case_reply": "%s1: %s2"});
    let path = format!("/lines/{}", ids.line);
    api.owner_does("PATCH", &path, &line).await.expect(200);
    cases(false).await;
    for reference in 101..=103 {
        assert_eq!(api.receives("Hello").await.0, [reference]);
    }
    // One that was closed and opened again is a record all the same, and so is a closed one.
    for (reference, value) in [(101, "Resolved"), (101, "New"), (102, "Resolved")] {
        let path = format!("/cases/{reference}/status");
        let value = json!({"value": value});
        api.does("PUT", &path, &value).await.expect(200);
    }
    cases(true).await;

    assert_eq!(api.receives("Hello again").await.0, [104]);
    assert_eq!(api.receives("#101, #102 and #103").await.0, [104]);
    assert_eq!(api.receives("And once more").await.0, [104]);
    let begun = api.get("/cases/104").await.expect(200);
    assert_eq!(
        begun["message_count"], 3,
        "no automatic reply is among them"
    );
    assert_eq!(api.get("/cases/101").await.expect(200)["message_count"], 1);
    api.close().await;
}
