package dev.usher.relay;

import dev.usher.UserCaches;
import dev.usher.relay.ChangeFeed.Standing;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/**
 * Up to where the relays of a feed have announced everything, in Redis. It is written before the position in the database moves on, and behind the fences: so the
 * position is never beyond it, unless it is none of a relay's, or Redis has lost what it had confirmed. Thread-safe.
 */
final class Bookmark {

    private static final String HISTORY = "history";
    private static final String PLACE = "place";

    private final UserCaches caches;
    private final String name;
    private final @Nullable String storedHistory;
    private final long storedPlace;

    /** The history of this session. */
    private String history = "";

    /** The place that is stored, or is being stored. */
    private volatile long place;

    /** Whether it is stored with the history of this session. */
    private volatile boolean stored;

    private Bookmark(UserCaches caches, String name, @Nullable String storedHistory, long storedPlace) {
        this.caches = caches;
        this.name = name;
        this.storedHistory = storedHistory;
        this.storedPlace = storedPlace;
        this.place = storedPlace;
    }

    /**
     * The bookmark as it is stored.
     *
     * @throws ChangeFeedException when Redis does not answer
     */
    static Bookmark read(UserCaches caches, String name) throws ChangeFeedException {
        try {
            Map<String, String> stored = caches.bookmark(name).join();
            String place = stored.getOrDefault(PLACE, "");
            return place.matches("-?\\d{1,19}")
                    ? new Bookmark(caches, name, stored.get(HISTORY), Long.parseLong(place))
                    : new Bookmark(caches, name, null, Long.MIN_VALUE);
        } catch (CompletionException | CancellationException | NumberFormatException e) {
            throw new ChangeFeedException("Redis does not say how far the relay has come: " + Texts.reasonOf(e), e);
        }
    }

    /** Where the latest relay has come to. */
    long place() {
        return place;
    }

    /** Whether it was stored with a history. */
    boolean isOf(String someHistory) {
        return someHistory.equals(storedHistory);
    }

    /** Whether Redis has a place of this session. */
    boolean isStored() {
        return stored;
    }

    /**
     * Begins a session.
     *
     * @param begun where the feed stands
     * @return why that is not a position up to which everything has been announced, or {@code null} when it is
     */
    synchronized @Nullable String begin(Standing begun) {
        history = begun.history();
        String distrust = distrust(begun);
        stored = distrust == null;
        Long position = begun.place();
        if (!stored && position != null) {
            place = position;
        }
        return distrust;
    }

    private @Nullable String distrust(Standing begun) {
        Long position = begun.place();
        if (storedHistory == null) {
            return "no relay has followed this log before, or Redis has lost how far it had come";
        }
        if (!storedHistory.equals(begun.history())) {
            return "the database is another one than the relay has followed, or was restored or promoted, or its publication or"
                    + " a watched table was changed";
        }
        if (position == null || position > storedPlace) {
            return "the position in the log is none that a relay has left: changes before it may not have been announced";
        }
        if (begun.end() < storedPlace) {
            return "the log ends before what the relay has read of it: the database was restored to an older state";
        }
        return null;
    }

    /**
     * Moves on, never back.
     *
     * @return whether Redis has stored it, within the command timeout
     */
    synchronized boolean moveTo(long next) {
        // Noted first: a position is foreign only if it is beyond what may have been stored.
        place = Math.max(place, next);
        try {
            caches.bookmark(name, Map.of(HISTORY, history, PLACE, Long.toString(place)))
                    .join();
            stored = true;
            return true;
        } catch (CompletionException | CancellationException e) {
            return false;
        }
    }
}
