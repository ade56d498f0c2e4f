-- What went to and fro between Vonage and us, counted in slots of ten minutes. Health judges by the
-- last hour and the last day; what is older is in `activity`, by day, and is forgotten here.

CREATE TABLE activity_slots (
    slot   timestamptz NOT NULL,
    what   text NOT NULL,
    result text NOT NULL,
    count  bigint NOT NULL,
    PRIMARY KEY (slot, what, result)
);
