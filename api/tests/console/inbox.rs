//! The inbox: its rows, views, filters and search, what is done with all that match, and the bar.

use docket::operations::held::HoldWebhook;
use docket_domain::case::News;
use docket_domain::held::{HeldBody, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::HeldId;
use docket_domain::personal::Personal;
use docket_projections::ledger::operation::Receipt;
use serde_json::{Value, json};

use crate::support::{Browser, House, OUR_NUMBER, Page, new_id, wait};

fn message(from: &str, name: Option<&str>, said: &str) -> Value {
    let mut body = json!({
        "channel": "sms", "message_uuid": new_id(), "to": OUR_NUMBER, "from": from,
        "timestamp": "2026-03-01T11:59:58Z", "message_type": "text", "text": said,
    });
    if let Some(name) = name {
        body["profile"] = json!({"name": name});
    }
    body
}

/// The row of a case.
fn row(page: &Page, reference: u32) -> String {
    let rows = page.text.split("<li id=\"c").skip(1);
    let row = rows
        .into_iter()
        .find(|row| row.starts_with(&format!("{reference}\"")));
    let row = row.unwrap_or_else(|| panic!("no row of #{reference} in {}", page.text));
    row.split("</li>").next().unwrap().to_owned()
}

/// The rows, by their references.
fn rows(page: &Page) -> Vec<u32> {
    let rows = page.text.split("<li id=\"c").skip(1);
    rows.map(|row| row.split('"').next().unwrap().parse().unwrap())
        .collect()
}

/// What stands beside the name of a view.
fn count(page: &Page, view: &str) -> String {
    let views = page.text.split("<ul class=\"views\"").nth(1).unwrap();
    let views = views.split("</ul>").next().unwrap();
    let link = views
        .split("<li>")
        .find(|link| link.contains(&format!(">{view}")))
        .unwrap();
    link.split("<span class=\"count")
        .nth(1)
        .map_or_else(String::new, |count| {
            count
                .split('>')
                .nth(1)
                .unwrap()
                .split('<')
                .next()
                .unwrap()
                .to_owned()
        })
}

async fn reply(agent: &mut Browser, reference: u32, text: &str) {
    let path = format!("/cases/{reference}");
    let page = agent.get(&path).await;
    let fields = [("as", "reply"), ("text", text)];
    agent
        .send(&page, &format!("{path}/write"), &fields)
        .await
        .is(200);
}

#[tokio::test]
async fn a_row_tells_what_was_said_last_and_what_is_to_be_done() {
    let house = House::start().await;
    house
        .receives_json(&message(
            "447700900101",
            Some("Amira <Haddad>"),
            "The <lift> stands still",
        ))
        .await;
    house
        .receives_json(&message("447700900102", None, "Hello"))
        .await;
    wait(2 * 3_600);
    house
        .receives_json(&message("447700900101", None, "Is it mended?"))
        .await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/").await;
    let amira = row(&page, 101);
    for part in [
        "Amira &#60;Haddad&#62;",
        ">AH<",
        "Is it mended?",
        ">2<span class=\"hidden\"> unread",
        "dot-new",
        "2 h",
    ] {
        assert!(amira.contains(part), "{part} in {amira}");
    }
    assert!(row(&page, 102).contains("447700900102") || row(&page, 102).contains("7700 900102"));
    for (view, expected) in [
        ("Open", "2"),
        ("Unread", "2"),
        ("Mine", ""),
        ("Unassigned", "2"),
        ("Waiting for us", "2"),
        ("Failed", ""),
        ("Closed", ""),
        ("All", "2"),
    ] {
        assert_eq!(count(&page, view), expected, "{view}");
    }

    reply(&mut agent, 101, "It is mended").await;
    let message_id = house.last_reply(101).await;
    house
        .sends(
            message_id,
            News::Failed {
                code: Some(1150),
                reason: "invented".to_owned(),
            },
        )
        .await;
    let page = agent.get("/").await;
    let amira = row(&page, 101);
    for part in ["You:", "It is mended", "Last reply not delivered"] {
        assert!(amira.contains(part), "{part} in {amira}");
    }
    for absent in [" unread", "class=\"waits\""] {
        assert!(!amira.contains(absent), "{absent} in {amira}");
    }
    assert_eq!(
        (count(&page, "Waiting for us"), count(&page, "Failed")),
        ("1".to_owned(), "1".to_owned())
    );
    assert_eq!(rows(&agent.get("/?view=waiting").await), [102]);
    assert_eq!(rows(&agent.get("/?view=failed").await), [101]);
    // A row that is asked for alone is the same, in each view.
    for (view, expected) in [
        ("waiting", &[102_u32][..]),
        ("failed", &[101]),
        ("open", &[101, 102]),
    ] {
        let changes = agent.get(&format!("/rows?view={view}&rows=101,102")).await;
        assert_eq!(rows(&changes), expected, "{view}");
    }
    // The owner sees that something needs action; the agent has no such page.
    page.lacks("href=\"/health\"");
    house
        .signed_in("owner")
        .await
        .get("/")
        .await
        .shows("href=\"/health\"");
    house.close().await;
}

#[tokio::test]
async fn filters_combine_with_views_and_stay_from_page_to_page() {
    let house = House::start().await;
    for n in 0..3 {
        house
            .receives_json(&message(&format!("44770090010{n}"), None, "Hello"))
            .await;
        wait(86_400);
    }
    let mut agent = house.signed_in("agent").await;
    let page = agent
        .get("/cases/102?view=waiting&status=New&channel=sms&sort=waiting")
        .await;
    assert_eq!(rows(&page), [101, 102, 103], "the longest wait first");
    assert_eq!(
        page.link("/cases/101"),
        "/cases/101?view=waiting&status=New&channel=sms&sort=waiting#new"
    );
    agent
        .send(&page, "/cases/102/status", &[("value", "In progress")])
        .await;
    for (query, expected) in [
        ("status=New", &[103_u32, 101][..]),
        ("status=New&sort=waiting", &[101, 103]),
        ("status=In%20progress&view=unassigned", &[102]),
        ("assignee=none", &[103, 102, 101]),
        ("assignee=me", &[]),
        ("channel=whatsapp", &[]),
        ("since=2026-03-02&until=2026-03-02", &[102]),
        ("since=2026-03-02", &[103, 102]),
        (
            "until=x&since=y&line=z&assignee=w&channel=v",
            &[103, 102, 101],
        ),
        ("view=waiting&q=hello&since=2026-03-02", &[103, 102]),
        ("view=all&sort=waiting", &[101, 102, 103]),
    ] {
        assert_eq!(
            rows(&agent.get(&format!("/?{query}")).await),
            expected,
            "{query}"
        );
    }
    // What is set can be cleared; what matches elsewhere is offered.
    let page = agent.get("/?view=closed&status=New").await;
    page.shows("Nothing in Closed, <a href=\"/?status=New\">2 in Open</a>")
        .shows("Clear filters");
    let none = agent.get("/?q=zzz%3Cb%3E").await;
    none.shows("No results for “zzz&#60;b&#62;” in Open.")
        .lacks("Nothing in");
    house.close().await;
}

#[tokio::test]
async fn an_empty_result_names_the_views_that_have_one() {
    let house = House::start().await;
    for n in 0..3 {
        let said = format!("The lift stands still, floor {n}");
        house
            .receives_json(&message(&format!("44770090010{n}"), None, &said))
            .await;
    }
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    agent
        .send(&page, "/cases/101/status", &[("value", "Resolved")])
        .await;
    let found = |query: &str| format!("<a href=\"/?{query}\">");
    agent.get("/?q=floor+0").await.shows(&format!(
        "Nothing in Open, {}1 in Closed</a>",
        found("view=closed&#38;q=floor+0")
    ));
    agent.get("/?view=snoozed&q=lift").await.shows(&format!(
        "Nothing in Snoozed, {}2 in Open</a>, {}1 in Closed</a>",
        found("q=lift"),
        found("view=closed&#38;q=lift")
    ));
    for n in 0..30 {
        house.receives(&format!("#0 Subject {n}")).await;
    }
    agent
        .get("/?view=closed&q=subject")
        .await
        .shows("Nothing in Closed, ")
        .shows(">more than 25 in All</a>");
    // A reference opens its case in every view; digits alone may be a number.
    for (query, at) in [
        ("view=closed&q=%23102", "/cases/102?view=closed"),
        ("q=%EF%BC%83101", "/cases/101"),
        ("view=mine&status=New&q=%23+101", "/cases/101?view=mine"),
        ("q=%23999", "/?q=%23999"),
        ("q=101", "/?q=101"),
    ] {
        assert_eq!(agent.get(&format!("/?{query}")).await.at, at, "{query}");
    }
    house.close().await;
}

#[tokio::test]
async fn what_was_searched_for_is_marked() {
    let house = House::start().await;
    house.receives("The LIFT stands still").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/?q=lift").await;
    page.shows("The <mark>LIFT</mark> stands still");
    agent.get("/").await.lacks("<mark>");

    // What was said before the last message, or noted, stands in its place; names and numbers are marked too.
    house
        .receives_json(&message("447700900123", Some("Zoë Márquez"), "Thank you"))
        .await;
    reply(&mut agent, 101, "The fitter comes at noon").await;
    let page = agent.get("/cases/101").await;
    let fields = [("as", "note"), ("text", "Ask <Osman> for the keys")];
    agent.send(&page, "/cases/101/write", &fields).await.is(200);
    for (q, shown) in [
        ("lift", "The <mark>LIFT</mark> stands still"),
        ("thank", "<mark>Thank</mark> you"),
        ("noon", "You:</span> The fitter comes at <mark>noon</mark>"),
        (
            "osman",
            "Note:</span> Ask &#60;<mark>Osman</mark>&#62; for the keys",
        ),
        ("zoe", "<mark>Zoë</mark> Márquez"),
        ("marquez+keys", "for the <mark>keys</mark>"),
        ("marquez+keys", "Zoë <mark>Márquez</mark>"),
    ] {
        let page = agent.get(&format!("/?q={q}")).await;
        let row = row(&page, 101);
        assert!(row.contains(shown), "{shown} in {row}");
    }
    house
        .receives_json(&message("447700900177", None, "Hello"))
        .await;
    for q in ["900177", "07700+900177", "%2B44+7700+900177"] {
        let page = agent.get(&format!("/?q={q}")).await;
        let row = row(&page, 102);
        assert!(row.contains("900177</mark>"), "{q} in {row}");
    }
    house.close().await;
}

#[tokio::test]
async fn something_is_done_with_all_that_match() {
    let house = House::start().await;
    for n in 0..30 {
        house.receives(&format!("#0 Subject {n}")).await;
    }
    let mut agent = house.signed_in("agent").await;
    let list = agent.get("/").await;
    list.shows("All cases that match, at most 500");
    assert_eq!(rows(&list).len(), 25);
    // Those alone that match, and each once.
    let some = agent.get("/?q=%22Subject%202%22").await;
    some.lacks("All cases that match");
    let fields = [("do", "mine"), ("all", "yes"), ("case", "129")];
    let done = agent.send(&list, "/cases/several", &fields).await;
    done.is(200).shows("30 cases were assigned.");
    assert_eq!(count(&agent.get("/").await, "Mine"), "30");
    let list = agent.get("/?view=mine").await;
    let done = agent
        .send(&list, "/cases/several", &[("do", "close"), ("all", "yes")])
        .await;
    done.is(200)
        .shows("30 cases were closed.")
        .shows("Nothing is assigned to you.");
    house.close().await;
}

#[tokio::test]
async fn a_view_is_kept_for_oneself_or_for_everybody() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    assert!(!agent.get("/").await.has_form("/views"), "nothing is set");
    let page = agent.get("/?view=waiting&channel=sms&q=hello").await;
    let kept = agent
        .send(&page, "/views", &[("name", " Late <SMS> ")])
        .await;
    kept.is(200).shows(">Late &#60;SMS&#62;</a>");
    assert_eq!(kept.at, "/?view=waiting&channel=sms&q=hello");
    agent
        .send(&page, "/views", &[("name", "All of us"), ("shared", "yes")])
        .await;
    for (name, status) in [
        ("", 422),
        ("\u{200b}", 422),
        (&*"x".repeat(41), 422),
        ("a\nb", 422),
    ] {
        let refused = agent
            .send(&page, "/views", &[("name", name), ("shared", "yes")])
            .await;
        // What was typed stays, on the list that was to be kept.
        refused
            .is(status)
            .shows("href=\"#view-name\"")
            .shows("value=\"view=waiting&#38;channel=sms&#38;q=hello\"")
            .shows("value=\"yes\" checked");
        if name.len() > 3 {
            refused.shows(&format!("value=\"{name}\" aria-invalid=\"true\""));
        }
    }
    let outside = [
        ("name", "x"),
        ("query", "view=mine&next=//example.com&status=%22%3E"),
    ];
    assert_eq!(
        agent.send(&page, "/views", &outside).await.at,
        "/?view=mine&status=%22%3E"
    );

    // Others see what is shared, and forget it only as owners.
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/").await;
    page.shows(">All of us<").lacks("Late &#60;SMS");
    let remove = |page: &Page| {
        let rest = page.text.split("action=\"/views/").nth(1).unwrap();
        format!("/views/{}", rest.split('"').next().unwrap())
    };
    let path = remove(&page);
    owner
        .send(&page, &path, &[])
        .await
        .is(200)
        .lacks(">All of us<");
    let again = agent.get("/").await;
    again.lacks(">All of us<").shows("Late &#60;SMS");
    let path = remove(&again);
    let (_, body) = Browser::filled(&page, "/sign-out", &[]);
    owner.post(&path, &body).await.is(404);
    agent.send(&again, &path, &[]).await.is(200).lacks("Late");
    house
        .signed_in("auditor")
        .await
        .get("/?status=New")
        .await
        .lacks("action=\"/views\"");
    house.close().await;
}

#[tokio::test]
async fn every_page_has_the_bar_with_its_own_entry_marked() {
    let house = House::start().await;
    let operation = HoldWebhook {
        webhook: HeldWebhook {
            held_id: HeldId(new_id()),
            kind: WebhookKind::Inbound,
            reason: HeldReason::UnknownLine,
            detail: "for a test".to_owned(),
            provider_id: None,
            to: None,
            from: None,
            body: Personal(HeldBody::Text("{}".to_owned())),
        },
        receipt: Receipt {
            kind: "test",
            key: "1".to_owned(),
        },
        request_id: None,
    };
    house.app.ledger.submit(operation).await.unwrap();
    let mut owner = house.signed_in("owner").await;
    for (path, marked) in [
        ("/", "/"),
        ("/reports", "/reports"),
        ("/log", "/log"),
        ("/surveys", "/surveys"),
        ("/unrouted", "/unrouted"),
        ("/cases/new", "/cases/new"),
    ] {
        let page = owner.get(path).await;
        page.is(200)
            .shows(&format!("href=\"{marked}\" aria-current=\"page\""));
        page.shows(">Unrouted <span class=\"count alarming\">1</span>");
    }
    assert_eq!(count(&owner.get("/").await, "Unrouted"), "1");
    let mut agent = house.signed_in("agent").await;
    agent
        .get("/")
        .await
        .lacks("href=\"/reports\"")
        .lacks("href=\"/unrouted\"");
    // Pages that are not there, or not for somebody, have the bar too.
    for (path, status) in [
        ("/nope", 404),
        ("/log/x", 404),
        ("/cases/999", 404),
        ("/log", 403),
        ("/cases/101/nope", 404),
    ] {
        agent
            .get(path)
            .await
            .is(status)
            .shows("<header class=\"bar\">")
            .shows("<h1>");
    }
    let mut stranger = house.browser();
    stranger
        .get("/nope")
        .await
        .is(404)
        .lacks("<header class=\"bar\">")
        .shows("<h1>");
    house.close().await;
}

#[tokio::test]
async fn a_new_case_begins_with_what_the_address_says() {
    let house = House::start().await;
    let mut agent = house.signed_in("agent").await;
    let line = house.line;
    let page = agent
        .get(&format!(
            "/cases/new?number=%2B44+7700+900124&line={line}&text=%3Cb%3E"
        ))
        .await;
    page.is(200)
        .shows("value=\"+44 7700 900124\"")
        .shows(&format!("<option value=\"{line}\" selected>"))
        .shows(">&#60;b&#62;</textarea>");
    agent
        .get("/cases/new?number=&line=x")
        .await
        .is(200)
        .lacks(" selected>");
    house.close().await;
}

#[tokio::test]
async fn a_demonstration_shows_first_steps_until_they_are_closed() {
    let house = House::start().await;
    let mut agent = house.signed_in("agent").await;
    agent.get("/").await.lacks("First steps").lacks("The phone");
    let phone = "http://127.0.0.1:8081";
    house.app.vonage.phone.set(phone.to_owned()).unwrap();
    let page = agent.get("/").await;
    page.shows("First steps")
        .shows(&format!("<a href=\"{phone}\""));
    let closed = agent.send(&page, "/first-steps/close", &[]).await;
    closed.is(200).lacks("First steps");
    // The phone is still at hand, and others have the card.
    closed.shows(&format!("<a href=\"{phone}\""));
    let mut auditor = house.signed_in("auditor").await;
    auditor
        .get("/")
        .await
        .shows("First steps")
        .lacks("Open the case, answer");
    auditor.get("/reports").await.lacks("First steps");
    house.close().await;
}

#[tokio::test]
async fn a_failed_reply_is_told_in_reports_and_health() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut owner = house.signed_in("owner").await;
    owner
        .get("/reports")
        .await
        .shows("No case has a last reply that failed.")
        .lacks("view=failed");
    reply(&mut owner, 101, "We will see").await;
    let news = News::Failed {
        code: Some(1150),
        reason: "invented".to_owned(),
    };
    house.sends(house.last_reply(101).await, news).await;
    let page = owner.get("/reports").await;
    page.shows("The last reply in 1 case failed.");
    let list = owner.get(&page.link("/?view=failed")).await;
    assert_eq!(rows(&list), [101]);
    owner
        .get("/health")
        .await
        .shows("The last reply in 1 case failed.");
    let elsewhere = format!("/reports?survey={}", new_id());
    owner
        .get(&elsewhere)
        .await
        .shows("No case has a last reply that failed.");
    house.close().await;
}
