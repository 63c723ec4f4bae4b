package dev.usher.benchmarks;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Semaphore;

/** A source behind a pool of connections to a database: as many as HikariCP has by default. Thread-safe. */
final class PooledSource implements UserSource<Long, UserProfile> {

    static final int CONNECTIONS = 10;

    private final UserSource<Long, UserProfile> rows;
    private final Semaphore connections = new Semaphore(CONNECTIONS, true);

    PooledSource(UserSource<Long, UserProfile> rows) {
        this.rows = rows;
    }

    @Override
    public Map<Long, UserProfile> load(Set<Long> ids) throws Exception {
        connections.acquire();
        try {
            return rows.load(ids);
        } finally {
            connections.release();
        }
    }
}
