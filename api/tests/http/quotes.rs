//! Where a message goes that quotes one of ours, whatever way Vonage's id of ours became known.

use docket::operations::delivery::{BeginSending, RecordOutcome};
use docket::operations::receive::Received;
use docket::operations::status::{RecordStatus, Recorded};
use docket::vonage::payload::decode_status;
use docket_domain::case::News;
use docket_domain::held::HeldBody;
use docket_domain::ids::{HeldId, MessageId};
use docket_domain::routing::Rule;
use docket_projections::ledger::operation::Answer;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Api, CUSTOMER, OUR_NUMBER, inbound, new_id, text};

/// What Vonage calls the first attempt, and the second.
const FIRST: Uuid = Uuid::from_u128(0xf1);
const SECOND: Uuid = Uuid::from_u128(0xf2);

/// A help desk with a WhatsApp line and a customer who has cases 101 and 102.
struct Desk(Api);

impl Desk {
    async fn open() -> Self {
        let api = Api::start().await;
        let ids = api.set_up().await;
        let line = json!({
            "number": OUR_NUMBER, "channel": "whatsapp", "survey_id": ids.survey, "multi_case_reply": "%s1: %s2",
        });
        api.owner_does("POST", "/lines", &line).await.expect(201);
        let desk = Self(api);
        assert_eq!(desk.says("Hello", None).await, (vec![101], Rule::First));
        let another = desk.says("#0 Another subject", None).await;
        assert_eq!(another, (vec![102], Rule::NewRequested));
        desk
    }

    /// The customer writes by WhatsApp.
    async fn says(&self, said: &str, quoted: Option<Uuid>) -> (Vec<u32>, Rule) {
        let mut body = inbound(new_id(), OUR_NUMBER, said);
        body["channel"] = json!("whatsapp");
        body["message_type"] = json!("text");
        if let Some(quoted) = quoted {
            body["context"] = json!({"message_uuid": quoted, "message_from": OUR_NUMBER});
        }
        match self.0.takes(&body).await {
            Answer::Done(Received::Routed {
                references, rule, ..
            }) => (references.iter().map(|r| r.get()).collect(), rule),
            other => panic!("not routed: {other:?}"),
        }
    }

    /// An agent answers in case 101.
    async fn replies(&self) -> MessageId {
        let reply = json!({"text": "Good morning"});
        let queued = self.0.does("POST", "/cases/101/replies", &reply).await;
        MessageId(text(&queued.expect(202)["message_id"]).parse().unwrap())
    }

    async fn begins(&self, message_id: MessageId, attempt: u32) {
        let begin = BeginSending {
            message_id,
            attempt,
        };
        self.0.app.ledger.submit(begin).await.unwrap();
    }

    async fn ends(&self, message_id: MessageId, attempt: u32, news: News) {
        let outcome = RecordOutcome {
            message_id,
            attempt,
            news,
        };
        self.0.app.ledger.submit(outcome).await.unwrap();
    }

    async fn sends_again(&self, message_id: MessageId) {
        let path = format!("/cases/101/messages/{message_id}/resend");
        self.0.does("POST", &path, &json!({})).await.expect(202);
    }

    /// A status comes: of the attempt that it names, where it names any.
    async fn hears(
        &self,
        message_id: MessageId,
        attempt: Option<u32>,
        provider_id: Uuid,
        status: &str,
    ) -> Recorded {
        let mut body = json!({
            "message_uuid": provider_id, "channel": "whatsapp", "to": CUSTOMER, "from": OUR_NUMBER,
            "timestamp": "2026-03-01T12:00:01Z", "status": status,
        });
        if let Some(attempt) = attempt {
            body["client_ref"] = json!(message_id.client_ref(attempt));
        }
        let body = body.to_string();
        let operation = RecordStatus {
            status: decode_status(body.as_bytes(), docket::ambient::now()).unwrap(),
            body: HeldBody::Text(body),
            held_id: HeldId(new_id()),
            request_id: None,
        };
        match self.0.app.ledger.submit(operation).await.unwrap() {
            Answer::Done(recorded) => recorded,
            other => panic!("not recorded: {other:?}"),
        }
    }

    /// What the thread of a case says of that message.
    async fn message(&self, reference: u32, message_id: MessageId) -> Value {
        let path = format!("/cases/{reference}/thread");
        let thread = self.0.get(&path).await.expect(200);
        let items = thread["items"].as_array().unwrap();
        let found = items
            .iter()
            .find(|item| item["message_id"] == message_id.to_string());
        found.unwrap().clone()
    }

    /// A quote of the message goes to case 101 alone, though there are two.
    #[track_caller]
    fn leads_to_its_case(&self, quoted: Uuid) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let (references, rule) = self.says("Thank you", Some(quoted)).await;
            assert_eq!((references, rule), (vec![101], Rule::Quote), "{caller}");
        }
    }

    async fn close(self) {
        self.0.equals_its_log().await;
        self.0.close().await;
    }
}

fn took(provider_id: Option<Uuid>) -> News {
    News::Sent {
        provider_id: provider_id.map(|id| id.to_string()),
    }
}

fn uncertain() -> News {
    News::Uncertain {
        reason: "no answer".to_owned(),
    }
}

#[tokio::test]
async fn after_an_answer_that_broke_off_any_first_status_tells_the_id() {
    for status in ["submitted", "delivered", "read", "undeliverable"] {
        let desk = Desk::open().await;
        let reply = desk.replies().await;
        desk.begins(reply, 1).await;
        desk.ends(reply, 1, took(None)).await;

        let heard = desk.hears(reply, Some(1), FIRST, status).await;
        assert_eq!(heard, Recorded::News, "{status}");
        desk.leads_to_its_case(FIRST).await;
        let again = desk.hears(reply, Some(1), FIRST, status).await;
        assert_eq!(again, Recorded::NothingNew, "{status}");
        let shown = desk.message(101, reply).await;
        assert_eq!(shown["provider_id"], FIRST.to_string(), "{status}");
        desk.close().await;
    }
}

#[tokio::test]
async fn a_status_that_overtakes_the_answer_tells_the_id() {
    for status in ["delivered", "read"] {
        let desk = Desk::open().await;
        let reply = desk.replies().await;
        desk.begins(reply, 1).await;
        desk.hears(reply, Some(1), FIRST, status).await;
        desk.leads_to_its_case(FIRST).await;

        desk.ends(reply, 1, took(Some(FIRST))).await;
        let late = desk.hears(reply, Some(1), FIRST, "submitted").await;
        assert_eq!(late, Recorded::NothingNew);
        desk.leads_to_its_case(FIRST).await;
        let shown = desk.message(101, reply).await;
        assert_eq!(shown["delivery"]["status"], status);
        assert_eq!(shown["provider_id"], FIRST.to_string());
        desk.close().await;
    }
}

#[tokio::test]
async fn both_copies_of_a_message_that_was_sent_again_can_be_quoted() {
    // The status of the first attempt comes before the second call, while it is under way, or after it.
    for late_by in 0..3 {
        let desk = Desk::open().await;
        let reply = desk.replies().await;
        desk.begins(reply, 1).await;
        desk.ends(reply, 1, uncertain()).await;
        desk.sends_again(reply).await;
        for step in 0..3 {
            if step == late_by {
                let heard = desk.hears(reply, Some(1), FIRST, "submitted").await;
                assert_eq!(heard, Recorded::News);
                desk.leads_to_its_case(FIRST).await;
            }
            match step {
                0 => desk.begins(reply, 2).await,
                1 => desk.ends(reply, 2, took(Some(SECOND))).await,
                _ => {}
            }
        }

        desk.leads_to_its_case(FIRST).await;
        desk.leads_to_its_case(SECOND).await;
        let shown = desk.message(101, reply).await;
        assert_eq!(shown["provider_id"], SECOND.to_string());
        assert_eq!(shown["delivery"]["status"], "sent");
        desk.close().await;
    }
}

#[tokio::test]
async fn a_status_without_our_reference_is_about_the_attempt_that_vonage_calls_so() {
    let desk = Desk::open().await;
    let reply = desk.replies().await;
    desk.begins(reply, 1).await;
    desk.ends(reply, 1, uncertain()).await;
    desk.sends_again(reply).await;
    desk.hears(reply, Some(1), FIRST, "submitted").await;
    desk.begins(reply, 2).await;
    desk.ends(reply, 2, took(Some(SECOND))).await;

    let failed = desk.hears(reply, None, FIRST, "undeliverable").await;
    assert_eq!(failed, Recorded::NothingNew, "the second may still arrive");
    let shown = desk.message(101, reply).await;
    assert_eq!(shown["delivery"]["status"], "sent");
    let arrived = desk.hears(reply, None, FIRST, "delivered").await;
    assert_eq!(arrived, Recorded::News);
    let shown = desk.message(101, reply).await;
    assert_eq!(shown["delivery"]["status"], "delivered");
    assert_eq!(shown["delivery"]["attempt"], 2);
    desk.close().await;
}

#[tokio::test]
async fn a_quote_of_an_automatic_reply_goes_to_the_cases_that_it_stands_in() {
    let desk = Desk::open().await;
    let (all, rule) = desk.says("Hello?", None).await;
    assert_eq!(
        (all.as_slice(), rule),
        ([101, 102].as_slice(), Rule::AllOpen)
    );
    let thread = desk.0.get("/cases/102/thread").await.expect(200);
    let reply = thread["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(reply["author_kind"], "automatic");
    let reply = MessageId(text(&reply["message_id"]).parse().unwrap());
    desk.begins(reply, 1).await;
    desk.ends(reply, 1, took(None)).await;
    desk.hears(reply, Some(1), FIRST, "submitted").await;
    desk.says("#0 A third subject", None).await;

    let quoting = desk.says("That one", Some(FIRST)).await;

    assert_eq!(quoting, (vec![101, 102], Rule::Quote));
    for reference in [101, 102] {
        let shown = desk.message(reference, reply).await;
        assert_eq!(shown["provider_id"], FIRST.to_string());
    }
    desk.close().await;
}
