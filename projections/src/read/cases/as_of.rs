//! A case's row as it was after one of its events.
//!
//! What never changes is read from today's row. Its title, status and assignee are those of the last event before the moment that set
//! them, which goes through the handler that makes the live rows; so do its labels, under their names of then, and its snooze. What the messages tell is counted on the shorter side of the moment.

use chrono::{DateTime, Utc};
use docket_domain::case::{Assignee, CaseEvent, CaseLabel};
use docket_domain::channel::Channel;
use docket_domain::event::{Event, StreamId};
use docket_domain::ids::{ContactId, LineId, Reference, UserId};
use sqlx::PgConnection;

use super::handler::NewCase;
use super::{CaseLink, CaseRow, CaseState, CasesHandler, LinkKind, by_name};
use crate::log::reader::{self, ReadError};
use crate::log::upcasters::upcasters;
use crate::read::rows::Row;
use crate::read::thread::as_of::Moment;
use crate::read::{Projection as _, Writes};

/// The row as it was; `now` is today's.
///
/// # Errors
///
/// [`ReadError`].
pub async fn row(
    conn: &mut PgConnection,
    moment: Moment,
    now: CaseRow,
) -> Result<CaseRow, ReadError> {
    let Moment {
        reference,
        sequence,
    } = moment;
    let found = sqlx::query!(
        r#"SELECT c.message_count::bigint + CASE WHEN r.is_late THEN -n.messages ELSE n.messages - c.message_count END
                      AS "message_count!",
                  (SELECT max(i.sequence) FROM thread_items i WHERE i.reference = $1 AND i.kind = 'renamed' AND i.sequence <= $2) AS renamed,
                  (SELECT max(i.sequence) FROM thread_items i WHERE i.reference = $1 AND i.kind = 'status' AND i.sequence <= $2) AS status,
                  (SELECT max(i.sequence) FROM thread_items i WHERE i.reference = $1 AND i.kind = 'assigned' AND i.sequence <= $2) AS assigned,
                  (SELECT max(i.sequence) FROM thread_items i WHERE i.reference = $1 AND i.kind = 'moved_out' AND i.sequence <= $2) AS moved_out,
                  (SELECT max(i.sequence) FROM thread_items i WHERE i.reference = $1 AND i.kind = 'labels' AND i.sequence <= $2) AS labels,
                  (SELECT max(i.sequence) FROM thread_items i
                    WHERE i.reference = $1 AND i.kind IN ('snoozed', 'woken') AND i.sequence <= $2) AS snooze,
                  last.sequence AS "last_message?", last.recorded_at AS "last_message_at?"
             FROM cases c
            CROSS JOIN LATERAL (SELECT $2 >= c.version / 2 AS is_late) r
            CROSS JOIN LATERAL (
                SELECT count(*) FILTER (WHERE i.kind = 'message' AND i.part = 0) + count(*) FILTER (WHERE i.kind = 'moved_in')
                     - count(*) FILTER (WHERE i.kind = 'moved_out') AS messages
                  FROM thread_items i
                 WHERE i.reference = $1 AND i.sequence > CASE WHEN r.is_late THEN $2::bigint ELSE 0 END
                     AND i.sequence <= CASE WHEN r.is_late THEN c.version ELSE $2 END
            ) n
             LEFT JOIN LATERAL (
                 SELECT i.sequence, i.recorded_at FROM thread_items i
                  WHERE i.reference = $1 AND i.kind IN ('message', 'moved_in') AND i.sequence <= $2
                  ORDER BY i.sequence DESC LIMIT 1
             ) last ON true
            WHERE c.reference = $1"#,
        reference.as_i32(),
        sequence.cast_signed(),
    )
    .fetch_one(&mut *conn)
    .await?;
    let known = Row {
        table: "cases",
        key: reference,
    };
    let decisive = [
        found.renamed,
        found.status,
        found.assigned,
        found.moved_out,
        found.labels,
        found.snooze,
    ];
    let decisive = decisive.into_iter().flatten();
    let Changed {
        case,
        labels,
        snoozed_until,
    } = changed(conn, reference, decisive.collect()).await?;
    let case = case.ok_or_else(|| known.broken("version"))?;
    let last_inbound = last_inbound(conn, moment, now.last_inbound).await?;
    let assignee = case.assignee_id.zip(case.assignee_email);
    Ok(CaseRow {
        title: case.title.into(),
        status: case.status,
        state: CaseState::from_name(case.state).unwrap_or(CaseState::Open),
        withdrawn: case.withdrawn,
        assignee: assignee.map(|(user_id, email)| Assignee {
            user_id: UserId(user_id),
            email: email.into(),
        }),
        version: sequence,
        message_count: known.read("message_count", found.message_count.try_into())?,
        last_message_at: found.last_message_at.unwrap_or(now.opened_at),
        last_message: found.last_message.map_or(Ok(0), |sequence| {
            known.read("last_message", sequence.try_into())
        })?,
        last_inbound,
        labels,
        snoozed_until,
        ..now
    })
}

/// What some of a case's events made of it.
struct Changed {
    case: Option<NewCase>,
    labels: Vec<CaseLabel>,
    snoozed_until: Option<DateTime<Utc>>,
}

/// What the case's first event and these ones made of it.
async fn changed(
    conn: &mut PgConnection,
    reference: Reference,
    sequences: Vec<i64>,
) -> Result<Changed, ReadError> {
    let stream = StreamId::Case(reference);
    let wanted: Vec<(StreamId, i64)> = std::iter::once(1)
        .chain(sequences)
        .map(|sequence| (stream, sequence))
        .collect();
    let upcasters = upcasters();
    let mut handler = CasesHandler::default();
    let mut labels = vec![];
    let mut snoozed_until = None;
    for event in reader::exactly(&mut *conn, &wanted).await? {
        let recorded = event.decode(&upcasters)?;
        handler.apply(&recorded);
        match recorded.event {
            Event::Case(CaseEvent::LabelsChanged { to, .. }) => labels = by_name(to),
            Event::Case(CaseEvent::CaseSnoozed { until, .. }) => snoozed_until = Some(until),
            _ => {}
        }
    }
    let mut writes = Writes::default();
    handler.write(&mut writes);
    Ok(Changed {
        case: writes.rows.cases.pop(),
        labels,
        snoozed_until,
    })
}

/// So many of the newest messages tell when the contact last wrote, unless they came much later than they were written.
const NEWEST: i64 = 100;

/// When and by which line the contact had last written: what they wrote last may have come before what they wrote earlier.
async fn last_inbound(
    conn: &mut PgConnection,
    moment: Moment,
    now: Option<(DateTime<Utc>, LineId)>,
) -> Result<Option<(DateTime<Utc>, LineId)>, sqlx::Error> {
    // The longest look is needed only where a whole hundred says nothing for certain.
    for limit in [NEWEST, i64::MAX] {
        let found = sqlx::query!(
            r#"SELECT least(at, recorded_at) AS "at!", line_id AS "line_id!",
                      least(at, recorded_at) >= min(recorded_at) OVER () OR count(*) OVER () < $3 AS "is_certain!"
                 FROM (
                     SELECT at, recorded_at, line_id, sequence FROM thread_items
                      WHERE reference = $1 AND kind = 'message' AND direction = 'inbound' AND rule <> 'moved' AND sequence <= $2
                      ORDER BY sequence DESC LIMIT $3
                 ) newest
                ORDER BY 1 DESC, sequence DESC LIMIT 1"#,
            moment.reference.as_i32(),
            moment.sequence.cast_signed(),
            limit,
        )
        .fetch_optional(&mut *conn)
        .await?;
        match found {
            None => return Ok(None),
            Some(found) if found.is_certain || limit > NEWEST => {
                return Ok(Some((found.at, LineId(found.line_id))));
            }
            // Nobody had written later than they have today.
            Some(found) if now.is_some_and(|(at, _)| at == found.at) => {
                return Ok(Some((found.at, LineId(found.line_id))));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// What the case had to do with others, each once, ordered by the other's reference. Where another follows it the other's first event
/// says so, which had happened by that position of the log and that time, or had not.
///
/// # Errors
///
/// The database's error, or a [`RowError`](crate::read::rows::RowError) as [`sqlx::Error::Decode`].
pub async fn links(
    conn: &mut PgConnection,
    moment: Moment,
    position: i64,
    time: DateTime<Utc>,
) -> Result<Vec<CaseLink>, sqlx::Error> {
    let found = sqlx::query!(
        "SELECT DISTINCT l.other, l.kind FROM case_links l
          WHERE l.reference = $1 AND CASE WHEN l.kind = 'followed_by' THEN EXISTS (
                    SELECT FROM events e
                     WHERE e.aggregate_type = 'Case' AND e.aggregate_id = l.other::text AND e.sequence = 1
                         AND e.position <= $3 AND e.recorded_at <= $4
                ) ELSE l.sequence <= $2 END
          ORDER BY l.other, l.kind",
        moment.reference.as_i32(),
        moment.sequence.cast_signed(),
        position,
        time,
    )
    .fetch_all(conn)
    .await?;
    found
        .into_iter()
        .map(|link| {
            let row = Row {
                table: "case_links",
                key: moment.reference,
            };
            Ok(CaseLink {
                other: row.reference("other", link.other)?,
                kind: row.some("kind", LinkKind::from_name(&link.kind))?,
            })
        })
        .collect()
}

/// What the contact had last called themselves in any of their cases; `None` where they had not yet.
///
/// # Errors
///
/// The database's error.
pub async fn name(
    conn: &mut PgConnection,
    moment: Moment,
    position: i64,
    time: DateTime<Utc>,
) -> Result<Option<String>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"WITH contact AS (
               SELECT contact_id FROM cases WHERE reference = $1
           ), named AS (
               (
                   SELECT e.position, e.payload #>> '{MessageReceived,message,profile_name}' AS name FROM events e
                    WHERE e.aggregate_type = 'Case' AND e.aggregate_id = $1::integer::text AND e.event_type = 'MessageReceived'
                        AND e.sequence <= $2 AND e.payload -> 'MessageReceived' -> 'message' ? 'profile_name'
                    ORDER BY e.sequence DESC
                    LIMIT 1
               )
               UNION ALL
               SELECT last.position, last.name
                 FROM contact JOIN contact_cases k USING (contact_id)
                CROSS JOIN LATERAL (
                    SELECT e.position, e.payload #>> '{MessageReceived,message,profile_name}' AS name FROM events e
                     WHERE e.aggregate_type = 'Case' AND e.aggregate_id = k.reference::text AND e.event_type = 'MessageReceived'
                         AND e.position <= $3 AND e.recorded_at <= $4
                         AND e.payload -> 'MessageReceived' -> 'message' ? 'profile_name'
                     ORDER BY e.sequence DESC
                     LIMIT 1
                ) last
                WHERE k.reference <> $1
           )
           SELECT name FROM named ORDER BY position DESC LIMIT 1"#,
        moment.reference.as_i32(),
        moment.sequence.cast_signed(),
        position,
        time,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.flatten())
}

/// The channel on which the contact had last written, in whichever of their cases; `None` where they had not yet. Of each case its
/// newest messages are looked at, since Vonage's times may be out of order.
///
/// # Errors
///
/// The database's error.
pub async fn last_channel(
    conn: &mut PgConnection,
    contact_id: ContactId,
    position: i64,
    time: DateTime<Utc>,
) -> Result<Option<Channel>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT last.channel AS "channel!"
             FROM contact_cases k
            CROSS JOIN LATERAL (
                SELECT e.position, e.payload #>> '{MessageReceived,message,channel}' AS channel,
                       least((e.payload #>> '{MessageReceived,message,at}')::timestamptz, e.recorded_at) AS at
                  FROM events e
                 WHERE e.aggregate_type = 'Case' AND e.aggregate_id = k.reference::text AND e.event_type = 'MessageReceived'
                     AND e.position <= $2 AND e.recorded_at <= $3
                 ORDER BY e.sequence DESC
                 LIMIT 8
            ) last
            WHERE k.contact_id = $1
            ORDER BY last.at DESC, last.position DESC
            LIMIT 1"#,
        contact_id.0,
        position,
        time,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.as_deref().and_then(Channel::from_name))
}
