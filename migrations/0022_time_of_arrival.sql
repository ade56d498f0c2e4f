-- Whether `at` of a message that came in is the time of its arrival, since Vonage's could not be read.
ALTER TABLE docket_read.thread_items ADD COLUMN at_is_arrival boolean NOT NULL DEFAULT false;
