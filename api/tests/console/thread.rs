//! A thread as a conversation: what stands together, what is told once, and what can be done in one click.

use docket_projections::read::surveys;

use crate::support::{Browser, House, Page};

/// How often a page says that.
fn count(page: &Page, text: &str) -> usize {
    page.text.matches(text).count()
}

#[tokio::test]
async fn a_message_in_two_cases_is_left_in_one_of_them() {
    let house = House::start().await;
    house.receives("The roof leaks").await;
    house.receives("#0 The door sticks").await;
    let (_, message_id) = house.receives("It still drips").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/102").await;
    page.shows("Also in <a href=\"/cases/101\">#101</a>")
        .shows("Only in #101");
    let path = format!("/cases/102/messages/{message_id}/move");
    let page = agent.send(&page, &path, &[]).await;
    page.is(200)
        .shows("The message was removed from this case.")
        .lacks("It still drips</p>")
        .lacks("Only in #");
    assert!(page.at.starts_with("/cases/102"), "{}", page.at);
    agent
        .get("/cases/101")
        .await
        .shows("It still drips</p>")
        .lacks("Only in #")
        .lacks("Also in");
    house.close().await;
}

#[tokio::test]
async fn a_message_in_three_cases_is_removed_from_one() {
    let house = House::start().await;
    for said in ["One", "#0 Two", "#0 Three", "Which?"] {
        house.receives(said).await;
    }
    let mut agent = house.signed_in("agent").await;
    agent
        .get("/cases/103")
        .await
        .shows("Remove from this case")
        .lacks("Only in #");
    house.close().await;
}

#[tokio::test]
async fn a_reference_that_is_not_theirs_is_named_and_no_link() {
    let house = House::start().await;
    house.receives("Hello").await;
    house.receives("About #999").await;
    let mut agent = house.signed_in("agent").await;
    agent
        .get("/cases/101")
        .await
        .shows("#999 is not theirs")
        .lacks("href=\"/cases/999\"");
    house.close().await;
}

#[tokio::test]
async fn a_move_and_its_comment_are_told_once_and_so_is_its_undoing() {
    let house = House::start().await;
    house.receives("Hello").await;
    let (_, message_id) = house.receives("Something else").await;
    let mut agent = house.signed_in("agent").await;
    let path = format!("/cases/101/messages/{message_id}/move");
    let form = agent.get(&path).await;
    let fields = [("to", ""), ("comment", "Quite another subject")];
    let moved = agent.send(&form, &path, &fields).await;
    moved.is(200);
    assert_eq!(count(&moved, "Quite another subject"), 1);
    let undo = format!("/cases/102/messages/{message_id}/undo-move");
    let back = agent.send(&moved, &undo, &[]).await;
    back.is(200)
        .shows("agent@example.com undid the move of a message to #102")
        .lacks("moved a message to")
        .lacks("href=\"/cases/102\"");
    agent
        .get("/cases/102")
        .await
        .shows("Withdrawn")
        .shows("undid the move; the message is back in <a href=\"/cases/101\">#101</a>");
    house.close().await;
}

async fn begins(agent: &mut Browser, page: &Page, line: &str, more: &[(&str, &str)]) -> Page {
    let mut fields = vec![
        ("line", line),
        ("number", "+44 7700 900123"),
        ("text", "We have news"),
    ];
    fields.extend(more);
    agent.send(page, "/cases", &fields).await
}

#[tokio::test]
async fn somebody_with_open_cases_gets_another_only_if_one_wants_it() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let line = house.line.to_string();
    let page = agent.get("/cases/new").await;
    let asked = begins(&mut agent, &page, &line, &[]).await;
    asked
        .is(409)
        .shows("There is 1 open case of <bdi class=\"phone\">+44 7700 900123</bdi>")
        .shows("<a href=\"/cases/101\">Write in #101</a>")
        .shows("We have news</textarea>");
    agent.get("/cases/102").await.is(404);
    let begun = begins(&mut agent, &asked, &line, &[]).await;
    begun.is(200).shows("Case created.");
    assert!(begun.at.starts_with("/cases/102"), "{}", begun.at);
    // Sent twice, it is done once, and not asked about again.
    let again = begins(&mut agent, &asked, &line, &[]).await;
    assert!(again.at.starts_with("/cases/102"), "{}", again.at);
    agent.get("/cases/103").await.is(404);
    // What one has seen of one number says nothing of another.
    let other = begins(&mut agent, &page, &line, &[("anyway", "447700900199")]).await;
    other.is(409).shows("There are 2 open cases of");
    house.close().await;
}

#[tokio::test]
async fn a_refused_form_points_to_its_field() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/cases/new").await;
    page.lacks("<title>Error:").lacks("aria-invalid");
    let line = house.line.to_string();
    let fields = [("line", &*line), ("number", "12"), ("text", "Hi")];
    owner
        .send(&page, "/cases", &fields)
        .await
        .is(422)
        .shows("<title>Error: New case")
        .shows("<a href=\"#number\">The number has 2 digits")
        .shows("aria-describedby=\"number-hint\" aria-invalid=\"true\"");
    let page = owner.get("/lines/new").await;
    let refused = owner.send(&page, "/lines", &[("number", "012")]).await;
    refused
        .is(422)
        .shows("<title>Error: ")
        .shows("<a href=\"#field-number\">The number ")
        .shows("id=\"field-number\"")
        .shows("aria-invalid=\"true\"");
    house.close().await;
}

#[tokio::test]
async fn saved_replies_are_given_filled_to_who_types_a_slash() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut owner = house.signed_in("owner").await;
    let all = surveys::all(&house.app.pool).await.unwrap();
    let path = format!("/surveys/{}", all[0].survey_id);
    let page = owner.get(&path).await;
    let fields = [
        ("name", "Hours"),
        ("text", "Open at nine, says {agent} of {reference}."),
    ];
    let action = format!("{path}/templates");
    owner.send(&page, &action, &fields).await.is(200);
    owner
        .get("/cases/101/saved-replies")
        .await
        .is(200)
        .shows("<li><b>Hours</b><span>Open at nine, says owner@example.com of #101.</span></li>");
    let line = house.line;
    owner
        .get(&format!("/cases/new/saved-replies?line={line}"))
        .await
        .is(200)
        .shows("<span>Open at nine, says owner@example.com of.</span>");
    owner
        .get("/cases/new/saved-replies")
        .await
        .is(200)
        .lacks("<li>");
    owner.get("/cases/999/saved-replies").await.is(404);
    house.close().await;
}
