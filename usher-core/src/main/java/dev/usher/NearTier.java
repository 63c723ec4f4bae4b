package dev.usher;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.usher.redis.Session;
import java.time.Duration;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLongFieldUpdater;
import java.util.function.BiConsumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What this process knows by itself, of one facet, keyed by the id itself.
 *
 * <p>A load first {@linkplain #reserve reserves} the id's place, then reads, and {@linkplain #publish publishes} only into that
 * very reservation. A change {@linkplain #forget empties} the place; an answer that was read before the change then finds no
 * reservation, and is not cached.
 *
 * <p>The entry from before a reservation, however old, is kept until it is replaced or a change removes it: it is {@linkplain
 * #lastKnown the last known answer} while neither Redis nor the source answers.
 *
 * <p>Thread-safe, and without a lock when an answer is found.
 */
final class NearTier<K, V> {

    /** Longer than any TTL. */
    static final Duration NEVER = Duration.ofDays(36500);

    /** How many absent users are cached at most. */
    private static final long MAX_ABSENT = 1000;

    /** How long the last known answer is repeated before Redis and the source are asked again. */
    private static final Duration REPEATED = Duration.ofSeconds(1);

    private final Cache<K, Place> places;

    /** Absent users have places of their own, so that invented ids cannot evict existing users. */
    private final Cache<K, Place> absentPlaces;

    /** Ids that were found absent once: an absence is cached only when its id is asked for again. */
    private final Cache<K, Boolean> foundAbsent;

    private final BiConsumer<K, CachedAnswer<V>> due;

    /**
     * Caffeine's pending maintenance: it records reads and evicts entries. The queue holds at most one task of each map. The thread
     * that publishes an entry runs them: it has just waited for Redis, so the cost is lost in the noise. A hit in memory would pay
     * more for it, and so would a wake-up of another thread. Until then Caffeine may miss some reads.
     */
    private final Queue<Runnable> maintenance = new ConcurrentLinkedQueue<>();

    private final boolean enabled;
    private final long boundNanos;
    private final long ttlNanos;
    private final long untrackedNanos;
    private final long staleNanos;

    /** The session of last known answers that are repeated. */
    private final Session always = Session.untracked();

    /** The session of entries that serve as last known answers only. */
    private final Session ended = Session.ended();

    private volatile boolean closed;

    /**
     * An empty near tier.
     *
     * @param policy the sizes and TTLs
     * @param due called once for each entry that is found when it is {@linkplain CachedAnswer#dueIn due}
     */
    NearTier(CachePolicy policy, BiConsumer<K, CachedAnswer<V>> due) {
        this.due = due;
        long size = policy.nearSize();
        this.places = mapOf(size);
        this.absentPlaces = mapOf(Math.min(MAX_ABSENT, size));
        this.foundAbsent = mapOf(Math.min(MAX_ABSENT, size));
        this.enabled = policy.nearSize() > 0;
        this.boundNanos = policy.stalenessBound().toNanos();
        this.ttlNanos = policy.nearTtl().toNanos();
        this.untrackedNanos = Math.min(ttlNanos, policy.unheardBound().toNanos());
        this.staleNanos = policy.serveStaleFor().toNanos();
    }

    private <T> Cache<K, T> mapOf(long size) {
        return Caffeine.newBuilder()
                .executor(maintenance::add)
                .maximumSize(size)
                .build();
    }

    /** Whether nothing is cached at all. */
    boolean isOff() {
        return !enabled;
    }

    /** Runs the pending maintenance. To be called after one or more entries have been published. */
    void runMaintenance() {
        for (Runnable task = maintenance.poll(); task != null; task = maintenance.poll()) {
            task.run();
        }
    }

    /** The content of an id's place. */
    sealed interface Place {}

    /** Holds a place for a reservation. Equal only to itself. */
    private static final class Reserved implements Place {

        /** The entry from before the reservation, which is put back if nothing is read. */
        private @Nullable CachedAnswer<?> last;
    }

    /** The places, among existing and among absent users, that are reserved for an answer before it is read. */
    static final class Reservation {

        private final Reserved present = new Reserved();
        private final Reserved absent = new Reserved();
        private final Session session;
        private final long madeAt = System.nanoTime();
        private final Duration dueIn;

        /** Whether a place among the absent users is reserved. */
        private boolean hasAbsent;

        private Reservation(Session session, Duration dueIn) {
            this.session = session;
            this.dueIn = dueIn;
        }
    }

    /** A cached answer. */
    static final class CachedAnswer<V> implements Place {

        @SuppressWarnings("rawtypes")
        private static final AtomicLongFieldUpdater<CachedAnswer> DUE_AT =
                AtomicLongFieldUpdater.newUpdater(CachedAnswer.class, "dueAt");

        private final Optional<V> answer;
        private final Session session;
        private final long readAt;
        private final boolean stale;
        private final long expiresAt;
        private volatile long dueAt;

        private CachedAnswer(
                Optional<V> answer, Session session, long readAt, boolean stale, long expiresAt, long dueAt) {
            this.answer = answer;
            this.session = session;
            this.readAt = readAt;
            this.stale = stale;
            this.expiresAt = expiresAt;
            this.dueAt = dueAt;
        }

        Optional<V> answer() {
            return answer;
        }

        /** Whether it is only the last known answer, which may be outdated. */
        boolean isStale() {
            return stale;
        }

        /** The time since it was last known to be true, if it is stale; else zero. */
        Duration staleFor() {
            return stale ? Duration.ofNanos(Math.max(1, System.nanoTime() - knownUntil())) : Duration.ZERO;
        }

        private long knownUntil() {
            return session.knownUntil(readAt);
        }

        /** Sets the time from which a caller that finds this answer starts its refresh. */
        void dueIn(Duration delay) {
            // A foreign writer's entry may live longer than nanoseconds can count.
            dueAt = System.nanoTime() + (delay.compareTo(NEVER) < 0 ? delay : NEVER).toNanos();
        }

        /** Whether the answer is due, and this caller is the first to find it due. */
        private boolean takeTurn(long now) {
            long due = dueAt;
            return now - due >= 0 && DUE_AT.compareAndSet(this, due, now + NEVER.toNanos());
        }
    }

    /** The cached answer for an id, or {@code null} when there is none within its session, bound and TTL. */
    @Nullable CachedAnswer<V> find(K id) {
        CachedAnswer<V> cachedAnswer = find(places, id, true);
        return cachedAnswer != null ? cachedAnswer : find(absentPlaces, id, true);
    }

    /** As {@link #find}, without starting a refresh. */
    @Nullable CachedAnswer<V> peek(K id) {
        CachedAnswer<V> cachedAnswer = find(places, id, false);
        return cachedAnswer != null ? cachedAnswer : find(absentPlaces, id, false);
    }

    @SuppressWarnings("unchecked")
    private @Nullable CachedAnswer<V> find(Cache<K, Place> from, K id, boolean mayRefresh) {
        if (!(from.getIfPresent(id) instanceof CachedAnswer<?> cachedAnswer)) {
            return null;
        }
        // The clock is read here, not earlier: a process that was frozen in between must not answer from before the
        // freeze.
        long now = System.nanoTime();
        if (!isAnswer(cachedAnswer, now)) {
            return null;
        }
        if (mayRefresh && cachedAnswer.takeTurn(now)) {
            due.accept(id, (CachedAnswer<V>) cachedAnswer);
        }
        return (CachedAnswer<V>) cachedAnswer;
    }

    private boolean isAnswer(CachedAnswer<?> cachedAnswer, long now) {
        return cachedAnswer.session.isWithin(boundNanos, now) && now - cachedAnswer.expiresAt < 0;
    }

    /**
     * The last answer that this process knows for an id, for callers that neither Redis nor the source has answered. An answer that is
     * still valid is returned as it is; any other one is marked as stale, and repeated to later callers for a moment.
     *
     * @return {@code null} when none is known, a change has removed it, or it was last known to be true too long ago
     */
    @Nullable CachedAnswer<V> lastKnown(K id) {
        if (closed) {
            return null;
        }
        CachedAnswer<V> present = lastOf(places.getIfPresent(id));
        CachedAnswer<V> absent = lastOf(absentPlaces.getIfPresent(id));
        if (present != null && (absent == null || present.knownUntil() - absent.knownUntil() >= 0)) {
            return repeated(places, id, present);
        }
        return absent == null ? null : repeated(absentPlaces, id, absent);
    }

    private @Nullable CachedAnswer<V> repeated(Cache<K, Place> in, K id, CachedAnswer<V> last) {
        long now = System.nanoTime();
        if (isAnswer(last, now)) {
            return last;
        }
        long knownUntil = last.knownUntil();
        long left = staleNanos - (now - knownUntil);
        if (left <= 0) {
            return null;
        }
        long expiresAt = now + Math.min(REPEATED.toNanos(), left);
        CachedAnswer<V> stale =
                new CachedAnswer<>(last.answer, always, knownUntil, true, expiresAt, now + NEVER.toNanos());
        // Not if another load has reserved the place since: its answer is newer.
        in.asMap().replace(id, last, stale);
        return stale;
    }

    @SuppressWarnings("unchecked")
    private static <V> @Nullable CachedAnswer<V> lastOf(@Nullable Place place) {
        return (CachedAnswer<V>) (place instanceof Reserved reserved ? reserved.last : place);
    }

    /**
     * Reserves the id's place for an answer that is read from now on.
     *
     * @param session in which it will be read, or {@code null} when the answer must not be given to later callers: then it serves as the
     *     last known answer only, and replaces no answer that is still valid
     * @param dueIn the time after which the answer is due for a refresh, if the user exists
     * @return {@code null} when the answer would not be cached at all
     */
    @Nullable Reservation reserve(K id, @Nullable Session session, Duration dueIn) {
        Session usable = session == null || (!session.isTracked() && untrackedNanos == 0) ? ended : session;
        boolean answers = usable != ended;
        if (!enabled || (!answers && staleNanos == 0)) {
            return null;
        }
        return reserve(id, new Reservation(usable, dueIn), answers);
    }

    /**
     * Reserves the id's place for an answer of the source that refuses the user, which is given for the staleness bound although Redis tells of no change of it.
     *
     * @return {@code null} when the answer would not be cached at all
     */
    @Nullable Reservation reserveForRefusal(K id) {
        return enabled && boundNanos > 0 ? reserve(id, new Reservation(always, NEVER), false) : null;
    }

    private Reservation reserve(K id, Reservation reservation, boolean evenOverAnAnswer) {
        boolean wasAbsent = foundAbsent.getIfPresent(id) != null;
        places.asMap().compute(id, (same, place) -> reserve(reservation.present, place, true, evenOverAnAnswer));
        // Few ids are absent, and a look-up costs less than a computation in the map.
        if (wasAbsent || absentPlaces.asMap().containsKey(id)) {
            absentPlaces
                    .asMap()
                    .compute(id, (same, place) -> reserve(reservation.absent, place, wasAbsent, evenOverAnAnswer));
            reservation.hasAbsent = true;
        }
        return reservation;
    }

    /** The new content of a place. The reservation takes over the entry from before it in the same step, so that no change is missed. */
    private @Nullable Place reserve(
            Reserved reserved, @Nullable Place place, boolean evenIfFree, boolean evenOverAnAnswer) {
        boolean mayReserve = place == null
                ? evenIfFree
                : evenOverAnAnswer
                        || !(place instanceof CachedAnswer<?> cachedAnswer
                                && isAnswer(cachedAnswer, System.nanoTime()));
        if (!mayReserve) {
            return place;
        }
        reserved.last = lastOf(place);
        return reserved;
    }

    /**
     * Caches an entry in its reservation, if that still stands.
     *
     * @param entry the entry that was read, or {@code null} when none was: the entry from before the reservation is put back
     * @return whether the entry is cached
     */
    boolean publish(K id, @Nullable Reservation reservation, @Nullable Entry<V> entry) {
        if (reservation == null) {
            return false;
        }
        if (entry == null) {
            replace(places, id, reservation.present, reservation.present.last);
            replaceAbsent(id, reservation, reservation.absent.last);
            return false;
        }
        CachedAnswer<V> cachedAnswer = answerOf(reservation, entry);
        if (entry.value() != null) {
            replaceAbsent(id, reservation, null);
            return replace(places, id, reservation.present, cachedAnswer);
        }
        replace(places, id, reservation.present, null);
        if (reservation.session != ended) {
            // An entry that is only the last known answer is read again by the same caller, which counts once.
            foundAbsent.put(id, true);
        }
        return replaceAbsent(id, reservation, cachedAnswer);
    }

    private boolean replaceAbsent(K id, Reservation reservation, @Nullable CachedAnswer<?> with) {
        return reservation.hasAbsent && replace(absentPlaces, id, reservation.absent, with);
    }

    private static <K> boolean replace(Cache<K, Place> in, K id, Reserved reserved, @Nullable CachedAnswer<?> with) {
        return with == null ? in.asMap().remove(id, reserved) : in.asMap().replace(id, reserved, with);
    }

    private CachedAnswer<V> answerOf(Reservation reservation, Entry<V> entry) {
        Session session = reservation.session;
        long madeAt = reservation.madeAt;
        return new CachedAnswer<>(
                entry.toOptional(),
                session,
                madeAt,
                false,
                madeAt + lifeOf(entry, session),
                madeAt + (entry.value() == null ? NEVER : reservation.dueIn).toNanos());
    }

    private long lifeOf(Entry<V> entry, Session session) {
        long life = lifeIn(session);
        return entry.value() == null && session.hearsOfNoNewcomers() ? Math.min(life, boundNanos) : life;
    }

    private long lifeIn(Session session) {
        if (session == always) {
            return boundNanos;
        }
        return session.isTracked() ? ttlNanos : untrackedNanos;
    }

    /** Empties the id's places: an earlier reservation can no longer be published, and there is no last known answer any more. */
    void forget(K id) {
        places.asMap().remove(id);
        absentPlaces.asMap().remove(id);
    }

    /** As {@link #forget}, of every id in a place that is one of some. */
    void forgetIf(Predicate<K> isOne) {
        places.asMap().keySet().removeIf(isOne);
        absentPlaces.asMap().keySet().removeIf(isOne);
    }

    /** Gives no last known answer any more; all other answers end with their session. */
    void close() {
        closed = true;
        always.end();
        places.invalidateAll();
        absentPlaces.invalidateAll();
    }
}
