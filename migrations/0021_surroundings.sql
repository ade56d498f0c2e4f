-- The processes that serve, so that one of an older version notices a newer one beside it and takes no more work. Times are those of
-- the database's clock.
CREATE TABLE processes (
    process_id uuid PRIMARY KEY,
    -- Docket's version, for people.
    version    text NOT NULL,
    -- A number that is larger for whatever writes something that older versions do not know.
    format     integer NOT NULL,
    seen_at    timestamptz NOT NULL
);

-- Up to which position the log was searched for events that the newest Docket does not know. The next start searches the rest.
CREATE TABLE known_log (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- The newest Docket that has opened this database: its version, and its format as above.
    version  text NOT NULL,
    format   integer NOT NULL,
    position bigint NOT NULL
);
