-- Secrets of the installation, such as those that Vonage gives: encrypted with a key that is not in the database, and no events.
CREATE TABLE installation_secrets (
    name       text PRIMARY KEY,
    nonce      bytea NOT NULL,
    ciphertext bytea NOT NULL
);

-- What owners set for the whole installation: a read model of one row, like the others rebuilt from the log.
CREATE TABLE docket_read.installation (
    only_row             boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    application_id       text,
    has_signature_secret boolean NOT NULL,
    has_private_key      boolean NOT NULL,
    changed_at           timestamptz NOT NULL,
    -- The address of whoever changed it last; none for Docket's command line.
    changed_by           text,
    version              bigint NOT NULL
);
