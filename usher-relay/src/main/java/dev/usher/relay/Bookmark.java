package dev.usher.relay;

import dev.usher.UserCaches;
import dev.usher.relay.ChangeFeed.Standing;
import java.util.Map;
import java.util.TreeSet;
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
    private static final String MARK = "mark";
    private static final String FACETS = "facets";
    private static final String FOREIGN =
            "the position in the log is none that a relay has left: changes before it may not have been announced";
    private static final long NOWHERE = Long.MIN_VALUE;

    /** What has become of a place that was to be stored. */
    enum Outcome {

        /** Redis has it. */
        STORED,

        /** Redis has not confirmed it within the command timeout. */
        UNCONFIRMED,

        /** Redis has an older place than it had confirmed: it has lost that, and perhaps fences before it. Nothing was stored. */
        LOST
    }

    private final UserCaches caches;
    private final String name;
    private final @Nullable String storedHistory;
    private final long storedPlace;
    private final String storedMark;
    private final @Nullable String storedFacets;

    /** The history of this session. */
    private String history = "";

    /** Those in which this session announces. */
    private String facets = "";

    /** The mark of the place. */
    private String mark;

    /** The last place that Redis has confirmed. */
    private long confirmed = NOWHERE;

    /** The place that is stored, or is being stored. */
    private volatile long place;

    /** Whether it is stored with the history of this session. */
    private volatile boolean stored;

    private Bookmark(
            UserCaches caches,
            String name,
            @Nullable String storedHistory,
            long storedPlace,
            String storedMark,
            @Nullable String storedFacets) {
        this.caches = caches;
        this.name = name;
        this.storedHistory = storedHistory;
        this.storedPlace = storedPlace;
        this.storedMark = storedMark;
        this.storedFacets = storedFacets;
        this.place = storedPlace;
        this.mark = storedMark;
    }

    /**
     * The bookmark as it is stored.
     *
     * @throws ChangeFeedException when Redis does not answer
     */
    static Bookmark read(UserCaches caches, String name) throws ChangeFeedException {
        try {
            Map<String, String> stored = caches.bookmark(name).join();
            long place = placeOf(stored);
            return new Bookmark(
                    caches,
                    name,
                    place == NOWHERE ? null : stored.get(HISTORY),
                    place,
                    stored.getOrDefault(MARK, ""),
                    stored.get(FACETS));
        } catch (CompletionException | CancellationException | NumberFormatException e) {
            throw new ChangeFeedException("Redis does not say how far the relay has come: " + Texts.reasonOf(e), e);
        }
    }

    private static long placeOf(Map<String, String> stored) {
        String place = stored.getOrDefault(PLACE, "");
        return place.matches("-?\\d{1,19}") ? Long.parseLong(place) : NOWHERE;
    }

    /** Where the latest relay has come to. */
    long place() {
        return place;
    }

    /** What the feed had said of the place that was stored. */
    String mark() {
        return storedMark;
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
     * @param isNew whether its position was made just now
     * @return why that is not a position up to which everything has been announced, or {@code null} when it is
     */
    synchronized @Nullable String begin(Standing begun, boolean isNew) {
        history = begun.history();
        facets = String.join(",", new TreeSet<>(caches.facets()));
        String distrust = distrust(begun, isNew);
        stored = distrust == null;
        confirmed = stored ? storedPlace : NOWHERE;
        Long position = begun.place();
        if (!stored && position != null) {
            place = position;
            mark = begun.mark();
        }
        return distrust;
    }

    private @Nullable String distrust(Standing begun, boolean isNew) {
        Long position = begun.place();
        if (storedHistory == null) {
            return "no relay has followed this log before, or Redis has lost how far it had come";
        }
        if (!storedHistory.equals(begun.history())) {
            return "the database is another one than the relay has followed, or was restored or promoted, or its publication or"
                    + " a watched table was changed";
        }
        if (!facets.equals(storedFacets)) {
            return "the relay before has announced the changes in other facets than this one";
        }
        if (position == null || position > storedPlace) {
            return FOREIGN;
        }
        if (begun.end() < storedPlace) {
            return "the log ends before what the relay has read of it: the database was restored to an older state";
        }
        return isNew ? FOREIGN : null;
    }

    /** Moves on, never back. */
    synchronized Outcome moveTo(long next, String nextMark) {
        // Noted first: a position is foreign only if it is beyond what may have been stored.
        if (next >= place) {
            place = next;
            mark = nextMark;
        }
        try {
            if (confirmed != NOWHERE && placeOf(caches.bookmark(name).join()) < confirmed) {
                confirmed = NOWHERE;
                stored = false;
                return Outcome.LOST;
            }
            caches.bookmark(name, Map.of(HISTORY, history, PLACE, Long.toString(place), MARK, mark, FACETS, facets))
                    .join();
            stored = true;
            confirmed = place;
            return Outcome.STORED;
        } catch (CompletionException | CancellationException | NumberFormatException e) {
            return Outcome.UNCONFIRMED;
        }
    }
}
