-- A Merkle tree over the log, and the checkpoints that were signed of it (docs/adr/0022, docs/evidence.md).
--
-- Tables of their own, beside the log: they follow from the events, and an append does not touch them.

CREATE TABLE log_tree (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- So many events are hashed: the log's events at positions 1 to size.
    size        bigint NOT NULL DEFAULT 0 CHECK (size >= 0),
    -- The size of the newest checkpoint. It only grows.
    signed_size bigint NOT NULL DEFAULT 0 CHECK (signed_size BETWEEN 0 AND size),
    -- The size of the newest checkpoint that DOCKET_CHECKPOINT_URL has taken.
    sent_size   bigint NOT NULL DEFAULT 0,
    -- The public half of the key that signs checkpoints, as a verifier key of C2SP signed notes. Its private half stands in
    -- installation_secrets, encrypted.
    public_key  text,
    -- Why no checkpoint is signed or sent, in a sentence.
    trouble     text
);
INSERT INTO log_tree DEFAULT VALUES;

-- Tiles of C2SP tlog-tiles: 256 hashes a tile, the last one of a level has fewer.
CREATE TABLE log_tiles (
    level  smallint NOT NULL CHECK (level >= 0),
    tile   bigint NOT NULL CHECK (tile >= 0),
    hashes bytea NOT NULL CHECK (octet_length(hashes) % 32 = 0 AND octet_length(hashes) BETWEEN 32 AND 8192),
    PRIMARY KEY (level, tile)
);
-- Hashes do not compress.
ALTER TABLE log_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE TABLE checkpoints (
    size      bigint PRIMARY KEY CHECK (size > 0),
    root      bytea NOT NULL CHECK (octet_length(root) = 32),
    -- The signed note.
    note      text NOT NULL,
    signed_at timestamptz NOT NULL
);

CREATE TRIGGER checkpoints_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_history();
ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER checkpoints_are_append_only;
