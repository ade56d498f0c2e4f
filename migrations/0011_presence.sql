-- Who has which case open, told by the open pages themselves. It is worth nothing after a crash, and is not written to the
-- database's own log. The table is small, and its rows change every few seconds: an index of the time would only be in the way.
CREATE UNLOGGED TABLE presence (
    -- One open page.
    page_id    uuid PRIMARY KEY,
    user_id    uuid NOT NULL,
    reference  integer NOT NULL,
    -- A page that is not heard of by then is gone, or its process is.
    expires_at timestamptz NOT NULL
);
CREATE INDEX presence_reference ON presence (reference);
