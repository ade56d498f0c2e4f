//! Reading what the decisions of a batch need.
//!
//! Nothing is locked. A contact's version is read before all else about it, and the call that appends compares it: if anything
//! about the contact was recorded meanwhile, the contact's part of the batch is refused and decided again. So the statements here
//! need no snapshot of their own, and what is in the cache needs no look at the database.

mod briefs;
mod catch_up;
mod contacts;
#[cfg(feature = "testing")]
mod testing;

use std::collections::{BTreeSet, HashMap};

use cqrs_es::persist::EventUpcaster;
use docket_domain::case::CaseEvent;
use docket_domain::contact::KnownMessage;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, MessageId, Reference, SurveyId, UserId};
use serde_json::value::RawValue;
use sqlx::PgConnection;
use uuid::Uuid;

use self::briefs::load_briefs;
use self::catch_up::catch_up;
use self::contacts::find_contacts;
#[cfg(feature = "testing")]
pub use self::testing::{CachedContacts, brief_case};
use super::cache::ContactCache;
use super::failure::Failure;
use super::operation::{IdempotencyKey, MessageKey, Needs};
use super::scope::{Aggregate, Loaded};
use crate::log::reader;

/// A request done before.
pub(super) struct Kept {
    pub(super) fingerprint: Vec<u8>,
    pub(super) outcome: Box<RawValue>,
}

/// Reads what the operations need, and takes from the cache what is there. Where `verify` is set, other processes write too, and
/// contacts of which something was recorded since are read anew.
pub(super) async fn fill(
    conn: &mut PgConnection,
    needs: &[Needs],
    cache: &ContactCache,
    upcasters: &[Box<dyn EventUpcaster>],
    verify: bool,
    loaded: &mut Loaded,
) -> Result<(), Failure> {
    let wanted = Wanted::of(needs);
    let mut found = find_contacts(conn, &wanted, cache, verify, loaded).await?;
    let outdated = catch_up(conn, found.behind, upcasters, loaded).await?;
    found.fresh.extend(outdated);
    load_cases(conn, &found.fresh, &wanted, upcasters, loaded).await?;
    load_messages(conn, &wanted, loaded).await?;
    if needs.iter().any(|needs| needs.newest_case) {
        load_newest_cases(conn, needs, loaded).await?;
    }
    load_cases_of_messages(conn, upcasters, loaded).await?;
    recall(conn, needs, upcasters, loaded).await?;
    load_streams(conn, needs, upcasters, loaded).await?;
    let emails: Vec<&str> = needs
        .iter()
        .filter_map(|needs| needs.email.as_deref())
        .collect();
    if !emails.is_empty() {
        load_emails(conn, &emails, loaded).await?;
    }
    if needs.iter().any(|needs| needs.owners) {
        load_owners(conn, loaded).await?;
    }
    for key in needs.iter().filter_map(|needs| needs.contact.as_ref()) {
        loaded.meet(key);
    }
    Ok(())
}

/// What a batch names, without repetitions.
struct Wanted {
    numbers: BTreeSet<(SurveyId, String)>,
    references: BTreeSet<Reference>,
    mentioned: BTreeSet<Reference>,
    contacts: BTreeSet<ContactId>,
    message_ids: BTreeSet<MessageId>,
    provider_ids: BTreeSet<String>,
    quoted: BTreeSet<String>,
}

impl Wanted {
    fn of(needs: &[Needs]) -> Self {
        let mut wanted = Self {
            numbers: BTreeSet::new(),
            references: BTreeSet::new(),
            mentioned: BTreeSet::new(),
            contacts: BTreeSet::new(),
            message_ids: BTreeSet::new(),
            provider_ids: BTreeSet::new(),
            quoted: BTreeSet::new(),
        };
        for needs in needs {
            if let Some(key) = &needs.contact {
                wanted.numbers.insert((key.survey_id, key.number.clone()));
            }
            wanted.references.extend(&needs.cases);
            wanted.mentioned.extend(&needs.mentioned);
            wanted.contacts.extend(&needs.contacts);
            wanted.quoted.extend(needs.quoted.clone());
            match &needs.message {
                Some(MessageKey::Id(id)) => {
                    wanted.message_ids.insert(*id);
                }
                Some(MessageKey::ProviderId(id)) => {
                    wanted.provider_ids.insert(id.clone());
                }
                Some(MessageKey::Inbound(id)) => {
                    wanted.quoted.insert(id.clone());
                }
                None => {}
            }
        }
        wanted
    }
}

/// The open cases of contacts that were read anew, and the cases that are named.
async fn load_cases(
    conn: &mut PgConnection,
    fresh: &[ContactId],
    wanted: &Wanted,
    upcasters: &[Box<dyn EventUpcaster>],
    loaded: &mut Loaded,
) -> Result<(), Failure> {
    let named = wanted
        .references
        .iter()
        .chain(&wanted.mentioned)
        .filter(|reference| loaded.case(**reference).is_none())
        .copied()
        .collect();
    load_briefs(conn, fresh, named, upcasters, loaded).await
}

async fn load_messages(
    conn: &mut PgConnection,
    wanted: &Wanted,
    loaded: &mut Loaded,
) -> Result<(), Failure> {
    let ids: Vec<Uuid> = wanted.message_ids.iter().map(|id| id.0).collect();
    let provider_ids: Vec<String> = wanted.provider_ids.union(&wanted.quoted).cloned().collect();
    if ids.is_empty() && provider_ids.is_empty() {
        return Ok(());
    }
    // Of the ids of what we sent, those are enough that somebody asks for.
    let rows = sqlx::query!(
        r#"SELECT m.message_id, m.contact_id, m.direction, m.case_references,
                  CASE m.direction WHEN 'inbound' THEN array_remove(ARRAY[m.provider_id], NULL)
                                   ELSE ARRAY(SELECT s.provider_id FROM sent_ids s
                                               WHERE s.provider_id = ANY ($2::text[]) AND s.message_id = m.message_id)
                  END AS "provider_ids!"
             FROM messages m
            WHERE m.message_id = ANY ($1::uuid[]
                      || ARRAY(SELECT i.message_id FROM messages i
                                WHERE i.provider_id = ANY ($2::text[]) AND i.direction = 'inbound')
                      || ARRAY(SELECT s.message_id FROM sent_ids s WHERE s.provider_id = ANY ($2::text[])))"#,
        &ids,
        &provider_ids,
    )
    .fetch_all(conn)
    .await?;
    for row in rows {
        let contact = ContactId(row.contact_id);
        let message_id = MessageId(row.message_id);
        let is_asked = wanted.message_ids.contains(&message_id)
            || row
                .provider_ids
                .iter()
                .any(|id| wanted.provider_ids.contains(id) && row.direction == "outbound");
        if is_asked && loaded.contact(contact).is_none() {
            // It was recorded when the contacts were looked for, too late for whoever looked whose it is.
            return Err(Failure::Conflict("a message came up meanwhile".into()));
        }
        loaded.put_message(
            contact,
            KnownMessage {
                message_id,
                provider_ids: row.provider_ids,
                outbound: row.direction == "outbound",
                references: row
                    .case_references
                    .into_iter()
                    .filter_map(Reference::from_i32)
                    .collect(),
            },
        );
    }
    Ok(())
}

/// The newest case of contacts that react to a message that is not known: no record before a case, and none whose move was undone.
async fn load_newest_cases(
    conn: &mut PgConnection,
    needs: &[Needs],
    loaded: &mut Loaded,
) -> Result<(), sqlx::Error> {
    let contacts: Vec<Uuid> = needs
        .iter()
        .filter(|needs| needs.newest_case)
        .filter_map(|needs| needs.contact.as_ref())
        .filter_map(|key| loaded.contact_by_number(key.survey_id, &key.number))
        .map(|contact| contact.contact_id.0)
        .collect();
    if contacts.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        "SELECT DISTINCT ON (k.contact_id) k.contact_id, k.reference
           FROM contact_cases k JOIN cases c USING (reference)
          WHERE k.contact_id = ANY ($1)
          ORDER BY k.contact_id, c.origin = 'record', c.withdrawn, c.opened_at DESC, k.reference DESC",
        &contacts,
    )
    .fetch_all(conn)
    .await?;
    for row in rows {
        if let Some(reference) = Reference::from_i32(row.reference) {
            loaded.put_newest(ContactId(row.contact_id), reference);
        }
    }
    Ok(())
}

/// The cases in which messages stand that somebody asks for, and the newest ones.
async fn load_cases_of_messages(
    conn: &mut PgConnection,
    upcasters: &[Box<dyn EventUpcaster>],
    loaded: &mut Loaded,
) -> Result<(), Failure> {
    let missing: BTreeSet<Reference> = loaded
        .contacts()
        .flat_map(|contact| {
            contact
                .messages()
                .iter()
                .flat_map(|message| message.references.iter().copied())
                .chain(contact.newest_case())
                .filter(|reference| contact.case(*reference).is_none())
        })
        .collect();
    load_briefs(conn, &[], missing, upcasters, loaded).await
}

/// Recalls the messages that decisions are about, in the cases that they are or were in.
async fn recall(
    conn: &mut PgConnection,
    needs: &[Needs],
    upcasters: &[Box<dyn EventUpcaster>],
    loaded: &mut Loaded,
) -> Result<(), Failure> {
    let mut wanted: BTreeSet<(MessageId, Reference)> = BTreeSet::new();
    for needs in needs {
        for message_id in &needs.recalled {
            wanted.extend(
                needs
                    .cases
                    .iter()
                    .map(|reference| (*message_id, *reference)),
            );
        }
        let asked = needs
            .message
            .iter()
            .flat_map(|key| loaded.messages(key, needs.contact.as_ref()));
        let reacted = needs
            .quoted
            .iter()
            .filter(|_| needs.newest_case)
            .flat_map(|quoted| loaded.called(quoted, needs.contact.as_ref()));
        for message in asked.chain(reacted) {
            let cases = message.references.iter().chain(&needs.cases);
            wanted.extend(cases.map(|reference| (message.message_id, *reference)));
        }
    }
    wanted.retain(|(message_id, reference)| {
        loaded
            .case(*reference)
            .is_some_and(|case| !case.knows(*message_id))
    });
    if wanted.is_empty() {
        return Ok(());
    }
    let message_ids: BTreeSet<Uuid> = wanted.iter().map(|(message_id, _)| message_id.0).collect();
    let message_ids: Vec<Uuid> = message_ids.into_iter().collect();
    let mut events: HashMap<(MessageId, Reference), Vec<(u64, CaseEvent)>> = HashMap::new();
    for event in reader::of_messages(conn, &message_ids).await? {
        let recorded = event.decode(upcasters)?;
        let (StreamId::Case(reference), Event::Case(event)) = (recorded.stream, recorded.event)
        else {
            continue;
        };
        if let Some(message_id) = event.message_id() {
            let known = events.entry((message_id, reference)).or_default();
            known.push((recorded.sequence, event));
        }
    }
    for (message_id, reference) in wanted {
        let events = events.remove(&(message_id, reference)).unwrap_or_default();
        if let Some(case) = loaded.case_mut(reference) {
            // What was recorded after the contact's version makes the call refuse this contact.
            case.recall(
                message_id,
                events.iter().map(|(sequence, event)| (*sequence, event)),
            );
        }
    }
    Ok(())
}

async fn load_streams(
    conn: &mut PgConnection,
    needs: &[Needs],
    upcasters: &[Box<dyn EventUpcaster>],
    loaded: &mut Loaded,
) -> Result<(), Failure> {
    let wanted: BTreeSet<StreamId> = needs
        .iter()
        .flat_map(|needs| needs.streams.iter().copied())
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let wanted: Vec<_> = wanted.into_iter().map(|stream| (stream, 0)).collect();
    for event in reader::streams(conn, &wanted).await? {
        let recorded = event.decode(upcasters)?;
        loaded
            .streams
            .entry(recorded.stream)
            .or_insert_with(|| Aggregate::empty(recorded.stream))
            .evolve(&recorded.event);
    }
    Ok(())
}

async fn load_emails(
    conn: &mut PgConnection,
    emails: &[&str],
    loaded: &mut Loaded,
) -> Result<(), sqlx::Error> {
    let rows = sqlx::query!(
        // The database folds both sides, so that its locale is of no matter.
        r#"SELECT wanted.email AS "email!", users.user_id
             FROM unnest($1::text[]) AS wanted (email)
             JOIN users ON lower(users.email) = lower(wanted.email) AND NOT users.removed"#,
        emails as &[&str],
    )
    .fetch_all(conn)
    .await?;
    loaded.emails = rows
        .into_iter()
        .map(|row| (row.email.to_lowercase(), UserId(row.user_id)))
        .collect();
    Ok(())
}

/// The owners with the versions of their streams: the call compares these, so that none of them stops being one meanwhile.
async fn load_owners(conn: &mut PgConnection, loaded: &mut Loaded) -> Result<(), sqlx::Error> {
    let rows =
        sqlx::query!("SELECT user_id, version FROM users WHERE role = 'owner' AND NOT removed")
            .fetch_all(conn)
            .await?;
    loaded.owners = rows
        .into_iter()
        .map(|row| (UserId(row.user_id), row.version.cast_unsigned()))
        .collect();
    Ok(())
}

/// The requests among `keys` that were done before.
pub(super) async fn kept_outcomes(
    conn: &mut PgConnection,
    keys: &[&IdempotencyKey],
) -> Result<HashMap<(Uuid, String), Kept>, sqlx::Error> {
    let actors: Vec<Uuid> = keys.iter().map(|key| key.actor).collect();
    let names: Vec<&str> = keys.iter().map(|key| key.key.as_str()).collect();
    let rows = sqlx::query!(
        r#"SELECT actor, key, fingerprint, outcome::text AS "outcome!" FROM idempotency_keys
            WHERE (actor, key) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))"#,
        &actors,
        &names as &[&str],
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let outcome = RawValue::from_string(row.outcome)
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok((
                (row.actor, row.key),
                Kept {
                    fingerprint: row.fingerprint,
                    outcome,
                },
            ))
        })
        .collect()
}

/// `count` references that no case has had.
pub(super) async fn new_references(
    conn: &mut PgConnection,
    count: i64,
) -> Result<Vec<Reference>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        r#"SELECT nextval('case_references')::integer AS "reference!" FROM generate_series(1, $1::bigint)"#,
        count
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(Reference::from_i32).collect())
}

/// The versions of the read models, `name=version` separated by spaces, and a number that nobody else has got.
pub(super) async fn models(conn: &mut PgConnection) -> Result<(String, Uuid), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT coalesce(string_agg(name || '=' || version, ' ' ORDER BY name), '') AS "models!",
                  gen_random_uuid() AS "id!"
             FROM projection_versions"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.models, row.id))
}
