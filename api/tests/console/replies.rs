//! The reply box: what a text takes, WhatsApp's window, and who else is at it.

use docket::operations::Administrator;
use docket::operations::line::ChangeLine;
use docket_domain::channel::Channel;
use docket_domain::ids::LineId;
use docket_domain::line::{LineCommand, LineSettings};
use docket_projections::connect::connect_options;
use docket_projections::ledger::{Ledger, LedgerOptions};
use docket_projections::read::surveys;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Browser, CUSTOMER, House, OUR_NUMBER, Page, new_id, wait};

const HOUR: i64 = 3_600;

/// A line for WhatsApp beside the one for SMS.
pub(crate) async fn add_whatsapp(house: &House) -> LineId {
    add_line(house, Channel::Whatsapp).await
}

async fn add_line(house: &House, channel: Channel) -> LineId {
    let line_id = LineId(new_id());
    let survey = &surveys::all(&house.app.pool).await.unwrap()[0];
    let command = LineCommand::Add {
        line_id,
        number: OUR_NUMBER.to_owned(),
        channel,
        settings: LineSettings {
            survey_id: survey.survey_id,
            multi_case_reply: None,
            automatic: docket_domain::line::AutomaticTexts::default(),
        },
    };
    change_line(house, line_id, command).await;
    line_id
}

async fn change_line(house: &House, line_id: LineId, command: LineCommand) {
    let by = Administrator::System;
    let change = ChangeLine {
        line_id,
        command,
        by,
    };
    house.app.ledger.submit(change).await.unwrap();
}

pub(crate) async fn receives_by_whatsapp(house: &House, uuid: u128, text: &str) {
    house
        .receives_json(&json!({
            "channel": "whatsapp", "message_uuid": Uuid::from_u128(uuid), "to": OUR_NUMBER, "from": CUSTOMER,
            "timestamp": "2026-03-01T11:59:58Z", "message_type": "text", "text": text, "context_status": "none",
            "profile": {"name": "Ada <Invented>"},
        }))
        .await;
}

#[tokio::test]
async fn a_refused_draft_is_counted_with_its_reference() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    page.shows("data-appended=\" #101\"")
        .shows("data-limit=\"1000\"")
        .shows("<span class=\"counted\"></span>");
    let text = "a".repeat(996);
    let refused = agent
        .send(
            &page,
            "/cases/101/write",
            &[("as", "reply"), ("text", &text)],
        )
        .await;
    refused
        .is(422)
        .shows(&text)
        .shows("7 SMS · 70 characters left in the last")
        .shows("It is 1 characters too long: at most 1000 can be sent at once");
    // A note is sent to nobody and counted by nobody.
    let note = [("as", "note"), ("text", "")];
    agent
        .send(&page, "/cases/101/write", &note)
        .await
        .is(422)
        .shows("<span class=\"counted\"></span>");
    house.close().await;
}

#[tokio::test]
async fn the_window_of_whatsapp_is_counted_down_and_its_end_explained() {
    let house = House::start().await;
    add_whatsapp(&house).await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    agent.get("/cases/101").await.lacks("id=\"window\"");
    receives_by_whatsapp(&house, 0xb1, "Now by WhatsApp").await;
    wait(HOUR);
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    page.shows("WhatsApp: free replies until")
        .shows("<span class=\"left\">22 h 59 min</span>")
        .shows("data-ends=\"2026-03-02T11:59:58+00:00\"")
        .shows("data-limit=\"4096\"")
        .shows("id=\"window-over\" hidden")
        .shows("data-channel=\"whatsapp\"");
    wait(23 * HOUR);
    let page = agent.get("/cases/101").await;
    page.lacks("id=\"window-over\" hidden")
        .shows("WhatsApp takes no free text any more");
    let reply = [("as", "reply"), ("text", "Too late?")];
    let page = agent.send(&page, "/cases/101/write", &reply).await;
    page.is(409)
        .shows("WhatsApp takes no free text now")
        .shows(">Too late?</textarea>");
    // It can be tried all the same.
    let reply = [reply[0], reply[1], ("outside_window", "yes")];
    agent
        .send(&page, "/cases/101/write", &reply)
        .await
        .is(200)
        .shows("Waits: sending is not set up yet");
    // Whoever writes by SMS is answered by SMS, where there is no window.
    wait(1);
    house.receives("And by SMS").await;
    agent
        .get("/cases/101")
        .await
        .lacks("id=\"window\"")
        .shows("data-channel=\"sms\"");
    house.close().await;
}

#[tokio::test]
async fn a_case_begun_by_whatsapp_has_no_window_yet() {
    let house = House::start().await;
    let line = add_whatsapp(&house).await.to_string();
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/new").await;
    let fields = [
        ("line", line.as_str()),
        ("number", "+44 7700 900124"),
        ("text", "We have news"),
        ("title", ""),
        ("outside_window", "yes"),
    ];
    agent
        .send(&page, "/cases", &fields[..4])
        .await
        .is(409)
        .shows("WhatsApp takes no free text now");
    agent
        .send(&page, "/cases", &fields)
        .await
        .is(200)
        .shows("The person has not written by WhatsApp yet");
    house.close().await;
}

#[tokio::test]
async fn the_reply_box_names_the_line_that_takes_a_removed_ones_place() {
    const GONE: &str =
        "The line that this person wrote to was removed, so no reply can be sent. Ask an owner";
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    page.shows("From +44 7700 900000 · SMS · ends with #101");
    change_line(&house, house.line, LineCommand::Remove).await;
    let page = agent.get("/cases/101").await;
    page.shows(GONE)
        .shows("+44 7700 900000 (SMS), removed</dd>")
        .lacks("From +44")
        .lacks("ends with #")
        .lacks(&house.line.to_string());
    let reply = [("as", "reply"), ("text", "Hi")];
    let page = agent.send(&page, "/cases/101/write", &reply).await;
    page.is(409)
        .shows(GONE)
        .shows("The line that the contact last wrote to was removed");

    // The number is added anew, which makes another line.
    add_line(&house, Channel::Sms).await;
    let page = agent.get("/cases/101").await;
    page.shows("From +44 7700 900000 · SMS").lacks(GONE);
    let page = agent.send(&page, "/cases/101/write", &reply).await;
    page.is(200).shows("Waits: sending is not set up yet");

    // One that is gone is replaced by one of its own channel, and by no other.
    let whatsapp = add_whatsapp(&house).await;
    wait(1);
    receives_by_whatsapp(&house, 0xb3, "Now by WhatsApp").await;
    let from = async |agent: &mut Browser, channel: &str, said: &str| {
        let page = agent.get("/cases/101").await;
        page.shows(&format!("From +44 7700 900000 · {said}"))
            .shows(&format!("data-channel=\"{channel}\""));
    };
    from(&mut agent, "whatsapp", "WhatsApp").await;
    change_line(&house, whatsapp, LineCommand::Remove).await;
    agent.get("/cases/101").await.shows(GONE);
    add_whatsapp(&house).await;
    from(&mut agent, "whatsapp", "WhatsApp").await;
    house.close().await;
}

#[tokio::test]
async fn the_reply_box_knows_what_another_process_has_set() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    page.shows("From +44 7700 900000 · SMS");

    let connect = connect_options(&house.database.url).unwrap();
    let options = LedgerOptions::new(house.app.clock);
    let other = Ledger::start(connect, options).await.unwrap();
    let removal = ChangeLine {
        line_id: house.line,
        command: LineCommand::Remove,
        by: Administrator::System,
    };
    other.submit(removal).await.unwrap();
    let page = agent.get("/cases/101").await;
    page.shows("was removed, so no reply can be sent")
        .lacks("From +44");
    other.close().await;
    house.close().await;
}

#[tokio::test]
async fn whoever_begins_a_case_on_a_line_that_was_removed_meanwhile_is_asked_for_another() {
    let house = House::start().await;
    add_whatsapp(&house).await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/new").await;
    let line = house.line.to_string();
    let fields = [
        ("line", line.as_str()),
        ("number", "+44 7700 900124"),
        ("text", "We have news"),
        ("title", ""),
    ];
    change_line(&house, house.line, LineCommand::Remove).await;
    agent
        .send(&page, "/cases", &fields)
        .await
        .is(422)
        .shows("Choose the line to write from.")
        .shows("We have news")
        .lacks("GET /api");
    house.close().await;
}

#[tokio::test]
async fn people_are_shown_by_the_name_that_they_gave() {
    let house = House::start().await;
    add_whatsapp(&house).await;
    receives_by_whatsapp(&house, 0xb2, "Hello").await;
    let mut agent = house.signed_in("agent").await;
    agent
        .get("/")
        .await
        .shows("<strong dir=\"auto\">Ada &#60;Invented&#62;</strong>");
    house.close().await;
}

#[tokio::test]
async fn a_reply_into_a_closed_case_says_what_will_happen() {
    let house = House::start().await;
    house.receives("Hello").await;
    let mut agent = house.signed_in("agent").await;
    let page = agent.get("/cases/101").await;
    page.shows("data-key=\"e\"").lacks("This case is closed.");
    // The key's own form carries the closing answer.
    let closed = agent.send(&page, "/cases/101/status", &[]).await;
    closed
        .is(200)
        .shows("The case was closed.")
        .shows("Their answer will open a new case.")
        .lacks("data-key=\"e\"");
    let reply = [("as", "reply"), ("text", "One more thing")];
    agent
        .send(&closed, "/cases/101/write", &reply)
        .await
        .is(200)
        .shows("Your reply is on its way.");
    house.close().await;
}

#[tokio::test]
async fn a_reply_can_close_the_case() {
    let house = House::start().await;
    let (reference, _) = house.receives("Are you open?").await;
    let mut agent = house.signed_in("agent").await;
    let path = format!("/cases/{reference}");
    let action = format!("{path}/write");
    let page = agent.get(&path).await;
    page.shows("Send and close");
    let fields = [
        ("as", "reply"),
        ("text", "Yes, until five"),
        ("then", "close"),
    ];
    let (to, body) = Browser::filled(&page, &action, &fields);
    let closed = agent.post(&to, &body).await;
    closed
        .is(200)
        .shows("Your reply is on its way, and the case was closed.")
        .shows("Yes, until five")
        .lacks("Send and close");
    // Sent twice, it is done once.
    let again = agent.post(&to, &body).await;
    let said = |page: &Page| page.text.matches("Yes, until five").count();
    assert_eq!(said(&again), said(&closed));
    let undone = agent
        .send(&closed, &format!("{path}/status"), &[("value", "New")])
        .await;
    undone.is(200).shows("Send and close");

    // What is refused closes nothing, and a note never does.
    house.receives("Hello?").await;
    let refused = agent.send(&undone, &action, &fields).await;
    refused.is(409).shows("Send and close");
    let fields = [("as", "note"), ("text", "Friendly"), ("then", "close")];
    let noted = agent.send(&refused, &action, &fields).await;
    noted
        .is(200)
        .shows("The note was added.")
        .shows("Send and close");
    house.close().await;
}
