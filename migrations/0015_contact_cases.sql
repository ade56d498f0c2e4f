SET LOCAL search_path = docket_read;

-- Which cases are whose. An index on cases would tell too, but it would get an entry with every message, and this gets one with every
-- case.
CREATE TABLE contact_cases (
    contact_id uuid NOT NULL,
    reference  integer NOT NULL,
    PRIMARY KEY (contact_id, reference)
);
INSERT INTO contact_cases (contact_id, reference) SELECT contact_id, reference FROM cases;
DROP INDEX cases_by_contact;

SET LOCAL search_path = public;
