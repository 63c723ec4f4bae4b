package dev.usher.sample;

import dev.usher.UserProfileCache;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Repository;
import org.springframework.transaction.annotation.Transactional;

/** The writes to the table of users. */
@Repository
class Members {

    private final JdbcClient jdbc;
    private final UserProfileCache<Long> profiles;

    Members(JdbcClient jdbc, UserProfileCache<Long> profiles) {
        this.jdbc = jdbc;
        this.profiles = profiles;
    }

    /** Renames a member; every node forgets the old name once the change is committed. */
    @Transactional
    public void rename(long id, String name) {
        jdbc.sql("UPDATE users SET name = ? WHERE id = ?").params(name, id).update();
        profiles.invalidate(id);
    }

    /** Bans a member. The change is committed when this returns, because there is no transaction around it. */
    public void disable(long id) {
        jdbc.sql("UPDATE users SET status = 0 WHERE id = ?").param(id).update();
    }
}
