//! Deciding a batch, and putting what was decided into one call.
//!
//! Operations that concern the same contact or the same stream are one *part* of the batch: they are decided one after the other, each
//! on what those before it did, and so they are written together or not at all. Parts know nothing of one another.

use std::collections::{BTreeMap, HashMap, HashSet};

use docket_domain::case::CaseEvent;
use docket_domain::contact::ContactState;
use docket_domain::contact::profile::ContactEvent;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, Reference};
use uuid::Uuid;

use super::fill::Kept;
use super::job::Job;
use super::operation::{IdempotencyKey, Needs, Receipt, SecretWrite};
use super::scope::{Aggregate, Loaded, Scope};
use crate::append::{Basis, Call, ContactRow, is_settings};
use crate::log::recorded::{Recorded, UNDATED};
use crate::read::ReadModels;
use crate::read::writes::Writes;
use crate::settings::Settings;

/// What makes two operations one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Shared {
    Contact(ContactId),
    Stream(StreamId),
}

/// What became of an operation before anything was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It was decided, and is answered when its part is written.
    Decided,
    /// Its answer rests on nothing that is to be written.
    Settled,
    /// It is decided in the next attempt: an operation before it in the batch has to be written first.
    Postponed,
}

/// The operations of a batch, decided.
pub(super) struct Decisions<'a> {
    parts: Parts,
    jobs: Vec<Decision<'a>>,
    /// What decisions rest on: contacts and streams before anything was decided.
    bases: HashMap<StreamId, u64>,
}

struct Decision<'a> {
    stage: Stage,
    part: usize,
    rests_on: Vec<Shared>,
    events: Vec<Recorded>,
    secrets: Vec<SecretWrite>,
    key: Option<(&'a IdempotencyKey, String)>,
    receipt: Option<(&'a Receipt, bool)>,
}

/// The parts of a batch. Two that turn out to be one are joined.
#[derive(Default)]
struct Parts {
    parents: Vec<usize>,
    by_shared: HashMap<Shared, usize>,
}

impl Parts {
    fn root(&self, mut part: usize) -> usize {
        while self.parents[part] != part {
            part = self.parents[part];
        }
        part
    }

    fn of(&mut self, shared: &[Shared]) -> usize {
        let part = self.parents.len();
        self.parents.push(part);
        for shared in shared {
            if let Some(other) = self.by_shared.insert(*shared, part) {
                let other = self.root(other);
                self.parents[other] = part;
            }
        }
        part
    }
}

/// What a batch of operations is decided with.
pub(super) struct Circumstances<'a> {
    pub(super) needs: &'a [Needs],
    pub(super) kept: &'a HashMap<(Uuid, String), Kept>,
    pub(super) settings: &'a Settings,
}

/// Decides a batch, operation by operation.
pub(super) fn decide<'a>(
    batch: &mut [Box<dyn Job>],
    circumstances: &Circumstances<'a>,
    loaded: &mut Loaded,
) -> Decisions<'a> {
    let needs = circumstances.needs;
    let streams = needs.iter().flat_map(|needs| needs.streams.iter().copied());
    let owners = loaded.owners.iter();
    let mut bases: HashMap<StreamId, u64> = owners
        .map(|(owner, version)| (StreamId::User(*owner), *version))
        .collect();
    for stream in streams {
        let version = loaded.streams.get(&stream).map_or(0, Aggregate::version);
        bases.insert(stream, version);
    }
    let mut decisions = Decisions {
        parts: Parts::default(),
        jobs: Vec::with_capacity(batch.len()),
        bases,
    };
    let mut taken = Taken::default();
    for (job, needs) in batch.iter_mut().zip(needs) {
        let decision = decisions.decide(job.as_mut(), needs, circumstances, &mut taken, loaded);
        decisions.jobs.push(decision);
    }
    decisions
}

/// The receipts and keys that operations of the batch have taken.
#[derive(Default)]
struct Taken<'a> {
    receipts: HashSet<&'a Receipt>,
    keys: HashSet<(Uuid, &'a str)>,
}

impl<'a> Decisions<'a> {
    fn decide(
        &mut self,
        job: &mut dyn Job,
        needs: &'a Needs,
        circumstances: &Circumstances<'a>,
        taken: &mut Taken<'a>,
        loaded: &mut Loaded,
    ) -> Decision<'a> {
        let rests_on = rests_on(needs, loaded);
        let mut decision = Decision {
            stage: Stage::Postponed,
            part: 0,
            events: vec![],
            secrets: vec![],
            key: None,
            receipt: None,
            rests_on: vec![],
        };
        if let Some(key) = &needs.idempotency
            && let Some(kept) = circumstances.kept.get(&(key.actor, key.key.clone()))
        {
            if kept.fingerprint == key.fingerprint {
                job.set_repeated(&kept.outcome);
            } else {
                job.set_key_reused();
            }
            decision.stage = Stage::Settled;
            return decision;
        }
        let comes_again = needs
            .receipt
            .as_ref()
            .is_some_and(|receipt| taken.receipts.contains(receipt))
            || needs
                .idempotency
                .as_ref()
                .is_some_and(|key| taken.keys.contains(&(key.actor, key.key.as_str())));
        let is_outdated = rests_on.iter().any(|shared| match shared {
            Shared::Contact(id) => loaded.contact(*id).is_some_and(ContactState::is_outdated),
            Shared::Stream(_) => false,
        });
        if comes_again || is_outdated {
            return decision;
        }
        let to_write = job.decide(&Scope {
            loaded,
            settings: circumstances.settings,
            needs,
        });
        if let (Some(key), Some(outcome)) = (&needs.idempotency, to_write.outcome) {
            taken.keys.insert((key.actor, key.key.as_str()));
            decision.key = Some((key, outcome));
        }
        if let Some(receipt) = &needs.receipt
            && !to_write.is_refused
        {
            taken.receipts.insert(receipt);
            decision.receipt = Some((receipt, true));
        } else if let Some(receipt) = &needs.gives
            && !to_write.events.is_empty()
        {
            taken.receipts.insert(receipt);
            decision.receipt = Some((receipt, false));
        }
        let metadata = job.metadata();
        for (stream, event) in to_write.events {
            let sequence = loaded.take_in(stream, &event);
            decision.events.push(Recorded {
                stream,
                sequence,
                event,
                metadata: metadata.clone(),
                recorded_at: UNDATED,
            });
        }
        decision.secrets = to_write.secrets;
        decision.part = self.parts.of(&rests_on);
        decision.rests_on = rests_on;
        decision.stage = Stage::Decided;
        decision
    }

    /// What became of the operation at that place.
    pub(super) fn stage(&self, job: usize) -> Stage {
        self.jobs[job].stage
    }

    /// Puts all of it into one call.
    ///
    /// # Errors
    ///
    /// An event that cannot be written as JSON, as [`sqlx::Error::Encode`].
    pub(super) fn into_call(self, basis: Basis, loaded: &Loaded) -> Result<Planned, sqlx::Error> {
        let mut numbers: HashMap<usize, i32> = HashMap::new();
        let mut parts_of_jobs = Vec::with_capacity(self.jobs.len());
        let mut rests_on: BTreeMap<(i32, Shared), bool> = BTreeMap::new();
        let mut models: BTreeMap<i32, ReadModels> = BTreeMap::new();
        let mut receipts_of_jobs = vec![];
        let mut to_send = HashSet::new();
        let mut opened = vec![];
        let mut call = Call::new(basis);
        for (place, job) in self.jobs.into_iter().enumerate() {
            if job.stage != Stage::Decided {
                parts_of_jobs.push(None);
                continue;
            }
            let next = i32::try_from(numbers.len()).unwrap_or(i32::MAX - 1) + 1;
            let part = *numbers.entry(self.parts.root(job.part)).or_insert(next);
            parts_of_jobs.push(Some(part));
            for shared in job.rests_on {
                rests_on.entry((part, shared)).or_default();
            }
            if let Some((receipt, must_be_new)) = job.receipt {
                call.add_receipt(part, receipt.kind, &receipt.key, must_be_new);
                receipts_of_jobs.push(place);
            }
            if let Some((key, outcome)) = job.key {
                call.add_key(part, (key.actor, &key.key), &key.fingerprint, outcome);
            }
            for secret in job.secrets {
                call.add_statement(part, secret.into_statement());
            }
            for recorded in job.events {
                call.basis.changes_settings |= is_settings(&recorded.event);
                let changed = match recorded.stream {
                    StreamId::Case(reference) => loaded.owner(reference),
                    StreamId::Contact(id) => Some(id),
                    _ => None,
                };
                if let Some(contact) = changed {
                    rests_on.insert((part, Shared::Contact(contact)), true);
                }
                if let Event::Case(CaseEvent::CaseOpened(case)) = &recorded.event {
                    opened.push((part, case.reference));
                }
                if is_to_send(&recorded.event) {
                    to_send.insert(part);
                }
                call.add_event(part, &recorded)?;
                models.entry(part).or_default().apply(&recorded);
            }
        }
        call.basis.parts = i32::try_from(numbers.len()).unwrap_or(i32::MAX);
        let mut contacts = vec![];
        for ((part, shared), changes) in rests_on {
            match shared {
                Shared::Contact(id) => {
                    let Some(contact) = loaded.contact(id) else {
                        continue;
                    };
                    contacts.push((part, id, changes));
                    // Told even where it is as before: `append` takes the earlier of this time and its own, and of no time its own.
                    let last = contact.last_wrote();
                    call.contacts.push(ContactRow {
                        part,
                        contact_id: id.0,
                        survey_id: contact.survey_id.0,
                        number: contact.number.clone(),
                        version: contact.version.cast_signed(),
                        is_new: contact.version == 0,
                        changes,
                        last_wrote_at: last.map(|(at, _)| at),
                        last_line_id: last.map(|(_, line_id)| line_id.0),
                    });
                }
                Shared::Stream(stream) => {
                    let version = self.bases.get(&stream).copied().unwrap_or_default();
                    call.add_stream(part, stream, version);
                }
            }
        }
        for (part, mut models) in models {
            let mut writes = Writes::default();
            models.write(&mut writes);
            call.add_writes(part, writes);
        }
        Ok(Planned {
            call,
            parts_of_jobs,
            to_send,
            opened,
            receipts_of_jobs,
            contacts,
        })
    }
}

/// The contacts and streams that the decision about an operation rests on.
fn rests_on(needs: &Needs, loaded: &Loaded) -> Vec<Shared> {
    let contact = needs.contact.as_ref().and_then(|key| {
        let contact = loaded.contact_by_number(key.survey_id, &key.number)?;
        Some(contact.contact_id)
    });
    let cases = needs
        .cases
        .iter()
        .filter_map(|reference| loaded.owner(*reference));
    let messages = needs.message.iter().flat_map(|key| {
        loaded
            .messages_with_contact(key, needs.contact.as_ref())
            .map(|(id, _)| id)
    });
    let named = needs.contacts.iter().copied();
    let named = named.filter(|id| loaded.contact(*id).is_some());
    let contacts = contact
        .into_iter()
        .chain(named)
        .chain(cases)
        .chain(messages);
    let owners = loaded.owners.keys().filter(|_| needs.owners);
    let owners = owners.map(|owner| Shared::Stream(StreamId::User(*owner)));
    let streams = needs.streams.iter().copied().map(Shared::Stream);
    let mut all: Vec<_> = contacts
        .map(Shared::Contact)
        .chain(streams)
        .chain(owners)
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A call, and which part of it each operation is.
pub(super) struct Planned {
    pub(super) call: Call,
    /// By operation: its part, from 1.
    pub(super) parts_of_jobs: Vec<Option<i32>>,
    /// The parts that give the delivery worker something to do.
    pub(super) to_send: HashSet<i32>,
    /// The cases that begin, each with its part.
    pub(super) opened: Vec<(i32, Reference)>,
    /// By receipt: the operation that brought it.
    pub(super) receipts_of_jobs: Vec<usize>,
    /// The contacts, each with its part and whether anything is recorded about its cases.
    pub(super) contacts: Vec<(i32, ContactId, bool)>,
}

impl Planned {
    /// Whether there is anything to ask or write.
    pub(super) fn is_empty(&self) -> bool {
        self.parts_of_jobs.iter().all(Option::is_none)
    }
}

/// Whether the delivery worker has something to do after the event, sooner than it would look by itself.
const fn is_to_send(event: &Event) -> bool {
    matches!(
        event,
        Event::Case(CaseEvent::MessageQueued(_) | CaseEvent::MessageRequeued { .. })
            | Event::Line(_)
            | Event::Contact(ContactEvent::ContactOptedOut { .. })
    )
}
