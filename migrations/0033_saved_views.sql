-- Views of the list that people keep: filters with a name. They say how somebody looks at cases, and nothing of cases; so they stand
-- beside the log.
CREATE TABLE saved_views (
    view_id    uuid PRIMARY KEY,
    -- Who keeps it.
    user_id    uuid NOT NULL,
    name       text NOT NULL,
    -- What the address of the list says beside its path.
    query      text NOT NULL,
    -- Whether everybody is offered it.
    shared     boolean NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX saved_views_user ON saved_views (user_id);
CREATE INDEX saved_views_shared ON saved_views (created_at) WHERE shared;
