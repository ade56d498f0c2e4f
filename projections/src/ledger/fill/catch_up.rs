//! Bringing cached cases up to date when another process has written to them.
//!
//! A case in the cache lacks the events that the other process appended. Reading these few events costs a fraction of reading the
//! case anew from the read models. The sequences of a case's events say which ones it lacks, so none is applied twice, whenever
//! they are read.

use cqrs_es::persist::EventUpcaster;
use docket_domain::contact::ContactState;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, Reference};
use sqlx::PgConnection;

use crate::ledger::failure::Failure;
use crate::ledger::scope::Loaded;
use crate::log::reader;

/// A case that lacks more events than this is read anew.
const MAX_MISSING_EVENTS: u64 = 64;

/// A cached contact some of whose cases lack their newest events.
pub(super) struct Behind {
    contact_id: ContactId,
    /// The cases, and the sequence of the last event that each has.
    cases: Vec<(Reference, u64)>,
}

impl Behind {
    /// Moves the cases that are still open, with their versions in `open`, from the cached contact to its new state. Gives `None`
    /// where a case is open that the cache does not have, or where one lacks too many events.
    pub(super) fn of(
        mut cached: ContactState,
        open: impl Iterator<Item = (i32, i64)>,
        contact: &mut ContactState,
    ) -> Option<Self> {
        cached.forget();
        if let (None, Some((at, line_id))) = (contact.last_wrote(), cached.last_wrote()) {
            contact.put_last_line(at, line_id);
        }
        let mut cases = vec![];
        for (reference, version) in open {
            let reference = Reference::from_i32(reference)?;
            let case = cached.case(reference)?;
            let missing = version.cast_unsigned().checked_sub(case.version())?;
            if missing > MAX_MISSING_EVENTS || case.is_outdated() {
                return None;
            }
            if missing > 0 {
                cases.push((reference, case.version()));
            }
            contact.put_case(reference, case.clone());
        }
        Some(Self {
            contact_id: contact.contact_id,
            cases,
        })
    }
}

/// Applies the missing events. Gives the contacts whose cases events do not bring up to date: they are read anew.
pub(super) async fn catch_up(
    conn: &mut PgConnection,
    behind: Vec<Behind>,
    upcasters: &[Box<dyn EventUpcaster>],
    loaded: &mut Loaded,
) -> Result<Vec<ContactId>, Failure> {
    let wanted: Vec<_> = behind
        .iter()
        .flat_map(|contact| &contact.cases)
        .map(|(reference, after)| (StreamId::Case(*reference), *after))
        .collect();
    if wanted.is_empty() {
        return Ok(vec![]);
    }
    for event in reader::streams(conn, &wanted).await? {
        let recorded = event.decode(upcasters)?;
        let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, recorded.event)
        else {
            continue;
        };
        if let Some(case) = loaded.case_mut(reference) {
            case.evolve(&event);
        }
    }
    let mut outdated = vec![];
    for contact in behind {
        for (reference, _) in contact.cases {
            let Some(case) = loaded.case_mut(reference) else {
                continue;
            };
            case.forget();
            if case.is_outdated() {
                outdated.push(contact.contact_id);
            }
        }
    }
    Ok(outdated)
}
