//! Finding the contacts that a batch is about.

use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::contact::profile::Contact;
use docket_domain::contact::{AUTOMATIC_REPLY_WINDOW, ContactState};
use docket_domain::ids::{ContactId, LineId, MessageId, Reference, SurveyId};
use docket_domain::personal::Personal;
use docket_domain::text::auto_reply;
use docket_domain::window::WINDOW;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Wanted;
use super::catch_up::Behind;
use crate::ledger::cache::ContactCache;
use crate::ledger::scope::Loaded;

/// The contacts concerned that the cache does not have as they are now.
#[derive(Default)]
pub(super) struct Found {
    /// Their open cases are read from the read models.
    pub(super) fresh: Vec<ContactId>,
    /// Cases that lack their newest events alone.
    pub(super) behind: Vec<Behind>,
}

/// Takes from the cache what is there; gives the numbers and cases whose contacts are not, and the contacts that are not.
fn take_cached<'a>(
    wanted: &'a Wanted,
    cache: &ContactCache,
    loaded: &mut Loaded,
) -> (Vec<(SurveyId, &'a str)>, Vec<Reference>, Vec<Uuid>) {
    let mut numbers = vec![];
    for (survey, number) in &wanted.numbers {
        match cache.take_by_number(*survey, number) {
            Some(contact) => loaded.put_contact(contact),
            None => numbers.push((*survey, number.as_str())),
        }
    }
    let mut references = vec![];
    for reference in &wanted.references {
        match cache.owner(*reference) {
            Some(id) if loaded.contact(id).is_some() => {}
            Some(id) => match cache.take(id) {
                Some(contact) => loaded.put_contact(contact),
                None => references.push(*reference),
            },
            None => references.push(*reference),
        }
    }
    let mut missing = vec![];
    for id in &wanted.contacts {
        match cache.take(*id) {
            Some(contact) => loaded.put_contact(contact),
            None if loaded.contact(*id).is_none() => missing.push(id.0),
            None => {}
        }
    }
    (numbers, references, missing)
}

/// Finds the contacts concerned, with their versions.
pub(super) async fn find_contacts(
    conn: &mut PgConnection,
    wanted: &Wanted,
    cache: &ContactCache,
    verify: bool,
    loaded: &mut Loaded,
) -> Result<Found, sqlx::Error> {
    let (numbers, references, missing) = take_cached(wanted, cache, loaded);
    let known: Vec<(Uuid, i64)> = loaded
        .contacts()
        .map(|contact| (contact.contact_id.0, contact.version.cast_signed()))
        .collect();
    let messages = !(wanted.message_ids.is_empty() && wanted.provider_ids.is_empty());
    let is_verified = !verify || known.is_empty();
    let is_named = !(numbers.is_empty() && references.is_empty() && missing.is_empty());
    if !is_named && !messages && is_verified {
        return Ok(Found::default());
    }
    let sought = Sought {
        numbers,
        references,
        missing,
        known,
        since: loaded.now - AUTOMATIC_REPLY_WINDOW,
        window_since: loaded.now - WINDOW,
    };
    let rows = query_contacts(&mut *conn, wanted, sought).await?;
    let mut found = Found::default();
    for row in rows {
        let id = ContactId(row.contact_id);
        let version = row.version.cast_unsigned();
        // The query tells the open cases of contacts that were known before it. One that is in the cache alone, found by a case or
        // a message, is taken as it is or read anew.
        let (cached, may_catch_up) = match loaded.take_contact(id) {
            Some(contact) => (Some(contact), true),
            None => (cache.take(id), false),
        };
        let cached = match cached {
            Some(contact) if contact.version == version => {
                loaded.put_contact(contact);
                continue;
            }
            cached => cached.filter(|_| may_catch_up),
        };
        let (mut contact, open) = row.read();
        match cached.and_then(|cached| Behind::of(cached, open, &mut contact)) {
            Some(behind) => found.behind.push(behind),
            None => found.fresh.push(id),
        }
        loaded.put_contact(contact);
    }
    load_last_lines(conn, &found.fresh, loaded).await?;
    Ok(found)
}

/// Where contacts are looked for.
struct Sought<'a> {
    numbers: Vec<(SurveyId, &'a str)>,
    references: Vec<Reference>,
    missing: Vec<Uuid>,
    /// The contacts of the cache, with the versions that it has.
    known: Vec<(Uuid, i64)>,
    since: DateTime<Utc>,
    /// From when on messages of the contact hold WhatsApp's window open.
    window_since: DateTime<Utc>,
}

async fn query_contacts(
    conn: &mut PgConnection,
    wanted: &Wanted,
    sought: Sought<'_>,
) -> Result<Vec<ContactRow>, sqlx::Error> {
    let Sought {
        numbers,
        references,
        missing,
        known,
        since,
        window_since,
    } = sought;
    let (surveys, numbers): (Vec<Uuid>, Vec<&str>) = numbers
        .into_iter()
        .map(|(survey, number)| (survey.0, number))
        .unzip();
    let references: Vec<i32> = references.iter().map(|known| known.as_i32()).collect();
    let message_ids: Vec<Uuid> = wanted.message_ids.iter().map(|id| id.0).collect();
    let provider_ids: Vec<String> = wanted.provider_ids.iter().cloned().collect();
    // A version that none has, so that these are read.
    let missing = missing.into_iter().map(|id| (id, -1));
    let (known_ids, known_versions): (Vec<Uuid>, Vec<i64>) =
        known.into_iter().chain(missing).unzip();
    sqlx::query_as!(
        ContactRow,
        r#"WITH concerned AS (
               SELECT c.contact_id
                 FROM unnest($1::uuid[], $2::text[]) AS k (survey_id, number)
                 JOIN contact_ids c ON c.survey_id = k.survey_id AND c.number = k.number
               UNION
               SELECT contact_id FROM cases WHERE reference = ANY ($3::integer[])
               UNION
               SELECT contact_id FROM messages
                WHERE message_id = ANY ($4::uuid[] || ARRAY(SELECT message_id FROM sent_ids
                                                             WHERE provider_id = ANY ($5::text[])))
               UNION
               SELECT v.contact_id
                 FROM unnest($6::uuid[], $7::bigint[]) AS v (contact_id, version)
                 JOIN contact_ids c ON c.contact_id = v.contact_id AND c.version <> v.version
           )
           SELECT k.contact_id, k.survey_id, k.number, k.version, k.last_wrote_at, k.last_line_id,
                  r.times AS "times!", r.ids AS "ids!",
                  d.version AS "profile_version?", d.name AS "name?", d.note AS "note?",
                  d.opted_out AS "opted_out?", d.suspected AS "suspected?",
                  o.open_references AS "open_references!", o.versions AS "versions!",
                  w.lines AS "window_lines!", w.times AS "window_times!"
             FROM concerned
             JOIN contact_ids k USING (contact_id)
             LEFT JOIN contact_details d USING (contact_id)
            CROSS JOIN LATERAL (
                      SELECT coalesce(array_agg(m.recorded_at ORDER BY m.recorded_at, m.message_id), '{}') AS times,
                             coalesce(array_agg(m.message_id ORDER BY m.recorded_at, m.message_id), '{}') AS ids
                        FROM (SELECT recorded_at, message_id FROM messages
                               WHERE automatic AND messages.contact_id = k.contact_id AND recorded_at > $8
                               ORDER BY recorded_at DESC LIMIT $9) m
                  ) r
            CROSS JOIN LATERAL (
                      SELECT coalesce(array_agg(o.reference ORDER BY o.reference), '{}') AS open_references,
                             coalesce(array_agg(c.version ORDER BY o.reference), '{}') AS versions
                        FROM open_cases o JOIN cases c USING (reference)
                       WHERE o.contact_id = k.contact_id AND k.contact_id = ANY ($6)
                  ) o
            CROSS JOIN LATERAL (
                      SELECT coalesce(array_agg(cw.line_id), '{}') AS lines,
                             coalesce(array_agg(cw.last_inbound_at), '{}') AS times
                        FROM contact_windows cw
                       WHERE cw.contact_id = k.contact_id AND cw.last_inbound_at > $10
                  ) w"#,
        &surveys,
        &numbers as &[&str],
        &references,
        &message_ids,
        &provider_ids,
        &known_ids,
        &known_versions,
        since,
        i64::try_from(auto_reply::MAX_PER_HOUR).unwrap_or(i64::MAX),
        window_since,
    )
    .fetch_all(conn)
    .await
}

/// A contact as the query gives it.
struct ContactRow {
    contact_id: Uuid,
    survey_id: Uuid,
    number: String,
    version: i64,
    last_wrote_at: Option<DateTime<Utc>>,
    last_line_id: Option<Uuid>,
    times: Vec<DateTime<Utc>>,
    ids: Vec<Uuid>,
    profile_version: Option<i64>,
    name: Option<String>,
    note: Option<String>,
    opted_out: Option<Vec<String>>,
    suspected: Option<Vec<String>>,
    open_references: Vec<i32>,
    versions: Vec<i64>,
    window_lines: Vec<Uuid>,
    window_times: Vec<DateTime<Utc>>,
}

impl ContactRow {
    /// The contact without its cases, and the references and versions of those that are open.
    fn read(self) -> (ContactState, impl Iterator<Item = (i32, i64)>) {
        let mut contact = ContactState::new(
            ContactId(self.contact_id),
            SurveyId(self.survey_id),
            self.number,
        );
        contact.version = self.version.cast_unsigned();
        if let Some(version) = self.profile_version {
            let channels = |names: Option<Vec<String>>| {
                let names = names.unwrap_or_default();
                names
                    .iter()
                    .filter_map(|name| Channel::from_name(name))
                    .collect()
            };
            contact.put_profile(Contact {
                version: version.cast_unsigned(),
                name: self.name.map(Personal),
                note: self.note.map(Personal),
                opted_out: channels(self.opted_out),
                suspected: channels(self.suspected),
            });
        }
        if let (Some(at), Some(line_id)) = (self.last_wrote_at, self.last_line_id) {
            contact.put_last_line(at, LineId(line_id));
        }
        for (at, message_id) in self.times.into_iter().zip(self.ids) {
            contact.put_automatic_reply(at, MessageId(message_id));
        }
        for (line_id, at) in self.window_lines.into_iter().zip(self.window_times) {
            contact.put_window(LineId(line_id), at);
        }
        (contact, self.open_references.into_iter().zip(self.versions))
    }
}

/// The line that contacts last wrote to, where their own row does not tell: they never wrote, or the row is from before it did and
/// the read models were missing then.
async fn load_last_lines(
    conn: &mut PgConnection,
    fresh: &[ContactId],
    loaded: &mut Loaded,
) -> Result<(), sqlx::Error> {
    let untold = |id: &&ContactId| {
        let contact = loaded.contact(**id);
        contact.is_some_and(|contact| contact.last_line().is_none())
    };
    let untold: Vec<Uuid> = fresh.iter().filter(untold).map(|id| id.0).collect();
    if untold.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (k.contact_id) k.contact_id, c.last_inbound_at AS "at!", c.last_inbound_line_id AS "line_id!"
             FROM contact_cases k JOIN cases c USING (reference)
            WHERE k.contact_id = ANY ($1) AND c.last_inbound_line_id IS NOT NULL
            ORDER BY k.contact_id, c.last_inbound_at DESC, c.reference DESC"#,
        &untold,
    )
    .fetch_all(conn)
    .await?;
    for row in rows {
        loaded.put_last_line(ContactId(row.contact_id), row.at, LineId(row.line_id));
    }
    Ok(())
}
