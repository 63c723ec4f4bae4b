package dev.usher;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Ticker;
import java.time.Duration;

/**
 * Decides which absences are stored in Redis: those of ids that were found absent before, and a limited number of them in each TTL of a
 * stored absence. An invented id is usually asked for once.
 *
 * <p>Thread-safe.
 */
final class Absences<K> {

    /** How many ids are remembered. Ids that are asked for often stay, however many others are asked for. */
    static final int REMEMBERED = 10_000;

    /** How many absences are stored in each TTL of an absence. */
    static final int STORED = 10_000;

    private final Cache<K, Boolean> found;
    private final Ticker ticker;
    private final long lifeNanos;
    private long from;
    private int stored;

    /**
     * An instance without any ids.
     *
     * @param life the TTL of a stored absence
     */
    Absences(Duration life, Ticker ticker) {
        this.ticker = ticker;
        this.lifeNanos = life.toNanos();
        this.from = ticker.read();
        this.found = Caffeine.newBuilder()
                .executor(Runnable::run)
                .ticker(ticker)
                .maximumSize(REMEMBERED)
                // The next load of a stored absence comes when its TTL is over.
                .expireAfterWrite(life.multipliedBy(2))
                .build();
    }

    /** Notes that an id was found absent, and returns whether the absence is to be stored. */
    boolean isWorthAKey(K id) {
        return found.asMap().put(id, true) != null && hasRoom();
    }

    private synchronized boolean hasRoom() {
        long now = ticker.read();
        if (now - from >= lifeNanos) {
            from = now;
            stored = 0;
        }
        if (stored == STORED) {
            return false;
        }
        stored++;
        return true;
    }
}
