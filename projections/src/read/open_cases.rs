//! The open cases of each contact: what decides where a message goes.
//!
//! Records, which surveys without cases make of every message, are none of them: the matching rules offer no message to a record,
//! not even when the survey has got cases since.
//!
//! Only a case's first event says whose it is, and whether it is a record. For a case that began before, both are looked up in
//! `cases`, where they never change.

use std::collections::BTreeMap;

use docket_domain::case::{CaseEvent, Origin};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, Reference};
use docket_domain::personal::Personal;
use serde::Serialize;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Projection;
use super::rows::Row;
use super::writes::{Writes, row};
use crate::log::recorded::Recorded;

/// Builds `open_cases`.
#[derive(Debug, Default)]
pub struct OpenCasesHandler {
    changes: BTreeMap<i32, Change>,
}

/// What became of a case since the last write.
#[derive(Debug)]
struct Change {
    /// Whose it is, where it began since the last write.
    contact_id: Option<Uuid>,
    /// Whether it began since the last write as a record.
    is_record: bool,
    is_open: bool,
}

row! {
    /// A case that began since the last write, and is open.
    pub(crate) struct NewOpenCase = "new_open_case" {
        contact_id: Uuid,
        reference: i32,
    }
}

/// A case that began before.
#[derive(Serialize)]
struct KnownCase {
    reference: i32,
}

const CLOSE: &str = "
    DELETE FROM open_cases o
     USING jsonb_to_recordset($1) AS r (reference integer)
      JOIN cases c USING (reference)
     WHERE o.contact_id = c.contact_id AND o.reference = c.reference";

/// A status can change without the case having been closed.
const OPEN: &str = "
    INSERT INTO open_cases (contact_id, reference)
    SELECT c.contact_id, c.reference
      FROM jsonb_to_recordset($1) AS r (reference integer)
      JOIN cases c USING (reference)
     WHERE c.origin <> 'record'
    ON CONFLICT DO NOTHING";

impl OpenCasesHandler {
    fn set(&mut self, reference: i32, is_open: bool) {
        self.changes
            .entry(reference)
            .and_modify(|change| change.is_open = is_open)
            .or_insert(Change {
                contact_id: None,
                is_record: false,
                is_open,
            });
    }
}

impl Projection for OpenCasesHandler {
    const NAME: &'static str = "open_cases";
    const VERSION: i32 = 2;
    const TABLES: &'static [&'static str] = &["open_cases"];
    const READS: &'static [&'static str] = &["cases"];
    const STATEMENTS: &'static [&'static str] = &[CLOSE, OPEN];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, &recorded.event)
        else {
            return;
        };
        let reference = reference.as_i32();
        match event {
            CaseEvent::CaseOpened(opened) => {
                let change = Change {
                    contact_id: Some(opened.contact_id.0),
                    is_record: opened.origin == Origin::Record,
                    is_open: true,
                };
                self.changes.insert(reference, change);
            }
            CaseEvent::StatusChanged { closed, .. } => self.set(reference, !closed),
            CaseEvent::MoveUndone { .. } => self.set(reference, false),
            _ => {}
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let mut opened = vec![];
        let mut closed = vec![];
        for (reference, change) in std::mem::take(&mut self.changes) {
            match change.contact_id {
                Some(contact_id) if change.is_open && !change.is_record => {
                    writes.rows.open_cases.push(NewOpenCase {
                        part: 0,
                        contact_id,
                        reference,
                    });
                }
                Some(_) => {}
                None if change.is_open => opened.push(KnownCase { reference }),
                None => closed.push(KnownCase { reference }),
            }
        }
        writes.statement::<Self>(CLOSE, closed);
        writes.statement::<Self>(OPEN, opened);
    }
}

/// An open case, as much of it as the automatic reply and a choice between cases show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCase {
    /// Its reference.
    pub reference: Reference,
    /// Its title.
    pub title: Personal<String>,
    /// The answer to the status question.
    pub status: Option<String>,
}

/// The contact's open cases, ordered by reference.
///
/// # Errors
///
/// The database's error, or a [`RowError`](super::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn of_contact(
    executor: impl PgExecutor<'_>,
    contact_id: ContactId,
) -> Result<Vec<OpenCase>, sqlx::Error> {
    sqlx::query!(
        "SELECT c.reference, c.title, c.status FROM open_cases o JOIN cases c USING (reference)
         WHERE o.contact_id = $1 ORDER BY c.reference",
        contact_id.0,
    )
    .fetch_all(executor)
    .await?
    .into_iter()
    .map(|raw| {
        let row = Row {
            table: "cases",
            key: raw.reference,
        };
        Ok(OpenCase {
            reference: row.reference("reference", raw.reference)?,
            title: Personal(raw.title),
            status: raw.status,
        })
    })
    .collect()
}
