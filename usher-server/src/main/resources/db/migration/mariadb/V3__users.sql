-- The tables as PostgreSQL has them after its version 3.
-- Texts are compared byte by byte, as PostgreSQL does. Moments are in UTC, whatever the time zone of a session.
-- Each statement commits by itself: a migration that was interrupted runs again.
CREATE TABLE IF NOT EXISTS users (
    id            bigint       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    mobile        varchar(16)  NOT NULL,
    password_hash varchar(255) NOT NULL,
    name          varchar(64)  NOT NULL,
    profile_photo varchar(512),
    is_media      boolean      NOT NULL DEFAULT false,
    introduction  varchar(1000),
    certificate   varchar(200),
    status        smallint     NOT NULL DEFAULT 1 CHECK (status IN (0, 1)),
    created_at    datetime(6)  NOT NULL DEFAULT (utc_timestamp(6)),
    updated_at    datetime(6)  NOT NULL DEFAULT (utc_timestamp(6)),
    UNIQUE KEY users_mobile (mobile)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS user_roles (
    user_id bigint      NOT NULL,
    role    varchar(32) NOT NULL CHECK (role IN ('admin')),
    PRIMARY KEY (user_id, role),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The newest key that may sign already signs; the others verify. A key ends when its last token has.
CREATE TABLE IF NOT EXISTS signing_keys (
    name        varchar(64) NOT NULL PRIMARY KEY,
    private_key text        NOT NULL,
    created_at  datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
    signs_from  datetime(6) NOT NULL DEFAULT (utc_timestamp(6))
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Each login begins a family, and each refresh spends its newest token and adds the next one.
-- A family is revoked when any of its tokens is.
CREATE TABLE IF NOT EXISTS refresh_tokens (
    token_hash char(64)    NOT NULL PRIMARY KEY,
    family_id  char(36)    NOT NULL,
    user_id    bigint      NOT NULL,
    created_at datetime(6) NOT NULL DEFAULT (utc_timestamp(6)),
    expires_at datetime(6) NOT NULL,
    spent_at   datetime(6),
    revoked_at datetime(6),
    KEY refresh_tokens_family (family_id, revoked_at),
    KEY refresh_tokens_expiry (expires_at),
    -- The latest tokens of a user, however many have been spent: for a login, a refresh, a logout and a ban.
    KEY refresh_tokens_latest (user_id, revoked_at, spent_at),
    -- Which families have ended.
    KEY refresh_tokens_revoked (revoked_at, family_id),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB CHARACTER SET ascii COLLATE ascii_bin;

-- A lock of a table, as a row that is updated: LOCK TABLES would commit the transaction, and a lock by name outlives it.
CREATE TABLE IF NOT EXISTS table_locks (
    name  varchar(32) NOT NULL PRIMARY KEY,
    taken bigint      NOT NULL DEFAULT 0
) ENGINE = InnoDB CHARACTER SET ascii COLLATE ascii_bin;

INSERT IGNORE INTO table_locks (name) VALUES ('signing_keys'), ('user_roles');
