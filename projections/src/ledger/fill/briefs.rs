//! Reading cases without their conversation.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use cqrs_es::persist::EventUpcaster;
use docket_domain::case::{Assignee, Case, CaseEvent, Opened, Said, Stage, Summary};
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, LabelId, Reference, UserId};
use docket_domain::personal::Personal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ledger::failure::Failure;
use crate::ledger::scope::Loaded;
use crate::log::reader;

/// Reads the open cases of these contacts, and these cases, as far as their contacts are known here.
pub(super) async fn load_briefs(
    conn: &mut PgConnection,
    contacts: &[ContactId],
    references: BTreeSet<Reference>,
    upcasters: &[Box<dyn EventUpcaster>],
    loaded: &mut Loaded,
) -> Result<(), Failure> {
    if contacts.is_empty() && references.is_empty() {
        return Ok(());
    }
    let contacts: Vec<Uuid> = contacts.iter().map(|id| id.0).collect();
    let references: Vec<i32> = references.into_iter().map(Reference::as_i32).collect();
    // A message that came back counts from the event that brought it back, and one that was moved away does not count. Of people
    // who answered, the newest two are looked up one after the other.
    let rows = sqlx::query_as!(
        RawBrief,
        r#"SELECT c.reference, c.contact_id, c.title, c.status, c.state, c.withdrawn, c.assignee_id, c.assignee_email,
                  c.version, c.message_count,
                  coalesce((SELECT t.sequence FROM thread_items t
                             WHERE t.reference = c.reference AND t.kind = 'message' AND t.part = 0
                             ORDER BY t.sequence DESC LIMIT 1), 0) AS "last_said!",
                  coalesce((SELECT t.sequence FROM thread_items t
                             WHERE t.reference = c.reference
                               AND (t.kind = 'message' AND t.direction = 'inbound' AND NOT t.hidden
                                    OR t.kind = 'moved_in' AND EXISTS (
                                           SELECT FROM messages m
                                            WHERE m.message_id = t.message_id AND c.reference = ANY (m.case_references)))
                             ORDER BY t.sequence DESC LIMIT 1), 0) AS "contact_said!",
                  ARRAY(SELECT k.label_id FROM case_labels k WHERE k.reference = c.reference ORDER BY k.label_id) AS "labels!",
                  (SELECT s.until FROM snoozes s WHERE s.reference = c.reference) AS snoozed_until,
                  first.author_id AS "first_person?", first.sequence AS "first_said?",
                  second.author_id AS "second_person?", second.sequence AS "second_said?",
                  (SELECT t.value FROM thread_items t
                    WHERE t.reference = c.reference AND t.author_kind = 'out_of_hours'
                    ORDER BY t.sequence DESC LIMIT 1) AS told_closed_on
             FROM cases c
             LEFT JOIN LATERAL (
                      SELECT t.author_id, t.sequence FROM thread_items t
                       WHERE t.reference = c.reference AND t.direction = 'outbound' AND t.author_kind = 'user'
                       ORDER BY t.sequence DESC LIMIT 1
                  ) first ON true
             LEFT JOIN LATERAL (
                      SELECT t.author_id, t.sequence FROM thread_items t
                       WHERE t.reference = c.reference AND t.direction = 'outbound' AND t.author_kind = 'user'
                         AND t.author_id <> first.author_id
                       ORDER BY t.sequence DESC LIMIT 1
                  ) second ON true
            WHERE c.reference IN (SELECT o.reference FROM open_cases o WHERE o.contact_id = ANY ($1::uuid[])
                                  UNION ALL SELECT unnest($2::integer[]))"#,
        &contacts,
        &references,
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut briefs = BTreeMap::new();
    for row in rows {
        // A case that a message only mentions may be somebody else's, and then is none of this batch's business.
        let contact = ContactId(row.contact_id);
        let Some(reference) = Reference::from_i32(row.reference) else {
            continue;
        };
        if loaded.contact(contact).is_none() {
            continue;
        }
        briefs.insert(reference, (contact, row.read()));
    }
    let first_events: Vec<_> = briefs
        .keys()
        .map(|reference| (StreamId::Case(*reference), 1))
        .collect();
    for first in reader::exactly(&mut *conn, &first_events).await? {
        let recorded = first.decode(upcasters)?;
        let (StreamId::Case(reference), Event::Case(CaseEvent::CaseOpened(origin))) =
            (recorded.stream, recorded.event)
        else {
            continue;
        };
        if let Some((contact, brief)) = briefs.remove(&reference) {
            loaded.put_case(contact, reference, brief.of(origin));
        }
    }
    Ok(())
}

/// A case as the query gives it.
struct RawBrief {
    reference: i32,
    contact_id: Uuid,
    title: String,
    status: Option<String>,
    state: String,
    withdrawn: bool,
    assignee_id: Option<Uuid>,
    assignee_email: Option<String>,
    version: i64,
    message_count: i32,
    last_said: i64,
    contact_said: i64,
    first_person: Option<Uuid>,
    first_said: Option<i64>,
    second_person: Option<Uuid>,
    second_said: Option<i64>,
    labels: Vec<Uuid>,
    snoozed_until: Option<DateTime<Utc>>,
    told_closed_on: Option<String>,
}

impl RawBrief {
    fn read(self) -> Brief {
        let people = [
            (self.first_person, self.first_said),
            (self.second_person, self.second_said),
        ];
        let people = people
            .into_iter()
            .filter_map(|(who, said)| Some((UserId(who?), said?.cast_unsigned())))
            .collect();
        let assignee = self.assignee_id.zip(self.assignee_email);
        Brief {
            version: self.version.cast_unsigned(),
            title: self.title,
            status: self.status,
            stage: match (self.state.as_str(), self.withdrawn) {
                (_, true) => Stage::Withdrawn,
                ("open", false) => Stage::Open,
                _ => Stage::Closed,
            },
            assignee: assignee.map(|(user_id, email)| Assignee {
                user_id: UserId(user_id),
                email: Personal(email),
            }),
            last_said: self.last_said.cast_unsigned(),
            said: Said {
                contact: self.contact_said.cast_unsigned(),
                people,
            },
            standing: u32::try_from(self.message_count).unwrap_or_default(),
            labels: self.labels.into_iter().map(LabelId).collect(),
            snoozed_until: self.snoozed_until,
            told_closed_on: self.told_closed_on.and_then(|date| date.parse().ok()),
        }
    }
}

/// A case as the read models show it.
struct Brief {
    version: u64,
    title: String,
    status: Option<String>,
    stage: Stage,
    assignee: Option<Assignee>,
    last_said: u64,
    said: Said,
    standing: u32,
    labels: Vec<LabelId>,
    snoozed_until: Option<DateTime<Utc>>,
    told_closed_on: Option<NaiveDate>,
}

impl Brief {
    fn of(self, origin: Opened) -> Case {
        Case::brief(Summary {
            version: self.version,
            title: Personal(self.title),
            status: self.status,
            stage: self.stage,
            assignee: self.assignee,
            last_said: self.last_said,
            said: self.said,
            standing: self.standing,
            labels: self.labels,
            snoozed_until: self.snoozed_until,
            told_closed_on: self.told_closed_on,
            origin,
        })
    }
}
