//! Statements that write rows of several read models at once.
//!
//! A message changes few rows in many tables. A statement for each table would cost more than the rows: every one is a way to the
//! server and back, and the contact stays locked meanwhile. So what nearly every message brings is written by one statement, together
//! with its event, and what the first message of a case brings by one before it. What happens seldom, each handler writes by itself.
//!
//! The parts of a statement see the tables as they were before it. They write different tables, and none looks for what another one
//! writes: cases that have begun are there when the second statement looks them up.

use sqlx::PgConnection;

use super::Rows;
use super::cases::{CaseOrigin, CaseRows, CaseState, NewCase};
use super::contacts::ContactRows;
use super::rows::column;
use super::thread::NewItem;
use crate::log::append::{Appended, EventColumns};
use crate::log::recorded::Recorded;

/// Writes `rows`, and appends `events`; `None` where there is no event.
pub(super) async fn write(
    conn: &mut PgConnection,
    rows: &Rows,
    events: &[Recorded],
) -> Result<Option<Appended>, sqlx::Error> {
    // Every handler is named, so that the rows of none can be forgotten.
    let Rows {
        surveys: (),
        lines: (),
        installation: (),
        users: (),
        outbox: (),
        unrouted: (),
        contacts: ContactRows { seen, named },
        open_cases,
        cases: CaseRows { new, changed },
        thread,
        messages,
        reports,
    } = rows;
    let begins =
        !(seen.is_empty() && new.is_empty() && open_cases.is_empty() && reports.is_empty());
    if begins {
        write_beginnings(conn, rows).await?;
    }
    let goes_on =
        !(thread.is_empty() && messages.is_empty() && changed.is_empty() && named.is_empty());
    if !goes_on && events.is_empty() {
        return Ok(None);
    }
    write_rest(conn, rows, &EventColumns::of(events)?).await
}

/// What the first event of a case brings.
async fn write_beginnings(conn: &mut PgConnection, rows: &Rows) -> Result<(), sqlx::Error> {
    let ContactRows { seen, .. } = &rows.contacts;
    let CaseRows { new: cases, .. } = &rows.cases;
    let Rows {
        open_cases,
        reports,
        ..
    } = rows;
    sqlx::query!(
        "WITH contact AS (
             INSERT INTO contacts (contact_id, survey_id, number, first_seen_at)
             SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
             ON CONFLICT DO NOTHING
         ), contact_case AS (
             INSERT INTO contact_cases (reference, contact_id) SELECT * FROM UNNEST($5::integer[], $6::uuid[])
         ), open_case AS (
             INSERT INTO open_cases (contact_id, reference) SELECT * FROM UNNEST($25::uuid[], $26::integer[])
             ON CONFLICT DO NOTHING
         ), report_case AS (
             INSERT INTO report_cases (
                 reference, survey_id, origin, withdrawn, opened_at, responded_at, responder_id, closed_at, closer_id
             )
             SELECT * FROM UNNEST(
                 $27::integer[], $28::uuid[], $29::text[], $30::boolean[], $31::timestamptz[], $32::timestamptz[],
                 $33::uuid[], $34::timestamptz[], $35::uuid[]
             )
         )
         INSERT INTO cases (
             reference, contact_id, number, survey_id, line_id, channel, title, status, state, origin, withdrawn,
             assignee_id, assignee_email, version, message_count, opened_at, last_message_at, last_inbound_at,
             last_inbound_line_id, last_message
         )
         SELECT * FROM UNNEST(
             $5::integer[], $6::uuid[], $7::text[], $8::uuid[], $9::uuid[], $10::text[], $11::text[], $12::text[],
             $13::text[], $14::text[], $15::boolean[], $16::uuid[], $17::text[], $18::bigint[], $19::integer[],
             $20::timestamptz[], $21::timestamptz[], $22::timestamptz[], $23::uuid[], $24::bigint[]
         )",
        &column(seen, |(id, _)| *id),
        &column(seen, |(_, seen)| seen.survey_id),
        &column(seen, |(_, seen)| seen.number.as_str()) as _,
        &column(seen, |(_, seen)| seen.at),
        &column(cases, |case| case.origin().reference.as_i32()),
        &column(cases, |case| case.origin().contact_id.0),
        &column(cases, |case| case.origin().number.as_str()) as _,
        &column(cases, |case| case.origin().survey_id.0),
        &column(cases, |case| case.origin().line_id.0),
        &column(cases, |case| case.origin().channel.as_str()) as _,
        &column(cases, NewCase::title) as _,
        &column(cases, NewCase::status) as _,
        &column(cases, |case| case.change.state().unwrap_or(CaseState::Open.as_str())) as _,
        &column(cases, |case| CaseOrigin::of(case.origin().origin).as_str()) as _,
        &column(cases, |case| case.change.withdrawn),
        &column(cases, |case| case.change.assignee().map(|assignee| assignee.user_id.0)) as _,
        &column(cases, |case| case.change.assignee().map(|assignee| assignee.email.as_str())) as _,
        &column(cases, |case| case.change.version),
        &column(cases, |case| case.change.messages),
        &column(cases, NewCase::opened_at),
        &column(cases, |case| case.change.last_message_at.unwrap_or(case.opened_at())),
        &column(cases, |case| case.change.last_inbound.map(|(at, _)| at)) as _,
        &column(cases, |case| case.change.last_inbound.map(|(_, line_id)| line_id)) as _,
        &column(cases, |case| case.change.last_message.unwrap_or_default()),
        &column(open_cases, |(contact_id, _)| *contact_id),
        &column(open_cases, |(_, reference)| *reference),
        &column(reports, |case| case.reference),
        &column(reports, |case| case.survey_id),
        &column(reports, |case| case.origin.as_str()) as _,
        &column(reports, |case| case.withdrawn),
        &column(reports, |case| case.opened_at),
        &column(reports, |case| case.responded.map(|(at, _)| at)) as _,
        &column(reports, |case| case.responded.map(|(_, by)| by)) as _,
        &column(reports, |case| case.closed.map(|(at, _)| at)) as _,
        &column(reports, |case| case.closed.and_then(|(_, by)| by)) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What every message brings, and the events. The log's head is counted on when the read models are written.
#[expect(clippy::too_many_lines, reason = "one line for each column")]
async fn write_rest(
    conn: &mut PgConnection,
    rows: &Rows,
    events: &EventColumns,
) -> Result<Option<Appended>, sqlx::Error> {
    let Rows {
        thread: items,
        messages,
        ..
    } = rows;
    let CaseRows { changed: cases, .. } = &rows.cases;
    let ContactRows { named, .. } = &rows.contacts;
    let delivery = |item: &NewItem| item.delivery.as_ref().map(|known| known.status.as_str());
    let row = sqlx::query!(
        r#"WITH item AS (
               INSERT INTO thread_items (
                   reference, sequence, part, kind, at, recorded_at, author_kind, author_id, author_email, message_id,
                   direction, channel, line_id, said, content, sent_text, provider_id, quotes, rule, rule_references,
                   delivery, delivery_reason, delivery_code, delivery_at, attempt, other, before, value, closed,
                   comment, note_id, hidden, question, words, at_is_arrival, rule_foreign, reaction, reaction_at,
                   reaction_from
               )
               SELECT u.reference, u.sequence, u.part, u.kind, u.at, u.recorded_at, u.author_kind, u.author_id,
                      u.author_email, u.message_id, u.direction, u.channel, u.line_id, u.said, u.content::jsonb,
                      u.sent_text, u.provider_id, u.quotes, u.rule, u.rule_references::integer[], u.delivery,
                      u.delivery_reason, u.delivery_code, u.delivery_at, u.attempt, u.other, u.before, u.value,
                      u.closed, u.comment, u.note_id, u.hidden, u.question, u.words, u.at_is_arrival, u.rule_foreign,
                      u.reaction, u.reaction_at, u.reaction_from
                 FROM UNNEST(
                          $1::integer[], $2::bigint[], $3::smallint[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                          $7::text[], $8::uuid[], $9::text[], $10::uuid[], $11::text[], $12::text[], $13::uuid[],
                          $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[],
                          $21::text[], $22::text[], $23::integer[], $24::timestamptz[], $25::integer[], $26::integer[],
                          $27::text[], $28::text[], $29::boolean[], $30::text[], $31::uuid[], $32::boolean[], $33::text[],
                          $68::text[], $70::boolean[], $71::boolean[], $72::text[], $73::timestamptz[], $74::text[]
                      ) AS u (
                          reference, sequence, part, kind, at, recorded_at, author_kind, author_id, author_email,
                          message_id, direction, channel, line_id, said, content, sent_text, provider_id, quotes, rule,
                          rule_references, delivery, delivery_reason, delivery_code, delivery_at, attempt, other, before,
                          value, closed, comment, note_id, hidden, question, words, at_is_arrival, rule_foreign,
                          reaction, reaction_at, reaction_from
                      )
               RETURNING true AS done
           ), message AS (
               INSERT INTO messages (
                   message_id, provider_id, contact_id, direction, automatic, case_references, recorded_at
               )
               SELECT u.message_id, u.provider_id, c.contact_id,
                      CASE WHEN u.inbound THEN 'inbound' ELSE 'outbound' END, u.automatic,
                      u.case_references::integer[], u.recorded_at
                 FROM UNNEST($34::uuid[], $35::text[], $36::integer[], $37::boolean[], $38::boolean[],
                             $39::text[], $40::timestamptz[])
                      AS u (message_id, provider_id, reference, inbound, automatic, case_references, recorded_at)
                 LEFT JOIN cases c USING (reference)
               ON CONFLICT (message_id) DO UPDATE SET case_references = ARRAY(
                   SELECT DISTINCT r FROM UNNEST(messages.case_references || excluded.case_references) r ORDER BY r
               )
               RETURNING true AS done
           ), changed AS (
               UPDATE cases c
                  SET version = u.version,
                      title = COALESCE(u.title, c.title),
                      status = COALESCE(u.status, c.status),
                      state = COALESCE(u.state, c.state),
                      withdrawn = c.withdrawn OR u.withdrawn,
                      assignee_id = CASE WHEN u.assigned THEN u.assignee_id ELSE c.assignee_id END,
                      assignee_email = CASE WHEN u.assigned THEN u.assignee_email ELSE c.assignee_email END,
                      message_count = c.message_count + u.messages,
                      last_message_at = COALESCE(u.last_message_at, c.last_message_at),
                      last_inbound_at = GREATEST(c.last_inbound_at, u.last_inbound_at),
                      last_inbound_line_id = CASE WHEN u.last_inbound_at >= COALESCE(c.last_inbound_at, '-infinity')
                                                  THEN u.last_inbound_line_id ELSE c.last_inbound_line_id END,
                      last_message = COALESCE(u.last_message, c.last_message)
                 FROM UNNEST($41::integer[], $42::bigint[], $43::text[], $44::text[], $45::text[], $46::boolean[],
                             $47::boolean[], $48::uuid[], $49::text[], $50::integer[], $51::timestamptz[],
                             $52::timestamptz[], $53::uuid[], $54::bigint[])
                      AS u (reference, version, title, status, state, withdrawn, assigned, assignee_id, assignee_email,
                            messages, last_message_at, last_inbound_at, last_inbound_line_id, last_message)
                WHERE c.reference = u.reference
               RETURNING true AS done
           ), named AS (
               UPDATE contacts k
                  SET name = latest.name, name_words = latest.words
                 FROM (
                          SELECT DISTINCT ON (c.contact_id) c.contact_id, u.name, u.words
                            FROM UNNEST($55::integer[], $56::bigint[], $57::text[], $69::text[])
                                 AS u (reference, number, name, words)
                            JOIN cases c USING (reference)
                           ORDER BY c.contact_id, u.number DESC
                      ) latest
                WHERE k.contact_id = latest.contact_id AND k.name IS DISTINCT FROM latest.name
               RETURNING true AS done
           ), written AS (
               TABLE item UNION ALL TABLE message UNION ALL TABLE changed UNION ALL TABLE named
           ), head AS (
               UPDATE log_head
                  SET position = position + $58::bigint,
                      recorded_at = greatest(recorded_at, (SELECT max(u.at) FROM UNNEST($67::timestamptz[]) AS u (at))),
                      settings_position = CASE WHEN $59 THEN position + $58::bigint ELSE settings_position END
                WHERE $58::bigint > 0 AND NOT EXISTS (SELECT FROM written WHERE NOT done)
               RETURNING position
           ), appended AS (
               INSERT INTO events (
                   aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position,
                   recorded_at
               )
               SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload::jsonb,
                      e.metadata::jsonb, head.position - $58::bigint + e.ordinality, e.recorded_at
                 FROM head,
                      UNNEST($60::text[], $61::text[], $62::bigint[], $63::text[], $64::text[], $65::text[], $66::text[],
                             $67::timestamptz[])
                      WITH ORDINALITY AS e (aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
                                            metadata, recorded_at, ordinality)
           )
           SELECT position AS "position!", pg_current_xact_id()::text AS "transaction_id!" FROM head"#,
        &column(items, |item| item.reference),
        &column(items, |item| item.sequence),
        &column(items, |item| item.part),
        &column(items, |item| item.kind) as _,
        &column(items, |item| item.at),
        &column(items, |item| item.recorded_at),
        &column(items, |item| item.author_kind) as _,
        &column(items, |item| item.author_id) as _,
        &column(items, |item| item.author_email.as_deref()) as _,
        &column(items, |item| item.message_id) as _,
        &column(items, |item| item.direction) as _,
        &column(items, |item| item.channel) as _,
        &column(items, |item| item.line_id) as _,
        &column(items, |item| item.said.as_deref()) as _,
        &column(items, |item| item.content.as_deref()) as _,
        &column(items, |item| item.sent_text.as_deref()) as _,
        &column(items, |item| item.provider_id.as_deref()) as _,
        &column(items, |item| item.quotes.as_deref()) as _,
        &column(items, |item| item.rule) as _,
        &column(items, |item| item.rule_references.as_deref()) as _,
        &column(items, delivery) as _,
        &column(items, |item| item.delivery.as_ref().and_then(|known| known.reason.as_deref())) as _,
        &column(items, |item| item.delivery.as_ref().and_then(|known| known.code)) as _,
        &column(items, |item| item.delivery.as_ref().and_then(|known| known.at)) as _,
        &column(items, |item| item.delivery.as_ref().and_then(|known| known.attempt)) as _,
        &column(items, |item| item.other) as _,
        &column(items, |item| item.before.as_deref()) as _,
        &column(items, |item| item.value.as_deref()) as _,
        &column(items, |item| item.closed) as _,
        &column(items, |item| item.comment.as_deref()) as _,
        &column(items, |item| item.note_id) as _,
        &column(items, |item| item.hidden),
        &column(items, |item| item.question.as_deref()) as _,
        &column(messages, |message| message.message_id),
        &column(messages, |message| message.provider_id.as_deref()) as _,
        &column(messages, |message| message.reference),
        &column(messages, |message| message.is_inbound),
        &column(messages, |message| message.is_automatic),
        &column(messages, |message| message.references.as_str()) as _,
        &column(messages, |message| message.recorded_at),
        &column(cases, |(reference, _)| *reference),
        &column(cases, |(_, change)| change.version),
        &column(cases, |(_, change)| change.title.as_deref()) as _,
        &column(cases, |(_, change)| change.status.as_deref()) as _,
        &column(cases, |(_, change)| change.state()) as _,
        &column(cases, |(_, change)| change.withdrawn),
        &column(cases, |(_, change)| change.assigned.is_some()),
        &column(cases, |(_, change)| change.assignee().map(|assignee| assignee.user_id.0)) as _,
        &column(cases, |(_, change)| change.assignee().map(|assignee| assignee.email.as_str())) as _,
        &column(cases, |(_, change)| change.messages),
        &column(cases, |(_, change)| change.last_message_at) as _,
        &column(cases, |(_, change)| change.last_inbound.map(|(at, _)| at)) as _,
        &column(cases, |(_, change)| change.last_inbound.map(|(_, line_id)| line_id)) as _,
        &column(cases, |(_, change)| change.last_message) as _,
        &column(named, |named| named.reference),
        &column(named, |named| named.number),
        &column(named, |named| named.name.as_str()) as _,
        i64::try_from(events.sequences.len()).unwrap_or(i64::MAX),
        events.change_settings,
        &events.aggregate_types as &[&str],
        &events.aggregate_ids,
        &events.sequences,
        &events.event_types as &[&str],
        &events.event_versions as &[&str],
        &events.payloads,
        &events.metadata,
        &events.recorded_at,
        &column(items, |item| item.words.as_deref()) as _,
        &column(named, |named| named.words.as_deref()) as _,
        &column(items, |item| item.at_is_arrival),
        &column(items, |item| item.rule_foreign),
        &column(items, |item| item.reacted.as_ref().and_then(|known| known.emoji.as_deref())) as _,
        &column(items, |item| item.reacted.as_ref().map(|known| known.at)) as _,
        &column(items, |item| item.reacted.as_ref().map(|known| known.from.as_str())) as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Appended {
        position: row.position,
        transaction_id: row.transaction_id,
    }))
}
