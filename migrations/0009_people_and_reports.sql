-- When a token was last used, to about a minute.
ALTER TABLE token_secrets ADD COLUMN last_used_at timestamptz;

-- What went to and fro between Vonage and us, counted by day and what became of it, and when last. The log tells only of what was
-- recorded; this tells of refusals too, and outlives the process. It is not rebuilt from events.
CREATE TABLE activity (
    day     date NOT NULL,
    -- inbound and status (webhooks), send (calls to Vonage).
    what    text NOT NULL,
    result  text NOT NULL,
    count   bigint NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (day, what, result)
);

SET LOCAL search_path = docket_read;

-- What reports ask of a case: when it began, was first answered by a person, and was closed. Records of surveys without cases are not
-- here.
CREATE TABLE report_cases (
    reference    integer PRIMARY KEY,
    survey_id    uuid NOT NULL,
    -- message, agent or move.
    origin       text NOT NULL,
    -- Whether the move that made it was undone.
    withdrawn    boolean NOT NULL,
    opened_at    timestamptz NOT NULL,
    -- When and by whom a person first answered in it.
    responded_at timestamptz,
    responder_id uuid,
    -- When and by whom it was closed; NULL while it is open, or open again.
    closed_at    timestamptz,
    closer_id    uuid
);
CREATE INDEX report_cases_opened ON report_cases (opened_at);
CREATE INDEX report_cases_closed ON report_cases (closed_at) WHERE closed_at IS NOT NULL;

-- For messages a day: each message once, however many cases it stands in.
CREATE INDEX messages_recorded ON messages (recorded_at) INCLUDE (direction, contact_id);

SET LOCAL search_path = public;
