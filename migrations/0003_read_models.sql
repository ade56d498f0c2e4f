-- The read models: each can be dropped and rebuilt from the log. They live in a schema of their own, so that a rebuild
-- can fill a second one and swap the two.

CREATE SCHEMA docket_read;
SET LOCAL search_path = docket_read;

CREATE TABLE surveys (
    survey_id        uuid PRIMARY KEY,
    name             text NOT NULL,
    cases_enabled    boolean NOT NULL,
    question         text NOT NULL,
    choices          text[] NOT NULL,
    closed_value     text NOT NULL,
    append_reference boolean NOT NULL,
    created_at       timestamptz NOT NULL,
    version          bigint NOT NULL
);

CREATE TABLE lines (
    line_id          uuid PRIMARY KEY,
    number           text NOT NULL,
    channel          text NOT NULL,
    survey_id        uuid NOT NULL,
    multi_case_reply text,
    -- Why sending stands still: credentials or balance.
    halted           text,
    removed          boolean NOT NULL,
    created_at       timestamptz NOT NULL,
    version          bigint NOT NULL
);
CREATE UNIQUE INDEX lines_number_channel ON lines (number, channel) WHERE NOT removed;

CREATE TABLE contacts (
    contact_id   uuid PRIMARY KEY,
    survey_id    uuid NOT NULL,
    number       text NOT NULL,
    -- What the person last called themselves.
    name         text,
    first_seen_at timestamptz NOT NULL
);
-- For a whole number and for the beginning of one.
CREATE INDEX contacts_number ON contacts (number text_pattern_ops);

CREATE TABLE open_cases (
    contact_id uuid NOT NULL,
    reference  integer NOT NULL,
    PRIMARY KEY (contact_id, reference)
);

CREATE TABLE cases (
    reference            integer PRIMARY KEY,
    contact_id           uuid NOT NULL,
    number               text NOT NULL,
    survey_id            uuid NOT NULL,
    line_id              uuid NOT NULL,
    channel              text NOT NULL,
    title                text NOT NULL,
    status               text,
    -- open or closed.
    state                text NOT NULL,
    -- message, record, agent or move.
    origin               text NOT NULL,
    -- Whether the move that made it was undone.
    withdrawn            boolean NOT NULL,
    assignee_id          uuid,
    assignee_email       text,
    version              bigint NOT NULL,
    message_count        integer NOT NULL,
    opened_at            timestamptz NOT NULL,
    -- When a message was last recorded; the list is ordered by it.
    last_message_at      timestamptz NOT NULL,
    last_inbound_at      timestamptz,
    last_inbound_line_id uuid
);
CREATE INDEX cases_by_state ON cases (state, last_message_at DESC, reference DESC);
CREATE INDEX cases_by_survey ON cases (survey_id, state, last_message_at DESC, reference DESC);
CREATE INDEX cases_by_assignee ON cases (assignee_id, state, last_message_at DESC, reference DESC);
CREATE INDEX cases_by_contact ON cases (contact_id);

-- What a case has to do with another: follows, followed_by, moved_to, moved_from.
CREATE TABLE case_links (
    reference integer NOT NULL,
    sequence  bigint NOT NULL,
    kind      text NOT NULL,
    other     integer NOT NULL,
    PRIMARY KEY (reference, sequence, kind, other)
);

CREATE TABLE thread_items (
    reference       integer NOT NULL,
    -- The sequence of the event in the case's stream; an event can give two items.
    sequence        bigint NOT NULL,
    part            smallint NOT NULL,
    -- opened, message, note, status, moved_out, moved_in, assigned, renamed.
    kind            text NOT NULL,
    -- Vonage's time of a message that came in, the time of recording of all else.
    at              timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    -- user, automatic, contact, vonage or system.
    author_kind     text NOT NULL,
    author_id       uuid,
    author_email    text,
    message_id      uuid,
    -- inbound or outbound.
    direction       text,
    channel         text,
    line_id         uuid,
    -- What was said, written or named, for people and for the search.
    said            text,
    -- What a message carries, where it is more than text.
    content         jsonb,
    -- What is sent for it, where that is not what was written.
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
    -- The other case of a move, or the one that an opened case follows.
    other           integer,
    -- The value before, of a status, a title or an assignee.
    before          text,
    -- The status, where it changed.
    value           text,
    closed          boolean,
    comment         text,
    note_id         uuid,
    -- Whether the message was moved out and so stands here no more.
    hidden          boolean NOT NULL,
    PRIMARY KEY (reference, sequence, part)
);
CREATE INDEX thread_items_outbound ON thread_items (message_id) WHERE direction = 'outbound';
-- The words beyond the first thousands of characters are not found: a tsvector has a largest size, and a text must never be
-- refused for having too many words.
CREATE INDEX thread_items_words ON thread_items USING gin (to_tsvector('simple', left(said, 20000))) WHERE said IS NOT NULL;

CREATE TABLE messages (
    message_id  uuid PRIMARY KEY,
    provider_id text,
    contact_id  uuid NOT NULL,
    direction   text NOT NULL,
    automatic   boolean NOT NULL,
    -- The cases it stands in.
    case_references integer[] NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX messages_provider_id ON messages (provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX messages_automatic ON messages (contact_id, recorded_at) WHERE automatic;

CREATE TABLE outbox (
    message_id uuid PRIMARY KEY,
    contact_id uuid NOT NULL,
    line_id    uuid NOT NULL,
    channel    text NOT NULL,
    to_number  text NOT NULL,
    sent_text  text NOT NULL,
    case_references integer[] NOT NULL,
    -- queued or sending; what is done with leaves the table.
    state      text NOT NULL,
    attempt    integer NOT NULL,
    -- When it was recorded to be sent.
    queued_at  timestamptz NOT NULL,
    -- Not to be offered before.
    due_at     timestamptz NOT NULL,
    -- When the state was entered.
    since      timestamptz NOT NULL
);
CREATE INDEX outbox_due ON outbox (line_id, due_at, message_id) WHERE state = 'queued';
CREATE INDEX outbox_sending ON outbox (since) WHERE state = 'sending';
CREATE INDEX outbox_contact ON outbox (contact_id, queued_at, message_id);

CREATE TABLE unrouted (
    held_id     uuid PRIMARY KEY,
    kind        text NOT NULL,
    reason      text NOT NULL,
    detail      text NOT NULL,
    provider_id text,
    to_number   text,
    from_number text,
    body_text   text,
    body_hex    text,
    received_at timestamptz NOT NULL,
    routed_at   timestamptz,
    message_id  uuid,
    case_references integer[]
);
CREATE INDEX unrouted_waiting ON unrouted (received_at DESC, held_id DESC) WHERE routed_at IS NULL;

CREATE TABLE users (
    user_id    uuid PRIMARY KEY,
    email      text NOT NULL,
    role       text NOT NULL,
    removed    boolean NOT NULL,
    created_at timestamptz NOT NULL,
    version    bigint NOT NULL
);
CREATE UNIQUE INDEX users_email ON users (email) WHERE NOT removed;

CREATE TABLE tokens (
    token_id   uuid PRIMARY KEY,
    user_id    uuid NOT NULL,
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked    boolean NOT NULL
);
CREATE INDEX tokens_user ON tokens (user_id);

-- Whoever applies migrations keeps their list in the schema public, in this same transaction.
SET LOCAL search_path = public;
