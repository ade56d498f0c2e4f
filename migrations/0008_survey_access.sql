-- Which surveys' cases an agent reaches; NULL means all, which is what every user has until an event says otherwise.
SET LOCAL search_path = docket_read;
ALTER TABLE users ADD COLUMN surveys uuid[];
SET LOCAL search_path = public;
