//! Contacts: one outside number within one survey.
//!
//! A message does not say whose it is, its case does: the contact is looked up in `cases`, where it never changes.

mod list;

pub use list::{Cursor, ListFilter, channels_of, list};

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use docket_domain::case::CaseEvent;
use docket_domain::channel::Channel;
use docket_domain::contact::profile::ContactEvent;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, SurveyId};
use docket_domain::personal::Personal;
use docket_domain::text::search;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Projection;
use super::contact_details::{ContactDetails, channels};
use super::rows::column;
use super::writes::{Writes, row};
use crate::log::recorded::Recorded;

/// Builds `contacts`.
#[derive(Debug, Default)]
pub struct ContactsHandler {
    /// Contacts in the first event that spoke of them since the last write.
    seen: BTreeMap<Uuid, NewContact>,
    /// By case: what the person called themselves last, and a number that grows with every name.
    names: BTreeMap<i32, (i64, String)>,
    named: i64,
}

row! {
    /// A contact; it may be there.
    pub(crate) struct NewContact = "new_contact" {
        contact_id: Uuid,
        survey_id: Uuid,
        number: String,
        first_seen_at: DateTime<Utc>,
    }
}

row! {
    /// What a person called themselves in a message.
    pub(crate) struct ContactName = "contact_name" {
        /// The case that the message came to.
        reference: i32,
        /// Grows with every name: the last one counts.
        number: i64,
        name: String,
        /// What a search finds of the name, as [`search::index`] gives it.
        name_words: Option<String>,
    }
}

impl ContactsHandler {
    fn meet(
        &mut self,
        contact_id: ContactId,
        survey_id: SurveyId,
        number: &Personal<String>,
        at: DateTime<Utc>,
    ) {
        self.seen.entry(contact_id.0).or_insert_with(|| NewContact {
            part: 0,
            contact_id: contact_id.0,
            survey_id: survey_id.0,
            number: number.0.clone(),
            first_seen_at: at,
        });
    }
}

impl Projection for ContactsHandler {
    const NAME: &'static str = "contacts";
    const VERSION: i32 = 2;
    const TABLES: &'static [&'static str] = &["contacts"];
    const READS: &'static [&'static str] = &["cases"];

    fn apply(&mut self, recorded: &Recorded) {
        if let Event::Contact(ContactEvent::ContactAdded {
            contact_id,
            survey_id,
            number,
        }) = &recorded.event
        {
            self.meet(*contact_id, *survey_id, number, recorded.recorded_at);
            return;
        }
        let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, &recorded.event)
        else {
            return;
        };
        let reference = reference.as_i32();
        match event {
            CaseEvent::CaseOpened(opened) => self.meet(
                opened.contact_id,
                opened.survey_id,
                &opened.number,
                recorded.recorded_at,
            ),
            CaseEvent::MessageReceived { message, .. } => {
                if let Some(name) = &message.profile_name {
                    self.named += 1;
                    self.names.insert(reference, (self.named, name.0.clone()));
                }
            }
            _ => {}
        }
    }

    fn write(&mut self, writes: &mut Writes) {
        let Self { seen, names, .. } = std::mem::take(self);
        writes.rows.contacts.extend(seen.into_values());
        let names = names
            .into_iter()
            .map(|(reference, (number, name))| ContactName {
                part: 0,
                reference,
                number,
                name_words: search::index([name.as_str()]),
                name,
            });
        writes.rows.contact_names.extend(names);
    }
}

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactRow {
    /// Its id.
    pub contact_id: ContactId,
    /// The survey within which it is one.
    pub survey_id: SurveyId,
    /// Its number.
    pub number: Personal<String>,
    /// What it is called: the name that people gave it, or else what the person last called themselves.
    pub name: Option<Personal<String>>,
    /// What the person last called themselves.
    pub profile_name: Option<Personal<String>>,
    /// What people set of it.
    pub details: ContactDetails,
    /// When its first case began, or when it was added.
    pub first_seen_at: DateTime<Utc>,
}

/// What stands beside a case of somebody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// What they are called.
    pub name: Option<Personal<String>>,
    /// The channels on which nothing is sent to them.
    pub opted_out: Vec<Channel>,
    /// The channels on which somebody has to decide whether they opted out.
    pub suspected: Vec<Channel>,
    /// The channel that they last wrote on, in whichever case.
    pub last_channel: Option<Channel>,
}

/// What these contacts are called, and what may be sent to them.
///
/// # Errors
///
/// The database's error.
pub async fn people(
    executor: impl PgExecutor<'_>,
    contacts: &[ContactId],
) -> Result<HashMap<ContactId, Person>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT k.contact_id, coalesce(d.name, k.name) AS name, coalesce(d.opted_out, '{}') AS "opted_out!",
                  coalesce(d.suspected, '{}') AS "suspected!", l.channel AS "last_channel?"
             FROM contacts k
             LEFT JOIN contact_details d USING (contact_id)
             LEFT JOIN contact_ids i USING (contact_id)
             LEFT JOIN lines l ON l.line_id = i.last_line_id
            WHERE k.contact_id = ANY ($1)"#,
        &column(contacts, |contact_id| contact_id.0),
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let person = Person {
                name: row.name.map(Personal),
                opted_out: channels(&row.opted_out),
                suspected: channels(&row.suspected),
                last_channel: row.last_channel.as_deref().and_then(Channel::from_name),
            };
            (ContactId(row.contact_id), person)
        })
        .collect())
}

/// The contact of that id.
///
/// # Errors
///
/// The database's error.
pub async fn find(
    executor: impl PgExecutor<'_>,
    contact_id: ContactId,
) -> Result<Option<ContactRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        RawContact,
        r#"SELECT k.contact_id, k.survey_id, k.number, k.name AS profile_name, k.first_seen_at, d.name AS "name?", d.note AS "note?",
                  coalesce(d.opted_out, '{}') AS "opted_out!", coalesce(d.suspected, '{}') AS "suspected!",
                  coalesce(d.version, 0) AS "version!"
             FROM contacts k LEFT JOIN contact_details d USING (contact_id)
            WHERE k.contact_id = $1"#,
        contact_id.0,
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(RawContact::read))
}

/// A contact, as the queries give it.
struct RawContact {
    contact_id: Uuid,
    survey_id: Uuid,
    number: String,
    profile_name: Option<String>,
    first_seen_at: DateTime<Utc>,
    name: Option<String>,
    note: Option<String>,
    opted_out: Vec<String>,
    suspected: Vec<String>,
    version: i64,
}

impl RawContact {
    fn read(self) -> ContactRow {
        let name = self.name.map(Personal);
        let profile_name = self.profile_name.map(Personal);
        ContactRow {
            contact_id: ContactId(self.contact_id),
            survey_id: SurveyId(self.survey_id),
            number: Personal(self.number),
            name: name.clone().or_else(|| profile_name.clone()),
            profile_name,
            details: ContactDetails {
                name,
                note: self.note.map(Personal),
                opted_out: channels(&self.opted_out),
                suspected: channels(&self.suspected),
                version: self.version.cast_unsigned(),
            },
            first_seen_at: self.first_seen_at,
        }
    }
}
