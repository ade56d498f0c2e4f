-- For auditors who look for what did not happen to a case: settings, users, sign-ins, looks, exports. Nearly all that is written is of
-- cases, and of those this index knows nothing, so that it costs the write path nothing. Cases' events are found by their key.
CREATE INDEX events_beside_cases ON events (position) WHERE aggregate_type <> 'Case';
