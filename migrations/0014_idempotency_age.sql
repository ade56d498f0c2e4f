-- Keys of requests are forgotten by their age, so that they do not gather for ever.
CREATE INDEX idempotency_keys_recorded_at ON idempotency_keys (recorded_at);
