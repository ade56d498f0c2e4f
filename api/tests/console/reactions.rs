//! How reactions are shown.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{CUSTOMER, House, OUR_NUMBER, new_id};

const HELLO: Uuid = Uuid::from_u128(0xf1);

fn message(provider_id: Uuid, second: u32) -> Value {
    json!({
        "channel": "sms", "message_uuid": provider_id, "to": OUR_NUMBER, "from": CUSTOMER,
        "timestamp": format!("2026-03-01T11:59:{second:02}Z"), "profile": {"name": "Jane <Doe>"},
    })
}

fn reaction(to: Uuid, second: u32, reaction: &Value) -> Value {
    let mut body = message(new_id(), second);
    body["message_type"] = json!("reaction");
    body["reaction"] = reaction.clone();
    body["context"] = json!({"message_uuid": to});
    body
}

#[tokio::test]
async fn a_reaction_is_shown_on_its_message_with_who_and_when_and_is_taken_off() {
    let house = House::start().await;
    let mut hello = message(HELLO, 10);
    hello["message_type"] = json!("text");
    hello["text"] = json!("Hello");
    house.receives_json(&hello).await;
    let mut browser = house.signed_in("agent").await;
    browser.get("/cases/101").await.lacks("class=\"reaction\"");

    let thumb = json!({"action": "react", "emoji": "👍"});
    house.receives_json(&reaction(HELLO, 20, &thumb)).await;
    browser
        .get("/cases/101")
        .await
        .shows("class=\"reaction\" title=\"Jane &#60;Doe&#62; reacted with 👍, ")
        .shows("<bdi class=\"emoji\">👍</bdi>")
        .shows("datetime=\"2026-03-01T11:59:20");
    let history = browser.get("/cases/101/history").await;
    history.shows("reacted with 👍 to message …");

    let off = json!({"action": "unreact"});
    house.receives_json(&reaction(HELLO, 30, &off)).await;
    let page = browser.get("/cases/101").await;
    page.lacks("class=\"reaction\"");
    let history = browser.get("/cases/101/history").await;
    history.shows("took the reaction to message …");

    let unknown = reaction(Uuid::from_u128(0xf9), 40, &thumb);
    house.receives_json(&unknown).await;
    let page = browser.get("/cases/101").await;
    page.shows("reacted with 👍 to an unknown message");
    house.close().await;
}

#[tokio::test]
async fn a_reference_that_is_not_theirs_is_told() {
    let house = House::start().await;
    house.receives("Hello").await;
    house.receives("About #555").await;
    let mut browser = house.signed_in("agent").await;
    browser.get("/cases/101").await.shows("#555 is not theirs");
    let history = browser.get("/cases/101/history").await;
    history.shows("a reference in it is not one of theirs");
    house.close().await;
}
