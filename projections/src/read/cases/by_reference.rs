//! The list of cases in the order of their references, which stands still while messages come.

use docket_domain::case::CaseLabel;
use docket_domain::channel::Channel;
use docket_domain::ids::Reference;
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use super::{AssigneeFilter, CaseFilter, CaseRow, CaseState, RawCase};

/// The cases behind `after`, ordered by their references, at most `limit`. The filter's words (`q`) and its reader (`unread_by`) are not
/// looked at.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn list(
    pool: &PgPool,
    filter: &CaseFilter,
    after: Option<Reference>,
    limit: u32,
) -> Result<Vec<CaseRow>, sqlx::Error> {
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
    let rows = sqlx::query_as!(
        RawCase,
        r#"SELECT c.reference, contact_id, number, survey_id, line_id, channel, title, status, state, origin, withdrawn,
                  assignee_id, assignee_email, version, message_count, opened_at, last_message_at, last_inbound_at,
                  last_inbound_line_id, last_message,
                  (SELECT coalesce(jsonb_agg(jsonb_build_object('label_id', l.label_id, 'name', l.name)), '[]')
                     FROM case_labels k JOIN labels l USING (label_id)
                    WHERE k.reference = c.reference) AS "labels!: Json<Vec<CaseLabel>>",
                  z.until AS "snoozed_until?"
             FROM cases c
             LEFT JOIN snoozes z ON z.reference = c.reference
            WHERE c.reference > $1
              AND ($2::text IS NULL OR state = $2)
              AND ($3::uuid[] IS NULL OR survey_id = ANY ($3))
              AND (NOT $4::boolean OR assignee_id IS NOT DISTINCT FROM $5::uuid)
              AND ($6::text IS NULL OR (number ~>=~ $6 AND number ~<=~ $7))
              AND ($9::text IS NULL OR status = $9)
              AND ($10::uuid IS NULL OR line_id = $10)
              AND ($11::text IS NULL OR channel = $11)
              AND last_message_at >= COALESCE($12, '-infinity'::timestamptz)
              AND last_message_at < COALESCE($13, 'infinity'::timestamptz)
              AND (NOT $14::boolean OR waiting_since IS NOT NULL AND waits_since(c.reference, answered) IS NOT NULL)
              AND (NOT $15::boolean OR failed AND is_last_reply_failed(c.reference))
              AND ($16::uuid IS NULL OR EXISTS (
                      SELECT FROM case_labels t WHERE t.reference = c.reference AND t.label_id = $16
                  ))
              AND ($17::boolean IS NULL OR (z.reference IS NOT NULL) = $17)
            ORDER BY c.reference
            LIMIT $8"#,
        after.map_or(0, Reference::as_i32),
        filter.state.map(CaseState::as_str),
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
        filter.waiting,
        filter.failed,
        filter.label.map(|label_id| label_id.0),
        filter.snoozed,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(RawCase::read).collect()
}
