-- What people set of contacts: a name, a note, and on which channels they opted out. Filled by the events of contacts, of which an older
-- log has none; so it is up to date as it is made.
CREATE TABLE docket_read.contact_details (
    contact_id uuid PRIMARY KEY,
    -- The name that people gave it; it counts before what the person calls themselves.
    name       text,
    -- What a search finds of the name: tokens between spaces.
    name_words text,
    note       text,
    -- The channels on which nothing is sent to the contact, and those on which somebody has to decide whether they opted out.
    opted_out  text[] NOT NULL,
    suspected  text[] NOT NULL,
    -- When the channels last changed.
    changed_at timestamptz NOT NULL,
    -- The sequence of the contact's last event.
    version    bigint NOT NULL
);
CREATE INDEX contact_details_words ON docket_read.contact_details
    USING gin (array_to_tsvector(string_to_array(btrim(name_words, ' '), ' ')))
    WITH (gin_pending_list_limit = 64) WHERE name_words IS NOT NULL;

-- The list of contacts.
CREATE INDEX contacts_first_seen ON docket_read.contacts (first_seen_at DESC, contact_id DESC);

INSERT INTO projection_versions (name, version, built_at)
SELECT 'contact_details', 1, now() WHERE EXISTS (SELECT FROM projection_versions);
