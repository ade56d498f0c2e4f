//! What people set of contacts: a name, a note, and the channels on which nothing is sent to them.
//!
//! A contact of whom nothing was set has no row.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::contact::profile::{Contact, ContactEvent};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::ContactId;
use docket_domain::personal::Personal;
use docket_domain::text::search;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Projection;
use super::writes::Writes;
use crate::log::reader::{self, ReadError};
use crate::log::recorded::Recorded;
use crate::log::upcasters::upcasters;

/// Builds `contact_details`.
#[derive(Default)]
pub struct ContactDetailsHandler {
    /// What the events since the last write made of each contact.
    changes: BTreeMap<Uuid, Change>,
}

/// What changes of a row.
#[derive(Serialize)]
struct Change {
    contact_id: Uuid,
    /// Whether `name` and `name_words` are to be written.
    renamed: bool,
    name: Option<String>,
    name_words: Option<String>,
    /// Whether `note` is to be written.
    noted: bool,
    note: Option<String>,
    /// Channels that come into `opted_out` and into `suspected`; from both of them come those that are settled.
    opted_out: Vec<&'static str>,
    suspected: Vec<&'static str>,
    settled: Vec<&'static str>,
    changed_at: DateTime<Utc>,
    version: u64,
}

impl Change {
    fn new(contact_id: ContactId, changed_at: DateTime<Utc>) -> Self {
        Self {
            contact_id: contact_id.0,
            renamed: false,
            name: None,
            name_words: None,
            noted: false,
            note: None,
            opted_out: vec![],
            suspected: vec![],
            settled: vec![],
            changed_at,
            version: 0,
        }
    }

    /// Takes the channel out of all lists, where an earlier event of the same write put it.
    fn settle(&mut self, channel: Channel) {
        let name = channel.as_str();
        self.opted_out.retain(|known| *known != name);
        self.suspected.retain(|known| *known != name);
        if !self.settled.contains(&name) {
            self.settled.push(name);
        }
    }

    fn apply(&mut self, event: &ContactEvent) {
        match event {
            ContactEvent::ContactAdded { .. } => {}
            ContactEvent::ContactRenamed { to, .. } => {
                self.renamed = true;
                self.name = to.as_ref().map(|name| name.0.clone());
                self.name_words = search::index(self.name.as_deref());
            }
            ContactEvent::ContactNoted { note } => {
                self.noted = true;
                self.note = note.as_ref().map(|note| note.0.clone());
            }
            ContactEvent::ContactOptedOut { channel, .. } => {
                self.settle(*channel);
                self.opted_out.push(channel.as_str());
            }
            ContactEvent::ContactOptedIn { channel, .. } => self.settle(*channel),
            ContactEvent::OptOutSuspected { channel, .. } => {
                self.suspected.push(channel.as_str());
            }
        }
    }
}

/// The channels stay ordered, so that a rebuild that writes more events at once gives the same rows.
const SET: &str = "
    INSERT INTO contact_details AS d (contact_id, name, name_words, note, opted_out, suspected, changed_at, version)
    SELECT r.contact_id,
           CASE WHEN r.renamed THEN r.name ELSE o.name END,
           CASE WHEN r.renamed THEN r.name_words ELSE o.name_words END,
           CASE WHEN r.noted THEN r.note ELSE o.note END,
           ARRAY(SELECT unnest(o.opted_out) EXCEPT SELECT unnest(r.settled) UNION SELECT unnest(r.opted_out) ORDER BY 1),
           ARRAY(SELECT unnest(o.suspected) EXCEPT SELECT unnest(r.settled) UNION SELECT unnest(r.suspected) ORDER BY 1),
           dated(r.changed_at, $2), r.version
      FROM jsonb_to_recordset($1)
           AS r (contact_id uuid, renamed boolean, name text, name_words text, noted boolean, note text, opted_out text[],
                 suspected text[], settled text[], changed_at timestamptz, version bigint)
      LEFT JOIN contact_details o ON o.contact_id = r.contact_id
    ON CONFLICT (contact_id) DO UPDATE
       SET name = excluded.name, name_words = excluded.name_words, note = excluded.note, opted_out = excluded.opted_out,
           suspected = excluded.suspected, changed_at = excluded.changed_at, version = excluded.version";

impl Projection for ContactDetailsHandler {
    const NAME: &'static str = "contact_details";
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["contact_details"];
    const STATEMENTS: &'static [&'static str] = &[SET];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Contact(contact_id), Event::Contact(event)) =
            (recorded.stream, &recorded.event)
        else {
            return;
        };
        let change = self
            .changes
            .entry(contact_id.0)
            .or_insert_with(|| Change::new(contact_id, recorded.recorded_at));
        change.changed_at = recorded.recorded_at;
        change.version = recorded.sequence;
        change.apply(event);
    }

    fn write(&mut self, writes: &mut Writes) {
        let changes = std::mem::take(&mut self.changes);
        writes.statement::<Self>(SET, changes.into_values());
    }
}

/// What is set of a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactDetails {
    /// The name that people gave it.
    pub name: Option<Personal<String>>,
    /// The note about it.
    pub note: Option<Personal<String>>,
    /// The channels on which nothing is sent to it.
    pub opted_out: Vec<Channel>,
    /// The channels on which somebody has to decide whether it opted out.
    pub suspected: Vec<Channel>,
    /// The sequence of its last event.
    pub version: u64,
}

/// What was set of a contact at that position of the log and that time.
///
/// # Errors
///
/// [`ReadError`].
pub async fn as_of(
    conn: &mut PgConnection,
    contact_id: ContactId,
    position: i64,
    time: DateTime<Utc>,
) -> Result<ContactDetails, ReadError> {
    let upcasters = upcasters();
    let mut was = Contact::default();
    for event in reader::streams(conn, &[(StreamId::Contact(contact_id), 0)]).await? {
        if event.position > position || event.recorded_at > time {
            break;
        }
        if let Event::Contact(event) = event.decode(&upcasters)?.event {
            was.evolve(&event);
        }
    }
    Ok(ContactDetails {
        name: was.name,
        note: was.note,
        opted_out: was.opted_out.into_iter().collect(),
        suspected: was.suspected.into_iter().collect(),
        version: was.version,
    })
}

/// Channels by their names.
pub(in crate::read) fn channels(names: &[String]) -> Vec<Channel> {
    names
        .iter()
        .filter_map(|name| Channel::from_name(name))
        .collect()
}
