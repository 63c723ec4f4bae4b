package dev.usher;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Ticker;
import java.time.Duration;

/**
 * Which absences are worth a key in Redis: those of ids that were found absent before, a limited number of them in each life of a
 * stored absence. An invented id is asked for once.
 *
 * <p>Thread-safe.
 */
final class Absences<K> {

    /** How many ids are remembered. Those that are asked for often stay, whatever else is asked for. */
    static final int REMEMBERED = 10_000;

    /** How many absences are stored in each life of one. */
    static final int STORED = 10_000;

    private final Cache<K, Boolean> found;
    private final Ticker ticker;
    private final long lifeNanos;
    private long from;
    private int stored;

    /**
     * Nothing is known yet.
     *
     * @param life of a stored absence
     */
    Absences(Duration life, Ticker ticker) {
        this.ticker = ticker;
        this.lifeNanos = life.toNanos();
        this.from = ticker.read();
        this.found = Caffeine.newBuilder()
                .executor(Runnable::run)
                .ticker(ticker)
                .maximumSize(REMEMBERED)
                // Of an absence that has been stored, the next load comes when its life is over.
                .expireAfterWrite(life.multipliedBy(2))
                .build();
    }

    /** Notes that an id was found absent, and says whether that is to be stored. */
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
