-- What was never put off is due at once, also where the clock was ahead when it was recorded: the last time of such a message.
CREATE INDEX outbox_ahead ON docket_read.outbox (due_at) WHERE state = 'queued' AND due_at = queued_at;
