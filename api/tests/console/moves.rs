//! Moving a message, and undoing that.

use crate::support::House;

#[tokio::test]
async fn a_message_is_moved_into_a_new_case_and_back() {
    let house = House::start().await;
    house.receives("Hello").await;
    let (_, message_id) = house.receives("By the way, when do you open?").await;
    let mut browser = house.signed_in("agent").await;
    let page = browser.get("/cases/101").await;
    let path = format!("/cases/101/messages/{message_id}/move");
    let form = browser.get(&page.link(&path)).await;
    form.is(200)
        .shows("By the way, when do you open?")
        .shows("A new case");
    let moved = browser
        .send(
            &form,
            &path,
            &[("to", ""), ("comment", "Another <subject>")],
        )
        .await;
    moved
        .is(200)
        .shows("By the way, when do you open?")
        .shows("Moved from <a href=\"/cases/101\">#101</a></span>")
        .shows("<q dir=\"auto\">Another &#60;subject&#62;</q>")
        .shows("A message came from #101");
    assert!(moved.at.starts_with("/cases/102"));
    let source = browser.get("/cases/101").await;
    source
        .shows("moved a message to <a href=\"/cases/102\">#102</a>")
        .shows("A message went to #102");
    assert!(!source.text.contains(&format!("{message_id}/move")));

    let undo = format!("/cases/102/messages/{message_id}/undo-move");
    let back = browser.send(&moved, &undo, &[]).await;
    back.is(200)
        .shows("The move was undone.")
        .shows("By the way, when do you open?");
    assert!(back.at.starts_with("/cases/101"));
    let made = browser.get("/cases/102").await;
    made.shows("It stays closed.").lacks("/cases/102/write");
    house.close().await;
}

#[tokio::test]
async fn a_message_is_moved_into_another_open_case() {
    let house = House::start().await;
    house.receives("Hello").await;
    house.receives("#0 Opening hours").await;
    let (_, message_id) = house.receives("#101 On Saturdays?").await;
    let mut browser = house.signed_in("agent").await;
    let path = format!("/cases/101/messages/{message_id}/move");
    let form = browser.get(&path).await;
    form.shows("#102: Opening hours");
    let moved = browser
        .send(&form, &path, &[("to", "102"), ("comment", "")])
        .await;
    moved
        .is(200)
        .shows("#101 On Saturdays?")
        .shows("The message was moved here.");
    assert!(moved.at.starts_with("/cases/102"));
    // Sent twice, it is done once; and the message is not there any more.
    browser
        .send(&form, &path, &[("to", "102"), ("comment", "")])
        .await
        .is(200);
    browser.get(&path).await.is(404);
    browser.send(&form, &path, &[("to", "")]).await.is(404);
    house.close().await;
}

#[tokio::test]
async fn a_message_that_went_round_is_moved_back_to_where_it_was_said() {
    let house = House::start().await;
    let (_, message_id) = house.receives("The lift stands still").await;
    house.receives("#0 Opening hours").await;
    let mut browser = house.signed_in("agent").await;
    let mut page = browser.get("/cases/101").await;
    for (from, to) in [(101, ""), (103, "102"), (102, "103")] {
        let path = format!("/cases/{from}/messages/{message_id}/move");
        let form = browser.get(&path).await;
        let fields = [("to", to), ("comment", "")];
        page = browser.send(&form, &path, &fields).await;
        page.is(200);
    }
    assert!(page.at.starts_with("/cases/103"), "{}", page.at);
    let undo = format!("/cases/103/messages/{message_id}/undo-move");
    let back = browser.send(&page, &undo, &[]).await;
    back.is(200).shows("The move was undone.");
    assert!(back.at.starts_with("/cases/101"), "{}", back.at);
    house.close().await;
}
