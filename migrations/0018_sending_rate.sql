-- When the next call to Vonage may be made: all processes on this database take their turns from this one row, because Vonage
-- counts the calls of an API key and not those of a process.
CREATE TABLE sending_rate (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    next_at   timestamptz NOT NULL
);
INSERT INTO sending_rate (next_at) VALUES ('-infinity');
