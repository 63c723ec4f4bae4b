package dev.usher;

import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** The keys of the last minute, such as those whose fences Redis has confirmed; if there are too many, the latest ones. Thread-safe. */
final class RecentKeys {

    /** The time that a Redis which comes back with older data may have lost: an append-only file loses a second or two. */
    private static final Duration RECENT = Duration.ofSeconds(60);

    private final int limit;

    /** The time of each, the earliest first. */
    private final Map<String, Long> addedAt = new LinkedHashMap<>();

    RecentKeys(int limit) {
        this.limit = limit;
    }

    /**
     * Adds a key.
     *
     * @param now in {@link System#nanoTime()}
     * @param end of the last minute: not after now
     */
    synchronized void add(String key, long now, long end) {
        addedAt.remove(key); // so that it comes last
        addedAt.put(key, now);
        dropEarliest(end);
    }

    /** Returns the wanted keys and removes them. */
    synchronized List<String> takeAll(long end, Predicate<String> isWanted) {
        dropEarliest(end);
        List<String> keys = addedAt.keySet().stream().filter(isWanted).toList();
        keys.forEach(addedAt::remove);
        return keys;
    }

    synchronized boolean holdsAny(long end) {
        dropEarliest(end);
        return !addedAt.isEmpty();
    }

    private void dropEarliest(long end) {
        Iterator<Long> earliest = addedAt.values().iterator();
        while (earliest.hasNext()) {
            boolean isTooOld = end - earliest.next() > RECENT.toNanos();
            if (!isTooOld && addedAt.size() <= limit) {
                return;
            }
            earliest.remove();
        }
    }
}
