-- The newest key that may sign already signs; the others verify. A key ends when its last token has.
ALTER TABLE signing_keys
    ADD COLUMN signs_from timestamptz NOT NULL DEFAULT now(),
    ALTER COLUMN name TYPE varchar(64);
