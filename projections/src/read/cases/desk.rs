//! What pages of the console show around their cases, in one statement each and never more than a page holds.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use docket_domain::case::CaseLabel;
use docket_domain::channel::Channel;
use docket_domain::ids::{ContactId, LineId, Reference, SurveyId, UserId};
use docket_domain::personal::Personal;
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::search::Search;
use super::{CaseFilter, CaseRow, Cursor, Driver, LinkKind, Page, RawCase};
use crate::read::contact_details::channels;
use crate::read::rows::{Row, column};

/// At most so many other cases of a contact are named on a page.
pub const MAX_OTHERS: i64 = 20;
/// At most so many links of a case are shown on a page.
pub const MAX_LINKS: i64 = 20;
/// So many of a contact's newest cases are asked, beside the open ones, when the person last wrote.
const NEWEST_CASES: i64 = 500;
/// At most so many colleagues are offered as a list.
pub const MAX_COLLEAGUES: i64 = 100;

/// What stands around a list of cases.
#[derive(Clone, Debug)]
pub struct Around {
    /// The position of the event that last changed a survey or a line.
    pub settings_position: i64,
    /// How far the person has read each of the cases; those that they never opened are missing.
    pub read_to: HashMap<Reference, u64>,
    /// What the contacts of the cases are called.
    pub names: HashMap<ContactId, Personal<String>>,
    /// Those of the contacts that opted out on some channel, or may want to.
    pub opt_outs: HashMap<ContactId, OptOuts>,
    /// Who can see to cases, ordered by address; one more than [`MAX_COLLEAGUES`] where there are more.
    pub colleagues: Vec<Colleague>,
}

/// On which channels a contact opted out, and on which they may want to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct OptOuts {
    /// The channels on which nothing is sent to them.
    pub opted_out: Vec<Channel>,
    /// The channels on which somebody has to decide.
    pub suspected: Vec<Channel>,
}

/// Somebody who can see to cases.
#[derive(Clone, Debug, Deserialize)]
pub struct Colleague {
    /// Their id.
    pub user_id: UserId,
    /// Their address.
    pub email: Personal<String>,
    /// What colleagues call them.
    pub name: Option<Personal<String>>,
    /// Whether they reach the survey that was asked about.
    pub reaches: bool,
}

/// What [`around`] is asked about.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Who asks.
    pub user_id: UserId,
    /// The cases that are shown.
    pub rows: &'a [CaseRow],
    /// The survey that colleagues should reach.
    pub survey_id: Option<SurveyId>,
}

/// What stands around a list of cases, for somebody.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn around(
    executor: impl PgExecutor<'_>,
    asked: &Asked<'_>,
) -> Result<Around, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT (SELECT settings_position FROM log_head) AS "settings_position!",
                  (SELECT coalesce(jsonb_object_agg(m.reference, m.read_to), '{}') FROM read_marks m
                    WHERE m.user_id = $1 AND m.reference = ANY ($2)) AS "read_to!: Json<HashMap<Reference, u64>>",
                  (SELECT coalesce(jsonb_object_agg(k.contact_id, coalesce(d.name, k.name)), '{}')
                     FROM contacts k LEFT JOIN contact_details d USING (contact_id)
                    WHERE k.contact_id = ANY ($3) AND coalesce(d.name, k.name) IS NOT NULL)
                       AS "names!: Json<HashMap<Uuid, Personal<String>>>",
                  (SELECT coalesce(jsonb_object_agg(d.contact_id, jsonb_build_object('opted_out', d.opted_out, 'suspected', d.suspected)), '{}')
                     FROM contact_details d
                    WHERE d.contact_id = ANY ($3) AND (d.opted_out <> '{}' OR d.suspected <> '{}'))
                       AS "opt_outs!: Json<HashMap<Uuid, OptOuts>>",
                  (SELECT coalesce(jsonb_agg(u), '[]') FROM (
                       SELECT u.user_id, u.email, u.name, $4::uuid IS NULL OR u.role = 'owner' OR u.surveys IS NULL OR $4 = ANY (u.surveys) AS reaches
                         FROM users u
                        WHERE NOT u.removed AND u.role <> 'auditor'
                        ORDER BY u.email
                        LIMIT $5
                   ) u) AS "colleagues!: Json<Vec<Colleague>>""#,
        asked.user_id.0,
        &column(asked.rows, |row| row.reference.as_i32()),
        &column(asked.rows, |row| row.contact_id.0),
        asked.survey_id.map(|survey_id| survey_id.0),
        MAX_COLLEAGUES + 1,
    )
    .fetch_one(executor)
    .await?;
    let names = found.names.0.into_iter();
    let opt_outs = found.opt_outs.0.into_iter();
    Ok(Around {
        settings_position: found.settings_position,
        read_to: found.read_to.0,
        names: names.map(|(id, name)| (ContactId(id), name)).collect(),
        opt_outs: opt_outs.map(|(id, outs)| (ContactId(id), outs)).collect(),
        colleagues: found.colleagues.0,
    })
}

/// A case with what its page says around its thread.
#[derive(Clone, Debug)]
pub struct About {
    /// The case.
    pub row: CaseRow,
    /// What the contact is called.
    pub name: Option<Personal<String>>,
    /// On which channels the contact opted out, or may want to.
    pub opt_outs: OptOuts,
    /// How far the person who asks has read it; `None` where they never opened it.
    pub read_to: Option<u64>,
    /// Our number of the line that it began on, where that is known, and whether the line was removed.
    pub line: Option<(String, Channel, bool)>,
    /// When and by which line the contact last wrote, in whichever case.
    pub last_inbound: Option<(DateTime<Utc>, LineId)>,
    /// Who else has it open.
    pub present: Vec<Personal<String>>,
    /// The contact's other cases: open ones first, then the newest; one more than [`MAX_OTHERS`] where there are more.
    pub others: Vec<Other>,
    /// What it has to do with others, the newest first; one more than [`MAX_LINKS`] where there are more.
    pub links: Vec<Linked>,
}

/// Another case of the same contact.
#[derive(Clone, Debug, Deserialize)]
pub struct Other {
    /// Its reference.
    pub reference: Reference,
    /// What it is called.
    pub title: Personal<String>,
    /// Whether messages can reach it.
    pub is_open: bool,
    /// Whether it is a record, which messages are never moved into.
    pub is_record: bool,
}

/// A case that another has to do with.
#[derive(Clone, Debug)]
pub struct Linked {
    /// What the case has to do with it.
    pub kind: LinkKind,
    /// The other case.
    pub case: Other,
}

#[derive(Debug, Deserialize)]
struct RawLinked {
    kind: String,
    #[serde(flatten)]
    case: Other,
}

/// A case with what is read around it, as the query gives it.
struct RawAbout {
    reference: i32,
    contact_id: Uuid,
    number: String,
    survey_id: Uuid,
    line_id: Uuid,
    channel: String,
    title: String,
    status: Option<String>,
    state: String,
    origin: String,
    withdrawn: bool,
    assignee_id: Option<Uuid>,
    assignee_email: Option<String>,
    version: i64,
    message_count: i32,
    opened_at: DateTime<Utc>,
    last_message_at: DateTime<Utc>,
    last_inbound_at: Option<DateTime<Utc>>,
    last_inbound_line_id: Option<Uuid>,
    last_message: i64,
    labels: Json<Vec<CaseLabel>>,
    snoozed_until: Option<DateTime<Utc>>,
    name: Option<String>,
    opted_out: Option<Vec<String>>,
    suspected: Option<Vec<String>>,
    read_to: Option<i64>,
    line_number: Option<String>,
    line_channel: Option<String>,
    line_removed: Option<bool>,
    newest_at: Option<DateTime<Utc>>,
    newest_line_id: Option<Uuid>,
    present: Vec<String>,
    others: Json<Vec<Other>>,
    links: Json<Vec<RawLinked>>,
}

impl RawAbout {
    fn read(self) -> Result<About, sqlx::Error> {
        let known = Row {
            table: "cases",
            key: self.reference,
        };
        let line = match (self.line_number, self.line_channel, self.line_removed) {
            (Some(number), Some(channel), Some(removed)) => {
                Some((number, known.channel("line_id", &channel)?, removed))
            }
            _ => None,
        };
        let links = self.links.0.into_iter().map(|link| {
            Ok(Linked {
                kind: known.some("links", LinkKind::from_name(&link.kind))?,
                case: link.case,
            })
        });
        let links = links.collect::<Result<_, sqlx::Error>>()?;
        let read_to = self
            .read_to
            .map(|read_to| known.read("read_to", read_to.try_into()));
        Ok(About {
            name: self.name.map(Personal),
            opt_outs: OptOuts {
                opted_out: channels(&self.opted_out.unwrap_or_default()),
                suspected: channels(&self.suspected.unwrap_or_default()),
            },
            read_to: read_to.transpose()?,
            line,
            last_inbound: self.newest_at.zip(self.newest_line_id.map(LineId)),
            present: self.present.into_iter().map(Personal).collect(),
            others: self.others.0,
            links,
            row: RawCase {
                reference: self.reference,
                contact_id: self.contact_id,
                number: self.number,
                survey_id: self.survey_id,
                line_id: self.line_id,
                channel: self.channel,
                title: self.title,
                status: self.status,
                state: self.state,
                origin: self.origin,
                withdrawn: self.withdrawn,
                assignee_id: self.assignee_id,
                assignee_email: self.assignee_email,
                version: self.version,
                message_count: self.message_count,
                opened_at: self.opened_at,
                last_message_at: self.last_message_at,
                last_inbound_at: self.last_inbound_at,
                last_inbound_line_id: self.last_inbound_line_id,
                last_message: self.last_message,
                labels: self.labels,
                snoozed_until: self.snoozed_until,
            }
            .read()?,
        })
    }
}

/// A case as its page shows it to somebody at `now`; `None` where there is none.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn about(
    executor: impl PgExecutor<'_>,
    reference: Reference,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<Option<About>, sqlx::Error> {
    let found = sqlx::query_as!(
        RawAbout,
        r#"SELECT c.reference, c.contact_id, c.number, c.survey_id, c.line_id, c.channel, c.title, c.status, c.state,
                  c.origin, c.withdrawn, c.assignee_id, c.assignee_email, c.version, c.message_count, c.opened_at,
                  c.last_message_at, c.last_inbound_at, c.last_inbound_line_id, c.last_message,
                  (SELECT coalesce(jsonb_agg(jsonb_build_object('label_id', t.label_id, 'name', t.name)), '[]')
                     FROM case_labels n JOIN labels t USING (label_id)
                    WHERE n.reference = c.reference) AS "labels!: Json<Vec<CaseLabel>>",
                  (SELECT s.until FROM snoozes s WHERE s.reference = c.reference) AS snoozed_until,
                  coalesce(d.name, k.name) AS "name?", d.opted_out AS "opted_out?",
                  d.suspected AS "suspected?", m.read_to AS "read_to?",
                  l.number AS "line_number?", l.channel AS "line_channel?", l.removed AS "line_removed?",
                  newest.last_inbound_at AS "newest_at?", newest.last_inbound_line_id AS "newest_line_id?",
                  ARRAY(
                      SELECT DISTINCT coalesce(u.name, u.email) FROM presence p JOIN users u USING (user_id)
                       WHERE p.reference = $1 AND p.user_id <> $2 AND p.expires_at > $3 AND NOT u.removed
                       ORDER BY 1
                       LIMIT 20
                  ) AS "present!",
                  (SELECT coalesce(jsonb_agg(o ORDER BY o.is_open DESC, o.reference DESC), '[]') FROM (
                       SELECT o.reference, o.title, o.state = 'open' AS is_open, o.origin = 'record' AS is_record
                         FROM (
                             (SELECT reference FROM open_cases WHERE contact_id = c.contact_id AND reference <> c.reference
                               ORDER BY reference DESC LIMIT $4)
                             UNION
                             (SELECT reference FROM contact_cases WHERE contact_id = c.contact_id AND reference <> c.reference
                               ORDER BY reference DESC LIMIT $4)
                         ) known JOIN cases o USING (reference)
                        WHERE NOT o.withdrawn
                        ORDER BY o.state = 'open' DESC, o.reference DESC
                        LIMIT $4
                   ) o) AS "others!: Json<Vec<Other>>",
                  (SELECT coalesce(jsonb_agg(t ORDER BY t.reference, t.kind), '[]') FROM (
                       SELECT n.kind, o.reference, o.title, o.state = 'open' AS is_open, o.origin = 'record' AS is_record
                         FROM (
                             SELECT kind, other, max(sequence) AS sequence FROM (
                                 SELECT kind, other, sequence FROM case_links WHERE reference = $1 ORDER BY sequence DESC LIMIT 200
                             ) newest GROUP BY kind, other ORDER BY max(sequence) DESC LIMIT $5
                         ) n JOIN cases o ON o.reference = n.other AND NOT o.withdrawn
                   ) t) AS "links!: Json<Vec<RawLinked>>"
             FROM cases c
             LEFT JOIN contacts k ON k.contact_id = c.contact_id
             LEFT JOIN contact_details d ON d.contact_id = c.contact_id
             LEFT JOIN lines l ON l.line_id = c.line_id
             LEFT JOIN read_marks m ON m.user_id = $2 AND m.reference = c.reference
             LEFT JOIN LATERAL (
                 SELECT o.last_inbound_at, o.last_inbound_line_id
                   FROM (
                       SELECT reference FROM open_cases WHERE contact_id = c.contact_id
                       UNION
                       (SELECT reference FROM contact_cases WHERE contact_id = c.contact_id ORDER BY reference DESC LIMIT $6)
                   ) known JOIN cases o USING (reference)
                  WHERE o.last_inbound_at IS NOT NULL
                  ORDER BY o.last_inbound_at DESC, o.reference DESC
                  LIMIT 1
             ) newest ON true
            WHERE c.reference = $1"#,
        reference.as_i32(),
        user_id.0,
        now,
        MAX_OTHERS + 1,
        MAX_LINKS + 1,
        NEWEST_CASES,
    )
    .fetch_optional(executor)
    .await?;
    found.map(RawAbout::read).transpose()
}

/// The contact's open cases that are no records, at most `limit`, the newest first.
///
/// # Errors
///
/// The database's error.
pub async fn open_of_contact(
    executor: impl PgExecutor<'_>,
    contact_id: ContactId,
    limit: i64,
) -> Result<Vec<Other>, sqlx::Error> {
    let found = sqlx::query!(
        "SELECT c.reference, c.title FROM open_cases o JOIN cases c USING (reference)
          WHERE o.contact_id = $1 ORDER BY o.reference DESC LIMIT $2",
        contact_id.0,
        limit,
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|case| open_case(case.reference, case.title))
        .collect()
}

/// The open cases of a number in a survey that are no records, at most `limit`, the newest first.
///
/// # Errors
///
/// The database's error.
pub async fn open_of_number(
    executor: impl PgExecutor<'_>,
    survey_id: SurveyId,
    number: &str,
    limit: i64,
) -> Result<Vec<Other>, sqlx::Error> {
    let found = sqlx::query!(
        "SELECT c.reference, c.title FROM contacts k
           JOIN open_cases o USING (contact_id) JOIN cases c USING (reference)
          WHERE k.survey_id = $1 AND k.number = $2 ORDER BY o.reference DESC LIMIT $3",
        survey_id.0,
        number,
        limit,
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|case| open_case(case.reference, case.title))
        .collect()
}

fn open_case(reference: i32, title: String) -> Result<Other, sqlx::Error> {
    let row = Row {
        table: "open_cases",
        key: reference,
    };
    Ok(Other {
        reference: row.reference("reference", reference)?,
        title: Personal(title),
        is_open: true,
        is_record: false,
    })
}

/// Those of the cases that a page of the list shows which begins at `cursor`, in the list's order. How long the page is does not count.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn among(
    pool: &PgPool,
    filter: &CaseFilter,
    cursor: Option<Cursor>,
    references: &[Reference],
) -> Result<Vec<CaseRow>, sqlx::Error> {
    let page = Page {
        filter,
        driver: Driver::References(column(references, |reference| reference.as_i32())),
        cursor,
        limit: u32::try_from(references.len()).unwrap_or(u32::MAX),
    };
    let rows = page.read(pool).await?;
    let Some(mut search) = filter.q.as_ref().and_then(|q| Search::of(q)) else {
        return Ok(rows);
    };
    if rows.is_empty() {
        return Ok(rows);
    }
    search.identify(pool).await?;
    Ok(page.found_among(pool, rows, &search).await?.collect())
}

/// To which surveys the cases belong.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn surveys_of(
    executor: impl PgExecutor<'_>,
    references: &[Reference],
) -> Result<HashMap<Reference, SurveyId>, sqlx::Error> {
    let found = sqlx::query!(
        "SELECT reference, survey_id FROM cases WHERE reference = ANY ($1)",
        &column(references, |reference| reference.as_i32()),
    )
    .fetch_all(executor)
    .await?;
    found
        .into_iter()
        .map(|case| {
            let row = Row {
                table: "cases",
                key: case.reference,
            };
            let reference = row.reference("reference", case.reference)?;
            Ok((reference, SurveyId(case.survey_id)))
        })
        .collect()
}

/// The addresses of people with their names or else the addresses again, at most `limit`, in order.
///
/// # Errors
///
/// The database's error.
pub async fn people(
    executor: impl PgExecutor<'_>,
    limit: i64,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let found = sqlx::query!(
        r#"SELECT email, coalesce(name, email) AS "shown!" FROM users WHERE NOT removed ORDER BY email LIMIT $1"#,
        limit,
    )
    .fetch_all(executor)
    .await?;
    Ok(found
        .into_iter()
        .map(|row| (row.email, row.shown))
        .collect())
}
