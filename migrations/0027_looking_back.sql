-- What was done in a case beside what was said: its notes, and its last status, assignee and title before a moment.
CREATE INDEX thread_items_done ON docket_read.thread_items (reference, kind, sequence)
    WHERE kind = ANY ('{note,status,assigned,renamed,moved_out,moved_in,removed_elsewhere,reaction}');
