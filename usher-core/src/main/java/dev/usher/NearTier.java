package dev.usher;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.time.Duration;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
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
 * <p>What stood there is remembered, until it is replaced or a change removes it, however old it grows: it is {@linkplain
 * #lastKnown the last known answer}, for when nobody can say.
 *
 * <p>Thread-safe, and without a lock when a resident is found.
 */
final class NearTier<K, V> {

    /** Longer than anything is kept. */
    static final Duration NEVER = Duration.ofDays(36500);

    /** How many absent users are remembered, however many are asked for. */
    private static final long MAX_ABSENT = 1000;

    /** How long the last known answer is repeated before somebody is asked again. */
    private static final Duration REPEATED = Duration.ofSeconds(1);

    private final Cache<K, Place> places;

    /** Absent users have places of their own, so that invented ids cannot drive out those that exist. */
    private final Cache<K, Place> absentPlaces;

    /** Ids that were found absent once: only when asked for again are they worth a place. */
    private final Cache<K, Boolean> foundAbsent;

    private final BiConsumer<K, Resident<V>> due;

    /**
     * What Caffeine has to do now and then: to note who was read, and to choose who goes. At most one task of each map is in
     * here. Left to who keeps something, who has waited for Redis anyway: to wake a thread for it would cost him more, and to do
     * it would cost those more who are answered from memory. Until then some readings go unnoted.
     */
    private final Queue<Runnable> upkeep = new ConcurrentLinkedQueue<>();

    private final boolean enabled;
    private final long boundNanos;
    private final long ttlNanos;
    private final long untrackedNanos;
    private final long staleNanos;

    /** Of what is repeated for want of anything better. */
    private final Session always = Session.untracked();

    /** Of what is remembered, and not answered. */
    private final Session ended = Session.ended();

    private volatile boolean closed;

    /**
     * Nobody is known yet.
     *
     * @param policy sizes and lives
     * @param due is told when a resident is found that is {@linkplain Resident#dueIn due}, once
     */
    NearTier(CachePolicy policy, BiConsumer<K, Resident<V>> due) {
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
        return Caffeine.newBuilder().executor(upkeep::add).maximumSize(size).build();
    }

    /** Does the upkeep that has come due. To be called after something, or much, has been published. */
    void keepUp() {
        for (Runnable task = upkeep.poll(); task != null; task = upkeep.poll()) {
            task.run();
        }
    }

    /** What stands at an id's place. */
    sealed interface Place {}

    /** Stands at a place for a reservation. Equal only to itself. */
    private static final class Kept implements Place {

        /** What stood there, and is put back if nothing is read. */
        private @Nullable Resident<?> last;
    }

    /** The places, among users and among the absent, that are kept for what is about to be read. */
    static final class Reservation {

        private final Kept present = new Kept();
        private final Kept absent = new Kept();
        private final Session session;
        private final long madeAt = System.nanoTime();
        private final Duration dueIn;

        /** Whether a place among the absent may be kept. */
        private boolean hasAbsent;

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
        private final long readAt;
        private final boolean stale;
        private final long expiresAt;
        private volatile long dueAt;

        private Resident(Optional<V> answer, Session session, long readAt, boolean stale, long expiresAt, long dueAt) {
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

        /** Whether it is the last known answer, which nobody vouches for. */
        boolean isStale() {
            return stale;
        }

        /** How long ago it was last known to be true, if it is stale; else zero. */
        Duration staleFor() {
            return stale ? Duration.ofNanos(Math.max(1, System.nanoTime() - knownUntil())) : Duration.ZERO;
        }

        private long knownUntil() {
            return session.knownUntil(readAt);
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
        if (!isAnswer(resident, now)) {
            return null;
        }
        if (matters && resident.takeTurn(now)) {
            due.accept(id, (Resident<V>) resident);
        }
        return (Resident<V>) resident;
    }

    private boolean isAnswer(Resident<?> resident, long now) {
        return resident.session.isWithin(boundNanos, now) && now - resident.expiresAt < 0;
    }

    /**
     * The last answer that this process knows for an id, for when nobody can say: as it stands if memory can vouch for it, else
     * marked as stale, and found by who asks in the next moment.
     *
     * @return {@code null} when none is known, a change has removed it, or it was known to be true too long ago
     */
    @Nullable Resident<V> lastKnown(K id) {
        if (closed) {
            return null;
        }
        Resident<V> present = lastOf(places.getIfPresent(id));
        Resident<V> absent = lastOf(absentPlaces.getIfPresent(id));
        if (present != null && (absent == null || present.knownUntil() - absent.knownUntil() >= 0)) {
            return repeated(places, id, present);
        }
        return absent == null ? null : repeated(absentPlaces, id, absent);
    }

    private @Nullable Resident<V> repeated(Cache<K, Place> in, K id, Resident<V> last) {
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
        Resident<V> stale = new Resident<>(last.answer, always, knownUntil, true, expiresAt, now + NEVER.toNanos());
        // Not if another load has reserved the place since: what it reads is better.
        in.asMap().replace(id, last, stale);
        return stale;
    }

    @SuppressWarnings("unchecked")
    private static <V> @Nullable Resident<V> lastOf(@Nullable Place place) {
        return (Resident<V>) (place instanceof Kept kept ? kept.last : place);
    }

    /**
     * Keeps the id's place for what is read from now on.
     *
     * @param session in which it will be read, or {@code null} when what is read may not be answered again: then it is only
     *     remembered as the last known answer, and displaces none that memory can vouch for
     * @param dueIn after which what is read is due, if somebody exists
     * @return {@code null} when there is nothing to publish into
     */
    @Nullable Reservation reserve(K id, @Nullable Session session, Duration dueIn) {
        Session kept = session == null || (!session.isTracked() && untrackedNanos == 0) ? ended : session;
        boolean answers = kept != ended;
        if (!enabled || (!answers && staleNanos == 0)) {
            return null;
        }
        Reservation reservation = new Reservation(kept, dueIn);
        boolean wasAbsent = foundAbsent.getIfPresent(id) != null;
        places.asMap().compute(id, (same, place) -> keep(reservation.present, place, true, answers));
        // Most are neither, and a look costs less than a step of the map.
        if (wasAbsent || absentPlaces.asMap().containsKey(id)) {
            absentPlaces.asMap().compute(id, (same, place) -> keep(reservation.absent, place, wasAbsent, answers));
            reservation.hasAbsent = true;
        }
        return reservation;
    }

    /** What is to stand at a place. What stood there is taken over in the same step, so that no change is missed. */
    private @Nullable Place keep(Kept kept, @Nullable Place place, boolean evenIfFree, boolean evenOverAnAnswer) {
        boolean mayKeep = place == null
                ? evenIfFree
                : evenOverAnAnswer || !(place instanceof Resident<?> resident && isAnswer(resident, System.nanoTime()));
        if (!mayKeep) {
            return place;
        }
        kept.last = lastOf(place);
        return kept;
    }

    /**
     * Puts what was read into its reservation, if that still stands.
     *
     * @param entry what was read, or {@code null} when nothing was, and the reservation is given back to what stood there
     * @return whether the answer is kept
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
        Resident<V> resident = residentOf(reservation, entry);
        if (entry.value() != null) {
            replaceAbsent(id, reservation, null);
            return replace(places, id, reservation.present, resident);
        }
        replace(places, id, reservation.present, null);
        if (reservation.session != ended) {
            // What is only remembered will be read again by the same caller, who counts once.
            foundAbsent.put(id, true);
        }
        return replaceAbsent(id, reservation, resident);
    }

    private boolean replaceAbsent(K id, Reservation reservation, @Nullable Resident<?> with) {
        return reservation.hasAbsent && replace(absentPlaces, id, reservation.absent, with);
    }

    private static <K> boolean replace(Cache<K, Place> in, K id, Kept kept, @Nullable Resident<?> with) {
        return with == null ? in.asMap().remove(id, kept) : in.asMap().replace(id, kept, with);
    }

    private Resident<V> residentOf(Reservation reservation, Entry<V> entry) {
        Session session = reservation.session;
        long madeAt = reservation.madeAt;
        return new Resident<>(
                entry.toOptional(),
                session,
                madeAt,
                false,
                madeAt + (session.isTracked() ? ttlNanos : untrackedNanos),
                madeAt + (entry.value() == null ? NEVER : reservation.dueIn).toNanos());
    }

    /** Forgets the id; a reservation that was made before cannot be published any more, and nothing is known any more. */
    void forget(K id) {
        places.asMap().remove(id);
        absentPlaces.asMap().remove(id);
    }

    /** Nothing more is answered as the last known answer; what is answered otherwise ends with its session. */
    void close() {
        closed = true;
        always.end();
    }
}
