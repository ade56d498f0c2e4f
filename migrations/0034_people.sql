-- What people are called, and how they want the console to be.
ALTER TABLE docket_read.users
    ADD COLUMN name text,
    ADD COLUMN preferences jsonb NOT NULL DEFAULT '{}';
