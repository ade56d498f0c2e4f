-- What the write path needs beside the log. None of it is a read model: it is not rebuilt from events.

-- The numbers of cases, given once and never again.
CREATE SEQUENCE case_references AS integer START WITH 101;

-- The one place that maps an outside number to a contact. Its row is the lock under which everything about a
-- contact's cases is decided.
CREATE TABLE contact_ids (
    contact_id uuid PRIMARY KEY,
    survey_id  uuid NOT NULL,
    number     text NOT NULL,
    UNIQUE (survey_id, number)
);

-- Webhooks already taken: a repeated delivery finds its row and does nothing.
CREATE TABLE webhook_receipts (
    kind        text NOT NULL,
    key         text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (kind, key)
);

-- Requests already done, by the key that their sender gave them.
CREATE TABLE idempotency_keys (
    actor       uuid  NOT NULL,
    key         text  NOT NULL,
    -- SHA-256 of what was asked, so that a key used for something else is noticed.
    fingerprint bytea NOT NULL,
    -- What was answered.
    outcome     jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (actor, key)
);

-- Which worker offers a message to Vonage, and until when nobody else should.
CREATE TABLE outbox_claims (
    message_id    uuid PRIMARY KEY,
    attempt       integer NOT NULL,
    claimed_until timestamptz NOT NULL
);

-- Secrets of people: the log knows who they are, and never this.
CREATE TABLE credentials (
    user_id       uuid PRIMARY KEY,
    password_hash text NOT NULL
);

CREATE TABLE token_secrets (
    token_id uuid PRIMARY KEY,
    user_id  uuid NOT NULL,
    -- SHA-256 of the token.
    hash     bytea NOT NULL UNIQUE
);
