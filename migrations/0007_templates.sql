-- A survey's templates of frequent answers: a list of {name, text}, in order.
ALTER TABLE docket_read.surveys ADD COLUMN templates jsonb NOT NULL DEFAULT '[]';
