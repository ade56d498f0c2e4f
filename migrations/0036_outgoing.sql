-- WhatsApp templates, WhatsApp's window by line, and the automatic texts of lines.

-- The time zone of the office hours of a survey's lines.
ALTER TABLE docket_read.surveys ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC';

-- The automatic texts beside multi_case_reply, as the line's events have them.
ALTER TABLE docket_read.lines ADD COLUMN automatic jsonb NOT NULL DEFAULT '{}';

CREATE TABLE docket_read.whatsapp_templates (
    template_id uuid PRIMARY KEY,
    name        text NOT NULL,
    locale      text NOT NULL,
    body        text NOT NULL,
    line_id     uuid NOT NULL,
    created_at  timestamptz NOT NULL,
    version     bigint NOT NULL
);

-- When a contact last wrote to a WhatsApp line, by Vonage's clock or by ours where that is earlier.
CREATE TABLE docket_read.contact_windows (
    contact_id      uuid NOT NULL,
    line_id         uuid NOT NULL,
    last_inbound_at timestamptz NOT NULL,
    PRIMARY KEY (contact_id, line_id)
);

-- The WhatsApp template that a message is sent as: name, locale, parameters.
ALTER TABLE docket_read.thread_items ADD COLUMN template jsonb;
ALTER TABLE docket_read.outbox ADD COLUMN template jsonb;

-- The local date of the last text outside of office hours, of each case.
CREATE INDEX thread_items_out_of_hours ON docket_read.thread_items (reference, sequence DESC) INCLUDE (value)
    WHERE author_kind = 'out_of_hours';

CREATE TYPE contact_window AS (
    part        integer,
    -- A case of the contact's.
    reference   integer,
    line_id     uuid,
    at          timestamptz,
    recorded_at timestamptz
);
ALTER TYPE new_thread_item ADD ATTRIBUTE template text;
ALTER TYPE outbox_queuing ADD ATTRIBUTE template text;
ALTER TYPE read_model_rows ADD ATTRIBUTE contact_windows contact_window[];

CREATE OR REPLACE FUNCTION write_read_models(rows read_model_rows, accepted boolean[], log_time timestamptz) RETURNS void
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
            last_message, waiting_since, answered, failed
        )
        SELECT r.reference, r.contact_id, r.number, r.survey_id, r.line_id, r.channel, r.title, r.status, r.state, r.origin,
               r.withdrawn, r.assignee_id, r.assignee_email, r.version, r.message_count, dated(r.opened_at, log_time),
               dated(r.last_message_at, log_time), at_most(r.last_inbound_at, dated(r.last_message_at, log_time)),
               r.last_inbound_line_id, r.last_message,
               at_most(r.waiting_since, dated(r.last_message_at, log_time)), r.answered, r.failed
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
               last_message = coalesce(r.last_message, c.last_message),
               waiting_since = CASE
                   WHEN r.answered IS NULL AND c.waiting_since IS NOT NULL THEN c.waiting_since
                   ELSE at_most(r.waiting_since, dated(r.last_message_at, log_time))
               END,
               answered = coalesce(r.answered, c.answered),
               failed = coalesce(r.failed, c.failed)
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

    IF cardinality(rows.contact_windows) > 0 THEN
        INSERT INTO contact_windows (contact_id, line_id, last_inbound_at)
        SELECT c.contact_id, r.line_id, max(at_most(r.at, dated(r.recorded_at, log_time)))
          FROM unnest(rows.contact_windows) AS r
          JOIN cases c USING (reference)
         WHERE accepted IS NULL OR accepted[r.part]
         GROUP BY c.contact_id, r.line_id
        ON CONFLICT (contact_id, line_id) DO UPDATE
           SET last_inbound_at = greatest(contact_windows.last_inbound_at, excluded.last_inbound_at);
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
            rule_foreign, reaction, reaction_at, reaction_from, template
        )
        SELECT r.reference, r.sequence, r.item_part, r.kind, coalesce(r.at, dated(r.recorded_at, log_time)),
               dated(r.recorded_at, log_time), r.author_kind, r.author_id, r.author_email, r.message_id, r.direction, r.channel,
               r.line_id, r.said, r.content::jsonb, r.sent_text, r.provider_id, r.quotes, r.rule, r.rule_references, r.delivery,
               r.delivery_reason, r.delivery_code, r.delivery_at, r.attempt, r.other, r.before, r.value, r.closed, r.comment,
               r.note_id, r.hidden, r.question, r.words, r.at_is_arrival, r.rule_foreign, r.reaction, r.reaction_at,
               r.reaction_from, r.template::jsonb
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
            message_id, contact_id, line_id, channel, to_number, sent_text, case_references, state, attempt, queued_at, due_at, since,
            template
        )
        SELECT r.message_id, r.contact_id, r.line_id, r.channel, r.to_number, r.sent_text, r.case_references, r.state, r.attempt,
               dated(r.queued_at, log_time), dated(r.due_at, log_time), dated(r.since, log_time), r.template::jsonb
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
