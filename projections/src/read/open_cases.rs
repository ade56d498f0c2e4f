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
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Projection;
use super::rows::{Row, column};
use crate::log::recorded::Recorded;

/// Builds `open_cases`.
#[derive(Debug, Default)]
pub struct OpenCasesHandler {
    changes: BTreeMap<i32, Change>,
}

/// What became of a case since the last flush.
#[derive(Debug)]
struct Change {
    /// Whose it is, where it began since the last flush.
    contact_id: Option<Uuid>,
    /// Whether it began since the last flush as a record.
    is_record: bool,
    is_open: bool,
}

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

    async fn flush(&mut self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let changes = std::mem::take(&mut self.changes);
        let closed: Vec<i32> = changes
            .iter()
            .filter(|(_, change)| change.contact_id.is_none() && !change.is_open)
            .map(|(reference, _)| *reference)
            .collect();
        if !closed.is_empty() {
            sqlx::query!(
                "DELETE FROM open_cases o USING cases c
                 WHERE c.reference = ANY($1) AND o.contact_id = c.contact_id AND o.reference = c.reference",
                &closed,
            )
            .execute(&mut *conn)
            .await?;
        }

        let open: Vec<_> = changes
            .into_iter()
            .filter(|(_, change)| change.is_open && !change.is_record)
            .collect();
        if !open.is_empty() {
            // A status can change without the case having been closed.
            sqlx::query!(
                "INSERT INTO open_cases (contact_id, reference)
                 SELECT COALESCE(u.contact_id, c.contact_id), u.reference
                 FROM UNNEST($1::integer[], $2::uuid[]) AS u (reference, contact_id)
                 LEFT JOIN cases c ON u.contact_id IS NULL AND c.reference = u.reference
                 WHERE u.contact_id IS NOT NULL OR c.origin <> 'record'
                 ON CONFLICT DO NOTHING",
                &column(&open, |(reference, _)| *reference),
                &column(&open, |(_, change)| change.contact_id) as _,
            )
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
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
