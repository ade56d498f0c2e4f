//! A load that repeats as Vonage does, and remembers what it was promised.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use docket_tests::api::Api;
use docket_tests::help_desk::{HelpDesk, OURS, customer};
use docket_tests::waiting::{BOUND, wait_until};
use docket_tests::webhooks::{Webhooks, message_uuid, sms, whatsapp};
use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use reqwest::Method;
use serde_json::json;

/// People who have one case, which their first message makes.
const WITH_ONE_CASE: std::ops::Range<usize> = 1..41;
/// People who have two cases before the load begins.
const WITH_TWO_CASES: std::ops::Range<usize> = 101..109;
/// People who begin a case with each message, and how many each of them begins at most.
const BEGINNERS: std::ops::Range<usize> = 201..999;
const MOST_BEGUN: usize = 90;
/// Messages on their way at once.
const AT_ONCE: usize = 16;
/// How long Vonage waits for an answer here, before it comes again. The real one waits 15 seconds.
const PATIENCE: Duration = Duration::from_secs(1);
/// An agent writes one reply for so many messages.
const MESSAGES_FOR_A_REPLY: usize = 12;

/// Where a message has to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the one case that its sender has.
    OnlyCase(String),
    /// In these.
    Cases(BTreeSet<u64>),
    /// In a case that nothing else stands in.
    NewCase(String),
}

/// A reply that an agent was promised.
#[derive(Clone, Debug)]
pub(crate) struct Replied {
    pub(crate) reference: u64,
    pub(crate) message_id: String,
    pub(crate) text: String,
}

/// The load, and what it was promised.
pub(crate) struct Load {
    webhooks: Webhooks,
    agent: Api,
    draws: RefCell<StdRng>,
    urls: RefCell<Vec<String>>,
    two_cases: Vec<(String, [u64; 2])>,
    begun: Cell<usize>,
    count: Cell<usize>,
    is_over: Cell<bool>,
    /// Where each acknowledged message has to stand, by Vonage's id.
    pub(crate) promised: RefCell<BTreeMap<String, Place>>,
    /// The ids of the last of them, in order.
    latest: RefCell<Vec<String>>,
    pub(crate) replied: RefCell<Vec<Replied>>,
    /// The longest that a webhook took from its first post to its acknowledgement.
    pub(crate) longest: Cell<Duration>,
    /// How many posts were not acknowledged, and so repeated.
    pub(crate) repeated: Cell<usize>,
}

impl Load {
    /// Gets the people ready who have cases before the load begins.
    pub(crate) async fn prepare(desk: &HelpDesk, seed: u64) -> Self {
        let mut two_cases = vec![];
        for n in WITH_TWO_CASES {
            let from = customer(n);
            desk.text(&from, "First subject").await;
            desk.text(&from, "#0 Second subject").await;
            let references = desk.owner.references(&from, "open").await;
            two_cases.push((from, references.try_into().expect("two cases")));
        }
        Self {
            webhooks: desk.installation.webhooks.clone().waiting(PATIENCE),
            agent: desk.owner.clone().waiting(PATIENCE),
            draws: RefCell::new(StdRng::seed_from_u64(seed)),
            urls: RefCell::default(),
            two_cases,
            begun: Cell::new(0),
            count: Cell::new(0),
            is_over: Cell::new(false),
            promised: RefCell::default(),
            latest: RefCell::default(),
            replied: RefCell::default(),
            longest: Cell::default(),
            repeated: Cell::new(0),
        }
    }

    /// Where processes listen from now on.
    pub(crate) fn go_to(&self, urls: Vec<String>) {
        *self.urls.borrow_mut() = urls;
    }

    /// How many messages have been acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.promised.borrow().len()
    }

    /// The ids of the messages that were acknowledged last.
    pub(crate) fn latest(&self) -> Vec<String> {
        let latest = self.latest.borrow();
        latest[latest.len().saturating_sub(500)..].to_vec()
    }

    /// Waits until so many more messages are acknowledged.
    pub(crate) async fn goes_on(&self, more: usize) {
        let enough = self.acknowledged() + more;
        wait_until("more messages are acknowledged", BOUND, async || {
            let so_far = self.acknowledged();
            docket_tests::waiting::expect_that(so_far >= enough, || format!("{so_far} messages"))
        })
        .await;
    }

    /// No further message begins.
    pub(crate) fn end(&self) {
        self.is_over.set(true);
    }

    /// Some number below `bound`.
    pub(crate) fn draw(&self, bound: usize) -> usize {
        self.draws.borrow_mut().random_range(0..bound)
    }

    fn url(&self) -> String {
        let urls = self.urls.borrow();
        urls[self.draw(urls.len())].clone()
    }

    /// Sends until [`end`](Self::end), and then until all is acknowledged that was begun.
    pub(crate) async fn run(&self) {
        let senders: FuturesUnordered<_> = (0..AT_ONCE)
            .map(|_| async {
                while !self.is_over.get() {
                    self.say().await;
                }
            })
            .collect();
        let sending = senders.collect::<Vec<()>>();
        let answering = async {
            while !self.is_over.get() {
                self.answer().await;
            }
        };
        futures_util::join!(sending, answering);
    }

    async fn say(&self) {
        let n = self.count.replace(self.count.get() + 1);
        let (from, text, place) = self.next_message(n);
        let payload = match self.draw(3) {
            0 => whatsapp(&from, OURS, &text),
            _ => sms(&from, OURS, &text),
        };
        // As Vonage at times does, one in eight comes twice at once.
        let times = if self.draw(8) == 0 { 2 } else { 1 };
        let began = Instant::now();
        stream::iter(0..times)
            .for_each_concurrent(2, async |_| {
                let tries = Cell::new(0);
                let url = || {
                    tries.set(tries.get() + 1);
                    self.url()
                };
                self.webhooks.insist(url, &payload).await;
                self.repeated.set(self.repeated.get() + tries.get() - 1);
            })
            .await;
        self.longest.set(self.longest.get().max(began.elapsed()));
        let id = message_uuid(&payload).to_owned();
        self.latest.borrow_mut().push(id.clone());
        self.promised.borrow_mut().insert(id, place);
    }

    fn next_message(&self, n: usize) -> (String, String, Place) {
        match self.draw(20) {
            0 if self.begun.get() < BEGINNERS.len() * MOST_BEGUN => {
                let begun = self.begun.replace(self.begun.get() + 1);
                let from = customer(BEGINNERS.start + begun % BEGINNERS.len());
                let place = Place::NewCase(from.clone());
                (from, format!("#0 Subject {n}"), place)
            }
            1..6 => {
                let (from, [one, other]) = &self.two_cases[self.draw(self.two_cases.len())];
                let (text, cases) = match self.draw(4) {
                    0 => (format!("About #{one}: {n}"), vec![*one]),
                    1 => (format!("(#{other}) {n}"), vec![*other]),
                    2 => (
                        format!("{n} is for #{other} and #{one}."),
                        vec![*one, *other],
                    ),
                    _ => (format!("Message {n}"), vec![*one, *other]),
                };
                (
                    from.clone(),
                    text,
                    Place::Cases(cases.into_iter().collect()),
                )
            }
            _ => {
                let people = WITH_ONE_CASE;
                let from = customer(people.start + self.draw(people.len()));
                let place = Place::OnlyCase(from.clone());
                (from, format!("Message {n}"), place)
            }
        }
    }

    /// An agent writes a reply, and asks with the same key until it is taken.
    async fn answer(&self) {
        let n = self.replied.borrow().len() + 1;
        let due = || self.is_over.get() || self.acknowledged() >= n * MESSAGES_FOR_A_REPLY;
        wait_until("another reply is due", BOUND, async || {
            docket_tests::waiting::expect_that(due(), || "too few messages".to_owned())
        })
        .await;
        let (_, references) = &self.two_cases[self.draw(self.two_cases.len())];
        let reference = references[self.draw(2)];
        let text = format!("Answer {n}.");
        let (path, body) = (
            format!("/cases/{reference}/replies"),
            json!({"text": text, "outside_window": true}),
        );
        let key = format!("answer-{n}");
        let taken = wait_until("the reply is taken", BOUND, async || {
            let agent = self.agent.at(&self.url());
            match agent
                .ask(Method::POST, &path, Some(&body), Some(&key))
                .await
            {
                Ok(answer) if answer.status == 202 => Ok(answer.body),
                Ok(answer) if answer.status == 503 => Err(answer.text),
                Ok(answer) => panic!("a reply was answered {}: {}", answer.status, answer.text),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
        self.replied.borrow_mut().push(Replied {
            reference,
            message_id: taken["message_id"].as_str().expect("an id").to_owned(),
            text,
        });
    }
}
