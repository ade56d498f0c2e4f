-- What happened to one message, found among all that happened in its case. Most events are messages that came in, and stand in no
-- entry of it.
CREATE FUNCTION message_of(event_type text, payload jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT coalesce(
        payload #>> ARRAY[event_type, 'message_id'],
        payload #>> ARRAY[event_type, 'message', 'message_id'],
        payload #>> ARRAY[event_type, 'reaction', 'message_id']
    ) $$;

CREATE INDEX events_of_message ON events (aggregate_id, message_of(event_type, payload), sequence)
    WHERE aggregate_type = 'Case' AND event_type = ANY (
        '{MessageSending,MessageDeferred,MessageSent,MessageIdentified,MessageDelivered,MessageRead,MessageFailed,MessageUncertain,MessageRequeued,MessageMovedOut,MessageMovedIn,MoveUndone,MessageReturned,ReactionReceived}'
    );

-- What was done in a case beside what was said: its notes, and its last status, assignee and title before a moment.
CREATE INDEX thread_items_done ON docket_read.thread_items (reference, kind, sequence)
    WHERE kind = ANY ('{note,status,assigned,renamed,moved_out,moved_in,removed_elsewhere,reaction}');
