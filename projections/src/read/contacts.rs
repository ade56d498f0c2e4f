//! Contacts: one outside number within one survey.
//!
//! A message does not say whose it is, its case does. For a case that began before the last flush, the contact is looked up in
//! `cases`, where it never changes.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use docket_domain::case::{CaseEvent, Opened};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, SurveyId};
use docket_domain::personal::Personal;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Projection;
use super::rows::column;
use crate::log::recorded::Recorded;

/// Builds `contacts`.
#[derive(Debug, Default)]
pub struct ContactsHandler {
    /// The contact of each case that began since the last flush.
    contact_of: BTreeMap<i32, Uuid>,
    seen: BTreeMap<Uuid, Seen>,
    /// By case: what the person called themselves last, and a number that grows with every name.
    names: BTreeMap<i32, (i64, String)>,
    named: i64,
}

/// A contact in the first event that spoke of it since the last flush.
#[derive(Debug)]
struct Seen {
    survey_id: Uuid,
    number: String,
    at: DateTime<Utc>,
}

impl ContactsHandler {
    fn open(&mut self, reference: i32, opened: &Opened, at: DateTime<Utc>) {
        self.contact_of.insert(reference, opened.contact_id.0);
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
    const VERSION: i32 = 1;
    const TABLES: &'static [&'static str] = &["contacts"];
    const READS: &'static [&'static str] = &["cases"];

    fn apply(&mut self, recorded: &Recorded) {
        let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, &recorded.event)
        else {
            return;
        };
        let reference = reference.as_i32();
        match event {
            CaseEvent::CaseOpened(opened) => self.open(reference, opened, recorded.recorded_at),
            CaseEvent::MessageReceived { message, .. } => {
                if let Some(name) = &message.profile_name {
                    self.named += 1;
                    self.names.insert(reference, (self.named, name.0.clone()));
                }
            }
            _ => {}
        }
    }

    async fn flush(&mut self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let Self {
            contact_of,
            seen,
            names,
            ..
        } = std::mem::take(self);
        if !seen.is_empty() {
            let seen: Vec<_> = seen.into_iter().collect();
            sqlx::query!(
                "INSERT INTO contacts (contact_id, survey_id, number, first_seen_at)
                 SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
                 ON CONFLICT DO NOTHING",
                &column(&seen, |(id, _)| *id),
                &column(&seen, |(_, seen)| seen.survey_id),
                &column(&seen, |(_, seen)| seen.number.as_str()) as _,
                &column(&seen, |(_, seen)| seen.at),
            )
            .execute(&mut *conn)
            .await?;
        }
        if !names.is_empty() {
            let names: Vec<_> = names.into_iter().collect();
            sqlx::query!(
                "UPDATE contacts k SET name = latest.name
                 FROM (
                     SELECT DISTINCT ON (COALESCE(u.contact_id, c.contact_id))
                         COALESCE(u.contact_id, c.contact_id) AS contact_id, u.name
                     FROM UNNEST($1::integer[], $2::uuid[], $3::bigint[], $4::text[])
                         AS u (reference, contact_id, number, name)
                     LEFT JOIN cases c ON u.contact_id IS NULL AND c.reference = u.reference
                     ORDER BY COALESCE(u.contact_id, c.contact_id), u.number DESC
                 ) latest
                 WHERE k.contact_id = latest.contact_id AND k.name IS DISTINCT FROM latest.name",
                &column(&names, |(reference, _)| *reference),
                &column(&names, |(reference, _)| contact_of.get(reference).copied()) as _,
                &column(&names, |(_, (number, _))| *number),
                &column(&names, |(_, (_, name))| name.as_str()) as _,
            )
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
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
