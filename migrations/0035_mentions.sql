-- Where people are mentioned.
CREATE TABLE docket_read.mentions (
    user_id      uuid        NOT NULL,
    reference    integer     NOT NULL,
    sequence     bigint      NOT NULL,
    mentioned_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, reference, sequence)
);

-- Who is writing in which case. Beside the log: no event fills it, and it is over by itself.
CREATE UNLOGGED TABLE writing (
    user_id    uuid        NOT NULL,
    reference  integer     NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, reference)
);

-- Whether somebody else set a person's password, so that they should choose their own.
ALTER TABLE docket_read.users ADD COLUMN password_given boolean NOT NULL DEFAULT false;
