//! What the service says, beside what the model says.

use std::collections::{BTreeMap, BTreeSet};

use docket_tests::waiting::{BOUND, wait_until};
use docket_tests::webhooks::message_uuid;
use serde_json::Value;

use super::act::Act;
use super::stack::Stack;
use super::world::{Case, Delivery, Ix, Origin, STATUSES, Stage, Why, World};

impl Delivery {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Uncertain => "uncertain",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

/// Fails where they differ. What a step did has to be seen at once, by every process; what Vonage is to be sent takes its time.
pub(crate) async fn compare(stack: &mut Stack, world: &World, process: usize) {
    let reader = 1 - process;
    for contact in &world.done.contacts {
        bind_cases(stack, world, *contact, reader).await;
        let mut differences = differences(stack, world, *contact, reader).await;
        if let (
            false,
            Act::Post {
                posts,
                at_once: true,
            },
        ) = (differences.is_empty(), &world.done.act)
            && let [(one, _), (other, _)] = posts[..]
            && one != other
        {
            stack.swap(one, other);
            differences = self::differences(stack, world, *contact, reader).await;
        }
        assert!(
            differences.is_empty(),
            "after {:?} of step {}:\n{}",
            world.done.act,
            world.now,
            differences.join("\n")
        );
    }
    let unrouted: BTreeSet<String> = world
        .unrouted
        .iter()
        .map(|webhook| message_uuid(&stack.payloads[*webhook]).to_owned())
        .collect();
    assert_eq!(stack.unrouted(reader).await, unrouted, "what is unrouted");
    are_sent(stack, world).await;
    for contact in &world.done.contacts {
        deliveries(stack, world, *contact, reader).await;
        versions(stack, world, *contact, reader).await;
    }
}

/// Compares everything, at both processes.
pub(crate) async fn compare_all(stack: &mut Stack, world: &World) {
    for contact in 0..world.contacts.len() {
        for process in 0..2 {
            let differences = differences(stack, world, contact, process).await;
            assert!(differences.is_empty(), "{}", differences.join("\n"));
            deliveries(stack, world, contact, process).await;
        }
    }
    let simulator = &stack.harness.installation.simulator;
    assert_eq!(
        simulator.accepted().len(),
        stack.accepted,
        "nothing more was sent"
    );
}

fn api(stack: &Stack, process: usize) -> docket_tests::api::Api {
    stack.harness.owner.at(stack.harness.url(process))
}

fn cases_of(world: &World, contact: Ix) -> Vec<Ix> {
    (0..world.cases.len())
        .filter(|ix| world.cases[*ix].contact == contact)
        .collect()
}

async fn rows(stack: &Stack, contact: Ix, process: usize) -> BTreeMap<u64, Value> {
    let path = format!(
        "/cases?state=all&order=reference&survey={}&number={}",
        stack.survey(contact),
        Stack::number(contact)
    );
    let rows = api(stack, process).all(&path).await;
    rows.into_iter()
        .map(|row| (row["reference"].as_u64().unwrap(), row))
        .collect()
}

/// Learns the references of the cases that the step has made.
async fn bind_cases(stack: &mut Stack, world: &World, contact: Ix, process: usize) {
    let new: Vec<Ix> = cases_of(world, contact)
        .into_iter()
        .filter(|ix| {
            stack
                .references
                .get(*ix)
                .is_none_or(|reference| *reference == 0)
        })
        .collect();
    if new.is_empty() {
        return;
    }
    let rows = rows(stack, contact, process).await;
    let unknown: Vec<u64> = rows
        .keys()
        .copied()
        .filter(|reference| !stack.references.contains(reference))
        .collect();
    assert_eq!(
        unknown.len(),
        new.len(),
        "after {:?} of step {} {} new cases were expected, and there are {unknown:?}",
        world.done.act,
        world.now,
        new.len()
    );
    let api = api(stack, process);
    let mut left = unknown;
    for ix in new {
        // Each process has references of its own to give, so their order says nothing. The case's first message tells it apart.
        let mut at = 0;
        if left.len() > 1 {
            for (n, reference) in left.iter().enumerate() {
                if begins_with(stack, world, ix, &api.thread(*reference).await) {
                    at = n;
                }
            }
        }
        let reference = left.remove(at);
        assert!(reference > 100, "references are counted from 101");
        let many = stack.references.len().max(ix + 1);
        stack.references.resize(many, 0);
        stack.titles.resize(many, String::new());
        stack.versions.resize(many, BTreeMap::new());
        stack.references[ix] = reference;
        rows[&reference]["title"]
            .as_str()
            .unwrap()
            .clone_into(&mut stack.titles[ix]);
    }
}

/// Whether the message that a new case begins with is the first that stands in a thread.
fn begins_with(stack: &Stack, world: &World, case: Ix, thread: &[Value]) -> bool {
    let first = world.cases[case].stands.keys().next();
    let webhook = first.and_then(|message| world.messages[*message].webhook);
    let shown = thread.iter().find(|item| item["kind"] == "message");
    webhook.zip(shown).is_some_and(|(webhook, shown)| {
        shown["provider_id"] == message_uuid(&stack.payloads[webhook])
    })
}

/// What differs, deliveries and versions aside.
async fn differences(stack: &mut Stack, world: &World, contact: Ix, process: usize) -> Vec<String> {
    let mut differences = vec![];
    let rows = rows(stack, contact, process).await;
    let cases = cases_of(world, contact);
    let there: BTreeSet<u64> = rows.keys().copied().collect();
    let expected: BTreeSet<u64> = cases.iter().map(|ix| stack.references[*ix]).collect();
    if there != expected {
        return vec![format!("cases {expected:?} were expected, not {there:?}")];
    }
    for ix in cases {
        let reference = stack.references[ix];
        let mut note = |what: &str, expected: String, is: String| {
            if expected != is {
                differences.push(format!(
                    "#{reference}: {what} {expected} was expected, not {is}"
                ));
            }
        };
        let case = &world.cases[ix];
        compare_row(case, &rows[&reference], &mut note);
        let api = api(stack, process);
        let view = api.get(&format!("/cases/{reference}")).await;
        let thread = api.thread(reference).await;
        learn(stack, world, ix, &thread);
        compare_thread(stack, world, ix, &thread, &mut note);
        let notes: Vec<&str> = view["notes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|note| note["text"].as_str())
            .collect();
        note("notes", format!("{:?}", case.notes), format!("{notes:?}"));
        let follows =
            view["links"].as_array().unwrap().iter().find_map(|link| {
                (link["kind"] == "follows").then(|| link["reference"].as_u64())?
            });
        let may_follow: BTreeSet<u64> = case
            .follows
            .iter()
            .map(|ix| stack.references[*ix])
            .collect();
        if follows.is_some_and(|follows| !may_follow.contains(&follows))
            || follows.is_none() != may_follow.is_empty()
        {
            note("follows", format!("{may_follow:?}"), format!("{follows:?}"));
        }
    }
    differences
}

fn compare_row(case: &Case, row: &Value, note: &mut impl FnMut(&str, String, String)) {
    let state = match case.stage {
        Stage::Open => "open",
        Stage::Closed | Stage::Withdrawn => "closed",
    };
    let origin = match case.origin {
        Origin::Message => "message",
        Origin::Record => "record",
        Origin::Agent => "agent",
        Origin::Move(..) => "move",
    };
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    if !case.is_record() {
        note("state", state.to_owned(), text("state"));
        note("status", STATUSES[case.status].to_owned(), text("status"));
    }
    note("origin", origin.to_owned(), text("origin"));
    let is_withdrawn = case.stage == Stage::Withdrawn;
    note(
        "withdrawn",
        is_withdrawn.to_string(),
        row["withdrawn"].to_string(),
    );
    let count = row["message_count"].to_string();
    note("messages", case.stands.len().to_string(), count);
    if let Some(title) = &case.title {
        note("title", title.clone(), text("title"));
    }
    note("number", Stack::number(case.contact), text("number"));
}

/// Learns our ids of the messages that stand in a case.
fn learn(stack: &mut Stack, world: &World, case: Ix, thread: &[Value]) {
    for message in world.cases[case].stands.keys() {
        if let Some(webhook) = world.messages[*message].webhook {
            let uuid = message_uuid(&stack.payloads[webhook]).to_owned();
            let item = thread
                .iter()
                .find(|item| item["provider_id"] == uuid.as_str());
            if let Some(id) = item.and_then(|item| item["message_id"].as_str()) {
                stack.message_ids.insert(*message, id.to_owned());
            }
        } else if !stack.message_ids.contains_key(message) {
            let item = thread.iter().find(|item| {
                let is_known = stack
                    .message_ids
                    .values()
                    .any(|id| item["message_id"] == id.as_str());
                item["author_kind"] == "automatic" && item["kind"] == "message" && !is_known
            });
            if let Some(id) = item.and_then(|item| item["message_id"].as_str()) {
                stack.message_ids.insert(*message, id.to_owned());
            }
        }
    }
}

fn compare_thread(
    stack: &Stack,
    world: &World,
    case: Ix,
    thread: &[Value],
    note: &mut impl FnMut(&str, String, String),
) {
    let shown: BTreeMap<&str, &Value> = thread
        .iter()
        .filter(|item| item["kind"] == "message")
        .map(|item| (item["message_id"].as_str().unwrap(), item))
        .collect();
    let stands = &world.cases[case].stands;
    let id_of = |message: &Ix| {
        stack
            .message_ids
            .get(message)
            .map_or("unknown", String::as_str)
    };
    let expected: BTreeSet<&str> = stands.keys().map(id_of).collect();
    let there: BTreeSet<&str> = shown.keys().copied().collect();
    note("messages", format!("{expected:?}"), format!("{there:?}"));
    for (message, standing) in stands {
        let Some(item) = shown.get(id_of(message)) else {
            continue;
        };
        let known = &world.messages[*message];
        if let Some(why) = &standing.why {
            compare_why(stack, why, &item["routed"], note);
        }
        if known.out.is_some() {
            let sent = item["sent_text"].as_str().unwrap_or_default().to_owned();
            note("sent text", stack.sent_text(world, *message), sent);
            let text = item["text"].as_str().unwrap_or_default().to_owned();
            note("text", stack.text(world, *message), text);
        } else if let Some(webhook) = known.webhook {
            let (said, shown) = (&stack.payloads[webhook]["text"], &item["text"]);
            note("text", said.to_string(), shown.to_string());
        }
        let emoji: Vec<&str> = item["reactions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|reaction| reaction["emoji"].as_str())
            .collect();
        let reaction = Vec::from_iter(known.reaction);
        note("reactions", format!("{reaction:?}"), format!("{emoji:?}"));
    }
    let reactions = thread.iter().filter(|item| item["kind"] == "reaction");
    let expected = world.cases[case].reactions.to_string();
    note(
        "reactions on nothing known",
        expected,
        reactions.count().to_string(),
    );
    let since: Vec<usize> = thread
        .iter()
        .filter(|item| item["kind"] == "message")
        .filter_map(|item| {
            let (message, _) = stack
                .message_ids
                .iter()
                .find(|(_, id)| item["message_id"] == id.as_str())?;
            let is_moved = world.messages[*message].moves > 0;
            stands
                .get(message)
                .filter(|_| !is_moved)
                .map(|standing| standing.since)
        })
        .collect();
    note("in order", "true".to_owned(), since.is_sorted().to_string());
}

fn compare_why(
    stack: &Stack,
    why: &Why,
    routed: &Value,
    note: &mut impl FnMut(&str, String, String),
) {
    if why.rule == "any" {
        return;
    }
    let rule = routed["rule"].as_str().unwrap_or_default();
    note("rule", why.rule.to_owned(), rule.to_owned());
    let cases: BTreeSet<u64> = why.cases.iter().map(|ix| stack.references[*ix]).collect();
    let named: BTreeSet<u64> = routed["references"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect();
    let agree = if why.rule == "follows" {
        named.len() == 1 && named.is_subset(&cases)
    } else {
        named == cases
    };
    if !agree {
        note(
            "cases of the rule",
            format!("{cases:?}"),
            format!("{named:?}"),
        );
    }
    if let Some(foreign) = why.foreign {
        let told = routed["foreign_reference"].as_bool().unwrap_or_default();
        note("foreign reference", foreign.to_string(), told.to_string());
    }
}

/// Waits until Vonage has got what the step sends, and no more.
async fn are_sent(stack: &mut Stack, world: &World) {
    let taken = world.done.sent.iter().filter(|(message, attempt)| {
        let out = world.messages[*message].out.as_ref();
        out.is_some_and(|out| out.taken.contains(attempt))
    });
    let taken: Vec<(Ix, usize)> = taken.copied().collect();
    let enough = stack.accepted + taken.len();
    let harness = std::rc::Rc::clone(&stack.harness);
    let accepted = wait_until("Vonage gets what is sent", BOUND, async || {
        let accepted = harness.installation.simulator.accepted();
        if accepted.len() >= enough {
            Ok(accepted)
        } else {
            Err(format!("{} of {enough} messages", accepted.len()))
        }
    })
    .await;
    assert_eq!(
        accepted.len(),
        enough,
        "no more is sent: {:?}",
        accepted.last()
    );
    // Messages to a contact go out in the order in which they were recorded, so that those with the same text are told apart.
    let mut new = accepted[stack.accepted..].to_vec();
    for (message, attempt) in taken {
        let (to, text) = (
            Stack::number(world.messages[message].contact),
            stack.sent_text(world, message),
        );
        let at = new
            .iter()
            .position(|accepted| accepted.to == to && accepted.text == text)
            .unwrap_or_else(|| panic!("{text:?} was expected to be sent to {to}, not {new:?}"));
        stack.attempts.insert((message, attempt), new.remove(at));
    }
    stack.accepted = enough;
}

async fn deliveries(stack: &Stack, world: &World, contact: Ix, process: usize) {
    let api = api(stack, process);
    for ix in cases_of(world, contact) {
        let reference = stack.references[ix];
        let expected: BTreeMap<&str, String> = world.cases[ix]
            .stands
            .keys()
            .filter_map(|message| {
                let out = world.messages[*message].out.as_ref()?;
                let delivery = format!("{} {}", out.delivery.as_str(), out.attempt);
                Some((stack.message_ids[message].as_str(), delivery))
            })
            .collect();
        if expected.is_empty() {
            continue;
        }
        let what = format!(
            "deliveries in #{reference} are {expected:?} after {:?}",
            world.done.act
        );
        wait_until(&what, BOUND / 4, async || {
            let shown = api.messages(reference, "outbound").await;
            let shown: BTreeMap<&str, String> = shown
                .iter()
                .map(|item| {
                    let delivery = &item["delivery"];
                    let status = delivery["status"].as_str().unwrap();
                    let text = format!("{status} {}", delivery["attempt"]);
                    (item["message_id"].as_str().unwrap(), text)
                })
                .collect();
            docket_tests::waiting::expect_that(shown == expected, || format!("{shown:?}"))
        })
        .await;
    }
}

/// A case's version grows with what happens in it, and with nothing else.
async fn versions(stack: &mut Stack, world: &World, contact: Ix, process: usize) {
    let rows = rows(stack, contact, process).await;
    for ix in cases_of(world, contact) {
        let reference = stack.references[ix];
        let version = rows[&reference]["version"].as_u64().unwrap();
        let before = stack.versions[ix]
            .values()
            .next_back()
            .copied()
            .unwrap_or(0);
        let has_changed = world.cases[ix].changed == world.now;
        let may_grow = matches!(world.done.act, Act::News { .. });
        let is_right = if has_changed {
            version > before
        } else {
            version == before || (may_grow && version > before)
        };
        assert!(
            is_right,
            "#{reference} was at version {before} and is at {version} after {:?}; has it changed: {has_changed}",
            world.done.act
        );
        stack.versions[ix].insert(world.now, version);
    }
}
