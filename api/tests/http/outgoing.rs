//! What goes out by WhatsApp templates, outside of WhatsApp's window, and by itself.

use docket::operations::receive::Received;
use docket_domain::case::News;
use docket_projections::ledger::operation::Answer as LedgerAnswer;
use serde_json::{Value, json};

use crate::support::{Answer, Api, CUSTOMER, OUR_NUMBER, inbound, new_id, text, wait};

const DAY: i64 = 24 * 60 * 60;

/// A help desk with a WhatsApp line and a template of it.
struct Desk {
    api: Api,
    survey: String,
    sms: String,
    line: String,
}

impl Desk {
    async fn open() -> Self {
        let api = Api::start().await;
        let ids = api.set_up().await;
        let line = json!({"number": OUR_NUMBER, "channel": "whatsapp", "survey_id": ids.survey});
        let line = api.owner_does("POST", "/lines", &line).await.expect(201);
        Self {
            api,
            survey: ids.survey,
            sms: ids.line,
            line: text(&line["id"]),
        }
    }

    fn template(&self) -> Value {
        json!({
            "name": "appointment_reminder", "locale": "en_GB",
            "body": "Hello {{1}}, we see you on {{2}}.", "line_id": self.line,
        })
    }

    async fn with_template() -> Self {
        let desk = Self::open().await;
        let template = desk.template();
        desk.api
            .owner_does("POST", "/whatsapp-templates", &template)
            .await
            .expect(201);
        desk
    }

    /// The customer writes by WhatsApp, 2 seconds before noon and so much later.
    async fn says(&self, said: &str, later: i64) -> Vec<u32> {
        let mut body = inbound(new_id(), OUR_NUMBER, said);
        body["channel"] = json!("whatsapp");
        body["message_type"] = json!("text");
        let at = chrono::DateTime::parse_from_rfc3339("2026-03-01T11:59:58Z").unwrap();
        body["timestamp"] = json!((at + chrono::TimeDelta::seconds(later)).to_rfc3339());
        match self.api.takes(&body).await {
            LedgerAnswer::Done(Received::Routed { references, .. }) => {
                references.iter().map(|r| r.get()).collect()
            }
            other => panic!("not routed: {other:?}"),
        }
    }

    async fn replies(&self, body: &Value) -> Answer {
        self.api.does("POST", "/cases/101/replies", body).await
    }

    /// What Docket wrote by itself in a case: why, and what.
    async fn automatic(&self, reference: u32) -> Vec<(String, String)> {
        let thread = self.api.get(&format!("/cases/{reference}/thread")).await;
        let items = thread.expect(200)["items"].as_array().unwrap().clone();
        items
            .iter()
            .filter(|item| item["author_kind"] == "automatic")
            .map(|item| (text(&item["automatic"]), text(&item["text"])))
            .collect()
    }

    /// All that Docket wrote by itself in a case: as what, and what.
    async fn written(&self, reference: u32) -> Vec<String> {
        let thread = self.api.get(&format!("/cases/{reference}/thread")).await;
        let items = thread.expect(200)["items"].as_array().unwrap().clone();
        let outbound = items.iter().filter(|item| item["direction"] == "outbound");
        outbound
            .map(|item| format!("{}: {}", text(&item["author_kind"]), text(&item["text"])))
            .collect()
    }

    async fn sets(&self, line: &str, change: &Value) -> Value {
        let path = format!("/lines/{line}");
        self.api
            .owner_does("PATCH", &path, change)
            .await
            .expect(200)
    }

    async fn close(self) {
        self.api.equals_its_log().await;
        self.api.close().await;
    }
}

fn reminder(parameters: &[&str]) -> Value {
    json!({"template": {"name": "appointment_reminder", "locale": "en_GB", "parameters": parameters}})
}

#[tokio::test]
async fn templates_are_added_changed_and_removed() {
    let desk = Desk::open().await;
    let api = &desk.api;
    let answer = api
        .owner_does("POST", "/whatsapp-templates", &desk.template())
        .await;
    let added = answer.expect(201);
    let path = format!("/whatsapp-templates/{}", text(&added["id"]));
    assert_eq!(
        answer.headers["location"],
        format!("/api/v1{path}").as_str()
    );
    assert_eq!(added["parameters"], 2);
    assert_eq!(added["version"], 1);
    assert_eq!(api.get(&path).await.expect(200), added);
    let list = api.get("/whatsapp-templates").await.expect(200);
    assert_eq!(list, json!({"items": [added], "next": null}));

    let change = json!({"body": "Hello {{1}}.", "version": 1});
    let changed = api.owner_does("PATCH", &path, &change).await.expect(200);
    assert_eq!(
        (
            &changed["body"],
            &changed["parameters"],
            &changed["version"]
        ),
        (&json!("Hello {{1}}."), &json!(1), &json!(2))
    );
    let outrun = json!({"body": "Hello.", "version": 1});
    let problem = api.owner_does("PATCH", &path, &outrun).await;
    assert_eq!(problem.problem(409, "changed-since")["version"], 2);

    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    api.owner_does("DELETE", &path, &json!({}))
        .await
        .expect(204);
    api.get(&path).await.problem(404, "not-found");
    let list = api.get("/whatsapp-templates").await.expect(200);
    assert_eq!(list["items"], json!([]));
    // The name is free again.
    api.owner_does("POST", "/whatsapp-templates", &desk.template())
        .await
        .expect(201);
    desk.close().await;
}

#[tokio::test]
async fn templates_that_cannot_be() {
    let desk = Desk::with_template().await;
    let api = &desk.api;
    let add = async |change: Value| {
        let mut body = desk.template();
        let fields = change.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(fields);
        api.owner_does("POST", "/whatsapp-templates", &body).await
    };
    add(json!({})).await.problem(409, "name-taken");
    add(json!({"locale": "en"})).await.expect(201);
    for (change, said) in [
        (json!({"name": "two words"}), "name must"),
        (json!({"locale": "english"}), "locale must"),
        (
            json!({"name": "other", "body": "{{2}}"}),
            "body must number",
        ),
        (json!({"name": "other", "body": " "}), "body must have"),
        (
            json!({"line_id": desk.sms}),
            "line_id names no WhatsApp line",
        ),
        (
            json!({"line_id": new_id()}),
            "line_id names no WhatsApp line",
        ),
    ] {
        let problem = add(change).await.problem(422, "invalid-value");
        let detail = text(&problem["detail"]);
        assert!(detail.starts_with(said), "{detail}");
    }
    desk.close().await;
}

#[tokio::test]
async fn a_template_is_sent_and_shown_with_its_parameters() {
    let desk = Desk::with_template().await;
    desk.says("Hello", 0).await;
    wait(2 * DAY);
    desk.replies(&json!({"text": "Are you there?"}))
        .await
        .problem(409, "window-closed");
    let queued = desk
        .replies(&reminder(&["Ann", "Monday"]))
        .await
        .expect(202);
    let thread = desk.api.get("/cases/101/thread").await.expect(200);
    let item = &thread["items"][2];
    assert_eq!(item["message_id"], queued["message_id"]);
    assert_eq!(item["text"], "Hello Ann, we see you on Monday.");
    // A template goes out as it was approved, without the reference.
    assert_eq!(item["sent_text"], "Hello Ann, we see you on Monday.");
    assert_eq!(
        item["template"],
        json!({"name": "appointment_reminder", "locale": "en_GB", "parameters": ["Ann", "Monday"]})
    );
    let news = News::Failed {
        code: Some(1022),
        reason: "Template Invalid".into(),
    };
    desk.api.sends(&queued["message_id"], news).await;
    let path = format!("/cases/101/messages/{}/resend", text(&queued["message_id"]));
    desk.api.does("POST", &path, &json!({})).await.expect(202);
    desk.close().await;
}

#[tokio::test]
async fn parameters_have_to_fit_the_template() {
    let desk = Desk::with_template().await;
    desk.says("Hello", 0).await;
    for (body, said) in [
        (
            reminder(&["Ann"]),
            "template.parameters do not fit: the template takes 2 parameters, and 1",
        ),
        (
            reminder(&["a", "b", "c"]),
            "template.parameters do not fit: the template takes 2 parameters, and 3",
        ),
        (
            reminder(&["Ann", "a\nb"]),
            "template.parameters do not fit: parameter 2",
        ),
        (
            json!({"template": {"name": "appointment_reminder", "locale": "fr"}}),
            "template.name and template.locale name no template",
        ),
        (
            json!({"template": reminder(&["a", "b"])["template"], "text": "Hi"}),
            "a template goes out alone",
        ),
    ] {
        let problem = desk.replies(&body).await.problem(422, "invalid-value");
        let detail = text(&problem["detail"]);
        assert!(detail.starts_with(said), "{detail}");
    }
    desk.replies(&json!({})).await.problem(422, "invalid-body");
    // The person writes by SMS, and is answered by SMS.
    desk.api.receives("By SMS").await;
    let problem = desk.replies(&reminder(&["a", "b"])).await;
    let problem = problem.problem(422, "invalid-value");
    assert!(text(&problem["detail"]).contains("by SMS"), "{problem}");
    desk.close().await;
}

#[tokio::test]
async fn free_text_is_for_the_window_unless_it_is_sent_anyway() {
    let desk = Desk::open().await;
    desk.says("Hello", 0).await;
    let hi = json!({"text": "Hi"});
    wait(DAY - 3);
    desk.replies(&hi).await.expect(202);
    wait(1);
    desk.replies(&hi).await.problem(409, "window-closed");
    desk.replies(&json!({"text": "Hi", "outside_window": false}))
        .await
        .problem(409, "window-closed");
    desk.replies(&json!({"text": "Hi", "outside_window": true}))
        .await
        .expect(202);
    // What they have said is told first, and opens the window.
    desk.says("Still here", DAY).await;
    desk.replies(&json!({"text": "Hi", "seen_version": 3}))
        .await
        .problem(409, "said-since");
    desk.replies(&hi).await.expect(202);
    desk.close().await;
}

#[tokio::test]
async fn a_new_case_begins_with_a_template_or_within_the_window() {
    let desk = Desk::with_template().await;
    let begin = async |line: &str, more: Value| {
        let mut body = json!({"line_id": line, "number": CUSTOMER});
        let fields = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(fields);
        desk.api.does("POST", "/cases", &body).await
    };
    let hi = json!({"text": "Hi"});
    begin(&desk.line, hi.clone())
        .await
        .problem(409, "window-closed");
    begin(&desk.sms, hi.clone()).await.expect(201);
    let opened = begin(&desk.line, reminder(&["Ann", "Monday"]))
        .await
        .expect(201);
    assert_eq!(opened["title"], "Hello Ann, we see you on Monday.");
    begin(&desk.line, json!({"text": "Hi", "outside_window": true}))
        .await
        .expect(201);
    begin(&desk.line, json!({}))
        .await
        .problem(422, "invalid-body");
    // Any message by WhatsApp opens the window, though the last one came by SMS.
    desk.says("#0 By WhatsApp", 0).await;
    desk.api.receives("#0 By SMS").await;
    begin(&desk.line, hi).await.expect(201);
    desk.close().await;
}

/// Open on Sundays from 9 to 17; it is a Sunday.
fn office() -> Value {
    json!({
        "hours": [{"day": "sunday", "opens": "09:00", "closes": "17:00"}],
        "holidays": ["2026-12-25"], "text": "We are closed. #%ref waits.".replace("#%ref", "%ref"),
    })
}

#[tokio::test]
async fn a_line_has_office_hours_and_greetings() {
    let desk = Desk::open().await;
    let texts = json!({"greeting": "Your case is %ref.", "new_case_reply": "New: %ref", "office_hours": office()});
    let line = desk.sets(&desk.sms, &texts).await;
    for field in ["greeting", "new_case_reply", "office_hours"] {
        assert_eq!(line[field], texts[field], "{field}");
    }
    // What is left out stays, and null is none.
    let line = desk.sets(&desk.sms, &json!({"greeting": null})).await;
    assert_eq!(line["greeting"], Value::Null);
    assert_eq!(line["office_hours"], texts["office_hours"]);
    let line = desk.sets(&desk.sms, &json!({"office_hours": null})).await;
    assert_eq!(line["office_hours"], Value::Null);
    assert_eq!(line["new_case_reply"], "New: %ref");
    let path = format!("/lines/{}", desk.sms);
    let with = |hours: Value| json!({"office_hours": {"hours": hours, "text": "Closed"}});
    for wrong in [
        with(json!([])),
        with(json!([{"day": "someday", "opens": "09:00", "closes": "17:00"}])),
        with(json!([{"day": "monday", "opens": "9:00", "closes": "17:00"}])),
        with(json!([{"day": "monday", "opens": "09:00", "closes": "24:00"}])),
        json!({"greeting": " "}),
        json!({"new_case_reply": "x".repeat(1_001)}),
    ] {
        let problem = desk.api.owner_does("PATCH", &path, &wrong).await;
        problem.problem(422, "invalid-value");
    }
    desk.close().await;
}

#[tokio::test]
async fn a_time_zone_is_a_name_of_the_iana() {
    let desk = Desk::open().await;
    let path = format!("/surveys/{}", desk.survey);
    let set = async |name: &str| {
        let change = json!({"time_zone": name});
        desk.api.owner_does("PATCH", &path, &change).await
    };
    assert_eq!(desk.api.get(&path).await.expect(200)["time_zone"], "UTC");
    let changed = set("europe/london").await.expect(200);
    assert_eq!(changed["time_zone"], "Europe/London");
    let renamed = json!({"name": "Front desk"});
    let renamed = desk
        .api
        .owner_does("PATCH", &path, &renamed)
        .await
        .expect(200);
    assert_eq!(renamed["time_zone"], "Europe/London");
    set("Europe/Nowhere").await.problem(422, "invalid-value");
    desk.close().await;
}

#[tokio::test]
async fn a_message_outside_of_office_hours_is_told_so_once_a_case_and_day() {
    let desk = Desk::open().await;
    desk.sets(&desk.sms, &json!({"office_hours": office()}))
        .await;
    desk.api.receives("At noon").await;
    assert_eq!(desk.automatic(101).await, []);
    wait(6 * 3_600);
    desk.api.receives("In the evening").await;
    desk.api.receives("And again").await;
    let told = (
        "out_of_hours".to_owned(),
        "We are closed. #101 waits.".to_owned(),
    );
    assert_eq!(desk.automatic(101).await, std::slice::from_ref(&told));
    // In London it is the next day an hour before it is in Reykjavik; both are told once more.
    wait(DAY);
    desk.api.receives("The next day").await;
    assert_eq!(desk.automatic(101).await, [told.clone(), told]);
    // It is as unread and unanswered as before.
    let case = desk.api.get("/cases/101").await.expect(200);
    assert_eq!(case["message_count"], 6);
    desk.close().await;
}

#[tokio::test]
async fn a_new_case_is_greeted_and_one_by_request_is_told_its_number() {
    let desk = Desk::open().await;
    let texts = json!({"greeting": "Your case is %ref.", "new_case_reply": "New: %ref"});
    desk.sets(&desk.sms, &texts).await;
    desk.api.receives("Hello").await;
    let greeted = |text: &str| [("greeting".to_owned(), text.to_owned())];
    assert_eq!(desk.automatic(101).await, greeted("Your case is #101."));
    desk.api.receives("Are you there?").await;
    assert_eq!(desk.automatic(101).await.len(), 1);
    desk.api.receives("#0 Something else").await;
    let new = ("new_requested".to_owned(), "New: #102".to_owned());
    assert_eq!(desk.automatic(102).await, [new]);
    // An answer for several cases comes first, and there are five in an hour at most, of all kinds.
    desk.sets(&desk.sms, &json!({"multi_case_reply": "%s1 open"}))
        .await;
    for _ in 0..3 {
        desk.api.receives("Which one?").await;
    }
    assert_eq!(desk.automatic(101).await.len(), 4);
    desk.api.receives("#0 A third").await;
    assert_eq!(desk.automatic(103).await, []);
    wait(3_601);
    desk.api.receives("#0 A fourth").await;
    assert_eq!(desk.automatic(104).await.len(), 1);
    desk.close().await;
}

#[tokio::test]
async fn an_opt_out_word_and_a_message_that_came_a_day_late_are_not_answered() {
    let desk = Desk::open().await;
    let texts = json!({"greeting": "Your case is %ref.", "office_hours": office()});
    for line in [&desk.sms, &desk.line] {
        desk.sets(line, &texts).await;
    }
    desk.api.receives("STOP").await;
    assert_eq!(desk.automatic(101).await, []);
    wait(DAY + 10);
    desk.says("#0 Sent yesterday", 0).await;
    assert_eq!(desk.automatic(102).await, []);
    desk.says("#0 Sent now", DAY).await;
    assert_eq!(desk.automatic(103).await.len(), 1);
    desk.close().await;
}

#[tokio::test]
async fn an_opt_out_is_confirmed_once_and_nothing_is_sent_after_it() {
    let desk = Desk::open().await;
    let texts = json!({
        "greeting": "Your case is %ref.",
        "multi_case_reply": "%s1 open",
        "office_hours": office(),
        "opt_out_confirmation": "You get no more messages.",
    });
    let line = desk.sets(&desk.sms, &texts).await;
    assert_eq!(line["opt_out_confirmation"], "You get no more messages.");
    desk.api.receives("Hello").await;
    desk.api.receives("Stop. #101").await;
    let written = desk.written(101).await;
    assert_eq!(
        written,
        [
            "automatic: Your case is #101.",
            "opt_out_confirmation: You get no more messages."
        ]
    );
    // Neither another word nor anything else is answered while they are opted out, in open hours and outside of them.
    desk.api.receives("STOP").await;
    desk.api.receives("#0 Something else").await;
    wait(6 * 3_600);
    desk.api.receives("Are you there?").await;
    assert_eq!(desk.written(101).await, written);
    assert_eq!(desk.written(102).await, Vec::<String>::new());
    // They come back, and leave once more.
    desk.api.receives("START").await;
    desk.api.receives("STOP").await;
    let last = desk.written(101).await.pop();
    assert_eq!(
        last.as_deref(),
        Some("opt_out_confirmation: You get no more messages.")
    );
    desk.close().await;
}

#[tokio::test]
async fn confirmations_count_for_the_five_texts_of_an_hour() {
    let desk = Desk::open().await;
    let texts = json!({"opt_out_confirmation": "You get no more messages."});
    desk.sets(&desk.sms, &texts).await;
    for _ in 0..7 {
        desk.api.receives("STOP").await;
        desk.api.receives("START").await;
    }
    assert_eq!(desk.written(101).await.len(), 5);
    desk.close().await;
}

#[tokio::test]
async fn a_message_that_is_first_of_all_an_opt_out_makes_a_case_and_is_confirmed() {
    let desk = Desk::open().await;
    let texts = json!({"greeting": "Your case is %ref.", "opt_out_confirmation": "Bye."});
    desk.sets(&desk.sms, &texts).await;
    desk.api.receives("STOP").await;
    assert_eq!(desk.written(101).await, ["opt_out_confirmation: Bye."]);
    let cleared = json!({"opt_out_confirmation": null});
    let line = desk.sets(&desk.sms, &cleared).await;
    assert_eq!(line["opt_out_confirmation"], Value::Null);
    assert_eq!(line["greeting"], "Your case is %ref.");
    desk.close().await;
}

#[tokio::test]
async fn a_template_goes_out_alone_and_not_to_somebody_who_opted_out() {
    let desk = Desk::with_template().await;
    desk.says("Hello", 0).await;
    let mut body = reminder(&["Ada", "Monday"]);
    body["text"] = json!("Hello");
    desk.replies(&body).await.expect(422);
    let mut body = reminder(&["Ada", "Monday"]);
    body["media_id"] = json!(new_id());
    desk.replies(&body).await.expect(422);
    desk.replies(&json!({"outside_window": true}))
        .await
        .expect(422);
    desk.says("STOP", 1).await;
    let refused = desk
        .replies(&reminder(&["Ada", "Monday"]))
        .await
        .expect(409);
    assert_eq!(refused["type"], "/problems/opted-out");
    desk.close().await;
}
