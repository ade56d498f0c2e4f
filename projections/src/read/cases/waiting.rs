//! The cases in which the contact waits for an answer, those that wait longest first.

use chrono::{DateTime, Utc};
use docket_domain::case::CaseLabel;
use docket_domain::channel::Channel;
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use super::{AssigneeFilter, CaseFilter, CaseRow, Cursor, RawCase};

/// At most `limit` cases that wait, ordered by the time since when they wait, after `cursor` or from the beginning; each with that time.
///
/// The filter's words (`q`) and its reader (`unread_by`) are not looked at, and its state neither: an open case alone waits.
/// The order is that of the column, which a message that was moved out since can make earlier than what the thread tells.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn list(
    pool: &PgPool,
    filter: &CaseFilter,
    cursor: Option<Cursor>,
    limit: u32,
) -> Result<Vec<(CaseRow, DateTime<Utc>)>, sqlx::Error> {
    let bounds = filter.number.as_ref().map(super::NumberFilter::bounds);
    let surveys: Option<Vec<Uuid>> = filter
        .surveys
        .as_ref()
        .map(|surveys| surveys.iter().map(|survey_id| survey_id.0).collect());
    let (is_of, assignee) = match filter.assignee {
        None => (false, None),
        Some(AssigneeFilter::Nobody) => (true, None),
        Some(AssigneeFilter::User(user_id)) => (true, Some(user_id.0)),
    };
    let found = sqlx::query!(
        r#"SELECT c.reference, contact_id, number, survey_id, line_id, channel, title, status, state, origin, withdrawn,
                  assignee_id, assignee_email, version, message_count, opened_at, last_message_at, last_inbound_at,
                  last_inbound_line_id, last_message, waiting_since AS "waiting_since!",
                  (SELECT coalesce(jsonb_agg(jsonb_build_object('label_id', l.label_id, 'name', l.name)), '[]')
                     FROM case_labels k JOIN labels l USING (label_id)
                    WHERE k.reference = c.reference) AS "labels!: Json<Vec<CaseLabel>>",
                  z.until AS "snoozed_until?"
             FROM cases c
             LEFT JOIN snoozes z ON z.reference = c.reference
            WHERE waiting_since IS NOT NULL AND waits_since(c.reference, answered) IS NOT NULL
              AND (waiting_since, c.reference) > (COALESCE($1, '-infinity'::timestamptz), COALESCE($2::integer, 0))
              AND ($3::uuid[] IS NULL OR survey_id = ANY ($3))
              AND (NOT $4::boolean OR assignee_id IS NOT DISTINCT FROM $5::uuid)
              AND ($6::text IS NULL OR (number ~>=~ $6 AND number ~<=~ $7))
              AND ($9::text IS NULL OR status = $9)
              AND ($10::uuid IS NULL OR line_id = $10)
              AND ($11::text IS NULL OR channel = $11)
              AND last_message_at >= COALESCE($12, '-infinity'::timestamptz)
              AND last_message_at < COALESCE($13, 'infinity'::timestamptz)
              AND (NOT $14::boolean OR failed AND is_last_reply_failed(c.reference))
              AND ($15::uuid IS NULL OR EXISTS (
                      SELECT FROM case_labels t WHERE t.reference = c.reference AND t.label_id = $15
                  ))
              AND ($16::boolean IS NULL OR (z.reference IS NOT NULL) = $16)
            ORDER BY waiting_since, c.reference
            LIMIT $8"#,
        cursor.map(|cursor| cursor.at),
        cursor.map(|cursor| cursor.reference.as_i32()),
        surveys.as_deref(),
        is_of,
        assignee,
        bounds.as_ref().map(|(least, _)| *least),
        bounds.as_ref().map(|(_, greatest)| greatest.as_str()),
        i64::from(limit),
        filter.status.as_deref(),
        filter.line.map(|line_id| line_id.0),
        filter.channel.map(Channel::as_str),
        filter.since,
        filter.until,
        filter.failed,
        filter.label.map(|label_id| label_id.0),
        filter.snoozed,
    )
    .fetch_all(pool)
    .await?;
    found
        .into_iter()
        .map(|row| {
            let case = RawCase {
                reference: row.reference,
                contact_id: row.contact_id,
                number: row.number,
                survey_id: row.survey_id,
                line_id: row.line_id,
                channel: row.channel,
                title: row.title,
                status: row.status,
                state: row.state,
                origin: row.origin,
                withdrawn: row.withdrawn,
                assignee_id: row.assignee_id,
                assignee_email: row.assignee_email,
                version: row.version,
                message_count: row.message_count,
                opened_at: row.opened_at,
                last_message_at: row.last_message_at,
                last_inbound_at: row.last_inbound_at,
                last_inbound_line_id: row.last_inbound_line_id,
                last_message: row.last_message,
                labels: row.labels,
                snoozed_until: row.snoozed_until,
            };
            Ok((case.read()?, row.waiting_since))
        })
        .collect()
}

/// The place of a case in that order.
pub const fn cursor(case: &CaseRow, waiting_since: DateTime<Utc>) -> Cursor {
    Cursor {
        at: waiting_since,
        reference: case.reference,
    }
}
