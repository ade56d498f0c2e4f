//! What people are called, and how they want the console to be.

use docket_domain::ids::{Reference, UserId};
use docket_projections::writing;

use crate::live::next;
use crate::support::{Browser, House, Page, wait};

async fn called(browser: &mut Browser, name: &str) -> Page {
    let page = browser.get("/account").await;
    browser
        .send(&page, "/account/name", &[("name", name)])
        .await
}

#[tokio::test]
async fn colleagues_read_names_in_place_of_addresses() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    called(&mut agent, "Ada Lovelace")
        .await
        .is(200)
        .shows("Your name was saved.")
        .shows("<strong dir=\"auto\">Ada Lovelace</strong>");
    let page = agent.get("/cases/101").await;
    agent
        .send(
            &page,
            "/cases/101/write",
            &[("text", "A note of mine"), ("mode", "note")],
        )
        .await;
    let page = agent.get("/cases/101").await;
    agent
        .send(
            &page,
            "/cases/101/assignee",
            &[("email", "agent@example.com")],
        )
        .await;
    let mut owner = house.signed_in("owner").await;
    for path in ["/", "/cases/101", "/cases/101/history", "/log", "/users"] {
        owner.get(path).await.is(200).shows("Ada Lovelace");
    }
    // Who it was stays at hand where it counts.
    owner.get("/log").await.shows("agent@example.com");
    let user = owner.get("/users").await.link("/users/");
    assert!(!user.is_empty());
    called(&mut agent, "").await.is(200).lacks("Ada Lovelace");
    owner.get("/cases/101").await.lacks("Ada Lovelace");
    house.close().await;
}

#[tokio::test]
async fn a_name_that_is_none_stays_in_its_form() {
    let house = House::start().await;
    let mut agent = house.signed_in("agent").await;
    called(&mut agent, "ada@example.com")
        .await
        .is(422)
        .shows("role=\"alert\"")
        .shows("value=\"ada@example.com\"");
    house.close().await;
}

#[tokio::test]
async fn an_owner_names_somebody_new_and_somebody_known() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let form = owner.get("/users/new").await;
    let fields = [
        ("email", "grace@example.com"),
        ("name", "Grace Hopper"),
        ("role", "agent"),
        ("reach", "all"),
        ("password", "correct horse"),
    ];
    owner
        .send(&form, "/users", &fields)
        .await
        .is(200)
        .shows("<strong dir=\"auto\">Grace Hopper</strong> grace@example.com");
    let list = owner.get("/users").await;
    let card = list.text.split("Grace Hopper").nth(1).unwrap();
    let href = card.split("href=\"").nth(1).unwrap();
    let href = href.split('"').next().unwrap();
    let page = owner.get(href).await;
    page.shows("<h1 dir=\"auto\">Grace Hopper</h1>");
    let action = format!("{href}/name");
    owner
        .send(&page, &action, &[("name", "Grace Brewster Hopper")])
        .await
        .is(200)
        .shows("The name was saved.")
        .shows("<h1 dir=\"auto\">Grace Brewster Hopper</h1>");
    house.close().await;
}

async fn prefers(browser: &mut Browser, fields: &[(&str, &str)]) -> Page {
    let page = browser.get("/account").await;
    browser.send(&page, "/account/preferences", fields).await
}

#[tokio::test]
async fn times_are_shown_in_the_zone_that_a_person_chose() {
    let house = House::start().await;
    house.receives("Hello").await;
    wait(60);
    let mut owner = house.signed_in("owner").await;
    owner
        .get("/cases/101/history")
        .await
        .shows("2026-03-01 12:0")
        .shows("data-zone=\"\"");
    prefers(&mut owner, &[("time_zone", "Asia/Kolkata")])
        .await
        .is(200)
        .shows("Your preferences were saved.")
        .shows("<option value=\"Asia/Kolkata\" selected>");
    for path in ["/cases/101/history", "/log"] {
        owner
            .get(path)
            .await
            .shows("data-zone=\"Asia/Kolkata\"")
            .shows("2026-03-01 17:3")
            .shows(" IST");
    }
    // Another browser of the same person has it too, and another person has not.
    let mut again = house.signed_in("owner").await;
    again.get("/log").await.shows("data-zone=\"Asia/Kolkata\"");
    let mut auditor = house.signed_in("auditor").await;
    auditor.get("/log").await.shows("data-zone=\"\"");
    prefers(&mut owner, &[("time_zone", "Mars/Olympus")])
        .await
        .is(422)
        .shows("role=\"alert\"");
    house.close().await;
}

#[tokio::test]
async fn a_theme_holds_whatever_the_system_asks_for() {
    let house = House::start().await;
    let mut agent = house.signed_in("agent").await;
    agent.get("/").await.shows("/assets/console.css\"");
    prefers(&mut agent, &[("theme", "dark")])
        .await
        .is(200)
        .shows("/assets/console-dark.css\"")
        .shows("content=\"dark\"");
    let dark = agent.get("/assets/console-dark.css").await;
    dark.is(200)
        .shows("color-scheme: dark")
        .shows("@media all {")
        .lacks("prefers-color-scheme");
    prefers(&mut agent, &[("theme", "light")])
        .await
        .shows("/assets/console-light.css\"");
    let light = agent.get("/assets/console-light.css").await;
    light
        .shows("@media not all {")
        .lacks("prefers-color-scheme");
    house.close().await;
}

#[tokio::test]
async fn the_next_case_opens_after_closing_for_those_who_want_it() {
    let house = House::start().await;
    for said in ["First", "#0 Second", "#0 Third"] {
        house.receives(said).await;
        wait(60);
    }
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/103").await;
    let resolved = [("value", "Resolved")];
    agent
        .send(&page, "/cases/103/status", &resolved)
        .await
        .is(200)
        .shows("The case was closed.");
    prefers(&mut agent, &[("next_case", "on")])
        .await
        .shows("name=\"next_case\" value=\"on\" checked");
    // The list has #102 and then #101.
    let page = agent.get("/cases/102").await;
    let next = agent.send(&page, "/cases/102/status", &resolved).await;
    next.is(200)
        .shows("#102 was closed. This is the next case.")
        .shows("data-case=\"101\"");
    assert!(next.at.starts_with("/cases/101?"), "{}", next.at);
    // Undone where it was done.
    agent
        .send(&next, "/cases/102/status", &[])
        .await
        .is(200)
        .shows("data-case=\"102\"")
        .lacks("was closed");
    // The last of the list leads back to its first, and with none left the case stays.
    let page = agent.get("/cases/101").await;
    let next = agent.send(&page, "/cases/101/status", &resolved).await;
    assert!(next.at.starts_with("/cases/102?"), "{}", next.at);
    let page = agent.get("/cases/102").await;
    let last = agent.send(&page, "/cases/102/status", &resolved).await;
    last.is(200).shows("The case was closed.");
    assert!(last.at.starts_with("/cases/102?"), "{}", last.at);
    house.close().await;
}

#[tokio::test]
async fn a_note_mentions_colleagues_until_they_look() {
    let house = House::start().await;
    house.receives("Hello").await;
    house.receives("#0 Another").await;
    let mut owner = house.signed_in("owner").await;
    called(&mut owner, "Grace Hopper").await.is(200);
    owner.get("/?view=mentions").await.lacks("data-case=");
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    let note = [("text", "Would you look, @Grace Hopper?"), ("as", "note")];
    agent.send(&page, "/cases/101/write", &note).await.is(200);
    agent
        .get("/cases/101/history")
        .await
        .shows("The note mentions a colleague");
    let mentions = owner.get("/?view=mentions").await;
    mentions
        .shows("Mentions <span class=\"count\">1</span>")
        .shows("data-case=\"101\"")
        .lacks("data-case=\"102\"");
    owner.get("/cases/101").await.is(200);
    owner
        .get("/?view=mentions")
        .await
        .shows("data-case=\"101\"")
        .lacks("Mentions <span");
    // Who wrote it is mentioned nowhere.
    agent.get("/?view=mentions").await.lacks("data-case=");
    house.close().await;
}

#[tokio::test]
async fn colleagues_see_who_writes() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    called(&mut agent, "Ada Lovelace").await.is(200);
    let owner = house.signed_in("owner").await;
    let mut stream = owner.live("/live?case=101", None).await;
    let page = agent.get("/cases/101").await;
    let csrf = page
        .text
        .split("name=\"csrf\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let said = format!("csrf={csrf}");
    agent.post("/cases/101/writing", &said).await.is(204);
    let told = next(&mut stream).await.unwrap();
    assert!(told.contains("event: presence"), "{told}");
    assert!(told.contains("Ada Lovelace is writing."), "{told}");
    // What was sent is not being written any more.
    agent
        .send(
            &page,
            "/cases/101/write",
            &[("text", "A note"), ("as", "note")],
        )
        .await
        .is(200);
    let app = &house.app;
    let case = [Reference::FIRST];
    let nobody = UserId(uuid::Uuid::nil());
    let writers = writing::others(&app.pool, nobody, &case, (app.clock)())
        .await
        .unwrap();
    assert!(writers.is_empty(), "{writers:?}");
    // A form that is not ours says nothing.
    agent.post("/cases/101/writing", "csrf=x").await.is(403);
    house.close().await;
}

#[tokio::test]
async fn a_browser_is_told_of_what_the_person_chose() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/account").await;
    agent
        .send(
            &page,
            "/account/notifications",
            &[("message", "on"), ("sound", "on")],
        )
        .await
        .is(200)
        .shows("name=\"message\" value=\"on\" checked");
    let page = agent.get("/cases/101").await;
    page.shows("data-notifies");
    agent
        .send(
            &page,
            "/cases/101/assignee",
            &[("email", "agent@example.com")],
        )
        .await;
    let position = *house.app.ledger.head().borrow();
    let mut stream = agent.live(&format!("/live?after={position}"), None).await;
    house.receives("A secret").await;
    let mut told = String::new();
    while !told.contains("event: notice") {
        told = next(&mut stream).await.unwrap();
        assert!(!told.contains("secret"), "{told}");
    }
    assert!(
        told.contains(r#"{"case":101,"sentence":"New message in #101","sound":true}"#),
        "{told}"
    );
    house.close().await;
}

#[tokio::test]
async fn the_log_says_from_where_and_by_which_way() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut owner = house.signed_in("owner").await;
    owner.peer = Some("192.0.2.7".parse().unwrap());
    owner.get("/cases/101").await.is(200);
    house.app.audit.settled().await;
    let log = owner.get("/log?type=CaseViewed").await;
    log.is(200)
        .shows("From address")
        .shows("192.0.2.7")
        .shows("Case #101 was looked at");
    owner
        .get("/log?type=CaseViewed&address=192.0.2.7&via=console&actor=owner@example.com")
        .await
        .shows("Case #101 was looked at");
    for other in [
        "address=192.0.2.8",
        "via=api",
        "token=00000000-0000-0000-0000-000000000001",
    ] {
        owner
            .get(&format!("/log?type=CaseViewed&{other}"))
            .await
            .is(200)
            .lacks("Case #101 was looked at");
    }
    owner
        .get("/log?token=none")
        .await
        .is(400)
        .shows("role=\"alert\"");
    let page = owner.get("/log").await;
    let export = owner
        .send(&page, "/log/export", &[("address", "192.0.2.7")])
        .await;
    export
        .is(200)
        .shows("\"clientaddress\":\"192.0.2.7\"")
        .lacks("MessageReceived");
    house.close().await;
}

#[tokio::test]
async fn health_tells_of_many_views_and_of_exports() {
    let house = House::start().await;
    let mut auditor = house.signed_in("auditor").await;
    auditor
        .get("/health")
        .await
        .shows("Nobody viewed many cases, exported the log or failed to sign in often.");
    let page = auditor.get("/log").await;
    auditor.send(&page, "/log/export", &[]).await.is(200);
    auditor
        .get("/health")
        .await
        .shows("auditor@example.com began an export in the last 24 hours.");
    wait(25 * 3600);
    auditor.get("/health").await.lacks("began an export");
    house.close().await;
}

#[tokio::test]
async fn whose_password_another_set_is_asked_to_choose_their_own() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    owner.get("/").await.lacks("Choose your own password");
    let form = owner.get("/users/new").await;
    let fields = [
        ("email", "grace@example.com"),
        ("role", "agent"),
        ("reach", "all"),
        ("password", "correct horse"),
    ];
    owner.send(&form, "/users", &fields).await.is(200);
    let mut grace = house.browser();
    let page = grace.get("/sign-in").await;
    let signs_in = [
        ("email", "grace@example.com"),
        ("password", "correct horse"),
    ];
    grace
        .send(&page, "/sign-in", &signs_in)
        .await
        .shows("Choose your own password");
    let page = grace.get("/account").await;
    let fields = [
        ("old-password", "correct horse"),
        ("new-password", "battery staple"),
        ("again-password", "battery staple"),
    ];
    grace
        .send(&page, "/account/password", &fields)
        .await
        .is(200)
        .lacks("Choose your own password");
    house.close().await;
}
