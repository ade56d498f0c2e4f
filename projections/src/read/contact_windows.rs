//! When each contact last wrote to each `WhatsApp` line: `WhatsApp` takes free text for a day after that.
//!
//! Inbound events carry no contact id; it is read from `cases`, where it never changes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::case::CaseEvent;
use docket_domain::channel::Channel;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, LineId};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Projection;
use super::writes::{Writes, row};
use crate::log::recorded::Recorded;

/// Builds `contact_windows`.
#[derive(Debug, Default)]
pub struct ContactWindowsHandler {
    /// By case and line: the newest message's time, and when the last one was recorded.
    newest: BTreeMap<(i32, Uuid), (DateTime<Utc>, DateTime<Utc>)>,
}

row! {
    /// A contact's newest message to a `WhatsApp` line since the last write, in one of its cases.
    pub(crate) struct ContactWindow = "contact_window" {
        reference: i32,
        line_id: Uuid,
        /// Vonage's time; the time of recording counts where that is earlier.
        at: DateTime<Utc>,
        recorded_at: DateTime<Utc>,
    }
}

impl Projection for ContactWindowsHandler {
    const NAME: &'static str = "contact_windows";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["contact_windows"];
    const READS: &'static [&'static str] = &["cases"];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Case(reference), Event::Case(CaseEvent::MessageReceived { message, .. })) =
            (recorded.stream, &recorded.event)
        else {
            return;
        };
        if message.channel != Channel::Whatsapp {
            return;
        }
        let at = message.at.min(recorded.recorded_at);
        let newest = self
            .newest
            .entry((reference.as_i32(), message.line_id.0))
            .or_insert((at, recorded.recorded_at));
        *newest = (at.max(newest.0), recorded.recorded_at.max(newest.1));
    }

    fn write(&mut self, writes: &mut Writes) {
        let newest = std::mem::take(&mut self.newest);
        let windows = newest
            .into_iter()
            .map(|((reference, line_id), (at, recorded_at))| ContactWindow {
                part: 0,
                reference,
                line_id,
                at,
                recorded_at,
            });
        writes.rows.contact_windows.extend(windows);
    }
}

/// When the contact last wrote to each `WhatsApp` line.
///
/// # Errors
///
/// The database's error.
pub async fn of_contact(
    executor: impl PgExecutor<'_>,
    contact_id: ContactId,
) -> Result<Vec<(LineId, DateTime<Utc>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT line_id, last_inbound_at FROM contact_windows WHERE contact_id = $1",
        contact_id.0,
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (LineId(row.line_id), row.last_inbound_at))
        .collect())
}
