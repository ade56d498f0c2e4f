-- Searches for a part of a number: all rows of three characters in a number, by which an index finds the few numbers that can have
-- the part. A contact's number is written once, when they first write.
CREATE FUNCTION number_parts(number text) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT array_agg(DISTINCT substr(number, n, 3)) FROM generate_series(1, length(number) - 2) AS n $$;

SET LOCAL search_path = docket_read;
-- What was written last is not in the index yet, and looked through one by one: a little of that, in kB.
CREATE INDEX contacts_number_parts ON contacts USING gin (public.number_parts(number)) WITH (gin_pending_list_limit = 64);
SET LOCAL search_path = public;
