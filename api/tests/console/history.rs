//! The history of a case, and the case as it was.

use docket_domain::case::News;

use crate::support::{Browser, House, Page, wait};

/// The row of the event of that number in the list of all events.
fn event(page: &Page, number: u64) -> String {
    let list = page.text.split("id=\"events-title\"").nth(1).unwrap();
    let mark = format!("<span class=\"number\">{number}</span>");
    let row = list.split("<li").find(|row| row.contains(&mark));
    row.unwrap_or_else(|| panic!("no event {number} in {list}"))
        .to_owned()
}

/// What stands in the part that compares.
fn compared(page: &Page) -> &str {
    let rest = page.text.split("id=\"compared\"").nth(1).unwrap();
    rest.split("id=\"events-title\"").next().unwrap()
}

/// Everybody who reads this house's case has a message in it that was moved to another.
async fn moved(house: &House) -> Browser {
    house.receives("Hello").await;
    wait(600);
    let (_, message_id) = house.receives("When do you open?").await;
    wait(600);
    let mut agent = house.signed_in("agent").await;
    let path = format!("/cases/101/messages/{message_id}/move");
    let form = agent.get(&path).await;
    let fields = [("to", ""), ("comment", "Another subject")];
    agent.send(&form, &path, &fields).await.is(200);
    agent
}

#[tokio::test]
async fn every_event_is_told_with_who_when_and_why() {
    let house = House::start().await;
    house.receives("Hello <there> #999").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    let fields = [("text", "Good day"), ("as", "reply")];
    agent.send(&page, "/cases/101/write", &fields).await;
    let reply = house.last_reply(101).await;
    let failed = News::Failed {
        code: Some(1120),
        reason: "No such number".to_owned(),
    };
    house.sends(reply, failed).await;

    let mut auditor = house.signed_in("auditor").await;
    let case = auditor.get("/cases/101").await;
    let page = auditor.get(&case.link("/cases/101/history")).await;
    page.is(200).shows("<span class=\"soft\">5 events</span>");
    let received = event(&page, 2);
    for told in [
        "Hello &#60;there&#62; #999”",
        "it made this case, since none was open",
        "The contact, +447700900123",
        "2026-03-01 12:00:00 UTC",
        // Vonage's own time.
        "2026-03-01 11:59:58 UTC",
        "Position in the log",
        "&#34;type&#34;: &#34;MessageReceived&#34;",
    ] {
        assert!(received.contains(told), "{told} in {received}");
    }
    // What a contact wrote makes no link.
    assert!(!received.contains("/cases/999"), "{received}");
    let queued = event(&page, 3);
    assert!(
        queued.contains("agent@example.com") && queued.contains("Request id"),
        "{queued}"
    );
    let failed = event(&page, 5).replace("&#39;", "'");
    assert!(
        failed.contains("No such number, Vonage's code 1120"),
        "{failed}"
    );

    let by_agent = auditor
        .get("/cases/101/history?actor=agent%40example.com")
        .await;
    by_agent.shows("<span class=\"soft\">1 event</span>");
    event(&by_agent, 3);
    let deliveries = auditor.get("/cases/101/history?kind=delivery&actor=").await;
    deliveries.shows("<span class=\"soft\">2 events</span>");
    auditor
        .get("/cases/101/history?kind=notes")
        .await
        .shows("No matching events.");
    for role in ["owner", "agent"] {
        let mut browser = house.signed_in(role).await;
        browser.get("/cases/101/history").await.is(200);
    }
    for path in ["/cases/999/history", "/cases/x/history"] {
        auditor.get(path).await.is(404);
    }
    house.close().await;
}

#[tokio::test]
async fn a_case_stands_as_it_was_beside_the_case_as_it_is() {
    let house = House::start().await;
    house.receives("Hello").await;
    wait(3_600);
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    agent
        .send(&page, "/cases/101/title", &[("title", "Greeting")])
        .await;
    agent
        .send(&page, "/cases/101/status", &[("value", "Resolved")])
        .await;

    let was = agent.get("/cases/101/history?at=2").await;
    was.is(200).shows("As it was after event 2 of 4");
    let text = compared(&was);
    for told in [
        "<td dir=\"auto\">Hello</td><td dir=\"auto\"><mark class=\"tag\">Changed</mark> Greeting</td>",
        "<td dir=\"auto\">Open</td><td dir=\"auto\"><mark class=\"tag\">Changed</mark> Closed</td>",
        "<td dir=\"auto\">1</td><td dir=\"auto\">1</td>",
        "The same now",
        "2 were added since",
        "5 things have changed since",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    assert!(event(&was, 2).contains("aria-current=\"true\""));
    assert_eq!(was.text.matches("rel=\"next\"").count(), 1);
    let next = was.text.split("rel=\"next\" href=\"").nth(1).unwrap();
    assert!(next.starts_with("/cases/101/history?at=3\""), "{next}");
    // A field of a browser's gives a time without a zone, which is UTC; a program says its zone.
    for time in ["2026-03-01T12:30", "2026-03-01T13:30:00%2B01:00"] {
        let page = agent.get(&format!("/cases/101/history?as_of={time}")).await;
        page.shows("As it was after event 2 of 4");
        page.shows("value=\"2026-03-01T12:30:00\"");
    }
    for (beyond, status, said) in [
        ("at=5", 409, "The case has no event of that number."),
        ("at=99", 409, "The case has no event of that number."),
        ("with=999999", 409, "The log does not go so far."),
        ("as_of=2031-01-01T00:00", 400, "That time has not come yet."),
    ] {
        let page = agent.get(&format!("/cases/101/history?{beyond}")).await;
        page.is(status).shows(said);
    }
    let last = agent.get("/cases/101/history?at=4").await;
    last.shows("As it was after event 4 of 4")
        .shows("Nothing has changed since.")
        .lacks("rel=\"next\"");
    let before = agent
        .get("/cases/101/history?as_of=2026-03-01T11:00:00Z")
        .await;
    before.is(200).shows("it began at 2026-03-01 12:00:00 UTC");
    agent
        .get("/cases/101/history?as_of=yesterday")
        .await
        .is(200)
        .shows("That is no time that Docket can read.")
        .lacks("moment-title");
    house.close().await;
}

#[tokio::test]
async fn a_moved_message_is_followed_from_the_case_it_left_to_the_one_it_went_to() {
    let house = House::start().await;
    moved(&house).await;
    let mut auditor = house.signed_in("auditor").await;
    let page = auditor.get("/cases/101/history").await;
    let row = event(&page, 4);
    assert!(
        row.contains("was moved to a new case, #102; comment: “Another subject”"),
        "{row}"
    );

    // The other case at the same moment …
    let there = auditor.get(&page.link("/cases/102/history?with=")).await;
    assert_eq!(there.at, "/cases/102/history?at=2");
    let text = compared(&there);
    assert!(
        text.contains("Moved here from #101, which made this case"),
        "{text}"
    );
    assert!(text.contains("When do you open?"));
    // … and back.
    let back = auditor.get(&there.link("/cases/101/history?with=")).await;
    assert_eq!(back.at, "/cases/101/history?at=4");

    // Both just before, and the minute before: the message stood in the one, and the other was not there.
    for words in [
        "This case just before",
        "#102 just before",
        "This case the minute before",
        "#102 the minute before",
    ] {
        assert!(row.contains(words), "{words} in {row}");
    }
    let before = auditor
        .get(&page.link("/cases/101/history?as_of=2026-03-01T12%3A19%3A00"))
        .await;
    assert!(compared(&before).contains("As it was after event 3 of 4"));
    let before = auditor
        .get(&page.link("/cases/101/history?as_of=2026-03-01T12%3A19%3A59.999999Z"))
        .await;
    let text = compared(&before);
    assert!(text.contains("As it was after event 3 of 4"), "{text}");
    assert!(text.contains("When do you open?") && text.contains("Not here any more"));
    assert!(
        text.contains("<a href=\"/cases/102/history\">It went to #102</a>"),
        "{text}"
    );
    let other = auditor.get(&page.link("/cases/102/history?as_of=")).await;
    other.is(200).shows("The case had not begun then");
    house.close().await;
}

#[tokio::test]
async fn long_histories_come_page_by_page() {
    let house = House::start().await;
    for number in 0..110 {
        house.receives(&format!("Message {number}")).await;
    }
    let mut auditor = house.signed_in("auditor").await;
    let first = auditor.get("/cases/101/history?kind=said").await;
    first.shows("<span class=\"soft\">110 events</span>");
    first
        .shows("“Message 0”")
        .shows("“Message 19”")
        .lacks("“Message 20”");
    let later = first.link("/cases/101/history?kind=said&actor=&after=21");
    let second = auditor.get(&later).await;
    second
        .shows("“Message 20”")
        .shows("“Message 39”")
        .lacks("“Message 40”");
    let earlier = second.link("/cases/101/history?kind=said&actor=&before=22");
    let again = auditor.get(&earlier).await;
    again.shows("“Message 0”").lacks("“Message 20”");
    again.lacks("&before=");
    // A moment has its own event among those beside it, and a page of the thread as it was.
    let moment = auditor.get("/cases/101/history?at=60").await;
    assert!(event(&moment, 60).contains("aria-current=\"true\""));
    let text = compared(&moment);
    assert!(
        text.contains("Message 58") && text.contains("Message 39") && !text.contains("Message 38")
    );
    assert!(text.contains("51 were added since"), "{text}");
    let earlier = moment.link("/cases/101/history?at=60&items=");
    let text = auditor.get(&earlier).await;
    let text = compared(&text);
    assert!(
        text.contains("Message 38") && text.contains("Message 19") && !text.contains("Message 18")
    );
    house.close().await;
}
