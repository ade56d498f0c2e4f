//! Contacts in the console: what they are called, and opting out.

use crate::support::House;

/// The address of the one contact that there is.
async fn contact_of(house: &House) -> String {
    format!("/contacts/{}", house.contact_id().await)
}

#[tokio::test]
async fn a_contact_is_named_and_found_by_the_name() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let path = contact_of(&house).await;
    agent.get("/contacts").await.is(200).shows(&path);
    let form = agent.get(&path).await;
    form.is(200).shows("Messages may be sent.").shows("#101");
    let fields = [("name", "Jane <Example>"), ("note", "Prefers mornings.")];
    let changed = agent.send(&form, &path, &fields).await;
    changed
        .is(200)
        .shows("The contact was changed.")
        .shows("<h1 dir=\"auto\">Jane &#60;Example&#62;</h1>")
        .shows("Prefers mornings.");
    agent.get("/").await.shows("Jane &#60;Example&#62;");
    agent
        .get("/cases/101")
        .await
        .shows("Jane &#60;Example&#62;");
    agent.get("/?q=jane").await.shows("#101");
    agent.get("/contacts?q=jane").await.shows(&path);
    agent.get("/contacts?q=john").await.lacks(&path);

    // A refused form keeps what was typed.
    let long = "x".repeat(201);
    let refused = agent
        .send(&changed, &path, &[("name", &long), ("note", "Typed")])
        .await;
    refused.is(422).shows(&long).shows("Typed");
    agent.get("/contacts/x").await.is(404);
    // An auditor reads it, and has no form.
    let mut auditor = house.signed_in("auditor").await;
    let page = auditor.get(&path).await;
    page.is(200).shows("Prefers mornings.");
    assert!(!page.has_form(&path));
    house.close().await;
}

#[tokio::test]
async fn an_opt_out_is_seen_and_cleared() {
    let house = House::start().await;
    house.receives("Hello").await;
    house.receives("STOP").await;
    let mut agent = house.signed_in("agent").await;
    agent.get("/").await.shows("Opted out");
    let path = contact_of(&house).await;
    let opt_out = format!("{path}/opt-out");
    let case = agent.get("/cases/101").await;
    case.shows("The contact opted out of SMS. Replies are not sent.")
        .shows("set “opted out of SMS”");
    // A reply is refused, and what was written stays.
    let write = "/cases/101/write";
    let fields = [("as", "reply"), ("text", "Are you sure?")];
    let refused = agent.send(&case, write, &fields).await;
    refused.is(409).shows("opted out").shows("Are you sure?");
    // A note is no message.
    let noted = agent
        .send(&case, write, &[("as", "note"), ("text", "They left")])
        .await;
    noted.is(200).shows("The note was added.");

    let cleared = agent.send(&noted, &opt_out, &[("opted_out", "no")]).await;
    cleared
        .is(200)
        .shows("Messages may be sent to the contact.")
        .lacks("Replies are not sent.");
    assert!(cleared.at.starts_with("/cases/101"));
    agent.get("/").await.lacks("Opted out");

    let page = agent.get(&path).await;
    let fields = [("opted_out", "yes"), ("reason", "Asked by phone")];
    let set = agent.send(&page, &opt_out, &fields).await;
    set.is(200).shows("Opted out: nothing is sent to them.");
    agent.get("/cases/101").await.shows("Asked by phone");
    let long = "x".repeat(501);
    let refused = agent
        .send(&set, &opt_out, &[("opted_out", "no"), ("reason", &long)])
        .await;
    refused.is(422).shows(&long);
    house.close().await;
}

#[tokio::test]
async fn a_message_that_may_opt_out_is_for_people_to_judge() {
    let house = House::start().await;
    house.receives("Hello").await;
    house.receives("STOP please").await;
    let mut agent = house.signed_in("agent").await;
    agent.get("/").await.shows("May want to opt out");
    let case = agent.get("/cases/101").await;
    case.shows("The contact may want to opt out of SMS.");
    let opt_out = format!("{}/opt-out", contact_of(&house).await);
    let settled = agent.send(&case, &opt_out, &[("opted_out", "no")]).await;
    settled
        .is(200)
        .lacks("The contact may want to opt out of SMS.");
    agent.get("/").await.lacks("May want to opt out");
    house.close().await;
}
