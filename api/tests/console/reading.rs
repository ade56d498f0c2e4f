//! What is unread, and where the divider stands.

use crate::support::{Browser, House, Page, wait};

/// What the script fetches for a page that is open.
async fn fetched_again(
    browser: &mut Browser,
    path: &str,
    seen: &str,
    read_to: Option<&str>,
) -> Page {
    let mut headers = vec![("docket-live", seen)];
    headers.extend(read_to.map(|read_to| ("docket-read-to", read_to)));
    browser.with_headers("GET", path, &headers, None).await
}

/// Where it stands in the thread; rows of the list show last messages too.
fn in_thread(page: &Page, what: &str) -> usize {
    let thread = page.text.find("role=\"log\"").unwrap();
    thread + page.text[thread..].find(what).unwrap()
}

fn is_unread(page: &Page, reference: u32) -> bool {
    let entry = page
        .text
        .split("<a href=\"/cases/")
        .find(|entry| entry.contains(&format!("data-case=\"{reference}\"")))
        .unwrap_or_else(|| panic!("#{reference} is not in the list: {}", page.text));
    let tag = entry.split('>').next().unwrap();
    let marked = entry.contains("class=\"new-count\"");
    assert_eq!(
        tag.contains("unread"),
        marked,
        "by its look and in words: {entry}"
    );
    marked
}

#[tokio::test]
async fn a_case_is_unread_until_it_is_opened_after_its_last_message() {
    let house = House::start().await;
    house.receives("Hello").await;
    house.receives("#0 Something else").await;
    let mut agent = house.signed_in("agent").await;
    let mut owner = house.signed_in("owner").await;
    let list = agent.get("/").await;
    assert!(is_unread(&list, 101) && is_unread(&list, 102));
    list.shows("Unread <span class=\"count\">2</span>");
    // Beside itself it is read already.
    let page = agent.get("/cases/101").await;
    assert!(!is_unread(&page, 101) && is_unread(&page, 102));
    page.shows("Unread <span class=\"count\">1</span>");
    let view = agent.get("/?view=unread").await;
    view.shows("#102 ·").lacks("#101 ·");
    // One person's reading is nobody else's.
    assert!(is_unread(&owner.get("/").await, 101));
    // A message makes it unread again; what says nothing does not.
    house.receives("#101 Are you there?").await;
    assert!(is_unread(&agent.get("/").await, 101));
    let page = agent.get("/cases/101").await;
    agent
        .send(&page, "/cases/101/title", &[("title", "Greetings")])
        .await;
    owner.get("/cases/101").await;
    let page = owner.get("/cases/101").await;
    owner
        .send(
            &page,
            "/cases/101/assignee",
            &[("email", "owner@example.com")],
        )
        .await;
    assert!(!is_unread(&agent.get("/").await, 101));
    // What a colleague writes is unread to others and not to them.
    let page = owner.get("/cases/101").await;
    let reply = [("as", "reply"), ("text", "Good day")];
    owner.send(&page, "/cases/101/write", &reply).await;
    assert!(!is_unread(&owner.get("/").await, 101));
    assert!(is_unread(&agent.get("/").await, 101));
    // What is closed waits for nobody.
    let page = owner.get("/cases/101").await;
    owner
        .send(&page, "/cases/101/status", &[("value", "Resolved")])
        .await;
    assert!(!is_unread(&agent.get("/?view=all").await, 101));
    house.close().await;
}

#[tokio::test]
async fn only_pages_that_somebody_sees_are_read() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    for unseen in [
        ("sec-purpose", "prefetch"),
        ("purpose", "prefetch"),
        ("docket-live", "hidden"),
    ] {
        let page = agent
            .with_headers("GET", "/cases/101", &[unseen], None)
            .await;
        page.is(200).shows("Hello");
        assert!(is_unread(&page, 101), "{unseen:?}");
    }
    let page = fetched_again(&mut agent, "/cases/101", "shown", None).await;
    assert!(!is_unread(&page, 101));
    // Auditors have nothing to read up on.
    let mut auditor = house.signed_in("auditor").await;
    let list = auditor.get("/").await;
    assert!(!is_unread(&list, 101));
    list.lacks(">Unread");
    auditor
        .get("/?view=unread")
        .await
        .is(200)
        .shows("data-case=\"101\"");
    house.close().await;
}

#[tokio::test]
async fn the_divider_stands_where_the_reader_left_off() {
    let house = House::start().await;
    house.receives("First").await;
    let mut agent = house.signed_in("agent").await;
    // Nothing was read before, so there is nowhere to go on from.
    agent.get("/cases/101").await.lacks("New since you looked");
    wait(60);
    house.receives("Second").await;
    house.receives("Third").await;
    let list = agent.get("/").await;
    assert_eq!(list.link("/cases/101"), "/cases/101#new");
    let page = agent.get("/cases/101").await;
    assert_eq!(page.text.matches("id=\"new\"").count(), 1);
    let at = |what: &str| in_thread(&page, what);
    assert!(at(">First<") < at("id=\"new\"") && at("id=\"new\"") < at(">Second<"));
    assert_eq!(page.text.matches("message theirs new").count(), 2);
    // Fetched anew it stays where it is, and with the next visit it goes.
    let read_to = page
        .text
        .split("data-read-to=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap()
        .to_owned();
    house.receives("Fourth").await;
    let again = fetched_again(&mut agent, "/cases/101", "shown", Some(&read_to)).await;
    let at = |what: &str| in_thread(&again, what);
    assert!(at(">First<") < at("id=\"new\"") && at("id=\"new\"") < at(">Second<"));
    again.shows("Fourth");
    agent
        .get("/cases/101")
        .await
        .lacks("id=\"new\"")
        .lacks("theirs new");
    // One's own words are no news, a colleague's note is.
    let page = agent.get("/cases/101").await;
    let reply = [("as", "reply"), ("text", "Good day")];
    agent
        .send(&page, "/cases/101/write", &reply)
        .await
        .lacks("id=\"new\"");
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/cases/101").await;
    let note = [("as", "note"), ("text", "Known to us")];
    owner.send(&page, "/cases/101/write", &note).await;
    agent
        .get("/cases/101")
        .await
        .shows("id=\"new\"")
        .shows("message note new");
    house.close().await;
}

#[tokio::test]
async fn a_case_is_marked_as_unread_again() {
    let house = House::start().await;
    house.receives("First").await;
    house.receives("Second").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    let list = agent.send(&page, "/cases/101/unread", &[]).await;
    list.is(200).shows("The case is marked as unread.");
    assert!(list.at.starts_with("/?done=unread"), "{}", list.at);
    assert!(is_unread(&list, 101));
    // The last message is what is new.
    let page = agent.get("/cases/101").await;
    let at = |what: &str| in_thread(&page, what);
    assert!(at(">First<") < at("id=\"new\"") && at("id=\"new\"") < at(">Second<"));
    let (_, body) = Browser::filled(&page, "/cases/101/unread", &[]);
    agent.post("/cases/999/unread", &body).await.is(404);
    house.close().await;
}

#[tokio::test]
async fn what_is_unread_is_shown_from_where_the_reader_left_off() {
    let house = House::start().await;
    for number in 0..20 {
        house.receives(&format!("Old {number}.")).await;
    }
    let mut agent = house.signed_in("agent").await;
    agent.get("/cases/101").await;
    for number in 0..40 {
        house.receives(&format!("New {number}.")).await;
    }
    let mut owner = house.signed_in("owner").await;
    owner.get("/cases/101").await;
    let page = agent.get("/cases/101").await;
    let at = |what: &str| in_thread(&page, what);
    assert!(at(">Old 19.<") < at("id=\"new\"") && at("id=\"new\"") < at(">New 0.<"));
    page.shows("New 39.");
    // Of more than a page the newest are shown, all of them as new, and those before on demand.
    for number in 40..120 {
        house.receives(&format!("New {number}.")).await;
    }
    let page = owner.get("/cases/101").await;
    let at = |what: &str| in_thread(&page, what);
    assert!(at("id=\"new\"") < at(">New 70.<") && at(">New 70.<") < at(">New 119.<"));
    page.lacks("New 69.").shows("Show earlier messages");
    house.close().await;
}
