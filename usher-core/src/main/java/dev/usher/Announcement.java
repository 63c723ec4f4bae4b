package dev.usher;

import dev.usher.FenceOutbox.Sent;
import dev.usher.redis.SharedTierException;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Changes that are announced together, of any users in any facets of one {@link UserCaches}: they go to Redis in one pipeline, and
 * the caller waits once for all of them.
 *
 * <p>Of a great many, 500 go at a time, so that each part can be answered well within the command timeout. After a part that
 * Redis has not taken, the caller waits no more: the rest is kept and sent without it. Confined to one thread.
 */
final class Announcement {

    private static final int MAX_TOGETHER = 500;

    private final FenceOutbox fences;
    private final Map<String, Change> changes = new LinkedHashMap<>();

    Announcement(FenceOutbox fences) {
        this.fences = fences;
    }

    /** A change of a user in one facet, for the memory of this process. */
    interface Change {

        /** Drops the answer, and lets no caller join the loads under way. */
        void forget();

        /** Drops the answer again: what was read before the fence may have been cached since, and its push be on its way. */
        void forgetAnswer();
    }

    void add(String key, Change change) {
        changes.put(key, change);
    }

    /** Announces all changes, and waits until Redis has confirmed them, or not. */
    Sent send() {
        Set<String> pending = new HashSet<>();
        SharedTierException failure = null;
        Iterator<Map.Entry<String, Change>> left = changes.entrySet().iterator();
        while (left.hasNext()) {
            Map<String, Change> part = new LinkedHashMap<>();
            while (left.hasNext() && part.size() < MAX_TOGETHER) {
                Map.Entry<String, Change> change = left.next();
                part.put(change.getKey(), change.getValue());
            }
            Sent sent = send(part, failure);
            pending.addAll(sent.pending());
            failure = sent.failure();
        }
        return new Sent(pending, failure);
    }

    /**
     * Announces some changes.
     *
     * @param failure why the ones before them have not been confirmed, or {@code null}: then these are sent at once
     */
    private Sent send(Map<String, Change> part, @Nullable SharedTierException failure) {
        Map<String, Object> marks = new LinkedHashMap<>();
        part.keySet().forEach(key -> marks.put(key, fences.announce(key)));
        part.values().forEach(Change::forget);
        if (failure != null) {
            fences.sendLater();
            return new Sent(marks.keySet(), failure);
        }
        Sent sent = fences.send(marks);
        part.values().forEach(Change::forgetAnswer);
        return sent;
    }
}
