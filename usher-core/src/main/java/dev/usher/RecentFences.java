package dev.usher;

import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** The keys whose fences Redis has confirmed in the last minute; if there are too many, the latest ones. Thread-safe. */
final class RecentFences {

    /** The time that a Redis which comes back with older data may have lost: an append-only file loses a second or two. */
    private static final Duration RECENT = Duration.ofSeconds(60);

    private final int limit;

    /** The time of each confirmation, the earliest first. */
    private final Map<String, Long> confirmedAt = new LinkedHashMap<>();

    RecentFences(int limit) {
        this.limit = limit;
    }

    /**
     * Adds a key.
     *
     * @param now when its fence was confirmed, in {@link System#nanoTime()}
     */
    synchronized void add(String key, long now) {
        confirmedAt.remove(key); // so that it comes last
        confirmedAt.put(key, now);
        dropEarliest(now);
    }

    /** Returns the wanted keys and removes them. */
    synchronized List<String> takeAll(long now, Predicate<String> isWanted) {
        dropEarliest(now);
        List<String> keys = confirmedAt.keySet().stream().filter(isWanted).toList();
        keys.forEach(confirmedAt::remove);
        return keys;
    }

    synchronized boolean holdsAny(long now) {
        dropEarliest(now);
        return !confirmedAt.isEmpty();
    }

    private void dropEarliest(long now) {
        Iterator<Long> earliest = confirmedAt.values().iterator();
        while (earliest.hasNext()) {
            boolean isTooOld = now - earliest.next() > RECENT.toNanos();
            if (!isTooOld && confirmedAt.size() <= limit) {
                return;
            }
            earliest.remove();
        }
    }
}
