//! The real stack: two processes on one database, to which a step is done.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use docket::simulator::{AcceptedMessage, Fault};
use docket_tests::api::{Answer, Api};
use docket_tests::docket::Docket;
use docket_tests::installation::Installation;
use docket_tests::log;
use docket_tests::webhooks::{self, message_uuid, new_message_uuid, quoting, sms, whatsapp};
use reqwest::Method;
use serde_json::{Value, json};

use super::act::{Act, Expected, Fate};
use super::text::render;
use super::world::{Ix, Kind, LINES, PEOPLE, Quotes, STATUSES, SURVEYS, Webhook, World};

/// What the lines answer contacts with several open cases.
pub(crate) const AUTOMATIC: &str = "%s1 cases are open: %s2";

/// Two processes on one database.
pub(crate) struct Harness {
    pub(crate) installation: Installation,
    pub(crate) dockets: [Docket; 2],
    pub(crate) owner: Api,
}

impl Harness {
    pub(crate) async fn open() -> Self {
        let mut installation = Installation::new().await;
        installation.set("DOCKET_VONAGE_RATE", "500");
        let dockets = [installation.serve().await, installation.serve().await];
        let owner = installation.owner(&dockets[0]).await;
        Self {
            installation,
            dockets,
            owner,
        }
    }

    pub(crate) fn url(&self, process: usize) -> &str {
        self.dockets[process].url()
    }

    pub(crate) async fn close(self) {
        let [one, other] = self.dockets;
        one.stop().await;
        other.stop().await;
        log::assert_sound(&self.installation.pool).await;
        self.installation.close().await;
    }
}

/// What a run of steps has made on the real stack.
pub(crate) struct Stack {
    pub(crate) harness: Rc<Harness>,
    /// Of our numbers, those that this run has.
    numbers: [String; SURVEYS],
    surveys: Vec<String>,
    lines: [Option<String>; LINES.len()],
    /// The webhooks as they are posted.
    pub(crate) payloads: Vec<Value>,
    /// The references of the cases.
    pub(crate) references: Vec<u64>,
    pub(crate) titles: Vec<String>,
    /// The versions of the cases after the steps that changed them.
    pub(crate) versions: Vec<BTreeMap<usize, u64>>,
    /// Our ids of the messages.
    pub(crate) message_ids: BTreeMap<Ix, String>,
    /// The attempts that Vonage has taken.
    pub(crate) attempts: BTreeMap<(Ix, usize), AcceptedMessage>,
    pub(crate) accepted: usize,
}

impl Stack {
    /// Surveys and lines of its own, and so contacts of its own. `run` counts the runs on this database.
    pub(crate) async fn open(harness: Rc<Harness>, run: usize) -> Self {
        let numbers = [0, 1].map(|n| format!("447700900{:03}", (2 * run + n) % 900));
        let mut surveys = vec![];
        for n in 0..SURVEYS {
            let survey = json!({
                "name": format!("Survey {run}.{n}"),
                "cases_enabled": true,
                "status": {"question": "How far is it?", "choices": STATUSES, "closed_value": STATUSES[2]},
                "append_reference": n == 0,
            });
            let added = harness.owner.post("/surveys", &survey).await.expect(201);
            surveys.push(added["id"].as_str().expect("an id").to_owned());
        }
        let accepted = harness.installation.simulator.accepted().len();
        let mut this = Self {
            harness,
            numbers,
            surveys,
            lines: [const { None }; LINES.len()],
            payloads: vec![],
            references: vec![],
            titles: vec![],
            versions: vec![],
            message_ids: BTreeMap::new(),
            attempts: BTreeMap::new(),
            accepted,
        };
        for line in 0..LINES.len() {
            this.toggle_line(line, 0).await;
        }
        this
    }

    /// Takes the lines away, so that a later run can have the numbers.
    pub(crate) async fn close(mut self) {
        for line in 0..LINES.len() {
            if self.lines[line].is_some() {
                self.toggle_line(line, 0).await;
            }
        }
    }

    pub(crate) fn survey(&self, contact: Ix) -> &str {
        &self.surveys[World::survey_of(contact)]
    }

    pub(crate) fn number(contact: Ix) -> String {
        format!("447700900{:03}", 999 - World::person_of(contact) % PEOPLE)
    }

    fn api(&self, process: usize) -> Api {
        self.harness.owner.at(self.harness.url(process))
    }

    async fn toggle_line(&mut self, line: usize, process: usize) {
        let (survey, is_whatsapp, answers) = LINES[line];
        let api = self.api(process);
        if let Some(id) = self.lines[line].take() {
            let path = format!("/lines/{id}");
            let answer = api.ask(Method::DELETE, &path, None, None).await.unwrap();
            assert!(answer.status < 300, "{}", answer.text);
            return;
        }
        let channel = if is_whatsapp { "whatsapp" } else { "sms" };
        let reply = answers.then_some(AUTOMATIC);
        let id = api
            .add_line(&self.surveys[survey], &self.numbers[survey], channel, reply)
            .await;
        self.lines[line] = Some(id);
    }

    /// The webhook as Vonage posts it.
    fn payload(&self, world: &World, webhook: &Webhook) -> Value {
        let from = Self::number(webhook.contact);
        let to = &self.numbers[LINES[webhook.line].0];
        let text = match &webhook.kind {
            Kind::Text(text) => render(text, |ix| self.references[ix]),
            Kind::Reaction(_) => String::new(),
        };
        let mut payload = if LINES[webhook.line].1 {
            whatsapp(&from, to, &text)
        } else {
            sms(&from, to, &text)
        };
        let quoted = match webhook.quotes {
            Quotes::Nothing => None,
            Quotes::Unknown => Some(new_message_uuid()),
            Quotes::Message(message) => self.uuid(world, message),
        };
        if let Some(quoted) = quoted {
            payload = quoting(payload, &quoted);
        }
        if let Kind::Reaction(emoji) = webhook.kind {
            payload["message_type"] = json!("reaction");
            payload["reaction"] = match emoji {
                Some(emoji) => json!({"action": "react", "emoji": emoji}),
                None => json!({"action": "unreact"}),
            };
            payload
                .as_object_mut()
                .expect("a payload is an object")
                .remove("text");
        }
        payload
    }

    /// What Vonage calls a message.
    fn uuid(&self, world: &World, message: Ix) -> Option<String> {
        let known = &world.messages[message];
        match (&known.webhook, &known.out) {
            (Some(webhook), _) => Some(message_uuid(&self.payloads[*webhook]).to_owned()),
            (_, Some(out)) => {
                let accepted = self.attempts.get(&(message, out.attempt))?;
                Some(accepted.message_uuid.clone())
            }
            _ => None,
        }
    }

    /// What a text of ours is when it is sent.
    pub(crate) fn sent_text(&self, world: &World, message: Ix) -> String {
        let out = world.messages[message]
            .out
            .as_ref()
            .expect("it is outbound");
        match out.appended {
            Some(case) => format!("{} #{}", self.text(world, message), self.references[case]),
            None => self.text(world, message),
        }
    }

    /// A text of ours as it was written.
    pub(crate) fn text(&self, world: &World, message: Ix) -> String {
        let out = world.messages[message]
            .out
            .as_ref()
            .expect("it is outbound");
        if !out.is_automatic {
            return out.text.clone();
        }
        let mut cases: Vec<(u64, &str)> = out
            .about
            .iter()
            .map(|ix| (self.references[*ix], self.titles[*ix].as_str()))
            .collect();
        cases.sort_unstable();
        let list: Vec<String> = cases
            .iter()
            .map(|(reference, title)| format!("#{reference}: {title}"))
            .collect();
        AUTOMATIC
            .replace("%s1", &cases.len().to_string())
            .replace("%s2", &list.join(", "))
    }

    fn version_at(&self, case: Ix, step: usize) -> u64 {
        self.versions[case]
            .range(..=step)
            .next_back()
            .map_or(1, |(_, version)| *version)
    }

    /// Does to the service what the last step was; gives the process that did it.
    pub(crate) async fn act(&mut self, world: &World) -> usize {
        let faults = world.done.sent.iter().map(|_| match world.done.fate {
            Fate::Taken => Fault::NoStatuses,
            Fate::TakenSilently => Fault::CutAfterAccept,
            Fate::Refused => Fault::status(422),
        });
        // What Vonage says of a message that it has taken is a step of its own; here its statuses go nowhere.
        let simulator = &self.harness.installation.simulator;
        simulator.set_docket_url(docket_tests::help_desk::NOBODY);
        simulator.script(faults.collect::<Vec<_>>());
        for webhook in &world.webhooks[self.payloads.len()..] {
            let payload = self.payload(world, webhook);
            self.payloads.push(payload);
        }
        let process = world.now % 2;
        match &world.done.act {
            Act::Nothing => {}
            Act::Post { posts, at_once } => return self.post(posts, *at_once).await,
            Act::ToggleLine(line) => self.toggle_line(*line, process).await,
            Act::ToggleCases(survey) => {
                let path = format!("/surveys/{}", self.surveys[*survey]);
                let change = json!({"cases_enabled": world.enabled[*survey]});
                self.api(process).patch(&path, &change).await.expect(200);
            }
            Act::Route(webhook) => {
                let uuid = message_uuid(&self.payloads[*webhook]);
                let unrouted = self.api(process).all("/unrouted").await;
                let held = unrouted.iter().find(|held| held["provider_id"] == uuid);
                let id = held.expect("it is shown as unrouted")["id"].as_str();
                let path = format!("/unrouted/{}/route", id.expect("an id"));
                let answer = self.api(process).post(&path, &json!({})).await;
                is_answered(world, &answer);
            }
            Act::News { .. } => self.tell(world, process).await,
            act => self.act_as_agent(world, act, process).await,
        }
        process
    }

    async fn post(&self, posts: &[(Ix, usize)], at_once: bool) -> usize {
        let sending = posts.iter().map(async |(webhook, process)| {
            let url = self.harness.url(*process);
            let payload = &self.payloads[*webhook];
            let status = self
                .harness
                .installation
                .webhooks
                .inbound(url, payload)
                .await;
            assert_eq!(status, 200, "{payload}");
        });
        if at_once {
            futures_util::future::join_all(sending).await;
        } else {
            for one in sending {
                one.await;
            }
        }
        posts[0].1
    }

    async fn tell(&self, world: &World, process: usize) {
        let Act::News {
            message,
            attempt,
            word,
            times,
        } = &world.done.act
        else {
            return;
        };
        let accepted = &self.attempts[&(*message, *attempt)];
        let mut status = json!({
            "message_uuid": accepted.message_uuid,
            "client_ref": accepted.client_ref,
            "channel": accepted.channel.as_str(),
            "to": accepted.to,
            "from": accepted.from,
            "timestamp": webhooks::timestamp(),
            "status": word,
        });
        if ["rejected", "undeliverable"].contains(word) {
            status["error"] =
                json!({"type": "https://example.com/1120", "title": "1120", "detail": "refused"});
        }
        for n in 0..*times {
            let url = self.harness.url((process + n) % 2);
            let taken = self
                .harness
                .installation
                .webhooks
                .status(url, &status)
                .await;
            assert_eq!(taken, 200, "{status}");
        }
    }

    async fn act_as_agent(&mut self, world: &World, act: &Act, process: usize) {
        let api = self.api(process);
        let case_path = |case: &Ix| format!("/cases/{}", self.references[*case]);
        let message_path = |case: &Ix, message: &Ix, verb: &str| {
            let id = &self.message_ids[message];
            format!("{}/messages/{id}/{verb}", case_path(case))
        };
        let said = world.messages.len().checked_sub(1);
        let answer = match act {
            Act::Reply {
                case,
                text,
                seen,
                twice,
            } => {
                let seen = seen.map(|step| self.version_at(*case, step));
                // The rules know nothing of WhatsApp's window.
                let body = json!({"text": text, "seen_version": seen, "outside_window": true});
                let path = format!("{}/replies", case_path(case));
                let key = new_message_uuid();
                let answer = ask_with(&api, &path, &body, &key).await;
                if *twice {
                    let again = ask_with(&self.api(1 - process), &path, &body, &key).await;
                    assert_eq!(again.status, answer.status, "{}", again.text);
                    assert_eq!(again.body["message_id"], answer.body["message_id"]);
                }
                answer
            }
            Act::Begin {
                line,
                contact,
                text,
            } => {
                let body = json!({
                    "line_id": self.lines[*line], "number": Self::number(*contact), "text": text, "outside_window": true,
                });
                api.post("/cases", &body).await
            }
            Act::Resend { case, message } => {
                let path = message_path(case, message, "resend");
                api.post(&path, &json!({})).await
            }
            Act::SetStatus { case, status, seen } => {
                let seen = seen.map(|step| self.version_at(*case, step));
                let body = json!({"value": STATUSES[*status], "seen_version": seen});
                api.put(&format!("{}/status", case_path(case)), &body).await
            }
            Act::Note { case, text } => {
                let path = format!("{}/notes", case_path(case));
                api.post(&path, &json!({"text": text})).await
            }
            Act::Move {
                case,
                message,
                to,
                comment,
            } => {
                let to = to.map(|to| self.references[to]);
                let path = message_path(case, message, "move");
                api.post(&path, &json!({"to": to, "comment": comment}))
                    .await
            }
            Act::Undo { case, message } => {
                let path = message_path(case, message, "undo-move");
                api.post(&path, &json!({})).await
            }
            act => unreachable!("{act:?} is not an agent's"),
        };
        is_answered(world, &answer);
        if let (Act::Reply { .. } | Act::Begin { .. }, Expected::Done) = (act, world.done.expected)
        {
            let id = answer.body["message_id"].as_str().expect("an id");
            self.message_ids.insert(said.unwrap(), id.to_owned());
        }
    }

    /// Vonage's ids of what is shown as unrouted and came in this run.
    pub(crate) async fn unrouted(&self, process: usize) -> BTreeSet<String> {
        let ours: BTreeSet<&str> = self.payloads.iter().map(message_uuid).collect();
        let unrouted = self.api(process).all("/unrouted").await;
        unrouted
            .iter()
            .filter_map(|held| held["provider_id"].as_str())
            .filter(|uuid| ours.contains(uuid))
            .map(str::to_owned)
            .collect()
    }

    /// Takes two webhooks that said the same at once for each other: which of them came first is not ours to say.
    pub(crate) fn swap(&mut self, one: Ix, other: Ix) {
        self.payloads.swap(one, other);
    }
}

async fn ask_with(api: &Api, path: &str, body: &Value, key: &str) -> Answer {
    api.ask(Method::POST, path, Some(body), Some(key))
        .await
        .unwrap()
}

fn is_answered(world: &World, answer: &Answer) {
    let act = &world.done.act;
    match world.done.expected {
        Expected::Done => assert!(
            (200..300).contains(&answer.status),
            "{act:?} was refused: {}",
            answer.text
        ),
        Expected::Refused => assert!(
            [404, 409].contains(&answer.status),
            "{act:?} was not refused: {} {}",
            answer.status,
            answer.text
        ),
    }
}
