//! Several cases at once.

use crate::support::{Browser, House, Page};

/// Sends the form below the list with these cases chosen, as a browser does: a field for each.
pub(crate) async fn with_chosen(
    browser: &mut Browser,
    page: &Page,
    what: &str,
    cases: &[u32],
) -> Page {
    let (to, body) = Browser::filled(page, "/cases/several", &[("do", what)]);
    let chosen = cases.iter().map(|case| format!("case={case}"));
    let fields: Vec<String> = std::iter::once(body).chain(chosen).collect();
    browser.post(&to, &fields.join("&")).await
}

#[tokio::test]
async fn several_are_closed_but_for_those_in_which_something_was_said_meanwhile() {
    let house = three_cases().await;
    let mut agent = house.signed_in("agent").await;
    let list = agent.get("/").await;
    let seen: Vec<String> = [101, 102]
        .map(|case| format!("seen={case}%3A2"))
        .into_iter()
        .inspect(|seen| {
            let value = seen.trim_start_matches("seen=").replace("%3A", ":");
            list.shows(&format!("form=\"bulk\" name=\"seen\" value=\"{value}\""));
        })
        .collect();
    house.receives("#101 Wait").await;
    let (to, body) = Browser::filled(&list, "/cases/several", &[("do", "close")]);
    let body = format!("{body}&case=101&case=102&{}", seen.join("&"));
    let closed = agent.post(&to, &body).await;
    closed.is(200).shows(
        "1 case was closed. Not done for #101: something was said meanwhile; read it first.",
    );
    house.close().await;
}

async fn three_cases() -> House {
    let house = House::start().await;
    for text in ["Hello", "#0 The lift", "#0 The roof"] {
        house.receives(text).await;
    }
    house
}

#[tokio::test]
async fn several_cases_are_assigned_and_closed() {
    let house = three_cases().await;
    let mut agent = house.signed_in("agent").await;
    let list = agent.get("/").await;
    assert_eq!(
        list.text.matches("type=\"checkbox\" form=\"bulk\"").count(),
        3
    );
    let mine = with_chosen(&mut agent, &list, "mine", &[101, 103]).await;
    mine.is(200).shows("2 cases were assigned.");
    let view = agent.get("/?view=mine").await;
    view.shows("#101 ·").shows("#103 ·").lacks("#102 ·");
    // What came of it is shown beside the case that was open, and the list stays the same.
    let page = agent.get("/cases/102?view=mine").await;
    let theirs = with_chosen(&mut agent, &page, "to:owner@example.com", &[101]).await;
    theirs.is(200).shows("1 case was assigned.");
    assert!(
        theirs.at.starts_with("/cases/102?view=mine&"),
        "{}",
        theirs.at
    );
    theirs.lacks("#101 ·").shows("#103 ·");
    let closed = with_chosen(&mut agent, &list, "close", &[101, 102]).await;
    closed
        .is(200)
        .shows("2 cases were closed.")
        .lacks("#101 ·")
        .lacks("#102 ·")
        .shows("#103 ·");
    agent
        .get("/cases/101")
        .await
        .shows("agent@example.com closed the case (Resolved)");
    // The first form of that action undoes it, each case by its own answer.
    let (to, body) = Browser::filled(&closed, "/cases/several", &[]);
    for case in ["case=101%2E0", "case=102%2E0"] {
        assert!(body.contains(case), "{body}");
    }
    let undone = agent.post(&to, &body).await;
    undone
        .is(200)
        .shows("2 cases have their earlier answers again.")
        .shows("#101 ·")
        .shows("#102 ·");
    assert!(!undone.text.contains("value=\"reopen\""));
    let wrong = body.replace("101%2E0", "101%2E9");
    agent
        .post(&to, &wrong)
        .await
        .shows("1 case has its earlier answer again.")
        .shows("Not done for #101");
    let nobody = with_chosen(&mut agent, &list, "nobody", &[103]).await;
    nobody.shows("1 case was assigned.");
    agent.get("/?view=unassigned").await.shows("#103 ·");
    house.close().await;
}

#[tokio::test]
async fn a_form_for_several_that_is_sent_twice_is_done_once() {
    let house = three_cases().await;
    let mut agent = house.signed_in("agent").await;
    let list = agent.get("/").await;
    let (to, body) = Browser::filled(&list, "/cases/several", &[("do", "close")]);
    let body = format!("{body}&case=101&case=102");
    agent.post(&to, &body).await.shows("2 cases were closed.");
    let page = agent.get("/cases/101").await;
    agent
        .send(&page, "/cases/101/status", &[("value", "New")])
        .await;
    // The repetition tells what it told and leaves what was done since.
    agent.post(&to, &body).await.shows("2 cases were closed.");
    agent.get("/").await.shows("#101 ·").lacks("#102 ·");
    house.close().await;
}

#[tokio::test]
async fn several_cases_are_marked() {
    let house = three_cases().await;
    let mut agent = house.signed_in("agent").await;
    let list = agent.get("/").await;
    list.shows("<span class=\"count\">3</span>");
    let read = with_chosen(&mut agent, &list, "read", &[101, 102]).await;
    read.shows("2 cases were marked as read.")
        .shows("<span class=\"count\">1</span>");
    let page = agent.get("/cases/103").await;
    let unread = with_chosen(&mut agent, &page, "unread", &[103, 101]).await;
    // Beside the list it would be read again at once.
    assert!(unread.at.starts_with("/?did=unread"), "{}", unread.at);
    unread
        .shows("2 cases were marked as unread.")
        .shows("<span class=\"count\">2</span>");
    house.close().await;
}

#[tokio::test]
async fn what_refuses_is_named_and_the_rest_is_done() {
    let house = three_cases().await;
    let mut agent = house.signed_in("agent").await;
    // A case that a move made and that was withdrawn stays as it is.
    let (_, message_id) = house.receives("#101 Another subject").await;
    let path = format!("/cases/101/messages/{message_id}/move");
    let form = agent.get(&path).await;
    let moved = agent
        .send(&form, &path, &[("to", ""), ("comment", "")])
        .await;
    let undo = format!("/cases/104/messages/{message_id}/undo-move");
    agent.send(&moved, &undo, &[]).await.is(200);
    let list = agent.get("/?view=all").await;
    let closed = with_chosen(&mut agent, &list, "mine", &[101, 104, 999]).await;
    closed
        .is(200)
        .shows("1 case was assigned.")
        .shows("Not done for #104: the move that made it was undone, so it stays as it is.")
        .shows("Not done for #999: there is no such case.");
    house.close().await;
}

#[tokio::test]
async fn a_form_for_several_that_says_nothing_does_nothing() {
    let house = three_cases().await;
    let mut agent = house.signed_in("agent").await;
    let list = agent.get("/").await;
    with_chosen(&mut agent, &list, "close", &[])
        .await
        .is(422)
        .shows("No case was selected");
    with_chosen(&mut agent, &list, "burn", &[101]).await.is(422);
    with_chosen(&mut agent, &list, "to:auditor@example.com", &[101])
        .await
        .is(422)
        .shows("Cases are assigned to agents and owners");
    agent
        .get("/?view=unassigned")
        .await
        .shows("#101 ·")
        .shows("#103 ·");
    // An auditor is not even offered it.
    let mut auditor = house.signed_in("auditor").await;
    auditor
        .get("/")
        .await
        .lacks("/cases/several")
        .lacks("type=\"checkbox\" form");
    house.close().await;
}
