//! Agents who are kept to the cases of some surveys.

use docket::operations::Administrator;
use docket::operations::line::ChangeLine;
use docket::operations::survey::SetSurvey;
use docket::operations::user::ChangeUser;
use docket_domain::access::Access;
use docket_domain::channel::Channel;
use docket_domain::ids::{LineId, SurveyId};
use docket_domain::line::{LineCommand, LineSettings};
use docket_domain::user::UserCommand;
use docket_projections::read::{lines, surveys, users};
use serde_json::json;

use crate::bulk::with_chosen;
use crate::doors::INSIDE;
use crate::live::next;
use crate::support::{Browser, CUSTOMER, House, new_id};

const OTHER_NUMBER: &str = "447700900001";

impl House {
    /// Another survey, with a line of [`OTHER_NUMBER`].
    async fn second_survey(&self) -> SurveyId {
        let survey_id = SurveyId(new_id());
        let mut first = surveys::all(&self.app.pool).await.unwrap();
        let mut settings = first.remove(0).settings;
        "Sales".clone_into(&mut settings.name);
        let by = Administrator::System;
        let survey = SetSurvey {
            survey_id,
            settings,
            create: true,
            seen: None,
            by: by.clone(),
        };
        self.app.ledger.submit(survey).await.unwrap();
        let line_id = LineId(new_id());
        let command = LineCommand::Add {
            line_id,
            number: OTHER_NUMBER.to_owned(),
            channel: Channel::Sms,
            settings: LineSettings {
                survey_id,
                multi_case_reply: None,
                automatic: docket_domain::line::AutomaticTexts::default(),
            },
        };
        let line = ChangeLine {
            line_id,
            command,
            by,
        };
        self.app.ledger.submit(line).await.unwrap();
        survey_id
    }

    /// A customer writes to the second survey.
    async fn receives_elsewhere(&self, said: &str) -> u32 {
        let body = json!({
            "channel": "sms", "message_uuid": new_id(), "to": OTHER_NUMBER, "from": CUSTOMER,
            "timestamp": "2026-03-01T11:59:58Z", "message_type": "text", "text": said,
        });
        self.receives_json(&body).await.0
    }

    /// Keeps the agent to the cases of these surveys.
    pub(crate) async fn keeps_agent_to(&self, surveys: Option<Vec<SurveyId>>) {
        let agent = users::find_by_email(&self.app.pool, "agent@example.com").await;
        let user_id = agent.unwrap().unwrap().user_id;
        let command = UserCommand::ChangeRights {
            name: None,
            seen: None,
            role: None,
            access: Some(Access::from(surveys)),
        };
        let change = ChangeUser {
            user_id,
            command,
            secrets: vec![],
            by: Administrator::System,
        };
        self.app.ledger.submit(change).await.unwrap();
    }
}

/// A page without the tokens of its forms, which differ each time.
fn without_tokens(text: &str) -> String {
    let mut parts = text.split("name=\"csrf\" value=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |page, part| {
        let rest = part.split_once('"').map_or("", |(_, rest)| rest);
        page + rest
    })
}

#[tokio::test]
async fn a_case_out_of_reach_is_answered_like_one_that_does_not_exist() {
    let house = House::start().await;
    let (_, message_id) = house.receives("Out of reach").await;
    let second = house.second_survey().await;
    assert_eq!(house.receives_elsewhere("Within reach").await, 102);
    house.keeps_agent_to(Some(vec![second])).await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/").await;
    page.shows("Within reach").lacks("Out of reach");
    let (_, csrf) = Browser::filled(&page, "/sign-out", &[]);
    let nobody = "00000000-0000-0000-0000-000000000001";
    let mut tried = 0;
    let resend = format!("/cases/101/messages/{nobody}/resend");
    let inside = INSIDE.map(|(method, path, _)| (method, path));
    for (method, path) in inside.into_iter().chain([("POST", resend.as_str())]) {
        if !path.starts_with("/cases/101") {
            continue;
        }
        tried += 1;
        for fields in [
            "",
            "&text=Hello&as=reply&seen_version=1",
            "&text=&as=note",
            "&value=Resolved",
            "&email=agent%40example.com",
            "&title=Another",
            "&comment=Why&to=102",
        ] {
            let body = (method == "POST").then(|| format!("{csrf}{fields}"));
            let there = path.replace(nobody, &message_id.to_string());
            let nowhere = there.replace("/101", "/999");
            let there = agent.once(method, &there, body.as_deref()).await;
            let nowhere = agent.once(method, &nowhere, body.as_deref()).await;
            there.is(404);
            assert_eq!(there.status, nowhere.status, "{method} {path}");
            assert_eq!(
                without_tokens(&there.text),
                without_tokens(&nowhere.text),
                "{method} {path}"
            );
        }
    }
    assert!(tried >= 9, "only {tried} routes of cases were tried");
    // Nothing has happened to it.
    let mut owner = house.signed_in("owner").await;
    owner
        .get("/cases/101")
        .await
        .is(200)
        .shows("Out of reach")
        .lacks("Resolved</strong>")
        .lacks("class=\"message ours");
    house.close().await;
}

#[tokio::test]
async fn lists_and_choices_hold_what_is_within_reach() {
    let house = House::start().await;
    house.receives("Out of reach").await;
    let first = surveys::all(&house.app.pool).await.unwrap()[0].survey_id;
    let second = house.second_survey().await;
    house.receives_elsewhere("Within reach").await;
    house.keeps_agent_to(Some(vec![second])).await;
    let mut agent = house.signed_in("agent").await;
    for list in [
        "/?view=all",
        "/?view=unassigned",
        "/?q=reach",
        "/?q=4477009",
        &format!("/?survey={second}"),
    ] {
        let page = agent.get(list).await;
        // What was searched for is marked.
        let text = page.text.replace("<mark>", "").replace("</mark>", "");
        assert!(text.contains("Within reach"), "{list}: {text}");
        assert!(!text.contains("Out of reach"), "{list}: {text}");
    }
    for empty in ["/?q=%23101&view=all", &format!("/?survey={first}&view=all")] {
        let page = agent.get(empty).await;
        page.lacks("Within reach").lacks("Out of reach");
    }
    // Names of surveys and numbers of lines neither.
    let page = agent.get("/cases/new").await;
    page.shows("Sales").lacks("Support");
    agent.get("/").await.shows("Sales").lacks("Support");
    let own = lines::all(&house.app.pool).await.unwrap();
    let out = own.iter().find(|line| line.line_id == house.line).unwrap();
    assert_eq!(out.survey_id, first);
    let fields = |line: &str| {
        let fields = [
            ("line", line),
            ("number", "447700900999"),
            ("text", "Good morning"),
        ];
        Browser::filled(&page, "/cases", &fields).1
    };
    let there = fields(&house.line.to_string());
    let there = agent.once("POST", "/cases", Some(&there)).await;
    let nowhere = fields(&new_id().to_string());
    let nowhere = agent.once("POST", "/cases", Some(&nowhere)).await;
    assert_eq!(there.status, nowhere.status);
    assert!(there.status.is_client_error(), "{}", there.status);

    // Nobody gives a case to them that they do not reach.
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/cases/101").await;
    page.lacks("<option value=\"agent@example.com\"");
    let to = [("email", "agent@example.com")];
    let refused = owner.send(&page, "/cases/101/assignee", &to).await;
    refused.is(422).shows("does not reach the cases");
    let page = owner.get("/cases/102").await;
    page.shows("<option value=\"agent@example.com\"");
    owner.send(&page, "/cases/102/assignee", &to).await.is(200);
    agent
        .get("/?view=mine")
        .await
        .shows("Within reach")
        .lacks("Out of reach");
    house.keeps_agent_to(Some(vec![first])).await;
    agent
        .get("/?view=mine")
        .await
        .lacks("Within reach")
        .lacks("Out of reach");
    house.keeps_agent_to(None).await;
    agent
        .get("/?view=all")
        .await
        .shows("Within reach")
        .shows("Out of reach");
    house.close().await;
}

#[tokio::test]
async fn open_pages_are_told_of_cases_within_reach_alone() {
    let house = House::start().await;
    let second = house.second_survey().await;
    house.keeps_agent_to(Some(vec![second])).await;
    let agent = house.signed_in("agent").await;
    let position = *house.app.ledger.head().borrow();
    let mut stream = agent.live(&format!("/live?after={position}"), None).await;
    // The first is not told at all: what comes first is of the second.
    house.receives("Out of reach").await;
    house.receives_elsewhere("Within reach").await;
    let event = next(&mut stream).await.unwrap();
    assert!(
        event.contains("\"case\":102") && !event.contains("\"case\":101"),
        "{event}"
    );
    // A page that is open ends when it shows more or less than its reader reaches; the browser then comes back.
    house.keeps_agent_to(None).await;
    house.receives("Out of reach no more").await;
    assert_eq!(next(&mut stream).await, None);
    house.close().await;
}

#[tokio::test]
async fn a_form_for_several_leaves_cases_out_of_reach_alone() {
    let house = House::start().await;
    house.receives("Out of reach").await;
    let second = house.second_survey().await;
    house.receives_elsewhere("Within reach").await;
    house.keeps_agent_to(Some(vec![second])).await;
    let mut agent = house.signed_in("agent").await;
    for what in ["read", "mine", "close"] {
        let list = agent.get("/?view=all").await;
        let done = with_chosen(&mut agent, &list, what, &[101, 102]).await;
        done.is(200)
            .shows("1 case was")
            .shows("Not done for #101: there is no such case.");
    }
    let mut owner = house.signed_in("owner").await;
    let list = owner.get("/").await;
    list.shows("Out of reach").lacks("Within reach");

    let refused = with_chosen(&mut owner, &list, "to:agent@example.com", &[101]).await;
    refused.shows("Not done for #101: that colleague does not reach");
    owner.get("/?view=unassigned").await.shows("Out of reach");
    house.close().await;
}
