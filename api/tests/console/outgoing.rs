//! `WhatsApp` templates and automatic texts at the console.

use docket_projections::read::lines;

use crate::replies::{add_whatsapp, receives_by_whatsapp};
use crate::support::{CUSTOMER, House, wait};

const DAY: i64 = 24 * 3_600;

/// A house with a `WhatsApp` line, and a template of it that the owner has added.
async fn with_template() -> House {
    let house = House::start().await;
    let line = add_whatsapp(&house).await.to_string();
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/whatsapp-templates").await;
    page.is(200).shows("There are no templates yet.");
    let fields = [
        ("name", "appointment_reminder"),
        ("locale", "en_GB"),
        ("line", line.as_str()),
        ("body", "Hello {{1}}, we see you on {{3}}."),
    ];
    let refused = owner.send(&page, "/whatsapp-templates", &fields).await;
    refused
        .is(422)
        .shows("must number its parameters")
        .shows("value=\"appointment_reminder\"")
        .shows("we see you on {{3}}.</textarea>");
    let fields = [
        fields[0],
        fields[1],
        fields[2],
        ("body", "Hello {{1}}, we see you on {{2}}."),
    ];
    let saved = owner.send(&refused, "/whatsapp-templates", &fields).await;
    saved.is(200).shows("The templates were saved.");
    house
}

#[tokio::test]
async fn after_a_day_a_template_is_offered_filled_in_and_sent() {
    let house = with_template().await;
    receives_by_whatsapp(&house, 0xb1, "Hello").await;
    wait(DAY);
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    page.shows("WhatsApp takes no free text any more")
        .shows("id=\"templates\" open")
        .shows("Hello {{1}}, we see you on {{2}}.");

    let blank = [("parameter-1", "Ada"), ("parameter-2", " ")];
    let refused = agent.send(&page, "/cases/101/template", &blank).await;
    refused
        .is(422)
        .shows("parameters do not fit")
        .shows("name=\"parameter-1\" value=\"Ada\"");

    let filled = [("parameter-1", "Ada"), ("parameter-2", "Monday")];
    let sent = agent.send(&refused, "/cases/101/template", &filled).await;
    sent.is(200).shows("Hello Ada, we see you on Monday.");

    house.close().await;
}

#[tokio::test]
async fn a_new_case_by_whatsapp_begins_with_a_template() {
    let house = with_template().await;
    let all = lines::all(&house.app.pool).await.unwrap();
    let line = all.iter().find(|line| line.channel.as_str() == "whatsapp");
    let line = line.unwrap().line_id.to_string();
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/new").await;
    let text = [
        ("line", line.as_str()),
        ("number", CUSTOMER),
        ("text", "Hello"),
    ];
    let refused = agent.send(&page, "/cases", &text).await;
    refused
        .is(409)
        .shows("WhatsApp takes no free text now")
        .shows(">Hello</textarea>");
    let option = refused.text.split("<option value=\"").find_map(|option| {
        let (value, rest) = option.split_once('"')?;
        let label = rest.split("</option>").next()?;
        label.contains("appointment_reminder").then_some(value)
    });
    let template = option.unwrap().to_owned();
    let fields = [
        text[0],
        text[1],
        ("text", ""),
        ("template", template.as_str()),
        ("parameters", "Ada\r\nMonday"),
    ];
    let begun = agent.send(&refused, "/cases", &fields).await;
    begun.is(200).shows("Hello Ada, we see you on Monday.");
    house.close().await;
}

#[tokio::test]
async fn automatic_texts_are_set_and_named_in_the_thread() {
    let house = House::start().await;
    let path = format!("/lines/{}/automatic", house.line);
    let mut owner = house.signed_in("owner").await;
    let page = owner.get(&path).await;
    let half = [
        ("greeting", "Your case is %ref."),
        ("opens-0", "09:00"),
        ("day-0", "monday"),
        ("closed", "We are closed."),
    ];
    let refused = owner.send(&page, &path, &half).await;
    refused
        .is(422)
        .shows("Each row of the office hours needs")
        .shows("Your case is %ref.</textarea>")
        .shows("value=\"09:00\"");
    let whole = [
        half[0],
        half[1],
        half[2],
        half[3],
        ("closes-0", "17:00"),
        ("opt_out_confirmation", "You get no more messages."),
    ];
    owner.send(&refused, &path, &whole).await.is(200);

    let mut auditor = house.signed_in("auditor").await;
    auditor
        .get(&path)
        .await
        .is(200)
        .shows("Your case is %ref.")
        .shows("Monday 09:00–17:00")
        .shows("You get no more messages.")
        .lacks("<textarea");

    house.receives("Hello").await;
    house.receives("STOP").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    page.shows("Your case is #101.")
        .shows("Automatic greeting")
        .shows("You get no more messages.")
        .shows("Opt-out confirmation");
    house.close().await;
}
