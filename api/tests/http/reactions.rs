//! Reactions: where they stand, how they show, and that they are nothing said.

use docket::operations::receive::Received;
use docket_domain::routing::Rule;
use docket_projections::ledger::operation::Answer;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Api, CUSTOMER, OUR_NUMBER, inbound, new_id};

/// A help desk with a `WhatsApp` line that answers by itself where several cases are open.
struct Desk {
    api: Api,
    survey: String,
}

impl Desk {
    async fn open() -> Self {
        let api = Api::start().await;
        let survey = api.set_up().await.survey;
        let line = json!({
            "number": OUR_NUMBER, "channel": "whatsapp", "survey_id": survey, "multi_case_reply": "%s1: %s2",
        });
        api.owner_does("POST", "/lines", &line).await.expect(201);
        Self { api, survey }
    }

    /// The customer writes; gives the cases and Vonage's id.
    async fn says(&self, said: &str) -> (Vec<u32>, Uuid) {
        let id = new_id();
        let mut body = inbound(id, OUR_NUMBER, said);
        body["channel"] = json!("whatsapp");
        body["message_type"] = json!("text");
        (self.takes(&body).await.expect("it is new").0, id)
    }

    /// The cases, and the rule; nothing where it came before.
    async fn takes(&self, body: &Value) -> Option<(Vec<u32>, Rule)> {
        match self.api.takes(body).await {
            Answer::Done(Received::Routed {
                references, rule, ..
            }) => Some((references.iter().map(|r| r.get()).collect(), rule)),
            Answer::Duplicate => None,
            other => panic!("not routed: {other:?}"),
        }
    }

    /// The customer reacts, or takes a reaction off, that many seconds later.
    async fn reacts(&self, to: Uuid, emoji: Option<&str>, second: u32) -> (Vec<u32>, Rule) {
        let body = reaction(new_id(), to, emoji, second);
        self.takes(&body).await.expect("it is new")
    }

    async fn closes(&self, reference: u32) {
        let path = format!("/cases/{reference}/status");
        let closed = json!({"value": "Resolved"});
        self.api.does("PUT", &path, &closed).await.expect(200);
    }

    async fn items(&self, reference: u32) -> Vec<Value> {
        let path = format!("/cases/{reference}/thread?limit=200");
        let thread = self.api.get(&path).await.expect(200);
        thread["items"].as_array().unwrap().clone()
    }

    /// The emojis on each message of a case.
    async fn shown(&self, reference: u32) -> Vec<Vec<String>> {
        let items = self.items(reference).await;
        let messages = items.iter().filter(|item| item["kind"] == "message");
        messages.map(emojis).collect()
    }

    /// How many answers by itself the desk has written.
    async fn automatic_replies(&self, reference: u32) -> usize {
        let items = self.items(reference).await;
        let automatic = |item: &&Value| item["author_kind"] == "automatic";
        items.iter().filter(automatic).count()
    }

    async fn cases(&self) -> usize {
        let cases = self.api.get("/cases?state=all").await.expect(200);
        cases["items"].as_array().unwrap().len()
    }

    async fn disables_cases(&self) {
        let path = format!("/surveys/{}", self.survey);
        let disabled = json!({"cases_enabled": false});
        let answer = self.api.owner_does("PATCH", &path, &disabled).await;
        answer.expect(200);
    }
}

fn emojis(item: &Value) -> Vec<String> {
    let reactions = item["reactions"].as_array();
    reactions
        .into_iter()
        .flatten()
        .map(|reaction| {
            assert_eq!(reaction["from"], CUSTOMER);
            assert!(reaction["at"].is_string());
            reaction["emoji"].as_str().unwrap().to_owned()
        })
        .collect()
}

fn reaction(id: Uuid, to: Uuid, emoji: Option<&str>, second: u32) -> Value {
    let mut body = inbound(id, OUR_NUMBER, "");
    body.as_object_mut().unwrap().remove("text");
    body["channel"] = json!("whatsapp");
    body["message_type"] = json!("reaction");
    body["timestamp"] = json!(format!("2026-03-01T12:00:{second:02}Z"));
    body["context"] = json!({"message_uuid": to, "message_from": OUR_NUMBER});
    body["reaction"] = match emoji {
        Some(emoji) => json!({"action": "react", "emoji": emoji}),
        None => json!({"action": "unreact"}),
    };
    body
}

#[tokio::test]
async fn a_reaction_stands_beside_its_message_and_says_nothing() {
    let desk = Desk::open().await;
    let (_, first) = desk.says("Hello").await;
    desk.says("#0 Another subject").await;
    let before = desk.api.get("/cases/101").await.expect(200);

    assert_eq!(
        desk.reacts(first, Some("👍"), 1).await,
        (vec![101], Rule::Reaction)
    );
    assert_eq!(desk.shown(101).await, [["👍"]]);
    assert_eq!(desk.shown(102).await, [[""; 0]]);
    let after = desk.api.get("/cases/101").await.expect(200);
    for kept in ["message_count", "last_message_at", "title", "state"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!(desk.automatic_replies(101).await, 0);

    // An agent who has not seen it answers all the same.
    let version = before["version"].as_u64().unwrap();
    let reply = json!({"text": "Good morning", "seen_version": version});
    let sent = desk.api.does("POST", "/cases/101/replies", &reply).await;
    sent.expect(202);

    desk.reacts(first, Some("❤️"), 2).await;
    desk.reacts(first, Some("🙏"), 1).await;
    assert_eq!(desk.shown(101).await[0], ["❤️"], "an older one came late");
    desk.reacts(first, None, 3).await;
    assert!(desk.shown(101).await[0].is_empty());
    desk.api.equals_its_log().await;
}

#[tokio::test]
async fn a_reaction_in_a_closed_case_opens_nothing() {
    let desk = Desk::open().await;
    let (_, first) = desk.says("Hello").await;
    desk.closes(101).await;
    assert_eq!(
        desk.reacts(first, Some("👍"), 1).await,
        (vec![101], Rule::Reaction)
    );
    assert_eq!(desk.cases().await, 1);
    assert_eq!(
        desk.api.get("/cases/101").await.expect(200)["state"],
        "closed"
    );
    assert_eq!(desk.shown(101).await, [["👍"]]);
}

#[tokio::test]
async fn a_reaction_to_an_unknown_message_stands_in_the_open_cases_or_the_newest() {
    let desk = Desk::open().await;
    assert_eq!(
        desk.reacts(new_id(), Some("👍"), 1).await,
        (vec![101], Rule::First),
        "a contact without any case gets one"
    );
    let made = desk.api.get("/cases/101").await.expect(200);
    assert_eq!(
        (&made["title"], &made["message_count"]),
        (&json!("Reaction"), &json!(0))
    );
    assert_eq!(
        desk.reacts(new_id(), Some("👍"), 2).await,
        (vec![101], Rule::OnlyOpen)
    );
    desk.says("#0 Another subject").await;
    assert_eq!(
        desk.reacts(new_id(), Some("🙏"), 3).await,
        (vec![101, 102], Rule::AllOpen)
    );
    assert_eq!(desk.automatic_replies(101).await, 0);
    let items = desk.items(102).await;
    let item = items.last().unwrap();
    assert_eq!(item["kind"], "reaction");
    assert_eq!(item["routed"]["rule"], "all_open");
    assert_eq!(emojis(item), ["🙏"]);
    desk.closes(101).await;
    desk.closes(102).await;
    assert_eq!(
        desk.reacts(new_id(), None, 4).await,
        (vec![102], Rule::Newest)
    );
    assert_eq!(desk.cases().await, 2);
    let items = desk.items(102).await;
    assert_eq!(items.last().unwrap()["reactions"], json!([]));
    desk.api.equals_its_log().await;
}

#[tokio::test]
async fn with_cases_disabled_a_reaction_opens_no_record() {
    let desk = Desk::open().await;
    desk.disables_cases().await;
    let (record, first) = desk.says("Hello").await;
    desk.says("Something else").await;
    assert_eq!(
        desk.reacts(first, Some("👍"), 1).await,
        (record, Rule::Reaction)
    );
    assert_eq!(
        desk.reacts(new_id(), Some("👍"), 2).await,
        (vec![102], Rule::Newest)
    );
    assert_eq!(desk.cases().await, 2);
}

#[tokio::test]
async fn a_reaction_that_is_delivered_again_makes_nothing() {
    let desk = Desk::open().await;
    let (_, first) = desk.says("Hello").await;
    let body = reaction(new_id(), first, Some("👍"), 1);
    assert!(desk.takes(&body).await.is_some());
    let version = desk.api.get("/cases/101").await.expect(200)["version"].clone();
    assert_eq!(desk.takes(&body).await, None);
    assert_eq!(
        desk.api.get("/cases/101").await.expect(200)["version"],
        version
    );
}

#[tokio::test]
async fn a_reaction_goes_with_its_message_and_comes_back() {
    let desk = Desk::open().await;
    desk.says("Hello").await;
    let (_, second) = desk.says("When do you open?").await;
    desk.reacts(second, Some("👍"), 1).await;
    let moved = desk.items(101).await;
    let message_id = moved
        .iter()
        .find(|item| item["text"] == "When do you open?")
        .unwrap()["message_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = |case: u32, what: &str| format!("/cases/{case}/messages/{message_id}/{what}");
    let done = desk.api.does("POST", &path(101, "move"), &json!({})).await;
    assert_eq!(done.expect(200), json!({"reference": 102}));
    assert_eq!(desk.shown(102).await, [["👍"]]);
    assert_eq!(
        desk.reacts(second, Some("❤️"), 2).await,
        (vec![102], Rule::Reaction),
        "it reacts to the message where it stands now"
    );
    let undone = desk
        .api
        .does("POST", &path(102, "undo-move"), &json!({}))
        .await;
    undone.expect(200);
    assert_eq!(desk.shown(101).await, [vec![], vec!["❤️".to_owned()]]);
    desk.api.equals_its_log().await;
}
