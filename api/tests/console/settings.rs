//! What owners set up: who may, surveys and their templates, lines, and the way through the set-up.

use docket::operations::Administrator;
use docket::operations::line::ChangeLine;
use docket_domain::line::{HaltReason, LineCommand};
use docket_projections::read::{lines, surveys};

use crate::support::{Browser, CUSTOMER, House, OUR_NUMBER};

const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";
const REPLY: &str = "You have %s1 open cases (%s2).";

/// Every route of the settings: method, path, and whether only owners may go there.
const ROUTES: [(&str, &str, bool); 26] = [
    ("GET", "/setup", false),
    ("GET", "/surveys", false),
    ("POST", "/surveys", true),
    ("GET", "/surveys/new", true),
    ("GET", "/surveys/{survey_id}", false),
    ("POST", "/surveys/{survey_id}", true),
    ("POST", "/surveys/{survey_id}/templates", true),
    ("GET", "/lines", false),
    ("POST", "/lines", true),
    ("GET", "/lines/new", true),
    ("GET", "/lines/{line_id}", false),
    ("POST", "/lines/{line_id}", true),
    ("GET", "/lines/{line_id}/automatic", false),
    ("POST", "/lines/{line_id}/automatic", true),
    ("POST", "/lines/{line_id}/remove", true),
    ("POST", "/lines/{line_id}/resume", true),
    ("GET", "/labels", false),
    ("POST", "/labels", true),
    ("POST", "/labels/{label_id}", true),
    ("POST", "/labels/{label_id}/delete", true),
    ("GET", "/vonage", false),
    ("POST", "/vonage", true),
    ("POST", "/vonage/test", true),
    ("GET", "/whatsapp-templates", false),
    ("POST", "/whatsapp-templates", true),
    ("POST", "/whatsapp-templates/{template_id}", true),
];

async fn survey_path(house: &House) -> String {
    let all = surveys::all(&house.app.pool).await.unwrap();
    format!("/surveys/{}", all[0].survey_id)
}

async fn routes(house: &House) -> Vec<(&'static str, String, bool)> {
    let survey = survey_path(house).await;
    let line = format!("/lines/{}", house.line);
    let path = |path: &str| {
        path.replace("/surveys/{survey_id}", &survey)
            .replace("/lines/{line_id}", &line)
            .replace("{label_id}", "00000000-0000-0000-0000-000000000001")
            .replace("{template_id}", "00000000-0000-0000-0000-000000000001")
    };
    let all = ROUTES.map(|(method, template, owns)| (method, path(template), owns));
    all.into()
}

#[test]
fn the_table_of_routes_is_whole() {
    let source = include_str!("../../src/console/settings.rs");
    let mut served = vec![];
    for rest in source.split(".route(").skip(1) {
        let path = rest.split('"').nth(1).unwrap();
        let method = if rest.split('"').nth(2).unwrap().contains("get(") {
            "GET"
        } else {
            "POST"
        };
        served.push((method, path));
    }
    served.sort_unstable();
    let mut listed = ROUTES.map(|(method, path, _)| (method, path));
    listed.sort_unstable();
    assert_eq!(served, listed);
}

#[tokio::test]
async fn settings_are_for_owners_to_change_and_for_auditors_to_read() {
    let house = House::start().await;
    let mut stranger = house.browser();
    let mut agent = house.signed_in("agent").await;
    let mut auditor = house.signed_in("auditor").await;
    let mut owner = house.signed_in("owner").await;
    agent.get("/").await.lacks(">Settings</a>");
    auditor.get("/").await.shows(">Settings</a>");
    owner.get("/").await.shows(">Settings</a>");
    let fields = [("name", "Changed")];
    let page = agent.get("/sessions").await;
    let (_, agents) = Browser::filled(&page, "/sign-out", &fields);
    let page = auditor.get("/sessions").await;
    let (_, auditors) = Browser::filled(&page, "/sign-out", &fields);
    for (method, path, owns) in routes(&house).await {
        let is_post = method == "POST";
        let answer = stranger
            .once(method, &path, is_post.then_some("csrf=x"))
            .await;
        answer.is(303);
        let to = answer.headers["location"].to_str().unwrap();
        assert!(to.starts_with("/sign-in"), "{method} {path} leads to {to}");

        let answer = agent.once(method, &path, is_post.then_some(&agents)).await;
        answer.is(403).shows(if owns {
            "Only owners"
        } else {
            "for auditors and owners"
        });

        let answer = auditor
            .once(method, &path, is_post.then_some(&auditors))
            .await;
        if owns {
            answer.is(403).shows("because you are an auditor");
        } else {
            answer
                .is(200)
                .lacks("Save")
                .lacks("New survey")
                .lacks("New line");
            let forms = answer.text.matches("<form ").count();
            assert_eq!(forms, 1, "only that to sign out: {}", answer.text);
        }
        if !is_post {
            let page = owner.get(&path).await;
            page.is(200)
                .lacks(" style=")
                .lacks(" onclick=")
                .lacks("<style");
            assert!(page.headers.contains_key("content-security-policy"));
        }
    }
    let page = auditor.get(&survey_path(&house).await).await;
    page.shows("Resolved (closes the case)").shows("Cases on");
    assert_eq!(surveys::all(&house.app.pool).await.unwrap().len(), 1);
    house.close().await;
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let (_, body) = Browser::filled(&owner.get("/sessions").await, "/sign-out", &[]);
    for path in [
        format!("/surveys/{NOBODY}"),
        "/surveys/x".to_owned(),
        format!("/lines/{NOBODY}"),
        "/lines/x".to_owned(),
    ] {
        owner.get(&path).await.is(404).shows("There is no such");
        owner.post(&path, &body).await.is(404);
    }
    for what in ["surveys/x/templates", "lines/x/remove", "lines/x/resume"] {
        owner.post(&format!("/{what}"), &body).await.is(404);
    }
    house.close().await;
}

#[tokio::test]
async fn a_survey_is_created_and_changed() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/surveys").await;
    page.shows("Support").shows("New · In progress · Resolved");
    let form = owner.get(&page.link("/surveys/new")).await;
    form.shows("value=\"Status\"").shows("value=\"Resolved\"");
    let fields = [
        ("name", " Clinic <1> "),
        ("cases", "yes"),
        ("question", "Done?"),
        ("answer-0", "No"),
        ("answer-1", ""),
        ("answer-2", " Yes "),
        ("answer-4", "Never"),
        ("closes", "2"),
    ];
    let made = owner.send(&form, "/surveys", &fields).await;
    made.is(200)
        .shows("The survey was created.")
        .shows("Clinic &#60;1&#62;");
    let id = made
        .at
        .trim_start_matches("/surveys/")
        .split('?')
        .next()
        .unwrap();
    let row = surveys::find(&house.app.pool, id.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.settings.name, "Clinic <1>");
    assert!(row.settings.cases_enabled && !row.settings.append_reference);
    assert_eq!(row.settings.status.choices, ["No", "Yes", "Never"]);
    assert_eq!(row.settings.status.closed_value, "Yes");

    let path = format!("/surveys/{id}");
    let fields = [
        ("name", "Clinic"),
        ("reference", "yes"),
        ("question", "Done?"),
        ("answer-0", "No"),
        ("answer-1", "Yes"),
        ("closes", "1"),
    ];
    let changed = owner.send(&made, &path, &fields).await;
    changed.is(200).shows("The survey was saved.");
    let row = surveys::find(&house.app.pool, id.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert!(!row.settings.cases_enabled && row.settings.append_reference);
    assert_eq!(row.settings.status.choices, ["No", "Yes"]);
    // The same form again is done once.
    let (to, body) = Browser::filled(
        &form,
        "/surveys",
        &[
            ("name", "Twice"),
            ("question", "?"),
            ("answer-0", "a"),
            ("answer-1", "b"),
            ("closes", "0"),
        ],
    );
    owner.post(&to, &body).await.is(200);
    owner.post(&to, &body).await.is(200);
    assert_eq!(surveys::all(&house.app.pool).await.unwrap().len(), 3);
    house.close().await;
}

#[tokio::test]
async fn a_survey_that_cannot_be_is_shown_again_with_why() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let good = [
        ("name", "Clinic"),
        ("question", "Done?"),
        ("answer-0", "No"),
        ("answer-1", "Yes"),
        ("closes", "1"),
    ];
    let existing = survey_path(&house).await;
    for (field, value, said) in [
        ("name", " ", "The name must have"),
        ("question", "", "The status question must have"),
        ("answer-0", "", "needs 2 to 50 answers"),
        ("answer-0", "Yes", "Two answers are the same."),
        ("closes", "4", "Choose which answer closes a case."),
        ("closes", "", "Choose which answer closes a case."),
    ] {
        for (page, action) in [
            ("/surveys/new", "/surveys"),
            (existing.as_str(), existing.as_str()),
        ] {
            let form = owner.get(page).await;
            let mut fields: Vec<_> = good.into();
            fields.retain(|(name, _)| *name != field);
            fields.push((field, value));
            let refused = owner.send(&form, action, &fields).await;
            refused.is(422).shows(said).shows("role=\"alert\"");
            if field != "question" {
                refused.shows("value=\"Done?\"");
            }
        }
    }
    let all = surveys::all(&house.app.pool).await.unwrap();
    assert_eq!((all.len(), all[0].version), (1, 1));
    house.close().await;
}

#[tokio::test]
async fn templates_are_added_changed_and_removed() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let path = survey_path(&house).await;
    let action = format!("{path}/templates");
    let templates = async || {
        let all = surveys::all(&house.app.pool).await.unwrap();
        let all = all[0].templates.clone().into_iter();
        all.map(|template| (template.name, template.text))
            .collect::<Vec<_>>()
    };
    let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let page = owner.get(&path).await;
    page.shows("There are no templates yet.");
    let fields = [("name", " Hours "), ("text", "From 9 to 5.\r\n{agent}\r\n")];
    let page = owner.send(&page, &action, &fields).await;
    page.is(200)
        .shows("The templates were saved.")
        .shows("From 9 to 5.");
    assert_eq!(templates().await, [pair("Hours", "From 9 to 5.\n{agent}")]);
    let page = owner
        .send(
            &page,
            &action,
            &[
                ("was", ""),
                ("name", "Thanks"),
                ("text", "Thank you, {name}"),
            ],
        )
        .await;
    let page = owner
        .send(
            &page,
            &action,
            &[("was", "Hours"), ("name", "Opening"), ("text", "From 8")],
        )
        .await;
    let two = [
        pair("Opening", "From 8"),
        pair("Thanks", "Thank you, {name}"),
    ];
    assert_eq!(templates().await, two);

    for (was, name, text, said) in [
        ("", "", "Hello", "must have 1 to 80 characters"),
        ("", "Empty", " ", "must have 1 to 1000 characters"),
        (
            "",
            "thanks",
            "Hello",
            "Another template of the survey has that name.",
        ),
        (
            "Opening",
            "Thanks",
            "Hello",
            "Another template of the survey has that name.",
        ),
    ] {
        let fields = [("was", was), ("name", name), ("text", text)];
        let refused = owner.send(&page, &action, &fields).await;
        refused.is(422).shows(said).shows("<details open>");
        if name == "thanks" {
            refused.shows("value=\"thanks\"").shows(">Hello</textarea>");
        }
    }
    assert_eq!(templates().await, two);
    let fields = [("was", "Opening"), ("remove", "yes")];
    owner.send(&page, &action, &fields).await.is(200);
    assert_eq!(templates().await, [pair("Thanks", "Thank you, {name}")]);
    let mut auditor = house.signed_in("auditor").await;
    auditor.get(&path).await.shows("Thank you, {name}");
    house.close().await;
}

#[tokio::test]
async fn an_agent_begins_a_reply_with_a_template() {
    let house = House::start().await;
    let body = serde_json::json!({
        "channel": "sms", "message_uuid": NOBODY, "to": OUR_NUMBER, "from": CUSTOMER,
        "timestamp": "2026-03-01T11:59:58Z", "message_type": "text", "text": "Hello",
    });
    house.receives_json(&body).await;
    let mut owner = house.signed_in("owner").await;
    let mut agent = house.signed_in("agent").await;
    agent.get("/cases/101").await.lacks("Saved replies");
    let path = survey_path(&house).await;
    let action = format!("{path}/templates");
    let page = owner.get(&path).await;
    let text = "Hello {name}, about {reference} </textarea>{brace}\n{agent}";
    let fields = [("name", "Hours & more"), ("text", text)];
    owner.send(&page, &action, &fields).await.is(200);

    let page = agent.get("/cases/101?view=all&q=Hello").await;
    page.shows("Saved replies")
        .shows("value=\"Hours &#38; more\"")
        .shows("<input type=\"hidden\" name=\"view\" value=\"all\">")
        .shows("<input type=\"hidden\" name=\"q\" value=\"Hello\">");
    let page = agent
        .get("/cases/101?view=all&q=Hello&template=Hours+%26+more")
        .await;
    page.is(200)
        .shows("Hello, about #101 &#60;/textarea&#62;{brace}\nagent@example.com</textarea>");
    // What was written is not lost to it when the reply is refused.
    let fields = [
        ("text", "My own words"),
        ("as", "reply"),
        ("seen_version", "0"),
    ];
    let refused = agent.send(&page, "/cases/101/write", &fields).await;
    refused.is(409).shows("My own words</textarea>");
    agent
        .get("/cases/101?template=none")
        .await
        .lacks("Hello, about");
    let mut auditor = house.signed_in("auditor").await;
    auditor.get("/cases/101").await.lacks("Saved replies");
    house.close().await;
}

#[tokio::test]
async fn a_line_is_added_previewed_changed_and_removed() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let survey = survey_path(&house).await;
    let survey = survey.trim_start_matches("/surveys/");
    let page = owner.get("/lines").await;
    page.shows("<strong>+44 7700 900000</strong>")
        .shows("Support")
        .shows("Sends");
    let form = owner.get(&page.link("/lines/new")).await;
    form.shows("You have 2 open cases (#123: Appointment request, #124: Question about hours).");
    let number = ("number", " +1 202-555-0100");
    let fields = [
        number,
        ("channel", "whatsapp"),
        ("survey", survey),
        ("reply", REPLY),
    ];
    let mut asked = fields.to_vec();
    asked.push(("preview", "yes"));
    let preview = owner.send(&form, "/lines", &asked).await;
    preview
        .is(200)
        .shows(
            ">You have 2 open cases (#123: Appointment request, #124: Question about hours).</p>",
        )
        .shows("value=\" +1 202-555-0100\"")
        .shows("value=\"whatsapp\" selected");
    assert_eq!(lines::all(&house.app.pool).await.unwrap().len(), 1);

    let added = owner.send(&preview, "/lines", &fields).await;
    added
        .is(200)
        .shows("The line was added.")
        .shows("+1 202-555-0100 · WhatsApp");
    let path = added.at.split('?').next().unwrap().to_owned();
    let id = path.trim_start_matches("/lines/").parse().unwrap();
    let row = lines::find(&house.app.pool, id).await.unwrap().unwrap();
    assert_eq!(row.number, "12025550100");
    assert_eq!(row.multi_case_reply.as_deref(), Some(REPLY));

    let preview = [("survey", survey), ("reply", "%s1!"), ("preview", "yes")];
    let page = owner.send(&added, &path, &preview).await;
    page.is(200).shows(">2!</p>").shows(">%s1!</textarea>");
    let row = lines::find(&house.app.pool, id).await.unwrap().unwrap();
    assert_eq!(row.multi_case_reply.as_deref(), Some(REPLY));
    let page = owner
        .send(&page, &path, &[("survey", survey), ("reply", " ")])
        .await;
    page.is(200)
        .shows("The line was saved.")
        .shows("Nothing is sent.");
    let row = lines::find(&house.app.pool, id).await.unwrap().unwrap();
    assert_eq!(row.multi_case_reply, None);

    let page = owner.send(&page, &format!("{path}/remove"), &[]).await;
    page.is(200)
        .shows("The line was removed.")
        .lacks("+12025550100");
    owner.get(&path).await.is(404);
    house.close().await;
}

#[tokio::test]
async fn a_line_that_cannot_be_is_shown_again_with_why() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let survey = survey_path(&house).await;
    let survey = survey.trim_start_matches("/surveys/").to_owned();
    let long = "x".repeat(1_001);
    let line = format!("/lines/{}", house.line);
    for (number, survey, reply, said) in [
        (
            "no number",
            survey.as_str(),
            REPLY,
            "The number can hold digits",
        ),
        (
            "+44 7700 900000",
            &survey,
            REPLY,
            "Another line has that number for SMS.",
        ),
        ("12025550100", NOBODY, REPLY, "Choose the survey"),
        ("12025550100", "", REPLY, "Choose the survey"),
        (
            "12025550100",
            &survey,
            &long,
            "can have 1000 characters at most",
        ),
    ] {
        let form = owner.get("/lines/new").await;
        let fields = [
            ("number", number),
            ("channel", "sms"),
            ("survey", survey),
            ("reply", reply),
        ];
        let refused = owner.send(&form, "/lines", &fields).await;
        assert!(
            matches!(refused.status.as_u16(), 409 | 422),
            "{}",
            refused.status
        );
        refused
            .shows(said)
            .shows("role=\"alert\"")
            .shows(&format!("value=\"{number}\""));
        if number == "12025550100" {
            let form = owner.get(&line).await;
            let refused = owner
                .send(&form, &line, &[("survey", survey), ("reply", reply)])
                .await;
            refused.is(422).shows(said);
        }
    }
    assert_eq!(lines::all(&house.app.pool).await.unwrap().len(), 1);
    house.close().await;
}

#[tokio::test]
async fn a_line_that_stands_still_says_why_and_is_resumed() {
    let house = House::start().await;
    let command = LineCommand::Halt {
        reason: HaltReason::Credentials,
    };
    let halt = ChangeLine {
        line_id: house.line,
        command,
        by: Administrator::System,
    };
    house.app.ledger.submit(halt).await.unwrap();
    let mut owner = house.signed_in("owner").await;
    let path = format!("/lines/{}", house.line);
    owner.get("/lines").await.shows("Sending has stopped");
    owner
        .get("/vonage")
        .await
        .shows("Sending stands still")
        .shows(&path);
    let mut auditor = house.signed_in("auditor").await;
    auditor
        .get(&path)
        .await
        .shows("Vonage refuses our credentials")
        .lacks("Resume sending");
    let page = owner.get(&path).await;
    page.shows("Vonage refuses our credentials");
    let page = owner.send(&page, &format!("{path}/resume"), &[]).await;
    page.is(200)
        .shows("Sending goes on.")
        .lacks("Vonage refuses");
    let row = lines::find(&house.app.pool, house.line)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.halted, None);
    house.close().await;
}

#[tokio::test]
async fn an_owner_is_led_from_the_survey_to_the_line() {
    let house = House::with("http://127.0.0.1", docket::app::Vonage::default(), false).await;
    let mut agent = house.signed_in("agent").await;
    assert_eq!(agent.get("/").await.at, "/");
    let mut owner = house.browser();
    let page = owner.get("/sign-in").await;
    let fields = [
        ("email", "owner@example.com"),
        ("password", crate::support::PASSWORD),
    ];
    let page = owner.send(&page, "/sign-in", &fields).await;
    assert_eq!(page.at, "/setup");
    page.is(200)
        .shows("The first survey")
        .shows("aria-current=\"step\"");
    assert_eq!(page.text.matches("To do").count(), 3);
    // It can be left, and gone on with. The inbox says that there is no line, and so does the bar.
    let inbox = owner.get("/").await;
    inbox
        .is(200)
        .shows("there is no line.")
        .shows("href=\"/setup\"");
    // With this browser the owner begins with the inbox from now on; what is skipped stays skipped.
    let page = owner.get("/sign-in").await;
    let fields = [
        ("email", "owner@example.com"),
        ("password", crate::support::PASSWORD),
    ];
    assert_eq!(owner.send(&page, "/sign-in", &fields).await.at, "/");
    let page = owner.get("/setup?step=vonage").await;
    page.shows("Application id")
        .shows("Not now, go to the inbox");
    let page = owner.get("/setup?step=line").await;
    page.shows("so add the survey first");
    let page = owner.get(&page.link("/setup?step=survey")).await;
    let refused = owner.send(&page, "/surveys", &[("name", "")]).await;
    refused
        .is(422)
        .shows("Set up Docket")
        .shows("The name must have");
    let fields = [
        ("name", "Clinic"),
        ("question", "Done?"),
        ("answer-0", "No"),
        ("answer-1", "Yes"),
        ("closes", "1"),
    ];
    let page = owner.send(&refused, "/surveys", &fields).await;
    page.is(200).shows("The survey was created.");
    assert!(page.at.starts_with("/setup"), "{}", page.at);
    let page = owner.get("/setup?step=line").await;
    let survey = survey_path(&house).await;
    let survey = ("survey", survey.trim_start_matches("/surveys/"));
    let fields = [
        ("number", "1"),
        ("channel", "sms"),
        survey,
        ("reply", REPLY),
    ];
    let refused = owner.send(&page, "/lines", &fields).await;
    refused.is(422).shows("Set up Docket");
    let mut preview = fields.to_vec();
    preview.push(("preview", "yes"));
    let page = owner.send(&refused, "/lines", &preview).await;
    page.is(200)
        .shows("Set up Docket")
        .shows("You have 2 open cases");
    let fields = [
        ("number", OUR_NUMBER),
        ("channel", "sms"),
        survey,
        ("reply", ""),
    ];
    let page = owner.send(&page, "/lines", &fields).await;
    page.is(200).shows("The line was added.");
    assert!(page.at.starts_with("/setup"), "{}", page.at);
    assert_eq!(page.text.matches("Done</span>").count(), 2);
    // A step that was skipped before stays skipped, behind the one that was done.
    assert!(page.at.starts_with("/setup?after=line"), "{}", page.at);
    page.shows("Application id");
    let end = owner.get("/setup?after=vonage").await;
    end.shows("Skipped for now: <a href=\"/setup?step=vonage\">Vonage</a>.")
        .lacks("Application id");
    // With a line there, signing in leads to the inbox.
    let mut owner = house.browser();
    let page = owner.get("/sign-in").await;
    let fields = [
        ("email", "owner@example.com"),
        ("password", crate::support::PASSWORD),
    ];
    assert_eq!(owner.send(&page, "/sign-in", &fields).await.at, "/");
    house.close().await;
}

#[tokio::test]
async fn two_owners_at_one_survey_do_not_undo_each_others_changes() {
    let house = House::start().await;
    let mut one = house.signed_in("owner").await;
    let mut other = house.signed_in("owner").await;
    let path = survey_path(&house).await;
    let (mine, theirs) = (one.get(&path).await, other.get(&path).await);
    let fields = |name, question, cases| {
        let mut fields = vec![
            ("name", name),
            ("reference", "yes"),
            ("question", question),
            ("answer-0", "New"),
            ("answer-1", "In progress"),
            ("answer-2", "Resolved"),
            ("closes", "2"),
        ];
        fields.extend(Some(("cases", "yes")).filter(|_| cases));
        fields
    };
    let saved = one
        .send(&mine, &path, &fields("Front desk", "How far is it?", false))
        .await;
    saved.is(200).shows("The survey was saved.");

    // Nothing is saved; what was typed stays, and what was left alone is as it is now.
    let typed = fields("Support", "Done <yet>?", true);
    let refused = other.send(&theirs, &path, &typed).await;
    refused
        .is(409)
        .shows("Somebody else has changed these settings")
        .shows("Changed by owner@example.com")
        .shows("<q dir=\"auto\">Support</q>")
        .shows("<q dir=\"auto\">Front desk</q>")
        .shows("name=\"name\" value=\"Front desk\"")
        .lacks("name=\"cases\" value=\"yes\" checked")
        .shows("name=\"question\" value=\"Done &#60;yet&#62;?\"")
        .lacks("you entered");
    let settings = || async {
        let survey = surveys::all(&house.app.pool).await.unwrap().remove(0);
        (survey.settings.name, survey.settings.status.question)
    };
    assert_eq!(settings().await.1, "How far is it?");

    // Meanwhile once more; and what both have typed stands beside what is there.
    let mine = one.get(&path).await;
    one.send(&mine, &path, &fields("Clinic", "Is it done?", false))
        .await
        .is(200);
    let refused = other
        .send(&refused, &path, &fields("Front desk", "Done?", false))
        .await;
    refused
        .is(409)
        .shows("name=\"name\" value=\"Clinic\"")
        .shows("; you entered <q dir=\"auto\">Done?</q>");
    // What cannot be saved is no excuse to overwrite, and the version stays.
    let refused = other
        .send(&refused, &path, &fields("", "Done?", false))
        .await;
    refused.is(422);
    let saved = other
        .send(&refused, &path, &fields("Clinic", "Done?", false))
        .await;
    saved.is(200).shows("The survey was saved.");
    assert_eq!(settings().await, ("Clinic".into(), "Done?".into()));

    // A template is no setting: it may come in between.
    let form = one.get(&path).await;
    let page = other.get(&path).await;
    let template = [("name", "Hours"), ("text", "9 to 5")];
    let action = format!("{path}/templates");
    other.send(&page, &action, &template).await.is(200);
    one.send(&form, &path, &fields("Surgery", "Done?", false))
        .await
        .is(200);
    assert_eq!(settings().await.0, "Surgery");
    house.close().await;
}

#[tokio::test]
async fn two_owners_at_one_line_do_not_undo_each_others_changes() {
    let house = House::start().await;
    let mut one = house.signed_in("owner").await;
    let mut other = house.signed_in("owner").await;
    let survey_id = surveys::all(&house.app.pool).await.unwrap()[0].survey_id;
    let survey = survey_id.to_string();
    let path = format!("/lines/{}", house.line);
    let (mine, theirs) = (one.get(&path).await, other.get(&path).await);
    let reply = |text| [("survey", survey.as_str()), ("reply", text)];
    one.send(&mine, &path, &reply("Which of %s2?"))
        .await
        .is(200);
    // A preview of what is typed makes the form no newer.
    let preview = [
        ("survey", survey.as_str()),
        ("reply", "You have %s1"),
        ("preview", "yes"),
    ];
    let theirs = other.send(&theirs, &path, &preview).await;
    let refused = other.send(&theirs, &path, &reply("You have %s1")).await;
    refused
        .is(409)
        .shows("Changed by owner@example.com")
        .shows("<q dir=\"auto\">Which of %s2?</q>; you entered <q dir=\"auto\">You have %s1</q>")
        .shows(">You have %s1</textarea>");
    other
        .send(&refused, &path, &reply("You have %s1"))
        .await
        .is(200)
        .shows("The line was saved.");
    house.close().await;
}

#[tokio::test]
async fn two_owners_at_one_template_do_not_undo_each_others_changes() {
    let house = House::start().await;
    let mut one = house.signed_in("owner").await;
    let mut other = house.signed_in("owner").await;
    let path = survey_path(&house).await;
    let action = format!("{path}/templates");
    let page = one.get(&path).await;
    let hours = |was, text| [("was", was), ("name", "Hours"), ("text", text)];
    one.send(&page, &action, &hours("", "9 to 5\n{agent}"))
        .await
        .is(200);
    let (mine, theirs) = (one.get(&path).await, other.get(&path).await);
    let saved = one.send(&mine, &action, &hours("Hours", "9 to 6")).await;
    saved.is(200).shows("The templates were saved.");
    let refused = other
        .send(&theirs, &action, &hours("Hours", "8 to 5"))
        .await;
    refused
        .is(409)
        .shows("Somebody else has changed this template")
        .shows("<p class=\"text\" dir=\"auto\">9 to 6</p>")
        .shows(">8 to 5</textarea>");
    let said = || async {
        let survey = surveys::all(&house.app.pool).await.unwrap().remove(0);
        survey.templates[0].text.clone()
    };
    assert_eq!(said().await, "9 to 6");
    other
        .send(&refused, &action, &hours("Hours", "8 to 5"))
        .await
        .is(200);
    assert_eq!(said().await, "8 to 5");
    // Whoever saves what it says already is told of nothing, and one that is removed needs no such look.
    one.send(&saved, &action, &hours("Hours", "8 to 5"))
        .await
        .is(200);
    let remove = [("was", "Hours"), ("remove", "yes")];
    one.send(&saved, &action, &remove).await.is(200);
    house.close().await;
}
