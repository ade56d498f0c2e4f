SET LOCAL search_path = docket_read;

-- Labels that were not deleted.
CREATE TABLE labels (
    label_id   uuid PRIMARY KEY,
    name       text NOT NULL,
    colour     text NOT NULL,
    created_at timestamptz NOT NULL,
    version    bigint NOT NULL
);

-- The labels of each case. A label that was deleted stays here until the case gets other labels; it has no row in labels.
CREATE TABLE case_labels (
    reference integer NOT NULL,
    label_id  uuid NOT NULL,
    PRIMARY KEY (reference, label_id)
);
CREATE INDEX case_labels_by_label ON case_labels (label_id, reference);

-- The cases that are put off, and until when.
CREATE TABLE snoozes (
    reference integer PRIMARY KEY,
    until     timestamptz NOT NULL
);
CREATE INDEX snoozes_by_time ON snoozes (until);

SET LOCAL search_path = public;
