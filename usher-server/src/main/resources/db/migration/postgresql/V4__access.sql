-- It rises when all tokens of a user are to end: a token says with which one it was issued.
ALTER TABLE users ADD COLUMN generation bigint NOT NULL DEFAULT 0;

ALTER TABLE refresh_tokens
    -- The user's generation when the family was revoked: tokens of earlier generations are refused without it.
    ADD COLUMN ended_in bigint,
    -- When the family began, and from where its token was issued. None in rows of the release before.
    ADD COLUMN begun_at timestamptz,
    ADD COLUMN address  varchar(45);

-- The families that have ended in a user's generation.
CREATE INDEX refresh_tokens_ended ON refresh_tokens (user_id, ended_in) WHERE ended_in IS NOT NULL;
