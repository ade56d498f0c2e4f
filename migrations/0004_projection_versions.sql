-- In which version each read model was built. One that is missing here, or older than the code, is rebuilt from the log.
CREATE TABLE projection_versions (
    name     text PRIMARY KEY,
    version  integer NOT NULL,
    built_at timestamptz NOT NULL
);
