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
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Projection;
use super::rows::column;
use crate::log::recorded::Recorded;

/// Builds `contacts`.
#[derive(Debug, Default)]
pub struct ContactsHandler {
    seen: BTreeMap<Uuid, Seen>,
    /// By case: what the person called themselves last, and a number that grows with every name.
    names: BTreeMap<i32, (i64, String)>,
    named: i64,
}

/// Rows of `contacts` that are to be written.
#[derive(Debug)]
pub struct ContactRows {
    /// By their ids; some of them may be there.
    pub(super) seen: Vec<(Uuid, Seen)>,
    pub(super) named: Vec<Named>,
}

/// A contact in the first event that spoke of it since the last flush.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) survey_id: Uuid,
    pub(super) number: String,
    pub(super) at: DateTime<Utc>,
}

/// What a person called themselves in a message.
#[derive(Debug)]
pub(super) struct Named {
    /// The case that the message came to.
    pub(super) reference: i32,
    /// Grows with every name: the last one counts.
    pub(super) number: i64,
    pub(super) name: String,
    /// What a search finds of the name, as [`search::index`] gives it.
    pub(super) words: Option<String>,
}

impl ContactsHandler {
    fn open(&mut self, opened: &Opened, at: DateTime<Utc>) {
        self.seen
            .entry(opened.contact_id.0)
            .or_insert_with(|| Seen {
                survey_id: opened.survey_id.0,
                number: opened.number.0.clone(),
                at,
            });
    }
}

impl Projection for ContactsHandler {
    const NAME: &'static str = "contacts";
    const VERSION: i32 = 2;
    const TABLES: &'static [&'static str] = &["contacts"];
    const READS: &'static [&'static str] = &["cases"];
    type Rows = ContactRows;

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

    async fn flush(&mut self, _: &mut PgConnection) -> Result<ContactRows, sqlx::Error> {
        let Self { seen, names, .. } = std::mem::take(self);
        let named = |(reference, (number, name)): (i32, (i64, String))| Named {
            reference,
            number,
            words: search::index([name.as_str()]),
            name,
        };
        Ok(ContactRows {
            seen: seen.into_iter().collect(),
            named: names.into_iter().map(named).collect(),
        })
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
