-- The append log. The first seven columns and the key are those of postgres-es, which reads this table as it is; the
-- rest has defaults, so that it could even write it.

CREATE TABLE log_head (
    only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- The position of the newest event; positions are 1, 2, 3 … without a gap, in the order of commits.
    position          bigint NOT NULL,
    -- The position of the newest event that changed a survey or a line: whoever caches settings compares it.
    settings_position bigint NOT NULL
);

INSERT INTO log_head (position, settings_position) VALUES (0, 0);

CREATE FUNCTION next_log_position() RETURNS bigint
    LANGUAGE sql VOLATILE
    AS $$ UPDATE log_head SET position = position + 1 RETURNING position $$;

CREATE TABLE events (
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    sequence       bigint NOT NULL CHECK (sequence > 0),
    event_type     text   NOT NULL,
    event_version  text   NOT NULL,
    payload        jsonb  NOT NULL,
    metadata       jsonb  NOT NULL,
    position       bigint NOT NULL DEFAULT next_log_position(),
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT events_pkey PRIMARY KEY (aggregate_type, aggregate_id, sequence),
    CONSTRAINT events_position_key UNIQUE (position)
);

CREATE FUNCTION refuse_change_of_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'events are history: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Record a new event instead.';
END
$$;

CREATE TRIGGER events_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_history();

ALTER TABLE events ENABLE ALWAYS TRIGGER events_are_append_only;
