//! Contacts: one outside number within one survey.
//!
//! A message does not say whose it is, its case does: the contact is looked up in `cases`, where it never changes.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use docket_domain::case::{CaseEvent, Opened};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, SurveyId};
use docket_domain::personal::Personal;
use docket_domain::text::search;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Projection;
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
    fn open(&mut self, opened: &Opened, at: DateTime<Utc>) {
        self.seen
            .entry(opened.contact_id.0)
            .or_insert_with(|| NewContact {
                part: 0,
                contact_id: opened.contact_id.0,
                survey_id: opened.survey_id.0,
                number: opened.number.0.clone(),
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
        let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, &recorded.event)
        else {
            return;
        };
        let reference = reference.as_i32();
        match event {
            CaseEvent::CaseOpened(opened) => self.open(opened, recorded.recorded_at),
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
    /// What the person last called themselves.
    pub name: Option<Personal<String>>,
    /// When its first case began.
    pub first_seen_at: DateTime<Utc>,
}

/// What these contacts last called themselves; who never said is missing.
///
/// # Errors
///
/// The database's error.
pub async fn names(
    executor: impl PgExecutor<'_>,
    contacts: &[ContactId],
) -> Result<HashMap<ContactId, Personal<String>>, sqlx::Error> {
    let named = sqlx::query!(
        r#"SELECT contact_id, name AS "name!" FROM contacts WHERE contact_id = ANY ($1) AND name IS NOT NULL"#,
        &column(contacts, |contact_id| contact_id.0),
    )
    .fetch_all(executor)
    .await?;
    Ok(named
        .into_iter()
        .map(|contact| (ContactId(contact.contact_id), Personal(contact.name)))
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
    let raw = sqlx::query!(
        "SELECT survey_id, number, name, first_seen_at FROM contacts WHERE contact_id = $1",
        contact_id.0,
    )
    .fetch_optional(executor)
    .await?;
    Ok(raw.map(|raw| ContactRow {
        contact_id,
        survey_id: SurveyId(raw.survey_id),
        number: Personal(raw.number),
        name: raw.name.map(Personal),
        first_seen_at: raw.first_seen_at,
    }))
}
