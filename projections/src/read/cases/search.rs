//! What somebody looks for in the list of cases: parts of a query, and the statements that find cases by each.

use std::collections::HashSet;

use docket_domain::ids::{MessageId, Reference};
use docket_domain::text::search::{self, Pattern, Query};
use sqlx::PgPool;
use uuid::Uuid;

use super::{CaseRow, FEW_OF_NUMBER, more_than};
use crate::read::rows::column;

/// So many cases, found by words, are ordered without an index; more are not even looked up.
pub(super) const FEW_OF_WORDS: usize = 30_000;
/// So many contacts, found by their names, are looked into; of more, none.
const FEW_OF_NAMES: usize = 3_000;
/// Fewer characters are in nearly every number.
const MIN_NUMBER_CHARS: usize = 3;
/// What is shorter is no id of a message.
const MIN_IDENTIFIER_CHARS: usize = 8;
/// What is longer is no id of a message, and no number.
const MAX_IDENTIFIER_CHARS: usize = 200;
/// So many cases of one id are found: more than a message stands in.
const MAX_IDENTIFIED: i64 = 1_000;
/// So many characters are read of what was typed.
const MAX_CHARS: usize = 1_000;

/// What a search can find; a case is found by any of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(in crate::read) struct Search {
    /// Words that one item of the thread and the contact's name have between them.
    pub(in crate::read) words: Query,
    /// The case of that reference.
    pub(super) reference: Option<i32>,
    /// Characters that stand side by side in the contact's number, or in the opaque id that takes its place; in small letters.
    pub(in crate::read) number_part: Option<String>,
    /// What may be Vonage's id of a message, ours, or the one that we gave Vonage.
    identifier: Option<String>,
    /// The cases in which the message of that id stands, once they are known.
    identified: Vec<i32>,
}

impl Search {
    /// Understands what was typed; `None` where nothing was.
    pub(in crate::read) fn of(q: &str) -> Option<Self> {
        let folded = search::fold(q, MAX_CHARS);
        let folded = folded.trim();
        if folded.is_empty() {
            return None;
        }
        if let Some(reference) = signed_reference(folded) {
            return Some(Self {
                reference: Some(reference.as_i32()),
                ..Self::default()
            });
        }
        let digits = number_digits(folded);
        let is_one_word = !folded.contains(char::is_whitespace)
            && folded.is_ascii()
            && folded.len() <= MAX_IDENTIFIER_CHARS;
        let number_part = digits
            .or_else(|| is_one_word.then(|| folded.to_owned()))
            .filter(|part| part.len() >= MIN_NUMBER_CHARS);
        let is_identifier = is_one_word
            && folded.len() >= MIN_IDENTIFIER_CHARS
            && folded.contains(|c: char| c.is_ascii_digit());
        Some(Self {
            words: Query::parse(q),
            reference: plain_reference(folded).map(Reference::as_i32),
            number_part,
            // As it was typed: Vonage's ids are compared letter by letter.
            identifier: is_identifier.then(|| visible(q)),
            identified: vec![],
        })
    }

    /// Whether a case is found by its reference, its contact's number or an id of a message.
    pub(super) fn finds(&self, case: &CaseRow) -> bool {
        let reference = case.reference.as_i32();
        let part = self.number_part.as_deref();
        self.reference == Some(reference)
            || self.identified.contains(&reference)
            || part.is_some_and(|part| case.number.to_ascii_lowercase().contains(part))
    }

    /// Whether it may find more than a case.
    pub(super) fn may_find_many(&self) -> bool {
        !self.words.is_empty() || self.number_part.is_some()
    }

    /// Looks up the cases of the message whose id this may be.
    pub(super) async fn identify(&mut self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let Some(identifier) = &self.identifier else {
            return Ok(());
        };
        let small = identifier.to_ascii_lowercase();
        let message_id = Uuid::try_parse(&small)
            .ok()
            .or_else(|| MessageId::from_client_ref(&small).map(|(id, _)| id.0));
        self.identified = sqlx::query_scalar!(
            r#"SELECT UNNEST(m.case_references) AS "reference!" FROM messages m WHERE m.message_id = $1
               UNION
               SELECT UNNEST(m.case_references) FROM messages m WHERE m.provider_id = ANY ($2)
               UNION
               SELECT UNNEST(m.case_references) FROM sent_ids s JOIN messages m USING (message_id) WHERE s.provider_id = ANY ($2)
               LIMIT $3"#,
            message_id,
            &[identifier.as_str(), &small] as &[&str],
            MAX_IDENTIFIED,
        )
        .fetch_all(pool)
        .await?;
        Ok(())
    }

    /// The cases that it finds, some of them perhaps more than once; `None` where there are too many.
    pub(super) async fn references(&self, pool: &PgPool) -> Result<Option<Vec<i32>>, sqlx::Error> {
        let mut found: Vec<i32> = self.reference.into_iter().collect();
        found.extend(&self.identified);
        if !self.words.is_empty() {
            let of_words = references_of_words(pool, &self.words).await?;
            if of_words.len() > FEW_OF_WORDS {
                return Ok(None);
            }
            found.extend(of_words);
            let Some(of_names) = references_of_names(pool, &self.words).await? else {
                return Ok(None);
            };
            found.extend(of_names);
        }
        if let Some(part) = &self.number_part {
            let of_number = sqlx::query_scalar!(
                "SELECT c.reference FROM contacts k JOIN contact_cases c USING (contact_id)
                 WHERE number_parts(lower(k.number)) @> number_parts($1::text) AND position($1::text IN lower(k.number)) > 0
                 LIMIT $2",
                part,
                more_than(FEW_OF_NUMBER),
            )
            .fetch_all(pool)
            .await?;
            if of_number.len() > FEW_OF_NUMBER {
                return Ok(None);
            }
            found.extend(of_number);
        }
        Ok(Some(found))
    }

    /// Those of the cases in which the words stand; the first `limit` of them.
    pub(super) async fn with_words(
        &self,
        pool: &PgPool,
        cases: &[&CaseRow],
        limit: u32,
    ) -> Result<HashSet<i32>, sqlx::Error> {
        if self.words.is_empty() || cases.is_empty() {
            return Ok(HashSet::new());
        }
        // The cases are looked at in their order, each in a search of its own that ends with the first item, until there are enough.
        // An offset has the name and the patterns that it lacks looked up once a case. No index of words is asked, which knows
        // nothing of these few cases.
        let patterns = self.words.patterns();
        let found = sqlx::query_scalar!(
            r#"SELECT c.reference AS "reference!"
               FROM UNNEST($1::integer[], $2::uuid[]) WITH ORDINALITY c (reference, contact_id, n)
               CROSS JOIN LATERAL (
                   SELECT concat((SELECT k.name_words FROM contacts k WHERE k.contact_id = c.contact_id),
                                 (SELECT d.name_words FROM contact_details d WHERE d.contact_id = c.contact_id)) AS words OFFSET 0
               ) name
               CROSS JOIN LATERAL (
                   SELECT ARRAY(
                       SELECT p.pattern FROM UNNEST($3::text[], $4::boolean[]) WITH ORDINALITY p (pattern, is_for_names, n)
                       WHERE NOT p.is_for_names OR name.words IS NULL OR name.words NOT LIKE p.pattern
                       ORDER BY p.n
                   ) AS patterns
                   OFFSET 0
               ) missing
               CROSS JOIN LATERAL (
                   SELECT FROM thread_items t
                   WHERE t.reference = c.reference AND NOT t.hidden
                       AND (missing.patterns = '{}' OR t.words LIKE ALL (missing.patterns))
                   LIMIT 1
               ) t
               ORDER BY c.n
               LIMIT $5"#,
            &column(cases, |case| case.reference.as_i32()),
            &column(cases, |case| case.contact_id.0),
            &likes(&patterns) as &[&str],
            &column(&patterns, |pattern| pattern.is_for_names),
            i64::from(limit),
        )
        .fetch_all(pool)
        .await?;
        Ok(found.into_iter().collect())
    }
}

/// The patterns alone.
pub(super) fn likes(patterns: &[Pattern]) -> Vec<&str> {
    column(patterns, |pattern| pattern.like.as_str())
}

/// The cases in which the words stand, each once for every item that has them, and no more than one too many.
async fn references_of_words(pool: &PgPool, words: &Query) -> Result<Vec<i32>, sqlx::Error> {
    // The index knows nothing of the order of words.
    let patterns = if words.has_phrases() {
        words.patterns()
    } else {
        vec![]
    };
    let mut transaction = pool.begin().await?;
    // What the index finds is noted down in this memory, in kB. With Postgres's own 4 MB it has to note whole pages where
    // a word is frequent, and then every item of them is searched again: seconds instead of milliseconds.
    // The planner takes every word for one in many items, and would start other processes to help, which takes longer than
    // all the rest.
    sqlx::query!(
        "SELECT set_config('work_mem', '65536', true) AS memory,
                set_config('max_parallel_workers_per_gather', '0', true) AS helpers"
    )
    .fetch_one(&mut *transaction)
    .await?;
    let found = sqlx::query_scalar!(
        "SELECT reference FROM thread_items
         WHERE words IS NOT NULL AND NOT hidden
             AND array_to_tsvector(string_to_array(btrim(words, ' '), ' ')) @@ $1::text::tsquery
             AND words LIKE ALL ($2::text[])
         LIMIT $3",
        words.tsquery(),
        &likes(&patterns) as &[&str],
        more_than(FEW_OF_WORDS),
    )
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(found)
}

/// The cases of contacts whose name has some of the words, and in which the rest stand; `None` where the contacts are too many.
async fn references_of_names(
    pool: &PgPool,
    words: &Query,
) -> Result<Option<Vec<i32>>, sqlx::Error> {
    let Some(some) = words.tsquery_of_names() else {
        return Ok(Some(vec![]));
    };
    let contacts = sqlx::query_scalar!(
        r#"(SELECT contact_id AS "contact_id!" FROM contacts
             WHERE name_words IS NOT NULL
                 AND array_to_tsvector(string_to_array(btrim(name_words, ' '), ' ')) @@ $1::text::tsquery
             LIMIT $2)
           UNION
           (SELECT contact_id FROM contact_details
             WHERE name_words IS NOT NULL
                 AND array_to_tsvector(string_to_array(btrim(name_words, ' '), ' ')) @@ $1::text::tsquery
             LIMIT $2)"#,
        some,
        more_than(FEW_OF_NAMES),
    )
    .fetch_all(pool)
    .await?;
    if contacts.len() > FEW_OF_NAMES {
        return Ok(None);
    }
    if contacts.is_empty() {
        return Ok(Some(vec![]));
    }
    let patterns = words.patterns();
    let found = sqlx::query_scalar!(
        r#"SELECT c.reference
           FROM UNNEST($1::uuid[]) k (contact_id)
           CROSS JOIN LATERAL (
               SELECT concat((SELECT n.name_words FROM contacts n WHERE n.contact_id = k.contact_id),
                             (SELECT d.name_words FROM contact_details d WHERE d.contact_id = k.contact_id)) AS words OFFSET 0
           ) name
           CROSS JOIN LATERAL (
               SELECT ARRAY(
                   SELECT p.pattern FROM UNNEST($2::text[], $3::boolean[]) WITH ORDINALITY p (pattern, is_for_names, n)
                   WHERE NOT p.is_for_names OR name.words IS NULL OR name.words NOT LIKE p.pattern
                   ORDER BY p.n
               ) AS patterns
               OFFSET 0
           ) missing
           JOIN contact_cases c ON c.contact_id = k.contact_id
           CROSS JOIN LATERAL (
               SELECT FROM thread_items t
               WHERE t.reference = c.reference AND NOT t.hidden
                   AND (missing.patterns = '{}' OR t.words LIKE ALL (missing.patterns))
               LIMIT 1
           ) t"#,
        &contacts,
        &likes(&patterns) as &[&str],
        &column(&patterns, |pattern| pattern.is_for_names),
    )
    .fetch_all(pool)
    .await?;
    Ok(Some(found))
}

/// What was typed without white space and control characters at its ends and without what cannot be seen.
fn visible(q: &str) -> String {
    q.chars()
        .filter(char::is_ascii_graphic)
        .take(MAX_IDENTIFIER_CHARS)
        .collect()
}

/// A reference with its sign, as it is pasted out of a sentence: `#123`, `# 123`, `(#00123).`
fn signed_reference(folded: &str) -> Option<Reference> {
    let inner = folded.trim_matches(|c: char| {
        matches!(
            c,
            '(' | ')' | '[' | ']' | '.' | ',' | ';' | ':' | '!' | '?' | '"'
        )
    });
    plain_reference(inner.strip_prefix('#')?.trim_start())
}

fn plain_reference(digits: &str) -> Option<Reference> {
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| digits.parse().ok()).flatten()
}

/// The digits of a number or of a part of one, as people spell it; `None` where it is something else. The zeros of a national
/// number are not in the international one: `07700 900123` and `+44 (0)7700 900123` are in 447700900123.
fn number_digits(folded: &str) -> Option<String> {
    let spelt = ["tel:", "sms:", "whatsapp:"]
        .iter()
        .find_map(|scheme| folded.strip_prefix(scheme))
        .unwrap_or(folded);
    let is_separator = |c: char| {
        matches!(
            c,
            ' ' | '+' | '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}'
        )
    };
    if !spelt.chars().all(|c| c.is_ascii_digit() || is_separator(c)) {
        return None;
    }
    let is_international =
        spelt.trim_start_matches('(').starts_with(['+']) || spelt.starts_with("00");
    let groups = spelt.split(is_separator).filter(|group| !group.is_empty());
    let digits: String = groups
        .enumerate()
        .map(|(n, group)| match (n, is_international) {
            // A trunk zero behind the country code, by itself or with what follows.
            (1, true) => group.trim_start_matches('0'),
            _ => group,
        })
        .collect();
    Some(digits.trim_start_matches('0').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(q: &str) -> Option<i32> {
        Search::of(q).unwrap().reference
    }

    fn number_part(q: &str) -> Option<String> {
        Search::of(q).unwrap().number_part
    }

    #[test]
    fn nothing_typed_is_no_search() {
        for q in ["", " \n", "\u{200b}\u{feff}", "\u{a0}"] {
            assert!(Search::of(q).is_none());
        }
    }

    #[test]
    fn a_reference_with_its_sign_is_nothing_else() {
        for q in [
            " #123 ",
            "＃123",
            "＃１２３",
            "﹟123",
            "#️⃣123",
            "#\u{200d}123",
            "#١٢٣",
            "#१२३",
            "# 123",
            "#\u{a0}123",
            "#00123",
            "(#123).",
            "\u{202a}#123\u{202c}",
        ] {
            let search = Search::of(q).unwrap();
            assert_eq!(search.reference, Some(123), "{q}");
            assert!(!search.may_find_many(), "{q}");
        }
        for q in ["#99999999999", "#0", "#12 roof", "##12", "#12a"] {
            assert_eq!(reference(q), None, "{q}");
            assert!(Search::of(q).unwrap().may_find_many(), "{q}");
        }
    }

    #[test]
    fn digits_are_a_reference_a_number_and_a_word() {
        for q in ["123", "１２３", "١٢٣", "0123"] {
            assert_eq!(reference(q), Some(123), "{q}");
            assert_eq!(number_part(q).as_deref(), Some("123"), "{q}");
            assert!(!Search::of(q).unwrap().words.is_empty());
        }
        assert_eq!(number_part("12"), None);
        assert_eq!(number_part("0000"), None);
    }

    #[test]
    fn a_number_is_found_in_every_spelling() {
        for (q, part) in [
            ("+44 7700 900123", "447700900123"),
            ("+44 7700 900", "447700900"),
            ("07700 900123", "7700900123"),
            ("00447700900123", "447700900123"),
            ("0044 7700-900.123", "447700900123"),
            ("+44 (0)7700 900123", "447700900123"),
            ("+44 (0) 7700 900123", "447700900123"),
            ("(+44) 7700/900123", "447700900123"),
            ("+44 07700 900123", "447700900123"),
            ("tel:+447700900123", "447700900123"),
            ("\u{202a}+44 7700 900123\u{202c}", "447700900123"),
            ("+44\u{a0}7700\u{2011}900\u{2013}123", "447700900123"),
            ("＋４４ ７７００ ９００１２３", "447700900123"),
            ("٤٤٧٧٠٠٩٠٠١٢٣", "447700900123"),
            ("900 123", "900123"),
            ("(202) 555-0100", "2025550100"),
            ("US.1234567890AbCdEf", "us.1234567890abcdef"),
            ("DocketTest", "dockettest"),
        ] {
            assert_eq!(number_part(q).as_deref(), Some(part), "{q}");
        }
        for q in ["roof 123", "ab", "预约预约", "+", "Anna Carter"] {
            assert_eq!(number_part(q), None, "{q}");
        }
    }

    #[test]
    fn an_identifier_keeps_its_letters() {
        let identifier = |q: &str| Search::of(q).unwrap().identifier;
        for (q, expected) in [
            (
                " aaaaaaaa-BBBB-4ccc-8ddd-0123456789ab\n",
                "aaaaaaaa-BBBB-4ccc-8ddd-0123456789ab",
            ),
            ("0A00000012345678", "0A00000012345678"),
            ("\u{feff}wamid.HBgM1==", "wamid.HBgM1=="),
        ] {
            assert_eq!(identifier(q).as_deref(), Some(expected));
        }
        for q in [
            "roof",
            "appointment",
            "1234567",
            "12345678 90",
            &"1".repeat(300),
        ] {
            assert_eq!(identifier(q), None, "{q}");
        }
    }
}
