SET LOCAL search_path = docket_read;

-- What a search finds of an item and of a contact's name: tokens between spaces, which the handlers cut out of the texts. The rebuild at
-- the next start fills the columns for what is in the log already; until it ends, searches by words find what is new alone.
ALTER TABLE thread_items ADD COLUMN words text;
ALTER TABLE contacts ADD COLUMN name_words text;

DROP INDEX thread_items_words;
CREATE INDEX thread_items_words ON thread_items USING gin (array_to_tsvector(string_to_array(btrim(words, ' '), ' ')))
    WHERE words IS NOT NULL;
CREATE INDEX contacts_name_words ON contacts USING gin (array_to_tsvector(string_to_array(btrim(name_words, ' '), ' ')))
    WITH (gin_pending_list_limit = 64) WHERE name_words IS NOT NULL;

-- A sender that is no number, an opaque id of WhatsApp's, is found in any case.
DROP INDEX contacts_number_parts;
CREATE INDEX contacts_number_parts ON contacts USING gin (public.number_parts(lower(number))) WITH (gin_pending_list_limit = 64);

SET LOCAL search_path = public;
