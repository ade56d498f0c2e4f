SET LOCAL search_path = docket_read;

-- What Vonage calls the messages that we sent: one row for each call that it took, so a message that was sent again has several, and
-- a quote of either copy is found. messages.provider_id is of inbound messages alone from now on.
CREATE TABLE sent_ids (
    provider_id text NOT NULL,
    message_id  uuid NOT NULL,
    PRIMARY KEY (provider_id, message_id)
);
-- As far as it is known without the log; the rebuild at the next start adds the ids of earlier attempts.
INSERT INTO sent_ids (provider_id, message_id)
SELECT provider_id, message_id FROM messages WHERE direction = 'outbound' AND provider_id IS NOT NULL;

SET LOCAL search_path = public;
