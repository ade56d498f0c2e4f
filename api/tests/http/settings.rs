//! Surveys and lines.

use docket::operations::Administrator;
use docket::operations::line::ChangeLine;
use docket_domain::line::{HaltReason, LineCommand};
use serde_json::{Value, json};

use crate::support::{Api, survey, text};

fn with(mut body: Value, change: &Value) -> Value {
    body.as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn surveys_are_created_and_changed() {
    let api = Api::start().await;
    let answer = api.owner_does("POST", "/surveys", &survey()).await;
    let created = answer.expect(201);
    let id = text(&created["id"]);
    assert_eq!(
        answer.headers["location"],
        format!("/api/v1/surveys/{id}").as_str()
    );
    let more = json!({
        "id": id, "survey_id": id, "templates": [], "created_at": "2026-03-01T12:00:00Z", "version": 1,
        "time_zone": "UTC",
    });
    assert_eq!(created, with(survey(), &more));
    let path = format!("/surveys/{id}");
    assert_eq!(api.get(&path).await.expect(200), created);
    assert_eq!(
        api.get("/surveys").await.expect(200),
        json!({"items": [created], "next": null})
    );

    let changed = api
        .owner_does("PATCH", &path, &json!({"name": "Help"}))
        .await
        .expect(200);
    assert_eq!(
        changed,
        with(created.clone(), &json!({"name": "Help", "version": 2}))
    );
    let nothing = api.owner_does("PATCH", &path, &json!({})).await.expect(200);
    assert_eq!(nothing, changed);
    api.close().await;
}

#[tokio::test]
async fn templates_are_given_whole() {
    let api = Api::start().await;
    let created = api.owner_does("POST", "/surveys", &survey()).await;
    let id = text(&created.expect(201)["id"]);
    let path = format!("/surveys/{id}/templates");
    let templates = json!([
        {"name": "Hours", "text": "Hello {name}, from 9 to 5.\n{agent}"},
        {"name": "Thanks", "text": "Thank you"},
    ]);
    let body = json!({"templates": templates});
    let changed = api.owner_does("PUT", &path, &body).await.expect(200);
    assert_eq!(changed["templates"], templates);
    assert_eq!(changed["version"], 2);
    // The same again is nothing, and a change of the settings leaves them.
    let again = api.owner_does("PUT", &path, &body).await.expect(200);
    assert_eq!(again, changed);
    let survey = format!("/surveys/{id}");
    let renamed = json!({"name": "Front desk"});
    let renamed = api.owner_does("PATCH", &survey, &renamed).await.expect(200);
    assert_eq!(renamed["templates"], templates);

    for (templates, said) in [
        (json!([{"name": "", "text": "a"}]), "templates.name must"),
        (json!([{"name": "a", "text": " "}]), "templates.text must"),
        (
            json!([{"name": "a", "text": "a"}, {"name": "A", "text": "b"}]),
            "must not repeat",
        ),
    ] {
        let body = json!({"templates": templates});
        let answer = api.owner_does("PUT", &path, &body).await;
        let problem = answer.problem(422, "invalid-value");
        assert!(
            problem["detail"].as_str().unwrap().contains(said),
            "{problem}"
        );
    }
    let emptied = api
        .owner_does("PUT", &path, &json!({"templates": []}))
        .await;
    assert_eq!(emptied.expect(200)["templates"], json!([]));
    let nobody = "/surveys/00000000-0000-0000-0000-0000000000ff/templates";
    api.owner_does("PUT", nobody, &json!({"templates": []}))
        .await
        .problem(404, "not-found");
    api.close().await;
}

#[tokio::test]
async fn surveys_that_cannot_be() {
    let api = Api::start().await;
    let status = |choices: Value, closed: &str| json!({"status": {"question": "Status", "choices": choices, "closed_value": closed}});
    for (change, said) in [
        (json!({"name": ""}), "name must have"),
        (status(json!(["A"]), "A"), "status.choices must have"),
        (status(json!(["A", "A"]), "A"), "must not repeat"),
        (
            status(json!(["A", "B"]), "C"),
            "status.closed_value must be one of",
        ),
    ] {
        let answer = api
            .owner_does("POST", "/surveys", &with(survey(), &change))
            .await;
        let problem = answer.problem(422, "invalid-value");
        assert!(
            problem["detail"].as_str().unwrap().contains(said),
            "{problem}"
        );
    }
    let nobody = "/surveys/00000000-0000-0000-0000-0000000000ff";
    api.get(nobody).await.problem(404, "not-found");
    api.owner_does("PATCH", nobody, &json!({}))
        .await
        .problem(404, "not-found");
    api.close().await;
}

#[tokio::test]
async fn lines_are_added_changed_and_removed() {
    let api = Api::start().await;
    let survey = api
        .owner_does("POST", "/surveys", &survey())
        .await
        .expect(201);
    let new = json!({
        "number": "+44 7700 900000", "channel": "sms", "survey_id": survey["id"], "multi_case_reply": "You have %s1 cases",
    });
    let answer = api.owner_does("POST", "/lines", &new).await;
    let added = answer.expect(201);
    let id = text(&added["id"]);
    assert_eq!(
        added,
        json!({
            "id": id,
            "line_id": id,
            "number": "447700900000",
            "channel": "sms",
            "greeting": null,
            "new_case_reply": null,
            "office_hours": null,
            "opt_out_confirmation": null,
            "survey_id": survey["id"],
            "multi_case_reply": "You have %s1 cases",
            "sending": {"state": "ok", "reason": null},
            "created_at": "2026-03-01T12:00:00Z",
            "version": 1,
        })
    );
    let path = format!("/lines/{id}");
    assert_eq!(api.get(&path).await.expect(200), added);
    assert_eq!(
        api.get("/lines").await.expect(200),
        json!({"items": [added], "next": null})
    );

    // What is left out stays; null takes it away.
    let changed = api.owner_does("PATCH", &path, &json!({})).await.expect(200);
    assert_eq!(changed["multi_case_reply"], "You have %s1 cases");
    let changed = api
        .owner_does("PATCH", &path, &json!({"multi_case_reply": null}))
        .await
        .expect(200);
    assert_eq!(changed["multi_case_reply"], Value::Null);

    // The same number is a line of its own on another channel.
    let whatsapp = with(new.clone(), &json!({"channel": "whatsapp"}));
    api.owner_does("POST", "/lines", &whatsapp)
        .await
        .expect(201);
    api.owner_does("POST", "/lines", &new)
        .await
        .problem(409, "number-taken");

    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    api.get(&path).await.problem(404, "not-found");
    api.owner_does("PATCH", &path, &json!({}))
        .await
        .problem(404, "not-found");
    api.owner_does("POST", "/lines", &new).await.expect(201);
    api.close().await;
}

#[tokio::test]
async fn what_others_changed_since_a_version_stays() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let survey = format!("/surveys/{}", ids.survey);
    let line = format!("/lines/{}", ids.line);
    for (path, change, other) in [
        (
            survey,
            json!({"name": "Clinic"}),
            json!({"name": "Surgery"}),
        ),
        (
            line,
            json!({"multi_case_reply": "Which?"}),
            json!({"multi_case_reply": null}),
        ),
    ] {
        let version = json!({"version": api.get(&path).await.expect(200)["version"]});
        let patch = async |body: &Value| api.owner_does("PATCH", &path, body).await;
        let now = patch(&with(change.clone(), &version)).await.expect(200);
        let problem = patch(&with(other.clone(), &version)).await;
        let problem = problem.problem(409, "changed-since");
        assert_eq!(problem["version"], now["version"]);
        // Who wants what is there already has it, and who names no version changes what is there now.
        patch(&with(change, &version)).await.expect(200);
        let now = json!({"version": now["version"]});
        patch(&with(other.clone(), &now)).await.expect(200);
        patch(&json!({})).await.expect(200);
    }
    api.close().await;
}

#[tokio::test]
async fn two_lines_of_one_number_at_once_are_one() {
    let api = Api::with_writers(4).await;
    let survey = api
        .owner_does("POST", "/surveys", &survey())
        .await
        .expect(201);
    let new = json!({"number": "447700900000", "channel": "sms", "survey_id": survey["id"]});
    let (one, other) = tokio::join!(
        api.owner_does("POST", "/lines", &new),
        api.owner_does("POST", "/lines", &new)
    );
    let (good, bad) = if one.status.is_success() {
        (one, other)
    } else {
        (other, one)
    };
    good.expect(201);
    bad.problem(409, "number-taken");
    api.close().await;
}

#[tokio::test]
async fn a_halted_line_is_resumed() {
    let api = Api::start().await;
    let ids = api.set_up().await;
    let operation = ChangeLine {
        line_id: ids.line.parse().unwrap(),
        command: LineCommand::Halt {
            reason: HaltReason::Balance,
        },
        by: Administrator::System,
    };
    api.app.ledger.submit(operation).await.unwrap();
    let path = format!("/lines/{}", ids.line);
    let line = api.get(&path).await.expect(200);
    assert_eq!(
        line["sending"],
        json!({
            "state": "halted",
            "reason": "the Vonage account has too little balance: top it up, then resume sending",
        })
    );
    let change = async |body: Value| api.owner_does("PATCH", &path, &body).await;
    change(json!({"sending": "halt"}))
        .await
        .problem(422, "invalid-value");
    change(json!({"sending": "resume", "multi_case_reply": null}))
        .await
        .problem(422, "invalid-value");
    let line = change(json!({"sending": "resume"})).await.expect(200);
    assert_eq!(line["sending"], json!({"state": "ok", "reason": null}));
    change(json!({"sending": "resume"})).await.expect(200);
    api.close().await;
}

#[tokio::test]
async fn lines_that_cannot_be() {
    let api = Api::start().await;
    let survey = api
        .owner_does("POST", "/surveys", &survey())
        .await
        .expect(201);
    let new = json!({"number": "447700900000", "channel": "sms", "survey_id": survey["id"]});
    for (change, said) in [
        (json!({"number": "Example"}), "the number can hold digits"),
        (json!({"channel": "mms"}), "channel must be sms or whatsapp"),
        (
            json!({"survey_id": "00000000-0000-0000-0000-0000000000ff"}),
            "survey_id names no survey",
        ),
        (
            json!({"multi_case_reply": " "}),
            "multi_case_reply must have",
        ),
    ] {
        let answer = api
            .owner_does("POST", "/lines", &with(new.clone(), &change))
            .await;
        let problem = answer.problem(422, "invalid-value");
        assert!(
            problem["detail"].as_str().unwrap().contains(said),
            "{problem}"
        );
    }
    let nobody = "/lines/00000000-0000-0000-0000-0000000000ff";
    api.get(nobody).await.problem(404, "not-found");
    api.owner_does("PATCH", nobody, &json!({}))
        .await
        .problem(404, "not-found");
    api.owner_does("DELETE", nobody, &json!({}))
        .await
        .problem(404, "not-found");
    api.close().await;
}
