-- The columns as PostgreSQL has them after its version 4. Each statement commits by itself, and MySQL has no ADD COLUMN IF NOT EXISTS: a
-- migration that was interrupted runs again, and does nothing to a table that has its columns.
SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'generation'),
    'DO 0',
    'ALTER TABLE users ADD COLUMN generation bigint NOT NULL DEFAULT 0');
PREPARE change_users FROM @change;
EXECUTE change_users;
DEALLOCATE PREPARE change_users;

SET @change = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'refresh_tokens' AND column_name = 'ended_in'),
    'DO 0',
    'ALTER TABLE refresh_tokens ADD COLUMN ended_in bigint, ADD COLUMN begun_at datetime(6), ADD COLUMN address varchar(45), ADD KEY refresh_tokens_ended (user_id, ended_in)');
PREPARE change_tokens FROM @change;
EXECUTE change_tokens;
DEALLOCATE PREPARE change_tokens;
