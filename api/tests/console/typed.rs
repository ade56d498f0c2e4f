//! What people type into forms: read in every spelling, and never cut or lost.

use crate::support::House;

#[tokio::test]
async fn numbers_are_read_in_every_spelling_and_refused_with_the_right_form() {
    let house = House::start().await;
    let mut agent = house.signed_in("agent").await;
    let line = house.line.to_string();
    let page = agent.get("/cases/new").await;
    for (number, said) in [
        (
            "07700 900124",
            "The number begins with 0 and so has no country code",
        ),
        ("+44 (0)7700 900124", "write it as +44 7700 900124."),
        ("+4407700900124", "write it as +44 7700 900124."),
        ("\u{200b}", "The number is missing"),
    ] {
        let fields = [
            ("line", line.as_str()),
            ("number", number),
            ("text", "We have news"),
        ];
        let refused = agent.send(&page, "/cases", &fields).await;
        refused.is(422).shows(said).shows("We have news</textarea>");
    }
    let pasted = [
        ("line", line.as_str()),
        ("number", "\u{202a}+44 7700 900124\u{202c}"),
        ("text", "We have news"),
    ];
    let begun = agent.send(&page, "/cases", &pasted).await;
    begun
        .is(200)
        .shows("+44 7700 900124")
        .shows("Case created.")
        .lacks("understood as");
    house.close().await;
}

#[tokio::test]
async fn a_national_number_is_shown_as_it_was_understood() {
    let house = House::start().await.in_country("GB");
    let mut owner = house.signed_in("owner").await;
    let line = house.line.to_string();
    let page = owner.get("/cases/new").await;
    let fields = [
        ("line", line.as_str()),
        ("number", "07700 900124"),
        ("text", "News"),
    ];
    owner
        .send(&page, "/cases", &fields)
        .await
        .is(200)
        .shows("+44 7700 900124")
        .shows("understood as +44 7700 900124.");
    let surveys = owner.get("/surveys").await;
    let survey = surveys.link("/surveys/0");
    let form = owner.get("/lines/new").await;
    let fields = [
        ("number", "07700 900001"),
        ("channel", "sms"),
        ("survey", survey.trim_start_matches("/surveys/")),
        ("reply", ""),
    ];
    owner
        .send(&form, "/lines", &fields)
        .await
        .is(200)
        .shows("understood as +44 7700 900001.");
    house.close().await;
}

#[tokio::test]
async fn a_title_that_is_too_long_is_refused_and_kept_in_its_form() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    page.lacks("maxlength");
    let long = "y".repeat(500);
    let refused = agent
        .send(&page, "/cases/101/title", &[("title", &long)])
        .await;
    refused
        .is(422)
        .shows("500 characters; at most 200")
        .shows(&format!("value=\"{long}\""));
    let fine = agent
        .send(
            &refused,
            "/cases/101/title",
            &[("title", "\u{200b}Cafe\u{301} ")],
        )
        .await;
    fine.is(200).shows("Café");
    house.close().await;
}

#[tokio::test]
async fn signing_in_reads_address_and_password_however_they_are_composed() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/users/new").await;
    let fields = [
        ("email", "\u{feff}Zoe\u{308}@example.com\u{200b}"),
        ("role", "agent"),
        ("password", "schlu\u{308}ssel123"),
    ];
    owner.send(&page, "/users", &fields).await.is(200);
    for password in ["schlüssel123", "schlu\u{308}ssel123"] {
        let mut browser = house.browser();
        let page = browser.get("/sign-in").await;
        let fields = [
            ("email", " zoë@example.com\u{200b}"),
            ("password", password),
        ];
        browser
            .send(&page, "/sign-in", &fields)
            .await
            .is(200)
            .shows("zoë@example.com");
    }
    let mut browser = house.browser();
    let page = browser.get("/sign-in").await;
    let fields = [("email", "zoë@example.com"), ("password", "schlussel123")];
    browser.send(&page, "/sign-in", &fields).await.is(401);
    house.close().await;
}
