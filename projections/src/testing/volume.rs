//! Logs of any length, made by the database alone: what rebuilds and exports are measured with.
//!
//! Every case lives through the same ten events (a message, an answer and its delivery, another message, a note, an assignment,
//! the closing answer), and five hundred cases at a time do so side by side, as they would in a service: so the events of one
//! case lie far apart, and a rebuild finds most of what it changes in rows that it wrote before.

use sqlx::{Connection, Executor, PgConnection};

use super::conversation::{LINE, SURVEY};

/// Makes the log of an empty database `length` events long, at least two. Read models and the tables of the write side are left as
/// they are.
///
/// # Panics
///
/// When the database refuses, or the log is not empty.
pub async fn fill(conn: &mut PgConnection, length: i64) {
    let mut tx = conn.begin().await.expect("a transaction begins");
    for statement in [BEGINNING, CASES] {
        let statement = statement
            .replace("$survey", &SURVEY.to_string())
            .replace("$line", &LINE.to_string())
            .replace("$length", &length.to_string());
        tx.execute(&*statement)
            .await
            .expect("the database writes the log");
    }
    tx.execute(STATE)
        .await
        .expect("the database writes beside the log");
    tx.commit().await.expect("the log is committed");
    // As in a service, where it happens by itself: the first reader would otherwise pay for all later ones.
    conn.execute("VACUUM ANALYZE events")
        .await
        .expect("the log is vacuumed");
}

/// What appending leaves beside the log.
const STATE: &str = "
UPDATE log_state SET settings_position = 2;
INSERT INTO append_calls (call_id, position, recorded_at, accepted)
SELECT gen_random_uuid(), position, recorded_at, '{true}' FROM log_head";

const BEGINNING: &str = r#"
INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
VALUES ('Survey', '$survey', 1, 'SurveyCreated', '1',
        '{"SurveyCreated": {"survey_id": "$survey", "settings": {"name": "Help desk", "cases_enabled": true, "append_reference": true,
          "status": {"question": "How far is it?", "choices": ["New", "Resolved"], "closed_value": "Resolved"}}}}',
        '{"actor": "system"}', 1, '2026-01-01 00:00:00Z'),
       ('Line', '$line', 1, 'LineAdded', '1',
        '{"LineAdded": {"line_id": "$line", "number": "447700900000", "channel": "sms",
          "settings": {"survey_id": "$survey", "multi_case_reply": null}}}',
        '{"actor": "system"}', 2, '2026-01-01 00:00:01Z');
"#;

/// Ids begin with the time, as those of the service do, so that indexes grow where they would grow there.
const CASES: &str = r#"
WITH steps AS (
    SELECT n, step, 2 + row_number() OVER (ORDER BY n / 500, step, n) AS position
      FROM generate_series(0, ($length - 3) / 10) AS n CROSS JOIN generate_series(1, 10) AS step
), placed AS (
    SELECT *,
           (101 + n)::text AS reference,
           -- Two cases for each contact, as people have.
           (format('01957a00-%s-7000-8000-%s', lpad(to_hex(n / 2 % 65536), 4, '0'), lpad(to_hex(n / 2), 12, '0')))::text AS contact,
           (format('0195%s-%s-7000-8000-%s', lpad(to_hex(n / 65536), 4, '0'), lpad(to_hex(n % 65536), 4, '0'),
                   lpad(to_hex(CASE WHEN step BETWEEN 3 AND 6 THEN 3 ELSE step END), 12, '0'))) AS message,
           (447700900000 + n / 2 % 1000)::text AS number,
           to_char(timestamp '2026-01-01' + position * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at
      FROM steps
     WHERE position <= $length
)
INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
SELECT 'Case', reference, step, event_type, CASE event_type WHEN 'StatusChanged' THEN '2' ELSE '1' END,
       jsonb_build_object(event_type, payload::jsonb),
       CASE WHEN step IN (1, 2, 6, 7) THEN jsonb_build_object('actor', 'vonage', 'request_id', message, 'cause', 'provider-' || message)
            WHEN step IN (4, 5) THEN '{"actor": "system", "cause": "delivery"}'::jsonb
            ELSE jsonb_build_object('actor', 'user', 'user_id', '01957a00-0000-7000-8000-00000000000a',
                                    'email', 'agent@example.com', 'request_id', message) END,
       position, at::timestamptz
  FROM placed,
LATERAL (VALUES
    (1, 'CaseOpened', format(
        '{"reference": %s, "contact_id": "%s", "number": "%s", "survey_id": "$survey", "line_id": "$line", "channel": "sms",
          "title": "An invented question about %s", "status": "New", "origin": {"by": "message"}}', reference, contact, number, n)),
    (2, 'MessageReceived', format(
        '{"message": {"message_id": "%s", "line_id": "$line", "channel": "sms", "from": "%s", "provider_id": "provider-%s", "at": "%s",
          "content": {"type": "text", "text": "Hello, an invented question about %s: could somebody come and look at it, please?"}},
          "routed": {"rule": "first", "references": []}}', message, number, message, at, n)),
    (3, 'MessageQueued', format(
        '{"message_id": "%s", "contact_id": "%s", "line_id": "$line", "channel": "sms", "to": "%s", "references": [%s],
          "text": "An invented answer about %s: would Tuesday at ten suit you?",
          "sent_text": "An invented answer about %s: would Tuesday at ten suit you? #%s",
          "author": {"by": "user", "user_id": "01957a00-0000-7000-8000-00000000000a", "email": "agent@example.com"}}',
        message, contact, number, reference, n, n, reference)),
    (4, 'MessageSending', format('{"message_id": "%s", "attempt": 1}', message)),
    (5, 'MessageSent', format('{"message_id": "%s", "attempt": 1, "provider_id": "sent-%s"}', message, message)),
    (6, 'MessageDelivered', format('{"message_id": "%s", "attempt": 1, "at": "%s"}', message, at)),
    (7, 'MessageReceived', format(
        '{"message": {"message_id": "%s", "line_id": "$line", "channel": "sms", "from": "%s", "provider_id": "provider-%s", "at": "%s",
          "content": {"type": "text", "text": "Tuesday at ten is perfect, thank you #%s"}},
          "routed": {"rule": "reference", "references": [%s]}}', message, number, message, at, reference, reference)),
    (8, 'NoteAdded', format(
        '{"note_id": "%s", "text": "An invented note about %s", "author": {"by": "user",
          "user_id": "01957a00-0000-7000-8000-00000000000a", "email": "agent@example.com"}}', message, n)),
    (9, 'AssigneeChanged',
        '{"from": null, "to": {"user_id": "01957a00-0000-7000-8000-00000000000a", "email": "agent@example.com"}}'),
    (10, 'StatusChanged', '{"question": "How far is it?", "from": "New", "to": "Resolved", "closed": true}')
) AS told (number_of_step, event_type, payload)
 WHERE number_of_step = step
 ORDER BY position
"#;

/// Makes the log of an empty database one of `cases` cases of `messages` inbound messages each; all but every tenth are closed.
/// Gives how many events it has. Read models and the tables of the write side are left as they are.
///
/// # Panics
///
/// When the database refuses, or the log is not empty.
pub async fn fill_with_messages(conn: &mut PgConnection, cases: i64, messages: i64) -> i64 {
    let mut tx = conn.begin().await.expect("a transaction begins");
    for statement in [BEGINNING, MESSAGES] {
        let statement = statement
            .replace("$survey", &SURVEY.to_string())
            .replace("$line", &LINE.to_string())
            .replace("$cases", &cases.to_string())
            .replace("$messages", &messages.to_string());
        tx.execute(&*statement)
            .await
            .expect("the database writes the log");
    }
    tx.execute(STATE)
        .await
        .expect("the database writes beside the log");
    let length = sqlx::query_scalar("SELECT position FROM log_head")
        .fetch_one(&mut *tx)
        .await
        .expect("the log has a head");
    tx.commit().await.expect("the log is committed");
    conn.execute("VACUUM ANALYZE events")
        .await
        .expect("the log is vacuumed");
    length
}

const MESSAGES: &str = r#"
WITH steps AS (
    SELECT n, step, 2 + row_number() OVER (ORDER BY n / 500, step, n) AS position
      FROM generate_series(0, $cases - 1) AS n CROSS JOIN generate_series(0, $messages + 1) AS step
     -- The last step closes the case.
     WHERE step <= $messages OR n % 10 <> 0
), placed AS (
    SELECT *,
           (101 + n)::text AS reference,
           format('01957a00-%s-7000-8000-%s', lpad(to_hex(n / 2 % 65536), 4, '0'), lpad(to_hex(n / 2), 12, '0')) AS contact,
           format('0195%s-%s-7000-8000-%s', lpad(to_hex(n / 65536), 4, '0'), lpad(to_hex(n % 65536), 4, '0'), lpad(to_hex(step), 12, '0')) AS message,
           (447700900000 + n / 2 % 1000)::text AS number,
           timestamp '2026-01-01' + position * interval '1 second' AS at
      FROM steps
)
INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
SELECT 'Case', reference, step + 1, event_type, CASE event_type WHEN 'StatusChanged' THEN '2' ELSE '1' END,
       jsonb_build_object(event_type, payload::jsonb),
       jsonb_build_object('actor', 'vonage', 'request_id', message, 'cause', 'provider-' || message),
       position, at AT TIME ZONE 'UTC'
  FROM placed,
LATERAL (SELECT CASE step WHEN 0 THEN 'CaseOpened' WHEN $messages + 1 THEN 'StatusChanged' ELSE 'MessageReceived' END AS event_type,
    CASE step
    WHEN 0 THEN format(
        '{"reference": %s, "contact_id": "%s", "number": "%s", "survey_id": "$survey", "line_id": "$line", "channel": "sms",
          "title": "An invented question about %s", "status": "New", "origin": {"by": "message"}}', reference, contact, number, n)
    WHEN $messages + 1 THEN '{"question": "How far is it?", "from": "New", "to": "Resolved", "closed": true}'
    ELSE format(
        '{"message": {"message_id": "%s", "line_id": "$line", "channel": "sms", "from": "%s", "provider_id": "provider-%s", "at": "%s",
          "content": {"type": "text", "text": "Hello, invented message %s about %s: could somebody of the crew come and look at it?"}},
          "routed": {"rule": "first", "references": []}}',
        message, number, message, to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), step, n)
    END AS payload) AS told
 ORDER BY position
"#;

/// Copies the only message of the case of `number` that often into the case, behind everything that has happened. Gives how many
/// copies there are. Read models and the tables of the write side are left as they are.
///
/// # Panics
///
/// When the database refuses, or the person has no case of one message.
pub async fn lengthen_case(conn: &mut PgConnection, number: &str, messages: i64) -> u64 {
    let mut tx = conn.begin().await.expect("a transaction begins");
    let copies = sqlx::query(COPIES)
        .bind(number)
        .bind(messages)
        .execute(&mut *tx)
        .await
        .expect("the database writes the log")
        .rows_affected();
    assert_eq!(
        copies,
        messages.unsigned_abs(),
        "the case does not consist of one message"
    );
    tx.commit().await.expect("the log is committed");
    copies
}

/// The ids of the copies are older than that of the message, so that whatever comes later has later ones.
const COPIES: &str = r"
WITH original AS (
    SELECT events.*, payload #>> '{MessageReceived,message,message_id}' AS id
      FROM events
     WHERE event_type = 'MessageReceived' AND payload #>> '{MessageReceived,message,from}' = $1
), head AS (
    SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1
), copies AS (
    SELECT original.*, n, head.position + n AS new_position, head.recorded_at AS now, 'copy-' || n AS provider_id,
           to_hex(('x' || replace(left(id, 13), '-', ''))::bit(48)::bigint - $2 + n) AS time
      FROM original, head, generate_series(1, $2) AS n
)
INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
SELECT aggregate_type, aggregate_id, sequence + n, event_type, event_version,
       jsonb_set(
           jsonb_set(payload, '{MessageReceived,message,message_id}',
                     to_jsonb(left(lpad(time, 12, '0'), 8) || '-' || right(time, 4) || right(id, -13))),
           '{MessageReceived,message,provider_id}', to_jsonb(provider_id)),
       jsonb_set(metadata, '{cause}', to_jsonb(provider_id), false), new_position, now
  FROM copies
";

/// Adds to the log that [`fill_with_messages`] made: one case of `messages` messages, every fifth an answer that was delivered, and one
/// number with `records` records. Gives the reference of the long case, and of the last record.
///
/// # Panics
///
/// When the database refuses.
pub async fn add_long(conn: &mut PgConnection, messages: i64, records: i64) -> (i64, i64) {
    let mut tx = conn.begin().await.expect("a transaction begins");
    let cases: i64 = sqlx::query_scalar(
        "SELECT max(aggregate_id::integer)::bigint FROM events WHERE aggregate_type = 'Case'",
    )
    .fetch_one(&mut *tx)
    .await
    .expect("the log has cases");
    for statement in [LONG_CASE, RECORDS] {
        let statement = statement
            .replace("$survey", &SURVEY.to_string())
            .replace("$line", &LINE.to_string())
            .replace("$long", &(cases + 1).to_string())
            .replace("$first", &(cases + 2).to_string())
            .replace("$messages", &messages.to_string())
            .replace("$records", &records.to_string());
        tx.execute(&*statement)
            .await
            .expect("the database writes the log");
    }
    tx.commit().await.expect("the log is committed");
    conn.execute("VACUUM ANALYZE events")
        .await
        .expect("the log is vacuumed");
    (cases + 1, cases + 1 + records)
}

const LONG_CASE: &str = r#"
WITH steps AS (
    SELECT n, step, row_number() OVER (ORDER BY n, step) AS sequence, (SELECT position FROM log_head) AS head
      FROM generate_series(0, $messages) AS n
     CROSS JOIN LATERAL generate_series(1, CASE WHEN n > 0 AND n % 5 = 0 THEN 4 ELSE 1 END) AS step
), placed AS (
    SELECT *, head + sequence AS position,
           format('0196ffff-%s-7000-8000-%s', lpad(to_hex(n / 65536), 4, '0'), lpad(to_hex(n % 65536), 12, '0')) AS message,
           timestamp '2026-01-01' + (head + sequence) * interval '1 second' AS at
      FROM steps
)
INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
SELECT 'Case', '$long', sequence, told.event_type, '1', jsonb_build_object(told.event_type, told.payload::jsonb),
       CASE WHEN n > 0 AND n % 5 = 0 AND step = 1 THEN '{"actor": "user", "user_id": "01957a00-0000-7000-8000-00000000000a", "email": "agent@example.com"}'::jsonb
            ELSE '{"actor": "vonage"}'::jsonb END,
       position, at AT TIME ZONE 'UTC'
  FROM placed,
LATERAL (SELECT CASE WHEN n = 0 THEN 'CaseOpened' WHEN n % 5 <> 0 THEN 'MessageReceived'
                     ELSE (ARRAY['MessageQueued', 'MessageSending', 'MessageSent', 'MessageDelivered'])[step] END AS event_type,
    CASE WHEN n = 0 THEN
        '{"reference": $long, "contact_id": "0196ffff-0000-7000-8000-00000000ffff", "number": "447700900998", "survey_id": "$survey",
          "line_id": "$line", "channel": "sms", "title": "An invented case without an end", "status": "New", "origin": {"by": "message"}}'
    WHEN n % 5 <> 0 THEN format(
        '{"message": {"message_id": "%s", "line_id": "$line", "channel": "sms", "from": "447700900998", "provider_id": "provider-%s",
          "at": "%s", "content": {"type": "text", "text": "Invented message %s of a case without an end: is anybody there?"}},
          "routed": {"rule": "only_open", "references": []}}', message, message, to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), n)
    WHEN step = 1 THEN format(
        '{"message_id": "%s", "contact_id": "0196ffff-0000-7000-8000-00000000ffff", "line_id": "$line", "channel": "sms",
          "to": "447700900998", "references": [$long], "text": "Invented answer %s: yes", "sent_text": "Invented answer %s: yes #$long",
          "author": {"by": "user", "user_id": "01957a00-0000-7000-8000-00000000000a", "email": "agent@example.com"}}', message, n, n)
    WHEN step = 2 THEN format('{"message_id": "%s", "attempt": 1}', message)
    WHEN step = 3 THEN format('{"message_id": "%s", "attempt": 1, "provider_id": "sent-%s"}', message, message)
    ELSE format('{"message_id": "%s", "attempt": 1, "at": "%s"}', message, to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    END AS payload) AS told
 ORDER BY position
"#;

const RECORDS: &str = r#"
WITH placed AS (
    SELECT n, step, (SELECT position FROM log_head) + n * 2 + step AS position, ($first + n)::text AS reference,
           format('0196fffe-%s-7000-8000-%s', lpad(to_hex(n / 65536), 4, '0'), lpad(to_hex(n % 65536), 12, '0')) AS message,
           timestamp '2026-01-01' + ((SELECT position FROM log_head) + n * 2 + step) * interval '1 second' AS at
      FROM generate_series(0, $records - 1) AS n CROSS JOIN generate_series(1, 2) AS step
)
INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
SELECT 'Case', reference, step, told.event_type, '1', jsonb_build_object(told.event_type, told.payload::jsonb), '{"actor": "vonage"}',
       position, at AT TIME ZONE 'UTC'
  FROM placed,
LATERAL (SELECT CASE step WHEN 1 THEN 'CaseOpened' ELSE 'MessageReceived' END AS event_type,
    CASE step WHEN 1 THEN format(
        '{"reference": %s, "contact_id": "0196fffe-0000-7000-8000-00000000fffe", "number": "447700900997", "survey_id": "$survey",
          "line_id": "$line", "channel": "sms", "title": "An invented record %s", "status": "New", "origin": {"by": "record"}}', reference, n)
    ELSE format(
        '{"message": {"message_id": "%s", "line_id": "$line", "channel": "sms", "from": "447700900997", "provider_id": "provider-%s",
          "at": "%s", "content": {"type": "text", "text": "Invented record %s"}},
          "routed": {"rule": "cases_disabled", "references": []}}', message, message, to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), n)
    END AS payload) AS told
 ORDER BY position
"#;
