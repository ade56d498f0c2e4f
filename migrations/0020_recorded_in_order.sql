-- `recorded_at` never runs backwards along the log: whoever appends holds this row, and takes the time behind these two.
ALTER TABLE log_head
    -- When the newest event was recorded; null in an empty log.
    ADD COLUMN recorded_at timestamptz,
    -- Somebody was told how things were at this time. What is recorded from then on is later, so that the answer stays true.
    ADD COLUMN sealed_at timestamptz;

-- Earlier versions did not keep the order.
UPDATE log_head SET recorded_at = (SELECT max(recorded_at) FROM events);
