package dev.usher.relay;

import static java.util.Objects.requireNonNull;

import dev.usher.RateLimitedLog;
import dev.usher.RevocationReceipt;
import dev.usher.RevocationReceipt.Reason;
import dev.usher.UserCache;
import dev.usher.relay.Bookmark.Outcome;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/**
 * Announces what a feed has read, in one session: fences the users, revokes those that may not act, has everything flushed where it is not known who has
 * changed. The position moves on when all of it is confirmed, and when Redis has the {@linkplain Bookmark bookmark} for it.
 *
 * @param <K> the type of a user's id
 */
final class Announcer<K> implements ChangeFeed.Listener {

    private static final RateLimitedLog unconfirmedLog = new RateLimitedLog(LoggerFactory.getLogger(Announcer.class));
    private static final RateLimitedLog unreadableLog = new RateLimitedLog(LoggerFactory.getLogger(Announcer.class));

    /** As many go to Redis in one pipeline. */
    private static final int MAX_REVOKED = 500;

    private static final long FIRST_PAUSE_MILLIS = 20;
    private static final long LONGEST_PAUSE_MILLIS = 1000;
    private static final Duration LATELY = Duration.ofSeconds(1);

    /** For how long a relay waits for Redis before it leaves the log to another one. */
    private static final Duration STUCK = Duration.ofSeconds(10);

    /** What has been counted, in all sessions of a relay. */
    static final class Counts {

        final LongAdder events = new LongAdder();
        final LongAdder fences = new LongAdder();
        final LongAdder revocations = new LongAdder();
    }

    private final UserCache<K, ?> users;
    private final Flushes flushes;
    private final Counts counts;
    private final Relevance relevance = new Relevance();
    private final CompletableFuture<Bookmark> trusted = new CompletableFuture<>();
    private final CountDownLatch ended = new CountDownLatch(1);

    /** When the first change was committed that is being announced, or {@code null} while none is. */
    private volatile @Nullable Instant underWay;

    /** Since when Redis has not confirmed what is being announced, in {@link System#nanoTime()}; or {@code null} while it does. */
    private volatile @Nullable Long stuckSince;

    /** Whether the position stays behind what has been announced, until a flush is confirmed. */
    private volatile boolean waiting;

    private volatile Duration latestLag = Duration.ZERO;
    private volatile long latestAt = System.nanoTime() - LATELY.toNanos();
    private volatile @Nullable String lastError;

    /**
     * For one session.
     *
     * @param users any cache of them; users are revoked in its facet
     */
    Announcer(UserCache<K, ?> users, Flushes flushes, Counts counts) {
        this.users = users;
        this.flushes = flushes;
        this.counts = counts;
    }

    /**
     * The position from which this session has begun is known to be one of a relay's, or the flush is wanted that makes up for it. It does not move before.
     *
     * @param bookmark of this session
     */
    void trust(Bookmark bookmark) {
        trusted.complete(bookmark);
    }

    /** Nothing more is announced: a call that waits is interrupted. */
    void end() {
        ended.countDown();
    }

    /** How long the oldest change has been waiting that is being announced; zero when none is. */
    Duration lag() {
        Instant since = underWay;
        if (since != null) {
            return positive(Duration.between(since, Instant.now()));
        }
        return System.nanoTime() - latestAt < LATELY.toNanos() ? latestLag : Duration.ZERO;
    }

    /** Whether Redis has not confirmed for so long that another relay should try. */
    boolean isStuck() {
        Long since = stuckSince;
        return since != null && System.nanoTime() - since > STUCK.toNanos();
    }

    /** Whether the position is to move on with the next call, once the flush is confirmed. */
    boolean waits() {
        return waiting;
    }

    /** Why a change could not be announced yet, or {@code null}. */
    @Nullable String lastError() {
        return lastError;
    }

    @Override
    public boolean changed(List<Change> changes, long place, String mark) throws InterruptedException {
        Set<K> changed = new LinkedHashSet<>();
        Set<K> refused = new LinkedHashSet<>();
        for (Change change : changes) {
            counts.events.increment();
            if (change instanceof Change.Row row) {
                if (underWay == null) {
                    underWay = row.at();
                }
                add(row, changed, refused);
            } else if (change instanceof Change.Emptied emptied) {
                relevance.forget();
                flushes.want("the table " + emptied.table() + " has been emptied");
            } else if (change instanceof Change.Unreadable unreadable) {
                unreadable(unreadable.why());
            }
        }
        try {
            fence(changed);
            revoke(refused);
            return confirm(place, mark);
        } finally {
            stuckSince = null;
            noteLag();
        }
    }

    private void add(Change.Row row, Set<K> changed, Set<K> refused) {
        WatchedTable table = row.table();
        Map<String, @Nullable String> before = row.before();
        Map<String, @Nullable String> after = row.after();
        String oldId = before == null ? null : before.get(table.id());
        String newId = after == null ? null : after.get(table.id());
        if (oldId == null && newId == null) {
            if (!hasId(table, before) && !hasId(table, after)) {
                unreadable("a change of " + table + " is without its column " + table.id());
            }
            return; // the row belongs to no user
        }
        if (oldId != null && !oldId.equals(newId)) {
            var unused = relevance.isRelevant(new Change.Row(table, before, null, null), oldId);
            K id = idOf(table, oldId);
            if (id != null) {
                changed.add(id);
                if (table.status() != null && after == null) {
                    refused.add(id);
                }
            }
        }
        if (newId != null && relevance.isRelevant(row, newId)) {
            K id = idOf(table, newId);
            if (id != null) {
                changed.add(id);
                if (isRefused(table, requireNonNull(after))) {
                    refused.add(id);
                }
            }
        }
    }

    private static boolean hasId(WatchedTable table, @Nullable Map<String, @Nullable String> row) {
        return row != null && row.containsKey(table.id());
    }

    /** The id, or {@code null} for a text that is none: then nothing of it is cached either. */
    private @Nullable K idOf(WatchedTable table, String text) {
        try {
            return users.idOf(text);
        } catch (IllegalArgumentException e) {
            for (String spelling : IdSpellings.of(text)) {
                try {
                    return users.idOf(spelling);
                } catch (IllegalArgumentException another) {
                    // The next one.
                }
            }
            unreadableLog.warn("The column {} of {} holds a text that is no id of these caches", table.id(), table);
            return null;
        }
    }

    private static boolean isRefused(WatchedTable table, Map<String, @Nullable String> row) {
        if (table.status() == null) {
            return false;
        }
        String status = row.get(table.status());
        return status == null || !table.enabled().contains(status);
    }

    private void unreadable(String why) {
        relevance.forget();
        lastError = why;
        unreadableLog.warn("A change could not be read: {}", why);
        flushes.want(why);
    }

    private void fence(Set<K> ids) throws InterruptedException {
        if (ids.isEmpty()) {
            return;
        }
        Pauses pauses = new Pauses();
        while (!users.forgetAll(ids)) {
            lastError = "Redis has not confirmed the invalidations of users that have changed";
            pauses.next();
        }
        stuckSince = null;
        counts.fences.add(ids.size());
    }

    private void revoke(Set<K> ids) throws InterruptedException {
        List<K> all = new ArrayList<>(ids);
        for (int from = 0; from < all.size(); from += MAX_REVOKED) {
            revokeTogether(all.subList(from, Math.min(all.size(), from + MAX_REVOKED)));
        }
    }

    private void revokeTogether(Collection<K> ids) throws InterruptedException {
        Pauses pauses = new Pauses();
        while (true) {
            RevocationReceipt receipt = users.revokeAll(ids);
            Reason reason = receipt.reason();
            if (reason == Reason.INTERRUPTED) {
                throw new InterruptedException();
            }
            if (reason == Reason.NO_REDIS || reason == Reason.REDIS_REFUSED || reason == Reason.CONNECTION_LOST) {
                lastError = "Redis has not taken the revocations of users that have changed: " + reason;
                pauses.next();
                continue;
            }
            if (reason != null) {
                unconfirmedLog.warn(
                        "The revocation of {} users that may not act any more is not confirmed: {}",
                        ids.size(),
                        reason);
            }
            stuckSince = null;
            counts.revocations.add(ids.size());
            return;
        }
    }

    private boolean confirm(long place, String mark) throws InterruptedException {
        Bookmark bookmark = begun();
        if (!flushes.isDone()) {
            waiting = true;
            return false;
        }
        Pauses pauses = new Pauses();
        Outcome outcome = bookmark.moveTo(place, mark);
        while (outcome == Outcome.UNCONFIRMED) {
            lastError = "Redis has not stored how far the relay has come";
            pauses.next();
            outcome = bookmark.moveTo(place, mark);
        }
        if (outcome == Outcome.LOST) {
            flushes.want("Redis has lost how far the relay had come, and perhaps changes before it");
            waiting = true;
            return false;
        }
        waiting = false;
        lastError = null;
        return true;
    }

    private Bookmark begun() throws InterruptedException {
        try {
            return trusted.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("it is never completed so", e);
        }
    }

    private void noteLag() {
        Instant since = underWay;
        if (since != null) {
            latestLag = positive(Duration.between(since, Instant.now()));
            latestAt = System.nanoTime();
            underWay = null;
        }
    }

    private static Duration positive(Duration lag) {
        return lag.isNegative() ? Duration.ZERO : lag;
    }

    /** Longer and longer waits, broken off when the session ends. */
    private final class Pauses {

        private long millis = FIRST_PAUSE_MILLIS;

        private void next() throws InterruptedException {
            if (stuckSince == null) {
                stuckSince = System.nanoTime();
            }
            if (ended.await(millis, TimeUnit.MILLISECONDS)) {
                throw new InterruptedException();
            }
            millis = Math.min(2 * millis, LONGEST_PAUSE_MILLIS);
        }
    }
}
