package dev.usher.benchmarks;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;

/**
 * A source that counts its queries, and that is as slow or as broken as a benchmark sets it.
 *
 * <p>It has the users from 1 to a number, with the profiles of {@link Users} except for the rows that were {@linkplain #put
 * changed}. Thread-safe.
 */
final class CountedSource implements UserSource<Long, UserProfile> {

    private final long users;
    private final Map<Long, UserProfile> changed = new ConcurrentHashMap<>();
    private final LongAdder queries = new LongAdder();
    private volatile long delayNanos;
    private volatile boolean failing;

    /**
     * A source that works, without delay.
     *
     * @param users how many there are
     */
    CountedSource(long users) {
        this.users = users;
    }

    @Override
    public Map<Long, UserProfile> load(Set<Long> ids) throws IOException {
        queries.increment();
        // A query sees the rows as they were when it began, however long its answer takes.
        Map<Long, UserProfile> rows = rows(ids);
        delay();
        if (failing) {
            throw new IOException("the source is down");
        }
        return rows;
    }

    private Map<Long, UserProfile> rows(Set<Long> ids) {
        Map<Long, UserProfile> rows = new HashMap<>();
        for (Long id : ids) {
            UserProfile row = changed.get(id);
            if (row != null) {
                rows.put(id, row);
            } else if (id >= 1 && id <= users) {
                rows.put(id, Users.profile(id));
            }
        }
        return rows;
    }

    private void delay() {
        long nanos = delayNanos;
        if (nanos > 0) {
            long begin = System.nanoTime();
            long left = nanos;
            while (left > 0) {
                LockSupport.parkNanos(this, left);
                left = nanos - (System.nanoTime() - begin);
            }
        }
    }

    /** Stores a user's row, in place of the one there may be. The change is committed when this returns. */
    void put(Long id, UserProfile row) {
        changed.put(id, row);
    }

    /** The number of queries, failed ones included; a query for several users counts once. */
    long queries() {
        return queries.sum();
    }

    /** Sets how long each query takes from now on; a query waits and uses no processor. */
    void setDelay(Duration delay) {
        delayNanos = delay.toNanos();
    }

    /** Lets queries fail, or work again. */
    void fail(boolean fail) {
        failing = fail;
    }
}
