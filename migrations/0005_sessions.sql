-- Who is signed in at the console. None of it is in the log: a session says nothing of cases, and ends without a trace.
CREATE TABLE sessions (
    session_id   uuid PRIMARY KEY,
    -- SHA-256 of what the browser keeps in its cookie.
    token_hash   bytea NOT NULL UNIQUE,
    user_id      uuid NOT NULL,
    -- The browser in a few words, for the person's list of sessions.
    label        text NOT NULL,
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);
