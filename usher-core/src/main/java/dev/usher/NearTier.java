package dev.usher;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLongFieldUpdater;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * What this process knows by itself, of one facet, keyed by the id itself.
 *
 * <p>A load first {@linkplain #reserve reserves} the id's place, then reads, and {@linkplain #publish publishes} only into that
 * very reservation. A change {@linkplain #forget removes} whatever stands there; what had been read before it then finds no
 * place any more.
 *
 * <p>Thread-safe, and without a lock when a resident is found.
 */
final class NearTier<K, V> {

    /** Longer than anything is kept. */
    static final Duration NEVER = Duration.ofDays(36500);

    /** How many absent users are remembered, however many are asked for. */
    private static final long MAX_ABSENT = 1000;

    private final Cache<K, Place> places;

    /** Absent users have places of their own, so that invented ids cannot drive out those that exist. */
    private final Cache<K, Place> absentPlaces;

    /** Ids that were found absent once: only when asked for again are they worth a place. */
    private final Cache<K, Boolean> foundAbsent;

    private final BiConsumer<K, Resident<V>> due;

    private final boolean enabled;
    private final long boundNanos;
    private final long ttlNanos;

    /**
     * Nobody is known yet.
     *
     * @param policy sizes and lives
     * @param due is told when a resident is found that is {@linkplain Resident#dueIn due}, once
     */
    NearTier(CachePolicy policy, BiConsumer<K, Resident<V>> due) {
        this.due = due;
        this.places = Caffeine.newBuilder().maximumSize(policy.nearSize()).build();
        this.absentPlaces = Caffeine.newBuilder()
                .maximumSize(Math.min(MAX_ABSENT, policy.nearSize()))
                .build();
        this.foundAbsent = Caffeine.newBuilder()
                .maximumSize(Math.min(MAX_ABSENT, policy.nearSize()))
                .build();
        this.enabled = policy.nearSize() > 0;
        this.boundNanos = policy.stalenessBound().toNanos();
        this.ttlNanos = policy.nearTtl().toNanos();
    }

    /** What stands at an id's place. */
    sealed interface Place {}

    /** A place that is kept for what is about to be read. Equal only to itself. */
    static final class Reservation implements Place {

        private final Session session;
        private final long madeAt = System.nanoTime();
        private final Duration dueIn;

        private Reservation(Session session, Duration dueIn) {
            this.session = session;
            this.dueIn = dueIn;
        }
    }

    /** An answer. */
    static final class Resident<V> implements Place {

        @SuppressWarnings("rawtypes")
        private static final AtomicLongFieldUpdater<Resident> DUE_AT =
                AtomicLongFieldUpdater.newUpdater(Resident.class, "dueAt");

        private final Optional<V> answer;
        private final Session session;
        private final long expiresAt;
        private volatile long dueAt;

        private Resident(Optional<V> answer, Session session, long expiresAt, long dueAt) {
            this.answer = answer;
            this.session = session;
            this.expiresAt = expiresAt;
            this.dueAt = dueAt;
        }

        Optional<V> answer() {
            return answer;
        }

        /** Who finds this resident from then on is to see to it that it stays known. */
        void dueIn(Duration delay) {
            // A foreign writer's entry may live longer than nanoseconds can count.
            dueAt = System.nanoTime() + (delay.compareTo(NEVER) < 0 ? delay : NEVER).toNanos();
        }

        /** Whether it is due, and this caller is the first to find it so. */
        private boolean takeTurn(long now) {
            long due = dueAt;
            return now - due >= 0 && DUE_AT.compareAndSet(this, due, now + NEVER.toNanos());
        }
    }

    /** The answer for an id, or {@code null} when this process cannot vouch for one. */
    @Nullable Resident<V> find(K id) {
        Resident<V> resident = find(places, id, true);
        return resident != null ? resident : find(absentPlaces, id, true);
    }

    /** As {@link #find}, for somebody who only wants to see. */
    @Nullable Resident<V> peek(K id) {
        Resident<V> resident = find(places, id, false);
        return resident != null ? resident : find(absentPlaces, id, false);
    }

    @SuppressWarnings("unchecked")
    private @Nullable Resident<V> find(Cache<K, Place> from, K id, boolean matters) {
        if (!(from.getIfPresent(id) instanceof Resident<?> resident)) {
            return null;
        }
        // Read now, not before: a process that was frozen in between must not answer from before the freeze.
        long now = System.nanoTime();
        if (!resident.session.isWithin(boundNanos, now) || now - resident.expiresAt >= 0) {
            return null;
        }
        if (matters && resident.takeTurn(now)) {
            due.accept(id, (Resident<V>) resident);
        }
        return (Resident<V>) resident;
    }

    /**
     * Keeps the id's place for what is read from now on.
     *
     * @param session in which it will be read, or {@code null} when what is read may not be kept
     * @param dueIn after which what is read is due, if somebody exists
     * @return {@code null} when there is nothing to publish into
     */
    @Nullable Reservation reserve(K id, @Nullable Session session, Duration dueIn) {
        if (session == null || !enabled) {
            return null;
        }
        Reservation reservation = new Reservation(session, dueIn);
        places.put(id, reservation);
        if (foundAbsent.getIfPresent(id) != null) {
            absentPlaces.put(id, reservation);
        }
        return reservation;
    }

    /**
     * Puts what was read into its reservation, if that still stands.
     *
     * @param entry what was read, or {@code null} when nothing was, and the reservation is given back
     * @return whether the answer is kept
     */
    boolean publish(K id, @Nullable Reservation reservation, @Nullable Entry<V> entry) {
        if (reservation == null) {
            return false;
        }
        if (entry == null) {
            places.asMap().remove(id, reservation);
            absentPlaces.asMap().remove(id, reservation);
            return false;
        }
        Resident<V> resident = residentOf(reservation, entry);
        if (entry.value() != null) {
            absentPlaces.asMap().remove(id, reservation);
            return places.asMap().replace(id, reservation, resident);
        }
        places.asMap().remove(id, reservation);
        foundAbsent.put(id, true);
        return absentPlaces.asMap().replace(id, reservation, resident);
    }

    private Resident<V> residentOf(Reservation reservation, Entry<V> entry) {
        Session session = reservation.session;
        long madeAt = reservation.madeAt;
        return new Resident<>(
                entry.toOptional(),
                session,
                madeAt + (session.isTracked() ? ttlNanos : Math.min(ttlNanos, boundNanos)),
                madeAt + (entry.value() == null ? NEVER : reservation.dueIn).toNanos());
    }

    /** Forgets the id; a reservation that was made before cannot be published any more. */
    void forget(K id) {
        places.asMap().remove(id);
        absentPlaces.asMap().remove(id);
    }
}
