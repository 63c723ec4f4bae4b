package dev.usher;

import dev.usher.NearTier.Reservation;
import dev.usher.NearTier.Resident;
import dev.usher.SharedTier.Claim;
import dev.usher.SingleFlight.Flight;
import dev.usher.SingleFlight.Landing;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The read path and the write path, top to bottom: the shared tier, then the source under a claim.
 *
 * <p>The caller's own thread does the work. A caller who misses while another of this process is loading the same entry
 * waits for that one.
 */
final class TieredUserCache<K, V> implements UserCache<K, V> {

    private static final Logger log = LoggerFactory.getLogger(TieredUserCache.class);

    /** Renewed three times in a lease, so that one lost renewal does not lose the claim. */
    private static final Duration RENEWAL = SharedTier.LEASE.dividedBy(3);

    private static final Duration FIRST_PAUSE = Duration.ofMillis(2);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(20);

    private final UserCaches caches;
    private final SharedTier shared;
    private final UserSource<K, V> source;
    private final CachePolicy policy;
    private final KeySpace keys;
    private final EntryCodec<V> codec;
    private final NearTier<K, V> near;
    private final SingleFlight<K, V> flights = new SingleFlight<>();
    private final ConcurrentMap<K, CompletableFuture<Void>> wakeUps = new ConcurrentHashMap<>();
    private final Counters counters;
    private volatile @Nullable IdType idType;

    TieredUserCache(UserCaches caches, KeySpace keys, Facet<V> facet, UserSource<K, V> source) {
        this.caches = caches;
        this.shared = caches.shared();
        this.keys = keys;
        this.source = source;
        this.policy = facet.policy();
        this.codec = new EntryCodec<>(facet.codec());
        this.near = new NearTier<>(policy);
        this.counters = caches.meters().countersOf(facet.name());
    }

    // The read path.

    @Override
    public Optional<V> find(K id) {
        caches.requireOpen();
        Resident<V> present = near.findPresent(id);
        if (present != null) {
            counters.nearPresent.increment();
            return present.answer();
        }
        Resident<V> absent = near.findAbsent(id);
        if (absent != null) {
            counters.nearAbsent.increment();
            return absent.answer();
        }
        String key = keyOf(id);
        Landing<V> landing;
        do {
            landing = findTogether(id, key);
        } while (landing == null);
        counters.answered(landing.tier(), landing.entry());
        return landing.entry().toOptional();
    }

    /** Reads, or waits for who is reading already; {@code null} when that one has read too early for this caller. */
    private @Nullable Landing<V> findTogether(K id, String key) {
        try {
            boolean withoutRedis = shared.isFailing() || caches.fences().isPending(key);
            return flights.fly(id, withoutRedis, flight -> load(id, key, flight));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unavailable(key, "interrupted while another caller was loading it", e);
        } catch (ExecutionException e) {
            throw unavailable(key, "another caller's load failed", e.getCause());
        } catch (TimeoutException e) {
            throw unavailable(key, "another caller's load takes too long", null);
        }
    }

    private Landing<V> load(K id, String key, Flight<V> flight) {
        if (caches.fences().isPending(key)) {
            return loadWithoutRedis(id, key, flight);
        }
        String token = caches.nextToken();
        try {
            return loadShared(id, key, token, flight);
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            // The claim may have been granted although its answer did not come.
            shared.release(key, token);
            return loadWithoutRedis(id, key, flight);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unavailable(key, "interrupted while another process was loading it", e);
        } finally {
            wakeUps.remove(id);
        }
    }

    /** The shared tier; then a claim, and the source; or whatever another process, which holds the claim, has stored. */
    private Landing<V> loadShared(K id, String key, String token, Flight<V> flight)
            throws SharedTierException, InterruptedException {
        long givesUpAt = System.nanoTime() + policy.claimWait().toNanos();
        Duration pause = Duration.ZERO;
        CompletableFuture<Void> wakeUp = null;
        while (true) {
            int readIn = flight.nextStep();
            byte[] unreadable = null;
            try {
                Entry<V> entry = readShared(id, key);
                if (entry != null) {
                    return new Landing<>(entry, Tier.SHARED, readIn);
                }
            } catch (UnreadableEntryException e) {
                noteUnreadable(key, e.getMessage());
                unreadable = e.bytes();
            }
            int claimedIn = flight.nextStep();
            Claim claim = shared.claim(key, token, unreadable);
            if (claim instanceof Claim.Stored stored) {
                try {
                    return new Landing<>(codec.decode(stored.value()), Tier.SHARED, claimedIn);
                } catch (UnreadableEntryException e) {
                    continue; // the read will meet it too
                }
            }
            if (claim instanceof Claim.Granted granted) {
                if (granted.overAnotherType()) {
                    noteUnreadable(key, "another type");
                }
                return loadUnderClaim(id, key, token, unreadable, flight);
            }
            long left = ((Claim.Held) claim).left().toNanos();
            long patience = givesUpAt - System.nanoTime();
            if (patience <= 0) {
                int queriedIn = flight.nextStep();
                return new Landing<>(query(id, key), Tier.SOURCE, queriedIn);
            }
            if (wakeUp == null) {
                counters.claimWaits.increment();
            } else {
                // The push of the fill wakes us; where nothing is pushed, looking again now and then does.
                pause = nextPause(pause);
                caches.pause(wakeUp, Math.min(patience, shared.session() == null ? pause.toNanos() : left));
            }
            // Before the next read: what is stored after that read is pushed.
            wakeUp = wakeUps.computeIfAbsent(id, any -> new CompletableFuture<>());
        }
    }

    /** Reads over the tracked connection, and keeps what it finds where a push can find it. */
    private @Nullable Entry<V> readShared(K id, String key) throws SharedTierException, UnreadableEntryException {
        Reservation reservation = near.reserve(id, shared.sessionToReadIn());
        Entry<V> entry = null;
        try {
            byte[] bytes = shared.get(key);
            entry = bytes == null ? null : codec.decode(bytes);
            return entry;
        } finally {
            near.publish(id, reservation, entry);
        }
    }

    private Landing<V> loadUnderClaim(K id, String key, String token, byte @Nullable [] unreadable, Flight<V> flight) {
        int readIn = flight.nextStep();
        Entry<V> entry = queryRenewing(id, key, token);
        byte[] value = encodedToFill(key, token, entry);
        if (value == null) {
            return new Landing<>(entry, Tier.SOURCE, readIn);
        }
        int filledIn = flight.nextStep();
        try {
            if (shared.fill(key, token, value, ttlOf(entry), unreadable)) {
                // Never kept as it was loaded, but as Redis says it, so that Redis will say when it changes.
                readBack(id, key);
                // Nothing has changed between the claim and the fill, so the entry was still true at the fill.
                return new Landing<>(entry, Tier.SOURCE, filledIn);
            }
            counters.fillsRefused.increment();
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
        }
        return new Landing<>(entry, Tier.SOURCE, readIn);
    }

    /** What to store, or {@code null}, with the claim given up, for a value that cannot be stored. */
    private byte @Nullable [] encodedToFill(String key, String token, Entry<V> entry) {
        try {
            return codec.encode(entry);
        } catch (RuntimeException e) {
            counters.fillsNotEncoded.increment();
            // Not quoted: an encoder's message may show the value.
            log.error(
                    "The loaded value of {} cannot be encoded ({}), and is not cached",
                    key,
                    e.getClass().getName());
            shared.release(key, token);
            return null;
        }
    }

    private void readBack(K id, String key) throws SharedTierException {
        try {
            readShared(id, key);
        } catch (UnreadableEntryException e) {
            noteUnreadable(key, e.getMessage());
        }
    }

    /**
     * Who cannot ask Redis cannot be told of a change, and may be answered with what was read before it came, from memory
     * too, for as long as the staleness bound allows.
     */
    private Landing<V> loadWithoutRedis(K id, String key, Flight<V> flight) {
        int readIn = flight.nextStep();
        Session readNow = new Session(System.nanoTime());
        Reservation reservation = near.reserve(id, readNow);
        Entry<V> entry = null;
        try {
            entry = query(id, key);
        } finally {
            near.publish(id, reservation, entry);
        }
        boolean withinBound = readNow.isWithin(policy.stalenessBound().toNanos(), System.nanoTime());
        return new Landing<>(entry, Tier.SOURCE, readIn, withinBound);
    }

    private Entry<V> queryRenewing(K id, String key, String token) {
        long giveUpAt = System.nanoTime() + SingleFlight.LONGEST_WAIT.toNanos();
        ScheduledFuture<?> renewal = caches.scheduler()
                .scheduleAtFixedRate(
                        () -> {
                            // A source that hangs must not keep the entry from everybody else for ever.
                            if (System.nanoTime() - giveUpAt < 0) {
                                shared.renew(key, token);
                            }
                        },
                        RENEWAL.toNanos(),
                        RENEWAL.toNanos(),
                        TimeUnit.NANOSECONDS);
        try {
            return query(id, key);
        } catch (RuntimeException | Error e) {
            shared.release(key, token);
            throw e;
        } finally {
            renewal.cancel(false);
        }
    }

    private Entry<V> query(K id, String key) {
        counters.loadBegins(1);
        long beganAt = System.nanoTime();
        try {
            Map<K, V> answer = source.load(Set.of(id));
            V value = answer.get(id);
            if (answer.size() != (value == null ? 0 : 1)) {
                throw new IllegalStateException("the source answered a null value, or an id that was not asked for");
            }
            counters.loadAnswered(System.nanoTime() - beganAt);
            return new Entry<>(value);
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            counters.loadFailed(System.nanoTime() - beganAt);
            throw unavailable(key, "the source failed", e);
        }
    }

    // The write path.

    @Override
    public boolean save(K id, V value, Instant readAt) {
        String key = keyOf(id);
        Objects.requireNonNull(value, "a user that does not exist cannot be saved");
        boolean stored = offer(key, codec.encode(new Entry<>(value)), readAt);
        (stored ? counters.offersStored : counters.offersRefused).increment();
        return stored;
    }

    private boolean offer(String key, byte[] value, Instant readAt) {
        long now = System.nanoTime();
        Duration age = Duration.between(readAt, caches.clock().instant());
        if (age.isNegative()
                || age.compareTo(SharedTier.FENCE) >= 0
                || caches.fences().isPending(key)) {
            return false;
        }
        try {
            return shared.offer(key, value, jittered(policy.ttl()), now - age.toNanos());
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            return false;
        }
    }

    @Override
    public boolean invalidate(K id) {
        String key = keyOf(id);
        Object mark = caches.fences().announce(key);
        flights.forget(id);
        near.forget(id);
        boolean confirmed = caches.fences().send(key, mark);
        // Again: what was read before the fence may have been kept since, and its push may still be on its way.
        near.forget(id);
        return confirmed;
    }

    /** Somebody has changed what Redis holds for an id. Called on an event loop. */
    void changed(String idText) {
        IdType type = idType;
        if (type == null) {
            return;
        }
        @SuppressWarnings("unchecked")
        K id = (K) type.parseOrNull(idText);
        if (id != null) {
            counters.nearInvalidations.increment();
            near.forget(id);
            wakeUp(id);
        }
    }

    @Override
    public CacheStats stats() {
        return caches.statsOf(counters);
    }

    private void wakeUp(K id) {
        CompletableFuture<Void> waiting = wakeUps.remove(id);
        if (waiting != null) {
            waiting.complete(null);
        }
    }

    /** How many callers of this process wait for another one's load of this user, about. */
    int waitingFor(K id) {
        return flights.passengersOf(id);
    }

    private String keyOf(K id) {
        caches.requireOpen();
        IdType type = IdType.of(id);
        if (idType != type) {
            if (idType != null) {
                throw new IllegalArgumentException("the ids of one cache are of one type");
            }
            idType = type;
        }
        return keys.keyOf(id);
    }

    private Duration ttlOf(Entry<V> entry) {
        return jittered(entry.value() == null ? policy.absentTtl() : policy.ttl());
    }

    private Duration jittered(Duration life) {
        return policy.jittered(life, ThreadLocalRandom.current().nextDouble());
    }

    private static Duration nextPause(Duration pause) {
        Duration doubled = pause.multipliedBy(2);
        return pause.isZero() ? FIRST_PAUSE : doubled.compareTo(LONGEST_PAUSE) < 0 ? doubled : LONGEST_PAUSE;
    }

    private void noteUnreadable(String key, @Nullable String reason) {
        counters.unreadable.increment();
        log.warn("{} cannot be read ({}); it is loaded again and overwritten", key, reason);
    }

    private UserUnavailableException unavailable(String key, String why, @Nullable Throwable cause) {
        counters.unavailable.increment();
        return new UserUnavailableException(key + " is unavailable: " + why, cause);
    }
}
