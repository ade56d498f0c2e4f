-- How far each person has read each case. None of it is in the log: it says nothing of cases, and is nobody else's business.
CREATE TABLE read_marks (
    user_id   uuid NOT NULL,
    reference integer NOT NULL,
    -- The sequence, in the case's stream, of the last event that the person was shown.
    read_to   bigint NOT NULL,
    PRIMARY KEY (user_id, reference)
);

-- The sequence of the event that last brought a message into the case; 0 where none did. Filled by the rebuild at the next start.
ALTER TABLE docket_read.cases ADD COLUMN last_message bigint NOT NULL DEFAULT 0;

-- The question as it was asked when the status was set; none in events that did not say. Filled by the same rebuild.
ALTER TABLE docket_read.thread_items ADD COLUMN question text;
