//! What could not be routed, and routing it again.

use docket::operations::Administrator;
use docket::operations::held::HoldWebhook;
use docket::operations::line::ChangeLine;
use docket_domain::channel::Channel;
use docket_domain::held::{HeldBody, HeldReason, HeldWebhook, WebhookKind};
use docket_domain::ids::{HeldId, LineId};
use docket_domain::line::{LineCommand, LineSettings};
use docket_domain::personal::Personal;
use docket_projections::ledger::operation::Receipt;
use docket_projections::read::{surveys, unrouted};
use serde_json::json;

use crate::support::{Browser, CUSTOMER, House, new_id, wait};

const NEW_NUMBER: &str = "447700900002";

impl House {
    /// A message to a number that is no line; gives the id under which it is kept.
    async fn keeps(&self, to: &str, said: &str) -> HeldId {
        let body = json!({
            "channel": "sms", "message_uuid": new_id(), "to": to, "from": CUSTOMER,
            "timestamp": "2026-03-01T11:59:58Z", "message_type": "text", "text": said,
        });
        self.keeps_body(
            HeldReason::UnknownLine,
            "no sms line has that number",
            Some(to),
            &body.to_string(),
        )
        .await
    }

    async fn keeps_body(
        &self,
        reason: HeldReason,
        detail: &str,
        to: Option<&str>,
        body: &str,
    ) -> HeldId {
        let held_id = HeldId(new_id());
        let operation = HoldWebhook {
            webhook: HeldWebhook {
                held_id,
                kind: WebhookKind::Inbound,
                reason,
                detail: detail.to_owned(),
                provider_id: None,
                to: to.map(|to| Personal(to.to_owned())),
                from: Some(Personal(CUSTOMER.to_owned())),
                body: Personal(HeldBody::Text(body.to_owned())),
            },
            receipt: Receipt {
                kind: "test",
                key: held_id.to_string(),
            },
            request_id: None,
        };
        self.app.ledger.submit(operation).await.unwrap();
        wait(1);
        held_id
    }

    async fn adds_line(&self, number: &str) {
        let survey_id = surveys::all(&self.app.pool).await.unwrap()[0].survey_id;
        let line_id = LineId(new_id());
        let command = LineCommand::Add {
            line_id,
            number: number.to_owned(),
            channel: Channel::Sms,
            settings: LineSettings {
                survey_id,
                multi_case_reply: None,
                automatic: docket_domain::line::AutomaticTexts::default(),
            },
        };
        let change = ChangeLine {
            line_id,
            command,
            by: Administrator::System,
        };
        self.app.ledger.submit(change).await.unwrap();
    }
}

#[tokio::test]
async fn a_kept_message_is_routed_when_its_line_is_there() {
    let house = House::start().await;
    let mut owner = house.signed_in("owner").await;
    owner
        .get("/unrouted")
        .await
        .is(200)
        .shows("Nothing waits here.");
    let held_id = house.keeps(NEW_NUMBER, "Is anybody there?").await;
    let page = owner.get("/unrouted").await;
    page.is(200)
        .shows("Messages to +447700900002: no sms line has that number")
        .shows("Add a line with that number")
        .shows("+44 7700 900123")
        .shows("Is anybody there?");
    let action = format!("/unrouted/{held_id}/route");
    let refused = owner.send(&page, &action, &[]).await;
    refused
        .is(409)
        .shows("role=\"alert\"")
        .shows("add the line first");
    house.adds_line(NEW_NUMBER).await;
    let (to, body) = Browser::filled(&page, &action, &[]);
    let done = owner.post(&to, &body).await;
    done.is(200)
        .shows("1 was routed.")
        .shows("href=\"/cases/101\"")
        .shows("Nothing waits here.");
    owner.get("/cases/101").await.shows("Is anybody there?");
    // The same form once more does nothing and says the same.
    owner.post(&to, &body).await.is(200).shows("1 was routed.");
    owner.get("/cases/102").await.is(404);
    let nowhere = action.replace(&held_id.to_string(), "x");
    owner.post(&nowhere, &body).await.is(404);
    house.close().await;
}

#[tokio::test]
async fn all_of_a_cause_are_routed_in_the_order_in_which_they_came() {
    let house = House::start().await;
    for said in ["First", "Second", "Third"] {
        house.keeps(NEW_NUMBER, said).await;
    }
    let other = house.keeps("447700900003", "To another number").await;
    let broken = house
        .keeps_body(HeldReason::Undecodable, "it is not JSON", None, "<script>")
        .await;
    let mut owner = house.signed_in("owner").await;
    let page = owner.get("/unrouted").await;
    page.shows("It could not be read: it is not JSON")
        .lacks("<script>")
        .shows("Waiting: 3");
    // One form a cause; the one of our number is picked by its field.
    let form = page
        .text
        .split("<form ")
        .find(|form| form.contains(&format!("name=\"to\" value=\"{NEW_NUMBER}\"")))
        .unwrap();
    assert!(form.contains("action=\"/unrouted/route\""));
    let fields = [
        ("kind", "inbound"),
        ("reason", "unknown_line"),
        ("detail", "no sms line has that number"),
        ("to", NEW_NUMBER),
    ];
    let none = owner.send(&page, "/unrouted/route", &fields).await;
    none.is(200)
        .shows("Nothing was routed. 3 could not be, because the cause is still there.");
    house.adds_line(NEW_NUMBER).await;
    let page = owner.get("/unrouted").await;
    let done = owner.send(&page, "/unrouted/route", &fields).await;
    done.is(200).shows("3 were routed.");
    let page = owner.get("/cases/101").await.text;
    let (_, thread) = page.split_once("id=\"log\"").unwrap();
    let place = |said: &str| thread.find(&format!(">{said}<")).unwrap();
    assert!(place("First") < place("Second") && place("Second") < place("Third"));
    // Nothing else was touched.
    let waiting = unrouted::page(&house.app.pool, None, 10).await.unwrap();
    let waiting: Vec<HeldId> = waiting.into_iter().map(|row| row.held_id).collect();
    assert_eq!(waiting, [broken, other]);
    for wrong in [("reason", "no such"), ("kind", "no such")] {
        let page = owner.get("/unrouted").await;
        owner.send(&page, "/unrouted/route", &[wrong]).await.is(404);
    }
    house.close().await;
}

#[tokio::test]
async fn many_are_shown_page_by_page() {
    let house = House::start().await;
    for n in 0..35 {
        house.keeps(NEW_NUMBER, &format!("Message {n:02}")).await;
    }
    let mut auditor = house.signed_in("auditor").await;
    let first = auditor.get("/unrouted").await;
    first
        .is(200)
        .shows("Message 34")
        .shows("Message 05")
        .lacks("Message 04")
        .lacks("/route\"");
    let older = first.link("/unrouted?before=");
    let second = auditor.get(&older).await;
    second
        .shows("Message 04")
        .shows("Message 00")
        .lacks("Message 05")
        .lacks("Older ones");
    auditor.get("/unrouted?before=-1.x").await.is(200);
    house.close().await;
}
