SET LOCAL search_path = docket_read;

-- The files that messages carry, and what is kept of them. Filled by the rebuild at the next start.
CREATE TABLE media (
    message_id uuid NOT NULL,
    -- Which file of the message, from 0.
    item       integer NOT NULL,
    -- Of a message that we send, the upload's; it may go out with several messages.
    media_id   uuid NOT NULL,
    direction  text NOT NULL,
    kind       text NOT NULL,
    -- Where Vonage keeps it, of a message that came in.
    url        text,
    name       text,
    -- waiting, stored or failed.
    state      text NOT NULL,
    sha256     text,
    size       bigint,
    media_type text,
    width      integer,
    height     integer,
    failure    jsonb,
    arrived_at timestamptz NOT NULL,
    settled_at timestamptz,
    PRIMARY KEY (message_id, item)
);
CREATE INDEX media_by_id ON media (media_id);
CREATE INDEX media_waiting ON media (arrived_at) WHERE state = 'waiting';
CREATE INDEX media_failed ON media (settled_at) WHERE state = 'failed';

SET LOCAL search_path = public;

-- Which worker fetches a file, until when nobody else should, and how its last try went. No events: a rebuild leaves them alone.
CREATE TABLE media_claims (
    media_id      uuid PRIMARY KEY,
    tries         integer NOT NULL,
    -- Not to be tried before.
    due_at        timestamptz NOT NULL,
    claimed_until timestamptz NOT NULL,
    failure       jsonb,
    failed_at     timestamptz
);

-- Files that people uploaded to send them. The message that is sent with one carries all that is needed of it.
CREATE TABLE media_uploads (
    media_id    uuid PRIMARY KEY,
    user_id     uuid NOT NULL,
    sha256      text NOT NULL,
    size        bigint NOT NULL,
    media_type  text NOT NULL,
    name        text,
    width       integer,
    height      integer,
    uploaded_at timestamptz NOT NULL
);
CREATE INDEX media_uploads_age ON media_uploads (uploaded_at);

-- What signs the addresses at which Vonage fetches what we send; one for all processes. Each UUID brings 122 random bits.
CREATE TABLE media_link_key (
    key bytea NOT NULL
);
INSERT INTO media_link_key (key)
SELECT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
