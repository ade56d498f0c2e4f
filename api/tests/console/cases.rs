//! The list, the thread, and what agents do in them.

use docket_domain::case::News;
use serde_json::json;

use crate::support::{Browser, CUSTOMER, House, OUR_NUMBER, wait};

#[tokio::test]
async fn the_list_shows_what_was_asked_for() {
    let house = House::start().await;
    house.receives("The lift stands still").await;
    wait(60);
    house.receives("#0 Opening hours").await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/").await;
    page.is(200)
        .shows("The lift stands still")
        .shows("Opening hours")
        .shows("+44 7700 900123");
    browser
        .get("/?view=mine")
        .await
        .shows("Nothing is assigned to you.");
    browser.get("/?q=lift").await.shows("#101").lacks("#102 ·");
    // A reference leads to its case, whatever the view; digits are searched for.
    for q in [
        "%23102",
        "%23%20102",
        "(%EF%BC%83%EF%BC%91%EF%BC%90%EF%BC%92)",
    ] {
        let page = browser.get(&format!("/?view=closed&q={q}")).await;
        page.is(200);
        assert!(
            page.at.starts_with("/cases/102") || q.starts_with('('),
            "{q}: {}",
            page.at
        );
    }
    assert!(browser.get("/?q=102").await.at.starts_with("/?q=102"));
    browser.get("/?q=%23999").await.shows("No results for");
    browser
        .get("/?q=nothing-such%00")
        .await
        .shows("No results for");
    // What cannot be read is as if it were not there.
    browser
        .get("/?view=x&survey=y&cursor=z")
        .await
        .is(200)
        .shows("#101");

    let page = browser.get("/cases/101?view=all").await;
    browser
        .send(&page, "/cases/101/status", &[("value", "Resolved")])
        .await;
    browser.get("/").await.lacks("#101 ·").shows("#102");
    let closed = browser.get("/?view=closed").await;
    closed.shows("#101").lacks("#102 ·");
    assert_eq!(closed.link("/cases/101"), "/cases/101?view=closed");
    house.close().await;
}

#[tokio::test]
async fn the_list_goes_on_page_by_page() {
    let house = House::start().await;
    for number in 0..45 {
        house.receives(&format!("#0 Subject {number}")).await;
        wait(1);
    }
    let mut browser = house.signed_in("agent").await;
    let first = browser.get("/").await;
    first.shows("Subject 44").lacks("Subject 19<");
    assert!(first.text.len() < 60_000, "{} bytes", first.text.len());
    let older = first.link("/?cursor=");
    let second = browser.get(&older).await;
    second
        .shows("Subject 0<")
        .shows("Subject 19<")
        .lacks("Subject 20<");
    assert_eq!(second.text.matches("data-case=").count(), 20);
    house.close().await;
}

#[tokio::test]
async fn a_thread_says_why_each_message_stands_there() {
    let house = House::start().await;
    house.receives("Hello").await;
    house.receives("Still me").await;
    house.receives("#0 Something else").await;
    house.receives("About #101").await;
    house.receives("Anybody?").await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    page.shows("<p class=\"why\">No case was open</p>")
        .shows("<p class=\"why\">Reference #101</p>")
        .shows("<span class=\"why\">Also in <a href=\"/cases/102\">#102</a></span>")
        .shows("role=\"log\"");
    browser.get("/cases/102").await.shows("New case (#0)");
    house.close().await;
}

#[tokio::test]
async fn what_people_write_stays_text() {
    let house = House::start().await;
    let bad = "<script>alert(1)</script>\"><img src=x onerror=alert(1)>";
    house.receives(bad).await;
    house
        .receives_json(&json!({
            "channel": "sms", "message_uuid": "00000000-0000-4000-8000-000000000001", "to": OUR_NUMBER, "from": CUSTOMER,
            "timestamp": "2026-03-01T11:59:58Z", "message_type": "image",
            "image": {"url": "https://media.example.com/\"onclick=alert(1)", "name": "<b>x</b>", "caption": bad},
        }))
        .await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    browser
        .send(&page, "/cases/101/write", &[("as", "note"), ("text", bad)])
        .await;
    let page = browser.get("/cases/101").await;
    browser
        .send(&page, "/cases/101/title", &[("title", bad)])
        .await;
    for path in [
        "/",
        "/cases/101",
        "/?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%3E%3Cimg+src%3Dx",
    ] {
        let page = browser.get(path).await;
        page.is(200)
            .lacks("<script>alert")
            .lacks("<img src=x")
            .lacks("\"onclick")
            .lacks("<b>x");
    }
    browser
        .get("/cases/101")
        .await
        .shows("Photo")
        .shows("&#60;script&#62;alert(1)");
    house.close().await;
}

#[tokio::test]
async fn a_reply_is_sent_once_however_often_the_form_is() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    let fields = [("as", "reply"), ("text", "Good day\r\nto you")];
    let (to, body) = Browser::filled(&page, "/cases/101/write", &fields);
    let shown = browser.post(&to, &body).await;
    shown
        .is(200)
        .shows("Good day\nto you")
        .shows("Your reply is on its way.")
        .shows("Waits: sending is not set up yet")
        .shows("Good day\nto you #101");
    let again = browser.post(&to, &body).await;
    assert_eq!(again.text.matches("class=\"message ours").count(), 1);
    house.close().await;
}

#[tokio::test]
async fn a_reply_to_what_has_moved_on_is_shown_what_is_new_and_kept() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    house.receives("Wait, I found it").await;
    let fields = [("as", "reply"), ("text", "Where did you look?")];
    let refused = browser.send(&page, "/cases/101/write", &fields).await;
    refused
        .is(409)
        .shows("New since you looked")
        .shows("Wait, I found it")
        .shows("Where did you look?</textarea>")
        .shows("Send anyway")
        .lacks("class=\"message ours");
    let marked = refused.text.find("New since you looked").unwrap();
    assert!(marked > refused.text.find(">Hello<").unwrap());
    let sent = browser.send(&refused, "/cases/101/write", &fields).await;
    sent.is(200)
        .shows("class=\"message ours")
        .lacks("Send all the same");
    house.close().await;
}

#[tokio::test]
async fn notes_stay_inside_and_empty_ones_are_refused() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    browser
        .send(
            &page,
            "/cases/101/write",
            &[("as", "note"), ("text", "Call the fitter")],
        )
        .await
        .is(200)
        .shows("class=\"message note\"")
        .shows("Call the fitter")
        .lacks("class=\"message ours");
    let page = browser.get("/cases/101").await;
    browser
        .send(&page, "/cases/101/write", &[("as", "note"), ("text", "  ")])
        .await
        .is(422)
        .shows("role=\"alert\"");
    house.close().await;
}

#[tokio::test]
async fn closing_can_be_undone() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("agent").await;
    let open = browser.get("/cases/101").await;
    let closed = browser
        .send(&open, "/cases/101/status", &[("value", "Resolved")])
        .await;
    closed
        .is(200)
        .shows("The case was closed.")
        .shows("closed the case (Resolved)")
        .shows("This case is closed.");
    // The first form of that action is the one that undoes it.
    let undone = browser.send(&closed, "/cases/101/status", &[]).await;
    undone
        .is(200)
        .shows("from Resolved to New")
        .lacks("This case is closed.");
    browser
        .send(&undone, "/cases/101/status", &[("value", "Invented")])
        .await
        .is(422)
        .shows("The status must be one of");
    house.close().await;
}

#[tokio::test]
async fn a_case_is_not_closed_over_what_nobody_has_read() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    house.receives("Wait, one more thing").await;
    let close = [("value", "Resolved")];
    let refused = browser.send(&page, "/cases/101/status", &close).await;
    refused
        .is(409)
        .shows("the case is still open")
        .shows("New since you looked")
        .shows("Wait, one more thing")
        .lacks("Send all the same");
    // Another answer does not hide it.
    let answer = [("value", "In progress")];
    let answered = browser.send(&page, "/cases/101/status", &answer).await;
    answered.is(200).shows("from New to In progress");
    let closed = browser.send(&refused, "/cases/101/status", &close).await;
    closed.is(200).shows("The case was closed.");
    house.close().await;
}

#[tokio::test]
async fn cases_are_assigned_and_renamed() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    page.shows("Assign to me");
    let mine = browser
        .send(
            &page,
            "/cases/101/assignee",
            &[("email", "agent@example.com")],
        )
        .await;
    mine.is(200)
        .shows("agent@example.com took the case")
        .lacks("Assign to me</button>");
    browser.get("/?view=mine").await.shows("#101");
    browser.get("/?view=unassigned").await.lacks("#101 ·");
    let theirs = browser
        .send(
            &mine,
            "/cases/101/assignee",
            &[("email", "owner@example.com")],
        )
        .await;
    theirs.shows("agent@example.com gave the case to owner@example.com");
    browser
        .send(
            &theirs,
            "/cases/101/assignee",
            &[("email", "auditor@example.com")],
        )
        .await
        .is(422);
    browser
        .send(&theirs, "/cases/101/assignee", &[("email", "")])
        .await
        .is(200)
        .shows(": unassigned");
    let named = browser
        .send(&page, "/cases/101/title", &[("title", "  A broken\tlift ")])
        .await;
    named
        .is(200)
        .shows("<bdi>A broken lift</bdi>")
        .shows("renamed the case from “Hello” to “A broken lift”");
    house.close().await;
}

#[tokio::test]
async fn what_failed_is_sent_again_and_what_is_on_its_way_is_not() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    let queued = browser
        .send(
            &page,
            "/cases/101/write",
            &[("as", "reply"), ("text", "Hi")],
        )
        .await;
    let message_id = house.last_reply(101).await;
    let resend = format!("/cases/101/messages/{message_id}/resend");
    assert!(!queued.has_form(&resend));
    let news = News::Failed {
        code: Some(1050),
        reason: "the number is not reachable".to_owned(),
    };
    house.sends(message_id, news).await;
    let failed = browser.get("/cases/101").await;
    failed
        .shows("Failed: the number is not reachable")
        .shows("Try again");
    let again = browser.send(&failed, &resend, &[]).await;
    again.is(200).shows("Waits: sending is not set up yet");
    assert!(!again.has_form(&resend));
    browser
        .send(&failed, &resend, &[])
        .await
        .is(409)
        .shows("on its way already");
    house.close().await;
}

#[tokio::test]
async fn an_agent_begins_a_case() {
    let house = House::start().await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/new").await;
    page.shows("Support: +44 7700 900000 (SMS)");
    let line = house.line.to_string();
    let wrong = [
        ("line", line.as_str()),
        ("number", "12"),
        ("text", "We have news"),
    ];
    let refused = browser.send(&page, "/cases", &wrong).await;
    refused
        .is(422)
        .shows("We have news</textarea>")
        .shows("The number has 2 digits; with its country code it has 7 to 15");
    let right = [
        ("line", line.as_str()),
        ("number", "+44 7700 900124"),
        ("text", "We have news"),
        ("title", ""),
    ];
    let begun = browser.send(&refused, "/cases", &right).await;
    begun
        .is(200)
        .shows("We have news")
        .shows("+44 7700 900124")
        .shows("agent@example.com began the case");
    assert!(begun.at.starts_with("/cases/101"));
    let nowhere = [("line", "x"), ("number", "447700900124"), ("text", "Hi")];
    browser
        .send(&page, "/cases", &nowhere)
        .await
        .is(422)
        .shows("Choose the line to write from.");
    house.close().await;
}

#[tokio::test]
async fn long_threads_begin_at_their_end() {
    let house = House::start().await;
    for number in 0..130 {
        house.receives(&format!("Message {number}.")).await;
    }
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    page.shows("Message 129.")
        .shows("Message 80.")
        .lacks("Message 79.");
    assert!(page.text.len() < 64_000, "{} bytes", page.text.len());
    let earlier = browser.get(&page.link("/cases/101?before=")).await;
    earlier.shows("Message 79.").shows("Message 30.");
    earlier.lacks("Message 80.").lacks("Message 29.");
    earlier.shows("Show the newest messages");
    let first = browser.get(&earlier.link("/cases/101?before=")).await;
    first
        .shows("Message 0.")
        .lacks("Message 30.")
        .lacks("?before=");
    // The script fetches the same parts.
    let before = earlier
        .link("/cases/101?before=")
        .replace("/cases/101?", "/cases/101/earlier?");
    let part = browser.get(&before).await;
    part.shows("Message 29.")
        .lacks("Message 30.")
        .lacks("<html");
    house.close().await;
}
