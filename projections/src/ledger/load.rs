//! Locking and loading what a batch of operations needs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::persist::EventUpcaster;
use docket_domain::event::StreamId;
use docket_domain::ids::{ContactId, LineId, MessageId, Reference, SurveyId, UserId};
use serde_json::value::RawValue;
use sqlx::PgConnection;
use uuid::Uuid;

use super::cache::CaseCache;
use super::failure::Failure;
use super::operation::{ContactKey, IdempotencyKey, MessageKey, Needs, Receipt};
use super::scope::{Aggregate, Entry, KnownMessage, World};
use crate::log::reader;

/// How far back automatic replies count.
const AUTOMATIC_REPLY_WINDOW: TimeDelta = TimeDelta::hours(1);

/// A request done before.
pub(super) struct Kept {
    pub(super) fingerprint: Vec<u8>,
    pub(super) outcome: Box<RawValue>,
}

/// What the locking statement found.
pub(super) struct Locked {
    /// The receipts that were given just now; the others had been given before.
    pub(super) fresh_receipts: HashSet<(String, String)>,
    /// The position of the event that last changed the settings.
    pub(super) settings_position: i64,
    /// The versions of the read models: `name=version`, separated by spaces.
    pub(super) models: String,
    contacts: BTreeSet<ContactId>,
}

/// Writes receipts and locks the contacts of a batch, in order of their ids. `world.contacts` gets the contacts by number.
pub(super) async fn lock(
    conn: &mut PgConnection,
    needs: &[Needs],
    now: DateTime<Utc>,
    world: &mut World,
) -> Result<Locked, sqlx::Error> {
    // Sorted, so that two transactions with the same receipts meet in the same order.
    let receipts: BTreeSet<&Receipt> = needs
        .iter()
        .flat_map(|needs| needs.receipt.iter().chain(&needs.gives))
        .collect();
    let (kinds, keys): (Vec<_>, Vec<_>) = receipts
        .iter()
        .map(|receipt| (receipt.kind, receipt.key.as_str()))
        .unzip();
    let by_number: BTreeMap<(SurveyId, &str), &ContactKey> = needs
        .iter()
        .filter_map(|needs| needs.contact.as_ref())
        .map(|key| ((key.survey_id, key.number.as_str()), key))
        .collect();
    let (surveys, numbers): (Vec<Uuid>, Vec<&str>) = by_number
        .keys()
        .map(|(survey, number)| (survey.0, *number))
        .unzip();
    let references: Vec<i32> = needs
        .iter()
        .flat_map(|needs| &needs.cases)
        .map(|reference| reference.as_i32())
        .collect();
    let (message_ids, provider_ids) = message_keys(needs);

    // The receipts come first: whoever waits for somebody else's receipt must not hold a contact meanwhile. And a rebuild that
    // swaps the read models locks their table, so it waits for transactions that have come this far, and the others wait here,
    // where they hold nothing that it needs.
    let row = sqlx::query!(
        r#"WITH given AS (
               INSERT INTO webhook_receipts (kind, key, received_at)
               SELECT r.kind, r.key, $3 FROM unnest($1::text[], $2::text[]) AS r (kind, key)
               ON CONFLICT DO NOTHING
               RETURNING kind, key
           ), given_first AS (
               SELECT array_agg(kind) AS kinds, array_agg(key) AS keys FROM given
           ), concerned AS (
               SELECT c.contact_id
                 FROM unnest($4::uuid[], $5::text[]) AS k (survey_id, number)
                 JOIN contact_ids c ON c.survey_id = k.survey_id AND c.number = k.number
               UNION ALL
               SELECT contact_id FROM cases WHERE reference = ANY ($6::integer[])
               UNION ALL
               SELECT contact_id FROM messages
                WHERE message_id = ANY ($7::uuid[] || ARRAY(SELECT message_id FROM sent_ids
                                                             WHERE provider_id = ANY ($8::text[])))
           ), locked AS (
               SELECT contact_id, survey_id, number
                 FROM contact_ids
                WHERE contact_id IN (SELECT contact_id FROM concerned)
                  AND (SELECT cardinality(coalesce(kinds, '{}')) >= 0 FROM given_first)
                ORDER BY contact_id
                  FOR UPDATE
           ), locked_all AS (
               SELECT array_agg(contact_id) AS ids, array_agg(survey_id) AS surveys, array_agg(number) AS numbers FROM locked
           )
           SELECT (SELECT settings_position FROM log_head) AS "settings_position!",
                  coalesce((SELECT string_agg(name || '=' || version, ' ' ORDER BY name) FROM projection_versions), '') AS "models!",
                  coalesce((SELECT kinds FROM given_first), '{}') AS "kinds!: Vec<String>",
                  coalesce((SELECT keys FROM given_first), '{}') AS "keys!: Vec<String>",
                  coalesce(locked_all.ids, '{}') AS "contacts!: Vec<Uuid>",
                  coalesce(locked_all.surveys, '{}') AS "surveys!: Vec<Uuid>",
                  coalesce(locked_all.numbers, '{}') AS "numbers!: Vec<String>"
             FROM locked_all"#,
        &kinds as &[&str],
        &keys as &[&str],
        now,
        &surveys,
        &numbers as &[&str],
        &references,
        &message_ids,
        &provider_ids,
    )
    .fetch_one(&mut *conn)
    .await?;

    let mut contacts: BTreeSet<ContactId> = row.contacts.iter().map(|id| ContactId(*id)).collect();
    for ((id, survey), number) in row.contacts.into_iter().zip(row.surveys).zip(row.numbers) {
        world
            .contacts
            .insert((SurveyId(survey), number), ContactId(id));
    }
    let unknown: Vec<&ContactKey> = by_number
        .into_values()
        .filter(|key| {
            !world
                .contacts
                .contains_key(&(key.survey_id, key.number.clone()))
        })
        .collect();
    if !unknown.is_empty() {
        for (key, id) in make_contacts(conn, &unknown).await? {
            contacts.insert(id);
            world.contacts.insert(key, id);
        }
    }
    Ok(Locked {
        fresh_receipts: row.kinds.into_iter().zip(row.keys).collect(),
        settings_position: row.settings_position,
        models: row.models,
        contacts,
    })
}

/// Deletes receipts that this transaction gave.
pub(super) async fn take_back(
    conn: &mut PgConnection,
    receipts: &HashSet<(String, String)>,
) -> Result<(), sqlx::Error> {
    let (kinds, keys): (Vec<&str>, Vec<&str>) = receipts
        .iter()
        .map(|(kind, key)| (kind.as_str(), key.as_str()))
        .unzip();
    sqlx::query!(
        "DELETE FROM webhook_receipts r USING unnest($1::text[], $2::text[]) AS u (kind, key)
          WHERE r.kind = u.kind AND r.key = u.key",
        &kinds as &[&str],
        &keys as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes contacts, or waits for whoever makes the same ones at this moment; either way they are locked afterwards.
async fn make_contacts(
    conn: &mut PgConnection,
    unknown: &[&ContactKey],
) -> Result<Vec<((SurveyId, String), ContactId)>, sqlx::Error> {
    let ids: Vec<Uuid> = unknown.iter().map(|key| key.new_id.0).collect();
    let surveys: Vec<Uuid> = unknown.iter().map(|key| key.survey_id.0).collect();
    let numbers: Vec<&str> = unknown.iter().map(|key| key.number.as_str()).collect();
    let rows = sqlx::query!(
        "INSERT INTO contact_ids (contact_id, survey_id, number)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[])
         ON CONFLICT (survey_id, number) DO NOTHING
         RETURNING contact_id, survey_id, number",
        &ids,
        &surveys,
        &numbers as &[&str],
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut made: Vec<_> = rows
        .into_iter()
        .map(|row| {
            (
                (SurveyId(row.survey_id), row.number),
                ContactId(row.contact_id),
            )
        })
        .collect();
    if made.len() < unknown.len() {
        // Somebody else was faster and has committed meanwhile; their rows are visible to a new statement.
        let rows = sqlx::query!(
            "SELECT c.contact_id, c.survey_id, c.number
               FROM contact_ids c
              WHERE (c.survey_id, c.number) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))
              ORDER BY c.contact_id
                FOR UPDATE",
            &surveys,
            &numbers as &[&str],
        )
        .fetch_all(&mut *conn)
        .await?;
        made = rows
            .into_iter()
            .map(|row| {
                (
                    (SurveyId(row.survey_id), row.number),
                    ContactId(row.contact_id),
                )
            })
            .collect();
    }
    Ok(made)
}

fn message_keys(needs: &[Needs]) -> (Vec<Uuid>, Vec<String>) {
    let mut ids = vec![];
    let mut provider_ids = vec![];
    for key in needs.iter().filter_map(|needs| needs.message.as_ref()) {
        match key {
            MessageKey::Id(id) => ids.push(id.0),
            MessageKey::ProviderId(id) | MessageKey::Inbound(id) => provider_ids.push(id.clone()),
        }
    }
    (ids, provider_ids)
}

/// Loads what the operations need, after the locks.
pub(super) async fn load(
    conn: &mut PgConnection,
    needs: &[Needs],
    locked: &Locked,
    cache: &CaseCache,
    upcasters: &[Box<dyn EventUpcaster>],
    world: &mut World,
) -> Result<(), Failure> {
    load_messages(conn, needs, world).await?;
    if needs
        .iter()
        .filter_map(|needs| needs.message.as_ref())
        .flat_map(|key| world.messages.iter().filter(|message| message.is(key)))
        .any(|message| !locked.contacts.contains(&message.contact_id))
    {
        // It was recorded when the locks were taken, too late for whoever looked whose it is.
        return Err(Failure::Conflict("a message came up meanwhile".into()));
    }
    world.keeps_messages = needs
        .iter()
        .any(|needs| needs.quoted.is_some() || needs.message.is_some());
    load_newest_cases(conn, needs, world).await?;
    let mut wanted = load_cases(conn, needs, locked, cache, world).await?;
    wanted.extend(
        needs
            .iter()
            .flat_map(|needs| &needs.streams)
            .map(|stream| (*stream, 0)),
    );
    load_streams(conn, wanted, upcasters, world).await?;
    count_automatic_replies(conn, needs, world).await?;
    let emails: Vec<&str> = needs
        .iter()
        .filter_map(|needs| needs.email.as_deref())
        .collect();
    if !emails.is_empty() {
        load_emails(conn, &emails, world).await?;
    }
    if needs.iter().any(|needs| needs.owners) {
        load_owners(conn, world).await?;
    }
    if needs.iter().any(|needs| needs.last_line) {
        load_last_lines(conn, locked, world).await?;
    }
    Ok(())
}

async fn load_messages(
    conn: &mut PgConnection,
    needs: &[Needs],
    world: &mut World,
) -> Result<(), sqlx::Error> {
    let (ids, mut provider_ids) = message_keys(needs);
    provider_ids.extend(needs.iter().filter_map(|needs| needs.quoted.clone()));
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
    world.messages.extend(rows.into_iter().map(|row| {
        KnownMessage {
            message_id: MessageId(row.message_id),
            provider_ids: row.provider_ids,
            contact_id: ContactId(row.contact_id),
            outbound: row.direction == "outbound",
            references: row
                .case_references
                .into_iter()
                .filter_map(Reference::from_i32)
                .collect(),
        }
    }));
    Ok(())
}

async fn load_newest_cases(
    conn: &mut PgConnection,
    needs: &[Needs],
    world: &mut World,
) -> Result<(), sqlx::Error> {
    let contacts: Vec<Uuid> = needs
        .iter()
        .filter(|needs| needs.newest_case)
        .filter_map(|needs| needs.contact.as_ref())
        .filter_map(|key| world.contacts.get(&(key.survey_id, key.number.clone())))
        .map(|contact| contact.0)
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
    world.newest = rows
        .into_iter()
        .filter_map(|row| {
            Some((
                ContactId(row.contact_id),
                Reference::from_i32(row.reference)?,
            ))
        })
        .collect();
    Ok(())
}

/// Finds the cases concerned, takes from the cache those that are up to date, and says from where the others must be read.
async fn load_cases(
    conn: &mut PgConnection,
    needs: &[Needs],
    locked: &Locked,
    cache: &CaseCache,
    world: &mut World,
) -> Result<HashMap<StreamId, u64>, sqlx::Error> {
    let contacts: Vec<Uuid> = needs
        .iter()
        .filter_map(|needs| needs.contact.as_ref())
        .filter_map(|key| world.contacts.get(&(key.survey_id, key.number.clone())))
        .map(|contact| contact.0)
        .collect();
    let references: BTreeSet<i32> = needs
        .iter()
        .flat_map(|needs| needs.cases.iter().chain(&needs.mentioned))
        .chain(
            world
                .messages
                .iter()
                .flat_map(|message| &message.references),
        )
        .chain(world.newest.values())
        .map(|reference| reference.as_i32())
        .collect();
    if contacts.is_empty() && references.is_empty() {
        return Ok(HashMap::new());
    }
    let references: Vec<i32> = references.into_iter().collect();
    let rows = sqlx::query!(
        r#"SELECT c.reference, c.contact_id, c.state = 'open' AND c.origin <> 'record' AS "open!", c.version
             FROM cases c
            WHERE c.reference IN (SELECT o.reference FROM open_cases o WHERE o.contact_id = ANY ($1::uuid[])
                                  UNION ALL SELECT unnest($2::integer[]))"#,
        &contacts,
        &references,
    )
    .fetch_all(conn)
    .await?;
    let mut stale = HashMap::new();
    for row in rows {
        let (Some(reference), contact) = (
            Reference::from_i32(row.reference),
            ContactId(row.contact_id),
        ) else {
            continue;
        };
        // A case that a message only mentions may be somebody else's, and then is none of this transaction's business.
        if !locked.contacts.contains(&contact) {
            continue;
        }
        if row.open {
            world.open.entry(contact).or_default().insert(reference);
        }
        let stream = StreamId::Case(reference);
        let version = row.version.cast_unsigned();
        match cache.take(reference) {
            Some(entry) if entry.aggregate.version() <= version => {
                if entry.aggregate.version() < version {
                    stale.insert(stream, entry.aggregate.version());
                }
                world.streams.insert(stream, entry);
            }
            _ => {
                stale.insert(stream, 0);
            }
        }
    }
    Ok(stale)
}

async fn load_streams(
    conn: &mut PgConnection,
    wanted: HashMap<StreamId, u64>,
    upcasters: &[Box<dyn EventUpcaster>],
    world: &mut World,
) -> Result<(), Failure> {
    if wanted.is_empty() {
        return Ok(());
    }
    let wanted: Vec<_> = wanted.into_iter().collect();
    for event in reader::streams(conn, &wanted).await? {
        let recorded = event.decode(upcasters)?;
        let entry = world
            .streams
            .entry(recorded.stream)
            .or_insert_with(|| Entry {
                aggregate: Aggregate::empty(recorded.stream),
                last_recorded_at: recorded.recorded_at,
            });
        entry.aggregate.evolve(&recorded.event);
        entry.last_recorded_at = recorded.recorded_at;
    }
    Ok(())
}

/// Only contacts with several open cases get automatic replies, so only theirs are counted, and of those who may come to
/// have several in this transaction: by another message of theirs, or by what somebody does to cases.
async fn count_automatic_replies(
    conn: &mut PgConnection,
    needs: &[Needs],
    world: &mut World,
) -> Result<(), sqlx::Error> {
    let changes_cases = needs.iter().any(|needs| !needs.cases.is_empty());
    let mut messages: HashMap<ContactId, usize> = HashMap::new();
    for key in needs.iter().filter_map(|needs| needs.contact.as_ref()) {
        if let Some(contact) = world.contacts.get(&(key.survey_id, key.number.clone())) {
            *messages.entry(*contact).or_default() += 1;
        }
    }
    let has_several = |contact| world.open.get(contact).is_some_and(|open| open.len() > 1);
    let contacts: Vec<Uuid> = messages
        .iter()
        .filter(|(contact, messages)| changes_cases || **messages > 1 || has_several(*contact))
        .map(|(contact, _)| contact.0)
        .collect();
    if contacts.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"SELECT contact_id, count(*) AS "count!" FROM messages
            WHERE automatic AND contact_id = ANY ($1) AND recorded_at > $2 GROUP BY contact_id"#,
        &contacts,
        world.now - AUTOMATIC_REPLY_WINDOW,
    )
    .fetch_all(conn)
    .await?;
    world.automatic_replies = rows
        .into_iter()
        .map(|row| {
            (
                ContactId(row.contact_id),
                usize::try_from(row.count).unwrap_or(usize::MAX),
            )
        })
        .collect();
    Ok(())
}

async fn load_emails(
    conn: &mut PgConnection,
    emails: &[&str],
    world: &mut World,
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
    world.emails = rows
        .into_iter()
        .map(|row| (row.email.to_lowercase(), UserId(row.user_id)))
        .collect();
    Ok(())
}

/// Who stops being an owner at this moment elsewhere is waited for, and is none when that has committed.
async fn load_owners(conn: &mut PgConnection, world: &mut World) -> Result<(), sqlx::Error> {
    let rows = sqlx::query_scalar!(
        "SELECT user_id FROM users WHERE role = 'owner' AND NOT removed ORDER BY user_id FOR UPDATE"
    )
    .fetch_all(conn)
    .await?;
    world.owners = rows.into_iter().map(UserId).collect();
    Ok(())
}

async fn load_last_lines(
    conn: &mut PgConnection,
    locked: &Locked,
    world: &mut World,
) -> Result<(), sqlx::Error> {
    let contacts: Vec<Uuid> = locked.contacts.iter().map(|contact| contact.0).collect();
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (k.contact_id) k.contact_id, c.last_inbound_at AS "at!", c.last_inbound_line_id AS "line_id!"
             FROM contact_cases k JOIN cases c USING (reference)
            WHERE k.contact_id = ANY ($1) AND c.last_inbound_line_id IS NOT NULL
            ORDER BY k.contact_id, c.last_inbound_at DESC, c.reference DESC"#,
        &contacts,
    )
    .fetch_all(conn)
    .await?;
    world.last_lines = rows
        .into_iter()
        .map(|row| (ContactId(row.contact_id), (row.at, LineId(row.line_id))))
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
