-- One call appends a batch: append() is the whole write path's transaction.
--
-- Whoever appends holds one advisory lock, from the first check to the commit. So what is checked stays true until it is written,
-- positions have no gap, and no other lock is needed. The lock is taken and given back inside of one statement: a process that is
-- frozen or cut off between two of its statements holds nothing.

-- How often something about a contact's cases was recorded, and what decisions want to know of all its cases at once.
ALTER TABLE contact_ids
    ADD COLUMN version       bigint NOT NULL DEFAULT 1,
    -- When the contact last wrote, by Vonage's clock or by ours where that is earlier, and to which line.
    ADD COLUMN last_wrote_at timestamptz,
    ADD COLUMN last_line_id  uuid;

UPDATE contact_ids k
   SET last_wrote_at = l.last_inbound_at, last_line_id = l.last_inbound_line_id
  FROM (
           SELECT DISTINCT ON (contact_id) contact_id, last_inbound_at, last_inbound_line_id
             FROM docket_read.cases
            WHERE last_inbound_line_id IS NOT NULL
            ORDER BY contact_id, last_inbound_at DESC, reference DESC
       ) l
 WHERE k.contact_id = l.contact_id;

-- Where the log ends, it says by itself. A row that every append changes would gather dead versions while anybody holds a snapshot.
ALTER TABLE log_head RENAME TO log_state;
ALTER TABLE log_state DROP COLUMN position, DROP COLUMN recorded_at;
CREATE VIEW log_head AS
SELECT coalesce((SELECT e.position FROM events e ORDER BY e.position DESC LIMIT 1), 0) AS position,
       s.settings_position,
       (SELECT e.recorded_at FROM events e ORDER BY e.position DESC LIMIT 1) AS recorded_at,
       s.sealed_at
  FROM log_state s;

-- "docketl" in ASCII.
CREATE FUNCTION lock_log() RETURNS void
    LANGUAGE sql VOLATILE
    AS $$ SELECT pg_advisory_xact_lock(28269970465322092) $$;

CREATE OR REPLACE FUNCTION next_log_position() RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    AS $$
BEGIN
    PERFORM lock_log();
    RETURN (SELECT h.position + 1 FROM log_head h);
END
$$;

-- Sees to it that nothing is recorded any more at that time or before.
CREATE FUNCTION seal_log(at timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    AS $$
BEGIN
    PERFORM lock_log();
    UPDATE log_state SET sealed_at = greatest(sealed_at, at);
END
$$;

-- The message that an event of a case is about; null where it is about none.
CREATE FUNCTION message_of_event(event_type text, payload jsonb) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT coalesce(
           payload -> event_type ->> 'message_id',
           payload -> event_type -> 'message' ->> 'message_id',
           payload -> event_type -> 'reaction' ->> 'message_id'
       )::uuid
$$;

CREATE INDEX events_of_message ON events (message_of_event(event_type, payload))
    WHERE aggregate_type = 'Case' AND message_of_event(event_type, payload) IS NOT NULL;

-- Who answered last in a case.
CREATE INDEX thread_items_answers ON docket_read.thread_items (reference, sequence DESC) INCLUDE (author_id)
    WHERE direction = 'outbound' AND author_kind = 'user';

-- The last call of each writer. A call whose answer was lost is sent again under its id, and is found here.
CREATE TABLE append_calls (
    call_id     uuid PRIMARY KEY,
    -- The position of the newest event after it. The log has never ended before.
    position    bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    accepted    boolean[] NOT NULL
);

-- What append() takes. A batch has parts, numbered from 1: each is accepted or refused as a whole.
CREATE TYPE append_call AS (
    call_id           uuid,
    -- The writer's call before, whose answer it has got.
    previous_call_id  uuid,
    parts             integer,
    clock             timestamptz,
    -- The versions of the read models that the decisions rest on: `name=version`, separated by spaces.
    models            text,
    -- The position of the event that last changed the settings that the decisions rest on.
    settings_position bigint,
    changes_settings  boolean,
    -- The position of the newest event that the process knows of.
    known_position    bigint
);
CREATE TYPE append_contact AS (
    part          integer,
    contact_id    uuid,
    survey_id     uuid,
    number        text,
    -- The version that the decisions rest on; 0 where the contact was not known.
    version       bigint,
    is_new        boolean,
    -- Whether something is recorded about its cases.
    changes       boolean,
    last_wrote_at timestamptz,
    last_line_id  uuid
);
CREATE TYPE append_stream AS (part integer, aggregate_type text, aggregate_id text, version bigint);
-- A receipt that must be new refuses its part where it was given before.
CREATE TYPE append_receipt AS (part integer, kind text, key text, must_be_new boolean);
CREATE TYPE append_key AS (part integer, actor uuid, key text, fingerprint bytea, outcome text);
CREATE TYPE append_statement AS (part integer, statement text, rows text);
CREATE TYPE append_event AS (
    part           integer,
    aggregate_type text,
    aggregate_id   text,
    sequence       bigint,
    event_type     text,
    event_version  text,
    payload        text,
    metadata       text
);

-- Appends what a batch decided.
--
-- outcome: 'done'; or nothing is written, since the decisions rest on old 'settings', on other read 'models', or on another 'log': one
-- that goes on beyond the end of this one, as after restoring a backup.
-- last_position, last_time: of the newest event in the log. accepted: by part. taken: the places of receipts that had been given before.
CREATE FUNCTION append(
    call          append_call,
    contacts      append_contact[],
    streams       append_stream[],
    receipts      append_receipt[],
    keys          append_key[],
    statements    append_statement[],
    new_events    append_event[],
    new_rows      read_model_rows,
    OUT outcome       text,
    OUT last_position bigint,
    OUT last_time     timestamptz,
    OUT accepted      boolean[],
    OUT taken         integer[]
)
    LANGUAGE plpgsql VOLATILE
    AS $$
DECLARE
    state log_state%ROWTYPE;
    moment timestamptz;
    refused integer;
    statement append_statement;
    appended bigint;
BEGIN
    PERFORM lock_log();
    taken := '{}';

    SELECT c.position, c.recorded_at, c.accepted INTO last_position, last_time, accepted
      FROM append_calls c WHERE c.call_id = call.call_id;
    IF FOUND THEN
        outcome := 'done';
        RETURN;
    END IF;

    SELECT * INTO STRICT state FROM log_state;
    SELECT e.position, e.recorded_at INTO last_position, last_time FROM events e ORDER BY e.position DESC LIMIT 1;
    last_position := coalesce(last_position, 0);
    IF last_position < call.known_position THEN
        outcome := 'log';
        RETURN;
    END IF;
    IF state.settings_position <> call.settings_position THEN
        outcome := 'settings';
        RETURN;
    END IF;
    IF call.models IS DISTINCT FROM (SELECT string_agg(v.name || '=' || v.version, ' ' ORDER BY v.name) FROM projection_versions v) THEN
        outcome := 'models';
        RETURN;
    END IF;

    outcome := 'done';
    accepted := array_fill(true, ARRAY[call.parts]);
    FOR refused IN
        SELECT c.part FROM unnest(contacts) c LEFT JOIN contact_ids k ON k.contact_id = c.contact_id
         WHERE NOT c.is_new AND k.version IS DISTINCT FROM c.version
        UNION ALL
        SELECT c.part FROM unnest(contacts) c JOIN contact_ids k ON k.survey_id = c.survey_id AND k.number = c.number
         WHERE c.is_new
        UNION ALL
        SELECT s.part FROM unnest(streams) s JOIN events e
                 ON e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id AND e.sequence = s.version + 1
        UNION ALL
        SELECT k.part FROM unnest(keys) k JOIN idempotency_keys i ON i.actor = k.actor AND i.key = k.key
    LOOP
        accepted[refused] := false;
    END LOOP;
    IF cardinality(receipts) > 0 THEN
        taken := ARRAY(
            SELECT r.place FROM unnest(receipts) WITH ORDINALITY AS r (part, kind, key, must_be_new, place)
              JOIN webhook_receipts w ON w.kind = r.kind AND w.key = r.key
             WHERE r.must_be_new
        );
        FOREACH refused IN ARRAY taken LOOP
            accepted[receipts[refused].part] := false;
        END LOOP;
    END IF;

    IF cardinality(receipts) + cardinality(keys) + cardinality(statements) + cardinality(new_events) = 0
       OR true <> ALL (accepted) THEN
        RETURN;
    END IF;

    -- Never before the last event, and behind every time that somebody was told how things were at.
    moment := greatest(call.clock, last_time, state.sealed_at + interval '1 microsecond');
    IF cardinality(receipts) > 0 THEN
        INSERT INTO webhook_receipts (kind, key, received_at)
        SELECT r.kind, r.key, call.clock FROM unnest(receipts) r WHERE accepted[r.part]
        ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(keys) > 0 THEN
        INSERT INTO idempotency_keys (actor, key, fingerprint, outcome, recorded_at)
        SELECT k.actor, k.key, k.fingerprint, k.outcome::jsonb, call.clock FROM unnest(keys) k WHERE accepted[k.part];
    END IF;
    INSERT INTO contact_ids (contact_id, survey_id, number, version, last_wrote_at, last_line_id)
    SELECT c.contact_id, c.survey_id, c.number, 1, least(c.last_wrote_at, moment), c.last_line_id
      FROM unnest(contacts) c WHERE c.is_new AND c.changes AND accepted[c.part];
    UPDATE contact_ids k
       SET version = k.version + 1,
           last_wrote_at = coalesce(least(c.last_wrote_at, moment), k.last_wrote_at),
           last_line_id = coalesce(c.last_line_id, k.last_line_id)
      FROM unnest(contacts) c
     WHERE k.contact_id = c.contact_id AND NOT c.is_new AND c.changes AND accepted[c.part];

    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at)
    SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload::jsonb, e.metadata::jsonb,
           last_position + row_number() OVER (ORDER BY e.place), moment
      FROM unnest(new_events) WITH ORDINALITY
           AS e (part, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, place)
     WHERE accepted[e.part];
    GET DIAGNOSTICS appended = ROW_COUNT;
    IF appended > 0 THEN
        last_position := last_position + appended;
        last_time := moment;
    END IF;

    FOREACH statement IN ARRAY statements LOOP
        IF accepted[statement.part] THEN
            EXECUTE statement.statement USING statement.rows::jsonb, moment;
        END IF;
    END LOOP;
    PERFORM write_read_models(new_rows, accepted, moment);

    IF call.changes_settings THEN
        UPDATE log_state SET settings_position = last_position;
    END IF;
    DELETE FROM append_calls c WHERE c.call_id = call.previous_call_id;
    INSERT INTO append_calls (call_id, position, recorded_at, accepted) VALUES (call.call_id, last_position, moment, accepted);
END
$$;

-- A session begins only with the password that was compared.
CREATE FUNCTION begin_session(session jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE
    AS $$
BEGIN
    INSERT INTO sessions (session_id, token_hash, user_id, label, created_at, last_seen_at, expires_at)
    SELECT s.session_id, decode(s.token_hash, 'hex'), c.user_id, s.label, s.created_at, s.created_at, s.expires_at
      FROM jsonb_to_record(session) AS s (
               session_id uuid, token_hash text, user_id uuid, password_hash text, label text, created_at timestamptz,
               expires_at timestamptz
           )
      JOIN credentials c ON c.user_id = s.user_id AND c.password_hash = s.password_hash;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the password has changed meanwhile' USING ERRCODE = 'no_data_found';
    END IF;
END
$$;
