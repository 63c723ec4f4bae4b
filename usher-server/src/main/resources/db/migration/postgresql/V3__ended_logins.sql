-- The latest tokens of a user, however many have been spent: for a login, a refresh, a logout and a ban.
CREATE INDEX refresh_tokens_latest ON refresh_tokens (user_id, spent_at) WHERE revoked_at IS NULL;
-- Which families have ended.
CREATE INDEX refresh_tokens_revoked ON refresh_tokens (family_id, revoked_at) WHERE revoked_at IS NOT NULL;
