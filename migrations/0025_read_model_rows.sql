-- One call writes the frequent rows of all read models: `write_read_models`. Each target has a composite type. Its first field says
-- which part of a batch the row belongs to; the others have the names of the columns that they fill. Types and functions stand
-- beside the log, so that they outlive the schema of the read models.

-- The time of recording is assigned while events are appended. Rows that are made before carry this last time of the year 9999
-- instead, and get the time of recording when they are written.
CREATE FUNCTION dated(t timestamptz, recorded_at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN t = '9999-12-31 23:59:59.999999+00' THEN recorded_at ELSE t END $$;

-- The earlier of two times; NULL where there is no first one.
CREATE FUNCTION at_most(t timestamptz, latest timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN t > latest THEN latest ELSE t END $$;

CREATE TYPE new_contact AS (
    part          integer,
    contact_id    uuid,
    survey_id     uuid,
    number        text,
    first_seen_at timestamptz
);

CREATE TYPE new_case AS (
    part                 integer,
    reference            integer,
    contact_id           uuid,
    number               text,
    survey_id            uuid,
    line_id              uuid,
    channel              text,
    title                text,
    status               text,
    state                text,
    origin               text,
    withdrawn            boolean,
    assignee_id          uuid,
    assignee_email       text,
    version              bigint,
    message_count        integer,
    opened_at            timestamptz,
    last_message_at      timestamptz,
    last_inbound_at      timestamptz,
    last_inbound_line_id uuid,
    last_message         bigint
);

-- What is NULL stays as it is, but for the assignee: `assigned` says whether it changes.
CREATE TYPE case_change AS (
    part                 integer,
    reference            integer,
    version              bigint,
    title                text,
    status               text,
    state                text,
    withdrawn            boolean,
    assigned             boolean,
    assignee_id          uuid,
    assignee_email       text,
    -- By how many messages more, or less, stand in it.
    message_count        integer,
    last_message_at      timestamptz,
    last_inbound_at      timestamptz,
    last_inbound_line_id uuid,
    last_message         bigint
);

-- One of several inbound messages of a case whose time of recording is not known yet: it decides which of them is the last one.
CREATE TYPE case_inbound AS (
    part                 integer,
    reference            integer,
    -- Grows in the order of the log.
    number               bigint,
    last_inbound_at      timestamptz,
    last_inbound_line_id uuid
);

CREATE TYPE contact_name AS (
    part       integer,
    -- A case of the contact's.
    reference  integer,
    -- Grows in the order of the log.
    number     bigint,
    name       text,
    name_words text
);

CREATE TYPE new_open_case AS (
    part       integer,
    contact_id uuid,
    reference  integer
);

-- What is known of the delivery of a message whose item is there. It replaces what was known, but for what is NULL of the attempt, the
-- line and Vonage's id.
CREATE TYPE delivery_change AS (
    part            integer,
    reference       integer,
    message_id      uuid,
    delivery        text,
    delivery_reason text,
    delivery_code   integer,
    delivery_at     timestamptz,
    attempt         integer,
    provider_id     text,
    line_id         uuid
);

CREATE TYPE new_thread_item AS (
    part            integer,
    reference       integer,
    sequence        bigint,
    -- The column `part`.
    item_part       smallint,
    kind            text,
    -- NULL for the time of recording.
    at              timestamptz,
    recorded_at     timestamptz,
    author_kind     text,
    author_id       uuid,
    author_email    text,
    message_id      uuid,
    direction       text,
    channel         text,
    line_id         uuid,
    said            text,
    -- JSON.
    content         text,
    sent_text       text,
    provider_id     text,
    quotes          text,
    rule            text,
    rule_references integer[],
    delivery        text,
    delivery_reason text,
    delivery_code   integer,
    delivery_at     timestamptz,
    attempt         integer,
    other           integer,
    before          text,
    value           text,
    closed          boolean,
    comment         text,
    note_id         uuid,
    hidden          boolean,
    question        text,
    words           text,
    at_is_arrival   boolean,
    rule_foreign    boolean,
    reaction        text,
    reaction_at     timestamptz,
    reaction_from   text
);

CREATE TYPE new_message AS (
    part            integer,
    message_id      uuid,
    provider_id     text,
    -- The case whose event came first; it says whose the message is.
    reference       integer,
    direction       text,
    automatic       boolean,
    case_references integer[],
    recorded_at     timestamptz
);

CREATE TYPE new_sent_id AS (
    part        integer,
    provider_id text,
    message_id  uuid
);

CREATE TYPE new_report_case AS (
    part         integer,
    reference    integer,
    survey_id    uuid,
    origin       text,
    withdrawn    boolean,
    opened_at    timestamptz,
    responded_at timestamptz,
    responder_id uuid,
    closed_at    timestamptz,
    closer_id    uuid
);

CREATE TYPE report_case_change AS (
    part         integer,
    reference    integer,
    withdrawn    boolean,
    responded_at timestamptz,
    responder_id uuid,
    -- Whether the case was opened again: then an earlier closing does not count.
    anew         boolean,
    closed_at    timestamptz,
    closer_id    uuid
);

CREATE TYPE outbox_queuing AS (
    part            integer,
    message_id      uuid,
    contact_id      uuid,
    line_id         uuid,
    channel         text,
    to_number       text,
    sent_text       text,
    case_references integer[],
    state           text,
    attempt         integer,
    queued_at       timestamptz,
    due_at          timestamptz,
    since           timestamptz
);

CREATE TYPE outbox_sending AS (
    part       integer,
    message_id uuid,
    attempt    integer,
    since      timestamptz
);

CREATE TYPE outbox_deferral AS (
    part       integer,
    message_id uuid,
    attempt    integer,
    due_at     timestamptz,
    since      timestamptz
);

CREATE TYPE outbox_end AS (
    part         integer,
    message_id   uuid,
    -- Attempts up to this one need no more sending.
    last_attempt bigint
);

-- A field a target.
CREATE TYPE read_model_rows AS (
    contacts         new_contact[],
    cases            new_case[],
    case_changes     case_change[],
    case_inbounds    case_inbound[],
    contact_names    contact_name[],
    open_cases       new_open_case[],
    deliveries       delivery_change[],
    thread_items     new_thread_item[],
    messages         new_message[],
    sent_ids         new_sent_id[],
    report_cases     new_report_case[],
    report_changes   report_case_change[],
    outbox_queuings  outbox_queuing[],
    outbox_sendings  outbox_sending[],
    outbox_deferrals outbox_deferral[],
    outbox_ends      outbox_end[]
);

-- Writes the rows of the parts of a batch that were accepted; of all parts where `accepted` is NULL. `log_time` is the time of
-- recording of rows that do not know it.
--
-- Statements name tables without a schema: the caller's search path says whether the live tables are meant, those of a rebuild, or
-- temporary ones. Only targets with rows need their table. Cases come before everything that looks its contact up in them.
--
-- A few rows find their tables' rows by index, whatever the statistics say when a session plans a statement, and are never planned anew.
CREATE FUNCTION write_read_models(rows read_model_rows, accepted boolean[], log_time timestamptz) RETURNS void
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
BEGIN
    IF cardinality(rows.contacts) > 0 THEN
        INSERT INTO contacts (contact_id, survey_id, number, first_seen_at)
        SELECT r.contact_id, r.survey_id, r.number, dated(r.first_seen_at, log_time)
          FROM unnest(rows.contacts) AS r
         WHERE accepted IS NULL OR accepted[r.part]
        ON CONFLICT DO NOTHING;
    END IF;

    IF cardinality(rows.cases) > 0 THEN
        INSERT INTO cases (
            reference, contact_id, number, survey_id, line_id, channel, title, status, state, origin, withdrawn, assignee_id,
            assignee_email, version, message_count, opened_at, last_message_at, last_inbound_at, last_inbound_line_id,
            last_message
        )
        SELECT r.reference, r.contact_id, r.number, r.survey_id, r.line_id, r.channel, r.title, r.status, r.state, r.origin,
               r.withdrawn, r.assignee_id, r.assignee_email, r.version, r.message_count, dated(r.opened_at, log_time),
               dated(r.last_message_at, log_time), at_most(r.last_inbound_at, dated(r.last_message_at, log_time)),
               r.last_inbound_line_id, r.last_message
          FROM unnest(rows.cases) AS r
         WHERE accepted IS NULL OR accepted[r.part];
        INSERT INTO contact_cases (contact_id, reference)
        SELECT r.contact_id, r.reference
          FROM unnest(rows.cases) AS r
         WHERE accepted IS NULL OR accepted[r.part];
    END IF;

    IF cardinality(rows.case_changes) > 0 THEN
        UPDATE cases c
           SET version = r.version,
               title = coalesce(r.title, c.title),
               status = coalesce(r.status, c.status),
               state = coalesce(r.state, c.state),
               withdrawn = c.withdrawn OR r.withdrawn,
               assignee_id = CASE WHEN r.assigned THEN r.assignee_id ELSE c.assignee_id END,
               assignee_email = CASE WHEN r.assigned THEN r.assignee_email ELSE c.assignee_email END,
               message_count = c.message_count + r.message_count,
               last_message_at = coalesce(dated(r.last_message_at, log_time), c.last_message_at),
               last_inbound_at = greatest(
                   c.last_inbound_at, at_most(r.last_inbound_at, dated(r.last_message_at, log_time))
               ),
               last_inbound_line_id = CASE
                   WHEN at_most(r.last_inbound_at, dated(r.last_message_at, log_time))
                       >= coalesce(c.last_inbound_at, '-infinity')
                   THEN r.last_inbound_line_id
                   ELSE c.last_inbound_line_id
               END,
               last_message = coalesce(r.last_message, c.last_message)
          FROM unnest(rows.case_changes) AS r
         WHERE c.reference = r.reference AND (accepted IS NULL OR accepted[r.part]);
    END IF;

    IF cardinality(rows.case_inbounds) > 0 THEN
        UPDATE cases c
           SET last_inbound_at = latest.at, last_inbound_line_id = latest.last_inbound_line_id
          FROM (
                   SELECT DISTINCT ON (r.reference) r.reference, r.last_inbound_line_id,
                          at_most(r.last_inbound_at, log_time) AS at
                     FROM unnest(rows.case_inbounds) AS r
                    WHERE accepted IS NULL OR accepted[r.part]
                    ORDER BY r.reference, at_most(r.last_inbound_at, log_time) DESC, r.number DESC
               ) latest
         WHERE c.reference = latest.reference AND (c.last_inbound_at IS NULL OR c.last_inbound_at <= latest.at);
    END IF;

    IF cardinality(rows.contact_names) > 0 THEN
        UPDATE contacts k
           SET name = latest.name, name_words = latest.name_words
          FROM (
                   SELECT DISTINCT ON (c.contact_id) c.contact_id, r.name, r.name_words
                     FROM unnest(rows.contact_names) AS r
                     JOIN cases c USING (reference)
                    WHERE accepted IS NULL OR accepted[r.part]
                    ORDER BY c.contact_id, r.number DESC
               ) latest
         WHERE k.contact_id = latest.contact_id AND k.name IS DISTINCT FROM latest.name;
    END IF;

    IF cardinality(rows.open_cases) > 0 THEN
        INSERT INTO open_cases (contact_id, reference)
        SELECT r.contact_id, r.reference
          FROM unnest(rows.open_cases) AS r
         WHERE accepted IS NULL OR accepted[r.part]
        ON CONFLICT DO NOTHING;
    END IF;

    IF cardinality(rows.deliveries) > 0 THEN
        UPDATE thread_items t
           SET delivery = r.delivery,
               delivery_reason = r.delivery_reason,
               delivery_code = r.delivery_code,
               delivery_at = r.delivery_at,
               attempt = coalesce(r.attempt, t.attempt),
               provider_id = coalesce(r.provider_id, t.provider_id),
               line_id = coalesce(r.line_id, t.line_id)
          FROM unnest(rows.deliveries) AS r
         WHERE t.message_id = r.message_id AND t.direction = 'outbound' AND t.reference = r.reference
           AND (accepted IS NULL OR accepted[r.part]);
    END IF;

    IF cardinality(rows.thread_items) > 0 THEN
        INSERT INTO thread_items (
            reference, sequence, part, kind, at, recorded_at, author_kind, author_id, author_email, message_id, direction, channel,
            line_id, said, content, sent_text, provider_id, quotes, rule, rule_references, delivery, delivery_reason, delivery_code,
            delivery_at, attempt, other, before, value, closed, comment, note_id, hidden, question, words, at_is_arrival,
            rule_foreign, reaction, reaction_at, reaction_from
        )
        SELECT r.reference, r.sequence, r.item_part, r.kind, coalesce(r.at, dated(r.recorded_at, log_time)),
               dated(r.recorded_at, log_time), r.author_kind, r.author_id, r.author_email, r.message_id, r.direction, r.channel,
               r.line_id, r.said, r.content::jsonb, r.sent_text, r.provider_id, r.quotes, r.rule, r.rule_references, r.delivery,
               r.delivery_reason, r.delivery_code, r.delivery_at, r.attempt, r.other, r.before, r.value, r.closed, r.comment,
               r.note_id, r.hidden, r.question, r.words, r.at_is_arrival, r.rule_foreign, r.reaction, r.reaction_at,
               r.reaction_from
          FROM unnest(rows.thread_items) AS r
         WHERE accepted IS NULL OR accepted[r.part];
    END IF;

    IF cardinality(rows.messages) > 0 THEN
        INSERT INTO messages (message_id, provider_id, contact_id, direction, automatic, case_references, recorded_at)
        SELECT r.message_id, r.provider_id, c.contact_id, r.direction, r.automatic, r.case_references,
               dated(r.recorded_at, log_time)
          FROM unnest(rows.messages) AS r
          LEFT JOIN cases c USING (reference)
         WHERE accepted IS NULL OR accepted[r.part]
        ON CONFLICT (message_id) DO UPDATE SET case_references = ARRAY(
            SELECT DISTINCT reference FROM unnest(messages.case_references || excluded.case_references) AS reference
             ORDER BY reference
        );
    END IF;

    IF cardinality(rows.sent_ids) > 0 THEN
        -- A message that stands in several cases is told of in each.
        INSERT INTO sent_ids (provider_id, message_id)
        SELECT r.provider_id, r.message_id
          FROM unnest(rows.sent_ids) AS r
         WHERE accepted IS NULL OR accepted[r.part]
        ON CONFLICT DO NOTHING;
    END IF;

    IF cardinality(rows.report_cases) > 0 THEN
        INSERT INTO report_cases (
            reference, survey_id, origin, withdrawn, opened_at, responded_at, responder_id, closed_at, closer_id
        )
        SELECT r.reference, r.survey_id, r.origin, r.withdrawn, dated(r.opened_at, log_time), dated(r.responded_at, log_time),
               r.responder_id, dated(r.closed_at, log_time), r.closer_id
          FROM unnest(rows.report_cases) AS r
         WHERE accepted IS NULL OR accepted[r.part];
    END IF;

    IF cardinality(rows.report_changes) > 0 THEN
        -- Most answers are not the first, and then there is no row to write again.
        UPDATE report_cases c
           SET responded_at = coalesce(c.responded_at, dated(r.responded_at, log_time)),
               responder_id = CASE WHEN c.responded_at IS NULL THEN r.responder_id ELSE c.responder_id END,
               closed_at = CASE WHEN r.anew OR c.closed_at IS NULL THEN dated(r.closed_at, log_time) ELSE c.closed_at END,
               closer_id = CASE WHEN r.anew OR c.closed_at IS NULL THEN r.closer_id ELSE c.closer_id END,
               withdrawn = c.withdrawn OR r.withdrawn
          FROM unnest(rows.report_changes) AS r
         WHERE c.reference = r.reference
           AND (
               c.responded_at IS NULL AND r.responded_at IS NOT NULL
               OR r.anew OR r.closed_at IS NOT NULL OR r.withdrawn
           )
           AND (accepted IS NULL OR accepted[r.part]);
    END IF;

    IF cardinality(rows.outbox_queuings) > 0 THEN
        INSERT INTO outbox (
            message_id, contact_id, line_id, channel, to_number, sent_text, case_references, state, attempt, queued_at, due_at, since
        )
        SELECT r.message_id, r.contact_id, r.line_id, r.channel, r.to_number, r.sent_text, r.case_references, r.state, r.attempt,
               dated(r.queued_at, log_time), dated(r.due_at, log_time), dated(r.since, log_time)
          FROM unnest(rows.outbox_queuings) AS r
         WHERE accepted IS NULL OR accepted[r.part]
        ON CONFLICT (message_id) DO NOTHING;
    END IF;

    IF cardinality(rows.outbox_sendings) > 0 THEN
        UPDATE outbox o
           SET state = 'sending', since = dated(r.since, log_time)
          FROM unnest(rows.outbox_sendings) AS r
         WHERE o.message_id = r.message_id AND o.attempt = r.attempt AND o.state = 'queued'
           AND (accepted IS NULL OR accepted[r.part]);
    END IF;

    IF cardinality(rows.outbox_deferrals) > 0 THEN
        UPDATE outbox o
           SET state = 'queued', due_at = r.due_at, since = dated(r.since, log_time)
          FROM unnest(rows.outbox_deferrals) AS r
         WHERE o.message_id = r.message_id AND o.attempt = r.attempt AND o.state = 'sending'
           AND (accepted IS NULL OR accepted[r.part]);
    END IF;

    IF cardinality(rows.outbox_ends) > 0 THEN
        DELETE FROM outbox o
         USING unnest(rows.outbox_ends) AS r
         WHERE o.message_id = r.message_id AND o.attempt <= r.last_attempt
           AND (accepted IS NULL OR accepted[r.part]);
    END IF;
END
$$;
