//! The list of contacts, the newest first, and what it is searched by.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use docket_domain::channel::Channel;
use docket_domain::ids::{ContactId, SurveyId};
use docket_domain::personal::Personal;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::{ContactRow, RawContact, channels};
use crate::read::cases::search::Search;
use crate::read::rows::column;

/// So many contacts are found by a search at most; those that were there last come first.
const MAX_FOUND: i64 = 10_000;
/// So many of a contact's newest cases say on which channels it is known.
const NEWEST_CASES: i64 = 50;

/// Which contacts are listed.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Only those of these surveys; `None` for all.
    pub surveys: Option<Vec<SurveyId>>,
    /// Only those with such a number or name.
    pub q: Option<Personal<String>>,
}

/// The place of a contact in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    first_seen_at: DateTime<Utc>,
    contact_id: ContactId,
}

impl Cursor {
    /// The place of that contact; a page that begins there begins with the contact after it.
    pub const fn at(row: &ContactRow) -> Self {
        Self {
            first_seen_at: row.first_seen_at,
            contact_id: row.contact_id,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.first_seen_at.timestamp_micros();
        write!(f, "{micros}.{}", self.contact_id)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (micros, id) = text.split_once('.').ok_or(())?;
        let micros = micros.parse().map_err(|_| ())?;
        Ok(Self {
            first_seen_at: DateTime::from_timestamp_micros(micros).ok_or(())?,
            contact_id: id.parse().map_err(|_| ())?,
        })
    }
}

/// At most `limit` contacts behind `cursor`, those that were first seen last before the others.
///
/// # Errors
///
/// The database's error.
pub async fn list(
    pool: &PgPool,
    filter: &ListFilter,
    cursor: Option<Cursor>,
    limit: u32,
) -> Result<Vec<ContactRow>, sqlx::Error> {
    let search = filter.q.as_ref().and_then(|q| Search::of(q));
    let found = match &search {
        Some(search) => Some(found(pool, search).await?),
        None => None,
    };
    let surveys = filter.surveys.as_ref();
    let surveys = surveys.map(|surveys| column(surveys, |survey_id| survey_id.0));
    let rows = sqlx::query_as!(
        RawContact,
        r#"SELECT k.contact_id, k.survey_id, k.number, k.name AS profile_name, k.first_seen_at, d.name AS "name?", d.note AS "note?",
                  coalesce(d.opted_out, '{}') AS "opted_out!", coalesce(d.suspected, '{}') AS "suspected!",
                  coalesce(d.version, 0) AS "version!"
             FROM contacts k LEFT JOIN contact_details d USING (contact_id)
            WHERE ($1::uuid[] IS NULL OR k.survey_id = ANY ($1))
              AND ($2::uuid[] IS NULL OR k.contact_id = ANY ($2))
              AND ($3::timestamptz IS NULL OR (k.first_seen_at, k.contact_id) < ($3, $4))
            ORDER BY k.first_seen_at DESC, k.contact_id DESC
            LIMIT $5"#,
        surveys as _,
        found as _,
        cursor.map(|cursor| cursor.first_seen_at),
        cursor.map(|cursor| cursor.contact_id.0),
        i64::from(limit),
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(RawContact::read).collect())
}

/// The contacts that a search finds: by a part of the number, or by all of its words in one of the names.
async fn found(pool: &PgPool, search: &Search) -> Result<Vec<Uuid>, sqlx::Error> {
    let words = (!search.words.is_empty()).then_some(&search.words);
    let patterns = words.map_or_else(Vec::new, docket_domain::text::search::Query::patterns);
    let patterns: Vec<&str> = patterns
        .iter()
        .map(|pattern| pattern.like.as_str())
        .collect();
    sqlx::query_scalar!(
        r#"(SELECT contact_id AS "contact_id!" FROM contacts
             WHERE number_parts(lower(number)) @> number_parts($1::text) AND position($1::text IN lower(number)) > 0
             ORDER BY first_seen_at DESC LIMIT $4)
           UNION
           (SELECT contact_id FROM contacts
             WHERE name_words IS NOT NULL
               AND array_to_tsvector(string_to_array(btrim(name_words, ' '), ' ')) @@ $2::text::tsquery
               AND name_words LIKE ALL ($3::text[])
             ORDER BY first_seen_at DESC LIMIT $4)
           UNION
           (SELECT contact_id FROM contact_details
             WHERE name_words IS NOT NULL
               AND array_to_tsvector(string_to_array(btrim(name_words, ' '), ' ')) @@ $2::text::tsquery
               AND name_words LIKE ALL ($3::text[])
             LIMIT $4)"#,
        search.number_part,
        words.map(docket_domain::text::search::Query::tsquery),
        &patterns as &[&str],
        MAX_FOUND,
    )
    .fetch_all(pool)
    .await
}

/// The channels on which these contacts are known, by their newest cases.
///
/// # Errors
///
/// The database's error.
pub async fn channels_of(
    executor: impl PgExecutor<'_>,
    contacts: &[ContactId],
) -> Result<HashMap<ContactId, Vec<Channel>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT k.contact_id AS "contact_id!",
                  ARRAY(
                      SELECT DISTINCT unnest(ARRAY[c.channel, l.channel])
                        FROM (SELECT reference FROM contact_cases WHERE contact_id = k.contact_id
                               ORDER BY reference DESC LIMIT $2) n
                        JOIN cases c USING (reference)
                        LEFT JOIN lines l ON l.line_id = c.last_inbound_line_id
                       ORDER BY 1
                  ) AS "channels!: Vec<Option<String>>"
             FROM unnest($1::uuid[]) AS k (contact_id)"#,
        &column(contacts, |contact_id| contact_id.0),
        NEWEST_CASES,
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let names: Vec<String> = row.channels.into_iter().flatten().collect();
            (ContactId(row.contact_id), channels(&names))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        let cursor = Cursor {
            first_seen_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            contact_id: ContactId(Uuid::from_u128(7)),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in ["", "1", "1.x", "x.00000000-0000-0000-0000-000000000007"] {
            assert_eq!(wrong.parse::<Cursor>(), Err(()), "{wrong}");
        }
    }
}
