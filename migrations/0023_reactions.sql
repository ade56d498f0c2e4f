-- Whether the text had a reference that was none of the contact's.
ALTER TABLE docket_read.thread_items ADD COLUMN rule_foreign boolean NOT NULL DEFAULT false;

-- The contact's newest reaction to a message, or one that is an item of its own. The emoji is empty where it could not be read, and
-- missing where it was taken off. Filled by the rebuild at the next start.
ALTER TABLE docket_read.thread_items
    ADD COLUMN reaction      text,
    ADD COLUMN reaction_at   timestamptz,
    ADD COLUMN reaction_from text;
