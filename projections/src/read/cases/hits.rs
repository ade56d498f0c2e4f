//! Where a search found a case: the newest item of its thread that has the words.

use std::collections::HashMap;

use docket_domain::content::Content;
use docket_domain::ids::Reference;
use docket_domain::json::read_stored;
use docket_domain::personal::Personal;
use docket_domain::text::search::Query;
use sqlx::PgExecutor;

use super::CaseRow;
use super::search::likes;
use crate::read::rows::{Row, column};

/// An item that has the words of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its texts: what was said, the comment, the names of files and places.
    pub texts: Vec<Personal<String>>,
    /// Whether we said it to the contact.
    pub is_ours: bool,
    /// Whether it is a note.
    pub is_note: bool,
}

/// The newest item with the words of `q` in each of these cases. A case is left out that the search finds by its number, by an
/// id or by the contact's name alone.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn of_cases(
    executor: impl PgExecutor<'_>,
    cases: &[CaseRow],
    q: &str,
) -> Result<HashMap<Reference, Found>, sqlx::Error> {
    let words = Query::parse(q);
    if words.is_empty() || cases.is_empty() {
        return Ok(HashMap::new());
    }
    let patterns = words.patterns();
    let found = sqlx::query!(
        r#"SELECT c.reference AS "reference!", t.said, t.comment, t.content::text AS "content?", t.kind,
                  t.direction
             FROM UNNEST($1::integer[], $2::uuid[]) c (reference, contact_id)
             CROSS JOIN LATERAL (
                 SELECT concat((SELECT k.name_words FROM contacts k WHERE k.contact_id = c.contact_id),
                               (SELECT d.name_words FROM contact_details d WHERE d.contact_id = c.contact_id)) AS words OFFSET 0
             ) name
             CROSS JOIN LATERAL (
                 SELECT ARRAY(
                     SELECT p.pattern FROM UNNEST($3::text[], $4::boolean[]) p (pattern, is_for_names)
                      WHERE NOT p.is_for_names OR name.words NOT LIKE p.pattern
                 ) AS patterns
                 OFFSET 0
             ) missing
             CROSS JOIN LATERAL (
                 SELECT t.said, t.comment, t.content, t.kind, t.direction
                   FROM thread_items t
                  WHERE t.reference = c.reference AND NOT t.hidden
                      AND missing.patterns <> '{}' AND t.words LIKE ALL (missing.patterns)
                  ORDER BY t.sequence DESC, t.part DESC
                  LIMIT 1
             ) t"#,
        &column(cases, |case| case.reference.as_i32()),
        &column(cases, |case| case.contact_id.0),
        &likes(&patterns) as &[&str],
        &column(&patterns, |pattern| pattern.is_for_names),
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|found| {
            let row = Row {
                table: "thread_items",
                key: found.reference,
            };
            let content = found.content.as_deref().map(read_stored).transpose();
            let content: Option<Content> = row.read("content", content)?;
            let named = content.iter().flat_map(Content::words).map(str::to_owned);
            let texts = found.said.into_iter().chain(found.comment).chain(named);
            let item = Found {
                texts: texts.map(Personal).collect(),
                is_ours: found.direction.as_deref() == Some("outbound"),
                is_note: found.kind == "note",
            };
            Ok((row.reference("reference", found.reference)?, item))
        })
        .collect()
}
